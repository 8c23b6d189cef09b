"""Is a net with other layers than its recipe says the same net when it is loaded, and a damaged one refused?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from polyculture.errors import FileError
from polyculture.models.compact_layers import FACTORS, Factors, load_layers, replace_layer, resize, save_layers


def net() -> Any:
    return nn.Sequential(
        *(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, groups=8), nn.GroupNorm(1, 8)),
        *(nn.Conv2d(8, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 6), nn.LayerNorm(6), nn.Linear(6, 2)),
    )


def shapes_of(module: Any) -> dict[str, tuple[int, ...]]:
    return {name: tuple(weight.shape) for name, weight in module.state_dict().items()}


def test_layers_take_the_channels_of_their_weights() -> None:
    narrow = nn.Sequential(
        *(nn.Conv2d(3, 5, 3, padding=1), nn.BatchNorm2d(5), nn.Conv2d(5, 5, 3, groups=5), nn.GroupNorm(1, 5)),
        *(nn.Conv2d(5, 1, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 3), nn.LayerNorm(3), nn.Linear(3, 2)),
    ).eval()
    resized = net().eval()
    resize(resized, shapes_of(narrow))
    resized.load_state_dict(narrow.state_dict())
    inputs = torch.rand(2, 3, 6, 6)
    assert torch.equal(resized(inputs), narrow(inputs))
    assert repr(resized) == repr(narrow)  # sizes that layers tell are those of their weights
    assert all(isinstance(weight, nn.Parameter) and weight.requires_grad for weight in resized.parameters())


@pytest.mark.parametrize(
    ("kind", "layer", "ranks"),
    [
        ("dense", nn.Linear(7, 5), (2,)),
        ("channels", nn.Conv1d(4, 6, 3, stride=2, padding=1), (2,)),
        ("tucker", nn.Conv3d(4, 6, 3, padding=1, dilation=2, bias=False), (2, 3)),
        ("spatial", nn.Conv2d(4, 6, (3, 5), stride=(2, 1), padding=(1, 2)), (2,)),
    ],
)
def test_factors_have_the_shapes_of_their_layer_and_come_back_from_their_kind(
    kind: str, layer: Any, ranks: tuple[int, ...], tmp_path: Path
) -> None:
    inputs = torch.rand(2, 7) if kind == "dense" else torch.rand(2, 4, *[9] * (layer.weight.ndim - 2))
    factors = FACTORS[kind](layer, *ranks)
    assert factors(inputs).shape == layer(inputs).shape
    assert (factors[-1].bias is None) == (layer.bias is None)
    whole = nn.Sequential(nn.Identity(), nn.Sequential(factors))
    save_layers(whole, False, tmp_path)
    fresh = nn.Sequential(nn.Identity(), nn.Sequential(layer))
    assert load_layers(fresh, shapes_of(whole), tmp_path) is False
    fresh.load_state_dict(whole.state_dict())
    assert torch.equal(fresh(inputs), whole(inputs))


def test_whatever_reads_the_weight_of_a_layer_gets_that_of_its_factors() -> None:
    inputs, planes = torch.rand(4, 7), torch.rand(2, 4, 9, 9)
    factors = FACTORS["dense"](nn.Linear(7, 5), 3)
    torch.testing.assert_close(nn.functional.linear(inputs, factors.weight, factors.bias), factors(inputs))
    layer = nn.Conv2d(4, 6, (3, 5), stride=(2, 1))
    for kind, ranks in (("channels", (2,)), ("tucker", (2, 3)), ("spatial", (4,))):
        factors = FACTORS[kind](layer, *ranks)
        expected = nn.functional.conv2d(planes, factors.weight, factors.bias, stride=(2, 1))
        torch.testing.assert_close(factors(planes), expected)


def test_a_net_as_its_recipe_says_has_no_file_and_is_left_alone(tmp_path: Path) -> None:
    save_layers(net(), False, tmp_path)
    assert not list(tmp_path.iterdir())
    unchanged = net()
    assert load_layers(unchanged, {"0.weight": (1, 1, 1, 1)}, tmp_path) is False
    assert unchanged[0].weight.shape == (8, 3, 3, 3)


def test_without_the_file_saying_so_shapes_are_those_of_the_recipe(tmp_path: Path) -> None:
    replaced = net()
    replace_layer(replaced, "7", FACTORS["dense"](replaced[7], 1))
    save_layers(replaced, False, tmp_path)
    fresh = net()
    load_layers(fresh, shapes_of(replaced) | {"0.weight": (2, 3, 3, 3)}, tmp_path)
    assert fresh[0].weight.shape == (8, 3, 3, 3)
    assert isinstance(fresh[7], Factors)


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "{}", '{"factors": {}}', '{"factors": [1], "resized": false}'),
        *(json.dumps({"factors": {place: kind}, "resized": False}) for place, kind in (("9", "dense"), ("0", "svd"))),
        *(
            json.dumps({"factors": {place: kind}, "resized": False})
            for place, kind in (("1", "tucker"), ("x.y", "dense"))
        ),
    ],
)
def test_a_damaged_file_or_that_of_another_net_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "layers.json").write_text(content)
    with pytest.raises(FileError, match=r"^cannot read .*layers\.json \(\w+: .*\); expected what compress wrote there"):
        load_layers(nn.Sequential(*net()[:7]), {}, tmp_path)
