"""Pictures and sentences about how the strategy is covered, and what to do about its holes.

Every picture and sentence takes a released result. Who serves a strategic goal how is a shape, a fill and a
number at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

import plotly.graph_objects as go
import polars as pl

from analytics import theme
from analytics.disclosure import Released
from analytics.goals.chart import perspective_words
from analytics.goals.coverage import LACKS, Coverage
from analytics.language import Language, percent
from analytics.policy import WEIGHT_TOLERANCE

MOST_DEPARTMENTS: Final = 14
"""Departments that fit side by side."""
MOST_NAMED: Final = 2
"""Goals or departments that are named in a sentence; of more only the number is said."""


def lack_words(t: Language) -> dict[str, str]:
    """What a goal's record lacks, by `LACKS`."""
    return {
        "no_owner": t("No owner"),
        "no_metric": t("No metric"),
        "no_target": t("No target"),
        "no_data_source": t("No data source"),
        "no_cadence": t("No review cadence"),
        "no_cycle": t("No review cycle"),
        "orphan": t("Serves no other goal"),
        "parent_missing": t("Serves a goal that is not here"),
    }


def takeaway(released: Released[Coverage], t: Language) -> str:
    """The finding: what nobody has taken up, who serves nothing, what fell silent, what is not measured."""
    found = released.value
    if found.strategy.is_empty():
        return t("There are no open strategic goals: no open company goal stands at the top.")
    said = [_taken_up(found, t), _silent(found, t), _unmeasured(found, t)]
    return t.joined(said)


def _taken_up(found: Coverage, t: Language) -> str:
    left = found.strategy.filter(~pl.col("taken_up"))
    n, total = left.height, found.strategy.height
    if n == 0:
        if total == 1:
            return t("The one strategic goal has been taken up.")
        return t("All {n} strategic goals have been taken up.", n=total)
    if n <= MOST_NAMED:
        names = t.listing([t("“{title}”", title=called) for called in titles(left, found.strategy, t)])
        if total == 1:
            return t("The one strategic goal has been taken up by nobody: {names}.", names=names)
        return t.plural(
            "{n} of {total} strategic goals has been taken up by nobody: {names}.",
            "{n} of {total} strategic goals have been taken up by nobody: {names}.",
            n,
            total=total,
            names=names,
        )
    return t("{n} of {total} strategic goals have been taken up by nobody.", n=n, total=total)


def titles(goals: pl.DataFrame, among: pl.DataFrame, t: Language) -> list[str]:
    """Titles; goals whose title another has too are told apart by their due date."""
    twice = set(among.filter(pl.col("title").is_duplicated())["title"])
    return [
        t("{title}, due {day}", title=title, day=t.day(due_on)) if title in twice else title
        for title, due_on in goals.select("title", "due_on").iter_rows()
    ]


def _silent(found: Coverage, t: Language) -> str:
    n = found.silent.height
    if n == 0:
        return ""
    return t.plural(
        "In {n} branch nobody has updated anything in time.",
        "In {n} branches nobody has updated anything in time.",
        n,
    )


def _unmeasured(found: Coverage, t: Language) -> str:
    """How many goals lack what they lack most often, of what measures and steers them."""
    total = found.goals.height
    counts = lack_counts(found)
    if total == 0:
        return ""
    sources, cadences = counts["no_data_source"], counts["no_cadence"]
    if sources and cadences:
        return t(
            "{sources} of open goals have no data source and {cadences} no review cadence.",
            sources=percent(sources / total, t),
            cadences=percent(cadences / total, t),
        )
    if sources:
        return t("{sources} of open goals have no data source.", sources=percent(sources / total, t))
    if cadences:
        return t("{cadences} of open goals have no review cadence.", cadences=percent(cadences / total, t))
    return t("Every open goal has a data source and a review cadence.")


