"""Severity by ordered levels: what it finds, what it refuses, what it comes to, and where it differs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import cache

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analytics.disclosure import release
from analytics.language import Language
from analytics.severity import chart, levels, levels_chart
from analytics.severity.design import Refusal
from analytics.severity.levels import (
    LevelModel,
    LevelSeverity,
    disagreements,
    in_points,
    judged,
    level_model,
    severity_by_levels,
)
from analytics.severity.linear import severity
from tests.severity_company import Company, company

EN = Language("en")
DAY = date(2026, 6, 30)
BOUNDS = (-2.8, -1.0, 1.3, 3.2)
"""Where the latent judgement turns into the next of five levels, in logits."""


def levelled(
    made: Company, seed: int, bounds: tuple[float, ...] = BOUNDS, scale: str = "five"
) -> pl.DataFrame:
    """The ratings of a company cut into levels after a logistic error; its severities are then in logits."""
    latent = made.ratings["score"].to_numpy() - 3.0
    latent = latent + np.random.default_rng([seed, 7]).logistic(size=latent.size)
    level = np.searchsorted(bounds, latent) + 1
    return made.ratings.with_columns(
        pl.Series("level", level),
        pl.Series("score", level.astype(np.float64)),
        pl.lit(scale).alias("scale_id"),
    )


def drawn(seed: int, **options: object) -> tuple[Company, pl.DataFrame]:
    given = {"rater_sd": 0.7, "ratee_sd": 1.15, "residual_sd": 0.0, **options}
    made = company(seed, **given)  # type: ignore[arg-type]
    return made, levelled(made, seed)


@cache
def found() -> tuple[Company, pl.DataFrame, LevelModel, LevelSeverity]:
    made, rows = drawn(4, standards=(0.6, -0.4))
    model = level_model(rows)
    return made, rows, model, judged(model)


def test_severity_in_logits_is_near_the_one_the_ratings_were_made_with() -> None:
    made, _, _, result = found()
    told = result.raters.filter(pl.col("severity").is_not_null())
    truth = told["rater_id"].replace_strict(made.severity, return_dtype=pl.Float64)
    assert told.height == 50
    assert np.corrcoef(told["severity"].to_numpy(), truth.to_numpy())[0, 1] > 0.85
    within = (told["low"] <= truth) & (truth <= told["high"])
    assert within.mean() > 0.88  # type: ignore[operator]


def test_intervals_cover_and_flags_are_as_rarely_false_as_stated() -> None:
    covered = told = false = 0
    stated = 0.0
    for seed in range(300, 316):
        made, rows = drawn(seed, pair_sd=0.3)
        result = severity_by_levels(rows)
        raters = result.raters.filter(pl.col("severity").is_not_null())
        truth = raters["rater_id"].replace_strict(made.severity, return_dtype=pl.Float64)
        flagged = raters["verdict"].is_in(["lenient", "severe"])
        told += raters.height
        covered += int(((raters["low"] <= truth) & (truth <= raters["high"])).sum())
        false += int((flagged & (truth.sign() != raters["severity"].sign())).sum())
        stated += result.expected_false_flags
    # 800 raters: 2.5 standard deviations of a share of .95 are .02, and raters of a company move together.
    assert told == 800
    assert 0.92 < covered / told < 0.98
    assert false <= stated + 2.5 * stated**0.5


def test_nobody_is_flagged_where_raters_do_not_differ() -> None:
    alarmed = 0
    for seed in range(400, 420):
        _, rows = drawn(seed, people=150, raters=20, departments=3, rater_sd=0.0)
        alarmed += severity_by_levels(rows).raters["verdict"].is_in(["lenient", "severe"]).any()
    # One in twenty may be; three of twenty or more would happen in 8 % of runs.
    assert alarmed <= 2


def test_the_order_of_ratings_does_not_matter() -> None:
    _, rows, _, result = found()
    again = severity_by_levels(rows.sample(fraction=1.0, shuffle=True, seed=1))
    assert_frame_equal(again.raters, result.raters)


def test_points_rise_with_severity_and_vanish_for_an_average_rater() -> None:
    told = found()[3].raters.filter(pl.col("severity").is_not_null()).sort("severity")
    assert (told["points"].diff().drop_nulls() >= 0).all()
    assert (told["points"].sign() == told["severity"].sign()).all()
    assert (told["points_low"] <= told["points"]).all()
    assert (told["points"] <= told["points_high"]).all()
    # Neighbouring levels lie one point apart here, so levels and points are the same thing.
    assert told["levels"].to_numpy() == pytest.approx(told["points"].to_numpy())
    assert told["moved"].is_between(0.0, 1.0).all()
    # Whoever moves a rating moves it by one level at least, so levels are never fewer than moved ratings.
    assert (told["levels"].abs() >= told["moved"] - 1e-9).all()


def test_points_are_what_the_ratings_of_a_lenient_rater_would_gain() -> None:
    made, _, _, result = found()
    # The same company once more, every judgement shifted by half a logit.
    rng = np.random.default_rng(11)
    latent = made.ratings["score"].to_numpy() - 3.0
    severities = made.ratings["rater_id"].replace_strict(made.severity, return_dtype=pl.Float64).to_numpy()
    draws = latent - severities + rng.logistic(size=(400, latent.size))
    gained = (np.searchsorted(BOUNDS, draws + 0.5) - np.searchsorted(BOUNDS, draws)).mean()
    told = result.raters.filter(pl.col("severity").is_not_null()).sort("severity")
    ours = np.interp(0.5, told["severity"].to_numpy(), told["points"].to_numpy())
    assert ours == pytest.approx(gained, rel=0.1)


def test_half_a_logit_moves_as_many_ratings_as_it_does_by_hand() -> None:
    _, rows, model, result = found()
    # Two levels with the bound at t: of judgements at m, F(t - m) - F(t - .5 - m) cross it.
    two = rows.with_columns(
        (pl.col("level") > 3).cast(pl.Int64).alias("level"),
        (pl.col("level") > 3).cast(pl.Float64).alias("score"),
    )
    binary = severity_by_levels(two)
    told = binary.raters.filter(pl.col("severity").is_not_null())
    assert told["moved"].to_numpy() == pytest.approx(told["points"].abs().to_numpy())
    assert model.fit is not None
    assert result.practical == pytest.approx(0.2 * np.sqrt(sum(model.fit.variances.values()) + np.pi**2 / 3))


def test_findings_in_points_are_drawn_and_told_like_those_of_the_linear_model() -> None:
    _, rows, _, result = found()
    points, linear = in_points(result), severity(rows)
    assert points.raters.columns == linear.raters.columns
    assert points.departments.columns == linear.departments.columns
    assert points.raters["verdict"].to_list() == result.raters["verdict"].to_list()
    assert points.spread == pytest.approx(linear.spread, rel=0.1)
    assert points.practical == pytest.approx(linear.practical, rel=0.1)
    both = points.raters.select("rater_id", "severity").join(
        linear.raters.select("rater_id", pl.col("severity").alias("other")), on="rater_id"
    )
    assert np.corrcoef(both["severity"].to_numpy(), both["other"].to_numpy())[0, 1] > 0.97
    released = levels_chart.in_rating_points(release(result, as_of=DAY))
    assert chart.figure(released, EN, mode="light").data


def test_departments_with_a_standard_of_their_own_are_found() -> None:
    _, rows = drawn(5, standards=(1.0, -1.0))
    frame = severity_by_levels(rows).departments
    lenient, severe = frame.row(0, named=True), frame.row(1, named=True)
    assert (lenient["verdict"], severe["verdict"]) == ("lenient", "severe")
    assert lenient["points"] > 0 > severe["points"]


def test_each_rating_has_its_predictor_with_and_without_the_rater() -> None:
    _, rows, model, _ = found()
    assert model.fit is not None
    assert model.rows.height == rows.height
    seen = model.rows
    assert (seen["without_rater"] + seen["rater_effect"]).to_numpy() == pytest.approx(
        seen["predictor"].to_numpy()
    )
    assert model.ratees.height == seen["ratee_id"].n_unique()
    # Row k of ratees is level k of the factor, which contrasts of two people rely on.
    first_less_second = np.zeros((1, model.ratees.height))
    first_less_second[0, :2] = 1.0, -1.0
    apart = model.fit.contrasts({"ratee": first_less_second})
    assert apart.values[0] == pytest.approx(model.ratees["effect"][0] - model.ratees["effect"][1])
    bounds = model.thresholds["threshold"].to_numpy()
    assert bounds[-1] == np.inf
    assert (np.diff(bounds) > 0).all()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            lambda rows: rows.filter(pl.col("source") != "cross_department"), id="no borders crossed"
        ),
        pytest.param(
            lambda rows: rows.unique(["ratee_id", "rater_id"], maintain_order=True), id="no pair twice"
        ),
        pytest.param(lambda rows: rows.rename({"ratee_id": "rater_id", "rater_id": "ratee_id"}), id="upward"),
        pytest.param(
            lambda rows: rows.with_columns(pl.lit(None, pl.String).alias("department_id")), id="nowhere"
        ),
    ],
)
def test_the_search_ends_where_several_parts_are_nought(
    change: Callable[[pl.DataFrame], pl.DataFrame],
) -> None:
    result = severity_by_levels(change(drawn(3)[1]))
    assert result.converged
    # Drawn without moods, likings or departments that differ.
    parts = dict(result.variances.select("part", "share").iter_rows())
    assert max(parts.get(part, 0.0) for part in ("mood", "department", "standard")) < 0.03


def test_ratings_on_a_continuous_scale_are_refused() -> None:
    rows = found()[1].with_columns(pl.lit(None, dtype=pl.Int64).alias("level"))
    result = severity_by_levels(rows)
    assert result.refusal is not None
    assert result.refusal.kind == "no_levels"
    assert result.left_out["no_levels"] == rows.height
    assert "continuous" in levels_chart.takeaway(release(result, as_of=DAY), EN)


def test_continuous_ratings_among_others_are_counted_and_left_out() -> None:
    rows = found()[1]
    some = rows.with_columns(
        pl.when(pl.col("cycle_id") == "c0").then(None).otherwise(pl.col("level")).alias("level")
    )
    result = severity_by_levels(some)
    assert result.identified
    assert result.left_out["no_levels"] == rows.filter(pl.col("cycle_id") == "c0").height


def test_two_scales_are_fitted_together() -> None:
    made, rows = found()[:2]
    seven = levelled(made, 4, (-3.5, -2.0, -0.7, 0.6, 2.0, 3.5), "seven").filter(pl.col("cycle_id") == "c2")
    mixed = pl.concat([rows.filter(pl.col("cycle_id") != "c2"), seven])
    result = severity_by_levels(mixed)
    assert result.thresholds.group_by("scale_id").len().sort("scale_id").rows() == [("five", 5), ("seven", 7)]
    # What the third cycle adds is in the thresholds of its scale.
    assert result.fixed["term"].to_list()[:1] == ["cycle c1"]
    told = result.raters.filter(pl.col("severity").is_not_null())
    truth = told["rater_id"].replace_strict(made.severity, return_dtype=pl.Float64)
    assert np.corrcoef(told["severity"].to_numpy(), truth.to_numpy())[0, 1] > 0.85


def test_a_department_that_only_ever_got_the_top_level_does_not_stop_the_others() -> None:
    rows = found()[1].with_columns(
        pl.when(pl.col("department_id") == "d3").then(5).otherwise(pl.col("level")).alias("level")
    )
    result = severity_by_levels(rows.with_columns(pl.col("level").cast(pl.Float64).alias("score")))
    assert result.separated == ("department d3",)
    assert result.raters["severity"].is_finite().any()


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (pl.lit(3).alias("level"), None),
        (pl.col("ratee_id").alias("rater_id"), "empty"),
        (pl.concat_str("ratee_id", pl.lit("'s")).alias("rater_id"), "no_links"),
    ],
)
def test_what_cannot_be_told_is_refused_in_words(change: pl.Expr, kind: str | None) -> None:
    result = severity_by_levels(found()[1].with_columns(change))
    assert result.refusal is not None
    assert result.refusal.kind == (kind or "no_residual")
    assert result.raters["severity"].null_count() == result.raters.height
    assert levels_chart.takeaway(release(result, as_of=DAY), EN)


def test_raters_who_never_change_their_level_are_refused_in_words() -> None:
    rows = found()[1].with_columns((pl.col("rater_id").rank("dense").cast(pl.Int64) % 3 + 1).alias("level"))
    result = severity_by_levels(rows.with_columns(pl.col("level").cast(pl.Float64).alias("score")))
    assert result.refusal is not None
    assert "one level only" in levels_chart.takeaway(release(result, as_of=DAY), EN)


def test_more_raters_than_the_dense_block_holds_are_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "_MOST_DENSE", 20)
    result = severity_by_levels(found()[1])
    assert result.refusal is not None
    assert result.refusal.kind == "too_large"
    assert "rating points instead" in levels_chart.refusal(result.refusal, EN)


def test_columns_that_are_missing_or_no_levels_are_named() -> None:
    rows = found()[1]
    with pytest.raises(ValueError, match="missing level"):
        severity_by_levels(rows.drop("level"))
    with pytest.raises(ValueError, match="level must hold whole numbers"):
        severity_by_levels(rows.with_columns(pl.col("level") + 0.5))


def test_a_frame_of_who_rated_whom_how_is_enough() -> None:
    rows = found()[1]
    bare = severity_by_levels(rows.select("rater_id", "ratee_id", "score", "level"))
    assert bare.identified
    assert bare.thresholds["scale_id"].unique().to_list() == ["only"]


def test_nothing_of_a_small_group_survives_its_release() -> None:
    result = found()[3]
    small = replace(result, raters=result.raters.with_columns(pl.lit(4).cast(pl.Int64).alias("n_ratees")))
    shown = release(small, as_of=DAY).value.raters
    for name in ("severity", "points", "levels", "moved", "at_end", "verdict"):
        assert shown[name].null_count() == shown.height


def test_models_that_agree_say_so() -> None:
    _, rows, _, result = found()
    both = disagreements(severity(rows), result)
    assert both.n_both == 50
    assert both.correlation is not None
    assert both.correlation > 0.97
    assert both.n_opposite == 0
    assert both.raters.height == both.n_both - both.n_same
    assert (both.raters["verdict"] != both.raters["verdict_by_levels"]).all()
    same = disagreements(in_points(result), result)
    assert (same.n_same, same.raters.height) == (50, 0)
    said = levels_chart.agreement(release(same, as_of=DAY), EN)
    assert said == "Rating points and levels say the same of all 50 raters both can tell about."


def test_a_rater_who_differs_is_named_with_a_reason() -> None:
    _, rows, _, result = found()
    linear = severity(rows)
    flagged = result.raters.filter(pl.col("verdict") == "lenient")["rater_id"][0]
    one = pl.col("rater_id") == flagged
    harder = replace(
        linear,
        raters=linear.raters.with_columns(
            pl.when(one).then(pl.lit("severe")).otherwise(pl.col("verdict")).alias("verdict"),
            pl.when(one).then(-1.0).otherwise(pl.col("severity")).alias("severity"),
        ),
    )
    at_top = replace(
        result,
        raters=result.raters.with_columns(pl.when(one).then(0.9).otherwise(pl.col("at_end")).alias("at_end")),
    )
    both = disagreements(harder, at_top)
    row = both.raters.row(0, named=True)
    assert (row["rater_id"], row["verdict"], row["verdict_by_levels"]) == (flagged, "severe", "lenient")
    assert row["why"] == "end_of_scale"
    assert both.n_opposite == 1
    said = levels_chart.agreement(release(both, as_of=DAY), EN)
    assert "1 of them is softer in one view and harder in the other" in said


def test_moods_are_taken_out_of_the_severity() -> None:
    covered = told = 0
    for seed in range(500, 506):
        # Moods of a half of the residual standard deviation, which is 1.81 logits.
        made, rows = drawn(seed, mood_sd=0.9)
        result = severity_by_levels(rows)
        raters = result.raters.filter(pl.col("severity").is_not_null())
        truth = raters["rater_id"].replace_strict(made.severity, return_dtype=pl.Float64)
        told += raters.height
        covered += int(((raters["low"] <= truth) & (truth <= raters["high"])).sum())
        assert "mood" in result.variances["part"]
    # 300 raters. Left out, moods of this size would leave some three in four covered.
    assert covered / told > 0.85


def test_moods_that_levels_cannot_take_out_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    _, rows = drawn(500, mood_sd=0.9)
    linear = severity(rows)
    with_moods = disagreements(linear, severity_by_levels(rows))
    assert with_moods.moods == 0.0
    monkeypatch.setattr(levels, "_MOST_MOODS", 20)
    result = severity_by_levels(rows)
    assert "mood" not in result.variances["part"]
    both = disagreements(linear, result)
    assert both.moods > 0.25
    assert "rely on rating points" in levels_chart.agreement(release(both, as_of=DAY), EN)


def test_a_refusal_has_nobody_to_compare() -> None:
    _, rows, _, _ = found()
    refused = severity_by_levels(rows.with_columns(pl.lit(3).alias("level")))
    both = disagreements(severity(rows), refused)
    assert (both.n_both, both.correlation) == (0, None)
    assert "no rater" in levels_chart.agreement(release(both, as_of=DAY), EN)


def test_every_rater_has_a_sentence_about_levels() -> None:
    result = found()[3]
    for row in result.raters.iter_rows(named=True):
        said = levels_chart.reading(row, EN, name="Ann")
        if row["verdict"] == "lenient":
            assert said.startswith("Ann would raise ")
        if row["verdict"] == "severe":
            assert said.startswith("Ann would lower ")
    assert levels_chart.refusal(Refusal("all_equal", {}), EN).startswith("All ratings are the same")


def test_numbers_of_levels_may_lie_far_apart() -> None:
    made = drawn(3, people=120, raters=12)[1]
    top = made["level"].max()
    apart = made.with_columns(pl.when(pl.col("level") == top).then(2**40).otherwise("level").alias("level"))
    plain, far = severity_by_levels(made), severity_by_levels(apart)
    assert far.raters["severity"].to_list() == pytest.approx(plain.raters["severity"].to_list(), abs=1e-9)
    assert far.thresholds.height == plain.thresholds.height
