"""Records of text files: every byte is in one record, whatever the file looks like."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyculture.errors import FileError, InputError
from polyculture.studies.cleaning.records import (
    changed_cells,
    changed_texts,
    table_records,
    text_records,
    with_records,
)

QUOTED = b'name,note,y\r\nann,"a, b",1\r\nbob,"two\nlines, and ""more""",0\r\n\r\ncy,5" pipe,1\r\n'


def file(folder: Path, content: bytes, name: str = "t.csv") -> Path:
    (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return folder / name


def test_quoted_cells_over_several_lines_are_one_record(tmp_path):
    records = table_records(file(tmp_path, QUOTED), 4)
    assert b"".join(records.contents) == QUOTED
    assert records.header == ("name", "note", "y")
    assert records.lines.tolist() == [1, 2, 3, 5, 6]
    assert records.rows.tolist() == [1, 2, 3, 4]  # the empty line is a row of gaps, as pandas reads it
    assert with_records(records, {2: None}) == QUOTED.replace(b'bob,"two\nlines, and ""more""",0\r\n', b"")


def test_a_file_with_more_records_than_rows_is_refused(tmp_path):
    with pytest.raises(InputError) as error:
        table_records(file(tmp_path, b"a,b\n1,2\n3,4\n"), 1)
    assert "t.csv has 2 records but 1 rows were read; expected a line for each row" in str(error.value)


def test_a_gzipped_file_and_blank_lines_at_the_end(tmp_path):
    content = b"1,2,3\n4,5,6\n\n\n"
    records = table_records(file(tmp_path, content, "t.csv.gz"), 2)
    assert records.zipped
    assert records.rows.tolist() == [0, 1]
    assert b"".join(records.contents) == content


def test_a_file_that_is_no_gzip_is_refused(tmp_path):
    (tmp_path / "t.csv.gz").write_bytes(b"no gzip")
    with pytest.raises(FileError):
        text_records(tmp_path / "t.csv.gz")


def test_lines_of_text_are_records_and_blank_ones_no_rows(tmp_path):
    content = b"spam\tcall now\n\nham\tat h\xf6me\r\nham\tbye"
    records = text_records(file(tmp_path, content, "t.txt"))
    assert records.rows.tolist() == [0, 2, 3]
    assert with_records(records, dict.fromkeys([0, 3])) == b"\nham\tat h\xf6me\r\n"
    changed = changed_texts(records, ["call now", "at höme", "bye"], ["call now", "at [place]", "bye"])
    assert b"".join(changed.contents) == content.replace(b"h\xf6me", b"[place]")


def test_cells_that_change_are_written_anew_and_no_others(tmp_path):
    records = table_records(file(tmp_path, QUOTED), 4)
    before = pd.DataFrame(
        {"name": ["ann", "bob", np.nan, "cy"], "note": ["a, b", "x", np.nan, '5" pipe'], "y": ["1", "0", np.nan, "1"]}
    )
    after = before.assign(name=["A", "bob", np.nan, "cy"])
    assert b"".join(changed_cells(records, before, after).contents) == QUOTED.replace(b"ann", b"A")


def test_a_dropped_column_is_taken_out_of_every_record(tmp_path):
    records = table_records(file(tmp_path, b"a;b;c\n1;2;3\n4;5;6\n"), 2)
    before = pd.DataFrame({"a": ["1", "4"], "b": ["2", "5"], "c": ["3", "6"]})
    changed = changed_cells(records, before, before.drop(columns="b"))
    assert b"".join(changed.contents) == b"a;c\n1;3\n4;6\n"
    assert changed.header == ("a", "c")


@given(
    cells=st.lists(
        st.tuples(st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=8), st.integers(0, 9)),
        min_size=2,
        max_size=8,
    ),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_every_written_table_comes_apart_and_together(tmp_path_factory, cells, end):
    path = tmp_path_factory.mktemp("t") / "t.csv"
    table = pd.DataFrame({"text": [text for text, _ in cells], "y": [y for _, y in cells]})
    content = table.to_csv(index=False, lineterminator=end, quoting=2).encode()
    path.write_bytes(content)
    records = table_records(path, len(table))
    assert b"".join(records.contents) == content
    assert len(records.contents) == len(table) + 1
