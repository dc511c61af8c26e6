"""Pages on goals open on companies with few goals, or goals of which little is on record."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from analytics.language import Language
from data import queries
from data.access import Role
from data.sign_in import local_viewer
from data.warehouse import Warehouse
from pages.kit import load, tables
from tests import small_company
from tests.pages.conftest import Open, words
from tests.pages.test_pages import PAGES

GOALS = [page for page in PAGES if page.startswith("pages/goals/")]
COMPANIES: dict[str, dict[str, Any]] = {
    "no goals": {"goals": 0},
    "one goal": {"goals": 1},
    "five goals": {"goals": 5},
    "twenty goals": {"goals": 20},
    "no check-ins": {"goals": 20, "checked": False},
    "drafts only": {"goals": 20, "status": "draft", "checked": False},
    "all done": {"goals": 20, "status": "done", "completed_on": date(2026, 5, 20)},
    "all overdue": {"goals": 20, "due_on": date(2026, 4, 30)},
    "no owners and no targets": {"goals": 20, "owned": False, "target": False},
}


@pytest.fixture(scope="module", params=COMPANIES)
def company(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    return small_company.loaded(folder / "home", **COMPANIES[request.param])


def test_every_page_on_goals_opens_on_a_day_that_has_been(open_app: Open, company: Path) -> None:
    broken = []
    for page in GOALS:
        app = open_app(company, page)
        said = words(app)
        if app.exception or not said or "9999" in said:
            broken.append(page)
    assert not broken


ELI = local_viewer(Role.MANAGER, employee_id="eli")
"""Of two goals, the company's and Ben's below it, only the company's is within Eli's reach."""


def test_without_check_ins_nobody_reaches_more_than_is_theirs(tmp_path: Path) -> None:
    home = small_company.loaded(tmp_path / "home", goals=2, checked=False)
    assert queries.goals(ELI, Warehouse(home).open())["goal_id"].to_list() == ["g0"]


def test_a_manager_is_told_what_the_company_took_up_and_no_id(open_app: Open, tmp_path: Path) -> None:
    home = small_company.loaded(tmp_path / "home", goals=2)
    open_app(home)  # points the readers at this home
    version = Warehouse(home).open().version
    (strategic,) = load.goal_rollup(version, ELI, "remaining_work").value.strategy.to_dicts()
    assert (strategic["goals"], strategic["taken_up"]) == (0, True)
    frame = load.goal_pace(version, ELI, "remaining_work", None).value.goals
    assert frame["owner_id"].to_list() == ["ada"]
    said = tables.people(Language("en"), frame, "owner_id", load.names(version, ELI))
    assert frame.select(said)["owner_id"].to_list() == ["somebody beyond your reach"]


def test_without_check_ins_the_data_are_of_a_day_the_import_knew(tmp_path: Path) -> None:
    home = small_company.loaded(tmp_path / "home", goals=5, checked=False)
    # Goals begin on 5 January and are due on 4 July, which had not come when they were imported on 26 May.
    assert queries.latest_day(Warehouse(home).open()) == small_company.START
    overdue = small_company.loaded(tmp_path / "overdue", goals=5, checked=False, due_on=date(2026, 4, 30))
    assert queries.latest_day(Warehouse(overdue).open()) == date(2026, 4, 30)


def test_a_mistyped_year_does_not_move_the_day_the_data_are_of(tmp_path: Path) -> None:
    right = small_company.loaded(tmp_path / "right", goals=5)
    wrong = small_company.loaded(tmp_path / "wrong", goals=5, mistyped=(date(9998, 1, 1),))
    days = [queries.latest_day(Warehouse(home).open()) for home in (right, wrong)]
    # The last fortnightly check-in, 140 days after the start.
    assert days == [small_company.START + timedelta(days=140)] * 2


def test_without_any_dated_goal_the_data_are_of_the_day_of_the_import(tmp_path: Path) -> None:
    home = small_company.loaded(tmp_path / "home", goals=0)
    assert queries.latest_day(Warehouse(home).open()) == small_company.IMPORTED
