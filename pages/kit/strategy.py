"""What stands on the pages about the strategy and about one goal: choices, cards, tables, methods."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

import polars as pl
import streamlit as st

from analytics.disclosure import Released
from analytics.goals import outlook_chart, strategy_chart
from analytics.goals import warning_chart as warnings
from analytics.goals.adjustment_chart import field_words
from analytics.goals.chart import pace_figure, perspective_words
from analytics.goals.forecast import chart as forecast_chart
from analytics.goals.landing import chart as landing_chart
from analytics.goals.landing.landing import REFERENCE as LANDING_SOURCES
from analytics.goals.landing.landing import GoalLanding
from analytics.goals.outlook import Outlook
from analytics.goals.risk.backtest_chart import rung_words
from analytics.language import Language, percent
from analytics.policy import LANDS_LIKELY, LANDS_UNLIKELY
from analytics.theme import Mode
from data.access import Viewer
from pages.kit import cards, filters, load, load_goals, load_strategy
from pages.kit.covering import rules
from pages.kit.load_strategy import Strategy
from pages.kit.tables import named

GOAL_PAGE: Final = "pages/goals/goal.py"
COVERAGE_PAGE: Final = "pages/goals/coverage.py"
_LINKED: Final = 6
"""Goals below that have a link of their own; the table has all."""


# --- the strategy -----------------------------------------------------------------------------------


def days_back(t: Language) -> int:
    """Since when changes are shown: the reader's choice."""
    spans = {"14": t("Two weeks ago"), "28": t("Four weeks ago"), "91": t("A quarter ago")}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = filters.pick(t("Compared with"), spans, key="before", default="28")
        filters.clear(t, "before")
    return int(chosen)


def about(t: Language, found: Strategy) -> list[str]:
    """What the page is about."""
    since = found.map.value.since
    return [
        t("as of {day}", day=t.day(found.map.as_of)),
        t.plural("{n} strategic goal", "{n} strategic goals", found.map.value.goals.height),
        t("{n} more past due", n=overdue) if (overdue := found.strategic["overdue"].sum()) else "",
        "" if since is None else strategy_chart.since_said(since, t),
    ]


def finding(t: Language, found: Strategy) -> str:
    """Will the strategy land, and what does its weakest goal hang on?"""
    if late := strategy_chart.all_overdue_said(found.strategic, t):
        return late
    return "\n".join(
        line
        for line in (
            landing_chart.strategy_takeaway(found.map, t),
            strategy_chart.weakest(found.goals, t, hidden=found.hidden),
        )
        if line
    )


def way_to_weakest(t: Language, found: Strategy) -> None:
    """The way to the goal the finding names."""
    told = found.map.value.goals.drop_nulls("chance").sort("chance", "goal_id")
    if not told.is_empty():
        link(landing_chart.in_own_language(told["title"][0], t), told["goal_id"][0])


def reading(t: Language, found: Strategy) -> str:
    """How to read the map."""
    return t.joined(
        [
            t(
                "The bar is the chance of landing by the due date; the line below it the likely range; "
                "beside it the change in percentage points. An outline is a hole."
            ),
            strategy_chart.overdue_said(found.strategic, t),
        ]
    )


def holes(t: Language, version: str, viewer: Viewer, found: Strategy) -> None:
    """What is missing, and the way to where it can be mended; nothing if nothing is."""
    words = landing_chart.hole_words(t)
    outlined = [
        (
            row["goal_id"],
            t(
                "“{title}” · {holes}",
                title=row["title"],
                holes=" · ".join(words[hole] for hole in row["holes"] if hole != "silent"),
            ),
        )
        for row in found.map.value.goals.iter_rows(named=True)
        if set(row["holes"]) - {"silent"}
    ]
    titles = load_goals.known(version, viewer).goals
    still = found.silent.sort("silent_days", "goal_id", descending=[True, False])
    silent = zip(still["goal_id"], strategy_chart.silent_said(still, titles, t), strict=True)
    below = strategy_chart.below_said(found.strategic, t)
    if not (outlined or below) and still.is_empty():
        return
    cards.heading(t("Holes"))
    for goal_id, line in (*outlined, *silent):
        cards.say(line)
        if goal_id in titles:
            link(landing_chart.in_own_language(titles[goal_id], t), goal_id)
    cards.remark(below)
    st.page_link(
        COVERAGE_PAGE,
        label=t("Who has taken up what, and what is missing, goal by goal"),
        icon=":material/arrow_forward:",
        icon_position="right",
    )


