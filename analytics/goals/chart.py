"""Pictures and sentences about goals: will the strategy land, which goals lag, how one goal went.

Every picture and sentence takes a released result. A status is a colour, a shape and a word at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from html import escape
from typing import Any, Final

import plotly.graph_objects as go
import polars as pl

from analytics import theme
from analytics.disclosure import Released
from analytics.goals.pace import GoalHistory, GoalPace
from analytics.goals.risk.ladder import Chances
from analytics.goals.rollup import RollUp
from analytics.language import Language, percent
from analytics.policy import PACE_PRESETS

TWICE: Final = next(preset.behind for preset in PACE_PRESETS if preset.measure == "pace_needed")
SILENT_CADENCES: Final = 2
MOST_MARKS: Final = 700
LABEL_LINE: Final = 18
"""Pixels a line of labels above a plot takes."""

_LIKELIER_THAN_NOT: Final = 0.5
_DRAWN: Final = ("to_close", "on_track", "behind", "at_risk")


@dataclass(frozen=True)
class Sign:
    """How a status looks: the word, the shape as text and as a plotly symbol, the fill and its hatch."""

    word: str
    shape: str
    symbol: str
    colour: str
    hatch: str = ""


def signs(t: Language, mode: theme.Mode) -> dict[str, Sign]:
    """The look of each status, what needs attention first."""
    tokens, (fine, behind, risk) = theme.TOKENS[mode], theme.RISK[mode]
    words = status_words(t)
    return {
        "at_risk": Sign(words["at_risk"], "◆", "diamond", risk),
        "behind": Sign(words["behind"], "▲", "triangle-up", behind),
        "cannot_tell": Sign(words["cannot_tell"], "○", "circle-open", tokens.unknown, "/"),
        "on_track": Sign(words["on_track"], "●", "circle", fine),
        "not_started": Sign(words["not_started"], "□", "square-open", tokens.hairline),
        "to_close": Sign(words["to_close"], "▣", "square-dot", tokens.accent),
        "done": Sign(words["done"], "■", "square", tokens.accent),
        "abandoned": Sign(words["abandoned"], "×", "x-thin-open", tokens.unknown, "x"),
    }


def status_words(t: Language) -> dict[str, str]:
    """What each status is called."""
    return {
        "done": t("Done"),
        "to_close": t("To be closed"),
        "on_track": t("On track"),
        "behind": t("Behind"),
        "at_risk": t("At risk"),
        "cannot_tell": t("The data cannot tell"),
        "not_started": t("Not started"),
        "abandoned": t("Abandoned"),
        "draft": t("Draft"),
    }


def preset_words(t: Language) -> dict[str, str]:
    """What each rule is called, by its name in `analytics.policy`."""
    return {
        "remaining_work": t("Work left against time left"),
        "engagedly": t("Gap to a straight line (Engagedly)"),
        "upraise": t("Share of the ideal progress (UpRaise)"),
        "recruiterflow": t("Share of the expected progress, strict (Recruiterflow)"),
        "worst_child": t("Worst of the goals below (Perdoo, Feishu)"),
        "owner": t("The owner's own confidence"),
    }


def unknown_words(t: Language) -> dict[str, str]:
    """Why the data cannot tell, by ``why_unknown``."""
    return {
        "no_target": t("No target was named."),
        "no_baseline": t("No starting value was named."),
        "wrong_direction": t("The target lies on the other side of the starting value."),
        "no_check_ins": t("Nobody has updated it yet."),
        "no_confidence": t("The owner was never asked for a confidence."),
        "goals_below": t("The data cannot tell for the goals below it."),
    }


def gap_words(t: Language) -> dict[str, str]:
    """What a goal's record lacks, by the column of `GoalPace` that says so."""
    return {
        "overdue": t("Overdue"),
        "stale": t("Not updated in time"),
        "no_check_ins": t("Never updated"),
        "no_data_source": t("No data source"),
        "no_cadence": t("No review cadence"),
        "orphan": t("Serves no other goal"),
        "parent_missing": t("Serves a goal that is not here"),
        "target_changed": t("Target changed"),
    }


