"""Which goals need somebody now, since when, and how much hangs on them?

Reads    what was said of each goal on each day (`analytics.goals.risk.ladder.Chances.said`), what the goals
         below it said where those are gone by, and goals, check-ins and changes of goals as their contracts
         have them.
Returns  one row per warning, past ones too: what happened, the day it arose, the day it ended, and how much
         hangs on the goal.

Four kinds. *Chance*: the delay probability reached the limit in force (`analytics.goals.lead_time.limits`);
over once it falls well below. *Stale*: nobody updated the goal for more than two of its cadences; over with
the next update. *Scope*: late in its time the target was made harder or the due date was moved. *Confidence*:
the owner's confidence fell by a fifth or more from one check-in to the next; over when it is back. The last
two are news for four weeks. Every warning ends when its goal is closed, given up or past its due date: what
is late already needs no early warning.

A goal has one delay probability: where the goals below it are gone by, its own check-ins raise no warning of
chance. Those below it were rolled up on a few days only, so such a warning arose on one of these.

A warning has the same id in every version of the data in which it arises, so that it is told once and what
was decided about it stays with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from hashlib import sha256
from typing import ClassVar, Final

import polars as pl

from analytics.disclosure import Cells
from analytics.goals.lead_time import limits, marked
from analytics.goals.tree import below, downwards, tree
from analytics.policy import (
    GOAL_SILENCE,
    SNAPSHOT_DAYS,
    WARNING_CONFIDENCE,
    WARNING_LATE,
    WARNING_NEWS,
    WARNING_SILENCE,
)

KINDS: Final = ("chance", "stale", "scope", "confidence")

_HAPPENED: Final = {
    "chance_before": pl.Float64,
    "chance_then": pl.Float64,
    "limit": pl.Float64,
    "rolled": pl.Boolean,
    "updated_on": pl.Date,
    "cadence_days": pl.Int64,
    "target_before": pl.Float64,
    "target_after": pl.Float64,
    "due_before": pl.Date,
    "due_after": pl.Date,
    "reason": pl.String,
    "approved_by": pl.String,
    "confidence_before": pl.Float64,
    "confidence_after": pl.Float64,
}
_ARISEN: Final = {
    "kind": pl.String,
    "goal_id": pl.String,
    "arose_on": pl.Date,
    "ended_on": pl.Date,
    **_HAPPENED,
}
_COLUMNS: Final = (
    "warning_id",
    "kind",
    "goal_id",
    "scope",
    "unit",
    "owner_id",
    "department_id",
    "due_on",
    "arose_on",
    "ended_on",
    *_HAPPENED,
    "chance",
    "guess",
    "strategic_id",
    "share",
    "below",
    "consequence",
    "known_as",
)
_RISING: Final = ("increase", "reach", "stay_above")
_FALLING: Final = ("decrease", "stay_below")
_UNTOLD: Final = 0.5
"""Stands for a delay probability nobody can tell, in the order only."""


@dataclass(frozen=True)
class EarlyWarnings:
    """Warnings of all times.

    Attributes
    ----------
    warnings
        One row per warning, those that stand first, by consequence; then the past ones, latest first.
        ``warning_id``, ``kind`` (one of `KINDS`), ``goal_id``; from the goal ``scope``, ``unit``,
        ``owner_id``, ``department_id``, ``due_on`` (in force now); ``arose_on``, ``ended_on`` (null: stands).
        What happened, null where it belongs to another kind: ``chance_before`` (delay probability a
        look earlier; null at a goal's first look), ``chance_then`` (on the day it arose), ``limit`` (in
        force that day), ``rolled`` (by the goals below it); ``updated_on`` (last sign of life; the start
        if there was none), ``cadence_days``; ``target_before`` and ``target_after`` (in the goal's
        unit), ``due_before`` and ``due_after``, ``reason``, ``approved_by``; ``confidence_before``,
        ``confidence_after`` (0 to 1).
        What hangs on it: ``chance`` (delay probability at the latest look; null: unknown), ``guess`` (nothing
        was learnt of past goals by then), ``strategic_id`` (the strategic goal it is part of, or else serves
        through an alignment, if that is neither done nor given up), ``share``
        (of that goal rests on it: weights along the path multiplied; 1 for the strategic goal itself, 0 if
        it is part of none, or of a goal that is done or given up), ``below`` (goals that hang below it),
        ``consequence`` (share × chance).
        ``known_as``: the ids under which the same warning may have been told or answered before, its own
        among them. A probability that is learnt anew may reach the limit a fortnight sooner or later; a
        warning that stood meanwhile is the same warning.
    limits
        The limits of the delay probability by quarter; see `analytics.goals.lead_time.limits`.
    late
        One row per open goal past its due date, of which no warning is given: ``goal_id``.
    as_of
        The last day anything is known of.
    """

    warnings: pl.DataFrame
    limits: pl.DataFrame
    late: pl.DataFrame
    as_of: date

    cells: ClassVar[tuple[Cells, ...]] = ()  # A goal is a record of its owner; access decides who reads it.

    @property
    def standing(self) -> pl.DataFrame:
        """The warnings that have not ended, by consequence."""
        return self.warnings.filter(pl.col("ended_on").is_null())


def early_warnings(
    said: pl.DataFrame,
    goals: pl.DataFrame,
    check_ins: pl.DataFrame,
    *,
    as_of: date,
    changes: pl.DataFrame | None = None,
    alignments: pl.DataFrame | None = None,
    rolled: pl.DataFrame | None = None,
) -> EarlyWarnings:
    """All warnings up to a day.

    Parameters
    ----------
    said
        One row per goal and snapshot, as in ``Chances.said``.
    goals
        One row per goal, as the contract has them; no title is needed, and drafts are left out.
    check_ins
        Columns ``goal_id``, ``checked_at``, ``confidence``.
    as_of
        The last day that counts.
    changes
        As the contract of goal changes has them. None: not kept.
    alignments
        ``goal_id``, ``serves_goal_id``, ``share``: further goals that goals serve. None: not kept.
    rolled
        Of the goals judged by those below them what these said: ``goal_id``, ``seen_on``, ``delay``. None:
        every goal is judged by its own check-ins.

    Returns
    -------
    EarlyWarnings
        Rows may be none.
    """
    told = (
        check_ins.select("goal_id", pl.col("checked_at").cast(pl.Date).alias("checked_on"), "confidence")
        .filter(pl.col("checked_on") <= as_of)
        .sort("goal_id", "checked_on", maintain_order=True)
    )
    moves = _moves(changes, as_of)
    running = _running(goals, told, moves, as_of)
    found = limits(said, as_of=as_of)
    if rolled is None:
        rolled = said.clear()
    by_own = said.join(rolled, on="goal_id", how="anti")
    arose = pl.concat(
        [
            pl.DataFrame(schema=_ARISEN),
            _chance(marked(by_own, found)).with_columns(rolled=pl.lit(value=False)),
            _chance(marked(rolled, found)).with_columns(rolled=pl.lit(value=True)),
            _stale(running, told),
            _scope(running, moves),
            _confidence(told),
        ],
        how="diagonal_relaxed",
    )
    kept = (
        arose.join(running, on="goal_id", how="inner")
        .filter(
            pl.col("arose_on") >= pl.col("start_on"),
            pl.col("arose_on") <= as_of,
            (pl.col("arose_on") < pl.col("over_on")).fill_null(value=True),
        )
        .with_columns(pl.min_horizontal("ended_on", "over_on").alias("ended_on"))
        .with_columns(pl.when(pl.col("ended_on") <= as_of).then("ended_on").alias("ended_on"))
    )
    last = _last(said, pl.col("delay").alias("chance"), pl.col("origin").is_null().alias("guess")).join(
        _last(rolled, pl.col("delay").alias("_rolled")), on="goal_id", how="left"
    )
    last = last.with_columns(pl.coalesce("_rolled", "chance").alias("chance"))
    whole = (
        kept.with_columns(_ids(kept, as_of))
        .with_columns(pl.col("known_as").list.first().alias("warning_id"))
        .join(last, on="goal_id", how="left")
        .join(_stakes(goals, alignments), on="goal_id", how="left")
        .with_columns((pl.col("share") * pl.col("chance").fill_null(_UNTOLD)).alias("consequence"))
        .select(_COLUMNS)
    )
    late = goals.filter(pl.col("status").cast(pl.String) == "active", pl.col("due_on") < as_of)
    return EarlyWarnings(_ordered(whole), found, late.select("goal_id").sort("goal_id"), as_of)


def narrowed(found: EarlyWarnings, goal_ids: frozenset[str]) -> EarlyWarnings:
    """The warnings of some goals only; limits stay those of the whole company."""
    mine = pl.col("goal_id").is_in(list(goal_ids))
    return replace(found, warnings=found.warnings.filter(mine), late=found.late.filter(mine))


def apart_from(found: EarlyWarnings, warning_ids: frozenset[str]) -> EarlyWarnings:
    """The same without some warnings, such as those that were told or acknowledged before.

    Parameters
    ----------
    warning_ids
        Ids under which they may be known.
    """
    known = pl.col("known_as").list.eval(pl.element().is_in(list(warning_ids))).list.any()
    return replace(found, warnings=found.warnings.filter(~known))


def of_kind(found: EarlyWarnings, kind: str) -> EarlyWarnings:
    """The warnings of one of `KINDS`."""
    return replace(found, warnings=found.warnings.filter(kind=kind))


def since(found: EarlyWarnings, day: date) -> pl.DataFrame:
    """The warnings that stand and arose on the day or later, by consequence."""
    return found.standing.filter(pl.col("arose_on") >= day)


def _last(seen: pl.DataFrame, *columns: pl.Expr) -> pl.DataFrame:
    """What was seen last of each goal."""
    latest = seen.sort("goal_id", "seen_on").group_by("goal_id", maintain_order=True).last()
    return latest.select("goal_id", *columns)


# --- what arises ------------------------------------------------------------------------------------


def _chance(seen: pl.DataFrame) -> pl.DataFrame:
    """From reaching the limit to falling well below it."""
    begun = pl.col("warned") & ~pl.col("warned").shift(fill_value=False).over("goal_id")
    return (
        seen.with_columns(
            begun.cum_sum().over("goal_id").alias("_spell"),
            pl.col("delay").shift().over("goal_id").alias("chance_before"),
        )
        .filter(pl.col("_spell") > 0)
        .group_by("goal_id", "_spell")
        .agg(
            pl.col("seen_on").min().alias("arose_on"),
            pl.col("seen_on").filter(~pl.col("warned")).min().alias("ended_on"),
            pl.col("chance_before").sort_by("seen_on").first(),
            pl.col("delay").sort_by("seen_on").first().alias("chance_then"),
            pl.col("limit").sort_by("seen_on").first(),
        )
        .with_columns(pl.lit("chance").alias("kind"))
        .drop("_spell")
    )


def _stale(running: pl.DataFrame, told: pl.DataFrame) -> pl.DataFrame:
    """Silences of more than two cadences, from their first day too many to the next update."""
    # Who has no target of its own is updated through the goals directly below.
    summed = running.filter(pl.col("target").is_null()).select(pl.col("goal_id").alias("parent_id"))
    through = (
        running.select("goal_id", "parent_id")
        .join(summed, on="parent_id", how="semi")
        .join(told, on="goal_id", how="inner")
        .select(pl.col("parent_id").alias("goal_id"), "checked_on")
    )
    signs = pl.concat(
        [
            running.select("goal_id", pl.col("start_on").alias("updated_on")),
            told.select("goal_id", pl.col("checked_on").alias("updated_on")),
            through.rename({"checked_on": "updated_on"}),
        ]
    )
    longest = pl.col("cadence_days") * int(WARNING_SILENCE.value)
    return (
        signs.unique()
        .sort("goal_id", "updated_on")
        .with_columns(pl.col("updated_on").shift(-1).over("goal_id").alias("ended_on"))
        .join(
            running.select("goal_id", pl.col("cadence_days").fill_null(int(GOAL_SILENCE.value))),
            on="goal_id",
            how="inner",
        )
        .with_columns((pl.col("updated_on") + pl.duration(days=longest + 1)).alias("arose_on"))
        .filter((pl.col("ended_on") > pl.col("arose_on")).fill_null(value=True))
        .with_columns(pl.lit("stale").alias("kind"))
    )


def _scope(running: pl.DataFrame, moves: pl.DataFrame) -> pl.DataFrame:
    """Late in a goal's time its target became harder or its due date moved; once a day and goal."""
    due = moves.filter(pl.col("field") == "due_on").select(
        "goal_id", "changed_on", pl.col("old_value").str.to_date("%Y-%m-%d", strict=False).alias("_due_then")
    )
    placed = (
        moves.filter("known", pl.col("field").is_in(["target", "due_on"]))
        .join(
            running.select("goal_id", "goal_kind", "baseline", "start_on", "due_on"),
            on="goal_id",
            how="inner",
        )
        .sort("changed_on", maintain_order=True)
        # The due date a change found in force is what the next move of it moved away from.
        .join_asof(
            due.drop_nulls().sort("changed_on", maintain_order=True),
            on="changed_on",
            by="goal_id",
            strategy="forward",
            check_sortedness=False,
        )
        .with_columns(pl.coalesce("_due_then", "due_on").alias("_due_then"))
    )
    is_target = pl.col("field") == "target"
    old, new = (pl.col(name).cast(pl.Float64, strict=False) for name in ("old_value", "new_value"))
    away = (new - pl.col("baseline")).abs() > (old - pl.col("baseline")).abs()
    harder = (
        pl.when(pl.col("goal_kind").is_in(_RISING))
        .then(new > old)
        .when(pl.col("goal_kind").is_in(_FALLING))
        .then(new < old)
        .otherwise(away)
    )
    length = (pl.col("_due_then") - pl.col("start_on")).dt.total_days()
    passed = (pl.col("changed_on") - pl.col("start_on")).dt.total_days()
    before, after = (
        pl.col(name).str.to_date("%Y-%m-%d", strict=False) for name in ("old_value", "new_value")
    )
    return (
        placed.filter(
            passed >= WARNING_LATE.value * length,
            pl.when(is_target).then(harder).otherwise((before != after).fill_null(value=False)),
        )
        .with_columns(
            pl.when(is_target).then(old).alias("target_before"),
            pl.when(is_target).then(new).alias("target_after"),
            pl.when(~is_target).then(before).alias("due_before"),
            pl.when(~is_target).then(after).alias("due_after"),
        )
        .group_by("goal_id", "changed_on", maintain_order=True)
        .agg(
            pl.col("target_before", "due_before").drop_nulls().first(),
            pl.col("target_after", "due_after").drop_nulls().last(),
            pl.col("reason").drop_nulls().first(),
            # One of several that nobody approved leaves the day's changes without approval.
            pl.when(pl.col("approved_by").is_not_null().all())
            .then(pl.col("approved_by").last())
            .alias("approved_by"),
        )
        .rename({"changed_on": "arose_on"})
        .with_columns(_no_longer_news(pl.col("arose_on")).alias("ended_on"), pl.lit("scope").alias("kind"))
    )


