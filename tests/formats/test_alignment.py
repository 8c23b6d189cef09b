"""Is everything told that stands between what was read and a comparison, and is nothing made alike unasked?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyculture.auditing import audit
from polyculture.errors import InputError
from polyculture.formats import ReadingRules, align, read
from polyculture.formats import write as store
from polyculture.formats.canonical_answers import canonical, unify, variants
from polyculture.formats.text_lines import CUT_OFF
from polyculture.measures.counts import count
from polyculture.predictions import Predictions


@pytest.fixture
def write(tmp_path):
    def written(name, text):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return written


def test_several_tables_of_one_model_each_are_matched_by_their_ids(write, tmp_path):
    write("ann.csv", "id,label,answer\nx,1,1\ny,2,1\nz,1,1\n")
    write("bob.csv", "id,label,answer\nz,1,0\nx,1,1\nw,1,1\n")
    aligned = align(tmp_path)
    assert aligned.predictions.model_ids == ["ann", "bob"]
    assert aligned.predictions.instances.index.tolist() == ["x", "y", "z", "w"]
    assert aligned.predictions.observed.tolist() == [[True, True, True, False], [True, False, True, True]]
    assert aligned.report.sentence == (
        "2 models, 4 instances matched by their ids; every model has 2 of them; cells missing: 2 (most: ann, 1); "
        "items in another order: 1 (most: bob, 1)."
    )


def test_items_in_another_order_are_matched_and_counted(write, tmp_path):
    write("ann.csv", "id,label,answer\n" + "".join(f"{i},{i % 3},{i % 3}\n" for i in range(30)))
    write("bob.csv", "id,label,answer\n" + "".join(f"{i},{i % 3},{i % 2}\n" for i in reversed(range(30))))
    aligned = align(tmp_path)
    assert aligned.predictions.wrong[0].sum() == 0
    assert aligned.predictions.wrong[1].tolist() == [i % 3 != i % 2 for i in range(30)]
    assert aligned.report.frame()["other_order"].tolist() == [0, 29]
    assert "items in another order: 29 (most: bob, 29)" in aligned.report.sentence


def test_tables_of_several_models_and_kinds_come_together(write, tmp_path):
    write("wide.csv", "id,label,a,b\nx,1,1,0\ny,2,2,2\n")
    pd.DataFrame({"id": ["y"], "label": [2], "model": ["c"], "answer": [1]}).to_parquet(tmp_path / "long.parquet")
    predictions = read([tmp_path / "wide.csv", tmp_path / "long.parquet"])
    assert predictions.model_ids == ["a", "b", "c"]
    assert predictions.answers.tolist() == [[1, 2], [0, 2], [-1, 1]]


def test_a_model_can_be_given_its_name(write):
    one, two = (write(name, "id,label,answer\nx,1,1\n") for name in ("one.csv", "two.csv"))
    assert read({"gpt": one, "claude": two}).model_ids == ["gpt", "claude"]


def test_tables_of_outcomes_have_no_answers(write, tmp_path):
    write("ann.csv", "id,correct\nx,1\ny,0\n")
    write("bob.csv", "id,correct\ny,true\nx,\n")
    aligned = align(tmp_path)
    assert aligned.predictions.answers is None
    assert aligned.predictions.correct.tolist() == [[1, 0], [-1, 1]]
    assert "nothing" not in aligned.report.sentence


def test_a_duplicate_model_is_refused_with_both_places(write, tmp_path):
    write("a.csv", "id,label,model,answer\nx,1,ann,1\n")
    write("b.csv", "id,label,model,answer\nx,1,ann,0\n")
    with pytest.raises(InputError) as caught:
        read(tmp_path)
    assert str(caught.value).replace(f"{tmp_path}/", "") == (
        "model 'ann' has two different answers to the instance 'x' (a.csv and instance x of b.csv); "
        "expected one answer per model and instance; if these are two runs, name them: "
        'read({"run-1": path, "run-2": path}), or read each file as a repeat run (--repeats).'
    )
    runs = read(tmp_path, rules=ReadingRules(repeats=True))
    assert runs.wrong.tolist() == [[False], [True]]
    assert runs.models[["base", "repeat"]].values.tolist() == [["ann", 1], ["ann", 2]]


def test_a_duplicate_model_with_the_same_answers_counts_once(write, tmp_path):
    for name in "ab":
        write(f"{name}.csv", "id,label,model,answer\nx,1,ann,1\nx,1,bob,0\n")
    aligned = align(tmp_path)
    assert aligned.predictions.model_ids == ["ann", "bob"]
    assert "items given twice and counted once: 2 (most: ann, 1)" in aligned.report.sentence


def test_an_unnamed_column_is_the_instance_in_each_of_several_tables(write, tmp_path):
    write("ann.csv", ",label,answer\nq1,1,1\nq2,1,0\n")
    write("bob.csv", ",label,answer\nq2,1,1\nq1,1,1\n")
    aligned = align(tmp_path)
    assert aligned.predictions.instances.index.tolist() == ["q1", "q2"]
    assert aligned.report.matched_by == "their ids"


def test_a_corrupt_accuracy_cell_is_named(write, tmp_path):
    write("ann.csv", "id,correct\nx,1\ny,0.9x\n")
    write("bob.csv", "id,correct\nx,1\ny,1\n")
    with pytest.raises(InputError) as caught:
        read(tmp_path)
    assert str(caught.value) == "column 'correct' holds '0.9x'; expected right or wrong as true/false or 1/0."


def test_two_models_that_answer_nothing_are_not_alike(write):
    path = write("t.csv", "id,label,a,b,c\n" + "".join(f"{i},{i % 2},,,{i % 2}\n" for i in range(40)))
    aligned = align(path)
    assert aligned.report.frame()["silent"].tolist() == [True, True, False]
    assert aligned.report.sentence == (
        "3 models, 40 instances matched by their ids; every model has 0 of them; cells missing: 80 (most: a, 40); "
        "a, b give no answers."
    )
    p = aligned.predictions
    assert count(p.answers, p.labels, p.correct, 2, p.options).n[0, 1] == 0


def test_two_models_that_only_refuse_are_wrong_together_but_never_agree(tmp_path):
    for name, text in (("a", "I'm sorry."), ("b", "I can't say."), ("c", "yes")):
        rows = [f'{{"k": {i}, "said": "{text}", "gold": "yes"}}\n' for i in range(20)]
        (tmp_path / f"{name}.jsonl").write_text("".join(rows))
    aligned = align(tmp_path, rules=ReadingRules(fields={"instance": "k", "answer": "said", "label": "gold"}))
    assert aligned.report.frame()[["refused", "silent"]].to_numpy().tolist() == [[20, True], [20, True], [0, False]]
    assert "a, b give no answers" in aligned.report.sentence
    p = aligned.predictions
    counts = count(p.answers, p.labels, p.correct, max(len(p.classes), 2), p.options)
    assert counts.n00[0, 1] == 20
    assert counts.same_answer[0, 1] == 0


def test_half_a_last_row_of_a_table_is_named_and_can_be_left_out(write):
    path = write("t.csv", "id,label,a,b\nx,1,1,1\ny,1,1,0\nz,1")
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(caught.value).startswith(f"line 4 of {path} is cut off: the file ends in the middle of it; ")
    aligned = align(path, rules=ReadingRules(skip_bad=True))
    assert aligned.predictions.shape == (2, 2)
    assert aligned.report.skipped.to_numpy().tolist() == [[f"line 4 of {path}", CUT_OFF]]
    assert aligned.report.sentence.endswith(f"; lines left out: 1 (first: line 4 of {path}).")


FORMS = "label,a,b\nYes,yes,Yes\nYes,Yes,YES\nno way,no  way,no way\n0.50,0.5 x,0.50 x\n"


def test_answers_that_differ_in_form_are_named_and_kept_apart(write):
    aligned = align(write("t.csv", FORMS), models=["a", "b"])
    rows = aligned.report.labels.to_numpy().tolist()
    assert rows == [["Yes", "YES", 1, False], ["Yes", "yes", 1, False], ["no way", "no  way", 1, False]]
    assert aligned.predictions.wrong.tolist() == [[True, False, True, True], [False, True, False, True]]
    assert (
        "3 answers differ from another only in case, spacing or type, such as 'YES' and 'Yes', and are kept separate"
        in aligned.report.sentence
    )


def test_answers_that_differ_in_form_are_one_on_request(write):
    aligned = align(write("t.csv", FORMS), models=["a", "b"], rules=ReadingRules(unify=True))
    assert aligned.predictions.wrong.tolist() == [[False, False, False, True]] * 2
    assert aligned.report.labels["unified"].all()
    assert "'YES' and 'Yes', and are treated as equal" in aligned.report.sentence


def test_outcomes_that_follow_from_labels_follow_the_request_too(tmp_path):
    for name, text in (("a", "true"), ("b", "I can't say")):
        (tmp_path / f"{name}.jsonl").write_text(f'{{"k": 1, "said": "{text}", "gold": "True"}}\n')
    fields = {"instance": "k", "answer": "said", "label": "gold"}
    assert read(tmp_path, rules=ReadingRules(fields=fields)).wrong.tolist() == [[True], [True]]
    assert read(tmp_path, rules=ReadingRules(fields=fields, unify=True)).wrong.tolist() == [[False], [True]]


@pytest.mark.parametrize(
    ("one", "other"), [("true", "True"), ("0.00", "0.0"), ("-0", "0"), ("1e2", "100"), (" a  B", "A b"), ("+5", "5.0")]
)
def test_forms_of_one_answer(one, other):
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(("one", "other"), [("1", "10"), ("a", "b"), ("0.1", "0.01"), ("nan", "0"), ("ab", "a b")])
def test_answers_that_are_two(one, other):
    assert canonical(one) != canonical(other)


@given(st.text(max_size=12))
def test_a_common_form_is_its_own_form(text):
    assert canonical(canonical(text)) == canonical(text)


def test_probabilities_of_one_answer_are_added_up():
    names = pd.DataFrame(index=["a", "b"])
    chances = np.tile(np.array([0.2, 0.3, 0.5]), (2, 2, 1))
    one = pd.DataFrame(index=[0, 1])
    before = Predictions(
        names, one, np.array([[0, 1], [2, 1]]), np.array([1, 1]), classes=("x", "X", "y"), probabilities=chances
    )
    after = unify(before)
    assert after.classes == ("X", "y")
    assert after.answers.tolist() == [[0, 0], [1, 0]]
    assert after.probabilities[0, 0].tolist() == pytest.approx([0.5, 0.5])
    assert variants(after).empty
    assert unify(after) is after


def test_the_report_is_a_chapter_of_an_audit(write):
    path = write("t.csv", "id,label,a,b\n" + "".join(f"{i},{i % 2},{i % 3},{i % 2}\n" for i in range(40)))
    aligned = align(path)
    section = aligned.report.section()
    assert section.sentence == aligned.report.sentence
    assert section.frame("models").equals(aligned.report.frame())
    found = audit(aligned.predictions)
    stored = type(found).from_json(replace(found, sections=(section,)).to_json())
    assert stored.section("alignment").frame("models")["missing"].tolist() == [0, 0]


def test_arrays_among_others_are_refused(write, tmp_path):
    table = write("t.csv", "id,label,a,b\nx,1,1,1\n")
    np.save(tmp_path / "a.npy", np.array([1]))
    (tmp_path / "arrays").mkdir()
    (tmp_path / "a.npy").rename(tmp_path / "arrays" / "a.npy")
    with pytest.raises(InputError) as caught:
        read([table, tmp_path / "arrays"])
    assert str(caught.value) == (
        f"{tmp_path / 'arrays'} is a folder of arrays among other sources; expected a folder of arrays by itself; "
        "join all in one table, with the ids and a column per model."
    )


def stored(folder, ids, labels, answers, correct=None, **columns):
    """A Predictions folder of these answers, with these columns of instances."""
    predictions = Predictions.from_answers(answers, labels)
    instances = pd.DataFrame(columns, index=pd.Index(ids, name="instance"))
    models = pd.DataFrame({"size": range(len(answers))}, index=predictions.models.index)
    predictions = replace(predictions, instances=instances, models=models, correct=correct)
    return store(predictions, folder)


def test_two_predictions_folders_are_joined_by_their_ids(write, tmp_path):
    one = stored(tmp_path / "A", ["x", "y", "z"], ["u", "v", "u"], {"a": ["u", "u", None], "b": ["v", "v", "u"]})
    judged = np.array([[1, 0], [1, 1]], np.int8)
    other = stored(tmp_path / "B", ["z", "x"], ["u", "u"], {"c": ["w", "v"], "e": ["u", "u"]}, judged, topic=["s", "t"])
    table = write("t.csv", "id,label,d\ny,v,v\nx,u,v\n")
    aligned = align([one, other, table])
    predictions = aligned.predictions
    assert predictions.instances.index.tolist() == ["x", "y", "z"]
    assert predictions.model_ids == ["a", "b", "c", "e", "d"]
    assert predictions.wrong.tolist() == [
        [False, True, False],
        [True, False, False],
        [True, False, False],
        [False, False, False],
        [True, False, False],
    ]
    assert predictions.observed.tolist() == [
        [True, True, False],
        [True, True, True],
        [True, False, True],
        [True, False, True],
        [True, True, False],
    ]
    assert predictions.models["size"].tolist()[:4] == [0, 1, 0, 1]
    assert aligned.report.remarks == (f"left out of {other}, which is among other sources: topic",)
    assert aligned.report.matched_by == "their ids"


def test_two_predictions_folders_that_contradict_say_where(tmp_path):
    one = stored(tmp_path / "A", ["x"], ["u"], {"a": ["u"], "b": ["u"]})
    other = stored(tmp_path / "B", ["x"], ["u"], {"a": ["v"], "c": ["u"]})
    with pytest.raises(InputError, match="model 'a' has two different answers to the instance 'x'"):
        read([one, other])


def test_a_log_without_samples_is_refused(tmp_path):
    (tmp_path / "t.json").write_text('{"eval": {"model": "a", "task": "t"}, "samples": []}')
    with pytest.raises(InputError) as caught:
        read(tmp_path / "t.json")
    assert (
        str(caught.value) == f"{tmp_path}/t.json holds no answers; expected a log with at least one sample per model."
    )


def test_a_mapping_is_the_truth_about_a_table(write):
    path = write("t.csv", "id,label,a,b\nx,1,1,2\n")
    assert read(path, label={"x": 2}).wrong.tolist() == [[True], [False]]


def test_a_table_and_a_log_come_together(write, tmp_path):
    write("wide.csv", "id,label,a,b\nx,1,1,0\ny,2,2,2\n")
    log = write("c.jsonl", '{"k": "y", "said": " 2 "}\n')
    rules = ReadingRules(fields={"instance": "k", "answer": "said"})
    predictions = read([tmp_path / "wide.csv", log], label={"x": "1", "y": "2"}, rules=rules)
    assert predictions.wrong.tolist() == [[False, False], [True, False], [False, False]]
    assert predictions.answers[2].tolist() == [-1, 2]


def test_models_are_chosen_by_pattern_over_all_sources(write, tmp_path):
    write("one.csv", "id,label,model,answer\nx,1,a1,1\nx,1,b,1\n")
    write("two.csv", "id,label,model,answer\ny,1,b,1\nx,1,a2,0\n")
    predictions = read(tmp_path, models="a*")
    assert predictions.model_ids == ["a1", "a2"]
    assert predictions.instances.index.tolist() == ["x"]
