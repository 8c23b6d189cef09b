"""Every public name says what it means, documents its parameters, and shows an example that runs.

Examples assume `import polyculture as pc`, `import numpy as np` and `import pandas as pd`.
"""

from __future__ import annotations

import ast
import doctest
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import polyculture as pc

TRAINING = {
    "DiverseEnsembleClassifier": "sklearn",
    "DiverseEnsembleRegressor": "sklearn",
    "load_problem": "sklearn",
    "train": "torch",
    "run": "torch",
    "ablate": "torch",
    "EvolutionOptions": "optuna",
    "evolve": "optuna",
    "export": "onnx",
    "retrain": "torch",
}
"""Names whose example needs a package of an optional extra."""
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def parameters(name: str) -> Iterator[str]:
    """The names of the parameters of a public function or class."""
    value = getattr(pc, name)
    if isinstance(value, type) and issubclass(value, Exception):
        value = value.__init__
    yield from (p.lstrip("*") for p in inspect.signature(value).parameters if p != "self")


@pytest.mark.parametrize("name", pc.__all__)
def test_a_public_name_has_a_first_line_and_an_example(name: str) -> None:
    text = inspect.cleandoc(getattr(pc, name).__doc__)
    assert re.match(r"[A-Z].*[.:]$", text.splitlines()[0])
    assert "\nExamples\n--------\n>>> " in text
    assert "pc." in text[text.index("Examples\n") :]


@pytest.mark.parametrize("name", [n for n in pc.__all__ if n not in ("FileError", "InputError", "TrainingError")])
def test_a_public_name_documents_every_parameter(name: str) -> None:
    text = inspect.cleandoc(getattr(pc, name).__doc__)
    entries = re.findall(r"^([a-z_]+(?:, [a-z_]+)*) : ", text, re.MULTILINE)
    described = {parameter for entry in entries for parameter in entry.split(", ")}
    assert [parameter for parameter in parameters(name) if parameter not in described] == []


@pytest.mark.parametrize("name", pc.__all__)
def test_a_public_function_says_what_it_raises(name: str) -> None:
    value = getattr(pc, name)
    if inspect.isfunction(value):
        source = inspect.getsource(inspect.getmodule(value) or value)
        raises = any(isinstance(node, ast.Raise) for node in ast.walk(ast.parse(source)))
        assert not raises or re.search(r"\bRaises\s+[A-Z]\w+Error\b", str(value.__doc__))


@pytest.mark.parametrize("name", pc.__all__)
def test_the_example_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name in TRAINING:
        pytest.importorskip(TRAINING[name], reason=f"the example of {name} needs an optional extra")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"pc": pc, "np": np, "pd": pd}
    text = inspect.cleandoc(getattr(pc, name).__doc__)
    example = doctest.DocTestParser().get_doctest(text, names, name, None, None)
    assert example.examples
    failures: list[str] = []
    doctest.DocTestRunner(optionflags=OPTIONS).run(example, out=failures.append)
    assert failures == []
