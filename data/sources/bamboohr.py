"""BambooHR: employees and goals."""

from __future__ import annotations

from typing import Final

from data.sources.layout import Layout

_COMMON: Final = {
    "firstName": "employees.display_name:first",
    "lastName": "employees.display_name:last",
    "preferredName": "employees.display_name:preferred",
    "workEmail": "employees.email",
    "hireDate": "employees.hire_date",
    "terminationDate": "employees.termination_date",
    "status": "employees.status",
    "gender": "protected_attributes.gender",
    "ethnicity": "protected_attributes.ethnicity",
    "dateOfBirth": "protected_attributes.birth_date",
    "jobTitle": "assignments.title",
    "jobInfo.department": "assignments.department_id",
    "jobInfo.division": "assignments.department_id:1",
    "jobInfo.location": "assignments.location",
    "employmentStatus": "assignments.employment_type",
    "compensation.rate.value": "",
}

EMPLOYEES: Final = Layout(
    name="BambooHR employees",
    requires=("firstName", "lastName", "supervisorEId", "id"),
    columns={
        "id": "employees.employee_id",
        "supervisorEId": "assignments.manager_id",
        "jobInfo.reportsTo": "assignments.manager_id",
        "employeeNumber": "",
        **_COMMON,
    },
)

WITHOUT_IDS: Final = Layout(
    name="BambooHR employees without ids",
    requires=("firstName", "lastName", "supervisorEId", "workEmail"),
    # Without the employees' own ids, the supervisor's id leads to nobody; the name does.
    columns={"jobInfo.reportsTo": "assignments.manager_id", "supervisorEId": "", **_COMMON},
    excludes=("id",),
)

GOALS: Final = Layout(
    name="BambooHR goals",
    requires=("title", "due_date", "percent_complete"),
    columns={
        "goal_id": "goals.goal_id",
        "id": "goals.goal_id",
        "title": "goals.title",
        "employee_id": "goals.owner_id",
        "due_date": "goals.due_on",
        "percent_complete": "goals.percent",
        "status": "goals.status",
        "completed_at": "goals.completed_on",
        "description": "",
    },
)
