"""The verb: what is explained, what is refused, what is kept, and that a planted shortcut comes to light."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.explanation import METHODS, ExplainOptions, explain, read_explanations
from polyculture.explanation.kinds import structure_of
from polyculture.explanation.stacked_gradients import StackedNets, integrate, step_weights
from polyculture.models.fitted_net import FittedNet
from polyculture.population import Population
from polyculture.recipe import Recipe
from polyculture.training.architectures import find_architecture

from .nets import fitted, population, seeded

GRADIENTS = ("saliency", "gradient-input", "integrated-gradients", "smoothgrad", "deeplift")


def mlp(dataset: Dataset, seed: int, norm: bool = False) -> FittedNet:
    d = int(np.prod(dataset.array.shape[1:]))

    def build() -> nn.Module:
        layers = [nn.Linear(d, 12), *([nn.LayerNorm(12)] if norm else []), nn.ReLU()]
        return nn.Sequential(nn.Flatten(), *layers, nn.Linear(12, 12), nn.ReLU(), nn.Linear(12, 3))

    return fitted(seeded(seed, build), dataset)


def trained(architecture: str, dataset: Dataset, **settings: Any) -> FittedNet:
    recipe = Recipe(architecture, optimizer="adam", hyperparameters=settings)
    return find_architecture(architecture).fit(recipe, dataset)  # type: ignore[return-value]


def certain(inputs: np.ndarray) -> np.ndarray:
    """A model that is no net."""
    return np.tile([1.0, 0.0, 0.0], (len(inputs), 1))


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("scale", ["logit", "probability"])
def test_nets_in_a_stack_have_the_attributions_of_each_alone(sets: dict, norm: bool, scale: str) -> None:
    dataset = sets["image"]
    models = {f"net {seed}": mlp(dataset, seed, norm) for seed in range(4)}
    assert len({structure_of(model) for model in models.values()}) == 1
    assert structure_of(models["net 0"]) is not None
    options = ExplainOptions(instances=20, scale=scale)
    stacked = explain(population(models), dataset, "integrated-gradients", options)
    for name, model in models.items():
        alone = explain(population({name: model}), dataset, "integrated-gradients", options)
        np.testing.assert_allclose(stacked.take_models([name]).values, alone.values, atol=2e-5)


def test_nets_of_several_structures_keep_the_order_of_the_population(sets: dict) -> None:
    dataset = sets["image"]
    models = {"b": mlp(dataset, 0), "lenet": trained("lenet", dataset, epochs=1), "a": mlp(dataset, 1)}
    together = explain(population(models), dataset, "integrated-gradients", ExplainOptions(instances=5))
    assert together.model_ids == ["b", "lenet", "a"]
    for name, model in models.items():
        alone = explain(population({name: model}), dataset, "integrated-gradients", ExplainOptions(instances=5))
        np.testing.assert_allclose(together.take_models([name]).values, alone.values, atol=2e-5)


def test_integrated_gradients_are_those_of_captum_up_to_its_quadrature(sets: dict) -> None:
    attr = pytest.importorskip("captum.attr", reason="captum is not installed")
    dataset = sets["table"]
    model = mlp(dataset, 0)
    rows = torch.from_numpy(model.encoder(dataset.array))
    base, codes = rows.mean(dim=0, keepdim=True), model.net(rows).argmax(dim=1)
    own = integrate(StackedNets([model]), rows[None], base[None], codes[None], "logit", 32)[0]

    def score(inputs: torch.Tensor) -> torch.Tensor:
        outputs = model.net(inputs)
        return (outputs - outputs.mean(dim=1, keepdim=True)) * 1.5

    other = attr.IntegratedGradients(score).attribute(rows, base, target=codes, n_steps=2000).detach()
    np.testing.assert_allclose(own.numpy(), other.numpy(), atol=2e-2 * float(other.abs().max()))
    assert float((own - other).abs().mean() / other.abs().mean()) < 5e-3


def test_a_step_with_one_kink_is_exact() -> None:
    places = np.linspace(0, 1, 6)
    kink, before, after = 0.53, 2.0, -1.0
    values = np.where(places < kink, before * places, before * kink + after * (places - kink))
    slopes = np.where(places < kink, before, after)
    weights = step_weights(torch.from_numpy(values)[None], torch.from_numpy(slopes)[None])[0].numpy()
    assert weights[places < kink].sum() == pytest.approx(kink)
    assert weights.sum() == pytest.approx(1)
    assert (weights * slopes).sum() == pytest.approx(values[-1])


@pytest.mark.parametrize("method", GRADIENTS)
def test_a_planted_pixel_is_the_most_important(method: str) -> None:
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 2, 300)
    images = draw.random((300, 5, 5)).astype(np.float32) * 0.3
    images[:, 1, 3] = labels
    dataset = Dataset(images, labels, ("no", "yes"), modality="image")
    model = trained("mlp", dataset, epochs=15)
    explanations = explain(population({"net": model}, dataset.classes), dataset, method, ExplainOptions(instances=50))
    assert explanations.mean_importance()["net"].idxmax() == "1, 3"


@pytest.mark.parametrize("method", ["saliency", "gradient-input", "integrated-gradients", "attention"])
def test_a_planted_word_is_the_most_important(method: str) -> None:
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 2, 240)
    words = np.array(["the", "film", "was", "a", "story", "of", "two", "days", "in", "may"])
    texts = [[*draw.choice(words, 6), *(["banana"] if label else ["apricot"])] for label in labels]
    dataset = Dataset(
        np.array([" ".join(draw.permutation(text)) for text in texts]), labels, ("no", "yes"), modality="text"
    )
    model = trained("attention", dataset, epochs=8)
    options = ExplainOptions(instances=40, samples=20)
    explanations = explain(population({"net": model}, dataset.classes), dataset, method, options)
    assert explanations.words is not None
    best = explanations.words[np.arange(40), np.abs(explanations.values[0]).argmax(axis=1)]
    assert np.isin(best, ["banana", "apricot"]).mean() > 0.9


@pytest.mark.parametrize(
    ("method", "options", "name", "message"),
    [
        ("gradcam", {}, "image", "no method of explanation 'gradcam'; did you mean 'grad-cam'"),
        ("smoothgrad", {}, "text", "the method 'smoothgrad' for inputs of modality 'text'; expected table or image"),
        (
            "integrated-gradients",
            {"samples": 2},
            "image",
            "2 samples for the method 'integrated-gradients'; expected 5 or",
        ),
        (
            "deeplift",
            {"scale": "probability"},
            "image",
            "the scale 'probability' for the method 'deeplift'; expected logit",
        ),
        ("saliency", {"target": "d"}, "image", "no class 'd'; expected 'predicted', 'label' or the name of a class"),
        (
            "integrated-gradients",
            {"baseline": np.zeros((3, 3))},
            "image",
            r"a baseline of shape \(3, 3\); expected \(6, 5\), the shape of one input",
        ),
        ("saliency", {"baseline": np.full((6, 5), np.nan)}, "image", "a baseline of the type float64; expected finite"),
        ("saliency", {}, "tags", "explanations of tags; expected a dataset with one prediction per instance"),
    ],
)
def test_what_cannot_be_explained_is_refused_in_one_sentence(
    sets: dict, method: str, options: dict[str, Any], name: str, message: str
) -> None:
    dataset = sets[name]
    model = mlp(sets["image"], 0) if name == "image" else certain
    if name == "text":
        model = trained("mlp", dataset, epochs=1)
    with pytest.raises(InputError, match=message) as error:
        explain(population({"net": model}), dataset, method, ExplainOptions(**options))
    assert "\n" not in str(error.value)


def test_a_method_of_nets_is_refused_for_other_models_by_name(sets: dict) -> None:
    models = population({"net": mlp(sets["table"], 0), "wood": trained_forest(sets["table"]), "any": certain})
    with pytest.raises(InputError, match="the method 'grad-cam' for the model 'wood'; expected a net; use one of occ"):
        explain(models, sets["table"], "grad-cam")
    with pytest.raises(
        InputError, match="the method 'tree-shap' for the model 'net'; expected a fitted ensemble of tr"
    ):
        explain(models, sets["table"], "tree-shap")


def trained_forest(dataset: Dataset) -> Any:
    return find_architecture("forest").fit(Recipe("forest"), dataset)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 0}, "samples of an explanation is 0; expected a whole number of 1 or more"),
        ({"instances": 0}, "instances of an explanation is 0"),
        ({"noise": 0.0}, "noise of an explanation is 0.0; expected a number above 0"),
        ({"scale": "odds"}, "scale is 'odds'; expected 'auto', 'logit' or 'probability'"),
        ({"baseline": "median"}, "baseline is 'median'; expected 'mean', 'zero' or an array"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ExplainOptions(**options)


def test_the_explained_class_is_the_predicted_the_true_or_a_named_one(sets: dict) -> None:
    dataset, model = sets["table"], mlp(sets["table"], 0)
    expected = {
        "predicted": model(dataset.array).argmax(axis=1),
        "label": dataset.labels,
        "b": np.ones(len(dataset), int),
    }
    for target, codes in expected.items():
        options = ExplainOptions(target=target, instances=None)
        explanations = explain(population({"net": model}), dataset, "saliency", options)
        assert explanations.targets is not None
        np.testing.assert_array_equal(explanations.targets[0], codes)


def test_an_interrupted_explanation_is_resumed_and_a_finished_one_is_extended(sets: dict, tmp_path: Path) -> None:
    dataset, options = sets["image"], ExplainOptions(instances=6)
    models = {name: mlp(dataset, seed) for seed, name in enumerate("abc")}
    full = explain(population(models), dataset, "smoothgrad", options)
    events: list[str] = []

    def stop(done: int, total: int, event: str) -> None:
        events.append(event)
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        explain(population(models), dataset, "smoothgrad", options, folder=tmp_path / "x", progress=stop)
    assert len(list((tmp_path / "x" / "parts").glob("*.npz"))) >= 2
    counts: list[int] = []
    again = explain(
        population(models),
        dataset,
        "smoothgrad",
        options,
        folder=tmp_path / "x",
        progress=lambda d, *_: counts.append(d),
    )
    assert counts[0] >= 2
    np.testing.assert_array_equal(again.values, full.values)
    assert not (tmp_path / "x" / "parts").exists()
    models["d"] = mlp(dataset, 9)
    counts.clear()
    more = explain(
        population(models),
        dataset,
        "smoothgrad",
        options,
        folder=tmp_path / "x",
        progress=lambda d, *_: counts.append(d),
    )
    assert counts == [3, 4]
    np.testing.assert_array_equal(more.values[:3], full.values)
    np.testing.assert_array_equal(read_explanations(tmp_path / "x").values, more.values)


def test_a_changed_model_or_option_is_not_taken_from_the_folder(sets: dict, tmp_path: Path) -> None:
    dataset = sets["image"]
    for seed, target in ((0, "predicted"), (1, "predicted"), (1, "a")):
        models, options = population({"net": mlp(dataset, seed)}), ExplainOptions(instances=6, target=target)
        stored = explain(models, dataset, "saliency", options, folder=tmp_path / "x")
        np.testing.assert_array_equal(stored.values, explain(models, dataset, "saliency", options).values)
        assert json.loads((tmp_path / "x" / "meta.json").read_text())["target"] == target


def test_noise_of_a_model_depends_on_its_name_and_the_seed_and_not_on_other_models(sets: dict) -> None:
    dataset, net = sets["image"], mlp(sets["image"], 0)
    options = ExplainOptions(instances=5, samples=3)
    both = explain(population({"a": net, "b": net}), dataset, "smoothgrad", options)
    assert np.abs(both.values[0] - both.values[1]).max() > 0
    alone = explain(population({"b": net}), dataset, "smoothgrad", options)
    np.testing.assert_array_equal(alone.values[0], both.values[1])
    other = explain(population({"b": net}), dataset, "smoothgrad", replace(options, seed=1))
    assert other.values.shape == alone.values.shape


def test_instances_are_drawn_by_the_seed_and_baselines_come_from_the_background(sets: dict) -> None:
    dataset, models = sets["table"], population({"net": mlp(sets["table"], 0)})
    few = explain(models, dataset, "gradient-input", ExplainOptions(instances=5))
    assert len(set(few.instances.index)) == 5
    again = explain(models, dataset, "gradient-input", ExplainOptions(instances=5))
    assert list(few.instances.index) == list(again.instances.index)
    zero = ExplainOptions(instances=5, baseline="zero")
    background = dataset.with_inputs(np.zeros_like(dataset.array))
    moved = explain(models, dataset, "gradient-input", ExplainOptions(instances=5), background=background)
    np.testing.assert_allclose(moved.values, explain(models, dataset, "gradient-input", zero).values, atol=1e-6)
    with pytest.raises(InputError, match=r"a background of modality 'image' and shape \(6, 5\); expected that of the"):
        explain(models, dataset, "saliency", background=sets["image"])


def test_what_is_claimed_in_the_table_of_methods_holds() -> None:
    for method in METHODS.values():
        assert method.summary
        assert method.samples == 0 or method.samples >= method.fewest
        assert method.scales


def test_a_population_of_other_classes_is_refused(sets: dict) -> None:
    with pytest.raises(InputError, match="the dataset has the classes a, b, c; expected those of the population: x, y"):
        explain(Population({"any": certain}, ("x", "y")), sets["table"], "occlusion")
