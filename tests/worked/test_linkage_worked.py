"""Linkage and what comparisons tell, worked by hand."""

from __future__ import annotations

import polars as pl
import pytest

from analytics.severity.linkage.graph import cuts
from analytics.severity.linkage.information import Variances, information

VARIANCES = Variances(rater=0.2, residual=0.3)


def ratings(**given: str) -> pl.DataFrame:
    """One rating for each letter (a person) of each rater; a letter twice is two ratings."""
    return pl.DataFrame(
        [(rater, person) for rater, people in given.items() for person in people],
        schema=["rater_id", "ratee_id"],
        orient="row",
    )


def column(frame: pl.DataFrame, key: str, value: str) -> dict[str, float]:
    return dict(frame.select(key, value).iter_rows())


def test_two_raters_of_the_same_three_people_compare_as_well_as_three_people() -> None:
    # L = 3 (1 - 1/2) [[1, -1], [-1, 1]]: 2 L_jj = 3. The difference of the two is the mean of three
    # differences of two ratings: variance 2/3 of a rating's, so 2 / R = 3.
    found = information(ratings(ann="xyz", bob="xyz")).raters
    assert found["comparisons"].to_list() == pytest.approx([3.0, 3.0])
    assert found["as_good_as"].to_list() == pytest.approx([3.0, 3.0])


def test_a_rater_at_the_end_of_a_chain_is_compared_worse_than_the_one_in_the_middle() -> None:
    # ann - x - bob - y - eva. Each link gives a difference of variance 2.
    # ann against the mean of bob and eva: (a - b) + (b - e) / 2: 2 + 2/4 = 5/2, so 2 / R = 4/5.
    # bob: (b - a) / 2 + (b - e) / 2: 2/4 + 2/4 = 1, so 2 / R = 2.
    found = information(ratings(ann="x", bob="xy", eva="y")).raters
    assert column(found, "rater_id", "as_good_as") == pytest.approx({"ann": 0.8, "bob": 2.0, "eva": 0.8})
    assert column(found, "rater_id", "comparisons") == pytest.approx({"ann": 1.0, "bob": 2.0, "eva": 1.0})


def test_somebody_with_three_raters_compares_each_as_well_as_four_thirds_of_a_person() -> None:
    # L_jj = 1 (1 - 1/3) = 2/3. One rating against the mean of two others: 1 + 1/2 = 3/2, 2 / R = 4/3.
    found = information(ratings(ann="x", bob="x", eva="x"))
    assert found.raters["comparisons"].to_list() == pytest.approx([4 / 3] * 3)
    assert found.raters["as_good_as"].to_list() == pytest.approx([4 / 3] * 3)
    # Three raters take two links; this person carries both.
    assert column(found.people, "ratee_id", "carries") == pytest.approx({"x": 2.0})


def test_of_two_people_who_link_the_same_two_raters_each_carries_half_a_link() -> None:
    found = information(ratings(ann="xy", bob="xy", eva="z"))
    assert column(found.people, "ratee_id", "carries") == pytest.approx({"x": 0.5, "y": 0.5})


def test_rating_the_same_person_again_counts_for_less_where_likings_last() -> None:
    # Pair .1, residual .3: the mean of three ratings has .1 + .3/3 = .2 where one has .4: as good as two.
    frame = ratings(ann="xxx", bob="xxx")
    assert information(frame).raters["comparisons"].to_list() == pytest.approx([3.0, 3.0])
    lasting = information(frame, variances=Variances(rater=0.2, residual=0.3, pair=0.1))
    assert lasting.raters["comparisons"].to_list() == pytest.approx([2.0, 2.0])


def test_the_reliability_of_two_raters_of_three_people_is_a_third() -> None:
    # L / s + I / g with s = .3, g = .2 has 3/.3 + 5 = 15 along (1, -1) and 5 along (1, 1).
    # Left unknown: (1/15 + 1/5) / 2 = 2/15 of .2, so 1 - 2/3 is known.
    found = information(ratings(ann="xyz", bob="xyz"), variances=VARIANCES)
    assert found.raters["reliability"].to_list() == pytest.approx([1 / 3, 1 / 3])


def test_a_rater_nobody_shares_a_person_with_has_a_reliability_of_nought() -> None:
    found = information(ratings(ann="xyz", bob="xyz", eva="uvw"), variances=VARIANCES).raters
    eva = found.row(by_predicate=pl.col("rater_id") == "eva", named=True)
    assert (eva["comparisons"], eva["as_good_as"], eva["reliability"]) == (0.0, 0.0, 0.0)


def test_one_review_of_somebody_with_two_raters_takes_a_lone_rater_to_a_quarter() -> None:
    # With ann and bob known for sure, eva's review of x less the mean of theirs has s (1 + 1/2) = .45.
    # Their own errors: C = (L/s + I/g)^-1 for three people in common has 2/15 on the diagonal and
    # (1/5 - 1/15) / 2 = 1/15 beside it: the mean of both has (2/15 + 1/15) / 2 = .1.
    # What is left of .2: .2 - .2^2 / (.2 + .45 + .1) = .2 (1 - .2667).
    found = information(ratings(ann="xyz", bob="xyz", eva="uvw"), variances=VARIANCES)
    assert found.reliability_after("eva", ["x"]) == pytest.approx(0.2 / 0.75)


def test_how_many_reviews_a_lone_rater_needs() -> None:
    # A review like the last has a noise of .45 + .1 = .55. Half of .2 known takes a precision of 10, of
    # which 5 is there before: 5 * .55 = 2.75, so three.
    found = information(ratings(ann="xyz", bob="xyz", eva="uvw"), variances=VARIANCES)
    assert found.reviews_needed("eva", "x", target=0.5) == 3


def test_of_two_circles_joined_by_one_person_the_larger_stays_linked() -> None:
    # ann and bob share w and x; cat, dan and eva share y and z; bob and cat both rated m.
    frame = ratings(ann="wx", bob="wxm", cat="yzm", dan="yz", eva="yz")
    found = cuts(frame)
    assert column(found.people, "ratee_id", "n_cut_off") == {"m": 2}
    assert found.lasting["rater_id"].to_list() == ["cat", "dan", "eva"]


def test_somebody_whom_one_rater_hangs_on_still_links_the_others() -> None:
    # Without z the ring ann - w - bob - x - cat - y - ann still holds; kim hangs on z. Deleting z with all
    # ratings, as for firms and workers, would leave the same ring, but with z split the ring keeps z.
    frame = ratings(ann="ywz", bob="wxz", cat="xyz", kim="z")
    found = cuts(frame)
    assert column(found.people, "ratee_id", "n_cut_off") == {"z": 1}
    assert found.lasting["rater_id"].to_list() == ["ann", "bob", "cat"]


def test_a_ring_that_meets_in_split_people_only_falls_apart() -> None:
    # Everybody is linked over x alone: without x nobody is left together.
    found = cuts(ratings(ann="x", bob="x", cat="x"))
    assert column(found.people, "ratee_id", "n_cut_off") == {"x": 2}
    assert found.lasting["rater_id"].to_list() == ["ann"]
