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


class Goal(Contract):
    """One row per goal as it stands now; earlier wordings and targets are in ``goal_changes``.

    Null baseline or target: not measurable as exported. Null ``data_source`` or ``cadence_days``: none
    was named, which is itself a finding. ``completed_on`` is null while open.
    """

    goal_id = identifier(key=True)
    title = text(nullable=False, longest=2_000)
    parent_id = identifier(nullable=True, references="goals")
    scope = dy.Enum(SCOPES)
    framework = dy.Enum(FRAMEWORKS, nullable=True)
    perspective = dy.Enum(PERSPECTIVES, nullable=True)
    kind = dy.Enum(KINDS, nullable=True)
    metric = text(longest=500)
    unit = text(longest=100)
    baseline = dy.Float64(nullable=True)
    target = dy.Float64(nullable=True)
    weight = dy.Float64(nullable=True, min=0.0, description="Share among the owner's goals, per cent.")
    owner_id = identifier(nullable=True, references="employees")
    department_id = identifier(nullable=True, references="departments")
    cycle_id = identifier(nullable=True, references="review_cycles")
    data_source = text(longest=500)
    cadence_days = dy.Int64(nullable=True, min=1, max=1_000)
    start_on = dy.Date()
    due_on = dy.Date()
    status = dy.Enum(STATUSES)
    completed_on = dy.Date(nullable=True)
    agreed_on = dy.Date(nullable=True, description="When owner and manager both agreed.")
    version = dy.Int64(min=1)

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

    goal_id = identifier(key=True, references="goals")
    checked_at = dy.Datetime(primary_key=True)
    value = dy.Float64()
    target = dy.Float64(nullable=True)
    confidence = dy.Float64(nullable=True, min=0.0, max=1.0)
    note = text()
    author_id = identifier(nullable=True, references="employees")


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
