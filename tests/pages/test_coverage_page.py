"""The page on coverage shows everybody the same strategy, and of goals only what is theirs to see."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.pages.conftest import Open, words

PAGE = "pages/goals/coverage.py"


def planted(demo_home: Path) -> dict[str, object]:
    truth: dict[str, object] = json.loads((demo_home / "demo" / "truth" / "truth.json").read_text("utf-8"))
    return truth


@pytest.mark.parametrize("role", ["hr_leadership", "hr_partner", "manager", "auditor"])
def test_everybody_is_told_what_nobody_took_up(open_app: Open, demo_home: Path, role: str) -> None:
    app = open_app(demo_home, PAGE, role=role)
    assert not app.exception
    # Of the open strategic goals the demo company leaves those of the running cycle, and of the last one
    # if it is still open, to nobody.
    assert "taken up by nobody" in words(app)


def test_a_manager_is_shown_no_department_that_is_not_theirs(open_app: Open, demo_home: Path) -> None:
    everything = json.loads(open_app(demo_home, PAGE).get("plotly_chart")[0].proto.spec)
    theirs = json.loads(open_app(demo_home, PAGE, role="manager").get("plotly_chart")[0].proto.spec)
    shown = [len(spec["layout"]["xaxis"]["ticktext"]) for spec in (everything, theirs)]
    assert shown[0] >= 5
    assert shown[1] < shown[0]


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("strategy", "Has the strategy been taken up?"),
        ("setting", "Are goals set well, and in time?"),
        ("changes", "Are goals changed on the way, and who agrees to it?"),
    ],
)
def test_a_link_opens_the_part_the_sender_saw(open_app: Open, demo_home: Path, part: str, said: str) -> None:
    app = open_app(demo_home, PAGE, part=part)
    assert not app.exception
    assert said in words(app)


def test_the_department_planted_to_set_its_goals_late_is_seen_to(open_app: Open, demo_home: Path) -> None:
    app = open_app(demo_home, PAGE, part="setting")
    assert not app.exception
    table = app.dataframe[0].value
    late = dict(zip(table["Department"], table["Agreed late (%)"], strict=True))
    # A department of Product & Market; by itself it is too small to be shown here.
    assert planted(demo_home)["goals_set_late_department"] == "MKT-PM"
    assert late["Product & Market"] == max(share for share in late.values() if share == share)


def test_the_page_shows_nobodys_rating(open_app: Open, demo_home: Path) -> None:
    for part in ("strategy", "setting", "changes"):
        app = open_app(demo_home, PAGE, part=part)
        headers = {header for table in app.dataframe for header in table.value.columns}
        assert not {header for header in headers if "rating" in header.lower()}
