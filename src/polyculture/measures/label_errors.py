"""Which labels are probably wrong, judged by models that did not learn from them?

`label_errors` reads the out-of-fold probabilities of a population: the mean of its members is compared with the labels,
and how often each label stands for each class is counted where the mean is confident (confident joint, Northcutt, Jiang
and Chuang 2021). Models of the kind that made the labels share its errors, so scores are also given without each kind.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from polyculture.errors import InputError, near

ONE_CLASS = "labels of one class only: no other class to be confused with"
NO_ANSWER = "no model gives probabilities for any instance"


@dataclass(frozen=True, eq=False)
class KindsLeftOut:
    """What the scores would be without the members of one kind, for each kind.

    Parameters
    ----------
    names : the k kinds, in the order of their first member.
    score : k × n scores of the mean of all other members; nan where no other member answers.
    flagged : k × n, whether the other members by themselves find a label wrong.
    changed : k shares, in [0, 1], of the labels flagged with or without the kind that are not flagged by both; nan
        where neither flags any.
    sides_with_labels : k shares, in [0, 1], of the instances on which the mean of all other members contradicts the
        label and the mean of the kind does not. A kind that made the labels sides with them; nan where the others
        contradict no label.
    """

    names: tuple[str, ...]
    score: Float[np.ndarray, "k n"]
    flagged: Bool[np.ndarray, "k n"]
    changed: Float[np.ndarray, " k"]
    sides_with_labels: Float[np.ndarray, " k"]

    @property
    def most_changing(self) -> str:
        """The kind without which the flagged labels change most; empty where no label is flagged."""
        return _name_of_largest(self.names, self.changed)

    @property
    def most_siding(self) -> str:
        """The kind that sides most with labels that the others contradict; empty where they contradict none."""
        return _name_of_largest(self.names, self.sides_with_labels)


def _name_of_largest(names: tuple[str, ...], values: Float[np.ndarray, " k"]) -> str:
    return names[int(np.nanargmax(values))] if np.isfinite(values).any() else ""


@dataclass(frozen=True, eq=False)
class LabelErrors:
    """Labels that are probably wrong, found by a population. Nothing is removed.

    Parameters
    ----------
    score : normalised margin of the mean probability, p[label] − largest other, in [−1, 1]: the lower, the more
        suspicious; nan where no member gives probabilities.
    rank : 0 for the most suspicious label, ties in the order of the instances, nan scores last.
    suggested : the most probable class by the mean (the first if tied); −1 where there is no mean.
    flagged : labels that both rules of `flag` take for wrong.
    thresholds : mean probability of each class among the instances with that label: who is above is confident; nan
        for a class that is no instance's label, which is never suggested by the counts.
    joint : at [k, j] the estimated number of instances labelled k that are of class j.
    dissent : where a member's own most probable class is not the label.
    all_wrong : instances on which every member dissents.
    confident : instances in the more confident half of the means (by the gap of the two largest probabilities).
    confident_wrong : of these, those whose mean contradicts the label.
    expected_precision : share of the flagged that is wrong if labels are as often wrong where the mean is less sure as
        in its more confident half; nan where nothing is flagged. Too low where errors gather at hard instances.
    left_out : the same without each kind; None where the kinds are unknown or fewer than two.
    reason : why nothing is defined; empty otherwise.
    """

    score: Float[np.ndarray, " n"]
    rank: Int[np.ndarray, " n"]
    suggested: Int[np.ndarray, " n"]
    flagged: Bool[np.ndarray, " n"]
    thresholds: Float[np.ndarray, " c"]
    joint: Float[np.ndarray, "c c"]
    dissent: Bool[np.ndarray, "m n"]
    all_wrong: Bool[np.ndarray, " n"]
    confident: int = 0
    confident_wrong: int = 0
    expected_precision: float = math.nan
    left_out: KindsLeftOut | None = None
    reason: str = ""

    @property
    def order(self) -> Int[np.ndarray, " n"]:
        """Positions of the instances, the most suspicious label first."""
        return np.argsort(self.rank)

    @property
    def count(self) -> int:
        """How many labels are flagged."""
        return int(self.flagged.sum())

    @property
    def estimated_count(self) -> float:
        """How many labels are wrong by the joint counts."""
        return float(self.joint.sum() - np.trace(self.joint))

    @property
    def all_wrong_flagged(self) -> int:
        """How many of the flagged labels are of instances on which every member is wrong by that label."""
        return int((self.flagged & self.all_wrong).sum())

    @property
    def all_wrong_rate(self) -> float:
        """Share of all instances on which every member is wrong by the labels as they are."""
        return float(self.all_wrong.mean()) if len(self.all_wrong) else math.nan

    @property
    def all_wrong_rate_without(self) -> float:
        """The same if the flagged instances were dropped: lower by construction, since what all fail is flagged first.

        Report it beside `all_wrong_rate`, never instead of it. nan where nothing would be left.
        """
        unflagged = ~self.flagged
        return float(self.all_wrong[unflagged].mean()) if unflagged.any() else math.nan


def label_errors(
    probabilities: Float[np.ndarray, "m n c"],
    labels: Int[np.ndarray, " n"],
    kinds: Sequence[str] | None = None,
    leave_out: Sequence[str] = (),
) -> LabelErrors:
    """Labels that the mean of a population contradicts, from probabilities of models that did not learn from them.

    Parameters
    ----------
    probabilities : out-of-fold class probabilities; rows of nan where a member gives none.
    labels : the labels in question, codes in 0 … c − 1.
    kinds : what kind each member is of, such as its architecture; then the scores are also given without each.
    leave_out : kinds whose members are left out of the mean; they still count in `dissent` and `all_wrong`.

    Raises InputError for labels out of range, and for kinds that are unknown, not as many as members, or all left out.

    Source: Northcutt, Jiang and Chuang 2021 (counts and rules); docs/methods/label-errors.md for the rest.
    """
    m, n, c = probabilities.shape
    _check_labels(labels, n, c)
    names = np.array(_checked_kinds(kinds, m, leave_out), dtype=object)
    members = ~np.isin(names, list(leave_out))
    answers = np.stack([_argmax(row) for row in probabilities]) if m else np.zeros((0, n), np.int64)
    dissent = (answers != labels) & (answers >= 0)
    all_wrong = dissent.all(axis=0) if m else np.zeros(n, bool)
    mean = _mean(probabilities, members)
    score, suggested = margin(mean, labels), _argmax(mean)
    thresholds, joint = confident_joint(mean, labels)
    reason = NO_ANSWER if not (suggested >= 0).any() else ONE_CLASS if len(np.unique(labels)) < 2 else ""
    flagged = np.zeros(n, bool) if reason else flag(mean, labels, joint)
    confident, confident_wrong, precision = _expected_precision(mean, labels, flagged)
    return LabelErrors(
        score=score,
        rank=np.argsort(np.argsort(score, kind="stable"), kind="stable"),
        suggested=suggested,
        flagged=flagged,
        thresholds=thresholds,
        joint=joint,
        dissent=dissent,
        all_wrong=all_wrong,
        confident=confident,
        confident_wrong=confident_wrong,
        expected_precision=precision,
        left_out=None if kinds is None or reason else _left_out(probabilities, labels, names, members, flagged),
        reason=reason,
    )


def margin(mean: Float[np.ndarray, "n c"], labels: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Probability of the label less the largest of another class, in [−1, 1]; nan in rows of nan or of one class."""
    rivals = mean.copy()
    rivals[np.arange(len(labels)), labels] = -np.inf
    of_label = mean[np.arange(len(labels)), labels]
    if mean.shape[1] < 2:
        return np.full(len(labels), np.nan)
    difference: Float[np.ndarray, " n"] = of_label - rivals.max(axis=1)
    return difference


