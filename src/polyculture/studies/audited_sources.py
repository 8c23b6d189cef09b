"""How alike are the models of tables, logs or a run folder? Read, matched and audited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from polyculture.auditing import AuditOptions, audit
from polyculture.errors import InputError
from polyculture.formats import ReadingRules, align, read_shards
from polyculture.results import Audit

from .run_audit import audit_run
from .run_folder import writable_folder
from .stored_run import is_run


@dataclass(frozen=True, eq=False)
class AuditedSources:
    """An audit, and what there is to say about what was read for it.

    Parameters
    ----------
    audit : of the models.
    note : how the instances were matched; empty for shards.
    remark : what an older run folder lacks; empty where it lacks nothing.
    """

    audit: Audit
    note: str = ""
    remark: str = ""


def audit_sources(
    paths: Sequence[str], options: AuditOptions, rules: ReadingRules, columns: Mapping[str, Any], folder: Path
) -> AuditedSources:
    """The audit of tables, logs or a run folder.

    Parameters
    ----------
    columns : options of `polyculture.read`.
    folder : for the results; made before the audit begins.
    """
    aligned = align(paths, rules=rules, **columns)
    writable_folder(folder)
    note = f"read  {aligned.report.sentence}"
    if len(paths) == 1 and is_run(paths[0]):
        result, run = audit_run(paths[0], aligned.predictions, options)
        return AuditedSources(result, note, run.missing)
    result = audit(aligned.predictions, source=", ".join(paths), options=options)
    return AuditedSources(replace(result, sections=(aligned.report.section(), *result.sections)), note)


def audit_streamed(
    paths: Sequence[str], options: AuditOptions, columns: Mapping[str, Any], folder: Path
) -> AuditedSources:
    """The same of a Parquet file or a folder of them, read in shards; InputError for what has a row per answer."""
    if len(paths) > 1:
        raise InputError(f"{len(paths)} paths with --stream", "one Parquet file, or one folder of them")
    columns = dict(columns)
    for name in ("model", "answer", "repeat"):
        if columns.pop(name):
            raise InputError(f"--{name} with --stream", "a table with a row per instance, read as it is")
    shards = read_shards(paths[0], **columns)
    writable_folder(folder)
    return AuditedSources(audit(shards, source=paths[0], options=options))
