"""Labels that come back from people: every mistake is a sentence, and nothing that can be used is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from polyculture.errors import FileError, InputError
from polyculture.studies.active.labelling import read_labels, valid_labels

CLASSES = ("cat", "dog")
ASKED = ("1", "2", "3")


def back(tmp_path: Path, text: str | bytes) -> tuple[dict[str, str], tuple[str, ...], tuple[str, ...]]:
    path = tmp_path / "to-label.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    given = read_labels(path, "y", ASKED, CLASSES)
    return dict(given.labels), tuple(note.replace(str(path), "FILE") for note in given.problems), given.blank


def test_a_complete_table_is_read() -> None:
    given = valid_labels([("1", "cat"), ("2", "?"), ("3", "dog")], ASKED, CLASSES, "F")
    assert given.complete
    assert given.labels == {"1": "cat", "2": "?", "3": "dog"}


@pytest.mark.parametrize(
    ("text", "labels", "problem"),
    [
        ("1,cat 2,dgo 3,dog", "13", "row 2 of FILE has the label 'dgo', which is no class; did you mean 'dog'?"),
        ("1,cat 2,#REF! 3,dog", "13", "row 2 of FILE has the label '#REF!', which is no class; known: cat, dog."),
        (
            "1,cat 2,dog 9,dog 3,dog",
            "123",
            "row 3 of FILE has the instance '9', which was not asked for; leave the row out.",
        ),
        (
            "1,cat 2,dog 3,cat 3,dog",
            "12",
            "FILE has the instance '3' twice with the labels 'cat' and 'dog'; leave one row.",
        ),
        ("1,cat 1,cat 2,dog 3,dog", "23", "FILE has the instance '1' twice; leave one row."),
        ("1,cat 3,dog", "13", "FILE lacks 1 instance, such as '2'; put the rows back."),
    ],
)
def test_each_mistake_is_one_sentence_and_all_else_is_stored(tmp_path, text, labels, problem) -> None:
    stored, problems, blank = back(tmp_path, "\n".join(["instance,y", *text.split(" ")]))
    assert problems == (problem,)
    assert "".join(sorted(stored)) == labels
    assert blank == ()


def test_several_mistakes_are_several_sentences(tmp_path: Path) -> None:
    stored, problems, blank = back(tmp_path, "instance,y\n1,\n2,x\n8,cat\n")
    assert stored == {}
    assert len(problems) == 3
    assert blank == ("1",)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffinstance,seen,y\r\n1,a,cat\r\n2,b,dog\r\n3,c,dog\r\n",
        "instance;seen;y\n1;a,b;cat\n2;b;dog\n3;c;dog\n\n",
        "seen\ty\tinstance\na\t cat \t1\nb\tdog\t2\nc\tdog\t3\n",
        'y,instance,seen\ncat,1,"a ""quoted"", cell\nof two lines"\ndog,2,b\ndog,3,c\n',
    ],
)
def test_tables_are_read_as_spreadsheets_save_them(tmp_path: Path, text: str) -> None:
    assert back(tmp_path, text) == ({"1": "cat", "2": "dog", "3": "dog"}, (), ())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04\x00\x00zip", "holds binary data"),
        (b"\xff\xfe\x00bad", "cannot read"),
        (b"instance,y\n1,cat,what,else\n", "line 2 of .* has 4 cells for 2 columns"),
    ],
)
def test_garbage_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(FileError, match=message):
        back(tmp_path, content)


@pytest.mark.parametrize("text", ["", "1,cat\n", "instance,label\n1,cat\n", "instance,y,y\n1,cat,dog\n"])
def test_a_table_without_its_columns_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(
        InputError, match=r"has no column '(instance|y)' of its own; expected the columns of to-label.csv"
    ):
        back(tmp_path, text)