def one_strategic_goal(t: Language, found: Strategy) -> None:
    """A strategic goal to choose: its chance, when it counts as reached, and the way to its own page."""
    options = {
        one.value.goal["goal_id"][0]: _chance_and_title(one, t)
        for one in sorted(found.goals, key=lambda one: one.value.goal["chance"][0] or 0.0)
    }
    if not options:
        return
    cards.heading(t("One strategic goal"))
    chosen = filters.pick(t("Strategic goal"), options, key="goal")
    one = next(one for one in found.goals if one.value.goal["goal_id"][0] == chosen)
    with st.container(border=True):
        hangs = strategy_chart.hangs_on(one, t, hidden=found.hidden[chosen])
        why = landing_chart.why_said(one, t, hidden=found.hidden[chosen])
        cards.say(t.joined([strategy_chart.chance_said(one, t), why, hangs]))
        cards.remark(counts_when(t, one, found.hidden[chosen]))
        cards.remark(landing_chart.risks_said(one, t))
        link(t("Trajectory, drivers, goals below it and history"), chosen)


def _chance_and_title(one: Released[GoalLanding], t: Language) -> str:
    goal = one.value.goal.row(0, named=True)
    if goal["chance"] is None:
        return str(goal["title"])
    return f"{percent(goal['chance'], t)} · {goal['title']}"


def counts_when(t: Language, one: Released[GoalLanding], hidden: int) -> str:
    """When the goal counts as reached, and how many of the goals below it are beyond reach."""
    goal = one.value.goal.row(0, named=True)
    if hidden and goal["stated"]:
        rule = landing_chart.rule_said(goal["rule"], goal["needed"], goal["children"], t)
    else:
        rule = landing_chart.rules_said(one, t) if not hidden or not one.value.children.is_empty() else ""
    return t.joined([rule, _beyond(t, hidden)])


def _beyond(t: Language, hidden: int) -> str:
    if not hidden:
        return ""
    return t.plural(
        "{n} goal below it is beyond your reach: it counts for the chance and is not shown.",
        "{n} goals below it are beyond your reach: they count for the chance and are not shown.",
        hidden,
    )


def table(t: Language, found: Strategy) -> pl.DataFrame:
    """The strategic goals, by perspective, the least likely first."""
    about = {one.value.goal["goal_id"][0]: one.value for one in found.goals}
    places = {row["goal_id"]: row for row in found.strategic.iter_rows(named=True)}
    perspectives = perspective_words(t)
    frame = found.map.value.goals
    rows = []
    for row in frame.iter_rows(named=True):
        part = about.get(row["goal_id"])
        child = None if part is None else strategy_chart.tips_most(part)
        place = places[row["goal_id"]]
        rows.append(
            {
                t("Goal"): landing_chart.in_own_language(row["title"], t),
                t("Chance (%)"): _whole(row["chance"]),
                t("from"): _whole(row["low"]),
                t("to"): _whole(row["high"]),
                t("Change (points)"): _whole(row["change"]),
                t("Hangs most on"): ""
                if child is None
                else landing_chart.in_own_language(str(child["title"]), t),
                t("Counts as reached by"): ""
                if part is None
                else strategy_chart.rule_in_short(part.goal.row(0, named=True), t),
                t("Goals that serve it"): place["goals"],
                t("Open ones"): place["running"],
                t("… without data source"): place["no_data_source"],
                t("… without cadence"): place["no_cadence"],
                t("Perspective"): perspectives[row["perspective"]],
                t("Due"): place["due_on"],
            }
        )
    return pl.DataFrame(rows, infer_schema_length=None)


