"""Pictures of ratings beside evidence, and the sentences that say what they show.

Every function is pure: a released result about one kind of evidence in, a figure, a table or a sentence out.
Where evidence explains next to nothing the sentence says so before anything else, and nobody is called rated
too high.
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
from analytics.language import Language, decimals, interval, percent, signed
from analytics.severity import chart
from analytics.severity.evidence import Evidence

Row = Mapping[str, Any]

MOST_DEPARTMENTS: Final = 3
"""Departments a finding names; the picture has all."""

_NOBODY: Final[Mapping[str, str]] = MappingProxyType({})
_FLAGS: Final = ("lenient", "severe")
_ROW: Final = 26
_SHARED: Final = 0.02
"""Share of the evidence between raters' teams from which it is worth a sentence."""


def kind_names(t: Language) -> dict[str, str]:
    """What each kind of evidence is called."""
    return {"goals": t("Goal attainment"), "feedback": t("Feedback by others")}


def takeaway(released: Released[Evidence], t: Language, *, names: Mapping[str, str] = _NOBODY) -> str:
    """Do ratings follow the evidence, in plain sentences.

    First how much the evidence explains, and whether that is enough to say anything; then which departments
    are rated above or below it. What becomes of the flags on raters is said by `changes`.

    Parameters
    ----------
    released
        What may be shown, about one kind of evidence.
    t
        The reader's language.
    names
        What to call departments by id.
    """
    kind = _kind(released)
    if kind["why"] is not None:
        return _nothing_said(kind, t)
    sentences = [_explains(kind, t)]
    if kind["telling"]:
        sentences += _departments(released, t, names)
    if released.value.refusal is not None:
        sentences.append(chart.refusal(released.value.refusal, t))
    return t.joined(sentences)


def warning(released: Released[Evidence], t: Language) -> str:
    """Why taking evidence out may take out too much.

    Parameters
    ----------
    released
        What may be shown, about one kind of evidence.
    t
        The reader's language.
    """
    kind = _kind(released)
    if kind["kind"] == "goals":
        sentences = [
            t(
                "Mind what the evidence is made of. Where a manager also sets the goals and scores them, a "
                "soft hand shows in both: taking goal attainment out then takes out the very leniency one is "
                "looking for. Severity without the evidence therefore stays the answer; the difference is a "
                "reason to ask who scored the goals."
            )
        ]
    else:
        sentences = [
            t(
                "Mind what the evidence is made of. Colleagues of one department may share its culture: "
                "where everybody judges softly, feedback looks like good work, and taking it out takes out "
                "the very leniency one is looking for. Severity without the evidence therefore stays the "
                "answer; the difference is a reason to ask."
            )
        ]
    if kind["between"] is not None and kind["between"] >= _SHARED:
        sentences.append(
            t(
                "{share} of the differences in this evidence lie between raters' teams: better work, or "
                "softer scoring.",
                share=percent(kind["between"], t),
            )
        )
    return t.joined(sentences)


def departments_figure(
    released: Released[Evidence], t: Language, *, mode: theme.Mode, names: Mapping[str, str] = _NOBODY
) -> go.Figure:
    """Gap of each department to what the same evidence gets elsewhere, dot and interval.

    Parameters
    ----------
    released
        What may be shown, about one kind of evidence.
    t
        The reader's language.
    mode
        Light or dark.
    names
        What to call departments by id.
    """
    tokens = theme.TOKENS[mode]
    told = released.value.departments.filter(pl.col("gap").is_not_null()).sort(
        ["gap", "department_id"], descending=[True, False]
    )
    if told.is_empty():
        return theme.nothing(takeaway(released, t, names=names), mode)
    rows = list(told.iter_rows(named=True))
    practical = released.value.practical.get(_kind(released)["kind"], 0.0)
    fig = theme.figure(mode, height=96 + _ROW * len(rows))
    fig.add_vrect(x0=-practical, x1=practical, fillcolor=tokens.band, line_width=0, layer="below")
    fig.add_vline(x=0, line={"color": tokens.quiet, "width": 1.5})
    for place, row in enumerate(rows):
        colour = (tokens.lenient if row["gap"] > 0 else tokens.severe) if row["stands_out"] else tokens.quiet
        fig.add_scatter(
            x=[row["low"], row["high"]],
            y=[place, place],
            mode="lines",
            line={"color": colour, "width": 2},
            hoverinfo="skip",
            showlegend=False,
        )
        fig.add_scatter(
            x=[row["gap"]],
            y=[place],
            mode="markers",
            marker={
                "color": colour,
                "size": 9,
                "symbol": "circle" if row["stands_out"] else "circle-open",
                "line": {"width": 1.5, "color": colour},
            },
            hovertext=[escape(_gap(row, t, names.get(row["department_id"], row["department_id"])))],
            hoverinfo="text",
            showlegend=False,
        )
    below = [
        t("Rating points above (right) or below (left) what the same evidence gets elsewhere."),
        t("Shaded: too little to matter."),
    ]
    if not _kind(released)["telling"]:
        below.append(t("This evidence explains too little to call any of it too high or too low."))
    fig.add_annotation(
        x=0,
        xref="paper",
        xanchor="left",
        y=0,
        yref="paper",
        yanchor="top",
        yshift=-28,
        align="left",
        text="<br>".join(escape(line) for line in below),
        showarrow=False,
        font={"color": tokens.quiet, "size": 13},
    )
    ends = [-practical, practical, *told["low"].to_list(), *told["high"].to_list()]
    reach = max(ends) - min(ends)
    fig.update_xaxes(range=[min(ends) - 0.06 * reach, max(ends) + 0.06 * reach], nticks=9)
    fig.update_yaxes(
        range=[len(rows) - 0.5, -0.5],
        tickmode="array",
        tickvals=list(range(len(rows))),
        ticktext=[escape(names.get(row["department_id"], row["department_id"])) for row in rows],
        showgrid=False,
        tickfont={"color": tokens.ink, "size": 13},
    )
    fig.update_layout(margin={"l": 8, "r": 24, "t": 16, "b": 40 + 18 * len(below)}, hovermode="closest")
    return fig


