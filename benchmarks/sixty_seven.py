"""Sixty-seven experts, 99.9 % sure, wrong one time in six: what models of workers make of published ImageNet models.

    python -m benchmarks.sixty_seven --data DIR     # DIR has imagenet_val.parquet; a few minutes on one idle core

No training. Draws sets of 3, 9 and 33 of the models five times, and takes all of them, on the same images; combines
their answers by the one-coin model of Dawid and Skene; and prints the rows of docs/experiments/sixty-seven-experts.md.
n_eff is estimated on half of the images, everything else is measured on the other half. --picture writes the picture.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import vl_convert

from polyculture.measures.annotators import (
    Annotations,
    Consensus,
    effective_workers,
    one_coin,
    sureness,
    tempering,
    vote_share,
)
from polyculture.reporting.charts.vega import Spec, figure, layer
from polyculture.reporting.theme import BLUE, INK, ORANGE
from polyculture.rng import stream

FILE = "imagenet_val.parquet"
CLASSES = 1000
SIZES = (3, 9, 33)
POSTERIORS = ("independent", "tempered", "vote share")
MEASURES = ("accuracy", "claimed", "sure_share", "sure_wrong", "ece", "log_loss")
SCALES = (1, 100, 100, 100, 100, 1, 1)
COLOURS = dict(zip(POSTERIORS, (ORANGE, BLUE, INK), strict=True))


def measured(answers: np.ndarray, labels: np.ndarray, half: np.ndarray) -> Iterator[dict[str, object]]:
    """A row per posterior of one set of models: n_eff on one half of the images, calibration on the other."""
    annotations = Annotations.of_table(answers, CLASSES)
    estimate = effective_workers(annotations, np.where(half, labels, -1))
    combined = one_coin(annotations)
    power = tempering(estimate.rho, annotations.labels_per_item)
    variants: tuple[Consensus, ...] = (combined, combined.tempered(power), vote_share(annotations))
    for name, variant in zip(POSTERIORS, variants, strict=True):
        s = sureness(variant, np.where(half, -1, labels))
        row: dict[str, object] = {"models": len(answers), "posterior": name, "n_eff": estimate.n_eff}
        yield row | {measure: getattr(s, measure) for measure in MEASURES}


def study(table: pd.DataFrame, images: int, draws: int, seed: int) -> pd.DataFrame:
    """All rows: sets of every size, as often as drawn, then all models."""
    random = stream(seed, "sixty-seven")
    rows = np.sort(random.choice(len(table), min(images, len(table)), replace=False))
    labels = table["label"].to_numpy(np.int64)[rows]
    answers = table.drop(columns=["instance", "label"]).to_numpy(np.int64).T[:, rows]
    half = random.permutation(len(rows)) % 2 == 0
    sets = [random.choice(len(answers), size, replace=False) for size in SIZES for _ in range(draws)]
    results = []
    for models in [*sets, np.arange(len(answers))]:
        start = time.perf_counter()
        results += measured(answers[models], labels, half)
        print(f"{len(models):>3} models, {time.perf_counter() - start:.1f} s", flush=True)
    return pd.DataFrame(results)


def printed(results: pd.DataFrame) -> None:
    """Rows of the table in docs: the mean over the draws, and the lowest and highest."""
    print(
        "| models | posterior | n_eff | accuracy, % | claimed, % | sure of, % | wrong among these, % | ECE | log loss |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for (size, name), rows in results.groupby(["models", "posterior"], sort=False):
        cells = [_cell(rows[column], scale) for column, scale in zip(("n_eff", *MEASURES), SCALES, strict=True)]
        print(f"| {size} | {name} | {' | '.join(cells)} |")


def _cell(values: pd.Series, scale: float) -> str:  # type: ignore[type-arg]
    numbers, digits = values.dropna() * scale, 1 if scale == 100 else 3 if values.name == "ece" else 2
    if not len(numbers):
        return "–"
    limits = f" [{numbers.min():.{digits}f}, {numbers.max():.{digits}f}]" if len(numbers) > 1 else ""
    return f"{numbers.mean():.{digits}f}{limits}"


def picture(results: pd.DataFrame) -> Spec:
    """What each posterior claims (solid) and how often it is right (dashed), by the number of models."""
    means = results.groupby(["models", "posterior"], sort=False)[["claimed", "accuracy"]].agg(["mean", "min", "max"])
    rows = [
        {"models": size, "posterior": name, "what": what, "mean": row[what, "mean"]}
        | {"low": row[what, "min"], "high": row[what, "max"]}
        for (size, name), row in means.iterrows()
        for what in ("claimed", "accuracy")
    ]
    x = {"field": "models", "type": "quantitative", "scale": {"type": "log", "domain": [2.7, 75]}}
    x |= {"axis": {"title": "models", "values": [*SIZES, 67], "grid": False}}
    y = {"type": "quantitative", "scale": {"domain": [0.7, 1]}, "axis": {"title": "share of images", "format": ".0%"}}
    colour = {"field": "posterior", "type": "nominal", "title": None}
    colour |= {"scale": {"domain": list(POSTERIORS), "range": list(COLOURS.values())}}
    dash = {"field": "what", "type": "nominal", "title": None, "scale": {"domain": ["claimed", "accuracy"]}}
    dash["scale"]["range"] = [[1, 0], [5, 4]]  # type: ignore[index]
    lines = layer({"type": "line", "point": True}, x=x, y={"field": "mean", **y}, color=colour, strokeDash=dash)
    bars = layer({"type": "rule", "opacity": 0.5}, x=x, y={"field": "low", **y}, y2={"field": "high"}, color=colour)
    return figure("What a consensus of models claims, and how often it is right", rows, height=300, layer=[bars, lines])


def main(words: Sequence[str] | None = None) -> None:
    """Print the table and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help=f"folder with {FILE}")
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--picture", type=Path, default=None, help="PNG to write")
    options = parser.parse_args(words)
    results = study(pd.read_parquet(options.data / FILE), options.images, options.draws, options.seed)
    printed(results)
    if options.picture is not None:
        spec = {**picture(results), "autosize": "fit"}
        options.picture.write_bytes(vl_convert.vegalite_to_png(spec, scale=1.5))


if __name__ == "__main__":
    main()
