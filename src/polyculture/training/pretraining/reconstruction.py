"""Can a net tell what was hidden? It reads a spoiled input, and a decoder says what the input was."""

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
ASKED = 0.3
"""Share of the words that are asked for where not only hidden ones are."""


def learn(
    net: nn.Module, context: PretrainingContext, settings: tuple[int, float], masked: float, noise: float
) -> TrainingHistory:
    """Fit the net, in place, to tell its inputs from spoiled ones; of masked inputs only what is hidden counts."""
    inputs = torch.from_numpy(context.encoder(context.pool))
    with torch.no_grad():
        seen, _ = penultimate(net.eval(), inputs[:2])
    kind = WordReconstruction if context.encoder.form.vocabulary else InputReconstruction
    task = kind(net, context.encoder.form, seen.shape[-1], masked, noise)
    return descend(task, (inputs, inputs), context, settings, BATCH)


class InputReconstruction(nn.Module):  # type: ignore[misc]
    """A net, and two layers that tell the whole input from what the net's last layer reads."""

    def __init__(self, net: nn.Module, form: Form, features: int, masked: float, noise: float) -> None:
        super().__init__()
        self.net, self.form, self.masked, self.noise = net, form, masked, noise
        self.tell = nn.Sequential(nn.Linear(features, 128), nn.ReLU(), nn.Linear(128, math.prod(form.shape)))

    def forward(self, inputs: Tensor, targets: Tensor, generator: torch.Generator) -> Tensor:
        """Mean squared error of the numbers that were hidden, or of all where none were."""
        hidden = hidden_blocks(self.form, len(inputs), self.masked, generator)
        spoiled = noised(inputs, self.noise, generator).masked_fill(hidden, 0.0)
        device = self.tell[0].weight.device
        asked = (hidden if self.masked else torch.ones_like(hidden)).to(device)
        told = self.tell(penultimate(self.net, spoiled.to(device))[0]).view(targets.shape)
        return ((told - targets.to(device)).square() * asked).sum() / asked.sum().clamp(min=1)


class WordReconstruction(nn.Module):  # type: ignore[misc]
    """A net, and layers that tell the word at a place of a text, or the word that a token is, from what it reads."""

    def __init__(self, net: nn.Module, form: Form, features: int, masked: float, noise: float) -> None:
        super().__init__()
        self.net, self.masked, self.noise = net, masked, noise
        self.read = nn.Linear(features, 64)
        self.place = nn.Parameter(0.1 * torch.randn(form.shape[0], 64))
        self.tell = nn.Linear(64, form.vocabulary[0])

    def forward(self, inputs: Tensor, targets: Tensor, generator: torch.Generator) -> Tensor:
        """Mean negative log-probability of the known words that were hidden, or of some of all; 0 if there is none."""
        spoiled, asked = hidden_words(inputs, self.masked or self.noise, generator)
        if not self.masked:
            asked = present(inputs) & (torch.rand(asked.shape, generator=generator) < ASKED)
        words = targets if targets.ndim == 2 else targets[..., 0]
        device = self.place.device
        text, place = (asked & (words > 1)).nonzero(as_tuple=True)
        read = self.read(penultimate(self.net, spoiled.to(device))[0])
        of_each = read[text, place] if read.ndim == 3 else read[text]
        scores = self.tell((of_each + self.place[place]).relu())
        missed = nn.functional.cross_entropy(scores, words[text, place].to(device), reduction="sum")
        return missed / max(1, len(text))
