"""Do `polyculture read` and `polyculture audit` take what people have, and say what they took?"""

from __future__ import annotations

from pathlib import Path

import pytest

from polyculture import read
from polyculture.cli import main
from polyculture.results import Audit


@pytest.fixture
def polyculture(tmp_path, monkeypatch, capfd):
    """Run a command in an empty folder with two tables: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    for name, modulus in (("ann", 5), ("bob", 4)):
        rows = "".join(f"{i},{i % 3},{i % 3 if i % modulus else 9}\n" for i in range(60))
        Path(f"{name}.csv").write_text("instance,label,answer\n" + rows)

    def command(*words):
        code = main([str(word) for word in words])
        return code, *capfd.readouterr()

    return command


def test_read_writes_a_folder_and_says_how_the_sources_fit(polyculture):
    code, out, err = polyculture("read", "ann.csv", "bob.csv", "--out", "p")
    assert (code, err) == (0, "")
    assert out == (
        "2 models, 60 instances matched by their ids; every model has 60 of them.\nnext  polyculture audit p\n"
    )
    predictions = read("p")
    assert predictions.model_ids == ["ann", "bob"]
    assert predictions.wrong.sum(axis=1).tolist() == [12, 15]


def test_read_needs_a_place_to_write_to(polyculture):
    code, _, err = polyculture("read", "ann.csv")
    assert code == 2
    assert err == "polyculture: Missing option '--out'; see polyculture read --help.\n"


def test_audit_takes_several_paths_and_tells_first_how_they_fit(polyculture):
    code, out, err = polyculture("audit", "ann.csv", "bob.csv", "--out", "audit")
    assert (code, err) == (0, "")
    assert out.startswith("read  2 models, 60 instances matched by their ids; every model has 60 of them.\n")
    found = Audit.from_json(Path("audit/audit.json").read_text())
    assert found.sections[0].title == "What was read"
    assert found.source == "ann.csv, bob.csv"


def test_audit_leaves_bad_lines_out_when_asked(polyculture):
    with Path("bob.csv").open("a") as file:
        file.write("60,1")
    code, _, err = polyculture("audit", "ann.csv", "bob.csv")
    assert (code, err.startswith("polyculture: line 62 of bob.csv is cut off: the file ends")) == (
        2,
        True,
    )
    code, out, _ = polyculture("audit", "ann.csv", "bob.csv", "--skip-bad")
    assert code == 0
    assert "; lines left out: 1 (first: line 62 of bob.csv). " in " ".join(out.split())


def test_unify_and_normalize_are_options_of_both(polyculture):
    Path("x.jsonl").write_text('{"instance": 1, "label": "Yes", "a": "yes", "b": "YES"}\n')
    code, out, _ = polyculture("read", "x.jsonl", "--unify", "--out", "p")
    assert code == 0
    assert "and are treated as equal" in " ".join(out.split())
    assert not read("p").wrong.any()
    code, _, err = polyculture("read", "x.jsonl", "--normalize", "loose", "--out", "q")
    assert (code, err.startswith("polyculture: no normalizer 'loose'; expected one of exact, ")) == (2, True)
