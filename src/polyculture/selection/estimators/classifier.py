"""How do I use this as a scikit-learn classifier? The few learners whose probabilities together are best."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Num, Shaped
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, check_is_fitted

from polyculture.errors import InputError, near
from polyculture.predictions import Predictions

from .default_learners import classifiers
from .ensemble import DiverseEnsemble
from .member_weights import RULES, OpinionPool, fit_pool

OLD_RULES = {"geometric": "stacking"}
"""Names of rules that are accepted for one release."""


class DiverseEnsembleClassifier(ClassifierMixin, DiverseEnsemble):  # type: ignore[misc]
    """A classifier made of the few learners, out of many, whose combined probabilities are best.

    Parameters
    ----------
    learners : (name, classifier) pairs, tried in this order, with probabilities or a decision function. None: sixteen.
    size : maximum number of learners; None for all with a positive weight.
    rule : ``"stacking"``: a weighted product relative to the class frequencies; ``"mixture"``: a weighted mean.
    shrinkage : how many rows equal weights count for (stacking only). More of it keeps more members, who fail together
        less and stand a shift better, for some log-loss where nothing shifts: `front_` tells how much.
    floor : lowest cross-fitted accuracy; None: a log-loss below that of the class frequencies. The best always stays.
    cv : number of folds (equal rows stay together, so that no member is tested on what it has seen), or a splitter
        or list of splits of scikit-learn's that tests every row once; members learn from all other rows. None: five,
        of more than 5,000 rows three, of more than 50,000 two, and fewer where the budget is short.
    refit : whether the kept learners are also fitted on all rows, the heaviest first, as far as there is time; that
        member has half of its learner's weight.
    time_budget : seconds of the CPU, all processes together, or on the wall without those in which others have the
        core, whichever are more; None for as long as it takes. Looks at parts of the rows tell what each learner
        takes, and nothing is begun that does not fit.
    prepare : whether missing values and the categories of dataframes are made readable for each learner.
    memory : folder in which fitted learners are kept, to go on after an interruption or with a larger budget.
    n_jobs, random_state : folds fitted at once, as in joblib; seed of the folds and of learners that have none.

    Attributes
    ----------
    classes_ : labels, sorted.
    members_ : by name of each kept learner, heaviest first, its fitted members, one per fold, then one of all rows.
    weights_, weights_by_class_ : of the kept learners by name; with stacking they need not sum to one.
    candidates_ : one row per fitted learner: family, accuracy, log_loss (both cross-fitted), weight, seconds.
    left_out_ : by name, why a learner was not fitted.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> model = pc.DiverseEnsembleClassifier(size=2, time_budget=2, random_state=0)
    >>> model = model.fit(*load_iris(return_X_y=True))
    >>> len(model.weights_) <= 2
    True
    """

    _default_learners = staticmethod(classifiers)

    def __init__(
        self,
        learners: Any = None,
        *,
        size: Any = None,
        rule: Any = "stacking",
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
        self.rule = rule
        self.shrinkage = shrinkage
        self.floor = floor
        self.cv = cv
        self.refit = refit
        self.time_budget = time_budget
        self.prepare = prepare
        self.memory = memory
        self.n_jobs = n_jobs
        self.random_state = random_state

    def predict_proba(self, X: Any) -> Float[np.ndarray, "n c"]:
        """Class probabilities, columns in the order of `classes_`."""
        scores = self._scores(X)
        parts = zip(self._pool.members, scores, self._shares.values(), strict=True)
        opinions = [self._pool.opinion(int(m), np.array(members), shares) for m, members, shares in parts]
        return self._pool.combined(np.log(np.maximum(opinions, np.finfo(float).tiny)))

    def predict(self, X: Any) -> Shaped[np.ndarray, " n"]:
        """The most probable class; the first in the order of `classes_` where two are equally probable."""
        probabilities = self.predict_proba(X)
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])

    @property
    def weights_by_class_(self) -> pd.DataFrame:
        """One row per kept learner, heaviest first, one column per class; without columns for the mixture."""
        check_is_fitted(self)
        by_class, names = self._pool.by_class[self._pool.members], pd.Index(self.members_, name="learner")
        return pd.DataFrame(by_class, index=names, columns=self.classes_ if by_class.size else None)

    @property
    def predictions_(self) -> Predictions:
        """Predictions of each fitted learner for rows that it was not trained on, temperatures applied, to be audited.

        Instances are the rows that were learned from, without those of weight 0. Needs two learners or more.
        """
        logs = self._logs()
        return Predictions(
            models=self.candidates_.rename_axis("model"),
            instances=pd.DataFrame(index=pd.RangeIndex(logs.shape[1])),
            answers=logs.argmax(axis=2),
            labels=self._evidence().y.astype(np.int64),
            classes=tuple(map(str, self.classes_)),
            probabilities=np.exp(logs),
            fixed_classes=True,
        )

    def _encode_target(self, y: Shaped[np.ndarray, " n"]) -> tuple[Num[np.ndarray, " n"], int]:
        if self.rule == "geometric":
            warnings.warn("the rule 'geometric' is now 'stacking'", DeprecationWarning, stacklevel=3)
        elif self.rule not in RULES:
            raise InputError(f"no rule {self.rule!r}", "", near(str(self.rule), RULES))
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise InputError(f"y has only 1 class, {self.classes_[0]!r}", "two classes or more")
        return codes.astype(np.int64), len(self.classes_)

    def _fit_weights(
        self, scores: Float[np.ndarray, "m n c"], y: Num[np.ndarray, " n"], counts: Float[np.ndarray, " n"]
    ) -> OpinionPool:
        rule = OLD_RULES.get(self.rule, self.rule)
        return fit_pool(scores, y.astype(np.int64), counts, self.size, self.floor, rule, float(self.shrinkage))

    def _logs(self) -> Float[np.ndarray, "m n c"]:
        check_is_fitted(self)
        return self._pool.logs(self._evidence().scores)

    def _losses(self) -> dict[str, Float[np.ndarray, " m"]]:
        logs, y, counts = self._logs(), self._evidence().y.astype(np.int64), self._evidence().counts
        share = counts / counts.sum()
        return {"accuracy": (logs.argmax(axis=2) == y) @ share, "log_loss": -logs[:, np.arange(len(y)), y] @ share}
