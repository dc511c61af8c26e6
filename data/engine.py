"""The engine that scans large tables: what a read is written against.

A read is a function from tables to one narwhals lazy frame. It is written once, runs inside the engine
that holds the data, and brings back a small polars frame. `DuckDBEngine` is the embedded engine;
`PolarsEngine` holds frames in memory, for tests and for what a person computes without a warehouse.
A distributed engine only has to offer the same `query`.

The portable subset: what every engine answers alike, and how to write what they do not

- ``select``, ``with_columns``, ``filter``, ``rename``, ``drop``, ``unique()`` without ``keep="first"``, and
  ``group_by(...).agg(...)`` with ``sum``, ``mean``, ``min``, ``max``, ``std``, ``len``, ``n_unique``.
- Cast to ``Float64`` before a mean or a division.
- Counting a condition is ``nw.when(condition).then(1).otherwise(0).sum()``: neither ``expr.filter`` inside
  an aggregation nor a sum of booleans.
- ``round(9)`` before ``rank``, ``over`` or a comparison of floats: engines sum in different orders.
- ``join`` with ``how="left"``, ``"inner"``, ``"semi"``, ``"anti"`` on plain columns. The row in force on
  a date: join, keep ``valid_from <= date``, and keep the one whose date is the ``max`` ``over`` its key.
- Text results, not enums: enum columns come back as String. Validate against the contract to restore
  the order of a scale. Treat NaN and null alike after collecting.
- Not portable: ``join_asof``, ``top_k`` and ``unpivot`` (in the embedded engine they leave the connection),
  ``pivot``, ``mode``, ``map_batches``, ``implode``, ``replace_strict`` without a default.
- No engine keeps an order of rows: sort what comes back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from typing import Any, Protocol

import duckdb
import narwhals as nw
import polars as pl

Tables = Callable[[str], "nw.LazyFrame[Any]"]
"""Gives a table of the warehouse by name, as a lazy frame."""

Read = Callable[[Tables], "nw.LazyFrame[Any]"]
"""What is asked of an engine."""

LOCKED_DOWN = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "lock_configuration": "true",
}
"""Settings under which SQL reaches neither other files nor the network, and cannot change that."""


class Engine(Protocol):
    """Something that holds one version of the warehouse and answers reads about it."""

    @property
    def version(self) -> str:
        """Which version of the data answers: part of the key of everything cached."""

    def query(self, read: Read) -> pl.DataFrame:
        """The rows a read describes, in no particular order.

        Parameters
        ----------
        read
            Function from tables to one lazy frame, within the portable subset.

        Raises
        ------
        KeyError
            If the read names a table that is not there.
        """


class DuckDBEngine:
    """One immutable version in a DuckDB file, opened read-only and locked down.

    Any number of threads may query at the same time: each query has a cursor of its own.

    Parameters
    ----------
    path
        The file. Nothing in this process may open it other than through DuckDB.
    version
        Name of the version.
    """

    def __init__(self, path: Path, *, version: str) -> None:
        self._version = version
        self._connection = duckdb.connect(str(path), read_only=True, config=dict(LOCKED_DOWN))
        self._opening = threading.Lock()
        self._tables = frozenset(
            name for (name,) in self._connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        )

    @property
    def version(self) -> str:
        """Name of the version."""
        return self._version

    def holds(self, tables: Set[str]) -> bool:
        """Whether all these tables are there."""
        return tables <= self._tables

    def reads(self, tables: Set[str]) -> bool:
        """Whether every block of these tables can be read; as slow as reading them all."""
        with self._opening:
            cursor = self._connection.cursor()
        try:
            for table in sorted(tables):
                cursor.execute(f'SELECT bit_xor(hash(t)) FROM "{table}" t').fetchall()
        except duckdb.Error:
            return False
        finally:
            cursor.close()
        return True

    def query(self, read: Read) -> pl.DataFrame:
        """The rows a read describes; see `Engine.query`."""
        with self._opening:
            cursor = self._connection.cursor()
        try:

            def tables(name: str) -> nw.LazyFrame[Any]:
                _check_there(name, self._tables)
                return nw.from_native(cursor.table(name))

            return read(tables).collect(backend="polars").to_native()  # type: ignore[no-any-return]
        finally:
            cursor.close()


class PolarsEngine:
    """Frames in memory.

    Parameters
    ----------
    frames
        Table name → rows.
    version
        Name of the version.
    """

    def __init__(self, frames: Mapping[str, pl.DataFrame], *, version: str = "memory") -> None:
        # Enums become text, as they do in every other engine.
        self._frames = {
            name: frame.with_columns(pl.col(pl.Enum, pl.Categorical).cast(pl.String))
            for name, frame in frames.items()
        }
        self._version = version

    @property
    def version(self) -> str:
        """Name of the version."""
        return self._version

    def query(self, read: Read) -> pl.DataFrame:
        """The rows a read describes; see `Engine.query`."""

        def tables(name: str) -> nw.LazyFrame[Any]:
            _check_there(name, self._frames.keys())
            return nw.from_native(self._frames[name].lazy())

        return read(tables).collect(backend="polars").to_native()  # type: ignore[no-any-return]


def _check_there(name: str, names: frozenset[str] | Any) -> None:
    if name not in names:
        raise KeyError(f"no table {name!r}; there are {', '.join(sorted(names))}")
