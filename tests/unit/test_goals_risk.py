"""The delay probability: what it may know, what it learns, and what it says with little to go by."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy.special import expit

from analytics.goals.risk.calibration import calibrate, calibrate_by_third
from analytics.goals.risk.ladder import Chances, auc, chances, ece, learn
from analytics.goals.risk.panel import DRIVERS, FEATURES, Panel, panel
from analytics.goals.risk.posterior import posterior
from analytics.goals.risk.rungs import Lived, Parts, boosting, logistic, pace, parts
from data.demo.company import AS_OF
from tests.goal_company import aims, seen

START = date(2026, 1, 1)
GOAL = {
    "goal_id": "g",
    "owner_id": "ann",
    "department_id": "d",
    "scope": "team",
    "kind": "reach",
    "status": "active",
    "baseline": 0.0,
    "target": 10.0,
    "weight": 50.0,
    "start_on": START,
    "due_on": START + timedelta(days=100),
    "completed_on": None,
    "agreed_on": START,
    "cadence_days": 14,
    "data_source": "CRM",
}
SCHEMA = {
    "baseline": pl.Float64,
    "target": pl.Float64,
    "weight": pl.Float64,
    "completed_on": pl.Date,
    "agreed_on": pl.Date,
    "cadence_days": pl.Int64,
    "data_source": pl.String,
}


def goals(*changed: Mapping[str, object]) -> pl.DataFrame:
    return pl.DataFrame([{**GOAL, **one} for one in changed or ({},)], schema_overrides=SCHEMA)


def check_ins(*rows: tuple[str, int, float, float | None, float | None]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            (goal, datetime(2026, 1, 1) + timedelta(days=day, hours=10), value, target, confidence)
            for goal, day, value, target, confidence in rows
        ],
        schema={
            "goal_id": pl.String,
            "checked_at": pl.Datetime,
            "value": pl.Float64,
            "target": pl.Float64,
            "confidence": pl.Float64,
        },
        orient="row",
    )


def changes(*rows: tuple[str, int, str, str, str]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            (goal, datetime(2026, 1, 1) + timedelta(days=day, hours=9), field, old, new)
            for goal, day, field, old, new in rows
        ],
        schema={
            "goal_id": pl.String,
            "changed_at": pl.Datetime,
            "field": pl.String,
            "old_value": pl.String,
            "new_value": pl.String,
        },
        orient="row",
    )


def at(found: Panel, day: int) -> dict[str, Any]:
    return found.snapshots.filter(pl.col("seen_on") == START + timedelta(days=day)).row(0, named=True)


def test_a_goal_is_seen_every_fortnight_while_it_is_open_and_on_the_last_day() -> None:
    seen = panel(goals(), check_ins(), as_of=START + timedelta(days=60)).snapshots["seen_on"]
    assert [(day - START).days for day in seen] == [0, 14, 28, 42, 56, 60]


def test_measurements_are_what_hand_arithmetic_says() -> None:
    told = check_ins(("g", 10, 1.0, 10.0, 0.8), ("g", 40, 4.0, 10.0, 0.6))
    row = at(panel(goals(), told, as_of=START + timedelta(days=60)), 42)
    assert row["elapsed"] == pytest.approx(0.42)
    assert row["progress"] == pytest.approx(0.4)
    assert row["gap"] == pytest.approx(0.02)
    # Left 0.6 (+ 0.01) in 58 (+ 1) days, against 0.4 (+ 0.01) in 40 (+ 1): 0.010339 / 0.01.
    assert row["pace_needed"] == pytest.approx(np.log(0.61 / 59 / (0.41 / 41)))
    # 0.3 of the way in the 30 days since the update four weeks before; a straight line is 0.01 a day.
    assert row["recent_pace"] == pytest.approx(1.0)
    assert row["silence"] == pytest.approx(np.log1p(2 / 14))
    assert row["confidence"] == pytest.approx(0.6)
    assert row["confidence_fell"] == pytest.approx(0.2)


def test_a_raised_target_counts_from_the_day_it_was_raised() -> None:
    moved = changes(("g", 42, "target", "8.0", "10.0"))
    told = check_ins(("g", 20, 4.0, 8.0, None))
    found = panel(goals(), told, as_of=START + timedelta(days=60), changes=moved)
    assert at(found, 28)["progress"] == pytest.approx(0.5)
    assert at(found, 28)["target_moves"] == 0
    assert at(found, 42)["progress"] == pytest.approx(0.4)
    assert at(found, 42)["scope_growth"] == pytest.approx(np.log(10 / 8))
    assert at(found, 42)["target_moves"] == 1


def test_a_due_date_moved_later_does_not_turn_a_miss_into_a_landing() -> None:
    # Due on day 60, moved on day 50 to day 100, done on day 80.
    late = goals({"status": "done", "completed_on": START + timedelta(days=80)})
    moved = changes(("g", 50, "due_on", (START + timedelta(days=60)).isoformat(), "2026-04-11"))
    found = panel(late, check_ins(("g", 20, 4.0, None, None)), as_of=date(2026, 6, 1), changes=moved)
    assert at(found, 42)["missed"] is True
    assert at(found, 42)["known_on"] == START + timedelta(days=60)
    assert at(found, 56)["missed"] is False
    assert at(found, 56)["due_moves"] == 1


def test_a_goal_given_up_is_not_done_and_known_to_be_from_the_day_it_was_given_up() -> None:
    given = goals({"status": "abandoned"})
    told = check_ins(("g", 14, 1.0, None, None), ("g", 30, 2.0, None, None))
    # Given up on day 40; what was said of its status later does not matter.
    day = changes(("g", 40, "status", "active", "abandoned"), ("g", 90, "status", "abandoned", "archived"))
    found = panel(given, told, as_of=date(2026, 6, 1), changes=day)
    assert [(seen - START).days for seen in found.snapshots["seen_on"]] == [0, 14, 28]
    assert found.snapshots["known_on"].unique().to_list() == [START + timedelta(days=40)]
    # Where nobody wrote down when, it was open for all anybody knew until it was due.
    unlogged = panel(given, told, as_of=date(2026, 6, 1)).snapshots
    assert [(seen - START).days for seen in unlogged["seen_on"]] == list(range(0, 100, 14))
    assert unlogged["known_on"].unique().to_list() == [START + timedelta(days=100)]
    assert unlogged["missed"].all()


def test_an_update_after_the_due_date_does_not_undo_a_landing() -> None:
    told = [("g", 50, 4.0, None, None), ("g", 90, 10.0, None, None)]
    late = ("g", 110, 10.0, None, None)
    for status in ("active", "done"):
        once = panel(goals({"status": status}), check_ins(*told), as_of=date(2026, 6, 1)).snapshots
        again = panel(goals({"status": status}), check_ins(*told, late), as_of=date(2026, 6, 1)).snapshots
        assert once["landed_on"].unique().to_list() == [START + timedelta(days=90)]
        assert_frame_equal(once, again)


def test_a_target_told_later_says_nothing_about_days_before_it_was_raised() -> None:
    logged = changes(("g", 42, "target", "10.0", "20.0"))
    early = ("g", 10, 5.0, None, None)
    later = ("g", 50, 5.0, 20.0, None)
    for told in ((early,), (early, later)):
        found = panel(
            goals({"target": 20.0}), check_ins(*told), as_of=START + timedelta(days=60), changes=logged
        )
        assert at(found, 28)["progress"] == pytest.approx(0.5)


def test_a_miss_stays_in_the_owners_record_when_its_due_date_is_moved_afterwards() -> None:
    missed = {"goal_id": "a", "due_on": START + timedelta(days=150)}
    other = {"goal_id": "b", "start_on": START + timedelta(days=56), "due_on": START + timedelta(days=156)}
    moved = changes(("a", 95, "due_on", (START + timedelta(days=50)).isoformat(), "2026-05-31"))
    found = panel(goals(missed, other), check_ins(), as_of=START + timedelta(days=140), changes=moved)
    on_day = found.snapshots.filter(pl.col("goal_id") == "b", pl.col("seen_on") == START + timedelta(days=84))
    assert on_day["owner_known"].item() == pytest.approx(np.log1p(1))


def test_a_goal_of_a_hundred_years_is_looked_at_no_more_often_than_one_of_twenty() -> None:
    ages = goals({"start_on": date(1900, 1, 1), "due_on": date(2026, 12, 31)})
    assert panel(ages, check_ins(), as_of=date(2026, 6, 1)).snapshots.height < 550


def test_an_open_goals_fate_is_not_known() -> None:
    found = panel(goals(), check_ins(), as_of=START + timedelta(days=60)).snapshots
    assert found["missed"].null_count() == found.height


def test_drafts_and_goals_that_have_not_begun_are_not_seen() -> None:
    later = goals(
        {"status": "draft"}, {"goal_id": "h", "start_on": date(2026, 12, 1), "due_on": date(2027, 1, 1)}
    )
    assert panel(later, check_ins(), as_of=START + timedelta(days=60)).snapshots.is_empty()


def test_an_owners_record_holds_what_was_settled_before_the_day() -> None:
    # Three of ann's goals missed on day 100; what she began on day 90 and day 105 knows none and all of it.
    old = [{"goal_id": f"old{k}"} for k in range(3)]
    new = [
        {
            "goal_id": f"new{day}",
            "start_on": START + timedelta(days=day),
            "due_on": START + timedelta(days=300),
        }
        for day in (90, 105)
    ]
    found = panel(goals(*old, *new), check_ins(), as_of=START + timedelta(days=120)).snapshots
    first = found.sort("seen_on").group_by("goal_id", maintain_order=True).first()
    known = dict(first.select("goal_id", "owner_known").rows())
    assert known["new90"] == 0
    assert known["new105"] == pytest.approx(np.log1p(3))
    record = dict(first.select("goal_id", "owner_record").rows())
    # Company: (3 + 2) / (3 + 4) = 5/7; hers (3 + 4 × 5/7) / (3 + 4) = 41/49, odds 41 to 8.
    assert record["new105"] == pytest.approx(np.log(41 / 8))


@cache
def learnt() -> Chances:
    return chances(seen("small"))


def test_nothing_later_than_a_snapshot_enters_its_measurements() -> None:
    made = aims("small")
    kept = made.goals.filter(pl.col("status") != "abandoned")  # nobody wrote down when they were given up
    day = date(2025, 10, 20)
    now = panel(kept, made.check_ins, as_of=AS_OF, changes=made.changes).snapshots
    then = panel(kept, made.check_ins, as_of=day, changes=made.changes).snapshots
    columns = ["goal_id", "seen_on", "due_on", "days_left", *FEATURES]
    # Those of the last day alone were not looked at later.
    both = then.join(now.select("goal_id", "seen_on"), on=["goal_id", "seen_on"], how="semi")
    assert both.height > 10_000
    assert_frame_equal(
        both.select(columns),
        now.join(both.select("goal_id", "seen_on"), on=["goal_id", "seen_on"], how="semi").select(columns),
    )


def test_nothing_about_a_person_but_the_record_of_their_goals_is_measured() -> None:
    named = {name for names in DRIVERS.values() for name in names}
    assert named == set(FEATURES)
    about_people = {"owner_record", "owner_known", "department_record"}
    assert not {
        name
        for name in named - about_people
        for word in ("gender", "age", "birth", "ratin", "salary")
        if word in name
    } - {"recent_pace"}


def test_statements_come_from_models_that_had_learnt_before_the_day() -> None:
    said = learnt().said.drop_nulls("origin")
    assert (said["origin"] <= said["seen_on"]).all()
    assert said["delay"].is_between(0, 1).all()
    assert said["delay"].null_count() == 0
    assert (said["delay_low"] <= said["delay"] + 1e-9).all()
    assert (said["delay"] <= said["delay_high"] + 1e-9).all()


def test_every_open_goal_has_a_probability_today() -> None:
    made = aims("small")
    open_now = made.goals.filter(
        pl.col("status") == "active", pl.col("due_on") > AS_OF, pl.col("start_on") <= AS_OF
    )
    assert set(learnt().now["goal_id"]) == set(open_now["goal_id"])


def test_the_same_data_give_the_same_probabilities() -> None:
    one, other = chances(seen("small"), origins=2), chances(seen("small"), origins=2)
    assert_frame_equal(one.said, other.said)
    assert_frame_equal(one.now, other.now)


def test_the_ladder_does_better_than_the_base_rate_and_the_pace_rule() -> None:
    rungs = {row["rung"]: row for row in learnt().ladder.to_dicts()}
    chosen = next(row for row in rungs.values() if row["chosen"])
    assert chosen["skill"] > 0.2
    assert chosen["brier"] < rungs["pace"]["brier"]


def test_a_goal_that_stands_still_is_told_so() -> None:
    now = learnt().now
    risky = now.filter(pl.col("delay") > 0.8)
    assert risky.height > 20
    # Everything likely to miss has something that raises it.
    assert (risky["raising"].list.len() > 0).to_numpy().mean() > 0.9
    assert set(risky["raising"].explode().drop_nulls()) <= set(DRIVERS) - {"time", "kind"}


@pytest.mark.parametrize(("n", "rung"), [(0, "pace"), (5, "pace"), (20, "logistic")])
def test_with_few_goals_something_is_said_with_its_width(n: int, rung: str) -> None:
    settled = seen("small").snapshots.filter(pl.col("due_on") < date(2026, 6, 1))
    # Goals of the first half-year, so that all are settled before the running ones begin.
    ids = settled["goal_id"].unique().sort().gather_every(7).head(n)
    running = learnt().now["goal_id"].head(30)
    few = seen("small").snapshots.filter(pl.col("goal_id").is_in([*ids, *running]))
    spoken = chances(Panel(few, FEATURES, DRIVERS, AS_OF))
    assert spoken.now.height == 30
    assert set(spoken.now["rung"]) == {rung}
    assert spoken.card["settled_goals"] == n
    width = (spoken.now["delay_high"] - spoken.now["delay_low"]).to_numpy().mean()
    if n == 0:
        assert width > 0.5


def test_with_no_goals_nothing_is_said_and_nothing_breaks() -> None:
    empty = panel(goals().clear(), check_ins(), as_of=AS_OF)
    spoken = chances(empty)
    assert spoken.said.is_empty()
    assert spoken.now.is_empty()


def test_the_pace_rule_learns_what_is_there() -> None:
    rng = np.random.default_rng(3)
    needed = rng.normal(0, 1.2, 20_000)
    missed = rng.random(20_000) < expit(-1.0 + 1.5 * needed)
    model = pace(needed[:, None], missed, weight=1.0, column=0)
    assert model.mean == pytest.approx([-1.0, 1.5], abs=0.06)
    low, high = model.interval(np.array([[0.0]]), width=1.645)
    assert low[0] < expit(-1.0) + 0.02
    assert high[0] > expit(-1.0) - 0.02


def test_the_posterior_is_the_prior_where_nothing_was_seen() -> None:
    mean, covariance = posterior(
        np.empty((0, 2)),
        np.empty(0, dtype=bool),
        weight=1.0,
        mean=np.array([0.3, -1.0]),
        precision=np.diag([4.0, 1.0]),
    )
    assert mean == pytest.approx([0.3, -1.0])
    assert covariance == pytest.approx(np.diag([0.25, 1.0]))


def hazards(n: int, seed: int, *, seen_to: float) -> tuple[Lived, np.ndarray]:
    """Goals that land by a chance in each third of their time, of which only a part has passed."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, n)
    lands = rng.random((n, 3)) < expit(x - 1.0)[:, None]
    third = np.where(lands.any(axis=1), lands.argmax(axis=1), 9)
    landed_at = np.where(third < 3, (third + 0.5) / 3, np.nan)
    passed = np.where(rng.random(n) < 0.5, 1.0, seen_to)
    known = np.where(landed_at <= passed, landed_at, np.nan)
    features = np.column_stack([x, np.zeros(n)])
    return Lived(features, known, passed, 1.0), (1 - expit(x - 1.0)) ** 3


