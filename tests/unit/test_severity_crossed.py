"""The crossed model against the textbook formula with the whole covariance matrix."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.severity.engines.crossed import CrossedFit, NotEstimable, fit_crossed


def company(
    seed: int, *, n: int = 60, sizes: tuple[int, ...] = (12, 7, 3), spread: float = 1.0
) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray]:
    """Scores with random effects of the given spread, the levels, and one covariate."""
    rng = np.random.default_rng(seed)
    factors = {
        f"f{k}": np.unique(rng.integers(0, size, n), return_inverse=True)[1] for k, size in enumerate(sizes)
    }
    slope = rng.standard_normal(n)
    score = 3.0 + 0.5 * slope + rng.standard_normal(n)
    for levels in factors.values():
        score += spread * rng.standard_normal(levels.max() + 1)[levels]
    return score, factors, slope


def textbook(
    fit: CrossedFit, score: np.ndarray, factors: dict[str, np.ndarray], design: np.ndarray
) -> tuple[float, dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]]:
    """Criterion and per factor (mode, conditional SD, full SE) from the n x n covariance matrix."""
    n, p = design.shape
    marks = {name: np.eye(levels.max() + 1)[levels] for name, levels in factors.items()}
    covariance = fit.residual * np.eye(n)
    for name, mark in marks.items():
        covariance += fit.variances[name] * mark @ mark.T
    inverse = np.linalg.inv(covariance)
    information = design.T @ inverse @ design
    rest = score - design @ np.linalg.solve(information, design.T @ inverse @ score)
    criterion = np.linalg.slogdet(covariance)[1] + rest @ inverse @ rest
    if fit.reml:
        criterion += np.linalg.slogdet(information)[1] + (n - p) * np.log(2 * np.pi)
    else:
        criterion += n * np.log(2 * np.pi)
    projector = inverse - inverse @ design @ np.linalg.solve(information, design.T @ inverse)
    modes = {}
    for name, mark in marks.items():
        variance = fit.variances[name]
        known = variance - variance**2 * np.diag(mark.T @ inverse @ mark)
        full = variance - variance**2 * np.diag(mark.T @ projector @ mark)
        modes[name] = (
            variance * mark.T @ inverse @ rest,
            np.sqrt(np.clip(known, 0, None)),
            np.sqrt(np.clip(full, 0, None)),
        )
    return float(criterion), modes


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_criterion_modes_and_errors_are_those_of_the_full_covariance_matrix(seed: int, reml: bool) -> None:
    score, factors, slope = company(seed, spread=(seed % 3) / 2)
    fit = fit_crossed(score, factors=factors, covariates={"slope": slope}, reml=reml)
    criterion, modes = textbook(fit, score, factors, np.column_stack([np.ones(score.size), slope]))
    assert fit.criterion == pytest.approx(criterion, abs=1e-7)
    for name, (value, known, full) in modes.items():
        np.testing.assert_allclose(fit.modes[name].values, value, atol=1e-8)
        np.testing.assert_allclose(fit.modes[name].conditional_sd, known, atol=1e-7)
        np.testing.assert_allclose(fit.modes[name].standard_error, full, atol=1e-7)


def paired(
    seed: int, *, spread: float = 1.0, sides: tuple[int, int] = (14, 9)
) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Scores whose pairs have an effect of their own and 1 to 4 rows: scores, levels, pairs, covariate.

    The third factor varies within pairs; some levels of one factor meet one level of the other.
    """
    rng = np.random.default_rng(seed)
    few = np.arange(3)
    first = np.concatenate([rng.integers(0, sides[0], 30), few, sides[0] + few])
    second = np.concatenate([rng.integers(0, sides[1], 30), sides[1] + few, few])
    rows = np.repeat(np.arange(36), rng.integers(1, 5, 36))
    first, second = (np.unique(side, return_inverse=True)[1] for side in (first[rows], second[rows]))
    pair = np.unique(first * 100 + second, return_inverse=True)[1]
    factors = {"second": second, "first": first, "third": rng.integers(0, 3, rows.size)}
    slope = rng.standard_normal(rows.size)
    score = 3.0 + 0.5 * slope + rng.standard_normal(rows.size)
    score += spread * rng.standard_normal(pair.max() + 1)[pair]
    for levels in (first, second, factors["third"]):
        score += 0.7 * rng.standard_normal(levels.max() + 1)[levels]
    return score, factors, pair, slope


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("sides", [(14, 9), (9, 14)])
@pytest.mark.parametrize("seed", range(6))
def test_with_pairs_everything_is_that_of_the_full_covariance_matrix(
    seed: int, sides: tuple[int, int], reml: bool
) -> None:
    score, factors, pair, slope = paired(seed, spread=(seed % 3) / 2, sides=sides)
    fit = fit_crossed(score, factors=factors, covariates={"slope": slope}, pair=pair, reml=reml)
    assert fit._system.cells is not None
    assert fit._system.cells.leaf.size > 0
    everything = {**factors, "pair": pair}
    criterion, modes = textbook(fit, score, everything, np.column_stack([np.ones(score.size), slope]))
    assert fit.criterion == pytest.approx(criterion, abs=1e-7)
    for name, (value, known, full) in modes.items():
        np.testing.assert_allclose(fit.modes[name].values, value, atol=1e-8)
        np.testing.assert_allclose(fit.modes[name].conditional_sd, known, atol=1e-7)
        np.testing.assert_allclose(fit.modes[name].standard_error, full, atol=1e-7)
        single = fit.contrasts({name: np.eye(value.size)})
        np.testing.assert_allclose(single.values, value, atol=1e-8)
        np.testing.assert_allclose(single.conditional_sd, known, atol=1e-7)
        np.testing.assert_allclose(single.standard_error, full, atol=1e-7)


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_pairs_among_the_factors_give_the_same_fit_as_pairs_by_themselves(seed: int, reml: bool) -> None:
    # As a factor the pairs are the largest one and are eliminated like any other: a second way to go.
    score, factors, pair, slope = paired(seed)
    apart = fit_crossed(score, factors=factors, covariates={"slope": slope}, pair=pair, reml=reml)
    among = fit_crossed(score, factors={**factors, "both": pair}, covariates={"slope": slope}, reml=reml)
    assert apart.criterion == pytest.approx(among.criterion, abs=1e-6)
    assert apart.variances["pair"] == pytest.approx(among.variances["both"], abs=1e-3)
    weights = np.random.default_rng(0).standard_normal((4, factors["second"].max() + 1))
    mine, theirs = apart.contrasts({"second": weights}), among.contrasts({"second": weights})
    np.testing.assert_allclose(mine.values, theirs.values, atol=2e-3)
    np.testing.assert_allclose(mine.standard_error, theirs.standard_error, atol=2e-3)


