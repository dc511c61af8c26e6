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
arrive, stay where they are or do not arrive within reach that less is left to leave out at that end, the more
is left out at the other. So each range holds what it says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import ClassVar, Final

import numpy as np
import polars as pl
from scipy.special import ndtr, ndtri

from analytics.disclosure import Cells
from analytics.goals.course import ARRIVED, HOLDING, NEVER, Flags, Floats, Ints, Record, dates, days, recorded
from analytics.policy import (
    CONFIDENCE,
    FORECAST_POOLING,
    FORECAST_REACH,
    FORECAST_SPREAD,
    MINIMUM_FORECAST_GOALS,
)

REFERENCE: Final = (
    "Lei et al. (2018), JASA 113(523). doi:10.1080/01621459.2017.1307116; "
    "Chernozhukov, Wüthrich & Zhu (2021), PNAS 118(48). doi:10.1073/pnas.2107794118; "
    "Guan (2023), Biometrika 110(1). doi:10.1093/biomet/asac040"
)

LEVELS: Final = (0.5, 0.8, 0.9)
HORIZONS: Final = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.2, 1.5)
"""How far ahead, as shares of the planned time."""
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
STATES: Final = ("moving", "stalled", "not_begun")
NEAR: Final = (("near", 0.2), ("middle", 0.5), ("far", FORECAST_REACH.value))
"""Names of horizons for the check, each up to a share of the planned time."""
ELAPSED: Final = (("early", 1 / 3), ("midway", 2 / 3), ("late", FORECAST_REACH.value))

_REACH: Final = FORECAST_REACH.value
_NODES: Final = np.linspace(0, 1.25, 11)
_HEADINGS: Final = np.array([0.0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2])
_MARKS: Final = 1.6 * np.sinh(4 * np.linspace(-1, 1, 121)) / np.sinh(4)
"""Errors between which is counted: fine around nought, where short forecasts err."""
_DROPS: Final = np.linspace(-1.5, 0, 61)
"""Falls between which is counted, as shares of what had been reached: a target that grows takes its share."""
_LEAST_FALLEN: Final = 0.1
"""What has come less far than this falls as if it had come so far."""
_FALLS: Final = 0.2
"""Share of goals taken to fall back, as targets grow, before any goal has shown it: anywhere to nothing."""
_STAYS: Final = _DROPS.size - 1
"""Place of the share that stays among all shares: falls by size, stays, rises by error, arrives."""
_STEP: Final = 0.1
"""Past goals are looked at each tenth of their planned time."""
_WINDOW: Final = 0.2
"""Share of the planned time over which the recent pace is taken."""
_STALLED: Final = 0.005
_SHRINKAGE: Final = 3.0
"""Goals that weigh as much as the expectation nobody has taught."""
_BLOCKS: Final = (0.4, 0.8)
"""Of what was known, the first part teaches expectations, the second their errors, the latest the levels."""
_TRIED: Final = np.concatenate([[0.0], np.arange(0.3, 0.99, 0.03), [1.0]])
_MOST_TRIED: Final = 2_000
"""Forecasts a horizon on which levels are tried."""
_LEVEL_POOLING: Final = 50.0
"""Goals of the latest part that count as much as the level itself."""
_MOST_GOALS: Final = 4_000
"""Past goals learnt from; more would not be told from these."""
_PERIOD: Final = 91
_PERIODS: Final = 8
_FEATURES: Final = ("constant", "progress", "elapsed", "so_far", "needed", "recent", "silence", *STATES[1:])


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
    lived = _lived(recorded(goals, check_ins, as_of=as_of, changes=changes), seed)
    learnt = _learn(lived, lived.record.as_of)
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
    lived = _lived(recorded(goals, check_ins, as_of=as_of, changes=changes), seed)
    since = int(days(pl.Series([forecasting.learnt_to]))[0])
    return _foretold(_Taught.of(forecasting), lived, since, lived.record.as_of)


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
        bands = _bands(_Taught.of(forecasting), record)
    return Fan(goal, bands, forecasting.goals, forecasting.checked, as_of)


def within(found: Finishes, goal_ids: frozenset[str]) -> Finishes:
    """Only the goals somebody may see."""
    return replace(found, goals=found.goals.filter(pl.col("goal_id").is_in(goal_ids)))


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


