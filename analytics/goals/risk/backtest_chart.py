"""Is the delay probability honest: pictures and sentences.

Every function is pure: a released result in, a plotly figure or a sentence out. What the data cannot tell is
said to be so and drawn open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final

import plotly.graph_objects as go
import polars as pl

from analytics import theme
from analytics.disclosure import Released
from analytics.goals.risk.backtest import PARTS, Backtest
from analytics.language import Language, percent
from analytics.policy import CALIBRATION_GAP, MINIMUM_JUDGED_GOALS

Row = Mapping[str, Any]

EXAMPLE: Final = 0.7
"""The finding quotes what was said nearest to this."""
MOST_NAMED: Final = 2
_FLAGS: Final = ("too_high", "too_low")
_NOBODY: Final[Mapping[str, str]] = MappingProxyType({})
_ROW: Final = 26
_SYMBOLS: Final = MappingProxyType(
    {"honest": "circle", "too_high": "triangle-down", "too_low": "triangle-up"}
)


@dataclass(frozen=True)
class Dot:
    """A row of `dots`: a difference of shares with its interval, how it looks, and what is said about it."""

    name: str
    value: float
    low: float
    high: float
    colour: str
    symbol: str
    hover: str
    flagged: bool


def takeaway(released: Released[Backtest], t: Language) -> str:
    """Is it honest, in up to three plain sentences: an example, where it is off, what it is worth.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    """
    total = released.value.total.row(0, named=True) if released.value.total.height else None
    if total is None:
        return t("The data cannot tell yet: no goal with a stated probability has come due.")
    if total["n_goals"] is None:
        return t(
            "Fewer than {minimum} people own the goals within reach, so nothing is said about them.",
            minimum=released.minimum,
        )
    if total["brier"] is None:
        return t.plural(
            "The data cannot tell yet whether the delay probability is honest: {n} goal with a stated "
            "probability has come due, and it takes {minimum}.",
            "The data cannot tell yet whether the delay probability is honest: {n} goals with a stated "
            "probability have come due, and it takes {minimum}.",
            total["n_goals"],
            minimum=int(MINIMUM_JUDGED_GOALS.value),
        )
    return t.joined(
        [_example(released.value.reliability, t), _honesty(released.value, total, t), _worth(total, t)]
    )


def _example(reliability: pl.DataFrame, t: Language) -> str:
    """What became of what was said nearest to seven in ten."""
    shown = reliability.filter(pl.col("stated").is_not_null())
    if shown.is_empty():
        return ""
    row = shown.sort((pl.col("stated") - EXAMPLE).abs(), "bin").row(0, named=True)
    return t(
        "When we said about {stated}, {observed} missed their due date (likely {low} to {high}; {n} goals).",
        stated=percent(row["stated"], t),
        observed=percent(row["observed"], t),
        low=percent(row["low"], t),
        high=percent(row["high"], t),
        n=row["n_goals"],
    )


def _honesty(found: Backtest, total: Row, t: Language) -> str:
    """Over all and bin by bin: honest, off, or not to be told."""
    places = {"stated": percent(total["stated"], t), "observed": percent(total["observed"], t)}
    if total["verdict"] == "too_high":
        return t("Over all it says too much: it said {stated} on average, and {observed} missed.", **places)
    if total["verdict"] == "too_low":
        return t("Over all it says too little: it said {stated} on average, and {observed} missed.", **places)
    off = (
        found.reliability.filter(pl.col("verdict").is_in(_FLAGS))
        .sort(pl.col("difference").abs(), descending=True)
        .head(MOST_NAMED)
        .sort("bin")
    )
    if off.height:
        return t(
            "It is not honest everywhere: {cases}.",
            cases=t.listing([_off(row, t) for row in off.iter_rows(named=True)]),
        )
    if total["verdict"] == "cannot_tell":
        return t("Over all the data cannot tell whether it says too much or too little.")
    return t(
        "What was said and what came differ by {ece} percentage points on average; chance alone would make "
        "that {expected}.",
        ece=f"{100 * total['ece']:.1f}",
        expected=f"{100 * total['ece_expected']:.1f}",
    )


def _off(row: Row, t: Language) -> str:
    places = {
        "low": percent(row["from"], t),
        "high": percent(row["to"], t),
        "stated": percent(row["stated"], t),
        "observed": percent(row["observed"], t),
    }
    if row["verdict"] == "too_high":
        return t("between {low} and {high} it says too much ({stated} said, {observed} missed)", **places)
    return t("between {low} and {high} it says too little ({stated} said, {observed} missed)", **places)


def _worth(total: Row, t: Language) -> str:
    """Its error beside the pace rule's."""
    if total["pace_skill"] is None:
        return ""
    places = {
        "skill": signed_percent(abs(total["pace_skill"]), t),
        "low": signed_percent(total["pace_skill_low"], t),
        "high": signed_percent(total["pace_skill_high"], t),
    }
    if total["pace_skill_low"] > 0:
        return t("Its error is {skill} smaller than the pace rule's (likely {low} to {high}).", **places)
    if total["pace_skill_high"] < 0:
        return t(
            "Its error is {skill} larger than the pace rule's: the pace rule would have done better.",
            **places,
        )
    return t(
        "Whether it does better than the pace rule the data cannot tell (its error is likely {low} to {high} "
        "smaller).",
        **places,
    )


