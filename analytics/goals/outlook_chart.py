"""One goal in sentences and as a picture: its chance, what raises and lowers it, how that went over time.

Every function is pure: a released result in, a plotly figure or a sentence out. A delay probability is the
chance that the goal is not done by its due date.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from html import escape
from typing import Any, Final

import plotly.graph_objects as go
import polars as pl

from analytics import theme
from analytics.disclosure import Released
from analytics.goals.adjustment_chart import direction_words
from analytics.goals.forecast.forecast import Fan
from analytics.goals.landing.chart import why_said
from analytics.goals.landing.landing import GoalLanding
from analytics.goals.outlook import Outlook
from analytics.language import Language, percent
from analytics.policy import WARNING_CONFIDENCE

Row = Mapping[str, Any]

_EVEN: Final = 0.5
_APART: Final = 0.2
"""Two lines that far apart have room for both their names between them."""
_MOST_MARKS: Final = 6
_ROOM: Final = 0.82
"""Share of the width beyond which a line's name has no room to the right of its end."""


def state_words(t: Language) -> dict[str, str]:
    """What each state is called, by `analytics.goals.outlook.STATES`."""
    return {
        "draft": t("Draft"),
        "not_begun": t("Not started"),
        "open": t("Open"),
        "overdue": t("Overdue"),
        "landed": t("Done in time"),
        "landed_late": t("Done late"),
        "given_up": t("Given up"),
    }


def status_words(t: Language) -> dict[str, str]:
    """What each status of the contract is called where it was changed."""
    return {
        "draft": t("Draft"),
        "active": t("Open"),
        "done": t("Done"),
        "abandoned": t("Given up"),
    }


def scope_words(t: Language) -> dict[str, str]:
    """Whose goal one goal is, by the contract's scopes."""
    return {
        "company": t("Company goal"),
        "department": t("Department goal"),
        "team": t("Team goal"),
        "individual": t("Personal goal"),
    }


def takeaway(
    released: Released[Outlook],
    landing: Released[GoalLanding] | None,
    t: Language,
    *,
    to_close: bool = False,
    better: bool = False,
    hidden: int = 0,
) -> str:
    """How one goal stands, or how likely it is to miss, in plain sentences.

    Parameters
    ----------
    released
        What is known of the goal.
    landing
        What the goals below it say; None: nothing.
    t
        The reader's language.
    to_close
        Whether it is known to have arrived though nobody has closed it.
    better
        Whether on past goals those below were known to be the better guide than own check-ins.
    hidden
        How many goals directly below it are beyond the reader's reach.
    """
    goal = released.value.goal.row(0, named=True)
    state = goal["state"]
    if state == "open":
        why = "" if landing is None else why_said(landing, t, hidden=hidden)
        return _chance(goal, _chance_below(landing), t, why=why, better=better)
    if state == "overdue" and to_close:
        return t("It was due on {day}; it has arrived and waits to be closed.", day=t.day(goal["due_on"]))
    if state == "overdue":
        return t.plural(
            "It was due on {day} and is still open {n} day later.",
            "It was due on {day} and is still open {n} days later.",
            goal["days"],
            day=t.day(goal["due_on"]),
        )
    if state == "draft":
        return t("It is a draft: as long as nobody has agreed to it, nothing is said of its chance.")
    if state == "not_begun":
        return t(
            "It has not started: it begins on {start} and is due on {due}.",
            start=t.day(goal["start_on"]),
            due=t.day(goal["due_on"]),
        )
    return _ended(goal, t)


def _chance_below(landing: Released[GoalLanding] | None) -> Row | None:
    """The chance to go by where it comes from the goals below."""
    if landing is None:
        return None
    row = landing.value.goal.row(0, named=True)
    return row if row["method"] != "own" and row["chance"] is not None else None


def _chance(goal: Row, below: Row | None, t: Language, *, why: str, better: bool) -> str:
    day = t.day(goal["due_on"])
    if below is not None:
        said = _told(1.0 - below["chance"], below["high"], below["low"], day, t, by="below")
        own = "" if goal["delay"] is None else _own(goal["delay"], t, better=better)
        return t.joined([said, why, own])
    if goal["delay"] is None:
        if goal["days"] == 0:
            return t("It is due today, on {day}, and still open.", day=day)
        return t("How likely it is to miss {day}, the data cannot tell.", day=day)
    return _told(goal["delay"], 1.0 - goal["delay_low"], 1.0 - goal["delay_high"], day, t, by="own")


