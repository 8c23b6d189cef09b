"""A table in shards: the numbers of one piece, and the same bits however it is cut and wherever it is counted."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import polyculture as pc
from polyculture.auditing import AuditOptions, audit
from polyculture.auditing.streaming import passes, sampling
from polyculture.errors import InputError, MissingExtraError
from polyculture.predictions import Predictions
from polyculture.testing import tiny_predictions

Cut = list[list[Predictions]]


def cut(predictions: Predictions, ends: list[int]) -> Cut:
    """Shards of one chunk each, between these positions."""
    n = predictions.shape[1]
    inner = sorted({end for end in ends if 0 < end < n})
    bounds = zip([0, *inner], [*inner, n], strict=True)
    return [[predictions.take_instances(np.arange(i, j))] for i, j in bounds]


def numbers(audit: pc.Audit) -> dict[str, Any]:
    """The whole audit without what depends on the clock or says how it was made."""
    found: dict[str, Any] = json.loads(audit.to_json())
    for name in ("seconds", "engine", "sampled_instances"):
        found["facts"].pop(name, None)
    del found["panel"]  # sums of single instances, which a table in one piece carries
    return found


def with_gaps(predictions: Predictions, share: float = 0.2) -> Predictions:
    assert predictions.answers is not None
    gone = np.random.default_rng(5).random(predictions.shape) < share
    return replace(predictions, answers=np.where(gone, -1, predictions.answers).astype(np.int8))


def outcomes(predictions: Predictions) -> Predictions:
    right = (~predictions.wrong).astype(np.int8)
    return Predictions(predictions.models, predictions.instances, correct=right)


def many_options(predictions: Predictions) -> Predictions:
    options = np.random.default_rng(2).integers(1, 5, predictions.shape[1])
    return replace(predictions, options=options)


def in_clusters(predictions: Predictions) -> Predictions:
    patient = np.random.default_rng(3).integers(0, 160, predictions.shape[1])
    return replace(predictions, instances=predictions.instances.assign(patient=[f"p{k}" for k in patient]))


TABLE = tiny_predictions((3, 2, 1), instances=900, copying=0.5, seed=4)
TABLES = {
    "answers": (TABLE, AuditOptions()),
    "missing cells": (with_gaps(TABLE), AuditOptions()),
    "outcomes alone": (outcomes(TABLE), AuditOptions(level=0.9)),
    "options of their own": (many_options(TABLE), AuditOptions()),
    "clusters": (in_clusters(TABLE), AuditOptions(clusters="patient")),
    "clusters and missing cells": (in_clusters(with_gaps(TABLE, 0.4)), AuditOptions(clusters="patient")),
}


@pytest.mark.parametrize("kind", list(TABLES))
def test_a_table_in_shards_has_the_numbers_of_one_piece(kind: str) -> None:
    table, options = TABLES[kind]
    whole, parts = pc.audit(table, options=options), audit(cut(table, [100, 777]), options=options)
    one, other = numbers(whole), numbers(parts)
    if options.clusters:  # shards keep no failures per cluster, so the share that all fail has no limits
        assert other["systemic"]["rate"]["reason"] == "no limits with clusters from a table in shards"
        other["systemic"]["rate"] = one["systemic"]["rate"]
    for exact in ("n_models", "n_instances", "headline", "standing", "systemic", "shifts"):
        assert one[exact] == other[exact], exact
    if not options.clusters:  # with clusters the limits of pairs rest on a design effect, which is rounded
        assert one["pairwise"] == other["pairwise"]
    for a, b in zip(whole.null_models, parts.null_models, strict=True):
        assert (a.name, a.given, a.informative, a.n_eff.n) == (b.name, b.given, b.informative, b.n_eff.n)
        assert a.n_eff.method == b.n_eff.method
        for first, second in ((a.n_eff, b.n_eff), (a.rho, b.rho)):
            limits = [(i.estimate, i.low, i.high) for i in (first, second)]
            assert limits[0] == pytest.approx(limits[1], rel=1e-9, nan_ok=True)
        assert (a.z, a.p, a.informative_instances) == pytest.approx(
            (b.z, b.p, b.informative_instances), rel=1e-9, nan_ok=True
        )
    assert [(f.code, f.severity, f.reason) for f in whole.findings] == [
        (f.code, f.severity, f.reason) for f in parts.findings
    ]
    code = "PC002" if options.clusters else ""
    found, expected = ([f.sentence for f in audit.findings if f.code != code] for audit in (parts, whole))
    assert found == expected


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(list(TABLES)), st.lists(st.integers(1, 899), max_size=12))
def test_the_bits_do_not_depend_on_the_cuts(kind: str, ends: list[int]) -> None:
    table, options = TABLES[kind]
    assert numbers(audit(cut(table, ends), options=options)) == _uncut(kind)


_UNCUT: dict[str, dict[str, Any]] = {}


def _uncut(kind: str) -> dict[str, Any]:
    table, options = TABLES[kind]
    if kind not in _UNCUT:
        _UNCUT[kind] = numbers(audit([[table]], options=options))
    return _UNCUT[kind]


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(list(TABLES)), st.permutations(range(5)))
def test_the_bits_do_not_depend_on_the_order_of_shards(kind: str, order: list[int]) -> None:
    """Only the order of equally hard instances follows that of the table."""
    table, options = TABLES[kind]
    shards = cut(table, [50, 300, 310, 640])
    found, usual = numbers(audit([shards[k] for k in order], options=options)), dict(_uncut(kind))
    for name in ("ladder", "standing", "pairwise", "findings", "facts"):
        assert found[name] == usual[name], name
    for name in ("observed", "expected", "rate", "p"):
        assert found["systemic"][name] == usual["systemic"][name]
    one, other = (sorted(zip(*x["systemic"]["hardest"].values(), strict=True)) for x in (found, usual))
    assert one == other


def test_several_chunks_of_a_shard_are_as_good_as_several_shards() -> None:
    chunks = [chunk for shard in cut(TABLE, [200, 500]) for chunk in shard]
    assert numbers(audit([chunks])) == _uncut("answers")


@pytest.mark.slow
def test_ray_gives_the_bits_of_one_machine(recwarn: pytest.WarningsRecorder) -> None:
    pytest.importorskip("ray", reason="ray is not installed")
    table, options = TABLES["clusters and missing cells"]
    shards = cut(table, [100, 400, 444])
    found = audit(shards, options=replace(options, engine="ray", workers=2))
    assert found.facts["engine"] == "ray"
    assert numbers(found) == _uncut("clusters and missing cells")


def test_labels_that_are_no_classes_are_seen_as_such_in_all_shards_together() -> None:
    """Every label occurs in one shard only; whether they are classes is only seen over all."""
    labels = [str(k // 2) for k in range(60)]
    rng = np.random.default_rng(0)
    answers = {f"m{i}": [x if rng.random() < 0.7 else "?" for x in labels] for i in range(4)}
    table = Predictions.from_answers(answers, labels)
    assert [r.name for r in audit(cut(table, [20, 40])).null_models] == [r.name for r in pc.audit(table).null_models]
    assert not table.has_fixed_classes


def test_a_sample_is_the_same_for_any_cut_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "FEWEST", 250)
    monkeypatch.setattr(sampling, "CELLS", 1)
    one, other = audit([[TABLE]]), audit(cut(TABLE, [111, 333, 500]))
    assert numbers(one) == numbers(other)
    assert one.facts["sampled_instances"] == 250
    assert one.n_eff.n == 900
    told = " (From a random sample of 250 of the 900 instances.)"
    assert one.null_models[-1].given.endswith(told)
    assert one.section("together").sentence.endswith(told)
    assert one.null_models[-1].n_eff.n == 250


def test_clusters_stay_together_in_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "FEWEST", 300)
    monkeypatch.setattr(sampling, "CELLS", 1)
    table = in_clusters(TABLE)
    kept = sampling.Sample.of(table, "patient").predictions.instances["patient"]
    whole = table.instances["patient"].value_counts()
    split = [name for name, n in kept.value_counts().items() if n < whole[name]]
    assert len(kept) == 300
    assert len(split) <= 1


def test_all_models_perfect_is_undefined_with_a_reason() -> None:
    labels = [0, 1, 0, 1, 1, 0, 1, 0, 0, 1, 1, 0]
    table = Predictions.from_answers({"a": labels, "b": labels}, labels)
    assert numbers(audit(cut(table, [4])))["ladder"] == numbers(pc.audit(table))["ladder"]
    assert audit(cut(table, [4])).systemic.hardest.empty


def test_one_cluster_has_no_limits() -> None:
    table = replace(TABLE, instances=TABLE.instances.assign(patient="only"))
    n_eff = audit(cut(table, [100]), options=AuditOptions(clusters="patient")).n_eff
    assert n_eff.reason == "fewer than two independent clusters"
    assert np.isnan(n_eff.low)


def test_no_pairs_by_class_where_they_do_not_fit_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "MOST_CELLS", 10)
    result = audit(cut(with_gaps(TABLE), [100]))
    assert result.null_model("N0").n_eff.defined
    assert result.n_eff.reason == "cells are missing, and the pairs of every class do not fit into memory"


def test_predictions_are_shards_as_they_are() -> None:
    parts = [part for shard in cut(TABLE, [100, 400]) for part in shard]
    assert numbers(audit(parts)) == numbers(audit([[part] for part in parts]))


def test_shards_that_differ_in_models_are_refused() -> None:
    other = TABLE.take_models(["model-1", "model-0", "model-2", "model-3", "model-4", "model-5"])
    with pytest.raises(InputError) as caught:
        audit([[TABLE], [other]])
    assert str(caught.value) == (
        "shards differ in their models, first in 'model-0'; expected the same models in the same order in all."
    )


def test_shards_that_differ_in_classes_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        audit([[replace(TABLE, fixed_classes=True)], [replace(TABLE, classes=("0", "1", "2", "3"))]])
    assert str(caught.value) == (
        "shards differ in their classes, first in '3'; expected the same classes in the same order in all."
    )


def test_what_needs_all_instances_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        audit([[TABLE]], options=AuditOptions(outside=("model-0",)))
    assert str(caught.value) == (
        "outside is given for a table in shards; expected a table in one piece; leave outside out."
    )


def test_no_shards_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        audit([])
    assert str(caught.value) == "no shards; expected one with instances, or more."


def test_an_unknown_cluster_column_is_answered_with_the_near_ones() -> None:
    with pytest.raises(InputError) as caught:
        audit([[in_clusters(TABLE)]], options=AuditOptions(clusters="patients"))
    assert str(caught.value) == "no instance column 'patients'; did you mean 'patient'?"


def test_an_unknown_engine_is_answered_with_the_near_ones() -> None:
    with pytest.raises(InputError) as caught:
        audit([[TABLE]], options=AuditOptions(engine="rays"))
    assert str(caught.value) == "no engine 'rays'; expected one of local, ray; did you mean 'ray'?"
    with pytest.raises(InputError) as caught:
        audit([[TABLE]], options=AuditOptions(engine="ray", workers=0))
    assert str(caught.value) == "0 workers; expected one or more."


def test_what_does_not_apply_to_shards_or_to_a_table_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        audit([[TABLE]], shifted={"noise@1": TABLE})
    assert (
        str(caught.value) == "shifted is given for a table in shards; expected a table in one piece; leave shifted out."
    )
    with pytest.raises(InputError) as caught:
        audit(TABLE, options=AuditOptions(engine="ray", workers=2))
    assert str(caught.value) == (
        "engine 'ray' with workers 2 for a table in memory; expected shards, such as polyculture.read_shards gives; "
        "leave engine and workers out."
    )


def test_ray_that_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError) as caught:
        audit([[TABLE]], options=AuditOptions(engine="ray"))
    assert str(caught.value) == "the package 'ray' is not installed; pip install \"polyculture[ray]\"."


def test_tables_of_many_models_are_packed_in_json_and_come_back() -> None:
    rng = np.random.default_rng(1)
    right = (rng.random((210, 300)) < rng.uniform(0.5, 1, 210)[:, None]).astype(np.int8)
    right[0] = 1
    models = pd.DataFrame(index=pd.Index([f"m{i}" for i in range(210)], name="model"))
    result = audit([[Predictions(models, pd.DataFrame(index=pd.RangeIndex(300)), correct=right)]])
    text = result.to_json()
    again = pc.Audit.from_json(text)
    assert again.to_json() == text
    pairwise = json.loads(text)["pairwise"]
    assert set(pairwise["counts"]["n"]) == {"packed", "type", "rows", "half"}
    assert pairwise["values"]["kappa"]["formula"] == "kappa"
    for name, table in result.pairwise.counts.items():
        np.testing.assert_array_equal(again.pairwise.counts[name], table)
    for name, values in result.pairwise.values.items():
        np.testing.assert_allclose(again.pairwise.values[name], values, rtol=1e-6)
    assert again.pairwise.reasons == result.pairwise.reasons
