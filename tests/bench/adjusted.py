"""Do adjusted ratings and doubtful orders come true as often as they say, and how sharp are they?

Companies in levels whose truth is known (`tests.adjusted_company`): for each rating the level the same
judgement would have had without the rater's severity. Errors of one company hang together, because its
raters' severities do: many companies of a design are pooled.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import polars as pl

from analytics.severity.adjusted import adjusted, adjusted_by_levels
from analytics.severity.levels import level_model
from analytics.severity.linear import severity
from analytics.severity.ranking import compare, standing
from tests.adjusted_company import KEYS, Levels, levels
from tests.bench.apart import apart
from tests.bench.figure import Figure, Options, at_most, load, reported

DESIGNS: Final[Mapping[str, Mapping[str, Any]]] = {
    "as assumed": {},
    "departments have standards": {"standards": (0.4, -0.3, 0.1), "merits": (-0.3, 0.3, 0.2)},
    "chance is logistic": {"curve": "logistic"},
    "most people on two high levels": {"thresholds": (-2.0, -1.6, -0.9, 0.4)},
    "few second opinions": {"second": 0.1, "outside": 0.1, "moves": 0.1},
    "raters have moods": {"mood_sd": 0.35},
}
FIRST_SEED: Final = 810_000
BINS: Final = 10
PAIRS: Final = 400
WORST: Final = 0.03
"""A stated chance may be off by this much on average over bins; each bin counts by its cases."""


def run(options: Options) -> Iterator[Figure]:
    """By design: chances, ranges and orders against what is true, then points against the model of levels."""
    times = 4 if options.quick else 30
    found = {name: apart(tallied, name, times).value for name in DESIGNS}
    for what, key in (
        ("chances that an average rater had given another level", "flip"),
        ("chances of each level under an average rater", "level"),
        ("chances that one person did better than another", "above"),
    ):
        off = {name: tally[key] for name, tally in found.items()}
        yield at_most(
            f"{what}: average distance from how often it is so",
            max(off.values()),
            WORST,
            unit="",
            digits=3,
            note="; ".join(f"{name} {value:.3f}" for name, value in off.items()),
        )
    held = {name: tally["held"] for name, tally in found.items()}
    yield Figure(
        "adjusted levels within their range, promised at least 80 %",
        f"{100 * min(held.values()):.1f} %",
        "≥ 80 %",
        "met" if min(held.values()) >= 0.8 else "not met",
        min(held.values()),
        "; ".join(f"{name} {100 * value:.1f} %" for name, value in held.items()),
    )
    for name, tally in found.items():
        yield reported(
            f"log score from points over that from the model of levels, {name}",
            tally["score"] / tally["score_by_levels"],
            unit="",
            digits=3,
            note=f"{tally['seconds']:.2f} s against {tally['seconds_by_levels']:.2f} s; {load()}",
        )


def tallied(name: str, times: int) -> dict[str, float]:
    """Distances and scores over companies of a design."""
    flips, chances, above, held = [], [], [], []
    score, seconds = {"points": 0.0, "levels": 0.0}, {"points": 0.0, "levels": 0.0}
    for seed in range(FIRST_SEED, FIRST_SEED + times):
        company = levels(seed, **DESIGNS[name])
        began = time.perf_counter()
        fitted = severity(company.ratings)
        by_points = adjusted(company.ratings, fitted)
        seconds["points"] += (time.perf_counter() - began) / times
        began = time.perf_counter()
        by_levels = adjusted_by_levels(level_model(company.ratings))
        seconds["levels"] += (time.perf_counter() - began) / times
        told = by_points.ratings.drop_nulls("flip").join(company.average, on=KEYS)
        flips.append(_stated(told["flip"], told["average"] != told["level"]))
        chances.append(_of_levels(told))
        held.append((told["average"] >= told["low"]) & (told["average"] <= told["high"]))
        above.append(_orders(company, fitted, seed))
        both = told.join(by_levels.ratings, on=KEYS, suffix="_by_levels").drop_nulls("flip_by_levels")
        score["points"] += _log_score(both, "chances")
        score["levels"] += _log_score(both, "chances_by_levels")
    return {
        "flip": _off(np.concatenate(flips)),
        "level": _off(np.concatenate(chances)),
        "above": _off(np.concatenate(above)),
        "held": float(np.mean(np.concatenate(held))),
        "score": score["points"],
        "score_by_levels": score["levels"],
        "seconds": seconds["points"],
        "seconds_by_levels": seconds["levels"],
    }


def _stated(chance: pl.Series, true: pl.Series) -> np.ndarray:
    return np.column_stack([chance.to_numpy(), true.cast(pl.Float64).to_numpy()])


def _of_levels(told: pl.DataFrame) -> np.ndarray:
    """Every level of every rating: its chance, and whether it is the one."""
    chances = np.array(told["chances"].to_list())
    is_it = told["average"].to_numpy()[:, None] == 1 + np.arange(chances.shape[1])
    return np.column_stack([chances.ravel(), is_it.ravel().astype(float)])


def _orders(company: Levels, fitted: Any, seed: int) -> np.ndarray:
    """Pairs of people: the chance that the first did better, and whether it did."""
    known = standing(company.ratings, fitted, cycle_id="c2")
    people = known.people["ratee_id"].to_list()
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(PAIRS):
        first, second = rng.choice(people, 2, replace=False)
        chance = compare(known, first=first, second=second).above
        if chance is not None:
            rows.append((chance, float(company.work[first] > company.work[second])))
    return np.array(rows)


def _off(stated: np.ndarray) -> float:
    """Average distance of stated chances from how often it is so, over bins of equally many cases."""
    ordered = stated[np.argsort(stated[:, 0], kind="stable")]
    return float(
        np.mean([abs(part[:, 0].mean() - part[:, 1].mean()) for part in np.array_split(ordered, BINS)])
    )


def _log_score(told: pl.DataFrame, column: str) -> float:
    """Minus the mean logarithm of the chance of what is true."""
    chances = np.array(told[column].to_list())
    place = np.clip(told["average"].to_numpy() - 1, 0, chances.shape[1] - 1)
    return float(-np.log(np.clip(chances[np.arange(len(place)), place], 1e-6, 1.0)).mean())
