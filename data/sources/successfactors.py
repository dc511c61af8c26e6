"""SAP SuccessFactors: the user data file and the goal import file.

The user file has two rows of headers, system keys and labels; ``NO_MANAGER`` and ``NO_HR`` stand for none.
In the goal file ``^TYPE`` says what a row is: only objectives are goals, the others belong to one.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from data.sources.layout import Layout, blanked
from data.sources.model import Known

USERS: Final = Layout(
    name="SuccessFactors users",
    requires=("STATUS", "USERID", "MANAGER", "HR"),
    columns={
        "USERID": "employees.employee_id",
        "FIRSTNAME": "employees.display_name:first",
        "LASTNAME": "employees.display_name:last",
        "EMAIL": "employees.email",
        "STATUS": "employees.status",
        "HIREDATE": "employees.hire_date",
        "GENDER": "protected_attributes.gender",
        "MANAGER": "assignments.manager_id",
        "DIVISION": "assignments.department_id:1",
        "DEPARTMENT": "assignments.department_id",
        "LOCATION": "assignments.location",
        "JOBCODE": "assignments.job_family",
        "TITLE": "assignments.title",
        "USERNAME": "",
        "HR": "",
        "TIMEZONE": "",
    },
    prepare=blanked("MANAGER", "HR", words=("NO_MANAGER", "NO_HR")),
)


def _objectives(batch: pl.DataFrame, _known: Known) -> pl.DataFrame:
    kind = next(c for c in batch.columns if c.strip().upper() in ("^TYPE", "TYPE"))
    action = next((c for c in batch.columns if c.strip().upper() == "ACTION"), None)
    rows = batch.filter(
        pl.col(kind).str.strip_chars().str.to_uppercase().is_in(["OBJECTIVE", "OBJECTIVE_TEAM"])
    )
    state = next((c for c in batch.columns if c.strip().lower() in ("state", "status")), None)
    if action is None:
        return rows
    # What the file deletes stays visible as abandoned: a goal that vanishes explains nothing.
    gone = pl.col(action).str.strip_chars().str.to_uppercase() == "DELETE"
    if state is None:
        return rows.with_columns(
            pl.when(gone).then(pl.lit("abandoned")).otherwise(pl.lit("active")).alias("STATE")
        )
    return rows.with_columns(pl.when(gone).then(pl.lit("abandoned")).otherwise(pl.col(state)).alias(state))


GOALS: Final = Layout(
    name="SuccessFactors goals",
    requires=("^TYPE", "ACTION", "GUID", "FILTER_USERNAME"),
    columns={
        "ID": "goals.goal_id",
        "GUID": "goals.goal_id",
        "FILTER_USERNAME": "goals.owner_id",
        "FILTER_DEPT": "goals.department_id",
        "^TYPE": "goals.scope",
        "NAME": "goals.title",
        "OBJECTIVE": "goals.title",
        "METRIC": "goals.metric",
        "WEIGHT": "goals.weight",
        "START": "goals.start_on",
        "DUE": "goals.due_on",
        "STATE": "goals.status",
        "DONE": "goals.percent",
        "ACTION": "",
        "SUBGUID": "",
        "FILTER_MGR_ID": "",
    },
    prepare=_objectives,
)
