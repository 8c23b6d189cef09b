"""The house stands: what is loaded when, and what is never used at all."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))


def modules_after(statement: str) -> set[str]:
    """Top-level packages that a fresh interpreter has loaded after `statement`."""
    code = f"{statement}\nimport sys\nprint(' '.join({{m.split('.')[0] for m in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("statement", ["import polyculture", "import polyculture.cli"])
def test_importing_loads_nothing_heavy(statement: str) -> None:
    heavy = {"torch", "sklearn", "pandas", "numpy", "scipy", "pyarrow", "vl_convert", "jinja2", "ray", "fastapi"}
    assert not modules_after(statement) & heavy


def test_auditing_a_table_needs_no_torch_and_no_learners() -> None:
    statement = (
        "import polyculture as pc\n"
        "p = pc.Predictions.from_answers({'a': [0, 1, 1, 0], 'b': [0, 0, 1, 1]}, [0, 1, 1, 1])\n"
        "assert pc.audit(p).n_models == 2"
    )
    assert not modules_after(statement) & {"torch", "sklearn", "onnx", "onnxruntime", "vl_convert"}


def test_nothing_is_ever_unpickled() -> None:
    forbidden = re.compile(
        r"\b(import pickle|from pickle|joblib\.load|torch\.load|allow_pickle=True|cloudpickle|dill\.)", re.MULTILINE
    )
    offenders = [str(p.relative_to(ROOT)) for p in SOURCES if forbidden.search(p.read_text(encoding="utf-8"))]
    assert offenders == []


def test_files_are_at_most_400_lines_long() -> None:
    long = {
        str(p.relative_to(ROOT)): n for p in SOURCES if (n := len(p.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert long == {}


def test_rooms_that_say_nothing_do_not_exist() -> None:
    empty = {"utils", "common", "core", "base", "config", "types", "helpers", "misc"}
    assert not {p.stem for p in SOURCES} & empty


def test_randomness_is_made_in_one_place() -> None:
    maker = re.compile(r"np\.random\.(default_rng|RandomState|seed)\(|random\.seed\(")
    makers = [str(p.relative_to(ROOT / "src" / "polyculture")) for p in SOURCES if maker.search(p.read_text("utf-8"))]
    assert makers == ["rng.py"]


def test_every_room_has_a_floor() -> None:
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    floors = {room.strip(" ()") for floor in contract[0]["layers"] for room in floor.split("|")}
    package = ROOT / "src" / "polyculture"
    rooms = {p.stem for p in package.iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()} - {"__init__"}
    assert rooms <= floors


def test_every_dependency_is_pinned_in_the_tested_set() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    names = {re.split(r"[<>=\[ ]", d)[0].lower().replace("_", "-") for d in wanted}
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in pins.splitlines() if "==" in line}
    assert names <= pinned
