"""What must hold of every distribution, whatever the ratings."""

from __future__ import annotations

from datetime import date
from itertools import product

import numpy as np
import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from analytics.disclosure import Released, release
from analytics.distribution.change import change
from analytics.distribution.guidance import PRESETS, Band, Guidance, fewest_moves, guidance_fit
from analytics.distribution.shares import distribution

SCALE = pl.DataFrame({"level": [1, 2, 3, 4], "label": list("DCBA")})
SCHEMA = {
    "ratee_id": pl.String,
    "cycle_id": pl.String,
    "dept": pl.String,
    "score": pl.Float64,
    "level": pl.Int64,
}
QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def many_ratings(draw: st.DrawFn) -> pl.DataFrame:
    rating = st.tuples(
        st.integers(0, 40), st.sampled_from("12"), st.sampled_from("abcdef"), st.integers(1, 4)
    )
    rows = draw(st.lists(rating, min_size=1, max_size=80))
    return pl.DataFrame(
        [(f"p{person}", cycle, dept, float(level), level) for person, cycle, dept, level in rows],
        schema=SCHEMA,
        orient="row",
    )


@QUICK
@given(many_ratings(), st.integers(0, 1000))
def test_the_order_of_rows_does_not_matter(data: pl.DataFrame, seed: int) -> None:
    shuffled = data.sample(fraction=1.0, shuffle=True, seed=seed)
    guidance = PRESETS[0].on(4)
    for a, b in (
        (distribution(data, scale=SCALE, by="dept"), distribution(shuffled, scale=SCALE, by="dept")),
        (
            guidance_fit(data, scale=SCALE, by="dept", guidance=guidance),
            guidance_fit(shuffled, scale=SCALE, by="dept", guidance=guidance),
        ),
        (
            change(data, scale=SCALE, by="dept", before="1", after="2"),
            change(shuffled, scale=SCALE, by="dept", before="1", after="2"),
        ),
    ):
        for name in {cells.frame for cells in a.cells}:
            assert_frame_equal(getattr(a, name), getattr(b, name), abs_tol=1e-9)


@QUICK
@given(many_ratings())
def test_shares_add_up_to_one_and_lie_in_their_intervals(data: pl.DataFrame) -> None:
    result = distribution(data, scale=SCALE, by="dept")
    for frame, key in ((result.shares, "group"), (result.total_shares, "scope")):
        sums = frame.group_by(key).agg(
            pl.col("share").sum(), pl.col("count").sum(), pl.col("ratings").first()
        )
        assert np.allclose(sums["share"].to_numpy(), 1)
        assert sums["count"].to_list() == sums["ratings"].to_list()
        assert frame.select(
            (pl.col("low") <= pl.col("share") + 1e-12).all()
            & (pl.col("share") <= pl.col("high") + 1e-12).all()
        ).to_series()[0] in (True,)
    assert result.groups["ratings"].sum() == data.height


@QUICK
@given(many_ratings())
def test_superiority_over_the_rest_of_two_groups_mirrors(data: pl.DataFrame) -> None:
    two = data.with_columns(
        pl.when(pl.col("dept") < "d").then(pl.lit("x")).otherwise(pl.lit("y")).alias("dept")
    )
    groups = distribution(two, scale=SCALE, by="dept").groups
    if groups.height == 2:
        assert abs(groups["superiority"].sum() - 1) < 1e-9
        assert abs(groups["difference"].sum()) < 1e-9
        assert groups["difference_low"][0] is None or np.isclose(
            groups["difference_low"][0], -groups["difference_high"][1]
        )


@QUICK
@given(many_ratings())
def test_no_moves_are_needed_exactly_when_the_counts_meet_the_guidance(data: pl.DataFrame) -> None:
    for guidance in (PRESETS[0].on(4), PRESETS[2].on(4), PRESETS[3].on(4)):
        units = guidance_fit(data, scale=SCALE, by="dept", guidance=guidance, minimum=1).units
        judged = units.filter(pl.col("feasible"))
        assert (judged["moves"] == 0).to_list() == judged["inside"].to_list()
        assert not units.filter(~pl.col("feasible"))["inside"].any()


@QUICK
@given(
    st.lists(st.integers(0, 5), min_size=3, max_size=3),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=3, max_size=3),
)
def test_fewest_moves_are_what_a_search_finds(counts: list[int], ends: list[tuple[int, int]]) -> None:
    n = sum(counts)
    low = np.array([min(pair) for pair in ends])
    high = np.array([max(pair) for pair in ends])
    reachable = [
        sum(max(0, a - b) for a, b in zip(counts, table, strict=True))
        for table in product(*(range(a, b + 1) for a, b in zip(low, high, strict=True)))
        if sum(table) == n
    ]
    if reachable:
        assert fewest_moves(np.array(counts), low, high) == min(reachable)


@QUICK
@given(many_ratings())
def test_pools_share_nobody_and_lose_nobody(data: pl.DataFrame) -> None:
    tree = {"a": "n", "b": "n", "c": "s", "d": "s", "e": "s", "n": "all", "s": "all", "f": "all", "all": None}
    fit = guidance_fit(data, scale=SCALE, by="dept", guidance=PRESETS[0].on(4), tree=tree)
    assert fit.units["people"].sum() == fit.members["people"].sum()
    assert fit.bands["count"].sum() == fit.units["people"].sum()
    judged = set(fit.members["unit"].drop_nulls())
    assert judged == set(fit.units.filter(pl.col("p").is_not_null())["unit"])


@QUICK
@given(many_ratings(), st.integers(2, 12))
def test_nothing_of_a_small_group_survives_release(data: pl.DataFrame, minimum: int) -> None:
    custom = Guidance("custom", (Band((1,), least=0.05), Band((4,), most=0.3)))
    for result in (
        distribution(data, scale=SCALE, by="dept"),
        guidance_fit(data, scale=SCALE, by="dept", guidance=custom),
        change(data, scale=SCALE, by="dept", before="1", after="2"),
    ):
        released: Released[object] = release(result, as_of=date(2026, 6, 30), minimum=minimum)
        for cells in result.cells:
            before, after = getattr(result, cells.frame), getattr(released.value, cells.frame)
            small = (before[cells.people] < minimum).to_list()
            rows = after.select(cells.values).rows()
            assert all(set(row) == {None} for row, is_small in zip(rows, small, strict=True) if is_small)
            # What is left of a hidden row names it and nothing more.
            kept = set(after.columns) - set(cells.values)
            assert kept <= {
                "group",
                "level",
                "unit",
                "band",
                "pooled",
                "scope",
                "test",
                "effect",
                "stayers_of",
            }
