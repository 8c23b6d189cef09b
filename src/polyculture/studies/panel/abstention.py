"""When should the panel not answer? The least agreement from which on its error is guaranteed to stay below a bound."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from polyculture.measures.votes import vote
from polyculture.results import Section, SectionSpec, TableSpec
from polyculture.rng import stream
from polyculture.selection import certified_threshold
from polyculture.stats import Interval, jeffreys, percent

from .judged import JudgedItems
from .options import PanelOptions


def abstention_section(items: JudgedItems, options: PanelOptions) -> Section:
    """The threshold ordered on one half of the items and certified on the other; of a cluster one item counts."""
    assert options.max_error is not None
    ballot = vote(items.wrong, items.answers, None, items.observed)
    rows = np.flatnonzero(~np.isnan(ballot.loss))
    if items.clusters is not None:
        mixed = stream(options.seed, "one item of each cluster").permutation(rows)
        rows = np.sort(mixed[np.unique(items.clusters[mixed], return_index=True)[1]])
    # A lot that is drawn between tied verdicts may fall on the wrong one: a tie counts as an error.
    wrong, share, half = ballot.loss[rows] > 0, ballot.share[rows], items.blocks[rows] == 1
    certificate = certified_threshold(wrong, share, half, options.max_error, options.level)
    table = pd.DataFrame(certificate.steps, columns=["agreement", "answered", "error", "bound"])
    n = int(half.sum())
    if math.isnan(certificate.threshold):
        numbers = {"threshold": Interval.undefined("no agreement of the judges guarantees the bound", n)}
        text = (
            f"No agreement of the judges is shown to keep the error at {percent(options.max_error)} or below on the "
            f"{n:,} items that certify it: more items, or better judges, are needed."
        )
        return SPEC.answer(text, numbers, {"thresholds": table})
    answered = share[half] >= certificate.threshold - 1e-12
    errors = int(wrong[half][answered].sum())
    error = Interval(
        errors / int(answered.sum()), 0.0, certificate.bound, options.level, int(answered.sum()), "one-sided, exact"
    )
    coverage = jeffreys(int(answered.sum()), n, options.level)
    numbers = {"threshold": Interval(certificate.threshold, n=n), "answered": coverage, "error": error}
    text = (
        f"Where {percent(certificate.threshold)} or more of the judges who vote agree, the panel errs on at most "
        f"{percent(options.max_error)} (guaranteed with {percent(options.level, 0)} confidence for items like these). "
        f"It then answers {percent(coverage.estimate)} of the items and erred on {percent(error.estimate)} of those, "
        f"of {n:,} items that had no part in choosing the order of thresholds; the others go to a human."
    )
    return SPEC.answer(text, numbers, {"thresholds": table})


SPEC = SectionSpec(
    "panel_abstention",
    "When should the panel not answer?",
    numbers={
        "threshold": "least share of the judges that has to agree",
        "answered": "share of the items that are answered",
        "error": "error of those, with its one-sided limit",
    },
    percent=("threshold", "answered", "error"),
    tables={
        "thresholds": TableSpec(
            "Tested in this order, which the other half of the items fixed, until a limit is above the bound. Limit: "
            "exact, one-sided, at the level of the guarantee.",
            headings={"bound": "limit of the error"},
            percent=("agreement", "answered", "error", "bound"),
        )
    },
)
