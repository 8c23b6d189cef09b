"""Can a net reconstruct what was hidden? It reads a corrupted input, and a decoder predicts the original."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from polyculture.models.encoder import Form

from ..context import PretrainingContext, TrainingHistory
from ..objectives.contrastive import penultimate
from .corruption import hidden_blocks, hidden_words, noised, present
from .loop import descend

BATCH = 64
PREDICTED = 0.3
"""Share of the words that are predicted where not only hidden ones are."""


def learn(
    net: nn.Module, context: PretrainingContext, settings: tuple[int, float], masked: float, noise: float
) -> TrainingHistory:
    """Fit the net, in place, to reconstruct corrupted inputs; of masked inputs only what is hidden counts."""
    inputs = torch.from_numpy(context.encoder(context.pool))
    with torch.no_grad():
        features, _ = penultimate(net.eval(), inputs[:2])
    kind = WordReconstruction if context.encoder.form.vocabulary else InputReconstruction
    task = kind(net, context.encoder.form, features.shape[-1], masked, noise)
    return descend(task, (inputs, inputs), context, settings, BATCH)


class InputReconstruction(nn.Module):  # type: ignore[misc]
    """A net, and two layers that reconstruct its input from the inputs of its last layer."""

    def __init__(self, net: nn.Module, form: Form, features: int, masked: float, noise: float) -> None:
        super().__init__()
        self.net, self.form, self.masked, self.noise = net, form, masked, noise
        self.decoder = nn.Sequential(nn.Linear(features, 128), nn.ReLU(), nn.Linear(128, math.prod(form.shape)))

    def forward(self, inputs: Tensor, targets: Tensor, generator: torch.Generator) -> Tensor:
        """Mean squared error of the hidden numbers, or of all where none were hidden."""
        hidden = hidden_blocks(self.form, len(inputs), self.masked, generator)
        corrupted = noised(inputs, self.noise, generator).masked_fill(hidden, 0.0)
        device = self.decoder[0].weight.device
        weights = (hidden if self.masked else torch.ones_like(hidden)).to(device)
        output = self.decoder(penultimate(self.net, corrupted.to(device))[0]).view(targets.shape)
        return ((output - targets.to(device)).square() * weights).sum() / weights.sum().clamp(min=1)


class WordReconstruction(nn.Module):  # type: ignore[misc]
    """A net, and layers that predict the word at a position of a text from the inputs of its last layer."""

    def __init__(self, net: nn.Module, form: Form, features: int, masked: float, noise: float) -> None:
        super().__init__()
        self.net, self.masked, self.noise = net, masked, noise
        self.project = nn.Linear(features, 64)
        self.place = nn.Parameter(0.1 * torch.randn(form.shape[0], 64))
        self.decoder = nn.Linear(64, form.vocabulary[0])

    def forward(self, inputs: Tensor, targets: Tensor, generator: torch.Generator) -> Tensor:
        """Mean negative log-probability of the hidden known words, or of a sample of all; 0 if there is none."""
        corrupted, positions = hidden_words(inputs, self.masked or self.noise, generator)
        if not self.masked:
            positions = present(inputs) & (torch.rand(positions.shape, generator=generator) < PREDICTED)
        words = targets if targets.ndim == 2 else targets[..., 0]
        device = self.place.device
        text, place = (positions & (words > 1)).nonzero(as_tuple=True)
        states = self.project(penultimate(self.net, corrupted.to(device))[0])
        features = states[text, place] if states.ndim == 3 else states[text]
        scores = self.decoder((features + self.place[place]).relu())
        loss = nn.functional.cross_entropy(scores, words[text, place].to(device), reduction="sum")
        return loss / max(1, len(text))
