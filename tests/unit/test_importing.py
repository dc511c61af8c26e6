"""Good rows go in, bad rows stay with their reason, and a version is whole or not there at all."""

from __future__ import annotations

import csv
import errno
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import narwhals as nw
import polars as pl
import pytest

from analytics.language import Language
from data import importing, warehouse
from data.acceptance import SAID, person_rules, row_rules, sentences
from data.access import Role, Viewer
from data.contracts import TABLES, references
from data.contracts.promises import APPROVALS, is_cut
from data.importing import ImportReport, Progress, escaped, inspect, rejected_as_csv, run_import
from data.problems import Problem
from data.sources import reading
from data.sources.model import EXTRA, LINE, MANAGER, SELF, Known, Match, Question, Recognition, Sheet
from data.warehouse import Warehouse

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
AS_OF = date(2026, 3, 1)
HR = Viewer("hr", "Head of HR", frozenset({Role.HR_LEADERSHIP}))


class Plain:
    """Exports whose headers name table and column, such as ``ratings.score``; ``?key`` asks a question."""

    name = "plain"

    def recognise(self, sheet: Sheet, known: Known) -> Recognition | None:
        asked = [header[1:] for header in sheet.headers if header.startswith("?")]
        used = [header for header in sheet.headers if "." in header]
        return Recognition(
            "plain",
            1.0,
            tuple(Match(header, *header.split(".", 1), 1.0) for header in used),
            questions=tuple(Question(key, "Which {key}?", {"key": key}) for key in asked),
        )

    def translate(
        self, batch: pl.DataFrame, recognition: Recognition, known: Known
    ) -> Mapping[str, pl.DataFrame]:
        if "boom" in recognition.answers.values():
            raise ZeroDivisionError
        frames: dict[str, list[Any]] = {}
        for match in recognition.matches:
            frames.setdefault(match.table, [LINE]).append(pl.col(match.header).alias(match.column))
        return {table: batch.select(columns) for table, columns in frames.items()}


def with_answers(recognition: Recognition, answers: Mapping[str, Any]) -> Recognition:
    open_questions = tuple(q for q in recognition.questions if q.key not in answers)
    return Recognition(
        recognition.source,
        recognition.confidence,
        recognition.matches,
        {**recognition.answers, **answers},
        open_questions,
    )


@pytest.fixture(autouse=True)
def plain_exports(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Plain()
    front = SimpleNamespace(
        load_profiles=lambda folder: (),
        recognise=lambda sheet, known, profiles: source.recognise(sheet, known),
        with_answers=with_answers,
        source=lambda name: source,
        dictionaries=lambda sheets: {},
    )
    monkeypatch.setattr(importing, "sources", front)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def write(folder: Path, name: str, table: str, *rows: dict[str, Any], asks: str | None = None) -> Path:
    """A CSV of rows of one table."""
    headers = list(dict.fromkeys(header for row in rows for header in row))
    path = folder / name
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*(f"{table}.{header}" for header in headers), *([f"?{asks}"] if asks else [])])
        for row in rows:
            writer.writerow([*(row.get(header, "") for header in headers), *(["x"] if asks else [])])
    return path


PEOPLE = [
    {"employee_id": "00012", "display_name": "Ann Li", "email": "Ann@x.org"},
    {"employee_id": "2", "display_name": "Bo Wang", "email": "bo@x.org"},
    {"employee_id": "3", "display_name": "Wang Wei", "email": "wei1@x.org"},
    {"employee_id": "4", "display_name": "Wang Wei", "email": "wei2@x.org"},
]
CYCLE = {
    "cycle_id": "H1",
    "name": "2025 H1",
    "starts_on": "2025-01-01",
    "ends_on": "2025-06-30",
    "scale_id": "s",
}
RATING = {
    "cycle_id": "H1",
    "ratee_id": "00012",
    "rater_id": "2",
    "source": "peer",
    "dimension": "overall",
    "stage": "initial",
    "score": "3",
    "level": "3",
    "submitted_at": "2025-06-01T10:00:00",
}


def company(folder: Path) -> None:
    """Four people, one cycle on a scale of five levels."""
    write(folder, "1-people.csv", "employees", *PEOPLE)
    write(
        folder, "2-scales.csv", "rating_scales", {"scale_id": "s", "name": "S", "lowest": "1", "highest": "5"}
    )
    levels = [{"scale_id": "s", "level": i, "code": i, "label": f"L{i}", "points": i} for i in range(1, 6)]
    write(folder, "3-levels.csv", "scale_levels", *levels)
    write(folder, "4-cycles.csv", "review_cycles", CYCLE)


def load(*paths: Path, home: Path, **options: Any) -> ImportReport:
    return run_import(paths, home=home, as_of=AS_OF, now=NOW, **options)


def table(home: Path, name: str) -> pl.DataFrame:
    return Warehouse(home).open().query(lambda tables: tables(name))


def rules(report: ImportReport) -> set[tuple[str, str, int]]:
    return set(report.rejected.select("table", "rule", "n").iter_rows())


def test_reasons_are_kept_as_templates_and_said_in_the_readers_language(folder: Path, home: Path) -> None:
    company(folder)
    write(folder, "5-ratings.csv", "ratings", RATING | {"score": "A+"}, RATING | {"ratee_id": "x"})
    report = load(folder, home=home)
    for rows in (report.rejected, table(home, "_rejected")):
        english, chinese = (sentences(rows, Language(code)) for code in ("en", "zh"))
        assert english.sort().str.split(".").list.first().to_list() == [
            "The rating “A+” is not on the scale of cycle H1 (5, 4, 3, 2, 1)",
            "There is no such row in employees",
        ]
        assert english.to_list() == sentences(rows).to_list()
        assert all(re.search("[一-鿿].*。$", said) for said in chinese)
        assert sum("A+" in said for said in chinese) == sum("employees" in said for said in chinese) == 1


