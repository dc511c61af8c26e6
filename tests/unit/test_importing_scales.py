"""A rating off the declared scale of its cycle is one bad row, and no question about the whole file."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from data.acceptance import sentences
from data.importing import OFF_SCALE, ImportReport, run_import
from data.warehouse import Warehouse

PEOPLE = "Employee ID,Name,Email,Hire Date\n1,Ann,ann@x.example,2020-01-01\n2,Bo,bo@x.example,2020-01-01\n"
SCALE = "scale_id,name,lowest,highest\nletters,Letters,1,5\npercent,Per cent,0,100\n"
LEVELS = "scale_id,level,code,label,points\n" + "".join(
    f"letters,{at},{code},{code},{at}\n" for at, code in enumerate("DCBAS", start=1)
)
CYCLES = (
    "cycle_id,name,starts_on,ends_on,scale_id\n"
    "2026H1,First half,2026-01-01,2026-06-30,letters\n"
    "2026P,Projects,2026-01-01,2026-06-30,percent\n"
)
HEADER = "Cycle,Employee ID,Rater ID,Source,Rating\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def load(folder: Path, home: Path, **files: str) -> ImportReport:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.csv").write_text(content, encoding="utf-8")
    return run_import([folder], home=home, as_of=date(2026, 7, 1), now=datetime(2026, 7, 2, tzinfo=UTC))


def declared(folder: Path, home: Path) -> None:
    assert load(folder, home, people=PEOPLE, rating_scales=SCALE, scale_levels=LEVELS, cycles=CYCLES).complete


def scores(home: Path) -> list[tuple[str, float, int | None]]:
    rows = Warehouse(home).open().query(lambda tables: tables("ratings"))
    return rows.sort("cycle_id", "ratee_id").select("cycle_id", "score", "level").rows()


@pytest.mark.parametrize("together", [True, False])
def test_a_level_off_the_declared_scale_is_one_bad_row(tmp_path: Path, home: Path, together: bool) -> None:
    ratings = f"{HEADER}2026H1,1,2,Manager,A\n2026H1,2,1,Manager,A+\n"
    if together:
        files = {"rating_scales": SCALE, "scale_levels": LEVELS, "cycles": CYCLES}
        report = load(tmp_path / "all", home, people=PEOPLE, ratings=ratings, **files)
    else:
        declared(tmp_path / "first", home)
        report = load(tmp_path / "second", home, ratings=ratings)
    assert {sheet.state for sheet in report.sheets} == {"imported"}
    assert report.rejected.select("file", "line", "rule", "column", "value").rows() == [
        ("ratings.csv", 3, OFF_SCALE, "score", "A+")
    ]
    assert sentences(report.rejected).item() == (
        "The rating “A+” is not on the scale of cycle 2026H1 (S, A, B, C, D). Correct the export, or load a "
        "scale that has it."
    )
    assert scores(home) == [("2026H1", 4.0, 4)]  # A is the fourth of five


def test_a_scale_without_levels_is_declared_by_its_ends(tmp_path: Path, home: Path) -> None:
    declared(tmp_path / "first", home)
    report = load(
        tmp_path / "second", home, ratings=f"{HEADER}2026P,1,2,Manager,87.5\n2026P,2,1,Manager,101\n"
    )
    assert report.rejected.select("line", "rule", "value").rows() == [(3, OFF_SCALE, "101")]
    assert "of cycle 2026P (0 … 100)" in sentences(report.rejected).item()
    assert scores(home) == [("2026P", 87.5, None)]


def test_each_row_is_judged_by_the_scale_of_its_own_cycle(tmp_path: Path, home: Path) -> None:
    declared(tmp_path / "first", home)
    ratings = (
        f"{HEADER}2026H1,1,2,Manager,S\n2026P,1,2,Manager,S\n2026P,2,1,Manager,4\n2026H1,2,1,Manager,4\n"
    )
    report = load(tmp_path / "second", home, ratings=ratings)
    assert sorted(report.rejected.select("line", "value").rows()) == [(3, "S"), (5, "4")]
    assert scores(home) == [("2026H1", 5.0, 5), ("2026P", 4.0, None)]


def test_an_average_between_levels_counts_where_levels_count_as_written(tmp_path: Path, home: Path) -> None:
    five = "scale_id,level,code,label,points\n" + "".join(
        f"five,{at},{at},L{at},{at}\n" for at in range(1, 6)
    )
    scale = "scale_id,name,lowest,highest\nfive,Five,1,5\n"
    cycle = "cycle_id,name,starts_on,ends_on,scale_id\nH1,H1,2026-01-01,2026-06-30,five\n"
    load(tmp_path / "first", home, people=PEOPLE, rating_scales=scale, scale_levels=five, cycles=cycle)
    report = load(tmp_path / "second", home, ratings=f"{HEADER}H1,1,2,Manager,3.5\nH1,2,1,Manager,5.5\n")
    assert report.rejected.select("line", "rule", "value").rows() == [(3, OFF_SCALE, "5.5")]
    assert scores(home) == [("H1", 3.5, None)]


def test_where_no_scale_is_declared_it_is_asked(tmp_path: Path, home: Path) -> None:
    declared(tmp_path / "first", home)
    report = load(tmp_path / "second", home, ratings=f"{HEADER}2027H1,1,2,Manager,A\n2027H1,2,1,Manager,A+\n")
    assert [sheet.state for sheet in report.sheets] == ["waiting"]
    assert {question.key for question in report.sheets[0].questions} == {"scale", "cycle_dates"}


def test_a_level_left_out_of_the_answered_scale_is_named_too(tmp_path: Path, home: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "people.csv").write_text(PEOPLE, encoding="utf-8")
    (tmp_path / "in" / "ratings.csv").write_text(
        f"{HEADER}2027H1,1,2,Manager,A\n2027H1,2,1,Manager,A+\n", encoding="utf-8"
    )
    report = run_import(
        [tmp_path / "in"],
        home=home,
        as_of=date(2027, 7, 1),
        now=datetime(2027, 7, 2, tzinfo=UTC),
        answers={"scale": "C < B < A", "cycle_dates": "2027-01-01 … 2027-06-30"},
    )
    assert "“A+” is not on the scale of cycle 2027H1 (A, B, C)" in sentences(report.rejected).item()
    assert scores(home) == [("2027H1", 3.0, 3)]
