"""Do judges become models and comparisons instances, with ties as answers of their own?"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from polyculture.cli import main
from polyculture.errors import InputError
from polyculture.formats import ReadingRules, align, read

NAMES = ["A", "B", "tie"]


def words(predictions):
    table = np.array([*predictions.classes, None], dtype=object)[predictions.answers]
    return dict(zip(predictions.model_ids, table.tolist(), strict=True))


def judgments(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def bench(tmp_path):
    """Human judgments as MT-bench publishes them; the second judge has the outputs the other way round."""
    rows = []
    for question, (human, gpt, claude) in enumerate([("a", "a", "tie"), ("b", "a", "b"), ("tie", "tie", "b")]):
        for judge, choice in (("expert_1", human), ("gpt-4", gpt), ("claude", claude)):
            turned = judge == "gpt-4"
            winner = "tie" if choice == "tie" else f"model_{choice if not turned else 'ba'['ab'.index(choice)]}"
            pair = ["llama", "alpaca"][:: -1 if turned else 1]
            row = {"question_id": 81 + question, "model_a": pair[0], "model_b": pair[1], "winner": winner}
            rows.append(row | {"judge": judge, "turn": 1, "conversation_a": [{"role": "user", "content": "?"}]})
    return judgments(tmp_path / "human_judgments.jsonl", rows)


def test_judges_are_models_and_ties_are_answers(bench):
    aligned = align(bench, label="expert_1")
    predictions = aligned.predictions
    assert list(predictions.classes) == NAMES
    assert words(predictions) == {"gpt-4": ["A", "A", "tie"], "claude": ["tie", "B", "B"]}
    assert [NAMES[code] for code in predictions.labels] == ["A", "B", "tie"]
    assert predictions.wrong.tolist() == [[False, True, False], [True, False, True]]
    assert predictions.instances.index.tolist()[0] == "81 turn 1: llama or alpaca"
    assert "What expert_1 prefers is true; a tie where as many of them prefer either." in aligned.report.notes


def test_without_a_truth_the_error_says_how_to_name_it(bench, capsys, tmp_path):
    assert main(["audit", str(bench), "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.strip() == (
        f"polyculture: {bench} holds preferences of 3 judges (claude, expert_1, gpt-4) and no true ones; expected the "
        "preferences that are true; name a judge, such as 'gpt-4', or a file with the columns instance and label with "
        "label (--label)."
    )
    assert main(["audit", str(bench), "--label", "expert_*", "--out", str(tmp_path / "out")]) == 0
    with pytest.raises(InputError, match="no judge 'experts'; expected a judge, or a pattern of judges"):
        read(bench, label="experts")


def test_the_truth_may_be_a_file(bench, tmp_path):
    ids = align(bench, label="expert_1").predictions.instances.index
    pd.DataFrame({"instance": ids, "label": ["A", "B", "tie"]}).to_csv(tmp_path / "truth.csv", index=False)
    predictions = read(bench, label=tmp_path / "truth.csv")
    assert predictions.wrong.sum(axis=1).tolist() == [0, 1, 2]


@pytest.mark.parametrize("form", ["csv", "parquet", "json", "frame"])
def test_the_same_in_every_form(form, bench, tmp_path):
    frame = pd.read_json(bench, lines=True).drop(columns="conversation_a")
    source = tmp_path / f"same.{form}"
    if form == "csv":
        frame.to_csv(source, index=False)
    elif form == "parquet":
        frame.to_parquet(source)
    elif form == "json":
        frame.to_json(source, orient="records")
    else:
        source = frame
    assert words(read(source, label="expert_1")) == {"gpt-4": ["A", "A", "tie"], "claude": ["tie", "B", "B"]}


def test_a_judge_who_contradicts_itself_has_a_tie(tmp_path):
    """A line of MT-bench's judge, which looks at both orders."""
    rows = [
        {"question_id": 81, "model_1": "a", "model_2": "b", "judge": [judge, "pair-v2"], "g1_winner": g1}
        | {"g2_winner": g2, "turn": 1, "tstamp": 1.0}
        for judge, g1, g2 in (
            ("gpt-4", "model_1", "model_2"),
            ("claude", "model_2", "model_2"),
            ("human", "tie", "tie"),
        )
    ] + [
        {"question_id": 82, "model_1": "a", "model_2": "b", "judge": [judge, "pair-v2"], "g1_winner": g1}
        | {"g2_winner": "model_1", "turn": 1, "tstamp": 1.0}
        for judge, g1 in (("gpt-4", "error"), ("claude", "model_1"), ("human", "model_1"))
    ]
    aligned = align(judgments(tmp_path / "gpt-4_pair.jsonl", rows), label="human")
    assert words(aligned.predictions) == {"gpt-4": ["tie", None], "claude": ["B", "A"]}
    assert aligned.report.frame().set_index("model").loc["gpt-4", "failed"] == 1


