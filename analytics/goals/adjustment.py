"""Which goals were changed on the way, how late, why, by whose leave, and what became of them?

Reads    goals and their changes as the contracts have them; where there are any, the delay probabilities that
         were stated over time (`analytics.goals.risk.ladder.Chances`, ``said``).
Returns  every change with what it did to the goal and how far the goal's time had passed; the share of goals
         changed late by department; reasons; who approved; the delay probability before and after late
         changes, beside what it did meanwhile for goals that nobody changed; the share that missed among
         goals changed late, changed earlier and never changed.

A goal is changed late if it is changed in the last part of its time (`analytics.policy.WARNING_LATE`), as
counted by the due date in force before the change. Being closed or given up is an end, not a change: it
stands in the record and counts nowhere else. None of this shows what a change caused: goals in trouble are
the ones that are changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import ClassVar, Final

import polars as pl
from scipy import special

from analytics.disclosure import Cells
from analytics.goals.setting import with_share
from analytics.policy import CONFIDENCE, MINIMUM_FINISHED_GOALS, MINIMUM_GROUP, SNAPSHOT_DAYS, WARNING_LATE

REFERENCE: Final = (
    "Wilson (1927), JASA 22(158), for shares; Student (1908), Biometrika 6(1), for means; Campbell & Kenny "
    "(1999), A Primer on Regression Artifacts, for why the goals nobody changed stand beside"
)

DIRECTIONS: Final = ("harder", "easier", "later", "earlier", "other")
ENDED: Final = "ended"
APPROVALS: Final = ("somebody", "owner", "nobody")
TIMES: Final = ("late", "before", "never")
OTHER_REASONS: Final = "other"
NO_REASON: Final = "none"

_FALLING: Final = ("decrease", "stay_below")
_STEPS: Final = 5
"""Steps of elapsed time and of delay probability in which goals count as alike."""
_NOTHING_SAID: Final = pl.DataFrame(
    schema={"goal_id": pl.String, "seen_on": pl.Date, "elapsed": pl.Float64, "delay": pl.Float64}
)


@dataclass(frozen=True)
class Adjustment:
    """How goals were changed on the way.

    Attributes
    ----------
    steps
        One row per change, newest first, then by goal and field: ``goal_id``, ``title``, ``owner_id``,
        ``department_id``, ``changed_on``, ``field``, ``old``, ``new``, ``direction`` (one of
        `DIRECTIONS`, or `ENDED`: the status changed), ``elapsed`` (share of the goal's time that had passed;
        over 1: overdue), ``late`` (never of an end), ``reason``, ``approved_by``, ``approval`` (one of
        `APPROVALS`), ``delay_before``, ``delay_after`` (stated last before and first after it; null where
        nothing was).
    total
        One row, ``scope`` *all*: ``goals`` (those whose time has come to its last part), ``owners``,
        ``changed`` (ever), ``late`` (changed late), ``late_share``, ``late_low``, ``late_high``,
        ``unapproved`` (late, and not approved by anybody but the owner), ``lost`` (goals whose
        number of wordings says that changes are missing from the record).
    departments
        The same without ``lost`` of the goals below company goals, which are everybody's: one row per
        department, sorted by ``department_id``; small ones are hidden.
    directions
        Late changes by direction, in the order of `DIRECTIONS`: ``direction``, ``changes``, ``goals``,
        ``owners``; where the delay probability is known before and after: ``measured`` (changes), ``before``,
        ``after`` (means), ``usual`` (mean step that goals nobody changed took from a like standing),
        ``effect`` (mean of step − usual) with its 95 % interval ``effect_low`` to ``effect_high``; null below
        `MINIMUM_FINISHED_GOALS` goals.
    reasons
        Late changes by reason as written, most frequent first: ``reason``, ``changes``, ``owners``. Reasons
        of fewer owners than a group may have are together as `OTHER_REASONS`; those without as `NO_REASON`.
    approvals
        Late changes by who approved, in the order of `APPROVALS`: ``approval``, ``changes``, ``owners``.
    outcomes
        Goals that are past their due date, by when they were changed, in the order of `TIMES`: ``changed``,
        ``goals``, ``owners``, ``missed`` (not done by the due date in force at the end), ``missed_share``,
        ``missed_low``, ``missed_high``, ``missed_first`` (not done by the first due date).
    as_of
        The day the goals are looked at.
    """

    steps: pl.DataFrame
    total: pl.DataFrame
    departments: pl.DataFrame
    directions: pl.DataFrame
    reasons: pl.DataFrame
    approvals: pl.DataFrame
    outcomes: pl.DataFrame
    as_of: date

    cells: ClassVar[tuple[Cells, ...]] = (
        Cells(
            "total",
            "scope",
            "owners",
            ("goals", "owners", "changed", "late", "late_share", "late_low", "late_high", "unapproved"),
        ),
        Cells(
            "departments",
            "department_id",
            "owners",
            ("goals", "owners", "changed", "late", "late_share", "late_low", "late_high", "unapproved"),
        ),
        Cells(
            "directions",
            "direction",
            "owners",
            (
                *("changes", "goals", "owners", "measured", "before", "after", "usual"),
                *("effect", "effect_low", "effect_high"),
            ),
            additive=False,
        ),
        Cells("reasons", "reason", "owners", ("changes", "owners"), additive=False),
        Cells("approvals", "approval", "owners", ("changes", "owners"), additive=False),
        Cells(
            "outcomes",
            "changed",
            "owners",
            (
                *("goals", "owners", "missed", "missed_share", "missed_low", "missed_high"),
                "missed_first",
            ),
            additive=False,
        ),
    )


def adjustment(
    goals: pl.DataFrame,
    changes: pl.DataFrame,
    *,
    as_of: date,
    branches: Mapping[str, str],
    said: pl.DataFrame | None = None,
) -> Adjustment:
    """Set the changes of goals beside when, why, by whose leave, and what followed.

    Parameters
    ----------
    goals, changes
        As the contracts have them; changes of goals that are not given are left out.
    as_of
        The day to look at; later changes are not looked at.
    branches
        Department → the department it is counted under.
    said
        Delay probabilities as stated: ``goal_id``, ``seen_on``, ``elapsed``, ``delay``. None: never.

    Returns
    -------
    Adjustment
        Frames may be empty but for ``total``.
    """
    set_goals = goals.with_columns(pl.col("scope", "kind", "status").cast(pl.String)).filter(
        pl.col("status") != "draft", pl.col("start_on") <= as_of
    )
    told = said if said is not None else _NOTHING_SAID
    steps = _steps(set_goals, changes, as_of).pipe(_beside_delays, told)
    adjusting = steps.filter(pl.col("direction") != ENDED)
    rows = _by_goal(set_goals, adjusting, changes, as_of)
    placed = (
        rows.filter(pl.col("scope") != "company")
        .with_columns(pl.col("department_id").replace_strict(branches, default=None, return_dtype=pl.String))
        .drop_nulls("department_id")
    )
    late = steps.filter("late")
    return Adjustment(
        steps=steps.select(
            *("goal_id", "title", "owner_id", "department_id", "changed_on", "field", "old", "new"),
            *("direction", "elapsed", "late", "reason", "approved_by", "approval"),
            *("delay_before", "delay_after"),
        ).sort("changed_on", "goal_id", "field", descending=[True, False, False]),
        total=_shares(rows.with_columns(pl.lit("all").alias("scope")), "scope").with_columns(
            pl.lit(int(rows["_lost"].sum()), dtype=pl.Int64).alias("lost")
        ),
        departments=_shares(placed, "department_id").sort("department_id"),
        directions=_directions(late, told, frozenset(adjusting["goal_id"])),
        reasons=_reasons(late),
        approvals=_grouped(late, "approval", APPROVALS),
        outcomes=_outcomes(rows, as_of),
        as_of=as_of,
    )


def _steps(goals: pl.DataFrame, changes: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Every change up to the day, with what it did and how far the goal's time had passed."""
    facts = goals.select(
        "goal_id", "title", "kind", "baseline", "target", "owner_id", "department_id", "start_on", "due_on"
    )
    moments = pl.col("changed_at").cast(pl.Datetime("us"))
    dues = (
        changes.filter(pl.col("field") == "due_on")
        .select("goal_id", moments, _day("old_value").alias("_due_before"))
        .drop_nulls()
        .sort("changed_at")
    )
    old, new = (pl.col(side).cast(pl.Float64, strict=False) for side in ("old", "new"))
    falling = (
        pl.col("kind").is_in(_FALLING) | (pl.col("kind").is_null() & (old < pl.col("baseline")))
    ).fill_null(value=False)
    harder = pl.when(falling).then(new < old).otherwise(new > old)
    is_target, is_due = pl.col("field") == "target", pl.col("field") == "due_on"
    return (
        changes.filter(pl.col("changed_at").cast(pl.Date) <= as_of)
        .select(
            "goal_id",
            moments,
            "field",
            pl.col("old_value").alias("old"),
            pl.col("new_value").alias("new"),
            pl.col("reason").str.strip_chars().replace("", None),
            "approved_by",
        )
        .join(facts, on="goal_id")
        .sort("changed_at")
        # What the next change of the due date replaced is what held until then.
        .join_asof(dues, on="changed_at", by="goal_id", strategy="forward", check_sortedness=False)
        .with_columns(
            pl.col("changed_at").dt.date().alias("changed_on"),
            pl.coalesce("_due_before", "due_on").alias("_due_then"),
            pl.when(pl.col("field") == "status")
            .then(pl.lit(ENDED))
            .when(is_target & (new != old))
            .then(pl.when(harder).then(pl.lit("harder")).otherwise(pl.lit("easier")))
            .when(is_due & (_day("new") > _day("old")))
            .then(pl.lit("later"))
            .when(is_due & (_day("new") < _day("old")))
            .then(pl.lit("earlier"))
            .otherwise(pl.lit("other"))
            .alias("direction"),
            pl.when(pl.col("approved_by").is_null())
            .then(pl.lit("nobody"))
            .when(pl.col("approved_by") == pl.col("owner_id"))
            .then(pl.lit("owner"))
            .otherwise(pl.lit("somebody"))
            .alias("approval"),
        )
        .with_columns(
            (
                (pl.col("changed_on") - pl.col("start_on")).dt.total_days()
                / (pl.col("_due_then") - pl.col("start_on")).dt.total_days().clip(lower_bound=1)
            ).alias("elapsed")
        )
        .with_columns(
            ((pl.col("elapsed").round(9) >= WARNING_LATE.value) & (pl.col("direction") != ENDED)).alias(
                "late"
            )
        )
    )


