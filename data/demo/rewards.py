"""What did the ratings lead to: levels, pay, promotions, training, improvement plans?

The one planted effect: at the gate of nomination women pass with odds of ``NOMINATION_ODDS`` against men
of the same rating. Assessment and decision treat everybody alike, and so do the ratings.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Final

import numpy as np
import polars as pl

from data.demo.company import CYCLES, SNAPSHOTS, Company, Flags, Ints, Plan, Texts
from data.demo.draws import stream
from data.demo.people import History, documented
from data.demo.words import COURSES, FOCUSES

NOMINATION: Final = (0.0, 0.0, 0.01, 0.07, 0.3, 0.5)
"""Chance of being nominated by calibrated level, 0 not rated, before the planted gap."""
NOMINATION_ODDS: Final = 0.45
ASSESSED: Final = 0.85
DECIDED: Final = 0.9
PROMOTED: Final = 0.7

GRADES: Final = ("P1", "P2", "P3", "P4", "P5", "P6", "P7")
SEATED: Final = ("M1", "M2", "M3", "M4")
MIDPOINTS: Final = (
    42_000,
    50_000,
    59_000,
    70_000,
    84_000,
    101_000,
    122_000,
    92_000,
    118_000,
    152_000,
    230_000,
)
"""Range midpoints a year in euro, grades then seats."""
COUNTRIES: Final = MappingProxyType(
    {
        "Munich": ("EUR", 1.0),
        "Jena": ("EUR", 0.9),
        "Zurich": ("CHF", 1.35),
        "Vienna": ("EUR", 0.95),
        "London": ("GBP", 0.95),
        "Stockholm": ("SEK", 10.8),
        "Lyon": ("EUR", 0.88),
        "Madrid": ("EUR", 0.78),
        "Boston": ("USD", 1.5),
        "Austin": ("USD", 1.35),
        "Singapore": ("SGD", 1.25),
        "Penang": ("MYR", 2.1),
        "上海": ("CNY", 4.6),
        "苏州": ("CNY", 4.1),
        "深圳": ("CNY", 4.5),
        "杭州": ("CNY", 4.3),
    }
)
MERIT: Final = (1.5, 0.0, 1.0, 2.5, 4.0, 5.5)
BONUS: Final = (0.0, 0.0, 0.03, 0.08, 0.12, 0.16)


@dataclass(frozen=True)
class Rewards:
    """Levels by snapshot (positions in ``GRADES + SEATED``) and the tables that follow from ratings."""

    level: Ints
    pay: pl.DataFrame
    promotions: pl.DataFrame
    trainings: pl.DataFrame
    improvement_plans: pl.DataFrame


def reward(company: Company, history: History, final: Ints, plan: Plan, *, seed: int) -> Rewards:
    """What follows from the calibrated levels (cycles × people, 0: not rated)."""
    level, promotions = _careers(history, company, final, seed)
    some = documented(history, plan, seed=seed)
    return Rewards(
        level=level,
        pay=_pay(company, history, final, level=level, some=some, seed=seed),
        promotions=promotions,
        trainings=_trainings(history, some, seed),
        improvement_plans=_improvement_plans(history, final, seed),
    )


def level_names(level: Ints) -> Texts:
    """The names of levels."""
    return np.array(GRADES + SEATED)[level]


def _careers(history: History, company: Company, final: Ints, seed: int) -> tuple[Ints, pl.DataFrame]:
    rng = stream(seed, "careers")
    people = len(history.employee_id)
    years = (history.hired - np.datetime64("2005-01-01")).astype(np.int64) / 365.25
    grade = np.clip(np.round(rng.normal(4.6 - years * 0.11, 1.0)), 0, 5).astype(np.int64)
    below = _seats_below(company)
    levels = np.zeros((len(SNAPSHOTS), people), dtype=np.int64)
    ids = pl.Series(history.employee_id)
    frames = []
    for snapshot in range(len(SNAPSHOTS)):
        seat = history.seat[snapshot]
        levels[snapshot] = np.where(seat >= 0, len(GRADES) + below[seat], grade)
        if snapshot == len(CYCLES):
            break
        rated = np.flatnonzero((final[snapshot] > 0) & (seat < 0) & (grade < len(GRADES) - 1))
        chance = np.array(NOMINATION)[final[snapshot][rated]]
        odds = chance / (1 - chance) * np.where(history.woman[rated], NOMINATION_ODDS, 1.0)
        nominated = rated[rng.random(len(rated)) < odds / (1 + odds)]
        n = len(nominated)
        assessed = rng.random(n) < ASSESSED
        # The last round is still running: not everybody has been decided on.
        decided = assessed & (rng.random(n) < (0.5 if snapshot == len(CYCLES) - 1 else DECIDED))
        promoted = decided & (rng.random(n) < PROMOTED)
        opened = np.datetime64(SNAPSHOTS[snapshot + 1], "D")
        first = opened - rng.integers(3, 9, n)
        second = opened + rng.integers(14, 30, n)
        third = opened + rng.integers(35, 60, n)
        names = pl.Series(GRADES)
        frames.append(
            pl.DataFrame(
                {
                    "employee_id": ids.gather(nominated),
                    "cycle_id": pl.repeat(CYCLES[snapshot], n, eager=True),
                    "nominated_on": pl.Series(first),
                    "assessed_on": pl.Series(second).set(pl.Series(~assessed), None),
                    "decided_on": pl.Series(third).set(pl.Series(~decided), None),
                    "promoted": pl.Series(promoted).set(pl.Series(~decided), None),
                    "level_before": names.gather(grade[nominated]),
                    "level_after": names.gather(grade[nominated] + 1),
                }
            )
        )
        grade[nominated[promoted]] += 1
    promotions = pl.concat(frames).with_columns(
        level_after=pl.when(pl.col("promoted")).then(pl.col("level_after"))
    )
    return levels, promotions


def _seats_below(company: Company) -> Ints:
    """How many ranks of seats lie below each seat, at most three."""
    rank = np.zeros(len(company.unit), dtype=np.int64)
    for _ in range(len(SEATED) - 1):
        has = company.above >= 0
        raised = rank.copy()
        np.maximum.at(raised, company.above[has], np.minimum(rank[has] + 1, len(SEATED) - 1))
        rank = raised
    return rank


def _pay(
    company: Company, history: History, final: Ints, *, level: Ints, some: Flags, seed: int
) -> pl.DataFrame:
    rng = stream(seed, "pay")
    people = len(history.employee_id)
    cities = np.array(company.city)
    place = rng.normal(0.98, 0.09, people)
    ids = pl.Series(history.employee_id)
    merit = np.zeros(people)
    frames = []
    for year, snapshot in ((2024, 1), (2025, 3), (2026, 5)):
        at = np.flatnonzero(history.active[snapshot] & some)
        before = final[snapshot - 1][at]
        merit[at] = np.round(np.maximum(np.array(MERIT)[before] + rng.normal(0, 0.5, len(at)), 0), 1)
        city = cities[history.department[snapshot][at]]
        money = pl.Series(city)
        factor = money.replace_strict({name: rate for name, (_, rate) in COUNTRIES.items()}).to_numpy()
        midpoint = np.array(MIDPOINTS)[level[snapshot][at]] * factor * 1.025 ** (year - 2024)
        place[at] = np.clip(place[at] * (1 + (merit[at] - 2.5) / 100), 0.75, 1.3)
        salary = np.round(midpoint * place[at], -2)
        frames.append(
            pl.DataFrame(
                {
                    "employee_id": ids.gather(at),
                    "valid_from": pl.repeat(date(year, 4, 1), len(at), eager=True, dtype=pl.Date),
                    "salary": salary,
                    "currency": money.replace_strict({name: code for name, (code, _) in COUNTRIES.items()}),
                    "range_low": np.round(midpoint * 0.8, -2),
                    "range_midpoint": np.round(midpoint, -2),
                    "range_high": np.round(midpoint * 1.2, -2),
                    "merit_percent": merit[at],
                    "bonus": np.round(salary * np.array(BONUS)[before], -1),
                    "cycle_id": pl.repeat(CYCLES[snapshot - 1], len(at), eager=True),
                }
            )
        )
    return pl.concat(frames)


def _trainings(history: History, some: Flags, seed: int) -> pl.DataFrame:
    rng = stream(seed, "trainings")
    people = np.flatnonzero(some & history.active[3])
    who = np.repeat(people, rng.integers(0, 4, len(people)))
    course = (who * 5 + np.arange(len(who))) % len(COURSES)
    started = np.datetime64("2025-01-10") + rng.integers(0, 600, len(who))
    hours = rng.choice([4.0, 8.0, 16.0, 24.0], len(who))
    open_still = rng.random(len(who)) < 0.15
    scored = ~open_still & (rng.random(len(who)) < 0.6)
    return pl.DataFrame(
        {
            "employee_id": pl.Series(history.employee_id).gather(who),
            "course": pl.Series(COURSES).gather(course),
            "started_on": pl.Series(started),
            "completed_on": pl.Series(started + rng.integers(1, 28, len(who))).set(
                pl.Series(open_still), None
            ),
            "hours": hours,
            "score": pl.Series(np.round(rng.normal(82, 8, len(who)).clip(40, 100))).set(
                pl.Series(~scored), None
            ),
        }
    ).unique(["employee_id", "course", "started_on"], keep="first", maintain_order=True)


def _improvement_plans(history: History, final: Ints, seed: int) -> pl.DataFrame:
    rng = stream(seed, "improvement plans")
    ids = pl.Series(history.employee_id)
    frames = []
    for cycle, name in enumerate(CYCLES):
        low = np.flatnonzero((final[cycle] == 1) & (history.manager[cycle + 1] >= 0))
        who = low[rng.random(len(low)) < 0.6]
        started = np.datetime64(SNAPSHOTS[cycle + 1], "D") + rng.integers(10, 30, len(who))
        outcome = rng.choice(["passed", "extended", "moved", "left"], len(who), p=[0.55, 0.15, 0.15, 0.15])
        open_still = np.full(len(who), cycle == len(CYCLES) - 1)
        frames.append(
            pl.DataFrame(
                {
                    "plan_id": [f"PIP-{name}-{number:05d}" for number in range(1, len(who) + 1)],
                    "employee_id": ids.gather(who),
                    "manager_id": ids.gather(history.manager[cycle + 1][who]),
                    "started_on": pl.Series(started),
                    "due_on": pl.Series(started + 90),
                    "ended_on": pl.Series(started + rng.integers(60, 120, len(who))).set(
                        pl.Series(open_still), None
                    ),
                    "outcome": np.where(open_still, "open", outcome),
                    "focus": pl.Series(FOCUSES).gather(who % len(FOCUSES)),
                },
                schema_overrides={"plan_id": pl.String},
            )
        )
    return pl.concat(frames)
