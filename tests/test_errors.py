"""Do errors say what was wrong, what was expected and what to do, in one line?"""

import pytest

from polyculture.errors import (
    FileError,
    InputError,
    MissingExtraError,
    PolycultureError,
    TrainingError,
    near,
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
