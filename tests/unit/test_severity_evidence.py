"""Ratings beside evidence: what it explains, whom it moves, and where it takes out too much."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import lru_cache

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analytics.disclosure import Released, release
from analytics.language import Language
from analytics.severity import evidence_chart
from analytics.severity.evidence import Evidence, evidence
from analytics.severity.linear import severity

EN = Language("en")
SOURCES = ("manager", "skip_level", "cross_department")


@lru_cache(maxsize=8)
def made(
    seed: int = 1,
    *,
    teams_differ: float = 0.0,
    goals_follow_work: float = 0.0,
    goals_follow_leniency: float = 0.0,
    peers_follow_work: bool = True,
    second: float = 0.1,
    lenient_sd: float = 0.35,
    soft_department: float = 0.0,
    good_department: float = 0.0,
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, dict[str, float]]:
    """Ratings, attainment, ratings by peers, and true severities of a company of 400 people.

    Managers rate ten people each; few are rated by a second one. Teams may differ in their work; goals may
    follow the work, or the manager's leniency, or nothing.
    """
    rng = np.random.default_rng(seed)
    people, raters, cycles = 400, 40, 2
    manager = np.arange(people) % raters
    where = manager % 4
    work = 0.5 * rng.standard_normal(people) + teams_differ * rng.standard_normal(raters)[manager]
    work += np.where(where == 1, good_department, 0.0)
    lenient = lenient_sd * rng.standard_normal(raters)
    culture = np.where(np.arange(4) == 2, soft_department, 0.0)
    rows, goals, peers = [], [], []
    for cycle in range(cycles):
        asked = np.flatnonzero(rng.random(people) < second)
        others = rng.integers(0, raters, asked.size)
        others = np.where(others == manager[asked], (others + 1) % raters, others)
        for ratee, rater, source in (
            (np.arange(people), manager, "manager"),
            (asked, others, "cross_department"),
        ):
            score = 3 + work[ratee] + lenient[rater] + culture[rater % 4]
            score += 0.5 * rng.standard_normal(ratee.size)
            rows += list(zip([cycle] * ratee.size, ratee, rater, [source] * ratee.size, score, strict=True))
        pieces = 0.6 + goals_follow_work * work + goals_follow_leniency * lenient[manager]
        several = pieces[:, None] + 0.1 * rng.standard_normal((people, 3))
        goals.append(
            pl.DataFrame(
                {
                    "cycle_id": [f"c{cycle}"] * people,
                    "ratee_id": [f"p{i:03}" for i in range(people)],
                    "attainment": several.mean(axis=1),
                    "n_goals": [3] * people,
                    "n_unknown": [0] * people,
                    "pieces": [3.0] * people,
                    "inside": several.var(axis=1, ddof=1),
                }
            )
        )
        for _ in range(3):
            judge = (np.arange(people) + 4 * rng.integers(1, 90, people)) % people
            score = 3 + work * peers_follow_work + culture[where] + 0.7 * rng.standard_normal(people)
            peers += list(zip([cycle] * people, range(people), judge, ["peer"] * people, score, strict=True))

    def frame(given: list[tuple[int, int, int, str, float]], prefix: str) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "cycle_id": [f"c{row[0]}" for row in given],
                "ratee_id": [f"p{row[1]:03}" for row in given],
                "rater_id": [f"{prefix}{row[2]:03}" for row in given],
                "source": [row[3] for row in given],
                "department_id": [f"d{where[row[1]]}" for row in given],
                "score": [float(row[4]) for row in given],
            }
        )

    truth = {f"m{i:03}": float(b) + float(culture[i % 4]) for i, b in enumerate(lenient)}
    return frame(rows, "m"), pl.concat(goals), frame(peers, "p"), truth


def found_in(company: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, dict[str, float]]) -> Evidence:
    ratings, attained, peers, _ = company
    return evidence(ratings, attained=attained, others=peers, sources=SOURCES)


def of(found: Evidence, kind: str) -> dict[str, object]:
    return found.kinds.row(by_predicate=pl.col("kind") == kind, named=True)


def shown(found: Evidence, kind: str) -> Released[Evidence]:
    this = pl.col("kind") == kind
    one = Evidence(
        kinds=found.kinds.filter(this),
        people=found.people.filter(this),
        departments=found.departments.filter(this),
        raters=found.raters.filter(this),
        beside=found.beside.filter(this),
        practical=found.practical,
        refusal=found.refusal,
    )
    return release(one, as_of=date(2026, 6, 30))


def error(found: Evidence, kind: str, truth: dict[str, float], column: str) -> float:
    """Root mean square error of severities about the true ones, both from their means."""
    beside = found.beside.filter(pl.col("kind") == kind, pl.col(column).is_not_null())
    said = beside[column].to_numpy()
    true = np.array([truth[one] for one in beside["rater_id"]])
    return float(np.sqrt(np.mean((said - said.mean() - true + true.mean()) ** 2)))


def slope(found: Evidence, kind: str, truth: dict[str, float], column: str) -> float:
    """How much of a true severity is found on average."""
    beside = found.beside.filter(pl.col("kind") == kind, pl.col(column).is_not_null())
    true = np.array([truth[one] for one in beside["rater_id"]])
    return float(np.polyfit(true, beside[column].to_numpy(), 1)[0])


def test_where_teams_truly_work_differently_the_evidence_moves_severity_towards_the_truth() -> None:
    # Few second ratings, so that good teams pass for lenient managers; goals follow the work.
    company = made(teams_differ=0.5, goals_follow_work=0.3)
    found = found_in(company)
    without = error(found, "goals", company[3], "severity")
    beside = error(found, "goals", company[3], "severity_with")
    assert beside < 0.8 * without


def test_where_goals_are_scored_by_the_same_soft_hand_the_evidence_takes_out_true_leniency() -> None:
    company = made(goals_follow_work=0.1, goals_follow_leniency=0.5)
    found = found_in(company)
    without = slope(found, "goals", company[3], "severity")
    beside = slope(found, "goals", company[3], "severity_with")
    assert without > 0.6
    assert beside < 0.5 * without
    # And the page says so, with how much of the evidence lies between raters' teams.
    assert of(found, "goals")["between"] > 0.2  # type: ignore[operator]
    said = evidence_chart.warning(shown(found, "goals"), EN)
    assert "takes out the very leniency" in said
    assert "between raters' teams" in said


def test_evidence_that_has_nothing_to_do_with_ratings_says_so_and_flags_nobody() -> None:
    found = found_in(made())
    goals = of(found, "goals")
    assert goals["explained"] < 0.02  # type: ignore[operator]
    assert goals["telling"] is False
    assert not found.departments.filter(pl.col("kind") == "goals")["stands_out"].any()
    assert not found.raters.filter(pl.col("kind") == "goals")["stands_out"].any()
    said = evidence_chart.takeaway(shown(found, "goals"), EN)
    assert "cannot say who is rated too high" in said


def test_evidence_that_follows_the_work_is_telling() -> None:
    feedback = of(found_in(made()), "feedback")
    assert feedback["telling"] is True
    assert feedback["slope_low"] > 0  # type: ignore[operator]


def test_reliability_is_found_from_how_much_peers_disagree() -> None:
    # Three peers with an error of .7 each about work of deviation .5: .25 / (.25 + .49 / 3) = .605.
    feedback = of(found_in(made()), "feedback")
    assert feedback["reliability"] == pytest.approx(0.605, abs=0.06)


def test_better_work_in_a_department_leaves_no_gap_though_evidence_is_uncertain() -> None:
    found = found_in(made(2, good_department=0.8))
    gap = found.departments.filter(kind="feedback", department_id="d1").row(0, named=True)
    assert gap["low"] < 0.0 < gap["high"] or abs(gap["gap"]) < 0.1
    # The plain slope would leave some .8 * (1 - .6) / (4 / 3) of it.
    plain = found.people.filter(pl.col("kind") == "feedback", pl.col("department_id") == "d1")["gap"].mean()
    assert isinstance(plain, float)
    assert plain > abs(gap["gap"]) + 0.05


def test_a_department_that_is_rated_softly_stands_out_unless_its_peers_share_the_culture() -> None:
    ratings, attained, peers, _ = made(3, soft_department=0.6)
    # Peers who do not share it.
    fair = peers.with_columns(
        (pl.col("score") - pl.when(pl.col("department_id") == "d2").then(0.6).otherwise(0.0)).alias("score")
    )
    apart = evidence(ratings, attained=attained, others=fair, sources=SOURCES)
    gap = apart.departments.filter(kind="feedback", department_id="d2").row(0, named=True)
    assert gap["stands_out"]
    assert gap["gap"] == pytest.approx(0.6 * 0.75, abs=0.15)
    assert "above what the same evidence gets" in evidence_chart.takeaway(shown(apart, "feedback"), EN)
    shared = evidence(ratings, attained=attained, others=peers, sources=SOURCES)
    hidden = shared.departments.filter(kind="feedback", department_id="d2").row(0, named=True)
    assert abs(hidden["gap"]) < 0.5 * gap["gap"]
    assert "share its culture" in evidence_chart.warning(shown(shared, "feedback"), EN)


def test_intervals_of_departments_without_a_true_gap_cover_nought_19_times_in_20() -> None:
    covered = []
    for seed in range(10, 40):
        ratings, attained, peers, _ = made(seed, lenient_sd=0.0, good_department=0.5)
        # Managers who cannot be told apart: only the gaps are asked for.
        once = ratings.filter(pl.col("source") == "manager")
        found = evidence(once, attained=attained, others=peers, sources=SOURCES)
        gaps = found.departments.filter(kind="feedback")
        covered += ((gaps["low"] <= 0) & (gaps["high"] >= 0)).to_list()
    # 120 intervals: 95 % less three binomial errors of 2 %.
    assert np.mean(covered) > 0.89


def test_ones_own_rating_is_no_evidence_about_itself() -> None:
    ratings, attained, peers, _ = made()
    # The manager of p000 also gave it as a peer: that judgement must not count beside the manager's rating.
    extra = peers.head(1).with_columns(
        pl.lit("p000").alias("ratee_id"), pl.lit("m000").alias("rater_id"), pl.lit(9.0).alias("score")
    )
    plain = evidence(ratings, attained=attained, others=peers, sources=SOURCES)
    more = evidence(ratings, attained=attained, others=pl.concat([peers, extra]), sources=SOURCES)

    def beside(found: Evidence, rater: str) -> float:
        mine = found.people.filter(kind="feedback", cycle_id="c0", ratee_id="p000", rater_id=rater)
        return float(mine["evidence"][0])

    # All moves with the mean of the cycle, by 6 / 1201 at most; an own judgement of 9 would move it by 1.5.
    assert beside(more, "m000") == pytest.approx(beside(plain, "m000"), abs=0.01)


def test_sources_that_are_compared_are_no_evidence() -> None:
    ratings, attained, peers, _ = made()
    own = evidence(ratings, attained=attained, others=ratings, sources=SOURCES)
    assert of(own, "feedback")["why"] == "none"
    assert "No other source judged these people" in evidence_chart.takeaway(shown(own, "feedback"), EN)
    everybody = evidence(
        pl.concat([ratings, peers]), attained=attained, others=peers, sources=(*SOURCES, "peer")
    )
    assert of(everybody, "feedback")["why"] == "none"


def test_who_has_no_goals_is_unknown_and_stays_in_the_severity_fit() -> None:
    company = made(teams_differ=0.5, goals_follow_work=0.3)
    ratings, attained, peers, _ = company
    half = attained.filter(pl.col("ratee_id") < "p200")
    found = evidence(ratings, attained=half, others=peers, sources=SOURCES)
    goals = of(found, "goals")
    assert goals["n_people"] == 200
    assert goals["n_known"] < goals["n_ratings"] == ratings.height  # type: ignore[operator]
    beside = found.beside.filter(kind="goals")
    assert beside["severity_with"].null_count() == beside["severity"].null_count() == 0
    assert found.people.filter(kind="goals")["ratee_id"].max() < "p200"  # type: ignore[operator]


def test_without_any_goals_it_says_that_there_are_none() -> None:
    ratings, attained, peers, _ = made()
    found = evidence(ratings, attained=attained.clear(), others=peers, sources=SOURCES)
    assert of(found, "goals")["why"] == "none"
    assert "Nobody's goals are known" in evidence_chart.takeaway(shown(found, "goals"), EN)


def test_evidence_about_few_people_or_the_same_for_all_says_nothing() -> None:
    ratings, attained, peers, _ = made()
    few = evidence(
        ratings, attained=attained.filter(pl.col("ratee_id") < "p010"), others=peers, sources=SOURCES
    )
    assert of(few, "goals")["why"] == "few"
    same = evidence(
        ratings,
        attained=attained.with_columns(pl.lit(1.0).alias("attainment")),
        others=peers,
        sources=SOURCES,
    )
    assert of(same, "goals")["why"] == "constant"
    for found in (few, same):
        assert evidence_chart.takeaway(shown(found, "goals"), EN)


def test_where_severity_is_refused_the_gaps_still_stand_and_the_refusal_is_said() -> None:
    company = made(second=0.0)
    ratings = company[0].filter(pl.col("cycle_id") == "c0")
    found = evidence(ratings, attained=company[1], others=company[2], sources=SOURCES)
    assert found.refusal is not None
    assert found.beside.is_empty()
    assert found.departments["gap"].null_count() == 0
    assert "cannot tell who rates leniently" in evidence_chart.takeaway(shown(found, "feedback"), EN)


def test_a_severity_at_hand_gives_the_same_as_one_fitted_here() -> None:
    ratings, attained, peers, _ = made()
    given = evidence(
        ratings, attained=attained, others=peers, sources=SOURCES, without=severity(ratings, sources=SOURCES)
    )
    assert_frame_equal(given.beside, found_in(made()).beside, abs_tol=1e-6)


def test_the_order_of_rows_does_not_matter() -> None:
    ratings, attained, peers, _ = made()
    mixed = evidence(
        ratings.sample(fraction=1.0, shuffle=True, seed=1),
        attained=attained.sample(fraction=1.0, shuffle=True, seed=2),
        others=peers.sample(fraction=1.0, shuffle=True, seed=3),
        sources=SOURCES,
    )
    plain = found_in(made())
    assert_frame_equal(mixed.departments, plain.departments, abs_tol=1e-9)
    assert_frame_equal(mixed.people, plain.people, abs_tol=1e-9)


def with_verdicts(*rows: tuple[str, str, bool]) -> Released[Evidence]:
    """Feedback beside severities of which only the readings without and with it, and whether moved, count."""
    found = shown(found_in(made()), "feedback")
    beside = found.value.beside.head(len(rows)).with_columns(
        pl.Series("verdict", [row[0] for row in rows]),
        pl.Series("verdict_with", [row[1] for row in rows]),
        pl.Series("moved", [row[2] for row in rows]),
    )
    return replace(found, value=replace(found.value, beside=beside))


def test_a_reading_that_changes_within_half_a_standard_error_has_not_moved() -> None:
    ratings, attained, peers, _ = made(teams_differ=0.5, goals_follow_work=0.3)
    plain = severity(ratings, sources=SOURCES)
    found = evidence(ratings, attained=attained, others=peers, sources=SOURCES, without=plain)
    beside = found.beside.join(plain.raters.select("rater_id", "standard_error"), on="rater_id")
    changed = beside.filter(pl.col("verdict") != pl.col("verdict_with"))
    far = changed["change"].abs() > 0.5 * changed["standard_error"]
    assert changed["moved"].to_list() == far.to_list()
    assert far.any()
    assert not beside.filter(pl.col("verdict") == pl.col("verdict_with"))["moved"].any()


def test_raters_just_at_the_bar_are_no_finding() -> None:
    same, bar = ("lenient", "lenient", False), ("unremarkable", "lenient", False)
    found = with_verdicts(same, bar)
    assert not evidence_chart.matters(found)
    said = evidence_chart.changes(found, EN)
    assert said.startswith("The evidence changes nothing that matters: the same raters stand out.")
    assert "1 rater lies just at the bar" in said
    assert "flags" not in said
    nobody = with_verdicts(("unremarkable", "unremarkable", False))
    assert "no rater stands out" in evidence_chart.changes(nobody, EN)


def test_readings_that_truly_move_are_counted_apart_from_those_at_the_bar() -> None:
    found = with_verdicts(
        ("lenient", "unremarkable", True),
        ("severe", "severe", False),
        ("unremarkable", "severe", True),
        ("unremarkable", "lenient", False),
    )
    said = evidence_chart.changes(found, EN)
    assert "1 of the 2 flags on raters would fall away and 1 would be new" in said
    assert "1 rater lies just at the bar" in said
    # And none of it stands in the finding a second time.
    assert "flags" not in evidence_chart.takeaway(found, EN)


def test_one_kind_of_evidence_can_be_looked_at_without_the_other() -> None:
    ratings, attained, peers, _ = made()
    one = evidence(ratings, attained=attained, others=peers, sources=SOURCES, kinds=("feedback",))
    assert one.kinds["kind"].to_list() == ["feedback"]
    both = found_in(made())
    assert_frame_equal(one.beside, both.beside.filter(kind="feedback"), abs_tol=1e-9)
    with pytest.raises(ValueError, match="kinds must be of goals, feedback"):
        evidence(ratings, attained=attained, others=peers, sources=SOURCES, kinds=("pay",))


def test_small_teams_and_departments_are_hidden() -> None:
    ratings, attained, peers, _ = made()
    few = ratings.with_columns(
        pl.when(pl.col("ratee_id") < "p003")
        .then(pl.lit("tiny"))
        .otherwise("department_id")
        .alias("department_id")
    )
    found = evidence(few, attained=attained, others=peers, sources=SOURCES)
    tiny = shown(found, "feedback").value.departments.filter(department_id="tiny")
    assert tiny.select("gap", "n_people", "n_ratings").row(0) == (None, None, None)
    assert "n_people" in tiny.columns
    # Rows without numbers are left out of the table and counted in words.
    table = evidence_chart.group_rows(shown(found, "feedback"), EN, by="department_id")
    assert "tiny" not in table["Department"]
    assert table.height == found.departments.filter(kind="feedback").height - 1
    said = evidence_chart.departments_left_out(shown(found, "feedback"), EN)
    assert said == "1 department with ratings of fewer than 5 people is left out."
    assert evidence_chart.departments_left_out(shown(found_in(made()), "feedback"), EN) == ""


def test_raters_of_few_people_are_counted_as_raters() -> None:
    ratings, attained, peers, _ = made()
    # Two more raters of one person each.
    extra = ratings.head(2).with_columns(pl.Series("rater_id", ["x1", "x2"]))
    found = evidence(pl.concat([ratings, extra]), attained=attained, others=peers, sources=SOURCES)
    said = evidence_chart.raters_left_out(shown(found, "feedback"), EN)
    assert said == "2 raters of fewer than 5 people each are left out."


def test_self_ratings_are_not_compared_and_not_evidence() -> None:
    ratings, attained, peers, _ = made()
    with pytest.raises(ValueError, match="never 'self'"):
        evidence(ratings, attained=attained, others=peers, sources=("self",))
    own = peers.with_columns(pl.lit("self").alias("source"), pl.col("ratee_id").alias("rater_id"))
    found = evidence(ratings, attained=attained, others=own, sources=SOURCES)
    assert of(found, "feedback")["why"] == "none"


def test_pictures_draw_what_is_shown_and_say_why_they_draw_nothing() -> None:
    found = found_in(made())
    feedback = shown(found, "feedback")
    fig = evidence_chart.departments_figure(feedback, EN, mode="light", names={"d0": "Sales"})
    assert "Sales" in fig.layout.yaxis.ticktext
    dots = evidence_chart.beside_figure(feedback, EN, mode="dark")
    drawn = sum(len(trace.x) for trace in dots.data if trace.mode == "markers")
    assert drawn == feedback.value.beside["severity_with"].count()
    ratings, attained, peers, _ = made()
    nothing = evidence(ratings, attained=attained.clear(), others=peers, sources=SOURCES)
    empty = evidence_chart.departments_figure(shown(nothing, "goals"), EN, mode="light")
    assert "Nobody's goals are known" in empty.layout.annotations[0].text.replace("&#x27;", "'")


def test_tables_put_the_largest_first() -> None:
    feedback = shown(found_in(made()), "feedback")
    people = evidence_chart.people_rows(feedback, EN)
    gaps = people["Gap (points)"].abs().round(9).to_list()
    assert gaps == sorted(gaps, reverse=True)
    assert set(people.filter(pl.col("In words") == "unusually low")["Gap (points)"].sign()) <= {-1.0}
    groups = evidence_chart.group_rows(feedback, EN, by="rater_id")
    assert groups.height == feedback.value.raters["gap"].count()
    # Downloads carry four digits.
    assert groups["Gap (points)"].to_list() == groups["Gap (points)"].round(4).to_list()
    with pytest.raises(ValueError, match="by must be one of"):
        evidence_chart.group_rows(feedback, EN, by="cycle_id")


def test_a_change_of_scale_between_cycles_changes_no_slope_and_no_gap() -> None:
    # The second of two cycles on 0 to 100, by those compared and by peers.
    ratings, attained, peers, _ = made(goals_follow_work=0.3)
    later = pl.col("cycle_id") == "c1"
    ratings, others = (
        frame.with_columns(
            scale_id=pl.when(later).then(pl.lit("hundred")).otherwise(pl.lit("five")),
            score=pl.when(later).then((pl.col("score") - 1) * 25).otherwise("score"),
        )
        for frame in (ratings, peers)
    )
    # One rating less on the scale of 0 to 100, so that points are those of the other.
    fewer = ratings.filter(~later | (pl.int_range(pl.len()).over("cycle_id") >= 60))
    plain = found_in(made(goals_follow_work=0.3))
    found = evidence(fewer, attained=attained, others=others, sources=SOURCES)
    assert severity(fewer, sources=SOURCES).scale == "five"
    for kind in ("goals", "feedback"):
        assert of(found, kind)["slope"] == pytest.approx(of(plain, kind)["slope"], rel=0.12)
        assert of(found, kind)["spread"] == pytest.approx(of(plain, kind)["spread"], rel=0.05)
