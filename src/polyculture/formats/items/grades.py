"""What are graded scores, between 0 and 1, as predictions? Numbers with the target 1, so that the residual is a loss.

A score of .5 is neither right nor wrong. Without a threshold it stays a number: the residual of a model is its score
less 1, and n_eff, ρ and correlations are those of the residuals. Of scores of 0 and 1 alone that is n_eff of outcomes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from polyculture.errors import InputError
from polyculture.predictions import Predictions

THRESHOLD_CURE = "for right or wrong give the score from which an answer is right with threshold (--threshold)"


def graded_scores(models: Sequence[str], instances: pd.DataFrame, scores: Float[np.ndarray, "m n"]) -> Predictions:
    """Scores from 0 to 1 as predicted numbers, nan where there is none, with the target 1."""
    if len(models) < 2:  # of numbers a single model would do, but not of scores
        raise InputError(
            f"{len(models)} model: {models[0]!r}", "two models or more", "similarity is measured between models"
        )
    index = pd.Index(list(models), name="model", dtype=object)
    return Predictions(pd.DataFrame(index=index), instances, values=scores, targets=np.ones(len(instances)))


def graded_sentence(fractions: int, scores: int) -> str:
    """What was assumed about graded scores, and how to read them as right or wrong."""
    from polyculture.stats import percent  # with scipy, which takes longer to import than a small file to read

    return (
        f"{fractions:,} of {scores:,} scores ({percent(fractions / scores)}) are neither 0 nor 1 and count as grades, "
        f"numbers with the target 1; {THRESHOLD_CURE}."
    )
