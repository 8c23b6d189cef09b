"""Are size, speed and arithmetic of a model those of its graph, and of original and compressed model alike?"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

import torch
from torch import nn

from polyculture.compression import compressed
from polyculture.compression.measuring import Cost, Measurement, measure, speed_of
from polyculture.compression.operations import operations
from polyculture.dataset import Dataset
from polyculture.errors import FileError, InputError
from polyculture.models.graphs.fitted_graphs import fitted_graph
from polyculture.models.graphs.versions import unified
from polyculture.recipe import Recipe
from polyculture.rng import stream
from polyculture.stats.interval import Interval
from polyculture.training.architectures import ARCHITECTURES
from polyculture.training.flops import FlopCounter

from .small_nets import context, dataset, fitted

BRIEF = 0.01


def test_size_and_arithmetic_are_those_of_the_graphs() -> None:
    model, graph = fitted("image"), compressed(fitted("image"), "int8", context("image"))
    measured = measure(model, graph, dataset("image"), BRIEF)
    assert measured.original.bytes == len(unified(fitted_graph(model, "inputs")).SerializeToString())
    assert measured.compressed.bytes == pytest.approx(len(graph.graph), abs=300)  # type: ignore[attr-defined]
    assert measured.original.flops == measured.compressed.flops > 0
    assert measured.factors["smaller"] == measured.original.bytes / measured.compressed.bytes > 3
    assert measured.factors["fewer flops"] == 1
    assert measured.factors["faster"] == pytest.approx(measured.speed.estimate)
    for speed in (measured.speed, measured.speed_32):
        assert 0 < speed.low <= speed.estimate <= speed.high
        assert speed.n >= 21


@pytest.mark.parametrize("kind", ["table", "image", "audio", "text"])
def test_operations_of_a_graph_are_those_that_torch_counts(kind: str) -> None:
    model = fitted(kind)
    inputs = model.encoder(dataset(kind).array[:1])
    with torch.no_grad(), FlopCounter() as counter:
        model.net.eval()(torch.from_numpy(inputs))
    from polyculture.models.fitted_graph import graph_inputs

    counted = operations(unified(fitted_graph(model, "x")), graph_inputs(model.encoder, dataset(kind).array[:1]))
    assert counted == pytest.approx(counter.total, rel=0.02)  # attention is counted as one operation by torch


def test_operations_of_a_recurrent_net_are_those_of_its_formula() -> None:
    model = fitted("tags")
    cell: nn.LSTM = (
        model.net.cell
        if hasattr(model.net, "cell")
        else next(part for part in model.net.modules() if isinstance(part, nn.LSTM))
    )
    steps = dataset("tags").array.shape[1]
    gates = sum(4 * cell.hidden_size * (width + cell.hidden_size) for width in _widths(cell))
    count = operations(unified(fitted_graph(model, "x")), model.encoder(dataset("tags").array[:1]))
    assert count >= 2 * 2 * steps * gates
    assert count == pytest.approx(2 * 2 * steps * gates, rel=0.2)  # and the layer that scores


def _widths(cell: nn.LSTM) -> list[int]:
    return [cell.input_size, *[2 * cell.hidden_size] * (cell.num_layers - 1)]


def estimator(name: str, train: Dataset) -> object:
    return ARCHITECTURES[name].fit(Recipe(name), train)


def test_estimators_are_measured_by_their_graphs() -> None:
    train = dataset("table")
    trees, logistic = estimator("forest", train), estimator("logistic", train)
    measured = measure(trees, logistic, train, BRIEF)  # type: ignore[arg-type]
    assert measured.factors["smaller"] > 10
    assert np.isnan(measured.original.flops)
    assert measured.compressed.flops >= 2 * 6 * 3


def test_one_input_is_enough_to_measure_on_and_none_is_not() -> None:
    model = fitted("table")
    assert measure(model, model, dataset("table").take(np.array([0])), BRIEF).speed.estimate > 0
    with pytest.raises(InputError, match="no inputs to measure on; expected one or more"):
        measure(model, model, dataset("table").take(np.zeros(0, int)), BRIEF)


def test_speed_is_the_ratio_of_medians_with_the_limits_of_the_pairs() -> None:
    draw = stream(0, "times")
    load = 1 + draw.random(101)  # hits both
    times = np.array([2.0 * load, load]) * (1 + 0.01 * draw.normal(size=(2, 101)))
    speed = speed_of(times)
    assert speed.estimate == pytest.approx(2, rel=0.1)
    assert 1.9 < speed.low <= 2 <= speed.high < 2.1 or speed.low <= speed.estimate <= speed.high
    assert speed.n == 101


def test_a_measurement_is_stored_and_read(tmp_path: Path) -> None:
    costs = Cost(10.0, 0.5, 2.0, float("nan")), Cost(5.0, 0.25, 1.0, float("nan"))
    measured = Measurement(*costs, Interval(2.0, 1.9, 2.1, n=30), Interval(2.0, 1.9, 2.1, n=30))
    measured.write(tmp_path / "measured.json")
    json.loads((tmp_path / "measured.json").read_text(), parse_constant=pytest.fail)
    again = Measurement.read(tmp_path / "measured.json")
    assert again.speed == measured.speed
    assert np.isnan(again.original.flops)
    assert again.factors["smaller"] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["measured.json"]


@pytest.mark.parametrize(
    "content", ["", "{}", "[1]", '{"original": {"bytes": 1}}', '{"original": {"bytes": "x"}}', "null"]
)
def test_a_damaged_measurement_is_refused(content: str, tmp_path: Path) -> None:
    file = tmp_path / "measured.json"
    file.write_text(content)
    with pytest.raises(FileError, match=r"cannot read .*; expected what compress wrote there; delete it\."):
        Measurement.read(file)
