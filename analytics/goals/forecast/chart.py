"""Pictures and sentences about forecasts: when a goal will be finished, and whether such forecasts held.

Every picture and sentence takes a released result.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Final

import plotly.graph_objects as go
import polars as pl

from analytics import theme
from analytics.disclosure import Released
from analytics.goals.chart import pace_figure
from analytics.goals.forecast.forecast import Fan, Forecasting
from analytics.goals.forecast.precedents import LEVELS
from analytics.goals.pace import GoalHistory
from analytics.language import Language, percent

_OUTER: Final = 0.9
_INNER: Final = 0.5
_WORDS: Final = 0.24
"""How much of the width of a picture the words on the finish take."""
_ROOM: Final = 0.12
"""How much of the height of the light band the name of the dark one takes."""


def refusal_words(t: Language) -> dict[str, str]:
    """Why there is no forecast, by ``refused``."""
    return {
        "holds_level": t("It holds a level and has no way to go, so there is nothing to forecast."),
        "first_measurement": t("It takes a first measurement and has no way to go."),
        "no_target": t("It has no target of its own, so nobody can say how far it has come."),
        "no_baseline": t("No starting value was named, so nobody can say how far it has come."),
        "wrong_direction": t("Its target does not lie ahead of its starting value."),
        "no_time": t("It is due on the day it starts."),
        "not_started": t("It has not started yet."),
        "arrived": t("It has arrived and waits to be closed."),
        "long_overdue": t("It has been overdue for too long: there are no goals like it to go by."),
    }


def unchecked(t: Language) -> str:
    """What stands beside a forecast nobody could check."""
    return t(
        "This is a wide first guess: too few goals have run their course here to learn from them and to "
        "check what was foretold."
    )


def forecast_takeaway(released: Released[Fan], t: Language) -> str:
    """When one goal will be finished, in plain sentences."""
    found = released.value
    goal = found.goal.row(0, named=True)
    if goal["refused"] is not None:
        return t("There is no forecast. {why}", why=refusal_words(t)[goal["refused"]])
    said = [*_when(goal, t), _due(goal, overdue=goal["due_on"] < found.as_of, t=t)]
    return t.joined([*said, "" if found.checked else unchecked(t)])


def forecast_note(released: Released[Fan], t: Language) -> str:
    """What stands under the fan: how to read it and what it rests on."""
    found = released.value
    if found.bands.is_empty():
        return ""
    rests = t.plural(
        "Learnt from {n} goal up to {day}.",
        "Learnt from {n} goals up to {day}.",
        found.goals,
        day=t.day(found.as_of),
    )
    return t.joined(
        [
            t(
                "On each day 9 of 10 goals like it stood within the light band and at least 5 of 10 within "
                "the dark one. The thick line at the target is the 90 % range of the finish. Between two "
                "updates a goal counts as standing where it was last seen."
            ),
            rests if found.goals else "",
        ]
    )


def coverage_takeaway(released: Released[Forecasting], t: Language) -> str:
    """Whether past forecasts held what they said, in plain sentences."""
    found = released.value
    shares = _overall(found)
    if not found.checked or ("progress", _OUTER) not in shares:
        return t("Too few goals have run their course to say whether forecasts hold what they promise.")
    all_in = shares["progress", _OUTER]
    share, low, high = (percent(all_in[name], t) for name in ("covered", "low", "high"))
    said = [
        t("When we said 90 %, {share} fell inside.", share=share)
        if low == high
        else t(
            "When we said 90 %, {share} fell inside (likely {low} to {high}).",
            share=share,
            low=low,
            high=high,
        )
    ]
    if ("progress", _INNER) in shares:
        inner = shares["progress", _INNER]
        said.append(t("When we said 50 %, it was {share}.", share=percent(inner["covered"], t)))
    if ("finish", _OUTER) in shares:
        finish = shares["finish", _OUTER]
        said.append(
            t(
                "Of the ranges of finish dates that were to hold 90 %, {share} held.",
                share=percent(finish["covered"], t),
            )
        )
    said.append(
        t(
            "These were {n} forecasts of {goals} goals, each made with what was known on its day.",
            n=all_in["n"],
            goals=all_in["goals"],
        )
    )
    return t.joined(said)


def forecast_figure(
    released: Released[Fan], history: Released[GoalHistory], t: Language, mode: theme.Mode
) -> go.Figure:
    """One goal over time with where it may go: the dark band holds 5 of 10 goals like it, the light 9 of 10.

    The thick line at the target is the range of finish dates. Check-ins, straight line, targets, due date and
    today as in `analytics.goals.chart.pace_figure`.
    """
    found, tokens = released.value, theme.TOKENS[mode]
    figure = pace_figure(history, t, mode)
    if found.bands.is_empty():
        return figure
    goal = found.goal.row(0, named=True)
    bands = _in_unit(_cut(found.bands, goal), goal["baseline"], goal["target"])
    days = bands["day"].to_list()
    for level, strength in ((_OUTER, 0.16), (_INNER, 0.28)):
        low, high = (bands[f"{end}_{round(100 * level)}"].to_list() for end in ("low", "high"))
        figure.add_scatter(
            name=t("Range of {level}", level=percent(level, t)),
            x=[*days, *reversed(days)],
            y=[*high, *reversed(low)],
            mode="lines",
            fill="toself",
            fillcolor=_sheer(tokens.accent, strength),
            line={"width": 0},
            hoverinfo="skip",
        )
    _label_bands(figure, bands, tokens, t)
    there = (
        bands["middle"].to_list().index(goal["target"]) if goal["target"] in bands["middle"] else len(days)
    )
    figure.add_scatter(
        name=t("Middle"),
        x=days[: there + 1],
        y=bands["middle"].to_list()[: there + 1],
        mode="lines",
        line={"color": tokens.accent, "width": 2, "dash": "dot"},
        customdata=bands.select("low_90", "high_90").rows(),
        hovertemplate=(
            "%{x|%Y-%m-%d}<br>%{y:.4~g} [%{customdata[0]:.4~g}, %{customdata[1]:.4~g}]<extra></extra>"
        ),
    )
    if goal["earliest"] is not None:
        figure.add_scatter(
            name=t("Range of finish dates"),
            x=[goal["earliest"], goal["latest"] or goal["until"]],
            y=[goal["target"]] * 2,
            mode="lines",
            line={"color": tokens.accent, "width": 3},
            hovertemplate="%{x|%Y-%m-%d}<extra></extra>",
        )
    if goal["middle"] is not None:
        figure.add_scatter(
            name=t("Expected finish"),
            x=[goal["middle"]],
            y=[goal["target"]],
            mode="markers",
            marker={"color": tokens.surface, "size": 11, "line": {"color": tokens.accent, "width": 2.5}},
            hovertemplate="%{x|%Y-%m-%d}<extra></extra>",
        )
        rising = goal["target"] >= goal["baseline"]
        figure.add_annotation(
            text=t("Finished about {day}", day=t.day(goal["middle"])),
            x=goal["middle"],
            y=goal["target"],
            xanchor="left" if (to_right := _to_right(goal, found.as_of, days[-1], history)) else "right",
            yanchor="bottom" if rising else "top",
            xshift=8 if to_right else -8,
            yshift=6 if rising else -6,
            showarrow=False,
            font={"color": tokens.accent, "size": 13},
            bgcolor=tokens.surface,
        )
    return figure


def coverage_figure(released: Released[Forecasting], t: Language, mode: theme.Mode) -> go.Figure:
    """Share of past forecasts that held, by quarter, each beside the level that was stated."""
    found, tokens = released.value, theme.TOKENS[mode]
    rows = found.coverage.filter(
        pl.col("about") == "progress",
        pl.col("period").is_not_null(),
        pl.col("horizon").is_null(),
        pl.col("elapsed").is_null(),
    )
    if rows.is_empty() or not found.checked:
        return theme.nothing(coverage_takeaway(released, t), mode)
    figure = theme.figure(mode, height=340)
    periods = [t.day(day) for day in rows["period"].unique().sort()]
    for level in LEVELS:
        part = rows.filter(pl.col("level") == level).sort("period")
        figure.add_shape(
            type="line",
            xref="paper",
            x0=0,
            x1=1,
            y0=level,
            y1=level,
            line={"color": tokens.quiet, "width": 1},
            layer="below",
        )
        figure.add_annotation(
            text=t("Stated {level}", level=percent(level, t)),
            xref="paper",
            x=1,
            y=level,
            xanchor="left",
            xshift=6,
            showarrow=False,
            font={"color": tokens.quiet, "size": 12},
        )
        figure.add_scatter(
            name=t("Of ranges of {level}", level=percent(level, t)),
            x=[t.day(day) for day in part["period"]],
            y=part["covered"].to_list(),
            mode="markers",
            marker={"color": tokens.accent, "size": 9},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": (part["high"] - part["covered"]).to_list(),
                "arrayminus": (part["covered"] - part["low"]).to_list(),
                "color": tokens.accent,
                "thickness": 1.5,
                "width": 0,
            },
            customdata=part.select("low", "high", "n", "goals").rows(),
            hovertemplate=t(
                "{share} [{low}, {high}]<br>{n} forecasts of {goals} goals",
                share="%{y:.0%}",
                low="%{customdata[0]:.0%}",
                high="%{customdata[1]:.0%}",
                n="%{customdata[2]:,}",
                goals="%{customdata[3]:,}",
            )
            + "<extra></extra>",
        )
    figure.update_layout(
        showlegend=False,
        margin={"r": 96},
        xaxis={
            "type": "category",
            "categoryorder": "array",
            "categoryarray": periods,
            "showgrid": False,
            "title": {"text": t("Foretold in the quarter from")},
        },
        yaxis={
            "title": {"text": t("Came true")},
            "tickformat": ".0%",
            "range": [0.3, 1.02],
            "showgrid": False,
        },
    )
    return figure


def _when(goal: dict[str, Any], t: Language) -> list[str]:
    """The finish in words, by how much of its range lies within reach."""
    earliest, middle, latest = goal["earliest"], goal["middle"], goal["latest"]
    until = t.day(goal["until"])
    if middle is not None and latest is not None:
        return [
            t(
                "If it goes on as goals like it did, it will most likely be finished about {middle} "
                "(90 %: {earliest} to {latest}).",
                middle=t.day(middle),
                earliest=t.day(earliest),
                latest=t.day(latest),
            )
        ]
    if middle is not None:
        return [
            t(
                "If it goes on as goals like it did, it will most likely be finished about {middle} "
                "(90 %: not before {earliest}).",
                middle=t.day(middle),
                earliest=t.day(earliest),
            ),
            t("It may well take longer than {until}, the last day looked at.", until=until),
        ]
    if earliest is not None:
        return [
            t(
                "If it goes on as goals like it did, it will more likely than not still be open on {until} "
                "(90 %: not finished before {earliest}).",
                until=until,
                earliest=t.day(earliest),
            )
        ]
    return [
        t(
            "If it goes on as goals like it did, it will hardly be finished by {until}, the last day "
            "looked at.",
            until=until,
        )
    ]


def _due(goal: dict[str, Any], *, overdue: bool, t: Language) -> str:
    if overdue:
        return t("It was due on {day}.", day=t.day(goal["due_on"]))
    return t("It is due on {day}.", day=t.day(goal["due_on"]))


def _overall(found: Forecasting) -> dict[tuple[str, float], dict[str, Any]]:
    """Coverage over all periods, by what it is about and level."""
    rows = found.coverage.filter(pl.col(name).is_null() for name in ("period", "horizon", "elapsed"))
    return {(row["about"], row["level"]): row for row in rows.iter_rows(named=True)}


def _cut(bands: pl.DataFrame, goal: dict[str, Any]) -> pl.DataFrame:
    """The bands up to the last day that matters: due date and latest finish, and all if it has none."""
    if goal["latest"] is None:
        return bands
    last = max(goal["due_on"], goal["latest"])
    kept = bands.filter(pl.col("day") <= last).height
    return bands.head(min(kept + 1, bands.height))


def _in_unit(bands: pl.DataFrame, baseline: float, target: float) -> pl.DataFrame:
    """Shares of the way as values in the goal's unit."""
    shares = [name for name in bands.columns if name not in ("day", "finished")]
    return bands.with_columns((pl.col(name) * (target - baseline) + baseline).alias(name) for name in shares)


