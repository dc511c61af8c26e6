"""Pictures of severity, and the sentences that say what they show.

Every function is pure: a released result in, a plotly figure or a sentence out. Who cannot be judged is
counted and never drawn at nought. Sentences are plain text; only what goes into a figure is escaped,
because plotly reads tags.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, floor
from types import MappingProxyType
from typing import Any, Final

import plotly.graph_objects as go
import polars as pl

from analytics import theme
from analytics.disclosure import Released
from analytics.language import Language, decimals, signed
from analytics.policy import MINIMUM_LINKED_RATERS, MINIMUM_RATEES
from analytics.severity.design import Refusal
from analytics.severity.linear import Severity

Row = Mapping[str, Any]

MOST_RATERS: Final = 60
"""Rows of a picture that can still be read; the rest is said."""

_ROW: Final = 22
MOST_DEPARTMENTS: Final = 2
"""Departments a finding names; the picture has all."""

_FLAGS: Final = ("lenient", "severe")
_NOBODY: Final[Mapping[str, str]] = MappingProxyType({})


def figure(
    released: Released[Severity], t: Language, *, mode: theme.Mode, names: Mapping[str, str] = _NOBODY
) -> go.Figure:
    """Dot and interval per rater, most lenient on top.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    mode
        Light or dark.
    names
        What to call raters by id; those without a name are called by their id.

    Returns
    -------
    plotly Figure
        All flagged raters, then those furthest from the average, `MOST_RATERS` at most. How many are not
        drawn, and for how many the data cannot tell, stands under it.
    """
    result = released.value
    told = result.raters.filter(pl.col("severity").is_not_null())
    chosen = (
        told.sort(
            pl.col("verdict").is_in(_FLAGS),
            pl.col("severity").abs(),
            "rater_id",
            descending=[True, True, False],
        )
        .head(MOST_RATERS)
        .sort(["severity", "rater_id"], descending=[True, False])
    )
    rows = [
        {
            **row,
            "name": names.get(row["rater_id"], row["rater_id"]),
            "value": row["severity"],
            "hover": reading(row, t, name=names.get(row["rater_id"], row["rater_id"])),
        }
        for row in chosen.iter_rows(named=True)
    ]
    below = [
        t("Severity in rating points: left of the line rates harder, right of it softer."),
        t("Shaded: too little to matter."),
    ]
    if told.height > len(rows):
        below.append(
            t.plural(
                "{n} more rater, nearer to the average, is not drawn.",
                "{n} more raters, nearer to the average, are not drawn.",
                told.height - len(rows),
            )
        )
    if result.raters.height > told.height:
        below.append(_cannot_tell(result.raters.height - told.height, t))
    empty = refusal(result.refusal, t) if result.refusal else t("The data cannot tell for any rater.")
    return intervals(
        rows, mode, practical=result.practical, zero=t("average rater"), below=below, empty=empty
    )


def departments_figure(
    released: Released[Severity], t: Language, *, mode: theme.Mode, names: Mapping[str, str] = _NOBODY
) -> go.Figure:
    """Dot and interval per department: how its raters rate against the company's.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    mode
        Light or dark.
    names
        What to call departments by id.
    """
    result = released.value
    told = result.departments.filter(pl.col("difference").is_not_null()).sort(
        ["difference", "department_id"], descending=[True, False]
    )
    rows = [
        {
            **row,
            "name": names.get(row["department_id"], row["department_id"]),
            "value": row["difference"],
            "hover": department_reading(
                row,
                t,
                name=names.get(row["department_id"], row["department_id"]),
                practical=result.practical,
            ),
        }
        for row in told.iter_rows(named=True)
    ]
    below = [
        t("Difference in rating points: left of the line rates harder, right of it softer."),
        t("Shaded: too little to matter."),
    ]
    missing = result.departments.height - told.height
    if missing:
        below.append(
            t.plural(
                "For {n} department the data cannot tell.",
                "For {n} departments the data cannot tell.",
                missing,
            )
        )
    empty = (
        refusal(result.refusal, t)
        if result.refusal
        else t(
            "The data cannot tell for any department: without ratings across departments nobody can tell "
            "lenient raters from good work."
        )
    )
    return intervals(rows, mode, practical=result.practical, zero=t("company"), below=below, empty=empty)


def takeaway(
    released: Released[Severity],
    t: Language,
    *,
    names: Mapping[str, str] = _NOBODY,
) -> str:
    """Do some raters rate more leniently, in a few plain sentences.

    First how many raters do, then which departments differ. What else a reader should know is in `caveats`.

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
    told = result.raters.filter(pl.col("severity").is_not_null())
    if told.is_empty() and not result.raters.is_empty():
        return t.joined(_untold(result.raters, t))
    sentences = [_softer_and_harder(told, t)] if told.height else []
    departments = (
        result.departments.filter(pl.col("verdict").is_in(_FLAGS))
        .with_columns(pl.col("difference").abs().alias("size"))
        .sort(["size", "department_id"], descending=[True, False])
    )
    # Two are named; of more only the first, so that the finding stays short.
    named = departments if departments.height <= MOST_DEPARTMENTS else departments.head(1)
    for row in named.iter_rows(named=True):
        name = names.get(row["department_id"], row["department_id"])
        sentences.append(_finding(row, t, name, result.practical))
    more = departments.height - named.height
    if more > 0:
        sentences.append(
            t.plural(
                "{n} more department differs by an amount that matters.",
                "{n} more departments differ by an amount that matters.",
                more,
            )
        )
    return t.joined(sentences)


