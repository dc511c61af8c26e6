"""Whose goals land less often than their owner said, and whose more often?

Reads    the days on which goals were looked at and whether the goal then missed its due date, the owners'
         stated confidence, and whose goals they are.
Returns  one row per owner: confidence stated at half time, share that landed, what remains of the difference
         once luck is taken out, its interval, and a verdict; for whom the data cannot tell, why.

What counts is the latest confidence stated by half of a goal's time: early enough to be a promise, late
enough to know what one promises. Only goals whose due date has come count: of the others just those that
landed early are known.

An owner's goals of one cycle share its luck, and a bad half-year is no habit. So goals differ within an owner
and cycle, cycles within an owner, and owners among each other; the first two are luck, and their sizes come
from all owners (restricted maximum likelihood). Owners are then drawn towards the usual owner by as much as
the company's own spread of owners says (adaptive shrinkage), which leaves those that stand far out where
they are.

A flag needs more than a difference from nought: the whole interval must lie beyond what matters, and the
owner must differ from the usual owner here in the same direction. Where everybody is too sure, that is a
finding about the company and not about somebody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import optimize, stats

from analytics.disclosure import Cells
from analytics.policy import (
    CHANCE_SPREAD,
    CONFIDENCE,
    EARLY_LANDING,
    FALSE_SIGN_RATE,
    MINIMUM_FINISHED_GOALS,
    MINIMUM_OWNERS,
    MINIMUM_RETURNS,
    PRACTICAL_PROMISE,
)
from analytics.severity.verdicts import chance_of_gain

REFERENCE: Final = (
    "Stephens (2017), Biostatistics 18(2), adaptive shrinkage and local false sign rate. "
    "doi:10.1093/biostatistics/kxw041; Lichtenstein, Fischhoff & Phillips (1982), in Judgment under "
    "Uncertainty, overconfidence as mean confidence less share correct"
)

VERDICTS: Final = ("over_promises", "holds_back", "unremarkable", "cannot_tell")
REASONS: Final = (
    "few_goals",  # cannot tell: too few goals with a stated confidence came due
    "refused",  # cannot tell: nobody's habit can be had from these goals
    "no_spread",  # unremarkable: owners as a whole do not differ beyond chance
    "fair",  # unremarkable: surely or probably within what matters
    "usual",  # unremarkable: off like the usual owner here
    "unsure",  # unremarkable: might matter, but chance could explain it
)
UNTOLD: Final = (
    "no_confidence",  # nobody's confidence is kept
    "few_owners",  # too few owners to say what the usual one does
    "few_cycles",  # too few owners with goals in several cycles to tell a habit from a bad half-year
)

HALF_TIME: Final = 0.5

_OWNERS: Final = (
    "owner_id",
    "n_goals",
    "n_cycles",
    "stated",
    "landed",
    "n_early",
    "excess",
    "low",
    "high",
    "false_sign_rate",
    "false_flag_rate",
    "verdict",
    "reason",
)
_PROMISES: Final = ("owner_id", "goal_id", "cycle_id", "due_on", "confidence", "landed", "early")
_TOTAL: Final = ("n_goals", "n_owners", "stated", "landed", "usual", "usual_low", "usual_high")
_SPREADS: Final = np.concatenate([[0.0], 0.02 * np.sqrt(2.0) ** np.arange(12)])
"""Standard deviations owners may differ by, as shares: from nought to nearly one."""
_FOR_NOUGHT: Final = 10.0
"""As many owners as `_SPREADS` counts on top for not differing at all (Stephens 2017, section 2.4)."""
_ROUNDS: Final = 400
_HALVINGS: Final = 50

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Owners:
    """Owners' promises against what became of their goals.

    Attributes
    ----------
    owners
        One row per owner of a goal that came due, sorted by ``owner_id``: ``n_goals`` (with a confidence
        stated by half time), ``n_cycles``, ``stated`` (mean confidence), ``landed`` (share), ``n_early``
        (landed with at least a quarter of their time to spare), ``excess`` (stated − landed beyond luck, as
        a share; > 0 promises too much), ``low``, ``high``, ``false_sign_rate`` (chance that it points the
        other way), ``false_flag_rate`` (chance that it does not lie beyond ``practical`` on its side),
        ``verdict`` (`VERDICTS`), ``reason`` (`REASONS`; null with a flag).
    promises
        One row per goal counted, sorted by ``owner_id``, ``due_on``, ``goal_id``: ``cycle_id``, ``due_on``
        (in force at half time), ``confidence``, ``landed`` (by then: 1 or 0), ``early``.
    total
        One row, ``scope`` ``all``: ``n_goals``, ``n_owners``, ``stated``, ``landed``, ``usual`` (excess of
        the usual owner) with ``usual_low`` and ``usual_high``.
    spread
        Standard deviation of owners; null if nobody's habit can be told.
    swing
        Standard deviation of an owner's cycles; null likewise.
    chance
        Chance of owners differing this much if they did not at all; null likewise.
    practical
        Difference that matters, as a share.
    expected_false_flags
        How many of the flags are expected to lie within what does not matter.
    untold
        Why nobody's habit can be told (`UNTOLD`), if so.
    left_out
        Goals that came due and were not counted, by reason: ``no_confidence``, ``no_owner``.
    as_of
        The day by which goals had to be due.
    """

    owners: pl.DataFrame
    promises: pl.DataFrame
    total: pl.DataFrame
    spread: float | None
    swing: float | None
    chance: float | None
    practical: float
    expected_false_flags: float
    untold: str | None
    left_out: Mapping[str, int]
    as_of: date

    # Rows of owners and goals are records of that owner; access decides who reads them.
    cells: ClassVar[tuple[Cells, ...]] = (Cells("total", "scope", "n_owners", _TOTAL),)


def owners(seen: pl.DataFrame, check_ins: pl.DataFrame, goals: pl.DataFrame, *, as_of: date) -> Owners:
    """Set owners' stated confidence against what became of their goals.

    Parameters
    ----------
    seen
        One row per goal and day it was looked at: ``goal_id``, ``seen_on``, ``elapsed`` (0 to 1), ``due_on``
        (in force that day), ``missed`` (null: not known).
    check_ins
        Columns ``goal_id``, ``checked_at``, ``confidence`` (0 to 1; null: not asked).
    goals
        One row per goal: ``goal_id``, ``owner_id``, ``cycle_id``, ``start_on``, ``completed_on``.
    as_of
        The day by which goals had to be due.

    Returns
    -------
    Owners
    """
    promises, left_out = _promises(seen, check_ins, goals, as_of)
    counted = _counted(promises)
    untold = _untold(promises, counted)
    if untold is not None:
        return _refused(promises, counted, untold, left_out, as_of)
    cells = _cells(promises)
    luck = _luck(cells, promises)
    told = _shrunk(cells, luck)
    found = counted.join(told, on="owner_id", how="left").pipe(_judged, luck.chance)
    flags = found.filter(pl.col("verdict").is_in(["over_promises", "holds_back"]))
    reach = float(stats.norm.ppf(0.5 + CONFIDENCE.value / 2.0)) * luck.usual_error
    return Owners(
        owners=found.select(_OWNERS).sort("owner_id"),
        promises=promises.select(_PROMISES),
        total=_total(promises, usual=luck.usual, usual_low=luck.usual - reach, usual_high=luck.usual + reach),
        spread=luck.spread,
        swing=luck.swing,
        chance=luck.chance,
        practical=PRACTICAL_PROMISE.value,
        expected_false_flags=float(flags["false_flag_rate"].sum()),
        untold=None,
        left_out=left_out,
        as_of=as_of,
    )


def _promises(
    seen: pl.DataFrame, check_ins: pl.DataFrame, goals: pl.DataFrame, as_of: date
) -> tuple[pl.DataFrame, Mapping[str, int]]:
    """One row per goal that came due, with the confidence stated by half time, and what was left out."""
    half_time = (
        seen.filter((pl.col("due_on") <= as_of) & pl.col("missed").is_not_null())
        .filter(pl.col("elapsed") <= HALF_TIME)
        .sort("goal_id", "seen_on")
        .unique("goal_id", keep="last", maintain_order=True)
        .select("goal_id", "seen_on", "due_on", "missed")
    )
    stated = (
        check_ins.filter(pl.col("confidence").is_not_null())
        .select("goal_id", pl.col("checked_at").cast(pl.Date).alias("_said_on"), "checked_at", "confidence")
        .join(half_time.select("goal_id", "seen_on"), on="goal_id")
        .filter(pl.col("_said_on") <= pl.col("seen_on"))
        .sort("goal_id", "checked_at")
        .unique("goal_id", keep="last", maintain_order=True)
        .select("goal_id", "confidence")
    )
    found = half_time.join(
        goals.select("goal_id", "owner_id", "cycle_id", "start_on", "completed_on"), on="goal_id"
    ).join(stated, on="goal_id", how="left")
    owned = found.filter(pl.col("owner_id").is_not_null())
    time = (pl.col("due_on") - pl.col("start_on")).dt.total_days()
    taken = (pl.col("completed_on") - pl.col("start_on")).dt.total_days()
    promises = owned.filter(pl.col("confidence").is_not_null()).select(
        "goal_id",
        "owner_id",
        "due_on",
        # Goals of no cycle stand with those due in the same half-year.
        pl.coalesce(
            pl.col("cycle_id").cast(pl.String),
            pl.format("{}-{}", pl.col("due_on").dt.year(), (pl.col("due_on").dt.month() - 1) // 6),
        ).alias("cycle_id"),
        "confidence",
        (~pl.col("missed")).cast(pl.Float64).alias("landed"),
        (~pl.col("missed") & (taken <= EARLY_LANDING.value * time)).fill_null(value=False).alias("early"),
        (pl.col("confidence") - (~pl.col("missed")).cast(pl.Float64)).alias("excess"),
    )
    left_out = {
        "no_confidence": owned.height - promises.height,
        "no_owner": found.height - owned.height,
    }
    return promises.sort("owner_id", "due_on", "goal_id"), MappingProxyType(left_out)


def _counted(promises: pl.DataFrame) -> pl.DataFrame:
    return (
        promises.group_by("owner_id")
        .agg(
            pl.len().cast(pl.Int64).alias("n_goals"),
            pl.col("cycle_id").n_unique().cast(pl.Int64).alias("n_cycles"),
            pl.col("confidence").mean().alias("stated"),
            pl.col("landed").mean(),
            pl.col("early").sum().cast(pl.Int64).alias("n_early"),
        )
        .sort("owner_id")
    )


def _untold(promises: pl.DataFrame, counted: pl.DataFrame) -> str | None:
    if promises.is_empty():
        return "no_confidence"
    if counted.height < MINIMUM_OWNERS.value:
        return "few_owners"
    if int((counted["n_cycles"] - 1).sum()) < MINIMUM_RETURNS.value:
        return "few_cycles"
    return None


def _cells(promises: pl.DataFrame) -> pl.DataFrame:
    """One row per owner and cycle: number of goals, their mean excess and how it scatters."""
    mean = pl.col("excess").mean()
    return (
        promises.group_by("owner_id", "cycle_id")
        .agg(
            pl.len().cast(pl.Float64).alias("n"),
            mean.alias("mean"),
            ((pl.col("excess") - mean) ** 2).sum().alias("squares"),
        )
        .sort("owner_id", "cycle_id")
        .with_columns((pl.col("owner_id").rank("dense") - 1).cast(pl.Int64).alias("at"))
    )


@dataclass(frozen=True)
class _Luck:
    """What owners have in common: the usual owner, how owners, their cycles and their goals differ."""

    usual: float
    usual_error: float
    spread: float
    swing: float
    scatter: float
    chance: float


def _luck(cells: pl.DataFrame, promises: pl.DataFrame) -> _Luck:
    """Restricted maximum likelihood of goals within cycles within owners."""
    free = promises.height - cells.height
    squares = float(cells["squares"].sum())

    def deviance(sds: Floats) -> float:
        spread, swing, scatter = (float(sd) ** 2 for sd in sds)
        means, precision, left = _means(cells, swing, scatter)
        variance = spread + 1.0 / precision
        weight = 1.0 / variance
        usual = float((weight * means).sum() / weight.sum())
        return float(
            free * np.log(scatter)
            + squares / scatter
            + left
            + np.log1p(spread * precision).sum()
            + (weight * (means - usual) ** 2).sum()
            + np.log(weight.sum())
        )

    bounds = [(0.0, 2.0), (0.0, 2.0), (1e-3, 2.0)]
    starts = [np.array([0.2, 0.1, 0.4]), np.array([0.05, 0.02, 0.3])]
    alike = [(0.0, 0.0), *bounds[1:]]

    def best(limits: list[tuple[float, float]]) -> optimize.OptimizeResult:
        tries = [optimize.minimize(deviance, start, method="L-BFGS-B", bounds=limits) for start in starts]
        return min(tries, key=lambda one: float(one.fun))

    fitted = best(bounds)
    gain = float(best(alike).fun) - float(fitted.fun)
    spread, swing, scatter = (float(sd) for sd in fitted.x)
    means, precision, _ = _means(cells, swing**2, scatter**2)
    weight = 1.0 / (spread**2 + 1.0 / precision)
    return _Luck(
        usual=float((weight * means).sum() / weight.sum()),
        usual_error=float(weight.sum() ** -0.5),
        spread=spread,
        swing=swing,
        scatter=scatter,
        chance=chance_of_gain(gain, 1),
    )


def _means(cells: pl.DataFrame, swing: float, scatter: float) -> tuple[Floats, Floats, float]:
    """Each owner's mean, its precision, and what cycles around it and their number add to the deviance."""
    at, n, mean = cells["at"].to_numpy(), cells["n"].to_numpy(), cells["mean"].to_numpy()
    variance = swing + scatter / n
    precision: Floats = np.bincount(at, 1.0 / variance).astype(np.float64)
    means: Floats = np.bincount(at, mean / variance).astype(np.float64) / precision
    left = float(np.log(variance).sum() + ((mean - means[at]) ** 2 / variance).sum())
    return means, precision, left