def _told(
    delay: float, lands_high: float | None, lands_low: float | None, day: str, t: Language, *, by: str
) -> str:
    chance = percent(delay, t)
    if lands_low is None or lands_high is None:
        if by == "below":
            return t(
                "Judged by the goals below it, the chance that it misses {day} is {chance}.",
                day=day,
                chance=chance,
            )
        return t("The chance that it misses {day} is {chance}.", day=day, chance=chance)
    low, high = percent(1.0 - lands_high, t), percent(1.0 - lands_low, t)
    if by == "below":
        return t(
            "Judged by the goals below it, the chance that it misses {day} is {chance} (likely {low} to "
            "{high}).",
            day=day,
            chance=chance,
            low=low,
            high=high,
        )
    return t(
        "The chance that it misses {day} is {chance} (likely {low} to {high}).",
        day=day,
        chance=chance,
        low=low,
        high=high,
    )


def _own(delay: float, t: Language, *, better: bool) -> str:
    chance = percent(delay, t)
    if better:
        return t(
            "Its own check-ins by themselves would say {chance}; on past goals those below were the better "
            "guide.",
            chance=chance,
        )
    return t("Its own check-ins by themselves would say {chance}.", chance=chance)


def _ended(goal: Row, t: Language) -> str:
    if goal["state"] == "given_up":
        if goal["ended_on"] is None:
            return t("It was given up; on which day, nobody noted.")
        return t("It was given up on {day}.", day=t.day(goal["ended_on"]))
    if goal["ended_on"] is None:
        return t("It is done; on which day, nobody noted.")
    places = {"day": t.day(goal["ended_on"]), "due": t.day(goal["due_on"])}
    if goal["state"] == "landed_late":
        return t.plural(
            "It was done on {day}, {n} day after it was due.",
            "It was done on {day}, {n} days after it was due.",
            goal["days"],
            **places,
        )
    if goal["days"] == 0:
        return t("It was done on {day}, the day it was due.", **places)
    return t.plural(
        "It was done on {day}, {n} day before it was due.",
        "It was done on {day}, {n} days before it was due.",
        -goal["days"],
        **places,
    )


def finish_in_short(fan: Released[Fan] | None, t: Language) -> str:
    """When its progress alone would have it finished; empty where there is no forecast."""
    if fan is None or fan.value.goal["refused"][0] is not None:
        return ""
    goal = fan.value.goal.row(0, named=True)
    if goal["middle"] is None:
        return t("By its progress alone it would still be open on {day}.", day=t.day(goal["until"]))
    return t("By its progress alone it would be finished about {day}.", day=t.day(goal["middle"]))


def parting(released: Released[Outlook], fan: Released[Fan] | None, t: Language) -> str:
    """Where probability and forecast part ways, that they do and which to go by; empty where they agree."""
    goal = released.value.goal.row(0, named=True)
    if fan is None or goal["delay"] is None or fan.value.goal["by_due"][0] is None:
        return ""
    by_due = fan.value.goal["by_due"][0]
    if (goal["delay"] > _EVEN) == (by_due <= _EVEN) or abs(1.0 - by_due - goal["delay"]) < 0.1:
        return ""
    if goal["delay"] > _EVEN:
        return t(
            "Its progress alone looks better than its chance: this forecast knows nothing of owners, changes "
            "or confidence. Go by the chance, which does."
        )
    return t(
        "Its progress alone looks worse than its chance: this forecast knows nothing of owners, changes or "
        "confidence. Go by the chance, which does."
    )


