"""Adjusted ratings and evidence: people only for whoever may see both their ratings and their goals."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from data import queries
from data.access import Role
from data.sign_in import local_viewer
from data.warehouse import Warehouse
from pages.kit import load, load_severity
from tests.pages.conftest import Open, words

ADJUSTED = "pages/fairness/adjusted.py"
EVIDENCE = "pages/fairness/evidence.py"


def tables(app: AppTest) -> list[list[str]]:
    return [list(frame.value.columns) for frame in app.dataframe]


def test_adjusted_ratings_name_people_and_say_that_nothing_is_written_back(
    open_app: Open, demo_home: Path
) -> None:
    app = open_app(demo_home, ADJUSTED)
    said = words(app)
    assert "another level is likelier than the one given" in said
    assert "shifts all judgements alike" in said
    assert "Nothing is written back" in said
    assert any("Person" in columns and "Likely range" in columns for columns in tables(app))
    assert " above " in said  # two people beside each other


@pytest.mark.parametrize("role", ["executive", "auditor"])
@pytest.mark.parametrize("page", [ADJUSTED, EVIDENCE])
def test_who_may_not_see_individual_ratings_sees_departments_only(
    open_app: Open, demo_home: Path, page: str, role: str
) -> None:
    app = open_app(demo_home, page, role=role, evidence="feedback")
    assert not app.exception
    assert tables(app)
    assert not any("Person" in columns for columns in tables(app))
    assert not any(box.key in {"first", "second"} for box in app.selectbox)


def test_who_may_not_see_goals_gets_neither_goals_nor_single_people(open_app: Open, demo_home: Path) -> None:
    app = open_app(demo_home, EVIDENCE, role="committee_facilitator", evidence="goals")
    assert not app.exception
    assert app.selectbox(key="evidence").value == "feedback"
    assert "Goal attainment" not in app.selectbox(key="evidence").options
    assert not any("Person" in columns for columns in tables(app))


def test_a_partner_sees_only_people_of_their_departments(open_app: Open, demo_home: Path) -> None:
    app = open_app(demo_home, ADJUSTED, role="hr_partner")
    (reach,) = {department for department in [app.session_state["local_department"]] if department}
    viewer = local_viewer(Role.HR_PARTNER, departments=frozenset({reach}))
    opened = Warehouse(demo_home).open()
    names = queries.names(viewer, opened)
    allowed = queries.visible_ratees(viewer, opened, on=date(2026, 6, 30))
    assert allowed is not None
    within = {names.get(one, one) for one in allowed}
    people = {
        person
        for frame in app.dataframe
        if "Person" in frame.value.columns
        for person in frame.value["Person"]
    }
    assert people
    assert people <= within
    everybody = open_app(demo_home, ADJUSTED)
    shown = {p for f in everybody.dataframe if "Person" in f.value.columns for p in f.value["Person"]}
    assert len(shown) > len(people)


def test_goals_that_do_not_drive_ratings_are_said_not_to(open_app: Open, demo_home: Path) -> None:
    # data/demo: how a goal goes is drawn apart from the performance that ratings are made of.
    app = open_app(demo_home, EVIDENCE)
    assert "cannot say who is rated too high" in words(app)
    assert not any("Person" in columns for columns in tables(app))


def test_feedback_that_follows_performance_is_telling(open_app: Open, demo_home: Path) -> None:
    app = open_app(demo_home, EVIDENCE, evidence="feedback")
    said = words(app)
    assert "What others say explains" in said
    assert any("Same evidence got" in columns for columns in tables(app))
    # It leaves the raters who stand out as they are, so nothing more is made of it.
    assert said.count("The evidence changes nothing that matters") == 1
    assert not any("Reading with" in columns for columns in tables(app))


def test_one_rater_can_be_chosen_from_a_link(open_app: Open, demo_home: Path) -> None:
    app = open_app(demo_home, ADJUSTED)
    rater = next(option for option in app.selectbox(key="rater").options[1:])
    whole = app.dataframe[0].value.shape[0]
    name = app.dataframe[0].value["Rater"]
    chosen = name[name == rater].index
    assert 0 < len(chosen) < whole
    ids = {
        called: one
        for one, called in queries.names(
            local_viewer(Role.HR_LEADERSHIP), Warehouse(demo_home).open()
        ).items()
    }
    again = open_app(demo_home, ADJUSTED, rater=ids[rater])
    assert again.selectbox(key="rater").value == ids[rater]
    assert set(again.dataframe[0].value["Rater"]) == {rater}


def test_who_may_not_see_people_may_choose_whole_branches_only(open_app: Open, demo_home: Path) -> None:
    # Counts of a team and of the department around it could be subtracted from each other.
    tree = queries.departments(Warehouse(demo_home).open(), on=date(2026, 6, 30))
    branches = {tree.names[branch] for branch in set(tree.branches(None).values())}
    app = open_app(demo_home, ADJUSTED, role="executive", department=tree.children["SRV"][0])
    assert app.selectbox(key="department").value == ""
    assert {option.strip() for option in app.selectbox(key="department").options[1:]} == branches
    one = open_app(demo_home, ADJUSTED, role="executive", department="SRV")
    assert one.dataframe[0].value["Department"].to_list() == [tree.names["SRV"]]


def test_where_everybody_is_compared_no_feedback_is_left(open_app: Open, demo_home: Path) -> None:
    app = open_app(demo_home, EVIDENCE, evidence="feedback", raters="everybody")
    assert not app.exception
    assert "No other source judged these people" in words(app)


def test_evidence_about_a_department_is_only_for_whom_all_of_it_is_in_reach(
    demo_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENHAND_HOME", str(demo_home))
    version = load.version()
    assert version is not None
    sources = next(iter(load.rater_groups(version).values()))
    tree = load.departments(version, load.cycles(version)["ends_on"][0])
    own = min(branch for branch in set(tree.branches(None).values()) if tree.children.get(branch))
    viewer = local_viewer(Role.HR_PARTNER, departments=frozenset({own}))
    found = load_severity.beside_evidence(version, viewer, sources, "feedback", None).value
    assert set(found.departments["department_id"]) == {own}
    facilitator = local_viewer(Role.COMMITTEE_FACILITATOR, departments=frozenset({own}))
    with pytest.raises(queries.RefusedError):
        load_severity.beside_evidence(version, facilitator, sources, "goals", None)
