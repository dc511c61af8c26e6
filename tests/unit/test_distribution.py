"""Options, refusals, pictures and sentences of distributions."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest

from analytics.disclosure import Released, release
from analytics.distribution import chart
from analytics.distribution.change import change
from analytics.distribution.guidance import PRESETS, Band, Guidance, GuidanceFit, guidance_fit, possible
from analytics.distribution.shares import Distribution, distribution
from analytics.language import Language
from analytics.theme import Mode

SCALE = pl.DataFrame({"level": [1, 2, 3, 4, 5], "label": ["D", "C", "B", "A", "S"]})
EN, ZH = Language("en"), Language("zh")
AS_OF = date(2026, 6, 30)


def company(*, lenient: float = 0.0, cycles: tuple[str, ...] = ("2026H1",), seed: int = 5) -> pl.DataFrame:
    """Six departments of 40, 30, 20, 9, 4 and 3 people; ``lenient`` is added to the first."""
    rng = np.random.default_rng(seed)
    rows = []
    for cycle in cycles:
        for dept, n in {"sales": 40, "ops": 30, "cs": 20, "hr": 9, "legal": 4, "lab": 3}.items():
            for i in range(n):
                drawn = rng.normal(3.0 + (lenient if dept == "sales" else 0.0), 0.9)
                level = int(np.clip(round(drawn), 1, 5))
                rows.append((cycle, f"{dept}{i}", f"{dept}-boss", dept, float(level), level))
    return pl.DataFrame(
        rows, schema=["cycle_id", "ratee_id", "rater_id", "dept", "score", "level"], orient="row"
    )


def shown(**options: float) -> Released[Distribution]:
    return release(distribution(company(**options), scale=SCALE, by="dept"), as_of=AS_OF)  # type: ignore[arg-type]


def fitted(data: pl.DataFrame, **options: object) -> GuidanceFit:
    given = {"scale": SCALE, "by": "dept", "guidance": PRESETS[0].on(5), **options}
    return guidance_fit(data, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "salary"}, "lack the columns salary"),
        ({"confidence": 1.5}, "confidence must lie between 0 and 1; got 1.5"),
        ({"minimum": 1}, "minimum must be at least 2"),
        ({"edges": [1, 2, 3]}, "edges are for continuous scales"),
        ({"scale": SCALE.head(2)}, "are not on the scale"),
        ({"scale": pl.concat([SCALE, SCALE])}, "name each level once"),
        ({"scale": SCALE.drop("label")}, "must have the columns level and label"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, object], message: str) -> None:
    given = {"scale": SCALE, "by": "dept", **options}
    with pytest.raises(ValueError, match=message):
        distribution(company(), **given)  # type: ignore[arg-type]


def test_a_half_known_level_is_refused() -> None:
    data = company().with_columns(pl.when(pl.col("dept") != "hr").then("level").alias("level"))
    with pytest.raises(ValueError, match="level is null in 9 of 106 ratings"):
        distribution(data, scale=SCALE, by="dept")


def test_a_score_that_is_no_number_is_refused() -> None:
    data = company().with_columns(pl.lit(float("nan")).alias("score"))
    with pytest.raises(ValueError, match="finite number"):
        distribution(data, scale=SCALE, by="dept")


def test_no_ratings_give_empty_frames_and_a_sentence() -> None:
    result = distribution(company().clear(), scale=SCALE, by="dept")
    assert result.groups.is_empty()
    assert result.tests.is_empty()
    released = release(result, as_of=AS_OF)
    assert chart.takeaway(released, EN).startswith("Too few people")
    for mode in ("light", "dark"):
        assert chart.figure(released, EN, mode=mode).layout.height > 0
        assert chart.multiples(released, EN, mode=mode).layout.height > 0


def test_ratings_without_a_group_are_left_out_and_counted() -> None:
    data = company().with_columns(pl.when(pl.col("dept") != "hr").then("dept").alias("dept"))
    result = distribution(data, scale=SCALE, by="dept")
    assert result.total.select("people", "left_out").row(0) == (97, 9)


def test_a_continuous_scale_is_binned_at_round_ends() -> None:
    score = np.linspace(2.13, 9.87, 60)
    data = pl.DataFrame(
        {
            "ratee_id": [f"p{i}" for i in range(60)],
            "dept": ["x"] * 60,
            "score": score,
            "level": pl.Series([None] * 60, dtype=pl.Int64),
        }
    )
    result = distribution(data, scale=SCALE, by="dept")
    assert result.continuous
    # Not 2.13 and 9.87: these are two people's scores.
    assert result.levels["low"].to_list() == [2, 3, 4, 5, 6, 7, 8, 9]
    assert result.levels["high"].to_list() == [3, 4, 5, 6, 7, 8, 9, 10]
    own = distribution(data, scale=SCALE, by="dept", edges=[0, 5, 10])
    assert own.levels["label"].to_list() == ["0–5", "5–10"]
    assert own.total_shares["count"].sum() == 60
    with pytest.raises(ValueError, match="edges must span all scores"):
        distribution(data, scale=SCALE, by="dept", edges=[3, 10])
    with pytest.raises(ValueError, match="edges must rise"):
        distribution(data, scale=SCALE, by="dept", edges=[10, 0])


def test_a_level_nobody_got_is_shown_as_nought() -> None:
    data = company().filter(pl.col("level") != 3)
    counts = distribution(data, scale=SCALE, by="dept").total_shares
    nobody = counts.filter(pl.col("level") == 3).row(0, named=True)
    assert (nobody["count"], nobody["low"]) == (0, 0.0)
    assert nobody["high"] > 0


def test_tests_are_withheld_where_they_could_tell_about_those_left_out() -> None:
    # One department compared with itself and a small one hidden: H would give the small one away.
    data = company().filter(pl.col("dept").is_in(["sales", "ops", "lab"]))
    assert distribution(data, scale=SCALE, by="dept").tests.is_empty()
    assert not distribution(company(), scale=SCALE, by="dept").tests.is_empty()


def test_a_preset_says_which_scales_it_fits() -> None:
    assert [p.key for p in PRESETS if p.fits(3)] == ["2-7-1", "ranges"]
    assert [p.key for p in PRESETS if p.fits(5)] == ["2-7-1", "s-to-d", "ranges", "top-two"]
    with pytest.raises(ValueError, match="s-to-d needs 5 to 5 levels"):
        PRESETS[1].on(4)
    for preset in PRESETS:
        assert preset.source
        assert preset.why
        assert chart.guidance_name(preset.on(5), EN)


def test_targets_of_a_preset_add_up_to_everybody() -> None:
    for preset, levels in ((PRESETS[0], 3), (PRESETS[0], 7), (PRESETS[1], 5)):
        assert sum(band.target or 0 for band in preset.on(levels).bands) == pytest.approx(1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Band((2, 1)), "levels must be rising"),
        (lambda: Band((1,), least=0.5, most=0.4), "least ≤ most"),
        (lambda: Band((1,), most=0.4, target=0.5), "target must lie within"),
        (lambda: Guidance("custom", (Band((1, 2)), Band((2, 3)))), "disjoint"),
        (lambda: Guidance("custom", (Band((3,)), Band((1,)))), "in order"),
        (lambda: Guidance("custom", (Band((1,), least=0.6), Band((2,), least=0.6))), "least shares"),
    ],
)
def test_guidance_that_contradicts_itself_is_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]


def test_guidance_refuses_what_it_cannot_judge() -> None:
    with pytest.raises(ValueError, match="reference must be guidance or company; got 'peers'"):
        fitted(company(), reference="peers")
    with pytest.raises(ValueError, match="level is null"):
        fitted(company().with_columns(pl.lit(None, pl.Int64).alias("level")))
    with pytest.raises(ValueError, match="names levels \\[5\\]"):
        fitted(company().filter(pl.col("level") < 5), scale=SCALE.head(4))
    with pytest.raises(ValueError, match="loop"):
        fitted(company(), tree={"lab": "legal", "legal": "lab"})


def test_somebody_rated_twice_counts_once_at_the_lower_median() -> None:
    twice = pl.concat([company(), company().with_columns(pl.col("level").clip(1, 4) + 1)])
    once, both = fitted(company()), fitted(twice)
    assert (once.several, both.several) == (0, 106)
    assert both.bands["count"].to_list() == once.bands["count"].to_list()


def test_a_ceiling_makes_sense_for_any_number_of_people() -> None:
    ceiling = PRESETS[3].on(5)
    assert all(possible(ceiling, n, levels=5) for n in range(30))


def test_a_company_that_follows_the_guidance_is_told_so() -> None:
    rows = [
        (f"{dept}{level}{i}", dept, level)
        for dept in ("x", "y")
        for level, n in ((1, 2), (3, 14), (5, 4))
        for i in range(n)
    ]
    data = pl.DataFrame(rows, schema=["ratee_id", "dept", "level"], orient="row")
    released = release(fitted(data), as_of=AS_OF)
    assert chart.guidance_takeaway(released, EN) == "Every group that can be judged meets the guidance."


def test_a_lenient_department_is_named_with_its_size_in_plain_words() -> None:
    released = shown(lenient=1.0)
    sentence = chart.takeaway(released, EN, names={"sales": "Sales & Co"})
    assert sentence.startswith("Sales & Co is rated ")
    assert "points higher than everybody else (likely" in sentence
    assert sentence.endswith("of why ratings differ; the rest lies within the groups.")
    # The figures are for who asks how we know.
    assert "%" not in sentence
    assert "(p " not in sentence
    said = chart.details(released, EN)
    assert "%" in said["Explained by groups"]
    assert "Kruskal–Wallis over people: p " in said["Rank tests"]


def differing(*differences: float) -> Released[Distribution]:
    """Everybody's groups g0, g1, … with these differences, all beyond chance."""
    released = shown(lenient=1.0)
    one = released.value.groups.drop_nulls("people").head(1)
    groups = pl.concat(
        one.with_columns(
            pl.lit(f"g{place}").alias("group"),
            pl.lit(difference).alias("difference"),
            pl.lit(difference - 0.1).alias("difference_low"),
            pl.lit(difference + 0.1).alias("difference_high"),
            pl.lit(0.001).alias("q"),
        )
        for place, difference in enumerate(differences)
    )
    return replace(released, value=replace(released.value, groups=groups))


