"""Do cells that are split all at once say the same as those that the parser of pyarrow gives, whatever they hold?"""

from __future__ import annotations

import csv
import io
import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyculture.errors import InputError
from polyculture.formats import ReadingRules, align
from polyculture.formats.tables import delimited, growing_column, plain_cells
from polyculture.formats.tables.files import open_table
from polyculture.formats.tables.plain_cells import CommonTexts, plain_columns, texts_of_keys
from polyculture.rng import stream

WORDS = [
    *(
        "",
        "NA",
        "nan",
        "NULL",
        "0",
        "1",
        "01",
        "1.0",
        "-0",
        "+1",
        "1,5",
        "0.25",
        "True",
        "false",
        " cat",
        "cat ",
        "cat",
    ),
    *(
        "dog",
        "ä",
        "日本",
        "🦜🦜",
        'say "x"',
        "a;b",
        "a,b",
        "two\nlines",
        "'",
        "#",
        "exactly8",
        "exactly9!",
        "exactly8x",
    ),
    *("a contradiction", "a contradictioN", "x" * 16, "x" * 17, "x" * 32, "x" * 33, "y" * 80),
]
CELLS = st.sampled_from(WORDS) | st.integers(-3, 12).map(str) | st.text(max_size=12).filter(lambda t: "\0" not in t)


@st.composite
def files(draw):
    width, rows = draw(st.integers(2, 5)), draw(st.integers(1, 30))
    pool = draw(st.lists(CELLS, min_size=1, max_size=6))
    cell = draw(st.sampled_from([st.sampled_from(pool), CELLS]))
    table = draw(st.lists(st.lists(cell, min_size=width, max_size=width), min_size=rows, max_size=rows))
    file = io.StringIO()
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    separator = draw(st.sampled_from(",;\t|"))
    writer = csv.writer(file, delimiter=separator, quoting=quoting, lineterminator=end)
    writer.writerow(["label", *(f"m{i}" for i in range(1, width))])
    writer.writerows(table)
    text = file.getvalue().encode("utf-8", "replace")
    if draw(st.booleans()):
        text = text.removesuffix(end.encode())
    for damage in draw(st.lists(st.sampled_from([b"\n", b'"', b"x", b",", b"\r"]), max_size=2)):
        place = draw(st.integers(text.index(b"\n") + 1, len(text)))
        text = text[:place] + damage + text[place:]
    return (b"\xef\xbb\xbf" if draw(st.booleans()) else b"") + text


def outcome(path):
    """What the columns hold, or the error; and what they are read as."""
    try:
        table = open_table(path)
        columns = table.load(table.names)
        cells = [
            (name, column.to_pylist(), sorted(table.gaps(name).items()), table.codes(name)[1])
            for name, column in columns.items()
        ]
    except InputError as error:
        cells = str(error)
    try:
        aligned = align(path, rules=ReadingRules(skip_bad=True))
        read = (aligned.predictions, aligned.report.skipped.to_numpy().tolist(), aligned.report.remarks)
    except InputError as error:
        read = str(error)
    return cells, read


def same(one, other):
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    fields = ("answers", "labels", "correct", "values", "targets")
    arrays = [(getattr(one[0], name), getattr(other[0], name)) for name in fields]
    equal = all((a is None and b is None) or np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in arrays)
    tables = one[0].instances.equals(other[0].instances) and one[0].models.equals(other[0].models)
    return equal and tables and one[0].classes == other[0].classes and one[1:] == other[1:]


