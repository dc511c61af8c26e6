"""How do the goals of a cycle run, week by week, and what becomes of them?

A goal without a rule runs on its own: its owner's ability and pace, the kind of trajectory, events (it
stalls, its scope grows, it is given up), and a walk of its pace that nobody can foresee. Parts of that walk
are shared: by all goals of an owner, of a department, of a team. Misses therefore come together even when
everything that can be seen at half time is known. No walk is shared by the whole company: one draw of it
would decide a cycle.

A parent with a rule follows the goals below it: what it has reached is a function of what they have reached
in the same week, and it lands in the week in which its rule is met.

Weeks are counted from the start of the cycle and run on after the due date, so that late landings have a
date.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from data.demo.catalogue import ALL_AIMS
from data.demo.company import AS_OF, CYCLES, SNAPSHOTS, Flags, Floats, Ints, Texts
from data.demo.draws import lasting_normal, stream
from data.demo.goal_tree import COMPANY, DEPARTMENT, K_OF_N, OWN, TEAM, WEIGHTED, Tree

TRAJECTORIES: Final = (
    "steady",
    "late_bloomer",
    "stalled",
    "scope_growth",
    "abandoned",
    "sandbagger",
    "over_promiser",
    "follows",
)
STEADY, LATE, STALLED, SCOPE, ABANDONED, SANDBAGGER, OVER_PROMISER, FOLLOWS = range(8)
SHARES: Final = (0.53, 0.17, 0.13, 0.10, 0.07)
"""Of the first five, for an owner of average ability."""
MISHAPS_PER_ABILITY: Final = -1.2
"""By how much a standard deviation of ability changes the log odds of stalling, growing and giving up."""
AS_THEY_ARE: Final = 0.8
"""Share of their goals in which over-promisers and sandbaggers are what they are."""
OUTCOMES: Final = ("landed_on_time", "landed_late", "missed", "abandoned", "open")
ON_TIME, TOO_LATE, MISSED, GIVEN_UP, OPEN = range(5)

WEEKS: Final = 40
WEEKS_OF_CYCLE: Final = 26
NEVER: Final = 99_999
"""A day that does not come."""

EARLY: Final = 0.45
"""Share of the goals of teams and people that are due before their cycle ends."""
PACE: Final = 1.3
PACE_SD: Final = 0.06
PACE_PER_ABILITY: Final = 0.36
DEPARTMENT_RECORD_SD: Final = 0.06
"""How far the paces of whole departments lie apart in every cycle."""
WALK_SD: Final = 0.16
"""Standard deviation of a week's change of the log pace of a goal."""
WALK_SHARES: Final = {"owner": 0.3, "department": 0.2, "team": 0.08}
"""Of the variance of that change; the rest is the goal's own."""
NOISE_SD: Final = 0.012
RECOVERS: Final = 0.3

DUE_MOVED: Final = 0.22
"""Chance that the due date of a goal that lags is moved in its last weeks."""
TARGET_LOWERED: Final = 0.14
STRUCK_OFF: Final = 0.9
STRUCK_OFF_LATEST: Final = 0.6
"""Share of the missed goals that are closed a while after they were due; of the last closed cycle, fewer."""


@dataclass(frozen=True)
class Owners:
    """What is true of people as owners of goals; one entry per person.

    ``ability`` is in standard deviations of the work people are worth.
    """

    ability: Floats
    over_promises: Flags
    sandbags: Flags


