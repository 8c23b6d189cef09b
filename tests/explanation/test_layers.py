"""What layers hold: read by hooks as computed by hand, compared with chance and limits, and what excites a unit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from polyculture.dataset import Dataset  # noqa: E402
from polyculture.errors import InputError  # noqa: E402
from polyculture.explanation.layers import (  # noqa: E402
    VisualisationOptions,
    compare_representations,
    exciting_instances,
    layer_names,
    represent,
    representation_similarity,
    visualise_unit,
)
from polyculture.explanation.layers.activations import activations  # noqa: E402
from polyculture.measures.similarity import cka, mutual_knn, procrustes, rsa  # noqa: E402
from polyculture.models.encoder import Encoder  # noqa: E402
from polyculture.models.fitted_net import FittedNet  # noqa: E402
from polyculture.rng import stream  # noqa: E402
from polyculture.training.architectures import ARCHITECTURES  # noqa: E402


def table(rows: int = 60, columns: int = 5) -> Dataset:
    inputs = stream(0, "table").normal(size=(rows, columns)).astype(np.float32)
    return Dataset(inputs, np.arange(rows) % 2, ("a", "b"))


def pictures(rows: int = 20, side: int = 8) -> Dataset:
    images = stream(1, "images").random((rows, side, side), dtype=np.float32)
    return Dataset(images, np.arange(rows) % 2, ("a", "b"), modality="image")


def net(seed: int = 0, columns: int = 5, width: int = 7) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(columns, width), nn.ReLU(), nn.Linear(width, 2))


# --------------------------------------------------------------------------- reading layers


def test_layers_hold_what_is_computed_by_hand() -> None:
    dataset, module = table(), net()
    model = FittedNet(module, Encoder.of(dataset))
    encoded = model.encoder(dataset.array)
    weights = [p.detach().numpy() for p in module.parameters()]
    hidden = encoded @ weights[0].T + weights[1]
    np.testing.assert_allclose(activations(model, dataset.array, "0"), hidden, atol=1e-5)
    np.testing.assert_allclose(activations(model, dataset.array, "penultimate"), np.maximum(hidden, 0), atol=1e-5)
    np.testing.assert_allclose(activations(model, dataset.array, "outputs"), model(dataset.array), atol=1e-6)
    assert layer_names(model) == ("0", "1", "2")
    assert not module[0]._forward_hooks
    assert not module[0]._forward_pre_hooks


def test_more_inputs_than_a_batch_are_read_in_their_order() -> None:
    dataset = table(1100)
    model = FittedNet(net(), Encoder.of(dataset))
    whole = activations(model, dataset.array, "0")
    assert whole.shape == (1100, 7)
    np.testing.assert_allclose(whole[1000:], activations(model, dataset.array[1000:], "0"), atol=1e-5)


def test_models_without_the_layer_are_left_out_with_the_reason() -> None:
    dataset = table()
    models = {"net": FittedNet(net(), Encoder.of(dataset)), "plain": lambda x: np.ones((len(x), 2)) / 2}
    result = represent(models, dataset.array)
    assert list(result.arrays) == ["net"]
    assert "is no net" in result.left_out["plain"]
    assert list(represent(models, dataset.array, "outputs").arrays) == ["net", "plain"]
    with pytest.raises(InputError, match="none of the 2 models has the layer 'fc9'"):
        represent(models, dataset.array, "fc9")
    with pytest.raises(InputError, match="no layer 'fc9' in this net; known: "):
        activations(models["net"], dataset.array, "fc9")


@pytest.mark.parametrize("name", ["mlp", "lenet", "resnet", "transformer", "gru", "lstm"])
def test_nets_of_every_family_have_a_penultimate_layer(name: str) -> None:
    if name not in ARCHITECTURES:
        pytest.fail(f"{name} is no architecture")
    dataset = pictures()
    encoder = Encoder.of(dataset)
    torch.manual_seed(0)
    architecture = ARCHITECTURES[name]
    module = architecture.build(encoder.form, 2)
    result = represent({name: FittedNet(module, encoder)}, dataset.array)
    assert result.arrays[name].shape[0] == 20
    assert np.ptp(result.arrays[name]) > 0


# --------------------------------------------------------------------------- similarity


def representations(n: int = 80) -> dict[str, np.ndarray]:
    rng = stream(2, "representations")
    first = rng.normal(size=(n, 12))
    rotation = np.linalg.qr(rng.normal(size=(12, 12)))[0]
    return {
        "a": first,
        "rotated": 3 * first @ rotation + 5,
        "noisy": first[:, :9] + 0.5 * rng.normal(size=(n, 9)),
        "unrelated": rng.normal(size=(n, 30)),
    }


PAIRWISE = {"cka": cka, "rsa": rsa, "procrustes": procrustes}


@pytest.mark.parametrize("measure", PAIRWISE)
def test_matrices_have_the_values_of_the_measure(measure: str) -> None:
    arrays = representations()
    result = representation_similarity(arrays, measure, permutations=19)
    for i, X in enumerate(arrays.values()):
        for j, Y in enumerate(arrays.values()):
            assert result.values[i, j] == pytest.approx(PAIRWISE[measure](X, Y) if i != j else 1, abs=1e-9)


def test_neighbours_in_common_are_those_of_the_measure() -> None:
    arrays = representations()
    result = representation_similarity(arrays, "mutual-knn", permutations=9)
    assert result.adjusted[0, 2] == pytest.approx(mutual_knn(arrays["a"], arrays["noisy"]))


@pytest.mark.parametrize("measure", ["cka", "rsa", "mutual-knn", "procrustes"])
def test_rotations_are_equal_and_unrelated_representations_have_nothing_in_common(measure: str) -> None:
    result = representation_similarity(representations(), measure)
    assert result.adjusted[0, 1] == pytest.approx(1, abs=1e-6)
    assert abs(result.adjusted[0, 3]) < 0.15
    assert result.p[0, 1] == 0.01
    assert result.p[0, 3] > 0.02
    assert result.low[0, 2] < result.adjusted[0, 2] < result.high[0, 2]
    assert np.allclose(result.adjusted, result.adjusted.T)
    assert len(result.frame()) == 6


def test_limits_hold_the_similarity_of_the_population_of_instances() -> None:
    """95 % limits of CKA over 60 draws of 100 instances, against the value of 4,000."""
    rng = stream(3, "coverage")
    mixing = rng.normal(size=(6, 6))

    def draw(n: int) -> dict[str, np.ndarray]:
        X = rng.normal(size=(n, 6))
        return {"x": X, "y": np.tanh(X @ mixing) + 0.5 * rng.normal(size=(n, 6))}

    truth = cka(*draw(20000).values())
    results = [representation_similarity(draw(100), "cka", permutations=1) for _ in range(60)]
    covered = np.mean([result.low[0, 1] <= truth <= result.high[0, 1] for result in results])
    assert covered >= 0.87


def test_the_effective_number_is_one_for_copies_and_all_for_unrelated_ones() -> None:
    rng = stream(5, "effective")
    X = rng.normal(size=(100, 8))
    copies = representation_similarity({str(k): X * (k + 1) for k in range(4)}, permutations=1).effective_number
    assert copies.estimate == pytest.approx(1)
    unrelated = {str(k): rng.normal(size=(100, 8)) for k in range(4)}
    number = representation_similarity(unrelated, permutations=1).effective_number
    assert number.low < 4 < number.high
    assert number.low < number.estimate < number.high
    pair = representation_similarity({"a": X, "b": X + rng.normal(size=X.shape)}, permutations=1)
    assert pair.effective_number.estimate == pytest.approx(2 / (1 + pair.adjusted[0, 1]))
    single = representation_similarity({"a": X}, permutations=1).mean
    assert str(single) == "undefined (no two models have representations that vary)"


def test_p_values_of_unrelated_representations_are_even() -> None:
    rng = stream(4, "null")
    ps = []
    for _ in range(30):
        arrays = {str(k): rng.normal(size=(40, 3)) for k in range(4)}
        ps += representation_similarity(arrays, "rsa", permutations=39).frame()["p"].tolist()
    assert 0.04 <= np.mean(np.array(ps) <= 0.1) <= 0.17


def test_a_layer_that_does_not_vary_is_undefined() -> None:
    arrays = {**representations(), "constant": np.ones((80, 4))}
    for measure in ("cka", "rsa", "mutual-knn"):
        result = representation_similarity(arrays, measure, permutations=9)
        assert np.isnan(result.adjusted[4, :4]).all()
        assert np.isnan(result.p[4, :4]).all()
        assert np.isfinite(result.adjusted[:4, :4]).all()
        assert result.mean.defined


def test_representations_that_cannot_be_compared_are_refused_in_one_sentence() -> None:
    arrays = representations()
    with pytest.raises(InputError, match="no similarity of representations 'cca'; did you mean 'cka'"):
        representation_similarity(arrays, "cca")
    with pytest.raises(InputError, match="representations of 20 and 20 instances; expected the same 40 to 2,000"):
        representation_similarity({name: array[:20] for name, array in arrays.items()})
    with pytest.raises(InputError, match="representations of 80 and 79 instances"):
        representation_similarity({"a": arrays["a"], "b": arrays["a"][:79]})
    with pytest.raises(InputError, match="a representation with nan or infinite values"):
        representation_similarity({"a": arrays["a"] * np.nan, "b": arrays["a"]})


def test_models_that_are_alike_inside_and_in_errors_are_related() -> None:
    """Six outputs that mix a common and an own part; errors are alike as far as the common part is large."""
    rng = stream(6, "related")
    common = rng.normal(size=(120, 6))
    shares = np.array([0.95, 0.9, 0.8, 0.6, 0.4, 0.2, 0.1])
    arrays = [s * common + (1 - s) * rng.normal(size=(120, 6)) for s in shares]
    models = {f"m{k}": (lambda inputs, array=array: array) for k, array in enumerate(arrays)}
    kappa = pd.DataFrame(np.outer(shares, shares), index=list(models), columns=list(models))
    result = compare_representations(models, np.zeros((120, 1)), "outputs", alikeness=kappa.iloc[::-1], permutations=19)
    assert set(result.similarities) == {"cka", "rsa", "mutual-knn"}
    for relation in result.relations.values():
        assert relation.correlation > 0.7
        assert relation.p < 0.02
    frame = result.frame()
    assert frame["measure"].tolist() == ["cka", "rsa", "mutual-knn"]
    assert (frame["low"] < frame["mean"]).all()
    assert ((frame["effective low"] < frame["effective"]) & (frame["effective"] < 7)).all()


def test_comparisons_that_lack_something_are_refused_in_one_sentence() -> None:
    dataset = table()
    models = {"net": FittedNet(net(), Encoder.of(dataset)), "plain": lambda x: np.ones((len(x), 2)) / 2}
    with pytest.raises(InputError, match="only 'net' has the layer 'penultimate'; expected two models to compare"):
        compare_representations(models, dataset.array)
    kappa = pd.DataFrame(np.eye(1), index=["net"], columns=["net"])
    with pytest.raises(InputError, match="alikeness in errors lacks 'plain'; expected a row and a column for every"):
        compare_representations(models, dataset.array, "outputs", alikeness=kappa)


# --------------------------------------------------------------------------- units


def test_the_input_of_a_linear_unit_is_its_weights() -> None:
    """Score w·x less λ/d ‖x‖² is highest at x = d w/(2λ)."""
    dataset = table()
    module = nn.Sequential(nn.Linear(5, 2))
    with torch.no_grad():
        module[0].weight[1] = torch.tensor([0.4, -0.2, 0.0, 0.1, -0.3])
    model = FittedNet(module, Encoder.of(dataset))
    options = VisualisationOptions(steps=1500, rate=0.02, size=1.0)
    result = visualise_unit(model, 1, options=options)
    encoded = model.encoder(result.picture[None])[0]
    np.testing.assert_allclose(encoded, 5 / 2 * np.array([0.4, -0.2, 0.0, 0.1, -0.3]), atol=0.02)
    assert result.activation > result.start


@pytest.mark.parametrize("channels", [0, 3])
def test_the_picture_of_a_template_is_the_template(channels: int) -> None:
    shape = (16, 16) + ((channels,) if channels else ())
    images = stream(5, "images").random((10, *shape), dtype=np.float32)
    dataset = Dataset(images, np.arange(10) % 2, ("a", "b"), modality="image")
    template = torch.zeros(max(channels, 1), 16, 16)
    template[:, 4:9, 5:12] = 1.0
    module = nn.Sequential(nn.Flatten(), nn.Linear(template.numel(), 2, bias=False))
    with torch.no_grad():
        module[1].weight[0] = (template - 0.3).flatten() * 0.01
    result = visualise_unit(FittedNet(module, Encoder.of(dataset)), 0, options=VisualisationOptions(jitter=0))
    assert result.picture.shape == shape
    assert 0 <= result.picture.min() <= result.picture.max() <= 1
    grey = result.picture if not channels else result.picture.mean(axis=2)
    middle = template.mean(dim=0).numpy().astype(bool)
    assert grey[middle].mean() > 0.9
    assert grey[~middle].mean() < 0.2


def test_channels_of_a_convolution_and_units_of_other_layers_can_be_asked_for() -> None:
    dataset = pictures(side=16)
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 14 * 14, 2))
    model = FittedNet(module, Encoder.of(dataset))
    for unit in range(3):
        result = visualise_unit(model, unit, "0", VisualisationOptions(steps=60))
        mean = float(activations(model, result.picture[None], "0")[0, unit].mean())
        assert result.activation == pytest.approx(mean, abs=1e-4)
        assert result.activation > activations(model, dataset.array, "0")[:, unit].mean(axis=(1, 2)).max()
    again = visualise_unit(model, 2, "0", VisualisationOptions(steps=60))
    assert np.array_equal(again.picture, result.picture)
    assert all(parameter.grad is None for parameter in module.parameters())


def test_exciting_instances_are_sorted_by_the_activation_of_the_unit() -> None:
    dataset = table()
    model = FittedNet(net(), Encoder.of(dataset))
    result = exciting_instances(model, dataset.array, "0", 4)
    values = activations(model, dataset.array, "0")
    assert result.rows.shape == (7, 4)
    for unit in range(7):
        assert result.rows[unit].tolist() == np.argsort(-values[:, unit])[:4].tolist()
        assert result.activations[unit, 0] == pytest.approx(values[:, unit].max())


def test_units_that_there_are_not_are_refused_in_one_sentence() -> None:
    dataset = table()
    model = FittedNet(net(), Encoder.of(dataset))
    with pytest.raises(InputError, match="no unit 2 in the layer 'scores'; expected 0 to 1"):
        visualise_unit(model, 2)
    with pytest.raises(InputError, match="no layer 'conv1' in this net"):
        visualise_unit(model, 0, "conv1")
    with pytest.raises(InputError, match="a function has no units; expected a fitted net"):
        visualise_unit(lambda x: x, 0)
    with pytest.raises(InputError, match="61 instances of 60; expected a number from 1 to 60"):
        exciting_instances(model, dataset.array, "0", 61)
    with pytest.raises(InputError, match="0 steps with jitter 2 and seed 0"):
        VisualisationOptions(steps=0)
    texts = Dataset(np.array(["a b", "a b"], object), np.array([0, 1]), ("x", "y"), modality="text")
    with pytest.raises(InputError, match="a search among inputs of text; expected inputs that are numbers"):
        visualise_unit(FittedNet(net(), Encoder.of(texts)), 0)
