"""Values: a table of predicted numbers that is cut without losing who predicted what."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from polyculture.errors import InputError
from polyculture.values import Values


def made() -> Values:
    return Values(
        np.arange(6.0).reshape(2, 3),
        np.array([1.0, 2.0, 3.0]),
        ("a", "b"),
        factors=pd.DataFrame({"seconds": [1.0, 2.0]}, index=["a", "b"]),
        instances=pd.DataFrame({"site": ["x", "x", "y"]}, index=["i0", "i1", "i2"]),
    )


def test_models_are_taken_with_what_they_are_made_of() -> None:
    taken = made().take_models(["b"])
    assert taken.models == ("b",)
    assert taken.predicted.tolist() == [[3.0, 4.0, 5.0]]
    assert taken.made_of.to_dict() == {"seconds": {"b": 2.0}}


def test_instances_are_taken_with_what_is_known_of_them() -> None:
    taken = made().take_instances(np.array([2, 0]))
    assert taken.targets.tolist() == [3.0, 1.0]
    assert taken.predicted[1].tolist() == [5.0, 3.0]
    assert taken.known["site"].to_dict() == {"i2": "y", "i0": "x"}


def test_instances_of_which_nothing_is_known_keep_their_numbers() -> None:
    plain = Values.of({"a": [1.0, 2.0, 3.0]}, [1.0, 2.0, 3.0])
    assert plain.take_instances(np.array([1, 2])).known.index.tolist() == [1, 2]
    assert plain.made_of.index.tolist() == ["a"]


def test_an_unknown_model_is_answered_with_the_near_ones() -> None:
    with pytest.raises(InputError, match=r"^no model 'c'; known: a, b\.$"):
        made().take_models(["c"])
