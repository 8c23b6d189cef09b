"""Do results survive their JSON, small and of every earlier format, and does it keep to its schema?"""

from __future__ import annotations

import copy
import importlib.util
import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import polyculture as pc
from polyculture.auditing.pairs import pairwise
from polyculture.errors import InputError
from polyculture.measures.counts import count
from polyculture.predictions import Predictions
from polyculture.results import Audit, Portfolio, Section, json_schema, section_json
from polyculture.results.encoding import from_json
from polyculture.results.json_schema import KINDS
from polyculture.rng import stream
from polyculture.testing import tiny_predictions

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden"


def text_of(name: str) -> str:
    return (GOLDEN / name).read_text(encoding="utf-8")


@cache
def many(m: int = 204, n: int = 200, missing: float = 0.0) -> Audit:
    """The audit of many models that share the difficulty of the instances, one of them perfect."""
    random = stream(m, "many models")
    labels = random.integers(0, 4, n)
    wrong = random.normal(size=n) + random.normal(size=(m, n)) + random.normal(size=(m, 1)) > 1
    wrong[0] = False
    answers = np.where(wrong, (labels + random.integers(1, 4, (m, n))) % 4, labels).astype(object)
    answers[random.random((m, n)) < missing] = None
    return pc.audit(Predictions.from_answers({f"vendor/model-{k}": row for k, row in enumerate(answers)}, labels))


def same_audit(first: Audit, second: Audit, rtol: float = 0.0) -> None:
    assert first.n_eff == second.n_eff
    assert first.pairwise.models == second.pairwise.models
    assert first.pairwise.reasons == second.pairwise.reasons
    for name, table in first.pairwise.counts.items():
        np.testing.assert_array_equal(second.pairwise.counts[name], table)
    for name, matrix in first.pairwise.values.items():
        np.testing.assert_allclose(second.pairwise.values[name], matrix, rtol=rtol, atol=rtol * 1e-9, err_msg=name)
    assert [s.name for s in first.sections] == [s.name for s in second.sections]
    for one, two in zip(first.sections, second.sections, strict=True):
        for name, frame in one.tables.items():
            pd.testing.assert_frame_equal(
                frame.reset_index(drop=True), two.tables[name], check_dtype=False, rtol=max(rtol, 1e-12), atol=0
            )


def test_audits_of_the_first_format_still_open() -> None:
    """Files that the version before this one wrote: as plain numbers, and with its packed tables."""
    plain, packed = (Audit.from_json(text_of(f"audit_format_1{end}.json")) for end in ("", "_packed"))
    assert plain.sentence == "4 models; they fail like 3.45 [2.67, 4.31]."
    assert plain.pairwise.models == ("a | b", "ünï", "c", "d")
    stored = json.loads(text_of("audit_format_1.json"))
    assert plain.pairwise.values["kappa"].tolist() == stored["pairwise"]["values"]["kappa"]
    assert plain.section("groups").tables["groups"]["group"].tolist() == ["north", "south"]
    same_audit(plain, packed, 1e-6)
    assert json.loads(plain.to_json())["format"] == 2
    assert Audit.from_json(plain.to_json()).to_json() == plain.to_json()


def test_a_portfolio_of_the_first_format_still_opens() -> None:
    portfolio = Portfolio.from_json(text_of("portfolio_format_1.json"))
    stored = json.loads(text_of("portfolio_format_1.json"))
    assert list(portfolio.members) == stored["members"]
    assert portfolio.certificate.scores["error"].estimate == stored["certificate"]["error"]["estimate"]


def test_a_damaged_packed_table_is_one_line() -> None:
    stored = json.loads(text_of("audit_format_1_packed.json"))
    for text in ("AAAA", "A", stored["pairwise"]["values"]["kappa"]["packed"][:20]):
        stored["pairwise"]["values"]["kappa"]["packed"] = text
        with pytest.raises(InputError, match=r"^damaged audit: .*; expected an audit written by polyculture; write it"):
            Audit.from_json(json.dumps(stored))


