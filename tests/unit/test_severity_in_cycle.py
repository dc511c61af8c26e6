"""The severity of one cycle is what lasts and the mood of that cycle."""

from __future__ import annotations

import polars as pl
import pytest

from analytics.severity.drift import drift, in_cycle
from analytics.severity.linear import Severity, severity
from tests.severity_company import company

MADE = company(11, mood_sd=0.3)


@pytest.fixture(scope="module")
def lasting() -> Severity:
    return severity(MADE.ratings)


def rated_in(cycle: str) -> list[str]:
    return MADE.ratings.filter(pl.col("cycle_id") == cycle)["rater_id"].unique().to_list()


def test_the_severity_of_a_cycle_is_that_of_the_raters_history(lasting: Severity) -> None:
    cycle = MADE.ratings["cycle_id"].max()
    assert isinstance(cycle, str)
    then = in_cycle(lasting, cycle_id=cycle, raters=rated_in(cycle)).raters.drop_nulls("severity")
    history = drift(lasting, raters=then["rater_id"].to_list()).cycles.filter(pl.col("cycle_id") == cycle)
    both = then.join(history, on="rater_id", suffix="_history")
    assert both.height == then.height > 10
    for column in ("severity", "standard_error", "low", "high"):
        assert both[column].to_list() == pytest.approx(both[f"{column}_history"].to_list(), abs=1e-9)


def test_intervals_of_a_cycle_hold_what_was_true_in_it(lasting: Severity) -> None:
    held = told = 0
    for cycle in sorted(set(MADE.ratings["cycle_id"])):
        then = in_cycle(lasting, cycle_id=cycle, raters=rated_in(cycle)).raters.drop_nulls("severity")
        for rater, low, high in then.select("rater_id", "low", "high").iter_rows():
            held += low <= MADE.severity[rater] + MADE.mood[rater, cycle] <= high
            told += 1
    # 150 intervals of 95 %: 142 are expected, and fewer than 134 hardly ever.
    assert told == 150
    assert held >= 134


def test_flags_of_a_cycle_announce_how_many_are_wrong_and_departments_last(lasting: Severity) -> None:
    cycle = str(MADE.ratings["cycle_id"].max())
    then = in_cycle(lasting, cycle_id=cycle, raters=rated_in(cycle))
    flags = then.raters.filter(pl.col("verdict").is_in(["lenient", "severe"]))
    assert flags.height > 0
    assert then.expected_false_flags == pytest.approx(flags["false_sign_rate"].sum())
    assert then.departments.is_empty()


def test_who_did_not_rate_in_the_cycle_is_not_in_it(lasting: Severity) -> None:
    cycle = str(MADE.ratings["cycle_id"].max())
    some = rated_in(cycle)[:7]
    assert set(in_cycle(lasting, cycle_id=cycle, raters=some).raters["rater_id"]) == set(some)


def test_where_nobody_can_be_told_nobody_is_in_one_cycle_either() -> None:
    # One cycle, everybody rated by their own manager alone.
    rows = pl.DataFrame({"rater_id": ["a"] * 6 + ["b"] * 6, "score": [3.0, 4.0] * 6}).with_row_index("i")
    alone = rows.select(
        "rater_id",
        "score",
        ratee_id=pl.format("p{}", "i"),
        cycle_id=pl.lit("one"),
        source=pl.lit("manager"),
        department_id=pl.lit("d"),
    )
    found = in_cycle(severity(alone), cycle_id="one", raters=["a", "b"])
    assert found.refusal is not None
    assert found.raters["severity"].null_count() == 2


def test_people_shared_with_others_are_counted_among_those_rated_in_the_cycle(lasting: Severity) -> None:
    cycle = str(MADE.ratings["cycle_id"].max())
    then = in_cycle(lasting, cycle_id=cycle, raters=rated_in(cycle)).raters
    # Shared is who anybody else ever rated.
    several = (
        MADE.ratings.group_by("ratee_id").agg(pl.col("rater_id").n_unique()).filter(pl.col("rater_id") > 1)
    )
    counted = (
        MADE.ratings.filter(pl.col("cycle_id") == cycle)
        .filter(pl.col("ratee_id").is_in(several["ratee_id"].implode()))
        .group_by("rater_id")
        .agg(pl.col("ratee_id").n_unique().alias("expected"))
    )
    both = then.join(counted, on="rater_id", how="left").with_columns(pl.col("expected").fill_null(0))
    assert both["n_shared"].to_list() == both["expected"].to_list()
    assert (then["n_shared"] <= then["n_ratees"]).all()
