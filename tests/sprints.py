"""3,834 real sprints as goals seen at 0, 30, 50 and 80 % of their time (METHODS §4).

A sprint knows more of itself than a goal does: work to do, in progress and done, added and removed. The
measurements here are taken from that; what a board delivered before counts only once it was known. Sprints
have no dates: their place in the order of their project stands for time.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Final

import polars as pl

from analytics.goals.risk.panel import Panel

SPRINTS: Final = Path(__file__).parents[2] / "shared" / "datasets" / "sprints.csv"
SEEN_AT: Final = (0, 30, 50, 80)
TRAINED: Final = 0.8
"""The first four fifths of each project's sprints are learnt from."""

_START: Final = date(2000, 1, 1)
_SPAN: Final = 36_500
"""Days all of a project's sprints are spread over; a planned day stands for ten."""

_MEASURED: Final = (
    "elapsed",
    "total",
    "left",
    "committed",
    "added",
    "removed",
    "done",
    "in_progress",
    "to_do",
    "share_done",
    "share_added",
    "share_removed",
    "pace_needed",
    "length",
    "people",
    "leaders",
    "nothing_planned",
    "issues",
    "issues_left",
    "short",
    "short_share",
    "short_after_progress",
    "issues_short",
    "net_added",
    "project_record",
    "board_record",
    "usual",
    "above_usual",
    "left_above_usual",
    "boards_sprints",
)


