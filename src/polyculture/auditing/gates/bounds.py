"""Does an audit keep the bounds that a pipeline sets? Any of its numbers by name, judged by its interval."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from polyculture.errors import InputError, near
from polyculture.results import Audit, CheckResult, Gate, GateResult
from polyculture.stats import Interval

from .numbers import Number, group_names, numbers_of, shift_names

RANGES = {
    "n_eff": (1.0, math.inf, "an effective number of models, 1 or more"),
    "rho": (-1.0, 1.0, "a number in [-1, 1]"),
    "kappa": (-1.0, 1.0, "a number in [-1, 1]"),
    "accuracy": (0.0, 1.0, "a share in [0, 1], such as 0.9"),
    "all_wrong": (0.0, 1.0, "a share in [0, 1], such as 0.05"),
}
"""Where the bound of a number must lie, by the first words of its name: beyond it a gate would never say anything."""
JUDGES = ("shown", "safe")
PLACES = {"shifts": "shifted test set", "groups": "group"}


def check(
    audit: Audit, gates: Mapping[str, Mapping[str, float | int]] | Iterable[Gate], *, judge: str = "shown"
) -> CheckResult:
    """Which bounds an audit keeps, judged by the intervals of its numbers; for a pipeline that must not homogenize.

    Parameters
    ----------
    audit : from `polyculture.audit`, or stored.
    gates : bounds by side and name, ``{"min": {"n_eff": 2}, "max": {"all_wrong": 0.05, "kappa": 0.8}}``; or gates.
        Names: n_eff, rho, all_wrong; kappa (each pair) and kappa_mean; accuracy (each model), accuracy_best,
        accuracy_worst and accuracy_mean; ``SECTION.NUMBER``. After ``@`` the place: a null model, a shifted test set,
        ``shifts`` for all of them, ``COLUMN=GROUP``, ``groups``, or of accuracy a model.
    judge : ``"shown"``: a gate is broken where the whole interval is beyond the bound. ``"safe"``: it is kept only
        where the whole interval is within the bound. A number or limit that is undefined decides nothing.

    Raises InputError for names that the audit does not have, for bounds that such a number cannot reach, and where
    there is no gate.

    Examples
    --------
    >>> from polyculture.testing import tiny_predictions
    >>> audit = pc.audit(tiny_predictions(sizes=(2, 1, 1)))  # two copies and two independent models
    >>> result = pc.check(audit, {"min": {"n_eff": 2}, "max": {"kappa": 0.8}})
    >>> print(result.gates[1])
    broken: kappa is 1 [0.9577, 1] (model-0 and model-1), expected at most 0.8 (the whole interval is above the bound)
    """
    if not isinstance(audit, Audit):
        raise InputError(f"{type(audit).__name__} to check", "an audit", "give polyculture.audit(predictions)")
    gates = gates_of(gates) if isinstance(gates, Mapping) else tuple(gates)
    for gate in gates:
        if not isinstance(gate, Gate):
            raise InputError(f"{gate!r} among the gates", 'a Gate, such as Gate("n_eff", "min", 2)')
    check_gates(gates, judge)
    numbers = numbers_of(audit)
    results = [
        GateResult.judged(part, number.interval, judge, number.subject)
        for gate in gates
        for part, number in _numbers(audit, gate, numbers)
    ]
    return CheckResult(audit.source, judge, tuple(results))


def gates_of(bounds: Mapping[str, Any]) -> tuple[Gate, ...]:
    """The gates of a mapping by side and name, as a configuration file has them."""
    gates = []
    for side, values in bounds.items():
        if side not in ("min", "max"):
            raise InputError(f"unknown side {side!r} of bounds", "'min' or 'max'", near(str(side), ("min", "max")))
        if not isinstance(values, Mapping):
            raise InputError(f"{side} is {values!r}", "bounds by name, such as {'n_eff': 2}")
        for name, bound in values.items():
            if not isinstance(bound, (int, float)):
                raise InputError(f"{side} {name} = {bound!r}", "a finite number, such as 0.05")
            gates.append(Gate(str(name), side, bound))  # type: ignore[arg-type]
    return tuple(gates)


def check_gates(gates: tuple[Gate, ...], judge: str) -> None:
    """Raise InputError without gates, for another judge, and for bounds that cannot be reached or kept together.

    Parameters as in `check`.
    """
    if not gates:
        raise InputError("no gate", "a bound on at least one number", 'give {"min": {"n_eff": 2}}, or --min n_eff=2')
    if judge not in JUDGES:
        raise InputError(f"judge {judge!r}", "'shown' or 'safe'", near(judge, JUDGES))
    least = {gate.number: gate.bound for gate in gates if gate.side == "min"}
    for gate in gates:
        base = next((name for name in RANGES if gate.number.partition("@")[0].startswith(name)), "")
        low, high, expected = RANGES.get(base, (-math.inf, math.inf, ""))
        if not low <= gate.bound <= high:
            raise InputError(f"{gate.side} {gate.number} = {gate.bound:g}", expected)
        if gate.side == "max" and least.get(gate.number, -math.inf) > gate.bound:
            raise InputError(
                f"{gate.number} at least {least[gate.number]:g} and at most {gate.bound:g}", "bounds that can be kept"
            )


EACH = {
    "kappa": {"min": "kappa_min", "max": "kappa_max"},
    "accuracy": {"min": "accuracy_worst", "max": "accuracy_best"},
}
"""Names that stand for each pair or model: the one that is nearest to breaking the bound decides."""


def _numbers(audit: Audit, gate: Gate, numbers: Mapping[str, Number]) -> list[tuple[Gate, Number]]:
    """The number that a gate bounds; several where it is about all shifts or groups."""
    name, _, place = gate.number.partition("@")
    if gate.number in EACH:
        return [(gate, numbers[EACH[gate.number][gate.side]])]
    number = numbers.get(gate.number) or numbers.get(f"{gate.number}@1")
    if number is not None:
        return [(gate, number)]
    places = {"shifts": shift_names(audit), "groups": group_names(audit)}.get(place, [])
    if places:
        names = [f"{name}@{part}" for part in places if f"{name}@{part}" in numbers]
        if names:
            return [(replace(gate, number=part), numbers[part]) for part in names]
    if place in PLACES and not (places or audit.facts.get(place)):
        raise InputError(f"{gate.number} without a {PLACES[place]}", f"an audit with {place}")
    reason = _skipped(audit, gate.number, place)
    if reason:
        return [(gate, Number(Interval.undefined(reason)))]
    raise InputError(f"no number {gate.number!r} in this audit", "", near(gate.number, [*numbers, *EACH]))


def _skipped(audit: Audit, name: str, place: str) -> str:
    """Why the section of a number does not apply; empty where it does, or the audit has no such section."""
    key = "groups" if place == "groups" else name.partition(".")[0]
    return next((section.reason for section in audit.sections if section.name == key), "")
