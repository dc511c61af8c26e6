"""From accepted rows of many files to one version: who is meant, which row is the latest, what fits together.

Rows are staged as Parquet beside the draft, then each table is settled in the order of ``TABLES``, so that
whatever a table refers to is settled before it:

1. persons named by e-mail or display name become ids; a name that several bear is never guessed: it is left
   empty where the row stands without it, else the row is rejected;
2. of several rows with one key the latest holds (``submitted_at`` or ``version`` where the table has it, then
   the later file, then the later line); columns a file does not carry keep what was known;
3. references that lead nowhere are cut and reported where the row stands without them (see
   `data.contracts.promises`); rows that need them, or break another promise, are rejected;
4. a link that would close a loop is cut and reported.

Everything that grows with the data happens in DuckDB under a memory limit and spills to the draft folder.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import duckdb
import polars as pl

from data.acceptance import LONGEST_SHOWN, person_columns, person_rules, problem_of, reason
from data.contracts import TABLES, pointing_at, references
from data.contracts.promises import LOOPS, NoLoops, is_cut, links_in_loops, promises_of
from data.contracts.ratings import PANEL
from data.problems import Problem
from data.sources.model import LINE, MANAGER, SELF
from data.warehouse import SOURCE_ID, columns_of, create_tables, keys_of, literal, quoted

MEMORY_LIMIT: Final = "800MB"
"""What DuckDB may hold in memory while it assembles a version; beyond, it spills to disk."""

LATEST_BY: Final = {"ratings": "submitted_at", "goals": "version"}
"""Column that says which of two rows with one key is the later one, before the order of files does."""

REFUSED: Final = {
    "source_id": pl.String,
    "line": pl.Int64,
    "table": pl.String,
    "rule": pl.String,
    "column": pl.String,
    "value": pl.String,
    "message": pl.String,
    "values": pl.String,
}
"""Columns of the rows an assembly refuses: one row per line and rule."""

AMBIGUOUS: Final = "every_person_is_named_unmistakably"
NO_MANAGER: Final = "the_manager_of_the_ratee_is_known"


@dataclass(frozen=True)
class Count:
    """What became of the rows of one table.

    Attributes
    ----------
    table
        Its name.
    rows
        Rows in the new version.
    added, changed, unchanged
        Rows that are new, that replaced one of the same key, that were known already.
    superseded
        Rows that lost to a later one of the same key in the same import, and differed from it.
    refused
        Rows rejected here.
    cut
        Rows kept here without a link.
    lost
        Rows the version before had more: what an import takes away in the balance.
    """

    table: str
    rows: int
    added: int
    changed: int
    unchanged: int
    superseded: int
    refused: int
    cut: int = 0
    lost: int = 0


def is_kept(table: str, rule: str, column: str) -> bool:
    """Whether a row that breaks a rule goes in all the same, without what stands in the column."""
    if rule == AMBIGUOUS:
        return is_cut(table, column)
    if not table:
        return False
    promises = any(promise.name == rule and promise.cut for promise in promises_of(table))
    return promises or any((loops.table, loops.name) == (table, rule) for loops in LOOPS)


class Assembly:
    """One version in the making.

    Parameters
    ----------
    folder
        The draft folder: staged rows, spill and the new file live there.
    previous
        File of the version to build on, or None.
    """

    def __init__(self, folder: Path, *, previous: Path | None) -> None:
        self.file = folder / "new.duckdb"
        self._folder = folder
        self._previous = previous is not None
        self._parts: dict[str, list[tuple[str | None, Path]]] = {table: [] for table in TABLES}
        self._staged = 0
        self._replaced: set[str] = set()
        self._refused: list[pl.DataFrame] = []
        self._cuts: dict[str, list[str]] = {table: [] for table in TABLES}
        self._touched = False
        self._connection = duckdb.connect(
            config={
                "memory_limit": MEMORY_LIMIT,
                "temp_directory": str(folder / "spill"),
                "preserve_insertion_order": "false",
            }
        )
        self._run(f"ATTACH {literal(str(self.file))} AS new")
        if previous is not None:
            self._run(f"ATTACH {literal(str(previous))} AS previous (READ_ONLY)")
        for setting in (
            f"allowed_directories = [{literal(str(folder))}]",
            "autoinstall_known_extensions = false",
            "autoload_known_extensions = false",
            "enable_external_access = false",
            "lock_configuration = true",
        ):
            self._run(f"SET {setting}")
        self._run("USE new.main")
        create_tables(self._connection)
        self._run("USE memory.main")
        self._known: dict[str, int] = dict.fromkeys(TABLES, 0)
        if previous is not None:
            counts = ", ".join(f"(SELECT count(*) FROM previous.{quoted(table)})" for table in TABLES)
            self._known = dict(zip(TABLES, self._one(f"SELECT {counts}"), strict=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def stage(self, table: str, rows: pl.DataFrame, *, source_id: str, carried: Iterable[str]) -> None:
        """Take accepted rows of one source.

        Parameters
        ----------
        table
            Where they belong.
        rows
            The columns of the contract in its types, and ``_line``.
        source_id
            Who brought them.
        carried
            Columns the file had; for others, rows of the same key keep what was known.
        """
        if not rows.height:
            return
        names = TABLES[table].column_names()
        mask = sum(1 << at for at, name in enumerate(names) if name in set(carried))
        for key in keys_of(table):
            mask |= 1 << names.index(key)
        parts = self._parts[table]
        path = self._folder / f"{table}-{self._staged:012}.parquet"
        rows.select(
            *names,
            pl.lit(source_id).alias(SOURCE_ID),
            LINE,
            pl.int_range(self._staged, self._staged + rows.height, dtype=pl.Int64).alias("_n"),
            pl.lit(mask, dtype=pl.Int64).alias("_carried"),
        ).write_parquet(path, compression="lz4")
        parts.append((source_id, path))
        self._staged += rows.height

    def unstage(self, source_id: str) -> None:
        """Forget what a source brought: it broke off half way."""
        for table, parts in self._parts.items():
            self._parts[table] = [part for part in parts if part[0] != source_id]

    def replace_source(self, source_id: str) -> None:
        """Leave out what an earlier version has from a source: it was loaded again in another way."""
        self._replaced.add(source_id)

    def settle(self, table: str) -> Count:
        """Settle one table; to be called for each, in the order of ``TABLES``."""
        if not self._parts[table] and not self._known[table]:
            self._run(f"CREATE VIEW {quoted(table)} AS SELECT *, false AS _was FROM ({self._nothing(table)})")
            return Count(table, 0, 0, 0, 0, 0, 0)
        names = list(columns_of(table))
        before = len(self._refused)
        self._run(f"CREATE TABLE out_{table} (_n BIGINT)")
        self._run(f"CREATE TABLE cut_{table} (_n BIGINT, name VARCHAR)")
        unchanged, superseded = 0, 0
        if self._parts[table]:
            if table == "employees":
                self._name_employees()
            elif person_columns(table):
                self._name_persons(table)
            self._keep_person_rules(table)
            if table == "assignments":
                self._carry_on()
            unchanged, superseded = self._merge(table)
        else:
            kept = self._earlier(table)
            columns = ", ".join(map(quoted, names))
            self._run(f"CREATE VIEW all_{table} AS SELECT {columns}, _n, true AS _was FROM ({kept})")
        self._show(table)
        if self._parts[table] or self._replaced:
            self._touched = True
        if self._touched:
            self._keep_promises(table)
            for loops in LOOPS:
                if loops.table == table:
                    self._cut_loops(loops)
        cut = refused = 0
        for frame in self._refused[before:]:
            if is_kept(table, *frame.select("rule", "column").row(0)):
                cut += frame.height
            else:
                refused += frame.height
        rows, added, changed = self._one(
            "SELECT count(*), count_if(_n >= 0 AND NOT _was), count_if(_n >= 0 AND _was) "
            f"FROM {quoted(table)}"
        )
        lost = max(0, self._known[table] - rows)
        return Count(table, rows, added, changed, unchanged, superseded, refused, cut, lost)

    def refused(self) -> pl.DataFrame:
        """Rows refused while settling, shaped as `REFUSED`."""
        return pl.concat([pl.DataFrame(schema=REFUSED), *self._refused])

    def settled(self, table: str) -> pl.DataFrame:
        """The rows of a settled table, in the types of DuckDB. For small tables."""
        columns = ", ".join(map(quoted, TABLES[table].column_names()))
        return self._frame(f"SELECT {columns} FROM {quoted(table)}")

    def differs(self) -> bool:
        """Whether any table holds other values than in the previous version."""
        if not self._previous:
            return any(self._one(f"SELECT count(*) FROM {quoted(table)}")[0] for table in TABLES)
        if not self._touched:
            return False
        for table in TABLES:
            if not self._parts[table] and not self._known[table]:
                continue
            columns = ", ".join(map(quoted, TABLES[table].column_names()))
            content = f"SELECT count(*), bit_xor(hash({columns})), sum(hash({columns}) % 1000000007)"
            if self._one(f"{content} FROM {quoted(table)}") != self._one(
                f"{content} FROM previous.{quoted(table)}"
            ):
                return True
        return False

    def write(self, table: str) -> None:
        """Write a settled table into the new file."""
        if not self._parts[table] and not self._known[table]:
            return
        columns = ", ".join(map(quoted, columns_of(table)))
        self._run(f"INSERT INTO new.{quoted(table)} SELECT {columns} FROM {quoted(table)}")

    def book(self, book: str) -> pl.DataFrame:
        """One of the tables about the data itself, as the previous version has it."""
        return self._frame(f"SELECT * FROM {'previous' if self._previous else 'new'}.{book}")

    def remarked(self) -> frozenset[str]:
        """Sources of the previous version of which a row was rejected or kept without a link."""
        schema = "previous" if self._previous else "new"
        return frozenset(self._frame(f"SELECT DISTINCT source_id FROM {schema}._rejected")["source_id"])

    def note(self, book: str, rows: pl.DataFrame) -> None:
        """Add rows to one of the tables about the data itself."""
        self._connection.register("noted", rows)
        self._run(f"INSERT INTO new.{book} BY NAME SELECT * FROM noted")
        self._connection.unregister("noted")

    def keep_books(self, *, again: Iterable[str], mended: pl.DataFrame) -> None:
        """Carry over sources and rejected rows of the previous version, but of those loaded again.

        Parameters
        ----------
        again
            Sources that were loaded again.
        mended
            ``source_id`` and ``line`` of rows for which mended ones came in this import.
        """
        if self._previous:
            gone = self._listed({*again, *self._replaced})
            self._connection.register("mended", mended)
            for book in ("_sources", "_rejected"):
                self._run(
                    f"INSERT INTO new.{book} BY NAME "
                    f"SELECT * FROM previous.{book} WHERE source_id NOT IN {gone}"
                    + (" AND (source_id, line) NOT IN (FROM mended)" if book == "_rejected" else "")
                )
            self._connection.unregister("mended")

    def balance_books(self) -> None:
        """Count for every source the lines accepted and rejected."""
        reasons = self._frame('SELECT DISTINCT "table", rule, "column" FROM new._rejected')
        kept = [is_kept(*reason_) for reason_ in reasons.iter_rows()]
        self._connection.register("kept", reasons.filter(pl.Series(kept, dtype=pl.Boolean)))
        self._run(
            """
            UPDATE new._sources s SET rejected = coalesce(
                (SELECT count(DISTINCT line) FROM new._rejected r WHERE r.source_id = s.source_id
                 AND (r."table", r.rule, r."column") NOT IN (FROM kept)), 0)
            """
        )
        self._connection.unregister("kept")
        self._run("UPDATE new._sources SET accepted = rows - rejected")

    def finish(self) -> None:
        """Close the new file, complete."""
        self._run("CHECKPOINT new")
        self._run("DETACH new")

    # Who is meant

    def _name_employees(self) -> None:
        """An employee known by an e-mail only is the one whose row carries that e-mail and an id."""
        known = self._known_people()
        twins = self._frame(
            f"""
            SELECT employee_id AS named, any_value(id) AS id
            FROM (SELECT DISTINCT employee_id FROM {self._scan("employees")} WHERE contains(employee_id, '@'))
            JOIN ({known}) ON lower(email) = lower(employee_id) AND lower(id) <> lower(email)
            GROUP BY employee_id HAVING count(DISTINCT id) = 1
            """
        )
        if twins.height:
            self._rename("employees", {"employee_id": twins})

    def _known_people(self) -> str:
        staged = f"SELECT employee_id AS id, email, display_name AS name FROM {self._scan('employees')}"
        if not self._known["employees"]:
            return staged
        return (
            f"{staged} UNION ALL SELECT employee_id, email, display_name FROM ({self._earlier('employees')})"
        )

    def _name_persons(self, table: str) -> None:
        """Put ids where persons are named by e-mail or display name."""
        found: dict[str, pl.DataFrame] = {}
        special = False
        for column in person_columns(table):
            strangers = self._frame(
                f"""
                SELECT DISTINCT {quoted(column)} AS named FROM {self._scan(table)}
                WHERE {quoted(column)} IS NOT NULL
                  AND {quoted(column)} NOT IN (SELECT employee_id FROM employees)
                """
            )
            if (table, column) == ("ratings", "rater_id"):
                stand_in = pl.col("named").is_in([MANAGER, SELF]) | pl.col("named").str.starts_with(PANEL)
                named = strangers.filter(~stand_in)
                special = named.height < strangers.height
                strangers = named
            if strangers.height or special:
                found[column] = self._identified(strangers)
        for column, names in found.items():
            for named, bearers in (
                names.filter(pl.col("bearers").list.len() > 1).select("named", "bearers").rows()
            ):
                called = {"n": len(bearers), "ids": ", ".join(bearers[:3]) + (", …" if bearers[3:] else "")}
                cut = is_cut(table, column)
                (self._note if cut else self._refuse)(
                    table,
                    f"SELECT * FROM {self._scan(table)} WHERE {quoted(column)} = {literal(named)}",
                    rule=AMBIGUOUS,
                    column=column,
                    problem=Problem(
                        "{n} employees are called so ({ids}), so {column} was left empty and the rest of the "
                        "row kept. Use the id or e-mail.",
                        column=column,
                        **called,
                    )
                    if cut
                    else Problem("{n} employees are called so ({ids}). Use the id or e-mail.", **called),
                )
        one, many = pl.col("bearers").list.len() == 1, pl.col("bearers").list.len() > 1
        plain = {
            # A name several bear is left empty where the row stands without it.
            column: names.filter(one | (many & is_cut(table, column))).select(
                "named", pl.when(one).then(pl.col("bearers").list.first()).alias("id")
            )
            for column, names in found.items()
        }
        if special or any(names.height for names in plain.values()):
            self._rename(table, plain, special=special)
        if special:
            self._refuse(
                table,
                f"SELECT s.* FROM {self._scan(table)} s SEMI JOIN review_cycles USING (cycle_id) "
                f"WHERE s.rater_id = {literal(MANAGER)}",
                rule=NO_MANAGER,
                column="rater_id",
                problem=Problem(
                    "The assignments name no manager of this person at the end of the cycle. "
                    "Load an org chart of that time, or name the rater."
                ),
            )

    def _identified(self, strangers: pl.DataFrame) -> pl.DataFrame:
        """For each ``named`` who is no id: the ids of those bearing that e-mail, or else that name."""
        self._connection.register("strangers", strangers)
        try:
            return self._frame(
                r"""
                WITH asked AS (
                    SELECT named, lower(trim(regexp_replace(named, '\s+', ' ', 'g'))) AS bare FROM strangers
                ), bearing AS (
                    SELECT named, list_sort(list(DISTINCT employee_id)) AS ids
                    FROM asked JOIN employees ON lower(email) = bare GROUP BY named
                ), called AS (
                    SELECT named, list_sort(list(DISTINCT employee_id)) AS ids
                    FROM asked
                    JOIN employees ON lower(trim(regexp_replace(display_name, '\s+', ' ', 'g'))) = bare
                    GROUP BY named
                )
                SELECT named, coalesce(bearing.ids, called.ids, []) AS bearers
                FROM asked LEFT JOIN bearing USING (named) LEFT JOIN called USING (named)
                ORDER BY named
                """
            )
        finally:
            self._connection.unregister("strangers")

    def _rename(self, table: str, names: dict[str, pl.DataFrame], *, special: bool = False) -> None:
        """Stage a table again with persons by their ids: ``named`` → ``id`` per column, null for nobody."""
        replaced, joins = [], []
        for at, (column, frame) in enumerate(names.items()):
            if frame.height or (special and column == "rater_id"):
                self._connection.register(f"names_{at}", frame)
                joins.append(f"LEFT JOIN names_{at} ON names_{at}.named = s.{quoted(column)}")
                value = f"CASE WHEN names_{at}.named IS NULL THEN s.{quoted(column)} ELSE names_{at}.id END"
                if special and column == "rater_id":
                    ratee = self._renamed(names, "ratee_id")
                    # `DISTINCT` ends in one row per cycle and employee, so the join adds no rows.
                    joins.append(
                        f"LEFT JOIN ({self._managers()}) m ON m.cycle_id = s.cycle_id AND m.id = {ratee}"
                    )
                    panel = f"concat({literal(PANEL)}, s.source, ':', {ratee})"
                    value = (
                        f"CASE WHEN s.rater_id = {literal(SELF)} THEN {ratee} "
                        f"WHEN s.rater_id = {literal(MANAGER)} THEN coalesce(m.manager_id, s.rater_id) "
                        f"WHEN starts_with(s.rater_id, {literal(PANEL)}) THEN {panel} ELSE {value} END"
                    )
                replaced.append(f"{value} AS {quoted(column)}")
        path = self._folder / f"{table}-named.parquet"
        self._run(
            f"COPY (SELECT s.* REPLACE ({', '.join(replaced)}) FROM {self._scan(table)} s {' '.join(joins)}) "
            f"TO {literal(str(path))} (FORMAT parquet, COMPRESSION lz4)"
        )
        self._parts[table] = [(None, path)]
        for at in range(len(names)):
            self._connection.unregister(f"names_{at}")

    @staticmethod
    def _renamed(names: dict[str, pl.DataFrame], column: str) -> str:
        for at, (name, frame) in enumerate(names.items()):
            if name == column and frame.height:
                return f"coalesce(names_{at}.id, s.{quoted(column)})"
        return f"s.{quoted(column)}"

    @staticmethod
    def _managers() -> str:
        """Everybody's manager at the end of each cycle; before the first assignment the first holds."""
        return """
            SELECT c.cycle_id, a.employee_id AS id,
                   CASE WHEN bool_or(a.valid_from <= c.ends_on)
                        THEN arg_max_null(a.manager_id, a.valid_from) FILTER (a.valid_from <= c.ends_on)
                        ELSE arg_min_null(a.manager_id, a.valid_from) END AS manager_id
            FROM review_cycles c, assignments a GROUP BY c.cycle_id, a.employee_id
        """

    def _keep_person_rules(self, table: str) -> None:
        """Judge the rules that had to wait until persons were named by their ids."""
        for rule in person_rules(table):
            broken = (
                pl.scan_parquet([path for _, path in self._parts[table]])
                .select("_n", SOURCE_ID, LINE, *rule.columns)
                .filter(~rule.holds.fill_null(value=True))
                .collect()
            )
            if broken.height:
                self._connection.register("broken", broken)
                shown = " || ', ' || ".join(
                    f"'{name} = ' || coalesce(CAST({quoted(name)} AS VARCHAR), '–')" for name in rule.columns
                )
                self._refuse(
                    table,
                    f"SELECT *, {shown} AS shown FROM broken",
                    rule=rule.name,
                    column="shown",
                    problem=problem_of(table, rule.name),
                    named=", ".join(rule.columns),
                )
                self._connection.unregister("broken")

    # Which row is the latest

    def _carry_on(self) -> None:
        """Assignments from files without some columns go on with what held of the person just before."""
        table, names = "assignments", TABLES["assignments"].column_names()
        every = (1 << len(names)) - 1
        staged = f"SELECT * FROM {self._scan(table)}"
        partial = f"SELECT DISTINCT employee_id FROM ({staged}) WHERE _carried <> {every}"
        if not self._frame(f"{partial} LIMIT 1").height:
            return
        earlier = self._earlier(table) if self._known[table] else self._nothing(table)
        going_on = ", ".join(
            # In a struct, an empty cell of a file that has the column is a value too.
            f"(last_value(CASE WHEN _carried & {1 << at} <> 0 THEN {{'v': {quoted(name)}}} END "
            f"IGNORE NULLS) OVER so_far).v AS {quoted(name)}"
            for at, name in enumerate(names)
            if name not in keys_of(table)
        )
        path = self._folder / f"{table}-carried.parquet"
        self._run(
            f"""
            COPY (
                SELECT * FROM (
                    SELECT * REPLACE ({going_on}, {every}::BIGINT AS _carried)
                    FROM (({staged}) UNION ALL BY NAME ({earlier}))
                    WHERE employee_id IN ({partial})
                    WINDOW so_far AS (PARTITION BY employee_id ORDER BY valid_from, _n
                                      ROWS UNBOUNDED PRECEDING)
                ) WHERE _n >= 0
                UNION ALL BY NAME {staged} WHERE employee_id NOT IN ({partial})
            ) TO {literal(str(path))} (FORMAT parquet, COMPRESSION lz4)
            """
        )
        self._parts[table] = [(None, path)]

    def _merge(self, table: str) -> tuple[int, int]:
        """One row per key, in view ``all_<table>``; how many were known already, how many superseded."""
        names, keys = TABLES[table].column_names(), keys_of(table)
        named = ", ".join(map(quoted, keys))
        key = f"hash({named})"
        columns = ", ".join(map(quoted, [*names, SOURCE_ID, LINE]))
        staged = f"SELECT * FROM {self._scan(table)} WHERE _n NOT IN (SELECT _n FROM out_{table})"
        unchanged = 0
        if self._known[table]:
            earlier = self._earlier(table)
            self._run(
                f"CREATE TABLE twice_{table} AS "
                f"SELECT {key} AS h FROM ({staged}) GROUP BY h HAVING count(*) > 1"
            )
            equal = " AND ".join(f"s.{quoted(name)} = p.{quoted(name)}" for name in keys)
            same = " AND ".join(
                f"(s._carried & {1 << at} = 0 OR s.{quoted(name)} IS NOT DISTINCT FROM p.{quoted(name)})"
                for at, name in enumerate(names)
                if name not in keys
            )
            self._run(
                f"""
                CREATE TABLE same_{table} AS
                SELECT s._n FROM (SELECT *, {key} AS h FROM ({staged})) s
                JOIN (SELECT *, {key} AS h FROM ({earlier})) p ON s.h = p.h AND {equal} AND {same or "true"}
                WHERE s.h NOT IN (SELECT h FROM twice_{table})
                """
            )
            unchanged = self._one(f"SELECT count(*) FROM same_{table}")[0]
            staged += f" AND _n NOT IN (SELECT _n FROM same_{table})"
        else:
            earlier = self._nothing(table)
        both = f"SELECT * FROM ({staged}) UNION ALL BY NAME SELECT * FROM ({earlier})"
        self._run(
            f"CREATE TABLE again_{table} AS SELECT {key} AS h FROM ({both}) GROUP BY h HAVING count(*) > 1"
        )
        once = f"SELECT {columns}, _n, _n < 0 AS _was FROM ({both})"
        if not self._one(f"SELECT count(*) FROM again_{table}")[0]:
            self._run(f"CREATE VIEW all_{table} AS {once}")
            return unchanged, 0
        order = ", ".join([f"{quoted(by)} NULLS FIRST" for by in [LATEST_BY.get(table)] if by] + ["_n"])
        latest = ", ".join(
            f"arg_max_null({quoted(name)}, _turn) FILTER (_carried & {1 << at} <> 0) AS {quoted(name)}"
            for at, name in enumerate(names)
            if name not in keys
        )
        self._run(
            f"""
            CREATE TABLE merged_{table} AS
            SELECT {named}, {latest + "," if latest else ""}
                   arg_max({SOURCE_ID}, _turn) AS {SOURCE_ID}, arg_max({LINE}, _turn) AS {LINE},
                   max(_n) AS _n, bool_or(_n < 0) AS _was, {key} AS h
            FROM (SELECT *, row_number() OVER (PARTITION BY {named} ORDER BY {order}) AS _turn
                  FROM ({both}) WHERE {key} IN (SELECT h FROM again_{table}))
            GROUP BY {named}
            """
        )
        self._run(
            f"CREATE VIEW all_{table} AS {once} WHERE {key} NOT IN (SELECT h FROM again_{table}) "
            f"UNION ALL BY NAME SELECT {columns}, _n, _was FROM merged_{table}"
        )
        differs = " OR ".join(
            f"(s._carried & {1 << at} <> 0 AND s.{quoted(name)} IS DISTINCT FROM m.{quoted(name)})"
            for at, name in enumerate(names)
            if name not in keys
        )
        equal = " AND ".join(f"s.{quoted(name)} = m.{quoted(name)}" for name in keys)
        (superseded,) = self._one(
            f"""
            SELECT count(*) FROM (SELECT *, {key} AS h FROM ({staged})) s
            JOIN merged_{table} m ON s.h = m.h AND {equal} WHERE {differs or "false"}
            """
        )
        return unchanged, superseded

    # What fits together

    def _keep_promises(self, table: str) -> None:
        hangs_on_itself = table in references(table).values()
        while True:
            refused = sum(
                (self._cut if promise.cut else self._refuse)(
                    table, promise.sql, rule=promise.name, column=promise.column, problem=promise.problem
                )
                for promise in promises_of(table)
            )
            if not (refused and hangs_on_itself):
                return

    def _cut_loops(self, loops: NoLoops) -> None:
        since = f"CAST({quoted(loops.since)} AS TIMESTAMP)" if loops.since else "TIMESTAMP '2000-01-01'"
        while True:
            links = self._frame(
                f"""
                SELECT {quoted(loops.node)} AS node, {quoted(loops.parent)} AS parent, {since} AS since, _n
                FROM {quoted(loops.table)}
                """
            )
            # The link that came last closed the loop; the others stood before it.
            last = links_in_loops(links).group_by("loop").agg(pl.col("_n").max()).select("_n").unique()
            if not last.height:
                return
            self._connection.register("last", last)
            self._cut(
                loops.table,
                f"SELECT * FROM {quoted(loops.table)} WHERE _n IN (SELECT _n FROM last)",
                rule=loops.name,
                column=loops.parent,
                problem=loops.problem,
            )
            self._connection.unregister("last")

    def _refuse(
        self, table: str, rows: str, *, rule: str, column: str, problem: Problem, named: str | None = None
    ) -> int:
        """Reject the rows a query selects: note why and leave them out; how many."""
        found = self._note(table, rows, rule=rule, column=column, problem=problem, named=named)
        if found.height:
            self._connection.register("found", found)
            self._run(f"INSERT INTO out_{table} SELECT DISTINCT _n FROM found")
            self._connection.unregister("found")
        return found.height

    def _cut(self, table: str, rows: str, *, rule: str, column: str, problem: Problem) -> int:
        """Keep the rows a query selects without their value in a column: note why and empty it; how many."""
        found = self._note(table, rows, rule=rule, column=column, problem=problem)
        if found.height:
            self._connection.register("found", found)
            self._run(f"INSERT INTO cut_{table} SELECT DISTINCT _n, {literal(column)} FROM found")
            self._connection.unregister("found")
            if column not in self._cuts[table]:
                self._cuts[table].append(column)
                self._show(table)
        return found.height

    def _note(
        self, table: str, rows: str, *, rule: str, column: str, problem: Problem, named: str | None = None
    ) -> pl.DataFrame:
        """Note what is wrong with the rows a query selects; their positions in ``_n``."""
        found = self._frame(
            f"SELECT _n, {SOURCE_ID} AS source_id, {LINE} AS line, "
            f"CAST({quoted(column)} AS VARCHAR) AS value FROM ({rows}) ORDER BY _n"
        )
        if found.height:
            self._refused.append(
                found.select(
                    "source_id",
                    "line",
                    pl.lit(table).alias("table"),
                    pl.lit(rule).alias("rule"),
                    pl.lit(named or column).alias("column"),
                    pl.col("value").str.slice(0, LONGEST_SHOWN),
                    *reason(problem),
                )
            )
        return found

    # Where rows come from

    def _show(self, table: str) -> None:
        """Make the table visible under its name, without what was refused and cut."""
        kept = ", ".join(
            f"CASE WHEN _n IN (SELECT _n FROM cut_{table} WHERE name = {literal(column)}) THEN NULL "
            f"ELSE {quoted(column)} END AS {quoted(column)}"
            for column in self._cuts[table]
        )
        self._run(
            f"CREATE OR REPLACE VIEW {quoted(table)} AS SELECT *{f' REPLACE ({kept})' if kept else ''} "
            f"FROM all_{table} WHERE _n NOT IN (SELECT _n FROM out_{table})"
        )

    def _scan(self, table: str) -> str:
        parts = self._parts[table]
        if not parts:
            return f"({self._nothing(table)})"
        return f"read_parquet([{', '.join(literal(str(path)) for _, path in parts)}])"

    def _earlier(self, table: str) -> str:
        """Rows of the previous version, with positions before all staged ones."""
        columns = ", ".join(map(quoted, columns_of(table)))
        every = (1 << len(TABLES[table].column_names())) - 1
        chosen = (
            f"SELECT {columns}, -1 - rowid AS _n, {every}::BIGINT AS _carried FROM previous.{quoted(table)}"
        )
        if not self._replaced:
            return chosen
        return f"{chosen} WHERE {self._stays()}{self._held(table)}"

    def _stays(self) -> str:
        return f"{SOURCE_ID} NOT IN {self._listed(self._replaced)}"

    def _held(self, table: str) -> str:
        """Also what rows of other sources stand on: cycles they are about, and the scales of those."""
        cycles = " UNION ".join(
            f"SELECT {quoted(column)} FROM previous.{quoted(other)} "
            f"WHERE {quoted(column)} IS NOT NULL AND {self._stays()}"
            for other, column in pointing_at("review_cycles")
        )
        match table:
            case "review_cycles":
                return f" OR cycle_id IN ({cycles})"
            case "rating_scales" | "scale_levels":
                return (
                    " OR scale_id IN (SELECT scale_id FROM previous.review_cycles "
                    f"WHERE {self._stays()} OR cycle_id IN ({cycles}))"
                )
            case _:
                return ""

    @staticmethod
    def _nothing(table: str) -> str:
        columns = ", ".join(f"NULL::{kind} AS {quoted(name)}" for name, kind in columns_of(table).items())
        return f"SELECT {columns}, NULL::BIGINT AS _n, NULL::BIGINT AS _carried WHERE false"

    @staticmethod
    def _listed(values: set[str]) -> str:
        return f"({', '.join(map(literal, sorted(values)))})" if values else "('')"

    def _run(self, sql: str) -> None:
        self._connection.execute(sql)

    def _one(self, sql: str) -> tuple[int, ...]:
        return self._connection.execute(sql).fetchall()[0]

    def _frame(self, sql: str) -> pl.DataFrame:
        frame: pl.DataFrame = self._connection.sql(sql).pl()
        return frame
