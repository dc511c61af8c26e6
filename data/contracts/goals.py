"""Goals, how they hang together, what became of them, and who changed what on the way."""

from __future__ import annotations

from typing import Final

import dataframely as dy
import polars as pl

from data.contracts.base import Contract, identifier, text

SCOPES: Final = ("company", "department", "team", "individual")
FRAMEWORKS: Final = ("okr", "kpi", "balanced_scorecard")
PERSPECTIVES: Final = ("financial", "customer", "internal_process", "learning_growth")
KINDS: Final = ("reach", "increase", "decrease", "stay_above", "stay_below", "baseline")
STATUSES: Final = ("draft", "active", "done", "abandoned")
ROLLUP_RULES: Final = ("own", "all", "weighted", "k_of_n")


class Goal(Contract):
    """One row per goal as it stands now; earlier wordings and targets are in ``goal_changes``.

    Null baseline or target: not measurable as exported. Null ``data_source`` or ``cadence_days``: none
    was named, which is itself a finding. ``completed_on`` is null while open.

    ``rollup_rule`` says when a goal with goals below it counts as reached: by its *own* metric whatever
    becomes of them, when *all* of them land, when what they reached by *weight* comes to
    ``rollup_needed`` per cent, or when ``rollup_needed`` (*k*) of the *n* land. Null: nobody said.
    """

    goal_id = identifier(key=True, description="The goal's id.")
    title = text(nullable=False, longest=2_000, description="What is to be reached, in words.")
    parent_id = identifier(nullable=True, references="goals", description="The goal this one is part of.")
    scope = dy.Enum(SCOPES, description="Whose goal it is: company, department, team or individual.")
    framework = dy.Enum(
        FRAMEWORKS, nullable=True, description="The method it was set by, such as OKR or KPI."
    )
    perspective = dy.Enum(
        PERSPECTIVES, nullable=True, description="Its perspective on the balanced scorecard."
    )
    kind = dy.Enum(
        KINDS, nullable=True, description="How progress counts: reach, increase, decrease or stay within."
    )
    metric = text(longest=500, description="What is measured.")
    unit = text(longest=100, description="Unit of baseline, target and values reached.")
    baseline = dy.Float64(nullable=True, description="Where it started.")
    target = dy.Float64(nullable=True, description="What is to be reached.")
    weight = dy.Float64(nullable=True, min=0.0, description="Share among the owner's goals, per cent.")
    rollup_rule = dy.Enum(
        ROLLUP_RULES, nullable=True, description="When the goals below it make it count as reached."
    )
    rollup_needed = dy.Float64(
        nullable=True, min=0.0, description="Per cent of the weight below (weighted), or how many (k of n)."
    )
    owner_id = identifier(nullable=True, references="employees", description="Who answers for it.")
    department_id = identifier(
        nullable=True, references="departments", description="The department whose goal it is."
    )
    cycle_id = identifier(
        nullable=True, references="review_cycles", description="The review cycle it belongs to."
    )
    data_source = text(longest=500, description="Where its values come from.")
    cadence_days = dy.Int64(
        nullable=True, min=1, max=1_000, description="Every how many days it is to be checked."
    )
    start_on = dy.Date(description="First day.")
    due_on = dy.Date(description="Day by which it is due.")
    status = dy.Enum(STATUSES, description="Whether it is a draft, active, done or abandoned.")
    completed_on = dy.Date(nullable=True, description="When it was completed; empty while open.")
    agreed_on = dy.Date(nullable=True, description="When owner and manager both agreed.")
    version = dy.Int64(min=1, description="Number of the wording that holds now, 1 the first.")

    @dy.rule()
    def a_goal_is_due_after_it_starts(cls) -> pl.Expr:
        return pl.col("due_on") >= pl.col("start_on")

    @dy.rule()
    def no_goal_is_its_own_parent(cls) -> pl.Expr:
        return pl.col("parent_id").ne_missing(pl.col("goal_id"))


class GoalAlignment(Contract):
    """One row per goal and further goal it serves, where exports align many to many."""

    goal_id = identifier(key=True, references="goals")
    serves_goal_id = identifier(key=True, references="goals")
    share = dy.Float64(nullable=True, min=0.0, max=100.0, description="Per cent of the served goal.")


class CheckIn(Contract):
    """One row per goal and moment: the value reached, in the goal's unit.

    ``target`` is the target in force at that moment; null means the goal's own. ``confidence`` is the
    owner's stated chance of landing, 0 to 1; null if never asked.
    """

    goal_id = identifier(key=True, references="goals", description="The goal that was checked.")
    checked_at = dy.Datetime(primary_key=True, description="When the value was taken.")
    value = dy.Float64(description="The value reached.")
    target = dy.Float64(
        nullable=True, description="The target in force at that moment; empty means the goal's own."
    )
    confidence = dy.Float64(
        nullable=True, min=0.0, max=1.0, description="The owner's stated chance of landing, 0 to 1."
    )
    note = text(description="What was said about it.")
    author_id = identifier(nullable=True, references="employees", description="Who wrote it down.")


class GoalChange(Contract):
    """One row per goal, moment and field changed after it was agreed."""

    goal_id = identifier(key=True, references="goals")
    changed_at = dy.Datetime(primary_key=True)
    field = identifier(key=True)
    old_value = text()
    new_value = text()
    reason = text()
    approved_by = identifier(nullable=True, references="employees")


class WeightScheme(Contract):
    """One row per department, cycle and indicator: the weight, and whether HR approved and filed it."""

    department_id = identifier(key=True, references="departments")
    cycle_id = identifier(key=True, references="review_cycles")
    indicator = identifier(key=True)
    weight = dy.Float64(min=0.0, max=100.0)
    approved_by = identifier(nullable=True, references="employees")
    approved_on = dy.Date(nullable=True)
    filed_on = dy.Date(nullable=True)
