"""How are time series shifted? Noise, drift, gaps and a wrong gain. Inputs are n × steps × features."""

from __future__ import annotations

import numpy as np

from .suite import Shift, input_shift


def noise(windows: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Gaussian noise of a tenth of each feature's standard deviation per step of severity."""
    return np.asarray(windows + 0.1 * severity * generator.standard_normal(windows.shape) * _spread(windows))


def drift(windows: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """An offset that grows with every step, at the end by 0.15 standard deviations per severity, up or down."""
    sign = generator.choice([-1.0, 1.0], (len(windows), 1, windows.shape[2]))
    rising = np.linspace(0, 1, windows.shape[1])[:, None]
    return np.asarray(windows + 0.15 * severity * sign * rising * _spread(windows))


def missing(windows: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Missing steps, 10 % per step of severity, filled with the last observed value."""
    missing_steps = generator.random(windows.shape[:2]) < 0.1 * severity
    missing_steps[:, 0] = False
    last = np.maximum.accumulate(np.where(missing_steps, 0, np.arange(windows.shape[1])), axis=1)
    return np.take_along_axis(windows, last[:, :, None], axis=1)


def scaling(windows: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Instruments that read too high or too low, by 6 % of the value per step of severity."""
    sign = generator.choice([-1.0, 1.0], windows.shape[2])
    return np.asarray(windows * (1 + 0.06 * severity * sign))


def _spread(windows: np.ndarray) -> np.ndarray:
    return np.asarray(windows.std(axis=(0, 1)))


SUITE: dict[str, Shift] = {change.__name__: input_shift(change) for change in (noise, drift, missing, scaling)}
