"""What stands on the pages about the delay probability's honesty and about owners' promises.

Tables, the words of the method, and the card about one owner; nothing is computed here but words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import streamlit as st

from analytics.disclosure import Released
from analytics.goals import owners_chart
from analytics.goals.owners import REFERENCE as OWNERS_SOURCES
from analytics.goals.owners import Owners
from analytics.goals.risk import backtest_chart
from analytics.goals.risk.backtest import REFERENCE as BACKTEST_SOURCES
from analytics.goals.risk.backtest import Backtest
from analytics.language import Language, percent
from analytics.policy import (
    CALIBRATION_GAP,
    CALIBRATION_KNOWN,
    FALSE_DISCOVERY,
    MINIMUM_EACH_OUTCOME,
    MINIMUM_FINISHED_GOALS,
    MINIMUM_JUDGED_GOALS,
)
from pages.kit import cards, filters
from pages.kit.tables import named, people

FLAGS = ("over_promises", "holds_back")


def counted(t: Language, released: Released[Backtest]) -> str:
    """How many goals the backtest stands on, for the scope line."""
    n = released.value.total["n_goals"].sum() if released.value.total.height else 0
    return t.plural("{n} goal that came due", "{n} goals that came due", int(n or 0))


def bins(t: Language, released: Released[Backtest]) -> pl.DataFrame:
    """What was said, in bins, beside what came."""
    frame = released.value.reliability
    return frame.select(
        _percent("from").alias(t("Said from (%)")),
        _percent("to").alias(t("to (%)")),
        _percent("stated").alias(t("on average (%)")),
        _percent("observed").alias(t("Missed (%)")),
        _percent("low").alias(t("likely from (%)")),
        _percent("high").alias(t("likely to (%)")),
        pl.col("n_goals").alias(t("Goals")),
        pl.col("n_said").alias(t("Statements")),
        _verdict(t).alias(t("Reading")),
    )


def departments(t: Language, released: Released[Backtest], names: Mapping[str, str]) -> pl.DataFrame:
    """Each department, furthest off first."""
    frame = released.value.departments.sort(
        pl.col("difference").abs(), "department_id", descending=[True, False], nulls_last=True
    )
    return frame.select(named(frame, "department_id", names).alias(t("Department")), *_scores(t))


def apart(t: Language, released: Released[Backtest]) -> str:
    """By what statements are taken apart: the reader's choice; empty where there is nothing to take apart."""
    there = set(released.value.parts["by"])
    if not there:
        return ""
    words = {by: said for by, said in backtest_chart.by_words(t).items() if by in there}
    return filters.switch(t("Taken apart by"), words, key="apart")


def parts(t: Language, released: Released[Backtest], by: str) -> pl.DataFrame:
    """The same by time used, days left, half-year or model."""
    frame = released.value.parts.filter(by=by)
    words = backtest_chart.part_words(t)
    return frame.select(
        pl.Series(
            backtest_chart.by_words(t)[by],
            [words.get((by, part), part) for part in frame["part"]],
            dtype=pl.String,
        ),
        *_scores(t),
    )


def ladder(t: Language, released: Released[Backtest]) -> pl.DataFrame:
    """The models that were tried on the same statements, best first."""
    frame = released.value.ladder.sort("brier", "rung")
    words = backtest_chart.rung_words(t)
    return frame.select(
        pl.col("rung")
        .replace_strict(words, default=pl.col("rung"), return_dtype=pl.String)
        .alias(t("Model")),
        pl.when("chosen").then(pl.lit(t("speaks now"))).otherwise(pl.lit("")).alias(t("Chosen")),
        pl.Series(t("Error (Brier)"), [f"{one:.3f}" for one in frame["brier"]], dtype=pl.String),
        _percent("skill").alias(t("Smaller than the base rate's by (%)")),
        _percent("auc").alias(t("Pairs told apart (%)")),
        _tenths("ece").alias(t("Mean gap (points)")),
        pl.col("n_goals").alias(t("Goals")),
    )


