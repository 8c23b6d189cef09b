"""What do the further chapters come to? One finding each, or why it does not apply; and all findings in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from polyculture.results import Finding, Section, Severity

from .context import AuditParts
from .findings_basic import CHECKS

SURE = 0.05


def findings(material: AuditParts) -> tuple[Finding, ...]:
    """All findings, most severe first, those that do not apply last, by code within."""
    rank: dict[Severity, int] = {"alert": 0, "warning": 1, "note": 2}
    found = [f for check in (*CHECKS, *CONCLUSIONS) for f in check(material)]
    return tuple(sorted(found, key=lambda f: (bool(f.reason), rank[f.severity], f.code)))


def _conclude(
    code: str, title: str, section: str, severity: Callable[[Section], Severity]
) -> Callable[[AuditParts], Iterator[Finding]]:
    """A check that says what the chapter says, or why it says nothing."""

    def check(material: AuditParts) -> Iterator[Finding]:
        told = material.section(section)
        if told.reason:
            yield Finding(code, title, "", reason=told.reason)
        else:
            yield Finding(code, title, told.sentence, severity(told))

    return check


def _label_errors(material: AuditParts) -> Iterator[Finding]:
    told, plausible = material.section("together"), material.context.options.label_errors
    title = "label errors could explain it"
    shock = told.numbers.get("common_shock_rate")
    if shock is None or not shock.defined:
        yield Finding("PC010", title, "", reason=told.reason or (shock.reason if shock else "undefined"))
        return
    if shock.estimate <= 0:
        yield Finding("PC010", title, "", reason="the models are not more alike than independent ones")
        return
    enough = shock.estimate <= plausible
    verdict = "so it could be entirely label errors" if enough else "more than is plausible"
    yield Finding(
        "PC010",
        title,
        f"If {shock.format('.2%')} of the labels were wrong, that alone would make independent models look as alike; "
        f"{plausible:.1%} is plausible, {verdict}.",
        "warning" if enough else "note",
    )


def _outside_difficulty(material: AuditParts) -> Iterator[Finding]:
    title = "alikeness beyond outside difficulty"
    if material.outside is None:
        yield Finding("PC018", title, "", reason="nothing from outside says how hard the instances are")
        return
    n = material.outside.n_eff
    yield Finding(
        "PC018",
        title,
        f"Given {material.outside.given} the models fail like {n.format()}, against "
        f"{material.null_model.n_eff.format()} without it. A noisy measure of difficulty removes only part of it: this is a lower bound.",
    )


def _beyond(section: Section) -> Severity:
    pairs = section.tables["pairs"]
    return "warning" if ((pairs["q"] <= SURE) & (pairs["z_scaled"] > 0)).any() else "note"


def _groups(section: Section) -> Severity:
    table = section.tables["groups"]
    return "alert" if ((table["q"] <= SURE) & (table["difference"] > 0)).any() else "note"


def _queue(section: Section) -> Severity:
    kinds = section.tables["queue"]["kind"]
    return "warning" if kinds.isin(["consensus", "format only", "no answer"]).any() else "note"


def _multiplicity(section: Section) -> Severity:
    return "warning" if section.numbers["ambiguity"].low > 0.1 else "note"


def _generalization(section: Section) -> Severity:
    gaps = section.tables["gaps"]
    return "warning" if (gaps.groupby("split")["low"].mean() > 0.1).any() else "note"


def _calibration(section: Section) -> Severity:
    return "warning" if section.tables["models"]["low"].iloc[-1] > 0.05 else "note"


def _ensembles(section: Section) -> Severity:
    return "warning" if section.numbers["net"].high < 0 else "note"


CONCLUSIONS: tuple[Callable[[AuditParts], Iterator[Finding]], ...] = (
    _label_errors,
    _conclude("PC011", "pairs more alike than difficulty explains", "beyond", _beyond),
    _conclude("PC012", "groups that every model fails", "groups", _groups),
    _conclude("PC013", "failures to look at", "queue", _queue),
    _conclude("PC014", "predictive multiplicity", "multiplicity", _multiplicity),
    _conclude("PC015", "generalization", "generalization", _generalization),
    _conclude("PC016", "calibration", "calibration", _calibration),
    _conclude("PC017", "what combining gains", "ensembles", _ensembles),
    _outside_difficulty,
)
