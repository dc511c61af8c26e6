"""One goal: its state, what is said of it, and how that is put in words."""

from __future__ import annotations

from datetime import date, datetime
from html import unescape
from typing import Any

import polars as pl
import pytest

from analytics.disclosure import Released, release
from analytics.goals import outlook_chart as chart
from analytics.goals.landing.landing import GoalLanding
from analytics.goals.outlook import Outlook, family, outlook
from analytics.goals.risk.panel import DRIVERS
from analytics.language import Language

T = Language("en")
START, DUE, AS_OF = date(2026, 1, 1), date(2026, 6, 30), date(2026, 4, 30)
GOAL: dict[str, Any] = {
    "goal_id": "g",
    "title": "Open ten branches",
    "scope": "team",
    "perspective": None,
    "owner_id": "ben",
    "department_id": "sales",
    "start_on": START,
    "due_on": DUE,
    "target": 10.0,
    "cadence_days": 14,
    "status": "active",
    "completed_on": None,
}
_DAYS = {"start_on": pl.Date, "due_on": pl.Date, "completed_on": pl.Date}


def goal(**other: object) -> pl.DataFrame:
    return pl.DataFrame([{**GOAL, **other}], schema_overrides={**_DAYS, "perspective": pl.String})


def said(*told: tuple[date, float]) -> pl.DataFrame:
    return pl.DataFrame(
        [(day, delay, delay - 0.1, delay + 0.1) for day, delay in told],
        schema={
            "seen_on": pl.Date,
            "delay": pl.Float64,
            "delay_low": pl.Float64,
            "delay_high": pl.Float64,
        },
        orient="row",
    )


def steps(*ends: date) -> pl.DataFrame:
    return pl.DataFrame(
        [(day, "ended") for day in ends], schema={"changed_on": pl.Date, "direction": pl.String}, orient="row"
    )


def check_ins(*told: tuple[date, float | None]) -> pl.DataFrame:
    return pl.DataFrame(
        [(datetime(day.year, day.month, day.day, 9), confidence) for day, confidence in told],
        schema={"checked_at": pl.Datetime, "confidence": pl.Float64},
        orient="row",
    )


def known(
    row: pl.DataFrame | None = None,
    *,
    delay: float | None = 0.31,
    raising: tuple[str, ...] = (),
    lowering: tuple[str, ...] = (),
    told: pl.DataFrame | None = None,
    ended: pl.DataFrame | None = None,
    confidence: pl.DataFrame | None = None,
    rolled: pl.DataFrame | None = None,
) -> Released[Outlook]:
    now = pl.DataFrame(
        []
        if delay is None
        else [
            {
                "delay": delay,
                "delay_low": 0.24,
                "delay_high": 0.39,
                "raising": list(raising),
                "lowering": list(lowering),
            }
        ],
        schema={
            "delay": pl.Float64,
            "delay_low": pl.Float64,
            "delay_high": pl.Float64,
            "raising": pl.List(pl.String),
            "lowering": pl.List(pl.String),
        },
    )
    found = outlook(
        goal() if row is None else row,
        check_ins() if confidence is None else confidence,
        said=said() if told is None else told,
        now=now,
        steps=steps() if ended is None else ended,
        limits=pl.DataFrame({"from_on": [date(2026, 1, 1)], "on": [0.6]}),
        as_of=AS_OF,
        rolled=rolled,
    )
    return release(found, as_of=AS_OF)


def below(chance: float, *, low: float | None = None, high: float | None = None) -> Released[GoalLanding]:
    row = pl.DataFrame(
        [{"goal_id": "g", "title": "x", "chance": chance, "low": low, "high": high, "method": "rolled_up"}],
        schema_overrides={"low": pl.Float64, "high": pl.Float64},
    )
    nothing = pl.DataFrame()
    return release(GoalLanding(row, nothing, nothing, nothing, nothing), as_of=AS_OF)


