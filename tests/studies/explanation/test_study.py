"""From the folder of a run to explanations, sections and a page; every modality, and everything that is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import polyculture as pc
from polyculture.dataset import Split
from polyculture.errors import FileError, InputError
from polyculture.explanation import read_explanations
from polyculture.recipe import Recipe
from polyculture.reporting import report
from polyculture.studies.explanation.sources import explained_source
from polyculture.studies.explanation.study import AGAIN, EXPLANATIONS, NEARBY, changed_inputs
from polyculture.training import Problem

pytest.importorskip("torch")

RECIPES = [Recipe("logistic"), Recipe("knn"), Recipe("naive-bayes"), Recipe("forest", seed=0), Recipe("forest", seed=1)]
OPTIONS = pc.ExplainRunOptions(method="occlusion", instances=20, k=2, faithful=6)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("flowers") / "run"
    problem = pc.load_problem("iris", 0, pc.DataOptions(shifts=()))
    pc.run(problem, pc.RunOptions(recipes=RECIPES, workers=1), out=folder)
    return folder


@pytest.fixture(scope="module")
def result(run: Path) -> pc.studies.explanation.ExplainRunResult:  # type: ignore[name-defined]
    return pc.explain_run(run, OPTIONS, out=run.parent / "why")


def test_models_and_instances_are_those_of_the_run(run, result):
    assert result.explanations.shape == (5, 20, 4)
    assert result.explanations.model_ids == [str(name) for name in pc.read_run(run).sets.test.models.index]
    stored = read_explanations(result.folder / EXPLANATIONS)
    np.testing.assert_array_equal(stored.values, result.explanations.values)


def test_the_sentence_has_the_numbers_of_the_section(result):
    section = result.sections[0]
    assert section.name == "explanation"
    pairs, answers = (section.numbers[name].estimate for name in ("pairs", "same_answer"))
    start = f"5 models give the same answer on {100 * answers:.0f} % of pairs × instances and share {100 * pairs:.0f} %"
    assert section.sentence.startswith(f"{start} of their top 2 reasons; ")
    assert f"{section.numbers['effective_reasons'].estimate:.1f} effective reasons" in section.sentence
    assert f"ceiling {100 * section.numbers['same_recipe'].estimate:.0f} %." in section.sentence
    assert "The method has no seed" in section.sentence
    assert not (result.folder / AGAIN).exists()  # it would be the same


def test_every_model_has_a_row(result):
    table = result.sections[0].tables["models"]
    assert list(table["model"]) == result.explanations.model_ids
    assert (table["infidelity"].between(0, 1)).all()
    assert table["changed"].notna().sum() == 5


def test_answers_are_those_that_the_run_stored(run, result):
    test = pc.read_run(run).sets.test
    rows = [list(map(str, test.instances.index)).index(str(i)) for i in result.explanations.instances.index]
    np.testing.assert_array_equal(result.comparison.answers, test.answers[:, rows])


def test_sampled_methods_are_explained_again_with_another_seed(run, tmp_path):
    options = replace(OPTIONS, method="kernel-shap", samples=25, instances=8, faithful=0, repeats=2)
    result = pc.explain_run(run, options, out=tmp_path)
    assert (tmp_path / AGAIN).is_dir()
    assert "below_same_model" in result.sections[0].numbers
    assert result.sections[0].numbers["same_model"].estimate > 0.5


def test_the_same_call_resumes(run, tmp_path):
    steps: list[tuple[str, int, int, str]] = []
    options = replace(OPTIONS, models=("forest*",), faithful=0)
    first = pc.explain_run(run, options, out=tmp_path)
    second = pc.explain_run(run, options, out=tmp_path, progress=lambda *step: steps.append(step))
    assert first.sentence == second.sentence
    assert [step[1] for step in steps if step[0] == "explaining"] == [2]  # both models at once, from the folder


def test_two_models_of_one_recipe(run, tmp_path):
    result = pc.explain_run(run, replace(OPTIONS, models=("forest*",), faithful=0), out=tmp_path)
    assert result.sentence.startswith("Both models give the same answer on")
    assert "All models have one recipe, so that their agreement is the ceiling of other recipes." in result.sentence


def test_pages_are_led_by_the_answer_and_have_no_gaps(result, tmp_path):
    text = report(None, tmp_path / "page.html", result.sections, next_command="polyculture audit run").read_text()
    assert result.sentence.partition(". Explained")[0] in " ".join(text.replace("\u00a0", " ").split())
    for words in (
        "What the models look at, side by side",
        "The most frequent reasons",
        "Which few rules imitate the set?",
    ):
        assert words in text
    assert "nan" not in json.dumps([s.sentence for s in result.sections])


def _problem(name: str, sets) -> Problem:
    data = sets[name]
    third = len(data) // 3
    parts = [data.take(np.arange(start * third, (start + 1) * third)) for start in range(3)]
    return Problem(name, Split(*parts))


@pytest.mark.parametrize("name", ["table", "image", "colour", "volume", "series", "audio", "text", "numbers"])
def test_every_modality(name, sets, tmp_path):
    problem = _problem(name, sets)
    recipes = [Recipe("ridge"), Recipe("knn")] if name == "numbers" else [Recipe("logistic"), Recipe("forest")]
    pc.run(problem, pc.RunOptions(recipes=recipes, workers=1), out=tmp_path / "run")
    options = pc.ExplainRunOptions(instances=6, faithful=3, method="occlusion")
    result = pc.explain_run(tmp_path / "run", options, out=tmp_path / "why", problem=problem)
    section, representations, surrogate, _ = result.sections
    assert section.numbers["pairs"].defined
    assert ("same_answer" in section.numbers and section.numbers["same_answer"].defined) == (name != "numbers")
    assert ("changed_inputs" in section.numbers) == (name != "text")
    assert (tmp_path / "why" / NEARBY).is_dir() == (name != "text")
    assert representations.reason
    assert surrogate.tables["tree"]["depth"].iloc[0] == 0
    report(None, tmp_path / "page.html", result.sections)


def test_tags_are_refused_in_one_sentence(sets, tmp_path):
    problem = _problem("tags", sets)
    pc.run(
        problem,
        pc.RunOptions(
            recipes=[Recipe("crf", optimizer="adam", hyperparameters={"epochs": 1}, seed=seed) for seed in (0, 1)],
            workers=1,
        ),
        out=tmp_path / "run",
    )
    with pytest.raises(InputError) as error:
        pc.explain_run(tmp_path / "run", problem=problem, out=tmp_path / "why")
    assert str(error.value) == (
        "explanations of tags; expected one prediction per instance; explain a run on tables, images or texts."
    )


def test_members_of_a_bundle_and_of_a_portfolio_are_read_from_their_run(run, tmp_path):
    names = [str(name) for name in pc.read_run(run).sets.test.models.index][:2]
    manifest = {"source": {"run": str(run)}, "members": [{"name": name} for name in names]}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert list(explained_source(tmp_path).population) == names
    portfolio = replace(pc.select(pc.read(run), k=2), members=tuple(names), weights=(0.5, 0.5))
    place = tmp_path / "kept"
    place.mkdir()
    (place / "portfolio.json").write_text(replace(portfolio, facts={**portfolio.facts, "run": str(run)}).to_json())
    assert list(explained_source(place).population) == names


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            {"source": {}, "members": []},
            "is a bundle that was made of no run; expected one that was exported from a run",
        ),
        ({"source": {"run": "gone"}, "members": []}, "gone is no folder of a run"),
        ("[]", "cannot be read (AttributeError); expected what export wrote there"),
        ("{", "cannot be read (JSONDecodeError)"),
    ],
)
def test_bundles_of_no_run_are_refused(content, sentence, tmp_path):
    (tmp_path / "manifest.json").write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises((FileError, InputError), match=r".") as error:
        explained_source(tmp_path)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_other_folders_and_models_are_refused(run, tmp_path):
    with pytest.raises(FileError, match="is neither a run nor a bundle"):
        explained_source(tmp_path / "nothing")
    with pytest.raises(InputError, match="has no model 'forrest'"):
        explained_source(run, ("forrest",))
    with pytest.raises(InputError, match="1 model to explain; expected two or more"):
        explained_source(run, ("knn",))


def test_a_run_without_its_models_is_refused(run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    shutil.rmtree(copy / "models")
    with pytest.raises(FileError, match="has no model"):
        explained_source(copy)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"method": "ocllusion"}, "no method of explanation 'ocllusion'; did you mean 'occlusion'?"),
        ({"instances": 1}, "instances of an explanation is 1; expected a whole number of 2 or more."),
        ({"k": 0}, "k of an explanation is 0; expected a whole number of 1 or more."),
        ({"baseline": "black"}, "the baseline 'black'; expected 'mean' or 'zero'."),
        ({"samples": 0}, "samples of an explanation is 0; expected a whole number of 1 or more."),
        ({"change": 2.0}, "change is 2.0; expected standard deviations of a feature, above 0 and below 1."),
        ({"level": 1.0}, "level is 1.0; expected a confidence level between 0 and 1, such as 0.95."),
    ],
)
def test_options_out_of_range_are_refused(options, sentence):
    with pytest.raises(InputError) as error:
        pc.ExplainRunOptions(**options)
    assert str(error.value) == sentence


def test_small_changes_stay_in_the_range_and_leave_constant_features(sets):
    data = sets["image"]
    inputs = data.array.copy()
    inputs[:, 0, 0] = 0.25
    changed = changed_inputs(data.with_inputs(inputs), OPTIONS)
    assert changed is not None
    assert (changed.array[:, 0, 0] == 0.25).all()
    assert changed.array.max() <= inputs.max()
    assert 0 < np.abs(changed.array - inputs).max() < 0.2
    assert changed_inputs(sets["text"], OPTIONS) is None