@dataclass(frozen=True)
class _Shots:
    """Goals looked at: one entry per goal and day, from the record by the end of that day."""

    goal: Ints
    day: Ints
    stood: Floats
    elapsed: Floats
    length: Ints
    due: Ints
    features: Floats
    state: Ints

    def where(self, wanted: Flags | Ints) -> _Shots:
        return _Shots(
            self.goal[wanted],
            self.day[wanted],
            self.stood[wanted],
            self.elapsed[wanted],
            self.length[wanted],
            self.due[wanted],
            self.features[wanted],
            self.state[wanted],
        )


@dataclass(frozen=True)
class _Lived:
    """Past looks and what came of them.

    ``reached`` is progress by shot and horizon, NaN where beyond the reach or no longer watched; ``known``
    the day of it; ``arrived`` the day of arrival.
    """

    record: Record
    shots: _Shots
    reached: Floats
    known: Ints
    arrived: Ints


def _lived(record: Record, seed: int) -> _Lived:
    """Look at each past goal every tenth of its planned time while it was open and on its way."""
    every = np.flatnonzero(~record.goals["draft"].to_numpy() & (record.start < record.as_of))
    if every.size > _MOST_GOALS:
        every = np.sort(np.random.default_rng(seed).choice(every, _MOST_GOALS, replace=False))
    start, due = record.planned(every, record.start[every])
    steps = np.arange(1, round(_REACH / _STEP))
    day = start[:, None] + np.round(_STEP * steps * (due - start)[:, None]).astype(np.int64)
    goal = np.repeat(every, steps.size)
    shots = _shots(record, goal, day.ravel())
    shot = shots.where(_forecastable(record, shots) & _open(record, shots))
    arrived, ever = record.arrivals.after(shot.goal, shot.day)
    arrival = np.where(ever, np.nan_to_num(arrived), NEVER).astype(np.int64)
    ahead = np.asarray(HORIZONS)
    known = shot.day[:, None] + np.round(ahead * shot.length[:, None]).astype(np.int64)
    flat = np.repeat(shot.goal, ahead.size)
    stood = record.standing(flat, known.ravel()).reshape(known.shape)
    there = arrival[:, None] <= known
    # Of a goal that will be given up, an arrival before would be seen and its absence would not.
    watched = known <= record.watched[shot.goal][:, None]
    seen = watched & (known <= record.as_of) & (shot.elapsed[:, None] + ahead <= _REACH + 1e-9)
    reached = np.where(seen, np.where(there, 1.0, np.minimum(stood, 1.0)), np.nan)
    return _Lived(record, shot, reached, known, arrival)


def _open(record: Record, shots: _Shots) -> Flags:
    """Whether each goal was watched on the day and not yet done."""
    watched = (shots.day <= record.watched[shots.goal]) & (shots.day < record.done[shots.goal])
    return np.asarray(watched & (shots.day <= record.as_of))


def _forecastable(record: Record, shots: _Shots) -> Flags:
    """Whether a share of the way can be told and has room to grow."""
    kind = record.goals["kind"].to_numpy()[shots.goal] if shots.goal.size else np.empty(0, dtype=object)
    base, target = record.way(shots.goal, shots.day)
    told = record.progress.by(shots.goal, shots.day)[1]
    way = target - base
    wrong = ((kind == "increase") & (way < 0)) | ((kind == "decrease") & (way > 0))
    measurable = told | (~np.isnan(way) & (way != 0) & ~wrong)
    return np.asarray(
        measurable
        & ~np.isin(kind, (*HOLDING, "baseline"))
        & (shots.stood < ARRIVED)
        & (shots.length > 0)
        & (shots.elapsed > 0)
        & (shots.elapsed <= _REACH - HORIZONS[0] + 1e-9)
    )


def _shots(record: Record, goal: Ints, day: Ints) -> _Shots:
    start, due = record.planned(goal, day)
    length = due - start
    planned = np.maximum(length, 1)
    elapsed = (day - start) / planned
    stood = record.standing(goal, day)
    window = np.minimum(np.maximum(elapsed, 0.05), _WINDOW)
    then = record.standing(goal, day - np.round(window * planned).astype(np.int64))
    updated, ever = record.updates.by(goal, day)
    silent = (day - np.where(ever, np.nan_to_num(updated), start)) / planned
    stalled = (stood - then <= _STALLED) & (elapsed >= _WINDOW)
    state = np.where(stood <= _STALLED, 2, stalled.astype(np.int64))
    features = np.column_stack(
        [
            np.ones(goal.size),
            stood,
            elapsed,
            np.clip(stood / (np.maximum(elapsed, 0) + 0.05), -1, 4),
            np.clip((1 - stood) / np.maximum(1.05 - elapsed, 0.1), 0, 4),
            np.clip((stood - then) / window, -2, 4),
            np.clip(silent, 0, 1),
            *(state == at for at in range(1, len(STATES))),
        ]
    )
    return _Shots(goal, day, stood, elapsed, length, due, features, state)


