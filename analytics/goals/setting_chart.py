"""Pictures and sentences about how goals were set: what they have, and how late they were agreed.

Every picture and sentence takes a released result.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import plotly.graph_objects as go
import polars as pl

from analytics import theme
from analytics.disclosure import Released
from analytics.goals.setting import FACTS, Setting
from analytics.language import Language, percent
from analytics.policy import SETTING_LATE

HEIGHT: Final = 56 + 34 * len(FACTS)


def fact_words(t: Language) -> dict[str, str]:
    """What a goal needs, by `FACTS`."""
    return {
        "metric": t("Metric"),
        "target": t("Target"),
        "data_source": t("Data source"),
        "cadence": t("Review cadence"),
        "owner": t("Owner"),
        "agreed": t("Agreed by both sides"),
    }


def takeaway(released: Released[Setting], t: Language, *, names: Mapping[str, str]) -> str:
    """How many open goals have all they need, how late they were agreed, and which department stands out."""
    total = released.value.total.row(0, named=True)
    if total["goals"] is None:
        return t("Too few people own these goals to say how they were set.")
    if total["goals"] == 0:
        return t("There are no open goals.")
    said = [
        t(
            "{share} of open goals have all six things a goal needs ({n} of {total}).",
            share=percent(total["complete"] / total["goals"], t),
            n=total["complete"],
            total=total["goals"],
        ),
        timeliness(released, t),
        departments_takeaway(released, t, names=names),
    ]
    return t.joined(said)


def timeliness(released: Released[Setting], t: Language) -> str:
    """When goals were agreed, against their first day."""
    total = released.value.total.row(0, named=True)
    if not total["dated"]:
        return t("Of no open goal is it known when both sides agreed.")
    days, limit = round(total["median_days"]), int(SETTING_LATE.value)
    usual = (
        t.plural(
            "Half of those agreed were agreed by {n} day after their first day.",
            "Half of those agreed were agreed by {n} days after their first day.",
            days,
        )
        if days >= 0
        else t.plural(
            "Half of those agreed were agreed by {n} day before their first day.",
            "Half of those agreed were agreed by {n} days before their first day.",
            -days,
        )
    )
    if total["late"] == 0:
        return t.joined([usual, t("None was agreed more than {limit} days after it.", limit=limit)])
    late = t(
        "{share} [{low}, {high}] were agreed more than {limit} days after it.",
        share=percent(total["late_share"], t),
        low=percent(total["late_low"], t),
        high=percent(total["late_high"], t),
        limit=limit,
    )
    return t.joined([usual, late])


def figure(released: Released[Setting], t: Language, mode: theme.Mode) -> go.Figure:
    """How many of the open goals have each of `FACTS`, what most lack on top."""
    tokens = theme.TOKENS[mode]
    total = released.value.total.row(0, named=True)
    if not total["goals"]:
        return theme.nothing(takeaway(released, t, names={}), mode)
    words = fact_words(t)
    order = sorted(FACTS, key=lambda fact: (total[fact], FACTS.index(fact)))
    shares = [total[fact] / total["goals"] for fact in order]
    drawn = theme.figure(mode, height=HEIGHT)
    drawn.add_bar(
        orientation="h",
        x=[1.0] * len(order),
        y=list(range(len(order))),
        width=0.5,
        marker={"color": "rgba(0,0,0,0)", "line": {"color": tokens.hairline, "width": 1}},
        hoverinfo="skip",
    )
    drawn.add_bar(
        orientation="h",
        x=shares,
        y=list(range(len(order))),
        width=0.5,
        marker={"color": tokens.accent},
        hoverinfo="skip",
    )
    for at, (fact, share) in enumerate(zip(order, shares, strict=True)):
        drawn.add_annotation(
            text=t(
                "{share} · {missing} lack it", share=percent(share, t), missing=total["goals"] - total[fact]
            ),
            x=1.0,
            y=at,
            xanchor="left",
            xshift=8,
            showarrow=False,
            font={"color": tokens.ink, "size": 13},
        )
    drawn.update_layout(
        barmode="overlay",
        showlegend=False,
        margin={"t": 8, "r": 150},
        xaxis={
            "range": [0, 1],
            "tickformat": ".0%",
            "title": {"text": t("Share of the open goals that have it")},
        },
        yaxis={
            "tickmode": "array",
            "tickvals": list(range(len(order))),
            "ticktext": [words[fact] for fact in order],
            "range": [len(order) - 0.4, -0.6],
            "tickfont": {"color": tokens.ink},
            "showgrid": False,
        },
    )
    return drawn


def departments_takeaway(released: Released[Setting], t: Language, *, names: Mapping[str, str]) -> str:
    """Which department agrees on its goals later than all others; empty where none stands out."""
    late = released.value.departments.filter(pl.col("stands_out").fill_null(value=False)).sort(
        "late_share", "department_id", descending=[True, False]
    )
    if late.is_empty():
        return ""
    first = late.row(0, named=True)
    said = t(
        "{name} agreed on {share} [{low}, {high}] of its goals that late, all others together on "
        "{elsewhere}.",
        name=names.get(first["department_id"], first["department_id"]),
        share=percent(first["late_share"], t),
        low=percent(first["late_low"], t),
        high=percent(first["late_high"], t),
        elsewhere=percent(first["elsewhere"], t),
    )
    if late.height == 1:
        return said
    return t.joined(
        [
            said,
            t.plural(
                "{n} more department stands out in the same way.",
                "{n} more departments stand out in the same way.",
                late.height - 1,
            ),
        ]
    )


def completeness(released: Released[Setting], t: Language, *, names: Mapping[str, str]) -> str:
    """Between which shares the departments lie, where that is known of several."""
    known = released.value.departments.drop_nulls("goals").filter(pl.col("goals") > 0)
    if known.height < 2:
        return ""
    ranked = known.with_columns((pl.col("complete") / pl.col("goals")).alias("_share")).sort(
        "_share", "department_id"
    )
    low, high = ranked.row(0, named=True), ranked.row(-1, named=True)
    return t(
        "Between {low} ({least}) and {high} ({most}) of the open goals of a department have all six.",
        low=percent(low["_share"], t),
        least=names.get(low["department_id"], low["department_id"]),
        high=percent(high["_share"], t),
        most=names.get(high["department_id"], high["department_id"]),
    )


def cycles_takeaway(released: Released[Setting], t: Language) -> str:
    """How completely goals were set in the last two cycles."""
    known = released.value.cycles.drop_nulls("goals").filter(pl.col("goals") > 0)
    if known.height < 2:
        return t("Only one cycle is known, so nobody can say.")
    before, after = (known.row(at, named=True) for at in (-2, -1))
    return t(
        "Of the goals of {after} {share} have all six things a goal needs, of those of {before} {earlier}.",
        after=after["cycle_id"],
        share=percent(after["complete"] / after["goals"], t),
        before=before["cycle_id"],
        earlier=percent(before["complete"] / before["goals"], t),
    )
