"""How far had each goal come on each day, by what was on record that day?

Reads    goals, check-ins and changes of goals as their contracts have them.
Returns  a record that answers for any goal and day: progress then (against the target and the starting value
         in force then), planned time in force then, the latest update, and when the goal next arrived.

Between two updates the record stands still: that is what could be seen. A goal that was never updated stands
where it began. A goal given up before it was due is watched no longer from that day on; one struck off after
its due date has not arrived, and stays where it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.policy import GOAL_SILENCE

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

NEVER: Final = 1 << 19
"""A day that does not come; days count from 1970."""
HOLDING: Final = ("stay_above", "stay_below")
ARRIVED: Final = 1.0 - 1e-9

_SPAN: Final = 1 << 20
_LOWEST: Final = -1.0
_EARLIEST: Final = -(1 << 18)


@dataclass(frozen=True)
class Steps:
    """Values by goal and day, each holding until the next of the same goal."""

    keys: Ints
    values: Floats

    def by(self, goal: Ints, day: Ints) -> tuple[Floats, Flags]:
        """The latest value by the end of the day, and whether there is one."""
        at = np.searchsorted(self.keys, _key(goal, day), side="right") - 1
        found = self._same(at, goal)
        return np.where(found, self.values[np.maximum(at, 0)] if self.values.size else 0.0, np.nan), found

    def after(self, goal: Ints, day: Ints) -> tuple[Floats, Flags]:
        """The next value after the end of the day, and whether there is one."""
        at = np.searchsorted(self.keys, _key(goal, day), side="right")
        found = self._same(at, goal)
        last = max(self.values.size - 1, 0)
        return np.where(found, self.values[np.minimum(at, last)] if self.values.size else 0.0, np.nan), found

    def _same(self, at: Ints, goal: Ints) -> Flags:
        inside = (at >= 0) & (at < self.keys.size)
        if not self.keys.size:
            return inside
        owner = (self.keys[np.clip(at, 0, self.keys.size - 1)] - _EARLIEST) // _SPAN
        return np.asarray(inside & (owner == goal))


@dataclass(frozen=True)
class Record:
    """What was on record about every goal.

    Attributes
    ----------
    goals
        One row per goal, sorted by ``goal_id``: ``goal_id``, ``kind``, ``open`` (at the end of ``as_of``),
        ``draft``, ``baseline``, ``target`` (in force at ``as_of``, as the latest update names it).
    start, due
        First and last day of each goal as it stands now; `planned` says what they were on a day.
    done
        Day on which the goal was done; `NEVER` while it is not.
    watched
        Last day on which the goal was watched: `NEVER` if nobody stopped.
    progress
        Share of the way by goal and day, at most 1 and at least −1.
    updates
        Days of check-ins (as values too).
    arrivals
        Days on which the record said that the goal had arrived, or on which it was done (as values too).
    as_of
        The last day that counts, from 1970.
    """

    goals: pl.DataFrame
    start: Ints
    due: Ints
    done: Ints
    watched: Ints
    progress: Steps
    updates: Steps
    arrivals: Steps
    as_of: int
    _past: dict[str, Steps]

    def planned(self, goal: Ints, day: Ints) -> tuple[Ints, Ints]:
        """First and last day of the goal as they stood at the end of a day."""
        found = []
        for field, now in (("start_on", self.start), ("due_on", self.due)):
            old, changed = self._past[field].after(goal, day)
            found.append(np.where(changed & ~np.isnan(old), np.nan_to_num(old), now[goal]).astype(np.int64))
        return found[0], found[1]

    def way(self, goal: Ints, day: Ints) -> tuple[Floats, Floats]:
        """Starting value and target in force at the end of a day; NaN where none was named."""
        found = []
        for field in ("baseline", "target"):
            old, changed = self._past[field].after(goal, day)
            found.append(np.where(changed, old, self.goals[f"_{field}"].to_numpy()[goal]))
        return found[0], found[1]

    def standing(self, goal: Ints, day: Ints) -> Floats:
        """Share of the way on record at the end of a day; nought before the first update."""
        seen, found = self.progress.by(goal, day)
        return np.where(found, seen, 0.0)


def recorded(
    goals: pl.DataFrame, check_ins: pl.DataFrame, *, as_of: date, changes: pl.DataFrame | None = None
) -> Record:
    """Put the record together.

    Parameters
    ----------
    goals
        One row per goal, as the contract has them.
    check_ins
        Columns ``goal_id``, ``checked_at``, ``value``, ``target``.
    as_of
        The last day that counts; what came later is taken back.
    changes
        As the contract of goal changes has them. None: not kept.
    """
    today = days(pl.Series([as_of]))[0]
    wanted = (
        goals.sort("goal_id")
        .with_row_index("_at")
        .with_columns(
            pl.col("_at").cast(pl.Int64),
            pl.col("kind", "status").cast(pl.String),
            pl.col("baseline", "target").cast(pl.Float64),
        )
    )
    at = wanted.select("goal_id", "_at")
    moves = _moves(changes, at)
    past = {
        field: _taken_back(moves, field) for field in ("start_on", "due_on", "baseline", "target", "status")
    }
    seen = (
        check_ins.select(
            "goal_id",
            "checked_at",
            pl.col("checked_at").cast(pl.Date).to_physical().cast(pl.Int64).alias("day"),
            pl.col("value").cast(pl.Float64),
            pl.col("target").cast(pl.Float64).alias("told"),
        )
        .filter(pl.col("day") <= today)
        .join(at, on="goal_id")
        .sort("_at", "checked_at")
        .unique(["_at", "day"], keep="last", maintain_order=True)
        .select("_at", "day", "value", "told")
    )
    n = wanted.height
    every = np.arange(n, dtype=np.int64)
    on = np.full(n, today, dtype=np.int64)
    base = wanted["baseline"].to_numpy(writable=True).astype(np.float64)
    counts_up = wanted["kind"].is_null() | (wanted["kind"] == "reach")
    base = np.where(np.isnan(base) & counts_up.to_numpy(), 0.0, base)
    frame = wanted.with_columns(pl.Series("_baseline", base), pl.col("target").alias("_target"))
    record = Record(
        goals=frame,
        start=days(wanted["start_on"]),
        due=days(wanted["due_on"]),
        done=np.full(n, NEVER),
        watched=np.full(n, NEVER),
        progress=_NOTHING,
        updates=_steps(seen, seen["day"]),
        arrivals=_NOTHING,
        as_of=int(today),
        _past=past,
    )
    start, due = record.planned(every, on)
    told = _progress(record, seen, moves.filter(pl.col("field") == "target", pl.col("day") <= today))
    progress = _steps(told, told["progress"].clip(_LOWEST, 1.0))
    status = _status(wanted, moves, today)
    last = record.updates.by(every, on)
    stopped = moves.filter(pl.col("field") == "status", pl.col("day") <= today)
    closed, noted = _steps(stopped, stopped["day"]).by(every, on)
    completed = wanted["completed_on"].to_physical().cast(pl.Float64).to_numpy()
    done = (status == "done") & ~(completed > today)
    done_on = np.where(np.isnan(completed), np.where(noted, closed, last[0]), completed)
    cadence = wanted["cadence_days"].fill_null(int(GOAL_SILENCE.value)).cast(pl.Float64).to_numpy()
    dropped = status == "abandoned"
    # Without a record of when, an update speaks for one cadence.
    given_up = np.where(noted, closed, np.where(last[1], last[0] + cadence, start))
    early = dropped & (given_up < due)
    watched = np.where(early, np.where(noted, closed, np.where(last[1], last[0], start - 1)), NEVER)
    # Done on no known day: nobody can say how it went.
    watched = np.where(done & np.isnan(done_on), start - 1, watched)
    arrived = pl.concat(
        [
            told.filter(pl.col("progress") >= ARRIVED).select("_at", "day"),
            pl.DataFrame({"_at": every, "day": np.nan_to_num(done_on).astype(np.int64)}).filter(
                pl.Series(done & ~np.isnan(done_on))
            ),
        ]
    ).sort("_at", "day")
    latest_base, latest_target = record.way(every, on)
    named = told.group_by("_at").agg(pl.col("target").last())
    target = frame.select("_at").join(named, on="_at", how="left", maintain_order="left")["target"].to_numpy()
    return Record(
        goals=frame.select(
            "goal_id",
            "kind",
            pl.Series("open", ~done & ~np.isin(status, ("abandoned", "draft"))),
            pl.Series("draft", status == "draft"),
            pl.Series("baseline", latest_base).fill_nan(None),
            pl.Series("target", np.where(np.isnan(target), latest_target, target)).fill_nan(None),
            "_baseline",
            "_target",
        ),
        start=start,
        due=due,
        done=np.where(done & ~np.isnan(done_on), np.nan_to_num(done_on), NEVER).astype(np.int64),
        watched=watched.astype(np.int64),
        progress=progress,
        updates=record.updates,
        arrivals=_steps(arrived, arrived["day"]),
        as_of=int(today),
        _past=past,
    )


def days(dates: pl.Series) -> Ints:
    """Days from 1970."""
    return dates.cast(pl.Date).to_physical().cast(pl.Int64).to_numpy()


def dates(day: Ints) -> pl.Series:
    """Dates of days from 1970."""
    return pl.Series(day.astype(np.int32)).cast(pl.Date)


def _key(goal: Ints, day: Ints) -> Ints:
    return np.asarray(goal * _SPAN + np.clip(day, _EARLIEST + 1, NEVER))


_NOTHING: Final = Steps(np.empty(0, dtype=np.int64), np.empty(0))


def _steps(rows: pl.DataFrame, values: pl.Series) -> Steps:
    """Rows sorted by goal and day, as steps."""
    keys = _key(rows["_at"].to_numpy(), rows["day"].to_numpy())
    return Steps(keys, values.cast(pl.Float64).to_numpy())


def _moves(changes: pl.DataFrame | None, at: pl.DataFrame) -> pl.DataFrame:
    if changes is None:
        return pl.DataFrame(
            schema={"_at": pl.Int64, "day": pl.Int64, "field": pl.String, "old_value": pl.String}
        )
    return (
        changes.join(at, on="goal_id")
        .sort("_at", "changed_at", maintain_order=True)
        .select(
            "_at",
            pl.col("changed_at").cast(pl.Date).to_physical().cast(pl.Int64).alias("day"),
            pl.col("field", "old_value").cast(pl.String),
        )
    )


def _taken_back(moves: pl.DataFrame, field: str) -> Steps:
    """What a field had been before each of its changes."""
    rows = moves.filter(pl.col("field") == field).unique(["_at", "day"], keep="first", maintain_order=True)
    old = rows["old_value"]
    if field.endswith("_on"):
        return _steps(rows, old.str.to_date("%Y-%m-%d", strict=False).to_physical())
    if field == "status":
        return _steps(rows, rows["day"])
    return _steps(rows, old.cast(pl.Float64, strict=False))


def _status(goals: pl.DataFrame, moves: pl.DataFrame, today: int) -> NDArray[np.str_]:
    """The status each goal had at the end of the day."""
    first = (
        moves.filter(pl.col("field") == "status", pl.col("day") > today)
        .group_by("_at")
        .agg(pl.col("old_value").first())
    )
    found = goals.select("_at", "status").join(first, on="_at", how="left", maintain_order="left")
    words = found.select(pl.coalesce("old_value", "status")).to_series()
    return words.fill_null("active").to_numpy().astype(str)


def _progress(record: Record, seen: pl.DataFrame, moved: pl.DataFrame) -> pl.DataFrame:
    """The share of the way after each update and each change of target: ``_at``, ``day``, ``progress``."""
    rows = (
        pl.concat(
            [
                seen.with_columns(pl.lit(value=False).alias("moved")),
                moved.select(
                    "_at",
                    "day",
                    pl.lit(None, pl.Float64).alias("value"),
                    pl.lit(None, pl.Float64).alias("told"),
                    pl.lit(value=True).alias("moved"),
                ),
            ]
        )
        .sort("_at", "day", "moved", descending=[False, False, True])
        .unique(["_at", "day"], keep="last", maintain_order=True)
        .with_columns(pl.col("value").forward_fill().over("_at"))
    )
    goal, day = rows["_at"].to_numpy(), rows["day"].to_numpy()
    base, own = record.way(goal, day)
    told = rows["told"].to_numpy()
    target = np.where(np.isnan(told), own, told)
    value = np.where(rows["value"].is_null().to_numpy(), base, rows["value"].to_numpy())
    way = target - base
    kind = record.goals["kind"].to_numpy()[goal] if goal.size else np.empty(0, dtype=object)
    lost = ((kind == "increase") & (way < 0)) | ((kind == "decrease") & (way > 0)) | (way == 0)
    lost |= np.isin(kind, (*HOLDING, "baseline"))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(lost, np.nan, (value - base) / way)
    return rows.select(
        "_at", "day", pl.Series("progress", share), pl.Series("target", target).fill_nan(None)
    ).filter(pl.Series(~np.isnan(share)))