def confident_joint(
    mean: Float[np.ndarray, "n c"], labels: Int[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, " c"], Float[np.ndarray, "c c"]]:
    """Threshold of each class, and at [k, j] the estimated number of instances labelled k that are of class j.

    An instance counts for the most probable of the classes whose probability reaches their threshold, the mean of that
    class's probability where it is the label. Rows are scaled to the number of instances with each label. A label of
    which no instance is confident in any class is taken to be right.

    Source: Northcutt, Jiang and Chuang 2021, section 3.1.
    """
    c = mean.shape[1]
    valid = np.isfinite(mean).all(axis=1)
    mean, labels = mean[valid], labels[valid]
    sizes = np.bincount(labels, minlength=c)
    totals = np.bincount(labels, mean[np.arange(len(labels)), labels], minlength=c)
    thresholds = np.divide(totals, sizes, out=np.full(c, np.nan), where=sizes > 0)
    # (LE3): comparisons with nan are False, so that a class without instances attracts none.
    candidates = np.where(mean >= thresholds, mean, -1.0)
    confident = candidates.max(axis=1, initial=-1.0) >= 0
    counts = np.zeros((c, c))
    np.add.at(counts, (labels[confident], candidates[confident].argmax(axis=1)), 1)
    silent = counts.sum(axis=1) == 0
    counts[silent, silent] = 1
    joint: Float[np.ndarray, "c c"] = counts / counts.sum(axis=1, keepdims=True) * sizes[:, None]
    return thresholds, joint