def widths(t: Language) -> dict[str, Any]:
    """Columns of the table that hold titles, cut so that what matters is seen without scrolling."""
    return {
        t("Goal"): st.column_config.TextColumn(width=250),
        t("Hangs most on"): st.column_config.TextColumn(width=210),
        t("Counts as reached by"): st.column_config.TextColumn(width=160),
    }


def _whole(share: float | None) -> int | None:
    return None if share is None else round(100 * share)


def together(t: Language, version: str, viewer: Viewer, found: Strategy) -> None:
    """What several goals below a strategic goal have in common, in words."""
    known = load_goals.known(version, viewer)
    said = strategy_chart.together_said(
        found.goals,
        t,
        owners=load.names(version, viewer),
        departments=load.departments(version, found.map.as_of).names,
        titles=known.goals,
    )
    cards.heading(t("What hangs together"))
    for line in said:
        cards.remark(line)
    if not said:
        cards.remark(t("No owner, department or goal within your reach carries so much that it would show."))


def strategy_method(t: Language, found: Strategy) -> dict[str, str]:
    """Behind the map."""
    strategic = found.strategic
    return {
        t("Method"): t(
            "Every open goal has a delay probability. Some two thousand times it is drawn which goals land, "
            "goals of one owner, one department or under one goal more often together than by chance, and "
            "each draw is added up by the rule of the goal above. The chance of a goal is the share of draws "
            "in which it lands."
        ),
        t("Change"): t(
            "The earlier day is added up the same way, with what was said on that day. What goals share and "
            "which rules hold where nobody said one is what is known today."
        ),
        t("Counted"): t.plural(
            "{n} open strategic goal: a company goal that is part of no other. Those past their due date "
            "are told apart.",
            "{n} open strategic goals: company goals that are part of no other. Those past their due date "
            "are told apart.",
            strategic.height,
        ),
        t("Held against the past"): landing_chart.record_said(found.record, t),
        t("Error"): _errors(t, found),
        t("Words"): t(
            "From {likely} on a goal is called likely to land, below {unlikely} unlikely. Where the range "
            "reaches over both limits, it could go either way.",
            likely=percent(LANDS_LIKELY.value, t),
            unlikely=percent(LANDS_UNLIKELY.value, t),
        ),
        t("Likely range"): t(
            "The chance if every goal below had its delay probability at the worse, or at the better, end of "
            "its interval: wide, since all of them would have to be off the same way. It is never narrower "
            "than what past goals with much the same chance can tell."
        ),
        t("Limits"): t(
            "What hangs below what is taken as it is recorded now. A goal that nobody recorded cannot count."
        ),
        t("Sources"): LANDING_SOURCES,
        t("Rules"): rules(t, found.map),
    }


def _errors(t: Language, found: Strategy) -> str:
    """How the ways of stating a chance did on past goals."""
    words = landing_chart.method_words(t)
    return t.joined(
        t(
            "{method}: Brier score {brier} on {n} goals, {gap} points off on average.",
            method=words[row["method"]],
            brier=f"{row['brier']:.3f}",
            n=row["parents"],
            gap=f"{100 * row['ece']:.1f}",
        )
        for row in found.record.value.methods.iter_rows(named=True)
    )


# --- one goal ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reader:
    """Who reads about which goal, and how."""

    t: Language
    mode: Mode
    version: str
    viewer: Viewer
    goal_id: str

    @property
    def key(self) -> Hashable:
        """All that is shown depends on."""
        return (self.version, self.viewer, self.goal_id, self.t, self.mode)


def link(words: str, goal_id: str) -> None:
    """The way to the page of a goal."""
    st.page_link(
        GOAL_PAGE,
        label=words,
        icon=":material/arrow_forward:",
        icon_position="right",
        query_params={"goal": goal_id},
    )


