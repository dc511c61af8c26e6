"""The goal tree, what hangs below strategy goals, and what is drawn and said of it."""

from __future__ import annotations

from datetime import date, datetime
from time import perf_counter
from typing import Any

import numpy as np
import plotly.graph_objects as go
import polars as pl
import pytest

from analytics import theme
from analytics.disclosure import Released, release
from analytics.goals import chart
from analytics.goals.pace import PRESETS, STATUSES, UNKNOWN, GoalHistory, GoalPace, history, pace
from analytics.goals.risk.ladder import Chances
from analytics.goals.rollup import RollUp, rollup
from analytics.goals.tree import tree
from analytics.language import Language

EN = Language("en")
AS_OF = date(2026, 2, 20)
SCHEMA = {
    "goal_id": pl.String,
    "title": pl.String,
    "parent_id": pl.String,
    "scope": pl.String,
    "perspective": pl.String,
    "kind": pl.String,
    "unit": pl.String,
    "weight": pl.Float64,
    "owner_id": pl.String,
    "department_id": pl.String,
    "start_on": pl.Date,
    "due_on": pl.Date,
    "baseline": pl.Float64,
    "target": pl.Float64,
    "status": pl.String,
    "completed_on": pl.Date,
    "data_source": pl.String,
    "cadence_days": pl.Int64,
}
USUAL = {
    "scope": "department",
    "kind": "increase",
    "start_on": date(2026, 1, 1),
    "due_on": date(2026, 4, 11),
    "baseline": 0.0,
    "target": 100.0,
    "status": "active",
    "cadence_days": 14,
}
NO_CHECK_INS = pl.DataFrame(
    schema={
        "goal_id": pl.String,
        "checked_at": pl.Datetime,
        "value": pl.Float64,
        "target": pl.Float64,
        "confidence": pl.Float64,
    }
)


def goals(**rows: dict[str, Any]) -> pl.DataFrame:
    whole = [{**dict.fromkeys(SCHEMA), **USUAL, "goal_id": i, "title": i, **row} for i, row in rows.items()]
    return pl.DataFrame(whole, schema=SCHEMA)


def at(**values: float) -> pl.DataFrame:
    """One check-in of each goal named, on the day."""
    moment = datetime(2026, 2, 20, 9)
    rows = [(goal, moment, value, None, None) for goal, value in values.items()]
    return pl.DataFrame(rows, schema=NO_CHECK_INS.schema, orient="row")


def found(check_ins: pl.DataFrame = NO_CHECK_INS, **rows: dict[str, Any]) -> GoalPace:
    return pace(goals(**rows), check_ins, as_of=AS_OF)


def company() -> GoalPace:
    """Two strategic goals, one of them taken up by two branches; half of all time has passed."""
    return found(
        at(grow=40.0, a=50.0, a1=10.0, b=100.0),
        grow={"scope": "company", "perspective": "financial", "owner_id": "E1", "department_id": "D1"},
        learn={"scope": "company", "perspective": "learning_growth", "owner_id": "E1"},
        a={"parent_id": "grow", "owner_id": "E2", "department_id": "D1"},
        a1={"parent_id": "a", "owner_id": "E3", "department_id": "D2", "scope": "individual"},
        b={"parent_id": "grow", "owner_id": "E3", "department_id": "D2"},
        c={"parent_id": "b", "status": "abandoned", "owner_id": "E4", "department_id": "D2"},
        loose={"owner_id": "E5", "department_id": "D2"},
        thought={"parent_id": "learn", "status": "draft", "owner_id": "E5", "department_id": "D2"},
    )


def test_a_goal_knows_its_way_up_to_the_strategy() -> None:
    placed = tree(company().goals).goals.row(by_predicate=pl.col("goal_id") == "a1", named=True)
    assert placed["path"] == ["grow", "a", "a1"]
    assert (placed["depth"], placed["root_id"], placed["strategic_id"]) == (2, "grow", "grow")
    top = tree(company().goals).goals.row(by_predicate=pl.col("goal_id") == "grow", named=True)
    assert (top["children"], top["descendants"]) == (2, 4)


