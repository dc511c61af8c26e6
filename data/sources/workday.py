"""Workday performance reviews: codes given by the employee and by the manager in one row.

Workday's own schema names a review but not always its worker; the report's own worker column is taken by
its name, and asked for where there is none.
"""

from __future__ import annotations

from typing import Final

from data.sources.layout import Layout

REVIEWS: Final = Layout(
    name="Workday reviews",
    requires=("review_id", "manager_review_rating_code"),
    columns={
        "employee_review_rating_code": "ratings.score:self",
        "manager_review_rating_code": "ratings.score:manager",
        "employee_proficiency_rating_code": "ratings.score:self:proficiency",
        "manager_proficiency_rating_code": "ratings.score:manager:proficiency",
        "review_id": "",
        "employee_comment": "",
        "manager_comment": "",
        "net_attainment": "",
    },
)
