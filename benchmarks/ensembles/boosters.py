"""What do the boostings that people install make of the same CPU seconds? CatBoost as it comes, and LightGBM tuned."""

from __future__ import annotations

from typing import Any

import numpy as np

from polyculture import rng
from polyculture.dataset import Dataset

from .rivals import MOST_ROUNDS, SEARCH, Clock, Flat, Said, mean_of, whole

HELD_OUT = 7
"""One row in so many tells when a boosting of LightGBM stops."""


def catboost(develop: Dataset, tests: dict[str, Dataset], clock: Clock, seed: int) -> Said:
    """CatBoost with its own settings and all rows, a thousand trees or as many as there is time for."""
    from catboost import CatBoostClassifier

    read = Flat.of(develop, dense=True)
    model = CatBoostClassifier(random_seed=seed, thread_count=1, verbose=False, allow_writing_files=False)
    model.fit(read(develop), develop.labels, callbacks=[_Stop(clock)])
    clock.stop()
    return mean_of([model], tests, read, len(develop.classes))


class _Stop:
    """Ends the growing of trees when the time is up."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def after_iteration(self, _info: Any) -> bool:
        """Whether to go on."""
        return self.clock.spent < self.clock.seconds


def lightgbm(develop: Dataset, tests: dict[str, Dataset], clock: Clock, seed: int) -> Said:
    """The settings with the lowest held-out loss of a random search, then copies that hold out other rows."""
    read, draw, y = Flat.of(develop, dense=True), rng.stream(seed, "lightgbm"), develop.labels
    X, best = read(develop), (np.inf, {}, None)
    for k in clock.rounds(SEARCH):
        setting = {
            "learning_rate": float(0.02 * 10 ** draw.random()),
            "num_leaves": int(draw.choice([4, 8, 15, 31, 63])),
            "min_child_samples": int(draw.choice([5, 10, 20, 40])),
            "reg_lambda": float(draw.choice([0.0, 0.1, 1.0, 10.0])),
            "colsample_bytree": float(draw.choice([0.3, 0.6, 1.0])),
            "subsample": float(draw.choice([0.6, 0.8, 1.0])),
            "subsample_freq": 1,
        }
        loss, model = _grown(setting if k else {}, X, y, seed)
        best = min(best, (loss, setting if k else {}, model), key=lambda triple: triple[0])
    members = [best[2], *(_grown(best[1], X, y, seed + 1 + k)[1] for k in clock.rounds())]
    clock.stop()
    return mean_of(members, tests, read, len(develop.classes))


def _grown(setting: dict[str, Any], X: Any, y: np.ndarray, state: int) -> tuple[float, Any]:
    """Trees until a held-out part gets no better for twenty rounds; its loss there."""
    import lightgbm as library

    order = rng.stream(state, "held out").permutation(len(y))
    held, seen = order[: len(y) // HELD_OUT], order[len(y) // HELD_OUT :]
    held = held[np.isin(y[held], y[seen])]
    model = library.LGBMClassifier(n_estimators=MOST_ROUNDS, random_state=state, n_jobs=1, verbose=-1, **setting)
    stop = library.early_stopping(20, verbose=False)
    model.fit(X[seen], y[seen], eval_set=[(X[held], y[held])], callbacks=[stop])
    truth = whole(model, X[held], int(y.max()) + 1)[np.arange(len(held)), y[held]]
    return float(-np.log(np.maximum(truth, 1e-6)).mean()), model