def test_a_company_goal_below_another_is_not_strategic() -> None:
    placed = tree(goals(top={"scope": "company"}, result={"scope": "company", "parent_id": "top"})).goals
    assert placed["strategic_id"].to_list() == ["top", "top"]


def test_a_goal_whose_parent_is_not_here_stands_at_the_top() -> None:
    placed = tree(goals(a={"parent_id": "elsewhere"})).goals.row(0, named=True)
    assert (placed["depth"], placed["parent_missing"], placed["strategic_id"]) == (0, True, None)


def test_loops_are_reported_and_never_followed() -> None:
    placed = tree(
        goals(
            a={"parent_id": "c"},
            b={"parent_id": "a"},
            c={"parent_id": "b"},
            hanging={"parent_id": "b"},
            m={"parent_id": "n"},
            n={"parent_id": "m"},
            fine={},
        )
    ).goals
    loops = dict(placed.select("goal_id", "loop").rows())
    assert loops == {"a": 1, "b": 1, "c": 1, "hanging": 1, "m": 2, "n": 2, "fine": None}
    assert placed.filter(pl.col("loop") == 1)["depth"].to_list() == [None] * 4


@pytest.mark.parametrize("preset", PRESETS)
def test_loops_do_not_stop_the_pace(preset: str) -> None:
    looped = goals(a={"parent_id": "b", "target": None}, b={"parent_id": "a"})
    paced = pace(looped, at(b=50.0), as_of=AS_OF, preset=preset)
    assert rollup(paced).loops.rows() == [("a", 1), ("b", 1)]


def test_a_very_deep_tree_is_no_trouble() -> None:
    chain = {f"g{i}": {"parent_id": f"g{i - 1}" if i else None} for i in range(3_000)}
    assert tree(goals(**chain)).goals["depth"].max() == 2_999


def serving(*pairs: tuple[str, str], share: float | None = 25.0) -> pl.DataFrame:
    """Alignments: the first of each pair serves the second."""
    return pl.DataFrame(
        [(goal, served, share) for goal, served in pairs],
        schema={"goal_id": pl.String, "serves_goal_id": pl.String, "share": pl.Float64},
        orient="row",
    )


TWO_STRATEGIES: dict[str, dict[str, Any]] = {
    "grow": {"scope": "company"},
    "learn": {"scope": "company"},
    "a": {"parent_id": "grow"},
    "a1": {"parent_id": "a", "scope": "individual"},
}


def test_a_goal_serves_what_it_is_part_of_and_what_it_is_aligned_to_with_all_below_it() -> None:
    served = tree(goals(**TWO_STRATEGIES), serving(("a", "learn"))).serves
    assert served.rows() == [
        ("a", "grow", False),
        ("a", "learn", True),
        ("a1", "grow", False),
        ("a1", "learn", True),
    ]


def test_alignments_lead_on_from_goal_to_goal() -> None:
    rows = {**TWO_STRATEGIES, "b": {}, "l": {"parent_id": "learn"}}
    # b serves a1, a1 serves l, l is part of learn.
    served = tree(goals(**rows), serving(("b", "a1"), ("a1", "l"))).serves
    assert served.filter(goal_id="b").rows() == [("b", "grow", True), ("b", "learn", True)]


def test_without_alignments_a_goal_serves_what_it_is_part_of() -> None:
    assert tree(goals(**TWO_STRATEGIES)).serves.rows() == [("a", "grow", False), ("a1", "grow", False)]


def test_an_alignment_with_ones_own_parent_or_oneself_or_nobody_says_nothing_more() -> None:
    links = tree(goals(**TWO_STRATEGIES), serving(("a", "grow"), ("a", "a"), ("a", "elsewhere"))).links
    assert links.select("goal_id", "above_id", "by").rows() == [
        ("a1", "a", "parent"),
        ("a", "grow", "parent"),
    ]


