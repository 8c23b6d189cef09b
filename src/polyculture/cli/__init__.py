"""What can one do from a shell? One function per verb; its signature is the command.

Results go to stdout, progress and complaints to stderr. Exit codes: 0 all is well; 1 the command ran but something in
it failed; 2 the command or its input cannot be used; 130 stopped by Ctrl-C. An error that polyculture raises on purpose
is one line without a traceback; any other exception is a bug and keeps its traceback.
"""

from __future__ import annotations

from . import ablate, audit, evolve, select, train
from .application import app, main

__all__ = ["ablate", "app", "audit", "evolve", "main", "select", "train"]
