"""How do models become smaller and faster, and what does that do to the set of them? Fitted models in and out.

levels (chains of steps as a level of a recipe) · methods (one file each) · compress (one model; whole populations in
studies) · measuring (size and latency) · gate (kept or refused, and why)
"""

from .compress import compressed
from .context import CompressionContext
from .levels import Step, level_of, read_level
from .methods import METHODS, Method

__all__ = ["METHODS", "CompressionContext", "Method", "Step", "compressed", "level_of", "read_level"]