def test_an_alignment_that_leads_back_is_reported_and_counts_for_nothing() -> None:
    # grow serves a1, which hangs below it: all three lie on a circle. learn is served by grow alone.
    hung = tree(goals(**TWO_STRATEGIES), serving(("grow", "a1"), ("grow", "learn")))
    assert hung.circles.rows() == [(1, "a"), (1, "a1"), (1, "grow")]
    assert hung.links.filter("closes_circle").select("goal_id", "above_id").rows() == [("grow", "a1")]
    # The parents stay; through grow, all that hangs below it serves learn.
    assert hung.serves.rows() == [
        ("a", "grow", False),
        ("a", "learn", True),
        ("a1", "grow", False),
        ("a1", "learn", True),
        ("grow", "learn", True),
    ]


def test_two_goals_that_serve_each_other_do_no_harm() -> None:
    hung = tree(goals(a={}, b={}, top={"scope": "company"}), serving(("a", "b"), ("b", "a"), ("a", "top")))
    assert hung.circles.rows() == [(1, "a"), (1, "b")]
    assert hung.serves.rows() == [("a", "top", True)]


def test_a_strategic_goal_served_from_elsewhere_has_been_taken_up() -> None:
    rows = {**TWO_STRATEGIES, "alone": {"scope": "company"}}
    paced = pace(goals(**rows), NO_CHECK_INS, as_of=AS_OF, alignments=serving(("a", "learn")))
    summed = rollup(paced)
    taken = {
        row[0]: row[1:] for row in summed.strategy.select("goal_id", "goals", "aligned", "taken_up").rows()
    }
    assert taken == {"grow": (2, 0, True), "learn": (0, 2, True), "alone": (0, 0, False)}
    said = chart.strategy_takeaway(release(summed, as_of=AS_OF), EN)
    assert "Nobody has taken up 1 strategic goal." in said
    assert "1 strategic goal is served only by goals that are part of others." in said
    drawn = chart.tree_figure(release(summed, as_of=AS_OF), EN, "light").to_json()
    assert "Served by 2 goals from elsewhere" in drawn


def test_what_was_given_up_or_only_drafted_takes_nothing_up_from_elsewhere() -> None:
    rows: dict[str, dict[str, Any]] = {
        **TWO_STRATEGIES,
        "a": {"parent_id": "grow", "status": "abandoned"},
        "a1": {"parent_id": "a", "status": "draft"},
    }
    paced = pace(goals(**rows), NO_CHECK_INS, as_of=AS_OF, alignments=serving(("a", "learn")))
    assert rollup(paced).strategy.filter("taken_up").is_empty()


def test_a_strategic_goal_counts_all_that_hangs_below_it() -> None:
    grow = rollup(company()).strategy.row(by_predicate=pl.col("goal_id") == "grow", named=True)
    # a: 50 at half time, on track. a1: 10, nine times the pace. b: there. c: abandoned.
    assert {status: grow[status] for status in ("on_track", "at_risk", "abandoned", "behind")} == {
        "on_track": 2,
        "at_risk": 1,
        "abandoned": 1,
        "behind": 0,
    }
    assert (grow["goals"], grow["owners"], grow["worst"], grow["taken_up"]) == (4, 3, "at_risk", True)
    # a stands as a1 does (.1), b as itself, for what was abandoned does not count: (.1 + 1) ÷ 2.
    assert grow["progress"] == pytest.approx(0.55)


def test_closed_strategy_is_history() -> None:
    last_year = {"due_on": date(2025, 12, 31), "start_on": date(2025, 1, 1), "department_id": "D1"}
    summed = rollup(
        found(
            old={"scope": "company", "status": "done", **last_year},
            past={"parent_id": "old", "status": "done", **last_year},
            late={"parent_id": "old", **last_year},
            now={"scope": "company", "department_id": "D1"},
            early={"parent_id": "now", "status": "done", **last_year},
        )
    )
    assert summed.strategy.select("goal_id", "goals", "done").rows() == [("now", 1, 1)]
    assert summed.branches["goal_id"].to_list() == ["early"]
    # Left in the department: now, early (it serves what is open) and late (open, and overdue).
    assert summed.departments["goals"].to_list() == [3]


