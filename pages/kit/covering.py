"""What stands on the page about coverage: the map and its holes, how goals were set, how they were changed.

Each part says its finding first; nothing is computed here but words.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
import streamlit as st

from analytics.disclosure import Released
from analytics.goals import adjustment_chart, coverage_chart, outlook_chart, setting_chart
from analytics.goals.adjustment import Adjustment
from analytics.goals.coverage import Coverage
from analytics.goals.setting import FACTS, Setting
from analytics.language import Language, percent
from analytics.policy import (
    FALSE_DISCOVERY,
    MINIMUM_FINISHED_GOALS,
    SETTING_GAP,
    SETTING_LATE,
    WARNING_LATE,
    WEIGHT_TOLERANCE,
)
from analytics.theme import Mode
from data.access import Viewer
from pages.kit import cards, filters, load, load_coverage
from pages.kit.tables import named, people

STRATEGY, SETTING, CHANGES = "strategy", "setting", "changes"


@dataclass(frozen=True)
class Reader:
    """Who reads what: all that a part needs to say and show its figures."""

    t: Language
    mode: Mode
    version: str
    viewer: Viewer
    scope: filters.GoalScope
    people: Mapping[str, str]
    departments: Mapping[str, str]

    @property
    def key(self) -> Hashable:
        """All a picture or table depends on."""
        return (self.version, self.viewer, self.scope, self.t, self.mode)

    @property
    def about(self) -> list[str]:
        """The scope in words."""
        on = load.latest_day(self.version)
        return [*self.scope.words, self.t("as of {day}", day=self.t.day(on))]

    def footer(self, released: Released[Any]) -> list[str]:
        """What stands beside downloaded figures."""
        return cards.footer(self.t, self.viewer, released, self.version, self.about)


def parts(t: Language) -> dict[str, str]:
    """The parts of the page."""
    return {STRATEGY: t("Coverage and holes"), SETTING: t("Goal setting"), CHANGES: t("Changes on the way")}


def strategy(reader: Reader, head: st.delta_generator.DeltaGenerator) -> None:
    """Who has taken up the strategy, and where it has holes."""
    t, names = reader.t, reader.departments
    with cards.waiting():
        released = load_coverage.strategy(reader.version, reader.viewer, reader.scope.department_id)
    said = coverage_chart.takeaway(released, t)
    with head:
        cards.title(t("Has the strategy been taken up?"), reader.about)
        cards.finding(said)
    drawn = coverage_chart.map_takeaway(released, t, names)
    cards.section(t("Who has taken up what"), drawn)
    load.picture(
        lambda: coverage_chart.map_figure(released, t, reader.mode, names),
        key=("coverage", reader.key),
        alt=t.joined([said, drawn]),
    )
    cards.remark(t.joined([coverage_chart.legend(t), coverage_chart.map_note(released, t)]))
    cards.hidden(released, t)
    footer = reader.footer(released)
    found = coverage_chart.holes_takeaway(released, t)
    cards.section(t("Holes between goals, and what to do"), found)
    if coverage_chart.holes(released, t, {}):
        cards.table(
            t,
            lambda: _holes(reader, released),
            name="strategy-holes",
            key=reader.key,
            footer=footer,
            alt=found,
            columns={
                t("What is missing"): st.column_config.TextColumn(width=220),
                t("Where"): st.column_config.TextColumn(width=270),
                t("What to do"): st.column_config.TextColumn(width=430),
            },
        )
    lacking = coverage_chart.lacking_takeaway(released, t)
    cards.section(t("What the records of open goals lack"), lacking)
    if any(coverage_chart.lack_counts(released.value).values()):
        cards.table(
            t,
            lambda: _lacking(reader, released),
            name="incomplete-goals",
            key=reader.key,
            footer=footer,
            alt=lacking,
        )
    cards.method(t, _strategy_method(t, released))


def _holes(reader: Reader, released: Released[Coverage]) -> pl.DataFrame:
    """The holes between goals, the gravest first."""
    t = reader.t
    found = coverage_chart.holes(released, t, {**reader.people, **reader.departments})
    frame = pl.DataFrame(
        {
            "what": [hole.what for hole in found],
            "where": [hole.where for hole in found],
            "department_id": [hole.department_id for hole in found],
            "to_do": [hole.to_do for hole in found],
        },
        schema=dict.fromkeys(("what", "where", "department_id", "to_do"), pl.String),
    )
    return frame.select(
        pl.col("what").alias(t("What is missing")),
        pl.col("where").alias(t("Where")),
        pl.col("to_do").alias(t("What to do")),
        named(frame, "department_id", reader.departments).alias(t("Department")),
    )


def _lacking(reader: Reader, released: Released[Coverage]) -> pl.DataFrame:
    """Open goals that lack something, those that lack most first."""
    t, words = reader.t, coverage_chart.lack_words(reader.t)
    frame = released.value.goals.filter(pl.col("lacks").list.len() > 0).sort(
        pl.col("lacks").list.len(), "due_on", "goal_id", descending=[True, False, False]
    )
    return frame.select(
        pl.col("title").alias(t("Goal")),
        pl.col("lacks")
        .list.eval(pl.element().replace_strict(words, default=pl.element(), return_dtype=pl.String))
        .list.join(" · ")
        .alias(t("What is missing")),
        people(t, frame, "owner_id", reader.people).alias(t("Owner")),
        named(frame, "department_id", reader.departments).alias(t("Department")),
        pl.col("due_on").alias(t("Due")),
    )


def _strategy_method(t: Language, released: Released[Coverage]) -> dict[str, str]:
    found = released.value
    return {
        t("Method"): t(
            "A strategic goal is an open company goal that is part of no other company goal. It counts as "
            "taken up where a goal that is neither a draft nor given up is part of it, however far below, or "
            "serves it through an alignment. That is looked at in the whole company, whoever reads the page."
        ),
        t("Counted"): t(
            "{strategic} strategic goals and {goals} open goals within reach; {weighted} sets of weights, "
            "each of one owner, kind of goal and cycle.",
            strategic=found.strategy.height,
            goals=found.goals.height,
            weighted=found.weighted,
        ),
        t("Weights"): t(
            "They count as adding up within {tolerance} points of 100 %, with or without the goals that were "
            "given up.",
            tolerance=f"{WEIGHT_TOLERANCE.value:g}",
        ),
        t("Small groups"): t(
            "How many goals single people of a department have is hidden where fewer than {minimum} people "
            "own them.",
            minimum=released.minimum,
        ),
        t("Limits"): t(
            "That a goal serves a strategic goal on paper does not show that it helps it. A hole may be "
            "wanted: not every department has to serve every goal."
        ),
        t("Rules"): rules(t, released),
    }


def rules(t: Language, released: Released[Any]) -> str:
    """Version of the rules and the day of the data."""
    return t(
        "Rules version {rules}; data as of {day}. Evidence for a talk, not a verdict.",
        rules=released.rules,
        day=t.day(released.as_of),
    )


def goal_setting(reader: Reader, head: st.delta_generator.DeltaGenerator) -> None:
    """Whether goals have what they need, and when they were agreed."""
    t = reader.t
    with cards.waiting():
        released = load_coverage.goal_setting(reader.version, reader.viewer, reader.scope.department_id)
    said = setting_chart.takeaway(released, t, names=reader.departments)
    with head:
        cards.title(t("Are goals set well, and in time?"), reader.about)
        cards.finding(said)
    load.picture(
        lambda: setting_chart.figure(released, t, reader.mode), key=("setting", reader.key), alt=said
    )
    cards.section(t("By department"), setting_chart.completeness(released, t, names=reader.departments))
    cards.table(
        t,
        lambda: _set(reader, released, "department_id", t("Department"), reader.departments),
        name="goal-setting",
        key=("departments", reader.key),
        footer=reader.footer(released),
        alt=said,
    )
    cards.hidden(released, t)
    if released.value.cycles.height > 1:
        cards.section(t("Is it getting better?"), setting_chart.cycles_takeaway(released, t))
        cards.table(
            t,
            lambda: _set(reader, released, "cycle_id", t("Cycle"), {}),
            name="goal-setting-cycles",
            key=("cycles", reader.key),
            footer=reader.footer(released),
            alt=said,
        )
    cards.method(t, _setting_method(t, released))


def _set(
    reader: Reader, released: Released[Setting], group: str, header: str, names: Mapping[str, str]
) -> pl.DataFrame:
    """Shares of goals that have what they need, and when they were agreed, by group."""
    t, words = reader.t, setting_chart.fact_words(reader.t)
    frame = (
        released.value.departments.sort(
            "late_share", "department_id", descending=[True, False], nulls_last=True
        )
        if group == "department_id"
        else released.value.cycles
    )

    def share(column: str, of: str = "goals") -> pl.Expr:
        return (100 * pl.col(column) / pl.col(of)).round(0).cast(pl.Int64, strict=False)

    return frame.select(
        named(frame, group, names).alias(header),
        pl.col("goals").alias(t("Goals")),
        share("complete").alias(t("Have all (%)")),
        pl.col("median_days").round(0).cast(pl.Int64).alias(t("Agreed after (days)")),
        share("late", "dated").alias(t("Agreed late (%)")),
        *(
            (100 * pl.col(end)).round(0).cast(pl.Int64).alias(called)
            for end, called in (("late_low", t("from")), ("late_high", t("to")))
        ),
        *(share(fact).alias(t("{what} (%)", what=words[fact])) for fact in FACTS),
    )


def _setting_method(t: Language, released: Released[Setting]) -> dict[str, str]:
    return {
        t("Method"): t(
            "Counted facts of the open goals: whether a metric, a target (with a starting value where the "
            "way counts), a data source, a review cadence and an owner are named, and whether owner and "
            "manager both agreed. Drafts are left out."
        ),
        t("In time"): t(
            "The day both sides agreed, against the first day of the goal; late is more than {limit} days "
            "after it. Goals that were never agreed are counted as such, not as late. Shares have 95 % "
            "intervals (Wilson).",
            limit=int(SETTING_LATE.value),
        ),
        t("Departments that stand out"): t(
            "At least {gap} points more late goals than all other departments together, and more than chance "
            "explains if the owners are counted as cases (Benjamini–Hochberg, {rate} % false discoveries).",
            gap=f"{100 * SETTING_GAP.value:g}",
            rate=f"{100 * FALSE_DISCOVERY.value:g}",
        ),
        t("Limits"): t(
            "A goal that has everything may still be the wrong goal, and a missing entry may stand in "
            "another system."
        ),
        t("Rules"): rules(t, released),
    }


def changes(reader: Reader, head: st.delta_generator.DeltaGenerator) -> None:
    """Which goals were changed late, why, by whose leave, and what became of them."""
    t = reader.t
    with cards.waiting():
        released = load_coverage.goal_adjustment(reader.version, reader.viewer, reader.scope.department_id)
    said = adjustment_chart.takeaway(released, t)
    with head:
        cards.title(t("Are goals changed on the way, and who agrees to it?"), reader.about)
        cards.finding(said)
    footer = reader.footer(released)
    if not released.value.outcomes.is_empty():
        cards.section(t("What became of them"), adjustment_chart.outcomes_takeaway(released, t))
        load.picture(
            lambda: adjustment_chart.figure(released, t, reader.mode),
            key=("outcomes", reader.key),
            alt=adjustment_chart.outcomes_takeaway(released, t),
        )
        cards.remark(adjustment_chart.caution(t))
    if not released.value.directions.is_empty():
        cards.section(t("The delay probability before and after late changes"), "")
        for line in adjustment_chart.effect_takeaway(released, t).splitlines():
            cards.say(line)
        cards.table(
            t,
            lambda: _directions(reader, released),
            name="late-changes-by-kind",
            key=reader.key,
            footer=footer,
            alt=adjustment_chart.effect_takeaway(released, t),
        )
        cards.section(t("Why, and by whose leave"), adjustment_chart.reasons_takeaway(released, t))
        cards.table(
            t,
            lambda: _reasons(reader, released),
            name="reasons-of-late-changes",
            key=reader.key,
            footer=footer,
            alt=adjustment_chart.reasons_takeaway(released, t),
        )
    if not released.value.departments.is_empty():
        cards.heading(t("By department"))
        cards.table(
            t,
            lambda: _by_department(reader, released),
            name="late-changes-by-department",
            key=reader.key,
            footer=footer,
            alt=said,
        )
        cards.hidden(released, t)
    if not released.value.steps.is_empty():
        kept = adjustment_chart.history_takeaway(released, t)
        cards.section(t("Every change on record"), kept)
        cards.table(
            t, lambda: _steps(reader, released), name="goal-changes", key=reader.key, footer=footer, alt=kept
        )
    cards.method(t, _changes_method(t, released))


def _per_cent(column: str, called: str) -> pl.Expr:
    return (100 * pl.col(column)).round(0).cast(pl.Int64).alias(called)


def _directions(reader: Reader, released: Released[Adjustment]) -> pl.DataFrame:
    """Late changes by what they did, with the delay probability before and after."""
    t, words = reader.t, adjustment_chart.direction_words(reader.t)
    return released.value.directions.select(
        pl.col("direction")
        .replace_strict(words, default=None, return_dtype=pl.String)
        .alias(t("Late change")),
        pl.col("changes").alias(t("Changes")),
        pl.col("goals").alias(t("Goals")),
        pl.col("measured").alias(t("Measured")),
        _per_cent("before", t("Before (%)")),
        _per_cent("after", t("After (%)")),
        _per_cent("usual", t("Usual step (points)")),
        _per_cent("effect", t("Difference (points)")),
        _per_cent("effect_low", t("from")),
        _per_cent("effect_high", t("to")),
    )


def _reasons(reader: Reader, released: Released[Adjustment]) -> pl.DataFrame:
    """Late changes by reason and by who approved."""
    t = reader.t
    reasons = adjustment_chart.reason_words(t)
    approvals = adjustment_chart.approval_words(t)
    found = released.value
    return pl.concat(
        [
            found.reasons.select(
                pl.lit(t("Reason")).alias(t("By")),
                pl.col("reason").replace(reasons).alias(t("Which")),
                pl.col("changes").alias(t("Late changes")),
                pl.col("owners").alias(t("Owners")),
            ),
            found.approvals.select(
                pl.lit(t("Approved by")).alias(t("By")),
                pl.col("approval").replace(approvals).alias(t("Which")),
                pl.col("changes").alias(t("Late changes")),
                pl.col("owners").alias(t("Owners")),
            ),
        ]
    )


def _by_department(reader: Reader, released: Released[Adjustment]) -> pl.DataFrame:
    """How many goals were changed late, by department, most first."""
    t = reader.t
    frame = released.value.departments.sort(
        "late_share", "department_id", descending=[True, False], nulls_last=True
    )
    return frame.select(
        named(frame, "department_id", reader.departments).alias(t("Department")),
        pl.col("goals").alias(t("Goals in the last third")),
        pl.col("late").alias(t("Changed late")),
        _per_cent("late_share", t("Changed late (%)")),
        _per_cent("late_low", t("from")),
        _per_cent("late_high", t("to")),
        pl.col("unapproved").alias(t("… approved by nobody else")),
    )


def _steps(reader: Reader, released: Released[Adjustment]) -> pl.DataFrame:
    """Every change, newest first."""
    t = reader.t
    frame = released.value.steps
    statuses = outlook_chart.status_words(t)

    def in_words(column: str) -> pl.Expr:
        return (
            pl.when(pl.col("field") == "status")
            .then(pl.col(column).replace(statuses))
            .when(pl.col("field") == "owner_id")
            .then(people(t, frame, column, reader.people))
            .otherwise(column)
        )

    return frame.select(
        pl.col("changed_on").alias(t("On")),
        pl.col("title").alias(t("Goal")),
        pl.col("field").replace(adjustment_chart.field_words(t)).alias(t("What")),
        in_words("old").alias(t("Before")),
        in_words("new").alias(t("After")),
        _per_cent("elapsed", t("Time used (%)")),
        pl.col("reason").alias(t("Reason")),
        pl.when(pl.col("approval") == "nobody")
        .then(pl.lit(adjustment_chart.approval_words(t)["nobody"]))
        .otherwise(people(t, frame, "approved_by", reader.people))
        .alias(t("Approved by")),
        _per_cent("delay_before", t("Delay probability before (%)")),
        _per_cent("delay_after", t("after (%)")),
        people(t, frame, "owner_id", reader.people).alias(t("Owner")),
        named(frame, "department_id", reader.departments).alias(t("Department")),
    )


def _changes_method(t: Language, released: Released[Adjustment]) -> dict[str, str]:
    return {
        t("Method"): t(
            "A goal is changed late if it is changed after {share} of its time, counted to the due date in "
            "force before the change. Of a goal with several changes the goal counts once.",
            share=percent(WARNING_LATE.value, t),
        ),
        t("Risk"): t(
            "The delay probability stated last before the change and first after it. Beside it stands what "
            "the delay probability of goals that nobody changed did from one look to the next, from a like "
            "probability and a like share of time. Below {n} goals nothing is said.",
            n=int(MINIMUM_FINISHED_GOALS.value),
        ),
        t("Limits"): adjustment_chart.caution(t),
        t("Rules"): rules(t, released),
    }
