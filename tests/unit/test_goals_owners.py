"""Who over-promises and who holds back: claims about what counts, who is flagged, and what is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analytics.disclosure import release
from analytics.goals import owners_chart as chart
from analytics.goals.owners import Owners, owners
from analytics.language import Language
from tests.promising_company import AS_OF, DUE, START, promising_company

EN = Language("en")
FLAGS = ["over_promises", "holds_back"]


def found_in(seed: int, **how: Any) -> tuple[Owners, pl.DataFrame]:
    seen, check_ins, goals, truth = promising_company(seed, **how)
    return owners(seen, check_ins, goals, as_of=AS_OF), truth


@pytest.fixture(scope="module")
def company() -> tuple[Owners, pl.DataFrame]:
    return found_in(1, goals=3)


def flagged(found: Owners) -> pl.DataFrame:
    return found.owners.filter(pl.col("verdict").is_in(FLAGS))


def test_who_is_flagged_promises_too_much_or_too_little_in_truth(
    company: tuple[Owners, pl.DataFrame],
) -> None:
    found, truth = company
    flags = flagged(found).join(truth, on="owner_id")
    assert set(flags["verdict"]) == set(FLAGS)
    assert flags.filter(verdict="over_promises")["side"].unique().to_list() == [1]
    assert flags.filter(verdict="holds_back")["side"].unique().to_list() == [-1]
    # With twelve goals each, most of those half of the scale off are found.
    assert flags.height >= 0.5 * truth.filter(pl.col("side") != 0).height


def test_where_nobody_has_a_habit_hardly_anybody_is_flagged() -> None:
    counts = [flagged(found_in(seed, unusual=0.0, swing=0.2)[0]).height for seed in range(12)]
    # 3,600 owners without a habit; at most one flag among them.
    assert sum(counts) <= 1


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    covered, wrong, expected, n_flags = [], 0, 0.0, 0
    for seed in range(12):
        found, truth = found_in(seed, swing=0.15)
        told = found.owners.join(truth, on="owner_id")
        covered.append(told["habit"].is_between(told["low"], told["high"]).mean())
        flags = told.filter(pl.col("verdict").is_in(FLAGS))
        wrong += flags.filter(pl.col("habit").abs() < found.practical).height
        expected += found.expected_false_flags
        n_flags += flags.height
    assert 0.93 <= float(np.mean(covered)) <= 1.0  # type: ignore[arg-type]
    assert n_flags > 50
    assert wrong <= expected + 3 * max(1.0, expected) ** 0.5


def test_where_everybody_is_too_sure_nobody_is_flagged_and_the_company_is_said_to_be() -> None:
    found, _ = found_in(4, unusual=0.0, everybody=0.3)
    assert flagged(found).is_empty()
    row = found.total.row(0, named=True)
    assert row["usual_low"] < 0.3 < row["usual_high"]
    assert "owners are too sure in general" in chart.takeaway(release(found, as_of=AS_OF), EN)


def test_a_bad_half_year_is_no_habit() -> None:
    # The same numbers of goals landed and missed; once all misses fall into one cycle, once they are spread.
    seen, check_ins, goals, _ = promising_company(5, owners=200, cycles=4, goals=3, unusual=0.0, swing=0.2)
    mine = goals.filter(owner_id="E0000")["goal_id"].to_list()
    own = pl.col("goal_id").is_in(mine)

    def with_misses(which: list[str]) -> pl.DataFrame:
        changed = seen.with_columns(
            missed=pl.when(own).then(pl.col("goal_id").is_in(which)).otherwise("missed")
        )
        high = check_ins.with_columns(confidence=pl.when(own).then(0.9).otherwise("confidence"))
        return owners(changed, high, goals, as_of=AS_OF).owners.filter(owner_id="E0000")

    bunched, spread = with_misses(mine[:3]), with_misses([mine[0], mine[4], mine[8]])
    assert bunched["landed"][0] == spread["landed"][0] == 0.75
    # The size of luck is the company's, so both are as sure; neither is a flag.
    assert bunched["verdict"][0] == spread["verdict"][0] == "unremarkable"


def test_sizes_of_luck_agree_with_the_analysis_of_variance() -> None:
    # Balanced: 300 owners × 4 cycles × 3 goals. E(MS goals) = σ², E(MS cycles) = σ² + 3 τ²,
    # E(MS owners) = σ² + 3 τ² + 12 ω²; restricted maximum likelihood gives the same where all are positive.
    seen, check_ins, goals, _ = promising_company(6, goals=3, unusual=0.3, swing=0.2)
    found = owners(seen, check_ins, goals, as_of=AS_OF)
    d = (
        check_ins.join(seen, on="goal_id")
        .sort("goal_id")
        .select(pl.col("confidence") - (~pl.col("missed")).cast(pl.Float64))
        .to_series()
        .to_numpy()
        .reshape(300, 4, 3)
    )
    cells, rows = d.mean(axis=2), d.mean(axis=(1, 2))
    goals_ms = ((d - cells[:, :, None]) ** 2).sum() / (300 * 4 * 2)
    cycles_ms = 3 * ((cells - rows[:, None]) ** 2).sum() / (300 * 3)
    owners_ms = 12 * ((rows - d.mean()) ** 2).sum() / 299
    assert found.swing == pytest.approx(((cycles_ms - goals_ms) / 3) ** 0.5, rel=0.01)
    assert found.spread == pytest.approx(((owners_ms - cycles_ms) / 12) ** 0.5, rel=0.01)
    row = found.total.row(0, named=True)
    assert row["usual"] == pytest.approx(d.mean())
    # The usual owner is known to √(MS owners ÷ 3,600).
    assert row["usual_high"] - row["usual"] == pytest.approx(1.96 * (owners_ms / 3600) ** 0.5, rel=0.01)


def test_owners_are_drawn_towards_the_usual_one_and_the_more_the_fewer_their_goals() -> None:
    seen, check_ins, goals, _ = promising_company(7, goals=4)
    # Everybody of the second half keeps every other goal only.
    half = pl.col("owner_id") >= "E0150"
    keep = goals.filter(~half | (pl.int_range(pl.len()) % 2 == 0))
    found = owners(seen, check_ins, keep, as_of=AS_OF)
    raw = found.owners.with_columns(raw=pl.col("stated") - pl.col("landed") - found.total["usual"][0])
    pulled = raw.filter(pl.col("raw").abs() > 0.1).with_columns(
        kept=(pl.col("excess") - found.total["usual"][0]) / pl.col("raw")
    )
    assert pulled["kept"].is_between(0.0, 1.0).all()
    many, few = pulled.filter(n_goals=16)["kept"], pulled.filter(n_goals=8)["kept"]
    assert many.median() > few.median()  # type: ignore[operator]


def test_from_fewer_than_five_goals_the_data_cannot_tell() -> None:
    seen, check_ins, goals, _ = promising_company(8)
    few = goals.filter((pl.col("owner_id") != "E0000") | (pl.int_range(pl.len()) < 4))
    row = owners(seen, check_ins, few, as_of=AS_OF).owners.row(0, named=True)
    assert (row["owner_id"], row["n_goals"]) == ("E0000", 4)
    assert (row["verdict"], row["reason"], row["excess"]) == ("cannot_tell", "few_goals", None)
    assert chart.reading(row, EN, name="Ana") == (
        "For Ana the data cannot tell: 4 goals came due, and it takes 5."
    )


def test_without_confidence_nobody_is_judged_and_it_is_said_what_would_help() -> None:
    seen, check_ins, goals, _ = promising_company(9)
    found = owners(seen, check_ins.with_columns(confidence=None), goals, as_of=AS_OF)
    assert found.untold == "no_confidence"
    assert found.owners.is_empty()
    assert found.left_out["no_confidence"] == goals.height
    assert "Ask owners for it at check-ins" in chart.takeaway(release(found, as_of=AS_OF), EN)


def test_among_four_owners_nobody_is_judged() -> None:
    found, _ = found_in(10, owners=4, cycles=20)
    assert found.untold == "few_owners"
    assert set(found.owners["verdict"]) == {"cannot_tell"}
    assert "it takes 5 owners" in chart.takeaway(release(found, as_of=AS_OF), EN)


def test_from_one_cycle_a_habit_cannot_be_told_from_a_bad_half_year() -> None:
    found, _ = found_in(11, cycles=1, goals=8)
    assert found.untold == "few_cycles"
    assert set(found.owners["reason"]) == {"refused"}
    assert "a habit from a bad half-year" in chart.takeaway(release(found, as_of=AS_OF), EN)


def test_the_latest_confidence_by_half_time_counts_and_none_after_it() -> None:
    seen, check_ins, goals, _ = promising_company(12)
    before = owners(seen, check_ins, goals, as_of=AS_OF)
    half_time = START + timedelta(84)

    def also(day: date, value: float) -> Owners:
        when = datetime(day.year, day.month, day.day, 17)
        said = pl.concat(
            [check_ins.with_columns(checked_at=pl.lit(when), confidence=pl.lit(value)), check_ins]
        )
        return owners(seen, said, goals, as_of=AS_OF)

    assert_frame_equal(also(half_time + timedelta(1), 0.01).owners, before.owners)
    assert_frame_equal(also(START, 0.01).owners, before.owners)
    assert also(half_time, 0.01).owners["stated"].unique().to_list() == [0.01]


def test_what_is_seen_after_half_time_counts_only_for_its_half() -> None:
    seen, check_ins, goals, _ = promising_company(13)
    # Later on a due date was moved away and the goal landed: at half time the promise was for the first date.
    later = seen.with_columns(
        seen_on=pl.lit(START + timedelta(120)),
        elapsed=pl.lit(0.66),
        due_on=pl.lit(DUE + timedelta(60)),
        missed=pl.lit(value=False),
    )
    both = owners(pl.concat([later, seen]), check_ins, goals, as_of=AS_OF)
    assert_frame_equal(both.owners, owners(seen, check_ins, goals, as_of=AS_OF).owners)


def test_goals_not_yet_due_and_goals_of_nobody_do_not_count() -> None:
    seen, check_ins, goals, _ = promising_company(14)
    first, second = pl.col("goal_id") == "G00000", pl.col("goal_id") == "G00001"
    ahead = seen.with_columns(due_on=pl.when(first).then(AS_OF + timedelta(1)).otherwise("due_on"))
    nobodys = goals.with_columns(owner_id=pl.when(~second).then("owner_id"))
    found = owners(ahead, check_ins, nobodys, as_of=AS_OF)
    assert found.total["n_goals"][0] == goals.height - 2
    assert found.left_out == {"no_confidence": 0, "no_owner": 1}


def test_landing_with_a_quarter_of_the_time_to_spare_is_counted_as_early() -> None:
    seen, check_ins, goals, _ = promising_company(15)
    landed = seen.filter(~pl.col("missed"))["goal_id"].to_list()
    # 182 days: a quarter to spare is landing by day 136.5.
    early = goals.with_columns(
        completed_on=pl.when(pl.col("goal_id") == landed[0])
        .then(START + timedelta(136))
        .when(pl.col("goal_id") == landed[1])
        .then(START + timedelta(137))
        .otherwise("completed_on")
    )
    assert owners(seen, check_ins, early, as_of=AS_OF).owners["n_early"].sum() == 1


def test_the_order_of_rows_does_not_matter(company: tuple[Owners, pl.DataFrame]) -> None:
    seen, check_ins, goals, _ = promising_company(1, goals=3)
    turned = owners(seen.reverse(), check_ins.reverse(), goals.reverse(), as_of=AS_OF)
    assert_frame_equal(turned.owners, company[0].owners)
    assert_frame_equal(turned.promises, company[0].promises)


def test_nobody_is_said_to_land_more_than_all_or_fewer_than_none(
    company: tuple[Owners, pl.DataFrame],
) -> None:
    told = company[0].owners
    assert (told["high"] <= told["stated"] + 1e-12).all()
    assert (told["low"] >= told["stated"] - 1.0 - 1e-12).all()


def test_every_goal_behind_a_reading_is_listed(company: tuple[Owners, pl.DataFrame]) -> None:
    found, _ = company
    listed = (
        found.promises.group_by("owner_id")
        .agg(
            pl.len().cast(pl.Int64).alias("n_goals"),
            pl.col("confidence").mean().alias("stated"),
            pl.col("landed").mean(),
        )
        .sort("owner_id")
    )
    assert_frame_equal(listed, found.owners.select("owner_id", "n_goals", "stated", "landed"))


def test_the_finding_counts_both_kinds_and_says_how_many_may_be_chance(
    company: tuple[Owners, pl.DataFrame],
) -> None:
    found, _ = company
    released = release(found, as_of=AS_OF)
    over = found.owners.filter(verdict="over_promises").height
    under = found.owners.filter(verdict="holds_back").height
    said = chart.takeaway(released, EN)
    assert f"{over} of 300 owners the data can tell about land clearly fewer goals than stated" in said
    assert f"and {under} clearly more" in said
    assert f"Hardly any of these {over + under} flags is expected to be chance." in chart.caveats(
        released, EN
    )


def test_a_reading_says_stated_landed_and_the_interval(company: tuple[Owners, pl.DataFrame]) -> None:
    found, _ = company
    over = found.owners.filter(verdict="over_promises").row(0, named=True)
    said = chart.reading(over, EN, name="Ana")
    assert said.startswith(f"Ana stated {round(100 * over['stated'])} % on average at half time; ")
    assert f"{round(over['landed'] * 12)} of 12 goals landed" in said
    assert f"too sure by {round(100 * over['low'])} to {round(100 * over['high'])} points" in said
    under = found.owners.filter(verdict="holds_back").row(0, named=True)
    near, far = round(-100 * under["high"]), round(-100 * under["low"])
    assert f"too cautious by {near} to {far} points" in chart.reading(under, EN, name="Bo")


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_neither_kind_of_flag_crowds_out_the_other_in_the_picture(
    company: tuple[Owners, pl.DataFrame], mode: Any
) -> None:
    found, _ = company
    # Sixty people promise far too much, one holds back a little, nobody else stands out.
    quiet = found.owners.with_columns(verdict=pl.lit("unremarkable"), excess=0.0, low=-0.1, high=0.1)
    many = quiet.with_columns(
        pl.when(pl.int_range(pl.len()) < 60).then(value).otherwise(name).alias(name)
        for name, value in (
            ("verdict", pl.lit("over_promises")),
            ("excess", 0.9),
            ("low", 0.5),
            ("high", 0.99),
        )
    )
    last = pl.int_range(pl.len()) == 299
    many = many.with_columns(
        pl.when(last).then(value).otherwise(name).alias(name)
        for name, value in (
            ("verdict", pl.lit("holds_back")),
            ("excess", -0.2),
            ("low", -0.3),
            ("high", -0.11),
        )
    )
    released = release(replace(found, owners=many), as_of=AS_OF)
    figure = chart.figure(released, EN, mode=mode, names={"E0299": "<b>Zoë</b>"})
    assert len(figure.layout.yaxis.ticktext) == chart.MOST_OWNERS
    assert figure.layout.yaxis.ticktext[-1] == "&lt;b&gt;Zoë&lt;/b&gt;"
    notes = " ".join(note.text for note in figure.layout.annotations)
    assert f"{300 - chart.MOST_OWNERS} more owners, who stand out less, are not drawn." in notes


def test_nobody_within_reach_is_said_in_words(company: tuple[Owners, pl.DataFrame]) -> None:
    found, _ = company
    nobody = release(replace(found, owners=found.owners.clear()), as_of=AS_OF)
    assert chart.takeaway(nobody, EN).startswith("The data cannot tell for any owner within reach.")
    assert chart.figure(nobody, EN, mode="light").layout.annotations
