"""Small fitted nets and their training sets, of several kinds of inputs."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from polyculture.compression import CompressionContext
from polyculture.dataset import Dataset
from polyculture.models.fitted_net import FittedNet
from polyculture.recipe import Recipe
from polyculture.rng import stream
from polyculture.training.architectures import ARCHITECTURES

N, CLASSES = 160, ("a", "b", "c")
WORDS = np.array([f"word{i}" for i in range(40)])
NETS: dict[str, tuple[str, dict[str, Any]]] = {
    "table": ("mlp", {}),
    "numbers": ("mlp", {}),
    "binary": ("mlp", {}),
    "image": ("resnet", {"width": 16, "depth": 8}),
    "small image": ("lenet", {}),
    "audio": ("lenet", {}),
    "text": ("attention", {}),
    "tags": ("lstm", {}),
    "chains of tags": ("crf", {}),
}


def dataset(kind: str) -> Dataset:
    """Instances whose classes can be learned in a few epochs."""
    draw = stream(0, "compressed", kind)
    codes = np.arange(N) % (2 if kind == "binary" else 3)
    classes = CLASSES[:2] if kind == "binary" else CLASSES
    if kind in ("table", "binary", "numbers"):
        table = draw.normal(100.0, 2.0, (N, 6)) + 3 * codes[:, None]
        return Dataset(table, table.sum(axis=1), ()) if kind == "numbers" else Dataset(table, codes, classes)
    if kind in ("image", "small image"):
        pictures = draw.random((N, 12, 12)) * 0.6
        for picture, code in zip(pictures, codes, strict=True):
            picture[4 * code : 4 * code + 4] += 0.4
        return Dataset(pictures, codes, classes, modality="image")
    if kind == "audio":
        time = np.arange(1200) / 8000
        tones = np.sin(2 * np.pi * (300 * (1 + codes))[:, None] * time) * 0.5 + draw.normal(0, 0.05, (N, 1200))
        return Dataset(tones.clip(-1, 1), codes, classes, modality="audio")
    words = draw.choice(WORDS, (N, 6))
    places = np.array([int(word[4:]) % 3 for word in words.ravel()]).reshape(words.shape)
    if kind == "text":
        texts = np.array([" ".join(row) for row in words])
        return Dataset(
            texts, np.bincount(np.arange(N).repeat(6), places.ravel()).astype(int) % 3, classes, modality="text"
        )
    return Dataset(words, places, classes, modality="tags")


@cache
def fitted(kind: str) -> FittedNet:
    """A net after a few epochs."""
    name, settings = NETS[kind]
    objective = "squared" if kind == "numbers" else "cross-entropy"
    recipe = Recipe(name, objective=objective, optimizer="adam", hyperparameters={"epochs": 4} | settings)
    model = ARCHITECTURES[name].fit(recipe, dataset(kind))
    assert isinstance(model, FittedNet)
    return model


def context(kind: str, seed: int = 0) -> CompressionContext:
    """What a method may use."""
    return CompressionContext(dataset(kind), seed)