def test_open_goals_teach_how_many_do_not_land() -> None:
    # Half of the goals are only two thirds through; those that landed are known, those that will are not.
    lived, truth = hazards(6_000, 1, seen_to=2 / 3)
    cut = Parts((1 / 3, 2 / 3, 1.0))
    for model in (logistic(lived, cut, elapsed=1), boosting(lived, cut, seed=0)):
        stated = model.delay(lived.features)
        assert stated.mean() == pytest.approx(truth.mean(), abs=0.01)
        assert np.corrcoef(stated, truth)[0, 1] > 0.97


def test_the_time_left_is_cut_only_where_landings_can_tell() -> None:
    assert parts(np.full(1_000, 1.0)).ends == (1.0,)
    assert parts(np.random.default_rng(0).random(1_000)).ends == pytest.approx((1 / 3, 2 / 3, 1.0))
    assert parts(np.array([0.2, 0.9])).ends == (1.0,)


@pytest.mark.parametrize("n", [400, 4_000])
def test_overstated_probabilities_are_bent_back(n: int) -> None:
    rng = np.random.default_rng(5)
    truth = rng.beta(2, 2, n)
    stated = expit(2.0 * np.log(truth / (1 - truth)))  # twice as sure as it may be
    missed = rng.random(n) < truth
    bend = calibrate(stated, missed, np.arange(n), np.zeros(n, dtype=np.int64))
    fresh = rng.beta(2, 2, 20_000)
    happened = rng.random(20_000) < fresh
    before = expit(2.0 * np.log(fresh / (1 - fresh)))
    assert ece(before, happened) > 0.08
    assert ece(bend.apply(before), happened) < 0.04


