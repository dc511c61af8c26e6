"""Do intervals cover, are flags as rarely false as stated, and are companies without differences left alone?

The designs are those of the property tests and harder ones, with fresh seeds: 200 companies in all, and as
many in which raters do not differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import polars as pl

from analytics.severity.drift import drift
from analytics.severity.linear import severity
from tests.bench.apart import apart
from tests.bench.figure import Figure, Options, load, reported
from tests.severity_company import company

DESIGNS: Final[Mapping[str, Mapping[str, Any]]] = {
    "managers differ": {},
    "departments have standards too": {"standards": (0.3, -0.2), "departments": 8, "raters": 56},
    "departments do differ in their work": {"merits": (0.4, -0.3)},
    "few second opinions": {"second": 0.15, "outside": 0.1, "moves": 0.1},
    "one cycle with second opinions": {"cycles": 1, "second": 0.9, "outside": 0.9},
    "moods": {"mood_sd": 0.3},
    "moods and lasting liking over six cycles": {"mood_sd": 0.3, "pair_sd": 0.4, "cycles": 6},
    "moods, and links by moves only": {"mood_sd": 0.3, "cycles": 5, "second": 0.0, "outside": 0.0},
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
    times = 4 if options.quick else 25
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
    yield from _drifts(found)
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
    tally = dict.fromkeys(
        (
            *("companies", "told", "covered", "flags", "false", "stated", "width"),
            *("changes", "changes_covered", "moved", "moved_wrong", "moved_stated"),
        ),
        0.0,
    )
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
        changes = drift(found, raters=raters["rater_id"].to_list()).changes
        steps = changes.select("rater_id", "before", "after").iter_rows()
        moved = pl.Series(
            [made.mood[rater, after] - made.mood[rater, before] for rater, before, after in steps],
            dtype=pl.Float64,
        )
        said = changes["verdict"].is_in(["softer", "harder"])
        tally["changes"] += changes.height
        tally["changes_covered"] += int(((changes["low"] <= moved) & (moved <= changes["high"])).sum())
        tally["moved"] += int(said.sum())
        tally["moved_wrong"] += int((said & (moved.sign() != changes["change"].sign())).sum())
        tally["moved_stated"] += float(changes["false_sign_rate"].filter(said).sum())
    return tally


def _drifts(found: Mapping[str, Mapping[str, float]]) -> Iterator[Figure]:
    """Changes of severity from cycle to cycle, in companies with moods."""
    moody = [tally for name, tally in found.items() if "mood_sd" in DESIGNS[name]]
    total = {key: sum(tally[key] for tally in moody) for key in moody[0]}
    coverage = total["changes_covered"] / total["changes"]
    low, high = NOMINAL - SLACK, NOMINAL + SLACK
    yield Figure(
        "coverage of changes between cycles by 95 % intervals",
        f"{100 * coverage:.2f} %",
        f"{100 * low:.0f} to {100 * high:.0f} %",
        "met" if low <= coverage <= high else "not met",
        coverage,
        f"{total['changes']:,.0f} changes",
    )
    stated, wrong = total["moved_stated"], total["moved_wrong"]
    most = stated + 2.5 * stated**0.5
    yield Figure(
        "drifts that point the wrong way, against how many the model states",
        f"{wrong:.0f} against {stated:.1f}",
        f"≤ {most:.1f} (2.5 Poisson deviations)",
        "met" if wrong <= most else "not met",
        wrong / stated if stated else None,
        f"of {total['moved']:,.0f} drifts",
    )


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
