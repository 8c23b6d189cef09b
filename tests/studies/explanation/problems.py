"""Explanations of which the agreement is known."""

from __future__ import annotations

import numpy as np
import pandas as pd

from polyculture.explanations import Explanations
from polyculture.rng import stream

RECIPES = ("tree", "tree", "net", "net", "net")


def explanations(
    m: int = 5, n: int = 60, shape: tuple[int, ...] = (12,), seed: int = 0, shared: float = 0.5, **more: object
) -> Explanations:
    """Models of two recipes: attributions are what all share, what a recipe shares, and what a model has alone."""
    generator = stream(seed, "explanations")
    d = int(np.prod(shape))
    recipes = [RECIPES[a % len(RECIPES)] for a in range(m)]
    common, own = generator.normal(size=(n, d)), generator.normal(size=(m, n, d))
    by_recipe = {name: generator.normal(size=(n, d)) for name in sorted(set(recipes))}
    recipe = np.stack([by_recipe[name] for name in recipes])
    values = (shared * common + (1 - shared) * recipe + 0.2 * own).astype(np.float32)
    models = pd.DataFrame({"architecture": recipes, "seed": range(m)}, index=[f"m{a}" for a in range(m)])
    instances = pd.DataFrame(index=pd.RangeIndex(n, name="instance"))
    return Explanations(models, instances, values, shape, classes=("cat", "dog"), method="occlusion", **more)
