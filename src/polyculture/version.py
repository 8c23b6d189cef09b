"""Which release is this? Written into every result, so that a stored number says what made it."""

__version__ = "0.1.0"
