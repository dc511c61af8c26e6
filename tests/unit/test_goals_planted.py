"""What was planted in the goals of the synthetic company is found."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache

import polars as pl

from analytics.goals.pace import GoalPace, pace
from analytics.goals.rollup import rollup
from data.demo import SEED
from data.demo.aims import Aims, aim
from data.demo.company import PLANS, found
from data.demo.draws import stream
from data.demo.people import populate


@cache
def company() -> tuple[Aims, GoalPace]:
    plan = PLANS["small"]
    made = found(plan, stream(SEED, "company"))
    history, traits = populate(made, size="small", seed=SEED)
    ambitions = aim(made, history, traits, plan, seed=SEED)
    as_of: date = ambitions.check_ins["checked_at"].cast(pl.Date).max()  # type: ignore[assignment]
    return ambitions, pace(
        ambitions.goals.with_columns(pl.col("baseline", "target").cast(pl.Float64)),
        ambitions.check_ins.with_columns(pl.col("value", "target").cast(pl.Float64)),
        as_of=as_of,
        changes=ambitions.changes,
        alignments=ambitions.alignments,
    )


def test_the_strategic_goal_nobody_took_up_and_no_other() -> None:
    ambitions, paced = company()
    strategy = rollup(paced).strategy
    assert strategy.filter(~pl.col("taken_up"))["goal_id"].to_list() == [ambitions.not_taken_up[-1]]


def test_the_branch_nobody_updates() -> None:
    ambitions, paced = company()
    begun = paced.as_of - timedelta(days=180)
    running = paced.goals.filter(pl.col("start_on") > begun).select("goal_id")
    silent = rollup(paced).branches.filter("silent").join(running, on="goal_id", how="semi")
    assert silent["goal_id"].to_list() == list(ambitions.stale_branches)


def test_an_earlier_day_shows_what_nobody_had_taken_up_then() -> None:
    # Given up goals have no date, so only those that were finished can be looked at while they ran.
    ambitions, _ = company()
    finished = ambitions.goals.filter(
        pl.col("goal_id").is_in(ambitions.not_taken_up), pl.col("completed_on").is_not_null()
    )
    assert not finished.is_empty()
    for goal_id, start_on in finished.select("goal_id", "start_on").iter_rows():
        as_of = start_on + timedelta(days=90)
        then = pace(
            ambitions.goals.filter(pl.col("start_on") <= as_of),
            ambitions.check_ins,
            as_of=as_of,
            changes=ambitions.changes,
        )
        left = rollup(then).strategy.filter(~pl.col("taken_up"))["goal_id"].to_list()
        assert goal_id in left


def test_the_pace_needed_tells_something_about_who_arrives() -> None:
    ambitions, paced = company()
    told = paced.goals.filter(pl.col("open") & ~pl.col("overdue") & pl.col("pace_needed").is_not_null()).join(
        ambitions.truth, on="goal_id"
    )
    late = told.filter(~pl.col("lands_on_time"))["pace_needed"].median()
    timely = told.filter("lands_on_time")["pace_needed"].median()
    assert isinstance(late, float)
    assert isinstance(timely, float)
    assert late > 1.5 * timely