@dataclass(frozen=True)
class Course:
    """How the goals of a cycle ran: one entry per goal, and goal × week where it says so.

    Days count from 1970; `NEVER` where one does not come.

    Attributes
    ----------
    trajectory, kind, keeps
        Position in `TRAJECTORIES`; the kind of key result; whether it is to keep a level.
    start, first_due, due
        First day, the day it was first due by, the day it is due by as of `AS_OF`.
    moved_on
        When the due date was moved.
    baseline, first_target, target
        From where to where; the target as it was first and as of `AS_OF`.
    retargeted_on
        When the target was raised or lowered.
    day
        Weeks: the day each week ends with.
    value, target_then, share, confidence, troubled
        Goal × week: the value reached, the target in force, the share of the way (0 to 1), what the owner
        would say the chance is, whether it lags so that one would rather not report.
    landing
        The day it lands, or would if it were not given up.
    given_up
        The day it was given up or struck off.
    closed
        The last day on which anybody looked.
    outcome, status
        Position in `OUTCOMES` as of `AS_OF`, against the due date in force; the status exported.
    felt
        Owner, department and team × goal: by how much the walks it shares changed its log pace, on average
        until first due.
    """

    trajectory: Ints
    kind: Texts
    keeps: Flags
    start: Ints
    first_due: Ints
    due: Ints
    moved_on: Ints
    baseline: Floats
    first_target: Floats
    target: Floats
    retargeted_on: Ints
    day: Ints
    value: Floats
    target_then: Floats
    share: Floats
    confidence: Floats
    troubled: Flags
    landing: Ints
    given_up: Ints
    closed: Ints
    outcome: Ints
    status: Texts
    felt: dict[str, Floats]


def run(tree: Tree, owners: Owners, *, cycle: int, seed: int) -> Course:
    """Let the goals of a cycle run.

    Parameters
    ----------
    tree
        The goals of the cycle.
    owners
        What is true of the people who own them.
    cycle
        Position among the cycles, the running one last.
    seed
        As for the whole company.
    """
    running = _Running(tree, owners, cycle, seed)
    on_their_own = np.flatnonzero(tree.rule <= OWN)
    running.run_on_their_own(on_their_own)
    running.settle(on_their_own)
    for scope in (TEAM, DEPARTMENT, COMPANY):
        followers = np.flatnonzero((tree.rule > OWN) & (tree.scope == scope))
        running.follow(followers)
        running.settle(followers)
    return running.course()


def followed(
    share: Floats,
    landed: Flags,
    weight: Floats,
    group: Ints,
    *,
    rule: Ints,
    needed: Floats,
) -> tuple[Floats, Flags]:
    """What parents have reached, given what hangs below them.

    Parameters
    ----------
    share, landed
        Goal × week: share of the way, between 0 and 1, and whether it has landed.
    weight, group
        One entry per goal: its weight and the position of its parent, in ascending order; no parent is
        without goals.
    rule, needed
        One entry per parent: ``ALL``, `WEIGHTED` (per cent of the weight) or `K_OF_N` (how many).

    Returns
    -------
    tuple
        Parent × week: share of the way and whether the rule is met. *All* is the mean of the shares,
        *weighted* the weighted mean over the share needed, *k of n* the mean of the k furthest.
    """
    starts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
    count = np.diff(np.r_[starts, len(group)])[:, None]
    rule, needed = rule[:, None], needed[:, None]
    there = np.add.reduceat(landed, starts, axis=0, dtype=np.int64)
    weighed = np.add.reduceat(share * weight[:, None], starts, axis=0)
    weighed /= np.add.reduceat(weight, starts)[:, None] * np.where(rule == WEIGHTED, needed, 100.0) / 100.0
    # The furthest of each parent first: within a parent, keys rise by how much is missing.
    ordered = np.sort(2.0 * group[:, None] + 1.0 - share, axis=0)
    furthest = 1.0 - (ordered - 2.0 * group[:, None])
    place = np.arange(len(group)) - np.repeat(starts, count[:, 0])
    k = np.where(rule == K_OF_N, needed, count)
    furthest = np.where(place[:, None] < np.repeat(k, count[:, 0], axis=0), furthest, 0.0)
    reached = np.where(rule == WEIGHTED, weighed, np.add.reduceat(furthest, starts, axis=0) / k)
    met = np.where(rule == WEIGHTED, weighed >= 1.0 - 1e-9, there >= k)
    return np.clip(reached, 0.0, 1.0), met


