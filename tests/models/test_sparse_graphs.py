"""Weights that are mostly zero take the bytes of the others, and the graph computes the same."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("torch", reason="torch is not installed")

from polyculture.dataset import Dataset
from polyculture.models.graphs.fitted_graphs import fitted_graph
from polyculture.models.graphs.runner import GraphRunner
from polyculture.models.graphs.sparse import with_sparse_weights
from polyculture.models.graphs.versions import unified
from polyculture.recipe import Recipe
from polyculture.rng import stream
from polyculture.training.architectures import find_architecture

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("architecture", ["mlp", "lenet"])
@pytest.mark.parametrize(("zeros", "smallest", "largest"), [(0.0, 1.0, 1.0), (0.5, 1.0, 1.0), (0.9, 0.25, 0.6)])
def test_mostly_zero_weights_are_stored_by_position(
    architecture: str, zeros: float, smallest: float, largest: float
) -> None:
    images = stream(0, "pictures").random((40, 12, 12)).astype(np.float32)
    dataset = Dataset(images, np.arange(40) % 2, ("a", "b"), modality="image")
    recipe = Recipe(architecture, optimizer="adam", hyperparameters={"epochs": 1})
    model = find_architecture(architecture).fit(recipe, dataset)
    for weight in model.net.parameters():  # type: ignore[attr-defined]
        threshold = weight.detach().abs().flatten().kthvalue(max(1, round(zeros * weight.numel()))).values
        weight.data[weight.abs() <= threshold * (zeros > 0)] = 0
    dense = unified(fitted_graph(model, "x"))
    sparse = with_sparse_weights(dense)
    assert smallest <= len(sparse.SerializeToString()) / len(dense.SerializeToString()) <= largest
    for prefix in ("", "m0_"):
        graph = GraphRunner(unified(sparse, prefix))
        assert graph(images).tolist() == GraphRunner(dense)(images).tolist()
