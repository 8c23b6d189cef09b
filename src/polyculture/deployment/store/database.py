"""How is the database of a store reached? By its URL; a file that was moved away or replaced is noticed."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

from polyculture.errors import FileError, InputError, need

from . import schema

BUSY_S = 5.0
"""How long a process waits for another one that writes into the same SQLite file."""
_STATEMENT_MS = 30_000
_LOCK = 7_308_601
"""Key of the advisory lock under which the tables are made in PostgreSQL."""
FORK_CURE = "open a store, and start its writer, in each process"
_EXPECTED = "a file, sqlite:///answers.sqlite or postgresql://user@host/database"


def parse_url(text: str) -> URL:
    """The URL of a store; a path is a SQLite file. Raises InputError for anything else."""
    if "://" not in text:
        if not text.strip():
            raise InputError("the store has no name", _EXPECTED)
        return URL.create("sqlite", database=str(Path(text)))
    try:
        url = make_url(text)
        kind = url.get_backend_name()
    except (sa.exc.ArgumentError, ValueError):
        raise InputError(f"the store is {_without_password(text)!r}", _EXPECTED) from None
    if kind in ("postgres", "postgresql"):
        need("psycopg", extra="postgres")
        return url.set(drivername="postgresql+psycopg")
    if kind != "sqlite":
        raise InputError(f"the store is {_without_password(text)!r}", _EXPECTED)
    if url.database in (None, "", ":memory:") or url.query:
        raise InputError(f"the store is {text!r}, which is not a file", _EXPECTED)
    return url.set(drivername="sqlite")


def _without_password(text: str) -> str:
    """A URL that cannot be parsed, without what may be a password in it."""
    scheme, _, remainder = text.partition("://")
    return f"{scheme}://{'…@' if '@' in remainder else ''}{remainder.rpartition('@')[2]}"


class Database:
    """One database: its engine, and for a file which file it was that was opened.

    Parameters
    ----------
    url : of the store, as `parse_url` gives it.
    """

    def __init__(self, url: URL) -> None:
        self.url = url
        self.file = Path(url.database or "") if url.get_backend_name() == "sqlite" else None
        self.name = str(self.file or url.set(drivername="postgresql").render_as_string(hide_password=True))
        self.engine = self._engine()
        self._ready = False
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._identity: tuple[int, int] | None = None

    def _engine(self) -> sa.Engine:
        if self.file is None:
            options = f"-c statement_timeout={_STATEMENT_MS} -c lock_timeout={_STATEMENT_MS}"
            own = self.url.query.get("options")
            arguments: dict[str, Any] = {"connect_timeout": 5, "application_name": "polyculture", "keepalives_idle": 30}
            arguments = {key: value for key, value in arguments.items() if key not in self.url.query}
            arguments["options"] = f"{options} {own}" if isinstance(own, str) else options
            return sa.create_engine(self.url, pool_size=2, pool_pre_ping=True, connect_args=arguments)
        engine = sa.create_engine(self.url, connect_args={"timeout": BUSY_S, "check_same_thread": False})
        sa.event.listen(engine, "connect", _set_pragmas)
        return engine

    def prepare(self, create: bool = True) -> None:
        """Make the tables where there are none, and check the schema; does nothing when that was done before.

        Raises FileError where the database cannot be reached, or has another schema.
        """
        if self._process != os.getpid():  # two processes would use one connection
            raise FileError(f"the store {self.name} was opened before this process was forked", "", FORK_CURE)
        with self._lock:
            if not (self._ready and self.is_same()):
                self._open(create)

    def _open(self, create: bool) -> None:
        if self.file:
            self.engine.dispose()
        if self.file and not create and not self.file.is_file():
            raise FileError(f"there is no store {self.name}", "the store that a server writes", "check the path")
        deadline = time.monotonic() + BUSY_S
        while True:
            try:
                self._prepare(create)
                break
            except (sa.exc.DBAPIError, sqlite3.Error) as error:
                if not self.file or "locked" not in str(error) or time.monotonic() > deadline:
                    raise FileError(
                        f"the store {self.name} cannot be used: {reason(error)}",
                        "",
                        "check that it is there and may be written",
                    ) from None
                time.sleep(0.05)  # several processes may open a new file at once
        self._identity = self._stat()
        self._ready = True

    def _prepare(self, create: bool) -> None:
        with self.engine.connect() as connection:
            if self.file:
                connection.exec_driver_sql("BEGIN IMMEDIATE" if create else "BEGIN")
            elif create:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            tables = set(sa.inspect(connection).get_table_names())
            if schema.SCHEMAS.name not in tables:
                if foreign := tables & set(schema.TABLES.tables):
                    raise InputError(
                        f"the database {self.name} has a table {min(foreign)!r} that is of no store",
                        "an empty database, or one of polyculture",
                        "name another one",
                    )
                if not create:
                    raise InputError(
                        f"the database {self.name} is no store", "the store that a server writes", "check its name"
                    )
                schema.TABLES.create_all(connection)
                connection.execute(schema.SCHEMAS.insert().values(schema=schema.SCHEMA))
            found_schema = connection.execute(sa.select(schema.SCHEMAS.c.schema)).scalar_one_or_none()
            connection.commit()
        if found_schema != schema.SCHEMA:
            raise InputError(
                f"the store {self.name} has schema {found_schema}",
                f"schema {schema.SCHEMA}",
                "install the version of polyculture that wrote it, or name another store",
            )

    def is_same(self) -> bool:
        """Whether the file that was opened is still the one at its path; true for a server."""
        return self.file is None or (self._identity is not None and self._identity == self._stat())

    def _stat(self) -> tuple[int, int] | None:
        try:
            status = (self.file or Path()).stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def forget(self) -> None:
        """Look again at the next use whether the tables are there."""
        self._ready = False

    def dispose(self) -> None:
        """Close the connections; the next use opens them again."""
        self._ready = False
        self.engine.dispose()


def _set_pragmas(connection: Any, _record: Any) -> None:
    """WAL: readers do not wait for the writer, nor does it wait for them; a crash of the process loses no commit."""
    cursor = connection.cursor()
    for pragma in ("auto_vacuum=INCREMENTAL", "journal_mode=WAL", "synchronous=NORMAL", "temp_store=MEMORY"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def reason(error: BaseException) -> str:
    """What the database said, in one line."""
    text = str(getattr(error, "orig", None) or error)
    return " ".join(text.split())[:300] or type(error).__name__
