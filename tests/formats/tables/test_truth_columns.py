"""Do logs with refusals and parse failures keep their true classes, so that everything given the class applies?"""

from __future__ import annotations

import json

import numpy as np
import pytest

from polyculture.auditing import audit
from polyculture.formats import ReadingRules, read, write
from polyculture.predictions import MISSING, Predictions


@pytest.fixture(scope="module")
def both():
    """The same failures twice: as answers alone, and with some wrong ones as no answer that somebody judged."""
    draw = np.random.default_rng(0)
    truth = draw.integers(0, 3, 600)
    shared = draw.random(600) < 0.1
    answers = {m: np.where(shared | (draw.random(600) < 0.1), (truth + 1) % 3, truth) for m in "abcd"}
    plain = Predictions.from_answers(answers, truth)
    silent = {
        m: [None if t != a and i % 2 else int(a) for i, (a, t) in enumerate(zip(said, truth, strict=True))]
        for m, said in answers.items()
    }
    verdicts = {m: (said == truth).astype(int) for m, said in answers.items()}
    return plain, Predictions.from_answers(silent, truth, correct=verdicts)


def test_audit_given_the_class_is_that_of_the_same_failures_with_answers(both):
    plain, judged = map(audit, both)
    assert [null_model.name for null_model in judged.null_models] == ["N0", "N1", "N3"]
    assert judged.headline == "N1"
    assert judged.n_eff == plain.n_eff
    assert judged.n_eff.estimate < 3


def test_no_answers_are_never_the_same_wrong_one(both):
    plain, judged = (audit(p).pairwise.frame() for p in both)
    assert (judged["same_wrong"] < plain["same_wrong"]).all()


def test_folder_keeps_labels_and_outcomes(both, tmp_path):
    _, judged = both
    again = read(write(judged, tmp_path / "p"))
    assert again.labels.tolist() == judged.labels.tolist()
    assert again.correct.tolist() == judged.correct.tolist()
    assert again.answers.tolist() == judged.answers.tolist()
    assert again.classes == judged.classes


def test_folder_keeps_labels_of_outcomes_alone(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("id,label,a,b\nx,cat,1,0\ny,dog,1,1\n")
    again = read(write(read(table, correct=True), tmp_path / "p"))
    assert [again.classes[code] for code in again.labels] == ["cat", "dog"]
    assert again.correct.tolist() == [[1, 1], [0, 1]]
    assert again.answers is None


def test_log_with_refusals_keeps_its_labels(tmp_path):
    for model, last in (("ann", "I'm sorry, no."), ("bob", "hm")):
        rows = [{"id": i, "says": "AB"[i % 2] if i < 39 else last, "gold": "AB"[i % 2]} for i in range(40)]
        (tmp_path / f"{model}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    fields = {"instance": "id", "answer": "says", "label": "gold"}
    predictions = read(tmp_path, rules=ReadingRules(fields=fields, normalize="multiple-choice"))
    assert predictions.has_fixed_classes
    assert predictions.answers[:, -1].tolist() == [MISSING, MISSING]
    assert predictions.wrong[:, -1].tolist() == [True, True]
    assert predictions.wrong.sum() == 2
