"""Review cycles, their scales, and what was judged in them."""

from __future__ import annotations

from typing import Final

import dataframely as dy
import polars as pl

from data.contracts.base import Contract, identifier, text

SOURCES: Final = (
    "self",
    "manager",
    "skip_level",
    "peer",
    "cross_department",
    "direct_report",
    "customer",
)
PANEL: Final = "panel:"
"""A rater ``panel:SOURCE:RATEE`` stands for the unnamed people behind one average: nobody's severity."""

STAGES: Final = ("initial", "calibrated")
OVERALL: Final = "overall"


class RatingScale(Contract):
    """One row per rating scale; ``lowest`` and ``highest`` are rating points, lowest always the worst."""

    scale_id = identifier(key=True)
    name = text(nullable=False, longest=300)
    lowest = dy.Float64()
    highest = dy.Float64()

    @dy.rule()
    def the_scale_rises(cls) -> pl.Expr:
        return pl.col("highest") > pl.col("lowest")


class ScaleLevel(Contract):
    """One row per level of a scale, 1 the lowest. A scale without levels is continuous.

    ``code`` is what exports carry ("A+", "超出预期", "4"); ``label`` what people read; ``points`` what the
    level counts in rating points.
    """

    scale_id = identifier(
        key=True, references="rating_scales", description="The scale this level belongs to."
    )
    level = dy.Int64(primary_key=True, min=1, max=100, description="Rank of the level, 1 the lowest.")
    code = text(nullable=False, longest=100, description="What exports write for this level.")
    label = text(nullable=False, longest=300, description="What people read for this level.")
    points = dy.Float64(description="What the level counts in rating points.")


class ReviewCycle(Contract):
    """One row per review cycle: the period ratings are about."""

    cycle_id = identifier(key=True, description="The cycle's id.")
    name = text(nullable=False, longest=300, description="What the cycle is called.")
    starts_on = dy.Date(description="First day the ratings are about.")
    ends_on = dy.Date(description="Last day the ratings are about.")
    scale_id = identifier(references="rating_scales", description="The scale ratings of this cycle are on.")

    @dy.rule()
    def a_cycle_ends_after_it_starts(cls) -> pl.Expr:
        return pl.col("ends_on") > pl.col("starts_on")


class Rating(Contract):
    """One row per cycle, ratee, rater, source, dimension and stage: the latest judgement given.

    ``dimension`` is ``overall`` or the name of what was judged. ``score`` is in rating points of the
    cycle's scale, higher is better. ``level`` is null on a continuous scale. ``department_id`` is the
    ratee's department as the export froze it; null means: as the assignments say for the cycle.
    """

    cycle_id = identifier(key=True, references="review_cycles", description="The cycle the rating is about.")
    ratee_id = identifier(key=True, references="employees", description="Who is rated.")
    rater_id = identifier(key=True, description="An employee, an outside customer, or an unnamed panel.")
    source = dy.Enum(SOURCES, primary_key=True, description="In which role the rater rates.")
    dimension = identifier(key=True, description="What is judged; “overall” is the rating as a whole.")
    stage = dy.Enum(
        STAGES, primary_key=True, description="Before calibration (initial) or after it (calibrated)."
    )
    score = dy.Float64(description="Rating points on the cycle's scale; more is better.")
    level = dy.Int64(
        nullable=True, min=1, max=100, description="Rank on the scale; empty where the scale has no levels."
    )
    submitted_at = dy.Datetime(nullable=True, description="When the rating was given.")
    department_id = identifier(
        nullable=True, references="departments", description="The ratee's department as the export froze it."
    )

    @dy.rule()
    def only_self_ratings_are_by_the_ratee(cls) -> pl.Expr:
        return (pl.col("rater_id") == pl.col("ratee_id")) == (pl.col("source") == "self")


class CompetencyAssessment(Contract):
    """One row per person, competency and day: the level shown against the level the job asks for."""

    employee_id = identifier(key=True, references="employees")
    competency = identifier(key=True)
    assessed_on = dy.Date(primary_key=True)
    assessor_id = identifier(nullable=True, references="employees")
    shown_level = dy.Float64()
    expected_level = dy.Float64(nullable=True)


class CalibrationChange(Contract):
    """One row per person and session in which a rating was discussed, changed or not.

    History from earlier systems; decisions made here live in the ledger.
    """

    cycle_id = identifier(key=True, references="review_cycles")
    session_id = identifier(key=True)
    ratee_id = identifier(key=True, references="employees")
    score_before = dy.Float64()
    score_after = dy.Float64()
    decided_by = identifier(nullable=True, references="employees")
    decided_at = dy.Datetime(nullable=True)
    reason = text()
