"""A panel that is asked over real sockets: verdicts, orders, refusals, resumption, and every input that is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

pytest.importorskip("httpx", reason="httpx is not installed")
pytest.importorskip("uvicorn", reason="uvicorn is not installed")

import polyculture as pc
from polyculture.cli import main
from polyculture.deployment.judging import judging_bill

from ..remote_services import Service, completion, services, status

PAIR_PROMPT = "Which is better?\\nA: {a}\\nB: {b}"
MEMBER = """
[[member]]
id = "{name}"
kind = "chat"
url = "{url}/v1/chat/completions"
model = "{name}"
prompt = "{prompt}"
price_per_call = 0.003
retries = 0
"""


@pytest.fixture
def serve() -> Iterator[Callable[..., Service]]:
    """Starts services; all are stopped at the end."""
    with services() as start:
        yield start


def panel_file(folder: Path, url: str, names: str = "ann bob cat", prompt: str = "{text}", extra: str = "") -> Path:
    path = folder / "panel.toml"
    members = "".join(MEMBER.format(name=name, url=url, prompt=prompt) for name in names.split())
    path.write_text(f'[panel]\nclasses = ["yes", "no"]\n{extra}{members}', encoding="utf-8")
    return path


def texts(n: int, labels: bool = False) -> list[dict[str, Any]]:
    return [{"id": f"i{k}", "text": f"item {k}"} | ({"label": "yes"} if labels else {}) for k in range(n)]


def prompt_of(body: dict[str, Any]) -> str:
    return str(body["messages"][-1]["content"])


def stable(number: int, body: dict[str, Any]) -> Any:
    """Everybody says yes, but cat about every third item."""
    item = int(prompt_of(body).split()[-1])
    return completion("no" if body["model"] == "cat" and item % 3 == 0 else "yes")


def test_verdicts_decisions_and_costs_are_left_in_the_folder(serve, tmp_path: Path) -> None:
    service = serve(stable)
    result = pc.judge(panel_file(tmp_path, service.url), texts(9), out=tmp_path / "out")
    assert result.sentence.startswith("3 judges decide 9 of 9 items by plurality: yes on ")
    assert result.cost == Decimal("0.081")
    stored = pd.read_csv(tmp_path / "out" / "verdicts.csv")
    assert list(stored.columns) == ["id", "ann", "bob", "cat"]
    assert stored["cat"].tolist() == ["no", "yes", "yes"] * 3
    assert result.decisions["votes"].tolist() == [2, 3, 3] * 3
    assert len(service.requests) == 27
    assert len({headers["idempotency-key"] for headers in service.headers}) == 27


def test_a_second_run_asks_nothing_and_a_larger_one_only_what_is_new(serve, tmp_path: Path) -> None:
    service = serve(stable)
    path = panel_file(tmp_path, service.url)
    pc.judge(path, texts(9), pc.JudgeOptions(limit=4), out=tmp_path / "out")
    assert len(service.requests) == 12
    pc.judge(path, texts(9), out=tmp_path / "out")
    assert len(service.requests) == 27
    again = pc.judge(path, texts(9), out=tmp_path / "out")
    assert len(service.requests) == 27
    assert again.cost == Decimal("0.081")


def test_refusals_are_kept_and_failures_are_asked_again(serve, tmp_path: Path) -> None:
    broken = {"bob"}

    def respond(number: int, body: dict[str, Any]) -> Any:
        if body["model"] == "ann":
            return completion("I cannot help with that.")
        if body["model"] in broken:
            return status(500)
        return completion("perhaps" if prompt_of(body).endswith("0") else "yes")

    service = serve(respond)
    path = (
        panel_file(tmp_path, service.url, extra="").read_text().replace("retries = 0", "retries = 0\nbreak_after = 99")
    )
    (tmp_path / "panel.toml").write_text(path)
    first = pc.judge(tmp_path / "panel.toml", texts(3), pc.JudgeOptions(passes=1), out=tmp_path / "out")
    counts = {(row["judge"], row["reason"]): row["count"] for row in first.failures.to_dict("records")}
    assert counts == {("ann", "refused"): 3, ("bob", "status"): 3, ("cat", "unparsable"): 1}
    assert first.cost == Decimal("0.018")
    broken.clear()
    before = len(service.requests)
    second = pc.judge(tmp_path / "panel.toml", texts(3), out=tmp_path / "out")
    assert len(service.requests) - before == 3
    assert second.failures["reason"].tolist() == ["refused", "unparsable", "unparsable"]  # bob answered, too
    assert second.verdicts["ann"].tolist() == ["", "", ""]


def test_both_orders_show_who_prefers_a_place(serve, tmp_path: Path) -> None:
    def respond(number: int, body: dict[str, Any]) -> Any:
        first, second = (line[3:] for line in prompt_of(body).split("\n")[1:3])
        return completion("A" if body["model"] == "first" or first > second else "B")

    service = serve(respond)
    path = panel_file(tmp_path, service.url, "first fair just", PAIR_PROMPT)
    text = path.read_text().replace('["yes", "no"]', '["A", "B", "tie"]\nswap = ["a", "b"]')
    path.write_text(text)
    pairs = [{"id": k, "a": f"x{k % 2}", "b": f"x{1 - k % 2}"} for k in range(12)]
    result = pc.judge(path, pairs, pc.JudgeOptions(orders="both"), out=tmp_path / "out")
    assert result.verdicts["first"].tolist() == ["tie"] * 12
    assert result.verdicts["fair"].tolist() == ["B", "A"] * 6
    table = result.sections[0].tables["orders"].set_index("judge")
    assert table.loc["first", ["items", "changed", "first"]].tolist() == [12, 1.0, 1.0]
    assert table.loc["fair", "changed"] == 0
    assert "shown to prefer a place: first." in result.sentence


def test_a_changed_order_without_a_tie_is_no_verdict(serve, tmp_path: Path) -> None:
    service = serve(lambda number, body: completion("A"))
    path = panel_file(tmp_path, service.url, "ann bob", PAIR_PROMPT)
    path.write_text(path.read_text().replace('["yes", "no"]', '["A", "B"]\nswap = ["a", "b"]'))
    result = pc.judge(path, [{"id": 1, "a": "x", "b": "y"}], pc.JudgeOptions(orders="both"), out=tmp_path / "out")
    assert result.verdicts["ann"].tolist() == [""]
    assert result.decisions["decision"].tolist() == [""]


def test_scores_are_averaged_over_judges(serve, tmp_path: Path) -> None:
    service = serve(lambda number, body: completion("4" if body["model"] == "ann" else "2"))
    path = panel_file(tmp_path, service.url, "ann bob")
    text = path.read_text().replace('classes = ["yes", "no"]', 'task = "regression"')
    path.write_text(text.replace("retries = 0", 'retries = 0\nparser = { kind = "score" }'))
    result = pc.judge(path, texts(2), out=tmp_path / "out")
    assert result.decisions["decision"].tolist() == [3.0, 3.0]
    assert result.sentence.startswith("2 judges rated 2 of 2 items.")


def test_the_command_leaves_a_page_and_names_the_next(serve, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    panel_file(tmp_path, serve(stable).url)
    items = "".join(json.dumps(item) + "\n" for item in texts(30, labels=True))
    Path("items.jsonl").write_text(items)
    assert main(["judge", "panel.toml", "items.jsonl", "--out", "out"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "3 judges decide 30 of 30 items" in out
    assert "next polyculture panel out/verdicts.csv" in out
    assert [section["name"] for section in json.loads(Path("out/judging.json").read_text())][:2] == ["judging", "panel"]
    page = Path("out/page.html").read_text()
    assert "What did the panel decide?" in page
    assert "Who differs from the panel?" in page
    assert main(["panel", "out/verdicts.csv", "--prices", "out/costs.csv"]) == 0
    assert "3 judges are worth" in " ".join(capsys.readouterr().out.split())


def test_the_key_comes_from_the_environment(serve, tmp_path: Path, monkeypatch) -> None:
    service = serve(stable)
    path = panel_file(tmp_path, service.url)
    path.write_text(path.read_text().replace("retries = 0", 'retries = 0\nkey_env = "JUDGE_KEY"'))
    monkeypatch.delenv("JUDGE_KEY", raising=False)
    with pytest.raises(pc.InputError, match="the environment variable JUDGE_KEY is not set"):
        pc.judge(path, texts(2), out=tmp_path / "out")
    monkeypatch.setenv("JUDGE_KEY", "secret-1")
    pc.judge(path, texts(2), out=tmp_path / "out")
    assert service.headers[0]["authorization"] == "Bearer secret-1"
    assert "secret-1" not in "".join(file.read_text() for file in (tmp_path / "out").iterdir())


def test_requests_are_spaced_out(serve, tmp_path: Path) -> None:
    pytest.importorskip("aiolimiter", reason="aiolimiter is not installed")
    service = serve(stable)
    path = panel_file(tmp_path, service.url, "ann bob")
    path.write_text(path.read_text().replace("retries = 0", "retries = 0\nrequests_per_minute = 6000"))
    assert len(pc.judge(path, texts(5), out=tmp_path / "out").verdicts) == 5
    assert service.busiest <= 3


def test_a_folder_of_another_panel_or_other_items_is_refused(serve, tmp_path: Path) -> None:
    service = serve(stable)
    path = panel_file(tmp_path, service.url)
    pc.judge(path, texts(2), out=tmp_path / "out")
    with pytest.raises(pc.InputError, match="answers about another items; expected the same items as before"):
        pc.judge(path, texts(3), out=tmp_path / "out")
    path.write_text(path.read_text().replace("price_per_call = 0.003", "price_per_call = 0.004"))
    pc.judge(path, texts(2), out=tmp_path / "out")
    path.write_text(path.read_text().replace('model = "ann"', 'model = "eve"'))
    with pytest.raises(pc.InputError, match="answers about another panel; expected the same panel as before"):
        pc.judge(path, texts(2), out=tmp_path / "out")
    assert len(service.requests) == 6


@pytest.mark.parametrize(
    ("items", "old", "new", "options", "message"),
    [
        ([], "", "", {}, "there are no items; expected at least one"),
        ([{"id": 1, "text": "a"}, {"id": "1", "text": "b"}], "", "", {}, "items 1 and 2 have the id '1'"),
        ([{"id": " ", "text": "a"}], "", "", {}, "item 1 has an empty id"),
        (texts(2), "{text}", "{txet}", {}, "the prompt has {txet}, which not every item has"),
        (texts(2), "", "", {"orders": "both"}, "has no swap"),
        (texts(2), "[panel]", '[panel]\nswap = ["a", "text"]', {"orders": "both"}, "has 'a', which not every item has"),
        (texts(2), "[panel]", '[panel]\nswap = ["a"]', {}, "swap of [panel]"),
        (texts(2), 'kind = "chat"', 'kind = "v2"', {}, "is of kind 'v2'; expected 'chat'"),
    ],
)
def test_what_cannot_be_judged_is_refused_in_one_sentence(tmp_path, items, old, new, options, message) -> None:
    path = panel_file(tmp_path, "http://127.0.0.1:9")
    path.write_text(path.read_text().replace(old, new, 1) if old else path.read_text())
    with pytest.raises(pc.InputError) as error:
        pc.judge(path, items, pc.JudgeOptions(**options), out=tmp_path / "out")
    assert message in str(error.value)
    assert not (tmp_path / "out").exists()


def test_one_member_is_no_panel(tmp_path: Path) -> None:
    with pytest.raises(pc.InputError, match="has 1 member; expected two or more"):
        pc.judge(panel_file(tmp_path, "http://127.0.0.1:9", "ann"), texts(1), out=tmp_path / "out")


@pytest.mark.parametrize("line", ["[1]", "{", "nonsense"])
def test_a_line_that_is_no_object_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "items.jsonl").write_text(f'{{"id": 1, "text": "a"}}\n{line}\n')
    with pytest.raises(pc.InputError, match=r"line 2 of .* is no object"):
        pc.judge(panel_file(tmp_path, "http://127.0.0.1:9"), tmp_path / "items.jsonl", out=tmp_path / "out")


def test_items_come_from_csv(serve, tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("id,text,label\n7,item 0,yes\n8,item 1,\n")
    result = pc.judge(panel_file(tmp_path, serve(stable).url), tmp_path / "items.csv", out=tmp_path / "out")
    assert result.verdicts["label"].tolist() == ["yes", ""]


def test_a_dry_run_tells_calls_and_price_and_makes_none(serve, tmp_path: Path, capsys) -> None:
    service = serve(stable)
    panel = panel_file(tmp_path, service.url)
    items = tmp_path / "items.jsonl"
    items.write_text("".join(json.dumps(item) + "\n" for item in texts(9)), encoding="utf-8")
    line = ["judge", str(panel), str(items), "--out", str(tmp_path / "out")]
    assert main([*line, "--dry-run", "--limit", "4"]) == 0
    output = " ".join(capsys.readouterr().out.split())
    assert "3 judges would be asked 12 times. That costs about 0.036, and at most 0.036. No call was made." in output
    assert "--limit=4" in output
    assert not service.requests
    assert not (tmp_path / "out").exists()
    assert main([*line, "--limit", "4"]) == 0
    capsys.readouterr()
    assert main([*line, "--dry-run"]) == 0
    output = " ".join(capsys.readouterr().out.split())
    assert "asked 15 times; 12 answers of an earlier run need not be paid again" in output
    assert len(service.requests) == 12


def test_a_bill_counts_tokens_as_bytes(serve, tmp_path: Path) -> None:
    service = serve(lambda number, body: completion("yes", usage=(len(prompt_of(body)) // 3, 5)))
    path = panel_file(tmp_path, service.url, names="ann bob")
    text = path.read_text(encoding="utf-8").replace(
        "price_per_call = 0.003", "price_per_1k_input = 0.2\nprice_per_1k_output = 0.4"
    )
    path.write_text(text, encoding="utf-8")
    section = judging_bill(path, texts(5), pc.JudgeOptions(), tmp_path / "calls.jsonl")
    result = pc.judge(path, texts(5), out=tmp_path / "out")
    assert section.numbers["calls"].estimate == 10
    assert 0 < float(result.cost) <= section.numbers["at_most"].estimate
    answers = 10 * 64 * 0.4 / 1000
    about, most = (section.numbers[name].estimate - answers for name in ("about", "at_most"))
    assert about == pytest.approx(most / 4, rel=0.02)
