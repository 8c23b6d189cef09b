"""Which tables has a store? Those of schema 1, made when it is opened for the first time.

An answer is known by its writer (a number drawn when a process opens its writer) and its number there, so that a batch
that is written a second time, after an answer of the database was lost, changes nothing, and a reader misses none that
another process commits late.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

SCHEMA = 1
"""Raised when a column changes its meaning."""

_LONG = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
TABLES = sa.MetaData()

SCHEMAS = sa.Table("polyculture_store", TABLES, sa.Column("schema", sa.Integer, nullable=False))
"""One row: the schema of the store."""

VERSIONS = sa.Table(
    "versions",
    TABLES,
    sa.Column("version", sa.Text, primary_key=True),
    sa.Column("task", sa.Text, nullable=False),
    sa.Column("classes", sa.Text, nullable=False),
    sa.Column("members", sa.Text, nullable=False),
    sa.Column("time", sa.Double, nullable=False),
)
"""What the codes of a bundle's answers stand for: lists of class names and ids of members, as JSON."""

WRITERS = sa.Table(
    "writers",
    TABLES,
    sa.Column("writer", _LONG, primary_key=True, autoincrement=False),
    sa.Column("last", _LONG, nullable=False),
    sa.Column("time", sa.Double, nullable=False),
    sa.Column("dropped", _LONG, nullable=False),
)
"""Number of the last answer of each writer, when it was written, and how many answers the writer had to drop."""

ANSWERS = sa.Table(
    "answers",
    TABLES,
    sa.Column("writer", _LONG, primary_key=True, autoincrement=False),
    sa.Column("number", _LONG, primary_key=True, autoincrement=False),
    sa.Column("id", sa.Text, nullable=False, index=True),
    sa.Column("time", sa.Double, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("answer", sa.Integer, nullable=False),
    sa.Column("confidence", sa.Double),
    sa.Column("value", sa.Double),
    sa.Column("member_answers", sa.LargeBinary),
    sa.Column("member_values", sa.LargeBinary),
    sa.Column("disagreement", sa.Double),
    sa.Column("quorum", sa.Integer, nullable=False),
    sa.Column("latency_ms", sa.Double),
    sa.Column("groups", sa.Text),
    sa.Column("profile", sa.LargeBinary),
    sa.Column("inputs", sa.Text),
    sa.Column("shadow", sa.Integer, nullable=False),
    sa.Index("answers_in_time", "time", "writer", "number"),
    sqlite_with_rowid=False,
)
"""`AnswerRecord`: member_answers as int32, member_values and profile as float64, both little-endian; groups as JSON."""

LABELS = sa.Table(
    "labels",
    TABLES,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("time", sa.Double, nullable=False),
    sa.Column("received", sa.Double, nullable=False, index=True),
    sqlite_with_rowid=False,
)
"""The latest label of each id, as text: when it was given, and when it came here."""

EARLIER_LABELS = sa.Table(
    "earlier_labels",
    TABLES,
    sa.Column("id", sa.Text, nullable=False, index=True),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("time", sa.Double, nullable=False),
    sa.Column("received", sa.Double, nullable=False),
)
"""Labels that a later one replaced."""

EVENTS = sa.Table(
    "events",
    TABLES,
    sa.Column("key", _LONG, primary_key=True, autoincrement=True),
    sa.Column("time", sa.Double, nullable=False, index=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("details", sa.Text, nullable=False),
)


def insertion(connection: sa.Connection, columns: Sequence[str]) -> str:
    """The statement that adds answers whose writer and number are new, for rows with these columns."""
    place = "?" if connection.dialect.name == "sqlite" else "%s"
    names = ", ".join(f'"{name}"' for name in columns)
    return f"INSERT INTO answers ({names}) VALUES ({', '.join([place] * len(columns))}) ON CONFLICT DO NOTHING"


def upsert(connection: sa.Connection, table: sa.Table, key: str) -> Any:
    """An INSERT that replaces the row that has the same key."""
    statement: Any = sqlite.insert(table)
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        statement = postgresql.insert(table)
    changes = {column.name: statement.excluded[column.name] for column in table.columns if column.name != key}
    return statement.on_conflict_do_update(index_elements=[key], set_=changes)
