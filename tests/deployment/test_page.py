"""The live page in a real browser: what a reader finds in it, at both widths, whatever the server says."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from polyculture.deployment.server.page.live_page import live_page
from polyculture.deployment.server.page.status import ServerStatus
from polyculture.rng import stream

NOW = 1_900_000_000.0
WIDTHS = [(1280, "light"), (390, "dark")]


def number(estimate: float | None, width: float = 0.01, **further: Any) -> dict[str, Any]:
    limits = {} if estimate is None else {"low": estimate - width, "high": estimate + width}
    return {"estimate": estimate, "level": 0.95, "n": 2000, "reason": "", **limits, **further}


def example() -> dict[str, Any]:
    """A status with every part: five members, all at rest."""
    names = ["mlp-1", "mlp-2", "forest", "logistic", "vendor A"]
    draw = stream(0, "page")
    members = [
        {
            "id": f"m{k}", "name": name, "answered": 12_000 - 3 * k, "failed": 3 * k, "state": "ok", "reason": "",
            "dissent": 0.03 + 0.01 * k, "dissent_reference": 0.031 + 0.01 * k, "error": number(0.05 + 0.01 * k),
            "drift": 0.1 * k, "latency_ms": None, "remote": k == 4,
        }
        for k, name in enumerate(names)
    ]  # fmt: skip
    over_time = [
        {
            "time": NOW - 3600 + 60 * k, "n": 100 + k, "p50": 1.2 + draw.random(), "p99": 4 + 3 * draw.random(),
            "disagreement": 0.045 + 0.01 * draw.random(), "n_eff": 1.9, "all_wrong": None,
        }
        if k not in (20, 21, 22)
        else {"time": NOW - 3600 + 60 * k, "n": 0, "p50": None, "p99": None, "disagreement": None}
        for k in range(60)
    ]  # fmt: skip
    alarm = {"up": False, "since": None, "until": None, "level": 0.2, "value": 0.047, "reference": 0.045}
    titles = {"disagreement": "disagreement rose", "quorum": "the quorum is lost", "member_drift:m1": "mlp-2 drifts"}
    hard = [
        {
            "id": f"5f3a9c-{k}", "time": NOW - 30 * k, "answer": "cat", "confidence": 0.4, "disagreement": 0.6,
            "member_answers": ["cat", "dog", "cat", "fox", None], "label": "dog" if k % 2 else None,
        }
        for k in range(6)
    ]  # fmt: skip
    groups = [
        {"column": "site", "value": v, "n": 700, "disagreement": number(d, reference=0.04), "all_wrong": number(0.01)}
        for v, d in (("Aachen", 0.03), ("Bonn", 0.06), ("Köln", 0.045))
    ]
    tests = [
        {
            "name": "age",
            "test": "Kolmogorov–Smirnov",
            "n": 2000,
            "statistic": 0.02,
            "adjusted": 0.6,
            "psi": 0.01,
            "reason": "",
        }
    ]
    return {
        "schema": 1, "time": NOW, "since": NOW - 3600, "name": "triage", "version": "1a2b3c4d5e6f",
        "started": NOW - 90_000, "challenger": "", "scope": "", "task": "classification", "answers": 2000,
        "labelled": 640,
        "n_eff": number(1.9, 0.2, reference=2.0), "disagreement": number(0.048, 0.007, reference=0.045),
        "all_wrong": number(0.021, 0.01, reference=0.02), "error": number(0.06, reference=0.058), "gain": number(0.01),
        "members": members, "over_time": over_time, "step_s": 60.0, "groups": groups, "hardest": hard, "drift": tests,
        "alarms": [alarm | {"name": name, "title": title} for name, title in titles.items()],
        "quorum": {"least": 3, "members": 5, "counts": [0, 0, 1, 2, 40, 1957]}, "latency_ms": {"p50": 1.6, "p99": 6.2},
        "requests": {"answered": 12_000, "refused": 0, "failed": 3},
        "store": {"state": "ok", "url": "answers.sqlite", "queued": 0, "written": 12_000, "dropped": 0, "reason": ""},
    }  # fmt: skip


def alarmed() -> dict[str, Any]:
    """The same with an alarm up, one that was, a member that drifts, one that is silent, and a store that is gone."""
    status = example()
    status["alarms"][0] |= {
        "title": "disagreement rose from 4.5 % to 10.2 %", "up": True, "since": NOW - 400, "level": 1.3, "value": 0.102,
        "why": "The disagreement is 10.2 % [8.1 %, 12.6 %] since answer 11,021; it was 4.5 % at certification.",
        "action": "Look at the hardest answers and the drift of the inputs; label a sample.",
    }  # fmt: skip
    status["alarms"][1] |= {"since": NOW - 9_000, "until": NOW - 8_000}
    status["members"][1] |= {
        "state": "drift",
        "reason": "It differs from the portfolio on 14.0 % of its recent answers.",
        "dissent": 0.14,
    }
    status["members"][4] |= {"state": "silent", "reason": "It gave no answer to any of the last 100 requests."}
    status["store"] |= {"state": "gone", "queued": 4_210, "reason": "database or disk is full", "since": NOW - 60}
    return status


class PageServer:
    """A server that gives the page and whatever status the test sets."""

    def __init__(self) -> None:
        self.status: Any = example()
        self.code = 200
        self.key = ""
        outer = self

        class Requests(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/":
                    page = live_page()
                    self.answer(200, page.content, dict(page.headers))
                elif outer.key and self.headers.get("Authorization") != f"Bearer {outer.key}":
                    self.answer(401, b"{}", {"content-type": "application/json"})
                else:
                    content = outer.status if isinstance(outer.status, bytes) else json.dumps(outer.status).encode()
                    self.answer(outer.code, content, {"content-type": "application/json"})

            def answer(self, code: int, content: bytes, headers: dict[str, str]) -> None:
                self.send_response(code)
                for name, value in (headers | {"content-length": str(len(content))}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.05,))
        self.thread.start()

    def stop(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def server() -> Iterator[PageServer]:
    page_server = PageServer()
    yield page_server
    page_server.stop()


class Visit:
    """One opened page and everything that went wrong in it."""

    def __init__(self, browser: Any, url: str, width: int = 1280, scheme: str = "light", **options: Any) -> None:
        viewport = {"width": width, "height": 844 if width < 600 else 900}
        self.context = browser.new_context(viewport=viewport, color_scheme=scheme, timezone_id="UTC", **options)
        self.page = self.context.new_page()
        self.faults: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda m: self.faults.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("dialog", lambda dialog: (self.faults.append("a dialog"), dialog.dismiss()))
        self.page.goto(url)

    def drawn(self) -> Any:
        self.page.wait_for_selector("html[data-drawn]", timeout=30_000)
        return self.page

    def wait_for(self, condition: str) -> None:
        """Wait until this expression is true; asked from outside, as the page's policy allows no evaluation in it."""
        deadline = time.monotonic() + 30
        while not self.page.evaluate(condition):
            assert time.monotonic() < deadline, condition
            self.page.wait_for_timeout(50)

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()


