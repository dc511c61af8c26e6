"""Did goals land as often as what hung below them made us say, and would their own pace have said it better?

Reads    goals, their snapshots (`analytics.goals.risk.panel`) and what was said of them on each day
         (`analytics.goals.risk.ladder`).
Returns  one row per goal with goals below it and day looked back at: what its own check-ins said, what the
         goals below said, with and without shared causes, both combined, and what became of it; how well each
         did; and what to go by today.

On some days in the past the goals are put back to how they stood, with the delay probabilities that were said
then, and rolled up. What goals share, how far a miss comes, the rule of goals for which nobody said one and
the way to combine own and rolled-up chance are on each day learnt from what was known by that day. What
hangs below what, and by which rule, is taken as it is now: exports keep no history of that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import special, stats

from analytics.disclosure import Cells
from analytics.goals.landing.aftermath import Aftermath, aftermath, too_late
from analytics.goals.landing.landing import Landing, land
from analytics.goals.landing.rules import CANDIDATES
from analytics.goals.landing.shared_risk import SharedRisk, shared_risk
from analytics.goals.risk.posterior import log_odds, posterior
from analytics.policy import CONFIDENCE, MINIMUM_PARENTS, SNAPSHOT_DAYS

REFERENCE: Final = (
    "Brier (1950), Mon. Weather Rev. 78(1); "
    "Ranjan & Gneiting (2010), J. R. Stat. Soc. B 72(1). doi:10.1111/j.1467-9868.2009.00726.x"
)

METHODS: Final = ("own", "rolled_up", "independent", "combined")
USABLE: Final = ("own", "rolled_up", "combined")

_SURE: Final = 0.005
_NEAR: Final = 0.1
"""How far a stated chance may lie from another for its goals to tell how that one comes true."""
_BINS: Final = 10
_FEWEST_DAYS: Final = 3
"""Goals looked at on one day share what happened after it: few days teach how that went, nothing more."""
_PULL: Final = (0.0, 0.5, 0.5)
"""Coefficients a combination starts from: both chances count alike, and nothing is added."""
_PULL_SPREAD: Final = 0.5

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Combination:
    """A chance made of two: ``logit = intercept + own · logit(own) + below · logit(rolled up)``."""

    intercept: float = _PULL[0]
    own: float = _PULL[1]
    below: float = _PULL[2]

    def chance(self, own: Floats, rolled_up: Floats) -> Floats:
        """The chance of landing, of the shape given."""
        score = (
            self.intercept
            + self.own * log_odds(own, sure=_SURE)
            + self.below * log_odds(rolled_up, sure=_SURE)
        )
        chance: Floats = special.expit(score)
        return chance


@dataclass(frozen=True)
class Doubt:
    """How many goals do not go the way of those on record below them, and how such goals go.

    Goals are left out of a tree, moved in it, closed by hand, or judged by a rule nobody wrote down. Without
    doubt a roll-up becomes certain where every draw agrees, and is then wrong too often.

    Attributes
    ----------
    share
        Of goals that go their own way.
    usual
        How often goals land.
    """

    share: float = 0.02
    usual: float = 0.5

    def chance(self, rolled_up: Floats) -> Floats:
        """The chance of landing, doubt taken in."""
        return (1.0 - self.share) * rolled_up + self.share * self.usual


@dataclass(frozen=True)
class ParentBacktest:
    """What was said of goals with goals below them, against what became of them.

    Attributes
    ----------
    parents
        One row per goal and day, sorted by both: ``parent_id``, ``scope``, ``seen_on``, ``elapsed``,
        ``stated`` (somebody said the rule), ``learnt`` (a model had been, by then), ``own``, ``rolled_up``,
        ``independent`` (chances of landing), ``combined`` (null on days by which too few were known to learn
        from), ``landed``, ``due_on``, ``known_on``.
    methods
        One row per method of `METHODS` that said anything: ``method``, ``rows``, ``parents``, ``brier``,
        ``ece`` (ten bins of equal count, fewer where there are fewer than a hundred rows), ``said`` (mean
        chance), ``landed`` (share), ``saved`` (Brier score of ``independent`` on the same rows, less its own;
        above nought is better), ``saved_low``, ``saved_high`` (95 % interval, by goal).
    rules
        One row per scope and rule tried on goals for which nobody said one: ``scope``, ``rule``, ``needed``,
        ``rows``, ``parents``, ``brier``, ``likely`` (how likely it holds; of a scope they add up to 1).
    unstated
        Scope → how likely each of `CANDIDATES` holds where nobody said a rule.
    shared
        What goals share, from all that is known.
    past
        What becomes of goals around their due date, from all that is known.
    doubt
        How many goals do not go the way of those below them; taken in by ``rolled_up`` and ``independent``.
    combination
        How to combine own and rolled-up chance, from all that is known; null: too little is.
    preferred
        The method of `USABLE` to go by.
    """

    parents: pl.DataFrame
    methods: pl.DataFrame
    rules: pl.DataFrame
    unstated: Mapping[str, Sequence[float]]
    shared: SharedRisk
    past: Aftermath
    doubt: Doubt
    combination: Combination | None
    preferred: str

    cells: ClassVar[tuple[Cells, ...]] = ()  # Rows are goals, not statistics about people.


def parent_backtest(
    goals: pl.DataFrame,
    snapshots: pl.DataFrame,
    said: pl.DataFrame,
    *,
    as_of: date,
    seed: int,
    alignments: pl.DataFrame | None = None,
    days: int = 8,
    draws: int = 512,
) -> ParentBacktest:
    """Put goals back to days in the past, roll them up, and compare.

    Parameters
    ----------
    goals
        One row per goal as the contract has them.
    snapshots
        ``goal_id``, ``seen_on``, ``due_on``, ``days_left``, ``elapsed``, ``progress``, ``landed_on``,
        ``missed``, ``known_on``, as `analytics.goals.risk.panel` has them.
    said
        ``goal_id``, ``seen_on``, ``elapsed``, ``due_on``, ``delay``, ``origin``,
        ``missed``, ``known_on``, as `analytics.goals.risk.ladder.Chances` has them.
    as_of
        The last day anything is known of.
    seed
        For draws.
    alignments
        Further goals served: ``goal_id``, ``serves_goal_id``, ``share``.
    days
        Number of days looked back at.
    draws
        Draws on each.

    Returns
    -------
    ParentBacktest
        Frames may be empty; ``unstated``, ``shared`` and ``preferred`` then hold what is assumed.

    Raises
    ------
    ValueError
        If ``days`` is below one.
    """
    if days < 1:
        raise ValueError(f"days must be at least 1; got {days}")
    judged = _judged(goals, said, as_of)
    parents, tried = _nothing()
    raw = parents.select("parent_id", "rolled_up", "landed", "due_on")
    for day in _days(judged, days):
        known = pl.col("due_on") <= day
        then, past = standing(goals, snapshots, on=day), aftermath(snapshots, known_by=day)
        landing = land(
            then,
            too_late(then, _latest(said, day).select("goal_id", "delay"), past, on=day),
            parts=shared_risk(said, goals, seed=seed, known_by=day).parts,
            seed=seed,
            draws=draws,
            unstated=_likely(_rules(tried.filter(known))),
            alignments=alignments,
            after_a_miss=past.brings,
        )
        rows = _looked_back(judged, landing, day)
        raw = pl.concat([raw, rows.select(raw.columns)])
        doubt = doubt_of(raw.filter(known))
        rows = rows.with_columns(
            pl.col("rolled_up", "independent") * (1.0 - doubt.share) + doubt.share * doubt.usual
        )
        learnt = _combination(parents.filter(known))
        combined = np.full(rows.height, np.nan) if learnt is None else learnt.chance(*_both(rows))
        parents = pl.concat(
            [
                parents,
                rows.with_columns(pl.Series("combined", combined, dtype=pl.Float64).fill_nan(None)).select(
                    parents.columns
                ),
            ]
        )
        tried = pl.concat([tried, _tried(judged, landing, day).select(tried.columns)])
    rules = _rules(tried)
    return ParentBacktest(
        parents.sort("parent_id", "seen_on"),
        _methods(parents),
        rules,
        MappingProxyType(_likely(rules)),
        shared_risk(said, goals, seed=seed, known_by=as_of),
        aftermath(snapshots, known_by=as_of),
        doubt_of(raw),
        _combination(parents),
        _preferred(parents),
    )


def standing(goals: pl.DataFrame, snapshots: pl.DataFrame, *, on: date) -> pl.DataFrame:
    """How goals stood on a day, as `analytics.goals.landing.landing.land` reads them.

    Parameters
    ----------
    goals
        One row per goal as the contract has them; drafts are left out.
    snapshots
        As of `parent_backtest`.
    on
        The day.

    Returns
    -------
    pl.DataFrame
        One row per goal that had begun or was done by then, sorted by ``goal_id``: from the goal
        ``parent_id``, ``scope``, ``owner_id``, ``department_id``, ``weight``, ``rollup_rule``,
        ``rollup_needed``; ``state``,
        ``progress`` (0 to 1), ``elapsed``, ``due_on`` (in force that day), ``given_up`` (of a missed goal:
        before it was due).
    """
    seen = (
        snapshots.lazy()
        .filter(pl.col("seen_on") <= on)
        .sort("goal_id", "seen_on")
        .group_by("goal_id", maintain_order=True)
        .last()
        .select("goal_id", "seen_on", pl.col("due_on").alias("_due"), "elapsed", "progress", "landed_on")
        .collect()
    )
    done = pl.coalesce("landed_on", pl.when(pl.col("status").cast(pl.String) == "done").then("completed_on"))
    recent = pl.col("seen_on") > on - timedelta(days=int(SNAPSHOT_DAYS.value))
    return (
        goals.filter(pl.col("status").cast(pl.String) != "draft")
        .select(
            "goal_id",
            "parent_id",
            pl.col("scope", "status", "rollup_rule").cast(pl.String),
            "owner_id",
            "department_id",
            "weight",
            "rollup_needed",
            "due_on",
            "completed_on",
        )
        .join(seen, on="goal_id", how="left", maintain_order="left")
        .with_columns(
            pl.when(done <= on)
            .then(pl.lit("landed"))
            .when(recent & (pl.col("_due") > on))
            .then(pl.lit("open"))
            .when(pl.col("seen_on").is_not_null())
            .then(pl.lit("missed"))
            .alias("state"),
            # Looked at no more though it was neither done nor due: somebody had given it up.
            ((pl.col("_due") - pl.col("seen_on")).dt.total_days() > SNAPSHOT_DAYS.value).alias("given_up"),
        )
        .drop_nulls("state")
        .with_columns(pl.coalesce("_due", "due_on").alias("due_on"), pl.col("progress").clip(0.0, 1.0))
        .select(
            "goal_id",
            "parent_id",
            "scope",
            "owner_id",
            "department_id",
            "weight",
            "rollup_rule",
            "rollup_needed",
            "state",
            "progress",
            "elapsed",
            "due_on",
            "given_up",
        )
        .sort("goal_id")
    )


def chances(landing: Landing, record: ParentBacktest) -> pl.DataFrame:
    """The chance to go by for every goal, by the method that did best in the past.

    Parameters
    ----------
    landing
        Chances of today.
    record
        What became of earlier ones.

    Returns
    -------
    pl.DataFrame
        One row per goal, sorted by ``goal_id``: ``chance`` of landing, ``low``, ``high`` (null where not
        known), ``method`` (one of `USABLE`; ``own`` where nothing counts for a goal). A range judged by goals
        below is never narrower than what past goals of which much the same was said, and the number of
        draws, can tell (90 %, Wilson).
    """
    goals = landing.goals
    below = pl.col("rule").fill_null("") != "own"
    counted = (
        goals["goal_id"].is_in(landing.children["parent_id"].implode()) & goals.select(below).to_series()
    )
    method = pl.when(counted).then(pl.lit(record.preferred)).otherwise(pl.lit("own"))
    mix = record.combination or Combination()
    # What is settled is not in doubt.
    settled = goals["own"].is_in([0.0, 1.0])
    columns = []
    for name, rolled, alone in (
        ("chance", "lands", "own"),
        ("low", "low", "own_low"),
        ("high", "high", "own_high"),
    ):
        below_it = record.doubt.chance(goals[rolled].cast(pl.Float64).to_numpy())
        mixed = mix.chance(goals[alone].cast(pl.Float64).to_numpy(), below_it)
        columns.append(
            pl.when((method == "own") | settled)
            .then(alone)
            .when(method == "combined")
            .then(pl.Series(mixed).fill_nan(None))
            .otherwise(pl.Series(below_it).fill_nan(None))
            .alias(name)
        )
    said = goals.select("goal_id", *columns, method.alias("method"), settled.alias("_settled"))
    low, high = _told_by_the_past(said["chance"].to_numpy(), record, draws=landing.draws)
    open_below = (pl.col("method") != "own") & ~pl.col("_settled")
    return said.with_columns(
        pl.when(open_below & pl.col("low").is_not_null())
        .then(pl.min_horizontal("low", pl.Series(low)))
        .otherwise("low")
        .alias("low"),
        pl.when(open_below & pl.col("high").is_not_null())
        .then(pl.max_horizontal("high", pl.Series(high)))
        .otherwise("high")
        .alias("high"),
    ).drop("_settled")


def _told_by_the_past(chance: Floats, record: ParentBacktest, *, draws: int) -> tuple[Floats, Floats]:
    """The range of a chance that past goals of which much the same was said, and the draws, leave open.

    Goals looked at on several days count once. Where there are none, one goal is assumed.
    """
    past = record.parents.drop_nulls(record.preferred)
    said = past[record.preferred].sort().to_numpy()
    each = past["parent_id"].n_unique() / max(past.height, 1)
    near = np.searchsorted(said, chance + _NEAR, "right") - np.searchsorted(said, chance - _NEAR, "left")
    n = 1.0 / (1.0 / np.maximum(near * each, 1.0) + 1.0 / draws)
    z = float(stats.norm.ppf(0.95))
    middle = (chance + z * z / (2.0 * n)) / (1.0 + z * z / n)
    reach = z * np.sqrt(chance * (1.0 - chance) / n + (z / (2.0 * n)) ** 2) / (1.0 + z * z / n)
    return np.clip(middle - reach, 0.0, 1.0), np.clip(middle + reach, 0.0, 1.0)


def _nothing() -> tuple[pl.DataFrame, pl.DataFrame]:
    """What was said and tried before the first day."""
    about = {"parent_id": pl.String, "scope": pl.String, "seen_on": pl.Date}
    outcome = {"landed": pl.Boolean, "due_on": pl.Date, "known_on": pl.Date}
    chance = dict.fromkeys(METHODS, pl.Float64)
    return (
        pl.DataFrame(
            schema={
                **about,
                "elapsed": pl.Float64,
                "stated": pl.Boolean,
                "learnt": pl.Boolean,
                **chance,
                **outcome,
            }
        ),
        pl.DataFrame(
            schema={**about, "rule": pl.String, "needed": pl.Float64, "lands": pl.Float64, **outcome}
        ),
    )


def _judged(goals: pl.DataFrame, said: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """What was said of goals with goals below them that have since come due.

    Of goals not yet due only those that landed early are known; they would flatter whatever is judged.
    """
    above = goals.select(pl.col("goal_id").alias("parent_id"), pl.col("scope").cast(pl.String)).join(
        goals.select("parent_id"), on="parent_id", how="semi"
    )
    return (
        said.filter(pl.col("missed").is_not_null(), pl.col("due_on") <= as_of)
        .select(
            pl.col("goal_id").alias("parent_id"),
            "seen_on",
            "due_on",
            "elapsed",
            (1.0 - pl.col("delay")).alias("own"),
            pl.col("origin").is_not_null().alias("learnt"),
            (~pl.col("missed")).alias("landed"),
            "known_on",
        )
        .join(above, on="parent_id", maintain_order="left")
    )


def _days(judged: pl.DataFrame, days: int) -> Sequence[date]:
    """Days on which many goals were open, evenly spread over what was said."""
    seen = judged["seen_on"].drop_nulls().sort()
    if seen.is_empty():
        return ()
    at = ((np.arange(days) + 0.5) / days * len(seen)).astype(np.int64)
    return seen[at].unique().sort().to_list()


def _latest(said: pl.DataFrame, day: date) -> pl.DataFrame:
    """What was last said of each goal in the fortnight up to a day."""
    since = day - timedelta(days=int(SNAPSHOT_DAYS.value))
    column = "goal_id" if "goal_id" in said.columns else "parent_id"
    return (
        said.filter(pl.col("seen_on") > since, pl.col("seen_on") <= day)
        .sort(column, "seen_on")
        .group_by(column, maintain_order=True)
        .last()
    )


def _looked_back(judged: pl.DataFrame, landing: Landing, day: date) -> pl.DataFrame:
    """Goals still open on the day whose chance came from below, beside what became of them."""
    below = landing.goals.filter(
        pl.col("rule").fill_null("") != "own",
        pl.col("goal_id").is_in(landing.children["parent_id"].implode()),
    )
    return (
        _latest(judged, day)
        .filter(pl.col("known_on") > day)
        .with_columns(pl.lit(day).alias("seen_on"))
        .join(
            below.select(
                pl.col("goal_id").alias("parent_id"),
                "stated",
                pl.col("lands").alias("rolled_up"),
                pl.col("lands_independent").alias("independent"),
            ),
            on="parent_id",
            maintain_order="left",
        )
    )


def _tried(judged: pl.DataFrame, landing: Landing, day: date) -> pl.DataFrame:
    """The chance by every rule of goals for which nobody said one."""
    unsaid = landing.goals.filter(~pl.col("stated"), ~pl.col("loop")).select("goal_id")
    return (
        landing.by_rule.join(unsaid, on="goal_id", how="semi")
        .rename({"goal_id": "parent_id"})
        .join(
            _latest(judged, day).filter(pl.col("known_on") > day).drop("seen_on"),
            on="parent_id",
            maintain_order="left",
        )
        .with_columns(pl.lit(day).alias("seen_on"))
    )


def _rules(tried: pl.DataFrame) -> pl.DataFrame:
    """How each rule did by scope, and how likely it is the one behind what became of the goals.

    A goal lands by one of the rules, nobody knows by which: the likelihoods are those of a mixture, found by
    expectation and maximisation, with each rule counted once more than it was found.
    """
    wide = tried.with_columns(
        pl.when("landed").then("lands").otherwise(1.0 - pl.col("lands")).alias("_true"),
        (1.0 / (pl.len().over("parent_id") / len(CANDIDATES))).alias("_each"),
    ).sort("scope", "parent_id", "seen_on", maintain_order=True)
    likely = {}
    for (scope,), rows in wide.group_by("scope", maintain_order=True):
        # Rows come in the order of the candidates, day by day.
        came_true = rows["_true"].to_numpy().reshape(-1, len(CANDIDATES)).clip(_SURE, 1.0)
        each = rows["_each"].to_numpy().reshape(-1, len(CANDIDATES))[:, :1]
        shares = np.full(len(CANDIDATES), 1.0 / len(CANDIDATES))
        for _ in range(200):
            behind = came_true * shares
            found = 1.0 + (each * behind / behind.sum(axis=1, keepdims=True)).sum(axis=0)
            shares = found / found.sum()
        likely[scope] = shares
    judged = tried.group_by("scope", "rule", "needed", maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("rows"),
        pl.col("parent_id").n_unique().cast(pl.Int64).alias("parents"),
        (pl.col("lands") - pl.col("landed").cast(pl.Float64)).pow(2).mean().alias("brier"),
    )
    known = pl.DataFrame(
        [
            (scope, rule.name, rule.needed, float(share))
            for scope, shares in likely.items()
            for rule, share in zip(CANDIDATES, shares, strict=True)
        ],
        schema={"scope": pl.String, "rule": pl.String, "needed": pl.Float64, "likely": pl.Float64},
        orient="row",
    )
    return known.join(judged, on=["scope", "rule", "needed"], maintain_order="left").select(
        "scope", "rule", "needed", "rows", "parents", "brier", "likely"
    )


def _likely(rules: pl.DataFrame) -> dict[str, Sequence[float]]:
    """How likely each rule is by scope, in the order of `CANDIDATES`."""
    return {
        str(scope): rows["likely"].to_list()
        for (scope,), rows in rules.group_by("scope", maintain_order=True)
    }


def doubt_of(known: pl.DataFrame) -> Doubt:
    """The share of goals that go their own way which makes what became of them most likely.

    Drawn to the usual doubt as if by fifty goals, so that a few neither raise nor end it.
    """
    if known.is_empty():
        return Doubt()
    rolled, landed = known["rolled_up"].to_numpy(), known["landed"].to_numpy()
    each = known["parent_id"].n_unique() / known.height
    usual = float(landed.mean())
    shares = np.arange(1, 61) / 200.0

    def likely(share: float) -> float:
        chance = Doubt(share, usual).chance(rolled)
        fit = np.log(np.where(landed, chance, 1.0 - chance)).sum() * each
        return float(fit + np.log(share) + 49.0 * np.log1p(-share))

    return Doubt(max(shares.tolist(), key=likely), usual)


def _combination(known: pl.DataFrame) -> Combination | None:
    """Learn how to combine, from goals whose outcome is known; None from too few or of one outcome only.

    What was said before anything had been learnt teaches nothing about what is said afterwards.
    """
    known = known.filter("learnt")
    landed = known["landed"].cast(pl.Float64).to_numpy()
    few = known["parent_id"].n_unique() < MINIMUM_PARENTS.value or known["seen_on"].n_unique() < _FEWEST_DAYS
    if few or landed.min() == landed.max():
        return None
    own, rolled = _both(known)
    design = np.column_stack([np.ones(len(landed)), log_odds(own, sure=_SURE), log_odds(rolled, sure=_SURE)])
    # Goals seen on several days are not several goals, but every row counts alike: to let each goal count
    # once would weigh those that landed early more, and make all look quicker than they are.
    each = known["parent_id"].n_unique() / len(landed)
    found, _ = posterior(
        design, landed, weight=each, mean=np.array(_PULL), precision=np.eye(3) / _PULL_SPREAD**2
    )
    return Combination(*(float(value) for value in found))


def _both(rows: pl.DataFrame) -> tuple[Floats, Floats]:
    return rows["own"].to_numpy(), rows["rolled_up"].to_numpy()


def _methods(parents: pl.DataFrame) -> pl.DataFrame:
    """How each method did, and whether it beats goals that share nothing, on the same rows."""
    reach = float(stats.norm.ppf(0.5 + CONFIDENCE.value / 2.0))
    found = []
    for method in METHODS:
        rows = parents.drop_nulls(method)
        if rows.is_empty():
            continue
        said, landed = rows[method].to_numpy(), rows["landed"].cast(pl.Float64).to_numpy()
        saved = (rows["independent"].to_numpy() - landed) ** 2 - (said - landed) ** 2
        error = _error_by_goal(saved, rows["parent_id"])
        found.append(
            {
                "method": method,
                "rows": rows.height,
                "parents": rows["parent_id"].n_unique(),
                "brier": float(((said - landed) ** 2).mean()),
                "ece": calibration_error(said, landed),
                "said": float(said.mean()),
                "landed": float(landed.mean()),
                "saved": float(saved.mean()),
                "saved_low": float(saved.mean()) - reach * error,
                "saved_high": float(saved.mean()) + reach * error,
            }
        )
    numbers = ("brier", "ece", "said", "landed", "saved", "saved_low", "saved_high")
    return pl.DataFrame(
        found,
        schema={
            "method": pl.String,
            "rows": pl.Int64,
            "parents": pl.Int64,
            **dict.fromkeys(numbers, pl.Float64),
        },
    )


def _error_by_goal(values: Floats, goals: pl.Series) -> float:
    """Standard error of a mean over rows of which those of one goal hang together."""
    code = goals.rank("dense").to_numpy().astype(np.int64) - 1
    sums = np.bincount(code, values - values.mean())
    return float(np.sqrt((sums**2).sum() * len(sums) / max(len(sums) - 1, 1)) / len(values))


def calibration_error(said: Floats, happened: Floats) -> float:
    """Mean distance of stated chance and share that came true, over bins of equal count.

    Parameters
    ----------
    said
        Chances.
    happened
        1 or 0.

    Returns
    -------
    float
        In ten bins; in fewer where there are fewer than ten rows a bin.
    """
    order = np.argsort(said, kind="stable")
    bins = np.array_split(order, max(1, min(_BINS, len(said) // _BINS)))
    gaps = [abs(said[mine].mean() - happened[mine].mean()) * len(mine) for mine in bins]
    return float(sum(gaps) / len(said))


def _preferred(parents: pl.DataFrame) -> str:
    """The method with the smallest Brier score where all were tried on enough goals."""
    common = parents.drop_nulls("combined")
    if common["parent_id"].n_unique() < MINIMUM_PARENTS.value:
        return "rolled_up"
    landed = common["landed"].cast(pl.Float64)
    return min(USABLE, key=lambda method: float(((common[method] - landed) ** 2).mean()))  # type: ignore[arg-type]