def raising_words(t: Language) -> dict[str, str]:
    """What a driver that raises the delay probability means and what one can do, by its name."""
    return {
        "work_left": t(
            "How much is left to do for the time left speaks against it. Agree on what can be dropped, or on "
            "who can help."
        ),
        "recent_pace": t(
            "Its pace in the last weeks speaks against it. Find out what holds it up, and clear that first."
        ),
        "silence": t("The time since its last update speaks against it. Ask for an update today."),
        "scope_growth": t(
            "What became of its target on the way speaks against it. Cut back what was added, or move the "
            "due date with approval."
        ),
        "due_moved": t(
            "That its due date had to be moved speaks against it. Agree on what must be true for the new "
            "date to hold."
        ),
        "confidence": t(
            "What its owner says about its chance, or that nothing was said, speaks against it. Ask why."
        ),
        "owner_record": t(
            "How earlier goals of its owner ended speaks against it. Ask what else the owner has to carry; "
            "it is no verdict on a person."
        ),
        "department_record": t(
            "How earlier goals of its department ended speaks against it. Look for what holds up all of them."
        ),
        "set_up": t(
            "How it was set up speaks against it. Put on record where its values come from, how often it is "
            "checked, and that both sides agreed."
        ),
    }


def lowering_words(t: Language) -> dict[str, str]:
    """What a driver that lowers the delay probability means, by its name."""
    return {
        "work_left": t("How little is left to do for the time left speaks for it."),
        "recent_pace": t("Its pace in the last weeks speaks for it."),
        "silence": t("How fresh its last update is speaks for it."),
        "scope_growth": t("What became of its target on the way speaks for it."),
        "due_moved": t("That its due date has stood firm speaks for it."),
        "confidence": t("What its owner says about its chance speaks for it."),
        "owner_record": t("How earlier goals of its owner ended speaks for it."),
        "department_record": t("How earlier goals of its department ended speaks for it."),
        "set_up": t("How it was set up speaks for it."),
    }


def drivers_said(released: Released[Outlook], t: Language) -> tuple[list[str], list[str]]:
    """What raises and what lowers the delay probability, a sentence each, strongest first."""
    up, down = raising_words(t), lowering_words(t)
    return (
        [up[driver] for driver in released.value.raising if driver in up],
        [down[driver] for driver in released.value.lowering if driver in down],
    )


def confidence_said(released: Released[Outlook], landing: Released[GoalLanding] | None, t: Language) -> str:
    """The owner's confidence against ours; empty where the goal is not open."""
    goal = released.value.goal.row(0, named=True)
    if goal["state"] != "open":
        return ""
    if goal["confidence"] is None:
        return t("Its owner was never asked how likely it is to land.")
    below = _chance_below(landing)
    ours = below["chance"] if below is not None else None if goal["delay"] is None else 1.0 - goal["delay"]
    theirs, day = percent(goal["confidence"], t), t.day(goal["confidence_on"])
    if ours is None:
        return t("On {day} its owner put the chance that it lands at {theirs}.", day=day, theirs=theirs)
    said = t(
        "On {day} its owner put the chance that it lands at {theirs}; we put it at {ours}.",
        day=day,
        theirs=theirs,
        ours=percent(ours, t),
    )
    if abs(goal["confidence"] - ours) < WARNING_CONFIDENCE.value:
        return said
    return t.joined(
        [said, t("Ask what the owner knows that the records do not show, and the other way round.")]
    )


def course_takeaway(released: Released[Outlook], t: Language) -> str:
    """How the delay probability moved since it was first told."""
    said = released.value.said
    if said.is_empty():
        return t("Nothing was ever said of its chance: it has not been looked at while it was open.")
    first, last = said.row(0, named=True), said.row(-1, named=True)
    if said.height == 1:
        return t(
            "It was looked at once, on {day}: the chance to miss was {chance}.",
            day=t.day(first["seen_on"]),
            chance=percent(first["delay"], t),
        )
    worst = said.sort("delay", "seen_on", descending=[True, False]).row(0, named=True)
    moved = t(
        "The chance to miss was {first} on {start} and {last} on {end}.",
        first=percent(first["delay"], t),
        start=t.day(first["seen_on"]),
        last=percent(last["delay"], t),
        end=t.day(last["seen_on"]),
    )
    if worst["seen_on"] in (first["seen_on"], last["seen_on"]):
        return moved
    highest = t(
        "It was highest on {day}, at {chance}.",
        day=t.day(worst["seen_on"]),
        chance=percent(worst["delay"], t),
    )
    return t.joined([moved, highest])


