"""Do designs cross the axes as they say, and is it said in advance what they cannot tell?"""

from __future__ import annotations

from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyculture.errors import InputError
from polyculture.measures.attribution.covariance_split import by_level, inflation
from polyculture.recipe import (
    Recipe,
    describe,
    design,
    draw,
    fraction,
    grid,
    one_at_a_time,
    optimal,
    replicate,
    spread,
)
from polyculture.recipe.arrays import orthogonal_array, strength
from polyculture.recipe.designs import FIXED_SIZE, FREE_SIZE

AXES: dict[str, list[Any]] = {
    "architecture": ["mlp", "lenet", "forest", "knn"],
    "data": ["all", "half-a", "half-b"],
    "optimizer": ["sgd", "adam"],
    "hyperparameters": [{}, {"width": 8}],
    "seed": [0, 1],
}


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(2, 5), min_size=2, max_size=5), st.integers(3, 5))
def test_orthogonal_arrays_cross_as_many_axes_as_their_resolution_says(counts: list[int], resolution: int) -> None:
    table = orthogonal_array(counts, resolution)
    assert table is not None
    assert strength(table) >= min(resolution - 1, len(counts))
    for column, count in zip(table.T, counts, strict=True):
        assert set(column) == set(range(count))


@pytest.mark.parametrize(
    ("counts", "resolution", "runs"),
    [([2] * 7, 3, 8), ([2] * 7, 4, 16), ([2] * 5, 5, 16), ([3] * 4, 3, 9), ([4] * 5, 3, 16), ([2, 4, 4], 3, 16)],
)
def test_known_arrays_have_their_known_size(counts: list[int], resolution: int, runs: int) -> None:
    table = orthogonal_array(counts, resolution)
    assert table is not None
    assert len(table) == runs


def test_more_than_seven_levels_have_no_array_here() -> None:
    assert orthogonal_array([8, 2]) is None
    with pytest.raises(InputError) as caught:
        fraction({"architecture": list("abcdefgh"), "data": ["x", "y"]})
    assert str(caught.value) == (
        "the axis 'architecture' has 8 levels; expected 7 levels at most; use the optimal design."
    )


def test_a_fraction_has_fewer_models_than_the_grid_and_stays_crossed() -> None:
    recipes = fraction(AXES)
    assert len(recipes) == 16 < len(grid(AXES)) == 96
    told = describe(recipes)
    assert told.resolution == 3
    assert "any two axes are crossed evenly" in told.sentence.lower()
    assert describe(fraction(AXES, 4)).resolution == 4


def test_a_fraction_that_would_save_nothing_is_the_grid() -> None:
    axes = {"architecture": ["a", "b"], "data": ["x", "y"]}
    assert fraction(axes) == grid(axes)
    assert fraction({"architecture": ["a"]}) == [Recipe("a")]
    with pytest.raises(InputError) as caught:
        fraction(axes, 2)
    assert str(caught.value) == "resolution 2; expected 3, 4 or 5."


def test_levels_that_coincide_get_seeds_of_their_own() -> None:
    axes = {"architecture": ["a", "b", "c"], "data": ["x", "y"], "optimizer": ["s", "t"], "objective": ["k", "l"]}
    recipes = fraction(axes)
    assert len(recipes) == 9
    assert len({r.id for r in recipes}) == 9


def test_one_at_a_time_departs_from_the_first_levels_once_each() -> None:
    recipes = one_at_a_time(AXES)
    assert len(recipes) == 1 + 3 + 2 + 1 + 1 + 1
    base = recipes[0]
    for recipe in recipes[1:]:
        assert sum(recipe.factors()[axis] != base.factors()[axis] for axis in base.factors()) == 1


def test_grids_know_single_hyperparameters_and_seeds() -> None:
    axes = {"architecture": ["mlp"], "hyperparameters.width": [8, 16], "hyperparameters.depth": [1, 2]}
    assert [dict(r.hyperparameters) for r in grid(axes)] == [
        {"depth": d, "width": w} for w, d in product([8, 16], [1, 2])
    ]
    assert [r.seed for r in grid({"architecture": ["a"]}, seeds=[3, 4])] == [3, 4]
    assert [r.seed for r in grid({"architecture": ["a"], "seed": [5, 6]})] == [5, 6]
    assert [r.seed for r in replicate([Recipe("a"), Recipe("b")], [1, 2])] == [1, 2, 1, 2]


