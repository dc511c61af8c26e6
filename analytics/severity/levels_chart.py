"""What severity by ordered levels says, in sentences, and how far it agrees with rating points.

Every function is pure: a released result in, a sentence out. `in_rating_points` turns a released result into
the one that `analytics.severity.chart` draws and tells, so that both views look alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import polars as pl

from analytics.disclosure import Released
from analytics.language import Language, decimals, percent
from analytics.policy import NOTABLE_MOODS
from analytics.severity import chart
from analytics.severity.design import Refusal
from analytics.severity.levels import Disagreements, LevelSeverity, in_points
from analytics.severity.linear import Severity

Row = Mapping[str, Any]

MOST_WHYS: Final = 2
"""Reasons a sentence names; the table has all."""

_FLAGS: Final = ("lenient", "severe")
_NOBODY: Final[Mapping[str, str]] = MappingProxyType({})


def in_rating_points(released: Released[LevelSeverity]) -> Released[Severity]:
    """The released findings in rating points: for every picture, table and sentence about a `Severity`.

    Parameters
    ----------
    released
        What may be shown; what is hidden stays hidden.
    """
    return Released(
        value=in_points(released.value),
        hidden=released.hidden,
        minimum=released.minimum,
        as_of=released.as_of,
        rules=released.rules,
        small=released.small,
        beside=released.beside,
    )


def takeaway(released: Released[LevelSeverity], t: Language, *, names: Mapping[str, str] = _NOBODY) -> str:
    """Do some raters rate more leniently, and how many ratings would they place on another level.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    names
        What to call departments by id.
    """
    result = released.value
    if result.refusal is not None:
        return refusal(result.refusal, t)
    said = [chart.takeaway(in_rating_points(released), t, names=names)]
    flagged = result.raters.filter(pl.col("verdict").is_in(_FLAGS) & pl.col("moved").is_not_null())
    lenient = flagged.filter(pl.col("verdict") == "lenient")["moved"].median()
    severe = flagged.filter(pl.col("verdict") == "severe")["moved"].median()
    if isinstance(lenient, float) and isinstance(severe, float):
        said.append(
            t(
                "Of the ratings an average rater gives, a typical one of the softer raters would raise "
                "{raised} by a level or more, and a typical one of the harder raters would lower {lowered}.",
                raised=percent(lenient, t),
                lowered=percent(severe, t),
            )
        )
    elif isinstance(lenient, float):
        said.append(
            t(
                "Of the ratings an average rater gives, a typical one of the softer raters would raise "
                "{raised} by a level or more.",
                raised=percent(lenient, t),
            )
        )
    elif isinstance(severe, float):
        said.append(
            t(
                "Of the ratings an average rater gives, a typical one of the harder raters would lower "
                "{lowered} by a level or more.",
                lowered=percent(severe, t),
            )
        )
    return t.joined(said)


def refusal(refused: Refusal, t: Language) -> str:
    """Why severity cannot be told by levels, and what would help.

    Parameters
    ----------
    refused
        What the analysis refused.
    t
        The reader's language.
    """
    if refused.kind == "no_levels":
        return t(
            "These ratings are on a continuous scale and have no levels to compare. Look at rating points "
            "instead."
        )
    if refused.kind == "too_large":
        return t(
            "{n_raters} raters of {n_ratees} people are more than the view by levels computes. Look at "
            "rating points instead, or choose fewer sources.",
            **refused.values,
        )
    if refused.kind == "no_residual":
        return t(
            "The levels cannot be told apart from the raters who gave them: each rater uses one level only, "
            "or nearly so. Look at rating points instead."
        )
    return chart.refusal(refused, t)


def reading(row: Row, t: Language, *, name: str | None = None) -> str:
    """What a rater's severity comes to in levels, in one plain sentence.

    Parameters
    ----------
    row
        A row of ``LevelSeverity.raters``.
    t
        The reader's language.
    name
        What to call the rater; by default "This rater".
    """
    who = name or t("This rater")
    if row["severity"] is None:
        return chart.reading(row, t, name=name)
    if row["verdict"] not in _FLAGS:
        return t(
            "{who} would place {share} of an average rater's ratings on another level, which is too little "
            "or too unsure to matter.",
            who=who,
            share=percent(row["moved"], t),
        )
    ends = [row["points"], row["points_low"], row["points_high"]]
    digits = decimals(*ends)
    size, low, high = (f"{abs(end):.{digits}f}" for end in (ends[0], *sorted(ends[1:], key=abs)))
    if row["verdict"] == "lenient":
        return t(
            "{who} would raise {share} of an average rater's ratings by a level or more: {points} rating "
            "points on average (likely {low} to {high}).",
            who=who,
            share=percent(row["moved"], t),
            points=size,
            low=low,
            high=high,
        )
    return t(
        "{who} would lower {share} of an average rater's ratings by a level or more: {points} rating points "
        "on average (likely {low} to {high}).",
        who=who,
        share=percent(row["moved"], t),
        points=size,
        low=low,
        high=high,
    )


def agreement(released: Released[Disagreements], t: Language) -> str:
    """Whether counting in rating points and comparing levels say the same of raters, in plain sentences.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    """
    result = released.value
    if not result.n_both:
        return t("There is no rater whom both rating points and levels can tell about.")
    differ = result.n_both - result.n_same
    if not differ:
        same = t.plural(
            "Rating points and levels say the same of the {n} rater both can tell about.",
            "Rating points and levels say the same of all {n} raters both can tell about.",
            result.n_both,
        )
        return t.joined([same, *_moods(result, t)])
    said = [
        t.plural(
            "Of {both} raters, levels give {n} another verdict than rating points do.",
            "Of {both} raters, levels give {n} another verdict than rating points do.",
            differ,
            both=result.n_both,
        )
    ]
    if result.n_opposite:
        said.append(
            t.plural(
                "{n} of them is softer in one view and harder in the other: trust neither before you know "
                "why.",
                "{n} of them are softer in one view and harder in the other: trust neither before you know "
                "why.",
                result.n_opposite,
            )
        )
    else:
        said.append(t("Nobody is softer in one view and harder in the other."))
    counts = (
        result.raters.filter(pl.col("why").is_not_null())
        .group_by("why")
        .agg(pl.len().alias("n"))
        .sort(["n", "why"], descending=[True, False])
        .head(MOST_WHYS)
    )
    said.extend(_counted(row["why"], row["n"], t) for row in counts.iter_rows(named=True))
    return t.joined([*said, *_moods(result, t)])


def why(reason: str, t: Language) -> str:
    """Why the two views likely differ about one rater.

    Parameters
    ----------
    reason
        One of ``levels.WHYS``.
    t
        The reader's language.
    """
    if reason == "near_the_bar":
        return t("Both views find about the same size; it lies just at the bar.")
    if reason == "end_of_scale":
        return t("Most ratings are on the highest or lowest level, where points leave no room.")
    if reason == "few_levels":
        return t("Few levels are in use, so that points say little more than an order.")
    if reason == "uneven_steps":
        return t("Some steps of the scale are much longer than others, and points count them alike.")
    return t("No single reason stands out.")


def _moods(result: Disagreements, t: Language) -> list[str]:
    """A warning where levels are surer than they should be."""
    if result.moods < NOTABLE_MOODS.value:
        return []
    return [
        t(
            "Raters are softer in some cycles than in others. Rating points allow for that and levels do "
            "not, so the intervals by levels are too short here: rely on rating points."
        )
    ]


def _counted(reason: str, n: int, t: Language) -> str:
    """How many verdicts differ for one reason."""
    if reason == "near_the_bar":
        return t.plural(
            "For {n} the size is about the same and lies just at the bar.",
            "For {n} the sizes are about the same and lie just at the bar.",
            n,
        )
    if reason == "end_of_scale":
        return t.plural(
            "{n} rates mostly on the highest or lowest level, where points leave no room.",
            "{n} rate mostly on the highest or lowest level, where points leave no room.",
            n,
        )
    if reason == "few_levels":
        return t.plural(
            "For {n} few levels are in use, so that points say little more than an order.",
            "For {n} few levels are in use, so that points say little more than an order.",
            n,
        )
    if reason == "uneven_steps":
        return t.plural(
            "For {n} the steps of the scale are of uneven length, and points count them alike.",
            "For {n} the steps of the scale are of uneven length, and points count them alike.",
            n,
        )
    return t.plural(
        "For {n} no single reason stands out.",
        "For {n} no single reason stands out.",
        n,
    )
