"""HiBob: people, with their own and the company's ids."""

from __future__ import annotations

from typing import Final

from data.sources.layout import Layout

PEOPLE: Final = Layout(
    name="HiBob people",
    requires=("employee_id_in_company", "display_name"),
    columns={
        "employee_id_in_company": "employees.employee_id",
        "id": "employees.employee_id",
        "display_name": "employees.display_name",
        "email": "employees.email",
        "birth_date": "protected_attributes.birth_date",
        "ethnicity": "protected_attributes.ethnicity",
        "department": "assignments.department_id",
        "reports_to_id_in_company": "assignments.manager_id",
        "manager": "assignments.manager_id",
        "second_level_manager": "",
        "band_min_ote": "",
        "band_mid_ote": "",
        "band_max_ote": "",
        "band_compa_ratio_ote": "",
    },
)
