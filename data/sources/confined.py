"""Reads the formats whose parsers can be made to eat a machine, in a process that may not.

Run as a script by `data.sources.reading`, with the file and a folder; answers with ``result.json`` in the
folder and, for a workbook, one Arrow file per sheet in which every cell is text. Imports nothing of the
project, so that it starts quickly and inherits nothing.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

MEMORY = 4 * 1024**3
"""Bytes of address space the parser may take."""
SECONDS = 180
"""Processor seconds the parser may take."""
WIDEST = 2_000
"""Columns above which a sheet is not a table any more."""


def confine() -> None:
    """Give up the right to more memory and time; a system without such limits has only the outer ones."""
    try:
        import resource  # noqa: PLC0415 - not there on Windows
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def workbook(path: Path, folder: Path) -> list[dict[str, Any]]:
    """Write each sheet of an XLSX file as text; row k of the output is row k of the sheet."""
    import fastexcel  # noqa: PLC0415 - after the limits are set
    import pyarrow as pa  # noqa: PLC0415

    sheets: list[dict[str, Any]] = []
    book = fastexcel.read_excel(path)
    for position, name in enumerate(book.sheet_names):
        try:
            sheet = book.load_sheet(position, header_row=None, skip_rows=0, dtypes="string")
        except fastexcel.FastExcelError as error:
            sheets.append({"name": name, "error": str(error)[:300]})
            continue
        entry: dict[str, Any] = {
            "name": name,
            "hidden": sheet.visible != "visible",
            "rows": sheet.height,
            "columns": sheet.width,
        }
        if 0 < sheet.width <= WIDEST and sheet.height > 0:
            entry["file"] = f"{position}.arrow"
            batch = sheet.to_arrow()
            with pa.OSFile(str(folder / entry["file"]), "wb") as out, pa.ipc.new_file(out, batch.schema) as w:
                w.write_batch(batch)
        sheets.append(entry)
    return sheets


def parquet(path: Path) -> list[dict[str, Any]]:
    """Decode every page of a Parquet file once, so that the caller's process meets no surprise in it."""
    import polars as pl  # noqa: PLC0415

    frame = pl.scan_parquet(path, glob=False)
    width = len(frame.collect_schema())
    rows = 0
    if width <= WIDEST:
        for batch in frame.collect_batches(chunk_size=100_000):
            rows += batch.height
    return [{"name": None, "hidden": False, "rows": rows, "columns": width}]


def main(kind: str, path: Path, folder: Path) -> int:
    """Read one file; the exit code is 0 if ``result.json`` says what was found."""
    confine()
    try:
        found = workbook(path, folder) if kind == "workbook" else parquet(path)
        answer: dict[str, Any] = {"sheets": found}
    except MemoryError:
        answer = {"error": "memory"}
    except BaseException as error:
        answer = {"error": f"{type(error).__name__}: {error}"[:300]}
    (folder / "result.json").write_text(json.dumps(answer), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
