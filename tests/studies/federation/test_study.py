"""From a problem to sets of members, a section and a page; what is stored, resumed and refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import polyculture as pc
from polyculture.errors import InputError
from polyculture.recipe import Recipe
from polyculture.reporting import report
from polyculture.studies.federation import FederationResult

pytest.importorskip("torch")

RECIPE = Recipe("mlp", optimizer="plain-sgd", hyperparameters={"epochs": 3, "learning_rate": 0.1})
PLAN = pc.FederationPlan(rounds=3, local_epochs=1, personal_epochs=1)
OPTIONS = pc.FederateOptions(3, "dirichlet:1", plan=PLAN, recipe=RECIPE, algorithms=["fedadam"], independent=2)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> FederationResult:
    """Three clients with flowers."""
    return pc.federate("iris", OPTIONS, out=tmp_path_factory.mktemp("flowers") / "out")


def test_every_set_of_members_is_there(result: FederationResult) -> None:
    assert {members.name: len(members.right) for members in result.sets} == {
        "local only": 3,
        "fedavg": 1,
        "fedavg, personalized": 3,
        "fedadam": 1,
        "fedadam, personalized": 3,
        "fedavg, independent runs": 2,
        "all data pooled": 1,
    }
    assert list(result.federations) == ["fedavg", "fedadam", "fedavg, run 2"]
    assert sum(map(len, result.clients)) == len(result.problem.split.train)


def test_numbers_are_those_of_the_nets(result: FederationResult) -> None:
    test = result.problem.split.test
    federation = result.federations["fedavg"]
    right = federation.global_model(test.array).argmax(axis=1) == test.labels
    table = result.section.tables["sets"].set_index("set")
    assert table.loc["fedavg", "accuracy"] == pytest.approx(right.mean())
    assert table.loc["fedavg", "all_wrong"] == pytest.approx(1 - right.mean())
    last = federation.history[-1]
    assert table.loc["fedavg", "accuracy"] == pytest.approx(last.global_score)
    assert table.loc["fedavg", "own_mix"] == pytest.approx(last.own_score)
    wrong = [model(test.array).argmax(axis=1) != test.labels for model in federation.local]
    assert table.loc["local only", "all_wrong"] == pytest.approx(np.mean(np.all(wrong, axis=0)))


def test_independent_federations_start_from_other_weights(result: FederationResult) -> None:
    inputs = result.problem.split.test.array
    first, second = (result.federations[name].global_model(inputs) for name in ("fedavg", "fedavg, run 2"))
    assert not np.allclose(first, second)
    assert not result.federations["fedavg, run 2"].personalized


def test_predictions_are_stored_with_the_set_of_each_model(result: FederationResult) -> None:
    stored = pc.read(result.folder / "predictions")
    assert stored.models["set"].tolist() == result.predictions.models["set"].tolist()
    np.testing.assert_array_equal(stored.wrong, result.predictions.wrong)
    assert pc.audit(stored).n_models == len(result.predictions.models)


def test_the_page_leads_with_the_answer(result: FederationResult, tmp_path: Path) -> None:
    report(None, tmp_path / "page.html", [result.section])
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "One model by fedavg" in page
    assert "Whom every member fails" in page
    assert result.sentence in repr(result)


def test_the_same_call_gives_the_same_numbers_without_training_again(
    result: FederationResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    import polyculture.training.federated.rounds as rounds

    def refuse(*_: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(rounds, "train_client", refuse)
    again = pc.federate("iris", OPTIONS, out=result.folder)
    np.testing.assert_array_equal(again.predictions.probabilities, result.predictions.probabilities)


def test_a_column_names_the_clients_and_their_own_test_instances(tmp_path: Path) -> None:
    problem = pc.load_problem("iris")
    split = problem.split
    parts = {}
    for name in ("train", "selection", "test"):
        dataset = getattr(split, name)
        farms = np.where(np.arange(len(dataset)) % 2, "north", "south")
        parts[name] = replace(dataset, instances=dataset.instances.assign(farm=farms))
    problem = replace(problem, split=pc.Split(**parts))
    options = replace(OPTIONS, clients=None, partition="column:farm", algorithms=(), independent=1, pooled=False)
    result = pc.federate(problem, options, out=tmp_path)
    assert result.sets[0].mixes.kind == "instances"
    assert result.sets[0].mixes.names == ("north", "south")
    test = parts["test"]
    own = [
        (model(test.array).argmax(axis=1) == test.labels)[test.instances["farm"] == name].mean()
        for model, name in zip(result.federations["fedavg"].local, ("north", "south"), strict=True)
    ]
    table = result.section.tables["sets"].set_index("set")
    assert table.loc["local only", "own_mix"] == pytest.approx(np.mean(own))
    assert "2 clients, one for each farm" in result.sentence


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clients": 1}, "1 clients; expected 2 or more"),
        ({"clients": 90}, "90 clients"),
        ({"partition": "dirichlet:0"}, "dirichlet:0"),
        ({"partition": "by-hand"}, "by-hand"),
        ({"partition": "column:farm", "clients": None}, "no column 'farm'"),
        ({"recipe": Recipe("forest")}, "has no weights that can be averaged"),
    ],
)
def test_what_cannot_be_federated_is_refused_in_a_sentence(changes: dict, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        pc.federate("iris", replace(OPTIONS, **changes), out=tmp_path / "out")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"independent": 0}, "independent of a federation is 0; expected a whole number of 1 or more"),
        ({"level": 1.0}, "level is 1.0; expected a confidence level between 0 and 1"),
        ({"algorithms": ["fedavg"]}, "the algorithm 'fedavg' is listed twice"),
        ({"algorithms": ["fedsum"]}, "algorithm is 'fedsum'"),
    ],
)
def test_options_out_of_range_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(InputError) as error:
        replace(OPTIONS, **changes)
    assert message in str(error.value)


def test_numbers_to_be_predicted_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a federation for regression; expected one class per instance"):
        pc.federate("diabetes", OPTIONS, out=tmp_path / "out")


@pytest.mark.slow
def test_a_killed_federation_is_resumed_and_gives_the_same_numbers(tmp_path: Path) -> None:
    words = ["digits", "--clients", "3", "--rounds", "12", "--runs", "1", "--rate", "0.1", "--shifts", "none"]
    command = [sys.executable, "-m", "polyculture.cli", "federate", *words]
    out = tmp_path / "killed"
    process = subprocess.Popen(
        [*command, "--out", str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path
    )
    deadline = time.monotonic() + 300
    while not (out / "federations" / "fedavg" / "rounds.safetensors").is_file():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (out / "federation.json").exists()
    sections = []
    for folder in (out, tmp_path / "whole"):
        finished = subprocess.run(
            [*command, "--out", str(folder)], capture_output=True, text=True, timeout=600, check=False, cwd=tmp_path
        )
        assert finished.returncode == 0, finished.stderr
        sections.append(json.loads((folder / "federation.json").read_text(encoding="utf-8")))
    assert sections[0] == sections[1]
