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

    employee_id = identifier(key=True)
    display_name = text(longest=300)
    email = text(longest=320)
    hire_date = dy.Date(nullable=True)
    termination_date = dy.Date(nullable=True)

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

    department_id = identifier(key=True)
    valid_from = dy.Date(primary_key=True)
    name = text(nullable=False, longest=300)
    parent_id = identifier(nullable=True, references="departments")

    @dy.rule()
    def no_department_is_its_own_parent(cls) -> pl.Expr:
        return pl.col("parent_id").ne_missing(pl.col("department_id"))


class Assignment(Contract):
    """One row per person and date from which they stood there: the history of the org chart.

    The assignment with the latest ``valid_from`` on or before a date is the one of that date; before
    the first known one, the first is taken and marked as assumed. Null means the export did not say.
    """

    employee_id = identifier(key=True, references="employees")
    valid_from = dy.Date(primary_key=True)
    department_id = identifier(nullable=True, references="departments")
    manager_id = identifier(nullable=True, references="employees")
    level = text(longest=100)
    job_family = text(longest=200)
    title = text(longest=300)
    location = text(longest=200)
    employment_type = text(longest=100)