@dataclass(frozen=True)
class _Taught:
    """`Forecasting` as arrays: ``weights`` by horizon and feature; ``shares`` by horizon, state, elapsed,
    heading, and whether a goal falls back, stays, rises or arrives."""

    weights: Floats
    shares: Floats
    levels: Floats

    @classmethod
    def of(cls, forecasting: Forecasting) -> _Taught:
        weights = forecasting.expectations["weight"].to_numpy().reshape(len(HORIZONS), len(_FEATURES))
        bins = forecasting.bins
        falls, errors = (
            bins[name].explode().to_numpy().reshape(bins.height, -1) for name in ("falls", "errors")
        )
        stays, arrives = bins["unmoved"].to_numpy(), bins["finished"].to_numpy()
        shares = np.column_stack([falls, stays, errors, arrives])
        levels = forecasting.levels["used"].to_numpy().reshape(len(NEAR), len(STATES), len(LEVELS))
        return cls(
            weights, shares.reshape(len(HORIZONS), len(STATES), _NODES.size, _HEADINGS.size, -1), levels
        )

    def heading(self, shots: _Shots, horizon: int) -> Floats:
        return _headed(shots, self.weights[horizon])

    def mixed(self, shots: _Shots, heading: Floats, horizon: int) -> Floats:
        """Shares that fall back, stay, rise and arrive, for each shot."""
        mixed = np.zeros((shots.goal.size, self.shares.shape[-1]))
        for node, head, weight in _corners(shots.elapsed, heading):
            mixed += weight[:, None] * self.shares[horizon, shots.state, node, head]
        return mixed

    def finished(self, shots: _Shots) -> Floats:
        """Chance of having arrived by each horizon; it never falls with time."""
        found = np.zeros((shots.goal.size, len(HORIZONS)))
        for horizon in range(len(HORIZONS)):
            heading = self.heading(shots, horizon)
            for node, head, weight in _corners(shots.elapsed, heading):
                found[:, horizon] += weight * self.shares[horizon, shots.state, node, head, -1]
        return np.maximum.accumulate(found, axis=1)

    def stated(self, shots: _Shots, finished: Floats, horizon: int) -> Floats:
        """Middle, and low and high of each level, by shot."""
        heading = self.heading(shots, horizon)
        mixed = self.mixed(shots, heading, horizon)
        foretold = _Foretold.of(mixed, shots.stood, heading, finished[:, horizon])
        found = [foretold.value(np.full(heading.size, 0.5))]
        for used in self.levels[_band(horizon)].T:
            found.extend(foretold.range(used[shots.state]))
        return np.column_stack(found)


@dataclass(frozen=True)
class _Foretold:
    """What is foretold of each shot for one horizon.

    ``falls`` (by size) and ``rises`` (by error around ``heading``) are cumulated shares of goals, ``stays``
    and ``arrives`` shares; ``stood`` is where the goal stands now.
    """

    falls: Floats
    stays: Floats
    rises: Floats
    arrives: Floats
    stood: Floats
    heading: Floats

    @classmethod
    def of(cls, mixed: Floats, stood: Floats, heading: Floats, arrives: Floats) -> _Foretold:
        # The chance of having arrived may have been raised to that of an earlier horizon.
        mixed = mixed * ((1 - arrives) / np.maximum(1 - mixed[:, -1], 1e-12))[:, None]
        falls, rises = mixed[:, :_STAYS].cumsum(axis=1), mixed[:, _STAYS + 1 : -1].cumsum(axis=1)
        return cls(falls, mixed[:, _STAYS], rises, arrives, stood, heading)

    @property
    def behind(self) -> Floats:
        """Share that falls back."""
        return np.asarray(self.falls[:, -1])

    def value(self, at: Floats) -> Floats:
        """Progress that a share ``at`` of goals do not exceed."""
        risen = self.heading + _inverse(self.rises, at - self.behind - self.stays, _MARKS)
        risen = np.clip(risen, self.stood, 1.0)
        fall = _DROPS[self._size(at)] * np.maximum(self.stood, _LEAST_FALLEN)
        fallen = np.clip(self.stood + fall, -1.0, 1.0)
        moved = np.where(at <= self.behind, fallen, risen)
        return np.where(at > 1 - self.arrives, 1.0, np.where(self._stays(at), self.stood, moved))

    def _size(self, at: Floats) -> Ints:
        """Place of the fall that a share ``at`` of goals do not exceed."""
        return np.asarray(np.minimum((self.falls < at[:, None]).sum(axis=1), _STAYS - 1))

    def _below(self, at: Floats) -> Floats:
        """Share of goals strictly below the value of a share ``at``."""
        place = self._size(at)
        further = np.where(place > 0, self.falls[np.arange(place.size), place - 1], 0.0)
        falling = np.where(at <= self.behind, further, at)
        return np.where(self._stays(at), self.behind, falling)

    def _stays(self, at: Floats) -> Flags:
        return np.asarray((at > self.behind) & (at <= self.behind + self.stays))

    def range(self, level: Floats) -> tuple[Floats, Floats]:
        """Low and high between which a share ``level`` lies, left out alike at both ends where it can be."""
        tail = (1 - level) / 2
        # Where so many goals stay, arrive or fall back to nothing that less lies beyond, the other end may
        # leave out more.
        high = 1 - 2 * tail + self._below(tail)
        beyond = np.where(self._stays(high), 1 - self.behind - self.stays, 1 - high)
        beyond = np.where(high > 1 - self.arrives, 0.0, beyond)
        low = np.where(beyond < 1 - high, 2 * tail - beyond, tail)
        return self.value(low), self.value(high)


