"""Is every file that cannot be used refused in one line that says why, and what to do?"""

from __future__ import annotations

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from polyculture.errors import FileError, InputError, PolycultureError
from polyculture.formats import read

KINDS = ".csv, .csv.gz, .tsv, .parquet, .jsonl, .arrow or .feather"
ROWS = "if a row is one answer, name its columns with model, answer and instance (--model, --answer, --instance)"
NUMBERS = "numbers that are answers need the rule numeric (--normalize numeric), versions categorical (--categorical)"
NAMES = "label, labels, target, truth, ground_truth, gold, y_true, y, true, reference, references"


def refusal(content: str | bytes, folder, name="t.csv", **options):
    """The full text of the error, with the folder's name taken out."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return refused(path, folder, **options)


def refused(path, folder, **options):
    with pytest.raises(PolycultureError) as caught:
        read(path, **options)
    text = str(caught.value)
    assert "\n" not in text
    return text.replace(f"{folder}/", "")


def test_no_such_file(tmp_path):
    text = refused(tmp_path / "answers.csv", tmp_path)
    assert text == (f"no such file: answers.csv; expected {KINDS}, or a Predictions folder; check the path.")


def test_no_such_file_names_one_that_looks_alike(tmp_path):
    (tmp_path / "answers.csv").touch()
    text = refused(tmp_path / "answer.csv", tmp_path)
    assert text.endswith("; did you mean 'answers.csv'?")


def test_a_file_below_a_file_cannot_be_read(tmp_path):
    (tmp_path / "a.csv").touch()
    with pytest.raises(FileError) as caught:
        read(tmp_path / "a.csv" / "b.csv")
    assert str(caught.value).replace(f"{tmp_path}/", "") == "cannot read a.csv/b.csv: Not a directory."


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        (
            "t.doc",
            "{}",
            f"t.doc is not a table that can be read; expected a file that ends in {KINDS}; export it as CSV.",
        ),
        (
            "t.json",
            "{}",
            "t.json is JSON of an unknown kind; expected a log of Inspect or promptfoo, or a table: a list of records, "
            "columns with data, or lists by column; export it as CSV.",
        ),
        (
            "t.json",
            "{",
            "t.json is not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1); "
            "expected a complete JSON file; copy or write it again.",
        ),
        ("t.csv", "", "t.csv is empty; expected a table with a header and one row per instance."),
        ("t.csv", "\n \n", "t.csv is empty; expected a table with a header and one row per instance."),
        ("t.csv", "label,a,b\n", "t.csv has a header but no rows; expected one row per instance."),
        (
            "t.csv",
            "Dear all,".replace(",", "") + "\nhow are you\n",
            "t.csv is not a table: its first line 'Dear all' names a single column; "
            "expected a header with two or more names between commas, semicolons or tabs.",
        ),
        (
            "t.csv",
            b"\x7fELF\0\1\2\3" * 9,
            f"t.csv holds binary data, not a table; expected {KINDS}, text in UTF-8.",
        ),
        (
            "t.csv",
            "instance,label,a,b\n0,ja,ja,ja\n1,für,ja,ja\n".encode("latin1"),
            "t.csv is not UTF-8 text (line 3 has the byte 0xfc); expected text in UTF-8; "
            "convert it: iconv -f latin1 -t utf-8 t.csv.",
        ),
        (
            "t.csv",
            "instance,label,a,b\n0,1,1,1\n1,1,1\n",
            "line 3 of t.csv has 3 cells but the header has 4; "
            "expected the same number of cells in every row; cells that contain the separator in quotes; "
            "mend the line, or leave such lines out with skip_bad=True (--skip-bad).",
        ),
        (
            "t.csv",
            "instance,label,a,a\n0,1,1,1\n",
            "t.csv has 2 columns called 'a'; expected a name of its own for every column; rename one of them.",
        ),
        (
            "t.csv",
            "instance,a,b\n0,cat,dog\n",
            f"t.csv has no label column (its columns: instance, a, b); expected one called {NAMES}; "
            "name the column of true answers with label (--label); " + ROWS + ".",
        ),
        (
            "t.csv",
            "instance,a,b\n0,1,0\n1,,1\n",
            f"t.csv has no label column (its columns: instance, a, b); expected one called {NAMES}; "
            "name the column of true answers with label (--label), "
            "or say with correct=True (--correct) that 1 means right and 0 wrong; " + ROWS + ".",
        ),
        (
            "t.csv",
            "instance,label,a,b\nx,1,1,1\nx,0,0,0\n",
            "1 instance id occurs more than once, such as 'x'; expected one row per instance; "
            "drop the repeated instances or give them ids of their own.",
        ),
        (
            "t.csv",
            "instance,label,a,b\n,1,1,1\n",
            "column 'instance' of t.csv is empty in 1 row, first in row 1; expected an id in every row.",
        ),
        (
            "t.csv",
            "instance,label,a,b\n0,1,0.25,1\n1,0,1.0,0\n",
            "model column 'a' holds fractions such as 0.25; expected answers: integers, strings or booleans; "
            "turn scores into answers first, or leave the column out; " + NUMBERS + ".",
        ),
        (
            "t.csv",
            "instance,label,a,b\n0,.5,1,1\n",
            "the label column holds fractions such as .5; expected answers: integers, strings or booleans; "
            "turn scores into answers first, or leave the column out; " + NUMBERS + ".",
        ),
        (
            "t.csv",
            "instance,label,a,b\n0,1,1,1\n7,,0,0\n",
            "the label is missing in 1 row, such as that of instance 7; expected a true answer for every instance; "
            "fill it in or drop those rows.",
        ),
        (
            "t.csv",
            "instance,label,a\n0,1,1\n",
            "1 model: 'a'; expected two models or more; similarity is measured between models.",
        ),
        (
            "t.csv",
            "instance,label\n0,1\n",
            "t.csv has no model column (its columns: instance, label); expected one column per model.",
        ),
        (
            "t.csv",
            "instance,label,a,b\n0,7,true,false\n",
            "the model columns hold only true and false but the labels are such as '7'; expected answers of the same "
            "kind as the labels; if true means right, say so with correct=True (--correct).",
        ),
        (
            "t.csv",
            "instance,label,question,a,b\n0,7,How many apples are there in the basket?,7,7\n",
            "column 'question' does not look like a model: its name says something else; "
            "expected a column of answers for every model; "
            "name the columns that are models with models (--models), or keep it with groups (--group); " + ROWS + ".",
        ),
        (
            "t.csv",
            "instance,label,task,a,b\n0,7,How many apples are there in the basket?,7,7\n",
            "column 'task' holds text such as 'How many apples are there in …' but the labels are whole numbers; "
            "expected answers of the same kind as the labels; "
            "name the columns that are models with models (--models).",
        ),
        (
            "t.csv",
            "instance,label,options,a,b\n0,1,four,1,1\n",
            "column 'options' holds 'four'; expected how many answers there are to choose from, in every row.",
        ),
    ],
)
def test_refusal(name, content, text, tmp_path):
    assert refusal(content, tmp_path, name) == text


def test_all_binary_cells_that_say_correct_must_be_binary(tmp_path):
    text = refusal("instance,a,b\n0,1,0\n1,1,2\n", tmp_path, correct=True)
    expected = "column 'b' holds '2'; expected right or wrong as true/false or 1/0; "
    assert text == expected + "name the columns that are models with models (--models)."


LONG = "instance,model,answer,label\nx,a,1,1\nx,b,1,1\ny,a,0,1\ny,b,1,1\n"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (
            LONG + "x,a,0,1\n",
            "t.csv has 2 rows for model 'a' and instance 'x'; expected one row per model and instance; "
            "drop the repeated rows, or name the column that tells runs apart with repeat (--repeat).",
        ),
        (
            LONG + "x,c,0,0\n",
            "column 'label' holds both 1 and 0 for instance 'x'; expected the same in all rows of an instance.",
        ),
        (
            "model,answer,label\na,1,1\nb,1,1\n",
            "t.csv has one row per answer but no column with the instance; "
            "expected one called instance, item or example; name it with instance (--instance).",
        ),
        (
            "instance,model,answer\nx,a,1\n",
            f"t.csv has no label column (its columns: instance, model, answer); expected one called {NAMES}; "
            "name the column of true answers with label (--label); " + ROWS + ".",
        ),
        (
            "instance,model,answer,label\nx,a,0.5,1\nx,b,1,1\n",
            "column 'answer' holds fractions such as 0.5; expected answers: integers, strings or booleans; "
            "turn scores into answers first, or leave the column out; " + NUMBERS + ".",
        ),
        (
            "instance,model,correct\nx,a,maybe\n",
            "column 'correct' holds 'maybe'; expected right or wrong as true/false or 1/0.",
        ),
    ],
)
def test_refusal_of_a_long_table(content, text, tmp_path):
    assert refusal(content, tmp_path) == text


WIDE = "item,gold,api_1,api_2,topic\n0,1,1,1,x\n1,0,0,1,y\n"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"label": "glod"}, "t.csv has no column 'glod'; expected a column to use as label; did you mean 'gold'?"),
        (
            {"instance": "items"},
            "t.csv has no column 'items'; expected a column to use as instance id; did you mean 'item'?",
        ),
        (
            {"groups": "topics"},
            "t.csv has no column 'topics'; expected a column to use as group; did you mean 'topic'?",
        ),
        ({"models": "apis_*"}, "no model of t.csv is called 'apis_*'; did you mean 'api_2' or 'api_1'?"),
    ],
)
def test_an_option_that_names_an_unknown_column_is_answered_with_the_near_ones(options, text, tmp_path):
    assert refusal(WIDE, tmp_path, **options) == text


@pytest.mark.parametrize(
    ("factors", "text"),
    [
        (
            "model,family\napi_1,x\n",
            "f.csv has no row for 1 of 2 models, such as 'api_2'; "
            "expected one row per model, its id in the column model.",
        ),
        (
            "model,family\napi_1,x\napi_1,y\n",
            "f.csv has more than one row for the model 'api_1'; expected one row per model.",
        ),
    ],
)
def test_a_factor_file_has_one_row_for_every_model(factors, text, tmp_path):
    (tmp_path / "f.csv").write_text(factors)
    assert refusal(WIDE, tmp_path, models="api_*", factors=tmp_path / "f.csv") == text


def parquet(folder, **columns):
    pq.write_table(pa.table(columns), folder / "t.parquet")
    return folder / "t.parquet"


def test_truncated_parquet(tmp_path):
    path = parquet(tmp_path, instance=range(999), label=range(999), a=range(999), b=range(999))
    path.write_bytes(path.read_bytes()[:-100])
    assert refused(path, tmp_path) == (
        "t.parquet is not a complete Parquet file: it ends too early; copy or write it again."
    )


def test_parquet_damaged_inside(tmp_path):
    path = parquet(tmp_path, label=np.arange(999) % 7, a=np.arange(999), b=np.arange(999))
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + bytes(len(whole) // 2) + whole[4 + len(whole) // 2 :])
    assert refused(path, tmp_path).startswith("t.parquet is not a complete Parquet file: ")


def test_parquet_column_of_lists(tmp_path):
    path = parquet(tmp_path, label=[0, 1], a=[0, 1], b=[[0.5, 0.5], [0.5]])
    assert refused(path, tmp_path) == (
        "column 'b' holds values of the type list<element: double>; expected integers, strings or booleans; "
        "leave the column out by naming the model columns with models (--models)."
    )


def test_parquet_column_of_floats(tmp_path):
    path = parquet(tmp_path, label=[0, 1], a=[0, 1], b=[1.0, 0.75])
    assert refused(path, tmp_path).startswith("model column 'b' holds fractions such as 0.75; ")


def test_truncated_gzip(tmp_path):
    whole = gzip.compress(b"label,a,b\n" + b"1,2,3\n" * 999)
    text = refusal(whole[:-9], tmp_path, "t.csv.gz")
    assert text == (
        "t.csv.gz is not a complete gzip file: Compressed file ended before the end-of-stream marker was reached; "
        "copy or pack it again."
    )


def test_a_folder_without_answers(tmp_path):
    with pytest.raises(FileError) as caught:
        read(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} is a folder without answers.parquet, logs or tables; expected a Predictions folder, logs of an "
        f"evaluation tool, npy files, or tables ({KINDS})."
    )


def test_errors_are_of_the_kinds_that_people_catch(tmp_path):
    with pytest.raises(OSError):
        read(tmp_path / "none.csv")
    (tmp_path / "t.csv").write_text("a,b\nx,y\n")
    with pytest.raises(ValueError):
        read(tmp_path / "t.csv")
    with pytest.raises(InputError):
        read(tmp_path / "t.csv")
