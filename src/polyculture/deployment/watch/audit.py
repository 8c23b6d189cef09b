"""What does production look like, as an audit? A store, or a server's status, in; the same page as everywhere out."""

from __future__ import annotations

import math
import re
import time as clock
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from polyculture.auditing import AuditOptions
from polyculture.auditing import audit as audit_predictions
from polyculture.deployment.bundle.bundle import open_bundle
from polyculture.deployment.bundle.manifest import Manifest, MemberEntry
from polyculture.errors import InputError
from polyculture.predictions import MISSING, Predictions
from polyculture.results import Audit, Section
from polyculture.stats import Interval

from .alarm_status import RECENT
from .answer_columns import FOREIGN_LABEL
from .detection.domain_classifier import domain_auc
from .live import LiveWatch
from .member_names import names_of_manifest, names_of_status
from .section import watch_findings, watch_section
from .server_status import is_server, server_status
from .stored import observe_stored

if TYPE_CHECKING:
    from polyculture.deployment.store import Store, VersionNames

REMEMBERED = 100_000
CHUNK = 10_000
FEWEST_LABELLED = 20
"""Labelled answers from which on errors are audited."""
FOREIGN_CLASS = "(another class)"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True)
class WatchOptions:
    """Which answers are watched.

    Parameters
    ----------
    since : time from which on: ``"2h"``, ``"7d"``, a date such as ``"2026-11-30T12:00"`` (UTC), or "" for all.
    window : answers that joint numbers are computed from at most, the last ones.
    now : seconds since 1970 that `since` counts back from; the clock's, if None.

    Examples
    --------
    >>> pc.WatchOptions(since="2h", now=7200.0).start
    0.0
    """

    since: str = ""
    window: int = REMEMBERED
    now: float | None = None

    @property
    def start(self) -> float:
        """The time in seconds since 1970."""
        text = self.since.strip()
        if not text:
            return -math.inf
        span = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhdw])", text)
        if span:
            return (clock.time() if self.now is None else self.now) - float(span[1]) * _UNITS[span[2]]
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise InputError(
                f"since {self.since!r}", "a span such as 2h or 7d, or a date such as 2026-11-30"
            ) from error
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def watch(source: str, bundle: str | Path | None = None, options: WatchOptions | None = None) -> Audit:
    """Audit the answers of a portfolio in production, next to what they were when it was certified.

    Parameters
    ----------
    source : URL or file of a store of answers, as of `open_store`; or the URL of a server, ``http://…``, whose status
        is taken as it is.
    bundle : folder of the bundle that answered; its reference statistics and alarms are compared with. Without it only
        live numbers are given.
    options : which answers.

    Returns an Audit that is led by the section ``"watch"``; the errors of the labelled answers are audited as those of
    any table. ``facts["alarms_up"]`` are the names of the alarms that are up. Raises InputError where there are no
    answers of the bundle, and FileError for a store or bundle that cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from polyculture.deployment.store import AnswerRecord, VersionNames, open_store
    >>> path = tempfile.mkdtemp() + "/answers.sqlite"
    >>> with open_store(path) as store:
    ...     store.register(VersionNames("1", "classification", ("no", "yes"), ("ann", "bob")))
    ...     store.append([AnswerRecord(f"r{k}", float(k), "1", member_answers=(1, int(k > 4))) for k in range(100)])
    >>> print(pc.watch(path).section("watch").sentence)
    The two models disagree on 5.0 % [1.9 %, 10.6 %] of 100 recent answers.
    """
    if is_server(source):
        if bundle is not None or (options or WatchOptions()).since:
            superfluous = "a bundle" if bundle is not None else "since"
            cure = "leave it out: a server compares its recent answers with its own bundle"
            raise InputError(f"{superfluous} with the server {source}", "the server alone", cure)
        return audit_of_status(server_status(source), source)
    return audit_of_watch(watch_of_store(source, bundle, options or WatchOptions()), source)


def watch_of_store(source: str, bundle: str | Path | None, options: WatchOptions) -> LiveWatch:
    """A watch that has seen the answers of a store; parameters as of `watch`."""
    from polyculture.deployment.store import open_store

    start = options.start
    certified = None if bundle is None else open_bundle(bundle)
    with open_store(source, create=False) as store:
        versions = store.versions()
        if certified is not None:
            manifest, reference = certified.manifest, certified.reference
        else:
            manifest, reference = _manifest_of(_latest(store, versions, start)), {}
        tracker = LiveWatch(manifest, reference, remembered=options.window)
        read_store(tracker, store, start)
    if not tracker.window.rows.total:
        raise InputError(
            f"no answers of the bundle {manifest.version or manifest.name} in {source}",
            f"answers of one of {', '.join(versions) or 'no bundle at all'}",
            "check the bundle, or --since",
        )
    return tracker


def _latest(store: Store, versions: Mapping[str, VersionNames], start: float) -> VersionNames:
    """The bundle of the latest answers; the one that was registered last where there are none."""
    if not versions:
        raise InputError(f"the store {store.name} has no answers", "a store that a server wrote", "check the path")
    latest, names = -math.inf, list(versions.values())[-1]
    for piece in store.since(start):
        if len(piece) and piece.times[-1] >= latest and not piece.shadow.all():
            latest, names = float(piece.times[-1]), piece.names
    return names


def _manifest_of(names: VersionNames) -> Manifest:
    """What is known of a bundle from the store alone."""
    members = tuple(MemberEntry(member, member, 1 / len(names.members)) for member in names.members)
    return Manifest(
        schema=1,
        name="",
        version=names.version,
        created="",
        task=names.task,
        modality="",
        classes=names.classes,
        input_shape=(),
        views=(),
        members=members,
        rule="",
    )


