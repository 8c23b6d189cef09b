"""What is learned from a training set whose wrong labels are dropped or replaced first? Levels of the data axis.

The wrong labels are found within the training set, by models fitted out of fold; nothing else is looked at.
"""

from __future__ import annotations

from polyculture.preparation.transforms.transform import BoundedAmount

from ..learned_level import LearnedLevel, LevelAmount
from .levels import drop_label_errors, refuse_crew, relabel

__all__ = ["LEVELS"]

FOLDS = (LevelAmount("folds", BoundedAmount(100, integer=True), 4),)

LEVELS: dict[str, LearnedLevel] = {
    "drop-label-errors": LearnedLevel(
        "the training set without the labels that a small crew, fitted in this many folds, contradicts",
        drop_label_errors,
        FOLDS,
        refuse_crew,
        fits=4.0,
    ),
    "relabel": LearnedLevel(
        "the training set with these labels replaced by what the crew suggests",
        relabel,
        FOLDS,
        refuse_crew,
        fits=4.0,
    ),
}
"""Levels of the data axis that clean labels."""
