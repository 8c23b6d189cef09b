"""Have members or inputs drifted? Every test of recent answers against the reference, corrected for their number."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from .detection.drift import DriftTest, bin_counts, chi2_test, corrected, ks_test, stability_index
from .member_names import names_of_manifest

if TYPE_CHECKING:
    from .live import LiveWatch

COMPARED = 2_000
"""Recent answers that are compared."""
RENEWED = 200
"""Further answers after which they are compared again."""


def drift_tests(watch: LiveWatch) -> tuple[DriftTest, ...]:
    """Answer shares of each member (χ²), confidence and inputs (KS, PSI; categories χ²), with Holm's correction.

    Of many answers they are computed anew after every 200.
    """
    total, tests = watch.drift
    current = watch.window.rows.total
    if total < 0 or current - total >= RENEWED or (current != total and total < COMPARED):
        tests = corrected([*_member_tests(watch), *_confidence_test(watch), *_input_tests(watch)])
        watch.drift = current, tests
    return tests


def _member_tests(watch: LiveWatch) -> list[DriftTest]:
    counts = watch.reference.get("member_answer_counts") or _counts_of_shares(watch.reference)
    answers = watch.window.rows.column("member_answers", COMPARED)
    tests = []
    for column, reference, name in zip(answers.T, counts, names_of_manifest(watch.manifest).values(), strict=False):
        recent = np.bincount(column[(column >= 0) & (column < len(reference))], minlength=len(reference))
        test = chi2_test(recent, np.array(reference), f"answers of {name}")
        tests.append(replace(test, psi=stability_index(recent, np.array(reference))))
    return tests


def _counts_of_shares(reference: Any) -> list[Any]:
    """Counts from shares, where only those are there."""
    n = int(reference.get("n") or 0)
    return [[round(n * share) for share in row] for row in reference.get("member_answer_shares") or ()]


def _confidence_test(watch: LiveWatch) -> list[DriftTest]:
    """The confidence against a sample of the size of the reference, spread evenly over its percentiles."""
    reference = watch.reference.get("confidence") or {}
    quantiles, n = reference.get("quantiles"), int(reference.get("n") or 0)
    if not quantiles or not n:
        return []
    shares = np.linspace(0, 1, len(quantiles))
    sample = np.interp((np.arange(min(n, COMPARED)) + 0.5) / min(n, COMPARED), shares, quantiles)
    recent = watch.window.rows.column("confidence", COMPARED)
    return [replace(ks_test(recent, sample, "confidence"), psi=_psi(recent, sample))]


def _psi(recent: Float[np.ndarray, " n"], sample: Float[np.ndarray, " r"]) -> float:
    edges = np.unique(np.quantile(sample, np.linspace(0, 1, 11)[1:-1])).tolist()
    return stability_index(bin_counts(recent, edges), bin_counts(sample, edges))


def _input_tests(watch: LiveWatch) -> list[DriftTest]:
    profile = watch.reference.get("profile") or {}
    names = profile.get("names") or ()
    recent = watch.window.rows.column("profile", COMPARED)
    if not names or recent.shape[1] != len(names):
        return []
    rows = np.array([[math.nan if v is None else v for v in row] for row in profile.get("rows") or ()], float)
    rows = rows.reshape(-1, len(names))
    categories = profile.get("categories") or [0] * len(names)
    tests = []
    for j, name in enumerate(names):
        counts = np.array(profile["counts"][j], float)
        if categories[j]:
            values = recent[:, j][np.isfinite(recent[:, j])].astype(int)
            observed = np.bincount(values[(values >= 0) & (values < len(counts))], minlength=len(counts))
            test = chi2_test(observed, counts, name)
        else:
            observed = bin_counts(recent[:, j], profile["edges"][j])
            test = ks_test(recent[:, j], rows[:, j], name)
        psi = stability_index(observed, counts) if len(observed) == len(counts) else math.nan
        tests.append(replace(test, psi=psi))
    return tests
