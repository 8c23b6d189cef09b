"""Does a CSV file of any size say the same when it is read block by block, and name every line that is broken?"""

from __future__ import annotations

import gzip
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from polyculture.errors import InputError
from polyculture.formats import ReadingRules, align, read
from polyculture.formats.tables import delimited, growing_column
from polyculture.formats.text_lines import CUT_OFF

CURE = "; mend the line, or leave such lines out with skip_bad=True (--skip-bad)."


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(delimited, "BLOCK", 256)
    monkeypatch.setattr(growing_column, "MANY", 8)


def wide(n=400):
    draw = np.random.default_rng(0)
    words = np.array(["cat", "dog", "a,b", 'say "x"', "two\nlines", "", "7", "ü"])
    columns = {"id": [f"q{i}" for i in range(n)], "label": words[draw.integers(0, 5, n)]}
    return pd.DataFrame(columns | {m: words[draw.integers(0, 8, n)] for m in "abc"})


def long(n=100):
    table = wide(n).melt(["id", "label"], var_name="model", value_name="answer")
    return table.sample(frac=1, random_state=0)


def same(one, other):
    assert one.classes == other.classes
    for name in ("answers", "labels", "correct"):
        a, b = getattr(one, name), getattr(other, name)
        assert (a is None and b is None) or a.tolist() == b.tolist()
    assert one.instances.index.tolist() == other.instances.index.tolist()
    assert one.model_ids == other.model_ids


