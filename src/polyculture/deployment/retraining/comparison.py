"""Is the challenger better than the champion? Both answer the same instances, which neither has learned from.

The rule of promotion. d is the champion's loss less the challenger's, averaged over the instances, with its interval.

- **Better**: the interval lies above 0. The challenger is promoted.
- **An alarm is up** (the champion has left what it was certified for), and the interval lies above −margin × the
  champion's loss: the challenger is shown not to be worse by more than the margin. It is promoted.
- Else the champion is kept. Few instances give a wide interval, so doubt keeps the champion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Shaped

from polyculture.errors import InputError, PolycultureError
from polyculture.preparation.problems import Problem, RawData
from polyculture.stats import Interval, influence_interval

from ..bundle.bundle import Bundle

FEWEST_COMPARED = 20
"""Instances below which an interval says nothing."""
CHUNK = 1024
"""Instances that a bundle answers at a time."""
LOSSES = ("log_loss", "error", "squared_error")


@dataclass(frozen=True, eq=False)
class ChampionComparison:
    """Two bundles on the same instances.

    Parameters
    ----------
    loss : ``"log_loss"`` (nats), ``"error"`` (share of wrong answers) or ``"squared_error"``.
    champion, challenger : mean loss, with its interval.
    gain : loss of the champion less loss of the challenger, paired by instance; above 0 the challenger is better.
    n : instances; of tags, tokens.
    margin : share of the champion's loss by which a challenger may be worse while an alarm is up.
    alarm : whether an alarm is up.
    """

    loss: str
    champion: Interval
    challenger: Interval
    gain: Interval
    n: int
    margin: float
    alarm: bool

    @property
    def better(self) -> bool:
        """Whether the challenger is shown to be better."""
        return bool(self.gain.low > 0)

    @property
    def no_worse(self) -> bool:
        """Whether the challenger is shown not to be worse by more than the margin."""
        return bool(self.gain.low > -self.margin * self.champion.estimate)

    @property
    def promoted(self) -> bool:
        """Whether the challenger takes over."""
        return self.better or (self.alarm and self.no_worse)

    @property
    def sentence(self) -> str:
        """The verdict and what it rests on."""
        name = self.loss.replace("_", "-" if self.loss == "log_loss" else " ")
        numbers = (
            f"{name} {self.challenger.format('.4g')} against {self.champion.format('.4g')} of the champion, gain "
            f"{self.gain.format('.4g')} on {self.n:,} instances that neither learned from"
        )
        if self.better:
            return f"Promoted: the challenger is better; {numbers}."
        if self.promoted:
            return f"Promoted while an alarm is up: the challenger is not worse by more than the margin; {numbers}."
        alarm = ", nor that it is not worse by more than the margin" if self.alarm else ""
        return f"Kept: it is not shown that the challenger is better{alarm}; {numbers}."

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        intervals = {
            name: {key: getattr(getattr(self, name), key) for key in ("estimate", "low", "high", "level", "method")}
            for name in ("champion", "challenger", "gain")
        }
        return {
            **{"loss": self.loss, "n": self.n, "margin": self.margin, "alarm": self.alarm},
            **{"promoted": self.promoted, "sentence": self.sentence},
            **intervals,
        }


def compare(
    champion: Bundle,
    challenger: Bundle,
    problem: Problem,
    test: RawData,
    *,
    loss: str,
    level: float,
    margin: float,
    alarm: bool,
) -> ChampionComparison:
    """The challenger against the champion on the test set of a problem.

    Parameters
    ----------
    test : the test set before it was encoded, as clients send it: each bundle encodes it itself.

    Raises InputError where one of the bundles cannot read it.
    """
    losses = [instance_losses(bundle, problem, test, loss) for bundle in (champion, challenger)]
    clusters = _clusters(problem)
    finite = np.isfinite(losses[0]) & np.isfinite(losses[1])
    if finite.sum() < FEWEST_COMPARED:
        raise InputError(
            f"both bundles answer {int(finite.sum())} of the {len(finite):,} instances that are compared on",
            f"{FEWEST_COMPARED} or more",
            "give more new data, without gaps in columns that had none",
        )
    first, second = losses[0][finite], losses[1][finite]
    codes = None if clusters is None else clusters[finite]
    means = [mean_interval(values, codes, level) for values in (first, second, first - second)]
    return ChampionComparison(loss, means[0], means[1], means[2], int(finite.sum()), margin, alarm)


def mean_interval(values: Float[np.ndarray, " n"], clusters: Shaped[np.ndarray, " n"] | None, level: float) -> Interval:
    """The mean with its interval, which allows for clusters."""
    centre = float(values.mean())
    return influence_interval(centre, values - centre, clusters, level)


def instance_losses(bundle: Bundle, problem: Problem, test: RawData, loss: str) -> Float[np.ndarray, " n"]:
    """Loss of a bundle on each instance of the test set; of tags on each token, nan after the end of a sequence."""
    names, labels = problem.split.test.classes, np.asarray(problem.split.test.labels)
    n = len(labels)
    parts = [_answers(bundle, problem, test, np.arange(i, min(i + CHUNK, n))) for i in range(0, n, CHUNK)]
    combined = np.concatenate([combination for combination, _ in parts])
    combined[~_readable(bundle, test)] = np.nan
    if loss == "squared_error":
        return np.asarray((combined[:, 0].astype(float) - labels) ** 2)
    answers = np.concatenate([answer for _, answer in parts])
    steps = labels.shape[1] if labels.ndim == 2 else 0
    if steps:
        combined, answers = _cut(combined, steps, 0.0), _cut(answers, steps, -1)
        labels, combined, answers = labels.ravel(), combined.reshape(-1, combined.shape[-1]), answers.ravel()
    position = {name: code for code, name in enumerate(bundle.manifest.classes)}
    codes = np.array([position.get(name, -1) for name in names])
    truth = np.where(labels >= 0, codes[labels], -2)  # −1 is a class that the bundle does not know, −2 no token
    if loss == "error":
        losses = (answers != truth).astype(float)
    else:
        valid = truth >= 0
        shares = np.zeros(len(truth))
        shares[valid] = combined[valid, truth[valid]]
        losses = -np.log(np.maximum(np.nan_to_num(shares), bundle.manifest.floor))
    unread = np.isnan(combined).all(axis=-1)
    return np.where((truth == -2) | unread, np.nan, losses)


def _cut(values: np.ndarray, steps: int, filler: float) -> np.ndarray:
    """The first steps of sequences; what a bundle cuts off counts as unanswered."""
    values = values[:, :steps]
    missing = steps - values.shape[1]
    width = [(0, 0), (0, missing), *[(0, 0)] * (values.ndim - 2)]
    return np.pad(values, width, constant_values=filler)


def _answers(bundle: Bundle, problem: Problem, test: RawData, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Combination and answers on these rows of the test set."""
    try:
        answers = bundle.predict(bundle.read_inputs(client_inputs(bundle, problem, test, rows)))
    except PolycultureError as error:
        raise InputError(
            f"{bundle.path} cannot answer the instances that are compared on: {error.wrong}", error.expected, error.cure
        ) from error
    return answers.combined, answers.answer


