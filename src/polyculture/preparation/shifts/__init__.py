"""How is a test set made harder? By kinds of shift for every modality, each at five severities.

images · volumes · tables · texts · tokens · audio · series
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
from .suite import SEVERITIES, LazyDatasets, Shift

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

MAX_INSTANCES = 1000
"""Of a larger test set a stratified sample of this size is shifted."""


def applicable_shifts(test: Dataset) -> list[str]:
    """The kinds of shift that apply to these instances.

    All of the modality's, with two exceptions: images of fewer than 16 pixels a side are too coarse for most, and get
    the five in `images.COARSE`; the class frequencies can be shifted only where there are classes.
    """
    kinds = list(SUITES[test.modality])
    if test.modality == "image" and min(test.array.shape[1:3]) < images.FINE_SIDE:
        kinds = [kind for kind in kinds if kind in images.COARSE]
    return [kind for kind in kinds if kind != "prior" or test.task == "classification"]


def shifted(test: Dataset, seed: int, kinds: Sequence[str] | None = None) -> LazyDatasets:
    """The test instances under every kind and severity, by name such as ``"noise@3"``; created when looked up.

    Random choices (the noise field, the direction, the position) are drawn once per kind, so severities differ in
    strength only; the same seed gives the same test sets.

    Parameters
    ----------
    test : instances of any modality; of more than 1,000 a stratified sample is shifted.
    seed : of all random choices.
    kinds : names from `SUITES`; None for all that apply (`kinds_of`).

    Raises InputError for an unknown kind.
    """
    suite = SUITES[test.modality]
    for kind in kinds or ():
        if kind not in suite:
            raise InputError(f"no shift {kind!r} of {test.modality}", "", near(kind, suite))
    selected = applicable_shifts(test) if kinds is None else list(kinds)
    if len(test) > MAX_INSTANCES:
        labels = test.labels if test.task == "classification" else np.zeros(len(test), np.int64)
        test = test.take(sampled(labels, MAX_INSTANCES, stream(seed, test.name, "shift", "sample")))
    return LazyDatasets(
        {
            f"{kind}@{severity}": partial(_shifted_version, test, suite[kind], kind, severity, seed)
            for kind in selected
            for severity in SEVERITIES
        }
    )


def _shifted_version(test: Dataset, shift: Shift, kind: str, severity: int, seed: int) -> Dataset:
    version = shift(test, severity, stream(seed, test.name, "shift", kind))
    return version.with_inputs(version.array, f"{test.name} {kind}@{severity}")


__all__ = ["MAX_INSTANCES", "SEVERITIES", "SUITES", "LazyDatasets", "Shift", "applicable_shifts", "shifted"]
