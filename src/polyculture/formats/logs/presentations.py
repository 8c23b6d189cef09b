"""In which order did a judge see two outputs, and how long were they? Rows of preferences as single verdicts.

The order is known where a table has one: model_a is shown before model_b, and the two games of MT-bench (g1_winner,
g2_winner) are the two orders. alpaca_eval draws the order of generator_1 and generator_2 and says so in
is_switched_output_1_output_2; without that column it is not known. Columns called swapped, order and position count,
too. Lengths are columns, or those of the texts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..json_lines import BadLines, shorten
from .preferences import PAIRS, Comparison, comparison_of
from .records import Row

SWITCHES = ("is_switched_output_1_output_2", "is_switched_outputs", "switched", "swapped", "is_swapped")
ORDERS = ("order", "position", "presentation_order", "shown_first")
"""Columns that say which output was shown first."""
SIZES = ("length", "len", "tokens", "words", "characters", "num_tokens", "n_tokens")
TEXTS = ("output", "response", "answer", "text", "completion", "conversation")
ENDS = (("a", "b"), ("1", "2"))
_TRUE, _FALSE = ("1", "1.0", "true", "yes"), ("0", "0.0", "false", "no", "", "none", "nan", "null")
_AS_WRITTEN = ("ab", "a", "1", "first", "original", "model_a", "model_1", "generator_1", "a first", "a,b", "forward")
_TURNED = (
    "ba",
    "b",
    "2",
    "second",
    "swapped",
    "switched",
    "model_b",
    "model_2",
    "generator_2",
    "b first",
    "b,a",
    "reverse",
)
_EXPECTED = "AB or BA, or the output that was shown first"


@dataclass(frozen=True)
class Presentation:
    """One verdict on two outputs.

    Parameters
    ----------
    comparison : with the output that was shown first as the first, where the order is known.
    ordered : whether it is.
    lengths : of the two outputs in that order; nan where not known.
    """

    comparison: Comparison
    ordered: bool
    lengths: tuple[float, float]

    @property
    def turned(self) -> Presentation:
        """The same with the other output first."""
        return Presentation(self.comparison.turned, self.ordered, self.lengths[::-1])


def presentations_of(row: Row, judge: str, bad: BadLines) -> Iterator[Presentation]:
    """The verdicts of a row: two where it holds both orders, none where it cannot be read."""
    place, values = row
    cells = {str(name).lower(): cell for name, cell in values.items()}
    lengths = lengths_of(cells)
    if "g1_winner" in cells and "winner" not in cells:
        games = ({**cells, "winner": cells.get(name)} for name in ("g1_winner", "g2_winner"))
        first, second = (comparison_of(game, place, judge, bad) for game in games)
        if first is not None:
            yield Presentation(first, True, lengths)
        if second is not None:
            yield Presentation(second, True, lengths).turned
        return
    comparison = comparison_of(values, place, judge, bad)
    if comparison is None:
        return
    try:
        turned = _is_turned(cells, comparison.outputs)
    except ValueError as error:
        bad.add(place, f"has the order {str(error)!r}", _EXPECTED)
        return
    as_written = not set(PAIRS[0]) <= set(cells)
    presentation = Presentation(comparison, as_written if turned is None else True, lengths)
    yield presentation.turned if turned else presentation


def _is_turned(cells: Mapping[str, Any], outputs: tuple[str, str]) -> bool | None:
    """Whether the second output was shown first; None where no column says so, ValueError for a word that is none."""
    for column in SWITCHES:
        word = str(cells.get(column, "")).strip().casefold()
        if column in cells and word in _TRUE:
            return True
        if column in cells and word in _FALSE:
            return False
    cell = next((cells[column] for column in ORDERS if cells.get(column) not in (None, "")), None)
    if cell is None:
        return None
    word = str(cell).strip()
    if word in outputs:
        return word == outputs[1]
    word = word.removesuffix(".0").casefold()
    if word in _AS_WRITTEN or word in _TURNED:
        return word in _TURNED
    raise ValueError(shorten(str(cell)))


def lengths_of(cells: Mapping[str, Any]) -> tuple[float, float]:
    """Lengths of the two outputs of a row: from columns of lengths, else from their texts; nan where unknown."""
    for first, second in ENDS:
        for name in SIZES:
            pair = f"{name}_{first}", f"{name}_{second}"
            if set(pair) <= set(cells):
                return _number(cells[pair[0]]), _number(cells[pair[1]])
    counts = cells.get("conv_metadata")
    if isinstance(counts, Mapping) and "sum_assistant_a_tokens" in counts:
        return _number(counts["sum_assistant_a_tokens"]), _number(counts.get("sum_assistant_b_tokens"))
    for first, second in ENDS:
        for name in TEXTS:
            pair = f"{name}_{first}", f"{name}_{second}"
            if set(pair) <= set(cells):
                return _length(cells[pair[0]]), _length(cells[pair[1]])
    return math.nan, math.nan


def _number(cell: Any) -> float:
    try:
        number = float(cell)
    except (TypeError, ValueError):
        return math.nan
    return number if math.isfinite(number) and number >= 0 else math.nan


def _length(cell: Any) -> float:
    """Characters of a text, or of what the model says in a conversation."""
    if isinstance(cell, str):
        return float(len(cell))
    if isinstance(cell, (list, tuple)):
        replies = [turn for turn in cell if not isinstance(turn, Mapping) or turn.get("role") != "user"]
        texts = [str(turn.get("content", "")) if isinstance(turn, Mapping) else str(turn) for turn in replies]
        return float(sum(map(len, texts))) if texts else math.nan
    return math.nan
