"""What is put on one ruler, what is not, and how it is said."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analytics.disclosure import release
from analytics.language import LANGUAGES, Language
from analytics.policy import MINIMUM_RATEES, MISFIT_LOW
from analytics.severity import facets_chart
from analytics.severity.engines.rating_scale import NotEstimable, fit_rating_scale
from analytics.severity.facets import FITS, REASONS, VERDICTS, Facets, facets

STEPS = np.array([-3.0, -1.2, 1.2, 3.0])
DIMENSIONS = {"overall": 0.0, "results": 0.9, "quality": -0.9}
SOURCES = {"manager": 0.0, "peer": 0.0}


def judgements(
    seed: int,
    *,
    people: int = 160,
    raters: int = 16,
    cycles: int = 2,
    rater_sd: float = 0.8,
    halo: float = 1.0,
    liking: float = 0.5,
) -> tuple[pl.DataFrame, dict[str, float]]:
    """Every person rated twice a cycle on three dimensions, by raters of known leniency."""
    rng = np.random.default_rng(seed)
    lenient = rater_sd * rng.standard_normal(raters)
    lenient -= lenient.mean()
    ability = 1.3 * rng.standard_normal(people)
    like = liking * rng.standard_normal((people, raters))
    rows = []
    for cycle in range(cycles):
        for person in range(people):
            for source, rater in zip(SOURCES, rng.choice(raters, 2, replace=False), strict=True):
                impression = halo * rng.standard_normal()
                for dimension, easy in DIMENSIONS.items():
                    place = ability[person] + lenient[rater] + like[person, rater] + impression + easy
                    logs = np.cumsum(np.concatenate([[0.0], place - STEPS]))
                    chances = np.exp(logs - logs.max())
                    level = 1 + int(rng.choice(5, p=chances / chances.sum()))
                    rows.append((f"c{cycle}", f"p{person:03}", f"r{rater:02}", source, dimension, level))
    frame = pl.DataFrame(
        rows,
        schema=["cycle_id", "ratee_id", "rater_id", "source", "dimension", "level"],
        orient="row",
    ).with_columns(
        pl.col("level").cast(pl.Int64),
        pl.col("level").cast(pl.Float64).alias("score"),
        pl.lit("five").alias("scale_id"),
        pl.lit("d").alias("department_id"),
    )
    return frame, {f"r{rater:02}": float(b) for rater, b in enumerate(lenient)}


@pytest.fixture(scope="module")
def made() -> tuple[pl.DataFrame, dict[str, float]]:
    return judgements(1)


@pytest.fixture(scope="module")
def result(made: tuple[pl.DataFrame, dict[str, float]]) -> Facets:
    return facets(made[0])


def row(result: Facets, rater: str) -> dict[str, object]:
    return result.raters.row(by_predicate=pl.col("rater_id") == rater, named=True)


def test_lenient_raters_stand_above_nought_and_in_their_true_order(
    made: tuple[pl.DataFrame, dict[str, float]], result: Facets
) -> None:
    truth = result.raters["rater_id"].replace_strict(made[1]).to_numpy()
    measure = result.raters["measure"].to_numpy()
    assert np.corrcoef(truth, measure)[0, 1] > 0.85
    assert measure @ truth > 0
    assert abs(measure.mean()) < 1e-9


def test_dimensions_have_their_true_distance_and_verdicts(result: Facets) -> None:
    told = {one["element"]: one for one in result.elements.filter(facet="dimension").iter_rows(named=True)}
    # Planted .9 and -.9; a lasting liking shrinks logits a little.
    assert told["results"]["measure"] - told["quality"]["measure"] == pytest.approx(1.8, abs=0.35)
    assert (told["results"]["verdict"], told["quality"]["verdict"]) == ("higher", "lower")
    assert told["results"]["fair_low"] < told["results"]["fair_average"] < told["results"]["fair_high"]
    assert result.average is not None
    assert told["results"]["fair_average"] > result.average
    assert told["quality"]["fair_average"] < result.average
    sources = result.elements.filter(facet="source")
    assert set(sources["verdict"]) == {"unremarkable"}


def test_what_a_rater_thought_of_a_person_is_found_and_makes_errors_honest(
    made: tuple[pl.DataFrame, dict[str, float]], result: Facets
) -> None:
    assert result.halo_sd == pytest.approx(1.0, abs=0.25)
    assert result.ability_sd == pytest.approx(1.3, abs=0.3)


@pytest.mark.parametrize(("halo", "low", "high"), [(True, 0.92, 0.985), (False, 0.0, 0.9)])
def test_intervals_cover_nineteen_of_twenty_only_if_the_impression_is_part_of_the_model(
    halo: bool, low: float, high: float
) -> None:
    hits = []
    for seed in range(10):
        frame, lenient = judgements(seed, people=100, raters=12, cycles=2)
        code = {
            name: frame[name].rank("dense").to_numpy().astype(np.int64) - 1
            for name in ("ratee_id", "rater_id", "dimension", "cycle_id")
        }
        testlet = (code["ratee_id"] * 12 + code["rater_id"]) * 2 + code["cycle_id"]
        fit = fit_rating_scale(
            frame["level"].to_numpy() - 1,
            person=code["ratee_id"],
            between={"rater": code["rater_id"]},
            within={"dimension": code["dimension"]},
            testlet=testlet,
            halo=halo,
        )
        found = fit.facets["rater"]
        error = np.maximum(found.standard_error, found.robust_error) if halo else found.standard_error
        truth = np.array([lenient[rater] for rater in sorted(lenient)])
        # A model that leaves something out measures in smaller logits: compare on its own scale.
        scale = float(found.values @ truth / (truth @ truth))
        hits += (np.abs(found.values - scale * truth) < 1.96 * error).tolist()
    assert low <= np.mean(hits) <= high


def test_who_gives_everybody_the_same_is_mechanical_and_who_throws_dice_unpredictable(
    made: tuple[pl.DataFrame, dict[str, float]],
) -> None:
    rng = np.random.default_rng(9)
    frame = made[0]
    dice = pl.Series(np.where(rng.random(frame.height) < 0.5, 1, 5))
    odd = frame.with_columns(
        pl.when(pl.col("rater_id") == "r03")
        .then(pl.when(pl.int_range(pl.len()) % 40 == 0).then(4).otherwise(3))
        .when(pl.col("rater_id") == "r05")
        .then(dice)
        .otherwise("level")
        .alias("level")
    ).with_columns(pl.col("level").cast(pl.Float64).alias("score"))
    found = facets(odd)
    assert row(found, "r03")["fit"] == "mechanical"
    assert row(found, "r03")["infit"] < MISFIT_LOW.value  # type: ignore[operator]
    assert row(found, "r05")["fit"] == "unpredictable"
    assert facets_chart.odd_raters(release(found, as_of=date(2026, 6, 30))).height <= 4


def test_mean_squares_are_about_one_where_the_model_holds(result: Facets) -> None:
    assert result.raters["infit"].mean() == pytest.approx(1.0, abs=0.06)
    assert result.raters["outfit"].mean() == pytest.approx(1.0, abs=0.06)
    assert set(result.raters["fit"]) <= set(FITS)
    assert set(result.elements["verdict"]) <= set(VERDICTS)


def test_who_cannot_be_compared_has_a_reason_and_no_number(
    made: tuple[pl.DataFrame, dict[str, float]], result: Facets
) -> None:
    frame = made[0]
    lonely = frame.filter(rater_id="r00").with_columns(
        rater_id=pl.lit("lonely"), ratee_id="x" + pl.col("ratee_id")
    )
    few = frame.filter(pl.col("ratee_id").is_in(["p000", "p001"])).with_columns(rater_id=pl.lit("few"))
    kind = (
        frame.filter(rater_id="r01")
        .with_columns(rater_id=pl.lit("kind"), level=pl.lit(5, dtype=pl.Int64), score=pl.lit(5.0))
        .select(frame.columns)
    )
    found = facets(pl.concat([frame, lonely, few.select(frame.columns), kind]))
    for rater, reason in (("lonely", "alone"), ("few", "few_ratees"), ("kind", "one_level")):
        assert row(found, rater)["reason"] == reason
        assert reason in REASONS
        assert row(found, rater)["measure"] is None
    assert found.left_out["unlinked"] == lonely.height
    assert (
        found.left_out["few_ratees"]
        == few.unique(["cycle_id", "ratee_id", "rater_id", "source", "dimension"]).height
    )
    assert_frame_equal(
        found.raters.filter(pl.col("rater_id").str.starts_with("r")), result.raters, abs_tol=1e-6
    )
    assert MINIMUM_RATEES.value > 2


def test_the_order_of_rows_changes_nothing(
    made: tuple[pl.DataFrame, dict[str, float]], result: Facets
) -> None:
    assert_frame_equal(facets(made[0].sample(fraction=1.0, shuffle=True, seed=3)).raters, result.raters)


def test_rows_on_another_scale_without_level_or_by_oneself_are_counted_and_left_out(
    made: tuple[pl.DataFrame, dict[str, float]], result: Facets
) -> None:
    frame = made[0]
    other = frame.head(7).with_columns(cycle_id=pl.lit("c9"), scale_id=pl.lit("ten"))
    blank = frame.head(4).with_columns(cycle_id=pl.lit("c8"), level=pl.lit(None, dtype=pl.Int64))
    own = frame.head(3).with_columns(rater_id=pl.col("ratee_id"), source=pl.lit("self"))
    found = facets(pl.concat([frame, other, blank, own]))
    assert (found.left_out["other_scale"], found.left_out["incomplete"], found.left_out["self"]) == (7, 4, 3)
    assert_frame_equal(found.raters, result.raters)


def test_a_source_of_which_every_rater_is_a_source_of_their_own_is_left_out_and_named(
    made: tuple[pl.DataFrame, dict[str, float]],
) -> None:
    frame = made[0].with_columns(
        source=pl.when(pl.col("rater_id") < "r08").then(pl.lit("manager")).otherwise(pl.lit("peer"))
    )
    found = facets(frame)
    assert found.entangled == ("source",)
    assert found.elements.filter(facet="source").is_empty()
    assert found.identified


def test_a_level_nobody_would_likely_get_is_disordered() -> None:
    frame, _ = judgements(2, people=100, cycles=1)
    # Level 4 is hardly ever used: most of its ratings become 3 or 5.
    rare = pl.int_range(pl.len()) % 12 != 0
    squeezed = frame.with_columns(
        pl.when((pl.col("level") == 4) & rare)
        .then(pl.when(pl.int_range(pl.len()) % 2 == 0).then(3).otherwise(5))
        .otherwise("level")
        .alias("level")
    ).with_columns(pl.col("level").cast(pl.Float64).alias("score"))
    found = facets(squeezed)
    steps = found.steps
    assert steps.filter("disordered")["level"].to_list() == [5]
    assert steps["step"].drop_nulls().sum() == pytest.approx(0.0, abs=1e-9)
    said = facets_chart.ladder(
        release(found, as_of=date(2026, 6, 30)), Language("en"), levels={4: "A", 5: "S", 6: "SS"}
    )
    assert "does not work as a ladder at A" in said
    assert "Nobody was rated SS" in said


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda frame: frame.clear(), "empty"),
        (lambda frame: frame.with_columns(level=pl.lit(None, dtype=pl.Int64)), "incomplete"),
        (
            # Four raters of three people each: ratings and links are there, but too few people per rater.
            lambda frame: frame.filter(
                pl.col("ratee_id").is_in(frame["ratee_id"].unique().sort().head(3).implode())
            ),
            "few_comparable",
        ),
        (lambda frame: frame.with_columns(level=pl.lit(3, dtype=pl.Int64)), "all_equal"),
        (lambda frame: frame.filter(pl.col("rater_id") == "r00"), "no_links"),
        (lambda frame: frame.filter(pl.col("rater_id") < "r03"), "few_linked_raters"),
    ],
)
def test_what_cannot_be_told_is_refused_in_words(
    made: tuple[pl.DataFrame, dict[str, float]], change: object, kind: str
) -> None:
    found = facets(change(made[0]))  # type: ignore[operator]
    assert found.refusal is not None
    assert found.refusal.kind == kind
    assert not found.identified
    assert found.raters["measure"].null_count() == found.raters.height
    assert set(found.raters["reason"]) <= {"refused"}
    released = release(found, as_of=date(2026, 6, 30))
    for code in LANGUAGES:
        assert facets_chart.takeaway(released, Language(code))
    said = facets_chart.takeaway(released, Language("en"))
    assert ("There are no ratings" in said) == (kind == "empty")
    assert len(facets_chart.figure(released, Language("en"), mode="light").layout.annotations) == 1


def test_ratings_that_leave_a_measure_without_bounds_are_refused() -> None:
    # Everybody gets their own level from everybody: abilities have no end.
    person, rater = np.divmod(np.arange(200), 10)
    with pytest.raises(NotEstimable):
        fit_rating_scale((person % 4).astype(np.int64), person=person, between={"rater": rater})


def test_wrong_options_are_named(made: tuple[pl.DataFrame, dict[str, float]]) -> None:
    with pytest.raises(ValueError, match="never 'self'"):
        facets(made[0], sources=("self",))
    with pytest.raises(ValueError, match="missing dimension"):
        facets(made[0].drop("dimension"))
    with pytest.raises(ValueError, match="points must be at least 3"):
        fit_rating_scale([0, 1], person=[0, 1], between={"r": [0, 1]}, points=2)
    with pytest.raises(ValueError, match="every whole number"):
        fit_rating_scale([0, 2], person=[0, 1], between={"r": [0, 1]})
    with pytest.raises(ValueError, match="same person"):
        fit_rating_scale([0, 1], person=[0, 1], between={"r": [0, 0]}, testlet=[0, 0])


def test_the_picture_draws_every_element_and_the_words_name_the_extremes(result: Facets) -> None:
    released = release(result, as_of=date(2026, 6, 30))
    t = Language("en")
    said = facets_chart.takeaway(released, t)
    assert "“results” is rated highest and “quality” hardest" in said
    assert "In which role somebody rates hardly matters." in said
    for mode in ("light", "dark"):
        fig = facets_chart.figure(released, t, mode=mode)
        dots = next(trace for trace in fig.data if trace.mode == "markers")
        assert len(dots.x) == result.elements.height
        assert sum(next(trace for trace in fig.data if trace.type == "bar").y) == result.n_raters


def test_a_rater_of_too_few_people_is_hidden_on_release(result: Facets) -> None:
    released = release(result, as_of=date(2026, 6, 30), minimum=1_000)
    assert released.value.raters["measure"].null_count() == result.raters.height
    assert released.value.elements["fair_average"].null_count() == result.elements.height
    assert facets_chart.takeaway(released, Language("en"))


@pytest.mark.parametrize("many", [2, 4])
def test_forms_that_copy_the_overall_rating_into_every_dimension_are_refused(many: int) -> None:
    # What a rater thought of a person then explains everything, and its spread has no bound.
    for seed in range(6):
        overall = judgements(seed, people=60, raters=8)[0].filter(pl.col("dimension") == "overall")
        copied = pl.concat([overall.with_columns(dimension=pl.lit(f"d{k}")) for k in range(many)])
        found = facets(copied)
        assert found.refusal is not None
        assert found.refusal.kind == "no_residual"