@pytest.mark.parametrize(
    ("differences", "words"),
    [
        ((0.9, -0.8), ". g1 (−0.8) differs too. All"),
        ((0.9, -0.8, 0.7), ". g1 (−0.8) and g2 (+0.7) differ too. All"),
        ((0.9, -0.8, 0.7, 0.6), ". g1 (−0.8), g2 (+0.7) and g3 (+0.6) differ too. All"),
        (
            (0.9, -0.8, 0.7, 0.6, 0.5),
            ". 4 other groups differ too, most of all g1 (−0.8), g2 (+0.7) and g3 (+0.6). All",
        ),
    ],
)
def test_a_few_other_groups_are_all_named_and_of_many_the_furthest(
    differences: tuple[float, ...], words: str
) -> None:
    assert words in chart.takeaway(differing(*differences), EN)


def test_what_one_rater_gave_is_spoken_of_in_the_case_its_place_asks_for() -> None:
    names = {"g0": "Ana", "g1": "Wei", "g2": "Ole"}
    said = chart.takeaway(differing(0.9, -0.8, 0.7), EN, names=names, of_raters=True)
    assert said.startswith(
        "The group rated by Ana is rated 0.9 points higher than everybody else (likely 0.8 to 1.0). "
        "The group rated by Wei (−0.8) and the group rated by Ole (+0.7) differ too."
    )


