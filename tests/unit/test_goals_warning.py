"""Early warnings: what arises when, ends when, weighs how much; and what past ones were worth."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.special import ndtr

from analytics.goals.lead_time import lead_times, limits, marked, wilson
from analytics.goals.lead_time import narrowed as narrowed_cases
from analytics.goals.warning import EarlyWarnings, early_warnings, narrowed, since

START, DUE = date(2026, 1, 5), date(2026, 7, 4)  # 180 days; two thirds of them have passed on 5 May
LEARNT = date(2026, 1, 1)
AS_OF = date(2026, 5, 25)  # ten fortnights after the start
GOAL = {
    "goal_id": "G",
    "title": "A goal",
    "parent_id": None,
    "scope": "individual",
    "kind": "increase",
    "unit": "€",
    "baseline": 0.0,
    "target": 100.0,
    "weight": None,
    "owner_id": "E1",
    "department_id": "D1",
    "cadence_days": 14,
    "start_on": START,
    "due_on": DUE,
    "status": "active",
    "completed_on": None,
}
GOALS = {
    **dict.fromkeys(GOAL, pl.String),
    **dict.fromkeys(("baseline", "target", "weight"), pl.Float64),
    **dict.fromkeys(("start_on", "due_on", "completed_on"), pl.Date),
    "cadence_days": pl.Int64,
}
SAID = {
    "goal_id": pl.String,
    "seen_on": pl.Date,
    "due_on": pl.Date,
    "days_left": pl.Int64,
    "delay": pl.Float64,
    "pace_delay": pl.Float64,
    "missed": pl.Boolean,
    "known_on": pl.Date,
    "origin": pl.Date,
}
CHANGES = {
    "goal_id": pl.String,
    "changed_at": pl.Datetime,
    "field": pl.String,
    "old_value": pl.String,
    "new_value": pl.String,
    "reason": pl.String,
    "approved_by": pl.String,
}


def goals(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([{**GOAL, **row} for row in rows or ({},)], schema=GOALS)


def course(*delays: float, goal: str = "G", start: date = START, due: date = DUE) -> pl.DataFrame:
    """What was said every fortnight from the start; the pace rule never saw anything coming."""
    days = [start + timedelta(days=14 * at) for at in range(len(delays))]
    return pl.DataFrame(
        [
            (goal, day, due, (due - day).days, p, 0.1, None, None, LEARNT)
            for day, p in zip(days, delays, strict=True)
        ],
        schema=SAID,
        orient="row",
    )


def updates(*days: date, goal: str = "G", confidence: list[float | None] | None = None) -> pl.DataFrame:
    told = confidence or [None] * len(days)
    return pl.DataFrame(
        [
            (goal, datetime(day.year, day.month, day.day, 9), sure)
            for day, sure in zip(days, told, strict=True)
        ],
        schema={"goal_id": pl.String, "checked_at": pl.Datetime, "confidence": pl.Float64},
        orient="row",
    )


def weekly(until: date = AS_OF, *, goal: str = "G") -> pl.DataFrame:
    """Updates that leave no silence."""
    return updates(*(START + timedelta(days=n) for n in range(0, (until - START).days + 1, 7)), goal=goal)


def change(day: date, field: str, old: str, new: str, *, approved_by: str | None = None) -> pl.DataFrame:
    row = ("G", datetime(day.year, day.month, day.day, 9), field, old, new, "Asked for more", approved_by)
    return pl.DataFrame([row], schema=CHANGES, orient="row")


def warned(
    said: pl.DataFrame | None = None,
    goal: pl.DataFrame | None = None,
    check_ins: pl.DataFrame | None = None,
    *,
    as_of: date = AS_OF,
    changes: pl.DataFrame | None = None,
    rolled: pl.DataFrame | None = None,
) -> EarlyWarnings:
    return early_warnings(
        course() if said is None else said,
        goals() if goal is None else goal,
        weekly() if check_ins is None else check_ins,
        as_of=as_of,
        changes=changes,
        rolled=rolled,
    )


def one(found: EarlyWarnings) -> dict[str, Any]:
    assert found.warnings.height == 1, found.warnings
    return found.warnings.row(0, named=True)


def fortnight(n: int) -> date:
    return START + timedelta(days=14 * n)


# --- the delay probability ---------------------------------------------------------------------------


def test_a_warning_arises_on_the_day_the_probability_reaches_the_limit() -> None:
    # No goal is past, so the probability is taken at its word: a warning begins at 72 % and ends below 57 %.
    row = one(warned(course(0.3, 0.4, 0.72, 0.8)))
    assert (row["kind"], row["arose_on"], row["ended_on"]) == ("chance", fortnight(2), None)
    assert (row["chance_before"], row["chance_then"], row["chance"], row["limit"]) == (
        0.4,
        0.72,
        0.8,
        0.72,
    )


def test_a_probability_that_hovers_about_the_limit_is_one_warning() -> None:
    # .6 lies between the two limits (.57 and .72): it neither ends the warning nor begins another.
    row = one(warned(course(0.3, 0.73, 0.6, 0.74, 0.57, 0.8)))
    assert (row["arose_on"], row["ended_on"]) == (fortnight(1), None)


def test_a_warning_that_fell_well_below_is_over_and_the_next_one_is_new() -> None:
    found = warned(course(0.8, 0.56, 0.6, 0.72)).warnings
    assert found.select("arose_on", "ended_on").rows() == [
        (fortnight(3), None),
        (fortnight(0), fortnight(1)),
    ]
    assert found["warning_id"].n_unique() == 2


def test_a_day_without_a_probability_changes_nothing() -> None:
    said = course(0.8, 0.8, 0.8).with_columns(
        pl.when(pl.col("seen_on") != fortnight(1)).then("delay").alias("delay")
    )
    row = one(warned(said))
    assert (row["arose_on"], row["ended_on"]) == (fortnight(0), None)


def test_a_warning_keeps_its_id_when_the_latest_day_of_the_data_moves_on() -> None:
    # Seen on the latest day, nine days into a fortnight; in the next version that fortnight's end is seen.
    then = fortnight(2) + timedelta(days=9)
    early = pl.concat([course(0.2, 0.3, 0.3), course(0.8, start=then).with_columns(due_on=pl.lit(DUE))])
    later = course(0.2, 0.3, 0.3, 0.8, 0.9)
    assert (
        one(warned(early, as_of=then))["warning_id"] == one(warned(later, as_of=fortnight(4)))["warning_id"]
    )


def test_a_warning_that_stood_meanwhile_is_known_by_the_id_it_was_told_under() -> None:
    # Learnt anew, the probability reaches the limit a fortnight sooner, or later, than was told then.
    told = one(warned(course(0.2, 0.3, 0.8, 0.8), as_of=fortnight(3)))["warning_id"]
    sooner = one(warned(course(0.2, 0.8, 0.8, 0.8, 0.8), as_of=fortnight(4)))
    later = one(warned(course(0.2, 0.3, 0.5, 0.8, 0.8), as_of=fortnight(4)))
    assert sooner["known_as"][0] == sooner["warning_id"] != told
    assert told in sooner["known_as"]
    assert told in later["known_as"]


def test_a_new_spell_is_not_known_by_the_id_of_the_one_that_ended() -> None:
    first = one(warned(course(0.2, 0.8), as_of=fortnight(1)))["warning_id"]
    found = warned(course(0.2, 0.8, 0.3, 0.8), as_of=fortnight(3)).standing
    assert first not in found["known_as"].item().to_list()


@pytest.mark.parametrize(
    ("closing", "ended"),
    [
        ({"status": "done", "completed_on": fortnight(3)}, fortnight(3)),
        ({"due_on": fortnight(4)}, fortnight(4) + timedelta(days=1)),
        ({"status": "abandoned"}, date(2026, 5, 25)),  # no day on record: its last update, on the last day
    ],
)
def test_a_warning_ends_with_its_goal(closing: dict[str, Any], ended: date) -> None:
    row = one(warned(course(0.8, 0.8, 0.9), goals(closing)))
    assert row["ended_on"] == ended


def test_drafts_are_never_warned_of() -> None:
    assert warned(course(0.9), goals({"status": "draft"})).warnings.is_empty()


# --- silence -----------------------------------------------------------------------------------------


def test_a_goal_is_stale_after_more_than_two_cadences() -> None:
    # Last update on 5 Jan; two cadences of 14 days end on 2 Feb; from 3 Feb it is stale.
    assert warned(check_ins=updates(START), as_of=date(2026, 2, 2)).warnings.is_empty()
    row = one(warned(check_ins=updates(START), as_of=date(2026, 2, 3)))
    assert (row["kind"], row["arose_on"], row["updated_on"]) == ("stale", date(2026, 2, 3), START)
    assert (row["cadence_days"], row["ended_on"]) == (14, None)


def test_an_update_ends_the_silence() -> None:
    row = one(warned(check_ins=updates(START, date(2026, 3, 1)), as_of=date(2026, 3, 1)))
    assert (row["arose_on"], row["ended_on"]) == (date(2026, 2, 3), date(2026, 3, 1))


def test_an_update_on_the_last_day_of_two_cadences_is_in_time() -> None:
    silence = updates(START, date(2026, 2, 2), date(2026, 2, 20))
    assert warned(check_ins=silence, as_of=date(2026, 2, 20)).warnings.is_empty()


def test_a_goal_that_names_no_cadence_is_given_a_month_twice() -> None:
    # 30 days twice: 5 Jan + 60 = 6 March is in time, the 7th is not.
    silent = goals({"cadence_days": None})
    assert warned(goal=silent, check_ins=updates(), as_of=date(2026, 3, 6)).warnings.is_empty()
    assert one(warned(goal=silent, check_ins=updates(), as_of=date(2026, 3, 7)))["cadence_days"] == 30


def test_a_goal_that_sums_up_others_is_updated_through_them() -> None:
    both = goals({"target": None}, {"goal_id": "C", "parent_id": "G", "cadence_days": 1000})
    assert warned(goal=both, check_ins=weekly(goal="C")).warnings.is_empty()


# --- scope -------------------------------------------------------------------------------------------

LATE, EARLY = date(2026, 5, 5), date(2026, 5, 4)  # 120 of 180 days, and 119


def test_a_target_made_harder_late_is_warned_of() -> None:
    row = one(warned(changes=change(LATE, "target", "80", "100")))
    assert (row["kind"], row["arose_on"]) == ("scope", LATE)
    assert (row["target_before"], row["target_after"]) == (80.0, 100.0)
    assert (row["reason"], row["approved_by"]) == ("Asked for more", None)


@pytest.mark.parametrize(
    ("kind", "old", "new", "harder"),
    [
        ("increase", "80", "100", True),
        ("increase", "100", "80", False),
        ("decrease", "20", "10", True),
        ("decrease", "10", "20", False),
        ("stay_above", "95", "99", True),
        ("stay_below", "3", "2", True),
        ("stay_below", "2", "3", False),
        (None, "80", "100", True),  # further from the baseline of nought
        (None, "-80", "-100", True),
        ("increase", "many", "more", False),  # no numbers: nobody can say
    ],
)
def test_harder_depends_on_the_kind(kind: str | None, old: str, new: str, harder: bool) -> None:
    found = warned(goal=goals({"kind": kind}), changes=change(LATE, "target", old, new))
    assert found.warnings.height == int(harder)


def test_what_is_changed_early_is_planning() -> None:
    assert warned(changes=change(EARLY, "target", "80", "100")).warnings.is_empty()


def test_a_due_date_is_late_by_the_date_it_moved_away_from() -> None:
    # It was due on 1 May (116 days), so that 25 March (79 days, 68 %) was late; against 4 July it is 44 %.
    row = one(warned(changes=change(date(2026, 3, 25), "due_on", "2026-05-01", "2026-07-04")))
    assert (row["due_before"], row["due_after"]) == (date(2026, 5, 1), DUE)
    assert row["ended_on"] == date(2026, 3, 25) + timedelta(days=28)


def test_two_changes_of_a_day_are_one_warning() -> None:
    both = pl.concat(
        [
            change(LATE, "target", "80", "100", approved_by="E9"),
            change(LATE, "due_on", "2026-06-01", "2026-07-04"),
        ]
    )
    row = one(warned(changes=both))
    assert (row["target_after"], row["due_after"], row["approved_by"]) == (100.0, DUE, None)


def test_a_change_after_the_day_is_not_known_yet() -> None:
    assert warned(changes=change(AS_OF + timedelta(days=1), "target", "80", "100")).warnings.is_empty()


# --- confidence --------------------------------------------------------------------------------------


def test_a_fall_of_confidence_is_warned_of() -> None:
    told = updates(date(2026, 5, 4), date(2026, 5, 18), confidence=[0.8, 0.6])
    found = warned(check_ins=pl.concat([weekly(), told]))
    row = one(found)
    assert (row["kind"], row["arose_on"]) == ("confidence", date(2026, 5, 18))
    assert (row["confidence_before"], row["confidence_after"]) == (0.8, 0.6)


def test_a_smaller_fall_is_not() -> None:
    told = updates(date(2026, 5, 4), date(2026, 5, 18), confidence=[0.8, 0.61])
    assert warned(check_ins=pl.concat([weekly(), told])).warnings.is_empty()


def test_a_confidence_that_came_back_is_over() -> None:
    days = (date(2026, 5, 4), date(2026, 5, 11), date(2026, 5, 18))
    told = updates(*days, confidence=[0.8, 0.5, 0.8])
    assert one(warned(check_ins=pl.concat([weekly(), told])))["ended_on"] == date(2026, 5, 18)


def test_a_fall_is_news_for_four_weeks() -> None:
    told = updates(date(2026, 3, 2), date(2026, 3, 9), confidence=[0.8, 0.5])
    assert one(warned(check_ins=pl.concat([weekly(), told])))["ended_on"] == date(2026, 4, 6)


# --- consequence -------------------------------------------------------------------------------------


def test_the_share_of_the_strategy_is_the_product_of_weights_along_the_path() -> None:
    tree = goals(
        {"goal_id": "S", "scope": "company"},
        {"goal_id": "A", "parent_id": "S", "scope": "department", "weight": 60.0},
        {"goal_id": "B", "parent_id": "S", "scope": "department", "weight": 20.0},
        {"goal_id": "a", "parent_id": "A", "weight": None},  # one of two without weights: a half
        {"goal_id": "b", "parent_id": "A", "weight": 30.0},
        {"goal_id": "gone", "parent_id": "A", "weight": 99.0, "status": "abandoned"},
        {"goal_id": "alone"},
    )
    said = pl.concat([course(0.8, goal=name) for name in ("S", "A", "B", "a", "alone")])
    found = warned(said, tree, pl.concat([weekly(goal=name) for name in tree["goal_id"]])).standing
    shares = dict(found.select("goal_id", "share").rows())
    # A: 60 ÷ 80. B: 20 ÷ 80. a: three quarters of a half.
    assert shares == pytest.approx({"S": 1.0, "A": 0.75, "B": 0.25, "a": 0.375, "alone": 0.0})
    assert found["goal_id"].to_list() == ["S", "A", "a", "B", "alone"]
    assert dict(found.select("goal_id", "below").rows())["S"] == 5
    assert found["consequence"].to_list() == pytest.approx([0.8, 0.6, 0.3, 0.2, 0.0])
    assert dict(found.select("goal_id", "strategic_id").rows())["alone"] is None


def test_a_goal_that_serves_the_strategy_from_elsewhere_is_said_to() -> None:
    tree = goals({"goal_id": "S", "scope": "company"}, {})
    aligned = pl.DataFrame(
        [("G", "S", 40.0)],
        schema={"goal_id": pl.String, "serves_goal_id": pl.String, "share": pl.Float64},
        orient="row",
    )
    found = early_warnings(
        course(0.8), tree, pl.concat([weekly(), weekly(goal="S")]), as_of=AS_OF, alignments=aligned
    )
    assert found.standing.select("strategic_id", "share").row(0) == ("S", 0.0)


def test_goals_in_a_loop_are_warned_of_and_carry_no_strategy() -> None:
    loop = goals({"goal_id": "A", "parent_id": "B"}, {"goal_id": "B", "parent_id": "A"})
    said = pl.concat([course(0.8, goal="A"), course(0.75, goal="B")])
    found = warned(said, loop, pl.concat([weekly(goal="A"), weekly(goal="B")])).standing
    assert found.select("goal_id", "share", "below").rows() == [("A", 0.0, 0), ("B", 0.0, 0)]


def test_what_is_new_and_what_is_within_reach() -> None:
    both = goals({}, {"goal_id": "H"})
    said = pl.concat([course(0.8, 0.8, 0.8), course(0.1, 0.1, 0.8, goal="H")])
    found = warned(said, both, pl.concat([weekly(), weekly(goal="H")]))
    assert since(found, fortnight(1))["goal_id"].to_list() == ["H"]
    assert narrowed(found, frozenset({"G"})).warnings["goal_id"].to_list() == ["G"]


# --- what past warnings were worth -------------------------------------------------------------------


def past(*cases: tuple[str, list[float], bool]) -> pl.DataFrame:
    """Goals that were due on 4 July 2025, a year before the ones above."""
    start, due = date(2025, 1, 5), date(2025, 7, 4)
    return pl.concat(
        course(*delays, goal=goal, start=start, due=due).with_columns(
            missed=pl.lit(missed), known_on=pl.lit(due)
        )
        for goal, delays, missed in cases
    )


def test_precision_recall_and_lead_time_by_hand() -> None:
    calm = [0.2] * 13
    late = [0.2] * 12 + [0.9]  # first seen on 22 June, twelve days before it was due
    said = past(
        ("early", [0.2] * 3 + [0.8] * 10, True),  # from 16 February on: 138 days ahead
        ("middle", [0.2] * 8 + [0.8] * 5, True),  # from 27 April on: 68 days ahead
        ("late", late, True),
        ("unseen", calm, True),
        ("false", [0.2] * 3 + [0.8] + [0.2] * 9, False),
        ("quiet", calm, False),
    )
    row = lead_times(said, as_of=AS_OF).measures.row(0, named=True)
    assert (row["rule"], row["period"]) == ("delay", None)
    assert (row["cases"], row["missed"], row["warned"], row["warned_missed"], row["early"]) == (6, 4, 4, 3, 2)
    # 3 of 4 warned missed; 3 of 4 misses were warned of, 2 of 4 at least fourteen days ahead.
    assert (row["precision"], row["recall"], row["early_share"]) == (0.75, 0.75, 0.5)
    assert (row["lead_low"], row["lead_days"], row["lead_high"]) == (40.0, 68.0, 103.0)  # of 12, 68, 138


def test_wilson_is_the_published_interval() -> None:
    # Newcombe (1998), Stat. Med. 17(8), table I: 15 of 148 give .0624 to .1605; 0 of 20 give 0 to .1611.
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


def test_a_moved_due_date_makes_two_cases() -> None:
    first = past(("G", [0.8] * 8, True))
    second = course(*[0.3] * 5, start=date(2025, 4, 27), due=date(2025, 10, 4)).with_columns(
        missed=pl.lit(False), known_on=pl.lit(date(2025, 9, 1))
    )
    found = lead_times(pl.concat([first, second]), as_of=AS_OF)
    assert found.cases.select("due_on", "missed", "delay_on").rows() == [
        (date(2025, 7, 4), True, date(2025, 1, 5)),
        (date(2025, 10, 4), False, None),
    ]


def drawn(n: int, *, seed: int, days: int = 900) -> pl.DataFrame:
    """Goals whose true delay probability is said each fortnight: Brownian motion, missed if it ends above 0.

    The pace rule hears the same with noise.
    """
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, np.sqrt(1 / 13), (n, 13)).cumsum(axis=1)
    starts = rng.integers(0, days, n)
    rows = []
    for goal in range(n):
        start = date(2024, 1, 1) + timedelta(days=int(starts[goal]))
        due = start + timedelta(days=182)
        for at in range(13):
            here = steps[goal, at - 1] if at else 0.0
            p = float(ndtr(here / np.sqrt(1 - at / 13)))
            noisy = float(ndtr(0.5 * here + rng.normal(0, 0.5)))
            day = start + timedelta(days=14 * at)
            rows.append(
                (f"G{goal}", day, due, 182 - 14 * at, p, noisy, bool(steps[goal, 12] > 0), due, LEARNT)
            )
    return pl.DataFrame(rows, schema=SAID, orient="row")


@pytest.fixture(scope="module")
def truth() -> pl.DataFrame:
    return drawn(1_500, seed=1)


def test_limits_are_chosen_from_what_was_known_when_the_quarter_began(truth: pl.DataFrame) -> None:
    as_of = date(2026, 12, 31)
    whole = limits(truth, as_of=as_of)
    assert whole["on"][0] == 0.72
    assert whole["on"].n_unique() > 2
    # Turn round the fate of every goal due from a quarter on: up to that quarter nothing may change.
    for start in whole["from_on"][3::3]:
        turned = truth.with_columns(
            pl.when(pl.col("due_on") >= start).then(~pl.col("missed")).otherwise("missed").alias("missed")
        )
        before = pl.col("from_on") <= start
        assert limits(turned, as_of=as_of).filter(before).equals(whole.filter(before))


def test_honest_probabilities_give_the_precision_that_was_asked_for(truth: pl.DataFrame) -> None:
    row = lead_times(truth, as_of=date(2026, 12, 31)).measures.row(0, named=True)
    assert row["precision"] == pytest.approx(0.72, abs=0.04)
    # A Brownian path that ends above nought was above any limit on the way: nearly all misses are seen.
    assert row["recall"] > 0.85
    assert row["early_share"] > 0.8


def test_the_pace_rule_warns_as_often_where_that_is_asked(truth: pl.DataFrame) -> None:
    found = lead_times(truth, as_of=date(2026, 12, 31)).measures.filter(pl.col("period").is_null())
    by_rule = {row["rule"]: row for row in found.iter_rows(named=True)}
    assert by_rule["pace_equal"]["warned"] == by_rule["delay"]["warned"]
    assert by_rule["pace_equal"]["precision"] < by_rule["delay"]["precision"]


def test_a_quarter_counts_as_one_observation_however_many_goals() -> None:
    # All said .9 once, and a quarter of those due in July missed: shares expected at any limit up to .9
    # are (2c + w · .25) ÷ (2 + w) with w = n ÷ (n + 20) and c the limit; .72 is reached where
    # c ≥ .72 + w · .47 ÷ 2. For n = 20: w = .5 and c ≥ .8375, so .84. For n = 180: w = .9, and .9315, so
    # beyond .9, where nobody was warned of and the promise alone counts: .91.
    for n, limit in ((20, 0.84), (180, 0.91)):
        said = past(*((f"G{at}", [0.9], at % 4 == 0) for at in range(n)))
        found = limits(said, as_of=AS_OF).filter(pl.col("from_on") > date(2025, 7, 4))
        assert found["on"].unique().to_list() == [limit]
        assert found["cases"].unique().to_list() == [n]


def test_measures_of_periods_add_up_to_those_of_all(truth: pl.DataFrame) -> None:
    found = lead_times(truth, as_of=date(2026, 12, 31)).measures
    counts = ["cases", "missed", "warned", "warned_missed", "early"]
    for rule in ("delay", "pace", "pace_equal"):
        mine = found.filter(rule=rule)
        summed = mine.drop_nulls("period").select(pl.col(counts).sum()).row(0)
        assert mine.filter(pl.col("period").is_null()).select(counts).row(0) == summed


def test_cases_within_reach_are_counted_anew(truth: pl.DataFrame) -> None:
    found = lead_times(truth, as_of=date(2026, 12, 31))
    some = frozenset(found.cases["goal_id"].unique()[:200])
    mine = narrowed_cases(found, some)
    assert mine.measures.row(0, named=True)["cases"] == 200
    assert mine.limits.equals(found.limits)


def test_nothing_past_gives_the_default_and_no_shares() -> None:
    found = lead_times(course(0.2, 0.9), as_of=AS_OF)
    assert found.cases.is_empty()
    assert found.measures.is_empty()
    assert found.limits["on"].unique().to_list() == [0.72]
    assert limits(course(), as_of=AS_OF).is_empty()


def test_a_limit_is_for_one_of_the_two_probabilities() -> None:
    with pytest.raises(ValueError, match="chance must be delay or pace_delay; got 'base_delay'"):
        limits(course(0.1), as_of=AS_OF, chance="base_delay")


def test_marks_follow_each_goal_alone() -> None:
    said = pl.concat([course(0.9, 0.6), course(0.6, 0.9, goal="H")])
    found = marked(said, limits(said, as_of=AS_OF))
    assert found.select("goal_id", "warned").rows() == [("G", True), ("G", True), ("H", False), ("H", True)]


# --- one figure for one goal --------------------------------------------------------------------------


def from_below(*delays: float, goal: str = "G") -> pl.DataFrame:
    """What the goals below a goal said 91, 28 and 14 days ago and today."""
    days = [AS_OF - timedelta(days=n) for n in (91, 28, 14, 0)]
    return pl.DataFrame(
        {"goal_id": goal, "seen_on": days, "delay": delays},
        schema={"goal_id": pl.String, "seen_on": pl.Date, "delay": pl.Float64},
    )


def test_a_goal_the_goals_below_it_bring_down_is_warned_of_whatever_its_own_check_ins_say() -> None:
    found = one(warned(course(*[0.08] * 10), rolled=from_below(0.2, 0.3, 0.94, 0.95)))
    assert (found["kind"], found["rolled"]) == ("chance", True)
    assert found["arose_on"] == AS_OF - timedelta(days=14)
    assert (found["chance_before"], found["chance_then"], found["chance"]) == (0.3, 0.94, 0.95)


def test_its_own_check_ins_raise_no_warning_where_the_goals_below_it_are_gone_by() -> None:
    own = course(0.1, *[0.95] * 9)
    assert warned(own).standing.height == 1
    assert warned(own, rolled=from_below(0.1, 0.1, 0.1, 0.1)).warnings.is_empty()


def test_a_warning_from_below_keeps_its_name_in_the_next_version() -> None:
    then = one(warned(course(*[0.1] * 10), rolled=from_below(0.2, 0.3, 0.94, 0.95)))
    later = one(warned(course(*[0.1] * 10), rolled=from_below(0.2, 0.94, 0.95, 0.95)))
    assert then["warning_id"] == later["warning_id"]
    assert then["arose_on"] != later["arose_on"]


def test_a_first_guess_is_known_for_one() -> None:
    said = course(0.1, *[0.95] * 9)
    assert not one(warned(said))["guess"]
    assert one(warned(said.with_columns(origin=pl.lit(None, pl.Date))))["guess"]


@pytest.mark.parametrize("status", ["done", "abandoned"])
def test_nothing_hangs_for_a_strategic_goal_that_is_over(status: str) -> None:
    over = {"goal_id": "S", "scope": "company", "status": status, "completed_on": date(2026, 4, 1)}
    both = goals(over, {"parent_id": "S"})
    told = pl.concat([weekly(), weekly(goal="S")])
    found = warned(course(0.1, *[0.95] * 9), both, told).standing.row(0, named=True)
    assert (found["goal_id"], found["strategic_id"], found["share"], found["consequence"]) == (
        "G",
        None,
        0,
        0,
    )


def test_goals_that_are_late_already_are_counted_not_warned_of() -> None:
    late = {"goal_id": "L", "due_on": AS_OF - timedelta(days=1)}
    found = warned(goal=goals({}, late), check_ins=pl.concat([weekly(), weekly(goal="L")]))
    assert found.standing.is_empty()
    assert found.late["goal_id"].to_list() == ["L"]
    assert narrowed(found, frozenset({"G"})).late.is_empty()