def _to_right(goal: dict[str, Any], today: date, last: date, history: Released[GoalHistory]) -> bool:
    """Whether the words on the finish stand right of it, where fewer upright lines cross them."""
    begin = history.value.goal["start_on"][0]
    end = max(last, goal["due_on"])
    wide = _WORDS * (end - begin)
    middle = goal["middle"]
    before = sum(middle - wide <= day <= middle for day in (today, goal["due_on"]))
    after = sum(middle <= day <= middle + wide for day in (today, goal["due_on"]))
    return bool(middle + wide <= end and after < before)


def _label_bands(figure: go.Figure, bands: pl.DataFrame, tokens: theme.Tokens, t: Language) -> None:
    """Name the light band under its lower edge where it is widest, the dark one where there is room."""
    outer, inner = (bands[f"low_{round(100 * level)}"] for level in (_OUTER, _INNER))
    widths = {
        level: (bands[f"high_{round(100 * level)}"] - bands[f"low_{round(100 * level)}"]).abs()
        for level in (_OUTER, _INNER)
    }
    # Under its lower edge it stands clear of the light band's edge and of the middle.
    clear = pl.min_horizontal((inner - outer).abs(), (bands["middle"] - inner).abs())
    room = pl.when(widths[_INNER] > 0).then(clear).otherwise(-1.0)
    places = {_OUTER: widths[_OUTER].arg_max(), _INNER: bands.select(room).to_series().arg_max()}
    tall = max(widths[_OUTER].to_list())
    for level, low in ((_OUTER, outer), (_INNER, inner)):
        at = places[level]
        if at is None or widths[level][at] == 0:
            continue
        rising = bands[f"high_{round(100 * level)}"][at] > low[at]
        # Where the light band leaves no room, inside the dark one.
        inside = level == _INNER and abs(inner[at] - outer[at]) < _ROOM * tall
        figure.add_annotation(
            text=percent(level, t),
            x=bands["day"][at],
            y=low[at],
            yanchor="top" if rising is not inside else "bottom",
            showarrow=False,
            font={"color": tokens.accent, "size": 12},
        )


def _sheer(colour: str, strength: float) -> str:
    """A colour one can see through."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{strength})"