def perspective_words(t: Language) -> dict[str | None, str]:
    """What each balanced-scorecard perspective is called."""
    return {
        "financial": t("Financial"),
        "customer": t("Customer"),
        "internal_process": t("Internal process"),
        "learning_growth": t("Learning and growth"),
        None: t("No perspective named"),
    }


def warning(t: Language) -> str:
    """What stands beside every status: that it says nothing about arriving, and what does."""
    return t(
        "These words say how a goal stands against its time, not whether it will arrive. How likely it is to "
        "miss its due date, the delay probability in the table says; it has been held against what became of "
        "past goals."
    )


def rule_evidence(t: Language) -> str:
    """How little the pace of a goal foretells: what the words of any rule rest on."""
    return t(
        "On 769 real sprints, the last fifth of a published set, the share of work done ranked those that "
        "missed worse than chance and the amount of work left ranked them well, but mostly because a third "
        "of the sprints had nothing planned; among those with anything planned no such measure ranked much "
        "better than chance."
    )


def disagreement(released: Released[GoalPace], chances: Released[Chances], t: Language) -> str:
    """Where the words of the rule and the delay probability part ways, of goals not yet due; empty of "
    "none."""
    rule, known = preset_words(t)[released.value.preset], _beside(released, chances)
    fine = known.filter(pl.col("status") == "on_track")
    risky = known.filter(pl.col("status") == "at_risk")
    missing = fine.filter(pl.col("delay") > _LIKELIER_THAN_NOT).height
    landing = risky.filter(pl.col("delay") < _LIKELIER_THAN_NOT).height
    said = []
    if missing:
        said.append(
            t.plural(
                "The rule “{rule}” calls {total} goals on track; {n} of them is more likely to miss than "
                "not.",
                "The rule “{rule}” calls {total} goals on track; {n} of them are more likely to miss than "
                "not.",
                missing,
                rule=rule,
                total=fine.height,
            )
        )
    elif not fine.is_empty():
        said.append(
            t(
                "Of the goals that the rule “{rule}” calls on track none is more likely to miss than not.",
                rule=rule,
            )
        )
    if landing:
        said.append(
            t.plural(
                "Of {total} goals not yet due that it calls at risk, {n} is more likely to arrive than not.",
                "Of {total} goals not yet due that it calls at risk, {n} are more likely to arrive than not.",
                landing,
                total=risky.height,
            )
            if said
            else t.plural(
                "Of {total} goals that the rule “{rule}” calls at risk, {n} is more likely to arrive than "
                "not.",
                "Of {total} goals that the rule “{rule}” calls at risk, {n} are more likely to arrive than "
                "not.",
                landing,
                rule=rule,
                total=risky.height,
            )
        )
    return t.joined(said)


def _beside(released: Released[GoalPace], chances: Released[Chances]) -> pl.DataFrame:
    """The open goals of which a delay probability is known."""
    return (
        released.value.goals.filter("open")
        .with_columns(pl.col("status").cast(pl.String))
        .join(chances.value.now.select("goal_id", "delay"), on="goal_id", maintain_order="left")
    )