def caveats(released: Released[Severity], t: Language) -> str:
    """How many flags may be wrong, and for whom the data cannot tell; empty where there is nothing to add.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    """
    result = released.value
    told = result.raters.filter(pl.col("severity").is_not_null())
    if result.refusal is not None or told.is_empty():
        return ""
    return t.joined([*_may_be_wrong(result, t), *_untold(result.raters, t)])


def reading(row: Row, t: Language, *, name: str | None = None) -> str:
    """One rater in one plain sentence.

    Parameters
    ----------
    row
        A row of ``Severity.raters``.
    t
        The reader's language.
    name
        What to call the rater; by default "This rater".
    """
    if row["severity"] is None and name is None:
        return t("For this rater the data cannot tell: {why}.", why=why(row, t))
    who = name or t("This rater")
    if row["severity"] is None:
        return t("For {who} the data cannot tell: {why}.", who=who, why=why(row, t))
    value = row["severity"]
    places = {"who": who, **_said(row, value)}
    if row["verdict"] == "lenient":
        said = t(
            "{who} rates {points} points softer than an average rater would (likely {low} to {high}).",
            **places,
        )
    elif row["verdict"] == "severe":
        said = t(
            "{who} rates {points} points harder than an average rater would (likely {low} to {high}).",
            **places,
        )
    elif row["reason"] == "unsure" and value > 0:
        said = t(
            "{who} may rate {points} points softer than an average rater would, but chance could explain "
            "it (likely {low} to {high}).",
            **places,
        )
    elif row["reason"] == "unsure":
        said = t(
            "{who} may rate {points} points harder than an average rater would, but chance could explain "
            "it (likely {low} to {high}).",
            **places,
        )
    elif row["reason"] == "no_spread":
        said = t(
            "{who} rates like the others: raters do not differ here beyond what chance explains.", **places
        )
    else:
        said = t(
            "{who} rates about like an average rater would, as far as can be told (likely {low} to {high}).",
            **places,
        )
    if row["hangs_on_one"]:
        return t.joined([said, t("The comparison hangs on one person whom others rated too.")])
    return said


def coaching(row: Row, t: Language, *, name: str | None = None) -> str:
    """What could be tried next time, for a talk with a flagged rater; empty without a flag.

    Parameters
    ----------
    row
        A row of ``Severity.raters``.
    t
        The reader's language.
    name
        What to call the rater; by default "This rater".
    """
    who = name or t("This rater")
    if row["verdict"] == "lenient":
        return t(
            "A way to begin: take two people whom {who} and somebody else both rated, and ask what each "
            "would have to see for the next lower level. Write the answer down before the next cycle.",
            who=who,
        )
    if row["verdict"] == "severe":
        return t(
            "A way to begin: take two people whom {who} and somebody else both rated, and ask what each "
            "would have to see for the next higher level. Write the answer down before the next cycle.",
            who=who,
        )
    return ""