# What goes in


def test_a_folder_of_files_becomes_a_version(folder: Path, home: Path) -> None:
    company(folder)
    write(folder, "5-ratings.csv", "ratings", RATING)
    report = load(folder, home=home)
    assert report.complete
    assert report.version == Warehouse(home).current()
    assert report.version is not None
    assert report.version.rows["ratings"] == 1
    row = table(home, "ratings").row(0, named=True)
    assert row["score"] == 3.0
    assert row["submitted_at"] == datetime(2025, 6, 1, 10)
    assert (row["_source_id"], row["_line"]) == (report.sheets[4].source_id, 2)


def test_ids_stay_text(folder: Path, home: Path) -> None:
    company(folder)
    load(folder, home=home)
    assert "00012" in table(home, "employees")["employee_id"]


def test_formulas_stay_text(folder: Path, home: Path) -> None:
    write(folder, "p.csv", "employees", {"employee_id": "1", "display_name": '=HYPERLINK("http://x","y")'})
    load(folder, home=home)
    assert table(home, "employees")["display_name"].item() == '=HYPERLINK("http://x","y")'


def test_every_source_is_on_the_books_with_its_original(folder: Path, home: Path) -> None:
    company(folder)
    load(folder, home=home)
    books = table(home, "_sources").sort("file")
    assert books["file"].to_list() == ["1-people.csv", "2-scales.csv", "3-levels.csv", "4-cycles.csv"]
    assert books["rows"].to_list() == books["accepted"].to_list() == [4, 1, 5, 1]
    for file, kept in books.select("file", "kept").iter_rows():
        assert (home / "exports" / kept).read_bytes() == (folder / file).read_bytes()
    meta = table(home, "_meta").row(0, named=True)
    assert meta["as_of"] == AS_OF
    assert "no_goal_is_its_own_parent" in json.loads(meta["rules"])["goals"]


# What does not


def test_a_bad_row_stays_out_with_file_line_rule_and_value(folder: Path, home: Path) -> None:
    company(folder)
    path = write(
        folder,
        "5-ratings.csv",
        "ratings",
        RATING,
        RATING | {"rater_id": "3", "score": "A+"},
        RATING | {"rater_id": "4", "source": "boss"},
    )
    report = load(folder, home=home)
    assert rules(report) == {("ratings", importing.OFF_SCALE, 1), ("ratings", "source|readable", 1)}
    ratings = report.sheets[4]
    assert (ratings.rows, ratings.accepted, ratings.rejected) == (3, 1, 2)
    kept = table(home, "_rejected").sort("line")
    assert kept["line"].to_list() == [3, 4]
    assert kept["value"].to_list() == ["A+", "boss"]
    assert json.loads(kept["row"][0])["ratings.score"] == "A+"
    assert kept["message"][1] == "The field {column} must be one of: {choices}."
    assert sentences(kept)[0].startswith("The rating “A+” is not on the scale of cycle H1 (5, 4, 3, 2, 1).")
    assert "peer" in sentences(kept)[1]
    assert path.name in report.rejected["file"]


GOAL = {
    "title": "t",
    "scope": "team",
    "start_on": "2026-01-01",
    "due_on": "2026-06-30",
    "status": "active",
    "version": "1",
}


def test_a_row_that_needs_what_it_names_is_rejected_if_that_is_nowhere(folder: Path, home: Path) -> None:
    write(folder, "1-people.csv", "employees", *PEOPLE)
    write(folder, "2-goals.csv", "goals", GOAL | {"goal_id": "a", "owner_id": "2"})
    write(
        folder,
        "3-checks.csv",
        "check_ins",
        *({"goal_id": g, "checked_at": "2026-02-01", "value": "1"} for g in "ab"),
    )
    write(folder, "4.csv", "goal_alignments", {"goal_id": "a", "serves_goal_id": "b"})
    report = load(folder, home=home)
    assert rules(report) == {
        ("check_ins", "every_goal_is_among_the_goals", 1),
        ("goal_alignments", "every_serves_goal_is_among_the_goals", 1),
    }
    assert table(home, "check_ins")["goal_id"].to_list() == ["a"]


def test_a_goal_is_kept_without_the_cycle_parent_or_owner_nobody_knows(folder: Path, home: Path) -> None:
    write(folder, "1-people.csv", "employees", *PEOPLE)
    goals = write(
        folder,
        "2-goals.csv",
        "goals",
        GOAL | {"goal_id": "a", "cycle_id": "2026", "owner_id": "nobody"},
        GOAL | {"goal_id": "b", "parent_id": "a", "owner_id": "2"},
        GOAL | {"goal_id": "c", "parent_id": "z", "owner_id": "bo@x.org"},
    )
    report = load(folder, home=home)
    assert rules(report) == {
        ("goals", "every_owner_is_among_the_employees", 1),
        ("goals", "every_parent_is_among_the_goals", 1),
        ("goals", "every_cycle_is_among_the_review_cycles", 1),
    }
    assert table(home, "goals").sort("goal_id").select(
        "goal_id", "cycle_id", "parent_id", "owner_id"
    ).rows() == [
        ("a", None, None, None),
        ("b", None, "a", "2"),
        ("c", None, None, "2"),
    ]
    # Nothing is lost: each link stands among the rejected with its line and value, and the sheet counts them.
    kept = table(home, "_rejected").sort("line", "column").select("line", "column", "value").rows()
    assert kept == [(2, "cycle_id", "2026"), (2, "owner_id", "nobody"), (4, "parent_id", "z")]
    sheet = report.sheets[1]
    assert (sheet.rows, sheet.accepted, sheet.rejected, sheet.remarked) == (3, 3, 0, 2)
    assert report.rejected["kept"].all()
    book = table(home, "_sources").filter(file="2-goals.csv").select("rows", "accepted", "rejected")
    assert book.rows() == [(3, 3, 0)]
    assert not report.complete
    # The cycle turns up: loaded again, the goal has it.
    (folder / "rest").mkdir()
    company(folder / "rest")
    write(folder / "rest", "4-cycles.csv", "review_cycles", CYCLE | {"cycle_id": "2026"})
    load(folder / "rest", home=home)
    load(goals, home=home)
    assert table(home, "goals").sort("goal_id")["cycle_id"].to_list() == ["2026", None, None]


