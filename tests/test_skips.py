"""Does docs/nightly.md explain why a test is skipped?"""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
PATTERN = re.compile(
    r"""(?:pytest\.skip\(\s*f?|skipif\([^)]*?(?:\([^)]*\)[^)]*?)*reason=|importorskip\([^)]*reason=)"([^"]+)\""""
)


def reasons() -> set[str]:
    return {reason for path in TESTS.rglob("*.py") for reason in PATTERN.findall(path.read_text("utf-8"))}


def test_every_reason_is_explained() -> None:
    page = (TESTS.parent / "docs" / "nightly.md").read_text("utf-8")
    explained = page.partition("## Why a test is skipped")[2]
    found = reasons()
    assert "no chromium on this machine" in found
    for reason in found:
        words = re.sub(r"\{\w+\}", "PACKAGE", reason)
        words = re.sub(r"^(no|needs) ", "", words) if words not in explained else words
        words = re.sub(r"^\w+ (is not installed)", r"PACKAGE \1", words) if words not in explained else words
        assert words in explained, f"docs/nightly.md does not explain the skip {reason!r}"
