"""Rolling chances up: what counts for what, what is refused, and what is said and drawn of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import plotly.graph_objects as go
import polars as pl
import pytest

from analytics.disclosure import Released, release
from analytics.goals.landing import chart
from analytics.goals.landing.aftermath import Aftermath, aftermath, too_late
from analytics.goals.landing.backtest import (
    Doubt,
    ParentBacktest,
    chances,
    doubt_of,
    parent_backtest,
    standing,
)
from analytics.goals.landing.landing import (
    HOLES,
    GoalLanding,
    Landing,
    StrategyMap,
    goal_landing,
    land,
    strategy_map,
)
from analytics.goals.landing.rules import CANDIDATES, EVEN, Rule
from analytics.goals.landing.shared_risk import Parts, shared_risk
from analytics.language import Language, percent
from analytics.policy import AFTER_A_MISS, SHARED_BY_OWNER

EN, ZH = Language("en"), Language("zh")
AS_OF = date(2026, 6, 1)
NOTHING_SHARED = Parts(0.0, 0.0, 0.0)
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
USUAL = {"scope": "team", "state": "open", "progress": 0.0, "elapsed": 0.5, "delay": 0.5}
NO_ALIGNMENTS = {"goal_id": pl.String, "serves_goal_id": pl.String, "share": pl.Float64}


def goals(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([{**dict.fromkeys(SCHEMA), **USUAL, **row} for row in rows], schema=SCHEMA)


def rolled(*rows: dict[str, Any], **options: Any) -> Landing:
    frame = goals(*rows)
    said = frame.select(
        "goal_id",
        "delay",
        (pl.col("delay") - 0.05).clip(lower_bound=0.0).alias("delay_low"),
        (pl.col("delay") + 0.05).clip(upper_bound=1.0).alias("delay_high"),
    )
    return land(frame.drop("delay"), said, **{"parts": NOTHING_SHARED, "seed": 1, "draws": 4_096, **options})


def of(landing: Landing, goal_id: str) -> dict[str, Any]:
    return landing.goals.row(by_predicate=pl.col("goal_id") == goal_id, named=True)


def child(goal_id: str, parent_id: str = "top", **more: Any) -> dict[str, Any]:
    return {"goal_id": goal_id, "parent_id": parent_id, **more}


def test_a_goal_with_nothing_below_it_lands_by_its_own_chance() -> None:
    found = of(rolled({"goal_id": "alone", "delay": 0.3}), "alone")
    assert (found["lands"], found["error"], found["children"]) == (pytest.approx(0.7), 0.0, 0)


def test_what_is_done_lands_and_what_is_overdue_does_not() -> None:
    found = rolled(
        {"goal_id": "top", "rollup_rule": "k_of_n", "rollup_needed": 1.0},
        child("done", state="landed"),
        child("overdue", state="missed"),
    )
    assert [of(found, goal)["lands"] for goal in ("done", "overdue")] == [1.0, 0.0]
    assert of(found, "top")["lands"] > 0.999
    # What is settled can tip nothing any more.
    assert found.children.select("gain", "loss").sum().row(0) == (0.0, 0.0)


def test_a_settled_goal_is_not_asked_again_what_hangs_below_it() -> None:
    found = rolled({"goal_id": "top", "rollup_rule": "all", "state": "landed"}, child("a", delay=1.0))
    assert of(found, "top")["lands"] == 1.0
    assert found.children.is_empty()


def test_an_overdue_goal_that_may_still_come_counts_with_that_chance() -> None:
    frame = goals({"goal_id": "top", "rollup_rule": "all"}, child("late", state="missed"))
    said = pl.DataFrame({"goal_id": ["top", "late"], "delay": [0.5, None], "late": [0.5, 0.75]})
    found = land(frame.drop("delay"), said, parts=NOTHING_SHARED, seed=1, draws=4_096)
    assert of(found, "late")["lands"] == 0.0  # by its own due date it did not
    assert of(found, "top")["lands"] == pytest.approx(0.25, abs=0.03)
    assert found.children["in_time"].to_list() == [0.25]


def test_goals_in_a_loop_go_by_their_own_chance_and_so_do_those_above() -> None:
    found = rolled(
        {"goal_id": "a", "parent_id": "b", "rollup_rule": "all", "delay": 0.2},
        {"goal_id": "b", "parent_id": "a", "rollup_rule": "all", "delay": 0.6},
        {"goal_id": "hanging", "parent_id": "a", "delay": 0.9},
    )
    assert found.goals.select("goal_id", "lands", "loop").rows() == [
        ("a", pytest.approx(0.8), True),
        ("b", pytest.approx(0.4), True),
        ("hanging", pytest.approx(0.1), False),
    ]


def test_a_loop_through_alignments_is_no_trouble() -> None:
    served = pl.DataFrame([("top", "a", 50.0)], schema=NO_ALIGNMENTS, orient="row")
    found = rolled({"goal_id": "top", "rollup_rule": "all"}, child("a"), alignments=served)
    assert found.goals["loop"].to_list() == [True, True]


def test_a_goal_counts_for_every_goal_it_serves() -> None:
    served = pl.DataFrame([("b", "top", 50.0), ("b", "b", 10.0)], schema=NO_ALIGNMENTS, orient="row")
    found = rolled(
        {"goal_id": "top", "rollup_rule": "all"},
        {"goal_id": "other", "rollup_rule": "all"},
        child("a", delay=0.5),
        child("b", "other", delay=0.4),
        alignments=served,
    )
    assert of(found, "top")["lands"] == pytest.approx(0.5 * 0.6, abs=0.04)
    assert of(found, "other")["lands"] == pytest.approx(0.6, abs=0.04)


def test_a_parent_that_is_not_here_is_no_parent() -> None:
    found = rolled(child("a", "elsewhere", delay=0.3))
    assert found.children.is_empty()
    assert of(found, "a")["lands"] == pytest.approx(0.7)


def test_a_very_deep_tree_is_no_trouble() -> None:
    chain: list[dict[str, Any]] = [
        {"goal_id": f"g{i:03}", "parent_id": f"g{i + 1:03}", "rollup_rule": "all"} for i in range(400)
    ]
    chain[0]["delay"] = 0.4
    found = rolled(*chain, draws=64)
    assert of(found, "g399")["lands"] == of(found, "g001")["lands"]


def test_more_goals_asked_for_than_there_are_means_all_of_them() -> None:
    found = rolled({"goal_id": "top", "rollup_rule": "k_of_n", "rollup_needed": 9.0}, child("a"), child("b"))
    assert of(found, "top")["needed"] == 2.0
    assert of(found, "top")["lands"] == pytest.approx(0.25, abs=0.03)


def test_without_weights_all_goals_weigh_alike() -> None:
    rows = [child(f"g{i}", weight=weight, delay=0.5) for i, weight in enumerate((90.0, None, 5.0))]
    found = rolled(
        {"goal_id": "top", "rollup_rule": "weighted", "rollup_needed": 60.0},
        *rows,
        after_a_miss=((0.0, (0, 0)),),
    )
    # Two of three have to land: 1/2.
    assert of(found, "top")["lands"] == pytest.approx(0.5, abs=0.03)


def test_where_nobody_said_the_rule_the_chance_is_the_mean_over_likely_ones() -> None:
    likely = [0.0] * len(CANDIDATES)
    likely[CANDIDATES.index(Rule("all"))], likely[CANDIDATES.index(Rule("own"))] = 0.25, 0.75
    found = rolled({"goal_id": "top", "delay": 0.2}, child("a"), child("b"), unstated={"team": likely})
    top = of(found, "top")
    # 3/4 of .8, 1/4 of .25.
    assert top["lands"] == pytest.approx(0.75 * 0.8 + 0.25 * 0.25, abs=0.04)
    assert (top["rule"], top["stated"]) == (None, False)
    # The range reaches from one rule to the other.
    assert top["low"] == pytest.approx(0.25, abs=0.03)
    assert top["high"] >= 0.8 - 1e-9
    by_rule = {(row["rule"], row["needed"]): row for row in found.by_rule.iter_rows(named=True)}
    assert by_rule["all", 1.0]["lands"] == pytest.approx(0.25, abs=0.03)
    assert by_rule["own", 1.0]["lands"] == pytest.approx(0.8)
    assert by_rule["all", 1.0]["likely"] == 0.25


def test_every_rule_is_as_likely_where_nothing_was_learnt() -> None:
    found = rolled({"goal_id": "top"}, child("a"))
    assert found.by_rule["likely"].to_list() == list(EVEN)


def test_a_goal_without_a_delay_probability_takes_the_mean_of_the_others_and_says_so() -> None:
    frame = goals({"goal_id": "a"}, {"goal_id": "b"})
    said = pl.DataFrame({"goal_id": ["a"], "delay": [0.3]})
    found = land(frame.drop("delay"), said, parts=NOTHING_SHARED, seed=1, draws=64)
    assert found.goals.select("goal_id", "lands", "assumed").rows() == [
        ("a", pytest.approx(0.7), False),
        ("b", pytest.approx(0.7), True),
    ]
    assert found.goals["low"].to_list() == [None, None]


def test_the_same_seed_says_the_same_and_another_nearly() -> None:
    rows = ({"goal_id": "top", "rollup_rule": "all"}, child("a"), child("b"))
    one, same, other = rolled(*rows), rolled(*rows), rolled(*rows, seed=2)
    assert one.goals.equals(same.goals)
    gap = abs(of(one, "top")["lands"] - of(other, "top")["lands"])
    assert 0 < gap < 4 * 2**0.5 * of(one, "top")["error"]


def test_no_goals_are_no_trouble() -> None:
    empty = goals().clear()
    found = land(empty.drop("delay"), empty.select("goal_id", "delay"), parts=Parts(), seed=1, chosen=["x"])
    assert found.goals.is_empty()
    assert found.causes.is_empty()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"draws": 0}, "draws must be at least 1; got 0"),
        ({"parts": Parts(0.5, 0.5, 0.1)}, "parts must not be negative and leave something to chance"),
        ({"unstated": {"team": [1.0]}}, "unstated must give 8 likelihoods that add up to 1"),
    ],
)
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rolled({"goal_id": "a"}, **options)


def test_an_unknown_state_and_a_goal_told_twice_are_refused() -> None:
    with pytest.raises(ValueError, match=r"state must be one of open, landed, missed; got \['late'\]"):
        rolled({"goal_id": "a", "state": "late"})
    with pytest.raises(ValueError, match="one row per goal_id"):
        rolled({"goal_id": "a"}, {"goal_id": "a"})


# What goals share, and what becomes of them around their due date


def said_of(n: int, *, due: date = date(2026, 5, 1)) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Goals of one owner in pairs, every other pair missing; all were said to miss by half."""
    ids = [f"g{i:04}" for i in range(n)]
    told = pl.DataFrame(
        {
            "goal_id": ids,
            "seen_on": [date(2026, 3, 1)] * n,
            "due_on": [due] * n,
            "elapsed": [0.5] * n,
            "delay": [0.5] * n,
            "missed": [i // 2 % 2 == 0 for i in range(n)],
            "known_on": [due] * n,
        }
    )
    whose = pl.DataFrame(
        {
            "goal_id": ids,
            "owner_id": [f"E{i // 2}" for i in range(n)],
            "department_id": [f"D{i // 2 % 21}" for i in range(n)],
            "parent_id": [None] * n,
        },
        schema_overrides={"parent_id": pl.String},
    )
    return told, whose


def test_owners_whose_goals_always_end_alike_share_nearly_everything() -> None:
    found = shared_risk(*said_of(1_200), seed=1).causes.row(0, named=True)
    assert (found["cause"], found["pairs"], found["groups"], found["assumed"]) == ("owner", 600, 600, False)
    assert found["part"] > 0.6


def test_from_few_pairs_the_policy_speaks_and_says_so() -> None:
    found = shared_risk(*said_of(800), seed=1).causes.row(0, named=True)
    assert (found["pairs"], found["assumed"]) == (400, True)
    assert (found["part"], found["standard_error"], found["low"]) == (SHARED_BY_OWNER.value, None, None)


def test_goals_not_yet_due_do_not_count_even_if_they_landed() -> None:
    told, whose = said_of(1_200, due=date(2026, 7, 1))
    assert shared_risk(told, whose, seed=1, known_by=AS_OF).goals == 0


def test_goals_looked_at_in_different_seasons_are_no_pair() -> None:
    told, whose = said_of(1_200)
    apart = told.with_columns(
        pl.when(pl.int_range(pl.len()) % 2 == 0)
        .then(pl.date(2025, 3, 1))
        .otherwise("seen_on")
        .alias("seen_on")
    )
    assert shared_risk(apart, whose, seed=1).causes["pairs"][0] == 0


def test_options_of_shared_risk_are_checked() -> None:
    told, whose = said_of(4)
    with pytest.raises(ValueError, match=r"elapsed must be between 0 and 1; got 1.5"):
        shared_risk(told, whose, seed=1, elapsed=1.5)
    with pytest.raises(ValueError, match="most_pairs must be at least 500; got 3"):
        shared_risk(told, whose, seed=1, most_pairs=3)


def seen(*rows: tuple[str, date, date, float, float, date | None, bool | None]) -> pl.DataFrame:
    frame = pl.DataFrame(
        rows,
        schema={
            "goal_id": pl.String,
            "seen_on": pl.Date,
            "due_on": pl.Date,
            "elapsed": pl.Float64,
            "progress": pl.Float64,
            "landed_on": pl.Date,
            "missed": pl.Boolean,
        },
        orient="row",
    )
    return frame.with_columns(
        (pl.col("due_on") - pl.col("seen_on")).dt.total_days().alias("days_left"),
        pl.when("missed").then("due_on").otherwise("landed_on").alias("known_on"),
    )


def test_too_few_misses_leave_what_is_known_of_sprints() -> None:
    past = aftermath(seen(("a", date(2026, 1, 1), date(2026, 2, 1), 0.5, 0.2, None, True)), known_by=AS_OF)
    assert (past.brings, past.misses, past.landings) == (AFTER_A_MISS, 0, 0)
    assert set(past.late) == {0.0}


def test_what_misses_bring_is_learnt_from_enough_of_them() -> None:
    # Half-way at .2, at the end .6: half of the .8 that was left.
    rows = [
        (f"g{i}", day, date(2026, 2, 1), share, progress, None, True)
        for i in range(100)
        for day, share, progress in ((date(2026, 1, 1), 0.5, 0.2), (date(2026, 1, 29), 0.95, 0.6))
    ]
    brings = dict(aftermath(seen(*rows), known_by=AS_OF).brings)
    assert brings[0.5] == pytest.approx((0.5,) * 11)
    assert brings[0.3] == dict(AFTER_A_MISS)[0.3]


def test_how_goals_stood_on_a_day_in_the_past() -> None:
    usual = {
        "parent_id": None,
        "scope": "team",
        "owner_id": None,
        "department_id": None,
        "weight": None,
        "rollup_rule": None,
        "rollup_needed": None,
        "due_on": date(2026, 9, 1),
        "completed_on": None,
        "status": "active",
    }
    rows: dict[str, dict[str, Any]] = {
        "running": {},
        "draft": {"status": "draft"},
        "later": {},
        "landed": {"status": "done", "completed_on": date(2026, 3, 1)},
        "lands": {"status": "done", "completed_on": date(2026, 8, 1)},
        "overdue": {},
        "dropped": {"status": "abandoned"},
    }
    table = pl.DataFrame(
        [{"goal_id": name, **usual, **row} for name, row in rows.items()],
        schema_overrides={**SCHEMA, "completed_on": pl.Date},
    )
    due = date(2026, 9, 1)
    before = seen(
        ("running", date(2026, 5, 25), due, 0.5, 0.4, None, None),
        ("later", date(2026, 6, 20), due, 0.0, 0.0, None, None),
        ("landed", date(2026, 2, 20), due, 0.3, 0.9, date(2026, 3, 1), False),
        ("lands", date(2026, 5, 30), due, 0.5, 0.7, date(2026, 8, 1), False),
        ("overdue", date(2026, 4, 25), date(2026, 5, 1), 0.9, 1.2, None, True),
        ("dropped", date(2026, 3, 1), due, 0.3, 0.1, None, True),
    )
    found = standing(table, before, on=AS_OF)
    assert found.select("goal_id", "state", "progress", "due_on", "given_up").rows() == [
        ("dropped", "missed", 0.1, due, True),
        ("landed", "landed", 0.9, due, True),
        ("lands", "open", 0.7, due, True),
        ("overdue", "missed", 1.0, date(2026, 5, 1), False),
        ("running", "open", 0.4, due, True),
    ]
    # What was given up never comes; what is overdue may.
    late = too_late(found, pl.DataFrame({"goal_id": ["running"], "delay": [0.4]}), Aftermath(), on=AS_OF)
    assert late["goal_id"].to_list() == ["lands", "overdue", "running"]


def test_without_a_past_the_backtest_says_nothing_and_the_goals_below_speak() -> None:
    table, before, said = history().values()
    found = parent_backtest(table, before.clear(), said.clear(), as_of=AS_OF, seed=1)
    assert found.parents.is_empty()
    assert found.methods.is_empty()
    assert (found.preferred, found.combination, found.unstated) == ("rolled_up", None, {})
    assert "not been checked" in chart.record_said(release(found, as_of=AS_OF), EN)
    with pytest.raises(ValueError, match="days must be at least 1; got 0"):
        parent_backtest(table, before, said, as_of=AS_OF, seed=1, days=0)


def history() -> dict[str, pl.DataFrame]:
    """Sixty goals with two below each, which miss or land together; the rule was never said."""
    rows, shots = [], []
    for i in range(60):
        lands = i % 2 == 0
        for name, parent in ((f"p{i}", None), (f"a{i}", f"p{i}"), (f"b{i}", f"p{i}")):
            done = lands or name.startswith("b")
            rows.append((name, parent, "department" if parent is None else "team", done))
            shots.append((name, date(2026, 3, 1), date(2026, 5, 1), 0.5, 0.5, done))
        if not lands:
            rows[-3] = (*rows[-3][:3], False)
    table = pl.DataFrame(rows, schema=["goal_id", "parent_id", "scope", "_done"], orient="row").with_columns(
        pl.lit(None, pl.String).alias(name) for name in ("owner_id", "department_id", "rollup_rule")
    )
    table = table.with_columns(
        pl.lit(None, pl.Float64).alias("weight"),
        pl.lit(None, pl.Float64).alias("rollup_needed"),
        pl.lit(date(2026, 5, 1)).alias("due_on"),
        pl.when("_done").then(pl.date(2026, 5, 1)).alias("completed_on"),
        pl.when("_done").then(pl.lit("done")).otherwise(pl.lit("active")).alias("status"),
    )
    before = seen(
        *(
            (name, day, due, share, way, due if done else None, not done)
            for name, day, due, share, way, done in shots
        )
    )
    said = before.select(
        "goal_id",
        "seen_on",
        "elapsed",
        "due_on",
        pl.when(pl.col("goal_id").str.starts_with("p"))
        .then(0.5)
        .when("missed")
        .then(0.9)
        .otherwise(0.1)
        .alias("delay"),
        pl.lit(date(2026, 2, 28)).alias("origin"),
        "missed",
        "known_on",
    )
    return {"goals": table.drop("_done"), "snapshots": before, "said": said}


def record() -> ParentBacktest:
    return parent_backtest(*history().values(), as_of=AS_OF, seed=1, days=1)


def test_the_rule_behind_what_became_of_goals_is_found_where_nobody_said_it() -> None:
    found = record()
    # One of two missing made the goal above miss: all, or seven in ten of two, not half of them.
    likely = dict(zip(CANDIDATES, found.unstated["department"], strict=True))
    assert likely[Rule("all")] + likely[Rule("k_of_n", 0.7)] > 0.5
    assert likely[Rule("k_of_n", 0.5)] < 0.1
    assert sum(likely.values()) == pytest.approx(1.0)
    briers = {(row["rule"], row["needed"]): row["brier"] for row in found.rules.iter_rows(named=True)}
    # Own: half each time, .25. All: .81 where both land, .09 where one misses: (.0361 + .0081) / 2.
    assert briers["own", 1.0] == pytest.approx(0.25)
    assert briers["all", 1.0] == pytest.approx((0.19**2 + 0.09**2) / 2, abs=0.015)


def test_the_chance_to_go_by_is_that_of_the_method_preferred() -> None:
    landing = rolled(
        {"goal_id": "top", "rollup_rule": "all", "delay": 0.2},
        child("a"),
        {"goal_id": "free", "rollup_rule": "own", "delay": 0.4},
        child("c", "free"),
    )
    found = record()
    assert found.preferred == "rolled_up"
    rows = {row["goal_id"]: row for row in chances(landing, found).iter_rows(named=True)}
    rolled_up = found.doubt.chance(np.array([of(landing, "top")["lands"]]))[0]
    assert (rows["top"]["chance"], rows["top"]["method"]) == (pytest.approx(rolled_up), "rolled_up")
    assert (rows["free"]["chance"], rows["free"]["method"]) == (pytest.approx(0.6), "own")
    assert (rows["a"]["chance"], rows["a"]["low"]) == (pytest.approx(0.5), pytest.approx(0.45))


# What is said and drawn


def looked_at(*rows: dict[str, Any], hidden: tuple[str, ...] = (), **options: Any) -> Released[GoalLanding]:
    landing = rolled(*rows, chosen=["top"], **options)
    to_go_by = landing.goals.select(
        "goal_id", pl.col("lands").alias("chance"), "low", "high", pl.lit("rolled_up").alias("method")
    )
    titles = landing.goals.filter(~pl.col("goal_id").is_in(hidden)).select(
        "goal_id", ("Title of " + pl.col("goal_id")).alias("title")
    )
    return release(goal_landing(landing, to_go_by, goal_id="top", titles=titles), as_of=AS_OF)


def owned() -> Released[GoalLanding]:
    return looked_at(
        {"goal_id": "top", "rollup_rule": "all"},
        *(child(f"g{i}", owner_id="E1", delay=0.3) for i in range(4)),
        child("g5", owner_id="E2", delay=0.1),
        parts=Parts(0.4, 0.0, 0.0),
        hidden=("g5",),
    )


def test_the_finding_about_one_goal_names_its_chance_and_what_it_hangs_on() -> None:
    said = chart.takeaway(owned(), EN)
    assert said.startswith("The chance that it lands in time is ")
    assert "that they share causes makes it more likely." in said
    assert "It gains most from “Title of g" in said
    assert chart.rules_said(owned(), EN) == "It counts as reached when all goals below it land."


def test_a_shared_cause_is_said_in_words_with_and_without_a_name() -> None:
    released = owned()
    row = released.value.causes.row(0, named=True)
    named = chart.causes_said(released, EN, owners={"E1": "Li Wei"})
    bad, otherwise = percent(row["bad"], EN), percent(row["otherwise"], EN)
    told = (
        "4 of the 5 open goals below it are owned by Li Wei: in a bad period for this owner the chance falls "
        f"to {bad}, otherwise it is {otherwise}."
    )
    assert named == [told]
    assert "are owned by one person" in chart.causes_said(released, EN)[0]
    assert "from owners who have several" in chart.risks_said(released, EN)


def test_without_a_rule_the_chance_by_each_is_told() -> None:
    said = chart.rules_said(looked_at({"goal_id": "top"}, child("a"), child("b")), EN)
    assert said.startswith(
        "Nobody said when it counts as reached. If all goals below it have to land, its chance is 2"
    )


@pytest.mark.parametrize(
    ("rule", "needed", "said"),
    [
        (
            "weighted",
            0.8,
            "It counts as reached when the goals below it reach 80 % of their weight together.",
        ),
        ("k_of_n", 1.0, "It counts as reached when 1 of the 3 goals below it lands."),
        ("k_of_n", 2.0, "It counts as reached when 2 of the 3 goals below it land."),
        ("own", None, "It counts as reached by its own metric, whatever becomes of the goals below it."),
    ],
)
def test_each_rule_has_its_sentence(rule: str, needed: float | None, said: str) -> None:
    assert chart.rule_said(rule, needed, 3, EN) == said


def test_the_picture_of_goals_below_ranks_them_by_what_they_tip() -> None:
    released = owned()
    figure = chart.children_figure(released, EN, "light")
    gains = [bar for bar in figure.data if isinstance(bar, go.Bar)][1]
    assert len(gains.x) == 5
    labels = figure.layout.yaxis.ticktext
    # The surest matters least for *all*; it is beyond reach and has no title.
    assert labels[-1].startswith("A goal beyond your reach · 90 %")
    assert list(gains.x) == sorted(gains.x, reverse=True)
    assert chart.children_note(released, EN) == ""


def test_a_goal_that_nothing_can_tip_says_so() -> None:
    released = looked_at({"goal_id": "top", "rollup_rule": "all"}, child("a", state="missed"))
    figure = chart.children_figure(released, EN, "dark")
    assert "No single goal below it" in figure.layout.annotations[0].text
    assert chart.children_note(released, EN).startswith("1 goal below it can tip nothing any more")


def test_a_goal_that_is_not_here_cannot_be_looked_at() -> None:
    landing = rolled({"goal_id": "a"})
    with pytest.raises(ValueError, match="goal_id must be one of the goals; got 'b'"):
        goal_landing(landing, landing.goals, goal_id="b", titles=landing.goals)


def strategy(**options: Any) -> Released[StrategyMap]:
    strategic = pl.DataFrame(
        {
            "goal_id": ["s1", "s2", "s3", "s4"],
            "title": ["Grow <b>", "Hold", "Win", "Learn"],
            "perspective": ["financial", "financial", "customer", None],
        }
    )
    now = pl.DataFrame(
        {
            "goal_id": ["s1", "s2", "s3"],
            "chance": [0.31, 0.82, 0.55],
            "low": [0.2, 0.7, 0.4],
            "high": [0.4, 0.9, 0.7],
        }
    )
    holes = pl.DataFrame({"goal_id": ["s2", "s2", "s4"], "hole": ["no_cadence", "silent", "not_taken_up"]})
    before = pl.DataFrame({"goal_id": ["s1", "s2"], "chance": [0.45, 0.82]})
    return release(
        strategy_map(
            strategic, now, **{"holes": holes, "earlier": before, "since": date(2026, 5, 1), **options}
        ),
        as_of=AS_OF,
    )


def test_the_finding_about_the_strategy() -> None:
    assert chart.strategy_takeaway(strategy(), EN) == (
        "1 of 3 strategic goals is unlikely to land. The least likely is “Grow <b>”, at 31 %. It has "
        "lost 14 percentage points since 1 May 2026. Nobody has taken up 1 strategic goal."
    )


def test_the_map_of_the_strategy_shows_chance_change_and_holes() -> None:
    released = strategy()
    assert released.value.goals["goal_id"].to_list() == ["s1", "s2", "s3", "s4"]
    figure = chart.strategy_figure(released, EN, "light")
    texts = [annotation.text for annotation in figure.layout.annotations]
    numbers = ("<b>◆ 31 %</b>", "<b>● 82 %</b>", "<b>▲ 55 %</b>")
    for expected in (*numbers, "−14 points", "Nobody has taken this up"):
        assert expected in texts
    # The hole that weighs more comes first, as the list of holes has them.
    assert "Nobody updates what hangs below it and 1 more" in texts
    assert "The data cannot tell" in texts
    assert figure.layout.yaxis.ticktext[0] == "Grow &lt;b&gt;"
    outlined = [a for a in figure.layout.annotations if a.bordercolor]
    assert len(outlined) == 2


def test_a_strategy_of_nothing_says_so() -> None:
    empty = strategy().value.goals.clear()
    released = release(StrategyMap(empty, None), as_of=AS_OF)
    assert "no open strategic goals" in chart.strategy_takeaway(released, EN)
    assert isinstance(chart.strategy_figure(released, EN, "dark"), go.Figure)


def test_an_unknown_hole_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="hole must be one of not_taken_up"):
        strategy(holes=pl.DataFrame({"goal_id": ["s1"], "hole": ["pothole"]}))
    assert set(chart.hole_words(EN)) == set(HOLES)


