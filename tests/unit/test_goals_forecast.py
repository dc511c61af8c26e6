"""When will a goal be finished, how sure is that, and did such forecasts hold?"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import cache
from typing import TypeVar

import plotly.graph_objects as go
import polars as pl
import pytest

from analytics.disclosure import Disclosable, Released, release
from analytics.goals.forecast.chart import (
    coverage_figure,
    coverage_takeaway,
    forecast_figure,
    forecast_note,
    forecast_takeaway,
    refusal_words,
)
from analytics.goals.forecast.course import recorded
from analytics.goals.forecast.forecast import REFUSALS, Fan, Forecasting, fan, finish, hindsight, learn
from analytics.goals.pace import history, pace
from analytics.language import Language
from analytics.theme import Mode
from tests.goal_courses import CHANGES, CHECK_INS, GOALS, Courses, courses

R = TypeVar("R", bound=Disclosable)

T = Language("en")
TURN, AS_OF = date(2024, 7, 1), date(2026, 12, 1)
START, DUE = date(2026, 1, 1), date(2026, 4, 11)  # 100 days
TODAY = date(2026, 2, 20)  # half of them gone


def goal(**other: object) -> dict[str, object]:
    return {
        "goal_id": "g",
        "kind": "reach",
        "baseline": 0.0,
        "target": 100.0,
        "start_on": START,
        "due_on": DUE,
        "status": "active",
        "completed_on": None,
        "cadence_days": 14,
        **other,
    }


def frame(*goals: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(goals, schema=GOALS)


def told(*rows: tuple[str, date, float]) -> pl.DataFrame:
    return pl.DataFrame(
        [(name, datetime(day.year, day.month, day.day, 9), value, None) for name, day, value in rows],
        schema={**CHECK_INS, "checked_at": pl.Datetime},
        orient="row",
    )


def changed(*rows: tuple[str, date, str, str, str]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=CHANGES, orient="row").with_columns(
        pl.col("changed_at").cast(pl.Datetime)
    )


def shown(result: R) -> Released[R]:
    return release(result, as_of=TODAY)


@cache
def company() -> Courses:
    return courses(1_500, seed=1)


@cache
def learnt() -> Forecasting:
    found = company()
    return learn(found.goals, found.check_ins, as_of=TURN, changes=found.changes)


@cache
def nothing() -> Forecasting:
    found = company()
    return learn(found.goals.clear(), found.check_ins.clear(), as_of=TURN)


@cache
def later() -> pl.DataFrame:
    """What was foretold after the turn, beside what came."""
    found = company()
    return hindsight(learnt(), found.goals, found.check_ins, as_of=AS_OF, changes=found.changes)


def covered(rows: pl.DataFrame, level: int) -> float:
    return float(
        rows.select(
            pl.col("reached").is_between(pl.col(f"low_{level}") - 1e-9, pl.col(f"high_{level}") + 1e-9).mean()
        ).item()
    )


# Simulation with known truth: 1,500 courses, learnt on the first half of the time, tried on the second.


def test_ranges_hold_what_they_say_on_later_goals() -> None:
    assert later().height > 50_000
    assert 0.87 <= covered(later(), 90) <= 0.93
    assert 0.77 <= covered(later(), 80) <= 0.85
    # Ends that fall together with *unchanged* or *done* cannot be cut finer: most ranges of 50 % hold more.
    assert 0.5 <= covered(later(), 50) <= 0.67
    inside = later().filter(pl.col("low_50") > pl.col("stood") + 1e-9, pl.col("high_50") < 1)
    assert inside.height > 5_000
    assert 0.44 <= covered(inside, 50) <= 0.56


@pytest.mark.parametrize("horizon", [0.1, 0.3, 0.5, 1.0])
def test_ranges_hold_at_every_horizon(horizon: float) -> None:
    part = later().filter((pl.col("horizon") - horizon).abs() < 1e-9)
    assert covered(part, 90) == pytest.approx(0.9, abs=0.05)


def test_the_chance_of_having_arrived_comes_true() -> None:
    bands = (
        later()
        .with_columns((pl.col("finished") * 5).floor().clip(0, 4).alias("band"))
        .group_by("band")
        .agg(pl.col("finished").mean(), (pl.col("reached") >= 1).mean().alias("came"))
    )
    assert bands.height == 5
    assert (bands["finished"] - bands["came"]).abs().max() < 0.1


def test_learning_makes_ranges_narrower() -> None:
    found = company()
    guess = hindsight(nothing(), found.goals, found.check_ins, as_of=AS_OF, changes=found.changes)
    width = pl.col("high_90") - pl.col("low_90")
    both = later().join(guess, on=["goal_id", "seen_on", "horizon"], suffix="_guess")
    assert both.height == later().height
    widths = both.select(
        width.mean().alias("learnt"), (pl.col("high_90_guess") - pl.col("low_90_guess")).mean()
    )
    assert widths["learnt"].item() < 0.65 * widths["high_90_guess"].item()


@pytest.mark.parametrize("n", [0, 5, 20, 100])
def test_with_few_past_goals_ranges_are_wider_not_wrong(n: int) -> None:
    found = company()
    past = found.only(found.goals.filter(pl.col("due_on") < TURN)["goal_id"].head(n).to_list())
    after = found.only(found.goals.filter(pl.col("start_on") > TURN)["goal_id"].head(200).to_list())
    taught = learn(past.goals, past.check_ins, as_of=TURN, changes=past.changes, check=False)
    assert taught.goals == n
    rows = hindsight(taught, after.goals, after.check_ins, as_of=AS_OF, changes=after.changes)
    assert covered(rows, 90) >= 0.9
    assert covered(rows, 80) >= 0.8


def test_coverage_is_counted_period_by_period_on_what_was_known_then() -> None:
    coverage = learnt().coverage
    assert learnt().checked
    periods = coverage["period"].drop_nulls().unique()
    assert periods.len() >= 5
    assert periods.max() <= TURN
    everything = coverage.filter(pl.col(name).is_null() for name in ("period", "horizon", "elapsed"))
    assert everything["about"].unique().sort().to_list() == ["finish", "progress"]
    progress = everything.filter(pl.col("about") == "progress").sort("level")
    assert progress["covered"].is_sorted()
    assert 0.86 <= progress["covered"].to_list()[-1] <= 0.95
    assert (everything["low"] <= everything["covered"]).all()
    assert (everything["covered"] <= everything["high"]).all()
    parts = coverage.filter(
        pl.col("about") == "progress",
        pl.col("level") == 0.9,
        pl.col("elapsed").is_null(),
        pl.col("horizon").is_null(),
    )
    whole = parts.filter(pl.col("period").is_null())["n"].item()
    assert parts.filter(pl.col("period").is_not_null())["n"].sum() == whole


def test_finish_dates_hold_too() -> None:
    rows = learnt().coverage.filter(
        pl.col("about") == "finish",
        pl.col("level") == 0.9,
        *(pl.col(name).is_null() for name in ("period", "horizon", "elapsed")),
    )
    assert rows["goals"].item() > 200
    assert 0.86 <= rows["covered"].item() <= 0.96


# Cold start and refusals.


def test_without_past_goals_there_is_a_wide_default_that_says_so() -> None:
    assert nothing().goals == 0
    assert not nothing().checked
    found = fan(nothing(), frame(goal()), told(("g", TODAY, 40.0)), goal_id="g", as_of=TODAY)
    last = found.bands.row(-1, named=True)
    assert last["high_90"] - last["low_90"] > 0.5
    assert "wide first guess" in forecast_takeaway(shown(found), T)
    assert "Too few goals" in coverage_takeaway(shown(nothing()), T)


@pytest.mark.parametrize(
    ("other", "value", "refused"),
    [
        ({"kind": "stay_above"}, 99.0, "holds_level"),
        ({"kind": "stay_below"}, 99.0, "holds_level"),
        ({"kind": "baseline"}, 99.0, "first_measurement"),
        ({"target": None}, 9.0, "no_target"),
        ({"kind": "increase", "baseline": None}, 9.0, "no_baseline"),
        ({"kind": "decrease"}, 9.0, "wrong_direction"),
        ({"start_on": TODAY, "due_on": TODAY}, 9.0, "no_time"),
        ({"start_on": date(2026, 3, 1)}, 9.0, "not_started"),
        ({}, 100.0, "arrived"),
        ({"start_on": date(2024, 1, 1), "due_on": date(2024, 4, 10)}, 9.0, "long_overdue"),
    ],
)
def test_what_cannot_be_forecast_is_refused_in_words(
    other: dict[str, object], value: float, refused: str
) -> None:
    goals, check_ins = frame(goal(**other)), told(("g", date(2026, 2, 19), value))
    found = finish(learnt(), goals, check_ins, as_of=TODAY).goals
    assert found["refused"].to_list() == [refused]
    assert found.select("earliest", "middle", "latest", "by_due").row(0) == (None,) * 4
    one = fan(learnt(), goals, check_ins, goal_id="g", as_of=TODAY)
    assert one.bands.is_empty()
    assert refusal_words(T)[refused] in forecast_takeaway(shown(one), T)


def test_every_refusal_has_words() -> None:
    assert set(refusal_words(T)) == set(REFUSALS)


def test_closed_goals_and_drafts_are_not_forecast() -> None:
    goals = frame(
        goal(goal_id="a", status="done", completed_on=date(2026, 2, 1)),
        goal(goal_id="b", status="abandoned"),
        goal(goal_id="c", status="draft"),
        goal(goal_id="d", status="done", completed_on=date(2026, 3, 1)),
    )
    # The last was done only later.
    assert finish(learnt(), goals, told(), as_of=TODAY).goals["goal_id"].to_list() == ["d"]
    with pytest.raises(ValueError, match="open goal"):
        fan(learnt(), goals, told(), goal_id="a", as_of=TODAY)
    with pytest.raises(ValueError, match="one of the goals"):
        fan(learnt(), goals, told(), goal_id="x", as_of=TODAY)


@pytest.mark.parametrize("start", [START, date(9900, 1, 1)])
def test_a_goal_due_on_the_last_day_there_is_has_a_forecast_up_to_that_day(start: date) -> None:
    # Looked at past the due date, the forecast would run on into years that no date can say.
    goals = frame(goal(start_on=start, due_on=date.max))
    today = start + timedelta(days=50) if start == START else date(9950, 1, 1)
    check_ins = told(("g", start + timedelta(days=20), 0.1), ("g", today, 0.2))
    found = finish(nothing(), goals, check_ins, as_of=today).goals.row(0, named=True)
    assert found["refused"] is None
    assert found["until"] <= date.max
    assert found["middle"] is None or found["middle"] <= found["until"]
    one = fan(nothing(), goals, check_ins, goal_id="g", as_of=today)
    assert max(one.bands["day"].to_list()) <= date.max
    assert str(found["until"].year) in forecast_takeaway(release(one, as_of=today), T)


# What is on record.


def test_progress_is_measured_against_the_target_in_force_then() -> None:
    goals = frame(goal(target=200.0))
    raised = changed(("g", date(2026, 2, 10), "target", "100.0", "200.0"))
    record = recorded(goals, told(("g", date(2026, 2, 1), 50.0)), as_of=TODAY, changes=raised)
    at = [
        (date(day.year, day.month, day.day) - date(1970, 1, 1)).days
        for day in (START, date(2026, 2, 5), TODAY)
    ]
    index = pl.Series([0, 0, 0]).to_numpy()
    # Not begun; 50 of 100; 50 of 200 since the tenth.
    assert record.standing(index, pl.Series(at).to_numpy()).tolist() == [0.0, 0.5, 0.25]


def test_the_due_date_is_the_one_in_force_that_day() -> None:
    moved = changed(("g", date(2026, 3, 1), "due_on", "2026-03-12", "2026-04-11"))
    found = finish(learnt(), frame(goal()), told(), as_of=TODAY, changes=moved).goals
    assert found["due_on"].to_list() == [date(2026, 3, 12)]
    # Fifty of seventy days.
    assert found["elapsed"].item() == pytest.approx(50 / 70)


def test_a_goal_struck_off_after_its_due_date_counts_as_not_arrived() -> None:
    def past(struck: date) -> float:
        goals = frame(*(goal(goal_id=f"g{at}", status="abandoned") for at in range(60)))
        check_ins = told(*((f"g{at}", date(2026, 1, 15), 30.0) for at in range(60)))
        moves = changed(*((f"g{at}", struck, "status", "active", "abandoned") for at in range(60)))
        taught = learn(goals, check_ins, as_of=date(2026, 12, 1), changes=moves, check=False)
        return float(taught.bins.filter(pl.col("horizon") == 1.0)["goals"].sum())

    # Given up before it was due, nobody knows what would have become of it.
    assert past(date(2026, 2, 1)) == 0
    assert past(date(2026, 5, 1)) > 0


def test_goals_that_stand_still_are_foretold_to_stand_still() -> None:
    found = company()
    stuck = hindsight(learnt(), found.goals, found.check_ins, as_of=AS_OF, changes=found.changes)
    near = stuck.filter(pl.col("horizon") == 0.05)
    same = (near["reached"] - near["stood"]).abs() < 1e-9
    # Updated every fortnight: within a twentieth of its time a goal's record mostly does not move.
    assert same.mean() > 0.4
    assert ((near["middle"] - near["stood"]).abs() < 1e-9).mean() > 0.4


# Sentences and pictures.


def sentence(value: float, *, as_of: date = TODAY) -> str:
    check_ins = told(("g", START + timedelta(days=20), value / 2), ("g", as_of, value))
    return forecast_takeaway(shown(fan(learnt(), frame(goal()), check_ins, goal_id="g", as_of=as_of)), T)


def test_a_goal_well_ahead_has_a_finish_with_both_ends() -> None:
    said = sentence(90.0)
    assert said.startswith("If it goes on as goals like it did, it will most likely be finished about ")
    assert said.endswith("It is due on 11 Apr 2026.")


def test_a_goal_that_hardly_moved_has_no_finish_within_reach() -> None:
    said = sentence(5.0, as_of=date(2026, 4, 20))
    assert "most likely be finished" not in said
    assert "It was due on 11 Apr 2026." in said


def test_the_better_a_goal_stands_the_sooner_it_is_finished() -> None:
    values = (30.0, 60.0, 85.0)
    goals = frame(*(goal(goal_id=f"g{value:.0f}") for value in values))
    check_ins = told(
        *(
            (f"g{value:.0f}", day, share * value)
            for value in values
            for day, share in ((date(2026, 1, 25), 0.5), (TODAY, 1.0))
        )
    )
    found = finish(learnt(), goals, check_ins, as_of=TODAY).goals
    assert found["by_due"].is_sorted()
    assert found["earliest"].is_sorted(descending=True)


def drawn(kind: str, base: float, target: float, mode: Mode, *, reached: float) -> tuple[Fan, go.Figure]:
    goals = frame(goal(kind=kind, baseline=base, target=target))
    check_ins = told(
        ("g", date(2026, 1, 25), base + reached / 2 * (target - base)),
        ("g", TODAY, base + reached * (target - base)),
    )
    found = fan(learnt(), goals, check_ins, goal_id="g", as_of=TODAY)
    full = goals.with_columns(
        *(
            pl.lit(None, pl.String).alias(name)
            for name in ("title", "parent_id", "scope", "perspective", "unit")
        ),
        *(pl.lit(None, pl.String).alias(name) for name in ("owner_id", "department_id", "data_source")),
        pl.lit(None, pl.Float64).alias("weight"),
    )
    paced = pace(full, check_ins.with_columns(pl.lit(None, pl.Float64).alias("confidence")), as_of=TODAY)
    course = history(paced, check_ins.with_columns(pl.lit(None, pl.Float64).alias("confidence")), goal_id="g")
    return found, forecast_figure(shown(found), shown(course), T, mode)


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("kind", ["reach", "decrease"])
def test_the_fan_is_drawn_in_the_unit_of_the_goal(mode: Mode, kind: str) -> None:
    base, target = (0.0, 100.0) if kind == "reach" else (80.0, 20.0)
    found, figure = drawn(kind, base, target, mode, reached=0.6)
    names = [trace.name for trace in figure.data]
    assert {"Range of 90 %", "Range of 50 %", "Middle"} <= set(names)
    band = figure.data[names.index("Range of 90 %")]
    low, high = min(base, target), max(base, target)
    assert min(band.y) >= low - 1e-9
    assert max(band.y) <= high + 1e-9
    assert "9 of 10" in forecast_note(shown(found), T)


@pytest.mark.parametrize("reached", [0.2, 0.4, 0.6, 0.8])
@pytest.mark.parametrize("kind", ["reach", "decrease"])
def test_the_names_of_the_bands_do_not_cover_each_other(kind: str, reached: float) -> None:
    base, target = (0.0, 100.0) if kind == "reach" else (80.0, 20.0)
    found, figure = drawn(kind, base, target, "light", reached=reached)
    notes = {note.text: note for note in figure.layout.annotations if note.text in ("50 %", "90 %")}
    assert set(notes) == {"50 %", "90 %"}
    # A name is as wide as a twentieth of the days drawn, and as high as a twentieth of the way.
    wide = (found.bands["day"][-1] - START) / 20
    inner, outer = notes["50 %"], notes["90 %"]
    beside = abs(inner.x - outer.x) >= wide or inner.yanchor != outer.yanchor
    assert beside or abs(inner.y - outer.y) >= abs(target - base) / 20


def test_coverage_is_said_and_drawn() -> None:
    said = coverage_takeaway(shown(learnt()), T)
    assert said.startswith("When we said 90 %, ")
    assert "of the ranges of finish dates" in said.lower()
    figure = coverage_figure(shown(learnt()), T, "light")
    assert len(figure.data) == 3
    assert all(0 <= share <= 1 for trace in figure.data for share in trace.y)
    assert coverage_figure(shown(nothing()), T, "dark").layout.annotations
