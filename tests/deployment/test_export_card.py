"""The model card of a set can be read by machines and by people, whatever its models are called."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from polyculture.deployment.bundle import Manifest, open_bundle
from polyculture.deployment.export.card import model_card
from polyculture.results import Portfolio
from polyculture.selection import select
from polyculture.testing import tiny_predictions

from .bundles import make_bundle


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """Of a small bundle, with the certificate of a portfolio."""
    import json

    portfolio = select(tiny_predictions(), k=2)
    assert isinstance(portfolio, Portfolio)
    return replace(open_bundle(make_bundle(tmp_path / "b")).manifest, certificate=json.loads(portfolio.to_json()))


def front_matter(card: str) -> dict[str, Any]:
    """The YAML at the beginning, as model hubs read it."""
    yaml = pytest.importorskip("yaml")
    start, matter, text = card.split("---\n", 2)
    assert start == ""
    assert text.lstrip().startswith("# ")
    return dict(yaml.safe_load(matter))


REFERENCE = {"n": 200, "disagreement": 0.25, "all_wrong": 0.05, "error": 0.125, "n_eff": 2.5}


def test_the_front_matter_has_what_hubs_read(manifest: Manifest) -> None:
    matter = front_matter(model_card(manifest, REFERENCE, "What it is worth."))
    assert set(matter) == {"license", "library_name", "pipeline_tag", "tags", "metrics", "datasets", "model-index"}
    assert matter["pipeline_tag"] == "tabular-classification"
    result = matter["model-index"][0]["results"][0]
    assert result["metrics"] == [{"type": "accuracy", "value": 1 - 0.1625}]
    assert result["dataset"]["name"] == "tiny"


def test_the_card_says_how_alike_the_members_are_and_what_they_share(manifest: Manifest) -> None:
    card = model_card(manifest, REFERENCE, "What it is worth.")
    assert "25.0 % of the instances: the members do not all give the same answer" in card
    assert "the members fail like 2.50 independent models" in card
    assert "data all (3 of 3)" in card
    assert "| error | 16.25 % | 11.64 % | 21.83 % |" in card
    assert "What it is worth." in card


def test_a_card_without_certificate_and_reference_says_neither(manifest: Manifest) -> None:
    card = model_card(replace(manifest, certificate={}, conformal={}), {}, "")
    assert "## Certificate" not in card
    assert "## How alike" not in card
    assert front_matter(card)["model-index"][0]["results"][0]["metrics"][0]["type"] == "accuracy"


@pytest.mark.parametrize(
    "name", ["a: b\n---\nlicense: mit", "x | y", "<script>alert(1)</script>", '"', "'#", "\\", "- é ‮"]
)
def test_strange_names_stay_names(manifest: Manifest, name: str) -> None:
    members = (replace(manifest.members[0], name=name), *manifest.members[1:])
    card = model_card(replace(manifest, name=name, members=members), REFERENCE, name)
    matter = front_matter(card)
    assert matter["license"] == "other"
    assert matter["datasets"] == [name]
    table = next(line for line in card.splitlines() if line.startswith("| ") and "0.444" in line)
    assert table.replace("\\|", "").count("|") == 6
    assert "<script>" not in card.split("---\n", 2)[2].replace("\\<", "")