def why(row: Row, t: Language) -> str:
    """Why the data cannot tell for one rater, in one clause; empty if they can.

    Parameters
    ----------
    row
        A row of ``Severity.raters``.
    t
        The reader's language.
    """
    if row["severity"] is not None:
        return ""
    minimum = int(MINIMUM_RATEES.value)
    if row["reason"] == "few_ratees":
        return t.plural(
            "{n} person rated, and it takes {minimum}",
            "{n} people rated, and it takes {minimum}",
            row["n_ratees"],
            minimum=minimum,
        )
    if row["reason"] == "alone":
        return t("nobody else rated any of the same people")
    if row["reason"] == "island":
        return t("only a few raters, apart from all others, rated the same people")
    if row["reason"] == "refused":
        return t("these ratings tell about nobody")
    # What a release hid is about too few people.
    return t("fewer than {minimum} people rated", minimum=minimum)


def department_reading(row: Row, t: Language, *, name: str, practical: float | None) -> str:
    """One department in one plain sentence.

    Parameters
    ----------
    row
        A row of ``Severity.departments``.
    t
        The reader's language.
    name
        What to call the department.
    practical
        Difference that matters, in rating points.
    """
    if row["difference"] is None:
        if row["reason"] == "no_outside_ratings":
            return t(
                "{who}: the data cannot tell, because hardly anybody rated across its border. Reviews from "
                "other departments would help.",
                who=name,
            )
        return t("{who}: the data cannot tell.", who=name)
    said = _finding(row, t, name, practical)
    if row["verdict"] in _FLAGS and not _is_of_a_few(row, practical):
        said = t.joined([said, _on_their_own(row, t)])
    if not row["n_cannot_tell"]:
        return said
    unknown = t.plural(
        "For {n} of its raters the data cannot tell.",
        "For {n} of its raters the data cannot tell.",
        row["n_cannot_tell"],
    )
    return t.joined([said, unknown])


def _finding(row: Row, t: Language, name: str, practical: float | None) -> str:
    """How one department rates, or that a few of its raters make most of the difference."""
    places = {"who": name, **_said(row, row["difference"])}
    lenient = row["verdict"] == "lenient"
    if row["verdict"] not in _FLAGS:
        return t(
            "{who} rates about like comparable departments, as far as can be told "
            "(likely {low} to {high} points).",
            **places,
        )
    if _is_of_a_few(row, practical):
        if lenient:
            return t.plural(
                "Ratings in {who} are {points} points above comparable departments (likely {low} to {high}), "
                "but most of it comes from {n} rater: without that one too little would be left to matter.",
                "Ratings in {who} are {points} points above comparable departments (likely {low} to {high}), "
                "but most of it comes from {n} raters: without them too little would be left to matter.",
                row["n_accounting"],
                **places,
            )
        return t.plural(
            "Ratings in {who} are {points} points below comparable departments (likely {low} to {high}), "
            "but most of it comes from {n} rater: without that one too little would be left to matter.",
            "Ratings in {who} are {points} points below comparable departments (likely {low} to {high}), "
            "but most of it comes from {n} raters: without them too little would be left to matter.",
            row["n_accounting"],
            **places,
        )
    if lenient:
        return t(
            "{who} rates {points} points above comparable departments (likely {low} to {high}).", **places
        )
    return t("{who} rates {points} points below comparable departments (likely {low} to {high}).", **places)