class _Running:
    """A cycle's goals while they are being drawn."""

    def __init__(self, tree: Tree, owners: Owners, cycle: int, seed: int) -> None:
        self.tree, self.owners, self.cycle = tree, owners, cycle
        self.rng = rng = stream(seed, f"courses {cycle}")
        n = len(tree.goal_id)
        self.running = cycle == len(CYCLES)
        first = _day(SNAPSHOTS[cycle])
        ends = (_day(date(2027, 1, 1)) if self.running else _day(SNAPSHOTS[cycle + 1])) - 1
        # The last week of every cycle ends with the cycle, or shorter ones would leave a week less to arrive.
        self.day = ends + 7 * (np.arange(1, WEEKS + 1) - WEEKS_OF_CYCLE)
        # When, and of what kind.
        follows = tree.rule > OWN
        self.start = first + np.where(tree.scope == COMPANY, 0, rng.integers(0, 15, n))
        early = (rng.random(n) < EARLY) & (tree.scope >= TEAM) & ~follows
        self.first_due = np.where(early, ends - rng.integers(14, 110, n), ends)
        self.due = self.first_due.copy()
        length = (self.first_due - self.start).astype(np.float64)
        self.elapsed = np.maximum((self.day - self.start[:, None]) / length[:, None], 0.0)
        self.kind = np.array([a.kind for a in ALL_AIMS])[tree.aim]
        self.keeps = np.isin(self.kind, ("stay_above", "stay_below"))
        self.counts = self.kind == "reach"
        # From where to where.
        self.baseline = np.round(rng.uniform(*np.array([a.baseline for a in ALL_AIMS])[tree.aim].T), 1)
        factor = rng.uniform(*np.array([a.factor for a in ALL_AIMS])[tree.aim].T)
        self.first_target = np.where(self.counts, np.round(factor), np.round(self.baseline * factor, 1))
        self.span = self.first_target - self.baseline
        self.ability = owners.ability[tree.owner]
        self.trajectory = np.where(follows, FOLLOWS, self._trajectories())
        self.felt: dict[str, Floats] = {}
        self.walk = self._walks(seed)

        self.value = np.zeros((n, WEEKS))
        self.target_then = np.repeat(self.first_target[:, None], WEEKS, axis=1)
        self.share = np.zeros((n, WEEKS))
        self.landed = np.zeros((n, WEEKS), dtype=np.bool_)
        self.landing = np.full(n, NEVER)
        self.given_up = np.full(n, NEVER)
        self.retargeted_on = np.full(n, NEVER)
        self.moved_on = np.full(n, NEVER)

    def _trajectories(self) -> Ints:
        n = len(self.ability)
        mishap = np.exp(MISHAPS_PER_ABILITY * self.ability)[:, None]
        shares = np.array(SHARES) * np.where(np.isin(np.arange(5), (STALLED, SCOPE, ABANDONED)), mishap, 1.0)
        shares = np.cumsum(shares, axis=1) / shares.sum(axis=1, keepdims=True)
        drawn = (self.rng.random(n)[:, None] > shares).sum(axis=1)
        usual = self.rng.random(n) < AS_THEY_ARE
        owner = self.tree.owner
        drawn = np.where(self.owners.over_promises[owner] & usual, OVER_PROMISER, drawn)
        drawn = np.where(self.owners.sandbags[owner] & usual, SANDBAGGER, drawn)
        # The strategy is never dropped in the middle of a cycle; a level that is kept has no scope.
        drawn[(self.tree.scope == COMPANY) & (drawn == ABANDONED)] = STEADY
        drawn[self.keeps & (drawn != LATE)] = STEADY
        drawn[self.tree.stale] = STALLED
        return np.asarray(drawn)

    def _walks(self, seed: int) -> Floats:
        """Changes of log pace since the start, goal × week; what is shared is kept in ``felt``."""
        tree, n = self.tree, len(self.start)
        goal_share = 1.0 - sum(WALK_SHARES.values())
        walk = np.cumsum(self.rng.normal(0, WALK_SD * np.sqrt(goal_share), (n, WEEKS)), axis=1)
        until = np.clip((self.first_due - self.day[0]) // 7, 0, WEEKS - 1)
        for cause, holder in (("owner", tree.owner), ("department", tree.department), ("team", tree.team)):
            each, of = np.unique(holder, return_inverse=True)
            steps = np.stack(
                [lasting_normal(seed, f"{cause} {self.cycle}", each, week) for week in range(WEEKS)], axis=1
            )
            shared = np.cumsum(WALK_SD * np.sqrt(WALK_SHARES[cause]) * steps, axis=1)
            shared[each < 0] = 0.0
            walk += shared[of]
            so_far = np.cumsum(shared, axis=1) / np.arange(1, WEEKS + 1)
            self.felt[cause] = so_far[of, until]
        record = DEPARTMENT_RECORD_SD * lasting_normal(seed, "department record", tree.department)
        # The mean pace stays what it is, however far the walk has gone.
        drift = WALK_SD**2 / 2 * np.arange(1, WEEKS + 1)
        return np.asarray(walk - drift + record[:, None])

    def run_on_their_own(self, rows: Ints) -> None:
        """Values and targets of goals that follow nothing."""
        progress = self._progress(rows)
        reached = np.round(self.baseline[rows, None] + progress * self.span[rows, None], 2)
        counts = self.counts[rows, None]
        reached = np.where(counts, np.floor(np.maximum(reached, 0) + 1e-9), reached)
        # What was reached stays reached.
        rising = np.maximum.accumulate(reached, axis=1)
        falling = np.minimum.accumulate(reached, axis=1)
        moved = np.where(self.span[rows, None] > 0, rising, falling)
        self.value[rows] = np.where(self.keeps[rows, None], self._levels(rows), moved)
        self._retarget(rows)

    def _progress(self, rows: Ints) -> Floats:
        """Share of the first distance covered, goal × week."""
        rng, n, kind = self.rng, len(rows), self.trajectory[rows]
        u = self.elapsed[rows]
        able = PACE_PER_ABILITY * self.ability[rows]
        pace = np.select(
            [kind == ABANDONED, kind == SANDBAGGER, kind == OVER_PROMISER],
            [rng.uniform(0.3, 0.7, n), rng.uniform(1.9, 2.5, n), rng.uniform(0.5, 0.9, n)],
            rng.normal(PACE, PACE_SD, n),
        )
        bend = np.where(kind == LATE, rng.normal(2.2, 0.25, n), np.exp(rng.normal(0, 0.15, n)))
        covered = np.minimum(u, 1.4) ** bend[:, None]
        # Who holds back asks of themselves what they could do twice over.
        pace = np.clip(pace + np.where(kind == SANDBAGGER, 0.0, able), 0.2, 2.5)
        step = np.diff(covered, axis=1, prepend=0.0)
        stalls = rng.uniform(0.15, 0.85, n)
        resumes = np.where(rng.random(n) < RECOVERS, stalls + rng.uniform(0.1, 0.3, n), np.inf)
        still = (kind == STALLED)[:, None] & (u > stalls[:, None]) & (u < resumes[:, None])
        step = np.where(still, 0.08 * step, step)
        noise = rng.normal(0, NOISE_SD, u.shape) * (u > 0)
        drawn = np.cumsum(pace[:, None] * step * np.exp(self.walk[rows]) + noise, axis=1)
        return np.asarray(np.clip(drawn, -0.05, 1.45))

    def _levels(self, rows: Ints) -> Floats:
        """Values that stay on the right side of a level or slip to the wrong one."""
        rng, n = self.rng, len(rows)
        side = np.where(self.kind[rows] == "stay_above", 1.0, -1.0)
        margin = rng.normal(0.03, 0.02, n) + 0.012 * self.ability[rows]
        margin = margin[:, None] + 0.04 * self.walk[rows] + rng.normal(0, 0.008, (n, WEEKS))
        away = np.clip(side[:, None] * margin, -0.3, 0.3)
        return np.asarray(np.round(self.first_target[rows, None] * (1 + away), 2))

    def _retarget(self, rows: Ints) -> None:
        """Growing scope raises a target on the way; some that lag have theirs lowered."""
        rng, n = self.rng, len(rows)
        u, span, first = self.elapsed[rows], self.span[rows], self.first_target[rows]
        grows = self.trajectory[rows] == SCOPE
        further = first + rng.uniform(0.2, 0.5, n) * span
        at = (u < rng.uniform(0.4, 0.8, n)[:, None]).sum(axis=1)
        there = np.clip((self.value[rows, at] - self.baseline[rows]) / np.where(span == 0, 1.0, span), 0, 1)
        raised = grows & (there < 1.0)
        late = (u < rng.uniform(0.6, 0.88, n)[:, None]).sum(axis=1)
        then = np.clip((self.value[rows, late] - self.baseline[rows]) / np.where(span == 0, 1.0, span), 0, 1)
        lags = (then > 0.2) & (then < u[np.arange(n), late] - 0.12)
        lowered = lags & ~grows & ~self.keeps[rows] & (rng.random(n) < TARGET_LOWERED)
        nearer = self.baseline[rows] + span * (then + (1 - then) * rng.uniform(0.35, 0.75, n))
        week = np.where(raised, at, late)
        target = np.where(raised, further, nearer)
        target = np.where(self.counts[rows], np.ceil(target), np.round(target, 1))
        changed = (raised | lowered) & (target != first)
        self.retargeted_on[rows] = np.where(changed, self.day[week], NEVER)
        after = np.arange(WEEKS) >= week[:, None]
        self.target_then[rows] = np.where(changed[:, None] & after, target[:, None], first[:, None])

    def follow(self, rows: Ints) -> None:
        """Values of parents, from what hangs below them."""
        if len(rows) == 0:
            return
        tree = self.tree
        position = np.full(len(tree.parent), -1)
        position[rows] = np.arange(len(rows))
        of = np.where(tree.parent >= 0, position[tree.parent], -1)
        below = np.flatnonzero(of >= 0)
        below = below[np.argsort(of[below], kind="stable")]
        reached, met = followed(
            self.share[below],
            self.landed[below],
            tree.weight[below],
            of[below],
            rule=tree.rule[rows],
            needed=tree.needed[rows],
        )
        met = np.logical_or.accumulate(met, axis=1)
        target, span, counts = self.first_target[rows, None], self.span[rows, None], self.counts[rows, None]
        value = np.round(self.baseline[rows, None] + reached * span, 2)
        value = np.where(counts, np.floor(value + 1e-9), value)
        # Rounding must not let a goal arrive before its rule is met.
        short = target - np.sign(span) * np.where(counts, 1.0, 0.01)
        arrived = np.where(span > 0, value >= target, value <= target)
        self.value[rows] = np.round(np.where(met, target, np.where(arrived, short, value)), 2)

    def settle(self, rows: Ints) -> None:
        """When each goal lands, whether its due date is moved, and whether it is given up."""
        rng, n, as_of = self.rng, len(rows), _day(AS_OF)
        value, target, span = self.value[rows], self.target_then[rows], self.span[rows, None]
        keeps, start, due = self.keeps[rows], self.start[rows], self.first_due[rows]
        # A level is kept if it holds in the last week before the goal is due; before, nobody knows.
        last = np.clip((due - self.day[0]) // 7, 0, WEEKS - 1)
        above = np.where(self.kind[rows, None] == "stay_above", value >= target, value <= target)
        kept = (above[np.arange(n), last][:, None]) & (np.arange(WEEKS) >= last[:, None])
        reached = np.where(span > 0, value >= target, value <= target)
        landed = np.logical_or.accumulate(np.where(keeps[:, None], kept, reached), axis=1)
        way = target - self.baseline[rows, None]
        share = np.clip((value - self.baseline[rows, None]) / np.where(way == 0, 1.0, way), 0.0, 0.999)
        share = np.where(landed, 1.0, np.where(keeps[:, None], 0.0, share))
        landing = np.where(landed.any(axis=1), self.day[landed.argmax(axis=1)], NEVER)
        landing = np.where(keeps & (landing < NEVER), due, landing)

        stops = start + np.maximum((due - start) * rng.uniform(0.3, 0.7, n), 15).astype(np.int64)
        dropped = (self.trajectory[rows] == ABANDONED) & (stops < landing)
        # The due date of some that lag is moved in the last weeks before it.
        asked = due - rng.integers(3, 40, n)
        at = np.clip((asked - self.day[0]) // 7, 0, WEEKS - 1)
        lags = share[np.arange(n), at] < self.elapsed[rows][np.arange(n), at] - 0.06
        moved = lags & ~keeps & ~dropped & (landing > asked) & (rng.random(n) < DUE_MOVED)
        later = due + 7 * rng.integers(2, 9, n)
        known = moved & (asked <= as_of)
        due = np.where(known, later, due)
        # What was missed is struck off a while later, if anybody tidies up.
        tidy = 0.0 if self.running else (STRUCK_OFF_LATEST if self.cycle == len(CYCLES) - 1 else STRUCK_OFF)
        struck_on = due + rng.integers(15, 60, n)
        struck = (landing > as_of) & ~dropped & (rng.random(n) < tidy) & (struck_on <= as_of)
        given_up = np.select([dropped, struck], [stops, struck_on], NEVER)
        frozen = self.day >= given_up[:, None]
        stood = np.take_along_axis(
            share, np.clip((given_up - self.day[0]) // 7, 0, WEEKS - 1)[:, None], axis=1
        )
        self.share[rows] = np.where(frozen, stood, share)
        self.landed[rows] = landed & ~frozen
        self.landing[rows] = landing
        self.moved_on[rows] = np.where(known, asked, NEVER)
        self.due[rows] = due
        self.given_up[rows] = given_up

    def course(self) -> Course:
        """What became of everything as of the last day known."""
        as_of = _day(AS_OF)
        stopped = self.given_up <= as_of
        done = (self.landing <= as_of) & ~stopped
        closed = np.minimum(np.select([stopped, done], [self.given_up, self.landing], as_of), as_of)
        past = self.due <= as_of
        abandoned = stopped & (self.trajectory == ABANDONED)
        retargeted = self.retargeted_on <= closed
        last = np.clip((closed - self.day[0]) // 7, 0, WEEKS - 1)
        in_force = self.target_then[np.arange(len(last)), last]
        confidence, troubled = self._told()
        return Course(
            trajectory=self.trajectory,
            kind=self.kind,
            keeps=self.keeps,
            start=self.start,
            first_due=self.first_due,
            due=self.due,
            moved_on=np.where(self.moved_on <= closed, self.moved_on, NEVER),
            baseline=self.baseline,
            first_target=self.first_target,
            target=np.where(retargeted, in_force, self.first_target),
            retargeted_on=np.where(retargeted, self.retargeted_on, NEVER),
            day=self.day,
            value=self.value,
            target_then=self.target_then,
            share=self.share,
            confidence=confidence,
            troubled=troubled,
            landing=self.landing,
            given_up=self.given_up,
            closed=closed,
            outcome=np.select(
                [abandoned, done & (self.landing <= self.due), done, past],
                [GIVEN_UP, ON_TIME, TOO_LATE, MISSED],
                OPEN,
            ),
            status=np.select([stopped, done], ["abandoned", "done"], "active"),
            felt=self.felt,
        )

    def _told(self) -> tuple[Floats, Flags]:
        """What owners say the chance of landing is, and which goals one would rather not report on."""
        rng, shape = self.rng, self.share.shape
        gone = np.minimum(self.elapsed, 1.0)
        recent = (self.share - np.roll(self.share, 5, axis=1)) / 5
        recent[:, :5] = self.share[:, :5] / np.arange(1, 6)
        weeks_left = np.maximum((self.due[:, None] - self.day) / 7, 0.0)
        holds = np.where(self.kind[:, None] == "stay_above", 1.0, -1.0) * (
            self.value / self.target_then - 1.0
        )
        arrives = np.where(self.keeps[:, None], 0.95 + 5.0 * holds, self.share + recent * weeks_left)
        knows = np.clip(gone, 0.15, 1.0)
        expected = (1 - knows) * 0.7 + knows / (1 + np.exp(-np.clip((arrives - 0.95) / 0.12, -30, 30)))
        mood = rng.normal(0, 0.08, shape[0])[:, None]
        told = np.clip(expected + mood, 0.05, 0.97)
        owner = self.tree.owner
        told = np.where(self.owners.over_promises[owner, None], 0.92, told)
        told = np.where(self.owners.sandbags[owner, None], 0.4, told)
        confidence = np.clip(told + rng.normal(0, 0.06, shape), 0.02, 1.0)
        return confidence, (expected < 0.5) & (gone > 0.25)


def _day(day: date) -> int:
    return (day - date(1970, 1, 1)).days
