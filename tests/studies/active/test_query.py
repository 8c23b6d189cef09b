"""A query from Python: people fill in a file, a function answers, or labels are held back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import polyculture as pc
from polyculture.rng import stream

pytest.importorskip("torch")
from polyculture.studies.active import QueryPool, pool_of, read_pool

LABELLED = 12


def truth(n: int = 80) -> pd.DataFrame:
    """Two measurements of three kinds."""
    generator = stream(0, "flowers")
    kinds = np.arange(n) % 3
    frame = pd.DataFrame(generator.normal(size=(n, 2)) + 3 * np.eye(3)[kinds][:, :2], columns=["long", "wide"])
    return frame.assign(y=np.array(["red", "green", "blue"])[kinds])


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    path = tmp_path / "pool.csv"
    frame = truth()
    frame.loc[LABELLED:, "y"] = ""
    frame.to_csv(path, index=False)
    return path


def answer(rows: pd.DataFrame) -> list[str]:
    labels = truth()["y"]
    return [labels[int(name)] for name in rows.index]


def fill(path: Path, **wrong: str) -> None:
    """What a person does, mistakes by instance id included."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    labels = truth()["y"]
    table["y"] = [wrong.get(f"i{name}", labels[int(name)]) for name in table["instance"]]
    table.to_csv(path, index=False)


def test_batches_go_out_and_come_back_until_the_budget_is_spent(pool: Path, tmp_path: Path) -> None:
    options, out = pc.QueryOptions(label="y", budget=20, batch=8), tmp_path / "q"
    sizes, asked = [], set()
    result = pc.query(pool, options, out=out)
    while not result.finished:
        sizes.append(len(result.batch))
        ids = set(result.batch["instance"])
        assert not ids & asked
        asked |= ids
        fill(out / "to-label.csv")
        result = pc.query(pool, options, out=out)
    assert sizes == [8, 8, 4]
    assert min(int(name) for name in asked) >= LABELLED
    assert set(result.labels) == asked
    assert (
        "20 labels of a budget of 20 given in addition to the 12 of the pool. Budget or pool is spent."
        in result.sentence
    )
    assert "The committee had been right about" in result.sentence
    labelled = pd.read_csv(out / "labelled.csv", keep_default_na=False)
    assert (labelled["y"] != "").sum() == 32
    assert (labelled["y"] == truth()["y"])[labelled["y"] != ""].all()


def test_a_batch_is_asked_for_until_it_is_complete_and_nothing_is_lost(pool: Path, tmp_path: Path) -> None:
    options, out = pc.QueryOptions(label="y", budget=20, batch=6), tmp_path / "q"
    ids = pc.query(pool, options, out=out).batch["instance"].tolist()
    unchanged = pc.query(pool, options, out=out)
    assert unchanged.notes == (
        f"6 of 6 rows have no label yet; fill in column 'y' of {out / 'to-label.csv'}, or write ? there.",
    )
    fill(out / "to-label.csv", **{f"i{ids[0]}": "gren", f"i{ids[1]}": "", f"i{ids[2]}": "?"})
    text = (out / "to-label.csv").read_text()
    result = pc.query(pool, options, out=out)
    assert len(result.notes) == 2
    assert result.notes[0].endswith("has the label 'gren', which is no class; did you mean 'green' or 'red'?")
    assert (out / "to-label.csv").read_text() == text
    assert sorted(result.labels) == sorted(ids[2:])
    fill(out / "to-label.csv", **{f"i{ids[2]}": "?"})
    result = pc.query(pool, options, out=out)
    assert result.notes == ()
    assert result.labels[ids[2]] == "?"
    assert len(result.batch) == 6
    assert ids[2] not in result.batch["instance"].tolist()


def test_the_file_of_a_batch_that_was_deleted_is_written_with_what_is_known(pool: Path, tmp_path: Path) -> None:
    options, out = pc.QueryOptions(label="y", budget=20, batch=3), tmp_path / "q"
    ids = pc.query(pool, options, out=out).batch["instance"].tolist()
    fill(out / "to-label.csv", **{f"i{ids[0]}": ""})
    pc.query(pool, options, out=out)
    (out / "to-label.csv").unlink()
    pc.query(pool, options, out=out)
    table = pd.read_csv(out / "to-label.csv", dtype=str, keep_default_na=False)
    assert table["instance"].tolist() == ids
    assert [bool(label) for label in table["y"]] == [False, True, True]


def test_a_function_answers_and_an_interrupted_call_goes_on(pool: Path, tmp_path: Path) -> None:
    options = pc.QueryOptions(label="y", budget=18, batch=6)
    calls = []

    def tired(rows: pd.DataFrame) -> list[str]:
        calls.append(list(rows.index))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return answer(rows)

    with pytest.raises(KeyboardInterrupt):
        pc.query(pool, options, out=tmp_path / "a", oracle=tired)
    resumed = pc.query(pool, options, out=tmp_path / "a", oracle=tired)
    assert calls[2] == calls[1]
    assert resumed.labels == pc.query(pool, options, out=tmp_path / "b", oracle=answer).labels
    assert len(resumed.labels) == 18


@pytest.mark.parametrize(
    ("oracle", "message"),
    [
        (lambda rows: ["red"], "1 labels for 6 instances; expected one for each, in order."),
        (lambda rows: ["pink"] * len(rows), "row 1 of the oracle has the label 'pink', which is no class"),
    ],
)
def test_an_oracle_that_answers_something_else_is_refused(pool: Path, tmp_path: Path, oracle, message) -> None:
    with pytest.raises(pc.InputError, match=message):
        pc.query(pool, pc.QueryOptions(label="y", batch=6), out=tmp_path / "q", oracle=oracle)