def _shrunk(cells: pl.DataFrame, luck: _Luck) -> pl.DataFrame:
    """Each owner's excess beyond luck: interval, and the chances that it is on the other side.

    Owners stand around the usual one as a mixture of normals of several widths, nought included; how many
    stand how wide is estimated from all of them.
    """
    means, precision, _ = _means(cells, luck.swing**2, luck.scatter**2)
    around = means - luck.usual
    total = _SPREADS**2 + (1.0 / precision)[:, None]
    density = np.exp(-0.5 * around[:, None] ** 2 / total) / np.sqrt(total)
    shares = np.full(_SPREADS.size, 1.0 / _SPREADS.size)
    extra = np.zeros(_SPREADS.size)
    extra[0] = _FOR_NOUGHT - 1.0
    for _ in range(_ROUNDS):
        belongs = density * shares
        belongs /= belongs.sum(axis=1, keepdims=True)
        shares = belongs.sum(axis=0) + extra
        shares /= shares.sum()
    belongs = density * shares
    belongs /= belongs.sum(axis=1, keepdims=True)
    pull = _SPREADS**2 / total
    kept = pull / precision[:, None]
    excess = _Mixture(
        belongs,
        luck.usual + pull * around[:, None],
        np.sqrt(kept + ((1.0 - pull) * luck.usual_error) ** 2),
    )
    # Owners who are like the usual one for sure are on neither side of it.
    apart = _Mixture(
        belongs[:, 1:],
        (pull * around[:, None])[:, 1:],
        np.sqrt(kept + (pull * luck.usual_error) ** 2)[:, 1:],
    )
    value = excess.mean()
    side = np.where(value >= 0.0, 1.0, -1.0)
    return pl.DataFrame(
        {
            "owner_id": cells["owner_id"].unique().sort(),
            "excess": value,
            "low": excess.quantile(0.5 - CONFIDENCE.value / 2.0),
            "high": excess.quantile(0.5 + CONFIDENCE.value / 2.0),
            "false_sign_rate": excess.not_beyond(np.zeros_like(value), side),
            "false_flag_rate": excess.not_beyond(side * PRACTICAL_PROMISE.value, side),
            "usual_rate": 1.0 - belongs[:, 1:].sum(axis=1) + apart.not_beyond(np.zeros_like(value), side),
        }
    )


