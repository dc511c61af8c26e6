"""Write a version out as files anybody can open: one per table, CSV with a byte order mark or Parquet.

CSV cells that a spreadsheet would run as formulas are escaped by an apostrophe. Tables are read in
batches, so that large ones need no more memory than small ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

import duckdb
import polars as pl

from data.contracts import TABLES
from data.problems import Problem
from data.warehouse import Version, literal, quoted

BATCH: Final = 250_000
RUN_BY_SPREADSHEETS: Final = r"^[=@＝＠\t\r\n]|^[+\-＋－](?:\D|$)|^[+\-＋－][\d.,]*[^\d.,%]"


def export(version: Version, folder: Path, *, form: Literal["csv", "parquet"] = "csv") -> list[Path]:
    """Write every table that has rows.

    Parameters
    ----------
    version
        One of the published versions.
    folder
        Where to; made if it is not there. Files of the same name are replaced.
    form
        ``csv`` (UTF-8 with byte order mark) or ``parquet``.

    Returns
    -------
    list of Path
        The files, in the order of the contracts.

    Raises
    ------
    Problem
        If the folder cannot be written.
    """
    if form not in ("csv", "parquet"):
        raise ValueError(f"form must be 'csv' or 'parquet', not {form!r}")
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with duckdb.connect(config={"memory_limit": "800MB"}) as connection:
            connection.execute(f"ATTACH {literal(str(version.path))} AS version (READ_ONLY)")
            for table in TABLES:
                if version.rows.get(table):
                    path = folder / f"{table}.{form}"
                    columns = ", ".join(map(quoted, TABLES[table].column_names()))
                    rows = f"SELECT {columns} FROM version.{quoted(table)} ORDER BY ALL"
                    if form == "parquet":
                        connection.execute(f"COPY ({rows}) TO {literal(str(path))} (FORMAT parquet)")
                    else:
                        _write_csv(connection.sql(rows), path)
                    written.append(path)
    except OSError as error:
        raise Problem(
            "Cannot write to {folder}: {reason}. Name a folder you may write to.",
            folder=folder,
            reason=error.strerror or type(error).__name__,
        ) from error
    return written


def _write_csv(rows: duckdb.DuckDBPyRelation, path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"\xef\xbb\xbf")
        header = True
        for batch in rows.to_arrow_reader(BATCH):
            frame = pl.DataFrame(pl.from_arrow(batch))
            frame.with_columns(
                pl.when(pl.col(pl.String).str.contains(RUN_BY_SPREADSHEETS))
                .then("'" + pl.col(pl.String))
                .otherwise(pl.col(pl.String))
                .name.keep()
            ).write_csv(file, include_header=header)
            header = False
