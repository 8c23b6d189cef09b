"""Every finding has one heading in docs/findings.md, and findings come in the order in which they matter."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

import polyculture as pc
from polyculture.auditing import AuditOptions
from polyculture.testing import tiny_predictions

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
HEADINGS = re.findall(r"^## (PC\d{3}) (.+)$", PAGE, re.MULTILINE)
PARTS = ("**Says.**", "**Computed.**", "**Severity.**", "**Does not mean.**", "**Next.**")


@pytest.fixture(scope="module")
def audit() -> pc.Audit:
    predictions = tiny_predictions((3, 2, 1), instances=300)
    instances = pd.DataFrame({"g": range(300)}, index=predictions.instances.index) % 3
    grouped = pc.Predictions(
        predictions.models, instances, predictions.answers, predictions.labels, classes=predictions.classes
    )
    options = AuditOptions(clusters="g", groups=("g",), strata=("g",))
    return pc.audit(grouped, options=options, shifted={"noise@1": grouped})


def test_every_code_in_the_source_has_one_heading_and_the_other_way_round() -> None:
    sources = (ROOT / "src" / "polyculture" / "auditing").rglob("*.py")
    codes = {code for path in sources for code in re.findall(r'"(PC\d{3})"', path.read_text(encoding="utf-8"))}
    assert sorted(codes) == [code for code, _ in HEADINGS]


def test_every_code_has_one_test_file() -> None:
    files = sorted(path.name.split("_")[1].upper() for path in Path(__file__).parent.glob("test_pc*.py"))
    assert files == [code for code, _ in HEADINGS]


def test_every_heading_says_the_same_five_things() -> None:
    sections = re.split(r"^## PC\d{3} .+$", PAGE, flags=re.MULTILINE)[1:]
    for (code, _), section in zip(HEADINGS, sections, strict=True):
        at = [section.find(part) for part in PARTS]
        assert min(at) >= 0, f"{code} lacks {PARTS[at.index(-1)]}"
        assert at == sorted(at), f"{code} tells them in another order"


def test_headings_are_the_titles_of_the_findings(audit: pc.Audit) -> None:
    titles = dict(HEADINGS)
    assert len(audit.findings) > 12
    for finding in audit.findings:
        assert finding.title == titles[finding.code]


def test_the_most_severe_come_first_and_those_that_do_not_apply_last(audit: pc.Audit) -> None:
    rank = ("alert", "warning", "note")
    order = [(bool(f.reason), rank.index(f.severity), f.code) for f in audit.findings]
    assert order == sorted(order)
    assert any(f.reason for f in audit.findings)
    assert {f.severity for f in audit.findings} >= {"warning", "note"}
