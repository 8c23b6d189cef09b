"""What is a panel of judges worth? Independent votes, Condorcet's gap, humans, families and prices."""

from .options import PanelOptions
from .study import SECTIONS, PanelResult, panel

__all__ = ["SECTIONS", "PanelOptions", "PanelResult", "panel"]
