"""Does a command show control characters in what strangers wrote as escapes, wherever a name or an answer is shown?"""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polyculture.cli
from polyculture.cli import main
from polyculture.errors import visible
from polyculture.studies.shell_words import shell_word

CLEAR = "\x1b[2J\x1b]0;title\x07"
MODELS = [f"evil{CLEAR}", "c1\x9b31m", "turned\u202egnp", "two\nlines", "[red]marked[/red]", ":warning: [/bold]"]
ANSWERS = [f"yes{CLEAR}", "no\x9d0;t\x9c", "may\u2066be\u2069\r"]
RAW = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
FILE = f"table{CLEAR}.csv"
OTHER, GROUPED = f"other{CLEAR}.csv", f"grouped{CLEAR}.csv"
N = 60


def rows(seed: int = 0) -> list[dict[str, Any]]:
    labels, rng = np.arange(N) % 3, np.random.default_rng(seed)
    table = [{"instance": f"q{k}\x1b[1m", "label": ANSWERS[label]} for k, label in enumerate(labels)]
    for model in MODELS:
        for row, label in zip(table, labels, strict=True):
            row[model] = ANSWERS[(label + (rng.random() < 0.4)) % 3]
    return table


def grouped(table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row | {"site": f"site{k % 2}\x1b[8m"} for k, row in enumerate(table)]


