"""How is a choice among models of numbers made from the shell? From a folder that run left, or a table of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyculture.errors import InputError

if TYPE_CHECKING:
    from polyculture.formats import ValueSets
    from polyculture.results import Audit, Portfolio
    from polyculture.selection import SelectionOptions
    from polyculture.values import Values


@dataclass(frozen=True)
class Wanted:
    """What was asked for; see `polyculture.selection.select_values`."""

    members: int | None
    goal: str
    rule: str
    certify_on: str | None


def holds_numbers(paths: list[str]) -> bool:
    """Whether this is a folder in which run left numbers."""
    from polyculture import formats

    return len(paths) == 1 and formats.values_folder(paths[0]) is not None


def refuse(options: Mapping[str, Any]) -> None:
    """Refuse options that speak of answers."""
    given = next((name for name, value in options.items() if value), "")
    if given:
        raise InputError(f"{given} where the truth is a number", "a table of numbers, as it is")


def choose_values(
    paths: list[str], wanted: Wanted, columns: Mapping[str, Any], terms: SelectionOptions
) -> tuple[Portfolio, Audit]:
    """The portfolio of these models of numbers, and the audit of all of them on the instances that certify.

    Of a folder of run the selection instances choose and the test instances certify; the test is parted in two where
    the goal speaks of shifted tests, which only it has.

    Parameters
    ----------
    columns : label, instance, models and factors, as `reading.read_values` takes them.
    """
    from dataclasses import replace

    from polyculture import auditing, selection

    known = list(dict.fromkeys([*([terms.clusters] if terms.clusters else []), *terms.groups]))
    sets = _sets(paths, wanted.certify_on, {**columns, "models": columns["models"] or (), "groups": known})
    terms = replace(terms, clusters=terms.clusters or sets.cluster, groups=terms.groups or sets.groups)
    apart = sets.selection is not None and "shift" not in wanted.goal
    found = selection.select_values(
        sets.selection if apart and sets.selection is not None else sets.test,
        wanted.members,
        goal=wanted.goal,
        rule=wanted.rule,
        certify_on=sets.test if apart else None,
        shifted=sets.shifted,
        terms=terms,
    )
    options = auditing.AuditOptions(clusters=terms.clusters, groups=terms.groups, seed=terms.seed)
    shifted = {name: values.predictions() for name, values in sets.shifted.items()}
    audit = auditing.audit(sets.test.predictions(), source=", ".join(paths), options=options, shifted=shifted)
    return found, audit


def _sets(paths: list[str], certify_on: str | None, columns: Mapping[str, Any]) -> ValueSets:
    """The values to choose from, as if one of them were the selection part where there are others to certify on."""
    from polyculture import formats

    if len(paths) > 1:
        raise InputError(f"{len(paths)} paths of numbers", "one table, or a folder that run left")
    folder = formats.values_folder(paths[0])
    if folder is None and Path(paths[0]).is_dir():
        raise InputError(f"{paths[0]} holds no values", "a table of numbers, or a folder that run left")
    if folder is None:

        def read(path: str) -> Values:
            return formats.read_values(path, **columns)

        here = read(paths[0])
        if certify_on is None:
            return formats.ValueSets(here)
        return formats.ValueSets(read(certify_on), here)
    if certify_on is not None:
        raise InputError(f"--certify-on beside {paths[0]}", "its own test instances to certify on")
    told = next((name for name in ("label", "instance", "factors") if columns[name]), "")
    if told:
        raise InputError(f"--{told} beside {paths[0]}", "nothing, as the folder tells which column is what")
    return formats.read_value_sets(folder, columns["models"])
