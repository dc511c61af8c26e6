"""One yardstick for everybody? The picture of raters against chance, and the sentences about them.

Every function is pure: a released result in, a plotly figure or a sentence out. A rater is never drawn
without what chance alone would do, and what the whole company does is never said of a rater.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from types import MappingProxyType
from typing import Any, Final

import plotly.graph_objects as go
import polars as pl
from scipy import stats

from analytics import theme
from analytics.disclosure import Released
from analytics.language import Language, decimals, signed
from analytics.policy import CONFIDENCE, MINIMUM_GROUP
from analytics.severity import chart
from analytics.severity.design import Refusal
from analytics.severity.differential import Differential

Row = Mapping[str, Any]
_NOBODY: Final[Mapping[str, str]] = MappingProxyType({})
_FLAGS: Final = ("softer", "harder")
MOST_NAMED: Final = 12
"""Flagged raters whose names stand in the picture; the table has all."""


def figure(
    released: Released[Differential],
    t: Language,
    *,
    mode: theme.Mode,
    group: str,
    names: Mapping[str, str] = _NOBODY,
    groups: Mapping[str, str] = _NOBODY,
) -> go.Figure:
    """Every rater's difference for one group, against the cone within which chance puts 19 of 20 raters.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    mode
        Light or dark.
    group
        The group looked at.
    names, groups
        What to call raters and groups by id; groups as a noun that fits "rates … softer".
    """
    tokens = theme.TOKENS[mode]
    rows = released.value.raters.filter(group=group).drop_nulls("alone").sort("standard_error", "rater_id")
    if rows.is_empty():
        words = (
            refusal(released.value.refusal, t)
            if released.value.refusal
            else t("No rater rated enough people of this group and of the others to tell.")
        )
        return theme.nothing(words, mode)
    fig = theme.figure(mode, height=440)
    far = float(rows["standard_error"].max()) * 1.08  # type: ignore[arg-type]
    near = float(rows["standard_error"].min()) * 0.9  # type: ignore[arg-type]
    reach = float(stats.norm.ppf(0.5 + CONFIDENCE.value / 2.0))
    fig.add_scatter(
        x=[-reach * far, -reach * near, reach * near, reach * far],
        y=[far, near, near, far],
        fill="toself",
        mode="none",
        fillcolor=tokens.band,
        hoverinfo="skip",
        showlegend=False,
    )
    fig.add_vline(x=0, line={"color": tokens.quiet, "width": 1.5}, layer="below")
    colours = {"softer": tokens.lenient, "harder": tokens.severe, "unremarkable": tokens.unknown}
    for verdict in ("unremarkable", *_FLAGS):
        mine = list(rows.filter(verdict=verdict).iter_rows(named=True))
        if not mine:
            continue
        flagged = verdict in _FLAGS
        named = [
            names.get(row["rater_id"], row["rater_id"]) if flagged and at < MOST_NAMED else ""
            for at, row in enumerate(sorted(mine, key=lambda row: -abs(row["difference"])))
        ]
        mine.sort(key=lambda row: -abs(row["difference"]))
        fig.add_scatter(
            x=[row["alone"] for row in mine],
            y=[row["standard_error"] for row in mine],
            mode="markers+text",
            marker={
                "color": colours[verdict],
                "size": 11 if flagged else 7,
                "symbol": "diamond" if flagged else "circle",
                "opacity": 1.0 if flagged else 0.7,
            },
            text=[escape(name) for name in named],
            textposition="middle right" if verdict == "softer" else "middle left",
            textfont={"color": colours[verdict], "size": 13},
            hovertext=[
                escape(
                    reading(
                        row,
                        t,
                        name=names.get(row["rater_id"], row["rater_id"]),
                        group=groups.get(group, group),
                    )
                )
                for row in mine
            ],
            hoverinfo="text",
            cliponaxis=False,
            showlegend=False,
        )
    widest = max(reach * far, float(rows["alone"].abs().max()) * 1.15)  # type: ignore[arg-type]
    step = next((size for size in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0) if widest / size <= 5), widest / 4)
    most = int(widest / step)
    fig.update_xaxes(
        range=[-widest, widest],
        tickmode="array",
        tickvals=[k * step for k in range(-most, most + 1)],
        ticktext=[signed(k * step) for k in range(-most, most + 1)],
        title={"text": escape(t("Difference in rating points: left of the line harder, right of it softer"))},
    )
    fig.update_yaxes(range=[far, near * 0.9], showticklabels=False, showgrid=False)
    for x, anchor, words in (
        (0.0, "left", t("rates {group} harder", group=groups.get(group, group))),
        (1.0, "right", t("rates {group} softer", group=groups.get(group, group))),
    ):
        theme.named(fig, words, tokens, x=x, xref="paper", anchor=anchor)
    theme.named(fig, t("as other raters do"), tokens, x=0)
    fig.update_layout(margin={"l": 8, "r": 24, "t": 36, "b": 8}, hovermode="closest")
    return fig


def takeaway(released: Released[Differential], t: Language, *, groups: Mapping[str, str] = _NOBODY) -> str:
    """Do some raters rate some group differently, in plain sentences.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    groups
        What to call groups, as a noun that fits "rates … softer".
    """
    found = released.value
    if found.refusal is not None:
        return refusal(found.refusal, t)
    told = found.raters.drop_nulls("difference")
    many = told["rater_id"].n_unique()
    flagged = told.filter(pl.col("verdict").is_in(_FLAGS))
    if not many:
        return t("No rater within your reach rated enough people of two groups to tell.")
    sentences = []
    if flagged.is_empty():
        sentences.append(
            t.plural(
                "The {n} rater the data can tell about rates groups as other raters do, as far as chance "
                "lets one see.",
                "None of the {n} raters the data can tell about rates a group differently than other raters "
                "do, beyond what chance explains.",
                many,
            )
        )
    for (group, verdict), rows in sorted(flagged.partition_by("group", "verdict", as_dict=True).items()):
        places = {"group": groups.get(group, group), "many": many}
        sentences.append(
            t.plural(
                "{n} of {many} raters rates {group} softer than other raters do.",
                "{n} of {many} raters rate {group} softer than other raters do.",
                rows.height,
                **places,
            )
            if verdict == "softer"
            else t.plural(
                "{n} of {many} raters rates {group} harder than other raters do.",
                "{n} of {many} raters rate {group} harder than other raters do.",
                rows.height,
                **places,
            )
        )
    if flagged.height:
        wrong = found.expected_false_flags
        sentences.append(
            t("Fewer than one of these flags is expected to point the wrong way.")
            if wrong < 1
            else t.plural(
                "About {n} of these flags is expected to point the wrong way.",
                "About {n} of these flags are expected to point the wrong way.",
                round(wrong),
            )
        )
    if found.noticeable is not None:
        sentences.append(
            t(
                "As each rater rates only so many people, a difference would mostly be noticed from {points} "
                "points on; smaller ones may hide in chance.",
                points=f"{found.noticeable:.1f}",
            )
        )
    return t.joined(sentences)


def company(
    released: Released[Differential],
    t: Language,
    *,
    groups: Mapping[str, str] = _NOBODY,
    rest: Mapping[str, str] = _NOBODY,
) -> str:
    """What runs through the whole company, and whose business that is.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    groups, rest
        What to call a group, and those it is compared with.
    """
    found = released.value
    told = found.groups.drop_nulls("gap").with_columns(
        ((pl.col("low") > 0) | (pl.col("high") < 0)).alias("sure")
    )
    large = told.filter(pl.col("sure") & (pl.col("gap").abs() >= (found.practical or 0.0)))
    sentences: list[str] = []
    for row in large.sort("group").iter_rows(named=True):
        digits = decimals(row["gap"], row["low"], row["high"])
        places = {
            "group": groups.get(row["group"], row["group"]),
            "rest": rest.get(row["group"], t("all others")),
            "points": f"{abs(row['gap']):.{digits}f}",
            "low": f"{min(abs(row['low']), abs(row['high'])):.{digits}f}",
            "high": f"{max(abs(row['low']), abs(row['high'])):.{digits}f}",
        }
        sentences.append(
            t(
                "Everybody together rates {group} {points} points higher than {rest} (likely {low} to "
                "{high}).",
                **places,
            )
            if row["gap"] > 0
            else t(
                "Everybody together rates {group} {points} points lower than {rest} (likely {low} to "
                "{high}).",
                **places,
            )
        )
    if not sentences and told.height == 1:
        row = told.row(0, named=True)
        digits = decimals(max(abs(row["low"]), abs(row["high"])))
        sentences.append(
            t(
                "Through the whole company, {group} and {rest} are rated alike, as far as can be told: the "
                "difference is {gap} points (likely {low} to {high}).",
                group=groups.get(row["group"], row["group"]),
                rest=rest.get(row["group"], t("all others")),
                gap=signed(row["gap"], max(2, digits)),
                low=signed(row["low"], max(2, digits)),
                high=signed(row["high"], max(2, digits)),
            )
        )
    elif not sentences and told.height:
        sentences.append(
            t("Through the whole company, no group is rated differently by an amount that matters.")
        )
    if large.height:
        sentences.append(
            t(
                "A difference that runs through the whole company is no single rater’s doing: work, goals or "
                "opportunities may differ, and it belongs to fairness between groups."
            )
        )
    return t.joined(sentences)


def beside_chance(released: Released[Differential], t: Language, *, group: str) -> str:
    """How many raters lie outside what chance does, beside how many would do so by chance.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    group
        The group looked at.
    """
    rows = released.value.raters.filter(group=group).drop_nulls("alone")
    reach = float(stats.norm.ppf(0.5 + CONFIDENCE.value / 2.0))
    outside = rows.filter(pl.col("alone").abs() > reach * pl.col("standard_error")).height
    return t(
        "One in twenty dots lies outside the grey by chance alone: expected here about {expected} of {many}, "
        "seen {outside}.",
        expected=round((1.0 - CONFIDENCE.value) * rows.height),
        many=rows.height,
        outside=outside,
    )


def any_flag(released: Released[Differential]) -> bool:
    """Whether anybody shown is flagged."""
    return not released.value.raters.filter(pl.col("verdict").is_in(_FLAGS)).is_empty()


def in_order(released: Released[Differential]) -> list[str]:
    """Groups compared, those with most flags first, then the largest; groups that are hidden come last."""
    ordered = released.value.groups.sort(
        ["n_flagged", "n_people", "group"], descending=[True, True, False], nulls_last=True
    )
    return ordered["group"].to_list()


def reading(row: Row, t: Language, *, name: str, group: str) -> str:
    """One rater and group in one plain sentence.

    Parameters
    ----------
    row
        A row of ``Differential.raters``.
    t
        The reader's language.
    name, group
        What to call the rater and the group.
    """
    if row["difference"] is None:
        return t("{who}: too few people were rated to show anything.", who=name)
    digits = decimals(max(abs(row["low"]), abs(row["high"])))
    places = {
        "who": name,
        "group": group,
        "points": f"{abs(row['difference']):.{digits}f}",
        "low": signed(row["low"], digits),
        "high": signed(row["high"], digits),
        "some": row["n_group"],
        "others": row["n_rest"],
    }
    if row["verdict"] == "softer":
        return t(
            "{who} rates {group} about {points} points softer than other raters do (the ratings of {some} "
            "and "
            "{others} people fit {low} to {high}).",
            **places,
        )
    if row["verdict"] == "harder":
        return t(
            "{who} rates {group} about {points} points harder than other raters do (the ratings of {some} "
            "and "
            "{others} people fit {low} to {high}).",
            **places,
        )
    return t(
        "{who} rates {group} as other raters do, as far as one can tell (the ratings of {some} and {others} "
        "people fit {low} to {high} points).",
        **places,
    )


def refusal(refused: Refusal, t: Language) -> str:
    """Why nothing can be told, and what would help.

    Parameters
    ----------
    refused
        What the analysis refused.
    t
        The reader's language.
    """
    if refused.kind == "unknown_group":
        return t(
            "There are ratings in this choice, but of none of the people rated is the group on record. Load "
            "the column that names it, or choose another comparison."
        )
    if refused.kind == "incomplete":
        return t(
            "There are ratings in this choice, but none that says whom it is about, who gave it and how many "
            "points it is. Look at the import for what is missing."
        )
    if refused.kind == "one_group":
        return t(
            "All the people who can be compared belong to one group, so there is nothing to compare. Choose "
            "another comparison."
        )
    if refused.kind == "nobody_told":
        return t(
            "The data cannot tell: no rater rated at least {minimum} people of one group and {minimum} of "
            "the "
            "others. More ratings per rater, over more cycles, would help.",
            minimum=int(MINIMUM_GROUP.value),
        )
    return chart.refusal(refused, t)


def verdict_words(t: Language) -> dict[str, str]:
    """What each verdict is called."""
    return {
        "softer": t("Softer than others"),
        "harder": t("Harder than others"),
        "unremarkable": t("As others do"),
    }


def advice(t: Language) -> str:
    """What to do with a flag."""
    return t(
        "A flag is a reason to talk, not a finding of bias. Look at the goals and the work of the people "
        "behind "
        "it together with the rater: do tasks, seniority or part-time work differ? Let a second rater who "
        "knows "
        "the work rate two or three people of each group. Ratings are adjusted for a rater, never by group."
    )