@pytest.mark.parametrize(("width", "scheme"), WIDTHS)
def test_the_page_leads_with_the_answer_and_has_every_part(
    server: PageServer, browser: Any, width: int, scheme: str
) -> None:
    with Visit(browser, server.url, width, scheme) as visit:
        page = visit.drawn()
        assert page.inner_text("h1") == (
            "5 models fail like 1.9; disagreement 4.8\u00a0% [4.1\u00a0%, 5.5\u00a0%]; no alarm is up."
        )
        assert page.title() == "triage"
        headings = page.eval_on_selector_all("h2", "nodes => nodes.filter(n => n.offsetParent).map(n => n.textContent)")
        assert headings == [
            "Alarms", "Members", "Disagreement over time", "Latency over time", "Quorum", "Groups",
            "The hardest recent answers", "Inputs against those of the certificate", "Server",
        ]  # fmt: skip
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        text = page.inner_text("main")
        for expected in (
            "2.0 at certification",
            "None of the 3 alarms",
            "None of the 5 members drifts or fails.",
            "97.9\u00a0%",
            "Bonn",
        ):
            assert expected in text
        assert page.locator("#hardest-table tbody tr").count() == 6
        assert page.locator("#latency-chart path").count() == 2
        assert page.locator("#disagreement-chart path").get_attribute("d").count("M") == 2  # a gap without answers
        assert visit.faults == []


