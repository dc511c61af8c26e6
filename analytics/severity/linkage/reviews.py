"""Which few extra reviews would make raters comparable?

Reads    one row per rating: rater_id, ratee_id, department_id (the ratee's, may be null); how the raters hang
         together (`linkage`) and what comparisons tell (`information`).
Returns  one row per review to ask for, in the order of their worth: who rates whom, and what it settles.

Components are joined to the largest one by one, those with most raters first, so the number of reviews is
what any spanning tree takes: components less one. The rater is asked who rated most people of the smaller
group (asking for as little as possible, and adding to the people that rater rated), about somebody of the
joined groups whom several rated, for the more raters somebody has, the more one rating of them tells.
Near by comes first: the same department; among them those called upon least, so that not everybody rates the
same person. Nobody is asked for, or looked at in, more than a few as long as others can be; people of groups
joined before count among the joined.

A join by one review hangs on one person. With a second one back, by somebody of the joined groups about
somebody of the smaller, it hangs on nobody.

Nobody is asked to rate themselves, nor, as long as there is another way, somebody who rates them. Where the
only people of a group are its own rater's raters, the review goes the other way round.

Raters who are linked but weakly get up to two reviews of the people who would tell most about them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush, heapreplace
from typing import Any, Final

import polars as pl

from analytics.policy import MINIMUM_COMPARISONS, MINIMUM_RATEES, MOST_EXTRA_REVIEWS, TOLD_APART
from analytics.severity.linkage.graph import Linkage
from analytics.severity.linkage.information import Information

REFERENCE: Final = (
    "Kruskal (1956), Proc. AMS 7(1), spanning trees. doi:10.1090/S0002-9939-1956-0078686-7; "
    "Wright & Masters (1982), Rating Scale Analysis, linking designs"
)

PURPOSES: Final = ("connect", "secure", "strengthen")
MOST_STRENGTHENED: Final = 50
"""Weakly linked raters who get suggestions, weakest first."""

_REVIEWS_EACH: Final = 2
_SEVERAL: Final = 2
_WEIGHED: Final = 30  # people compared before one is suggested to a weakly linked rater

SCHEMA: Final = pl.Schema(
    {
        "step": pl.Int64,
        "purpose": pl.String,
        "rater_id": pl.String,
        "ratee_id": pl.String,
        "rater_department_id": pl.String,
        "ratee_department_id": pl.String,
        "component": pl.Int64,
        "n_joined": pl.Int64,
        "n_told": pl.Int64,
        "n_connected": pl.Int64,
        "n_needed": pl.Int64,
        "reliability_before": pl.Float64,
        "reliability_after": pl.Float64,
    }
)


def helpful_reviews(
    ratings: pl.DataFrame,
    links: Linkage,
    told: Information,
    *,
    secure: bool = False,
    present: Collection[str] | None = None,
) -> pl.DataFrame:
    """Find the reviews that would help, most helpful first.

    Parameters
    ----------
    ratings
        One row per rating with ``rater_id``, ``ratee_id`` and ``department_id`` (the ratee's, null if
        unknown); self-ratings must have been left out.
    links, told
        `linkage` and `information` of the same ratings.
    secure
        Whether to join each group by two reviews, so that no join hangs on one person.
    present
        Who can still rate and be rated; everybody if None. A group of whom nobody is left stays apart.

    Returns
    -------
    polars.DataFrame
        One row per review, sorted by ``step``: ``purpose`` (`PURPOSES`), ``rater_id``, ``ratee_id``, the
        departments of both (of a rater that of most of their ratees), the ``component`` that is joined or
        strengthened, ``n_joined`` raters newly linked to the largest group and ``n_told`` of them who then
        rated enough people, ``n_connected`` raters in it from then on, ``n_needed`` reviews of this kind
        until the rater is told apart (`TOLD_APART`), and the rater's reliability by comparisons alone before
        and after this review (null without variances). Joining is worth most and comes first.
    """
    if ratings.is_empty():
        return SCHEMA.to_frame()
    company = _Company.of(ratings, links, None if present is None else frozenset(present))
    rows = _joining(company, told, secure=secure)
    rows += _strengthening(company, links, told)
    return pl.DataFrame([{"step": i, **row} for i, row in enumerate(rows, 1)], schema=SCHEMA).sort("step")


def homes(ratings: pl.DataFrame, who: str) -> pl.DataFrame:
    """The department most of somebody's people (a rater's) or ratings (a ratee's) are in; ties: the first.

    Parameters
    ----------
    who
        ``rater_id`` or ``ratee_id``.

    Returns
    -------
    polars.DataFrame
        ``who`` and ``department_id`` (null if none is known), sorted by ``who``.
    """
    if who not in {"rater_id", "ratee_id"}:
        raise ValueError(f"who must be rater_id or ratee_id; got {who!r}")
    counted = pl.col("ratee_id").n_unique() if who == "rater_id" else pl.len()
    return (
        ratings.group_by(who, "department_id")
        .agg(counted.cast(pl.Int64).alias("n"))
        .sort(who, pl.col("department_id").is_null(), -pl.col("n"), "department_id")
        .group_by(who, maintain_order=True)
        .agg(pl.col("department_id").first())
        .sort(who)
    )


_Entry = tuple[bool, int, int, str]
"""Of fewer than two, how often called upon, worth with a minus, who: the smallest comes first."""


@dataclass
class _Pool:
    """People to call upon, each at most ``most`` times: first those whom two rated (or who rated two), among
    them those called upon least, among them the worthiest.

    Each join calls upon one, and adds at least one to call upon: as long as nobody is barred, a pool never
    runs dry.
    """

    most: int
    called: dict[str, int] = field(default_factory=dict)
    by: dict[str | None, list[_Entry]] = field(default_factory=dict)
    everybody: list[_Entry] = field(default_factory=list)

    def add(self, people: list[tuple[int, str, str | None]]) -> None:
        """People with their worth and department."""
        for worth, one, department in people:
            entry = (worth < _SEVERAL, self.called.setdefault(one, 0), -worth, one)
            heappush(self.by.setdefault(department, []), entry)
            heappush(self.everybody, entry)

    def note(self, one: str) -> None:
        """Somebody is called upon who was not chosen from here."""
        self.called[one] = self.called.get(one, 0) + 1

    def call(self, department: str | None, barred: Collection[str]) -> str | None:
        """The worthiest of a department, or of all if it has nobody left; None if all are barred."""
        near = [] if department is None else self.by.get(department, [])
        for heap in (near, self.everybody):
            aside: list[_Entry] = []
            found = None
            while heap and found is None:
                few, times, worth, one = heap[0]
                if self.called[one] >= self.most:
                    heappop(heap)
                elif self.called[one] > times:
                    # Called upon since it was pushed.
                    heapreplace(heap, (few, self.called[one], worth, one))
                elif one in barred:
                    aside.append(heappop(heap))
                else:
                    found = one
            for entry in aside:
                heappush(heap, entry)
            if found is not None:
                self.called[found] += 1
                return found
        return None


@dataclass(frozen=True)
class _Company:
    """Raters and ratees by component, with how many each rated or was rated by, and departments.

    ``sizes`` counts the people rated by each rater of a component; ``raters`` and ``ratees`` hold those who
    can be called upon.
    """

    sizes: Mapping[int, list[int]]
    raters: Mapping[int, list[tuple[int, str, str | None]]]
    ratees: Mapping[int, list[tuple[int, str, str | None]]]
    rater_home: Mapping[str, str | None]
    ratee_home: Mapping[str, str | None]
    rated: Mapping[str, frozenset[str]]
    raters_of: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, ratings: pl.DataFrame, links: Linkage, present: frozenset[str] | None) -> _Company:
        frame = ratings.select(pl.col("rater_id", "ratee_id", "department_id").cast(pl.String))
        component = links.raters.select("rater_id", "component", "n_ratees")
        raters = component.join(homes(frame, "rater_id"), on="rater_id").sort(
            "n_ratees", "rater_id", descending=[True, False]
        )
        pairs = frame.select("rater_id", "ratee_id").unique()
        ratees = (
            pairs.join(component, on="rater_id")
            .group_by("ratee_id")
            .agg(pl.len().cast(pl.Int64).alias("n_raters"), pl.col("component").first())
            .join(homes(frame, "ratee_id"), on="ratee_id")
            .sort("n_raters", "ratee_id", descending=[True, False])
        )
        sizes: dict[int, list[int]] = {}
        for number, n_ratees in raters.select("component", "n_ratees").iter_rows():
            sizes.setdefault(number, []).append(n_ratees)
        return cls(
            sizes=sizes,
            raters=_by_component(
                raters.select("component", "n_ratees", "rater_id", "department_id"), present
            ),
            ratees=_by_component(
                ratees.select("component", "n_raters", "ratee_id", "department_id"), present
            ),
            rater_home=dict(raters.select("rater_id", "department_id").iter_rows()),
            ratee_home=dict(ratees.select("ratee_id", "department_id").iter_rows()),
            rated=_sets(pairs, "rater_id", "ratee_id"),
            raters_of=_sets(pairs, "ratee_id", "rater_id"),
        )

    def asked(self, rater_id: str, ratee_id: str) -> dict[str, Any]:
        """Who would rate whom."""
        return {
            "rater_id": rater_id,
            "ratee_id": ratee_id,
            "rater_department_id": self.rater_home[rater_id],
            "ratee_department_id": self.ratee_home[ratee_id],
        }


def _sets(pairs: pl.DataFrame, key: str, value: str) -> dict[str, frozenset[str]]:
    return {one: frozenset(others) for one, others in pairs.group_by(key).agg(value).iter_rows()}


def _by_component(
    frame: pl.DataFrame, present: frozenset[str] | None
) -> dict[int, list[tuple[int, str, str | None]]]:
    found: dict[int, list[tuple[int, str, str | None]]] = {}
    for component, n, one, department in frame.iter_rows():
        here = found.setdefault(component, [])
        if present is None or one in present:
            here.append((n, one, department))
    return found


def _joining(company: _Company, told: Information, *, secure: bool) -> list[dict[str, Any]]:
    """One review, or two, per component but the largest."""
    enough, most = int(MINIMUM_RATEES.value), int(MOST_EXTRA_REVIEWS.value)
    raters, ratees = _Pool(most), _Pool(most)
    raters.add(company.raters[1])
    ratees.add(company.ratees[1])
    connected = len(company.sizes[1])
    known = dict(told.raters.select("rater_id", "reliability").iter_rows())
    rows: list[dict[str, Any]] = []

    def row(purpose: str, pair: tuple[str, str], component: int, joined: int, enabled: int) -> dict[str, Any]:
        rater_id, ratee_id = pair
        needed = None
        if any(one == rater_id for _, one, _ in company.raters[component]):
            needed = told.reviews_needed(rater_id, ratee_id, target=TOLD_APART.value)
        return {
            "purpose": purpose,
            **company.asked(rater_id, ratee_id),
            "component": component,
            "n_joined": joined,
            "n_told": enabled,
            "n_connected": connected,
            "n_needed": None if needed is None else max(needed, 1, enough - len(company.rated[rater_id])),
            "reliability_before": known[rater_id],
            "reliability_after": told.reliability_after(rater_id, [ratee_id]),
        }

    def worth(component: int) -> tuple[int, int, int]:
        sizes = company.sizes[component]
        return sum(n >= enough for n in sizes), len(sizes), -component

    waiting = deque(sorted((c for c in company.sizes if c != 1), key=worth, reverse=True))
    passed = 0
    while passed < len(waiting):
        component = waiting.popleft()
        members = company.sizes[component]
        pairs = _pairs(company, component, raters, ratees, secure=secure)
        if not pairs:
            # Joining others may bring somebody who can be asked.
            waiting.append(component)
            passed += 1
            continue
        passed = 0
        connected += len(members)
        rows.append(row("connect", pairs[0], component, len(members), worth(component)[0]))
        rows += [row("secure", pair, component, 0, 0) for pair in pairs[1:]]
        raters.add(company.raters[component])
        ratees.add(company.ratees[component])
    return rows


def _pairs(
    company: _Company, component: int, raters: _Pool, ratees: _Pool, *, secure: bool
) -> list[tuple[str, str]]:
    """Who of a component rates whom of the joined ones, and for security the other way round as well."""
    asked, known = company.raters[component][:1], company.ratees[component][:1]
    for upward in (False, True):
        found: list[tuple[str, str]] = []
        for _, rater_id, home in asked:
            above = frozenset[str]() if upward else company.raters_of.get(rater_id, frozenset())
            ratee_id = ratees.call(home, above | {rater_id})
            if ratee_id is not None:
                found.append((rater_id, ratee_id))
                raters.note(rater_id)
        if found and not secure:
            return found
        for _, back, home in known:
            below = frozenset[str]() if upward else company.rated.get(back, frozenset())
            other = raters.call(home, below | {back})
            if other is not None:
                found.append((other, back))
                ratees.note(back)
        if found:
            return found
    return []


def _strengthening(company: _Company, links: Linkage, told: Information) -> list[dict[str, Any]]:
    """Up to two reviews for each rater of the largest component who rated enough, yet hangs by little."""
    known = told.raters.join(links.raters, on="rater_id")
    weak = (
        known.filter(
            (pl.col("component") == 1)
            & (pl.col("n_shared") > 0)
            & (pl.col("n_ratees") >= MINIMUM_RATEES.value)
            & weakly()
        )
        .sort(pl.col("as_good_as").round(9), "rater_id")
        .head(MOST_STRENGTHENED)
    )
    connected = len(company.sizes[1])
    called: dict[str, int] = {}
    rows: list[dict[str, Any]] = []
    able = {one for _, one, _ in company.raters[1]}
    for row in weak.filter(pl.col("rater_id").is_in(list(able))).iter_rows(named=True):
        rater_id, before = row["rater_id"], row["reliability"]
        chosen: list[str] = []
        for _ in range(_REVIEWS_EACH):
            choice = _choice(company, rater_id, called, chosen)
            if not choice:
                break
            ratee_id = told.best_review(rater_id, choice, beside=chosen)
            chosen.append(ratee_id)
            called[ratee_id] = called.get(ratee_id, 0) + 1
            after = told.reliability_after(rater_id, chosen)
            rows.append(
                {
                    "purpose": "strengthen",
                    **company.asked(rater_id, ratee_id),
                    "component": 1,
                    "n_joined": 0,
                    "n_told": 0,
                    "n_connected": connected,
                    "n_needed": told.reviews_needed(rater_id, ratee_id, target=TOLD_APART.value)
                    if len(chosen) == 1
                    else None,
                    "reliability_before": before,
                    "reliability_after": after,
                }
            )
            before = after
    return rows


def weakly() -> pl.Expr:
    """Whether a linked rater hangs by little: columns ``as_good_as``, ``hangs_on_one``, ``reliability``."""
    return (
        (pl.col("as_good_as") < MINIMUM_COMPARISONS.value)
        | pl.col("hangs_on_one")
        | (pl.col("reliability").fill_null(1.0) < TOLD_APART.value)
    )


def _choice(company: _Company, rater_id: str, called: Mapping[str, int], chosen: list[str]) -> list[str]:
    """People a rater could review: rated by at least two others, near by if there are any."""
    home, least = company.rater_home[rater_id], int(MOST_EXTRA_REVIEWS.value)
    free = [
        (department == home and home is not None, ratee_id)
        for n_raters, ratee_id, department in company.ratees[1]
        if n_raters >= 2
        and ratee_id not in company.rated[rater_id]
        and ratee_id not in company.raters_of.get(rater_id, frozenset())
        and ratee_id not in chosen
        and called.get(ratee_id, 0) < least
        and ratee_id != rater_id
    ]
    near = [ratee_id for close, ratee_id in free if close]
    return (near or [ratee_id for _, ratee_id in free])[:_WEIGHED]
