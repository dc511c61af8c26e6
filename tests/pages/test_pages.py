"""Every page answers every role, in both languages, or says why not."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from data import queries
from data.access import ROLES, Permission, Role
from data.importing import run_import
from data.operations import Operations
from data.sign_in import local_viewer
from data.warehouse import Warehouse
from pages.kit import load
from tests.pages.conftest import Open, words

PAGES = {
    "pages/overview/overview.py": Permission.SEE_OWN,
    "pages/fairness/distributions.py": Permission.SEE_DISTRIBUTIONS,
    "pages/fairness/leniency.py": Permission.SEE_LENIENCY,
    "pages/fairness/facets.py": Permission.SEE_LENIENCY,
    "pages/fairness/yardstick.py": Permission.SEE_LENIENCY,
    "pages/fairness/habits.py": Permission.SEE_LENIENCY,
    "pages/fairness/rater.py": Permission.SEE_LENIENCY,
    "pages/fairness/linkage.py": Permission.SEE_LENIENCY,
    "pages/fairness/adjusted.py": Permission.SEE_LENIENCY,
    "pages/fairness/evidence.py": Permission.SEE_LENIENCY,
    "pages/goals/strategy.py": Permission.SEE_GOALS,
    "pages/goals/goal.py": Permission.SEE_GOALS,
    "pages/goals/risk.py": Permission.SEE_GOALS,
    "pages/goals/warnings.py": Permission.SEE_GOALS,
    "pages/goals/coverage.py": Permission.SEE_GOALS,
    "pages/goals/owners.py": Permission.SEE_GOALS,
    "pages/goals/backtest.py": Permission.SEE_GOALS,
    "pages/mine/mine.py": Permission.SEE_OWN,
    "pages/sources/data.py": Permission.SEE_IMPORTS,
    "pages/sources/access.py": Permission.SEE_ACCESS_LOG,
    "pages/sources/decisions.py": Permission.SEE_ACCESS_LOG,
    "pages/sources/sessions.py": Permission.MANAGE_SESSIONS,
    "pages/sources/methods.py": Permission.SEE_OWN,
}


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_page_opens_with_its_question_and_its_finding(
    open_app: Open, demo_home: Path, page: str, lang: str
) -> None:
    role = next(role for role in Role if PAGES[page] in ROLES[role].permissions and role != Role.EMPLOYEE)
    app = open_app(demo_home, page, role=role.value, lang=lang)
    assert not app.exception
    said = words(app)
    assert "eh-title" in said
    assert ("eh-finding" in said) or ("eh-say" in said)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("role", list(Role))
def test_a_role_opens_exactly_the_pages_its_permissions_name(
    open_app: Open, demo_home: Path, page: str, role: Role
) -> None:
    app = open_app(demo_home, page, role=role.value)
    assert not app.exception
    refused = "Your role does not open this page" in words(app)
    assert refused == (PAGES[page] not in ROLES[role].permissions)


@pytest.mark.parametrize(
    "page", [p for p in PAGES if not any(w in p for w in ("access", "decisions", "sessions", "methods"))]
)
def test_without_data_a_page_says_what_to_load(open_app: Open, tmp_path: Path, page: str) -> None:
    app = open_app(tmp_path, page)
    assert not app.exception
    assert "Nothing has been loaded yet" in words(app)


def test_leniency_finds_whom_the_demo_planted(open_app: Open, demo_home: Path) -> None:
    said = words(open_app(demo_home, LENIENCY))
    # truth.json: the department shifted by rating culture is Service; R&D does better work.
    assert "Service rates 0.3 points above comparable departments" in said
    assert "Research & Development rates" not in said


def test_a_link_opens_what_the_sender_saw(open_app: Open, demo_home: Path) -> None:
    app = open_app(
        demo_home, "pages/fairness/distributions.py", cycle="2025H2", by="location", guidance="2-7-1"
    )
    assert app.selectbox(key="cycle").value == "2025H2"
    assert app.selectbox(key="by").value == "location"
    assert "Against guidance" in words(app)


def test_a_link_to_what_the_receiver_may_not_choose_falls_back(open_app: Open, demo_home: Path) -> None:
    app = open_app(
        demo_home, "pages/fairness/distributions.py", role="hr_partner", department="nowhere", cycle="1999"
    )
    assert not app.exception
    assert app.selectbox(key="department").value == ""


def test_clearing_takes_every_filter_back(open_app: Open, demo_home: Path) -> None:
    app = open_app(demo_home, "pages/fairness/distributions.py", cycle="2025H2", by="location")
    app.button(key="clear_filters").click().run()
    assert app.selectbox(key="cycle").value == "2026H1"
    assert app.selectbox(key="by").value == "department"


@pytest.mark.parametrize("by", ["department", "grade", "location", "job_family", "rater"])
def test_every_group_that_is_shown_has_at_least_five_people(open_app: Open, demo_home: Path, by: str) -> None:
    app = open_app(demo_home, "pages/fairness/distributions.py", by=by)
    people = app.dataframe[0].value["People"].dropna()
    assert len(people) > 0
    assert min(people) >= 5


def test_a_choice_that_differs_by_a_few_people_is_refused(
    open_app: Open, demo_home: Path, tmp_path: Path
) -> None:
    home = Path(shutil.copytree(demo_home / "warehouse", tmp_path / "warehouse").parent)
    viewer = local_viewer(Role.HR_LEADERSHIP)
    rated = queries.ratings(
        viewer, Warehouse(home).open(), cycle_id="2026H1", source="manager", stage="final"
    )
    everybody = sorted(set(rated["ratee_id"]))
    about = f"ratings/{Warehouse(home).open().version}/2026H1/manager/final"
    store = Operations(home)
    store.remember_filters(viewer.subject, [frozenset(everybody[:-3])], about=about)
    store.close()
    said = words(open_app(home, "pages/fairness/distributions.py"))
    assert "How are ratings spread?" in said
    assert "This choice would single people out." in said
    assert "rated" not in said.split("single people out")[1]


def people_shown(app: AppTest) -> dict[str, int]:
    """Group → its people, of those the table shows."""
    table = app.dataframe[0].value.dropna(subset=["People"])
    return dict(zip(table.iloc[:, 0], table["People"], strict=True))


def test_what_a_picture_hides_as_a_whole_is_not_answered_but_for_one_person(
    open_app: Open, demo_home: Path, tmp_path: Path
) -> None:
    # Corporate Functions: its direct members are one person; they and one team are hidden. Who then asks
    # for that team would have the one person by subtraction.
    home = Path(shutil.copytree(demo_home / "warehouse", tmp_path / "warehouse").parent)
    above = open_app(home, "pages/fairness/distributions.py", role="executive", department="COR")
    table = above.dataframe[0].value
    hidden = set(table[table["People"].isna()].iloc[:, 0])
    assert len(hidden) >= 2
    names = queries.departments(Warehouse(home).open(), on=date(2026, 6, 30)).names
    teams = [team for team, name in names.items() if name in hidden and team != "COR"]
    answered = []
    for team in teams:
        app = open_app(home, "pages/fairness/distributions.py", role="executive", department=team)
        if "single people out" not in words(app):
            answered.append(team)
    assert answered == []


def test_a_group_is_not_shown_again_but_for_one_person(
    open_app: Open, demo_home: Path, tmp_path: Path
) -> None:
    home = Path(shutil.copytree(demo_home / "warehouse", tmp_path / "warehouse").parent)
    page, role = "pages/fairness/distributions.py", "executive"
    whole = people_shown(open_app(home, page, role=role, by="location"))
    tree = queries.departments(Warehouse(home).open(), on=date(2026, 6, 30))
    for department in tree.children["SRV"]:
        app = open_app(home, page, role=role, by="location", department=department)
        if "single people out" in words(app):
            continue
        part = people_shown(app)
        assert [place for place in part if 0 < whole.get(place, 0) - part[place] < 5] == []


def test_an_employee_sees_only_their_own(open_app: Open, demo_home: Path) -> None:
    app = open_app(demo_home, "pages/mine/mine.py", role="employee")
    assert not app.exception
    assert "of yours are on record" in words(app)


def test_a_rater_opens_their_evidence(open_app: Open, demo_home: Path) -> None:
    app = open_app(demo_home, "pages/fairness/rater.py")
    said = words(app)
    assert "than an average rater would" in said
    assert "Talk before concluding" in said
    assert any("Person" in list(frame.value.columns) for frame in app.dataframe)


def test_who_may_not_see_individual_ratings_sees_no_person_under_a_flag(
    open_app: Open, demo_home: Path
) -> None:
    app = open_app(demo_home, "pages/fairness/rater.py", role="executive")
    assert not any("Person" in list(frame.value.columns) for frame in app.dataframe)


@pytest.mark.parametrize("page", ["pages/overview/overview.py", "pages/sources/data.py"])
def test_a_version_of_another_release_is_said_to_be_one(
    open_app: Open, demo_home: Path, tmp_path: Path, page: str
) -> None:
    home = Path(shutil.copytree(demo_home / "warehouse", tmp_path / "warehouse").parent)
    catalogue = home / "warehouse" / "catalogue.json"
    contracts = Warehouse(home).versions()[0].contracts
    catalogue.write_text(catalogue.read_text("utf-8").replace(contracts, "of-long-ago"), "utf-8")
    app = open_app(home, page)
    assert not app.exception
    assert "was written by another release" in words(app)


@pytest.mark.parametrize(
    ("role", "sees"), [("hr_leadership", True), ("data_steward", False), ("hr_partner", False)]
)
def test_values_of_rejected_rows_are_shown_to_hr_leadership_alone(
    open_app: Open, demo_home: Path, role: str, sees: bool
) -> None:
    app = open_app(demo_home, "pages/sources/data.py", role=role, part="rejected")
    assert not app.exception
    shown = next(frame.value for frame in app.dataframe if "Reason" in frame.value.columns)
    assert len(shown) > 0
    assert bool(shown["Value"].notna().any()) is sees
    assert ("is left out" in words(app)) is not sees


def test_an_hr_partner_loads_nothing_and_goes_back_to_no_version(open_app: Open, demo_home: Path) -> None:
    app = open_app(demo_home, "pages/sources/data.py", role="hr_partner", part="load")
    assert not app.exception
    assert not app.get("file_uploader")
    app = open_app(demo_home, "pages/sources/data.py", role="data_steward", part="load")
    assert app.get("file_uploader")


@pytest.mark.parametrize("page", ["pages/overview/overview.py", "pages/sources/data.py"])
@pytest.mark.parametrize("spoilt", ["list", "file"])
def test_a_damaged_warehouse_is_said_to_be_one(
    open_app: Open, demo_home: Path, tmp_path: Path, page: str, spoilt: str
) -> None:
    home = Path(shutil.copytree(demo_home / "warehouse", tmp_path / "warehouse").parent)
    current = Warehouse(home).current()
    assert current is not None
    (home / "warehouse" / "catalogue.json" if spoilt == "list" else current.path).write_bytes(b"{")
    app = open_app(home, page)
    assert not app.exception
    assert "damaged" in words(app)


def test_where_no_rating_says_a_department_the_page_says_so(open_app: Open, tmp_path: Path) -> None:
    exports = tmp_path / "exports"
    exports.mkdir()
    people = [f"E{i:02}" for i in range(31)]
    pl.DataFrame({"employee_id": people, "display_name": people}).write_csv(exports / "employees.csv")
    pl.DataFrame({"scale_id": ["s"], "name": ["s"], "lowest": [1], "highest": [5]}).write_csv(
        exports / "rating_scales.csv"
    )
    pl.DataFrame(
        {
            "scale_id": "s",
            "level": range(1, 6),
            "code": list("DCBAS"),
            "label": list("DCBAS"),
            "points": range(1, 6),
        }
    ).write_csv(exports / "scale_levels.csv")
    pl.DataFrame(
        {
            "cycle_id": ["c"],
            "name": ["c"],
            "starts_on": ["2026-01-01"],
            "ends_on": ["2026-06-30"],
            "scale_id": ["s"],
        }
    ).write_csv(exports / "review_cycles.csv")
    pl.DataFrame(
        {
            "cycle_id": "c",
            "ratee_id": people[1:],
            "rater_id": people[0],
            "source": "manager",
            "dimension": "overall",
            "stage": "initial",
            "score": [1 + i % 5 for i in range(30)],
            "level": [1 + i % 5 for i in range(30)],
        }
    ).write_csv(exports / "ratings.csv")
    report = run_import(
        [exports], home=tmp_path, as_of=date(2026, 7, 1), now=datetime(2026, 7, 1, tzinfo=UTC)
    )
    assert report.complete
    for page in ("pages/overview/overview.py", "pages/fairness/distributions.py"):
        app = open_app(tmp_path, page)
        assert not app.exception
        assert "None of these ratings can be placed by Department" in words(app)


LENIENCY = "pages/fairness/leniency.py"


@pytest.mark.parametrize("role", ["hr_leadership", "executive", "hr_partner"])
def test_flags_are_the_same_on_every_page(open_app: Open, demo_home: Path, role: str) -> None:
    finding = re.search(r"eh-finding[^>]*><p>([^<]+)", words(open_app(demo_home, LENIENCY, role=role)))
    assert finding is not None
    assert finding.group(1) in words(open_app(demo_home, "pages/overview/overview.py", role=role))


def test_a_rater_reads_the_same_on_the_leniency_page_and_on_their_own(
    open_app: Open, demo_home: Path
) -> None:
    reading = re.compile(
        r"[^<>]+ rates [\d.]+ points (?:softer|harder) than an average rater would \([^)]*\)\."
    )
    leniency = reading.search(words(open_app(demo_home, LENIENCY)))
    own = reading.search(words(open_app(demo_home, "pages/fairness/rater.py")))
    assert leniency is not None
    assert own is not None
    assert leniency.group() == own.group()


def test_one_cycle_and_levels_can_be_looked_at(open_app: Open, demo_home: Path) -> None:
    cycle = open_app(demo_home, LENIENCY, when="2026H1")
    assert not cycle.exception
    assert "2026 H1" in words(cycle)
    levels = open_app(demo_home, LENIENCY, steps="levels")
    assert not levels.exception
    assert "Do rating points and levels agree?" in words(levels)


RATER = "pages/fairness/rater.py"


def test_a_link_to_a_rater_opens_that_rater_whoever_was_chosen_before(
    open_app: Open, demo_home: Path
) -> None:
    app = open_app(demo_home, RATER)
    first = app.session_state["rater"]
    # What is first differs from page to page, so that even the default stands in the link.
    assert app.query_params["rater"] == first
    version = load.version()
    assert version is not None
    rated = load.company_severity(version, next(iter(load.rater_groups(version).values()))).raters
    other = next(one for one in rated.drop_nulls("severity")["rater_id"] if one != first)
    app.switch_page(LENIENCY).run()
    app.session_state["rater"] = first
    app.query_params["rater"] = other
    app.switch_page(RATER).run()
    assert not app.exception
    assert app.session_state["rater"] == other
    assert app.query_params["rater"] == other
    # Once arrived, the reader chooses.
    app.selectbox(key="rater").select_index(0).run()
    assert app.session_state["rater"] == first
    assert app.query_params["rater"] == first


def test_one_cycle_names_the_cycle_and_both_severities(open_app: Open, demo_home: Path) -> None:
    app = open_app(demo_home, LENIENCY, when="2026H1")
    said = words(app)
    assert re.search(r"eh-say[^>]*>2026 H1: ", said)
    assert "All cycles: " in said
    # How many people others rated too is known over all cycles only.
    assert not any("… also rated by others" in list(frame.value.columns) for frame in app.dataframe)
    assert "no judgement of any single rating" in said


def test_the_reading_stands_beside_the_rater_and_is_short(open_app: Open, demo_home: Path) -> None:
    app = open_app(demo_home, LENIENCY)
    table = next(frame.value for frame in app.dataframe if "Reading" in list(frame.value.columns))
    assert list(table.columns)[:2] == ["Rater", "Reading"]
    assert set(table["Reading"]) <= {"Softer", "Harder", "As others"}


def test_hr_partners_see_no_department_beyond_their_reach(open_app: Open, demo_home: Path) -> None:
    open_app(demo_home, LENIENCY, role="hr_partner")
    version = load.version()
    assert version is not None
    tree = load.departments(version, load.cycles(version)["ends_on"][0])
    own = sorted(tree.branches(None).values())[0]
    viewer = local_viewer(Role.HR_PARTNER, departments=frozenset({own}))
    source = next(iter(load.rater_groups(version).values()))
    for department in (None, own):
        shown = load.leniency(version, viewer, source, department).value
        assert set(shown.departments["department_id"]) <= tree.below(own)


def test_what_is_counted_above_leniency_is_what_is_shown(open_app: Open, demo_home: Path) -> None:
    whole, part = (
        re.search(r"([\d,]+) ratings by ([\d,]+) raters", words(open_app(demo_home, LENIENCY, **scope)))
        for scope in ({}, {"when": "2026H1"})
    )
    assert whole is not None
    assert part is not None
    assert int(part.group(1).replace(",", "")) < int(whole.group(1).replace(",", ""))