def takeaway(released: Released[GoalPace], t: Language) -> str:
    """The finding about open goals in plain sentences: how many are at risk and why, each counted once."""
    running = released.value.goals.filter("open")
    if running.is_empty():
        return t("There are no open goals.")
    total, preset = running.height, released.value.preset
    if (running["status"] == "cannot_tell").all():
        return t.plural(
            "The data cannot tell whether the {n} open goal is at risk.",
            "The data cannot tell whether any of the {n} open goals is at risk.",
            total,
        )
    risky = running.filter(pl.col("status") == "at_risk")
    said = [
        _at_risk(risky, total, t)
        if preset == "remaining_work"
        else _at_risk_by_rule(risky, total, preset_words(t)[preset], t)
    ]
    if n := risky.filter("stale", pl.col("status_then") == "on_track").height:
        said.append(
            t.plural(
                "{n} of those at risk was on plan when it was last updated.",
                "{n} of those at risk were on plan when they were last updated.",
                n,
            )
        )
    if n := running.filter(pl.col("status") == "to_close").height:
        said.append(
            t.plural(
                "{n} goal has arrived and waits to be closed.",
                "{n} goals have arrived and wait to be closed.",
                n,
            )
        )
    if n := running.filter(pl.col("silent_cadences") > SILENT_CADENCES).height:
        said.append(
            t.plural(
                "{n} goal has not been updated for more than two of its cadences.",
                "{n} goals have not been updated for more than two of their cadences.",
                n,
            )
        )
    n = running.filter(pl.col("status") == "cannot_tell").height
    if 0 < n < total:
        said.append(t.plural("For {n} goal the data cannot tell.", "For {n} goals the data cannot tell.", n))
    return _together(said, t)


def _at_risk(risky: pl.DataFrame, total: int, t: Language) -> str:
    """How many goals are at risk under work left against time left, and what puts each there."""
    if risky.is_empty():
        return t.plural("The {n} open goal is not at risk.", "None of the {n} open goals is at risk.", total)
    # Each goal once, by the first that holds.
    why = risky.select(
        pl.when("overdue")
        .then(pl.lit("overdue"))
        .when(pl.col("pace_needed").is_infinite())
        .then(pl.lit("unmoved"))
        .when(pl.col("pace_needed") > TWICE)
        .then(pl.lit("slow"))
        .when(pl.col("kind").is_in(["stay_above", "stay_below"]))
        .then(pl.lit("unheld"))
        .otherwise(pl.lit("short"))
    ).to_series()
    counts = {name: int((why == name).sum()) for name in ("slow", "overdue", "unmoved", "unheld", "short")}
    parts = []
    if n := counts["slow"]:
        parts.append(
            t.plural(
                "{n} needs more than twice the pace it had", "{n} need more than twice the pace they had", n
            )
        )
    if n := counts["overdue"]:
        parts.append(t.plural("{n} is overdue", "{n} are overdue", n))
    if n := counts["unmoved"]:
        parts.append(t.plural("{n} has not moved forward", "{n} have not moved forward", n))
    if n := counts["unheld"]:
        parts.append(t.plural("{n} does not hold its level", "{n} do not hold their level", n))
    if n := counts["short"]:
        parts.append(
            t.plural("{n} is not where it should be by now", "{n} are not where they should be by now", n)
        )
    if total == 1:
        return t("The one open goal is at risk.")
    return t.plural(
        "{n} of {total} open goals is at risk: {parts}.",
        "{n} of {total} open goals are at risk: {parts}.",
        risky.height,
        total=total,
        parts=t.listing(parts),
    )


def _at_risk_by_rule(risky: pl.DataFrame, total: int, rule: str, t: Language) -> str:
    """How many goals are at risk under any other rule, and how many of them are overdue."""
    if total == 1:
        if risky.is_empty():
            return t("The one open goal is not at risk by the rule “{rule}”.", rule=rule)
        return t("The one open goal is at risk by the rule “{rule}”.", rule=rule)
    said = t.plural(
        "{n} of {total} open goals is at risk by the rule “{rule}”.",
        "{n} of {total} open goals are at risk by the rule “{rule}”.",
        risky.height,
        total=total,
        rule=rule,
    )
    overdue = risky.filter("overdue").height
    if not overdue:
        return said
    late = t.plural("{n} of them is overdue.", "{n} of them are overdue.", overdue)
    return _together([said, late], t)