@pytest.mark.parametrize(
    ("row", "ended", "state", "sentence"),
    [
        (goal(status="draft"), steps(), "draft", "It is a draft"),
        (goal(status="abandoned"), steps(date(2026, 3, 2)), "given_up", "It was given up on 2 Mar 2026."),
        (goal(status="abandoned"), steps(), "given_up", "on which day, nobody noted"),
        (goal(status="done"), steps(), "landed", "It is done; on which day, nobody noted."),
        # 10 April is 81 days before 30 June.
        (
            goal(status="done", completed_on=date(2026, 4, 10)),
            steps(),
            "landed",
            "It was done on 10 Apr 2026, 81 days before it was due.",
        ),
        (
            goal(status="done", due_on=date(2026, 4, 9), completed_on=date(2026, 4, 10)),
            steps(),
            "landed_late",
            "It was done on 10 Apr 2026, 1 day after it was due.",
        ),
        (
            goal(status="done", due_on=date(2026, 4, 10), completed_on=date(2026, 4, 10)),
            steps(),
            "landed",
            "It was done on 10 Apr 2026, the day it was due.",
        ),
        (goal(start_on=date(2026, 5, 4)), steps(), "not_begun", "it begins on 4 May 2026"),
        # 31 March to 30 April: 30 days.
        (goal(due_on=date(2026, 3, 31)), steps(), "overdue", "is still open 30 days later."),
    ],
)
def test_a_goal_without_a_chance_says_why(
    row: pl.DataFrame, ended: pl.DataFrame, state: str, sentence: str
) -> None:
    released = known(row, ended=ended, delay=None)
    assert released.value.goal["state"][0] == state
    assert sentence in chart.takeaway(released, None, T)


def test_what_is_done_after_the_day_looked_at_is_still_open() -> None:
    released = known(goal(status="done", completed_on=date(2026, 5, 20)))
    assert released.value.goal["state"][0] == "open"


def test_an_overdue_goal_that_arrived_waits_to_be_closed() -> None:
    released = known(goal(due_on=date(2026, 3, 31)), delay=None)
    assert "waits to be closed" in chart.takeaway(released, None, T, to_close=True)


def test_a_goal_due_today_is_said_to_be() -> None:
    assert "It is due today" in chart.takeaway(known(goal(due_on=AS_OF), delay=None), None, T)


def test_the_chance_comes_with_its_interval_and_day() -> None:
    assert (
        chart.takeaway(known(), None, T)
        == "The chance that it misses 30 Jun 2026 is 31 % (likely 24 % to 39 %)."
    )


def test_a_goal_with_goals_below_it_is_judged_by_them_and_its_own_word_stands_beside() -> None:
    # Lands with 59 % [20, 90]: misses with 41 % [10, 80].
    words = chart.takeaway(known(), below(0.59, low=0.2, high=0.9), T, better=True)
    assert "the chance that it misses 30 Jun 2026 is 41 % (likely 10 % to 80 %)" in words
    assert "would say 31 %; on past goals those below were the better guide." in words
    assert "better guide" not in chart.takeaway(known(), below(0.59), T)


def test_every_driver_that_is_ever_named_has_a_sentence_either_way() -> None:
    named = set(DRIVERS) - {"time", "kind"}
    assert set(chart.raising_words(T)) == named
    assert set(chart.lowering_words(T)) == named
    up, down = chart.drivers_said(known(raising=("silence", "confidence"), lowering=("work_left",)), T)
    assert up == [chart.raising_words(T)["silence"], chart.raising_words(T)["confidence"]]
    assert down == [chart.lowering_words(T)["work_left"]]


def test_the_owner_is_set_against_what_we_go_by() -> None:
    sure = check_ins((date(2026, 3, 1), 0.5), (date(2026, 4, 20), 0.95), (date(2026, 5, 20), 0.1))
    # What was said after the as-of day does not count; we say 69 %, so the two are 26 points apart.
    words = chart.confidence_said(known(confidence=sure), None, T)
    assert words.startswith(
        "On 20 Apr 2026 its owner put the chance that it lands at 95 %; we put it at 69 %."
    )
    assert "Ask what the owner knows" in words
    # By the goals below we say 90 %: 5 points apart are no reason to ask.
    assert "Ask" not in chart.confidence_said(known(confidence=sure), below(0.9), T)
    assert "never asked" in chart.confidence_said(known(), None, T)
    assert chart.confidence_said(known(goal(status="draft"), delay=None), None, T) == ""


