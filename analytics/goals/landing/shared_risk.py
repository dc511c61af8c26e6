"""How much do goals that share an owner, a department or a goal above them fail together?

Reads    what was said of past goals while they were open (`delay`, `missed`), and whose goals they are.
Returns  for each shared cause the part of the chance it carries, its standard error, and on how many pairs
         it rests.

Behind each goal stands a hidden standard normal load ``z = √a·owner + √b·department + √c·parent + rest``; the
goal misses if the load exceeds what its delay probability leaves it. What two goals share is the correlation
of their loads. The delay probability is taken as it was said, so that only what it did not foresee counts:
two goals of a bad owner that were both said to miss tell nothing, two that were said to land and missed do.

Goals with goals below them are left out: what they share comes from below. Parts are estimated by composite
likelihood: the joint outcome of two goals under a bivariate normal, over
pairs that share something and were looked at in the same weeks, when neither outcome was known. Standard
errors allow for all that hangs together within a department. A part is never negative; a cause with too few
pairs keeps the value of `analytics.policy`, and says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import optimize, special, stats

from analytics.disclosure import Cells
from analytics.policy import (
    CONFIDENCE,
    MINIMUM_SHARED_PAIRS,
    MINIMUM_SHARING,
    SHARED_BY_DEPARTMENT,
    SHARED_BY_OWNER,
    SHARED_BY_PARENT,
)

REFERENCE: Final = (
    "Varin, Reid & Firth (2011), Stat. Sin. 21(1) (composite likelihood); "
    "Drezner & Wesolowsky (1990), J. Stat. Comput. Simul. 35(1-2). doi:10.1080/00949659008811236"
)

CAUSES: Final = ("owner", "department", "parent")
COLUMNS: Final = ("owner_id", "department_id", "parent_id")
SAME_WEEKS: Final = 28
"""Days between two looks beyond which the later one already knows of the troubles after the earlier."""

_NEAR: Final = 0.25
_MOST: Final = 0.9
_SURE: Final = 0.005
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Parts(NamedTuple):
    """The part of each goal's load that each shared cause carries; together less than one."""

    owner: float = SHARED_BY_OWNER.value
    department: float = SHARED_BY_DEPARTMENT.value
    parent: float = SHARED_BY_PARENT.value


@dataclass(frozen=True)
class SharedRisk:
    """How much goals fail together.

    Attributes
    ----------
    causes
        One row per cause, in the order of `CAUSES`: ``cause``, ``part`` (correlation of the loads of two
        goals that share this cause only; 0 to 1), ``standard_error``, ``low``, ``high`` (95 % interval, at
        least 0), ``pairs`` and ``groups`` (owners, departments, goals above) it rests on, ``assumed`` (too
        few: the value of the policy; no error then).
    goals
        Number of past goals looked at.
    elapsed
        The share of its time at which each goal was looked at.
    """

    causes: pl.DataFrame
    goals: int
    elapsed: float

    cells: ClassVar[tuple[Cells, ...]] = ()  # About causes, not about people.

    @property
    def parts(self) -> Parts:
        """The parts alone."""
        return Parts(*self.causes["part"].to_list())


