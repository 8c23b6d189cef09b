"""Fitted estimators are exported, and the bundle predicts what they predict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
pytest.importorskip("skl2onnx")

from sklearn.datasets import load_diabetes, load_iris, load_wine
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier

import polyculture as pc
from polyculture.deployment.export.ensemble_graphs import undetermined
from polyculture.training.estimators import RecipeClassifier, RecipeRegressor

LEARNERS = [
    ("logistic", LogisticRegression(max_iter=500)),
    ("trees", ExtraTreesClassifier(20)),
    ("boosting", HistGradientBoostingClassifier(max_iter=20)),
    ("nearest", KNeighborsClassifier(5)),
]


def learned_and_new(X: Any, y: Any) -> tuple[Any, Any, Any, Any]:
    """Every second row to learn from, the others to predict."""
    return X[::2], y[::2], X[1::2], y[1::2]


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["stacking", "mixture"])
def test_an_ensemble_predicts_the_same_from_its_bundle(tmp_path: Path, rule: str) -> None:
    X, y, new, labels = learned_and_new(*load_wine(return_X_y=True))
    ensemble = pc.DiverseEnsembleClassifier(LEARNERS, rule=rule, cv=3, random_state=0).fit(X, y)
    bundle = ensemble.export(tmp_path / "bundle")
    answers = bundle.predict(bundle.read_inputs(new))
    np.testing.assert_allclose(answers.combined, ensemble.predict_proba(new), atol=1e-5)
    np.testing.assert_array_equal(ensemble.classes_[answers.answer], ensemble.predict(new))
    assert [member.name for member in bundle.manifest.members] == list(ensemble.weights_)
    assert bundle.manifest.certificate["certificate"]["error"]["n"] == len(y)
    # What is usual comes from rows that the members had not seen: not the perfect fit of what was learned from.
    crossfitted = ensemble.predictions_
    kept = [crossfitted.model_ids.index(name) for name in ensemble.weights_]
    np.testing.assert_allclose(bundle.reference["members_error"], crossfitted.wrong[kept].mean(axis=1), atol=1e-9)
    again = ensemble.export(tmp_path / "bundle", new, labels)
    assert again.reference["error"] == pytest.approx((ensemble.predict(new) != labels).mean())


@pytest.mark.slow
def test_a_dataframe_with_categories_and_gaps_is_read_by_the_bundle(tmp_path: Path) -> None:
    X, y = load_wine(return_X_y=True)
    frame = pd.DataFrame(
        {
            "alcohol": X[:, 0],
            "colour": np.where(X[:, 9] > 4, "red", " pale"),
            "ash": np.where(X[:, 2] > 2.2, X[:, 2], np.nan),
            "soil": np.where(X[:, 12] > 800, "chalk", None),
        }
    )
    learned, labels, new, _ = learned_and_new(frame, np.array(["a", "b", "c"])[y])
    ensemble = pc.DiverseEnsembleClassifier(LEARNERS, cv=3, random_state=0).fit(learned, labels)
    bundle = ensemble.export(tmp_path / "bundle")
    new = new.reset_index(drop=True)
    new.loc[0, "colour"] = "violet"  # not seen in training
    records = new.astype(object).where(new.notna(), None).to_dict("records")
    answers = bundle.predict(bundle.read_inputs(records))
    clear = ~undetermined(ensemble, new)  # of equally near neighbours scikit-learn takes those that come first
    assert clear.mean() > 0.9
    np.testing.assert_allclose(answers.combined[clear], ensemble.predict_proba(new)[clear], atol=1e-5)
    assert [column.name for column in bundle.manifest.columns] == list(frame.columns)
    assert bundle.manifest.classes == ("a", "b", "c")


@pytest.mark.slow
def test_an_ensemble_of_numbers_predicts_the_same_from_its_bundle(tmp_path: Path) -> None:
    X, y, new, targets = learned_and_new(*load_diabetes(return_X_y=True))
    learners = [("ridge", Ridge(0.1)), ("forest", RandomForestRegressor(20))]
    ensemble = pc.DiverseEnsembleRegressor(learners, cv=3, random_state=0).fit(X, y)
    bundle = ensemble.export(tmp_path / "bundle")
    answers = bundle.predict(bundle.read_inputs(new))
    np.testing.assert_allclose(answers.value, ensemble.predict(new), rtol=1e-5)
    interval = answers.conformal_interval
    assert interval is not None
    covered = ((interval[:, 0] <= targets) & (targets <= interval[:, 1])).mean()
    assert covered > 0.8


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "modality", "shape"),
    [("mlp", "table", None), ("forest", "table", None), ("lenet", "image", (2, 2)), ("gru", "series", (2, 2))],
)
def test_an_estimator_of_a_recipe_predicts_the_same_from_its_bundle(
    tmp_path: Path, architecture: str, modality: str, shape: Any
) -> None:
    X, y, new, labels = learned_and_new(*load_iris(return_X_y=True))
    brief = None if architecture == "forest" else {"epochs": 2}
    model = RecipeClassifier(architecture, hyperparameters=brief, modality=modality, shape=shape).fit(X / 8, y)
    bundle = model.export(tmp_path / "bundle", new / 8, labels)
    raw = bundle.read_inputs(new / 8)  # flat rows
    np.testing.assert_allclose(bundle.predict(raw).combined, model.predict_proba(new / 8), atol=1e-5)
    assert bundle.reference["error"] == pytest.approx((model.predict(new / 8) != labels).mean())
    alone = model.export(tmp_path / "bundle")
    assert (alone.reference, alone.manifest.alarms, dict(alone.manifest.conformal)) == ({}, (), {})


@pytest.mark.slow
def test_a_recipe_for_texts_and_one_for_numbers_are_exported(tmp_path: Path) -> None:
    texts = ["a good film", "good good plot", "an awful film", "awful bad plot"] * 10
    model = RecipeClassifier("naive-bayes", modality="text").fit(texts, ["+", "+", "-", "-"] * 10)
    bundle = model.export(tmp_path / "texts")
    np.testing.assert_allclose(
        bundle.predict(bundle.read_inputs(texts)).combined, model.predict_proba(texts), atol=1e-5
    )
    X, y, new, targets = learned_and_new(*load_diabetes(return_X_y=True))
    regressor = RecipeRegressor("ridge").fit(X, y)
    bundle = regressor.export(tmp_path / "numbers", new, targets)
    np.testing.assert_allclose(bundle.predict(bundle.read_inputs(new)).value, regressor.predict(new), rtol=1e-4)


def test_what_is_not_fitted_and_what_is_no_estimator_of_ours_is_refused(tmp_path: Path) -> None:
    for source, text in (
        (
            pc.DiverseEnsembleClassifier(),
            "a DiverseEnsembleClassifier that is not fitted; expected a fitted one; call fit",
        ),
        (RecipeClassifier(), "a RecipeClassifier that is not fitted"),
        (Ridge().fit([[0.0], [1.0]], [0, 1]), "a Ridge to export; expected the folder of a run"),
    ):
        with pytest.raises(pc.InputError, match=text):
            pc.export(source, tmp_path / "bundle")


@pytest.mark.slow
def test_targets_that_were_not_learned_and_missing_targets_are_refused(tmp_path: Path) -> None:
    X, y, new, _ = learned_and_new(*load_iris(return_X_y=True))
    model = RecipeClassifier("logistic").fit(X, y)
    with pytest.raises(pc.InputError, match="the target 7; expected one of 0, 1, 2"):
        model.export(tmp_path / "bundle", new, np.full(len(new), 7))
    with pytest.raises(pc.InputError, match="rows to check on without targets; expected a target for every row"):
        model.export(tmp_path / "bundle", new)
    assert list(tmp_path.iterdir()) == []
