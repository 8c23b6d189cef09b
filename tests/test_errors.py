"""Do errors say what was wrong, what was expected and what to do, in one line?"""

import numpy as np
import pandas as pd
import pytest

from polyculture.errors import (
    FileError,
    InputError,
    MissingExtraError,
    PolycultureError,
    TrainingError,
    near,
    visible,
)


def test_error_reads_as_one_line_of_three_parts():
    error = InputError("0 models.", "two or more", "add one.")
    assert str(error) == "0 models; expected two or more; add one."


def test_error_leaves_out_the_parts_that_it_was_not_given():
    assert str(InputError("0 models")) == "0 models."
    assert str(InputError("0 models", cure="add one")) == "0 models; add one."


def test_error_may_end_in_a_question():
    assert str(InputError("no model 'a'", cure="did you mean 'b'?")) == "no model 'a'; did you mean 'b'?"


def test_error_keeps_its_parts():
    error = FileError("no such file", "a table", "check the path")
    assert (error.wrong, error.expected, error.cure) == ("no such file", "a table", "check the path")


@pytest.mark.parametrize(
    ("kind", "builtin"), [(InputError, ValueError), (FileError, OSError), (TrainingError, RuntimeError)]
)
def test_error_is_also_the_builtin_one_that_people_catch(kind, builtin):
    assert issubclass(kind, builtin)
    assert issubclass(kind, PolycultureError)


def test_missing_extra_names_the_command_that_installs_it():
    error = MissingExtraError("torch", "train")
    assert str(error) == "the package 'torch' is not installed; pip install \"polyculture[train]\"."
    assert isinstance(error, ImportError)


def test_near_offers_names_that_look_alike():
    assert near("lable", ["label", "instance"]) == "did you mean 'label'?"


def test_near_lists_what_is_known_when_nothing_looks_alike():
    assert near("zzz", ["b", "a"]) == "known: a, b"


def test_near_stops_after_twelve_names():
    assert near("zzz", map(str, range(10, 30))).endswith("20, 21, …")


def test_near_says_when_there_is_nothing():
    assert near("zzz", []) == "there are none"


VALUES = [
    (np.int64(0), "0"),
    (np.float64(0.0), "0.0"),
    (np.float64(np.nan), "nan"),
    (np.float32(-np.inf), "-inf"),
    (np.uint8(7), "7"),
    (np.longlong(3), "3"),
    (np.True_, "True"),
    (np.str_("a (b) 'c'"), "\"a (b) 'c'\""),
    (np.bytes_(b"a"), "b'a'"),
    (np.datetime64("2024-01-31"), "'2024-01-31'"),
    (np.complex128(1 + 2j), "1+2j"),
    (pd.Timestamp("2024-01-31", tz="UTC"), "'2024-01-31 00:00:00+0000'"),
    ([np.int64(0), (np.float64(0.5), "x")], "[0, (0.5, 'x')]"),
    ({np.str_("k"): np.int32(1)}, "{'k': 1}"),
    ("npm.int(3)", "'npm.int(3)'"),
]


@pytest.mark.parametrize(("value", "text"), VALUES, ids=str)
def test_error_shows_plain_values(value, text):
    assert str(InputError(f"the value {value!r}", f"not {value!r}")) == f"the value {text}; expected not {text}."


@pytest.mark.parametrize("kind", [InputError, FileError, TrainingError])
def test_error_shows_control_characters_as_escapes(kind):
    name = "gpt\x1b[2J\r\n\u202e\x9bm"
    line = f"no model {visible(name)}; expected {visible(name)}; {visible(name)}."
    assert str(kind(f"no model {name}", name, name)) == line
    assert visible(name) == "gpt\\x1b[2J\\r\\n\\u202e\\x9bm"
    assert visible(visible(name)) == visible(name)
    assert visible("Größe 模型 \u00a0→") == "Größe 模型 \u00a0→"


def test_missing_extra_is_shown_likewise():
    assert "\x1b" not in str(MissingExtraError("to\x1brch", "train"))
