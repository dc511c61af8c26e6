"""Who over-promises and who holds back: pictures and sentences.

Every function is pure: a released result in, a plotly figure or a sentence out. A flag is a reason to talk;
who cannot be judged is counted and never drawn at nought.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import plotly.graph_objects as go
import polars as pl

from analytics import theme
from analytics.disclosure import Released
from analytics.goals.owners import Owners
from analytics.goals.risk.backtest_chart import Dot, dots, points
from analytics.language import Language, percent
from analytics.policy import MINIMUM_FINISHED_GOALS, MINIMUM_OWNERS, MINIMUM_RETURNS

Row = Mapping[str, Any]

MOST_OWNERS: Final = 40
"""Rows of a picture that can still be read; the rest is said. Neither kind of flag crowds out the other."""
_FLAGS: Final = ("over_promises", "holds_back")
_NOBODY: Final[Mapping[str, str]] = MappingProxyType({})


def takeaway(released: Released[Owners], t: Language) -> str:
    """Who over-promises or holds back, and what is usual here, in a few plain sentences.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    """
    found = released.value
    if found.untold is not None:
        return refusal(found, t)
    told = found.owners.filter(pl.col("excess").is_not_null())
    if told.is_empty():
        return t.joined([t("The data cannot tell for any owner within reach."), _usual(found, t)])
    return t.joined([_counted(told, t), _usual(found, t)])


def _counted(told: pl.DataFrame, t: Language) -> str:
    over = told.filter(pl.col("verdict") == "over_promises").height
    under = told.filter(pl.col("verdict") == "holds_back").height
    if over and under:
        return t.plural(
            "{n} of {told} owners the data can tell about lands clearly fewer goals than stated, and {under} "
            "clearly more.",
            "{n} of {told} owners the data can tell about land clearly fewer goals than stated, and {under} "
            "clearly more.",
            over,
            told=told.height,
            under=under,
        )
    if over:
        return t.plural(
            "{n} of {told} owners the data can tell about lands clearly fewer goals than stated; none "
            "clearly more.",
            "{n} of {told} owners the data can tell about land clearly fewer goals than stated; none "
            "clearly more.",
            over,
            told=told.height,
        )
    if under:
        return t.plural(
            "{n} of {told} owners the data can tell about lands clearly more goals than stated; none clearly "
            "fewer.",
            "{n} of {told} owners the data can tell about land clearly more goals than stated; none clearly "
            "fewer.",
            under,
            told=told.height,
        )
    return t.plural(
        "Of the {n} owner the data can tell about nothing stands out: promises and outcomes agree, or chance "
        "could explain the difference.",
        "None of the {n} owners the data can tell about stands out: promises and outcomes agree, or chance "
        "could explain the difference.",
        told.height,
    )


def _usual(found: Owners, t: Language) -> str:
    """What is usual in the whole company."""
    if found.total.is_empty() or found.total["stated"][0] is None:
        return ""
    row = found.total.row(0, named=True)
    places = {"stated": percent(row["stated"], t), "landed": percent(row["landed"], t)}
    if row["usual_low"] is not None and row["usual_low"] > 0:
        return t(
            "In the company owners are too sure in general: at half time they state a confidence of {stated} "
            "on average, and {landed} of these goals land.",
            **places,
        )
    if row["usual_high"] is not None and row["usual_high"] < 0:
        return t(
            "In the company owners are too cautious in general: at half time they state a confidence of "
            "{stated} on average, and {landed} of these goals land.",
            **places,
        )
    return t(
        "In the company owners state a confidence of {stated} on average at half time, and {landed} of these "
        "goals land.",
        **places,
    )


def caveats(released: Released[Owners], t: Language) -> str:
    """How many flags may be wrong, and for whom the data cannot tell.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    """
    found = released.value
    if found.untold is not None:
        return ""
    flags = found.owners.filter(pl.col("verdict").is_in(_FLAGS)).height
    untold = found.owners.filter(pl.col("verdict") == "cannot_tell").height
    said = []
    if flags == 1:
        said.append(
            t(
                "The chance that this owner is not off by {practical} percentage points or more is {rate}.",
                practical=round(100 * found.practical),
                rate=percent(found.expected_false_flags, t),
            )
        )
    elif flags and found.expected_false_flags < 0.5:
        said.append(t("Hardly any of these {flags} flags is expected to be chance.", flags=flags))
    elif flags:
        said.append(
            t.plural(
                "About {n} of these {flags} flags is expected to be chance.",
                "About {n} of these {flags} flags are expected to be chance.",
                round(found.expected_false_flags),
                flags=flags,
            )
        )
    if untold:
        said.append(
            t.plural(
                "For {n} owner with fewer than {minimum} goals that came due the data cannot tell.",
                "For {n} owners with fewer than {minimum} goals that came due the data cannot tell.",
                untold,
                minimum=int(MINIMUM_FINISHED_GOALS.value),
            )
        )
    return t.joined(said)


def refusal(found: Owners, t: Language) -> str:
    """Why nobody's habit can be told, and what would help.

    Parameters
    ----------
    found
        What refused.
    t
        The reader's language.
    """
    if found.untold == "no_confidence":
        return t(
            "The data cannot tell who over-promises: no goal that came due has a confidence stated by half "
            "of its time. Ask owners for it at check-ins, and load it with them."
        )
    if found.untold == "few_owners":
        return t(
            "The data cannot tell who over-promises: it takes {minimum} owners with a stated confidence and "
            "goals that came due to say what is usual.",
            minimum=int(MINIMUM_OWNERS.value),
        )
    return t(
        "The data cannot tell who over-promises: too few owners had goals in several cycles to tell a habit "
        "from a bad half-year. It takes {minimum} further cycles of owners who had goals before.",
        minimum=int(MINIMUM_RETURNS.value),
    )


def figure(
    released: Released[Owners], t: Language, *, mode: theme.Mode, names: Mapping[str, str] = _NOBODY
) -> go.Figure:
    """Dot and interval per owner, who promises most too much on top.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    mode
        Light or dark.
    names
        What to call owners by id; those without a name are called by their id.
    """
    found = released.value
    told = found.owners.filter(pl.col("excess").is_not_null())
    chosen = _drawn(told)
    tokens = theme.TOKENS[mode]
    looks = {"over_promises": (tokens.lenient, "circle"), "holds_back": (tokens.severe, "circle")}
    rows = []
    for row in chosen.iter_rows(named=True):
        name = names.get(row["owner_id"], row["owner_id"])
        colour, symbol = looks.get(row["verdict"], (tokens.quiet, "circle-open"))
        rows.append(
            Dot(
                name=name,
                value=row["excess"],
                low=row["low"],
                high=row["high"],
                colour=colour,
                symbol=symbol,
                hover=reading(row, t, name=name),
                flagged=row["verdict"] in _FLAGS,
            )
        )
    notes = [
        t(
            "Percentage points between stated confidence and what landed, luck taken out: right of the line "
            "promises too much, left of it too little."
        ),
        t("Shaded: too little to matter."),
    ]
    if more := told.height - len(rows):
        notes.append(
            t.plural(
                "{n} more owner, who stands out less, is not drawn.",
                "{n} more owners, who stand out less, are not drawn.",
                more,
            )
        )
    if untold := found.owners.height - told.height:
        notes.append(
            t.plural("For {n} owner the data cannot tell.", "For {n} owners the data cannot tell.", untold)
        )
    empty = refusal(found, t) if found.untold else t("The data cannot tell for any owner within reach.")
    return dots(rows, mode, practical=found.practical, zero=t("keeps promises"), below=notes, empty=empty)


def _drawn(told: pl.DataFrame) -> pl.DataFrame:
    """The owners that stand out most, flags first, neither kind of flag crowding out the other."""
    side = pl.when(pl.col("verdict").is_in(_FLAGS)).then("verdict").otherwise(pl.lit("-"))
    place = pl.int_range(pl.len()).over(side)
    flagged = pl.col("verdict").is_in(_FLAGS)
    return (
        told.sort(pl.col("excess").abs(), "owner_id", descending=[True, False])
        .with_columns(
            pl.when(flagged & (place < MOST_OWNERS // 2))
            .then(0)
            .when(flagged)
            .then(1)
            .otherwise(2)
            .alias("_rank")
        )
        .sort("_rank", maintain_order=True)
        .head(MOST_OWNERS)
        .drop("_rank")
        .sort(["excess", "owner_id"], descending=[True, False])
    )


def reading(row: Row, t: Language, *, name: str) -> str:
    """One owner in plain sentences.

    Parameters
    ----------
    row
        A row of ``Owners.owners``.
    t
        The reader's language.
    name
        What to call the owner.
    """
    if row["excess"] is None:
        return t.plural(
            "For {who} the data cannot tell: {n} goal came due, and it takes {minimum}.",
            "For {who} the data cannot tell: {n} goals came due, and it takes {minimum}.",
            row["n_goals"],
            who=name,
            minimum=int(MINIMUM_FINISHED_GOALS.value),
        )
    places = {
        "who": name,
        "stated": percent(row["stated"], t),
        "landed": round(row["landed"] * row["n_goals"]),
        "n": row["n_goals"],
        "low": points(row["low"]),
        "high": points(row["high"]),
    }
    said = t("{who} stated {stated} on average at half time; {landed} of {n} goals landed.", **places)
    if row["verdict"] == "over_promises":
        ending = t(
            "Luck taken out, that is too sure by {low} to {high} points.",
            low=round(100 * row["low"]),
            high=round(100 * row["high"]),
        )
    elif row["verdict"] == "holds_back":
        ending = t(
            "Luck taken out, that is too cautious by {low} to {high} points.",
            low=abs(round(100 * row["high"])),
            high=abs(round(100 * row["low"])),
        )
    elif row["reason"] == "usual":
        ending = t("That is about as far off as is usual here (likely {low} to {high} points).", **places)
    elif row["reason"] == "no_spread":
        ending = t("Owners do not differ here beyond what chance explains.")
    elif row["reason"] == "fair":
        ending = t("That is close, as far as can be told (likely {low} to {high} points).", **places)
    else:
        ending = t("Chance could explain the difference (likely {low} to {high} points).", **places)
    return t.joined([said, ending])


def besides(t: Language) -> str:
    """What else could explain a flag; stands at the end of the page."""
    return t(
        "Besides habit, this could be explained by: goals that others set or changed, work that hangs on "
        "other teams, a department that had bad luck together, or a confidence given for another question "
        "than whether the goal lands in time. Talk before concluding."
    )


def coaching(t: Language) -> str:
    """How a talk could begin."""
    return t(
        "A way to begin: take two of these goals together and ask what was known at half time that could "
        "have moved the stated confidence."
    )


def verdict_words(t: Language) -> dict[str, str]:
    """What each verdict is called."""
    return {
        "over_promises": t("Promises too much"),
        "holds_back": t("Holds back"),
        "unremarkable": t("Nothing stands out"),
        "cannot_tell": t("The data cannot tell"),
    }
