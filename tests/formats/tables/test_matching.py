"""Which models does a name, an id or a pattern of either mean?"""

from __future__ import annotations

import pytest

from polyculture.errors import InputError
from polyculture.formats.tables.column_roles import matching

NAMES = ("knn k=5 · half-a", "knn", "mlp [a]", "mlp a", "*")
IDS = ("knn-1f", "knn-2e", "mlp-3d", "mlp-4c", "x-5b")


@pytest.mark.parametrize(
    ("pattern", "models"),
    [
        ("knn", NAMES[1:2]),
        ("knn*", NAMES[:2]),
        ("knn-2e", NAMES[1:2]),
        ("*-[34]?", NAMES[2:4]),
        ("mlp [a]", NAMES[2:3]),  # a name before a pattern
        ("*", NAMES[4:]),
        ("?*", NAMES),
    ],
)
def test_a_name_comes_before_an_id_and_both_before_patterns(pattern: str, models: tuple[str, ...]) -> None:
    assert matching(NAMES, [pattern], "t", IDS) == models


def test_models_come_once_in_their_own_order() -> None:
    assert matching(NAMES, ["mlp-3d", "knn", "knn-2e"], "t", IDS) == (NAMES[1], NAMES[2])
    assert matching(NAMES, [], "t", IDS) == NAMES
    assert matching(NAMES, ["knn*"], "t") == NAMES[:2]


@pytest.mark.parametrize(
    ("pattern", "cure"),
    [
        ("ml", "did you mean 'ml*'?"),
        ("knn-2f", "did you mean 'knn-2e' or 'knn-1f' or 'knn'?"),
        ("zzz", "known: *, knn,"),
    ],
)
def test_an_unknown_name_is_answered_with_a_pattern_or_the_near_ones(pattern: str, cure: str) -> None:
    with pytest.raises(InputError) as error:
        matching(NAMES, [pattern], "t", IDS)
    assert str(error.value).startswith(f"no model of t is called {pattern!r}; {cure}")