def shared_risk(
    said: pl.DataFrame,
    goals: pl.DataFrame,
    *,
    seed: int,
    elapsed: float = 0.5,
    known_by: date | None = None,
    most_pairs: int = 100_000,
) -> SharedRisk:
    """Estimate what goals with a common cause share.

    Parameters
    ----------
    said
        One row per goal and day: ``goal_id``, ``seen_on``, ``elapsed``, ``delay``, ``missed`` (null: not
        known), ``due_on`` (in force that day).
    goals
        One row per goal: ``goal_id``, ``owner_id``, ``department_id``, ``parent_id`` (null: none).
    seed
        For the choice of pairs where there are more than ``most_pairs`` of a cause.
    elapsed
        Each goal is taken as it was said nearest to this share of its time.
    known_by
        Goals due later do not count, even if they landed early. None: all whose outcome is known.
    most_pairs
        Pairs looked at for each cause.

    Returns
    -------
    SharedRisk
        Three rows, whatever there is.

    Raises
    ------
    ValueError
        If ``elapsed`` lies outside 0 to 1 or ``most_pairs`` below the fewest an estimate may rest on.
    """
    if not 0.0 <= elapsed <= 1.0:
        raise ValueError(f"elapsed must be between 0 and 1; got {elapsed}")
    if most_pairs < MINIMUM_SHARED_PAIRS.value:
        raise ValueError(f"most_pairs must be at least {MINIMUM_SHARED_PAIRS.value:.0f}; got {most_pairs}")
    lowest = goals.select("goal_id", *COLUMNS).join(
        goals.select(pl.col("parent_id").alias("goal_id")), on="goal_id", how="anti"
    )
    once = _once(said, elapsed, known_by).join(lowest, on="goal_id", maintain_order="left")
    causes = np.column_stack([_codes(once[name]) for name in COLUMNS])
    first, second = _pairs(causes, _day(once), np.random.default_rng(seed), most_pairs)
    shares = ((causes[first] == causes[second]) & (causes[first] >= 0)).astype(np.float64)
    pairs = shares.sum(axis=0).astype(np.int64)
    groups = np.array([np.unique(causes[first[shares[:, k] > 0], k]).size for k in range(len(CAUSES))])
    told = (pairs >= MINIMUM_SHARED_PAIRS.value) & (groups >= MINIMUM_SHARING.value)
    sign = np.where(once["missed"].to_numpy(), 1.0, -1.0)
    limit = special.ndtri(once["delay"].clip(_SURE, 1.0 - _SURE).to_numpy())
    fitted = _fit(
        _Pairs(sign[first] * limit[first], sign[second] * limit[second], sign[first] * sign[second]),
        shares,
        told,
        _blocks(causes)[first],
    )
    reach = float(stats.norm.ppf(0.5 + CONFIDENCE.value / 2.0))
    frame = pl.DataFrame(
        {
            "cause": CAUSES,
            "part": fitted.parts,
            "standard_error": [e if known else None for e, known in zip(fitted.errors, told, strict=True)],
            "pairs": pairs,
            "groups": groups,
            "assumed": ~told,
        },
        schema={
            "cause": pl.String,
            "part": pl.Float64,
            "standard_error": pl.Float64,
            "pairs": pl.Int64,
            "groups": pl.Int64,
            "assumed": pl.Boolean,
        },
    ).with_columns(
        (pl.col("part") - reach * pl.col("standard_error")).clip(lower_bound=0.0).alias("low"),
        (pl.col("part") + reach * pl.col("standard_error")).clip(upper_bound=1.0).alias("high"),
    )
    return SharedRisk(frame, once.height, elapsed)


def both_miss(first: Floats, second: Floats, correlation: Floats) -> Floats:
    """Chance that two standard normal loads both stay below their limits.

    Parameters
    ----------
    first, second
        The limits.
    correlation
        Between the loads; -1 to 1.

    Returns
    -------
    Floats
        Same shape; exact to about 1e-9 up to correlations of .9.
    """
    # ∂Φ₂/∂r is the bivariate density; with r = sin θ the integrand stays smooth up to r = 1.
    angle = np.arcsin(correlation)
    joint = special.ndtr(first) * special.ndtr(second)
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        turn = 0.5 * angle * (node + 1.0)
        sine, cosine = np.sin(turn), np.cos(turn)
        inside = (first * first + second * second - 2.0 * first * second * sine) / (2.0 * cosine * cosine)
        joint += weight * angle * np.exp(-inside) / (4.0 * np.pi)
    return joint


class _Pairs(NamedTuple):
    """Limits turned by the outcome, so that what happened is always that both loads stay below."""

    first: Floats
    second: Floats
    turned: Floats

    def density(self, correlation: Floats) -> Floats:
        rest = 1.0 - correlation * correlation
        inside = self.first**2 - 2.0 * correlation * self.first * self.second + self.second**2
        found: Floats = np.exp(-inside / (2.0 * rest)) / (2.0 * np.pi * np.sqrt(rest))
        return found


class _Fitted(NamedTuple):
    parts: Floats
    errors: Floats


