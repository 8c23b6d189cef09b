"""What does a model answer? Rows of finite numbers, or an error that says what they are instead."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Shaped

from polyculture.errors import InputError


def outputs_of(
    model: Callable[[np.ndarray], np.ndarray], inputs: Shaped[np.ndarray, "n ..."]
) -> Float[np.ndarray, "n c"]:
    """The model's n × c probabilities, or n × 1 numbers, in double precision.

    Raises InputError where they have another shape or are not finite.
    """
    outputs = np.asarray(model(inputs), np.float64)
    if outputs.ndim != 2 or len(outputs) != len(inputs) or not np.isfinite(outputs).all():
        problem = "nan or infinite values" if outputs.shape[:1] == (len(inputs),) else f"the shape {outputs.shape}"
        raise InputError(f"the outputs of a model have {problem}", f"{len(inputs)} rows of finite numbers")
    return outputs