def test_weights_count_where_all_are_known() -> None:
    rows: dict[str, dict[str, Any]] = {
        "top": {"scope": "company"},
        "a": {"parent_id": "top", "weight": 80.0},
        "b": {"parent_id": "top", "weight": 20.0},
    }
    weighted = rollup(found(at(a=50.0, b=0.0), **rows)).strategy
    assert weighted["progress"].to_list() == pytest.approx([0.4])  # .8 × .5
    rows["b"] = {"parent_id": "top"}
    assert rollup(found(at(a=50.0, b=0.0), **rows)).strategy["progress"].to_list() == pytest.approx([0.25])


def test_a_strategic_goal_with_drafts_only_was_taken_up_by_nobody() -> None:
    learn = rollup(company()).strategy.row(by_predicate=pl.col("goal_id") == "learn", named=True)
    assert (learn["goals"], learn["taken_up"], learn["worst"], learn["silent"]) == (0, False, None, False)


def test_a_branch_is_silent_when_all_that_runs_in_it_is_stale() -> None:
    branches = rollup(
        found(
            at(a1=50.0),
            top={"scope": "company"},
            a={"parent_id": "top"},
            a1={"parent_id": "a"},
            b={"parent_id": "top"},
            b1={"parent_id": "b"},
        )
    ).branches
    # Nobody has ever updated b or b1: 50 days since they began, at a cadence of 14.
    assert branches.select("goal_id", "goals", "silent_days", "silent").rows() == [
        ("a", 2, 0, False),
        ("b", 2, 50, True),
    ]


def test_goals_inherit_the_perspective_of_their_strategic_goal() -> None:
    perspectives = rollup(company()).perspectives
    assert perspectives.select("perspective", "goals").rows() == [("financial", 5), ("learning_growth", 1)]


def test_departments_of_few_owners_are_hidden() -> None:
    rows = {
        f"g{department}{i}": {"department_id": department, "owner_id": f"{department}{i % people}"}
        for department, people in (("big", 9), ("small", 2), ("middle", 6))
        for i in range(12)
    }
    released = release(rollup(found(**rows)), as_of=AS_OF)
    # small has two owners; middle is hidden beside it.
    assert dict(released.value.departments.select("department_id", "owners").rows()) == {
        "big": 9,
        "middle": None,
        "small": None,
    }
    assert released.value.departments["cannot_tell"].to_list() == [12, None, None]


def test_an_unknown_preset_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"preset must be one of remaining_work, .*; got 'linear'"):
        pace(goals(a={}), NO_CHECK_INS, as_of=AS_OF, preset="linear")


def test_a_history_of_no_goal_is_refused() -> None:
    with pytest.raises(ValueError, match="nowhere"):
        history(company(), NO_CHECK_INS, goal_id="nowhere")


def test_without_goals_there_is_nothing_and_it_says_so() -> None:
    nothing = found()
    assert nothing.goals.is_empty()
    released, summed = release(nothing, as_of=AS_OF), release(rollup(nothing), as_of=AS_OF)
    assert chart.takeaway(released, EN) == "There are no open goals."
    assert "no open strategic goals" in chart.strategy_takeaway(summed, EN)
    assert isinstance(chart.tree_figure(summed, EN, "light"), go.Figure)
    assert isinstance(chart.elapsed_figure(released, EN, "light"), go.Figure)


def test_the_finding_about_open_goals() -> None:
    # Open: grow (40: 1.5 times the pace), learn, a, a1 (9 times), b, loose. Never updated for 50 days,
    # more than two cadences of 14: learn, loose.
    assert chart.takeaway(release(company(), as_of=AS_OF), EN) == (
        "1 of 6 open goals is at risk: 1 needs more than twice the pace it had. "
        "2 goals have not been updated for more than two of their cadences. "
        "For 2 goals the data cannot tell."
    )