def annotations(folder, judge, preferences):
    folder.mkdir()
    rows = [
        {"instruction": f"Do {i}", "output_1": "x", "generator_1": "gpt4_1106_preview", "dataset": "helpful_base"}
        | {"output_2": "y", "generator_2": "ann", "annotator": judge, "preference": p, "raw_completion": {"m": 1}}
        for i, p in enumerate(preferences)
    ]
    (folder / "annotations.json").write_text(json.dumps(rows))


def test_annotations_of_alpaca_eval(tmp_path):
    annotations(tmp_path / "human", "human", [1.0, 2.0, 1.5, 0.0, 2.0])
    annotations(tmp_path / "claude", "claude", [1.0, 1.0, 1.5, 1.0, None])
    annotations(tmp_path / "gpt4", "gpt4", [2.0, 2.0, 0.0, 1.5, 2.0])
    aligned = align(tmp_path, label="human")
    assert words(aligned.predictions) == {
        "claude": ["A", "A", "tie", "A", None],
        "gpt4": ["B", "B", "tie", "tie", "B"],
    }
    assert aligned.predictions.wrong.sum(axis=1).tolist() == [2, 1]
    assert aligned.predictions.probabilities is None


def test_weights_of_preferences_are_probabilities(tmp_path):
    annotations(tmp_path / "human", "human", [1.0, 2.0, 1.5])
    annotations(tmp_path / "a", "a", [1.25, 1.75, 1.5])
    annotations(tmp_path / "b", "b", [1.5001, 1.0, 1.9])
    predictions = read(tmp_path, label="human")
    assert words(predictions) == {"a": ["A", "B", "tie"], "b": ["B", "A", "B"]}
    expected = [[0.75, 0.25, 0], [0.25, 0.75, 0], [0, 0, 1]]
    assert np.allclose(predictions.probabilities[0], expected)
    assert np.allclose(predictions.probabilities[1], [[0.4999, 0.5001, 0], [1, 0, 0], [0.1, 0.9, 0]], atol=1e-6)


def test_the_arena_with_one_column_per_outcome(tmp_path):
    for judge, marks in {"human": ["100", "010", "001"], "gpt": ["100", "001", "001"], "x": ["010"] * 3}.items():
        rows = [
            {"id": i, "model_a": "m", "model_b": "n", "winner_model_a": a, "winner_model_b": b, "winner_tie": t}
            for i, (a, b, t) in enumerate(marks)
        ]
        pd.DataFrame(rows).to_csv(tmp_path / f"{judge}.csv", index=False)
    assert words(read(tmp_path, label="human")) == {"gpt": ["A", "tie", "tie"], "x": ["B", "B", "B"]}


def test_a_word_that_is_no_preference(bench):
    text = bench.read_text()
    bench.write_text(text.replace('"winner": "tie"', '"winner": "perhaps"', 1))
    with pytest.raises(InputError) as caught:
        read(bench, label="expert_1")
    assert str(caught.value) == (
        f"line 3 of {bench} prefers 'perhaps' of 'llama' and 'alpaca'; expected the name of an output, model_a or "
        "model_b, A or B, or tie; mend the line, or leave such lines out with skip_bad=True (--skip-bad)."
    )
    assert align(bench, label="expert_1", rules=ReadingRules(skip_bad=True)).report.n_skipped == 1


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "frame"])
def test_a_column_of_weights_is_ignored_and_the_report_says_so(form, bench, tmp_path):
    frame = pd.DataFrame(json.loads(text) for text in bench.read_text().splitlines()).drop(columns="conversation_a")
    frame["weight"] = 0.5 + frame.index % 3
    path = tmp_path / f"weighted.{form}"
    if form == "csv":
        frame.to_csv(path, index=False)
    elif form == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    elif form == "parquet":
        frame.to_parquet(path)
    report = align(frame if form == "frame" else path, label="expert_1").report
    assert report.sentence.endswith("; the column 'weight' is ignored: every comparison counts once.")


@pytest.mark.parametrize("word", [[1], {"a": 1}, "both of them"])
def test_a_preference_that_is_no_number_names_its_row(word, tmp_path):
    row = {"instruction": "Do", "generator_1": "x", "generator_2": "y", "annotator": "gpt4", "preference": 1}
    rows = [row, row | {"annotator": "claude", "preference": word}]
    (tmp_path / "annotations.json").write_text(json.dumps(rows))
    with pytest.raises(InputError, match=r"prefers .* of 'x' and 'y'; expected"):
        read(tmp_path / "annotations.json", label="gpt4")