def _once(said: pl.DataFrame, elapsed: float, known_by: date | None) -> pl.DataFrame:
    """Each past goal on one day, as near as can be to the share of its time asked for."""
    known = pl.col("missed").is_not_null() & pl.col("delay").is_not_null()
    if known_by is not None:
        # By the due date: of goals not yet due, only those that landed early are known.
        known &= (pl.col("due_on") <= known_by).fill_null(value=False)
    away = (pl.col("elapsed") - elapsed).abs()
    return (
        said.lazy()
        .filter(known, away <= _NEAR)
        .select("goal_id", "seen_on", "delay", "missed", away.alias("_away"))
        .sort("goal_id", "_away", "seen_on")
        .unique("goal_id", keep="first", maintain_order=True)
        .collect()
    )


def _codes(ids: pl.Series) -> Integers:
    """Numbers for ids, -1 for none."""
    return ids.rank("dense").cast(pl.Int64).fill_null(0).to_numpy() - 1


def _day(once: pl.DataFrame) -> Integers:
    return once["seen_on"].cast(pl.Int32).cast(pl.Int64).to_numpy()


def _pairs(causes: Integers, day: Integers, rng: np.random.Generator, most: int) -> tuple[Integers, Integers]:
    """Pairs of goals that share a cause and were looked at in the same weeks, each once."""
    n = len(causes)
    found = [np.empty(0, dtype=np.int64)]
    for cause in causes.T:
        order = np.flatnonzero(cause >= 0)
        # Within a cause by day, so that each goal's partners are the goals that follow it closely.
        order = order[np.lexsort((day[order], cause[order]))]
        spot = cause[order] * (int(day.max(initial=0)) + 2 * SAME_WEEKS) + day[order]
        partners = np.searchsorted(spot, spot + SAME_WEEKS, side="right") - np.arange(len(order)) - 1
        until = np.cumsum(partners)
        total = int(until[-1]) if len(until) else 0
        chosen = np.arange(total) if total <= most else np.unique(rng.integers(0, total, most))
        goal = np.searchsorted(until, chosen, side="right")
        partner = goal + 1 + chosen - (until[goal] - partners[goal])
        one, other = order[goal], order[partner]
        found.append(np.minimum(one, other) * n + np.maximum(one, other))
    both = np.unique(np.concatenate(found))
    return both // max(n, 1), both % max(n, 1)


def _blocks(causes: Integers) -> Integers:
    """Departments, or owners where there are too few departments to judge an error by."""
    by = 1 if np.unique(causes[:, 1]).size >= MINIMUM_SHARING.value else 0
    blocks: Integers = causes[:, by]
    return blocks


def _fit(pairs: _Pairs, shares: Floats, told: npt.NDArray[np.bool_], blocks: Integers) -> _Fitted:
    """Parts of greatest composite likelihood; those of causes that cannot be told stay as assumed."""
    parts, errors = np.array(Parts()), np.full(len(CAUSES), np.nan)
    if not told.any():
        return _Fitted(parts, errors)
    # A pair that shares only what cannot be told says nothing of the rest.
    use = shares[:, told].any(axis=1)
    pairs, shares, blocks = _Pairs(*(side[use] for side in pairs)), shares[use], blocks[use]

    def scores(tried: Floats) -> tuple[Floats, Floats]:
        whole = parts.copy()
        whole[told] = tried
        correlation = pairs.turned * np.minimum(shares @ whole, _MOST)
        chance = np.maximum(both_miss(pairs.first, pairs.second, correlation), 1e-12)
        return chance, pairs.turned * pairs.density(correlation) / chance

    def objective(tried: Floats) -> tuple[float, Floats]:
        chance, slope = scores(tried)
        return -float(np.log(chance).mean()), -(shares[:, told].T @ slope) / len(slope)

    bounds = [(0.0, _MOST)] * int(told.sum())
    best = optimize.minimize(objective, parts[told], jac=True, bounds=bounds, method="L-BFGS-B")
    parts[told] = best.x
    slope = shares[:, told] * scores(best.x)[1][:, None]
    block = np.unique(blocks, return_inverse=True)[1]
    sums = np.column_stack([np.bincount(block, slope[:, k]) for k in range(slope.shape[1])])
    bread = np.linalg.pinv(slope.T @ slope)
    inflation = len(sums) / max(len(sums) - 1, 1)
    errors[told] = np.sqrt(np.diag(bread @ (sums.T @ sums) @ bread) * inflation)
    return _Fitted(parts / max(1.0, parts.sum() / _MOST), errors)