def lack_counts(found: Coverage) -> dict[str, int]:
    """How many open goals lack each of `LACKS`."""
    counts = dict(
        found.goals.select(pl.col("lacks").explode()).drop_nulls()["lacks"].value_counts().iter_rows()
    )
    return {lack: int(counts.get(lack, 0)) for lack in LACKS}


def map_takeaway(released: Released[Coverage], t: Language, names: Mapping[str, str]) -> str:
    """Who serves the strategy: departments that serve none of it, and the goal that fewest serve."""
    found = released.value
    idle = found.departments.filter(pl.col("strategic") == 0)["department_id"].to_list()
    if found.departments.is_empty():
        return t("No goal of any department is within reach.")
    if 0 < len(idle) <= MOST_NAMED:
        first = t.plural(
            "{names} serves no strategic goal.",
            "{names} serve no strategic goal.",
            len(idle),
            names=t.listing([names.get(one, one) for one in idle]),
        )
    elif idle:
        first = t(
            "{n} of {total} departments serve no strategic goal.",
            n=len(idle),
            total=found.departments.height,
        )
    elif found.departments.height == 1:
        first = t("The one department shown serves the strategy.")
    else:
        first = t(
            "Each of the {n} departments shown serves at least one strategic goal.",
            n=found.departments.height,
        )
    return t.joined([first, _thinnest(found, t) if found.whole else _served(found, t)])


def _served(found: Coverage, t: Language) -> str:
    """How many of the strategic goals are served within reach, where that is not the whole company."""
    return t.plural(
        "Of {total} strategic goals {n} is served from here.",
        "Of {total} strategic goals {n} are served from here.",
        found.uptake["strategic_id"].n_unique(),
        total=found.strategy.height,
    )


def _thinnest(found: Coverage, t: Language) -> str:
    """The strategic goal that fewest departments have taken up themselves, where that is fewer than all."""
    own = found.uptake.filter(~pl.col("aligned")).group_by("strategic_id").agg(pl.len().alias("_n"))
    taken = (
        found.strategy.filter("taken_up")
        .join(own, left_on="goal_id", right_on="strategic_id", how="left")
        .with_columns(pl.col("_n").fill_null(0).cast(pl.Int64))
        .sort("_n", "goal_id")
    )
    if taken.height < 2 or taken["_n"][0] == taken["_n"][-1]:
        return ""
    (title,) = titles(taken.head(1), found.strategy, t)
    if taken["_n"][0] == 0:
        return t("“{title}” is only served from elsewhere.", title=title)
    return t.plural(
        "“{title}” rests on the goals of {n} department.",
        "“{title}” rests on the goals of {n} departments.",
        taken["_n"][0],
        title=title,
    )


def legend(t: Language) -> str:
    """What the marks of `map_figure` mean."""
    return t(
        "● number of goals of the department and its teams below the strategic goal · ○ the same, only "
        "through an alignment · ◇ only goals of single people"
    )


