"""Which columns of a model table are ingredients, and which only tell what a fit took?"""

from __future__ import annotations

import pandas as pd

from polyculture.auditing.factors import TAKEN, ingredients

MODELS = pd.DataFrame(
    {"architecture": ["mlp", "mlp", "lenet", "lenet"], "data": ["a", "b", "a", "b"], "parameters": [10, 10, 20, 21]}
)


def test_what_a_fit_took_is_no_ingredient() -> None:
    measured = MODELS.assign(seconds=[1, 2, 1, 2], epochs=[3, 3, 4, 4], steps=[5, 6, 5, 6], flops=[7, 7, 8, 8])
    assert set(TAKEN) < set(measured.columns)
    assert [i.name for i in ingredients(measured)] == ["architecture", "data"]


def test_what_a_fit_took_is_one_where_it_is_named() -> None:
    assert [i.name for i in ingredients(MODELS, ["data", "parameters"])] == ["data", "parameters"]


def test_an_id_is_an_ingredient_only_where_it_is_named() -> None:
    for name in ("id", "ID"):
        models = MODELS.drop(columns="parameters").assign(**{name: ["a-1", "b-2", "c-3", "d-4"]})
        assert [i.name for i in ingredients(models)] == ["architecture", "data"]
        assert [i.name for i in ingredients(models, [name])] == [name]
