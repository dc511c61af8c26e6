"""The pages on the delay probability's honesty and on owners' promises, as readers open them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from data import queries
from data.access import Role
from data.sign_in import local_viewer
from data.warehouse import Warehouse
from pages.kit import load_goals
from tests.pages.conftest import Open, words

BACKTEST = "pages/goals/backtest.py"
OWNERS = "pages/goals/owners.py"


def test_the_backtest_says_what_became_of_what_was_said(open_app: Open, demo_home: Path) -> None:
    app = open_app(demo_home, BACKTEST)
    assert not app.exception
    said = words(app)
    assert re.search(r"When we said about \d+ %, \d+ % missed their due date \(likely \d+ % to \d+ %", said)
    assert re.search(r"Its error is \d+ % (smaller|larger) than the pace rule", said) or "cannot tell" in said
    assert "goals that came due" in said
    tables = [list(frame.value.columns) for frame in app.dataframe]
    assert any("Said from (%)" in columns for columns in tables)
    assert any("Department" in columns for columns in tables)
    assert any("Model" in columns and "Error (Brier)" in columns for columns in tables)


def test_the_backtest_is_taken_apart_as_the_link_says(open_app: Open, demo_home: Path) -> None:
    app = open_app(demo_home, BACKTEST, apart="horizon")
    table = next(frame.value for frame in app.dataframe if "Days left" in frame.value.columns)
    assert next(iter(table["Days left"])) == "up to 14 days"


def test_who_sees_a_part_of_the_company_sees_what_was_said_of_that_part(
    open_app: Open, demo_home: Path
) -> None:
    def goals_counted(role: str) -> int:
        said = words(open_app(demo_home, BACKTEST, role=role))
        found = re.search(r"([\d,]+) goals? that came due", said)
        assert found is not None
        return int(found.group(1).replace(",", ""))

    assert 0 < goals_counted("hr_partner") < goals_counted("hr_leadership")


@pytest.mark.parametrize("role", [Role.HR_PARTNER, Role.MANAGER])
def test_nobody_is_told_of_an_owner_beyond_their_reach(open_app: Open, demo_home: Path, role: Role) -> None:
    open_app(demo_home, OWNERS)  # points the readers at this home
    opened = Warehouse(demo_home).open()
    on = queries.latest_day(opened)
    assert on is not None
    goals = queries.goals(local_viewer(Role.HR_LEADERSHIP), opened)
    viewer = (
        local_viewer(role, departments=frozenset({"SAL"}))
        if role is Role.HR_PARTNER
        else local_viewer(role, employee_id=goals.filter(scope="department")["owner_id"].drop_nulls()[0])
    )
    reached = queries.visible_goal_owners(viewer, opened, on=on)
    assert reached
    mine = load_goals.owners_within_reach(opened.version, viewer, None).value
    whole = load_goals.owners_within_reach(opened.version, local_viewer(Role.HR_LEADERSHIP), None).value
    assert 0 < mine.owners.height < whole.owners.height
    assert set(mine.owners["owner_id"]) <= reached
    assert set(mine.promises["owner_id"]) <= reached
    assert set(mine.promises["goal_id"]) <= set(queries.goals(viewer, opened)["goal_id"])
    # What is usual is the company's, and the same for everybody.
    assert mine.total.equals(whole.total)


def test_owners_pages_name_no_rating_and_end_with_what_else_it_could_be(
    open_app: Open, demo_home: Path
) -> None:
    app = open_app(demo_home, OWNERS)
    said = words(app)
    assert not app.exception
    columns = {column for frame in app.dataframe for column in frame.value.columns}
    assert not {column for column in columns if "rating" in column.lower() or "level" in column.lower()}
    if "clearly fewer goals than stated" in said:
        assert "Talk before concluding." in said


@pytest.mark.parametrize("page", [BACKTEST, OWNERS])
def test_the_same_page_in_chinese_has_its_tables_too(open_app: Open, demo_home: Path, page: str) -> None:
    app = open_app(demo_home, page, lang="zh")
    assert not app.exception
    assert len(app.dataframe) >= 2


def test_a_link_to_an_owner_opens_that_owner_with_their_goals(open_app: Open, demo_home: Path) -> None:
    first = open_app(demo_home, OWNERS)
    options = first.selectbox(key="owner").options
    released = load_goals.owners_within_reach(
        Warehouse(demo_home).open().version, local_viewer(Role.HR_LEADERSHIP), None
    )
    told = released.value.owners.drop_nulls("excess").sort("excess")
    owner, n_goals = told.row(0, named=True)["owner_id"], told.row(0, named=True)["n_goals"]
    app = open_app(demo_home, OWNERS, owner=owner)
    assert app.selectbox(key="owner").value == owner
    goals = next(frame.value for frame in app.dataframe if "What became of it" in frame.value.columns)
    assert len(goals) == n_goals
    assert len(options) > 10
