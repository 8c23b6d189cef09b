"""How do I use this as a scikit-learn regressor? The few learners whose mean has the lowest squared error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Num, Shaped
from sklearn.base import RegressorMixin
from sklearn.utils.validation import assert_all_finite, check_is_fitted

from polyculture.predictions import Predictions
from polyculture.stats import Interval

from . import nested_validation
from .default_learners import regressors
from .ensemble import DiverseEnsemble
from .member_weights import OpinionPool, fit_average


class DiverseEnsembleRegressor(RegressorMixin, DiverseEnsemble):  # type: ignore[misc]
    """A regressor made of the few learners, out of many, whose mean has the lowest squared error.

    Parameters
    ----------
    learners : (name, regressor) pairs, tried in this order; None for thirteen of seven families.
    shrinkage : how many rows equal weights count for.
    floor : lowest cross-fitted R² of a learner that is kept; None for better than the mean. The best one always is.
    size, cv, refit, time_budget, prepare, memory, n_jobs, random_state : as in `DiverseEnsembleClassifier`.

    Attributes
    ----------
    members_, weights_, left_out_ : as in `DiverseEnsembleClassifier`; weights are at least 0 and sum to one.
    predictions_, audit_, portfolio_ : cross-fitted predictions, their audit, and the certificate of the ensemble.
    candidates_ : one row per fitted learner: family, mean_squared_error (cross-fitted), weight, seconds.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> model = pc.DiverseEnsembleRegressor(size=2, time_budget=2, random_state=0)
    >>> model = model.fit(*load_diabetes(return_X_y=True))
    >>> len(model.weights_) <= 2
    True
    """

    _default_learners = staticmethod(regressors)

    def __init__(
        self,
        learners: Any = None,
        *,
        size: Any = None,
        shrinkage: Any = 10,
        floor: Any = None,
        cv: Any = None,
        refit: Any = True,
        time_budget: Any = None,
        prepare: Any = True,
        memory: Any = None,
        n_jobs: Any = None,
        random_state: Any = None,
    ) -> None:
        self.learners = learners
        self.size = size
        self.shrinkage = shrinkage
        self.floor = floor
        self.cv = cv
        self.refit = refit
        self.time_budget = time_budget
        self.prepare = prepare
        self.memory = memory
        self.n_jobs = n_jobs
        self.random_state = random_state

    def predict(self, X: Any) -> Float[np.ndarray, " n"]:
        """The weighted mean of the members' predictions."""
        scores = self._scores(X)
        pairs = zip(self._shares.values(), scores, strict=True)
        values = np.array([shares @ np.array(members)[:, :, 0] for shares, members in pairs])
        return np.asarray(np.array(list(self.weights_.values())) @ values)

    @property
    def crossfitted_(self) -> pd.DataFrame:
        """Predictions of each fitted learner for the rows that it was not trained on, next to the column ``target``.

        Instances are the rows that were learned from, without those of weight 0.
        """
        check_is_fitted(self)
        columns = dict(zip(self._evidence().names, self._evidence().scores[:, :, 0], strict=True))
        return pd.DataFrame({"target": self._evidence().y, **columns})

    @property
    def predictions_(self) -> Predictions:
        """The same as predictions to be audited; what each learner is made of is in `candidates_`."""
        check_is_fitted(self)
        scores, ids = self._evidence().scores[:, :, 0], pd.Index(self._evidence().names, name="model")
        return Predictions(
            models=self.candidates_.set_axis(ids, axis="index"),
            instances=pd.DataFrame(index=pd.RangeIndex(scores.shape[1], name="instance")),
            values=scores,
            targets=self._evidence().y,
        )

    @property
    def errors_(self) -> dict[str, Interval]:
        """Mean squared error by nested cross-fitting, and how much lower it is than two baselines', paired by row.

        Keys: mean squared error, gain over the best learner, gain over all learners (their plain mean). Gains above 0
        are in favour of the ensemble.
        """
        check_is_fitted(self)
        return nested_validation.squared_errors(self._evidence(), self._fit_weights)

    def _encode_target(self, y: Shaped[np.ndarray, " n"]) -> tuple[Num[np.ndarray, " n"], int]:
        values = y.astype(np.float64)
        assert_all_finite(values, input_name="y")
        return values, 0

    def _fit_weights(
        self, scores: Float[np.ndarray, "m n c"], y: Num[np.ndarray, " n"], counts: Float[np.ndarray, " n"]
    ) -> OpinionPool:
        return fit_average(scores[:, :, 0], y.astype(np.float64), counts, self.size, self.floor, float(self.shrinkage))

    def _losses(self) -> dict[str, Float[np.ndarray, " m"]]:
        errors = self._evidence().scores[:, :, 0] - self._evidence().y
        counts = self._evidence().counts
        return {"mean_squared_error": errors**2 @ (counts / counts.sum())}
