"""One rater's severity cycle by cycle, drawn and said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import plotly.graph_objects as go
import polars as pl

from analytics import theme
from analytics.disclosure import Released
from analytics.language import Language, decimals
from analytics.severity.chart import intervals
from analytics.severity.drift import Drift

Row = Mapping[str, Any]
_NOBODY: Final[Mapping[str, str]] = MappingProxyType({})


def figure(
    released: Released[Drift],
    t: Language,
    *,
    mode: theme.Mode,
    rater_id: str,
    order: Sequence[str],
    names: Mapping[str, str] = _NOBODY,
) -> go.Figure:
    """Dot and interval per cycle, the oldest on top.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    mode
        Light or dark.
    rater_id
        Whose history.
    order
        Ids of the cycles, oldest first.
    names
        What to call cycles by id.
    """
    result = released.value
    known = result.cycles.filter(pl.col("rater_id") == rater_id, pl.col("severity").is_not_null())
    by_cycle = {row["cycle_id"]: row for row in known.iter_rows(named=True)}
    rows = [
        {
            **by_cycle[cycle],
            "name": names.get(cycle, cycle),
            "value": by_cycle[cycle]["severity"],
            "verdict": _side(by_cycle[cycle], result.practical or 0.0),
            "hover": _reading(by_cycle[cycle], t, cycle=names.get(cycle, cycle)),
        }
        for cycle in order
        if cycle in by_cycle
    ]
    return intervals(
        rows,
        mode,
        practical=result.practical,
        zero=t("average rater"),
        below=[
            t("Severity in rating points: left of the line rates harder, right of it softer."),
            t("Shaded: too little to matter."),
        ],
        empty=_untold(result, t),
    )


def takeaway(
    released: Released[Drift], t: Language, *, rater_id: str, names: Mapping[str, str] = _NOBODY
) -> str:
    """Whether a rater rates softer or harder than they used to, in a sentence.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    rater_id
        Whose history.
    names
        What to call cycles by id.
    """
    result = released.value
    changes = result.changes.filter(pl.col("rater_id") == rater_id, pl.col("change").is_not_null())
    if changes.is_empty():
        return _untold(result, t)
    flagged = changes.filter(pl.col("verdict").is_in(["softer", "harder"]))
    whole = changes.filter(pl.col("span") == "whole")
    row = (flagged if flagged.height else whole if whole.height else changes).row(-1, named=True)
    size = abs(row["change"])
    ends = sorted((abs(row["low"]), abs(row["high"])))
    digits = decimals(size, *ends)
    places = {
        "before": names.get(row["before"], row["before"]),
        "after": names.get(row["after"], row["after"]),
        "points": f"{size:.{digits}f}",
        "low": f"{ends[0]:.{digits}f}",
        "high": f"{ends[1]:.{digits}f}",
    }
    if row["verdict"] == "softer":
        return t(
            "From {before} to {after} the ratings became {points} points softer (likely {low} to {high}).",
            **places,
        )
    if row["verdict"] == "harder":
        return t(
            "From {before} to {after} the ratings became {points} points harder (likely {low} to {high}).",
            **places,
        )
    if row["verdict"] == "steady":
        return t("From {before} to {after} no change that matters.", **places)
    return t(
        "From {before} to {after} no change can be shown, and one that matters cannot be ruled out.", **places
    )


def _side(row: Row, practical: float) -> str:
    """On which side of the average rater the cycle lies, where that is sure and large enough."""
    if row["low"] > 0 and row["severity"] >= practical:
        return "lenient"
    if row["high"] < 0 and row["severity"] <= -practical:
        return "severe"
    return "unremarkable"


def _reading(row: Row, t: Language, *, cycle: str) -> str:
    digits = decimals(row["severity"], row["low"], row["high"])
    return t(
        "{cycle}: {points} points (likely {low} to {high}), from {people}.",
        cycle=cycle,
        points=f"{row['severity']:+.{digits}f}",
        low=f"{row['low']:+.{digits}f}",
        high=f"{row['high']:+.{digits}f}",
        people=t.plural("{n} person", "{n} people", row["n_ratees"]),
    )


def _untold(result: Drift, t: Language) -> str:
    if result.untold == "few_cycles":
        return t(
            "Too few raters rated several people in several cycles: nobody can say what changed from one "
            "cycle to the next."
        )
    return t("The data cannot tell how this rater changed from cycle to cycle.")
