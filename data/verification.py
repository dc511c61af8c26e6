"""Does a version keep every rule of its contracts and every promise between its tables?

Reads    one published version, through DuckDB, in batches.
Returns  one row per table and rule that is broken, with the number of rows that break it; none if all is
         well.

An import publishes only what keeps them, so anything found here means that the file was changed by other
hands, or that a release judges differently from the one that wrote it.
"""

from __future__ import annotations

from typing import Final

import duckdb
import polars as pl

from data.acceptance import person_rules, row_rules
from data.contracts import TABLES
from data.contracts.promises import LOOPS, links_in_loops, promises_of
from data.warehouse import Version, keys_of, literal, quoted

BATCH: Final = 250_000
BROKEN: Final = {"table": pl.String, "rule": pl.String, "n": pl.Int64}


def verify(version: Version) -> pl.DataFrame:
    """Rules and promises a version breaks.

    Parameters
    ----------
    version
        One of the published versions.

    Returns
    -------
    DataFrame
        ``table``, ``rule`` and ``n`` (rows), in the order of the contracts; empty if nothing is broken.
    """
    with duckdb.connect(config={"memory_limit": "800MB"}) as connection:
        connection.execute(f"ATTACH {literal(str(version.path))} AS version (READ_ONLY)")
        connection.execute("SET enable_external_access = false")
        connection.execute("USE version.main")
        found = [
            (table, rule, n)
            for table in TABLES
            for rule, n in {
                **_rows(connection, table),
                **_keys(connection, table),
                **_promises(connection, table),
                **_loops(connection, table),
            }.items()
            if n
        ]
    return pl.DataFrame(found, schema=BROKEN, orient="row")


def _rows(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, int]:
    rules = (*row_rules(table), *person_rules(table))
    kinds = {name: column.dtype for name, column in TABLES[table].columns().items()}
    counts = dict.fromkeys((rule.name for rule in rules), 0)
    columns = ", ".join(map(quoted, kinds))
    for batch in connection.sql(f"SELECT {columns} FROM {quoted(table)}").to_arrow_reader(BATCH):
        rows = pl.DataFrame(pl.from_arrow(batch))
        # A value outside an enum becomes null, which the rule of the column then reports.
        typed = rows.with_columns(pl.col(name).cast(kind, strict=False) for name, kind in kinds.items())
        broken = typed.select((~rule.holds.fill_null(value=True)).sum().alias(rule.name) for rule in rules)
        for name, n in broken.row(0, named=True).items():
            counts[name] += n
        for name, lost in zip(
            kinds,
            (a - b for a, b in zip(typed.null_count().row(0), rows.null_count().row(0), strict=True)),
            strict=True,
        ):
            counts[f"{name}|readable"] = counts.get(f"{name}|readable", 0) + lost
    return counts


def _keys(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, int]:
    keys = ", ".join(map(quoted, keys_of(table)))
    (n,) = connection.execute(
        f"SELECT coalesce(sum(n), 0)::BIGINT "
        f"FROM (SELECT count(*) AS n FROM {quoted(table)} GROUP BY {keys} HAVING n > 1)"
    ).fetchall()[0]
    return {"primary_key": n}


def _promises(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, int]:
    return {
        promise.name: connection.execute(f"SELECT count(*) FROM ({promise.sql})").fetchall()[0][0]
        for promise in promises_of(table)
    }


def _loops(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, int]:
    counts = {}
    for loops in LOOPS:
        if loops.table == table:
            since = f"CAST({quoted(loops.since)} AS TIMESTAMP)" if loops.since else "TIMESTAMP '2000-01-01'"
            links = connection.sql(
                f"SELECT {quoted(loops.node)} AS node, {quoted(loops.parent)} AS parent, {since} AS since "
                f"FROM {quoted(table)}"
            ).pl()
            counts[loops.name] = links_in_loops(links).height
    return counts
