"""What managers and employees said to each other between ratings."""

from __future__ import annotations

from typing import Final

import dataframely as dy
import polars as pl

from data.contracts.base import Contract, identifier, text

CONVERSATION_KINDS: Final = ("one_on_one", "quarterly_review", "performance_interview")
FEEDBACK_KINDS: Final = ("praise", "constructive", "note")


class Conversation(Contract):
    """One row per conversation. Null GROW parts were not written down, null acknowledgement not given."""

    conversation_id = identifier(key=True)
    employee_id = identifier(references="employees")
    manager_id = identifier(references="employees")
    cycle_id = identifier(nullable=True, references="review_cycles")
    kind = dy.Enum(CONVERSATION_KINDS)
    held_on = dy.Date()
    goal = text()
    reality = text()
    options = text()
    will = text()
    acknowledged_on = dy.Date(nullable=True)

    @dy.rule()
    def nobody_converses_with_themselves(cls) -> pl.Expr:
        return pl.col("employee_id") != pl.col("manager_id")


class Feedback(Contract):
    """One row per piece of continuous feedback."""

    feedback_id = identifier(key=True)
    giver_id = identifier(nullable=True, references="employees")
    receiver_id = identifier(references="employees")
    given_at = dy.Datetime()
    kind = dy.Enum(FEEDBACK_KINDS)
    content = text()