def _confidence(told: pl.DataFrame) -> pl.DataFrame:
    """Falls of the owner's confidence, until it is back or no longer news."""
    words = (
        told.drop_nulls("confidence")
        .unique(["goal_id", "checked_on"], keep="last", maintain_order=True)
        .with_columns(pl.col("confidence").shift().over("goal_id").alias("confidence_before"))
    )
    fell = (pl.col("confidence_before") - pl.col("confidence")).round(9) >= WARNING_CONFIDENCE.value
    falls = words.filter(fell).select(
        "goal_id",
        pl.col("checked_on").alias("arose_on"),
        "confidence_before",
        pl.col("confidence").alias("confidence_after"),
    )
    back = (
        falls.join(words.select("goal_id", "checked_on", "confidence"), on="goal_id", how="inner")
        .filter(
            pl.col("checked_on") > pl.col("arose_on"), pl.col("confidence") >= pl.col("confidence_before")
        )
        .group_by("goal_id", "arose_on")
        .agg(pl.col("checked_on").min().alias("_back"))
    )
    return (
        falls.join(back, on=["goal_id", "arose_on"], how="left")
        .with_columns(
            pl.min_horizontal("_back", _no_longer_news(pl.col("arose_on"))).alias("ended_on"),
            pl.lit("confidence").alias("kind"),
        )
        .drop("_back")
    )