def _on_their_own(row: Row, t: Language) -> str:
    """How many of a department's raters are flagged the same way as the department."""
    told, flagged = row["n_raters"] - row["n_cannot_tell"], row["n_accounting"]
    if not flagged:
        return t("No single rater there stands out.")
    if told == 1:
        return t("It has one rater whom the data can tell about.")
    if row["verdict"] == "lenient":
        return t.plural(
            "{n} of the {told} raters there whom the data can tell about is flagged as softer.",
            "{n} of the {told} raters there whom the data can tell about are flagged as softer.",
            flagged,
            told=told,
        )
    return t.plural(
        "{n} of the {told} raters there whom the data can tell about is flagged as harder.",
        "{n} of the {told} raters there whom the data can tell about are flagged as harder.",
        flagged,
        told=told,
    )


def _is_of_a_few(row: Row, practical: float | None) -> bool:
    """Whether a minority of the raters makes most of the difference, and the rest is too little to matter.

    Leaving out who is flagged always leaves less: that some of it goes says nothing yet. Half of the raters
    or more who point the same way are no few, whatever the rest does.
    """
    without = row["difference_without"]
    if without is None or practical is None or not row["n_accounting"]:
        return False
    size = abs(row["difference"])
    left = without if row["difference"] > 0 else -without
    few = 2 * row["n_accounting"] < row["n_raters"] - row["n_cannot_tell"]
    return bool(few and left < practical and 2 * left < size)


def refusal(refused: Refusal, t: Language) -> str:
    """Why nobody's severity can be told, and what would help.

    Parameters
    ----------
    refused
        What the analysis refused.
    t
        The reader's language.
    """
    values = refused.values
    if refused.kind == "empty":
        return t("There are no ratings by others in this choice. Choose another cycle, department or source.")
    if refused.kind == "all_equal":
        return t(
            "All ratings are the same, so the data cannot tell lenient raters from severe ones.",
        )
    if refused.kind == "no_links" and values["n_cycles"] <= 1:
        return t(
            "The data cannot tell who rates leniently: in this cycle everybody was rated by one rater only, "
            "so a lenient rater and a strong team look the same. "
            "Add a cycle, or reviews by a second rater."
        )
    if refused.kind == "no_links":
        return t(
            "The data cannot tell who rates leniently: in {n_cycles} cycles nobody was rated by two "
            "different raters, so a lenient rater and a strong team look the same. "
            "Add reviews by a second rater.",
            **values,
        )
    if refused.kind == "few_linked_raters":
        return t(
            "The data cannot tell who rates leniently: only {n_linked} of {n_raters} raters share a person "
            "with another rater, and it takes {minimum} to say what an average rater would do.",
            minimum=int(MINIMUM_LINKED_RATERS.value),
            **values,
        )
    if refused.kind == "one_ratee_each":
        return t(
            "The data cannot tell who rates leniently: no rater who can be compared rated more than one "
            "person.",
        )
    if refused.kind == "too_large":
        return t(
            "{n_raters} raters of {n_ratees} people are more than this view computes. Choose fewer sources "
            "or one part of the company.",
            **values,
        )
    return t(
        "The data cannot tell who rates leniently: these ratings leave no chance variation to compare with."
    )


def _softer_and_harder(told: pl.DataFrame, t: Language) -> str:
    """How many of those the data can tell about rate softer or harder."""
    lenient = told.filter(pl.col("verdict") == "lenient").height
    severe = told.filter(pl.col("verdict") == "severe").height
    if told.height == 1:
        if lenient:
            return t(
                "The one rater the data can tell about rates softer than an average rater would, by an "
                "amount that matters."
            )
        if severe:
            return t(
                "The one rater the data can tell about rates harder than an average rater would, by an "
                "amount that matters."
            )
    if lenient and severe:
        return t.plural(
            "{n} of {told} raters the data can tell about rates softer and {severe} harder than an average "
            "rater would, by an amount that matters.",
            "{n} of {told} raters the data can tell about rate softer and {severe} harder than an average "
            "rater would, by an amount that matters.",
            lenient,
            told=told.height,
            severe=severe,
        )
    if lenient:
        return t.plural(
            "{n} of {told} raters the data can tell about rates softer than an average rater would, by an "
            "amount that matters; none rates harder.",
            "{n} of {told} raters the data can tell about rate softer than an average rater would, by an "
            "amount that matters; none rates harder.",
            lenient,
            told=told.height,
        )
    if severe:
        return t.plural(
            "{n} of {told} raters the data can tell about rates harder than an average rater would, by an "
            "amount that matters; none rates softer.",
            "{n} of {told} raters the data can tell about rate harder than an average rater would, by an "
            "amount that matters; none rates softer.",
            severe,
            told=told.height,
        )
    if told.height == 1:
        return t(
            "The one rater the data can tell about is not clearly softer or harder than an average rater."
        )
    return t(
        "None of the {n} raters the data can tell about is clearly softer or harder than an average rater.",
        n=told.height,
    )