def strategy_takeaway(released: Released[RollUp], t: Language) -> str:
    """The finding about the strategy in plain sentences."""
    strategy, branches = released.value.strategy, released.value.branches
    if strategy.is_empty():
        return t("There are no open strategic goals: no open company goal stands at the top.")
    total, whole = strategy.height, released.value.whole
    said: list[str] = []
    n = strategy.filter(pl.col("at_risk") > 0).height
    unknown = strategy.filter(pl.col("cannot_tell") > 0).height
    if n == total == 1:
        said.append(t("The one strategic goal rests on goals at risk."))
    elif n and not whole:
        said.append(
            t.plural(
                "{n} of {total} strategic goals rests on goals at risk within your reach.",
                "{n} of {total} strategic goals rest on goals at risk within your reach.",
                n,
                total=total,
            )
        )
    elif n:
        said.append(
            t.plural(
                "{n} of {total} strategic goals rests on goals at risk.",
                "{n} of {total} strategic goals rest on goals at risk.",
                n,
                total=total,
            )
        )
    elif unknown:
        said.append(
            t.plural(
                "As far as the data can tell, no strategic goal rests on a goal at risk; below {n} of "
                "{total} there are goals of which they cannot tell.",
                "As far as the data can tell, no strategic goal rests on a goal at risk; below {n} of "
                "{total} there are goals of which they cannot tell.",
                unknown,
                total=total,
            )
        )
    elif not whole:
        said.append(t("No strategic goal rests on a goal at risk within your reach."))
    else:
        said.append(t("No strategic goal rests on a goal at risk."))
    if n := strategy.filter(~pl.col("taken_up")).height:
        said.append(
            t.plural("Nobody has taken up {n} strategic goal.", "Nobody has taken up {n} strategic goals.", n)
        )
    n = branches.filter("silent").height
    if n and not whole:
        said.append(
            t.plural(
                "In {n} of {total} branches nobody within your reach has updated anything in time.",
                "In {n} of {total} branches nobody within your reach has updated anything in time.",
                n,
                total=branches.height,
            )
        )
    elif n == branches.height == 1:
        said.append(t("In its one branch nobody has updated anything in time."))
    elif n:
        said.append(
            t.plural(
                "In {n} of {total} branches nobody has updated anything in time.",
                "In {n} of {total} branches nobody has updated anything in time.",
                n,
                total=branches.height,
            )
        )
    served = pl.col("aligned") > 0
    if n := strategy.filter("taken_up", pl.col("goals") == pl.col("abandoned"), ~served).height:
        said.append(
            t.plural(
                "{n} strategic goal has been taken up beyond your reach only.",
                "{n} strategic goals have been taken up beyond your reach only.",
                n,
            )
        )
    if whole and (n := strategy.filter("taken_up", served, pl.col("goals") == 0).height):
        said.append(
            t.plural(
                "{n} strategic goal is served only by goals that are part of others.",
                "{n} strategic goals are served only by goals that are part of others.",
                n,
            )
        )
    if n := released.value.loops.height:
        said.append(
            t.plural(
                "{n} goal hangs in a loop and counts for no strategic goal.",
                "{n} goals hang in a loop and count for no strategic goal.",
                n,
            )
        )
    return _together(said, t)


def goal_takeaway(released: Released[GoalHistory], t: Language) -> str:
    """How one goal stands in plain sentences."""
    goal = released.value.goal.row(0, named=True)
    said = [t("Status: {word}.", word=status_words(t)[goal["status"]])]
    if goal["why_unknown"] is not None:
        said.append(unknown_words(t)[goal["why_unknown"]])
    silent = goal["stale"] and goal["checked_on"] is not None
    way = percent(goal["progress"], t) if goal["progress"] is not None else None
    elapsed = percent(goal["elapsed"], t)
    if silent:
        said.append(_when_last_updated(goal, t))
    if way is not None and silent:
        said.append(
            t(
                "It had come {progress} of the way then; by now {elapsed} of its time has passed.",
                progress=way,
                elapsed=elapsed,
            )
        )
    elif way is not None:
        said.append(
            t("It has come {progress} of the way in {elapsed} of its time.", progress=way, elapsed=elapsed)
        )
    needed = goal["pace_needed"]
    if goal["open"] and needed is not None and needed > 0:
        times = f"{needed:.1f}"
        if needed == float("inf"):
            said.append(t("It has not moved forward yet."))
        elif silent:
            said.append(
                t("If it has not moved since, it now needs {times} times the pace it had.", times=times)
            )
        else:
            said.append(t("From now on it needs {times} times the pace it had.", times=times))
    if goal["overdue"]:
        said.append(t("It was due on {day}.", day=t.day(goal["due_on"])))
    if goal["target_changed"]:
        said.append(t("Its target was changed on the way."))
    return _together(said, t)