def test_a_later_format_is_refused_in_one_line() -> None:
    text = text_of("audit_format_1.json").replace('"format": 1', '"format": 3')
    with pytest.raises(InputError) as error:
        Audit.from_json(text)
    assert str(error.value) == "audit of format 3; expected format 2 or lower; update polyculture."


def test_many_models_come_back_from_their_counts() -> None:
    audit = many()
    text = audit.to_json()
    again = Audit.from_json(text)
    same_audit(audit, again, 1e-6)
    assert again.to_json() == text
    pairwise = json.loads(text)["pairwise"]
    assert {name for name, table in pairwise["values"].items() if "formula" not in table} == {"capa"}
    assert {name for name, table in pairwise["counts"].items() if "formula" not in table} == {
        *("n", "both_wrong", "same_wrong")
    }
    excess = next(section for section in json.loads(text)["chapters"] if section["name"] == "beyond")
    columns = excess["tables"]["pairs"]
    assert {name for name, column in columns.items() if "formula" in column} == {"z_scaled", "p", "q"}


def test_what_the_counts_do_not_tell_is_stored_itself() -> None:
    """With missing cells the errors of a model are not those of a pair."""
    audit = many(missing=0.1)
    text = audit.to_json()
    again = Audit.from_json(text)
    same_audit(audit, again, 1e-6)
    pairwise = json.loads(text)["pairwise"]
    assert "packed" in pairwise["counts"]["a_right_b_wrong"]
    assert pairwise["counts"]["both_right"]["formula"] == "both_right"
    assert pairwise["values"]["kappa"]["formula"] == "kappa"


def test_measures_of_the_user_are_stored_themselves_under_any_name() -> None:
    random = stream(0, "measures")
    counts = count(None, None, (random.random((201, 60)) < 0.7).astype(np.int8), 2)
    measures = {"own": lambda c: c.n00 * 1.5, "kappa": lambda c: c.n11 * 1.0}
    pairs = pairwise([f"m{k}" for k in range(201)], counts, measures)
    audit = replace(pc.audit(tiny_predictions()), pairwise=pairs)
    again = Audit.from_json(audit.to_json())
    for name in measures:
        np.testing.assert_allclose(again.pairwise.values[name], pairs.values[name], rtol=1e-6)


def test_up_to_two_hundred_models_every_digit_comes_back() -> None:
    audit = many(m=80)
    assert "packed" in json.loads(audit.to_json())["pairwise"]["values"]["kappa"]
    same_audit(audit, Audit.from_json(audit.to_json()))


@pytest.mark.parametrize("place", ["values", "counts"])
def test_a_matrix_that_does_not_come_out_as_it_was_written_is_refused(place: str) -> None:
    stored = json.loads(many().to_json())
    name = {"values": "kappa", "counts": "both_right"}[place]
    stored["pairwise"][place][name]["sum"] *= 1.001
    with pytest.raises(InputError) as error:
        Audit.from_json(json.dumps(stored))
    assert str(error.value) == (
        f"{name} does not follow from the stored counts as it did when they were written; expected a result of a "
        "version that computes it alike; audit the predictions again."
    )
    stored["pairwise"][place][name]["formula"] = "new"
    if place == "values":
        with pytest.raises(InputError, match="a matrix by the formula 'new'; expected one that this version knows"):
            Audit.from_json(json.dumps(stored))


def test_a_thousand_models_fit_fifteen_megabytes() -> None:
    """Measured on fewer: matrices grow with the square of the models."""
    assert len(many().to_json()) <= 15e6 * (204 / 1000) ** 2


CELLS = {
    "numbers": st.floats(allow_subnormal=False),
    "counts": st.integers(-(2**62), 2**62),
    "words": st.sampled_from(["a", "b|", "ünï", "", "nan", "inf"]),
    "truths": st.booleans(),
    "gaps": st.sampled_from(["x", None]),
}