def test_a_manager_who_is_not_known_is_nobody_and_never_the_one_before(folder: Path, home: Path) -> None:
    company(folder)
    stood = [
        {"employee_id": "00012", "valid_from": "2025-01-01", "manager_id": "2"},
        {"employee_id": "00012", "valid_from": "2025-03-01", "manager_id": "77"},
        {"employee_id": "2", "valid_from": "2025-01-01", "manager_id": "3"},
        {"employee_id": "2", "valid_from": "2025-03-01", "manager_id": "Wang Wei"},  # two bear that name
    ]
    write(folder, "4-stood.csv", "assignments", *stood)
    given = RATING | {"source": "manager", "rater_id": MANAGER}
    write(folder, "5-ratings.csv", "ratings", given, given | {"ratee_id": "2"})
    report = load(folder, home=home)
    assert rules(report) == {
        ("assignments", "every_manager_is_among_the_employees", 1),
        ("assignments", "every_person_is_named_unmistakably", 1),
        ("ratings", "the_manager_of_the_ratee_is_known", 2),
    }
    found = table(home, "assignments").sort("employee_id", "valid_from")
    assert found["manager_id"].to_list() == ["2", None, "3", None]
    assert load(folder, home=home).version is None


def test_a_department_below_one_nobody_described_is_a_top(folder: Path, home: Path) -> None:
    write(
        folder,
        "d.csv",
        "departments",
        {"department_id": "a", "valid_from": "2025-01-01", "name": "A", "parent_id": "gone"},
        {"department_id": "b", "valid_from": "2025-01-01", "name": "B", "parent_id": "a"},
    )
    assert rules(load(folder, home=home)) == {("departments", "every_parent_is_among_the_departments", 1)}
    found = table(home, "departments").sort("department_id")
    assert found["parent_id"].to_list() == [None, "a"]


def test_an_approver_nobody_knows_does_not_become_a_change_nobody_approved(folder: Path, home: Path) -> None:
    write(folder, "1.csv", "goals", GOAL | {"goal_id": "a"})
    change = {"goal_id": "a", "changed_at": "2026-02-01", "field": "target", "approved_by": "boss"}
    write(folder, "2.csv", "goal_changes", change)
    assert rules(load(folder, home=home)) == {("goal_changes", "every_approved_by_is_among_the_employees", 1)}
    assert table(home, "goal_changes").height == 0


def test_links_are_cut_exactly_where_null_says_no_more_than_that_nothing_is_known() -> None:
    kept = {(name, column) for name in TABLES for column in references(name) if is_cut(name, column)}
    optional = {
        (name, column)
        for name in TABLES
        for column in references(name)
        if TABLES[name].columns()[column].nullable
    }
    assert kept == optional - APPROVALS
    assert {("assignments", "manager_id"), ("goals", "cycle_id"), ("ratings", "department_id")} <= kept


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"score": "6"}, "every_score_is_on_the_scale_of_its_cycle"),
        ({"level": "7"}, "every_level_is_on_the_scale_of_its_cycle"),
        ({"submitted_at": "2024-12-31"}, "ratings_are_submitted_in_or_soon_after_their_cycle"),
        ({"submitted_at": "2026-07-01"}, "ratings_are_submitted_in_or_soon_after_their_cycle"),
        ({"cycle_id": "H9"}, "every_cycle_is_among_the_review_cycles"),
        ({"rater_id": "77"}, "every_rater_is_an_employee_a_customer_or_a_panel"),
        ({"rater_id": "00012"}, "only_self_ratings_are_by_the_ratee"),
        ({"source": "self"}, "only_self_ratings_are_by_the_ratee"),
    ],
)
def test_a_rating_that_breaks_a_promise_is_rejected_by_name(
    changed: dict[str, str], rule: str, folder: Path, home: Path
) -> None:
    company(folder)
    write(folder, "5-ratings.csv", "ratings", RATING, RATING | {"dimension": "other"} | changed)
    assert rules(load(folder, home=home)) == {("ratings", rule, 1)}
    assert table(home, "ratings").height == 1


def test_a_rating_on_the_last_day_of_the_year_after_the_cycle_is_in_time(folder: Path, home: Path) -> None:
    company(folder)
    write(folder, "5-ratings.csv", "ratings", RATING | {"submitted_at": "2026-06-30T23:59:59"})
    assert load(folder, home=home).complete


def test_a_customer_need_not_be_an_employee(folder: Path, home: Path) -> None:
    company(folder)
    write(folder, "5-ratings.csv", "ratings", RATING | {"rater_id": "ACME", "source": "customer"})
    assert load(folder, home=home).complete


def test_an_average_is_by_a_panel_of_the_ratee_however_the_ratee_is_named(folder: Path, home: Path) -> None:
    company(folder)
    write(
        folder,
        "5-ratings.csv",
        "ratings",
        RATING | {"ratee_id": "ann@x.org", "rater_id": "panel:peer:ann@x.org"},
        RATING | {"ratee_id": "2", "rater_id": "panel:peer:2"},
    )
    assert load(folder, home=home).complete
    found = table(home, "ratings").select("ratee_id", "rater_id").sort("ratee_id")
    assert found.rows() == [("00012", "panel:peer:00012"), ("2", "panel:peer:2")]
    # Named otherwise in a later export, it is the same panel.
    write(
        folder,
        "6-again.csv",
        "ratings",
        RATING | {"rater_id": "panel:peer:00012", "score": "4", "level": "4"},
    )
    load(folder, home=home)
    assert sorted(table(home, "ratings")["score"]) == [3.0, 4.0]


