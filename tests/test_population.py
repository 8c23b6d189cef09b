"""Is a population a set of models by id, with a row for each?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from polyculture.errors import InputError
from polyculture.population import Population


def undecided(inputs: np.ndarray) -> np.ndarray:
    """Half and half."""
    return np.full((len(inputs), 2), 0.5)


TWO = {"first": undecided, "second": undecided}


def test_models_are_found_by_id_and_come_in_their_order() -> None:
    population = Population(TWO, ("no", "yes"))
    assert list(population) == ["first", "second"]
    assert len(population) == 2
    assert population["second"] is undecided
    assert list(population.factors.index) == ["first", "second"]
    assert population.factors.index.name == "model"


def test_rows_of_factors_follow_the_models_whatever_their_order() -> None:
    factors = pd.DataFrame({"size": [3, 2, 1]}, index=["third", "second", "first"])
    assert list(Population(TWO, ("no", "yes"), factors).factors["size"]) == [1, 2]


def test_a_model_without_a_row_of_factors_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        Population(TWO, ("no", "yes"), pd.DataFrame({"size": [1]}, index=["first"]))
    assert str(caught.value) == "no row in factors for the models ['second']; expected one row per model id."


def test_an_unknown_model_is_answered_with_a_near_one() -> None:
    with pytest.raises(InputError) as caught:
        Population(TWO, ("no", "yes"))["secnd"]
    assert str(caught.value).removesuffix(".") == "no model 'secnd' in this population; did you mean 'second'?"
