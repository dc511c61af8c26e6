"""Pictures and sentences about whether goals land: what one hangs on, and the whole strategy on one page.

Every function is pure: a released result in, a plotly figure or a sentence out. A chance is a filled bar with
its number; how likely it is, is a colour, a shape and a word at once; a hole is outlined and named.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from types import MappingProxyType
from typing import Any, Final

import plotly.graph_objects as go
import polars as pl

from analytics import theme
from analytics.disclosure import Released
from analytics.goals.chart import Sign, perspective_words
from analytics.goals.landing.backtest import ParentBacktest
from analytics.goals.landing.landing import GoalLanding, StrategyMap
from analytics.language import Language, percent
from analytics.policy import LANDS_LIKELY, LANDS_UNLIKELY, MINIMUM_PARENTS

Row = Mapping[str, Any]
_NOBODY: Final[Mapping[str, str]] = MappingProxyType({})

MOST_CHILDREN: Final = 12
"""Goals below that are drawn; the table has all."""
LINE: Final = 36
"""Pixels a goal takes."""

_DAY: Final = re.compile(r" \(\d{4}-\d{2}-\d{2}\)$")
_EVEN: Final = 0.5
_LEAST_SHARE: Final = 0.005
_NOTABLE: Final = 0.03
_NOTABLE_ERRORS: Final = 3.0
_MOST_SAID: Final = 3


def signs(t: Language, mode: theme.Mode) -> dict[str, Sign]:
    """How likely a goal lands: the word, the shape and the colour, the least likely first."""
    likely, between, unlikely = theme.RISK[mode]
    return {
        "unlikely": Sign(t("Unlikely to land"), "◆", "diamond", unlikely),
        "open": Sign(t("Could go either way"), "▲", "triangle-up", between),
        "likely": Sign(t("Likely to land"), "●", "circle", likely),
    }


def cannot_tell(low: float | None, high: float | None) -> bool:
    """Whether a range reaches from unlikely to likely, so that the data cannot tell one from the other."""
    return low is not None and high is not None and low < LANDS_UNLIKELY.value and high >= LANDS_LIKELY.value


def sign_of(chance: float, low: float | None = None, high: float | None = None) -> str:
    """Which of `signs` a chance of landing gets, its range taken in."""
    if cannot_tell(low, high):
        return "open"
    if chance >= LANDS_LIKELY.value:
        return "likely"
    return "unlikely" if chance < LANDS_UNLIKELY.value else "open"


def in_own_language(title: str, t: Language) -> str:
    """The reader's part of a title written in two languages, “English / 中文”; any other as it is.

    A day behind the title, which tells it from another of the same name, is kept.
    """
    day = _DAY.search(title)
    parts = _DAY.sub("", title).split(" / ")
    han = [any("\u4e00" <= sign <= "\u9fff" for sign in part) for part in parts]
    if sorted(han) != [False, True]:
        return title
    return parts[han.index(t.code == "zh")].strip() + (day[0] if day else "")


def hole_words(t: Language) -> dict[str, str]:
    """What each hole is called, by its name in `analytics.goals.landing.landing`."""
    return {
        "not_taken_up": t("Nobody has taken this up"),
        "silent": t("Nobody updates what hangs below it"),
        "weights": t("Weights do not add up to 100 %"),
        "no_owner": t("No owner"),
        "no_metric": t("No metric"),
        "no_target": t("No target"),
        "no_data_source": t("No data source"),
        "no_cadence": t("No review cadence"),
        "no_cycle": t("No review cycle"),
    }


def method_words(t: Language) -> dict[str, str]:
    """What each way of saying a chance is called, by its name in `analytics.goals.landing.backtest`."""
    return {
        "own": t("From its own check-ins"),
        "rolled_up": t("From the goals below it"),
        "independent": t("From the goals below it, as if they shared nothing"),
        "combined": t("From both together"),
    }


def rule_said(rule: str, needed: float | None, children: int, t: Language) -> str:
    """When a goal counts as reached, in a sentence.

    Parameters
    ----------
    rule
        One of the contract's rules.
    needed
        Share of the weight, or number of goals.
    children
        Number of goals below it.
    t
        The reader's language.
    """
    if rule == "all":
        return t("It counts as reached when all goals below it land.")
    if rule == "weighted":
        return t(
            "It counts as reached when the goals below it reach {share} of their weight together.",
            share=percent(needed or 1.0, t),
        )
    if rule == "k_of_n":
        return t.plural(
            "It counts as reached when {n} of the {all} goals below it lands.",
            "It counts as reached when {n} of the {all} goals below it land.",
            round(needed or 1.0),
            all=children,
        )
    return t("It counts as reached by its own metric, whatever becomes of the goals below it.")


def why_said(released: Released[GoalLanding], t: Language, *, hidden: int) -> str:
    """Why the goals below make a goal as likely as it is: what must land, what has, what is not likely to.

    Parameters
    ----------
    released
        The goal, with the goals below it within the reader's reach.
    t
        The reader's language.
    hidden
        How many goals directly below it are beyond reach.

    Returns
    -------
    str
        Empty where the goal goes by its own check-ins, or none of the goals below it is within reach.
    """
    found = released.value
    goal = found.goal.row(0, named=True)
    if goal["method"] == "own" or found.children.is_empty():
        return ""
    state, late = pl.col("state"), pl.col("in_time") < _EVEN
    missed = found.children.filter(late, state == "missed").height
    doubtful = found.children.filter(late, state == "open").height
    places = {"missed": missed, "doubtful": doubtful}
    said = [_must(goal, t)]
    if hidden:
        said.append(
            t(
                "Of the {n} within your reach {missed} have already missed, and {doubtful} more are more "
                "likely than not to come too late for it.",
                n=found.children.height,
                **places,
            )
        )
    elif missed and doubtful:
        said.append(
            t(
                "Already missed: {missed}; more likely than not to come too late for it: {doubtful}.",
                **places,
            )
        )
    elif missed:
        said.append(t("Already missed: {missed}.", **places))
    elif doubtful:
        said.append(t("More likely than not to come too late for it: {doubtful}.", **places))
    else:
        said.append(t("Each by itself is more likely than not to be in time."))
    return t.joined(said)


def _must(goal: Row, t: Language) -> str:
    """What the rule asks of the goals below."""
    n = goal["children"]
    if not goal["stated"]:
        return t.plural(
            "Nobody said whether the {n} goal below it must land.",
            "Nobody said how many of the {n} goals below it must land.",
            n,
        )
    if goal["rule"] == "weighted":
        return t.plural(
            "The {n} goal below it must reach {share} of its weight.",
            "The {n} goals below it must reach {share} of their weight together.",
            n,
            share=percent(goal["needed"] or 1.0, t),
        )
    if goal["rule"] == "k_of_n" and round(goal["needed"] or 1.0) < n:
        return t("{k} of the {n} goals below it must land.", k=round(goal["needed"] or 1.0), n=n)
    return t.plural("The {n} goal below it must land.", "All {n} goals below it must land.", n)


def rules_said(released: Released[GoalLanding], t: Language) -> str:
    """When the goal counts as reached; where nobody said, what its chance would be by some rules."""
    found = released.value
    goal = found.goal.row(0, named=True)
    if found.children.is_empty():
        return t("Nothing hangs below it: it lands by its own check-ins.")
    if goal["loop"]:
        return t("It hangs in a circle of goals, so its own check-ins are all there is to go by.")
    if goal["stated"]:
        return rule_said(goal["rule"], goal["needed"], found.children.height, t)
    by = {(row["rule"], row["needed"]): row["lands"] for row in found.by_rule.iter_rows(named=True)}
    places = {
        "all": percent(by["all", 1.0], t),
        "weight": percent(by["weighted", 0.8], t),
        "half": percent(by["k_of_n", 0.5], t),
    }
    if found.by_rule["likely"].n_unique() == 1:
        return t(
            "Nobody said when it counts as reached. If all goals below it have to land, its chance is {all}; "
            "if 80 % of their weight have to be reached, {weight}; if half of them have to land, {half}. No "
            "past goal tells which rule holds, so the chance shown counts these and other rules alike.",
            **places,
        )
    return t(
        "Nobody said when it counts as reached. If all goals below it have to land, its chance is {all}; if "
        "80 % of their weight have to be reached, {weight}; if half of them have to land, {half}. The chance "
        "shown weighs these and other rules by what became of past goals.",
        **places,
    )


def takeaway(released: Released[GoalLanding], t: Language) -> str:
    """The chance of one goal, in plain sentences."""
    found = released.value
    goal = found.goal.row(0, named=True)
    said = [_chance_said(goal, t)]
    shared = goal["lands_independent"] - goal["lands"]
    if goal["method"] != "own" and abs(shared) >= _NOTABLE:
        said.append(
            t(
                "If the goals below it shared nothing, its chance would be {chance}: that they share causes "
                "makes it less likely.",
                chance=percent(goal["lands_independent"], t),
            )
            if shared > 0
            else t(
                "If the goals below it shared nothing, its chance would be {chance}: that they share causes "
                "makes it more likely.",
                chance=percent(goal["lands_independent"], t),
            )
        )
    weighty = found.children.filter(pl.col("gain") >= _NOTABLE).sort("gain", descending=True)
    if not weighty.is_empty():
        first = weighty.row(0, named=True)
        said.append(
            t(
                "It gains most from “{title}”: if that one surely lands in time, the chance rises to "
                "{chance}.",
                title=first["title"] or t("a goal beyond your reach"),
                chance=percent(min(1.0, goal["chance"] + first["gain"]), t),
            )
        )
    return t.joined(said)


def _chance_said(goal: Row, t: Language) -> str:
    chance = percent(goal["chance"], t)
    if goal["chance"] in (0.0, 1.0) and goal["method"] == "own":
        return t("It has landed.") if goal["chance"] == 1.0 else t("It can no longer land in time.")
    if goal["low"] is None:
        return t("The chance that it lands in time is {chance}.", chance=chance)
    places = {"chance": chance, "low": percent(goal["low"], t), "high": percent(goal["high"], t)}
    if cannot_tell(goal["low"], goal["high"]):
        return t(
            "The chance that it lands in time is {chance} (likely {low} to {high}): the data cannot tell "
            "whether it will.",
            **places,
        )
    return t("The chance that it lands in time is {chance} (likely {low} to {high}).", **places)


def causes_said(
    released: Released[GoalLanding],
    t: Language,
    *,
    owners: Mapping[str, str] = _NOBODY,
    departments: Mapping[str, str] = _NOBODY,
    titles: Mapping[str, str] = _NOBODY,
) -> list[str]:
    """What several of the goals below have in common, and what a bad period of it would do.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    owners, departments, titles
        What to call owners, departments and goals by id; causes without a name are told without one.

    Returns
    -------
    list of str
        A sentence for each of the few causes that matter beyond the error of the drawing; empty if none does.
    """
    names = {"owner": owners, "department": departments, "parent": titles}
    said: list[str] = []
    for row in released.value.causes.sort("share", descending=True).iter_rows(named=True):
        fall = row["otherwise"] - row["bad"]
        if len(said) < _MOST_SAID and fall >= max(_NOTABLE, _NOTABLE_ERRORS * row["bad_error"]):
            said.append(_cause_said(row, names[row["kind"]].get(row["cause_id"]), t))
    return said


def _cause_said(row: Row, name: str | None, t: Language) -> str:
    places = {
        "all": row["open_goals"],
        "bad": percent(row["bad"], t),
        "otherwise": percent(row["otherwise"], t),
    }
    n = row["goals"]
    if row["kind"] == "owner" and name is None:
        return t.plural(
            "{n} of the {all} open goals below it is owned by one person: in a bad period for that person "
            "the chance falls to {bad}, otherwise it is {otherwise}.",
            "{n} of the {all} open goals below it are owned by one person: in a bad period for that person "
            "the chance falls to {bad}, otherwise it is {otherwise}.",
            n,
            **places,
        )
    if row["kind"] == "owner":
        return t.plural(
            "{n} of the {all} open goals below it is owned by {name}: in a bad period for this owner the "
            "chance falls to {bad}, otherwise it is {otherwise}.",
            "{n} of the {all} open goals below it are owned by {name}: in a bad period for this owner the "
            "chance falls to {bad}, otherwise it is {otherwise}.",
            n,
            name=name,
            **places,
        )
    if row["kind"] == "department" and name is not None:
        return t.plural(
            "{n} of the {all} open goals below it belongs to {name}: in a bad period for this department the "
            "chance falls to {bad}, otherwise it is {otherwise}.",
            "{n} of the {all} open goals below it belong to {name}: in a bad period for this department the "
            "chance falls to {bad}, otherwise it is {otherwise}.",
            n,
            name=name,
            **places,
        )
    if row["kind"] == "department":
        return t.plural(
            "{n} of the {all} open goals below it belongs to one department: in a bad period for it the "
            "chance falls to {bad}, otherwise it is {otherwise}.",
            "{n} of the {all} open goals below it belong to one department: in a bad period for it the "
            "chance falls to {bad}, otherwise it is {otherwise}.",
            n,
            **places,
        )
    if name is None:
        return t.plural(
            "{n} of the {all} open goals below it serves the same goal: if things go badly there, the chance "
            "falls to {bad}, otherwise it is {otherwise}.",
            "{n} of the {all} open goals below it serve the same goal: if things go badly there, the chance "
            "falls to {bad}, otherwise it is {otherwise}.",
            n,
            **places,
        )
    return t.plural(
        "{n} of the {all} open goals below it serves “{name}”: if things go badly there, the chance falls to "
        "{bad}, otherwise it is {otherwise}.",
        "{n} of the {all} open goals below it serve “{name}”: if things go badly there, the chance falls to "
        "{bad}, otherwise it is {otherwise}.",
        n,
        name=name,
        **places,
    )


def risks_said(released: Released[GoalLanding], t: Language) -> str:
    """How much of the risk of the goal is shared, and by what; empty where nothing hangs below."""
    risks = dict(released.value.risks.select("kind", "share").rows())
    goal = released.value.goal.row(0, named=True)
    if not risks or goal["rule"] == "own" or not goal["children"]:
        return ""
    words = {
        "owner": t("owners who have several of the goals below"),
        "department": t("departments"),
        "parent": t("goals that serve the same goal"),
        "alone": t("each goal by itself"),
    }
    told = [
        t("{share} from {cause}", share=percent(risks[kind], t), cause=word)
        for kind, word in words.items()
        if risks.get(kind, 0.0) >= _LEAST_SHARE
    ]
    return t("What makes its outcome uncertain comes {causes}.", causes=t.listing(told))


def children_figure(released: Released[GoalLanding], t: Language, mode: theme.Mode) -> go.Figure:
    """The goals below one, by what it gains if each surely lands in time, and loses if it does not."""
    tokens = theme.TOKENS[mode]
    children = released.value.children.filter((pl.col("gain") > 0) | (pl.col("loss") > 0)).head(MOST_CHILDREN)
    if children.is_empty():
        return theme.nothing(t("No single goal below it could still tip its outcome."), mode)
    rows = list(children.iter_rows(named=True))
    names = [
        t("A goal beyond your reach") if row["title"] is None else in_own_language(row["title"], t)
        for row in rows
    ]
    labels = [
        f"{theme.shortened(name, 40)} · {percent(row['in_time'], t)}"
        for name, row in zip(names, rows, strict=True)
    ]
    figure = theme.figure(mode, height=84 + LINE * len(rows))
    places = list(range(len(rows)))
    for column, sign, colour in (("loss", -1.0, tokens.unknown), ("gain", 1.0, tokens.accent)):
        figure.add_bar(
            orientation="h",
            y=places,
            x=[100 * sign * row[column] for row in rows],
            width=0.62,
            marker={"color": colour},
            text=[
                _points(sign * row[column], t) or (t("under 1 point") if row[column] > 0 else "")
                for row in rows
            ],
            textposition="outside",
            textfont={"color": tokens.ink, "size": 13},
            cliponaxis=False,
            showlegend=False,
            hovertext=[escape(name) for name in names],
            hovertemplate="%{hovertext}<br>%{text}<extra></extra>",
        )
    widest = 125 * max(max(row["gain"], row["loss"]) for row in rows) + 2
    figure.add_vline(x=0, line={"color": tokens.quiet, "width": 1.5})
    for x, anchor, words in (
        (-0.02, "right", t("if it surely does not")),
        (0.02, "left", t("if it surely lands in time")),
    ):
        figure.add_annotation(
            x=x * widest,
            y=1,
            yref="paper",
            yanchor="bottom",
            xanchor=anchor,
            text=escape(words),
            showarrow=False,
            font={"color": tokens.quiet, "size": 13},
        )
    figure.update_layout(
        barmode="overlay",
        margin={"t": 40},
        xaxis={
            "range": [-widest, widest],
            "tickformat": "+,d",
            "nticks": 7,
            "showgrid": False,
            "title": {"text": escape(t("Change of the chance of the goal above, in percentage points"))},
        },
        yaxis={
            "tickmode": "array",
            "tickvals": places,
            "ticktext": [escape(label) for label in labels],
            "range": [len(rows) - 0.4, -0.6],
            "tickfont": {"color": tokens.ink},
            "showgrid": False,
        },
    )
    return figure


def children_note(released: Released[GoalLanding], t: Language) -> str:
    """Which goals below the picture leaves out."""
    children = released.value.children
    if released.value.goal["rule"].to_list() == ["own"]:
        return ""
    told = children.filter((pl.col("gain") > 0) | (pl.col("loss") > 0)).height
    said = []
    if n := max(0, told - MOST_CHILDREN):
        said.append(t.plural("{n} more goal matters less.", "{n} more goals matter less.", n))
    if n := children.height - told:
        said.append(
            t.plural(
                "{n} goal below it can tip nothing any more, or never could.",
                "{n} goals below it can tip nothing any more, or never could.",
                n,
            )
        )
    return t.joined(said)


def strategy_takeaway(released: Released[StrategyMap], t: Language) -> str:
    """Will the strategy land, in plain sentences."""
    goals = released.value.goals
    told = goals.drop_nulls("chance")
    if goals.is_empty():
        return t("There are no open strategic goals: no open company goal stands at the top.")
    if told.is_empty():
        return t("For no strategic goal the data can tell how likely it lands.")
    if goals.height == 1:
        return _only_one(goals.row(0, named=True), t)
    total = told.height
    words = [sign_of(*row) for row in told.select("chance", "low", "high").iter_rows()]
    unlikely = words.count("unlikely")
    wide = sum(cannot_tell(*row) for row in told.select("low", "high").iter_rows())
    said = [
        t.plural(
            "{n} of {total} strategic goals is unlikely to land.",
            "{n} of {total} strategic goals are unlikely to land.",
            unlikely,
            total=total,
        )
        if unlikely
        else t("None of the {n} strategic goals is clearly unlikely to land.", n=total)
    ]
    if wide:
        said.append(t("For {n} the range is so wide that the data cannot tell.", n=wide))
    worst = told.sort("chance", "goal_id").row(0, named=True)
    said.append(
        t(
            "The least likely is “{title}”, at {chance}.",
            title=worst["title"],
            chance=percent(worst["chance"], t),
        )
    )
    moved = told.filter(pl.col("change").abs() >= _NOTABLE).sort(pl.col("change").abs(), "goal_id")
    if released.value.since is not None and not moved.is_empty():
        most = moved.row(-1, named=True)
        places = {
            "title": most["title"],
            "n": abs(round(100 * most["change"])),
            "day": t.day(released.value.since),
        }
        same = most["goal_id"] == worst["goal_id"]
        said.append(
            t("It has lost {n} percentage points since {day}.", **places)
            if same and most["change"] < 0
            else t("It has gained {n} percentage points since {day}.", **places)
            if same
            else t("“{title}” has lost {n} percentage points since {day}.", **places)
            if most["change"] < 0
            else t("“{title}” has gained {n} percentage points since {day}.", **places)
        )
    if n := goals.filter(pl.col("holes").list.contains("not_taken_up")).height:
        said.append(
            t.plural("Nobody has taken up {n} strategic goal.", "Nobody has taken up {n} strategic goals.", n)
        )
    return t.joined(said)


def _only_one(row: Row, t: Language) -> str:
    said = _chance_said({**row, "method": ""}, t)
    places = {"title": row["title"] or row["goal_id"]}
    if "not_taken_up" in row["holes"]:
        return t.joined(
            [t("There is one strategic goal, “{title}”.", **places), said, t("Nobody has taken it up.")]
        )
    return t.joined([t("There is one strategic goal, “{title}”.", **places), said])


def strategy_figure(released: Released[StrategyMap], t: Language, mode: theme.Mode) -> go.Figure:
    """The strategic goals by perspective: each chance a filled bar with its number, holes outlined."""
    goals = released.value.goals
    if goals.is_empty():
        return theme.nothing(t("There are no open strategic goals."), mode)
    tokens, looks = theme.TOKENS[mode], signs(t, mode)
    lines, headings = _lines(goals["perspective"].to_list())
    rows = list(zip(lines, goals.iter_rows(named=True), strict=True))
    figure = theme.figure(mode, height=72 + LINE * (len(lines) + len(headings)))
    figure.add_bar(
        orientation="h",
        y=lines,
        x=[1.0] * len(lines),
        width=0.62,
        marker={"color": tokens.band, "line": {"color": tokens.hairline, "width": 1}},
        hoverinfo="skip",
        showlegend=False,
    )
    for name, look in looks.items():
        mine = [(y, row) for y, row in rows if row["chance"] is not None and _sign(row) == name]
        if mine:
            figure.add_bar(
                name=f"{look.shape} {look.word} ({len(mine)})",
                orientation="h",
                y=[y for y, _ in mine],
                x=[row["chance"] for _, row in mine],
                width=0.62,
                marker={"color": look.colour},
                hovertext=[_hover(row, t) for _, row in mine],
                hovertemplate="%{hovertext}<extra></extra>",
            )
    for y, row in rows:
        _interval(figure, row, y, tokens)
        _written(figure, row, y, t=t, mode=mode)
    words = perspective_words(t)
    for perspective, y in headings.items():
        _text(figure, f"<b>{escape(words[perspective])}</b>", x=0.0, y=y, colour=tokens.quiet)
    figure.update_layout(
        barmode="overlay",
        margin={"t": 56, "r": 24},
        xaxis={
            "range": [0, 1.78],
            "tickmode": "array",
            "tickvals": [0, 0.25, 0.5, 0.75, 1],
            "ticktext": [escape(percent(share, t)) for share in (0, 0.25, 0.5, 0.75, 1)],
            "showgrid": False,
            "title": {"text": escape(t("Chance of landing in time")), "standoff": 8},
        },
        yaxis={
            "tickmode": "array",
            "tickvals": lines,
            "ticktext": [
                escape(theme.shortened(in_own_language(row["title"] or row["goal_id"], t), 48))
                for _, row in rows
            ],
            "range": [len(lines) + len(headings) - 0.4, -0.6],
            "tickfont": {"color": tokens.ink},
            "showgrid": False,
        },
    )
    return figure


def _lines(perspectives: list[str | None]) -> tuple[list[float], dict[str | None, float]]:
    """Where each goal and each heading stands, from the top; no headings where no perspective is named."""
    if set(perspectives) == {None}:
        return [float(i) for i in range(len(perspectives))], {}
    lines: list[float] = []
    headings: dict[str | None, float] = {}
    for perspective in perspectives:
        if perspective not in headings:
            headings[perspective] = float(len(lines) + len(headings))
        lines.append(float(len(lines) + len(headings)))
    return lines, headings


def _interval(figure: go.Figure, row: Row, y: float, tokens: theme.Tokens) -> None:
    """The likely range as a thin line along the lower edge of the bar."""
    if row["low"] is not None and row["high"] is not None:
        figure.add_shape(
            type="line",
            x0=row["low"],
            x1=row["high"],
            y0=y + 0.39,
            y1=y + 0.39,
            line={"color": tokens.ink, "width": 2},
        )


def _written(figure: go.Figure, row: Row, y: float, *, t: Language, mode: theme.Mode) -> None:
    """The number on the bar; right of it the change since last time, and the holes outlined."""
    tokens, looks = theme.TOKENS[mode], signs(t, mode)
    if row["chance"] is None:
        _text(figure, escape(t("The data cannot tell")), x=0.0, y=y, colour=tokens.quiet, shift=6)
    else:
        look = looks[_sign(row)]
        inside = row["chance"] >= 0.16
        _text(
            figure,
            f"<b>{look.shape} {escape(percent(row['chance'], t))}</b>",
            x=0.0 if inside else row["chance"],
            y=y,
            colour=theme.ink_on(look.colour) if inside else tokens.ink,
            shift=6,
        )
    change = row["change"]
    moved = change is not None and abs(change) >= 0.005
    if moved:
        _text(figure, escape(_points(change, t)), x=1.0, y=y, colour=tokens.ink, shift=8, size=12)
    if row["holes"]:
        words = hole_words(t)
        text = words[row["holes"][0]]
        if len(row["holes"]) > 1:
            text = t("{hole} and {n} more", hole=text, n=len(row["holes"]) - 1)
        beside = 84 if moved else 8  # pixels: the change keeps its width however narrow the bar
        _text(figure, escape(text), x=1.0, y=y, colour=tokens.ink, shift=beside, border=tokens.quiet, size=12)


def _text(
    figure: go.Figure,
    text: str,
    *,
    x: float,
    y: float,
    colour: str,
    shift: int = 0,
    border: str | None = None,
    size: int = 13,
) -> None:
    figure.add_annotation(
        text=text,
        x=x,
        y=y,
        xref="x",
        yref="y",
        xanchor="left",
        xshift=shift,
        showarrow=False,
        font={"color": colour, "size": size},
        bordercolor=border,
        borderpad=3 if border else 0,
    )


def _sign(row: Row) -> str:
    return sign_of(row["chance"], row["low"], row["high"])


def _hover(row: Row, t: Language) -> str:
    return f"{escape(row['title'] or row['goal_id'])}<br>{escape(_chance_said({**row, 'method': ''}, t))}"


def _points(change: float, t: Language) -> str:
    """A change in percentage points with its sign; nothing where it rounds to none."""
    points = round(100 * change)
    if points == 0:
        return ""
    return t("+{n} points", n=points) if points > 0 else t("−{n} points", n=-points)


def record_said(released: Released[ParentBacktest], t: Language) -> str:
    """How well the chances of goals with goals below them have done, in plain sentences."""
    methods = {row["method"]: row for row in released.value.methods.iter_rows(named=True)}
    rolled = methods.get("rolled_up")
    if rolled is None or rolled["parents"] < MINIMUM_PARENTS.value:
        return t(
            "Too few goals with goals below them have come due to say how good these chances are; they have "
            "not been checked."
        )
    said = [
        t(
            "Of {n} past goals with goals below them, {landed} landed; on average we would have said {said}.",
            n=rolled["parents"],
            landed=percent(rolled["landed"], t),
            said=percent(rolled["said"], t),
        )
    ]
    if rolled["saved_low"] > 0:
        said.append(t("Counting that goals share causes made the chances more accurate than leaving it out."))
    elif rolled["saved_high"] < 0:
        said.append(t("Counting that goals share causes made the chances less accurate than leaving it out."))
    else:
        said.append(
            t("The data cannot tell whether counting that goals share causes makes chances more accurate.")
        )
    said.append(
        t("Most accurate so far, and used here: {method}.", method=method_words(t)[released.value.preferred])
    )
    return t.joined(said)
