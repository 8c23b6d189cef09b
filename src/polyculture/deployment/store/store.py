"""Where do answers wait for their labels? In a database that any number of processes write, and that a watch reads."""

from __future__ import annotations

import json
import math
import secrets
import threading
import time as clock
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from polyculture.errors import FileError, InputError

from .columns import COLUMNS, WRITTEN, StoredAnswers, VersionNames, json_text, pieces, row_of, storable
from .database import Database, parse_url, reason
from .labels import LabelReport, label_texts, sort_labels
from .records import AnswerRecord, EventRecord
from .retention import DELETED, KEY, delete_oldest, delete_orphans
from .schema import ANSWERS, EARLIER_LABELS, EVENTS, LABELS, VERSIONS, WRITERS, insertion, upsert

DEFAULT_URL = "sqlite:///polyculture-answers.sqlite"
CHUNK = 50_000
"""Answers that are read at a time."""
_LABEL_CHUNK = 5_000
_DAY = 86_400.0


def open_store(url: str | Path = DEFAULT_URL, *, create: bool = True) -> Store:
    """Open a store, and make it where there is none.

    Parameters
    ----------
    url : a file, ``sqlite:///answers.sqlite``, or ``postgresql://user:password@host/database``.
    create : whether a store that is not there is made; without, it is an error.

    Raises InputError for other URLs, for a database that is something else and for a store of another schema; FileError
    where the database cannot be reached.

    Examples
    --------
    >>> import tempfile
    >>> from polyculture.deployment.store import AnswerRecord, open_store
    >>> store = open_store(tempfile.mkdtemp() + "/answers.sqlite")
    >>> store.append([AnswerRecord("a", 0.0, "1", answer=1)])
    >>> [len(answers) for answers in store.since(0.0)]
    [1]
    >>> store.close()
    """
    store = Store(url)
    try:
        store.database.prepare(create)
    except BaseException:
        store.close()
        raise
    return store


@dataclass(frozen=True)
class StoreCounts:
    """How much a store holds.

    Parameters
    ----------
    answers, labels : numbers of rows.
    pending : labels whose id has no answer.
    dropped : answers that writers had to drop because the store was away too long.
    """

    answers: int
    labels: int
    pending: int
    dropped: int