def _headed(shots: _Shots, weights: Floats) -> Floats:
    """Expected progress; somewhat beyond arrival it makes no difference."""
    return np.asarray(np.clip(shots.stood + shots.features @ weights, -1.0, _HEADINGS[-1]))


def _inverse(shares: Floats, at: Floats, marks: Floats) -> Floats:
    """The value up to which cumulated shares between marks come to ``at``."""
    place = np.minimum((shares < at[:, None]).sum(axis=1), shares.shape[1] - 1)
    rows = np.arange(place.size)
    upper, lower = shares[rows, place], np.where(place > 0, shares[rows, place - 1], 0.0)
    inside = np.where(upper > lower, (at - lower) / np.maximum(upper - lower, 1e-12), 1.0)
    return np.asarray(marks[place] + np.clip(inside, 0, 1) * (marks[place + 1] - marks[place]))


def _corners(elapsed: Floats, heading: Floats) -> Iterator[tuple[Ints, Ints, Floats]]:
    """The four points of support around each shot, with their weights."""
    node, inner = _between(_NODES, elapsed)
    head, across = _between(_HEADINGS, heading)
    for i, by_time in ((0, 1 - inner), (1, inner)):
        for j, by_head in ((0, 1 - across), (1, across)):
            yield node + i, head + j, by_time * by_head


def _between(nodes: Floats, at: Floats) -> tuple[Ints, Floats]:
    inside = np.clip(at, nodes[0], nodes[-1])
    left = np.clip(np.searchsorted(nodes, inside, side="right") - 1, 0, nodes.size - 2)
    return left, (inside - nodes[left]) / (nodes[left + 1] - nodes[left])


