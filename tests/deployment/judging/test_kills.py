"""A panel whose process is killed twice: nothing that was paid for is lost, and nothing known is asked again."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

pytest.importorskip("httpx", reason="httpx is not installed")
pytest.importorskip("uvicorn", reason="uvicorn is not installed")

from polyculture.deployment.judging.ledger import CallKey, CallRecord, Ledger

from ..remote_services import Service, completion, services, status

JUDGES = ("ann", "bob", "cat", "dan", "eve")
N_ITEMS, CONCURRENCY, KILLS = 1000, 8, 2
REFUSED = 40
"""Every so many requests one is refused as too many."""
PRICE = Decimal("0.0037")
MEMBER = """
[[member]]
id = "{name}"
kind = "chat"
url = "{url}/v1/chat/completions"
model = "{name}"
prompt = "{{text}}"
price_per_call = 0.0037
retries = 6
backoff_s = 0.02
break_after = 1000
concurrency = 8
"""


@pytest.fixture
def serve() -> Iterator[Callable[..., Service]]:
    """Starts services; all are stopped at the end."""
    with services() as start:
        yield start


@dataclass
class Shop:
    """Answers for money, fails in 5 % of requests, and refuses some as too many."""

    seed: int = 7
    sold: list[tuple[str, str]] = field(default_factory=list)
    refused: int = 0
    failed: int = 0
    taken: int = 0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    def respond(self, number: int, body: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        self.taken += 1
        if self.taken % REFUSED == 0:
            self.refused += 1
            return status(429, retry_after="0")
        if self.rng.random() < 0.05:
            self.failed += 1
            return status(500)
        text = str(body["messages"][-1]["content"])
        self.sold.append((str(body["model"]), text))
        return completion("yes" if int(text.split()[-1]) % 3 else "no")


def write_panel(folder: Path, url: str) -> None:
    members = "".join(MEMBER.format(name=name, url=url) for name in JUDGES)
    (folder / "panel.toml").write_text(f'[panel]\nclasses = ["yes", "no"]\n{members}', encoding="utf-8")
    lines = [json.dumps({"id": f"i{k}", "text": f"item {k}"}) for k in range(N_ITEMS)]
    (folder / "items.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def command(folder: Path) -> subprocess.Popen[str]:
    """The command on this panel, in a process of its own."""
    program = "from polyculture.cli import main; raise SystemExit(main())"
    line = [sys.executable, "-c", program, "judge", "panel.toml", "items.jsonl", "--out", "out", "--json"]
    return subprocess.Popen(line, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def answered(path: Path) -> set[tuple[str, str]]:
    """Calls whose answer is in whole lines of the ledger."""
    whole = path.read_bytes().rpartition(b"\n")[0]
    lines = [json.loads(line) for line in whole.splitlines()[1:]]
    return {(line["judge"], line["item"]) for line in lines if line.get("reason") == ""}


def killed_at(folder: Path, shop: Shop, n_sold: int) -> set[tuple[str, str]]:
    """Kill the command when so many answers are sold; what is in the ledger then."""
    process = command(folder)
    deadline = time.monotonic() + 40
    while len(shop.sold) < n_sold and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.005)
    assert process.poll() is None, process.communicate()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    return answered(folder / "out" / "calls.jsonl")


@pytest.mark.slow
def test_two_kills_lose_no_answer_and_buy_none_twice_but_those_in_flight(serve, tmp_path: Path) -> None:
    shop = Shop()
    service = serve(shop.respond)
    write_panel(tmp_path, service.url)
    known: set[tuple[str, str]] = set()
    for third in (1, 2):
        former, n_former = known, len(shop.sold)
        known = killed_at(tmp_path, shop, third * N_ITEMS * len(JUDGES) // 3)
        assert former <= known
        assert not former & {(judge, "i" + text.split()[-1]) for judge, text in shop.sold[n_former:]}
    n_former = len(shop.sold)
    process = command(tmp_path)
    output, errors = process.communicate(timeout=50)
    assert process.returncode == 0, errors
    assert not known & {(judge, "i" + text.split()[-1]) for judge, text in shop.sold[n_former:]}

    keys = [headers["idempotency-key"] for headers in service.headers]
    assert len(set(keys)) == N_ITEMS * len(JUDGES)
    sold = Counter(shop.sold)
    assert len(sold) == N_ITEMS * len(JUDGES)
    n_twice = sum(count - 1 for count in sold.values())
    assert n_twice <= CONCURRENCY * len(JUDGES) * KILLS
    assert shop.failed > 0
    assert shop.refused > 0
    told = re.search(r"(\d+) calls? in flight", output)
    assert told is not None
    assert n_twice <= int(told.group(1)) <= CONCURRENCY * len(JUDGES) * KILLS

    verdicts = pd.read_csv(tmp_path / "out" / "verdicts.csv")
    assert len(verdicts) == N_ITEMS
    assert int(verdicts[list(JUDGES)].notna().to_numpy().sum()) == N_ITEMS * len(JUDGES)
    costs = pd.read_csv(tmp_path / "out" / "costs.csv", dtype=str)
    counts = Counter(judge for judge, _ in sold)
    assert {row["model"]: Decimal(row["cost"]) for row in costs.to_dict("records")} == {
        name: PRICE * counts[name] for name in JUDGES
    }


def test_a_last_line_that_was_torn_is_cut_off(tmp_path: Path) -> None:
    path, names = tmp_path / "calls.jsonl", {"panel": "p", "items": "i"}
    ledger = Ledger(path, names)
    for k in range(3):
        ledger.start(CallKey("ann", f"i{k}", 1, 1))
        ledger.finish(CallRecord(CallKey("ann", f"i{k}", 1, 1), (1.0, 0.0), "yes", cost=PRICE))
    ledger.close()
    path.write_bytes(path.read_bytes()[:-7])
    again = Ledger(path, names)
    assert [key.item for key in again.records] == ["i0", "i1"]
    assert (again.cost, again.interrupted) == (2 * PRICE, 1)
    again.start(CallKey("ann", "i2", 1, 1))
    again.finish(CallRecord(CallKey("ann", "i2", 1, 1), (1.0, 0.0), "yes", cost=PRICE))
    again.close()
    last = Ledger(path, names)
    assert (len(last.records), last.interrupted) == (3, 1)
    last.close()
