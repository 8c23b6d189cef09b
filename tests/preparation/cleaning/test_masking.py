"""Masks, hashes and columns left out; and a mask that cannot be applied."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pytest

from polyculture.errors import InputError
from polyculture.preparation.cleaning import find_faults, mask
from polyculture.preparation.problems.raw_data import RawData, instance_table, object_array

KEY = b"secret"


def patients() -> RawData:
    """Three rows with a name, a note and a site."""
    inputs = pd.DataFrame({"name": ["Ann", "Bob", "Ann"], "note": ["a@b.org, c@d.org", None, "call 0800 123 4567"]})
    raw = RawData("patients", "table", inputs, object_array(["a"] * 3), instance_table(3, site=["x", "y", "x"]))
    return RawData(raw.name, raw.modality, raw.inputs, raw.labels, raw.instances.set_axis(["p1", "p2", "p3"]))


def messages() -> RawData:
    """Two texts with personal fields."""
    texts = object_array(["call 0800 123 4567 or 0800-123-4567", "a@b.org is A@B.org"])
    return RawData("messages", "text", texts, object_array(["a", "b"]), instance_table(2))


def test_columns_are_masked_hashed_and_dropped() -> None:
    raw = patients()
    assert mask(raw, {"name": "mask"}).inputs["name"].tolist() == ["[masked]"] * 3
    hashes = mask(raw, {"name": "hash"}, key=KEY).inputs["name"].tolist()
    assert hashes[0] == hashes[2] != hashes[1]
    assert hashes[0] == hashlib.blake2b(b"Ann", digest_size=8, key=KEY).hexdigest()
    assert list(mask(raw, {"name": "drop"}).inputs.columns) == ["note"]
    assert raw.inputs["name"].tolist() == ["Ann", "Bob", "Ann"]


def test_gaps_stay_gaps() -> None:
    for mode in ("mask", "hash"):
        assert mask(patients(), {"note": mode}).inputs["note"].isna().tolist() == [False, True, False]


def test_columns_and_ids_of_instances_are_hidden() -> None:
    raw = mask(patients(), {"site": "hash", "instance": "hash"}, key=KEY)
    assert raw.instances["site"].nunique() == 2
    assert raw.instances.index.is_unique
    assert raw.instances.index.name == "instance"
    assert not set(raw.instances.index) & {"p1", "p2", "p3"}
    assert mask(patients(), {"instance": "drop"}).instances.index.tolist() == [0, 1, 2]
    assert list(mask(patients(), {"site": "drop"}).instances.columns) == []


def test_fields_in_texts_are_replaced() -> None:
    assert mask(messages(), {"phone": "mask"}).inputs[0] == "call [phone] or [phone]"
    assert mask(messages(), {"e-mail": "drop"}).inputs[1] == " is "
    first, second = mask(messages(), {"e-mail": "hash", "phone": "hash"}, key=KEY).inputs
    words = first.split(" or ")
    assert words[0].removeprefix("call ") == words[1]
    left, right = second.split(" is ")
    assert left == right
    assert find_faults({"all": mask(messages(), {"e-mail": "hash", "phone": "mask"})}, kinds=["personal"]) == ()


def test_fields_in_columns_of_texts_are_replaced() -> None:
    notes = mask(patients(), {"e-mail": "mask"}).inputs["note"].tolist()
    assert notes[0] == "[e-mail], [e-mail]"
    assert notes[2] == "call 0800 123 4567"


def test_tokens_are_masked() -> None:
    tokens = object_array([("mail", "a@b.org")])
    raw = RawData("tokens", "tags", tokens, object_array([("x", "y")]), instance_table(1))
    assert mask(raw, {"e-mail": "mask"}).inputs[0] == ("mail", "[e-mail]")


def test_hashes_of_two_calls_differ_without_a_key_and_agree_with_it() -> None:
    def hashes(key: bytes | None) -> list[str]:
        return mask(patients(), {"name": "hash"}, key=key).inputs["name"].tolist()

    assert hashes(None) != hashes(None)
    assert hashes(KEY) == hashes(KEY)
    assert hashes(KEY) != hashes(b"another")


def images() -> RawData:
    """Two images."""
    return RawData("scans", "image", np.zeros((2, 4, 4)), object_array(["a", "b"]), instance_table(2))


@pytest.mark.parametrize(
    ("raw", "fields", "message"),
    [
        (patients(), {"nam": "mask"}, "no field 'nam' in patients; did you mean 'name'?"),
        (patients(), {"name": "hide"}, "'name' is to be treated by 'hide'; known: drop, hash, mask."),
        (
            patients(),
            {"instance": "mask"},
            "the ids of instances are to be masked; expected distinct ids; hash or drop them.",
        ),
        (
            patients(),
            {"name": "drop", "note": "drop"},
            "no column of patients is left without 'note'; expected one or more; mask or hash it.",
        ),
        (images(), {"e-mail": "mask"}, "scans is of the kind image; expected texts or columns; leave 'e-mail' out."),
    ],
)
def test_a_mask_that_cannot_be_applied_is_one_error(raw: RawData, fields: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as error:
        mask(raw, fields)
    assert str(error.value) == message


@pytest.mark.parametrize("key", [b"", b"x" * 65])
def test_a_key_has_one_to_sixty_four_bytes(key: bytes) -> None:
    with pytest.raises(InputError) as error:
        mask(patients(), {"name": "hash"}, key=key)
    assert str(error.value) == f"a key of {len(key)} bytes; expected 1 to 64; leave it out for a new one."
