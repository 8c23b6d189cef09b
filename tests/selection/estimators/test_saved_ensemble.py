"""A fitted ensemble is small where it is light, comes back from plain files, and refuses what it cannot trust."""

from __future__ import annotations

import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_diabetes, load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.tree import DecisionTreeClassifier

from polyculture.errors import FileError, InputError
from polyculture.selection.estimators import DiverseEnsembleClassifier, DiverseEnsembleRegressor
from polyculture.selection.estimators.saved_ensemble import MANIFEST

WINE, KINDS = load_wine(return_X_y=True, as_frame=True)
LEARNERS = [
    ("logistic", LogisticRegression(max_iter=5000)),
    ("forest", RandomForestClassifier(30, random_state=0)),
    ("bayes", GaussianNB()),
    ("tree", DecisionTreeClassifier(max_depth=3, random_state=0)),
]


@pytest.fixture(scope="module")
def ensemble() -> DiverseEnsembleClassifier:
    labels = np.array(["barolo", "grignolino", "barbera"])[KINDS]
    return DiverseEnsembleClassifier(LEARNERS, cv=3, random_state=0).fit(WINE, labels)


class Own(ClassifierMixin, BaseEstimator):
    """A learner of which skops knows nothing."""

    def fit(self, X: Any, y: Any) -> Own:
        self.classes_, self.shares_ = np.unique(y, return_counts=True)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        return np.tile(self.shares_ / self.shares_.sum(), (len(X), 1))


@pytest.mark.parametrize("rule", ["stacking", "mixture"])
def test_a_classifier_comes_back_as_it_was(rule: str, tmp_path: Path) -> None:
    model = DiverseEnsembleClassifier(LEARNERS, rule=rule, cv=3, random_state=0).fit(WINE, KINDS)
    model.save(tmp_path / "kept")
    loaded = DiverseEnsembleClassifier.load(tmp_path / "kept")
    assert_allclose(loaded.predict_proba(WINE), model.predict_proba(WINE), atol=1e-12)
    assert_array_equal(loaded.predict(WINE), model.predict(WINE))
    assert loaded.weights_ == model.weights_
    pd.testing.assert_frame_equal(loaded.candidates_, model.candidates_)
    with pytest.raises(ValueError, match="feature names"):
        loaded.predict(WINE.rename(columns={"alcohol": "spirit"}))


def test_words_as_labels_categories_and_gaps_come_back(tmp_path: Path) -> None:
    table = WINE.assign(region=np.where(WINE["alcohol"] > 13, "hill", "plain"))
    table.loc[::5, "ash"] = np.nan
    labels = np.array(["barolo", "grignolino", "barbera"])[KINDS]
    model = DiverseEnsembleClassifier(LEARNERS, cv=3, random_state=0).fit(table, labels)
    model.save(tmp_path / "kept")
    loaded = DiverseEnsembleClassifier.load(tmp_path / "kept")
    assert_allclose(loaded.predict_proba(table), model.predict_proba(table), atol=1e-12)
    assert list(loaded.classes_) == list(model.classes_)


def test_a_regressor_comes_back_as_it_was(tmp_path: Path) -> None:
    X, y = load_diabetes(return_X_y=True)
    model = DiverseEnsembleRegressor([("ridge", Ridge()), ("near", KNeighborsRegressor(20))], random_state=0).fit(X, y)
    model.save(tmp_path / "kept")
    assert_allclose(DiverseEnsembleRegressor.load(tmp_path / "kept").predict(X), model.predict(X), atol=1e-9)
    light = model.light()
    assert {name: len(fits) for name, fits in light.members_.items()} == dict.fromkeys(light.weights_, 1)
    with pytest.raises(FileError, match=r"holds a DiverseEnsembleRegressor; expected a DiverseEnsembleClassifier"):
        DiverseEnsembleClassifier.load(tmp_path / "kept")


def test_evidence_is_kept_where_it_is_asked_for(ensemble: DiverseEnsembleClassifier, tmp_path: Path) -> None:
    ensemble.save(tmp_path / "with", evidence=True)
    ensemble.save(tmp_path / "without")
    loaded = DiverseEnsembleClassifier.load(tmp_path / "with")
    assert loaded.portfolio_.to_json() == ensemble.portfolio_.to_json()
    assert_allclose(loaded.light().predict_proba(WINE), ensemble.light().predict_proba(WINE))
    loaded.export(tmp_path / "bundle")
    bare = DiverseEnsembleClassifier.load(tmp_path / "without")
    told = "an ensemble without what its learners said; expected one with it; save it with evidence=True."
    for asked in (lambda: bare.portfolio_, lambda: bare.predictions_, bare.light):
        with pytest.raises(InputError) as error:
            asked()
        assert str(error.value) == told
    with pytest.raises(InputError, match="saved without rows"):
        bare.export(tmp_path / "other")


