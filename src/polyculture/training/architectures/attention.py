"""Nets of attention: over the states of a recurrent net, among steps, from a decoder to an encoder, among patches."""

from __future__ import annotations

from typing import Any

from polyculture.models.encoder import Form


def attention(form: Form, outputs: int, *, width: int = 32, dropout: float = 0.1) -> Any:
    """A bidirectional GRU that looks back at its states by additive attention.

    Source: Bahdanau, Cho and Bengio 2015; one learned query as in Yang et al. 2016.
    """
    from .attention_modules import Attentive

    return Attentive(form, outputs, width, dropout)


def transformer(
    form: Form,
    outputs: int,
    *,
    width: int = 32,
    layers: int = 2,
    heads: int = 4,
    expansion: int = 2,
    dropout: float = 0.1,
) -> Any:
    """A Transformer encoder (Vaswani et al. 2017), normalized first; width a multiple of heads."""
    from .attention_modules import Blocks, TransformerEncoder

    return TransformerEncoder(form, outputs, Blocks(width, layers, heads, expansion, dropout))


def transformer_decoder(
    form: Form,
    outputs: int,
    *,
    width: int = 32,
    layers: int = 2,
    heads: int = 4,
    expansion: int = 2,
    dropout: float = 0.1,
) -> Any:
    """A Transformer in which every step sees only those before; it answers from the last (Radford et al. 2018)."""
    from .attention_modules import Blocks, TransformerDecoder

    return TransformerDecoder(form, outputs, Blocks(width, layers, heads, expansion, dropout))


def transformer_encdec(
    form: Form,
    outputs: int,
    *,
    width: int = 32,
    layers: int = 2,
    heads: int = 4,
    expansion: int = 2,
    dropout: float = 0.1,
) -> Any:
    """A Transformer encoder that a decoder asks, starting from one learned query.

    For tags the tokens themselves are the queries, each of which sees the tokens before it and the whole encoding.
    Source: Vaswani et al. 2017; answering from the decoder's state as in BART (Lewis et al. 2020).
    """
    from .attention_modules import Blocks, TransformerEncoderDecoder

    return TransformerEncoderDecoder(form, outputs, Blocks(width, layers, heads, expansion, dropout))


def vit(
    form: Form,
    outputs: int,
    *,
    patch: int = 0,
    width: int = 32,
    layers: int = 2,
    heads: int = 4,
    expansion: int = 2,
    dropout: float = 0.1,
) -> Any:
    """A Vision Transformer (Dosovitskiy et al. 2021) over patches of so many pixels a side.

    A patch of 0 is a seventh of the longer side, rounded up. ViT-B/16 is patch=16, width=768, layers=12, heads=12,
    expansion=4.
    """
    from .attention_modules import Blocks
    from .vision_transformer import VisionTransformer

    return VisionTransformer(form, outputs, patch, Blocks(width, layers, heads, expansion, dropout))
