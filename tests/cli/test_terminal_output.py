"""Does what a command prints fit a terminal, and does it end in a command that runs?"""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.cells import cell_len

from polyculture.cli import main
from polyculture.results import Portfolio
from polyculture.testing import copying_errors

LONG = "vendor/model-70B-instruct-q4_K_M-of-the-year-"
TABLES = {
    "read": ("read", "a.csv", "--out", "kept"),
    "audit": ("audit", "a.csv"),
    "compare": ("compare", "a.csv", "b.csv"),
    "scaling": ("scaling", "b.csv", "--factors", "models.csv"),
    "select": ("select", "a.csv", "-k", "4"),
    "select one": ("select", "a.csv", "-k", "1", "--goal", "error"),
    "select by weights": ("select", "right.csv", "--correct", "--rule", "weighted_vote", "-k", "4"),
    "select numbers": ("select", "numbers.csv", "-k", "3"),
    "design": ("design", "axes.toml", "--kind", "full"),
}
TRAINED = {
    "run": ("run", "iris", "--recipes", "recipes.toml", "--workers", "1"),
    "ablate": ("ablate", "iris", "--levels", "dropout", "--replicates", "3", "--epochs", "1", "--workers", "1"),
    "evolve": ("evolve", "iris", "--axes", "axes.toml", "--budget", "4", "--first", "4", "--workers", "1"),
}
FILES = {"compare": "compare.json", "scaling": "scaling.json", "design": "design.json"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tables with names as vendors give them, sizes, numbers, and the axes of a design."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    labels = np.arange(300) % 2
    for name, sizes, prefix in (("a", (3, 3, 3), LONG), ("b", (2,) * 5, "b")):
        wrong = copying_errors(sizes, 300, copying=0.7, seed=1)
        answers = pd.DataFrame({f"{prefix}{i}": labels ^ row for i, row in enumerate(wrong)})
        answers.insert(0, "instance", [f"i{k}" for k in range(300)])
        answers.assign(label=labels).to_csv(f"{name}.csv", index=False)
    draw = np.random.default_rng(0)
    right = {f"m{i}": (draw.random(300) < 0.8).astype(int) for i in range(3)} | {
        "guess": (draw.random(300) < 0.3).astype(int)
    }
    pd.DataFrame(right).to_csv("right.csv", index_label="instance")
    truth = draw.normal(size=200)
    numbers = {f"m{i}": truth + draw.normal(size=200) for i in range(4)}
    pd.DataFrame(numbers).assign(target=truth).to_csv("numbers.csv", index_label="instance")
    sizes = pd.DataFrame({"model": [f"b{i}" for i in range(10)], "parameters": 10.0 ** np.arange(10)})
    sizes.to_csv("models.csv", index=False)
    axes = '[axes]\narchitecture = ["logistic", "knn", "naive-bayes"]\ndata = ["half-a", "half-b"]\nseed = [0, 1]\n'
    Path("axes.toml").write_text(axes)
    architectures = ("logistic", "knn", "naive-bayes")
    Path("recipes.toml").write_text("".join(f'[[recipe]]\narchitecture = "{name}"\n' for name in architectures))
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    code = main(list(words))
    out, err = capsys.readouterr()
    assert code == 0, err
    return out


def following(text: str) -> list[str]:
    """The words of the command that the last line names."""
    last = text.rstrip().split("\n")[-1]
    assert last.startswith("next  polyculture "), last
    return shlex.split(last)[2:]


def check_lines(text: str, width: int = 80) -> None:
    """No line is wider, but for paths and commands to copy; no colour; no number is parted from its percent sign."""
    assert "\x1b" not in text
    lines = [line for line in text.split("\n") if not line.startswith(("next  ", "page  "))]
    assert max(map(cell_len, lines)) <= width
    assert not any(line.strip().startswith(("% ", "%,", "%.", "%;")) for line in lines)


@pytest.mark.parametrize("name", [name for name in TABLES if name != "design"])
def test_a_command_on_tables_fits_the_terminal_and_ends_in_a_command_that_runs(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    text = printed(capsys, *TABLES[name])
    check_lines(text)
    words = following(text)
    following_text = printed(capsys, *words)
    assert following(following_text) if words[-1] != "--help" else True


@pytest.mark.slow
@pytest.mark.parametrize("name", [*TRAINED, "design"])
def test_a_command_that_trains_fits_the_terminal_and_ends_in_a_command_that_runs(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("optuna")
    text = printed(capsys, *(TRAINED | TABLES)[name])
    check_lines(text)
    words = following(text)
    if name == "design":
        assert words == ["run", "digits", "--recipes", "polyculture-design/recipes.toml"]
        words = ["run", "iris", "--recipes", words[-1], "--workers", "1"]
    assert following(printed(capsys, *words))


def test_the_last_of_the_chain_is_report_and_it_ends_in_a_command_too(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert following(printed(capsys, "audit", "b.csv")) == [
        *("report", "polyculture-audit", "--out", "page-to-share.html"),
    ]
    assert following(printed(capsys, "report", "polyculture-audit")) == ["select", "--help"]
    printed(capsys, "select", "--help")
    printed(capsys, "select", "b.csv", "-k", "3")
    assert following(printed(capsys, "report", "polyculture-portfolio"))[:2] == ["audit", "b.csv"]


@pytest.mark.parametrize("width", [48, 60, 120])
def test_every_width_is_kept_to(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for name in ("select", "compare", "audit"):
        check_lines(printed(capsys, *TABLES[name]), width)


@pytest.mark.parametrize("name", FILES)
def test_a_page_and_the_json_are_left_in_the_folder(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    text = printed(capsys, *TABLES[name], "--out", "left")
    assert "page  left/page.html" in text
    stored = json.loads((folder / "left" / FILES[name]).read_text())
    sections = stored if isinstance(stored, list) else [stored]
    page = (folder / "left" / "page.html").read_text()
    for section in sections:
        assert section["title"] in page
    assert not list((folder / "left").glob(".*"))
    assert main([*TABLES[name], "--out", "left", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == stored
    assert err.rstrip().split("\n")[-1].startswith("next  polyculture ")


def test_what_does_not_apply_has_a_page_that_says_why(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in "xy":
        pd.DataFrame({"instance": range(30), "label": 0, "m0": 0, "m1": 0}).to_csv(f"{name}.csv", index=False)
    text = printed(capsys, "compare", "x.csv", "y.csv", "--out", "left")
    assert "Not applicable because" in text
    assert "Not applicable because" in (folder / "left" / "page.html").read_text()


def test_a_design_can_be_given_the_name_of_the_file_of_recipes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = following(printed(capsys, *TABLES["design"], "--out", "mine/recipes-of-may.toml"))
    assert words == ["run", "digits", "--recipes", "mine/recipes-of-may.toml"]
    assert [path.name for path in Path("mine").iterdir()] == ["recipes-of-may.toml"]


def test_fewer_members_than_asked_for_are_explained(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, *TABLES["select by weights"])
    assert "4 members were asked for, and fewer are better: " in " ".join(text.split())
    portfolio = Portfolio.from_json(Path("polyculture-portfolio/portfolio.json").read_text())
    assert (portfolio.requested, portfolio.k, min(portfolio.weights) > 0) == (4, 3, True)


def test_numbers_stay_whole_and_long_names_lose_their_middle(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, *TABLES["select"])
    members = Portfolio.from_json(Path("polyculture-portfolio/portfolio.json").read_text()).members
    rows = text[text.index("\nMembers\n") : text.index("\nGains\n")].strip().split("\n")[2:]
    assert len(rows) == len(members)
    for row, member in zip(rows, members, strict=True):
        name, weight = row.split()[:2]
        assert (name[:6], name[-1], "…" in name, weight) == ("vendor", member[-1], True, "0.250")
