"""Early warnings in sentences and pictures: what happened, what hangs on it, what to do, what it was worth.

Every sentence about a warning takes its row in `analytics.goals.warning.EarlyWarnings` and the names that the
reader may know. A kind is a shape and a word at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import plotly.graph_objects as go
import polars as pl

from analytics import theme
from analytics.disclosure import Released
from analytics.goals.lead_time import RULES, LeadTimes
from analytics.goals.warning import EarlyWarnings, since
from analytics.language import Language, percent
from analytics.policy import WARNING_LEAD, WARNING_MISSES

LIKELY_LOST: Final = 0.8
"""Delay probability from which on saving a goal as it stands is no longer the first thought."""

_SHARES: Final = ("early_share", "recall", "precision")


@dataclass(frozen=True)
class Known:
    """What sentences name.

    Attributes
    ----------
    people
        Employee id → name, of those the reader may know by name.
    goals
        Goal id → title, of those the reader may look at.
    raising
        Goal id → drivers that raise its delay probability, strongest first.
    """

    people: Mapping[str, str] = field(default_factory=dict)
    goals: Mapping[str, str] = field(default_factory=dict)
    raising: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def title(self, goal_id: str) -> str:
        """What a goal is called; its id where nobody may say."""
        return self.goals.get(goal_id, goal_id)


def kind_words(t: Language) -> dict[str, str]:
    """What each kind of warning is called, with its shape."""
    return {
        "chance": t("◆ Likely to be late"),
        "stale": t("○ Not updated"),
        "scope": t("▲ Changed late"),
        "confidence": t("▼ Confidence fell"),
    }


def rule_words(t: Language) -> dict[str, str]:
    """What past warnings are judged by."""
    return {
        "delay": t("Delay probability"),
        "pace": t("Pace rule, its own limits"),
        "pace_equal": t("Pace rule, as many warnings"),
    }


# --- one warning ------------------------------------------------------------------------------------


def happened(row: Mapping[str, Any], t: Language, known: Known) -> str:
    """What happened, and when."""
    day = t.day(row["arose_on"])
    if row["kind"] == "chance":
        return _probability_rose(row, day, t)
    if row["kind"] == "stale":
        return t.plural(
            "Nobody has updated it since {day}, though it is to be checked every day.",
            "Nobody has updated it since {day}, though it is to be checked every {n} days.",
            row["cadence_days"],
            day=t.day(row["updated_on"]),
        )
    if row["kind"] == "confidence":
        return t(
            "On {day} the owner's confidence fell from {before} to {after}.",
            day=day,
            before=percent(row["confidence_before"], t),
            after=percent(row["confidence_after"], t),
        )
    return t.joined([*_changed(row, day, t), _approval(row, t, known), _reason(row, t)])


def stakes(row: Mapping[str, Any], t: Language, known: Known) -> str:
    """What hangs on the goal."""
    hanging = (
        t.plural("{n} goal hangs below it.", "{n} goals hang below it.", row["below"]) if row["below"] else ""
    )
    if row["strategic_id"] == row["goal_id"]:
        return t.joined([t("It is a strategic goal."), hanging])
    title = known.goals.get(row["strategic_id"] or "")
    if title is None:
        return t.joined([t("It serves no strategic goal that is still open."), hanging])
    if not row["share"]:
        return t.joined([t("It serves the strategic goal “{title}”.", title=title), hanging])
    carried = t(
        "{share} of the strategic goal “{title}” rests on it.", share=percent(row["share"], t), title=title
    )
    return t.joined([carried, hanging])


def next_step(row: Mapping[str, Any], t: Language, known: Known) -> str:
    """What to do now, and with whom."""
    if row["owner_id"] is None:
        return t("Name an owner first: nobody answers for this goal.")
    owner = known.people.get(row["owner_id"], row["owner_id"])
    if row["kind"] == "stale":
        return t("Ask {owner} for an update today; if nobody works on it any more, close it.", owner=owner)
    if row["kind"] == "confidence":
        return t("Ask {owner} what happened, and what would bring the confidence back.", owner=owner)
    if row["kind"] == "scope":
        if row["approved_by"] is None:
            return t(
                "Approve the change or take it back, and agree with {owner} on what is dropped for it.",
                owner=owner,
            )
        return t("Check with {owner} that the plan still holds after the change.", owner=owner)
    if row["rolled"]:
        talk = t("Go through the goals below it with {owner}: they decide whether it lands.", owner=owner)
        return t.joined([talk, _way_out(row, (), t)])
    drivers = known.raising.get(row["goal_id"], ())
    topics = [words for driver in drivers if (words := _topics(t).get(driver))][:2]
    talk = (
        t("Talk to {owner} about {topics}.", owner=owner, topics=t.listing(topics))
        if topics
        else t("Talk to {owner} about what stands in the way.", owner=owner)
    )
    return t.joined([talk, _way_out(row, drivers, t)])


def _topics(t: Language) -> dict[str, str]:
    """What to talk about, by the driver that raises the delay probability."""
    return {
        "work_left": t("how much is left to do"),
        "recent_pace": t("why it has slowed down"),
        "silence": t("why nobody updates it"),
        "time": t("what is still to be done in the time left"),
        "scope_growth": t("what was added to it"),
        "due_moved": t("why its due date had to be moved"),
        "confidence": t("why the owner's own confidence is low"),
        "owner_record": t("what else the owner has to carry"),
        "department_record": t("what holds up goals of this department"),
        "set_up": t("where its values come from and how often they are checked"),
    }


def _way_out(row: Mapping[str, Any], drivers: Sequence[str], t: Language) -> str:
    if row["guess"]:
        return t("Find out how it stands before anything is decided.")
    if row["chance"] is not None and row["chance"] >= LIKELY_LOST:
        return t("Decide soon: cut its scope, move its due date with approval, or accept that it is late.")
    if "scope_growth" in drivers:
        return t("Cut back what was added.")
    return t("Agree on the one thing that changes this week.")


def _probability_rose(row: Mapping[str, Any], day: str, t: Language) -> str:
    then = percent(row["chance_then"], t)
    if row["rolled"] and row["chance_before"] is None:
        said = t("By the goals below it its delay probability was {then} on {day}.", day=day, then=then)
    elif row["rolled"]:
        said = t(
            "By the goals below it its delay probability rose from {before} to {then} by {day}.",
            day=day,
            before=percent(row["chance_before"], t),
            then=then,
        )
    elif row["chance_before"] is None:
        said = t(
            "When it was first looked at, on {day}, the delay probability was {then}.", day=day, then=then
        )
    else:
        said = t(
            "On {day} the delay probability rose from {before} to {then}.",
            day=day,
            before=percent(row["chance_before"], t),
            then=then,
        )
    # Of a warning that is over the latest look says nothing: the goal may be done or late since.
    over = row["ended_on"] is not None
    now = "" if row["chance"] is None or over else percent(row["chance"], t)
    moved = t("Now it is {now}.", now=now) if now not in ("", then) else ""
    wide = (
        t("No past goal stands behind this yet: it is a first guess and may be far off.")
        if row["guess"] and not over
        else ""
    )
    return t.joined([said, moved, wide])


def _changed(row: Mapping[str, Any], day: str, t: Language) -> list[str]:
    said = []
    if row["target_after"] is not None:
        unit = row["unit"] or ""
        before, after = (_amount(row[f"target_{when}"], unit, t) for when in ("before", "after"))
        said.append(
            t(
                "On {day} the target was made harder: from {before} to {after}.",
                day=day,
                before=before,
                after=after,
            )
        )
    if row["due_after"] is not None:
        before, after = t.day(row["due_before"]), t.day(row["due_after"])
        said.append(
            t(
                "On {day} the due date was moved from {before} to {after}.",
                day=day,
                before=before,
                after=after,
            )
        )
    return said


def _amount(value: float, unit: str, t: Language) -> str:
    number = f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.0f}"
    return t("{number} {unit}", number=number, unit=unit) if unit else number


def _approval(row: Mapping[str, Any], t: Language, known: Known) -> str:
    if row["approved_by"] is None:
        return t("Nobody approved it.")
    return t("{name} approved it.", name=known.people.get(row["approved_by"], row["approved_by"]))


def _reason(row: Mapping[str, Any], t: Language) -> str:
    return (
        t("Reason given: “{reason}”.", reason=row["reason"]) if row["reason"] else t("No reason was given.")
    )


# --- all that stand ---------------------------------------------------------------------------------


def takeaway(
    released: Released[EarlyWarnings],
    t: Language,
    known: Known,
    *,
    day: date,
    answered: frozenset[str] = frozenset(),
) -> str:
    """How many warnings are new since a day, which strategic goals they touch, and which weighs most.

    Parameters
    ----------
    answered
        Ids of warnings that somebody has acknowledged; they are counted apart.
    """
    standing = released.value.standing
    if standing.is_empty():
        return t.joined([t("No warning stands."), _late(released.value.late.height, t)])
    waiting = standing.filter(~pl.col("warning_id").is_in(list(answered)))
    new = since(released.value, day).filter(~pl.col("warning_id").is_in(list(answered)))
    first = [
        t.plural("{n} new warning since {day}.", "{n} new warnings since {day}.", new.height, day=t.day(day))
        if new.height
        else t("No new warning since {day}.", day=t.day(day)),
        _touched(new, t, known),
    ]
    second = [_heaviest(new if new.height else waiting, t, known), _others(waiting.height - new.height, t)]
    if n := standing.height - waiting.height:
        second.append(t.plural("{n} has been acknowledged.", "{n} have been acknowledged.", n))
    return "\n".join(line for line in (t.joined(first), t.joined(second)) if line)


def _late(n: int, t: Language) -> str:
    """Goals of which no warning is given any more."""
    if not n:
        return ""
    return t.plural(
        "{n} goal is past its due date and still open: too late for a warning.",
        "{n} goals are past their due date and still open: too late for a warning.",
        n,
    )


def _touched(new: pl.DataFrame, t: Language, known: Known) -> str:
    """Which strategic goals the new warnings touch, themselves or through what hangs below."""
    served = new["strategic_id"].drop_nulls()
    touched = [goal for goal in served.unique(maintain_order=True) if goal in known.goals]
    served = served.filter(served.is_in(touched))
    if not touched:
        return ""
    if len(touched) > 1:
        return t("They touch {n} strategic goals.", n=len(touched))
    title = known.goals[touched[0]]
    if served.len() == new.height:
        return t.plural(
            "It touches the strategic goal “{title}”.",
            "They touch the strategic goal “{title}”.",
            new.height,
            title=title,
        )
    return t.plural(
        "{n} of them touches the strategic goal “{title}”.",
        "{n} of them touch the strategic goal “{title}”.",
        served.len(),
        title=title,
    )


def _heaviest(waiting: pl.DataFrame, t: Language, known: Known) -> str:
    """The warning with most hanging on it; not of one alone."""
    if waiting.height < 2:
        return ""
    row = waiting.row(0, named=True)
    goal = known.title(row["goal_id"])
    if row["chance"] is None:
        return t("Most hangs on “{goal}”.", goal=goal)
    return t(
        "Most hangs on “{goal}”: its delay probability is {chance}.",
        goal=goal,
        chance=percent(row["chance"], t),
    )


def _others(n: int, t: Language) -> str:
    return (
        t.plural("{n} warning from before still stands.", "{n} warnings from before still stand.", n)
        if n
        else ""
    )


def new_first(released: Released[EarlyWarnings], *, day: date) -> pl.DataFrame:
    """The warnings that stand in the order to talk about them.

    Those that arose on the day or later come first; among them and among the others every goal is named once,
    by consequence, before anything else that stands about it.
    """
    old = pl.col("arose_on") < day
    again = pl.int_range(pl.len()).over("goal_id", old) > 0
    return released.value.standing.sort(old, again, maintain_order=True)


def by_strategic(found: pl.DataFrame, *, day: date) -> pl.DataFrame:
    """Warnings that stand by the strategic goal they touch, heaviest first.

    Parameters
    ----------
    found
        Rows of `EarlyWarnings.standing`, by consequence.
    day
        What arose on it or later is new.

    Returns
    -------
    polars.DataFrame
        One row per strategic goal: ``strategic_id``, ``new`` and ``standing`` (goals with such warnings),
        ``heaviest`` (the goal with most hanging on it: of the new ones, or else of all; not the strategic
        goal itself if there is another).
    """
    is_new = pl.col("arose_on") >= day
    below = pl.col("goal_id") != pl.col("strategic_id")
    order = pl.col("goal_id").sort_by(below, is_new, descending=True, maintain_order=True)
    return (
        found.drop_nulls("strategic_id")
        .group_by("strategic_id", maintain_order=True)
        .agg(
            pl.col("goal_id").filter(is_new).n_unique().cast(pl.Int64).alias("new"),
            pl.col("goal_id").n_unique().cast(pl.Int64).alias("standing"),
            order.first().alias("heaviest"),
        )
    )


def count_words(found: pl.DataFrame, t: Language) -> str:
    """How many warnings there are of each kind."""
    words = kind_words(t)
    counts = dict(found.group_by("kind").len().iter_rows())
    return " · ".join(f"{word} {counts[kind]:,}" for kind, word in words.items() if kind in counts)


# --- what past warnings were worth -------------------------------------------------------------------


def can_tell(released: Released[LeadTimes]) -> bool:
    """Whether enough goals missed, and were warned of, to say what warnings are worth."""
    own = _overall(released.value).get("delay")
    return own is not None and min(own["missed"], own["warned"]) >= WARNING_MISSES.value


def worth(released: Released[LeadTimes], t: Language) -> str:
    """What became of goals that were warned of, and the pace rule beside it."""
    found = _overall(released.value)
    own = found.get("delay")
    if own is None or not can_tell(released):
        return t(
            "The data cannot tell yet what warnings are worth: {missed} goals that missed are known, and "
            "{warned} that were warned of. It takes {n} of each.",
            missed=own["missed"] if own else 0,
            warned=own["warned"] if own else 0,
            n=int(WARNING_MISSES.value),
        )
    said = [
        t(
            "Of {missed} goals that missed, {share} had been warned of at least {days} days ahead (likely "
            "{low} to {high}).",
            missed=own["missed"],
            days=int(WARNING_LEAD.value),
            **_share(own, "early_share", t),
        ),
        t(
            "Of {warned} goals warned of, {share} missed (likely {low} to {high}).",
            warned=own["warned"],
            **_share(own, "precision", t),
        ),
        t.plural(
            "Half of the true warnings came {n} day or more before the due date.",
            "Half of the true warnings came {n} days or more before the due date.",
            round(own["lead_days"] or 0),
        ),
    ]
    pace = found["pace_equal"]
    if pace["early_share"] is not None and pace["precision"] is not None:
        said.append(
            t(
                "With as many warnings the pace rule would have had {share} of the misses as early, and "
                "{precision} of its warnings would have been right.",
                share=percent(pace["early_share"], t),
                precision=percent(pace["precision"], t),
            )
        )
    return t.joined(said)


def limit_words(found: LeadTimes | EarlyWarnings, t: Language) -> str:
    """The limit in force, and what it was chosen by."""
    if found.limits.is_empty():
        return ""
    row = found.limits.row(-1, named=True)
    on, off = percent(row["on"], t), percent(row["off"], t)
    if row["cases"]:
        return t(
            "Since {day} a warning begins at a delay probability of {on} and ends below {off}. The limit was "
            "chosen from {n} goals that were due before that day.",
            day=t.day(row["from_on"]),
            on=on,
            off=off,
            n=row["cases"],
        )
    return t(
        "A warning begins at a delay probability of {on} and ends below {off}: no goal is past its due date "
        "yet, so the probability is taken at its word.",
        on=on,
        off=off,
    )


def worth_figure(released: Released[LeadTimes], t: Language, mode: theme.Mode) -> go.Figure:
    """Share of misses warned of in time, of misses warned of at all, and of warnings that were right."""
    found = _overall(released.value)
    if not can_tell(released):
        return theme.nothing(worth(released, t), mode)
    tokens = theme.TOKENS[mode]
    days = int(WARNING_LEAD.value)
    names = {
        "early_share": t("Misses warned of at least {days} days ahead", days=days),
        "recall": t("Misses warned of at all"),
        "precision": t("Warned goals that missed"),
    }
    looks = {
        "delay": (tokens.accent, "circle", 0.26),
        "pace_equal": (tokens.quiet, "diamond-open", 0.0),
        "pace": (tokens.quiet, "square-open", -0.26),
    }
    figure = theme.figure(mode, height=340)
    for rule, (colour, symbol, shift) in looks.items():
        shown = [(place, name) for place, name in enumerate(_SHARES) if found[rule][name] is not None]
        heights = [len(_SHARES) - 1 - place + shift for place, _ in shown]
        figure.add_scatter(
            name=rule_words(t)[rule],
            x=[found[rule][name] for _, name in shown],
            y=heights,
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 10},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [found[rule][f"{name}_high"] - found[rule][name] for _, name in shown],
                "arrayminus": [found[rule][name] - found[rule][f"{name}_low"] for _, name in shown],
                "color": colour,
                "thickness": 1.5,
                "width": 0,
            },
            hovertemplate="%{x:.0%}<extra>%{fullData.name}</extra>",
        )
        for (_, name), height in zip(shown, heights, strict=True):
            figure.add_annotation(
                x=found[rule][f"{name}_high"],
                y=height,
                xanchor="left",
                xshift=6,
                text=percent(found[rule][name], t),
                showarrow=False,
                font={"size": 13, "color": colour},
            )
    figure.update_layout(
        margin={"t": 48},
        xaxis={"range": [0, 1.08], "tickformat": ".0%", "tickvals": [0, 0.25, 0.5, 0.75, 1]},
        yaxis={
            "tickvals": [2, 1, 0],
            "ticktext": [theme.written(names[name], 26) for name in _SHARES],
            "range": [-0.5, 2.5],
            "showgrid": False,
        },
    )
    return figure


def lead_figure(released: Released[LeadTimes], t: Language, mode: theme.Mode) -> go.Figure:
    """How many of the misses had been warned of, by days before the due date."""
    cases = released.value.cases.filter("missed")
    if not can_tell(released):
        return theme.nothing(worth(released, t), mode)
    tokens = theme.TOKENS[mode]
    figure = theme.figure(mode, height=340)
    furthest = 14
    ends: list[tuple[str, float, str]] = []
    for rule, colour, dash in (("pace_equal", tokens.quiet, "dot"), ("delay", tokens.accent, "solid")):
        lead = (
            cases.select((pl.col("due_on") - pl.col(f"{rule}_on")).dt.total_days()).to_series().drop_nulls()
        )
        days = [0, *lead.unique().sort().to_list()]
        # At each number of days: the share of misses warned of so many days ahead or more.
        shares = [lead.filter(lead >= day).len() / cases.height for day in days]
        furthest = max(furthest, *days)
        ends.append((rule, shares[0], colour))
        figure.add_scatter(
            name=rule_words(t)[rule],
            x=days,
            y=shares,
            mode="lines",
            line={"color": colour, "width": 2.5 if rule == "delay" else 1.5, "dash": dash, "shape": "vh"},
            showlegend=False,
            hovertemplate="%{x} · %{y:.0%}<extra>%{fullData.name}</extra>",
        )
    _label_ends(figure, ends, t)
    figure.add_vline(x=WARNING_LEAD.value, line={"color": tokens.quiet, "width": 1})
    figure.add_annotation(
        x=WARNING_LEAD.value,
        y=1.0,
        yref="paper",
        yanchor="bottom",
        text=t("{days} days", days=int(WARNING_LEAD.value)),
        showarrow=False,
        font={"color": tokens.quiet, "size": 13},
    )
    figure.update_layout(
        margin={"t": 40, "r": 220},
        # Time runs to the due date on the right.
        xaxis={"title": {"text": t("Days before the due date")}, "range": [furthest * 1.03, 0]},
        yaxis={"title": {"text": t("Misses warned of by then")}, "tickformat": ".0%", "range": [0, 1.02]},
    )
    return figure


def _label_ends(figure: go.Figure, ends: list[tuple[str, float, str]], t: Language) -> None:
    """Name each line where it ends; where two end close together, one above the other."""
    close = abs(ends[0][1] - ends[1][1]) < 0.12
    higher = max(ends, key=lambda end: end[1])
    for rule, share, colour in ends:
        shift = (10 if (rule, share, colour) == higher else -10) if close else 0
        figure.add_annotation(
            x=1.0,
            xref="paper",
            y=share,
            xanchor="left",
            xshift=8,
            yshift=shift,
            text=theme.written(t("{rule}: {share}", rule=rule_words(t)[rule], share=percent(share, t)), 30),
            align="left",
            showarrow=False,
            font={"color": colour, "size": 13},
        )


def worth_table(released: Released[LeadTimes], t: Language) -> pl.DataFrame:
    """Past warnings by rule and quarter, latest first, all quarters together on top."""
    found = released.value.measures
    words = rule_words(t)
    rows = list(found.iter_rows(named=True))
    periods = [
        t("All")
        if row["period"] is None
        else t("Quarter {n} of {year}", n=_quarter(row["period"]), year=str(row["period"].year))
        for row in rows
    ]
    order = {rule: at for at, rule in enumerate(RULES)}
    shares = {
        "precision": t("Warned that missed (%)"),
        "recall": t("Misses warned of (%)"),
        "early_share": t("… at least {days} days ahead (%)", days=int(WARNING_LEAD.value)),
    }
    return (
        found.with_columns(pl.Series("_period", periods, dtype=pl.String))
        .sort(
            pl.col("period").is_not_null(),
            "period",
            pl.col("rule").replace_strict(order, return_dtype=pl.Int8),
            descending=[False, True, False],
        )
        .select(
            pl.col("_period").alias(t("Due in")),
            pl.col("rule").replace_strict(words, return_dtype=pl.String).alias(t("Warned by")),
            pl.col("cases").alias(t("Goals")),
            pl.col("missed").alias(t("Missed")),
            pl.col("warned").alias(t("Warned of")),
            *(
                expression
                for name, header in shares.items()
                for expression in (
                    _whole(name).alias(header),
                    pl.when(pl.col(name).is_not_null())
                    .then(pl.format("{} – {}", _whole(f"{name}_low"), _whole(f"{name}_high")))
                    .alias(t("{share}, likely", share=header)),
                )
            ),
            pl.col("lead_days").round(0).cast(pl.Int64).alias(t("Days ahead (median)")),
        )
    )


def _whole(name: str) -> pl.Expr:
    return (pl.col(name) * 100).round(0).cast(pl.Int64)


def _quarter(day: date) -> int:
    return (day.month - 1) // 3 + 1


def _overall(found: LeadTimes) -> dict[str, dict[str, Any]]:
    """Rule → its measures over all periods."""
    return {
        row["rule"]: row for row in found.measures.filter(pl.col("period").is_null()).iter_rows(named=True)
    }


def _share(row: Mapping[str, Any], name: str, t: Language) -> dict[str, str]:
    return {
        "share": percent(row[name], t),
        "low": percent(row[f"{name}_low"], t),
        "high": percent(row[f"{name}_high"], t),
    }