def _learn(lived: _Lived, origin: int) -> Forecasting:
    """Learn from what was known at the end of a day."""
    shots = lived.shots
    weights = np.zeros((len(HORIZONS), len(_FEATURES)))
    tables, counts, latest = [], [], []
    taught: set[int] = set()
    for horizon, ahead in enumerate(HORIZONS):
        usable = ~np.isnan(lived.reached[:, horizon]) & (lived.known[:, horizon] <= origin)
        rows = np.flatnonzero(usable)
        taught.update(np.unique(shots.goal[rows]).tolist())
        known = lived.known[rows, horizon]
        first, second = np.quantile(known, _BLOCKS) if rows.size else (0.0, 0.0)
        weights[horizon] = _expectation(lived, rows[known <= first], horizon, ahead)
        later = rows[(known > first) & (known <= second)]
        table, seen = _errors(lived, later, horizon, weights[horizon])
        last = rows[known > second]
        latest.append(last[:: max(1, -(-last.size // _MOST_TRIED))])
        tables.append(table)
        counts.append(seen)
    shares, seen = np.stack(tables), np.stack(counts)
    levels = np.broadcast_to(LEVELS, (len(NEAR), len(STATES), len(LEVELS)))
    levels = _levels(_Taught(weights, shares, levels), lived, latest)
    return Forecasting(
        pl.DataFrame(
            {
                "horizon": np.repeat(HORIZONS, len(_FEATURES)),
                "feature": list(_FEATURES) * len(HORIZONS),
                "weight": weights.ravel(),
            }
        ),
        _as_frame(shares, seen),
        _levels_frame(levels),
        pl.DataFrame(schema=_COVERAGE),
        len(taught),
        False,
        dates(np.array([origin]))[0],
    )


def _expectation(lived: _Lived, rows: Ints, horizon: int, ahead: float) -> Floats:
    """Weights of the features for the gain up to a horizon: least squares, shrunk to the untaught ones."""
    shots = lived.shots
    untaught = np.zeros(len(_FEATURES))
    untaught[[_FEATURES.index("so_far"), _FEATURES.index("needed")]] = ahead / 2
    features = shots.features[rows]
    weight = _each(shots.goal[rows])
    gain = lived.reached[rows, horizon] - shots.stood[rows]
    squares = weight * features.T @ features + _SHRINKAGE * np.eye(len(_FEATURES))
    missing = weight * features.T @ (gain - features @ untaught)
    return np.asarray(untaught + np.linalg.solve(squares, missing))


def _errors(lived: _Lived, rows: Ints, horizon: int, weights: Floats) -> tuple[Floats, Floats]:
    """Shares of errors at each point of support, and the goals seen there."""
    shots = lived.shots
    found = np.zeros((len(STATES), _NODES.size, _HEADINGS.size, _STAYS + _MARKS.size + 1))
    reached, stood = lived.reached[rows, horizon], shots.stood[rows]
    heading = _headed(shots, weights)[rows]
    risen = _STAYS + 1 + np.clip(np.searchsorted(_MARKS, reached - heading) - 1, 0, _MARKS.size - 2)
    fall = (reached - stood) / np.maximum(stood, _LEAST_FALLEN)
    fallen = np.clip(np.searchsorted(_DROPS, fall + 1e-9, side="right") - 1, 0, _STAYS - 1)
    place = np.where(reached > stood + 1e-9, risen, np.where(reached < stood - 1e-9, fallen, _STAYS))
    place = np.where(reached >= ARRIVED, found.shape[-1] - 1, place)
    weight = _each(shots.goal[rows])
    for node, head, share in _corners(shots.elapsed[rows], heading):
        np.add.at(found, (shots.state[rows], node, head, place), weight * share)
    pool = FORECAST_POOLING.value
    seen = found.sum(axis=-1)
    shares = _untaught(HORIZONS[horizon])
    for wider in (found.sum(axis=(0, 1), keepdims=True), found.sum(axis=0, keepdims=True), found):
        shares = (wider + pool * shares) / (wider.sum(axis=-1, keepdims=True) + pool)
    return np.broadcast_to(shares, found.shape), seen


def _levels(taught: _Taught, lived: _Lived, latest: list[Ints]) -> Floats:
    """The levels at which ranges, on the latest of what was known, held what they say.

    By band of horizons, state and level; drawn to the level itself where few goals can tell.
    """
    shots = lived.shots
    held = np.zeros((len(NEAR), len(STATES), _TRIED.size))
    told = np.zeros((len(NEAR), len(STATES)))
    goals: list[list[set[int]]] = [[set() for _ in STATES] for _ in NEAR]
    for horizon, rows in enumerate(latest):
        part = shots.where(rows)
        heading = taught.heading(part, horizon)
        mixed = taught.mixed(part, heading, horizon)
        foretold = _Foretold.of(mixed, part.stood, heading, mixed[:, -1])
        reached, band = lived.reached[rows, horizon], _band(horizon)
        for at, level in enumerate(_TRIED):
            low, high = foretold.range(np.full(rows.size, level))
            inside = (reached >= low - 1e-9) & (reached <= high + 1e-9)
            held[band, :, at] += np.bincount(part.state, weights=inside, minlength=len(STATES))
        told[band] += np.bincount(part.state, minlength=len(STATES))
        for state in range(len(STATES)):
            goals[band][state].update(part.goal[part.state == state].tolist())
    found = np.empty((len(NEAR), len(STATES), len(LEVELS)))
    for band in range(len(NEAR)):
        for state in range(len(STATES)):
            share = np.maximum.accumulate(held[band, state] / max(told[band, state], 1))
            n = len(goals[band][state])
            trust = n / (n + _LEVEL_POOLING)
            found[band, state] = (1 - trust) * np.array(LEVELS) + trust * np.interp(LEVELS, share, _TRIED)
    return found


def _levels_frame(levels: Floats) -> pl.DataFrame:
    band, state, level = np.meshgrid([name for name, _ in NEAR], STATES, LEVELS, indexing="ij")
    return pl.DataFrame(
        {"horizon": band.ravel(), "state": state.ravel(), "level": level.ravel(), "used": levels.ravel()}
    )


def _band(horizon: int) -> int:
    """Which of `NEAR` a horizon lies in."""
    return next(at for at, (_, up_to) in enumerate(NEAR) if HORIZONS[horizon] <= up_to + 1e-9)


def _untaught(ahead: float) -> Floats:
    """The default: errors spread like a bell around the heading, wider the further ahead."""
    spread = FORECAST_SPREAD.value * np.sqrt(ahead)
    below = ndtr(np.minimum(_MARKS, (1 - _HEADINGS)[:, None]) / spread)
    below[:, 0] = 0
    falls = np.where(_DROPS[:-1] >= -1 - 1e-9, 1.0, 0.0)
    falls *= _FALLS / falls.sum()
    shares = np.column_stack(
        [
            np.broadcast_to(falls, (_HEADINGS.size, _STAYS)),
            np.zeros(_HEADINGS.size),
            (1 - falls.sum()) * np.diff(below, axis=1),
            (1 - falls.sum()) * (1 - below[:, -1]),
        ]
    )
    return shares[None, None]


def _each(goal: Ints) -> float:
    """What each look counts for, so that all together count as many as there are goals.

    All alike: goals that arrive soon are looked at less often, and would count for too much by goal.
    """
    return np.unique(goal).size / max(goal.size, 1)


def _as_frame(shares: Floats, seen: Floats) -> pl.DataFrame:
    ahead, state, node, head = np.meshgrid(HORIZONS, STATES, _NODES, _HEADINGS, indexing="ij")
    return pl.DataFrame(
        {
            "horizon": ahead.ravel(),
            "state": state.ravel(),
            "elapsed": node.ravel(),
            "heading": head.ravel(),
            "goals": seen.ravel(),
            "finished": shares[..., -1].ravel(),
            "unmoved": shares[..., _STAYS].ravel(),
            "falls": list(shares[..., :_STAYS].reshape(-1, _STAYS)),
            "errors": list(shares[..., _STAYS + 1 : -1].reshape(-1, _MARKS.size - 1)),
        },
        schema_overrides={"falls": pl.List(pl.Float64), "errors": pl.List(pl.Float64)},
    )


def _foretold(taught: _Taught, lived: _Lived, since: int, until: int) -> pl.DataFrame:
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


def _rolled(lived: _Lived) -> Iterator[tuple[str, date, pl.DataFrame]]:
    """Quarter by quarter: learn on what was known, foretell, and set what came beside it."""
    today = lived.record.as_of
    first = int(lived.shots.day.min()) if lived.shots.day.size else today
    for back in range(_PERIODS, 0, -1):
        origin = today - back * _PERIOD
        if origin < first:
            continue
        learnt = _learn(lived, origin)
        if learnt.goals < MINIMUM_FORECAST_GOALS.value:
            continue
        taught = _Taught.of(learnt)
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


def _finished_inside(taught: _Taught, lived: _Lived, since: int, until: int) -> pl.DataFrame:
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


def _end(shots: _Shots) -> Floats:
    """The furthest horizon within reach of each shot."""
    ahead = np.asarray(HORIZONS)
    inside = shots.elapsed[:, None] + ahead <= _REACH + 1e-9
    return np.where(inside.any(axis=1), ahead[np.maximum(inside.sum(axis=1) - 1, 0)], 0.0)


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
    shots = _shots(record, goal, np.full(goal.size, record.as_of))
    refused = _refused(record, shots)
    finished = _Taught.of(forecasting).finished(shots)
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


def _refused(record: Record, shots: _Shots) -> list[str | None]:
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
        ("long_overdue", shots.elapsed > _REACH - HORIZONS[0] + 1e-9),
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
    left, share = _between(nodes, ahead)
    rows = np.arange(ahead.size)
    return np.asarray((1 - share) * known[rows, left] + share * known[rows, left + 1])


def _bands(taught: _Taught, record: Record) -> pl.DataFrame:
    """The fan of the one goal on record."""
    shots = _shots(record, np.zeros(1, dtype=np.int64), np.array([record.as_of]))
    finished = taught.finished(shots)
    ahead = [at for at, horizon in enumerate(HORIZONS) if shots.elapsed[0] + horizon <= _REACH + 1e-9]
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
