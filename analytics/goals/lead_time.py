"""Did warned goals miss, and was the warning early enough to do something?

Reads    what was said of each goal on each day (`analytics.goals.risk.ladder.Chances.said`): goal_id,
         seen_on, due_on, days_left, delay, pace_delay, missed, known_on.
Returns  the limits in force in each quarter, and one row per goal and due date that has passed: whether it
         missed and since when it had been warned of, by the delay probability and by the pace rule; from
         these precision, recall and lead time.

A limit is chosen at the beginning of a quarter from goals that were due before it, and from nothing later, so
that no period is judged by a limit chosen on it: the lowest at which enough warnings can be expected to come
true. Expected is, before anything is past, what an honest probability promises: of the goals on which it ever
reaches a level, at least so many miss. Each past quarter then counts as one observation of that share. A goal
whose due date was moved is a case for each date: what was warned of is missing the date of that day.

The pace rule is judged beside it in two ways: with limits chosen from its own past in the same manner, and
with as many warnings as the delay probability gave, which is generous to it, for that needs hindsight.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import ClassVar, Final

import numpy as np
import polars as pl
from scipy.stats import norm

from analytics.disclosure import Cells
from analytics.policy import (
    CONFIDENCE,
    WARNING_GAP,
    WARNING_HALF,
    WARNING_LEAD,
    WARNING_PRECISION,
    WARNING_TRUST,
)

REFERENCE: Final = "Wilson (1927), J. Am. Stat. Assoc. 22(158). doi:10.1080/01621459.1927.10502953"

RULES: Final = ("delay", "pace", "pace_equal")
"""By the delay probability; by the pace rule with its own limits; by the pace rule as often."""

_CANDIDATES: Final = np.round(np.arange(0.30, 0.96, 0.01), 2)
_LIMITS: Final = {
    "from_on": pl.Date,
    "on": pl.Float64,
    "off": pl.Float64,
    "cases": pl.Int64,
}


@dataclass(frozen=True)
class LeadTimes:
    """What became of goals that are past their due date, and since when they had been warned of.

    Attributes
    ----------
    cases
        One row per goal and due date, sorted by both: ``goal_id``, ``due_on``, ``period`` (first day of the
        quarter it was due in), ``missed``, and for each of `RULES` the first day a warning stood for that
        due date: ``delay_on``, ``pace_on``, ``pace_equal_on`` (null: never).
    measures
        One row per rule and period, and per rule over all periods (``period`` is null), sorted so:
        ``rule``, ``period``, ``cases``, ``missed`` and ``warned`` (counts), ``warned_missed``, ``early``
        (misses warned of at least `WARNING_LEAD` days ahead); ``precision`` (share of the warned that
        missed), ``recall`` (share of misses warned of), ``early_share`` (share of misses warned of early),
        each with ``…_low`` and ``…_high`` (Wilson, null where there is nothing to take a share of);
        ``lead_days`` (median from warning to due date of the warned misses), ``lead_low``, ``lead_high``
        (quartiles).
    limits
        The limits of the delay probability; see `limits`.
    as_of
        The last day anything is known of.
    """

    cases: pl.DataFrame
    measures: pl.DataFrame
    limits: pl.DataFrame
    as_of: date

    cells: ClassVar[tuple[Cells, ...]] = ()  # Cases are goals, not statistics about people.


def lead_times(said: pl.DataFrame, *, as_of: date) -> LeadTimes:
    """Judge past warnings by what became of the goals.

    Parameters
    ----------
    said
        One row per goal and snapshot, as in ``Chances.said``; what was said must not have known later days.
    as_of
        The last day anything is known of.

    Returns
    -------
    LeadTimes
        Of goals due by ``as_of`` whose fate is known. Rows may be none.
    """
    own = limits(said, as_of=as_of)
    pace = limits(said, as_of=as_of, chance="pace_delay")
    settled = said.filter(pl.col("due_on") <= as_of, pl.col("missed").is_not_null())
    cases = settled.group_by("goal_id", "due_on").agg(
        pl.col("missed").last(), pl.col("pace_delay").max().alias("_pace_most")
    )
    # Marked over all that was said of a goal: a warning may have begun before the due date was moved.
    cases = cases.join(_first_warned(said, own, "delay", "delay_on"), on=["goal_id", "due_on"], how="left")
    cases = cases.join(
        _first_warned(said, pace, "pace_delay", "pace_on"), on=["goal_id", "due_on"], how="left"
    )
    equal = _as_often(cases)
    as_often = (
        settled.filter(pl.col("pace_delay") >= equal)
        .group_by("goal_id", "due_on")
        .agg(pl.col("seen_on").min().alias("pace_equal_on"))
    )
    cases = (
        cases.join(as_often, on=["goal_id", "due_on"], how="left")
        .with_columns(pl.col("due_on").dt.truncate("1q").alias("period"))
        .select("goal_id", "due_on", "period", "missed", *(f"{rule}_on" for rule in RULES))
        .sort("goal_id", "due_on")
    )
    return LeadTimes(cases, _measures(cases), own, as_of)


def narrowed(found: LeadTimes, goal_ids: frozenset[str]) -> LeadTimes:
    """The same for some goals only; limits stay those of the whole company."""
    cases = found.cases.filter(pl.col("goal_id").is_in(list(goal_ids)))
    return replace(found, cases=cases, measures=_measures(cases))


def limits(said: pl.DataFrame, *, as_of: date, chance: str = "delay") -> pl.DataFrame:
    """From where on to warn, quarter by quarter, each chosen from what was known when it began.

    The lowest limit at which the share of warned goals that miss is expected to come to `WARNING_PRECISION`,
    for a lower one warns of more misses. Expected is the mean of what the probability promises (the limit
    itself, counted as `WARNING_TRUST` quarters) and of the share in each past quarter. An honest probability
    that wanders until it is settled comes true, of all goals on which it ever reaches a level, at least as
    often as that level says.

    Parameters
    ----------
    said
        As in `lead_times`.
    as_of
        The last day anything is known of.
    chance
        Column with the probability to warn by: ``delay`` or ``pace_delay``.

    Returns
    -------
    polars.DataFrame
        One row per quarter, sorted: ``from_on``, ``on`` (a warning begins at or above it), ``off`` (and ends
        below it), ``cases`` (goals past by then; with none the promise alone counts).

    Raises
    ------
    ValueError
        If ``chance`` is neither of the two.
    """
    if chance not in ("delay", "pace_delay"):
        raise ValueError(f"chance must be delay or pace_delay; got {chance!r}")
    cases = (
        said.filter(pl.col("missed").is_not_null(), pl.col("due_on") <= as_of)
        .group_by("goal_id", "due_on")
        .agg(pl.col(chance).max().round(9).alias("most"), pl.col("missed").last(), pl.col("known_on").last())
        .drop_nulls("most")
        .with_columns(pl.col("due_on").dt.truncate("1q").alias("quarter"))
        .sort("quarter")
    )
    first = said["seen_on"].min()
    rows = []
    for start in _quarters(first, as_of) if isinstance(first, date) else ():
        # Cases known early are those that landed early: only those past their due date are whole.
        past = cases.filter(pl.col("due_on") < start, pl.col("known_on") < start)
        on = _chosen(past)
        rows.append((start, on, on - WARNING_GAP.value, past.height))
    return pl.DataFrame(rows, schema=_LIMITS, orient="row").with_columns(pl.col("off").round(9))


def marked(said: pl.DataFrame, found: pl.DataFrame, *, chance: str = "delay") -> pl.DataFrame:
    """Whether a warning stands on each day: from at or above one limit until below the other.

    Parameters
    ----------
    said
        ``goal_id``, ``seen_on`` and the probability.
    found
        Limits, as `limits` gives them.
    chance
        Column with the probability; a day without one changes nothing.

    Returns
    -------
    polars.DataFrame
        The same rows, sorted by goal and day, with ``limit`` and ``warned``.
    """
    value = pl.col(chance).round(9)
    state = pl.when(value >= pl.col("limit")).then(True).when(value < pl.col("off")).then(False)
    return (
        said.with_columns(pl.col("seen_on").dt.truncate("1q").alias("from_on"))
        .join(found.select("from_on", pl.col("on").alias("limit"), "off"), on="from_on", how="left")
        .sort("goal_id", "seen_on")
        .with_columns(state.forward_fill().over("goal_id").fill_null(value=False).alias("warned"))
        .drop("from_on", "off")
    )


def wilson(hits: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share of ``hits`` in ``n`` cases, n > 0."""
    z = float(norm.ppf(0.5 + CONFIDENCE.value / 2))
    share = hits / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    return max(0.0, middle - half), min(1.0, middle + half)