@pytest.mark.parametrize(("width", "scheme"), WIDTHS)
def test_an_alarm_leads_with_what_happened_since_when_and_what_to_do(
    server: PageServer, browser: Any, width: int, scheme: str
) -> None:
    server.status = alarmed()
    with Visit(browser, server.url, width, scheme) as visit:
        page = visit.drawn()
        assert page.inner_text("h1").startswith("Alarm: disagreement rose from 4.5 % to 10.2 %, since 17:40:00.")
        assert page.title() == "(1) triage"
        assert page.inner_text("#announcement").startswith("Alarm:")
        text = page.inner_text("main")
        assert "What to do: Look at the hardest answers" in text
        assert "2 of 5 members drift or fail." in text
        assert "It gave no answer to any of the last 100 requests." in text
        assert (
            "The store cannot be written: database or disk is full. Serving goes on; 4,210 answers wait"
            in page.inner_text("#trouble")
        )
        assert page.locator("#alarms-up li.past").count() == 1
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert visit.faults == []


def test_each_picture_is_also_a_table_and_has_a_name(server: PageServer, browser: Any) -> None:
    with Visit(browser, server.url) as visit:
        page = visit.drawn()
        for name in ("disagreement", "latency", "quorum", "groups"):
            assert len(page.get_attribute(f"#{name}-chart", "aria-label")) > 20
            page.click(f"#{name} summary")
            rows = page.locator(f"#{name}-table tbody tr").count()
            assert rows == {"disagreement": 60, "latency": 60, "quorum": 6, "groups": 3}[name]
        visit.wait_for("performance.getEntriesByName(new URL('status', location).href).length >= 3")
        assert page.locator("details[open]").count() == 4  # drawing again does not close them


HOSTILE = "<img src=x onerror=alert(1)>\"'&\u202e</script><script>alert(2)</script>" + "W" * 300


def hostile(value: Any) -> Any:
    """The status with every text replaced by one that would run if it were HTML."""
    if isinstance(value, dict):
        return {name: hostile(cell) for name, cell in value.items()}
    if isinstance(value, list):
        return [hostile(cell) for cell in value]
    return HOSTILE if isinstance(value, str) else value


@pytest.mark.parametrize(("width", "scheme"), WIDTHS)
def test_texts_of_strangers_stay_texts(server: PageServer, browser: Any, width: int, scheme: str) -> None:
    server.status = hostile(alarmed())
    with Visit(browser, server.url, width, scheme) as visit:
        page = visit.drawn()
        assert page.locator("main img, main script").count() == 0
        assert "\u202e" not in page.inner_text("body")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert "<img src=x" in page.inner_text("#members-list")
        assert visit.faults == []


def damaged(value: Any, draw: Any) -> Any:
    """The value with some members left out, null, or of another kind."""
    if draw.random() < 0.04:
        return (None, "x", -1.0, 1e300, [], {})[int(draw.integers(6))]
    if isinstance(value, dict):
        return {name: damaged(cell, draw) for name, cell in value.items() if draw.random() > 0.05}
    return [damaged(cell, draw) for cell in value] if isinstance(value, list) else value


def test_whatever_is_missing_the_remainder_is_drawn(server: PageServer, browser: Any) -> None:
    statuses = [{"schema": 1, "time": NOW, "version": "v"}, example() | {"answers": 0, "over_time": [], "hardest": []}]
    statuses += [damaged(example(), stream(k, "damage")) for k in range(30)]
    server.status = statuses[0]
    with Visit(browser, server.url) as visit:
        page = visit.drawn()
        for status in statuses:
            status = (status if isinstance(status, dict) else {}) | {"schema": 1, "time": NOW, "version": "v"}
            faults = page.evaluate(
                "status => { window.faults = []; const old = console.error;"
                " console.error = (...words) => window.faults.push(words.join(' '));"
                " document.dispatchEvent(new CustomEvent('polyculture-status', { detail: status }));"
                " console.error = old; return window.faults; }",
                status,
            )
            assert faults == [], json.dumps(status)
            lapse = re.search(r".{30}(undefined|NaN|\[object)", page.inner_text("main"), re.DOTALL)
            assert lapse is None, json.dumps(status)
        assert visit.faults == []


