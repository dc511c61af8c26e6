"""Did goals miss as often as was said?

Reads    what was said of goals on the days they were looked at, by the model as it stood before those days,
         and what became of them; whose goals they are.
Returns  how often was missed what was said to miss so and so often (reliability), the error of the
         probabilities beside the pace rule's and the base rate's, how well they tell goals apart; over all,
         by department, by time used, time left, half-year and model, each with intervals and a verdict.

Only what was said for a due date that has come counts. Of goals not yet due, just those that landed early
are known: counting them would make any probability look too dark.

Each statement counts once. Giving each goal the same weight instead would count what was said of goals that
landed early, and so were looked at only a few times, more heavily: even a perfect probability would then look
wrong. That the statements about one goal share its outcome is in the intervals: they treat the goals as the
draws, or the owners or the teams where goals of one owner or team turn out so alike that this makes them
wider.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import ClassVar, Final

import numpy as np
import polars as pl
from scipy import stats

from analytics.disclosure import Cells
from analytics.policy import (
    CALIBRATION_GAP,
    CALIBRATION_KNOWN,
    CONFIDENCE,
    FALSE_DISCOVERY,
    MINIMUM_CLUSTERS,
    MINIMUM_EACH_OUTCOME,
    MINIMUM_JUDGED_GOALS,
)

REFERENCE: Final = (
    "Brier (1950), Mon. Weather Rev. 78(1); Korn & Graubard (1998), Surv. Methodol. 24(2), shares from "
    "clusters; Obuchowski (1997), Biometrics 53(2), AUC from clusters. doi:10.2307/2533958; "
    "Archer & Lemeshow (2006), Stata J. 6(1), calibration from clusters; "
    "Cameron & Miller (2015), J. Hum. Resour. 50(2), 317-372"
)

VERDICTS: Final = (
    "honest",  # what was said and what came agree, and that they differ much is ruled out
    "too_high",  # surely said more misses than came, by what matters
    "too_low",  # surely said fewer misses than came, by what matters
    "cannot_tell",  # a large difference is neither shown nor ruled out
)
PARTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "elapsed": ("0-25", "25-50", "50-75", "75-100"),
        "horizon": ("0-14", "15-30", "31-60", "61-90", "91-"),
        "period": (),
        "rung": ("pace", "logistic", "boosting", "blend"),
    }
)
"""What statements are taken apart by: per cent of the time used, days left, half-year, model; in order."""
MOST_BINS: Final = 10

Alike = Mapping[tuple[str, str], float]
"""By what is drawn and what number: how many times wider its interval gets."""
_UNRELATED: Final[Alike] = MappingProxyType({})
_HALF: Final = "_half_"
_STEPS: Final = 10_000
"""Probabilities are told apart to a hundredth of a per cent."""
_SURELY: Final = 1e-6
"""A probability of nought or one counts as this close to it in the log loss."""
_NORMAL: Final = float(stats.norm.ppf(0.5 + CONFIDENCE.value / 2.0))
_SAID: Final = (
    "goal_id",
    "seen_on",
    "elapsed",
    "days_left",
    "due_on",
    "delay",
    "pace_delay",
    "base_delay",
    "rung",
    "missed",
)
_COUNTS: Final = ("n_said", "n_goals", "n_owners", "n_missed_goals")
_WITH_INTERVAL: Final = ("observed", "difference", "brier", "pace_skill", "base_skill", "auc")
_NEEDED: Final = (
    *("_goal", "_owner", "_team", "_person"),
    *("y", "delay", "off", "b", "b_pace", "b_base", "log_loss", "_p"),
)
_NUMBERS: Final = (
    "stated",
    "observed",
    "observed_low",
    "observed_high",
    "difference",
    "difference_low",
    "difference_high",
    "brier",
    "brier_low",
    "brier_high",
    "brier_pace",
    "brier_base",
    "pace_skill",
    "pace_skill_low",
    "pace_skill_high",
    "base_skill",
    "base_skill_low",
    "base_skill_high",
    "log_loss",
    "auc",
    "auc_low",
    "auc_high",
    "ece",
    "ece_expected",
    "n_bins",
)
_SCORES: Final = (*_COUNTS, *_NUMBERS, "verdict")
_RELIABILITY: Final = (
    "from",
    "to",
    "stated",
    "observed",
    "low",
    "high",
    "difference",
    "difference_low",
    "difference_high",
    "n_said",
    "n_goals",
    "n_owners",
    "verdict",
)


@dataclass(frozen=True)
class Backtest:
    """What was said of goals against what became of them.

    ``total``, ``departments`` and ``parts`` hold per row: ``n_said`` (statements), ``n_goals``, ``n_owners``,
    ``n_missed_goals``; ``stated`` (mean delay probability), ``observed`` (share that missed) with
    ``observed_low`` and ``observed_high``; ``difference`` (stated − observed; > 0: said too high) with its
    interval; ``brier`` with interval, ``brier_pace``, ``brier_base``; ``pace_skill`` and ``base_skill``
    (1 − Brier ÷ the other's Brier; > 0 is better) with intervals; ``log_loss``; ``auc`` with interval;
    ``ece`` (mean distance between stated and observed over ``n_bins`` bins) and ``ece_expected`` (what chance
    alone would make it if every probability were right); ``verdict`` (`VERDICTS`). From fewer than
    `MINIMUM_JUDGED_GOALS` goals all but the counts is null and the verdict *cannot tell*; the AUC also where
    fewer than `MINIMUM_EACH_OUTCOME` goals missed or landed.

    Attributes
    ----------
    total
        One row; ``scope`` is ``all``.
    reliability
        One row per bin of about equally many statements, sorted by ``bin``: ``from``, ``to`` (lowest and
        highest said), ``stated``, ``observed`` with ``low`` and ``high``, ``difference`` with interval,
        ``n_said``, ``n_goals``, ``n_owners``, ``verdict``.
    departments
        One row per department, sorted by ``department_id``.
    parts
        One row per ``by`` (`PARTS`) and ``part``, in that order.
    ladder
        How the models did against each other when one was chosen, as the training has it; empty if unknown.
    card
        What the model in force says about itself: name → words.
    left_out
        Statements not counted, by reason: ``not_due``, ``unknown`` (due, but what became of it is not known).
    as_of
        The day by which outcomes had to be known.
    """

    total: pl.DataFrame
    reliability: pl.DataFrame
    departments: pl.DataFrame
    parts: pl.DataFrame
    ladder: pl.DataFrame
    card: Mapping[str, str]
    left_out: Mapping[str, int]
    as_of: date

    cells: ClassVar[tuple[Cells, ...]] = (
        Cells("total", "scope", "n_owners", _SCORES),
        Cells("reliability", "bin", "n_owners", _RELIABILITY),
        Cells("departments", "department_id", "n_owners", _SCORES),
        Cells("parts", "part", "n_owners", _SCORES, within=("by",)),
    )


def backtest(
    said: pl.DataFrame,
    goals: pl.DataFrame,
    *,
    as_of: date,
    ladder: pl.DataFrame | None = None,
    card: Mapping[str, str] | None = None,
) -> Backtest:
    """Set what was said of goals against what became of them.

    Parameters
    ----------
    said
        One row per goal and day: ``goal_id``, ``seen_on``, ``elapsed`` (0 to 1), ``days_left``, ``due_on``
        (in force that day), ``delay`` (0 to 1), ``pace_delay`` and ``base_delay`` (0 to 1 or null),
        ``rung``, ``missed`` (null: not known).
    goals
        One row per goal: ``goal_id``, ``owner_id``, ``team_id`` (what it belongs to), ``department_id`` (what
        is compared).
    as_of
        The day by which outcomes had to be known.
    ladder
        How the models did against each other; None: not kept.
    card
        What the model says about itself; None: nothing.

    Returns
    -------
    Backtest

    Raises
    ------
    ValueError
        If a column is missing, or a probability lies outside 0 to 1.
    """
    _check(said, "said", _SAID)
    _check(goals, "goals", ("goal_id", "owner_id", "team_id", "department_id"))
    if not said["delay"].drop_nulls().is_between(0.0, 1.0).all():
        raise ValueError("delay must lie between 0 and 1")
    due = pl.col("due_on") <= as_of
    known = due & pl.col("missed").is_not_null() & pl.col("delay").is_not_null()
    rows = _rows(said.filter(known), goals)
    alike = _how_alike(_influences(_ranked(rows, "scope"), "scope"), list(_WITH_INTERVAL))
    placed = rows.filter(pl.col("department_id").is_not_null())
    counts = said.select(not_due=(~due).sum(), unknown=(due & ~known).sum()).row(0, named=True)
    reliability = _verdicts(_reliability(rows, "scope"), "_half")
    return Backtest(
        total=_scores(rows, "scope", alike).select(pl.col("scope").cast(pl.String), *_SCORES),
        reliability=reliability.select("bin", *_RELIABILITY).sort("bin"),
        departments=_scores(placed, "department_id", alike)
        .select("department_id", *_SCORES)
        .sort("department_id"),
        parts=pl.concat([_parts(rows, by, order, alike) for by, order in PARTS.items()]),
        ladder=pl.DataFrame() if ladder is None else ladder,
        card=MappingProxyType(dict(card or {})),
        left_out=MappingProxyType({reason: int(n) for reason, n in counts.items()}),
        as_of=as_of,
    )


def _check(frame: pl.DataFrame, name: str, columns: Sequence[str]) -> None:
    missing = set(columns) - set(frame.columns)
    if missing:
        raise ValueError(f"{name} must have the columns {', '.join(columns)}; missing: {sorted(missing)}")


def _rows(said: pl.DataFrame, goals: pl.DataFrame) -> pl.DataFrame:
    """One row per statement with what it is taken apart by, the outcome and the errors.

    Goals, owners and teams are numbered, because numbers are grouped several times faster than names.
    """
    whose = goals.join(said.select("goal_id").unique(), on="goal_id", how="semi").with_row_index("_goal")
    whose = whose.select(
        "goal_id",
        "_goal",
        # A goal of nobody, or of no team, turns out like no other.
        pl.coalesce("owner_id", "goal_id").rank("dense").alias("_owner"),
        pl.coalesce("team_id", "goal_id").rank("dense").alias("_team"),
        pl.col("owner_id").rank("dense").alias("_person"),
        "department_id",
    )
    half = pl.when(pl.col("seen_on").dt.month() <= 6).then(pl.lit(" H1")).otherwise(pl.lit(" H2"))
    y = pl.col("missed").cast(pl.Float64)
    p = pl.col("delay").clip(_SURELY, 1.0 - _SURELY)
    return said.join(whose, on="goal_id").select(
        *("_goal", "_owner", "_team", "_person", "department_id", "delay"),
        pl.lit("all").cast(pl.Categorical).alias("scope"),
        _cut("elapsed", (0.25, 0.5, 0.75), PARTS["elapsed"]),
        _cut("days_left", (15, 31, 61, 91), PARTS["horizon"]).alias("horizon"),
        (pl.col("seen_on").dt.year().cast(pl.String) + half).cast(pl.Categorical).alias("period"),
        pl.col("rung").cast(pl.Categorical),
        y.alias("y"),
        (pl.col("delay") - y).alias("off"),
        ((pl.col("delay") - y) ** 2).alias("b"),
        ((pl.col("pace_delay") - y) ** 2).alias("b_pace"),
        ((pl.col("base_delay") - y) ** 2).alias("b_base"),
        -(y * p.log() + (1.0 - y) * (1.0 - p).log()).alias("log_loss"),
        (pl.col("delay") * _STEPS).round(0).cast(pl.Int32).alias("_p"),
    )


def _cut(column: str, edges: Sequence[float], names: Sequence[str]) -> pl.Expr:
    """The part a value falls into; a value on an edge belongs above it."""
    above: pl.Expr = pl.lit(names[-1])
    for edge, name in reversed(list(zip(edges, names[:-1], strict=True))):
        above = pl.when(pl.col(column) < edge).then(pl.lit(name)).otherwise(above)
    return above.cast(pl.Categorical).alias(column)


def _parts(rows: pl.DataFrame, by: str, order: Sequence[str], alike: Alike) -> pl.DataFrame:
    """The scores of each part, in order; parts without an order stand by name."""
    places = {name: at for at, name in enumerate(order)}
    found = _scores(rows, by, alike).select(
        pl.lit(by).alias("by"), pl.col(by).cast(pl.String).alias("part"), *_SCORES
    )
    if not places:
        return found.sort("part")
    return found.sort(
        pl.col("part").replace_strict(places, default=len(order), return_dtype=pl.Int64), "part"
    )


def _scores(rows: pl.DataFrame, by: str, alike: Alike) -> pl.DataFrame:
    """One row per group: counts, numbers with intervals and the verdict."""
    rows = rows.select(by, *_NEEDED)
    counts = rows.group_by(by).agg(
        pl.len().cast(pl.Int64).alias("n_said"),
        pl.col("_goal").n_unique().cast(pl.Int64).alias("n_goals"),
        pl.col("_person").drop_nulls().n_unique().cast(pl.Int64).alias("n_owners"),
        pl.col("_goal").filter(pl.col("y") > 0).n_unique().cast(pl.Int64).alias("n_missed_goals"),
        pl.col("_goal").filter(pl.col("y") < 1).n_unique().cast(pl.Int64).alias("n_landed_goals"),
        pl.col("delay").mean().alias("stated"),
        pl.col("y").mean().alias("observed"),
        pl.col("off").mean().alias("difference"),
        pl.col("b").mean().alias("brier"),
        pl.col("b_pace").mean().alias("brier_pace"),
        pl.col("b_base").mean().alias("brier_base"),
        *(_skill(other).alias(f"{other}_skill") for other in ("pace", "base")),
        pl.col("log_loss").mean(),
    )
    ranked = _ranked(rows, by)
    auc = ranked.group_by(by).agg(pl.col("rank").filter(pl.col("y") > 0).mean().alias("auc"))
    widths = _widest(_influences(ranked, by), [by], list(_WITH_INTERVAL), alike)
    found = counts.join(auc, on=by, how="left").join(widths, on=by, how="left")
    bins = _reliability(rows, by)
    share = pl.col("n_said") / pl.col("n_said").sum()
    errors = bins.group_by(by).agg(
        (share * pl.col("difference").abs()).sum().alias("ece"),
        # The mean size of a normal draw is √(2/π) of its standard deviation.
        (share * pl.col("_half") / _NORMAL * float(np.sqrt(2.0 / np.pi))).sum().alias("ece_expected"),
        pl.len().cast(pl.Int64).alias("n_bins"),
    )
    enough = pl.col("n_goals") >= MINIMUM_JUDGED_GOALS.value
    each = pl.min_horizontal("n_missed_goals", "n_landed_goals") >= MINIMUM_EACH_OUTCOME.value
    return (
        found.join(errors, on=by, how="left")
        .with_columns(
            *_share_interval("observed", pl.col(_HALF + "observed")),
            *_around("difference", -1.0, 1.0),
            *_around("brier", 0.0, 1.0),
            *_around("pace_skill", None, 1.0),
            *_around("base_skill", None, 1.0),
            *_logit_interval("auc"),
        )
        .with_columns(
            pl.when(enough & each).then(name).alias(name) for name in ("auc", "auc_low", "auc_high")
        )
        .with_columns(pl.when(enough).then(name).alias(name) for name in _NUMBERS)
        .pipe(_verdicts, _HALF + "difference")
    )


def _skill(other: str) -> pl.Expr:
    """1 − Brier ÷ the other's Brier, over the statements for which the other said something."""
    theirs = pl.col(f"b_{other}")
    ours = pl.col("b").filter(theirs.is_not_null()).mean()
    return pl.when(theirs.mean() > 0).then(1.0 - ours / theirs.mean())


def _ranked(rows: pl.DataFrame, by: str) -> pl.DataFrame:
    """Rows with ``rank``: the share of the other outcome a statement stands on the right side of.

    Ties count half, so that its mean over those that missed is the AUC.
    """
    counts = (
        rows.group_by(by, "_p")
        .agg(pl.col("y").sum().alias("_hit"), (1.0 - pl.col("y")).sum().alias("_free"))
        .sort(by, "_p")
        .with_columns(
            (pl.col(name).cum_sum().over(by) - 0.5 * pl.col(name)).alias(f"{name}_below")
            for name in ("_hit", "_free")
        )
        .with_columns(pl.col(name).sum().over(by).alias(f"{name}_all") for name in ("_hit", "_free"))
        .select(
            by,
            "_p",
            "_hit_all",
            "_free_all",
            (pl.col("_free_below") / pl.col("_free_all")).alias("_above_free"),
            (1.0 - pl.col("_hit_below") / pl.col("_hit_all")).alias("_under_hit"),
        )
    )
    both = (pl.col("_hit_all") > 0) & (pl.col("_free_all") > 0)
    rank = pl.when(pl.col("y") > 0).then("_above_free").otherwise("_under_hit")
    return rows.join(counts, on=[by, "_p"], how="left").with_columns(pl.when(both).then(rank).alias("rank"))


def _influences(ranked: pl.DataFrame, by: str) -> pl.DataFrame:
    """What each statement adds to each number of its group.

    A number that is a smooth function of means moves with each statement by its influence; the influences of
    one goal (owner, team) are summed, because they are drawn together.
    """
    n = pl.len().over(by)
    auc = pl.col("rank").filter(pl.col("y") > 0).mean().over(by)
    draws = pl.when(pl.col("y") > 0).then("_hit_all").otherwise("_free_all")
    return ranked.select(
        *(by, "_goal", "_owner", "_team"),
        *(
            ((pl.col(column) - pl.col(column).mean().over(by)) / n).alias(name)
            for name, column in (("brier", "b"), ("difference", "off"), ("observed", "y"))
        ),
        *(_skill_influence(other, by).alias(f"{other}_skill") for other in ("pace", "base")),
        ((pl.col("rank") - auc) / draws).alias("auc"),
    )


def _skill_influence(other: str, by: str) -> pl.Expr:
    theirs = pl.col(f"b_{other}")
    ours = pl.when(theirs.is_not_null()).then("b")
    whole = theirs.sum().over(by)
    ratio = ours.sum().over(by) / whole
    return pl.when(theirs.is_not_null() & (whole > 0)).then((ratio * theirs - pl.col("b")) / whole)


def _widest(rows: pl.DataFrame, by: list[str], names: list[str], alike: Alike = _UNRELATED) -> pl.DataFrame:
    """Half widths ``_half_<name>``, by the draws that make them widest.

    Where a group has too few owners or teams to tell how alike their goals turn out, it is taken to be as
    much as in the whole (``alike``): the goals' half widths are multiplied by that.
    """
    goals = _by_goal(rows, by, names)
    single = _half_width(goals, by, "_goal", names)
    found = [single]
    for draw in ("_owner", "_team"):
        own = _half_width(goals, by, draw, names).filter(pl.col("_draws") >= MINIMUM_CLUSTERS.value)
        few = single.join(own, on=by, how="anti")
        wider = [pl.col(_HALF + name) * alike.get((draw, name), 1.0) for name in names]
        found += [own, few.with_columns(wider)]
    return pl.concat(found).drop("_draws").group_by(by).agg(pl.all().max())


def _by_goal(rows: pl.DataFrame, by: list[str], names: list[str]) -> pl.DataFrame:
    return rows.group_by(*by, "_goal").agg(
        pl.col("_owner", "_team").first(), *(pl.col(name).sum() for name in names)
    )


def _half_width(goals: pl.DataFrame, by: list[str], draw: str, names: list[str]) -> pl.DataFrame:
    """Half widths, and the number of draws, if what ``draw`` names is drawn as a whole."""
    sums = goals.group_by(*by, draw).agg(pl.col(name).sum() for name in names)
    spread = sums.group_by(by).agg(
        pl.len().cast(pl.Float64).alias("_draws"), *((pl.col(name) ** 2).sum() for name in names)
    )
    freedom = (spread["_draws"] - 1.0).clip(1.0).to_numpy()
    reach = stats.t.ppf(0.5 + CONFIDENCE.value / 2.0, freedom) * np.sqrt((freedom + 1.0) / freedom)
    return spread.with_columns(pl.Series("_reach", reach)).select(
        *by, "_draws", *((pl.col("_reach") * pl.col(name).sqrt()).alias(_HALF + name) for name in names)
    )


def _how_alike(rows: pl.DataFrame, names: list[str]) -> Alike:
    """How many times wider intervals get when owners, or teams, are drawn instead of their goals."""
    goals = _by_goal(rows, [], names)
    found: dict[tuple[str, str], float] = {}
    if goals.is_empty():
        return found
    goals = goals.with_columns(pl.lit(0).alias("_all"))
    single = _half_width(goals, ["_all"], "_goal", names).row(0, named=True)
    for draw in ("_owner", "_team"):
        whole = _half_width(goals, ["_all"], draw, names).row(0, named=True)
        if whole["_draws"] >= MINIMUM_CLUSTERS.value:
            found |= {
                (draw, name): max(1.0, whole[_HALF + name] / single[_HALF + name])
                for name in names
                if single[_HALF + name]
            }
    return found


def _reliability(rows: pl.DataFrame, by: str) -> pl.DataFrame:
    """One row per group and bin; what was said alike stays in one bin."""
    goals = rows.group_by(by).agg(pl.col("_goal").n_unique().alias("_goals"))
    n_bins = (pl.col("_goals") // int(MINIMUM_JUDGED_GOALS.value)).clip(2, MOST_BINS)
    bins = (
        rows.group_by(by, "_p")
        .agg(pl.len().alias("_n"))
        .join(goals, on=by, how="left")
        .sort(by, "_p")
        .with_columns(
            ((pl.col("_n").cum_sum() - 0.5 * pl.col("_n")).over(by) / pl.col("_n").sum().over(by)).alias(
                "_at"
            )
        )
        .select(by, "_p", (pl.col("_at") * n_bins).floor().cast(pl.Int64).alias("bin"))
        .with_columns((pl.col("bin").rank("dense").over(by)).cast(pl.Int64).alias("bin"))
    )
    keys = [by, "bin"]
    binned = rows.join(bins, on=[by, "_p"], how="left")
    found = binned.group_by(keys).agg(
        pl.col("delay").min().alias("from"),
        pl.col("delay").max().alias("to"),
        pl.col("delay").mean().alias("stated"),
        pl.col("y").mean().alias("observed"),
        pl.col("off").mean().alias("difference"),
        pl.len().cast(pl.Int64).alias("n_said"),
        pl.col("_goal").n_unique().cast(pl.Int64).alias("n_goals"),
        pl.col("_person").drop_nulls().n_unique().cast(pl.Int64).alias("n_owners"),
        (pl.col("delay") * (1.0 - pl.col("delay"))).mean().alias("_chance"),
    )
    n = pl.len().over(keys)
    moves = [((pl.col(name) - pl.col(name).mean().over(keys)) / n).alias(name) for name in ("off", "y")]
    influences = binned.select(*keys, "_goal", "_owner", "_team", *moves)
    # All of a small bin may turn out one way, and then the outcomes do not show how chance would move them.
    least = _NORMAL * (pl.col("_chance") / pl.col("n_goals")).sqrt()
    return (
        found.join(_widest(influences, keys, ["off", "y"]), on=keys, how="left")
        .with_columns(pl.max_horizontal(_HALF + "off", least).alias("_half"))
        .with_columns(
            (pl.col("difference") - pl.col("_half")).clip(-1.0, 1.0).alias("difference_low"),
            (pl.col("difference") + pl.col("_half")).clip(-1.0, 1.0).alias("difference_high"),
            *_share_interval("observed", pl.col(_HALF + "y"), names=("low", "high")),
        )
        .sort(keys)
    )


def _around(name: str, lowest: float | None, highest: float | None) -> list[pl.Expr]:
    half = pl.col(_HALF + name)
    return [
        (pl.col(name) - half).clip(lowest, highest).alias(f"{name}_low"),
        (pl.col(name) + half).clip(lowest, highest).alias(f"{name}_high"),
    ]


def _logit_interval(name: str) -> list[pl.Expr]:
    """An interval on the logit, so that it stays between nought and one."""
    value = pl.col(name).clip(_SURELY, 1.0 - _SURELY)
    logit = (value / (1.0 - value)).log()
    half = pl.col(_HALF + name) / (value * (1.0 - value))
    return [
        (1.0 / (1.0 + (-(logit - half)).exp())).alias(f"{name}_low"),
        (1.0 / (1.0 + (-(logit + half)).exp())).alias(f"{name}_high"),
    ]


def _share_interval(name: str, half: pl.Expr, *, names: tuple[str, str] | None = None) -> list[pl.Expr]:
    """Wilson's interval with as many independent draws as the half width of the clusters is worth.

    Never more than there are goals (Korn & Graubard 1998).
    """
    share, goals = pl.col(name), pl.col("n_goals").cast(pl.Float64)
    worth = _NORMAL**2 * share * (1.0 - share) / half**2
    n = pl.when(half > 0).then(pl.min_horizontal(worth, goals)).otherwise(goals)
    z2 = _NORMAL**2
    middle = (share + z2 / (2.0 * n)) / (1.0 + z2 / n)
    reach = _NORMAL * (share * (1.0 - share) / n + z2 / (4.0 * n**2)).sqrt() / (1.0 + z2 / n)
    low, high = names or (f"{name}_low", f"{name}_high")
    # Rounding must not leave the share outside its own interval.
    return [
        pl.min_horizontal(middle - reach, share).clip(0.0, 1.0).alias(low),
        pl.max_horizontal(middle + reach, share).clip(0.0, 1.0).alias(high),
    ]


def _verdicts(frame: pl.DataFrame, half: str) -> pl.DataFrame:
    """The verdicts of rows that are read together: of those said to be off, one in twenty may be chance.

    ``half`` is half the width of the difference's interval; that it does not reach nought is the test.
    """
    size = frame.select((pl.col("difference").abs() / pl.col(half) * _NORMAL).fill_nan(None)).to_series()
    adjusted = np.ones(frame.height)
    told = size.is_not_null().to_numpy()
    if told.any():
        adjusted[told] = stats.false_discovery_control(2.0 * stats.norm.sf(size.drop_nulls().to_numpy()))
    off = (pl.col("_adjusted") <= FALSE_DISCOVERY.value) & (
        pl.col("difference").abs() >= CALIBRATION_GAP.value
    )
    verdict = (
        pl.when(pl.col("difference").is_null())
        .then(pl.lit("cannot_tell"))
        .when(off & (pl.col("difference") > 0))
        .then(pl.lit("too_high"))
        .when(off)
        .then(pl.lit("too_low"))
        .when(pl.col("difference").abs() + pl.col(half) > CALIBRATION_KNOWN.value)
        .then(pl.lit("cannot_tell"))
        .otherwise(pl.lit("honest"))
    )
    return frame.with_columns(pl.Series("_adjusted", adjusted)).with_columns(verdict.alias("verdict"))
