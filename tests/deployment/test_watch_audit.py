"""polyculture watch: a store or a server in, an audit out, and an exit code that says whether an alarm is up."""

from __future__ import annotations

import itertools
import json
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import beta

import polyculture as pc
from polyculture.cli import main
from polyculture.deployment.bundle import open_bundle
from polyculture.deployment.store import VersionNames, open_store
from polyculture.deployment.store.records import AnswerRecord
from polyculture.deployment.watch import LiveWatch, default_alarms
from polyculture.deployment.watch.audit import WatchOptions, audit_of_watch, watch, watch_of_store
from polyculture.deployment.watch.member_names import readable_names
from polyculture.deployment.watch.rounds import alarm_changes, watch_rounds
from polyculture.deployment.watch.section import SPEC
from polyculture.deployment.watch.watched import JOINT, watched_alarms
from polyculture.errors import FileError, InputError
from polyculture.reporting.lead import lead
from polyculture.reporting.sections import display_table, number_table, section_figures, views
from polyculture.results import Audit
from polyculture.stats import percent

from . import bundles
from .live_streams import CLASSES, IDS, certified_manifest, certified_statistics, filled_store, traffic

REFERENCE = certified_statistics()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose reference statistics are those of the traffic."""
    patch = pytest.MonkeyPatch()
    patch.setattr(bundles, "reference", lambda *_: REFERENCE)
    folder = tmp_path_factory.mktemp("watch") / "bundle"
    bundles.make_bundle(folder, alarms=default_alarms(IDS, REFERENCE), classes=3)
    patch.undo()
    return folder


@pytest.fixture(scope="module")
def version(bundle: Path) -> str:
    return open_bundle(bundle).manifest.version


@pytest.fixture(scope="module")
def stable(bundle: Path, version: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store of 3,000 answers as at certification, 2,000 of them labelled."""
    return filled_store(tmp_path_factory.mktemp("stores") / "stable.sqlite", [traffic(3000)], 2000, version)


