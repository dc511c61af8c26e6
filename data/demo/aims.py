"""What does everybody want to reach, how do the goals hang together, and how did they go?

Returns  goals from company strategy over functions and teams to people, their check-ins up to the as-of
         date, what was changed on the way, and the truth about each: the kind of trajectory, what became of
         it and the shocks it shared with others.

The tree grows in `goal_tree`, the goals run in `courses`, what is exported of them is written in `tracking`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from data.contracts.goals import ROLLUP_RULES
from data.demo.catalogue import STRATEGY
from data.demo.company import CYCLES, SNAPSHOTS, Company, Flags, Plan
from data.demo.courses import NEVER, OUTCOMES, TRAJECTORIES, Course, Owners, run
from data.demo.draws import lasting_normal, stream
from data.demo.goal_tree import NO_RULE, WEIGHTED, Tree, grow
from data.demo.judging import worth
from data.demo.people import PERFORMANCE_SD, History, Traits
from data.demo.tracking import dates, track

OVER_PROMISING: Final = 1.645
SANDBAGGING: Final = -1.645
"""Standard normal scores beyond which a person promises too much or holds back: one in twenty each."""


@dataclass(frozen=True)
class Aims:
    """Goals and what happened to them, ready for export.

    Attributes
    ----------
    goals, check_ins, changes, alignments
        As their contracts have them; ``goals`` holds what is in force on the as-of day.
    truth
        One row per goal, the running ones included: ``trajectory``, ``outcome`` (as of that day, against the
        due date in force), ``rule`` and ``needed`` (by which it runs, whether the export says so or not; null
        where nothing hangs below), ``first_due_on``, ``would_land_on`` (null: never, or given up before),
        ``lands_on_time`` (by ``first_due_on``: the promise as it was made), ``lands_by_due`` (by the date in
        force now), ``owner_shock``, ``department_shock``, ``team_shock`` (change of its log pace by what it
        shares with other goals, on average until first due).
    not_taken_up
        Strategic goals nobody took up, one a cycle.
    stale_branches
        Goals whose branch nobody updates.
    over_promises, sandbags
        Whether each person does, as an owner, in every cycle.
    holes
        By what is missing, the goals it is missing of; ``wrong_weights``: goals of owners whose weights do
        not add up to 100.
    """

    goals: pl.DataFrame
    check_ins: pl.DataFrame
    changes: pl.DataFrame
    alignments: pl.DataFrame
    truth: pl.DataFrame
    not_taken_up: tuple[str, ...]
    stale_branches: tuple[str, ...]
    over_promises: Flags
    sandbags: Flags
    holes: dict[str, list[str]]


def aim(company: Company, history: History, traits: Traits, plan: Plan, *, seed: int) -> Aims:
    """Set goals for the last cycles and let them run until the as-of date."""
    parts, truths = [], []
    not_taken_up: list[str] = []
    stale_branches: list[str] = []
    holes: dict[str, list[str]] = {}
    people = np.arange(len(history.employee_id))
    word = lasting_normal(seed, "word", people)
    over_promises, sandbags = word > OVER_PROMISING, word < SANDBAGGING
    owned = np.zeros(len(people), dtype=np.bool_)
    for cycle in range(len(SNAPSHOTS) - plan.goal_cycles, len(SNAPSHOTS)):
        tree = grow(company, history, plan, cycle=cycle, rng=stream(seed, f"goals {cycle}"))
        ability = worth(company, history, traits, cycle, seed=seed) / PERFORMANCE_SD
        owners = Owners(ability, over_promises, sandbags)
        course = run(tree, owners, cycle=cycle, seed=seed)
        part = track(company, history, tree, course, cycle=cycle, rng=stream(seed, f"check-ins {cycle}"))
        parts.append(part)
        truths.append(_truth(tree, course))
        owned[tree.owner] = True
        not_taken_up.append(str(tree.goal_id[tree.lonely]))
        if cycle == len(CYCLES):
            stale_branches.append(str(tree.goal_id[tree.stale_root]))
        for what, ids in (*part.holes.items(), ("wrong_weights", tree.goal_id[tree.wrong_weights].tolist())):
            holes.setdefault(what, []).extend(ids)
    goals = pl.concat([part.goals for part in parts])
    return Aims(
        goals,
        pl.concat([part.check_ins for part in parts]),
        pl.concat([part.changes for part in parts]),
        _alignments(goals, not_taken_up, stream(seed, "alignments")),
        pl.concat(truths),
        tuple(not_taken_up),
        tuple(stale_branches),
        over_promises & owned,
        sandbags & owned,
        holes,
    )


def _alignments(goals: pl.DataFrame, not_taken_up: list[str], rng: np.random.Generator) -> pl.DataFrame:
    """Some team goals serve a second strategic goal, but none the lonely one."""
    team_goals = goals.filter(pl.col("scope") == "team", pl.col("parent_id").is_not_null())
    some = team_goals[np.sort(rng.choice(len(team_goals), max(1, len(team_goals) // 8), replace=False))]
    company_goals = goals.filter(pl.col("scope") == "company")["goal_id", "cycle_id"]
    chosen = rng.integers(0, len(STRATEGY), len(some))
    return (
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


def _truth(tree: Tree, course: Course) -> pl.DataFrame:
    never = (course.landing >= NEVER) | (course.given_up < NEVER)
    return pl.DataFrame(
        {
            "goal_id": tree.goal_id,
            "trajectory": np.array(TRAJECTORIES)[course.trajectory],
            "outcome": np.array(OUTCOMES)[course.outcome],
            "rule": pl.Series(np.array(ROLLUP_RULES)[np.maximum(tree.rule, 0)]).set(
                pl.Series(tree.rule == NO_RULE), None
            ),
            "needed": pl.Series(tree.needed).set(pl.Series(tree.rule < WEIGHTED), None),
            "first_due_on": dates(course.first_due),
            "would_land_on": dates(np.where(never, 0, course.landing)).set(pl.Series(never), None),
            "lands_on_time": ~never & (course.landing <= course.first_due),
            "lands_by_due": ~never & (course.landing <= course.due),
            **{f"{cause}_shock": felt.round(4) for cause, felt in course.felt.items()},
        }
    )