def test_every_goal_at_risk_is_counted_once_and_the_parts_add_up_to_the_bar() -> None:
    past = date(2026, 2, 1)
    paced = found(
        at(slow=10.0, late=10.0, still=0.0, level=10.0, fine=60.0, arrived=100.0),
        slow={},
        late={"due_on": past},
        still={},
        # Overdue and unmoved: counted as overdue only.
        both={"due_on": past},
        level={"kind": "stay_above"},
        fine={},
        arrived={"due_on": past},
    )
    sentence = chart.takeaway(release(paced, as_of=AS_OF), EN)
    assert sentence.startswith(
        "5 of 7 open goals are at risk: 1 needs more than twice the pace it had, 2 are overdue, 1 has not "
        "moved forward and 1 does not hold its level. 1 goal has arrived and waits to be closed."
    )
    assert paced.goals["status"].to_list().count("at_risk") == 1 + 2 + 1 + 1


@pytest.mark.parametrize("value", [10.0, 60.0])
@pytest.mark.parametrize("preset", PRESETS)
def test_a_single_goal_is_spoken_of_in_good_english(value: float, preset: str) -> None:
    paced = pace(goals(a={}), at(a=value), as_of=AS_OF, preset=preset)
    sentence = chart.takeaway(release(paced, as_of=AS_OF), EN)
    assert "1 of 1" not in sentence
    assert "open goal is" in sentence


def test_a_goal_that_fell_silent_on_plan_is_said_to_have_been_on_plan() -> None:
    # Half way at half time and silent for the 32 days since, longer than a month.
    told, later = at(a=50.0, b=60.0), date(2026, 3, 24)
    paced = pace(goals(a={}, b={}), told, as_of=later)
    assert paced.goals["status"].to_list() == ["at_risk", "at_risk"]
    assert "2 of those at risk were on plan when they were last updated." in chart.takeaway(
        release(paced, as_of=later), EN
    )
    one = release(history(paced, told, goal_id="a"), as_of=later)
    # (50 ÷ 18 days left) ÷ (50 ÷ 82 days passed) = 4.6
    assert chart.goal_takeaway(one, EN) == (
        "Status: At risk. It was last updated on 20 Feb 2026; it was on plan then. "
        "It had come 50 % of the way then; by now 82 % of its time has passed. "
        "If it has not moved since, it now needs 4.6 times the pace it had."
    )


def test_the_picture_says_how_many_goals_it_shows_and_whom_it_leaves_out() -> None:
    paced = found(
        at(a=30.0, b=60.0, level=99.0),
        a={},
        b={},
        level={"kind": "stay_above"},
        untold={},
        later={"start_on": date(2026, 3, 1)},
    )
    released = release(paced, as_of=AS_OF)
    assert chart.elapsed_note(released, EN) == (
        "Shown: 2 of 5 open goals. Left out: 1 that holds a level or takes a first measurement, "
        "1 the data cannot tell about and 1 not started."
    )
    figure = chart.elapsed_figure(released, EN, "light")
    assert sum(len(trace.x) for trace in figure.data[1:]) == 2
    all_of_them = release(found(at(a=30.0), a={}), as_of=AS_OF)
    assert chart.elapsed_note(all_of_them, EN) == "Shown: the 1 open goal."


def test_the_finding_names_the_rule_when_it_is_another() -> None:
    paced = pace(goals(a={}, b={}), at(a=10.0, b=50.0), as_of=AS_OF, preset="engagedly")
    assert chart.takeaway(release(paced, as_of=AS_OF), EN) == (
        "1 of 2 open goals is at risk by the rule “Gap to a straight line (Engagedly)”."
    )


