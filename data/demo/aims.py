"""What does everybody want to reach, how do the goals hang together, and how did they go?

Returns  goals from company strategy over functions and teams to people, their check-ins up to the as-of
         date, what was changed on the way, and the truth about each: the kind of trajectory and what
         became of it. Trajectories are drawn on a weekly grid that runs on after the due date, so that
         late landings have a date.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import polars as pl

from data.demo.catalogue import ALL_AIMS, LINES, STRATEGY
from data.demo.company import (
    AS_OF,
    CYCLES,
    RUNNING_CYCLE,
    SNAPSHOTS,
    Company,
    Flags,
    Floats,
    Ints,
    Plan,
    Texts,
)
from data.demo.draws import stream
from data.demo.people import History

TRAJECTORIES: Final = (
    "steady",
    "late_bloomer",
    "stalled",
    "scope_growth",
    "abandoned",
    "sandbagger",
    "over_promiser",
)
TRAJECTORY_SHARES: Final = (0.42, 0.14, 0.11, 0.09, 0.06, 0.09, 0.09)
STEADY, LATE, STALLED, SCOPE, ABANDONED, SANDBAGGER, OVER_PROMISER = range(7)
OUTCOMES: Final = ("landed_on_time", "landed_late", "missed", "abandoned", "open")
WEEKS: Final = 40
"""Length of the grid; a goal takes its first ``weeks`` steps until due and may land in the rest."""

NEVER: Final = 9_999
"""A week that does not come."""

NO_DATA_SOURCE: Final = 0.09
NO_CADENCE: Final = 0.08
ORPHAN: Final = 0.05
NEVER_AGREED: Final = 0.07


@dataclass(frozen=True)
class Aims:
    """Goals and what happened to them, ready for export; ``truth`` has one row per goal."""

    goals: pl.DataFrame
    check_ins: pl.DataFrame
    changes: pl.DataFrame
    alignments: pl.DataFrame
    truth: pl.DataFrame
    not_taken_up: tuple[str, ...]
    stale_branches: tuple[str, ...]


def aim(company: Company, history: History, plan: Plan, *, seed: int) -> Aims:
    """Set goals for the last cycles and let them run until the as-of date."""
    parts = []
    not_taken_up: list[str] = []
    stale_branches: list[str] = []
    for cycle in range(len(SNAPSHOTS) - plan.goal_cycles, len(SNAPSHOTS)):
        tree = _tree(company, history, plan, cycle, stream(seed, f"goals {cycle}"))
        parts.append(_lived(company, history, tree, cycle, stream(seed, f"check-ins {cycle}")))
        not_taken_up.append(str(tree.goal_id[tree.lonely]))
        if cycle == len(SNAPSHOTS) - 1:
            stale_branches.append(str(tree.goal_id[tree.stale_root]))
    goals, check_ins, changes, truth = (pl.concat([part[at] for part in parts]) for at in range(4))
    rng = stream(seed, "alignments")
    team_goals = goals.filter(pl.col("scope") == "team", pl.col("parent_id").is_not_null())
    some = team_goals[np.sort(rng.choice(len(team_goals), max(1, len(team_goals) // 8), replace=False))]
    company_goals = goals.filter(pl.col("scope") == "company")["goal_id", "cycle_id"]
    chosen = rng.integers(0, len(STRATEGY), len(some))
    alignments = (
        some.select("goal_id", "cycle_id", at=pl.Series(chosen))
        .join(
            company_goals.with_columns(at=pl.int_range(pl.len()).over("cycle_id")),
            on=["cycle_id", "at"],
            suffix="_served",
            maintain_order="left",
        )
        .filter(~pl.col("goal_id_served").is_in(not_taken_up))
        .select("goal_id", serves_goal_id="goal_id_served", share=pl.lit(25.0))
    )
    return Aims(goals, check_ins, changes, alignments, truth, tuple(not_taken_up), tuple(stale_branches))


@dataclass(frozen=True)
class _Tree:
    goal_id: Texts
    scope: Ints
    aim: Ints
    parent: Ints
    owner: Ints
    department: Ints
    weight: Floats
    lonely: int
    stale_root: int
    stale: Flags


def _tree(company: Company, history: History, plan: Plan, cycle: int, rng: np.random.Generator) -> _Tree:
    occupant, department = history.occupant[cycle], history.department[cycle]
    units = company.units_at(cycle)
    families = [np.flatnonzero([a.family == family for a in ALL_AIMS]) for family in company.family]
    functions = np.flatnonzero(company.parent == 0)
    strategy = np.arange(len(STRATEGY))
    lonely = int(rng.integers(3, len(STRATEGY)))
    taken = np.delete(strategy, lonely)
    ceo = occupant[0]

    scope, aims, parent, owner, place = (
        [np.zeros(len(STRATEGY), dtype=np.int64)],
        [strategy],
        [np.full(len(STRATEGY), -1)],
        [np.full(len(STRATEGY), ceo)],
        [np.zeros(len(STRATEGY), dtype=np.int64)],
    )
    # Each function takes up three strategy goals; together they leave out the lonely one.
    at_function = np.repeat(functions, 3)
    serves = np.concatenate([np.roll(taken, -3 * k)[:3] for k in range(len(functions))])
    head_team = np.array([np.flatnonzero(company.unit == f)[0] for f in functions])
    counted = len(STRATEGY)
    first_of_function = np.full(len(company.code), -1)
    first_of_function[functions] = counted + 3 * np.arange(len(functions))
    scope.append(np.full(len(at_function), 1))
    aims.append(_drawn(families, at_function, rng))
    parent.append(serves)
    owner.append(occupant[np.repeat(head_team, 3)])
    place.append(at_function)
    counted += len(at_function)
    # Two goals a team of members.
    teams = np.flatnonzero((company.members > 0) & (company.function[company.unit] > 0))
    if plan.columnar:
        teams = teams[rng.random(len(teams)) < plan.activity * 3]
    at_team = np.repeat(teams, 2)
    first_of_team = np.full(len(company.unit), -1)
    first_of_team[teams] = counted + 2 * np.arange(len(teams))
    function_of_team = company.function[company.unit[at_team]]
    scope.append(np.full(len(at_team), 2))
    aims.append(_drawn(families, company.unit[at_team], rng))
    parent.append(first_of_function[function_of_team] + rng.integers(0, 3, len(at_team)))
    owner.append(occupant[at_team])
    place.append(units[at_team])
    counted += len(at_team)
    # One to three goals a member who stays through the cycle.
    stays = history.active[cycle] & history.active[min(cycle + 1, len(CYCLES))]
    members = np.flatnonzero(stays & (history.seat[cycle] < 0))
    members = members[first_of_team[history.team[cycle][members]] >= 0]
    members = members[rng.random(len(members)) < (0.35 if plan.columnar else 0.93)]
    each = rng.choice([1, 2, 3], len(members), p=[0.25, 0.5, 0.25])
    of = np.repeat(members, each)
    scope.append(np.full(len(of), 3))
    aims.append(_drawn(families, department[of], rng))
    parent.append(first_of_team[history.team[cycle][of]] + rng.integers(0, 2, len(of)))
    owner.append(of)
    place.append(department[of])

    scopes, parents, owners = np.concatenate(scope), np.concatenate(parent), np.concatenate(owner)
    orphan = (scopes >= 2) & (rng.random(len(scopes)) < ORPHAN)
    parents = np.where(orphan, -1, parents)
    name = RUNNING_CYCLE if cycle == len(CYCLES) else CYCLES[cycle]
    # The branch nobody keeps up to date: the last goal of one function and all below it.
    stale_root = int(first_of_function[functions[0]]) + 2
    stale = np.zeros(len(scopes), dtype=np.bool_)
    if cycle == len(CYCLES):
        stale[stale_root] = True
        for _ in range(2):
            stale |= (parents >= 0) & stale[parents]
    # Weights of an owner's goals add up to 100.
    order = np.lexsort((np.arange(len(owners)), scopes, owners))
    key = owners[order] * 4 + scopes[order]
    counts = np.unique(key, return_counts=True)[1]
    start = np.repeat(np.cumsum(counts) - counts, counts)
    count = np.repeat(counts, counts)
    place_in = np.arange(len(order)) - start
    shares = np.array([[100, 0, 0], [60, 40, 0], [50, 30, 20]])
    weight = np.empty(len(owners))
    weight[order] = np.where(
        count <= 3, shares[np.minimum(count, 3) - 1, np.minimum(place_in, 2)], 100 / count
    )
    return _Tree(
        goal_id=np.char.add(f"G-{name}-", np.char.zfill(np.arange(1, len(scopes) + 1).astype(np.str_), 5)),
        scope=scopes,
        aim=np.concatenate(aims),
        parent=parents,
        owner=owners,
        department=np.concatenate(place),
        weight=weight,
        lonely=lonely,
        stale_root=stale_root,
        stale=stale,
    )


def _drawn(families: list[Ints], departments: Ints, rng: np.random.Generator) -> Ints:
    sizes = np.array([len(family) for family in families])
    table = np.stack([np.resize(family, sizes.max()) for family in families])
    # Neighbouring draws of one owner differ, so that nobody has the same goal twice.
    offset = np.arange(len(departments)) + rng.integers(0, sizes.max())
    return np.asarray(table[departments, offset % sizes[departments]])


@dataclass(frozen=True)
class _Course:
    """How the goals of a cycle run: one entry per goal, and goal × week where it says so.

    Days count from 1970. ``landing`` lies far off for goals that never land. ``raised_on`` is the day the
    target was raised, ``closed`` the last day on which anybody looked.
    """

    trajectory: Ints
    kind: Texts
    keeps: Flags
    start: Ints
    due: Ints
    baseline: Floats
    target: Floats
    raised: Floats
    day: Ints
    value: Floats
    target_then: Floats
    confidence: Floats
    lands: Flags
    landing: Ints
    happened: Flags
    raised_on: Ints
    closed: Ints
    done: Flags
    outcome: Ints
    status: Texts


def _lived(
    company: Company, history: History, tree: _Tree, cycle: int, rng: np.random.Generator
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    course = _course(tree, cycle, rng)
    cadence = rng.choice([2, 4], len(tree.goal_id), p=[0.55, 0.45])
    check_ins = _check_ins(company, history, tree, course, cadence=cadence, rng=rng)
    goals = _goals(company, history, tree, course, cadence=cadence, cycle=cycle, rng=rng)
    changes = _changes(history, tree, course, cycle, rng)
    never = ~course.lands | (course.trajectory == ABANDONED)
    truth = pl.DataFrame(
        {
            "goal_id": tree.goal_id,
            "trajectory": np.array(TRAJECTORIES)[course.trajectory],
            "outcome": np.array(OUTCOMES)[course.outcome],
            "would_land_on": _dates(np.where(never, 0, course.landing)).set(pl.Series(never), None),
            "lands_on_time": ~never & (course.landing <= course.due),
        }
    )
    return goals, check_ins, changes, truth


def _course(tree: _Tree, cycle: int, rng: np.random.Generator) -> _Course:
    n = len(tree.goal_id)
    as_of = _day(AS_OF)
    running = cycle == len(CYCLES)
    starts = _day(SNAPSHOTS[cycle])
    ends = (_day(date(2027, 1, 1)) if running else _day(SNAPSHOTS[cycle + 1])) - 1
    # When, and of what kind.
    start = starts + np.where(tree.scope == 0, 0, rng.integers(0, 15, n))
    due = np.where(rng.random(n) < 0.3, ends - rng.integers(14, 110, n), ends)
    due = np.maximum(np.where(tree.scope <= 1, ends, due), start + 60)
    weeks = np.maximum((due - start) // 7, 1)
    kind = np.array([a.kind for a in ALL_AIMS])[tree.aim]
    keeps = np.isin(kind, ("stay_above", "stay_below"))
    trajectory = rng.choice(len(TRAJECTORIES), n, p=TRAJECTORY_SHARES)
    trajectory[(tree.scope == 0) & np.isin(trajectory, (ABANDONED, SANDBAGGER, OVER_PROMISER))] = STEADY
    trajectory[tree.stale] = STALLED
    trajectory[keeps & np.isin(trajectory, (SCOPE, SANDBAGGER))] = STEADY
    # From where to where; growing scope raises the target about half way.
    baseline = np.round(rng.uniform(*np.array([a.baseline for a in ALL_AIMS])[tree.aim].T), 1)
    factor = rng.uniform(*np.array([a.factor for a in ALL_AIMS])[tree.aim].T)
    counts = kind == "reach"
    target = np.where(counts, np.round(factor), np.round(baseline * factor, 1))
    span = target - baseline
    grows = trajectory == SCOPE
    further = target + np.where(grows, rng.uniform(0.2, 0.5, n), 0.0) * span
    raised = np.where(grows, np.where(counts, np.ceil(further), np.round(further, 1)), target)
    half_way = np.clip((weeks * rng.uniform(0.4, 0.65, n)).astype(np.int64), 1, 30)
    raise_week = np.where(grows, half_way, NEVER)
    # Week by week.
    week = np.arange(1, WEEKS + 1)
    elapsed = week / weeks[:, None]
    progress = _progress(trajectory, elapsed, rng)
    value = np.where(
        keeps[:, None],
        _kept_level(kind, target, np.isin(trajectory, (STEADY, LATE)), rng),
        _moved(baseline, span, progress, counts),
    )
    target_then = np.where(week >= raise_week[:, None], raised[:, None], target[:, None])
    ahead = np.where((span > 0)[:, None], value >= target_then, value <= target_then)
    reached = ahead & ~keeps[:, None]
    landing = start + 7 * np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, NEVER)
    # A goal to keep a level is settled when it is due, by the last value.
    last = value[np.arange(n), np.minimum(weeks, WEEKS) - 1]
    kept = keeps & np.where(kind == "stay_above", last >= target, last <= target)
    landing = np.where(keeps, np.where(kept, due, start + 7 * NEVER), landing)
    lands = reached.any(axis=1) | kept

    given_up = start + 7 * np.maximum((weeks * rng.uniform(0.3, 0.7, n)).astype(np.int64), 2)
    abandoned = (trajectory == ABANDONED) & (given_up <= as_of) & (given_up < landing)
    done = lands & (landing <= as_of) & ~abandoned
    past = due <= as_of
    # Missed goals of closed cycles are struck off a while after they were due; some stay open.
    share = 0.0 if running else (0.6 if cycle == len(CYCLES) - 1 else 0.9)
    struck = past & ~done & ~abandoned & (rng.random(n) < share)
    struck_on = np.minimum(due + rng.integers(15, 60, n), as_of)
    closed = np.minimum(np.select([abandoned, done, struck], [given_up, landing, struck_on], as_of), as_of)
    raised_on = start + 7 * raise_week
    return _Course(
        trajectory=trajectory,
        kind=kind,
        keeps=keeps,
        start=start,
        due=due,
        baseline=baseline,
        target=target,
        raised=raised,
        day=start[:, None] + 7 * week,
        value=value,
        target_then=target_then,
        confidence=_confidence(trajectory, progress, elapsed, rng),
        lands=lands,
        landing=landing,
        # What had not been raised before the goal closed never was.
        happened=grows & (raised_on <= closed),
        raised_on=raised_on,
        closed=closed,
        done=done,
        outcome=np.select([abandoned, done & (landing <= due), done, past], [3, 0, 1, 2], 4),
        status=np.select([abandoned, done, struck], ["abandoned", "done", "abandoned"], "active"),
    )


def _moved(baseline: Floats, span: Floats, progress: Floats, counts: Flags) -> Floats:
    """Values on the way from baseline to target; counts are whole, and what was reached stays reached."""
    moved = np.round(baseline[:, None] + progress * span[:, None], 2)
    moved = np.where(counts[:, None], np.floor(np.maximum(moved, 0) + 1e-9), moved)
    rising = np.maximum.accumulate(moved, axis=1)
    falling = np.minimum.accumulate(moved, axis=1)
    return np.where((span > 0)[:, None], rising, falling)


def _kept_level(kind: Texts, target: Floats, held: Flags, rng: np.random.Generator) -> Floats:
    """Values that stay on the right side of a level, or slip to the wrong one."""
    margin = np.where(kind == "stay_above", 1, -1) * np.where(held, 0.05, -0.03)
    noise = rng.normal(0, 0.02, (len(target), WEEKS))
    return np.asarray(np.round(target[:, None] * (1 + margin[:, None] + noise), 2))


def _goals(
    company: Company,
    history: History,
    tree: _Tree,
    course: _Course,
    *,
    cadence: Ints,
    cycle: int,
    rng: np.random.Generator,
) -> pl.DataFrame:
    n = len(tree.goal_id)
    ids = pl.Series(tree.goal_id)
    chinese = company.chinese[tree.department]
    english, mandarin = np.array([[a.title, a.title_zh] for a in ALL_AIMS])[tree.aim].T
    title = np.where(chinese, mandarin, english)
    colon = np.where(chinese, "：", ": ")
    line = np.array(LINES)[rng.integers(0, len(LINES), n), chinese.astype(np.int64)]
    whole = np.select(
        [tree.scope == 0, tree.scope < 3],
        [english + " / " + mandarin, title + " · " + np.array(company.name)[tree.department]],
        title + colon + line,
    )
    agreed = course.start + rng.integers(0, 21, n)
    is_kpi = course.keeps | (rng.random(n) < 0.3)
    return pl.DataFrame(
        {
            "goal_id": ids,
            "title": whole,
            "parent_id": ids.gather(np.maximum(tree.parent, 0)).set(pl.Series(tree.parent < 0), None),
            "scope": np.array(["company", "department", "team", "individual"])[tree.scope],
            "framework": np.select([tree.scope == 0, is_kpi], ["balanced_scorecard", "kpi"], "okr"),
            "perspective": np.array([a.perspective for a in ALL_AIMS])[tree.aim],
            "kind": course.kind,
            "metric": np.array([a.metric for a in ALL_AIMS])[tree.aim],
            "unit": np.array([a.unit for a in ALL_AIMS])[tree.aim],
            "baseline": course.baseline,
            "target": np.where(course.happened, course.raised, course.target),
            "weight": np.round(tree.weight, 2),
            "owner_id": pl.Series(history.employee_id).gather(tree.owner),
            "department_id": pl.Series(company.code).gather(tree.department),
            "cycle_id": pl.repeat((*CYCLES, RUNNING_CYCLE)[cycle], n, eager=True),
            "data_source": pl.Series(np.array([a.data_source for a in ALL_AIMS])[tree.aim]).set(
                pl.Series(rng.random(n) < NO_DATA_SOURCE), None
            ),
            "cadence_days": pl.Series(7 * cadence).set(pl.Series(rng.random(n) < NO_CADENCE), None),
            "start_on": _dates(course.start),
            "due_on": _dates(course.due),
            "status": course.status,
            "completed_on": _dates(course.landing).set(pl.Series(~course.done), None),
            "agreed_on": _dates(agreed).set(pl.Series(rng.random(n) < NEVER_AGREED), None),
            "version": 1 + course.happened.astype(np.int64),
        }
    )


def _check_ins(
    company: Company,
    history: History,
    tree: _Tree,
    course: _Course,
    *,
    cadence: Ints,
    rng: np.random.Generator,
) -> pl.DataFrame:
    n = len(tree.goal_id)
    day = course.day
    landing = (day == course.landing[:, None]) & course.done[:, None]
    told = (np.arange(1, WEEKS + 1) % cadence[:, None] == 0) & (day <= course.closed[:, None])
    # Past the due date an open goal is reported on only now and then, and now and then one forgets.
    told &= (day <= course.due[:, None] + 7) | (rng.random((n, WEEKS)) < 0.5)
    told &= rng.random((n, WEEKS)) < 0.9
    told &= ~tree.stale[:, None] | (day <= day[:, :1] + 21)
    silent = (tree.scope == 3) & (rng.random(n) < 0.04)
    goal, week = np.nonzero((told & ~silent[:, None]) | landing)
    m = len(goal)
    confidence = np.round(course.confidence[goal, week], 2)
    notes = np.array(["On plan", "Waiting for parts", "Priorities changed", "按计划推进", "等待客户确认"])
    note = np.where(company.chinese[tree.department[goal]], rng.integers(3, 5, m), rng.integers(0, 3, m))
    return pl.DataFrame(
        {
            "goal_id": pl.Series(tree.goal_id).gather(goal),
            "checked_at": _moments(day[goal, week], 8 * 3_600 + rng.integers(0, 9 * 3_600, m)),
            "value": course.value[goal, week],
            "target": course.target_then[goal, week],
            "confidence": pl.Series(confidence).set(pl.Series(rng.random(m) < 0.15), None),
            "note": pl.Series(notes[note]).set(pl.Series(rng.random(m) < 0.7), None),
            "author_id": pl.Series(history.employee_id).gather(tree.owner[goal]),
        }
    )


def _changes(
    history: History, tree: _Tree, course: _Course, cycle: int, rng: np.random.Generator
) -> pl.DataFrame:
    at = np.flatnonzero(course.happened)
    boss = history.manager[cycle][tree.owner[at]]
    reasons = pl.Series(("The customer asked for more", "Two teams were merged", "市场需求增加"))
    return pl.DataFrame(
        {
            "goal_id": pl.Series(tree.goal_id).gather(at),
            "changed_at": _moments(course.raised_on[at], 9 * 3_600),
            "field": pl.repeat("target", len(at), eager=True),
            "old_value": pl.Series(course.target[at]).cast(pl.String),
            "new_value": pl.Series(course.raised[at]).cast(pl.String),
            "reason": reasons.gather(at % len(reasons)),
            "approved_by": pl.Series(history.employee_id)
            .gather(np.maximum(boss, 0))
            .set(pl.Series((boss < 0) | (rng.random(len(at)) < 0.3)), None),
        }
    )


def _progress(trajectory: Ints, u: Floats, rng: np.random.Generator) -> Floats:
    """Share of the original distance covered, goal × week."""
    n = len(trajectory)
    pace = rng.normal(1.06, 0.13, n)[:, None]
    stall_at = rng.uniform(0.3, 0.65, n)[:, None]
    curve = np.select(
        [(trajectory == kind)[:, None] for kind in range(len(TRAJECTORIES))],
        [
            pace * u,
            # Two thirds of the late bloomers make it.
            rng.normal(1.05, 0.12, n)[:, None] * np.minimum(u, 1.3) ** 2.6,
            stall_at * (1 - np.exp(-3.2 * u)) + 0.03 * u,
            (pace + 0.1) * u,
            0.35 * u,
            rng.uniform(1.5, 2.2, n)[:, None] * u,
            rng.uniform(0.5, 0.85, n)[:, None] * u,
        ],
    )
    noise = np.cumsum(rng.normal(0, 0.012, u.shape), axis=1)
    return np.asarray(np.clip(curve + noise, -0.05, 1.45))


def _confidence(trajectory: Ints, progress: Floats, u: Floats, rng: np.random.Generator) -> Floats:
    expected = np.clip(0.65 + 0.6 * (progress - np.minimum(u, 1.0)), 0.05, 0.98)
    told = np.select(
        [(trajectory == SANDBAGGER)[:, None], (trajectory == OVER_PROMISER)[:, None]],
        [np.full(u.shape, 0.4), np.full(u.shape, 0.92)],
        expected,
    )
    return np.asarray(np.clip(told + rng.normal(0, 0.06, u.shape), 0.02, 1.0))


def _day(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def _dates(days: Ints) -> pl.Series:
    return pl.Series(np.asarray(days, dtype=np.int32)).cast(pl.Date)


def _moments(days: Ints, seconds: Ints | int) -> pl.Series:
    return pl.Series((np.asarray(days, dtype=np.int64) * 86_400 + seconds) * 1_000).cast(pl.Datetime("ms"))
