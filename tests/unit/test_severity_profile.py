"""Habits of using the rating scale: what was planted is found, what was not is not, intervals hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from analytics.disclosure import Released, release
from analytics.language import LANGUAGES, Language
from analytics.severity.habits import chart
from analytics.severity.habits.profile import (
    FLAGGED_SIDES,
    HABITS,
    Profiles,
    profiles,
    without_single_ratings,
)
from analytics.severity.habits.progress import progress
from analytics.severity.linear import severity
from data import queries
from data.warehouse import Warehouse
from pages.kit import tables

CUTS = np.array([1.58, 2.34, 3.56, 4.42])
DAY = date(2026, 6, 30)
EN = Language("en")


@dataclass(frozen=True)
class Made:
    """Ratings of a made-up company, its self-ratings and goals."""

    ratings: pl.DataFrame
    dimensions: pl.DataFrame
    own: pl.DataFrame
    progress: pl.DataFrame

    def profiles(self) -> Profiles:
        return profiles(self.ratings, dimensions=self.dimensions, own=self.own, progress=self.progress)


def made(
    seed: int,
    *,
    raters: int = 80,
    people: int = 14,
    cycles: int = 3,
    levels: bool = True,
    lean: tuple[float, ...] = (),
    shrink: tuple[float, ...] = (),
    halo: tuple[float, ...] = (),
    late: tuple[float, ...] = (),
    keen: tuple[float, ...] = (),
    lean_sd: float = 0.3,
    department_lean: tuple[float, ...] = (),
) -> Made:
    """Managers rate their people each cycle, and some people of others.

    The tuples belong to the first raters: an added lean; by how much ratings are drawn towards the middle of
    the scale (1: not at all); by how much dimensions are drawn towards what they share; the weight of late
    less early goal progress, in spreads; and how strongly they see differences of work (1: as they are).
    """
    rng = np.random.default_rng(seed)

    def first(values: tuple[float, ...], otherwise: float) -> np.ndarray:
        full = np.full(raters, otherwise)
        full[: len(values)] = values
        return full

    department = np.arange(raters) % 8
    soft = lean_sd * rng.standard_normal(raters)
    soft[: max(len(lean), len(shrink), len(halo))] = 0.0
    soft = soft + first(lean, 0.0)
    soft = soft + np.array([*department_lean, *[0.0] * (8 - len(department_lean))])[department]
    kept, apart, weight = first(shrink, 1.0), first(halo, 1.0), first(late, 0.0)
    seen = first(keen, 1.0)
    n = raters * people
    home = np.arange(n) // people
    merit = 0.5 * rng.standard_normal(n)
    frames, dimension_frames, selves, goals = [], [], [], []
    for cycle in range(cycles):
        early, latter = rng.standard_normal(n), rng.standard_normal(n)
        work = merit + 0.2 * rng.standard_normal(n)
        for source, rater in (("manager", home), ("skip_level", rng.integers(0, raters, n))):
            pair = 0.5 * np.random.default_rng([seed, 1, cycle]).standard_normal((n, 2))
            common = 2.95 + seen[rater] * work + soft[rater] + pair[:, int(source == "manager")]
            if source == "manager":
                common = common + weight[rater] * 0.7 * (latter - early) / 2
            parts = [("overall", common + 0.45 * rng.standard_normal(n))]
            if source == "manager":
                parts += [(f"d{d}", common + apart[rater] * 0.54 * rng.standard_normal(n)) for d in range(4)]
            for dimension, latent in parts:
                given = 2.95 + kept[rater] * (latent - 2.95)
                level = 1 + np.searchsorted(CUTS, given)
                frame = pl.DataFrame(
                    {
                        "cycle_id": [f"c{cycle}"] * n,
                        "ratee_id": [f"p{i:05}" for i in range(n)],
                        "rater_id": [f"m{i:04}" for i in rater],
                        "source": [source] * n,
                        "department_id": [f"D{i}" for i in department[home]],
                        "score": level.astype(float) if levels else given,
                        "level": pl.Series(level if levels else [None] * n, dtype=pl.Int64),
                        "scale_id": ["five"] * n,
                        "dimension": [dimension] * n,
                    }
                )
                (frames if dimension == "overall" else dimension_frames).append(frame)
        said = 3.25 + work + 0.6 * rng.standard_normal(n)
        selves.append(
            frames[-2].with_columns(
                pl.col("ratee_id").alias("rater_id"),
                pl.lit("self").alias("source"),
                pl.Series("score", 1.0 + np.searchsorted(CUTS, said) if levels else said),
            )
        )
        goals.append(
            pl.DataFrame(
                {
                    "cycle_id": [f"c{cycle}"] * n,
                    "ratee_id": [f"p{i:05}" for i in range(n)],
                    "early": 0.4 + 0.1 * early,
                    "late": 0.4 + 0.1 * latter,
                }
            )
        )
    return Made(
        pl.concat(frames).drop("dimension"),
        pl.concat(dimension_frames),
        pl.concat(selves).drop("dimension"),
        pl.concat(goals),
    )


@cache
def plain(seed: int) -> Profiles:
    """A company in which nobody has a habit."""
    return made(seed).profiles()


@cache
def planted() -> Profiles:
    """Raters 0 to 3 crowd the middle, 4 to 7 rate dimensions alike, 8 stretches the scale, 9 overdraws."""
    return made(
        7,
        shrink=(0.25,) * 4 + (1.0,) * 4 + (2.2,),
        halo=(1.0,) * 4 + (0.15,) * 4,
        keen=(1.0,) * 9 + (2.5,),
    ).profiles()


def flagged(found: Profiles, habit: str) -> set[str]:
    return set(found.habits.filter((pl.col("habit") == habit) & pl.col("flag"))["rater_id"])


def of(found: Profiles, rater: str, habit: str) -> dict[str, Any]:
    return found.habits.row(
        by_predicate=(pl.col("rater_id") == rater) & (pl.col("habit") == habit), named=True
    )


def released(found: Profiles) -> Released[Profiles]:
    return release(found, as_of=DAY)


CENTRAL = {f"m{i:04}" for i in range(4)}
HALO = {f"m{i:04}" for i in range(4, 8)}


def test_raters_who_crowd_the_middle_are_found_and_nobody_else() -> None:
    assert flagged(planted(), "middle") == CENTRAL
    assert flagged(planted(), "contrast") - {"m0009"} == CENTRAL
    # Who rates all dimensions alike leaves out what makes people differ on one of them.
    assert CENTRAL <= flagged(planted(), "spread") <= CENTRAL | HALO


def test_raters_who_rate_dimensions_alike_are_found() -> None:
    assert flagged(planted(), "halo_correlation") >= HALO
    assert flagged(planted(), "halo_spread") >= HALO
    # Who crowds the middle gives the same level to everything, dimensions included.
    # Of 13 flags the false discovery rate allows about one.
    assert len(flagged(planted(), "halo_spread") - HALO - CENTRAL) <= 1


def test_a_rater_who_stretches_the_scale_goes_to_its_ends() -> None:
    assert "m0008" in flagged(planted(), "ends")
    assert "m0008" not in flagged(planted(), "spread")


def test_a_rater_who_overdraws_differences_between_people_is_found() -> None:
    row = of(planted(), "m0009", "contrast")
    assert row["reading"] == "more"
    assert row["flag"]


def test_a_soft_or_hard_hand_is_no_habit_of_using_the_scale() -> None:
    # 8 raters far off in each of 4 companies, 6 habits each: 192 chances of a flag.
    rows = pl.concat(
        [made(seed, lean=(0.9,) * 4 + (-0.9,) * 4).profiles().habits for seed in (50, 51, 52, 53)]
    ).filter((pl.col("rater_id") < "m0008") & pl.col("habit").is_in(HABITS[:6]))
    assert rows.height == 192
    assert rows["flag"].sum() <= 2


def test_where_nobody_has_a_habit_hardly_anybody_is_flagged() -> None:
    # With all hypotheses true, a false discovery rate of 5 % allows a flag in 1 of 20 companies and habit:
    # 6 companies × 6 habits × .05 = 1.8 with a flag; seven or more have a chance below .3 %.
    with_flag = sum(bool(flagged(plain(seed), habit)) for seed in range(6) for habit in HABITS[:6])
    assert with_flag <= 6


@pytest.mark.parametrize("habit", HABITS[:6])
def test_intervals_hold_the_usual_as_often_as_they_say(habit: str) -> None:
    rows = pl.concat([plain(seed).habits for seed in range(6)]).filter(
        (pl.col("habit") == habit) & pl.col("estimate").is_not_null()
    )
    inside = rows.select(((pl.col("low") <= pl.col("usual")) & (pl.col("usual") <= pl.col("high"))).mean())
    # In 40 such companies (3,200 raters) between 93 and 96 % do; two points more for chance in 480.
    assert 0.91 <= inside.item() <= 0.98


def test_intervals_of_the_spread_hold_a_true_shrinkage() -> None:
    # On a continuous scale, ratings drawn to 60 % of their distance from the middle have 60 % of the spread.
    # The usual spread holds the 4 such raters of 80 themselves: √(1 − .05 · .64) = .984; .6 ÷ .984 = .61.
    rows = pl.concat(
        [made(seed, levels=False, shrink=(0.6,) * 4).profiles().habits for seed in range(21, 33)]
    ).filter((pl.col("habit") == "spread") & (pl.col("rater_id") < "m0004"))
    inside = rows.select(((pl.col("low") <= 0.61) & (pl.col("high") >= 0.61)).mean()).item()
    assert rows["estimate"].mean() == pytest.approx(0.61, abs=0.02)
    # 48 raters: three standard errors of 95 % are 9 points.
    assert inside >= 0.86


def test_the_gap_to_self_ratings_is_the_one_planted() -> None:
    # Continuous: an average manager rates .3 points below self-ratings, so one who is .9 softer .6 above and
    # one who is .9 harder 1.2 below.
    found = [made(seed, levels=False, lean=(0.9, -0.9), lean_sd=0.0).profiles() for seed in range(8)]
    inside = 0
    for company in found:
        soft, hard = of(company, "m0000", "self_gap"), of(company, "m0001", "self_gap")
        assert (soft["reading"], hard["reading"]) == ("more", "less")
        assert soft["usual"] == pytest.approx(-0.3, abs=0.06)
        inside += int(soft["low"] <= 0.6 <= soft["high"]) + int(hard["low"] <= -1.2 <= hard["high"])
    # 16 intervals: fewer than 13 hold the truth in 1 of 100 such tests.
    assert inside >= 13
    company = found[0]
    assert company.self_d == pytest.approx(0.3 / (company.points or 1.0), abs=0.06)
    assert (company.self_d_low or 1.0) < (company.self_d or 0.0) < (company.self_d_high or 0.0)
    assert 0.1 < (company.self_r or 0.0) < 0.6


def test_leniency_is_not_charged_again_as_a_gap_to_self_ratings() -> None:
    company = made(3, levels=False, lean=(0.9, -0.9), lean_sd=0.0)
    # People of m0002 rate themselves 1.5 lower: the gap is theirs, not how softly m0002 rates.
    humble = pl.col("ratee_id").is_in([f"p{i:05}" for i in range(28, 42)])
    company = replace(
        company,
        own=company.own.with_columns(pl.when(humble).then(pl.col("score") - 1.5).otherwise("score")),
    )
    alone = company.profiles()
    assert of(alone, "m0000", "self_gap")["flag"]
    assert of(alone, "m0001", "self_gap")["flag"]
    fitted = severity(company.ratings).raters
    found = profiles(company.ratings, own=company.own, severity=fitted)
    for rater, verdict in (("m0000", "lenient"), ("m0001", "severe")):
        row = of(found, rater, "self_gap")
        assert fitted.filter(rater_id=rater)["verdict"][0] == verdict
        assert (row["flag"], row["reading"]) == (False, "severity")
        assert row["estimate"] == of(alone, rater, "self_gap")["estimate"]
        assert "no flag of its own" in chart.reading(row, EN)
        assert chart.coaching(row, EN) == ""
    assert of(found, "m0002", "self_gap")["reading"] == "more"


def test_a_gap_is_said_the_way_it_lies_and_its_range_leaves_out_nought() -> None:
    row = {
        "habit": "self_gap", "against": "people", "reading": "more", "flag": True,
        "estimate": 0.8, "usual": -0.3, "low": -0.1, "high": 1.7,
    }  # fmt: skip
    # −.1 − (−.3) = .2 and 1.7 − (−.3) = 2.
    assert chart.reading(row, EN, name="Ada") == (
        "Compared with what people give themselves, Ada gives them 0.8 points more; usual is 0.3 points less "
        "(the difference from the usual is likely +0.2 to +2.0 points)."
    )


def test_where_nobody_else_rated_the_people_they_are_held_against_the_company() -> None:
    company = made(4, raters=30)
    theirs = pl.col("ratee_id").is_in([f"p{i:05}" for i in range(14)])
    kept = company.ratings.filter(~theirs | (pl.col("source") == "manager")).filter(
        (pl.col("rater_id") != "m0000") | (pl.col("source") == "manager")
    )
    found = profiles(kept)
    assert of(found, "m0000", "middle")["against"] == "company"
    assert of(found, "m0001", "middle")["against"] == "people"
    said = chart.readings(released(found), EN, rater_id="m0000")
    assert not any("same people" in line or "others would" in line for line in said)
    shown = chart.figure(released(found), EN, mode="light", rater_id="m0000")
    words = [note.text for note in shown.layout.annotations]
    assert "usual in the company" in words
    assert "usual for the same people" not in words


def test_a_share_that_says_what_single_people_got_is_kept_from_whoever_may_not_see_ratings() -> None:
    company = made(4, raters=30, cycles=1)
    # m0000 gives all but two of 14 people the middle level, m0001 all but six.
    rated = company.ratings.filter(pl.col("source") == "manager")

    def given(rater: int, others: int) -> pl.Expr:
        nth = pl.col("ratee_id").str.slice(1).cast(pl.Int64) - 14 * rater
        return pl.when(nth < others).then(5).otherwise(3)

    level = (
        pl.when(pl.col("rater_id") == "m0000")
        .then(given(0, 2))
        .when(pl.col("rater_id") == "m0001")
        .then(given(1, 6))
        .otherwise("level")
    )
    rated = rated.with_columns(level.cast(pl.Int64).alias("level")).with_columns(
        pl.col("level").cast(pl.Float64).alias("score")
    )
    full = profiles(rated)
    veiled = without_single_ratings(full)
    assert of(full, "m0000", "middle")["estimate"] == pytest.approx(12 / 14)
    for habit in ("contrast", "halo_correlation", "halo_spread"):
        assert of(full, "m0000", habit)["n_aside"] == 2
    for habit in ("middle", "ends", "spread"):
        assert of(full, "m0000", habit)["n_aside"] == 2
        row = of(veiled, "m0000", habit)
        assert (row["estimate"], row["low"], row["high"], row["flag"]) == (None, None, None, False)
        assert (row["reading"], row["reason"]) == ("cannot_tell", "too_close")
        assert of(veiled, "m0001", habit) == of(full, "m0001", habit)
    said = chart.readings(released(veiled), EN, rater_id="m0000")
    assert any("fewer than 5 people" in line for line in said)
    assert chart.kept_back(released(full), EN) == ""
    n = veiled.habits.filter(pl.col("reason") == "too_close")["rater_id"].n_unique()
    assert chart.kept_back(released(veiled), EN).startswith(f"Of {n} raters some numbers are hidden")


def test_raters_who_follow_the_end_of_the_cycle_are_found_and_drawn_towards_the_others() -> None:
    found = made(5, cycles=4, levels=False, late=(2.0,) * 5 + (-2.0,) * 5).profiles()
    late = {f"m{i:04}" for i in range(5)}
    early = {f"m{i:04}" for i in range(5, 10)}
    rows = found.habits.filter(pl.col("habit") == "recency")
    assert set(rows.filter(pl.col("reading") == "more")["rater_id"]) == late
    assert set(rows.filter(pl.col("reading") == "less")["rater_id"]) == early
    company = found.recency.row(0, named=True)
    assert company["low"] < 0.0 < company["high"]


def test_where_nobody_follows_the_end_of_the_cycle_nobody_is_said_to() -> None:
    assert not any(flagged(plain(seed), "recency") for seed in range(3))


def test_intervals_of_recency_hold_differences_between_raters() -> None:
    # Each rater's weight is drawn anew; the interval, drawn towards all others, must hold it.
    inside, told = 0, 0
    for seed in (31, 32, 33):
        truth = np.random.default_rng(seed).normal(0.0, 0.5, 80)
        found = made(seed, cycles=4, levels=False, late=tuple(truth))
        result = found.profiles()
        rows = result.habits.filter(pl.col("habit") == "recency").sort("rater_id")
        # .7 points of a rating per unit of weight: half for late, half against early, in spreads.
        spread = result.points or 1.0
        inside_goal = 0.7 * truth / spread
        low, high = rows["low"].to_numpy(), rows["high"].to_numpy()
        inside += int(((low <= inside_goal) & (inside_goal <= high)).sum())
        told += rows.height
    # 240 raters: three standard errors of 95 % are 4 points.
    assert 0.90 <= inside / told <= 0.99


def test_a_custom_of_a_department_is_told_from_a_rater_of_ones_own() -> None:
    # All of D0 rate .9 softer (m0000, m0008, … sit there); m0009, of D1, alone rates .9 harder.
    found = made(11, raters=96, lean=(0.0,) * 9 + (-0.9,), lean_sd=0.05, department_lean=(0.9,)).profiles()
    custom = found.departments.filter("custom")
    assert custom["department_id"].to_list() == ["D0"]
    kinds = dict(found.likeness.select("rater_id", "kind").iter_rows())
    assert kinds["m0009"] == "own"
    of_d0 = [kinds[f"m{i:04}"] for i in range(0, 96, 8)]
    assert of_d0.count("custom") >= 10
    rest = [kind for rater, kind in kinds.items() if int(rater[1:]) % 8 and rater != "m0009"]
    assert sum(kind in ("own", "custom") for kind in rest) <= 2


def test_chance_makes_the_distance_it_is_said_to() -> None:
    rows = pl.concat([made(seed, lean_sd=0.0).profiles().likeness for seed in (41, 42)])
    told = rows.filter(pl.col("kind") != "cannot_tell")
    # Nobody differs: what is seen is what chance makes, and hardly anybody is told apart.
    assert told["to_company"].mean() == pytest.approx(told["by_chance"].mean(), rel=0.12)
    assert told.filter(pl.col("kind") != "alike").height <= 2


def test_the_order_of_rows_does_not_matter() -> None:
    company = made(2, raters=20, people=9)
    mixed = Made(
        *(
            frame.sample(fraction=1.0, shuffle=True, seed=1)
            for frame in (company.ratings, company.dimensions, company.own, company.progress)
        )
    )
    first, second = company.profiles(), mixed.profiles()
    for name in ("habits", "company", "likeness", "departments", "recency"):
        a, b = getattr(first, name), getattr(second, name)
        assert a.columns == b.columns
        for column in a.columns:
            if a.schema[column] == pl.Float64:
                assert a[column].to_list() == pytest.approx(b[column].to_list(), abs=1e-9, nan_ok=True), name
            else:
                assert a[column].to_list() == b[column].to_list(), name


def test_of_seven_people_nothing_is_said() -> None:
    company = made(4, raters=30)
    kept = company.ratings.filter(
        (pl.col("rater_id") != "m0000")
        | pl.col("ratee_id").is_in([f"p{i:05}" for i in range(7)]) & (pl.col("source") == "manager")
    )
    rows = profiles(kept).habits.filter(pl.col("rater_id") == "m0000")
    assert set(rows["reading"]) == {"cannot_tell"}
    assert rows["estimate"].null_count() == rows.height
    assert set(rows["reason"]) == {"few_people", "not_rated"}
    assert of(profiles(kept), "m0000", "middle")["reason"] == "few_people"


def test_among_four_raters_nobody_can_say_what_is_usual() -> None:
    found = made(4, raters=4).profiles()
    assert set(found.habits["reading"]) == {"cannot_tell"}
    assert set(found.habits["reason"]) == {"few_raters"}
    assert set(found.likeness["kind"]) == {"cannot_tell"}


def test_what_was_not_rated_is_not_told() -> None:
    found = profiles(made(4, raters=20).ratings)
    for habit in ("halo_correlation", "halo_spread", "self_gap", "recency"):
        assert set(found.habits.filter(pl.col("habit") == habit)["reason"]) == {"not_rated"}
    assert found.self_d is None
    assert found.recency.is_empty()


def test_a_continuous_scale_has_no_middle_level_and_no_ends() -> None:
    found = made(4, raters=20, levels=False).profiles()
    for habit in ("middle", "ends"):
        assert set(found.habits.filter(pl.col("habit") == habit)["reason"]) == {"not_rated"}
    assert found.habits.filter(pl.col("habit") == "spread")["estimate"].null_count() == 0
    assert set(found.likeness["kind"]) == {"cannot_tell"}


def test_where_everybody_got_the_same_nothing_is_told_and_nothing_breaks() -> None:
    company = made(4, raters=20)
    same = [pl.lit(3.0).alias("score"), pl.lit(3, dtype=pl.Int64).alias("level")]
    found = profiles(
        company.ratings.with_columns(same),
        dimensions=company.dimensions.with_columns(same),
        own=company.own.with_columns(same),
        progress=company.progress,
    )
    assert not found.habits["flag"].any()
    assert set(found.habits.filter(pl.col("habit") == "spread")["reading"]) == {"cannot_tell"}


def test_a_rater_who_only_ever_gives_one_level_is_described_without_breaking() -> None:
    company = made(6, raters=40)
    one = pl.col("rater_id") == "m0003"
    same = [
        pl.when(one).then(3.0).otherwise(pl.col("score")).alias("score"),
        pl.when(one).then(3).otherwise(pl.col("level")).alias("level"),
    ]
    found = profiles(company.ratings.with_columns(same), dimensions=company.dimensions.with_columns(same))
    assert of(found, "m0003", "middle")["flag"]
    assert of(found, "m0003", "spread")["flag"]
    assert of(found, "m0003", "halo_correlation")["reason"] == "no_variation"


def test_self_ratings_and_incomplete_rows_never_enter() -> None:
    company = made(8, raters=20)
    extra = company.own.with_columns(pl.lit("self").alias("source"))
    broken = company.ratings.head(5).with_columns(pl.lit(None, dtype=pl.Float64).alias("score"))
    both = pl.concat([company.ratings, extra, broken])
    assert (
        profiles(both).n_ratings
        == profiles(company.ratings).n_ratings
        == company.ratings.filter(pl.col("rater_id") != pl.col("ratee_id")).height
    )


def test_no_ratings_at_all_give_empty_frames() -> None:
    found = profiles(made(8, raters=6).ratings.clear())
    assert found.habits.is_empty()
    assert found.departments.is_empty()
    assert found.points is None
    assert chart.takeaway(released(found), EN)


@pytest.mark.parametrize("name", ["ratings", "dimensions", "own", "progress"])
def test_a_missing_column_is_named(name: str) -> None:
    company = made(8, raters=6)
    frames = {
        "ratings": company.ratings,
        "dimensions": company.dimensions,
        "own": company.own,
        "progress": company.progress,
    }
    frames[name] = frames[name].drop("ratee_id")
    with pytest.raises(ValueError, match=f"{name} must have the columns .* missing ratee_id"):
        profiles(
            frames["ratings"],
            dimensions=frames["dimensions"],
            own=frames["own"],
            progress=frames["progress"],
        )


def test_a_flag_is_only_raised_where_it_matters_and_the_interval_excludes_the_usual() -> None:
    rows = planted().habits.filter("flag")
    assert rows.height > 10
    assert rows.filter((pl.col("low") <= pl.col("usual")) & (pl.col("usual") <= pl.col("high"))).is_empty()
    assert rows["q"].max() <= 0.05  # type: ignore[operator]
    for habit, reading in rows.select("habit", "reading").unique().iter_rows():
        assert reading in FLAGGED_SIDES[habit]


def test_nothing_about_fewer_than_five_people_is_released() -> None:
    company = made(4, raters=30)
    kept = company.ratings.filter(
        (pl.col("rater_id") != "m0000")
        | pl.col("ratee_id").is_in([f"p{i:05}" for i in range(4)]) & (pl.col("source") == "manager")
    )
    value = released(profiles(kept)).value
    rows = value.habits.filter(pl.col("rater_id") == "m0000")
    assert rows.select("n_people", "n_ratings", "reading", "estimate").null_count().row(0) == (8, 8, 8, 8)
    assert value.likeness.filter(pl.col("rater_id") == "m0000")["kind"].to_list() == [None]


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_flag_has_its_reading_and_its_advice(code: str) -> None:
    t = Language(code)
    late = made(5, cycles=4, levels=False, late=(2.0,) * 5 + (-2.0,) * 5, lean=(0.9, -0.9)).profiles()
    said = set()
    for found in (planted(), late):
        for row in found.habits.filter("flag").iter_rows(named=True):
            for words in (chart.reading(row, t, name="Ada"), chart.coaching(row, t, name="Ada")):
                assert "Ada" in words
                assert "{" not in words
            assert chart.side(row, t)
            said.add((row["habit"], row["reading"]))
    assert said == {(habit, side) for habit, sides in FLAGGED_SIDES.items() for side in sides}


def test_who_is_as_usual_gets_no_advice() -> None:
    row = planted().habits.filter(pl.col("reading") == "usual").row(0, named=True)
    assert chart.coaching(row, EN) == ""


def test_readings_name_what_stands_out_first_and_what_cannot_be_told_last() -> None:
    lines = chart.readings(released(planted()), EN, rater_id="m0000", name="Ada")
    assert lines[0].startswith("Ada gave the middle level ")
    assert "others would give it" in lines[0]
    bare = chart.readings(released(profiles(made(4, raters=20).ratings)), EN, rater_id="m0000")
    assert bare[-1] == (
        "Cannot be told: rates all dimensions alike, sees strengths and weaknesses, rates above self-ratings "
        "and follows the end of the cycle. Such ratings are not on record."
    )


def test_the_table_of_habits_holds_numbers_with_their_unit() -> None:
    table = tables.habits(EN, released(planted()), {}, {})
    numbers = ("Seen", "Usual", "Difference from", "to")
    assert all(table.schema[name] == pl.Float64 for name in numbers)
    assert set(table["Unit"]) <= {"%", "% of usual", "correlation", "points", "standard deviations"}
    assert (
        table.select(((pl.col(name) - pl.col(name).round(4)).abs() < 1e-9).all() for name in numbers).row(0)
        == (True,) * 4
    )
    # A flag's interval leaves out the usual, so its difference leaves out nought.
    assert table.filter((pl.col("Difference from") <= 0) & (pl.col("to") >= 0)).is_empty()


def test_what_is_merely_unsure_is_one_quiet_line() -> None:
    found = planted()
    unsure = found.habits.filter(pl.col("reading") == "unsure")
    assert not unsure.is_empty()
    for rater in unsure["rater_id"].unique():
        lines = chart.readings(released(found), EN, rater_id=rater)
        assert sum("chance could explain" in line.lower() for line in lines) == 1


def test_departments_do_not_count_single_raters_by_another_rule() -> None:
    # A soft hand alone is no habit, so no sentence may say that somebody uses the levels otherwise.
    found = made(3, lean=(0.9, -0.9), lean_sd=0.0).profiles()
    assert "own" in found.likeness["kind"].to_list()
    said = chart.departments_takeaway(released(found), EN)
    assert "raters use" not in said
    assert "rater uses" not in said


def test_advice_says_the_same_thing_only_once() -> None:
    advice = chart.advice(released(planted()), EN, rater_id="m0000", name="Ada")
    assert sum("middle level" in line for line in advice) == 1
    assert not any("two by two" in line for line in advice)


def test_the_finding_counts_who_stands_out_and_how_many_flags_are_chance() -> None:
    said = chart.takeaway(released(planted()), EN)
    flags = planted().habits["flag"].sum()
    assert "4 give mostly the middle level" in said
    people = planted().habits.filter("flag")["rater_id"].n_unique()
    assert f"Altogether {people} raters stand out in something (flags: {flags}). About" in said
    nothing = chart.takeaway(released(made(4, raters=4).profiles()), EN)
    assert nothing.startswith("The data cannot tell how raters use the scale.")


def test_one_rater_is_drawn_with_every_habit_told_and_none_at_nought_that_is_not() -> None:
    shown = chart.figure(released(planted()), EN, mode="light", rater_id="m0000", name="Ada")
    told = planted().habits.filter((pl.col("rater_id") == "m0000") & pl.col("estimate").is_not_null()).height
    markers = [trace for trace in shown.data if trace.mode == "markers"]
    assert len(markers) == told == len(shown.layout.yaxis.ticktext)
    # Crowding the middle lies beyond what is common, on the right; setting people apart on the left.
    assert markers[0].x[0] > 1
    assert markers[2].x[0] < -1
    empty = chart.figure(released(planted()), EN, mode="dark", rater_id="nobody")
    assert "No ratings by this rater" in empty.layout.annotations[0].text


def test_the_overview_draws_exactly_the_flags() -> None:
    shown = chart.overview_figure(released(planted()), EN, mode="light")
    dots = sum(len(trace.x) for trace in shown.data if trace.mode == "markers")
    assert dots == planted().habits["flag"].sum()


def test_departments_are_drawn_with_what_chance_would_make() -> None:
    found = made(11, raters=96, lean_sd=0.05, department_lean=(0.9,)).profiles()
    shown = chart.departments_figure(released(found), EN, mode="light", names={"D0": "Zero"})
    assert shown.layout.yaxis.ticktext[0] == "Zero"
    said = chart.departments_takeaway(released(found), EN, names={"D0": "Zero"})
    assert said.startswith("In Zero the raters share a way of using the levels")


def test_progress_is_what_was_known_by_the_middle_and_by_the_end() -> None:
    goals = pl.DataFrame(
        {
            "goal_id": ["g1", "g2", "g3"],
            "owner_id": ["a", "a", "b"],
            "parent_id": pl.Series([None] * 3, dtype=pl.String),
            "scope": ["individual"] * 3,
            "perspective": pl.Series([None] * 3, dtype=pl.String),
            "kind": ["increase", "reach", "stay_above"],
            "unit": pl.Series([None] * 3, dtype=pl.String),
            "weight": pl.Series([None] * 3, dtype=pl.Float64),
            "department_id": ["D"] * 3,
            "start_on": [date(2026, 1, 1)] * 3,
            "due_on": [date(2026, 6, 30)] * 3,
            "baseline": [0.0, None, 0.0],
            "target": [100.0, 10.0, 5.0],
            "status": ["active"] * 3,
            "completed_on": pl.Series([None] * 3, dtype=pl.Date),
            "cadence_days": pl.Series([30] * 3, dtype=pl.Int64),
        }
    )
    check_ins = pl.DataFrame(
        {
            "goal_id": ["g1", "g1", "g1", "g2", "g3"],
            "checked_at": [date(2026, m, 15) for m in (2, 3, 6, 6, 6)],
            "value": [10.0, 40.0, 90.0, 15.0, 7.0],
            "target": [100.0, 100.0, 100.0, 10.0, 5.0],
            "confidence": pl.Series([None] * 5, dtype=pl.Float64),
        }
    ).with_columns(pl.col("checked_at").cast(pl.Datetime))
    cycles = pl.DataFrame(
        {"cycle_id": ["c"], "starts_on": [date(2026, 1, 1)], "ends_on": [date(2026, 6, 30)]}
    )
    # g1: .4 by the end of March, .9 by June: .4 and .5. g2: unknown, then beyond its target: 0 and 1.
    # g3 is to hold a level and makes no progress.
    assert progress(goals, check_ins, cycles).rows() == [
        ("c", "a", pytest.approx((0.4 + 0.0) / 2), pytest.approx((0.5 + 1.0) / 2), 2)
    ]


def test_whoever_the_demo_company_planted_is_found(demo_home: Path) -> None:
    engine = Warehouse(demo_home).open(Warehouse(demo_home).current().version_id)  # type: ignore[union-attr]
    cycles = queries.cycles(engine)
    ids = tuple(cycles["cycle_id"])
    branches = queries.departments(engine, on=cycles["ends_on"][0]).branches(None)

    def read(ask: Callable[..., pl.DataFrame], sources: tuple[str, ...]) -> pl.DataFrame:
        rows = ask(engine, cycle_ids=ids, rating_sources=sources)
        return rows.with_columns(pl.col("department_id").replace(branches))

    found = profiles(
        read(queries.model_ratings, queries.LEADER_SOURCES),
        dimensions=read(queries.model_dimension_ratings, queries.LEADER_SOURCES),
        own=read(queries.model_ratings, ("self",)),
        progress=progress(queries.model_goals(engine), queries.model_check_ins(engine), cycles),
    )
    truth = json.loads((demo_home / "demo" / "truth" / "truth.json").read_text("utf-8"))
    told = set(found.habits.filter(pl.col("estimate").is_not_null())["rater_id"])
    central, halo = set(truth["central"]["raters"]) & told, set(truth["halo"]["raters"]) & told
    assert central
    assert halo
    # Who rates dimensions like the whole leaves out what takes single ones away from the middle.
    assert central <= flagged(found, "middle") <= central | halo
    assert flagged(found, "halo_spread") >= halo
    # Nothing was planted about the end of the cycle.
    assert not flagged(found, "recency")


def test_a_company_that_names_no_department_still_has_habits() -> None:
    one = made(3)
    nowhere = pl.lit(None, dtype=pl.String).alias("department_id")
    found = profiles(one.ratings.with_columns(nowhere), dimensions=one.dimensions.with_columns(nowhere))
    assert found.habits["estimate"].is_not_null().any()
    assert found.departments.is_empty()
