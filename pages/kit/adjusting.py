"""What stands beside adjusted ratings: one rater, two people beside each other, a list in doubtful order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl
import streamlit as st

from analytics.disclosure import Released
from analytics.language import Language
from analytics.severity import adjusted_chart
from analytics.severity.adjusted import Adjusted
from analytics.severity.ranking import compare
from analytics.theme import Mode
from data.access import Permission, Viewer
from pages.kit import cards, filters, load, load_severity

_LONGEST: Final = 200
"""People of one list; a longer one is no committee's."""
_SIZES: Final = (3, 5, 10, 20)


def of_rater(
    t: Language, released: Released[Adjusted], names: Mapping[str, str]
) -> tuple[str | None, Released[Adjusted]]:
    """The choice of one rater of those shown, and their ratings; all if none is chosen."""
    raters = released.value.ratings["rater_id"].unique().to_list()
    if not raters:
        return None, released
    called = {one: names.get(one, one) for one in raters}
    ordered = pl.DataFrame({"rater_id": sorted(raters, key=lambda one: (called[one], one))})
    listed = filters.with_chosen(ordered, "rater_id", key="rater")["rater_id"]
    options = {filters.EVERYTHING: t("All raters"), **{one: called[one] for one in listed}}
    chosen = filters.pick(t("Rater"), options, key="rater")
    if chosen == filters.EVERYTHING:
        return None, released
    return chosen, load_severity.only(released, pl.col("rater_id") == chosen)


def people_of(
    t: Language,
    mode: Mode,
    *,
    version: str,
    viewer: Viewer,
    sources: tuple[str, ...],
    rater_id: str,
    names: Mapping[str, str],
) -> None:
    """The people a rater rated last, and what an average rater would likely have given them.

    Only for those who may see individual ratings; nothing of a rater without ratings.
    """
    if not viewer.may(Permission.SEE_INDIVIDUAL_RATINGS):
        return
    newest = load.cycles(version).select("cycle_id", "ends_on", pl.col("name").alias("cycle"), "scale_id")
    latest = (
        load.company_ratings(version, sources)
        .filter(pl.col("rater_id") == rater_id)
        .group_by("cycle_id", "source")
        .agg(pl.len().alias("n"))
        .join(newest, on="cycle_id")
        .sort(["ends_on", "n", "source"], descending=[True, True, False])
    )
    if latest.is_empty():
        return
    last = latest.row(0, named=True)
    found = load_severity.adjusted_ratings(
        version, viewer, sources, last["cycle_id"], source=last["source"], department_id=None
    )
    theirs = load_severity.only(found, pl.col("rater_id") == rater_id)
    if theirs.value.ratings.is_empty():
        return
    name, levels = names.get(rater_id, rater_id), filters.level_codes(version, last["scale_id"])
    said = adjusted_chart.rater_takeaway(theirs, t, name=name)
    cards.section(t("{cycle}: the people this touches", cycle=last["cycle"]), said)
    if theirs.value.ratings["flip"].is_not_null().any():
        load.picture(
            lambda: adjusted_chart.figure(theirs, t, mode=mode, names=names, levels=levels),
            key=("adjusted", version, viewer, sources, rater_id, t, mode),
            alt=said,
        )
        cards.remark(t.joined([adjusted_chart.beside(theirs, t), adjusted_chart.advisory(t)]))


def order(
    t: Language,
    *,
    version: str,
    viewer: Viewer,
    scope: filters.AdjustedScope,
    names: Mapping[str, str],
    footer: Sequence[str],
) -> None:
    """Two people beside each other, and how sure it is who is among the best."""
    known = load_severity.standing_within(
        version, viewer, scope.sources, scope.cycle_id, scope.department_id
    ).value
    if known.people.height < 2:
        return
    called = {one: names.get(one, one) for one in known.people["ratee_id"]}
    ordered = pl.DataFrame({"ratee_id": sorted(called, key=lambda one: (called[one], one))})
    listed = {key: filters.with_chosen(ordered, "ratee_id", key=key)["ratee_id"] for key in _PAIR}
    cards.heading(t("Who did better, and can we tell?"))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        first = filters.pick(t("First person"), {one: called[one] for one in listed["first"]}, key="first")
        others = {one: called[one] for one in listed["second"] if one != first}
        second = filters.pick(t("Second person"), others, key="second")
    cards.say(adjusted_chart.compared(compare(known, first=first, second=second), t, names=names))
    if known.people.height > _LONGEST:
        cards.remark(
            t(
                "Choose a department of at most {n} people to see how sure it is who is among the best.",
                n=_LONGEST,
            )
        )
        return
    sizes = [size for size in _SIZES if size < known.people.height] or [1]
    k = int(filters.pick(t("Among the best"), {str(size): str(size) for size in sizes}, key="best"))
    best = load_severity.best_of(
        version, viewer, scope.sources, scope.cycle_id, department_id=scope.department_id, k=k
    )
    cards.say(adjusted_chart.best_takeaway(best, t, k=k))
    cards.table(
        t,
        lambda: adjusted_chart.best_rows(best, t, k=k, names=names),
        name="among-the-best",
        key=(version, viewer, scope, k, t),
        footer=footer,
        alt=t("People with their chance to be among the best {k} under average raters.", k=k),
    )


_PAIR: Final = ("first", "second")
