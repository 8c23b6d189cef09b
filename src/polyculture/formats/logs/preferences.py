"""What do judges prefer? Comparisons of two outputs become instances, judges become models: answers A, B or tie.

Known are the annotations of alpaca_eval (generator_1, generator_2, preference), the judgments of MT-bench and the arena
(model_a, model_b or model_1, model_2, with winner, g1_winner and g2_winner, or one column per outcome). A is the first
output as the first judge has it; a judge who has the two in the other order is turned round. A judge who contradicts
itself when the order changes has no preference, as in MT-bench: a tie. Ties are answers of their own.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from polyculture.errors import InputError, near

from ..items.builder import PredictionsBuilder
from ..items.item import Item, State
from ..items.tables_to_items import labels_by_id
from ..json_lines import BadLines, shorten
from .records import Row, rows_of

MATCHED_BY = "their pairs of outputs"
CHOICES = ("A", "B", "tie")
PAIRS = (("generator_1", "generator_2"), ("model_a", "model_b"), ("model_1", "model_2"))
"""The columns that name the two outputs."""
_OUTCOMES = ("winner", "preference", "g1_winner", "winner_model_a")
_JUDGES = ("judge", "annotator", "judge_model", "annotator_index", "evaluator")
_QUESTIONS = ("question_id", "conversation_id", "id", "instance", "prompt_id", "index", "idx", "instruction", "prompt")
_WEIGHTS = ("weight", "weights", "sample_weight", "instance_weight", "importance")
_FIRST = ("model_a", "model_1", "a", "1", "left")
_SECOND = ("model_b", "model_2", "b", "2", "right")
_TIES = ("tie", "tie (bothbad)", "bothbad", "both", "draw", "neither", "inconsistent", "t", "c")
_FAILED = ("", "error", "none", "null", "nan")
_EXPECTED = "the name of an output, model_a or model_b, A or B, or tie"


@dataclass(frozen=True)
class Comparison:
    """What one judge prefers of two outputs.

    Parameters
    ----------
    judge, question : who judges, and what the outputs answer.
    outputs : names of the two, in the order of the row.
    choice : 0 and 1 for the outputs, 2 for a tie; None where the judgment failed.
    weight : probability of the second output, where the judge gives one; else nan.
    place : file and row.
    """

    judge: str
    question: str
    outputs: tuple[str, str]
    choice: int | None
    weight: float
    place: str

    @property
    def turned(self) -> Comparison:
        """The same with the outputs in the other order."""
        choice = self.choice if self.choice is None else (1, 0, 2)[self.choice]
        return replace(self, outputs=self.outputs[::-1], choice=choice, weight=1 - self.weight)


def is_preference(names: Iterable[str]) -> bool:
    """Whether a table with these columns holds comparisons of two outputs."""
    columns = {str(name).lower() for name in names}
    return any(set(pair) <= columns for pair in PAIRS) and bool(columns & set(_OUTCOMES))


def read_comparisons(
    files: Sequence[tuple[Path, str | None]], label: Any, builder: PredictionsBuilder
) -> tuple[str, ...]:
    """Add the comparisons of all files, with a name per file where it names no judge; the label says what is true.

    The label is a judge or pattern of judges, whose plurality is true (ties where it is equal), or as of logs. Returns
    what the report has to say first.
    """
    rows = [(name or path.stem, row) for path, name in files for row in rows_of(path, builder.bad)]
    return add_comparisons(rows, label, builder)


def add_comparisons(rows: Sequence[tuple[str, Row]], label: Any, builder: PredictionsBuilder) -> tuple[str, ...]:
    """Add comparisons, each with the judge that it is of if it names none; returns what the report has to say first."""
    numbered = _numbered(comparison_of(row, place, judge, builder.bad) for judge, (place, row) in rows)
    true = _truth(numbered, label, builder)
    judges = {c.judge for _, c in numbered}
    truthful = {judge for judge in judges if isinstance(label, str) and fnmatchcase(judge, label)}
    weighted = _are_weighted([c for _, c in numbered if c.judge not in truthful])
    for key, comparison in numbered:
        if comparison.judge not in truthful:
            builder.add(_item(key, comparison, true.get(key), weighted))
    unknown = len({key for key, _ in numbered} - set(true))
    if unknown:
        builder.note(f"{unknown:,} comparisons have no true preference; nobody is right or wrong there.")
    columns = dict.fromkeys(name for _, (_, row) in rows for name in row if str(name).lower() in _WEIGHTS)
    return tuple(f"the column {name!r} is ignored: every comparison counts once" for name in columns)


def _are_weighted(comparisons: Sequence[Comparison]) -> bool:
    """Whether every judge gives weights, not only whom it prefers."""
    judges = {c.judge for c in comparisons}
    graduated = {c.judge for c in comparisons if math.isfinite(c.weight) and c.weight not in (0, 0.5, 1)}
    return judges == graduated and all(math.isfinite(c.weight) for c in comparisons if c.choice is not None)


def comparison_of(row: Mapping[str, Any], place: str, judge: str, bad: BadLines) -> Comparison | None:
    """What a row says, of this judge if it names none; None where it cannot be read, which is counted."""
    cells = {str(name).lower(): cell for name, cell in row.items()}
    pair = next(pair for pair in PAIRS if set(pair) <= set(cells) or pair == PAIRS[-1])
    outputs = (str(cells.get(pair[0])), str(cells.get(pair[1])))
    name = next((cells[column] for column in _JUDGES if cells.get(column) not in (None, "")), judge)
    name = name[0] if isinstance(name, (list, tuple)) and name else name
    question = next((cells[column] for column in _QUESTIONS if cells.get(column) not in (None, "")), place)
    turn = f" turn {cells['turn']}" if cells.get("turn") not in (None, "") else ""
    try:
        choice, weight = _choice(cells, outputs)
    except ValueError as error:
        bad.add(place, f"prefers {str(error)!r} of {outputs[0]!r} and {outputs[1]!r}", _EXPECTED)
        return None
    return Comparison(str(name), f"{question}{turn}", outputs, choice, weight, place)


def _choice(cells: Mapping[str, Any], outputs: tuple[str, str]) -> tuple[int | None, float]:
    """The choice of a row, and the weight of the second output; ValueError for a word that is none."""
    if "preference" in cells:
        return _of_preference(cells["preference"])
    if "winner" in cells:
        return _of_word(cells["winner"], outputs), math.nan
    if "g1_winner" in cells:
        first, second = (_of_word(cells.get(name), outputs) for name in ("g1_winner", "g2_winner"))
        return (None if None in (first, second) else first if first == second else 2), math.nan
    marks = [str(cells.get(f"winner_{name}")).casefold() in ("1", "1.0", "true") for name in ("model_a", "model_b")]
    return (marks.index(True) if any(marks) else 2), math.nan


def _of_word(winner: Any, outputs: tuple[str, str]) -> int | None:
    if str(winner) in outputs:
        return outputs.index(str(winner))
    word = str(winner).strip().casefold()
    if word in _FAILED:
        return None
    for place, words in enumerate((_FIRST, _SECOND)):
        if word in words:
            return place
    if word in _TIES:
        return 2
    raise ValueError(shorten(str(winner)))


def _of_preference(preference: Any) -> tuple[int | None, float]:
    """The choice of alpaca_eval's number: 1 the first output, 2 the second, 0 or 1.5 a tie, else 1 + P(second)."""
    if preference is None or str(preference).strip().casefold() in _FAILED:
        return None, math.nan
    if isinstance(preference, (list, dict)):
        raise ValueError(shorten(str(preference)))
    number = float(preference)  # a word is a ValueError, too
    if number in (0, 1.5):
        return 2, 0.5
    if not 1 <= number <= 2:
        raise ValueError(preference)
    return int(number > 1.5), number - 1


