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
    *("export", "serve", "label", "watch", "report"),
)
"""The commands in the order of the help: train, audit, select, deploy, report."""
