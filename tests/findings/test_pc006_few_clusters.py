"""PC006: are there enough clusters for intervals that know of them?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from polyculture.predictions import Predictions

WRONG = np.random.default_rng(0).random((3, 400)) < 0.3


def clustered(clusters: int) -> Predictions:
    instances = pd.DataFrame({"patient": [f"p{i % clusters}" for i in range(400)]})
    return Predictions.from_correct({f"m{i}": ~row for i, row in enumerate(WRONG)}, instances=instances)


@pytest.mark.parametrize("clusters", [2, 40, 60])
def test_sixty_or_fewer_are_a_warning(finding, clusters) -> None:
    found = finding(clustered(clusters), "PC006", clusters="patient")
    assert found.severity == "warning"
    assert found.sentence == (
        f"The instances fall into {clusters} clusters; with 60 or fewer cluster-aware intervals are too narrow."
    )


def test_more_than_sixty_are_silent(findings) -> None:
    assert findings(clustered(61), "PC006", clusters="patient") == []


def test_without_a_named_column_it_is_silent(findings) -> None:
    assert findings(clustered(2), "PC006") == []
