"""What was trained and selected is exported, for every modality, and answers as it did."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
pytest.importorskip("skl2onnx")

import polyculture as pc
from polyculture.cli import main
from polyculture.deployment.bundle import Predictor, open_bundle

from .problems import PROBLEMS


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A function that gives the folder of a run of a modality, trained once."""
    folders: dict[str, Path] = {}

    def run(modality: str) -> Path:
        if modality not in folders:
            folder = tmp_path_factory.mktemp(modality)
            write, recipes, options = PROBLEMS[modality]
            problem = pc.load_problem(write(folder), 0, pc.DataOptions(shifts=(), **options))
            pc.run(problem, pc.RunOptions(recipes=recipes, workers=1), out=folder / "run")
            folders[modality] = folder / "run"
        return folders[modality]

    return run


def everything(folder: Path, rule: str = "") -> pc.Portfolio:
    """A portfolio of all models of a run with equal weights."""
    sets = pc.read_run(folder).sets
    assert sets.selection is not None
    portfolio = pc.select(sets.selection, certify_on=sets.test, rule=rule or "mean", terms=pc.SelectionOptions(folds=0))
    ids = tuple(sets.test.model_ids)
    return replace(portfolio, members=ids, weights=(1 / len(ids),) * len(ids))


@pytest.mark.slow
@pytest.mark.parametrize("modality", PROBLEMS)
def test_a_run_of_every_modality_answers_from_its_bundle(runs: Any, tmp_path: Path, modality: str) -> None:
    folder = runs(modality)
    portfolio = everything(folder)
    bundle = pc.export(portfolio, tmp_path / "bundle", run=folder)
    assert len(bundle.manifest.members) == len(PROBLEMS[modality][1])
    assert all(member.export_error is not None and member.export_error < 1e-4 for member in bundle.manifest.members)

    origin = bundle.manifest.source["problem"]
    problem = pc.load_problem(origin["source"], origin["seed"], pc.DataOptions(shifts=(), **PROBLEMS[modality][2]))
    test = pc.read_run(folder).sets.test
    if modality == "table":
        import pandas as pd

        rows = problem.split.test.instances.index
        frame = pd.read_csv(origin["source"][0]).iloc[rows].drop(columns=["sick", "hospital"])
        raw = bundle.read_inputs(frame.astype(object).where(frame.notna(), None).to_dict("records"))
    elif modality == "tags":
        raw = bundle.read_inputs([[t for t in row if t] for row in problem.split.test.array.tolist()])
    else:
        raw = bundle.read_inputs(problem.split.test.array)
    answers = bundle.predict(raw)
    combined = pc.combine(portfolio, test)
    if modality == "series":
        np.testing.assert_allclose(answers.value, combined.values, rtol=1e-4, atol=1e-4)
    else:
        assert combined.probabilities is not None
        mine = answers.combined
        mine = mine[problem.split.test.labels >= 0] if modality == "tags" else mine
        np.testing.assert_allclose(mine, combined.probabilities, atol=1e-4)
    alone = Predictor(bundle, fused=False)(bundle.encode(raw))
    np.testing.assert_allclose(alone.combined, answers.combined, atol=1e-5)

    reference = bundle.reference
    assert reference["n"] == len(test.instances)
    assert reference["error"] == pytest.approx(np.mean(combined.wrong), abs=0.02) or modality == "series"
    assert reference["profile"]["names"] == list(bundle.profile_names)
    assert bundle.manifest.alarms
    assert bundle.manifest.conformal["threshold"] > 0
    assert json.loads(portfolio.to_json())["certificate"] == bundle.manifest.certificate["certificate"]


