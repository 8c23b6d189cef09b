"""Two bundles to serve: five MLPs on a table of 30 numbers, and five LeNets on images of 28 × 28."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

import polyculture as pc
from polyculture.deployment.bundle.bundle import open_bundle
from polyculture.deployment.export.export import ExportOptions, export
from polyculture.selection import SelectionOptions

MEMBERS = 5


def make_bundles(cache: Path) -> dict[str, Path]:
    """The bundles by name, made on the first call."""
    bundles = {"five MLPs": cache / "mlps", "five LeNets": cache / "lenets"}
    if not (bundles["five MLPs"] / "manifest.json").is_file():
        _bundle("breast-cancer", "mlp", bundles["five MLPs"])
    if not (bundles["five LeNets"] / "manifest.json").is_file():
        _bundle(_digits(cache / "digits.npz"), "lenet", bundles["five LeNets"])
    return bundles


def _digits(path: Path) -> Path:
    """The digits of scikit-learn, enlarged to 28 × 28."""
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = zoom(digits.images / 16, (1, 3.5, 3.5), order=1).clip(0, 1)
    pixels = (255 * images).astype(np.uint8)
    train, test = pixels[:1000], pixels[1000:]
    np.savez(path, x_train=train, y_train=digits.target[:1000], x_test=test, y_test=digits.target[1000:])
    return path


def _bundle(source: str | Path, architecture: str, out: Path) -> None:
    """Five models of one architecture that differ by their seeds, all of them with equal weights."""
    folder = out.with_name(f"{out.name}-run")
    recipes = [pc.Recipe(architecture, optimizer="adam", seed=seed) for seed in range(MEMBERS)]
    problem = pc.load_problem(source, source=pc.DataOptions(shifts=()))
    pc.run(problem, pc.RunOptions(recipes=recipes, workers=1), out=folder)
    sets = pc.read_run(folder).sets
    portfolio = pc.select(sets.selection, MEMBERS, rule="mean", certify_on=sets.test, terms=SelectionOptions())
    export(portfolio, out, run=folder, problem=problem, options=ExportOptions(name="portfolio"))


def request_body(bundle: Path, path: Path) -> Path:
    """One instance as a request of the protocol, in a file; small numbers, so that all of them have some digits."""
    manifest = open_bundle(bundle).manifest
    shape = manifest.input_shape
    generator = np.random.default_rng(0)
    numbers = [round(float(x), 4) for x in generator.random(int(np.prod(shape)))]
    tensor = {"name": "input", "shape": [1, *shape], "datatype": "FP32", "data": numbers}
    path.write_text(json.dumps({"inputs": [tensor]}), encoding="utf-8")
    return path


def expected_answer(bundle: Path, body: Path) -> np.ndarray:
    """The probabilities that every server has to answer with."""
    opened = open_bundle(bundle)
    numbers = json.loads(body.read_text(encoding="utf-8"))["inputs"][0]["data"]
    raw = opened.read_inputs(np.array(numbers, np.float32).reshape(1, *opened.manifest.input_shape))
    return np.asarray(opened.predict(raw).combined[0])