def test_levels_that_meet_one_level_each_are_eliminated_without_changing_the_fit() -> None:
    # Levels 0 to 19 of the second factor meet one level of the first each, 20 to 24 meet many.
    rng = np.random.default_rng(2)
    first = np.concatenate([np.repeat(np.arange(20), 2), rng.integers(0, 30, 60)])
    second = np.concatenate([np.repeat(np.arange(20), 2), 20 + rng.integers(0, 5, 60)])
    first = np.unique(first, return_inverse=True)[1]
    score = rng.standard_normal(100) + rng.standard_normal(30)[first] + rng.standard_normal(25)[second]
    fit = fit_crossed(score, factors={"first": first, "second": second})
    assert fit._system.size == 5
    criterion, modes = textbook(fit, score, {"first": first, "second": second}, np.ones((100, 1)))
    assert fit.criterion == pytest.approx(criterion, abs=1e-8)
    for name, (value, known, full) in modes.items():
        np.testing.assert_allclose(fit.modes[name].values, value, atol=1e-8)
        np.testing.assert_allclose(fit.modes[name].conditional_sd, known, atol=1e-7)
        np.testing.assert_allclose(fit.modes[name].standard_error, full, atol=1e-7)


def test_pairs_without_an_effect_end_on_the_boundary_and_change_nothing() -> None:
    # Within every pair the scores are exact opposites of each other, so pairs are all alike.
    first, second = np.repeat(np.repeat(np.arange(6), 6), 2), np.repeat(np.tile(np.arange(6), 6), 2)
    score = np.tile([1.0, -1.0, 2.0, -2.0], 18)
    factors = {"first": first, "second": second}
    fit = fit_crossed(score, factors=factors, pair=first * 6 + second)
    assert fit.variances["pair"] == 0.0
    assert fit.criterion == pytest.approx(fit_crossed(score, factors=factors).criterion, abs=1e-9)
    assert (fit.modes["pair"].standard_error == 0.0).all()


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_no_variances_nearby_fit_better(seed: int, reml: bool) -> None:
    score, factors, slope = company(seed, spread=0.7)
    fit = fit_crossed(score, factors=factors, covariates={"slope": slope}, reml=reml)
    for ratio in np.maximum(fit._solution.ratios, 1e-4) * np.array([[0.8], [0.95], [1.05], [1.25]]):
        for k in range(ratio.size):
            moved = fit._solution.ratios.copy()
            moved[k] = ratio[k]
            assert fit._system.solve(moved).criterion >= fit.criterion - 1e-7