def read_store(tracker: LiveWatch, store: Store, start: float = -math.inf) -> None:
    """Let a watch see the stored answers of its bundle from that time on, and their labels.

    A chunk is labelled before the next is read, so that no label comes too late for what is remembered.
    """
    for piece in store.since(start, chunk=min(CHUNK, tracker.window.rows.capacity)):
        observe_stored(tracker, piece)


def audit_of_watch(tracker: LiveWatch, source: str) -> Audit:
    """What a watch has seen as an Audit: the errors of labelled answers, led by the section ``"watch"``."""
    status = tracker.status()
    section = watch_section(status, live_domain_auc(tracker))
    predictions = labelled_predictions(tracker)
    labelled = predictions is not None
    if predictions is None:
        predictions = _unlabelled(_models(tracker.manifest), _instances(tracker).iloc[:, :0])
    columns = tuple(predictions.instances.columns)
    result = audit_predictions(predictions, source=source, options=AuditOptions(groups=columns if labelled else ()))
    counts = {"bundle": tracker.manifest.version, "requests": tracker.window.rows.total, "labelled": tracker.labels.n}
    return _led(result, section, status, counts, labelled)


def audit_of_status(status: Mapping[str, Any], source: str) -> Audit:
    """The status of a server as an Audit; the answers themselves are in its store."""
    status = {"members": [], "alarms": [], "groups": [], "disagreement": {}} | {
        name: value for name, value in status.items() if value is not None
    }
    section = watch_section(status, Interval.undefined("the inputs are in the store"))
    models = pd.DataFrame(index=pd.Index(list(names_of_status(status).values()), name="model"))
    instances = pd.DataFrame(index=pd.RangeIndex(max(1, int(status.get("answers") or 0)), name="instance"))
    result = audit_predictions(_unlabelled(models, instances), source=source)
    counts = {"bundle": status.get("version", ""), "labelled": status.get("labelled_total", 0)}
    return _led(result, section, status, counts, False)


def _led(result: Audit, section: Section, status: Mapping[str, Any], facts: Mapping[str, Any], labelled: bool) -> Audit:
    """The audit with the watch in front; without labels only with the watch."""
    raised = [str(alarm["name"]) for alarm in status["alarms"] if alarm.get("up")]
    findings = watch_findings(status, section)
    return replace(
        result,
        sections=(section, *(result.sections if labelled else ())),
        findings=(*findings, *(result.findings if labelled else ())),
        facts={**result.facts, **facts, "answers": [section.name], "alarms_up": raised},
    )


def live_domain_auc(tracker: LiveWatch) -> Interval:
    """How well recent inputs can be told from those at certification."""
    profile = tracker.reference.get("profile") or {}
    if not profile.get("rows"):
        return Interval.undefined("the inputs are not profiled")
    rows = pd.DataFrame(profile["rows"]).to_numpy(dtype=float)
    return domain_auc(tracker.window.rows.column("profile", RECENT), rows, profile.get("categories") or ())


def labelled_predictions(tracker: LiveWatch) -> Predictions | None:
    """The members' answers to the remembered instances that have a label; None with too few of them."""
    rows, manifest = tracker.window.rows, tracker.manifest
    label = rows.column("label")
    labelled = ~np.isnan(label)
    regression = manifest.task == "regression"
    if labelled.sum() < FEWEST_LABELLED or len(manifest.members) < 2 - regression:
        return None
    tables = {"models": _models(manifest), "instances": _instances(tracker)[labelled]}
    if regression:
        values = rows.column("member_values")[labelled].T
        tolerance = None if math.isnan(tracker.tolerance) else tracker.tolerance
        return Predictions(**tables, values=values, targets=label[labelled], tolerance=tolerance)
    codes: Float[np.ndarray, " k"] = label[labelled]
    foreign = bool((codes == FOREIGN_LABEL).any())
    codes = np.where(codes == FOREIGN_LABEL, len(manifest.classes), codes).astype(np.int64)
    answers = rows.column("member_answers")[labelled].T.astype(np.int64)
    classes = (*manifest.classes, FOREIGN_CLASS) if foreign else manifest.classes
    return Predictions(**tables, answers=answers, labels=codes, classes=classes)


def _unlabelled(models: pd.DataFrame, instances: pd.DataFrame) -> Predictions:
    """A table of which no outcome is known: its numbers are undefined, and say so."""
    if len(models) < 2:
        raise InputError(f"a portfolio of {len(models)} members", "two or more")
    return Predictions(models, instances, correct=np.full((len(models), len(instances)), MISSING, np.int8))


def _models(manifest: Manifest) -> pd.DataFrame:
    """Members with the simple values of their recipes."""
    attributes = [{k: v for k, v in m.recipe.items() if isinstance(v, (str, int, float))} for m in manifest.members]
    return pd.DataFrame(attributes, index=pd.Index(list(names_of_manifest(manifest).values()), name="model"))


def _instances(tracker: LiveWatch) -> pd.DataFrame:
    """Remembered answers with their groups, numbered."""
    rows = tracker.window.rows
    first = rows.total - len(rows)
    codes = rows.column("groups")
    columns = {
        name: np.array([*levels, ""], dtype=object)[codes[:, place]]
        for place, (name, levels) in enumerate(tracker.window.group_columns.items())
    }
    ids = tracker.window.ids(range(first, rows.total))
    unique = len(set(ids)) == len(ids)
    index = ids if unique else [f"{name}#{first + k}" for k, name in enumerate(ids)]
    return pd.DataFrame(columns, index=pd.Index(index, name="instance"))
