"""What does a fitted net compute from raw inputs? Its encoding, its layers and the units of its predictions as one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from polyculture.models.encoder import Encoder
from polyculture.models.fitted_net import FittedNet

from .layers import exportable


class RawNet(nn.Module):  # type: ignore[misc]
    """A copy of a fitted net that reads raw inputs and returns what `FittedNet` returns."""

    def __init__(self, model: FittedNet) -> None:
        super().__init__()
        centre, spread = model.encoder.target
        self.encoding = encoding(model.encoder)
        self.net = exportable(model.net)
        self.normalized = hasattr(self.net, "probabilities")  # over whole sequences
        self.register_buffer("target_centre", torch.tensor(centre))
        self.register_buffer("target_spread", torch.tensor(spread))

    def forward(self, inputs: Tensor) -> Tensor:
        """Raw inputs → probabilities (n × c, for tags n × steps × c), or n × 1 numbers in units of the target."""
        encoded = self.encoding(inputs)
        if self.normalized:
            return self.net.probabilities(encoded)
        scores = self.net(encoded)
        return scores * self.target_spread + self.target_centre if scores.shape[-1] == 1 else scores.softmax(dim=-1)


class Standardization(nn.Module):  # type: ignore[misc]
    """Features minus their centre, over their spread, in double precision as the encoder computes them."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.register_buffer("centre", torch.tensor(encoder.centre, dtype=torch.float64))
        self.register_buffer("spread", torch.tensor(encoder.spread, dtype=torch.float64))

    def forward(self, numbers: Tensor) -> Tensor:
        """n × … × features → the same, standardized."""
        return ((numbers.double() - self.centre) / self.spread).float()


class Spectrogram(Standardization):
    """A standardized spectrogram as an image of one channel."""

    def forward(self, numbers: Tensor) -> Tensor:
        """n × frames × bands → n × 1 × frames × bands."""
        return super().forward(numbers)[:, None]


class Pixels(nn.Module):  # type: ignore[misc]
    """Grey levels of [0, 1] in [−1, 1], channels first."""

    def __init__(self, colour: bool) -> None:
        super().__init__()
        self.colour = colour

    def forward(self, numbers: Tensor) -> Tensor:
        """n × h × w, n × h × w × channels or n × depth × h × w → n × channels × …"""
        scaled = numbers * 2 - 1
        return scaled.permute(0, 3, 1, 2) if self.colour else scaled[:, None]


def encoding(encoder: Encoder) -> nn.Module:
    """The numeric part of the encoding."""
    if encoder.modality in ("image", "volume"):
        return Pixels(colour=encoder.modality == "image" and len(encoder.shape) == 3)
    if encoder.modality == "audio":
        return Spectrogram(encoder)
    return nn.Identity() if encoder.modality in ("text", "tags") else Standardization(encoder)