@pytest.fixture(scope="module")
def shifted(bundle: Path, version: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store in which disagreement and an input change after 3,000 answers."""
    parts = [traffic(3000), traffic(1500, 0.12, shift=1.0, seed=4)]
    return filled_store(tmp_path_factory.mktemp("stores") / "shifted.sqlite", parts, 500, version)


def test_without_a_change_no_alarm_is_up(stable: str, bundle: Path) -> None:
    audit = watch(stable, bundle)
    assert audit.facts["alarms_up"] == []
    section = audit.section("watch")
    assert section.sentence.startswith("The three models disagree on ")
    assert "when they were certified: no alarm. Of 2,000 labelled answers " in section.sentence
    assert not [finding for finding in audit.findings if finding.code.startswith("PW") and finding.severity == "alert"]
    assert audit.n_instances == 2000
    assert audit.leaderboard.table["n"].tolist() == [2000] * 3


def test_the_audit_of_the_labelled_answers_is_that_of_their_table(stable: str, bundle: Path) -> None:
    t = traffic(3000)
    columns = dict(zip(IDS, t.members[:2000].T, strict=True))
    golden = pc.audit(pc.Predictions.from_answers(columns, t.truth[:2000]))
    audit = watch(stable, bundle)
    assert audit.n_eff.estimate == pytest.approx(golden.n_eff.estimate)
    assert audit.section("watch").numbers["n_eff"].estimate == pytest.approx(golden.n_eff.estimate)
    np.testing.assert_allclose(audit.pairwise.values["kappa"], golden.pairwise.values["kappa"])
    assert set(audit.section("groups").tables["groups"]["group"]) == {"south", "north"}


def test_a_change_raises_alarms_that_the_audit_names(shifted: str, bundle: Path) -> None:
    audit = watch(shifted, bundle)
    assert {"disagreement", "input_drift:age"} <= set(audit.facts["alarms_up"])
    section = audit.section("watch")
    assert ": alarm since request 3," in section.sentence
    alerts = [finding for finding in audit.findings if finding.severity == "alert"]
    assert {"PW001", "PW002"} <= {finding.code for finding in alerts}
    assert audit.findings[0].severity == "alert"
    assert any(finding.code == "PW004" for finding in audit.findings)
    assert section.numbers["domain_auc"].low > 0.6
    alarms = section.tables["alarms"]
    assert alarms["up"].tolist() == sorted(alarms["up"], reverse=True)
    live = section.tables["live"]
    assert live["at certification"].tolist()[0] == percent(REFERENCE["disagreement"])


def test_an_audit_of_a_watch_is_json_and_a_page(shifted: str, bundle: Path, tmp_path: Path) -> None:
    audit = watch(shifted, bundle)
    assert Audit.from_json(audit.to_json()).to_json() == audit.to_json()
    page = pc.report(audit, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Is it still what it was when it was certified?" in page
    assert "AUC of a classifier that tells live inputs" in page


def test_without_labels_only_the_watch_is_told(bundle: Path, version: str, tmp_path: Path) -> None:
    audit = watch(filled_store(tmp_path / "a.sqlite", [traffic(500)], 0, version), bundle)
    assert [section.name for section in audit.sections] == ["watch"]
    assert all(finding.code.startswith("PW") for finding in audit.findings)
    assert not audit.n_eff.defined
    assert audit.section("watch").numbers["error"].reason == "no labels"
    pc.report(audit, tmp_path / "page.html")
    assert Audit.from_json(audit.to_json()).to_json() == audit.to_json()


def test_without_a_bundle_there_is_nothing_to_compare_with(stable: str) -> None:
    audit = watch(stable)
    section = audit.section("watch")
    assert "certified" not in section.sentence
    assert "alarms" not in section.tables
    assert set(section.tables["live"]["at certification"]) == {"–"}


def test_labels_of_another_class_make_everybody_wrong(bundle: Path, version: str, tmp_path: Path) -> None:
    path, t = tmp_path / "a.sqlite", traffic(200)
    with open_store(str(path)) as store:
        store.register(VersionNames(version, "classification", CLASSES, IDS))
        store.register(VersionNames("older", "classification", (*CLASSES, "c9"), IDS))
        store.append(t.records(version=version))
        store.label([f"r{k}" for k in range(40)], ["c9"] * 10 + t.labels[10:40])
    audit = watch(str(path), bundle)
    assert audit.section("watch").numbers["all_wrong"].estimate >= 0.25
    assert (audit.systemic.hardest["label"] == "(another class)").sum() == 10


def test_answers_of_other_bundles_and_of_challengers_are_left_out(bundle: Path, version: str, tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with open_store(str(path)) as store:
        store.register(VersionNames(version, "classification", CLASSES, IDS))
        store.register(VersionNames("another", "classification", CLASSES, ("x", "y")))
        store.append(traffic(300).records(version=version))
        store.append(traffic(300, 0.9).records(300, version, shadow=True))
        store.append([AnswerRecord("z", 9e9, "another", 0, member_answers=(0, 1), quorum=2)])
    assert watch(str(path), bundle).facts["requests"] == 300
    assert watch(str(path)).n_models == 2


def test_since_bounds_the_answers(stable: str, bundle: Path) -> None:
    options = WatchOptions("60s", now=1_000_000.0 + 300.0)
    assert watch_of_store(stable, bundle, options).window.rows.total == 600
    assert WatchOptions("2026-11-30").start == 1_795_996_800.0
    assert WatchOptions("2026-11-30T01:00+01:00").start == 1_795_996_800.0
    assert WatchOptions().start == -math.inf
    assert WatchOptions("1.5h", now=5400.0).start == 0.0
    with pytest.raises(InputError, match="since 'yesterday'; expected a span such as 2h or 7d, or a date"):
        WatchOptions("yesterday").start  # noqa: B018


def test_a_window_bounds_what_is_remembered(stable: str, bundle: Path) -> None:
    tracker = watch_of_store(stable, bundle, WatchOptions(window=500))
    assert len(tracker.window.rows) == 500
    assert (tracker.labels.n, tracker.unmatched) == (2000, 0)


def test_a_regression_is_audited_by_its_residuals(tmp_path: Path) -> None:
    rng, path = np.random.default_rng(0), tmp_path / "a.sqlite"
    truth = rng.standard_normal(200)
    members = truth[:, None] + 0.3 * rng.standard_normal((200, 2))
    with open_store(str(path)) as store:
        store.register(VersionNames("v", "regression", (), ("a", "b")))
        rows = enumerate(members.tolist())
        store.append(
            [AnswerRecord(f"r{k}", float(k), "v", value=sum(v) / 2, member_values=tuple(v), quorum=2) for k, v in rows]
        )
        store.label([f"r{k}" for k in range(200)], truth.tolist())
    audit = watch(str(path))
    assert audit.null_models[0].name == "R"
    assert audit.n_instances == 200


def test_stores_that_cannot_be_watched_are_refused(stable: str, bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="there is no store"):
        watch(str(tmp_path / "absent.sqlite"), bundle)
    with pytest.raises(FileError, match="is no bundle"):
        watch(stable, tmp_path)
    other = bundles.make_bundle(tmp_path / "other", seed=5)
    with pytest.raises(InputError, match=r"no answers of the bundle [0-9a-f]{12} in .*; check the bundle, or --since"):
        watch(stable, other)
    open_store(str(tmp_path / "empty.sqlite")).close()
    with pytest.raises(InputError, match="has no answers"):
        watch(str(tmp_path / "empty.sqlite"))


# The command


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., tuple[int, str, str]]:
    def run(*words: str) -> tuple[int, str, str]:
        code = main(["watch", *words, "--out", str(tmp_path / "out")])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_the_exit_code_says_whether_an_alarm_is_up(command: Any, stable: str, shifted: str, bundle: Path) -> None:
    code, out, err = command(stable, "--bundle", str(bundle))
    assert (code, err) == (0, "")
    assert "no alarm" in out
    assert f"next  polyculture watch {stable} --bundle {bundle} --every 60" in out
    code, out, err = command(shifted, "--bundle", str(bundle))
    assert (code, err) == (1, "")
    assert "alert  Since request " in out
    assert f"next  polyculture retrain {bundle}" in out


def test_the_command_leaves_a_page_and_an_audit(command: Any, shifted: str, bundle: Path, tmp_path: Path) -> None:
    command(shifted, "--bundle", str(bundle))
    assert (tmp_path / "out" / "page.html").is_file()
    audit = Audit.from_json((tmp_path / "out" / "audit.json").read_text(encoding="utf-8"))
    assert "disagreement" in audit.facts["alarms_up"]


def test_json_is_the_audit(command: Any, shifted: str, bundle: Path) -> None:
    code, out, err = command(shifted, "--bundle", str(bundle), "--json")
    assert code == 1
    assert Audit.from_json(out).facts["alarms_up"]
    assert err.startswith("The three models disagree on ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("STORE", "--once", "--every", "5"), "--once with --every 5; leave one of the two out."),
        (
            ("absent.sqlite",),
            "there is no store absent.sqlite; expected the store that a server writes; check the path.",
        ),
        (("STORE", "--webhook", "host"), "the webhook 'host'; expected an address such as https://host/path."),
        (("STORE", "--since", "x"), "since 'x'; expected a span such as 2h or 7d, or a date such as 2026-11-30."),
        (("http://127.0.0.1:9",), "http://127.0.0.1:9/status does not answer: "),
        (
            ("http://127.0.0.1:9", "--since", "2h"),
            "since with the server http://127.0.0.1:9; expected the server alone; ",
        ),
        (
            ("http://127.0.0.1:9", "--bundle", "b"),
            "a bundle with the server http://127.0.0.1:9; expected the server alone",
        ),
        (("postgresql://127.0.0.1:1/none",), ""),
        (("http://[::bad",), "http://[::bad/status does not answer: "),
    ],
)
def test_input_that_cannot_be_used_is_one_line_and_exit_code_2(
    command: Any, stable: str, words: tuple[str, ...], message: str
) -> None:
    code, out, err = command(*(stable if word == "STORE" else word for word in words))
    assert (code, out) == (2, "")
    assert err.startswith(f"polyculture: {message}")
    assert err.count("\n") == 1


class StatusServer:
    """A server whose /status is this text; other paths are not found. What is posted is remembered."""

    def __init__(self, status: str, key: str = "") -> None:
        posts: list[Any] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                refused = key and self.headers.get("Authorization") != f"Bearer {key}"
                self.reply(401 if refused else 200 if self.path == "/status" else 404, status.encode())

            def do_POST(self) -> None:
                posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.reply(200, b"")

            def reply(self, code: int, body: bytes) -> None:
                self.send_response(code)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.posts = posts
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def servers() -> Iterator[list[StatusServer]]:
    running: list[StatusServer] = []
    yield running
    for server in running:
        server.close()


def test_a_server_is_watched_by_its_status(command: Any, servers: list[StatusServer]) -> None:
    live = LiveWatch(certified_manifest(REFERENCE), REFERENCE)
    live.observe(traffic(1000, 0.2).records())
    servers.append(StatusServer(json.dumps(live.status() | {"schema": 1, "version": "0123456789ab"})))
    code, out, _ = command(servers[0].url, "--json")
    assert code == 1
    audit = Audit.from_json(out)
    assert audit.facts["alarms_up"] == [a["name"] for a in live.status()["alarms"] if a["up"]]
    assert audit.section("watch").sentence.startswith("The three models disagree on ")
    assert audit.facts["bundle"] == "0123456789ab"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"alarms": 3}', "<html>"])
def test_a_server_that_says_something_else_is_refused(command: Any, servers: list[StatusServer], text: str) -> None:
    servers.append(StatusServer(text))
    code, _, err = command(servers[0].url)
    assert code == 2
    assert err.count("\n") == 1


def test_the_status_may_lack_members(servers: list[StatusServer]) -> None:
    members = [{"id": name, "state": "ok", "error": {}} for name in IDS]
    servers.append(StatusServer(json.dumps({"schema": 1, "time": 0, "version": "v", "alarms": [], "members": members})))
    audit = watch(servers[0].url)
    assert audit.facts["alarms_up"] == []
    assert audit.section("watch").reason == "there are no answers yet"
    servers.append(StatusServer('{"schema": 1, "time": 0, "version": "v", "alarms": [], "members": null}'))
    with pytest.raises(InputError, match="a portfolio of 0 members; expected two or more"):
        watch(servers[1].url)


def test_a_webhook_hears_of_changes_between_rounds(
    servers: list[StatusServer], bundle: Path, version: str, tmp_path: Path
) -> None:
    servers.append(StatusServer("{}"))
    path = filled_store(tmp_path / "a.sqlite", [traffic(2000)], 0, version)
    rounds = watch_rounds(path, bundle, seconds=0.001, webhooks=[servers[0].url])
    assert next(rounds).alarms_up == ()
    assert servers[0].posts == []
    with open_store(path) as store:
        store.append(traffic(800, 0.3).records(2000, version))
    raised = next(rounds).alarms_up
    assert "disagreement" in raised
    [post] = servers[0].posts
    assert {alarm["name"] for alarm in post["alarms"] if alarm["up"]} == set(raised)
    assert post["bundle"] == "bundle"
    assert next(rounds).alarms_up == raised
    assert len(servers[0].posts) == 1


def test_alarms_that_are_down_again_are_changes(stable: str, bundle: Path) -> None:
    changes = alarm_changes(watch(stable, bundle), ["disagreement", "quorum"])
    assert sorted((change.name, change.up) for change in changes) == [("disagreement", False), ("quorum", False)]


def test_one_round_is_the_default_and_negative_times_are_refused(stable: str, bundle: Path) -> None:
    assert len(list(itertools.islice(watch_rounds(stable, bundle), 3))) == 1
    with pytest.raises(InputError, match="a pause of -1 seconds; expected a number of seconds, at least 0"):
        next(watch_rounds(stable, seconds=-1.0))


def test_the_first_screen_has_live_numbers_next_to_those_at_certification_and_time(shifted: str, bundle: Path) -> None:
    audit = watch(shifted, bundle)
    view = views([audit.section("watch")], section_figures(audit.section("watch")))[0]
    first = lead(audit, [view])
    assert first.table is not None
    assert first.table.headings == ("number", "live", "at certification")
    assert first.table.rows[0][2] == percent(REFERENCE["disagreement"])
    assert first.figure == "watch_disagreement"
    figure = audit.plot("watch")
    moments = [row["moment"] for row in figure["data"]["values"]]
    assert moments == sorted(set(moments))
    assert moments[0] == "1970-01-12 13:46:40"
    assert figure["layer"][1]["data"]["values"] == [{"certified": pytest.approx(REFERENCE["disagreement"], rel=1e-4)}]
    assert [finding.severity for finding in first.findings] == ["alert"] * 3


def test_a_server_with_api_keys_is_asked_with_that_of_the_environment(
    servers: list[StatusServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    live = LiveWatch(certified_manifest(REFERENCE), REFERENCE)
    live.observe(traffic(100).records())
    servers.append(StatusServer(json.dumps(live.status()), "secret"))
    monkeypatch.delenv("POLYCULTURE_API_KEY", raising=False)
    with pytest.raises(FileError) as error:
        watch(servers[0].url)
    assert str(error.value) == (
        f"{servers[0].url}/status answers 401; expected the status of a server; set POLYCULTURE_API_KEY in the "
        "environment to one of its API keys."
    )
    monkeypatch.setenv("POLYCULTURE_API_KEY", "secret")
    assert watch(servers[0].url).facts["alarms_up"] == []
    monkeypatch.setenv("POLYCULTURE_API_KEY", "clé")
    with pytest.raises(InputError, match="POLYCULTURE_API_KEY holds characters that no header can carry"):
        watch(servers[0].url)


def test_the_page_leads_with_a_picture_whose_table_it_carries(shifted: str, bundle: Path) -> None:
    audit = watch(shifted, bundle)
    section = audit.section("watch")
    table = section.tables["over_requests"]
    assert table["request"].tolist() == [1, *(table["last"][:-1] + 1)]
    assert table["last"].iloc[-1] == table["n"].sum() == 4500
    assert table["n"].max() - table["n"].min() <= 1
    third = table.iloc[2]
    t = traffic(3000)
    members = t.members[third["request"] - 1 : third["last"]]
    events, n = int((members != members[:, :1]).any(axis=1).sum()), int(third["n"])
    # Jeffreys: quantiles of the Beta distribution with half an event and half a miss added.
    low, high = beta.ppf([0.025, 0.975], events + 0.5, n - events + 0.5)
    assert third[["disagreement", "disagreement_low", "disagreement_high"]].tolist() == pytest.approx(
        [events / n, low if events else 0.0, high]
    )
    assert int(table["error_n"].sum()) == int(table["all_wrong_n"].sum()) == 500
    spec = audit.plot("watch")
    assert [row["value"] for row in spec["data"]["values"]] == pytest.approx(table["disagreement"].tolist(), rel=1e-5)
    alarms = section.tables["alarms"].set_index("name")
    request = int(alarms.loc["disagreement", "request"])
    texts = json.dumps(spec["layer"], ensure_ascii=False)
    first = alarms[alarms["up"] & alarms.index.isin(JOINT)]["request"].min()
    assert f"alarm at {int(first):,}" in texts
    row = table[(table["request"] <= request) & (table["last"] >= request)]
    assert "disagreement rose" in row["alarm"].item()
    figures = section_figures(section)
    assert list(figures) == ["watch_disagreement", "watch_error", "watch_all_wrong", "watch_drift"]
    effects = [row["value"] for row in figures["watch_drift"]["data"]["values"]]
    assert effects == sorted(effects, reverse=True)
    assert len(effects) == min(25, len(section.tables["drift"].dropna(subset="effect")))


def test_without_labels_or_certificate_the_picture_has_no_part_for_them(
    bundle: Path, version: str, tmp_path: Path
) -> None:
    audit = watch(filled_store(tmp_path / "a.sqlite", [traffic(300)], 0, version))
    section = audit.section("watch")
    assert list(section_figures(section)) == ["watch_disagreement"]
    assert not [name for name in section.tables["over_requests"] if name.startswith(("error", "all_wrong"))]
    assert "Dashed" not in audit.plot("watch")["usermeta"]["caption"]
    few = watch(filled_store(tmp_path / "b.sqlite", [traffic(30)], 0, version), bundle).section("watch")
    assert "watch_disagreement" not in section_figures(few)


def test_shares_are_percent_and_times_are_dates_wherever_they_are_shown(shifted: str, bundle: Path) -> None:
    section = watch(shifted, bundle).section("watch")
    numbers = {row[0]: row[1] for row in number_table(section).rows}
    for name in ("disagreement", "all_wrong", "error", "gain"):
        i = section.numbers[name]
        shown = f"{percent(i.estimate)} [{percent(i.low)}, {percent(i.high)}]"
        assert numbers[SPEC.numbers[name]] == shown
    assert " %" not in numbers[SPEC.numbers["domain_auc"]]
    alarms = display_table(section, "alarms")
    assert alarms.headings[0] == "title"
    place = alarms.headings.index("since")
    assert alarms.rows[0][place].startswith("1970-01-12 13:5")
    assert alarms.rows[-1][place] == "–"


def test_members_are_called_by_their_names_and_keep_their_ids_in_a_column(shifted: str, bundle: Path) -> None:
    manifest = open_bundle(bundle).manifest
    names = {member.id: f"kind {k} · all" for k, member in enumerate(manifest.members)}
    members = tuple(replace(member, name=names[member.id]) for member in manifest.members)
    live = LiveWatch(replace(manifest, members=members), REFERENCE)
    live.observe(traffic(200).records())
    silent = [replace(r, member_answers=(-1, *r.member_answers[1:]), quorum=2) for r in traffic(800, 0.3).records(200)]
    live.observe(silent)
    audit = audit_of_watch(live, "a.sqlite")
    section = audit.section("watch")
    table = section.tables["members"]
    assert (table["name"].tolist(), table["id"].tolist()) == (list(names.values()), list(names))
    assert set(section.tables["pairs"]["model_a"]) <= set(names.values())
    assert any(f.code == "PW003" and f.sentence.startswith("kind 0 · all: It gave no answer") for f in audit.findings)
    alarms = section.tables["alarms"].set_index("name")
    for member, name in names.items():
        if f"member_drift:{member}" in alarms.index:
            assert alarms.loc[f"member_drift:{member}", "title"] == f"member {name} drifts"
            assert f"on which {name} differs" in alarms.loc[f"member_drift:{member}", "why"]
    words = json.dumps([finding.sentence for finding in audit.findings]) + json.dumps(section.tables["drift"].to_dict())
    assert not [member for member in names if member in words]
    assert [member["id"] for member in live.status()["members"]] == list(names)
    assert f"answers of {names[IDS[0]]}" in set(section.tables["drift"]["name"])


def test_members_of_one_name_are_told_apart_by_their_ids() -> None:
    assert readable_names([("a", "net"), ("b", "net"), ("c", ""), ("d", "tree")]) == {
        "a": "net (a)",
        "b": "net (b)",
        "c": "c",
        "d": "tree",
    }
    names = readable_names([("a", "b"), ("b", "c"), ("c", "")])
    assert len(set(names.values())) == 3


def test_only_columns_of_tables_can_be_missing() -> None:
    kinds = {
        modality: [a.name for a in default_alarms(IDS, REFERENCE, modality=modality) if a.name.startswith("missing:")]
        for modality in ("table", "image", "text", "audio", "series", "tags", "volume")
    }
    assert len(kinds.pop("table")) == 4
    assert not any(kinds.values())
    # A bundle that was exported with such alarms does not show them.
    manifest = certified_manifest(REFERENCE)
    assert [w for w in watched_alarms(manifest, REFERENCE) if w.name.startswith("missing:")]
    images = watched_alarms(replace(manifest, modality="image"), REFERENCE)
    assert not [w for w in images if w.name.startswith("missing:")]
    assert len(images) == len(manifest.alarms) - 4