def test_full_rows_and_sparse_rows_give_the_same_fit() -> None:
    # Every level meets every other, so that dense products are used; listing the pairs must agree.
    rng = np.random.default_rng(4)
    first, second = np.repeat(np.arange(30), 20), np.tile(np.arange(20), 30)
    score = rng.standard_normal(600) + rng.standard_normal(30)[first] + rng.standard_normal(20)[second]
    fit = fit_crossed(score, factors={"first": first, "second": second})
    assert fit._system.meetings.dense is not None
    criterion, modes = textbook(fit, score, {"first": first, "second": second}, np.ones((600, 1)))
    assert fit.criterion == pytest.approx(criterion, abs=1e-6)
    np.testing.assert_allclose(fit.modes["first"].standard_error, modes["first"][2], atol=1e-7)
    np.testing.assert_allclose(fit.modes["second"].standard_error, modes["second"][2], atol=1e-7)


def test_a_factor_without_effect_ends_on_the_boundary_and_not_in_an_error() -> None:
    # Every second level is the exact opposite of the first, so the level means are equal: variance 0.
    score = np.tile([1.0, -1.0, 2.0, -2.0], 25)
    fit = fit_crossed(score, factors={"group": np.repeat(np.arange(25), 4)})
    assert fit.variances["group"] == 0.0
    assert (fit.modes["group"].values == 0.0).all()
    assert (fit.modes["group"].standard_error == 0.0).all()
    # Sum of squares 25 * 10 = 250 over 99 degrees of freedom.
    assert fit.residual == pytest.approx(250 / 99)


def test_a_balanced_one_way_layout_gives_the_analysis_of_variance_by_hand() -> None:
    # Groups (1, 3), (5, 7), (9, 11): means 2, 6, 10; MSB = 2 * 32 / 2 = 32, MSW = 3 * 2 / 3 = 2.
    # Residual 2, group (32 - 2) / 2 = 15; shrinkage 15 / (15 + 2/2) = .9375 of the deviations -4, 0, 4.
    fit = fit_crossed([1, 3, 5, 7, 9, 11], factors={"group": np.repeat([0, 1, 2], 2)})
    assert fit.residual == pytest.approx(2.0, rel=1e-4)
    assert fit.variances["group"] == pytest.approx(15.0, rel=1e-4)
    np.testing.assert_allclose(fit.modes["group"].values, [-3.75, 0, 3.75], atol=1e-3)
    # Given the mean: 15 * 1/16 = .9375. The mean's own variance 16/3 adds (15/16)^2 * 16/3 = 4.6875.
    np.testing.assert_allclose(fit.modes["group"].conditional_sd ** 2, 0.9375, rtol=1e-3)
    np.testing.assert_allclose(fit.modes["group"].standard_error ** 2, 0.9375 + 4.6875, rtol=1e-3)


def test_contrasts_of_single_levels_are_the_modes_and_differences_know_their_covariance() -> None:
    score, factors, _ = company(3)
    fit = fit_crossed(score, factors=factors)
    weights = np.zeros((3, factors["f1"].max() + 1))
    weights[0, 0] = weights[1, 1] = 1.0
    weights[2, :2] = [1.0, -1.0]
    found, modes = fit.contrasts({"f1": weights}), fit.modes["f1"]
    np.testing.assert_allclose(found.values[:2], modes.values[:2], atol=1e-10)
    np.testing.assert_allclose(found.standard_error[:2], modes.standard_error[:2], atol=1e-10)
    np.testing.assert_allclose(found.conditional_sd[:2], modes.conditional_sd[:2], atol=1e-10)
    assert found.values[2] == pytest.approx(modes.values[0] - modes.values[1])
    # The mean they share cancels in the difference, so it is surer than if they were independent.
    assert found.standard_error[2] < np.hypot(*modes.standard_error[:2])


