"""Alert rules are valid, fire on what the server and the watch export, and stay silent otherwise."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from polyculture.deployment.bundle import AlarmSpec
from polyculture.deployment.watch import LiveWatch
from polyculture.deployment.watch.alerting.gauges import GAUGES, GaugeValue, co_disagreement_ratio, gauge_values
from polyculture.deployment.watch.alerting.rules import alert_rules
from polyculture.errors import InputError

from .live_streams import certified_manifest, certified_statistics, manifest_of, traffic

REFERENCE = certified_statistics()
MANIFEST = certified_manifest(REFERENCE)
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")


def promtool(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(PROMTOOL), *words], cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def alerts_of(rules: str) -> list[str]:
    return [line.split(": ")[1] for line in rules.splitlines() if line.strip().startswith("- alert:")]


@needs_promtool
@pytest.mark.parametrize("name", ["tiny", 'a "quoted" {{name}}\\ with\nlines', "naïve-모델"])
def test_promtool_accepts_the_rules(tmp_path: Path, name: str) -> None:
    rules = alert_rules(certified_manifest(REFERENCE, name=name))
    (tmp_path / "rules.yml").write_text(rules, encoding="utf-8")
    ended = promtool("check", "rules", "rules.yml", folder=tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"SUCCESS: {len(alerts_of(rules))} rules found" in ended.stdout


def test_every_kind_of_alarm_has_one_rule_and_the_service_has_its_own() -> None:
    alerts = alerts_of(alert_rules(MANIFEST))
    assert len(alerts) == len(set(alerts))
    kinds = {alarm.name.partition(":")[0] for alarm in MANIFEST.alarms}
    assert sum(alert.startswith("PolycultureAlarm") for alert in alerts) == len(kinds)
    bounds = {"CoDisagreement", "EffectiveNumber", "GroupAllWrong", "QuorumLost", "Slow", "Errors", "MemberFailing"}
    assert {f"Polyculture{name}" for name in bounds} <= set(alerts)


def test_every_rule_says_how_long_how_severe_and_what_to_do() -> None:
    blocks = alert_rules(MANIFEST).split("- alert: ")[1:]
    for block in blocks:
        for word in ("expr:", " for:", "keep_firing_for:", "severity:", "summary:", "runbook:"):
            assert block.count(word) == 1, block


def test_rules_are_only_about_gauges_and_counters_that_are_exported() -> None:
    exported = {*GAUGES, "polyculture_alarm", "polyculture_quorum", "polyculture_quorum_least", "polyculture_ready"}
    exported |= {f"polyculture_{name}" for name in ("requests_total", "request_seconds_bucket")}
    exported |= {f"polyculture_member_{part}_total" for part in ("failed", "answered")}
    text = alert_rules(MANIFEST).replace("(", " ").replace("{", " ")
    names = {word for word in text.split() if word.startswith("polyculture_")}
    assert names <= exported


SERIES = {
    "PolycultureAlarmDisagreement": {'polyculture_alarm{model="tiny",alarm="disagreement"}': "0x10 1x60"},
    "PolycultureAlarmMemberDrift": {'polyculture_alarm{model="tiny",alarm="member_drift:m1"}': "0x10 1x60"},
    "PolycultureCoDisagreement": {'polyculture_co_disagreement_ratio{model="tiny"}': "1x10 2x60"},
    "PolycultureEffectiveNumber": {
        'polyculture_n_eff{model="tiny"}': "2.5x10 1.4x60",
        'polyculture_n_eff_reference{model="tiny"}': "2.6x70",
    },
    "PolycultureGroupAllWrong": {
        'polyculture_group_all_wrong_low{model="tiny",column="site",group="south"}': "0.01x10 0.2x60",
        'polyculture_group_all_wrong_reference{model="tiny",column="site",group="south"}': "0.05x70",
    },
    "PolycultureGainLost": {'polyculture_gain_high{model="tiny"}': "0.01x10 -0.01x60"},
    "PolycultureQuorumLost": {
        'polyculture_quorum{model="tiny"}': "3x10 1x60",
        'polyculture_quorum_least{model="tiny"}': "2x70",
    },
    "PolycultureMemberFailing": {
        'polyculture_member_failed_total{model="tiny",member="m1"}': "0x10 0+60x60",
        'polyculture_member_answered_total{model="tiny",member="m1"}': "0+600x70",
    },
    "PolycultureSlow": {
        'polyculture_request_seconds_bucket{model="tiny",le="0.5"}': "0+100x10 1000x60",
        'polyculture_request_seconds_bucket{model="tiny",le="1.0"}': "0+100x10 1000+100x60",
        'polyculture_request_seconds_bucket{model="tiny",le="+Inf"}': "0+100x10 1000+100x60",
    },
    "PolycultureErrors": {
        'polyculture_requests_total{model="tiny",protocol="rest",code="200"}': "0+1000x70",
        'polyculture_requests_total{model="tiny",protocol="rest",code="503"}': "0x10 0+50x60",
    },
    "PolycultureNotReady": {'polyculture_ready{model="tiny"}': "1x10 0x60"},
}
"""By alert the series, a sample a minute, after whose tenth minute it fires."""


@needs_promtool
@pytest.mark.parametrize("alert", list(SERIES))
def test_promtool_sees_an_alert_fire_after_the_fault_and_not_before(tmp_path: Path, alert: str) -> None:
    rules = alert_rules(MANIFEST)
    (tmp_path / "rules.yml").write_text(rules, encoding="utf-8")
    block = rules.split(f"- alert: {alert}\n")[1].split("- alert: ")[0]
    texts = {
        key: json.loads(line.split(f"{key}: ", 1)[1])
        for key in ("summary", "runbook")
        for line in block.splitlines()
        if line.strip().startswith(f"{key}:")
    }
    severity = next(line.split(": ")[1] for line in block.splitlines() if "severity:" in line)
    name = list(SERIES[alert])[-1]
    labels = {k: v for k, _, v in (part.partition("=") for part in name.partition("{")[2].rstrip("}").split(","))}
    labels = {k: v.strip('"') for k, v in labels.items() if k not in ("le", "code", "protocol")}
    for key in labels:
        texts = {k: text.replace(f"{{{{ $labels.{key} }}}}", labels[key]) for k, text in texts.items()}
    firing = {"exp_labels": labels | {"severity": severity}, "exp_annotations": texts}
    test = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": series, "values": values} for series, values in SERIES[alert].items()],
                "alert_rule_test": [
                    {"eval_time": "9m", "alertname": alert, "exp_alerts": []},
                    {"eval_time": "50m", "alertname": alert, "exp_alerts": [firing]},
                ],
            }
        ],
    }
    (tmp_path / "test.yml").write_text(json.dumps(test), encoding="utf-8")
    ended = promtool("test", "rules", "test.yml", folder=tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_gauges_are_the_numbers_of_the_status() -> None:
    watch, t = LiveWatch(MANIFEST, REFERENCE), traffic(1000)
    watch.observe(t.records())
    watch.label([f"r{k}" for k in range(1000)], t.labels)
    status = watch.status()
    values = {(value.name, value.labels): value.value for value in gauge_values(status)}
    assert {name for name, _ in values} == set(GAUGES)
    assert all(len(labels) == len(GAUGES[name][1]) for name, labels in values)
    assert values["polyculture_disagreement_share", ()] == status["disagreement"]["estimate"]
    assert values["polyculture_n_eff_reference", ()] == REFERENCE["n_eff"]
    assert values["polyculture_labelled", ()] == 1000
    share, reference = status["co_disagreement"]["share"], REFERENCE["co_disagreement"]
    ratio = sum(share[a][b] for a in range(3) for b in range(a)) / sum(
        reference[a][b] for a in range(3) for b in range(a)
    )
    assert values["polyculture_co_disagreement_ratio", ()] == pytest.approx(ratio)
    south = next(g for g in status["groups"] if g["value"] == "south")
    assert values["polyculture_group_all_wrong_low", ("site", "south")] == south["all_wrong"]["low"]


def test_numbers_that_are_undefined_are_no_gauges() -> None:
    assert gauge_values({}) == []
    assert gauge_values(LiveWatch(manifest_of(()), {}).status()) == [GaugeValue("polyculture_labelled", (), 0.0)]
    assert co_disagreement_ratio({"share": [[0.1, 0.1], [0.1, 0.1]], "reference": [[0.0, 0.0], [0.0, 0.0]]}) is None
    assert co_disagreement_ratio({"share": [[0.1]], "reference": None}) is None


def test_alarms_of_an_unknown_kind_have_no_rule_and_a_time_must_be_positive() -> None:
    manifest = manifest_of((AlarmSpec("nonsense", 0.1, 0.2),))
    assert not any(alert.startswith("PolycultureAlarm") for alert in alerts_of(alert_rules(manifest)))
    with pytest.raises(InputError, match="a 99th percentile of 0 seconds; expected a positive number"):
        alert_rules(manifest, p99_seconds=0.0)