def choose_goal(t: Language, version: str, viewer: Viewer) -> str | None:
    """The goal of the link or of the reader's choice; None: none in reach, or not the one of the link.

    Who chooses none meets the strategic goal least likely to land, or else the goal likeliest to miss.
    """
    ordered = filters.with_chosen(load_strategy.goals_in_order(version, viewer), "goal_id", key="goal")
    if ordered.is_empty():
        return None
    asked = st.query_params.get("goal")
    if asked is not None and asked not in ordered["goal_id"]:
        return None
    options = {
        goal_id: title if delay is None else f"{percent(delay, t)} · {title}"
        for goal_id, title, delay in ordered.select("goal_id", "title", "delay").iter_rows()
    }
    first = load_strategy.weakest_strategic(version, viewer)
    return filters.pick(t("Goal"), options, key="goal", default=first)


def no_goal(t: Language, version: str, viewer: Viewer) -> tuple[str, ...]:
    """Why there is no goal to look at, and what to do."""
    if load_strategy.goals_in_order(version, viewer).is_empty():
        return (t("No goal is within your reach"),)
    return (
        t("The goal of the link was not found"),
        t("It is beyond your reach, or no longer on record. Open One goal from the sidebar to choose one."),
    )


def scope(t: Language, released: Released[Outlook], people: Mapping[str, str], version: str) -> list[str]:
    """Whose goal it is, since when and until when."""
    goal = released.value.goal.row(0, named=True)
    departments = load.departments(version, released.as_of).names
    owner = people.get(goal["owner_id"])
    return [
        outlook_chart.scope_words(t)[goal["scope"]],
        perspective_words(t)[goal["perspective"]] if goal["perspective"] else "",
        t("owner {name}", name=owner)
        if owner
        else t("owner beyond your reach")
        if goal["owner_id"]
        else t("no owner"),
        departments.get(goal["department_id"] or "", goal["department_id"] or ""),
        t("due {day}", day=t.day(goal["due_on"])),
        t("as of {day}", day=t.day(released.as_of)),
    ]


def _judged_below(landing: Released[GoalLanding] | None) -> bool:
    """Whether a goal is judged by the goals below it, so that its own check-ins are another matter."""
    return landing is not None and landing.value.goal["method"][0] != "own"


def goal_finding(
    reader: Reader, released: Released[Outlook], landing: Released[GoalLanding] | None, hidden: int
) -> str:
    """How likely the goal is to miss and when it will most likely be finished, or why neither is said."""
    t = reader.t
    history = load_strategy.history_within_reach(reader.version, reader.viewer, reader.goal_id)
    to_close = history.value.goal["status"][0] == "to_close"
    first = outlook_chart.takeaway(
        released,
        landing,
        t,
        to_close=to_close,
        better=load_strategy.below_is_better(reader.version),
        hidden=hidden,
    )
    if released.value.goal["state"][0] != "open" or _judged_below(landing):
        return first
    fan = load_strategy.fan_within_reach(reader.version, reader.viewer, reader.goal_id)
    return t.joined([first, outlook_chart.finish_in_short(fan, t)])


def drivers(t: Language, released: Released[Outlook], landing: Released[GoalLanding] | None) -> None:
    """What raises and lowers the chance to miss, and what one can do."""
    raising, lowering = outlook_chart.drivers_said(released, t)
    if released.value.goal["state"][0] != "open":
        return
    if not raising and not lowering:
        if released.value.goal["delay"][0] is not None:
            cards.remark(
                t("Nothing about this goal is much out of the ordinary; its chance is the usual one.")
            )
        return
    cards.heading(
        t("By its own check-ins: what speaks against it and for it")
        if _judged_below(landing)
        else t("What speaks against it and for it")
    )
    for sign, lines in (("▲", raising), ("▽", lowering)):
        for line in lines:
            cards.say(f"{sign} {line}")


