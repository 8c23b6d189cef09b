"""How does the score of a net change with the words of a text? By gradients with respect to the vectors of words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float32, Int, Shaped
from torch import Tensor, nn

from polyculture.models import tokenizer
from polyculture.models.fitted_net import FittedNet

from .features import word_table
from .net_inputs import scores
from .options import ExplainOptions
from .stacked_gradients import GAP, REFINED, step_weights

ROWS = 64
"""Rows per pass: no more than pretrained models take at once."""
Reading = Literal["length", "product", "integral"]


def word_gradients(
    models: Mapping[str, FittedNet],
    texts: Shaped[np.ndarray, " n"],
    targets: Int[np.ndarray, "m n"],
    options: ExplainOptions,
    reading: Reading,
) -> Float32[np.ndarray, "m n d"]:
    """Attributions of each word of the texts.

    Parameters
    ----------
    reading : ``"length"`` of the gradient with respect to a word's vector; its ``"product"`` with the vector; or
        ``"integral"``: the product averaged along the way from the zero vector, which is no word. The vectors of all
        words grow together; markers around a text stay as they are.

    Pieces of words are added up. Words beyond those that a model reads have no attribution.
    """
    d = word_table(texts).shape[1]
    values = np.zeros((len(models), len(texts), d), np.float32)
    for row, codes, model in zip(values, targets, models.values(), strict=True):
        places = word_places(model, texts, d)
        pieces = _PieceGradients(model, texts, torch.from_numpy(codes), torch.from_numpy(places >= 0), options.scale)
        readings = {"length": pieces.lengths, "product": pieces.products, "integral": pieces.integrals}
        attributions = readings[reading](options.samples or 1)
        instances, steps = np.nonzero(places >= 0)
        np.add.at(row, (instances, places[instances, steps]), attributions.numpy()[instances, steps])
    return values


def word_places(model: FittedNet, texts: Shaped[np.ndarray, " n"], d: int) -> Int[np.ndarray, "n l"]:
    """Place of the word (of the first d) that each code of a net belongs to; −1 for padding and markers."""
    codes = model.encoder(texts)
    if not hasattr(model.encoder, "checkpoint"):
        lengths = np.array([min(len(tokenizer.split(str(text))), d) for text in texts])
        steps = np.arange(codes.shape[1])
        return np.where(steps < lengths[:, None], steps, -1)
    places = np.full(codes.shape, -1)
    pieces = model.encoder.checkpoint.tokenizer.encode_batch([str(text) for text in texts])
    for row, text, piece in zip(places, texts, pieces, strict=True):
        ends = np.array([end for _, end in tokenizer.spans(str(text))][:d])
        for step, (start, end) in enumerate(piece.offsets[: len(row)]):
            word = int(np.searchsorted(ends, start, side="right"))
            row[step] = word if end > start and word < len(ends) else -1
    return places


class _PieceGradients:
    """Gradients with respect to the vectors that a net looks up for the pieces of texts, in all its tables."""

    def __init__(self, model: FittedNet, texts: np.ndarray, targets: Tensor, present: Tensor, scale: str) -> None:
        self.model, self.targets, self.present, self.scale = model, targets, present, scale
        self.net = model.net.eval()
        self.codes = torch.from_numpy(model.encoder(texts))

    def lengths(self, _: int) -> Tensor:
        """Length of the gradient of each piece, n × l."""
        return self._over(lambda rows: self._pass(rows, torch.ones(len(rows)), product=False)[1])

    def products(self, _: int) -> Tensor:
        """Gradient × vector of each piece, n × l."""
        return self._over(lambda rows: self._pass(rows, torch.ones(len(rows)))[1])

    def integrals(self, steps: int) -> Tensor:
        """Gradient × vector of each piece, averaged along the way from zero vectors: n × l; refined as `integrate`."""
        values = self._over(partial(self._integral, steps=steps))
        for refined in REFINED:
            sums, change = values[:, :-1].sum(dim=1), values[:, -1]
            open_rows = ((sums - change).abs() > GAP * change.abs().clamp(min=1)).nonzero()[:, 0]
            if refined > steps and len(open_rows):
                values[open_rows] = self._over(partial(self._integral, steps=refined), open_rows)
        return values[:, :-1]

    def _over(self, function: Callable[[Tensor], Tensor], rows: Tensor | None = None) -> Tensor:
        rows = torch.arange(len(self.codes)) if rows is None else rows
        return torch.cat([function(part) for part in rows.split(ROWS)])

    def _integral(self, rows: Tensor, steps: int) -> Tensor:
        """The integral for each piece, and the change of the score: rows × (l + 1)."""
        places = torch.linspace(0, 1, steps + 1)
        integrals = []
        for row in rows:
            passes = [self._pass(row.expand(len(part)), part) for part in places.split(ROWS)]
            values, products = (torch.cat(parts) for parts in zip(*passes, strict=True))
            weights = step_weights(values, products.sum(dim=1))
            integrals.append(torch.cat([weights @ products, values[-1:] - values[:1]]))
        return torch.stack(integrals)

    def _pass(self, rows: Tensor, factors: Tensor, product: bool = True) -> tuple[Tensor, Tensor]:
        """Scores of these rows with their vectors multiplied by factors, and attributions of each piece, rows × l."""
        pairs: list[tuple[Tensor, Tensor]] = []
        present = self.present[rows]

        def scaled(_: nn.Module, __: tuple[Tensor, ...], vectors: Tensor) -> Tensor:
            mask = present[:, : vectors.shape[1], None]
            leaf = torch.where(mask, vectors * factors[:, None, None], vectors).detach().requires_grad_()
            pairs.append((leaf, vectors.detach() * mask))
            return leaf

        with ExitStack() as stack, torch.enable_grad():
            for table in _tables(self.net):
                stack.callback(table.register_forward_hook(scaled).remove)
            values = scores(self.model, self.net(self.codes[rows]), self.targets[rows], self.scale)
            slopes = torch.autograd.grad(values.sum(), [leaf for leaf, _ in pairs])
        total = torch.zeros(len(rows), self.codes.shape[1])
        for slope, (_, vectors) in zip(slopes, pairs, strict=True):
            sizes = (slope * vectors).sum(dim=2) if product else slope.norm(dim=2)
            total[:, : sizes.shape[1]] += sizes
        return values.detach(), total


def _tables(net: nn.Module) -> list[nn.Module]:
    """The tables in which a net looks up words: not those of places and segments of pretrained models."""
    if hasattr(net, "checkpoint"):
        return [net.model.get_input_embeddings()]
    return [module for module in net.modules() if isinstance(module, nn.Embedding)]
