"""The strategy in sentences: what the weakest goal hangs on, what is overdue, what is missing below.

The picture of the strategic goals is `analytics.goals.landing.chart.strategy_figure`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

import polars as pl

from analytics.disclosure import Released
from analytics.goals.landing.chart import causes_said, takeaway
from analytics.goals.landing.landing import GoalLanding
from analytics.language import Language, percent

_LEAST_GAIN = 0.005
_MOST_CAUSES = 5


def tips_most(found: GoalLanding) -> dict[str, object] | None:
    """The goal below that would raise the chance most if it surely landed in time; None: none would."""
    weighty = found.children.filter(pl.col("gain") >= _LEAST_GAIN).sort(
        "gain", "goal_id", descending=[True, False]
    )
    return None if weighty.is_empty() else weighty.row(0, named=True)


def weakest(released: Sequence[Released[GoalLanding]], t: Language, *, hidden: Mapping[str, int]) -> str:
    """What the strategic goal with the smallest chance hangs on.

    Parameters
    ----------
    released
        The strategic goals.
    t
        The reader's language.
    hidden
        Goal → how many goals directly below it are beyond the reader's reach.
    """
    told = [one for one in released if one.value.goal["chance"][0] is not None]
    if not told:
        return ""
    found = min(told, key=lambda one: (one.value.goal["chance"][0], one.value.goal["goal_id"][0]))
    return hangs_on(found, t, hidden=hidden[found.value.goal["goal_id"][0]])


def hangs_on(released: Released[GoalLanding], t: Language, *, hidden: int) -> str:
    """Which goal below would raise the chance of a goal most; empty where that lies beyond reach."""
    found = released.value
    goal = found.goal.row(0, named=True)
    title = goal["title"]
    if goal["method"] == "own":
        return t("“{title}” lands or misses by its own check-ins: no goal below it carries it.", title=title)
    child = tips_most(found)
    if child is None and hidden:
        return ""
    if child is None:
        return t("No single goal below “{title}” could turn that: it takes several at once.", title=title)
    chance = percent(min(1.0, goal["chance"] + float(str(child["gain"]))), t)
    if hidden:
        return t(
            "Of the goals below “{title}” within your reach it hangs most on “{child}”: if that one surely "
            "lands in time, its chance rises to {chance}.",
            title=title,
            child=child["title"],
            chance=chance,
        )
    return t(
        "“{title}” hangs most on “{child}”: if that one surely lands in time, its chance rises to {chance}.",
        title=title,
        child=child["title"],
        chance=chance,
    )


def chance_said(released: Released[GoalLanding], t: Language) -> str:
    """The chance of a goal in one or two sentences, without what hangs below it by name."""
    found = released.value
    return takeaway(replace(released, value=replace(found, children=found.children.clear())), t)


def overdue_said(strategic: pl.DataFrame, t: Language) -> str:
    """Strategic goals past their due date that are still open; empty if none is."""
    late = strategic.filter("overdue")
    if late.is_empty():
        return ""
    return t.plural(
        "{n} strategic goal is past its due date and still open, and is not drawn: {titles}. Close it, or "
        "agree on a new date.",
        "{n} strategic goals are past their due dates and still open, and are not drawn: {titles}. Close "
        "them, or agree on new dates.",
        late.height,
        titles=t.listing(
            [
                t("“{title}” (due {day})", title=title, day=t.day(due_on))
                for title, due_on in late.select("title", "due_on").iter_rows()
            ]
        ),
    )


def all_overdue_said(strategic: pl.DataFrame, t: Language) -> str:
    """That every open strategic goal is past its due date; empty if one is not, or there is none."""
    if strategic.is_empty() or not strategic["overdue"].all():
        return ""
    return t.plural(
        "The {n} strategic goal still open is past its due date.",
        "All {n} strategic goals still open are past their due dates.",
        strategic.height,
    )


def below_said(strategic: pl.DataFrame, t: Language) -> str:
    """Below which strategic goal most open goals name no data source or no cadence; empty if none does."""
    lacking = (
        strategic.filter(~pl.col("overdue"), pl.col("no_data_source") + pl.col("no_cadence") > 0)
        .with_columns(((pl.col("no_data_source") + pl.col("no_cadence")) / pl.col("running")).alias("_share"))
        .sort("_share", "goal_id", descending=[True, False])
    )
    if lacking.is_empty():
        return ""
    row = lacking.row(0, named=True)
    return t.plural(
        "Most is missing below “{title}”. Of the {n} open goal that serves it: without data source {source}, "
        "without review cadence {cadence}.",
        "Most is missing below “{title}”. Of the {n} open goals that serve it: without data source {source}, "
        "without review cadence {cadence}.",
        row["running"],
        title=row["title"],
        source=row["no_data_source"],
        cadence=row["no_cadence"],
    )


def silent_said(silent: pl.DataFrame, titles: Mapping[str, str], t: Language) -> list[str]:
    """Branches nobody updates, the longest silence first; those beyond reach without their titles."""
    said = []
    for row in silent.sort("silent_days", "goal_id", descending=[True, False]).iter_rows(named=True):
        strategic = titles.get(row["strategic_id"], row["strategic_id"])
        title = titles.get(row["goal_id"])
        if title is None:
            said.append(
                t(
                    "“{strategic}”: nobody has updated one branch below it, beyond your reach, for {days} "
                    "days.",
                    strategic=strategic,
                    days=row["silent_days"],
                )
            )
            continue
        places = {"strategic": strategic, "title": title, "days": row["silent_days"]}
        said.append(
            t("“{strategic}”: nobody has updated “{title}”, a goal below it, for {days} days.", **places)
            if row["goals"] == 1
            else t(
                "“{strategic}”: nobody has updated “{title}” and what hangs below it, together {n} goals, "
                "for {days} days.",
                n=row["goals"],
                **places,
            )
        )
    return said


def together_said(
    released: Sequence[Released[GoalLanding]],
    t: Language,
    *,
    owners: Mapping[str, str],
    departments: Mapping[str, str],
    titles: Mapping[str, str],
) -> list[str]:
    """The heaviest shared cause of each strategic goal that has one, those that cost most first."""
    found = []
    for one in released:
        said = causes_said(one, t, owners=owners, departments=departments, titles=titles)
        if said:
            causes = one.value.causes
            cost = (causes["otherwise"] - causes["bad"]).max()
            title = one.value.goal["title"][0]
            found.append((-float(str(cost)), t("“{title}”: {said}", title=title, said=said[0])))
    return [said for _, said in sorted(found)[:_MOST_CAUSES]]


def rule_in_short(goal: Mapping[str, object], t: Language) -> str:
    """By which rule a goal counts as reached, for a cell of a table."""
    needed, children = goal["needed"], goal["children"]
    if not children:
        return t("Its own metric; nothing below")
    if goal["loop"]:
        return t("In a circle: its own metric")
    if not goal["stated"]:
        return t("Nobody said")
    if goal["rule"] == "all":
        return t("All goals below")
    if goal["rule"] == "weighted":
        return t("{share} of the weight below", share=percent(float(str(needed or 1.0)), t))
    if goal["rule"] == "k_of_n":
        return t("{k} of {n} goals below", k=round(float(str(needed or 1.0))), n=children)
    return t("Its own metric")


def since_said(day: date, t: Language) -> str:
    """With which day the chances are compared."""
    return t("change since {day}", day=t.day(day))
