"""What is said about a rater's severity over the cycles, and what is not."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

from analytics.disclosure import release
from analytics.policy import FALSE_SIGN_RATE, MINIMUM_MOODS
from analytics.severity import Severity, linear, severity
from analytics.severity.drift import DRIFTS, UNTOLD, Drift, drift
from tests.severity_company import Company, company


@pytest.fixture(scope="module")
def made() -> Company:
    return company(21, people=300, raters=30, departments=3, cycles=4, mood_sd=0.4, standards=(0.2,))


@pytest.fixture(scope="module", params=["exact", "iterative"])
def fitted(request: pytest.FixtureRequest, made: Company) -> Severity:
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "iterative":
            patch.setattr(linear, "_MOST_EXACT", 0)
        return severity(made.ratings)


@pytest.fixture(scope="module")
def drifts(fitted: Severity) -> Drift:
    return drift(fitted, raters=fitted.raters["rater_id"].to_list())


def test_the_severity_of_a_cycle_is_the_lasting_one_and_the_mood_of_that_cycle(
    made: Company, drifts: Drift
) -> None:
    truth = [
        made.severity[rater] + made.mood[rater, cycle]
        for rater, cycle in drifts.cycles.select("rater_id", "cycle_id").iter_rows()
    ]
    assert drifts.cycles.height == 30 * 4
    assert np.corrcoef(truth, drifts.cycles["severity"].to_numpy())[0, 1] > 0.85
    covered = (drifts.cycles["low"] <= pl.Series(truth)) & (pl.Series(truth) <= drifts.cycles["high"])
    # 120 intervals of 95 %: six are missed on average, twelve or more hardly ever.
    assert covered.sum() >= 108


def test_changes_are_between_one_cycle_and_the_next_and_from_first_to_last(drifts: Drift) -> None:
    one = drifts.changes.filter(pl.col("rater_id") == "m000")
    assert one.select("span", "before", "after").rows() == [
        ("step", "c0", "c1"),
        ("step", "c1", "c2"),
        ("step", "c2", "c3"),
        ("whole", "c0", "c3"),
    ]
    steps = one.filter(pl.col("span") == "step")["change"].sum()
    assert steps == pytest.approx(one.filter(pl.col("span") == "whole")["change"].item(), abs=1e-5)
    severities = drifts.cycles.filter(pl.col("rater_id") == "m000")["severity"].to_list()
    assert one["change"][0] == pytest.approx(severities[1] - severities[0], abs=1e-5)


def test_z_is_the_change_over_its_joint_standard_error(drifts: Drift) -> None:
    changes = drifts.changes
    np.testing.assert_allclose(changes["z"], changes["change"] / changes["standard_error"], rtol=1e-9)
    # What lasts cancels: a change is surer than the two severities it lies between would be alone.
    one = drifts.cycles.filter(pl.col("rater_id") == "m000")["standard_error"].to_list()
    step = changes.filter(pl.col("rater_id") == "m000")["standard_error"][0]
    assert step < np.hypot(one[0], one[1])


def test_verdicts_follow_from_size_and_sureness(drifts: Drift) -> None:
    changes, practical = drifts.changes, drifts.practical
    assert practical is not None
    assert set(changes["verdict"]) <= set(DRIFTS)
    moved = changes.filter(pl.col("verdict").is_in(["softer", "harder"]))
    assert moved.height > 5
    assert (moved["change"].abs() >= practical).all()
    assert (moved["false_sign_rate"] <= FALSE_SIGN_RATE.value).all()
    assert ((moved["change"] > 0) == (moved["verdict"] == "softer")).all()
    steady = changes.filter(pl.col("verdict") == "steady")
    assert (steady["low"] > -practical).all()
    assert (steady["high"] < practical).all()


def test_moved_raters_moved_that_way(made: Company, drifts: Drift) -> None:
    moved = drifts.changes.filter(pl.col("verdict").is_in(["softer", "harder"]))
    wrong = 0
    for row in moved.iter_rows(named=True):
        truth = made.mood[row["rater_id"], row["after"]] - made.mood[row["rater_id"], row["before"]]
        wrong += (truth > 0) != (row["change"] > 0)
    stated = float(moved["false_sign_rate"].sum())
    assert wrong <= stated + 2.5 * stated**0.5 + 1


def test_where_moods_do_not_differ_nobody_drifts() -> None:
    quiet = [company(seed, people=200, raters=20, departments=2, cycles=4) for seed in range(6)]
    for one in quiet:
        fitted = severity(one.ratings)
        found = drift(fitted, raters=fitted.raters["rater_id"].to_list())
        assert found.swing is not None
        if found.swing == 0.0:
            assert (found.changes["change"].abs() < 1e-9).all()
            assert set(found.changes["verdict"]) == {"steady"}
            assert (found.changes["false_sign_rate"] == 0.5).all()
        assert not found.changes["verdict"].is_in(["softer", "harder"]).any()
    assert any(drift(severity(one.ratings), raters=[]).swing == 0.0 for one in quiet)


def test_one_cycle_says_nothing_of_drift(made: Company) -> None:
    fitted = severity(made.ratings.filter(pl.col("cycle_id") == "c0"))
    assert fitted.identified
    found = drift(fitted, raters=["m000"])
    assert found.untold == "few_cycles"
    assert found.untold in UNTOLD
    assert found.cycles.is_empty()
    assert found.changes.is_empty()


def test_a_refused_fit_says_nothing_of_drift(made: Company) -> None:
    refused = severity(made.ratings.head(0))
    assert drift(refused, raters=["m000"]).untold == "refused"


def test_too_few_further_cycles_say_nothing_of_moods(made: Company) -> None:
    # Two cycles: each rater who rated several people in both gives one further cycle.
    two = made.ratings.filter(pl.col("cycle_id").is_in(["c0", "c1"]))
    assert two["rater_id"].n_unique() >= MINIMUM_MOODS.value
    fewer = int(MINIMUM_MOODS.value) - 1
    some = two.filter((pl.col("cycle_id") == "c0") | (pl.col("rater_id") < f"m{fewer:03}"))
    assert "mood" in severity(two).variances["part"]
    assert "mood" not in severity(some).variances["part"]


def test_raters_the_data_cannot_tell_about_are_left_out(fitted: Severity) -> None:
    found = drift(fitted, raters=["nobody", "m001"])
    assert set(found.cycles["rater_id"]) == {"m001"}
    none = drift(fitted, raters=["nobody"])
    assert none.untold is None
    assert none.cycles.is_empty()
    assert none.cycles.schema == found.cycles.schema
    assert none.changes.schema == found.changes.schema


def test_cycles_with_few_people_are_hidden(drifts: Drift) -> None:
    released = release(drifts, as_of=date(2026, 7, 31), minimum=9)
    cycles = released.value.cycles
    few = drifts.cycles["n_ratees"] < 9
    assert few.any()
    assert not few.all()
    assert cycles.filter(few)["severity"].null_count() == few.sum()
    assert cycles.filter(~few)["severity"].null_count() == 0
    changes = released.value.changes
    small = drifts.changes["n_ratees"] < 9
    assert changes.filter(small)["verdict"].null_count() == small.sum()
