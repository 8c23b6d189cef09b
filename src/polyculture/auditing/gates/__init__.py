"""Does an audit keep the bounds that a pipeline sets?

bounds (gates by name, judged by intervals) · numbers (which numbers of an audit have a name)
"""

from .bounds import check, check_gates, gates_of
from .numbers import numbers_of

__all__ = ["check", "check_gates", "gates_of", "numbers_of"]
