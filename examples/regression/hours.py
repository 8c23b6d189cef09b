"""Is a few learners' weighted mean better than the best of them, on hours that come later?

    OMP_NUM_THREADS=1 python examples/regression/hours.py ETTh1.csv --horizon 24

The table is read as a series: the last 12 rows of all columns tell the last column some rows later. Learned from are
the 1,000 hours before the test, tested on the 3,000 after; between them is a gap, so that no window looks into both.
Learners are cross-fitted in five blocks of time.
Gains are paired by hour; their intervals take hours in blocks of window and horizon.
"""

from __future__ import annotations

import argparse
import tempfile
import time

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold

from polyculture.selection import DiverseEnsembleRegressor
from polyculture.selection.estimators.default_learners import regressors
from polyculture.stats import Interval, influence_interval

WINDOW, LEARNED, TESTED, LATER = 12, 1_000, 3_000, 0.4


def hours(path: str, horizon: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Inputs and targets to learn from, and those to be tested on."""
    table = pd.read_csv(path).select_dtypes("number").to_numpy()
    count = len(table) - WINDOW - horizon + 1
    X = np.lib.stride_tricks.sliding_window_view(table, WINDOW, axis=0)[:count].reshape(count, -1)
    y = table[WINDOW + horizon - 1 :, -1]
    first = round((1 - LATER) * count)
    learned = slice(first - (WINDOW + horizon - 1) - LEARNED, first - (WINDOW + horizon - 1))
    tested = slice(first, first + TESTED)
    return X[learned], y[learned], X[tested], y[tested]


def mean(losses: np.ndarray, horizon: int) -> Interval:
    """Mean with an interval that allows for neighbours that err together."""
    blocks = np.arange(len(losses)) // (WINDOW + horizon)
    return influence_interval(float(losses.mean()), losses - losses.mean(), blocks)


def main() -> None:
    """Print the squared errors and what the ensemble gains."""
    parser = argparse.ArgumentParser()
    parser.add_argument("path")
    parser.add_argument("--horizon", type=int, default=1)
    asked = parser.parse_args()
    X, y, later, truth = hours(asked.path, asked.horizon)
    last = later.reshape(len(later), -1, WINDOW)[:, -1, -1]
    with tempfile.TemporaryDirectory() as memory:

        def fitted(learners: list) -> DiverseEnsembleRegressor:
            cv = KFold(5)
            return DiverseEnsembleRegressor(learners, cv=cv, memory=memory, random_state=0).fit(X, y)

        started = time.process_time()
        every = dict(regressors(False))
        model = fitted(list(every.items()))
        seconds = time.process_time() - started
        names = list(model.candidates_.index)
        alone = np.stack([fitted([(name, every[name])]).predict(later) for name in names])
    crossfitted = model.candidates_["mean_squared_error"].to_numpy()
    best = int(crossfitted.argmin())
    mine = (model.predict(later) - truth) ** 2
    rivals = {
        f"best learner ({names[best]})": (alone[best] - truth) ** 2,
        f"mean of all {len(names)}": (alone.mean(axis=0) - truth) ** 2,
        "last value": (last - truth) ** 2,
    }
    print(f"{seconds:.0f} CPU seconds; kept: {', '.join(f'{name} {w:.2f}' for name, w in model.weights_.items())}")
    winner = names[int(((alone - truth) ** 2).mean(axis=1).argmin())]
    print(f"ensemble: cross-fitted {model.errors_['mean squared error']}, later {mean(mine, asked.horizon)}")
    print(f"best learner: cross-fitted {crossfitted[best]:.3f}; best later: {winner}")
    for name, losses in rivals.items():
        gain = mean(losses - mine, asked.horizon)
        print(f"{name}: {losses.mean():.3f}, gain {gain.format('.3f')}")


if __name__ == "__main__":
    main()