@settings(max_examples=40, deadline=None)
@given(text=files(), block=st.sampled_from([64, 256, 1 << 21]), many=st.sampled_from([2, 1 << 16]))
def test_both_ways_of_reading_say_the_same(text, block, many, tmp_path_factory):
    path = tmp_path_factory.mktemp("roads") / "t.csv"
    path.write_bytes(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(growing_column, "MANY", many)
        patch.setattr(growing_column, "_MANY_AT_ONCE", many)
        patch.setattr(delimited, "plain_columns", lambda *_: None)
        careful = outcome(path)
        patch.undo()
        patch.setattr(growing_column, "MANY", many)
        patch.setattr(growing_column, "_MANY_AT_ONCE", many)
        patch.setattr(delimited, "BLOCK", block)
        fast = outcome(path)
    if "MiB" in str((fast, careful)):  # a cell of many lines that is longer than the block
        return
    assert fast[0] == careful[0]
    assert same(fast[1], careful[1])


def decoded(columns, common):
    return [
        column.to_pylist()
        if not isinstance(column, np.ndarray)
        else texts_of_keys(pa.array(column)).to_pylist()
        if column.dtype == np.uint64
        else [common.texts[code] for code in column]
        for column in columns
    ]


def test_ids_that_are_numbers_become_texts_where_longer_ones_or_empty_cells_follow(tmp_path):
    rows = 400_000
    ids = [f"i{k}" for k in range(rows)]
    ids[300_000], ids[390_000] = "NA", ""
    ids[350_000] = "an id of many letters"
    text = "item,label,a,b\n" + "".join(f"{name},{k % 3},{k % 3},{k % 2}\n" for k, name in enumerate(ids))
    (tmp_path / "t.csv").write_text(text)
    column = open_table(tmp_path / "t.csv").load(["item"])["item"].cast(pa.string())
    assert column.to_pylist() == [name if name not in ("NA", "") else None for name in ids]
    again = open_table(tmp_path / "t.csv", keep_na=True).load(["item"])["item"].cast(pa.string())
    assert again.to_pylist() == [name or None for name in ids]


def test_ids_that_come_back_in_a_long_table_are_stored_once(tmp_path):
    lines = [f"m{m},i{k},{k % 3},{(k + m) % 3}\n" for m in range(6) for k in range(70_000)]
    (tmp_path / "t.csv").write_text("model,item,label,answer\n" + "".join(lines))
    predictions = align(tmp_path / "t.csv").predictions
    assert predictions.shape == (6, 70_000)
    assert predictions.instances.index.tolist() == [f"i{k}" for k in range(70_000)]
    wrong = [[(k + m) % 3 != k % 3 for k in range(70_000)] for m in range(6)]
    np.testing.assert_array_equal(predictions.wrong, wrong)


@pytest.mark.parametrize("quoted", [False, True])
def test_cells_of_any_size_are_told_apart(quoted):
    words = [f"{'w' * size}{last}" for size in range(45) for last in "ab"]
    common = CommonTexts()
    common.codes(words[:40])
    rows = list(zip(words, reversed(words), words[:1] * len(words), strict=True))
    mark = '"' if quoted else ""
    block = "".join(",".join(f"{mark}{cell}{mark}" for cell in row) + "\n" for row in rows).encode()
    columns = plain_columns(block, ",", 3, [2, 0, 1], common)
    assert decoded(columns, common) == [[row[k] for row in rows] for k in (2, 0, 1)]


def test_texts_whose_slots_are_taken_are_still_common():
    words = ["".join(letters) for letters in itertools.product("abcdefgh", repeat=4)]
    common = CommonTexts()
    common.codes(words)
    block = "".join(f"{word},{word}\n" for word in words).encode()
    columns = plain_columns(block, ",", 2, [0, 1], common)
    assert decoded(columns, common) == [words, words]
    assert sum((table.keys != plain_cells._FREE).sum() for table in common.slots) >= len(words) - 8


@pytest.mark.parametrize(
    "block",
    [b"a,b\n\n", b"a\n", b"a,b,c\n", b'"a,b\n', b'a",b\n', b'"a""b",c\n', b'"a,b",c\n', b'",","x"\n', b'"a" ,b\n'],
)
def test_blocks_that_are_not_plain_are_left_to_pyarrow(block):
    assert plain_columns(b"a,b\n" + block, ",", 2, [0, 1], CommonTexts()) is None


def test_ten_thousand_columns_are_read(tmp_path):
    names = [f"m{i}" for i in range(10_000)]
    rows = "".join(f"q{i},{i % 3}," + ",".join([str(i % 3)] * 9_999) + ",2\n" for i in range(6))
    (tmp_path / "t.csv").write_text("id,label," + ",".join(names) + "\n" + rows)
    predictions = align(tmp_path / "t.csv").predictions
    assert predictions.shape == (10_000, 6)
    assert predictions.answers[-1].tolist() == [2] * 6
    assert (predictions.answers[:-1] == predictions.labels).all()


@settings(max_examples=60, deadline=None)
@given(data=st.data(), many=st.sampled_from([4, 32, 1 << 16]))
def test_ids_in_any_order_are_those_of_the_file(data, many, tmp_path_factory):
    ids = [f"i{k}" for k in range(data.draw(st.integers(300, 400)))]
    shuffled = [ids[k] for k in stream(0, "ids").permutation(len(ids))]
    others = ["NA", "", "an id of many letters", "i0", "new"]
    part = st.tuples(st.sampled_from([ids, shuffled, others]), st.integers(0, 300), st.integers(1, 400))
    parts = data.draw(st.lists(part, min_size=1, max_size=8))
    cells = [*ids, *(cell for texts, start, size in parts for cell in texts[start % len(texts) :][:size])]
    path = tmp_path_factory.mktemp("order") / "t.csv"
    path.write_text("item,label\n" + "".join(f"{cell},x\n" for cell in cells))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(growing_column, "MANY", many)
        patch.setattr(delimited, "BLOCK", 1 << 13)
        table = open_table(path)
        column = table.load(["item"])["item"].cast(pa.string())
    assert column.to_pylist() == [None if cell in ("NA", "") else cell for cell in cells]
    assert table.gaps("item") == ({"NA": cells.count("NA")} if "NA" in cells else {})


@given(st.lists(st.text("ab", min_size=1, max_size=8), max_size=12))
def test_short_texts_in_order_are_distinct(texts):
    def are_increasing(cells):
        return growing_column._are_increasing(
            np.array([int.from_bytes(c.encode(), "little") for c in cells], np.uint64)
        )

    in_order = sorted(set(texts), key=lambda text: (len(text), text))
    assert are_increasing(in_order)
    assert len(set(texts)) == len(texts) or not are_increasing(texts)
