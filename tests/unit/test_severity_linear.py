"""What is said about raters and departments, and what is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analytics.disclosure import release
from analytics.language import Language
from analytics.policy import (
    CHANCE_SPREAD,
    CONFIDENCE,
    FALSE_SIGN_RATE,
    MINIMUM_CROSSING,
    MINIMUM_RATEES,
    MINIMUM_REPEATS,
)
from analytics.severity import linear
from analytics.severity import severity as from_the_package
from analytics.severity.design import REFUSALS
from analytics.severity.linear import Severity, severity
from analytics.severity.verdicts import REASONS, VERDICTS, strata
from pages.kit import methods
from tests.severity_company import company

FLAGS = ("lenient", "severe")
NUMBERS = ["severity", "standard_error", "low", "high", "false_sign_rate", "reliability"]


@pytest.fixture(scope="module")
def ratings() -> pl.DataFrame:
    return company(5, people=150, raters=20, departments=4, cycles=3).ratings


@pytest.fixture(scope="module")
def result(ratings: pl.DataFrame) -> Severity:
    return severity(ratings)


def only_one_cycle_and_manager(ratings: pl.DataFrame) -> pl.DataFrame:
    return ratings.filter((pl.col("cycle_id") == "c0") & (pl.col("source") == "manager"))


def test_one_cycle_with_one_manager_each_is_refused_and_nobody_has_a_number(ratings: pl.DataFrame) -> None:
    found = severity(only_one_cycle_and_manager(ratings))
    assert not found.identified
    assert found.refusal is not None
    assert found.refusal.kind == "no_links"
    assert found.refusal.values["n_cycles"] == 1
    assert found.raters["severity"].null_count() == found.raters.height
    assert set(found.raters["verdict"]) == {"cannot_tell"}
    assert set(found.raters["reason"]) == {"alone"}
    assert found.departments["difference"].null_count() == found.departments.height


def test_moves_between_managers_over_cycles_are_links(ratings: pl.DataFrame) -> None:
    # Managers only: no second rating within a cycle, but people move.
    found = severity(ratings.filter(pl.col("source") == "manager"))
    assert found.identified


def test_a_team_of_three_is_never_flagged(ratings: pl.DataFrame) -> None:
    # Three people of the most severe rater's kind: rated 2 points up by one new rater who rates nobody else.
    three = ratings["ratee_id"].unique().sort()[:3]
    extra = ratings.filter(pl.col("ratee_id").is_in(three.implode())).with_columns(
        rater_id=pl.lit("newcomer"), score=pl.col("score") + 2.0
    )
    found = severity(pl.concat([ratings, extra.unique(["cycle_id", "ratee_id", "source"])]))
    row = found.raters.row(by_predicate=pl.col("rater_id") == "newcomer", named=True)
    assert row["n_ratees"] == 3 < MINIMUM_RATEES.value
    assert (row["verdict"], row["reason"]) == ("cannot_tell", "few_ratees")
    assert [row[name] for name in NUMBERS] == [None] * len(NUMBERS)


def test_a_rater_who_shares_nobody_cannot_be_told_and_does_not_change_the_others(
    ratings: pl.DataFrame, result: Severity
) -> None:
    lonely = pl.DataFrame(
        {
            "cycle_id": ["c0"] * 8,
            "ratee_id": [f"x{i}" for i in range(8)],
            "rater_id": ["lonely"] * 8,
            "source": ["manager"] * 8,
            "department_id": ["d9"] * 8,
            "score": [5.0, 4.0, 5.0, 5.0, 4.0, 5.0, 5.0, 5.0],
        }
    )
    found = severity(pl.concat([ratings, lonely]))
    row = found.raters.row(by_predicate=pl.col("rater_id") == "lonely", named=True)
    assert (row["severity"], row["verdict"], row["reason"]) == (None, "cannot_tell", "alone")
    assert found.left_out["alone"] == 8
    others = found.raters.filter(pl.col("rater_id") != "lonely").drop("component")
    assert_frame_equal(others, result.raters.drop("component"))
    department = found.departments.row(by_predicate=pl.col("department_id") == "d9", named=True)
    assert department["verdict"] == "cannot_tell"


def test_every_rater_has_one_row_a_known_verdict_and_numbers_only_if_it_can_be_told(result: Severity) -> None:
    raters = result.raters
    assert raters["rater_id"].is_sorted()
    assert raters["rater_id"].is_unique().all()
    assert set(raters["verdict"]) <= set(VERDICTS)
    assert set(raters["reason"].drop_nulls()) <= set(REASONS)
    untold = raters["verdict"] == "cannot_tell"
    for name in NUMBERS:
        assert (raters[name].is_null() == untold).all()
    told = raters.filter(~untold)
    assert (told["low"] < told["severity"]).all()
    assert (told["severity"] < told["high"]).all()
    assert told["reliability"].is_between(0, 1).all()


def test_flags_are_large_enough_and_sure_enough(result: Severity) -> None:
    flagged = result.raters.filter(pl.col("verdict").is_in(FLAGS))
    assert flagged.height > 0
    assert result.practical is not None
    assert (flagged["severity"].abs() >= result.practical).all()
    assert (flagged["false_sign_rate"] <= FALSE_SIGN_RATE.value).all()
    assert ((flagged["severity"] > 0) == (flagged["verdict"] == "lenient")).all()
    assert flagged["reason"].null_count() == flagged.height
    assert result.expected_false_flags == pytest.approx(flagged["false_sign_rate"].sum())


def test_no_flag_has_an_interval_that_reaches_nought(ratings: pl.DataFrame) -> None:
    # A 95 % interval misses on each side in 2.5 % of cases: the bound of the flag.
    assert FALSE_SIGN_RATE.value == pytest.approx((1 - CONFIDENCE.value) / 2)
    close = 0
    for size in (0.25, 0.5, 1.0, 2.0, 4.0):
        # The more of one rating is chance, the more flags stand near their bound.
        noisy = ratings.with_columns(
            pl.col("score") + size * ((pl.int_range(pl.len()).hash(seed=3) % 1000) / 500 - 1)
        )
        found = severity(noisy)
        for frame in (found.raters, found.departments):
            flagged = frame.filter(pl.col("verdict").is_in(FLAGS))
            assert (flagged["low"] * flagged["high"] > 0).all()
            close += flagged.filter(pl.col("false_sign_rate") > FALSE_SIGN_RATE.value / 5).height
            between = frame.filter(
                pl.col("false_sign_rate").is_between(FALSE_SIGN_RATE.value, 0.05, closed="right")
            )
            assert not between["verdict"].is_in(FLAGS).any()
    assert close > 0


def test_self_and_customer_ratings_are_nobodys_severity(ratings: pl.DataFrame, result: Severity) -> None:
    own = ratings.head(50).with_columns(rater_id=pl.col("ratee_id"), source=pl.lit("self"), score=pl.lit(9.0))
    customers = ratings.head(30).with_columns(rater_id=pl.lit("buyer"), source=pl.lit("customer"))
    found = severity(pl.concat([ratings, own, customers]))
    assert_frame_equal(found.raters, result.raters)
    assert (found.left_out["self"], found.left_out["source"]) == (50, 30)
    with pytest.raises(ValueError, match="never 'self'"):
        severity(ratings, sources=["self", "manager"])


def test_disconnected_halves_are_each_compared_with_their_own_average(ratings: pl.DataFrame) -> None:
    # The second half is a copy rated one point higher throughout: raters of it are not one point softer.
    other = ratings.with_columns(
        pl.col("rater_id") + "b",
        pl.col("ratee_id") + "b",
        pl.col("department_id") + "b",
        pl.col("score") + 1.0,
    )
    found = severity(pl.concat([ratings, other]))
    assert found.components["n_raters"].to_list() == [20, 20]
    first = found.raters.filter(~pl.col("rater_id").str.ends_with("b"))
    second = found.raters.filter(pl.col("rater_id").str.ends_with("b"))
    assert second["severity"].to_list() == pytest.approx(first["severity"].to_list(), abs=1e-6)


def test_missing_scores_are_counted_and_left_out(ratings: pl.DataFrame) -> None:
    gaps = ratings.with_columns(
        score=pl.when(pl.int_range(pl.len()) % 10 == 0).then(float("nan")).otherwise("score")
    )
    found = severity(gaps)
    assert found.left_out["incomplete"] == len(range(0, ratings.height, 10))
    assert found.n_ratings == ratings.height - found.left_out["incomplete"]


def test_a_covariate_is_taken_out(ratings: pl.DataFrame) -> None:
    known = ratings.with_columns(years=(pl.col("ratee_id").hash(seed=1) % 7).cast(pl.Float64))
    known = known.with_columns(pl.col("score") + 0.5 * pl.col("years"))
    found = severity(known, covariates=["years"])
    row = found.fixed.row(by_predicate=pl.col("term") == "years", named=True)
    assert abs(row["estimate"] - 0.5) < 3 * row["standard_error"]


EDGES = {
    "empty": lambda frame: frame.head(0),
    "all_equal": lambda frame: frame.with_columns(score=pl.lit(5.0)),
    "few_linked_raters": lambda frame: frame.filter(pl.col("rater_id").is_in(["m000", "m004", "m008"])),
    "no_residual": lambda frame: frame.with_columns(
        score=pl.col("rater_id").str.slice(1).cast(pl.Float64) % 5 + 1  # always one's own level
    ),
    "one_ratee_each": lambda frame: frame.head(8).with_columns(
        ratee_id=pl.lit("p"), rater_id=pl.concat_str(pl.lit("m"), pl.int_range(pl.len()))
    ),
}


@pytest.mark.parametrize("kind", EDGES)
def test_what_cannot_be_told_is_refused_with_its_kind(ratings: pl.DataFrame, kind: str) -> None:
    found = severity(EDGES[kind](ratings))
    assert found.refusal is not None
    assert found.refusal.kind == kind
    assert kind in REFUSALS
    assert found.raters["severity"].null_count() == found.raters.height


ODD = {
    "a rater with one rating": lambda f: f.filter(
        (pl.col("rater_id") != "m001") | (pl.int_range(pl.len()).over("rater_id") == 0)
    ),
    "a rater who uses one level only": lambda f: f.with_columns(
        score=pl.when(pl.col("rater_id") == "m001").then(4.0).otherwise("score")
    ),
    "whole numbers": lambda f: f.with_columns(pl.col("score").round().cast(pl.Int64)),
    "no departments": lambda f: f.with_columns(department_id=pl.lit(None)),
    "some departments unknown": lambda f: f.with_columns(
        department_id=pl.when(pl.col("department_id") != "d1").then("department_id")
    ),
    "one department": lambda f: f.with_columns(department_id=pl.lit("d")),
    "huge scores": lambda f: f.with_columns(pl.col("score") * 1e6 + 1e9),
    "tiny scores": lambda f: f.with_columns(pl.col("score") * 1e-6),
    "enum sources": lambda f: f.with_columns(
        pl.col("source").cast(pl.Enum(["manager", "skip_level", "cross_department"]))
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_ratings_give_an_estimate_and_no_warning(ratings: pl.DataFrame, name: str) -> None:
    found = severity(ODD[name](ratings))
    assert found.identified
    assert found.converged
    told = found.raters.filter(pl.col("severity").is_not_null())
    assert told.height >= 15
    assert all(told[column].is_finite().all() for column in NUMBERS)


def test_raters_without_any_effect_are_not_flagged() -> None:
    found = severity(company(11, people=150, raters=20, departments=2, rater_sd=0.0).ratings)
    assert found.chance is not None
    assert found.chance > CHANCE_SPREAD.value
    assert not found.raters["verdict"].is_in(FLAGS).any()


def test_a_department_whose_raters_are_lenient_is_told_from_one_whose_people_are_good() -> None:
    # d0 rates .6 too high; the people of d1 are .6 better. Reviews across departments tell which is which.
    made = company(
        2,
        people=600,
        raters=80,
        departments=8,
        standards=(0.6,),
        merits=(0.0, 0.6),
        rater_sd=0.15,
        outside=0.4,
    )
    found = severity(made.ratings)
    rows = {row["department_id"]: row for row in found.departments.iter_rows(named=True)}
    assert rows["d0"]["verdict"] == "lenient"
    assert rows["d0"]["difference"] == max(row["difference"] for row in rows.values())
    assert rows["d0"]["n_accounting"] >= 5
    assert rows["d1"]["verdict"] == "unremarkable"


def test_better_work_is_not_taken_for_lenient_raters_where_hardly_any_rating_crosses_departments() -> None:
    # The people of d1 are .6 better; only 1 in 100 ratings crosses a border, too few to say why d1 gets more.
    made = company(
        4, people=600, raters=80, departments=8, merits=(0.0, 0.6), rater_sd=0.2, outside=0.01, second=0.6
    )
    found = severity(made.ratings)
    assert found.identified
    assert set(found.departments["verdict"]) <= {"unremarkable", "cannot_tell"}
    raters = found.raters.filter(pl.col("department_id") == "d1", pl.col("severity").is_not_null())
    truth = raters["rater_id"].replace_strict(made.severity, return_dtype=pl.Float64)
    assert ((raters["low"] <= truth) & (truth <= raters["high"])).mean() >= 0.8


def test_without_ratings_across_departments_no_department_is_called_lenient() -> None:
    found = severity(company(3, outside=0.0, standards=(1.0,)).ratings)
    assert found.identified
    assert found.departments["difference"].null_count() == found.departments.height
    assert set(found.departments["reason"]) == {"no_outside_ratings"}


def test_the_parts_of_the_variance_add_up(result: Severity) -> None:
    assert set(result.variances["part"]) == {"ratee", "rater", "standard", "mood", "pair", "residual"}
    assert result.variances["share"].sum() == pytest.approx(1.0)
    assert result.spread == pytest.approx(result.variances["variance"].sum() ** 0.5)


def test_ratings_repeated_word_for_word_make_nobody_surer(ratings: pl.DataFrame) -> None:
    # Three times the same ratings say as much as one time, however many rows there are.
    once = ratings.unique(["ratee_id", "rater_id"], keep="first", maintain_order=True)
    once = once.with_columns(cycle_id=pl.lit("c0"))
    again = pl.concat([once.with_columns(cycle_id=pl.lit(f"c{k}")) for k in range(3)])
    first, third = severity(once), severity(again)
    assert third.n_ratings == 3 * first.n_ratings
    for name in ("severity", "standard_error"):
        assert third.raters[name].to_list() == pytest.approx(first.raters[name].to_list(), abs=1e-9)
    # The same with a slip of the pen in one rating of twenty: hardly surer, where counting each would be.
    slip = pl.when(pl.int_range(pl.len()) % 20 == 0).then(0.1).otherwise(0.0)
    almost = severity(again.with_columns(pl.col("score") + slip))
    ratio = (almost.raters["standard_error"] / first.raters["standard_error"]).to_list()
    assert ratio == pytest.approx([1.0] * len(ratio), abs=0.01)


def test_too_few_repeated_ratings_say_nothing_of_pairs(ratings: pl.DataFrame) -> None:
    place = pl.int_range(pl.len()).over("ratee_id", "rater_id")
    once, again = ratings.filter(place == 0), ratings.filter(place == 1)
    minimum = int(MINIMUM_REPEATS.value)
    assert again.height >= minimum
    few = severity(pl.concat([once, again.head(minimum - 1)]))
    enough = severity(pl.concat([once, again.head(minimum)]))
    assert "pair" not in few.variances["part"]
    assert "pair" in enough.variances["part"]


def test_the_textbook_model_is_there_on_request(ratings: pl.DataFrame) -> None:
    found = severity(ratings, standards=False)
    assert set(found.variances["part"]) == {"ratee", "rater", "department", "mood", "pair", "residual"}


def test_separation_and_strata_follow_their_definitions(result: Severity) -> None:
    assert result.reliability is not None
    assert result.separation is not None
    assert result.reliability == pytest.approx(result.separation**2 / (1 + result.separation**2))
    assert result.strata == pytest.approx(strata(result.separation))


def test_released_severity_hides_raters_of_few_people(result: Severity) -> None:
    shown = release(result, as_of=date(2026, 1, 1), minimum=20).value.raters
    small = result.raters["n_ratees"] < 20
    assert small.any()
    assert not small.all()
    for name in (*NUMBERS, "verdict", "reason", "n_ratees", "n_ratings", "component", "hangs_on_one"):
        assert shown.filter(small)[name].null_count() == small.sum()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.drop("score"), "missing score"),
        (lambda f: f.with_columns(pl.col("score").cast(pl.String)), "score must be numeric"),
    ],
)
def test_a_wrong_frame_is_named(ratings: pl.DataFrame, change: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        severity(change(ratings))  # type: ignore[operator]


def test_a_notebook_needs_three_columns(ratings: pl.DataFrame) -> None:
    bare = ratings.select("rater_id", "ratee_id", "score")
    found = from_the_package(bare)
    assert found.identified
    # Left out, the other columns say what their defaults would say.
    whole = bare.with_columns(
        cycle_id=pl.lit("all"), source=pl.lit("manager"), department_id=pl.lit(None, dtype=pl.String)
    )
    assert_frame_equal(found.raters, severity(whole).raters)
    with pytest.raises(ValueError, match="score"):
        severity(bare.drop("score"))


def test_moods_are_taken_out_of_the_severity() -> None:
    # Moods as large as severities: counted as severity, intervals would cover far fewer than 95 in 100.
    covered, told, shares = 0, 0, []
    for seed in range(8):
        made = company(seed, people=300, raters=40, departments=4, cycles=5, mood_sd=0.3)
        found = severity(made.ratings)
        truth = found.raters["rater_id"].replace_strict(made.severity, return_dtype=pl.Float64)
        covered += int(((found.raters["low"] <= truth) & (truth <= found.raters["high"])).sum())
        told += found.raters.height
        shares.append(found.variances.row(by_predicate=pl.col("part") == "mood", named=True)["variance"])
    assert sum(shares) / len(shares) == pytest.approx(0.09, rel=0.15)
    # Of 320 intervals at 95 %, 16 are missed on average; four deviations are 16 more.
    assert covered / told >= 0.90


def test_many_raters_are_compared_and_never_refused_for_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    made = company(8, people=1500, raters=300, departments=3, cycles=2)
    monkeypatch.setattr(linear, "_MOST_EXACT", 100)
    found = severity(made.ratings)
    assert found.identified
    assert found.converged
    assert found.criterion is None
    assert found.raters["severity"].null_count() < 10
    truth = found.raters["rater_id"].replace_strict(made.severity, return_dtype=pl.Float64)
    assert ((found.raters["low"] <= truth) & (truth <= found.raters["high"])).mean() > 0.9


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("name", ODD)
def test_odd_ratings_are_no_stumbling_block_to_either_fit(
    ratings: pl.DataFrame, name: str, exact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear, "_MOST_EXACT", 10_000 if exact else 0)
    found = severity(ODD[name](ratings))
    assert found.identified
    told = found.raters.filter(pl.col("severity").is_not_null())
    assert told.height >= 15
    assert all(told[column].is_finite().all() for column in NUMBERS)


def test_one_cycle_one_manager_each_is_refused_however_many_there_are() -> None:
    many = pl.DataFrame(
        {
            "ratee_id": [f"p{i}" for i in range(5_000)],
            "rater_id": [f"m{i // 5}" for i in range(5_000)],
            "score": [float(1 + (i * 7) % 5) for i in range(5_000)],
        }
    )
    found = severity(many)
    assert found.refusal is not None
    assert found.refusal.kind == "no_links"
    assert set(found.raters["reason"]) == {"alone"}


CERTAIN = {
    "always one's own level": pl.col("rater_id").str.slice(1).cast(pl.Float64) % 5 + 1,
    "one's own level, half a point higher every cycle": pl.col("rater_id").str.slice(1).cast(pl.Float64) % 5
    + pl.col("cycle_id").str.slice(1).cast(pl.Float64) / 2,
    "everybody gets the same from all": pl.col("ratee_id").str.slice(1).cast(pl.Float64),
}


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("name", CERTAIN)
def test_scores_that_leave_nothing_to_chance_are_refused_by_either_fit(
    ratings: pl.DataFrame, name: str, exact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without a residual there is nothing to hold a difference against, and every interval is a point.
    monkeypatch.setattr(linear, "_MOST_EXACT", 10_000 if exact else 0)
    found = severity(ratings.with_columns(CERTAIN[name].alias("score")))
    assert found.refusal is not None
    assert found.refusal.kind == "no_residual"


def test_a_change_of_scale_between_cycles_changes_no_severity() -> None:
    # The last two of four cycles on 0 to 100, 25 points for one of the scale of 1 to 5.
    made = company(2, people=800, raters=60, cycles=4, mood_sd=0.1, pair_sd=0.2).ratings
    later = pl.col("cycle_id") >= "c2"
    two = made.with_columns(
        scale_id=pl.when(later).then(pl.lit("hundred")).otherwise(pl.lit("five")),
        score=pl.when(later).then((pl.col("score") - 1) * 25).otherwise("score"),
    )
    # Most ratings are on the scale of five.
    two = two.filter(~later | (pl.int_range(pl.len()).over("cycle_id") >= 20))
    plain, carried = severity(made), severity(two)
    assert (carried.scale, carried.n_scales) == ("five", 2)
    assert (plain.scale, plain.n_scales) == (None, 1)
    both = plain.raters.join(carried.raters, on="rater_id", suffix="_carried").drop_nulls("severity")
    slope = (both["severity"] * both["severity_carried"]).sum() / (both["severity"] ** 2).sum()
    assert slope == pytest.approx(1.0, abs=0.02)
    assert (both["severity"] - both["severity_carried"]).abs().max() < 0.05
    assert carried.spread == pytest.approx(plain.spread, rel=0.02)


def test_a_scale_on_which_everybody_gets_the_same_says_nothing() -> None:
    made = company(5, people=150, raters=20, cycles=3).ratings
    dull = pl.col("cycle_id") == "c2"
    two = made.with_columns(
        scale_id=pl.when(dull).then(pl.lit("passed")).otherwise(pl.lit("five")),
        score=pl.when(dull).then(1.0).otherwise("score"),
    )
    found = severity(two)
    assert (found.scale, found.n_scales) == ("five", 2)
    assert found.identified
    assert found.spread is not None
    assert found.spread < 1.0


@pytest.mark.parametrize("abroad", [1, 12])
def test_ratings_of_people_of_a_department_without_raters_take_nobodys_flag(abroad: int) -> None:
    # Eight raters of one department; a standard of a department is their mean, not something beside it.
    made = company(5, people=60, raters=8, departments=1, cycles=3).ratings
    extra = (
        made.unique("ratee_id", maintain_order=True)
        .head(abroad)
        .with_columns(ratee_id=pl.format("x{}", pl.int_range(pl.len())), department_id=pl.lit("d1"))
    )
    alone, found = severity(made), severity(pl.concat([made, extra]))
    assert alone.raters["verdict"].is_in(FLAGS).sum() >= 2
    assert found.raters["verdict"].is_in(FLAGS).sum() >= 2
    assert "standard" not in found.variances["part"].to_list()
    assert found.raters["standard_error"].to_list() == pytest.approx(
        alone.raters["standard_error"].to_list(), rel=0.15
    )


def test_four_people_rated_from_outside_say_nothing_of_standards() -> None:
    made = company(5, people=120, raters=16, departments=2, outside=0.0).ratings
    people = made.unique("ratee_id", maintain_order=True).sort("ratee_id")

    def with_reviews(many: int) -> Severity:
        other = pl.when(pl.col("department_id") == "d0").then(pl.lit("m001")).otherwise(pl.lit("m000"))
        extra = people.head(many).with_columns(rater_id=other, source=pl.lit("cross_department"))
        return severity(pl.concat([made, extra]))

    few, enough = (int(MINIMUM_CROSSING.value) - less for less in (1, 0))
    assert "standard" not in with_reviews(few).variances["part"].to_list()
    assert "standard" in with_reviews(enough).variances["part"].to_list()
    assert set(with_reviews(few).departments["reason"]) == {"no_outside_ratings"}
    assert with_reviews(few).departments["difference"].null_count() == 2
    assert with_reviews(enough).departments["difference"].null_count() == 0


def test_the_method_says_so_where_ratings_were_carried_to_one_scale(result: Severity) -> None:
    day = date(2026, 6, 30)
    assert "Scales" not in methods.severity(Language("en"), release(result, as_of=day))
    several = replace(result, scale="five", n_scales=2)
    words = methods.severity(Language("en"), release(several, as_of=day))["Scales"]
    assert "2 scales" in words
    assert "(five)" in words