@pytest.mark.parametrize("table", [wide(), long()], ids=["wide", "long"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_file_of_many_blocks_says_the_same_as_one_block(table, end, tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    table.to_csv(path, index=False, lineterminator=end)
    once = read(path)
    monkeypatch.setattr(delimited, "BLOCK", 256)
    monkeypatch.setattr(growing_column, "MANY", 8)
    assert path.stat().st_size > 20 * delimited.BLOCK
    same(read(path), once)
    packed = tmp_path / "p.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    same(read(packed), once)


def test_numbers_stay_numbers_and_names_names_over_blocks(tmp_path, small_blocks):
    path = tmp_path / "t.csv"
    path.write_text("id,label,a,b\n" + "".join(f"{i},{i % 2},{i % 2},007\n" for i in range(200)))
    predictions = read(path, models=["a", "b"])
    assert predictions.instances.index.tolist() == list(range(200))
    assert set(predictions.classes) == {"0", "1", "007"}


def write(folder, rows, name="t.csv"):
    path = folder / name
    path.write_bytes(rows if isinstance(rows, bytes) else rows.encode())
    return path


def refused(path, **options):
    with pytest.raises(InputError) as caught:
        read(path, **options)
    return str(caught.value)


def skipped(path, **options):
    aligned = align(path, rules=ReadingRules(skip_bad=True), **options)
    rows = aligned.report.skipped.to_numpy().tolist()
    assert aligned.report.n_skipped == len(rows)
    return aligned.predictions, rows


ROWS = "".join(f"q{i},1,1,0\n" for i in range(100))
HEAD = "id,label,a,b\n"


def test_ragged_row_far_into_the_file_names_its_line(tmp_path, small_blocks):
    path = write(tmp_path, HEAD + ROWS + "\n" + 'x,1,"two\nlines",1\nragged,1\n' + "last,1,1,1\n")
    said = "has 2 cells but the header has 4"
    expected = "the same number of cells in every row; cells that contain the separator in quotes"
    assert refused(path) == f"line 105 of {path} {said}; expected {expected}{CURE}"
    predictions, rows = skipped(path)
    assert rows == [[f"line 105 of {path}", said]]
    assert predictions.instances.index[-1] == "last"


@pytest.mark.parametrize("half", ["z,1", 'z,1,1,"half', "z"])
def test_half_written_last_line_is_named_and_can_be_left_out(half, tmp_path, small_blocks):
    path = write(tmp_path, HEAD + ROWS + half)
    assert refused(path) == f"line 102 of {path} {CUT_OFF}{CURE}"
    predictions, rows = skipped(path)
    assert rows == [[f"line 102 of {path}", CUT_OFF]]
    assert predictions.shape == (2, 100)


def test_whole_last_line_of_several_needs_no_newline(tmp_path, small_blocks):
    path = write(tmp_path, HEAD + ROWS + 'z,1,1,"two\nlines"')
    assert read(path).shape == (2, 101)


def test_quotation_mark_that_is_never_closed_is_told(tmp_path, small_blocks):
    path = write(tmp_path, HEAD + 'z,1,1,"open\n' + ROWS)
    assert refused(path) == (
        f"{path} has a row of more than 0.000244141 MiB; expected one row per instance; "
        "close the quotation mark that is left open."
    )


def test_quotation_mark_that_is_never_closed_is_told_below_a_line_that_is_skipped(tmp_path, small_blocks):
    path = write(tmp_path, HEAD + "y,1\n" + 'z,1,1,"open\n' + ROWS)
    with pytest.raises(InputError, match="close the quotation mark that is left open"):
        align(path, rules=ReadingRules(skip_bad=True))


@pytest.mark.parametrize(("cell", "byte"), [(b"f\xfcr", "0xfc"), (b"\0\0", "0x00")])
def test_line_that_is_not_text_is_named_and_can_be_left_out(cell, byte, tmp_path, small_blocks):
    path = write(tmp_path, (HEAD + ROWS).encode() + b"y,1," + cell + b",1\nz,1,1,x\n")
    assert refused(path).startswith(
        f"{path} is not UTF-8 text (line 102 has the byte {byte}); expected text in UTF-8; "
    )
    predictions, rows = skipped(path)
    assert rows == [[f"line 102 of {path}", f"is not UTF-8 text: it has the byte {byte}"]]
    assert predictions.shape == (2, 101)


def test_corrupt_answer_cell_names_its_line_and_is_left_out_alone(tmp_path, small_blocks):
    path = write(tmp_path, HEAD + ROWS + "y,1,0.37,1\n")
    assert refused(path) == (
        f"line 102 of {path} holds '0.37' in the column 'a'; expected answers: integers, strings or booleans, "
        f"or the rule numeric (--normalize numeric){CURE}"
    )
    predictions, rows = skipped(path)
    assert rows == [[f"line 102 of {path}", "holds '0.37' in the column 'a'"]]
    assert predictions.observed[:, -1].tolist() == [False, True]


def test_corrupt_outcome_in_a_wide_table_names_its_line(tmp_path, small_blocks):
    path = write(tmp_path, "id,a,b\n" + "".join(f"q{i},1,0\n" for i in range(99)) + "y,1,0.9x\nz,1,1\n")
    assert refused(path, correct=True) == (
        f"line 101 of {path} holds '0.9x' in the column 'b'; expected right or wrong as true/false or 1/0{CURE}"
    )
    predictions, rows = skipped(path, correct=True)
    assert rows == [[f"line 101 of {path}", "holds '0.9x' in the column 'b'"]]
    assert predictions.correct[:, -2:].tolist() == [[1, 1], [-1, 1]]


LONG = "".join(f"{m},q{i},1\n" for i in range(60) for m in "ab")


def test_corrupt_outcome_in_a_long_table_names_its_line(tmp_path, small_blocks):
    path = write(tmp_path, "model,id,correct\n" + "broken\n" + LONG + "a,y,#REF!\nb,y,0\n")
    _, rows = skipped(path)
    assert rows == [
        [f"line 2 of {path}", "has 1 cell but the header has 3"],
        [f"line 123 of {path}", "holds '#REF!' in the column 'correct'"],
    ]


def test_corrupt_outcome_in_json_lines_and_dataframes_names_its_place(tmp_path):
    frame = pd.DataFrame([row.split(",") for row in LONG.splitlines()], columns=["model", "id", "correct"])
    frame.loc[3, "correct"] = "?"
    path = tmp_path / "t.jsonl"
    frame.to_json(path, orient="records", lines=True)
    assert refused(path).startswith(f"line 4 of {path} holds '?' in the column 'correct'; ")
    assert refused(frame).startswith("row 4 of the dataframe holds '?' in the column 'correct'; ")
    assert skipped(frame)[0].observed.sum() == 119


def test_more_bad_cells_than_are_shown_are_counted(tmp_path):
    rows = "".join(f"q{i},1,{'0.5' if i % 4 == 0 else 1},1\n" for i in range(1000))
    report = align(write(tmp_path, HEAD + rows), rules=ReadingRules(skip_bad=True)).report
    assert (report.n_skipped, len(report.skipped)) == (250, 100)


def test_file_in_which_every_row_is_bad_has_none(tmp_path):
    path = write(tmp_path, HEAD + "x,1\ny,1\n")
    with pytest.raises(InputError) as caught:
        align(path, rules=ReadingRules(skip_bad=True))
    assert str(caught.value) == f"{path} has no row that can be read; expected one row per instance."


def test_several_tables_with_corrupt_cells_are_lined_up_without_them(tmp_path):
    one = write(tmp_path, "id,label,answer\n" + "".join(f"q{i},1,1\n" for i in range(9)) + "y,1,0.5\n", "one.csv")
    two = write(tmp_path, "id,label,answer\n" + "".join(f"q{i},1,0\n" for i in range(9)) + "y,1,0\n", "two.csv")
    aligned = align([str(one), str(two)], rules=replace(ReadingRules(), skip_bad=True))
    assert aligned.report.n_skipped == 1
    assert aligned.predictions.observed.sum() == 19
