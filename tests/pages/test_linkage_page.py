"""The page on comparability shows to each reader what is theirs to know."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from analytics.severity.linkage.graph import linkage
from data import demo, queries
from data.access import Role
from data.importing import run_import
from data.sign_in import local_viewer
from data.warehouse import Warehouse
from tests.pages.conftest import Open, words

PAGE = "pages/fairness/linkage.py"


def test_every_rater_who_cannot_be_compared_is_listed_with_a_review_that_helps(
    open_app: Open, demo_home: Path
) -> None:
    app = open_app(demo_home, PAGE)
    assert not app.exception
    plan, apart = app.dataframe[0].value, app.dataframe[1].value
    engine = Warehouse(demo_home).open()
    rows = queries.model_ratings(
        engine,
        cycle_ids=tuple(queries.cycles(engine)["cycle_id"]),
        rating_sources=queries.LEADER_SOURCES,
    )
    links = linkage(rows)
    many = links.raters.filter((pl.col("component") > 1) & (pl.col("n_ratees") >= 5)).height
    assert (apart["Why"] == "Nobody else rated their people").sum() == many
    assert plan["What it does"].str.startswith("links").sum() == links.components.height - 1
    assert f"{many} cannot, because nobody else ever rated any of the people they rated." in words(app)


def test_a_partner_reads_no_name_from_beyond_their_departments(open_app: Open, demo_home: Path) -> None:
    app = open_app(demo_home, PAGE, role="hr_partner")
    assert not app.exception
    engine = Warehouse(demo_home).open()
    everybody = queries.names(local_viewer(Role.HR_LEADERSHIP), engine)
    tree = queries.departments(engine, on=queries.latest_day(engine) or date.max)
    department = next(d for d in tree.outline() if len(tree.path(d)) > 1)
    partner = local_viewer(Role.HR_PARTNER, departments=frozenset({department}))
    own = queries.names(partner, engine)
    others = {name for person, name in everybody.items() if person not in own} - set(own.values())
    shown = {str(cell) for table in app.dataframe for column in table.value for cell in table.value[column]}
    assert shown & set(own.values())
    assert not any(name in cell for cell in shown for name in others)
    # Whoever was theirs when the newest cycle ended, and has left since, goes by their id.
    theirs = queries.visible_raters(partner, engine, on=date(2026, 6, 30)) or frozenset()
    beyond = everybody.keys() - own.keys() - theirs
    assert not [cell for cell in shown if beyond & set(cell.replace("(", "").replace(")", "").split())]


def test_of_departments_beyond_reach_the_map_shows_the_name_alone(open_app: Open, demo_home: Path) -> None:
    def told(app: AppTest) -> dict[str, str]:
        spec = json.loads(app.get("plotly_chart")[0].proto.spec)
        labels = [note["text"].split("<br>") for note in spec["layout"]["annotations"]]
        return {name.removeprefix("<b>").removesuffix("</b>"): share for name, share in labels}

    everything = told(open_app(demo_home, PAGE))
    assert len(everything) == 7
    assert all(share.endswith("comparable") for share in everything.values())
    within = told(open_app(demo_home, PAGE, department="SRV"))
    assert [name for name, share in within.items() if share] == ["Service"]
    assert len(within) == 7


@pytest.mark.parametrize("role", ["executive", "auditor"])
def test_the_people_who_make_links_are_for_those_who_see_individual_ratings(
    open_app: Open, demo_home: Path, role: str
) -> None:
    assert "The people who make the links" in words(open_app(demo_home, PAGE))
    app = open_app(demo_home, PAGE, role=role)
    assert not app.exception
    assert "The people who make the links" not in words(app)


def test_two_reviews_for_each_group_are_in_the_link(open_app: Open, demo_home: Path) -> None:
    one, two = open_app(demo_home, PAGE), open_app(demo_home, PAGE, links="two")
    told = two.dataframe[0].value["What it does"]
    joins = one.dataframe[0].value["What it does"].str.startswith("links").sum()
    assert (told == "keeps this from hanging on one person").sum() == joins > 0


def test_one_cycle_with_one_manager_each_is_refused_with_a_plan(open_app: Open, tmp_path: Path) -> None:
    made = demo.write(tmp_path / "demo", size="small")
    exports = tmp_path / "exports"
    exports.mkdir()
    for file in made.exports.iterdir():
        if file.name.startswith(("roster", "departments", "rating_scales", "scale_levels", "review_cycles")):
            (exports / file.name).write_bytes(file.read_bytes())
    rows = pl.read_csv(made.exports / "ratings.csv", infer_schema=False)
    rows = rows.filter(pl.col("Cycle") == "2026H1", pl.col("Source") == "manager")
    rows.write_csv(exports / "ratings.csv")
    run_import([exports], home=tmp_path, as_of=demo.AS_OF, now=datetime(2026, 10, 1, tzinfo=UTC))
    app = open_app(tmp_path, PAGE)
    assert not app.exception
    said = words(app)
    assert "No two raters can be compared: nobody was rated by more than one of them" in said
    assert "extra reviews to connect everybody" in said
    plan = app.dataframe[0].value
    assert list(plan["Connected then"]) == list(range(2, len(plan) + 2))
    assert "each of these raters would have to rate at least 5 people" in said.lower()
    assert plan["Whom"].value_counts().max() == 1
    # Without a fit it is not known how many reviews each takes.
    assert "Reviews needed" not in plan.columns
    help_words = app.dataframe[1].value["What would help"]
    assert help_words.str.startswith(("Has to rate at least 5 more people, ", "Reviews of their")).all()


@pytest.mark.parametrize(
    ("role", "told"),
    [
        ("hr_leadership", "The page Data says why"),
        ("executive", "Somebody with the right to load data can see why."),
    ],
)
def test_ratings_that_were_all_rejected_are_counted_with_where_to_see_why(
    open_app: Open, tmp_path: Path, role: str, told: str
) -> None:
    exports = tmp_path / "exports"
    exports.mkdir()
    (exports / "ratings.csv").write_text(
        "rater_id,ratee_id,score,cycle\nm1,a1,4,2025\nm1,a2,3,2025\nm2,a1,5,2025\n", encoding="utf-8"
    )
    answers = {
        "ratings.source": "manager",
        "scale": ("1", "2", "3", "4", "5"),
        "cycle_dates": "2025-01-01 … 2025-12-31",
    }
    run_import([exports], home=tmp_path, as_of=None, now=datetime(2026, 10, 1, tzinfo=UTC), answers=answers)
    app = open_app(tmp_path, PAGE, role=role)
    assert not app.exception
    assert "None of the ratings could be loaded" in words(app)
    assert "3 ratings were rejected." in words(app)
    assert told in words(app)
    assert bool(app.get("page_link")) is (role == "hr_leadership")
