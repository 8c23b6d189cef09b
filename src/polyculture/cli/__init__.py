"""What can one do from a shell? One function per verb; its signature is the command.

Results go to stdout, progress and errors to stderr. Exit codes: 0 success; 1 part of the work failed, or a gate is
broken; 2 the command or its input cannot be used; 3 a gate cannot be told; 130 stopped by Ctrl-C. Errors of polyculture
are one line; others keep their traceback.
"""

from . import (
    ablate,
    audit,
    check,
    clean,
    compress,
    crowd,
    deployment,
    evolve,
    explain,
    federate,
    panel,
    query,
    select,
    train,
)
from .application import app, main

__all__ = [
    "ablate",
    "app",
    "audit",
    "check",
    "clean",
    "compress",
    "crowd",
    "deployment",
    "evolve",
    "explain",
    "federate",
    "main",
    "panel",
    "query",
    "select",
    "train",
]