def _numbered(comparisons: Iterable[Comparison | None]) -> list[tuple[str, Comparison]]:
    """The comparisons with keys, the outputs in the order of the first judge; a repeated one has its number."""
    order: dict[tuple[str, frozenset[str]], tuple[str, str]] = {}
    times: Counter[tuple[str, str]] = Counter()
    numbered = []
    for comparison in comparisons:
        if comparison is None:
            continue
        outputs = order.setdefault((comparison.question, frozenset(comparison.outputs)), comparison.outputs)
        comparison = comparison if comparison.outputs == outputs else comparison.turned
        key = f"{shorten(comparison.question, 80)}: {outputs[0]} or {outputs[1]}"
        times[comparison.judge, key] += 1
        number = times[comparison.judge, key]
        numbered.append((key if number == 1 else f"{key}#{number}", comparison))
    return numbered


def _truth(numbered: Sequence[tuple[str, Comparison]], label: Any, builder: PredictionsBuilder) -> dict[str, int]:
    """The true choice by key."""
    judges = sorted({c.judge for _, c in numbered})
    if isinstance(label, str) and not Path(label).is_file():
        if not any(fnmatchcase(judge, label) for judge in judges):
            raise InputError(f"no judge {label!r}", "a judge, or a pattern of judges", near(label, judges))
        votes: dict[str, Counter[int]] = defaultdict(Counter)
        for key, comparison in numbered:
            if comparison.choice is not None and fnmatchcase(comparison.judge, label):
                votes[key][comparison.choice] += 1
        builder.note(f"What {label} prefers is true; a tie where as many of them prefer either.")
        return {key: _plurality(counts) for key, counts in votes.items()}
    by_key = labels_by_id(label)
    if by_key is None:
        raise InputError(
            f"{numbered[0][1].place.partition(' of ')[2] if numbered else 'the file'} holds preferences of "
            f"{len(judges)} judge{'s' * (len(judges) != 1)} ({', '.join(judges[:4])}) and no true ones",
            "the preferences that are true",
            f"name a judge, such as {judges[-1]!r}, or a file with the columns instance and label with label (--label)",
        )
    invalid = next((word for word in by_key.values() if word not in CHOICES), None)
    if invalid is not None:
        raise InputError(f"the true preference {invalid!r}", f"one of {', '.join(CHOICES)}")
    return {key: CHOICES.index(word) for key, word in by_key.items()}


def _plurality(counts: Counter[int]) -> int:
    (first, votes), *runners_up = counts.most_common(2)
    return 2 if runners_up and runners_up[0][1] == votes else first


def _item(key: str, comparison: Comparison, true: int | None, weighted: bool) -> Item:
    failed: State = "failed" if comparison.choice is None else ""
    second = comparison.weight
    shares = (0.0, 0.0, 1.0) if comparison.choice == 2 else (1 - second, second, 0.0)
    return Item(
        comparison.judge,
        instance=key,
        display_id=key,
        place=comparison.place,
        answer=None if comparison.choice is None else str(comparison.choice),
        label=None if true is None else str(true),
        state=failed,
        options=len(CHOICES),
        choices=CHOICES,
        probabilities=shares if weighted and not failed else (),
    )
