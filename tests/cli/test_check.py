"""check from the shell's side: exit codes, files, configuration; and as a hook and a step of a pipeline."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from polyculture.cli import main
from polyculture.results import CheckResult
from polyculture.testing import copying_errors

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "check.md"
CONFIG = """
[check]
paths = "answers.csv"
models = ["m*"]
group = "site"

[check.min]
n_eff = 2

[check.max]
all_wrong = 0.05
kappa = 0.8
"all_wrong@site=north" = 0.1
"""


def write_table(path: Path, sizes: tuple[int, ...]) -> None:
    """Answers of clusters of models that err together."""
    labels = np.arange(400) % 2
    wrong = copying_errors(sizes, 400, seed=3)
    table = pd.DataFrame({f"m{k}": labels ^ row for k, row in enumerate(wrong)})
    table.insert(0, "label", labels)
    table["site"] = np.where(np.arange(400) < 100, "north", "south")
    table.to_csv(path, index=False)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a table of four independent models, one of two pairs of copies, and a configuration."""
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path / "answers.csv", (1, 1, 1, 1))
    write_table(tmp_path / "copies.csv", (2, 2))
    (tmp_path / "polyculture.toml").write_text(CONFIG)
    return tmp_path


def output(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["check", *words])
    out, err = capsys.readouterr()
    return code, out, err