def flag(
    mean: Float[np.ndarray, "n c"], labels: Int[np.ndarray, " n"], joint: Float[np.ndarray, "c c"]
) -> Bool[np.ndarray, " n"]:
    """Labels that the mean contradicts and that are among the counted ones by two rules at once.

    By class: of the instances labelled k the estimated number of wrong ones, those with the lowest probability of k.
    By pair of classes: of the instances labelled k the estimated number that are of class j, those whose probability
    of j exceeds that of k most.

    Source: Northcutt, Jiang and Chuang 2021, section 3.2 (both of its pruning rules).
    """
    flagged = np.zeros(len(labels), bool)
    valid = np.isfinite(mean).all(axis=1)
    for label in np.unique(labels[valid]):
        rows = np.flatnonzero(valid & (labels == label))
        counts = _rounded(joint[label])
        # At least one instance keeps each label, or the class would vanish.
        errors = min(int(counts.sum() - counts[label]), len(rows) - 1)
        by_class = rows[np.argsort(mean[rows, label], kind="stable")[:errors]]
        by_pair: list[Int[np.ndarray, " k"]] = []
        for rival in np.flatnonzero(counts):
            if rival != label:
                excess = mean[rows, rival] - mean[rows, label]
                by_pair.append(rows[np.argsort(-excess, kind="stable")[: counts[rival]]])
        flagged[np.intersect1d(by_class, np.concatenate([np.zeros(0, np.int64), *by_pair]))] = True
    flagged[_argmax(mean) == labels] = False
    return flagged


def _rounded(row: Float[np.ndarray, " c"]) -> Int[np.ndarray, " c"]:
    """Whole numbers with the same sum, by largest remainders."""
    floor = np.floor(row + 1e-9).astype(np.int64)
    missing = round(float(row.sum())) - int(floor.sum())
    floor[np.argsort(-(row - floor), kind="stable")[: max(missing, 0)]] += 1
    return floor


def _mean(probabilities: Float[np.ndarray, "m n c"], members: Bool[np.ndarray, " m"]) -> Float[np.ndarray, "n c"]:
    """Mean over those of these members that give probabilities; rows of nan where none does."""
    _, n, c = probabilities.shape
    total, answers = np.zeros((n, c)), np.zeros(n)
    for row in probabilities[members]:
        valid = np.isfinite(row).all(axis=1)
        total[valid] += row[valid]
        answers += valid
    mean: Float[np.ndarray, "n c"] = total / np.where(answers > 0, answers, np.nan)[:, None]
    return mean


