"""A file that is loaded again takes nothing away, however much is known meanwhile."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from data import sources
from data.importing import ImportReport, inspect, run_import
from data.sources.model import Answer, Recognition
from data.warehouse import Warehouse

ROSTER = "Employee ID,Name,Email,Hire Date\n" + "".join(
    f"M{n:02},Person {n},p{n}@x.example,2020-01-01\n" for n in range(1, 9)
)
LETTERS = "Cycle,Employee ID,Reviewer,Rating\n" + "".join(
    f"2026H1,M{n:02},M{n % 8 + 1:02},{'ABC'[n % 3]}\n" for n in range(1, 9)
)
ANSWERS: dict[str, Answer] = {
    "ratings.source": "peer",
    "scale": ("C", "B", "A"),
    "cycle_dates": "2026-01-01 … 2026-06-30",
}
TABLES = ("ratings", "review_cycles", "rating_scales", "scale_levels")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "1-roster.csv").write_text(ROSTER, encoding="utf-8")
    (tmp_path / "in" / "2-ratings.csv").write_text(LETTERS, encoding="utf-8")
    return tmp_path / "in"


def load(*paths: Path, home: Path, answers: dict[str, Answer] | None = None, **options: Any) -> ImportReport:
    return run_import(
        paths,
        home=home,
        as_of=date(2026, 7, 1),
        now=datetime(2026, 7, 2, tzinfo=UTC),
        answers=ANSWERS if answers is None else answers,
        **options,
    )


def counts(home: Path) -> dict[str, int]:
    engine = Warehouse(home).open()
    return {name: engine.query(lambda tables, n=name: tables(n)).height for name in TABLES}


EVERYTHING = {"ratings": 8, "review_cycles": 1, "rating_scales": 1, "scale_levels": 3}


def test_a_file_whose_cycle_and_scale_were_answered_changes_nothing_the_second_time(
    folder: Path, home: Path
) -> None:
    load(folder / "1-roster.csv", home=home)
    assert load(folder / "2-ratings.csv", home=home).version is not None
    assert counts(home) == EVERYTHING
    again = load(folder / "2-ratings.csv", home=home)
    assert (again.version, again.sheets[0].state, again.rejected.height) == (None, "unchanged", 0)


def test_neither_does_its_folder(folder: Path, home: Path) -> None:
    assert load(folder, home=home).version is not None
    again = load(folder, home=home)
    assert (again.version, {sheet.state for sheet in again.sheets}) == (None, {"unchanged"})
    assert counts(home) == EVERYTHING


def test_neither_does_what_was_settled_on_the_page(folder: Path, home: Path) -> None:
    def settled() -> dict[str, Recognition]:
        found = inspect([folder], home=home, as_of=date(2026, 7, 1))
        return {
            sheet.digest: sources.with_answers(recognition, ANSWERS) for sheet, recognition in found.sheets
        }

    assert load(folder, home=home, answers={}, recognitions=settled()).version is not None
    again = load(folder, home=home, answers={}, recognitions=settled())
    assert (again.version, {sheet.state for sheet in again.sheets}) == (None, {"unchanged"})
    assert counts(home) == EVERYTHING


def test_two_files_that_share_a_cycle_change_nothing_one_after_the_other(folder: Path, home: Path) -> None:
    """The cycle is on the books of one of them only, so the other is read otherwise, to the same effect."""
    (folder / "3-more.csv").write_text(LETTERS.replace(",A\n", ",B\n"), "utf-8")
    load(folder, home=home)
    for name in ("2-ratings.csv", "3-more.csv"):
        before = counts(home)
        again = load(folder / name, home=home)
        assert counts(home) == before
        assert again.rejected.height == 0
    assert load(folder, home=home).version is None


def test_a_cycle_others_still_stand_on_stays_when_the_file_that_brought_it_is_read_anew(
    folder: Path, home: Path
) -> None:
    load(folder / "1-roster.csv", folder / "2-ratings.csv", home=home)
    other = "Cycle,Employee ID,Reviewer,Rating\n2026H1,M01,M05,A\n"
    (folder / "3-more.csv").write_text(other, encoding="utf-8")
    load(folder / "3-more.csv", home=home)
    again = load(folder / "2-ratings.csv", home=home, answers={**ANSWERS, "scale": ("D", "C", "B", "A")})
    assert again.rejected.height == 0
    assert counts(home)["ratings"] == 9


def test_a_reading_that_brings_less_than_the_last_is_warned_of(folder: Path, home: Path) -> None:
    (folder / "3-goals.csv").write_text(
        "goal_id,title,scope,owner_id,start_on,due_on,status,version,Aim\n"
        "g,Grow,individual,M01,2026-01-01,2026-06-30,active,1,g\n"
        "h,Hire,individual,M02,2026-01-01,2026-06-30,active,1,g\n",
        encoding="utf-8",
    )
    path = folder / "3-goals.csv"
    assert load(folder, home=home).warning is None
    ((sheet, recognition),) = inspect([path], home=home).sheets
    # Both goals under one id: one of them is gone.
    other = tuple(replace(m, header="Aim") if m.column == "goal_id" else m for m in recognition.matches)
    settled = {sheet.digest: replace(recognition, matches=other)}
    kept = load(path, home=home, recognitions=settled, all_or_nothing=True)
    assert kept.version is None
    warned = load(path, home=home, recognitions=settled)
    assert warned.version is not None
    assert str(warned.warning).startswith("Fewer rows than before: goals 1.")