def test_bounds_that_are_kept(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = output(capsys, "answers.csv", "--models", "m*", "--min", "n_eff=2", "--max", "kappa=0.8")
    assert code == 0
    assert [line.partition(" is ")[0] for line in out.splitlines()] == ["kept: n_eff", "kept: kappa"]
    assert err == "2 gates: 0 broken, 2 kept.\n"


def test_a_broken_gate_is_one_line_and_exit_code_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = output(capsys, "copies.csv", "--models", "m*", "--min", "n_eff=3", "--max", "kappa=0.8")
    assert code == 1
    first, second = out.splitlines()
    assert re.fullmatch(
        r"broken: kappa is 1 \[0\.9\d+, 1\] \(m0 and m1\), expected at most 0\.8 \(.*above the bound\)", first
    )
    assert re.fullmatch(r"broken: n_eff is \S+ \[\S+, \S+\], expected at least 3 \(.*below the bound\)", second)


def test_the_configuration_of_the_folder_is_taken_and_the_command_line_comes_first(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert output(capsys)[0] == 0
    assert output(capsys, "copies.csv")[0] == 1
    code, out, _ = output(capsys, "--config", "polyculture.toml", "--max", "kappa=-0.9", "--json")
    result = CheckResult.from_json(out)
    assert code == result.exit_code == 1
    assert {gate.gate.number: gate.gate.bound for gate in result.gates} == {
        **{"n_eff": 2, "all_wrong": 0.05, "kappa": -0.9},
        "all_wrong@site=north": 0.1,
    }


def test_paths_of_a_configuration_start_from_its_folder(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    assert output(capsys, "--config", "../polyculture.toml")[0] == 0


def test_judge_safe_needs_the_whole_interval(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("answers.csv", "--models", "m*", "--max", "kappa_mean=0.02")
    assert output(capsys, *words)[0] == 0
    code, out, _ = output(capsys, *words, "--judge", "safe")
    assert code == 1
    assert "the interval does not exclude values above the bound" in out


def test_what_cannot_be_told_is_exit_code_3(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pd.DataFrame({"label": [0, 1] * 20, "a": [0, 1] * 20, "b": [0, 1] * 20}).to_csv("perfect.csv", index=False)
    code, out, err = output(capsys, "perfect.csv", "--min", "n_eff=2", "--junit", "check.xml")
    assert code == 3
    assert out.startswith("cannot tell: n_eff is undefined (")
    assert err.endswith("1 gate: 0 broken, 0 kept, 1 cannot be told.\n")
    assert ElementTree.parse("check.xml").getroot()[0][0][0].tag == "error"


def test_stored_audits_run_folders_and_tables_are_judged_alike(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", "copies.csv", "--models", "m*", "--out", "stored"]) == 0
    capsys.readouterr()
    bounds = ("--max", "kappa=0.8", "--min", "n_eff=2")
    lines = [output(capsys, path, *bounds) for path in ("stored", "stored/audit.json")]
    lines.append(output(capsys, "copies.csv", "--models", "m*", *bounds))
    assert lines[0] == lines[1] == lines[2]
    code, _, err = output(capsys, "stored", "--models", "m0", *bounds)
    assert code == 2
    assert err == (
        "polyculture: models with the stored audit in stored; expected no options of reading; audit its table.\n"
    )


def test_files_for_pipelines_are_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, _ = output(capsys, "copies.csv", "--junit", "out/check.xml", "--markdown", "out/check.md")
    assert code == 1
    suites = ElementTree.parse("out/check.xml").getroot()
    assert (suites.get("tests"), suites.get("failures")) == ("4", "1")
    text = Path("out/check.md").read_text()
    assert text.startswith("### polyculture check: broken\n")
    assert text.count("**broken**") == 1
    assert sorted(path.name for path in Path("out").iterdir()) == ["check.md", "check.xml"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--min", "nef=2"), "no number 'nef' in this audit; did you mean 'n_eff'"),
        (("--min", "n_eff"), "--min n_eff; expected NUMBER=BOUND, such as --min n_eff=2."),
        (("--max", "kappa=high"), "--max kappa=high; 'high' is no number; expected NUMBER=BOUND"),
        (("--max", "kappa=nan"), "max kappa = nan; expected a finite number"),
        (("--max", "kappa=.8", "--max", "kappa=.9"), "--max kappa is given twice; expected one bound."),
        (("--max", "all_wrong=5"), "max all_wrong = 5; expected a share in [0, 1], such as 0.05."),
        (("--max", "kappa=0.8", "--judge", "strict"), "judge 'strict'; expected 'shown' or 'safe'"),
        (("--config", "absent.toml"), "cannot read absent.toml: No such file or directory"),
        (("--max", "kappa=0.8", "--junit", "answers.csv/x.xml"), "cannot write to answers.csv"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    folder: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    code, out, err = output(capsys, "answers.csv", "--models", "m*", *words)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert message.replace("; 'high'", ": 'high'") in err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[check", "c.toml is not TOML: "),
        ("[other]\nx = 1", "c.toml has no [check] table; expected a [check] table, as in docs/guide/check.md."),
        ("check = 3", "c.toml has no [check] table"),
        ("[check]\nmims = 3", "c.toml: unknown key 'mims' in [check]; did you mean 'min'"),
        ("[check]\nmin = 3", "c.toml: min is 3 in [check]; expected a table."),
        ("[check]\npaths = 3", "c.toml: paths is 3 in [check]; expected text or a list of texts."),
        ("[check]\npaths = ['a', 3]", "c.toml: paths is ['a', 3] in [check]; expected text or a list of texts."),
        ("[check]\ncorrect = 1", "c.toml: correct is 1 in [check]; expected true or false."),
        ("[check]\nthreshold = true", "c.toml: threshold is True in [check]; expected a number."),
        ("[check.min]\nn_eff = '2'", "min n_eff = '2'; expected a finite number"),
        ("[check.min]\nn_eff.N0 = 2", "min n_eff = {'N0': 2}; expected a finite number"),
        ("[check]\n", "no gate; expected a bound on at least one number"),
        ("[check]\njudge = 'strict'\n[check.min]\nn_eff = 2", "judge 'strict'; expected 'shown' or 'safe'"),
    ],
)
def test_a_wrong_configuration_is_one_line_and_exit_code_2(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    (folder / "c.toml").write_text(text)
    code, out, err = output(capsys, "answers.csv", "--config", "c.toml")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert message in err


def test_nothing_to_check_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = output(capsys, "--min", "n_eff=2")
    assert code == 2
    assert err.startswith("polyculture: nothing to check; expected tables, logs, a folder or an audit.json;")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def repository(folder: Path) -> Path:
    """A throw-away git repository with the table and the configuration committed, and polyculture on the path."""
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    (bin_folder / "polyculture").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m polyculture.cli "$@"\n')
    (bin_folder / "polyculture").chmod(0o755)
    (folder / ".gitignore").write_text("bin\n")
    assert shell("git init -q . && git add . && git commit -qm start", folder).returncode == 0
    return folder


def shell(command: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command as a step of a pipeline runs it, in bash with -e."""
    who = {f"GIT_{role}_{key}": "ci@localhost" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    source = str(Path(__file__).resolve().parents[2] / "src")
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "PYTHONPATH": source}
    env = os.environ | who | settings | {"PATH": path} | variables
    return subprocess.run(["bash", "-ec", command], cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_hook_of_the_guide_lets_a_good_commit_pass_and_stops_a_bad_one(repository: Path) -> None:
    hook = repository / ".git" / "hooks" / "pre-commit"
    hook.write_text(blocks("sh")[0])
    hook.chmod(0o755)
    (repository / "README").write_text("x")
    assert shell("git add . && git commit -qm good", repository).returncode == 0
    write_table(repository / "answers.csv", (2, 2))
    done = shell("git commit -qam bad", repository)
    assert done.returncode == 1
    assert "broken: kappa is 1 [" in done.stdout + done.stderr
    assert shell("git log --format=%s", repository).stdout == "good\nstart\n"


@pytest.mark.slow
def test_the_workflow_of_the_guide_writes_the_summary_and_fails_with_the_gate(repository: Path) -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    workflow, configuration = map(yaml.safe_load, blocks("yaml"))
    steps = [step["run"] for step in workflow["jobs"]["check"]["steps"] if "run" in step]
    check, summary = (step for step in steps if not step.startswith("pip "))
    for sizes, code in (((1, 1, 1, 1), 0), ((2, 2), 1)):
        write_table(repository / "answers.csv", sizes)
        assert shell(check, repository).returncode == code
        done = shell(summary, repository, GITHUB_STEP_SUMMARY=str(repository / "summary.md"))
        assert done.returncode == 0
    text = (repository / "summary.md").read_text()
    assert [line for line in text.splitlines() if line.startswith("###")] == [
        "### polyculture check: kept",
        "### polyculture check: broken",
    ]
    assert ElementTree.parse(repository / "check.xml").getroot().get("failures") == "1"
    entry = configuration["repos"][0]["hooks"][0]
    assert entry["pass_filenames"] is False
    assert re.search(entry["files"], "answers.csv")
    assert shell(entry["entry"], repository).returncode == 1


def test_the_configuration_of_the_guide_is_one(folder: Path) -> None:
    from polyculture.auditing.gates import gates_of
    from polyculture.studies.gate_files import read_settings

    (folder / "guide.toml").write_text(blocks("toml")[0])
    settings = read_settings(folder / "guide.toml")
    assert settings.paths == (str(folder / "answers.csv"),)
    assert [str(gate) for gate in gates_of(settings.bounds)] == [
        *("n_eff at least 1.2", "all_wrong at most 0.05", "kappa at most 0.8", "all_wrong@site=north at most 0.1"),
    ]


def test_json_alone_is_on_stdout(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = output(capsys, "--json")
    stored = json.loads(out)
    assert (code, stored["kind"], stored["format"]) == (0, "polyculture.check", 2)
