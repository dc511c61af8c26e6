"""What holds for any links: plans are as short as can be, and numbers agree with brute force."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from analytics.policy import MOST_EXTRA_REVIEWS
from analytics.severity.linkage import information as information_module
from analytics.severity.linkage.comparability import comparability
from analytics.severity.linkage.graph import cuts, linkage
from analytics.severity.linkage.information import Variances, information
from tests.severity_company import company

VARIANCES = Variances(rater=0.1, residual=0.3, pair=0.1)
PAIRS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 14), st.integers(0, 2)), min_size=1, max_size=30)


def frame(pairs: list[tuple[int, int, int]]) -> pl.DataFrame:
    return pl.DataFrame(
        [(f"m{a}", f"p{b:02}", f"d{b % 3}" if c else None, "manager") for a, b, c in pairs],
        schema=dict.fromkeys(["rater_id", "ratee_id", "department_id", "source"], pl.String),
        orient="row",
    )


def with_reviews(rows: pl.DataFrame, reviews: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([rows, reviews.select("rater_id", "ratee_id")], how="diagonal")


@given(pairs=PAIRS)
@settings(max_examples=80, deadline=None, derandomize=True)
def test_the_plan_connects_everybody_with_as_few_reviews_as_it_takes(
    pairs: list[tuple[int, int, int]],
) -> None:
    rows = frame(pairs)
    plan = comparability(rows).reviews.filter(pl.col("purpose") == "connect")
    apart = linkage(rows).components.height
    assert plan.height == apart - 1
    assert linkage(with_reviews(rows, plan)).components.height == 1
    # After each step as many raters hang together as it says.
    for step in range(1, plan.height + 1):
        done = linkage(with_reviews(rows, plan.head(step)))
        joined = done.raters.filter(rater_id=plan["rater_id"][step - 1])["component"][0]
        assert done.raters.filter(component=joined).height == plan["n_connected"][step - 1]


@given(pairs=PAIRS)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_with_two_reviews_for_each_group_no_join_hangs_on_one_person(
    pairs: list[tuple[int, int, int]],
) -> None:
    rows = frame(pairs)
    plan = comparability(rows, secure=True).reviews.filter(pl.col("purpose") != "strengthen")
    assert plan.height == 2 * (linkage(rows).components.height - 1)
    for person in plan["ratee_id"].unique():
        assert linkage(with_reviews(rows, plan.filter(pl.col("ratee_id") != person))).components.height == 1


@given(pairs=PAIRS, seed=st.integers(0, 1_000))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_the_order_of_rows_does_not_matter(pairs: list[tuple[int, int, int]], seed: int) -> None:
    rows = frame(pairs)
    first = comparability(rows, variances=VARIANCES, secure=True)
    second = comparability(
        rows.sample(fraction=1.0, shuffle=True, seed=seed), variances=VARIANCES, secure=True
    )
    for name in ("raters", "components", "departments", "bridges", "people", "kinds", "reviews"):
        assert_frame_equal(getattr(first, name), getattr(second, name), check_exact=True)


@given(pairs=PAIRS)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_nobody_rates_themselves_or_is_asked_too_often(pairs: list[tuple[int, int, int]]) -> None:
    # Raters are people of the company: they can be rated as well.
    rows = frame(pairs).with_columns(pl.col("ratee_id").str.replace("p0", "m"))
    rows = rows.filter(pl.col("rater_id") != pl.col("ratee_id"))
    assume(rows.height)
    found = comparability(rows, secure=True)
    plan = found.reviews
    assert (plan["rater_id"] != plan["ratee_id"]).all()
    rated = set(rows.select("rater_id", "ratee_id").iter_rows())
    assert not rated & set(plan.select("rater_id", "ratee_id").iter_rows())
    joins = plan.filter(pl.col("purpose") != "strengthen")
    for who in ("rater_id", "ratee_id"):
        assert (joins.group_by(who).len()["len"] <= MOST_EXTRA_REVIEWS.value).all()


@given(pairs=PAIRS)
@settings(max_examples=80, deadline=None, derandomize=True)
def test_whoever_is_taken_away_the_lasting_set_stays_linked_and_no_larger_set_does(
    pairs: list[tuple[int, int, int]],
) -> None:
    rows = frame(pairs)
    lasting = cuts(rows).lasting["rater_id"]
    inside = rows.filter(pl.col("rater_id").is_in(lasting.implode()))
    people = rows["ratee_id"].unique()

    def together(raters: frozenset[str]) -> bool:
        """Whether all of them stay in one component of everybody's ratings without any one person."""
        for person in [None, *people]:
            left = linkage(rows if person is None else rows.filter(pl.col("ratee_id") != person)).raters
            found = left.filter(pl.col("rater_id").is_in(list(raters)))
            if found.height < len(raters) or found["component"].n_unique() > 1:
                return False
        return True

    if lasting.len() > 1:
        assert together(frozenset(lasting))
        # It also holds by its own ratings alone.
        assert linkage(inside).components.height == 1
        assert cuts(inside).people.is_empty()
    others = [rater for rater in rows["rater_id"].unique() if rater not in set(lasting)]
    assert not any(together(frozenset([*lasting, other])) for other in others if lasting.len() > 1)