def _may_be_wrong(result: Severity, t: Language) -> list[str]:
    """How many of the flags on raters may point the wrong way; nothing where there is none."""
    flags = result.raters.filter(pl.col("verdict").is_in(_FLAGS)).height
    if not flags:
        return []
    if flags == 1:
        return [t("The chance that this flag points the wrong way is small.")]
    if result.expected_false_flags < 0.5:
        return [t("Hardly any of these {flags} flags points the wrong way.", flags=flags)]
    return [
        t.plural(
            "About {n} of these {flags} flags may point the wrong way.",
            "About {n} of these {flags} flags may point the wrong way.",
            round(result.expected_false_flags),
            flags=flags,
        )
    ]


def _untold(raters: pl.DataFrame, t: Language) -> list[str]:
    """For how many raters the data cannot tell, and why; apart from those who rated only a few people."""
    minimum = int(MINIMUM_RATEES.value)
    # A row hidden by the release is one of a rater of too few people.
    occasional = pl.col("verdict").is_null() | (pl.col("reason") == "few_ratees").fill_null(value=False)
    regular = raters.filter(~occasional)
    untold = regular.filter(pl.col("severity").is_null())
    few, alone = raters.height - regular.height, untold.filter(pl.col("reason") == "alone").height
    apart = untold.filter(pl.col("reason") == "island").height
    whys = []
    if alone:
        whys.append(t.plural("{n} shares nobody with others", "{n} share nobody with others", alone))
    if apart:
        whys.append(
            t.plural(
                "{n} shares people with a few raters apart from all others only",
                "{n} share people with a few raters apart from all others only",
                apart,
            )
        )
    said = []
    if untold.height and alone + apart < untold.height:
        said.append(_cannot_tell(untold.height, t))
    elif untold.height and untold.height == regular.height:
        said.append(
            t.plural(
                "For {n} rater the data cannot tell: {whys}.",
                "For {n} raters the data cannot tell: {whys}.",
                untold.height,
                whys=t.listing(whys),
            )
        )
    elif alone and not apart:
        said.append(
            t(
                "Of {regular} raters of at least {minimum} people, {n} cannot be judged, because nobody else "
                "rated the same people.",
                regular=regular.height,
                minimum=minimum,
                n=alone,
            )
        )
    elif untold.height:
        said.append(
            t(
                "Of {regular} raters of at least {minimum} people, {n} cannot be judged: {whys}.",
                regular=regular.height,
                minimum=minimum,
                n=untold.height,
                whys=t.listing(whys),
            )
        )
    if few:
        said.append(
            t.plural(
                "{n} rater rated fewer than {minimum} people, too few to be judged.",
                "{n} raters rated fewer than {minimum} people, too few to be judged.",
                few,
                minimum=minimum,
            )
        )
    return said


def _cannot_tell(n: int, t: Language) -> str:
    return t.plural("For {n} rater the data cannot tell.", "For {n} raters the data cannot tell.", n)


