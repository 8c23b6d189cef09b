"""Is a run compressed as far as it can bear, stored as a run, and made once?"""

from __future__ import annotations

import json
import math
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
from polyculture.errors import FileError, InputError
from polyculture.recipe import Recipe
from polyculture.reporting.lead import first_table
from polyculture.reporting.sections import section_figures
from polyculture.results import json_schema, section_json
from polyculture.studies.compression import CompressionResult, CompressOptions, read_share
from polyculture.studies.compression.chains import read_chain, search_chains
from polyculture.studies.compression.originals import read_originals
from polyculture.studies.compression.targets import Best, smallest_strength
from polyculture.studies.compression.teaching import Teaching

for package in ("torch", "onnxruntime", "torch_pruning"):
    pytest.importorskip(package, reason=f"{package} is not installed")

NET = {"hyperparameters": {"epochs": 8}, "optimizer": "adam"}
TREES = {"hyperparameters": {"trees": 20}}
RECIPES = [Recipe("mlp", **NET), Recipe("mlp", seed=1, **NET), Recipe("forest", **TREES)]
LENIENT = {"churn": 1.0, "accuracy": 1.0, "more_alike": 1.0}


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two nets and a forest."""
    folder = tmp_path_factory.mktemp("compression") / "run"
    problem = pc.load_problem("wine", 0, pc.DataOptions(shifts=("noise",)))
    pc.run(problem, pc.RunOptions(recipes=RECIPES, workers=1), out=folder)
    return folder


@pytest.fixture(scope="session")
def halved(run_folder: Path) -> CompressionResult:
    """The run with the weights of its nets in half precision."""
    return pc.compress(run_folder, CompressOptions(["half"]), out=run_folder.parent / "halved")


@pytest.mark.parametrize(
    ("text", "epochs", "level"),
    [
        ("prune-channels=0.5", 5, "prune-channels=0.5+tune=5"),
        ("prune-channels=0.5+int8", 3, "prune-channels=0.5+tune=3+int8"),
        ("prune-channels=0.5+low-rank=0.3+half", 2, "prune-channels=0.5+low-rank=0.3+tune=2+half"),
        ("prune-channels=0.5+tune-self=1+int8", 5, "prune-channels=0.5+tune-self=1+int8"),
        ("prune-channels=0.5", 0, "prune-channels=0.5"),
        ("fewer-trees", 5, "fewer-trees=0.5"),
        ("int8", 5, "int8"),
    ],
)
def test_fine_tuning_is_added_where_it_is_of_use_and_not_there(text: str, epochs: int, level: str) -> None:
    assert read_chain(text, epochs).level == level


def test_a_strength_that_is_left_out_is_free_with_a_target_only() -> None:
    chain = read_chain("prune-channels+low-rank=0.3+int8", 5, by_target=True)
    assert chain.title == "prune-channels+low-rank=0.3+tune=5+int8"
    assert chain.at(0.25).level == "prune-channels=0.25+low-rank=0.3+tune=5+int8"
    assert chain.untuned.at(0.25).level == "prune-channels=0.25+low-rank=0.3+int8"
    assert not read_chain("prune-channels", 5).free


def test_the_smallest_strength_is_the_first_on_the_grid_that_reaches_the_target() -> None:
    for limit in np.arange(0.01, 0.95, 0.013):
        strength = smallest_strength(lambda share, limit=limit: share / limit)
        assert strength >= limit > strength - 0.05
    assert math.isnan(smallest_strength(lambda share: 0.99))


def test_the_reach_of_a_model_is_that_of_the_target_it_is_farthest_from() -> None:
    best = Best({"smaller": 1.0, "faster": 1.0})
    assert best.add({"smaller": 6.0, "faster": 1.0}, {"smaller": 3.0, "faster": 2.0}) == 0.5
    assert best.add({"smaller": 3.0, "faster": 1.5}, {"smaller": 3.0, "faster": 2.0}) == 0.75
    assert (best.factors, best.reach) == ({"smaller": 6.0, "faster": 1.5}, 0.75)


def test_a_search_tries_what_fits_and_nothing_that_only_trains() -> None:
    nets = {chain.level for chain in search_chains(["net"], 5)}
    assert {"prune-channels=0.3+tune=5", "int8", "half", "prune-channels=0.5+tune=5+int8"} <= nets
    assert not any(level.startswith(("tune", "fewer")) for level in nets)
    assert all(level.split("=")[0].endswith(("trees", "prototypes", "features")) for level in _levels("estimator"))


def _levels(kind: str) -> list[str]:
    return [chain.level for chain in search_chains([kind], 5)]  # type: ignore[list-item]


@pytest.mark.parametrize(("text", "share"), [("5%", 0.05), ("5 %", 0.05), ("0.05", 0.05), ("0", 0.0), ("100%", 1.0)])
def test_a_share_is_written_in_percent_or_as_a_number(text: str, share: float) -> None:
    assert read_share(text, "churn") == share


@pytest.mark.parametrize("text", ["5x", "", "-1%", "101%", "5", "nan", "%"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"churn is .*; expected a share between 0 and 1, such as 5% or 0.05."):
        read_share(text, "churn")


def test_a_compressed_run_is_a_run(run_folder: Path, halved: CompressionResult) -> None:
    original, run = pc.read_run(run_folder), pc.read_run(halved.folder)
    assert run.sets.test.model_ids == original.sets.test.model_ids == list(halved.population)
    assert run.sets.test.models["compression"].tolist() == ["half", "half", "none"]
    assert [*run.sets.shifted] == [*original.sets.shifted]
    assert run.sets.selection.shape == original.sets.selection.shape
    assert run.origin["source"] == ["wine"]
    folders = {path.name for path in (halved.folder / "models").iterdir()}
    assert folders == set(run.sets.test.models["id"])
    again = read_originals(halved.folder)
    for name, model in again.models.items():
        stored = run.sets.test.probabilities[list(again.models).index(name)]
        np.testing.assert_allclose(model(again.problem.split.test.array), stored, atol=1e-6)
    audit, _ = pc.audit_run(halved.folder)
    assert audit.n_models == 3


def test_the_answer_says_what_was_gained_and_what_it_cost(halved: CompressionResult) -> None:
    assert halved.sentence.startswith("3 members, 2 of them compressed, ")
    assert "no answer changed, as unlike as before [n_eff " in halved.sentence
    assert "forest is refused: half is not for a scikit-learn estimator." in halved.sentence
    members = halved.section.tables["members"].set_index("member")
    assert members["compression"].tolist() == ["half", "half", "none"]
    nets = members.iloc[:2]
    assert nets["verdict"].eq("compressed").all()
    assert (nets["smaller"] > 1.5).all()
    assert members.loc["forest", "verdict"] == "kept as it is"
    assert members.loc["forest", "reason"] == "half is not for a scikit-learn estimator"
    assert members.loc["forest", ["smaller", "faster"]].tolist() == [1.0, 1.0]
    assert (halved.section.tables["set"]["n"] > 0).all()
    assert {"accuracy", "log-loss", "n_eff", "accuracy on noise@1"} <= set(halved.section.tables["set"]["number"])
    assert set(halved.section.tables["each"]["member"]) == set(nets.index)
    assert str(halved).startswith(f"CompressionResult in {halved.folder}: 3 members")
    assert len(halved.lines) == 4


def test_the_front_has_the_originals_every_chain_and_what_is_kept(halved: CompressionResult) -> None:
    front = halved.section.tables["front_by_size"]
    assert front["set"].tolist() == ["originals", "half", "kept"]
    assert front["kind"].tolist() == ["originals", "efficient", "kept"]
    assert front["members"].tolist() == [0, 2, 2]
    assert front["smaller"].iloc[0] == 1.0
    assert front["bytes"].iloc[1] < front["bytes"].iloc[0]


def test_the_section_is_valid_json_and_draws_its_front(halved: CompressionResult) -> None:
    text = (halved.folder / "compression.json").read_text()
    assert text == section_json(halved.section)
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    jsonschema.validate(json.loads(text), json_schema("chapter"))
    specs = section_figures(halved.section)
    assert list(specs) == ["compression_loss", "compression_n_eff"]
    assert len(specs["compression_loss"]["data"]["values"]) == 3
    assert halved.section.plot()["title"] == "The loss of the set"
    table = first_table(halved.section)
    assert table is not None
    assert table.headings == ("member", "verdict", "smaller", "faster", "answers changed")


def test_several_chains_give_every_member_its_own(run_folder: Path, tmp_path: Path) -> None:
    options = CompressOptions(["half", "fewer-trees=0.5", "cluster-weights=0.75"], **LENIENT)
    result = pc.compress(run_folder, options, out=tmp_path / "out")
    front = result.section.tables["front_by_size"].set_index("set")
    assert front.index.tolist() == ["originals", "half", "fewer-trees=0.5", "cluster-weights=0.75", "kept"]
    assert front.loc["kept", "bytes"] <= front["bytes"].min() + 1e-6
    levels = result.section.tables["members"].set_index("member")["compression"]
    assert levels["forest"] == "fewer-trees=0.5"
    assert set(levels.iloc[:2]) <= {"half", "cluster-weights=0.75"}
    assert "Of 3 chains each member has the best by the selection part; the test part judged them." in result.sentence


@pytest.mark.slow
def test_a_target_gives_every_member_the_smallest_strength_that_reaches_it(run_folder: Path, tmp_path: Path) -> None:
    options = CompressOptions(["prune-channels"], smaller=2.0, tune=1, models=["mlp*"], **LENIENT)
    result = pc.compress(run_folder, options, out=tmp_path / "out")
    members = result.section.tables["members"]
    assert (members["smaller"] >= 2).all()
    strengths = members["compression"].str.extract(r"prune-channels=([\d.]+)\+tune=1")[0].astype(float)
    weaker = [f"prune-channels={strength - 0.05:g}" for strength in strengths]
    below = CompressOptions(sorted(set(weaker)), tune=0, models=["mlp*"], **LENIENT)
    result = pc.compress(run_folder, below, out=tmp_path / "below")
    assert (result.section.tables["members"]["smaller"] < 2).all()


def test_nothing_is_gained_by_strength_0_and_the_originals_stay(run_folder: Path, tmp_path: Path) -> None:
    options = CompressOptions(["prune-weights=0"], tune=0, models=["mlp*"])
    result = pc.compress(run_folder, options, out=tmp_path / "out")
    assert result.sentence.startswith(
        "2 members, none of them compressed: every one was refused, and the set is as it was."
    )
    assert result.section.tables["members"]["reason"].str.contains("neither smaller").all()
    assert "compression" not in pc.read_run(result.folder).sets.test.models


def test_a_budget_of_no_churn_refuses_what_changes_answers(run_folder: Path, tmp_path: Path) -> None:
    options = CompressOptions(["prune-channels=0.9"], tune=0, models=["mlp*"], churn=0.0, accuracy=1.0, more_alike=1.0)
    result = pc.compress(run_folder, options, out=tmp_path / "out")
    assert result.section.tables["members"]["reason"].str.contains("of its answers changed where at most 0.0 %").all()


def test_what_was_made_is_not_made_again(run_folder: Path, tmp_path: Path) -> None:
    options = CompressOptions(["prune-channels=0.5"], tune=1, models=["mlp*"], **LENIENT)
    pc.compress(run_folder, options, out=tmp_path)
    files = sorted((tmp_path / "attempts").rglob("*.*"))
    times = {file: file.stat().st_mtime_ns for file in files}
    pc.compress(run_folder, replace(options, methods=("prune-channels=0.5+half",)), out=tmp_path)
    assert {file: file.stat().st_mtime_ns for file in files} == times
    tuned, halves = pc.read_run(tmp_path).sets.test, pc.read_run(tmp_path).sets.test
    assert tuned.models["compression"].tolist() == halves.models["compression"].tolist()
    assert tuned.models["compression"].iloc[0] == "prune-channels=0.5+tune=1+half"


def test_another_set_of_models_does_not_take_what_this_one_taught(run_folder: Path, tmp_path: Path) -> None:
    pc.compress(run_folder, CompressOptions(["half"], models=["mlp*"]), out=tmp_path)
    pc.compress(run_folder, CompressOptions(["half"]), out=tmp_path)
    assert len([*(tmp_path / "attempts").iterdir()]) == 2


@pytest.mark.slow
def test_the_same_command_resumes_after_a_kill(run_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["--method", "prune-channels=0.5+half", "--models", "mlp*", "--tune", "1", "--churn", "100%"]
    words += ["--accuracy", "100%", "--more-alike", "100%", "--out", str(out)]
    command = [sys.executable, "-m", "polyculture.cli", "compress", str(run_folder), *words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not [*out.glob("attempts/*/[!.]*/recipe.json")]:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (out / "run.json").exists()
    first = next(out.glob("attempts/*/[!.]*/recipe.json"))
    time_of_first = first.stat().st_mtime_ns
    finished = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert finished.returncode == 0, finished.stderr
    assert "2 members, " in finished.stdout
    assert first.stat().st_mtime_ns == time_of_first
    assert not [*out.glob("attempts/*/.half-*")]
    assert pc.read_run(out).sets.test.models["compression"].str.startswith("prune-channels=0.5+tune=1+half").all()


def test_the_members_of_a_portfolio_are_compressed_with_their_weights(run_folder: Path, tmp_path: Path) -> None:
    sets = pc.read_run(run_folder).sets
    portfolio = pc.select(sets.selection, certify_on=sets.test, k=2, rule="mean")
    portfolio = replace(portfolio, facts={**portfolio.facts, "run": str(run_folder)})
    originals = read_originals(portfolio)
    assert list(originals.recipes) == list(portfolio.members)
    assert originals.weights == dict(zip(portfolio.members, portfolio.weights, strict=True))
    inputs = originals.problem.split.test.array[:5]
    weights = dict(zip(originals.models, (3.0, 1.0), strict=True))
    first, second = (model(inputs) for model in originals.models.values())
    teacher = Teaching.of(replace(originals, weights=weights), 0).ensemble
    np.testing.assert_allclose(teacher(inputs), 0.75 * first + 0.25 * second, atol=1e-6)
    (tmp_path / "portfolio.json").write_text(portfolio.to_json())
    assert read_originals(tmp_path).weights == originals.weights
    with pytest.raises(InputError, match="no model 'lenet'"):
        read_originals(portfolio, ["lenet"])


def test_one_model_and_numbers_are_compressed_like_others(tmp_path: Path) -> None:
    problem = pc.load_problem("diabetes", 0, pc.DataOptions(shifts=("noise",)))
    recipes = [Recipe("mlp", objective="squared", seed=seed, **NET) for seed in (0, 1)]
    pc.run(problem, pc.RunOptions(recipes=recipes, workers=1), out=tmp_path / "run")
    result = pc.compress(tmp_path / "run", CompressOptions(["half"]), out=tmp_path / "out")
    assert result.section.tables["members"]["compression"].tolist() == ["half", "half"]
    assert "The set's R² goes from" in result.sentence
    assert section_figures(result.section)
    assert pc.read_run(tmp_path / "out").sets.test.task == "regression"
    single = pc.compress(tmp_path / "run", CompressOptions(["half"], models=["*seed 1"]), out=tmp_path / "single")
    assert single.sentence.startswith("1 member, ")
    assert "n_eff" not in single.sentence


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": ["int9"]}, "no compression method 'int9'; did you mean 'int8'?"),
        ({"methods": ["prune-channels=2"]}, "prune-channels has the strength 2; expected 0 or more and below 1"),
        ({"methods": ["int8+tune=2"]}, "int8 before tune=2; expected at the end of the chain"),
        ({"methods": ["none"]}, "the method 'none'; expected one of prune-weights, "),
        ({}, "no method; expected one or more, such as int8 or prune-channels=0.5; add --method or --search."),
        ({"methods": ["int8"], "search": True}, "methods with a search; expected one of the two"),
        ({"methods": ["int8"], "smaller": 0.5}, "0.5 times smaller; expected a number above 1, such as 3."),
        ({"methods": ["int8"], "churn": 5.0}, "churn is 5; expected a share between 0 and 1, such as 0.05."),
        ({"methods": ["int8"], "tune": -1}, "tune is -1; expected a whole number of epochs, 0 or more."),
    ],
)
def test_options_that_cannot_be_used_are_refused_in_one_sentence(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as error:
        CompressOptions(**options)  # type: ignore[arg-type]
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": ["fewer-trees"], "models": ["mlp*"]}, "the method 'fewer-trees' for a net; expected one of"),
        ({"methods": ["half"], "smaller": 10.0}, "no member becomes 10× smaller by half; expected 1."),
        ({"methods": ["prune-channels"], "smaller": 10_000.0}, "no member becomes 10000× smaller by prune-"),
        ({"methods": ["half"], "models": ["forest"]}, "one model, forest; expected two or more: compression is judged"),
        ({"methods": ["half"], "models": ["lenet"]}, "no model 'lenet'; known: forest, mlp · seed 0, mlp · seed 1."),
    ],
)
def test_what_cannot_be_compressed_is_refused_and_leaves_nothing(
    run_folder: Path, tmp_path: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError) as error:
        pc.compress(run_folder, CompressOptions(**options), out=tmp_path / "out")  # type: ignore[arg-type]
    assert str(error.value).startswith(message)
    assert not (tmp_path / "out").exists()


def test_a_method_for_nets_is_refused_for_estimators_before_anything_is_made(tmp_path: Path) -> None:
    problem = pc.load_problem("wine", 0, pc.DataOptions(shifts=()))
    recipes = [Recipe("forest", seed=seed, **TREES) for seed in (0, 1)]
    pc.run(problem, pc.RunOptions(recipes=recipes, workers=1), out=tmp_path / "run")
    for options in (CompressOptions(["int8"]), CompressOptions(["fewer-trees=0.5+half"])):
        with pytest.raises(InputError, match="for a scikit-learn estimator; expected one of fewer-trees, "):
            pc.compress(tmp_path / "run", options, out=tmp_path / "out")
        assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="without a net, into one"):
        pc.compress(tmp_path / "run", CompressOptions(into_one=True), out=tmp_path / "out")


def test_a_set_becomes_one_net_where_that_costs_little(run_folder: Path, tmp_path: Path) -> None:
    result = pc.compress(run_folder, CompressOptions(into_one=True, churn=1.0, accuracy=1.0), out=tmp_path / "one")
    assert result.sentence.startswith("3 members in one net, ")
    assert "; what members differed on is lost [n_eff " in result.sentence
    assert list(result.population) == ["mlp · seed 0", "mlp · seed 1", "forest", "one for all"]
    assert result.next_command == f"polyculture audit {result.folder}"
    assert result.population.factors.loc["one for all", "compression"] == "distil-ensemble=0"
    assert pc.audit_run(result.folder)[0].n_models == 4
    assert section_figures(result.section)
    refused = pc.compress(run_folder, CompressOptions(into_one=True, churn=0.0), out=tmp_path / "refused")
    assert refused.sentence.startswith("3 members, as they were: one net taught by all of them is refused. The reason:")
    assert list(refused.population) == ["mlp · seed 0", "mlp · seed 1", "forest"]


def test_folders_that_are_no_run_or_another_one_are_refused(run_folder: Path, tmp_path: Path) -> None:
    options = CompressOptions(["half"])
    with pytest.raises(FileError, match=r"no such folder: .*nowhere; expected a folder of polyculture run or select"):
        pc.compress(tmp_path / "nowhere", options, out=tmp_path / "out")
    with pytest.raises(FileError, match=r"cannot read .*portfolio.json"):
        pc.compress(tmp_path, options, out=tmp_path / "out")
    with pytest.raises(InputError, match="is the run itself; expected another folder"):
        pc.compress(run_folder, options, out=run_folder)
    (tmp_path / "predictions").mkdir()
    with pytest.raises(InputError, match="is the folder of another run; expected a new folder or one of compress"):
        pc.compress(run_folder, options, out=tmp_path)
