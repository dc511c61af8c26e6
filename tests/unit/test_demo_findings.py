"""What was planted in the small demo company is found, and no more is claimed than can be told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from analytics.severity.drift import drift
from analytics.severity.evidence import attainment
from analytics.severity.linear import Severity, severity
from data import demo
from data.demo.roster import CHINESE_HEADERS

POINTS = {"D": 1.0, "C": 2.0, "B": 3.0, "A": 4.0, "S": 5.0}


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> demo.Demo:
    return demo.write(tmp_path_factory.mktemp("demo"), size="small")


@pytest.fixture(scope="module")
def truth(company: demo.Demo) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(company.truth.read_text(encoding="utf-8"))
    return read


@pytest.fixture(scope="module")
def found(company: demo.Demo, truth: dict[str, Any]) -> Severity:
    """Severities from overall ratings as given, departments taken at the top of the tree."""
    rejected = [flaw["line"] for flaw in truth["flaws"] if flaw["file"] == "ratings.csv"]
    ratings = (
        pl.read_csv(company.exports / "ratings.csv")
        .with_row_index("line", offset=2)
        .filter(
            ~pl.col("line").is_in(rejected), pl.col("Dimension") == "overall", pl.col("Stage") == "initial"
        )
    )
    departments = pl.concat(
        [_departments(path) for path in company.files if "roster_20" in path.name or "历史" in path.name]
    )
    return severity(
        ratings.join(
            departments, left_on=["Cycle", "Employee ID"], right_on=["cycle", "employee_id"], how="left"
        ).select(
            cycle_id="Cycle",
            ratee_id="Employee ID",
            rater_id="Rater ID",
            source="Source",
            department_id="function",
            score=pl.col("Rating").replace_strict(POINTS, return_dtype=pl.Float64),
        )
    )


def _departments(path: Path) -> pl.DataFrame:
    chinese = "历史" in path.name
    text = path.read_bytes().decode("gb18030" if chinese else "utf-8")
    frame = pl.read_csv(text.encode(), infer_schema=False)
    frame = frame.rename({zh: en for en, zh in CHINESE_HEADERS.items()}) if chinese else frame
    half = (
        pl.when(pl.col("effective_date").str.slice(5, 2) == "01").then(pl.lit("H1")).otherwise(pl.lit("H2"))
    )
    return frame.select(
        "employee_id",
        cycle=pl.col("effective_date").str.slice(0, 4) + half,
        function=pl.col("department_id").str.split("-").list.first(),
    )


def _raters(company: demo.Demo, found: Severity) -> pl.DataFrame:
    true = pl.read_csv(company.truth.parent / "raters.csv").rename({"severity": "own"})
    return found.raters.join(true, on="rater_id").filter("manages")


def test_estimated_severities_follow_the_true_ones(company: demo.Demo, found: Severity) -> None:
    told = _raters(company, found).filter(pl.col("verdict") != "cannot_tell")
    assert len(told) >= 25
    # METHODS: .97 with four cycles and two extra raters a person; here levels are coarse.
    assert told.select(pl.corr("severity", pl.col("own") + pl.col("culture"))).item() > 0.85


def test_every_planted_lenient_and_harsh_manager_is_flagged(truth: dict[str, Any], found: Severity) -> None:
    verdicts = dict(found.raters.select("rater_id", "verdict").iter_rows())
    assert {verdicts[planted["rater_id"]] for planted in truth["lenient"]} == {"lenient"}
    assert {verdicts[planted["rater_id"]] for planted in truth["harsh"]} == {"severe"}


def test_managers_of_closed_teams_cannot_be_told(truth: dict[str, Any], found: Severity) -> None:
    verdicts = dict(found.raters.select("rater_id", "verdict").iter_rows())
    assert {verdicts[rater] for rater in truth["cannot_tell"]} == {"cannot_tell"}


def test_the_department_of_lenient_culture_is_told_from_the_one_that_works_better(
    truth: dict[str, Any], found: Severity
) -> None:
    verdicts = dict(found.departments.select("department_id", "verdict").iter_rows())
    assert verdicts[truth["culture_department"]["department_id"]] == "lenient"
    assert verdicts[truth["performance_department"]["department_id"]] == "unremarkable"


def test_managers_who_grow_softer_every_cycle_are_seen_to(found: Severity, truth: dict[str, Any]) -> None:
    planted = truth["softening"]["raters"]
    moved = drift(found, raters=found.raters["rater_id"].to_list(), order=truth["cycles"]).changes
    whole = moved.filter(pl.col("span") == "whole")
    theirs = whole.filter(pl.col("rater_id").is_in(planted))
    assert theirs.height == len(planted)
    # 0.25 points a cycle over five steps is 1.25; what is told is drawn towards no change.
    assert (theirs["change"] > 0.5).all()
    assert theirs["verdict"].to_list() == ["softer"] * len(planted)
    others = whole.filter(~pl.col("rater_id").is_in(planted))
    assert others["verdict"].is_in(["softer", "harder"]).mean() < 0.15  # type: ignore[operator]


def test_who_is_rated_well_reached_more_but_ratings_are_not_made_of_goals(
    company: demo.Demo, truth: dict[str, Any]
) -> None:
    goals, cycles, changes = (
        pl.read_csv(company.exports / f"{table}.csv", try_parse_dates=True, infer_schema_length=None)
        for table in ("goals", "review_cycles", "goal_changes")
    )
    told = json.loads((company.exports / "check_ins.json").read_text(encoding="utf-8"))
    check_ins = pl.DataFrame(told, infer_schema_length=None).with_columns(
        pl.col("checked_at").str.to_datetime("%Y-%m-%dT%H:%M:%S"),
        pl.col("value").cast(pl.Float64, strict=False),
    )
    own = goals.filter(pl.col("scope") == "individual", pl.col("due_on") >= pl.col("start_on"))
    reached = attainment(own, check_ins.drop_nulls("value"), cycles, changes=changes)
    rejected = [flaw["line"] for flaw in truth["flaws"] if flaw["file"] == "ratings.csv"]
    ratings = (
        pl.read_csv(company.exports / "ratings.csv")
        .with_row_index("line", offset=2)
        .filter(
            ~pl.col("line").is_in(rejected),
            pl.col("Source") == "manager",
            pl.col("Dimension") == "overall",
            pl.col("Stage") == "initial",
        )
        .select(
            cycle_id="Cycle",
            ratee_id="Employee ID",
            score=pl.col("Rating").replace_strict(POINTS, return_dtype=pl.Float64),
        )
    )
    both = reached.join(ratings, on=["cycle_id", "ratee_id"])
    assert len(both) > 900
    # A standard error of .03 with 1,000 people and cycles.
    assert both.select(pl.corr("attainment", "score")).item() == pytest.approx(0.26, abs=0.1)