def beside_figure(
    released: Released[Evidence], t: Language, *, mode: theme.Mode, names: Mapping[str, str] = _NOBODY
) -> go.Figure:
    """Severity of each rater without (across) and with (up) the evidence; on the line nothing changes.

    Parameters
    ----------
    released
        What may be shown, about one kind of evidence.
    t
        The reader's language.
    mode
        Light or dark.
    names
        What to call raters by id.
    """
    tokens = theme.TOKENS[mode]
    told = _both(released)
    if told.is_empty():
        return theme.nothing(t("The data cannot tell for any rater."), mode)
    fig = theme.figure(mode, height=420)
    values = [*told["severity"].to_list(), *told["severity_with"].to_list()]
    low, high = min(values), max(values)
    reach = (high - low) or 1.0
    ends = [low - 0.05 * reach, high + 0.05 * reach]
    fig.add_scatter(
        x=ends,
        y=ends,
        mode="lines",
        line={"color": tokens.quiet, "width": 1, "dash": "dot"},
        hoverinfo="skip",
        showlegend=False,
    )
    moved = pl.col("moved")
    for part, colour, symbol, size, name in (
        (told.filter(~moved), tokens.unknown, "circle-open", 6, t("same reading")),
        (told.filter(moved), tokens.accent, "diamond", 11, t("another reading with the evidence")),
    ):
        fig.add_scatter(
            x=part["severity"].to_list(),
            y=part["severity_with"].to_list(),
            mode="markers",
            marker={"color": colour, "size": size, "symbol": symbol},
            name=name,
            hovertext=[
                escape(_changed(row, t, names.get(row["rater_id"], row["rater_id"])))
                for row in part.iter_rows(named=True)
            ],
            hoverinfo="text",
        )
    fig.update_xaxes(range=ends, title={"text": escape(t("Severity without the evidence (points)"))})
    fig.update_yaxes(range=ends, title={"text": escape(t("Severity with the evidence (points)"))})
    fig.update_layout(margin={"l": 8, "r": 24, "t": 40, "b": 8}, hovermode="closest")
    return fig


def matters(released: Released[Evidence]) -> bool:
    """Whether the evidence changes the reading of any rater by more than lying just at a bar."""
    return bool(_both(released)["moved"].any())


def changes(released: Released[Evidence], t: Language) -> str:
    """What becomes of the flags on raters beside the evidence, in plain sentences.

    Parameters
    ----------
    released
        What may be shown, about one kind of evidence.
    t
        The reader's language.
    """
    told = _both(released)
    before, after = pl.col("verdict").is_in(_FLAGS), pl.col("verdict_with").is_in(_FLAGS)
    flags, both = told.filter(before).height, told.filter(before & after).height
    at_bar = told.filter((pl.col("verdict") != pl.col("verdict_with")) & ~pl.col("moved")).height
    if matters(released):
        sentences = [
            t(
                "With it, {gone} of the {flags} flags on raters would fall away and {new} would be new; "
                "severity changes by {points} points at most.",
                flags=flags,
                gone=told.filter(before & ~after & pl.col("moved")).height,
                new=told.filter(~before & after & pl.col("moved")).height,
                points=f"{max(abs(change) for change in told['change']):.2f}",
            )
        ]
    elif both:
        sentences = [t("The evidence changes nothing that matters: the same raters stand out.")]
    elif at_bar:
        sentences = [t("The evidence changes nothing that matters.")]
    else:
        sentences = [
            t("The evidence changes nothing that matters: no rater stands out with it or without it.")
        ]
    if at_bar:
        sentences.append(
            t.plural(
                "{n} rater lies just at the bar, where next to nothing changes the reading.",
                "{n} raters lie just at the bar, where next to nothing changes the reading.",
                at_bar,
            )
        )
    return t.joined(sentences)


