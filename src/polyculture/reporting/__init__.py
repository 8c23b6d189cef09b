"""How is a result shown? One self-contained page, a page for the terminal, and figures that are plain dicts first."""

from __future__ import annotations

from polyculture.reporting.console import terminal
from polyculture.reporting.page import report

__all__ = ["report", "terminal"]