@pytest.mark.slow
def test_conformal_sets_of_the_certificate_have_the_truth_in_nine_of_ten_cases(runs: Any, tmp_path: Path) -> None:
    folder = runs("table")
    bundle = pc.export(everything(folder), tmp_path / "bundle", run=folder)
    origin = bundle.manifest.source["problem"]
    problem = pc.load_problem(origin["source"], origin["seed"], pc.DataOptions(shifts=()))
    from polyculture.deployment.export.sources.tables import raw_rows

    assert problem.columns is not None
    answers = bundle.predict(raw_rows(problem.columns, problem.split.test.array))
    sets = answers.conformal_sets
    assert sets is not None
    covered = sets[np.arange(len(sets)), problem.split.test.labels].mean()
    assert 0.9 <= covered <= 0.9 + 2 / len(sets) + 0.05


@pytest.mark.slow
def test_the_command_exports_what_select_kept_and_names_the_next_one(
    runs: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = runs("table")
    assert main(["select", str(folder), "--out", str(tmp_path / "kept"), "--members", "2"]) == 0
    capsys.readouterr()
    assert main(["export", str(tmp_path / "kept"), "--out", str(tmp_path / "my bundle"), "--mask", "age"]) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert any(line.startswith("read  patients") for line in lines)
    assert any(line.startswith("Bundle of ") for line in lines)
    assert lines[-1] == f"next  polyculture serve '{tmp_path / 'my bundle'}'"
    bundle = open_bundle(tmp_path / "my bundle")
    kept = pc.Portfolio.from_json((tmp_path / "kept" / "portfolio.json").read_text(encoding="utf-8"))
    assert [member.name for member in bundle.manifest.members] == list(kept.members)
    assert bundle.manifest.masked == ("age",)
    column = bundle.profile_names.index("age")
    assert {row[column] for row in bundle.reference["profile"]["rows"]} == {None}
    assert main(["export", str(folder), "--out", str(tmp_path / "whole"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "patients"


@pytest.mark.slow
def test_the_same_run_is_exported_to_the_same_bytes(runs: Any, tmp_path: Path) -> None:
    folder = runs("image")
    first, second = (pc.export(everything(folder), tmp_path / name, run=folder) for name in ("a", "b"))
    assert first.manifest.files == second.manifest.files


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["mixture", "mean", "geometric", "stacking", "vote", "weighted_vote"])
def test_every_rule_of_select_is_exported(runs: Any, tmp_path: Path, rule: str) -> None:
    folder = runs("table")
    sets = pc.read_run(folder).sets
    assert sets.selection is not None
    terms = pc.SelectionOptions(folds=0, calibrated=rule not in ("vote", "weighted_vote"))
    portfolio = pc.select(sets.selection, 3, rule=rule, certify_on=sets.test, terms=terms)
    bundle = pc.export(portfolio, tmp_path / "bundle", run=folder)
    combined = pc.combine(portfolio, sets.test)
    wrong = np.nanmean(combined.wrong)
    assert bundle.reference["error"] == pytest.approx(wrong, abs=0.03)


# What cannot be exported


def refused(call: Any, text: str) -> None:
    """One line that says so."""
    with pytest.raises(pc.PolycultureError, match=text) as error:
        call()
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_what_cannot_be_exported_is_refused_in_one_line_and_leaves_nothing(runs: Any, tmp_path: Path) -> None:
    folder, out = runs("table"), tmp_path / "bundle"
    portfolio = everything(folder)
    refused(lambda: pc.export(portfolio, out), "does not say which run its models are from.*--run")
    refused(lambda: pc.export(replace(portfolio, rule="dynamic"), out, run=folder), "rule 'dynamic'")
    refused(lambda: pc.export(replace(portfolio, members=("x",)), out, run=folder), "has no model 'x'")
    refused(lambda: pc.export(portfolio, out, run=tmp_path), "is no folder of a run")
    refused(lambda: pc.export(tmp_path, out), "cannot read .*portfolio.json: No such file")
    refused(lambda: pc.export(3, out), "a int to export|an int to export")
    refused(lambda: pc.export(portfolio, out, run=folder, options=pc.ExportOptions(quorum=9)), "a quorum of 9 of 4")
    refused(lambda: pc.export(portfolio, out, run=folder, options=pc.ExportOptions(masked=("x",))), "no column 'x'")
    refused(lambda: pc.ExportOptions(quorum=0), "a quorum of 0")
    refused(lambda: pc.ExportOptions(requests=0), "a false alarm in 0 requests")
    (tmp_path / "portfolio.json").write_text("{}")
    refused(lambda: pc.export(tmp_path, out), "JSON of another kind")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    refused(lambda: pc.export(folder, tmp_path / "full"), "holds something else than a bundle")
    assert not out.exists()
    assert not list(tmp_path.glob(".half-*"))


@pytest.mark.slow
def test_a_run_whose_data_changed_or_went_is_refused(runs: Any, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(runs("table"), tmp_path / "run"))
    facts = json.loads((folder / "run.json").read_text())
    source = Path(facts["problem"]["source"][0])
    changed = tmp_path / "patients.csv"
    lines = source.read_text().splitlines()
    changed.write_text("\n".join([*lines[:-40], *lines[-20:]]))
    for value, text in (
        ({**facts["problem"], "source": [str(tmp_path / "absent.csv")]}, "absent.csv"),
        ({**facts["problem"], "source": [str(changed)]}, "was made for another problem or split"),
        ({}, "does not say from what data its models learned.*problem="),
    ):
        (folder / "run.json").write_text(json.dumps(facts | {"problem": value}))
        refused(lambda: pc.export(folder, tmp_path / "bundle"), text)


@pytest.mark.slow
def test_a_run_of_a_file_beside_it_is_exported_from_any_folder(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    write, recipes, _ = PROBLEMS["table"]
    write(Path())
    options = pc.RunOptions(recipes=recipes[:1] + recipes[3:], workers=1)
    result = pc.run("patients.csv", options, out="run")
    monkeypatch.chdir(tmp_path / "elsewhere")
    bundle = pc.export("../work/run", "bundle")
    assert bundle.manifest.name == "patients"
    monkeypatch.chdir(tmp_path / "work")
    assert pc.export(result, "bundle").manifest.files == bundle.manifest.files


@pytest.mark.slow
def test_a_fused_graph_that_differs_from_its_members_is_refused(runs: Any, tmp_path: Path) -> None:
    from polyculture.deployment.bundle import write_bundle
    from polyculture.deployment.export.checks import check_fused
    from polyculture.deployment.export.export import read_source
    from polyculture.deployment.export.fused import fused_graph

    folder = runs("table")
    portfolio = everything(folder)
    bundle = pc.export(portfolio, tmp_path / "bundle", run=folder)
    import onnx

    contents = {name: bundle.content(name) for name in bundle.manifest.files}
    graphs = {member.id: onnx.load_from_string(contents[member.graph]) for member in bundle.manifest.members}
    swapped = replace(bundle.manifest, rule="geometric")
    contents["portfolio.onnx"] = fused_graph(swapped, graphs).SerializeToString()
    wrong = write_bundle(tmp_path / "wrong", bundle.manifest, contents)
    refused(lambda: check_fused(wrong, read_source(portfolio, folder)), "the graph of all members differs from its")


@pytest.mark.slow
def test_a_model_whose_graph_differs_is_refused_by_name(runs: Any, tmp_path: Path, monkeypatch: Any) -> None:
    from polyculture.deployment.export import export as module

    folder = runs("table")
    material = module.read_source(everything(folder), folder)
    first = material.members[0]

    def shifted(inputs: np.ndarray) -> np.ndarray:
        """The model's probabilities, off by 0.0002, with the same answers."""
        probabilities = np.asarray(first.outputs(inputs))
        return np.asarray(probabilities + np.array([2e-4, -2e-4]))

    broken = replace(material, members=(replace(first, outputs=shifted), *material.members[1:]))
    refused(
        lambda: module.write_source(broken, tmp_path / "bundle", pc.ExportOptions()),
        f"the graph of '{first.name}' differs from the model by 0.0002 in its probabilities; expected at most 0.0001",
    )
    assert list(tmp_path.iterdir()) == []
