"""Same answers for the same reasons? Effective numbers by answers, by reasons and by representations on four data sets.

    python -m benchmarks.reasons                      # all four, four minutes on two idle cores
    python -m benchmarks.reasons --only heart --seeds 2 --instances 40   # a part of it

Trains two seeds of every recipe, explains every model by occlusion on the same test instances, and prints the rows of
docs/experiments/reasons.md. MNIST, heart and sentiment are read from ../shared/data; those that are not there are left
out. What was trained and explained is kept in the folder of --out, so that an interrupted call is resumed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import polyculture as pc
from polyculture.recipe import Recipe
from polyculture.results import Section
from polyculture.stats import Interval

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
FILES = {
    "digits": (),
    "mnist-10k": ("image/mnist.npz",),
    "heart": tuple(f"tabular/heart_{name}.csv" for name in ("cleveland", "hungarian", "switzerland", "va")),
    "sentiment": tuple(f"text/stsa.binary.{part}.gz" for part in ("train", "dev", "test")),
}
ADAM = {"optimizer": "adam"}
TABLES = ("logistic", "naive-bayes", "forest", "extra-trees", "boosting")
RECIPES: dict[str, tuple[tuple[str, dict[str, object]], ...]] = {
    "digits": (*((name, {}) for name in TABLES), ("mlp", ADAM), ("lenet", ADAM)),
    "mnist-10k": (*((name, {}) for name in TABLES[:4]), ("mlp", ADAM), ("lenet", ADAM)),
    "heart": (*((name, {}) for name in TABLES), ("mlp", ADAM)),
    "sentiment": (*((name, {}) for name in TABLES[:4]), ("mlp", ADAM)),
}
LEVELS = ("all", "half-a")
"""Levels of the data axis: every recipe on all instances and on a half of them."""
LIMIT = {"mnist-10k": 10_000, "sentiment": 4_000}


def problem_of(name: str) -> pc.training.Problem | None:
    """The problem; None where its files are not there."""
    paths = [str(DATA / path) for path in FILES[name]]
    if not all(Path(path).is_file() for path in paths):
        return None
    options = pc.DataOptions(limit=LIMIT.get(name), shifts=(), positive=">0" if name == "heart" else "")
    return pc.load_problem(paths or name, 0, options)


def recipes_of(name: str, seeds: int) -> list[Recipe]:
    """Every architecture on every level of the data, in as many seeds."""
    return [
        Recipe(architecture, data=level, seed=seed, **options)  # type: ignore[arg-type]
        for architecture, options in RECIPES[name]
        for level in LEVELS
        for seed in range(seeds)
    ]


def explained(name: str, seeds: int, instances: int, out: Path, workers: int) -> tuple[Section, ...] | None:
    """The sections of one data set."""
    problem = problem_of(name)
    if problem is None:
        return None
    run, options = out / name, pc.ExplainRunOptions(instances=instances)
    if not (run / "run.json").is_file():
        pc.run(problem, pc.RunOptions(recipes=recipes_of(name, seeds), workers=workers), out=run)
    result = pc.explain_run(run, options, out=out / f"{name}-reasons", problem=problem)
    pc.report(None, out / f"{name}-reasons" / "page.html", result.sections)
    return result.sections


def row(name: str, sections: Sequence[Section], seconds: float) -> str:
    """One row of the table of the page."""
    numbers = sections[0].numbers
    models = len(sections[0].tables["models"])

    def share(key: str) -> str:
        return limits(numbers[key], 100, 0) if key in numbers else "–"

    def number(key: str) -> str:
        return limits(numbers[key], 1, 2) if key in numbers else "–"

    cells = [name, str(models), share("same_answer"), share("pairs"), share("other_instances"), share("same_recipe")]
    cells += [share("below_same_recipe"), number("effective_models"), number("effective_reasons")]
    cells += [number("effective_representations"), number("reasons_and_errors"), f"{seconds:.0f}"]
    return f"| {' | '.join(cells)} |"


def limits(interval: Interval, scale: float, digits: int) -> str:
    """An estimate with its limits."""
    numbers = [f"{scale * x:.{digits}f}".replace("-", "−") for x in (interval.estimate, interval.low, interval.high)]
    return f"{numbers[0]} [{numbers[1]}, {numbers[2]}]"


def axes(name: str, section: Section) -> list[str]:
    """Which axis makes reasons alike: a row per identifiable factor."""
    if section.reason:
        return [f"| {name} | {section.reason} | | |"]
    shares = section.tables["shares"].set_index("factor")
    return [
        f"| {name} | {test['factor']} | {100 * shares.loc[test['factor'], 'share']:.0f} % | {test['p']:.3f} |"
        for test in section.tables["tests"].to_dict("records")
    ]


def main() -> None:
    """Train, explain and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=[*FILES], default=[*FILES])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--instances", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("build/reasons"))
    options = parser.parse_args()
    print(
        "| data | models | same answer, % | shared top 5, % | floor | ceiling | below it, points | effective models | "
        "effective reasons | effective representations (nets) | reasons and errors | seconds |"
    )
    print("|---" * 12 + "|")
    lines: list[str] = []
    for name in options.only:
        start = time.perf_counter()
        sections = explained(name, options.seeds, options.instances, options.out, options.workers)
        if sections is None:
            print(f"| {name} | its files are not in {DATA} |")
            continue
        print(row(name, sections, time.perf_counter() - start), flush=True)
        lines += axes(name, sections[-1])
    print("\n| data | axis | share of the mean agreement | p |\n|---|---|---|---|", *lines, sep="\n")


if __name__ == "__main__":
    main()