FURTHER = {"co_disagreement", "n_eff_dissent", "labelled_total", "unmatched_labels", "relabelled"}
"""Members of the status that the page does not draw."""


@pytest.mark.parametrize("labelled", [False, True])
def test_the_status_of_a_real_watch_is_drawn(server: PageServer, browser: Any, tmp_path: Path, labelled: bool) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed")
    from polyculture.deployment import open_bundle
    from polyculture.deployment.store import AnswerRecord
    from polyculture.deployment.watch.live import LiveWatch

    from .bundles import make_bundle

    bundle = open_bundle(make_bundle(tmp_path / "bundle"))
    watch, draw = LiveWatch(bundle.manifest, bundle.reference), stream(0, "answers")
    answers = draw.integers(3, size=(600, 3)).tolist()
    watch.observe(
        [
            AnswerRecord(str(k), NOW - 600 + k, bundle.manifest.version, codes[0], 0.5, member_answers=tuple(codes),
                         disagreement=1 / 3, quorum=3, latency_ms=2.0 + k % 5, groups={"site": "AB"[k % 2]})
            for k, codes in enumerate(answers)
        ]
    )  # fmt: skip
    if labelled:
        watch.label([str(k) for k in range(600)], [f"c{k % 3}" for k in range(600)])
    server.status = {"schema": 1, "version": bundle.manifest.version, **watch.status(), "time": NOW}
    assert set(server.status) - FURTHER <= set(ServerStatus.__annotations__)
    with Visit(browser, server.url) as visit:
        page = visit.drawn()
        text = page.inner_text("main")
        assert page.locator("#members-list li").count() == 3
        assert page.locator("#hardest-table tbody tr").count() == 20
        assert "3 of 3" in page.text_content("#quorum-chart")
        assert ("600 of them have a label" if labelled else "none of them has a label yet") in text
        assert re.match(r"(3 models |Alarm: |\d+ alarms are up)", page.inner_text("h1"))
        assert visit.faults == []


def test_before_the_first_answer_the_page_says_so(server: PageServer, browser: Any) -> None:
    server.status = example() | {"answers": 0, "labelled": 0, "over_time": [], "hardest": [], "groups": [], "drift": []}
    server.status |= {"n_eff": number(None, reason="no labels"), "disagreement": number(None, reason="no answers")}
    server.status["quorum"] = {"least": 3, "members": 5, "counts": [0] * 6}
    with Visit(browser, server.url) as visit:
        page = visit.drawn()
        assert page.inner_text("h1") == "5 models, no answers yet; no alarm is up."
        assert not page.is_visible("#latency")
        assert "no labels" in page.inner_text("#tiles")


def test_a_server_that_stops_is_noticed(server: PageServer, browser: Any) -> None:
    with Visit(browser, server.url) as visit:
        page = visit.drawn()
        server.code = 500
        page.wait_for_selector("#trouble:not([hidden])", timeout=30_000)
        assert "it answered 500. These numbers are of" in page.inner_text("#trouble")
        server.code, server.status = 200, b"<html>"
        visit.wait_for("!document.getElementById('trouble').textContent.includes('500')")
        assert "The server does not say how it is" in page.inner_text("#trouble")
        server.status = example()
        page.wait_for_selector("#trouble", state="hidden", timeout=30_000)
        server.status = example() | {"schema": 2}
        page.wait_for_selector("#trouble:not([hidden])", timeout=30_000)
        assert "it is newer than this page" in page.inner_text("#trouble")