def _when_last_updated(goal: Mapping[str, Any], t: Language) -> str:
    """How a goal stood when somebody last updated it: all that is known of one that fell silent."""
    day = t.day(goal["checked_on"])
    if goal["status_then"] == "on_track":
        return t("It was last updated on {day}; it was on plan then.", day=day)
    if goal["status_then"] == "behind":
        return t("It was last updated on {day}; it was behind then.", day=day)
    if goal["status_then"] == "at_risk":
        return t("It was last updated on {day}; it was at risk then.", day=day)
    return t("It was last updated on {day}.", day=day)


def tree_figure(released: Released[RollUp], t: Language, mode: theme.Mode) -> go.Figure:
    """Each strategic goal with the statuses of all that hangs below it, by perspective.

    What needs attention starts at the left edge, so that it compares along one line.
    """
    strategy, tokens, looks = released.value.strategy, theme.TOKENS[mode], signs(t, mode)
    rows, headings = _lines(strategy)
    figure = theme.figure(mode, height=72 + 36 * (len(rows) + len(headings)))
    for status, look in looks.items():
        counts = strategy[status].to_list()
        if not any(counts):
            continue
        figure.add_bar(
            name=f"{look.shape} {look.word}",
            orientation="h",
            y=rows,
            x=counts,
            width=0.62,
            text=[f"{look.shape} {n}" if n else "" for n in counts],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            textfont={"color": tokens.ink if look.hatch else theme.ink_on(look.colour), "size": 13},
            marker={
                "color": look.colour,
                "line": {"color": tokens.surface, "width": 1},
                "pattern": {
                    "shape": look.hatch,
                    "fgcolor": look.colour,
                    "bgcolor": tokens.surface,
                    "size": 7,
                    "solidity": 0.15,
                },
            },
            customdata=[escape(title) for title in strategy["title"]],
            hovertemplate="%{customdata}<br>" + escape(look.word) + ": %{x}<extra></extra>",
        )
    perspectives = perspective_words(t)
    for perspective, y in headings.items():
        _label(figure, f"<b>{escape(perspectives[perspective])}</b>", y=y, colour=tokens.quiet)
    for y, goal in zip(rows, strategy.iter_rows(named=True), strict=True):
        if not goal["taken_up"]:
            _label(figure, t("Nobody has taken this up"), y=y, colour=tokens.quiet, border=tokens.quiet)
        elif not goal["goals"] and not goal["aligned"]:
            _label(figure, t("Taken up beyond your reach"), y=y, colour=tokens.quiet)
        elif not goal["goals"]:
            elsewhere = t.plural(
                "Served by {n} goal from elsewhere", "Served by {n} goals from elsewhere", goal["aligned"]
            )
            _label(figure, elsewhere, y=y, colour=tokens.quiet)
    figure.update_layout(
        barmode="stack",
        uniformtext={"mode": "hide", "minsize": 11},
        margin={"t": 56},
        xaxis={"title": {"text": t("Goals below it")}, "rangemode": "tozero", "tickformat": ",d"},
        yaxis={
            "tickmode": "array",
            "tickvals": rows,
            "ticktext": _labels(strategy, t),
            "range": [len(rows) + len(headings) - 0.4, -0.6],
            "tickfont": {"color": tokens.ink},
            "showgrid": False,
        },
    )
    return figure