@dataclass(frozen=True)
class _Mixture:
    """Normals of each owner (row), with how far the owner belongs to each."""

    belongs: Floats
    centre: Floats
    width: Floats

    def mean(self) -> Floats:
        return np.asarray((self.belongs * self.centre).sum(axis=1))

    def not_beyond(self, x: Floats, side: Floats) -> Floats:
        """Chance of lying short of ``x``, seen from the side (1 above, −1 below)."""
        reach = side[:, None] * (x[:, None] - self.centre) / self.width
        return np.asarray((self.belongs * stats.norm.cdf(reach)).sum(axis=1))

    def quantile(self, p: float) -> Floats:
        low, high = np.full(len(self.belongs), -2.0), np.full(len(self.belongs), 2.0)
        above = np.ones_like(low)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2.0
            under = self.not_beyond(middle, above) < p
            low, high = np.where(under, middle, low), np.where(under, high, middle)
        return np.asarray((low + high) / 2.0)


def _judged(found: pl.DataFrame, chance: float) -> pl.DataFrame:
    """Verdicts and reasons; numbers only for who finished enough goals."""
    enough = pl.col("n_goals") >= MINIMUM_FINISHED_GOALS.value
    numbers = ("excess", "low", "high", "false_sign_rate", "false_flag_rate")
    practical = PRACTICAL_PROMISE.value
    unusual = (pl.col("usual_rate") <= FALSE_SIGN_RATE.value) & (chance <= CHANCE_SPREAD.value)
    beyond = (pl.col("low") > practical) | (pl.col("high") < -practical)
    flagged = enough & beyond & unusual
    # Nobody lands more than all of their goals, or fewer than none.
    possible = (
        pl.col(name).clip(pl.col("stated") - 1.0, pl.col("stated")).alias(name)
        for name in ("excess", "low", "high")
    )
    return found.with_columns(possible).with_columns(
        pl.when(~enough)
        .then(pl.lit("cannot_tell"))
        .when(flagged & (pl.col("excess") > 0))
        .then(pl.lit("over_promises"))
        .when(flagged)
        .then(pl.lit("holds_back"))
        .otherwise(pl.lit("unremarkable"))
        .alias("verdict"),
        pl.when(flagged)
        .then(None)
        .when(~enough)
        .then(pl.lit("few_goals"))
        .when(pl.lit(chance > CHANCE_SPREAD.value))
        .then(pl.lit("no_spread"))
        .when(pl.col("excess").abs() < practical)
        .then(pl.lit("fair"))
        .when(beyond)
        .then(pl.lit("usual"))
        .otherwise(pl.lit("unsure"))
        .alias("reason"),
        *(pl.when(enough).then(name).alias(name) for name in numbers),
    )