def test_a_server_with_keys_asks_for_one(server: PageServer, browser: Any) -> None:
    server.key = "secret"
    with Visit(browser, server.url) as visit:
        page = visit.page
        page.wait_for_selector("#key-form:not([hidden])", timeout=30_000)
        page.fill("#key", "wrong")
        page.click("button")
        page.wait_for_selector("#trouble:not([hidden])")
        assert page.inner_text("#trouble") == "The server does not know this key."
        page.fill("#key", "secret")
        page.click("button")
        visit.drawn()
        assert page.inner_text("h1").startswith("5 models")
        assert not page.is_visible("#key-form")


def test_without_scripts_the_page_says_where_the_numbers_are(server: PageServer, browser: Any) -> None:
    with Visit(browser, server.url, java_script_enabled=False) as visit:
        assert "scripts are switched off" in visit.page.inner_text("main")


def test_the_page_is_accessible(server: PageServer, browser: Any) -> None:
    server.status = alarmed()
    with Visit(browser, server.url, 390, "dark", reduced_motion="reduce") as visit:
        page = visit.drawn()
        levels = page.eval_on_selector_all("h1, h2, h3", "nodes => nodes.map(n => Number(n.tagName[1]))")
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))
        unnamed = "nodes => nodes.filter(n => !n.hidden && !n.getAttribute('aria-label')).length"
        assert page.eval_on_selector_all("[role=img], [role=region]", unnamed) == 0
        assert page.eval_on_selector_all("table", "nodes => nodes.filter(n => !n.caption || !n.tHead).length") == 0
        ids = page.eval_on_selector_all("[id]", "nodes => nodes.map(n => n.id)")
        assert len(ids) == len(set(ids))
        assert page.evaluate("getComputedStyle(document.querySelector('.state')).transitionDuration") == "0s"
        assert page.get_attribute("html", "lang") == "en"


def luminance(colour: str) -> float:
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_colours_are_those_of_the_reports_and_can_be_read() -> None:
    from polyculture.reporting.theme import css_variables

    style = live_page().content.decode()
    declared = re.findall(r":root \{([^}]*)\}", style)
    for theme, declarations in zip(("light", "dark"), declared, strict=True):
        palette = dict(re.findall(r"--([a-z]+): ?(#\w+);", declarations))
        reports = dict(re.findall(r"--([a-z0-9-]+):(#\w+);", css_variables(theme)))  # type: ignore[arg-type]
        assert palette == {name: reports[name] for name in palette}
        paper = luminance(palette["paper"])
        for name in ("ink", "muted", "blue", "orange"):
            light, dark = sorted((luminance(palette[name]), paper), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (theme, name)


def test_the_example_is_a_status() -> None:
    assert set(example()) <= set(ServerStatus.__annotations__)


def test_the_page_needs_no_other_file_and_no_other_host() -> None:
    page = live_page()
    text = page.content.decode()
    assert not re.search(
        r"""(src|href)=["']?(https?:)?//|@import|url\(|innerHTML|insertAdjacentHTML|document\.write|eval\(""", text
    )
    assert "http:" not in text
    assert "https:" not in text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert len(page.content) < 60_000


def test_many_alarms_are_counted_and_members_have_names_first_and_ids_in_a_column(
    server: PageServer, browser: Any
) -> None:
    server.status = alarmed()
    for alarm in server.status["alarms"]:
        alarm |= {"up": True, "since": NOW, "title": alarm["name"], "why": "It is 4.5 % now."}
    server.status["alarms"] = [server.status["alarms"][0] | {"name": f"a{k}", "title": f"a{k} rose"} for k in range(5)]
    with Visit(browser, server.url, 1280, "light") as visit:
        page = visit.drawn()
        assert page.inner_text("h1") == "5 alarms are up: a0 rose; a1 rose; a2 rose; and 2 more."
        page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
        row = page.locator("#alarms-table tbody tr").first.inner_text()
        assert "10.2\xa0%\t4.5\xa0%" in row
        assert "It is 4.5\xa0% now." in page.inner_text("#alarms-up")
        heads = page.locator("#members-table th[scope=col]").all_inner_texts()
        assert (heads[0], heads[-1]) == ("member", "id")
        cells = page.locator("#members-table tbody tr").first.locator("th, td").all_inner_texts()
        assert (cells[0], cells[-1]) == ("mlp-1", "m0")
        assert visit.faults == []
