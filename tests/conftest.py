"""Shapes are types: every function of the package is checked against its jaxtyping annotations while tests run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from jaxtyping import install_import_hook

install_import_hook("polyculture", "beartype.beartype")

import numpy as np
import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from polyculture.dataset import Dataset
    from polyculture.training import Problem

# No test depends on the clock: the machine may be busy. In CI every run draws the same examples.
settings.register_profile("suite", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("suite")

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _nothing_is_left_beside_the_sources() -> Iterator[None]:
    """Commands write where they are called, so tests call them from a temporary folder."""
    before = {*ROOT.glob("polyculture-*"), *ROOT.glob("bundle*")}
    yield
    left = {*ROOT.glob("polyculture-*"), *ROOT.glob("bundle*")} - before
    assert left == set()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data that lies beside the checkout on some machines; tests that need it are skipped elsewhere."""
    if not SHARED.is_dir():
        pytest.skip("the real data sets are not beside this checkout")
    return SHARED


@cache
def _digits() -> Problem:
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    from polyculture.training import load_problem

    return load_problem("digits")


@pytest.fixture(scope="session")
def digits() -> Problem:
    """The digits as users get them."""
    return _digits()


@pytest.fixture(scope="session")
def small() -> Problem:
    """64 digits to learn from and 100 to be tested on."""
    from polyculture.dataset import Split

    split = _digits().split
    train, test = split.train.take(np.arange(64)), split.test.take(np.arange(100))
    return replace(_digits(), split=Split(train, split.selection, test))


CLASSES = ("a", "b", "c")


@pytest.fixture(scope="session")
def sets() -> dict[str, Dataset]:
    """By name: one dataset per modality with three classes, and one with numbers to be predicted."""
    from polyculture.dataset import Dataset

    n = 90
    draw = np.random.default_rng(0)
    labels = np.arange(n) % 3
    wide = labels.astype(np.float32)
    times = np.arange(2000) / 8000
    tones = np.sin(2 * np.pi * (300 + 500 * labels[:, None]) * times) * 0.5 + draw.normal(0, 0.02, (n, 2000))
    images = draw.random((n, 6, 5)).astype(np.float32) * 0.5
    images[np.arange(n), labels * 2] += 0.5
    numbers = draw.normal(size=(n, 5)).astype(np.float32)
    return {
        "table": Dataset(draw.normal(size=(n, 5)).astype(np.float32) + 2 * wide[:, None], labels, CLASSES),
        "image": Dataset(images, labels, CLASSES, modality="image"),
        "colour": Dataset(np.repeat(images[..., None], 3, axis=3), labels, CLASSES, modality="image"),
        "volume": Dataset(np.repeat(images[:, None], 4, axis=1), labels, CLASSES, modality="volume"),
        "series": Dataset(
            draw.normal(size=(n, 8, 2)).astype(np.float32) + 2 * wide[:, None, None], labels, CLASSES, modality="series"
        ),
        "audio": Dataset(tones.astype(np.float32), labels, CLASSES, modality="audio"),
        "text": Dataset(_texts(labels, draw), labels, CLASSES, modality="text"),
        "tags": _sentences(n // 2, draw),
        "numbers": Dataset(numbers, (numbers @ [1, -2, 0, 0, 1] + 10).astype(np.float64), ()),
    }


def _texts(labels: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    telling = (("great", "lovely"), ("dull", "poor"), ("long", "slow"))
    filling = ("the", "film", "is", "a", "story", "and", ".")
    return np.array(
        [" ".join(draw.permutation([*draw.choice(telling[k], 2), *draw.choice(filling, 5)])) for k in labels]
    )


def _sentences(n: int, draw: np.random.Generator) -> Dataset:
    """Words in lower case, in capitals, and figures: three classes of token; up to six tokens each."""
    from polyculture.dataset import Dataset

    words = (("dog", "cat", "runs"), ("Paris", "Rome"), ("42", "7"))
    tokens, labels = np.full((n, 6), "", dtype="U10"), np.full((n, 6), -1)
    for row in range(n):
        for place in range(int(draw.integers(2, 7))):
            kind = int(draw.integers(3))
            tokens[row, place], labels[row, place] = draw.choice(words[kind]), kind
    return Dataset(tokens, labels, CLASSES, modality="tags")


OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium without a window; tests that need it are skipped where it is not there."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    with playwright.sync_playwright() as p:
        chromium = p.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield chromium
        chromium.close()
