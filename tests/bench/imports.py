"""How long does an import take, beside reading the same file into a bare table, and what does it hold?"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from data.importing import Progress, run_import
from tests.bench.apart import Outcome, apart
from tests.bench.figure import Figure, Options, at_most, load, reported

MILLION = 1_000_000
CYCLES = 4
DIMENSIONS = ("Overall", "Results", "Teamwork", "Customers", "Growth")
SOURCES = ("Manager", "Peer", "Cross-department")


def run(options: Options) -> Iterator[Figure]:
    """A million ratings by turns with a bare table, ten million once, a workbook of 100,000 rows."""
    n = MILLION // 10 if options.quick else MILLION
    folder = options.scratch / "million"
    apart(company, str(folder), n)
    ours: list[Outcome] = []
    bare: list[Outcome] = []
    for turn in range(1 if options.quick else 3):
        bare.append(
            apart(bare_table, str(folder / "ratings.csv"), str(options.scratch / f"bare-{turn}.duckdb"))
        )
        ours.append(apart(imported, str(folder), str(options.scratch / f"home-{turn}"), n))
    ratios = [a.seconds / b.seconds for a, b in zip(ours, bare, strict=True)]
    one = statistics.median(o.seconds for o in ours)
    note = (
        f"import {', '.join(f'{o.seconds:.1f}' for o in ours)} s (processor {ours[-1].cpu:.1f} s), bare "
        f"{', '.join(f'{b.seconds:.2f}' for b in bare)} s (processor {bare[-1].cpu:.1f} s); {load()}"
    )
    yield at_most(
        f"import of {n:,} ratings against a bare table", statistics.median(ratios), 6, unit=" ×", note=note
    )
    yield at_most(
        f"import of {n:,} ratings, peak memory", max(o.memory for o in ours), 2, unit=" GB",
        note=f"bare table {max(b.memory for b in bare):.2f} GB",
    )  # fmt: skip
    if not options.quick:
        yield from _ten_million(options, one)
    yield from _workbook(options)


def _ten_million(options: Options, one: float) -> Iterator[Figure]:
    folder = options.scratch / "ten"
    apart(company, str(folder), 10 * MILLION)
    bare = apart(bare_table, str(folder / "ratings.csv"), str(options.scratch / "bare-ten.duckdb"))
    ten = apart(imported, str(folder), str(options.scratch / "home-ten"), 10 * MILLION)
    yield at_most(
        "import of 10,000,000 ratings against 1,000,000",
        ten.seconds / one,
        12,
        unit=" ×",
        note=f"{ten.seconds:.0f} s (processor {ten.cpu:.0f} s) against {one:.1f} s; bare table "
        f"{bare.seconds:.1f} s; {load()}",
    )
    yield reported("import of 10,000,000 ratings, peak memory", ten.memory, unit=" GB")


def _workbook(options: Options) -> Iterator[Figure]:
    n = 10_000 if options.quick else 100_000
    folder = options.scratch / "workbook"
    apart(company, str(folder), n, "xlsx")
    found = [
        apart(imported, str(folder), str(options.scratch / f"home-xlsx-{turn}"), n)
        for turn in range(1 if options.quick else 3)
    ]
    yield at_most(
        f"import of a workbook of {n:,} rows",
        statistics.median(f.seconds for f in found),
        15,
        unit=" s",
        note=f"{', '.join(f'{f.seconds:.1f}' for f in found)} s; "
        f"{max(f.memory for f in found):.2f} GB; {load()}",
    )


def company(folder: str, n: int, form: str = "csv") -> None:
    """Write what a company of that many ratings exports: people, cycles, scale, ratings."""
    place = Path(folder)
    place.mkdir(parents=True)
    people = max(200, n // 50)
    number = pl.int_range(people, eager=True)
    pl.DataFrame(
        {
            "Employee ID": _person(number),
            "Name": [f"Person {i}" for i in range(people)],
            "Email": [f"p{i}@firm.example" for i in range(people)],
            "Hire Date": ["2019-04-01"] * people,
        }
    ).write_csv(place / "employees.csv")
    pl.DataFrame({"Scale": ["Five"], "Scale Name": ["Five levels"], "Lowest": [1], "Highest": [5]}).write_csv(
        place / "scales.csv"
    )
    pl.DataFrame(
        {"scale_id": ["Five"] * 5, "level": range(1, 6), "code": range(1, 6), "label": list("EDCBA"),
         "points": range(1, 6)}
    ).write_csv(place / "scale_levels.csv")  # fmt: skip
    pl.DataFrame(
        {
            "cycle_id": [f"2025Q{c + 1}" for c in range(CYCLES)],
            "name": [f"Quarter {c + 1} of 2025" for c in range(CYCLES)],
            "starts_on": [f"2025-{3 * c + 1:02}-01" for c in range(CYCLES)],
            "ends_on": [f"2025-{3 * c + 3:02}-{(31, 30, 30, 31)[c]}" for c in range(CYCLES)],
            "scale_id": ["Five"] * CYCLES,
        }
    ).write_csv(place / "review_cycles.csv")
    path = place / f"ratings.{form}"
    row = pl.int_range(n, eager=True).alias("row")
    cycle = row % CYCLES
    ratee = row // CYCLES % people
    turn = row // (CYCLES * people)
    assert (turn < len(DIMENSIONS) * len(SOURCES)).all(), "every rating has a key of its own"
    source = turn % len(SOURCES)
    # A rater apart from the ratee by something that is no multiple of the number of people.
    rater = (ratee + 1 + source * 7 + ratee % 11) % people
    ratings = pl.DataFrame(
        {
            "Cycle": "2025Q" + (cycle + 1).cast(pl.String),
            "Employee ID": _person(ratee),
            "Rater ID": _person(rater),
            "Source": source.replace_strict(dict(enumerate(SOURCES)), return_dtype=pl.String),
            "Dimension": (turn // len(SOURCES)).replace_strict(
                dict(enumerate(DIMENSIONS)), return_dtype=pl.String
            ),
            "Stage": pl.Series(["Initial"]).new_from_index(0, n),
            "Score": 1 + (row * 7919 % 1009) % 5,
            "Submitted At": cycle.replace_strict(
                {c: datetime(2025, 3 * c + 3, 20, 9, 30) for c in range(CYCLES)},
                return_dtype=pl.Datetime("us"),
            ),
        }
    )
    if form == "csv":
        ratings.write_csv(path, datetime_format="%Y-%m-%dT%H:%M:%S")
    else:
        ratings.write_excel(path)


def _person(number: pl.Series) -> pl.Series:
    return "E" + number.cast(pl.String).str.zfill(6)


def bare_table(file: str, database: str) -> None:
    """What DuckDB alone makes of the file."""
    with duckdb.connect(database) as connection:
        connection.execute("CREATE TABLE ratings AS SELECT * FROM read_csv(?)", [file])


def imported(folder: str, home: str, n: int) -> dict[str, Any]:
    """Import the folder; every rating must be in."""
    began = time.perf_counter()
    stages: dict[str, float] = {}

    def tell(progress: Progress) -> None:
        stages[progress.stage] = round(time.perf_counter() - began, 2)

    report = run_import(
        [Path(folder)],
        home=Path(home),
        as_of=date(2026, 1, 31),
        now=datetime(2026, 1, 31, tzinfo=UTC),
        progress=tell,
    )
    rows = {count.table: count.rows for count in report.tables}
    if report.version is None or not report.complete or rows["ratings"] != n:
        waiting = [(s.place, s.state, [q.message for q in s.questions], s.problem) for s in report.sheets]
        raise RuntimeError(f"{rows} {waiting} {report.rejected.head().to_dicts()}")
    return stages