def test_the_course_says_where_it_began_where_it_is_and_when_it_was_highest() -> None:
    told = said((date(2026, 1, 1), 0.3), (date(2026, 2, 1), 0.8), (date(2026, 4, 30), 0.5))
    words = chart.course_takeaway(known(told=told), T)
    assert words == (
        "The chance to miss was 30 % on 1 Jan 2026 and 50 % on 30 Apr 2026. It was highest on 1 Feb 2026, at "
        "80 %."
    )
    assert "looked at once" in chart.course_takeaway(known(told=told.head(1)), T)
    assert "Nothing was ever said" in chart.course_takeaway(known(), T)


def test_the_picture_has_the_chance_its_band_the_limit_and_the_owners_doubt() -> None:
    told = said((date(2026, 1, 1), 0.3), (date(2026, 2, 1), 0.8))
    sure = check_ins((date(2026, 1, 10), 0.75))
    figure = chart.course_figure(known(told=told, confidence=sure), T, "light")
    lines = [list(trace.y) for trace in figure.data]
    assert [0.3, 0.8] in lines
    # 1 − 0.75.
    assert [0.25] in lines
    # One limit held all the time.
    assert [0.6, 0.6] in lines
    assert any(line == pytest.approx([0.4, 0.9, 0.7, 0.2]) for line in lines if len(line) == 4)


def test_what_the_goals_below_say_stands_in_the_picture_beside_its_own() -> None:
    told = said((date(2026, 1, 1), 0.3), (AS_OF, 0.8))
    alone = known(told=told)
    rolled = pl.DataFrame({"seen_on": [AS_OF, date(2026, 4, 2)], "chance": [0.6, 0.55]})
    both = known(told=told, rolled=rolled)
    # Lands with 55 % and 60 %: misses with 45 % and 40 %.
    assert both.value.rolled["delay"].to_list() == pytest.approx([0.45, 0.4])
    squares = [trace for trace in chart.course_figure(both, T, "dark").data if trace.mode == "markers"]
    assert [list(trace.y) for trace in squares] == [pytest.approx([0.45, 0.4])]
    assert "squares" in chart.course_note(both, T)
    assert "squares" not in chart.course_note(alone, T)


def test_a_goal_in_a_circle_has_a_family_all_the_same() -> None:
    goals = pl.DataFrame({"goal_id": ["a", "b", "c", "d"], "parent_id": ["b", "a", "b", None]})
    assert family(goals, "a") == ["a", "b", "c"]
    assert family(goals, "d") == ["d"]


def test_more_than_one_row_is_refused() -> None:
    with pytest.raises(ValueError, match="one row"):
        known(pl.concat([goal(), goal()]))


@pytest.mark.parametrize(("delay", "doubt"), [(0.05, 0.04), (0.04, 0.05), (0.9, 0.93), (0.5, 0.5)])
def test_the_names_of_chance_and_doubt_stand_on_facing_away_sides_of_their_lines(
    delay: float, doubt: float
) -> None:
    told = said((date(2026, 2, 1), 0.3), (date(2026, 4, 20), delay))
    figure = chart.course_figure(
        known(told=told, confidence=check_ins((date(2026, 4, 20), 1.0 - doubt))), T, "light"
    )
    sides = {unescape(note.text or ""): note.yanchor for note in figure.layout.annotations}
    assert {sides["Chance to miss"], sides["The owner's doubt"]} == {"top", "bottom"}
    upper = "Chance to miss" if delay >= doubt else "The owner's doubt"
    assert sides[upper] == "bottom"


def test_every_status_of_the_contract_has_a_word() -> None:
    assert set(chart.status_words(T)) == {"draft", "active", "done", "abandoned"}


def test_the_name_of_the_chance_keeps_clear_of_a_square_above_it() -> None:
    squares = pl.DataFrame({"seen_on": [date(2026, 4, 20)], "chance": [0.32]})
    told = said((date(2026, 2, 1), 0.3), (date(2026, 4, 20), 0.6))
    for rolled, side in ((squares, "top"), (None, "bottom")):
        figure = chart.course_figure(known(told=told, rolled=rolled), T, "light")
        assert {note.text: note.yanchor for note in figure.layout.annotations}["Chance to miss"] == side
