"""The ordinal crossed model: derivatives, eliminations and standard errors by brute force, and hard cases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse
from threadpoolctl import threadpool_limits

from analytics.severity.engines.crossed import PAIR, NotEstimable
from analytics.severity.engines.ordinal import OrdinalFit, _design, _Grid, _System, fit_ordinal

Columns = dict[str, np.ndarray]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    # Threads of small products wait for each other where the machine is busy.
    with threadpool_limits(limits=1, user_api="blas"):
        yield


def drawn(seed: int = 3, n: int = 900) -> tuple[np.ndarray, Columns, np.ndarray, np.ndarray, np.ndarray]:
    """Levels on two scales of four and five: level, factors, pair, scale, covariate."""
    rng = np.random.default_rng(seed)
    ratee = rng.integers(0, 80, n)
    rater = (ratee * 7 + rng.integers(0, 4, n)) % 30
    standard = rater % 4
    pair = np.unique(ratee * 30 + rater, return_inverse=True)[1]
    # Five raters more who rated one person each, some of them several times.
    for other in range(30, 35):
        once = pair == 7 * (other - 29)
        rater[once], standard[once] = other, 0
    scale, x = rng.integers(0, 2, n), rng.normal(size=n)
    eta = 0.6 * x + rng.normal(size=80)[ratee] + 0.8 * rng.normal(size=35)[rater]
    eta += 0.5 * rng.normal(size=4)[standard] + 0.7 * rng.normal(size=pair.max() + 1)[pair]
    eta += rng.logistic(size=n)
    level = np.where(scale == 0, np.searchsorted([-2, 0, 1.5], eta), np.searchsorted([-1, 1, 2, 4], eta))
    return level, {"ratee": ratee, "rater": rater, "standard": standard}, pair, scale, x


def moody(factors: Columns) -> Columns:
    """The factors and the moods of raters in three cycles, which vary within a pair."""
    cycle = np.random.default_rng(8).integers(0, 3, factors["rater"].size)
    return {**factors, "mood": np.unique(factors["rater"] * 3 + cycle, return_inverse=True)[1]}


def fitted(*, paired: bool = True, moods: bool = False) -> OrdinalFit:
    level, factors, pair, scale, x = drawn()
    return fit_ordinal(
        # What raters share in a cycle has to be there to be found.
        level if not moods else np.minimum(level + (moody(factors)["mood"] % 4 == 0), 3 + scale),
        factors=moody(factors) if moods else factors,
        covariates={"x": x},
        pair=pair if paired else None,
        scale=scale,
    )


def design(factors: Columns) -> np.ndarray:
    return np.concatenate([np.eye(codes.max() + 1)[codes] for codes in factors.values()], axis=1)


def test_the_slope_of_the_likelihood_is_what_it_gains_by_a_small_step() -> None:
    level, factors, pair, scale, x = drawn()
    grid = _Grid.of(level, scale)
    for pairs, given in ((pair, factors), (None, factors), (pair, moody(factors)), (None, moody(factors))):
        system = _System(grid, _design({"x": x}, grid)[0], given, pairs)
        at = system.start()
        # Nothing special about the point: no threshold, coefficient or deviation where the search begins.
        at += np.random.default_rng(1).uniform(-0.1, 0.1, at.size)
        point = system.at(at, None)
        assert point is not None
        slope = system.sloped(point).gradient
        assert slope is not None
        for k in range(at.size):
            step = np.zeros(at.size)
            step[k] = 1e-5
            above, below = system.at(at + step, None), system.at(at - step, None)
            assert above is not None
            assert below is not None
            gained = (above.log_likelihood - below.log_likelihood) / 2e-5
            assert slope[k] == pytest.approx(gained, abs=1e-4)


def test_no_threshold_coefficient_or_variance_near_by_is_likelier() -> None:
    fit = fitted()
    assert fit.converged
    best = fit._point
    for k in range(best.values.size):
        for step in (-0.01, 0.01):
            values = best.values
            values[k] += step
            there = fit._system.at(values, best)
            assert there is not None
            assert there.log_likelihood < fit.log_likelihood + 1e-6


@pytest.mark.parametrize("moods", [True, False])
def test_pairs_eliminated_first_are_the_same_as_pairs_among_the_factors(*, moods: bool) -> None:
    level, factors, pair, scale, x = drawn()
    factors = moody(factors) if moods else factors
    one = fit_ordinal(level, factors=factors, covariates={"x": x}, scale=scale, pair=pair)
    other = fit_ordinal(level, factors={**factors, "p": pair}, covariates={"x": x}, scale=scale)
    assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-6)
    assert one.variances[PAIR] == pytest.approx(other.variances["p"], rel=1e-4)
    for here, there in ((PAIR, "p"), ("ratee", "ratee"), ("rater", "rater"), ("standard", "standard")):
        a, b = one.modes[here], other.modes[there]
        assert a.values == pytest.approx(b.values, abs=1e-4)
        assert a.conditional_sd == pytest.approx(b.conditional_sd, abs=1e-4)
        assert a.standard_error == pytest.approx(b.standard_error, abs=1e-4)


@pytest.mark.parametrize("moods", [True, False])
@pytest.mark.parametrize("paired", [True, False])
def test_spreads_and_contrasts_are_those_of_the_whole_equations_solved_at_once(
    *, paired: bool, moods: bool
) -> None:
    _, factors, pair, _, x = drawn()
    fit = fitted(paired=paired, moods=moods)
    factors = moody(factors) if moods else factors
    assert min(fit.variances.values()) > 0
    groups = {**factors, PAIR: pair} if paired else factors
    z = design(groups) * np.concatenate(
        [np.full(codes.max() + 1, np.sqrt(fit.variances[name])) for name, codes in groups.items()]
    )
    point = fit._point
    weight = point.rows.weight
    # Curvature of the effects alone, and with thresholds and coefficients (by differences of the slopes).
    inner = np.eye(z.shape[1]) + z.T @ (weight[:, None] * z)
    assert point.factor.log_determinant == pytest.approx(np.linalg.slogdet(inner)[1], abs=1e-8)

    def slopes(effects: np.ndarray, fixed: np.ndarray) -> np.ndarray:
        thresholds, coefficient = fixed[:-1], fixed[-1:]
        predictor = fit._system.design @ coefficient + z @ effects
        rows = fit._system.rows_at(thresholds, predictor)
        apart = fit._system._apart(thresholds)
        grid = fit._system.grid
        bounds = np.bincount(grid.above, 1.0 - rows.above + apart, grid.size + 2)
        bounds += np.bincount(grid.below, -rows.below - apart, grid.size + 2)
        return np.concatenate([z.T @ rows.slope - effects, bounds[: grid.size], x @ rows.slope[:, None]])

    effects = np.concatenate([fit.modes[name].values for name in groups])
    scales = np.concatenate(
        [np.full(codes.max() + 1, np.sqrt(fit.variances[name])) for name, codes in groups.items()]
    )
    whole_at = np.concatenate([effects / scales, point.thresholds, point.coefficients])
    q = effects.size
    # At the mode nothing pulls on the effects.
    assert slopes(whole_at[:q], whole_at[q:])[:q] == pytest.approx(np.zeros(q), abs=1e-4)
    joint = np.zeros((whole_at.size, whole_at.size))
    for k in range(whole_at.size):
        step = np.zeros(whole_at.size)
        step[k] = 1e-5
        above, below = whole_at + step, whole_at - step
        joint[k] = -(slopes(above[:q], above[q:]) - slopes(below[:q], below[q:])) / 2e-5
    rng = np.random.default_rng(5)
    weights = {name: rng.normal(size=(4, codes.max() + 1)) for name, codes in groups.items()}
    sides = np.concatenate(list(weights.values()), axis=1)
    known = np.sqrt(np.einsum("ij,jk,ik->i", sides * scales, np.linalg.inv(inner), sides * scales))
    full = np.sqrt(np.einsum("ij,jk,ik->i", sides * scales, np.linalg.inv(joint)[:q, :q], sides * scales))
    found = fit.contrasts({name: sparse.csr_matrix(matrix) for name, matrix in weights.items()})
    assert found.values == pytest.approx(sides @ effects, abs=1e-9)
    assert found.conditional_sd == pytest.approx(known, rel=1e-6)
    assert found.standard_error == pytest.approx(full, rel=1e-4)
    for name, codes in groups.items():
        one = fit.contrasts({name: np.eye(codes.max() + 1)})
        assert one.values == pytest.approx(fit.modes[name].values, abs=1e-9)
        assert one.standard_error == pytest.approx(fit.modes[name].standard_error, rel=1e-9)
        assert one.conditional_sd == pytest.approx(fit.modes[name].conditional_sd, rel=1e-9)
    errors = np.sqrt(np.diag(np.linalg.inv(joint)))[q:]
    assert np.concatenate([*fit.threshold_errors, [fit.coefficient_errors["x"]]]) == pytest.approx(
        errors, rel=1e-4
    )


def test_the_order_of_rows_does_not_matter() -> None:
    level, factors, pair, scale, x = drawn()
    fit = fitted()
    mixed = np.random.default_rng(9).permutation(level.size)
    again = fit_ordinal(
        level[mixed],
        factors={name: codes[mixed] for name, codes in factors.items()},
        covariates={"x": x[mixed]},
        pair=pair[mixed],
        scale=scale[mixed],
    )
    assert again.log_likelihood == pytest.approx(fit.log_likelihood, abs=1e-8)
    assert again.modes["rater"].values == pytest.approx(fit.modes["rater"].values, abs=1e-6)
    assert again.predictor == pytest.approx(fit.predictor[mixed], abs=1e-6)


def test_turning_the_scale_round_turns_the_effects_round() -> None:
    level, factors, _, scale, _ = drawn()
    one = scale == 1
    rows = {name: np.unique(codes[one], return_inverse=True)[1] for name, codes in factors.items()}
    up, down = fit_ordinal(level[one], factors=rows), fit_ordinal(4 - level[one], factors=rows)
    assert up.log_likelihood == pytest.approx(down.log_likelihood, abs=1e-6)
    assert up.modes["rater"].values == pytest.approx(-down.modes["rater"].values, abs=1e-4)
    assert up.thresholds[0] == pytest.approx(-down.thresholds[0][::-1], abs=1e-4)


def test_a_level_nobody_used_has_no_width_and_changes_nothing() -> None:
    level, factors, _, _, _ = drawn()
    # Level 2 of 0 to 4 falls to 1: the same ordered answers as if there had never been such a level.
    without = np.where(level >= 2, level - 1, level)
    gap = fit_ordinal(np.where(level == 2, 1, level), factors=factors)
    plain = fit_ordinal(without, factors=factors)
    assert gap.log_likelihood == pytest.approx(plain.log_likelihood, abs=1e-6)
    assert gap.thresholds[0][1] == gap.thresholds[0][2]
    assert gap.thresholds[0][[0, 1, 3]] == pytest.approx(plain.thresholds[0], abs=1e-4)


def test_the_lowest_level_nobody_used_lies_below_all() -> None:
    level, factors, _, _, _ = drawn()
    fit = fit_ordinal(level + 1, factors=factors)
    assert fit.thresholds[0][0] == -np.inf
    assert np.isnan(fit.threshold_errors[0][0])
    assert fit.log_likelihood == pytest.approx(fit_ordinal(level, factors=factors).log_likelihood, abs=1e-6)


def test_a_scale_of_which_one_level_was_used_says_nothing_and_stops_nothing() -> None:
    level, factors, _, scale, _ = drawn()
    both = fit_ordinal(np.where(scale == 1, 2, level), factors=factors, scale=scale)
    first = scale == 0
    alone = fit_ordinal(level[first], factors={name: codes[first] for name, codes in factors.items()})
    assert both.n == first.sum()
    assert both.log_likelihood == pytest.approx(alone.log_likelihood, abs=1e-6)
    assert both.predictor.shape == level.shape


def test_scales_have_thresholds_of_their_own_and_share_the_raters() -> None:
    level, factors, _, scale, _ = drawn()
    fit = fit_ordinal(level, factors=factors, scale=scale, covariates={"second scale": scale})
    assert [bounds.size for bounds in fit.thresholds] == [3, 4]
    # What a scale as a whole adds is in its thresholds already.
    assert fit.dropped == ("second scale",)
    assert not fit.coefficients


def test_a_covariate_that_parts_the_levels_is_named_and_its_error_is_huge() -> None:
    level, factors, _, _, _ = drawn()
    top = np.arange(level.size) % 12 == 0
    fit = fit_ordinal(np.where(top, 4, level), factors=factors, covariates={"top": top})
    assert fit.separated == ("top",)
    assert fit.coefficient_errors["top"] > 100
    assert np.isfinite(fit.modes["rater"].standard_error).all()


def test_a_rater_who_gives_one_level_only_has_a_finite_severity() -> None:
    level, factors, _, _, _ = drawn()
    level = np.where(factors["rater"] == 3, 4, level)
    modes = fit_ordinal(level, factors=factors).modes["rater"]
    assert np.isfinite(modes.values).all()
    assert modes.values.argmax() == 3


def test_one_rating_per_rater_and_per_ratee_has_no_variance_to_find() -> None:
    level = drawn()[0]
    fit = fit_ordinal(level, factors={"rater": np.arange(level.size)})
    assert fit.variances["rater"] == 0.0
    # All that is left are the shares of the levels: logit of .. and the multinomial likelihood.
    share = np.bincount(level) / level.size
    assert fit.log_likelihood == pytest.approx(level.size * float(share @ np.log(share)), abs=1e-4)
    assert fit.thresholds[0] == pytest.approx(
        np.log(np.cumsum(share)[:-1] / (1 - np.cumsum(share)[:-1])), abs=1e-3
    )


def test_two_levels_are_a_logistic_regression() -> None:
    # x is 0 or 1, no group differs: log odds of the upper level are those of the two shares.
    upper = np.concatenate([np.arange(200) % 4 == 0, np.arange(200) % 2 == 0]).astype(np.int64)
    x = np.repeat([0.0, 1.0], 200)
    fit = fit_ordinal(upper, factors={"rater": np.arange(400) % 5 * 0}, covariates={"x": x})
    # 50 of 200 and 100 of 200: odds 1/3 and 1.
    assert fit.thresholds[0][0] == pytest.approx(np.log(3), abs=1e-3)
    assert fit.coefficients["x"] == pytest.approx(np.log(3), abs=1e-3)


def test_restricted_variances_allow_for_fixed_parts() -> None:
    level, factors, _, scale, x = drawn()
    rng = np.random.default_rng(1)
    # Columns that say nothing still take up what raters differ by, unless that is allowed for.
    columns = {"x": x, **{f"noise {k}": rng.normal(size=35)[factors["rater"]] for k in range(8)}}
    given = {"factors": factors, "covariates": columns, "scale": scale}
    plain = fit_ordinal(level, **given)  # type: ignore[arg-type]
    restricted = fit_ordinal(level, restricted=True, **given)  # type: ignore[arg-type]
    assert restricted.converged
    assert restricted.log_likelihood == pytest.approx(plain.log_likelihood, abs=1e-9)
    # Some 35 raters less 8 columns: about 35 / 27 as large.
    assert 1.1 < restricted.variances["rater"] / plain.variances["rater"] < 1.6


def test_what_restriction_adds_is_the_slope_of_the_information() -> None:
    level, factors, pair, scale, x = drawn()
    grid = _Grid.of(level, scale)
    system = _System(grid, _design({"x": x}, grid)[0], moody(factors), pair)
    point = system.at(system.start(), None)
    assert point is not None
    lift = system.informed(point).lift
    assert lift is not None

    def half_log(deviations: np.ndarray) -> float:
        """-log|information| / 2 at other deviations, the weights as they are."""
        assert point is not None
        there = replace(point, deviations=deviations, factor=system.factored(deviations, point.rows.weight))
        return -0.5 * float(np.linalg.slogdet(system._about_fixed(there)[0])[1])

    for k in range(lift.size):
        step = np.zeros(lift.size)
        step[k] = 1e-5
        gained = (half_log(point.deviations + step) - half_log(point.deviations - step)) / 2e-5
        assert lift[k] == pytest.approx(gained, abs=1e-5)


@pytest.mark.parametrize("level", [np.zeros(30, dtype=int), np.full(30, 4), np.array([1])])
def test_one_level_only_is_refused_in_words(level: np.ndarray) -> None:
    with pytest.raises(NotEstimable, match="one level only"):
        fit_ordinal(level, factors={"rater": np.arange(level.size) % 5})


def test_levels_that_each_rater_never_changes_are_refused_in_words() -> None:
    rater = np.repeat(np.arange(40), 8)
    with pytest.raises(NotEstimable, match="no bound"):
        fit_ordinal(rater % 3, factors={"rater": rater})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"level": [0.5, 1.0]}, "level must be"),
        ({"level": [-1, 1]}, "level must be"),
        ({"factors": {}}, "at least one random factor"),
        ({"factors": {PAIR: [0, 1]}}, "must not be called"),
        ({"covariates": {"x": [1.0]}}, "'x' is not"),
        ({"covariates": {"x": [1.0, np.nan]}}, "'x' is not"),
        ({"pair": [0, 0]}, "same level of at least one factor"),
        ({"scale": [0]}, "'scale' is not"),
    ],
)
def test_a_wrong_argument_is_named(options: dict[str, object], words: str) -> None:
    arguments = {"level": [0, 1], "factors": {"rater": [0, 1]}, **options}
    level = arguments.pop("level")
    with pytest.raises(ValueError, match=words):
        fit_ordinal(level, **arguments)  # type: ignore[arg-type]


def test_contrasts_of_unknown_factors_are_refused() -> None:
    with pytest.raises(ValueError, match="weights must name factors among ratee, rater, standard, pair"):
        fitted().contrasts({"nobody": np.eye(2)})