def figure(released: Released[Backtest], t: Language, *, mode: theme.Mode) -> go.Figure:
    """How often goals missed against how often that was said, with intervals.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    mode
        Light or dark.
    """
    rows = released.value.reliability.filter(pl.col("stated").is_not_null()).to_dicts()
    if not rows or released.value.total["brier"][0] is None:
        return theme.nothing(takeaway(released, t), mode)
    tokens = theme.TOKENS[mode]
    colours = _colours(mode)
    fig = theme.figure(mode, height=500)
    fig.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        line={"color": tokens.quiet, "width": 1.5},
        hoverinfo="skip",
        showlegend=False,
    )
    for verdict in ("honest", "cannot_tell", *_FLAGS):
        mine = [row for row in rows if row["verdict"] == verdict]
        if not mine:
            continue
        fig.add_scatter(
            x=[row["stated"] for row in mine],
            y=[row["observed"] for row in mine],
            mode="markers",
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [row["high"] - row["observed"] for row in mine],
                "arrayminus": [row["observed"] - row["low"] for row in mine],
                "color": colours[verdict],
                "thickness": 2,
                "width": 0,
            },
            marker={
                "color": colours[verdict],
                "size": 10,
                "symbol": "circle-open" if verdict == "cannot_tell" else _SYMBOLS[verdict],
                "line": {"width": 2, "color": colours[verdict]},
            },
            hovertext=[theme.written(reading(row, t), 56) for row in mine],
            hoverinfo="text",
            name=verdict_words(t)[verdict],
            showlegend=True,
        )
    # How often what was said: bars that stand on the axis, as high as statements lie close together.
    close = [row["n_said"] / max(row["to"] - row["from"], 0.01) for row in rows]
    for row, height in zip(rows, close, strict=True):
        fig.add_shape(
            type="rect",
            x0=row["from"],
            x1=max(row["to"], row["from"] + 0.01),
            y0=-0.1,
            y1=-0.1 + 0.08 * height / max(close),
            fillcolor=tokens.hairline,
            line={"color": tokens.paper, "width": 1},
            layer="below",
        )
    # The line's name stands where the fewest dots are.
    stops = [0.1, *sorted(row["stated"] for row in rows if 0.1 < row["stated"] < 0.9), 0.9]
    at = max(pairwise(stops), key=lambda ends: ends[1] - ends[0])
    fig.add_annotation(
        x=sum(at) / 2,
        y=sum(at) / 2,
        xanchor="left",
        yanchor="top",
        xshift=6,
        yshift=-4,
        text=escape(t("as said")),
        showarrow=False,
        font={"color": tokens.quiet, "size": 13},
    )
    axis = {
        "tickmode": "array",
        "tickvals": [0, 0.2, 0.4, 0.6, 0.8, 1],
        "ticktext": [percent(value, t) for value in (0, 0.2, 0.4, 0.6, 0.8, 1)],
    }
    fig.update_xaxes(title={"text": escape(t("Delay probability said"))}, range=[-0.02, 1.02], **axis)
    fig.update_yaxes(title={"text": escape(t("Share that missed"))}, range=[-0.105, 1.03], **axis)
    fig.update_layout(margin={"l": 8, "r": 24, "t": 48, "b": 8}, hovermode="closest")
    return fig


