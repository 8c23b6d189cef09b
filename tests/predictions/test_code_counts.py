"""Are codes counted, and repeated ids found, as the plain way finds them?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyculture.predictions import MISSING, code_counts, columns
from polyculture.predictions.columns import are_distinct_texts


@pytest.mark.parametrize(("kind", "classes"), [("i1", 3), ("i1", 127), ("i2", 500), ("i2", 32767), ("i4", 70_000)])
@pytest.mark.parametrize("size", [0, 1, 300, 70_001, 1 << 17, 200_001])
def test_counts_are_those_of_each_code(kind, classes, size):
    codes = np.random.default_rng(size).integers(MISSING, classes, size).astype(kind)
    np.testing.assert_array_equal(code_counts(codes, classes), np.bincount(codes[codes >= 0], minlength=classes))
    every_second = np.repeat(codes, 2)[::2]
    np.testing.assert_array_equal(code_counts(every_second, classes), code_counts(codes, classes))


@given(st.lists(st.text("abä", max_size=20) | st.text(max_size=9), min_size=1, max_size=40))
def test_repeated_texts_are_never_taken_for_distinct(texts):
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    assert not are_distinct_texts(pd.Index([*texts, texts[0]], dtype="str"))
    distinct = pd.Index(list(dict.fromkeys(texts)), dtype="str")
    if max(len(text.encode()) for text in texts) <= 8 and not any(chr(0) in text for text in texts):
        assert are_distinct_texts(distinct)
    assert not are_distinct_texts(distinct.append([distinct, distinct])[1:])  # a part of an array


@given(st.sets(st.text("abä", max_size=20), min_size=1, max_size=12), st.integers(1, 4), st.data())
def test_texts_in_order_are_distinct_unless_one_comes_twice(texts, rows, data):
    in_order = sorted(texts, key=lambda text: (len(text.encode()), text.encode()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "_ROWS", rows)
        assert are_distinct_texts(pd.Index(in_order, dtype="str"))
        place = data.draw(st.integers(0, len(in_order) - 1))
        repeated = [*in_order[:place], in_order[place], *in_order[place:]]
        assert not are_distinct_texts(pd.Index(repeated, dtype="str"))


def test_ids_of_other_kinds_are_left_to_pandas():
    for index in (pd.Index([1, 2]), pd.RangeIndex(3), pd.Index(["a", None], dtype="str"), pd.Index([], dtype="str")):
        assert not are_distinct_texts(index)
