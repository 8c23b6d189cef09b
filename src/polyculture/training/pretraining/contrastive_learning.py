"""Does a net know an input again? Two spoiled views of one are to look alike, and unlike those of others."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from polyculture.models.encoder import Form

from ..context import PretrainingContext, TrainingHistory
from ..objectives.contrastive import penultimate
from .corruption import hidden_blocks, hidden_words, moved, noised, present
from .loop import descend

BATCH, WIDTH, MOST_TOKENS = 128, 64, 512
NOISE, HIDDEN = 0.2, 0.2


def learn(
    net: nn.Module, context: PretrainingContext, settings: tuple[int, float], temperature: float
) -> TrainingHistory:
    """Fit the net, in place, so that what its last layer reads tells inputs apart however they are spoiled."""
    inputs = torch.from_numpy(context.encoder(context.pool))
    with torch.no_grad():
        seen, _ = penultimate(net.eval(), inputs[:2])
    task = ContrastiveModule(net, context.encoder.form, seen.shape[-1], temperature)
    return descend(task, (inputs, inputs), context, settings, BATCH)


class ContrastiveModule(nn.Module):  # type: ignore[misc]
    """A net, and two layers that project what its last layer reads."""

    def __init__(self, net: nn.Module, form: Form, features: int, temperature: float) -> None:
        super().__init__()
        self.net, self.form, self.temperature = net, form, temperature
        self.project = nn.Sequential(nn.Linear(features, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH))

    def forward(self, inputs: Tensor, targets: Tensor, generator: torch.Generator) -> Tensor:
        """How badly two views of each input, or of each of some tokens, find each other."""
        device = self.project[0].weight.device
        views = [spoiled(inputs, self.form, generator).to(device) for _ in range(2)]
        read = [penultimate(self.net, view)[0] for view in views]
        if self.form.kind == "tags":
            token = present(targets).nonzero()
            text, place = token[torch.randperm(len(token), generator=generator)[:MOST_TOKENS]].to(device).T
            read = [each[text, place] for each in read]
        return disagreement(self.project(read[0]), self.project(read[1]), self.temperature)


def spoiled(inputs: Tensor, form: Form, generator: torch.Generator) -> Tensor:
    """A view of each encoded input."""
    if form.vocabulary:
        return hidden_words(inputs, HIDDEN, generator)[0]
    if form.kind == "image":
        inputs = moved(inputs, generator)
    return noised(inputs, NOISE, generator).masked_fill(hidden_blocks(form, len(inputs), HIDDEN, generator), 0.0)


def disagreement(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """NT-Xent: mean negative log-probability that a view finds the other one among all 2n − 1 (Chen et al. 2020)."""
    n = len(first)
    directions = nn.functional.normalize(torch.cat([first, second]), dim=1)
    itself = torch.eye(2 * n, dtype=torch.bool, device=directions.device)
    alike = (directions @ directions.T / temperature).masked_fill(itself, float("-inf"))
    partner = (torch.arange(2 * n, device=alike.device) + n) % (2 * n)
    return nn.functional.cross_entropy(alike, partner)
