"""Frappe HRMS: the appraisal overview.

A score of 0 stands for one not given. The average of feedback is one unnamed panel's score per person. Names,
designations and departments stand beside the scores; they make no list of employees and are left out.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from data.sources.layout import Layout
from data.sources.model import Known
from data.sources.vocabulary import normalised

_SCORES: Final = ("avgfeedbackscore", "goalscore", "selfscore", "finalscore")


def _given(batch: pl.DataFrame, _known: Known) -> pl.DataFrame:
    columns = [c for c in batch.columns if normalised(c) in _SCORES]
    return batch.with_columns(
        pl.when(pl.col(c).str.strip_chars().cast(pl.Float64, strict=False).ne_missing(0.0)).then(c).alias(c)
        for c in columns
    )


APPRAISALS: Final = Layout(
    name="Frappe appraisals",
    requires=("employee", "appraisal_cycle", "final_score", "self_score"),
    columns={
        "employee": "ratings.ratee_id",
        "employee_name": "",
        "designation": "",
        "department": "ratings.department_id",
        "appraisal_cycle": "ratings.cycle_id",
        "self_score": "ratings.score:self",
        "final_score": "ratings.score:manager",
        "goal_score": "ratings.score:manager:goals",
        "avg_feedback_score": "ratings.score:peer",
        "appraisal": "",
        "feedback_count": "",
    },
    prepare=_given,
)
