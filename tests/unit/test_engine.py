"""Engines answer the same question alike, from many threads at once, and reach nothing else."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import narwhals as nw
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from data.engine import DuckDBEngine, Engine, PolarsEngine, Tables

N = 5_000

RATINGS = pl.DataFrame({"i": range(N)}).select(
    cycle_id=pl.format("2026H{}", pl.col("i") % 2 + 1),
    ratee_id=pl.format("e{}", pl.col("i") % 500),
    rater_id=pl.format("m{}", pl.col("i") * 7 % 61),
    score=(pl.col("i") * 31 % 47).cast(pl.Float64) / 10,
    level=pl.when(pl.col("i") % 11 == 0).then(None).otherwise(pl.col("i") % 5 + 1).cast(pl.Int64),
    source=pl.when(pl.col("i") % 3 == 0)
    .then(pl.lit("peer"))
    .otherwise(pl.lit("manager"))
    .cast(pl.Enum(["manager", "peer"])),
)
# Everybody starts in d0 in 2024; every third moves in 2026, half of those after the first cycle has ended.
ASSIGNMENTS = pl.concat(
    [
        pl.DataFrame({"i": range(500)}).select(
            employee_id=pl.format("e{}", "i"), valid_from=date(2024, 1, 1), department_id=pl.lit("d0")
        ),
        pl.DataFrame({"i": range(0, 500, 3)}).select(
            employee_id=pl.format("e{}", "i"),
            valid_from=pl.when(pl.col("i") % 2 == 0).then(date(2026, 2, 1)).otherwise(date(2026, 8, 1)),
            department_id=pl.format("d{}", pl.col("i") % 4),
        ),
    ]
)
CYCLES = pl.DataFrame({"cycle_id": ["2026H1", "2026H2"], "ends_on": [date(2026, 6, 30), date(2026, 12, 31)]})
FRAMES = {"ratings": RATINGS, "assignments": ASSIGNMENTS, "review_cycles": CYCLES}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("engine") / "v.duckdb"
    with duckdb.connect(str(path)) as connection:
        for name, frame in FRAMES.items():
            connection.register("frame", frame)
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM frame")
            connection.unregister("frame")
    return path


@pytest.fixture(scope="module")
def embedded(path: Path) -> DuckDBEngine:
    return DuckDBEngine(path, version="v")


def means(tables: Tables) -> nw.LazyFrame[Any]:
    return (
        tables("ratings")
        .group_by("cycle_id", "source")
        .agg(
            nw.col("score").cast(nw.Float64).mean().round(9).alias("mean"),
            nw.col("score").cast(nw.Float64).std().round(9).alias("sd"),
            nw.col("ratee_id").n_unique().alias("ratees"),
            nw.len().alias("n"),
        )
    )


def shares_by_level(tables: Tables) -> nw.LazyFrame[Any]:
    def count(level: int) -> nw.Expr:
        return nw.when(nw.col("level") == level).then(1).otherwise(0).sum().alias(f"level_{level}")

    return (
        tables("ratings")
        .group_by("cycle_id")
        .agg(*[count(level) for level in range(1, 6)], nw.col("level").is_null().cast(nw.Int64).sum())
        .with_columns((nw.col("level_1").cast(nw.Float64) / nw.col("level_2").cast(nw.Float64)).round(9))
    )


def ranks_of_raters(tables: Tables) -> nw.LazyFrame[Any]:
    return (
        tables("ratings")
        .group_by("rater_id")
        .agg(nw.col("score").cast(nw.Float64).mean().round(9).alias("mean"))
        .with_columns(nw.col("mean").rank(method="min").cast(nw.Int64).alias("rank"))
    )


def departments_as_of_the_cycle(tables: Tables) -> nw.LazyFrame[Any]:
    stood = (
        tables("review_cycles")
        .join(tables("assignments"), how="cross")
        .filter(nw.col("valid_from") <= nw.col("ends_on"))
        .with_columns(nw.col("valid_from").max().over("cycle_id", "employee_id").alias("latest"))
        .filter(nw.col("valid_from") == nw.col("latest"))
        .select("cycle_id", nw.col("employee_id").alias("ratee_id"), "department_id")
    )
    return (
        tables("ratings")
        .filter(nw.col("source") == "manager")
        .join(stood, on=["cycle_id", "ratee_id"], how="left")
        .group_by("cycle_id", "department_id")
        .agg(nw.len().alias("n"), nw.col("score").cast(nw.Float64).mean().round(9).alias("mean"))
    )


def people_rated_by_peers_only(tables: Tables) -> nw.LazyFrame[Any]:
    by_managers = tables("ratings").filter(nw.col("source") == "manager").select("ratee_id")
    return (
        tables("ratings")
        .filter(nw.col("source").is_in(["peer"]))
        .join(by_managers, on="ratee_id", how="anti")
        .select("ratee_id")
        .unique()
    )


READS = [means, shares_by_level, ranks_of_raters, departments_as_of_the_cycle, people_rated_by_peers_only]


def sorted_result(engine: Engine, read: Callable[[Tables], nw.LazyFrame[Any]]) -> pl.DataFrame:
    frame = engine.query(read)
    return frame.sort(frame.columns, nulls_last=True)


@pytest.mark.parametrize("read", READS)
def test_the_embedded_engine_and_polars_agree(read: Any, embedded: DuckDBEngine) -> None:
    in_memory = sorted_result(PolarsEngine(FRAMES), read)
    assert_frame_equal(
        sorted_result(embedded, read), in_memory, check_dtypes=False, rel_tol=1e-9, abs_tol=2e-9
    )


def test_the_row_in_force_at_the_end_of_the_cycle_is_taken(embedded: DuckDBEngine) -> None:
    found = sorted_result(embedded, departments_as_of_the_cycle).filter(pl.col("cycle_id") == "2026H1")
    # Rows of the first cycle have an even i, hence an even ratee; of those every third moved, in February
    # (even i), to department i % 4 which is 0 or 2: so d0 and d2 are seen; d1 and d3
    # (moves in August) are not.
    assert found["department_id"].to_list() == ["d0", "d2"]


def test_sixteen_threads_get_the_right_answer_at_the_same_time(embedded: DuckDBEngine) -> None:
    expected = {read.__name__: sorted_result(embedded, read) for read in READS}

    def ask(turn: int) -> None:
        read = READS[turn % len(READS)]
        assert_frame_equal(sorted_result(embedded, read), expected[read.__name__], rel_tol=1e-9, abs_tol=2e-9)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(ask, range(320)))


def test_enums_come_back_as_text_from_both_engines(embedded: DuckDBEngine) -> None:
    for engine in (embedded, PolarsEngine(FRAMES)):
        assert engine.query(lambda tables: tables("ratings").select("source"))["source"].dtype == pl.String


def test_an_unknown_table_is_named_with_those_there_are(embedded: DuckDBEngine) -> None:
    for engine in (embedded, PolarsEngine(FRAMES)):
        with pytest.raises(KeyError, match=r"wages.*assignments, ratings, review_cycles"):
            engine.query(lambda tables: tables("wages"))


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('{there}')",
        "COPY ratings TO '{there}.copy'",
        "ATTACH '{there}' AS other",
        "SET enable_external_access = true",
        "CREATE TABLE mine AS SELECT 1",
        "INSTALL httpfs",
    ],
)
def test_sql_reaches_no_file_and_changes_nothing(
    statement: str, embedded: DuckDBEngine, tmp_path: Path
) -> None:
    there = tmp_path / "pay.csv"
    there.write_text("a\n1\n")
    with pytest.raises(duckdb.Error):
        embedded._connection.cursor().execute(statement.format(there=there))
