"""What do the exports say of the goals, and what do they leave out?

Returns  the tables of goals, check-ins and changes of a cycle as a goal tool would export them. Not
         everything is written down: some goals lack a metric, a target, an owner, a source, a cadence or an
         agreement, some are agreed on long after they began, and who lags reports less.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from data.contracts.goals import ROLLUP_RULES
from data.demo.catalogue import ALL_AIMS, LINES
from data.demo.company import AS_OF, CYCLES, RUNNING_CYCLE, Company, Flags, Floats, Ints
from data.demo.courses import NEVER, WEEKS, Course
from data.demo.goal_tree import COMPANY, NO_RULE, PERSON, SCOPE_NAMES, WEIGHTED, Tree
from data.demo.people import History

MISSING: Final = {
    "no_data_source": 0.09,
    "no_cadence": 0.08,
    "never_agreed": 0.07,
    "no_metric": 0.02,
    "no_target": 0.015,
    "no_owner": 0.06,
}
"""Share of the goals that lack something; a metric, target or owner only people's own goals that move."""
SET_LATE: Final = 0.05
LATE_DEPARTMENT: Final = "MKT-PM"
SET_LATE_THERE: Final = 0.7

CADENCES: Final = (1, 2, 4)
CADENCE_SHARES: Final = (0.12, 0.53, 0.35)
REPORTED: Final = 0.93
REPORTED_WHEN_TROUBLED: Final = 0.65
SILENT: Final = 0.04
"""Share of the people's goals nobody ever reports on."""
UNRECORDED: Final = 0.12
"""Share of the goals given up of which no change of status was kept."""

WHY_RAISED: Final = ("The customer asked for more", "Two teams were merged", "市场需求增加")
WHY_LOWERED: Final = ("Part of the work moved to next year", "The budget was cut", "范围调整")
WHY_MOVED: Final = ("A supplier delivers later", "People were needed elsewhere", "资源不足，延期")
WHY_GIVEN_UP: Final = ("Priorities changed", "Closed at the end of the period", "不再推进")
NOTES: Final = ("On plan", "Waiting for parts", "Priorities changed", "按计划推进", "等待客户确认")


@dataclass(frozen=True)
class Tracked:
    """The tables of a cycle; ``holes`` names the goals something is missing of, by what it is."""

    goals: pl.DataFrame
    check_ins: pl.DataFrame
    changes: pl.DataFrame
    holes: dict[str, list[str]]


def track(
    company: Company,
    history: History,
    tree: Tree,
    course: Course,
    *,
    cycle: int,
    rng: np.random.Generator,
) -> Tracked:
    """Write down the goals of a cycle."""
    n = len(tree.goal_id)
    cadence = rng.choice(CADENCES, n, p=CADENCE_SHARES)
    missing = {what: rng.random(n) < share for what, share in MISSING.items()}
    of_people = (tree.scope == PERSON) & ~course.keeps & (course.retargeted_on == NEVER)
    for what in ("no_metric", "no_target", "no_owner"):
        missing[what] &= of_people
    # Of somebody with several goals, the weights of the others would no longer add up.
    missing["no_owner"] &= tree.weight == 100.0
    agreed, late = _agreed(company, tree, course, rng)
    missing["never_agreed"] |= agreed > _today()
    check_ins = _check_ins(company, history, tree, course, cadence=cadence, missing=missing, rng=rng)
    goals = _goals(
        company,
        history,
        tree,
        course,
        cadence=cadence,
        agreed=agreed,
        missing=missing,
        cycle=cycle,
        rng=rng,
    )
    changes = _changes(history, tree, course, cycle, rng)
    kinds = missing | {"set_late": late & ~missing["never_agreed"]}
    holes = {what: tree.goal_id[mark].tolist() for what, mark in kinds.items()}
    return Tracked(goals, check_ins, changes, holes)


