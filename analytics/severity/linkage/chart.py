"""The map of who can be compared, and the sentences that say why not and what would help.

Departments are islands: a ring as large as the raters it has, filled as far as they can be compared.
Bridges are the people rated from both sides: the more, the wider; those of too few people to show are
dashed. Every function is pure. Sentences are plain text; only what goes into a figure is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from math import cos, pi, sin, sqrt
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import plotly.graph_objects as go
import polars as pl

from analytics import theme
from analytics.disclosure import Released
from analytics.language import Language, percent
from analytics.policy import MINIMUM_COMPARISONS, MINIMUM_LINKED_RATERS, MINIMUM_RATEES
from analytics.severity.linkage.comparability import Comparability

Row = Mapping[str, Any]

MOST_ISLANDS: Final = 14
"""Departments that can still be told apart on the map; the rest is said."""
FIRST_REVIEWS: Final = 20
"""How many reviews a long plan is summed up by."""

_NOBODY: Final[Mapping[str, str]] = MappingProxyType({})
_HEIGHT: Final = 500
_WIDEST: Final = 12.0  # of a bridge, pixels
_LARGEST: Final = 74.0  # of a ring, pixels
_SMALLEST: Final = 14.0
_CLASSES: Final = 6  # widths that are told apart


def figure(
    released: Released[Comparability], t: Language, *, mode: theme.Mode, names: Mapping[str, str] = _NOBODY
) -> go.Figure:
    """Departments as islands and the people rated from two of them as bridges.

    A department without a number of raters is one beyond the viewer's reach, at the far end of a bridge.

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
    tokens = theme.TOKENS[mode]
    islands = _around(result)
    if islands.height < 2:
        return theme.nothing(t("There are no two departments to build a bridge between."), mode)
    fig = theme.figure(mode, height=_HEIGHT)
    place = {
        row["department_id"]: (
            sin(2 * pi * nth / islands.height),
            cos(2 * pi * nth / islands.height),
        )
        for nth, row in enumerate(islands.iter_rows(named=True))
    }
    called = {one: names.get(one, one) for one in place}
    bridges = result.bridges.filter(pl.col("one").is_in(list(place)) & pl.col("other").is_in(list(place)))
    ground = _Ground(place, called, released.minimum)
    _draw_bridges(fig, bridges, ground, t, tokens)
    _draw_islands(fig, islands, ground, t, tokens)
    fig.update_xaxes(visible=False, range=[-1.8, 1.8])
    fig.update_yaxes(visible=False, range=[-1.42, 1.42])
    fig.update_layout(margin={"l": 8, "r": 8, "t": 8, "b": 8}, hovermode="closest", showlegend=False)
    return fig


def legend(released: Released[Comparability], t: Language) -> str:
    """How to read the map."""
    sentences = [
        t(
            "Each ring is a department, as large as the raters it has; it is filled as far as they can be "
            "compared. Bridges are people rated from both sides: the more people, the wider."
        )
    ]
    bridges = released.value.bridges
    if bridges["n_people"].null_count():
        sentences.append(
            t("A dashed bridge stands on fewer than {minimum} people.", minimum=released.minimum)
        )
    if released.value.departments.height > MOST_ISLANDS:
        sentences.append(
            t.plural(
                "{n} smaller department is not drawn.",
                "{n} smaller departments are not drawn.",
                released.value.departments.height - MOST_ISLANDS,
            )
        )
    return t.joined(sentences)


