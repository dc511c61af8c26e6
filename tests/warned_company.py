"""A company of seven with four goals that each warn of something else, for tests of early warnings.

Acme is the root, with Sales and Engineering below. Ada leads all, Ben leads Sales, Cai leads Engineering; Dee
works for Ben, Gus and Hua for Cai. Looked at on 25 May 2026, 140 of 180 days into every goal:

S   strategy, Ada's: updated weekly.
g1  Sales', Ben's, part of S: nobody updated it since 5 January, fortnightly as it should be. Stale since
    3 February.
g2  Dee's, part of g1: her confidence fell from 80 % to 50 % on 18 May.
g3  Gus's, part of S: its target was raised from 80 to 100 on 11 May; nobody approved it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from data.importing import run_import

START, DUE, AS_OF = date(2026, 1, 5), date(2026, 7, 4), date(2026, 5, 25)
RAISED, FELL, STALE = date(2026, 5, 11), date(2026, 5, 18), date(2026, 2, 3)
SPITEFUL = '=1+1<script src="https://evil.example/x.js">*bold*</script>'
"""A title that would run in a spreadsheet, in a mail program and in markdown, if it were let."""


def loaded(home: Path) -> Path:
    """Write the exports of the company below a home and import them."""
    exports = home / "exports"
    exports.mkdir(parents=True)
    for table, frame in _frames().items():
        frame.write_csv(exports / f"{table}.csv")
    report = run_import([exports], home=home, as_of=AS_OF, now=datetime(2026, 5, 26, tzinfo=UTC))
    assert report.version is not None
    return home


def _frames() -> dict[str, pl.DataFrame]:
    people = ("ada", "ben", "cai", "dee", "gus", "hua", "ivy")
    stood = [
        ("ada", "acme", None),
        ("ben", "sales", "ada"),
        ("cai", "eng", "ada"),
        ("dee", "sales", "ben"),
        ("gus", "eng", "cai"),
        ("hua", "eng", "cai"),
        ("ivy", "eng", "cai"),
    ]
    return {
        "employees": pl.DataFrame({"employee_id": people, "display_name": [one.title() for one in people]}),
        "departments": pl.DataFrame(
            [("acme", "Acme", None), ("sales", "Sales", "acme"), ("eng", "Engineering", "acme")],
            schema=["department_id", "name", "parent_id"],
            orient="row",
        ).with_columns(valid_from=pl.lit(START)),
        "assignments": pl.DataFrame(
            stood, schema=["employee_id", "department_id", "manager_id"], orient="row"
        ).with_columns(valid_from=pl.lit(START)),
        "goals": pl.DataFrame(
            [
                ("S", "Win the market", None, "company", "ada", "acme", 7),
                ("g1", "Open ten branches", "S", "department", "ben", "sales", 14),
                ("g2", SPITEFUL, "g1", "individual", "dee", "sales", 1000),
                ("g3", "Ship the pump", "S", "department", "gus", "eng", 1000),
            ],
            schema=["goal_id", "title", "parent_id", "scope", "owner_id", "department_id", "cadence_days"],
            orient="row",
        ).with_columns(
            kind=pl.lit("increase"),
            unit=pl.lit("pieces"),
            baseline=pl.lit(0.0),
            target=pl.lit(100.0),
            weight=pl.lit(None, pl.Float64),
            start_on=pl.lit(START),
            due_on=pl.lit(DUE),
            status=pl.lit("active"),
            version=pl.lit(1),
        ),
        "check_ins": pl.DataFrame(
            [
                *(("S", _at(START + timedelta(days=n)), 100.0 * n / 180, None) for n in range(0, 141, 7)),
                ("g1", _at(START), 5.0, None),
                ("g2", _at(FELL - timedelta(days=14)), 60.0, 0.8),
                ("g2", _at(FELL), 65.0, 0.5),
                ("g3", _at(FELL), 75.0, None),
            ],
            schema=["goal_id", "checked_at", "value", "confidence"],
            orient="row",
        ),
        "goal_changes": pl.DataFrame(
            [("g3", _at(RAISED), "target", "80", "100", "The customer asked for more")],
            schema=["goal_id", "changed_at", "field", "old_value", "new_value", "reason"],
            orient="row",
        ),
    }


def _at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 9)
