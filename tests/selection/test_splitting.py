"""Who chooses and who judges: sizes, classes, clusters and companions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyculture.predictions import Predictions
from polyculture.selection.evaluation import EvaluationSet
from polyculture.selection.splitting import folds, halves, leave_out, split_companions

World = Callable[..., Predictions]


def exam_of(n: int, clusters: int = 0) -> EvaluationSet:
    rng = np.random.default_rng(n)
    answers = rng.integers(0, 3, (2, n))
    instances = pd.DataFrame({"patient": rng.integers(0, max(clusters, 1), n)})
    p = Predictions.from_answers(dict(zip("ab", answers, strict=True)), rng.integers(0, 3, n), instances=instances)
    return EvaluationSet(p, clusters="patient" if clusters else "")


@given(st.integers(30, 200), st.integers(2, 7), st.integers(0, 50))
def test_folds_hold_equal_parts_of_every_class(n: int, k: int, seed: int) -> None:
    exam = exam_of(n)
    fold = folds(exam, k, seed, "test")
    assert np.ptp(np.bincount(fold, minlength=k)) <= 1
    for label in range(3):
        assert np.ptp(np.bincount(fold[exam.predictions.labels == label], minlength=k)) <= 2


@given(st.integers(30, 200), st.floats(0.1, 0.9), st.integers(0, 50))
def test_the_judging_share_is_what_was_asked_for(n: int, share: float, seed: int) -> None:
    exam = exam_of(n)
    judges = halves(exam, share, seed)
    assert abs(judges.sum() - share * n) <= 1
    for label in range(3):
        here = exam.predictions.labels == label
        assert abs(judges[here].sum() - share * here.sum()) <= 2


@given(st.integers(50, 200), st.integers(4, 9), st.integers(0, 50))
def test_clusters_stay_whole(n: int, clusters: int, seed: int) -> None:
    exam = exam_of(n, clusters)
    for side in (halves(exam, 0.5, seed), folds(exam, 3, seed, "test")):
        for code in np.unique(exam.cluster_codes):
            assert len(np.unique(side[exam.cluster_codes == code])) == 1


def test_the_outcomes_of_the_models_do_not_move_the_split() -> None:
    right = np.random.default_rng(0).random((2, 80)) < 0.7
    one, other = (EvaluationSet(Predictions.from_correct(dict(zip("ab", r, strict=True)))) for r in (right, ~right))
    assert (halves(one, 0.5, 3) == halves(other, 0.5, 3)).all()


def test_companions_go_where_their_instance_went(world: World) -> None:
    p = world(n=100)
    ids = p.instances.index
    exam = EvaluationSet(p.take_instances(np.arange(50, 100)))
    first, second = split_companions({"noise": exam}, ids[:75], ids[75:], 0)
    assert list(first["noise"].predictions.instances.index) == list(ids[50:75])
    assert list(second["noise"].predictions.instances.index) == list(ids[75:])


def test_strangers_are_parted_at_random_and_in_half(world: World) -> None:
    p = world(n=101, seed=9)
    first, second = split_companions({"other": EvaluationSet(p)}, pd.Index(["x"]), pd.Index(["y"]), 0)
    assert {first["other"].n, second["other"].n} == {50, 51}
    assert not set(first["other"].predictions.instances.index) & set(second["other"].predictions.instances.index)


def test_a_fold_that_is_held_out_takes_its_companions_along(world: World) -> None:
    p = world(n=60)
    exam = EvaluationSet(p, {"noise": EvaluationSet(p), "other": EvaluationSet(world(n=20, seed=1))})
    rest = leave_out(exam, np.arange(10))
    assert rest.n == 50
    assert rest.shifted["noise"].n == 50
    assert rest.shifted["other"].n == 20
    assert (
        "noise"
        not in leave_out(
            EvaluationSet(p, {"noise": EvaluationSet(p.take_instances(np.arange(5)))}), np.arange(10)
        ).shifted
    )


@pytest.mark.parametrize("named", [True, False])
def test_rows_that_are_only_numbered_are_not_names(world: World, named: bool) -> None:
    """Two tables whose rows are numbered 0, 1, … may be different instances."""
    from polyculture.errors import InputError
    from polyculture.predictions import Predictions
    from polyculture.selection.splitting import check_disjoint

    names = [f"q{k}" for k in range(40)] if named else [str(k) for k in range(40)]
    rng = np.random.default_rng(0)

    def drawn() -> Predictions:
        instances = pd.DataFrame(index=pd.Index(names, name="instance"))
        return Predictions.from_correct({m: rng.random(40) < 0.5 for m in "abc"}, instances=instances)

    first, second = drawn(), drawn()
    if named:
        with pytest.raises(InputError, match="40 instances to choose on are also there to certify on, such as 'q0'"):
            check_disjoint(first, second)
    else:
        check_disjoint(first, second)


@pytest.mark.parametrize("kind", ["answers", "outcomes", "numbers"])
def test_a_table_is_not_certified_on_itself_in_any_order(kind: str) -> None:
    import polyculture as pc
    from polyculture.errors import InputError
    from polyculture.predictions import Predictions

    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 60)
    columns = {m: np.where(rng.random(60) < 0.3, rng.integers(0, 3, 60), labels) for m in "abc"}

    def of(rows: np.ndarray, models: str) -> Predictions:
        cells = {m: columns[m][rows] for m in models}
        if kind == "outcomes":
            return Predictions.from_correct({m: column == labels[rows] for m, column in cells.items()})
        if kind == "numbers":
            return Predictions.from_values({m: c + 0.0 for m, c in cells.items()}, labels[rows] + 0.0)
        return Predictions.from_answers(cells, labels[rows])

    with pytest.raises(InputError) as caught:
        pc.select(of(np.arange(60), "abc"), certify_on=of(rng.permutation(60), "cab"))
    assert str(caught.value) == (
        "the 60 instances to certify on have the same labels and answers as those to choose on; expected different "
        "instances; leave certify_on out to split the table."
    )


def test_all_of_a_shifted_test_set_certifies_where_other_instances_do() -> None:
    """Its instances have names of their own: none was chosen on, so none is kept from the certificate."""
    from polyculture.selection import SelectionOptions, select
    from polyculture.testing import tiny_predictions

    def named(seed: int, name: str) -> Predictions:
        table = tiny_predictions(seed=seed)
        index = [f"{name}:{k}" for k in range(len(table.instances))]
        return replace(table, instances=table.instances.set_axis(index))

    tables = [named(seed, name) for seed, name in enumerate(("chosen", "test", "usps"))]
    terms = SelectionOptions(folds=0)
    certified = select(tables[0], 2, certify_on=tables[1], shifted={"usps": tables[2]}, terms=terms).certificate
    assert certified.shifts["n"].tolist() == [len(tables[2].instances)]
