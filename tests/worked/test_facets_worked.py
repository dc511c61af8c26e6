"""Many facets by hand, and against a search that integrates everything the slow way."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize

from analytics.severity.differential import shrink
from analytics.severity.engines.rating_scale import fit_rating_scale
from analytics.severity.facets import differences


def test_three_raters_half_a_logit_apart_by_hand() -> None:
    # w = 1 / .1^2 = 100. sum w b^2 = 100 (.25 + 0 + .25) = 50, (sum w b)^2 = 0: chi-square 50 on 2.
    # Variance of b = .5 / 2 = .25, mean square error .01, true variance .24, G = sqrt(.24) / .1 = 4.899,
    # strata (4 * 4.899 + 1) / 3 = 6.865, reliability 24 / 25 = .96.
    found = differences([-0.5, 0.0, 0.5], [0.1, 0.1, 0.1])
    assert found.chi_square == pytest.approx(50.0)
    assert found.freedom == 2
    assert found.chance == pytest.approx(math.exp(-25.0))
    assert found.rmse == pytest.approx(0.1)
    assert found.separation == pytest.approx(math.sqrt(24.0))
    assert found.strata == pytest.approx((4 * math.sqrt(24.0) + 1) / 3)
    assert found.reliability == pytest.approx(0.96)


def test_raters_alike_are_not_told_apart() -> None:
    # Variance of b = .0001 is less than the mean square error .01: nothing is left.
    found = differences([-0.01, 0.0, 0.01], [0.1, 0.1, 0.1])
    assert (found.true_sd, found.separation, found.reliability) == (0.0, 0.0, 0.0)


def data(seed: int) -> tuple[np.ndarray, ...]:
    """60 people, each judged by two of three raters on one or two dimensions, three levels."""
    rng = np.random.default_rng(seed)
    rows = []
    for person in range(60):
        ability = rng.normal(0, 1.2)
        for rater in rng.choice(3, 2, replace=False):
            halo = rng.normal(0, 0.8)
            for item in range(1 if rng.random() < 0.3 else 2):
                place = ability + halo + (-0.6, 0.1, 0.5)[rater] + (0.2, -0.2)[item]
                logs = np.cumsum([0.0, place + 1.0, place - 1.0])
                chances = np.exp(logs - logs.max())
                rows.append((rng.choice(3, p=chances / chances.sum()), person, rater, item))
    level, person, rater, item = np.array(rows).T
    return level, person, rater, item


def slow(
    parameters: np.ndarray, level: np.ndarray, person: np.ndarray, rater: np.ndarray, item: np.ndarray
) -> float:
    """Minus the log likelihood, every judgement at every point of a grid of abilities and impressions."""
    raters = np.array([parameters[0], parameters[1], -parameters[0] - parameters[1]])
    items = np.array([parameters[2], -parameters[2]])
    steps, sd, halo = parameters[3:5], math.exp(parameters[5]), math.exp(parameters[6])
    z = np.linspace(-6, 6, 49)
    weight = np.exp(-(z**2) / 2)
    weight /= weight.sum()
    place = (sd * z)[:, None] + halo * z
    total = 0.0
    for one in range(int(person.max()) + 1):
        given = np.ones(z.size)
        for by in np.unique(rater[person == one]):
            chance = np.ones(place.shape)
            for row in np.flatnonzero((person == one) & (rater == by)):
                at = place + raters[by] + items[item[row]]
                logs = np.stack([np.zeros_like(at), at - steps[0], 2 * at - steps.sum()])
                chance *= np.exp(logs[level[row]]) / np.exp(logs).sum(axis=0)
            given *= chance @ weight
        total += math.log(float(given @ weight))
    return -total


def test_the_fit_is_where_the_slow_integral_is_highest() -> None:
    level, person, rater, item = data(4)
    testlet = person * 3 + rater
    fit = fit_rating_scale(
        level, person=person, between={"rater": rater}, within={"item": item}, testlet=testlet, points=15
    )
    start = np.concatenate(
        [
            fit.facets["rater"].values[:2],
            fit.facets["item"].values[:1],
            fit.steps - fit.ability_mean,
            [math.log(fit.ability_sd), math.log(fit.halo_sd)],
        ]
    )
    arguments = (level, person, rater, item)
    assert fit.log_likelihood == pytest.approx(-slow(start, *arguments), abs=1e-4)
    # At the top every direction is level: the slow gradient there is as good as nought.
    gradient = optimize.approx_fprime(start, slow, 1e-5, *arguments)
    assert np.abs(gradient).max() < 2e-3
    # And one Newton step of the slow likelihood moves no parameter by more than 1e-4.
    found = optimize.minimize(
        slow, start, args=arguments, method="BFGS", options={"gtol": 1e-4, "maxiter": 4}
    )
    assert np.abs(found.x - start).max() < 1e-4 or found.fun > -fit.log_likelihood - 1e-6


def test_an_expected_level_by_hand() -> None:
    # Steps -1 and 1, place 0: weights 1, e^1, e^0 over 2 + e: mean 1 by symmetry, variance 2 / (2 + e).
    level, person, rater, item = data(4)
    fit = fit_rating_scale(level, person=person, between={"rater": rater, "item": item})
    low, high = fit.steps
    weights = np.array([1.0, math.exp(-low), math.exp(-low - high)])
    mean = float(weights @ [0, 1, 2] / weights.sum())
    variance = float(weights @ [0, 1, 4] / weights.sum()) - mean**2
    found = fit.expected(0.0)
    assert float(found[0]) == pytest.approx(mean)
    assert float(found[1]) == pytest.approx(variance)


def test_one_far_estimate_among_noughts_stands_and_the_rest_shrink() -> None:
    # Fifty estimates with error .25 as chance has them, and one of 2.0: eight errors out.
    rng = np.random.default_rng(2)
    estimates = np.append(0.25 * rng.standard_normal(50), 2.0)
    found = shrink(estimates, np.full(51, 0.25))
    assert found.mean[-1] > 1.6
    assert found.false_sign_rate[-1] < 1e-6
    assert np.abs(found.mean[:-1]).max() < 0.15
    assert found.weights[0] + found.weights[1] > 0.5
