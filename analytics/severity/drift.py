"""How has a rater's severity moved from cycle to cycle, and is that more than a mood can tell?

Reads    a fitted `linear.Severity`, and which raters to follow.
Returns  per rater and cycle the severity of that cycle with interval; per step from one cycle to the next,
         and from the first to the last, the change with its z, local false sign rate and a verdict.

The severity of a cycle is the lasting one (the rater's own effect and the standard of the department) and the
mood of that cycle. The standard error of a change comes from the joint covariance: what lasts cancels, and
the same people rated in both cycles make a change surer than two severities apart would be. Estimates are
drawn towards no change as far as moods differ little in the company; where they do not differ at all, nobody
drifts. A drift that goes on for years is seen best from the first to the last cycle.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final

import numpy as np
import polars as pl
from scipy import sparse, stats

from analytics.disclosure import Cells
from analytics.policy import CONFIDENCE, FALSE_SIGN_RATE
from analytics.severity.engines.crossed import CrossedFit, Modes
from analytics.severity.linear import Held, Severity
from analytics.severity.verdicts import Bar, verdict_and_reason, with_intervals

REFERENCE: Final = (
    "Myford & Wolfe (2009), J. Educ. Meas. 46(4), drift as z of two severities. "
    "doi:10.1111/j.1745-3984.2009.00088.x; Stephens (2017), Biostatistics 18(2). "
    "doi:10.1093/biostatistics/kxw041"
)

DRIFTS: Final = (
    "softer",  # surely rates more leniently than before, by what matters
    "harder",
    "steady",  # surely no change that matters
    "unsure",  # a change that matters is neither shown nor ruled out
)
UNTOLD: Final = (
    "refused",  # nobody's severity can be told
    "few_cycles",  # too few raters rated several people in several cycles to know what a mood is
)

_CYCLES: Final = ("severity", "standard_error", "low", "high")
_CHANGES: Final = ("change", "standard_error", "low", "high", "z", "false_sign_rate", "verdict")


@dataclass(frozen=True)
class Drift:
    """How severity moved.

    Attributes
    ----------
    cycles
        One row per rater and cycle with ratings, sorted by ``rater_id`` and ``cycle_id``: ``severity`` of
        that cycle in rating points (> 0 is lenient), ``standard_error``, ``low``, ``high``, ``n_ratings``,
        ``n_ratees``.
    changes
        One row per rater and step, sorted by ``rater_id``, ``span`` and ``before``: ``span`` (``step`` from
        one cycle to the rater's next, ``whole`` from the first to the last where there are more than two),
        ``before`` and ``after`` (cycles), ``change`` in rating points (> 0: softer), ``standard_error``,
        ``low``, ``high``, ``z``, ``false_sign_rate``, ``verdict`` (`DRIFTS`) and ``n_ratees`` (of the
        smaller cycle).
    swing
        Standard deviation of moods in the company, in rating points; null if they cannot be told.
    practical
        Change that matters, in rating points.
    untold
        Why nobody's drift can be told (`UNTOLD`), if so: both frames are empty then.
    """

    cycles: pl.DataFrame
    changes: pl.DataFrame
    swing: float | None
    practical: float | None
    untold: str | None

    cells: ClassVar[tuple[Cells, ...]] = (
        Cells(
            frame="cycles",
            group="cycle_id",
            people="n_ratees",
            values=(*_CYCLES, "n_ratings", "n_ratees"),
            within=("rater_id",),
            additive=False,
        ),
        Cells(
            frame="changes",
            group="after",
            people="n_ratees",
            values=(*_CHANGES, "n_ratees"),
            within=("rater_id", "span"),
            additive=False,
        ),
    )


def drift(severity: Severity, *, raters: Sequence[str], order: Sequence[str] = ()) -> Drift:
    """Follow raters over the cycles.

    Parameters
    ----------
    severity
        What `linear.severity` found.
    raters
        Ids; those the data cannot tell about are left out.
    order
        Ids of the cycles, oldest first; those not named come last, by id.

    Returns
    -------
    Drift
        Severity by cycle and what changed, or why that cannot be told.
    """
    held = severity._held
    if held is None or severity.practical is None:
        return Drift(_NO_CYCLES.clone(), _NO_CHANGES.clone(), None, severity.practical, "refused")
    if "mood" not in held.fit.variances:
        return Drift(_NO_CYCLES.clone(), _NO_CHANGES.clone(), None, severity.practical, "few_cycles")
    swing = math.sqrt(held.fit.variances["mood"])
    told = severity.raters.filter(
        pl.col("severity").is_not_null(), pl.col("rater_id").is_in(list(raters))
    ).select("rater_id")
    cycles = _placed(held, told, order)
    if cycles.is_empty():
        return Drift(_NO_CYCLES.clone(), _NO_CHANGES.clone(), swing, severity.practical, None)
    steps = _steps(cycles)
    modes = held.fit.contrasts(_weights(held.fit, cycles, steps))
    bound = float(stats.norm.ppf(0.5 + CONFIDENCE.value / 2.0))
    values, errors = modes.values, modes.standard_error
    ratio = np.divide(values, errors, out=np.zeros_like(values), where=errors > 0)
    numbers = pl.DataFrame(
        {
            "value": values,
            "standard_error": errors,
            "low": values - bound * errors,
            "high": values + bound * errors,
            "z": ratio,
            "false_sign_rate": stats.norm.sf(np.abs(ratio)),
        }
    )
    found = pl.concat([cycles, numbers.head(cycles.height).rename({"value": "severity"})], how="horizontal")
    moved = pl.concat([steps, numbers.tail(steps.height).rename({"value": "change"})], how="horizontal")
    return Drift(
        found.select(_NO_CYCLES.columns).sort("rater_id", "cycle_id"),
        moved.with_columns(_moved(severity.practical))
        .select(_NO_CHANGES.columns)
        .sort("rater_id", "span", "before"),
        swing,
        severity.practical,
        None,
    )


def in_cycle(severity: Severity, *, cycle_id: str, raters: Collection[str]) -> Severity:
    """How leniently raters rated in one cycle: what lasts and the mood of that cycle together.

    Parameters
    ----------
    severity
        What `linear.severity` found over all cycles.
    cycle_id
        The cycle.
    raters
        Ids of those who rated in it.

    Returns
    -------
    Severity
        Only these raters, with the severity, interval and verdict of the cycle, and how many people they
        rated in it (``n_shared`` of them rated by others too, then or in another cycle). Where moods do not
        differ, or cannot be told, the severity is the lasting one.
        Departments are left out: their standards last.
    """
    held = severity._held
    kept = severity.raters.filter(pl.col("rater_id").is_in(list(raters)))
    nobody = severity.departments.clear()
    if held is None or severity.practical is None or severity.chance is None:
        return replace(severity, raters=kept, departments=nobody)
    counted = ("n_ratings", "n_ratees", "n_shared")
    counts = held.moods.filter(pl.col("cycle_id") == cycle_id).select("rater_id", *counted)
    kept = kept.join(counts, on="rater_id", how="left", suffix="_then", maintain_order="left").with_columns(
        pl.coalesce(f"{name}_then", name).alias(name) for name in counted
    )
    if held.fit.variances.get("mood"):
        cycles, modes = _of_cycle(held, cycle_id, kept)
        prior = sum(held.fit.variances.get(part, 0.0) for part in ("rater", "standard", "mood"))
        known = np.clip(1.0 - modes.conditional_sd**2 / prior, 0.0, 1.0)
        told = cycles.select("rater_id").with_columns(
            *(pl.Series(name, column) for name, column in with_intervals(modes, "severity").items()),
            pl.Series("reliability", known),
        )
        numbers = [name for name in told.columns if name != "rater_id"]
        verdict, reason = verdict_and_reason(Bar(severity.practical, severity.chance), "severity")
        kept = (
            kept.drop(numbers)
            .join(told, on="rater_id", how="left", maintain_order="left")
            .with_columns(
                verdict.alias("verdict"),
                pl.when(pl.col("severity").is_null()).then("reason").otherwise(reason).alias("reason"),
            )
        )
    kept = kept.select(severity.raters.columns)
    flags = kept.filter(pl.col("verdict").is_in(["lenient", "severe"]))
    return replace(
        severity,
        raters=kept,
        departments=nobody,
        expected_false_flags=float(flags["false_sign_rate"].sum()),
    )


def _of_cycle(held: Held, cycle_id: str, kept: pl.DataFrame) -> tuple[pl.DataFrame, Modes]:
    """Raters told about who rated in the cycle, and their severity in it."""
    told = kept.filter(pl.col("severity").is_not_null()).select("rater_id")
    cycles = _placed(held, told).filter(pl.col("cycle_id") == cycle_id)
    return cycles, held.fit.contrasts(_weights(held.fit, cycles, _steps(cycles)))


_NO_CYCLES: Final = pl.DataFrame(
    schema={
        "rater_id": pl.String,
        "cycle_id": pl.String,
        **dict.fromkeys(_CYCLES, pl.Float64),
        "n_ratings": pl.Int64,
        "n_ratees": pl.Int64,
    }
)
_NO_CHANGES: Final = pl.DataFrame(
    schema={
        "rater_id": pl.String,
        "span": pl.String,
        "before": pl.String,
        "after": pl.String,
        **dict.fromkeys(_CHANGES[:-1], pl.Float64),
        "verdict": pl.String,
        "n_ratees": pl.Int64,
    }
)


def _placed(held: Held, told: pl.DataFrame, order: Sequence[str] = ()) -> pl.DataFrame:
    """One row per rater and cycle with the levels that make up its severity, oldest cycle first."""
    places = {cycle: place for place, cycle in enumerate(order)}
    homes = held.raters.select(pl.col("home").unique().sort(nulls_last=True)).with_row_index("standard")
    place = (
        pl.col("cycle_id").replace_strict(places, default=len(places), return_dtype=pl.Int64)
        if places
        else pl.lit(0)
    )
    return (
        held.moods.with_row_index("mood")
        .join(told, on="rater_id", how="semi")
        .join(held.raters.with_row_index("rater"), on="rater_id")
        .join(homes, on="home", nulls_equal=True)
        .with_columns(place.alias("place"))
        .sort("rater_id", "place", "cycle_id")
    )


def _steps(cycles: pl.DataFrame) -> pl.DataFrame:
    """One row per step: between which cycles, and which moods."""
    columns = ("rater_id", "before", "after", "mood", "later", "n_ratees")
    step = cycles.with_columns(
        pl.col("cycle_id").alias("before"),
        pl.col("cycle_id").shift(-1).over("rater_id").alias("after"),
        pl.col("mood").shift(-1).over("rater_id").alias("later"),
        pl.min_horizontal("n_ratees", pl.col("n_ratees").shift(-1).over("rater_id")),
    ).filter(pl.col("after").is_not_null())
    whole = (
        cycles.group_by("rater_id", maintain_order=True)
        .agg(
            pl.len(),
            pl.col("cycle_id").first().alias("before"),
            pl.col("cycle_id").last().alias("after"),
            pl.col("mood").first(),
            pl.col("mood").last().alias("later"),
            pl.min_horizontal(pl.col("n_ratees").first(), pl.col("n_ratees").last()).alias("n_ratees"),
        )
        .filter(pl.col("len") > 2)
    )
    return pl.concat(
        [
            step.select(*columns, pl.lit("step").alias("span")),
            whole.select(*columns, pl.lit("whole").alias("span")),
        ]
    )


def _weights(fit: CrossedFit, cycles: pl.DataFrame, steps: pl.DataFrame) -> dict[str, sparse.csr_matrix]:
    """Severities of cycles, then changes, as sums of effects."""
    many = cycles.height + steps.height
    here, there = np.arange(cycles.height), np.arange(cycles.height, many)

    def marked(name: str) -> sparse.csr_matrix:
        entries = (np.ones(here.size), (here, cycles[name].to_numpy()))
        return sparse.csr_matrix(entries, shape=(many, fit.modes[name].values.size))

    after, before = steps["later"].to_numpy(), steps["mood"].to_numpy()
    signs = np.concatenate([np.ones(there.size), -np.ones(there.size)])
    places = (np.concatenate([there, there]), np.concatenate([after, before]))
    moods = marked("mood")
    weights = {
        "rater": marked("rater"),
        "mood": moods + sparse.csr_matrix((signs, places), shape=moods.shape),
    }
    if "standard" in fit.variances:
        weights["standard"] = marked("standard")
    return weights


def _moved(practical: float) -> pl.Expr:
    """Softer or harder where sure and large enough; steady where no change that matters is left."""
    sure = (pl.col("false_sign_rate") <= FALSE_SIGN_RATE.value) & (pl.col("change").abs() >= practical)
    return (
        pl.when(sure & (pl.col("change") > 0))
        .then(pl.lit("softer"))
        .when(sure)
        .then(pl.lit("harder"))
        .when((pl.col("low") > -practical) & (pl.col("high") < practical))
        .then(pl.lit("steady"))
        .otherwise(pl.lit("unsure"))
        .alias("verdict")
    )
