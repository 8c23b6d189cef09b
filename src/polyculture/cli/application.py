"""How does a command begin and end? The application, its exit codes, and one line for every error."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from polyculture.errors import PolycultureError, TrainingError, visible
from polyculture.version import __version__

INTERRUPTED = 130
VERBS = (
    *("run", "design", "ablate", "evolve", "read", "audit", "check", "compare", "scaling", "select"),
    *("export", "serve", "label", "watch", "retrain", "report"),
)
"""The commands in the order of the help: train, audit, select, deploy, report."""
RENAMED = {"levers": "ablate", "breed": "evolve", "--levers": "--levels"}
"""Words of the previous release: accepted until the next one."""


class OrderedCommands(TyperGroup):
    """Commands in the order of `VERBS`."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=VERBS.index)


app = typer.Typer(
    name="polyculture",
    cls=OrderedCommands,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
>>>>>>> remote
)
"""The commands in the order of the help: train, audit, select, deploy, report."""
