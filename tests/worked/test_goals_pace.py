"""Progress, pace and status of goals, by hand."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import polars as pl
import pytest

from analytics.goals.pace import PRESETS, history, pace, urgent_first

START, DUE = date(2026, 1, 1), date(2026, 4, 11)  # 100 days
HALF = date(2026, 2, 20)  # day 50: half of its time
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
    "goal_id": "G",
    "title": "A goal",
    "scope": "company",
    "kind": "increase",
    "start_on": START,
    "due_on": DUE,
    "baseline": 0.0,
    "target": 100.0,
    "status": "active",
}


def goals(*rows: dict[str, Any]) -> pl.DataFrame:
    whole = [{**dict.fromkeys(SCHEMA), **USUAL, **row} for row in rows]
    return pl.DataFrame(whole, schema=SCHEMA)


def check_ins(
    *rows: tuple[str, date, float] | tuple[str, date, float, float | None, float | None],
) -> pl.DataFrame:
    whole = [(*row, None, None)[:5] for row in rows]
    return pl.DataFrame(
        [(goal, datetime(day.year, day.month, day.day, 12), *rest) for goal, day, *rest in whole],
        schema={
            "goal_id": pl.String,
            "checked_at": pl.Datetime,
            "value": pl.Float64,
            "target": pl.Float64,
            "confidence": pl.Float64,
        },
        orient="row",
    )


def changes(*rows: tuple[str, date, str, str | None, str | None]) -> pl.DataFrame:
    return pl.DataFrame(
        [(goal, datetime(day.year, day.month, day.day), *rest) for goal, day, *rest in rows],
        schema={
            "goal_id": pl.String,
            "changed_at": pl.Datetime,
            "field": pl.String,
            "old_value": pl.String,
            "new_value": pl.String,
        },
        orient="row",
    )


def one(goal: dict[str, Any], *values: Any, as_of: date = HALF, **options: Any) -> dict[str, Any]:
    """The only goal's row; each value is the latest check-in's, or a (day, value, target, confidence)."""
    rows = [("G", *value) if isinstance(value, tuple) else ("G", as_of, value) for value in values]
    return pace(goals(goal), check_ins(*rows), as_of=as_of, **options).goals.row(0, named=True)


@pytest.mark.parametrize(
    ("kind", "baseline", "target", "value", "progress", "remaining"),
    [
        ("reach", None, 80.0, 20.0, 0.25, 60.0),  # 20 ÷ 80
        ("reach", 40.0, 80.0, 50.0, 0.25, 30.0),  # (50 − 40) ÷ (80 − 40)
        ("increase", 40.0, 80.0, 50.0, 0.25, 30.0),
        ("increase", 40.0, 80.0, 30.0, -0.25, 50.0),  # went the other way
        ("increase", 40.0, 80.0, 90.0, 1.25, 0.0),  # beyond the target nothing is left
        ("decrease", 80.0, 40.0, 70.0, 0.25, 30.0),  # (80 − 70) ÷ (80 − 40)
        ("decrease", 80.0, 40.0, 20.0, 1.5, 0.0),
        ("decrease", 0.0, -8.0, -2.0, 0.25, 6.0),
        ("stay_above", None, 99.5, 99.5, 1.0, None),
        ("stay_above", None, 99.5, 99.4, 0.0, None),
        ("stay_below", None, 3.0, 3.0, 1.0, None),
        ("stay_below", None, 3.0, 3.1, 0.0, None),
        ("baseline", None, None, 17.0, 1.0, None),
        (None, 80.0, 40.0, 70.0, 0.25, 30.0),  # no kind: from baseline to target, either way
        (None, None, 80.0, 20.0, 0.25, 60.0),
        ("increase", 50.0, 50.0, 50.0, 1.0, 0.0),  # nowhere to go and there
        ("increase", 50.0, 50.0, 49.0, 0.0, 1.0),
        ("decrease", 50.0, 50.0, 49.0, 1.0, 0.0),
        ("reach", None, 0.0, 0.0, 1.0, 0.0),  # nothing to do is done
    ],
)
def test_progress_by_kind(
    kind: str | None,
    baseline: float | None,
    target: float | None,
    value: float,
    progress: float,
    remaining: float | None,
) -> None:
    row = one({"kind": kind, "baseline": baseline, "target": target}, value)
    assert row["progress"] == pytest.approx(progress)
    assert row["remaining"] == (None if remaining is None else pytest.approx(remaining))


@pytest.mark.parametrize(
    ("goal", "why"),
    [
        ({"target": None}, "no_target"),
        ({"baseline": None}, "no_baseline"),
        ({"baseline": 100.0, "target": 0.0}, "wrong_direction"),
        ({"kind": "decrease"}, "wrong_direction"),
        ({"kind": "stay_above", "target": None}, "no_target"),
    ],
)
def test_what_is_not_measurable_is_not_guessed(goal: dict[str, Any], why: str) -> None:
    row = one(goal, 40.0)
    assert row["progress"] is None
    assert (row["status"], row["why_unknown"]) == ("cannot_tell", why)


def test_half_way_at_half_time_is_exactly_on_the_line() -> None:
    row = one({}, 50.0)
    assert row["elapsed"] == row["expected"] == row["progress"] == 0.5
    # 50 left in 50 days against 50 in 50 days.
    assert (row["gap"], row["rate"], row["required_rate"], row["pace_needed"]) == (0.0, 1.0, 1.0, 1.0)
    assert row["days_left"] == 50


@pytest.mark.parametrize(
    ("preset", "value", "status"),
    [
        # Expected 50 of 100. Engagedly: under 16.5 points behind is on track, 33 still behind.
        ("engagedly", 34.0, "on_track"),  # gap 16
        ("engagedly", 33.5, "behind"),  # gap 16.5
        ("engagedly", 17.0, "behind"),  # gap 33
        ("engagedly", 16.9, "at_risk"),  # gap 33.1
        # UpRaise: .95 × 50 = 47.5 and .75 × 50 = 37.5.
        ("upraise", 47.5, "on_track"),
        ("upraise", 47.4, "behind"),
        ("upraise", 37.5, "behind"),
        ("upraise", 37.4, "at_risk"),
        # Recruiterflow: .99 × 50 = 49.5 and .81 × 50 = 40.5.
        ("recruiterflow", 49.5, "on_track"),
        ("recruiterflow", 49.4, "behind"),
        ("recruiterflow", 40.5, "behind"),
        ("recruiterflow", 40.4, "at_risk"),
        # Equal times: needed ÷ so far = (100 − v) ÷ v; 1.25 at 44.44…, 2 at 33.33….
        ("remaining_work", 44.5, "on_track"),  # 1.247
        ("remaining_work", 44.4, "behind"),  # 1.252
        ("remaining_work", 33.4, "behind"),  # 1.994
        ("remaining_work", 33.3, "at_risk"),  # 2.003
        ("remaining_work", 0.0, "at_risk"),  # has not moved
        ("remaining_work", 120.0, "on_track"),
    ],
)
def test_published_rules_at_their_limits(preset: str, value: float, status: str) -> None:
    assert one({}, value, preset=preset)["status"] == status


@pytest.mark.parametrize(
    ("confidence", "status"), [(0.7, "on_track"), (0.69, "behind"), (0.4, "behind"), (0.39, "at_risk")]
)
def test_the_owners_word(confidence: float, status: str) -> None:
    # The latest stated chance counts, though a later check-in was silent about it.
    row = one(
        {}, (date(2026, 1, 5), 1.0, None, 0.9), (date(2026, 2, 1), 2.0, None, confidence), 3.0, preset="owner"
    )
    assert row["status"] == status


def test_an_owner_who_was_never_asked_leaves_it_open() -> None:
    row = one({}, 40.0, preset="owner")
    assert (row["status"], row["why_unknown"]) == ("cannot_tell", "no_confidence")


def test_the_worst_goal_below_decides() -> None:
    found = pace(
        goals(
            {"goal_id": "top", "target": None},
            {"goal_id": "fine", "parent_id": "top"},
            {"goal_id": "middle", "parent_id": "top", "target": None},
            {"goal_id": "late", "parent_id": "middle"},
            {"goal_id": "dropped", "parent_id": "top", "status": "abandoned"},
        ),
        # 50 expected: 50 is on track, 30 is 20 points behind.
        check_ins(("fine", HALF, 50.0), ("late", HALF, 30.0), ("dropped", HALF, 0.0)),
        as_of=HALF,
        preset="worst_child",
    )
    assert dict(found.goals.select("goal_id", "status").rows()) == {
        "top": "behind",
        "fine": "on_track",
        "middle": "behind",
        "late": "behind",
        "dropped": "abandoned",
    }


def test_a_goal_below_that_cannot_be_told_leaves_the_goal_above_untold() -> None:
    found = pace(
        goals({"goal_id": "top"}, {"goal_id": "a", "parent_id": "top"}, {"goal_id": "b", "parent_id": "top"}),
        check_ins(("a", HALF, 50.0)),
        as_of=HALF,
        preset="worst_child",
    )
    top = found.goals.row(by_predicate=pl.col("goal_id") == "top", named=True)
    assert (top["status"], top["why_unknown"]) == ("cannot_tell", "goals_below")


def test_a_goal_without_a_target_has_the_mean_of_the_goals_below() -> None:
    found = pace(
        goals(
            {"goal_id": "top", "target": None, "baseline": None, "kind": None},
            {"goal_id": "a", "parent_id": "top", "weight": 75.0},
            {"goal_id": "b", "parent_id": "top", "weight": 25.0},
        ),
        check_ins(("a", date(2026, 2, 1), 20.0), ("b", date(2026, 2, 10), 60.0)),
        as_of=HALF,
    )
    top = found.goals.row(by_predicate=pl.col("goal_id") == "top", named=True)
    # .75 × .2 + .25 × .6 = .3; left .7 in 50 days against .3 in 50 days.
    assert top["progress"] == pytest.approx(0.3)
    assert top["pace_needed"] == pytest.approx(0.7 / 0.3)
    assert (top["from_below"], top["checked_on"], top["no_check_ins"]) == (True, date(2026, 2, 10), False)
    assert (top["status"], top["why_unknown"]) == ("at_risk", None)


@pytest.mark.parametrize("preset", [preset for preset in PRESETS if preset != "owner"])
def test_a_level_to_hold_is_held_or_not(preset: str) -> None:
    assert one({"kind": "stay_above", "target": 99.5}, 99.6, preset=preset)["status"] == "on_track"
    assert one({"kind": "stay_above", "target": 99.5}, 99.4, preset=preset)["status"] == "at_risk"


@pytest.mark.parametrize("preset", [preset for preset in PRESETS if preset != "owner"])
def test_a_first_measurement_is_not_late_before_it_is_due(preset: str) -> None:
    goal = {"kind": "baseline", "baseline": None, "target": None}
    assert one(goal, preset=preset)["status"] == "on_track"
    assert one(goal, as_of=date(2026, 4, 12), preset=preset)["status"] == "at_risk"
    assert one(goal, 12.0, preset=preset)["status"] == "on_track"


@pytest.mark.parametrize("preset", PRESETS)
def test_a_goal_past_its_due_date_is_at_risk_by_every_rule(preset: str) -> None:
    # 99 of 100: by the gap alone it would be on track.
    row = one({}, (HALF, 99.0, None, 1.0), as_of=date(2026, 4, 12), preset=preset)
    assert (row["status"], row["overdue"]) == ("at_risk", True)


def test_on_its_due_date_a_goal_is_not_overdue() -> None:
    assert one({}, 99.0, as_of=DUE)["overdue"] is False


@pytest.mark.parametrize("preset", PRESETS)
def test_a_goal_that_arrived_is_not_overdue_but_to_be_closed(preset: str) -> None:
    row = one({}, (HALF, 100.0, None, 0.1), as_of=date(2026, 5, 1), preset=preset)
    assert (row["status"], row["overdue"], row["open"]) == ("to_close", False, True)
    assert one({}, (HALF, 100.0, None, 1.0), as_of=DUE, preset=preset)["status"] == "on_track"


def test_a_silent_goal_is_judged_by_the_time_passed_and_remembered_as_it_was() -> None:
    # 50 of 100 on day 50 is on the line; on day 80 the other half has 20 days: 2.5 against .625 a day.
    half = (HALF, 50.0, None, None)
    row = one({}, half, as_of=date(2026, 3, 22))
    assert (row["stale"], row["status"], row["status_then"]) == (False, "at_risk", "on_track")
    row = one({}, half, as_of=date(2026, 3, 24))
    assert (row["stale"], row["status"], row["status_then"]) == (True, "at_risk", "on_track")
    # 20 of 100 on day 50 needed 80 / 50 against 20 / 50 a day even then.
    late = (HALF, 20.0, None, None)
    assert one({}, late, as_of=date(2026, 3, 24))["status_then"] == "at_risk"
    assert one({}, as_of=date(2026, 3, 24))["status_then"] is None


def test_goals_that_fell_silent_on_plan_come_after_those_known_to_lag() -> None:
    day, later = date(2026, 3, 24), date(2026, 3, 20)
    rows = [
        {"goal_id": "a-fine"},
        {"goal_id": "b-overdue", "due_on": date(2026, 3, 1)},
        {"goal_id": "c-silent"},
        {"goal_id": "d-lagging"},
        {"goal_id": "e-behind"},
    ]
    told = check_ins(
        ("a-fine", later, 90.0),
        ("b-overdue", HALF, 20.0),
        ("c-silent", HALF, 50.0),
        ("d-lagging", later, 10.0),
        ("e-behind", later, 70.0),
    )
    found = pace(goals(*rows), told, as_of=day)
    assert urgent_first(found)["goal_id"].to_list() == [
        "d-lagging",
        "c-silent",
        "b-overdue",
        "e-behind",
        "a-fine",
    ]


def test_a_goal_that_has_not_begun() -> None:
    row = one({}, as_of=date(2025, 12, 1))
    assert (row["status"], row["elapsed"], row["silent_days"], row["stale"]) == (
        "not_started",
        0.0,
        None,
        False,
    )


def test_a_goal_of_no_length_is_due_at_once() -> None:
    row = one({"due_on": START}, 40.0, as_of=START)
    assert (row["elapsed"], row["pace_needed"], row["status"]) == (1.0, None, "at_risk")
    assert one({"due_on": START}, 100.0, as_of=START)["status"] == "on_track"


def test_no_check_in_is_not_no_progress() -> None:
    row = one({})
    assert (row["progress"], row["status"], row["why_unknown"]) == (None, "cannot_tell", "no_check_ins")
    assert row["no_check_ins"] is True


def test_later_check_ins_do_not_count() -> None:
    row = one({}, (HALF, 30.0, None, None), (date(2026, 2, 21), 90.0, None, None))
    assert (row["value"], row["checked_on"]) == (30.0, HALF)


def test_closed_goals_by_the_day_they_closed() -> None:
    done = {"status": "done", "completed_on": date(2026, 3, 1)}
    assert one(done, 50.0, as_of=HALF)["status"] == "on_track"
    assert one(done, 50.0, as_of=date(2026, 3, 1))["status"] == "done"
    assert one({"status": "done"}, 50.0)["status"] == "done"
    assert one({"status": "abandoned"}, 50.0)["status"] == "abandoned"
    assert one({"status": "draft"}, 50.0)["open"] is False


def test_the_target_in_force_on_the_day_counts() -> None:
    moved = [(date(2026, 1, 10), 10.0, 80.0, None), (date(2026, 3, 10), 40.0, 100.0, None)]
    before = one({}, *moved, as_of=HALF)
    assert (before["target"], before["progress"]) == (80.0, 0.125)
    after = one({}, *moved, as_of=date(2026, 3, 10))
    assert (after["target"], after["progress"], after["target_changed"]) == (100.0, 0.4, True)


def test_changes_made_later_are_taken_back() -> None:
    later = changes(
        ("G", date(2026, 3, 1), "target", "80", "100"),
        ("G", date(2026, 3, 5), "target", "100", "120"),
        ("G", date(2026, 3, 1), "due_on", "2026-03-02", "2026-04-11"),
        ("G", date(2026, 3, 2), "status", "active", "abandoned"),
    )
    row = one({"target": 120.0, "status": "abandoned"}, 40.0, changes=later)
    assert (row["target"], row["due_on"], row["open"]) == (80.0, date(2026, 3, 2), True)
    assert row["target_changed"] is False
    now = one({"target": 120.0}, 40.0, as_of=date(2026, 3, 5), changes=later.head(3))
    assert (now["target"], now["target_changed"]) == (120.0, True)


def test_a_target_changed_after_the_last_check_in_is_the_new_one() -> None:
    made = changes(("G", date(2026, 2, 10), "target", "80", "100"))
    row = one({}, (date(2026, 2, 1), 40.0, 80.0, None), changes=made)
    assert row["target"] == 100.0


@pytest.mark.parametrize(
    ("cadence", "checked", "stale", "cadences"),
    [
        (14, date(2026, 2, 6), False, 1.0),  # 14 days ago
        (14, date(2026, 2, 5), True, 15 / 14),
        (None, date(2026, 1, 21), False, 1.0),  # 30 days ago, no cadence named
        (None, date(2026, 1, 20), True, 31 / 30),
    ],
)
def test_silence_is_counted_in_cadences(
    cadence: int | None, checked: date, stale: bool, cadences: float
) -> None:
    row = one({"cadence_days": cadence}, (checked, 40.0, None, None))
    assert (row["stale"], row["no_cadence"]) == (stale, cadence is None)
    assert row["silent_cadences"] == pytest.approx(cadences)


def test_a_goal_never_updated_is_silent_since_its_start() -> None:
    row = one({"cadence_days": 7})
    assert (row["silent_days"], row["stale"]) == (50, True)


def test_what_a_record_lacks() -> None:
    found = pace(
        goals(
            {"goal_id": "top", "data_source": "CRM"},
            {"goal_id": "serves", "scope": "team", "parent_id": "top", "data_source": " "},
            {"goal_id": "orphan", "scope": "team"},
            {"goal_id": "aligned", "scope": "team"},
            {"goal_id": "lost", "scope": "team", "parent_id": "elsewhere"},
        ),
        check_ins(),
        as_of=HALF,
        alignments=pl.DataFrame({"goal_id": ["aligned"], "serves_goal_id": ["top"]}),
    ).goals
    lacking = {
        column: found.filter(column)["goal_id"].to_list()
        for column in ("orphan", "parent_missing", "no_data_source")
    }
    assert lacking == {
        "orphan": ["orphan"],
        "parent_missing": ["lost"],
        "no_data_source": ["aligned", "lost", "orphan", "serves"],
    }


def test_the_history_of_a_goal_has_its_steps_and_nothing_from_later() -> None:
    told = check_ins(
        ("G", date(2026, 1, 10), 10.0, 80.0, None),
        ("G", date(2026, 1, 20), 15.0, 80.0, None),
        ("G", date(2026, 2, 10), 20.0, 100.0, 0.5),
        ("G", date(2026, 3, 10), 60.0, 120.0, None),
        ("other", date(2026, 2, 10), 1.0),
    )
    found = history(pace(goals({}), told, as_of=HALF), told, goal_id="G")
    assert found.points["value"].to_list() == [10.0, 15.0, 20.0]
    assert found.targets.rows() == [(START, 80.0), (date(2026, 2, 10), 100.0)]


def test_a_history_without_recorded_targets_has_the_goals_own() -> None:
    told = check_ins(("G", date(2026, 1, 10), 10.0))
    assert history(pace(goals({}), told, as_of=HALF), told, goal_id="G").targets.rows() == [(START, 100.0)]


def test_a_target_changed_after_the_last_check_in_is_a_step_of_the_history() -> None:
    told = check_ins(("G", date(2026, 1, 10), 10.0, 80.0, None), ("G", date(2026, 1, 20), 15.0, 80.0, None))
    moves = changes(
        ("G", date(2026, 2, 1), "target", "80", "100"),
        ("other", date(2026, 2, 3), "target", "80", "9"),
        ("G", date(2026, 2, 4), "due_on", "2026-04-01", "2026-04-11"),
        ("G", date(2026, 3, 1), "target", "100", "140"),  # later than the day it is looked at
    )
    paced = pace(goals({"target": 140.0}), told, as_of=HALF, changes=moves)
    found = history(paced, told, goal_id="G", changes=moves)
    assert found.targets.rows() == [(START, 80.0), (date(2026, 2, 1), 100.0)]


def test_targets_changed_without_check_ins_are_steps_of_the_history() -> None:
    moves = changes(
        ("G", date(2026, 1, 20), "target", "60", "80"), ("G", date(2026, 2, 1), "target", "80", "100")
    )
    paced = pace(goals({}), check_ins(), as_of=HALF, changes=moves)
    found = history(paced, check_ins(), goal_id="G", changes=moves)
    assert found.targets.rows() == [(START, 60.0), (date(2026, 1, 20), 80.0), (date(2026, 2, 1), 100.0)]


def test_a_check_in_that_names_a_change_is_no_second_step() -> None:
    told = check_ins(("G", date(2026, 1, 10), 10.0, 80.0, None), ("G", date(2026, 2, 10), 15.0, 100.0, None))
    moves = changes(("G", date(2026, 2, 1), "target", "80", "100"))
    found = history(pace(goals({}), told, as_of=HALF, changes=moves), told, goal_id="G", changes=moves)
    assert found.targets.rows() == [(START, 80.0), (date(2026, 2, 1), 100.0)]
