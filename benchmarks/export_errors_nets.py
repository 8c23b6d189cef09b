"""How far are the graphs of the nets from the nets? Every architecture on every kind of input, fitted for one epoch.

    python -m benchmarks.export_errors_nets [--only lenet crf …]

Prints a table in Markdown: the largest difference of a probability (for regression of a number, in spreads of the
target) on held-out instances that are read one by one, three by three and all together by onnxruntime.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.models.fitted_net import FittedNet
from polyculture.models.graphs.model_graph import ModelGraph
from polyculture.models.graphs.net_graphs import net_graph
from polyculture.models.spectrogram import log_mel
from polyculture.recipe import Recipe
from polyculture.rng import stream
from polyculture.training.architectures import ARCHITECTURES, Net

CLASSES = ("a", "b", "c")
WORDS = ("one", "two", "three", "four", "five", "six", "Seven", "EIGHT", "9", "ten-10")
LENGTH, TRAIN, TEST = 9, 40, 33
BATCHES = (1, 3, TEST)
MODALITIES = ("table", "grey", "colour", "volume", "series", "audio", "text", "tags")
TASKS = {"tags": ("tagging",), "table": ("classification", "regression")}
"""Tasks that are compared, if not classification: with a number as the answer only the last layer is another one."""


@dataclass(frozen=True)
class ErrorRow:
    """One graph.

    Parameters
    ----------
    architecture, modality, task : of the net.
    error : largest difference of a probability, or of a number in spreads of the target.
    seconds : of the export.
    nodes : of the graph.
    """

    architecture: str
    modality: str
    task: str
    error: float
    seconds: float
    nodes: int


def datasets(modality: str, task: str) -> tuple[Dataset, Dataset]:
    """Instances to learn from and others to be compared on, drawn at random."""
    draw, n = stream(0, "graphs", modality), TRAIN + TEST
    lengths = draw.integers(1, LENGTH + 1, n)
    words = draw.choice(WORDS, (n, LENGTH))
    inputs: dict[str, Any] = {
        "table": draw.normal(1000.0, 2.0, (n, 5)) * [1, 10, 0.1, 1, 100],
        "grey": draw.random((n, 9, 7)),
        "colour": draw.random((n, 11, 8, 3)),
        "volume": draw.random((n, 5, 6, 7)),
        "series": draw.normal(-3.0, 1.0, (n, 12, 3)),
        "audio": draw.uniform(-1, 1, (n, 1200)),
        "text": np.array([" ".join(row[:length]) for row, length in zip(words, lengths, strict=True)]),
        "tags": np.where(np.arange(LENGTH) < lengths[:, None], words, ""),
    }
    if task == "regression":
        labels = draw.normal(5.0, 20.0, n)
    elif task == "tagging":
        labels = np.where(inputs["tags"] == "", -1, draw.integers(0, len(CLASSES), (n, LENGTH)))
    else:
        labels = np.arange(n) % len(CLASSES)
    kind: Any = "image" if modality in ("grey", "colour") else modality
    dataset = Dataset(inputs[modality], labels, () if task == "regression" else CLASSES, modality=kind)
    return dataset.take(np.arange(TRAIN)), dataset.take(np.arange(TRAIN, n))


def graph_inputs(model: FittedNet, graph: ModelGraph, inputs: np.ndarray) -> np.ndarray:
    """What the graph reads of these raw inputs."""
    if graph.kind == "log_mel":
        return log_mel(inputs)
    return model.encoder(inputs) if "codes" in graph.kind else np.asarray(inputs, np.float32)


def largest_error(model: FittedNet, graph: ModelGraph, inputs: np.ndarray) -> float:
    """Largest difference between what the net and its graph predict, in batches of several sizes."""
    session = onnxruntime.InferenceSession(graph.proto.SerializeToString(), providers=["CPUExecutionProvider"])
    arrays, errors = graph_inputs(model, graph, inputs), []
    for n in BATCHES:
        (outputs,) = session.run(None, {session.get_inputs()[0].name: arrays[:n]})
        present = outputs[arrays[:n, :, 0] > 0] if graph.kind == "mark_codes" else outputs
        errors.append(float(np.abs(present - model(inputs[:n])).max()))
    return max(errors) / (model.encoder.target[1] if outputs.shape[-1] == 1 else 1.0)


def rows(architectures: Sequence[str] = ()) -> Iterator[ErrorRow]:
    """A row for each architecture on each kind of input that it reads, for each task."""
    nets = {name: net for name, net in ARCHITECTURES.items() if isinstance(net, Net)}
    for name in architectures or nets:
        for modality in MODALITIES:
            for task in TASKS.get(modality, ("classification",)):
                train, test = datasets(modality, task)
                objective = "squared" if task == "regression" else "cross-entropy"
                recipe = Recipe(name, optimizer="adam", objective=objective, hyperparameters={"epochs": 1})
                try:
                    model: Any = nets[name].fit(recipe, train)
                except InputError:  # not every net reads everything
                    continue
                start = time.perf_counter()
                graph = net_graph(model, "inputs")
                seconds = time.perf_counter() - start
                error = largest_error(model, graph, test.array)
                yield ErrorRow(name, modality, task, error, seconds, len(graph.proto.graph.node))


def markdown(errors: Sequence[ErrorRow]) -> str:
    """The largest error of each architecture on each kind of input."""
    columns = [(modality, TASKS.get(modality, ("classification",))[0]) for modality in MODALITIES]
    columns.append(("table", "regression"))
    lines = ["| net | " + " | ".join(MODALITIES) + " | a number |", "|---|" + "---|" * len(columns)]
    for name in dict.fromkeys(row.architecture for row in errors):
        cells = {(row.modality, row.task): f"{row.error:.1e}" for row in errors if row.architecture == name}
        lines.append(f"| {name} | " + " | ".join(cells.get(column, "–") for column in columns) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print the table, and what took longest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=(), help="architectures")
    errors = list(rows(parser.parse_args().only))
    print(markdown(errors))
    print()
    for row in sorted(errors, key=lambda row: -row.seconds)[:5]:
        print(f"{row.architecture} {row.modality} {row.task}: {row.seconds:.1f} s, {row.nodes} nodes")


if __name__ == "__main__":
    main()