def _day(column: str) -> pl.Expr:
    return pl.col(column).str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)


def _beside_delays(steps: pl.DataFrame, said: pl.DataFrame) -> pl.DataFrame:
    """Add the delay probability stated last before each change and first on or after its day."""
    near = timedelta(days=2 * int(SNAPSHOT_DAYS.value))
    stated = said.select("goal_id", pl.col("seen_on").alias("changed_on"), "elapsed", "delay").sort(
        "changed_on"
    )
    before = stated.rename({"delay": "delay_before", "elapsed": "_elapsed_before"})
    after = stated.select("goal_id", "changed_on", pl.col("delay").alias("delay_after"))
    return (
        steps.sort("changed_on")
        .join_asof(
            before,
            on="changed_on",
            by="goal_id",
            tolerance=near,
            allow_exact_matches=False,
            check_sortedness=False,
        )
        .join_asof(
            after, on="changed_on", by="goal_id", strategy="forward", tolerance=near, check_sortedness=False
        )
    )


def _by_goal(goals: pl.DataFrame, steps: pl.DataFrame, changes: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """One row per goal: when it was changed, whether its last part has come, what became of it."""
    by_goal = steps.group_by("goal_id").agg(
        pl.col("late").any().alias("_late"),
        (pl.col("late") & (pl.col("approval") != "somebody")).any().alias("_unapproved"),
        pl.col("_due_then").get(pl.col("changed_at").arg_min()).alias("_first_due"),
        pl.col("changed_at").n_unique().alias("_moments"),
    )
    # What was changed after the day does not count, but explains the number of wordings.
    moments = (
        changes.filter(pl.col("field") != "status")
        .group_by("goal_id")
        .agg(pl.col("changed_at").n_unique().alias("_all_moments"))
    )
    time = (pl.col("due_on") - pl.col("start_on")).dt.total_days().clip(lower_bound=1)
    passed = (pl.lit(as_of) - pl.col("start_on")).dt.total_days() / time
    done_by = pl.when(pl.col("status") == "done").then(pl.col("completed_on"))
    return (
        goals.join(by_goal, on="goal_id", how="left")
        .join(moments, on="goal_id", how="left")
        .with_columns(
            pl.col("_late", "_unapproved").fill_null(value=False),
            pl.col("_moments").is_not_null().alias("_changed"),
            pl.coalesce("_first_due", "due_on").alias("_first_due"),
        )
        .with_columns(
            ((passed >= WARNING_LATE.value) | pl.col("_late")).alias("_has_come"),
            (pl.col("version") - 1 > pl.col("_all_moments").fill_null(0)).alias("_lost"),
            # Done without a day: nobody can say whether in time.
            pl.when((pl.col("status") == "done") & pl.col("completed_on").is_null())
            .then(None)
            .otherwise(~(done_by <= pl.col("due_on")).fill_null(value=False))
            .alias("_missed"),
            pl.when((pl.col("status") == "done") & pl.col("completed_on").is_null())
            .then(None)
            .otherwise(~(done_by <= pl.col("_first_due")).fill_null(value=False))
            .alias("_missed_first"),
        )
    )


def _shares(rows: pl.DataFrame, by: str) -> pl.DataFrame:
    """Of the goals whose last part has come, how many were changed late."""
    if rows.is_empty() and by == "scope":
        rows = rows.clear(1).with_columns(
            pl.lit("all").alias("scope"), pl.lit(value=False).alias("_has_come")
        )
    come = pl.col("_has_come").fill_null(value=False)
    counts = rows.group_by(by).agg(
        come.sum().cast(pl.Int64).alias("goals"),
        pl.col("owner_id").filter(come).drop_nulls().n_unique().cast(pl.Int64).alias("owners"),
        pl.col("_changed").filter(come).sum().cast(pl.Int64).alias("changed"),
        pl.col("_late").filter(come).sum().cast(pl.Int64).alias("late"),
        pl.col("_unapproved").filter(come).sum().cast(pl.Int64).alias("unapproved"),
    )
    return with_share(counts, "late", "goals").select(
        by, "goals", "owners", "changed", "late", "late_share", "late_low", "late_high", "unapproved"
    )


def _directions(late: pl.DataFrame, said: pl.DataFrame, changed: frozenset[str]) -> pl.DataFrame:
    """Late changes by what they did, and what the delay probability did beside goals nobody changed."""
    usual = _usual_steps(said.filter(~pl.col("goal_id").is_in(list(changed))))
    measured = (
        late.with_columns(
            _step("_elapsed_before").alias("_elapsed_step"), _step("delay_before").alias("_delay_step")
        )
        .join(usual, on=["_elapsed_step", "_delay_step"], how="left")
        .with_columns((pl.col("delay_after") - pl.col("delay_before") - pl.col("usual")).alias("_net"))
    )
    known = measured.drop_nulls("_net")
    # A goal changed twice counts once, by its mean.
    per_goal = known.group_by("direction", "goal_id").agg(pl.col("_net").mean())
    means = known.group_by("direction").agg(
        pl.len().cast(pl.Int64).alias("measured"),
        pl.col("delay_before").mean().alias("before"),
        pl.col("delay_after").mean().alias("after"),
        pl.col("usual").mean(),
    )
    effects = per_goal.group_by("direction").agg(
        pl.len().alias("_n"),
        pl.col("_net").mean().alias("effect"),
        (pl.col("_net").std() / pl.len().sqrt()).alias("_error"),
    )
    quantile = pl.Series(
        "_t",
        special.stdtrit((effects["_n"] - 1).to_numpy(), 0.5 + CONFIDENCE.value / 2),
        dtype=pl.Float64,
    )
    half = pl.col("_error") * pl.col("_t")
    enough = pl.col("_n") >= MINIMUM_FINISHED_GOALS.value
    told = effects.with_columns(quantile).select(
        "direction",
        pl.when(enough).then("effect").alias("effect"),
        pl.when(enough).then(pl.col("effect") - half).alias("effect_low"),
        pl.when(enough).then(pl.col("effect") + half).alias("effect_high"),
    )
    return (
        _grouped(late, "direction", DIRECTIONS, goals=True)
        .join(means, on="direction", how="left")
        .join(told, on="direction", how="left")
        .with_columns(pl.col("measured").fill_null(0))
        .sort(pl.col("direction").cast(pl.Enum(DIRECTIONS)))
    )


def _step(column: str) -> pl.Expr:
    return (pl.col(column) * _STEPS).floor().clip(0, _STEPS - 1).cast(pl.Int64)


def _usual_steps(said: pl.DataFrame) -> pl.DataFrame:
    """The mean step of the delay probability from one snapshot to the next, by standing."""
    return (
        said.sort("goal_id", "seen_on")
        .with_columns((pl.col("delay").shift(-1) - pl.col("delay")).over("goal_id").alias("usual"))
        .drop_nulls("usual")
        .group_by(_step("elapsed").alias("_elapsed_step"), _step("delay").alias("_delay_step"))
        .agg(pl.col("usual").mean())
    )


def _grouped(late: pl.DataFrame, by: str, order: tuple[str, ...], *, goals: bool = False) -> pl.DataFrame:
    found = late.group_by(by).agg(
        pl.len().cast(pl.Int64).alias("changes"),
        *([pl.col("goal_id").n_unique().cast(pl.Int64).alias("goals")] if goals else []),
        pl.col("owner_id").drop_nulls().n_unique().cast(pl.Int64).alias("owners"),
    )
    return found.sort(pl.col(by).cast(pl.Enum(order)))


def _reasons(late: pl.DataFrame) -> pl.DataFrame:
    """Late changes by reason; wordings that differ in case or spaces are one."""
    said_once = pl.col("reason").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars(" .。")
    people = pl.col("owner_id").drop_nulls().n_unique()
    return (
        late.sort("changed_on", "goal_id")
        .with_columns(said_once.alias("_wording"))
        .with_columns(
            pl.when(pl.col("_wording").is_null())
            .then(pl.lit(NO_REASON))
            .when(people.over("_wording") < MINIMUM_GROUP.value)
            .then(pl.lit(OTHER_REASONS))
            .otherwise(pl.col("reason").first().over("_wording"))
            .alias("reason")
        )
        .group_by("reason")
        .agg(pl.len().cast(pl.Int64).alias("changes"), people.cast(pl.Int64).alias("owners"))
        .sort("changes", "reason", descending=[True, False])
    )


def _outcomes(rows: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """What became of goals past their due date, by when they were changed."""
    settled = rows.filter(pl.col("due_on") < as_of).drop_nulls("_missed")
    counts = (
        settled.with_columns(
            pl.when("_late")
            .then(pl.lit("late"))
            .when("_changed")
            .then(pl.lit("before"))
            .otherwise(pl.lit("never"))
            .alias("changed")
        )
        .group_by("changed")
        .agg(
            pl.len().cast(pl.Int64).alias("goals"),
            pl.col("owner_id").drop_nulls().n_unique().cast(pl.Int64).alias("owners"),
            pl.col("_missed").sum().cast(pl.Int64).alias("missed"),
            pl.col("_missed_first").sum().cast(pl.Int64).alias("missed_first"),
        )
        .sort(pl.col("changed").cast(pl.Enum(TIMES)))
    )
    return with_share(counts, "missed", "goals").select(
        *("changed", "goals", "owners", "missed", "missed_share", "missed_low", "missed_high", "missed_first")
    )
