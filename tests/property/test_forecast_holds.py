"""What holds of every forecast, whatever the goals."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from analytics.goals.forecast.forecast import Forecasting, fan, finish, hindsight, learn
from analytics.goals.forecast.precedents import LEVELS
from tests.goal_courses import Courses, courses

DAY = date(2024, 6, 3)


def cut(found: Courses, day: date) -> Courses:
    """The exports as they would have been on a day."""
    later = found.changes.filter(pl.col("changed_at").cast(pl.Date) > day)
    first = later.unique(["goal_id", "field"], keep="first", maintain_order=True)
    target = first.filter(pl.col("field") == "target").select(
        "goal_id", pl.col("old_value").cast(pl.Float64).alias("_target")
    )
    given_up = first.filter(pl.col("field") == "status").select(
        "goal_id", pl.col("old_value").alias("_status")
    )
    done = pl.col("completed_on") > day
    goals = (
        found.goals.join(target, on="goal_id", how="left", maintain_order="left")
        .join(given_up, on="goal_id", how="left", maintain_order="left")
        .with_columns(
            pl.coalesce("_target", "target").alias("target"),
            pl.coalesce("_status", pl.when(done).then(pl.lit("active")).otherwise("status")).alias("status"),
            pl.when(~done).then("completed_on").alias("completed_on"),
        )
        .drop("_target", "_status")
    )
    on = pl.col("checked_at").cast(pl.Date) <= day
    return Courses(
        goals,
        found.check_ins.filter(on),
        found.changes.join(later, on=["goal_id", "changed_at", "field"], how="anti"),
    )


def same(one: Forecasting, other: Forecasting) -> None:
    assert one.goals == other.goals
    for name in ("expectations", "bins", "levels", "coverage"):
        assert_frame_equal(getattr(one, name), getattr(other, name), abs_tol=1e-9)


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_nothing_later_than_the_day_enters(seed: int) -> None:
    whole = courses(120, seed=seed)
    then = cut(whole, DAY)
    assert then.check_ins.height < whole.check_ins.height
    learnt = learn(whole.goals, whole.check_ins, as_of=DAY, changes=whole.changes)
    same(learnt, learn(then.goals, then.check_ins, as_of=DAY, changes=then.changes))
    assert_frame_equal(
        finish(learnt, whole.goals, whole.check_ins, as_of=DAY, changes=whole.changes).goals,
        finish(learnt, then.goals, then.check_ins, as_of=DAY, changes=then.changes).goals,
    )


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    found = courses(100, seed=seed)
    mixed = Courses(
        *(
            frame.sample(fraction=1, shuffle=True, seed=seed)
            for frame in (found.goals, found.check_ins, found.changes)
        )
    )
    same(
        learn(found.goals, found.check_ins, as_of=DAY, changes=found.changes, check=False),
        learn(mixed.goals, mixed.check_ins, as_of=DAY, changes=mixed.changes, check=False),
    )


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.sampled_from([0, 3, 30, 200]))
def test_ranges_lie_within_each_other_and_never_beyond_arrival(seed: int, n: int) -> None:
    past, now = courses(n, seed=seed), courses(40, seed=seed + 1)
    learnt = learn(past.goals, past.check_ins, as_of=DAY, changes=past.changes, check=False)
    rows = hindsight(learnt, now.goals, now.check_ins, as_of=DAY + timedelta(days=700), changes=now.changes)
    near = 1e-9
    for level in (round(100 * one) for one in LEVELS):
        assert (rows[f"low_{level}"] <= rows[f"high_{level}"] + near).all()
        assert (rows[f"high_{level}"] <= 1).all()
        assert (rows[f"low_{level}"] >= -1).all()
    assert rows["finished"].is_between(0, 1).all()
    # Having arrived is for good.
    falls = rows.with_columns(pl.col("finished").diff().over("goal_id", "seen_on"))
    assert (falls["finished"].drop_nulls() >= -near).all()


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_fan_and_the_table_of_finishes_say_the_same(seed: int) -> None:
    found = courses(80, seed=seed)
    learnt = learn(found.goals, found.check_ins, as_of=DAY, changes=found.changes, check=False)
    table = finish(learnt, found.goals, found.check_ins, as_of=DAY, changes=found.changes).goals
    assert table["goal_id"].is_sorted()
    dates = table.filter(pl.col("latest").is_not_null())
    assert (dates["earliest"] <= dates["middle"]).all()
    assert (dates["middle"] <= dates["latest"]).all()
    for row in table.filter(pl.col("refused").is_null()).head(3).iter_rows(named=True):
        one = fan(
            learnt,
            found.goals,
            found.check_ins,
            goal_id=row["goal_id"],
            as_of=DAY,
            changes=found.changes,
        )
        assert_frame_equal(one.goal.select(table.columns), table.filter(goal_id=row["goal_id"]))
        assert one.bands["day"].is_sorted()
        assert one.bands["day"][0] == DAY


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_bands_of_a_fan_lie_within_each_other_around_the_middle_and_do_not_pinch(seed: int) -> None:
    found = courses(600, seed=seed)
    learnt = learn(found.goals, found.check_ins, as_of=DAY, changes=found.changes, check=False)
    table = finish(learnt, found.goals, found.check_ins, as_of=DAY, changes=found.changes).goals
    fans = [
        fan(learnt, found.goals, found.check_ins, goal_id=goal, as_of=DAY, changes=found.changes).bands
        for goal in table.filter(pl.col("refused").is_null())["goal_id"].head(30)
    ]
    assert len(fans) == 30
    outward = ("low_90", "low_80", "low_50", "middle", "high_50", "high_80", "high_90")
    for bands in fans:
        for lower, upper in pairwise(outward):
            assert (bands[lower] <= bands[upper] + 1e-9).all()
        width = bands["high_50"] - bands["low_50"]
        before, after = width.shift(1), width.shift(-1)
        # What most goals reach is one value, done, and stays so; a narrowing by less than a tenth of the way
        # is hardly seen.
        pinched = (width < 2 / 3 * before) & (after > 1.5 * width)
        pinched &= (before - width > 0.1) & (after - width > 0.1)
        assert not pinched.any()
