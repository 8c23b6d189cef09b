"""ablate from the shell's side: what is trained, told and kept, what is skipped, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch")

from polyculture import read
from polyculture.cli import main
from polyculture.results import Audit

QUICK = ("--shifts", "noise", "--workers", "1", "--replicates", "3", "--epochs", "2", "--limit", "120")


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["ablate", *words])
    out, err = capsys.readouterr()
    return code, " ".join(out.split()), err


@pytest.mark.slow
def test_levers_are_trained_tested_and_told_on_a_page_and_in_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    pulled = ("--levels", "dropout", "--levels", "label-smoothing", "--levels", "specaugment")
    code, out, _ = said(capsys, "digits", *pulled, *QUICK, "--out", "d")
    assert code == 0
    table = pd.read_csv("d/levers.csv")
    assert set(table["lever"]) == {"dropout", "label-smoothing"}
    assert set(table["measure"]) == {
        *("accuracy", "gap", "shifted_accuracy", "log_loss", "ece", "n_eff", "n_eff_pair", "seconds", "operations")
    }
    first = table.iloc[0]
    assert (first["axis"], first["way"]) == ("hyperparameters", "dropout 0 → 0.3")
    assert first["pulled"] - first["plain"] == pytest.approx(first["change"])
    section = Audit.from_json(Path("d/audit.json").read_text()).section("levers")
    assert section.sentence.startswith("2 changes were tried, one at a time, on a baseline recipe with ")
    assert list(section.tables["skipped"]["lever"]) == ["specaugment"]
    assert "What does each change do" in Path("d/page.html").read_text()
    answers = read("d/predictions")
    assert answers.model_ids == [
        f"{name} · seed {seed}" for name in ("plain", "dropout", "label-smoothing") for seed in range(3)
    ]
    right = 1 - answers.wrong.mean(axis=1)
    assert first["change"] == pytest.approx(right[3:6].mean() - right[:3].mean())
    assert "next polyculture audit d/predictions --models 'plain*'" in out
    assert "label-smoothing" in out

    records = {path: path.stat().st_mtime_ns for path in Path("d/models").glob("*/recipe.json")}
    again, _, _ = said(capsys, "digits", *pulled, *QUICK, "--out", "d", "--json")
    assert again == 0
    assert {path: path.stat().st_mtime_ns for path in Path("d/models").glob("*/recipe.json")} == records


def test_tokens_are_tested_by_sentence_and_without_shifts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = np.random.Generator(np.random.PCG64(0)).integers(0, 9, (90, 5))
    text = "".join("".join(f"w{k}\tT{(k + (j + k == 5)) % 2}\n" for j, k in enumerate(row)) + "\n" for row in words)
    Path("t.conll").write_text(text)
    quick = ("--shifts", "none", "--workers", "1", "--replicates", "3", "--epochs", "1")
    code, _, err = said(capsys, "t.conll", "--architecture", "rnn", "--levels", "dropout", *quick, "--out", "t")
    assert (code, err.count("polyculture:")) == (0, 0)
    table = pd.read_csv("t/levers.csv").set_index("measure")
    assert table.loc["shifted_accuracy", "reason"] == "no shifted tests"
    assert table.loc["accuracy", "low"] <= table.loc["accuracy", "change"] <= table.loc["accuracy", "high"]


def test_a_lever_that_cannot_be_trained_is_left_out_and_told_and_one_left_alone_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    quick = ("--shifts", "none", "--workers", "1", "--replicates", "3", "--epochs", "1")
    code, _, err = said(capsys, "wine", "--levels", "adp", "--levels", "dropout", *quick, "--out", "w")
    assert code == 1
    why = "seed 0 could not be trained: 'adp' with 4 members for 3 classes; expected more classes than members; fewer."
    assert f"polyculture: adp is left out: {why}" in err
    assert set(pd.read_csv("w/levers.csv")["lever"]) == {"dropout"}
    code, _, err = said(capsys, "wine", "--levels", "adp", *quick, "--out", "w")
    assert code == 1
    assert err.endswith(f"polyculture: no change could be trained; expected one or more; the first: {why}\n")


def test_without_a_plain_recipe_there_is_nothing_to_compare_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    from polyculture.errors import TrainingError
    from polyculture.training.architectures import Net

    fit = Net.fit

    def fails_when_plain(self: Net, recipe: object, *rest: object) -> object:
        if not recipe.hyperparameters["dropout"]:  # type: ignore[attr-defined]
            raise TrainingError("the loss became nan")
        return fit(self, recipe, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Net, "fit", fails_when_plain)
    quick = ("--shifts", "none", "--workers", "1", "--replicates", "3", "--epochs", "1", "--architecture", "lenet")
    code, _, err = said(capsys, "digits", "--levels", "dropout", "--limit", "60", *quick, "--out", "p")
    assert code == 1
    assert err.endswith(
        "polyculture: the baseline recipe: seed 0 could not be trained: the loss became nan; expected every seed "
        "trained; choose another architecture or optimizer.\n"
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("diabetes",), "polyculture: an ablation on diabetes, whose labels are numbers; expected classes.\n"),
        (
            ("digits", "--replicates", "2"),
            "polyculture: 2 replicates; expected 3 or more; name more with --replicates.\n",
        ),
        (("digits", "--levels", "dropuot"), "polyculture: no change 'dropuot'; did you mean 'dropout' or 'drop' or "),
        (("digits", "--architecture", "mlpp"), "polyculture: no architecture 'mlpp'; did you mean 'mlp'"),
    ],
)
def test_what_cannot_be_asked_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str
) -> None:
    code, _, err = said(capsys, *words, "--out", str(tmp_path))
    assert code == 2
    assert err.startswith(says)
    assert err.count("\n") == 1
