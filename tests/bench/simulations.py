"""Do intervals cover, are flags as rarely false as stated, and are companies without differences left alone?

The designs are those of the property tests and two harder ones, with fresh seeds and many more companies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import polars as pl

from analytics.severity.linear import severity
from tests.bench.apart import apart
from tests.bench.figure import Figure, Options, load, reported
from tests.severity_company import company

DESIGNS: Final[Mapping[str, Mapping[str, Any]]] = {
    "managers differ": {},
    "departments have standards too": {"standards": (0.3, -0.2), "departments": 8, "raters": 56},
    "departments do differ in their work": {"merits": (0.4, -0.3)},
    "few second opinions": {"second": 0.15, "outside": 0.1, "moves": 0.1},
}
RATER_SD: Final = 0.3
FIRST_SEED: Final = 700_000
NOMINAL: Final = 0.95
SLACK: Final = 0.02
"""Coverage may be off by this much; the variances are estimated, which the intervals take as known."""
FLAGS: Final = ("lenient", "severe")
NULL_FLAGGED: Final = 0.05
"""Share of companies whose raters do not differ that may raise any flag."""


def run(options: Options) -> Iterator[Figure]:
    """Pooled over designs, then by design, then companies in which raters do not differ."""
    times = 8 if options.quick else 60
    found = {name: apart(tallied, name, times).value for name in DESIGNS}
    total = {key: sum(tally[key] for tally in found.values()) for key in next(iter(found.values()))}
    coverage = total["covered"] / total["told"]
    by_design = "; ".join(f"{name} {100 * t['covered'] / t['told']:.1f} %" for name, t in found.items())
    low, high = NOMINAL - SLACK, NOMINAL + SLACK
    yield Figure(
        "coverage of severity by 95 % intervals, pooled",
        f"{100 * coverage:.2f} %",
        f"{100 * low:.0f} to {100 * high:.0f} %",
        "met" if low <= coverage <= high else "not met",
        coverage,
        f"{total['told']:,.0f} raters in {total['companies']:.0f} companies; {by_design}; {load()}",
    )
    stated, false = total["stated"], total["false"]
    most = stated + 2.5 * stated**0.5
    yield Figure(
        "flags that point the wrong way, against how many the model states",
        f"{false:.0f} against {stated:.1f}",
        f"≤ {most:.1f} (2.5 Poisson deviations)",
        "met" if false <= most else "not met",
        false / stated if stated else None,
        f"of {total['flags']:,.0f} flags; "
        + "; ".join(f"{name} {t['false']:.0f} against {t['stated']:.1f}" for name, t in found.items()),
    )
    companies = 20 if options.quick else 300
    null = apart(alarmed, companies).value
    # Three standard deviations of a binomial count above what is allowed.
    limit = NULL_FLAGGED * companies + 3 * (NULL_FLAGGED * (1 - NULL_FLAGGED) * companies) ** 0.5
    yield Figure(
        "companies whose raters do not differ, in which anybody is flagged",
        f"{null['companies']} of {companies}",
        f"≤ {limit:.0f} (one in twenty, and three deviations)",
        "met" if null["companies"] <= limit else "not met",
        null["companies"] / companies,
        f"{null['flags']} flags among {null['raters']:,} raters",
    )
    width = total["width"] / total["told"] / RATER_SD
    yield reported("average width of an interval, in true deviations between raters", width, unit="")


def tallied(name: str, times: int) -> dict[str, float]:
    """Counts over companies of a design."""
    tally = dict.fromkeys(("companies", "told", "covered", "flags", "false", "stated", "width"), 0.0)
    for seed in range(FIRST_SEED, FIRST_SEED + times):
        made = company(seed, rater_sd=RATER_SD, **DESIGNS[name])
        found = severity(made.ratings)
        raters = found.raters.filter(pl.col("severity").is_not_null())
        truth = raters["rater_id"].replace_strict(made.severity, return_dtype=pl.Float64)
        flagged = raters["verdict"].is_in(FLAGS)
        tally["companies"] += 1
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
        made = company(seed, people=150, raters=20, departments=3, rater_sd=0.0)
        raters = severity(made.ratings).raters
        flags = int(raters["verdict"].is_in(FLAGS).sum())
        tally["companies"] += flags > 0
        tally["raters"] += raters.height
        tally["flags"] += flags
    return tally
