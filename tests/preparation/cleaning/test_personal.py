"""Personal fields by form, checksum, name and distinctness; no reason quotes one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from polyculture.preparation.cleaning import Fault, find_faults
from polyculture.preparation.cleaning.personal_patterns import (
    identifier_header,
    personal_header,
    personal_spans,
    valid_card,
    valid_iban,
)
from polyculture.preparation.problems.raw_data import RawData, instance_table, object_array


def kinds(text: str) -> list[tuple[str, str]]:
    """Kind and text of each personal field."""
    return [(kind, text[start:end]) for start, end, kind in personal_spans(text)]


def faults(raw: RawData) -> list[Fault]:
    """The personal fields of raw data."""
    return list(find_faults({"all": raw}, kinds=["personal"]))


def raw_table(columns: dict[str, list[object]], **known: list[object]) -> RawData:
    """Raw data of these columns."""
    n = len(next(iter(columns.values())))
    return RawData("t", "table", pd.DataFrame(columns), object_array(["a"] * n), instance_table(n, **known))


@pytest.mark.parametrize(
    "text",
    ["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "FR14 2004 1010 0505 0001 3M02 606", "NO9386011117947"],
)
def test_published_examples_of_account_numbers_are_valid(text: str) -> None:
    """Examples of the IBAN registry."""
    assert valid_iban(text)
    assert not valid_iban(text[:-1] + ("1" if text[-1] != "1" else "2"))
    assert kinds(f"pay to {text}, please") == [("iban", text)]


@pytest.mark.parametrize("text", ["4111111111111111", "5555 5555 5555 4444", "378282246310005", "6011-1111-1111-1117"])
def test_published_test_cards_are_valid(text: str) -> None:
    assert valid_card(text)
    assert not valid_card(text[:-1] + str((int(text[-1]) + 1) % 10))
    assert kinds(f"card {text}.") == [("card", text)]


@pytest.mark.parametrize("text", ["4444444444444", "123", "", "7992 7398 7132 0004"])
def test_other_numbers_are_no_cards(text: str) -> None:
    assert not valid_card(text)


@pytest.mark.parametrize(
    "text",
    ["+44 20 7946 0958", "0049 30 901820", "(030) 901 820-11", "09061701461", "555-010-0199", "+1 (212) 555-0100"],
)
def test_phone_numbers_are_recognised(text: str) -> None:
    assert kinds(f"call {text} now") == [("phone", text)]


@pytest.mark.parametrize(
    "text",
    [
        "1362062307",
        "2024-01-31",
        "3.14159265",
        "0.123456789",
        "192.168.0.1",
        "12:30:45",
        "1,234,567",
        "000000000",
        "@home",
    ],
)
def test_times_dates_and_decimals_are_not_personal(text: str) -> None:
    assert kinds(f"the value {text} was read") == []


def test_addresses_are_recognised_and_spans_do_not_overlap() -> None:
    assert kinds("ann.b+c@mail.example.org; 0049301234567@example.com") == [
        ("e-mail", "ann.b+c@mail.example.org"),
        ("e-mail", "0049301234567@example.com"),
    ]


@pytest.mark.parametrize(
    ("column", "meaning"),
    [
        ("Name", "a name"),
        ("firstName", "a name"),
        ("E-Mail", "an e-mail address"),
        ("phone number", "a phone number"),
        ("Date of Birth", "a date of birth"),
        ("zip", "an address"),
        ("filename", ""),
        ("rename_count", ""),
        ("age", ""),
    ],
)
def test_names_of_columns_say_what_they_hold(column: str, meaning: str) -> None:
    assert personal_header(column) == meaning


def test_identifiers_have_an_identifying_name_and_distinct_values() -> None:
    assert identifier_header("patientId")
    assert not identifier_header("humidity")
    numbers: list[object] = list(range(10))
    assert [f.column for f in faults(raw_table({"client_id": numbers, "width": numbers, "key": [1] * 10}))] == [
        "client_id"
    ]


def test_a_column_is_one_fault_and_no_value_is_quoted() -> None:
    cells: list[object] = ["write to ann@example.org", "nothing", "", "bob@example.org and ann@example.org"]
    [fault] = faults(raw_table({"note": cells}))
    assert (fault.row, fault.column, fault.reason) == (None, "note", "holds an e-mail address in 2 of 3 rows")


def test_texts_are_told_row_by_row() -> None:
    texts = object_array(["hello", "mail ann@example.org or call 0800 123 4567", "0800 123 4567"])
    raw = RawData("t", "text", texts, object_array(["a"] * 3), instance_table(3))
    assert [(f.row, f.reason) for f in faults(raw)] == [
        (1, "holds an e-mail address and a phone number"),
        (2, "holds a phone number"),
    ]


def test_cards_in_a_column_of_numbers_are_told_but_not_by_chance() -> None:
    cards: list[object] = [4111111111111111, 5555555555554444, 4012888888881881]
    assert [f.column for f in faults(raw_table({"c": cards}))] == ["c"]
    chance = np.random.default_rng(0).integers(4 * 10**15, 5 * 10**15, 200).tolist()
    assert faults(raw_table({"c": chance})) == []


def test_what_is_known_about_instances_is_searched() -> None:
    raw = raw_table(
        {"x": [1, 2, 3, 4, 5]}, email=["a@b.org", "c@d.org", "e@f.org", "g@h.org", "i@j.org"], file=["f"] * 5
    )
    assert [(f.column, f.row) for f in faults(raw)] == [("email", None)]
    ids = raw.instances.drop(columns="email").set_axis(pd.Index([f"P-{k}@x.org" for k in range(5)], name="instance"))
    named = RawData("t", "table", raw.inputs, raw.labels, ids)
    assert [f.column for f in faults(named)] == ["instance"]