def test_an_oracle_may_not_know(pool: Path, tmp_path: Path) -> None:
    options = pc.QueryOptions(label="y", budget=6, batch=6)
    result = pc.query(pool, options, out=tmp_path / "q", oracle=lambda rows: [None] * len(rows))
    assert set(result.labels.values()) == {"?"}
    assert "0 labels of a budget of 6 given" in result.sentence


def test_a_pool_without_labels_begins_by_chance(tmp_path: Path) -> None:
    truth().assign(y="").to_csv(tmp_path / "pool.csv", index=False)
    options = pc.QueryOptions(label="y", budget=20, batch=5, classes=("red", "green", "blue"))
    result = pc.query(tmp_path / "pool.csv", options, out=tmp_path / "q")
    assert len(result.batch) == 10
    assert "10 instances drawn by chance to be labelled next" in result.sentence
    with pytest.raises(pc.InputError) as error:
        pc.query(tmp_path / "pool.csv", pc.QueryOptions(label="y"), out=tmp_path / "r")
    assert str(error.value) == (
        "the pool pool.csv has labels of 0 classes in 'y' (none); expected labels of two classes or more, or their "
        "names; name all classes with --classes."
    )


@pytest.mark.parametrize("header", ["long,wide,y\n", "text,y\n"])
def test_a_pool_of_a_header_alone_is_refused_as_one_without_rows(header: str, tmp_path: Path) -> None:
    path = tmp_path / "pool.csv"
    path.write_text(header)
    with pytest.raises(pc.InputError) as error:
        pc.query(path, pc.QueryOptions(label="y"), out=tmp_path / "q")
    assert str(error.value) == f"{path} has a header but no rows; expected one row per instance."


def test_texts_are_asked_for_as_texts(tmp_path: Path) -> None:
    words = {"spam": "win a free prize now", "ham": "see you at the meeting tomorrow"}
    rows = [{"text": f"{words[kind]} {k}", "label": kind} for k in range(20) for kind in words]
    frame = pd.DataFrame(rows)
    frame.loc[10:, "label"] = ""
    frame.to_csv(tmp_path / "pool.csv", index=False)
    result = pc.query(tmp_path / "pool.csv", pc.QueryOptions(budget=4, batch=4), out=tmp_path / "q")
    assert list(result.batch.columns) == ["instance", "text", "label"]
    assert read_pool(tmp_path / "pool.csv", pc.QueryOptions()).modality == "text"


def test_a_folder_of_another_pool_is_refused(pool: Path, tmp_path: Path) -> None:
    pc.query(pool, pc.QueryOptions(label="y"), out=tmp_path / "q")
    truth(50).assign(y=["red", "blue"] * 25).to_csv(pool, index=False)
    with pytest.raises(pc.InputError, match=r"was made for another pool than pool\.csv, or for other classes"):
        pc.query(pool, pc.QueryOptions(label="y"), out=tmp_path / "q")


def test_simulations_lead_with_the_answer_and_are_the_same_twice(tmp_path: Path) -> None:
    iris = pc.load_problem("iris", 0, pc.DataOptions(shifts=()))
    options = pc.QueryOptions(simulate=True, strategies=("margin-of-mean", "kl"), budget=40, batch=15, seeds=2)
    result = pc.query(iris.split.train, options, out=tmp_path / "a", test=iris.split.test)
    assert [len(runs) for runs in result.runs.values()] == [2, 2, 2]
    section = result.sections[0]
    assert section.title == "Which strategy learns most from the same number of labels?"
    assert section.sentence.startswith("Labels drawn by chance come to a mean accuracy of")
    assert "up to 40 labels (2 seeds)" in section.sentence
    assert "too few to calibrate the members: kl (4)" in section.sentence
    assert section.numbers["margin_of_mean"].n == 2
    again = pc.query(iris.split.train, options, out=tmp_path / "b", test=iris.split.test)
    pd.testing.assert_frame_equal(again.sections[0].tables["curves"], section.tables["curves"])


def test_a_dataset_needs_a_simulation_or_a_pool(tmp_path: Path) -> None:
    train = pc.load_problem("iris", 0, pc.DataOptions(shifts=())).split.train
    with pytest.raises(pc.InputError, match="a pool whose labels are all known"):
        pc.query(train, out=tmp_path / "q")
    part = pool_of(train, range(30))
    assert isinstance(part, QueryPool)
    labels = dict(zip(part.ids, np.array(part.classes)[train.labels], strict=True))
    options = pc.QueryOptions(budget=5, batch=5)
    result = pc.query(part, options, out=tmp_path / "q", oracle=lambda rows: [labels[str(i)] for i in rows.index])
    assert len(result.labels) == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategy": "margin-of-meen"}, "no query strategy 'margin-of-meen'; did you mean 'margin-of-mean'"),
        ({"budget": 1}, "budget of a query is 1; expected a whole number of 2 or more."),
        ({"growth": 2.0}, "growth of a batch is 2.0; expected a share of what is labelled, 0 to 1."),
        ({"test": 1.0}, "test of a query is 1.0; expected a number between 0 and 1."),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(pc.InputError, match=message):
        pc.QueryOptions(**options)  # type: ignore[arg-type]
