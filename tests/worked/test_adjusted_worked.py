"""Adjusted ratings, doubtful orders and attainment by hand."""

from __future__ import annotations

from datetime import date, datetime

import numpy as np
import polars as pl
import pytest
from scipy import stats

from analytics.severity.adjusted import _chances, _range
from analytics.severity.evidence import attainment
from analytics.severity.ranking import Standing, among_best, compare

THRESHOLDS = np.array([-1.0, 0.0, 1.0])


def chances(given: int, *, severity: float, doubt: float = 0.0, work: float = 0.0) -> np.ndarray:
    """Of one rating on four levels by a rater of known or doubtful severity; chance has deviation 1."""
    return _chances(
        np.array([given]),
        THRESHOLDS,
        work=np.array([work]),
        variance=np.array([0.0]),
        falls=np.array([0.0]),
        severity=np.array([severity]),
        doubt=np.array([doubt]),
        chance=1.0,
    )[0]


def test_without_severity_and_without_doubt_every_rating_stays() -> None:
    for given in range(4):
        stays = [float(level == given) for level in range(4)]
        assert chances(given, severity=0.0) == pytest.approx(stays, abs=1e-12)


def test_half_a_step_of_leniency_takes_down_what_lay_in_the_lower_half() -> None:
    # Level 2 says the judgement lay in (0, 1]. Without a leniency of .5 it lies in (-.5, .5]: below nought
    # if it lay in (0, .5]. The judgement is normal about work + severity = .5, so that half of (0, 1] is
    # exactly half of the area.
    assert chances(2, severity=0.5) == pytest.approx([0.0, 0.5, 0.5, 0.0])


def test_a_whole_step_of_severity_lifts_a_level_for_sure() -> None:
    # (0, 1] becomes (1, 2], which is level 3 whole.
    assert chances(2, severity=-1.0) == pytest.approx([0.0, 0.0, 0.0, 1.0])


def test_the_lowest_level_of_a_lenient_rater_stays_the_lowest() -> None:
    assert chances(0, severity=0.7) == pytest.approx([1.0, 0.0, 0.0, 0.0])


def test_where_in_the_step_a_judgement_lay_follows_from_the_work() -> None:
    # Level 2, leniency .25, work .25: normal about .5, in (0, 1]; it leaves the level if it lay in (0, .25].
    centre = stats.norm(0.5, 1.0)
    left = (centre.cdf(0.25) - centre.cdf(0.0)) / (centre.cdf(1.0) - centre.cdf(0.0))
    assert chances(2, severity=0.25, work=0.25) == pytest.approx([0.0, left, 1.0 - left, 0.0])
    # Of somebody who works much better it lay higher up, and leaves the level less often.
    assert chances(2, severity=0.25, work=2.0)[1] < left


def test_doubt_about_a_severity_moves_ratings_both_ways() -> None:
    found = chances(1, severity=0.0, doubt=0.25, work=-0.5)
    # Level 1 is (-1, 0], and the judgement lies about its middle: what doubt takes up it takes down as well.
    assert found[0] == pytest.approx(found[2] + found[3], rel=1e-6)
    # By hand: P(Z - b <= -1) with Z between -1 and 0 needs b > Z + 1, even in [0, 1] but for the bell.
    assert 0.2 < 2.0 * found[0] < 0.5


def test_a_range_is_the_fewest_neighbouring_levels_that_hold_enough() -> None:
    found = _range(np.array([[0.05, 0.45, 0.4, 0.1], [0.0, 0.85, 0.1, 0.05], [0.3, 0.3, 0.2, 0.2]]), 0.8)
    # .45 + .4 = .85; .85 alone; .3 + .3 + .2 = .8.
    assert np.column_stack(found).tolist() == [[1, 2], [1, 1], [0, 2]]


def standing(rows: list[tuple[str, float, float]], shares: list[tuple[str, str, float, float]]) -> Standing:
    """People with performance and own variance; per person what they share, with weight and variance."""
    return Standing(
        people=pl.DataFrame(
            {
                "ratee_id": [row[0] for row in rows],
                "department_id": ["d"] * len(rows),
                "performance": [row[1] for row in rows],
                "standard_error": [1.0] * len(rows),
                "n_ratings": [1] * len(rows),
                "n_raters": [1] * len(rows),
                "component": [2 if row[0].startswith("z") else 1 for row in rows],
            }
        ),
        cycle_id="c",
        _known=pl.DataFrame({"ratee_id": [row[0] for row in rows], "variance": [row[2] for row in rows]}),
        _shares=pl.DataFrame(
            shares,
            schema={"ratee_id": pl.String, "of": pl.String, "weight": pl.Float64, "doubt": pl.Float64},
            orient="row",
        ),
    )


def test_what_two_people_share_does_not_make_their_difference_doubtful() -> None:
    rows = [("a", 0.5, 0.02), ("b", 0.0, 0.02)]
    same = standing(rows, [("a", "rater m", -0.8, 0.09), ("b", "rater m", -0.8, 0.09)])
    apart = standing(rows, [("a", "rater m", -0.8, 0.09), ("b", "rater n", -0.8, 0.09)])
    # Of one rater: sd = sqrt(.02 + .02) = .2, and .5 / .2 = 2.5 deviations.
    assert compare(same, first="a", second="b").above == pytest.approx(stats.norm.cdf(2.5))
    # Of two: sd = sqrt(.04 + 2 * .64 * .09) = sqrt(.1552).
    assert compare(apart, first="a", second="b").above == pytest.approx(stats.norm.cdf(0.5 / 0.1552**0.5))
    assert compare(same, first="a", second="b").told
    assert not compare(apart, first="a", second="b").told


