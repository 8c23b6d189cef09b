"""Does a net recognize an input? Two corrupted views of one are to be similar, and dissimilar to the others."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from polyculture.models.encoder import Form

from ..context import PretrainingContext, TrainingHistory
from ..objectives.contrastive import penultimate
from .corruption import hidden_blocks, hidden_words, noised, present, shifted
from .loop import descend

BATCH, WIDTH, MOST_TOKENS = 128, 64, 512
NOISE, HIDDEN = 0.2, 0.2


def learn(
    net: nn.Module, context: PretrainingContext, settings: tuple[int, float], temperature: float
) -> TrainingHistory:
    """Fit the net, in place, so that the inputs of its last layer identify an input in spite of corruption."""
    inputs = torch.from_numpy(context.encoder(context.pool))
    with torch.no_grad():
        features, _ = penultimate(net.eval(), inputs[:2])
    task = ContrastiveModule(net, context.encoder.form, features.shape[-1], temperature)
    return descend(task, (inputs, inputs), context, settings, BATCH)


class ContrastiveModule(nn.Module):  # type: ignore[misc]
    """A net, and two layers that project the inputs of its last layer."""

    def __init__(self, net: nn.Module, form: Form, features: int, temperature: float) -> None:
        super().__init__()
        self.net, self.form, self.temperature = net, form, temperature
        self.project = nn.Sequential(nn.Linear(features, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH))

    def forward(self, inputs: Tensor, targets: Tensor, generator: torch.Generator) -> Tensor:
        """Contrastive loss of two views of each input, or of each of a sample of tokens."""
        device = self.project[0].weight.device
        views = [corrupted(inputs, self.form, generator).to(device) for _ in range(2)]
        features = [penultimate(self.net, view)[0] for view in views]
        if self.form.kind == "tags":
            token = present(targets).nonzero()
            text, place = token[torch.randperm(len(token), generator=generator)[:MOST_TOKENS]].to(device).T
            features = [features_of_view[text, place] for features_of_view in features]
        return disagreement(self.project(features[0]), self.project(features[1]), self.temperature)


def corrupted(inputs: Tensor, form: Form, generator: torch.Generator) -> Tensor:
    """A view of each encoded input."""
    if form.vocabulary:
        return hidden_words(inputs, HIDDEN, generator)[0]
    if form.kind == "image":
        inputs = shifted(inputs, generator)
    return noised(inputs, NOISE, generator).masked_fill(hidden_blocks(form, len(inputs), HIDDEN, generator), 0.0)


def disagreement(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """NT-Xent: mean negative log-probability of the matching view among all 2n − 1 (Chen et al. 2020)."""
    n = len(first)
    directions = nn.functional.normalize(torch.cat([first, second]), dim=1)
    diagonal = torch.eye(2 * n, dtype=torch.bool, device=directions.device)
    similarities = (directions @ directions.T / temperature).masked_fill(diagonal, float("-inf"))
    partner = (torch.arange(2 * n, device=similarities.device) + n) % (2 * n)
    return nn.functional.cross_entropy(similarities, partner)
