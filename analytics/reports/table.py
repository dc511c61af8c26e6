"""A shown table as a file: CSV that Excel opens in any language, or XLSX, with what must stand beside it.

Reads    a released frame as shown, and the lines of its footer (filters, version, as-of, author, rules).
Returns  bytes. Nothing that looks like a formula survives as one.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Final

import polars as pl
import xlsxwriter

FORMULA_STARTS: Final = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")
"""Full-width signs too: Excel takes them for the plain ones in Chinese and Japanese."""


def inert(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with every text cell and header that a spreadsheet would run made plain text."""
    escaped = frame.with_columns(
        pl.when(pl.any_horizontal(pl.col(name).str.starts_with(start) for start in FORMULA_STARTS))
        .then(pl.concat_str(pl.lit("'"), pl.col(name)))
        .otherwise(pl.col(name))
        .alias(name)
        for name, dtype in frame.schema.items()
        if dtype == pl.String
    )
    return escaped.rename({name: f"'{name}" for name in frame.columns if name.startswith(FORMULA_STARTS)})


def as_csv(frame: pl.DataFrame, *, footer: Sequence[str] = ()) -> bytes:
    """UTF-8 with BOM, so that Excel reads Chinese; the footer follows after an empty line."""
    body = inert(frame).write_csv(null_value="")
    lines = pl.DataFrame({"": list(footer)}, schema={"": pl.String})
    tail = "\n" + inert(lines).write_csv(include_header=False) if footer else ""
    return ("\ufeff" + body + tail).encode("utf-8")


def as_xlsx(frame: pl.DataFrame, *, footer: Sequence[str] = (), sheet: str = "Evenhand") -> bytes:
    """One sheet with a frozen, bold header; numbers stay numbers; the footer follows below."""
    buffer = io.BytesIO()
    options = {
        "in_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "nan_inf_to_errors": True,
    }
    with xlsxwriter.Workbook(buffer, options) as book:
        page = book.add_worksheet(sheet[:31])
        frame.write_excel(book, page, autofit=True, freeze_panes=(1, 0), table_style="Table Style Light 1")
        quiet = book.add_format({"font_color": "#5B6470"})
        for offset, line in enumerate(footer):
            page.write_string(frame.height + 2 + offset, 0, line, quiet)
    return buffer.getvalue()