def test_the_files_are_at_most_twice_as_large_as_the_members(
    ensemble: DiverseEnsembleClassifier, tmp_path: Path
) -> None:
    for name, model in (("all", ensemble), ("light", ensemble.light())):
        model.save(tmp_path / name)
        size = sum(path.stat().st_size for path in (tmp_path / name).iterdir())
        assert size <= 2 * len(pickle.dumps(model.members_))


def test_light_has_one_member_per_learner_and_says_nearly_the_same(ensemble: DiverseEnsembleClassifier) -> None:
    light = ensemble.light()
    assert all(len(fits) == 1 for fits in light.members_.values())
    assert list(light.weights_) == list(ensemble.weights_)[:5]
    assert np.abs(light.predict_proba(WINE) - ensemble.predict_proba(WINE)).mean() < 0.05
    assert len(ensemble.light(1).members_) == 1
    assert light.audit_.n_models == len(light.candidates_)
    assert len(next(iter(ensemble.members_.values()))) == 4  # the original is as it was
    with pytest.raises(InputError, match="0 members; expected one or more"):
        ensemble.light(0)
    folds = DiverseEnsembleClassifier(LEARNERS, cv=3, refit=False, random_state=0).fit(WINE, KINDS)
    with pytest.raises(InputError, match=r"no member that has learned from all rows; .*fit with refit=True"):
        folds.light()


def test_types_that_are_not_trusted_are_refused_until_they_are(tmp_path: Path) -> None:
    model = DiverseEnsembleClassifier([("own", Own())], cv=2, random_state=0).fit(WINE, KINDS)
    model.save(tmp_path / "kept")
    kind = f"{Own.__module__}.Own"
    with pytest.raises(FileError, match=f"holds the type {kind}; expected nothing but learners of scikit-learn"):
        DiverseEnsembleClassifier.load(tmp_path / "kept")
    loaded = DiverseEnsembleClassifier.load(tmp_path / "kept", trusted=[kind])
    assert_allclose(loaded.predict_proba(WINE), model.predict_proba(WINE))


def test_what_was_changed_or_is_missing_is_refused(ensemble: DiverseEnsembleClassifier, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    with pytest.raises(FileError, match=r"has no ensemble\.json"):
        DiverseEnsembleClassifier.load(kept)
    ensemble.save(kept)
    with pytest.raises(InputError, match="is there already; expected a new folder"):
        ensemble.save(kept)
    assert not list(tmp_path.glob(".half-*"))
    written = (kept / MANIFEST).read_text()
    document = json.loads(written)
    file = document["members"][0]
    content = (kept / file).read_bytes()
    (kept / file).write_bytes(content[:-1])
    with pytest.raises(FileError, match="was changed"):
        DiverseEnsembleClassifier.load(kept)
    (kept / file).unlink()
    with pytest.raises(FileError, match="has no file"):
        DiverseEnsembleClassifier.load(kept)
    (kept / file).write_bytes(content)
    for damage, told in (("{", "cannot be read"), (written.replace('"format": 1', '"format": 9'), "newer version")):
        (kept / MANIFEST).write_text(damage)
        with pytest.raises(FileError, match=told):
            DiverseEnsembleClassifier.load(kept)
    document["versions"]["scikit-learn"] = "1.0"
    (kept / MANIFEST).write_text(json.dumps(document))
    with pytest.warns(UserWarning, match=r"was written with scikit-learn 1\.0"):
        DiverseEnsembleClassifier.load(kept)


def test_the_old_name_of_the_rule_warns_and_is_stacking() -> None:
    with pytest.warns(DeprecationWarning, match="the rule 'geometric' is now 'stacking'"):
        old = DiverseEnsembleClassifier(LEARNERS[2:], rule="geometric", cv=2, random_state=0).fit(WINE, KINDS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        new = DiverseEnsembleClassifier(LEARNERS[2:], cv=2, random_state=0).fit(WINE, KINDS)
    assert_array_equal(old.predict_proba(WINE), new.predict_proba(WINE))
    assert old.portfolio_.rule == old._pool.rule == "stacking"
