"""What can be said of judges where no truth is known? Agreement, and what models of a hidden truth claim."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from polyculture.measures.annotators import METHODS, Consensus
from polyculture.results import Section, SectionSpec, TableSpec
from polyculture.stats import Interval, percent

from ..crowds import CrowdOptions
from ..crowds.labels import read_labels
from .agreement import CAUTION, agreement_of_counts
from .options import PanelOptions

MODELS = ("dawid-skene", "one-coin", "glad")
"""Models of the hidden truth; all take the judges for independent given it."""
MOST_CONFUSIONS = 10**7
"""Cells of confusion matrices from which on Dawid–Skene, which has one per judge, is left out."""


def truthless_sections(source: Any, options: PanelOptions) -> tuple[Section, ...]:
    """Agreement first, then what models of a hidden truth make of the verdicts.

    Parameters
    ----------
    source : table with a row per verdict (judge, item, verdict) or a column per judge; a column of truth is not used.
    """
    labels = read_labels(source, CrowdOptions(level=options.level))
    annotations = labels.annotations
    numbers = pd.to_numeric(pd.Series(list(labels.classes), dtype=object), errors="coerce").to_numpy(float)
    values = None if np.isnan(numbers).any() else numbers
    counts = annotations.counts.astype(float)
    if values is not None:
        counts, values = counts[:, np.argsort(values)], np.sort(values)
    refused = annotations.workers * annotations.classes**2 > MOST_CONFUSIONS
    names = [name for name in MODELS if not (refused and name == "dawid-skene")]
    consensus = {name: METHODS[name](annotations, 100) for name in names}
    first = agreement_of_counts(counts, values, np.arange(len(counts)), options)
    return first, _latent(consensus, labels.workers)


def _latent(consensus: dict[str, Consensus], judges: tuple[str, ...]) -> Section:
    """What each model claims: how often the consensus is right, and how good each judge is."""
    claimed = {name.replace("-", "_"): _claimed(combined) for name, combined in consensus.items()}
    columns = {name.replace("-", "_"): combined.quality for name, combined in consensus.items()}
    table = pd.DataFrame({"judge": list(judges), **columns})
    highest = max(claimed.values(), key=lambda interval: interval.estimate)
    text = (
        f"If the judges erred independently, their consensus would be right on {percent(highest.estimate, 1)} of the "
        "items. "
        "That is a claim of the model and no measurement: judges who share errors agree on them, and the model takes "
        f"their agreement for truth. {CAUTION}"
    )
    table = table.sort_values(table.columns[1], ascending=False, kind="stable", ignore_index=True)
    return SPEC.answer(text, claimed, {"judges": table})


def _claimed(consensus: Consensus) -> Interval:
    confidence = consensus.confidence[consensus.labels_per_item > 0]
    return Interval(float(confidence.mean()) if len(confidence) else math.nan, n=len(confidence), method="claimed")


SPEC = SectionSpec(
    "panel_without_truth",
    "What would the truth be if the judges were independent?",
    numbers={
        "dawid_skene": "share right, as Dawid–Skene claims",
        "one_coin": "the same by one accuracy per judge",
        "glad": "the same by GLAD",
    },
    percent=("dawid_skene", "one_coin", "glad"),
    tables={
        "judges": TableSpec(
            "How often each judge is right, as each model claims.", percent=("dawid_skene", "one_coin", "glad"), rows=60
        )
    },
)
