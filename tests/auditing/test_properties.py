"""Laws of the whole audit: what must not change when models, instances, classes or cells are moved about."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import polyculture as pc
from polyculture.auditing import AuditOptions
from polyculture.auditing.context import AuditContext
from polyculture.measures.counts import count
from polyculture.measures.effective import effective
from polyculture.predictions import Predictions

seeds = st.integers(0, 10_000)
FOUND = (Phase.explicit, Phase.reuse, Phase.generate)  # an audit is too slow to shrink a failing example
few = settings(max_examples=5, deadline=None, phases=FOUND)


def table(seed: int, models: int = 5, n: int = 240, missing: float = 0.0, classes: int = 3) -> Predictions:
    """Models of different accuracy that share difficulty; two of them share more; with a group, a site and ids."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    hard = rng.beta(1, 3, n)
    wrong = rng.random((models, n)) < np.clip(hard * rng.uniform(0.6, 1.6, (models, 1)), 0, 1)
    wrong[1] = np.where(rng.random(n) < 0.5, wrong[0], wrong[1])
    answers = np.where(wrong, (labels + rng.integers(1, classes, (models, n))) % classes, labels)
    answers[rng.random((models, n)) < missing] = -1
    instances = pd.DataFrame(
        {"group": rng.choice(["f", "m"], n), "site": rng.integers(0, n // 2, n), "score": hard},
        index=pd.Index([f"i{k}" for k in range(n)], name="instance"),
    )
    names = tuple(f"class {k}" for k in range(classes))
    index = pd.DataFrame(index=pd.Index([f"m{i}" for i in range(models)], name="model"))
    return Predictions(index, instances, answers.astype(np.int8), labels.astype(np.int8), classes=names)


OPTIONS = AuditOptions(groups=("group",), strata=("score",), clusters="site")


def numbers(audit: pc.Audit) -> dict[str, float]:
    """Every number of the audit by name; of models, pairs and instances by their ids."""
    found: dict[str, float] = {}
    for null_model in audit.null_models:
        for what, interval in (("n_eff", null_model.n_eff), ("rho", null_model.rho)):
            found |= {f"{null_model.name} {what} {end}": getattr(interval, end) for end in ("estimate", "low", "high")}
        found |= {
            f"{null_model.name} z": null_model.z,
            f"{null_model.name} informative": null_model.informative_instances,
        }
    for section in audit.sections:
        for name, interval in section.numbers.items():
            found |= {f"{section.name} {name} {end}": getattr(interval, end) for end in ("estimate", "low", "high")}
    for row in audit.pairwise.frame().to_dict("records"):
        a, b = sorted([str(row.pop("model_a")), str(row.pop("model_b"))])
        symmetric = ("n", "both_right", "both_wrong", "same_wrong", *audit.pairwise.values)
        found |= {f"{a} {b} {name}": row[name] for name in symmetric if name in row}
    for row in audit.leaderboard.table.to_dict("records"):
        found |= {f"{row['model']} {name}": row[name] for name in ("n", "errors", "accuracy", "low", "high")}
    found |= {f"{k} fail": v for k, v in enumerate(audit.systemic.observed)}
    found |= {f"{k} fail expected": v for k, v in enumerate(audit.systemic.expected)}
    found |= {"systemic p": audit.systemic.p, "told apart": audit.leaderboard.pairs_apart}
    if not audit.section("groups").reason:
        for row in audit.section("groups").tables["groups"].to_dict("records"):
            found |= {f"{row['group']} {k}": v for k, v in row.items() if isinstance(v, float)}
    return found


def assert_same(one: pc.Audit, two: pc.Audit, skip: tuple[str, ...] = ()) -> None:
    """All numbers alike; resampled limits see instances in their order and are only about alike."""
    first, second = numbers(one), numbers(two)
    assert first.keys() == second.keys()
    resampled = {r.name for r in one.null_models if "bootstrap" in r.n_eff.method}
    for name, value in first.items():
        if name.startswith(skip) and skip:
            continue
        loose = name.split()[0] in resampled and name.endswith(("low", "high"))
        near = {"rel": 0.1, "abs": 0.02} if loose else {"rel": 1e-6, "abs": 1e-7}
        assert second[name] == pytest.approx(value, nan_ok=True, **near), name


def codes(audit: pc.Audit) -> list[tuple[str, str]]:
    return sorted((finding.code, finding.severity) for finding in audit.findings)


@few
@given(seeds)
def test_the_order_of_models_changes_nothing(seed: int) -> None:
    p = table(seed, missing=0.02)
    order = [str(m) for m in np.random.default_rng(seed).permutation(p.model_ids)]
    one, two = pc.audit(p, options=OPTIONS), pc.audit(p.take_models(order), options=OPTIONS)
    # on a tie for the best model, which one is the baseline of multiplicity follows the order
    assert_same(one, two, skip=("multiplicity",))
    assert [c for c in codes(one) if c[0] != "PC014"] == [c for c in codes(two) if c[0] != "PC014"]


@few
@given(seeds)
def test_the_order_of_instances_changes_nothing(seed: int) -> None:
    p = table(seed, missing=0.02)
    shuffled = p.take_instances(np.random.default_rng(seed).permutation(240))
    one, two = pc.audit(p, options=OPTIONS), pc.audit(shuffled, options=OPTIONS)
    assert_same(one, two)
    assert codes(one) == codes(two)


@few
@given(seeds)
def test_the_names_of_classes_change_nothing(seed: int) -> None:
    p = table(seed, missing=0.02)
    new = np.random.default_rng(seed).permutation(3)
    answers = np.where(p.answers < 0, p.answers, new[p.answers]).astype(np.int8)
    renamed = Predictions(p.models, p.instances, answers, new[p.labels].astype(np.int8), classes=("x", "y", "z"))
    one, two = pc.audit(p, options=OPTIONS), pc.audit(renamed, options=OPTIONS)
    assert_same(one, two)
    assert codes(one) == codes(two)


@few
@given(seeds, st.integers(0, 4))
def test_a_copy_of_a_model_changes_n_eff_as_its_covariances_say(seed: int, copied: int) -> None:
    """V is the sum of variances, v the copied model's, c its covariance with the sum: D′ = (DV + 2c + v)/(V + v).

    c is at least v where it does not avoid the others, so n_eff is at most (M + 1)(V + v)/(DV + 3v) then; for equal
    variances and independent models that is (M + 1)²/(M + 3), below M. By Cauchy and Schwarz it is never more than
    (M + 1)(V + v)/(√(DV) − √v)².
    """
    p = table(seed)
    m = p.shape[0]
    twice = Predictions(
        pd.DataFrame(index=pd.Index([*p.model_ids, "copy"], name="model")),
        p.instances, p.answers[[*range(m), copied]], p.labels, classes=p.classes,
    )  # fmt: skip
    one, two = effective(p.wrong, p.labels), effective(twice.wrong, p.labels)
    within = np.concatenate(
        [
            np.sqrt((p.labels == y).sum() / ((p.labels == y).sum() - 1))
            * (p.wrong[:, p.labels == y] - p.wrong[:, p.labels == y].mean(axis=1, keepdims=True))
            for y in range(3)
        ],
        axis=1,
    )
    v, c = within[copied] @ within[copied], within[copied] @ within.sum(axis=0)
    total = (within**2).sum()
    expected = (one.design_effect * total + 2 * c + v) / (total + v)
    assert two.design_effect == pytest.approx(expected, rel=1e-9)
    observed = one.design_effect * total
    assert two.n_eff <= (m + 1) * (total + v) / (np.sqrt(observed) - np.sqrt(v)) ** 2 + 1e-9
    if c >= v:
        assert two.n_eff <= (m + 1) * (total + v) / (observed + 3 * v) + 1e-9


@few
@given(seeds)
def test_copying_every_model_changes_neither_n_eff_nor_joint_failures(seed: int) -> None:
    """Twice the models, the same opinions: D doubles with M, so n_eff stays and ρ rises to (2D − 1)/(2M − 1)."""
    p = table(seed, missing=0.0)
    names = [f"{m} {k}" for k in "ab" for m in p.model_ids]
    twice = Predictions(
        pd.DataFrame(index=pd.Index(names, name="model")), p.instances, np.vstack([p.answers] * 2), p.labels,
        classes=p.classes,
    )  # fmt: skip
    one, two = pc.audit(p), pc.audit(twice)
    for null_model in ("N0", "N1"):
        assert two.null_model(null_model).n_eff.estimate == pytest.approx(
            one.null_model(null_model).n_eff.estimate, rel=1e-9
        )
    design_effect = 5 / one.n_eff.estimate
    assert two.null_model("N1").rho.estimate == pytest.approx((2 * design_effect - 1) / 9, rel=1e-9)
    assert two.systemic.rate == one.systemic.rate
    assert two.systemic.observed[::2].tolist() == one.systemic.observed.tolist()
    assert two.section("together").numbers["ceiling"] == one.section("together").numbers["ceiling"]
    vote_one, vote_two = (a.section("ensembles").numbers["majority_error"] for a in (one, two))
    assert vote_two == vote_one


@few
@given(seeds, st.lists(st.integers(1, 239), min_size=1, max_size=4, unique=True))
def test_chunks_of_instances_add_up_to_the_counts_of_the_audit(seed: int, cuts: list[int]) -> None:
    p = table(seed, missing=0.1)
    whole = AuditContext.gather(p, AuditOptions()).counts
    edges = [0, *sorted(cuts), 240]
    parts = [count(p.answers[:, i:j], p.labels[i:j], None, 3) for i, j in pairwise(edges)]
    total = parts[-1]
    for part in parts[:-1]:
        total = total + part
    for name in ("n", "n11", "n10", "n01", "n00", "same_answer", "same_wrong"):
        np.testing.assert_array_equal(getattr(total, name), getattr(whole, name))


@few
@given(seeds, st.floats(0.05, 0.4))
def test_cells_lost_at_random_leave_everything_finite_and_n_eff_where_it_was(seed: int, missing: float) -> None:
    whole, holes = table(seed, n=3000), table(seed, n=3000)
    lost = np.random.default_rng(seed + 1).random(holes.shape) < missing
    holes = Predictions(
        holes.models, holes.instances, np.where(lost, -1, holes.answers).astype(np.int8), holes.labels,
        classes=holes.classes,
    )  # fmt: skip
    one, two = pc.audit(whole, options=OPTIONS), pc.audit(holes, options=OPTIONS)
    for null_model in ("N0", "N1", "N2"):
        before, after = one.null_model(null_model).n_eff, two.null_model(null_model).n_eff
        assert np.isfinite([after.low, after.high]).all()
        assert after.estimate == pytest.approx(before.estimate, rel=0.12)
    for name in ("kappa", "phi", "agreement", "covariance"):
        pairs = np.triu_indices(5, 1)
        lost_by = np.abs(two.pairwise.values[name] - one.pairwise.values[name])[pairs]
        assert (lost_by < 0.12).all(), name
    assert one.systemic.n == 3000
    assert two.systemic.n == int((~lost).all(axis=0).sum())
    (said,) = [f for f in two.findings if f.code == "PC007"]
    assert said.sentence.startswith(f"{lost.mean():.1%} of the cells are missing")


@few
@given(seeds)
def test_a_column_that_says_nothing_changes_only_its_own_rung(seed: int) -> None:
    p = table(seed)
    plain, cut = pc.audit(p), pc.audit(p, options=AuditOptions(strata=("group",)))
    skip = ("N2",)
    kept = {k: v for k, v in numbers(cut).items() if not k.startswith(skip)}
    assert kept.keys() == numbers(plain).keys()
    for name, value in numbers(plain).items():
        assert kept[name] == pytest.approx(value, nan_ok=True), name
    assert cut.null_model("N2").n_eff.estimate == pytest.approx(plain.null_model("N1").n_eff.estimate, rel=0.1)


@settings(max_examples=25, deadline=None, phases=FOUND)
@given(st.data())
def test_any_small_table_is_audited_and_survives_json(data: st.DataObject) -> None:
    """Perfect and mute models, empty instances, one class: words instead of numbers, never an exception."""
    m, n = data.draw(st.integers(2, 4)), data.draw(st.integers(1, 12))
    cells = st.lists(st.sampled_from([None, 0, 1, 2]), min_size=n, max_size=n)
    answers = {f"m{i}": data.draw(cells) for i in range(m)}
    labels = data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    instances = pd.DataFrame({"g": np.arange(n) % 2, "d": np.arange(n) / n})
    p = Predictions.from_answers(answers, labels, instances=instances)
    options = AuditOptions(
        groups=data.draw(st.sampled_from([(), ("g",)])),
        strata=data.draw(st.sampled_from([(), ("d",)])),
        clusters=data.draw(st.sampled_from(["", "g"])),
        population=True,
    )
    shifted = data.draw(st.sampled_from([{}, {"noise@2": p, "train": p}]))
    audit = pc.audit(p, options=options, shifted=shifted)
    text = audit.to_json()
    assert pc.Audit.from_json(text).to_json() == text
    for finding in audit.findings:
        assert finding.sentence or finding.reason
        assert "nan" not in finding.sentence, finding
