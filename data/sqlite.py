"""One SQLite file that several threads and processes of a host write to.

Reads    a path, and the steps that bring the file from each format to the next.
Returns  `Store`, for others to build upon: private to the account that runs the server, never lost to a
         race at its creation, never mistaken for another program's file.

Writes are ``BEGIN IMMEDIATE`` under write-ahead logging with synchronous FULL: what was confirmed has
reached the disk. One connection per process, guarded by a lock; several processes wait for each other for
up to ten seconds.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Final

import polars as pl

from data.problems import Problem

PATIENCE: Final = timedelta(seconds=10)
"""How long to wait for another process."""

Columns = Mapping[str, pl.DataType | type[pl.DataType]]
"""Columns of a table, as polars reads them."""


class Store(ABC):
    """A file of tables, opened again if another one takes its place.

    Parameters
    ----------
    path
        The file; its folder is created (readable by its owner only) where missing.

    Raises
    ------
    Problem
        The file cannot be opened, is another program's, or a newer release wrote it.
    """

    STEPS: ClassVar[tuple[str, ...]]
    """Scripts; the first makes format 1 of nothing, each further one the next format of the one before."""
    HOLDS: ClassVar[Mapping[str, Collection[str]]]
    """Table → columns a file of this kind has."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._file: tuple[int, int] | None = None
        self._open()

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    @abstractmethod
    def _unusable(self, reason: str) -> Problem:
        """What to say of a file that cannot be used."""

    @abstractmethod
    def _newer(self) -> Problem:
        """What to say of a file that a newer release wrote."""

    def _open(self) -> None:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Born private: the sidecar files of SQLite inherit the mode of the main one.
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            self._connection = _connect(self.path)
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(str(error)) from error
        # Closes the file with the last reference, also where a caller forgets to.
        weakref.finalize(self, self._connection.close)
        self._file = _identity(self.path)
        try:
            self._create()
        except BaseException as error:
            # Not to be used for what it might be: the next call opens it anew, or is refused again.
            self._file = None
            self._connection.close()
            if isinstance(error, OSError | sqlite3.Error):
                raise self._unusable(str(error)) from error
            raise

    def _still_there(self) -> None:
        # What is written into a file that was removed is lost, and SQLite does not notice.
        if self._file is None or (not self._connection.in_transaction and _identity(self.path) != self._file):
            self._file = None
            self._connection.close()
            self._open()

    def _create(self) -> None:
        with self._write() as write:
            (found,) = write.execute("PRAGMA user_version").fetchone()
            if found > len(self.STEPS):
                raise self._newer()
            for script in self.STEPS[found:]:
                # executescript would commit the open transaction first.
                for statement in _statements(script):
                    write.execute(statement)
            if found < len(self.STEPS):
                write.execute(f"PRAGMA user_version = {len(self.STEPS)}")
            for table, columns in self.HOLDS.items():
                there = {name for _, name, *_ in write.execute(f"PRAGMA table_info({table})")}
                if not there >= set(columns):
                    raise sqlite3.DatabaseError(f"it holds a table {table} of another kind, or none")

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._still_there()
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _rows(self, query: str, values: tuple[object, ...] | Mapping[str, object]) -> list[tuple[Any, ...]]:
        with self._lock:
            self._still_there()
            return self._connection.execute(query, values).fetchall()

    def _frame(self, query: str, values: tuple[object, ...], schema: Columns) -> pl.DataFrame:
        stored = {name: pl.String if kind == pl.String else pl.Int64 for name, kind in schema.items()}
        frame = pl.DataFrame(self._rows(query, values), schema=stored, orient="row")
        return frame.cast({name: kind for name, kind in schema.items() if kind != stored[name]})


def ms(moment: datetime) -> int:
    """A moment as milliseconds since 1970, UTC."""
    return round(moment.timestamp() * 1000)


def span_ms(span: timedelta) -> int:
    """A span as milliseconds."""
    return round(span.total_seconds() * 1000)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=PATIENCE.total_seconds(), isolation_level=None, check_same_thread=False
    )
    # Two processes that turn the log on at the same moment do not wait for each other by themselves.
    until = time.monotonic() + PATIENCE.total_seconds()
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                connection.close()
                raise
            time.sleep(0.1)
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file stands there, whatever its name; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