def test_the_interval_is_as_wide_as_past_periods_differed() -> None:
    rng = np.random.default_rng(6)
    period = np.repeat(np.arange(6), 1_000)
    shift = np.array([-0.15, 0.15, -0.15, 0.15, -0.15, 0.15])[period]
    stated = rng.uniform(0.3, 0.7, 6_000)
    missed = rng.random(6_000) < stated + shift
    bend = calibrate(stated, missed, np.arange(6_000), period)
    low, high = bend.interval(np.array([0.5]), width=1.645)
    # Half the width is 1.645 × √(0.15² + 0.25/600): about 0.25, where chance alone would make it 0.03.
    assert high[0] - low[0] == pytest.approx(2 * 1.645 * np.sqrt(0.15**2 + 0.25 / 600), abs=0.08)


def test_shuffled_outcomes_have_no_skill() -> None:
    shots = seen("small").snapshots
    ids = shots.select("goal_id", "missed", "landed_on", "known_on").unique("goal_id").sort("goal_id")
    order = np.random.default_rng(2).permutation(ids.height)
    shuffled = shots.drop("missed", "landed_on", "known_on").join(
        ids.select("goal_id", ids["missed"].fill_null(value=False).gather(order).alias("missed")),
        on="goal_id",
    )
    # Every outcome is known when the goal is due; nobody's record says anything.
    shuffled = (
        shuffled.with_columns(
            pl.when(pl.col("due_on") <= AS_OF).then("missed").alias("missed"),
            pl.when(pl.col("due_on") <= AS_OF).then("due_on").alias("known_on"),
            pl.when(~pl.col("missed") & (pl.col("due_on") <= AS_OF)).then("due_on").alias("landed_on"),
            pl.lit(0.0).alias("owner_record"),
            pl.lit(0.0).alias("department_record"),
        )
        .select(shots.columns)
        .sort("goal_id", "seen_on")
    )
    spoken = chances(Panel(shuffled, FEATURES, DRIVERS, AS_OF), origins=4)
    assert spoken.ladder.filter("chosen")["skill"].item() <= 0.02