def departments_left_out(released: Released[Evidence], t: Language) -> str:
    """How many departments are about too few people to be shown; empty if none.

    Parameters
    ----------
    released
        What may be shown, about one kind of evidence.
    t
        The reader's language.
    """
    hidden = released.value.departments["gap"].null_count()
    if not hidden:
        return ""
    return t.plural(
        "{n} department with ratings of fewer than {minimum} people is left out.",
        "{n} departments with ratings of fewer than {minimum} people each are left out.",
        hidden,
        minimum=released.minimum,
    )


def raters_left_out(released: Released[Evidence], t: Language) -> str:
    """How many raters rated too few people to be shown; empty if none.

    Parameters
    ----------
    released
        What may be shown, about one kind of evidence.
    t
        The reader's language.
    """
    if not released.hidden["beside"]:
        return ""
    return t.plural(
        "{n} rater of fewer than {minimum} people is left out.",
        "{n} raters of fewer than {minimum} people each are left out.",
        released.hidden["beside"],
        minimum=released.minimum,
    )


def changed_rows(
    released: Released[Evidence],
    t: Language,
    *,
    names: Mapping[str, str] = _NOBODY,
    departments: Mapping[str, str] = _NOBODY,
    verdicts: Mapping[str, str] = _NOBODY,
) -> pl.DataFrame:
    """Raters with both severities, those whose reading changes first.

    Parameters
    ----------
    released
        What may be shown, about one kind of evidence.
    t
        The reader's language.
    names, departments, verdicts
        What to call raters, departments and verdicts.
    """
    frame = _both(released).sort(
        "moved",
        pl.col("change").abs(),
        "rater_id",
        descending=[True, True, False],
    )
    return frame.select(
        _called(frame, "rater_id", names).alias(t("Rater")),
        _points("severity").alias(t("Without (points)")),
        _points("severity_with").alias(t("With (points)")),
        _points("change").alias(t("Change")),
        _called(frame, "verdict", verdicts).alias(t("Reading without")),
        _called(frame, "verdict_with", verdicts).alias(t("Reading with")),
        pl.col("n_ratees").alias(t("People rated")),
        _called(frame, "department_id", departments).alias(t("Department")),
    )


def group_rows(
    released: Released[Evidence],
    t: Language,
    *,
    by: str,
    names: Mapping[str, str] = _NOBODY,
) -> pl.DataFrame:
    """Departments or raters with their gap, largest first; those whose gap is hidden are left out.

    Parameters
    ----------
    released
        What may be shown, about one kind of evidence.
    t
        The reader's language.
    by
        ``department_id`` or ``rater_id``.
    names
        What to call them.

    Raises
    ------
    ValueError
        If ``by`` is neither.
    """
    headers = {"department_id": t("Department"), "rater_id": t("Rater")}
    if by not in headers:
        raise ValueError(f"by must be one of {', '.join(headers)}; got {by!r}")
    frame = released.value.departments if by == "department_id" else released.value.raters
    frame = frame.drop_nulls("gap").sort(pl.col("gap").abs(), by, descending=[True, False])
    return frame.select(
        _called(frame, by, names).alias(headers[by]),
        _points("gap").alias(t("Gap (points)")),
        _points("low").alias(t("from")),
        _points("high").alias(t("to")),
        pl.col("n_people").alias(t("People")),
        pl.col("n_ratings").alias(t("Ratings")),
    )


def people_rows(
    released: Released[Evidence], t: Language, *, names: Mapping[str, str] = _NOBODY
) -> pl.DataFrame:
    """Single ratings beside what people with the same evidence got, furthest from it first.

    Parameters
    ----------
    released
        What may be shown, about one kind of evidence.
    t
        The reader's language.
    names
        What to call people.
    """
    frame = released.value.people.sort(
        pl.col("gap").abs().round(9), "ratee_id", "rater_id", "source", descending=[True, False, False, False]
    )
    goals = _kind(released)["kind"] == "goals"
    known = (100 * pl.col("evidence")).round(0).cast(pl.Int64) if goals else _points("evidence")
    inside = pl.lit(t("within what this evidence gets"))
    return frame.select(
        _called(frame, "ratee_id", names).alias(t("Person")),
        _called(frame, "rater_id", names).alias(t("Rater")),
        known.alias(t("Goals (%)") if goals else t("Feedback (points)")),
        pl.col("score").alias(t("Given")),
        _points("expected").alias(t("Same evidence got")),
        _points("gap").alias(t("Gap (points)")),
        pl.when(~pl.col("beyond"))
        .then(inside)
        .when(pl.col("gap") > 0)
        .then(pl.lit(t("unusually high")))
        .otherwise(pl.lit(t("unusually low")))
        .alias(t("In words")),
        _points("low").alias(t("95 % from")),
        _points("high").alias(t("to")),
    )