def _agreed(company: Company, tree: Tree, course: Course, rng: np.random.Generator) -> tuple[Ints, Flags]:
    """The day owner and manager agreed on each goal, and whether that was long after it began."""
    n = len(tree.goal_id)
    there = np.char.startswith(company.code[tree.department], LATE_DEPARTMENT)
    late = (rng.random(n) < np.where(there, SET_LATE_THERE, SET_LATE)) & (tree.scope > COMPANY)
    days = np.where(late, rng.integers(45, 90, n), rng.integers(0, 21, n))
    return np.minimum(course.start + days, course.first_due - 7), late


def _goals(
    company: Company,
    history: History,
    tree: Tree,
    course: Course,
    *,
    cadence: Ints,
    agreed: Ints,
    missing: dict[str, Flags],
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
        [tree.scope == COMPANY, tree.scope < PERSON],
        [english + " / " + mandarin, title + " · " + np.array(company.name)[tree.department]],
        title + colon + line,
    )
    is_kpi = course.keeps | (rng.random(n) < 0.3)
    unsaid = (tree.rule == NO_RULE) | ~tree.stated
    changed = (course.retargeted_on < NEVER).astype(np.int64) + (course.moved_on < NEVER)
    return pl.DataFrame(
        {
            "goal_id": ids,
            "title": whole,
            "parent_id": _blank(ids.gather(np.maximum(tree.parent, 0)), tree.parent < 0),
            "scope": np.array(SCOPE_NAMES)[tree.scope],
            "framework": np.select([tree.scope == COMPANY, is_kpi], ["balanced_scorecard", "kpi"], "okr"),
            "perspective": np.array([a.perspective for a in ALL_AIMS])[tree.aim],
            "kind": course.kind,
            "metric": _blank(np.array([a.metric for a in ALL_AIMS])[tree.aim], missing["no_metric"]),
            "unit": np.array([a.unit for a in ALL_AIMS])[tree.aim],
            "baseline": course.baseline,
            "target": _blank(course.target, missing["no_target"]),
            "weight": tree.weight,
            "rollup_rule": _blank(np.array(ROLLUP_RULES)[np.maximum(tree.rule, 0)], unsaid),
            "rollup_needed": _blank(tree.needed, unsaid | (tree.rule < WEIGHTED)),
            "owner_id": _blank(pl.Series(history.employee_id).gather(tree.owner), missing["no_owner"]),
            "department_id": pl.Series(company.code).gather(tree.department),
            "cycle_id": pl.repeat((*CYCLES, RUNNING_CYCLE)[cycle], n, eager=True),
            "data_source": _blank(
                np.array([a.data_source for a in ALL_AIMS])[tree.aim], missing["no_data_source"]
            ),
            "cadence_days": _blank(7 * cadence, missing["no_cadence"]),
            "start_on": dates(course.start),
            "due_on": dates(course.due),
            "status": course.status,
            "completed_on": _blank(dates(course.landing), course.status != "done"),
            "agreed_on": _blank(dates(agreed), missing["never_agreed"]),
            "version": 1 + changed,
        }
    )


def _check_ins(
    company: Company,
    history: History,
    tree: Tree,
    course: Course,
    *,
    cadence: Ints,
    missing: dict[str, Flags],
    rng: np.random.Generator,
) -> pl.DataFrame:
    n, day = len(tree.goal_id), course.day
    closed, start, due = course.closed[:, None], course.start[:, None], course.due[:, None]
    week = np.arange(1, WEEKS + 1)
    arrives = np.where(course.status == "done", course.landing, NEVER)[:, None]
    arrives = (day >= arrives) & (day - 7 < arrives)
    told = ((week + rng.integers(0, 4, n)[:, None]) % cadence[:, None] == 0) & (day <= closed) & (day > start)
    chance = np.where(course.troubled, REPORTED_WHEN_TROUBLED, REPORTED)
    # Past the due date an open goal is reported on only now and then.
    told &= rng.random((n, WEEKS)) < np.where(day <= due + 7, chance, 0.45)
    told &= ~tree.stale[:, None] | (day <= start + 21)
    silent = (tree.scope == PERSON) & (rng.random(n) < SILENT)
    goal, at = np.nonzero((told & ~silent[:, None] & ~arrives) | arrives)
    m = len(goal)
    finished = arrives[goal, at]
    # A value is told a day or three after it was taken, the last one on the day the goal is done.
    moment = np.where(
        finished, course.landing[goal], np.minimum(day[at] + rng.integers(0, 4, m), closed[goal, 0])
    )
    confidence = np.round(course.confidence[goal, at], 2)
    trouble = np.where(rng.random(m) < np.where(course.troubled[goal, at], 0.75, 0.1), 1, 0)
    note = np.where(company.chinese[tree.department[goal]], 3 + trouble, trouble * rng.integers(1, 3, m))
    return pl.DataFrame(
        {
            "goal_id": pl.Series(tree.goal_id).gather(goal),
            "checked_at": _moments(moment, 8 * 3_600 + rng.integers(0, 9 * 3_600, m)),
            "value": course.value[goal, at],
            "target": _blank(course.target_then[goal, at], missing["no_target"][goal]),
            "confidence": _blank(confidence, rng.random(m) < 0.15),
            "note": _blank(pl.Series(NOTES).gather(note), rng.random(m) < 0.7),
            "author_id": pl.Series(history.employee_id).gather(tree.owner[goal]),
        }
    )