def test_a_row_with_more_fields_than_the_header_has_slipped(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(folder, "p.csv", "employees", *PEOPLE)
    read = reading.read_sheets

    def ragged(path: Path, **options: Any) -> list[Sheet]:
        (sheet,) = read(path, **options)
        extra = pl.when(pl.col(LINE) == 3).then(pl.lit("Marie")).alias(EXTRA)
        return [replace(sheet, batches=lambda: (b.with_columns(extra) for b in sheet.batches()))]

    monkeypatch.setattr(importing.reading, "read_sheets", ragged)
    report = load(path, home=home)
    assert rules(report) == {("", importing.SLIPPED, 1)}
    assert report.rejected.select("line", "value").row(0) == (3, "Marie")
    assert set(table(home, "employees")["employee_id"]) == {"00012", "3", "4"}
    assert "Marie" not in table(home, "_rejected")["row"].item()


def test_a_hidden_sheet_is_read_only_if_somebody_says_so(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(folder, "p.csv", "employees", *PEOPLE)
    read = reading.read_sheets
    monkeypatch.setattr(
        importing.reading, "read_sheets", lambda path, **o: [replace(s, hidden=True) for s in read(path, **o)]
    )
    report = load(path, home=home)
    assert [sheet.state for sheet in report.sheets] == ["hidden"]
    assert report.version is None
    (sheet, recognition), *_ = inspect([path], home=home).sheets
    assert load(path, home=home, recognitions={sheet.digest: recognition}).complete


# Who is meant


def test_persons_may_be_named_by_email_in_any_case_or_by_name(folder: Path, home: Path) -> None:
    company(folder)
    write(
        folder,
        "5-ratings.csv",
        "ratings",
        RATING | {"ratee_id": "ANN@X.ORG", "rater_id": "bo  wang"},
        RATING | {"ratee_id": "ann li", "rater_id": "ann@x.org", "source": "self"},
    )
    assert load(folder, home=home).complete
    found = table(home, "ratings").sort("rater_id").select("ratee_id", "rater_id")
    assert found.rows() == [("00012", "00012"), ("00012", "2")]


def test_an_ambiguous_name_is_rejected_not_guessed(folder: Path, home: Path) -> None:
    company(folder)
    write(folder, "5-ratings.csv", "ratings", RATING | {"rater_id": "Wang Wei"}, RATING)
    report = load(folder, home=home)
    assert rules(report) == {("ratings", "every_person_is_named_unmistakably", 1)}
    assert "(3, 4)" in sentences(report.rejected).item()


def test_a_rule_about_persons_is_judged_by_who_is_meant(folder: Path, home: Path) -> None:
    # Bo as a peer of himself, once by e-mail and once by name: neither text equals the other.
    company(folder)
    write(folder, "5-ratings.csv", "ratings", RATING | {"ratee_id": "bo@x.org", "rater_id": "Bo Wang"})
    assert rules(load(folder, home=home)) == {("ratings", "only_self_ratings_are_by_the_ratee", 1)}


def test_the_manager_of_a_rating_is_whoever_it_was_at_the_end_of_the_cycle(folder: Path, home: Path) -> None:
    company(folder)
    write(
        folder,
        "4-stood.csv",
        "assignments",
        {"employee_id": "00012", "valid_from": "2024-01-01", "manager_id": "2"},
        {"employee_id": "00012", "valid_from": "2025-05-01", "manager_id": "Bo Wang"},
        {"employee_id": "00012", "valid_from": "2025-07-01", "manager_id": "3"},  # after the cycle's end
        {"employee_id": "2", "valid_from": "2025-09-01", "manager_id": "4"},  # before the first, the first
        {"employee_id": "3", "valid_from": "2025-01-01", "manager_id": ""},
    )
    given = RATING | {"source": "manager", "rater_id": MANAGER}
    write(
        folder,
        "5-ratings.csv",
        "ratings",
        given,
        given | {"ratee_id": "bo@x.org"},
        given | {"ratee_id": "3"},  # has none
        RATING | {"source": "self", "rater_id": SELF, "ratee_id": "Ann Li"},
    )
    report = load(folder, home=home)
    assert rules(report) == {("ratings", "the_manager_of_the_ratee_is_known", 1)}
    found = table(home, "ratings").select("ratee_id", "rater_id", "source").sort("ratee_id", "source")
    assert found.rows() == [("00012", "2", "manager"), ("00012", "00012", "self"), ("2", "4", "manager")]


def test_somebody_known_by_email_alone_is_the_one_with_that_email(folder: Path, home: Path) -> None:
    write(folder, "1.csv", "employees", PEOPLE[0])
    write(folder, "2.csv", "employees", {"employee_id": "ann@x.org", "hire_date": "2020-01-01"})
    load(folder, home=home)
    found = table(home, "employees").select("employee_id", "display_name", "hire_date")
    assert found.rows() == [("00012", "Ann Li", date(2020, 1, 1))]


# Which row is the latest


def test_of_two_ratings_with_one_key_the_later_submitted_holds(folder: Path, home: Path) -> None:
    company(folder)
    write(
        folder,
        "5-ratings.csv",
        "ratings",
        RATING | {"score": "5", "level": "5", "submitted_at": "2025-06-09"},
        RATING | {"score": "2", "level": "2", "submitted_at": "2025-06-02"},
        RATING | {"score": "1", "level": "1", "submitted_at": ""},
    )
    report = load(folder, home=home)
    assert table(home, "ratings")["score"].to_list() == [5.0]
    count = next(c for c in report.tables if c.table == "ratings")
    assert (count.added, count.superseded) == (1, 2)


def test_without_a_date_the_later_file_and_then_the_later_line_holds(folder: Path, home: Path) -> None:
    write(folder, "a.csv", "employees", {"employee_id": "1", "display_name": "old"})
    write(
        folder,
        "b.csv",
        "employees",
        {"employee_id": "1", "display_name": "newer"},
        {"employee_id": "1", "display_name": "newest"},
    )
    load(folder, home=home)
    assert table(home, "employees")["display_name"].to_list() == ["newest"]


def test_repeating_the_same_row_supersedes_nothing(folder: Path, home: Path) -> None:
    write(folder, "a.csv", "employees", *[PEOPLE[0]] * 3)
    report = load(folder, home=home)
    assert (report.tables[0].added, report.tables[0].superseded) == (1, 0)


def test_a_file_without_a_column_leaves_what_was_known(folder: Path, home: Path) -> None:
    load(write(folder, "a.csv", "employees", PEOPLE[0]), home=home)
    load(write(folder, "b.csv", "employees", {"employee_id": "00012", "hire_date": "2020-01-01"}), home=home)
    row = table(home, "employees").row(0, named=True)
    assert (row["display_name"], row["email"], row["hire_date"]) == ("Ann Li", "Ann@x.org", date(2020, 1, 1))


def test_a_column_that_is_there_and_empty_does_clear_what_was_known(folder: Path, home: Path) -> None:
    gone = {"employee_id": "1", "termination_date": "2025-01-01"}
    load(write(folder, "a.csv", "employees", gone), home=home)
    load(write(folder, "b.csv", "employees", gone | {"termination_date": ""}), home=home)
    assert table(home, "employees")["termination_date"].to_list() == [None]


# Again, and again


def test_loading_the_same_files_twice_changes_nothing(folder: Path, home: Path) -> None:
    company(folder)
    write(folder, "5-ratings.csv", "ratings", RATING, RATING | {"rater_id": "3", "score": "A+"})
    first = load(folder, home=home)
    again = load(folder, home=home)
    assert again.version is None
    assert Warehouse(home).current() == first.version
    # What left no row behind is skipped; what did is tried again, for what it hangs on may be there now.
    assert [sheet.state for sheet in again.sheets] == ["unchanged"] * 4 + ["imported"]


def test_rows_rejected_for_want_of_a_roster_go_in_once_it_is_there(folder: Path, home: Path) -> None:
    ratings = write(folder, "r.csv", "ratings", RATING)
    assert load(ratings, home=home).sheets[0].rejected == 1
    rest = folder / "rest"
    rest.mkdir()
    company(rest)
    assert load(rest, home=home).complete
    assert load(ratings, home=home).complete
    assert table(home, "ratings").height == 1
    assert table(home, "_rejected").height == 0


def test_a_later_export_changes_adds_and_leaves(folder: Path, home: Path) -> None:
    load(write(folder, "a.csv", "employees", *PEOPLE[:3]), home=home)
    report = load(
        write(folder, "b.csv", "employees", PEOPLE[0] | {"display_name": "Ann Lee"}, PEOPLE[1], PEOPLE[3]),
        home=home,
    )
    count = report.tables[0]
    assert (count.rows, count.added, count.changed, count.unchanged) == (4, 1, 1, 1)
    books = table(home, "_sources").sort("file")["source_id"]
    by_id = {r["employee_id"]: r["_source_id"] for r in table(home, "employees").iter_rows(named=True)}
    assert by_id == {"00012": books[1], "2": books[0], "3": books[0], "4": books[1]}


def test_an_old_row_an_import_makes_impossible_is_rejected_with_its_own_line(
    folder: Path, home: Path
) -> None:
    # The cycle turns out to have begun after this rating was submitted.
    company(folder)
    write(folder, "5-ratings.csv", "ratings", RATING)
    load(folder, home=home)
    moved = write(folder, "6.csv", "review_cycles", CYCLE | {"starts_on": "2025-06-02"})
    report = load(moved, home=home)
    assert rules(report) == {("ratings", "ratings_are_submitted_in_or_soon_after_their_cycle", 1)}
    assert report.rejected["file"].to_list() == ["5-ratings.csv"]
    kept = table(home, "_rejected").row(0, named=True)
    assert json.loads(kept["row"])["ratings.submitted_at"] == RATING["submitted_at"]
    assert table(home, "ratings").height == 0


def test_loading_a_file_with_another_mapping_replaces_what_it_brought(folder: Path, home: Path) -> None:
    path = write(folder, "a.csv", "employees", {"employee_id": "1", "display_name": "Ann"})
    (sheet, recognition), *_ = inspect([path], home=home).sheets
    load(path, home=home)
    other = Recognition(
        "plain",
        1.0,
        (
            Match("employees.display_name", "employees", "employee_id", 1.0),
            Match("employees.employee_id", "employees", "display_name", 1.0),
        ),
    )
    load(path, home=home, recognitions={sheet.digest: other})
    assert table(home, "employees").select("employee_id", "display_name").rows() == [("Ann", "1")]
    assert table(home, "_sources").height == 1
    assert recognition.matches != other.matches


def test_mended_rows_are_loaded_again_from_the_file_of_rejected_rows(folder: Path, home: Path) -> None:
    company(folder)
    write(folder, "5-ratings.csv", "ratings", RATING, RATING | {"rater_id": "3", "score": "A+"})
    report = load(folder, home=home)
    source_id = report.sheets[4].source_id
    assert source_id is not None
    written = rejected_as_csv(HR, Warehouse(home), source_id)
    assert written.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(written.decode("utf-8-sig"))))
    assert len(rows) == 1
    assert rows[0]["_line"] == "3"
    assert rows[0]["_rule"] == importing.OFF_SCALE
    mended = folder / "mended.csv"
    mended.write_bytes(written.replace(b"A+", b"4"))
    assert load(mended, home=home).complete
    assert sorted(table(home, "ratings")["score"]) == [3.0, 4.0]
    # Nothing is left to mend, neither in the list nor in the counts of the original.
    assert table(home, "_rejected").height == 0
    books = {row["file"]: row for row in table(home, "_sources").iter_rows(named=True)}
    assert (books["5-ratings.csv"]["accepted"], books["5-ratings.csv"]["rejected"]) == (2, 0)
    assert (books["mended.csv"]["accepted"], books["mended.csv"]["rejected"]) == (1, 0)
    assert load(folder, home=home).version is None


