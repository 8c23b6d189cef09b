"""Are long names short in a picture, and still told apart?"""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyculture.results.short_names import ELLIPSIS, WIDTH, short_names


def test_a_thousand_names_of_one_vendor_are_told_apart() -> None:
    names = [f"vendor/very-long-model-name-of-the-same-kind-{k:04d}" for k in range(1000)]
    short = short_names(names)
    assert len(set(short)) == 1000
    assert max(map(len, short)) == WIDTH
    assert short[17] == "vendor/very-long-model…-0017"


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["a", "b" * WIDTH], ["a", "b" * WIDTH]),
        (
            ["vendor/model-70B-instruct-q4_K_M", "vendor/model-7B-instruct-q4_K_M", "vendor/model-70B-instruct-q8_0"],
            ["vendor/model-70B-instru…-q4…", "vendor/model-7B-instruct-q4…", "vendor/model-70B-instru…-q8…"],
        ),
        (["x" * 40 + "1" + "y" * 40, "x" * 40 + "2" + "y" * 40], ["x" * 25 + "…1…", "x" * 25 + "…2…"]),
        (["x" * 40, "x" * 40 + "y"], ["x" * 26 + "…x", "x" * 26 + "…y"]),
        (["one/name/alone/that/is/much/too/long"], ["one/name/alone/that/is/much…"]),
        (["α-" * 20 + "β", "α-" * 20 + "γ"], ["α-" * 12 + "α…-β", "α-" * 12 + "α…-γ"]),
    ],
)
def test_what_names_have_in_common_is_elided(names: list[str], short: list[str]) -> None:
    assert short_names(names) == short


def test_equal_names_stay_equal_and_the_width_is_free() -> None:
    names = ["vendor/model-a-instruct", "vendor/model-b-instruct", "vendor/model-a-instruct"]
    short = short_names(names, 12)
    assert short[0] == short[2] != short[1]
    assert max(map(len, short)) <= 12


def test_a_name_that_reads_like_the_short_form_of_another_is_no_trap() -> None:
    names = [f"vendor/very-long-model-name-of-the-same-kind-{k:04d}" for k in range(3)]
    trap = short_names(names)[1]
    short = short_names([*names, trap])
    assert short[3] == trap
    assert len(set(short)) == 4


PIECES = st.sampled_from(
    ["vendor", "/", "-", "_", "model", "7", "70", "B", "q4", ".", " · ", "=", "…", "é", "模", "x" * 30]
)
NAMES = st.one_of(st.lists(PIECES, max_size=14).map("".join), st.text(max_size=60))


@given(st.lists(NAMES, unique=True, max_size=12), st.integers(1, 40), st.randoms(use_true_random=False))
def test_unique_names_stay_unique_in_their_order(names: list[str], width: int, dice: random.Random) -> None:
    short = short_names(names, width)
    assert len(set(short)) == len(names)
    assert all(a == b for a, b in zip(names, short, strict=True) if len(a) <= width)
    assert all(len(b) <= max(len(a), width) for a, b in zip(names, short, strict=True))
    assert all(ELLIPSIS in b for a, b in zip(names, short, strict=True) if a != b)
    shuffled = list(zip(names, short, strict=True))
    dice.shuffle(shuffled)
    assert short_names([a for a, _ in shuffled], width) == [b for _, b in shuffled]


@given(st.text(st.characters(categories=["L", "N", "P"]), max_size=80), st.integers(1, 120), st.text(max_size=80))
def test_numbered_names_have_the_width(start: str, count: int, end: str) -> None:
    names = [f"{start}-{k:03d}-{end}" for k in range(count)]
    short = short_names(names)
    assert len(set(short)) == count
    assert max(map(len, short)) <= WIDTH
