"""How do models fare on harder versions of the same test set? Kinds of shift for every modality, at five severities.

images · volumes · tables · texts · tokens · sounds · series
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from polyculture.dataset import Dataset, Modality
from polyculture.errors import InputError, near
from polyculture.rng import stream

from ..splits import sampled
from . import audio, images, series, tables, texts, tokens
from .suite import SEVERITIES, Lazy, Shift

SUITES: dict[Modality, dict[str, Shift]] = {
    "image": images.SUITE,
    "volume": images.VOLUMES,
    "table": tables.SUITE,
    "text": texts.SUITE,
    "tags": tokens.SUITE,
    "audio": audio.SUITE,
    "series": series.SUITE,
}
"""Kinds of shift by modality; each is a function of the test set, the severity and a generator."""

MOST_INSTANCES = 1000
"""A test set that is larger is shifted in a stratified sample of this size."""


def kinds_of(test: Dataset) -> list[str]:
    """The kinds of shift that make sense for these instances.

    All of the modality's, with two exceptions: images of fewer than 16 pixels a side are too coarse for most, and get
    the five in `images.COARSE`; the mix of classes can be shifted only where there are classes.
    """
    kinds = list(SUITES[test.modality])
    if test.modality == "image" and min(test.inputs.shape[1:3]) < images.FINE:
        kinds = [kind for kind in kinds if kind in images.COARSE]
    return [kind for kind in kinds if kind != "prior" or test.task == "classification"]


def shifted(test: Dataset, seed: int, kinds: Sequence[str] | None = None) -> Lazy:
    """The test instances under every kind and severity, by name such as ``"noise@3"``; made when looked up.

    What is random (the noise field, the direction, the place) is drawn once per kind, so severities differ in
    strength only; the same seed gives the same test sets.

    Parameters
    ----------
    test : instances of any modality; of more than 1,000 a stratified sample is shifted.
    seed : of whatever is drawn.
    kinds : names from `SUITES`; None for all that make sense (`kinds_of`).

    Raises InputError for an unknown kind.
    """
    suite = SUITES[test.modality]
    for kind in kinds or ():
        if kind not in suite:
            raise InputError(f"no shift {kind!r} of {test.modality}", "", near(kind, suite))
    chosen = kinds_of(test) if kinds is None else list(kinds)
    if len(test) > MOST_INSTANCES:
        labels = test.labels if test.task == "classification" else np.zeros(len(test), np.int64)
        test = test.take(sampled(labels, MOST_INSTANCES, stream(seed, test.name, "shift", "sample")))
    return Lazy(
        {
            f"{kind}@{severity}": partial(_made, test, suite[kind], kind, severity, seed)
            for kind in chosen
            for severity in SEVERITIES
        }
    )


def _made(test: Dataset, shift: Shift, kind: str, severity: int, seed: int) -> Dataset:
    made = shift(test, severity, stream(seed, test.name, "shift", kind))
    return made.with_inputs(made.inputs, f"{test.name} {kind}@{severity}")


__all__ = ["MOST_INSTANCES", "SEVERITIES", "SUITES", "Lazy", "Shift", "kinds_of", "shifted"]
