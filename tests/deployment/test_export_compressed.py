"""Compressed models are exported as others are: the bundle answers as they do, and says what was done to them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

import polyculture as pc
from polyculture.compression import CompressionContext, compressed
from polyculture.deployment.bundle import Predictor, open_bundle
from polyculture.deployment.export.export import ExportOptions, write_source
from polyculture.deployment.export.sources.material import ExportSource
from polyculture.deployment.export.sources.runs import _member, run_source
from polyculture.models.store import read_records, write_model
from polyculture.population import Population
from polyculture.recipe import Recipe
from polyculture.training.fit import load_population

from .problems import PROBLEMS

LEVELS = ("half", "int8", "cluster-weights=0.875")
NETS = {"image": "lenet", "text": "attention", "tags": "lstm"}


def compressed_source(folder: Path, modality: str) -> tuple[ExportSource, Population]:
    """A run of one net, whose members are that net at every level."""
    write, _, options = PROBLEMS[modality]
    problem = pc.load_problem(write(folder), 0, pc.DataOptions(shifts=(), **options))
    nets = [Recipe(NETS[modality], optimizer="adam", seed=seed, hyperparameters={"epochs": 2}) for seed in (0, 1)]
    pc.run(problem, pc.RunOptions(recipes=nets, workers=1), out=folder / "run")
    sets = pc.read_run(folder / "run").sets
    assert sets.selection is not None
    portfolio = pc.select(sets.selection, certify_on=sets.test, rule="mean", terms=pc.SelectionOptions(folds=0))
    source = run_source(portfolio, folder / "run", problem)
    population = load_population(folder / "run" / "models", problem)
    context = CompressionContext(problem.split.train)
    models = {level: compressed(population[nets[0].id], level, context) for level in LEVELS}
    members = [
        _member(level, replace(nets[0], compression=level), model, 1 / len(LEVELS), ())
        for level, model in models.items()
    ]
    return replace(source, members=tuple(members)), Population(models, population.classes)


@pytest.mark.parametrize("modality", NETS)
def test_the_bundle_of_compressed_models_answers_as_they_do_and_says_so(modality: str, tmp_path: Path) -> None:
    source, population = compressed_source(tmp_path, modality)
    write_source(source, tmp_path / "bundle", ExportOptions(name="small"))
    bundle = open_bundle(tmp_path / "bundle")
    assert [member.recipe["compression"] for member in bundle.manifest.members] == list(LEVELS)
    assert [member.ancestry["compression"] for member in bundle.manifest.members] == list(LEVELS)
    assert all(member.export_error is not None and member.export_error < 1e-5 for member in bundle.manifest.members)
    card = (tmp_path / "bundle" / "card.md").read_text(encoding="utf-8")
    for level in LEVELS:
        assert f"compression {level}" in card
    inputs = source.inputs[:20]
    raw = [[t for t in row if t] for row in inputs.tolist()] if modality == "tags" else inputs
    outputs = Predictor(bundle)(bundle.encode(bundle.read_inputs(raw)))
    for place, model in enumerate(population.models.values()):
        members = outputs.members[:, place]
        known = members[source.labels[:20] >= 0] if modality == "tags" else members
        np.testing.assert_allclose(known, model(inputs), atol=1e-5)


def test_a_compressed_model_is_stored_and_read_as_others_are(tmp_path: Path) -> None:
    write, _, options = PROBLEMS["image"]
    problem = pc.load_problem(write(tmp_path), 0, pc.DataOptions(shifts=(), **options))
    net = Recipe("lenet", optimizer="adam", hyperparameters={"epochs": 1})
    models = tmp_path / "models"
    population = pc.train([net], problem, models, workers=1)
    smaller = compressed(population[net.id], "int8", CompressionContext(problem.split.train))
    recipe = replace(net, compression="int8")
    made_for = {"name": problem.name, "fingerprint": problem.fingerprint}
    record = read_records(models, made_for)[net.id] | {"recipe": recipe.to_dict()}
    write_model(models, recipe.id, record, {"seconds": 1.0}, smaller)
    again = load_population(models, problem)
    inputs = problem.split.test.array
    np.testing.assert_array_equal(again[recipe.id](inputs), smaller(inputs))
    assert again.factors.loc[recipe.id, "compression"] == "int8"
    assert again.factors.loc[net.id, "compression"] == "none"