def map_figure(
    released: Released[Coverage], t: Language, mode: theme.Mode, names: Mapping[str, str]
) -> go.Figure:
    """Strategic goals by perspective, against the departments that have taken them up.

    The darker a mark, the more goals; a goal nobody has taken up is outlined over the whole row. Of more
    departments than `MOST_DEPARTMENTS` those with the most goals are shown.
    """
    found, tokens = released.value, theme.TOKENS[mode]
    if found.strategy.is_empty():
        return theme.nothing(takeaway(released, t), mode)
    rows, headings = _lines(found.strategy)
    place = dict(zip(found.strategy["goal_id"], rows, strict=True))
    shown = shown_departments(found)
    column = {department: float(at) for at, department in enumerate(shown)}
    figure = theme.figure(mode, height=96 + 38 * (len(rows) + len(headings)))
    cells = found.uptake.filter(pl.col("department_id").is_in(shown))
    largest = max(int(cells["own"].max() or 0), 1)  # type: ignore[arg-type]
    ramp = theme.levels(_SHADES, mode)
    for row in cells.iter_rows(named=True):
        mark = _mark(row, largest, ramp, tokens)
        figure.add_scatter(
            x=[column[row["department_id"]]],
            y=[place[row["strategic_id"]]],
            mode="markers+text",
            text=[mark.text],
            textfont={"color": mark.ink, "size": 13},
            marker={
                "symbol": mark.symbol,
                "size": mark.size,
                "color": mark.fill,
                "line": {"color": mark.line, "width": 1.5},
            },
            hovertext=[_mark_text(row, found, t, names)],
            hovertemplate="%{hovertext}<extra></extra>",
            showlegend=False,
        )
    perspectives = perspective_words(t)
    for perspective, y in headings.items():
        _beside(figure, f"<b>{theme.written(perspectives[perspective], 60)}</b>", y=y, colour=tokens.quiet)
    right = max(len(shown) - 1, 0) + 0.5
    for y, goal in zip(rows, found.strategy.iter_rows(named=True), strict=True):
        if not goal["taken_up"]:
            figure.add_shape(
                type="rect",
                x0=-0.45,
                x1=right - 0.05,
                y0=y - 0.4,
                y1=y + 0.4,
                line={"color": tokens.quiet, "width": 1.5, "dash": "dot"},
            )
            _beside(figure, t("Nobody has taken this up"), y=y, colour=tokens.ink, inside=True)
    figure.update_layout(
        margin={"t": 64, "b": 8},
        xaxis={
            "side": "top",
            "tickmode": "array",
            "tickvals": list(column.values()),
            "ticktext": [theme.written(names.get(one, one), 13) for one in shown],
            "range": [-0.5, right],
            "tickfont": {"color": tokens.ink, "size": 13},
            "tickangle": 0,
            "showgrid": False,
        },
        yaxis={
            "tickmode": "array",
            "tickvals": rows,
            "ticktext": _labels(found.strategy, t),
            "range": [len(rows) + len(headings) - 0.4, -0.6],
            "tickfont": {"color": tokens.ink},
        },
    )
    return figure


_SHADES: Final = 5
_UNKNOWN: Final = "…"


@dataclass(frozen=True)
class _Mark:
    symbol: str
    size: int
    fill: str
    line: str
    text: str
    ink: str


def _mark(row: Mapping[str, Any], largest: int, ramp: Sequence[str], tokens: theme.Tokens) -> _Mark:
    if row["own"] == 0:
        return _Mark("diamond-open", 14, tokens.accent, tokens.accent, "", tokens.ink)
    if row["aligned"]:
        return _Mark("circle-open", 30, tokens.accent, tokens.accent, f"{row['own']:,}", tokens.ink)
    # Shades by the root, so that a large department does not make all others look alike.
    shade = ramp[min(int((row["own"] / largest) ** 0.5 * _SHADES), _SHADES - 1)]
    return _Mark("circle", 30, shade, shade, f"{row['own']:,}", theme.ink_on(shade))


def shown_departments(found: Coverage) -> list[str]:
    """The departments of the map: those with the most goals of their own, in the order of their ids."""
    own = found.uptake.group_by("department_id").agg(pl.col("own").sum())
    ranked = (
        found.departments.join(own, on="department_id", how="left")
        .with_columns(pl.col("own").fill_null(0))
        .sort("own", "department_id", descending=[True, False])
    )
    return sorted(ranked.head(MOST_DEPARTMENTS)["department_id"])


def map_note(released: Released[Coverage], t: Language) -> str:
    """How many departments the map leaves out; empty if none."""
    left = released.value.departments.height - len(shown_departments(released.value))
    if left <= 0:
        return ""
    return t.plural(
        "{n} department with fewer goals is in the table only.",
        "{n} departments with fewer goals are in the table only.",
        left,
    )