def test_the_finding_about_the_strategy() -> None:
    assert chart.strategy_takeaway(release(rollup(company()), as_of=AS_OF), EN) == (
        "1 of 2 strategic goals rests on goals at risk. Nobody has taken up 1 strategic goal."
    )


def test_what_is_said_of_a_part_of_the_company_says_within_your_reach() -> None:
    # Of the company's goals only "a" is within reach; "learn" has been taken up by what is not.
    mine = pace(
        goals(grow={"scope": "company"}, learn={"scope": "company"}, a={"parent_id": "grow"}),
        at(a=10.0),
        as_of=AS_OF,
    )
    part = release(rollup(mine, taken_up=frozenset({"grow", "learn"})), as_of=AS_OF)
    assert chart.strategy_takeaway(part, EN) == (
        "1 of 2 strategic goals rests on goals at risk within your reach. "
        "1 strategic goal has been taken up beyond your reach only."
    )
    drawn = chart.tree_figure(part, EN, "light").to_json()
    assert "Taken up beyond your reach" in drawn
    assert "Nobody has taken this up" not in drawn


def test_where_the_data_cannot_tell_nothing_is_called_free_of_risk() -> None:
    rows = {"grow": {"scope": "company", "target": None}, "a": {"parent_id": "grow", "target": None}}
    paced = pace(goals(**rows), NO_CHECK_INS, as_of=AS_OF)
    assert paced.goals["status"].to_list() == ["cannot_tell", "cannot_tell"]
    assert chart.takeaway(release(paced, as_of=AS_OF), EN) == (
        "The data cannot tell whether any of the 2 open goals is at risk."
    )
    assert chart.strategy_takeaway(release(rollup(paced), as_of=AS_OF), EN).startswith(
        "As far as the data can tell, no strategic goal rests on a goal at risk; below 1 of 1"
    )


def test_how_one_goal_stands() -> None:
    paced = company()
    told = release(history(paced, at(a1=10.0), goal_id="a1"), as_of=AS_OF)
    assert chart.goal_takeaway(told, EN) == (
        "Status: At risk. It has come 10 % of the way in 50 % of its time. "
        "From now on it needs 9.0 times the pace it had."
    )


def test_every_word_of_the_results_can_be_said() -> None:
    assert set(chart.status_words(EN)) == set(STATUSES)
    assert set(chart.preset_words(EN)) == set(PRESETS)
    assert set(chart.unknown_words(EN)) == set(UNKNOWN)
    assert set(chart.gap_words(EN)) <= set(company().goals.columns)


def released_company() -> Released[RollUp]:
    return release(rollup(company()), as_of=AS_OF)


def test_a_status_is_a_word_and_a_shape_as_well_as_a_colour() -> None:
    figure = chart.tree_figure(released_company(), EN, "light")
    names = [bar.name for bar in figure.data]
    assert names == ["◆ At risk", "● On track", "× Abandoned"]
    assert figure.data[0].text == ("◆ 1", "")
    assert len({sign.shape for sign in chart.signs(EN, "light").values()}) == 8


def test_a_strategic_goal_nobody_took_up_is_drawn_as_a_hole() -> None:
    texts = [note.text for note in chart.tree_figure(released_company(), EN, "dark").layout.annotations]
    assert texts == ["<b>Financial</b>", "<b>Learning and growth</b>", "Nobody has taken this up"]


def test_strategic_goals_of_one_title_are_told_apart_by_their_due_date() -> None:
    paced = found(
        s1={"scope": "company", "title": "Grow"},
        s2={"scope": "company", "title": "Grow", "due_on": date(2026, 12, 31)},
        s3={"scope": "company", "title": "Learn"},
    )
    figure = chart.tree_figure(release(rollup(paced), as_of=AS_OF), EN, "light")
    assert figure.layout.yaxis.ticktext == ("Grow · 11 Apr 2026", "Grow · 31 Dec 2026", "Learn")