def method(t: Language, released: Released[Backtest]) -> dict[str, str]:
    """Behind the backtest."""
    found = released.value
    card = found.card
    return {
        t("Method"): t(
            "On a row of days in the past the model was learnt anew from what was known by then, and its "
            "statements about the following days are kept. Here they are set against what became of the "
            "goals. Nothing that was learnt later enters. Only statements whose due date has come count; of "
            "the other goals just those that landed early are known."
        ),
        t("Intervals"): t(
            "Statements about one goal share its outcome, and goals of one owner or team may turn out alike. "
            "Intervals draw whole goals, owners or teams, whichever makes them wider."
        ),
        t("Error"): t(
            "Brier score: the mean squared distance between the probability and what came (1 missed, 0 "
            "landed). “Smaller than the pace rule's” is the share of that rule's error saved, on the same "
            "statements."
        ),
        t("Mean gap"): t(
            "Distance between said and missed, averaged over bins of about equally many statements. A "
            "perfect probability has a gap too, because of chance; how large it would be stands beside it."
        ),
        t("Readings"): t(
            "“Says too much” or “too little”: the difference is at least {gap} percentage points and more "
            "than chance, with {rate} % false discoveries among those read together. “The data cannot tell”: "
            "a difference of more than {known} points is neither shown nor ruled out, or fewer than {goals} "
            "goals came due; how well goals are told apart needs {each} that missed and as many that landed.",
            gap=round(100 * CALIBRATION_GAP.value),
            rate=round(100 * FALSE_DISCOVERY.value),
            known=round(100 * CALIBRATION_KNOWN.value),
            goals=int(MINIMUM_JUDGED_GOALS.value),
            each=int(MINIMUM_EACH_OUTCOME.value),
        ),
        t("Not counted"): t(
            "{not_due} statements about goals not yet due; {unknown} about goals whose end is not on record.",
            not_due=found.left_out.get("not_due", 0),
            unknown=found.left_out.get("unknown", 0),
        ),
        t("The model in force"): t(
            "{model}; learnt from {goals} finished goals, share missed {base}; seed {seed}.",
            model=backtest_chart.rung_words(t).get(card.get("rung", ""), card.get("rung", "–")),
            goals=card.get("settled_goals", "–"),
            base=percent(float(card["base_rate"]), t) if "base_rate" in card else "–",
            seed=card.get("seed", "–"),
        ),
        t("Limits"): t(
            "An honest past is no promise: where goals are set in another way from now on, the probability "
            "has to learn it first. No rating and no protected attribute enters."
        ),
        t("Sources"): BACKTEST_SOURCES,
        t("Rules"): _rules(t, released.rules, t.day(released.as_of)),
    }


def columns(t: Language) -> dict[str, Any]:
    """How the columns with tenths of a percentage point are shown."""
    tenths = st.column_config.NumberColumn(format="%.1f")
    return {t("Mean gap (points)"): tenths, t("… by chance alone"): tenths}


def owners_counted(t: Language, released: Released[Owners]) -> str:
    """How many owners the page is about, for the scope line."""
    return t.plural(
        "{n} owner of goals that came due", "{n} owners of goals that came due", released.value.owners.height
    )


def owners(t: Language, released: Released[Owners], names: Mapping[str, str]) -> pl.DataFrame:
    """Owners the data can tell about, flags first, the largest difference first."""
    frame = _in_order(released.value).filter(pl.col("excess").is_not_null())
    return frame.select(
        people(t, frame, "owner_id", names).alias(t("Owner")),
        pl.col("verdict")
        .replace_strict(owners_chart.verdict_words(t), default=None, return_dtype=pl.String)
        .alias(t("Reading")),
        _percent("stated").alias(t("Confidence at half time (%)")),
        _percent("landed").alias(t("Landed (%)")),
        _percent("excess").alias(t("Too sure by (points)")),
        _percent("low").alias(t("from")),
        _percent("high").alias(t("to")),
        pl.col("n_goals").alias(t("Goals that came due")),
        pl.col("n_cycles").alias(t("Cycles")),
        pl.col("n_early").alias(t("Landed with a quarter of the time to spare")),
    )


def unknown_owners(t: Language, released: Released[Owners], names: Mapping[str, str]) -> pl.DataFrame:
    """Owners the data cannot tell about, most goals first."""
    frame = released.value.owners.filter(pl.col("excess").is_null()).sort(
        "n_goals", "owner_id", descending=[True, False]
    )
    return frame.select(
        people(t, frame, "owner_id", names).alias(t("Owner")),
        pl.col("n_goals").alias(t("Goals that came due")),
        pl.col("n_cycles").alias(t("Cycles")),
    )


def one_owner(
    t: Language, released: Released[Owners], names: Mapping[str, str], titles: Mapping[str, str]
) -> None:
    """An owner to choose: the finding, the goals behind it, how to begin a talk, what else it may be."""
    ordered = filters.with_chosen(_in_order(released.value), "owner_id", key="owner")
    if ordered.is_empty():
        return
    words = owners_chart.verdict_words(t)
    options = {
        owner: f"{names.get(owner, owner)} · {words[verdict]}"
        for owner, verdict in ordered.select("owner_id", "verdict").iter_rows()
    }
    cards.heading(t("One owner"))
    chosen = filters.pick(t("Owner"), options, key="owner")
    row = ordered.row(by_predicate=pl.col("owner_id") == chosen, named=True)
    said = owners_chart.reading(row, t, name=names.get(chosen, chosen))
    with st.container(border=True):
        cards.say(said)
        cards.plain_table(_promises(t, released, titles, chosen), alt=said, wide=t("Goal"))
        if row["verdict"] in FLAGS:
            cards.remark(owners_chart.coaching(t))
            cards.remark(owners_chart.besides(t))


