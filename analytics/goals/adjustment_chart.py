"""Pictures and sentences about goals that were changed on the way: how late, why, and what followed.

Every picture and sentence takes a released result. No sentence says that a change caused anything.
"""

from __future__ import annotations

from typing import Any, Final

import plotly.graph_objects as go
import polars as pl

from analytics import theme
from analytics.disclosure import Released
from analytics.goals.adjustment import ENDED, NO_REASON, OTHER_REASONS, TIMES, Adjustment
from analytics.language import Language, percent

HEIGHT: Final = 72 + 44 * len(TIMES)


def direction_words(t: Language) -> dict[str, str]:
    """What a change did, by `analytics.goals.adjustment.DIRECTIONS`, and its end."""
    return {
        "harder": t("Target made harder"),
        "easier": t("Target made easier"),
        "later": t("Due date put off"),
        "earlier": t("Due date brought forward"),
        "other": t("Anything else"),
        ENDED: t("Closed or given up"),
    }


def approval_words(t: Language) -> dict[str, str]:
    """Who approved a change, by `analytics.goals.adjustment.APPROVALS`."""
    return {
        "somebody": t("Somebody else than the owner"),
        "owner": t("Only the owner"),
        "nobody": t("Nobody"),
    }


def time_words(t: Language) -> dict[str, str]:
    """When a goal was changed, by `TIMES`."""
    return {
        "late": t("Changed in the last third of their time"),
        "before": t("Changed earlier only"),
        "never": t("Never changed"),
    }


def reason_words(t: Language) -> dict[str, str]:
    """Groups of reasons that are not reasons as written."""
    return {OTHER_REASONS: t("Other reasons, each of few people"), NO_REASON: t("No reason given")}


def field_words(t: Language) -> dict[str, str]:
    """What was changed, for the fields exports name."""
    return {
        "target": t("Target"),
        "due_on": t("Due date"),
        "start_on": t("First day"),
        "baseline": t("Starting value"),
        "weight": t("Weight"),
        "status": t("Status"),
        "title": t("Wording"),
        "owner_id": t("Owner"),
    }


def takeaway(released: Released[Adjustment], t: Language) -> str:
    """How many goals were changed late, and how many of them without anybody's leave."""
    total = released.value.total.row(0, named=True)
    if total["goals"] is None:
        return t("Too few people own these goals to say how they were changed.")
    if not _adjusted(released):
        return t("No change of a goal is on record: either nothing was changed, or changes are not kept.")
    if total["goals"] == 0:
        return t("No goal has come to the last third of its time yet.")
    if total["late"] == 0:
        return t.plural(
            "The one goal that has come to the last third of its time was not changed in it.",
            "None of the {n} goals that have come to the last third of their time was changed in it.",
            total["goals"],
        )
    return t.joined(
        [
            t(
                "{share} [{low}, {high}] of the goals that have come to the last third of their time were "
                "changed in it ({late} of {goals}).",
                share=percent(total["late_share"], t),
                low=percent(total["late_low"], t),
                high=percent(total["late_high"], t),
                late=total["late"],
                goals=total["goals"],
            ),
            _unapproved(total, t),
        ]
    )


def _adjusted(released: Released[Adjustment]) -> bool:
    return bool((released.value.steps["direction"] != ENDED).any())


def _unapproved(total: dict[str, Any], t: Language) -> str:
    if total["unapproved"] == 0:
        return t("Somebody other than the owner approved every one of these changes.")
    return t.plural(
        "Of {n} of them a change was approved by nobody, or by the owner alone.",
        "Of {n} of them a change was approved by nobody, or by the owner alone.",
        total["unapproved"],
    )


def outcomes_takeaway(released: Released[Adjustment], t: Language) -> str:
    """How many of the goals changed late missed, beside those nobody changed."""
    known = {row["changed"]: row for row in released.value.outcomes.drop_nulls("goals").iter_rows(named=True)}
    late, never = known.get("late"), known.get("never")
    if late is None or never is None:
        return t(
            "Too few goals that were changed late are past their due date to set them beside the others."
        )
    said = t(
        "Of goals changed late {late} [{late_low}, {late_high}] missed their due date, of goals nobody "
        "changed {never} [{never_low}, {never_high}].",
        late=percent(late["missed_share"], t),
        late_low=percent(late["missed_low"], t),
        late_high=percent(late["missed_high"], t),
        never=percent(never["missed_share"], t),
        never_low=percent(never["missed_low"], t),
        never_high=percent(never["missed_high"], t),
    )
    if late["missed_first"] > late["missed"]:
        said = t.joined(
            [
                said,
                t(
                    "Held to their first due date, {share} of those changed late would have missed.",
                    share=percent(late["missed_first"] / late["goals"], t),
                ),
            ]
        )
    return said


def caution(t: Language) -> str:
    """What stands beside every comparison of changed and unchanged goals."""
    return t(
        "This does not show what a change does: goals in trouble are the ones that are changed, and a goal "
        "that looks bad today tends to look less bad next time even if nobody touches it. That is why goals "
        "that nobody changed are counted beside them."
    )