def as_csv(table: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue()


def as_long(table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"instance": row["instance"], "label": row["label"], "model": model, "answer": row[model]}
        for model in MODELS
        for row in table
    ]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    table = rows()
    for name, content in ((FILE, table), (OTHER, rows(1)), (GROUPED, grouped(table))):
        text = as_csv([{name: cell for name, cell in row.items() if "\n" not in name} for row in content])
        Path(name).write_text(text.replace("\r", ""), newline="")
    Path("long\x1bc.jsonl").write_text("\n".join(map(json.dumps, as_long(table))))
    factors = [{"model": m, "maker": f"{m[:3]}\x07", "parameters": 2**k} for k, m in enumerate(MODELS)]
    Path("models.csv").write_text(as_csv([row for row in factors if "\n" not in row["model"]]), newline="")
    for model in MODELS:
        lines = [
            {"doc_id": k, "doc": {"q": row["instance"]}, "target": row["label"], "filtered_resps": [row[model]]}
            | {"resps": [[row[model]]], "arguments": [], "filter": "none\x1b[2J", "metrics": ["exact_match"]}
            | {"exact_match": float(row["label"] == row[model])}
            for k, row in enumerate(table)
        ]
        Path("logs", model.replace("/", "_")).mkdir(parents=True)
        Path("logs", model.replace("/", "_"), "samples_t\x1b[2J.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return tmp_path


COMMANDS = [
    ["audit", GROUPED, "--group", "site", "--out", "out\x1b[2J"],
    ["audit", GROUPED, "--group", "site", "--factors", "models.csv", "--scale", "parameters", "--json"],
    ["audit", "long\x1bc.jsonl"],
    ["audit", "logs"],
    ["read", FILE, "--out", "p\x1b[2J", "--unify"],
    ["read", "logs", "--out", "p\x9b"],
    ["compare", FILE, OTHER],
    ["compare", FILE, OTHER, "--json"],
    ["select", FILE],
    ["select", GROUPED, "--members", "2", "--group", "site", "--out", "s\x1b[2J"],
    ["select", FILE, "--json"],
    ["scaling", FILE, "--factors", "models.csv"],
    ["scaling", FILE, "--factors", "models.csv", "--json"],
]


def shown(capsys: pytest.CaptureFixture[str], arguments: list[str], code: int = 0) -> str:
    assert main(arguments) == code, capsys.readouterr().err
    out, err = capsys.readouterr()
    for text in (out, err):
        assert not RAW.search(text), repr(text[max(0, RAW.search(text).start() - 60) :][:120])  # type: ignore[union-attr]
    return out + err


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda a: visible(" ".join(a)))
def test_no_command_prints_them_raw(arguments: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown(capsys, arguments)


def test_report_prints_them_as_escapes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown(capsys, ["audit", FILE, "--out", "a\x1b[2J"])
    shown(capsys, ["report", "a\x1b[2J"])
    shown(capsys, ["report", "a\x1b[2J", "--out", "b\x07/page.html"])
    for page in folder.rglob("page.html"):
        assert not RAW.search(page.read_text().replace("\t", " "))


@pytest.mark.parametrize(
    "arguments",
    [
        ["audit", f"absent{CLEAR}.csv"],
        ["audit", FILE, "--label", f"absent{CLEAR}"],
        ["audit", FILE, "--models", f"absent{CLEAR}*"],
        ["audit", FILE, "--group", "absent\x9b"],
        ["audit", FILE, "--normalize", "\x1b[2J"],
        ["audit", FILE, "--correct"],
        ["audit", "long\x1bc.jsonl", "--instance", "label"],
        ["audit", "logs", "--metric", "\x1b[2J"],
        ["audit", "logs", "--filter", "\x1b[2J"],
        ["audit", FILE, "--no\x1b[2J"],
        ["audit", FILE, "--seed", "\x1b[2J"],
        ["evil\x1b[2J"],
        ["select", FILE, "--goal", "\x1b[2J"],
        ["scaling", FILE, "--factors", "models.csv", "--scale", "\x1b[2J"],
        ["report", "absent\x1b[2J"],
        ["run", "absent\x1b[2J"],
        ["design", "absent\x1b[2J"],
        ["compare", FILE, "absent\x1b[2J"],
    ],
    ids=lambda a: visible(" ".join(a)),
)
def test_errors_print_them_as_escapes_on_one_line(
    arguments: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(capsys, arguments, 2).count("\n") == 1


def test_a_design_prints_them_as_escapes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("axes.toml").write_text('[axes]\narchitecture = ["a\\u001b[2J", "[red]b", "c\\u009b"]\nseed = [0, 1]\n')
    shown(capsys, ["design", "axes.toml", "--kind", "full", "--out", "r\x1b[2J.toml"])


def test_words_in_brackets_and_colons_are_not_taken_for_markup(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (["audit", FILE], ["select", FILE, "-k", "5"], ["scaling", FILE, "--factors", "models.csv"]):
        assert "[red]marked[/red]" in shown(capsys, arguments)
    assert ":warning: [/bold]" in shown(capsys, ["audit", FILE])


@pytest.mark.skipif(sys.platform == "win32", reason="needs bash")
@pytest.mark.parametrize("word", [*MODELS, FILE, "it's\\x1b\x1b", "a b", "\udcff\x9b", "plain"])
def test_a_word_of_the_next_command_is_the_name_again_in_the_shell(word: str) -> None:
    assert not RAW.search(shell_word(word))
    ended = subprocess.run(["bash", "-c", f"printf %s {shell_word(word)}"], capture_output=True, check=True)
    assert ended.stdout == word.encode("utf-8", "surrogateescape")


def test_commands_print_through_one_door() -> None:
    """A bare print of a name would show it raw: only JSON, and the functions that escape, print."""
    for path in Path(polyculture.cli.__file__).parent.glob("*.py"):
        prints = re.findall(r"\bprint\((.*)", path.read_text())
        assert all(re.match(r"\*map\(visible|\"polyculture:\", visible|.*(json)", text) for text in prints), path.name


def test_what_an_encoding_lacks_is_written_as_an_escape(folder: Path) -> None:
    environment = {"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(Path(polyculture.cli.__file__).parents[2])}
    command = [sys.executable, "-m", "polyculture.cli", "compare", FILE, OTHER]
    ended = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert ended.returncode == 0, ended.stderr
    assert rb"\u03c1" in ended.stdout