def reading(row: Row, t: Language) -> str:
    """One bin in plain sentences.

    Parameters
    ----------
    row
        A row of ``Backtest.reliability``.
    t
        The reader's language.
    """
    said = t(
        "Said between {low} and {high}, {stated} on average: {observed} missed (likely {from_} to {to}).",
        low=percent(row["from"], t),
        high=percent(row["to"], t),
        stated=percent(row["stated"], t),
        observed=percent(row["observed"], t),
        from_=percent(row["low"], t),
        to=percent(row["high"], t),
    )
    counted = t(
        "{said} statements about {goals} goals of {owners} owners.",
        said=row["n_said"],
        goals=row["n_goals"],
        owners=row["n_owners"],
    )
    return t.joined([said, counted])


def below(released: Released[Backtest], t: Language) -> str:
    """What stands under the reliability picture."""
    left = released.value.left_out
    said = t(
        "On the line, goals miss as often as was said; under it less often, above it more often. Bars at the "
        "foot: how often each probability was said. Vertical lines: where the true share likely lies, given "
        "that statements about one goal, one owner and one team go together."
    )
    waiting = t.plural(
        "{n} statement waits for its due date.", "{n} statements wait for their due date.", left["not_due"]
    )
    return t.joined([said, waiting if left["not_due"] else ""])


def departments_takeaway(
    released: Released[Backtest], t: Language, *, names: Mapping[str, str] = _NOBODY
) -> str:
    """In which departments the probability says too much or too little, in one or two sentences.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    names
        What to call departments by id.
    """
    shown = released.value.departments.filter(pl.col("n_goals").is_not_null())
    off = shown.filter(pl.col("verdict").is_in(_FLAGS)).sort(
        pl.col("difference").abs(), "department_id", descending=[True, False]
    )
    untold = shown.filter(pl.col("verdict") == "cannot_tell").height
    said = [
        _department(row, t, names.get(row["department_id"], row["department_id"]))
        for row in off.head(MOST_NAMED).iter_rows(named=True)
    ]
    if off.height > MOST_NAMED:
        more = off.height - MOST_NAMED
        said.append(t.plural("{n} more department is off.", "{n} more departments are off.", more))
    if off.is_empty() and untold < shown.height:
        said.append(t("In no department the data can tell about is it off by an amount that matters."))
    if untold and untold == shown.height:
        said.append(t("The data cannot tell for any department."))
    elif untold:
        said.append(
            t.plural(
                "For {n} department the data cannot tell.",
                "For {n} departments the data cannot tell.",
                untold,
            )
        )
    return t.joined(said)


def _department(row: Row, t: Language, name: str) -> str:
    places = {
        "who": name,
        "stated": percent(row["stated"], t),
        "observed": percent(row["observed"], t),
        "low": percent(row["observed_low"], t),
        "high": percent(row["observed_high"], t),
    }
    if row["verdict"] == "too_high":
        return t(
            "In {who} it says too much: {stated} on average, and {observed} missed (likely {low} to {high}).",
            **places,
        )
    if row["verdict"] == "too_low":
        return t(
            "In {who} it says too little: {stated} on average, and {observed} missed (likely {low} to "
            "{high}).",
            **places,
        )
    if row["verdict"] == "cannot_tell":
        return t("{who}: the data cannot tell.", who=name)
    return t("{who}: {stated} said on average, {observed} missed (likely {low} to {high}).", **places)


