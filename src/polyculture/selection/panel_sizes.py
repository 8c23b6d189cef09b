"""What would one further judge buy? Panels of every size, chosen on some verdicts and compared on others."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from polyculture.errors import InputError
from polyculture.predictions import Predictions

from .certificate import mean, share
from .objectives import Goal
from .plan import SelectionPlan, choose
from .portfolio import SelectionOptions, split

COLUMNS = ["size", "members", "error", "low", "high", "gain", "gain_low", "gain_high", "n"]


def panel_sizes(
    predictions: Predictions,
    largest: int = 9,
    *,
    certify_on: Predictions | None = None,
    terms: SelectionOptions | None = None,
) -> pd.DataFrame:
    """One row per size of a panel that votes with equal weights: its error, and what its last judge adds.

    Every panel is the one that fails together least on the selection instances; error and gain are on the
    certification instances. Columns: size, members, error with low and high, gain (error of the panel that is one
    smaller less its own, paired by instance) with gain_low and gain_high, n. The panel of one is the best judge.

    Verdicts may be missing: absent judges do not vote. Tied answers share the vote, see `polyculture.measures.votes`.

    Parameters
    ----------
    largest : size to go to.
    certify_on, terms : as in `select`.
    """
    terms = terms or SelectionOptions()
    selection, certification = split(predictions, certify_on, {}, terms)
    if not 1 <= largest <= predictions.shape[0]:
        m = predictions.shape[0]
        raise InputError(f"panels of up to {largest} out of {m} models", f"a size from 1 to {m}")
    rows, previous = [], None
    for size in range(1, largest + 1):
        plan = SelectionPlan(Goal({"co_failure": 1.0}), "vote", "co_failure", size)
        combination = choose(plan, selection).combination
        wrong = combination.outcome(certification).wrong
        error = share(wrong, certification, terms.level)
        limits = (math.nan, math.nan, math.nan)
        if previous is not None:
            gain = mean(previous - wrong, certification, terms.level)
            limits = (gain.estimate, gain.low, gain.high)
        members = " + ".join(np.array(predictions.model_ids, dtype=object)[combination.rows])
        rows.append((size, members, error.estimate, error.low, error.high, *limits, error.n))
        previous = wrong
    return pd.DataFrame(rows, columns=COLUMNS)
