"""What does an image need? Prints the requirements of these extras, and of the package itself what they use.

    python deploy/requirements.py serve,grpc,postgres

A server reads no tables and draws no pages, so pandas, pyarrow and the like stay out; training needs all.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

SERVER = ("numpy", "scipy", "jaxtyping", "typer", "rich")
"""Of the package's own requirements, those that a server imports."""


def requirements(extras: list[str], pyproject: Path) -> list[str]:
    """Requirements, one a line."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    own = project["dependencies"]
    if "train" not in extras:
        own = [line for line in own if re.split(r"[<>=\[ ]", line)[0] in SERVER]
    return [*own, *(line for extra in extras for line in project["optional-dependencies"][extra])]


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1].split(","), Path(__file__).resolve().parents[1] / "pyproject.toml")))
