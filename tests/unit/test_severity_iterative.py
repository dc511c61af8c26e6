"""Conjugate gradients against the dense block, on data both can do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from analytics.severity import linear
from analytics.severity.engines import iterative as engine
from analytics.severity.engines.crossed import PAIR, CrossedFit, ExactFit, NotEstimable, fit_crossed
from analytics.severity.engines.iterative import Classes, IterativeFit, fit_iterative
from tests.severity_company import company


@dataclass(frozen=True)
class Rows:
    """Scores of people by managers over cycles, and what they belong to."""

    score: np.ndarray
    factors: dict[str, np.ndarray]
    classes: list[Classes]
    numbers: dict[str, np.ndarray]
    pair: np.ndarray


def codes(column: np.ndarray) -> np.ndarray:
    return np.unique(column, return_inverse=True)[1]


def rows(seed: int = 0, *, people: int = 900, raters: int = 120, mood_sd: float = 0.3) -> Rows:
    """People of five departments, rated every cycle by their manager and half of them by somebody else."""
    rng = np.random.default_rng(seed)
    department = np.arange(people) % 5
    manager = department + 5 * rng.integers(0, raters // 5, people)
    parts = []
    for cycle in range(4):
        moving = rng.random(people) < 0.15
        manager = np.where(moving, department + 5 * rng.integers(0, raters // 5, people), manager)
        parts.append((np.arange(people), manager, np.full(people, cycle), np.zeros(people, int)))
        twice = np.flatnonzero(rng.random(people) < 0.5)
        other = rng.integers(0, raters, twice.size)
        parts.append((twice, other, np.full(twice.size, cycle), np.ones(twice.size, int)))
    ratee, rater, cycle, source = (np.concatenate(column) for column in zip(*parts, strict=True))
    home = rater % 5
    ratee, rater = codes(ratee), codes(rater)
    mood, pair = codes(rater * 4 + cycle), codes(ratee * raters + rater)
    years = rng.standard_normal(ratee.size)
    score = 3.0 + 0.1 * cycle + 0.2 * source + 0.1 * department[ratee] + 0.05 * years
    for levels, sd in ((ratee, 0.5), (rater, 0.3), (home, 0.15), (mood, mood_sd), (pair, 0.4)):
        score += sd * rng.standard_normal(levels.max() + 1)[levels]
    score += 0.6 * rng.standard_normal(ratee.size)

    def classes(name: str, column: np.ndarray) -> Classes:
        return Classes(tuple(f"{name} {k}" for k in range(1, column.max() + 1)), column)

    return Rows(
        score,
        {"ratee": ratee, "rater": rater, "standard": home, "mood": mood},
        [classes("cycle", cycle), classes("source", source), classes("department", department[ratee])],
        {"years": years},
        pair,
    )


def both(
    made: Rows, *, moods: bool = True, pairs: bool = True, seed: int = 0
) -> tuple[ExactFit, IterativeFit]:
    """The same model by the dense block and by iteration."""
    factors = {name: codes for name, codes in made.factors.items() if moods or name != "mood"}
    columns = {
        name: (part.codes == level).astype(float)
        for part in made.classes
        for level, name in enumerate(part.names, start=1)
    }
    exact = fit_crossed(
        made.score, factors=factors, covariates=columns | made.numbers, pair=made.pair if pairs else None
    )
    iterative = fit_iterative(
        made.score,
        factors=factors,
        classes=made.classes,
        covariates=made.numbers,
        pair=pairs,
        seed=seed,
    )
    return exact, iterative


@pytest.fixture(scope="module", params=[(False, False), (False, True), (True, False), (True, True)])
def fits(request: pytest.FixtureRequest) -> tuple[ExactFit, IterativeFit]:
    moods, pairs = request.param
    return both(rows(), moods=moods, pairs=pairs)


def test_variances_are_those_of_the_dense_block(fits: tuple[ExactFit, IterativeFit]) -> None:
    exact, iterative = fits
    assert iterative.converged
    assert iterative.residual == pytest.approx(exact.residual, rel=2e-3)
    assert list(iterative.variances) == list(exact.variances)
    for name, variance in exact.variances.items():
        # A tenth of the standard error of a variance among 120 raters, which is about an eighth of it.
        assert iterative.variances[name] == pytest.approx(variance, rel=0.01), name


def test_coefficients_and_their_errors_are_those_of_the_dense_block(
    fits: tuple[ExactFit, IterativeFit],
) -> None:
    exact, iterative = fits
    assert iterative.coefficients == pytest.approx(dict(exact.coefficients), abs=1e-3)
    assert iterative.coefficient_errors == pytest.approx(dict(exact.coefficient_errors), rel=5e-3)


def test_modes_and_both_standard_errors_are_those_of_the_dense_block(
    fits: tuple[ExactFit, IterativeFit],
) -> None:
    exact, iterative = fits
    for name, modes in iterative.modes.items():
        known = exact.modes[name]
        np.testing.assert_allclose(modes.values, known.values, atol=2e-3)
        for mine, theirs in (
            (modes.standard_error, known.standard_error),
            (modes.conditional_sd, known.conditional_sd),
        ):
            away = mine / theirs - 1
            assert np.sqrt((away**2).mean()) < 0.01, name
            assert abs(away.mean()) < 0.005, name
    assert iterative.monte_carlo < 0.01


def test_at_the_same_variances_modes_agree_to_a_thousandth(fits: tuple[ExactFit, IterativeFit]) -> None:
    # What differs above comes from the probed traces; put the dense block at the iterative variances.
    exact, iterative = fits
    system = exact._system
    ratios = np.array([iterative.ratios[system.names[k]] for k in system.order])
    there = system.solve(ratios)
    for place, k in enumerate(system.order):
        name = system.names[k]
        if name != PAIR:
            np.testing.assert_allclose(iterative.modes[name].values, there.effects[place], atol=1e-4)
    assert iterative.residual == pytest.approx(there.residual, rel=1e-6)
    assert there.criterion - exact.criterion < 0.01


def test_contrasts_are_solved_for_and_agree_with_the_dense_block(
    fits: tuple[ExactFit, IterativeFit],
) -> None:
    exact, iterative = fits
    rng = np.random.default_rng(3)
    names = [name for name in exact.variances if name != PAIR]
    weights = {name: np.zeros((6, exact.modes[name].values.size)) for name in names}
    for weight in weights.values():
        for row in weight:
            row[rng.integers(0, row.size, 2)] = rng.standard_normal(2)
    mine, theirs = iterative.contrasts(weights), exact.contrasts(weights)
    np.testing.assert_allclose(mine.values, theirs.values, atol=5e-3)
    np.testing.assert_allclose(mine.standard_error, theirs.standard_error, rtol=5e-3)
    np.testing.assert_allclose(mine.conditional_sd, theirs.conditional_sd, rtol=5e-3)


def test_a_rater_with_the_standard_of_the_department_takes_the_probed_diagonal(
    fits: tuple[ExactFit, IterativeFit],
) -> None:
    exact, iterative = fits
    raters = exact.modes["rater"].values.size
    home = np.arange(raters) % 5
    weights = {"rater": np.eye(raters), "standard": np.eye(5)[home]}
    mine, theirs = iterative.contrasts(weights), exact.contrasts(weights)
    np.testing.assert_allclose(mine.values, theirs.values, atol=2e-3)
    away = mine.standard_error / theirs.standard_error - 1
    assert np.sqrt((away**2).mean()) < 0.01


def test_the_same_seed_gives_the_same_digits_and_another_seed_others() -> None:
    made = rows(4, people=200, raters=40)
    first, again, other = (both(made, seed=seed)[1] for seed in (1, 1, 2))
    for name in first.modes:
        np.testing.assert_array_equal(first.modes[name].values, again.modes[name].values)
        np.testing.assert_array_equal(first.modes[name].standard_error, again.modes[name].standard_error)
    assert (first.modes["rater"].standard_error != other.modes["rater"].standard_error).any()


def test_the_order_of_the_rows_does_not_matter() -> None:
    made = rows(5, people=200, raters=40)
    order = np.random.default_rng(0).permutation(made.score.size)
    shuffled = Rows(
        made.score[order],
        {name: levels[order] for name, levels in made.factors.items()},
        [Classes(part.names, part.codes[order]) for part in made.classes],
        {name: column[order] for name, column in made.numbers.items()},
        made.pair[order],
    )
    first, second = both(made)[1], both(shuffled)[1]
    np.testing.assert_allclose(first.modes["rater"].values, second.modes["rater"].values, atol=1e-6)


def test_a_factor_without_effect_ends_on_the_boundary() -> None:
    # Scores without moods: about every second company has a mood variance of nought.
    found = [both(rows(seed, people=200, raters=40, mood_sd=0.0)) for seed in range(4)]
    bounds = [(exact.variances["mood"], iterative.variances["mood"]) for exact, iterative in found]
    assert any(exact == 0.0 for exact, _ in bounds)
    for exact, iterated in bounds:
        assert iterated == pytest.approx(exact, abs=2e-3)
    for _, iterative in found:
        if iterative.variances["mood"] == 0.0:
            assert (iterative.modes["mood"].standard_error == 0.0).all()
            assert (iterative.modes["mood"].values == 0.0).all()
            one = iterative.contrasts({"mood": np.eye(3, iterative.modes["mood"].values.size)})
            assert (one.values == 0.0).all()
            assert (one.standard_error == 0.0).all()


def test_a_class_said_twice_is_dropped_and_named() -> None:
    made = rows(6, people=200, raters=40)
    again = Classes(("again",), (made.classes[1].codes == 0).astype(int))
    found = fit_iterative(
        made.score,
        factors=made.factors,
        classes=[*made.classes, again],
        covariates={"twice": 2 * made.numbers["years"] + 1, **made.numbers},
    )
    assert found.dropped == ("again", "years")


def test_scores_that_the_classes_explain_are_not_estimable() -> None:
    ratee, rater = np.repeat(np.arange(30), 4), np.tile(np.arange(20), 6)
    group = np.tile([0, 1], 60)
    with pytest.raises(NotEstimable):
        fit_iterative(
            3.0 + group, factors={"ratee": ratee, "rater": rater}, classes=[Classes(("group 1",), group)]
        )
    with pytest.raises(NotEstimable):
        fit_iterative(np.full(120, 4.0), factors={"ratee": ratee, "rater": rater})


def test_pairs_have_no_contrasts_of_their_own() -> None:
    _, iterative = both(rows(7, people=200, raters=40))
    with pytest.raises(ValueError, match="pair"):
        iterative.contrasts({PAIR: np.ones((1, 5))})


@pytest.fixture(scope="module")
def by_size() -> tuple[linear.Severity, linear.Severity]:
    """The same company through the dense block, and through iteration."""
    ratings = company(9, people=600, raters=80, departments=8, mood_sd=0.2, pair_sd=0.3, cycles=4).ratings
    with pytest.MonkeyPatch.context() as patch:
        exact = linear.severity(ratings)
        patch.setattr(linear, "_MOST_EXACT", 0)
        return exact, linear.severity(ratings)


def test_severities_hardly_depend_on_how_the_model_is_fitted(
    by_size: tuple[linear.Severity, linear.Severity],
) -> None:
    exact, iterative = by_size
    assert exact.criterion is not None
    assert iterative.criterion is None
    assert iterative.raters["rater_id"].to_list() == exact.raters["rater_id"].to_list()
    away = (iterative.raters["severity"] - exact.raters["severity"]).abs().max()
    assert isinstance(away, float)
    assert away < 0.01
    ratio = iterative.raters["standard_error"] / exact.raters["standard_error"]
    assert ratio.is_between(0.97, 1.03).all()
    differs = iterative.raters["verdict"] != exact.raters["verdict"]
    assert differs.sum() <= 2


def test_both_ways_see_that_raters_differ(by_size: tuple[linear.Severity, linear.Severity]) -> None:
    for found in by_size:
        assert found.chance is not None
        assert found.chance < 1e-4


def test_raters_without_any_effect_are_seldom_said_to_differ_when_iterating(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The Wald test against nought: at most about one company in twenty.
    monkeypatch.setattr(linear, "_MOST_EXACT", 0)
    flagged = 0
    for seed in range(40):
        found = linear.severity(company(seed, people=150, raters=30, departments=3, rater_sd=0.0).ratings)
        flagged += bool(found.raters["verdict"].is_in(["lenient", "severe"]).any())
    assert flagged <= 5


def test_every_fit_says_what_it_is() -> None:
    exact, iterative = both(rows(8, people=100, raters=20))
    for fit in (exact, iterative):
        assert isinstance(fit, CrossedFit)
        assert fit.reml
        assert fit.n == rows(8, people=100, raters=20).score.size
    assert isinstance(pl.DataFrame({"se": iterative.modes["ratee"].standard_error})["se"].max(), float)


@pytest.fixture(scope="module")
def by_sample() -> tuple[IterativeFit, IterativeFit]:
    """The same rows searched in full, and from a sample of raters with one step on all rows."""
    made = rows(15, people=6000, raters=800, mood_sd=0.0)
    given = {name: made.factors[name] for name in ("ratee", "rater", "standard")}
    full = fit_iterative(made.score, factors=given, classes=made.classes)
    with pytest.MonkeyPatch.context() as patch:
        # 12 x sqrt(800) = 339 of the raters.
        patch.setattr(engine, "_MANY", 0)
        patch.setattr(engine, "_SAMPLE", 0)
        return full, fit_iterative(made.score, factors=given, classes=made.classes)


def test_one_step_after_a_sample_knows_the_variances_that_all_rows_tell(
    by_sample: tuple[IterativeFit, IterativeFit],
) -> None:
    full, sampled = by_sample
    # The last step was taken, and nothing solved again.
    assert sampled._solution.ratios.tolist() != list(sampled.ratios.values())
    for place, name in enumerate(full.ratios):
        error = np.sqrt(full.ratio_covariance[place, place])
        assert abs(sampled.ratios[name] - full.ratios[name]) < 0.1 * error, name
    assert sampled.residual == pytest.approx(full.residual, rel=1e-3)


def test_modes_and_errors_hardly_know_that_the_search_began_in_a_sample(
    by_sample: tuple[IterativeFit, IterativeFit],
) -> None:
    full, sampled = by_sample
    for name, modes in full.modes.items():
        mine = sampled.modes[name]
        # In units of what is uncertain anyway; over other seeds the largest was 0.05.
        assert (np.abs(mine.values - modes.values) / modes.standard_error).max() < 0.1, name
        np.testing.assert_allclose(mine.standard_error, modes.standard_error, rtol=0.02)
        np.testing.assert_allclose(mine.conditional_sd, modes.conditional_sd, rtol=0.02)


def test_levels_without_rows_keep_their_prior() -> None:
    made = rows(12, people=200, raters=40)
    shifted = {"ratee": made.factors["ratee"] + 2, "rater": made.factors["rater"]}
    given = {"ratee": made.factors["ratee"], "rater": made.factors["rater"]}
    gaps, plain = (
        fit_iterative(made.score, factors=factors, classes=made.classes, covariates=made.numbers)
        for factors in (shifted, given)
    )
    np.testing.assert_allclose(gaps.modes["rater"].values, plain.modes["rater"].values, atol=1e-3)
    assert (gaps.modes["ratee"].values[:2] == 0.0).all()
    sd = np.sqrt(gaps.variances["ratee"])
    np.testing.assert_allclose(gaps.modes["ratee"].standard_error[:2], sd, rtol=1e-6)