def _quarters(first: date, last: date) -> Iterator[date]:
    year, month = first.year, 3 * ((first.month - 1) // 3) + 1
    while date(year, month, 1) <= last:
        yield date(year, month, 1)
        year, month = (year, month + 3) if month < 10 else (year + 1, 1)


def _chosen(past: pl.DataFrame) -> float:
    """The lowest limit at which enough warnings can be expected to come true."""
    shares = WARNING_TRUST.value * _CANDIDATES
    weights = np.full(len(_CANDIDATES), WARNING_TRUST.value)
    for _, quarter in past.group_by("quarter", maintain_order=True):
        warned = quarter["most"].to_numpy()[:, None] >= _CANDIDATES
        n = warned.sum(axis=0)
        weight = n / (n + WARNING_HALF.value)
        hits = (warned & quarter["missed"].to_numpy()[:, None]).sum(axis=0)
        shares = shares + weight * hits / np.maximum(n, 1)
        weights = weights + weight
    enough = _CANDIDATES[(shares / weights).round(9) >= WARNING_PRECISION.value]
    return float(enough.min() if len(enough) else _CANDIDATES[-1])


def _first_warned(said: pl.DataFrame, found: pl.DataFrame, chance: str, name: str) -> pl.DataFrame:
    """The first day on which a warning stood, by goal and due date."""
    return (
        marked(said, found, chance=chance)
        .filter("warned")
        .group_by("goal_id", "due_on")
        .agg(pl.col("seen_on").min().alias(name))
    )


def _as_often(cases: pl.DataFrame) -> float:
    """The limit at which the pace rule warns of about as many cases as the delay probability did."""
    wanted = cases["delay_on"].count()
    most = cases["_pace_most"].drop_nulls().sort(descending=True)
    if wanted == 0 or most.is_empty():
        return float("inf")
    # Many cases may share a value: of the two limits beside it, the one whose count is nearer.
    at = float(most[min(wanted, len(most)) - 1])
    above = most.filter(most > at)
    with_ties, without = int((most >= at).sum()), len(above)
    nearer = without > 0 and abs(without - wanted) < abs(with_ties - wanted)
    return float(above.to_numpy().min()) if nearer else at


def _measures(cases: pl.DataFrame) -> pl.DataFrame:
    """Counts, shares and lead times by rule and period, and over all periods."""
    long = pl.concat(
        cases.select(
            pl.lit(rule).alias("rule"),
            pl.col("period"),
            pl.col("missed"),
            pl.col(f"{rule}_on").is_not_null().alias("_warned"),
            (pl.col("due_on") - pl.col(f"{rule}_on")).dt.total_days().alias("_lead"),
        )
        for rule in RULES
    )
    long = pl.concat([long, long.with_columns(pl.lit(None, pl.Date).alias("period"))])
    told = pl.col("_warned") & pl.col("missed")
    lead = pl.col("_lead").filter(told)
    counted = long.group_by("rule", "period").agg(
        pl.len().cast(pl.Int64).alias("cases"),
        pl.col("missed").sum().cast(pl.Int64),
        pl.col("_warned").sum().cast(pl.Int64).alias("warned"),
        told.sum().cast(pl.Int64).alias("warned_missed"),
        (told & (pl.col("_lead") >= WARNING_LEAD.value)).sum().cast(pl.Int64).alias("early"),
        lead.median().alias("lead_days"),
        lead.quantile(0.25, interpolation="linear").alias("lead_low"),
        lead.quantile(0.75, interpolation="linear").alias("lead_high"),
    )
    shares = (
        ("precision", "warned_missed", "warned"),
        ("recall", "warned_missed", "missed"),
        ("early_share", "early", "missed"),
    )
    for name, hits, n in shares:
        bounds = [
            (h / m, *wilson(h, m)) if m else (None, None, None)
            for h, m in counted.select(hits, n).iter_rows()
        ]
        counted = counted.hstack(
            pl.DataFrame(
                bounds, schema=dict.fromkeys((name, f"{name}_low", f"{name}_high"), pl.Float64), orient="row"
            )
        )
    order = pl.col("rule").replace_strict({rule: i for i, rule in enumerate(RULES)}, return_dtype=pl.Int8)
    return counted.sort(order, "period", nulls_last=False).select(
        "rule",
        "period",
        "cases",
        "missed",
        "warned",
        "warned_missed",
        "early",
        *(f"{name}{end}" for name, _, _ in shares for end in ("", "_low", "_high")),
        "lead_days",
        "lead_low",
        "lead_high",
    )