def test_what_past_chances_were_worth_is_said() -> None:
    said = chart.record_said(release(record(), as_of=AS_OF), EN)
    assert said.startswith(
        "Of 60 past goals with goals below them, 50 % landed; on average we would have said "
    )
    assert said.endswith("Most accurate so far, and used here: From the goals below it.")


def test_every_sentence_can_be_said_in_chinese() -> None:
    released = owned()
    for said in (
        chart.takeaway(released, ZH),
        chart.rules_said(released, ZH),
        *chart.causes_said(released, ZH),
        chart.risks_said(released, ZH),
        chart.strategy_takeaway(strategy(), ZH),
    ):
        assert said
    assert isinstance(chart.strategy_figure(strategy(), ZH, "dark"), go.Figure)


def test_doubt_keeps_a_roll_up_from_being_certain_and_is_learnt_from_what_went_its_own_way() -> None:
    # Of 400 goals that were certain to land 40 did not: about a tenth go their own way.
    known = pl.DataFrame(
        {
            "parent_id": [f"g{k}" for k in range(400)],
            "rolled_up": [1.0] * 200 + [0.0] * 200,
            "landed": [True] * 180 + [False] * 20 + [False] * 180 + [True] * 20,
        }
    )
    learnt = doubt_of(known)
    # Half of those that go their own way land where half do, so a tenth off is a fifth astray, less the pull.
    assert 0.15 <= learnt.share <= 0.2
    assert learnt.chance(np.array([1.0])) == pytest.approx(1.0 - learnt.share / 2)
    assert doubt_of(known.head(0)) == Doubt()


