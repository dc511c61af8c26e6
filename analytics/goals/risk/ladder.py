"""How likely is each goal to miss its due date, and how well would we have known it?

Reads    a panel of goals seen again and again (`analytics.goals.risk.panel`).
Returns  what would honestly have been said on every day, the delay probability of every open goal today, and
         how each rung of the ladder of models did.

Rolling origins: on a row of days in the past everything is learnt anew from what was known by then, and
says what it has to say about the days up to the next origin. Those statements, made ahead of the outcome,
are all the backtest ever looks at. They choose the rung: a richer model is used from an origin on only if it
did better on what had been settled by that day. They calibrate: the map from stated to calibrated
probabilities at an origin is learnt from statements made at earlier origins. A random split is never used.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from typing import ClassVar, Final, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from analytics.disclosure import Cells
from analytics.goals.risk.calibration import UNCHECKED, Calibrations, calibrate_by_third
from analytics.goals.risk.panel import Panel
from analytics.goals.risk.posterior import log_odds
from analytics.goals.risk.rungs import (
    RUNGS,
    Blend,
    Lived,
    Model,
    Pace,
    blended,
    boosting,
    logistic,
    pace,
    parts,
)
from analytics.policy import FEWEST_FOR_BOOSTING, FEWEST_FOR_LOGISTIC, RULES_VERSION

REFERENCE: Final = "Choetkiertikul et al. (2018), IEEE Trans. Softw. Eng. 44(6). doi:10.1109/TSE.2017.2693989"

ORIGINS: Final = 10
"""Days in the past on which all is learnt anew."""
_APART: Final = 28
"""Days between origins at least."""
_CROWD: Final = 14
"""Days within which goals come due at once."""
_SIDE_BY_SIDE: Final = 2
_NEVER: Final = -(10**7)
"""A day before all others."""
MOST_TO_LEARN: Final = 40_000
"""Snapshots a model learns from at most; whole goals are drawn, and more teach it nothing measurable."""
WIDTH: Final = 1.645
"""Standard errors to either side that hold nine in ten."""
MOST_DRIVERS: Final = 3
LEAST_EFFECT: Final = 0.15
"""Change of the log odds below which a driver is not worth naming."""

Plain: TypeAlias = str | int | float | list[str]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

SAID: Final = MappingProxyType(
    {
        "goal_id": pl.String(),
        "seen_on": pl.Date(),
        "elapsed": pl.Float64(),
        "days_left": pl.Int64(),
        "due_on": pl.Date(),
        "delay": pl.Float64(),
        "delay_low": pl.Float64(),
        "delay_high": pl.Float64(),
        "pace_delay": pl.Float64(),
        "base_delay": pl.Float64(),
        "rung": pl.String(),
        "origin": pl.Date(),
        "missed": pl.Boolean(),
        "known_on": pl.Date(),
    }
)
NOW: Final = MappingProxyType(
    {
        "goal_id": pl.String(),
        "delay": pl.Float64(),
        "delay_low": pl.Float64(),
        "delay_high": pl.Float64(),
        "pace_delay": pl.Float64(),
        "rung": pl.String(),
        "raising": pl.List(pl.String),
        "lowering": pl.List(pl.String),
    }
)
LADDER: Final = MappingProxyType(
    {
        "rung": pl.String(),
        "n_goals": pl.Int64(),
        "n_snapshots": pl.Int64(),
        "brier": pl.Float64(),
        "skill": pl.Float64(),
        "log_loss": pl.Float64(),
        "auc": pl.Float64(),
        "ece": pl.Float64(),
        "chosen": pl.Boolean(),
    }
)


@dataclass(frozen=True)
class Chances:
    """Delay probabilities: of every open goal now, and all that would have been said before.

    Attributes
    ----------
    said
        One row per goal and snapshot, sorted by both: ``goal_id``, ``seen_on``, ``elapsed``, ``days_left``,
        ``due_on`` (in force that day); ``delay`` (delay probability by the model as it stood before
        that day), ``delay_low``, ``delay_high`` (its 90 % interval), ``pace_delay`` (by the pace rule
        learnt at the same origin), ``base_delay`` (share missed of what was settled by then), ``rung``,
        ``origin`` (day up to which it was learnt; null: nothing was settled yet, the prior speaks),
        ``missed`` and ``known_on`` (null: not yet known).
    now
        One row per open goal not past its due date, sorted by ``goal_id``: ``delay``, ``delay_low``,
        ``delay_high``, ``pace_delay``, ``rung``, ``raising``, ``lowering`` (drivers, strongest first).
    ladder
        One row per rung that could be tried: goals, snapshots, Brier score, ``skill`` (share of the base
        rate's Brier score saved), log loss, AUC, ECE in ten bins of equal count, all on the same later
        snapshots, calibrated; ``chosen``.
    card
        What the model is: plain values for reading.
    as_of
        The day it speaks of.
    """

    said: pl.DataFrame
    now: pl.DataFrame
    ladder: pl.DataFrame
    card: Mapping[str, Plain]
    as_of: date

    cells: ClassVar[tuple[Cells, ...]] = ()  # A goal is a record of its owner; access decides who reads it.


@dataclass(frozen=True)
class Learnt:
    """All that was learnt up to a day.

    Attributes
    ----------
    models
        The rungs that could be fitted, with the calibration of each.
    chosen
        The rung that speaks.
    base
        Share missed of what was settled.
    origin
        Up to which day; None if nothing was settled.
    elapsed
        Which measurement is the share of the time that had passed.
    """

    models: Mapping[str, tuple[Model, Calibrations]]
    chosen: str
    base: float
    origin: date | None
    elapsed: int

    def delay(self, features: Floats) -> Floats:
        """Calibrated delay probability by the rung that speaks."""
        return self.by(self.chosen, features)

    def by(self, rung: str, features: Floats) -> Floats:
        """Calibrated delay probability by a rung."""
        model, calibration = self.models[rung]
        return calibration.apply(model.delay(features), features[:, self.elapsed])


def chances(panel: Panel, *, seed: int = 0, origins: int = ORIGINS) -> Chances:
    """Learn, choose, calibrate and speak.

    Parameters
    ----------
    panel
        What could be known about each goal on each day.
    seed
        Of the trees and of the draw of goals where there are more than `MOST_TO_LEARN` snapshots.
    origins
        On how many days in the past all is learnt anew, about.

    Returns
    -------
    Chances
        With no goal settled the prior of the pace rule speaks, with its width.
    """
    # Threads that wait for each other are slower than one where the cores are shared with other work.
    with threadpool_limits(1):
        return _spoken(panel, _roll(panel, seed=seed, origins=origins), seed=seed)


def learn(panel: Panel, *, seed: int = 0, origins: int = ORIGINS) -> Learnt:
    """What `chances` learns up to the panel's last day, for scoring snapshots of later days."""
    with threadpool_limits(1):
        return _roll(panel, seed=seed, origins=origins).learnt


def _spoken(panel: Panel, rolled: _Rolled, *, seed: int) -> Chances:
    today = panel.snapshots.with_row_index("_at").filter(
        pl.col("seen_on") == panel.as_of, pl.col("missed").is_null()
    )
    at = today["_at"].to_numpy().astype(np.int64)
    return Chances(
        rolled.said,
        _now(today, rolled.table.features[at], rolled.learnt, rolled.said, panel),
        rolled.ladder,
        _card(rolled, panel, seed),
        panel.as_of,
    )


@dataclass(frozen=True)
class _Table:
    """The panel as arrays, one entry per snapshot; days count from 1970."""

    goal: Ints
    seen: Ints
    due: Ints
    landed: Floats
    known: Floats
    missed: Flags
    features: Floats
    pace_column: int
    elapsed_column: int


@dataclass(frozen=True)
class _Rolled:
    table: _Table
    said: pl.DataFrame
    learnt: Learnt
    ladder: pl.DataFrame
    origins: tuple[date, ...]


def _table(panel: Panel) -> _Table:
    shots = panel.snapshots
    goal = shots["goal_id"].rle_id().to_numpy().astype(np.int64)

    def day(name: str) -> Floats:
        return shots[name].to_physical().cast(pl.Float64).fill_null(float("nan")).to_numpy()

    return _Table(
        goal=goal,
        seen=day("seen_on").astype(np.int64),
        due=day("due_on").astype(np.int64),
        landed=day("landed_on"),
        known=day("known_on"),
        missed=shots["missed"].fill_null(value=False).to_numpy(),
        features=shots.select(pl.col(panel.features).fill_null(float("nan")))
        .to_numpy(order="c")
        .astype(np.float64),
        pace_column=panel.features.index("pace_needed"),
        elapsed_column=panel.features.index("elapsed"),
    )


def _roll(panel: Panel, *, seed: int, origins: int) -> _Rolled:
    """Learn at each origin and speak about the days up to the next."""
    table = _table(panel)
    as_of = _day(panel.as_of)
    days_of_learning = _origins(table, as_of, origins)
    n = len(table.goal)
    # What each rung said before it was calibrated, and after; NaN where it could not speak yet.
    raw = {rung: np.full(n, np.nan) for rung in RUNGS}
    bent = {rung: np.full(n, np.nan) for rung in RUNGS}
    low, high, base = np.full(n, np.nan), np.full(n, np.nan), np.full(n, np.nan)
    spoke = np.full(n, -1, dtype=np.int64)
    chosen = np.full(n, -1, dtype=np.int64)
    learnt = Learnt({}, "pace", 0.4, None, table.elapsed_column)
    spans = _spans(table, days_of_learning)
    # What is learnt on one day does not wait for another; only what is made of it does.
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        fits = list(pool.map(lambda span: _fit_alone(table, *span, seed=seed), spans))
    for at, ((origin, rows), fit) in enumerate(zip(spans, fits, strict=True)):
        learnt = _learn(table, origin, fit, raw=raw, bent=bent, spoke=spoke)
        for rung, (_, calibration) in learnt.models.items():
            raw[rung][rows] = fit[rung][1]
            bent[rung][rows] = calibration.apply(fit[rung][1], table.features[rows, table.elapsed_column])
        low[rows], high[rows] = _interval(learnt, table.features[rows], bent[learnt.chosen][rows])
        base[rows], spoke[rows], chosen[rows] = learnt.base, at, RUNGS.index(learnt.chosen)
    delay = np.choose(np.maximum(chosen, 0), [bent[rung] for rung in RUNGS]) if n else np.empty(0)
    days = [None, *(_date(day) for day in days_of_learning)]
    said = panel.snapshots.select(
        "goal_id",
        "seen_on",
        "elapsed",
        pl.col("days_left").cast(pl.Int64),
        "due_on",
        pl.Series("delay", delay, dtype=pl.Float64),
        pl.Series("delay_low", low, dtype=pl.Float64),
        pl.Series("delay_high", high, dtype=pl.Float64),
        pl.Series("pace_delay", bent["pace"], dtype=pl.Float64),
        pl.Series("base_delay", base, dtype=pl.Float64),
        pl.Series("rung", np.array(RUNGS, dtype=object)[np.maximum(chosen, 0)], dtype=pl.String),
        pl.Series("origin", days, dtype=pl.Date).gather(np.maximum(spoke, 0)),
        "missed",
        "known_on",
    )
    ladder = _compared(table, bent, base, as_of, learnt.chosen)
    return _Rolled(table, said, learnt, ladder, tuple(_date(day) for day in days_of_learning))


def _origins(table: _Table, as_of: int, most: int) -> list[int]:
    """Days to learn anew: when many goals have just come due, and between them where many are looked at."""
    everything = np.ones(len(table.goal), dtype=np.bool_)
    last = _latest(table, everything) & (table.due < as_of) & ~np.isnan(table.known)
    settled = np.sort(table.known[last])
    fewest = int(FEWEST_FOR_LOGISTIC.value)
    if len(settled) < fewest:
        return [as_of] if len(settled) else []
    first = int(settled[fewest - 1]) + 1
    due, seen = table.due[last] + 1, table.seen[table.seen >= first]
    # Once many have come due at once, misses are known as well as early landings; between, fewer days matter.
    days, counts = np.unique(due, return_counts=True)
    crowd = np.array([counts[(days > day - _CROWD) & (days <= day)].sum() for day in days])
    usual = len(due) * _CROWD / max(int(due.max() - due.min()), _CROWD)
    wanted = [int(day) for day in days[np.lexsort((-days, -crowd))] if crowd[days == day][0] > 2 * usual]
    if len(seen):
        spread = np.quantile(seen, np.arange(1, most + 1) / (most + 1))
        wanted += [int(day) for day in spread.round()]
    kept = [first]
    for day in wanted:
        apart = min(abs(day - other) for other in [*kept, as_of])
        if first < day < as_of and apart >= _APART and len(kept) < most:
            kept.append(day)
    return sorted({*kept, as_of} if first < as_of else {as_of})


def _spans(table: _Table, origins: list[int]) -> list[tuple[int, Ints]]:
    """Each origin with the snapshots up to the next; before the first, nothing has been learnt."""
    bounds = [_NEVER, *origins]
    ends = [*origins, -_NEVER]
    return [
        (origin, np.flatnonzero((table.seen >= origin) & (table.seen < end)))
        for origin, end in zip(bounds, ends, strict=True)
    ]


def _settled(table: _Table, origin: int) -> Flags:
    """Snapshots whose outcome was known by a day.

    Only those whose due date had passed: of the others the early landings are known and the misses not.
    """
    return (table.seen < origin) & (table.due < origin) & (table.known < origin)


def _fit_alone(table: _Table, origin: int, rows: Ints, *, seed: int) -> dict[str, tuple[Model, Floats]]:
    # Some limits hold only in the thread that sets them.
    with threadpool_limits(1):
        return _fit(table, origin, rows, seed=seed)


def _fit(table: _Table, origin: int, rows: Ints, *, seed: int) -> dict[str, tuple[Model, Floats]]:
    """Every rung there is enough for, by what was known before the day, and what it says of snapshots."""
    settled, features = _settled(table, origin), table.features[rows]
    goals = len(np.unique(table.goal[settled]))
    plain = pace(
        table.features[settled],
        table.missed[settled],
        weight=_once(table.goal[settled]),
        column=table.pace_column,
    )
    fitted: dict[str, tuple[Model, Floats]] = {"pace": (plain, plain.delay(features))}
    if goals < FEWEST_FOR_LOGISTIC.value:
        return fitted
    lived = _lived(table, np.flatnonzero(table.seen < origin), origin, seed)
    cut = parts(np.where(lived.known_to >= 1.0, lived.landed_at, np.nan))
    lines = logistic(lived, cut, elapsed=table.elapsed_column)
    fitted["logistic"] = (lines, lines.delay(features))
    if goals < FEWEST_FOR_BOOSTING.value:
        return fitted
    trees = boosting(lived, cut, seed=seed)
    fitted["boosting"] = (trees, trees.delay(features))
    fitted["blend"] = (Blend((lines, trees)), blended(fitted["logistic"][1], fitted["boosting"][1]))
    return fitted


def _learn(
    table: _Table,
    origin: int,
    fit: Mapping[str, tuple[Model, Floats]],
    *,
    raw: Mapping[str, Floats],
    bent: Mapping[str, Floats],
    spoke: Ints,
) -> Learnt:
    """Calibrate and choose, by what was said ahead of time and is settled."""
    settled = _settled(table, origin)
    lost = table.missed[settled & _latest(table, settled)]
    share = float((lost.sum() + 2.0) / (len(lost) + 5.0))
    calibrated: dict[str, tuple[Model, Calibrations]] = {}
    for rung, (model, _) in fit.items():
        told = settled & ~np.isnan(raw[rung])
        found = UNCHECKED
        if rung != "pace" and told.any():
            passed = table.features[told, table.elapsed_column]
            found = calibrate_by_third(
                raw[rung][told], table.missed[told], passed, table.goal[told], spoke[told]
            )
        calibrated[rung] = (model, found)
    return Learnt(
        MappingProxyType(calibrated),
        _choose(table, settled, bent, tuple(fit)),
        share,
        _date(origin) if len(lost) else None,
        table.elapsed_column,
    )


def _latest(table: _Table, rows: Flags) -> Flags:
    """The last of the given rows of each goal."""
    at = np.flatnonzero(rows)
    mark = np.zeros(len(rows), dtype=np.bool_)
    if len(at):
        mark[at[np.append(table.goal[at][1:] != table.goal[at][:-1], True)]] = True
    return mark


def _lived(table: _Table, rows: Ints, origin: int, seed: int) -> Lived:
    """What was known on the day of the snapshots before it, of at most so many, whole goals at a time."""
    if len(rows) > MOST_TO_LEARN:
        order = np.random.default_rng(seed).permutation(int(table.goal.max()) + 1)
        kept = order[table.goal[rows]] < (int(table.goal.max()) + 1) * MOST_TO_LEARN / len(rows)
        rows = rows[kept]
    seen, left = table.seen[rows], (table.due - table.seen)[rows].astype(np.float64)
    landed = np.where(table.landed[rows] < origin, table.landed[rows], np.nan)
    landed_at = (landed - seen) / left
    landed_at = np.where(landed_at <= 1.0, landed_at, np.nan)
    # As far as it would have been known had the goal not ended: a part of which only the landings are known,
    # because the rest is still to come, would make goals look quicker than they are.
    known_to = np.clip((origin - seen) / left, 0.0, 1.0)
    return Lived(table.features[rows], landed_at, known_to, _once(table.goal[rows]))


def _once(goal: Ints) -> float:
    """How much a snapshot counts: a goal seen ten times is not ten goals.

    The same for all: to let each goal count once would weigh the snapshots of early landings more, and
    make all look quicker than they are.
    """
    return len(np.unique(goal)) / max(len(goal), 1)


def _choose(table: _Table, settled: Flags, bent: Mapping[str, Floats], fitted: tuple[str, ...]) -> str:
    """The rung that did best on what was said ahead of time and is settled; untried trees do not speak."""
    if "logistic" not in fitted:
        return "pace"
    rungs = [rung for rung in fitted if not np.isnan(bent[rung][settled]).all()]
    if "logistic" not in rungs:
        return "logistic"
    rows = settled & np.logical_and.reduce([~np.isnan(bent[rung]) for rung in rungs])
    if len(np.unique(table.goal[rows])) < FEWEST_FOR_LOGISTIC.value:
        return "logistic"
    error = {rung: (bent[rung][rows] - table.missed[rows]) ** 2 for rung in rungs}
    best = min((rung for rung in rungs if rung != "pace"), key=lambda rung: error[rung].mean())
    # The plain rule is known to be poor: on few goals it must have been better beyond chance.
    return "pace" if _beyond_chance(error[best] - error["pace"], table.goal[rows]) else best


def _beyond_chance(saved: Floats, goal: Ints) -> bool:
    """Whether what was saved on each snapshot lies above nought, goals being what was drawn."""
    each = np.bincount(np.unique(goal, return_inverse=True)[1], saved)
    return bool(each.sum() > WIDTH * np.sqrt(len(each)) * each.std())


def _interval(learnt: Learnt, features: Floats, delay: Floats) -> tuple[Floats, Floats]:
    model, calibration = learnt.models[learnt.chosen]
    if isinstance(model, Pace):
        return model.interval(features, width=WIDTH)
    low, high = calibration.interval(delay, features[:, learnt.elapsed], width=WIDTH)
    # Learnt but not yet checked against anything: as wide as the pace rule is unsure.
    plain, _ = learnt.models["pace"]
    assert isinstance(plain, Pace)
    wide = plain.interval(features, width=WIDTH)
    return (
        np.where(np.isnan(low), np.minimum(wide[0], delay), low),
        np.where(np.isnan(high), np.maximum(wide[1], delay), high),
    )


def _compared(
    table: _Table, bent: Mapping[str, Floats], base: Floats, as_of: int, chosen: str
) -> pl.DataFrame:
    """Every rung on the later snapshots all of them spoke about."""
    settled = (table.due <= as_of) & ~np.isnan(table.known)
    tried = [rung for rung in RUNGS if (settled & ~np.isnan(bent[rung])).any()]
    rows = settled & np.logical_and.reduce([~np.isnan(bent[rung]) for rung in tried]) if tried else settled
    missed = table.missed[rows]
    reference = _brier(base[rows], missed) if rows.any() else float("nan")
    return pl.DataFrame(
        [
            {
                "rung": rung,
                "n_goals": len(np.unique(table.goal[rows])),
                "n_snapshots": int(rows.sum()),
                "brier": (brier := _brier(bent[rung][rows], missed)),
                "skill": 1.0 - brier / reference,
                "log_loss": _log_loss(bent[rung][rows], missed),
                "auc": auc(bent[rung][rows], missed),
                "ece": ece(bent[rung][rows], missed),
                "chosen": rung == chosen,
            }
            for rung in tried
            if rows.any()
        ],
        schema=dict(LADDER),
    )


def _brier(stated: Floats, missed: Flags) -> float:
    return float(((stated - missed) ** 2).mean())


def _log_loss(stated: Floats, missed: Flags) -> float:
    held = np.clip(stated, 1e-6, 1.0 - 1e-6)
    return float(-np.where(missed, np.log(held), np.log1p(-held)).mean())


def auc(stated: Floats, missed: Flags) -> float:
    """Chance that a goal that missed was given a higher probability than one that did not, ties half."""
    n, others = int(missed.sum()), int((~missed).sum())
    if not n or not others:
        return float("nan")
    ranks = pl.Series(stated).rank("average").to_numpy()
    return float((ranks[missed].sum() - n * (n + 1) / 2) / (n * others))


def ece(stated: Floats, missed: Flags, *, bins: int = 10) -> float:
    """Expected calibration error: mean distance of stated and observed shares over bins of equal count."""
    if not len(stated):
        return float("nan")
    order = np.argsort(stated, kind="stable")
    groups = np.array_split(order, min(bins, len(order)))
    return float(sum(len(g) * abs(stated[g].mean() - missed[g].mean()) for g in groups) / len(stated))


def _now(
    today: pl.DataFrame, features: Floats, learnt: Learnt, said: pl.DataFrame, panel: Panel
) -> pl.DataFrame:
    """Today's probabilities with what raises and lowers each."""
    raising, lowering = _drivers(features, learnt, panel)
    spoken = said.filter(pl.col("seen_on") == panel.as_of).select(
        "goal_id", "delay", "delay_low", "delay_high", "pace_delay", "rung"
    )
    return (
        today.select(
            "goal_id",
            pl.Series("raising", raising, dtype=pl.List(pl.String)),
            pl.Series("lowering", lowering, dtype=pl.List(pl.String)),
        )
        .join(spoken, on="goal_id", how="left")
        .select(*NOW)
        .sort("goal_id")
    )


def _drivers(features: Floats, learnt: Learnt, panel: Panel) -> tuple[list[list[str]], list[list[str]]]:
    """What moves each goal's log odds most, against the same goal with that measured as usual."""
    if not len(features):
        return [], []
    model, _ = learnt.models[learnt.chosen]
    with np.errstate(all="ignore"):
        known = ~np.isnan(features)
        usual = np.array(
            [
                np.median(column[keep]) if keep.any() else np.nan
                for column, keep in zip(features.T, known.T, strict=True)
            ]
        )
    stated = log_odds(model.delay(features))
    names = [driver for driver in panel.drivers if driver not in ("time", "kind")]
    moved = np.zeros((len(features), len(names)))
    for at, driver in enumerate(names):
        columns = [panel.features.index(name) for name in panel.drivers[driver]]
        other = features.copy()
        other[:, columns] = usual[columns]
        moved[:, at] = stated - log_odds(model.delay(other))
    order = np.argsort(-moved, axis=1, kind="stable")
    up = [
        [names[k] for k in row[:MOST_DRIVERS] if effects[k] > LEAST_EFFECT]
        for row, effects in zip(order, moved, strict=True)
    ]
    down = [
        [names[k] for k in row[::-1][:MOST_DRIVERS] if effects[k] < -LEAST_EFFECT]
        for row, effects in zip(order, moved, strict=True)
    ]
    return up, down


def _card(rolled: _Rolled, panel: Panel, seed: int) -> Mapping[str, Plain]:
    """What the model is, in plain values."""
    learnt = rolled.learnt
    _, calibration = learnt.models[learnt.chosen]
    table = rolled.table
    everything = np.ones(len(table.goal), dtype=np.bool_)
    settled = _latest(table, everything) & (table.due <= _day(panel.as_of)) & ~np.isnan(table.known)
    return MappingProxyType(
        {
            "rung": learnt.chosen,
            "calibrated_on_goals": calibration.goals,
            "settled_goals": int(settled.sum()),
            "snapshots": len(table.goal),
            "base_rate": round(learnt.base, 6),
            "origins": [day.isoformat() for day in rolled.origins],
            "features": list(panel.features),
            "seed": seed,
            "rules": RULES_VERSION,
            "as_of": panel.as_of.isoformat(),
        }
    )


def _day(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def _date(day: int) -> date:
    return date(1970, 1, 1) + timedelta(days=int(day))
