"""A company of five with as many goals as a test asks for, for pages that must open on little data.

Acme is the root, Sales below; Ada leads all, Ben leads Sales, where the others work. The first goal is the
company's; the others are part of it and belong to Sales and its people in turn.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from data.importing import run_import

HIRED = date(2025, 1, 1)
START, DUE, IMPORTED = date(2026, 1, 5), date(2026, 7, 4), date(2026, 5, 26)
_PEOPLE = ("ada", "ben", "dee", "eli", "fay")


def loaded(
    home: Path,
    *,
    goals: int,
    status: str = "active",
    due_on: date = DUE,
    checked: bool = True,
    owned: bool = True,
    target: bool = True,
    completed_on: date | None = None,
    mistyped: tuple[date, ...] = (),
) -> Path:
    """Write the exports of a company with that many goals below a home and import them."""
    exports = home / "exports"
    exports.mkdir(parents=True)
    frames = {
        "employees": pl.DataFrame({"employee_id": _PEOPLE, "display_name": [one.title() for one in _PEOPLE]}),
        "departments": pl.DataFrame(
            [("acme", "Acme", None), ("sales", "Sales", "acme")],
            schema=["department_id", "name", "parent_id"],
            orient="row",
        ).with_columns(valid_from=pl.lit(HIRED)),
        "assignments": pl.DataFrame(
            [("ada", "acme", None), ("ben", "sales", "ada"), *((one, "sales", "ben") for one in _PEOPLE[2:])],
            schema=["employee_id", "department_id", "manager_id"],
            orient="row",
        ).with_columns(valid_from=pl.lit(HIRED)),
    }
    if goals:
        frames["goals"] = pl.DataFrame(
            [_goal(n, owned=owned) for n in range(goals)],
            schema=["goal_id", "title", "parent_id", "scope", "owner_id", "department_id"],
            orient="row",
        ).with_columns(
            kind=pl.lit("increase"),
            unit=pl.lit("pieces"),
            baseline=pl.lit(0.0),
            target=pl.lit(100.0 if target else None, pl.Float64),
            start_on=pl.lit(START),
            due_on=pl.lit(due_on),
            status=pl.lit(status),
            completed_on=pl.lit(completed_on, pl.Date),
            version=pl.lit(1),
        )
    if goals and checked:
        frames["check_ins"] = pl.DataFrame(
            [
                (f"g{n}", _at(START + timedelta(days=day)), (40.0 + 5 * (n % 9)) * day / 140, 0.7)
                for n in range(goals)
                for day in range(0, 141, 14)
            ]
            + [("g0", _at(day), 50.0, 0.7) for day in mistyped],
            schema=["goal_id", "checked_at", "value", "confidence"],
            orient="row",
        )
    for table, frame in frames.items():
        frame.write_csv(exports / f"{table}.csv")
    report = run_import([exports], home=home, now=_at(IMPORTED).replace(tzinfo=UTC))
    assert report.complete, [(sheet.place, sheet.state, sheet.questions) for sheet in report.sheets]
    return home


def _goal(n: int, *, owned: bool) -> tuple[str, str, str | None, str, str | None, str]:
    owner = _PEOPLE[n % len(_PEOPLE)] if owned else None
    if n == 0:
        return "g0", "Win the market", None, "company", owner, "acme"
    return f"g{n}", f"Open branch {n}", "g0", "department" if n % 2 else "individual", owner, "sales"


def _at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 9)