def test_auc_and_ece_are_what_hand_arithmetic_says() -> None:
    stated, missed = np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, True, False, True])
    # Pairs of a miss and a landing: (0.4, 0.1) right, (0.4, 0.4) half, (0.9, 0.1) and (0.9, 0.4) right.
    assert auc(stated, missed) == pytest.approx(3.5 / 4)
    # Two bins: 0.25 said and 1 of 2 missed; 0.65 said and 1 of 2: (0.25 + 0.15) / 2.
    assert ece(stated, missed, bins=2) == pytest.approx(0.2)
    assert np.isnan(auc(stated, np.ones(4, dtype=bool)))


def test_what_is_learnt_scores_later_snapshots() -> None:
    model = learn(seen("small"), origins=1)
    features = seen("small").snapshots.select(pl.col(FEATURES).fill_null(float("nan"))).head(5).to_numpy()
    assert ((model.delay(features) > 0) & (model.delay(features) < 1)).all()


def test_what_was_learnt_near_the_end_bends_nothing_at_the_beginning() -> None:
    rng = np.random.default_rng(8)
    stated = rng.uniform(0.2, 0.8, 600)
    # Understated by .85 on the log-odds scale, .5 for .7; all were seen in the last third.
    missed = rng.random(600) < expit(np.log(stated / (1 - stated)) + 0.85)
    bend = calibrate_by_third(
        stated, missed, np.full(600, 0.9), np.arange(600), np.zeros(600, dtype=np.int64)
    )
    half = np.array([0.5])
    assert bend.apply(half, np.array([0.1])) == pytest.approx(0.5)
    assert bend.apply(half, np.array([0.9])) == pytest.approx(0.7, abs=0.06)
    assert np.isnan(bend.interval(half, np.array([0.1]), width=1.645)).all()


def test_beyond_all_that_was_learnt_a_line_goes_no_further() -> None:
    rng = np.random.default_rng(9)
    x = rng.uniform(-1, 1, 2_000)
    lands = rng.random(2_000) < expit(-2 * x)
    lived = Lived(np.column_stack([x, np.zeros(2_000)]), np.where(lands, 1.0, np.nan), np.ones(2_000), 1.0)
    model = logistic(lived, Parts((1.0,)), elapsed=1)
    inside, outside = model.delay(np.array([[1.0, 0.0], [50.0, 0.0]]))
    assert outside == pytest.approx(inside, abs=0.01)


def test_what_nobody_ever_kept_stops_no_rung() -> None:
    # Confidence, cadence and the rest are not in every export.
    never = seen("small").snapshots.with_columns(
        pl.lit(None, pl.Float64).alias(name) for name in ("confidence", "recent_pace", "gap")
    )
    spoken = chances(Panel(never, FEATURES, DRIVERS, AS_OF), origins=2)
    assert set(spoken.ladder["rung"]) == {"pace", "logistic", "boosting", "blend"}
    assert spoken.said["delay"].is_finite().all()