def course_note(released: Released[Outlook], t: Language) -> str:
    """How to read the picture."""
    if released.value.said.is_empty():
        return ""
    said = [
        t(
            "Each point was said with what was known on its day, about the due date in force then; the band "
            "is its 90 % interval."
        )
    ]
    if not released.value.rolled.is_empty():
        said.append(
            t(
                "The line is by its own check-ins; the squares are by the goals below it, on the days they "
                "were added up."
            )
        )
    if not released.value.confidence.is_empty():
        said.append(t("The owner's doubt is what is left of 100 % beside the stated confidence."))
    return t.joined(said)


def course_figure(released: Released[Outlook], t: Language, mode: theme.Mode) -> go.Figure:
    """The delay probability over time with its interval, the warning limit, the owner's doubt, changes."""
    found, tokens = released.value, theme.TOKENS[mode]
    if found.said.is_empty():
        return theme.nothing(course_takeaway(released, t), mode)
    goal, said = found.goal.row(0, named=True), found.said
    figure = theme.figure(mode, height=360)
    days = said["seen_on"].to_list()
    told = said.drop_nulls(["delay_low", "delay_high"])
    band = told["seen_on"].to_list()
    figure.add_scatter(
        x=[*band, *reversed(band)],
        y=[*told["delay_high"].to_list(), *reversed(told["delay_low"].to_list())],
        mode="lines",
        fill="toself",
        fillcolor=tokens.band,
        line={"width": 0},
        hoverinfo="skip",
    )
    first, last = min(goal["start_on"], days[0]), max(goal["due_on"], days[-1])
    _limit(figure, found, tokens, t)
    _doubt(figure, found, mode, t, until=first + _ROOM * (last - first))
    figure.add_scatter(
        x=days,
        y=said["delay"].to_list(),
        mode="lines+markers",
        line={"color": tokens.accent, "width": 2.5},
        marker={"color": tokens.accent, "size": 7},
        customdata=said.select("delay_low", "delay_high").rows(),
        hovertemplate=(
            "%{x|%Y-%m-%d}<br>%{y:.0%} [%{customdata[0]:.0%}, %{customdata[1]:.0%}]<extra></extra>"
        ),
    )
    _squares(figure, found, tokens, t)
    inside = days[-1] > first + _ROOM * (last - first)
    _at_end(
        figure,
        days[-1],
        said["delay"][-1],
        t("Chance to miss"),
        tokens.accent,
        below=_name_below(found),
        inside=inside,
    )
    _changes(figure, found, tokens, t)
    figure.add_vline(x=goal["due_on"], line={"color": tokens.ink, "width": 1})
    figure.add_annotation(
        text=escape(t("Due {day}", day=t.day(goal["due_on"]))),
        x=goal["due_on"],
        y=1,
        yref="paper",
        xanchor="right",
        yanchor="bottom",
        showarrow=False,
        font={"color": tokens.ink, "size": 12},
    )
    figure.update_layout(
        showlegend=False,
        margin={"t": 44, "r": 24},
        xaxis={
            "type": "date",
            "showgrid": False,
            "tickformat": "%Y-%m-%d",
            "nticks": 7,
            "range": [first, last],
        },
        yaxis={
            "tickformat": ".0%",
            "range": [-0.1, 1.1],
            "tickvals": [0, 0.25, 0.5, 0.75, 1],
            "title": {"text": escape(t("Chance to miss"))},
        },
    )
    return figure


def _name_below(found: Outlook) -> bool:
    """Whether the name of the chance stands below its line: away from the doubt's, or a square above."""
    last = found.said["delay"][-1]
    doubt = 1.0 if found.confidence.is_empty() else 1.0 - found.confidence["confidence"][-1]
    if found.confidence.is_empty() or last - doubt > _APART:
        return not found.rolled.is_empty() and 0.0 < found.rolled["delay"][-1] - last < _APART
    return bool(last < doubt)