def pace_figure(released: Released[GoalHistory], t: Language, mode: theme.Mode) -> go.Figure:
    """One goal over time: its check-ins, the line they should follow, changes of target, due date, today."""
    found, tokens = released.value, theme.TOKENS[mode]
    goal = found.goal.row(0, named=True)
    figure = theme.figure(mode, height=380)
    start, due, today = goal["start_on"], goal["due_on"], found.as_of
    targets = found.targets
    if not targets.is_empty():
        # Each target holds until the next one; the last until the goal is due.
        until = max(due, targets["since"][-1])
        figure.add_scatter(
            name=t("Target"),
            x=[*targets["since"].to_list(), until],
            y=[*targets["target"].to_list(), targets["target"][-1]],
            mode="lines",
            line={"shape": "hv", "color": tokens.quiet, "width": 1.5, "dash": "dot"},
            hovertemplate="%{x|%Y-%m-%d}<br>%{y}<extra></extra>",
        )
    staying = goal["kind"] in ("stay_above", "stay_below")
    begin = _begin(goal)
    if not targets.is_empty():
        # At the far end stand the day and the due date; on the near side of the line, the way to go.
        first = targets["target"][0]
        rising = begin is None or begin <= first
        figure.add_annotation(
            text=t("Target"),
            x=targets["since"][0],
            y=first,
            xanchor="left",
            yanchor="top" if rising else "bottom",
            yshift=-2 if rising else 2,
            xshift=4,
            showarrow=False,
            font={"color": tokens.quiet, "size": 12},
        )
    if goal["target"] is not None and begin is not None and not staying:
        figure.add_scatter(
            name=t("Straight line"),
            x=[start, due],
            y=[begin, goal["target"]],
            mode="lines",
            line={"color": tokens.quiet, "width": 1},
            hoverinfo="skip",
        )
        middle = start + (due - start) / 2
        _name(figure, t("Straight line"), x=middle, y=(begin + goal["target"]) / 2, colour=tokens.quiet)
    figure.add_scatter(
        name=t("Check-ins"),
        x=found.points["checked_at"].to_list(),
        y=found.points["value"].to_list(),
        mode="lines+markers",
        line={"color": tokens.accent, "width": 2.5},
        marker={"color": tokens.accent, "size": 8},
        hovertemplate="%{x|%Y-%m-%d}<br>%{y}<extra></extra>",
    )
    # One above the other: on days close together they would cover each other side by side.
    due_text, today_text = t("Due {day}", day=t.day(due)), t("As of {day}", day=t.day(today))
    middle = start + (max(due, today) - start) / 2
    _mark(figure, due, due_text, colour=tokens.ink, dash="solid", line=1, ends=due > middle)
    if today != due:
        _mark(figure, today, today_text, colour=tokens.quiet, dash="dash", line=0, ends=today > middle)
    figure.update_layout(
        showlegend=False,
        margin={"t": 56},
        xaxis={"type": "date", "showgrid": False, "tickformat": "%Y-%m-%d", "nticks": 7},
        yaxis={"title": {"text": escape(goal["unit"] or "")}},
    )
    return figure