STEWARD = Viewer("s", "Steward", frozenset({Role.DATA_STEWARD}))


def test_who_may_not_read_a_file_gets_where_its_rejected_rows_stand_and_no_value(
    folder: Path, home: Path
) -> None:
    company(folder)
    write(folder, "5-ratings.csv", "ratings", RATING, RATING | {"rater_id": "3", "score": "A+"})
    source_id = str(load(folder, home=home).sheets[4].source_id)
    written = rejected_as_csv(STEWARD, Warehouse(home), source_id)
    (row,) = csv.DictReader(io.StringIO(written.decode("utf-8-sig")))
    assert (row["file"], row["line"], row["table"]) == ("5-ratings.csv", "3", "ratings")
    assert (row["rule"], row["column"]) == (importing.OFF_SCALE, "score")
    # Neither the value, nor who rated whom.
    assert b"A+" not in written
    assert RATING["ratee_id"].encode() not in written


def test_a_column_nobody_read_keeps_the_rows_of_a_file_from_who_may_read_its_tables(
    folder: Path, home: Path
) -> None:
    viewer = Viewer("x", "X", frozenset({Role.DATA_STEWARD, Role.EXECUTIVE}))
    plain = {"goal_id": "g", "title": "Grow", "weight": "half"}
    for extra, shown in (({}, True), ({"pay of the owner": "52000"}, False)):
        path = write(folder, f"goals-{shown}.csv", "goals", plain)
        if extra:
            path.write_text("goals.goal_id,goals.weight,pay of the owner\ng,half,52000\n", encoding="utf-8")
        source_id = str(load(path, home=home).sheets[0].source_id)
        assert (b"half" in rejected_as_csv(viewer, Warehouse(home), source_id)) is shown