def intervals(
    rows: Sequence[Row],
    mode: theme.Mode,
    *,
    practical: float | None,
    zero: str,
    below: Sequence[str],
    empty: str,
) -> go.Figure:
    """Dots with intervals, one per row from top to bottom, and a line at nought with its name."""
    tokens = theme.TOKENS[mode]
    if not rows:
        return theme.nothing(empty, mode)
    notes = [line for note in below for line in theme.lines(note, 90)]
    bottom = 40 + 18 * len(notes)
    fig = theme.figure(mode, height=40 + _ROW * len(rows) + 16 + bottom)
    colours = {"lenient": tokens.lenient, "severe": tokens.severe}
    left = min([-(practical or 0.0), *(row["low"] for row in rows)])
    right = max([practical or 0.0, *(row["high"] for row in rows)])
    reach = right - left or 1.0
    if practical:
        fig.add_vrect(x0=-practical, x1=practical, fillcolor=tokens.band, line_width=0, layer="below")
    fig.add_scatter(
        x=[0, 0],
        y=[-0.5, len(rows) - 0.5],
        mode="lines",
        line={"color": tokens.quiet, "width": 1.5},
        hoverinfo="skip",
        showlegend=False,
    )
    for verdict, symbol in (("unremarkable", "circle-open"), ("lenient", "circle"), ("severe", "circle")):
        places = [i for i, row in enumerate(rows) if row["verdict"] == verdict]
        if not places:
            continue
        colour = colours.get(verdict, tokens.quiet)
        ends: list[float | None] = []
        heights: list[float | None] = []
        for i in places:
            ends += [rows[i]["low"], rows[i]["high"], None]
            heights += [i, i, None]
        fig.add_scatter(
            x=ends,
            y=heights,
            mode="lines",
            line={"color": colour, "width": 2},
            opacity=0.55 if verdict == "unremarkable" else 0.9,
            hoverinfo="skip",
            showlegend=False,
        )
        fig.add_scatter(
            x=[rows[i]["value"] for i in places],
            y=places,
            mode="markers",
            marker={"color": colour, "size": 8, "symbol": symbol, "line": {"width": 1.5, "color": colour}},
            hovertext=[theme.written(rows[i]["hover"], 60) for i in places],
            hoverinfo="text",
            showlegend=False,
        )
        if verdict in _FLAGS:
            fig.add_scatter(
                x=[rows[i]["high" if verdict == "lenient" else "low"] for i in places],
                y=places,
                mode="text",
                text=[
                    f"\u00a0\u00a0{signed(rows[i]['value'], decimals(rows[i]['value']))}\u00a0\u00a0"
                    for i in places
                ],
                textposition="middle right" if verdict == "lenient" else "middle left",
                textfont={"color": colour, "size": 13},
                hoverinfo="skip",
                cliponaxis=False,
                showlegend=False,
            )
    theme.named(fig, zero, tokens, x=0)
    theme.noted(fig, notes, tokens)
    step = next((size for size in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0) if reach / size <= 9), reach / 5)
    ticks = [k * step for k in range(floor(left / step), ceil(right / step) + 1)]
    fig.update_xaxes(
        range=[left - 0.09 * reach, right + 0.09 * reach],
        tickmode="array",
        tickvals=ticks,
        ticktext=[signed(tick) for tick in ticks],
    )
    fig.update_yaxes(
        range=[len(rows) - 0.5, -0.5],
        tickmode="array",
        tickvals=list(range(len(rows))),
        ticktext=[escape(theme.shortened(row["name"])) for row in rows],
        showgrid=False,
        tickfont={"color": tokens.ink, "size": 13},
        ticklabelstandoff=6,
    )
    fig.update_layout(margin={"l": 8, "r": 24, "t": 32, "b": bottom}, hovermode="closest")
    return fig


def _said(row: Row, value: float) -> dict[str, str]:
    """A size and the ends of its interval, with equally many decimals.

    Sizes beside "softer" or "harder"; signed ends where no side is said or sure.
    """
    low, high = row["low"], row["high"]
    if row["verdict"] in _FLAGS and low * high > 0:
        digits = decimals(value, low, high)
        near, far = sorted((abs(low), abs(high)))
        return {
            "points": f"{abs(value):.{digits}f}",
            "low": f"{near:.{digits}f}",
            "high": f"{far:.{digits}f}",
        }
    digits = decimals(value if row["reason"] == "unsure" else max(abs(low), abs(high)))
    return {
        "points": f"{abs(value):.{digits}f}",
        "low": signed(low, digits),
        "high": signed(high, digits),
    }
