"""What must hold of rolled-up chances whatever the goals are, and what simulation with a known truth says."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from typing import Any, Final

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from analytics.goals.landing.backtest import ParentBacktest, calibration_error, parent_backtest
from analytics.goals.landing.landing import Landing, land
from analytics.goals.landing.shared_risk import Parts, SharedRisk, shared_risk

TRUE: Final = Parts(0.2, 0.1, 0.05)
RULES: Final = (("all", None), ("k_of_n", 2.0), ("weighted", 75.0))
SCHEMA = {
    "goal_id": pl.String,
    "parent_id": pl.String,
    "scope": pl.String,
    "owner_id": pl.String,
    "department_id": pl.String,
    "weight": pl.Float64,
    "rollup_rule": pl.String,
    "rollup_needed": pl.Float64,
    "state": pl.String,
    "progress": pl.Float64,
    "elapsed": pl.Float64,
    "delay": pl.Float64,
}


@st.composite
def trees(draw: st.DrawFn) -> pl.DataFrame:
    """Up to a dozen goals below, beside and above each other in any way, loops included."""
    n = draw(st.integers(1, 12))
    ids = [f"g{i}" for i in range(n)]
    rows = [
        {
            "goal_id": goal,
            "parent_id": draw(st.sampled_from([None, "elsewhere", *(one for one in ids if one != goal)])),
            "scope": draw(st.sampled_from(["company", "team"])),
            "owner_id": draw(st.sampled_from([None, "E1", "E2"])),
            "department_id": draw(st.sampled_from([None, "D1"])),
            "weight": draw(st.sampled_from([None, 0.0, 20.0, 80.0])),
            "rollup_rule": draw(st.sampled_from([None, "own", "all", "weighted", "k_of_n"])),
            "rollup_needed": draw(st.sampled_from([None, 1.0, 2.0, 60.0, 250.0])),
            "state": draw(st.sampled_from(["open", "open", "open", "landed", "missed"])),
            "progress": draw(st.sampled_from([None, 0.0, 0.5, 1.0])),
            "elapsed": draw(st.sampled_from([None, 0.0, 0.4, 1.0])),
            "delay": draw(st.floats(0.0, 1.0)),
        }
        for goal in ids
    ]
    return pl.DataFrame(rows, schema=SCHEMA)


def rolled(goals: pl.DataFrame, **options: Any) -> Landing:
    chances = goals.select(
        "goal_id",
        "delay",
        (pl.col("delay") * 0.8).alias("delay_low"),
        (pl.col("delay") * 1.2).clip(upper_bound=1.0).alias("delay_high"),
    )
    return land(goals.drop("delay"), chances, **{"parts": TRUE, "seed": 5, "draws": 128, **options})


@settings(max_examples=40, deadline=None)
@given(trees())
def test_chances_are_chances_and_lie_within_their_ranges(goals: pl.DataFrame) -> None:
    found = rolled(goals, chosen=goals["goal_id"].to_list())
    assert found.goals["goal_id"].to_list() == sorted(goals["goal_id"])
    for name in ("lands", "low", "high", "lands_independent", "own"):
        assert found.goals[name].is_between(0.0, 1.0).all()
    assert (found.goals["low"] <= found.goals["lands"] + 1e-9).all()
    assert (found.goals["high"] >= found.goals["lands"] - 1e-9).all()
    assert (found.children["gain"] >= 0).all()
    assert (found.children["loss"] >= 0).all()
    assert found.risks.group_by("goal_id").agg(pl.col("share").sum())["share"].to_list() == pytest.approx(
        [1.0] * found.risks["goal_id"].n_unique()
    )


@settings(max_examples=25, deadline=None)
@given(trees(), st.randoms(use_true_random=False))
def test_the_order_of_goals_changes_nothing(goals: pl.DataFrame, random: Any) -> None:
    order = list(range(goals.height))
    random.shuffle(order)
    one, other = rolled(goals), rolled(goals[order])
    assert one.goals.equals(other.goals)
    assert one.children.equals(other.children)


@settings(max_examples=25, deadline=None)
@given(trees(), st.integers(0, 11))
def test_a_surer_goal_makes_nothing_above_it_less_likely(goals: pl.DataFrame, which: int) -> None:
    goal = goals["goal_id"][which % goals.height]
    surer = goals.with_columns(
        pl.when(pl.col("goal_id") == goal).then(pl.col("delay") / 2).otherwise("delay").alias("delay")
    )
    # Same draws: each draw can only get better.
    before, after = rolled(goals).goals["lands"], rolled(surer).goals["lands"]
    assert (after >= before - 1e-12).all()


def lived(
    seed: int, *, periods: int = 4, parents: int = 150, parts: Parts = TRUE
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Goals of half-years whose outcomes are drawn from the model itself: goals, snapshots, what was said.

    A parent has four goals below it, each of a hundred days, half of whose time has passed when it is said,
    rightly, how likely it misses; what the parent's own check-ins say has nothing to do with it. Parents go
    by all, by two of four, or by weight, a miss bringing nothing more.
    """
    rng = np.random.default_rng(seed)
    goals: list[tuple[Any, ...]] = []
    seen: list[tuple[Any, ...]] = []
    for period in range(periods):
        start = date(2024, 1, 1) + timedelta(days=182 * period)
        due, day = start + timedelta(days=100), start + timedelta(days=50)
        of = np.repeat(np.arange(parents), 4)
        causes = (of // 2, of // 10, of)
        delay = special.expit(rng.normal(-0.7, 1.0, len(of)))
        load = np.sqrt(1.0 - sum(parts)) * rng.normal(size=len(of))
        for part, cause in zip(parts, causes, strict=True):
            load += np.sqrt(part) * rng.normal(size=parents)[cause]
        missed = load > special.ndtri(1.0 - delay)
        landed = (~missed).reshape(-1, 4).sum(axis=1)
        rule = np.arange(parents) % 3
        reached = np.where(rule == 0, landed == 4, np.where(rule == 1, landed >= 2, landed >= 3))
        above = [f"P{period}-{i:03}" for i in range(parents)]
        below = [f"C{period}-{j:04}" for j in range(len(of))]
        goals += [
            (name, None, "department", None, None, None, *RULES[i % 3], due, bool(reached[i]))
            for i, name in enumerate(above)
        ]
        goals += [
            (name, above[of[j]], "team", f"E{causes[0][j]}", f"D{causes[1][j]}", 25.0, None, None, due, not m)
            for j, (name, m) in enumerate(zip(below, missed.tolist(), strict=True))
        ]
        own = special.expit(special.logit(1 - reached.mean()) + rng.normal(0.0, 0.7, parents))
        chance, outcome = np.concatenate([own, delay]), np.concatenate([~reached, missed])
        told = zip([*above, *below], chance.tolist(), outcome.tolist(), strict=True)
        seen += [(name, day, due, 50, 0.5, 0.0, p, m) for name, p, m in told]
    frame = pl.DataFrame(
        goals,
        schema={
            "goal_id": pl.String,
            "parent_id": pl.String,
            "scope": pl.String,
            "owner_id": pl.String,
            "department_id": pl.String,
            "weight": pl.Float64,
            "rollup_rule": pl.String,
            "rollup_needed": pl.Float64,
            "due_on": pl.Date,
            "_landed": pl.Boolean,
        },
        orient="row",
    ).with_columns(
        pl.when("_landed").then(pl.lit("done")).otherwise(pl.lit("active")).alias("status"),
        pl.when("_landed").then("due_on").alias("completed_on"),
    )
    said = pl.DataFrame(
        seen,
        schema={
            "goal_id": pl.String,
            "seen_on": pl.Date,
            "due_on": pl.Date,
            "days_left": pl.Int64,
            "elapsed": pl.Float64,
            "progress": pl.Float64,
            "delay": pl.Float64,
            "missed": pl.Boolean,
        },
        orient="row",
    ).with_columns(
        pl.col("due_on").alias("known_on"), (pl.col("seen_on") - pl.duration(days=1)).alias("origin")
    )
    snapshots = said.join(frame.select("goal_id", pl.col("completed_on").alias("landed_on")), on="goal_id")
    return frame.drop("_landed"), snapshots, said


@cache
def backtest() -> ParentBacktest:
    goals, snapshots, said = lived(1, periods=6, parents=300)
    return parent_backtest(goals, snapshots, said, as_of=date(2027, 6, 1), seed=2, days=6, draws=512)


@cache
def shared() -> SharedRisk:
    goals, _, said = lived(8, periods=8, parents=400)
    return shared_risk(said, goals, seed=1)


@pytest.mark.parametrize(
    ("cause", "true"), [("owner", TRUE.owner), ("department", TRUE.department), ("parent", TRUE.parent)]
)
def test_what_goals_share_is_found_again(cause: str, true: float) -> None:
    row = shared().causes.row(by_predicate=pl.col("cause") == cause, named=True)
    assert not row["assumed"]
    assert abs(row["part"] - true) < 3 * row["standard_error"]
    assert row["standard_error"] < 0.06


def test_where_nothing_is_shared_nothing_is_found() -> None:
    goals, _, said = lived(9, periods=4, parents=300, parts=Parts(0.0, 0.0, 0.0))
    found = shared_risk(said, goals, seed=1).causes
    assert (found["part"] < 3 * found["standard_error"]).all()
    assert (found["part"] < 0.1).all()


def test_standard_errors_are_as_wide_as_the_estimates_scatter() -> None:
    found = []
    for seed in range(20, 30):
        goals, _, said = lived(seed, periods=2, parents=200)
        found.append(shared_risk(said, goals, seed=1).causes.row(0, named=True))
    parts = np.array([row["part"] for row in found])
    errors = np.array([row["standard_error"] for row in found])
    # Ten estimates give the scatter to within some 24 per cent.
    assert 0.4 < parts.std(ddof=1) / errors.mean() < 2.5
    assert abs(parts.mean() - TRUE.owner) < 3 * errors.mean() / np.sqrt(10)


def test_rolled_up_chances_come_true_as_often_as_they_say() -> None:
    parents = backtest().parents
    said, landed = parents["rolled_up"].to_numpy(), parents["landed"].cast(pl.Float64).to_numpy()
    # 1,800 goals in ten bins: perfect chances would be off by .025 on average, were nothing shared.
    assert parents["parent_id"].n_unique() == 1_800
    assert calibration_error(said, landed) <= 0.04
    assert abs(said.mean() - landed.mean()) < 0.04


def test_counting_what_is_shared_beats_taking_goals_for_independent() -> None:
    rows = {row["method"]: row for row in backtest().methods.iter_rows(named=True)}
    assert rows["rolled_up"]["brier"] < rows["independent"]["brier"]
    assert rows["rolled_up"]["saved_low"] > 0
    assert rows["independent"]["ece"] > rows["rolled_up"]["ece"]


def test_a_goals_own_word_is_left_where_it_says_nothing() -> None:
    found = backtest()
    assert found.preferred in ("rolled_up", "combined")
    assert found.combination is not None
    assert found.combination.below > 2 * abs(found.combination.own)