def test_goals_at_one_place_stand_side_by_side_and_keep_their_progress() -> None:
    paced = found(at(a=30.0, b=30.0, c=30.0, d=60.0), a={}, b={}, c={}, d={})
    figure = chart.elapsed_figure(release(paced, as_of=AS_OF), EN, "light")
    marks = [(x, y) for trace in figure.data[1:] for x, y in zip(trace.x, trace.y, strict=True)]
    assert len({x for x, y in marks if y == 0.3}) == 3
    assert sorted(y for _, y in marks) == [0.3, 0.3, 0.3, 0.6]
    assert all(abs(x - 0.5) <= 0.06 for x, _ in marks)


def test_a_level_to_hold_is_not_drawn_against_a_line() -> None:
    paced = found(at(a=30.0, b=99.0), a={}, b={"kind": "stay_above"})
    figure = chart.elapsed_figure(release(paced, as_of=AS_OF), EN, "light")
    assert sum(len(trace.x) for trace in figure.data[1:]) == 1


def test_titles_are_text_never_markup() -> None:
    paced = found(
        at(a=10.0),
        top={"scope": "company", "title": "<img src=x>"},
        a={"parent_id": "top", "title": "<b>bold</b>", "unit": "<i>€</i>"},
    )
    drawn = [
        chart.tree_figure(release(rollup(paced), as_of=AS_OF), EN, "light"),
        chart.elapsed_figure(release(paced, as_of=AS_OF), EN, "light"),
        chart.pace_figure(release(history(paced, at(a=10.0), goal_id="a"), as_of=AS_OF), EN, "light"),
    ]
    for figure in drawn:
        said = figure.to_json()
        assert "img src" not in said.replace("\\u003c", "<").replace("&lt;img src", "")
        assert "<b>bold" not in said.replace("\\u003c", "<")
        assert "<i>" not in said.replace("\\u003c", "<")


def one_history(**goal: Any) -> Released[GoalHistory]:
    told = pl.DataFrame(
        [
            ("a", datetime(2026, 1, 10), 10.0, 80.0, None),
            ("a", datetime(2026, 2, 10), 30.0, 100.0, None),
        ],
        schema=NO_CHECK_INS.schema,
        orient="row",
    )
    return release(history(found(told, a=goal), told, goal_id="a"), as_of=AS_OF)


def test_a_goals_picture_has_its_steps_its_line_today_and_its_due_date() -> None:
    figure = chart.pace_figure(one_history(), EN, "light")
    target, line, points = figure.data
    assert list(target.y) == [80.0, 100.0, 100.0]
    assert target.line.shape == "hv"
    assert (list(line.x), list(line.y)) == ([date(2026, 1, 1), date(2026, 4, 11)], [0.0, 100.0])
    assert list(points.y) == [10.0, 30.0]
    texts = {note.text for note in figure.layout.annotations}
    assert {"Due 11 Apr 2026", "As of 20 Feb 2026"} <= texts


@pytest.mark.parametrize("due", [date(2026, 2, 21), date(2026, 4, 11), date(2026, 2, 19)])
def test_the_day_the_due_date_and_the_target_are_named_where_none_covers_another(due: date) -> None:
    figure = chart.pace_figure(one_history(due_on=due), EN, "light")
    notes = {note.text.split()[0]: note for note in figure.layout.annotations}
    # The two days stand above the plot on lines of their own, the target inside it at the other end.
    assert notes["Due"].yshift - (notes["As"].yshift or 0) >= notes["Due"].font.size + 4
    assert (notes["Target"].yref or "y", notes["Target"].yanchor, notes["Target"].xanchor) == (
        "y",
        "top",
        "left",
    )
    assert notes["Target"].x == date(2026, 1, 1)
    # Near the end of the picture a name ends at its line, so that the edge does not cut it.
    assert notes["Due"].xanchor == "right"
    assert figure.layout.margin.t >= notes["Due"].yshift + 2 * notes["Due"].font.size