@pytest.mark.parametrize("with_pairs", [False, True])
@pytest.mark.parametrize("named", ["bc", "abc"])
def test_sums_over_several_factors_know_how_their_parts_vary_together(with_pairs: bool, named: str) -> None:
    # The dense block has 62 levels: the few entries of a sum over b and c are listed, not multiplied out.
    rng = np.random.default_rng(8)
    n = 400
    factors = {name: rng.integers(0, size, n) for name, size in (("a", 80), ("b", 40), ("c", 22))}
    pair = np.unique(factors["a"] * 40 + factors["b"], return_inverse=True)[1] if with_pairs else None
    score = rng.standard_normal(n)
    everything = factors if pair is None else {**factors, "pair": pair}
    for levels in everything.values():
        score += rng.standard_normal(levels.max() + 1)[levels]
    fit = fit_crossed(score, factors=factors, pair=pair)
    used = [name for name in everything if name in named or (name == "pair" and "a" in named)]
    weights = {name: np.zeros((9, everything[name].max() + 1)) for name in used}
    for weight in weights.values():
        for row in weight:
            row[rng.integers(0, row.size, 2)] = rng.standard_normal(2)
    marks = {name: np.eye(levels.max() + 1)[levels] for name, levels in everything.items()}
    inverse = np.linalg.inv(
        fit.residual * np.eye(n) + sum(fit.variances[name] * mark @ mark.T for name, mark in marks.items())
    )
    projector = inverse - np.outer(inverse.sum(axis=1), inverse.sum(axis=0)) / inverse.sum()
    toward = sum(fit.variances[name] * weight @ marks[name].T for name, weight in weights.items())
    prior = sum(fit.variances[name] * (weight**2).sum(axis=1) for name, weight in weights.items())
    found = fit.contrasts(weights)
    np.testing.assert_allclose(found.values, toward @ projector @ score, atol=1e-8)
    known = prior - np.einsum("ij,ij->i", toward @ inverse, toward)
    full = prior - np.einsum("ij,ij->i", toward @ projector, toward)
    np.testing.assert_allclose(found.conditional_sd, np.sqrt(known), atol=1e-8)
    np.testing.assert_allclose(found.standard_error, np.sqrt(full), atol=1e-8)


def test_a_covariate_said_twice_is_dropped_and_named() -> None:
    score, factors, slope = company(1)
    fit = fit_crossed(score, factors=factors, covariates={"slope": slope, "again": 2 * slope + 1})
    assert fit.dropped == ("again",)
    assert list(fit.coefficients) == ["intercept", "slope"]


@pytest.mark.parametrize("score", [[3.0, 3.0, 3.0, 3.0], [3.0, 4.0, 3.0, 4.0]])
def test_scores_without_a_residual_are_not_estimable(score: list[float]) -> None:
    with pytest.raises(NotEstimable):
        fit_crossed(score, factors={"f": np.array([0, 0, 1, 1])}, covariates={"odd": [0.0, 1.0, 0.0, 1.0]})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"score": [], "factors": {"f": []}}, "score must be one column"),
        ({"score": [1.0, np.nan], "factors": {"f": [0, 1]}}, "finite"),
        ({"score": [1.0, 2.0], "factors": {}}, "at least one random factor"),
        ({"score": [1.0, 2.0], "factors": {"f": [0.5, 1.0]}}, "whole numbers"),
        ({"score": [1.0, 2.0], "factors": {"f": [0, 1]}, "covariates": {"x": [1.0]}}, "'x' is not"),
        ({"score": [1.0, 2.0], "factors": {"f": [0, 1]}, "pair": [0]}, "'pair' is not"),
        ({"score": [1.0, 2.0, 4.0], "factors": {"f": [0, 1, 0]}, "pair": [0, 0, 1]}, "at least one factor"),
        ({"score": [1.0, 2.0], "factors": {"pair": [0, 1]}}, "must not be called 'pair'"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        fit_crossed(**arguments)  # type: ignore[arg-type]
