"""Ratings of a made-up company whose raters' severities are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl


@dataclass(frozen=True)
class Company:
    """Ratings, and by rater, department, and rater and cycle what they were made with."""

    ratings: pl.DataFrame
    severity: dict[str, float]
    standard: dict[str, float]
    mood: dict[tuple[str, str], float]


def company(
    seed: int,
    *,
    people: int = 400,
    raters: int = 50,
    departments: int = 5,
    cycles: int = 3,
    moves: float = 0.15,
    second: float = 0.4,
    outside: float = 0.3,
    rater_sd: float = 0.3,
    standards: tuple[float, ...] = (),
    merits: tuple[float, ...] = (),
    ratee_sd: float = 0.5,
    pair_sd: float = 0.0,
    mood_sd: float = 0.0,
    residual_sd: float = 0.6,
) -> Company:
    """Managers rate their people every cycle; some people move, some are rated by a second manager.

    Parameters
    ----------
    seed, people, raters, departments, cycles
        Sizes; people and raters are spread evenly over departments.
    moves, second, outside
        Chance per person and cycle of another manager from then on, of a skip-level rating within the
        department, and of a rating by a manager of another department.
    rater_sd, ratee_sd, pair_sd, mood_sd, residual_sd
        Standard deviations in rating points; ``pair_sd`` is of what a rater thinks of a ratee in every cycle,
        ``mood_sd`` of what a rater's ratings of one cycle share.
    standards, merits
        By department how leniently its raters rate, and how well its people work.
    """
    rng = np.random.default_rng(seed)
    where = np.arange(people) % departments
    home = np.arange(raters) % departments
    standard = np.zeros(departments)
    standard[: len(standards)] = standards
    merit = np.zeros(departments)
    merit[: len(merits)] = merits
    work = merit[where] + ratee_sd * rng.standard_normal(people)
    severity = standard[home] + rater_sd * rng.standard_normal(raters)
    mood = mood_sd * np.random.default_rng([seed, 2]).standard_normal((raters, cycles))
    liking = pair_sd * np.random.default_rng([seed, 1]).standard_normal((people, raters))

    def inside(mask: np.ndarray) -> np.ndarray:
        # Rater number = department + departments * place, so a place chooses within the department.
        return where[mask] + departments * rng.integers(0, raters // departments, int(mask.sum()))

    manager = inside(np.ones(people, dtype=bool))
    parts = []
    for cycle in range(cycles):
        moving = rng.random(people) < (moves if cycle else 0.0)
        manager[moving] = inside(moving)
        parts.append((cycle, np.arange(people), manager.copy(), "manager"))
        twice = rng.random(people) < second
        parts.append((cycle, np.flatnonzero(twice), inside(twice), "skip_level"))
        crossing = np.flatnonzero(rng.random(people) < outside)
        other = rng.integers(0, raters, crossing.size)
        other = np.where(home[other] == where[crossing], (other + 1) % raters, other)
        parts.append((cycle, crossing, other, "cross_department"))
    frames = []
    for cycle, ratee, rater, source in parts:
        score = 3.0 + 0.1 * cycle + work[ratee] + severity[rater] + liking[ratee, rater] + mood[rater, cycle]
        score += residual_sd * rng.standard_normal(ratee.size)
        frames.append(
            pl.DataFrame(
                {
                    "cycle_id": [f"c{cycle}"] * ratee.size,
                    "ratee_id": [f"p{i:04}" for i in ratee],
                    "rater_id": [f"m{i:03}" for i in rater],
                    "source": [source] * ratee.size,
                    "department_id": [f"d{i}" for i in where[ratee]],
                    "score": score,
                }
            )
        )
    return Company(
        ratings=pl.concat(frames).unique(["cycle_id", "ratee_id", "rater_id", "source"], maintain_order=True),
        severity={f"m{i:03}": float(b) for i, b in enumerate(severity)},
        standard={f"d{i}": float(s) for i, s in enumerate(standard)},
        mood={(f"m{i:03}", f"c{c}"): float(mood[i, c]) for i in range(raters) for c in range(cycles)},
    )
