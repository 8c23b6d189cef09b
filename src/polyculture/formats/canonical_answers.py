"""Which answers differ only by case, space or type? They are named, and taken for one only on request."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, InvalidOperation

import numpy as np
import pandas as pd
from jaxtyping import Int

from polyculture.predictions import MISSING, Predictions


def canonical(text: str) -> str:
    """What the text is without regard to case, spacing and the way a number is written: 0.00 is 0.0, True is true."""
    folded = " ".join(text.split()).casefold()
    try:
        number = Decimal(folded)
    except InvalidOperation:
        return folded
    if not number.is_finite() or abs(number.adjusted()) > 30:
        return folded
    return "0" if number == 0 else format(number.normalize(), "f")


def variants(predictions: Predictions, unified: bool = False) -> pd.DataFrame:
    """One row per answer that differs from a more frequent one only in form: form, variant, cells, unified."""
    counts = _counts(predictions)
    rows = [
        (predictions.classes[main], predictions.classes[code], int(counts[code]), unified)
        for main, *rarer in _groups(predictions, counts)
        for code in rarer
    ]
    return pd.DataFrame(rows, columns=["form", "variant", "cells", "unified"], dtype=object)


def unify(predictions: Predictions) -> Predictions:
    """The same with such answers taken for one, called as the most frequent of them; probabilities are added up."""
    groups = _groups(predictions, _counts(predictions))
    if not groups:
        return predictions
    main_code_of = np.arange(len(predictions.classes))
    for main, *rarer in groups:
        main_code_of[rarer] = main
    main_codes = np.unique(main_code_of)
    places = np.append(np.searchsorted(main_codes, main_code_of), MISSING)
    answers, labels, chances = predictions.answers, predictions.labels, predictions.probabilities
    if chances is not None:
        summed = np.zeros((*chances.shape[:2], len(main_codes)), chances.dtype)
        for code, place in enumerate(places[:-1]):
            summed[:, :, place] += chances[:, :, code]
        chances = summed
    return replace(
        predictions,
        answers=None if answers is None else places[answers].astype(answers.dtype),
        labels=None if labels is None else places[labels].astype(labels.dtype),
        classes=tuple(predictions.classes[code] for code in main_codes),
        probabilities=chances,
    )


def _counts(predictions: Predictions) -> Int[np.ndarray, " c"]:
    """How often each class is answered or is the truth."""
    counts = np.zeros(len(predictions.classes), np.int64)
    for codes in (predictions.answers, predictions.labels):
        if codes is not None:
            for row in np.atleast_2d(codes):  # not all at once: counting takes eight bytes per cell
                counts += np.bincount(row[row != MISSING], minlength=len(counts))
    return counts


def _groups(predictions: Predictions, counts: Int[np.ndarray, " c"]) -> list[list[int]]:
    """Classes that are the same but for their form, the most frequent first."""
    codes_by_form: dict[str, list[int]] = {}
    for code, text in enumerate(predictions.classes):
        codes_by_form.setdefault(canonical(text), []).append(code)
    return [sorted(codes, key=lambda code: (-counts[code], code)) for codes in codes_by_form.values() if len(codes) > 1]
