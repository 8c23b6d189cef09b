"""docs/methods/semi-supervised.md against the functions and against the formulas in plain numpy."""

from __future__ import annotations

import math
from importlib import import_module

import numpy as np
import pytest

from polyculture.training.semi_supervised.choices import confident, surest_of_each_class

FIRST = np.array([0.95, 0.85, 0.30, 0.05])
STRONG = np.array([0.7, 0.7, 0.7, 0.2])
EVEN = np.array([0.5, 0.5])


def both(first: np.ndarray) -> np.ndarray:
    return np.stack([first, 1 - first], axis=1)


def test_the_worked_example(stated) -> None:
    torch = pytest.importorskip("torch")
    consistency = import_module("polyculture.training.semi_supervised.consistency")
    surest = surest_of_each_class(both(FIRST), 0.5, EVEN)
    scores, advice = (torch.from_numpy(both(values)) for values in (STRONG, FIRST))
    stated.agree(
        {
            "inputs labelled by (SL1)": len(confident(both(FIRST), 0.9).rows),
            "inputs labelled by (SL2)": len(surest.rows),
            "least sure of them by (SL2)": float(both(FIRST)[surest.rows, surest.codes].min()),
            "pool loss (SL3), strong views 0.7, 0.7, 0.7, 0.2 for the first class": float(
                consistency.fixmatch_loss(scores.log(), advice)[0]
            ),
            "pool loss (SL4) at full weight, the same": float(consistency.mean_teacher_loss(scores.log(), advice)[0]),
        }
    )


def test_the_losses_are_those_of_the_page() -> None:
    torch = pytest.importorskip("torch")
    consistency = import_module("polyculture.training.semi_supervised.consistency")
    generator = np.random.default_rng(0)
    p, q = generator.dirichlet(np.ones(3), 20), generator.dirichlet(np.full(3, 0.05), 20)
    by_hand = [-math.log(p[j, q[j].argmax()]) if q[j].max() >= 0.95 else 0.0 for j in range(20)]
    loss, counted = consistency.fixmatch_loss(torch.from_numpy(p).log(), torch.from_numpy(q))
    assert float(loss) == pytest.approx(sum(by_hand) / 20)
    assert float(counted) == pytest.approx((q.max(axis=1) >= 0.95).mean())
    loss, _ = consistency.mean_teacher_loss(torch.from_numpy(p).log(), torch.from_numpy(q))
    assert float(loss) == pytest.approx(10 * ((p - q) ** 2).sum() / 20)