def _no_longer_news(day: pl.Expr) -> pl.Expr:
    return day + timedelta(days=int(WARNING_NEWS.value))


# --- the goals they are about -----------------------------------------------------------------------


def _moves(changes: pl.DataFrame | None, as_of: date) -> pl.DataFrame:
    """Changes by day; those after the day are kept to be taken back."""
    text = ("field", "old_value", "new_value", "reason", "approved_by")
    if changes is None:
        schema = {"goal_id": pl.String, "changed_on": pl.Date, **dict.fromkeys(text, pl.String)}
        return pl.DataFrame(schema={**schema, "known": pl.Boolean})
    return (
        changes.sort("goal_id", "changed_at", "field")
        .select(
            "goal_id",
            pl.col("changed_at").cast(pl.Date).alias("changed_on"),
            *(pl.col(name).cast(pl.String) for name in text),
        )
        .with_columns((pl.col("changed_on") <= as_of).alias("known"))
    )


def _running(goals: pl.DataFrame, told: pl.DataFrame, moves: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Goals that were ever begun, with ``over_on``: the day from which no early warning is of use."""
    last = told.group_by("goal_id").agg(pl.col("checked_on").max().alias("_last"))
    dropped = (
        moves.filter("known", pl.col("field") == "status")
        .group_by("goal_id")
        .agg(pl.col("changed_on").max().alias("_dropped"))
    )
    closed = (
        pl.when(pl.col("status") == "done")
        .then(pl.coalesce("completed_on", pl.min_horizontal(pl.coalesce("_last", "due_on"), pl.lit(as_of))))
        .when(pl.col("status") == "abandoned")
        .then(pl.min_horizontal(pl.coalesce("_dropped", "_last", "due_on"), pl.lit(as_of)))
    )
    return (
        goals.with_columns(pl.col("status", "scope", "kind").cast(pl.String))
        .rename({"kind": "goal_kind"})
        .filter(pl.col("status") != "draft", pl.col("start_on") <= as_of)
        .join(last, on="goal_id", how="left")
        .join(dropped, on="goal_id", how="left")
        .select(
            "goal_id",
            "parent_id",
            "scope",
            "goal_kind",
            "unit",
            pl.col("baseline", "target").cast(pl.Float64),
            "owner_id",
            "department_id",
            pl.col("cadence_days").cast(pl.Int64),
            "start_on",
            "due_on",
            pl.min_horizontal(closed, pl.col("due_on") + timedelta(days=1)).alias("over_on"),
        )
    )


def _ids(found: pl.DataFrame, as_of: date) -> pl.Series:
    """Names that stay when the data grow, its own first.

    A probability is looked at every fortnight of a goal's life and on the latest day of the data. What
    arose on such a day arises at the end of that fortnight in the next version, so its fortnight is named.
    The days goals are rolled up on move with the latest day, so of those the due date is named.
    """
    step = int(SNAPSHOT_DAYS.value)
    names: list[str] = []
    rows: list[int] = []
    told = found.select("kind", "goal_id", "start_on", "due_on", "rolled", "arose_on", "ended_on")
    for row, (kind, goal, start, due, rolled, arose, ended) in enumerate(told.iter_rows()):
        days: tuple[object, ...] = (arose,)
        if rolled:
            days = (f"below {due}",) if ended is None else (f"below {due} {arose}", f"below {due}")
        elif kind == "chance":
            first, last = (-(-(day - start).days // step) for day in (arose, ended or as_of))
            days = (first, first - 1, *range(first + 1, last + 1)) if ended is None else (first,)
        names.extend(_id(kind, goal, day) for day in days)
        rows.extend([row] * len(days))
    # Built flat and gathered: a list column made of one Python list per warning takes many times as long.
    flat = pl.DataFrame({"_row": rows, "known_as": names}, schema={"_row": pl.Int64, "known_as": pl.String})
    return flat.group_by("_row", maintain_order=True).agg("known_as")["known_as"]


def _id(*parts: object) -> str:
    return sha256("/".join(map(str, parts)).encode()).hexdigest()[:16]


def _stakes(goals: pl.DataFrame, alignments: pl.DataFrame | None) -> pl.DataFrame:
    """What hangs on each goal: goal_id, strategic_id, share, below."""
    found = tree(goals.select("goal_id", "parent_id", "scope"), alignments)
    placed = found.goals
    strategic: dict[str, str | None] = dict(placed.select("goal_id", "strategic_id").iter_rows())
    rows = goals.select("goal_id", "parent_id", "weight", pl.col("status").cast(pl.String)).rows()
    ids = {row[0] for row in rows}
    parents = {row[0]: row[1] if row[1] in ids else None for row in rows}
    weights = {row[0]: row[2] for row in rows}
    counted = {row[0] for row in rows if row[3] not in ("draft", "abandoned")}
    running = {row[0] for row in rows if row[3] == "active"}
    aligned = (
        found.serves.filter(pl.col("strategic_id").is_in(list(running)))
        .group_by("goal_id")
        .agg(pl.col("strategic_id").min().alias("_aligned"))
    )
    own: dict[str, float] = {}
    for siblings in below(parents).values():
        own.update(_by_weight([one for one in siblings if one in counted], weights))
    shares: dict[str, float] = {}
    for goal in downwards(parents):
        above = parents[goal]
        if strategic[goal] == goal:
            shares[goal] = 1.0 if goal in running else 0.0
        else:
            shares[goal] = (
                shares[above] * own.get(goal, 0.0) if above is not None and above in running else 0.0
            )
    return placed.join(aligned, on="goal_id", how="left").select(
        "goal_id",
        pl.coalesce(
            pl.when(pl.col("strategic_id").is_in(list(running))).then("strategic_id"), "_aligned"
        ).alias("strategic_id"),
        pl.col("goal_id").replace_strict(shares, default=0.0, return_dtype=pl.Float64).alias("share"),
        pl.col("descendants").alias("below"),
    )


def _by_weight(siblings: list[str], weights: Mapping[str, float | None]) -> dict[str, float]:
    """Shares that add up to one; equal where any weight is missing or all are nought."""
    known = [weight for one in siblings if (weight := weights[one]) is not None]
    if len(known) < len(siblings) or sum(known) == 0:
        known = [1.0] * len(siblings)
    total = sum(known)
    return {one: weight / total for one, weight in zip(siblings, known, strict=True)}


def _ordered(found: pl.DataFrame) -> pl.DataFrame:
    """What stands by consequence, then the past, latest first."""
    stands = pl.col("ended_on").is_null()
    worst = pl.col("chance").fill_null(_UNTOLD) * (pl.col("below") + 1)
    return found.sort(
        ~stands,
        pl.when(stands).then(None).otherwise("arose_on"),
        "consequence",
        worst,
        "due_on",
        "goal_id",
        "kind",
        "arose_on",
        descending=[False, True, True, True, False, False, False, False],
    )
