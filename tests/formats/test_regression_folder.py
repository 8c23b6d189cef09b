"""Predicted numbers go to disk and come back; tables of others are read, and what they lack is said in one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from polyculture.errors import FileError, InputError
from polyculture.formats import (
    align,
    read,
    read_value_sets,
    read_values,
    values_folder,
    write,
    write_values,
)
from polyculture.predictions import Predictions, PredictionSets


def made(n: int = 4, start: int = 0) -> Predictions:
    draw = np.random.default_rng(start)
    ids = pd.Index(["ridge-1", "knn-2"], name="model", dtype=object)
    return Predictions(
        pd.DataFrame({"family": ["ridge", "knn"], "seconds": [0.5, 2.0]}, index=ids),
        pd.DataFrame({"block": np.arange(start, start + n) // 2}, index=range(start, start + n)),
        values=draw.normal(size=(2, n)),
        targets=draw.normal(size=n),
    )


def same(one: Predictions, other: Predictions) -> bool:
    return (
        np.array_equal(one.values, other.values)
        and np.array_equal(one.targets, other.targets)
        and one.instances.equals(other.instances.rename_axis(one.instances.index.name))
        and one.models.equals(other.models)
    )


def test_every_test_set_comes_back_as_it_went_with_its_name(tmp_path: Path) -> None:
    shifted = {"noise@2": made(start=8), "file=a/b": made(start=8), "test": made(start=12)}
    sets = PredictionSets(made(), made(start=4), shifted, "block", ("site",))
    assert write_values(sets, tmp_path / "values") == tmp_path / "values"
    back = read_value_sets(tmp_path / "values")
    assert same(back.test, sets.test)
    assert back.selection is not None
    assert same(back.selection, made(start=4))
    assert set(back.shifted) == set(shifted)
    assert all(same(there, shifted[name]) for name, there in back.shifted.items())
    assert (back.cluster, back.groups) == ("block", ("site",))


def test_a_newer_folder_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    write_values(PredictionSets(made(), made(start=4), {"noise@2": made()}), tmp_path / "values")
    write_values(PredictionSets(made(start=8)), tmp_path / "values")
    back = read_value_sets(tmp_path / "values")
    assert same(back.test, made(start=8))
    assert (back.selection, back.shifted) == (None, {})


def test_the_folder_is_found_in_what_run_left_and_by_itself(tmp_path: Path) -> None:
    write_values(PredictionSets(made()), tmp_path / "values")
    assert values_folder(tmp_path) == values_folder(tmp_path / "values") == tmp_path / "values"
    assert values_folder(tmp_path / "models") is None


def test_some_of_the_models_are_read_by_pattern(tmp_path: Path) -> None:
    write_values(PredictionSets(made()), tmp_path / "values")
    back = read_value_sets(tmp_path / "values", ["knn*"]).test
    assert back.model_ids == ["knn-2"]
    assert list(back.instances.columns) == ["block"]
    assert back.models["seconds"].tolist() == [2.0]


def test_what_is_there_of_others_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(FileError, match=r"holds other files; expected a new folder, or values to replace\.$"):
        write_values(PredictionSets(made()), tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_two_columns_of_one_name_are_not_written(tmp_path: Path) -> None:
    for name in ("target", "instance", "block"):
        named = replace(made(), models=pd.DataFrame(index=["ridge-1", name]))
        with pytest.raises(
            InputError, match=rf"^two columns called '{name}'; expected a name of its own for every model and column\.$"
        ):
            write_values(PredictionSets(named), tmp_path / "values")


def test_a_damaged_folder_says_what_cannot_be_read(tmp_path: Path) -> None:
    folder = write_values(PredictionSets(made()), tmp_path / "values")
    test = pd.read_csv(folder / "test.csv")
    test.drop(columns="knn-2").to_csv(folder / "test.csv", index=False)
    with pytest.raises(
        InputError, match=r"test.csv has no column 'knn-2'; expected a column of true numbers and one of"
    ):
        read_value_sets(folder)
    (folder / "columns.json").write_text("[]")
    with pytest.raises(
        FileError, match=r"columns.json cannot be read; expected the file that run writes; run it again\.$"
    ):
        read_value_sets(folder)


def test_a_table_of_others_is_read_by_the_usual_names(tmp_path: Path) -> None:
    table = pd.DataFrame({"id": ["a", "b"], "y": [1, 2], "site": ["x", "y"], "m1": [1.5, np.nan], "m2": [1, 3]})
    for suffix, store in (("csv", table.to_csv), ("parquet", table.to_parquet)):
        path = tmp_path / f"t.{suffix}"
        store(path, index=False)
        found = read_values(path, groups=["site"])
        assert found.model_ids == ["m1", "m2"]
        assert found.targets.tolist() == [1.0, 2.0]
        assert np.array_equal(found.values, [[1.5, np.nan], [1.0, 3.0]], equal_nan=True)
        assert found.instances["site"].to_dict() == {"a": "x", "b": "y"}


def test_factors_of_the_models_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("target,m1,m2\n1,2,3\n2,3,4\n")
    (tmp_path / "f.csv").write_text("model,price\nm2,7\nm1,5\n")
    found = read_values(tmp_path / "t.csv", factors=tmp_path / "f.csv")
    assert found.models["price"].tolist() == [5, 7]
    assert found.instances.index.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,m1\n1,2\n", "has no label column"),
        ("target,m1\n1,high\n", r"column 'm1' of .*t.csv holds 'high'; expected numbers; choose the columns of models"),
        ("id,target\n1,1\n", r"t.csv has no column of a model; expected a column of numbers for every model\.$"),
        ("id,target,m1\n7,1,1\n7,2,2\n", r"t.csv has the instance 7 more than once; expected one row per instance\.$"),
        ("id,target,m1\n7,,1\n8,2,2\n", r"^a target that is not a finite number; expected a true value for every"),
        (
            "id,model,answer,target\n7,a,1,1\n",
            r"t.csv has a row per answer; expected a row per instance and a column per",
        ),
        ("id,target,m1\n7,1,1\n8,2\n", r"line 3 of .*t.csv has 2 cells but the header has 3; .*; mend the line\.$"),
    ],
)
def test_what_a_table_lacks_is_said(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=says):
        read_values(tmp_path / "t.csv")


FRACTIONS = "id,target,site,m1,m2\na,1.5,x,1.0,2.25\nb,2.0,y,,2.0\nc,7,x,6,8.5\n"


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_of_fractions_is_recognised_as_regression(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "t.csv").write_text(FRACTIONS)
    pd.read_csv(tmp_path / "t.csv").to_parquet(tmp_path / "t.parquet")
    (tmp_path / "f.csv").write_text("model,price\nm2,7\nm1,5\n")
    aligned = align(tmp_path / f"t.{suffix}", groups="site", models=["m1", "m2"], factors=tmp_path / "f.csv")
    predictions = aligned.predictions
    assert predictions.task == "regression"
    assert np.array_equal(predictions.values, [[1.0, np.nan, 6.0], [2.25, 2.0, 8.5]], equal_nan=True)
    assert predictions.targets.tolist() == [1.5, 2.0, 7.0]
    assert predictions.instances["site"].to_dict() == {"a": "x", "b": "y", "c": "x"}
    assert predictions.models["price"].tolist() == [5, 7]
    assert aligned.report.models["missing"].tolist() == [1, 0]
    assert aligned.report.n_matched == 2


def test_a_column_that_is_no_model_is_named_in_a_table_of_fractions(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(FRACTIONS)
    with pytest.raises(InputError, match=r"^column 'site' of .*t.csv holds 'x'; expected numbers; choose the columns"):
        read(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("target,m1,m2\n1,0.5,0.25\n0,0.125,1\n", "model column 'm1' holds fractions such as 0.5; expected answers: "),
        ("target,m1,m2\n1.5,1,1\n0.5,0,1\n", "the label column holds fractions such as 1.5; expected answers: "),
    ],
)
def test_fractions_on_one_side_are_scores_and_no_answers(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=says):
        read(tmp_path / "t.csv")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("values", "shift", "task"),
    [(21, 0.5, "regression"), (20, 0.5, ""), (21, 0.0, "classification")],
)
def test_many_whole_targets_with_fractional_predictions_are_regression(
    tmp_path: Path, suffix: str, values: int, shift: float, task: str
) -> None:
    target = np.arange(60) % values
    table = pd.DataFrame({"target": target, "m1": target + shift, "m2": target - shift})
    table.to_csv(tmp_path / "t.csv", index=False)
    table.to_parquet(tmp_path / "t.parquet")
    if task:
        assert read(tmp_path / f"t.{suffix}").task == task
    else:
        with pytest.raises(InputError, match=r"^model column 'm1' holds fractions"):
            read(tmp_path / f"t.{suffix}")


@pytest.mark.parametrize("m2", [np.arange(30), np.linspace(0.01, 0.99, 30)], ids=["whole", "shares"])
def test_one_column_of_scores_among_classes_is_no_regression(tmp_path: Path, m2: np.ndarray) -> None:
    scores = np.linspace(0.01, 0.99, 30) * (1 if m2.dtype.kind == "f" else 9)
    pd.DataFrame({"target": np.arange(30), "m1": scores, "m2": m2}).to_csv(tmp_path / "t.csv")
    with pytest.raises(InputError, match=r"^model column 'm1' holds fractions"):
        read(tmp_path / "t.csv")


def test_whole_numbers_are_classes(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("target,m1,m2\n1,1,1\n2,0,1\n")
    assert read(tmp_path / "t.csv").task == "classification"


def test_what_run_left_for_regression_is_read_as_it_is(tmp_path: Path) -> None:
    write_values(PredictionSets(made(), made(start=4)), tmp_path / "left" / "values")
    assert same(read(tmp_path / "left"), made())
    assert same(read(tmp_path / "left" / "values", groups="block"), made())
    assert read(tmp_path / "left", models="knn*").model_ids == ["knn-2"]
    with pytest.raises(InputError, match=r"^label is given but .*values is a Predictions folder; expected its own"):
        read(tmp_path / "left", label="target")
    (tmp_path / "t.csv").write_text(FRACTIONS)
    with pytest.raises(InputError, match="is a Predictions folder of numbers among other sources"):
        read([tmp_path / "left", tmp_path / "t.csv"])


def test_predictions_of_numbers_are_written_as_such_a_folder(tmp_path: Path) -> None:
    write(made(), tmp_path / "p")
    assert same(read(tmp_path / "p"), made())
