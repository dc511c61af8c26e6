"""What could have been known about each goal on each day it was open?

Reads    goals, check-ins and changes of goals as their contracts have them.
Returns  one row per goal and snapshot (every fortnight from its start while it is open, and the as-of day):
         measurements taken from nothing later than that day, and beside them what became of the goal,
         with the day on which that was known.

A goal is missed if it was not done by the due date that was in force on the day of the snapshot: a due date
moved later does not turn a miss into a landing, and a goal given up is not done. Nothing about a person
enters except the record of finished goals of the owner and of the department; no protected attribute does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Final

import polars as pl

from analytics.policy import GOAL_SILENCE, SNAPSHOT_DAYS

DRIVERS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "work_left": ("progress", "gap", "pace_needed", "arrived"),
        "recent_pace": ("recent_pace", "recent_known"),
        "silence": ("silence", "never_updated"),
        "time": ("elapsed", "time_left", "length"),
        "scope_growth": ("scope_growth", "target_moves"),
        "due_moved": ("due_moves",),
        "confidence": ("confidence", "confidence_fell", "confidence_untold"),
        "owner_record": ("owner_record", "owner_known"),
        "department_record": ("department_record",),
        "kind": ("keeps", "unmeasured", "company", "department", "team", "weight"),
        "set_up": ("no_data_source", "no_cadence", "not_agreed"),
    }
)
"""The measurements behind each driver; a driver is what a sentence names."""

FEATURES: Final = tuple(name for names in DRIVERS.values() for name in names)

_KEEPS: Final = ("stay_above", "stay_below")
_STEEPEST: Final = 3.0
"""Logarithm of the pace needed beyond which more says nothing: twenty times the pace so far."""
_WINDOW: Final = 28
"""Days over which the recent pace is taken."""
_MOST_LOOKS: Final = 520
"""Snapshots of a goal, about: twenty years of fortnights."""
_AT_A_TIME: Final = 20_000
"""Goals whose days are laid out at once: laying out all at once would take the memory of a small machine."""
_PRIOR: Final = 4.0
"""Goals a record must hold to weigh as much as the rate it is shrunk to."""


@dataclass(frozen=True)
class Panel:
    """Goals seen again and again.

    Attributes
    ----------
    snapshots
        One row per goal and day, sorted by both: ``goal_id``, ``seen_on``, ``due_on`` (in force that day),
        ``elapsed`` (share of its time), ``days_left``, the measurements of `features` (Float64; null is
        not known), ``landed_on`` (null: never, or not yet), ``missed`` (not done by ``due_on``; null: not yet
        known), ``known_on`` (the day that was known; null: not yet).
    features
        Names of the measurements.
    drivers
        Driver → its measurements.
    as_of
        The last day anything is known of.
    """

    snapshots: pl.DataFrame
    features: tuple[str, ...]
    drivers: Mapping[str, tuple[str, ...]]
    as_of: date


def panel(
    goals: pl.DataFrame, check_ins: pl.DataFrame, *, as_of: date, changes: pl.DataFrame | None = None
) -> Panel:
    """Take every goal's snapshots.

    Parameters
    ----------
    goals
        One row per goal, as the contract has them; drafts are left out.
    check_ins
        Columns ``goal_id``, ``checked_at``, ``value``, ``target``, ``confidence``.
    as_of
        The last day that counts.
    changes
        As the contract of goal changes has them. None: not kept.

    Returns
    -------
    Panel
        No rows if there are no goals that have begun.
    """
    seen = check_ins.filter(pl.col("checked_at").cast(pl.Date) <= as_of).select(
        "goal_id",
        pl.col("checked_at").cast(pl.Date).alias("checked_on"),
        pl.col("value").cast(pl.Float64),
        pl.col("target").cast(pl.Float64).alias("target_then"),
        pl.col("confidence").cast(pl.Float64),
    )
    seen = seen.sort("goal_id", "checked_on", maintain_order=True)
    moves = _moves(changes, as_of)
    begun = _goals(goals).filter(pl.col("start_on") <= as_of)
    ended = _ended(begun, seen, moves, as_of)
    shots = pl.concat(
        _seen(ended[at : at + _AT_A_TIME], seen, moves, as_of)
        for at in range(0, max(len(ended), 1), _AT_A_TIME)
    )
    shots = (
        shots.pipe(_records, by="owner_id", called="owner")
        .pipe(_records, by="department_id", called="department")
        .with_columns(pl.col("owner_record", "owner_known", "department_record").fill_nan(None))
        .select("goal_id", "seen_on", "due_on", "days_left", *FEATURES, "landed_on", "missed", "known_on")
        .sort("goal_id", "seen_on")
    )
    return Panel(shots, FEATURES, DRIVERS, as_of)


def _seen(goals: pl.DataFrame, seen: pl.DataFrame, moves: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Some goals on all their days, without the records of owners and departments."""
    told = seen.join(goals.select("goal_id"), on="goal_id", how="semi", maintain_order="left")
    shots = _days(goals, as_of)
    for field in ("due_on", "target", "baseline"):
        shots = _in_force(shots, moves, field)
    whose = ("goal_id", "owner_id", "department_id", "seen_on", "due_on", "days_left")
    measured = [
        name for name in FEATURES if not name.endswith(("_record", "_known")) or name == "recent_known"
    ]
    return (
        shots.pipe(_looked_up, told)
        .pipe(_labelled, as_of)
        .pipe(_measured)
        .with_columns(pl.col(measured).cast(pl.Float64).fill_nan(None))
        .select(*whose, *measured, "landed_on", "missed", "known_on")
    )