@given(pairs=PAIRS, often=st.integers(1, 3))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_nobody_is_cut_off_by_anybody_just_when_all_raters_who_count_last(
    pairs: list[tuple[int, int, int]], often: int
) -> None:
    rows = frame(pairs)
    largest = linkage(rows).raters.filter(component=1)
    counted = largest.filter(pl.col("n_ratees") >= often)["rater_id"].to_list()
    assume(counted)
    found = cuts(rows, counted=counted)
    lost = set(counted) - set(found.lasting["rater_id"])
    assert bool(lost) == bool(found.people["n_cut_off"].sum())
    assert found.people["n_cut_off"].max() is None or found.people["n_cut_off"].max() <= len(lost)


@given(pairs=PAIRS, who=st.integers(0, 9))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_a_predicted_reliability_is_that_of_the_ratings_with_the_review_added(
    pairs: list[tuple[int, int, int]], who: int
) -> None:
    rows = frame(pairs)
    rater = rows["rater_id"][who % rows.height]
    free = sorted(set(rows["ratee_id"]) - set(rows.filter(rater_id=rater)["ratee_id"]))
    assume(free)
    told = information(rows, variances=VARIANCES)
    chosen = free[:2]
    added = pl.DataFrame({"rater_id": [rater] * len(chosen), "ratee_id": chosen})
    after = information(with_reviews(rows, added), variances=VARIANCES).raters.filter(rater_id=rater)
    assert told.reliability_after(rater, chosen) == pytest.approx(after["reliability"][0], abs=1e-9)
    before = told.raters.filter(rater_id=rater)["reliability"][0]
    assert before <= after["reliability"][0] + 1e-12


@given(pairs=PAIRS)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_information_is_what_least_squares_with_a_level_for_every_person_gives(
    pairs: list[tuple[int, int, int]],
) -> None:
    rows = frame(pairs)
    links, told = linkage(rows).raters, information(rows)
    raters, ratees = rows["rater_id"].unique().sort(), rows["ratee_id"].unique().sort()
    design = np.zeros((rows.height, raters.len() + ratees.len()))
    for i, (rater, ratee) in enumerate(rows.select("rater_id", "ratee_id").iter_rows()):
        design[i, raters.index_of(rater)] = design[i, raters.len() + ratees.index_of(ratee)] = 1.0
    covariance = np.linalg.pinv(design.T @ design)
    component = links["component"].to_numpy()
    for j, good in enumerate(told.raters["as_good_as"]):
        others = np.flatnonzero((component == component[j]) & (np.arange(component.size) != j))
        if not others.size:
            assert good == 0.0
            continue
        contrast = np.zeros(design.shape[1])
        contrast[j], contrast[others] = 1.0, -1.0 / others.size
        assert good == pytest.approx(2.0 / (contrast @ covariance @ contrast), rel=1e-6)
    carried = told.people["carries"].sum()
    assert carried == pytest.approx(raters.len() - links["component"].n_unique(), abs=1e-8)


def test_probes_agree_with_the_dense_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = company(3, people=400, raters=80, departments=4).ratings
    exact = information(rows, variances=VARIANCES)
    monkeypatch.setattr(information_module, "MOST_DENSE", 10)
    probed = information(rows, variances=VARIANCES, seed=5)
    assert (exact.exact, probed.exact) == (True, False)
    assert_frame_equal(probed.raters, information(rows, variances=VARIANCES, seed=5).raters)
    both = exact.raters.join(probed.raters, on="rater_id", suffix="_probed")
    # 200 probes: a relative standard deviation of sqrt(2 / 200) = 10 %.
    ratio = (both["as_good_as_probed"] / both["as_good_as"]).to_numpy()
    assert abs(ratio.mean() - 1.0) < 0.05
    assert ratio.std() < 0.15
    assert (both["reliability_probed"] - both["reliability"]).abs().max() < 0.05
    assert probed.people["carries"].sum() == pytest.approx(exact.people["carries"].sum(), rel=0.05)


def test_reliabilities_are_what_they_say_when_severities_are_known() -> None:
    # Severities and ratings drawn by the model; predicted from differences within people alone. The share
    # of a rater's severity that is known over many draws is the reliability.
    rng = np.random.default_rng(7)
    rows = company(1, people=60, raters=12, departments=3, cycles=2).ratings.select("rater_id", "ratee_id")
    variances = Variances(rater=0.2, residual=0.5)
    told = information(rows, variances=variances).raters
    raters, ratees = rows["rater_id"].unique().sort(), rows["ratee_id"].unique().sort()
    j = np.array([raters.index_of(one) for one in rows["rater_id"]])
    i = np.array([ratees.index_of(one) for one in rows["ratee_id"]])
    draws = 4_000
    severity = np.sqrt(0.2) * rng.standard_normal((draws, raters.len()))
    level = 10.0 * rng.standard_normal((draws, ratees.len()))
    score = severity[:, j] + level[:, i] + np.sqrt(0.5) * rng.standard_normal((draws, rows.height))
    times = np.bincount(i).astype(float)
    means = np.stack([np.bincount(i, row) for row in score]) / times
    within = np.stack([np.bincount(j, row, raters.len()) for row in score - means[:, i]])
    counts = np.zeros((ratees.len(), raters.len()))
    np.add.at(counts, (i, j), 1.0)
    laplacian = np.diag(counts.sum(0)) - counts.T @ (counts / times[:, None])
    predicted = within / 0.5 @ np.linalg.inv(laplacian / 0.5 + np.eye(raters.len()) / 0.2)
    known = 1.0 - ((predicted - severity) ** 2).mean(axis=0) / 0.2
    # A variance over 4,000 draws has a relative standard deviation of sqrt(2 / 4000) = .022.
    np.testing.assert_allclose(told["reliability"].to_numpy(), known, atol=0.05)
