"""A net that tags whole sequences at once."""

from __future__ import annotations

from typing import Any

from polyculture.errors import InputError
from polyculture.models.encoder import Form

DECODERS = ("marginal", "viterbi")


def crf(form: Form, outputs: int, *, width: int = 32, dropout: float = 0.1, decode: str = "marginal") -> Any:
    """A linear-chain conditional random field over a bidirectional LSTM.

    Its answers are the probabilities of each token's tags given the whole sequence (``decode="marginal"``), or
    probability 1 on the tags of the most probable sequence (``"viterbi"``). What its cross-entropy is of are whole
    sequences. InputError for inputs that are not sequences of tokens to tag.
    Source: Lafferty, McCallum and Pereira 2001; Lample et al. 2016.
    """
    if form.kind != "tags":
        raise InputError(f"'crf' was given inputs of kind {form.kind!r}", "sequences of tokens to tag", "use 'lstm'")
    if decode not in DECODERS:
        raise InputError(f"decode is {decode!r}", " or ".join(repr(name) for name in DECODERS))
    from .crf_modules import Tagger

    return Tagger(form, outputs, width, dropout, decode)
