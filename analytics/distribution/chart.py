"""Pictures of distributions, and the sentences that say what they show.

Every function is pure: a released result in, a plotly figure or a sentence out. Hidden groups keep a
row, hatched, at the end: in its place among the others it would tell its mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil
from typing import Any, Final, Literal
from unicodedata import east_asian_width

import plotly.graph_objects as go
import polars as pl
from plotly.subplots import make_subplots

from analytics import theme
from analytics.disclosure import Released
from analytics.distribution.change import Change
from analytics.distribution.guidance import Band, Guidance, GuidanceFit
from analytics.distribution.shares import Distribution
from analytics.language import Language, decimals, interval, percent, signed
from analytics.policy import FALSE_DISCOVERY, SMALL_DIFFERENCE

Order = Literal["mean", "name", "people"]
Row = dict[str, Any]

PIXELS: Final = 880
"""Width the figures are laid out for; wider pages give them more room."""
CHARACTER: Final = 7.4
LINE: Final = 17
ROW: Final = 34
FEWEST_PIXELS: Final = 22

DRAWN: Final = 40
"""Groups a picture holds at most: the highest and the lowest of more; the table has all."""

NAMED: Final = 3
"""Groups a sentence names at most beside the first."""

FEW: Final = 8
"""Hidden groups it shows at most; how many there are stands in the note."""


def figure(
    released: Released[Distribution],
    t: Language,
    *,
    mode: theme.Mode,
    names: Mapping[str, str] | None = None,
    labels: Mapping[int, str] | None = None,
    guidance: Guidance | None = None,
    order: Order = "mean",
) -> go.Figure:
    """Stacked bars of the shares, one row per group and one for everybody.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    mode
        Light or dark.
    names
        What to call groups; those without a name are called by their id.
    labels
        What to call levels; by default as the scale does.
    guidance
        Drawn as thin lines where its shares would end.
    order
        Rows by ``mean`` (highest first), ``name`` or number of ``people``.
    """
    if order not in ("mean", "name", "people"):
        raise ValueError(f"order must be mean, name or people; got {order!r}")
    result, tokens = released.value, theme.TOKENS[mode]
    shown, hidden = _split(result.groups, "people", names)
    keys = {"mean": "mean", "people": "people"}
    if order in keys:
        shown.sort(key=lambda row: (-(row[keys[order]] or 0.0), row["name"]))
    shown, hidden, undrawn = _outermost(shown, hidden)
    whole = next((row for row in result.total.iter_rows(named=True) if row["people"] is not None), None)
    rows = [*([{**whole, "name": t("Everybody")}] if whole else []), *shown, *hidden]
    level_names = _labels(result.levels, labels)
    shares = _by_group(result.shares, "group")
    everybody = _by_group(result.total_shares, "scope").get("all", [])
    levels = result.levels["level"].to_list()
    fills = dict(zip(levels, theme.levels(len(levels), mode), strict=True))

    left, lines = _left(row["name"] for row in rows)
    right = 16 + CHARACTER * max((len(f"{row['people'] or 0:,}") for row in rows), default=1)
    right = max(right, CHARACTER * theme.wide(t("people")) + 12)
    legend = _legend_lines(level_names.values(), PIXELS)
    top = 12 + 24 * legend + 24
    step = max(ROW, LINE * lines + 14)
    fig = theme.figure(mode, height=int(top + step * max(len(rows), 1) + 40))
    plot = PIXELS - left - right
    for level in levels:
        cells = [
            (i, row, next((s for s in _shares_of(row, shares, everybody) if s["level"] == level), None))
            for i, row in enumerate(rows)
        ]
        drawn = [(i, row, cell) for i, row, cell in cells if cell is not None and cell["share"] is not None]
        fig.add_bar(
            orientation="h",
            name=escape(level_names[level]),
            x=[cell["share"] for _, _, cell in drawn],
            y=[i for i, _, _ in drawn],
            marker={"color": fills[level], "line": {"width": 1, "color": tokens.surface}},
            text=[
                f"{cell['count']:,}"
                if cell["share"] * plot >= max(FEWEST_PIXELS, CHARACTER * len(f"{cell['count']:,}") + 8)
                else ""
                for _, _, cell in drawn
            ],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            textfont={"color": theme.ink_on(fills[level]), "size": 13},
            constraintext="none",
            hovertext=[_share_text(row, cell, level_names, t) for _, row, cell in drawn],
            hoverinfo="text",
        )
    _hatch(fig, t, tokens, released, at=range(len(rows) - len(hidden), len(rows)), low=0.0, high=1.0)
    _name_rows(fig, [row["name"] for row in rows])
    _beside(
        fig, [f"{row['people']:,}" if row["people"] is not None else "" for row in rows], t("people"), tokens
    )
    if guidance is not None and rows:
        _guidance_lines(fig, t, tokens, guidance, levels, last=len(rows) - len(hidden) - 0.5)
    fig.update_layout(
        barmode="stack",
        bargap=0.3,
        margin={"l": left, "r": right, "t": top, "b": 36},
        legend={"yref": "container", "y": 1, "yanchor": "top", "x": 0, "font": {"size": 13}},
    )
    fig.update_xaxes(range=[0, 1], tickformat=".0%", dtick=0.25, showgrid=False)
    _say_undrawn(fig, t, tokens, undrawn)
    return fig


def multiples(
    released: Released[Distribution],
    t: Language,
    *,
    mode: theme.Mode,
    names: Mapping[str, str] | None = None,
    labels: Mapping[int, str] | None = None,
    columns: int = 3,
) -> go.Figure:
    """One small panel of level shares per group, with everybody's shares as ticks.

    Parameters as in `figure`; ``columns`` panels stand side by side.
    """
    if not 1 <= columns <= 6:
        raise ValueError(f"columns must be 1 to 6; got {columns}")
    result, tokens = released.value, theme.TOKENS[mode]
    shown, hidden = _split(result.groups, "people", names)
    shown.sort(key=lambda row: (-(row["mean"] or 0.0), row["name"]))
    shown, hidden, undrawn = _outermost(shown, hidden)
    panels = [*shown, *hidden]
    level_names = _labels(result.levels, labels)
    levels = result.levels["level"].to_list()
    shares = _by_group(result.shares, "group")
    everybody = {s["level"]: s["share"] for s in _by_group(result.total_shares, "scope").get("all", [])}
    seen = [s["share"] for row in shown for s in shares.get(row["group"], [])]
    most = max([*seen, *(share for share in everybody.values() if share is not None)], default=1.0)

    # All panels share one pair of axes, each moved to its place: sixty pairs take a second to build.
    left, label_lines = _left(level_names.values())
    rows = max(1, ceil(len(panels) / columns))
    wide = max(8, int((PIXELS - left) / columns / CHARACTER) - 4)
    titles = [_wrapped(_title(row, t), wide) for row in panels]
    slot = max(22, LINE * label_lines + 4)
    head = (LINE * max((title.count("<br>") + 1 for title in titles), default=1) + 16) / slot
    tall, across = len(levels) + head, 1.12 * most

    def x(i: int) -> float:
        return (i % columns) * across

    def y(i: int, level: int) -> float:
        return (i // columns) * tall + head + len(levels) - levels.index(level) - 0.5

    fig = theme.figure(mode, height=int(rows * tall * slot + 72))
    for level, fill in zip(levels, theme.levels(len(levels), mode), strict=True):
        mine = [
            (i, row, next(s for s in shares[row["group"]] if s["level"] == level))
            for i, row in enumerate(shown)
        ]
        fig.add_bar(
            orientation="h",
            base=[x(i) for i, _, _ in mine],
            x=[s["share"] for _, _, s in mine],
            y=[y(i, level) for i, _, _ in mine],
            width=0.75,
            marker={"color": fill, "line": {"width": 0}},
            hovertext=[_share_text(row, s, level_names, t) for _, row, s in mine],
            hoverinfo="text",
            showlegend=False,
        )
    places = [(i, level) for i in range(len(shown)) for level in levels if everybody.get(level) is not None]
    fig.add_scatter(
        x=[x(i) + everybody[level] for i, level in places],
        y=[y(i, level) for i, level in places],
        mode="markers",
        name=t("Everybody"),
        marker={
            "symbol": "line-ns",
            "size": 16,
            "line": {"width": 2, "color": tokens.ink},
            "color": tokens.ink,
        },
        hoverinfo="skip",
        showlegend=True,
    )
    dark = [(i, level) for i in range(len(shown), len(panels)) for level in levels]
    fig.add_bar(
        orientation="h",
        base=[x(i) for i, _ in dark],
        x=[most] * len(dark),
        y=[y(i, level) for i, level in dark],
        width=1,
        marker=_hatched(tokens),
        hovertext=_hidden_sentence(t, released),
        hoverinfo="text",
        showlegend=False,
    )
    _annotate(
        fig,
        [
            {
                "text": title,
                "x": x(i),
                "y": (i // columns) * tall + head - 4 / slot,
                "xanchor": "left",
                "yanchor": "bottom",
                "align": "left",
                "font": {"size": 13, "color": tokens.ink},
                "bgcolor": tokens.paper,
            }
            for i, title in enumerate(titles)
        ],
    )
    step = 0.1 if most <= 0.3 else 0.25 if most <= 0.75 else 0.5
    ticks = [(c * across + k * step, k * step) for c in range(columns) for k in range(int(most / step) + 1)]
    fig.update_xaxes(
        range=[0, columns * across - 0.12 * most],
        tickmode="array",
        tickvals=[at for at, _ in ticks],
        ticktext=[percent(share, t) for _, share in ticks],
        showline=False,
    )
    heights = [(y(r * columns, level), level) for r in range(rows) for level in levels]
    fig.update_yaxes(
        range=[rows * tall + 0.2, 0],
        tickmode="array",
        tickvals=[at for at, _ in heights],
        ticktext=[_wrapped(level_names[level]) for _, level in heights],
        showgrid=False,
        showline=False,
    )
    fig.update_layout(
        barmode="overlay",
        margin={"l": left, "r": 20, "t": 36, "b": 36},
        legend={"yref": "container", "y": 1, "yanchor": "top", "x": 0},
    )
    _say_undrawn(fig, t, tokens, undrawn)
    return fig


def guidance_figure(
    released: Released[GuidanceFit],
    t: Language,
    *,
    mode: theme.Mode,
    names: Mapping[str, str] | None = None,
    labels: Mapping[int, str] | None = None,
) -> go.Figure:
    """Share of each band against the range chance gives for so many people: one panel per band.

    Parameters as in `figure`. Rows are units of the fit, flagged ones first.
    """
    result, tokens = released.value, theme.TOKENS[mode]
    shown, hidden = _split(result.units, "people", names, key="unit")
    shown.sort(
        key=lambda row: (
            not row["flagged"],
            row["p"] is None,
            row["p"] if row["p"] is not None else 1,
            row["name"],
        )
    )
    shown, hidden, undrawn = shown[:DRAWN], hidden[:FEW], max(0, len(shown) - DRAWN)
    for row in shown:
        if row["pooled"]:
            row["name"] = t("{name}: small teams pooled", name=row["name"])
        elif not row["feasible"] or row["p"] is None:
            row["name"] = t("{name} (too few for this guidance)", name=row["name"])
    rows = [*shown, *hidden]
    bands = _by_group(result.bands, "unit")
    level_names = _labels(result.levels, labels)
    asked = result.all_bands
    left, lines = _left(row["name"] for row in rows)
    right = max(CHARACTER * max((len(f"{row['people'] or 0:,}") for row in rows), default=1), 0) + 16
    right = max(right, CHARACTER * theme.wide(t("people")) + 12)
    wide = max(8, int((PIXELS - left - right) / len(asked) / CHARACTER) - 2)
    titles = [
        _wrapped(band_label(band, level_names), wide) + "<br>" + _wrapped(band_rule(band, t), wide)
        for band in asked
    ]
    title_lines = max(title.count("<br>") + 1 for title in titles)
    dot = {
        False: {"symbol": "circle", "size": 9, "color": tokens.ink},
        True: {"symbol": "diamond", "size": 12, "color": tokens.lenient},
    }
    tick = {
        "symbol": "line-ns",
        "size": 14,
        "color": tokens.accent,
        "line": {"width": 2, "color": tokens.accent},
    }
    legend = {
        t("share in this group"): dot[False],
        t("outside what chance gives"): dot[True],
        t("range that chance gives"): {"symbol": "square", "size": 14, "color": _faint(tokens)},
        t("whole numbers that meet the guidance"): tick,
    }
    top = 20 + 22 * _legend_lines(legend, PIXELS - left - right) + LINE * title_lines
    step = max(ROW, LINE * lines + 14)
    fig = theme.figure(mode, height=int(top + step * max(len(rows), 1) + 40))
    base = fig.layout
    fig = make_subplots(
        rows=1,
        cols=len(asked),
        shared_yaxes=True,
        horizontal_spacing=0.025,
        subplot_titles=titles,
        figure=fig,
    )
    for name, marker in legend.items():
        # Entries of their own: a panel may have nothing of a kind to show.
        fig.add_scatter(x=[None], y=[None], mode="markers", name=name, marker=marker, row=1, col=1)
    for place, _ in enumerate(asked, start=1):
        cells = [
            (i, row, next(b for b in bands[row["unit"]] if b["band"] == place)) for i, row in enumerate(shown)
        ]
        furthest = max((max(b["share"], b["chance_high"] / b["people"]) for _, _, b in cells), default=1.0)
        reach = max(0.2, min(1.0, ceil(5 * furthest) / 5))
        # No label at the right end: it would run into the next panel's first.
        fig.update_xaxes(range=[-0.03 * reach, 1.04 * reach], tickvals=[0, reach / 2], row=1, col=place)
        fig.add_bar(
            orientation="h",
            showlegend=False,
            base=[b["chance_low"] / b["people"] for _, _, b in cells],
            # A range of one whole number still needs a width to be seen.
            x=[max((b["chance_high"] - b["chance_low"]) / b["people"], 0.006) for _, _, b in cells],
            y=[i for i, _, _ in cells],
            width=0.5,
            marker={"color": _faint(tokens), "line": {"width": 0}},
            hoverinfo="skip",
            row=1,
            col=place,
        )
        asking = [
            (i, b[end] / b["people"])
            for i, _, b in cells
            for end in ("asked_low", "asked_high")
            if b["asked_low"] <= b["asked_high"] and 0 < b[end] < b["people"]
        ]
        fig.add_scatter(
            showlegend=False,
            x=[x for _, x in asking],
            y=[i for i, _ in asking],
            mode="markers",
            marker=tick,
            hoverinfo="skip",
            row=1,
            col=place,
        )
        for outside in (False, True):
            dots = [(i, row, b) for i, row, b in cells if b["outside"] is outside]
            fig.add_scatter(
                showlegend=False,
                x=[b["share"] for _, _, b in dots],
                y=[i for i, _, _ in dots],
                mode="markers",
                marker=dot[outside],
                hovertext=[
                    t(
                        "{name}: {count} of {n} people; chance gives {low} to {high}",
                        name=escape(row["name"]),
                        count=b["count"],
                        n=b["people"],
                        low=b["chance_low"],
                        high=b["chance_high"],
                    )
                    for _, row, b in dots
                ],
                hoverinfo="text",
                row=1,
                col=place,
            )
        _hatch(
            fig,
            t,
            tokens,
            released,
            at=range(len(shown), len(rows)),
            low=0.0,
            high=reach,
            words=len(asked) == 1,
            row=1,
            col=place,
        )
    fig.update_xaxes(**_axis(base.xaxis), tickformat=".0%", showgrid=True)
    fig.update_yaxes(**_axis(base.yaxis), showgrid=False)
    _name_rows(fig, [row["name"] for row in rows])
    fig.update_annotations(font={"size": 13, "color": tokens.ink}, yanchor="bottom")
    _beside(
        fig, [f"{row['people']:,}" if row["people"] is not None else "" for row in rows], t("people"), tokens
    )
    if hidden and len(asked) > 1:
        fig.add_annotation(
            text=_hidden_sentence(t, released),
            x=0.5,
            xref="paper",
            y=len(shown) + (len(hidden) - 1) / 2,
            yref="y",
            showarrow=False,
            bgcolor=tokens.surface,
            font={"size": 13, "color": tokens.quiet},
        )
    fig.update_layout(
        barmode="overlay",
        margin={"l": left, "r": right, "t": top, "b": 36},
        legend={"yref": "container", "y": 1, "yanchor": "top", "x": 0, "font": {"size": 13}},
    )
    _say_undrawn(fig, t, tokens, undrawn)
    return fig


def change_figure(
    released: Released[Change],
    t: Language,
    *,
    mode: theme.Mode,
    names: Mapping[str, str] | None = None,
    cycles: Mapping[str, str] | None = None,
) -> go.Figure:
    """Mean rating before and after, an arrow per group, largest rise first.

    Parameters as in `figure`; ``cycles`` says what to call the two cycles.
    """
    result, tokens = released.value, theme.TOKENS[mode]
    shown, hidden = _split(result.groups, "fewest", names)
    # A group of one cycle only has nothing to compare; it is listed after the others, not plotted.
    shown.sort(
        key=lambda row: (
            row["difference"] is None,
            -(row["difference"] if row["difference"] is not None else 0.0),
            row["name"],
        )
    )
    shown, hidden, undrawn = _outermost(shown, hidden)
    rows = [*shown, *hidden]
    left, lines = _left(row["name"] for row in rows)
    beside = [
        t(
            "{difference} {interval}",
            difference=signed(row["difference"]),
            interval=interval(row["difference_low"], row["difference_high"], 1),
        )
        if row["difference"] is not None and row["difference_low"] is not None
        else ("–" if row["fewest"] is not None else "")
        for row in rows
    ]
    heading = t("change [likely]")
    right = CHARACTER * max([theme.wide(heading), *(len(text) for text in beside)]) + 16
    step = max(ROW, LINE * lines + 14)
    top = 64
    fig = theme.figure(mode, height=int(top + step * max(len(rows), 1) + 56))
    ends = [row[side] for row in shown for side in ("mean_before", "mean_after") if row[side] is not None]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    room = max(0.1 * (high - low), 0.1)
    low, high = low - room, high + room
    called = {cycle: escape((cycles or {}).get(cycle, cycle)) for cycle in (result.before, result.after)}
    for sure in (True, False):
        moved = [
            (i, row)
            for i, row in enumerate(shown)
            if row["difference"] is not None
            and (row["q"] is not None and row["q"] <= FALSE_DISCOVERY.value) is sure
        ]
        colour = tokens.accent if sure else tokens.quiet
        fig.add_scatter(
            name=t("beyond chance") if sure else t("chance could explain it"),
            x=[x for _, row in moved for x in (row["mean_before"], row["mean_after"], None)],
            y=[y for i, _ in moved for y in (i, i, None)],
            mode="lines+markers",
            line={"color": colour, "width": 2},
            marker={
                "symbol": [s for _ in moved for s in ("circle", "arrow", "circle")],
                "angleref": "previous",
                "size": [s for _ in moved for s in (0, 14, 0)],
                "color": colour,
                "opacity": 1,
            },
            hovertext=[
                text
                for _, row in moved
                for text in (
                    t(
                        "{name}, {cycle}: mean {mean}, {n} people",
                        name=escape(row["name"]),
                        cycle=called[result.before],
                        mean=f"{row['mean_before']:.1f}",
                        n=row["people_before"],
                    ),
                    t(
                        "{name}, {cycle}: mean {mean}, {n} people",
                        name=escape(row["name"]),
                        cycle=called[result.after],
                        mean=f"{row['mean_after']:.1f}",
                        n=row["people_after"],
                    ),
                    "",
                )
            ],
            hoverinfo="text",
            showlegend=bool(moved),
        )
        fig.add_scatter(
            x=[row["mean_before"] for _, row in moved],
            y=[i for i, _ in moved],
            mode="markers",
            marker={
                "symbol": "circle",
                "size": 9,
                "color": tokens.paper,
                "line": {"width": 2, "color": colour},
                "opacity": 1,
            },
            hoverinfo="skip",
            showlegend=False,
        )
    _hatch(fig, t, tokens, released, at=range(len(shown), len(rows)), low=low, high=high)
    _name_rows(fig, [row["name"] for row in rows])
    _beside(fig, beside, heading, tokens)
    fig.update_layout(
        margin={"l": left, "r": right, "t": top, "b": 52},
        legend={"yref": "container", "y": 1, "yanchor": "top", "x": 0, "font": {"size": 13}},
    )
    fig.update_xaxes(
        range=[low, high],
        tickformat=".1f",
        nticks=7,
        title={
            "text": t(
                "mean rating: ring {before}, arrow tip {after}",
                before=called[result.before],
                after=called[result.after],
            )
        },
    )
    _say_undrawn(fig, t, tokens, undrawn)
    return fig


def takeaway(
    released: Released[Distribution],
    t: Language,
    *,
    names: Mapping[str, str] | None = None,
    of_raters: bool = False,
) -> str:
    """What the distributions show, in one to three sentences; its figures are those of `details`.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    names
        What to call groups.
    of_raters
        Whether a group is what one rater gave: the names are then raters', and a sentence speaks of the
        people they rated.
    """
    result = released.value
    total = result.total.drop_nulls("people")
    if total.is_empty():
        return _too_few(released, t)
    variance = _tests(released).get(("variance", "person"))
    if variance is None:
        return t(
            "The data cannot tell whether groups differ: too few groups are large enough to be compared."
        )
    part = _part(variance["size"], t)
    spread = total["sd"][0] or 0.0
    far = sorted(
        (
            row
            for row in _split(result.groups, "people", names)[0]
            if row["q"] is not None
            and row["q"] <= FALSE_DISCOVERY.value
            and abs(row["difference"]) >= SMALL_DIFFERENCE.value * spread
        ),
        key=lambda row: (-abs(row["difference"]), row["name"]),
    )
    if far:
        account = t(
            "All groups together explain {part} of why ratings differ; the rest lies within the groups.",
            part=part,
        )
        return t.joined(
            [
                _first(far[0], t, of_raters=of_raters),
                *_others(far[1:], t, of_raters=of_raters),
                account,
            ]
        )
    if variance["verdict"] == "chance":
        return t("No group differs beyond what chance explains.")
    if variance["verdict"] == "negligible":
        return t(
            "Groups differ, but negligibly: together they explain {part} of why ratings differ. That so "
            "little shows at all is owed to the number of ratings.",
            part=part,
        )
    return t(
        "Groups differ as a whole, but no single one stands out: together they explain {part} of why ratings "
        "differ.",
        part=part,
    )


def details(released: Released[Distribution], t: Language) -> dict[str, str]:
    """The figures behind `takeaway` for who asks how we know, by what they are; empty if nothing is compared.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    """
    tests = _tests(released)
    variance, kruskal = tests.get(("variance", "person")), tests.get(("kruskal_wallis", "rating"))
    if variance is None:
        return {}
    said = {
        t("Explained by groups"): t("{share} of the variance of ratings.", share=_share(variance["size"], t))
    }
    if kruskal is not None:
        said[t("Rank tests")] = t(
            "Kruskal–Wallis over people: p {people}; over ratings: H {h}, df {df}, p {p}.",
            people=_p(variance["p"]),
            h=f"{kruskal['statistic']:.1f}",
            df=f"{kruskal['df']:.0f}",
            p=_p(kruskal["p"]),
        )
    return said


def _tests(released: Released[Distribution]) -> dict[tuple[str, str], Row]:
    found = released.value.tests.drop_nulls("verdict")
    return {(row["test"], row["unit"]): row for row in found.iter_rows(named=True)}


def change_takeaway(
    released: Released[Change],
    t: Language,
    *,
    names: Mapping[str, str] | None = None,
    of_raters: bool = False,
) -> str:
    """What changed between the two cycles, in one to three sentences; parameters as in `takeaway`."""
    result = released.value
    total = result.total.drop_nulls("fewest")
    if total.is_empty():
        return _too_few(released, t)
    whole = total.row(0, named=True)
    if whole["difference"] is None or whole["difference_low"] is None:
        return t("The data cannot tell what changed: only one of the two cycles has enough ratings.")
    low, high = whole["difference_low"], whole["difference_high"]
    digits = 1 if low <= 0 <= high else decimals(whole["difference"], low, high)
    values = {
        "points": f"{abs(whole['difference']):.{digits}f}",
        "low": signed(low, digits),
        "high": signed(high, digits),
    }
    if low <= 0 <= high:
        first = t(
            "Ratings as a whole did not change beyond chance (likely {low} to {high} points).", **values
        )
    elif whole["difference"] > 0:
        first = t("Ratings rose by {points} points (likely {low} to {high}).", **values)
    else:
        first = t("Ratings fell by {points} points (likely {low} to {high}).", **values)
    moved = sorted(
        (
            row
            for row in _split(result.groups, "fewest", names)[0]
            if row["q"] is not None and row["q"] <= FALSE_DISCOVERY.value
        ),
        key=lambda row: (-abs(row["difference"]), row["name"]),
    )
    if not moved:
        return t.joined([first, t("No single group changed beyond what chance explains.")])
    listed = t.listing([_named_difference(row, t, of_raters=of_raters) for row in moved[:NAMED]])
    if len(moved) > NAMED:
        second = t("{n} groups changed beyond chance, most of all {names}.", n=len(moved), names=listed)
    else:
        second = t.plural(
            "{n} group changed beyond chance: {names}.",
            "{n} groups changed beyond chance: {names}.",
            len(moved),
            names=listed,
        )
    return t.joined([first, second])


def guidance_takeaway(
    released: Released[GuidanceFit],
    t: Language,
    *,
    names: Mapping[str, str] | None = None,
    of_raters: bool = False,
) -> str:
    """Who fits the guidance, in one to three sentences; parameters as in `takeaway`."""
    result = released.value
    shown = _split(result.units, "people", names, key="unit")[0]
    judged = [row for row in shown if row["p"] is not None]
    if not judged:
        return t(
            "The guidance cannot be judged here: no group, alone or pooled, has enough people for whole "
            "numbers to meet it."
        )
    flagged = sorted(
        (row for row in judged if row["flagged"]), key=lambda row: (-(row["moves"] or 0), row["name"])
    )
    off = [row for row in judged if not row["inside"]]
    sentences: list[str] = []
    if flagged:
        sentences.append(_departing(flagged, len(judged), t, of_raters=of_raters))
    elif off:
        sentences.append(
            t.plural(
                "{n} group does not meet the guidance, but chance alone explains as much.",
                "{n} groups do not meet the guidance, but chance alone explains as much.",
                len(off),
            )
        )
    else:
        sentences.append(t("Every group that can be judged meets the guidance."))
    pools = sum(1 for row in judged if row["pooled"])
    if pools:
        sentences.append(
            t.plural(
                "{n} pool stands for teams too small for the guidance.",
                "{n} pools stand for teams too small for the guidance.",
                pools,
            )
        )
    alone = sum(1 for row in shown if row["p"] is None)
    if alone:
        sentences.append(
            t.plural(
                "For {n} group the guidance makes no sense: no whole numbers of so few people meet it.",
                "For {n} groups the guidance makes no sense: no whole numbers of so few people meet it.",
                alone,
            )
        )
    return t.joined(sentences)


def _departing(flagged: Sequence[Row], judged: int, t: Language, *, of_raters: bool) -> str:
    """Who departs from the guidance by more than chance."""
    listed = t.listing(
        [
            t.plural(
                "{name} ({n} person would have to move)",
                "{name} ({n} people would have to move)",
                row["moves"] or 0,
                name=_within(row, t, of_raters=of_raters),
            )
            for row in flagged[:NAMED]
        ]
    )
    if judged == 1:
        return t(
            "The one group that can be judged departs from the guidance by more than chance: {names}.",
            names=listed,
        )
    if len(flagged) > NAMED:
        return t(
            "{n} of {judged} groups depart from the guidance by more than chance, most of all {names}.",
            n=len(flagged),
            judged=judged,
            names=listed,
        )
    return t.plural(
        "{n} of {judged} groups departs from the guidance by more than chance: {names}.",
        "{n} of {judged} groups depart from the guidance by more than chance: {names}.",
        len(flagged),
        judged=judged,
        names=listed,
    )


def guidance_name(guidance: Guidance, t: Language) -> str:
    """What to call a guidance in a menu or caption."""
    called = {
        "2-7-1": t("20/70/10 (2-7-1)"),
        "s-to-d": t("S/A/B/C/D 10/20/50/15/5 (customary)"),
        "ranges": t("Best level at most 20 %, worst at least 5 %"),
        "top-two": t("Two best levels together at most 30 %"),
        "custom": t("Our own guidance"),
    }
    return called.get(guidance.key, guidance.key)


def band_label(band: Band, labels: Mapping[int, str]) -> str:
    """The levels of a band, as people call them."""
    if len(band.levels) > 2 and band.levels[-1] - band.levels[0] == len(band.levels) - 1:
        return f"{labels[band.levels[0]]} – {labels[band.levels[-1]]}"
    return " + ".join(labels[level] for level in band.levels)


def band_rule(band: Band, t: Language) -> str:
    """What the guidance asks of a band."""
    if band.target is not None and (band.least > 0 or band.most < 1):
        return t(
            "{target} (meets: {least} to {most})",
            target=percent(band.target, t),
            least=percent(band.least, t),
            most=percent(band.most, t),
        )
    if band.least > 0 and band.most < 1:
        return t("{least} to {most}", least=percent(band.least, t), most=percent(band.most, t))
    if band.most < 1:
        return t("at most {most}", most=percent(band.most, t))
    if band.least > 0:
        return t("at least {least}", least=percent(band.least, t))
    return t("no guidance")


def _first(row: Row, t: Language, *, of_raters: bool) -> str:
    ends = (row["difference_low"], row["difference_high"])
    digits = decimals(row["difference"], *ends)
    low, high = sorted(map(abs, ends))
    values = {
        "name": _opening(row, t, of_raters=of_raters),
        "points": f"{abs(row['difference']):.{digits}f}",
        "low": f"{low:.{digits}f}",
        "high": f"{high:.{digits}f}",
    }
    if row["difference"] > 0:
        return t(
            "{name} is rated {points} points higher than everybody else (likely {low} to {high}).", **values
        )
    return t("{name} is rated {points} points lower than everybody else (likely {low} to {high}).", **values)


def _others(rows: Sequence[Row], t: Language, *, of_raters: bool) -> list[str]:
    """Which other groups differ: all of a few by name, the furthest of more."""
    if not rows:
        return []
    if len(rows) > NAMED:
        listed = t.listing([_named_difference(row, t, of_raters=of_raters) for row in rows[:NAMED]])
        return [t("{n} other groups differ too, most of all {names}.", n=len(rows), names=listed)]
    named = [
        _named_difference(row, t, of_raters=of_raters, opening=place == 0) for place, row in enumerate(rows)
    ]
    if len(rows) == 1:
        return [t("{name} differs too.", name=named[0])]
    return [t("{names} differ too.", names=t.listing(named))]


def _named_difference(row: Row, t: Language, *, of_raters: bool, opening: bool = False) -> str:
    name = (_opening if opening else _within)(row, t, of_raters=of_raters)
    return t("{name} ({difference})", name=name, difference=signed(row["difference"]))


def _opening(row: Row, t: Language, *, of_raters: bool) -> str:
    """What to call a group where a sentence begins."""
    name: str = row["name"]
    return t("The group rated by {name}", name=name) if of_raters else name


def _within(row: Row, t: Language, *, of_raters: bool) -> str:
    """What to call a group within a sentence."""
    name: str = row["name"]
    return t("the group rated by {name}", name=name) if of_raters else name


def _part(share: float, t: Language) -> str:
    """A share in words nobody has to work out."""
    parts = {
        0.0: t("almost nothing"),
        0.01: t("about a hundredth"),
        0.02: t("about a fiftieth"),
        0.05: t("about a twentieth"),
        0.1: t("about a tenth"),
        0.15: t("about a seventh"),
        0.2: t("about a fifth"),
        0.25: t("about a quarter"),
        0.33: t("about a third"),
        0.5: t("about half"),
        0.67: t("about two thirds"),
        0.75: t("about three quarters"),
        1.0: t("almost all"),
    }
    return parts[min(parts, key=lambda part: abs(part - share))]


def _too_few(released: Released[Any], t: Language) -> str:
    return t(
        "Too few people to show anything: figures start at {minimum} people.",
        minimum=released.minimum,
    )


def _hidden_sentence(t: Language, released: Released[Any]) -> str:
    # One sentence for the small and for those hidden beside them: to tell them apart would tell sizes.
    return t("hidden to protect groups of fewer than {minimum} people", minimum=released.minimum)


def _share(value: float, t: Language) -> str:
    gap = "" if t.code == "zh" else " "
    if value < 0.001:
        return f"<0.1{gap}%"
    return f"{100 * value:.1f}{gap}%" if value < 0.1 else percent(value, t)


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"


def _split(
    frame: pl.DataFrame, people: str, names: Mapping[str, str] | None, *, key: str = "group"
) -> tuple[list[Row], list[Row]]:
    """Rows of shown and of hidden groups, each with its ``name``, by name."""
    called = names or {}
    rows = [{**row, "name": called.get(row[key], row[key])} for row in frame.iter_rows(named=True)]
    rows.sort(key=lambda row: (row["name"], row[key]))
    return [r for r in rows if r[people] is not None], [r for r in rows if r[people] is None]


def _outermost(shown: list[Row], hidden: list[Row]) -> tuple[list[Row], list[Row], int]:
    """The highest and the lowest of more rows than a picture can hold, and how many lie between them."""
    if len(shown) <= DRAWN:
        return shown, hidden[:FEW], 0
    return [*shown[: DRAWN // 2], *shown[-DRAWN // 2 :]], hidden[:FEW], len(shown) - DRAWN


def _say_undrawn(fig: go.Figure, t: Language, tokens: theme.Tokens, undrawn: int) -> None:
    """A line below the axis: how many groups the picture leaves to the table."""
    if not undrawn:
        return
    bottom = fig.layout.margin.b
    fig.update_layout(margin={"b": bottom + 28}, height=fig.layout.height + 28)
    fig.add_annotation(
        text=t.plural(
            "{n} more group is not drawn; the table has all.",
            "{n} more groups are not drawn; the table has all.",
            undrawn,
        ),
        x=0,
        xref="paper",
        xanchor="left",
        y=0,
        yref="paper",
        yanchor="top",
        yshift=-bottom,
        showarrow=False,
        font={"size": 13, "color": tokens.quiet},
    )


def _by_group(frame: pl.DataFrame, key: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in frame.iter_rows(named=True):
        found.setdefault(row[key], []).append(row)
    return found


def _share_text(row: Row, cell: Row, level_names: Mapping[int, str], t: Language) -> str:
    return t(
        "{name}, {level}: {count} of {n} ratings, {share} (likely {low} to {high})",
        name=escape(row["name"]),
        level=escape(level_names[cell["level"]]),
        count=cell["count"],
        n=cell["ratings"],
        share=percent(cell["share"], t),
        low=percent(cell["low"], t),
        high=percent(cell["high"], t),
    )


def _annotate(fig: go.Figure, notes: Sequence[dict[str, Any]]) -> None:
    """All at once: plotly checks every earlier annotation again with each one added."""
    fig.layout.annotations = (*fig.layout.annotations, *({"showarrow": False, **note} for note in notes))


def _shares_of(row: Row, shares: Mapping[str, list[Row]], everybody: list[Row]) -> list[Row]:
    return shares[row["group"]] if "group" in row else everybody


def _labels(levels: pl.DataFrame, labels: Mapping[int, str] | None) -> dict[int, str]:
    own = dict(levels.select("level", "label").iter_rows())
    return {level: (labels or {}).get(level, label) for level, label in own.items()}


def _title(row: Row, t: Language) -> str:
    if row["people"] is None:
        return t("{name} (hidden)", name=row["name"])
    return t("{name} (n={n})", name=row["name"], n=row["people"])


def _wrapped(text: str, width: int = 26, lines: int = 3) -> str:
    """Text broken to a width, escaped for plotly; the last line ends in … if there is more."""
    words: list[str] = []
    # A number stays with its unit.
    kept = " ".join(text.split()).replace(" %", "\u00a0%")
    for character in kept:
        wide = east_asian_width(character) in "WF"
        after_wide = bool(words) and east_asian_width(words[-1][-1]) in "WF"
        if not words or wide or after_wide or words[-1].endswith(" "):
            words.append(character)
        else:
            words[-1] += character
    words = [word[i : i + width] for word in words for i in range(0, max(len(word), 1), width)]
    rows = [""]
    for word in words:
        if rows[-1] and theme.wide(rows[-1]) + theme.wide(word.rstrip()) > width:
            rows.append("")
        rows[-1] += word
    rows = [row.strip() for row in rows]
    if len(rows) > lines:
        rows = [*rows[: lines - 1], rows[lines - 1][: width - 1] + "…"]
    return "<br>".join(escape(row) for row in rows)


def _left(names: Any) -> tuple[int, int]:
    """Pixels the wrapped names need on the left, and the most lines one of them has."""
    wrapped = [_wrapped(name) for name in names]
    widest = max((theme.wide(line) for name in wrapped for line in name.split("<br>")), default=1)
    return int(CHARACTER * widest + 16), max((name.count("<br>") + 1 for name in wrapped), default=1)


def _legend_lines(labels: Any, pixels: float) -> int:
    """Lines plotly will break a horizontal legend into: all its entries are as wide as the widest."""
    entries = [CHARACTER * theme.wide(label) + 48 for label in labels]
    if not entries:
        return 1
    if sum(entries) <= pixels:
        return 1
    return ceil(len(entries) / max(1, int(pixels // max(entries))))


def _name_rows(fig: go.Figure, names: Sequence[str]) -> None:
    """Rows are numbers on the axis, so that two groups of one name stay two rows."""
    fig.update_yaxes(
        tickmode="array",
        tickvals=list(range(len(names))),
        ticktext=[_wrapped(name) for name in names],
        range=[len(names) - 0.5, -0.5],
        showgrid=False,
    )


def _beside(fig: go.Figure, texts: Sequence[str], heading: str, tokens: theme.Tokens) -> None:
    """A column of texts right of the plot."""
    common = {"x": 1, "xref": "paper", "xanchor": "left", "xshift": 8, "align": "left"}
    ink, quiet = {"size": 13, "color": tokens.ink}, {"size": 13, "color": tokens.quiet}
    notes = [
        {**common, "text": text, "y": i, "yref": "y", "font": ink} for i, text in enumerate(texts) if text
    ]
    head = {**common, "text": heading, "y": 1, "yref": "paper", "yanchor": "bottom", "font": quiet}
    _annotate(fig, [*notes, head])


def _hatched(tokens: theme.Tokens) -> dict[str, Any]:
    return {
        "color": tokens.surface,
        "line": {"width": 1, "color": tokens.hairline},
        "pattern": {
            "shape": "/",
            "fgcolor": tokens.unknown,
            "bgcolor": tokens.surface,
            "size": 6,
            "solidity": 0.2,
        },
    }


def _hatch(
    fig: go.Figure,
    t: Language,
    tokens: theme.Tokens,
    released: Released[Any],
    *,
    at: range,
    low: float,
    high: float,
    words: bool = True,
    **subplot: int,
) -> None:
    """Grey hatched rows for what is hidden, saying so."""
    if not at:
        return
    fig.add_bar(
        orientation="h",
        base=[low] * len(at),
        x=[high - low] * len(at),
        y=list(at),
        marker=_hatched(tokens),
        hovertext=_hidden_sentence(t, released),
        hoverinfo="text",
        showlegend=False,
        **subplot,
    )
    if words:
        sentence = _hidden_sentence(t, released)
        common = {
            "text": sentence,
            "x": (low + high) / 2,
            "xref": "x",
            "yref": "y",
            "bgcolor": tokens.surface,
        }
        font = {"size": 13, "color": tokens.quiet}
        _annotate(fig, [{**common, "y": i, "font": font} for i in at])


def _guidance_lines(
    fig: go.Figure,
    t: Language,
    tokens: theme.Tokens,
    guidance: Guidance,
    levels: Sequence[int],
    *,
    last: float,
) -> None:
    """Thin lines where the guidance's shares end, counted from the lowest level."""
    previous = -1.0
    for x in _ends(guidance, levels):
        fig.add_shape(
            type="line",
            x0=x,
            x1=x,
            y0=-0.5,
            y1=last,
            line={"color": tokens.ink, "width": 2},
            # Behind the bars: the line shows as ticks between them and never crosses a count.
            layer="below",
        )
        near = x - previous < 0.16 and previous >= 0
        fig.add_annotation(
            text=percent(x, t) if near else t("guidance {share}", share=percent(x, t)),
            x=x,
            y=1,
            yref="paper",
            yanchor="bottom",
            showarrow=False,
            font={"size": 13, "color": tokens.quiet},
        )
        previous = x


def _ends(guidance: Guidance, levels: Sequence[int]) -> list[float]:
    covered = [level for band in guidance.bands for level in band.levels]
    if guidance.every_band_has_a_target and covered == list(levels):
        ends, running = [], 0.0
        for band in guidance.bands[:-1]:
            running += band.target or 0.0
            ends.append(round(running, 9))
        return ends
    found: set[float] = set()
    for band in guidance.bands:
        shares = (
            [band.target] if band.target is not None else [s for s in (band.least, band.most) if 0 < s < 1]
        )
        if list(band.levels) == list(levels[: len(band.levels)]):
            found |= {round(share, 9) for share in shares}
        elif list(band.levels) == list(levels[-len(band.levels) :]):
            found |= {round(1 - share, 9) for share in shares}
    return sorted(found)


def _faint(tokens: theme.Tokens) -> str:
    red, green, blue = (int(tokens.quiet[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.28)"


def _axis(axis: Any) -> dict[str, Any]:
    """The template's axis style, for axes that subplots have made anew."""
    style: dict[str, Any] = axis.to_plotly_json()
    return {
        name: style[name]
        for name in ("gridcolor", "linecolor", "zeroline", "tickfont", "fixedrange")
        if name in style
    }
