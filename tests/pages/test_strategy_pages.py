"""The strategy and one goal as a reader meets them: the finding first, nothing beyond reach, no rating."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from html import unescape
from pathlib import Path

import polars as pl
import pytest
import streamlit as st
from polars.testing import assert_frame_equal
from streamlit.testing.v1 import AppTest

from analytics.goals.landing.backtest import Combination
from analytics.goals.landing.chart import hole_words
from analytics.language import Language, percent
from data import derived, queries
from data.access import Role
from data.sign_in import local_viewer
from data.warehouse import Warehouse
from pages.kit import load, load_goals, load_strategy, strategy
from tests.pages.conftest import Open
from tests.pages.conftest import words as html
from tests.warned_company import loaded

STRATEGY = "pages/goals/strategy.py"
GOAL = "pages/goals/goal.py"
T = Language("en")


@pytest.fixture
def version(demo_home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("EVENHAND_HOME", str(demo_home))
    current = load.version()
    assert current is not None
    return current


def words(app: AppTest) -> str:
    """What the page says, as it is read: titles hold signs that HTML escapes."""
    return unescape(html(app))


def every_goal(version: str) -> pl.DataFrame:
    return queries.goals(local_viewer(Role.HR_LEADERSHIP), load.engine(version))


def table(app: AppTest, column: str) -> pl.DataFrame:
    found = [frame.value for frame in app.dataframe if column in list(frame.value.columns)]
    assert len(found) == 1
    return pl.from_pandas(found[0])


# --- the strategy -----------------------------------------------------------------------------------


def test_the_finding_names_the_goal_least_likely_to_land_and_its_chance(
    open_app: Open, demo_home: Path, version: str
) -> None:
    app = open_app(demo_home, STRATEGY)
    assert not app.exception
    said = words(app)
    assert "Will the strategy land?" in said
    shown = load_strategy.strategy_within_reach(version, local_viewer(Role.HR_LEADERSHIP), 28)
    worst = shown.map.value.goals.sort("chance").row(0, named=True)
    assert f"The least likely is “{worst['title']}”, at {percent(worst['chance'], T)}." in said


def test_the_table_has_every_open_strategic_goal_once_and_no_overdue_one(
    open_app: Open, demo_home: Path, version: str
) -> None:
    as_of = load_goals.company(version).as_of
    open_company_goals = every_goal(version).filter(
        (pl.col("scope") == "company"), (pl.col("status") == "active"), pl.col("parent_id").is_null()
    )
    ahead = open_company_goals.filter(pl.col("due_on") >= as_of)
    overdue = open_company_goals.filter(pl.col("due_on") < as_of)
    assert ahead.height > 0
    assert overdue.height > 0
    app = open_app(demo_home, STRATEGY)
    shown = table(app, "Hangs most on")
    twice = set(ahead["title"]) & set(overdue["title"])
    assert twice
    # Its part in the reader's language; of two goals of one name with the day it is due.
    names = [
        f"{title.split(' / ')[0]} ({due_on})" if title in twice else title.split(" / ")[0]
        for title, due_on in ahead.select("title", "due_on").iter_rows()
    ]
    assert sorted(zip(shown["Goal"], shown["Due"].dt.date(), strict=True)) == sorted(
        zip(names, ahead["due_on"], strict=True)
    )
    for title, due_on in overdue.select("title", "due_on").iter_rows():
        assert f"“{title}” (due {T.day(due_on)})" in words(app)


def test_what_nobody_took_up_is_a_hole_with_the_way_to_coverage(
    open_app: Open, demo_home: Path, version: str
) -> None:
    shown = load_strategy.strategy_within_reach(version, local_viewer(Role.HR_LEADERSHIP), 28)
    without = shown.strategic.filter((pl.col("goals") == 0) & ~pl.col("overdue"))
    assert without.height == 1
    app = open_app(demo_home, STRATEGY)
    assert f"“{without['title'][0]}” · {hole_words(T)['not_taken_up']}" in words(app)
    assert any("coverage" in link.proto.page for link in app.get("page_link"))


@pytest.mark.parametrize("days", ["14", "28", "91"])
def test_change_is_against_the_day_of_the_link(
    open_app: Open, demo_home: Path, version: str, days: str
) -> None:
    app = open_app(demo_home, STRATEGY, before=days)
    day = load_goals.company(version).as_of - timedelta(days=int(days))
    assert f"change since {T.day(day)}" in words(app)
    before = dict(load_strategy.landed(version).before.filter(seen_on=day).select("goal_id", "chance").rows())
    shown = load_strategy.strategy_within_reach(version, local_viewer(Role.HR_LEADERSHIP), int(days))
    for goal_id, chance, change in shown.map.value.goals.select("goal_id", "chance", "change").iter_rows():
        assert change == pytest.approx(chance - before[goal_id])


def test_what_was_kept_is_what_was_learnt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = loaded(tmp_path)
    monkeypatch.setenv("EVENHAND_HOME", str(home))
    st.cache_resource.clear()
    warehouse = Warehouse(home)
    current = warehouse.current()
    assert current is not None
    learnt = load_strategy._learn(current.version_id)
    mixed = replace(learnt, record=replace(learnt.record, combination=Combination(0.1, 0.2, 0.3)))
    for made in (learnt, mixed):
        made_by = f"combination {made.record.combination}"
        frames, card = load_strategy._to_keep(made)
        derived.keep(warehouse, current.version_id, "strategy", frames, card, made_by=made_by)
        found = derived.kept(warehouse, current.version_id, "strategy", made_by=made_by)
        assert found is not None
        kept = load_strategy._as_kept(found.frames, found.card)
        for name in ("strategic", "holes", "silent", "chances", "before"):
            assert_frame_equal(getattr(kept, name), getattr(made, name))
        for name in ("goals", "children", "by_rule", "risks", "causes"):
            assert_frame_equal(getattr(kept.landing, name), getattr(made.landing, name))
        assert kept.record.shared.parts == made.record.shared.parts
        assert kept.record.doubt == made.record.doubt
        assert kept.record.combination == made.record.combination
        assert [(stage, tuple(shares)) for stage, shares in kept.record.past.brings] == [
            (stage, tuple(shares)) for stage, shares in made.record.past.brings
        ]
        assert (kept.as_of, kept.record.preferred) == (made.as_of, made.record.preferred)
    st.cache_resource.clear()


# --- one goal ---------------------------------------------------------------------------------------


def test_a_link_opens_the_goal_and_says_its_chance_before_all_else(
    open_app: Open, demo_home: Path, version: str
) -> None:
    alone = load_strategy.landed(version).chances.filter(method="own")
    now = load_goals.chances(version).now.join(alone, on="goal_id", how="semi")
    single = now.sort("delay", "goal_id").row(-1, named=True)
    app = open_app(demo_home, GOAL, goal=single["goal_id"])
    assert not app.exception
    goal = every_goal(version).row(by_predicate=pl.col("goal_id") == single["goal_id"], named=True)
    said = words(app)
    assert goal["title"] in said
    chance = f"The chance that it misses {T.day(goal['due_on'])} is {percent(single['delay'], T)}"
    assert chance in said
    assert said.index(chance) < said.index("Where it stands and where it may go")


def test_a_goal_with_goals_below_it_is_judged_by_them_and_lists_them(
    open_app: Open, demo_home: Path, version: str
) -> None:
    found = load_strategy.landed(version)
    chances = found.chances.filter(pl.col("method") == "rolled_up", pl.col("chance").is_between(0.05, 0.95))
    children = found.landing.children.join(chances, left_on="parent_id", right_on="goal_id", how="semi")
    parent = children["parent_id"].unique().sort()[0]
    app = open_app(demo_home, GOAL, goal=parent)
    assert not app.exception
    assert "Judged by the goals below it" in words(app)
    titles = dict(every_goal(version).select("goal_id", "title").iter_rows())
    below = [titles[one] for one in found.landing.children.filter(parent_id=parent)["goal_id"]]
    assert sorted(table(app, "If it surely lands (points)")["Goal"]) == sorted(below)


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (pl.col("status") == "abandoned", "It was given up"),
        ((pl.col("status") == "done") & (pl.col("completed_on") > pl.col("due_on")), "after it was due."),
        ((pl.col("status") == "done") & (pl.col("completed_on") < pl.col("due_on")), "before it was due."),
        ((pl.col("status") == "active") & (pl.col("due_on") < date(2026, 6, 1)), "and is still open"),
    ],
)
def test_a_goal_without_a_chance_says_why(
    open_app: Open, demo_home: Path, version: str, chosen: pl.Expr, said: str
) -> None:
    goal = every_goal(version).filter(chosen, pl.col("scope") != "company").sort("goal_id").row(0, named=True)
    app = open_app(demo_home, GOAL, goal=goal["goal_id"])
    assert not app.exception
    assert goal["title"] in words(app)
    assert said in words(app)
    assert "The chance that it misses" not in words(app)


def test_a_goal_without_target_has_no_forecast_and_says_why(
    open_app: Open, demo_home: Path, version: str
) -> None:
    goals = every_goal(version)
    bare = goals.filter(
        pl.col("status") == "active",
        pl.col("due_on") > load_goals.company(version).as_of,
        pl.col("target").is_null(),
        pl.col("kind") != "baseline",
        ~pl.col("goal_id").is_in(goals["parent_id"].implode()),
    )
    app = open_app(demo_home, GOAL, goal=bare["goal_id"].sort()[0])
    assert not app.exception
    assert "There is no forecast. It has no target of its own" in words(app)


def test_changes_stand_with_who_approved(open_app: Open, demo_home: Path, version: str) -> None:
    changes = load_goals.company(version).changes
    moved = changes.filter(pl.col("field") == "due_on", pl.col("approved_by").is_null()).sort("goal_id")
    app = open_app(demo_home, GOAL, goal=moved["goal_id"][0])
    assert not app.exception
    shown = table(app, "Approved by").filter(pl.col("What") == "Due date")
    assert "Nobody" in shown["Approved by"].to_list()


@pytest.mark.parametrize("role", ["executive", "hr_leadership"])
def test_who_chooses_no_goal_meets_the_strategic_goal_least_likely_to_land(
    open_app: Open, demo_home: Path, version: str, role: str
) -> None:
    shown = load_strategy.strategy_within_reach(version, local_viewer(Role.HR_LEADERSHIP), 28)
    worst = shown.map.value.goals.drop_nulls("chance").sort("chance", "goal_id")["goal_id"][0]
    app = open_app(demo_home, GOAL, role=role)
    assert not app.exception
    assert app.session_state["goal"] == worst


def test_a_goal_judged_by_those_below_opens_with_why_and_names_its_own_check_ins(
    open_app: Open, demo_home: Path, version: str
) -> None:
    found = load_strategy.landed(version)
    open_below = found.landing.goals.filter("stated", rule="all").join(
        found.chances.filter(pl.col("method") != "own", pl.col("chance").is_between(0.01, 0.99)), on="goal_id"
    )
    goal_id = open_below["goal_id"].sort()[0]
    app = open_app(demo_home, GOAL, goal=goal_id)
    said = words(app)
    assert "below it must land." in said
    assert said.index("below it must land.") < said.index("By its own check-ins: where it stands")
    assert "By its own check-ins: how likely it was to miss, over time" in said
    alone = found.chances.filter(method="own").join(load_goals.chances(version).now, on="goal_id", how="semi")
    assert "By its own check-ins: " not in words(open_app(demo_home, GOAL, goal=alone["goal_id"].sort()[0]))


def test_an_owner_beyond_reach_is_not_told_by_id(version: str, demo_home: Path) -> None:
    owned = every_goal(version).drop_nulls("owner_id").sort("goal_id").row(0, named=True)
    shown = load_strategy.outlook_within_reach(version, local_viewer(Role.HR_LEADERSHIP), owned["goal_id"])
    told = strategy.scope(T, shown, {}, version)
    assert "owner beyond your reach" in told
    assert owned["owner_id"] not in " ".join(told)


def test_changes_of_status_are_told_in_words(open_app: Open, demo_home: Path, version: str) -> None:
    changes = load_goals.company(version).changes
    ended = changes.filter(pl.col("field") == "status", pl.col("new_value") == "abandoned").sort("goal_id")
    app = open_app(demo_home, GOAL, goal=ended["goal_id"][0])
    shown = table(app, "Approved by").filter(pl.col("What") == "Status")
    assert {"Given up"} <= set(shown["After"])
    assert not {"active", "abandoned", "done"} & {*shown["Before"], *shown["After"]}


def test_the_way_to_the_goal_stands_beside_the_finding_and_the_holes(
    open_app: Open, demo_home: Path, version: str
) -> None:
    shown = load_strategy.strategy_within_reach(version, local_viewer(Role.HR_LEADERSHIP), 28)
    goals = shown.map.value.goals
    wanted = [goals.drop_nulls("chance").sort("chance", "goal_id")["goal_id"][0]]
    wanted += goals.filter(pl.col("holes").list.set_difference(["silent"]).list.len() > 0)[
        "goal_id"
    ].to_list()
    ways = " ".join(link.proto.query_string for link in open_app(demo_home, STRATEGY).get("page_link"))
    for goal_id in wanted:
        assert f"goal={goal_id}" in ways


@pytest.mark.parametrize("page_goal", ["NOPE", "beyond"])
def test_a_goal_not_found_or_beyond_reach_is_not_replaced_by_another(
    open_app: Open, demo_home: Path, version: str, page_goal: str
) -> None:
    everything = set(every_goal(version)["goal_id"])
    app = open_app(demo_home, GOAL, role="hr_partner")
    department = app.session_state["local_department"]
    partner = local_viewer(Role.HR_PARTNER, departments=frozenset({department}))
    beyond = sorted(everything - load_goals.visible_goals(version, partner))
    assert beyond
    title = every_goal(version).row(by_predicate=pl.col("goal_id") == beyond[0], named=True)["title"]
    app = open_app(demo_home, GOAL, role="hr_partner", goal="NOPE" if page_goal == "NOPE" else beyond[0])
    assert not app.exception
    assert "The goal of the link was not found" in words(app)
    assert "beyond your reach, or no longer on record" in words(app)
    assert title not in words(app)
    assert not app.selectbox or all(box.key != "goal" for box in app.selectbox)
    assert "may go" not in words(app)


def test_goals_below_that_are_beyond_reach_are_counted_and_never_named(version: str) -> None:
    tree = load.departments(version, load_goals.company(version).as_of)
    partner = local_viewer(Role.HR_PARTNER, departments=frozenset({sorted(tree.branches(None).values())[0]}))
    visible = load_goals.visible_goals(version, partner)
    shown = load_strategy.strategy_within_reach(version, partner, 28)
    whole = load_strategy.landed(version).landing.children
    for one in shown.goals:
        goal_id = one.value.goal["goal_id"][0]
        below = whole.filter(parent_id=goal_id)["goal_id"]
        assert set(one.value.children["goal_id"]) == set(below) & visible
        assert shown.hidden[goal_id] == len(set(below) - visible)
    assert sum(shown.hidden.values()) > 0


def test_shared_causes_beyond_reach_are_not_told(version: str) -> None:
    as_of = load_goals.company(version).as_of
    tree = load.departments(version, as_of)
    own = sorted(tree.branches(None).values())[0]
    partner = local_viewer(Role.HR_PARTNER, departments=frozenset({own}))
    everybody = queries.visible_goal_owners(partner, load.engine(version), on=as_of)
    assert everybody is not None
    allowed = everybody | tree.below(own) | load_goals.visible_goals(version, partner)
    whole, shown = (
        pl.concat(one.value.causes for one in load_strategy.strategy_within_reach(version, viewer, 28).goals)
        for viewer in (local_viewer(Role.HR_LEADERSHIP), partner)
    )
    assert set(shown["cause_id"]) == set(whole["cause_id"]) & allowed
    assert set(whole["cause_id"]) - allowed


@pytest.mark.parametrize("page", [STRATEGY, GOAL])
@pytest.mark.parametrize("role", ["hr_leadership", "executive", "hr_partner", "manager"])
def test_nobodys_rating_is_on_the_page(open_app: Open, demo_home: Path, page: str, role: str) -> None:
    app = open_app(demo_home, page, role=role)
    assert not app.exception
    columns = {column.lower() for frame in app.dataframe for column in frame.value.columns}
    assert not any("rating" in column or "score" in column for column in columns)