class Store:
    """A database of answers, labels and events; safe with several threads and several processes.

    It connects at the first use, so that a server can start while its database is away; `open_store` connects at once.
    A process that is forked opens a store of its own.

    Parameters
    ----------
    url : as of `open_store`.
    """

    def __init__(self, url: str | Path = DEFAULT_URL) -> None:
        self.database = Database(parse_url(str(url)))
        self.name = self.database.name
        self._writer, self._number = secrets.randbits(62), 0
        self._lock = threading.Lock()

    @contextmanager
    def _connection(self, write: bool = False) -> Iterator[sa.Connection]:
        """One transaction. What the database cannot do becomes a FileError with its words."""
        self.database.prepare()
        try:
            with self.database.engine.connect() as connection:
                if write and self.database.file:
                    connection.exec_driver_sql("BEGIN IMMEDIATE")  # waits for other writers now, not in the middle
                yield connection
                connection.commit()
        except sa.exc.SQLAlchemyError as error:
            raise FileError(f"the store {self.name} cannot be used: {reason(error)}") from error

    # Writing

    def append(self, records: Sequence[AnswerRecord]) -> None:
        """Write answers in one transaction; a server uses a `Writer`."""
        with self._lock:  # rows of one writer are committed in their order
            first = self._number + 1
            rows = [row_of(self._writer, number, record) for number, record in enumerate(records, first)]
            self.write(rows)
            self._number += len(rows)

    def write(self, rows: Sequence[tuple[Any, ...]], dropped: int = 0) -> None:
        """Write rows of one writer in one transaction; those that are there already are left as they are.

        Parameters
        ----------
        rows : of `row_of`, numbered in the order of the writer.
        dropped : how many answers the writer had to drop so far.

        Raises FileError where the database cannot do it, or where its file was removed in the meantime.
        """
        if not rows:
            return
        last = {"writer": rows[-1][0], "last": rows[-1][1], "time": clock.time(), "dropped": dropped}
        with self._connection(write=True) as connection:
            connection.exec_driver_sql(insertion(connection, WRITTEN), list(rows))
            connection.execute(upsert(connection, WRITERS, "writer"), last)
        if not self.database.is_same():
            raise FileError(f"the store {self.name} was removed or replaced")

    def register(self, names: VersionNames) -> None:
        """Tell what the codes of a bundle's answers stand for; to be called before its first answer."""
        row = {
            "version": storable(names.version),
            "task": names.task,
            "classes": json.dumps([storable(name) for name in names.classes]),
            "members": json.dumps([storable(member) for member in names.members]),
            "time": clock.time(),
        }
        with self._connection(write=True) as connection:
            connection.execute(upsert(connection, VERSIONS, "version"), row)

    def append_events(self, events: Sequence[EventRecord]) -> None:
        """Write events."""
        rows = [
            {"time": e.time, "kind": storable(e.kind), "name": storable(e.name), "details": json_text(dict(e.details))}
            for e in events
        ]
        if rows:
            with self._connection(write=True) as connection:
                connection.execute(EVENTS.insert(), rows)

    def label(
        self,
        ids: Collection[Any],
        labels: Collection[Any],
        times: Collection[float | int] | None = None,
        names: VersionNames | None = None,
    ) -> LabelReport:
        """Write true labels; the answers they belong to may have come before or may come later.

        Parameters
        ----------
        ids : of the answers.
        labels : names of classes; in regression numbers.
        times : when each was given, in seconds since 1970 (default: now). Of two labels of an id the later one counts;
            the other one is kept in the table earlier_labels.
        names : of the bundle (default: of all bundles that answered).

        Raises InputError where a label is no class, before anything is written.
        """
        if len(ids) != len(labels) or (times is not None and len(times) != len(ids)):
            raise InputError(f"there are {len(ids)} ids and {len(labels)} labels", "a label, and a time, for each id")
        task, classes = self._known_classes(names)
        texts = [storable(text) for text in label_texts(list(labels), task, classes)]
        now = clock.time()
        moments = [now] * len(texts) if times is None else [float(moment) for moment in times]
        if not all(map(math.isfinite, moments)):
            raise InputError("a time of a label is not finite", "seconds since 1970")
        keys = [storable(str(key.item() if hasattr(key, "item") else key)) for key in ids]
        rows = [
            {"id": key, "label": text, "time": moment, "received": now}
            for key, text, moment in zip(keys, texts, moments, strict=True)
        ]
        report = LabelReport()
        for start in range(0, len(rows), _LABEL_CHUNK):
            report += self._label(rows[start : start + _LABEL_CHUNK])
        return report

    def _label(self, rows: list[dict[str, Any]]) -> LabelReport:
        with self._connection(write=True) as connection:
            ids = sorted({row["id"] for row in rows})  # in one order for all, so that no two wait for each other
            query = sa.select(LABELS).where(LABELS.c.id.in_(ids)).order_by(LABELS.c.id)
            if not self.database.file:
                query = query.with_for_update()
            current = {row["id"]: {**row} for row in connection.execute(query).mappings()}
            answered = set(
                connection.execute(sa.select(ANSWERS.c.id).distinct().where(ANSWERS.c.id.in_(ids))).scalars()
            )
            latest, replaced, report = sort_labels(rows, current, answered)
            if latest:
                connection.execute(upsert(connection, LABELS, "id"), [latest[key] for key in sorted(latest)])
            if replaced:
                connection.execute(EARLIER_LABELS.insert(), replaced)
        return report

    def _known_classes(self, names: VersionNames | None) -> tuple[str, tuple[str, ...]]:
        """Task and classes that labels are held to."""
        bundles = [names] if names else list(self.versions().values())
        if not bundles:
            raise InputError(
                f"the store {self.name} has no answers yet, so the classes are not known",
                "labels of a bundle that was served",
                "name the bundle (--bundle), or serve it first",
            )
        classes = dict.fromkeys(name for bundle in bundles for name in bundle.classes)
        return bundles[-1].task, tuple(classes)

    # Reading

    def versions(self) -> dict[str, VersionNames]:
        """What the codes of each bundle's answers stand for, in the order in which the bundles were served."""
        with self._connection() as connection:
            rows = connection.execute(sa.select(VERSIONS).order_by(VERSIONS.c.time)).all()
        return {
            row.version: VersionNames(
                row.version, row.task, tuple(json.loads(row.classes)), tuple(json.loads(row.members))
            )
            for row in rows
        }

    def since(
        self, time: float | int = -math.inf, *, until: float | int = math.inf, chunk: int = CHUNK, inputs: bool = False
    ) -> Iterator[StoredAnswers]:
        """Answers from one time to before another, in the order of time, with the labels that there are.

        Memory is bounded by the chunk; a chunk is given in one piece for each bundle (and form) of its answers.
        """
        if math.isnan(time) or math.isnan(until):
            raise InputError(f"answers from {time} until {until}", "seconds since 1970")
        position: tuple[float, int, int] = (time, -1, -1)
        while True:
            key = sa.tuple_(*KEY)
            rows = self._rows([key > sa.tuple_(*position), ANSWERS.c.time < until], KEY, chunk, inputs)
            yield from pieces(rows, self.versions())
            if len(rows) < chunk:
                return
            position = (rows[-1][3], rows[-1][0], rows[-1][1])

    def following(
        self,
        position: dict[int, int],
        *,
        chunk: int = CHUNK,
        inputs: bool = False,
        writers: Collection[int] | None = None,
    ) -> Iterator[StoredAnswers]:
        """Answers that were written since the last call, in the order of each writer; none is missed, none comes twice.

        `position` is the number of the last answer that was read of each writer: {} for all answers, or
        `store.position()` for those that are yet to come; it is moved on after each chunk. `writers` are those whose
        answers are read, by their `Writer.identity` (default: all).
        """
        for writer, last in self.position().items():
            while (writers is None or writer in writers) and position.get(writer, 0) < last:
                of_writer = [ANSWERS.c.writer == writer, ANSWERS.c.number > position.get(writer, 0)]
                rows = self._rows(of_writer, KEY[1:], chunk, inputs)
                yield from pieces(rows, self.versions())
                position[writer] = rows[-1][1] if len(rows) == chunk else max(last, rows[-1][1] if rows else 0)

    def find(self, ids: Collection[str], *, inputs: bool = False) -> Iterator[StoredAnswers]:
        """The answers with these ids."""
        texts = [storable(str(key)) for key in ids]
        for start in range(0, len(texts), _LABEL_CHUNK):
            part = texts[start : start + _LABEL_CHUNK]
            yield from pieces(self._rows([ANSWERS.c.id.in_(part)], KEY, None, inputs), self.versions())

    def labelled_since(self, received: float | int, *, chunk: int = CHUNK) -> Iterator[StoredAnswers]:
        """Answers whose label came at this time (seconds since 1970) or later, in the order of the answers' time."""
        position: tuple[float, int, int] = (-math.inf, -1, -1)
        while True:
            late = [sa.tuple_(*KEY) > sa.tuple_(*position), LABELS.c.received >= received]
            rows = self._rows(late, KEY, chunk, inputs=False)
            yield from pieces(rows, self.versions())
            if len(rows) < chunk:
                return
            position = (rows[-1][3], rows[-1][0], rows[-1][1])

    def position(self) -> dict[int, int]:
        """By writer the number of its last answer."""
        with self._connection() as connection:
            return {row.writer: row.last for row in connection.execute(sa.select(WRITERS.c.writer, WRITERS.c.last))}

    def _rows(self, conditions: list[Any], order: Sequence[Any], limit: int | None, inputs: bool) -> list[Any]:
        columns = [ANSWERS.c[name] for name in COLUMNS] + [LABELS.c.label, LABELS.c.time.label("label_time")]
        columns += [ANSWERS.c.inputs] if inputs else []
        table = ANSWERS.outerjoin(LABELS, ANSWERS.c.id == LABELS.c.id)
        query = sa.select(*columns).select_from(table).where(*conditions).order_by(*order).limit(limit)
        with self._connection() as connection:
            cursor = connection.execute(query).cursor  # of the driver: half the time of SQLAlchemy's rows
            return [] if cursor is None else list(cursor.fetchall())

    def events(self, since: float | int = -math.inf) -> list[EventRecord]:
        """Events from this time on, in their order."""
        query = sa.select(EVENTS).where(EVENTS.c.time >= since).order_by(EVENTS.c.time, EVENTS.c.key)
        with self._connection() as connection:
            rows = connection.execute(query).all()
        return [EventRecord(row.time, row.kind, row.name, json.loads(row.details)) for row in rows]

    def counts(self) -> StoreCounts:
        """How much the store holds."""
        pending = ~sa.exists().where(ANSWERS.c.id == LABELS.c.id)
        count = sa.func.count()
        with self._connection() as connection:
            return StoreCounts(
                answers=connection.execute(sa.select(count).select_from(ANSWERS)).scalar_one(),
                labels=connection.execute(sa.select(count).select_from(LABELS)).scalar_one(),
                pending=connection.execute(sa.select(count).select_from(LABELS).where(pending)).scalar_one(),
                dropped=int(
                    connection.execute(sa.select(sa.func.coalesce(sa.func.sum(WRITERS.c.dropped), 0))).scalar_one()
                ),
            )

    def retain(
        self,
        days: float | int | None = None,
        rows: int | None = None,
        *,
        limit: int | None = None,
        now: float | int | None = None,
    ) -> int:
        """Delete old answers, in small transactions; gives how many.

        Parameters
        ----------
        days : answers that are older are deleted, with their labels, and labels and events that are older.
        rows : number of answers to retain; the oldest ones beyond it are deleted.
        limit : number of answers to delete at most in this call.
        now : seconds since 1970 (default: the clock's).
        """
        for name, value in (("days", days), ("rows", rows)):
            if value is not None and not value >= 0:
                raise InputError(f"{name} to retain is {value}", "a number that is not negative")
        deletable = math.inf if limit is None else limit
        deleted = 0
        if days is not None:
            oldest = (clock.time() if now is None else now) - days * _DAY
            deleted += self._delete(ANSWERS.c.time < oldest, deletable)
            if deleted < deletable:
                with self._connection(write=True) as connection:
                    delete_orphans(connection, oldest)
        if rows is not None:
            deleted += self._delete(sa.true(), min(deletable - deleted, self.counts().answers - rows))
        return deleted

    def _delete(self, condition: Any, limit: float | int) -> int:
        """Delete the oldest answers for which this holds; so many at most."""
        deleted = 0
        while deleted < limit:
            with self._connection(write=True) as connection:
                count = delete_oldest(connection, condition, int(min(DELETED, limit - deleted)))
            deleted += count
            if not count:
                break
        return deleted

    def close(self) -> None:
        """Close the connections."""
        self.database.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
