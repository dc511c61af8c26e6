"""A forecast of one goal by hand, with no past goals to learn from."""

from __future__ import annotations

from datetime import date, datetime
from statistics import NormalDist

import polars as pl
import pytest

from analytics.goals.forecast.forecast import fan, finish, learn
from analytics.policy import FORECAST_SPREAD
from tests.goal_courses import CHECK_INS, GOALS

START, DUE, TODAY = date(2026, 1, 1), date(2026, 4, 11), date(2026, 2, 20)  # 100 days, 50 of them gone


def one_goal(value: float) -> tuple[pl.DataFrame, pl.DataFrame]:
    goals = pl.DataFrame(
        [("g", "reach", 0.0, 100.0, START, DUE, "active", None, 14)], schema=GOALS, orient="row"
    )
    check_ins = pl.DataFrame(
        {"goal_id": ["g"], "checked_at": [datetime(2026, 2, 20, 9)], "value": [value], "target": [100.0]}
    )
    return goals, check_ins


def test_the_chance_of_arriving_by_hand() -> None:
    goals, check_ins = one_goal(40.0)
    nothing = learn(goals.clear(), check_ins.clear(), as_of=TODAY)
    found = fan(nothing, goals, check_ins, goal_id="g", as_of=TODAY)
    # Pace so far .4 ÷ (.5 + .05) = .7273, pace needed .6 ÷ (1.05 − .5) = 1.0909; with nothing learnt it is
    # expected to gain half of each: after another half of its time .4 + .25 · .7273 + .25 · 1.0909 = .8545.
    # Errors spread by the default times √.5; a fifth of goals is taken to fall back, which leaves .8.
    spread = FORECAST_SPREAD.value * 0.5**0.5

    def arrives(heading: float) -> float:
        return 0.8 * (1 - NormalDist(0, spread).cdf(1 - heading))

    # .8545 lies one eleventh of the way from the support at .85 to that at .9.
    share = (0.4 + 0.25 * 0.4 / 0.55 + 0.25 * 0.6 / 0.55 - 0.85) / 0.05
    expected = (1 - share) * arrives(0.85) + share * arrives(0.9)
    due = found.bands.filter(pl.col("day") == DUE)
    assert due["finished"].item() == pytest.approx(expected, abs=1e-9)
    by_due = finish(nothing, goals, check_ins, as_of=TODAY).goals["by_due"].item()
    assert by_due == pytest.approx(expected, abs=1e-9)


def test_the_range_of_the_default_by_hand() -> None:
    goals, check_ins = one_goal(40.0)
    nothing = learn(goals.clear(), check_ins.clear(), as_of=TODAY)
    found = fan(nothing, goals, check_ins, goal_id="g", as_of=TODAY)
    due = found.bands.filter(pl.col("day") == DUE).row(0, named=True)
    # A fifth falls back, anywhere between nothing and where it stands, in forty steps of .005 each. More than
    # a tenth arrives, so *done* is inside the range and all of the tenth lies below: twenty steps of forty
    # hold exactly 20 · .005 = .1, and the last of them begins at 21 fortieths below where it stands.
    assert due["high_90"] == 1.0
    assert due["low_90"] == pytest.approx(0.4 * (1 - 21 / 40), abs=0.4 / 40 + 1e-9)
    assert due["finished"] > 0.1


def test_the_finish_is_where_the_chance_of_having_arrived_crosses_one_half() -> None:
    goals, check_ins = one_goal(80.0)
    nothing = learn(goals.clear(), check_ins.clear(), as_of=TODAY)
    found = fan(nothing, goals, check_ins, goal_id="g", as_of=TODAY)
    middle = found.goal["middle"].item()
    before = found.bands.filter(pl.col("day") < middle)["finished"].max()
    after = found.bands.filter(pl.col("day") >= middle)["finished"].min()
    assert before < 0.5 <= after


def test_an_empty_record_of_check_ins_counts_as_not_begun() -> None:
    goals, check_ins = one_goal(0.0)
    nothing = learn(goals.clear(), check_ins.clear(), as_of=TODAY)
    told = finish(nothing, goals, check_ins, as_of=TODAY).goals.drop("earliest", "middle", "latest", "by_due")
    silent = finish(nothing, goals, pl.DataFrame(schema=CHECK_INS), as_of=TODAY).goals
    assert silent.drop("earliest", "middle", "latest", "by_due").equals(told)
    assert silent["progress"].to_list() == [0.0]
