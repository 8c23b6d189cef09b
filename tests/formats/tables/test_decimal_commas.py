"""Are numbers with a decimal comma, as a spreadsheet writes them, read as numbers where they can be nothing else?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from polyculture.errors import InputError
from polyculture.formats import align, read, read_values

ROWS = 24
TARGETS = [0.25 * k - 1.125 for k in range(ROWS)]
CURE = (
    "expected decimals after a point; give the dataframe of pandas.read_csv(path, sep=';', decimal=','), or say with "
    "the rule categorical (--categorical) that they are names."
)


def text(rows: list[list[object]], names: str, comma: bool = True) -> str:
    lines = [";".join(str(cell).replace(".", ",") if comma else str(cell) for cell in row) for row in rows]
    return "\n".join([names, *lines]) + "\n"


def numbers(comma: bool) -> str:
    return text([[k, y, y + 0.5, y - 0.25] for k, y in enumerate(TARGETS)], "id;target;a;b", comma)


@pytest.mark.parametrize("start", ["", "sep=;\n", "\ufeff"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_predicted_numbers_with_a_comma_are_those_with_a_point(start: str, quote: str, tmp_path: Path) -> None:
    comma, point = tmp_path / "comma.csv", tmp_path / "point.csv"
    header, _, rows = numbers(comma=True).partition("\n")
    cells = "\n".join(";".join(f"{quote}{c}{quote}" for c in row.split(";")) for row in rows.split())
    comma.write_text(f"{start}{header}\n{cells}\n", encoding="utf-8")
    point.write_text(numbers(comma=False))
    aligned = align(comma)
    np.testing.assert_array_equal(aligned.predictions.values, read(point).values)
    np.testing.assert_array_equal(aligned.predictions.targets, TARGETS)
    assert f"numbers of {comma} have a decimal comma, 0,5 is 0.5" in aligned.report.remarks
    np.testing.assert_array_equal(read_values(comma).values, read(point).values)


def test_graded_scores_with_a_comma_are_those_with_a_point(tmp_path: Path) -> None:
    scores = [[k, k % 5 / 4, k % 3 / 8] for k in range(ROWS)]
    long = [[k, model, row[1 + m]] for m, model in enumerate("ab") for k, row in enumerate(scores)]
    for name, table, options in (
        ("wide", text(scores, "id;a;b"), {"correct": True}),
        ("long", text(long, "id;model;correct"), {}),
    ):
        (tmp_path / f"{name}.csv").write_text(table)
        predictions = read(tmp_path / f"{name}.csv", **options)
        np.testing.assert_array_equal(predictions.values, [[row[1] for row in scores], [row[2] for row in scores]])


def test_numbers_of_several_files_have_their_points(tmp_path: Path) -> None:
    (tmp_path / "solution.csv").write_text(text([[k, y] for k, y in enumerate(TARGETS)], "id;y"))
    for model, shift in (("a", 0.5), ("b", -0.125)):
        (tmp_path / f"{model}.csv").write_text(text([[k, y + shift] for k, y in enumerate(TARGETS)], "id;y"))
    np.testing.assert_allclose(read(tmp_path).rmse, [0.5, 0.125])


def test_texts_among_numbers_stay_as_they_are(tmp_path: Path) -> None:
    rows = [[k, y, y + 0.5, y, "1,5" if k else "none"] for k, y in enumerate(TARGETS)]
    (tmp_path / "t.csv").write_text(text(rows, "id;target;a;b;note"))
    notes = read(tmp_path / "t.csv", models=["a", "b"], groups="note").instances["note"].tolist()
    assert notes == ["none", *["1,5"] * (ROWS - 1)]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (text([[k, f"{k % 3},5", f"{k % 3},5", "1,5"] for k in range(9)], "id;label;a;b"), "labels of {} are numbers"),
        (text([[k, k % 3, f"{k % 3},5", "1,5"] for k in range(9)], "id;label;a;b"), "answers of {} are numbers"),
        (text([[k, f"1.23{k},50", "1.234,50", "2,75"] for k in range(9)], "id;label;a;b", False), "labels of {} are"),
        (
            text([[m, k, f"{k % 3},5", f"{k % 3},5"] for m in "ab" for k in range(9)], "model;id;answer;label"),
            "labels of {} are numbers",
        ),
        (
            text([[m, k, f"{k % 3},5", f"n{k % 3}"] for m in "ab" for k in range(9)], "model;id;answer;label"),
            "answers of {} are numbers",
        ),
    ],
)
def test_numbers_that_may_be_lists_are_refused_with_the_cure(table: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(table)
    with pytest.raises(InputError) as caught:
        read(path)
    assert words.format(path) in str(caught.value)
    assert CURE in str(caught.value)
