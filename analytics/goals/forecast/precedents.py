"""What became of goals that stood where a goal stands now?

Reads    the record of goals (`analytics.goals.forecast.course`).
Returns  what past goals taught, by how far ahead one looks: the progress to expect, how goals strayed from
         it, how many had arrived, and the levels at which ranges held what they say.

Goals that stand alike are alike in elapsed time, in where they are heading and in whether they move. Points
of support lie on a grid of the first two; a goal between them takes from the four around it, so that nothing
jumps. A goal falls back (by a share of what it had reached), stays, rises (by what the expectation got wrong)
or arrives; each has its share.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import ndtr

from analytics.goals.forecast.course import ARRIVED, HOLDING, NEVER, Flags, Floats, Ints, Record
from analytics.policy import FORECAST_POOLING, FORECAST_REACH, FORECAST_SPREAD

LEVELS: Final = (0.5, 0.8, 0.9)
HORIZONS: Final = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.2, 1.5)
"""How far ahead, as shares of the planned time."""
STATES: Final = ("moving", "stalled", "not_begun")
NEAR: Final = (("near", 0.2), ("middle", 0.5), ("far", FORECAST_REACH.value))
"""Names of horizons for the check, each up to a share of the planned time."""
REACH: Final = FORECAST_REACH.value
ELAPSED_NODES: Final = np.linspace(0, 1.25, 11)
HEADINGS: Final = np.array([0.0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2])
MARKS: Final = 1.6 * np.sinh(4 * np.linspace(-1, 1, 121)) / np.sinh(4)
"""Errors between which is counted: fine around nought, where short forecasts err."""
_DROPS: Final = np.linspace(-1.5, 0, 61)
"""Falls between which is counted, as shares of what had been reached: a target that grows takes its share."""
_LEAST_FALLEN: Final = 0.1
"""What has come less far than this falls as if it had come so far."""
_STEEP: Final = 3.0
"""How fast one end gives way where the other has less to leave out: as slow as a picture asks, no slower."""
_FALLS: Final = 0.2
"""Share of goals taken to fall back, as targets grow, before any goal has shown it: anywhere to nothing."""
STAYS: Final = _DROPS.size - 1
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
FEATURES: Final = ("constant", "progress", "elapsed", "so_far", "needed", "recent", "silence", *STATES[1:])


@dataclass(frozen=True)
class Shots:
    """Goals looked at: one entry per goal and day, from the record by the end of that day."""

    goal: Ints
    day: Ints
    stood: Floats
    elapsed: Floats
    length: Ints
    due: Ints
    features: Floats
    state: Ints

    def where(self, wanted: Flags | Ints) -> Shots:
        return Shots(
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
class Lived:
    """Past looks and what came of them.

    ``reached`` is progress by shot and horizon, NaN where beyond the reach or no longer watched; ``known``
    the day of it; ``arrived`` the day of arrival.
    """

    record: Record
    shots: Shots
    reached: Floats
    known: Ints
    arrived: Ints


@dataclass(frozen=True)
class Taught:
    """What past goals taught.

    Attributes
    ----------
    weights
        By horizon and feature: share of the way gained.
    shares
        By horizon, state, elapsed, heading, and whether a goal falls back, stays, rises or arrives.
    levels
        By band of horizons, state and level: the level used so that ranges held what they say.
    seen
        Past goals at each point of support.
    goals
        Past goals in all.
    """

    weights: Floats
    shares: Floats
    levels: Floats
    seen: Floats
    goals: int

    def heading(self, shots: Shots, horizon: int) -> Floats:
        return _headed(shots, self.weights[horizon])

    def mixed(self, shots: Shots, heading: Floats, horizon: int) -> Floats:
        """Shares that fall back, stay, rise and arrive, for each shot."""
        mixed = np.zeros((shots.goal.size, self.shares.shape[-1]))
        for node, head, weight in _corners(shots.elapsed, heading):
            mixed += weight[:, None] * self.shares[horizon, shots.state, node, head]
        return mixed

    def finished(self, shots: Shots) -> Floats:
        """Chance of having arrived by each horizon; it never falls with time."""
        found = np.zeros((shots.goal.size, len(HORIZONS)))
        for horizon in range(len(HORIZONS)):
            heading = self.heading(shots, horizon)
            for node, head, weight in _corners(shots.elapsed, heading):
                found[:, horizon] += weight * self.shares[horizon, shots.state, node, head, -1]
        return np.maximum.accumulate(found, axis=1)

    def stated(self, shots: Shots, finished: Floats, horizon: int) -> Floats:
        """Middle, and low and high of each level, by shot."""
        heading = self.heading(shots, horizon)
        mixed = self.mixed(shots, heading, horizon)
        foretold = _Foretold.of(mixed, shots.stood, heading, finished[:, horizon])
        middle = foretold.value(np.full(heading.size, 0.5))
        found, low, high = [middle], middle, middle
        for used in self.levels[_band(horizon)].T:
            ends = foretold.range(used[shots.state])
            # A range holds every narrower one, and the middle.
            low, high = np.minimum(low, ends[0]), np.maximum(high, ends[1])
            found.extend((low, high))
        return np.column_stack(found)


def looked_back(record: Record, seed: int) -> Lived:
    """Look at each past goal every tenth of its planned time while it was open and on its way."""
    every = np.flatnonzero(~record.goals["draft"].to_numpy() & (record.start < record.as_of))
    if every.size > _MOST_GOALS:
        every = np.sort(np.random.default_rng(seed).choice(every, _MOST_GOALS, replace=False))
    start, due = record.planned(every, record.start[every])
    steps = np.arange(1, round(REACH / _STEP))
    day = start[:, None] + np.round(_STEP * steps * (due - start)[:, None]).astype(np.int64)
    goal = np.repeat(every, steps.size)
    shots = look(record, goal, day.ravel())
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
    seen = watched & (known <= record.as_of) & (shot.elapsed[:, None] + ahead <= REACH + 1e-9)
    reached = np.where(seen, np.where(there, 1.0, np.minimum(stood, 1.0)), np.nan)
    return Lived(record, shot, reached, known, arrival)


def teach(lived: Lived, origin: int) -> Taught:
    """Learn from what was known at the end of a day."""
    shots = lived.shots
    weights = np.zeros((len(HORIZONS), len(FEATURES)))
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
    levels = _levels(Taught(weights, shares, levels, seen, len(taught)), lived, latest)
    return Taught(weights, shares, levels, seen, len(taught))


def look(record: Record, goal: Ints, day: Ints) -> Shots:
    """Look at goals on days, by what was on record at their end."""
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
    return Shots(goal, day, stood, elapsed, length, due, features, state)


def _forecastable(record: Record, shots: Shots) -> Flags:
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
        & (shots.elapsed <= REACH - HORIZONS[0] + 1e-9)
    )


def _open(record: Record, shots: Shots) -> Flags:
    """Whether each goal was watched on the day and not yet done."""
    watched = (shots.day <= record.watched[shots.goal]) & (shots.day < record.done[shots.goal])
    return np.asarray(watched & (shots.day <= record.as_of))


def _expectation(lived: Lived, rows: Ints, horizon: int, ahead: float) -> Floats:
    """Weights of the features for the gain up to a horizon: least squares, shrunk to the untaught ones."""
    shots = lived.shots
    untaught = np.zeros(len(FEATURES))
    untaught[[FEATURES.index("so_far"), FEATURES.index("needed")]] = ahead / 2
    features = shots.features[rows]
    weight = _each(shots.goal[rows])
    gain = lived.reached[rows, horizon] - shots.stood[rows]
    squares = weight * features.T @ features + _SHRINKAGE * np.eye(len(FEATURES))
    missing = weight * features.T @ (gain - features @ untaught)
    return np.asarray(untaught + np.linalg.solve(squares, missing))


def _errors(lived: Lived, rows: Ints, horizon: int, weights: Floats) -> tuple[Floats, Floats]:
    """Shares of errors at each point of support, and the goals seen there."""
    shots = lived.shots
    found = np.zeros((len(STATES), ELAPSED_NODES.size, HEADINGS.size, STAYS + MARKS.size + 1))
    reached, stood = lived.reached[rows, horizon], shots.stood[rows]
    heading = _headed(shots, weights)[rows]
    risen = STAYS + 1 + np.clip(np.searchsorted(MARKS, reached - heading) - 1, 0, MARKS.size - 2)
    fall = (reached - stood) / np.maximum(stood, _LEAST_FALLEN)
    fallen = np.clip(np.searchsorted(_DROPS, fall + 1e-9, side="right") - 1, 0, STAYS - 1)
    place = np.where(reached > stood + 1e-9, risen, np.where(reached < stood - 1e-9, fallen, STAYS))
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


def _levels(taught: Taught, lived: Lived, latest: list[Ints]) -> Floats:
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
            # A range of one value, such as *done*, cannot be cut finer: what it holds beyond its level must
            # not make others too narrow.
            told_of = np.where(high > low, inside, level)
            held[band, :, at] += np.bincount(part.state, weights=told_of, minlength=len(STATES))
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


def _untaught(ahead: float) -> Floats:
    """The default: errors spread like a bell around the heading, wider the further ahead."""
    spread = FORECAST_SPREAD.value * np.sqrt(ahead)
    below = ndtr(np.minimum(MARKS, (1 - HEADINGS)[:, None]) / spread)
    below[:, 0] = 0
    falls = np.where(_DROPS[:-1] >= -1 - 1e-9, 1.0, 0.0)
    falls *= _FALLS / falls.sum()
    shares = np.column_stack(
        [
            np.broadcast_to(falls, (HEADINGS.size, STAYS)),
            np.zeros(HEADINGS.size),
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


def _band(horizon: int) -> int:
    """Which of `NEAR` a horizon lies in."""
    return next(at for at, (_, up_to) in enumerate(NEAR) if HORIZONS[horizon] <= up_to + 1e-9)


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
        falls, rises = mixed[:, :STAYS].cumsum(axis=1), mixed[:, STAYS + 1 : -1].cumsum(axis=1)
        return cls(falls, mixed[:, STAYS], rises, arrives, stood, heading)

    @property
    def behind(self) -> Floats:
        """Share that falls back."""
        return np.asarray(self.falls[:, -1])

    def value(self, at: Floats) -> Floats:
        """Progress that a share ``at`` of goals do not exceed."""
        risen = self.heading + _inverse(self.rises, at - self.behind - self.stays, MARKS)
        risen = np.clip(risen, self.stood, 1.0)
        fall = _DROPS[self._size(at)] * np.maximum(self.stood, _LEAST_FALLEN)
        fallen = np.clip(self.stood + fall, -1.0, 1.0)
        moved = np.where(at <= self.behind, fallen, risen)
        return np.where(at > 1 - self.arrives, 1.0, np.where(self._stays(at), self.stood, moved))

    def _size(self, at: Floats) -> Ints:
        """Place of the fall that a share ``at`` of goals do not exceed."""
        return np.asarray(np.minimum((self.falls < at[:, None]).sum(axis=1), STAYS - 1))

    def _beside(self, at: Floats) -> tuple[Floats, Floats]:
        """Shares of goals strictly below, and not above, the value of a share ``at`` that does not arrive."""
        place = self._size(at)
        row = np.arange(place.size)
        under = np.where(place > 0, self.falls[row, place - 1], 0.0)
        falling, stays = at <= self.behind, self._stays(at)
        return (
            np.where(falling, under, np.where(stays, self.behind, at)),
            np.where(falling, self.falls[row, place], np.where(stays, self.behind + self.stays, at)),
        )

    def _stays(self, at: Floats) -> Flags:
        return np.asarray((at > self.behind) & (at <= self.behind + self.stays))

    def range(self, level: Floats) -> tuple[Floats, Floats]:
        """Low and high between which a share ``level`` lies."""
        low, high = self.ends(level)
        return self.value(low), self.value(high)

    def ends(self, level: Floats) -> tuple[Floats, Floats]:
        """Shares below low and up to high of a range, left out alike at both ends where it can be."""
        tail = (1 - level) / 2
        # Where so many stay, arrive or fall back to nothing that less lies beyond, the other end leaves out
        # more: by as much as they exceed what an end leaves out, so that nothing jumps from day to day.
        under, upto = self._beside(tail)
        above = tail + np.clip(np.minimum(_STEEP * (upto - tail), tail - under), 0, None)
        below = tail + np.clip(np.minimum(_STEEP * (self.arrives - above), tail), 0, None)
        return below, 1 - above


def _headed(shots: Shots, weights: Floats) -> Floats:
    """Expected progress; somewhat beyond arrival it makes no difference."""
    return np.asarray(np.clip(shots.stood + shots.features @ weights, -1.0, HEADINGS[-1]))


def _inverse(shares: Floats, at: Floats, marks: Floats) -> Floats:
    """The value up to which cumulated shares between marks come to ``at``."""
    place = np.minimum((shares < at[:, None]).sum(axis=1), shares.shape[1] - 1)
    rows = np.arange(place.size)
    upper, lower = shares[rows, place], np.where(place > 0, shares[rows, place - 1], 0.0)
    inside = np.where(upper > lower, (at - lower) / np.maximum(upper - lower, 1e-12), 1.0)
    return np.asarray(marks[place] + np.clip(inside, 0, 1) * (marks[place + 1] - marks[place]))


def _corners(elapsed: Floats, heading: Floats) -> Iterator[tuple[Ints, Ints, Floats]]:
    """The four points of support around each shot, with their weights."""
    node, inner = between(ELAPSED_NODES, elapsed)
    head, across = between(HEADINGS, heading)
    for i, by_time in ((0, 1 - inner), (1, inner)):
        for j, by_head in ((0, 1 - across), (1, across)):
            yield node + i, head + j, by_time * by_head


def between(nodes: Floats, at: Floats) -> tuple[Ints, Floats]:
    inside = np.clip(at, nodes[0], nodes[-1])
    left = np.clip(np.searchsorted(nodes, inside, side="right") - 1, 0, nodes.size - 2)
    return left, (inside - nodes[left]) / (nodes[left + 1] - nodes[left])
