"""People, where they stood when, and what must stay apart from everything else."""

from __future__ import annotations

from typing import Final

import dataframely as dy
import polars as pl

from data.contracts.base import Contract, identifier, text

GENDERS: Final = ("female", "male", "other", "undisclosed")


class Employee(Contract):
    """One row per person ever employed.

    Null names and e-mails mean the export did not carry them; a null termination date means still
    employed as far as the exports say.
    """

    employee_id = identifier(key=True, description="The person's id, as text.")
    display_name = text(longest=300, description="What the person is called.")
    email = text(longest=320, description="Work e-mail; persons may be named by it in other files.")
    hire_date = dy.Date(nullable=True, description="First day of employment.")
    termination_date = dy.Date(nullable=True, description="Last day of employment; empty while employed.")

    @dy.rule()
    def employment_ends_after_it_begins(cls) -> pl.Expr:
        return (pl.col("termination_date") >= pl.col("hire_date")).fill_null(True)


class ProtectedAttributes(Contract):
    """One row per person: attributes only roles with that permission may read.

    Null means not stated; it is counted as unknown and never guessed.
    """

    employee_id = identifier(key=True, references="employees")
    gender = dy.Enum(GENDERS, nullable=True, metadata={"protected": True})
    birth_date = dy.Date(nullable=True, metadata={"protected": True})
    ethnicity = text(longest=200, protected=True)


class Department(Contract):
    """One row per department and date from which this description of it holds.

    A null parent means a top of the tree. The description with the latest ``valid_from`` on or before
    a date is the one of that date; before the first, the first holds.
    """

    department_id = identifier(
        key=True, description="The department's id, or its name where exports give none."
    )
    valid_from = dy.Date(primary_key=True, description="Day from which this description holds.")
    name = text(nullable=False, longest=300, description="What the department is called.")
    parent_id = identifier(
        nullable=True, references="departments", description="The department above; empty at the top."
    )

    @dy.rule()
    def no_department_is_its_own_parent(cls) -> pl.Expr:
        return pl.col("parent_id").ne_missing(pl.col("department_id"))


class Assignment(Contract):
    """One row per person and date from which they stood there: the history of the org chart.

    The assignment with the latest ``valid_from`` on or before a date is the one of that date; before
    the first known one, the first is taken and marked as assumed. Null means the export did not say.
    """

    employee_id = identifier(key=True, references="employees", description="Who stands here.")
    valid_from = dy.Date(primary_key=True, description="Day from which the person stands here.")
    department_id = identifier(
        nullable=True, references="departments", description="Department the person belongs to."
    )
    manager_id = identifier(
        nullable=True,
        references="employees",
        description="Direct manager; empty at the top or where not known.",
    )
    level = text(longest=100, description="Job level or grade.")
    job_family = text(longest=200, description="Job family or function.")
    title = text(longest=300, description="Job title.")
    location = text(longest=200, description="Place of work.")
    employment_type = text(longest=100, description="Such as permanent, fixed-term or intern.")
