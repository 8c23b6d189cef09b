"""Judges who compare two outputs, from files of every form to sections: planted biases, and what is refused."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

import polyculture as pc
from polyculture.cli import main

MODELS = ["acme/one", "acme/two", "bolt/one", "bolt/two", "core/one", "core/two"]


def rows_of(seed: int, position: float = 0.0, length: float = 0.0, own: float = 0.0, items: int = 40) -> pd.DataFrame:
    """Six models judge each other's outputs in both orders, as a table with the one shown first as model_a."""
    rng = np.random.default_rng(seed)
    quality, sizes = rng.normal(0, 1, (items, 6)), rng.integers(50, 500, (items, 6))
    rows = []
    for judge, item, (a, b) in itertools.product(range(6), range(items), itertools.permutations(range(6), 2)):
        odds = quality[item, a] - quality[item, b] + position + length * np.sign(sizes[item, a] - sizes[item, b])
        odds += own * ((judge == a) - (judge == b))
        winner = "tie" if rng.random() < 0.1 else "model_a" if rng.random() < expit(odds) else "model_b"
        row = {"question_id": item, "model_a": MODELS[a], "model_b": MODELS[b], "judge": MODELS[judge]}
        rows.append(row | {"winner": winner, "length_a": sizes[item, a], "length_b": sizes[item, b]})
    return pd.DataFrame(rows)


def by_name(result: pc.PanelResult) -> dict:
    return {section.name: section for section in result.sections}


def test_planted_biases_are_told_apart_without_a_truth() -> None:
    sections = by_name(pc.panel(rows_of(1, position=0.6, length=0.6, own=1.0)))
    assert list(sections) == ["panel_position", "panel_length", "panel_own"]
    assert sections["panel_position"].numbers["first"].low > 0.03
    assert sections["panel_position"].numbers["p"].estimate <= 0.001
    assert sections["panel_length"].numbers["given_candidates"].low > 0.03
    assert sections["panel_own"].numbers["own"].low > 0.03
    assert sections["panel_own"].numbers["own_p"].estimate <= 0.01
    assert "being shown first is worth" in sections["panel_position"].sentence
    assert "points more of the win than judges without a stake" in sections["panel_own"].sentence


def test_none_is_invented() -> None:
    sections = by_name(pc.panel(rows_of(2)))
    position, length, own = (sections[f"panel_{name}"].numbers for name in ("position", "length", "own"))
    assert position["first"].low < 0 < position["first"].high
    assert length["given_candidates"].low < 0 < length["given_candidates"].high
    assert own["own"].low < 0 < own["own"].high
    assert own["family"].low < 0 < own["family"].high
    assert "they flip both ways" in sections["panel_position"].sentence
    assert "nothing is shown to be left" in sections["panel_length"].sentence


def mt_bench(table: pd.DataFrame) -> list[dict]:
    """The same verdicts as MT-bench has them: both games of a pair in one row."""
    rows = []
    games = table.set_index(["judge", "question_id", "model_a", "model_b"])["winner"]
    for (judge, item, a, b), winner in games.items():
        if a < b:
            turned = games[judge, item, b, a]
            second = {"model_a": "model_2", "model_b": "model_1"}.get(turned, "tie")
            first = {"model_a": "model_1", "model_b": "model_2"}.get(winner, "tie")
            row = {"question_id": item, "model_1": a, "model_2": b, "judge": judge}
            rows.append(row | {"g1_winner": first, "g2_winner": second})
    return rows


def switched(table: pd.DataFrame) -> pd.DataFrame:
    """The same verdicts as alpaca_eval has them: always one orientation, and whether it was switched."""
    turned = table["model_a"] > table["model_b"]
    first = table["model_a"].where(~turned, table["model_b"])
    second = table["model_b"].where(~turned, table["model_a"])
    choice = table["winner"].map({"model_a": 1, "model_b": 2, "tie": 1.5})
    frame = pd.DataFrame({"instruction": table["question_id"].astype(str), "generator_1": first})
    frame["generator_2"] = second
    frame["preference"] = choice.where(~turned, 3 - choice)
    frame["annotator"] = table["judge"]
    return frame.assign(is_switched_output_1_output_2=turned)


