"""A downloaded table opens in a spreadsheet as what it was, and runs nothing."""

from __future__ import annotations

import io

import openpyxl
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.reports.table import FORMULA_STARTS, as_csv, as_xlsx, inert

FRAME = pl.DataFrame({"Name": ["=1+1", "王芳", None], "Mean": [3.25, None, -0.5]})


def test_a_csv_opens_in_excel_in_chinese() -> None:
    assert as_csv(FRAME).startswith(b"\xef\xbb\xbf")
    assert "王芳" in as_csv(FRAME).decode("utf-8-sig")


def test_hidden_stays_empty_and_is_never_nought() -> None:
    lines = as_csv(FRAME).decode("utf-8-sig").splitlines()
    assert lines[2] == "王芳,"


def test_the_footer_goes_wherever_the_figures_go() -> None:
    footer = ["2026H1 · Sales", "=cmd()"]
    text = as_csv(FRAME, footer=footer).decode("utf-8-sig")
    assert "2026H1 · Sales" in text
    assert "'=cmd()" in text
    page = openpyxl.load_workbook(io.BytesIO(as_xlsx(FRAME, footer=footer))).active
    assert page is not None
    assert [page.cell(FRAME.height + 3 + i, 1).value for i in range(2)] == footer


def test_a_spreadsheet_keeps_numbers_as_numbers_and_formulas_as_text() -> None:
    page = openpyxl.load_workbook(io.BytesIO(as_xlsx(FRAME))).active
    assert page is not None
    assert (page["A2"].value, page["A2"].data_type) == ("=1+1", "s")
    assert page["B2"].value == pytest.approx(3.25)
    assert page["B3"].value is None


@pytest.mark.parametrize("cell", ["＝1+1", "＋1", "－1", "＠SUM(A1)", "\n=1+1"])
def test_full_width_signs_and_a_line_break_before_a_formula_are_escaped(cell: str) -> None:
    assert inert(pl.DataFrame({"x": [cell], cell: ["a"]})).rows() == [(f"'{cell}", "a")]
    assert inert(pl.DataFrame({cell: ["a"]})).columns == [f"'{cell}"]


@given(st.lists(st.text(max_size=20), min_size=1, max_size=5))
def test_no_cell_that_leaves_begins_like_a_formula(cells: list[str]) -> None:
    escaped = inert(pl.DataFrame({"x": cells}, schema={"x": pl.String}))["x"]
    assert not any(cell.startswith(FORMULA_STARTS) for cell in escaped)
