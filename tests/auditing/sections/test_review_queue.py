"""The queue: all-wrong instances by what to suspect; no answer is never an agreement; verdicts close the loop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import polyculture as pc
from polyculture.auditing import AuditOptions
from polyculture.auditing.context import AuditContext
from polyculture.auditing.sections.review_queue import canonical, review_queue
from polyculture.measures.effective import effective
from polyculture.predictions import Predictions

CODES = {"": -1, "x": 0, "y": 1, "z": 2, "w": 3}


def one_failure(answers: list[str], label: str) -> pd.Series:
    """The queue's row for an instance that these models all fail, beside twenty that some get right."""
    rest = [[label if (i + row) % 3 else "other" for row in range(20)] for i in range(len(answers))]
    table = {f"m{i}": [answer, *rest[i]] for i, answer in enumerate(answers)}
    evidence = AuditContext.gather(Predictions.from_answers(table, [label] * 21), AuditOptions())
    rows = review_queue(evidence).tables["queue"].set_index("instance")
    return rows.loc["0"]


@pytest.mark.parametrize(
    ("answers", "label", "kind"),
    [
        (["99", "99", "99", "7"], "12", "consensus"),
        (["99", "99", "7", "8"], "12", "genuine"),  # half is not most
        (["1", "2", "3", "4"], "12", "genuine"),
        ([" True", " True", " True", "no"], "true", "format only"),
        (["0.00", "0.00", "5", "7"], "0", "format only"),
        (["0.00", "0.00", "5", "7"], "1", "genuine"),
        (["1,000", "1,000", "1,000"], "1000", "format only"),
        (["(B)", "(B)", "A"], "b", "format only"),
        ([".5", ".5", ".5"], "5", "consensus"),
        (["1,2", "1,2", "1,2"], "12", "consensus"),
    ],
)
def test_what_is_suspected_follows_from_the_common_answer(answers, label, kind) -> None:
    assert one_failure(answers, label)["kind"] == kind


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (" True", "true"), ("0.00", "0"), ("1e3", "1,000"), ("12.", "12"), ("$5", "5.0"), ("(a)", "A"), ("a  b", "A b"),
        (".5", "0.50"), ("-3", "-3.0"), ("1,234,567", "1234567"), ("“x”", "“X”"),
    ],
)  # fmt: skip
def test_writing_alone_makes_no_other_answer(one: str, two: str) -> None:
    assert canonical(one) == canonical(two)


@pytest.mark.parametrize(
    ("one", "two"), [(".5", "5"), ("-3", "3"), ("1,2", "12"), ("1.5", "15"), ("a b", "ab"), ("true", "1"), ("", "0")]
)
def test_other_answers_stay_other_answers(one: str, two: str) -> None:
    assert canonical(one) != canonical(two)


def graded(columns: list[list[str]], correct: list[list[int]]) -> Predictions:
    """Answers that were graded by somebody else: a model may be wrong because nothing could be read."""
    answers = np.array([[CODES[a] for a in column] for column in columns], np.int8)
    n = answers.shape[1]
    return Predictions(
        models=pd.DataFrame(index=[f"m{i}" for i in range(len(columns))]),
        instances=pd.DataFrame(index=pd.Index([f"i{k}" for k in range(n)], name="instance")),
        answers=answers,
        correct=np.array(correct, np.int8),
        classes=("x", "y", "z", "w", *(f"other {k}" for k in range(60))),
    )


def test_no_answer_is_its_own_kind_and_never_an_agreement() -> None:
    """Instances 0 … 3: nobody answers; three of five do not; two do not and the others agree; all agree."""
    columns = [
        ["", "", "", "x", "x", "y"],
        ["", "", "", "x", "y", "x"],
        ["", "", "x", "x", "x", "x"],
        ["", "y", "x", "x", "x", "y"],
        ["", "y", "x", "x", "z", "y"],
    ]
    correct = [[0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 1]]
    predictions = graded(columns, correct)
    rows = review_queue(AuditContext.gather(predictions, AuditOptions())).tables["queue"].set_index("instance")
    assert rows["kind"].to_dict() == {"i0": "no answer", "i1": "no answer", "i2": "consensus", "i3": "consensus"}
    assert rows.loc["i0", ["answer", "share"]].tolist() == ["", 0]
    assert rows.loc["i1", "share"] == pytest.approx(2 / 5)
    assert rows.loc["i2", "share"] == pytest.approx(3 / 5)
    audit = pc.audit(predictions)
    same = audit.pairwise.counts["same_wrong"]
    assert same[0, 1] == 1  # i3 only: two empty answers on i0, i1 and i2 are no agreement
    assert same[3, 4] == 3  # i1, i2, i3


