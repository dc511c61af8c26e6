"""Claims about what somebody sees who calls the severity model from a notebook."""

from __future__ import annotations

import polars as pl
import pytest

from analytics.severity import severity
from tests.severity_company import company


def test_three_columns_are_enough_and_the_others_are_said_to_be_optional() -> None:
    found = company(1, people=120, raters=10, departments=2, cycles=2).ratings
    three = found.select("rater_id", "ratee_id", "score")
    assert severity(three).identified
    with pytest.raises(ValueError, match=r"the columns ratee_id, rater_id, score; missing score") as told:
        severity(three.drop("score"))
    assert str(told.value).endswith("(cycle_id, source, department_id are optional)")


def test_a_result_is_written_in_a_few_lines_that_add_up() -> None:
    found = severity(company(3, people=300, raters=20, departments=3, cycles=3).ratings)
    lines = repr(found).splitlines()
    count = dict(found.raters.group_by("verdict").len().iter_rows())
    assert len(lines) <= 5
    assert lines[0] == (
        f"Severity: {count.get('lenient', 0)} lenient and {count.get('severe', 0)} severe of "
        f"{found.raters.height} raters"
    )
    assert f"{found.n_ratings:,} ratings of {found.n_ratees:,} people" in lines[1]
    assert f"unremarkable: {count['unremarkable']} (" in lines[2]
    assert lines[-1].endswith("not that somebody is cleared")


def test_a_refusal_is_written_with_its_reason() -> None:
    one_manager_each = pl.DataFrame(
        {"rater_id": ["a", "a", "b", "b"], "ratee_id": ["u", "v", "w", "x"], "score": [1, 2, 3, 4]}
    )
    assert repr(severity(one_manager_each)).splitlines() == [
        "Severity: nobody's can be told (no_links)",
        "  of n_ratings 4, n_raters 2, n_ratees 4, n_cycles 1, n_linked 0",
    ]