# What the range leaves open, and why a goal is as likely as it is


def parents_said(chance: float, n: int) -> ParentBacktest:
    """A record with ``n`` past goals of which one chance was said once each."""
    found = record()
    row = found.parents.head(1).with_columns(pl.lit(chance).alias("rolled_up"))
    many = pl.concat(
        [row.with_columns(pl.lit(f"past {i}").alias("parent_id")) for i in range(n)] or [row[:0]]
    )
    return replace(found, parents=many, preferred="rolled_up", doubt=Doubt(0.0, 0.5))


def test_a_range_judged_by_goals_below_is_never_narrower_than_past_goals_can_tell() -> None:
    landing = rolled({"goal_id": "top", "rollup_rule": "all"}, *(child(f"g{i}", delay=0.0) for i in range(3)))
    few, many = (
        chances(landing, parents_said(0.95, n)).filter(goal_id="top").row(0, named=True) for n in (20, 2_000)
    )
    # Wilson, nearly 1 of 20, z = 1.645: 20 / (20 + 2.706) = .88; of 2,000 and 4,096 draws: .998.
    assert few["low"] == pytest.approx(0.88, abs=0.01)
    assert few["chance"] > 0.99
    assert many["low"] > 0.99


def test_without_past_goals_a_range_judged_by_goals_below_is_wide() -> None:
    landing = rolled({"goal_id": "top", "rollup_rule": "all"}, child("a"))
    row = chances(landing, parents_said(0.5, 0)).filter(goal_id="top").row(0, named=True)
    # Of one goal, half: .5 ± 1.645 √(.25 + 1.645²/4) / (1 + 1.645²) = .5 ± .43.
    assert (row["low"], row["high"]) == (pytest.approx(0.07, abs=0.01), pytest.approx(0.93, abs=0.01))
    # Its own check-ins have a range of their own.
    alone = chances(landing, parents_said(0.5, 0)).filter(goal_id="a").row(0, named=True)
    assert (alone["low"], alone["high"]) == (pytest.approx(0.45), pytest.approx(0.55))


