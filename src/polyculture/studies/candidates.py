"""From which predictions is a portfolio selected, and on which is it certified?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from polyculture.auditing import AuditOptions, audit
from polyculture.errors import InputError
from polyculture.formats import ReadingRules, align, read_values, values_folder
from polyculture.predictions import Predictions, PredictionSets
from polyculture.results import Audit, Portfolio
from polyculture.selection import SelectionOptions, select

from .stored_run import is_run, read_run

ROW_COLUMNS = ("model", "answer", "repeat", "correct")
"""Options of a table with a row per answer, and of outcomes."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """Predictions of the models to select from.

    Parameters
    ----------
    selection : on the instances to select on.
    certification : on the instances to certify on; None to split those of `selection`.
    sets : for the audit of all candidates: their predictions on the test set and all that is known beside it, with the
        instance columns that a run folder names.
    remark : what an older run folder lacks; empty where it lacks nothing.
    reports : what was read, a sentence for each source.
    run : folder of the run that the models are from; empty where they are from tables.
    """

    selection: Predictions
    certification: Predictions | None
    sets: PredictionSets
    remark: str = ""
    reports: tuple[str, ...] = ()
    run: str = ""

    def complete(self, options: SelectionOptions) -> SelectionOptions:
        """The options with the columns of the run folder, where the options name none."""
        clusters, groups = options.clusters or self.sets.cluster, options.groups or self.sets.groups
        return replace(options, clusters=clusters, groups=groups)


def read_candidates(
    paths: Sequence[str],
    certify_on: str | None,
    goal: str,
    rules: ReadingRules,
    columns: Mapping[str, Any],
    values: bool = False,
) -> Candidates:
    """The candidates in tables, logs or a run folder.

    In a run folder they are selected on the selection part and certified on the whole test part and on every shift. If
    the goal is about shifted tests, which only the test part has, that part is split.

    Parameters
    ----------
    certify_on : predictions on other instances.
    columns : options of `polyculture.read`.
    values : whether single tables hold numbers to predict, even where they are whole.
    """
    folder = paths[0] if len(paths) == 1 and (is_run(paths[0]) or values_folder(paths[0])) else ""
    reports: list[str] = []

    def read_table(sources: Sequence[str]) -> Predictions:
        if values and not folder and len(sources) == 1:
            return read_values(sources[0], **{k: v for k, v in columns.items() if v and k not in ROW_COLUMNS})
        aligned = align(sources, rules=rules, **columns)
        reports.append(aligned.report.sentence)
        return aligned.predictions

    if folder:
        for option, value in (("--certify-on", certify_on), ("--factors", columns.get("factors"))):
            if value:
                raise InputError(f"{option} with {folder}", "nothing, as the folder has its own")
    predictions = read_table(paths)
    certification = read_table([certify_on]) if certify_on else None
    if predictions.task == "regression":
        _refuse_rules(rules)
    if not folder:
        sets = PredictionSets(certification or predictions)
        return Candidates(predictions, certification, sets, reports=tuple(reports))
    run = read_run(folder, predictions.model_ids)
    if run.sets.selection is None or "shift" in goal:
        remark = run.missing if run.sets.selection is None else ""
        return Candidates(run.sets.test, None, run.sets, remark, tuple(reports), folder)
    return Candidates(run.sets.selection, run.sets.test, run.sets, reports=tuple(reports), run=folder)


def select_and_audit(
    candidates: Candidates, k: int | None, goal: str, rule: str, options: SelectionOptions, source: str
) -> tuple[Portfolio, Audit]:
    """The portfolio of these candidates, and the audit of all of them on the test set.

    Parameters
    ----------
    k, goal, rule : as in `polyculture.select`.
    options : what it leaves open about clusters and groups is taken from the run folder.
    source : what to call the candidates in the audit.
    """
    sets, options = candidates.sets, candidates.complete(options)
    portfolio = select(
        candidates.selection,
        k,
        goal=goal,
        rule=rule,
        certify_on=candidates.certification,
        shifted=sets.shifted,
        terms=options,
    )
    if candidates.run:  # so that the members can be exported
        portfolio = replace(portfolio, facts={**portfolio.facts, "run": candidates.run})
    audit_options = AuditOptions(clusters=options.clusters, groups=options.groups, seed=options.seed)
    return portfolio, audit(sets.test, source=source, options=audit_options, shifted=sets.companions)


def _refuse_rules(rules: ReadingRules) -> None:
    """Refuse rules for reading answers where the cells are numbers to predict."""
    option = next((f.name for f in fields(rules) if getattr(rules, f.name) != getattr(ReadingRules(), f.name)), "")
    if option:
        raise InputError(f"--{option.replace('_', '-')} with numbers to predict", "a table of numbers, as it is")