def test_a_row_that_was_mended_badly_is_rejected_once_and_can_be_mended_again(
    folder: Path, home: Path
) -> None:
    company(folder)
    bad = [RATING | {"rater_id": rater, "score": "A+"} for rater in ("3", "4")]
    write(folder, "5-ratings.csv", "ratings", RATING, *bad)
    source_id = str(load(folder, home=home).sheets[4].source_id)
    mended = folder / "mended.csv"
    # The first of the two is mended, the other spoilt anew.
    written = rejected_as_csv(HR, Warehouse(home), source_id)
    mended.write_bytes(written.replace(b"A+", b"4", 1).replace(b"A+", b"B"))
    report = load(mended, home=home)
    assert rules(report) == {("ratings", importing.OFF_SCALE, 1)}
    kept = table(home, "_rejected")
    assert kept.select("source_id", "line", "value").rows() == [(report.sheets[0].source_id, 3, "B")]
    again = folder / "again.csv"
    written = rejected_as_csv(HR, Warehouse(home), str(report.sheets[0].source_id))
    again.write_bytes(written.replace(b"B,3", b"5,3"))
    assert load(again, home=home).complete
    assert table(home, "_rejected").height == 0
    assert sorted(table(home, "ratings")["score"]) == [3.0, 4.0, 5.0]


def test_a_row_that_no_longer_says_which_line_it_stands_for_goes_in_beside_it(
    folder: Path, home: Path
) -> None:
    company(folder)
    write(folder, "5-ratings.csv", "ratings", RATING, RATING | {"rater_id": "3", "score": "A+"})
    source_id = str(load(folder, home=home).sheets[4].source_id)
    mended = folder / "mended.csv"
    written = rejected_as_csv(HR, Warehouse(home), source_id)
    mended.write_bytes(written.replace(b"A+", b"4").replace(source_id.encode(), b""))
    load(mended, home=home)
    assert table(home, "ratings").height == 2
    assert table(home, "_rejected")["line"].to_list() == [3]


def test_mended_rows_are_read_as_their_own_source_was(folder: Path, home: Path) -> None:
    # Two files with the same headers, the second read the other way round.
    rows = {"employee_id": "1", "display_name": "Ann", "hire_date": "soon"}
    first = write(folder, "a.csv", "employees", rows)
    source_id = str(load(first, home=home).sheets[0].source_id)
    second = write(folder, "b.csv", "employees", rows | {"display_name": "Bo"})
    (sheet, _), *_ = inspect([second], home=home).sheets
    turned = tuple(
        Match(f"employees.{header}", "employees", column, 1.0)
        for header, column in (("display_name", "employee_id"), ("employee_id", "display_name"))
    )
    load(second, home=home, recognitions={sheet.digest: Recognition("plain", 1.0, turned)})
    mended = folder / "mended.csv"
    mended.write_bytes(rejected_as_csv(HR, Warehouse(home), source_id).replace(b"soon", b"2020-01-01"))
    load(mended, home=home)
    found = table(home, "employees").sort("employee_id").select("employee_id", "display_name")
    assert found.rows() == [("1", "Ann"), ("Bo", "1")]


def test_cells_a_spreadsheet_would_run_are_escaped_and_come_back_as_they_were(
    folder: Path, home: Path
) -> None:
    write(
        folder,
        "p.csv",
        "employees",
        {"employee_id": "1", "display_name": "=1+1", "email": "@SUM(A1)", "hire_date": "soon"},
    )
    report = load(folder, home=home)
    written = rejected_as_csv(HR, Warehouse(home), str(report.sheets[0].source_id)).decode("utf-8-sig")
    assert "'=1+1" in written
    assert "'@SUM(A1)" in written
    mended = folder / "mended.csv"
    mended.write_text(written.replace("soon", "2020-01-01"), encoding="utf-8-sig")
    load(mended, home=home)
    assert table(home, "employees").row(0)[:3] == ("1", "=1+1", "@SUM(A1)")


