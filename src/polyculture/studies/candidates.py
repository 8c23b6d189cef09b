"""From which predictions is a portfolio selected, and on which is it certified?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from polyculture.errors import InputError
from polyculture.formats import ReadingRules, ValueSets, read, read_value_sets, read_values, values_folder
from polyculture.predictions import Predictions
from polyculture.selection import SelectionOptions

ROW_COLUMNS = ("model", "answer", "repeat", "correct")
"""Options of a table with a row per answer, and of outcomes."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """Predictions of the models to select from.

    Parameters
    ----------
    selection : on the instances to select on.
    certification : on the instances to certify on; None to split those of `selection`.
    shifted : on shifted test sets, by name.
    audited : on the instances for the audit of all candidates.
    clusters, groups : instance columns that a run folder names.
    """

    selection: Predictions
    certification: Predictions | None
    audited: Predictions
    shifted: Mapping[str, Predictions] = field(default_factory=dict)
    clusters: str = ""
    groups: tuple[str, ...] = ()

    def complete(self, options: SelectionOptions) -> SelectionOptions:
        """The options with the columns of the run folder, where the options name none."""
        return replace(options, clusters=options.clusters or self.clusters, groups=options.groups or self.groups)


def read_candidates(
    paths: Sequence[str],
    certify_on: str | None,
    goal: str,
    rules: ReadingRules,
    columns: Mapping[str, Any],
    values: bool = False,
) -> Candidates:
    """The candidates in tables, logs or a run folder.

    A run folder of regression has selection and test instances; the test instances are split if the goal is about
    shifted tests, which only they have.

    Parameters
    ----------
    certify_on : predictions on other instances.
    columns : options of `polyculture.read`.
    values : whether single tables hold numbers to predict, even where they are whole.
    """

    def read_table(sources: Sequence[str]) -> Predictions:
        if values and not folder and len(sources) == 1:
            return read_values(sources[0], **{k: v for k, v in columns.items() if v and k not in ROW_COLUMNS})
        return read(sources, rules=rules, **columns)

    folder = values_folder(paths[0]) if len(paths) == 1 else None
    if folder:
        for option, value in (("--certify-on", certify_on), ("--factors", columns.get("factors"))):
            if value:
                raise InputError(f"{option} with {paths[0]}", "nothing, as the folder has its own")
    predictions = read_table(paths)
    certification = read_table([certify_on]) if certify_on else None
    if predictions.task != "regression":
        return Candidates(predictions, certification, predictions)
    option = next((f.name for f in fields(rules) if getattr(rules, f.name) != getattr(ReadingRules(), f.name)), "")
    if option:
        raise InputError(f"--{option.replace('_', '-')} with numbers to predict", "a table of numbers, as it is")
    if folder:
        sets = read_value_sets(folder, columns.get("models") or ())
    else:
        sets = ValueSets(certification, predictions) if certification else ValueSets(predictions)
    has_selection = sets.selection is not None and "shift" not in goal
    return Candidates(
        sets.selection if has_selection and sets.selection else sets.test,
        sets.test if has_selection else None,
        sets.test,
        sets.shifted,
        sets.cluster,
        sets.groups,
    )
