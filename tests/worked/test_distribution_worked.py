"""Distributions worked by hand: twelve people in two departments, and published examples."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import polars as pl
import pytest

from analytics.disclosure import release
from analytics.distribution.change import change
from analytics.distribution.guidance import PRESETS, Band, Guidance, guidance_fit, possible
from analytics.distribution.shares import distribution
from analytics.distribution.uncertainty import benjamini_hochberg, wilson

SCALE = pl.DataFrame({"level": [1, 2, 3], "label": ["C", "B", "A"]})
TWO_SEVEN_ONE = PRESETS[0].on(3)


def ratings(**groups: list[int]) -> pl.DataFrame:
    """One rating per person, level = rating points."""
    rows = [
        (f"{group}{i}", group, float(level), level)
        for group, levels in groups.items()
        for i, level in enumerate(levels)
    ]
    return pl.DataFrame(
        rows,
        schema={"ratee_id": pl.String, "dept": pl.String, "score": pl.Float64, "level": pl.Int64},
        orient="row",
    )


# x: 1 2 2 3 3 3 → sum 14, mean 14/6, squares 1+4+4+9+9+9 = 36, s² = (36 − 14²/6)/5 = (36 − 32.667)/5 = 2/3
# y: 1 1 1 2 2 2 → sum  9, mean 1.5,  squares 15,              s² = (15 − 13.5)/5 = .3
TWELVE = ratings(x=[1, 2, 2, 3, 3, 3], y=[1, 1, 1, 2, 2, 2])


def test_twelve_people_by_hand() -> None:
    result = distribution(TWELVE, scale=SCALE, by="dept")
    x = result.groups.row(0, named=True)
    assert (x["group"], x["people"], x["ratings"], x["median"]) == ("x", 6, 6, 2.5)
    assert x["mean"] == pytest.approx(14 / 6)
    assert x["sd"] == pytest.approx(math.sqrt(2 / 3))
    # Interval of the mean: t(.975, 5) = 2.5706 times √(2/3/6) = 1/3, so half a width of .8569.
    assert x["mean_high"] - x["mean"] == pytest.approx(0.8569, abs=1e-4)
    # Difference 14/6 − 9/6 = 5/6; Welch: √(2/3/6 + .3/6) = √(.11111 + .05) = .40139,
    # df = .16111² / (.11111²/5 + .05²/5) = .025957/(.0024691 + .0005) = 8.7422
    assert x["difference"] == pytest.approx(5 / 6)
    assert x["difference_high"] - x["difference"] == pytest.approx(2.27273 * 0.40139, abs=1e-3)
    # Superiority over the 36 pairs. x=1: 3 ties → 1.5. Each x=2: 3 wins + 3 ties → 4.5, twice → 9.
    # Each x=3: 6 wins, three times → 18. Sum 28.5, over 36 = .79167.
    assert x["superiority"] == pytest.approx(28.5 / 36)


def test_kruskal_wallis_by_hand() -> None:
    # Levels 1: 4 people (mid-rank 2.5), 2: 5 people (mid-rank 7), 3: 3 people (mid-rank 11).
    # Ranks x: 2.5 + 14 + 33 = 49.5; y: 7.5 + 21 = 28.5.
    # H = 12/(12·13) · (49.5²/6 + 28.5²/6) − 39 = .0769231 · 543.75 − 39 = 2.826923
    # Ties: 1 − (60 + 120 + 24)/(1728 − 12) = 1 − 204/1716 = .881119; H corrected = 3.208333
    tests = distribution(TWELVE, scale=SCALE, by="dept").tests
    kruskal = tests.filter(pl.col("test") == "kruskal_wallis", pl.col("unit") == "rating").row(0, named=True)
    assert kruskal["statistic"] == pytest.approx(2.826923 / 0.881119, abs=1e-5)
    assert kruskal["df"] == 1
    assert kruskal["size"] == pytest.approx(3.208333 / 11, abs=1e-5)


def test_bias_corrected_cramers_v_by_hand() -> None:
    # Counts x: 1 2 3, y: 3 3 0; columns 4 5 3, expected 2 2.5 1.5 in both rows.
    # X² = 2·(1/2 + .25/2.5 + 2.25/1.5) = 2·(.5 + .1 + 1.5) = 4.2, φ² = .35
    # corrected φ² = .35 − 1·2/11 = .168182; rows 2 − 1/11 = 1.909091, columns 3 − 4/11 = 2.636364
    # V = √(.168182 / .909091) = √.185 = .430116
    tests = distribution(TWELVE, scale=SCALE, by="dept").tests
    levels = tests.filter(pl.col("test") == "levels").row(0, named=True)
    assert (levels["statistic"], levels["df"]) == (pytest.approx(4.2), 2)
    assert levels["size"] == pytest.approx(math.sqrt(0.185))
    # One rating each, so no design effect: p = exp(−4.2/2).
    assert levels["p"] == pytest.approx(math.exp(-2.1))


def test_variance_share_by_hand() -> None:
    # Between groups: 6·(5/12)²·2 = 2.083333 on 1 df; within (5·2/3 + 5·.3)/10 = .483333 on 10.
    # Variance of departments (2.083333 − .483333)/6 = .266667; share .266667/.75 = .355556
    # Eta squared: 2.083333 / (2.083333 + 4.833333) = .301205
    tests = distribution(TWELVE, scale=SCALE, by="dept").tests
    sizes = dict(
        tests.filter(pl.col("test").is_in(["variance", "between"])).select("test", "size").iter_rows()
    )
    assert sizes["variance"] == pytest.approx(0.355556, abs=1e-6)
    assert sizes["between"] == pytest.approx(0.301205, abs=1e-6)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_matches_newcombe_1998_table_1(hits: int, n: int, low: float, high: float) -> None:
    # Newcombe (1998), Stat. Med. 17(8), 857–872, table I, method 3 (score without continuity correction)
    ends = wilson(np.array([hits / n]), np.array([float(n)]), confidence=0.95)
    assert ends[0][0] == pytest.approx(low, abs=6e-5)
    assert ends[1][0] == pytest.approx(high, abs=6e-5)


def test_a_person_rated_twice_alike_counts_once() -> None:
    once = distribution(TWELVE, scale=SCALE, by="dept")
    twice = distribution(pl.concat([TWELVE, TWELVE]), scale=SCALE, by="dept")
    # The second ratings repeat the first: nothing new is known, so every interval stays as it was.
    columns = [
        "mean_low",
        "mean_high",
        "difference_low",
        "difference_high",
        "superiority_low",
        "superiority_high",
    ]
    for column in columns:
        assert twice.groups[column].to_list() == pytest.approx(once.groups[column].to_list())
    assert twice.groups["people"].to_list() == [6, 6]
    assert twice.groups["ratings"].to_list() == [12, 12]


def test_people_in_both_groups_are_paired() -> None:
    # Everybody got exactly one point more in the second cycle: that is no matter of chance, and the
    # difference has no variance, although the people differ widely.
    people = pl.DataFrame(
        {
            "ratee_id": ["a", "b", "c", "d"] * 2,
            "cycle": ["1"] * 4 + ["2"] * 4,
            "score": [1.0, 2.0, 3.0, 4.0, 2.0, 3.0, 4.0, 5.0],
            "level": [None] * 8,
        },
        schema_overrides={"level": pl.Int64},
    )
    row = distribution(people, scale=SCALE.clear(), by="cycle").groups.row(1, named=True)
    assert row["difference"] == pytest.approx(1.0)
    assert row["difference_low"] is None


def test_benjamini_hochberg_by_hand() -> None:
    # Sorted .01 .02 .03 .5 → ×4/1, ×4/2, ×4/3, ×4/4 = .04 .04 .04 .5; the unknown one is no test.
    q = benjamini_hochberg(np.array([0.5, 0.02, np.nan, 0.01, 0.03]))
    assert q[[0, 1, 3, 4]] == pytest.approx([0.5, 0.04, 0.04, 0.04])
    assert np.isnan(q[2])


def test_twenty_seventy_ten_on_six_people_is_nonsense() -> None:
    # 10 % ± 5 of six is .3 to .9 people: no whole number lies there.
    assert not possible(TWO_SEVEN_ONE, 6, levels=3)
    # Of ten: .5 to 1.5 → 1, 6.5 to 7.5 → 7, 1.5 to 2.5 → 2; together ten.
    assert possible(TWO_SEVEN_ONE, 10, levels=3)
    fit = guidance_fit(ratings(six=[1, 2, 2, 2, 2, 3]), scale=SCALE, by="dept", guidance=TWO_SEVEN_ONE)
    unit = fit.units.row(0, named=True)
    assert (unit["feasible"], unit["moves"], unit["p"], unit["flagged"]) == (False, None, None, False)


def test_small_teams_are_pooled_under_their_parent_and_no_further() -> None:
    data = ratings(a=[1, 2, 2, 2, 2, 3], b=[2, 2, 2, 3], c=[1] + [2] * 7 + [3] * 2, d=[3, 3])
    tree = {
        "a": "north",
        "b": "north",
        "c": "north",
        "d": "south",
        "north": "all",
        "south": "all",
        "all": None,
    }
    fit = guidance_fit(data, scale=SCALE, by="dept", guidance=TWO_SEVEN_ONE, tree=tree)
    where = dict(fit.members.select("group", "unit").iter_rows())
    # a and b are ten people together; c fits alone; d finds nobody else on its way up.
    assert where == {"a": "north", "b": "north", "c": "c", "d": None}
    north = fit.units.filter(pl.col("unit") == "north").row(0, named=True)
    assert (north["pooled"], north["people"], north["inside"], north["moves"]) == (True, 10, True, 0)


def test_moves_and_chance_by_hand() -> None:
    # Ten people, 1 C, 3 B, 6 A. Asked: 1 C, 7 B, 2 A → four have to move from A to B.
    fit = guidance_fit(
        ratings(x=[1, 2, 2, 2, 3, 3, 3, 3, 3, 3]), scale=SCALE, by="dept", guidance=TWO_SEVEN_ONE
    )
    unit = fit.units.row(0, named=True)
    assert unit["moves"] == 4
    assert fit.bands["change"].to_list() == [0, 4, -4]
    # Chance for ten at 20 %: P(X ≥ 5) = .0328 > .025 and P(X ≥ 6) = .0064 → at most 5 A.
    top = fit.bands.filter(pl.col("band") == 3).row(0, named=True)
    assert (top["chance_low"], top["chance_high"], top["outside"]) == (0, 5, True)
    assert top["p"] == pytest.approx(2 * 0.0063693824)


def test_a_ceiling_is_tested_at_its_edge_and_on_one_side() -> None:
    # A ≤ 20 % of ten: only too many can be wrong. P(X ≥ 5 | .2) = .0328 < .05, P(X ≥ 4) = .1209.
    ceiling = Guidance("custom", (Band((3,), most=0.2),))
    fit = guidance_fit(ratings(x=[2] * 5 + [3] * 5), scale=SCALE, by="dept", guidance=ceiling)
    top = fit.bands.filter(pl.col("band") == 1).row(0, named=True)
    assert (top["chance_low"], top["chance_high"]) == (0, 4)
    assert top["p"] == pytest.approx(0.0327934976)
    none = guidance_fit(ratings(x=[2] * 10), scale=SCALE, by="dept", guidance=ceiling)
    assert none.units["p"].to_list() == [1.0]


def test_change_of_stayers_by_hand() -> None:
    # Differences 1, 0, 1, 2, 1: mean 1, s² = (0+1+0+1+0)/4 = .5, SE = √.1 = .31623, t(.975, 4) = 2.77645
    before, after = [1, 2, 2, 1, 2], [2, 2, 3, 3, 3]
    rows = [("1", f"p{i}", "x", float(v), v) for i, v in enumerate(before)]
    rows += [("2", f"p{i}", "x", float(v), v) for i, v in enumerate(after)]
    data = pl.DataFrame(rows, schema=["cycle_id", "ratee_id", "dept", "score", "level"], orient="row")
    result = change(data, scale=SCALE, by="dept", before="1", after="2")
    for frame in (result.groups, result.stayers, result.total):
        row = frame.row(0, named=True)
        assert row["difference"] == pytest.approx(1.0)
        assert row["difference_high"] - 1 == pytest.approx(2.77645 * 0.316228, abs=1e-4)
    shifts = result.shares["shift"].to_list()
    # Before: 2 C, 3 B; after: 2 B, 3 A.
    assert shifts == pytest.approx([-0.4, -0.2, 0.6])


def test_the_one_person_who_left_cannot_be_worked_out() -> None:
    # Six before, five after, all five stayed: sums before minus sums of stayers is the leaver's rating.
    rows = [("1", f"p{i}", "x", 2.0, 2) for i in range(6)] + [("2", f"p{i}", "x", 3.0, 3) for i in range(5)]
    data = pl.DataFrame(rows, schema=["cycle_id", "ratee_id", "dept", "score", "level"], orient="row")
    released = release(
        change(data, scale=SCALE, by="dept", before="1", after="2"), as_of=date(2026, 6, 30), minimum=5
    )
    assert released.value.stayers["difference"].to_list() == [None]
    assert released.value.groups["difference"].to_list() == [1.0]
