"""How likely does a goal land, given the goals below it?

Reads    one row per goal as it stands on a day, and the chance that each misses its due date, and that each
         comes too late for the goal above it.
Returns  one row per goal: the chance that it lands by the rule that holds for it; one row per goal and goal
         below: what it would gain and lose; for chosen goals the shared causes that carry their risk.

Every open goal carries a hidden load; it misses if the load exceeds what its delay probability leaves.
Goals of one owner, of one department and under one goal share part of it
(`analytics.goals.landing.shared_risk`), so that they miss together more often than chance alone would have
them. Loads are drawn some thousand times and each draw is rolled up: a goal lands by its *own* chance, when
*all* below it land, when what they reached by *weight* comes to what is needed, or when *k of n* land. A
goal that misses still brings part of the work that was left: the heavier its load, the less. What counts
for the goal above is whether a goal is done by the day that one is due, be that before or after its own due
date (`analytics.goals.landing.aftermath`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import ClassVar, Final, NamedTuple

import numpy as np
import polars as pl
from scipy import sparse

from analytics.disclosure import Cells
from analytics.goals.landing.aftermath import Quantiles
from analytics.goals.landing.draws import (
    BATCH,
    Count,
    Loads,
    come_if_missed,
    drawn,
    drawn_again,
    limits,
    loads_of,
)
from analytics.goals.landing.rules import (
    CANDIDATES,
    EVEN,
    Flags,
    Floats,
    Integers,
    Rule,
    Tree,
    checked,
    edges_of,
    grown,
    rolled_up,
)
from analytics.goals.landing.shared_risk import CAUSES, Parts
from analytics.policy import AFTER_A_MISS
from data.contracts.goals import PERSPECTIVES

REFERENCE: Final = (
    "Vasicek (2002), The distribution of loan portfolio value, Risk 15(12); "
    "Li (2000), J. Fixed Income 9(4). doi:10.3905/jfi.2000.319253 (one load each, shared causes)"
)

HOLES: Final = (
    "not_taken_up",
    "silent",
    "weights",
    "no_owner",
    "no_metric",
    "no_target",
    "no_data_source",
    "no_cadence",
    "no_cycle",
)
"""What a strategic goal or the branch below it may lack."""

STATES: Final = ("open", "landed", "missed")
BAD_PERIOD: Final = 0.1
"""Share of a cause's draws that are called a bad period."""

_MOST_CAUSES: Final = 6
_NOTHING_LEARNT: Final[Mapping[str, Sequence[float]]] = MappingProxyType({})
_WIDTH: Final = 1.645
_TAIL: Final = 0.05
_ROUNDING: Final = 1e-9
_DELAYS: Final = ("delay", "delay_low", "delay_high")
_LATE: Final = ("late", "late_low", "late_high")


@dataclass(frozen=True)
class Landing:
    """Chances rolled up from below.

    Attributes
    ----------
    goals
        One row per goal, sorted by ``goal_id``: ``lands`` (chance), ``error`` (standard error of the
        drawing; 0 where nothing was drawn), ``low``, ``high`` (chance if every goal below had its delay
        probability at the worse or better end of its 90 % interval, with the error of the drawing; where
        nobody said the rule, at least as far as nine in ten of the likely rules reach; null where no
        intervals are given),
        ``lands_independent`` (if goals shared nothing), ``own``, ``own_low``, ``own_high`` (1 − its own delay
        probability and its interval; 1 or 0 if settled), ``rule`` (null: nobody said), ``needed`` (share
        of the weight, or number of goals; null by other rules), ``stated``, ``children`` (goals that count
        for it), ``loop`` (caught in one: its own chance), ``assumed`` (no delay probability was given: the
        mean of the others).
    children
        One row per open goal and goal that counts for it, sorted by ``parent_id`` and falling ``gain``:
        ``goal_id``, ``state``, ``lands`` (of the goal below, by its own due date), ``in_time`` (by the
        parent's), ``gain`` (chance of the parent if this one surely comes in time, less its chance now),
        ``loss`` (its chance now, less that if this one surely does not).
    by_rule
        One row per open goal with goals below and each of `CANDIDATES`: ``goal_id``, ``rule``, ``needed``
        (share), ``likely`` (how likely it would hold if nobody had said a rule), ``lands``.
    risks
        One row per chosen goal and kind of cause (`CAUSES` and ``alone``): ``goal_id``, ``kind``, ``share``
        of the variance of its outcome, to the first order.
    causes
        One row per chosen goal and shared cause that matters, sorted by falling ``share``: ``goal_id``,
        ``kind``, ``cause_id``, ``goals`` (open goals below with that cause), ``open_goals`` (all open goals
        below that land by their own chance), ``share`` of the variance, ``bad`` (chance in the worst tenth of
        the cause's draws), ``bad_error``, ``otherwise``.
    draws
        Number of draws.
    """

    goals: pl.DataFrame
    children: pl.DataFrame
    by_rule: pl.DataFrame
    risks: pl.DataFrame
    causes: pl.DataFrame
    draws: int

    cells: ClassVar[tuple[Cells, ...]] = ()  # Rows are goals, not statistics about people.


