"""Are the nets for images what their sources say, do they read inputs of any size and kind, and do they learn?"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.models.encoder import Encoder, Form
from polyculture.recipe import Recipe
from polyculture.training import ARCHITECTURES, Problem
from polyculture.training.architectures.convolution_layers import (
    Concatenation,
    ConvFactory,
    Convolution,
    FeatureNorm,
    Residual,
    VolumePooling,
)
from polyculture.training.architectures.convolutional import alexnet, c3d, densenet, inception, lenet, lenet5, vgg
from polyculture.training.architectures.mlp import mlp, selu_mlp
from polyculture.training.architectures.residual import mobilenet, resnet
from polyculture.training.architectures.stems import as_volume
from polyculture.training.loop import seeded

NARROW: dict[str, tuple[Callable[..., Any], dict[str, int]]] = {
    "mlp": (mlp, {"width": 8}),
    "selu-mlp": (selu_mlp, {"width": 8}),
    "lenet": (lenet, {"width": 4}),
    "lenet5": (lenet5, {"width": 3}),
    "alexnet": (alexnet, {"width": 2}),
    "vgg": (vgg, {"width": 2}),
    "inception": (inception, {"width": 4}),
    "resnet": (resnet, {"width": 4, "depth": 8}),
    "densenet": (densenet, {"width": 4, "depth": 10}),
    "mobilenet": (mobilenet, {"width": 2}),
    "c3d": (c3d, {"width": 2}),
}
CONVOLUTIONAL = tuple(name for name in NARROW if not name.endswith("mlp"))


def weights(build: Callable[..., Any], form: Form, outputs: int, **options: Any) -> int:
    """How many numbers the net has, counted without making room for them."""
    with torch.device("meta"):
        return sum(p.numel() for p in build(form, outputs, **options).parameters())


def image(*shape: int) -> Form:
    return Form("image", shape)


def narrow(name: str, form: Form, outputs: int = 3, **options: Any) -> Any:
    build, few = NARROW[name]
    with seeded(0):
        return build(form, outputs, **few, **options)


IMAGENET = image(3, 224, 224)
CIFAR = image(3, 32, 32)


@pytest.mark.parametrize(
    ("build", "form", "outputs", "options", "published"),
    [
        # LeCun et al. 1998: 784-300-10; LeNet-5 with 60,000 of which the full table of connections makes 61,706
        (mlp, image(1, 28, 28), 10, {"width": 300, "depth": 1}, 238_510),
        (lenet5, image(1, 32, 32), 10, {}, 61_706),
        # what torchvision 0.21 states for its weights of ImageNet
        (alexnet, IMAGENET, 1000, {"width": 64, "normalization": "none"}, 61_100_840),
        (vgg, IMAGENET, 1000, {"width": 64, "depth": 11, "normalization": "none"}, 132_863_336),
        (vgg, IMAGENET, 1000, {"width": 64, "depth": 13, "normalization": "none"}, 133_047_848),
        (vgg, IMAGENET, 1000, {"width": 64, "depth": 16, "normalization": "none"}, 138_357_544),
        (vgg, IMAGENET, 1000, {"width": 64, "depth": 19, "normalization": "none"}, 143_667_240),
        (resnet, IMAGENET, 1000, {"width": 64, "depth": 18}, 11_689_512),
        (resnet, IMAGENET, 1000, {"width": 64, "depth": 34}, 21_797_672),
        (resnet, IMAGENET, 1000, {"width": 64, "depth": 50}, 25_557_032),
        (resnet, IMAGENET, 1000, {"width": 64, "depth": 101}, 44_549_160),
        (resnet, IMAGENET, 1000, {"width": 64, "depth": 152}, 60_192_808),
        (densenet, IMAGENET, 1000, {"width": 32, "depth": 121}, 7_978_856),
        (densenet, IMAGENET, 1000, {"width": 48, "depth": 161}, 28_681_000),
        (densenet, IMAGENET, 1000, {"width": 32, "depth": 169}, 14_149_480),
        (densenet, IMAGENET, 1000, {"width": 32, "depth": 201}, 20_013_928),
        (mobilenet, IMAGENET, 1000, {"width": 32}, 3_504_872),
        # Caffe's bvlc_googlenet without its two helper outputs
        (inception, IMAGENET, 1000, {"width": 64, "normalization": "none"}, 6_998_552),
        # He et al. 2016, table 6: 0.27 M (269,722 without and 272,474 with convolutions as shortcuts), 1.7 M
        (resnet, CIFAR, 10, {"width": 16, "depth": 20}, 272_474),
        (resnet, CIFAR, 10, {"width": 16, "depth": 110}, 1_730_714),
        # Huang et al. 2017, table 2: 0.8 M
        (densenet, CIFAR, 10, {"width": 12, "depth": 100}, 769_162),
        # Tran et al. 2015 on UCF101: 78.41 M
        (c3d, Form("volume", (3, 16, 112, 112)), 101, {"width": 64, "normalization": "none"}, 78_409_573),
    ],
)
def test_at_the_published_size_there_are_as_many_weights_as_published(
    build: Callable[..., Any], form: Form, outputs: int, options: dict[str, Any], published: int
) -> None:
    assert weights(build, form, outputs, **options) == published


def test_googlenet_differs_from_torchvisions_by_the_kernels_that_torchvision_made_smaller() -> None:
    pairs = ((16, 32), (32, 96), (16, 48), (24, 64), (24, 64), (32, 64), (32, 128), (32, 128), (48, 128))
    larger = sum(inside * outside * (25 - 9) for inside, outside in pairs)
    assert weights(inception, IMAGENET, 1000, width=64) == 6_624_904 + larger


def test_small_images_meet_the_nets_for_large_ones_with_a_small_kernel_first() -> None:
    """The usual variants for CIFAR: 3 × 3 instead of 7 × 7 first, ten classes instead of a thousand."""
    assert weights(resnet, CIFAR, 10, width=64, depth=18) == 11_689_512 - 3 * 64 * (49 - 9) - 513 * 990
    assert weights(densenet, CIFAR, 10, width=32, depth=121) == 7_978_856 - 3 * 64 * (49 - 9) - 1025 * 990
    assert weights(mobilenet, CIFAR, 10, width=32) == 3_504_872 - 1281 * 990


def dense_of(inside: int, outside: int) -> int:
    return (inside + 1) * outside


def test_on_digits_there_are_as_many_weights_as_by_hand() -> None:
    form = image(1, 8, 8)
    hidden = [dense_of(64, 5), *[dense_of(5, 5)] * 2, dense_of(5, 10)]
    assert weights(selu_mlp, form, 10, width=5, depth=3) == sum(hidden)
    assert weights(mlp, form, 10, width=5, depth=3, normalization="batch") == sum(hidden) + 3 * 2 * 5
    assert weights(lenet, form, 10, width=3) == sum(
        (dense_of(9, 3), dense_of(9 * 3, 6), dense_of(6 * 4, 12), dense_of(12, 10))
    )
    assert weights(lenet5, form, 10) == sum(
        (dense_of(25, 6), dense_of(25 * 6, 16), dense_of(16 * 4, 120), dense_of(120, 84), dense_of(84, 10))
    )
    assert weights(alexnet, form, 10, width=1, normalization="none") == sum(
        (dense_of(9, 1), dense_of(25, 3), dense_of(27, 6), dense_of(54, 4), dense_of(36, 4))
    ) + sum((dense_of(4 * 3 * 3, 64), dense_of(64, 64), dense_of(64, 10)))
    vgg_like = [(1, 1), (1, 2), (2, 4), (4, 4), (4, 8), (8, 8), (8, 8), (8, 8)]
    end = dense_of(8 * 4 * 4, 64) + dense_of(64, 64) + dense_of(64, 10)
    assert weights(vgg, form, 10, width=1) == sum(9 * a * b + 2 * b for a, b in vgg_like) + end
    blocks = (9 * 2 * 2 + 4) * 2 + sum((9 * w * w // 2 + 9 * w * w + 4 * w) + w * w // 2 + 2 * w for w in (4, 8))
    assert weights(resnet, form, 10, width=2, depth=8) == (9 * 2 + 4) + blocks + dense_of(8, 10)
    assert weights(mobilenet, form, 10, width=16) == 1_968_680 - 9 * 2 * 16 - 1281 * 990  # the published half width


def test_a_volume_of_other_size_has_as_many_weights_as_by_hand() -> None:
    pairs = [(1, 1), (1, 2), (2, 4), (4, 4), (4, 8), (8, 8), (8, 8), (8, 8)]
    end = dense_of(8 * 2 * 4 * 4, 64) + dense_of(64, 64) + dense_of(64, 2)  # 28 is halved three times, 10, too
    assert weights(c3d, Form("volume", (1, 10, 28, 28)), 2, width=1) == sum(27 * a * b + 2 * b for a, b in pairs) + end


FORMS = {
    "digits": image(1, 8, 8),
    "colour": image(3, 21, 28),
    "large": image(1, 65, 64),
    "one pixel": image(1, 1, 1),
    "spectrogram": image(1, 40, 49),
    "volume": Form("volume", (1, 4, 9, 9)),
    "series": Form("series", (12, 2)),
    "table": Form("vector", (13,)),
    "number": Form("vector", (1,)),
    "words": Form("words", (9,), (50,)),
}


@pytest.mark.parametrize("kind", FORMS)
@pytest.mark.parametrize("name", NARROW)
def test_inputs_of_any_kind_and_size_are_answered(name: str, kind: str) -> None:
    form = FORMS[kind]
    net = narrow(name, form)
    stream = torch.Generator().manual_seed(0)
    if form.kind == "words":
        inputs = torch.randint(0, 50, (2, 9), generator=stream)
    else:
        inputs = torch.randn(2, *form.shape, generator=stream)
    scores = net(inputs)
    assert scores.shape == (2, 3)
    scores.sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())
    assert net.eval()(inputs[:1]).shape == (1, 3)


@pytest.mark.parametrize("normalization", ["batch", "layer", "none"])
def test_a_perceptron_tags_every_token(normalization: str) -> None:
    net = mlp(Form("tags", (5, 2), (9, 9)), 4, width=8, normalization=normalization)
    assert net(torch.randint(0, 9, (3, 5, 2))).shape == (3, 5, 4)


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_nets_over_images_refuse_to_tag(name: str) -> None:
    with pytest.raises(InputError) as caught:
        narrow(name, Form("tags", (5, 2), (9, 9)))
    assert str(caught.value) == (
        "a net over images was given tokens to tag; expected a net over sequences, such as 'lstm' or 'crf'."
    )


@pytest.mark.parametrize(
    ("build", "options", "says"),
    [
        (vgg, {"depth": 12}, "depth of 'vgg' is 12; expected 11, 13, 16 or 19."),
        (resnet, {"depth": 2}, "depth of 'resnet' is 2; expected 18, 34, 50, 101, 152 or one of 8, 14, 20, 26, …."),
        (resnet, {"depth": 9}, "depth of 'resnet' is 9; expected 18, 34, 50, 101, 152 or one of 8, 14, 20, 26, …."),
        (densenet, {"depth": 4}, "depth of 'densenet' is 4; expected 121, 161, 169, 201 or one of 10, 16, 22, 28, …."),
        (
            densenet,
            {"depth": 12},
            "depth of 'densenet' is 12; expected 121, 161, 169, 201 or one of 10, 16, 22, 28, ….",
        ),
        (mlp, {"normalization": "group"}, "normalization is 'group'; expected 'batch', 'layer' or 'none'."),
        (resnet, {"normalization": "no"}, "normalization is 'no'; expected 'batch', 'layer' or 'none'."),
    ],
)
def test_what_a_net_cannot_be_is_refused(build: Callable[..., Any], options: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as caught:
        build(image(1, 8, 8), 10, **options)
    assert str(caught.value) == says


@pytest.mark.parametrize(
    ("sides", "planned", "strides"),
    [
        ((224, 224), 5, [2, 2, 2, 2, 2]),
        ((32, 32), 5, [1, 1, 2, 2, 2]),
        ((28, 28), 2, [2, 2]),
        ((8, 8), 5, [1, 1, 1, 1, 2]),
        ((7, 5), 2, [1, 2]),
        ((6, 6), 2, [1, 1]),
        ((1, 1), 2, [1, 1]),
        ((1, 100), 5, [2, 2, 2, 2, 2]),
        ((16, 112, 112), 5, [2, 2, 2, 2, 2]),
    ],
)
def test_small_inputs_lose_the_first_halvings(sides: tuple[int, ...], planned: int, strides: list[int]) -> None:
    assert ConvFactory(sides, "none").strides(planned) == strides


@given(
    sides=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    kernel=st.sampled_from([1, 3, 5, 7]),
    planned=st.integers(0, 4),
)
def test_places_are_what_convolutions_leave(sides: tuple[int, int], kernel: int, planned: int) -> None:
    kit = ConvFactory(sides, "none")
    strides = kit.strides(planned)
    net = nn.Sequential(*(kit.convolution(1, 1, kernel, stride) for stride in strides))
    assert tuple(net(torch.zeros(1, 1, *sides)).shape[2:]) == kit.places(strides)
    assert planned == 0 or max(kit.places(strides)) >= min(max(sides), 4)


def test_kernels_are_flat_where_inputs_are() -> None:
    assert tuple(ConvFactory((1, 9), "none").bare(2, 3, 5).weight.shape) == (3, 2, 1, 5)
    assert tuple(ConvFactory((4, 1, 9), "none").bare(2, 3, 3).weight.shape) == (3, 2, 3, 1, 3)


def test_layer_normalization_does_not_look_at_the_rest_of_the_batch_and_batch_normalization_does() -> None:
    inputs = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    for name in ("mlp", "lenet", "alexnet", "vgg", "inception", "densenet", "mobilenet", "c3d"):
        layer, batch = (narrow(name, image(1, 8, 8), normalization=kind, dropout=0.0) for kind in ("layer", "batch"))
        torch.testing.assert_close(layer(inputs)[:2], layer(inputs[:2]), atol=1e-4, rtol=1e-4)
        assert (batch(inputs)[:2] - batch(inputs[:2])).abs().max() > 1e-3


def test_a_silent_residual_block_starts_as_its_shortcut() -> None:
    inputs = torch.rand(2, 3, 5, 5)
    for normalization in ("batch", "layer", "none"):
        branch = nn.Sequential(ConvFactory((5, 5), normalization).convolution(3, 3, rectify=False))
        loud = Residual(branch, nn.Identity(), nn.ReLU(), silent=False)(inputs)
        torch.testing.assert_close(loud, (branch(inputs) + inputs).relu())
        assert (loud - inputs).abs().max() > 0.01
        torch.testing.assert_close(Residual(branch, nn.Identity(), nn.ReLU(), silent=True)(inputs), inputs)


def test_branches_put_their_channels_one_after_the_other() -> None:
    inputs = torch.rand(2, 3, 4, 4)
    torch.testing.assert_close(Concatenation(nn.Identity(), nn.ReLU())(inputs), torch.cat([inputs, inputs], dim=1))


@given(shape=st.tuples(*[st.integers(1, 7)] * 3), depth=st.booleans())
def test_volumes_are_pooled_as_torch_pools_them(shape: tuple[int, int, int], depth: bool) -> None:
    inputs = torch.randn(2, 3, *shape, generator=torch.Generator().manual_seed(0))
    expected = nn.functional.max_pool3d(inputs, (1 + depth, 2, 2), ceil_mode=True)
    torch.testing.assert_close(VolumePooling(depth)(inputs), expected, rtol=0, atol=0)


def test_channels_last_is_the_same_convolution() -> None:
    inputs = torch.randn(2, 3, 6, 5)
    layer = Convolution(3, 4, 3, padding=1)
    found = layer(inputs)
    assert found.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found, nn.functional.conv2d(inputs, layer.weight, layer.bias, padding=1))


def test_features_of_all_steps_are_normalized_together() -> None:
    steps = torch.randn(4, 5, 3) * 2 + 1
    found = FeatureNorm(3)(steps)
    torch.testing.assert_close(found.mean(dim=(0, 1)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.std(dim=(0, 1), correction=0), torch.ones(3), atol=1e-4, rtol=0)


def test_a_self_normalizing_net_keeps_mean_and_spread() -> None:
    """Klambauer et al. 2017, theorem 1: activations of mean 0 and variance 1 stay so, with and without dropout."""
    with seeded(0):
        net = selu_mlp(Form("vector", (400,)), 2, width=400, depth=12, dropout=0.1)
        activations = net[:-1](torch.randn(400, 400))
        plain = mlp(Form("vector", (400,)), 2, width=400, depth=12)[:-1](torch.randn(400, 400))
    assert abs(activations.mean().item()) < 0.1
    assert activations.std().item() == pytest.approx(1, abs=0.1)
    assert plain.std().item() < 0.1


def test_an_image_is_a_volume_whose_slices_are_its_channels() -> None:
    stem, shape = as_volume(image(3, 4, 5))
    assert shape == (1, 3, 4, 5)
    inputs = torch.rand(2, 3, 4, 5)
    torch.testing.assert_close(stem(inputs), inputs[:, None])
    stem, shape = as_volume(Form("series", (7, 2)))
    assert shape == (2, 1, 1, 7)
    assert stem(torch.rand(3, 7, 2)).shape == (3, 2, 1, 1, 7)


LEARNED_BY_HEART: dict[str, dict[str, int]] = {
    "selu-mlp": {"epochs": 60},
    "lenet5": {"epochs": 60},
    "alexnet": {"epochs": 25, "width": 4},
    "vgg": {"epochs": 25, "width": 4},
    "inception": {"epochs": 25, "width": 8},
    "resnet": {"epochs": 40, "depth": 8},
    "densenet": {"epochs": 40},
    "mobilenet": {"epochs": 25, "width": 4},
    "c3d": {"epochs": 25, "width": 4},
}
"""What is enough for 64 digits; `mlp` and `lenet` are with the other learners."""


@pytest.mark.parametrize("name", LEARNED_BY_HEART)
def test_it_learns_64_digits_by_heart(small: Problem, name: str) -> None:
    train = small.split.train
    told = {**LEARNED_BY_HEART[name], "dropout": 0}
    fitted = ARCHITECTURES[name].fit(Recipe(name, optimizer="adam", hyperparameters=told), train)
    probabilities = fitted(train.array)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), train.labels)


@pytest.mark.parametrize("normalization", ["batch", "layer", "none"])
@pytest.mark.parametrize("name", ["mlp", "lenet", "resnet"])
def test_it_learns_however_it_is_normalized(small: Problem, name: str, normalization: str) -> None:
    train = small.split.train
    told = {"epochs": 40, "dropout": 0, "normalization": normalization, **({"depth": 8} if name == "resnet" else {})}
    fitted = ARCHITECTURES[name].fit(Recipe(name, optimizer="adam", hyperparameters=told), train)
    assert (fitted(train.array).argmax(axis=1) == train.labels).mean() > 0.95


@pytest.mark.parametrize("name", ["resnet", "mlp"])
def test_one_instance_left_over_does_not_break_batch_normalization(small: Problem, name: str) -> None:
    train = small.split.train.take(np.arange(33))
    told = {"epochs": 1, "width": 4, "normalization": "batch"}
    fitted = ARCHITECTURES[name].fit(Recipe(name, optimizer="adam", hyperparameters=told), train)
    assert np.isfinite(fitted(train.array)).all()


@pytest.mark.parametrize("name", ["inception", "densenet", "mobilenet", "c3d"])
def test_what_is_written_down_answers_the_same(small: Problem, tmp_path: Path, name: str) -> None:
    train, inputs = small.split.train, small.split.test.array
    recipe = Recipe(name, optimizer="adam", hyperparameters={"epochs": 1, "width": 4})
    fitted = ARCHITECTURES[name].fit(recipe, train)
    fitted.save(tmp_path)
    read = ARCHITECTURES[name].load(recipe, train, tmp_path)
    np.testing.assert_array_equal(read(inputs), fitted(inputs))


def test_volumes_and_colours_are_learned(sets: dict[str, Dataset]) -> None:
    for name, kind in (("c3d", "volume"), ("lenet5", "colour"), ("alexnet", "colour"), ("resnet", "series")):
        recipe = Recipe(name, optimizer="adam", hyperparameters={"epochs": 15, "width": 4, "dropout": 0})
        fitted = ARCHITECTURES[name].fit(recipe, sets[kind])
        assert (fitted(sets[kind].array).argmax(axis=1) == sets[kind].labels).mean() > 0.9, (name, kind)


def test_numbers_are_predicted_by_nets_of_convolutions(sets: dict[str, Dataset]) -> None:
    numbers = sets["numbers"]
    form = Encoder.of(numbers).form
    for name in NARROW:
        assert narrow(name, form, 1)(torch.zeros(2, *form.shape)).shape == (2, 1)
    assert math.prod(form.shape) == 5


@pytest.mark.nightly
@pytest.mark.parametrize(("name", "told", "least"), [("lenet", {}, 0.985), ("resnet", {"depth": 8}, 0.988)])
def test_mnist_is_learned_in_a_few_epochs(shared_data: Path, name: str, told: dict[str, int], least: float) -> None:
    with np.load(shared_data / "image" / "mnist.npz") as arrays:
        train, test = (
            Dataset(
                (arrays[f"x_{part}"] / 255).astype(np.float32),
                arrays[f"y_{part}"].astype(np.int64),
                tuple("0123456789"),
                modality="image",
            )
            for part in ("train", "test")
        )
    fitted = ARCHITECTURES[name].fit(Recipe(name, optimizer="adam", hyperparameters={"epochs": 2, **told}), train)
    assert (fitted(test.array).argmax(axis=1) == test.labels).mean() >= least
