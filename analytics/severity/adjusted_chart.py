"""Pictures of adjusted ratings and of doubtful orders, and the sentences that say what they show.

Every function is pure: a released result in, a figure, a table or a sentence out. What cannot be said of a
rating is counted with its reason and never drawn. All of it is for the talk in a meeting; sentences say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from types import MappingProxyType
from typing import Any, Final

import plotly.graph_objects as go
import polars as pl

from analytics import theme
from analytics.disclosure import Released
from analytics.language import Language, interval, percent, signed
from analytics.policy import CONFIDENCE, MINIMUM_RATEES
from analytics.severity import chart
from analytics.severity.adjusted import Adjusted
from analytics.severity.ranking import Comparison

Row = Mapping[str, Any]

MOST_PEOPLE: Final = 40
"""Rows of a picture that can still be read; the table has all."""

_NOBODY: Final[Mapping[str, str]] = MappingProxyType({})
_ROW: Final = 24
_NEVER_ALL: Final = 0.999
"""Nothing here is certain, whatever a chance rounds to."""
_HARDLY: Final = 0.05
_PERHAPS: Final = 0.25
"""Flip chances from which other words are used."""


def figure(
    released: Released[Adjusted],
    t: Language,
    *,
    mode: theme.Mode,
    names: Mapping[str, str] = _NOBODY,
    levels: Mapping[int, str] | None = None,
) -> go.Figure:
    """Level given and range of levels under an average rater, one row per rating.

    Ratings by flagged raters come first, and among those the likeliest to change: by anybody else a rating is
    hardly ever known to be too high or too low.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    mode
        Light or dark.
    names
        What to call people by id.
    levels
        What to call levels; by their number if None.
    """
    tokens = theme.TOKENS[mode]
    told = _told(released).head(MOST_PEOPLE)
    if told.is_empty():
        return theme.nothing(takeaway(released, t), mode)
    called = _level_names(released.value, levels)
    rows = list(told.iter_rows(named=True))
    more = _told(released).height - len(rows)
    fig = theme.figure(mode, height=96 + _ROW * len(rows))
    ends: list[float | None] = []
    heights: list[float | None] = []
    for place, row in enumerate(rows):
        ends += [row["low"], row["high"], None]
        heights += [place, place, None]
    fig.add_scatter(
        x=ends,
        y=heights,
        mode="lines",
        line={"color": tokens.accent, "width": 6},
        opacity=0.35,
        name=t("likely range under an average rater"),
        hoverinfo="skip",
    )
    hover = [
        "<br>".join(escape(line) for line in (_name(row, names), reading(row, t, levels=called)))
        for row in rows
    ]
    fig.add_scatter(
        x=[row["expected"] for row in rows],
        y=list(range(len(rows))),
        mode="markers",
        marker={"color": tokens.accent, "size": 10, "symbol": "circle"},
        name=t("expected under an average rater"),
        hovertext=hover,
        hoverinfo="text",
    )
    fig.add_scatter(
        x=[row["level"] for row in rows],
        y=list(range(len(rows))),
        mode="markers",
        marker={"color": tokens.ink, "size": 13, "symbol": "diamond-open", "line": {"width": 2}},
        name=t("given"),
        hovertext=hover,
        hoverinfo="text",
    )
    numbers = sorted(called)
    fig.update_xaxes(
        range=[numbers[0] - 0.4, numbers[-1] + 0.4],
        tickmode="array",
        tickvals=numbers,
        ticktext=[escape(called[number]) for number in numbers],
        side="top",
    )
    fig.update_yaxes(
        range=[len(rows) - 0.5, -0.6],
        tickmode="array",
        tickvals=list(range(len(rows))),
        ticktext=[escape(theme.shortened(_name(row, names), 28)) for row in rows],
        showgrid=False,
        tickfont={"color": tokens.ink, "size": 13},
    )
    fig.update_layout(
        margin={"l": 8, "r": 24, "t": 40, "b": 48},
        legend={"orientation": "h", "y": 0, "yanchor": "top", "x": 0, "traceorder": "reversed"},
        hovermode="closest",
    )
    if more > 0:
        fig.add_annotation(
            x=1,
            xref="paper",
            xanchor="right",
            y=0,
            yref="paper",
            yanchor="top",
            yshift=-28,
            text=escape(
                t.plural(
                    "{n} more rating is in the table.",
                    "{n} more ratings are in the table.",
                    more,
                )
            ),
            showarrow=False,
            font={"color": tokens.quiet, "size": 13},
        )
    return fig


def takeaway(released: Released[Adjusted], t: Language) -> str:
    """For how many ratings another level is likelier than the one given, in plain sentences.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    """
    found = released.value
    if found.refusal is not None:
        return chart.refusal(found.refusal, t)
    counts = _counts(found)
    if not counts["n_ratings"]:
        return t("There are no ratings in this choice that may be shown. Choose another department or cycle.")
    if not counts["n_told"]:
        return t("The data cannot tell what an average rater would have given for any of these ratings.")
    sentences = [_of_ratings(counts, t)]
    untold = counts["n_ratings"] - counts["n_told"]
    if untold:
        sentences.append(
            t.plural("For {n} rating the data cannot tell.", "For {n} ratings the data cannot tell.", untold)
        )
    return t.joined(sentences)


def rater_takeaway(released: Released[Adjusted], t: Language, *, name: str) -> str:
    """What an average rater would have given the people of one rater.

    Parameters
    ----------
    released
        The ratings of one rater (`Adjusted.only`).
    t
        The reader's language.
    name
        What to call the rater.
    """
    told = released.value.ratings.drop_nulls("flip")
    if told.is_empty():
        row = next(released.value.ratings.iter_rows(named=True), None)
        why = reason(row, t) if row is not None else t("There is no rating to show.")
        return t("{who}: {reason}", who=name, reason=why)
    counts, flagged = _counts(released.value), bool(told["flagged"].any())
    if not counts["likelier_higher"] + counts["likelier_lower"]:
        return t("No single rating by {who} can be called too high or too low.", who=name)
    sentences = [_of_rater(counts, t, name)]
    if not flagged:
        sentences.append(
            t(
                "But {who} is not known to rate softer or harder by an amount that matters, so take it as a "
                "question.",
                who=name,
            )
        )
    return t.joined(sentences)


def beside(released: Released[Adjusted], t: Language) -> str:
    """What stands quietly beside the finding: what is assumed, and what the chances add up to.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    """
    counts = _counts(released.value)
    if not counts["n_told"]:
        return ""
    sentences = [
        t(
            "This holds if a rater shifts all judgements alike, and if all raters share the thresholds "
            "between levels."
        )
    ]
    ratings = released.value.ratings
    if ratings["rater_id"].n_unique() == 1:
        # Of one rater each rating can be read by itself.
        return t.joined(sentences)
    if flips := round(counts["flips"]):
        sentences.append(
            t.plural(
                "Adding up all chances, about {n} of these {told} ratings would be at another level, without "
                "saying which.",
                "Adding up all chances, about {n} of these {told} ratings would be at another level, without "
                "saying which.",
                flips,
                told=counts["n_told"],
            )
        )
    questions = ratings.filter(pl.col("likely") != pl.col("level"), ~pl.col("flagged")).height
    if questions:
        sentences.append(
            t.plural(
                "For {n} rating another level is likelier though its rater is not known to rate softer or "
                "harder by an amount that matters: take it as a question.",
                "For {n} ratings another level is likelier though their raters are not known to rate softer "
                "or harder by an amount that matters: take those as questions.",
                questions,
            )
        )
    return t.joined(sentences)


def rows(
    released: Released[Adjusted],
    t: Language,
    *,
    names: Mapping[str, str] = _NOBODY,
    levels: Mapping[int, str] | None = None,
) -> pl.DataFrame:
    """The table behind the picture: person, given, likely under an average rater, range, chance in words.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    names
        What to call people by id.
    levels
        What to call levels; by their number if None.

    Returns
    -------
    polars.DataFrame
        Headers in the reader's language; ratings by flagged raters first, then the most likely to change,
        those nothing can be said of last, with why.
    """
    called = _level_names(released.value, levels)
    untold = released.value.ratings.filter(pl.col("flip").is_null()).sort("ratee_id", "rater_id", "source")
    shown = [*_told(released).iter_rows(named=True), *untold.iter_rows(named=True)]

    def level(number: int | None) -> str | None:
        return None if number is None else called.get(number, str(number))

    table = {
        t("Person"): [_name(row, names) for row in shown],
        t("Rater"): [names.get(row["rater_id"], row["rater_id"]) for row in shown],
        t("Given"): [level(row["level"]) for row in shown],
        t("Likely range"): [_range(row, called, t) for row in shown],
        t("Another level (%)"): [_whole(row["flip"]) for row in shown],
        t("Under an average rater"): [reading(row, t, levels=called) for row in shown],
    }
    numbers = t("Another level (%)")
    return pl.DataFrame(table, schema={name: pl.Int64 if name == numbers else pl.String for name in table})


def department_rows(
    released: Released[Adjusted], t: Language, *, names: Mapping[str, str] = _NOBODY
) -> pl.DataFrame:
    """Departments with for how many of their ratings another level is likelier than the one given.

    Hidden ones are left out.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    names
        What to call departments by id.
    """
    frame = released.value.departments.drop_nulls("n_people").sort(
        pl.col("likelier_higher") + pl.col("likelier_lower"),
        "department_id",
        descending=[True, False],
    )
    known = {one: names.get(one, one) for one in frame["department_id"]}
    department = (
        pl.col("department_id").replace_strict(known, return_dtype=pl.String)
        if known
        else pl.col("department_id")
    )
    expected = 100 * pl.col("flips") / pl.col("n_told")
    return frame.select(
        department.alias(t("Department")),
        pl.col("n_people").alias(t("People")),
        pl.col("n_told").alias(t("Ratings the data can tell about")),
        pl.col("likelier_lower").alias(t("Lower level likelier")),
        pl.col("likelier_higher").alias(t("Higher level likelier")),
        pl.when(expected.is_finite())
        .then(expected.round(0))
        .cast(pl.Int64)
        .alias(t("Expected to be another level (%)")),
    )


def reading(row: Row, t: Language, *, levels: Mapping[int, str]) -> str:
    """One rating in words: whether another level is likelier than the one given, and which.

    Parameters
    ----------
    row
        A row of ``Adjusted.ratings``.
    t
        The reader's language.
    levels
        What to call levels.
    """
    if row["flip"] is None:
        return reason(row, t)
    flip, higher, lower = row["flip"], row["higher"], row["lower"]
    if row["likely"] != row["level"]:
        return t(
            "{level} more likely ({chance} if the model holds).",
            level=levels.get(row["likely"], str(row["likely"])),
            chance=percent(min(max(row["chances"]), _NEVER_ALL), t),
        )
    if flip < _HARDLY:
        return t("Very likely as given.")
    if flip < _PERHAPS:
        return t("Probably as given.")
    if min(higher, lower) > flip / 3.0:
        return t("Could well have been another level, higher or lower.")
    return t("May have been higher.") if higher > lower else t("May have been lower.")


def reason(row: Row, t: Language) -> str:
    """Why nothing can be said of a rating; empty if something can.

    Parameters
    ----------
    row
        A row of ``Adjusted.ratings``.
    t
        The reader's language.
    """
    if row["flip"] is not None:
        return ""
    if row["why"] == "few_ratees":
        return t(
            "The data cannot tell: this rater rated fewer than {minimum} people.",
            minimum=int(MINIMUM_RATEES.value),
        )
    if row["why"] == "alone":
        return t("The data cannot tell: nobody else ever rated any of this rater's people.")
    if row["why"] == "island":
        return t("The data cannot tell: only a few raters, apart from all others, rated the same people.")
    if row["why"] == "no_level":
        return t("The rating scale has no levels, so no other level can be likely.")
    if row["why"] == "one_level":
        return t("Everybody was given the same level.")
    if row["why"] == "other_scale":
        return t("Given on another scale than most ratings, whose levels say nothing about this one's.")
    return t("The data cannot tell for anybody here.")


def compared(comparison: Comparison, t: Language, *, names: Mapping[str, str] = _NOBODY) -> str:
    """Two people beside each other in plain sentences.

    Parameters
    ----------
    comparison
        What `adjusted.compare` returned.
    t
        The reader's language.
    names
        What to call people by id.
    """
    first = names.get(comparison.first, comparison.first)
    second = names.get(comparison.second, comparison.second)
    if comparison.above is None or comparison.difference is None:
        return t(
            "{first} and {second} cannot be compared: no chain of shared raters leads from one to the other.",
            first=first,
            second=second,
        )
    if comparison.above < 0.5:
        first, second = second, first
    above = max(comparison.above, 1.0 - comparison.above)
    low, high = sorted((abs(comparison.low or 0.0), abs(comparison.high or 0.0)))
    places = {"first": first, "second": second, "chance": percent(above, t)}
    if comparison.told:
        return t(
            "{first} above {second}: {chance}. Under average raters the difference is {points} points "
            "(likely {low} to {high}).",
            points=f"{abs(comparison.difference):.1f}",
            low=f"{low:.1f}",
            high=f"{high:.1f}",
            **places,
        )
    ends = (comparison.low or 0.0, comparison.high or 0.0)
    if comparison.above < 0.5:
        ends = (-ends[1], -ends[0])
    return t(
        "{first} above {second}: {chance}. The ratings cannot tell them apart: under average raters the "
        "difference is {points} points {interval}.",
        points=signed(abs(comparison.difference)),
        interval=interval(*ends, digits=1),
        **places,
    )


def best_takeaway(best: pl.DataFrame, t: Language, *, k: int) -> str:
    """How surely the best are known, in plain sentences.

    Parameters
    ----------
    best
        What `adjusted.among_best` returned.
    t
        The reader's language.
    k
        How many are the best.
    """
    sure = best.filter(pl.col("chance") >= CONFIDENCE.value).height
    possible = best.filter(pl.col("chance") >= 1.0 - CONFIDENCE.value).height
    places = {"k": k, "possible": possible}
    if sure == 0:
        return t(
            "Under average raters nobody is among the best {k} for sure; {possible} people could well be.",
            **places,
        )
    return t.plural(
        "Under average raters {n} person is among the best {k} nearly for sure; {possible} people could well "
        "be.",
        "Under average raters {n} people are among the best {k} nearly for sure; {possible} people could "
        "well be.",
        sure,
        **places,
    )


def best_rows(best: pl.DataFrame, t: Language, *, k: int, names: Mapping[str, str] = _NOBODY) -> pl.DataFrame:
    """The table of a doubtful order: person, performance, chance to be among the best, ranks.

    Parameters
    ----------
    best
        What `adjusted.among_best` returned.
    t
        The reader's language.
    k
        How many are the best.
    names
        What to call people by id.
    """
    return best.select(
        pl.Series(t("Person"), [names.get(one, one) for one in best["ratee_id"]], dtype=pl.String),
        (pl.col("performance").round(4) + 0.0).alias(t("Points from the company's mean")),
        (100 * pl.col("chance")).round(0).cast(pl.Int64).alias(t("Chance to be among the best {k} (%)", k=k)),
        pl.col("low").alias(t("Rank from")),
        pl.col("high").alias(t("Rank to")),
    )


def advisory(t: Language) -> str:
    """What these figures are for."""
    return t(
        "For the talk in the meeting. Nothing is written back: a rating is changed by people, with a reason."
    )


def _counts(found: Adjusted) -> dict[str, Any]:
    """Ratings, those something can be said of, those another level is likelier for, and expected changes.

    Of single ratings where they are shown.
    """
    if found.ratings.height:
        counts = found.ratings.select(
            pl.len().alias("n_ratings"),
            pl.col("flip").count().alias("n_told"),
            pl.col("flip").sum().alias("flips"),
            (pl.col("likely") > pl.col("level")).sum().alias("likelier_higher"),
            (pl.col("likely") < pl.col("level")).sum().alias("likelier_lower"),
        )
    else:
        names = ("n_ratings", "n_told", "flips", "likelier_higher", "likelier_lower")
        counts = found.departments.select(*names).sum()
    return counts.row(0, named=True)


def _of_ratings(counts: Mapping[str, Any], t: Language) -> str:
    """For how many ratings another level is likelier, and in which direction."""
    higher, lower = counts["likelier_higher"], counts["likelier_lower"]
    if not higher + lower:
        return t(
            "For none of these {told} ratings is another level likelier than the one given.",
            told=counts["n_told"],
        )
    return t.plural(
        "For {n} of {told} ratings another level is likelier than the one given: {lower} lower, {higher} "
        "higher.",
        "For {n} of {told} ratings another level is likelier than the one given: {lower} lower, {higher} "
        "higher.",
        higher + lower,
        told=counts["n_told"],
        lower=lower,
        higher=higher,
    )


def _of_rater(counts: Mapping[str, Any], t: Language, name: str) -> str:
    """The same of one rater, most of whose people it usually takes in one direction."""
    higher, lower = counts["likelier_higher"], counts["likelier_lower"]
    places = {"told": counts["n_told"], "who": name}
    if not higher:
        return t.plural(
            "For {n} of {told} ratings by {who} a lower level is likelier than the one given.",
            "For {n} of {told} ratings by {who} a lower level is likelier than the one given.",
            lower,
            **places,
        )
    if not lower:
        return t.plural(
            "For {n} of {told} ratings by {who} a higher level is likelier than the one given.",
            "For {n} of {told} ratings by {who} a higher level is likelier than the one given.",
            higher,
            **places,
        )
    return t.plural(
        "For {n} of {told} ratings by {who} another level is likelier than the one given: {lower} lower, "
        "{higher} higher.",
        "For {n} of {told} ratings by {who} another level is likelier than the one given: {lower} lower, "
        "{higher} higher.",
        higher + lower,
        lower=lower,
        higher=higher,
        **places,
    )


def _told(released: Released[Adjusted]) -> pl.DataFrame:
    """The ratings something can be said of, by flagged raters first, most likely to change first."""
    return released.value.ratings.filter(pl.col("flip").is_not_null()).sort(
        pl.col("flagged").fill_null(value=False),
        pl.col("flip").round(9),
        "ratee_id",
        "rater_id",
        "source",
        descending=[True, True, False, False, False],
    )


def _level_names(found: Adjusted, levels: Mapping[int, str] | None) -> dict[int, str]:
    used = found.levels["level"].unique().sort().to_list()
    return {int(level): (levels or {}).get(level, str(level)) for level in {*used, *(levels or {})}}


def _range(row: Row, levels: Mapping[int, str], t: Language) -> str | None:
    if row["low"] is None:
        return None
    low, high = (levels.get(row[end], str(row[end])) for end in ("low", "high"))
    return low if row["low"] == row["high"] else t("{low} to {high}", low=low, high=high)


def _whole(chance: float | None) -> int | None:
    """A chance in whole per cents, never none and never all: nothing here is certain."""
    return None if chance is None else min(max(round(100 * chance), 1), 99)


def _name(row: Row, names: Mapping[str, str]) -> str:
    return names.get(row["ratee_id"], row["ratee_id"])
