"""Which options do several commands share?"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from polyculture.errors import InputError
from polyculture.studies.shell_words import option_words

if TYPE_CHECKING:
    from polyculture.formats import ReadingRules
    from polyculture.training import DataOptions, Problem

Out = Annotated[Path, Option(metavar="DIR", help="Folder for the page, audit.json and other results.")]
Json = Annotated[bool, Option("--json", help="Print only the JSON of the result on stdout.")]
Seed = Annotated[int, Option(metavar="S", min=0, help="Seed of everything that is random.")]
Workers = Annotated[int | None, Option(metavar="W", help="Number of processes (default: one per core).")]
Paths = Annotated[list[str], Argument(metavar="PATH...", help="Tables, logs, folders, or mlflow:EXPERIMENT.")]
Cluster = Annotated[str | None, Option(metavar="COL", help="Column of clusters of dependent instances.")]
Group = Annotated[list[str] | None, Option(metavar="COL", help="Column of groups to compare; repeatable.")]


@dataclass(frozen=True)
class TableOptions:
    """Columns and models of a table."""

    label: Annotated[str | None, Option(metavar="COL", help="Column of true labels (logs: a file).")] = None
    instance: Annotated[str | None, Option(metavar="COL", help="Column of instance ids.")] = None
    models: Annotated[list[str] | None, Option(metavar="GLOB", help="Model or pattern, as 'api_*'; repeatable.")] = None
    factors: Annotated[Path | None, Option(metavar="CSV", help="Model attributes: a row per model.")] = None
    model: Annotated[str | None, Option(metavar="COL", help="Row per answer: column of models.")] = None
    answer: Annotated[str | None, Option(metavar="COL", help="Row per answer: column of answers.")] = None
    repeat: Annotated[str | None, Option(metavar="COL", help="Row per answer: column of a model's runs (seed).")] = None

    def columns(self, *names: str | list[str] | None) -> dict[str, Any]:
        """Options of `polyculture.read`, with the instance columns to keep."""
        lists = [[name] if isinstance(name, str) else name or [] for name in names]
        return vars(self) | {"groups": list(dict.fromkeys(name for columns in lists for name in columns if name))}

    def words(self, reading: ReadingOptions) -> str:
        """Both options as words of another command, but for the models."""
        return option_words(self, reading)


@dataclass(frozen=True)
class ReadingOptions:
    """How answers are read."""

    correct: Annotated[
        str | None,
        Option(metavar="[COL]", help="Cells are right (1) or wrong (0); row per answer: the column that says so."),
    ] = None
    metric: Annotated[str | None, Option(metavar="NAME", help="Metric of a log to use.")] = None
    filter: Annotated[str | None, Option(metavar="NAME", help="Filter of lm-evaluation-harness to read.")] = None
    threshold: Annotated[float | None, Option(metavar="X", help="Score from which an answer is right.")] = None
    normalize: Annotated[str, Option(metavar="RULE", help="exact, quasi-exact, numeric, multiple-choice or code.")] = (
        "exact"
    )
    unify: Annotated[
        bool, Option("--unify", help="Treat answers that differ only in case, spacing or type as equal.")
    ] = False
    skip_bad: Annotated[bool, Option("--skip-bad", help="Skip and count unreadable lines.")] = False
    largest_sample: Annotated[int, Option(metavar="BYTES", help="Most bytes of one sample of a packed log.")] = 2**28
    repeats: Annotated[bool, Option("--repeats", help="Read several runs of a task as repeat runs.")] = False
    fields: Annotated[
        list[str] | None, Option(metavar="ROLE=PATH", help="JSON Lines: answer=reply.0.text; repeatable.")
    ] = None
    keep_na: Annotated[bool, Option("--keep-na", help="CSV: NA, null, … are answers, not empty cells.")] = False
    categorical: Annotated[bool, Option("--categorical", help="Numbers are names: 1.10 is not 1.1.")] = False

    @property
    def outcomes(self) -> bool | str:
        """The option `correct` of `polyculture.read`."""
        return self.correct is not None and (self.correct or True)

    def rules(self) -> ReadingRules:
        from polyculture.formats.rules import ReadingRules, fields_of

        options = {name: value for name, value in vars(self).items() if name not in ("correct", "fields")}
        return ReadingRules(**options, fields=fields_of(self.fields or []))

    def refuse(self, reader: str) -> None:
        """InputError for the first rule that was given, where answers are read without rules."""
        for name, value in vars(self).items():
            if name != "correct" and value != getattr(ReadingOptions, name):
                raise InputError(f"--{name.replace('_', '-')} with {reader}", cure="leave one of the two out")


@dataclass(frozen=True)
class ProblemOptions:
    """The data to learn from."""

    problem: Annotated[
        list[str] | None, Argument(metavar="[PROBLEM...]", help="Problem by name, or files (default: digits).")
    ] = None
    label: Annotated[str, Option(metavar="COL", help="Column to learn (default: usual names, or the last).")] = ""
    positive: Annotated[str, Option(metavar="RULE", help="Learn whether the label is this: '>0', '=bad'.")] = ""
    task: Annotated[str, Option(metavar="TASK", help="classification or regression (default: from the labels).")] = ""
    kind: Annotated[str, Option(metavar="KIND", help="table, image, text, tags, audio or series.")] = ""
    ignore: Annotated[list[str] | None, Option(metavar="COL", help="Column to leave out; repeatable.")] = None
    group: Annotated[str, Option(metavar="COL", help="Column of groups to compare (of files: file).")] = ""
    hold_out: Annotated[list[str] | None, Option(metavar="VALUE", help="Group only to test on; repeatable.")] = None
    cluster: Annotated[str, Option(metavar="COL", help="Column of clusters, which no split divides.")] = ""
    time: Annotated[str, Option(metavar="COL", help="Column of times: test on the latest instances.")] = ""
    fold: Annotated[str, Option(metavar="K/N", help="Test on one of N folds, such as 2/5.")] = ""
    test_on: Annotated[list[str] | None, Option(metavar="PATH", help="Further files to test on; repeatable.")] = None
    limit: Annotated[int | None, Option(metavar="N", help="Most instances per part.")] = None
    shifts: Annotated[str, Option(metavar="NAMES", help="Shifts to test under: all, none, or noise,blur,….")] = "all"
    window: Annotated[int, Option(metavar="N", help="Time series: number of input steps.")] = 24
    horizon: Annotated[int, Option(metavar="N", help="Time series: number of steps ahead to predict.")] = 1

    def load(self, seed: int) -> Problem:
        from polyculture.training import load_problem

        return load_problem(self.problem or ["digits"], seed, self.data_options())

    def data_options(self) -> DataOptions:
        from polyculture.training import DataOptions

        options = {name: value for name, value in vars(self).items() if value is not None and name != "problem"}
        options |= {name: tuple(value) for name, value in options.items() if isinstance(value, list)}
        kinds = () if self.shifts == "none" else tuple(name.strip() for name in self.shifts.split(","))
        options["shifts"] = None if self.shifts == "all" else kinds
        return DataOptions(**options)


def with_option_groups(function: Callable[..., int]) -> Callable[..., int]:
    """A command that has an option for every field of its dataclass parameters."""
    parameters: list[inspect.Parameter] = []
    groups: dict[str, tuple[Callable[..., Any], list[str]]] = {}
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        members = [parameter]
        if isinstance(group := parameter.annotation, type) and is_dataclass(group):
            members = list(inspect.signature(group, eval_str=True).parameters.values())
            groups[parameter.name] = group, [member.name for member in members]
        parameters += [member.replace(kind=inspect.Parameter.KEYWORD_ONLY) for member in members]

    def command(**values: Any) -> int:
        options = {
            name: group(**{member: values.pop(member) for member in members})
            for name, (group, members) in groups.items()
        }
        return function(**values, **options)

    command.__name__, command.__doc__ = function.__name__, function.__doc__
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return command