def _mark_text(row: Mapping[str, Any], found: Coverage, t: Language, names: Mapping[str, str]) -> str:
    goal = found.strategy.row(by_predicate=pl.col("goal_id") == row["strategic_id"], named=True)
    lines = [
        goal["title"],
        names.get(row["department_id"], row["department_id"]),
        t.plural(
            "{n} goal of the department and its teams",
            "{n} goals of the department and its teams",
            row["own"],
        ),
    ]
    if row["individual"]:
        lines.append(t.plural("{n} goal of single people", "{n} goals of single people", row["individual"]))
    if row["aligned"]:
        lines.append(t("Only through an alignment"))
    return "<br>".join(theme.written(line, 60) for line in lines)


def _lines(strategy: pl.DataFrame) -> tuple[list[float], dict[str | None, float]]:
    """Where each strategic goal and each heading stands, from the top, a line each."""
    rows: list[float] = []
    headings: dict[str | None, float] = {}
    line = 0
    for perspective in strategy["perspective"].to_list():
        if perspective not in headings:
            headings[perspective] = float(line)
            line += 1
        rows.append(float(line))
        line += 1
    if set(headings) == {None}:
        # Without a scorecard a single heading would say nothing.
        return [row - 1 for row in rows], {}
    return rows, headings


def _labels(strategy: pl.DataFrame, t: Language, width: int = 34) -> list[str]:
    """Titles on at most two lines, the second a due date where titles repeat; hovering shows them whole."""
    twice = strategy["title"].is_duplicated().to_list()
    labels = []
    for (title, due_on), again in zip(strategy.select("title", "due_on").iter_rows(), twice, strict=True):
        if again:
            parts = [theme.shortened(title, width), t("due {day}", day=t.day(due_on))]
        else:
            first, *rest = theme.lines(title, width)
            parts = [first, theme.shortened(" ".join(rest), width)]
        labels.append("<br>".join(escape(part) for part in parts if part))
    return labels


def _beside(figure: go.Figure, text: str, *, y: float, colour: str, inside: bool = False) -> None:
    figure.add_annotation(
        text=text,
        x=-0.45 if inside else 0,
        xref="x" if inside else "paper",
        y=y,
        xanchor="left",
        showarrow=False,
        xshift=8 if inside else 0,
        font={"color": colour, "size": 13},
    )


@dataclass(frozen=True)
class Hole:
    """A hole in the strategy: what it is, where, and what to do."""

    what: str
    where: str
    department_id: str | None
    to_do: str


def holes(released: Released[Coverage], t: Language, names: Mapping[str, str]) -> list[Hole]:
    """Everything missing between goals, the gravest first; `lacking_takeaway` has what single goals lack."""
    found = released.value
    return [
        *(
            Hole(
                t("Taken up by nobody"),
                title,
                None,
                t("Agree which department sets a goal for it, or give it up."),
            )
            for title in titles(found.strategy.filter(~pl.col("taken_up")), found.strategy, t)
        ),
        *(
            Hole(
                t("Serves no strategic goal"),
                names.get(department, department),
                department,
                t("Ask which strategic goal the work of this department serves, and link its goals."),
            )
            for department in found.departments.filter(pl.col("strategic") == 0)["department_id"]
        ),
        *(
            Hole(
                t.plural(
                    "Silent branch of {n} goal",
                    "Silent branch of {n} goals",
                    row["goals"],
                ),
                row["title"],
                row["department_id"],
                t.plural(
                    "Silent for {n} day: ask for a check-in of the whole branch.",
                    "Silent for {n} days: ask for a check-in of the whole branch.",
                    row["silent_days"],
                ),
            )
            for row in found.silent.iter_rows(named=True)
        ),
        *(
            Hole(
                t("Goals that serve each other in a circle"),
                t.listing([t("“{title}”", title=title or _UNKNOWN) for title in circle]),
                None,
                t("Take out the link that leads back: nothing is counted through it."),
            )
            for circle in found.circles.group_by("circle", maintain_order=True)
            .agg("title")["title"]
            .to_list()
        ),
        *(
            Hole(
                t("Weights do not add up to 100 %") if _is_off(row) else t("Weights are missing"),
                t.plural(
                    "{n} goal of {name}, {scope}",
                    "{n} goals of {name}, {scope}",
                    row["goals"],
                    name=names.get(row["owner_id"], t("somebody beyond your reach")),
                    scope=scope_words(t)[row["scope"]],
                ),
                row["department_id"],
                _weigh(row, t),
            )
            for row in found.weights.iter_rows(named=True)
        ),
    ]


