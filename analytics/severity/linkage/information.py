"""How much do comparisons tell about each rater?

Reads    one row per rating: rater_id, ratee_id.
Returns  per rater how many comparisons their severity rests on and how well they carry it; per ratee how much
         of all comparing goes through them; on request what further reviews would add.

Every ratee compares the raters they share. With the ratee's own level taken out, the precision of the
raters' severities is the Laplacian ``L = D - N' diag(1 / n_i) N``, where ``N`` holds how often rater j rated
ratee i: ``L_jj = sum_i n_ij (1 - n_ij / n_i)`` (Abowd, Creecy & Kramarz 2002; Jochmans & Weidner 2019). Its
pseudo-inverse gives the variance of a severity against the average rater of the component, and against the
average of the others ``R_j = (m / (m - 1))^2 (L+)_jj`` for m raters: an effective resistance. Two raters who
both rated k people, once each, have ``R = 2 / k``; so ``2 / R_j`` is how many people rated on both sides the
whole net of links around a rater is as good as. It is never more than ``2 L_jj``, which takes the severities
of all others for known (Rayleigh: more wire never resists more).

With variances, severities are random, ``N(0, g)``: then ``g - (L / s + I / g)^-1_jj`` over g is the share of
what there is to know about a rater that comparisons tell. What the team as a whole got is no comparison and
counts for nothing here, so that somebody nobody can be compared with has a reliability of nought, where
`analytics.severity.linear` would also take teams to be alike on average. A ratee variance brings that back.

Beyond a dense matrix of raters the diagonals come from random probes (Bekas, Kokiopoulou & Saad 2007;
Spielman & Srivastava 2011), solved by conjugate gradients: to within about a tenth.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import linalg, sparse
from scipy.sparse import csgraph
from threadpoolctl import threadpool_limits

from analytics.severity.linkage.graph import coded

REFERENCE: Final = (
    "Abowd, Creecy & Kramarz (2002); Jochmans & Weidner (2019), Econometrica 87(5). doi:10.3982/ECTA14691; "
    "Klein & Randić (1993), J. Math. Chem. 12, resistance distance. doi:10.1007/BF01164627; "
    "Spielman & Srivastava (2011), SIAM J. Comput. 40(6). doi:10.1137/080734029; "
    "Bekas, Kokiopoulou & Saad (2007), Appl. Numer. Math. 57. doi:10.1016/j.apnum.2007.01.003"
)

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

MOST_DENSE: Final = 3_000
"""Raters up to whom everything is exact: two seconds on two cores."""

_PROBES: Final = 200
_PROBES_AT_ONCE: Final = 20  # a column of as many ratings each
_MOST_STEPS: Final = 400
_NEAR: Final = 1e-5
_DIGITS: Final = 12  # of a reliability, so that nothing known is nought and not rounding
_AT_ONCE: Final = 1_000  # ratees whose comparisons are weighed together


@dataclass(frozen=True)
class Variances:
    """What ratings vary by, in squared rating points.

    Attributes
    ----------
    rater
        Of severities, more than nought.
    residual
        Of one rating, given who rated whom; more than nought.
    pair
        Of what one rater thinks of one ratee time and again.
    ratee
        Of ratees; infinite where ratees are compared with nobody but themselves.
    """

    rater: float
    residual: float
    pair: float = 0.0
    ratee: float = math.inf

    def __post_init__(self) -> None:
        for name in ("rater", "residual"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ValueError(f"{name} must be a finite variance above nought; got {value}")
        if self.pair < 0 or not self.ratee > 0:
            raise ValueError(
                f"pair must be at least nought and ratee above it; got {self.pair} and {self.ratee}"
            )

    @classmethod
    def fitted(cls, parts: pl.DataFrame) -> Variances | None:
        """Those of a fit (`Severity.variances`); None where raters do not differ or nothing was fitted.

        Moods, which all ratings of a rater in one cycle share, count as chance: who is asked for reviews is
        asked in cycles to come.
        """
        found: dict[str, float] = dict(parts.select("part", "variance").iter_rows())
        rater = found.get("rater", 0.0) + found.get("standard", 0.0)
        residual = found.get("residual", 0.0) + found.get("mood", 0.0)
        return cls(rater, residual, found.get("pair", 0.0)) if rater > 0 and residual > 0 else None

    @property
    def rating(self) -> float:
        """Of one rating beyond rater and ratee."""
        return self.residual + self.pair


@dataclass(frozen=True)
class Information:
    """What comparisons tell.

    Attributes
    ----------
    raters
        One row per rater, sorted by ``rater_id``: ``comparisons`` (``2 L_jj``: as good as so many people
        rated on both sides, were everybody else's severity known), ``as_good_as`` (``2 / R_j``: as good as
        so many as things are; nought for a rater nobody shares a person with) and ``reliability`` (null
        without variances).
    people
        One row per ratee with at least two raters, sorted by ``ratee_id``: ``n_raters`` and ``carries``, how
        many of the links that it takes go through this ratee. Over all ratees ``carries`` adds up to the
        number of raters less the number of components; a ratee of two raters who carries 1 is their only
        link.
    exact
        Whether the numbers come from a dense matrix, not from probes.
    """

    raters: pl.DataFrame
    people: pl.DataFrame
    exact: bool
    _net: _Net
    _spread: _Spread | None

    def reliability_after(self, rater_id: str, ratee_ids: Sequence[str]) -> float | None:
        """How well a rater could be told apart had they also rated these people, once each.

        Parameters
        ----------
        rater_id
            Somebody who rated.
        ratee_ids
            People they did not rate, rated by others.

        Returns
        -------
        float or None
            Between the reliability now and 1; None without variances.
        """
        if self._spread is None:
            return None
        rater = self._net.raters[rater_id]
        ratees = np.array([self._net.ratees[ratee_id] for ratee_id in ratee_ids], dtype=np.int64)
        reach, noise = self._spread.of_reviews(self._net, rater, ratees)
        left = self._spread.variance(rater) - reach @ np.linalg.solve(noise, reach)
        return round(float(np.clip(1.0 - left / self._spread.prior, 0.0, 1.0)), _DIGITS)

    def best_review(self, rater_id: str, ratee_ids: Sequence[str], *, beside: Sequence[str] = ()) -> str:
        """Whose review by a rater would tell most about that rater; the first of those that tell as much.

        Parameters
        ----------
        rater_id
            Somebody who rated.
        ratee_ids
            People to choose from, at least one; rated by others, not by this rater.
        beside
            People this rater reviews anyway.
        """
        told = [self.reliability_after(rater_id, [*beside, ratee_id]) or 0.0 for ratee_id in ratee_ids]
        return ratee_ids[int(np.argmax(np.round(told, 9)))]

    def reviews_needed(self, rater_id: str, ratee_id: str, *, target: float) -> int | None:
        """How many reviews of people like this ratee it takes to tell a rater apart; None without variances.

        Parameters
        ----------
        target
            The reliability to reach, above 0 and below 1.
        """
        if not 0.0 < target < 1.0:
            raise ValueError(f"target must lie between 0 and 1; got {target}")
        if self._spread is None:
            return None
        rater = self._net.raters[rater_id]
        ratee = np.array([self._net.ratees[ratee_id]], dtype=np.int64)
        now = self._spread.variance(rater)
        reach, noise = self._spread.of_reviews(self._net, rater, ratee)
        # Precision that one review adds when the rater's own severity is taken from its noise.
        one = noise.item() - 2.0 * reach.item() + now
        missing = 1.0 / ((1.0 - target) * self._spread.prior) - 1.0 / now
        return max(0, math.ceil(missing * one - 1e-9))


def information(ratings: pl.DataFrame, *, variances: Variances | None = None, seed: int = 0) -> Information:
    """Weigh the comparisons between raters.

    Parameters
    ----------
    ratings
        One row per rating with ``rater_id`` and ``ratee_id``; self-ratings must have been left out.
    variances
        What ratings vary by; without, every rating counts in full and no reliability is given. With a pair
        variance the ratings of one pair count as fewer.
    seed
        Of the random probes that more than `MOST_DENSE` raters are weighed by.

    Returns
    -------
    Information
        Empty frames for no ratings.
    """
    net = _net(ratings, variances)
    component = net.component
    exact = len(net.raters) <= MOST_DENSE
    if exact:
        inverse = _inverse(net.laplacian, component)
        resistance, carries = inverse.diagonal().copy(), _carried(net, inverse)
    else:
        resistance, carries = _probed(net, np.random.default_rng(seed))
    sizes = np.bincount(component, minlength=1)[component].astype(np.float64)
    linked = sizes > 1
    # Against the average of the others instead of that of all, the rater included.
    apart = resistance * np.divide(sizes, sizes - 1.0, out=np.ones_like(sizes), where=linked) ** 2
    direct = net.laplacian.diagonal()
    good = np.divide(2.0, apart, out=np.zeros_like(apart), where=linked & (apart > 0))
    spread = None
    if variances is not None:
        spread = _Spread.of(net, variances, exact=exact, rng=np.random.default_rng([seed, 1]))
    n_raters = np.diff(net.counts.indptr)
    shared = n_raters > 1
    return Information(
        raters=pl.DataFrame(
            {
                "rater_id": list(net.raters),
                "comparisons": 2.0 * direct,
                "as_good_as": np.minimum(good, 2.0 * direct),
            },
            schema={"rater_id": pl.String, "comparisons": pl.Float64, "as_good_as": pl.Float64},
        )
        .with_columns(
            pl.lit(None, dtype=pl.Float64).alias("reliability")
            if spread is None
            else pl.Series("reliability", spread.reliabilities, dtype=pl.Float64)
        )
        .sort("rater_id"),
        people=pl.DataFrame(
            {"ratee_id": list(net.ratees), "n_raters": n_raters, "carries": carries},
            schema={"ratee_id": pl.String, "n_raters": pl.Int64, "carries": pl.Float64},
        )
        .filter(pl.Series(shared, dtype=pl.Boolean))
        .sort("ratee_id"),
        exact=exact,
        _net=net,
        _spread=spread,
    )


@dataclass(frozen=True)
class _Net:
    """Who rated whom how often, and what that says of raters when ratees' levels are taken out.

    ``counts`` has the shape (ratees, raters), in ratings that count in full; ``totals`` (ratees,) is its sum
    per ratee and what is known of a ratee beforehand; ``laplacian`` has the shape (raters, raters).
    """

    raters: Mapping[str, int]
    ratees: Mapping[str, int]
    counts: sparse.csr_matrix
    totals: Floats
    laplacian: sparse.csr_matrix
    component: Integers


def _net(ratings: pl.DataFrame, variances: Variances | None) -> _Net:
    pairs = (
        ratings.select(pl.col("rater_id", "ratee_id").cast(pl.String))
        .group_by("rater_id", "ratee_id")
        .agg(pl.len().alias("n"))
        .sort("rater_id", "ratee_id")
    )
    names = {name: pairs[name].unique().sort().to_list() for name in ("rater_id", "ratee_id")}
    raters, ratees = ({one: i for i, one in enumerate(found)} for found in names.values())
    n = pairs["n"].to_numpy().astype(np.float64)
    prior = 0.0
    if variances is not None:
        # The mean of n ratings of one pair has the variance pair + residual / n.
        n = variances.rating / (variances.pair + variances.residual / n)
        prior = variances.rating / variances.ratee
    counts = sparse.csr_matrix(
        (n, (coded(pairs["ratee_id"]), coded(pairs["rater_id"]))), shape=(len(ratees), len(raters))
    )
    totals = np.asarray(counts.sum(axis=1)).ravel() + prior
    given = np.asarray(counts.sum(axis=0)).ravel()
    shared = sparse.csr_matrix(counts.T @ counts.multiply(1.0 / totals[:, None] if totals.size else 1.0))
    laplacian = sparse.csr_matrix(sparse.diags_array(given) - shared)
    _, component = csgraph.connected_components(shared, directed=False)
    return _Net(raters, ratees, counts, totals, laplacian, component.astype(np.int64))


def _inverse(laplacian: sparse.csr_matrix, component: Integers) -> Floats:
    """Pseudo-inverse of the Laplacian, whose null vectors are the components."""
    sizes = np.bincount(component, minlength=1)[component].astype(np.float64)
    together = (component[:, None] == component[None, :]) / sizes[:, None] if sizes.size else np.zeros((0, 0))
    return np.asarray(_inverted(laplacian.toarray() + together) - together)


def _inverted(matrix: Floats) -> Floats:
    """Inverse of a symmetric positive definite matrix."""
    if not matrix.size:
        return matrix
    # One thread: on shared cores threads wait for each other longer than they work.
    with threadpool_limits(limits=1, user_api="blas"):
        factor = linalg.cholesky(matrix, lower=True, check_finite=False)
        half, _ = linalg.lapack.dpotri(factor, lower=1)
    lower = np.tril(half)
    return np.asarray(lower + np.tril(lower, -1).T)


def _carried(net: _Net, inverse: Floats) -> Floats:
    """Trace of what each ratee's ratings take from the rank: ``sum_j n_j V_jj - n' V n / total``."""
    found = net.counts @ inverse.diagonal()
    for start in range(0, net.totals.size, _AT_ONCE):
        rows = net.counts[start : start + _AT_ONCE]
        met = np.asarray(rows.multiply(rows @ inverse).sum(axis=1)).ravel()
        found[start : start + _AT_ONCE] -= met / net.totals[start : start + _AT_ONCE]
    return np.asarray(found)


def _probed(net: _Net, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Diagonal of the pseudo-inverse and what ratees carry, from random signs on the ratings."""
    cells = net.counts.tocoo()
    weight = np.sqrt(cells.data)
    onto = sparse.csr_matrix(
        (weight, (cells.row, np.arange(weight.size))), shape=(net.totals.size, weight.size)
    )
    of = sparse.csr_matrix(
        (weight, (cells.col, np.arange(weight.size))), shape=(len(net.raters), weight.size)
    )
    resistance, carries = np.zeros(len(net.raters)), np.zeros(net.totals.size)
    for _ in range(_PROBES // _PROBES_AT_ONCE):
        signs = rng.choice([-1.0, 1.0], size=(weight.size, _PROBES_AT_ONCE))
        given = of @ signs - net.counts.T @ ((onto @ signs) / net.totals[:, None])
        found = _solved(net.laplacian, given, net.component)
        mean = (net.counts @ found) / net.totals[:, None]
        fitted = weight[:, None] * (found[cells.col] - mean[cells.row])
        resistance += (found**2).sum(axis=1)
        carries += np.bincount(cells.row, (signs * fitted).sum(axis=1), net.totals.size)
    return resistance / _PROBES, np.maximum(carries / _PROBES, 0.0)


def _solved(matrix: sparse.csr_matrix, right: Floats, component: Integers | None) -> Floats:
    """Conjugate gradients for many right-hand sides at once, scaled by the diagonal."""
    scale = matrix.diagonal()
    scale = np.where(scale > 0, scale, 1.0)[:, None]
    found = np.zeros_like(right)
    residual = right.copy()
    towards = residual / scale
    step = towards.copy()
    size = np.einsum("ij,ij->j", residual, towards)
    enough = _NEAR**2 * np.maximum(size, np.finfo(np.float64).tiny)
    for _ in range(_MOST_STEPS):
        if (size <= enough).all():
            break
        ahead = matrix @ step
        along = np.einsum("ij,ij->j", step, ahead)
        length = np.divide(size, along, out=np.zeros_like(size), where=along > 0)
        found += length * step
        residual -= length * ahead
        towards = residual / scale
        before, size = size, np.einsum("ij,ij->j", residual, towards)
        step = towards + np.divide(size, before, out=np.zeros_like(size), where=before > 0) * step
    if component is None:
        return found
    parts = sparse.csr_matrix((np.ones(component.size), (component, np.arange(component.size))))
    means = np.asarray(parts @ found) / np.bincount(component)[:, None]
    return np.asarray(found - means[component])


@dataclass(frozen=True)
class _Spread:
    """What is left unknown of severities: their covariance given the ratings, or its diagonal alone."""

    prior: float
    rating: float
    covariance: Floats

    @classmethod
    def of(cls, net: _Net, variances: Variances, *, exact: bool, rng: np.random.Generator) -> _Spread:
        before = sparse.eye_array(len(net.raters)) * (1.0 / variances.rater)
        known = sparse.csr_matrix(net.laplacian.multiply(1.0 / variances.rating) + before)
        if exact:
            dense: Floats = known.toarray().astype(np.float64)
            return cls(variances.rater, variances.rating, _inverted(dense))
        signs = rng.choice([-1.0, 1.0], size=(len(net.raters), _PROBES))
        diagonal = (signs * _solved(known, signs, None)).mean(axis=1)
        # Knowing all others' severities nothing less would be left; knowing nothing, nothing more.
        return cls(
            variances.rater,
            variances.rating,
            np.clip(diagonal, 1.0 / known.diagonal(), variances.rater),
        )

    @property
    def reliabilities(self) -> Floats:
        """Share of what there is to know about each rater that comparisons tell."""
        left = self.covariance.diagonal() if self.covariance.ndim == 2 else self.covariance
        return np.asarray(np.clip(1.0 - left / self.prior, 0.0, 1.0).round(_DIGITS))

    def variance(self, rater: int) -> float:
        """What is left unknown of one rater."""
        return float(self.covariance[rater, rater] if self.covariance.ndim == 2 else self.covariance[rater])

    def among(self, raters: Integers) -> Floats:
        """Covariance of some raters; beyond a dense matrix their errors are taken to be unrelated."""
        if self.covariance.ndim == 2:
            return np.asarray(self.covariance[np.ix_(raters, raters)])
        return np.diag(self.covariance[raters])

    def of_reviews(self, net: _Net, rater: int, ratees: Integers) -> tuple[Floats, Floats]:
        """Covariance of a rater with further reviews by them, and of the reviews with each other.

        A review of somebody speaks of the rater by its difference to what the others gave the same person.

        Returns
        -------
        tuple
            Shapes (reviews,) and (reviews, reviews).
        """
        rows = net.counts[ratees]
        involved = np.unique(np.append(rows.indices, rater))
        contrast = -rows[:, involved].toarray() / net.totals[ratees][:, None]
        own = int(np.searchsorted(involved, rater))
        contrast[:, own] += 1.0
        covariance = self.among(involved)
        noise = self.rating * np.diag(1.0 + 1.0 / net.totals[ratees])
        return contrast @ covariance[:, own], noise + contrast @ covariance @ contrast.T
