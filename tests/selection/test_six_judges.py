"""Is the vote of six judges of 350 pairs, with ties and abstentions, the same in audit, select and panel sizes?

Half of the judges being wrong does not make the vote wrong: ties of the comparison (the answer "tie") and abstentions
divide those who are wrong. Counted as lost where at least half are wrong, combining seems to harm here; it helps.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest

import polyculture as pc
from polyculture.auditing import audit
from polyculture.selection import SelectionOptions, panel_sizes, select

JUDGES, PAIRS = 6, 350
CHOICES = ("A", "B", "tie")


def judgments(seed: int) -> tuple[list[list[str | None]], list[str]]:
    """Answers of the judges and the true preferences: some pairs are hard."""
    rng = np.random.default_rng(seed)
    truth = [CHOICES[k] for k in rng.integers(0, 2, PAIRS)]
    hard = rng.random(PAIRS) < 0.45
    answers: list[list[str | None]] = []
    for _ in range(JUDGES):
        draws = rng.random(PAIRS)
        row = []
        for n, label in enumerate(truth):
            right = 0.4 if hard[n] else 0.8
            wrong = CHOICES[1 - CHOICES.index(label)]
            bounds = (right, right + 0.5 * (1 - right), right + 0.9 * (1 - right))
            row.append((label, wrong, "tie", None)[sum(draws[n] >= bound for bound in bounds)])
        answers.append(row)
    return answers, truth


def lost(votes: list[str | None], label: str) -> Fraction:
    """Probability that the plurality of the votes is wrong, tied answers drawn by lot; without a vote it is."""
    counts = Counter(vote for vote in votes if vote is not None)
    if not counts:
        return Fraction(1)
    first = [answer for answer, count in counts.items() if count == max(counts.values())]
    return Fraction(sum(answer != label for answer in first), len(first))


@pytest.fixture(params=["unparsed", "absent"])
def judged(request: pytest.FixtureRequest) -> tuple[pc.Predictions, np.ndarray]:
    """The judges, and the loss of their vote on each pair; an abstention is a wrong verdict, or none at all."""
    answers, truth = judgments(seed=1)
    columns = {f"judge-{j}": row for j, row in enumerate(answers)}
    correct = {
        name: [
            vote == label if vote or request.param == "unparsed" else None
            for vote, label in zip(row, truth, strict=True)
        ]
        for name, row in columns.items()
    }
    predictions = pc.Predictions.from_answers(columns, truth, correct=correct, classes=CHOICES)
    return predictions, np.array(
        [float(lost(list(v), t)) for v, t in zip(zip(*answers, strict=True), truth, strict=True)]
    )


def test_half_of_the_judges_wrong_and_the_vote_wrong_differ_in_sign(judged: tuple[pc.Predictions, np.ndarray]) -> None:
    predictions, losses = judged
    complete = np.ones(PAIRS, bool) if predictions.observed is None else predictions.observed.all(axis=0)
    wrong = predictions.wrong[:, complete]
    mean = wrong.mean()
    assert (wrong.mean(axis=0) >= 0.5).mean() > mean + 0.01
    assert losses[complete].mean() < mean - 0.01
    section = audit(predictions).section("ensembles")
    assert section.numbers["majority_error"].estimate == pytest.approx(losses[complete].mean(), abs=1e-12)
    assert section.numbers["mean_error"].estimate == pytest.approx(mean, abs=1e-12)
    assert section.numbers["net"].estimate == pytest.approx(mean - losses[complete].mean(), abs=1e-12)
    assert "Disagreement gains" in section.sentence


def test_select_and_panel_sizes_count_the_same_vote(judged: tuple[pc.Predictions, np.ndarray]) -> None:
    predictions, losses = judged
    chosen, certified = np.arange(0, 100), np.arange(100, PAIRS)
    parts = predictions.take_instances(chosen), predictions.take_instances(certified)
    expected = losses[certified].mean()
    portfolio = select(parts[0], JUDGES, rule="vote", certify_on=parts[1])
    assert portfolio.certificate.scores["error"].estimate == pytest.approx(expected, abs=1e-12)
    sizes = panel_sizes(parts[0], JUDGES, certify_on=parts[1], terms=SelectionOptions())
    assert sizes["error"].iloc[-1] == pytest.approx(expected, abs=1e-12)