def trajectory(reader: Reader, released: Released[Outlook], landing: Released[GoalLanding] | None) -> None:
    """The way so far with the forecast."""
    t = reader.t
    history = load_strategy.history_within_reach(reader.version, reader.viewer, reader.goal_id)
    fan = load_strategy.fan_within_reach(reader.version, reader.viewer, reader.goal_id)
    said = "" if fan is None else forecast_chart.forecast_takeaway(fan, t)
    parting = outlook_chart.parting(released, fan, t)
    cards.section(
        t("By its own check-ins: where it stands and where it may go")
        if _judged_below(landing)
        else t("Where it stands and where it may go"),
        t.joined([said, parting]),
    )
    if history.value.points.is_empty():
        cards.remark(t("Nobody has updated it yet."))
    if history.value.points.is_empty() and history.value.targets.is_empty():
        return
    load.picture(
        lambda: (
            pace_figure(history, t, reader.mode)
            if fan is None
            else forecast_chart.forecast_figure(fan, history, t, reader.mode)
        ),
        key=("trajectory", reader.key),
        alt=said or t("Its check-ins over time, with target, straight line and due date."),
    )
    if fan is not None:
        cards.remark(forecast_chart.forecast_note(fan, t))


def course(reader: Reader, released: Released[Outlook], landing: Released[GoalLanding] | None) -> None:
    """The chance to miss over time, the owner's doubt beside it."""
    t = reader.t
    said = outlook_chart.course_takeaway(released, t)
    cards.section(
        t("By its own check-ins: how likely it was to miss, over time")
        if _judged_below(landing)
        else t("How likely it was to miss, over time"),
        said,
    )
    if released.value.said.is_empty():
        return
    load.picture(
        lambda: outlook_chart.course_figure(released, t, reader.mode), key=("course", reader.key), alt=said
    )
    cards.remark(outlook_chart.course_note(released, t))
    confidence = outlook_chart.confidence_said(released, landing, t)
    if confidence:
        cards.say(confidence)


def below(reader: Reader, released: Released[GoalLanding] | None, hidden: int, footer: Sequence[str]) -> None:
    """The goals below by how much they matter, with the rule and the shared causes."""
    if released is None or (released.value.children.is_empty() and not hidden):
        return
    t = reader.t
    cards.section(t("What hangs below it"), counts_when(t, released, hidden))
    children = released.value.children
    if children.is_empty():
        return
    said = t.joined(
        [strategy_chart.chance_said(released, t), strategy_chart.hangs_on(released, t, hidden=hidden)]
    )
    load.picture(
        lambda: landing_chart.children_figure(released, t, reader.mode),
        key=("children", reader.key),
        alt=said,
    )
    cards.remark(landing_chart.children_note(released, t))
    with st.container(horizontal=True, horizontal_alignment="left", gap="small"):
        for goal_id, title in children.select("goal_id", "title").head(_LINKED).iter_rows():
            link(cards.plain(title), goal_id)
    with st.expander(t.plural("{n} goal below it", "All {n} goals below it", children.height)):
        cards.table(
            t,
            lambda: children_table(t, released),
            name="goals-below",
            key=reader.key,
            footer=footer,
            alt=said,
        )
    known = load_goals.known(reader.version, reader.viewer)
    for line in landing_chart.causes_said(
        released,
        t,
        owners=known.people,
        departments=load.departments(reader.version, released.as_of).names,
        titles=known.goals,
    ):
        cards.remark(line)
    cards.remark(landing_chart.risks_said(released, t))


def children_table(t: Language, released: Released[GoalLanding]) -> pl.DataFrame:
    """The goals directly below, by how much they could tip."""
    frame = released.value.children
    states = {"open": t("Open"), "landed": t("Done"), "missed": t("Missed")}

    def points(column: str) -> pl.Expr:
        return (100 * pl.col(column)).round(0).cast(pl.Int64)

    return frame.select(
        pl.col("title").alias(t("Goal")),
        pl.col("state").replace_strict(states, default=None).alias(t("State")),
        points("lands").alias(t("Lands in time (%)")),
        points("in_time").alias(t("In time for the goal above (%)")),
        points("gain").alias(t("If it surely lands (points)")),
        points("loss").alias(t("If it surely does not (points, fewer)")),
    )


