"""What would one further judge buy? Panels of every size, chosen on some verdicts and compared on others."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from polyculture.errors import InputError
from polyculture.predictions import Predictions

from .certificate import mean, share
from .choice import Plan, choose
from .combination import Combination
from .objectives import Goal, ScoredSet
from .portfolio import SelectionOptions, part

COLUMNS = ["size", "members", "error", "low", "high", "gain", "gain_low", "gain_high", "n"]


def panel_sizes(
    predictions: Predictions,
    largest: int = 9,
    *,
    certify_on: Predictions | None = None,
    terms: SelectionOptions | None = None,
) -> pd.DataFrame:
    """One row per size of a panel that votes with equal weights: its error, and what its last judge bought.

    Every panel is the one that fails together least on the selection instances; error and gain are on the
    certification instances. Columns: size, members, error with low and high, gain (error of the panel that is one
    smaller less its own, paired by instance) with gain_low and gain_high, n. The panel of one is the best judge.

    Verdicts may be missing: absent judges do not vote. A tie costs ½ where only right and wrong is known; else the
    answer of the most accurate judge among the tied decides.

    Parameters
    ----------
    largest : size to go to.
    certify_on, terms : as in `select`.
    """
    terms = terms or SelectionOptions()
    here = part(predictions, certify_on, {}, terms)
    exam, there = here.chosen_on, here.certified_on
    if not 1 <= largest <= predictions.shape[0]:
        m = predictions.shape[0]
        raise InputError(f"panels of up to {largest} out of {m} models", f"a size from 1 to {m}")
    rows, before = [], None
    for size in range(1, largest + 1):
        plan = Plan(Goal({"co_failure": 1.0}), "vote", "co_failure", size)
        blend: Combination = choose(plan, exam).blend
        wrong = ScoredSet(blend, there).outcome.wrong
        error = share(wrong, there, terms.level)
        bought = (math.nan, math.nan, math.nan)
        if before is not None:
            gain = mean(before - wrong, there, terms.level)
            bought = (gain.estimate, gain.low, gain.high)
        members = " + ".join(np.array(predictions.model_ids, dtype=object)[blend.rows])
        rows.append((size, members, error.estimate, error.low, error.high, *bought, error.n))
        before = wrong
    return pd.DataFrame(rows, columns=COLUMNS)