def _total(promises: pl.DataFrame, **usual: float | None) -> pl.DataFrame:
    return promises.select(
        pl.lit("all").alias("scope"),
        pl.len().cast(pl.Int64).alias("n_goals"),
        pl.col("owner_id").n_unique().cast(pl.Int64).alias("n_owners"),
        pl.col("confidence").mean().alias("stated"),
        pl.col("landed").mean(),
        *(
            pl.lit(usual.get(name), dtype=pl.Float64).alias(name)
            for name in ("usual", "usual_low", "usual_high")
        ),
    )


def _refused(
    promises: pl.DataFrame, counted: pl.DataFrame, untold: str, left_out: Mapping[str, int], as_of: date
) -> Owners:
    numbers = ("excess", "low", "high", "false_sign_rate", "false_flag_rate")
    few = pl.col("n_goals") < MINIMUM_FINISHED_GOALS.value
    return Owners(
        owners=counted.with_columns(
            *(pl.lit(None, dtype=pl.Float64).alias(name) for name in numbers),
            pl.lit("cannot_tell").alias("verdict"),
            pl.when(few).then(pl.lit("few_goals")).otherwise(pl.lit("refused")).alias("reason"),
        )
        .select(_OWNERS)
        .sort("owner_id"),
        promises=promises.select(_PROMISES),
        total=_total(promises),
        spread=None,
        swing=None,
        chance=None,
        practical=PRACTICAL_PROMISE.value,
        expected_false_flags=0.0,
        untold=untold,
        left_out=left_out,
        as_of=as_of,
    )
