"""Are repeated runs and tables with a row per model read as what they are, in every format?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from polyculture.errors import InputError
from polyculture.formats import align, read
from polyculture.formats.tables import delimited
from polyculture.formats.tables.long_index import LongIndex
from polyculture.predictions import MISSING
from polyculture.rng import stream

from .test_every_format import FORMATS, TRUTH, WIDE, WRONG, check_errors

LABELS = [i % 2 for i in range(40)]


def runs(column="seed", values=(0, 1, 2), models=("ann", "bob")):
    """Three runs of each model; run k of a model fails every instance whose number is k modulo 7."""
    rows = [
        {"model": model, column: value, "item": i, "label": LABELS[i], "answer": LABELS[i] ^ (i % 7 == k + 3 * m)}
        for m, model in enumerate(models)
        for k, value in enumerate(values)
        for i in range(40)
    ]
    return {name: [row[name] for row in rows] for name in rows[0]}


def check_runs(predictions, ids, numbers):
    assert predictions.model_ids == ids
    assert predictions.models["base"].tolist() == ["ann"] * 3 + ["bob"] * 3
    assert predictions.models["repeat"].tolist() == numbers * 2
    failures = [[i % 7 == k for i in range(40)] for k in range(6)]
    np.testing.assert_array_equal(predictions.wrong, failures)


@pytest.mark.parametrize("form", FORMATS)
def test_seeds_are_runs_of_a_model(form, tmp_path):
    aligned = align(FORMATS[form](runs(), tmp_path))
    check_runs(aligned.predictions, [f"{m}@{k}" for m in ("ann", "bob") for k in range(3)], [1, 2, 3])
    assert "runs are told apart by the column 'seed' (6 runs)" in aligned.report.sentence
    assert aligned.predictions.models["seed"].tolist() == [0, 1, 2] * 2


@pytest.mark.parametrize("column", ["repeat", "run", "epoch", "Replicate", "attempt", "trial"])
def test_a_column_of_runs_has_any_usual_name(column):
    check_runs(
        read(pd.DataFrame(runs(column, (1, 2, 3)))), ["ann@1", "ann@2", "ann@3", "bob@1", "bob@2", "bob@3"], [1, 2, 3]
    )


def test_a_column_of_runs_is_named():
    table = pd.DataFrame(runs("checkpoint", ("early", "middle", "final")))
    with pytest.raises(InputError, match=r"name the column that tells runs apart with repeat \(--repeat\)"):
        read(table)
    ids = [f"{m}@{k}" for m in ("ann", "bob") for k in ("early", "middle", "final")]
    check_runs(read(table, repeat="checkpoint"), ids, [1, 2, 3])


def test_a_seed_of_every_instance_is_no_run():
    table = pd.DataFrame(runs(values=(0,)))
    table["seed"] = np.arange(len(table))
    assert read(table).model_ids == ["ann", "bob"]


def test_runs_that_repeat_a_row_are_refused():
    table = pd.DataFrame(runs())
    with pytest.raises(InputError, match="has 4 rows for model 'ann' and instance 3"):
        read(pd.concat([table, table[table.item == 3][:1]], ignore_index=True))


def test_models_chosen_by_name_keep_all_their_runs():
    table = pd.DataFrame(runs())
    assert read(table, models="bob").model_ids == ["bob@0", "bob@1", "bob@2"]
    assert read(table, models="*@1").model_ids == ["ann@1", "bob@1"]


def test_files_of_one_model_each_with_seeds(tmp_path):
    table = pd.DataFrame(runs(values=(1, 2, 3)))
    for model, rows in table.groupby("model"):
        rows.drop(columns="model").to_csv(tmp_path / f"{model}.csv", index=False)
    check_runs(read(tmp_path), ["ann@1", "ann@2", "ann@3", "bob@1", "bob@2", "bob@3"], [1, 2, 3])


TURNED = {"model": ["label", "ann", "bob"]} | {
    q: [WIDE[name][i] for name in ("label", "ann", "bob")] for i, q in enumerate(WIDE["id"])
}
TURNED_OUTCOMES = {"model": ["ann", "bob"]} | {
    q: [int(not row[i]) for row in WRONG.values()] for i, q in enumerate(WIDE["id"])
}


@pytest.mark.parametrize("form", FORMATS)
def test_a_row_per_model_with_a_row_of_true_answers(form, tmp_path):
    aligned = align(FORMATS[form](TURNED, tmp_path))
    check_errors(aligned.predictions)
    assert aligned.predictions.instances.index.tolist() == WIDE["id"]
    assert "a row per model, by the column 'model', and a column per instance" in aligned.report.sentence


@pytest.mark.parametrize("form", FORMATS)
def test_a_row_per_model_of_outcomes(form, tmp_path):
    source = FORMATS[form](TURNED_OUTCOMES, tmp_path)
    check_errors(read(source, correct=True))
    with pytest.raises(InputError, match="if a row is a model, add a row of true answers called label, or say"):
        read(source)


def test_the_column_of_models_and_the_row_of_truth_are_named():
    table = pd.DataFrame(TURNED).rename(columns={"model": "system"}).replace({"label": "expert"})
    check_errors(read(table, model="system", label="expert"))
    check_errors(read(pd.DataFrame(TURNED).set_index("model")))


def test_two_rows_of_one_model_are_refused():
    table = pd.DataFrame(TURNED)
    with pytest.raises(InputError, match="more than one row for the model 'bob'"):
        read(pd.concat([table, table[2:]]))


def test_turned_files_of_some_models_each(tmp_path):
    table = pd.DataFrame(TURNED)
    for k, model in enumerate(("ann", "bob"), 1):
        table.iloc[[0, k]].to_csv(tmp_path / f"{model}.csv", index=False)
    check_errors(read(tmp_path))
    assert set(TRUTH) == {"yes", "no"}


def test_the_order_of_trials_is_no_run():
    table = pd.DataFrame(runs()).drop(columns="seed")
    table["trial"] = table.groupby("model").cumcount()
    with pytest.raises(InputError, match="has 3 rows for model 'ann' and instance 0"):
        read(table)


@pytest.mark.parametrize("order", ["by model", "by instance", "in pieces", "mixed"])
def test_cells_of_long_tables_are_put_where_their_model_and_instance_are(order):
    rng, (m, n) = stream(0, "rows"), (4, 3000)
    model, instance = np.divmod(np.arange(m * n), n)
    pieces = instance // 700
    keys = {"by model": model, "by instance": instance, "in pieces": pieces, "mixed": rng.permutation(m * n)}
    rows = np.argsort(keys[order], kind="stable")
    rows = np.delete(rows, rng.integers(0, m * n, 5))
    names, ids = [f"m{k}" for k in range(m)], list(range(n))
    index = LongIndex(names, ids, model[rows].astype(np.int8), instance[rows].astype(np.int32), pd.DataFrame())
    assert (index._starts is None) == (order in ("by instance", "mixed"))
    cells = rng.integers(0, 100, len(rows)).astype(np.int8)
    table = np.full((m, n), MISSING, np.int8)
    table[model[rows], instance[rows]] = cells
    assert np.array_equal(index.spread(cells), table)


@pytest.mark.parametrize("start", ["q", "", "a-longer-name-of-"])
def test_ids_that_come_again_for_every_model_in_pieces_are_one_instance_each(start, tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "BLOCK", 6 * 1 << 11)
    rows = [
        f"m{k},{start}{i},{(i + k) % 7},{i % 7}"
        for first in range(0, 3000, 500)
        for k in range(3)
        for i in range(first, first + 500)
    ]
    path = tmp_path / "long.csv"
    path.write_text("\n".join(["model,instance,answer,label", *rows]) + "\n")
    predictions = read(path)
    assert [str(name) for name in predictions.instances.index] == [f"{start}{i}" for i in range(3000)]
    assert np.array_equal(predictions.answers, (np.arange(3000) + np.arange(3)[:, None]) % 7)
    assert np.array_equal(predictions.labels, np.arange(3000) % 7)