def test_a_comparison_read_the_other_way_round_is_the_rest() -> None:
    known = standing([("a", 0.3, 0.05), ("b", 0.0, 0.05)], [])
    there, back = compare(known, first="a", second="b"), compare(known, first="b", second="a")
    assert there.above is not None
    assert back.above is not None
    assert there.above + back.above == pytest.approx(1.0)


def test_people_without_a_chain_of_raters_between_them_are_not_compared() -> None:
    found = compare(standing([("a", 0.5, 0.1), ("z", 0.0, 0.1)], []), first="a", second="z")
    assert (found.above, found.difference, found.told) == (None, None, False)


def test_chances_to_be_among_the_best_add_up_to_their_number() -> None:
    known = standing([(f"p{i}", 0.1 * i, 0.04) for i in range(10)], [])
    found = among_best(known, people=[f"p{i}" for i in range(10)], k=3, seed=1)
    assert found["chance"].sum() == pytest.approx(3.0)
    assert found["ratee_id"][0] == "p9"
    assert found["chance"].to_list() == sorted(found["chance"].to_list(), reverse=True)


def test_of_two_the_chance_to_be_the_best_is_that_of_being_above() -> None:
    known = standing([("a", 0.2, 0.05), ("b", 0.0, 0.05)], [])
    best = among_best(known, people=["a", "b"], k=1, seed=2)
    above = compare(known, first="a", second="b").above
    # 20,000 draws: one standard error is at most .0036.
    assert best.filter(pl.col("ratee_id") == "a")["chance"].item() == pytest.approx(above, abs=0.015)


GOALS = {
    "goal_id": pl.String,
    "parent_id": pl.String,
    "scope": pl.String,
    "framework": pl.String,
    "perspective": pl.String,
    "kind": pl.String,
    "unit": pl.String,
    "baseline": pl.Float64,
    "target": pl.Float64,
    "weight": pl.Float64,
    "owner_id": pl.String,
    "department_id": pl.String,
    "cycle_id": pl.String,
    "cadence_days": pl.Int64,
    "start_on": pl.Date,
    "due_on": pl.Date,
    "status": pl.String,
    "completed_on": pl.Date,
    "agreed_on": pl.Date,
    "version": pl.Int64,
}
CYCLES = pl.DataFrame({"cycle_id": ["H1"], "starts_on": [date(2026, 1, 1)], "ends_on": [date(2026, 6, 30)]})


def goal(name: str, owner: str, target: float, **given: object) -> dict[str, object]:
    return {
        **dict.fromkeys(GOALS),
        "goal_id": name,
        "scope": "individual",
        "kind": "reach",
        "baseline": 0.0,
        "target": target,
        "owner_id": owner,
        "cycle_id": "H1",
        "start_on": date(2026, 1, 1),
        "due_on": date(2026, 6, 30),
        "status": "active",
        **given,
    }


def attained(goals: list[dict[str, object]], values: dict[str, tuple[float, date]]) -> pl.DataFrame:
    check_ins = pl.DataFrame(
        [
            (name, datetime(day.year, day.month, day.day), value, None, None)
            for name, (value, day) in values.items()
        ],
        schema={
            "goal_id": pl.String,
            "checked_at": pl.Datetime,
            "value": pl.Float64,
            "target": pl.Float64,
            "confidence": pl.Float64,
        },
        orient="row",
    )
    return attainment(pl.DataFrame(goals, schema=GOALS, orient="row"), check_ins, CYCLES)


def test_attainment_is_the_capped_weighted_mean_as_known_when_the_cycle_ended() -> None:
    found = attained(
        [
            goal("g1", "ann", 10.0, weight=0.75),
            goal("g2", "ann", 10.0, weight=0.25),
            goal("g3", "bob", 10.0),
        ],
        # g1 is half way; g2 overshoots and counts as whole; what happened to g3 in July is not known in June.
        {"g1": (5.0, date(2026, 6, 1)), "g2": (14.0, date(2026, 6, 1)), "g3": (10.0, date(2026, 7, 2))},
    )
    # Ann: .75 * .5 + .25 * 1 = .625. Of Bob nothing is known, which is not nought.
    assert found.select("ratee_id", "attainment", "n_goals").rows() == [("ann", 0.625, 2)]
    # Weights .75 and .25 tell as much as 1 / (.75^2 + .25^2) = 1.6 equal goals; variance of .5 and 1: .125.
    assert found.select("pieces", "inside").row(0) == pytest.approx((1.6, 0.125))


def test_a_goal_given_up_counts_with_what_was_reached_and_a_draft_not_at_all() -> None:
    found = attained(
        [
            goal("g1", "ann", 10.0, status="abandoned"),
            goal("g2", "ann", 10.0, status="draft"),
            goal("g3", "ann", 10.0, status="done", completed_on=date(2026, 5, 1)),
        ],
        {"g1": (2.0, date(2026, 3, 1)), "g2": (9.0, date(2026, 3, 1))},
    )
    # (.2 + 1) / 2: done without a check-in is done.
    assert found.select("attainment", "n_goals").row(0) == pytest.approx((0.6, 2))


def test_a_goal_that_names_no_cycle_belongs_to_the_one_it_was_due_in() -> None:
    found = attained(
        [
            goal("g1", "ann", 10.0, cycle_id=None),
            goal("g2", "ann", 10.0, cycle_id=None, due_on=date(2026, 12, 31)),
        ],
        {"g1": (4.0, date(2026, 5, 1)), "g2": (9.0, date(2026, 5, 1))},
    )
    assert found.select("attainment", "n_goals").row(0) == pytest.approx((0.4, 1))
