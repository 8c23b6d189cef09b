"""A net that must also be able to redraw what it saw."""

from __future__ import annotations

from typing import Any

from polyculture.models.encoder import Form


def autoencoder(
    form: Form, outputs: int, *, width: int = 64, code: int = 16, reconstruction: float = 1.0, dropout: float = 0.1
) -> Any:
    """An autoencoder that answers from its code; `reconstruction` weighs the squared error of what it redraws.

    Source: Hinton and Salakhutdinov 2006; learning both at once as in Le, Patterson and White 2018.
    """
    from .autoencoder_modules import Autoencoder

    return Autoencoder(form, outputs, (width, code), reconstruction, dropout)
