"""How is a result shown? As one self-contained page, a page for the terminal, and figures that are plain dicts."""

from .drawing import figures_of
from .page import report
from .panel import with_commands
from .sections import with_answers
from .terminal_page import terminal

__all__ = ["figures_of", "report", "terminal", "with_answers", "with_commands"]
