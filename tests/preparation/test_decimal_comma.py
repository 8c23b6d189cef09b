"""Are numbers with commas read as numbers, or refused by name?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyculture.errors import InputError
from polyculture.preparation.problems.readers.decimal_comma import decimal_number, without_commas
from polyculture.training import DataOptions, load_problem

NUMBERS = np.random.default_rng(0).normal(scale=2000, size=(160, 2))


def converted(separator: str, **columns: list[str]) -> dict[str, list[str]]:
    table = pd.DataFrame(columns, dtype=object)
    return {str(name): list(column) for name, column in without_commas(table, Path("t.csv"), separator).items()}


@pytest.mark.parametrize("digits", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("separator", [";", "\t"])
@pytest.mark.parametrize("header", [True, False])
def test_a_table_with_decimal_commas_is_the_table_with_points(
    tmp_path: Path, digits: int, separator: str, header: bool
) -> None:
    table = pd.DataFrame(NUMBERS.round(digits), columns=["a", "b"]).assign(label=np.arange(160) % 2)
    table["b"] /= 8000
    comma, point = tmp_path / "comma" / "t.csv", tmp_path / "point" / "t.csv"  # the name is part of the seed
    for path in (comma, point):
        path.parent.mkdir()
    table.to_csv(comma, index=False, sep=separator, decimal=",", header=header)
    table.to_csv(point, index=False, header=header)
    arrays = [load_problem([path], 0, DataOptions(shifts=())).split.train.array for path in (comma, point)]
    assert arrays[0].shape[1] == 2
    np.testing.assert_array_equal(*arrays)


def test_a_label_with_decimal_commas_is_a_number_to_predict(tmp_path: Path) -> None:
    rows = [f"{k % 7};{k},5" for k in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["a;y", *rows]))
    assert load_problem([tmp_path / "t.csv"], 0, DataOptions(shifts=())).task == "regression"


def test_the_rest_of_the_file_says_what_a_comma_marks() -> None:
    assert converted(";", a=["1,234", "5,678"]) == {"a": ["1.234", "5.678"]}
    assert converted("\t", a=["1,234", "7"], b=["0,5", "-,25e-3"]) == {"a": ["1.234", "7"], "b": ["0.5", "-.25e-3"]}
    assert converted(",", a=["1,234", "7"], b=["1,234.5", "2.5"]) == {"a": ["1234", "7"], "b": ["1234.5", "2.5"]}
    assert converted(";", a=["1.234,5", "1 234,5", "1\u202f234", "17"]) == {"a": ["1234.5", "1234.5", "1234", "17"]}


def test_words_with_commas_stay_words() -> None:
    words = {"a": ["1,2", "red"], "b": ["1,2,3", "1,2"], "c": ["Paris, France", "Lyon"]}
    assert converted(";", **words) == words


def test_two_ways_of_writing_numbers_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        converted(";", a=["1,5", "2.5"])
    assert str(caught.value) == (
        "column 'a' of t.csv holds both '1,5' and '2.5'; expected numbers with a decimal point, or with a decimal "
        "comma in the whole column; write '1,5' with a point."
    )


def test_a_comma_that_could_be_either_is_refused_unless_the_column_is_ignored() -> None:
    table = pd.DataFrame({"a": ["1,234", "5,678"]})
    with pytest.raises(InputError) as caught:
        without_commas(table, Path("t.csv"), ",")
    assert str(caught.value) == (
        "column 'a' of t.csv holds '1,234', whose comma may stand before decimals or between thousands; expected "
        "numbers with a decimal point, without separators of thousands; write 1.234 or 1234."
    )
    assert without_commas(table, Path("t.csv"), ",", ["a"]).equals(table)


@given(st.floats(-1e6, 1e6).map(lambda x: round(x, 4)))
def test_a_number_is_itself_with_a_comma(number: float) -> None:
    assert decimal_number(f"{number:.4f}".replace(".", ",")) == number


def test_a_text_of_any_length_is_read(tmp_path: Path) -> None:
    texts = [f"number {k} is {'good' if k % 2 else 'bad'}, and more" for k in range(100)]
    texts[0] = 'a "word", ' * 30000
    for name, separator in (("t.csv", ","), ("t.tsv", "\t"), ("s.csv", ";")):
        path = tmp_path / name
        pd.DataFrame({"text": texts, "label": ["pn"[k % 2] for k in range(100)]}).to_csv(
            path, index=False, sep=separator
        )
        problem = load_problem([path], 0, DataOptions(shifts=()))
        assert (problem.modality, problem.split.train.classes) == ("text", ("n", "p"))
        parts = (problem.split.train, problem.split.selection, problem.split.test)
        assert texts[0].strip() in {str(text).strip() for part in parts for text in part.array}
