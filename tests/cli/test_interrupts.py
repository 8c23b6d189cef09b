"""Is Ctrl-C one line, and does the same command go on where it was stopped, without training anything twice?"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch")

from polyculture.cli import main
from polyculture.results import Audit

STOPPED = "polyculture: stopped; run the same command again to go on."


def finished(models: Path) -> dict[str, int]:
    """Moment in which the record of each model that is there was written."""
    return {path.parent.name: path.stat().st_mtime_ns for path in models.glob("[!.]*/recipe.json")}


def stop(words: list[str], models: Path, enough: int) -> dict[str, int]:
    """Run a command as a terminal does and press Ctrl-C when so many models are there; those that it leaves."""
    command = [sys.executable, "-m", "polyculture.cli", *words]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    with subprocess.Popen(command, **options) as process:
        while len(finished(models)) < enough and process.poll() is None:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert err.splitlines()[-1] == STOPPED
    left = finished(models)
    assert len(left) >= enough
    assert all(json.loads((models / name / "recipe.json").read_text())["failed"] == "" for name in left)
    return left


@pytest.mark.slow
def test_ablate_goes_on_where_ctrl_c_stopped_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["ablate", "digits", "--architecture", "lenet", "--levels", "dropout", "--levels", "sam"]
    words += ["--shifts", "none", "--replicates", "3", "--epochs", "4", "--limit", "300", "--workers", "2"]
    left = stop(words, Path("polyculture-ablation/models"), 3)
    assert len(left) < 9
    assert not Path("polyculture-ablation/page.html").exists()
    assert main(words) == 0
    whole = finished(Path("polyculture-ablation/models"))
    assert len(whole) == 9
    assert {name: whole[name] for name in left} == left
    assert Path("polyculture-ablation/page.html").exists()


@pytest.mark.slow
def test_evolve_goes_on_where_ctrl_c_stopped_it_with_the_same_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("axes.toml").write_text(
        '[axes]\narchitecture = ["lenet", "lstm"]\noptimizer = ["adam"]\ndata = ["half-a", "half-b"]\n'
        'seed = [0, 1, 2]\n"hyperparameters.epochs" = [3]\n'
    )
    words = ["evolve", "digits", "--axes", "axes.toml", "--budget", "8", "--first", "4", "--generation", "4"]
    words += ["--worthwhile", "-1", "--limit", "300", "--workers", "2"]
    left = stop([*words, "--out", "bred"], Path("bred/models"), 5)  # in the second generation
    assert len(left) < 8
    assert main([*words, "--out", "bred"]) == 0
    whole = finished(Path("bred/models"))
    assert {name: whole[name] for name in left} == left
    assert main([*words, "--out", "undisturbed"]) == 0
    assert set(whole) == set(finished(Path("undisturbed/models")))
    told = [Audit.from_json(Path(f"{folder}/audit.json").read_text()) for folder in ("bred", "undisturbed")]
    assert told[0].sentence == told[1].sentence
    assert told[0].section("breeding").sentence == told[1].section("breeding").sentence
