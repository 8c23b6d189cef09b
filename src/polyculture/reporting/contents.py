"""Where is what on the page, and where should a reader look first?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from polyculture.results import Audit, Finding
from polyculture.results.panel import LARGEST

from .sections import SectionView, skipped, spec_of, title_of

CODES = {
    "null_models": ("PC001", "PC018"),
    "leaderboard": ("PC009", "PC004"),
    "pairs": ("PC003",),
    "systemic": ("PC002", "PC010"),
    "shifts": ("PC008",),
}
"""Which findings belong to which basic section; those of a further section are in its `SectionSpec`."""

_NAMES = {
    "findings": "Findings",
    "null_models": "Null models",
    "leaderboard": "Models",
    "pairs": "Pairs",
    "systemic": "Failures",
    "hardest": "Hardest",
    "shifts": "Shifts",
}
_SEVERITIES = ("alert", "warning", "note")
NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Entry:
    """One line of the contents: where it leads, what it is called, and how severe its findings are.

    The state is alert, warning, note, not applicable, or empty where nothing is checked.
    """

    anchor: str
    name: str
    state: str = ""

    @property
    def kind(self) -> str:
        """The state as a name of a style."""
        return self.state.replace(" ", "-") or "none"


def contents(audit: Audit | None, answers: Sequence[SectionView], further: Sequence[SectionView]) -> list[Entry]:
    """Every section of the page, in order."""
    first = (answers[0].navigation if answers else "Answer") or "Answer"
    entries = [Entry("answer", first, "" if answers or audit is None else _state(audit.findings, CODES["null_models"]))]
    entries += [Entry(f"section-{view.section.name}", view.navigation) for view in answers[1:]]
    if audit is None:
        return entries
    if audit.panel is not None or audit.n_models > LARGEST:
        entries.append(Entry("panel", "Try a panel"))
    for anchor, name in _NAMES.items():
        if anchor != "null_models" or answers:
            state = _state(audit.findings, CODES.get(anchor, ()))
            state = NOT_APPLICABLE if anchor == "shifts" and not len(audit.shifts) else state
            entries.append(Entry(anchor, name, state))
    for view in further:
        code = spec_of(view.section).code
        entries.append(Entry(f"section-{view.section.name}", view.navigation, _state(audit.findings, (code,))))
    entries += [Entry("skipped", title_of(section.name), NOT_APPLICABLE) for section in skipped(audit)]
    return [*entries, Entry("limits", "Limits"), Entry("methods", "Methods")]


def _state(findings: Sequence[Finding], codes: Sequence[str]) -> str:
    """The most severe of these findings; "not applicable" where none of them applies."""
    concerned = [finding for finding in findings if finding.code in codes]
    severities = {finding.severity for finding in concerned if not finding.reason}
    return next((s for s in _SEVERITIES if s in severities), NOT_APPLICABLE if concerned else "")