def test_what_is_settled_stays_settled_however_few_past_goals_there_are() -> None:
    landing = rolled({"goal_id": "top", "rollup_rule": "all", "state": "landed"}, child("a"))
    row = chances(landing, parents_said(0.5, 0)).filter(goal_id="top").row(0, named=True)
    assert (row["low"], row["chance"], row["high"]) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("chance", "low", "high", "sign"),
    [
        (0.71, 0.06, 0.96, "open"),
        (0.36, 0.05, 0.79, "open"),
        (0.71, 0.60, 0.80, "likely"),
        (0.36, 0.20, 0.50, "unlikely"),
        (0.36, None, None, "unlikely"),
    ],
)
def test_the_word_for_a_chance_takes_its_range_in(
    chance: float, low: float | None, high: float | None, sign: str
) -> None:
    assert chart.sign_of(chance, low, high) == sign


def test_a_range_over_both_limits_is_said_to_tell_nothing() -> None:
    wide = strategy().value.goals.with_columns(
        pl.when(pl.col("goal_id") == "s1").then(0.05).otherwise("low").alias("low"),
        pl.when(pl.col("goal_id") == "s1").then(0.79).otherwise("high").alias("high"),
    )
    released = release(StrategyMap(wide, None), as_of=AS_OF)
    assert chart.strategy_takeaway(released, EN).startswith(
        "None of the 3 strategic goals is clearly unlikely to land. For 1 the range is so wide that the data "
        "cannot tell. The least likely is “Grow <b>”, at 31 %."
    )
    texts = [note.text for note in chart.strategy_figure(released, EN, "light").layout.annotations]
    assert "<b>▲ 31 %</b>" in texts


