"""Lattice: employees, known by e-mail, and goals, with times in unix seconds."""

from __future__ import annotations

from typing import Final

from data.sources.layout import Layout

EMPLOYEES: Final = Layout(
    name="Lattice employees",
    requires=("Email", "Name", "Manager Email", "Start Date"),
    columns={
        "Email": "employees.email",
        "Name": "employees.display_name",
        "Start Date": "employees.hire_date",
        "Status": "employees.status",
        "Termination date": "employees.termination_date",
        "Manager Email": "assignments.manager_id",
        "Department": "assignments.department_id",
        "Title": "assignments.title",
        "Phone Number": "",
        "Termination type": "",
    },
    excludes=("Employee ID",),
)

GOALS: Final = Layout(
    name="Lattice goals",
    requires=("goalType", "amountType", "startingAmount", "endingAmount"),
    columns={
        "id": "goals.goal_id",
        "name": "goals.title",
        "state": "goals.status",
        "goalType": "goals.scope",
        "okrType": "goals.framework",
        "amountType": "goals.unit",
        "startingAmount": "goals.baseline",
        "endingAmount": "goals.target",
        "currentAmount": "goals.current",
        "startDate": "goals.start_on",
        "dueDate": "goals.due_on",
        "completedAt": "goals.completed_on",
        "owners": "goals.owner_id",
        "department": "goals.department_id",
        "parentGoal": "goals.parent_id",
        "status": "",
        "description": "",
        "priority": "",
    },
)
