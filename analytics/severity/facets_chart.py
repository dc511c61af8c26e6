"""The ruler on which raters, dimensions, sources and cycles stand, and the sentences that say what it shows.

Every function is pure: a released result in, a plotly figure or a sentence out. Places on the ruler are fair
averages: the rating an average person gets there, all else being average. What is hidden is not drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
import polars as pl

from analytics import theme
from analytics.disclosure import Released
from analytics.language import Language, decimals, interval
from analytics.policy import CHANCE_SPREAD, MINIMUM_LINKED_RATERS, MINIMUM_RATEES
from analytics.severity import chart
from analytics.severity.design import Refusal
from analytics.severity.facets import OVERALL, Facets

Row = Mapping[str, Any]
Names = Mapping[str, Mapping[str, str]]

NOBODY: Final[Names] = MappingProxyType({})
_DRAWN: Final = ("dimension", "source", "cycle")
_ROW: Final = 26
_RATERS: Final = 150
_BINS: Final = 48


def figure(released: Released[Facets], t: Language, *, mode: theme.Mode, names: Names = NOBODY) -> go.Figure:
    """One ruler in rating points: every dimension, source and cycle as dot and interval, raters as a heap.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    mode
        Light or dark.
    names
        By facet what to call its elements by id, in the order to draw them; others come after, by id.

    Returns
    -------
    plotly Figure
        The heap of raters stands below on the same ruler, so that the eye compares how far apart dimensions,
        sources and cycles lie with how far apart raters do.
    """
    found, tokens = released.value, theme.TOKENS[mode]
    if found.refusal is not None or found.average is None or found.practical is None:
        words = refusal(found.refusal, t) if found.refusal else t("The data cannot tell for any rater.")
        return theme.nothing(words, mode)
    rows: list[tuple[str, Row | None]] = []
    for facet in _DRAWN:
        told = _ordered(found.elements.filter(facet=facet).drop_nulls("measure"), names.get(facet, {}))
        if told:
            rows.append((facet_words(t)[facet], None))
            rows += [(element_name(row, t, names), row) for row in told]
    raters = found.raters.drop_nulls("measure")["fair_average"].to_numpy()
    bottom = 84
    fig = theme.figure(mode, height=48 + _ROW * len(rows) + (_RATERS if raters.size else 0) + bottom)
    share = _ROW * len(rows) / (_ROW * len(rows) + (_RATERS if raters.size else 0))
    fig.add_shape(
        type="rect",
        x0=found.average - found.practical,
        x1=found.average + found.practical,
        y0=0,
        y1=1,
        yref="paper",
        fillcolor=tokens.band,
        line_width=0,
        layer="below",
    )
    fig.add_shape(
        type="line",
        x0=found.average,
        x1=found.average,
        y0=0,
        y1=1,
        yref="paper",
        line={"color": tokens.quiet, "width": 1.5},
        layer="below",
    )
    _dots(fig, rows, t, tokens)
    if raters.size:
        _heap(fig, raters, t, tokens)
    left, right = _reach(found, raters)
    fig.update_xaxes(
        range=[left, right], tickformat=".1f", showgrid=True, zeroline=False, anchor="free", position=0
    )
    fig.layout.yaxis.update(
        domain=[1 - share, 1],
        range=[len(rows) - 0.5, -0.5],
        tickmode="array",
        tickvals=list(range(len(rows))),
        ticktext=[f"<b>{escape(name)}</b>" if row is None else escape(name) for name, row in rows],
        showgrid=False,
        tickfont={"color": tokens.ink, "size": 13},
        ticklabelstandoff=6,
    )
    theme.named(fig, t("average {points}", points=f"{found.average:.2f}"), tokens, x=found.average)
    notes = [
        t("Rating points an average person gets: right of the line is rated higher, left of it lower."),
        t("Shaded: too little to matter."),
    ]
    theme.noted(fig, notes, tokens)
    fig.update_layout(margin={"l": 8, "r": 24, "t": 36, "b": bottom}, hovermode="closest", barmode="overlay")
    return fig


def takeaway(released: Released[Facets], t: Language, *, names: Names = NOBODY) -> str:
    """Which dimensions and sources are rated harder, and how much that matters beside who rates.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    names
        By facet what to call its elements by id.
    """
    found = released.value
    if found.refusal is not None:
        return refusal(found.refusal, t)
    sentences = [*_judged_alike(found, t, names), _apart(found, "cycle", t, names)]
    raters = found.facets.filter(facet="rater")
    if raters.height and raters["chance"][0] <= CHANCE_SPREAD.value:
        reach = raters["reach"][0]
        most = max(_range(found, facet) for facet in _DRAWN)
        sentences.append(
            t(
                "Who rates matters more: between a rather hard and a rather soft rater (the outermost tenths "
                "left aside) the same person’s rating changes by {points} points.",
                points=_points(reach),
            )
            if reach > most
            else t(
                "Between a rather hard and a rather soft rater (the outermost tenths left aside) the same "
                "person’s rating changes by {points} points.",
                points=_points(reach),
            )
        )
    return t.joined(sentences)


def refusal(refused: Refusal, t: Language) -> str:
    """Why nothing can be told, and what would help.

    Parameters
    ----------
    refused
        What the analysis refused.
    t
        The reader's language.
    """
    if refused.kind == "incomplete":
        return t(
            "There are ratings in this choice, but none at a level of a scale with levels, so steps and "
            "dimensions cannot be compared. Load the level, or choose other sources."
        )
    if refused.kind == "few_comparable":
        return t(
            "The data cannot tell: a comparison takes {needed} raters who each rated at least {minimum} "
            "people, share some of them with each other and use more than one level. Of the {n_raters} on "
            "record, {n_linked} do.",
            needed=int(MINIMUM_LINKED_RATERS.value),
            minimum=int(MINIMUM_RATEES.value),
            **refused.values,
        )
    return chart.refusal(refused, t)


def odd_takeaway(released: Released[Facets], t: Language) -> str:
    """How many raters rate more mechanically, or less predictably, than chance allows.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    """
    odd = odd_raters(released)
    mechanical, erratic = (odd.filter(fit=fit).height for fit in ("mechanical", "unpredictable"))
    sentences = []
    if mechanical:
        sentences.append(
            t.plural(
                "{n} rater rates more mechanically than chance allows: nearly everybody gets the same.",
                "{n} raters rate more mechanically than chance allows: nearly everybody gets the same.",
                mechanical,
            )
        )
    if erratic:
        sentences.append(
            t.plural(
                "{n} rater rates less predictably than others, often against what others see.",
                "{n} raters rate less predictably than others, often against what others see.",
                erratic,
            )
        )
    return t.joined(sentences)


def ladder(released: Released[Facets], t: Language, *, levels: Mapping[int, str]) -> str:
    """Whether the levels of the scale work as a ladder.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    levels
        What the levels are called.
    """
    steps = released.value.steps
    if steps.is_empty():
        return ""
    broken = [levels.get(level, str(level)) for level in _skipped(steps)]
    unused = [name for level, name in levels.items() if level not in set(steps["level"])]
    sentences = []
    if broken:
        sentences.append(
            t(
                "The scale does not work as a ladder at {levels}: for no quality of work is that the "
                "likeliest "
                "level. Describe it more clearly, or merge it with its neighbour.",
                levels=t.listing(broken),
            )
        )
    if unused:
        sentences.append(t("Nobody was rated {levels}.", levels=t.listing(unused)))
    if not broken:
        sentences.append(
            t("The levels work as a ladder: each is the likeliest one for some quality of work.")
        )
    return t.joined(sentences)


def odd_raters(released: Released[Facets]) -> pl.DataFrame:
    """Raters whose ratings scatter far more or far less than chance allows, oddest first."""
    return (
        released.value.raters.drop_nulls("measure")
        .filter(pl.col("fit") != "as_expected")
        .with_columns(pl.col("infit").log().abs().alias("oddness"))
        .sort(["oddness", "rater_id"], descending=[True, False])
        .drop("oddness")
    )


def fit_words(t: Language) -> dict[str, str]:
    """What each fit is called."""
    return {
        "as_expected": t("As chance has it"),
        "unpredictable": t("Erratic: often against what others see"),
        "mechanical": t("Mechanical: nearly everybody gets the same"),
    }


def facet_words(t: Language) -> dict[str, str]:
    """What each facet is called."""
    return {"dimension": t("What is judged"), "source": t("Who judges"), "cycle": t("When")}


def element_name(row: Row, t: Language, names: Names) -> str:
    """What an element of a facet is called."""
    if row["facet"] == "dimension" and row["element"] == OVERALL:
        return t("Rating as a whole")
    return names.get(row["facet"], {}).get(row["element"], row["element"])


def reading(row: Row, t: Language, *, name: str) -> str:
    """One dimension, source or cycle in one plain sentence.

    Parameters
    ----------
    row
        A row of ``Facets.elements``.
    t
        The reader's language.
    name
        What to call it.
    """
    return t(
        "{name}: an average person gets {fair} points (likely {range}), from {ratings} ratings of {people} "
        "people.",
        name=name,
        fair=f"{row['fair_average']:.2f}",
        range=interval(row["fair_low"], row["fair_high"]),
        ratings=row["n_ratings"],
        people=row["n_ratees"],
    )


def _judged_alike(found: Facets, t: Language, names: Names) -> list[str]:
    """How dimensions and sources are rated; one sentence where neither makes a difference."""
    if _alike(found, "dimension") and _alike(found, "source"):
        return [
            t(
                "No dimension is rated harder than another by an amount that matters, nor does it matter in "
                "which role somebody rates."
            )
        ]
    return [_apart(found, facet, t, names) for facet in ("dimension", "source")]


def _apart(found: Facets, facet: str, t: Language, names: Names) -> str:
    """Whether the elements of a facet are rated differently, in a sentence; empty if there is but one."""
    told = found.elements.filter(facet=facet).drop_nulls("measure").sort("fair_average", "element")
    if told.height < 2:
        return ""
    if _alike(found, facet):
        return {
            "dimension": t("No dimension is rated harder than another by an amount that matters."),
            "source": t("In which role somebody rates hardly matters."),
            "cycle": t("Cycles hardly differ."),
        }[facet]
    low, high = (element_name(told.row(at, named=True), t, names) for at in (0, -1))
    places = {"high": high, "low": low, "points": _points(_range(found, facet))}
    return {
        "dimension": t(
            "“{high}” is rated highest and “{low}” hardest: {points} points apart for the same person.",
            **places,
        ),
        "source": t(
            "Rated by “{high}” the same person gets {points} points more than rated by “{low}”.", **places
        ),
        "cycle": t("The same person gets {points} points more in {high} than in {low}.", **places),
    }[facet]


def _alike(found: Facets, facet: str) -> bool:
    """Whether a facet has several elements that do not differ by an amount that matters."""
    tested = found.facets.filter(facet=facet)
    return bool(tested.height) and (
        tested["chance"][0] > CHANCE_SPREAD.value or _range(found, facet) < (found.practical or 0.0)
    )


def _range(found: Facets, facet: str) -> float:
    fair = found.elements.filter(facet=facet)["fair_average"].drop_nulls().to_list()
    return max(fair, default=0.0) - min(fair, default=0.0)


def _points(value: float) -> str:
    return f"{value:.{decimals(value)}f}"


def _skipped(steps: pl.DataFrame) -> list[int]:
    """Levels that are nowhere the likeliest: the step above lies below the step to them."""
    return steps["level"].shift(1).filter(steps["disordered"]).to_list()


def _ordered(told: pl.DataFrame, names: Mapping[str, str]) -> list[Row]:
    """Rows in the order of the names, then by id."""
    place = {element: at for at, element in enumerate(names)}
    return sorted(
        told.iter_rows(named=True), key=lambda row: (place.get(row["element"], len(place)), row["element"])
    )


def _reach(found: Facets, raters: Any) -> tuple[float, float]:
    """Ends of the ruler: all elements, and the raters but for the outermost hundredth."""
    ends = found.elements.select(pl.col("fair_low").min(), pl.col("fair_high").max()).row(0)
    places = [end for end in ends if end is not None]
    if raters.size:
        places += [float(np.quantile(raters, 0.005)), float(np.quantile(raters, 0.995))]
    left, right = min(places), max(places)
    pad = 0.06 * (right - left or 1.0)
    return left - pad, right + pad


def _dots(fig: go.Figure, rows: Sequence[tuple[str, Row | None]], t: Language, tokens: theme.Tokens) -> None:
    drawn = [(at, name, row) for at, (name, row) in enumerate(rows) if row is not None]
    ends: list[float | None] = []
    heights: list[int | None] = []
    for at, _, row in drawn:
        ends += [row["fair_low"], row["fair_high"], None]
        heights += [at, at, None]
    fig.add_scatter(
        x=ends,
        y=heights,
        mode="lines",
        line={"color": tokens.accent, "width": 2},
        hoverinfo="skip",
        showlegend=False,
    )
    fig.add_scatter(
        x=[row["fair_average"] for _, _, row in drawn],
        y=[at for at, _, _ in drawn],
        mode="markers",
        marker={"color": tokens.accent, "size": 9},
        hovertext=[escape(reading(row, t, name=name)) for _, name, row in drawn],
        hoverinfo="text",
        showlegend=False,
    )
    fig.add_scatter(
        x=[row["fair_high"] for _, _, row in drawn],
        y=[at for at, _, _ in drawn],
        mode="text",
        text=[f"\u00a0\u00a0{row['fair_average']:.2f}" for _, _, row in drawn],
        textposition="middle right",
        textfont={"color": tokens.quiet, "size": 12},
        hoverinfo="skip",
        cliponaxis=False,
        showlegend=False,
    )


def _heap(fig: go.Figure, raters: Any, t: Language, tokens: theme.Tokens) -> None:
    """Raters as a heap on the ruler, each bar as many raters as it is high."""
    low, high = float(np.quantile(raters, 0.005)), float(np.quantile(raters, 0.995))
    counts, edges = np.histogram(np.clip(raters, low, high), bins=_BINS, range=(low, high))
    fig.add_bar(
        x=((edges[:-1] + edges[1:]) / 2).tolist(),
        y=counts.tolist(),
        width=float(edges[1] - edges[0]) * 0.86,
        marker={"color": tokens.unknown, "line": {"width": 0}},
        hovertext=[
            escape(
                t.plural("{n} rater about {points}", "{n} raters about {points}", int(n), points=f"{x:.2f}")
            )
            for n, x in zip(counts, (edges[:-1] + edges[1:]) / 2, strict=True)
        ],
        hoverinfo="text",
        yaxis="y2",
        showlegend=False,
    )
    top = fig.layout.height or 1
    share = _RATERS / (top - 36 - 84)
    fig.update_layout(
        yaxis2={
            "domain": [0, max(share - 0.04, 0.05)],
            "range": [0, float(counts.max()) * 1.05],
            "showgrid": False,
            "showticklabels": False,
            "zeroline": False,
            "fixedrange": True,
            "anchor": "x",
        }
    )
    fig.add_annotation(
        x=0,
        xref="paper",
        xanchor="left",
        y=max(share - 0.04, 0.05),
        yref="paper",
        yanchor="top",
        text=f"<b>{escape(t.plural('{n} rater', '{n} raters', int(raters.size)))}</b>",
        showarrow=False,
        font={"color": tokens.ink, "size": 13},
    )