def _limit(figure: go.Figure, found: Outlook, tokens: theme.Tokens, t: Language) -> None:
    """From where on a warning is raised, a thin line with its name."""
    first, last = found.said["seen_on"][0], found.said["seen_on"][-1]
    since = found.limits.filter(pl.col("from_on") <= last)
    if since.is_empty():
        return
    started = since.filter(pl.col("from_on") <= first).tail(1)
    kept = pl.concat(
        [started.with_columns(pl.lit(first).alias("from_on")), since.filter(pl.col("from_on") > first)]
    )
    if kept.is_empty():
        return
    figure.add_scatter(
        x=[*kept["from_on"].to_list(), last],
        y=[*kept["on"].to_list(), kept["on"][-1]],
        mode="lines",
        line={"color": tokens.quiet, "width": 1, "shape": "hv", "dash": "dash"},
        hoverinfo="skip",
    )
    figure.add_annotation(
        text=escape(t("A warning from here on")),
        x=kept["from_on"][0],
        y=kept["on"][0],
        xanchor="left",
        yanchor="bottom",
        showarrow=False,
        font={"color": tokens.quiet, "size": 12},
    )


def _squares(figure: go.Figure, found: Outlook, tokens: theme.Tokens, t: Language) -> None:
    """The chance to miss by the goals below, on the few days they were rolled up."""
    if found.rolled.is_empty():
        return
    figure.add_scatter(
        x=found.rolled["seen_on"].to_list(),
        y=found.rolled["delay"].to_list(),
        mode="markers",
        marker={
            "symbol": "square",
            "size": 10,
            "color": tokens.surface,
            "line": {"color": tokens.accent, "width": 2.5},
        },
        hovertext=[t("By the goals below it")] * found.rolled.height,
        hovertemplate="%{hovertext}<br>%{x|%Y-%m-%d}<br>%{y:.0%}<extra></extra>",
    )


def _doubt(figure: go.Figure, found: Outlook, mode: theme.Mode, t: Language, *, until: date) -> None:
    """What the owner's confidence leaves to a miss."""
    told = found.confidence
    if told.is_empty():
        return
    colour = theme.RISK[mode][1]
    doubt = (1.0 - told["confidence"]).to_list()
    figure.add_scatter(
        x=told["checked_on"].to_list(),
        y=doubt,
        mode="lines+markers",
        line={"color": colour, "width": 1.5, "shape": "hv", "dash": "dot"},
        marker={"color": colour, "size": 6, "symbol": "diamond"},
        hovertemplate="%{x|%Y-%m-%d}<br>%{y:.0%}<extra></extra>",
    )
    last = told["checked_on"][-1]
    _at_end(
        figure,
        last,
        doubt[-1],
        t("The owner's doubt"),
        theme.TOKENS[mode].ink,
        below=doubt[-1] <= found.said["delay"][-1],
        inside=last > until,
    )


def _at_end(
    figure: go.Figure,
    x: object,
    y: float,
    text: str,
    colour: str,
    *,
    below: bool = False,
    inside: bool = False,
) -> None:
    """A line's name at its end; on the near side of it where there is no room beyond."""
    figure.add_annotation(
        text=escape(text),
        x=x,
        y=y,
        xanchor="right" if inside else "left",
        yanchor="top" if below else "bottom",
        xshift=-6 if inside else 6,
        yshift=-8 if below else 8,
        showarrow=False,
        font={"color": colour, "size": 12},
    )


def _changes(figure: go.Figure, found: Outlook, tokens: theme.Tokens, t: Language) -> None:
    """Changes of the goal as upright lines, each with its number; the table has them in words."""
    first, last = found.said["seen_on"][0], found.said["seen_on"][-1]
    words = direction_words(t)
    marks = (
        found.steps.filter(
            pl.col("direction") != "other", pl.col("changed_on").is_between(first, last, closed="both")
        )
        .sort("changed_on")
        .tail(_MOST_MARKS)
    )
    for at, row in enumerate(marks.iter_rows(named=True)):
        figure.add_vline(x=row["changed_on"], line={"color": tokens.quiet, "width": 1, "dash": "dot"})
        figure.add_annotation(
            text=escape(words[row["direction"]]),
            x=row["changed_on"],
            y=0.98 - 0.07 * (at % 3),
            yref="paper",
            xanchor="right",
            xshift=-4,
            yanchor="top",
            showarrow=False,
            font={"color": tokens.quiet, "size": 12},
        )
