"""Habits of using the rating scale worked by hand."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from scipy import stats

from analytics.severity.habits.comparable import Gathered, comparable
from analytics.severity.habits.likeness import _Distance
from analytics.severity.habits.profile import Profiles, profiles

PEOPLE = 8


def rated(
    levels: dict[str, list[int]], *, source: str = "manager", dimension: str | None = None
) -> pl.DataFrame:
    """Everybody in ``levels`` rates the same people once."""
    rows = [
        {
            "cycle_id": "2026H1",
            "ratee_id": f"p{person}",
            "rater_id": rater,
            "source": source,
            "department_id": "D",
            "score": float(level),
            "level": level,
            "scale_id": "five",
        }
        for rater, given in levels.items()
        for person, level in enumerate(given)
    ]
    frame = pl.DataFrame(rows)
    return frame if dimension is None else frame.with_columns(pl.lit(dimension).alias("dimension"))


OTHERS = {f"r{i}": [1, 2, 3, 3, 3, 3, 4, 5] for i in range(1, 6)}
MIDDLE = {"r6": [3] * PEOPLE}


@pytest.fixture(scope="module")
def found() -> Profiles:
    return profiles(rated({**OTHERS, **MIDDLE}))


def row(found: Profiles, rater: str, habit: str) -> dict[str, object]:
    return found.habits.row(
        by_predicate=(pl.col("rater_id") == rater) & (pl.col("habit") == habit), named=True
    )


def test_the_usual_share_of_the_middle_leaves_the_rater_out() -> None:
    # Nobody differs from the others in what they say of whom: all places are alike. The five others gave the
    # middle to 4 of 8 people, 20 of 40 ratings. For one of them: four like themselves and r6, (16 + 8) ÷ 40.
    turned = {f"r{i}": OTHERS["r1"][i:] + OTHERS["r1"][:i] for i in range(1, 6)}
    rows = comparable(rated({**turned, **MIDDLE})).rows
    means = dict(rows.group_by("rater_id").agg(pl.col("usual_middle").mean()).iter_rows())
    assert means["r6"] == pytest.approx(0.5, abs=0.03)
    assert means["r1"] == pytest.approx(0.6, abs=0.03)


def test_the_share_of_the_middle_has_wilsons_interval(found: Profiles) -> None:
    # 8 of 8, each person once: (8 + 1.9208) ± … ÷ (8 + 3.8415) → from 8 ÷ 11.8415 = .6756 to 1.
    middle = row(found, "r6", "middle")
    assert middle["estimate"] == 1.0
    assert middle["low"] == pytest.approx(8 / (8 + 1.959964**2), abs=1e-4)
    assert middle["high"] == 1.0
    assert middle["n_people"] == PEOPLE
    # 4 of 8: centre (4 + 1.9208) ÷ 11.8415 = .5; half 1.96 ÷ (1 + 3.8415/8) · √(.25/8 + 3.8415/256) = .2848.
    half = row(found, "r1", "middle")
    assert half["estimate"] == 0.5
    assert half["low"] == pytest.approx(0.5 - 0.2848, abs=1e-3)
    assert half["high"] == pytest.approx(0.5 + 0.2848, abs=1e-3)


def test_the_gap_to_self_ratings_is_a_mean_with_a_pooled_spread() -> None:
    # Everybody rates themselves 4. r6 gave 3: gap −1 for all. The five others gave 1, 2, 3, 3, 3, 3, 4, 5:
    # gaps −3, −2, −1, −1, −1, −1, 0, 1, mean −8 ÷ 8 = −1, squares around it 4 + 1 + 0 + 0 + 0 + 0 + 1 + 4
    # = 10. Pooled over 6 raters: 50 ÷ (6 · 7) = 1.190; error √(1.190 ÷ 8) = .3858; t(42) = 2.0181: ± .7785.
    own = rated({f"p{i}": [4] * PEOPLE for i in range(1)}).with_columns(
        pl.col("ratee_id").alias("rater_id"), pl.lit("self").alias("source")
    )
    gap = row(profiles(rated({**OTHERS, **MIDDLE}), own=own), "r6", "self_gap")
    assert gap["estimate"] == pytest.approx(-1.0)
    assert gap["usual"] == pytest.approx(-1.0)
    assert gap["low"] == pytest.approx(-1 - 0.7785, abs=1e-3)
    assert gap["high"] == pytest.approx(-1 + 0.7785, abs=1e-3)


def test_the_correlation_of_two_dimensions_has_fishers_interval() -> None:
    # r1 on the first dimension 1 … 5, on the second the same with the two lowest changed over:
    # deviations from 3: (−2, −1, 0, 0, 0, 0, 1, 2) and (−1, −2, 0, 0, 0, 0, 1, 2): Σxy = 2 + 2 + 1 + 4 = 9,
    # Σx² = Σy² = 10, r = .9. Fisher's intraclass z = ½ ln(1.9 ÷ .1) = 1.4722; with k = 2 and eight
    # people its variance is 2 ÷ (2 · 1 · (8 − 2)) = 1/6, so z ± 1.96 · .4082 = .6721 … 2.2723, and back
    # .5864 … .9790.
    raters = [f"r{i}" for i in range(1, 7)]
    first = rated({rater: [1, 2, 3, 3, 3, 3, 4, 5] for rater in raters}, dimension="a")
    second = rated({rater: [2, 1, 3, 3, 3, 3, 4, 5] for rater in raters}, dimension="b")
    overall = rated({rater: [1, 2, 3, 3, 3, 3, 4, 5] for rater in raters})
    halo = row(profiles(overall, dimensions=pl.concat([first, second])), "r1", "halo_correlation")
    assert halo["estimate"] == pytest.approx(0.9)
    assert halo["low"] == pytest.approx(math.tanh(0.6721), abs=1e-3)
    assert halo["high"] == pytest.approx(math.tanh(2.2723), abs=1e-3)
    assert halo["usual"] == pytest.approx(0.9)


def test_what_one_rater_gave_one_person_is_correlated_by_analysis_of_variance() -> None:
    # One rater, two people, two ratings each: 1, 3 and 5, 7. Mean 4; people's means 2 and 6.
    # Between: 2 · (4 + 4) = 16 on 1 df; within: 1 + 1 + 1 + 1 = 4 on 2 df = 2; two ratings each:
    # (16 − 2) ÷ (16 + (2 − 1) · 2) = 14 ÷ 18 = 7/9. Four ratings of a design effect 1 + 7/9 count as 2.25.
    rows = pl.DataFrame({"rater": [0] * 4, "ratee_id": ["a", "a", "b", "b"]})
    gathered = Gathered.of(rows, 1)
    values = np.array([1.0, 3.0, 5.0, 7.0])
    assert gathered.alike(values) == pytest.approx(7 / 9)
    assert gathered.n[0] / gathered.design(values)[0] == pytest.approx(2.25)


def test_the_distance_by_chance_of_two_levels_is_the_mean_of_a_half_normal() -> None:
    # Two levels, one cut: the difference of shares is normal with variance .25 ÷ 25 = .01. Its absolute value
    # has mean .1 √(2/π) = .0798 and variance .01 (1 − 2/π) = .003634.
    found = _Distance.of(np.array([[0.2]]), np.array([[[0.01]]]))
    assert found.distance[0] == pytest.approx(0.2)
    assert found.chance[0] == pytest.approx(0.0798, abs=1e-4)
    exact = 2 * stats.norm.sf(0.2 / 0.1)
    assert found.p[0] == pytest.approx(exact, abs=0.015)


def test_cuts_that_move_together_vary_more_than_cuts_apart() -> None:
    # Two cuts of variance .01. Fully correlated, the distance is twice one half-normal: variance 4 · .003634.
    # Uncorrelated: 2 · .003634. The mean is the same; so is the chance, but not how often it is exceeded.
    together = _Distance.of(np.array([[0.15, 0.15]]), np.array([[[0.01, 0.01], [0.01, 0.01]]]))
    apart = _Distance.of(np.array([[0.15, 0.15]]), np.array([[[0.01, 0.0], [0.0, 0.01]]]))
    assert together.chance == pytest.approx(apart.chance)
    assert together.p[0] > apart.p[0]


def test_one_level_below_everybody_else_is_a_distance_of_one_level() -> None:
    # Six raters of D rate the same eight people; five give 4 to all, r6 gives 3 to all. Of the same people
    # the others would all be at 4: cumulative shares differ by 1 at the cut between 3 and 4, nowhere else.
    # For r1 the others gave 4 in 32 of 40 ratings: a fifth of a level.
    found = profiles(rated({**{f"r{i}": [4] * PEOPLE for i in range(1, 6)}, **MIDDLE}))
    distance = dict(found.likeness.select("rater_id", "to_company").iter_rows())
    assert distance["r6"] == pytest.approx(1.0)
    assert distance["r1"] == pytest.approx(0.2)
    # Against the others of D: r6 lies −1 from the company, the five of them .2 above it.
    local = dict(found.likeness.select("rater_id", "to_department").iter_rows())
    assert local["r6"] == pytest.approx(1.2)
