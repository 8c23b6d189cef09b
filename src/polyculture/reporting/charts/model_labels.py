"""What stands at the rows of a figure of models? Names that fit there and are told apart, wide and on a phone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from polyculture.results.short_names import short_names

Spec = dict[str, Any]
POINTS = 6.5
"""Width of a character at the size of the labels."""
NARROW = 20
"""Characters for which a phone has room."""


@dataclass(frozen=True)
class Labels:
    """Texts of the rows of a figure, which its parameters hold.

    Parameters
    ----------
    names : in full, as they are on hover.
    wide, narrow : what stands at the rows of a wide and of a narrow figure; the names where left out.
    """

    names: Sequence[str]
    wide: Sequence[str] = ()
    narrow: Sequence[str] = ()

    @property
    def params(self) -> list[Spec]:
        """Parameters of the figure."""
        texts = {"names": self.names, "labels": self.wide, "narrow": self.narrow}
        return [{"name": name, "value": list(values)} for name, values in texts.items() if len(values)]

    def expression(self, place: str) -> str:
        """The text at this place, as an expression."""
        return f"{_TEXTS if self.wide else 'names'}[{place}]"


_TEXTS = "(width < 300 ? narrow : labels)"


def model_labels(names: Sequence[str], limit: int) -> Labels:
    """Labels of models where there are at most `limit` points for one."""
    wide, narrow = short_names(names, int(limit / POINTS)), short_names(names, NARROW)
    return Labels(names) if narrow == list(names) else Labels(names, wide, narrow)


def pair_labels(first: Sequence[str], second: Sequence[str], limit: int) -> Labels:
    """Labels of pairs of models where there are at most `limit` points for one."""

    def joined(width: int) -> list[str]:
        texts = short_names([*first, *second], width)
        return [f"{a} ↔ {b}" for a, b in zip(texts[: len(first)], texts[len(first) :], strict=True)]

    names = [f"{a} ↔ {b}" for a, b in zip(first, second, strict=True)]
    narrow = joined(NARROW // 2 - 2)
    return Labels(names) if narrow == names else Labels(names, joined(int(limit / POINTS / 2) - 2), narrow)


def label_by_name(names: Sequence[str], limit: int) -> tuple[list[Spec], Spec]:
    """Parameters and properties of an axis of names; none where all are short."""
    labels = model_labels(names, limit)
    if not labels.wide:
        return [], {}
    texts = {"labels": labels.wide, "narrow": labels.narrow}
    params = [{"name": name, "value": dict(zip(names, values, strict=True))} for name, values in texts.items()]
    return params, {"labelExpr": labels.expression("datum.value")}