def map_takeaway(
    released: Released[Comparability], t: Language, *, names: Mapping[str, str] = _NOBODY
) -> str:
    """What the map shows in one or two sentences: islands without a bridge, the widest and narrowest one.

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
    if result.departments.height < 2:
        return t("There are no two departments to build a bridge between.")
    bridged = {*result.bridges["one"], *result.bridges["other"]}
    apart = [one for one in result.departments["department_id"] if one not in bridged]
    if len(apart) == result.departments.height:
        return t("No two departments are bridged: nobody was ever rated from two of them.")
    sentences = []
    if apart:
        sentences.append(
            t(
                "Nobody of another department rated the same people as {departments} did.",
                departments=t.listing([names.get(one, one) for one in apart]),
            )
        )
    n = result.departments.height
    if not apart and result.bridges.height == n * (n - 1) // 2 and n > 2:
        sentences.append(t("Every two departments are bridged by people rated from both."))
    known = result.bridges.drop_nulls("n_people").sort(["n_people", "one", "other"])
    weak = result.bridges["n_people"].null_count()
    if weak:
        sentences.append(
            t.plural(
                "{n} bridge stands on fewer than {minimum} people.",
                "{n} bridges stand on fewer than {minimum} people.",
                weak,
                minimum=released.minimum,
            )
        )
    if known.height:
        narrowest = known.row(0, named=True)
        sentences.append(
            t(
                "The narrowest bridge that can be shown joins {one} and {other}: {n} people were rated from "
                "both.",
                one=names.get(narrowest["one"], narrowest["one"]),
                other=names.get(narrowest["other"], narrowest["other"]),
                n=narrowest["n_people"],
            )
        )
    return t.joined(sentences)


def takeaway(released: Released[Comparability], t: Language) -> str:
    """Can the ratings be compared at all, in plain sentences.

    First how many raters can be; then how many cannot, and why; then what would connect them.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    """
    result = released.value
    if result.raters.is_empty():
        return t("There are no ratings by others in this choice. Choose another cycle, department or source.")
    enough = result.raters.filter(pl.col("standing").is_not_null() & (pl.col("standing") != "few_ratees"))
    few = result.raters.height - enough.height
    compared = enough.filter(pl.col("standing") == "compared").height
    sentences = []
    if not enough.height:
        sentences.append(
            t(
                "No rater can be compared: each rated fewer than {minimum} people.",
                minimum=int(MINIMUM_RATEES.value),
            )
        )
    elif compared == enough.height:
        sentences.append(
            t.plural(
                "The {n} rater who rated at least {minimum} people can be compared with the others.",
                "All {n} raters who rated at least {minimum} people can be compared with each other.",
                compared,
                minimum=int(MINIMUM_RATEES.value),
            )
        )
    elif result.n_connected < MINIMUM_LINKED_RATERS.value:
        sentences.append(_nobody(result, t))
    elif not compared:
        sentences.append(
            t.plural(
                "The {n} rater who rated at least {minimum} people cannot be compared with the others: "
                "{whys}.",
                "None of the {n} raters who rated at least {minimum} people can be compared with the others: "
                "{whys}.",
                enough.height,
                minimum=int(MINIMUM_RATEES.value),
                whys=_whys(enough, t),
            )
        )
    else:
        sentences.append(
            t.plural(
                "{n} of {all} raters who rated at least {minimum} people can be compared with each other.",
                "{n} of {all} raters who rated at least {minimum} people can be compared with each other.",
                compared,
                all=enough.height,
                minimum=int(MINIMUM_RATEES.value),
            )
        )
        sentences.append(_cannot(enough.filter(pl.col("standing") != "compared"), t))
    sentences += _help(result, t)
    weak = result.raters.filter(pl.col("weak")).height
    if weak:
        sentences.append(
            t.plural(
                "For {n} of those who can be, comparisons still say little.",
                "For {n} of those who can be, comparisons still say little.",
                weak,
            )
        )
    if few and enough.height:
        sentences.append(
            t.plural(
                "{n} more rated fewer than {minimum} people, too few to tell a habit from.",
                "{n} more rated fewer than {minimum} people each, too few to tell a habit from.",
                few,
                minimum=int(MINIMUM_RATEES.value),
            )
        )
    return t.joined(sentences)


def why(row: Row, t: Language) -> str:
    """Whether one rater can be compared, and why not, in one sentence.

    Parameters
    ----------
    row
        A row of ``Comparability.raters`` as released.
    t
        The reader's language.
    """
    if row["standing"] is None or row["standing"] == "few_ratees":
        return t(
            "Rated fewer than {minimum} people, too few to tell a habit from.",
            minimum=int(MINIMUM_RATEES.value),
        )
    if row["standing"] == "alone":
        return t(
            "Rated only people whom nobody else ever rated, so a lenient rater and a strong team look the "
            "same."
        )
    if row["standing"] == "apart":
        return t("Shares people only with a few raters whom nobody else can be compared with.")
    if row["hangs_on_one"]:
        return t("Can be compared, but all of it hangs on one person whom others rated too.")
    return t.plural(
        "Can be compared, as well as if {n} person had been rated on both sides.",
        "Can be compared, as well as if {n} people had been rated on both sides.",
        max(1, round(row["as_good_as"])),
    )


def what_would_help(
    released: Released[Comparability],
    t: Language,
    *,
    rater_id: str,
    names: Mapping[str, str] = _NOBODY,
    departments: Mapping[str, str] = _NOBODY,
) -> str:
    """Why one rater cannot be compared and which reviews would settle it, in sentences.

    Parameters
    ----------
    released
        What may be shown.
    t
        The reader's language.
    rater_id
        Who is asked about. Nothing is said of somebody who is not among the raters.
    names
        What to call people by id. Who has no name here is called by their department only.
    departments
        What to call departments by id.

    Returns
    -------
    str
        Empty for an unknown rater; only the first sentence where no review would help or is needed.
    """
    found = released.value.raters.filter(pl.col("rater_id") == rater_id)
    if found.is_empty():
        return ""
    row = found.row(0, named=True)
    asked = _asked(_plan(released.value), row)
    said = [why(row, t)]
    if asked and asked[0]["purpose"] == "connect" and asked[0]["rater_id"] == rater_id:
        said.append(_how_many(asked[0], t))
    said += [
        review(one, t, names=names, departments=departments, step=nth) for nth, one in enumerate(asked, 1)
    ]
    if row["standing"] in {"alone", "apart"} and row["component"] == 1:
        said += _start(released.value, t)
    return t.joined(said)


def review(
    row: Row,
    t: Language,
    *,
    names: Mapping[str, str] = _NOBODY,
    departments: Mapping[str, str] = _NOBODY,
    step: int = 1,
) -> str:
    """One suggested review in a sentence.

    Parameters
    ----------
    row
        A row of ``Comparability.reviews``.
    t
        The reader's language.
    names, departments
        What to call people and departments by id; people without a name go by their department.
    step
        Which of several reviews for one rater it is.
    """
    places = {
        "rater": person(row["rater_id"], row["rater_department_id"], t, names, departments),
        "ratee": person(row["ratee_id"], row["ratee_department_id"], t, names, departments),
    }
    if row["purpose"] == "connect":
        return t("To begin with: a review of {ratee} by {rater}.", **places)
    if row["purpose"] == "secure":
        return t("So that it does not hang on one person: also a review of {ratee} by {rater}.", **places)
    if step > 1:
        return t("And one of {ratee}.", **places)
    return t("What would tell most: a review of {ratee} by {rater}.", **places)


def why_in_short(row: Row, t: Language) -> str:
    """Why one rater cannot be compared, or hardly, in a few words for a table.

    Parameters
    ----------
    row
        A row of ``Comparability.raters`` as released.
    t
        The reader's language.
    """
    if row["standing"] == "alone":
        return t("Nobody else rated their people")
    if row["standing"] == "apart":
        return t("Linked to a few raters only")
    if row["hangs_on_one"]:
        return t("Linked by one person only")
    return t("Comparisons say little")


def helps_in_short(
    released: Released[Comparability],
    raters: pl.DataFrame,
    t: Language,
    *,
    names: Mapping[str, str] = _NOBODY,
    departments: Mapping[str, str] = _NOBODY,
) -> list[str]:
    """The reviews that would help each of some raters, one sentence each; empty if none would.

    Parameters
    ----------
    released
        What may be shown.
    raters
        Rows of ``Comparability.raters`` as released.
    t
        The reader's language.
    names, departments
        What to call people and departments by id.
    """
    plan = _plan(released.value)
    found = []
    for row in raters.iter_rows(named=True):
        asked = _asked(plan, row)
        own = [one for one in asked if one["rater_id"] == row["rater_id"]]
        said = [_own_reviews(own, t, names, departments)] if own else []
        for one in asked:
            if one["rater_id"] != row["rater_id"]:
                ratee = person(one["ratee_id"], one["ratee_department_id"], t, names, departments)
                rater = person(one["rater_id"], one["rater_department_id"], t, names, departments)
                said.append(t("A review of {ratee} by {rater}.", ratee=ratee, rater=rater))
        if plan and not asked and row["standing"] in {"alone", "apart"} and row["component"] == 1:
            said.append(t("Reviews of their people by others, as listed above."))
        found.append(t.joined(said))
    return found


def _own_reviews(
    asked: list[dict[str, Any]], t: Language, names: Mapping[str, str], departments: Mapping[str, str]
) -> str:
    """Whom a rater would have to rate, and how many it takes in all."""
    people = t.listing(
        [person(one["ratee_id"], one["ratee_department_id"], t, names, departments) for one in asked]
    )
    first = asked[0]
    if first["purpose"] != "connect":
        return t("Has to rate {people} as well.", people=people)
    if first["reliability_after"] is None:
        return t(
            "Has to rate at least {n} more people, {people} first.",
            n=int(MINIMUM_COMPARISONS.value),
            people=people,
        )
    if (first["n_needed"] or 0) > 1:
        return t(
            "Has to rate about {n} more people, {people} first.",
            n=first["n_needed"],
            people=people,
        )
    return t("Has to rate {people} as well.", people=people)


def _how_many(row: Row, t: Language) -> str:
    """How many reviews one rater takes; empty if one will do or it is not known."""
    if row["reliability_after"] is None:
        return t(
            "This rater would have to rate at least {n} people whom others also rate; one review only makes "
            "a start.",
            n=int(MINIMUM_COMPARISONS.value),
        )
    if (row["n_needed"] or 0) < 2:
        return ""
    return t(
        "This rater would have to rate about {n} people whom others also rate; one review only makes a "
        "start.",
        n=row["n_needed"],
    )


_Plan = Mapping[tuple[str, object], list[dict[str, Any]]]


def _plan(result: Comparability) -> _Plan:
    """The suggested reviews by the group they join, or by the rater they strengthen."""
    found: dict[tuple[str, object], list[dict[str, Any]]] = {}
    for row in result.reviews.iter_rows(named=True):
        joins = row["purpose"] != "strengthen"
        key = ("component", row["component"]) if joins else ("rater", row["rater_id"])
        found.setdefault(key, []).append(row)
    return found


def _asked(plan: _Plan, row: Row) -> list[dict[str, Any]]:
    """The suggested reviews that would help one rater."""
    if row["standing"] in {"alone", "apart"}:
        return plan.get(("component", row["component"]), [])
    return plan.get(("rater", row["rater_id"]), []) if row["weak"] else []


def purpose(row: Row, t: Language) -> str:
    """What one suggested review settles, in a few words for a table.

    Parameters
    ----------
    row
        A row of ``Comparability.reviews``.
    t
        The reader's language.
    """
    if row["purpose"] == "connect" and row["n_told"]:
        return t.plural(
            "links {n} rater to the others",
            "links {n} raters to the others",
            row["n_told"],
        )
    if row["purpose"] == "connect":
        return t.plural(
            "links {n} rater of few people to the others",
            "links {n} raters of few people to the others",
            row["n_joined"],
        )
    if row["purpose"] == "secure":
        return t("keeps this from hanging on one person")
    return t("makes a weak comparison stronger")


def person(
    one: str | None,
    department: str | None,
    t: Language,
    names: Mapping[str, str],
    departments: Mapping[str, str],
) -> str:
    """What to call somebody: the name, or where it may not be known somebody of the department."""
    if one is not None and one in names:
        return names[one]
    if department is not None:
        return t("somebody in {department}", department=departments.get(department, department))
    return t("somebody else")


def lasting_takeaway(released: Released[Comparability], t: Language) -> str:
    """Whether the comparison hangs on single people, in one sentence; empty if nobody can be compared."""
    compared = released.value.raters.filter(pl.col("standing") == "compared")
    lasting = compared.filter(pl.col("lasting")).height
    if compared.is_empty():
        return ""
    if lasting == compared.height:
        return t("Whichever single person is left out, all who can be compared still can be.")
    return t.plural(
        "Whichever single person is left out, {n} of {all} who can be compared still can be.",
        "Whichever single person is left out, {n} of {all} who can be compared still can be.",
        lasting,
        all=compared.height,
    )


def kind_words(t: Language) -> dict[str, str]:
    """Why people have several raters."""
    return {
        "moved": t("changed managers"),
        "skip_level": t("also rated by a manager's manager"),
        "cross_department": t("also rated from another department"),
        "other": t("also rated by peers or others"),
    }


def kind_words_in_short(t: Language) -> dict[str, str]:
    """Why people have several raters, in a word or two for a table."""
    return {
        "moved": t("change of managers"),
        "skip_level": t("manager's manager"),
        "cross_department": t("other departments"),
        "other": t("peers or others"),
    }


def kinds_takeaway(released: Released[Comparability], t: Language) -> str:
    """Why links exist, in one sentence; empty if there are none to show."""
    words = kind_words(t)
    parts = [
        t.plural("{n} person {why}", "{n} people {why}", row["n_people"], why=words[row["kind"]])
        for row in released.value.kinds.drop_nulls("n_people").iter_rows(named=True)
    ]
    return t("Where the links come from: {parts}.", parts=t.listing(parts)) if parts else ""


def _nobody(result: Comparability, t: Language) -> str:
    if result.n_connected <= 1:
        return t(
            "No two raters can be compared: nobody was rated by more than one of them, so a lenient rater "
            "and a strong team look the same."
        )
    return t(
        "No rater can be compared: the largest group of raters who share people has {n} raters, and it takes "
        "{minimum} to say what an average rater would do.",
        n=result.n_connected,
        minimum=int(MINIMUM_LINKED_RATERS.value),
    )


def _cannot(untold: pl.DataFrame, t: Language) -> str:
    """How many cannot be compared, and why."""
    reasons = untold["standing"].unique().to_list()
    if reasons == ["alone"]:
        return t.plural(
            "{n} cannot, because nobody else ever rated any of the people this rater rated.",
            "{n} cannot, because nobody else ever rated any of the people they rated.",
            untold.height,
        )
    if reasons == ["apart"]:
        return t.plural(
            "{n} cannot, because only a few raters, apart from all others, rated the same people.",
            "{n} cannot, because only a few raters, apart from all others, rated the same people.",
            untold.height,
        )
    return t.plural("{n} cannot: {whys}.", "{n} cannot: {whys}.", untold.height, whys=_whys(untold, t))


def _whys(enough: pl.DataFrame, t: Language) -> str:
    alone = enough.filter(pl.col("standing") == "alone").height
    apart = enough.filter(pl.col("standing") == "apart").height
    said = []
    if alone:
        said.append(
            t.plural(
                "{n} rated only people whom nobody else ever rated",
                "{n} rated only people whom nobody else ever rated",
                alone,
            )
        )
    if apart:
        said.append(
            t.plural(
                "{n} shares people only with a few raters apart from all others",
                "{n} share people only with a few raters apart from all others",
                apart,
            )
        )
    return t.listing(said)


def _help(result: Comparability, t: Language) -> list[str]:
    """How many reviews would connect those who cannot be compared."""
    plan = result.reviews.filter(pl.col("purpose").is_in(["connect", "secure"]))
    useful = plan.filter((pl.col("n_told") > 0) | (pl.col("purpose") == "secure"))
    connecting = useful.filter(pl.col("purpose") == "connect").height
    if not connecting:
        return []
    if result.n_connected < MINIMUM_LINKED_RATERS.value or connecting > 2 * FIRST_REVIEWS:
        return _start(result, t)
    said = t.plural(
        "{n} extra review would connect them.",
        "{n} extra reviews would connect them.",
        useful.height if useful.height == connecting else 2 * connecting,
    )
    return [said, _apiece(useful, t)]


def _apiece(reviews: pl.DataFrame, t: Language) -> str:
    """How many reviews each rater who is asked takes; empty if one will do or it is not known."""
    if reviews["reliability_after"].null_count() == reviews.height:
        return t(
            "Each of these raters would have to rate at least {n} people whom others also rate; one review "
            "only makes a start.",
            n=int(MINIMUM_COMPARISONS.value),
        )
    each = reviews["n_needed"].median()
    if not isinstance(each, float) or each < 2:
        return ""
    return t(
        "Each of these raters would have to rate about {n} people whom others also rate; one review only "
        "makes a start.",
        n=round(each),
    )


def _start(result: Comparability, t: Language) -> list[str]:
    """A long plan in one sentence: the whole, and how far its beginning goes."""
    plan = result.reviews.filter(pl.col("purpose").is_in(["connect", "secure"]))
    if plan.is_empty():
        return []
    first = plan.head(FIRST_REVIEWS)
    whole = t.plural(
        "It takes {n} extra review to connect everybody.",
        "It takes {n} extra reviews to connect everybody.",
        plan.height,
    )
    if plan.height <= FIRST_REVIEWS:
        return [whole, _apiece(plan, t)]
    return [
        whole,
        t(
            "The first {n} connect {share} of all raters.",
            n=first.height,
            share=percent(first["n_connected"][-1] / max(result.n_raters, 1), t),
        ),
        _apiece(plan, t),
    ]


def _around(result: Comparability) -> pl.DataFrame:
    """The largest departments in the order they stand on the map: bridged ones beside each other."""
    chosen = result.departments.sort(
        ["n_people", "department_id"], descending=[True, False], nulls_last=True
    ).head(MOST_ISLANDS)
    width: dict[tuple[str, str], float] = {}
    for row in result.bridges.iter_rows(named=True):
        width[row["one"], row["other"]] = width[row["other"], row["one"]] = float(row["n_people"] or 1)
    waiting = chosen["department_id"].to_list()
    ordered: list[str] = []
    while waiting:
        last = ordered[-1] if ordered else None
        near = max(waiting, key=lambda one: (width.get((last or "", one), 0.0), -waiting.index(one)))
        ordered.append(near)
        waiting.remove(near)
    return pl.DataFrame({"department_id": ordered}, schema={"department_id": pl.String}).join(
        chosen, on="department_id", how="left", maintain_order="left"
    )


class _Ground(NamedTuple):
    """Where departments stand on the map, what they are called, and how few people are hidden."""

    place: Mapping[str, tuple[float, float]]
    called: Mapping[str, str]
    minimum: int


def _draw_bridges(
    fig: go.Figure,
    bridges: pl.DataFrame,
    ground: _Ground,
    t: Language,
    tokens: theme.Tokens,
) -> None:
    """Lines in a few widths, and what they say on both sides of their middle, where few others cross."""
    most = max([n for n in bridges["n_people"] if n is not None], default=1)
    classes: dict[int, tuple[list[float | None], list[float | None]]] = {}
    said: list[tuple[float, float, str]] = []
    for row in bridges.iter_rows(named=True):
        (x0, y0), (x1, y1) = ground.place[row["one"]], ground.place[row["other"]]
        n = row["n_people"]
        nth = 0 if n is None else 1 + round((_CLASSES - 1) * n / most)
        xs, ys = classes.setdefault(nth, ([], []))
        xs += [x0, x1, None]
        ys += [y0, y1, None]
        places = {"one": ground.called[row["one"]], "other": ground.called[row["other"]]}
        words = (
            t(
                "{one} and {other}: fewer than {minimum} people rated from both",
                minimum=ground.minimum,
                **places,
            )
            if n is None
            else t.plural(
                "{one} and {other}: {n} person rated from both",
                "{one} and {other}: {n} people rated from both",
                n,
                **places,
            )
        )
        said += [(x0 + f * (x1 - x0), y0 + f * (y1 - y0), words) for f in (0.3, 0.7)]
    for nth, (xs, ys) in sorted(classes.items(), reverse=True):
        fig.add_scatter(
            x=xs,
            y=ys,
            mode="lines",
            line={
                "color": tokens.quiet if nth == 0 else tokens.accent,
                "width": 1.5 if nth == 0 else _WIDEST * nth / _CLASSES,
                "dash": "dash" if nth == 0 else "solid",
            },
            opacity=0.9 if nth == 0 else 0.32,
            hoverinfo="skip",
        )
    fig.add_scatter(
        x=[x for x, _, _ in said],
        y=[y for _, y, _ in said],
        mode="markers",
        marker={"size": 16, "color": tokens.accent, "opacity": 0},
        hovertext=[escape(words) for *_, words in said],
        hoverinfo="text",
    )


def _draw_islands(
    fig: go.Figure,
    islands: pl.DataFrame,
    ground: _Ground,
    t: Language,
    tokens: theme.Tokens,
) -> None:
    """Rings, how far they are filled, and their names outside."""
    rows = islands.to_dicts()
    most = max([row["n_raters"] for row in rows if row["n_raters"]], default=1)
    rings = [max(_SMALLEST, _LARGEST * sqrt((row["n_raters"] or 0) / most)) for row in rows]
    filled = [
        ring * sqrt((row["n_compared"] or 0) / max(row["n_raters"] or 0, 1))
        for ring, row in zip(rings, rows, strict=True)
    ]
    xs = [ground.place[row["department_id"]][0] for row in rows]
    ys = [ground.place[row["department_id"]][1] for row in rows]
    hidden = [row["n_people"] is None for row in rows]
    for sizes, colour, outline in (
        (rings, tokens.surface, [tokens.unknown if none else tokens.accent for none in hidden]),
        (filled, tokens.accent, tokens.accent),
    ):
        fig.add_scatter(
            x=xs,
            y=ys,
            mode="markers",
            marker={
                "size": sizes,
                "color": colour,
                "opacity": 1,
                "line": {"width": 2 if sizes is rings else 0, "color": outline},
            },
            hovertext=[escape(_island(row, ground, t)) for row in rows],
            hoverinfo="text",
        )
    for row, ring, x, y in zip(rows, rings, xs, ys, strict=True):
        name = ground.called[row["department_id"]]
        share = ""
        if row["n_people"] is None:
            share = t("hidden")
        elif row["n_raters"] is not None:
            share = t("{n} of {all} comparable", n=row["n_compared"], all=row["n_raters"])
        side = 0 if abs(x) < 0.2 else 1 if x > 0 else -1
        away = ring / 2 + 8
        fig.add_annotation(
            x=x,
            y=y,
            text=f"<b>{escape(name)}</b><br>{escape(share)}",
            showarrow=False,
            align={0: "center", 1: "left", -1: "right"}[side],
            xanchor={0: "center", 1: "left", -1: "right"}[side],
            yanchor="middle" if side else ("bottom" if y > 0 else "top"),
            xshift=side * away,
            yshift=0 if side else (away if y > 0 else -away),
            font={"size": 13, "color": tokens.ink},
        )


def _island(row: Row, ground: _Ground, t: Language) -> str:
    name = ground.called[row["department_id"]]
    if row["n_people"] is None:
        return t("{name}: fewer than {minimum} people were rated, hidden", name=name, minimum=ground.minimum)
    if row["n_raters"] is None:
        return name
    return t(
        "{name}: {n} of {all} raters of enough people can be compared",
        name=name,
        n=row["n_compared"],
        all=row["n_raters"],
    )