@given(st.sampled_from(sorted(CELLS)), st.data())
@settings(max_examples=60)
def test_a_long_column_of_anything_comes_back(kind: str, data: Any) -> None:
    cells = data.draw(st.lists(CELLS[kind], min_size=1, max_size=30)) + (["x"] if kind == "gaps" else [])
    column = pd.Series((cells * (2_001 // len(cells) + 1))[:2_001], dtype=object if kind == "gaps" else None)
    section = Section("x", "X", "", tables={"t": pd.DataFrame({"c": column})})
    text = section_json(section)
    again = from_json(Section, text, "chapter").tables["t"]
    assert not isinstance(json.loads(text)["tables"]["t"]["c"], list)
    if kind == "numbers":
        np.testing.assert_array_equal(again["c"].to_numpy(), column.to_numpy())
    else:
        assert again["c"].isna().tolist() == column.isna().tolist()
        assert again["c"].dropna().tolist() == column.dropna().tolist()


def strict(schema: Any) -> Any:
    """The schema that allows no field that it does not name."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {"additionalProperties": False} if "properties" in schema else {}
    return {**closed, **{key: strict(value) for key, value in schema.items()}}


def problems(text: str, kind: str) -> list[str]:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    schema = strict(copy.deepcopy(json_schema(kind)))
    jsonschema.Draft202012Validator.check_schema(schema)
    errors = jsonschema.Draft202012Validator(schema).iter_errors(json.loads(text))
    return [f"{list(error.absolute_path)}: {error.message[:200]}" for error in errors]


def test_every_kind_of_audit_keeps_to_the_schema() -> None:
    tables = pc.audit(tiny_predictions(), shifted={"noise@2": tiny_predictions(seed=3)})
    numbers = pc.audit(
        Predictions.from_values({"a": [1.0, 2.0, 3.0, 5.0], "b": [1.5, 2.0, 4.0, 4.0]}, [1.0, 2.0, 3.0, 4.0])
    )
    old = Audit.from_json(text_of("audit_format_1_packed.json"))
    for audit in (tables, numbers, old, many(), many(missing=0.1), many(m=80)):
        assert problems(audit.to_json(), "audit") == []


def test_sections_portfolios_and_checks_keep_to_their_schemas() -> None:
    predictions = tiny_predictions()
    assert problems(pc.select(predictions, k=2).to_json(), "portfolio") == []
    assert problems(section_json(pc.compare(predictions, tiny_predictions(sizes=(3,)))), "chapter") == []
    assert problems(pc.check(pc.audit(predictions), {"min": {"n_eff": 2}}).to_json(), "check") == []


def test_a_wrong_audit_does_not_keep_to_the_schema() -> None:
    stored = json.loads(pc.audit(tiny_predictions()).to_json())
    for change in ({"headline": 3}, {"format": 1}, {"kind": "polyculture.check"}, {"ladder": [{"name": "N0"}]}):
        assert problems(json.dumps(stored | change), "audit")


def test_an_unknown_schema_is_answered_with_the_near_ones() -> None:
    with pytest.raises(InputError, match=r"no schema of 'audits'; did you mean 'audit'\?"):
        json_schema("audits")


def test_the_schemas_in_the_docs_are_those_of_the_code() -> None:
    """python docs/schema/schema.py writes them."""
    folder = ROOT / "docs" / "schema"
    spec = importlib.util.spec_from_file_location("schema", folder / "schema.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert set(module.texts()) == {f"{kind}.json" for kind in KINDS}
    for name, text in module.texts().items():
        assert (folder / name).read_text(encoding="utf-8") == text


def test_facts_of_any_kind_come_back() -> None:
    audit = pc.audit(tiny_predictions())
    facts = {"a": [1, "x", None, True], "b": {"c": 1.5}, "n": 3}
    assert Audit.from_json(replace(audit, facts=facts).to_json()).facts == facts
