"""What employees said about the process: surveys without names, appeals with them."""

from __future__ import annotations

from typing import Final

import dataframely as dy
import polars as pl

from data.contracts.base import Contract, identifier, text

APPEAL_OUTCOMES: Final = ("open", "upheld", "partly_upheld", "rejected", "withdrawn")


class SurveyResponse(Contract):
    """One row per anonymous answer. ``response_id`` must not identify a person."""

    response_id = identifier(key=True)
    survey_id = identifier()
    question = identifier(key=True)
    department_id = identifier(nullable=True, references="departments")
    answered_on = dy.Date(nullable=True)
    score = dy.Float64(nullable=True)
    comment = text()


class Appeal(Contract):
    """One row per appeal against a rating. Null decision date while open."""

    appeal_id = identifier(key=True)
    cycle_id = identifier(references="review_cycles")
    employee_id = identifier(references="employees")
    filed_on = dy.Date()
    reason = text()
    outcome = dy.Enum(APPEAL_OUTCOMES)
    decided_on = dy.Date(nullable=True)
    decided_by = identifier(nullable=True, references="employees")

    @dy.rule()
    def an_appeal_is_decided_after_it_was_filed(cls) -> pl.Expr:
        return (pl.col("decided_on") >= pl.col("filed_on")).fill_null(True)