def _promises(t: Language, released: Released[Owners], titles: Mapping[str, str], owner: str) -> pl.DataFrame:
    """The goals behind one owner's reading, the latest due first."""
    frame = released.value.promises.filter(owner_id=owner).sort("due_on", "goal_id", descending=[True, False])
    became = (
        pl.when("early")
        .then(pl.lit(t("Landed early")))
        .when(pl.col("landed") > 0)
        .then(pl.lit(t("Landed")))
        .otherwise(pl.lit(t("Missed")))
    )
    return frame.select(
        named(frame, "goal_id", titles).alias(t("Goal")),
        pl.col("due_on").alias(t("Due")),
        _percent("confidence").alias(t("Confidence at half time (%)")),
        became.alias(t("What became of it")),
    )


def owners_method(t: Language, released: Released[Owners]) -> dict[str, str]:
    """Behind owners' promises."""
    found = released.value
    return {
        t("Method"): t(
            "Of each goal that came due: the latest confidence stated by half of its time, less 1 if it "
            "landed by the due date then in force and 0 if not. An owner's mean of that is too sure if "
            "above nought. What goals of one cycle share is taken for luck; what remains is drawn towards "
            "the usual owner, the more the fewer goals there are."
        ),
        t("Flags"): t(
            "The whole interval lies more than {practical} points from keeping promises, and the owner "
            "differs from the usual owner in the same direction. At least {minimum} goals must have come "
            "due. Of the flags {false} are expected to be chance.",
            practical=round(100 * found.practical),
            minimum=int(MINIMUM_FINISHED_GOALS.value),
            false=f"{found.expected_false_flags:.1f}",
        ),
        t("How much owners differ"): ""
        if found.spread is None or found.swing is None
        else t(
            "Owners differ by {spread} points (standard deviation), and one owner's cycles by {swing}.",
            spread=round(100 * found.spread),
            swing=round(100 * found.swing),
        ),
        t("Not counted"): t(
            "{silent} goals without a confidence stated by half of their time, {nobody} without an owner, "
            "and goals not yet due.",
            silent=found.left_out.get("no_confidence", 0),
            nobody=found.left_out.get("no_owner", 0),
        ),
        t("Limits"): t(
            "It says how a stated confidence turned out, not how well somebody works: who takes on hard "
            "goals and says so keeps promises. No rating enters."
        ),
        t("Sources"): OWNERS_SOURCES,
        t("Rules"): _rules(t, released.rules, t.day(released.as_of)),
    }


def _in_order(found: Owners) -> pl.DataFrame:
    """Flags first, largest first; then those like others; those the data cannot tell last."""
    order = {"over_promises": 0, "holds_back": 0, "unremarkable": 1, "cannot_tell": 2}
    rank = pl.col("verdict").replace_strict(order, default=3, return_dtype=pl.Int8)
    return found.owners.sort(
        rank, pl.col("excess").abs(), "owner_id", descending=[False, True, False], nulls_last=True
    )


def _scores(t: Language) -> list[pl.Expr]:
    return [
        _verdict(t).alias(t("Reading")),
        _percent("stated").alias(t("Said (%)")),
        _percent("observed").alias(t("Missed (%)")),
        _percent("observed_low").alias(t("from")),
        _percent("observed_high").alias(t("to")),
        pl.col("n_goals").alias(t("Goals")),
        _percent("pace_skill").alias(t("Error below the pace rule's (%)")),
        _percent("auc").alias(t("Pairs told apart (%)")),
        _tenths("ece").alias(t("Mean gap (points)")),
        _tenths("ece_expected").alias(t("… by chance alone")),
        _percent("base_skill").alias(t("Error below the base rate's (%)")),
    ]


def _tenths(column: str) -> pl.Expr:
    return (100 * pl.col(column)).round(1)


def _percent(column: str) -> pl.Expr:
    """Whole per cent; empty where it is not defined, as pairs are if no goal or every goal missed."""
    defined = pl.when(pl.col(column).is_finite()).then(pl.col(column))
    return (100 * defined).round(0).cast(pl.Int64)


def _verdict(t: Language) -> pl.Expr:
    return pl.col("verdict").replace_strict(
        backtest_chart.verdict_words(t), default=None, return_dtype=pl.String
    )


def _rules(t: Language, rules: str, day: str) -> str:
    return t(
        "Rules version {rules}; data as of {day}. Evidence for a talk, not a verdict.", rules=rules, day=day
    )
