"""Every export is taken for what it is, and what it does not say is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from data import sources
from data.contracts import TABLES
from data.problems import Problem
from data.sources.model import LINE, MANAGER, SELF, Answer, Known, Match, Recognition, Sheet
from tests.exports import vendors

NOTHING = Known(TABLES["scale_levels"].create_empty(), TABLES["review_cycles"].create_empty())
HALF_YEAR = "2026-01-01 … 2026-06-30"
AS_OF = {"as_of": "2026-06-30"}
SPRINTS = Path(__file__).parents[3] / "shared" / "datasets" / "sprints.csv"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return vendors.write(tmp_path_factory.mktemp("exports"))


def _csv(folder: Path, text: str) -> Sheet:
    path = folder / "export.csv"
    path.write_text(text, encoding="utf-8")
    (sheet,) = sources.read_sheets(path)
    return sheet


def _rows(
    sheet: Sheet, answers: Mapping[str, Answer] | None = None, known: Known = NOTHING
) -> tuple[Recognition, dict[str, list[dict[str, str]]]]:
    """The recognition once answered, and its rows without nulls."""
    recognition = sources.with_answers(sources.recognise(sheet, known), answers or {})
    assert recognition.questions == (), [question.key for question in recognition.questions]
    tables: dict[str, list[dict[str, str]]] = {}
    for batch in sheet.batches():
        for table, frame in sources.source(recognition.source).translate(batch, recognition, known).items():
            assert frame.schema[LINE] == pl.Int64
            assert all(dtype == pl.String for name, dtype in frame.schema.items() if name != LINE), table
            assert set(frame.columns) <= {LINE, *TABLES[table].columns()}, table
            tables.setdefault(table, []).extend(
                {key: value for key, value in row.items() if value is not None} for row in frame.to_dicts()
            )
    return recognition, tables


def _asked(recognition: Recognition) -> dict[str, tuple[str, ...]]:
    for question in recognition.questions:
        assert "{" not in question.message.format(**question.values)
    return {question.key: question.choices for question in recognition.questions}


# Vendors.


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("successfactors_users.csv", "SuccessFactors users"),
        ("successfactors_goals.csv", "SuccessFactors goals"),
        ("oracle_ratings.txt", "Oracle ratings"),
        ("Goal.dat", "Oracle goals"),
        ("workday.csv", "Workday reviews"),
        ("bamboohr_employees.csv", "BambooHR employees"),
        ("bamboohr_goals.csv", "BambooHR goals"),
        ("hibob.csv", "HiBob people"),
        ("lattice_employees.csv", "Lattice employees"),
        ("lattice_goals.csv", "Lattice goals"),
        ("profiles_export_15five.csv", "15Five profiles"),
        ("calibration_15five.csv", "15Five calibration"),
        ("frappe.csv", "Frappe appraisals"),
        ("quantum.csv", "Quantum Workplace"),
        ("feishu_reviews.json", "Feishu reviews"),
        ("feishu_dictionary.json", "Feishu dictionary"),
        ("feishu_okr.json", "Feishu OKR"),
        ("花名册.csv", "Chinese roster"),
        ("目标.csv", "Chinese goals"),
        ("绩效.xlsx", "Chinese reviews"),
    ],
)
def test_an_export_is_recognised_under_any_name(
    files: dict[str, Path], tmp_path: Path, name: str, source: str
) -> None:
    copy = tmp_path / "renamed.bin"
    copy.write_bytes(files[name].read_bytes())
    recognition = sources.recognise(sources.read_sheets(copy)[0], NOTHING)
    assert recognition.source == source
    assert recognition.confidence >= 0.95
    assert "mapping" not in _asked(recognition)


def test_successfactors_users_give_people_places_and_a_tree(files: dict[str, Path]) -> None:
    (sheet,) = sources.read_sheets(files["successfactors_users.csv"])
    assert set(_asked(sources.recognise(sheet, NOTHING))) == {"as_of"}
    _, tables = _rows(sheet, AS_OF)
    assert tables["employees"][0] == {LINE: 3, "employee_id": "00012", "display_name": "Ana Mora"}
    # The third is inactive without a date: gone by the day of the export.
    assert tables["employees"][2]["termination_date"] == "2026-06-30"
    assert [row["gender"] for row in tables["protected_attributes"]] == ["female", "male", "undisclosed"]
    assert "manager_id" not in tables["assignments"][0]
    assert tables["assignments"][1]["manager_id"] == "00012"
    assert {(row["name"], row.get("parent_id")) for row in tables["departments"]} == {
        ("Sales", None),
        ("Field Sales", "Sales"),
        ("Inside Sales", "Sales"),
    }


def test_only_objectives_of_successfactors_are_goals_and_deleted_ones_stay_visible(
    files: dict[str, Path],
) -> None:
    (sheet,) = sources.read_sheets(files["successfactors_goals.csv"])
    _, tables = _rows(sheet, AS_OF)
    assert [(g["goal_id"], g["scope"], g["status"]) for g in tables["goals"]] == [
        ("g1", "individual", "active"),
        ("g2", "team", "active"),
        ("g3", "individual", "abandoned"),
    ]
    assert tables["goals"][0]["due_on"] == "2026-06-30"
    assert tables["goals"][0]["weight"] == "60"


def test_oracle_says_the_dates_of_its_periods(files: dict[str, Path]) -> None:
    (sheet,) = sources.read_sheets(files["oracle_ratings.txt"])
    recognition = sources.recognise(sheet, NOTHING)
    assert set(_asked(recognition)) == {"scale"}
    _, tables = _rows(sheet, {"scale": "1 < 2 < 3 < 4 < 5"})
    assert tables["review_cycles"][0]["starts_on"] == "2026-01-01"
    assert [(r["ratee_id"], r["rater_id"], r["stage"], r["score"]) for r in tables["ratings"]] == [
        ("W1", "W9", "calibrated", "3"),
        ("W2", "W9", "initial", "4"),
    ]


def test_oracle_goals_carry_their_progress(files: dict[str, Path]) -> None:
    (sheet,) = sources.read_sheets(files["Goal.dat"])
    _, tables = _rows(sheet)
    assert tables["goals"][0]["title"] == "Cut lead time | phase 1"
    assert [(c["checked_at"], c["value"]) for c in tables["check_ins"]] == [
        ("2026-04-01 00:00:00", "50"),
        ("2026-04-01 00:00:00", "100"),
    ]


def test_ratings_side_by_side_become_rows_with_their_raters(files: dict[str, Path]) -> None:
    (sheet,) = sources.read_sheets(files["workday.csv"])
    asked = _asked(sources.recognise(sheet, NOTHING))
    assert set(asked) == {"scale", "cycle", "cycle_dates"}
    _, tables = _rows(sheet, {"scale": "1 < 2 < 3 < 4 < 5", "cycle": "2026H1", "cycle_dates": HALF_YEAR})
    first = [r for r in tables["ratings"] if r["ratee_id"] == "7"]
    assert [(r["source"], r["rater_id"], r["dimension"], r["score"]) for r in first] == [
        ("self", SELF, "overall", "4"),
        ("manager", MANAGER, "overall", "3"),
        ("self", SELF, "proficiency", "4"),
        ("manager", MANAGER, "proficiency", "4"),
    ]


def test_a_zero_of_frappe_is_no_rating_and_an_average_has_an_unnamed_panel(files: dict[str, Path]) -> None:
    (sheet,) = sources.read_sheets(files["frappe.csv"])
    _, tables = _rows(sheet, {**AS_OF, "scale": "0 … 5", "cycle_dates": "2026-01-01 … 2026-03-31"})
    found = {(r["ratee_id"], r["source"], r["dimension"]): r for r in tables["ratings"]}
    assert set(found) == {
        ("HR-1", "self", "overall"),
        ("HR-1", "manager", "overall"),
        ("HR-1", "manager", "goals"),
        ("HR-1", "peer", "overall"),
        ("HR-2", "manager", "overall"),
        ("HR-2", "manager", "goals"),
    }
    assert found["HR-1", "peer", "overall"]["rater_id"] == "panel:peer:HR-1"
    assert found["HR-1", "manager", "overall"]["score"] == "4.2"


def test_question_columns_become_dimensions(files: dict[str, Path]) -> None:
    (sheet,) = sources.read_sheets(files["quantum.csv"])
    _, tables = _rows(
        sheet, {"scale": "1 < 2 < 3 < 4 < 5", "cycle": "Q1", "cycle_dates": "2026-01-01 … 2026-03-31"}
    )
    assert [(r[LINE], r["source"], r["rater_id"], r["dimension"]) for r in tables["ratings"]] == [
        (2, "self", SELF, "Delivers results"),
        (2, "manager", "9", "Delivers results"),
        (2, "manager", "9", "Works with others"),
        (3, "manager", "9", "Delivers results"),
    ]


def test_a_calibration_export_names_the_manager_by_name(files: dict[str, Path]) -> None:
    (sheet,) = sources.read_sheets(files["calibration_15five.csv"])
    recognition, tables = _rows(sheet, {"cycle": "2026H1", "cycle_dates": HALF_YEAR})
    assert recognition.answers["scale"] == ("Below", "Meets", "Exceeds")
    assert {(r["rater_id"], r["stage"], r["score"]) for r in tables["ratings"] if r["ratee_id"] == "E2"} == {
        ("Jo Sand", "initial", "2"),
        ("Jo Sand", "calibrated", "3"),
    }


def test_feishu_ids_are_read_through_their_dictionary(files: dict[str, Path]) -> None:
    (reviews,) = sources.read_sheets(files["feishu_reviews.json"])
    known = replace(
        NOTHING, dictionaries=sources.dictionaries(sources.read_sheets(files["feishu_dictionary.json"]))
    )
    _, tables = _rows(reviews, {"cycle_dates": HALF_YEAR}, known)
    # The third record of the leader is a comment and no rating.
    assert [
        (r["rater_id"], r["source"], r["dimension"], r["level"], r["submitted_at"]) for r in tables["ratings"]
    ] == [
        ("u9", "manager", "overall", "2", "2026-06-30 00:00:00"),
        ("u9", "manager", "协作", "1", "2026-06-30 00:00:00"),
        ("u1", "self", "overall", "3", "2026-06-29 00:00:00"),
    ]


def test_feishu_ids_without_a_dictionary_are_asked_about(files: dict[str, Path]) -> None:
    (reviews,) = sources.read_sheets(files["feishu_reviews.json"])
    assert _asked(sources.recognise(reviews, NOTHING))["scale"] == ()


def test_key_results_hang_below_their_objective(files: dict[str, Path]) -> None:
    (sheet,) = sources.read_sheets(files["feishu_okr.json"])
    _, tables = _rows(sheet, {**AS_OF, "cycle_dates": HALF_YEAR})
    assert [(g["goal_id"], g.get("parent_id"), g["due_on"]) for g in tables["goals"]] == [
        ("O1", None, "2026-06-30"),
        ("K1", "O1", "2026-06-30"),
        ("K2", "O1", "2026-06-30"),
    ]
    assert [(c["goal_id"], c["value"]) for c in tables["check_ins"]] == [("K1", "14"), ("K2", "9")]


def test_lattice_times_are_unix_seconds_and_the_first_owner_owns(files: dict[str, Path]) -> None:
    (sheet,) = sources.read_sheets(files["lattice_goals.csv"])
    _, tables = _rows(sheet, AS_OF)
    goal = tables["goals"][1]
    assert (goal["owner_id"], goal["start_on"], goal["status"], goal["parent_id"]) == (
        "ivy@example.org",
        "2026-01-01",
        "done",
        "L1",
    )


def test_a_chinese_roster_gives_a_path_of_departments(files: dict[str, Path]) -> None:
    (sheet,) = sources.read_sheets(files["花名册.csv"])
    _, tables = _rows(sheet, AS_OF)
    assert {(d["name"], d.get("parent_id")) for d in tables["departments"]} == {
        ("集团", None),
        ("销售中心", "集团"),
        ("华东区", "销售中心"),
    }
    assert tables["employees"][0]["hire_date"] == "2010-04-01"
    # The day somebody was hired is not the day they took this place.
    assert {a["valid_from"] for a in tables["assignments"]} == {"2026-06-30"}
    assert tables["assignments"][1]["manager_id"] == "李明"
    assert tables["protected_attributes"][1] == {
        LINE: 3,
        "employee_id": "0002",
        "gender": "female",
        "birth_date": "1990-12-15",
    }


def test_chinese_goals_without_ids_get_the_same_id_each_time(files: dict[str, Path]) -> None:
    (sheet,) = sources.read_sheets(files["目标.csv"])
    _, tables = _rows(sheet, {**AS_OF, "cycle_dates": HALF_YEAR})
    goal = tables["goals"][0]
    assert goal["goal_id"] == "0002 · 2026年上半年 · 提升销售额"
    assert (goal["start_on"], goal["target"], goal["weight"]) == ("2026-01-01", "1200000", "40")
    assert tables["check_ins"][0]["value"] == "600000"


def test_grades_and_scores_in_one_sheet_are_asked_about(files: dict[str, Path]) -> None:
    reviews, hidden = sources.read_sheets(files["绩效.xlsx"])
    asked = _asked(sources.recognise(reviews, NOTHING))
    assert asked["rated_in"] == ("校准前等级, 校准后等级", "自评分")
    assert "hidden" in _asked(sources.recognise(hidden, NOTHING))
    _, tables = _rows(reviews, {**AS_OF, "rated_in": asked["rated_in"][0], "cycle_dates": HALF_YEAR})
    assert {(r["ratee_id"], r["stage"], r["score"]) for r in tables["ratings"]} == {
        ("0001", "initial", "3"),
        ("0001", "calibrated", "2"),
        ("0002", "initial", "1"),
        ("0002", "calibrated", "1"),
    }


# Tidy tables.


@pytest.mark.parametrize("table", list(TABLES))
def test_every_table_loads_under_its_own_headers(table: str, tmp_path: Path) -> None:
    columns = list(TABLES[table].columns())
    sheet = _csv(tmp_path, ",".join(columns) + "\n" + ",".join("x" for _ in columns) + "\n")
    recognition, tables = _rows(sheet)
    assert recognition.confidence == 1.0
    assert set(tables) == {table}
    assert set(tables[table][0]) == {LINE, *columns}


RATINGS = (
    "Cycle,Ratee ID,Rater "
    "ID,Source,Dimension,Score,Department\n2026H1,1,2,customer,overall,5,D1\n2026H1,1,3,customer,overall,2,D1\n"
)


def test_a_plain_export_of_ratings_needs_only_its_scale_and_dates(tmp_path: Path) -> None:
    sheet = _csv(tmp_path, RATINGS)
    asked = _asked(sources.recognise(sheet, NOTHING))
    assert asked["cycle_dates"] == (HALF_YEAR,)
    assert asked["scale"][0] == "1 < 2 < 3 < 4 < 5"
    assert set(asked) == {"cycle_dates", "scale"}
    _, tables = _rows(sheet, {"scale": asked["scale"][0], "cycle_dates": asked["cycle_dates"][0]})
    assert tables["ratings"][0] == {
        LINE: 2,
        "cycle_id": "2026H1",
        "ratee_id": "1",
        "rater_id": "2",
        "source": "customer",
        "dimension": "overall",
        "stage": "initial",
        "score": "5",
        "level": "5",
        "department_id": "D1",
    }
    assert [level["code"] for level in tables["scale_levels"]] == ["1", "2", "3", "4", "5"]


def test_a_known_cycle_with_its_scale_is_not_asked_about_again(tmp_path: Path) -> None:
    scale = pl.DataFrame(
        {
            "scale_id": ["s"] * 5,
            "level": [1, 2, 3, 4, 5],
            "code": list("54321"),
            "label": list("54321"),
            "points": [1.0, 2.0, 3.0, 4.0, 5.0],
        }
    )
    cycle = pl.DataFrame(
        {
            "cycle_id": ["2026H1"],
            "name": ["2026H1"],
            "starts_on": [date(2026, 1, 1)],
            "ends_on": [date(2026, 6, 30)],
            "scale_id": ["s"],
        }
    )
    _, tables = _rows(_csv(tmp_path, RATINGS), known=Known(scale, cycle))
    # On that scale 1 is the best: a 5 is the worst level, a 2 the second best of five.
    assert [row["score"] for row in tables["ratings"]] == ["1", "4"]
    assert "review_cycles" not in tables


def test_choosing_a_known_cycle_settles_its_dates(tmp_path: Path) -> None:
    cycle = {
        "cycle_id": ["H1"],
        "name": ["H1"],
        "starts_on": [date(2026, 1, 1)],
        "ends_on": [date(2026, 6, 30)],
    }
    known = replace(NOTHING, cycles=pl.DataFrame({**cycle, "scale_id": ["s"]}))
    recognition = sources.recognise(_csv(tmp_path, "Ratee ID,Rater ID,Source,Score\n1,2,peer,Meets\n"), known)
    assert _asked(recognition)["cycle"] == ("H1",)
    assert "cycle_dates" in _asked(sources.with_answers(recognition, {"cycle": "H2"}))
    assert "cycle_dates" not in _asked(sources.with_answers(recognition, {"cycle": "H1"}))


def test_a_level_that_is_not_on_the_scale_stays_as_it_stood(tmp_path: Path) -> None:
    sheet = _csv(tmp_path, RATINGS.replace(",5,", ",A+,"))
    _, tables = _rows(sheet, {"scale": "1 < 2 < 3", "cycle_dates": HALF_YEAR})
    assert tables["ratings"][0]["score"] == "A+"
    assert "level" not in tables["ratings"][0]


def test_a_header_that_is_only_similar_is_confirmed_by_a_person(tmp_path: Path) -> None:
    sheet = _csv(tmp_path, RATINGS.replace("Ratee ID", "Ratee Idd"))
    recognition = sources.recognise(sheet, NOTHING)
    assert recognition.confidence < 0.8
    assert _asked(recognition)["mapping"] == ("yes",)


def test_a_sheet_nobody_knows_is_asked_about_and_not_guessed(tmp_path: Path) -> None:
    recognition = sources.recognise(_csv(tmp_path, "colour,wavelength\nred,700\n"), NOTHING)
    assert recognition.confidence <= 0.5
    assert "mapping" in _asked(recognition)
    assert recognition.unused == ("colour", "wavelength")
    assert "mapping" in _asked(sources.with_answers(recognition, {"mapping": "yes"}))


def test_an_ambiguous_order_of_dates_is_asked_once_and_settled_by_any_column(tmp_path: Path) -> None:
    people = "Employee ID,Name,Hire Date,Termination Date\n1,Ann,1/2/2020,\n2,Bo,3/4/2020,{}\n"
    assert "date_order" in _asked(sources.recognise(_csv(tmp_path, people.format("5/6/2026")), NOTHING))
    settled = sources.recognise(_csv(tmp_path, people.format("25/6/2026")), NOTHING)
    assert settled.answers["date_order"] == "dmy"
    assert settled.questions == ()


REVIEWED: dict[str, Answer] = {
    "ratings.source": "manager",
    "cycle": "2025",
    "cycle_dates": "2025-01-01 … 2025-12-31",
    "scale": "C < B < A < S",
}


@pytest.mark.parametrize(
    "text",
    [
        "工号,姓名,部门,直接上级,绩效等级\n1,李明,销售部,,A\n2,王芳,销售部,李明,B\n",
        "Employee ID,Name,Department,Manager,Rating\n1,Ann,Sales,,A\n2,Bo,Sales,李明,B\n",
    ],
)
def test_ratings_with_names_places_and_managers_are_no_roster(tmp_path: Path, text: str) -> None:
    sheet = _csv(tmp_path, text)
    assert set(_asked(sources.recognise(sheet, NOTHING))) == set(REVIEWED)
    _, tables = _rows(sheet, REVIEWED)
    assert [(r["ratee_id"], r["rater_id"], r["score"]) for r in tables["ratings"]] == [
        ("1", MANAGER, "3"),
        ("2", "李明", "2"),
    ]
    assert not set(tables) & {"employees", "assignments", "departments", "protected_attributes"}


@pytest.mark.parametrize("said", ["Gender", "Hire Date", "入职日期"])
def test_ratings_with_what_lists_of_employees_say_may_be_one_and_that_is_asked(
    tmp_path: Path, said: str
) -> None:
    value = "f" if said == "Gender" else "2020-01-31"
    sheet = _csv(tmp_path, f"工号,姓名,部门,{said},绩效等级\n1,李明,销售部,{value},A\n")
    assert _asked(sources.recognise(sheet, NOTHING))["people"] == ("no", "yes")
    _, tables = _rows(sheet, {**REVIEWED, "people": "no"})
    assert not set(tables) & {"employees", "assignments", "departments", "protected_attributes"}
    _, tables = _rows(sheet, {**REVIEWED, **AS_OF, "people": "yes"})
    assert (len(tables["employees"]), len(tables["ratings"])) == (1, 1)


def test_a_sheet_of_people_says_only_what_it_has_columns_for(tmp_path: Path) -> None:
    sheet = _csv(tmp_path, "Employee ID,Name,Department\n1,Ann,Sales\n2,Bo,Sales\n")
    recognition = sources.with_answers(sources.recognise(sheet, NOTHING), AS_OF)
    frame = sources.source(recognition.source).translate(sheet.sample, recognition, NOTHING)["employees"]
    assert frame.columns == [LINE, "employee_id", "display_name"]


def test_malformed_answers_leave_their_questions_open(tmp_path: Path) -> None:
    recognition = sources.recognise(_csv(tmp_path, RATINGS), NOTHING)
    still = sources.with_answers(recognition, {"scale": "A", "cycle_dates": "soon"})
    assert set(_asked(still)) == {"scale", "cycle_dates"}


def test_a_person_can_set_the_matches(tmp_path: Path) -> None:
    sheet = _csv(tmp_path, "who,judge,points\n1,2,4\n")
    recognition = sources.recognise(sheet, NOTHING)
    matches = [
        Match("who", "ratings", "ratee_id", 1.0),
        Match("judge", "ratings", "rater_id", 1.0),
        Match("points", "ratings", "score", 1.0),
    ]
    mended = sources.with_matches(sheet, recognition, matches, NOTHING)
    assert set(_asked(mended)) == {"ratings.source", "scale", "cycle", "cycle_dates"}
    assert mended.confidence == 1.0


def test_what_can_be_matched_is_listed_with_its_meaning() -> None:
    assert (
        "ratings",
        "score:self",
        "A rating by this source, where each source has its own column.",
    ) in sources.COLUMNS
    assert {table for table, _, _ in sources.COLUMNS} == set(TABLES)


def test_departments_of_one_name_in_two_places_stay_two(tmp_path: Path) -> None:
    sheet = _csv(
        tmp_path, "Employee ID,Name,Division,Department\n1,Ann,East,HR\n2,Bo,West,HR\n3,Cy,West,IT\n"
    )
    _, tables = _rows(sheet, AS_OF)
    assert [a["department_id"] for a in tables["assignments"]] == ["East / HR", "West / HR", "West / IT"]
    assert {(d["department_id"], d["name"], d.get("parent_id")) for d in tables["departments"]} == {
        ("East", "East", None),
        ("West", "West", None),
        ("East / HR", "HR", "East"),
        ("West / HR", "HR", "West"),
        ("West / IT", "IT", "West"),
    }


def test_a_path_names_the_department_of_rating_and_place_alike(tmp_path: Path) -> None:
    text = (
        "工号,姓名,部门,入职日期,考核周期,上级评分\n1,李明,集团/销售/华东,2020-01-31,2026H1,4\n"
        "2,王芳,集团/销售/华北,2020-01-31,2026H1,3\n"
    )
    scale = {"scale": "1 < 2 < 3 < 4 < 5", "cycle_dates": HALF_YEAR}
    _, tables = _rows(_csv(tmp_path, text), {**AS_OF, **scale, "people": "yes"})
    assert [r["department_id"] for r in tables["ratings"]] == ["华东", "华北"]
    assert [a["department_id"] for a in tables["assignments"]] == ["华东", "华北"]
    alone = text.replace("入职日期", "备注")
    _, tables = _rows(_csv(tmp_path, alone), scale)
    assert [r["department_id"] for r in tables["ratings"]] == ["华东", "华北"]


# Profiles.


def test_a_saved_profile_reads_the_next_export_alike(tmp_path: Path) -> None:
    sheet = _csv(tmp_path, RATINGS)
    settled = sources.with_answers(
        sources.recognise(sheet, NOTHING), {"scale": "1 < 2 < 3 < 4 < 5", "cycle_dates": HALF_YEAR}
    )
    path = sources.save_profile(tmp_path / "profiles", settled, "Our reviews")
    assert path.name == "our-reviews.toml"
    (profile,) = sources.load_profiles(tmp_path / "profiles")
    again = sources.recognise(sheet, NOTHING, (profile,))
    assert again.answers["profile"] == "Our reviews"
    assert again.matches == tuple(replace(match, confidence=1.0) for match in settled.matches)
    assert again.answers["scale"] == settled.answers["scale"]
    # When a cycle ran is true of one export: it is asked again.
    assert set(_asked(again)) == {"cycle_dates"}


def test_a_profile_keeps_the_vendors_own_reading(files: dict[str, Path], tmp_path: Path) -> None:
    (sheet,) = sources.read_sheets(files["quantum.csv"])
    settled = sources.with_answers(sources.recognise(sheet, NOTHING), {"scale": "1 < 2 < 3 < 4 < 5"})
    sources.save_profile(tmp_path, settled, "Questions")
    again = sources.recognise(sheet, NOTHING, sources.load_profiles(tmp_path))
    assert again.source == "Quantum Workplace"
    assert again.answers["profile"] == "Questions"


@pytest.mark.parametrize(
    "text",
    [
        "not toml",
        'name = "x"',
        'recognises = ["a"]\n[columns]\na = "nowhere.at_all"',
        'recognises = ["a"]\nsurprise = 1',
        'recognises = ["a"]\n[made.goals]\ntarget = "= a +"',
        'recognises = ["a"]\n[answers]\nscale = 3',
        'recognises = ["a"]\nsource = "x"',
    ],
)
def test_a_profile_that_means_nothing_is_a_problem(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    with pytest.raises(Problem, match=r"mine\.toml"):
        sources.load_profiles(tmp_path)


def test_no_folder_means_no_profiles(tmp_path: Path) -> None:
    assert sources.load_profiles(tmp_path / "none") == ()


def test_a_profile_computes_sums_dates_and_templates(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(
        'recognises = ["team", "no", "begun", "more data"]\n[answers]\n"goals.scope" = "team"\n[made.goals]\n'
        'goal_id = "{team}/{no}"\ntitle = "Sprint {no}"\ntarget = "= begun + 2 * [more data] - 1"\n'
        'start_on = "= 2026-01-05 + 14 * no"\ndue_on = "= 2026-01-19 + 14 * no"\n'
        '[where.goals]\nteam = ["A"]\n',
        encoding="utf-8",
    )
    sheet = _csv(tmp_path, "team,no,begun,more data\nA,1,10,2.5\nB,2,1,1\n")
    recognition = sources.recognise(sheet, NOTHING, sources.load_profiles(tmp_path))
    assert recognition.questions == ()
    goals = (
        sources.source(recognition.source).translate(sheet.sample, recognition, NOTHING)["goals"].to_dicts()
    )
    # 10 + 2 · 2.5 − 1 = 14; 14 days after 2026-01-05 is 2026-01-19.
    assert [(g["goal_id"], g["title"], g["target"], g["start_on"], g["due_on"]) for g in goals] == [
        ("A/1", "Sprint 1", "14", "2026-01-19", "2026-02-02")
    ]


@pytest.mark.skipif(not SPRINTS.exists(), reason="the sprint data are not beside the checkout")
def test_real_sprints_load_as_goals_with_four_looks_each() -> None:
    (sheet,) = sources.read_sheets(SPRINTS)
    profiles = sources.load_profiles(Path(__file__).parents[1] / "exports")
    recognition = sources.recognise(sheet, NOTHING, profiles)
    assert recognition.questions == ()
    found = [
        sources.source(recognition.source).translate(batch, recognition, NOTHING) for batch in sheet.batches()
    ]
    assert sum(tables["goals"].height for tables in found) == 3_834
    looks = pl.concat([tables["check_ins"] for tables in found])
    assert looks.height == 4 * 3_834
    assert looks.unique(["goal_id", "checked_at"]).height == looks.height


# Asked, never guessed.

GOALS = (
    "Goal ID,Goal Name,Goal Owner Email,Goal Owner ID,Start Date,Due Date,Target,Current Value,Last Updated\n"
    "g1,Cut lead time,,7,2026-01-01,2026-06-30,10,4,2026-04-15\n"
)


def test_a_filled_column_goes_before_an_empty_one(tmp_path: Path) -> None:
    _, tables = _rows(_csv(tmp_path, GOALS))
    assert tables["goals"][0]["owner_id"] == "7"
    _, tables = _rows(_csv(tmp_path, GOALS.replace(",,7,", ",ann@x.example,,")))
    assert tables["goals"][0]["owner_id"] == "ann@x.example"


def test_progress_is_of_the_day_the_sheet_says(tmp_path: Path) -> None:
    _, tables = _rows(_csv(tmp_path, GOALS))
    assert [(c["checked_at"], c["value"]) for c in tables["check_ins"]] == [("2026-04-15 00:00:00", "4")]


def test_progress_without_a_day_is_asked_about(tmp_path: Path) -> None:
    text = GOALS.replace(",Last Updated", "").replace(",2026-04-15", "")
    assert set(_asked(sources.recognise(_csv(tmp_path, text), NOTHING))) == {"as_of"}


def test_a_person_who_is_only_probably_meant_is_confirmed(tmp_path: Path) -> None:
    text = GOALS.replace("Goal Owner ID", "Goal Ownr Id").replace("Goal Owner Email,", "Remark,")
    recognition = sources.recognise(_csv(tmp_path, text), NOTHING)
    assert _asked(recognition) == {"mapping": ("yes",)}
    assert [q.values["headers"] for q in recognition.questions] == ["Goal Ownr Id"]


def test_who_has_left_without_a_day_is_asked_about(tmp_path: Path) -> None:
    text = "Employee ID,Name,Department,Effective Date,Status\n1,Ann,Sales,2026-01-01,Inactive\n"
    assert set(_asked(sources.recognise(_csv(tmp_path, text), NOTHING))) == {"as_of"}
