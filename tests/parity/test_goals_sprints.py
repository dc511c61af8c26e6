"""Work left against progress on 3,834 real sprints, each a goal seen at 0, 30, 50 and 80 % of its time.

The last 20 % of each project's sprints; missed = delivered less than committed (METHODS §4).
"""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path

import polars as pl
import pytest

from analytics.goals.chart import rule_evidence
from analytics.goals.pace import pace
from analytics.language import Language

SPRINTS = Path(__file__).parents[2].parent / "shared" / "datasets" / "sprints.csv"
AS_OF = date(2026, 6, 30)

pytestmark = pytest.mark.skipif(not SPRINTS.exists(), reason="the sprint data (../shared) are not here")


@cache
def sprints() -> pl.DataFrame:
    place = pl.col("sprintid").rank("ordinal").over("project", "t_pct")
    return (
        pl.read_csv(SPRINTS)
        .filter(place > 0.8 * pl.len().over("project", "t_pct"))
        .with_columns(
            pl.concat_str("project", "boardid", "sprintid", "t_pct", separator="-").alias("goal_id"),
            # A planned day stands for ten, so that 30 % of it is a whole number of days.
            (pl.col("planday") * 10).alias("length"),
            (pl.col("vel_done") + pl.col("vel_todo") + pl.col("vel_inprogress")).alias("scope"),
            (pl.col("vel_diff") < 0).alias("missed"),
        )
        .with_columns((pl.col("length") * pl.col("t_pct") // 100).alias("passed"))
    )


@cache
def seen() -> pl.DataFrame:
    """Every sprint's pace as a goal, beside whether it missed."""
    found = sprints()
    text, number = pl.lit(None, pl.String), pl.lit(None, pl.Float64)
    goals = found.select(
        "goal_id",
        pl.col("name").alias("title"),
        text.alias("parent_id"),
        pl.lit("team").alias("scope"),
        text.alias("perspective"),
        pl.lit("reach").alias("kind"),
        pl.lit("points").alias("unit"),
        number.alias("weight"),
        text.alias("owner_id"),
        pl.col("project").alias("department_id"),
        (pl.lit(AS_OF) - pl.duration(days="passed")).alias("start_on"),
        (pl.lit(AS_OF) + pl.duration(days=pl.col("length") - pl.col("passed"))).alias("due_on"),
        pl.lit(0.0).alias("baseline"),
        number.alias("target"),
        pl.lit("active").alias("status"),
        pl.lit(None, pl.Date).alias("completed_on"),
        text.alias("data_source"),
        pl.lit(None, pl.Int64).alias("cadence_days"),
    )
    check_ins = found.select(
        "goal_id",
        pl.lit(AS_OF).cast(pl.Datetime).alias("checked_at"),
        pl.col("vel_done").cast(pl.Float64).alias("value"),
        pl.col("scope").cast(pl.Float64).alias("target"),
        number.alias("confidence"),
    )
    paced = pace(goals, check_ins, as_of=AS_OF).goals
    return paced.join(found.select("goal_id", "t_pct", "missed"), on="goal_id")


def auc(missed: pl.Series, score: pl.Series) -> float:
    """Chance that a sprint that missed scores above one that did not, ties half."""
    ranks = score.rank("average")
    n = int(missed.sum())
    others = len(missed) - n
    return (float(ranks.filter(missed).sum()) - n * (n + 1) / 2) / (n * others)


def by_time(score: pl.Expr) -> dict[int, float]:
    found = seen().with_columns(score.alias("score"))
    return {
        t: auc(part["missed"], part["score"])
        for t in (0, 30, 50, 80)
        for part in [found.filter(pl.col("t_pct") == t)]
    }


def test_the_sprints_are_the_published_ones() -> None:
    assert pl.read_csv(SPRINTS).height == 4 * 3_834
    assert seen().group_by("t_pct").len().sort("t_pct")["len"].to_list() == [769] * 4


def test_what_is_left_ranks_missed_sprints_as_published() -> None:
    published = {0: 0.836, 30: 0.833, 50: 0.851, 80: 0.838}
    assert by_time(pl.col("remaining")) == pytest.approx(published, abs=0.002)


def test_what_is_left_against_the_time_left_ranks_them_a_little_better() -> None:
    assert by_time(pl.col("required_rate")) == pytest.approx(
        {0: 0.848, 30: 0.847, 50: 0.865, 80: 0.847}, abs=0.002
    )


def test_plain_progress_ranks_missed_sprints_worse_than_chance() -> None:
    # As published: a sprint with nothing planned has done nothing. A third of the sprints is like that
    # and can hardly miss, which is most of why the ratio misleads.
    ratio = pl.when(pl.col("target") == 0).then(0.0).otherwise("progress")
    found = by_time(-ratio)
    assert found == pytest.approx({0: 0.419, 30: 0.410, 50: 0.349, 80: 0.321}, abs=0.002)
    assert all(value < 0.5 for value in found.values())


def test_a_sprint_with_nothing_planned_never_misses() -> None:
    # That is a third of them, and most of what both figures above owe their distance from one half to.
    idle = seen().filter(pl.col("target") <= 0)
    assert idle.group_by("t_pct").len().sort("t_pct")["len"].to_list() == [288, 249, 241, 231]
    assert not idle["missed"].any()


def test_among_sprints_with_anything_planned_the_amount_left_a_day_ranks_best() -> None:
    planned = seen().filter(pl.col("target") > 0)
    found = {
        t: [auc(part["missed"], part.select(score.fill_null(0.0)).to_series()) for score in scores]
        for scores in [(-pl.col("progress"), pl.col("remaining"), pl.col("required_rate"))]
        for t in (0, 30, 50, 80)
        for part in [planned.filter(pl.col("t_pct") == t)]
    }
    assert found == {
        0: pytest.approx([0.527, 0.593, 0.622], abs=0.002),
        30: pytest.approx([0.617, 0.616, 0.650], abs=0.002),
        50: pytest.approx([0.564, 0.629, 0.665], abs=0.002),
        80: pytest.approx([0.492, 0.588, 0.613], abs=0.002),
    }


def test_what_a_rule_is_said_to_rest_on_was_found_here() -> None:
    said = rule_evidence(Language("en"))
    assert f"On {seen().filter(pl.col('t_pct') == 0).height} real sprints" in said
    idle, planned = seen().filter(pl.col("target") <= 0), seen().filter(pl.col("target") > 0)
    # "a third of the sprints had nothing planned"; "no such measure ranked much better than chance"
    assert idle.height / seen().height == pytest.approx(1 / 3, abs=0.02)
    best = max(
        auc(part["missed"], part.select(score.fill_null(0.0)).to_series())
        for score in (-pl.col("progress"), pl.col("remaining"), pl.col("required_rate"))
        for t in (0, 30, 50, 80)
        for part in [planned.filter(pl.col("t_pct") == t)]
    )
    assert best < 0.67


def test_at_equal_elapsed_time_the_pace_needed_ranks_as_progress_does() -> None:
    # ((1 − p) ÷ (1 − e)) ÷ (p ÷ e) falls with p for every e.
    planned = seen().filter((pl.col("target") > 0) & pl.col("progress").is_between(0, 1, closed="none"))
    for t in (30, 50, 80):
        part = planned.filter(pl.col("t_pct") == t)
        assert auc(part["missed"], part["pace_needed"].round(9)) == pytest.approx(
            auc(part["missed"], -part["progress"].round(9)), abs=1e-9
        )