def departments_figure(
    released: Released[Backtest], t: Language, *, mode: theme.Mode, names: Mapping[str, str] = _NOBODY
) -> go.Figure:
    """Dot and interval per department: how much more was said than came.

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
    told = released.value.departments.filter(pl.col("difference").is_not_null()).sort(
        ["difference", "department_id"], descending=[True, False]
    )
    colours, symbols = _colours(mode), {**_SYMBOLS, "cannot_tell": "circle-open"}
    rows = [
        Dot(
            name=(name := names.get(row["department_id"], row["department_id"])),
            value=row["difference"],
            low=row["difference_low"],
            high=row["difference_high"],
            colour=colours[row["verdict"]],
            symbol=symbols[row["verdict"]],
            hover=_department(row, t, name),
            flagged=row["verdict"] in _FLAGS,
        )
        for row in told.iter_rows(named=True)
    ]
    notes = [
        t("Percentage points said too much (right) or too little (left). Shaded: too little to matter."),
    ]
    if missing := released.value.departments.height - told.height:
        notes.append(
            t.plural(
                "{n} department with too few goals or people is not drawn.",
                "{n} departments with too few goals or people are not drawn.",
                missing,
            )
        )
    return dots(
        rows,
        mode,
        practical=CALIBRATION_GAP.value,
        zero=t("as said"),
        below=notes,
        empty=t("The data cannot tell for any department."),
    )


def dots(
    rows: Sequence[Dot],
    mode: theme.Mode,
    *,
    practical: float,
    zero: str,
    below: Sequence[str],
    empty: str,
) -> go.Figure:
    """Differences of shares as dots with intervals, one per row from top to bottom, and a line at nought.

    Parameters
    ----------
    rows
        What to draw, from top to bottom; see `Dot`.
    mode
        Light or dark.
    practical
        Half the width of the band that does not matter, as a share.
    zero
        What the line at nought is called.
    below
        Sentences under the picture.
    empty
        What to say where there is nothing to draw.
    """
    if not rows:
        return theme.nothing(empty, mode)
    tokens = theme.TOKENS[mode]
    notes = [line for note in below for line in theme.lines(note, 96)]
    bottom = 44 + 18 * len(notes)
    fig = theme.figure(mode, height=48 + _ROW * len(rows) + bottom)
    left = min(-1.6 * practical, *(row.low for row in rows))
    right = max(1.6 * practical, *(row.high for row in rows))
    reach = right - left
    fig.add_vrect(x0=-practical, x1=practical, fillcolor=tokens.band, line_width=0, layer="below")
    fig.add_scatter(
        x=[0, 0],
        y=[-0.5, len(rows) - 0.5],
        mode="lines",
        line={"color": tokens.quiet, "width": 1.5},
        hoverinfo="skip",
        showlegend=False,
    )
    for colour, symbol in dict.fromkeys((row.colour, row.symbol) for row in rows):
        places = [i for i, row in enumerate(rows) if (row.colour, row.symbol) == (colour, symbol)]
        ends: list[float | None] = []
        heights: list[float | None] = []
        for i in places:
            ends += [rows[i].low, rows[i].high, None]
            heights += [i, i, None]
        fig.add_scatter(
            x=ends,
            y=heights,
            mode="lines",
            line={"color": colour, "width": 2},
            opacity=0.9 if rows[places[0]].flagged else 0.55,
            hoverinfo="skip",
            showlegend=False,
        )
        fig.add_scatter(
            x=[rows[i].value for i in places],
            y=places,
            mode="markers",
            marker={"color": colour, "size": 8, "symbol": symbol, "line": {"width": 1.5, "color": colour}},
            hovertext=[theme.written(rows[i].hover, 60) for i in places],
            hoverinfo="text",
            showlegend=False,
        )
        flagged = [i for i in places if rows[i].flagged]
        fig.add_scatter(
            x=[rows[i].high if rows[i].value > 0 else rows[i].low for i in flagged],
            y=flagged,
            mode="text",
            text=[f"\u00a0\u00a0{points(rows[i].value)}\u00a0\u00a0" for i in flagged],
            textposition=["middle right" if rows[i].value > 0 else "middle left" for i in flagged],
            textfont={"color": colour, "size": 13},
            hoverinfo="skip",
            cliponaxis=False,
            showlegend=False,
        )
    theme.named(fig, zero, tokens, x=0)
    theme.noted(fig, notes, tokens)
    step = next((size for size in (0.02, 0.05, 0.1, 0.2) if reach / size <= 9), 0.5)
    ticks = [k * step for k in range(int(left / step) - 1, int(right / step) + 2)]
    fig.update_xaxes(
        range=[left - 0.09 * reach, right + 0.09 * reach],
        tickmode="array",
        tickvals=ticks,
        ticktext=[points(tick) for tick in ticks],
    )
    fig.update_yaxes(
        range=[len(rows) - 0.5, -0.5],
        tickmode="array",
        tickvals=list(range(len(rows))),
        ticktext=[escape(theme.shortened(row.name)) for row in rows],
        showgrid=False,
        tickfont={"color": tokens.ink, "size": 13},
        ticklabelstandoff=6,
    )
    fig.update_layout(margin={"l": 8, "r": 24, "t": 32, "b": bottom}, hovermode="closest")
    return fig


def points(share: float) -> str:
    """A difference of shares in whole percentage points with its sign."""
    whole = round(100 * share)
    return f"{'+' if whole > 0 else '−' if whole < 0 else ''}{abs(whole)}"


def signed_percent(share: float, t: Language) -> str:
    """A share that may be below nought, as a whole per cent with a real minus."""
    return f"−{percent(-share, t)}" if share <= -0.005 else percent(max(share, 0.0), t)


def verdict_words(t: Language) -> dict[str, str]:
    """What each verdict is called."""
    return {
        "honest": t("Misses about as often as said"),
        "too_high": t("Says too much"),
        "too_low": t("Says too little"),
        "cannot_tell": t("The data cannot tell"),
    }


def by_words(t: Language) -> dict[str, str]:
    """What statements are taken apart by."""
    return {
        "elapsed": t("Time used"),
        "horizon": t("Days left"),
        "period": t("Half-year"),
        "rung": t("Model"),
    }


def part_words(t: Language) -> dict[tuple[str, str], str]:
    """What each part is called; half-years as they are."""
    elapsed = (t("up to a quarter"), t("up to half"), t("up to three quarters"), t("more"))
    horizon = (
        t("up to 14 days"),
        t("15 to 30 days"),
        t("31 to 60 days"),
        t("61 to 90 days"),
        t("more than 90 days"),
    )
    rungs = rung_words(t)
    return {
        **{("elapsed", part): words for part, words in zip(PARTS["elapsed"], elapsed, strict=True)},
        **{("horizon", part): words for part, words in zip(PARTS["horizon"], horizon, strict=True)},
        **{("rung", part): rungs[part] for part in PARTS["rung"]},
    }


def rung_words(t: Language) -> dict[str, str]:
    """What each model of the ladder is called."""
    return {
        "pace": t("Pace rule"),
        "logistic": t("Penalised logistic regression"),
        "boosting": t("Gradient boosting"),
        "blend": t("Mean of regression and boosting"),
    }


def parts_takeaway(released: Released[Backtest], t: Language) -> str:
    """How much earlier in a goal's life the probability knows less, in one sentence."""
    told = released.value.parts.filter((pl.col("by") == "elapsed") & pl.col("auc").is_not_null())
    if told.height < 2:
        return t("For most parts the data cannot tell.")
    first, last = told.row(0, named=True), told.row(told.height - 1, named=True)
    return t(
        "Of one goal that missed and one that landed, it gave the one that missed the higher probability in "
        "{early} of such pairs in the first quarter of the time, and in {late} towards the end.",
        early=percent(first["auc"], t),
        late=percent(last["auc"], t),
    )


