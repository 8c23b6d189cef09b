"""How is a result shown? One self-contained page, a page for the terminal, and figures that are plain dicts first."""

from __future__ import annotations

from polyculture.reporting.page import report

from .terminal_page import terminal

__all__ = ["report", "terminal"]
