"""How do models become smaller and faster, and what does that do to the set of them? Tried, measured, kept or refused.

chains (what is tried) · originals · teaching · attempts (made once) · targets · compressed_sets · front · choosing
"""

from .chains import read_share
from .options import CompressOptions
from .study import CompressionResult, compress

__all__ = ["CompressOptions", "CompressionResult", "compress", "read_share"]
