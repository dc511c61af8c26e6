"""How does a vendor's export look on disk?

Delimited text in UTF-8 or GB18030, a workbook, JSON, Parquet: each written so that the same rows are the
same bytes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import polars as pl
import xlsxwriter

WRITTEN_AT: Final = datetime(2026, 9, 30, 18, 0, tzinfo=UTC)
MOMENT: Final = "%Y-%m-%dT%H:%M:%S"


def as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Every column as an export spells it: ISO dates and times, plain numbers."""
    return frame.with_columns(
        pl.col(name).dt.strftime(MOMENT) if isinstance(kind, pl.Datetime) else pl.col(name).cast(pl.String)
        for name, kind in frame.schema.items()
    )


def csv(path: Path, frame: pl.DataFrame, *, append: bool = False) -> Path:
    """Comma-separated UTF-8; ``append`` adds rows to a file that has its header."""
    with path.open("ab" if append else "wb") as file:
        frame.write_csv(file, include_header=not append, datetime_format=MOMENT)
    return path


def csv_gb18030(path: Path, frame: pl.DataFrame) -> Path:
    """Comma-separated as Chinese systems export it."""
    path.write_bytes(frame.write_csv(line_terminator="\r\n").encode("gb18030"))
    return path


def xlsx(path: Path, frame: pl.DataFrame) -> Path:
    """A workbook of one sheet, everything as text."""
    with xlsxwriter.Workbook(
        path, {"strings_to_formulas": False, "strings_to_urls": False, "constant_memory": True}
    ) as book:
        # Without a date of its own a workbook carries the clock.
        book.set_properties({"created": WRITTEN_AT.replace(tzinfo=None)})
        sheet = book.add_worksheet("花名册")
        sheet.write_row(0, 0, frame.columns)
        for at, row in enumerate(as_text(frame).iter_rows(), start=1):
            sheet.write_row(at, 0, ["" if cell is None else cell for cell in row])
    return path


def json(path: Path, frame: pl.DataFrame, *, numbers: tuple[str, ...]) -> Path:
    """A list of objects."""
    path.write_text(
        frame.with_columns(pl.col(name).cast(pl.Float64) for name in numbers).write_json(), encoding="utf-8"
    )
    return path


def parquet(path: Path, frame: pl.DataFrame) -> Path:
    """Columnar and compressed."""
    frame.write_parquet(path, compression="zstd", statistics=False)
    return path


def tall(path: Path, frame: pl.DataFrame, *, columnar: bool) -> Path:
    """Parquet or comma-separated, with the fitting ending."""
    if columnar:
        return parquet(path.with_name(f"{path.name}.parquet"), frame)
    return csv(path.with_name(f"{path.name}.csv"), frame)
