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
    goal_id: np.typing.NDArray[np.str_]
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
    # One to three goals a member.
    members = np.flatnonzero(history.active[cycle] & (history.seat[cycle] < 0))
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


def _lived(
    company: Company, history: History, tree: _Tree, cycle: int, rng: np.random.Generator
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    n = len(tree.goal_id)
    as_of = _day(AS_OF)
    starts = _day(SNAPSHOTS[cycle])
    ends = _day(SNAPSHOTS[cycle + 1]) - 1 if cycle < len(CYCLES) else _day(date(2026, 12, 31))
    is_company = tree.scope == 0
    trajectory = rng.choice(len(TRAJECTORIES), n, p=TRAJECTORY_SHARES)
    trajectory[is_company & np.isin(trajectory, (ABANDONED, SANDBAGGER, OVER_PROMISER))] = STEADY
    trajectory[tree.stale] = STALLED
    start = starts + np.where(is_company, 0, rng.integers(0, 15, n))
    due = np.where(rng.random(n) < 0.3, ends - rng.integers(14, 110, n), ends)
    due = np.where(tree.scope <= 1, ends, due)
    due = np.maximum(due, start + 60)
    weeks = np.maximum((due - start) // 7, 1)

    kinds = np.array([a.kind for a in ALL_AIMS])[tree.aim]
    keeps = np.isin(kinds, ("stay_above", "stay_below"))
    low, high = (np.array([a.baseline[side] for a in ALL_AIMS])[tree.aim] for side in (0, 1))
    baseline = np.round(rng.uniform(low, high), 1)
    fact_low, fact_high = (np.array([a.factor[side] for a in ALL_AIMS])[tree.aim] for side in (0, 1))
    factor = rng.uniform(fact_low, fact_high)
    target = np.where(kinds == "reach", np.round(factor), np.round(baseline * factor, 1))
    trajectory[keeps & np.isin(trajectory, (SCOPE, SANDBAGGER))] = STEADY
    raised_by = np.where(trajectory == SCOPE, rng.uniform(0.2, 0.5, n), 0.0)
    span = target - baseline
    raised = np.where(
        kinds == "reach", np.ceil(target + raised_by * span), np.round(target + raised_by * span, 1)
    )
    final_target = np.where(trajectory == SCOPE, raised, target)

    grid = np.arange(1, WEEKS + 1)
    u = grid[None, :] / weeks[:, None]
    progress = _progress(trajectory, u, rng)
    moved = np.round(baseline[:, None] + progress * span[:, None], 2)
    moved = np.where((kinds == "reach")[:, None], np.floor(np.maximum(moved, 0) + 1e-9), moved)
    margin = np.where(kinds == "stay_above", 1, -1) * np.where(
        np.isin(trajectory, (STEADY, LATE)), 0.05, -0.03
    )
    keeping = np.round(target[:, None] * (1 + margin[:, None] + rng.normal(0, 0.02, (n, WEEKS))), 2)
    value = np.where(keeps[:, None], keeping, moved)
    value = np.where(keeps[:, None], value, _monotone(value, span))

    # The target is raised about half way.
    raise_week = np.where(
        trajectory == SCOPE, np.clip((weeks * rng.uniform(0.4, 0.65, n)).astype(np.int64), 1, 30), 999
    )
    target_then = np.where(grid[None, :] >= raise_week[:, None], final_target[:, None], target[:, None])
    up = span > 0
    reached = np.where(up[:, None], value >= target_then, value <= target_then) & ~keeps[:, None]
    lands = reached.any(1)
    landing_week = np.where(lands, reached.argmax(1) + 1, 999)
    landing_day = start + 7 * landing_week
    # A goal to keep a level is settled when it is due, by the last value.
    last_column = np.minimum(weeks, WEEKS) - 1
    last_value = value[np.arange(n), last_column]
    kept = np.where(kinds == "stay_above", last_value >= target, last_value <= target)
    lands = np.where(keeps, kept, lands)
    landing_day = np.where(keeps, np.where(kept, due, 99_999), landing_day)

    given_up = trajectory == ABANDONED
    given_up_day = start + 7 * np.maximum((weeks * rng.uniform(0.3, 0.7, n)).astype(np.int64), 2)
    abandoned = given_up & (given_up_day <= as_of) & (given_up_day < landing_day)
    done = lands & (landing_day <= as_of) & ~abandoned
    past = due <= as_of
    # Missed goals of closed cycles are struck off a while after they were due; some stay open.
    struck = (
        past
        & ~done
        & ~abandoned
        & (cycle < len(CYCLES))
        & (rng.random(n) < (0.9 if cycle < len(CYCLES) - 1 else 0.6))
    )
    struck_day = np.minimum(due + rng.integers(15, 60, n), as_of)
    # What lands only after it was struck off stays struck off.
    outcome = np.select(
        [abandoned, done & (landing_day <= due), done, past],
        [3, 0, 1, 2],
        4,
    )
    status = np.select([abandoned, done, struck], ["abandoned", "done", "abandoned"], "active")
    closed_day = np.select([abandoned, done, struck], [given_up_day, landing_day, struck_day], as_of)

    cadence_weeks = rng.choice([2, 4], n, p=[0.55, 0.45])
    cadence_days = np.where(rng.random(n) < NO_CADENCE, -1, cadence_weeks * 7)
    check = (grid[None, :] % cadence_weeks[:, None] == 0) | (
        7 * grid[None, :] + start[:, None] == landing_day[:, None]
    )
    day = start[:, None] + 7 * grid[None, :]
    check &= day <= np.minimum(closed_day, as_of)[:, None]
    # Past the due date an open goal is reported on only now and then.
    check &= (day <= due[:, None] + 7) | (rng.random((n, WEEKS)) < 0.5) | reached
    check &= rng.random((n, WEEKS)) < np.where(tree.stale, 1.0, 0.9)[:, None]
    check &= ~tree.stale[:, None] | (day <= starts + 28)
    check |= (day == landing_day[:, None]) & done[:, None]
    silent = (tree.scope == 3) & (rng.random(n) < 0.04)
    check &= ~silent[:, None] | done[:, None]
    confidence = _confidence(trajectory, progress, u, rng)
    goal_at, week_at = np.nonzero(check)

    ids, employees, codes = (pl.Series(x) for x in (tree.goal_id, history.employee_id, company.code))
    chinese = company.chinese[tree.department]
    titles = np.array([[a.title, a.title_zh] for a in ALL_AIMS])
    title = np.where(chinese, titles[tree.aim, 1], titles[tree.aim, 0])
    named = np.array(company.name)[tree.department]
    lines = np.array(LINES)[rng.integers(0, len(LINES), n), chinese.astype(np.int64)]
    narrowed = np.where(
        chinese,
        np.char.add(np.char.add(title, "："), lines),
        np.char.add(np.char.add(title, ": "), lines),
    )
    whole = np.where(
        tree.scope == 0,
        np.char.add(np.char.add(titles[tree.aim, 0], " / "), titles[tree.aim, 1]),
        np.where(tree.scope < 3, np.char.add(np.char.add(title, " · "), named), narrowed),
    )
    agreed = np.where(rng.random(n) < NEVER_AGREED, -1, start + rng.integers(0, 21, n))
    sources = np.array([a.data_source for a in ALL_AIMS])[tree.aim]
    no_source = rng.random(n) < NO_DATA_SOURCE
    frameworks = np.where(
        tree.scope == 0, "balanced_scorecard", np.where(keeps | (rng.random(n) < 0.3), "kpi", "okr")
    )
    name = RUNNING_CYCLE if cycle == len(CYCLES) else CYCLES[cycle]
    goals = pl.DataFrame(
        {
            "goal_id": ids,
            "title": whole,
            "parent_id": ids.gather(np.maximum(tree.parent, 0)).set(pl.Series(tree.parent < 0), None),
            "scope": np.array(["company", "department", "team", "individual"])[tree.scope],
            "framework": frameworks,
            "perspective": np.array([a.perspective for a in ALL_AIMS])[tree.aim],
            "kind": kinds,
            "metric": np.array([a.metric for a in ALL_AIMS])[tree.aim],
            "unit": np.array([a.unit for a in ALL_AIMS])[tree.aim],
            "baseline": baseline,
            "target": final_target,
            "weight": np.round(tree.weight, 2),
            "owner_id": employees.gather(tree.owner),
            "department_id": codes.gather(tree.department),
            "cycle_id": pl.repeat(name, n, eager=True),
            "data_source": pl.Series(sources).set(pl.Series(no_source), None),
            "cadence_days": pl.Series(cadence_days).set(pl.Series(cadence_days < 0), None),
            "start_on": _dates(start),
            "due_on": _dates(due),
            "status": status,
            "completed_on": _dates(landing_day).set(pl.Series(~done), None),
            "agreed_on": _dates(agreed).set(pl.Series(agreed < 0), None),
            "version": 1 + (trajectory == SCOPE) * (start + 7 * raise_week <= np.minimum(closed_day, as_of)),
        }
    )
    # What had not been raised by the as-of date or before the goal closed was never raised.
    happened = (trajectory == SCOPE) & (start + 7 * raise_week <= np.minimum(closed_day, as_of))
    goals = goals.with_columns(target=pl.Series(np.where(happened, final_target, target)))
    changed = np.flatnonzero(happened)
    boss = history.manager[cycle][tree.owner[changed]]
    changes = pl.DataFrame(
        {
            "goal_id": ids.gather(changed),
            "changed_at": _moments(start[changed] + 7 * raise_week[changed], 9 * 3_600),
            "field": pl.repeat("target", len(changed), eager=True),
            "old_value": pl.Series(target[changed]).cast(pl.String),
            "new_value": pl.Series(final_target[changed]).cast(pl.String),
            "reason": pl.Series(
                ("The customer asked for more", "Two teams were merged", "市场需求增加")
            ).gather(changed % 3),
            "approved_by": employees.gather(np.maximum(boss, 0)).set(
                pl.Series((boss < 0) | (rng.random(len(changed)) < 0.3)), None
            ),
        }
    )
    told = np.where(rng.random(len(goal_at)) < 0.85, np.round(confidence[goal_at, week_at], 2), -1.0)
    notes = np.array(["", "On plan", "Waiting for parts", "Priorities changed", "按计划推进", "等待客户确认"])
    note_at = np.where(
        rng.random(len(goal_at)) < 0.7,
        0,
        np.where(chinese[goal_at], rng.integers(4, 6, len(goal_at)), rng.integers(1, 4, len(goal_at))),
    )
    check_ins = pl.DataFrame(
        {
            "goal_id": ids.gather(goal_at),
            "checked_at": _moments(
                day[goal_at, week_at], 8 * 3_600 + rng.integers(0, 9 * 3_600, len(goal_at))
            ),
            "value": value[goal_at, week_at],
            "target": pl.Series(target_then[goal_at, week_at]),
            "confidence": pl.Series(told).set(pl.Series(told < 0), None),
            "note": pl.Series(notes[note_at]).set(pl.Series(note_at == 0), None),
            "author_id": employees.gather(tree.owner[goal_at]),
        }
    )
    truth = pl.DataFrame(
        {
            "goal_id": ids,
            "trajectory": np.array(TRAJECTORIES)[trajectory],
            "outcome": np.array(OUTCOMES)[outcome],
            "would_land_on": _dates(np.minimum(landing_day, _day(date(2099, 1, 1)))).set(
                pl.Series(~lands | given_up), None
            ),
            "lands_on_time": lands & ~given_up & (landing_day <= due),
        }
    )
    return goals, check_ins, changes, truth


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


def _monotone(value: Floats, span: Floats) -> Floats:
    """Most measures do not fall back; what was reached stays reached."""
    rising = np.maximum.accumulate(value, axis=1)
    falling = np.minimum.accumulate(value, axis=1)
    return np.where((span > 0)[:, None], rising, falling)


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
