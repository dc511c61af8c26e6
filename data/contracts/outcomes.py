"""What ratings lead to: pay, promotion, training, improvement plans."""

from __future__ import annotations

from typing import Final

import dataframely as dy
import polars as pl

from data.contracts.base import Contract, identifier, text

PLAN_OUTCOMES: Final = ("open", "passed", "extended", "moved", "left")


class Pay(Contract):
    """One row per person and date from which this pay holds, in one currency a year."""

    employee_id = identifier(key=True, references="employees")
    valid_from = dy.Date(primary_key=True)
    salary = dy.Float64(min=0.0)
    currency = dy.String(min_length=3, max_length=3)
    range_low = dy.Float64(nullable=True, min=0.0)
    range_midpoint = dy.Float64(nullable=True, min=0.0)
    range_high = dy.Float64(nullable=True, min=0.0)
    merit_percent = dy.Float64(nullable=True)
    bonus = dy.Float64(nullable=True, min=0.0)
    cycle_id = identifier(nullable=True, references="review_cycles")

    @dy.rule()
    def the_pay_range_rises(cls) -> pl.Expr:
        return (pl.col("range_high") >= pl.col("range_low")).fill_null(True)


class Promotion(Contract):
    """One row per person and cycle in which they were nominated, and how far it went.

    A null date means the gate was not reached; ``promoted`` is null while undecided.
    """

    employee_id = identifier(key=True, references="employees")
    cycle_id = identifier(key=True, references="review_cycles")
    nominated_on = dy.Date(nullable=True)
    assessed_on = dy.Date(nullable=True)
    decided_on = dy.Date(nullable=True)
    promoted = dy.Bool(nullable=True)
    level_before = text(longest=100)
    level_after = text(longest=100)


class Training(Contract):
    """One row per person and course taken or planned. Null completion: not finished."""

    employee_id = identifier(key=True, references="employees")
    course = identifier(key=True)
    started_on = dy.Date(primary_key=True)
    completed_on = dy.Date(nullable=True)
    hours = dy.Float64(nullable=True, min=0.0)
    score = dy.Float64(nullable=True)


class ImprovementPlan(Contract):
    """One row per performance improvement plan. Null end while open."""

    plan_id = identifier(key=True)
    employee_id = identifier(references="employees")
    manager_id = identifier(nullable=True, references="employees")
    started_on = dy.Date()
    due_on = dy.Date(nullable=True)
    ended_on = dy.Date(nullable=True)
    outcome = dy.Enum(PLAN_OUTCOMES)
    focus = text()

    @dy.rule()
    def a_plan_ends_after_it_starts(cls) -> pl.Expr:
        return (pl.col("ended_on") >= pl.col("started_on")).fill_null(True)