@pytest.mark.parametrize("cell", ["-3.5", "+12", "-1,234.5", "12%", "Ann", "", "-40%"])
def test_plain_numbers_and_text_are_not_escaped(cell: str) -> None:
    assert escaped(cell) == cell


WIDE = ["＝1+1", "＋A1", "－A1", "＠x", "\n=1"]


@pytest.mark.parametrize("cell", ["=1", "+A1", "-A1", "@x", "\tx", "-1+cmd|' /C calc'!A0", "\r=1", *WIDE])
def test_what_a_spreadsheet_would_run_is_escaped(cell: str) -> None:
    assert escaped(cell) == f"'{cell}"
    assert re.sub(importing.ESCAPED, r"\1", escaped(cell)) == cell


def test_an_import_over_a_damaged_version_begins_anew_and_says_so(folder: Path, home: Path) -> None:
    load(write(folder, "a.csv", "employees", PEOPLE[0]), home=home)
    version = Warehouse(home).current()
    assert version is not None
    version.path.write_bytes(b"not a database")
    report = load(write(folder, "b.csv", "employees", PEOPLE[1]), home=home)
    assert report.restarted
    assert table(home, "employees")["employee_id"].to_list() == ["2"]
    # What the sentence about the damaged file proposes brings the rest back.
    load(home / "exports", home=home)
    assert sorted(table(home, "employees")["employee_id"]) == ["00012", "2"]


