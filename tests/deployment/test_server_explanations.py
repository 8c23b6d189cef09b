"""A bundle says what its set looked at: the change of its answer when a feature is absent, within a budget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("orjson", reason="orjson is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnx", reason="onnx is not installed")

from polyculture.deployment.bundle import Bundle, open_bundle
from polyculture.deployment.server.protocol.explanations import budget_of, explanation
from polyculture.deployment.server.refusals import RefusedRequestError

from .bundles import make_bundle, make_inputs

PROFILE = {"rows": [[1.0, 2.0, 3.0, None], [3.0, 2.0, 5.0, 7.0], [2.0, 9.0, 4.0, 8.0]], "categories": [0, 0, 0, 0]}


def opened(folder: Path, modality: Any, **fields: Any) -> Bundle:
    return open_bundle(make_bundle(folder / modality, modality, **fields))


def certified(folder: Path, **fields: Any) -> Bundle:
    """A bundle of a table with statistics of its columns."""
    bundle = opened(folder, "table", **fields)
    bundle.__dict__["reference"] = {"profile": PROFILE}
    return bundle


@pytest.mark.parametrize("regression", [False, True])
def test_columns_become_their_median(tmp_path: Path, regression: bool) -> None:
    bundle = certified(tmp_path, regression=regression)
    raw = bundle.read_inputs(make_inputs("table", 3))
    combined = bundle.predict(raw).combined
    result = explanation(bundle, raw, combined, 30.0)
    assert (result["features"], result["complete"]) == (["age", "height", "weight", "income"], True)
    assert result["scale"] == ("number" if regression else "probability")
    codes = combined.argmax(axis=1)
    for feature, median in enumerate([2.0, 2.0, 4.0, 7.5]):
        changed = raw.copy()
        changed[:, feature] = median
        falls = (combined - bundle.predict(changed).combined)[np.arange(3), codes]
        np.testing.assert_allclose([row[feature] for row in result["values"]], falls, atol=1e-6)


def test_a_word_is_left_out(tmp_path: Path) -> None:
    bundle = opened(tmp_path, "text")
    raw = bundle.read_inputs(["the film was great", "Awful, awful plot!"])
    combined = bundle.predict(raw).combined
    result = explanation(bundle, raw, combined, 30.0)
    assert result["features"] == [["the", "film", "was", "great"], ["awful", ",", "awful", "plot", "!"]]
    without = bundle.predict(bundle.read_inputs(["the film was "])).combined
    code = combined[0].argmax()
    assert result["values"][0][3] == pytest.approx(combined[0, code] - without[0, code], abs=1e-6)


@pytest.mark.parametrize(("modality", "count"), [("image", 30), ("series", 6), ("audio", 28)])
def test_parts_of_other_inputs_cover_them(tmp_path: Path, modality: Any, count: int) -> None:
    bundle = opened(tmp_path, modality)
    raw = bundle.read_inputs(make_inputs(modality, 2))
    result = explanation(bundle, raw, bundle.predict(raw).combined, 30.0)
    assert len(result["features"]) == len(result["values"][0]) == count
    assert result["complete"]
    assert np.abs(result["values"]).max() > 0


def test_a_spent_budget_leaves_nulls(tmp_path: Path) -> None:
    bundle = opened(tmp_path, "image")
    raw = bundle.read_inputs(make_inputs("image", 8))
    result = explanation(bundle, raw, bundle.predict(raw).combined, 1e-9)
    values = [value for row in result["values"] for value in row]
    assert not result["complete"]
    assert sum(value is not None for value in values) == 64


def test_what_cannot_be_explained_is_refused(tmp_path: Path) -> None:
    bundle = opened(tmp_path, "table")
    bundle.__dict__["reference"] = {}
    raw = bundle.read_inputs(make_inputs("table", 1))
    with pytest.raises(RefusedRequestError, match="a bundle without statistics of all its columns") as error:
        explanation(bundle, raw, bundle.predict(raw).combined, 1.0)
    assert error.value.status == 501
    with pytest.raises(RefusedRequestError, match="explanations of tags"):
        budget_of({"explain": True}, opened(tmp_path, "tags").manifest)
    remote = open_bundle(make_bundle(tmp_path / "far", remote=1, fused=False))
    with pytest.raises(RefusedRequestError, match="explanations of members elsewhere"):
        budget_of({"explain": True}, remote.manifest)
    for wish in ("please", 3, {"seconds": 0}, {"seconds": True}, {"samples": 3}, [1]):
        with pytest.raises(RefusedRequestError, match="the parameter 'explain' is"):
            budget_of({"explain": wish}, bundle.manifest)
    budgets = [budget_of({"explain": wish}, bundle.manifest) for wish in (True, False, None, {"seconds": 2}, "true")]
    assert budgets == [1.0, 0.0, 0.0, 2.0, 1.0]
    assert budget_of({"explain": '{"seconds": 0.5}'}, bundle.manifest) == 0.5
