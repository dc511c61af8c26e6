"""Are goals set well, and in time?

Reads    the pace of goals (`analytics.goals.pace`) and the goals as their contract has them.
Returns  of the open goals how many have what a goal needs (`FACTS`), how many days after their first day
         they were agreed, and how many later than `analytics.policy.SETTING_LATE`: in all, by department and,
         of all goals but drafts, by cycle.

Counted facts, no score: a goal that has all of them may still be the wrong goal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Final

import numpy as np
import polars as pl
from scipy import special

from analytics.disclosure import Cells
from analytics.distribution.uncertainty import benjamini_hochberg, wilson
from analytics.goals.coverage import unnamed
from analytics.goals.pace import GoalPace
from analytics.policy import CONFIDENCE, FALSE_DISCOVERY, SETTING_GAP, SETTING_LATE

REFERENCE: Final = (
    "Doran (1981), Management Review 70(11), 35-36, for what a goal needs; "
    "Wilson (1927), JASA 22(158), for the interval of a share; "
    "Benjamini & Hochberg (1995), J. R. Stat. Soc. B 57(1), for several departments"
)

FACTS: Final = ("metric", "target", "data_source", "cadence", "owner", "agreed")
_COUNTS: Final = (
    "goals",
    "owners",
    *FACTS,
    "complete",
    "dated",
    "late",
    "late_share",
    "late_low",
    "late_high",
    "median_days",
)


@dataclass(frozen=True)
class Setting:
    """How goals were set.

    Each frame has ``goals``, ``owners`` (different people), a count for each of `FACTS` (*target*: a target,
    and where the way counts a starting value; *agreed*: by both sides), ``complete`` (has all of them),
    ``dated`` (agreed on a known day), ``late`` (of those, agreed more than `SETTING_LATE` days after their
    first day), ``late_share`` with its 95 % interval ``late_low`` to ``late_high``, ``median_days`` (from the
    first day to the agreement; negative: before).

    Attributes
    ----------
    total
        One row, ``scope`` *all*: the open goals.
    departments
        The open goals below company goals, which are everybody's: one row per department, sorted by
        ``department_id``; small ones are hidden. Also ``elsewhere`` (share agreed late in all other
        departments together) and ``stands_out`` (later than elsewhere by at least `SETTING_GAP`, and by more
        than chance explains, adjusted for the number of departments; owners, not goals, count as cases).
    cycles
        All goals but drafts, one row per cycle in the order of their first days: ``cycle_id``.
    as_of
        The day the goals are looked at.
    """

    total: pl.DataFrame
    departments: pl.DataFrame
    cycles: pl.DataFrame
    as_of: date

    cells: ClassVar[tuple[Cells, ...]] = (
        Cells("total", "scope", "owners", _COUNTS),
        Cells("departments", "department_id", "owners", (*_COUNTS, "elsewhere", "stands_out")),
        Cells("cycles", "cycle_id", "owners", _COUNTS, additive=False),
    )


def setting(goals: pl.DataFrame, found: GoalPace, *, branches: Mapping[str, str]) -> Setting:
    """Count what goals have, and how late they were agreed.

    Parameters
    ----------
    goals
        Goals as the contract has them.
    found
        Their pace; goals that are not in it are left out.
    branches
        Department → the department it is counted under; goals of others are in no row of ``departments``.

    Returns
    -------
    Setting
        Frames may be empty but for ``total``.
    """
    days = (pl.col("agreed_on") - pl.col("start_on")).dt.total_days()
    known = pl.col("agreed_on").is_not_null() & (pl.col("agreed_on") <= found.as_of)
    facts = {
        "metric": ~unnamed("metric"),
        # A first measurement has no target, and a goal without one may be summed up from those below it.
        "target": (pl.col("kind").eq_missing("baseline"))
        | pl.col("from_below")
        | (
            pl.col("target").is_not_null()
            & ~(
                pl.col("kind").is_in(["increase", "decrease"]).fill_null(value=False)
                & pl.col("baseline").is_null()
            )
        ),
        "data_source": ~unnamed("data_source"),
        "cadence": pl.col("cadence_days").is_not_null(),
        "owner": pl.col("owner_id").is_not_null(),
        "agreed": known,
    }
    states = found.goals.select("goal_id", "status", "open", "from_below")
    rows = (
        goals.with_columns(pl.col("kind", "scope").cast(pl.String))
        .drop("status")
        .join(states, on="goal_id")
        .filter(pl.col("status") != "draft")
        .with_columns(fact.alias(f"_{name}") for name, fact in facts.items())
        .with_columns(
            pl.all_horizontal(f"_{name}" for name in FACTS).alias("_complete"),
            pl.when(known).then(days).alias("_days"),
            pl.col("department_id")
            .replace_strict(branches, default=None, return_dtype=pl.String)
            .alias("department_id"),
        )
    )
    running = rows.filter("open")
    firsts = rows.drop_nulls("cycle_id").group_by("cycle_id").agg(pl.col("start_on").min().alias("_first"))
    return Setting(
        _counted(running.with_columns(pl.lit("all").alias("scope")), ["scope"], always=("all",)),
        _counted(running.filter(pl.col("scope") != "company").drop_nulls("department_id"), ["department_id"])
        .sort("department_id")
        .pipe(_against_the_rest),
        _counted(rows.drop_nulls("cycle_id"), ["cycle_id"])
        .join(firsts, on="cycle_id")
        .sort("_first", "cycle_id")
        .drop("_first"),
        found.as_of,
    )


def _counted(rows: pl.DataFrame, by: Sequence[str], *, always: tuple[str, ...] = ()) -> pl.DataFrame:
    counts = rows.group_by(by).agg(
        pl.len().cast(pl.Int64).alias("goals"),
        pl.col("owner_id").drop_nulls().n_unique().cast(pl.Int64).alias("owners"),
        *(pl.col(f"_{fact}").sum().cast(pl.Int64).alias(fact) for fact in (*FACTS, "complete")),
        pl.col("_days").count().cast(pl.Int64).alias("dated"),
        (pl.col("_days") > SETTING_LATE.value).sum().cast(pl.Int64).alias("late"),
        pl.col("_days").median().alias("median_days"),
    )
    if counts.is_empty() and always:
        counts = counts.vstack(
            pl.DataFrame(
                [{**dict.fromkeys(counts.columns, 0), by[0]: always[0], "median_days": None}],
                schema=counts.schema,
            )
        )
    return with_share(counts, "late", "dated").select(*by, *_COUNTS)


def _against_the_rest(departments: pl.DataFrame) -> pl.DataFrame:
    """Which departments agree on their goals later than all others together.

    Two shares are compared by their pooled standard error; goals of one owner are agreed on together, so the
    owners are the cases.
    """
    late, dated, owners = (
        departments[column].cast(pl.Float64).to_numpy() for column in ("late", "dated", "owners")
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        share = late / dated
        elsewhere = (late.sum() - late) / (dated.sum() - dated)
        pooled = late.sum() / dated.sum()
        error = np.sqrt(pooled * (1 - pooled) * (1 / owners + 1 / (owners.sum() - owners)))
        chance = 2 * special.ndtr(-np.abs((share - elsewhere) / error))
    likely = benjamini_hochberg(np.asarray(chance, dtype=np.float64)) <= FALSE_DISCOVERY.value
    return departments.with_columns(
        pl.Series("elsewhere", elsewhere, dtype=pl.Float64).fill_nan(None),
        pl.Series("stands_out", likely & (share - elsewhere >= SETTING_GAP.value), dtype=pl.Boolean),
    )


def with_share(counts: pl.DataFrame, count: str, of: str) -> pl.DataFrame:
    """Add ``count`` ÷ ``of`` as ``…_share`` with its interval ``…_low``, ``…_high``; null of nothing."""
    n = counts[of].cast(pl.Float64).fill_null(0.0)
    share = (counts[count].cast(pl.Float64) / n).fill_nan(0.0).fill_null(0.0)
    low, high = wilson(share.to_numpy(), n.to_numpy(), confidence=CONFIDENCE.value)
    return counts.with_columns(
        pl.when(n > 0).then(share).alias(f"{count}_share"),
        pl.Series(f"{count}_low", low).fill_nan(None),
        pl.Series(f"{count}_high", high).fill_nan(None),
    )
