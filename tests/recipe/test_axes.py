"""Is a recipe the same thing in Python, in its id, in JSON and in TOML?"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jaxtyping
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyculture.errors import FileError, InputError
from polyculture.recipe import AXES, Recipe, grid, read_recipes, write_recipes


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As users run it: annotations are not checked, so wrong types reach the gate."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


names = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)
values = st.one_of(st.booleans(), st.integers(-(2**40), 2**40), st.floats(allow_nan=False, allow_infinity=False), names)
recipes = st.builds(
    Recipe,
    architecture=names,
    data=names,
    optimizer=names,
    hyperparameters=st.dictionaries(names, values, max_size=3),
    seed=st.integers(0, 2**40),
)


@given(st.lists(recipes, min_size=1, max_size=3))
def test_recipes_survive_toml_and_json(tmp_path_factory: pytest.TempPathFactory, several: list[Recipe]) -> None:
    path = tmp_path_factory.mktemp("recipes") / "design.toml"
    write_recipes(several, path)
    for before, after in zip(several, read_recipes(path), strict=True):
        assert after == before
        assert after.id == before.id
        assert Recipe.from_dict(json.loads(json.dumps(before.to_dict()))) == before


def test_the_id_is_the_architecture_and_a_hash_that_never_changes() -> None:
    assert Recipe("lenet", optimizer="adam", hyperparameters={"width": 8}, seed=3).id == "lenet-cbe20a2e"


def test_an_id_can_be_the_name_of_a_folder() -> None:
    assert re.fullmatch(r"hf-somebody-tiny-bert-v1\.0-[0-9a-f]{8}", Recipe("hf:somebody/tiny-bert@v1.0").id)
    deep = Recipe("hf:/" + "/".join("abcdefgh" for _ in range(40)) + "/.model").id
    assert "/" not in deep
    assert len(deep) <= 57


def test_any_difference_gives_another_id() -> None:
    base = Recipe("mlp", optimizer="sgd")
    others = [
        Recipe("knn", optimizer="sgd"),
        Recipe("mlp", optimizer="adam"),
        Recipe("mlp", optimizer="sgd", data="half-a"),
        Recipe("mlp", optimizer="sgd", objective="focal"),
        Recipe("mlp", optimizer="sgd", pretraining="imagenet"),
        Recipe("mlp", optimizer="sgd", hyperparameters={"width": 8}),
        Recipe("mlp", optimizer="sgd", seed=1),
    ]
    assert len({recipe.id for recipe in [base, *others]}) == len({base, *others}) == 8


def test_neither_order_nor_kind_of_number_makes_another_recipe() -> None:
    one = Recipe("mlp", hyperparameters={"width": 8, "dropout": 0.25})
    two = Recipe("mlp", hyperparameters={"dropout": np.float64(0.25), "width": 8.0})
    assert one == two
    assert one.id == two.id
    assert hash(one) == hash(two)
    assert list(two.hyperparameters) == ["dropout", "width"]


def test_factors_are_the_axes_as_text_and_the_seed() -> None:
    row = Recipe("svm", hyperparameters={"kernel": "linear", "C": 2}, seed=5).factors()
    assert list(row) == [*AXES, "seed"]
    assert row["hyperparameters"] == "C=2, kernel=linear"
    assert row["seed"] == 5
    assert Recipe("svm").factors()["hyperparameters"] == "default"


def test_a_grid_has_every_combination_once_per_seed() -> None:
    made = grid({"architecture": ["mlp", "lenet"], "data": ["all", "half-a", "half-b"]}, seeds=(0, 1))
    assert len(made) == len({recipe.id for recipe in made}) == 12
    assert {(r.architecture, r.data, r.seed) for r in made} >= {("mlp", "all", 0), ("lenet", "half-b", 1)}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"architecture": ""}, "architecture is ''; expected a name."),
        ({"architecture": "mlp", "data": 3}, "data is 3; expected a name."),
        ({"architecture": "mlp", "seed": -1}, "seed is -1; expected a whole number, 0 or more."),
        ({"architecture": "mlp", "seed": True}, "seed is True; expected a whole number, 0 or more."),
        ({"architecture": "mlp", "seed": 1.5}, "seed is 1.5; expected a whole number, 0 or more."),
        ({"architecture": "mlp", "hyperparameters": 3}, "hyperparameters are 3; expected names with values."),
        (
            {"architecture": "mlp", "hyperparameters": {"width": [1]}},
            "hyperparameter 'width' is [1]; expected a finite number, a text or true/false.",
        ),
        (
            {"architecture": "mlp", "hyperparameters": {"dropout": float("nan")}},
            "hyperparameter 'dropout' is nan; expected a finite number, a text or true/false.",
        ),
        (
            {"data": "all"},
            f"a recipe without an architecture; expected keys among {', '.join(AXES)}, seed, compression.",
        ),
        ({"architecure": "mlp"}, "a recipe has no 'architecure'; did you mean 'architecture'?"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(unchecked: None, values: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as caught:
        Recipe.from_dict(values)
    assert str(caught.value).removesuffix(".") == says.removesuffix(".")


def test_a_compression_changes_id_and_factors_and_none_does_not() -> None:
    plain, small = Recipe("mlp", seed=3), Recipe("mlp", seed=3, compression="int8")
    assert "compression" not in plain.to_dict() | plain.factors()
    assert (small.to_dict()["compression"], small.factors()["compression"]) == ("int8", "int8")
    assert plain.id != small.id
    assert Recipe.from_dict(small.to_dict()) == small


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError) as caught:
        read_recipes(tmp_path / "none.toml")
    assert str(caught.value) == (
        f"cannot read {tmp_path / 'none.toml'}: No such file or directory; expected a TOML file with [[recipe]] tables."
    )


def test_a_file_that_is_not_toml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "design.toml"
    path.write_text("recipe = [")
    with pytest.raises(FileError) as caught:
        read_recipes(path)
    assert str(caught.value).startswith(f"{path} is not TOML: ")
    assert str(caught.value).endswith("; expected a file with [[recipe]] tables.")


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "design.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(FileError) as caught:
        read_recipes(path)
    assert str(caught.value) == f"cannot read {path}: not UTF-8 text; expected a TOML file with [[recipe]] tables."


@pytest.mark.parametrize("text", ["", "recipe = 3", "recipe = [1]", "[recipe]\narchitecture = 'mlp'"])
def test_a_file_without_recipes_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "design.toml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_recipes(path)
    assert str(caught.value) == f"{path} holds no recipe; expected at least one [[recipe]] table."


def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "nowhere").write_text("a file", encoding="utf-8")
    with pytest.raises(FileError) as caught:
        write_recipes([Recipe("mlp")], tmp_path / "nowhere" / "design.toml")
    assert str(caught.value) == (
        f"cannot write {tmp_path / 'nowhere' / 'design.toml'}: File exists; expected a file that can be written."
    )
