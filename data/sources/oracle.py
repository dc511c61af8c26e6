"""Oracle HCM: the view of manager ratings, and the goals of the pipe file ``Goal.dat``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl

from data.sources import values
from data.sources.cycles import BETWEEN
from data.sources.layout import Layout
from data.sources.model import LINE, Answer, Known, Sheet
from data.sources.vocabulary import normalised


def _final(batch: pl.DataFrame, _known: Known) -> pl.DataFrame:
    """CALIBRATION_STATUS as a stage; one column for the rating, the number before its description."""
    names = {normalised(c): c for c in batch.columns}
    status = names.get("calibrationstatus")
    made = batch
    if status:
        done = pl.col(status).str.to_uppercase().str.contains("^(?:CALIBRATED|COMPLETE|FINAL|Y$|YES)")
        made = made.with_columns(
            pl.when(done).then(pl.lit("calibrated")).otherwise(pl.lit("initial")).alias(status)
        )
    return made


def _periods(sheet: Sheet, _known: Known) -> Mapping[str, Answer]:
    """The dates of a review period, where all its evaluations agree on them."""
    names = {normalised(c): c for c in sheet.headers}
    columns = [names.get(key) for key in ("reviewperiodid", "startdate", "enddate")]
    if None in columns:
        return {}
    kept = [column for column in columns if column is not None]
    seen = pl.concat([batch.select(kept).unique() for batch in sheet.batches()]).unique()
    cycle, first, last = (seen.get_column(column) for column in kept)
    frame = pl.DataFrame(
        {"cycle": values.words(cycle), "first": values.dates(first), "last": values.dates(last)}
    ).drop_nulls()
    iso = pl.all_horizontal(pl.col("first", "last").str.contains(r"^\d{4}-\d\d-\d\d$"))
    frame = frame.filter(iso).unique()
    single = frame.filter(pl.len().over("cycle") == 1)
    return {f"cycle_dates:{c}": f"{a}{BETWEEN}{b}" for c, a, b in single.sort("cycle").iter_rows()}


RATINGS: Final = Layout(
    name="Oracle ratings",
    requires=("EVALUATION_ID", "WORKER_ID", "OVERALL_RATING_DESC"),
    columns={
        "REVIEW_PERIOD_ID": "ratings.cycle_id",
        "WORKER_ID": "ratings.ratee_id",
        "MANAGER_ID": "ratings.rater_id",
        "OVERALL_NUMERIC_RATING": "ratings.score",
        "CALIBRATION_STATUS": "ratings.stage",
        "EVALUATION_ID": "",
        "ASSIGNMENT_ID": "",
        "START_DATE": "",
        "END_DATE": "",
        "OVERALL_RATING_LEVEL_ID": "",
        "OVERALL_RATING_DESC": "",
        "CALCULATED_OVERALL_RATING": "",
        "OVERALL_STATUS": "",
    },
    answers={"ratings.source": "manager"},
    prepare=_final,
    settle=_periods,
)


def _goal(batch: pl.DataFrame, _known: Known) -> pl.DataFrame:
    return batch.filter(pl.any_horizontal(pl.exclude(LINE).is_not_null()))


GOALS: Final = Layout(
    name="Oracle goals",
    requires=("SourceSystemId", "WorkerPersonNumber", "GoalName", "TargetCompletionDate"),
    columns={
        "SourceSystemId": "goals.goal_id",
        "GoalName": "goals.title",
        "WorkerPersonNumber": "goals.owner_id",
        "StartDate": "goals.start_on",
        "TargetCompletionDate": "goals.due_on",
        "PercentCompleteCode": "goals.percent",
        "VersionDate": "check_ins.checked_at",
        "StatusCode": "goals.status",
        "SourceSystemOwner": "",
        "WorkerAssignmentNumber": "",
        "GoalTypeCode": "",
        "GoalVersionTypeCode": "",
        "Description": "",
        "PriorityCode": "",
        "AssignedByPersonNumber": "",
        "GoalSourceCode": "",
    },
    prepare=_goal,
)
