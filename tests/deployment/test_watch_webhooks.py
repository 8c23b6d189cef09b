"""Webhooks reach a real server over a socket, are tried again, and write down what nobody took."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from polyculture.deployment.watch import LiveWatch
from polyculture.deployment.watch.alerting.webhooks import Webhook, WebhookSender
from polyculture.deployment.watch.live import AlarmChange
from polyculture.errors import InputError

from .live_streams import certified_manifest, certified_statistics, traffic

UP = AlarmChange("disagreement", "disagreement rose", True, 1000.0, 7, "It is 9 %.", "Look.", "0123456789ab")
DOWN = AlarmChange("all_wrong", "all models fail", False, 2000.5, 9, "It is 1 %.", "Look.", "0123456789ab")


class Receiver:
    """An HTTP server that answers with these codes, then with 200, and remembers what it got."""

    def __init__(self, codes: list[int], headers: dict[str, str] | None = None) -> None:
        self.codes, self.requests = list(codes), list[tuple[str, Any, str]]()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.requests.append((self.path, body, str(self.headers["Content-Type"])))
                self.send_response(receiver.codes.pop(0) if receiver.codes else 200)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def receivers() -> Iterator[list[Receiver]]:
    servers: list[Receiver] = []
    yield servers
    for server in servers:
        server.close()


def test_plain_json_says_everything(receivers: list[Receiver]) -> None:
    receivers.append(Receiver([]))
    assert Webhook(f"{receivers[0].url}/hook?key=1").send([UP, DOWN], "tiny") == ""
    [(path, body, kind)] = receivers[0].requests
    assert (path, kind) == ("/hook?key=1", "application/json")
    assert (body["source"], body["schema"], body["bundle"]) == ("polyculture", 1, "tiny")
    assert [alarm["name"] for alarm in body["alarms"]] == ["disagreement", "all_wrong"]
    assert body["alarms"][0] == {
        "name": "disagreement",
        "title": "disagreement rose",
        "up": True,
        "time": 1000.0,
        "request": 7,
        "why": "It is 9 %.",
        "action": "Look.",
        "version": "0123456789ab",
        "at": "1970-01-01T00:16:40Z",
    }


def test_alertmanager_gets_alerts_of_its_api(receivers: list[Receiver]) -> None:
    receivers.append(Receiver([]))
    assert Webhook(f"{receivers[0].url}/api/v2/alerts").send([UP, DOWN], "tiny") == ""
    [(path, alerts, _)] = receivers[0].requests
    assert path == "/api/v2/alerts"
    assert alerts[0] == {
        "labels": {
            "alertname": "PolycultureDisagreement",
            "alarm": "disagreement",
            "bundle": "tiny",
            "severity": "warning",
        },
        "annotations": {"summary": "disagreement rose", "description": "It is 9 %.", "runbook": "Look."},
        "startsAt": "1970-01-01T00:16:40Z",
    }
    assert alerts[1]["labels"]["severity"] == "critical"
    assert alerts[1]["endsAt"] == "1970-01-01T00:33:20.500000Z"
    assert "startsAt" not in alerts[1]


@pytest.mark.parametrize("codes", [[503], [500, 502], [429, 504, 408]])
def test_failures_that_may_pass_are_tried_again(receivers: list[Receiver], codes: list[int]) -> None:
    receivers.append(Receiver(codes))
    assert Webhook(receivers[0].url, backoff=0.001).send([UP]) == ""
    assert len(receivers[0].requests) == len(codes) + 1


def test_the_server_says_how_long_to_wait(receivers: list[Receiver]) -> None:
    receivers.append(Receiver([503], {"Retry-After": "1"}))
    started = time.monotonic()
    assert Webhook(receivers[0].url, backoff=0.001).send([UP]) == ""
    assert time.monotonic() - started >= 0.99


def test_a_refusal_is_not_tried_again_and_written_down(receivers: list[Receiver], tmp_path: Path) -> None:
    receivers.append(Receiver([400]))
    letters = tmp_path / "undelivered.jsonl"
    note = Webhook(receivers[0].url, backoff=0.001, dead_letters=letters).send([UP], "tiny")
    assert note == (
        f"The webhook {receivers[0].url} did not take 1 change: it answered 400 after 1 attempt; they are in {letters}."
    )
    assert len(receivers[0].requests) == 1
    [line] = letters.read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["alarms"][0]["name"] == "disagreement"


def test_nobody_there_is_said_after_the_last_attempt(receivers: list[Receiver]) -> None:
    receivers.append(Receiver([]))
    url = receivers[0].url
    receivers.pop().close()
    note = Webhook(url, attempts=3, backoff=0.001, timeout=2.0).send([UP, DOWN])
    assert note.startswith(f"The webhook {url} did not take 2 changes: ConnectError: ")
    assert note.endswith("after 3 attempts.")


def test_a_redirect_is_not_followed(receivers: list[Receiver]) -> None:
    receivers.append(Receiver([302], {"Location": "http://127.0.0.1:1/"}))
    assert "it answered 302" in Webhook(receivers[0].url, backoff=0.001).send([UP])


def test_a_live_watch_tells_webhooks_in_a_thread_of_its_own(receivers: list[Receiver]) -> None:
    receivers.append(Receiver([503]))
    reference = certified_statistics()
    sender = WebhookSender([Webhook(receivers[0].url, backoff=0.001)], "tiny")
    watch = LiveWatch(certified_manifest(reference), reference, on_change=sender.put)
    watch.observe(traffic(1000, 0.3).records())
    sender.close()
    names = {alarm["name"] for _, body, _ in receivers[0].requests for alarm in body["alarms"]}
    assert names == set(watch.alarms_up)
    assert "disagreement" in names
    assert sender.notes == []


def test_what_a_sender_cannot_deliver_it_notes(receivers: list[Receiver]) -> None:
    receivers.append(Receiver([404, 404]))
    sender = WebhookSender([Webhook(receivers[0].url)])
    sender.put(UP)
    sender.put(DOWN)
    sender.close()
    assert [note.partition(": ")[2] for note in sender.notes] == ["it answered 404 after 1 attempt."] * 2


def test_nothing_to_tell_is_not_sent() -> None:
    assert Webhook("http://127.0.0.1:1").send([]) == ""


def test_addresses_that_are_none_are_refused() -> None:
    with pytest.raises(InputError, match="the webhook 'host/path'; expected an address such as https://host/path"):
        Webhook("host/path")
    with pytest.raises(InputError, match="0 attempts; expected at least 1"):
        Webhook("http://host", attempts=0)