def land(
    goals: pl.DataFrame,
    chances: pl.DataFrame,
    *,
    parts: Parts,
    seed: int,
    draws: int = 2_048,
    unstated: Mapping[str, Sequence[float]] = _NOTHING_LEARNT,
    chosen: Collection[str] = (),
    alignments: pl.DataFrame | None = None,
    after_a_miss: Quantiles = AFTER_A_MISS,
) -> Landing:
    """Roll the chances of goals up to the goals above them.

    Parameters
    ----------
    goals
        One row per goal: ``goal_id``, ``parent_id``, ``scope``, ``owner_id``, ``department_id``, ``weight``,
        ``rollup_rule`` and ``rollup_needed`` as in the contract, ``state`` (one of `STATES`), ``progress``
        (share of the way; null: unknown) and ``elapsed`` (share of its time), as
        `analytics.goals.landing.backtest.standing` has them.
    chances
        ``goal_id``, ``delay``, and where known ``delay_low``, ``delay_high``; ``late``, ``late_low``,
        ``late_high`` (chance not to be done when the goal above is due; where not given, an open goal counts
        by its own due date and a missed one not at all), as
        `analytics.goals.landing.aftermath.too_late` has them.
    parts
        What goals with a common cause share.
    seed
        For the draws.
    draws
        Number of draws, rounded up to whole batches of 64.
    unstated
        Scope → how likely each of `CANDIDATES` holds for goals of which nobody said when they count as
        reached; each draw takes one. Every rule is as likely as any other for scopes not named.
    chosen
        Goals whose causes are wanted.
    alignments
        Further goals served: ``goal_id``, ``serves_goal_id``, ``share`` (as a weight).
    after_a_miss
        Share of its time passed, and the quantiles, evenly spaced from 0 to 1, of the share of the work left
        that a goal which misses still brings.

    Returns
    -------
    Landing
        A row for every goal, loops and goals without a parent included.

    Raises
    ------
    ValueError
        If ``draws`` is below one, the parts do not fit into one load, a state or rule is unknown, or a goal
        has two rows.
    """
    if draws < 1:
        raise ValueError(f"draws must be at least 1; got {draws}")
    if min(parts) < 0 or sum(parts) >= 1:
        raise ValueError(f"parts must not be negative and leave something to chance; got {tuple(parts)}")
    if not (known := set(goals["state"].unique())) <= set(STATES):
        raise ValueError(f"state must be one of {', '.join(STATES)}; got {sorted(known - set(STATES))}")
    if goals["goal_id"].is_duplicated().any():
        raise ValueError("goals must have one row per goal_id")
    rows = _with_chances(goals.sort("goal_id"), chances)
    edges = edges_of(rows, alignments)
    tree = grown(rows, edges, checked(unstated))
    watched = np.flatnonzero(rows["goal_id"].is_in(list(chosen)).to_numpy())
    loads = loads_of(tree, rows, parts, watched, after_a_miss)
    batches = -(-draws // BATCH)
    forced = come_if_missed(rows, after_a_miss)
    count, landed = drawn(tree, rows, loads, forced, seed=seed, batches=batches, watched=watched)
    by_rule = _by_rule(rows, tree, count, unstated)
    found = _goals(rows, edges, tree, count, by_rule)
    carried = _carried(rows, tree, loads, count, watched)
    names = rows["goal_id"][watched]
    return Landing(
        found,
        _children(rows, tree, count, found["lands"]),
        by_rule,
        _risks(names, carried),
        _causes(names, carried, loads, landed, seed),
        count.draws,
    )


@dataclass(frozen=True)
class GoalLanding:
    """One goal and what hangs below it.

    Attributes
    ----------
    goal
        One row: ``goal_id``, ``title``, ``chance``, ``low``, ``high``, ``method`` (to go by, as
        `analytics.goals.landing.backtest.chances` has them), and from `Landing.goals` ``lands``,
        ``lands_independent``, ``own``, ``rule``, ``needed``, ``stated``, ``children``, ``loop``.
    children
        As `Landing.children`, with ``title`` (null: beyond the reader's reach); by how much they could tip,
        falling.
    by_rule, risks, causes
        As in `Landing`.
    """

    goal: pl.DataFrame
    children: pl.DataFrame
    by_rule: pl.DataFrame
    risks: pl.DataFrame
    causes: pl.DataFrame

    cells: ClassVar[tuple[Cells, ...]] = ()


@dataclass(frozen=True)
class StrategyMap:
    """The strategic goals with their chances.

    Attributes
    ----------
    goals
        One row per strategic goal, by perspective as the contract orders them, none last, the least likely
        first: ``goal_id``, ``title``, ``perspective``, ``chance``, ``low``, ``high``, ``change`` (chance now,
        less that of last time; null: none known), ``holes`` (names out of `HOLES`).
    since
        The day of last time; None: there was none.
    """

    goals: pl.DataFrame
    since: date | None

    cells: ClassVar[tuple[Cells, ...]] = ()


def goal_landing(
    landing: Landing, chances: pl.DataFrame, *, goal_id: str, titles: pl.DataFrame
) -> GoalLanding:
    """Look at one goal.

    Parameters
    ----------
    landing
        Chances of all goals.
    chances
        Those to go by: ``goal_id``, ``chance``, ``low``, ``high``, ``method``.
    goal_id
        The goal.
    titles
        ``goal_id``, ``title`` of the goals within the reader's reach.

    Returns
    -------
    GoalLanding
        Other frames than the first are empty for a goal with nothing below it.

    Raises
    ------
    ValueError
        If the goal is not among them.
    """
    goal = landing.goals.filter(goal_id=goal_id)
    if goal.is_empty():
        raise ValueError(f"goal_id must be one of the goals; got {goal_id!r}")
    columns = ("lands", "lands_independent", "own", "rule", "needed", "stated", "children", "loop")
    names = titles.select("goal_id", "title")
    return GoalLanding(
        goal.select("goal_id", *columns)
        .join(chances.select("goal_id", "chance", "low", "high", "method"), on="goal_id", how="left")
        .join(names, on="goal_id", how="left"),
        landing.children.filter(parent_id=goal_id)
        .join(names, on="goal_id", how="left")
        .sort(pl.col("gain") + pl.col("loss"), "goal_id", descending=[True, False]),
        *(
            frame.filter(pl.col("goal_id") == goal_id)
            for frame in (landing.by_rule, landing.risks, landing.causes)
        ),
    )


def strategy_map(
    strategic: pl.DataFrame,
    chances: pl.DataFrame,
    *,
    holes: pl.DataFrame,
    earlier: pl.DataFrame | None = None,
    since: date | None = None,
) -> StrategyMap:
    """Put the strategic goals beside one another.

    Parameters
    ----------
    strategic
        ``goal_id``, ``title``, ``perspective`` (null: none named).
    chances
        ``goal_id``, ``chance``, ``low``, ``high``.
    holes
        ``goal_id``, ``hole`` (one of `HOLES`), a row each.
    earlier
        ``goal_id``, ``chance`` of last time.
    since
        The day of last time.

    Returns
    -------
    StrategyMap
        One row per strategic goal.

    Raises
    ------
    ValueError
        If a hole is unknown.
    """
    if unknown := sorted(set(holes["hole"]) - set(HOLES)):
        raise ValueError(f"hole must be one of {', '.join(HOLES)}; got {', '.join(unknown)}")
    before = earlier if earlier is not None else chances.clear()
    return StrategyMap(
        strategic.select("goal_id", "title", pl.col("perspective").cast(pl.Enum(PERSPECTIVES)))
        .join(chances.select("goal_id", "chance", "low", "high"), on="goal_id", how="left")
        .join(before.select("goal_id", pl.col("chance").alias("_before")), on="goal_id", how="left")
        .join(
            holes.unique()
            .sort(pl.col("hole").cast(pl.Enum(HOLES)))
            .group_by("goal_id", maintain_order=True)
            .agg(pl.col("hole").alias("holes")),
            on="goal_id",
            how="left",
        )
        .with_columns((pl.col("chance") - pl.col("_before")).alias("change"), pl.col("holes").fill_null([]))
        .drop("_before")
        .sort("perspective", "chance", "title", "goal_id", nulls_last=True),
        since,
    )


def _with_chances(goals: pl.DataFrame, chances: pl.DataFrame) -> pl.DataFrame:
    """Goals with their delay probability and the chance that they come too late for the goal above."""
    given = [name for name in (*_DELAYS, *_LATE) if name in chances.columns]
    rows = goals.join(
        chances.select("goal_id", *given), on="goal_id", how="left", maintain_order="left"
    ).with_columns(pl.lit(None, pl.Float64).alias(name) for name in {*_DELAYS, *_LATE} - set(given))
    is_open, landed = pl.col("state") == "open", pl.col("state") == "landed"
    usual = rows.filter(is_open)["delay"].mean()
    return rows.with_columns(
        (is_open & pl.col("delay").is_null()).alias("assumed"),
        pl.when(is_open)
        .then(pl.col("delay").fill_null(0.5 if usual is None else usual))
        .otherwise((~landed).cast(pl.Float64))
        .alias("delay"),
    ).with_columns(
        # Without an interval of its own a goal has none; without a day of its own it counts when it lands.
        pl.when(landed)
        .then(0.0)
        .otherwise(pl.coalesce(late, pl.when(is_open).then(delay), "delay"))
        .alias(name)
        for name, late, delay in zip(("_at", "_low", "_high"), _LATE, _DELAYS, strict=True)
    )


def _goals(
    rows: pl.DataFrame, edges: pl.DataFrame, tree: Tree, count: Count, by_rule: pl.DataFrame
) -> pl.DataFrame:
    rolled = rolled_up(tree)
    own = 1.0 - rows["delay"].to_numpy()
    # What none of so many draws has shown is not impossible.
    never = 0.5 / (count.draws + 1.0)
    lands = np.where(rolled, np.clip(count.lands, never, 1.0 - never), own)
    error = np.where(rolled, np.sqrt(lands * (1.0 - lands) / count.draws), 0.0)

    def beside(name: str) -> Floats:
        # As a difference between equal draws, which is known better than either chance.
        return np.clip(lands + count.beside[name] - count.sampled, 0.0, 1.0)

    is_open, told = pl.col("state") == "open", pl.lit(bool(rows["delay_low"].is_not_null().any()))
    found = rows.select(
        "goal_id",
        pl.Series("lands", lands),
        pl.Series("error", error),
        pl.Series("_low", lands - np.hypot(lands - beside("low"), _WIDTH * error)),
        pl.Series("_high", lands + np.hypot(beside("high") - lands, _WIDTH * error)),
        pl.Series("lands_independent", np.where(rolled, beside("independent"), own)),
        pl.Series("own", own),
        *(
            pl.when(told)
            .then(1.0 - pl.when(is_open).then(pl.coalesce(delay, "delay")).otherwise("delay"))
            .alias(name)
            for name, delay in (("own_low", "delay_high"), ("own_high", "delay_low"))
        ),
        pl.Series("rule", [rule or None for rule in tree.rule.tolist()], dtype=pl.String),
        pl.Series("needed", tree.needed).fill_nan(None),
        pl.Series("stated", tree.rule != ""),
        pl.Series("children", np.bincount(edges["parent"].to_numpy(), minlength=rows.height)),
        pl.Series("loop", tree.loop),
        "assumed",
    ).join(_between_rules(by_rule), on="goal_id", how="left", maintain_order="left")
    below, unsaid = pl.Series(rolled), ~pl.col("stated")
    low = pl.min_horizontal("_low", pl.when(unsaid).then("_least")).clip(lower_bound=0.0)
    high = pl.max_horizontal("_high", pl.when(unsaid).then("_most")).clip(upper_bound=1.0)
    return found.select(
        "goal_id",
        "lands",
        "error",
        pl.when(told).then(pl.when(below).then(low).otherwise("own_low")).alias("low"),
        pl.when(told).then(pl.when(below).then(high).otherwise("own_high")).alias("high"),
        "lands_independent",
        "own",
        "own_low",
        "own_high",
        "rule",
        "needed",
        "stated",
        "children",
        "loop",
        "assumed",
    )


def _between_rules(by_rule: pl.DataFrame) -> pl.DataFrame:
    """Between which chances nine in ten of the likely rules lie, for each goal."""
    upto = pl.col("likely").cum_sum().over("goal_id")
    return (
        by_rule.sort("goal_id", "lands")
        .with_columns(upto.alias("_upto"))
        .group_by("goal_id")
        .agg(
            pl.col("lands").filter(pl.col("_upto") >= _TAIL - _ROUNDING).first().alias("_least"),
            pl.col("lands").filter(pl.col("_upto") >= 1.0 - _TAIL - _ROUNDING).first().alias("_most"),
        )
    )


def _children(rows: pl.DataFrame, tree: Tree, count: Count, lands: pl.Series) -> pl.DataFrame:
    nothing = np.empty(0, dtype=np.int64)
    child = np.concatenate([nothing, *(level.child for level in tree.levels)])
    parent = np.concatenate([nothing, *(level.at[level.of] for level in tree.levels)])
    gain, loss = (np.concatenate([np.empty(0), *tipped]) for tipped in (count.gain, count.loss))
    in_time = np.where(rolled_up(tree), lands.to_numpy(), 1.0 - rows["_at"].to_numpy())
    # What is settled for good can be tipped no more.
    counts = ((rows["_at"] > 0.0) & (rows["_at"] < 1.0) | (rows["state"] == "open")).to_numpy()[child]
    return pl.DataFrame(
        {
            "parent_id": rows["goal_id"][parent],
            "goal_id": rows["goal_id"][child],
            "state": rows["state"][child],
            "lands": lands[child],
            "in_time": in_time[child],
            "gain": np.where(counts, gain, 0.0),
            "loss": np.where(counts, loss, 0.0),
        }
    ).sort("parent_id", "gain", "goal_id", descending=[False, True, False])


def _by_rule(
    rows: pl.DataFrame, tree: Tree, count: Count, unstated: Mapping[str, Sequence[float]]
) -> pl.DataFrame:
    at = np.concatenate([np.empty(0, dtype=np.int64), *(level.at for level in tree.levels)])
    tried = np.concatenate([np.empty((0, len(CANDIDATES))), *count.tried])
    tried[:, CANDIDATES.index(Rule("own"))] = 1.0 - rows["delay"].to_numpy()[at]
    scopes = rows["scope"].cast(pl.String)[at].to_list()
    return pl.DataFrame(
        {
            "goal_id": rows["goal_id"][np.repeat(at, len(CANDIDATES))],
            "rule": [rule.name for rule in CANDIDATES] * len(at),
            "needed": [rule.needed for rule in CANDIDATES] * len(at),
            "likely": [share for scope in scopes for share in unstated.get(scope, EVEN)],
            "lands": tried.ravel(),
        },
        schema={
            "goal_id": pl.String,
            "rule": pl.String,
            "needed": pl.Float64,
            "likely": pl.Float64,
            "lands": pl.Float64,
        },
    ).sort("goal_id", maintain_order=True)


class _Carried(NamedTuple):
    """Variance of the outcome of each goal watched (columns), by what carries it.

    ``shared`` and ``goals`` (open goals below with that cause) have a matrix for each kind of cause, with a
    row for each owner, department or goal above.
    """

    whole: Floats
    alone: Floats
    shared: tuple[Floats, ...]
    goals: tuple[Floats, ...]
    open_goals: Floats


def _carried(rows: pl.DataFrame, tree: Tree, loads: Loads, count: Count, watched: Integers) -> _Carried:
    """What carries the risk of the goals watched.

    To the first order a goal's outcome is a sum of the loads below it, each weighted by how much the goal
    gives way to it: the density at its limit times what tips on every way up. The variance is that of this
    sum.
    """
    weight, below = _ways(tree, rows.height, watched, count)
    limit = limits(rows["_at"], loads)[0].astype(np.float64)
    weight = weight[loads.who] * (tree.by_itself[loads.who] * np.exp(-0.5 * limit * limit))[:, None]
    below = below[loads.who].astype(np.float64)
    shared, goals = [], []
    for part, cause, ids in zip(loads.parts, loads.cause.T, loads.ids, strict=True):
        has = np.flatnonzero(cause >= 0)
        of = sparse.csr_array((np.ones(len(has)), (cause[has], has)), shape=(len(ids), len(cause)))
        shared.append(part * (of @ weight) ** 2)
        goals.append(of @ below)
    alone = (loads.alone[:, None] * weight**2).sum(axis=0)
    whole = alone + np.concatenate(shared).sum(axis=0)
    return _Carried(whole, alone, tuple(shared), tuple(goals), below.sum(axis=0))


def _risks(names: pl.Series, carried: _Carried) -> pl.DataFrame:
    shares = np.stack([*(kind.sum(axis=0) for kind in carried.shared), carried.alone])
    told = np.flatnonzero(carried.whole > 0)
    shares = shares[:, told] / carried.whole[told]
    kinds = [*CAUSES, "alone"]
    return pl.DataFrame(
        {
            "goal_id": names[np.repeat(told, len(kinds))],
            "kind": kinds * len(told),
            "share": shares.T.ravel(),
        },
        schema={"goal_id": pl.String, "kind": pl.String, "share": pl.Float64},
    )


def _causes(names: pl.Series, carried: _Carried, loads: Loads, landed: Flags, seed: int) -> pl.DataFrame:
    """The shared causes that carry most, and what a bad period of each would do."""
    picked = []
    for j in np.flatnonzero(carried.whole > 0):
        mine = [
            (float(kind[c, j] / carried.whole[j]), k, int(c))
            for k, (kind, goals) in enumerate(zip(carried.shared, carried.goals, strict=True))
            for c in np.flatnonzero((goals[:, j] >= 2) & (kind[:, j] > 0))
        ]
        picked += [(j, *one) for one in sorted(mine, key=lambda one: (-one[0], *one[1:]))[:_MOST_CAUSES]]
    drawn = drawn_again(loads, {(k, c) for _, _, k, c in picked}, landed.shape[1] // BATCH, seed)
    found = []
    for j, share, k, c in picked:
        load = drawn[k, c]
        bad = load > np.quantile(load, 1.0 - BAD_PERIOD)
        chance = float(landed[j, bad].mean())
        found.append(
            {
                "goal_id": names[int(j)],
                "kind": CAUSES[k],
                "cause_id": loads.ids[k][c],
                "goals": round(carried.goals[k][c, j]),
                "open_goals": round(carried.open_goals[j]),
                "share": share,
                "bad": chance,
                "bad_error": float(np.sqrt(chance * (1.0 - chance) / bad.sum())),
                "otherwise": float(landed[j, ~bad].mean()),
            }
        )
    return pl.DataFrame(
        found,
        schema={
            "goal_id": pl.String,
            "kind": pl.String,
            "cause_id": pl.String,
            "goals": pl.Int64,
            "open_goals": pl.Int64,
            "share": pl.Float64,
            "bad": pl.Float64,
            "bad_error": pl.Float64,
            "otherwise": pl.Float64,
        },
    )


def _ways(tree: Tree, n: int, watched: Integers, count: Count) -> tuple[Floats, Flags]:
    """How much each goal watched gives way to each goal below, over all ways up; and which are below."""
    weight = np.zeros((n, len(watched)))
    weight[watched, np.arange(len(watched))] = 1.0
    below = weight > 0
    for level, gain, loss in reversed(list(zip(tree.levels, count.gain, count.loss, strict=True))):
        counts = ~level.said.own[level.of]
        above, child = level.at[level.of][counts], level.child[counts]
        np.add.at(weight, child, weight[above] * (gain + loss)[counts, None])
        np.logical_or.at(below, child, below[above])
    below[watched, np.arange(len(watched))] = False
    return weight, below