def test_a_difference_and_its_interval_have_the_decimals_that_keep_it_off_nought() -> None:
    # 0.52 − 0.1 needs one decimal; 0.13 ± 0.1 starts at 0.03, which one decimal would call nought.
    assert "rated 0.5 points higher than everybody else (likely 0.4 to 0.6)" in chart.takeaway(
        differing(0.52), EN
    )
    small = differing(0.13)
    small = replace(small, value=replace(small.value, total=small.value.total.with_columns(sd=pl.lit(0.5))))
    assert "rated 0.13 points higher than everybody else (likely 0.03 to 0.23)" in chart.takeaway(small, EN)


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.004, "almost nothing"),
        (0.112, "about a tenth"),
        (0.26, "about a quarter"),
        (0.34, "about a third"),
        (0.97, "almost all"),
    ],
)
def test_a_share_is_said_in_words(share: float, words: str) -> None:
    released = differing(0.9)
    tests = released.value.tests.with_columns(
        size=pl.when(pl.col("test") == "variance").then(share).otherwise("size")
    )
    sentence = chart.takeaway(replace(released, value=replace(released.value, tests=tests)), EN)
    assert f"All groups together explain {words} of why ratings differ" in sentence


def test_no_group_of_one_is_counted_as_one_of_one() -> None:
    data = company(lenient=1.0).filter(pl.col("dept") == "sales").with_columns(level=pl.lit(5))
    sentence = chart.guidance_takeaway(release(fitted(data), as_of=AS_OF), EN, names={"sales": "Sales"})
    assert sentence.startswith(
        "The one group that can be judged departs from the guidance by more than chance: Sales ("
    )