def elapsed_figure(released: Released[GoalPace], t: Language, mode: theme.Mode) -> go.Figure:
    """Progress of each open goal on its way to a target, against the share of its time that has passed.

    Goals that hold a level or take a first measurement have no straight line and are left out. Goals of
    one period share their elapsed time: marks that would cover each other stand side by side. Where there
    are more goals than `MOST_MARKS`, one mark stands for all of a status that lie close together, and its
    area for how many they are.
    """
    tokens, looks = theme.TOKENS[mode], signs(t, mode)
    goals = _on_a_way(released.value.goals)
    marks = _side_by_side(goals) if goals.height <= MOST_MARKS else _gathered(goals)
    figure = theme.figure(mode, height=460)
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        line={"color": tokens.quiet, "width": 1},
        hoverinfo="skip",
        showlegend=False,
    )
    _name(figure, t("Straight line"), x=0.2, y=0.2, colour=tokens.quiet)
    for status in (status for status in _DRAWN if status in marks["status"]):
        part, look = marks.filter(pl.col("status") == status), looks[status]
        figure.add_scatter(
            name=f"{look.word} ({part['_n'].sum():,})",
            x=part["_x"].to_list(),
            y=part["_y"].to_list(),
            mode="markers",
            marker={
                "symbol": look.symbol,
                "color": look.colour,
                "size": part["_size"].to_list(),
                "line": {"color": tokens.surface, "width": 0.5},
            },
            hovertext=[_mark_text(row, t) for row in part.iter_rows(named=True)],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    figure.update_layout(
        margin={"t": 48},
        legend={"itemsizing": "constant"},
        xaxis={"title": {"text": t("Share of its time passed")}, "tickformat": ".0%", "range": [-0.06, 1.06]},
        yaxis={"title": {"text": t("Progress")}, "tickformat": ".0%", "range": [-0.05, 1.25]},
    )
    return figure


def elapsed_note(released: Released[GoalPace], t: Language) -> str:
    """How many of the open goals `elapsed_figure` shows, and whom it leaves out."""
    running = released.value.goals.filter("open")
    shown = _on_a_way(running).height
    left = running.join(_on_a_way(running), on="goal_id", how="anti")
    begun = left.filter(pl.col("status") != "not_started")
    holding = begun.filter(
        pl.col("kind").is_in(["stay_above", "stay_below", "baseline"]).fill_null(value=False)
    )
    whys = []
    if n := holding.height:
        whys.append(
            t.plural(
                "{n} that holds a level or takes a first measurement",
                "{n} that hold a level or take a first measurement",
                n,
            )
        )
    if n := begun.height - holding.height:
        whys.append(t.plural("{n} the data cannot tell about", "{n} the data cannot tell about", n))
    if n := left.height - begun.height:
        whys.append(t.plural("{n} not started", "{n} not started", n))
    if not whys:
        return t.plural("Shown: the {n} open goal.", "Shown: all {n} open goals.", shown)
    return t.plural(
        "Shown: {n} of {total} open goals. Left out: {whys}.",
        "Shown: {n} of {total} open goals. Left out: {whys}.",
        shown,
        total=running.height,
        whys=t.listing(whys),
    )


def _on_a_way(goals: pl.DataFrame) -> pl.DataFrame:
    """Open goals on their way to a target, with a word for it."""
    return goals.filter("open", pl.col("remaining").is_not_null(), pl.col("status").is_in(_DRAWN))


def _gathered(goals: pl.DataFrame) -> pl.DataFrame:
    """One mark per status and cell of four by five per cent, its area growing with the goals in it."""
    cells = goals.with_columns(
        pl.col("elapsed").truediv(0.04).round(),
        pl.col("progress").clip(0.0, 1.2).truediv(0.05).round(),
    )
    return (
        cells.group_by("status", "elapsed", "progress")
        .agg(pl.len().alias("_n"))
        .with_columns(
            pl.col("elapsed") * 0.04,
            pl.col("progress") * 0.05,
            (4 + 2 * pl.col("_n").sqrt()).clip(upper_bound=26).alias("_size"),
        )
        .with_columns(_x=pl.col("elapsed"), _y=pl.col("progress"), title=pl.lit(None, pl.String))
        .sort("_n", "status", "elapsed", "progress", descending=[True, False, False, False])
    )


def _mark_text(row: Mapping[str, Any], t: Language) -> str:
    way = t(
        "{progress} of the way in {elapsed} of its time",
        progress=percent(row["progress"], t),
        elapsed=percent(row["elapsed"], t),
    )
    about = escape(row["title"]) if row["title"] is not None else t.plural("{n} goal", "{n} goals", row["_n"])
    return f"{about}<br>{way}"


def _lines(strategy: pl.DataFrame) -> tuple[list[float], dict[str | None, float]]:
    """Where each strategic goal and each heading stands, from the top, a line each."""
    rows: list[float] = []
    headings: dict[str | None, float] = {}
    line = 0
    for perspective in strategy["perspective"].to_list():
        if perspective not in headings:
            headings[perspective] = float(line)
            line += 1
        rows.append(float(line))
        line += 1
    if set(headings) == {None}:
        # Without a scorecard a single heading would say nothing.
        return [row - 1 for row in rows], {}
    return rows, headings


def _side_by_side(goals: pl.DataFrame, *, apart: float = 0.009, widest: float = 0.06) -> pl.DataFrame:
    """Where each mark stands: ``_x`` and ``_y``, spread to both sides among those at the same place."""
    place = ["_place", "_height"]
    nth = pl.col("goal_id").rank("ordinal").over(place).cast(pl.Int64)
    # 0, +1, −1, +2, −2, …: the first stands in the middle.
    step = pl.when(nth % 2 == 0).then(nth // 2).otherwise(-(nth // 2))
    gap = pl.min_horizontal(pl.lit(apart), 2 * widest / pl.len().over(place))
    return goals.with_columns(
        pl.col("progress").clip(0.0, 1.2).alias("_y"),
        (pl.col("elapsed") * 50).round().alias("_place"),
        (pl.col("progress").clip(0.0, 1.2) * 50).round().alias("_height"),
    ).with_columns(
        (pl.col("elapsed") + step * gap).alias("_x"), pl.lit(1).alias("_n"), pl.lit(8.0).alias("_size")
    )


def _begin(goal: dict[str, Any]) -> float | None:
    if goal["baseline"] is None and goal["kind"] in (None, "reach"):
        return 0.0
    baseline: float | None = goal["baseline"]
    return baseline


def _label(figure: go.Figure, text: str, *, y: float, colour: str, border: str | None = None) -> None:
    figure.add_annotation(
        text=text,
        x=0,
        xref="x",
        y=y,
        yref="y",
        xanchor="left",
        showarrow=False,
        font={"color": colour, "size": 13},
        bordercolor=border,
        borderpad=3,
        xshift=4 if border else 0,
    )


def _name(figure: go.Figure, text: str, *, x: object, y: object, colour: str) -> None:
    """A line's name on the line itself."""
    figure.add_annotation(
        text=text,
        x=x,
        y=y,
        xanchor="right",
        yanchor="bottom",
        showarrow=False,
        font={"color": colour, "size": 12},
        xshift=-4,
        yshift=4,
    )


def _mark(
    figure: go.Figure, day: object, text: str, *, colour: str, dash: str, line: int, ends: bool
) -> None:
    """A day as an upright line, named above the plot on a line of text that ends or begins there."""
    figure.add_shape(
        type="line",
        x0=day,
        x1=day,
        y0=0,
        y1=1,
        yref="paper",
        line={"color": colour, "width": 1, "dash": dash},
        layer="below",
    )
    figure.add_annotation(
        text=text,
        x=day,
        y=1,
        yref="paper",
        xanchor="right" if ends else "left",
        yanchor="bottom",
        yshift=line * LABEL_LINE,
        showarrow=False,
        font={"color": colour, "size": 12},
    )


def _labels(strategy: pl.DataFrame, t: Language) -> list[str]:
    """Titles; goals of the same title are told apart by their due date."""
    twice = strategy["title"].is_duplicated().to_list()
    return [
        f"{_short(title, 28)} · {t.day(due_on)}" if again else _short(title)
        for (title, due_on), again in zip(strategy.select("title", "due_on").iter_rows(), twice, strict=True)
    ]


def _short(title: str, longest: int = 44) -> str:
    return escape(title if len(title) <= longest else f"{title[: longest - 1].rstrip()}…")


def _together(sentences: Sequence[str], t: Language) -> str:
    return reduce(lambda first, second: t("{first} {second}", first=first, second=second), sentences)
