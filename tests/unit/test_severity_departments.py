"""A department's difference is told from that of a few of its raters."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from analytics.disclosure import release
from analytics.language import Language
from analytics.severity import chart
from analytics.severity.linear import Severity, severity
from pages.kit import tables
from tests.severity_company import company


@pytest.fixture(scope="module")
def one_soft() -> Severity:
    """Five departments of four raters, in which one rater of d0 alone rates two points softer."""
    ratings = company(3, people=400, raters=20, departments=5, rater_sd=0.1).ratings
    homes = severity(ratings).raters
    soft = homes.filter(department_id="d0")["rater_id"][0]
    return severity(
        ratings.with_columns(pl.col("score") + pl.when(pl.col("rater_id") == soft).then(2.0).otherwise(0.0))
    )


def test_without_its_flagged_raters_a_difference_is_the_average_of_the_others(one_soft: Severity) -> None:
    # All raters are told about here, and a severity is the rater's own effect and the standard together:
    # the average of those not flagged the same way, by number of ratings, is what must come out.
    assert one_soft.raters["severity"].null_count() == 0
    for row in one_soft.departments.iter_rows(named=True):
        same = "lenient" if row["difference"] > 0 else "severe"
        rest = one_soft.raters.filter(
            pl.col("department_id") == row["department_id"], pl.col("verdict") != same
        )
        average = (rest["severity"] * rest["n_ratings"]).sum() / rest["n_ratings"].sum()
        assert row["difference_without"] == pytest.approx(average, abs=1e-8)


def test_a_department_is_not_blamed_for_one_rater(one_soft: Severity) -> None:
    row = one_soft.departments.row(by_predicate=pl.col("department_id") == "d0", named=True)
    assert one_soft.practical is not None
    assert row["difference"] > 2 * one_soft.practical > 2 * row["difference_without"]
    assert row["n_accounting"] == 1
    said = chart.department_reading(row, Language("en"), name="Sales", practical=one_soft.practical)
    assert row["verdict"] == "lenient"
    assert "but most of it comes from 1 rater" in said
    assert "d0 rates" not in chart.takeaway(release(one_soft, as_of=date(2026, 1, 1)), Language("en"))


def test_a_standard_that_a_department_shares_stays_the_departments() -> None:
    ratings = company(
        2, people=600, raters=80, departments=8, standards=(0.6,), rater_sd=0.15, outside=0.4
    ).ratings
    found = severity(ratings)
    row = found.departments.row(by_predicate=pl.col("department_id") == "d0", named=True)
    said = chart.department_reading(row, Language("en"), name="Sales", practical=found.practical)
    assert said.startswith("Sales rates ")
    assert "comes from" not in said


def test_where_every_rater_is_flagged_nothing_is_left_without_them() -> None:
    ratings = company(
        2,
        people=600,
        raters=80,
        departments=8,
        standards=(0.6,),
        merits=(0.0, 0.6),
        rater_sd=0.15,
        outside=0.4,
    ).ratings
    row = severity(ratings).departments.row(0, named=True)
    assert row["n_accounting"] == row["n_raters"]
    assert row["difference_without"] is None


@pytest.mark.parametrize(
    ("each", "raters", "words"),
    # 6 raters of 8 people each gave 48 ratings; of raters of 3 people only how many they are may be said.
    [(8, 6, "48 ratings by 6 raters"), (3, 6, "6 raters"), (8, 1, "8 ratings by 1 rater")],
)
def test_what_was_loaded_is_counted_though_nobody_can_be_told_about(
    each: int, raters: int, words: str
) -> None:
    ratings = pl.DataFrame(
        {
            "rater_id": [f"r{i}" for i in range(raters) for _ in range(each)],
            "ratee_id": [f"p{i}-{j}" for i in range(raters) for j in range(each)],
            "score": [float(1 + (i + j) % 5) for i in range(raters) for j in range(each)],
        }
    )
    found = severity(ratings)
    assert not found.identified
    assert tables.ratings_counted(Language("en"), release(found, as_of=date(2026, 1, 1))) == words
