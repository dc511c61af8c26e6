"""What holds for every set of goals."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from analytics.goals.adjustment import adjustment
from analytics.goals.coverage import coverage
from analytics.goals.pace import OPEN, PRESETS, STATUSES, UNKNOWN, pace
from analytics.goals.rollup import COUNTED, rollup
from analytics.goals.tree import tree

NEW_YEAR = date(2026, 1, 1)
KINDS = ("reach", "increase", "decrease", "stay_above", "stay_below", "baseline", None)
WORST = ("to_close", "on_track", "behind", "at_risk")
numbers = st.none() | st.integers(-50, 150).map(float)


@st.composite
def records(draw: st.DrawFn) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Goals with any parents (loops and missing ones among them) and their check-ins."""
    n = draw(st.integers(1, 8))
    ids = [f"G{i}" for i in range(n)]
    rows = []
    told = []
    for goal in ids:
        start = NEW_YEAR + timedelta(days=draw(st.integers(0, 60)))
        parent = draw(st.none() | st.sampled_from([*ids, "elsewhere"]))
        rows.append(
            {
                "goal_id": goal,
                "title": goal,
                "parent_id": None if parent == goal else parent,
                "scope": draw(st.sampled_from(["company", "department", "individual"])),
                "perspective": draw(st.none() | st.sampled_from(["financial", "customer"])),
                "kind": draw(st.sampled_from(KINDS)),
                "unit": None,
                "weight": draw(st.none() | st.integers(0, 100).map(float)),
                "owner_id": draw(st.none() | st.sampled_from(["E1", "E2", "E3"])),
                "department_id": draw(st.none() | st.sampled_from(["D1", "D2"])),
                "start_on": start,
                "due_on": start + timedelta(days=draw(st.integers(0, 90))),
                "baseline": draw(numbers),
                "target": draw(numbers),
                "status": draw(st.sampled_from(["draft", "active", "active", "active", "done", "abandoned"])),
                "completed_on": None,
                "data_source": None,
                "cadence_days": draw(st.none() | st.integers(1, 30)),
            }
        )
        for hours in draw(st.lists(st.integers(0, 3_000), max_size=4, unique=True)):
            moment = datetime(2026, 1, 1) + timedelta(hours=hours)
            confidence = draw(st.none() | st.integers(0, 10).map(lambda tenths: tenths / 10))
            told.append((goal, moment, draw(st.integers(-60, 160).map(float)), draw(numbers), confidence))
    goals = pl.DataFrame(
        rows,
        schema_overrides={
            "parent_id": pl.String,
            "perspective": pl.String,
            "kind": pl.String,
            "unit": pl.String,
            "weight": pl.Float64,
            "owner_id": pl.String,
            "department_id": pl.String,
            "baseline": pl.Float64,
            "target": pl.Float64,
            "completed_on": pl.Date,
            "data_source": pl.String,
            "cadence_days": pl.Int64,
        },
    )
    check_ins = pl.DataFrame(
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
    return goals, check_ins


days = st.integers(-5, 160).map(lambda n: NEW_YEAR + timedelta(days=n))
presets = st.sampled_from(PRESETS)


@settings(max_examples=40, deadline=None)
@given(records(), days, presets, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(
    record: tuple[pl.DataFrame, pl.DataFrame], as_of: date, preset: str, random: object
) -> None:
    goals, check_ins = record
    order, other = list(range(goals.height)), list(range(check_ins.height))
    random.shuffle(order)  # type: ignore[attr-defined]
    random.shuffle(other)  # type: ignore[attr-defined]
    one = pace(goals, check_ins, as_of=as_of, preset=preset)
    two = pace(goals[order], check_ins[other], as_of=as_of, preset=preset)
    assert_frame_equal(one.goals, two.goals, check_exact=False)
    assert_frame_equal(rollup(one).strategy, rollup(two).strategy, check_exact=False)


@settings(max_examples=40, deadline=None)
@given(records(), days, presets)
def test_what_comes_later_changes_nothing(
    record: tuple[pl.DataFrame, pl.DataFrame], as_of: date, preset: str
) -> None:
    goals, check_ins = record
    past = check_ins.filter(pl.col("checked_at").cast(pl.Date) <= as_of)
    assert_frame_equal(
        pace(goals, check_ins, as_of=as_of, preset=preset).goals,
        pace(goals, past, as_of=as_of, preset=preset).goals,
        check_exact=False,
    )


@settings(max_examples=40, deadline=None)
@given(records(), days, presets)
def test_every_goal_has_one_status_and_unknown_ones_a_reason(
    record: tuple[pl.DataFrame, pl.DataFrame], as_of: date, preset: str
) -> None:
    found = pace(*record, as_of=as_of, preset=preset).goals
    assert found.height == record[0].height
    assert set(found["status"]) <= set(STATUSES)
    untold = pl.col("status") == "cannot_tell"
    assert found.select((untold == pl.col("why_unknown").is_not_null()).all()).item()
    assert set(found["why_unknown"].drop_nulls()) <= set(UNKNOWN)
    assert found.select((pl.col("open") == pl.col("status").cast(pl.String).is_in(OPEN)).all()).item()


@settings(max_examples=40, deadline=None)
@given(records(), days, presets)
def test_every_open_goal_counts_once_for_its_department_and_at_most_once_for_a_strategy(
    record: tuple[pl.DataFrame, pl.DataFrame], as_of: date, preset: str
) -> None:
    found = pace(*record, as_of=as_of, preset=preset)
    summed = rollup(found)
    counted = found.goals.filter(pl.col("status") != "draft")
    open_ones = counted.filter(pl.col("open") & pl.col("department_id").is_not_null())
    assert summed.departments.select(pl.sum_horizontal(OPEN).sum()).item() == open_ones.height
    assert summed.departments.select((pl.sum_horizontal(COUNTED) == pl.col("goals")).all()).item()
    assert summed.departments["goals"].sum() <= counted.drop_nulls("department_id").height
    assert summed.strategy["goals"].sum() <= counted.height
    assert summed.strategy["goals"].sum() == summed.branches["goals"].sum()
    assert summed.strategy["progress"].drop_nulls().is_between(0, 1).all()


@settings(max_examples=80, deadline=None)
@given(records())
def test_a_goal_is_in_the_tree_or_in_a_loop_never_both(
    record: tuple[pl.DataFrame, pl.DataFrame],
) -> None:
    placed = tree(record[0]).goals
    assert placed.select((pl.col("depth").is_null() == pl.col("loop").is_not_null()).all()).item()
    inside = placed.drop_nulls("depth")
    assert inside.select((pl.col("path").list.len() == pl.col("depth") + 1).all()).item()
    roots = inside.filter(pl.col("depth") == 0)
    # Everything in the tree hangs below exactly one root.
    assert roots["descendants"].sum() + roots.height == inside.height


@pytest.mark.parametrize("preset", [name for name in PRESETS if name != "owner"])
@settings(max_examples=40, deadline=None)
@given(
    low=st.integers(-20, 120),
    more=st.integers(0, 60),
    passed=st.integers(0, 120),
    kind=st.sampled_from(["reach", "increase", "decrease", None]),
)
def test_a_goal_that_has_come_further_never_stands_worse(
    preset: str, low: int, more: int, passed: int, kind: str | None
) -> None:
    down = kind == "decrease"
    start, target = (100.0, 0.0) if down else (0.0, 100.0)
    further = low + more
    values = [100.0 - low, 100.0 - further] if down else [float(low), float(further)]
    text = pl.lit(None, pl.String)
    goals = pl.DataFrame({"goal_id": ["a", "b"]}).with_columns(
        pl.lit("t").alias("title"),
        *(text.alias(name) for name in ("parent_id", "perspective", "unit", "owner_id", "department_id")),
        pl.lit("company").alias("scope"),
        pl.lit(kind, pl.String).alias("kind"),
        pl.lit(None, pl.Float64).alias("weight"),
        pl.lit(NEW_YEAR).alias("start_on"),
        pl.lit(NEW_YEAR + timedelta(days=100)).alias("due_on"),
        pl.lit(start).alias("baseline"),
        pl.lit(target).alias("target"),
        pl.lit("active").alias("status"),
        pl.lit(None, pl.Date).alias("completed_on"),
        text.alias("data_source"),
        pl.lit(7).alias("cadence_days"),
    )
    as_of = NEW_YEAR + timedelta(days=passed)
    check_ins = pl.DataFrame(
        {"goal_id": ["a", "b"], "value": values},
    ).with_columns(
        pl.lit(as_of).cast(pl.Datetime).alias("checked_at"),
        pl.lit(None, pl.Float64).alias("target"),
        pl.lit(None, pl.Float64).alias("confidence"),
    )
    found = pace(goals, check_ins, as_of=as_of, preset=preset).goals
    nearer, farther = (WORST.index(word) for word in reversed(found["status"].to_list()))
    assert nearer <= farther


@st.composite
def alignments(draw: st.DrawFn) -> pl.DataFrame:
    """Any goal may serve any other, goals that are not there and itself included."""
    ids = st.sampled_from([*(f"G{i}" for i in range(8)), "elsewhere"])
    pairs = draw(st.lists(st.tuples(ids, ids), max_size=12, unique=True))
    return pl.DataFrame(pairs, schema={"goal_id": pl.String, "serves_goal_id": pl.String}, orient="row")


@settings(max_examples=80, deadline=None)
@given(records(), alignments())
def test_no_goal_serves_what_it_cannot_reach_and_circles_are_exactly_what_leads_back(
    record: tuple[pl.DataFrame, pl.DataFrame], served: pl.DataFrame
) -> None:
    hung = tree(record[0], served)
    steps: dict[str, set[str]] = {goal: set() for goal in record[0]["goal_id"]}
    for goal, above in hung.links.select("goal_id", "above_id").iter_rows():
        steps[goal].add(above)

    def up(goal: str) -> set[str]:
        met: set[str] = set()
        coming = list(steps[goal])
        while coming:
            one = coming.pop()
            if one not in met:
                met.add(one)
                coming += steps[one]
        return met

    assert set(hung.circles["goal_id"]) == {goal for goal in steps if goal in up(goal)}
    strategic = set(hung.goals.filter(pl.col("goal_id") == pl.col("strategic_id"))["goal_id"])
    pairs = set(hung.serves.select("goal_id", "strategic_id").iter_rows())
    assert all(above in up(goal) & strategic for goal, above in pairs)
    if hung.circles.is_empty():
        assert pairs == {(goal, above) for goal in steps for above in up(goal) & strategic}
    by_parents = {
        (goal, above)
        for goal, above in hung.goals.select("goal_id", "strategic_id").drop_nulls().iter_rows()
        if goal != above
    }
    plain = set(hung.serves.filter(~pl.col("aligned")).select("goal_id", "strategic_id").iter_rows())
    assert plain <= by_parents


@settings(max_examples=40, deadline=None)
@given(records(), alignments(), days, st.randoms(use_true_random=False))
def test_the_order_of_alignments_does_not_matter(
    record: tuple[pl.DataFrame, pl.DataFrame], served: pl.DataFrame, as_of: date, mix: Random
) -> None:
    order = list(range(served.height))
    mix.shuffle(order)
    found = rollup(pace(*record, as_of=as_of, alignments=served))
    again = rollup(pace(*record, as_of=as_of, alignments=served[order]))
    assert_frame_equal(found.strategy, again.strategy)
    assert_frame_equal(found.circles, again.circles)


def as_contract(goals: pl.DataFrame) -> pl.DataFrame:
    """The goals with the columns that only their records have."""
    text, number = pl.lit(None, pl.String), pl.lit(1, pl.Int64)
    return goals.with_columns(
        text.alias("metric"),
        pl.lit("2026H1").alias("cycle_id"),
        pl.col("start_on").alias("agreed_on"),
        number.alias("version"),
    )


@settings(max_examples=60, deadline=None)
@given(records(), alignments(), days)
def test_coverage_agrees_with_the_tree_and_with_itself(
    record: tuple[pl.DataFrame, pl.DataFrame], served: pl.DataFrame, as_of: date
) -> None:
    found = pace(*record, as_of=as_of, alignments=served)
    everywhere = {"D1": "D1", "D2": "D2"}
    covered = coverage(as_contract(record[0]), found, branches=everywhere)
    summed = rollup(found)
    assert covered.strategy.select("goal_id", "taken_up").rows() == (
        summed.strategy.select("goal_id", "taken_up").rows()
    )
    # Departments count no goal twice for one strategic goal, and none that is not counted for it.
    by_department = covered.uptake.group_by("strategic_id").agg((pl.col("own") + pl.col("individual")).sum())
    counted = covered.strategy.join(by_department, left_on="goal_id", right_on="strategic_id")
    assert (counted["own"] <= counted["goals"]).all()
    assert covered.goals.height == found.goals["open"].sum()
    # Who reaches nothing sees no goal one by one, and the same of the strategy.
    nobody = coverage(as_contract(record[0]), found, branches=everywhere, reached=frozenset())
    assert_frame_equal(nobody.strategy, covered.strategy)
    for frame in (
        nobody.uptake,
        nobody.goals,
        nobody.weights,
        nobody.silent,
        nobody.circles,
        nobody.departments,
    ):
        assert frame.is_empty()


@st.composite
def adjustments(draw: st.DrawFn) -> pl.DataFrame:
    """Any change of anything, sensible or not."""
    told = []
    keys = st.tuples(
        st.sampled_from([f"G{i}" for i in range(8)]),
        st.integers(0, 200),
        st.sampled_from(["target", "due_on", "status", "weight"]),
    )
    values = {
        "target": st.sampled_from(["10", "100", "x", None]),
        "due_on": st.sampled_from(["2026-02-01", "2026-05-01", "soon", None]),
        "status": st.sampled_from(["active", "abandoned"]),
        "weight": st.none(),
    }
    for goal, day, changed in draw(st.lists(keys, max_size=12, unique=True)):
        old, new = draw(values[changed]), draw(values[changed])
        moment = datetime(2026, 1, 1) + timedelta(days=day)
        reason = draw(st.sampled_from(["why", " ", None]))
        told.append((goal, moment, changed, old, new, reason, draw(st.sampled_from(["E1", "E9", None]))))
    return pl.DataFrame(
        told,
        schema={
            "goal_id": pl.String,
            "changed_at": pl.Datetime,
            "field": pl.String,
            "old_value": pl.String,
            "new_value": pl.String,
            "reason": pl.String,
            "approved_by": pl.String,
        },
        orient="row",
    )


@settings(max_examples=60, deadline=None)
@given(records(), adjustments(), days)
def test_every_change_up_to_the_day_is_kept_once_and_every_late_one_counted_once(
    record: tuple[pl.DataFrame, pl.DataFrame], changes: pl.DataFrame, as_of: date
) -> None:
    goals = as_contract(record[0])
    found = adjustment(goals, changes, as_of=as_of, branches={"D1": "D1", "D2": "D2"})
    set_up = goals.filter(pl.col("status") != "draft", pl.col("start_on") <= as_of)
    kept = changes.filter(pl.col("changed_at").cast(pl.Date) <= as_of).join(set_up, on="goal_id", how="semi")
    assert found.steps.height == kept.height
    late = found.steps.filter("late")
    for frame in (found.directions, found.reasons, found.approvals):
        assert frame["changes"].sum() == late.height
    assert found.total["late"].item() == late["goal_id"].n_unique()
    assert found.total["late"].item() <= found.total["goals"].item() <= set_up.height
    assert found.outcomes["goals"].sum() <= set_up.height
    assert (found.outcomes["missed"] <= found.outcomes["goals"]).all()