def _argmax(mean: Float[np.ndarray, "n c"]) -> Int[np.ndarray, " n"]:
    """Most probable class; −1 in rows that are not numbers."""
    valid = np.isfinite(mean).all(axis=1)
    classes: Int[np.ndarray, " n"] = np.where(valid, np.where(valid[:, None], mean, 0).argmax(axis=1), -1)
    return classes


def _expected_precision(
    mean: Float[np.ndarray, "n c"], labels: Int[np.ndarray, " n"], flagged: Bool[np.ndarray, " n"]
) -> tuple[int, int, float]:
    """Size of the confident half, the labels contradicted in it, and the expected precision of the flags."""
    valid = np.isfinite(mean).all(axis=1)
    if mean.shape[1] < 2 or not valid.any():
        return 0, 0, math.nan
    top = np.sort(mean, axis=1)[:, -2:]
    gap = np.where(valid, top[:, 1] - top[:, 0], -np.inf)
    half = gap >= np.median(gap[valid])
    contradicted = _argmax(mean) != labels
    confident, wrong = int(half.sum()), int((half & contradicted).sum())
    if not flagged.any():
        return confident, wrong, math.nan
    # (LE4): as many labels are wrong wherever the mean is as sure as at the least sure flag, as in the sure half.
    surer = gap >= gap[flagged].min()
    return confident, wrong, min(1.0, wrong / confident * float(surer.sum()) / float(flagged.sum()))


def _left_out(
    probabilities: Float[np.ndarray, "m n c"],
    labels: Int[np.ndarray, " n"],
    names: Shaped[np.ndarray, " m"],
    members: Bool[np.ndarray, " m"],
    flagged: Bool[np.ndarray, " n"],
) -> KindsLeftOut | None:
    kinds = list(dict.fromkeys(names[members]))
    if len(kinds) < 2:
        return None
    scores, flags, changed, sides = [], [], [], []
    for kind in kinds:
        mean_without, mean_of_kind = (
            _mean(probabilities, members & (names != kind)),
            _mean(probabilities, members & (names == kind)),
        )
        flags_without = flag(mean_without, labels, confident_joint(mean_without, labels)[1])
        union = flagged | flags_without
        contradicted = (_argmax(mean_without) != labels) & (_argmax(mean_without) >= 0) & (_argmax(mean_of_kind) >= 0)
        scores.append(margin(mean_without, labels))
        flags.append(flags_without)
        changed.append(float((flagged ^ flags_without).sum() / union.sum()) if union.any() else math.nan)
        sides.append(float((_argmax(mean_of_kind) == labels)[contradicted].mean()) if contradicted.any() else math.nan)
    return KindsLeftOut(tuple(kinds), np.stack(scores), np.stack(flags), np.array(changed), np.array(sides))


def _check_labels(labels: Int[np.ndarray, " n"], n: int, c: int) -> None:
    if len(labels) != n:
        raise InputError(f"{len(labels)} labels for {n} instances with probabilities", "one label per instance")
    if n and not 0 <= int(labels.min()) <= int(labels.max()) < c:
        wrong = f"labels run from {labels.min()} to {labels.max()} but there are {c} classes"
        raise InputError(wrong, f"codes in 0 … {c - 1}", "drop instances without a label first")


def _checked_kinds(kinds: Sequence[str] | None, m: int, leave_out: Sequence[str]) -> list[str]:
    """The kind of each member; each its own where they are unknown."""
    names = [str(number) for number in range(m)] if kinds is None else [str(kind) for kind in kinds]
    if len(names) != m:
        raise InputError(f"{len(names)} kinds for {m} models", "one kind per model")
    for kind in leave_out:
        if kind not in names:
            raise InputError(f"no model is of the kind {kind!r}", "", near(kind, set(names)))
    if m and set(names) <= set(leave_out):
        raise InputError("every kind is left out", "one kind or more that stays", "leave out fewer")
    return names
