"""Does a Predictions folder give back what was put in, and is it never seen half-made?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polyculture import rng
from polyculture.errors import FileError, InputError
from polyculture.formats import read, write
from polyculture.predictions import MISSING, Predictions


def example(**more):
    return Predictions.from_answers(
        {"a": ["1", "10", None], "b.c": ["2", "2", "2"]},
        ["1", "10", "2"],
        models=pd.DataFrame({"family": ["x", "y"], "seed": [0, 1]}, index=pd.Index(["a", "b.c"], name="model")),
        instances=pd.DataFrame(
            {"topic": ["u", None, "v"], "age": [1.5, 2.0, 3.0]}, index=pd.Index(["i", "j", "k"], name="instance")
        ),
        **more,
    )


def same(one, other):
    assert one.classes == other.classes
    assert one.model_ids == other.model_ids
    assert one.instances.index.tolist() == other.instances.index.tolist()
    assert one.fixed_classes == other.fixed_classes
    pd.testing.assert_frame_equal(one.models, other.models, check_index_type=False, check_dtype=False)
    for name in ("answers", "labels", "correct", "options", "probabilities"):
        left, right = getattr(one, name), getattr(other, name)
        assert (left is None) == (right is None), name
        assert left is None or np.array_equal(left, right), name


@pytest.mark.parametrize("fixed", [None, True, False])
def test_folder_gives_back_what_was_put_in(fixed, tmp_path):
    before = example(
        options=np.array([2, 3, 4]),
        fixed_classes=fixed,
        probabilities=rng.stream(0, "probabilities").dirichlet([1, 1, 1], (2, 3)),
    )
    write(before, tmp_path / "p")
    after = read(tmp_path / "p")
    same(before, after)
    assert after.instances["topic"].tolist()[::2] == ["u", "v"]
    assert after.instances["age"].tolist() == [1.5, 2, 3]
    assert sorted(p.name for p in (tmp_path / "p").iterdir()) == ["answers.parquet", "models.csv", "probabilities.npy"]


def test_probabilities_stay_on_disk(tmp_path):
    write(example(probabilities=np.full((2, 3, 3), 1 / 3, np.float32)), tmp_path / "p")
    assert isinstance(read(tmp_path / "p").probabilities, np.memmap)


def test_folder_of_outcomes(tmp_path):
    before = Predictions.from_correct({"a": [True, None], "b": [False, True]})
    write(before, tmp_path / "p")
    same(before, read(tmp_path / "p"))


def test_folder_of_answers_and_outcomes_beside_a_label(tmp_path):
    correct = np.array([[1, 0, MISSING], [1, 1, 1]], np.int8)
    before = replace(example(), labels=None, correct=correct)
    before = replace(before, instances=before.instances.assign(label=["18", "19", "20"]))
    write(before, tmp_path / "p")
    after = read(tmp_path / "p")
    same(before, after)
    assert after.instances["label"].tolist() == ["18", "19", "20"]


words = st.sampled_from(["1", "01", "1.0", " 1", "true", "True", "0", "NA", "nan", "ä", "a,b", "0.5"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(drawn=st.data())
def test_classes_come_back_to_the_letter(drawn, tmp_path):
    n = drawn.draw(st.integers(1, 5))
    classes = tuple(drawn.draw(st.lists(words, min_size=2, max_size=8, unique=True)))
    codes = st.lists(st.integers(MISSING, len(classes) - 1), min_size=n, max_size=n)
    labels = st.lists(st.integers(0, len(classes) - 1), min_size=n, max_size=n)
    before = Predictions(
        pd.DataFrame(index=pd.Index(["a", "b"], name="model")),
        pd.DataFrame(index=pd.RangeIndex(n, name="instance")),
        np.array([drawn.draw(codes), drawn.draw(codes)], np.int8),
        np.array(drawn.draw(labels), np.int8),
        classes=classes,
    )
    write(before, tmp_path / "p")
    same(before, read(tmp_path / "p"))


def test_models_can_be_chosen_and_factors_replaced(tmp_path):
    write(Predictions.from_answers({"a": [1], "b1": [1], "b2": [0]}, [1]), tmp_path / "p")
    (tmp_path / "f.csv").write_text("model,size\nb1,5\nb2,6\n")
    predictions = read(tmp_path / "p", models="b*", factors=tmp_path / "f.csv")
    assert predictions.models["size"].to_dict() == {"b1": 5, "b2": 6}


def test_the_folder_is_found_in_what_run_left(tmp_path):
    write(example(), tmp_path / "run" / "predictions")
    (tmp_path / "run" / "audit.json").write_text("{}")
    assert read(tmp_path / "run").model_ids == ["a", "b.c"]


def test_folder_that_others_laid_out(tmp_path):
    pd.DataFrame({"topic": ["u", "v"], "label": [1, 0], "a": [1, 1], "b": [0, 0]}).to_parquet(
        tmp_path / "answers.parquet"
    )
    (tmp_path / "models.csv").write_text("model,family\na,x\nb,y\n")
    predictions = read(tmp_path)
    assert predictions.wrong.tolist() == [[False, True], [True, False]]
    assert predictions.instances["topic"].tolist() == ["u", "v"]
    assert predictions.instances.index.tolist() == [0, 1]


def test_folder_with_answers_alone_is_a_table(tmp_path):
    pd.DataFrame({"gold": [1, 0], "a": [1, 1], "b": [0, 0]}).to_parquet(tmp_path / "answers.parquet")
    assert read(tmp_path, label="gold").model_ids == ["a", "b"]


def test_an_older_folder_is_replaced_whole(tmp_path):
    write(example(probabilities=np.full((2, 3, 3), 1 / 3)), tmp_path / "p")
    write(Predictions.from_correct({"a": [1], "b": [0]}), tmp_path / "p")
    assert read(tmp_path / "p").correct.tolist() == [[1], [0]]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["p"]
    assert sorted(p.name for p in (tmp_path / "p").iterdir()) == ["answers.parquet", "models.csv"]


def test_a_folder_can_be_written_over_itself(tmp_path):
    before = example(probabilities=rng.stream(0, "probabilities").dirichlet([1, 1, 1], (2, 3)))
    write(before, tmp_path / "p")
    write(read(tmp_path / "p"), tmp_path / "p")
    same(before, read(tmp_path / "p"))


def refused(action, folder):
    with pytest.raises((InputError, FileError)) as caught:
        action()
    return str(caught.value).replace(f"{folder}/", "")


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "thesis.tex").touch()
    assert refused(lambda: write(example(), tmp_path / "p"), tmp_path) == (
        "p holds other files, such as 'thesis.tex'; expected a new folder, or Predictions to replace."
    )
    assert [p.name for p in (tmp_path / "p").iterdir()] == ["thesis.tex"]


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    assert refused(lambda: write(example(), tmp_path / "file" / "p"), tmp_path) == (
        "cannot write file/p: Not a directory; expected a folder that can be written."
    )


def test_a_group_that_is_called_like_a_model(tmp_path):
    before = example()
    before = replace(before, instances=before.instances.rename(columns={"topic": "a"}))
    assert refused(lambda: write(before, tmp_path / "p"), tmp_path) == (
        "a model and an instance column are both called 'a'; expected different names; rename one of them."
    )
    assert not (tmp_path / "p").exists()


def test_models_that_have_no_column(tmp_path):
    write(example(), tmp_path / "p")
    (tmp_path / "p" / "models.csv").write_text("model\na\nb.c\nzebra\n")
    assert refused(lambda: read(tmp_path / "p"), tmp_path) == (
        "p/answers.parquet has no column 'zebra' but models.csv has a model 'zebra'; "
        "expected the same models in both files."
    )


def test_probabilities_that_are_not_whole(tmp_path):
    write(example(probabilities=np.full((2, 3, 3), 1 / 3)), tmp_path / "p")
    path = tmp_path / "p" / "probabilities.npy"
    path.write_bytes(path.read_bytes()[:-8])
    assert refused(lambda: read(tmp_path / "p"), tmp_path) == (
        "p/probabilities.npy is not a complete npy file; expected m × n × c floats; write it again."
    )


@pytest.mark.parametrize("option", [{"label": "x"}, {"instance": "x"}, {"correct": True}])
def test_options_that_a_folder_decides_itself(option, tmp_path):
    write(example(), tmp_path / "p")
    assert refused(lambda: read(tmp_path / "p", **option), tmp_path) == (
        f"{next(iter(option))} is given but p is a Predictions folder; "
        "expected its own names for columns; leave it out."
    )


def test_a_group_that_a_folder_does_not_have(tmp_path):
    write(example(), tmp_path / "p")
    assert refused(lambda: read(tmp_path / "p", groups="topics"), tmp_path) == (
        "p has no column 'topics'; expected a column to use as group; did you mean 'topic'?"
    )
