"""Occlusion and Shapley values of nets are captum's, computed on the net's own inputs."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    captum = pytest.importorskip("captum.attr")

from torch import nn  # noqa: E402

from polyculture.dataset import Dataset  # noqa: E402
from polyculture.explanation.options import ExplainOptions  # noqa: E402
from polyculture.explanation.perturbation import occlusion, shapley_sampling  # noqa: E402
from polyculture.models.encoder import Encoder  # noqa: E402
from polyculture.models.fitted_net import FittedNet  # noqa: E402
from polyculture.rng import stream  # noqa: E402


def net_of(features: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(features, 16), nn.Tanh(), nn.Linear(16, 3)).eval()


def encoded(model: FittedNet, inputs: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(model.encoder(inputs))


@pytest.mark.parametrize(("function", "name"), [(occlusion, "FeatureAblation"), (shapley_sampling, "ShapleyValues")])
def test_attributions_of_a_table_are_captums(function, name: str) -> None:
    rows = stream(0, "captum").normal(size=(6, 5)).astype(np.float32) * 3
    train = Dataset(rows, np.arange(6) % 3, ("a", "b", "c"))
    model = FittedNet(net_of(5), Encoder.of(train))
    targets, baseline = np.arange(6) % 3, rows.mean(axis=0)
    options = ExplainOptions(scale="probability", samples=25)
    found = function({"net": model}, rows, targets[None], train, options)[0]
    method = getattr(captum, name)(lambda x: model.net(x).softmax(dim=1))
    theirs = method.attribute(
        encoded(model, rows), baselines=encoded(model, baseline[None]), target=torch.from_numpy(targets)
    )
    np.testing.assert_allclose(found, theirs.detach().numpy(), atol=1e-5)


def test_attributions_of_patches_are_captums() -> None:
    images = stream(1, "captum").random((4, 6, 6, 3), dtype=np.float32)
    train = Dataset(images, np.arange(4) % 3, ("a", "b", "c"), modality="image")
    model = FittedNet(net_of(108), Encoder.of(train))
    targets, places = np.zeros(4, np.int64), np.arange(6) // 2
    options = ExplainOptions(scale="probability", baseline="zero", patch=2)
    found = occlusion({"net": model}, images, targets[None], train, options)[0]
    mask = torch.from_numpy(places[:, None] * 3 + places)[None, None].expand(1, 3, 6, 6)
    theirs = captum.FeatureAblation(lambda x: model.net(x).softmax(dim=1)).attribute(
        encoded(model, images), baselines=encoded(model, images[:1] * 0), target=0, feature_mask=mask
    )
    np.testing.assert_allclose(found * 4, theirs[:, 0].flatten(1).detach().numpy(), atol=1e-5)