def client_inputs(bundle: Bundle, problem: Problem, test: RawData, rows: np.ndarray) -> Any:
    """These instances as a client would send them to the bundle."""
    if isinstance(test.inputs, pd.DataFrame):
        names = [column.name for column in bundle.manifest.columns] or list(test.inputs.columns)
        absent = [name for name in names if name not in test.inputs.columns]
        if absent:
            raise InputError(f"the data has no column {absent[0]!r}", "every column that the bundle reads")
        frame = test.inputs.iloc[rows]
        return {name: _cells(bundle, frame[name]) for name in names}
    if problem.modality == "audio":
        return _waves(np.asarray(problem.split.test.array)[rows], bundle.manifest.input_shape[0])
    if problem.modality == "tags":
        return [list(tokens) for tokens in np.asarray(test.inputs, object)[rows]]
    return np.asarray(problem.split.test.array)[rows]


def _cells(bundle: Bundle, column: pd.Series) -> list[Any]:
    """Numbers and categories as the bundle reads them; a gap that it does not know gets any value, see `_readable`."""
    spec = next((c for c in bundle.manifest.columns if c.name == column.name), None)
    if spec is None or spec.kind == "number":
        numbers = pd.to_numeric(column, errors="coerce").astype(float)
        return (numbers if spec is None or spec.missing else numbers.fillna(0.0)).tolist()
    texts = column.astype(object).where(column.notna(), "").astype(str).str.strip()
    return texts.where(column.notna(), None if spec.missing else "").tolist()


def _readable(bundle: Bundle, test: RawData) -> Bool[np.ndarray, " n"]:
    """Which instances the bundle answers: it refuses gaps in columns that had none when it was trained."""
    readable = np.ones(len(test), bool)
    if isinstance(test.inputs, pd.DataFrame):
        for column in bundle.manifest.columns:
            if not column.missing and column.name in test.inputs.columns:
                cells = test.inputs[column.name]
                numeric = column.kind == "number"
                readable &= (pd.to_numeric(cells, errors="coerce") if numeric else cells).notna().to_numpy()
    return readable


def _waves(waves: Float[np.ndarray, "n t"], length: int) -> Float[np.ndarray, "n s"]:
    """Recordings of the length that the bundle reads: cut, or with silence at the end."""
    waves = waves[:, :length]
    return np.pad(waves, [(0, 0), (0, length - waves.shape[1])])


def _clusters(problem: Problem) -> Shaped[np.ndarray, " n"] | None:
    """What was sampled together: sequences of tokens, or the problem's clusters."""
    test = problem.split.test
    if problem.task == "tagging":
        return np.repeat(np.arange(len(test.labels)), np.asarray(test.labels).shape[1])
    if not problem.cluster or problem.cluster not in test.instances.columns:
        return None
    return np.asarray(pd.factorize(test.instances[problem.cluster].astype(str))[0])