def _goals(goals: pl.DataFrame) -> pl.DataFrame:
    unnamed = pl.col("data_source").is_null() if "data_source" in goals.columns else pl.lit(value=None)
    return goals.filter(pl.col("status").cast(pl.String) != "draft").select(
        "goal_id",
        "owner_id",
        "department_id",
        pl.col("scope", "kind", "status").cast(pl.String),
        pl.col("baseline", "target", "weight").cast(pl.Float64),
        "start_on",
        "due_on",
        "completed_on",
        "agreed_on",
        pl.col("cadence_days").cast(pl.Float64),
        unnamed.alias("_unnamed"),
    )


def _moves(changes: pl.DataFrame | None, as_of: date) -> pl.DataFrame:
    """What was changed, when, from what; changes after the day are kept, to be taken back."""
    text = ("field", "old_value", "new_value")
    schema = {"goal_id": pl.String, "changed_on": pl.Date, **dict.fromkeys(text, pl.String)}
    if changes is None:
        return pl.DataFrame(schema={**schema, "known": pl.Boolean})
    return (
        changes.select(
            "goal_id",
            pl.col("changed_at").cast(pl.Date).alias("changed_on"),
            pl.col(text).cast(pl.String),
        )
        .with_columns((pl.col("changed_on") <= as_of).alias("known"))
        .sort("goal_id", "changed_on", maintain_order=True)
    )


