"""The strategy rolled up on several days, its holes, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

import polars as pl
import pytest

from analytics.disclosure import release
from analytics.goals import strategy_chart as chart
from analytics.goals.coverage import coverage
from analytics.goals.landing.backtest import parent_backtest
from analytics.goals.landing.landing import GoalLanding, goal_landing
from analytics.goals.pace import pace
from analytics.goals.risk.panel import panel
from analytics.goals.rollup import branches
from analytics.goals.strategy import Landed, landed
from analytics.goals.tree import tree
from analytics.language import Language

T = Language("en")
START, DUE, AS_OF = date(2026, 1, 5), date(2026, 7, 4), date(2026, 5, 25)
THEN = AS_OF - timedelta(days=28)
TITLES = pl.DataFrame(
    {
        "goal_id": ["s1", "s2", "s3", "a", "b", "c"],
        "title": ["Grow", "Save", "Late", "Open branches", "Win accounts", "Cut scrap"],
    }
)
_ROW: dict[str, Any] = {
    "title": None,
    "framework": None,
    "perspective": "financial",
    "kind": "increase",
    "metric": "euros",
    "unit": "EUR",
    "baseline": 0.0,
    "target": 100.0,
    "weight": None,
    "rollup_rule": None,
    "rollup_needed": None,
    "department_id": "d",
    "cycle_id": "2026H1",
    "data_source": "ledger",
    "cadence_days": 14,
    "start_on": START,
    "due_on": DUE,
    "status": "active",
    "completed_on": None,
    "agreed_on": START,
    "version": 1,
}
_TYPES: dict[str, Any] = {
    "title": pl.String,
    "framework": pl.String,
    "weight": pl.Float64,
    "rollup_rule": pl.String,
    "rollup_needed": pl.Float64,
    "completed_on": pl.Date,
    "parent_id": pl.String,
}


def goals() -> pl.DataFrame:
    """Two strategic goals ahead, one overdue; s1 needs a and b, c serves it; nobody took up the others."""
    rows: list[dict[str, Any]] = [
        {"goal_id": "s1", "parent_id": None, "scope": "company", "owner_id": "ada", "rollup_rule": "all"},
        {"goal_id": "s2", "parent_id": None, "scope": "company", "owner_id": "bob", "weight": 60.0},
        {"goal_id": "s3", "parent_id": None, "scope": "company", "owner_id": "ada", "due_on": THEN},
        {"goal_id": "a", "parent_id": "s1", "scope": "department", "owner_id": "cai", "data_source": None},
        {"goal_id": "b", "parent_id": "s1", "scope": "department", "owner_id": "dee"},
        {"goal_id": "c", "parent_id": "a", "scope": "team", "owner_id": "eve", "cadence_days": None},
    ]
    return pl.DataFrame([{**_ROW, **row} for row in rows], schema_overrides=_TYPES).sort("goal_id")


def check_ins(silent: tuple[str, ...]) -> pl.DataFrame:
    """Everything updated a week ago; what is silent was last updated in January."""
    rows = [
        (one, datetime(2026, 1, 12) if one in silent else datetime(2026, 5, 18), 40.0, None, None)
        for one in ("s1", "s2", "s3", "a", "b", "c")
    ]
    return pl.DataFrame(
        rows,
        schema={
            "goal_id": pl.String,
            "checked_at": pl.Datetime,
            "value": pl.Float64,
            "target": pl.Float64,
            "confidence": pl.Float64,
        },
        orient="row",
    )


def said(now: float) -> pl.DataFrame:
    """Of every open goal a chance to miss of 30 % four weeks ago, and another one now."""
    rows = [
        (one, day, 0.5, 40, DUE, delay, delay, delay, None, None, None)
        for one in ("s1", "s2", "a", "b", "c")
        for day, delay in ((THEN, 0.3), (AS_OF, now))
    ]
    return pl.DataFrame(
        rows,
        schema={
            "goal_id": pl.String,
            "seen_on": pl.Date,
            "elapsed": pl.Float64,
            "days_left": pl.Int64,
            "due_on": pl.Date,
            "delay": pl.Float64,
            "delay_low": pl.Float64,
            "delay_high": pl.Float64,
            "origin": pl.Date,
            "missed": pl.Boolean,
            "known_on": pl.Date,
        },
        orient="row",
    )


@cache
def found(*, now: float = 0.2, silent: tuple[str, ...] = (), since: date = THEN) -> Landed:
    everything, told = goals(), check_ins(silent)
    shots = panel(everything, told, as_of=AS_OF).snapshots
    stands = pace(everything, told, as_of=AS_OF)
    return landed(
        everything,
        shots,
        said(now),
        coverage(everything, stands, branches={"d": "d"}),
        parent_backtest(everything, shots, said(now), as_of=AS_OF, seed=1),
        branches=branches(stands, tree(stands.goals)),
        as_of=AS_OF,
        since=[since],
        seed=1,
    )


def before(result: Landed) -> dict[str, float]:
    return dict(result.before.select("goal_id", "chance").rows())


def test_a_goal_with_nothing_below_has_the_chance_that_was_said_on_each_day() -> None:
    result = found()
    today = dict(result.chances.select("goal_id", "chance").rows())
    # 1 − 20 % today, 1 − 30 % four weeks ago.
    assert today["s2"] == pytest.approx(0.8)
    assert before(result)["s2"] == pytest.approx(0.7)


def test_what_is_said_today_changes_no_earlier_day() -> None:
    assert before(found(now=0.2)) == before(found(now=0.9))
    assert (
        found(now=0.2).chances.filter(goal_id="s1")["chance"][0]
        > (found(now=0.9).chances.filter(goal_id="s1")["chance"][0])
    )


def test_a_day_that_does_not_lie_before_today_is_refused() -> None:
    with pytest.raises(ValueError, match="since must be days before"):
        found(since=AS_OF)


def test_holes_are_what_nobody_took_up_and_weights_that_do_not_add_up() -> None:
    # Bob's one company goal weighs 60 %; nothing serves it, nor the overdue one.
    assert found().holes.rows() == [("s2", "not_taken_up"), ("s2", "weights"), ("s3", "not_taken_up")]


def test_one_silent_branch_is_told_and_no_hole_of_the_whole() -> None:
    # c hangs below a: both must be silent for the branch to be.
    result = found(silent=("a", "c"))
    assert ("s1", "silent") not in result.holes.rows()
    assert result.silent.select("goal_id", "strategic_id", "goals").rows() == [("a", "s1", 2)]
    # From 12 January to 25 May: 133 days.
    assert chart.silent_said(result.silent, dict(TITLES.rows()), T) == [
        "“Grow”: nobody has updated “Open branches” and what hangs below it, together 2 goals, for 133 days."
    ]
    hidden = chart.silent_said(result.silent, {"s1": "Grow"}, T)
    assert hidden == ["“Grow”: nobody has updated one branch below it, beyond your reach, for 133 days."]


def test_where_every_branch_is_silent_the_goal_is_a_hole() -> None:
    assert ("s1", "silent") in found(silent=("a", "b", "c")).holes.rows()


def test_what_the_goals_below_lack_is_counted() -> None:
    rows = {row["goal_id"]: row for row in found().strategic.iter_rows(named=True)}
    # a names no data source, c no cadence.
    assert [rows["s1"][name] for name in ("running", "no_data_source", "no_cadence")] == [3, 1, 1]
    assert [rows["s2"][name] for name in ("running", "no_data_source", "no_cadence")] == [0, 0, 0]
    assert [one for one, row in rows.items() if row["overdue"]] == ["s3"]
    titled = found().strategic.join(TITLES, on="goal_id")
    assert chart.below_said(titled, T) == (
        "Most is missing below “Grow”. Of the 3 open goals that serve it: without data source 1, without "
        "review cadence 1."
    )
    assert "“Late” (due 27 Apr 2026)" in chart.overdue_said(titled, T)
    assert chart.overdue_said(titled.filter(~pl.col("overdue")), T) == ""


def part(result: Landed, goal_id: str) -> GoalLanding:
    return goal_landing(result.landing, result.chances, goal_id=goal_id, titles=TITLES)


def test_the_weakest_goal_names_what_it_hangs_on() -> None:
    result = found()
    both = [release(part(result, one), as_of=AS_OF) for one in ("s1", "s2")]
    child = chart.tips_most(both[0].value)
    assert child is not None
    nothing_hidden = {"s1": 0, "s2": 0}
    words = chart.weakest(both, T, hidden=nothing_hidden)
    assert words.startswith(f"“Grow” hangs most on “{child['title']}”")
    assert chart.weakest(both[1:], T, hidden=nothing_hidden) == (
        "“Save” lands or misses by its own check-ins: no goal below it carries it."
    )
    assert chart.weakest([], T, hidden={}) == ""


def test_what_lies_beyond_reach_is_neither_named_nor_passed_over() -> None:
    whole = part(found(), "s1")
    seen = release(replace(whole, children=whole.children.head(1)), as_of=AS_OF)
    assert chart.hangs_on(seen, T, hidden=1).startswith("Of the goals below “Grow” within your reach")
    # What would tip it most may be the one that is hidden: nothing is said.
    assert (
        chart.hangs_on(release(replace(whole, children=whole.children.clear()), as_of=AS_OF), T, hidden=2)
        == ""
    )
    none = release(replace(whole, children=whole.children.with_columns(gain=pl.lit(0.0))), as_of=AS_OF)
    assert "it takes several at once" in chart.hangs_on(none, T, hidden=0)
    assert "Open branches" not in chart.chance_said(seen, T)
    assert "Win accounts" not in chart.chance_said(seen, T)


@pytest.mark.parametrize(
    ("rule", "needed", "stated", "children", "words"),
    [
        ("all", None, True, 2, "All goals below"),
        ("weighted", 0.8, True, 2, "80 % of the weight below"),
        ("k_of_n", 3.0, True, 5, "3 of 5 goals below"),
        ("own", None, True, 2, "Its own metric"),
        (None, None, False, 2, "Nobody said"),
        (None, None, False, 0, "Its own metric; nothing below"),
    ],
)
def test_a_rule_fits_into_a_cell(
    rule: str | None, needed: float | None, *, stated: bool, children: int, words: str
) -> None:
    goal = {"rule": rule, "needed": needed, "stated": stated, "children": children, "loop": False}
    assert chart.rule_in_short(goal, T) == words
    assert chart.rule_in_short({**goal, "children": 2, "loop": True}, T).startswith("In a circle")


def test_a_silent_branch_is_told_with_its_goals_in_both_languages() -> None:
    silent = pl.DataFrame({"goal_id": ["a"], "strategic_id": ["s1"], "goals": [529], "silent_days": [41]})
    titles = {"a": "Open branches", "s1": "Grow"}
    for t in (T, Language("zh")):
        (told,) = chart.silent_said(silent, titles, t)
        assert "529" in told
        (alone,) = chart.silent_said(silent.with_columns(pl.lit(1).alias("goals")), titles, t)
        assert "529" not in alone


def test_where_every_open_strategic_goal_is_overdue_that_is_said() -> None:
    late = found().strategic.filter("overdue")
    assert chart.all_overdue_said(late, T) == "The 1 strategic goal still open is past its due date."
    assert chart.all_overdue_said(found().strategic, T) == ""
    assert chart.all_overdue_said(late.clear(), T) == ""