def test_the_only_strategic_goal_is_named_with_its_chance() -> None:
    released = release(StrategyMap(strategy().value.goals.filter(goal_id="s2"), None), as_of=AS_OF)
    assert chart.strategy_takeaway(released, EN) == (
        "There is one strategic goal, “Hold”. The chance that it lands in time is 82 % (likely 70 % to 90 %)."
    )


def test_a_goal_that_moved_most_and_is_least_likely_is_named_once() -> None:
    said = chart.strategy_takeaway(strategy(), EN)
    assert said.count("Grow <b>") == 1
    assert "It has lost 14 percentage points since 1 May 2026." in said


@pytest.mark.parametrize(
    ("rule", "needed", "must"),
    [
        ("all", None, "All 4 goals below it must land."),
        ("weighted", 80.0, "The 4 goals below it must reach 80 % of their weight together."),
        ("k_of_n", 3.0, "3 of the 4 goals below it must land."),
        (None, None, "Nobody said how many of the 4 goals below it must land."),
    ],
)
def test_why_a_goal_may_miss_is_told_by_its_rule(rule: str | None, needed: float | None, must: str) -> None:
    released = looked_at(
        {"goal_id": "top", "rollup_rule": rule, "rollup_needed": needed},
        child("done", state="landed"),
        child("gone", state="missed"),
        child("weak", delay=0.8),
        child("good", delay=0.1),
    )
    why = chart.why_said(released, EN, hidden=0)
    assert why == f"{must} Already missed: 1; more likely than not to come too late for it: 1."
    assert "Of the 4 within your reach 1 have already missed" in chart.why_said(released, EN, hidden=2)


