"""How many calls does a panel save that is asked in sequence, and what does that cost in accuracy?

    python -m benchmarks.judging                          # planted panels, ten seeds: some seconds
    python -m benchmarks.judging --data ../shared/data    # and the priced services of two public tables

No calls are made: verdicts are known, and the rule of `polyculture judge --sequential` says which of them would have
been asked for. It is fitted on the first 100 items, which all judges are asked about, and these count as asked. Planted
panels have nine judges, six of whom share part of their errors. Judges of tables are asked cheapest first, or in the
order of the table; items are in an order drawn by the seed. Prints the rows of docs/experiments/panels.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import polyculture as pc
from polyculture.deployment.judging.stopping import StoppingRule
from polyculture.deployment.judging.verdicts import plurality
from polyculture.rng import stream
from polyculture.stats import Interval
from polyculture.studies.active.curves import over_seeds

CALIBRATION = 100
RATES = (0.01, 0.02, 0.05)
SEEDS = range(20, 30)
TABLES = ("frugalml_ferplus", "frugalml_digit")


def planted(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Nine judges, 88 % right, six of whom share part of their errors; and the truth."""
    rng = stream(seed, "planted panel")
    truth = rng.integers(0, 2, n)
    shared = rng.random(n) < 0.12
    wrong = rng.random((9, n)) < 0.12
    wrong[:6] = np.where(rng.random((6, n)) < 0.5, shared, wrong[:6])
    return np.where(wrong, 1 - truth, truth), truth


def table(path: Path, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Verdicts and truth of a table, its items in an order drawn by the seed."""
    predictions = pc.read(path)
    order = stream(seed, "order of items").permutation(len(predictions.labels))
    return np.asarray(predictions.answers)[:, order], np.asarray(predictions.labels)[order]


def saved(votes: np.ndarray, truth: np.ndarray, rate: float) -> tuple[float, float, float, float]:
    """Share of calls saved, items decided otherwise, error of all judges, and of the sequence, all on all items."""
    classes = int(max(votes.max(), truth.max())) + 1
    rule = StoppingRule.fit(votes[:, :CALIBRATION], classes, rate)
    asked, decided = rule.replay(votes[:, CALIBRATION:])
    every = plurality(votes, classes)
    sequence = np.concatenate([every[:CALIBRATION], decided])
    calls = len(votes) * CALIBRATION + int(asked.sum())
    shares = 1 - calls / votes.size, (sequence != every).mean(), (every != truth).mean(), (sequence != truth).mean()
    return tuple(map(float, shares))


def row(name: str, rate: float, draws: list[tuple[float, float, float, float]]) -> str:
    """One line of the table."""
    share, otherwise, every, sequence = np.array(draws).T
    cells = [_percent(over_seeds(numbers)) for numbers in (share, otherwise, every, sequence)]
    return f"| {' | '.join([name, f'{rate:g}', *cells, _percent(over_seeds(sequence - every))])} |"


def _percent(interval: Interval) -> str:
    numbers = [f"{100 * number:.2f}" for number in (interval.estimate, interval.low, interval.high)]
    return "{} [{}, {}]".format(*numbers).replace("-", "−")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--items", type=int, default=1000, help="of a planted panel")
    choices = parser.parse_args()
    print(
        "| panel | rate asked for | calls saved, % | decided otherwise, % | error of all, % | error, % | more, points |"
    )
    print("|---|---|---|---|---|---|---|")
    for rate in RATES:
        print(row("planted", rate, [saved(*planted(choices.items, seed), rate) for seed in SEEDS]))
    for name in TABLES if choices.data else ():
        draws = {seed: table(choices.data / "predictions" / f"{name}.csv.gz", seed) for seed in SEEDS}
        for rate in RATES:
            print(row(name, rate, [saved(*draw, rate) for draw in draws.values()]))


if __name__ == "__main__":
    main()