def model_takeaway(released: Released[Backtest], t: Language) -> str:
    """Which model speaks now, and why."""
    ladder = released.value.ladder
    chosen = ladder.filter("chosen") if "chosen" in ladder.columns else ladder
    if chosen.is_empty():
        return t(
            "No model has been learnt yet: too few goals have come due. The pace rule speaks, and its "
            "interval is wide."
        )
    row = chosen.row(0, named=True)
    words = rung_words(t)
    places = {"model": words.get(row["rung"], row["rung"]), "brier": f"{row['brier']:.3f}"}
    if ladder.height == 1:
        return t(
            "{model} speaks: there are too few finished goals to try anything richer.",
            **places,
        )
    others = ladder.filter(~pl.col("chosen")).sort("brier")
    best = others.row(0, named=True)
    places |= {"other": words.get(best["rung"], best["rung"]), "theirs": f"{best['brier']:.3f}"}
    if row["brier"] <= best["brier"]:
        return t(
            "{model} speaks now: of what was said ahead of time, its error was the smallest ({brier}; next "
            "came {other}, {theirs}).",
            **places,
        )
    return t(
        "{model} speaks now ({brier}), chosen by what had come due when it last learnt; over all the error "
        "of {other} was a little smaller ({theirs}).",
        **places,
    )


def _colours(mode: theme.Mode) -> dict[str, str]:
    tokens = theme.TOKENS[mode]
    return {
        "honest": tokens.accent,
        "cannot_tell": tokens.quiet,
        "too_high": tokens.severe,
        "too_low": tokens.lenient,
    }
