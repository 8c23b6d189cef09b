"""How do old answers leave a store? In small transactions, so that nobody waits long for one of them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from .schema import ANSWERS, EARLIER_LABELS, EVENTS, LABELS

DELETED = 2_000
"""Answers that are deleted in one transaction."""
KEY = (ANSWERS.c.time, ANSWERS.c.writer, ANSWERS.c.number)
"""Order of answers in time."""
_PAGES = 1_000
"""Free pages that SQLite gives back to the disk at a time."""


def delete_oldest(connection: sa.Connection, condition: Any, limit: int) -> int:
    """Delete the oldest answers for which this holds, and the labels of ids without another; gives how many."""
    oldest = sa.select(ANSWERS.c.writer, ANSWERS.c.number, ANSWERS.c.id).where(condition).order_by(*KEY).limit(limit)
    rows = connection.execute(oldest).all()
    if not rows:
        return 0
    keys = [(row.writer, row.number) for row in rows]
    connection.execute(ANSWERS.delete().where(sa.tuple_(ANSWERS.c.writer, ANSWERS.c.number).in_(keys)))
    ids = list({row.id for row in rows})
    for table in (LABELS, EARLIER_LABELS):
        connection.execute(table.delete().where(table.c.id.in_(ids), has_no_answer(table)))
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA incremental_vacuum({_PAGES})")
    return len(rows)


def delete_orphans(connection: sa.Connection, oldest: float) -> None:
    """Delete labels that no answer came for, and events, before this time."""
    for table in (LABELS, EARLIER_LABELS):
        connection.execute(table.delete().where(table.c.received < oldest, has_no_answer(table)))
    connection.execute(EVENTS.delete().where(EVENTS.c.time < oldest))


def has_no_answer(table: sa.Table) -> Any:
    """The condition that no answer has the id of a label."""
    return ~sa.exists().where(ANSWERS.c.id == table.c.id)
