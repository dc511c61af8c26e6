"""Who is known, and where they stand, changes only by what a file says."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from data.contracts import TABLES
from data.importing import ImportReport, run_import
from data.warehouse import Warehouse

ROSTER = (
    "Employee ID,Name,Email,Hire Date,Department,Level,Manager,Effective Date\n"
    "M1,Ann,ann@x.example,2019-04-01,Sales,L5,,2020-01-01\n"
    "M2,Bo,bo@x.example,2020-09-01,Sales,L3,M1,2020-01-01\n"
    "M3,Cy,cy@x.example,2021-02-01,Service,L2,M1,2020-01-01\n"
)
ANSWERS = {
    "ratings.source": "manager",
    "scale": ("C", "B", "A"),
    "cycle": "2026H1",
    "cycle_dates": "2026-01-01 … 2026-06-30",
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    load(tmp_path, "roster", ROSTER)
    return tmp_path / "home"


def load(folder: Path, name: str, text: str, **options: Any) -> ImportReport:
    path = folder / f"{name}.csv"
    path.write_text(text, encoding="utf-8")
    return run_import(
        [path],
        home=folder / "home",
        as_of=date(2026, 7, 1),
        now=datetime(2026, 7, 2, tzinfo=UTC),
        answers=ANSWERS,
        **options,
    )


def table(home: Path, name: str) -> pl.DataFrame:
    columns = TABLES[name].column_names()
    return Warehouse(home).open().query(lambda tables: tables(name).select(*columns)).sort(pl.all())


def test_ratings_with_names_and_managers_leave_people_and_places_as_they_are(
    tmp_path: Path, home: Path
) -> None:
    before = {name: table(home, name) for name in ("employees", "assignments", "departments")}
    report = load(
        tmp_path,
        "ratings",
        "Employee ID,Name,Manager,Rating\nM2,Robert,M3,A\nM3,Cyril,M1,B\nGH9999,Ghost,M1,C\n",
    )
    assert report.version is not None
    assert {name: table(home, name).equals(rows) for name, rows in before.items()} == dict.fromkeys(
        before, True
    )
    # The ghost is rejected, as without the name.
    assert report.rejected.select("rule", "column", "value").rows() == [
        ("every_ratee_is_among_the_employees", "ratee_id", "GH9999")
    ]
    assert table(home, "ratings")["ratee_id"].to_list() == ["M2", "M3"]


def test_a_list_without_hire_dates_keeps_those_known(tmp_path: Path, home: Path) -> None:
    load(tmp_path, "names", "Employee ID,Name,Effective Date\nM1,Anna,2026-07-01\n")
    ann = table(home, "employees").row(0, named=True)
    assert (ann["display_name"], ann["email"], ann["hire_date"]) == (
        "Anna",
        "ann@x.example",
        date(2019, 4, 1),
    )


def test_a_move_told_without_level_and_manager_goes_on_with_both(tmp_path: Path, home: Path) -> None:
    load(tmp_path, "moves", "Employee ID,Name,Department,Effective Date\nM2,Bo,Service,2026-03-01\n")
    moved = table(home, "assignments").filter(employee_id="M2").sort("valid_from")
    assert moved.select("valid_from", "department_id", "level", "manager_id").rows() == [
        (date(2020, 1, 1), "Sales", "L3", "M1"),
        (date(2026, 3, 1), "Service", "L3", "M1"),
    ]


def test_an_empty_cell_of_a_column_that_is_there_still_says_nobody(tmp_path: Path, home: Path) -> None:
    load(tmp_path, "moves", "Employee ID,Name,Department,Manager,Effective Date\nM2,Bo,Service,,2026-03-01\n")
    moved = table(home, "assignments").filter(employee_id="M2").sort("valid_from")
    assert moved.select("level", "manager_id").row(1) == ("L3", None)


def test_two_files_about_one_day_complete_each_other(tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "both"
    folder.mkdir()
    (folder / "1.csv").write_text("Employee ID,Name,Department,Effective Date\nM2,Bo,Service,2026-03-01\n")
    (folder / "2.csv").write_text("Employee ID,Name,Level,Effective Date\nM2,Bo,L4,2026-03-01\n")
    run_import([folder], home=home, as_of=date(2026, 7, 1), now=datetime(2026, 7, 2, tzinfo=UTC))
    moved = table(home, "assignments").filter(employee_id="M2").sort("valid_from")
    assert moved.select("department_id", "level", "manager_id").row(1) == ("Service", "L4", "M1")