def vif(recipes: list[Recipe]) -> float:
    """Largest variance inflation of the axes over pairs of models."""
    a, b = np.triu_indices(len(recipes), 1)
    columns = []
    for axis in ("architecture", "data", "optimizer", "hyperparameters", "seed"):
        codes = np.unique([str(r.factors()[axis]) for r in recipes], return_inverse=True)[1]
        columns.append(by_level(codes).alike[a, b])
    return float(inflation(np.column_stack(columns)).max())


def test_an_optimal_design_is_balanced_and_better_than_chance() -> None:
    recipes = optimal(AXES, 24)
    assert len({r.id for r in recipes}) == 24
    assert vif(recipes) < 1.1
    for axis, levels in AXES.items():
        values = [str(r.factors()[axis]) for r in recipes]
        assert {values.count(v) for v in set(values)} == {24 // len(levels)}
    assert optimal(AXES, 24) == recipes


def test_an_optimal_design_within_seconds_keeps_to_them_and_buys_cheap_models() -> None:
    cost = {"mlp": 1.0, "lenet": 8.0, "forest": 0.5, "knn": 0.2}
    recipes = optimal(AXES, 60.0, seconds=lambda r: cost[r.architecture])
    assert sum(cost[r.architecture] for r in recipes) <= 60
    bought = [r.architecture for r in recipes]
    assert bought.count("knn") > bought.count("lenet") >= 2


def test_of_very_many_combinations_an_optimal_design_looks_at_some() -> None:
    axes = AXES | {"objective": ["a", "b", "c"], "pretraining": ["n", "o", "p"], "hyperparameters": [{}, {"w": 1}]}
    axes["data"] = [str(i) for i in range(8)]
    recipes = optimal(axes, 14, seed=2)
    assert len(recipes) == 14
    assert recipes == optimal(axes, 14, seed=2)


@pytest.mark.parametrize("make", [draw, spread])
def test_drawn_designs_have_different_models_and_follow_their_seed(make: Any) -> None:
    recipes = make(AXES, 20, 1)
    assert len({r.id for r in recipes}) == 20
    assert recipes == make(AXES, 20, 1)
    for models in (1, 97):
        with pytest.raises(InputError) as caught:
            make(AXES, models)
        assert str(caught.value) == f"{models} models; expected 2 to 96, one per combination."


def test_a_space_filling_design_keeps_its_models_apart() -> None:
    axes = {"architecture": ["mlp"], "hyperparameters.width": list(range(11)), "hyperparameters.rate": list(range(11))}

    def nearest(recipes: list[Recipe]) -> float:
        points = [np.array(list(r.hyperparameters.values()), float) for r in recipes]
        return min(float(np.abs(p - q).sum()) for p, q in combinations(points, 2))

    assert nearest(spread(axes, 5)) >= 10
    assert nearest(spread(axes, 5)) > nearest(draw(axes, 5))


@pytest.mark.parametrize(
    ("axes", "line"),
    [
        ({"architectur": ["a"]}, "no axis 'architectur'; did you mean 'architecture'?"),
        ({"architecture": []}, "the axis 'architecture' has no levels; expected one level or more."),
        ({"architecture": ["a", "a"]}, "the axis 'architecture' has the level 'a' twice; expected different levels."),
        ({"data": ["a"]}, "a design without the axis 'architecture'; expected one architecture or more."),
    ],
)
def test_axes_are_checked_at_the_gate(axes: dict[str, list[str]], line: str) -> None:
    with pytest.raises(InputError) as caught:
        grid(axes)
    assert str(caught.value) == line


def test_designs_are_known_by_name() -> None:
    assert {kind: len(design(kind, AXES)) for kind in FIXED_SIZE} == {"full": 96, "fractional": 16, "one-at-a-time": 9}
    assert {kind: len(design(kind, AXES, 18)) for kind in FREE_SIZE} == dict.fromkeys(FREE_SIZE, 18)
    for arguments, line in (
        (("optimum", AXES), "no design 'optimum'; did you mean 'optimal'?"),
        (("full", AXES, 50), "the full design takes 96 models; expected 50 at most; try optimal."),
        (("random", AXES), "the random design without a number of models; expected how many models it may have."),
    ):
        with pytest.raises(InputError) as caught:
            design(*arguments)
        assert str(caught.value) == line


def test_budgets_that_cannot_be_are_refused() -> None:
    for arguments, line in (
        ({"budget": 97}, "97 models; expected 96 at most, one per combination."),
        ({"budget": 1}, "a budget of 1 models; expected room for two models."),
        ({"budget": 1.5, "seconds": lambda r: 1.0}, "a budget of 1.5 seconds; expected room for two models."),
        ({"budget": 9.0, "seconds": lambda r: 0.0}, "a recipe is predicted to take 0 seconds; expected more than 0."),
    ):
        with pytest.raises(InputError) as caught:
            optimal(AXES, **arguments)
        assert str(caught.value) == line


def test_a_full_design_with_replicates_can_tell_every_axis() -> None:
    axes = {"architecture": ["a", "b", "c", "d"], "data": ["x", "y"], "optimizer": ["s", "t"]}
    told = describe(grid(axes, seeds=[0, 1]))
    table = told.frame().set_index("axis")
    assert list(table.index) == ["architecture", "data", "optimizer", "seed"]
    assert (table["tested_by"] == "permutation").all()
    assert table["vif"].max() < 1.1
    assert told.replicates == 32
    assert told.resolution == 5
    assert told.cannot == ()
    assert "32 models have a replicate that differs in its seed only." in told.sentence
    assert told.fixed == ("objective", "hyperparameters", "pretraining")
    assert "Nothing can be estimated about objective, hyperparameters, pretraining, which do not vary." in told.sentence


def test_axes_that_can_only_be_tested_by_the_jackknife_are_named() -> None:
    told = describe(fraction(AXES))
    assert "Only the conservative jackknife can test architecture, optimizer, hyperparameters, seed" in told.sentence


def test_aliases_are_told_before_any_training() -> None:
    recipes = [
        Recipe(architecture=a, optimizer=f"{a}-own", data=d, seed=s) for a, d, s in product("abcd", ["x", "y"], [0, 1])
    ]
    table = describe(recipes).frame().set_index("axis")
    assert list(table.index) == ["architecture = optimizer", "data", "seed"]
    assert "split the models in the same way" in table.loc["architecture = optimizer", "note"]
    nearly = [*recipes[:-1], Recipe("d", optimizer="a-own", data="y", seed=1)]
    told = describe(nearly)
    refused = told.frame().set_index("axis")
    assert refused.loc["optimizer", "tested_by"] == ""
    assert refused.loc["optimizer", "note"].startswith("cannot be told apart from architecture (")
    assert refused.loc["optimizer", "note"].endswith("add a model with architecture a and another level of optimizer")
    assert len(told.cannot) == 2
    assert "optimizer: cannot be told apart from architecture" in told.sentence


def test_too_few_models_are_told_so() -> None:
    told = describe(one_at_a_time(AXES))
    assert told.sentence == "9 models: too few to attribute anything; 12 are needed."
    assert (told.frame()["tested_by"] == "").all()
    same = describe([Recipe("a"), Recipe("a", seed=0)])
    assert same.frame().empty
    assert same.fixed[0] == "architecture"
    with pytest.raises(InputError) as caught:
        describe([Recipe("a")])
    assert str(caught.value) == "1 recipes; expected two or more."


def test_uneven_designs_are_called_so() -> None:
    told = describe(draw(AXES, 20))
    assert told.resolution == 2
    assert "Axes are not crossed evenly" in told.sentence
    assert strength(np.zeros((4, 2), dtype=np.int64)) == 1
