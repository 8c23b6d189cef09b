"""Small problems of every modality, as files, and the recipes that are trained on them."""

from __future__ import annotations

import wave
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from polyculture.recipe import Recipe
from polyculture.rng import stream

BRIEF = {"epochs": 2}


def write_table(folder: Path) -> list[Path]:
    """Patients with numbers, gaps, categories and a constant column."""
    generator = stream(0, "patients")
    lines = ["age,weight,colour,ward,hospital,sick"]
    for row in range(160):
        age, weight = generator.integers(20, 80), round(float(generator.normal(70, 12)), 1)
        colour, ward = generator.choice(["red", "blue", "green"]), generator.choice(["a", "b", ""])
        sick = "yes" if age + 10 * (colour == "red") + generator.normal(0, 8) > 55 else "no"
        lines.append(f"{age},{'' if row % 9 == 0 else weight},{colour},{ward},north,{sick}")
    path = folder / "patients.csv"
    path.write_text("\n".join(lines) + "\n")
    return [path]


def write_images(folder: Path) -> list[Path]:
    """Grey images of 10 × 10 pixels: bright above, or bright below."""
    generator = stream(0, "images")
    labels = generator.integers(0, 2, 120)
    images = generator.uniform(0, 0.6, (120, 10, 10))
    for image, label in zip(images, labels, strict=True):
        image[:5] += 0.4 * (label == 0)
        image[5:] += 0.4 * (label == 1)
    path = folder / "halves.npz"
    np.savez(path, x=(images * 255).astype(np.uint8), y=labels)
    return [path]


def write_texts(folder: Path) -> list[Path]:
    """Reviews, a line each."""
    generator = stream(0, "texts")
    words = {"good": ["great", "good", "nice", "the", "film", "plot"], "bad": ["awful", "bad", "the", "film", "plot"]}
    lines = ["text\tlabel"]
    for row in range(120):
        label = "good" if row % 2 else "bad"
        lines.append(" ".join(generator.choice(words[label], int(generator.integers(3, 9)))) + f"\t{label}")
    path = folder / "reviews.tsv"
    path.write_text("\n".join(lines) + "\n")
    return [path]


def write_tags(folder: Path) -> list[Path]:
    """Sentences with a tag for each token."""
    generator = stream(0, "tags")
    tokens = {"N": ["dog", "cat", "house", "Berlin"], "V": ["runs", "sleeps", "sees"], "D": ["the", "a"]}
    blocks = []
    for _ in range(90):
        rows = []
        for _ in range(int(generator.integers(2, 7))):
            tag = str(generator.choice(list(tokens)))
            rows.append(f"{generator.choice(tokens[tag])} {tag}")
        blocks.append("\n".join(rows))
    path = folder / "sentences.conll"
    path.write_text("\n\n".join(blocks) + "\n")
    return [path]


def write_sounds(folder: Path) -> list[Path]:
    """Tones, low or high, in a folder per class."""
    generator = stream(0, "sounds")
    for kind, pitch in (("low", 300), ("high", 1500)):
        (folder / "tones" / kind).mkdir(parents=True)
        for number in range(30):
            time = np.arange(int(generator.integers(1200, 1700))) / 8000
            tone = 0.5 * np.sin(2 * np.pi * pitch * time) + generator.normal(0, 0.1, len(time))
            with wave.open(str(folder / "tones" / kind / f"{number}.wav"), "wb") as sound:
                sound.setparams((1, 2, 8000, 0, "NONE", ""))
                sound.writeframes((np.clip(tone, -1, 1) * 32767).astype("<i2").tobytes())
    return [folder / "tones"]


def write_series(folder: Path) -> list[Path]:
    """A noisy wave, and another one beside it."""
    generator = stream(0, "series")
    time = np.arange(400)
    level = np.sin(time / 8) + generator.normal(0, 0.1, 400)
    other = np.cos(time / 8) + generator.normal(0, 0.1, 400)
    path = folder / "waves.csv"
    path.write_text("level,other\n" + "\n".join(f"{a:.4f},{b:.4f}" for a, b in zip(level, other, strict=True)) + "\n")
    return [path]


def of(*architectures: str, objective: str = "cross-entropy") -> tuple[Recipe, ...]:
    """Recipes of nets (Adam, two epochs) and of learners of scikit-learn."""
    nets = ("mlp", "lenet", "lstm", "gru", "attention")
    return tuple(
        Recipe(name, objective=objective, optimizer="adam", hyperparameters=BRIEF)
        if name in nets
        else Recipe(name, objective=objective)
        for name in architectures
    )


Writer = Callable[[Path], list[Path]]
PROBLEMS: Mapping[str, tuple[Writer, tuple[Recipe, ...], dict[str, str]]] = {
    "table": (write_table, of("logistic", "forest", "boosting", "mlp"), {}),
    "image": (write_images, of("logistic", "knn", "lenet"), {}),
    "text": (write_texts, of("naive-bayes", "logistic", "gru"), {}),
    "tags": (write_tags, of("logistic", "forest", "lstm"), {}),
    "audio": (write_sounds, of("logistic", "lenet"), {}),
    "series": (write_series, of("ridge", "forest", "gru", objective="squared"), {"kind": "series", "label": "level"}),
}
"""Files, recipes and options of each modality."""
