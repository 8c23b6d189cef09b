"""How does a fitted net predict? In batches, by the softmax of its scores; torch is loaded on first use."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from .encoder import Encoder
from .fitted import FitCost, Fitted

BATCH = 512
"""Inputs per forward pass; convolutions over more leave the cache and take twice as long."""


@dataclass(frozen=True, eq=False)
class FittedNet(Fitted):
    """A fitted torch net and the encoder of its inputs.

    Parameters
    ----------
    net : the module.
    encoder : of its inputs.
    curve : mean training loss of each epoch.
    cost : of the fit.
    resized : whether layers have fewer channels than the recipe says.
    """

    net: Any
    encoder: Encoder
    curve: tuple[float, ...] = ()
    cost: FitCost = field(default_factory=FitCost)
    resized: bool = False

    def __call__(self, inputs: Shaped[np.ndarray, "n ..."]) -> Float[np.ndarray, "k c"]:
        """Class probabilities of each input, or of each token; for regression the predicted numbers."""
        import torch

        self.net.eval()
        with torch.inference_mode():
            predictions: np.ndarray = torch.cat(
                [
                    self._batch(torch.from_numpy(self.encoder(inputs[start : start + BATCH])))
                    for start in range(0, len(inputs), BATCH)
                ]
            ).numpy()
        return predictions

    def _batch(self, batch: Any) -> Any:
        if hasattr(self.net, "probabilities"):  # nets that are normalized over whole sequences
            probabilities = self.net.probabilities(batch)
        else:
            scores = self.net(batch)
            if scores.shape[-1] == 1:
                centre, spread = self.encoder.target
                return scores * spread + centre
            probabilities = scores.softmax(dim=-1)
        return probabilities[batch[..., 0] > 0] if self.encoder.modality == "tags" else probabilities

    @property
    def parameters(self) -> int:  # type: ignore[override]
        """Number of weights."""
        return sum(p.numel() for p in self.net.parameters())

    def save(self, folder: Path) -> None:
        """Write ``weights.safetensors``, ``encoder.json`` and, where layers were changed, ``layers.json``."""
        from safetensors.torch import save_model

        from .compact_layers import save_layers

        save_model(self.net, str(folder / "weights.safetensors"))  # weights that layers share are written once
        save_layers(self.net, self.resized, folder)
        self.encoder.save(folder)

    @classmethod
    def load(cls, folder: Path, net: Any, encoder: Encoder) -> FittedNet:
        """The untrained net, with the layers of ``layers.json`` if there is one, and ``weights.safetensors``."""
        from safetensors import safe_open
        from safetensors.torch import load_model

        from .compact_layers import load_layers

        path = folder / "weights.safetensors"
        with safe_open(path, "pt") as weights:
            shapes = {name: tuple(weights.get_slice(name).get_shape()) for name in weights.keys()}  # noqa: SIM118
        resized = load_layers(net, shapes, folder)
        load_model(net, path)
        return cls(net, encoder, resized=resized)
