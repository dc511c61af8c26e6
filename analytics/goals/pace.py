"""Is each goal moving fast enough to arrive by its due date?

Reads    goals and check-ins as their contracts have them, and, where kept, the changes of goals.
Returns  one row per goal: progress, elapsed share of its time, what a straight line would expect, the pace
         it needs against the pace it had, a status under one published rule, and what its record lacks.

Only what was known at the end of ``as_of`` counts: later check-ins, changes and completions do not. A goal
abandoned without a record of when counts as abandoned on every day.

What a status is worth: on the last fifth of 3,834 real sprints the share of work done ranked those that
missed worse than chance (AUC .32 to .42), the amount left well (.83 to .85). Both owe most of that to the
third of the sprints with nothing planned, which never miss. Among the others the share of work done reaches
.49 to .62, the amount left .59 to .63 and the amount left per day left .61 to .67; and at equal elapsed time
``pace_needed`` is a function of progress and ranks no better. A status says how a goal stands against a
line and is a reason to ask; the chance that it arrives is another matter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import ClassVar, Final

import polars as pl

from analytics.disclosure import Cells
from analytics.goals.tree import NO_ALIGNMENTS, below, downwards
from analytics.policy import GOAL_SILENCE, PACE_PRESETS, PacePreset

REFERENCE: Final = "Choetkiertikul et al. (2017), IEEE Trans. Softw. Eng. 44(6). doi:10.1109/TSE.2017.2693989"

STATUSES: Final = (
    "done",
    "to_close",
    "on_track",
    "behind",
    "at_risk",
    "cannot_tell",
    "not_started",
    "abandoned",
    "draft",
)
OPEN: Final = ("to_close", "on_track", "behind", "at_risk", "cannot_tell", "not_started")
UNKNOWN: Final = (
    "no_target",
    "no_baseline",
    "wrong_direction",
    "no_check_ins",
    "no_confidence",
    "goals_below",
)
PRESETS: Final = tuple(preset.name for preset in PACE_PRESETS)

_STATUS: Final = pl.Enum(STATUSES)
_SHELVED: Final = ("abandoned", "draft")
_WORST: Final = ("not_started", "on_track", "cannot_tell", "behind", "at_risk")
_NO_CHANGES: Final = pl.DataFrame(
    schema={"goal_id": pl.String, "changed_at": pl.Datetime, "field": pl.String, "old_value": pl.String}
)
_FROM_GOAL: Final = (
    "goal_id",
    "title",
    "parent_id",
    "scope",
    "perspective",
    "kind",
    "unit",
    "weight",
    "owner_id",
    "department_id",
    "start_on",
    "due_on",
    "baseline",
    "target",
)
_COLUMNS: Final = (
    *_FROM_GOAL,
    "value",
    "checked_on",
    "progress",
    "from_below",
    "elapsed",
    "expected",
    "gap",
    "remaining",
    "days_left",
    "required_rate",
    "rate",
    "pace_needed",
    "confidence",
    "status",
    "status_then",
    "why_unknown",
    "open",
    "overdue",
    "silent_days",
    "silent_cadences",
    "stale",
    "no_check_ins",
    "no_data_source",
    "no_cadence",
    "orphan",
    "parent_missing",
    "target_changed",
)


@dataclass(frozen=True)
class GoalPace:
    """Goals with their pace.

    Attributes
    ----------
    goals
        Sorted by ``goal_id``. From the goal: ``goal_id``, ``title``, ``parent_id``, ``scope``,
        ``perspective``, ``kind``, ``unit``, ``weight``, ``owner_id``, ``department_id``, ``start_on``,
        ``due_on``, ``baseline``, ``target`` (in force at ``as_of``).
        Where it stands: ``value`` (latest, in the goal's unit), ``checked_on``, ``progress`` (share of the
        way; may lie outside 0 to 1), ``from_below`` (without a target of its own, a goal has the mean
        progress of the goals below it, by weight, and their latest check-in; amounts are then shares),
        ``elapsed`` (share of its time, 0 to 1), ``expected`` (progress a straight line would have),
        ``gap`` (expected − progress), ``remaining`` (in the goal's unit), ``days_left``,
        ``required_rate`` and ``rate`` (unit per day), ``pace_needed`` (required ÷ so far; infinite if it
        has not moved), ``confidence`` (the owner's latest).
        What follows: ``status`` (one of `STATUSES`; *to close* is open past its due date though it has
        arrived), ``status_then`` (the word the same rule had for an open goal on the day of its latest
        check-in, by its own figures; null without one), ``why_unknown`` (one of `UNKNOWN` where the status
        is *cannot tell*), ``open``, ``overdue``.
        What its record lacks: ``silent_days`` (since the latest check-in, or since the start),
        ``silent_cadences``, ``stale``, ``no_check_ins``, ``no_data_source``, ``no_cadence``, ``orphan``
        (below company scope and serves no goal), ``parent_missing`` (names a parent that is not among the
        goals given), ``target_changed``.
    preset
        Name of the rule behind ``status``.
    as_of
        The day the goals are looked at.
    alignments
        ``goal_id``, ``serves_goal_id``, ``share``: which further goals each serves, as given.
    """

    goals: pl.DataFrame
    preset: str
    as_of: date
    alignments: pl.DataFrame = field(default_factory=lambda: NO_ALIGNMENTS)

    cells: ClassVar[tuple[Cells, ...]] = ()  # A goal is a record of its owner; access decides who reads it.


def pace(
    goals: pl.DataFrame,
    check_ins: pl.DataFrame,
    *,
    as_of: date,
    preset: str = "remaining_work",
    changes: pl.DataFrame | None = None,
    alignments: pl.DataFrame | None = None,
) -> GoalPace:
    """Progress, pace and status of every goal at the end of a day.

    Progress by kind: *reach*, *increase* and *decrease* go from the baseline (nought for *reach*) to the
    target, and where the two are equal a goal is done once met; *stay above* and *stay below* hold (1) or
    do not (0) at the latest check-in and are expected to hold always; *baseline* is done by its first
    check-in and expected by the due date. A goal without a kind goes from baseline to target, whichever
    way that is. Past its due date a goal is *to close* if it is known to have arrived, and otherwise at risk
    under every rule. A goal that nobody updates is judged by the time that has passed all the same: what it
    was when last updated stands beside it.

    Parameters
    ----------
    goals
        One row per goal, as the contract has them.
    check_ins
        Columns ``goal_id``, ``checked_at``, ``value``, ``target``, ``confidence``.
    as_of
        The day to look at.
    preset
        One of `PRESETS`: the rule behind ``status``.
    changes
        As the contract of goal changes has them; targets, baselines, due dates and statuses changed after
        ``as_of`` are taken back. None: not kept.
    alignments
        ``goal_id``, ``serves_goal_id``: a goal that serves another is no orphan. None: not kept.

    Returns
    -------
    GoalPace
        One row per goal.

    Raises
    ------
    ValueError
        If the preset is unknown.
    """
    rule = _preset(preset)
    found = (
        (goals if changes is None else _as_it_was(goals, changes, as_of))
        .select(*_FROM_GOAL, "status", "completed_on", "data_source", "cadence_days")
        .with_columns(
            pl.col("scope", "perspective", "kind", "status").cast(pl.String),
            pl.col("baseline", "target", "weight").cast(pl.Float64),
        )
        .rename({"status": "_stated"})
        .pipe(_checked, check_ins, changes, as_of)
        .pipe(_placed, pl.lit(as_of))
        .pipe(_measured)
        .pipe(_summed_up)
        .pipe(_paced)
        .with_columns(_status(rule).alias("status"))
        .pipe(_looked_back, rule)
    )
    if rule.measure == "confidence":
        found = found.with_columns(pl.lit("no_confidence").alias("why_unknown"))
    if rule.measure == "worst_child":
        found = _worst_of_children(found)
    return GoalPace(
        _lacking(found, alignments, as_of).select(_COLUMNS).sort("goal_id"),
        preset,
        as_of,
        alignments if alignments is not None else NO_ALIGNMENTS,
    )


def urgent_first(found: GoalPace) -> pl.DataFrame:
    """The open goals in the order in which they need somebody.

    At risk, then overdue (past saving, not past a word), behind, untold, and what goes well. Goals that were
    on track when last updated and then fell silent come after those known to lag.

    Returns
    -------
    DataFrame
        Rows and columns as in `GoalPace`; of equal need by due date.
    """
    known_to_lag = ~(pl.col("stale") & (pl.col("status_then") == "on_track")).fill_null(value=False)
    order = ("at_risk", "behind", "cannot_tell", "to_close", "on_track", "not_started")
    ranks = {status: 4 * rank for rank, status in enumerate(order)}
    rank = pl.col("status").cast(pl.String).replace_strict(ranks, default=99, return_dtype=pl.Int8)
    silent = pl.when(known_to_lag).then(0).otherwise(1)
    return found.goals.filter("open").sort(
        pl.when("overdue").then(2).otherwise(rank) + silent, "due_on", "goal_id", nulls_last=True
    )


@dataclass(frozen=True)
class GoalHistory:
    """How one goal went.

    Attributes
    ----------
    goal
        One row, as in `GoalPace`.
    points
        One row per check-in up to ``as_of``, sorted by ``checked_at``: ``checked_at``, ``value``,
        ``confidence``.
    targets
        One row per target that was in force, sorted by ``since``: ``since``, ``target``; as check-ins name
        them and, where kept, as changes tell.
    as_of
        The day the goal is looked at.
    """

    goal: pl.DataFrame
    points: pl.DataFrame
    targets: pl.DataFrame
    as_of: date

    cells: ClassVar[tuple[Cells, ...]] = ()  # A goal is a record of its owner; access decides who reads it.


def history(
    found: GoalPace, check_ins: pl.DataFrame, *, goal_id: str, changes: pl.DataFrame | None = None
) -> GoalHistory:
    """The course of one goal up to the day it is looked at.

    Parameters
    ----------
    found
        Result of `pace`.
    check_ins
        As given to `pace`; rows of other goals are ignored.
    goal_id
        Which goal.
    changes
        As given to `pace`; rows of other goals are ignored. None: not kept.

    Raises
    ------
    ValueError
        If there is no such goal.
    """
    goal = found.goals.filter(pl.col("goal_id") == goal_id)
    if goal.is_empty():
        raise ValueError(f"goal_id must name one of the goals; got {goal_id!r}")
    points = (
        check_ins.filter((pl.col("goal_id") == goal_id) & (pl.col("checked_at").cast(pl.Date) <= found.as_of))
        .select("checked_at", "value", "target", "confidence")
        .sort("checked_at")
    )
    moves = (changes if changes is not None else _NO_CHANGES).filter(
        pl.col("goal_id") == goal_id,
        pl.col("field") == "target",
        pl.col("changed_at").cast(pl.Date) <= found.as_of,
    )
    return GoalHistory(goal, points.drop("target"), _in_force(goal, points, moves), found.as_of)


def _in_force(goal: pl.DataFrame, points: pl.DataFrame, moves: pl.DataFrame) -> pl.DataFrame:
    """The targets that were in force, each with the day from which it was."""
    told = points.drop_nulls("target").select(pl.col("checked_at").alias("at"), "target")
    moved = moves.sort("changed_at").select(
        pl.col("changed_at").alias("at"), pl.col("old_value").cast(pl.Float64, strict=False).alias("old")
    )
    # A change says what the target had been: that held until then, unless a check-in says otherwise. What it
    # became, the next check-in or change says, and at last the goal itself.
    before = moved.select(pl.lit(None, pl.Datetime).alias("at"), pl.col("old").alias("target")).head(1)
    now = pl.lit(goal["target"][0], pl.Float64)
    became = moved.select("at", pl.col("old").shift(-1).fill_null(now).alias("target"))
    steps = pl.concat([told, became], how="vertical_relaxed").sort("at", maintain_order=True)
    if steps.is_empty():
        steps = goal.select(pl.lit(None, pl.Datetime).alias("at"), "target")
    elif not moved.is_empty() and (told.is_empty() or moved["at"][0] < told["at"].min()):
        steps = pl.concat([before, steps], how="vertical_relaxed")
    # The first target on record held from the start.
    start = goal["start_on"][0]
    first = pl.int_range(pl.len()) == 0
    day = pl.col("at").cast(pl.Date)
    return (
        steps.drop_nulls("target")
        .select(
            pl.when(first).then(pl.min_horizontal(day, pl.lit(start))).otherwise(day).alias("since"), "target"
        )
        .filter(pl.col("target").ne_missing(pl.col("target").shift()))
    )


def _preset(name: str) -> PacePreset:
    for preset in PACE_PRESETS:
        if preset.name == name:
            return preset
    raise ValueError(f"preset must be one of {', '.join(PRESETS)}; got {name!r}")


def _as_it_was(goals: pl.DataFrame, changes: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Take back what was changed after the day."""
    later = (
        changes.filter(pl.col("changed_at").cast(pl.Date) > as_of)
        .sort("changed_at")
        .group_by("goal_id", "field")
        .agg(pl.col("old_value").first().alias("_old"))
    )
    number = pl.col("_old").cast(pl.Float64, strict=False)
    day = pl.col("_old").str.to_date("%Y-%m-%d", strict=False)
    readings = {
        "target": number,
        "baseline": number,
        "start_on": pl.coalesce(day, "start_on"),
        "due_on": pl.coalesce(day, "due_on"),
        "status": pl.coalesce("_old", pl.col("status").cast(pl.String)),
    }
    for column, reading in readings.items():
        old = later.filter(pl.col("field") == column).select("goal_id", "_old", pl.lit(1).alias("_changed"))
        kept = pl.col(column).cast(pl.String) if column == "status" else pl.col(column)
        goals = (
            goals.join(old, on="goal_id", how="left", maintain_order="left")
            .with_columns(pl.when(pl.col("_changed") == 1).then(reading).otherwise(kept).alias(column))
            .drop("_old", "_changed")
        )
    return goals


def _checked(
    goals: pl.DataFrame, check_ins: pl.DataFrame, changes: pl.DataFrame | None, as_of: date
) -> pl.DataFrame:
    """What the check-ins and changes up to the day say of each goal."""
    told = check_ins.select("goal_id", "checked_at", "value", "target", "confidence").filter(
        pl.col("checked_at").cast(pl.Date) <= as_of
    )
    latest = pl.col("checked_at").arg_max()
    # Most check-ins name no target and no confidence: group only those that do.
    words = told.filter(pl.col("confidence").is_not_null())
    targets = told.filter(pl.col("target").is_not_null())
    known = (
        told.group_by("goal_id")
        .agg(
            pl.col("value").get(latest),
            pl.col("target").get(latest).alias("_target_then"),
            pl.col("checked_at").max().cast(pl.Date).alias("checked_on"),
        )
        .join(
            words.group_by("goal_id").agg(pl.col("confidence").get(latest)),
            on="goal_id",
            how="left",
        )
        .join(
            targets.group_by("goal_id").agg(
                pl.col("target").min().alias("_lowest"), pl.col("target").max().alias("_highest")
            ),
            on="goal_id",
            how="left",
        )
    )
    moves = (changes if changes is not None else _NO_CHANGES).filter(
        (pl.col("field") == "target") & (pl.col("changed_at").cast(pl.Date) <= as_of)
    )
    moved = moves.group_by("goal_id").agg(pl.col("changed_at").max().cast(pl.Date).alias("_moved_on"))
    outdated = (pl.col("_moved_on") > pl.col("checked_on")).fill_null(value=False)
    return (
        goals.join(known, on="goal_id", how="left", maintain_order="left")
        .join(moved, on="goal_id", how="left", maintain_order="left")
        .with_columns(
            pl.when(outdated).then("target").otherwise(pl.coalesce("_target_then", "target")).alias("target")
        )
        .with_columns(
            (
                pl.col("_moved_on").is_not_null()
                | (pl.col("_lowest") != pl.col("target")).fill_null(value=False)
                | (pl.col("_highest") != pl.col("target")).fill_null(value=False)
            ).alias("target_changed")
        )
    )


def _placed(goals: pl.DataFrame, day: pl.Expr) -> pl.DataFrame:
    """Where a day lies in each goal's time, and whether the goal was open on it."""
    length = (pl.col("due_on") - pl.col("start_on")).dt.total_days()
    passed = (day - pl.col("start_on")).dt.total_days()
    done = (pl.col("_stated") == "done") & (
        pl.col("completed_on").is_null() | (pl.col("completed_on") <= day)
    )
    return goals.with_columns(
        pl.when(length > 0)
        .then((passed / length).clip(0.0, 1.0))
        .otherwise((passed >= 0).cast(pl.Float64))
        .alias("elapsed"),
        (pl.col("due_on") - day).dt.total_days().clip(lower_bound=0).alias("days_left"),
        passed.alias("_passed"),
        (pl.col("due_on") < day).alias("_due"),
        done.alias("_done"),
        (~done & ~pl.col("_stated").is_in(_SHELVED)).alias("open"),
    )


def _measured(goals: pl.DataFrame) -> pl.DataFrame:
    """How far each goal has come, or why nobody can say."""
    kind, value, target, start = pl.col("kind"), pl.col("value"), pl.col("target"), pl.col("_from")
    way = target - start
    wrong = ((kind == "increase") & (way < 0)) | ((kind == "decrease") & (way > 0))
    met = pl.when(kind == "decrease").then(value <= target).otherwise(value >= target)
    return goals.with_columns(
        (kind.is_null() | kind.is_in(["reach", "increase", "decrease"])).alias("_reaching"),
        # Who names neither kind nor baseline counts up from nought.
        pl.when(kind.is_null() | (kind == "reach"))
        .then(pl.col("baseline").fill_null(0.0))
        .otherwise("baseline")
        .alias("_from"),
    ).with_columns(
        pl.when(kind == "stay_above")
        .then((value >= target).cast(pl.Float64))
        .when(kind == "stay_below")
        .then((value <= target).cast(pl.Float64))
        .when(kind == "baseline")
        .then(value.is_not_null().cast(pl.Float64))
        .when(wrong)
        .then(None)
        .when(way == 0)
        .then(met.cast(pl.Float64))
        .otherwise((value - start) / way)
        .alias("progress"),
        pl.when(kind == "baseline")
        .then(None)
        .when(target.is_null())
        .then(pl.lit("no_target"))
        .when(pl.col("_reaching") & start.is_null())
        .then(pl.lit("no_baseline"))
        .when(wrong)
        .then(pl.lit("wrong_direction"))
        .when(value.is_null())
        .then(pl.lit("no_check_ins"))
        .alias("why_unknown"),
        (target - value).abs().alias("_left"),
        ((value - start) * way.sign()).alias("_moved"),
    )


def _summed_up(goals: pl.DataFrame) -> pl.DataFrame:
    """Give a goal without a target of its own the mean progress of the goals below it."""
    needy = set(goals.filter(pl.col("why_unknown") == "no_target")["goal_id"])
    means: dict[str, tuple[float, date | None]] = {}
    parents = dict(zip(goals["goal_id"].to_list(), goals["parent_id"].to_list(), strict=True))
    if needy & set(parents.values()):
        parents = {goal: parent if parent in parents else None for goal, parent in parents.items()}
        countable = goals.filter(~pl.col("_stated").is_in(_SHELVED))
        progress: dict[str, float] = {
            row[0]: 1.0 if row[1] is None else min(max(row[1], 0.0), 1.0)
            for row in countable.select("goal_id", "progress", "_done").iter_rows()
            if row[1] is not None or row[2]
        }
        weights = dict(zip(goals["goal_id"].to_list(), goals["weight"].to_list(), strict=True))
        checked: dict[str, date | None] = dict(
            zip(goals["goal_id"].to_list(), goals["checked_on"].to_list(), strict=True)
        )
        children = below(parents)
        for goal in reversed(list(downwards(parents))):
            if goal in needy:
                parts = [child for child in children.get(goal, ()) if child in progress]
                mean = weighted_mean([progress[one] for one in parts], [weights[one] for one in parts])
                days = [day for one in (goal, *parts) if (day := checked[one]) is not None]
                if mean is not None:
                    progress[goal] = mean
                    checked[goal] = max(days, default=None)
                    means[goal] = (mean, checked[goal])
    summed = pl.DataFrame(
        [(goal, mean, day) for goal, (mean, day) in means.items()],
        schema={"goal_id": pl.String, "_mean": pl.Float64, "_checked": pl.Date},
        orient="row",
    )
    found = pl.col("_mean").is_not_null()
    return goals.join(summed, on="goal_id", how="left", maintain_order="left").with_columns(
        found.alias("from_below"),
        pl.coalesce("_mean", "progress").alias("progress"),
        pl.coalesce("_checked", "checked_on").alias("checked_on"),
        pl.when(~found).then("why_unknown").alias("why_unknown"),
        pl.when(found).then(1.0 - pl.col("_mean")).otherwise("_left").alias("_left"),
        pl.coalesce("_mean", "_moved").alias("_moved"),
        (pl.col("_reaching") | found).alias("_reaching"),
    )


def weighted_mean(values: list[float], weights: list[float | None]) -> float | None:
    """Mean by weight; of equal weights where any is missing or all are nought; None of nothing."""
    if not values:
        return None
    known = [weight for weight in weights if weight is not None]
    if len(known) < len(values) or sum(known) == 0:
        known = [1.0] * len(values)
    return sum(v * w for v, w in zip(values, known, strict=True)) / sum(known)


def _paced(goals: pl.DataFrame) -> pl.DataFrame:
    """What a straight line expects, and what is left to do in the time left."""
    known = pl.col("_reaching") & pl.col("progress").is_not_null()
    arrived = pl.col("progress") >= 1
    rate, needed = pl.col("rate"), pl.col("required_rate")
    return (
        goals.with_columns(
            pl.when(pl.col("kind").is_in(["stay_above", "stay_below"]))
            .then((pl.col("_passed") >= 0).cast(pl.Float64))
            .when(pl.col("kind") == "baseline")
            .then((pl.col("elapsed") >= 1).cast(pl.Float64))
            .otherwise("elapsed")
            .alias("expected"),
            pl.when(known).then(pl.when(arrived).then(0.0).otherwise("_left")).alias("remaining"),
            pl.when(known & (pl.col("_passed") > 0)).then(pl.col("_moved") / pl.col("_passed")).alias("rate"),
            (pl.col("open") & pl.col("_due") & ~arrived.fill_null(value=False)).alias("overdue"),
        )
        .with_columns(
            (pl.col("expected") - pl.col("progress")).alias("gap"),
            pl.when(pl.col("remaining") == 0)
            .then(0.0)
            .when(pl.col("days_left") > 0)
            .then(pl.col("remaining") / pl.col("days_left"))
            .alias("required_rate"),
        )
        .with_columns(
            pl.when(needed == 0)
            .then(0.0)
            .when(rate.is_null() | needed.is_null())
            .then(None)
            .when(rate <= 0)
            .then(float("inf"))
            .otherwise(needed / rate)
            .alias("pace_needed")
        )
    )


def _status(rule: PacePreset) -> pl.Expr:
    """The word a rule has for each goal."""
    unknown = (pl.col("confidence") if rule.measure == "confidence" else pl.col("progress")).is_null()
    return (
        pl.when("_done")
        .then(pl.lit("done"))
        .when(pl.col("_stated").is_in(_SHELVED))
        .then("_stated")
        .when(pl.col("_passed") < 0)
        .then(pl.lit("not_started"))
        .when("overdue")
        .then(pl.lit("at_risk"))
        .when("_due")
        .then(pl.lit("to_close"))
        .when(unknown)
        .then(pl.lit("cannot_tell"))
        .otherwise(_word(rule))
        .cast(_STATUS)
    )


def _looked_back(goals: pl.DataFrame, rule: PacePreset) -> pl.DataFrame:
    """Add the word each open goal had on the day of its latest check-in."""
    last = pl.col("checked_on")
    then = goals.pipe(_placed, last).pipe(_paced).select(_status(rule)).to_series()
    return goals.with_columns(
        pl.when(pl.col("open") & last.is_not_null()).then(then).cast(_STATUS).alias("status_then")
    )


def _word(rule: PacePreset) -> pl.Expr:
    if rule.measure == "confidence":
        return _steps(pl.col("confidence"), rule, low_is_good=False)
    kept_up = (
        pl.when(pl.col("progress") >= pl.col("expected"))
        .then(pl.lit("on_track"))
        .otherwise(pl.lit("at_risk"))
    )
    if rule.measure == "pace_needed":
        # Nothing to reach, or no time passed or left: only whether it stands where it should.
        steps = _steps(pl.col("pace_needed"), rule, low_is_good=True)
        return pl.when(pl.col("pace_needed").is_null()).then(kept_up).otherwise(steps)
    if rule.measure == "ratio":
        steps = _steps(pl.col("progress") / pl.col("expected"), rule, low_is_good=False)
        return pl.when(pl.col("expected") == 0).then(pl.lit("on_track")).otherwise(steps)
    return _steps(pl.col("gap"), rule, low_is_good=True)


def _steps(measure: pl.Expr, rule: PacePreset, *, low_is_good: bool) -> pl.Expr:
    # Rounded, so that a goal exactly on a limit does not fall to either side by the last bit.
    sign = 1.0 if low_is_good else -1.0
    badness = (measure * sign).round(9)
    first, second = rule.on_track * sign, rule.behind * sign
    return (
        pl.when((badness < first) if rule.strict else (badness <= first))
        .then(pl.lit("on_track"))
        .when(badness <= second)
        .then(pl.lit("behind"))
        .otherwise(pl.lit("at_risk"))
    )


def _worst_of_children(goals: pl.DataFrame) -> pl.DataFrame:
    """Pass the worst word up the tree; a goal past its due date, closed or not begun keeps its own."""
    rows = goals.select("goal_id", "parent_id", "status", "overdue").rows()
    ids = {row[0] for row in rows}
    parents = {row[0]: row[1] if row[1] in ids else None for row in rows}
    words = {row[0]: row[2] for row in rows}
    own = {row[0] for row in rows if row[3] or row[2] in ("done", "to_close", "not_started", *_SHELVED)}
    passed_up: dict[str, str] = {}
    children = below(parents)
    for goal in reversed(list(downwards(parents))):
        ranks = [
            _WORST.index("on_track" if words[one] in ("done", "to_close") else words[one])
            for one in children.get(goal, ())
            if words[one] not in _SHELVED
        ]
        if ranks and goal not in own:
            words[goal] = passed_up[goal] = _WORST[max(ranks)]
    up = pl.DataFrame(
        {"goal_id": list(passed_up), "_up": list(passed_up.values())},
        schema={"goal_id": pl.String, "_up": _STATUS},
    )
    return goals.join(up, on="goal_id", how="left", maintain_order="left").with_columns(
        pl.coalesce("_up", "status").alias("status"),
        pl.when(pl.col("_up") == "cannot_tell")
        .then(pl.lit("goals_below"))
        .otherwise("why_unknown")
        .alias("why_unknown"),
    )


def _lacking(goals: pl.DataFrame, alignments: pl.DataFrame | None, as_of: date) -> pl.DataFrame:
    """What the record of each goal lacks."""
    serving = alignments["goal_id"] if alignments is not None else pl.Series([], dtype=pl.String)
    since = pl.coalesce("checked_on", "start_on")
    cadence = pl.col("cadence_days").fill_null(int(GOAL_SILENCE.value))
    running = pl.col("open") & (pl.col("_passed") >= 0)
    no_parent = pl.col("parent_id").is_null() & ~pl.col("goal_id").is_in(serving.implode())
    unnamed = pl.col("data_source").is_null() | (pl.col("data_source").str.strip_chars() == "")
    silent = (pl.lit(as_of) - since).dt.total_days()
    return goals.with_columns(
        pl.when(running).then(silent).alias("silent_days"),
        pl.when(running).then(silent / cadence).alias("silent_cadences"),
        (running & (silent > cadence)).alias("stale"),
        (running & pl.col("checked_on").is_null()).alias("no_check_ins"),
        unnamed.alias("no_data_source"),
        pl.col("cadence_days").is_null().alias("no_cadence"),
        ((pl.col("scope") != "company") & no_parent).alias("orphan"),
        (pl.col("parent_id").is_not_null() & ~pl.col("parent_id").is_in(pl.col("goal_id").implode())).alias(
            "parent_missing"
        ),
        pl.when(pl.col("status") == "cannot_tell").then("why_unknown").alias("why_unknown"),
    )