@pytest.mark.parametrize(
    ("goal", "traces"),
    [
        ({"kind": "stay_above"}, 2),  # target and check-ins
        ({"baseline": None}, 2),  # no line without a beginning
    ],
)
def test_no_line_is_drawn_that_nobody_expects(goal: dict[str, Any], traces: int) -> None:
    assert len(chart.pace_figure(one_history(**goal), EN, "light").data) == traces


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("code", ["en", "zh"])
def test_every_picture_draws_in_both_modes_and_languages(mode: theme.Mode, code: str) -> None:
    t = Language(code)
    paced = release(company(), as_of=AS_OF)
    for figure in (
        chart.tree_figure(released_company(), t, mode),
        chart.elapsed_figure(paced, t, mode),
        chart.pace_figure(one_history(), t, mode),
    ):
        assert figure.layout.template.layout.to_plotly_json() == {}
        assert figure.to_json()
    assert chart.warning(t)


def test_five_thousand_goals_with_sixty_thousand_check_ins_are_quick() -> None:
    random = np.random.default_rng(1)
    n, m = 5_000, 60_000
    rows = {
        f"G{i}": {
            "scope": "company" if i < 10 else "individual",
            "parent_id": None if i < 10 else f"G{(i - 1) // 6}",
            "target": None if i < 300 else 100.0,
        }
        for i in range(n)
    }
    many = goals(**rows)
    told = pl.DataFrame(
        {
            "goal_id": [f"G{i}" for i in random.integers(0, n, m)],
            "checked_at": datetime(2026, 1, 1),
            "value": random.uniform(0, 100, m),
            "target": None,
            "confidence": random.uniform(0, 1, m),
        },
        schema_overrides={"target": pl.Float64, "checked_at": pl.Datetime},
    ).with_columns(pl.col("checked_at") + pl.duration(minutes=pl.int_range(m)))
    times = []
    for _ in range(3):
        start = perf_counter()
        pace(many, told, as_of=AS_OF, preset="worst_child")
        times.append(perf_counter() - start)
    # Some 30 ms on a quiet machine; the bound is 150.
    assert min(times) < 0.15


def stated(**delays: float) -> Released[Chances]:
    """Delay probabilities of goals, and nothing said before."""
    now = pl.DataFrame(
        {"goal_id": list(delays), "delay": list(delays.values())},
        schema={"goal_id": pl.String, "delay": pl.Float64},
    )
    return release(Chances(pl.DataFrame(), now, pl.DataFrame(), {}, AS_OF), as_of=AS_OF)


def test_where_the_rule_and_the_delay_probability_part_ways_is_said() -> None:
    # Half of the time has passed: 50 and 60 are on track, 10 is nine times the pace.
    paced = release(found(at(a=50.0, b=60.0, c=10.0, d=10.0), a={}, b={}, c={}, d={}), as_of=AS_OF)
    assert chart.disagreement(paced, stated(a=0.7, b=0.2, c=0.9, d=0.3), EN) == (
        "The rule “Work left against time left” calls 2 goals on track; 1 of them is more likely to miss "
        "than not. Of 2 goals not yet due that it calls at risk, 1 is more likely to arrive than not."
    )
    assert chart.disagreement(paced, stated(c=0.1, d=0.8), EN) == (
        "Of 2 goals that the rule “Work left against time left” calls at risk, 1 is more likely to arrive "
        "than not."
    )
    assert chart.disagreement(paced, stated(a=0.2, b=0.3, d=0.8), EN) == (
        "Of the goals that the rule “Work left against time left” calls on track none is more likely to miss "
        "than not."
    )


def test_without_a_delay_probability_nothing_is_set_beside_the_rule() -> None:
    paced = release(found(at(a=50.0), a={}), as_of=AS_OF)
    assert chart.disagreement(paced, stated(), EN) == ""


def test_closed_goals_are_not_set_beside_their_delay_probability() -> None:
    paced = release(found(a={"status": "done"}), as_of=AS_OF)
    assert chart.disagreement(paced, stated(a=0.9), EN) == ""
