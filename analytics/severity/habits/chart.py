"""Pictures of how raters use the scale, and the sentences that say what they show.

Every function is pure: a released result in, a figure or sentences out. Habits have different units, so a
picture shows each as a position: nought is what comparable people get from others, one is the edge of what
is common among raters. Words about a person say what was seen and what might be tried, never what somebody
is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from types import MappingProxyType
from typing import Any, Final

import plotly.graph_objects as go
import polars as pl

from analytics import theme
from analytics.disclosure import Released
from analytics.language import Language, percent, signed
from analytics.policy import FALSE_DISCOVERY, MINIMUM_GROUP, MINIMUM_HABIT_RATEES, MINIMUM_LINKED_RATERS
from analytics.severity.habits.profile import HABITS, Profiles

Row = Mapping[str, Any]

_NOBODY: Final[Mapping[str, str]] = MappingProxyType({})
_ROW: Final = 46
_FURTHEST: Final = 4.0
"""Positions beyond this are drawn at it: how far out hardly matters there."""
_SCALE: Final = ("middle", "ends", "spread", "contrast", "halo_correlation", "halo_spread")
"""Habits of using the scale; the others are about what ratings follow."""


def habit_names(t: Language) -> dict[str, str]:
    """What each habit is called, so that more of it lies to the right."""
    return {
        "middle": t("Gives the middle level"),
        "ends": t("Gives the highest or lowest level"),
        "spread": t("Sets people apart"),
        "contrast": t("Overdraws differences"),
        "halo_correlation": t("Rates all dimensions alike"),
        "halo_spread": t("Sees strengths and weaknesses"),
        "self_gap": t("Rates above self-ratings"),
        "recency": t("Follows the end of the cycle"),
    }


def figure(
    released: Released[Profiles], t: Language, *, mode: theme.Mode, rater_id: str, name: str | None = None
) -> go.Figure:
    """One rater's habits: each as a position against what is usual, with its interval.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    mode
        Light or dark.
    rater_id
        Whose habits.
    name
        What to call the rater; only the hover text names them.
    """
    tokens = theme.TOKENS[mode]
    mine = _rows_of(released, rater_id)
    company = _by_habit(released)
    told = [
        row for row in mine if row["estimate"] is not None and _unit(company.get(row["habit"])) is not None
    ]
    if not told:
        return theme.nothing(_why(mine, t), mode)
    names = habit_names(t)
    below = [t("Shaded: as most raters do, or too little to matter. Filled: stands out.")]
    alone = told[0]["against"] == "company"
    middle = t("usual in the company") if alone else t("usual for the same people")
    fig = _frame(told, names, tokens, mode, t, below=below, middle=middle)
    for i, row in enumerate(told):
        unit = _unit(company[row["habit"]])
        place, low, high = (_position(row[key] - row["usual"], unit) for key in ("estimate", "low", "high"))
        colour = tokens.accent if row["flag"] else tokens.quiet
        fig.add_scatter(
            x=[low, high],
            y=[i, i],
            mode="lines",
            line={"color": colour, "width": 3 if row["flag"] else 2},
            hoverinfo="skip",
            showlegend=False,
        )
        beyond = abs(place) >= _FURTHEST
        shape = ("triangle-right" if place > 0 else "triangle-left") if beyond else "circle"
        fig.add_scatter(
            x=[place],
            y=[i],
            mode="markers",
            marker={
                "color": colour,
                "size": 12,
                "symbol": shape if row["flag"] else f"{shape}-open",
                "line": {"width": 2, "color": colour},
            },
            hovertext=[theme.written(reading(row, t, name=name), 60)],
            hoverinfo="text",
            showlegend=False,
        )
        fig.add_annotation(
            x=1,
            xref="paper",
            xanchor="right",
            y=i,
            text=escape(_numbers(row, t)),
            showarrow=False,
            font={"color": tokens.ink if row["flag"] else tokens.quiet, "size": 13},
        )
    return fig


def overview_figure(
    released: Released[Profiles], t: Language, *, mode: theme.Mode, names: Mapping[str, str] = _NOBODY
) -> go.Figure:
    """All raters by habit: the range common among them, and everybody who stands out.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    mode
        Light or dark.
    names
        What to call raters by id.
    """
    tokens = theme.TOKENS[mode]
    company = _by_habit(released)
    shown = [row for habit in HABITS if (row := company.get(habit)) is not None and _unit(row) is not None]
    if not shown:
        return theme.nothing(t("The data cannot tell for any rater."), mode)
    called = habit_names(t)
    below = [t("Shaded: as most raters do, or too little to matter. Each dot is a rater who stands out.")]
    fig = _frame(shown, called, tokens, mode, t, below=below, middle=t("usual"))
    for i, habit in enumerate(shown):
        told = released.value.habits.filter(
            (pl.col("habit") == habit["habit"]) & pl.col("estimate").is_not_null()
        ).sort("rater_id")
        unit = _unit(habit)
        rows = list(told.filter("flag").iter_rows(named=True))
        places = [_position(row["estimate"] - row["usual"], unit) for row in rows]
        # Dots side by side would cover each other: the golden ratio spreads them without order.
        lift = [0.5 * ((nth * 0.618034) % 1.0) - 0.25 for nth in range(len(rows))]
        fig.add_scatter(
            x=places,
            y=[i + up for up in lift],
            mode="markers",
            marker={"color": tokens.accent, "size": 8, "opacity": 0.8, "line": {"width": 0}},
            hovertext=[
                theme.written(reading(row, t, name=names.get(row["rater_id"], row["rater_id"])), 60)
                for row in rows
            ],
            hoverinfo="text",
            showlegend=False,
        )
        fig.add_annotation(
            x=1,
            xref="paper",
            xanchor="right",
            y=i,
            text=escape(t("{flagged} of {told}", flagged=len(rows), told=told.height)),
            showarrow=False,
            font={"color": tokens.ink if rows else tokens.quiet, "size": 13},
        )
    return fig


def departments_figure(
    released: Released[Profiles], t: Language, *, mode: theme.Mode, names: Mapping[str, str] = _NOBODY
) -> go.Figure:
    """How far each department's use of the levels lies from the company's, and how far chance would take it.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    mode
        Light or dark.
    names
        What to call departments by id.
    """
    tokens = theme.TOKENS[mode]
    rows = list(
        released.value.departments.filter(pl.col("distance").is_not_null())
        .sort("distance", "department_id", descending=[True, False])
        .iter_rows(named=True)
    )
    if not rows:
        return theme.nothing(t("The data cannot tell for any department."), mode)
    notes = theme.lines(
        t("How many levels a rating lies, on average, from what the company would give the same people."), 96
    )
    bottom = 44 + 18 * len(notes)
    fig = theme.figure(mode, height=36 + 30 * len(rows) + bottom)
    for i, row in enumerate(rows):
        colour = tokens.accent if row["custom"] else tokens.quiet
        fig.add_scatter(
            x=[0, row["distance"]],
            y=[i, i],
            mode="lines",
            line={"color": colour, "width": 2},
            hoverinfo="skip",
            showlegend=False,
        )
    for custom in (True, False):
        places = [i for i, row in enumerate(rows) if bool(row["custom"]) is custom]
        fig.add_scatter(
            x=[rows[i]["distance"] for i in places],
            y=places,
            mode="markers",
            marker={
                "color": tokens.accent if custom else tokens.quiet,
                "size": 10,
                "symbol": "circle" if custom else "circle-open",
                "line": {"width": 2, "color": tokens.accent if custom else tokens.quiet},
            },
            hovertext=[
                theme.written(
                    department_reading(
                        rows[i], t, name=names.get(rows[i]["department_id"], rows[i]["department_id"])
                    ),
                    60,
                )
                for i in places
            ],
            hoverinfo="text",
            showlegend=False,
        )
    fig.add_scatter(
        x=[row["by_chance"] for row in rows],
        y=list(range(len(rows))),
        mode="markers",
        marker={
            "color": tokens.ink,
            "size": 16,
            "symbol": "line-ns",
            "line": {"width": 2, "color": tokens.ink},
        },
        hoverinfo="skip",
        showlegend=False,
    )
    fig.add_annotation(
        x=rows[0]["by_chance"],
        y=-0.45,
        yanchor="bottom",
        text=escape(t("by chance")),
        showarrow=False,
        font={"color": tokens.quiet, "size": 13},
    )
    theme.noted(fig, notes, tokens)
    fig.update_xaxes(rangemode="tozero", tickformat=".2f")
    fig.update_yaxes(
        range=[len(rows) - 0.5, -0.9],
        tickmode="array",
        tickvals=list(range(len(rows))),
        ticktext=[escape(names.get(row["department_id"], row["department_id"])) for row in rows],
        showgrid=False,
        tickfont={"color": tokens.ink, "size": 13},
        ticklabelstandoff=6,
    )
    fig.update_layout(margin={"l": 8, "r": 24, "t": 24, "b": bottom}, hovermode="closest")
    return fig


def takeaway(released: Released[Profiles], t: Language) -> str:
    """How raters use the scale, in plain sentences.

    How many stand out and in what; how many of the flags are expected to be chance; about how many nothing
    can be said.
    """
    habits = released.value.habits
    told = habits.filter(pl.col("estimate").is_not_null())
    n_told = told["rater_id"].n_unique()
    untold = habits["rater_id"].n_unique() - n_told
    if not n_told:
        return t.joined([t("The data cannot tell how raters use the scale."), *_untold(untold, t)])
    flags = told.filter("flag")
    scale = flags.filter(pl.col("habit").is_in(_SCALE))
    sentences = []
    if scale.is_empty():
        sentences.append(
            t.plural(
                "The {n} rater who can be judged uses the scale no otherwise than chance and the people they "
                "rate explain.",
                "None of the {n} raters who can be judged uses the scale otherwise than chance and the "
                "people they rate explain.",
                n_told,
            )
        )
    else:
        sentences.append(
            t.plural(
                "{n} of {told} raters uses the scale in a way that the people rated do not explain: {ways}.",
                "{n} of {told} raters use the scale in a way that the people they rate do not explain: "
                "{ways}.",
                scale["rater_id"].n_unique(),
                told=n_told,
                ways=t.listing(_ways(scale, t)),
            )
        )
    sentences += _about_self(flags, t)
    sentences += _about_recency(flags, t)
    if flags.height:
        sentences.append(_by_chance(flags, t))
    return t.joined([*sentences, *_untold(untold, t)])


def kept_back(released: Released[Profiles], t: Language) -> str:
    """Of how many raters numbers are hidden that would tell single ratings; empty if of none."""
    hidden = released.value.habits.filter(pl.col("reason") == "too_close")["rater_id"].n_unique()
    if not hidden:
        return ""
    return t.plural(
        "Of {n} rater some numbers are hidden: they would tell what fewer than {minimum} people were given.",
        "Of {n} raters some numbers are hidden: they would tell what fewer than {minimum} people were given.",
        hidden,
        minimum=int(MINIMUM_GROUP.value),
    )


def departments_takeaway(
    released: Released[Profiles], t: Language, *, names: Mapping[str, str] = _NOBODY
) -> str:
    """Which departments have a way of their own of using the scale."""
    told = released.value.departments.filter(pl.col("distance").is_not_null())
    custom = told.filter("custom").sort("distance", "department_id", descending=[True, False])
    if told.is_empty():
        return t("The data cannot tell for any department.")
    called = [names.get(one, one) for one in custom["department_id"]]
    if not called:
        return t("No department uses the levels otherwise than the draw of its raters explains.")
    return t.plural(
        "In {names} the raters share a way of using the levels that is not the company's: a custom of "
        "the department, to be settled there and not with single raters.",
        "In {names} the raters share ways of using the levels that are not the company's: customs of the "
        "departments, to be settled there and not with single raters.",
        len(called),
        names=t.listing(called),
    )


def department_reading(row: Row, t: Language, *, name: str) -> str:
    """One department in one plain sentence.

    Parameters
    ----------
    row
        A row of ``Profiles.departments``.
    t
        The reader's language.
    name
        What to call the department.
    """
    if row["distance"] is None:
        return t("{who}: the data cannot tell.", who=name)
    places = {"who": name, "levels": f"{row['distance']:.2f}", "chance": f"{row['by_chance']:.2f}"}
    if row["custom"]:
        return t(
            "{who} lies {levels} levels from the company, where the draw of its raters would explain "
            "{chance}: a custom of the department.",
            **places,
        )
    return t(
        "{who} lies {levels} levels from the company; the draw of its raters would explain {chance}.",
        **places,
    )


def readings(
    released: Released[Profiles], t: Language, *, rater_id: str, name: str | None = None
) -> list[str]:
    """One rater's habits in plain sentences: what stands out first, then the rest in short.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    rater_id
        Whose habits.
    name
        What to call the rater; by default "This rater".
    """
    rows = _rows_of(released, rater_id)
    said = [reading(row, t, name=name) for row in rows if row["flag"]]
    said += [reading(row, t, name=name) for row in rows if row["reading"] == "severity"]
    names = habit_names(t)
    unsure = [names[row["habit"]] for row in rows if row["reading"] == "unsure"]
    if unsure:
        said.append(t("Unusual, but chance could explain it: {habits}.", habits=_list(unsure, t)))
    usual = [names[row["habit"]] for row in rows if row["reading"] == "usual"]
    if usual:
        said.append(t("As others do, as far as one can tell: {habits}.", habits=_list(usual, t)))
    unknown = [row for row in rows if row["estimate"] is None]
    for why in dict.fromkeys(_reason(row, t) for row in unknown):
        which = [names[row["habit"]] for row in unknown if _reason(row, t) == why]
        said.append(t("Cannot be told: {habits}. {why}", habits=_list(which, t), why=why))
    return said


def reading(row: Row, t: Language, *, name: str | None = None) -> str:
    """One habit of one rater in one plain sentence.

    Parameters
    ----------
    row
        A row of ``Profiles.habits``.
    t
        The reader's language.
    name
        What to call the rater; by default "This rater".
    """
    who = name or t("This rater")
    if row["estimate"] is None:
        return t("{who}: {reason}", who=who, reason=_reason(row, t))
    said = _fact(row, t, who)
    if row["reading"] == "unsure":
        return t.joined([said, t("Chance could explain the difference.")])
    if row["reading"] == "severity":
        return t.joined([said, t("How softly or hard they rate explains it: no flag of its own.")])
    return said


def coaching(row: Row, t: Language, *, name: str | None = None) -> str:
    """What was seen and what could be tried next time, for a talk with the rater; empty without a flag.

    Parameters
    ----------
    row
        A row of ``Profiles.habits``.
    t
        The reader's language.
    name
        What to call the rater; by default "This rater".
    """
    if not row["flag"]:
        return ""
    who = name or t("This rater")
    places = {"who": who, **_places(row, t)}
    more = row["reading"] == "more"
    if row["habit"] == "middle":
        return t(
            "{who} gave the middle level {value} of the time, where others would have given it {usual} of "
            "the time. Next time it may help to begin with the two people whose results differ most, and to "
            "name for each what they achieved before choosing a level.",
            **places,
        )
    if row["habit"] == "ends":
        return t(
            "{who} gave the highest or lowest level {value} of the time, where others would have given it "
            "{usual} of the time. Next time it may help to write down, for each of these levels, the one "
            "result that the level next to it would not describe.",
            **places,
        )
    if row["habit"] == "spread":
        return t(
            "Between the people {who} rated, the differences were {value} as wide as others would have made "
            "them. Next time it may help to compare people two by two on one result at a time, before any "
            "level is chosen.",
            **places,
        )
    if row["habit"] == "contrast" and more:
        return t(
            "Those whom others rate high got even higher ratings from {who}, and those whom others rate low "
            "even lower ones. Next time it may help to look for one weak point of the strongest and one "
            "strong point of the weakest before choosing a level.",
            **places,
        )
    if row["habit"] == "contrast":
        return t(
            "Those whom others rate high got less from {who}, and those whom others rate low got more. Next "
            "time it may help to hear a colleague who knows the same work before choosing a level.",
            **places,
        )
    if row["habit"] == "halo_correlation":
        return t(
            "Whoever was rated high on one dimension by {who} was rated high on nearly all (agreement "
            "{value}; usual is {usual}). Next time it may help to rate everybody on one dimension before "
            "going on to the next.",
            **places,
        )
    if row["habit"] == "halo_spread":
        return t(
            "Within one person, the dimensions {who} rated differed {value} as much as is usual. Next time "
            "it may help to note one strength and one thing to learn for each person first.",
            **places,
        )
    if row["habit"] == "self_gap" and more:
        return t(
            "Beside what people gave themselves, the ratings by {who} were unusually high, also beyond how "
            "softly {who} rates. It may help to ask for the results behind each rating, and to tell people "
            "plainly what they do well.",
            **places,
        )
    if row["habit"] == "self_gap":
        return t(
            "Beside what people gave themselves, the ratings by {who} were unusually low, also beyond how "
            "hard {who} rates. A talk halfway through the cycle about what each level takes may bring the "
            "two views closer.",
            **places,
        )
    if more:
        return t(
            "Ratings by {who} followed what was reached late in the cycle more than what was reached early. "
            "Next time it may help to read the notes of the first half before choosing a level.",
            **places,
        )
    return t(
        "Ratings by {who} followed what was reached early in the cycle more than what was reached late. Next "
        "time it may help to look at the last check-ins before choosing a level.",
        **places,
    )


def advice(released: Released[Profiles], t: Language, *, rater_id: str, name: str | None = None) -> list[str]:
    """What a rater might try next time: `coaching` of each flag, once where several say the same.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    rater_id
        For whom.
    name
        What to call the rater; by default "This rater".
    """
    flagged = {row["habit"]: row for row in _rows_of(released, rater_id) if row["flag"]}
    if "halo_spread" in flagged:
        flagged.pop("halo_correlation", None)
    if "middle" in flagged:
        for same in ("spread", "contrast", "halo_spread"):
            flagged.pop(same, None)
    return [coaching(row, t, name=name) for row in flagged.values()]


def unit(habit: str, t: Language) -> tuple[float, str]:
    """By what to multiply the numbers of a habit for a table, and the unit they then have.

    Parameters
    ----------
    habit
        One of `HABITS`.
    t
        The reader's language.
    """
    return {
        "middle": (100.0, "%"),
        "ends": (100.0, "%"),
        "spread": (100.0, t("% of usual")),
        "halo_spread": (100.0, t("% of usual")),
        "contrast": (1.0, t("correlation")),
        "halo_correlation": (1.0, t("correlation")),
        "self_gap": (1.0, t("points")),
        "recency": (1.0, t("standard deviations")),
    }[habit]


def side(row: Row, t: Language) -> str:
    """What stands out of one habit, in few words; for a table."""
    more = row["estimate"] > row["usual"]
    words = {
        "middle": t("Mostly the middle level"),
        "ends": t("Often the ends of the scale"),
        "spread": t("Sets people apart little"),
        "contrast": t("Overdraws differences") if more else t("Levels differences"),
        "halo_correlation": t("Rates all dimensions alike"),
        "halo_spread": t("Few strengths and weaknesses"),
        "self_gap": t("Far above self-ratings") if more else t("Far below self-ratings"),
        "recency": t("Follows the end of the cycle") if more else t("Follows the beginning of the cycle"),
    }
    return words[row["habit"]]


def _fact(row: Row, t: Language, who: str) -> str:
    """A habit with its interval beside what is usual."""
    places = {"who": who, **_places(row, t)}
    above = row["estimate"] > row["usual"]
    alone = row["against"] == "company"
    if row["habit"] == "middle" and alone:
        return t(
            "{who} gave the middle level {value} of the time (likely {low} to {high}); usual in the company "
            "is {usual}. Too few of these people were rated by others to compare more closely.",
            **places,
        )
    if row["habit"] == "ends" and alone:
        return t(
            "{who} gave the highest or lowest level {value} of the time (likely {low} to {high}); usual in "
            "the company is {usual}. Too few of these people were rated by others to compare more closely.",
            **places,
        )
    if row["habit"] == "spread" and alone:
        return t(
            "Differences between the people {who} rated are {value} as wide as is usual in the company "
            "(likely {low} to {high}).",
            **places,
        )
    if row["habit"] == "middle":
        return t(
            "{who} gave the middle level {value} of the time (likely {low} to {high}); others would give it "
            "{usual} of the time to the same people.",
            **places,
        )
    if row["habit"] == "ends":
        return t(
            "{who} gave the highest or lowest level {value} of the time (likely {low} to {high}); others "
            "would give it {usual} of the time to the same people.",
            **places,
        )
    if row["habit"] == "spread":
        return t(
            "Differences between the people {who} rated are {value} as wide as others would make them "
            "(likely {low} to {high}).",
            **places,
        )
    if row["habit"] == "contrast" and above:
        return t(
            "Those whom others rate high tend to get even more from {who}, and those rated low even less "
            "(correlation {value}, likely {low} to {high}; usual {usual}).",
            **places,
        )
    if row["habit"] == "contrast":
        return t(
            "Those whom others rate high tend to get less from {who}, and those rated low more "
            "(correlation {value}, likely {low} to {high}; usual {usual}).",
            **places,
        )
    if row["habit"] == "halo_correlation":
        return t(
            "The dimensions {who} rated correlate with each other by {value} (likely {low} to {high}); "
            "usual is {usual}.",
            **places,
        )
    if row["habit"] == "halo_spread":
        return t(
            "Within one person, the dimensions {who} rated differ {value} as much as usual (likely {low} to "
            "{high}).",
            **places,
        )
    if row["habit"] == "self_gap":
        size = _points_more_or_less(row["estimate"], t)
        usual = _points_more_or_less(row["usual"], t)
        away = row["low"] - row["usual"], row["high"] - row["usual"]
        return t(
            "Compared with what people give themselves, {who} gives them {size}; usual is {typical} (the "
            "difference from the usual is likely {least} to {most} points).",
            who=who,
            size=size,
            typical=usual,
            least=signed(away[0]),
            most=signed(away[1]),
        )
    return t(
        "Ratings by {who} follow progress late in the cycle by {value} more than progress early in it "
        "(likely {low} to {high}); usual is {usual}.",
        **places,
    )


def _points_more_or_less(value: float, t: Language) -> str:
    points = f"{abs(value):.1f}"
    return (
        t("{points} points more", points=points) if value >= 0 else t("{points} points less", points=points)
    )


def _places(row: Row, t: Language) -> dict[str, str]:
    """The numbers of a habit in its unit."""

    def said(value: float) -> str:
        if row["habit"] in ("middle", "ends", "spread", "halo_spread"):
            return percent(value, t)
        if row["habit"] == "self_gap":
            return signed(value)
        return signed(value, 2) if row["habit"] != "halo_correlation" else f"{value:.2f}".replace("-", "−")

    return {
        "value": said(row["estimate"]),
        "low": said(row["low"]),
        "high": said(row["high"]),
        "usual": said(row["usual"]),
    }


def _numbers(row: Row, t: Language) -> str:
    places = _places(row, t)
    if row["habit"] in ("spread", "halo_spread"):
        return t("{value} of the usual", **places)
    return t("{value}, usual {usual}", **places)


def _ways(flags: pl.DataFrame, t: Language) -> list[str]:
    """In which ways raters stand out, each rater once: who crowds the middle does the other things too."""
    habit, more = pl.col("habit"), pl.col("reading") == "more"
    counts: list[int] = []
    counted: set[str] = set()
    for which in (
        habit == "middle",
        habit.is_in(["halo_correlation", "halo_spread"]),
        (habit == "ends") | ((habit == "contrast") & more),
        (habit == "spread") | ((habit == "contrast") & ~more),
    ):
        found = set(flags.filter(which)["rater_id"]) - counted
        counts.append(len(found))
        counted |= found
    middle, alike, ends, flat = counts
    ways = (
        (middle, t.plural("{n} gives mostly the middle level", "{n} give mostly the middle level", middle)),
        (
            alike,
            t.plural(
                "{n} rates all dimensions of a person alike",
                "{n} rate all dimensions of a person alike",
                alike,
            ),
        ),
        (ends, t.plural("{n} goes to the ends of the scale", "{n} go to the ends of the scale", ends)),
        (flat, t.plural("{n} sets people apart too little", "{n} set people apart too little", flat)),
    )
    return [words for n, words in ways if n]


def _about_self(flags: pl.DataFrame, t: Language) -> list[str]:
    gaps = flags.filter(pl.col("habit") == "self_gap")
    above = gaps.filter(pl.col("reading") == "more").height
    below = gaps.height - above
    if not gaps.height:
        return []
    return [
        t.plural(
            "{n} rates unusually far from what people say of themselves ({below} below it, {above} above), "
            "beyond how softly or hard they rate.",
            "{n} rate unusually far from what people say of themselves ({below} below it, {above} above), "
            "beyond how softly or hard they rate.",
            gaps.height,
            below=below,
            above=above,
        )
    ]


def _about_recency(flags: pl.DataFrame, t: Language) -> list[str]:
    late = flags.filter((pl.col("habit") == "recency") & (pl.col("reading") == "more")).height
    if not late:
        return []
    return [
        t.plural(
            "{n} follows what was reached late in the cycle more than others do.",
            "{n} follow what was reached late in the cycle more than others do.",
            late,
        )
    ]


def _by_chance(flags: pl.DataFrame, t: Language) -> str:
    """How many stand out altogether: one rater may stand out in several ways, and chance is about flags."""
    together = t.plural(
        "Altogether {n} rater stands out in something (flags: {flags}).",
        "Altogether {n} raters stand out in something (flags: {flags}).",
        flags["rater_id"].n_unique(),
        flags=flags.height,
    )
    expected = FALSE_DISCOVERY.value * flags.height
    if expected < 0.5:
        return t.joined([together, t("Hardly any of these flags may be chance.")])
    return t.joined(
        [
            together,
            t.plural(
                "About {n} of these flags may be chance.",
                "About {n} of these flags may be chance.",
                round(expected),
            ),
        ]
    )


def _untold(n: int, t: Language) -> list[str]:
    if not n:
        return []
    return [
        t.plural(
            "{n} more rated too few people to say.",
            "{n} more rated too few people to say.",
            n,
        )
    ]


def _reason(row: Row, t: Language) -> str:
    """Why nothing can be said of a habit, and what would help."""
    if row["reason"] == "few_raters":
        return t(
            "Among fewer than {minimum} raters nobody can say what is usual.",
            minimum=int(MINIMUM_LINKED_RATERS.value),
        )
    if row["reason"] == "too_close":
        return t(
            "The number would tell what fewer than {minimum} people were given, so it is hidden.",
            minimum=int(MINIMUM_GROUP.value),
        )
    if row["reason"] == "no_variation":
        return t("These ratings do not differ in a way that could be compared.")
    if row["reason"] == "not_rated":
        return t("Such ratings are not on record.")
    return t("It takes ratings of at least {minimum} people to say.", minimum=int(MINIMUM_HABIT_RATEES.value))


def _why(rows: Sequence[Row], t: Language) -> str:
    return _reason(rows[0], t) if rows else t("No ratings by this rater are on record.")


def _rows_of(released: Released[Profiles], rater_id: str) -> list[dict[str, Any]]:
    return list(released.value.habits.filter(pl.col("rater_id") == rater_id).iter_rows(named=True))


def _by_habit(released: Released[Profiles]) -> dict[str, dict[str, Any]]:
    return {row["habit"]: row for row in released.value.company.iter_rows(named=True)}


def _unit(company: Row | None) -> tuple[float, float] | None:
    """Edges of what is common, below and above the usual; None where nobody is told."""
    if company is None or company["band_low"] is None:
        return None
    return max(-company["band_low"], company["matters"]), max(company["band_high"], company["matters"])


def _position(difference: float, unit: tuple[float, float] | None) -> float:
    """Where a difference lies if the edges of what is common lie at −1 and 1."""
    below, above = unit or (1.0, 1.0)
    place = difference / (above if difference > 0 else below)
    return min(max(place, -_FURTHEST), _FURTHEST)


def _frame(
    rows: Sequence[Row],
    names: Mapping[str, str],
    tokens: theme.Tokens,
    mode: theme.Mode,
    t: Language,
    *,
    below: Sequence[str],
    middle: str,
) -> go.Figure:
    """Rows with their names, the shaded common range, and the line of what is usual."""
    notes = [line for note in below for line in theme.lines(note, 96)]
    bottom = 16 + 18 * len(notes)
    fig = theme.figure(mode, height=44 + _ROW * len(rows) + bottom)
    fig.add_vrect(x0=-1, x1=1, fillcolor=tokens.band, line_width=0, layer="below")
    fig.add_scatter(
        x=[0, 0],
        y=[-0.5, len(rows) - 0.5],
        mode="lines",
        line={"color": tokens.quiet, "width": 1.5},
        hoverinfo="skip",
        showlegend=False,
    )
    for x, anchor, words in (
        (-_FURTHEST, "left", t("← less")),
        (0, "center", middle),
        (_FURTHEST, "right", t("more →")),
    ):
        theme.named(fig, words, tokens, x=x, anchor=anchor)
    theme.noted(fig, notes, tokens, shift=-10)
    edge = _FURTHEST + 0.2
    # The right of the picture is for the numbers.
    fig.update_xaxes(domain=[0, 0.8], range=[-edge, edge])
    fig.update_xaxes(showticklabels=False, showgrid=False, showline=False, ticks="")
    fig.update_yaxes(
        range=[len(rows) - 0.5, -0.5],
        tickmode="array",
        tickvals=list(range(len(rows))),
        ticktext=[escape(names[row["habit"]]) for row in rows],
        showgrid=True,
        tickfont={"color": tokens.ink, "size": 13},
        ticklabelstandoff=6,
    )
    fig.update_layout(margin={"l": 8, "r": 16, "t": 32, "b": bottom}, hovermode="closest")
    return fig


def _list(names: list[str], t: Language) -> str:
    """Names of habits one after the other; in a sentence they begin small in English."""
    if t.code == "zh":
        return t.listing(names)
    return t.listing([f"{name[:1].lower()}{name[1:]}" for name in names])
