"""What the tests of findings share: audit a table and take the findings of one code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

import polyculture as pc
from polyculture.auditing import AuditOptions
from polyculture.results import Finding


@pytest.fixture
def findings() -> Callable[..., list[Finding]]:
    """All findings of a code, of an audit with the given options."""

    def of(
        predictions: pc.Predictions,
        code: str,
        *,
        shifted: Mapping[str, pc.Predictions] | None = None,
        **options: Any,
    ) -> list[Finding]:
        audit = pc.audit(predictions, options=AuditOptions(**options), shifted=shifted)
        return [finding for finding in audit.findings if finding.code == code]

    return of


@pytest.fixture
def finding(findings: Callable[..., list[Finding]]) -> Callable[..., Finding]:
    """The one finding of a code."""

    def of(predictions: pc.Predictions, code: str, **given: Any) -> Finding:
        (only,) = findings(predictions, code, **given)
        return only

    return of


@pytest.fixture
def outcomes() -> Callable[..., pc.Predictions]:
    """Right and wrong alone, from where each model is wrong."""

    def of(wrong: np.ndarray, **more: Any) -> pc.Predictions:
        return pc.Predictions.from_correct({f"m{i}": ~row for i, row in enumerate(np.asarray(wrong, bool))}, **more)

    return of
