"""15Five: profiles, and the calibration export."""

from __future__ import annotations

from typing import Final

import polars as pl

from data.sources.layout import Layout
from data.sources.model import Known
from data.sources.vocabulary import normalised

PROFILES: Final = Layout(
    name="15Five profiles",
    requires=("email", "first_name", "last_name", "reviewer_email"),
    columns={
        "employee_id": "employees.employee_id",
        "email": "employees.email",
        "first_name": "employees.display_name:first",
        "preferredfirstname": "employees.display_name:preferred",
        "last_name": "employees.display_name:last",
        "hire_date": "employees.hire_date",
        "start_date": "employees.hire_date",
        "termination_date": "employees.termination_date",
        "is_active": "employees.status",
        "title": "assignments.title",
        "reviewer_email": "assignments.manager_id",
        "grouptypeDivision": "assignments.department_id:1",
        "grouptypeDepartment": "assignments.department_id",
        "grouptypeTeam": "assignments.department_id:3",
        "location": "assignments.location",
        "time_zone": "",
    },
)


def _managers_name(batch: pl.DataFrame, _known: Known) -> pl.DataFrame:
    names = {normalised(c): c for c in batch.columns}
    first, last = names.get("managerfirstname"), names.get("managerlastname")
    if first is None or last is None:
        return batch
    whole = pl.concat_str(
        pl.col(first).str.strip_chars(), pl.col(last).str.strip_chars(), separator=" ", ignore_nulls=True
    )
    return batch.with_columns(pl.when(whole != "").then(whole).alias(first)).drop(last)


CALIBRATION: Final = Layout(
    name="15Five calibration",
    requires=("Employee email", "Employee ID", "Active groups"),
    columns={
        "Employee ID": "ratings.ratee_id",
        "Employee email": "ratings.ratee_id",
        "First name": "",
        "Last name": "",
        "Manager email": "ratings.manager_id",
        "Manager first name": "ratings.manager_id",
        "Rating": "ratings.score:manager:overall:initial",
        "Performance rating": "ratings.score:manager:overall:initial",
        "Original rating": "ratings.score:manager:overall:initial",
        "Calibrated rating": "ratings.score:manager:overall:calibrated",
        "Final rating": "ratings.score:manager:overall:calibrated",
        "Active groups": "",
    },
    prepare=_managers_name,
)
