"""Are models called by what sets their recipes apart, each by a name of its own?"""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyculture.recipe import AXES, Recipe, readable_names


def names(*recipes: Recipe) -> list[str]:
    by_id = readable_names(recipes)
    return [by_id[recipe.id] for recipe in recipes]


def test_a_name_is_the_architecture_and_what_differs() -> None:
    five = {"neighbours": 5}
    recipes = [
        Recipe("knn", data="half-a", hyperparameters=five, seed=3),
        Recipe("knn", data="half-a", hyperparameters=five, seed=4),
        Recipe("knn", data="half-a", hyperparameters={"neighbours": 9, "weights": "distance"}),
        Recipe("mlp", optimizer="sgd"),
        Recipe("mlp", optimizer="adam", pretraining="denoising"),
    ]
    assert names(*recipes) == [
        "knn k=5 · half-a · seed 3",
        "knn k=5 · half-a · seed 4",
        "knn k=9 weights=distance · half-a",
        "mlp · sgd",
        "mlp · adam · denoising",
    ]


def test_what_all_have_and_the_usual_levels_are_left_out() -> None:
    halves = [Recipe("knn", data="half-a", hyperparameters={"neighbours": 5}), Recipe("mlp", data="half-a")]
    assert names(*halves) == ["knn", "mlp"]
    assert names(Recipe("knn"), Recipe("knn", data="half-a")) == ["knn", "knn · half-a"]
    one_optimizer = [Recipe("knn"), Recipe("mlp", optimizer="adam"), Recipe("lenet", optimizer="adam")]
    assert names(*one_optimizer) == ["knn", "mlp", "lenet"]
    assert names(Recipe("x"), Recipe("x", optimizer="adam")) == ["x", "x · adam"]


def test_a_seed_is_named_only_where_nothing_else_differs() -> None:
    recipes = [Recipe("knn", seed=2), Recipe("mlp", seed=0), Recipe("mlp", seed=1)]
    assert names(*recipes) == ["knn", "mlp · seed 0", "mlp · seed 1"]


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ((0.1234567, 0.5), ("C=0.123", "C=0.5")),
        ((0.1234567, 0.1234568), ("C=0.1234567", "C=0.1234568")),
        ((1e-6, 20), ("C=1e-06", "C=20")),
        ((True, 1), ("C=true", "C=1")),
    ],
)
def test_numbers_have_three_digits_unless_that_makes_them_equal(
    values: tuple[object, object], texts: tuple[str, str]
) -> None:
    recipes = [Recipe("svm", hyperparameters={"C": value}) for value in values]
    assert names(*recipes) == [f"svm {text}" for text in texts]


def test_a_name_is_one_line_and_never_that_of_a_column() -> None:
    recipes = [Recipe("knn", hyperparameters={"weights": "a\n\x1b[31m  b"}), Recipe("knn"), Recipe("mlp")]
    by_id = readable_names(recipes, reserved={"mlp"})
    assert by_id[recipes[0].id] == "knn weights=a \\x1b[31m b"
    assert by_id[recipes[2].id] == f"mlp · {recipes[2].id[-8:]}"
    assert names(Recipe("knn", data=" "), Recipe("knn", data="half-a")) == ["knn", "knn · half-a"]
    outcome = [Recipe("knn", hyperparameters={"weights": "b:correct"}), Recipe("knn")]
    assert names(*outcome)[0] == f"knn weights=b:correct · {outcome[0].id[-8:]}"


LEVELS = st.sampled_from(["all", "half-a", "own", "a · b", "seed 1", "cross-entropy", " ", "x=1"])
RECIPES = st.builds(
    Recipe,
    architecture=st.sampled_from(["knn", "mlp", "knn k=1", "knn · half-a"]),
    data=LEVELS,
    objective=LEVELS,
    optimizer=LEVELS,
    pretraining=LEVELS,
    hyperparameters=st.dictionaries(
        st.sampled_from(["k", "neighbours", "C"]),
        st.one_of(st.booleans(), st.integers(0, 2), st.floats(0, 1), st.text(max_size=3)),
        max_size=2,
    ),
    seed=st.integers(0, 2),
)


@given(st.lists(RECIPES, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_names_are_unique_and_do_not_depend_on_the_order(recipes: list[Recipe], dice: random.Random) -> None:
    by_id = readable_names(recipes)
    assert by_id.keys() == {recipe.id for recipe in recipes}
    assert len(set(by_id.values())) == len(by_id)
    shuffled = list(recipes)
    dice.shuffle(shuffled)
    assert readable_names(shuffled) == by_id
    assert len(AXES) == 6, "a new axis needs a place in the names"
