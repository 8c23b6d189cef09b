"""Do workers agree more than chance would have them?"""

from __future__ import annotations

import numpy as np

from .annotations import Annotations


def krippendorff_alpha(annotations: Annotations) -> float:
    """Agreement of the workers beyond chance: 1 if all agree, 0 if as chance, below 0 if less.

    Chance is a draw from all labels of items that two workers or more labelled. nan where all of these are the same.

    Parameters
    ----------
    annotations : labels of the workers; missing ones are allowed.

    Source: Krippendorff 2011 (nominal data).
    """
    counts = annotations.counts[annotations.labels_per_item > 1].astype(np.float64)
    size = counts.sum(axis=1)
    total, classes = size.sum(), counts.sum(axis=0)
    observed = float(((size**2 - (counts**2).sum(axis=1)) / (size - 1)).sum())
    expected = float(total**2 - (classes**2).sum()) / (total - 1)
    return 1 - observed / expected if expected > 0 else np.nan
