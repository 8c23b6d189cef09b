"""Which labels should somebody look at? Those that models contradict which did not learn from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from polyculture.errors import InputError, near, visible
from polyculture.measures.label_errors import LabelErrors, label_errors
from polyculture.predictions import Predictions
from polyculture.stats.interval import Interval, percent, plural
from polyculture.stats.shares import jeffreys


@dataclass(frozen=True, eq=False)
class LabelReview:
    """Labels to be looked at, the most suspicious first. Nothing is removed.

    Parameters
    ----------
    errors : what was found, as arrays over the instances.
    predictions : that it was found in.
    """

    errors: LabelErrors
    predictions: Predictions

    def __repr__(self) -> str:
        return f"LabelReview: {self.sentence}"

    @property
    def sentence(self) -> str:
        """How many labels are contradicted, how many of them are wrong if errors are random, and the headline."""
        errors = self.errors
        if errors.reason:
            return f"No label can be judged: {errors.reason}."
        n = len(errors.score)
        verb = "deserves" if errors.count == 1 else "deserve"
        text = f"{plural(errors.count, 'label')} of {n:,} {verb} a look ({percent(errors.count / n)})"
        if errors.count:
            text += f"; if errors are random, {percent(errors.expected_precision, 0)} of them are wrong"
        text += f". All models fail on {percent(errors.all_wrong_rate)} of the instances as labelled"
        return text + (f", on {percent(errors.all_wrong_rate_without)} of those not flagged." if errors.count else ".")

    @property
    def error_rate(self) -> Interval:
        """Share of wrong labels where the models are most sure: that of all labels if errors are random.

        Every instance of the surer half whose label is contradicted counts as a wrong label, so what the models
        themselves get wrong there makes it too high.
        """
        if not self.errors.confident:
            return Interval.undefined(self.errors.reason or "no instance has probabilities")
        return jeffreys(self.errors.confident_wrong, self.errors.confident)

    def frame(self, *, flagged: bool = True) -> pd.DataFrame:
        """One row per instance, the most suspicious first: label, suggestion, score, and which members contradict it.

        Parameters
        ----------
        flagged : only the labels that are flagged; False for all of them.

        Columns: ``label``, ``suggested`` (empty where no model answered), ``score``, ``flagged``, ``dissent`` (how many
        members contradict the label), ``all fail``, ``dissenters`` (their ids), and with several kinds
        ``score without KIND`` for each.
        """
        errors, predictions = self.errors, self.predictions
        order = errors.order[errors.flagged[errors.order]] if flagged else errors.order
        names, ids = np.array([*predictions.classes, ""], dtype=object), np.array(predictions.model_ids, dtype=object)
        assert predictions.labels is not None
        table = pd.DataFrame(
            {
                "label": names[predictions.labels[order]],
                "suggested": names[errors.suggested[order]],
                "score": errors.score[order],
                "flagged": errors.flagged[order],
                "dissent": errors.dissent[:, order].sum(axis=0),
                "all fail": errors.all_wrong[order],
                "dissenters": [", ".join(ids[column]) for column in errors.dissent[:, order].T],
            },
            index=predictions.instances.index[order],
        )
        if errors.left_out is not None:
            for kind, score in zip(errors.left_out.names, errors.left_out.score, strict=True):
                table[f"score without {visible(kind)}"] = score[order]
        return table


def find_label_errors(predictions: Predictions, *, kind: str = "", leave_out: Sequence[str] = ()) -> LabelReview:
    """Labels that the mean of all models contradicts, and what each kind of models does to that.

    Only for predictions of models that did not learn from these labels: those of `out_of_fold`, or on a test set.

    Parameters
    ----------
    predictions : classes with probabilities.
    kind : column of `predictions.models` with the kind of each model; left out, ``architecture`` where there is one.
    leave_out : kinds that have no say, such as the kind of a machine that made the labels.

    Raises InputError without labels or probabilities, for an unknown column, and for unknown kinds or all of them.

    Examples
    --------
    >>> wide = {"ann": [0, 0, 1, 1], "bob": [0, 0, 1, 1]}
    >>> sure = np.array([[[.9, .1], [.8, .2], [.2, .8], [.1, .9]]] * 2)
    >>> predictions = pc.Predictions.from_answers(wide, [0, 0, 1, 0], probabilities=sure)
    >>> pc.label_errors(predictions).frame()[["label", "suggested", "dissent"]]
              label suggested  dissent
    instance
    3             0         1        2
    """
    if predictions.probabilities is None or predictions.labels is None:
        absent = "probabilities" if predictions.labels is not None else "labels"
        raise InputError(f"predictions without {absent}", "class probabilities and labels", "see pc.out_of_fold")
    columns = [str(column) for column in predictions.models.columns]
    if kind and kind not in columns:
        raise InputError(f"the models have no column {kind!r}", "", near(kind, columns))
    column = kind or ("architecture" if "architecture" in columns else "")
    kinds = predictions.models[column].astype(str).tolist() if column else None
    if leave_out and kinds is None:
        raise InputError(f"the kind {leave_out[0]!r} to be left out", "a column with kinds", "name it with kind=")
    return LabelReview(label_errors(predictions.probabilities, predictions.labels, kinds, leave_out), predictions)
