"""How many independent votes, how many humans, and which judges? Verdicts are read, judged and put on a page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from polyculture.auditing.sections.attribution import attribute
from polyculture.errors import InputError, visible
from polyculture.formats import ReadingRules, align
from polyculture.formats.paired_comparisons import holds_preferences, read_comparisons
from polyculture.measures.panels import error_correlation
from polyculture.predictions import Predictions
from polyculture.results import Section
from polyculture.stats import Interval

from .abstention import abstention_section
from .aggregation import aggregation_table
from .agreement import agreement_section
from .compared import comparison_sections
from .judged import PRICES, JudgedItems, judged_items
from .members import curve_table, family_seats, family_table, judge_table
from .options import PanelOptions
from .people import human_section
from .ratings import rating_section
from .scales import check_ratings, constant_judges
from .section import note_of_missing, panel_section
from .votes import vote_numbers
from .without_truth import truthless_sections

SECTIONS = "panel.json"
"""File of the sections, next to their page."""


@dataclass(frozen=True, eq=False)
class PanelResult:
    """What a panel of judges is worth.

    Parameters
    ----------
    sections : the answer first, then when not to answer (where a largest error was given), humans (where counts were
        given), with which axes of the judges their alikeness goes, and agreement; of judges who compare two outputs
        also position, length and their own side, which are all there is where no true preference is known.
    predictions : the verdicts; None where no truth is known.
    note : what was read.

    Examples
    --------
    >>> verdicts = {"a": [1, 1, 0, 0, 1, 0], "b": [1, 1, 0, 1, 1, 0], "c": [1, 0, 0, 1, 0, 0]}
    >>> result = pc.panel(pc.Predictions.from_answers(verdicts, labels=[1, 1, 0, 0, 0, 0]))
    >>> result.numbers["correlation"].format(".2f").split()[0]
    '0.46'
    """

    sections: tuple[Section, ...]
    predictions: Predictions | None = None
    note: str = ""

    @property
    def sentence(self) -> str:
        """The answer in words."""
        return self.sections[0].sentence

    @property
    def numbers(self) -> Mapping[str, Interval]:
        """The numbers of the answer."""
        return self.sections[0].numbers

    def __repr__(self) -> str:
        return visible(f"PanelResult: {self.sentence}") + "\nnext: result.sections[0].tables"


def panel(
    source: Any,
    options: PanelOptions | None = None,
    *,
    rules: ReadingRules | None = None,
    **columns: Any,
) -> PanelResult:
    """How many independent votes the verdicts of these judges are worth, and which judges are worth their seat.

    Parameters
    ----------
    source : verdicts as `polyculture.read` takes them (tables, dataframes, logs of Inspect, lm-eval, preferences, …),
        or Predictions. Judges are what is called models elsewhere.
    options : families, prices, counts of humans, clusters.
    rules, columns : as in `polyculture.read`.

    Comparisons of two outputs need no truth to tell what order, length and the judge's own side do to them; with a
    true preference (`label`) the votes are told, too.

    Ratings (numbers with a true number) are taken as such: the correlation of the errors is then that of the residuals.

    Raises InputError for fewer than two judges, judges without items in common, counts that do not add up, and prices
    of judges that are not there.

    Examples
    --------
    >>> verdicts = {"a": [1, 1, 0, 0, 1, 0], "b": [1, 1, 0, 1, 1, 0], "c": [1, 0, 0, 1, 0, 0]}
    >>> pc.panel(pc.Predictions.from_answers(verdicts, labels=[1, 1, 0, 0, 0, 0])).sections[0].name
    'panel'
    """
    options = options or PanelOptions()
    compared = _compared(source, rules, columns, options)
    truthless = options.no_truth or (bool(compared) and columns.get("label") is None)
    if options.max_error is not None and truthless:
        raise InputError("a largest error without a truth", "items whose truth is known", "leave --max-error out")
    if compared and truthless:
        return PanelResult(compared)
    if options.no_truth:
        return PanelResult(truthless_sections(one_path(source), options))
    predictions, note = (source, "") if isinstance(source, Predictions) else _read(source, rules, columns, options)
    if predictions.shape[0] < 2:
        raise InputError(f"{predictions.shape[0]} judge", "two judges or more", "a panel has several")
    check_ratings(predictions, options.rating_range)
    if predictions.values is not None and options.max_error is not None:
        raise InputError("a largest error of ratings", "verdicts that are right or wrong", "leave --max-error out")
    if predictions.values is not None:
        return PanelResult((rating_section(predictions, options),), predictions, note)
    items = judged_items(predictions, options)
    numbers, tables = _answer(items, options)
    sections = [_with_constant(panel_section(numbers, tables, items.judges), constant_judges(predictions))]
    if options.max_error is not None:
        sections.append(abstention_section(items, options))
    if options.humans is not None:
        sections.append(human_section(predictions, options.humans, items.clusters, options.level))
    axes = _axes(predictions, options)
    if axes is not None and (columns.get("factors") or not axes.reason):
        sections.append(axes)
    if items.answers is not None:
        sections.append(agreement_section(_verdicts(predictions, items), items.clusters, options))
    missing = note_of_missing(items.observed.shape[1], int(items.complete.sum()))
    return PanelResult((*sections, *compared), predictions, f"{note} {missing}".strip())


def _axes(predictions: Predictions, options: PanelOptions) -> Section | None:
    """With which axes of the judges (prompt, temperature, order, …) their alikeness goes; None where none is known."""
    models = predictions.models.drop(columns=[c for c in predictions.models if str(c).lower() in PRICES])
    if not models.shape[1]:
        return None
    axes = replace(predictions, models=models)
    return attribute(axes, clusters=options.cluster or None, seed=options.seed, level=options.level)


def _with_constant(section: Section, judges: list[str]) -> Section:
    """The section, with what is to be said of judges who give one verdict to every item."""
    if not judges:
        return section
    give = "gives the same verdict" if len(judges) == 1 else "each give one verdict"
    return replace(
        section, sentence=f"{section.sentence} {', '.join(judges)} {give} to every item, which tells nothing of any."
    )


def _compared(
    source: Any, rules: ReadingRules | None, columns: Mapping[str, Any], options: PanelOptions
) -> tuple[Section, ...]:
    """Sections of judges who compare two outputs; none where the source holds no such verdicts."""
    if isinstance(source, Predictions) or not holds_preferences(source, rules):
        return ()
    return comparison_sections(read_comparisons(source, rules), options, columns.get("factors"))


def one_path(source: Any) -> Any:
    """The one table with verdicts; InputError for several, and for Predictions, which have a truth."""
    if isinstance(source, Predictions) or (isinstance(source, (list, tuple)) and len(source) != 1):
        raise InputError("verdicts without a truth that are not one table", "one file, or a dataframe")
    return source[0] if isinstance(source, (list, tuple)) else source


def _read(
    source: Any,
    rules: ReadingRules | None,
    columns: Mapping[str, Any],
    options: PanelOptions,
) -> tuple[Predictions, str]:
    groups = [*columns.get("groups", ()), *([options.cluster] if options.cluster else [])]
    is_paths = isinstance(source, (str, Path, list, tuple))
    paths = [str(path) for path in ([source] if isinstance(source, (str, Path)) else source)] if is_paths else source
    rules = replace(rules or ReadingRules(), judges=True, truth=options.truth)
    aligned = align(paths, rules=rules, **{**columns, "groups": groups})
    return aligned.predictions, aligned.report.sentence


def _answer(items: JudgedItems, options: PanelOptions) -> tuple[dict[str, Interval], dict[str, pd.DataFrame]]:
    correlation = error_correlation(items.wrong, items.observed)
    numbers = vote_numbers(items, options.level)
    tables = {"judges": judge_table(items, correlation, options.level)}
    tables["rules"] = aggregation_table(items, numbers["gap"], options.level)
    if not correlation.reason:
        tables["curve"] = curve_table(items, correlation, options.seed)
    if len(set(items.families)) > 1:
        tables["families"] = family_table(items, correlation)
        numbers |= family_seats(items, correlation, options.level)[1]
    if items.prices is not None:
        total = float(items.prices.sum())
        numbers["price"] = Interval(total)
        votes = numbers["votes"]
        numbers["price_per_vote"] = (
            Interval(total / votes.estimate, total / votes.high, total / votes.low, votes.level, votes.n)
            if votes.defined and math.isfinite(votes.estimate)
            else Interval.undefined(votes.reason)
        )
    return numbers, tables


def _verdicts(predictions: Predictions, items: JudgedItems) -> np.ndarray:
    """The verdicts as numbers: of classes that are numbers their values, else their codes; nan where there is none."""
    assert items.answers is not None
    values = pd.to_numeric(pd.Series(list(predictions.classes), dtype=object), errors="coerce").to_numpy(float)
    numbers = np.arange(len(predictions.classes), dtype=float) if np.isnan(values).any() else values
    table = np.append(numbers, np.nan)
    return np.asarray(table[np.where(items.answers < 0, len(numbers), items.answers)])
