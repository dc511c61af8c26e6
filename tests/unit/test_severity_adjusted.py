"""Adjusted ratings say how likely an average rater would have given another level, as often as it is so."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import lru_cache

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy import sparse

from analytics.disclosure import Released, release
from analytics.language import Language
from analytics.severity import adjusted_chart
from analytics.severity.adjusted import Adjusted, adjusted, adjusted_by_levels
from analytics.severity.levels import level_model
from analytics.severity.linear import Severity, severity
from analytics.severity.ranking import Standing, among_best, compare, standing
from tests.adjusted_company import KEYS, Levels, levels

EN = Language("en")
SEEDS = (1, 2, 3)


@lru_cache(maxsize=8)
def made(seed: int, mood_sd: float = 0.0) -> tuple[Levels, Severity]:
    company = levels(seed, mood_sd=mood_sd, standards=(0.3, -0.2), merits=(-0.2, 0.3))
    return company, severity(company.ratings)


def released(found: Adjusted) -> Released[Adjusted]:
    return release(found, as_of=date(2026, 6, 30))


def with_truth(mood_sd: float = 0.0) -> pl.DataFrame:
    """Ratings of several companies with what an average rater would have given."""
    frames = []
    for seed in SEEDS:
        company, found = made(seed, mood_sd)
        told = adjusted(company.ratings, found).ratings.drop_nulls("flip")
        frames.append(told.join(company.average, on=KEYS, how="inner"))
    return pl.concat(frames)


@pytest.mark.parametrize("mood_sd", [0.0, 0.35])
def test_flip_chances_come_true_as_often_as_stated(mood_sd: float) -> None:
    told = with_truth(mood_sd).with_columns(
        (pl.col("average") != pl.col("level")).alias("other"),
        (pl.col("flip") * 5).floor().clip(0, 4).alias("bin"),
    )
    bins = told.group_by("bin").agg(pl.col("flip").mean(), pl.col("other").mean(), pl.len())
    for row in bins.iter_rows(named=True):
        # Ratings of one rater share that rater's severity: an error of .05 beside three binomial ones.
        reach = 0.05 + 3.0 * (row["flip"] * (1 - row["flip"]) / row["len"]) ** 0.5
        assert abs(row["flip"] - row["other"]) < reach, row
    assert told["flip"].mean() == pytest.approx(told["other"].mean(), abs=0.03)


def test_chances_of_levels_come_true_as_often_as_stated() -> None:
    told = with_truth()
    chances = np.array(told["chances"].to_list())
    assert chances.sum(axis=1) == pytest.approx(1.0)
    for level in range(chances.shape[1]):
        # Average stated chance of each level against how often it is the one: some 4,500 ratings.
        hit = (told["average"] == level + 1).mean()
        assert chances[:, level].mean() == pytest.approx(hit, abs=0.025)


def test_the_likely_range_holds_the_adjusted_level_at_least_as_often_as_promised() -> None:
    told = with_truth()
    assert ((told["average"] >= told["low"]) & (told["average"] <= told["high"])).mean() > 0.8
    # And it is worth reading: hardly ever more than two levels.
    assert (told["high"] - told["low"] <= 1).mean() > 0.95


def test_what_a_lenient_rater_gave_is_likelier_lower_and_what_a_severe_one_gave_higher() -> None:
    company, found = made(1)
    told = adjusted(company.ratings, found).ratings.drop_nulls("flip")
    soft, hard = told.filter(pl.col("severity") > 0.4), told.filter(pl.col("severity") < -0.4)
    assert soft["lower"].sum() > 5 * soft["higher"].sum()
    assert hard["higher"].sum() > 5 * hard["lower"].sum()


def test_without_differences_between_raters_nothing_flips() -> None:
    company, found = made(1)
    same = replace(
        found,
        raters=found.raters.with_columns(pl.lit(0.0).alias("severity"), pl.lit(0.0).alias("standard_error")),
    )
    told = adjusted(company.ratings, same).ratings
    assert told["flip"].max() == pytest.approx(0.0, abs=1e-12)
    assert_frame_equal(told.select(pl.col("likely").alias("level")), told.select("level"))


def test_more_doubt_about_severities_means_more_doubt_about_ratings() -> None:
    company, found = made(1)
    wide = replace(
        found, raters=found.raters.with_columns((pl.col("standard_error") * 3).alias("standard_error"))
    )
    near = pl.col("severity").abs() < 0.1
    before = adjusted(company.ratings, found).ratings.filter(near)["flip"].mean()
    after = adjusted(company.ratings, wide).ratings.filter(near)["flip"].mean()
    assert isinstance(before, float)
    assert isinstance(after, float)
    assert after > 1.5 * before


def test_a_rater_the_data_cannot_tell_about_has_no_adjusted_ratings_but_a_reason() -> None:
    company, _ = made(1)
    # A rater of three people whom others rate, and one whose people nobody else ever rated.
    few = company.ratings.filter(pl.col("cycle_id") == "c0").unique("ratee_id").head(3)
    few = few.with_columns(pl.lit("new").alias("rater_id"))
    alone = few.with_columns(
        pl.lit("apart").alias("rater_id"), pl.format("x{}", "ratee_id").alias("ratee_id")
    )
    ratings = pl.concat([company.ratings, few, alone])
    told = adjusted(ratings, severity(ratings)).ratings
    for rater, why in (("new", "few_ratees"), ("apart", "alone")):
        own = told.filter(pl.col("rater_id") == rater)
        assert own["why"].unique().to_list() == [why]
        assert own["flip"].null_count() == own.height == 3
        assert "cannot tell" in adjusted_chart.reason(own.row(0, named=True), EN)


def test_a_scale_without_levels_has_no_adjusted_levels() -> None:
    company, _ = made(1)
    ratings = company.ratings.with_columns(pl.lit(None, dtype=pl.Int64).alias("level"))
    told = adjusted(ratings, severity(ratings)).ratings
    assert told["why"].unique().to_list() == ["no_level"]


def test_where_severity_is_refused_no_rating_is_adjusted() -> None:
    once = levels(1, cycles=1, second=0.0, outside=0.0)
    found = adjusted(once.ratings, severity(once.ratings))
    assert found.refusal is not None
    assert found.ratings["flip"].null_count() == found.ratings.height == once.ratings.height
    assert "cannot tell" in adjusted_chart.takeaway(released(found), EN)
    assert standing(once.ratings, severity(once.ratings), cycle_id="c0").people.is_empty()


def test_the_order_of_rows_does_not_matter() -> None:
    company, found = made(2)
    shuffled = company.ratings.sample(fraction=1.0, shuffle=True, seed=9)
    assert_frame_equal(
        adjusted(shuffled, found, cycle_id="c2").ratings,
        adjusted(company.ratings, found, cycle_id="c2").ratings,
        abs_tol=1e-9,
    )


def test_a_missing_column_is_named() -> None:
    company, found = made(1)
    with pytest.raises(ValueError, match="missing rater_id"):
        adjusted(company.ratings.drop("rater_id"), found)


def test_raters_ratees_scores_and_levels_are_enough() -> None:
    company, _ = made(1)
    # Without cycles and sources nothing tells two ratings of a pair apart; each is still one rating.
    bare = company.ratings.select("rater_id", "ratee_id", "score", "level")
    told = adjusted(bare, severity(bare)).ratings
    assert told.height == bare.height
    assert told["flip"].null_count() == 0


def test_the_model_of_levels_says_about_the_same() -> None:
    company, found = made(1)
    points = adjusted(company.ratings, found).ratings
    by_levels = adjusted_by_levels(level_model(company.ratings)).ratings
    both = points.join(by_levels, on=KEYS, suffix="_too").drop_nulls("flip")
    assert both.height > 1000
    assert (both["expected"] - both["expected_too"]).abs().mean() < 0.05  # type: ignore[operator]
    assert (both["flip"] - both["flip_too"]).abs().mean() < 0.06  # type: ignore[operator]


def pairs_of(known: Standing, many: int, *, seed: int) -> list[tuple[str, str]]:
    people = known.people["ratee_id"].to_list()
    rng = np.random.default_rng(seed)
    return [tuple(rng.choice(people, 2, replace=False)) for _ in range(many)]


def test_a_above_b_comes_true_as_often_as_stated() -> None:
    stated, true = [], []
    for seed in SEEDS:
        company, found = made(seed)
        known = standing(company.ratings, found, cycle_id="c2")
        for first, second in pairs_of(known, 400, seed=seed):
            above = compare(known, first=first, second=second).above
            assert above is not None
            stated.append(above)
            true.append(company.work[first] > company.work[second])
    found_bins = pl.DataFrame({"stated": stated, "true": true}).with_columns(
        (pl.col("stated") * 5).floor().clip(0, 4).alias("bin")
    )
    for row in found_bins.group_by("bin").agg(pl.all().mean(), pl.len().alias("n")).iter_rows(named=True):
        # 1,200 pairs in five bins; pairs of one company share its severities.
        reach = 0.05 + 3.0 * (row["stated"] * (1 - row["stated"]) / row["n"]) ** 0.5
        assert abs(row["stated"] - row["true"]) < reach, row


@pytest.mark.parametrize("mood_sd", [0.0, 0.35])
def test_differences_within_a_department_are_those_of_the_mixed_model_equations(mood_sd: float) -> None:
    company, found = made(1, mood_sd)
    assert found._held is not None
    known = standing(company.ratings, found, cycle_id="c2")
    people = sorted(set(company.ratings["ratee_id"]))
    place = {person: at for at, person in enumerate(people)}
    home = dict(known.people.select("ratee_id", "department_id").iter_rows())
    pairs = [pair for pair in pairs_of(known, 400, seed=1) if home[pair[0]] == home[pair[1]]]
    weights = np.zeros((len(pairs), len(people)))
    for row, (first, second) in enumerate(pairs):
        weights[row, place[first]], weights[row, place[second]] = 1.0, -1.0
    exact = found._held.fit.contrasts({"ratee": sparse.csr_matrix(weights)})
    told = [compare(known, first=first, second=second) for first, second in pairs]
    assert [one.difference for one in told] == pytest.approx(exact.values, abs=1e-9)
    # The errors take the doubts about two raters as their own but for their department's standard.
    width = np.array([(one.high or 0.0) - (one.low or 0.0) for one in told]) / (2 * 1.959964)
    assert width == pytest.approx(exact.standard_error, rel=0.05)


def test_who_is_among_the_best_is_said_as_surely_as_it_is_known() -> None:
    hits, stated = [], []
    for seed in SEEDS:
        company, found = made(seed)
        known = standing(company.ratings, found, cycle_id="c2")
        people = known.people.filter(pl.col("department_id") == "d1")["ratee_id"].to_list()
        best = among_best(known, people=people, k=10, seed=seed)
        truly = set(sorted(people, key=lambda one: -company.work[one])[:10])
        hits += [one in truly for one in best["ratee_id"]]
        stated += best["chance"].to_list()
    told = pl.DataFrame({"stated": stated, "true": hits})
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 1.01)):
        part = told.filter(pl.col("stated").is_between(low, high, closed="left"))
        reach = 0.06 + 3.0 * 0.5 / part.height**0.5
        assert abs(part["stated"].mean() - part["true"].mean()) < reach  # type: ignore[operator]


def test_a_doubtful_top_is_said_to_be_one() -> None:
    def said(*chances: float) -> str:
        best = pl.DataFrame({"ratee_id": [str(c) for c in chances], "chance": chances})
        return adjusted_chart.best_takeaway(best, EN, k=2)

    assert said(0.6, 0.6, 0.5, 0.28, 0.02) == (
        "Under average raters nobody is among the best 2 for sure; 4 people could well be."
    )
    assert "1 person is among the best 2 nearly for sure; 3 people" in said(0.99, 0.7, 0.3, 0.01)


def test_the_same_seed_gives_the_same_order() -> None:
    company, found = made(1)
    known = standing(company.ratings, found, cycle_id="c2")
    people = known.people["ratee_id"].head(30).to_list()
    assert_frame_equal(
        among_best(known, people=people, k=5, seed=4), among_best(known, people=people[::-1], k=5, seed=4)
    )


def test_nobody_is_compared_with_themselves_or_with_a_stranger() -> None:
    company, found = made(1)
    known = standing(company.ratings, found, cycle_id="c2")
    with pytest.raises(ValueError, match="two people rated in c2"):
        compare(known, first="p0001", second="p0001")
    with pytest.raises(ValueError, match="nobody"):
        compare(known, first="p0001", second="nobody")
    with pytest.raises(ValueError, match="k must be at least 1"):
        among_best(known, people=["p0001"], k=0, seed=1)


def test_departments_of_few_people_are_hidden() -> None:
    company, found = made(1)
    few = adjusted(company.ratings, found).only(pl.col("ratee_id").is_in(["p0001", "p0002", "p0005"]))
    shown = released(few).value.departments
    assert shown["flips"].null_count() == shown.height == 2


def test_sentences_say_how_many_which_way_and_that_nothing_is_written_back() -> None:
    company, found = made(1)
    whole = adjusted(company.ratings, found, cycle_id="c2")
    said = adjusted_chart.takeaway(released(whole), EN)
    level, likely = whole.ratings["level"], whole.ratings["likely"]
    lower, higher = int((likely < level).sum()), int((likely > level).sum())
    told = whole.ratings["flip"].count()
    assert said == (
        f"For {lower + higher} of {told} ratings another level is likelier than the one given: "
        f"{lower} lower, {higher} higher."
    )
    assert "Nothing is written back" in adjusted_chart.advisory(EN)
    softest = found.raters.sort("severity", descending=True)["rater_id"][0]
    one = released(whole.only(pl.col("rater_id") == softest))
    assert "ratings by Ann a lower level is likelier than the one given." in adjusted_chart.rater_takeaway(
        one, EN, name="Ann"
    )
    assert "Adding up" not in adjusted_chart.beside(one, EN)


def test_a_sum_of_chances_stands_quietly_beside_what_is_likelier() -> None:
    company, found = made(1)
    whole = adjusted(company.ratings, found, cycle_id="c2")
    quiet = adjusted_chart.beside(released(whole), EN)
    assert "shifts all judgements alike" in quiet
    assert f"about {round(whole.ratings['flip'].sum())} of these" in quiet
    assert "about" not in adjusted_chart.takeaway(released(whole), EN)
    departments = whole.departments.select(pl.col("likelier_higher", "likelier_lower").sum()).row(0)
    moved = whole.ratings.filter(pl.col("likely") != pl.col("level")).height
    assert sum(departments) == moved
    # And whoever sees departments only reads the same finding.
    counted = released(replace(whole, ratings=whole.ratings.clear()))
    assert adjusted_chart.takeaway(counted, EN) == adjusted_chart.takeaway(released(whole), EN)


def of_one(*, flagged: bool, likely: int) -> Released[Adjusted]:
    """Two ratings at level 2 by one rater: one stays, of one another level may be likelier."""
    company, found = made(1)
    told = adjusted(company.ratings, found).ratings.drop_nulls("flip").filter(pl.col("level") == 2).head(2)
    ratings = told.with_columns(
        pl.lit("r").alias("rater_id"),
        pl.Series("likely", [2, likely]),
        pl.lit(flagged).alias("flagged"),
    )
    whole = adjusted(company.ratings, found)
    return released(replace(whole, ratings=ratings))


def test_of_a_rater_who_is_not_flagged_no_single_rating_is_called_too_high() -> None:
    said = adjusted_chart.rater_takeaway(of_one(flagged=False, likely=2), EN, name="Ann")
    assert said == "No single rating by Ann can be called too high or too low."
    doubtful = adjusted_chart.rater_takeaway(of_one(flagged=False, likely=1), EN, name="Ann")
    assert doubtful.startswith("For 1 of 2 ratings by Ann a lower level is likelier than the one given.")
    assert "Ann is not known to rate softer or harder" in doubtful
    flagged = adjusted_chart.rater_takeaway(of_one(flagged=True, likely=1), EN, name="Ann")
    assert "not known" not in flagged


def test_words_follow_the_chance() -> None:
    names = {1: "C", 2: "B", 3: "A"}

    def said(chances: tuple[float, float, float]) -> str:
        """Of a rating at level 2 with the chances of levels 1 to 3."""
        row = {
            "flip": 1.0 - chances[1],
            "likely": 1 + chances.index(max(chances)),
            "level": 2,
            "lower": chances[0],
            "higher": chances[2],
            "chances": list(chances),
            "why": None,
        }
        return adjusted_chart.reading(row, EN, levels=names)

    assert said((0.01, 0.99, 0.0)) == "Very likely as given."
    assert said((0.1, 0.8, 0.1)) == "Probably as given."
    assert said((0.3, 0.6, 0.1)) == "May have been lower."
    assert said((0.0, 0.5, 0.49)) == "May have been higher."
    assert said((0.3, 0.4, 0.3)) == "Could well have been another level, higher or lower."
    assert said((0.0, 0.3, 0.7)) == "A more likely (70 % if the model holds)."
    assert said((1.0, 0.0, 0.0)) == "C more likely (>99 % if the model holds)."


def test_people_of_flagged_raters_come_first() -> None:
    company, found = made(1)
    shown = released(adjusted(company.ratings, found, cycle_id="c2"))
    flagged = found.raters.filter(pl.col("verdict").is_in(["lenient", "severe"]))["rater_id"].to_list()
    table = adjusted_chart.rows(shown, EN)
    first = [rater in flagged for rater in table["Rater"]]
    told = sum(value is not None for value in table["Another level (%)"])
    assert 0 < sum(first) < told
    assert all(first[: sum(first)])


def test_whom_only_raters_nothing_can_be_told_of_rated_are_not_put_in_order() -> None:
    # One rater of two people is too little to tell.
    company, found = made(1)
    extra = pl.concat(
        [
            company.ratings.head(2).with_columns(
                pl.Series("ratee_id", ["x1", "x2"]),
                pl.lit("lone").alias("rater_id"),
                pl.lit("c2").alias("cycle_id"),
            ),
            company.ratings,
        ]
    )
    fitted = severity(extra)
    assert fitted.raters.filter(rater_id="lone")["severity"].to_list() == [None]
    listed = standing(extra, fitted, cycle_id="c2").people["ratee_id"]
    assert not {"x1", "x2"} & set(listed)
    assert len(listed) > 2
    assert set(listed) <= set(standing(company.ratings, found, cycle_id="c2").people["ratee_id"])


def test_two_people_are_told_apart_or_said_not_to_be() -> None:
    company, found = made(1)
    known = standing(company.ratings, found, cycle_id="c2")
    ordered = known.people.sort("performance")["ratee_id"]
    best, next_best, worst = ordered[-1], ordered[-2], ordered[0]
    sure = adjusted_chart.compared(compare(known, first=worst, second=best), EN, names={best: "Ann"})
    assert sure.startswith(f"Ann above {worst}: ")
    assert "cannot tell" not in sure
    open_ = adjusted_chart.compared(compare(known, first=best, second=next_best), EN)
    assert "cannot tell them apart" in open_


def test_the_picture_has_a_row_for_each_of_the_first_and_counts_the_others() -> None:
    company, found = made(1)
    shown = released(adjusted(company.ratings, found, cycle_id="c2"))
    fig = adjusted_chart.figure(shown, EN, mode="light", levels={1: "D", 2: "C", 3: "B", 4: "A", 5: "S"})
    assert len(fig.layout.yaxis.ticktext) == adjusted_chart.MOST_PEOPLE
    assert any("more ratings are in the table" in note.text for note in fig.layout.annotations)
    table = adjusted_chart.rows(shown, EN, levels={1: "D", 2: "C", 3: "B", 4: "A", 5: "S"})
    assert table.height == shown.value.ratings.height
    assert set(table["Given"]) <= {"D", "C", "B", "A", "S"}
    assert table["Another level (%)"].max() <= 99  # type: ignore[operator]


def test_the_same_ratings_in_five_cycles_make_no_standing_surer() -> None:
    pair = ["ratee_id", "rater_id"]
    once = made(1)[0].ratings.filter(pl.col("cycle_id") == "c0").unique(pair, maintain_order=True)
    again = pl.concat([once.with_columns(cycle_id=pl.lit(f"c{k}")) for k in range(5)])
    first = standing(once, severity(once), cycle_id="c0").people
    fifth = standing(again, severity(again), cycle_id="c0").people
    assert fifth["n_ratings"].to_list() == [5 * n for n in first["n_ratings"]]
    for name in ("performance", "standard_error"):
        assert fifth[name].to_list() == pytest.approx(first[name].to_list(), abs=1e-6)


def two_scales() -> pl.DataFrame:
    """The last of three cycles on 0 to 100."""
    later = pl.col("cycle_id") == "c2"
    return made(1)[0].ratings.with_columns(
        scale_id=pl.when(later).then(pl.lit("hundred")).otherwise(pl.lit("five")),
        score=pl.when(later).then((pl.col("score") - 1) * 25).otherwise("score"),
    )


def test_a_cycle_on_another_scale_than_most_is_not_adjusted_and_keeps_its_points() -> None:
    two = two_scales()
    told = adjusted(two, severity(two)).ratings
    other = told.filter(pl.col("cycle_id") == "c2")
    assert set(other["why"]) == {"other_scale"}
    assert other["flip"].null_count() == other.height
    assert other["score"].max() == pytest.approx(100.0)
    assert told.filter(pl.col("cycle_id") == "c1")["flip"].null_count() < 10
    assert "another scale" in adjusted_chart.reason(other.row(0, named=True), EN)


def test_a_change_of_scale_between_cycles_changes_no_standing() -> None:
    company, found = made(1)
    two = two_scales()
    plain = standing(company.ratings, found, cycle_id="c2").people
    carried = standing(two, severity(two), cycle_id="c2").people
    assert carried["ratee_id"].to_list() == plain["ratee_id"].to_list()
    assert (carried["performance"] - plain["performance"]).abs().max() < 0.1
    assert carried["standard_error"].mean() == pytest.approx(plain["standard_error"].mean(), rel=0.05)