def test_a_version_of_another_release_is_not_built_upon_and_the_report_says_so(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(write(folder, "a.csv", "employees", PEOPLE[0]), home=home)
    for module in (importing, warehouse):
        monkeypatch.setattr(module, "contracts_version", lambda: "of the next release")
    report = load(write(folder, "b.csv", "employees", PEOPLE[1]), home=home)
    assert report.restarted
    assert table(home, "employees")["employee_id"].to_list() == ["2"]
    assert len(Warehouse(home).versions()) == 2


# What waits, what fails


def test_a_sheet_with_open_questions_waits_and_the_others_go_in(folder: Path, home: Path) -> None:
    write(folder, "a.csv", "employees", *PEOPLE)
    write(folder, "b.csv", "employees", {"employee_id": "9"}, asks="as_of_what")
    report = load(folder, home=home)
    assert [sheet.state for sheet in report.sheets] == ["imported", "waiting"]
    assert [question.key for question in report.sheets[1].questions] == ["as_of_what"]
    assert not report.complete
    assert table(home, "employees").height == 4
    answered = load(folder, home=home, answers={"b.csv/as_of_what": "today"})
    assert answered.complete
    assert table(home, "employees").height == 5


def test_an_answer_for_another_file_does_not_count(folder: Path, home: Path) -> None:
    path = write(folder, "b.csv", "employees", {"employee_id": "9"}, asks="scale")
    assert load(path, home=home, answers={"a.csv/scale": "1-5"}).sheets[0].state == "waiting"
    assert load(path, home=home, answers={"scale": "1-5"}).sheets[0].state == "imported"


def test_the_day_rosters_speak_about_is_the_one_given(folder: Path, home: Path) -> None:
    path = write(folder, "b.csv", "employees", {"employee_id": "9"}, asks="as_of")
    report = load(path, home=home)
    assert report.sheets[0].recognition is not None
    assert report.sheets[0].recognition.answers["as_of"] == "2026-03-01"


def test_all_or_nothing_publishes_nothing_when_something_stays_out(folder: Path, home: Path) -> None:
    write(folder, "a.csv", "employees", *PEOPLE, {"employee_id": "5", "hire_date": "soon"})
    report = load(folder, home=home, all_or_nothing=True)
    assert report.version is None
    assert Warehouse(home).current() is None
    assert rules(report) == {("employees", "hire_date|readable", 1)}


def test_a_rehearsal_tells_everything_and_publishes_nothing(folder: Path, home: Path) -> None:
    write(folder, "a.csv", "employees", *PEOPLE)
    report = load(folder, home=home, rehearse=True)
    assert report.sheets[0].accepted == 4
    assert report.version is None
    assert Warehouse(home).versions() == ()
    assert not (home / "exports").exists()


def test_a_file_that_cannot_be_read_stops_only_itself(folder: Path, home: Path) -> None:
    write(folder, "a.csv", "employees", *PEOPLE)
    (folder / "b.xlsx").write_bytes(b"PK\x03\x04 not a workbook")
    report = load(folder, home=home)
    assert [(sheet.file, sheet.state) for sheet in report.sheets] == [
        ("a.csv", "imported"),
        ("b.xlsx", "failed"),
    ]
    assert report.sheets[1].problem is not None
    assert table(home, "employees").height == 4


def test_a_sheet_that_breaks_off_half_way_leaves_nothing_behind(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, "a.csv", "employees", *PEOPLE)
    write(folder, "b.csv", "employees", {"employee_id": "8"}, {"employee_id": "9"})
    read = reading.read_sheets

    def breaking_off(path: Path, **options: Any) -> list[Sheet]:
        sheets = read(path, **options)
        if path.name != "b.csv":
            return sheets
        (sheet,) = sheets

        def batches() -> Iterator[pl.DataFrame]:
            yield sheet.sample[:1]
            raise Problem("{file}: is cut off in line {line}.", file=sheet.file, line=3)

        return [
            Sheet(sheet.file, sheet.sheet, sheet.digest, sheet.headers, sheet.sample, sheet.rows, batches)
        ]

    monkeypatch.setattr(importing.reading, "read_sheets", breaking_off)
    report = load(folder, home=home)
    assert [sheet.state for sheet in report.sheets] == ["imported", "failed"]
    assert str(report.sheets[1].problem) == "b.csv: is cut off in line 3."
    assert set(table(home, "employees")["employee_id"]) == {"00012", "2", "3", "4"}


def test_a_bug_in_a_source_is_a_message_not_a_crash(folder: Path, home: Path) -> None:
    path = write(folder, "b.csv", "employees", {"employee_id": "9"}, asks="x")
    report = load(path, home=home, answers={"x": "boom"})
    assert report.sheets[0].state == "failed"
    assert "save it as CSV" in str(report.sheets[0].problem)


def test_nothing_to_import_is_a_problem_that_says_so(folder: Path, home: Path) -> None:
    with pytest.raises(Problem, match="nothing to import"):
        load(folder, home=home)
    with pytest.raises(Problem, match="no file or folder"):
        load(folder / "gone.csv", home=home)


def test_a_disk_that_refuses_is_a_problem_and_the_last_version_stays(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load(write(folder, "a.csv", "employees", PEOPLE[0]), home=home)

    def full(self: Warehouse, *_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Warehouse, "publish", full)
    with pytest.raises(Problem, match=r"No space left on device.*the last good version is in force"):
        load(write(folder, "b.csv", "employees", PEOPLE[1]), home=home)
    assert Warehouse(home).current() == first.version
    assert not list((home / "warehouse").glob(".draft-*"))


def test_nothing_of_an_import_is_left_in_the_draft_folder(folder: Path, home: Path) -> None:
    write(folder, "a.csv", "employees", *PEOPLE)
    report = load(folder, home=home)
    assert report.version is not None
    left = {path.name for path in (home / "warehouse").iterdir()}
    assert left == {".lock", "catalogue.json", report.version.path.name}


def test_progress_counts_rows_and_ends_with_writing(folder: Path, home: Path) -> None:
    write(folder, "a.csv", "employees", *PEOPLE, {"employee_id": "5", "hire_date": "soon"})
    heard: list[Progress] = []
    load(folder, home=home, progress=heard.append)
    assert heard[0] == Progress("reading", "a.csv", 5, 4, 1)
    assert [p.stage for p in heard] == sorted(
        [p.stage for p in heard], key=["reading", "settling", "writing"].index
    )
    assert heard[-1].stage == "writing"


# Loops


def test_a_link_that_closes_a_loop_is_cut_and_the_goal_is_kept(folder: Path, home: Path) -> None:
    write(
        folder,
        "goals.csv",
        "goals",
        *({"goal_id": g, "parent_id": p} | GOAL for g, p in ["ab", "bc", "ca", "dc"]),
    )
    report = load(folder, home=home)
    # a → b → c → a: the link that came last is c → a; d only hangs below the loop.
    assert rules(report) == {("goals", "the_goal_tree_has_no_loops", 1)}
    assert dict(table(home, "goals").select("goal_id", "parent_id").iter_rows()) == {
        "a": "b",
        "b": "c",
        "c": None,
        "d": "c",
    }
    assert load(folder, home=home).version is None


def test_two_who_managed_each_other_in_different_years_are_no_loop(folder: Path, home: Path) -> None:
    write(folder, "1.csv", "employees", *PEOPLE)
    write(
        folder,
        "2.csv",
        "assignments",
        {"employee_id": "2", "valid_from": "2024-01-01", "manager_id": "3"},
        {"employee_id": "3", "valid_from": "2024-01-01", "manager_id": ""},
        {"employee_id": "2", "valid_from": "2025-01-01", "manager_id": ""},
        {"employee_id": "3", "valid_from": "2025-01-01", "manager_id": "2"},
    )
    assert load(folder, home=home).complete


def test_a_loop_of_managers_that_lasts_a_day_is_cut(folder: Path, home: Path) -> None:
    write(folder, "1.csv", "employees", *PEOPLE)
    write(
        folder,
        "2.csv",
        "assignments",
        {"employee_id": "2", "valid_from": "2024-01-01", "manager_id": "3"},
        {"employee_id": "3", "valid_from": "2024-01-01", "manager_id": ""},
        {"employee_id": "2", "valid_from": "2025-01-02", "manager_id": ""},
        {"employee_id": "3", "valid_from": "2025-01-01", "manager_id": "2"},
    )
    assert rules(load(folder, home=home)) == {("assignments", "nobody_manages_their_own_manager", 1)}
    found = table(home, "assignments").filter(pl.col("employee_id") == "3").sort("valid_from")
    assert found["manager_id"].to_list() == [None, None]


def test_a_filter_on_sources_is_a_read_like_any_other(folder: Path, home: Path) -> None:
    company(folder)
    load(folder, home=home)
    engine = Warehouse(home).open()
    found = engine.query(lambda t: t("_sources").filter(nw.col("rejected") > 0))
    assert found.height == 0


def test_every_rule_of_a_row_has_a_sentence_of_its_own() -> None:
    named = {rule.name for name in TABLES for rule in (*row_rules(name), *person_rules(name))}
    assert {rule for rule in named if "|" not in rule} == set(SAID)
    assert all(problem.message[0].isupper() for problem in SAID.values())


def test_a_currency_that_is_none_is_told_what_one_looks_like(folder: Path, home: Path) -> None:
    company(folder)
    pay = {"employee_id": "2", "valid_from": "2025-01-01", "salary": "1", "currency": "Euros"}
    write(folder, "4-pay.csv", "pay", pay)
    report = load(folder, home=home)
    assert sentences(report.rejected).to_list() == [
        "The field currency must be a three-letter code such as EUR."
    ]


@pytest.mark.parametrize(
    "table_",
    [
        *("employees", "assignments", "departments", "ratings"),
        *("review_cycles", "scale_levels", "goals", "check_ins"),
    ],
)
def test_every_column_of_the_main_tables_is_described(table_: str) -> None:
    assert [name for name, column in TABLES[table_].columns().items() if not column.description] == []
