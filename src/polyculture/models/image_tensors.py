"""How do images pass through a function of torch tensors? In shuffled batches, reproducibly; torch is loaded on use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

BATCH_SIZE = 4096
"""Images per batch; bounds memory."""


def augmented_images(
    images: np.ndarray, change: Callable[[Any, np.ndarray], Any], generator: np.random.Generator
) -> np.ndarray:
    """All images after a change of n × channels × h × w tensors, which also gets the rows of its batch.

    Batches are shuffled, so that any two images can be mixed. Randomness comes from `generator` alone.
    """
    import torch

    grey = images.ndim == 3
    order = generator.permutation(len(images))
    augmented = np.empty(images.shape, np.float32)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(int(generator.integers(2**63)))
        for rows in np.array_split(order, -(-len(order) // BATCH_SIZE)):
            batch = np.asarray(images[rows], np.float32)
            tensor = torch.from_numpy(np.ascontiguousarray(batch[:, None] if grey else np.moveaxis(batch, 3, 1)))
            changed = change(tensor, rows).clamp(0, 1).numpy()
            augmented[rows] = changed[:, 0] if grey else np.moveaxis(changed, 1, 3)
    return augmented.astype(images.dtype)