def warned(reader: Reader) -> None:
    """Every early warning the goal had, latest first."""
    t = reader.t
    found = load_strategy.warnings_within_reach(reader.version, reader.viewer).value.warnings
    rows = found.filter(goal_id=reader.goal_id).sort("arose_on", "kind", descending=[True, False])
    if rows.is_empty():
        return
    known, words = load_goals.known(reader.version, reader.viewer), warnings.kind_words(t)
    cards.heading(t("Early warnings it had"))
    for row in rows.iter_rows(named=True):
        ended = (
            t("It still stands.")
            if row["ended_on"] is None
            else t("It ended on {day}.", day=t.day(row["ended_on"]))
        )
        told = t.joined([warnings.happened(row, t, known), ended])
        st.html(f'<p class="eh-note"><b>{escape(words[row["kind"]])}</b> · {escape(told)}</p>')
    st.page_link("pages/goals/warnings.py", label=t("All early warnings"), icon=":material/arrow_forward:")


def changed(
    reader: Reader, released: Released[Outlook], people: Mapping[str, str], footer: Sequence[str]
) -> None:
    """What was changed on the way, when, why, and who approved."""
    t = reader.t
    steps = released.value.steps
    cards.heading(t("What was changed on the way"))
    if steps.is_empty():
        cards.remark(t("No change is on record."))
        return
    cards.table(
        t,
        lambda: changes_table(t, released, people),
        name="changes-of-a-goal",
        key=reader.key,
        footer=footer,
        alt=t("Every change of the goal, newest first."),
    )


def changes_table(t: Language, released: Released[Outlook], people: Mapping[str, str]) -> pl.DataFrame:
    """Every change, newest first."""
    frame = released.value.steps
    statuses = outlook_chart.status_words(t)

    def whole(column: str) -> pl.Expr:
        return (100 * pl.col(column)).round(0).cast(pl.Int64)

    def in_words(column: str) -> pl.Expr:
        return (
            pl.when(pl.col("field") == "status")
            .then(pl.col(column).replace(statuses))
            .when(pl.col("field") == "owner_id")
            .then(pl.col(column).replace(people))
            .otherwise(column)
        )

    return frame.select(
        pl.col("changed_on").alias(t("On")),
        pl.col("field").replace(field_words(t)).alias(t("What")),
        in_words("old").alias(t("Before")),
        in_words("new").alias(t("After")),
        pl.col("reason").fill_null(t("No reason given")).alias(t("Reason")),
        pl.when(pl.col("approval") == "nobody")
        .then(pl.lit(t("Nobody")))
        .otherwise(named(frame, "approved_by", people))
        .alias(t("Approved by")),
        whole("delay_before").alias(t("Chance to miss before (%)")),
        whole("delay_after").alias(t("after (%)")),
    )


def goal_method(t: Language, released: Released[Outlook], version: str) -> dict[str, str]:
    """Behind the page of one goal."""
    card = load_goals.chances(version).card
    return {
        t("Method"): t(
            "The chance to miss is learnt from past goals by what was known of them on each day: work left, "
            "pace, silence, changes, confidence, the record of owner and department. No protected attribute "
            "enters. What speaks for and against is the change of the chance if that were as usual. The "
            "forecast of progress is learnt apart, from progress alone."
        ),
        t("Held against the past"): t("The page Backtest shows how often goals missed when we said so."),
        t("Learnt from"): t.plural(
            "{n} goal that has come due; the model that speaks is “{model}”.",
            "{n} goals that have come due; the model that speaks is “{model}”.",
            int(str(card["settled_goals"])),
            model=rung_words(t).get(str(card["rung"]), str(card["rung"])),
        ),
        t("Limits"): t(
            "A driver is what the probability goes by, not a cause. Nobody's rating enters or is shown."
        ),
        t("Rules"): rules(t, released),
    }
