"""How far will each goal have come by when, and when will it be finished, if it goes on as goals like it did?

Reads    goals, check-ins and changes of goals as their contracts have them.
Returns  what past goals taught (`learn`), the fan of one goal (`fan`), the expected finish of every open goal
         with its range (`finish`), and what was foretold on past days beside what came (`hindsight`).

A forecast is a straight expectation (least squares on pace so far, pace needed, recent pace, silence and
time, shrunk towards the middle between the pace it had and the pace it needs) and, around it, what such
expectations got wrong (split conformal prediction, local in elapsed time, in where the goal is heading and in
whether it moves). The expectation is learnt on the first two fifths of what was known, its errors on the next
two, and on the latest fifth it is found how wide ranges must be drawn to hold what they say. Where few goals
were at the same point, more distant ones count, and at last a wide default from `analytics.policy`: with no
past goal at all the forecast is that default, and says that it was never checked.

A goal that has arrived is done from then on. A range of 90 % leaves out 5 % at either end; where so many
arrive, stay or fall back to nothing that less is left to leave out at that end, more is left out at the
other, little by little, up to 10 %: ranges lie within each other around the middle. So each range holds what
it says; one that ends on *unchanged* or *done* cannot be cut finer and may hold more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import ClassVar, Final

import numpy as np
import polars as pl
from scipy.special import ndtri

from analytics.disclosure import Cells
from analytics.goals.forecast.course import ARRIVED, HOLDING, Floats, Record, dates, days, recorded
from analytics.goals.forecast.precedents import (
    ELAPSED_NODES,
    FEATURES,
    HEADINGS,
    HORIZONS,
    LEVELS,
    MARKS,
    NEAR,
    REACH,
    STATES,
    STAYS,
    Lived,
    Shots,
    Taught,
    between,
    look,
    looked_back,
    teach,
)
from analytics.policy import (
    CONFIDENCE,
    FORECAST_REACH,
    MINIMUM_FORECAST_GOALS,
)

REFERENCE: Final = (
    "Lei et al. (2018), JASA 113(523). doi:10.1080/01621459.2017.1307116; "
    "Chernozhukov, Wüthrich & Zhu (2021), PNAS 118(48). doi:10.1073/pnas.2107794118; "
    "Guan (2023), Biometrika 110(1). doi:10.1093/biomet/asac040"
)

REFUSALS: Final = (
    "holds_level",
    "first_measurement",
    "no_target",
    "no_baseline",
    "wrong_direction",
    "no_time",
    "not_started",
    "arrived",
    "long_overdue",
)
ELAPSED: Final = (("early", 1 / 3), ("midway", 2 / 3), ("late", FORECAST_REACH.value))

_PERIOD: Final = 91
_PERIODS: Final = 8


@dataclass(frozen=True)
class Forecasting:
    """What past goals taught about how goals go.

    Attributes
    ----------
    expectations
        One row per horizon and feature: ``horizon``, ``feature``, ``weight`` (share of the way gained).
    bins
        One row per point of support, sorted: ``horizon``, ``state`` (one of `STATES`), ``elapsed`` (share of
        planned time), ``heading`` (expected progress), ``goals`` (past goals at about this point),
        ``finished`` (share that had arrived by then), ``unmoved`` (share that stood where it had), ``falls``
        (shares that fell back, by size) and ``errors`` (shares that rose, between the marks of error).
    levels
        One row per ``horizon`` (*near*, *middle*, *far*), ``state`` and ``level``: the level ``used`` so that
        ranges held what they say on the latest of what was known.
    coverage
        What was foretold at past days, each with nothing but what was known then, against what came. One row
        per ``about`` (*progress* or *finish*), ``period`` (first day of it; null: all), ``horizon`` (*near*,
        *middle*, *far*; null: all), ``elapsed`` (*early*, *midway*, *late*; null: all) and ``level``: ``n``
        forecasts of ``goals`` goals, share ``covered`` with its 95 % interval ``low`` to ``high`` (goals, not
        forecasts, are the sample).
    goals
        Past goals learnt from.
    checked
        Whether enough goals have been foretold and come true or not to judge the ranges.
    learnt_to
        The last day anything was learnt of.
    """

    expectations: pl.DataFrame
    bins: pl.DataFrame
    levels: pl.DataFrame
    coverage: pl.DataFrame
    goals: int
    checked: bool
    learnt_to: date

    cells: ClassVar[tuple[Cells, ...]] = ()  # Counts of goals; nothing about a person.


@dataclass(frozen=True)
class Finishes:
    """When each open goal will be finished, if it goes on as goals like it did.

    Attributes
    ----------
    goals
        Sorted by ``goal_id``, open goals: ``goal_id``, ``due_on`` (in force), ``progress``, ``elapsed``,
        ``earliest``, ``middle``, ``latest`` (5 %, 50 % and 95 % chance of having arrived by that day; null:
        beyond ``until``; where ``latest`` is, ``earliest`` is the day before which it arrives with 10 %
        chance), ``until`` (the last day looked at), ``by_due`` (chance of having arrived by the due date;
        null once it has passed), ``refused`` (one of `REFUSALS` where there is no forecast).
    checked
        As in `Forecasting`.
    as_of
        The day the goals are looked at.
    """

    goals: pl.DataFrame
    checked: bool
    as_of: date

    cells: ClassVar[tuple[Cells, ...]] = ()  # A goal is a record of its owner; access decides who reads it.


@dataclass(frozen=True)
class Fan:
    """Where one goal may stand on each day ahead.

    Attributes
    ----------
    goal
        Its row in `Finishes`, with ``kind``, and ``baseline`` and ``target`` in force.
    bands
        One row per day looked at, the as-of day first, sorted: ``day``, ``finished`` (chance of having
        arrived by then), ``middle``, and ``low_…`` and ``high_…`` for each of `LEVELS` (share of the way).
        Empty where refused.
    goals
        Past goals the forecasts rest on.
    checked
        As in `Forecasting`.
    as_of
        The day the goal is looked at.
    """

    goal: pl.DataFrame
    bands: pl.DataFrame
    goals: int
    checked: bool
    as_of: date

    cells: ClassVar[tuple[Cells, ...]] = ()  # A goal is a record of its owner; access decides who reads it.


def learn(
    goals: pl.DataFrame,
    check_ins: pl.DataFrame,
    *,
    as_of: date,
    changes: pl.DataFrame | None = None,
    seed: int = 0,
    check: bool = True,
) -> Forecasting:
    """Learn how goals go, from everything known at the end of a day.

    Parameters
    ----------
    goals
        One row per goal, as the contract has them.
    check_ins
        Columns ``goal_id``, ``checked_at``, ``value``, ``target``.
    as_of
        The last day that counts.
    changes
        As the contract of goal changes has them. None: not kept.
    seed
        Chooses the goals to learn from where there are more than can teach anything new.
    check
        Whether to foretell past days as well, quarter by quarter, and compare.

    Returns
    -------
    Forecasting
        The wide default if there are no past goals.
    """
    lived = looked_back(recorded(goals, check_ins, as_of=as_of, changes=changes), seed)
    learnt = _written(teach(lived, lived.record.as_of), as_of)
    if not check:
        return learnt
    coverage = _coverage(list(_rolled(lived)))
    everything = coverage.filter(
        pl.col("about") == "progress",
        *(pl.col(name).is_null() for name in ("period", "horizon", "elapsed")),
    )
    known = max(everything["goals"].to_list(), default=0)
    return replace(learnt, coverage=coverage, checked=known >= MINIMUM_FORECAST_GOALS.value)


def hindsight(
    forecasting: Forecasting,
    goals: pl.DataFrame,
    check_ins: pl.DataFrame,
    *,
    as_of: date,
    changes: pl.DataFrame | None = None,
    seed: int = 0,
) -> pl.DataFrame:
    """What would have been foretold after `Forecasting.learnt_to`, beside what came by ``as_of``.

    Returns
    -------
    DataFrame
        One row per goal, day it was looked at (each tenth of its planned time) and horizon: ``goal_id``,
        ``seen_on``, ``elapsed``, ``stood`` (progress then), ``horizon``, ``reached`` (progress at that
        horizon), ``finished`` (chance stated of having arrived), ``middle``, and ``low_…`` and ``high_…``
        for each of `LEVELS`.
    """
    lived = looked_back(recorded(goals, check_ins, as_of=as_of, changes=changes), seed)
    since = int(days(pl.Series([forecasting.learnt_to]))[0])
    return _foretold(_read(forecasting), lived, since, lived.record.as_of)


def finish(
    forecasting: Forecasting,
    goals: pl.DataFrame,
    check_ins: pl.DataFrame,
    *,
    as_of: date,
    changes: pl.DataFrame | None = None,
) -> Finishes:
    """Expected finish of every goal open at the end of a day.

    Parameters
    ----------
    forecasting
        Result of `learn`.
    goals, check_ins, changes
        As in `learn`.
    as_of
        The day to look at.
    """
    record = recorded(goals, check_ins, as_of=as_of, changes=changes)
    return _finish(forecasting, record, as_of)


def fan(
    forecasting: Forecasting,
    goals: pl.DataFrame,
    check_ins: pl.DataFrame,
    *,
    goal_id: str,
    as_of: date,
    changes: pl.DataFrame | None = None,
) -> Fan:
    """Where one goal may stand on each day ahead.

    Parameters
    ----------
    forecasting
        Result of `learn`.
    goals, check_ins, changes
        As in `learn`; rows of other goals are ignored.
    goal_id
        Which goal.
    as_of
        The day to look at.

    Raises
    ------
    ValueError
        If there is no such goal among the open ones.
    """
    own = goals.filter(pl.col("goal_id") == goal_id)
    if own.is_empty():
        raise ValueError(f"goal_id must name one of the goals; got {goal_id!r}")
    moves = None if changes is None else changes.filter(pl.col("goal_id") == goal_id)
    told = check_ins.filter(pl.col("goal_id") == goal_id)
    record = recorded(own, told, as_of=as_of, changes=moves)
    found = _finish(forecasting, record, as_of).goals
    if found.is_empty():
        raise ValueError(f"goal_id must name an open goal; {goal_id!r} is closed or a draft")
    goal = found.join(record.goals.select("goal_id", "kind", "baseline", "target"), on="goal_id")
    bands = pl.DataFrame(schema={"day": pl.Date, "finished": pl.Float64, **_BANDS})
    if goal["refused"][0] is None:
        bands = _bands(_read(forecasting), record)
    return Fan(goal, bands, forecasting.goals, forecasting.checked, as_of)


_NAMES: Final = tuple(f"{end}_{round(100 * level)}" for level in LEVELS for end in ("low", "high"))
_BANDS: Final = {"middle": pl.Float64(), **{name: pl.Float64() for name in _NAMES}}
_COVERAGE: Final = {
    "about": pl.String(),
    "period": pl.Date(),
    "horizon": pl.String(),
    "elapsed": pl.String(),
    "level": pl.Float64(),
    "n": pl.Int64(),
    "goals": pl.Int64(),
    "covered": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
}


def _written(taught: Taught, learnt_to: date) -> Forecasting:
    """What was taught, as frames; nothing is checked yet."""
    band, state, level = np.meshgrid([name for name, _ in NEAR], STATES, LEVELS, indexing="ij")
    return Forecasting(
        pl.DataFrame(
            {
                "horizon": np.repeat(HORIZONS, len(FEATURES)),
                "feature": list(FEATURES) * len(HORIZONS),
                "weight": taught.weights.ravel(),
            }
        ),
        _as_frame(taught.shares, taught.seen),
        pl.DataFrame(
            {
                "horizon": band.ravel(),
                "state": state.ravel(),
                "level": level.ravel(),
                "used": taught.levels.ravel(),
            }
        ),
        pl.DataFrame(schema=_COVERAGE),
        taught.goals,
        False,
        learnt_to,
    )


def _read(forecasting: Forecasting) -> Taught:
    """The frames as what was taught."""
    bins = forecasting.bins
    falls, errors = (bins[name].explode().to_numpy().reshape(bins.height, -1) for name in ("falls", "errors"))
    shares = np.column_stack([falls, bins["unmoved"].to_numpy(), errors, bins["finished"].to_numpy()])
    grid = (len(HORIZONS), len(STATES), ELAPSED_NODES.size, HEADINGS.size)
    return Taught(
        forecasting.expectations["weight"].to_numpy().reshape(len(HORIZONS), len(FEATURES)),
        shares.reshape(*grid, -1),
        forecasting.levels["used"].to_numpy().reshape(len(NEAR), len(STATES), len(LEVELS)),
        bins["goals"].to_numpy().reshape(grid),
        forecasting.goals,
    )


def _as_frame(shares: Floats, seen: Floats) -> pl.DataFrame:
    ahead, state, node, head = np.meshgrid(HORIZONS, STATES, ELAPSED_NODES, HEADINGS, indexing="ij")
    return pl.DataFrame(
        {
            "horizon": ahead.ravel(),
            "state": state.ravel(),
            "elapsed": node.ravel(),
            "heading": head.ravel(),
            "goals": seen.ravel(),
            "finished": shares[..., -1].ravel(),
            "unmoved": shares[..., STAYS].ravel(),
            "falls": list(shares[..., :STAYS].reshape(-1, STAYS)),
            "errors": list(shares[..., STAYS + 1 : -1].reshape(-1, MARKS.size - 1)),
        },
        schema_overrides={"falls": pl.List(pl.Float64), "errors": pl.List(pl.Float64)},
    )


def _foretold(taught: Taught, lived: Lived, since: int, until: int) -> pl.DataFrame:
    """What was foretold on the days after ``since`` up to ``until``, beside what came."""
    days_in = (lived.shots.day > since) & (lived.shots.day <= until)
    shots, reached = lived.shots.where(days_in), lived.reached[days_in]
    finished = taught.finished(shots)
    ids = lived.record.goals["goal_id"]
    frames = []
    for horizon, ahead in enumerate(HORIZONS):
        came = ~np.isnan(reached[:, horizon])
        part = shots.where(came)
        stated = taught.stated(part, finished[came], horizon)
        frames.append(
            pl.DataFrame(
                {
                    "goal_id": ids.gather(part.goal),
                    "seen_on": dates(part.day),
                    "elapsed": part.elapsed,
                    "stood": part.stood,
                    "horizon": np.full(part.goal.size, ahead),
                    "reached": reached[came, horizon],
                    "finished": finished[came, horizon],
                    **dict(zip(_BANDS, stated.T, strict=True)),
                }
            )
        )
    return pl.concat(frames).sort("goal_id", "seen_on", "horizon")


def _rolled(lived: Lived) -> Iterator[tuple[str, date, pl.DataFrame]]:
    """Quarter by quarter: learn on what was known, foretell, and set what came beside it."""
    today = lived.record.as_of
    first = int(lived.shots.day.min()) if lived.shots.day.size else today
    for back in range(_PERIODS, 0, -1):
        origin = today - back * _PERIOD
        if origin < first:
            continue
        taught = teach(lived, origin)
        if taught.goals < MINIMUM_FORECAST_GOALS.value:
            continue
        period = dates(np.array([origin + 1]))[0]
        yield "progress", period, _inside(_foretold(taught, lived, origin, origin + _PERIOD))
        yield "finish", period, _finished_inside(taught, lived, origin, origin + _PERIOD)


def _inside(rows: pl.DataFrame) -> pl.DataFrame:
    """Whether what came lay inside each range."""
    near = 1e-9
    return rows.select(
        "goal_id",
        _named(pl.col("horizon"), NEAR).alias("horizon"),
        _named(pl.col("elapsed"), ELAPSED).alias("elapsed"),
        *(
            pl.col("reached")
            .is_between(
                pl.col(f"low_{round(100 * level)}") - near, pl.col(f"high_{round(100 * level)}") + near
            )
            .alias(str(level))
            for level in LEVELS
        ),
    )


def _named(share: pl.Expr, names: tuple[tuple[str, float], ...]) -> pl.Expr:
    found = pl.lit(names[-1][0])
    for name, up_to in reversed(names[:-1]):
        found = pl.when(share <= up_to + 1e-9).then(pl.lit(name)).otherwise(found)
    return found


def _finished_inside(taught: Taught, lived: Lived, since: int, until: int) -> pl.DataFrame:
    """Whether each goal was finished within its range; only goals whose whole reach has passed by now."""
    shots = lived.shots
    end = _end(shots)
    stop = shots.day + np.round(end * shots.length).astype(np.int64)
    arrived = lived.arrived <= stop
    told = stop <= lived.record.watched[shots.goal]
    wanted = (shots.day > since) & (shots.day <= until) & (stop <= lived.record.as_of) & told
    part = shots.where(wanted)
    came = np.where(arrived[wanted], (lived.arrived[wanted] - part.day) / np.maximum(part.length, 1), np.inf)
    ranges = _dates_ahead(taught.finished(part), end[wanted])
    # A day is the finest the record tells.
    slack = 0.5 / np.maximum(part.length, 1)
    return pl.DataFrame(
        {
            "goal_id": lived.record.goals["goal_id"].gather(part.goal),
            "horizon": pl.Series([None] * part.goal.size, dtype=pl.String),
            "elapsed": part.elapsed,
            **{
                str(level): (came >= early - slack) & (came <= late + slack)
                for level, (early, late) in ranges.items()
            },
        }
    ).with_columns(_named(pl.col("elapsed"), ELAPSED).alias("elapsed"))


_LAST_DAY: Final = int(days(pl.Series([date.max]))[0])
"""No date can say a later one."""


def _end(shots: Shots) -> Floats:
    """The furthest horizon within reach of each shot, cut off where the calendar ends."""
    ahead = np.asarray(HORIZONS)
    inside = shots.elapsed[:, None] + ahead <= REACH + 1e-9
    end = np.where(inside.any(axis=1), ahead[np.maximum(inside.sum(axis=1) - 1, 0)], 0.0)
    return np.minimum(end, (_LAST_DAY - shots.day) / np.maximum(shots.length, 1))


def _crossing(finished: Floats, end: Floats, chance: Floats) -> Floats:
    """Time ahead at which the chance of having arrived reaches a share; infinite if not within reach."""
    ahead = np.concatenate([[0.0], HORIZONS])
    found = np.column_stack([np.zeros(end.size), finished])
    place = (found < chance[:, None]).sum(axis=1)
    inside = np.clip(place, 1, ahead.size - 1)
    rows = np.arange(end.size)
    low, high = found[rows, inside - 1], found[rows, inside]
    low, high, wanted = (_log_odds(part) for part in (low, high, chance))
    share = np.where(high > low, (wanted - low) / np.maximum(high - low, 1e-12), 1.0)
    time = ahead[inside - 1] + share * (ahead[inside] - ahead[inside - 1])
    return np.where((place < ahead.size) & (time <= end + 1e-9), time, np.inf)


def _log_odds(chance: Floats) -> Floats:
    """On this scale chances grow evenly with time: between two horizons a straight line misses least."""
    inside = np.clip(chance, 1e-3, 1 - 1e-3)
    return np.asarray(np.log(inside / (1 - inside)))


def _dates_ahead(finished: Floats, end: Floats) -> dict[float, tuple[Floats, Floats]]:
    """Earliest and latest finish by level, as time ahead."""
    found = {}
    for level in LEVELS:
        tail = (1 - level) / 2
        late = _crossing(finished, end, np.full(end.size, 1 - tail))
        early = _crossing(finished, end, np.where(np.isinf(late), 1 - level, tail))
        found[level] = (early, late)
    return found


def _finish(forecasting: Forecasting, record: Record, as_of: date) -> Finishes:
    goal = np.flatnonzero(record.goals["open"].to_numpy())
    shots = look(record, goal, np.full(goal.size, record.as_of))
    refused = _refused(record, shots)
    finished = _read(forecasting).finished(shots)
    end = _end(shots)
    early, late = _dates_ahead(finished, end)[LEVELS[-1]]
    middle = _crossing(finished, end, np.full(end.size, 0.5))
    left = (shots.due - record.as_of) / np.maximum(shots.length, 1)
    told = pl.Series(refused).is_null()
    by_due = pl.Series(_at(finished, left)).set(pl.Series(left < 0), None)

    def day(ahead: Floats) -> pl.Series:
        inside = np.isfinite(ahead)
        on = record.as_of + np.ceil(np.where(inside, ahead, 0.0) * shots.length - 1e-9).astype(np.int64)
        return dates(on).set(~(pl.Series(inside) & told), None)

    frame = pl.DataFrame(
        {
            "goal_id": record.goals["goal_id"].gather(goal),
            "due_on": dates(shots.due),
            "progress": pl.Series(shots.stood).set(
                pl.Series(refused).is_in(["holds_level", "first_measurement", *_UNMEASURED]), None
            ),
            "elapsed": shots.elapsed,
            "earliest": day(early),
            "middle": day(middle),
            "latest": day(late),
            "until": day(end),
            "by_due": by_due.set(~told, None),
            "refused": pl.Series(refused, dtype=pl.Enum(REFUSALS)),
        }
    ).sort("goal_id")
    return Finishes(frame, forecasting.checked, as_of)


_UNMEASURED: Final = ("no_target", "no_baseline", "wrong_direction")


def _refused(record: Record, shots: Shots) -> list[str | None]:
    """Why there is no forecast, the first reason that holds."""
    kind = record.goals["kind"].gather(shots.goal).to_numpy()
    base = record.goals["baseline"].gather(shots.goal).cast(pl.Float64).to_numpy()
    target = record.goals["target"].gather(shots.goal).cast(pl.Float64).to_numpy()
    way = target - base
    wrong = ((kind == "increase") & (way < 0)) | ((kind == "decrease") & (way > 0)) | (way == 0)
    reasons = (
        ("holds_level", np.isin(kind, HOLDING)),
        ("first_measurement", kind == "baseline"),
        ("no_target", np.isnan(target)),
        ("no_baseline", np.isnan(base)),
        ("wrong_direction", wrong),
        ("no_time", shots.length <= 0),
        ("not_started", shots.elapsed <= 0),
        ("arrived", shots.stood >= ARRIVED),
        ("long_overdue", shots.elapsed > REACH - HORIZONS[0] + 1e-9),
    )
    found: list[str | None] = [None] * shots.goal.size
    for name, holds in reversed(reasons):
        for at in np.flatnonzero(holds):
            found[at] = name
    return found


def _at(finished: Floats, ahead: Floats) -> Floats:
    """Chance of having arrived by a time ahead, between the horizons."""
    nodes = np.concatenate([[0.0], HORIZONS])
    known = np.column_stack([np.zeros(ahead.size), finished])
    left, share = between(nodes, ahead)
    rows = np.arange(ahead.size)
    return np.asarray((1 - share) * known[rows, left] + share * known[rows, left + 1])


def _bands(taught: Taught, record: Record) -> pl.DataFrame:
    """The fan of the one goal on record."""
    shots = look(record, np.zeros(1, dtype=np.int64), np.array([record.as_of]))
    finished = taught.finished(shots)
    ahead = [at for at, horizon in enumerate(HORIZONS) if horizon <= _end(shots)[0] + 1e-9]
    stated = [taught.stated(shots, finished, at)[0] for at in ahead]
    now = np.full(len(_BANDS), shots.stood[0])
    day = [record.as_of] + [record.as_of + round(HORIZONS[at] * float(shots.length[0])) for at in ahead]
    return pl.DataFrame(
        {
            "day": dates(np.array(day)),
            "finished": [0.0, *finished[0, ahead]],
            **dict(zip(_BANDS, np.vstack([now, *stated]).T, strict=True)),
        }
    )


def _coverage(parts: list[tuple[str, date, pl.DataFrame]]) -> pl.DataFrame:
    """How often what came lay inside, by period, horizon and elapsed time, and in all."""
    if not parts:
        return pl.DataFrame(schema=_COVERAGE)
    rows = pl.concat(
        [
            frame.with_columns(pl.lit(about).alias("about"), pl.lit(period).alias("period"))
            for about, period, frame in parts
        ]
    ).unpivot(
        [str(level) for level in LEVELS],
        index=["about", "period", "horizon", "elapsed", "goal_id"],
        variable_name="level",
        value_name="inside",
    )
    rows = rows.with_columns(pl.col("level").cast(pl.Float64), pl.col("inside").cast(pl.Float64))
    cuts: tuple[tuple[str, ...], ...] = (
        (),
        ("period",),
        ("horizon",),
        ("elapsed",),
        ("period", "horizon"),
        ("period", "horizon", "elapsed"),
    )
    key = ("about", "period", "horizon", "elapsed", "level")
    found = [
        _shares(
            rows.with_columns(
                pl.lit(None, _COVERAGE[name]).alias(name)
                for name in ("period", "horizon", "elapsed")
                if name not in cut
            ),
            key,
        )
        for cut in cuts
    ]
    return pl.concat(found).unique(key).select(*_COVERAGE).sort(key, nulls_last=False)


def _shares(rows: pl.DataFrame, key: tuple[str, ...]) -> pl.DataFrame:
    """Share inside by cell, with an interval that takes goals, not forecasts, as the sample."""
    z = float(ndtri(0.5 + CONFIDENCE.value / 2))
    each = rows.group_by(*key, "goal_id").agg(
        pl.col("inside").sum().alias("_inside"), pl.len().cast(pl.Float64).alias("_n")
    )
    share = pl.col("_inside").sum() / pl.col("_n").sum()
    cells = each.group_by(key).agg(
        pl.col("_n").sum().alias("n"),
        pl.len().cast(pl.Int64).alias("goals"),
        share.alias("covered"),
        ((pl.col("_inside") - share * pl.col("_n")) ** 2).sum().alias("_squares"),
    )
    p = pl.col("covered")
    clustered = (pl.col("n") ** 2 * p * (1 - p) / pl.col("_squares")).clip(upper_bound=pl.col("n"))
    sample = pl.when(pl.col("_squares") > 1e-12).then(clustered).otherwise(pl.col("goals").cast(pl.Float64))
    centre = (p + z**2 / (2 * sample)) / (1 + z**2 / sample)
    half = z / (1 + z**2 / sample) * (p * (1 - p) / sample + z**2 / (4 * sample**2)).sqrt()
    return cells.with_columns(
        pl.col("n").cast(pl.Int64), (centre - half).alias("low"), (centre + half).alias("high")
    ).select(*_COVERAGE)
