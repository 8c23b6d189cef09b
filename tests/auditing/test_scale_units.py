"""Are sizes with a unit, as people write them, read as numbers?"""

from __future__ import annotations

import pytest

from polyculture.auditing.sections.scaling import read_scale
from polyculture.errors import InputError
from polyculture.testing import tiny_predictions


def scale(cells):
    predictions = tiny_predictions(sizes=(1,) * len(cells))
    predictions.models["size"] = cells
    return read_scale(predictions, "size")


@pytest.mark.parametrize(
    ("cells", "sizes"),
    [
        (["7B", "350M", "1.5k"], [7e9, 350e6, 1500]),
        (["70 b", "1T", "0.5B"], [70e9, 1e12, 0.5e9]),
        (["7 billion", "350 million", "1,300 thousand"], [7e9, 350e6, 1.3e6]),
        (["7B params", "8b", "13 B parameters"], [7e9, 8e9, 13e9]),
        ([7.0, 13.0, 70.0], [7, 13, 70]),
    ],
)
def test_sizes_have_units(cells, sizes):
    assert scale(cells).values.tolist() == pytest.approx(sizes)


def test_sizes_with_and_without_a_unit_are_refused():
    with pytest.raises(InputError, match="holds '7B' and '13'; expected a unit for all sizes, or for none"):
        scale(["7B", "13", "70B"])


def test_words_are_no_sizes():
    with pytest.raises(InputError, match="model column 'size' holds 'small'; expected positive numbers or ISO dates"):
        scale(["small", "7B", "70B"])


def test_dates_stay_dates():
    assert scale(["2023-01-01", "2024-01-01", "2025-01-01"]).epoch == pytest.approx(2023, abs=0.01)
