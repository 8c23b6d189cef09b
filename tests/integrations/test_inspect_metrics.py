"""Effective votes in a real `inspect eval`: in its output and its log, and the same number from `polyculture panel`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import polyculture as pc
from polyculture.cli import main

inspect_ai = pytest.importorskip("inspect_ai")
TASK = Path(__file__).parent / "judged_task.py"


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What `inspect eval` printed, and its log."""
    folder = tmp_path_factory.mktemp("inspect")
    code = "from inspect_ai._cli.main import main; main()"
    command = [sys.executable, "-c", code, "eval", TASK.name, "--log-dir", str(folder), "--display", "plain"]
    source = str(Path(pc.__file__).parents[1])
    env = os.environ | {"PYTHONPATH": source, "COLUMNS": "200"}
    finished = subprocess.run(
        command, capture_output=True, text=True, cwd=TASK.parent, env=env, timeout=300, check=False
    )
    logs = sorted(folder.glob("*.eval"))
    assert logs, finished.stdout + finished.stderr
    return finished.stdout, logs[0]


def metrics_of(log: Path) -> dict[str, float]:
    from inspect_ai.log import read_eval_log

    scores = read_eval_log(str(log)).results.scores
    return {name: metric.value for score in scores for name, metric in score.metrics.items()}


def wrong() -> list[list[bool]]:
    return [[i % 5 == 0 or (i * (k + 3)) % 7 == 1 for i in range(60)] for k in range(3)]


def test_inspect_shows_effective_votes_in_its_output_and_its_log(evaluation) -> None:
    printed, log = evaluation
    metrics = metrics_of(log)
    expected = pc.panel(
        pc.Predictions.from_correct({f"j{k}": [int(not x) for x in row] for k, row in enumerate(wrong())})
    )
    votes = next(value for name, value in metrics.items() if name.endswith("effective_votes"))
    correlation = next(value for name, value in metrics.items() if name.endswith("error_correlation"))
    assert votes == pytest.approx(expected.numbers["votes"].estimate, abs=1e-12)
    assert correlation == pytest.approx(expected.numbers["correlation"].estimate, abs=1e-12)
    assert "effective_votes" in printed
    assert f"{votes:.3f}" in printed or f"{votes:.2f}" in printed


def test_panel_reads_the_log_and_gives_the_same_number(evaluation, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    _, log = evaluation
    assert main(["panel", str(log), "--json"]) == 0
    section = json.loads(capsys.readouterr().out)[0]
    metrics = metrics_of(log)
    names = list(metrics)
    assert section["numbers"]["votes"]["estimate"] == pytest.approx(metrics[names[0]], abs=1e-12)
    result = pc.panel(log)
    assert result.predictions.model_ids == ["judge0", "judge1", "judge2"]
    against_humans = pc.panel(log, pc.PanelOptions(truth="human"))
    assert against_humans.numbers["votes"].estimate == pytest.approx(metrics[names[-1]], abs=1e-12)


def test_a_truth_that_is_not_there_is_refused_in_one_sentence(evaluation, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["panel", str(evaluation[1]), "--truth", "humans"]) == 2
    assert "has no 'humans' in its metadata; did you mean 'human'?" in capsys.readouterr().err
