"""Ratings in levels of a made-up company, with the level an average rater would have given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

KEYS = ("cycle_id", "ratee_id", "rater_id", "source")


@dataclass(frozen=True)
class Levels:
    """Ratings; per rating the level without the rater's severity; per person how well they work."""

    ratings: pl.DataFrame
    average: pl.DataFrame
    work: dict[str, float]


def levels(
    seed: int,
    *,
    people: int = 300,
    raters: int = 40,
    departments: int = 4,
    cycles: int = 3,
    second: float = 0.4,
    outside: float = 0.3,
    moves: float = 0.15,
    rater_sd: float = 0.45,
    mood_sd: float = 0.0,
    ratee_sd: float = 0.6,
    pair_sd: float = 0.4,
    standards: Sequence[float] = (),
    merits: Sequence[float] = (),
    thresholds: Sequence[float] = (-1.4, -0.8, 0.35, 1.2),
    curve: str = "normal",
) -> Levels:
    """A judgement is work + liking + chance, and with the rater's severity and mood it becomes a level.

    Parameters
    ----------
    seed, people, raters, departments, cycles
        Sizes; people and raters are spread evenly over departments.
    second, outside, moves
        Chance per person and cycle of a skip-level rating, of a rating from another department, and of
        another manager from then on.
    rater_sd, mood_sd, ratee_sd, pair_sd
        Standard deviations where chance has .6.
    standards, merits
        By department how softly its raters rate, and how well its people work.
    thresholds
        Between the levels.
    curve
        ``normal`` or ``logistic`` chance.
    """
    rng = np.random.default_rng(seed)
    where, home = np.arange(people) % departments, np.arange(raters) % departments
    standard, merit = np.zeros(departments), np.zeros(departments)
    standard[: len(standards)], merit[: len(merits)] = standards, merits
    work = merit[where] + ratee_sd * rng.standard_normal(people)
    severity = standard[home] + rater_sd * rng.standard_normal(raters)
    severity -= severity.mean()
    mood = mood_sd * rng.standard_normal((cycles, raters))
    liking = pair_sd * rng.standard_normal((people, raters))

    def inside(mask: np.ndarray) -> np.ndarray:
        return where[mask] + departments * rng.integers(0, raters // departments, int(mask.sum()))

    manager = inside(np.ones(people, dtype=bool))
    frames = []
    for cycle in range(cycles):
        moving = rng.random(people) < (moves if cycle else 0.0)
        manager[moving] = inside(moving)
        twice = rng.random(people) < second
        crossing = np.flatnonzero(rng.random(people) < outside)
        other = rng.integers(0, raters, crossing.size)
        other = np.where(home[other] == where[crossing], (other + 1) % raters, other)
        for ratee, rater, source in (
            (np.arange(people), manager.copy(), "manager"),
            (np.flatnonzero(twice), inside(twice), "skip_level"),
            (crossing, other, "cross_department"),
        ):
            noise = rng.standard_normal(ratee.size)
            if curve == "logistic":
                noise = rng.logistic(size=ratee.size) * np.sqrt(3.0) / np.pi
            judged = 0.1 * cycle + work[ratee] + liking[ratee, rater] + 0.6 * noise
            given = 1 + np.searchsorted(thresholds, judged + severity[rater] + mood[cycle, rater])
            frames.append(
                pl.DataFrame(
                    {
                        "cycle_id": [f"c{cycle}"] * ratee.size,
                        "ratee_id": [f"p{i:04}" for i in ratee],
                        "rater_id": [f"m{i:03}" for i in rater],
                        "source": [source] * ratee.size,
                        "department_id": [f"d{i}" for i in where[ratee]],
                        "scale_id": ["scale"] * ratee.size,
                        "level": given,
                        "score": given.astype(float),
                        "average": 1 + np.searchsorted(thresholds, judged),
                    }
                )
            )
    whole = pl.concat(frames).unique(KEYS, keep="first", maintain_order=True)
    return Levels(
        ratings=whole.drop("average"),
        average=whole.select(*KEYS, "average"),
        work={f"p{i:04}": float(value) for i, value in enumerate(work)},
    )
