"""Is structured pruning as accurate as by torch-pruning's own recipe? ResNet-8 on digits, half of the channels removed.

    python benchmarks/compression_pruning.py

Prints the table of docs/experiments/pruning.md. Both prune the same five nets and tune for the same number of epochs.
The peer is the recipe of torch-pruning's README (BasePruner with GroupMagnitudeImportance, a ratio of 0.5 in every
layer, the last one ignored), tuned as in its examples/cifar: SGD at 0.01 with Nesterov momentum 0.9, weight decay
0.0005, batches of 128, a tenth of the rate after 60 % and 80 % of the epochs.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch_pruning
from scipy import stats
from torch import nn

import polyculture as pc
from polyculture.compression.compress import compressed
from polyculture.compression.context import CompressionContext
from polyculture.dataset import Dataset
from polyculture.models.fitted_net import FittedNet
from polyculture.training.architectures import find_architecture
from polyculture.training.finetuning import finetune

SEEDS, EPOCHS, TUNING = range(100, 105), 10, 10
RATIO = 0.5
RATE = 0.1
"""Default learning rate of the optimizer."""


def original(recipe: pc.Recipe, train: Dataset) -> FittedNet:
    """The net before it is pruned."""
    model = find_architecture(recipe.architecture).fit(recipe, train)
    assert isinstance(model, FittedNet)
    return model


def by_polyculture(model: FittedNet, recipe: pc.Recipe, train: Dataset, chain: str) -> Any:
    """The net after a chain of steps."""

    def fine_tune(model: Any, epochs: int, teacher: Any = None) -> FittedNet:
        return finetune(model, recipe, train, epochs, recipe.seed, teacher)

    return compressed(model, chain, CompressionContext(train, fine_tune=fine_tune))


def by_torch_pruning(model: FittedNet, train: Dataset, seed: int, batch_size: int = 128) -> FittedNet:
    """The net after the peer's recipe."""
    torch.manual_seed(seed)
    net = copy.deepcopy(model.net)
    inputs, labels = torch.from_numpy(model.encoder(train.array)), torch.from_numpy(train.labels.astype(np.int64))
    pruner = torch_pruning.pruner.BasePruner(
        net,
        inputs[:2],
        importance=torch_pruning.importance.GroupMagnitudeImportance(),
        pruning_ratio=RATIO,
        ignored_layers=[net[-1]],
    )
    pruner.step()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)
    steps = [round(share * TUNING) for share in (0.6, 0.8)]
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, steps, 0.1)
    for _ in range(TUNING):
        net.train()
        for rows in torch.randperm(len(train)).split(batch_size):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(inputs[rows]), labels[rows]).backward()
            optimizer.step()
        schedule.step()
    return replace(model, net=net.eval())


def accuracy(model: Any, test: Dataset) -> float:
    """Percent right."""
    return 100 * float((model(test.array).argmax(axis=1) == test.labels).mean())


def main() -> None:
    """Print a row for each way, with its difference to the peer in points over seeds."""
    torch.set_num_threads(1)
    digits = pc.load_problem("digits")
    train, test = digits.split.train, digits.split.test
    rows: dict[str, list[tuple[float, int]]] = {}
    for seed in SEEDS:
        recipe = pc.Recipe("resnet", seed=seed, optimizer="sgd", hyperparameters={"depth": 8, "epochs": EPOCHS})
        model = original(recipe, train)
        chain = f"prune-channels={RATIO}+tune={TUNING}"
        results = {
            "original": model,
            "torch-pruning's recipe": by_torch_pruning(model, train, seed),
            "torch-pruning's recipe, batches of 32": by_torch_pruning(model, train, seed, 32),
            chain: by_polyculture(model, recipe, train, chain),
            f"prune-channels={RATIO}": by_polyculture(model, recipe, train, f"prune-channels={RATIO}"),
        }
        for part in (2, 3, 10):
            slower = replace(recipe, hyperparameters={**recipe.hyperparameters, "learning_rate": RATE / part})
            results[f"{chain}, at 1/{part} of the rate"] = by_polyculture(model, slower, train, chain)
        for name, net in results.items():
            rows.setdefault(name, []).append((accuracy(net, test), net.parameters))
            print(f"seed {seed}  {name:40}  {rows[name][-1][0]:.2f} %  {net.parameters} weights", flush=True)
    peer = np.array(rows["torch-pruning's recipe"])[:, 0]
    print("\n| | weights | accuracy | difference to the peer [95 %] |\n|---|---|---|---|")
    for name, values in rows.items():
        accuracies = np.array(values)[:, 0]
        differences = accuracies - peer
        margin = stats.t.ppf(0.975, len(SEEDS) - 1) * differences.std(ddof=1) / len(SEEDS) ** 0.5
        mean, low, high = differences.mean(), differences.mean() - margin, differences.mean() + margin
        print(f"| {name} | {values[0][1]:,} | {accuracies.mean():.2f} % | {mean:+.2f} [{low:+.2f}, {high:+.2f}] |")


if __name__ == "__main__":
    main()