def test_where_nothing_differs_the_sentence_says_so() -> None:
    sentence = chart.takeaway(shown(), EN)
    assert sentence.startswith("No group differs beyond what chance explains")


def test_a_hidden_group_is_never_named_in_a_sentence() -> None:
    data = company(lenient=0.0).with_columns(
        pl.when(pl.col("dept") == "lab").then(5.0).otherwise("score").alias("score"),
        pl.when(pl.col("dept") == "lab").then(5).otherwise("level").alias("level"),
    )
    released = release(distribution(data, scale=SCALE, by="dept"), as_of=AS_OF)
    assert "lab" not in chart.takeaway(released, EN)


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("t", [EN, ZH])
def test_every_picture_keeps_hidden_groups_last_hatched_and_without_numbers(mode: Mode, t: Language) -> None:
    names = {
        "lab": "一个名字非常非常长的研究与开发实验室部门第二分部",
        "legal": "Legal <b>and</b> compliance",
    }
    data = company(cycles=("2025H2", "2026H1"), lenient=0.8)
    now = data.filter(pl.col("cycle_id") == "2026H1")
    spread = release(distribution(now, scale=SCALE, by="dept"), as_of=AS_OF)
    fit = release(fitted(now), as_of=AS_OF)
    shift = release(change(data, scale=SCALE, by="dept", before="2025H2", after="2026H1"), as_of=AS_OF)
    pictures = [
        chart.figure(spread, t, mode=mode, names=names, guidance=PRESETS[0].on(5)),
        chart.guidance_figure(fit, t, mode=mode, names=names),
        chart.change_figure(shift, t, mode=mode, names=names),
    ]
    for picture in pictures:
        spec = json.loads(picture.to_json())
        hatched = [trace for trace in spec["data"] if (trace.get("marker") or {}).get("pattern")]
        assert hatched
        ticks = picture.layout.yaxis.ticktext
        assert {"Legal &lt;b&gt;and&lt;/b&gt;<br>compliance", ticks[-1], ticks[-2]} == {ticks[-1], ticks[-2]}
        # Every other bar, dot and arrow stays on the rows above the two hidden ones.
        last = len(ticks) - 2
        for trace in picture.data:
            if trace.type == "bar" and trace.marker.pattern.shape:
                continue
            rows = [row for row in (trace.y if trace.y is not None else []) if row is not None]
            assert all(row < last for row in rows)
    assert chart.multiples(spread, t, mode=mode, names=names).layout.height > 300


def test_two_departments_of_one_name_stay_two_rows() -> None:
    picture = chart.figure(shown(), EN, mode="light", names={"sales": "Sales", "ops": "Sales"})
    assert list(picture.layout.yaxis.ticktext).count("Sales") == 2
    assert len(picture.layout.yaxis.tickvals) == 7


def test_heights_grow_with_groups_and_with_long_names() -> None:
    short = chart.figure(shown(), EN, mode="light")
    few = distribution(company().filter(pl.col("dept").is_in(["sales", "ops"])), scale=SCALE, by="dept")
    assert chart.figure(release(few, as_of=AS_OF), EN, mode="light").layout.height < short.layout.height
    long = chart.figure(shown(), EN, mode="light", names={"ops": "Operations, logistics and " * 3})
    assert long.layout.height > short.layout.height
    assert long.layout.margin.l > short.layout.margin.l