def effect_takeaway(released: Released[Adjustment], t: Language) -> str:
    """What the delay probability did around late changes, beside goals nobody changed."""
    told = released.value.directions.drop_nulls("effect")
    words = direction_words(t)
    said = [
        t(
            "{what}: the delay probability went from {before} to {after}. Goals in a like standing that "
            "nobody changed moved by {usual} points in the same time; the difference is {effect} points "
            "[{low}, {high}] ({n}).",
            what=words[row["direction"]],
            before=percent(row["before"], t),
            after=percent(row["after"], t),
            usual=_points(row["usual"]),
            effect=_points(row["effect"]),
            low=_points(row["effect_low"]),
            high=_points(row["effect_high"]),
            n=t.plural("{n} change", "{n} changes", row["measured"]),
        )
        for row in told.iter_rows(named=True)
        if row["direction"] != "other"
    ]
    if not said:
        return t("Around too few late changes is a delay probability known to say how it moved.")
    return "\n".join(said)


def _points(share: float) -> str:
    rounded = round(100 * share)
    return f"{'+' if rounded > 0 else '−' if rounded < 0 else ''}{abs(rounded)}"


def figure(released: Released[Adjustment], t: Language, mode: theme.Mode) -> go.Figure:
    """The share that missed, with its interval, among goals changed late, earlier and never."""
    tokens = theme.TOKENS[mode]
    known = released.value.outcomes.drop_nulls("missed_share")
    if known.is_empty():
        return theme.nothing(outcomes_takeaway(released, t), mode)
    words = time_words(t)
    drawn = theme.figure(mode, height=72 + 44 * known.height)
    rows = list(known.iter_rows(named=True))
    drawn.add_scatter(
        x=[row["missed_share"] for row in rows],
        y=list(range(len(rows))),
        mode="markers",
        marker={"color": tokens.accent, "size": 11},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [row["missed_high"] - row["missed_share"] for row in rows],
            "arrayminus": [row["missed_share"] - row["missed_low"] for row in rows],
            "color": tokens.accent,
            "thickness": 2,
            "width": 6,
        },
        hoverinfo="skip",
        showlegend=False,
    )
    for at, row in enumerate(rows):
        drawn.add_annotation(
            text=t(
                "{share} · {goals}",
                share=percent(row["missed_share"], t),
                goals=t.plural("{n} goal", "{n} goals", row["goals"]),
            ),
            x=1.0,
            y=at,
            xref="paper",
            xanchor="left",
            xshift=8,
            showarrow=False,
            font={"color": tokens.ink, "size": 13},
        )
    drawn.update_layout(
        margin={"t": 8, "r": 150},
        xaxis={
            "range": [0, 1],
            "tickformat": ".0%",
            "title": {
                "text": t("Share that missed the due date in force at the end, with its 95 % interval")
            },
        },
        yaxis={
            "tickmode": "array",
            "tickvals": list(range(len(rows))),
            "ticktext": [words[row["changed"]] for row in rows],
            "range": [len(rows) - 0.5, -0.5],
            "tickfont": {"color": tokens.ink},
        },
    )
    return drawn


def history_takeaway(released: Released[Adjustment], t: Language) -> str:
    """How many changes are on record, and how many goals have lost some of theirs."""
    found = released.value
    lost = int(found.total["lost"][0])
    kept = t.plural(
        "{n} change of goals is on record.", "{n} changes of goals are on record.", found.steps.height
    )
    if not lost:
        return kept
    return t.joined(
        [
            kept,
            t.plural(
                "Of {n} goal an earlier wording is missing: its export names more versions than changes.",
                "Of {n} goals an earlier wording is missing: their export names more versions than changes.",
                lost,
            ),
        ]
    )


def reasons_takeaway(released: Released[Adjustment], t: Language) -> str:
    """The most frequent reason of late changes, and how many have none or nobody's leave."""
    reasons = released.value.reasons.drop_nulls("changes")
    total = int(reasons["changes"].sum())
    if total == 0:
        return t("Too few people own these goals to say why they were changed.")
    named = reasons.filter(~pl.col("reason").is_in([NO_REASON, OTHER_REASONS]))
    without = reasons.filter(pl.col("reason") == NO_REASON)["changes"].sum()
    said = []
    if not named.is_empty():
        said.append(
            t(
                "The most frequent reason is “{reason}” ({n} of {total} late changes).",
                reason=named["reason"][0],
                n=int(named["changes"][0]),
                total=total,
            )
        )
    if without:
        said.append(
            t.plural("{n} late change has no reason.", "{n} late changes have no reason.", int(without))
        )
    nobody = released.value.approvals.filter(pl.col("approval") == "nobody").drop_nulls("changes")
    if not nobody.is_empty():
        said.append(
            t.plural("{n} was approved by nobody.", "{n} were approved by nobody.", int(nobody["changes"][0]))
        )
    return t.joined(said)