def test_suspects_come_first_and_kinds_carry_their_reason() -> None:
    columns = [["x", "x", "x"], ["y", "x", "y"], ["z", "x", "x"], ["w", "y", "x"]]
    rows = review_queue(AuditContext.gather(graded(columns, [[0] * 3] * 3 + [[0, 0, 1]]), AuditOptions())).tables[
        "queue"
    ]
    assert rows["instance"].tolist() == ["i1", "i0"]
    assert rows["why"].tolist() == [
        "most models give one same other answer: suspect the label",
        "models fail in different ways",
    ]


def planted() -> Predictions:
    """Two classes of 200; two instances with a wrong label, three that the grader misreads, one that is just hard."""
    rng = np.random.default_rng(2)
    labels = np.repeat(["0", "1"], 200).astype(object)
    answers = np.where(rng.random((5, 400)) < 0.15, "2", labels).astype(object)
    answers[0, (answers == "2").all(axis=0)] = labels[(answers == "2").all(axis=0)]
    answers[:, :2] = "9"
    answers[:, 2:5] = "0.0"
    answers[:, 5] = ["3", "4", "5", "6", "7"]
    index = pd.Index([f"i{k}" for k in range(400)], name="instance")
    table = {f"m{i}": row for i, row in enumerate(answers)}
    return Predictions.from_answers(table, labels, instances=pd.DataFrame(index=index))


def test_the_headline_is_told_without_each_suspect_kind_and_without_all() -> None:
    p = planted()
    evidence = AuditContext.gather(p, AuditOptions())
    table = review_queue(evidence).tables["headline"].set_index("when")
    kept = {
        "as it is": np.arange(400),
        "without consensus": np.r_[2:400],
        "without format only": np.r_[0:2, 5:400],
        "without all of these": np.r_[5:400],
    }
    assert list(table.index) == list(kept)
    for when, rows in kept.items():
        found = effective(p.wrong[:, rows], p.labels[rows])
        assert table.loc[when, "n_eff"] == pytest.approx(found.n_eff, rel=1e-12)
        assert table.loc[when, "all_wrong"] == pytest.approx(p.wrong[:, rows].all(axis=0).mean())
        assert table.loc[when, "instances"] == len(rows)
    assert table["n_eff"].iloc[-1] == table["n_eff"].max()


def test_verdicts_on_the_queue_leave_its_instances_out() -> None:
    """The judge's file: what the queue lists, with the suspects struck out and the hard one kept."""
    p = planted()
    rows = pc.audit(p).section("review_queue").tables["queue"]
    verdicts = {r.instance: float(r.kind == "genuine") for r in rows.itertuples()}
    before, after = pc.audit(p), pc.audit(p, options=AuditOptions(verdicts=verdicts))
    assert after.n_instances == 395
    assert after.n_eff.estimate == pytest.approx(before.section("review_queue").tables["headline"]["n_eff"].iloc[-1])
    left = after.section("review_queue").tables["queue"]
    assert left[["instance", "kind"]].values.tolist() == [["i5", "genuine"]]


def test_doubtful_labels_count_with_their_weight_in_every_headline() -> None:
    p = planted()
    verdicts = {"i0": 0.6, "i7": 0.9}
    weights = np.ones(400)
    weights[[0, 7]] = 0.6, 0.9
    table = pc.audit(p, options=AuditOptions(verdicts=verdicts)).section("review_queue").tables["headline"]
    rows = np.r_[5:400]
    expected = [effective(p.wrong[:, k], p.labels[k], None, weights[k]).n_eff for k in (np.arange(400), rows)]
    assert table["n_eff"].iloc[[0, -1]].tolist() == pytest.approx(expected)


def test_the_five_that_every_model_of_gsm8k_fails_are_queued_with_suspect_labels(shared_data: Path) -> None:
    predictions = pc.read(shared_data / "predictions" / "zeroeval_gsm_long.parquet")
    failed = predictions.wrong[:, predictions.observed.all(axis=0) if predictions.observed is not None else slice(None)]
    rows = review_queue(AuditContext.gather(predictions, AuditOptions())).tables["queue"]
    assert len(rows) == int(failed.all(axis=0).sum()) == 5
    at = predictions.instances.index.astype(str).get_indexer(rows["instance"])
    for row, k in zip(rows.itertuples(), at, strict=True):
        given = predictions.answers[:, k]
        votes = np.bincount(given[given >= 0], minlength=1).max()
        assert row.share == pytest.approx(votes / len(given))
        assert (row.kind == "consensus") == (votes > len(given) / 2)
    assert rows["kind"].tolist() == ["consensus"] * 4 + ["genuine"]


def test_kinds_are_counted_over_all_instances_though_the_first_thousand_are_listed() -> None:
    labels = [0, 1] * 600
    answers = {name: [f"other {k}" for k in range(1200)] for name in "abc"}
    section = pc.audit(Predictions.from_answers(answers, labels)).section("review_queue")
    assert len(section.tables["queue"]) == 1000
    assert section.tables["kinds"].to_dict("records") == [{"kind": "consensus", "instances": 1200}]
