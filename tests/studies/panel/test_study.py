"""What a panel is worth, end to end: independent computations, planted panels, files, and what is refused."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import polyculture as pc
from polyculture.errors import InputError
from polyculture.rng import stream
from polyculture.studies.panel.judged import judged_items

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data"


def family_panel(seed: int = 0, n: int = 600) -> pc.Predictions:
    """Three judges of one family that mostly err together, and two that err on their own."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, n)
    shared = rng.random(n) < 0.25
    wrong = np.vstack([np.where(rng.random((3, n)) < 0.8, shared, rng.random((3, n)) < 0.25), rng.random((2, n)) < 0.3])
    names = ["acme/a", "acme/b", "acme/c", "other/d", "third/e"]
    answers = {name: np.where(row, 1 - truth, truth) for name, row in zip(names, wrong, strict=True)}
    return pc.Predictions.from_answers(answers, labels=truth)


def mean_phi(wrong: np.ndarray) -> float:
    return float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in itertools.combinations(wrong.astype(float), 2)]))


def votes(wrong: np.ndarray) -> float:
    return len(wrong) / (1 + (len(wrong) - 1) * mean_phi(wrong))


def majority(wrong: np.ndarray) -> float:
    share = wrong.mean(axis=0)
    return float(np.where(share == 0.5, 0.5, share > 0.5).mean())


def test_drop_one_and_family_tables_equal_an_independent_computation() -> None:
    predictions = family_panel()
    wrong = predictions.wrong
    result = pc.panel(predictions)
    assert result.numbers["votes"].estimate == pytest.approx(votes(wrong), abs=1e-10)
    table = result.sections[0].tables["judges"].set_index("judge")
    for row, name in enumerate(predictions.model_ids):
        others = np.delete(wrong, row, axis=0)
        assert table.loc[name, "votes_without"] == pytest.approx(votes(others), abs=1e-10)
        assert table.loc[name, "error_without"] == pytest.approx(majority(others), abs=1e-10)
        assert table.loc[name, "change"] == pytest.approx(majority(others) - majority(wrong), abs=1e-10)
    families = result.sections[0].tables["families"].set_index("family")
    matrix = np.corrcoef(wrong.astype(float))
    assert families.loc["acme", "within"] == pytest.approx(matrix[:3, :3][np.triu_indices(3, 1)].mean(), abs=1e-10)
    assert families.loc["acme", "between"] == pytest.approx(matrix[:3, 3:].mean(), abs=1e-10)
    assert math.isnan(families.loc["third", "within"])
    best = int(wrong[:3].mean(axis=1).argmin())
    assert result.numbers["votes_one_per_family"].estimate == pytest.approx(votes(wrong[[best, 3, 4]]), abs=1e-10)


def test_the_sentence_leads_with_votes_error_gap_and_best_judge() -> None:
    result = pc.panel(family_panel())
    numbers = result.numbers
    assert result.sentence.startswith(
        f"5 judges are worth {numbers['votes'].format('.1f')} independent votes; the panel"
    )
    assert "more than independent judges of the same accuracies would" in result.sentence
    assert "its best member" in result.sentence
    assert numbers["gap"].low > 0


def test_dropping_the_weakest_can_make_independence_worse() -> None:
    """As in UKGovernmentBEIS/inspect_ai#4955: the weakest judge is the one who errs on its own."""
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 2, 800)
    shared = rng.random(800) < 0.2
    wrong = np.vstack([np.where(rng.random((5, 800)) < 0.7, shared, rng.random((5, 800)) < 0.2), rng.random(800) < 0.4])
    answers = {f"judge{row}": np.where(line, 1 - truth, truth) for row, line in enumerate(wrong)}
    result = pc.panel(pc.Predictions.from_answers(answers, labels=truth))
    first = result.sections[0].tables["judges"].iloc[0]
    assert first["judge"] == "judge5"
    assert first["votes_lost"] > 0
    assert "Dropping the weakest judge, judge5, costs" in result.sentence


