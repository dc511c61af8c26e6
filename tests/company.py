"""A company small enough to hold in the head, for tests of reads and pages.

Eight people. Acme is the root, with Sales (below it Sales North) and Engineering.
Ada leads all; Ben leads Sales, Cai leads Engineering; Dee and Eli work in Sales North, Fay in Sales,
Gus and Hua in Engineering. Dee moved from Engineering (under Cai) to Sales North (under Ben) on
1 January 2026, between the cycles 2025H2 and 2026H1.
"""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import duckdb
import polars as pl

from data.contracts import TABLES
from data.engine import DuckDBEngine, PolarsEngine
from data.warehouse import create_tables

ROOT, SALES, NORTH, ENGINEERING = "acme", "sales", "north", "eng"
BEGIN = date(2025, 1, 1)


def frames() -> dict[str, pl.DataFrame]:
    """All tables, provenance included, empty where the company has nothing."""
    rows: dict[str, list[dict[str, object]]] = {
        "employees": [
            {"employee_id": person, "display_name": person.title(), "hire_date": BEGIN}
            for person in ("ada", "ben", "cai", "dee", "eli", "fay", "gus", "hua")
        ],
        "protected_attributes": [{"employee_id": "ada", "gender": "female"}],
        "departments": [
            {"department_id": ROOT, "valid_from": BEGIN, "name": "Acme", "parent_id": None},
            {"department_id": SALES, "valid_from": BEGIN, "name": "Sales", "parent_id": ROOT},
            {"department_id": NORTH, "valid_from": BEGIN, "name": "Sales North", "parent_id": SALES},
            {"department_id": ENGINEERING, "valid_from": BEGIN, "name": "Engineering", "parent_id": ROOT},
        ],
        "assignments": [
            _stood("ada", ROOT, None),
            _stood("ben", SALES, "ada"),
            _stood("cai", ENGINEERING, "ada"),
            _stood("dee", ENGINEERING, "cai"),
            _stood("dee", NORTH, "ben", since=date(2026, 1, 1)),
            _stood("eli", NORTH, "ben"),
            _stood("fay", SALES, "ben"),
            _stood("gus", ENGINEERING, "cai"),
            _stood("hua", ENGINEERING, "cai"),
        ],
        "rating_scales": [{"scale_id": "five", "name": "Five", "lowest": 1.0, "highest": 5.0}],
        "scale_levels": [
            {"scale_id": "five", "level": level, "code": str(level), "label": f"L{level}", "points": level}
            for level in range(1, 6)
        ],
        "review_cycles": [
            _cycle("2025H2", date(2025, 7, 1), date(2025, 12, 31)),
            _cycle("2026H1", date(2026, 1, 1), date(2026, 6, 30)),
        ],
        "ratings": [
            *(_rated("2025H2", ratee, "cai", 3) for ratee in ("dee", "gus", "hua")),
            *(_rated("2025H2", ratee, "ben", 4) for ratee in ("eli", "fay")),
            *(_rated("2026H1", ratee, "cai", 3) for ratee in ("gus", "hua")),
            *(_rated("2026H1", ratee, "ben", 4) for ratee in ("dee", "eli", "fay")),
            {**_rated("2026H1", "dee", "ben", 2), "stage": "calibrated"},
            _rated("2026H1", "dee", "dee", 5, source="self"),
            _rated("2026H1", "dee", "gus", 4, source="peer"),
        ],
        "goals": [
            _goal("g0", "company", None, None, None),
            _goal("g1", "department", "g0", "ben", SALES),
            _goal("g2", "individual", "g1", "dee", NORTH),
            _goal("g3", "individual", "g0", "gus", ENGINEERING),
        ],
        "check_ins": [
            {"goal_id": "g2", "checked_at": datetime(2026, 7, 10, 9), "value": 40.0},
            {"goal_id": "g3", "checked_at": datetime(2026, 7, 12, 9), "value": 10.0},
        ],
    }
    return {table: _frame(table, rows.get(table, [])) for table in TABLES}


def in_memory() -> PolarsEngine:
    """The company in frames."""
    return PolarsEngine(frames(), version="company")


def in_duckdb(folder: Path) -> DuckDBEngine:
    """The same company in a warehouse file."""
    path = folder / "company.duckdb"
    with duckdb.connect(str(path)) as connection:
        create_tables(connection)
        for table, frame in frames().items():
            if not frame.is_empty():
                text = frame.with_columns(pl.col(pl.Enum).cast(pl.String))
                connection.register("incoming", text)
                connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM incoming")
                connection.unregister("incoming")
    return DuckDBEngine(path, version="company")


def _stood(person: str, department: str, manager: str | None, *, since: date = BEGIN) -> dict[str, object]:
    return {
        "employee_id": person,
        "valid_from": since,
        "department_id": department,
        "manager_id": manager,
        "level": "P3",
        "location": "Berlin",
    }


def _cycle(name: str, starts_on: date, ends_on: date) -> dict[str, object]:
    return {"cycle_id": name, "name": name, "starts_on": starts_on, "ends_on": ends_on, "scale_id": "five"}


def _rated(cycle: str, ratee: str, rater: str, level: int, *, source: str = "manager") -> dict[str, object]:
    return {
        "cycle_id": cycle,
        "ratee_id": ratee,
        "rater_id": rater,
        "source": source,
        "dimension": "overall",
        "stage": "initial",
        "score": float(level),
        "level": level,
        "submitted_at": datetime(2026, 1, 5) if cycle == "2025H2" else datetime(2026, 7, 5),
    }


def _goal(
    goal: str, scope: str, parent: str | None, owner: str | None, department: str | None
) -> dict[str, object]:
    return {
        "goal_id": goal,
        "title": f"Goal {goal}",
        "parent_id": parent,
        "scope": scope,
        "kind": "increase",
        "baseline": 0.0,
        "target": 100.0,
        "owner_id": owner,
        "department_id": department,
        "start_on": date(2026, 1, 1),
        "due_on": date(2026, 12, 31),
        "status": "active",
        "version": 1,
    }


def _frame(table: str, rows: list[dict[str, object]]) -> pl.DataFrame:
    schema = {name: column.dtype for name, column in TABLES[table].columns().items()}
    frame = pl.DataFrame(rows, schema=schema) if rows else pl.DataFrame(schema=schema)
    return frame.with_columns(
        pl.lit("by hand").alias("_source_id"), pl.int_range(1, frame.height + 1).alias("_line")
    )
