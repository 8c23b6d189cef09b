"""Which answers differ only in case, spacing or type? They are reported, and unified only on request."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, InvalidOperation

import numpy as np
import pandas as pd
from jaxtyping import Int

from polyculture.predictions import MISSING, Predictions, code_counts, smallest_integer

from .alignment import FORMS
from .normalization import normalizer


def canonical(text: str) -> str:
    """The text without regard to case, spacing and number format: 0.00 is 0.0, True is true."""
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
    groups = _groups(predictions)
    counts = _counts(predictions) if groups else np.empty(0, np.int64)
    rows = [
        (predictions.classes[main], predictions.classes[code], int(counts[code]), unified)
        for main, *rarer in groups
        for code in rarer
    ]
    return pd.DataFrame(rows, columns=FORMS, dtype=object)


def unify(predictions: Predictions) -> Predictions:
    """The predictions with such answers merged into the most frequent form; their probabilities are added up."""
    groups = _groups(predictions)
    if not groups:
        return predictions
    main_code_of = np.arange(len(predictions.classes))
    for main, *rarer in groups:
        main_code_of[rarer] = main
    main_codes = np.unique(main_code_of)
    places = np.append(np.searchsorted(main_codes, main_code_of), MISSING)
    answers, labels, probabilities = predictions.answers, predictions.labels, predictions.probabilities
    if probabilities is not None:
        summed = np.zeros((*probabilities.shape[:2], len(main_codes)), probabilities.dtype)
        for code, place in enumerate(places[:-1]):
            summed[:, :, place] += probabilities[:, :, code]
        probabilities = summed
    return replace(
        predictions,
        answers=None if answers is None else places[answers].astype(answers.dtype),
        labels=None if labels is None else places[labels].astype(labels.dtype),
        classes=tuple(predictions.classes[code] for code in main_codes),
        probabilities=probabilities,
    )


def normalized_answers(predictions: Predictions, rule: str) -> Predictions:
    """The predictions with answers and labels in the form in which a rule compares them.

    What it cannot parse is no answer, a wrong one. Classes that probabilities belong to stay as they are.
    """
    answers, labels = predictions.answers, predictions.labels
    if rule == "exact" or answers is None or predictions.probabilities is not None:
        return predictions
    normalize = normalizer(rule)
    forms = [normalize(text) for text in predictions.classes]
    label_forms = [form or text for form, text in zip(forms, predictions.classes, strict=True)]
    classes = sorted({*label_forms, *(form for form in forms if form)})
    index: dict[str | None, int] = {None: MISSING} | {text: code for code, text in enumerate(classes)}
    table = np.array([*(index[form or None] for form in forms), MISSING], smallest_integer(len(classes)))
    codes = table[answers]
    correct, truth = predictions.correct, None
    if labels is not None:
        truth = np.array([*(index[form] for form in label_forms), MISSING], table.dtype)[labels]
    unparsed = (codes == MISSING) & (answers != MISSING)
    if correct is None and unparsed.any():
        correct = np.where(codes == MISSING, MISSING, (codes == truth).astype(np.int8))
        correct[unparsed] = 0
    return replace(predictions, answers=codes, labels=truth, correct=correct, classes=tuple(classes))


def _counts(predictions: Predictions) -> Int[np.ndarray, " c"]:
    """How often each class is an answer or a label."""
    counts = np.zeros(len(predictions.classes), np.int64)
    for codes in (predictions.answers, predictions.labels):
        if codes is not None:
            for row in np.atleast_2d(codes):  # not all at once: counting takes eight bytes per cell
                counts += code_counts(row, len(counts))
    return counts


def _groups(predictions: Predictions) -> list[list[int]]:
    """Classes that differ only in form, the most frequent first."""
    codes_by_form: dict[str, list[int]] = {}
    for code, text in enumerate(predictions.classes):
        codes_by_form.setdefault(canonical(text), []).append(code)
    groups = [codes for codes in codes_by_form.values() if len(codes) > 1]
    counts = _counts(predictions) if groups else np.empty(0, np.int64)
    return [sorted(codes, key=lambda code: (-counts[code], code)) for codes in groups]