def _ended(goals: pl.DataFrame, seen: pl.DataFrame, moves: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """When each goal landed, or was given up."""
    dropped = (
        moves.filter("known", pl.col("field") == "status", pl.col("new_value") == "abandoned")
        .group_by("goal_id")
        .agg(pl.col("changed_on").max().alias("_dropped"))
    )
    # Past its due date and never closed, yet by its updates it has arrived; a level is settled when due.
    unclosed = (pl.col("status") == "active") & (pl.col("due_on") <= as_of) & pl.col("_arrived").is_not_null()
    landed = (
        pl.when(pl.col("status") == "done")
        .then(pl.coalesce("completed_on", "_arrived", "_last", "due_on"))
        .when(unclosed & pl.col("kind").is_in(_KEEPS))
        .then("due_on")
        .when(unclosed)
        .then("_arrived")
    )
    # Nobody wrote down when: on every day up to its due date it was open for all anybody knew.
    given_up = pl.when(pl.col("status") == "abandoned").then(
        pl.coalesce("_dropped", pl.min_horizontal("due_on", pl.lit(as_of))).clip(upper_bound=pl.lit(as_of))
    )
    return (
        goals.join(_arrived(goals, seen), on="goal_id", how="left")
        .join(dropped, on="goal_id", how="left")
        .with_columns(landed.alias("landed_on"), given_up.alias("_given_up"))
        .with_columns(pl.when(pl.col("landed_on") <= as_of).then("landed_on").alias("landed_on"))
        .drop("_last", "_arrived", "_dropped", "completed_on", "status")
    )


def _arrived(goals: pl.DataFrame, seen: pl.DataFrame) -> pl.DataFrame:
    """From which update on each goal stood where it was to be, and its last update."""
    about = goals.select("goal_id", "kind", "baseline", "target", "due_on")
    target, base = pl.coalesce("target_then", "target"), pl.col("baseline").fill_null(0.0)
    falls = (pl.col("kind") == "stay_below") | ((pl.col("kind") != "stay_above") & (target < base))
    there = (
        pl.when(falls.fill_null(value=False))
        .then(pl.col("value") <= target)
        .otherwise(pl.col("value") >= target)
    )
    day = pl.col("checked_on")
    return (
        seen.lazy()
        .with_columns(pl.col("target_then").forward_fill().over("goal_id"))
        .join(about.lazy(), on="goal_id")
        # A level that slips after it was due was kept.
        .filter(~pl.col("kind").is_in(_KEEPS).fill_null(value=False) | (day <= pl.col("due_on")))
        .select("goal_id", "checked_on", there.fill_null(value=False).alias("_there"))
        .group_by("goal_id")
        .agg(
            day.max().alias("_last"),
            pl.when("_there").then(day).alias("_days"),
            pl.when(~pl.col("_there")).then(day).max().alias("_short"),
        )
        .with_columns(pl.col("_short").fill_null(date.min))
        .explode("_days")
        .group_by("goal_id")
        .agg(
            pl.col("_last").first(),
            pl.col("_days").filter(pl.col("_days") > pl.col("_short")).min().alias("_arrived"),
        )
        .collect()
    )


def _days(goals: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """One row per goal and day it is looked at while nothing is settled."""
    # The due date may have been earlier on a day; those snapshots are left out once it is known.
    stop = pl.min_horizontal("due_on", pl.coalesce("landed_on", pl.lit(as_of)), pl.lit(as_of))
    stop = pl.min_horizontal(stop, pl.coalesce("_given_up", pl.lit(as_of)))
    usual = int(SNAPSHOT_DAYS.value)
    days = (stop - pl.col("start_on")).dt.total_days()
    regular = (
        goals.with_columns(days.alias("_days"))
        .filter(pl.col("_days") >= 0)
        # A goal of a hundred years, as from a date of nought, is looked at less often, not all its life.
        .with_columns((usual * (1 + pl.col("_days") // (usual * _MOST_LOOKS))).alias("_step"))
        .with_columns(pl.int_ranges(0, pl.col("_days") // pl.col("_step") + 1).alias("_k"))
        .explode("_k")
        .with_columns(
            (pl.col("start_on") + pl.duration(days=pl.col("_k") * pl.col("_step"))).alias("seen_on")
        )
        .drop("_days", "_step", "_k")
    )
    today = goals.filter(
        pl.col("landed_on").is_null(), pl.col("_given_up").is_null(), pl.col("due_on") > as_of
    ).with_columns(pl.lit(as_of).alias("seen_on"))
    return (
        pl.concat([regular, today])
        .unique(["goal_id", "seen_on"])
        .filter(
            (pl.col("landed_on") > pl.col("seen_on")).fill_null(value=True),
            (pl.col("_given_up") > pl.col("seen_on")).fill_null(value=True),
        )
        .sort("goal_id", "seen_on")
    )


def _in_force(shots: pl.DataFrame, moves: pl.DataFrame, field: str) -> pl.DataFrame:
    """What held on the day: the old value of the next change, and how often it had changed by then."""
    own = moves.filter(pl.col("field") == field).select("goal_id", "changed_on", "old_value")
    reading = (
        pl.col("old_value").str.to_date("%Y-%m-%d", strict=False)
        if field == "due_on"
        else pl.col("old_value").cast(pl.Float64, strict=False)
    )
    later = own.with_columns(
        reading.alias("_old"), pl.int_range(pl.len()).over("goal_id").alias("_before")
    ).sort("changed_on")
    counts = own.group_by("goal_id").agg(
        pl.len().cast(pl.Int64).alias("_total"), pl.col("old_value").first().alias("old_value")
    )
    first = counts.select("goal_id", "_total", reading.alias(f"first_{field}"))
    # A change on the day itself has been made: strictly later ones are taken back.
    return (
        shots.with_columns((pl.col("seen_on") + pl.duration(days=1)).alias("_next"))
        .sort("_next")
        .join_asof(
            later.select("goal_id", "changed_on", "_old", "_before"),
            left_on="_next",
            right_on="changed_on",
            by="goal_id",
            strategy="forward",
            check_sortedness=False,
        )
        .join(first, on="goal_id", how="left")
        .with_columns(
            pl.when(pl.col("_before").is_not_null())
            .then(pl.coalesce("_old", field))
            .otherwise(field)
            .alias(field),
            pl.coalesce(pl.col("_before"), pl.col("_total"), pl.lit(0)).alias(f"{field}_moves"),
            pl.coalesce(f"first_{field}", field).alias(f"first_{field}"),
            pl.col("_total").is_not_null().alias(f"{field}_logged"),
        )
        .drop("_next", "changed_on", "_old", "_before", "_total", strict=False)
        .sort("goal_id", "seen_on")
    )


def _looked_up(shots: pl.DataFrame, seen: pl.DataFrame) -> pl.DataFrame:
    """The latest update of each goal by the day, and by four weeks earlier."""
    numbered = seen.with_columns(
        (pl.int_range(pl.len()).over("goal_id") + 1).alias("_updates"),
        # A confidence holds until another is stated.
        pl.col("confidence").forward_fill().over("goal_id"),
        pl.col("target_then").forward_fill().over("goal_id"),
        pl.col("target_then").drop_nulls().first().over("goal_id").alias("first_told"),
    ).with_columns(pl.col("confidence").shift().over("goal_id").alias("_confidence_before"))
    ordered = numbered.sort("checked_on", maintain_order=True)
    told = ordered.group_by("goal_id").agg(pl.col("first_told").first())
    before = ordered.select(
        "goal_id", pl.col("checked_on").alias("before_on"), pl.col("value").alias("before")
    )
    return (
        shots.sort("seen_on")
        .join_asof(
            ordered.drop("first_told"),
            left_on="seen_on",
            right_on="checked_on",
            by="goal_id",
            strategy="backward",
            check_sortedness=False,
            coalesce=False,
        )
        .with_columns((pl.col("checked_on") - pl.duration(days=_WINDOW)).alias("_window"))
        .join_asof(
            before.sort("before_on"),
            left_on=pl.col("_window"),
            right_on="before_on",
            by="goal_id",
            strategy="backward",
            check_sortedness=False,
            coalesce=False,
        )
        .join(told, on="goal_id", how="left")
        .drop("_window", strict=False)
    )


def _labelled(shots: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """What became of the goal by the due date of that day, and when that was known."""
    in_time = pl.col("landed_on") <= pl.col("due_on")
    lost = pl.min_horizontal("due_on", pl.coalesce("_given_up", "due_on"))
    known = pl.when(in_time.fill_null(value=False)).then("landed_on").otherwise(lost)
    return (
        # A day past the due date that held on it is settled and says nothing.
        shots.filter(pl.col("due_on") > pl.col("seen_on"))
        .with_columns(known.alias("known_on"), ~in_time.fill_null(value=False).alias("missed"))
        .with_columns(
            pl.when(pl.col("known_on") <= as_of).then("missed").alias("missed"),
            pl.when(pl.col("known_on") <= as_of).then("known_on").alias("known_on"),
        )
    )


def _measured(shots: pl.DataFrame) -> pl.DataFrame:
    day = pl.col("seen_on")
    length = (pl.col("due_on") - pl.col("start_on")).dt.total_days().cast(pl.Float64)
    passed = (day - pl.col("start_on")).dt.total_days().cast(pl.Float64)
    keeps = pl.col("kind").is_in(_KEEPS).fill_null(value=False)
    # Where targets were changed without a record, updates say which held; the first told held from the start.
    unlogged = ~pl.col("target_logged")
    target = pl.when(unlogged).then(pl.coalesce("target_then", "first_told", "target")).otherwise("target")
    first = pl.when(unlogged).then(pl.coalesce("first_told", "target")).otherwise("first_target")
    base = pl.when(pl.col("kind") == "reach").then(pl.col("baseline").fill_null(0.0)).otherwise("baseline")

    def share(value: pl.Expr) -> pl.Expr:
        holds = pl.when(pl.col("kind") == "stay_above").then(value >= target).otherwise(value <= target)
        way = (
            pl.when(target != base)
            .then((value - base) / (target - base))
            .otherwise((value >= target).cast(pl.Float64))
        )
        return pl.when(keeps).then(holds.cast(pl.Float64)).otherwise(way).clip(-0.5, 1.5)

    found = shots.with_columns(
        length.clip(lower_bound=1.0).alias("_length"),
        passed.alias("_passed"),
        (pl.col("due_on") - day).dt.total_days().alias("days_left"),
        share(pl.col("value")).alias("_progress"),
        share(pl.col("before")).alias("_progress_before"),
        (pl.col("checked_on") - pl.col("start_on")).dt.total_days().cast(pl.Float64).alias("_checked"),
        (pl.col("checked_on") - pl.coalesce("before_on", "start_on")).dt.total_days().alias("_window"),
        ((target - base).abs() / (first - base).abs()).log().alias("_grown"),
        keeps.cast(pl.Float64).alias("keeps"),
    )
    measured = pl.col("_progress").is_not_null()
    elapsed = pl.col("_passed") / pl.col("_length")
    left = (1.0 - pl.col("_progress")).clip(lower_bound=0.0)
    # What is left per day left, against what was done per day so far, both with a day and a hundredth of the
    # way to spare so that neither start nor standstill is infinite.
    so_far = (pl.col("_progress").clip(lower_bound=0.0) + 0.01) / (pl.col("_checked") + 1.0)
    needed = (left + 0.01) / (pl.col("days_left").cast(pl.Float64) + 1.0)
    recent = (pl.col("_progress") - pl.coalesce("_progress_before", pl.lit(0.0))) / pl.col("_window").clip(
        lower_bound=1
    )
    straight = 1.0 / pl.col("_length")
    silent = (day - pl.coalesce("checked_on", "start_on")).dt.total_days().cast(pl.Float64)
    return found.with_columns(
        elapsed.alias("elapsed"),
        (pl.col("days_left") + 1.0).log().alias("time_left"),
        pl.col("_length").log().alias("length"),
        pl.col("_progress").fill_null(0.0).alias("progress"),
        pl.when(measured).then(elapsed - pl.col("_progress")).alias("gap"),
        pl.when(measured & (pl.col("keeps") == 0.0))
        .then((needed / so_far).log().clip(-_STEEPEST, _STEEPEST))
        .alias("pace_needed"),
        (measured & (pl.col("_progress") >= 1.0)).cast(pl.Float64).alias("arrived"),
        pl.when(measured).then((recent / straight).clip(-1.0, 4.0)).alias("recent_pace"),
        pl.col("_progress_before").is_not_null().cast(pl.Float64).alias("recent_known"),
        (silent / pl.col("cadence_days").fill_null(GOAL_SILENCE.value)).log1p().alias("silence"),
        pl.col("checked_on").is_null().cast(pl.Float64).alias("never_updated"),
        pl.when(pl.col("_grown").is_finite())
        .then(pl.col("_grown").clip(-1.5, 1.5))
        .otherwise(0.0)
        .alias("scope_growth"),
        pl.col("target_moves").cast(pl.Float64),
        pl.col("due_on_moves").cast(pl.Float64).alias("due_moves"),
        pl.col("confidence"),
        (pl.col("_confidence_before") - pl.col("confidence")).fill_null(0.0).alias("confidence_fell"),
        pl.col("confidence").is_null().cast(pl.Float64).alias("confidence_untold"),
        (~measured).cast(pl.Float64).alias("unmeasured"),
        *(
            (pl.col("scope") == scope).cast(pl.Float64).alias(scope)
            for scope in ("company", "department", "team")
        ),
        (pl.col("weight").fill_null(0.0) + 1.0).log().alias("weight"),
        pl.col("_unnamed").cast(pl.Float64).fill_null(0.0).alias("no_data_source"),
        pl.col("cadence_days").is_null().cast(pl.Float64).alias("no_cadence"),
        (pl.col("agreed_on") <= day).fill_null(value=False).not_().cast(pl.Float64).alias("not_agreed"),
    )


def _records(shots: pl.DataFrame, *, by: str, called: str) -> pl.DataFrame:
    """Share missed of the goals settled before the day, shrunk to the company's, as log odds."""
    settled = (
        # One row per goal and due date it had: its last snapshot, whose outcome is that of the date. A date
        # that was missed stays missed when it is moved.
        shots.filter(pl.col("missed").is_not_null())
        .sort("seen_on")
        .group_by("goal_id", "due_on", maintain_order=True)
        .last()
        # Of goals that are not due yet only the early landings are known: they would flatter the record.
        .with_columns(pl.max_horizontal("known_on", "due_on").alias("known_on"))
        .sort("known_on", "goal_id")
    )
    own = settled.drop_nulls(by).select(
        by,
        pl.col("known_on").alias("_known"),
        (pl.col("missed").cast(pl.Float64).cum_sum().over(by)).alias("_lost"),
        (pl.int_range(pl.len()).over(by) + 1).alias("_settled"),
    )
    everybody = settled.select(
        pl.col("known_on").alias("_known"),
        pl.col("missed").cast(pl.Float64).cum_sum().alias("_all_lost"),
        (pl.int_range(pl.len()) + 1).alias("_all"),
    )
    rate = (pl.col("_all_lost").fill_null(0.0) + 2.0) / (pl.col("_all").fill_null(0) + _PRIOR)
    return (
        # Known the day before: what a day brings is not there when it begins.
        shots.with_columns((pl.col("seen_on") - pl.duration(days=1)).alias("_day"))
        .sort("_day")
        .join_asof(own.sort("_known"), left_on="_day", right_on="_known", by=by, check_sortedness=False)
        .drop("_known", strict=False)
        .join_asof(everybody, left_on="_day", right_on="_known", check_sortedness=False)
        .with_columns(rate.alias("_rate"))
        .with_columns(
            (
                (pl.col("_lost").fill_null(0.0) + _PRIOR * pl.col("_rate"))
                / (pl.col("_settled").fill_null(0) + _PRIOR)
            ).alias("_share")
        )
        .with_columns(
            (pl.col("_share") / (1.0 - pl.col("_share"))).log().alias(f"{called}_record"),
            pl.col("_settled").fill_null(0).cast(pl.Float64).log1p().alias(f"{called}_known"),
        )
        .drop("_day", "_known", "_lost", "_settled", "_all_lost", "_all", "_rate", "_share", strict=False)
    )
