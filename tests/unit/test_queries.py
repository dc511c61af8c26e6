"""Reads give each viewer what is theirs to see, as things stood then, on every engine alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from data import queries
from data.acceptance import sentences
from data.access import ROLES, ROWS, Permission, Reach, Role, Viewer
from data.contracts import TABLES
from data.engine import Engine, PolarsEngine
from tests import company

HR = Viewer("local", "Head of HR", frozenset({Role.HR_LEADERSHIP}))
BEN = Viewer("ben", "Ben", frozenset({Role.MANAGER}), employee_id="ben")
DEE = Viewer("dee", "Dee", frozenset({Role.EMPLOYEE}), employee_id="dee")
PARTNER = Viewer("p", "Partner", frozenset({Role.HR_PARTNER}), departments=frozenset({company.SALES}))
STEWARD = Viewer("s", "Steward", frozenset({Role.DATA_STEWARD}))


@pytest.fixture(scope="module", params=["polars", "duckdb"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    if request.param == "polars":
        yield company.in_memory()
    else:
        yield company.in_duckdb(tmp_path_factory.mktemp("company"))


def rated(
    viewer: Viewer, engine: Engine, cycle: str = "2026H1", stage: queries.Stage = "final"
) -> pl.DataFrame:
    return queries.ratings(viewer, engine, cycle_id=cycle, source="manager", stage=stage)


def test_cycles_come_newest_first_with_their_counts(engine: Engine) -> None:
    found = queries.cycles(engine)
    assert found.select("cycle_id", "n_ratings").rows() == [("2026H1", 8), ("2025H2", 5)]


def test_todays_org_chart_does_not_rewrite_last_years(engine: Engine) -> None:
    then = rated(HR, engine, "2025H2").filter(pl.col("ratee_id") == "dee")
    now = rated(HR, engine, "2026H1").filter(pl.col("ratee_id") == "dee")
    assert (then["department_id"].item(), then["manager_id"].item()) == (company.ENGINEERING, "cai")
    assert (now["department_id"].item(), now["manager_id"].item()) == (company.NORTH, "ben")


def test_before_the_first_known_assignment_the_first_is_taken_and_marked(engine: Engine) -> None:
    stood = engine.query(lambda tables: queries.standing(tables, date(2020, 1, 1)))
    assert stood.filter(pl.col("employee_id") == "dee").select("department_id", "assumed").rows() == [
        (company.ENGINEERING, True)
    ]


def test_the_final_stage_takes_the_calibrated_rating_where_there_is_one(engine: Engine) -> None:
    first = rated(HR, engine, stage="initial").filter(pl.col("ratee_id") == "dee")["score"].to_list()
    final = rated(HR, engine, stage="final").filter(pl.col("ratee_id") == "dee")["score"].to_list()
    assert (first, final) == ([4.0], [2.0])


def test_hr_leadership_reads_the_whole_company(engine: Engine) -> None:
    assert rated(HR, engine)["ratee_id"].to_list() == ["dee", "eli", "fay", "gus", "hua"]


def test_an_hr_partner_reads_their_departments_and_all_below(engine: Engine) -> None:
    assert rated(PARTNER, engine)["ratee_id"].to_list() == ["dee", "eli", "fay"]


def test_an_hr_partner_does_not_follow_people_back_into_their_old_department(engine: Engine) -> None:
    # In 2025H2 Dee was in Engineering, which is not the partner's.
    assert rated(PARTNER, engine, "2025H2")["ratee_id"].to_list() == ["eli", "fay"]


def test_a_manager_reads_those_below_them_at_the_time(engine: Engine) -> None:
    assert rated(BEN, engine)["ratee_id"].to_list() == ["dee", "eli", "fay"]
    assert rated(BEN, engine, "2025H2")["ratee_id"].to_list() == ["eli", "fay"]


def test_an_employee_reads_no_distribution(engine: Engine) -> None:
    with pytest.raises(queries.RefusedError, match="see_distributions"):
        rated(DEE, engine)


def test_a_data_steward_reads_no_rating_and_no_goal(engine: Engine) -> None:
    with pytest.raises(queries.RefusedError):
        rated(STEWARD, engine)
    with pytest.raises(queries.RefusedError):
        queries.goals(STEWARD, engine)


def test_employees_see_their_own_ratings_but_not_what_peers_said(engine: Engine) -> None:
    mine = queries.own_ratings(DEE, engine)
    assert mine.select("cycle_id", "source", "score").rows() == [
        ("2026H1", "manager", 2.0),
        ("2026H1", "self", 5.0),
        ("2025H2", "manager", 3.0),
    ]


def test_a_viewer_without_an_employee_id_owns_nothing(engine: Engine) -> None:
    assert queries.own_ratings(HR, engine).is_empty()
    assert queries.own_goals(HR, engine).is_empty()


def test_company_goals_are_everybodys_and_others_only_within_reach(engine: Engine) -> None:
    assert queries.goals(HR, engine)["goal_id"].to_list() == ["g0", "g1", "g2", "g3"]
    assert queries.goals(BEN, engine)["goal_id"].to_list() == ["g0", "g2"]
    assert queries.goals(PARTNER, engine)["goal_id"].to_list() == ["g0", "g1", "g2"]
    assert queries.check_ins(PARTNER, engine)["goal_id"].to_list() == ["g2"]


def test_names_are_given_only_of_those_within_reach(engine: Engine) -> None:
    assert set(queries.names(BEN, engine)) == {"ben", "dee", "eli", "fay"}
    assert set(queries.names(DEE, engine)) == {"dee"}
    assert len(queries.names(HR, engine)) == 8


def test_two_people_of_one_name_are_told_apart_by_their_id() -> None:
    frames = company.frames()
    frames["employees"] = frames["employees"].with_columns(
        display_name=pl.when(pl.col("employee_id").is_in(["gus", "hua"]))
        .then(pl.lit("Gus"))
        .otherwise("display_name")
    )
    named = queries.names(HR, PolarsEngine(frames))
    assert (named["gus"], named["hua"], named["fay"]) == ("Gus (gus)", "Gus (hua)", "Fay")


def test_the_model_read_holds_the_company_and_only_leaders_initial_ratings(engine: Engine) -> None:
    found = queries.model_ratings(
        engine, cycle_ids=["2025H2", "2026H1"], rating_sources=queries.LEADER_SOURCES
    )
    assert found.height == 10
    assert set(found.columns) == {
        *("cycle_id", "ratee_id", "rater_id", "source", "score", "level", "department_id", "scale_id"),
    }


def test_what_was_judged_one_by_one_never_holds_the_overall_rating() -> None:
    frames = company.frames()
    one = frames["ratings"].filter(pl.col("rater_id") == "ben")[:1].with_columns(dimension=pl.lit("quality"))
    engine = PolarsEngine(frames | {"ratings": pl.concat([frames["ratings"], one])}, version="dimension")
    cycles, wanted = ["2025H2", "2026H1"], queries.LEADER_SOURCES
    found = queries.model_dimension_ratings(engine, cycle_ids=cycles, rating_sources=wanted)
    assert found["dimension"].to_list() == ["quality"]
    overall = queries.model_ratings(engine, cycle_ids=cycles, rating_sources=wanted)
    without = queries.model_ratings(company.in_memory(), cycle_ids=cycles, rating_sources=wanted)
    assert_frame_equal(overall, without)


def test_goals_as_evidence_have_an_owner_and_no_title(engine: Engine) -> None:
    found = queries.model_goals(engine)
    assert found["owner_id"].null_count() == 0
    assert "title" not in found.columns
    assert set(queries.model_check_ins(engine)["goal_id"]) <= set(found["goal_id"])
    assert set(queries.model_goal_changes(engine)["goal_id"]) <= set(found["goal_id"])


def test_the_goals_models_read_are_all_there_are_without_titles(engine: Engine) -> None:
    found = queries.every_goal(engine)
    assert "title" not in found.columns
    assert set(found["goal_id"]) == set(queries.goals(HR, engine)["goal_id"])
    assert queries.every_check_in(engine).equals(queries.check_ins(HR, engine))
    assert queries.every_goal_change(engine).equals(queries.goal_changes(HR, engine))
    assert queries.every_goal_alignment(engine).equals(queries.goal_alignments(HR, engine))


def test_groups_are_those_of_the_time_and_protected_ones_open_only_with_that_permission(
    engine: Engine,
) -> None:
    cycles = ["2025H2", "2026H1"]
    found = queries.model_ratee_groups(HR, engine, cycle_ids=cycles)
    dee = found.filter(pl.col("ratee_id") == "dee")
    assert dee["department_id"].to_list() == [company.ENGINEERING, company.NORTH]
    assert found.filter(pl.col("ratee_id") == "ada")["gender"].unique().to_list() == ["female"]
    closed = queries.model_ratee_groups(PARTNER, engine, cycle_ids=cycles)
    assert closed["gender"].null_count() == closed.height


def test_a_raters_evidence_sets_each_ratee_beside_what_others_gave(engine: Engine) -> None:
    found = queries.beside_others(HR, engine, rater_id="ben", rating_sources=queries.LEADER_SOURCES)
    dee = found.filter(pl.col("ratee_id") == "dee").row(0, named=True)
    assert (dee["given"], dee["n_others"], dee["others"]) == (4.0, 1, 3.0)
    eli = found.filter(pl.col("ratee_id") == "eli").row(0, named=True)
    assert (eli["n_given"], eli["n_others"], eli["others"]) == (2, 0, None)


def test_an_unnamed_panel_is_nobodys_severity() -> None:
    # Dee's peers' average, 1.0, among manager's ratings, so that only the panel can keep it out.
    frames = company.frames()
    panel = (
        frames["ratings"]
        .filter(pl.col("cycle_id") == "2026H1", pl.col("ratee_id") == "dee", pl.col("rater_id") == "ben")[:1]
        .with_columns(rater_id=pl.lit("panel:manager:dee"), score=1.0)
    )
    with_panel = PolarsEngine(frames | {"ratings": pl.concat([frames["ratings"], panel])}, version="panel")
    wanted = queries.LEADER_SOURCES
    for read in (
        lambda e: queries.model_ratings(e, cycle_ids=["2025H2", "2026H1"], rating_sources=wanted),
        lambda e: queries.beside_others(HR, e, rater_id="ben", rating_sources=wanted),
    ):
        assert_frame_equal(read(with_panel), read(company.in_memory()))


def test_the_data_are_of_their_last_day(engine: Engine) -> None:
    assert queries.latest_day(engine) == date(2026, 7, 12)


def test_a_department_holds_all_below_it(engine: Engine) -> None:
    tree = queries.departments(engine, on=date(2026, 6, 30))
    assert tree.below(company.SALES) == {company.SALES, company.NORTH}
    assert tree.path(company.NORTH) == (company.ROOT, company.SALES, company.NORTH)
    assert tree.outline() == [company.ROOT, company.ENGINEERING, company.SALES, company.NORTH]


def test_a_company_with_one_root_still_falls_into_its_parts(engine: Engine) -> None:
    tree = queries.departments(engine, on=date(2026, 6, 30))
    assert tree.branches(None)[company.NORTH] == company.SALES
    assert tree.branches(company.SALES) == {company.SALES: company.SALES, company.NORTH: company.NORTH}


READS: dict[Permission, Callable[[Viewer, Engine], object]] = {
    Permission.SEE_DISTRIBUTIONS: rated,
    Permission.SEE_LENIENCY: lambda v, e: queries.visible_raters(v, e, on=date(2026, 6, 30)),
    Permission.SEE_GOALS: queries.goals,
    Permission.SEE_OWN: queries.own_goals,
}


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("permission", list(READS))
def test_a_read_answers_exactly_the_roles_that_hold_its_permission(
    role: Role, permission: Permission
) -> None:
    viewer = Viewer("x", "X", frozenset({role}), employee_id="ben", departments=frozenset({company.SALES}))
    read = READS[permission]
    if permission in ROLES[role].permissions:
        read(viewer, company.in_memory())
    else:
        with pytest.raises(queries.RefusedError):
            read(viewer, company.in_memory())


def test_both_engines_return_the_same_rows(tmp_path: Path) -> None:
    embedded, memory = company.in_duckdb(tmp_path), company.in_memory()
    for viewer in (HR, PARTNER, BEN):
        assert_frame_equal(rated(viewer, embedded), rated(viewer, memory))
    assert_frame_equal(queries.goals(HR, embedded), queries.goals(HR, memory), check_column_order=False)


def test_every_table_says_who_may_read_its_rows_in_files() -> None:
    assert set(ROWS) == set(TABLES)


def test_a_chain_of_departments_longer_than_calls_may_nest_has_an_outline() -> None:
    # 1,500 departments, each under the one before; Python nests some 1,000 calls.
    chain = [f"d{at:04}" for at in range(1_500)]
    tree = queries.Departments(
        pl.DataFrame({"department_id": chain, "name": chain, "parent_id": [None, *chain[:-1]]})
    )
    assert tree.outline() == chain


def refused_rows() -> pl.DataFrame:
    """One rejected row each of pay, of ratings, of a goal, and one whose fields slipped."""
    quoted = json.dumps({"column": "score", "value": "A+", "levels": "S, A, B"})
    return pl.DataFrame(
        [
            ("pay", "salary", "a lot", "{column} must be a number.", json.dumps({"column": "salary"})),
            ("ratings", "score", "A+", "“{value}” is no {column} ({levels}).", quoted),
            ("goals", "weight", "half", "{column} must be a number.", json.dumps({"column": "weight"})),
            ("", "", "52000", "The row has more fields than the header.", "{}"),
        ],
        schema=["table", "column", "value", "message", "values"],
        orient="row",
    )


@pytest.mark.parametrize(
    ("roles", "seen"),
    [
        ({Role.HR_LEADERSHIP}, ["a lot", "A+", "half", "52000"]),
        ({Role.DATA_STEWARD}, [None, None, None, None]),
        ({Role.HR_PARTNER}, [None, None, None, None]),
        ({Role.DATA_STEWARD, Role.COMMITTEE_FACILITATOR}, [None, None, None, None]),
        ({Role.DATA_STEWARD, Role.EXECUTIVE}, [None, None, "half", None]),
    ],
)
def test_what_stood_in_a_rejected_row_is_open_only_with_its_permission_for_the_whole_company(
    roles: set[Role], seen: list[str | None]
) -> None:
    viewer = Viewer("x", "X", frozenset(roles), departments=frozenset({company.ROOT}))
    found = queries.blanked(viewer, refused_rows())
    assert found["value"].to_list() == seen
    assert ("A+" in str(found["values"].to_list())) is (seen[1] is not None)


def test_a_blanked_reason_still_says_what_was_expected() -> None:
    found = queries.blanked(STEWARD, refused_rows())
    assert sentences(found).to_list()[1] == "“…” is no score (S, A, B)."


@pytest.mark.parametrize("role", [role for role in Role if Permission.IMPORT in ROLES[role].permissions])
def test_nobody_bound_to_departments_changes_the_data_of_the_company(role: Role) -> None:
    assert ROLES[role].reach in {Reach.COMPANY, Reach.NOBODY}


def test_whose_goals_a_viewer_may_look_at_follows_their_reach(engine: Engine) -> None:
    on = date(2026, 6, 30)
    assert queries.visible_goal_owners(HR, engine, on=on) is None
    # Everybody below Ben, and nobody else.
    assert queries.visible_goal_owners(BEN, engine, on=on) == queries.visible_ratees(BEN, engine, on=on)
    with pytest.raises(queries.RefusedError):
        queries.visible_goal_owners(DEE, engine, on=on)
