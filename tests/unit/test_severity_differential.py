"""Who rates some group differently than other raters do, who does not, and how it is said."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analytics.disclosure import release
from analytics.language import LANGUAGES, Language
from analytics.policy import FALSE_DISCOVERY, FALSE_SIGN_RATE, MINIMUM_GROUP
from analytics.severity import differential_chart
from analytics.severity.differential import VERDICTS, Differential, differential, shrink
from data.access import Role
from data.sign_in import local_viewer
from pages.kit import load_severity
from tests.severity_company import company

WORDS = {"female": "women"}


def ratings(
    seed: int, *, slopes: tuple[float, ...] = (), gap: float = 0.0, spread: float = 0.0, people: int = 500
) -> tuple[pl.DataFrame, dict[str, float]]:
    """A company where the first raters give women ``slopes`` points beyond what others do."""
    frame = company(seed, people=people, raters=30, departments=3, pair_sd=0.3).ratings
    rng = np.random.default_rng([seed, 7])
    ids = frame["ratee_id"].unique().sort()
    gender = pl.DataFrame(
        {"ratee_id": ids, "gender": np.where(rng.random(len(ids)) < 0.45, "female", "male")}
    )
    raters = frame["rater_id"].unique().sort().to_list()
    slope = spread * rng.standard_normal(len(raters))
    slope[: len(slopes)] = slopes
    planted = dict(zip(raters, slope.tolist(), strict=True))
    extra = pl.col("rater_id").replace_strict(planted, return_dtype=pl.Float64) + gap
    return (
        frame.join(gender, on="ratee_id", maintain_order="left").with_columns(
            score=pl.col("score") + pl.when(pl.col("gender") == "female").then(extra).otherwise(0.0)
        ),
        planted,
    )


@pytest.fixture(scope="module")
def made() -> pl.DataFrame:
    return ratings(3, slopes=(1.2, -1.2))[0]


@pytest.fixture(scope="module")
def result(made: pl.DataFrame) -> Differential:
    return differential(made, by="gender")


def test_who_rates_women_softer_or_harder_than_others_do_is_found(result: Differential) -> None:
    flags = result.raters.filter(pl.col("verdict") != "unremarkable")
    assert dict(flags.select("rater_id", "verdict").iter_rows()) == {"m000": "softer", "m001": "harder"}
    assert (flags["discovery_rate"] <= FALSE_DISCOVERY.value).all()
    assert (flags["false_sign_rate"] <= FALSE_SIGN_RATE.value).all()
    # Of two groups only one is compared: the other is its mirror image.
    assert result.groups["group"].to_list() == ["female"]
    assert set(result.raters["verdict"]) <= set(VERDICTS)


def test_without_planted_differences_nobody_is_flagged_in_nineteen_of_twenty_companies() -> None:
    flagged = [
        differential(ratings(seed, people=300)[0], by="gender").groups["n_flagged"][0] > 0
        for seed in range(20)
    ]
    assert sum(flagged) <= 1


def test_intervals_cover_nineteen_of_twenty_slopes() -> None:
    hits = []
    for seed in range(12):
        frame, planted = ratings(seed, spread=0.3)
        found = differential(frame, by="gender").raters
        average = float(np.mean(list(planted.values())))
        truth = found["rater_id"].replace_strict(planted, return_dtype=pl.Float64) - average
        hits += ((found["low"] <= truth) & (truth <= found["high"])).to_list()
    # 360 intervals: one standard deviation of the share covered is about .011.
    assert 0.92 <= np.mean(hits) <= 0.98


def test_a_difference_through_the_whole_company_is_nobodys() -> None:
    found = differential(ratings(4, gap=0.6)[0], by="gender")
    assert found.groups["n_flagged"][0] == 0
    assert found.groups["low"][0] < 0.6 < found.groups["high"][0]
    said = differential_chart.company(
        release(found, as_of=date(2026, 6, 30)), Language("en"), groups=WORDS, rest={"female": "men"}
    )
    assert "Everybody together rates women" in said
    assert "higher than men" in said
    assert "no single rater’s doing" in said


def test_a_rater_of_four_women_is_not_judged_on_them(made: pl.DataFrame) -> None:
    women = made.filter(rater_id="m000", gender="female")["ratee_id"].unique().sort()
    kept = made.filter(
        (pl.col("rater_id") != "m000")
        | (pl.col("gender") != "female")
        | pl.col("ratee_id").is_in(women.head(4).implode())
    )
    found = differential(kept, by="gender")
    assert found.raters.filter(rater_id="m000").is_empty()
    assert found.n_untold == 1
    assert found.raters["n_fewest"].min() >= MINIMUM_GROUP.value  # type: ignore[operator]


def test_people_of_unknown_group_are_left_out_and_counted(made: pl.DataFrame) -> None:
    some = pl.int_range(pl.len()) % 10
    hidden = made.with_columns(
        gender=pl.when(some == 0)
        .then(pl.lit("undisclosed"))
        .when(some == 1)
        .then(pl.lit(None, dtype=pl.String))
        .otherwise("gender")
    )
    found = differential(hidden, by="gender", unknown=("undisclosed",))
    expected = hidden.filter(pl.col("gender").is_null() | (pl.col("gender") == "undisclosed")).height
    assert found.left_out["unknown"] == expected
    assert found.groups["group"].to_list() == ["female"]


def test_of_three_groups_each_is_compared_with_all_others(made: pl.DataFrame) -> None:
    place = pl.col("ratee_id").str.slice(1).cast(pl.Int64) % 3
    found = differential(made.with_columns(place=place.cast(pl.String)), by="place")
    assert found.groups["group"].to_list() == ["0", "1", "2"]
    # One family of hypotheses: the adjusted rates are those of all rows together.
    assert found.raters.height > 60
    assert found.raters.select("group", "rater_id").is_duplicated().sum() == 0


def test_where_sources_say_who_belongs_the_company_gap_stays_open(made: pl.DataFrame) -> None:
    outside = pl.col("source") == "cross_department"
    frame = made.with_columns(border=pl.when(outside).then(pl.lit("outside")).otherwise(pl.lit("own")))
    found = differential(frame, by="border")
    assert found.groups["gap"].to_list() == [None]
    assert found.raters["standard_error"].is_finite().all()
    assert differential_chart.company(release(found, as_of=date(2026, 6, 30)), Language("en")) == ""


def test_the_order_of_rows_changes_nothing(made: pl.DataFrame, result: Differential) -> None:
    shuffled = differential(made.sample(fraction=1.0, shuffle=True, seed=5), by="gender")
    assert_frame_equal(shuffled.raters, result.raters)
    assert_frame_equal(shuffled.groups, result.groups)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda frame: frame.clear(), "empty"),
        (lambda frame: frame.with_columns(gender=pl.lit(None, dtype=pl.String)), "unknown_group"),
        (lambda frame: frame.with_columns(score=pl.lit(None, dtype=pl.Float64)), "incomplete"),
        (lambda frame: frame.with_columns(score=pl.lit(3.0)), "all_equal"),
        (lambda frame: frame.filter(pl.col("rater_id") == "m000"), "no_links"),
        (lambda frame: frame.filter(pl.col("rater_id") < "m003"), "few_linked_raters"),
        (lambda frame: frame.with_columns(gender=pl.lit("female")), "one_group"),
        (
            lambda frame: frame.with_columns(
                gender=pl.when(pl.col("ratee_id") == "p0000").then(pl.lit("a")).otherwise(pl.lit("b"))
            ),
            "nobody_told",
        ),
    ],
)
def test_what_cannot_be_told_is_refused_in_words(made: pl.DataFrame, change: object, kind: str) -> None:
    found = differential(change(made), by="gender")  # type: ignore[operator]
    assert found.refusal is not None
    assert found.refusal.kind == kind
    released = release(found, as_of=date(2026, 6, 30))
    for code in LANGUAGES:
        assert differential_chart.takeaway(released, Language(code))
    said = differential_chart.takeaway(released, Language("en"))
    assert ("There are no ratings" in said) == (kind == "empty")
    fig = differential_chart.figure(released, Language("en"), mode="light", group="female")
    assert len(fig.layout.annotations) == 1


def test_wrong_options_are_named(made: pl.DataFrame) -> None:
    with pytest.raises(ValueError, match="never 'self'"):
        differential(made, by="gender", sources=("self",))
    with pytest.raises(ValueError, match="missing colour"):
        differential(made, by="colour")
    with pytest.raises(ValueError, match="minimum must be at least 2"):
        differential(made, by="gender", minimum=1)
    with pytest.raises(ValueError, match="errors above nought"):
        shrink([0.0], [0.0])


def test_shrinking_never_turns_a_sign_and_never_enlarges() -> None:
    rng = np.random.default_rng(8)
    estimates, errors = rng.standard_normal(60), rng.uniform(0.1, 1.0, 60)
    found = shrink(estimates, errors)
    assert (found.mean * estimates >= 0).all()
    assert (np.abs(found.mean) <= np.abs(estimates) + 1e-12).all()
    assert ((found.false_sign_rate >= 0) & (found.false_sign_rate <= 1)).all()


def test_the_finding_counts_flags_by_side_and_says_what_could_have_been_noticed(
    result: Differential,
) -> None:
    said = differential_chart.takeaway(release(result, as_of=date(2026, 6, 30)), Language("en"), groups=WORDS)
    assert "1 of 30 raters rates women softer than other raters do." in said
    assert "1 of 30 raters rates women harder than other raters do." in said
    assert f"{result.noticeable:.1f}" in said


def test_dots_outside_the_grey_are_counted_beside_those_chance_puts_there(result: Differential) -> None:
    rows = result.raters.filter(group="female")
    outside = rows.filter(pl.col("alone").abs() > 1.96 * pl.col("standard_error")).height
    # Of 30 dots one in twenty is 1.5, by Python's rounding 2.
    assert rows.height == 30
    said = differential_chart.beside_chance(
        release(result, as_of=date(2026, 6, 30)), Language("en"), group="female"
    )
    assert said.endswith(f"expected here about 2 of 30, seen {outside}.")


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_picture_names_the_flagged_and_nobody_else(result: Differential, mode: str) -> None:
    released = release(result, as_of=date(2026, 6, 30))
    fig = differential_chart.figure(
        released,
        Language("en"),
        mode=mode,  # type: ignore[arg-type]
        group="female",
        names={"m000": "<b>Ann</b>"},
        groups=WORDS,
    )
    dots = [trace for trace in fig.data if trace.mode == "markers+text"]
    assert sum(len(trace.x) for trace in dots) == result.raters.height
    assert sorted(text for trace in dots for text in trace.text if text) == ["&lt;b&gt;Ann&lt;/b&gt;", "m001"]


def test_groups_too_small_to_show_are_hidden_on_release(result: Differential) -> None:
    released = release(result, as_of=date(2026, 6, 30), minimum=10_000)
    assert released.value.raters["difference"].null_count() == result.raters.height
    assert released.value.groups["gap"].null_count() == 1
    assert "No rater within your reach" in differential_chart.takeaway(released, Language("en"))


def test_only_who_may_see_protected_attributes_compares_by_gender() -> None:
    assert "gender" in load_severity.group_choices(local_viewer(Role.HR_LEADERSHIP))
    for role in (Role.EXECUTIVE, Role.HR_PARTNER, Role.AUDITOR, Role.COMMITTEE_FACILITATOR):
        assert "gender" not in load_severity.group_choices(local_viewer(role))


def test_a_wide_scale_is_drawn_with_few_ticks() -> None:
    frame, _ = ratings(5)
    wide = differential(frame.with_columns(pl.col("score") * 1e6), by="gender")
    figure = differential_chart.figure(
        release(wide, as_of=date(2026, 6, 30)), Language("en"), mode="light", group="female"
    )
    assert len(figure.layout.xaxis.tickvals) <= 15


def test_the_same_ratings_in_five_cycles_make_no_slope_surer(made: pl.DataFrame) -> None:
    once = made.filter(pl.col("cycle_id") == "c0").unique(["ratee_id", "rater_id"], maintain_order=True)
    again = pl.concat([once.with_columns(cycle_id=pl.lit(f"c{k}")) for k in range(5)])
    first, fifth = differential(once, by="gender"), differential(again, by="gender")
    assert first.raters.height > 0
    assert fifth.n_ratings == 5 * first.n_ratings
    for name in ("difference", "standard_error"):
        assert fifth.raters[name].to_list() == pytest.approx(first.raters[name].to_list(), abs=1e-6)


def test_a_change_of_scale_between_cycles_changes_no_slope(made: pl.DataFrame, result: Differential) -> None:
    # The last of three cycles on 0 to 100.
    later = pl.col("cycle_id") == "c2"
    two = made.with_columns(
        scale_id=pl.when(later).then(pl.lit("hundred")).otherwise(pl.lit("five")),
        score=pl.when(later).then((pl.col("score") - 1) * 25).otherwise("score"),
    )
    found = differential(two, by="gender")
    assert found.raters["rater_id"].to_list() == result.raters["rater_id"].to_list()
    assert found.raters["difference"].to_list() == pytest.approx(
        result.raters["difference"].to_list(), abs=0.06
    )
    assert found.spread == pytest.approx(result.spread, rel=0.03)