def scope_words(t: Language) -> dict[str, str]:
    """Whose goals they are."""
    return {
        "company": t("company goals"),
        "department": t("department goals"),
        "team": t("team goals"),
        "individual": t("personal goals"),
    }


def _is_off(row: Mapping[str, Any]) -> bool:
    """Whether weights do not add up; where they do, at least one is missing."""
    return bool(abs(row["total"] - 100) > WEIGHT_TOLERANCE.value)


def _weigh(row: Mapping[str, Any], t: Language) -> str:
    if row["unweighted"] and not _is_off(row):
        return t.plural(
            "Give the {n} goal without a weight one.",
            "Give the {n} goals without a weight one.",
            row["unweighted"],
        )
    total = f"{row['total']:.4g}"
    if row["unweighted"]:
        return t.plural(
            "They add up to {total} %, and {n} goal has no weight: weigh them anew.",
            "They add up to {total} %, and {n} goals have no weight: weigh them anew.",
            row["unweighted"],
            total=total,
        )
    return t("They add up to {total} %: weigh them anew.", total=total)


def holes_takeaway(released: Released[Coverage], t: Language) -> str:
    """How many holes there are between goals, by kind."""
    found = released.value
    parts = []
    if n := found.strategy.filter(~pl.col("taken_up")).height:
        parts.append(t.plural("{n} strategic goal nobody took up", "{n} strategic goals nobody took up", n))
    if n := found.departments.filter(pl.col("strategic") == 0).height:
        parts.append(
            t.plural("{n} department without a strategic goal", "{n} departments without a strategic goal", n)
        )
    if n := found.silent.height:
        parts.append(t.plural("{n} silent branch", "{n} silent branches", n))
    if n := found.circles["circle"].n_unique():
        parts.append(t.plural("{n} circle", "{n} circles", n))
    off = [_is_off(row) for row in found.weights.iter_rows(named=True)]
    if n := sum(off):
        parts.append(
            t.plural(
                "{n} set of weights that does not add up to 100 %",
                "{n} sets of weights that do not add up to 100 %",
                n,
            )
        )
    if n := len(off) - sum(off):
        parts.append(
            t.plural(
                "{n} set of weights in which one is missing",
                "{n} sets of weights in which some are missing",
                n,
            )
        )
    if not parts and found.strategy.is_empty():
        return t("Without open strategic goals there is no hole between goals to be found.")
    if not parts and not found.weighted:
        return t("There is no hole between goals: all is taken up and updated. No goal has a weight.")
    if not parts:
        return t("There is no hole between goals: all is taken up, updated and weighed.")
    return t("Found: {parts}.", parts=t.listing(parts))


def lacking_takeaway(released: Released[Coverage], t: Language) -> str:
    """How many open goals lack something, and what most often."""
    found = released.value
    total = found.goals.height
    n = found.goals.filter(pl.col("lacks").list.len() > 0).height
    if total == 0:
        return t("There are no open goals.")
    if n == 0:
        return t("Every open goal has all it needs.")
    words = lack_words(t)
    ranked = sorted(((count, lack) for lack, count in lack_counts(found).items() if count), reverse=True)
    parts = [t("{words}: {n}", words=words[lack], n=count) for count, lack in ranked]
    return t("{n} of {total} open goals lack something. {parts}.", n=n, total=total, parts=" · ".join(parts))
