"""Shares and differences about how goals were set and changed, worked by hand, and against a known truth."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from math import sqrt
from typing import Any, Final

import numpy as np
import polars as pl
import pytest

from analytics.goals.adjustment import Adjustment, adjustment
from analytics.goals.pace import pace
from analytics.goals.setting import setting, with_share

AS_OF: Final = date(2026, 6, 30)
START: Final = date(2026, 1, 1)
SAID: Final[dict[str, Any]] = {
    "goal_id": pl.String,
    "seen_on": pl.Date,
    "elapsed": pl.Float64,
    "delay": pl.Float64,
}


def goals(*ids: str) -> pl.DataFrame:
    n = len(ids)
    return pl.DataFrame(
        {
            "goal_id": list(ids),
            "title": list(ids),
            "scope": ["individual"] * n,
            "kind": ["increase"] * n,
            "baseline": [0.0] * n,
            "target": [100.0] * n,
            "owner_id": [f"E{i % 40}" for i in range(n)],
            "department_id": ["D"] * n,
            "start_on": [START] * n,
            "due_on": [START + timedelta(days=200)] * n,
            "status": ["active"] * n,
            "completed_on": pl.Series([None] * n, dtype=pl.Date),
            "version": [1] * n,
        }
    )


def made_easier(ids: list[str], on: date) -> pl.DataFrame:
    n = len(ids)
    return pl.DataFrame(
        {
            "goal_id": ids,
            "changed_at": [datetime(on.year, on.month, on.day, 9)] * n,
            "field": ["target"] * n,
            "old_value": ["100"] * n,
            "new_value": ["80"] * n,
            "reason": ["Budget cut"] * n,
            "approved_by": ["BOSS"] * n,
        }
    )


def found(ids: list[str], changed: list[str], said: pl.DataFrame) -> Adjustment:
    return adjustment(
        goals(*ids),
        made_easier(changed, START + timedelta(days=150)),
        as_of=AS_OF,
        branches={"D": "D"},
        said=said,
    )


def test_wilsons_interval_of_three_in_ten() -> None:
    # z = 1.959964, z² = 3.841459.
    # Centre (.3 + 3.841459/20) ÷ (1 + .3841459) = .4920730 ÷ 1.3841459 = .355507;
    # half 1.959964 ÷ 1.3841459 · √(.3 · .7/10 + 3.841459/400) = 1.416010 · √.0306036 = .247716.
    row = with_share(pl.DataFrame({"n": [3], "of": [10]}), "n", "of").row(0, named=True)
    assert row["n_share"] == pytest.approx(0.3)
    assert row["n_low"] == pytest.approx(0.355507 - 0.247716, abs=1e-5)
    assert row["n_high"] == pytest.approx(0.355507 + 0.247716, abs=1e-5)


def test_a_share_of_nothing_is_unknown() -> None:
    row = with_share(pl.DataFrame({"n": [0], "of": [0]}), "n", "of").row(0, named=True)
    assert (row["n_share"], row["n_low"], row["n_high"]) == (None, None, None)


def test_the_difference_beside_goals_nobody_changed() -> None:
    before, after = START + timedelta(days=146), START + timedelta(days=160)
    # Six goals changed on day 150 of 200, stated .70 before and after it .70, .60, .60, .50, .40, .40;
    # three that nobody changed went from .70 to .80, .75 and .70: the usual step is +.05.
    changed = dict(zip("abcdef", (0.70, 0.60, 0.60, 0.50, 0.40, 0.40), strict=True))
    rest = dict(zip("xyz", (0.80, 0.75, 0.70), strict=True))
    # One from another standing (.10) fell by .1; it says nothing about goals at .70.
    rows = [
        row
        for goal, last in {**changed, **rest, "w": 0.0}.items()
        for row in ((goal, before, 0.73, 0.10 if goal == "w" else 0.70), (goal, after, 0.80, last))
    ]
    row = found([*changed, *rest, "w"], list(changed), pl.DataFrame(rows, schema=SAID, orient="row"))
    told = row.directions.row(0, named=True)
    assert (told["direction"], told["changes"], told["measured"]) == ("easier", 6, 6)
    assert told["before"] == pytest.approx(0.70)
    assert told["after"] == pytest.approx(3.2 / 6)
    assert told["usual"] == pytest.approx(0.05)
    # Steps 0, −.1, −.1, −.2, −.3, −.3, less .05: −.05, −.15, −.15, −.25, −.35, −.35; mean −1.3/6 = −.216667.
    # Squared distances: .027778 + .004444 + .004444 + .001111 + .017778 + .017778 = .073333;
    # standard error √(.073333/5/6) = .049441; t₅ at .975 = 2.570582: half .127092.
    assert told["effect"] == pytest.approx(-1.3 / 6)
    half = 2.570582 * sqrt(0.073333 / 30)
    assert told["effect_low"] == pytest.approx(-1.3 / 6 - half, abs=1e-5)
    assert told["effect_high"] == pytest.approx(-1.3 / 6 + half, abs=1e-5)


def test_where_no_department_agrees_later_hardly_ever_one_stands_out() -> None:
    # 6 departments of 40 owners with 3 goals each; whether an owner is slow holds for all their goals.
    draw = np.random.default_rng(3)
    owners = np.repeat(np.arange(240), 3)
    everybody = goals(*(f"g{n:03}" for n in range(720))).with_columns(
        pl.Series("owner_id", [f"E{owner}" for owner in owners]),
        pl.Series("department_id", [f"D{owner // 40}" for owner in owners]),
        *(pl.lit("x").alias(text) for text in ("metric", "unit", "data_source", "cycle_id")),
        *(pl.lit(None, pl.String).alias(text) for text in ("parent_id", "perspective")),
        pl.lit(None, pl.Float64).alias("weight"),
        pl.lit(14).alias("cadence_days"),
        pl.lit(None, pl.Date).alias("agreed_on"),
    )
    silent = pl.DataFrame(
        schema={
            "goal_id": pl.String,
            "checked_at": pl.Datetime,
            "value": pl.Float64,
            "target": pl.Float64,
            "confidence": pl.Float64,
        }
    )
    paced = pace(everybody, silent, as_of=AS_OF)
    each = {f"D{n}": f"D{n}" for n in range(6)}
    false = 0
    for _ in range(100):
        slow = draw.random(240) < 0.3
        late = np.where(slow[owners], draw.random(720) < 0.9, draw.random(720) < 0.05)
        days = pl.Series("agreed_on", [START + timedelta(days=45 if one else 5) for one in late])
        told = setting(everybody.with_columns(days), paced, branches=each).departments
        false += bool(told["stands_out"].any())
    assert false <= 6


def simulated(effect: float, *, seed: int) -> Adjustment:
    """Delay probabilities that swing back to .5 by a fifth a fortnight; the worst are changed.

    Changing adds ``effect`` to the next one. Who is changed follows from the probability alone.
    """
    draw = np.random.default_rng(seed)
    ids = [f"g{i:04}" for i in range(1_200)]
    days = [START + timedelta(days=14 * step) for step in range(1, 13)]
    now = draw.uniform(0.2, 0.8, len(ids))
    course = [now]
    changed: list[str] = []
    for day in days[1:]:
        now = now + 0.2 * (0.5 - now) + draw.normal(0, 0.06, len(ids))
        if day == START + timedelta(days=154):  # the first snapshot after day 150
            worst = draw.random(len(ids)) < np.clip(course[-1] - 0.45, 0, 1)
            changed = [goal for goal, touched in zip(ids, worst, strict=True) if touched]
            now = now + effect * worst
        now = np.clip(now, 0, 1)
        course.append(now)
    said = pl.DataFrame(
        {
            "goal_id": ids * len(days),
            "seen_on": [day for day in days for _ in ids],
            "elapsed": [(day - START).days / 200 for day in days for _ in ids],
            "delay": np.concatenate(course),
        },
        schema=SAID,
    )
    return found(ids, changed, said)


@pytest.mark.parametrize("effect", [0.0, -0.1])
def test_swinging_back_to_the_middle_is_not_taken_for_what_a_change_did(effect: float) -> None:
    told = [simulated(effect, seed=seed).directions.row(0, named=True) for seed in range(20)]
    naive = np.mean([row["after"] - row["before"] for row in told])
    net = np.mean([row["effect"] for row in told])
    # Of the goals that are changed the probability is high, and falls by itself: before and after alone
    # would call that a gain of some .02 in every case.
    assert naive < effect - 0.015
    assert net == pytest.approx(effect, abs=0.01)
    covered = sum(row["effect_low"] <= effect <= row["effect_high"] for row in told)
    assert covered >= 16
