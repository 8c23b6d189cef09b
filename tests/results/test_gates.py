"""Is a gate judged by the interval, and do CI servers read the result?"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

import polyculture as pc
from polyculture.errors import InputError
from polyculture.results.gates import CheckResult, GateResult

NAN, INF = math.nan, math.inf
SCHEMA = Path(__file__).resolve().parents[1] / "golden" / "junit.xsd"


@pytest.mark.parametrize(
    ("side", "interval", "shown", "safe"),
    [
        ("max", (0.3, 0.2, 0.4), "kept", "kept"),
        ("max", (0.5, 0.4, 0.6), "kept", "broken"),
        ("max", (0.7, 0.6, 0.8), "broken", "broken"),
        ("max", (0.5, 0.4, 0.5), "kept", "kept"),
        ("max", (0.6, 0.5, 0.7), "kept", "broken"),
        ("min", (0.3, 0.2, 0.4), "broken", "broken"),
        ("min", (0.5, 0.4, 0.6), "kept", "broken"),
        ("min", (0.7, 0.6, 0.8), "kept", "kept"),
        ("max", (0.3, NAN, 0.4), "kept", "kept"),
        ("max", (0.3, 0.2, NAN), "kept", "undecided"),
        ("max", (0.7, NAN, 0.8), "undecided", "broken"),
        ("max", (0.3, NAN, NAN), "kept", "undecided"),
        ("max", (0.7, NAN, NAN), "undecided", "broken"),
        ("min", (INF, NAN, NAN), "kept", "undecided"),
        ("max", (NAN, NAN, NAN), "undecided", "undecided"),
        ("min", (NAN, 0.1, 0.2), "undecided", "undecided"),
    ],
)
def test_a_gate_is_judged_by_the_interval(side: Any, interval: tuple[float, ...], shown: str, safe: str) -> None:
    gate = pc.Gate("x", side, 0.5)
    assert GateResult.judged(gate, pc.Interval(*interval), "shown").status == shown
    assert GateResult.judged(gate, pc.Interval(*interval), "safe").status == safe


NUMBERS = st.floats(-10, 10)
ENDS = st.tuples(NUMBERS, NUMBERS, NUMBERS).map(lambda ends: (sorted(ends)[1], min(ends), max(ends)))
GAPS = st.sampled_from([(), (1,), (2,), (1, 2)])


@given(ENDS, GAPS, NUMBERS)
def test_a_minimum_is_the_mirror_of_a_maximum_and_safe_is_stricter(
    ends: tuple[float, float, float], gaps: tuple[int, ...], bound: float
) -> None:
    estimate, low, high = (NAN if k in gaps else end for k, end in enumerate(ends))
    interval, mirrored = pc.Interval(estimate, low, high), pc.Interval(-estimate, -high, -low)
    statuses = {}
    for judge in ("shown", "safe"):
        first = GateResult.judged(pc.Gate("x", "max", bound), interval, judge)
        second = GateResult.judged(pc.Gate("x", "min", -bound), mirrored, judge)
        assert first.status == second.status
        statuses[judge] = first.status
    assert statuses["shown"] != "broken" or statuses["safe"] == "broken"
    assert statuses["safe"] != "kept" or statuses["shown"] == "kept"
    if statuses["shown"] == "broken":
        assert low > bound
    if statuses["safe"] == "kept":
        assert high <= bound


def results() -> CheckResult:
    """One gate of each status, with names that no format is made for."""
    hostile = "a|b <c> & `d` \x1b[31m \ud800 ünï \ufffe"
    gates = (
        GateResult.judged(pc.Gate("n_eff", "min", 2), pc.Interval(2.5, 2.3, 2.7)),
        GateResult.judged(pc.Gate(f"accuracy@{hostile}", "min", 0.9), pc.Interval(0.7, 0.6, 0.8), "shown", hostile),
        GateResult.judged(pc.Gate("all_wrong", "max", 0.05), pc.Interval.undefined("no instance was answered")),
        GateResult.judged(pc.Gate("kappa", "max", 0.8), pc.Interval(0.95, 0.94, 0.96)),
    )
    return CheckResult(f"t {hostile}.csv", "shown", gates)


def test_the_worst_status_decides_and_the_worst_gates_come_first() -> None:
    result = results()
    assert (result.status, result.exit_code) == ("broken", 1)
    assert [gate.gate.number[:5] for gate in result.worst_first] == ["kappa", "accur", "all_w", "n_eff"]
    assert result.sentence == "4 gates: 2 broken, 1 kept, 1 cannot be told."
    undecided, kept = (CheckResult("", "safe", gates) for gates in (result.gates[2:3], result.gates[:1]))
    assert (undecided.exit_code, kept.exit_code) == (3, 0)
    assert kept.sentence == "1 gate: 0 broken, 1 kept."


def test_a_line_has_status_estimate_interval_and_bound() -> None:
    lines = [gate.line for gate in results().gates]
    assert lines[0] == "kept: n_eff is 2.5 [2.3, 2.7], expected at least 2"
    assert lines[2] == "cannot tell: all_wrong is undefined (no instance was answered), expected at most 0.05"
    assert lines[3] == (
        "broken: kappa is 0.95 [0.94, 0.96], expected at most 0.8 (the whole interval is above the bound)"
    )
    assert not any(character in "".join(lines) for character in ("\x1b", "\ud800", "\n"))


def test_junit_keeps_to_the_schema_whatever_names_hold() -> None:
    text = results().junit()
    root = ElementTree.fromstring(text)
    suite = root[0]
    assert (root.tag, suite.tag) == ("testsuites", "testsuite")
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("4", "2", "1")
    assert [case[0].tag for case in suite] == ["system-out", "failure", "error", "failure"]
    assert suite[3].get("name") == "kappa at most 0.8"
    assert suite[3][0].get("message") == results().gates[3].line
    etree = pytest.importorskip("lxml.etree", reason="lxml is not installed")
    schema = etree.XMLSchema(etree.parse(str(SCHEMA)))
    schema.assertValid(etree.fromstring(text.encode()))


def test_markdown_is_one_table_whatever_names_hold() -> None:
    head, *_ = text = results().markdown().splitlines()
    assert head == "### polyculture check: broken"
    rows = [line for line in text if line.startswith("|")]
    assert len(rows) == 6
    assert {row.replace("\\|", "").count("|") for row in rows} == {7}
    assert rows[2] == (
        "| `kappa` | at most 0.8 | 0.9500 | 0.9400 to 0.9600 | **broken** | the whole interval is above the bound |"
    )
    assert "<c>" not in "".join(text)
    assert "**cannot tell**" in rows[4]


def test_a_result_comes_back_from_json_and_from_a_frame() -> None:
    result = results()
    again = CheckResult.from_json(result.to_json())
    assert again.to_json() == result.to_json()
    assert again.exit_code == 1
    plain = CheckResult("t", "shown", (result.gates[0], *result.gates[2:]))
    assert plain.frame()["status"].tolist() == ["kept", "undecided", "broken"]
    assert "\x1b" not in repr(result)


@pytest.mark.parametrize("bound", [NAN, INF, True])
def test_a_bound_is_a_finite_number(bound: Any) -> None:
    with pytest.raises(InputError, match=r"expected a finite number, such as 0\.05"):
        pc.Gate("n_eff", "min", bound)
