"""What every table of the warehouse means.

One module per family; one class per table, whose docstring says the grain and the meaning of null and
whose rules are named as the facts they state. ``TABLES`` lists them in the order they can be loaded:
a table comes after those it refers to.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from data.contracts import conversations, goals, outcomes, people, ratings, voice
from data.contracts.base import Contract

TABLES: Final[MappingProxyType[str, type[Contract]]] = MappingProxyType(
    {
        "employees": people.Employee,
        "protected_attributes": people.ProtectedAttributes,
        "departments": people.Department,
        "assignments": people.Assignment,
        "rating_scales": ratings.RatingScale,
        "scale_levels": ratings.ScaleLevel,
        "review_cycles": ratings.ReviewCycle,
        "ratings": ratings.Rating,
        "competency_assessments": ratings.CompetencyAssessment,
        "calibration_changes": ratings.CalibrationChange,
        "goals": goals.Goal,
        "goal_alignments": goals.GoalAlignment,
        "check_ins": goals.CheckIn,
        "goal_changes": goals.GoalChange,
        "weight_schemes": goals.WeightScheme,
        "conversations": conversations.Conversation,
        "feedback": conversations.Feedback,
        "survey_responses": voice.SurveyResponse,
        "appeals": voice.Appeal,
        "pay": outcomes.Pay,
        "promotions": outcomes.Promotion,
        "trainings": outcomes.Training,
        "improvement_plans": outcomes.ImprovementPlan,
    }
)


def contract(table: str) -> type[Contract]:
    """The contract of a table.

    Raises
    ------
    KeyError
        If there is no such table; the message lists those there are.
    """
    try:
        return TABLES[table]
    except KeyError:
        raise KeyError(f"no table {table!r}; there are {', '.join(TABLES)}") from None


def references(table: str) -> dict[str, str]:
    """Columns of a table that must name a row elsewhere: column → table."""
    return {
        name: column.metadata["references"]
        for name, column in contract(table).columns().items()
        if column.metadata and "references" in column.metadata
    }


def pointing_at(table: str) -> tuple[tuple[str, str], ...]:
    """Which columns elsewhere name a row of a table: table and column of each."""
    return tuple(
        (other, column) for other in TABLES for column, target in references(other).items() if target == table
    )


def protected_columns(table: str) -> frozenset[str]:
    """Columns that need the permission to read protected attributes."""
    return frozenset(
        name
        for name, column in contract(table).columns().items()
        if column.metadata and column.metadata.get("protected")
    )