@cache
def shots() -> pl.DataFrame:
    """One row per sprint and look, with its measurements and what became of it."""
    place = pl.col("sprintid").rank("ordinal").over("project", "t_pct")
    left = pl.col("vel_todo") + pl.col("vel_inprogress")
    total = left + pl.col("vel_done")
    issues = pl.col("no_issuetodo") + pl.col("no_issueinprogress") + pl.col("no_issuedone")
    short = pl.col("vel_starttime") - pl.col("vel_done")
    committed = pl.col("vel_starttime") + 1
    length = pl.col("planday").clip(1, 30) * 10
    days_left = (pl.col("planday") * (1 - pl.col("t_pct") / 100)).clip(lower_bound=1)
    rows = (
        pl.read_csv(SPRINTS)
        .with_columns(
            (place / pl.len().over("project", "t_pct")).alias("place"),
            pl.concat_str("project", "boardid", "sprintid", separator="-").alias("goal_id"),
            (pl.col("vel_diff") < 0).alias("missed"),
        )
        .with_columns(
            (pl.lit(_START) + pl.duration(days=(pl.col("place") * _SPAN).floor().cast(pl.Int64))).alias(
                "began"
            )
        )
        .with_columns(
            (pl.col("began") + pl.duration(days=length * pl.col("t_pct") // 100)).alias("seen_on"),
            (pl.col("began") + pl.duration(days=length)).alias("due_on"),
        )
        .with_columns(
            (pl.col("due_on") - pl.col("seen_on")).dt.total_days().alias("days_left"),
            pl.col("due_on").alias("known_on"),
            pl.when(~pl.col("missed")).then("due_on").alias("landed_on"),
            (pl.col("t_pct") / 100).alias("elapsed"),
            total.log1p().alias("total"),
            left.log1p().alias("left"),
            pl.col("vel_starttime").log1p().alias("committed"),
            pl.col("vel_added").log1p().alias("added"),
            pl.col("vel_removed").log1p().alias("removed"),
            pl.col("vel_done").log1p().alias("done"),
            pl.col("vel_inprogress").log1p().alias("in_progress"),
            pl.col("vel_todo").log1p().alias("to_do"),
            pl.when(total > 0).then(pl.col("vel_done") / total).otherwise(0.0).alias("share_done"),
            (pl.col("vel_added") / committed).alias("share_added"),
            (pl.col("vel_removed") / committed).alias("share_removed"),
            (left / days_left).log1p().alias("pace_needed"),
            pl.col("planday").clip(lower_bound=0).log1p().alias("length"),
            pl.col("no_teammember").log1p().alias("people"),
            pl.col("no_admin").log1p().alias("leaders"),
            (total == 0).cast(pl.Float64).alias("nothing_planned"),
            issues.log1p().alias("issues"),
            (issues - pl.col("no_issuedone")).log1p().alias("issues_left"),
            (short.sign() * short.abs().log1p()).alias("short"),
            (short / committed).clip(-2, 2).alias("short_share"),
            ((short - pl.col("vel_inprogress")) / committed).clip(-2, 2).alias("short_after_progress"),
            ((pl.col("no_issue_starttime") - pl.col("no_issuedone")) / (pl.col("no_issue_starttime") + 1))
            .clip(-2, 2)
            .alias("issues_short"),
            ((pl.col("vel_added") - pl.col("vel_removed")) / committed).clip(-3, 3).alias("net_added"),
        )
    )
    delivered = (pl.col("vel_starttime") + pl.col("vel_diff")).clip(lower_bound=0).log1p()
    ended = rows.filter(pl.col("t_pct") == 0).with_columns(delivered.alias("delivered"))
    for by in ("project", "boardid"):
        rows = rows.join(_before(ended, by), on="goal_id")
    share = (pl.col("project_missed") + 2) / (pl.col("project_n") + 4)
    own = (pl.col("boardid_missed") + 5 * share) / (pl.col("boardid_n") + 5)
    usual = (
        pl.col("boardid_delivered")
        + 2 * pl.col("project_delivered") / pl.col("project_n").clip(lower_bound=1)
    ) / (pl.col("boardid_n") + 2)
    return (
        rows.with_columns(
            (share / (1 - share)).log().alias("project_record"),
            (own / (1 - own)).log().alias("board_record"),
            usual.alias("usual"),
            (pl.col("committed") - usual).alias("above_usual"),
            (short.clip(lower_bound=0).log1p() - usual).alias("left_above_usual"),
            pl.col("boardid_n").log1p().alias("boards_sprints"),
        )
        .with_columns(pl.col(_MEASURED).cast(pl.Float64).fill_nan(0.0))
        .sort("goal_id", "seen_on")
    )


def panel(rows: pl.DataFrame) -> Panel:
    """Sprints as a panel that ends when the last of them is settled."""
    last: date = rows["due_on"].max()  # type: ignore[assignment]
    return Panel(
        rows.select(
            "goal_id", "seen_on", "due_on", "days_left", *_MEASURED, "landed_on", "missed", "known_on"
        ),
        _MEASURED,
        {"work_left": _MEASURED},
        last + timedelta(days=1),
    )


def trained() -> pl.DataFrame:
    """The first four fifths of each project."""
    return shots().filter(pl.col("place") <= TRAINED)


def held_out(at: int) -> pl.DataFrame:
    """The last fifth of each project, seen at a share of the time, per cent."""
    return shots().filter(pl.col("place") > TRAINED, pl.col("t_pct") == at)


def _before(ended: pl.DataFrame, by: str) -> pl.DataFrame:
    """What was known of a board's or project's earlier sprints on the day each began."""
    so_far = ended.sort("known_on", "goal_id").select(
        by,
        pl.col("known_on").alias("_known"),
        (pl.int_range(pl.len()).over(by) + 1).cast(pl.Float64).alias(f"{by}_n"),
        pl.col("missed").cast(pl.Float64).cum_sum().over(by).alias(f"{by}_missed"),
        pl.col("delivered").cum_sum().over(by).alias(f"{by}_delivered"),
    )
    return (
        ended.sort("began", "goal_id")
        .join_asof(so_far, left_on="began", right_on="_known", by=by, check_sortedness=False)
        .select("goal_id", pl.col(f"{by}_n", f"{by}_missed", f"{by}_delivered").fill_null(0.0))
    )
