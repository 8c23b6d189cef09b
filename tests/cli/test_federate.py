"""Does `polyculture federate` say who gains and whom everybody fails, and refuse what cannot be in one line?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from polyculture.cli import main

pytest.importorskip("torch")

WORDS = ["federate", "iris", "--clients", "3", "--partition", "dirichlet:1", "--rounds", "2", "--local-epochs", "1"]
WORDS += ["--personal-epochs", "1", "--runs", "2", "--rate", "0.1", "--shifts", "none"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_terminal_has_the_answer_and_the_folder_its_page(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(WORDS) == 0
    out = " ".join(capfd.readouterr().out.split())
    assert "One model by fedavg" in out
    assert "next polyculture audit polyculture-federation/predictions" in out
    page = Path("polyculture-federation/page.html").read_text(encoding="utf-8")
    assert "whom does nobody get right then?" in page
    stored = json.loads(Path("polyculture-federation/federation.json").read_text(encoding="utf-8"))
    assert stored["name"] == "federation"
    assert main(["audit", "polyculture-federation/predictions", "--out", "audit"]) == 0
    assert main([*WORDS, "--json"]) == 0
    assert json.loads(capfd.readouterr().out.splitlines()[-1]) == stored


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--clients", "1"], "1 clients; expected 2 or more"),
        (["--clients", "80"], "80 clients"),
        (["--partition", "dirichlet:-1"], "dirichlet:-1"),
        (["--partition", "dirichlett:1"], "did you mean 'dirichlet'"),
        (["--partition", "column:farm"], "no column 'farm'"),
        (["--algorithm", "fedsum"], "algorithm is 'fedsum'"),
        (["--architecture", "forest"], "no weights that can be averaged"),
        (["--architecture", "mpl"], "mlp"),
        (["--rounds", "0"], "rounds is 0; expected a whole number, 1 or more"),
        (["--client-share", "0"], "client_share is 0.0"),
        (["--personal", "all"], "personalization is 'all'"),
        (["--runs", "0"], "independent of a federation is 0"),
        (["--noise", "0"], "noise is 0.0"),
        (["--algorithm", "fedavg", "--algorithm", "fedavg"], "the algorithm 'fedavg' is listed twice"),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    words: list[str], line: str, here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([*WORDS, *words]) == 2
    err = capfd.readouterr().err
    assert line in err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()[-1]) < 400


def test_numbers_to_be_predicted_are_refused(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["federate", "diabetes", "--shifts", "none"]) == 2
    assert "a federation for regression" in capfd.readouterr().err
