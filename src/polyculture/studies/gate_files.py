"""Which bounds does a configuration file set, and on the audit of what?"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from polyculture.auditing import AuditOptions, audit
from polyculture.auditing.gates import check_gates, gates_of
from polyculture.errors import FileError, InputError, near
from polyculture.formats import ReadingRules, align
from polyculture.results import Audit, Gate

from .run_audit import audit_run
from .run_folder import AUDIT, read_audit
from .stored_run import is_run

CONFIG = "polyculture.toml"
_EXAMPLE = "a [check] table, as in docs/guide/check.md"
_WORD, _WORDS, _SWITCH, _NUMBER = (str,), (str, list), (bool,), (int, float)
COLUMNS: Mapping[str, tuple[type, ...]] = {
    "label": _WORD,
    "instance": _WORD,
    "models": _WORDS,
    "factors": _WORD,
    "correct": _SWITCH,
    "cluster": _WORD,
    "group": _WORDS,
}
"""Options about columns and models in a configuration file, and their types; named as on the command line."""
RULES: Mapping[str, tuple[type, ...]] = {
    "normalize": _WORD,
    "metric": _WORD,
    "filter": _WORD,
    "threshold": _NUMBER,
    "unify": _SWITCH,
    "skip_bad": _SWITCH,
}
"""Options about how answers are read, likewise."""


@dataclass(frozen=True, eq=False)
class CheckSettings:
    """What to check, and against which bounds.

    Parameters
    ----------
    paths : tables, logs, a folder, or a stored audit.
    bounds : by side (``"min"``, ``"max"``) and name of the number.
    judge : as in `polyculture.check`.
    reading : options of reading by name; those that are left out have their default.
    """

    paths: tuple[str, ...] = ()
    bounds: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    judge: str = "shown"
    reading: Mapping[str, Any] = field(default_factory=dict)

    def gates(self) -> tuple[Gate, ...]:
        """The gates, held to what can be judged; InputError as in `polyculture.check`."""
        gates = gates_of(self.bounds)
        check_gates(gates, self.judge)
        return gates

    def override(
        self,
        paths: Iterable[str] = (),
        bounds: Mapping[str, Mapping[str, Any]] | None = None,
        judge: str = "",
        reading: Mapping[str, Any] | None = None,
    ) -> CheckSettings:
        """The settings with what is given here in place of theirs; bounds one by one."""
        sides = {side: {**self.bounds.get(side, {}), **(bounds or {}).get(side, {})} for side in ("min", "max")}
        options = {**self.reading, **(reading or {})}
        return replace(self, paths=tuple(paths) or self.paths, bounds=sides, judge=judge or self.judge, reading=options)


def read_settings(path: str | Path) -> CheckSettings:
    """The settings in the ``[check]`` table of a TOML file; its paths start from the folder of the file.

    Raises FileError for a file that cannot be read, InputError for keys and values that are not settings.
    """
    path = Path(path)
    table = _check_table(path)
    options = {**COLUMNS, **RULES}
    keys = ("paths", "min", "max", "judge", *options)
    for name in (key.replace("-", "_") for key in table):
        if name not in keys:
            raise InputError(f"{path}: unknown key {name!r} in [check]", "", near(name, keys))
    values = {key.replace("-", "_"): value for key, value in table.items()}
    for name, types in {"paths": _WORDS, "judge": _WORD, "min": (dict,), "max": (dict,), **options}.items():
        _check_type(path, name, values.get(name), types)
    reading = {name: values[name] for name in options if name in values}
    for name in ("factors", "label"):  # the label of logs is a file, that of tables a column
        if name in reading and (name == "factors" or (path.parent / reading[name]).is_file()):
            reading[name] = _located(reading[name], path.parent)
    paths = tuple(_located(text, path.parent) for text in _list(values.get("paths", [])))
    bounds: dict[str, Any] = {side: values[side] for side in ("min", "max") if side in values}
    return CheckSettings(paths, bounds, values.get("judge", "shown"), reading)


def _check_table(path: Path) -> dict[str, Any]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}", f"a TOML file with {_EXAMPLE}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FileError(f"{path} is not TOML: {error}", f"a file with {_EXAMPLE}") from error
    table = tables.get("check")
    if not isinstance(table, dict):
        raise InputError(f"{path} has no [check] table", _EXAMPLE)
    return table


def _check_type(path: Path, name: str, value: Any, types: tuple[type, ...]) -> None:
    """Raise InputError for a value of another type; None is a key that is not there."""
    suited = isinstance(value, types) and (bool in types or not isinstance(value, bool))
    if isinstance(value, list):
        suited = suited and all(isinstance(part, str) for part in value)
    if value is not None and not suited:
        words = {str: "text", list: "a list of texts", bool: "true or false", int: "a number", dict: "a table"}
        expected = " or ".join(words[kind] for kind in types if kind in words)
        raise InputError(f"{path}: {name} is {value!r} in [check]", expected)


def _located(text: str, folder: Path) -> str:
    """A path of a configuration file, from where the file is; names of experiments stay."""
    return text if text.startswith("mlflow:") else str(folder / text)


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def parse_bounds(texts: Iterable[str], side: str) -> dict[str, float]:
    """Bounds from texts such as ``"n_eff=2"``; the value is behind the last equals sign, as groups have one.

    Raises InputError for texts without a number, and for a name that comes twice.
    """
    bounds: dict[str, float] = {}
    for text in texts:
        name, equals, value = text.rpartition("=")
        expected = f"NUMBER=BOUND, such as --{side} n_eff=2"
        if not equals or not name.strip():
            raise InputError(f"--{side} {text}", expected)
        if name.strip() in bounds:
            raise InputError(f"--{side} {name.strip()} is given twice", "one bound")
        try:
            bounds[name.strip()] = float(value)
        except ValueError:
            raise InputError(f"--{side} {text}: {value!r} is no number", expected) from None
    return bounds


def audit_of(settings: CheckSettings) -> Audit:
    """The audit to check: a stored one, that of a run folder, or a new one of tables and logs.

    The folder of `run` or `audit` has a stored audit, which is taken where no option of reading asks for another one.

    Raises InputError where there is nothing to audit, and for options that a stored audit cannot follow.
    """
    paths, reading = list(settings.paths), dict(settings.reading)
    if not paths:
        raise InputError("nothing to check", "tables, logs, a folder or an audit.json", "name a path, or set paths")
    stored = len(paths) == 1 and _has_audit(Path(paths[0]))
    if stored and not reading:
        return read_audit(Path(paths[0]))
    run = len(paths) == 1 and is_run(paths[0])
    if stored and not run:
        raise InputError(
            f"{', '.join(reading)} with the stored audit in {paths[0]}", "no options of reading", "audit its table"
        )
    groups = _list(reading.get("group", []))
    cluster = reading.get("cluster", "")
    names = ("label", "instance", "factors", "correct")
    columns: dict[str, Any] = {name: reading[name] for name in names if name in reading}
    columns |= {"models": _list(reading["models"])} if "models" in reading else {}
    rules = ReadingRules(**{name: reading[name] for name in RULES if name in reading})
    aligned = align(paths, rules=rules, groups=[*groups, *([cluster] if cluster else [])], **columns)
    options = AuditOptions(clusters=cluster, groups=tuple(groups))
    if run:
        return audit_run(paths[0], aligned.predictions, options)[0]
    return audit(aligned.predictions, source=", ".join(paths), options=options)


def _has_audit(path: Path) -> bool:
    """Whether this is a stored audit, or a folder that has one."""
    if path.is_dir():
        return (path / AUDIT).is_file()
    if path.suffix != ".json" or not path.is_file():
        return False
    with path.open("rb") as file:
        return b'"polyculture.audit"' in file.read(200)