def test_a_goal_that_goes_by_its_own_check_ins_needs_no_reason_from_below() -> None:
    released = looked_at({"goal_id": "top", "rollup_rule": "own"}, child("a"))
    own = released.value.goal.with_columns(pl.lit("own").alias("method"))
    assert chart.why_said(release(replace(released.value, goal=own), as_of=AS_OF), EN, hidden=0) == ""


def test_past_goals_are_not_named_where_none_told_the_rule() -> None:
    rows = ({"goal_id": "top"}, child("a"), child("b"))
    assert "No past goal tells which rule holds" in chart.rules_said(looked_at(*rows), EN)
    likely = {"team": (0.3, *(0.1 for _ in CANDIDATES[1:]))}
    assert "by what became of past goals" in chart.rules_said(looked_at(*rows, unstated=likely), EN)


def test_only_causes_that_carry_something_are_told() -> None:
    said = chart.risks_said(owned(), EN)
    assert said.startswith("What makes its outcome uncertain comes ")
    assert "departments" not in said
    assert chart.risks_said(looked_at({"goal_id": "top"}), EN) == ""


def test_a_title_in_two_languages_is_shown_in_the_readers() -> None:
    assert chart.in_own_language("Grow revenue / 提高收入", EN) == "Grow revenue"
    assert chart.in_own_language("Grow revenue / 提高收入", ZH) == "提高收入"
    assert chart.in_own_language("Grow revenue / 提高收入 (2026-12-31)", EN) == "Grow revenue (2026-12-31)"
    assert chart.in_own_language("Input / output", ZH) == "Input / output"
    assert chart.in_own_language("提高收入", EN) == "提高收入"


def test_the_axis_of_goals_below_is_in_points_and_every_bar_has_its_value() -> None:
    figure = chart.children_figure(owned(), EN, "light")
    assert figure.layout.xaxis.showticklabels is not False
    for bar in figure.data:
        assert all(text for text, value in zip(bar.text, bar.x, strict=True) if value)
        assert max(abs(value) for value in bar.x) > 1
