"""The house reads in the field's language: names, sizes and imports, measured on the source itself."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from polyculture.cli.application import VERBS

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "polyculture"
SOURCES = sorted(PACKAGE.rglob("*.py"))

BANNED = frozenset((Path(__file__).parent / "words_that_are_no_names.txt").read_text(encoding="utf-8").split())
"""Words that say nothing of what a variable holds."""


@cache
def trees() -> dict[Path, ast.Module]:
    """The syntax tree of every file."""
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}


def functions() -> Iterator[tuple[Path, ast.FunctionDef]]:
    """Every function of the package, inner ones too."""
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                yield path, node


def local_names(function: ast.FunctionDef) -> set[str]:
    """Parameters and everything that is assigned in a function."""
    stored = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    arguments = function.args
    return stored | {a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}


def body_length(function: ast.FunctionDef) -> int:
    """Lines without the docstring."""
    docstring = ast.get_docstring(function, clean=False)
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1 - (len(docstring.splitlines()) if docstring else 0)


def lines_of(folder: Path) -> int:
    """Lines of all files of a room."""
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in folder.rglob("*.py"))


def test_local_names_are_nouns_of_what_they_hold() -> None:
    names = [(path, function.name, name) for path, function in functions() for name in local_names(function)]
    banned = [f"{path.relative_to(PACKAGE)} {function}: {name}" for path, function, name in names if name in BANNED]
    assert len(banned) / len(names) < 0.01, "\n".join(banned)


def test_no_public_class_name_is_used_twice() -> None:
    classes = [
        node.name
        for tree in trees().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
    assert {name: count for name, count in Counter(classes).items() if count > 1} == {}


def test_functions_are_short() -> None:
    lengths = sorted(body_length(function) for _, function in functions())
    assert lengths[int(0.9 * len(lengths))] <= 20
    assert lengths[-1] <= 70


def test_every_parameter_and_every_return_is_annotated() -> None:
    bare = []
    for path, function in functions():
        arguments = (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
        named = [a for a in arguments if a.arg not in ("self", "cls")]
        if function.returns is None or any(a.annotation is None for a in named):
            bare.append(f"{path.relative_to(PACKAGE)} {function.name}")
    assert bare == []


def test_no_folder_has_more_than_eighteen_files() -> None:
    files = Counter(path.parent for path in SOURCES if path.name != "__init__.py")
    assert {str(folder): count for folder, count in files.items() if count > 18} == {}


@pytest.mark.parametrize(("room", "most"), [("training", 10100), ("selection", 6000)])
def test_a_room_stays_small(room: str, most: int) -> None:
    assert lines_of(PACKAGE / room) <= most


def test_the_command_line_stays_thin() -> None:
    """A command reads its options, calls one public function and shows what it returned: some 90 lines each."""
    assert lines_of(PACKAGE / "cli") <= 90 * len(VERBS)


def test_selection_needs_few_classes() -> None:
    nodes = [n for path, tree in trees().items() if "selection" in path.parts for n in ast.walk(tree)]
    assert sum(isinstance(node, ast.ClassDef) for node in nodes) <= 34


def test_no_room_imports_the_package_root() -> None:
    root = re.compile(r"^\s*(from polyculture import |import polyculture\b)", re.MULTILINE)
    offenders = [
        str(path.relative_to(PACKAGE))
        for path in SOURCES
        if path != PACKAGE / "__init__.py" and any(root.match(line) for line in code_lines(path))
    ]
    assert offenders == []


def code_lines(path: Path) -> list[str]:
    """The lines of a file that are import statements."""
    lines = path.read_text(encoding="utf-8").splitlines()
    nodes = [n for n in ast.walk(trees()[path]) if isinstance(n, (ast.Import, ast.ImportFrom))]
    return [lines[node.lineno - 1] for node in nodes]


def test_percentages_are_written_in_one_place() -> None:
    """Each page prints one style of percentage: `polyculture.stats.interval.percent` writes all of them."""
    bare = re.compile(r"\{[^{}]*:[^{}]*%\}")
    offenders = [str(path.relative_to(PACKAGE)) for path in SOURCES if bare.search(path.read_text(encoding="utf-8"))]
    assert offenders in ([], ["stats/interval.py"])