def test_rows_are_sorted_by_mean_and_counts_sum_to_n() -> None:
    released = shown(lenient=1.0)
    picture = chart.figure(released, EN, mode="light")
    assert list(picture.layout.yaxis.ticktext)[:2] == ["Everybody", "sales"]
    by_name = chart.figure(released, EN, mode="light", order="name")
    assert list(by_name.layout.yaxis.ticktext)[1:5] == ["cs", "hr", "ops", "sales"]
    with pytest.raises(ValueError, match="order must be"):
        chart.figure(released, EN, mode="light", order="rank")  # type: ignore[arg-type]
    bars = [trace for trace in picture.data if trace.name]
    assert [trace.name for trace in bars] == ["D", "C", "B", "A", "S"]
    assert sum(trace.x[0] for trace in bars) == pytest.approx(1)


def test_guidance_lines_stand_where_the_shares_end() -> None:
    def lines(guidance: Guidance) -> list[float]:
        picture = chart.figure(shown(), EN, mode="light", guidance=guidance)
        return [shape.x0 for shape in picture.layout.shapes]

    assert lines(PRESETS[0].on(5)) == pytest.approx([0.1, 0.8])
    assert lines(PRESETS[1].on(5)) == pytest.approx([0.05, 0.2, 0.7, 0.9])
    # Worst at least 5 %, best at most 20 %.
    assert lines(PRESETS[2].on(5)) == pytest.approx([0.05, 0.8])
    assert lines(PRESETS[3].on(5)) == pytest.approx([0.7])


def test_a_cycle_that_nobody_was_rated_in_cannot_be_compared() -> None:
    result = change(company(), scale=SCALE, by="dept", before="2025H2", after="2026H1")
    assert result.groups["difference"].null_count() == 6
    sentence = chart.change_takeaway(release(result, as_of=AS_OF), EN)
    assert sentence.startswith("The data cannot tell what changed")
    with pytest.raises(ValueError, match="must be different cycles"):
        change(company(), scale=SCALE, by="dept", before="2026H1", after="2026H1")


def test_a_department_of_one_cycle_only_is_protected_by_its_size_in_that_cycle() -> None:
    # Three people rated before and nobody after: the totals before would give them away.
    data = company(cycles=("1", "2")).filter((pl.col("dept") != "lab") | (pl.col("cycle_id") == "1"))
    result = change(data, scale=SCALE, by="dept", before="1", after="2")
    assert dict(result.groups.select("group", "fewest").iter_rows())["lab"] == 3
    released = release(result, as_of=AS_OF)
    assert released.value.groups["mean_before"].null_count() >= 2


def test_a_rise_of_one_department_is_told() -> None:
    data = company(cycles=("1", "2"))
    risen = data.with_columns(
        pl.when((pl.col("dept") == "ops") & (pl.col("cycle_id") == "2"))
        .then(5.0)
        .otherwise("score")
        .alias("score")
    )
    released = release(change(risen, scale=SCALE, by="dept", before="1", after="2"), as_of=AS_OF)
    assert "1 group changed beyond chance: ops (+" in chart.change_takeaway(released, EN)


def test_figures_are_pure_functions_of_what_was_released() -> None:
    released = shown(lenient=0.5)
    again = replace(released)
    one, two = (chart.figure(r, EN, mode="light").to_json() for r in (released, again))
    assert one == two


def test_a_picture_of_hundreds_of_raters_shows_the_outermost_and_says_how_many_it_leaves_out() -> None:
    rows = [
        {
            "ratee_id": f"p{rater}-{i}",
            "score": 1.0 + (rater + i) % 5,
            "level": 1 + (rater + i) % 5,
            "by": f"r{rater}",
        }
        for rater in range(100)
        for i in range(6)
        for level in [1 + (rater + i) % 5]
    ]
    scale = pl.DataFrame({"level": [1, 2, 3, 4, 5], "label": list("DCBAS")})
    released = release(distribution(pl.DataFrame(rows), scale=scale, by="by"), as_of=date(2026, 6, 30))
    drawn = chart.figure(released, Language("en"), mode="light")
    assert drawn.layout.height < 2_000
    assert "60 more groups are not drawn; the table has all." in [
        note.text for note in drawn.layout.annotations
    ]