def test_every_form_gives_the_same_position(tmp_path: Path) -> None:
    table = rows_of(3, position=0.5, items=8)
    numbers = by_name(pc.panel(table))["panel_position"].numbers
    (tmp_path / "bench.jsonl").write_text("".join(json.dumps(row) + "\n" for row in mt_bench(table)))
    for source in (tmp_path / "bench.jsonl", switched(table)):
        others = by_name(pc.panel(source))["panel_position"].numbers
        assert others["first"].estimate == pytest.approx(numbers["first"].estimate, abs=1e-12)
        assert others["flips"].estimate == numbers["flips"].estimate
    order = table.assign(order=np.where(table["model_a"] > table["model_b"], "BA", "AB"))
    turned = order["order"] == "BA"
    order.loc[turned, ["model_a", "model_b", "length_a", "length_b"]] = order.loc[
        turned, ["model_b", "model_a", "length_b", "length_a"]
    ].to_numpy()
    order.loc[turned, "winner"] = order.loc[turned, "winner"].map(
        {"model_a": "model_b", "model_b": "model_a", "tie": "tie"}
    )
    sections = by_name(pc.panel(order))
    assert sections["panel_position"].numbers["first"].estimate == pytest.approx(numbers["first"].estimate, abs=1e-12)
    lengths = by_name(pc.panel(table))["panel_length"].numbers["given_candidates"].estimate
    assert sections["panel_length"].numbers["given_candidates"].estimate == pytest.approx(lengths, abs=1e-12)


def test_an_unknown_order_is_no_position() -> None:
    frame = switched(rows_of(4, items=6)).drop(columns="is_switched_output_1_output_2")
    section = by_name(pc.panel(frame))["panel_position"]
    assert section.reason.startswith("the order in which outputs were shown is not known")


def test_texts_have_lengths() -> None:
    table = rows_of(5, items=4).drop(columns=["length_a", "length_b"])
    without = by_name(pc.panel(table))["panel_length"]
    assert "add columns length_a and length_b, or the texts" in without.reason
    talk = [[{"role": "user", "content": "why?" * 90}, {"role": "assistant", "content": "x" * n}] for n in (3, 9)]
    texts = table.assign(response_a="abc", response_b="abcdef")
    turns = table.assign(conversation_a=[talk[0]] * len(table), conversation_b=[talk[1]] * len(table))
    shares = [by_name(pc.panel(part))["panel_length"].numbers["longer"].estimate for part in (texts, turns)]
    assert shares[0] == shares[1]


def test_families_come_from_a_table_of_judges(tmp_path: Path) -> None:
    table = rows_of(6, items=10).replace({name: name.replace("/", "-") for name in MODELS})
    names = [name.replace("/", "-") for name in MODELS]
    pd.DataFrame({"model": names, "family": list("aabbcc")}).to_csv(tmp_path / "models.csv", index=False)
    assert "family" not in by_name(pc.panel(table))["panel_own"].numbers
    numbers = by_name(pc.panel(table, factors=tmp_path / "models.csv"))["panel_own"].numbers
    assert "family" in numbers


def test_one_order_only_is_said_and_allowed_for() -> None:
    table = rows_of(7, position=0.8)
    one = table[np.random.default_rng(0).random(len(table)) < 0.5].drop_duplicates(["judge", "question_id"])
    section = by_name(pc.panel(one))["panel_position"]
    assert section.sentence.startswith("No pair was judged in both orders.")
    assert section.numbers["first"].estimate > 0


def test_with_a_truth_the_votes_come_first(tmp_path: Path) -> None:
    table = rows_of(8, items=15)
    result = pc.panel(table, label="core/two")
    names = [section.name for section in result.sections]
    assert names[0] == "panel"
    assert names[-3:] == ["panel_position", "panel_length", "panel_own"]


def test_the_command_prints_and_draws_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    rows_of(9, position=0.5, items=12).to_csv("arena.csv", index=False)
    assert main(["panel", "arena.csv"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "of the verdicts depend on which output is shown first" in out
    page = Path("polyculture-panel/page.html").read_text()
    for title in (
        "What being shown first is worth",
        "What being longer is worth",
        "What judges give to their own side",
    ):
        assert title in page


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.assign(winner=""), "preferences without a single verdict"),
        (lambda t: t.assign(order="sideways"), "has the order 'sideways'; expected AB or BA"),
        (lambda t: t.assign(winner="nobody"), "prefers 'nobody'"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(change, message, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    change(rows_of(10, items=2)).to_csv("arena.csv", index=False)
    assert main(["panel", "arena.csv"]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1


def test_ties_everywhere_say_that_nothing_depends_on_anything() -> None:
    sections = by_name(pc.panel(rows_of(11, items=6).assign(winner="tie")))
    assert sections["panel_position"].numbers["flips"].estimate == 0
    assert sections["panel_length"].numbers["longer"].estimate == 0.5
    assert sections["panel_own"].numbers["own"].estimate == 0
    assert sections["panel_own"].numbers["own_p"].estimate == 1