def test_a_rule_that_knows_of_correlation_beats_one_vote_each() -> None:
    """Five judges of one family outvote four of their own, unless their votes count as about one."""
    rng = np.random.default_rng(1)
    truth, shared = rng.integers(0, 2, 1500), rng.random(1500) < 0.28
    family = np.where(rng.random((5, 1500)) < 0.85, shared, rng.random((5, 1500)) < 0.28)
    wrong = np.vstack([family, rng.random((4, 1500)) < 0.28])
    answers = {f"judge{row}": np.where(line, 1 - truth, truth) for row, line in enumerate(wrong)}
    result = pc.panel(pc.Predictions.from_answers(answers, labels=truth))
    rules = result.sections[0].tables["rules"].set_index("rule")
    assert rules.loc["weighted by accuracy and correlation", "gain_low"] > 0
    assert rules.loc["one vote each", "gain"] == 0


def test_halves_never_divide_a_cluster() -> None:
    predictions = family_panel()
    predictions = pc.read(_frame(predictions).assign(document=np.arange(600) // 3), groups="document")
    items = judged_items(predictions, pc.PanelOptions(cluster="document"))
    assert all(len(set(items.blocks[np.arange(600) // 3 == d])) == 1 for d in range(5))
    assert pc.panel(predictions, pc.PanelOptions(cluster="document")).numbers["gap"].method.endswith("200 clusters")


def _frame(predictions: pc.Predictions) -> pd.DataFrame:
    columns = {name: predictions.answers[row] for row, name in enumerate(predictions.model_ids)}
    return pd.DataFrame({"instance": np.arange(predictions.shape[1]), "label": predictions.labels, **columns})


def test_prices_give_a_price_per_vote(tmp_path: Path) -> None:
    prices = pd.DataFrame({"model": family_panel().model_ids, "price": [0.01, 0.02, 0.03, 0.02, 0.02]})
    prices.to_csv(tmp_path / "prices.csv", index=False)
    result = pc.panel(family_panel(), pc.PanelOptions(prices=tmp_path / "prices.csv"))
    assert result.numbers["price"].estimate == pytest.approx(0.1)
    assert result.numbers["price_per_vote"].estimate == pytest.approx(0.1 / result.numbers["votes"].estimate)
    assert "per effective vote" in result.sentence
    assert set(result.sections[0].tables["curve"]["order"]) == {"most votes first", "cheapest first", "random"}


def test_humans_are_counted(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n = 500
    shares = rng.dirichlet([1, 1], n)
    counts = np.stack([rng.multinomial(50, share) for share in shares])
    drawn = (rng.random((4, n)) > shares[:, 0]).astype(int)
    answers = {f"judge{row}": line for row, line in enumerate(drawn)}
    predictions = pc.Predictions.from_answers(answers, labels=counts.argmax(axis=1))
    humans = pd.DataFrame(counts, columns=["0", "1"]).assign(total=50)
    humans.insert(0, "instance", predictions.instances.index)
    humans.to_csv(tmp_path / "humans.csv", index=False)
    section = pc.panel(predictions, pc.PanelOptions(humans=tmp_path / "humans.csv")).sections[1]
    assert section.name == "panel_humans"
    assert section.numbers["humans"].low < 4 < section.numbers["humans"].high
    humans.loc[3, "total"] = 49
    humans.to_csv(tmp_path / "humans.csv", index=False)
    with pytest.raises(pc.InputError, match="do not add up"):
        pc.panel(predictions, pc.PanelOptions(humans=tmp_path / "humans.csv"))


def test_ratings_are_judged_by_their_residuals() -> None:
    rng = np.random.default_rng(1)
    truth = rng.uniform(1, 10, 300)
    shared = rng.normal(size=300)
    values = {f"judge{k}": truth + shared + rng.normal(size=300) for k in range(4)}
    result = pc.panel(pc.Predictions.from_values(values, truth))
    assert result.sections[0].name == "panel_ratings"
    assert result.numbers["correlation"].low < 0.5 < result.numbers["correlation"].high
    assert result.numbers["votes"].estimate == pytest.approx(4 / (1 + 3 * result.numbers["correlation"].estimate))


def test_a_constant_judge_is_said_to_have_no_correlation() -> None:
    frame = _frame(family_panel()).assign(oracle=lambda table: table["label"])
    result = pc.panel(pc.read(frame))
    assert "oracle is always right or always wrong" in result.sentence


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t[["instance", "label", "acme/a"]], "two models or more"),
        (lambda t: t.assign(**{"acme/a": None}), "acme/a"),
    ],
)
def test_what_is_no_panel_is_refused(change, message: str) -> None:
    with pytest.raises(pc.InputError, match=message):
        pc.panel(pc.read(change(_frame(family_panel()))))


def test_judges_without_common_items_are_refused() -> None:
    answers = {"a": ["x", "y", None, None], "b": [None, None, "x", "y"]}
    predictions = pc.Predictions.from_answers(answers, labels=["x", "y", "x", "y"])
    with pytest.raises(pc.InputError, match="no two judges have two items in common"):
        pc.panel(predictions)


def test_prices_of_strangers_are_refused(tmp_path: Path) -> None:
    names = [*family_panel().model_ids[:-1], "third/f"]
    pd.DataFrame({"model": names, "price": 1.0}).to_csv(tmp_path / "prices.csv", index=False)
    with pytest.raises(pc.InputError, match=r"no price for the judge 'third/e'.*third/f"):
        pc.panel(family_panel(), pc.PanelOptions(prices=tmp_path / "prices.csv"))


@pytest.mark.skipif(not DATA.is_dir(), reason="the real data sets are not beside this checkout")
@pytest.mark.parametrize(
    ("name", "least"),
    [("zeroeval_crux_long.parquet", 0.05), ("frugalml_ferplus.csv.gz", 0.01), ("zeroeval_gsm_long.parquet", -0.005)],
)
def test_correlation_is_not_worse_on_real_panels(name: str, least: float) -> None:
    rules = pc.panel(DATA / "predictions" / name).sections[0].tables["rules"].set_index("rule")
    assert rules.loc["weighted by accuracy and correlation", "gain_low"] > least


def rated(outlier: object = 3) -> pd.DataFrame:
    """Three judges who rate forty items from 1 to 5; one rating is given."""
    generator = stream(0, "ratings")
    truth = generator.integers(1, 6, 40)
    ratings = {f"j{k}": np.clip(truth + generator.integers(-1, 2, 40), 1, 5).astype(object) for k in range(3)}
    ratings["j2"][7] = outlier
    return pd.DataFrame({"item": range(40), "label": truth, **ratings})


def test_a_rating_off_the_scale_is_refused() -> None:
    with pytest.raises(InputError, match="the judge 'j2' rates the item '7' 99; expected a rating on the scale: true"):
        pc.panel(rated(99))
    with pytest.raises(InputError, match=r"rates the item '7' 6; .*: 1 to 5; mend it, or name the scale with range"):
        pc.panel(rated(6), pc.PanelOptions(rating_range=(1.0, 5.0)))
    assert pc.panel(rated(6)).sentence
    assert pc.panel(rated(99), pc.PanelOptions(rating_range=(1.0, 100.0))).sentence
    with pytest.raises(InputError, match="the lowest rating, then the highest"):
        pc.PanelOptions(rating_range=(5.0, 1.0))


def test_numbers_off_the_scale_are_refused() -> None:
    generator = stream(1, "numbers")
    truth = generator.normal(size=30)
    values = truth + generator.normal(size=(3, 30)) / 5
    values[1, 4] = 99.0
    judges = dict(zip(("a", "b", "c"), values.tolist(), strict=True))
    with pytest.raises(InputError, match="the judge 'b' rates the item '4' 99"):
        pc.panel(pc.Predictions.from_values(judges, truth.tolist()))


def test_a_judge_with_one_verdict_is_named() -> None:
    truth = ["A", "B"] * 20
    table = {"a": truth, "b": ["A"] * 40, "c": [*truth[:30], *["A"] * 10]}
    result = pc.panel(pc.Predictions.from_answers(table, labels=truth))
    assert result.sentence.endswith("b gives the same verdict to every item, which tells nothing of any.")