def _points(column: str) -> pl.Expr:
    """Rating points as they are written to a file: what rounds to nought has no sign."""
    return pl.col(column).round(4) + 0.0


def _kind(released: Released[Evidence]) -> dict[str, Any]:
    """The row of the one kind of evidence looked at."""
    return released.value.kinds.row(0, named=True)


def _nothing_said(kind: Row, t: Language) -> str:
    goals = kind["kind"] == "goals"
    if kind["why"] == "none" and goals:
        return t("Nobody's goals are known for these cycles, so ratings cannot be set beside them.")
    if kind["why"] == "none":
        return t(
            "No other source judged these people, so ratings cannot be set beside feedback. Choose fewer "
            "sources to compare, or load feedback by peers or direct reports."
        )
    if kind["why"] == "few":
        return t.plural(
            "The evidence is known for {n} person only: too few to say what usually goes with it.",
            "The evidence is known for {n} people only: too few to say what usually goes with it.",
            kind["n_people"],
        )
    return t("The evidence or the ratings are the same for everybody, so one cannot explain the other.")


def _explains(kind: Row, t: Language) -> str:
    """How much of the ratings the evidence explains."""
    share, places = percent(kind["explained"], t), {"people": kind["n_people"]}
    if kind["telling"] and kind["kind"] == "goals":
        return t(
            "Goal attainment explains {share} of the differences between ratings ({people} people).",
            share=share,
            **places,
        )
    if kind["telling"]:
        return t(
            "What others say explains {share} of the differences between ratings ({people} people).",
            share=share,
            **places,
        )
    if kind["slope_high"] < 0:
        return t(
            "Ratings are lower where the evidence is better ({people} people): it cannot say who is rated "
            "too high. Find out first what it measures.",
            **places,
        )
    if kind["kind"] == "goals":
        return t(
            "Goal attainment explains {share} of the differences between ratings ({people} people): it "
            "cannot say who is rated too high.",
            share=share,
            **places,
        )
    return t(
        "What others say explains {share} of the differences between ratings ({people} people): it cannot "
        "say who is rated too high.",
        share=share,
        **places,
    )


def _departments(released: Released[Evidence], t: Language, names: Mapping[str, str]) -> list[str]:
    """Which departments are rated above or below their evidence."""
    told = released.value.departments.filter(pl.col("gap").is_not_null())
    flagged = told.filter("stands_out").sort(pl.col("gap").abs(), "department_id", descending=[True, False])
    if told.is_empty():
        return []
    if flagged.is_empty():
        return [t("No department is rated above or below its evidence by an amount that matters.")]
    return [
        _gap(row, t, names.get(row["department_id"], row["department_id"]))
        for row in flagged.head(MOST_DEPARTMENTS).iter_rows(named=True)
    ]


def _gap(row: Row, t: Language, name: str) -> str:
    """One group's gap in a sentence."""
    digits = max(decimals(row["gap"]), 1)
    places = {
        "who": name,
        "points": f"{abs(row['gap']):.{digits}f}",
        "interval": interval(row["low"], row["high"], digits),
    }
    if row["gap"] >= 0:
        return t("{who} is rated {points} points above what the same evidence gets {interval}.", **places)
    return t("{who} is rated {points} points below what the same evidence gets {interval}.", **places)


def _both(released: Released[Evidence]) -> pl.DataFrame:
    return released.value.beside.filter(
        pl.col("severity").is_not_null(), pl.col("severity_with").is_not_null()
    )


def _changed(row: Row, t: Language, name: str) -> str:
    return t(
        "{who}: {without} without, {with_it} with the evidence",
        who=name,
        without=signed(row["severity"], 2),
        with_it=signed(row["severity_with"], 2),
    )


def _called(frame: pl.DataFrame, column: str, names: Mapping[str, str]) -> pl.Expr:
    """A column of ids as names; an id without a name stays."""
    known = {one: names[one] for one in frame[column].drop_nulls().unique() if one in names}
    return pl.col(column).replace_strict(known, default=pl.col(column), return_dtype=pl.String)
