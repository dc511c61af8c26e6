"""Linkage and the measures of a facet, by hand."""

from __future__ import annotations

import polars as pl
import pytest

from analytics.severity.linkage.graph import linkage
from analytics.severity.verdicts import strata


def pairs(**rated: str) -> pl.DataFrame:
    """``pairs(ann="xy")`` says that ann rated x and y."""
    return pl.DataFrame(
        [(rater, ratee) for rater, ratees in rated.items() for ratee in ratees],
        schema={"rater_id": pl.String, "ratee_id": pl.String},
        orient="row",
    )


def test_raters_are_linked_through_shared_ratees_only() -> None:
    # ann - x - bob - y - eva; dan rates nobody that others rate.
    found = linkage(pairs(ann="wx", bob="xy", eva="yz", dan="uv"))
    assert found.raters.rows() == [
        # rater, component, ratings, ratees, shared, hangs on one
        ("ann", 1, 2, 2, 1, True),  # without x ann is alone, bob and eva still hold together
        ("bob", 1, 2, 2, 2, False),  # without x bob is with eva, two of three
        ("dan", 2, 2, 2, 0, False),
        ("eva", 1, 2, 2, 1, True),
    ]
    # Component 1: ratees w x y z, ratings 2 + 2 + 2.
    assert found.components.rows() == [(1, 3, 4, 6), (2, 1, 2, 2)]


def test_two_shared_ratees_do_not_hang_on_one_person() -> None:
    assert linkage(pairs(ann="xy", bob="xy")).raters["hangs_on_one"].to_list() == [False, False]


def test_two_raters_who_share_one_person_both_hang_on_that_person() -> None:
    assert linkage(pairs(ann="wx", bob="xy")).raters["hangs_on_one"].to_list() == [True, True]


def test_rating_the_same_person_twice_is_one_ratee_and_two_ratings() -> None:
    found = linkage(pairs(ann="xx", bob="x"))
    assert found.raters.select("n_ratings", "n_ratees").rows() == [(2, 1), (1, 1)]


def test_one_manager_per_employee_gives_as_many_components_as_raters() -> None:
    found = linkage(pairs(ann="abc", bob="def", eva="ghi"))
    assert found.components["n_raters"].to_list() == [1, 1, 1]


def test_strata_of_a_published_separation() -> None:
    # Separation 2.17 gives (4 * 2.17 + 1) / 3 = 3.2267 strata.
    assert strata(2.17) == pytest.approx(3.2267, abs=1e-4)