def _changes(
    history: History, tree: Tree, course: Course, cycle: int, rng: np.random.Generator
) -> pl.DataFrame:
    """Targets raised and lowered, due dates moved, goals given up: who let it happen, and why."""
    easier = np.abs(course.target - course.baseline) < np.abs(course.first_target - course.baseline)
    retargeted = np.flatnonzero(course.retargeted_on < NEVER)
    moved = np.flatnonzero(course.moved_on < NEVER)
    recorded = (course.status == "abandoned") & (rng.random(len(tree.goal_id)) >= UNRECORDED)
    given_up = np.flatnonzero(recorded)
    at = np.concatenate([retargeted, moved, given_up])
    on = np.concatenate([course.retargeted_on[retargeted], course.moved_on[moved], course.given_up[given_up]])
    m = len(at)
    blocks = [len(retargeted), len(moved), len(given_up)]
    old = pl.concat(
        [
            pl.Series(course.first_target[retargeted]).cast(pl.String),
            dates(course.first_due[moved]).cast(pl.String),
            pl.repeat("active", blocks[2], dtype=pl.String, eager=True),
        ]
    )
    new = pl.concat(
        [
            pl.Series(course.target[retargeted]).cast(pl.String),
            dates(course.due[moved]).cast(pl.String),
            pl.repeat("abandoned", blocks[2], dtype=pl.String, eager=True),
        ]
    )
    kind = np.repeat([0, 2, 3], blocks)
    kind[: blocks[0]] += easier[retargeted]
    reasons = np.array([WHY_RAISED, WHY_LOWERED, WHY_MOVED, WHY_GIVEN_UP])[kind, rng.integers(0, 3, m)]
    boss = history.manager[cycle][tree.owner[at]]
    return pl.DataFrame(
        {
            "goal_id": pl.Series(tree.goal_id).gather(at),
            "changed_at": _moments(on, 9 * 3_600),
            "field": np.repeat(["target", "due_on", "status"], blocks),
            "old_value": old,
            "new_value": new,
            "reason": _blank(reasons, rng.random(m) < 0.12),
            "approved_by": _blank(
                pl.Series(history.employee_id).gather(np.maximum(boss, 0)),
                (boss < 0) | (rng.random(m) < 0.3),
            ),
        }
    )


def dates(days: Ints) -> pl.Series:
    """Days counted from 1970 as dates."""
    return pl.Series(np.asarray(days, dtype=np.int32)).cast(pl.Date)


def _today() -> int:
    return int(np.datetime64(AS_OF, "D").astype(np.int64))


def _moments(days: Ints, seconds: Ints | int) -> pl.Series:
    return pl.Series((np.asarray(days, dtype=np.int64) * 86_400 + seconds) * 1_000).cast(pl.Datetime("ms"))


def _blank(values: pl.Series | Floats | Ints | np.ndarray, gone: Flags) -> pl.Series:
    """The values, with nothing where they are gone."""
    return pl.Series(values).set(pl.Series(gone), None)
