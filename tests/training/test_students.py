"""Do narrower nets learn from a teacher, and does what was learned come back by the student's own recipe?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyculture.compression import CompressionContext, compressed, read_level
from polyculture.compression.one_model import distil_into_one, mean_of
from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.models.fitted import Fitted
from polyculture.models.fitted_net import FittedNet
from polyculture.recipe import Recipe
from polyculture.training import ARCHITECTURES
from polyculture.training.architectures import Net
from polyculture.training.students import fit_student, student_recipe

NETS = [name for name, architecture in ARCHITECTURES.items() if isinstance(architecture, Net)]


def recipe_of(name: str, objective: str = "cross-entropy", **hyperparameters: Any) -> Recipe:
    return Recipe(name, objective=objective, optimizer="adam", hyperparameters={"epochs": 1} | hyperparameters)


def certain(column: int) -> Any:
    """A teacher that always predicts the same class, or number."""
    return lambda inputs: np.tile(np.eye(3, dtype=np.float32)[column], (len(inputs), 1))


@pytest.mark.parametrize("name", NETS)
def test_every_net_has_a_narrower_student_that_comes_back_by_its_recipe(
    sets: dict[str, Dataset], name: str, tmp_path: Path
) -> None:
    dataset = sets["tags" if name == "crf" else "image"].take(np.arange(40))
    recipe = recipe_of(name)
    if name == "crf":
        assert student_recipe(recipe, 0.5).hyperparameters["width"] == 16
        with pytest.raises(InputError) as caught:
            fit_student(recipe, dataset, 0.5, certain(0), 0)
        assert str(caught.value) == (
            "a teacher for 'crf', which learns whole sequences; expected a net that learns one token at a time; "
            "use 'lstm'."
        )
        return
    student, net = fit_student(recipe, dataset, 0.5, certain(0), 0)
    assert student.hyperparameters["width"] < ARCHITECTURES[name].settable(recipe)["width"]
    original = ARCHITECTURES[name].fit(recipe, dataset)
    assert net.parameters < (0.95 if name == "mobilenet" else 0.6) * original.parameters
    assert len(net.curve) == 1
    assert net.cost.flops > 0
    net.save(tmp_path)
    again = ARCHITECTURES[name].load(replace(student, compression="distil-self=0.5"), dataset, tmp_path)
    np.testing.assert_array_equal(again(dataset.array), net(dataset.array))


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("name", NETS)
def test_widths_stay_possible(name: str, share: float, sets: dict[str, Dataset]) -> None:
    from polyculture.models.encoder import Encoder

    dataset = sets["tags" if name == "crf" else "image"]
    student = student_recipe(recipe_of(name), share)
    architecture = ARCHITECTURES[name]
    assert isinstance(architecture, Net)
    architecture.check(student)
    net = architecture.module(student, Encoder.of(dataset), dataset)
    assert sum(p.numel() for p in net.parameters()) > 0


def test_widths_are_multiples_of_the_heads() -> None:
    assert student_recipe(recipe_of("transformer", heads=3, width=33), 0.5).hyperparameters["width"] == 18
    assert student_recipe(recipe_of("vit"), 0.95).hyperparameters["width"] == 4
    assert student_recipe(recipe_of("autoencoder"), 0.5).hyperparameters == {"epochs": 1, "width": 32, "code": 8}
    assert student_recipe(recipe_of("mlp", width=10), 0.0) == recipe_of("mlp", width=10)


@pytest.mark.parametrize(
    ("recipe", "share", "message"),
    [
        (
            Recipe("forest"),
            0.5,
            "'forest' as a student; expected a net, such as 'mlp': estimators learn from labels.",
        ),
        (
            Recipe("hf:prajjwal1/bert-tiny"),
            0.5,
            "'hf:prajjwal1/bert-tiny' as a student; expected a net that is trained from scratch, such as 'lstm'.",
        ),
        (recipe_of("mlp", width=1), 0.5, "'mlp' of width 1; expected a width of which a share can be taken away."),
        (
            recipe_of("transformer", width=4),
            0.5,
            "'transformer' of width 4; expected a width of which a share can be taken away.",
        ),
    ],
)
def test_what_has_no_student_is_refused_in_one_sentence(recipe: Recipe, share: float, message: str) -> None:
    with pytest.raises(InputError) as caught:
        student_recipe(recipe, share)
    assert str(caught.value) == message


def test_students_answer_as_their_teacher_more_than_without(sets: dict[str, Dataset]) -> None:
    dataset = sets["table"]
    recipe = recipe_of("mlp", epochs=20)
    taught = fit_student(recipe, dataset, 0.5, certain(2), 0)[1]
    honest = fit_student(recipe, dataset, 0.5, lambda inputs: np.eye(3)[dataset.labels], 0)[1]
    assert taught(dataset.array)[:, 2].mean() > honest(dataset.array)[:, 2].mean() + 0.15
    assert (honest(dataset.array).argmax(axis=1) == dataset.labels).mean() > 0.75


def test_numbers_are_learnt_half_from_the_labels_and_half_from_the_teacher(sets: dict[str, Dataset]) -> None:
    dataset = sets["numbers"]
    recipe = recipe_of("mlp", "huber", epochs=200, learning_rate=0.01, dropout=0.0)
    net = fit_student(recipe, dataset, 0.5, lambda inputs: np.full((len(inputs), 1), 14.0), 0)[1]
    expected = (dataset.labels + 14.0) / 2
    assert np.abs(net(dataset.array)[:, 0] - expected).mean() < 0.5


@pytest.mark.parametrize(
    ("modality", "name"), [("text", "lstm"), ("tags", "gru"), ("audio", "lenet"), ("series", "rnn")]
)
def test_modalities(sets: dict[str, Dataset], modality: str, name: str, tmp_path: Path) -> None:
    dataset = sets[modality]
    recipe = recipe_of(name)
    teacher = ARCHITECTURES["forest"].fit(Recipe("forest", hyperparameters={"trees": 10}), dataset)
    student, net = fit_student(recipe, dataset, 0.5, teacher, 0)
    net.save(tmp_path)
    again = ARCHITECTURES[name].load(student, dataset, tmp_path)
    np.testing.assert_array_equal(again(dataset.array), net(dataset.array))


def test_the_recipe_keeps_its_augmentation_and_pretraining(sets: dict[str, Dataset]) -> None:
    dataset = sets["image"]
    recipe = replace(recipe_of("mlp"), pretraining="autoencoder", data="noise")
    calls: list[int] = []

    def teacher(inputs: np.ndarray) -> np.ndarray:
        calls.append(len(inputs))
        return np.full((len(inputs), 3), 1 / 3)

    student, net = fit_student(recipe, dataset, 0.5, teacher, 0)
    assert (student.pretraining, student.data) == ("autoencoder", "noise")
    assert len(calls) == 2  # the training set, and its view in the only epoch
    assert net.cost.epochs > 1


def test_the_seed_decides(sets: dict[str, Dataset]) -> None:
    dataset = sets["table"]
    first, again, other = (fit_student(recipe_of("mlp"), dataset, 0.5, certain(0), seed)[1] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first(dataset.array), again(dataset.array))
    assert (first(dataset.array) != other(dataset.array)).any()


def fitting(dataset: Dataset, recipe: Recipe, teachers: dict[str, Any]) -> CompressionContext:
    def student(share: float, teacher: Any) -> Fitted:
        return fit_student(recipe, dataset, share, teacher, 0)[1]

    return CompressionContext(dataset, 0, teachers, None, student)


def test_the_methods_ask_their_own_teachers(sets: dict[str, Dataset]) -> None:
    dataset, recipe = sets["table"], recipe_of("mlp", epochs=20)
    model = ARCHITECTURES["mlp"].fit(recipe, dataset)
    context = fitting(dataset, recipe, {"ensemble": certain(1), "unlike": certain(2)})
    students = {m: compressed(model, f"distil-{m}=0.5", context) for m in ("self", "ensemble", "unlike")}
    means = {name: student(dataset.array).mean(axis=0) for name, student in students.items()}
    assert means["ensemble"].argmax() == 1
    assert means["unlike"].argmax() == 2
    assert all(student.parameters < 0.6 * model.parameters for student in students.values())
    assert all(compressed(model, f"distil-{m}=0", context) is model for m in students)


def test_methods_without_a_teacher_or_a_trainer_are_refused(sets: dict[str, Dataset]) -> None:
    dataset, recipe = sets["table"], recipe_of("mlp")
    model = ARCHITECTURES["mlp"].fit(recipe, dataset)
    messages = {}
    for method in ("distil-self", "distil-ensemble", "distil-unlike"):
        with pytest.raises(InputError) as caught:
            compressed(model, method, CompressionContext(dataset))
        messages[method] = str(caught.value)
    assert messages["distil-self"] == "distil-self of a model that cannot be trained here; expected a net of a run."
    assert messages["distil-unlike"] == (
        "distil-unlike of a model by itself; expected a set of two models or more; use distil-self."
    )
    forest = ARCHITECTURES["forest"].fit(Recipe("forest"), dataset)
    with pytest.raises(InputError) as caught:
        compressed(forest, "distil-self", fitting(dataset, recipe, {}))
    assert str(caught.value).startswith("the method 'distil-self' for a scikit-learn estimator; expected one of ")


def test_a_set_becomes_one_model(sets: dict[str, Dataset], tmp_path: Path) -> None:
    dataset = sets["table"]
    models = [ARCHITECTURES[name].fit(Recipe(name), dataset) for name in ("forest", "logistic")]
    teacher = mean_of(models)
    np.testing.assert_allclose(teacher(dataset.array), (models[0](dataset.array) + models[1](dataset.array)) / 2)
    recipe = recipe_of("mlp", epochs=20)
    stored, student = distil_into_one(recipe, dataset, teacher, fit_student, 0)
    assert stored == replace(recipe, compression="distil-ensemble=0")
    assert read_level(stored.compression)[0].strength == 0
    assert isinstance(student, FittedNet)
    student.save(tmp_path)
    again = ARCHITECTURES["mlp"].load(stored, dataset, tmp_path)
    np.testing.assert_array_equal(again(dataset.array), student(dataset.array))
    assert (student(dataset.array).argmax(axis=1) == teacher(dataset.array).argmax(axis=1)).mean() > 0.9
    with pytest.raises(InputError):
        distil_into_one(Recipe("forest"), dataset, teacher, fit_student, 0)
