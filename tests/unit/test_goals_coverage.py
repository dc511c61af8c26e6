"""Who has taken up the strategy, how goals were set, how they were changed, and what is said of it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

import polars as pl
import pytest

from analytics.disclosure import release
from analytics.goals import adjustment_chart, coverage_chart, setting_chart
from analytics.goals.adjustment import APPROVALS, DIRECTIONS, ENDED, TIMES, Adjustment, adjustment
from analytics.goals.coverage import LACKS, Coverage, coverage
from analytics.goals.pace import GoalPace, pace
from analytics.goals.setting import FACTS, Setting, setting
from analytics.goals.tree import NO_ALIGNMENTS
from analytics.language import Language
from data.contracts.goals import SCOPES
from data.demo import SEED
from data.demo.aims import Aims, aim
from data.demo.company import PLANS
from data.demo.company import found as found_company
from data.demo.draws import stream
from data.demo.people import populate
from data.demo.tracking import LATE_DEPARTMENT

EN = Language("en")
AS_OF = date(2026, 6, 30)
USUAL: dict[str, Any] = {
    "title": None,
    "parent_id": None,
    "scope": "department",
    "framework": "okr",
    "perspective": None,
    "kind": "increase",
    "metric": "Revenue",
    "unit": "EUR",
    "baseline": 0.0,
    "target": 100.0,
    "weight": None,
    "owner_id": "E1",
    "department_id": "SAL",
    "cycle_id": "2026H1",
    "data_source": "Ledger",
    "cadence_days": 14,
    "start_on": date(2026, 1, 1),
    "due_on": date(2026, 7, 20),
    "status": "active",
    "completed_on": None,
    "agreed_on": date(2026, 1, 8),
    "version": 1,
}
SCHEMA: dict[str, Any] = {
    "goal_id": pl.String,
    "title": pl.String,
    "parent_id": pl.String,
    "scope": pl.String,
    "framework": pl.String,
    "perspective": pl.String,
    "kind": pl.String,
    "metric": pl.String,
    "unit": pl.String,
    "baseline": pl.Float64,
    "target": pl.Float64,
    "weight": pl.Float64,
    "owner_id": pl.String,
    "department_id": pl.String,
    "cycle_id": pl.String,
    "data_source": pl.String,
    "cadence_days": pl.Int64,
    "start_on": pl.Date,
    "due_on": pl.Date,
    "status": pl.String,
    "completed_on": pl.Date,
    "agreed_on": pl.Date,
    "version": pl.Int64,
}
CHANGES: dict[str, Any] = {
    "goal_id": pl.String,
    "changed_at": pl.Datetime,
    "field": pl.String,
    "old_value": pl.String,
    "new_value": pl.String,
    "reason": pl.String,
    "approved_by": pl.String,
}
SAID: dict[str, Any] = {
    "goal_id": pl.String,
    "seen_on": pl.Date,
    "elapsed": pl.Float64,
    "delay": pl.Float64,
}
BRANCHES = {"SAL": "SAL", "SAL-1": "SAL", "OPS": "OPS", "RND": "RND"}
Rows = dict[str, dict[str, Any]]


def goals(rows: Rows) -> pl.DataFrame:
    whole = [{**USUAL, "goal_id": goal, "title": f"Goal {goal}", **row} for goal, row in rows.items()]
    return pl.DataFrame(whole, schema=SCHEMA)


def updated(rows: Rows, *, silent: tuple[str, ...] = ()) -> pl.DataFrame:
    """A check-in of every goal on the day, but of the silent ones."""
    moment = datetime(2026, 6, 30, 9)
    told = [(goal, moment, 50.0, None, None) for goal in rows if goal not in silent]
    return pl.DataFrame(
        told,
        schema={
            "goal_id": pl.String,
            "checked_at": pl.Datetime,
            "value": pl.Float64,
            "target": pl.Float64,
            "confidence": pl.Float64,
        },
        orient="row",
    )


def covered(
    rows: Rows,
    *serving: tuple[str, str],
    silent: tuple[str, ...] = (),
    reached: frozenset[str] | None = None,
) -> Coverage:
    alignments = pl.DataFrame(
        [(goal, served, None) for goal, served in serving], schema=NO_ALIGNMENTS.schema, orient="row"
    )
    found = pace(goals(rows), updated(rows, silent=silent), as_of=AS_OF, alignments=alignments)
    return coverage(goals(rows), found, branches=BRANCHES, reached=reached)


STRATEGY: Rows = {
    "grow": {"scope": "company", "perspective": "financial", "department_id": None},
    "learn": {"scope": "company", "perspective": "learning_growth", "department_id": None},
    "serve": {"scope": "company", "perspective": "customer", "department_id": None},
    "s": {"parent_id": "grow"},
    "s1": {"parent_id": "s", "scope": "team", "department_id": "SAL-1"},
    **{
        f"p{n}": {"parent_id": "s1", "scope": "individual", "department_id": "SAL-1", "owner_id": f"P{n}"}
        for n in range(6)
    },
    "o": {"department_id": "OPS", "owner_id": "E2"},
    "alone": {"parent_id": "serve", "scope": "individual", "department_id": "RND", "owner_id": "E9"},
}


def test_a_strategic_goal_is_taken_up_by_what_is_part_of_it_and_by_what_serves_it_from_elsewhere() -> None:
    found = covered(STRATEGY, ("o", "serve"))
    rows = {
        row[0]: row[1:]
        for row in found.strategy.select("goal_id", "goals", "aligned", "departments", "taken_up").rows()
    }
    # grow: s, s1 and six people's goals, all of Sales. serve: alone (R&D) and o (Operations, aligned).
    assert rows == {"grow": (8, 0, 1, True), "serve": (2, 1, 2, True), "learn": (0, 0, 0, False)}
    assert found.strategy["goal_id"].to_list() == ["grow", "serve", "learn"]


def test_drafts_and_goals_given_up_take_nothing_up() -> None:
    rows: Rows = {
        "top": {"scope": "company"},
        "draft": {"parent_id": "top", "status": "draft"},
        "given_up": {"parent_id": "top", "status": "abandoned"},
    }
    assert covered(rows).strategy["taken_up"].to_list() == [False]
    rows["done"] = {"parent_id": "top", "status": "done", "completed_on": date(2026, 3, 1)}
    assert covered(rows).strategy["taken_up"].to_list() == [True]


def test_each_department_is_counted_under_its_branch_with_its_own_goals_apart_from_peoples() -> None:
    uptake = covered(STRATEGY, ("o", "serve")).uptake
    assert uptake.rows() == [
        # strategic, department, own, individual, owners, aligned
        ("grow", "SAL", 2, 6, 6, False),
        ("serve", "OPS", 1, 0, 0, True),
        ("serve", "RND", 0, 1, 1, False),
    ]


def test_how_many_goals_a_few_people_have_is_hidden_but_not_that_a_department_takes_part() -> None:
    shown = release(covered(STRATEGY, ("o", "serve")), as_of=AS_OF).value.uptake
    assert dict(zip(shown["department_id"], shown["individual"], strict=True)) == {
        "SAL": 6,
        "OPS": None,
        "RND": None,
    }
    assert shown["own"].to_list() == [2, 1, 0]


def test_whether_anybody_took_a_goal_up_is_looked_at_in_the_whole_company() -> None:
    found = covered(STRATEGY, reached=frozenset({"grow", "learn", "serve", "alone"}))
    assert dict(found.strategy.select("goal_id", "taken_up").rows())["grow"] is True
    # What others have is counted in no department's row and listed nowhere.
    assert found.uptake["department_id"].to_list() == ["RND"]
    assert set(found.goals["goal_id"]) == {"grow", "learn", "serve", "alone"}


def test_from_within_a_part_of_the_company_no_goal_is_said_to_rest_on_few() -> None:
    rows = {**STRATEGY, "o": {**STRATEGY["o"], "parent_id": "grow"}}
    whole = coverage_chart.map_takeaway(release(covered(rows), as_of=AS_OF), EN, {})
    part = covered(rows, reached=frozenset({"s", "s1", "o"}))
    assert "“Goal serve” rests on the goals of 1 department." in whole
    said = coverage_chart.map_takeaway(release(part, as_of=AS_OF), EN, {})
    assert said == (
        "Each of the 2 departments shown serves at least one strategic goal. "
        "Of 3 strategic goals 1 is served from here."
    )


def test_a_department_that_serves_no_strategic_goal_is_found() -> None:
    found = covered(STRATEGY)  # o is part of nothing and aligned to nothing
    assert dict(found.departments.rows()) == {"SAL": 1, "OPS": 0, "RND": 1}
    said = coverage_chart.map_takeaway(release(found, as_of=AS_OF), EN, {"OPS": "Operations"})
    assert said.startswith("Operations serves no strategic goal.")


def test_what_open_goals_lack_is_listed_with_each() -> None:
    rows: Rows = {
        "bare": {
            "owner_id": None,
            "metric": "  ",
            "target": None,
            "data_source": "",
            "cadence_days": None,
            "cycle_id": None,
            "parent_id": "nowhere",
        },
        "fine": {"parent_id": "loose"},
        "first": {"kind": "baseline", "target": None, "parent_id": "fine"},
        "closed": {"status": "done", "metric": None, "completed_on": date(2026, 2, 1)},
        "loose": {},
    }
    lacks = dict(covered(rows).goals.select("goal_id", "lacks").rows())
    assert lacks == {
        "bare": [
            "no_owner",
            "no_metric",
            "no_target",
            "no_data_source",
            "no_cadence",
            "no_cycle",
            "parent_missing",
        ],
        "fine": [],
        "first": [],
        "loose": ["orphan"],
    }


@pytest.mark.parametrize(
    ("weights", "off"),
    [
        ([60.0, 40.0], False),
        ([33.3, 33.3, 33.3], False),  # 99.9: rounded
        ([60.0, 30.0], True),
        ([60.0, 60.0], True),
        ([100.0, None], True),
        ([None, None], False),  # nobody weighs here
    ],
)
def test_weights_that_do_not_add_up_are_found(weights: list[float | None], off: bool) -> None:
    rows: Rows = {f"g{n}": {"weight": weight} for n, weight in enumerate(weights)}
    assert covered(rows).weights.is_empty() is not off


def test_weights_add_up_with_or_without_what_was_given_up() -> None:
    kept: Rows = {"a": {"weight": 60.0}, "b": {"weight": 40.0, "status": "abandoned"}}
    handed_on: Rows = {"a": {"weight": 100.0}, "b": {"weight": 40.0, "status": "abandoned"}}
    neither: Rows = {"a": {"weight": 70.0}, "b": {"weight": 40.0, "status": "abandoned"}}
    assert [covered(rows).weights.height for rows in (kept, handed_on, neither)] == [0, 0, 1]


def test_weights_are_added_up_by_scope_and_cycle_and_only_where_goals_are_open() -> None:
    rows: Rows = {
        "team": {"weight": 100.0, "scope": "team"},
        "own": {"weight": 100.0, "scope": "individual"},
        "old": {"weight": 50.0, "scope": "individual", "cycle_id": "2025H2", "status": "done"},
        "early": {"weight": 50.0, "scope": "individual", "status": "done", "cycle_id": "2025H1"},
    }
    found = covered(rows)
    assert (found.weights.height, found.weighted) == (0, 2)


def test_weights_that_are_only_partly_within_reach_are_not_called_wrong() -> None:
    rows: Rows = {"here": {"weight": 60.0}, "there": {"weight": 40.0}}
    found = covered(rows, reached=frozenset({"here"}))
    assert (found.weights.height, found.weighted) == (0, 0)


def test_weights_that_add_up_with_one_missing_are_called_missing() -> None:
    rows: Rows = {f"g{n}": {"weight": weight} for n, weight in enumerate([60.0, 40.0, None])}
    released = release(covered(rows), as_of=AS_OF)
    (hole,) = (one for one in coverage_chart.holes(released, EN, {}) if "eight" in one.what)
    assert (hole.what, hole.to_do) == ("Weights are missing", "Give the 1 goal without a weight one.")
    # Nobody's name is known here: the owner is told of without an id.
    assert hole.where == "3 goals of somebody beyond your reach, department goals"
    assert "1 set of weights in which one is missing" in coverage_chart.holes_takeaway(released, EN)
    assert "add up" not in coverage_chart.holes_takeaway(released, EN)


def test_where_nothing_is_weighed_it_is_not_called_weighed() -> None:
    rows: Rows = {"grow": {"scope": "company", "department_id": None}, "s": {"parent_id": "grow"}}
    assert coverage_chart.holes_takeaway(release(covered(rows), as_of=AS_OF), EN) == (
        "There is no hole between goals: all is taken up and updated. No goal has a weight."
    )


def test_the_finding_about_one_strategic_goal_does_not_count_it() -> None:
    alone: Rows = {"grow": {"scope": "company", "title": "Grow", "department_id": None}}
    assert coverage_chart.takeaway(release(covered(alone), as_of=AS_OF), EN).startswith(
        "The one strategic goal has been taken up by nobody: “Grow”."
    )


def test_a_silent_branch_is_found_with_how_long_it_has_been_silent() -> None:
    found = covered(STRATEGY, silent=("s", "s1", *(f"p{n}" for n in range(6))))
    # Since 1 January: 180 days to 30 June.
    assert found.silent.select("goal_id", "goals", "silent_days").rows() == [("s", 8, 180)]


def test_circles_are_reported_with_their_titles() -> None:
    rows: Rows = {"a": {}, "b": {}, "c": {}}
    found = covered(rows, ("a", "b"), ("b", "a"))
    assert found.circles.rows() == [(1, "a", "Goal a"), (1, "b", "Goal b")]
    (hole,) = [h for h in coverage_chart.holes(release(found, as_of=AS_OF), EN, {}) if "circle" in h.what]
    assert hole.where == "“Goal a” and “Goal b”"


def test_the_finding_names_what_nobody_took_up_first() -> None:
    rows = {**STRATEGY, "p0": {**STRATEGY["p0"], "data_source": None}}
    released = release(covered(rows), as_of=AS_OF)
    # 12 open goals, one of them without a data source.
    assert coverage_chart.takeaway(released, EN) == (
        "1 of 3 strategic goals has been taken up by nobody: “Goal learn”. "
        "8 % of open goals have no data source."
    )


def test_two_strategic_goals_of_one_title_are_told_apart_by_their_due_date() -> None:
    rows: Rows = {
        "a": {"scope": "company", "title": "Grow"},
        "b": {"scope": "company", "title": "Grow", "due_on": date(2026, 12, 31)},
    }
    said = coverage_chart.takeaway(release(covered(rows), as_of=AS_OF), EN)
    assert "“Grow, due 20 Jul 2026” and “Grow, due 31 Dec 2026”" in said


def test_where_all_is_well_it_says_so() -> None:
    rows: Rows = {"top": {"scope": "company"}, "a": {"parent_id": "top"}}
    released = release(covered(rows), as_of=AS_OF)
    assert coverage_chart.takeaway(released, EN) == (
        "The one strategic goal has been taken up. Every open goal has a data source and a review cadence."
    )
    assert coverage_chart.holes(released, EN, {}) == []
    assert coverage_chart.holes_takeaway(released, EN).startswith("There is no hole")
    assert coverage_chart.lacking_takeaway(released, EN) == "Every open goal has all it needs."


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_map_tells_own_goals_from_aligned_ones_and_from_peoples_by_shape(mode: Any) -> None:
    released = release(covered(STRATEGY, ("o", "serve")), as_of=AS_OF)
    figure = coverage_chart.map_figure(released, EN, mode, {"SAL": "Sales"})
    marks = {(trace.marker.symbol, trace.text[0]) for trace in figure.data}
    assert marks == {("circle", "2"), ("circle-open", "1"), ("diamond-open", "")}
    written = [note.text for note in figure.layout.annotations]
    assert "Nobody has taken this up" in written
    assert len(figure.layout.shapes) == 1
    # The departments stand on top under their names.
    assert figure.layout.xaxis.ticktext == ("OPS", "RND", "Sales")


def test_markup_in_a_title_stays_text() -> None:
    rows: Rows = {"top": {"scope": "company", "title": "<b>Grow</b>"}, "a": {"parent_id": "top"}}
    drawn = coverage_chart.map_figure(release(covered(rows), as_of=AS_OF), EN, "light", {})
    assert drawn.layout.yaxis.ticktext == ("&lt;b&gt;Grow&lt;/b&gt;",)


def test_only_departments_that_fit_are_drawn_and_the_rest_is_counted() -> None:
    many = {f"D{n:02}": f"D{n:02}" for n in range(20)}
    rows: Rows = {"top": {"scope": "company"}} | {
        f"g{n}": {"parent_id": "top", "department_id": f"D{n:02}"} for n in range(20)
    }
    found = pace(goals(rows), updated(rows), as_of=AS_OF)
    released = release(coverage(goals(rows), found, branches=many), as_of=AS_OF)
    assert len(coverage_chart.shown_departments(released.value)) == coverage_chart.MOST_DEPARTMENTS
    assert coverage_chart.map_note(released, EN) == "6 departments with fewer goals are in the table only."


def test_without_goals_nothing_is_covered_and_it_says_so() -> None:
    released = release(covered({}), as_of=AS_OF)
    assert "no open strategic goals" in coverage_chart.takeaway(released, EN)
    assert coverage_chart.map_figure(released, EN, "light", {}).layout.annotations
    assert coverage_chart.lacking_takeaway(released, EN) == "There are no open goals."


def set_up(rows: Rows) -> Setting:
    found = pace(goals(rows), updated(rows), as_of=AS_OF)
    return setting(goals(rows), found, branches=BRANCHES)


def test_facts_are_counted_for_open_goals_only() -> None:
    rows: Rows = {
        "all": {},
        "no_metric": {"metric": None},
        "no_way": {"baseline": None},
        "no_owner": {"owner_id": None},
        "not_agreed": {"agreed_on": None},
        "agreed_later": {"agreed_on": date(2026, 7, 1)},  # after the day that is looked at
        "draft": {"status": "draft", "metric": None},
        "done": {"status": "done", "metric": None, "completed_on": date(2026, 2, 1)},
    }
    total = set_up(rows).total.row(0, named=True)
    counts = {fact: total[fact] for fact in FACTS}
    assert (total["goals"], total["complete"]) == (6, 1)
    assert counts == {
        "metric": 5,
        "target": 5,
        "data_source": 6,
        "cadence": 6,
        "owner": 5,
        "agreed": 4,
    }


def test_an_agreement_a_month_after_the_first_day_is_not_late_and_a_day_more_is() -> None:
    first = date(2026, 1, 1)
    rows: Rows = {f"g{days}": {"agreed_on": first + timedelta(days=days)} for days in (-5, 0, 30, 31, 60)} | {
        "never": {"agreed_on": None}
    }
    total = set_up(rows).total.row(0, named=True)
    assert (total["dated"], total["late"], total["median_days"]) == (5, 2, 30.0)
    assert total["late_share"] == pytest.approx(0.4)


def agreed_late(**late_of: tuple[int, int]) -> Setting:
    """Departments with so many late goals of so many owners with a goal each."""
    rows: Rows = {
        f"{department}{n}": {
            "department_id": department,
            "owner_id": f"{department}{n}",
            "agreed_on": date(2026, 3, 1) if n < late else date(2026, 1, 8),
        }
        for department, (late, owners) in late_of.items()
        for n in range(owners)
    }
    return set_up(rows)


def test_a_department_that_agrees_far_later_than_others_stands_out() -> None:
    # 12 of 30 against 6 of 120 elsewhere: pooled .12, error √(.12 · .88 · (1/30 + 1/120)) = .0663;
    # (.40 − .05) ÷ .0663 = 5.3 standard errors.
    found = agreed_late(SAL=(12, 30), OPS=(3, 60), RND=(3, 60))
    assert found.departments.select("department_id", "elsewhere", "stands_out").rows() == [
        ("OPS", pytest.approx(15 / 90), False),
        ("RND", pytest.approx(15 / 90), False),
        ("SAL", pytest.approx(0.05), True),
    ]
    said = setting_chart.departments_takeaway(release(found, as_of=AS_OF), EN, names={"SAL": "Sales"})
    assert said == ("Sales agreed on 40 % [25 %, 58 %] of its goals that late, all others together on 5 %.")


def test_a_department_does_not_stand_out_by_chance_or_by_a_little() -> None:
    by_chance = agreed_late(SAL=(3, 8), OPS=(10, 60))
    by_little = agreed_late(SAL=(150, 1_000), OPS=(100, 1_000))
    for found in (by_chance, by_little):
        assert not found.departments["stands_out"].any()
        assert setting_chart.departments_takeaway(release(found, as_of=AS_OF), EN, names={}) == ""


def test_goals_of_one_owner_count_as_one_case() -> None:
    # 14 of 20 against 6 of 40: with goals as cases .55 ÷ √(⅓ · ⅔ · (1/20 + 1/40)) = 4.3 standard errors,
    # but the 20 are of two owners: .55 ÷ √(⅓ · ⅔ · (1/2 + 1/40)) = 1.6.
    rows: Rows = {
        f"{department}{n}": {
            "department_id": department,
            "owner_id": f"{department}{n % owners}",
            "agreed_on": date(2026, 3, 1) if n < late else date(2026, 1, 8),
        }
        for department, late, goals_of, owners in (("SAL", 14, 20, 2), ("OPS", 6, 40, 40))
        for n in range(goals_of)
    }
    assert not set_up(rows).departments["stands_out"].any()
    each = {goal: {**row, "owner_id": goal} for goal, row in rows.items()}
    assert set_up(each).departments["stands_out"].to_list() == [False, True]


def test_one_department_alone_stands_out_from_nobody() -> None:
    found = agreed_late(SAL=(5, 10)).departments
    assert found.select("elsewhere", "stands_out").rows() == [(None, False)]


def test_goals_of_a_few_people_are_not_counted_by_department() -> None:
    rows: Rows = {
        f"{department}{n}": {"department_id": department, "owner_id": f"{department}{n}"}
        for department, people in (("SAL", 8), ("OPS", 7), ("RND", 2))
        for n in range(people)
    }
    shown = release(set_up(rows), as_of=AS_OF).value.departments
    # R&D is too small; Operations, the next smallest, stands in for it.
    assert dict(shown.select("department_id", "goals").rows()) == {"OPS": None, "RND": None, "SAL": 8}
    assert shown["late_share"].null_count() == 2


def test_company_goals_are_no_departments() -> None:
    rows: Rows = {"top": {"scope": "company"}, "a": {"parent_id": "top"}}
    found = set_up(rows)
    assert found.total["goals"].to_list() == [2]
    assert found.departments["goals"].to_list() == [1]


def test_cycles_come_in_the_order_of_their_first_days() -> None:
    rows: Rows = {
        "b": {"cycle_id": "A late name", "start_on": date(2025, 1, 1), "status": "done"},
        "a": {"cycle_id": "2026H1"},
    }
    assert set_up(rows).cycles["cycle_id"].to_list() == ["A late name", "2026H1"]


def test_how_goals_were_set_is_said() -> None:
    rows: Rows = {f"g{n}": {"owner_id": f"E{n}", "agreed_on": date(2026, 1, 11)} for n in range(9)} | {
        "late": {"owner_id": "E9", "agreed_on": date(2026, 3, 1), "metric": None}
    }
    released = release(set_up(rows), as_of=AS_OF)
    # 1 of 10 late; Wilson: (.1 + 1.92/10) ÷ (1 + 3.84/10) ± … = 2 % to 40 %.
    assert setting_chart.takeaway(released, EN, names={}) == (
        "90 % of open goals have all six things a goal needs (9 of 10). "
        "Half of those agreed were agreed by 10 days after their first day. "
        "10 % [2 %, 40 %] were agreed more than 30 days after it."
    )
    figure = setting_chart.figure(released, EN, "light")
    # What most lack stands on top.
    assert figure.layout.yaxis.ticktext[0] == "Metric"
    assert any(note.text == "90 % · 1 lack it" for note in figure.layout.annotations)


def test_of_the_goals_of_a_few_people_nothing_is_said_about_how_they_were_set() -> None:
    released = release(set_up({"a": {}}), as_of=AS_OF)
    assert (
        setting_chart.takeaway(released, EN, names={})
        == "Too few people own these goals to say how they were set."
    )
    assert setting_chart.figure(released, EN, "dark").layout.annotations


def changed(
    rows: Rows, *changes: dict[str, Any], said: list[tuple[str, date, float, float]] | None = None
) -> Adjustment:
    told = [
        {"field": "target", "old_value": "100", "new_value": "120", "reason": None, "approved_by": "BOSS"}
        | change
        for change in changes
    ]
    return adjustment(
        goals(rows),
        pl.DataFrame(told, schema=CHANGES),
        as_of=AS_OF,
        branches=BRANCHES,
        said=None if said is None else pl.DataFrame(said, schema=SAID, orient="row"),
    )


def at(month: int, day: int) -> datetime:
    return datetime(2026, month, day, 9)


def test_a_change_in_the_last_third_is_late() -> None:
    # 1 January to 20 July: 200 days; two thirds are 133.3, which is 14 May.
    found = changed(
        {"a": {}},
        {"goal_id": "a", "changed_at": at(5, 14)},
        {"goal_id": "a", "changed_at": at(5, 15)},
    )
    assert found.steps.select("changed_on", "late").rows() == [
        (date(2026, 5, 15), True),
        (date(2026, 5, 14), False),
    ]


def test_lateness_goes_by_the_due_date_in_force_before_the_change() -> None:
    # Due on 31 March (89 days) until it was put off on 20 March, day 78: late, though early by the new date.
    found = changed(
        {"a": {}},
        {
            "goal_id": "a",
            "changed_at": at(3, 20),
            "field": "due_on",
            "old_value": "2026-03-31",
            "new_value": "2026-07-20",
        },
        {"goal_id": "a", "changed_at": at(4, 10)},
    )
    late = dict(found.steps.select("changed_on", "late").rows())
    assert late == {date(2026, 3, 20): True, date(2026, 4, 10): False}
    assert found.steps.filter(changed_on=date(2026, 3, 20))["elapsed"].item() == pytest.approx(78 / 89)


@pytest.mark.parametrize(
    ("kind", "field", "old", "new", "direction"),
    [
        ("increase", "target", "100", "120", "harder"),
        ("increase", "target", "100", "80", "easier"),
        ("decrease", "target", "10", "8", "harder"),
        ("stay_below", "target", "10", "12", "easier"),
        ("stay_above", "target", "10", "12", "harder"),
        (None, "target", "100", "120", "harder"),
        (None, "target", "-20", "-10", "easier"),  # from 0 down to −20: −10 is nearer
        ("reach", "target", "ten", "twelve", "other"),
        ("increase", "due_on", "2026-07-20", "2026-08-20", "later"),
        ("increase", "due_on", "2026-07-20 00:00:00", "2026-07-01", "earlier"),
        ("increase", "weight", "40", "60", "other"),
        ("increase", "status", "active", "abandoned", ENDED),
    ],
)
def test_what_a_change_did_is_read_from_the_way_the_goal_goes(
    kind: str | None, field: str, old: str, new: str, direction: str
) -> None:
    found = changed(
        {"a": {"kind": kind}},
        {"goal_id": "a", "changed_at": at(6, 1), "field": field, "old_value": old, "new_value": new},
    )
    assert found.steps["direction"].to_list() == [direction]


def test_being_closed_is_no_change() -> None:
    ended = {"field": "status", "old_value": "active", "new_value": "abandoned"}
    found = changed({"a": {"due_on": date(2026, 6, 1)}}, {"goal_id": "a", "changed_at": at(6, 20), **ended})
    total = found.total.row(0, named=True)
    assert (total["goals"], total["changed"], total["late"], total["lost"]) == (1, 0, 0, 0)
    assert found.outcomes["changed"].to_list() == ["never"]
    assert found.steps.height == 1


def test_who_approved_is_somebody_the_owner_or_nobody() -> None:
    found = changed(
        {"a": {}, "b": {}, "c": {}},
        {"goal_id": "a", "changed_at": at(6, 1), "approved_by": "BOSS"},
        {"goal_id": "b", "changed_at": at(6, 1), "approved_by": "E1"},
        {"goal_id": "c", "changed_at": at(6, 1), "approved_by": None},
    )
    assert dict(found.steps.select("goal_id", "approval").rows()) == {
        "a": "somebody",
        "b": "owner",
        "c": "nobody",
    }
    assert found.total["unapproved"].item() == 2
    assert found.approvals["approval"].to_list() == ["somebody", "owner", "nobody"]


def test_the_share_changed_late_is_of_goals_whose_last_third_has_come() -> None:
    rows: Rows = {
        "late": {},
        "unchanged": {},
        "young": {"start_on": date(2026, 6, 1), "due_on": date(2026, 12, 31)},
        "draft": {"status": "draft"},
        # Changed late, then put off: its last third has not come again, but it has come once.
        "moved": {"due_on": date(2026, 12, 31)},
    }
    found = changed(
        rows,
        {"goal_id": "late", "changed_at": at(6, 1)},
        {
            "goal_id": "moved",
            "changed_at": at(6, 20),
            "field": "due_on",
            "old_value": "2026-06-30",
            "new_value": "2026-12-31",
        },
    )
    assert found.total.select("goals", "late").rows() == [(3, 2)]


def test_changes_after_the_day_are_not_looked_at() -> None:
    found = changed({"a": {"version": 2}}, {"goal_id": "a", "changed_at": at(7, 2)})
    assert found.steps.is_empty()
    assert found.total.select("late", "lost").rows() == [(0, 0)]


def test_a_wording_that_was_not_kept_is_counted() -> None:
    rows: Rows = {"a": {"version": 3}, "b": {"version": 2}}
    found = changed(
        rows,
        {"goal_id": "a", "changed_at": at(3, 1)},
        {"goal_id": "b", "changed_at": at(3, 1)},
    )
    # a was worded three times, but one change only is on record.
    assert found.total["lost"].item() == 1
    assert "Of 1 goal an earlier wording is missing" in adjustment_chart.history_takeaway(
        release(found, as_of=AS_OF), EN
    )


def test_reasons_of_a_few_people_are_not_told_apart() -> None:
    rows: Rows = {f"g{n}": {"owner_id": f"E{n}"} for n in range(14)}
    reasons = ["Budget cut.", " budget  cut", "BUDGET CUT", "Budget cut", "Budget cut"]
    reasons += ["My father fell ill"] * 2 + ["Merged"] * 4
    told = [
        {"goal_id": f"g{n}", "changed_at": at(6, 1), "reason": reason}
        for n, reason in enumerate([*reasons, None, "", None])
    ]
    found = changed(rows, *told)
    # Five owners of one wording; six of two rare ones together; three without any.
    assert found.reasons.rows() == [("other", 6, 6), ("Budget cut.", 5, 5), ("none", 3, 3)]
    assert "father" not in str(release(found, as_of=AS_OF).value.reasons.rows())


def test_missing_is_held_against_the_due_date_at_the_end_and_against_the_first() -> None:
    past = {"due_on": date(2026, 6, 15), "status": "done"}
    rows: Rows = {
        # Done by the date it was moved to, not by the first.
        "moved": {**past, "completed_on": date(2026, 6, 10)},
        "kept": {**past, "completed_on": date(2026, 6, 10)},
        "missed": {"due_on": date(2026, 6, 15)},
        "undated": past,
        "running": {},
    }
    found = changed(
        rows,
        {
            "goal_id": "moved",
            "changed_at": at(4, 28),
            "field": "due_on",
            "old_value": "2026-05-01",
            "new_value": "2026-06-15",
        },
    )
    outcomes = {
        row[0]: row[1:] for row in found.outcomes.select("changed", "goals", "missed", "missed_first").rows()
    }
    # moved was changed after 117 of its first 120 days.
    assert outcomes == {"late": (1, 0, 1), "never": (2, 1, 1)}


def test_the_delay_probability_is_that_before_and_that_after_the_change() -> None:
    said = [
        ("a", date(2026, 5, 18), 0.69, 0.40),
        ("a", date(2026, 6, 1), 0.76, 0.80),
        ("a", date(2026, 6, 15), 0.83, 0.90),
    ]
    # On the day of a snapshot the change is already known to it.
    found = changed({"a": {}}, {"goal_id": "a", "changed_at": at(6, 1)}, said=said)
    assert found.steps.select("delay_before", "delay_after").rows() == [(0.40, 0.80)]


def test_a_statement_of_long_ago_is_not_the_one_before_the_change() -> None:
    said = [("a", date(2026, 3, 1), 0.3, 0.4), ("a", date(2026, 6, 8), 0.8, 0.5)]
    found = changed({"a": {}}, {"goal_id": "a", "changed_at": at(6, 1)}, said=said)
    assert found.steps.select("delay_before", "delay_after").rows() == [(None, 0.5)]


def test_below_five_goals_no_difference_is_told() -> None:
    rows: Rows = {f"g{n}": {"owner_id": f"E{n}"} for n in range(5)} | {"u": {}}
    step = [(0.70, 0.5), (0.77, 0.6)]
    said = [
        (goal, day, elapsed, delay)
        for goal in rows
        for day, (elapsed, delay) in zip((date(2026, 5, 25), date(2026, 6, 8)), step, strict=True)
    ]
    four = changed(rows, *({"goal_id": f"g{n}", "changed_at": at(6, 1)} for n in range(4)), said=said)
    five = changed(rows, *({"goal_id": f"g{n}", "changed_at": at(6, 1)} for n in range(5)), said=said)
    assert four.directions.select("measured", "effect").rows() == [(4, None)]
    # All took the usual step of .1: no difference.
    assert five.directions.select("measured", "usual", "effect").rows() == [
        (5, pytest.approx(0.1), pytest.approx(0.0))
    ]


def test_without_changes_it_is_said_that_none_is_on_record() -> None:
    released = release(changed({f"g{n}": {"owner_id": f"E{n}"} for n in range(6)}), as_of=AS_OF)
    assert adjustment_chart.takeaway(released, EN).startswith("No change of a goal is on record")
    assert "Too few goals" in adjustment_chart.outcomes_takeaway(released, EN)


def test_without_goals_nothing_was_changed() -> None:
    found = changed({})
    assert found.total.select("goals", "late", "lost").rows() == [(0, 0, 0)]
    released = release(found, as_of=AS_OF)
    assert adjustment_chart.figure(released, EN, "light").layout.annotations


def test_the_finding_about_changes_says_how_many_and_by_whose_leave() -> None:
    rows: Rows = {f"g{n}": {"owner_id": f"E{n}"} for n in range(10)}
    found = changed(
        rows,
        {"goal_id": "g0", "changed_at": at(6, 1)},
        {"goal_id": "g1", "changed_at": at(6, 1), "approved_by": None},
    )
    # 2 of 10: Wilson 6 % to 51 %.
    assert adjustment_chart.takeaway(release(found, as_of=AS_OF), EN) == (
        "20 % [6 %, 51 %] of the goals that have come to the last third of their time were changed in it "
        "(2 of 10). Of 1 of them a change was approved by nobody, or by the owner alone."
    )


def test_every_word_of_the_results_can_be_said() -> None:
    assert set(coverage_chart.lack_words(EN)) == set(LACKS)
    assert set(coverage_chart.scope_words(EN)) == set(SCOPES)
    assert set(setting_chart.fact_words(EN)) == set(FACTS)
    assert set(adjustment_chart.direction_words(EN)) == {*DIRECTIONS, ENDED}
    assert set(adjustment_chart.approval_words(EN)) == set(APPROVALS)
    assert set(adjustment_chart.time_words(EN)) == set(TIMES)


@cache
def demo() -> tuple[Aims, GoalPace]:
    plan = PLANS["small"]
    made = found_company(plan, stream(SEED, "company"))
    ambitions = aim(made, *populate(made, size="small", seed=SEED), plan, seed=SEED)
    as_of: date = ambitions.check_ins["checked_at"].cast(pl.Date).max()  # type: ignore[assignment]
    return ambitions, pace(
        ambitions.goals.with_columns(pl.col("baseline", "target").cast(pl.Float64)),
        ambitions.check_ins.with_columns(pl.col("value", "target").cast(pl.Float64)),
        as_of=as_of,
        changes=ambitions.changes,
        alignments=ambitions.alignments,
    )


def test_every_hole_planted_in_the_demo_company_is_found() -> None:
    ambitions, paced = demo()
    everywhere = {department: department for department in ambitions.goals["department_id"].drop_nulls()}
    found = coverage(ambitions.goals, paced, branches=everywhere)
    running = set(paced.goals.filter("open")["goal_id"])
    # Of the strategic goals that are open those planted as taken up by nobody, and no other.
    left = set(found.strategy.filter(~pl.col("taken_up"))["goal_id"])
    assert left == set(ambitions.not_taken_up) & set(found.strategy["goal_id"])
    assert left
    assert set(ambitions.stale_branches) <= set(found.silent["goal_id"])
    for lack in ("no_owner", "no_metric", "no_data_source", "no_cadence"):
        listed = set(found.goals.filter(pl.col("lacks").list.contains(lack))["goal_id"])
        assert listed == set(ambitions.holes[lack]) & running, lack
    # A goal without a target that has goals below it is summed up from them and lacks nothing.
    targetless = set(found.goals.filter(pl.col("lacks").list.contains("no_target"))["goal_id"])
    assert targetless <= set(ambitions.holes["no_target"])
    wrong = set(ambitions.holes["wrong_weights"]) & running
    owners = {
        owner
        for owner, scope in ambitions.goals.filter(pl.col("goal_id").is_in(wrong))
        .select("owner_id", "scope")
        .iter_rows()
        if owner is not None
    }
    assert owners <= set(found.weights["owner_id"])


def test_the_department_planted_to_set_its_goals_late_is_the_latest() -> None:
    ambitions, paced = demo()
    everywhere = {
        department: LATE_DEPARTMENT if department.startswith(LATE_DEPARTMENT) else "elsewhere"
        for department in ambitions.goals["department_id"].drop_nulls()
    }
    found = setting(ambitions.goals, paced, branches=everywhere).departments
    late = {row[0]: row[1:] for row in found.select("department_id", "late_low", "late_high").rows()}
    assert late[LATE_DEPARTMENT][0] > late["elsewhere"][1]
