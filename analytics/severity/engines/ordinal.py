"""Which part of an ordered level belongs to each of several crossed groupings?

Reads    a level per row, fixed covariates, for every random factor the level of it each row belongs to.
Returns  thresholds, coefficients, variances in logits, and for every level of a factor its conditional mode
         with two standard errors.

The model is the cumulative logit ``P(level <= j) = F(theta_j - eta)``, ``eta = X b + sum_k Z_k u_k + Z_p v``,
with ``F`` logistic and independent ``u_k ~ N(0, s_k^2)``, ``v ~ N(0, s_p^2)``: the higher ``eta``, the higher
the level. Rows of several rating scales may be fitted together: each scale has its own thresholds upon the
one latent unit.

The likelihood is Laplace's approximation with the observed curvature, as in ``ordinal::clmm``: with ``b`` the
effects in units of their standard deviations and ``H = I + S Z' W Z S`` the curvature at their mode,
``log L = l(mode) - b'b / 2 - log|H| / 2``. For the logistic function the derivatives of a row in ``eta``
are no more than ``F(A) + F(B) - 1``, ``-(f(A) + f(B))`` and ``f'(A) + f'(B)`` with ``A`` and ``B`` the
distances of the thresholds around its level. ``H`` is never formed: pairs are eliminated first, which leaves
to a pair of weight w the weight ``w / (1 + s_p^2 w)``, and with them each level that is met in one pair only;
then the largest factor, whose block is diagonal; what remains is one dense symmetric block of all other
levels. Gradients are analytic, through the movement of the mode: with leverages ``h_i`` and
``a = H^-1 S Z' (h_i dw_i / d eta_i)``, every derivative is one more sum over rows. The search is a
quasi-Newton one that starts from the curvature of the joint equations and the average information of the
variances. Restricted variances add to the slopes those of ``-log|information about fixed parts| / 2`` at
given weights. A standard deviation is sought on the whole line, on which the likelihood is even, so that
nought is an ordinary value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import linalg, sparse, special
from threadpoolctl import threadpool_limits

from analytics.severity.engines.crossed import (
    PAIR,
    Modes,
    NotEstimable,
    _codes,
    _independent,
    _Meetings,
    _nested,
    _totals,
)

REFERENCE: Final = (
    "Christensen (2019), ordinal: Regression Models for Ordinal Data, R package; "
    "Tuerlinckx et al. (2006), Br. J. Math. Stat. Psychol. 59(2). doi:10.1348/000711005X79857; "
    "Breslow & Clayton (1993), J. Am. Stat. Assoc. 88(421). doi:10.1080/01621459.1993.10594284; "
    "Cox & Reid (1987), J. R. Stat. Soc. B 49(1). doi:10.1111/j.2517-6161.1987.tb01422.x"
)

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Weights = Floats | sparse.csr_matrix

_MOST_STEPS: Final = 100
_GAIN: Final = 1e-7  # expected gain in log likelihood below which the search stops
_NEAR: Final = 1e-5  # the same for the restricted search, whose aim is an approximation itself
_MOST_TURNS: Final = 200  # of the search for the mode
_SETTLED: Final = 1e-12  # squared length of the last step towards the mode, in its own metric
_START: Final = 0.7  # standard deviation of each factor, in logits
_STILL: Final = 1e-5  # deviation in logits that is as good as none
_SMALL: Final = 0.05  # variance times what a level tells, below which it is tried whether it is nought
_LITTLE: Final = 1e-5  # log likelihood that may be lost by it
_INFORMED: Final = 3  # steps from whose information about fixed parts all later ones learn
_REMEMBERED: Final = 12  # steps the search learns its curvature from
_WIDEST: Final = 30.0  # standard deviation in logits that no ratings can tell from any larger one
_AT_ONCE: Final = 512  # contrasts solved for together


@dataclass(frozen=True)
class OrdinalFit:
    """What `fit_ordinal` found.

    Attributes
    ----------
    log_likelihood
        Laplace's approximation, as ``ordinal::clmm`` has it, at its maximum.
    variances
        Variance by factor, in squared logits; exactly 0 on the boundary. That of the pairs, if they were
        asked for, is called ``crossed.PAIR``.
    thresholds
        By scale the upper bounds of its levels but the last, in logits, shape (levels - 1,). A level nobody
        used has no width: its two bounds are equal, or infinite at the end of a scale.
    threshold_errors
        Their standard errors, in the same shape; null (not a number) where a bound is infinite.
    coefficients, coefficient_errors
        Fixed effects in logits and their standard errors by covariate, without the dropped ones. Errors take
        the variances as known, as those of a linear mixed model do; see `likelihood_errors`.
    dropped
        Covariates that repeat what the scales and earlier ones already say.
    separated
        Covariates that part the levels so cleanly that no size of their effect is too large: their errors
        are as good as infinite.
    modes
        Modes by factor, in logits.
    fixed, predictor
        What the covariates add to each row, and all of ``eta`` at the mode, in logits, shape (rows,).
    n
        Number of rows that say something: of scales of which more than one level was used.
    steps
        Steps of the search.
    converged
        Whether the search ended where nothing more could be gained.
    """

    log_likelihood: float
    variances: Mapping[str, float]
    thresholds: tuple[Floats, ...]
    threshold_errors: tuple[Floats, ...]
    coefficients: Mapping[str, float]
    coefficient_errors: Mapping[str, float]
    dropped: tuple[str, ...]
    separated: tuple[str, ...]
    modes: Mapping[str, Modes]
    fixed: Floats
    predictor: Floats
    n: int
    steps: int
    converged: bool
    _grid: _Grid
    _system: _System
    _point: _Point

    @property
    def criterion(self) -> float:
        """Minus twice the log likelihood."""
        return -2.0 * self.log_likelihood

    def likelihood_errors(self) -> tuple[tuple[Floats, ...], Mapping[str, float]]:
        """Standard errors that know of the variances being estimated, as ``clmm2`` prints them.

        They come from the curvature of the likelihood in all parameters, two evaluations for each, and are
        some per cent larger than `threshold_errors` and `coefficient_errors`.

        Returns
        -------
        tuple
            In the shapes of ``threshold_errors`` and ``coefficient_errors``.
        """
        with threadpool_limits(limits=1, user_api="blas"):
            curvature = self._system.curvature(self._point)
        errors = np.sqrt(np.diag(linalg.inv(curvature)))
        size = self._grid.size
        coefficients = errors[size : size + len(self.coefficients)].tolist()
        return (
            self._grid.spread(errors[:size], ends=math.nan),
            MappingProxyType(dict(zip(self.coefficients, coefficients, strict=True))),
        )

    def contrasts(self, weights: Mapping[str, Weights]) -> Modes:
        """Weighted sums of modes, with the same two standard errors.

        Parameters
        ----------
        weights
            By factor an array or sparse matrix of shape (contrasts, levels); factors left out weigh nothing.

        Returns
        -------
        Modes
            One entry per contrast, in logits.
        """
        unknown = set(weights) - set(self.variances)
        if unknown or not weights:
            raise ValueError(
                f"weights must name factors among {', '.join(self.variances)}; got {sorted(unknown)}"
            )
        rows = {name: sparse.csr_matrix(matrix, dtype=np.float64) for name, matrix in weights.items()}
        many = next(iter(rows.values())).shape[0]
        with threadpool_limits(limits=1, user_api="blas"):
            parts = [
                self._system.contrasts(
                    self._point, {name: matrix[at : at + _AT_ONCE] for name, matrix in rows.items()}
                )
                for at in range(0, many, _AT_ONCE)
            ]
        return Modes(
            values=np.concatenate([part.values for part in parts]),
            conditional_sd=np.concatenate([part.conditional_sd for part in parts]),
            standard_error=np.concatenate([part.standard_error for part in parts]),
        )


def fit_ordinal(
    level: npt.ArrayLike,
    *,
    factors: Mapping[str, npt.ArrayLike],
    covariates: Mapping[str, npt.ArrayLike] | None = None,
    pair: npt.ArrayLike | None = None,
    scale: npt.ArrayLike | None = None,
    restricted: bool = False,
) -> OrdinalFit:
    """Fit a cumulative logit mixed model with crossed random factors.

    Parameters
    ----------
    level
        Ordered levels, integers from 0 (the lowest), shape (rows,).
    factors
        By name the level of each row, integers 0 to levels - 1, shape (rows,). At least one.
    covariates
        By name a column of shape (rows,). There is no intercept: the thresholds are one. A column that
        repeats the scales and the earlier ones is dropped and named.
    pair
        The pair each row belongs to, integers 0 to pairs - 1, shape (rows,), if its rows have an effect in
        common. All rows of a pair must have the same level of at least one factor.
    scale
        The rating scale of each row, integers 0 to scales - 1, shape (rows,); by default all are on one.
    restricted
        Whether variances allow for thresholds and coefficients being estimated, as restricted likelihood
        does for scores (Cox & Reid 1987): the likelihood is that of the point divided by the square root of
        the information about them. Otherwise they are those of maximum likelihood, which are too small
        where there are few levels to a factor.

    Returns
    -------
    OrdinalFit
        Thresholds, coefficients, variances, modes with standard errors.

    Raises
    ------
    NotEstimable
        If one level only was used, or the factors part the levels so cleanly that their variances have no
        bound.
    ValueError
        If an argument has the wrong shape or is not finite.
    """
    if not factors:
        raise ValueError("factors must name at least one random factor; got none")
    if PAIR in factors:
        raise ValueError(f"factors must not be called {PAIR!r}: that name is for the pairs")
    y = _levels(level)
    codes = {name: _codes(name, values, y.size) for name, values in factors.items()}
    pairs = None if pair is None else _codes(PAIR, pair, y.size)
    scales = np.zeros(y.size, dtype=np.int64) if scale is None else _codes("scale", scale, y.size)
    columns = {}
    for name, column in (covariates or {}).items():
        values = np.asarray(column, dtype=np.float64)
        if values.shape != y.shape or not np.isfinite(values).all():
            raise ValueError(f"covariates must be finite and as long as level; {name!r} is not")
        columns[name] = values

    grid = _Grid.of(y, scales)
    if not grid.telling.any():
        raise NotEstimable("one level only was used on each scale")
    with threadpool_limits(limits=1, user_api="blas"):
        design, kept, dropped = _design(columns, grid)
        system = _System(grid, design, codes, pairs)
        point, steps, converged = _search(system)
        likeliest = point.log_likelihood
        if restricted and np.abs(point.deviations).max() <= _WIDEST:
            point, more, converged = _restricted(system, point)
            steps += more
        point = _settled(system, point)
        if np.abs(point.deviations).max() > _WIDEST:
            raise NotEstimable("the factors part the levels so cleanly that their variances have no bound")
        modes = system.modes(point)
    errors = np.sqrt(np.diag(point.fixed_covariance))
    names = [*system.names, PAIR] if pairs is not None else list(system.names)
    variances = dict(zip(names, (point.deviations**2).tolist(), strict=True))
    t = grid.size
    effects = np.asarray(errors[t:])
    # Information so small that the effect is known to no more than dozens of logits is none.
    reach = np.abs(design - design.mean(axis=0)).max(axis=0, initial=0.0)
    separated = tuple(name for name, far in zip(kept, effects * reach > _WIDEST, strict=True) if far)
    fixed = np.zeros(y.size)
    for name, coefficient in zip(kept, point.coefficients.tolist(), strict=True):
        fixed += coefficient * columns[name]
    predictor = fixed.copy()
    for name, of_row in codes.items():
        predictor += modes[name].values[of_row]
    if pairs is not None:
        predictor += modes[PAIR].values[pairs]
    return OrdinalFit(
        log_likelihood=likeliest,
        variances=MappingProxyType(variances),
        thresholds=grid.spread(point.thresholds),
        threshold_errors=grid.spread(errors[:t], ends=math.nan),
        coefficients=MappingProxyType(dict(zip(kept, point.coefficients.tolist(), strict=True))),
        coefficient_errors=MappingProxyType(dict(zip(kept, effects.tolist(), strict=True))),
        dropped=dropped,
        separated=separated,
        modes=MappingProxyType(modes),
        fixed=fixed,
        predictor=predictor,
        n=int(grid.telling.sum()),
        steps=steps,
        converged=converged,
        _grid=grid,
        _system=system,
        _point=point,
    )


@dataclass(frozen=True)
class _Grid:
    """The thresholds that the ratings speak of, those of all scales in one column.

    Two more stand at its end: the infinite ones below and above all levels.
    """

    telling: npt.NDArray[np.bool_]  # rows of scales of which more than one level was used
    scale: Integers  # by telling row its scale
    above: Integers  # by telling row its upper threshold
    below: Integers  # and its lower one
    size: int
    start: Floats  # where the thresholds would be without any effects
    places: tuple[Integers, ...]  # by scale, the threshold above each level but the last

    @classmethod
    def of(cls, level: Integers, scale: Integers) -> _Grid:
        telling = np.zeros(level.size, dtype=np.bool_)
        upper, lower = np.zeros(level.size, dtype=np.int64), np.zeros(level.size, dtype=np.int64)
        start: list[float] = []
        places: list[Integers] = []
        for one in range(int(scale.max()) + 1):
            rows = scale == one
            times = np.bincount(level[rows])
            used = np.flatnonzero(times)
            first = len(start)
            # The threshold above a level is that above the nearest used one; -1 and -2 stand for the ends.
            rank = np.searchsorted(used, np.arange(max(times.size - 1, 0)), side="right")
            places.append(np.where(rank == 0, -1, np.where(rank == used.size, -2, first + rank - 1)))
            if used.size < 2:
                continue
            share = np.cumsum(times[used])[:-1] / times.sum()
            start.extend(special.logit(share).tolist())
            place = np.searchsorted(used, level[rows])
            telling |= rows
            upper[rows] = np.where(place == used.size - 1, -2, first + place)
            lower[rows] = np.where(place == 0, -1, first + place - 1)
        size = len(start)
        ends = {-1: size, -2: size + 1}
        for column in (upper, lower, *places):
            for end, at in ends.items():
                column[column == end] = at
        return cls(
            telling, scale[telling], upper[telling], lower[telling], size, np.array(start), tuple(places)
        )

    def spread(self, values: Floats, *, ends: float = math.inf) -> tuple[Floats, ...]:
        """By scale the values at its thresholds."""
        whole = np.concatenate([values, [-ends, ends]])
        return tuple(whole[place] for place in self.places)


@dataclass(frozen=True)
class _Rows:
    """Log likelihood of each row and its derivatives at some predictor; f stands for the density of F."""

    log: Floats
    slope: Floats  # in eta
    weight: Floats  # minus the second derivative in eta
    dense_above: Floats  # f at the upper threshold: the derivative of the slope in it
    dense_below: Floats
    bend_above: Floats  # f' at the upper threshold: the derivative of the weight in it
    bend_below: Floats
    below: Floats  # F at the lower threshold
    above: Floats


@dataclass(frozen=True)
class _Point:
    """The likelihood at given thresholds, coefficients and deviations.

    ``own`` (by cell), ``first`` and ``stack`` are effects in units of their deviations.
    """

    thresholds: Floats
    coefficients: Floats
    deviations: Floats
    log_likelihood: float
    own: Floats
    first: Floats
    stack: Floats
    rows: _Rows
    factor: _Factor
    gradient: Floats | None = None
    lift: Floats | None = None  # what knowing fixed parts but roughly adds to the slope in the deviations
    information: Floats | None = None  # of the joint equations about thresholds and coefficients
    average: Floats | None = None  # average information about the deviations
    inverse: Floats | None = None  # of the dense block, symmetric
    toward: tuple[Floats, Floats, Floats] | None = None  # H^-1 times what ties effects to fixed, by block

    @property
    def values(self) -> Floats:
        return np.concatenate([self.thresholds, self.coefficients, self.deviations])

    @property
    def fixed_covariance(self) -> Floats:
        assert self.information is not None
        # Where the information about a direction is nothing its variance is as large as can be said.
        scale = 1.0 / np.sqrt(np.maximum(np.diag(self.information), 1e-300))
        inner = self.information * scale * scale[:, None]
        return np.asarray(
            linalg.inv(inner + 1e-14 * np.eye(scale.size)) * scale * scale[:, None], dtype=np.float64
        )


@dataclass(frozen=True)
class _Factor:
    """The curvature of the effects, factored, at some weights."""

    deviations: Floats
    cells: Floats  # weights by cell
    sums: Floats  # and by pair
    left: Floats  # by pair, what its own effects leave of them: 1 / (1 + variance x weight)
    diagonal: Floats  # of the largest factor
    cross: sparse.csr_matrix  # weights left, by level of the largest factor and of the dense block
    meetings: _Meetings
    within: sparse.csr_matrix  # weights by pair and level of the dense block
    within_meetings: _Meetings | None
    upper: Floats  # Cholesky factor of the dense block
    log_determinant: float


class _Part(NamedTuple):
    """Effects of one kind in logits: modes, their variance given fixed parts, and what those add."""

    values: Floats
    known: Floats
    more: Floats

    def share(self, variance: float, whole: Floats) -> _Part:
        """Of effects that are sums, those of the one addend with this variance of the ``whole``."""
        share = np.divide(variance, whole, out=np.zeros_like(whole), where=whole > 0)
        return _Part(
            share * self.values, share**2 * self.known + variance * (1.0 - share), share**2 * self.more
        )


class _Spreads(NamedTuple):
    """Variances given thresholds and coefficients."""

    cells: Floats  # of the predictor of each cell
    own: Floats  # of effects in units of their deviations, by block
    first: Floats
    stack: Floats


class _System:
    """The rows, the cells they fall into, and what follows from them at given parameters.

    A cell holds the rows that have the pair and all levels in common; without pairs, each cell is a pair of
    its own that has no effect. Inside, factor 0 is the largest one that does not vary within a pair, and the
    others are stacked into one dense block of ``self.size`` levels. A level of factor 1 whose rows are those
    of one pair is a leaf: what it adds is one more effect of the pair's own, eliminated with that of the
    pair, and it has no place in the dense block.
    """

    def __init__(
        self, grid: _Grid, design: Floats, codes: Mapping[str, Integers], pairs: Integers | None
    ) -> None:
        self.grid, self.design = grid, design[grid.telling]
        self.names = tuple(codes)
        self.paired = pairs is not None
        self.sizes_given = [int(levels.max()) + 1 for levels in codes.values()]
        # Those that vary within a pair come last: they are never first, and never leaves.
        varies = [pairs is not None and not _nested(pairs, levels) for levels in codes.values()]
        if all(varies):
            raise ValueError("the rows of a pair must have the same level of at least one factor")
        self.order = sorted(range(len(codes)), key=lambda k: (varies[k], -self.sizes_given[k], k))
        self.sizes = [self.sizes_given[k] for k in self.order]
        levels = [list(codes.values())[k][grid.telling] for k in self.order]
        self.n = levels[0].size
        cell = np.zeros(self.n, dtype=np.int64) if pairs is None else pairs[grid.telling]
        for one, size in zip(levels, self.sizes, strict=True):
            # Numbered anew after each factor, so that the product never overflows.
            _, cell = np.unique(cell * size + one, return_inverse=True)
        self.cell, self.cells = cell, int(cell.max()) + 1
        level_of = [np.zeros(self.cells, dtype=np.int64) for _ in levels]
        for of_cell, one in zip(level_of, levels, strict=True):
            of_cell[cell] = one
        self.pair_of, self.pairs = np.arange(self.cells), self.cells
        if pairs is not None:
            self.pair_of = np.zeros(self.cells, dtype=np.int64)
            self.pair_of[cell] = pairs[grid.telling]
            self.pairs = int(pairs.max()) + 1
        self.first_of = level_of[0]  # level of the largest factor by cell
        self.owner = np.zeros(self.pairs, dtype=np.int64)  # and by pair
        self.owner[self.pair_of] = self.first_of
        self.fixed = grid.size + self.design.shape[1]
        self.leaf = np.zeros(self.pairs, dtype=np.bool_)
        self.leaf_level = np.zeros(0, dtype=np.int64)
        if len(levels) > 1 and not varies[self.order[1]]:
            level = np.zeros(self.pairs, dtype=np.int64)
            level[self.pair_of] = level_of[1]
            met = np.bincount(self.pair_of, minlength=self.pairs) > 0
            pairs_of = np.bincount(level[met], minlength=self.sizes[1])
            self.leaf = met & (pairs_of[level] == 1)
            self.leaf_level = level[self.leaf]
        self.inner = [np.arange(size) for size in self.sizes[1:]]
        if self.inner:
            self.inner[0] = np.delete(self.inner[0], self.leaf_level)
        self.offsets = np.concatenate([[0], np.cumsum([inner.size for inner in self.inner])]).astype(np.int64)
        self.size = int(self.offsets[-1])
        # Place of each cell's levels in the dense block, shape (cells, other factors); leaves lie beyond it.
        self.places = np.empty((self.cells, len(self.inner)), dtype=np.int64)
        for k, (inner, size, offset) in enumerate(
            zip(self.inner, self.sizes[1:], self.offsets[:-1].tolist(), strict=True)
        ):
            place = np.full(size, self.size)
            place[inner] = np.arange(offset, offset + inner.size)
            self.places[:, k] = place[level_of[k + 1]]
        inside = self.places < self.size
        self.cross, self.entry = self._counts(self.first_of, self.sizes[0])
        self.meetings = _Meetings(self.cross)
        self.within, self.within_entry = self._counts(self.pair_of, self.pairs)
        # Where each pair is one cell, what its elimination takes is a share of the weight of the cell.
        self.mixed = int(np.bincount(self.pair_of).max()) > 1
        self.within_meetings = _Meetings(self.within) if self.mixed else None
        self.both = []
        for k in range(self.places.shape[1]):
            for other in range(k + 1, self.places.shape[1]):
                cells = np.flatnonzero(inside[:, k] & inside[:, other])
                where = self.places[cells, k] * self.size + self.places[cells, other]
                self.both.append((cells, where, *np.unique(where, return_inverse=True)))
        ones = np.ones(self.n)
        self.gather = sparse.csr_matrix((ones, (self.cell, np.arange(self.n))), shape=(self.cells, self.n))
        ones, cells = np.ones(self.cells), np.arange(self.cells)
        self.to_first = sparse.csr_matrix((ones, (self.first_of, cells)), shape=(self.sizes[0], self.cells))
        self.to_pair = sparse.csr_matrix((ones, (self.pair_of, cells)), shape=(self.pairs, self.cells))
        meeting, _ = np.nonzero(inside)
        self.to_stack = sparse.csr_matrix(
            (np.ones(meeting.size), (self.places[inside], meeting)), shape=(self.size, self.cells)
        )

    def _counts(self, codes: Integers, size: int) -> tuple[sparse.csr_matrix, Integers]:
        """Which levels of the dense block meet which codes, and which entry that is by cell and factor.

        Leaves have the entry beyond the last.
        """
        inside = self.places < self.size
        width = max(self.size, 1)
        spots, entry = np.unique((codes[:, None] * width + self.places)[inside], return_inverse=True)
        places = np.full(self.places.shape, spots.size)
        places[inside] = entry
        rows, columns = np.divmod(spots, width)
        starts = np.searchsorted(rows, np.arange(size + 1))
        return sparse.csr_matrix((np.ones(spots.size), columns, starts), shape=(size, self.size)), places

    @staticmethod
    def _weighted(pattern: sparse.csr_matrix, entries: Integers, weights: Floats) -> sparse.csr_matrix:
        """The pattern with the weights of cells summed into its entries."""
        data = np.zeros(pattern.nnz)
        for column in entries.T:
            data += np.bincount(column, weights, pattern.nnz + 1)[:-1]
        return sparse.csr_matrix((data, pattern.indices, pattern.indptr), shape=pattern.shape)

    def start(self) -> Floats:
        """Thresholds of the plain shares, no effects of covariates, deviations of `_START`."""
        factors = len(self.sizes) + self.paired
        # Levels have to part by more where what parts them is mixed.
        stretch = math.sqrt(1.0 + factors * _START**2 / (math.pi**2 / 3.0))
        return np.concatenate(
            [stretch * self.grid.start, np.zeros(self.design.shape[1]), np.full(factors, _START)]
        )

    def _parted(self, values: Floats) -> tuple[Floats, Floats, Floats]:
        return values[: self.grid.size], values[self.grid.size : self.fixed], values[self.fixed :]

    def _scales(self, deviations: Floats) -> tuple[Floats, float, Floats]:
        """Deviations of what is each pair's own, of the largest factor, of each level of the dense block."""
        inside = np.array([deviations[k] for k in self.order])
        own = np.full(self.pairs, deviations[-1] ** 2 if self.paired else 0.0)
        if self.leaf_level.size:
            own[self.leaf] += inside[1] ** 2
        return np.sqrt(own), float(inside[0]), np.repeat(inside[1:], [inner.size for inner in self.inner])

    def _shift(self, deviations: Floats, own: Floats, first: Floats, stack: Floats) -> Floats:
        """By cell what the effects add to the predictor."""
        scales = self._scales(deviations)
        return self._of_cells(scales, own[:, None], first[:, None], stack[:, None])[:, 0]

    def rows_at(self, thresholds: Floats, predictor: Floats) -> _Rows:
        """The rows' log likelihood and its derivatives."""
        bounds = np.concatenate([thresholds, [-np.inf, np.inf]])
        upper, lower = bounds[self.grid.above], bounds[self.grid.below]
        above, below = special.expit(upper - predictor), special.expit(lower - predictor)
        # F(A) - F(B) = F(A) (1 - F(B)) (1 - exp(B - A)), which loses no digits far out.
        log = (
            special.log_expit(upper - predictor)
            + special.log_expit(predictor - lower)
            + np.log(-np.expm1(lower - upper))
        )
        dense_above, dense_below = above * (1.0 - above), below * (1.0 - below)
        return _Rows(
            log=log,
            slope=above + below - 1.0,
            weight=dense_above + dense_below,
            dense_above=dense_above,
            dense_below=dense_below,
            bend_above=dense_above * (1.0 - 2.0 * above),
            bend_below=dense_below * (1.0 - 2.0 * below),
            above=above,
            below=below,
        )

    def factored(self, deviations: Floats, weight: Floats) -> _Factor:
        """Eliminate the pairs, then the largest factor, and factor the dense block."""
        own, largest, dense = self._scales(deviations)
        cells = _totals(self.cell, weight, self.cells)
        sums = _totals(self.pair_of, cells, self.pairs)
        left = 1.0 / (1.0 + own**2 * sums)
        through = cells * left[self.pair_of]
        diagonal = 1.0 + largest**2 * _totals(self.owner, sums * left, self.sizes[0])
        cross = self._weighted(self.cross, self.entry, through)
        meetings = self.meetings.holding(cross)
        within = self._weighted(self.within, self.within_entry, cells)
        within_meetings = self.within_meetings
        block = -meetings.product(largest**2 / diagonal)
        if within_meetings is not None:
            within_meetings = within_meetings.holding(within)
            block -= within_meetings.product(own**2 * left)
        inside = cells if self.mixed else through
        for column in self.places.T:
            total = np.bincount(column, inside, self.size + 1)[:-1]
            block[np.arange(self.size), np.arange(self.size)] += total
        for together, _, spots, which in self.both:
            block.ravel()[spots] += np.bincount(which, inside[together], spots.size)
        block *= dense
        block *= dense[:, None]
        block[np.arange(self.size), np.arange(self.size)] += 1.0
        logs = float(np.log(diagonal).sum() - np.log(left).sum())
        upper = block
        if self.size:
            found, failed = linalg.lapack.dpotrf(block.T, lower=1, overwrite_a=1, clean=0)
            if failed:
                raise NotEstimable("the equations are singular")
            upper = found.T
            logs += 2.0 * float(np.log(np.diag(upper)).sum())
        return _Factor(
            deviations, cells, sums, left, diagonal, cross, meetings, within, within_meetings, upper, logs
        )

    def solve(
        self, factor: _Factor, own: Floats, first: Floats, stack: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """``H^-1`` times a right-hand side given by block, each of shape (levels, sides)."""
        scales = self._scales(factor.deviations)
        apart, largest, dense = scales[0][:, None], scales[1], scales[2][:, None]
        left, cells, diagonal = factor.left[:, None], factor.cells[:, None], factor.diagonal[:, None]
        lost = cells * (apart * left * own)[self.pair_of]
        first = (first - largest * (self.to_first @ lost)) / diagonal
        stack = stack - dense * (self.to_stack @ lost)
        if self.size:
            right = stack - dense * (factor.cross.T @ (largest * first))
            stack, _ = linalg.lapack.dpotrs(factor.upper.T, right, lower=1)
            first = first - largest / diagonal * (factor.cross @ (dense * stack))
        others = self._of_cells(scales, np.zeros_like(own), first, stack)
        own = left * (own - apart * (self.to_pair @ (cells * others)))
        return np.asarray(own), np.asarray(first), np.asarray(stack)

    def _of_cells(
        self, scales: tuple[Floats, float, Floats], own: Floats, first: Floats, stack: Floats
    ) -> Floats:
        """``Z S`` of effects by block, each of shape (levels, sides): what they add to each cell."""
        apart, largest, dense = scales
        found = (apart[:, None] * own)[self.pair_of] + (largest * first)[self.first_of]
        padded = np.concatenate([dense[:, None] * stack, np.zeros((1, stack.shape[1]))])
        for column in self.places.T:
            found += padded[column]
        return np.asarray(found)

    def _back(self, deviations: Floats, cells: Floats) -> tuple[Floats, Floats, Floats]:
        """``S Z'`` of sums by cell, shape (cells, sides), by block."""
        own, largest, dense = self._scales(deviations)
        return (
            np.asarray(own[:, None] * (self.to_pair @ cells)),
            np.asarray(largest * (self.to_first @ cells)),
            np.asarray(dense[:, None] * (self.to_stack @ cells)),
        )

    def at(self, values: Floats, near: _Point | None) -> _Point | None:
        """The mode of the effects at these parameters, and the likelihood; None if there is none."""
        thresholds, coefficients, deviations = self._parted(values)
        bounds = np.concatenate([thresholds, [-np.inf, np.inf]])
        if (bounds[self.grid.above] <= bounds[self.grid.below]).any():
            return None
        base = self.design @ coefficients
        if near is None:
            own, first, stack = np.zeros(self.pairs), np.zeros(self.sizes[0]), np.zeros(self.size)
        else:
            own, first, stack = near.own, near.first, near.stack

        def height(own: Floats, first: Floats, stack: Floats) -> tuple[float, _Rows]:
            rows = self.rows_at(thresholds, base + self._shift(deviations, own, first, stack)[self.cell])
            penalty = float(own @ own + first @ first + stack @ stack)
            return float(rows.log.sum()) - 0.5 * penalty, rows

        value, rows = height(own, first, stack)
        if not math.isfinite(value):
            return None
        factor = self.factored(deviations, rows.weight) if near is None else near.factor
        fresh, last = near is None, math.inf
        for _ in range(_MOST_TURNS):
            slopes = _totals(self.cell, rows.slope, self.cells)[:, None]
            by_own, by_first, by_stack = self._back(deviations, slopes)
            rest = (by_own - own[:, None], by_first - first[:, None], by_stack - stack[:, None])
            step = [part[:, 0] for part in self.solve(factor, *rest)]
            gain = sum(float(a @ b[:, 0]) for a, b in zip(step, rest, strict=True))
            if gain < _SETTLED:
                break
            # An older factor serves as long as it brings the mode nearer fast.
            if not fresh and gain > 0.1 * last:
                factor, fresh, last = self.factored(deviations, rows.weight), True, math.inf
                continue
            length = 1.0
            while length > 1e-6:
                trial = (own + length * step[0], first + length * step[1], stack + length * step[2])
                new, seen = height(*trial)
                if new >= value - 1e-9 * abs(value):
                    break
                length *= 0.5
            else:
                if fresh:
                    return None
                factor, fresh, last = self.factored(deviations, rows.weight), True, math.inf
                continue
            (own, first, stack), value, rows = trial, new, seen
            fresh, last = False, gain
        factor = self.factored(deviations, rows.weight)
        return _Point(
            thresholds=thresholds,
            coefficients=coefficients,
            deviations=deviations,
            log_likelihood=value - 0.5 * factor.log_determinant,
            own=own,
            first=first,
            stack=stack,
            rows=rows,
            factor=factor,
        )

    def sloped(self, point: _Point) -> _Point:
        """The same point with its gradient and the average information about the deviations."""
        factor, rows = point.factor, point.rows
        inverse = self._inverse(factor)
        spreads = self._spreads(point, inverse)
        h = spreads.cells[self.cell]

        # What moves with the mode: a = H^-1 S Z' s, s the slopes of log|H| in the predictor.
        change = -(rows.bend_above + rows.bend_below)
        moved = _totals(self.cell, h * change, self.cells)[:, None]
        a = self.solve(factor, *self._back(point.deviations, moved))
        shift = self._of_cells(self._scales(point.deviations), *a)[self.cell, 0]

        grid = self.grid
        apart = self._apart(point.thresholds)
        by_above = 1.0 - rows.above + apart - 0.5 * (h * rows.bend_above + shift * rows.dense_above)
        by_below = -rows.below - apart - 0.5 * (h * rows.bend_below + shift * rows.dense_below)
        thresholds = np.bincount(grid.above, by_above, grid.size + 2)
        thresholds += np.bincount(grid.below, by_below, grid.size + 2)
        coefficients = self.design.T @ (rows.slope - 0.5 * (h * change - shift * rows.weight))
        deviations, average = self._about_deviations(point, spreads, a)
        return replace(
            point,
            gradient=np.concatenate([thresholds[: grid.size], coefficients, deviations]),
            average=average,
            inverse=inverse,
        )

    def informed(self, point: _Point) -> _Point:
        """The same point with the information about thresholds and coefficients, and what goes with it."""
        information, toward = self._about_fixed(point)
        found = replace(point, information=information, toward=toward)
        return replace(found, lift=self._lift(found))

    def curvature(self, point: _Point) -> Floats:
        """Minus the second derivatives of the likelihood, by differences of the slopes.

        Deviations of nought stay so and are left out.
        """
        values = point.values
        free = np.flatnonzero((np.arange(values.size) < self.fixed) | (values != 0.0))
        found = np.empty((free.size, free.size))
        for row, k in enumerate(free):
            step = np.zeros(values.size)
            step[k] = 1e-4
            slopes = []
            for there in (self.at(values + step, point), self.at(values - step, point)):
                if there is None:
                    raise NotEstimable("the likelihood has no value near its maximum")
                gradient = self.sloped(there).gradient
                assert gradient is not None
                slopes.append(gradient[free])
            found[row] = (slopes[1] - slopes[0]) / 2e-4
        return 0.5 * (found + found.T)

    def _lift(self, point: _Point) -> Floats:
        """Slope of ``-log|information| / 2`` in the deviations, the weights as they are."""
        assert point.toward is not None
        spread = point.fixed_covariance
        own, first, stack = (np.einsum("ij,ij->i", part @ spread, part) for part in point.toward)
        return self._by_deviation(point.deviations, own, first, stack)

    def _by_deviation(self, deviations: Floats, own: Floats, first: Floats, stack: Floats) -> Floats:
        """Slopes in the deviations from what each effect gains in the logarithm of its own."""
        found = np.zeros(deviations.size)
        parts = [first, *(stack[a:b] for a, b in zip(self.offsets[:-1], self.offsets[1:], strict=True))]
        for k, part in zip(self.order, parts, strict=True):
            found[k] = float(part.sum()) / deviations[k] if deviations[k] else 0.0
        # A cell's own variance is the sum of the pairs' and, in a leaf, that of factor 1.
        apart = self._scales(deviations)[0]
        shares = np.divide(own, apart**2, out=np.zeros_like(own), where=apart > 0)
        if self.paired:
            found[-1] = deviations[-1] * float(shares.sum())
        if self.leaf_level.size:
            found[self.order[1]] += deviations[self.order[1]] * float(shares[self.leaf].sum())
        return found

    def _apart(self, thresholds: Floats) -> Floats:
        """By row ``1 / (exp(A - B) - 1)``: nought where a level has no bound on one side."""
        bounds = np.concatenate([thresholds, [-np.inf, np.inf]])
        return np.asarray(1.0 / np.expm1(bounds[self.grid.above] - bounds[self.grid.below]))

    def _inverse(self, factor: _Factor) -> Floats:
        """Inverse of the dense block in the upper triangle."""
        if not self.size:
            return factor.upper
        inverse, _ = linalg.lapack.dpotri(factor.upper.T.copy(order="F"), lower=1, overwrite_c=1)
        return np.asarray(inverse.T)

    def _spreads(self, point: _Point, inverse: Floats) -> _Spreads:
        """Variance of the predictor of each cell, and of each effect in units of its own."""
        factor = point.factor
        own, largest, dense = self._scales(point.deviations)
        first = 1.0 / factor.diagonal
        through = largest**2 * first
        pair, left, taken = self.pair_of, factor.left, own**2 * factor.left
        # A cell's predictor less what the pair's own effect takes of it, and the weighted sum over the pair.
        cells = left[pair] ** 2 * through[self.first_of]
        total = factor.sums**2 * through[self.owner]
        stack = np.empty(0)
        if self.size:
            scaled = inverse * dense
            scaled *= dense[:, None]
            across = factor.meetings.across(scaled)
            quadratic = _totals(factor.meetings.entry_row, factor.cross.data * across, self.sizes[0])
            first = first + (largest * first) ** 2 * quadratic
            stack = np.diag(inverse)
            mixed = np.append(across, 0.0)[self.entry].sum(axis=1)
            mixed_total = _totals(pair, factor.cells * mixed, self.pairs)
            alone = np.append(np.diag(scaled), 0.0)[self.places].sum(axis=1)
            for together, where, _, _ in self.both:
                alone[together] += 2.0 * scaled.ravel()[where]
            if factor.within_meetings is None:
                beside = factor.sums[pair] * alone
                whole = _totals(pair, factor.cells * beside, self.pairs)
            else:
                met = factor.within_meetings.across(scaled)
                beside = np.append(met, 0.0)[self.within_entry].sum(axis=1)
                whole = _totals(factor.within_meetings.entry_row, factor.within.data * met, self.pairs)
            cells += alone - 2.0 * taken[pair] * beside + (taken**2 * whole)[pair]
            reach = (left * through[self.owner])[pair]
            cells -= 2.0 * reach * (mixed - (taken * mixed_total)[pair])
            cells += reach**2 * quadratic[self.first_of]
            reach = factor.sums * through[self.owner]
            total += whole - 2.0 * reach * mixed_total + reach**2 * quadratic[self.owner]
        return _Spreads(
            cells=cells + taken[pair], own=left + (own * left) ** 2 * total, first=first, stack=stack
        )

    def _about_deviations(
        self, point: _Point, spreads: _Spreads, a: tuple[Floats, Floats, Floats]
    ) -> tuple[Floats, Floats]:
        """Slope of the likelihood in the deviations, and their average information."""
        scales = self._scales(point.deviations)
        gains = (
            effects**2 - lifts[:, 0] * effects - (1.0 - spread)
            for effects, lifts, spread in (
                (point.own, a[0], spreads.own),
                (point.first, a[1], spreads.first),
                (point.stack, a[2], spreads.stack),
            )
        )
        slope = self._by_deviation(point.deviations, *gains)
        columns = np.zeros((self.cells, slope.size))
        columns[:, self.order[0]] = point.first[self.first_of]
        padded = np.append(point.stack, 0.0)
        for k, column in zip(self.order[1:], self.places.T, strict=True):
            columns[:, k] = padded[column]
        shares = np.divide(point.own, scales[0], out=np.zeros(self.pairs), where=scales[0] > 0)
        if self.paired:
            columns[:, -1] = point.deviations[-1] * shares[self.pair_of]
        if self.leaf_level.size:
            leaves = self.leaf[self.pair_of]
            columns[leaves, self.order[1]] = point.deviations[self.order[1]] * shares[self.pair_of][leaves]
        sums = point.factor.cells[:, None]
        weighted = sums * columns
        solved = self.solve(point.factor, *self._back(point.deviations, weighted))
        average = 2.0 * columns.T @ (weighted - sums * self._of_cells(scales, *solved))
        return slope, 0.5 * (average + average.T)

    def _about_fixed(self, point: _Point) -> tuple[Floats, tuple[Floats, Floats, Floats]]:
        """Information of the joint equations about thresholds and coefficients, the effects eliminated.

        Beside it ``H^-1`` times what ties the effects to them.
        """
        rows, grid = point.rows, self.grid
        t = grid.size
        ties = np.zeros((self.n, t + 2))
        place = np.arange(self.n)
        ties[place, grid.above] = -rows.dense_above
        ties[place, grid.below] -= rows.dense_below
        tied = np.concatenate([ties[:, :t], rows.weight[:, None] * self.design], axis=1)
        within = np.zeros((self.fixed, self.fixed))
        gaps = self._apart(point.thresholds)
        both = gaps * (1.0 + gaps)
        square = np.zeros((t + 2) ** 2)
        for one, other, value in (
            (grid.above, grid.above, rows.dense_above + both),
            (grid.below, grid.below, rows.dense_below + both),
            (grid.above, grid.below, -both),
            (grid.below, grid.above, -both),
        ):
            square += np.bincount(one * (t + 2) + other, value, square.size)
        within[:t, :t] = square.reshape(t + 2, t + 2)[:t, :t]
        within[t:, :] = self.design.T @ tied
        within[:t, t:] = within[t:, :t].T
        right = self._back(point.deviations, np.asarray(self.gather @ tied))
        toward = self.solve(point.factor, *right)
        for side, back in zip(right, toward, strict=True):
            within -= side.T @ back
        return 0.5 * (within + within.T), toward

    def modes(self, point: _Point) -> dict[str, Modes]:
        """Effects and standard errors by factor, in the order the factors were given."""
        assert point.inverse is not None
        assert point.toward is not None
        spreads, covariance = self._spreads(point, point.inverse), point.fixed_covariance
        apart, largest, dense = self._scales(point.deviations)
        own, first, stack = (
            _Part(
                scale * effects,
                scale**2 * spread,
                scale**2 * np.einsum("ij,ij->i", toward @ covariance, toward),
            )
            for scale, effects, spread, toward in zip(
                (apart, np.full(self.sizes[0], largest), dense),
                (point.own, point.first, point.stack),
                (spreads.own, spreads.first, spreads.stack),
                point.toward,
                strict=True,
            )
        )
        found = {self.names[self.order[0]]: first}
        for place, k in enumerate(self.order[1:]):
            part = _Part(*(np.zeros(self.sizes[place + 1]) for _ in range(3)))
            for whole, dense_part in zip(part, stack, strict=True):
                whole[self.inner[place]] = dense_part[self.offsets[place] : self.offsets[place + 1]]
            found[self.names[k]] = part
        if self.leaf_level.size:
            name, variance = self.names[self.order[1]], float(point.deviations[self.order[1]]) ** 2
            for whole, leaves in zip(found[name], own.share(variance, apart**2), strict=True):
                whole[self.leaf_level] = leaves[self.leaf]
        if self.paired:
            found[PAIR] = own.share(float(point.deviations[-1]) ** 2, apart**2)
        return {
            name: Modes(
                values=found[name].values,
                conditional_sd=np.sqrt(np.maximum(found[name].known, 0.0)),
                standard_error=np.sqrt(np.maximum(found[name].known + found[name].more, 0.0)),
            )
            for name in (*self.names, PAIR)
            if name in found
        }

    def contrasts(self, point: _Point, weights: dict[str, sparse.csr_matrix]) -> Modes:
        """Weighted sums of effects: what each elimination leaves of their variance, and the dense block."""
        assert point.inverse is not None
        assert point.toward is not None
        factor = point.factor
        own, largest, dense = self._scales(point.deviations)
        many = next(iter(weights.values())).shape[0]
        sides = [
            weights.get(self.names[k], sparse.csr_matrix((many, size)))
            for k, size in zip(self.order, self.sizes, strict=True)
        ]
        first = sparse.csr_matrix(largest * sides[0])
        inner = [side[:, kept] for side, kept in zip(sides[1:], self.inner, strict=True)]
        stack = sparse.csr_matrix(sparse.hstack([*inner, sparse.csr_matrix((many, 0))]))
        stack = sparse.csr_matrix(stack @ sparse.diags_array(dense))

        # Of a pair's own effects v, its effect as a pair is share v + e, and a leaf's is the rest.
        paired = float(point.deviations[-1]) ** 2 if self.paired else 0.0
        share = np.divide(paired, own**2, out=np.zeros(self.pairs), where=own > 0)
        pair = weights.get(PAIR, sparse.csr_matrix((many, self.pairs)))
        leaf = sparse.csr_matrix((many, self.pairs))
        if self.leaf_level.size:
            leaves = np.flatnonzero(self.leaf)
            place = sparse.csr_matrix(
                (np.ones(leaves.size), (np.arange(leaves.size), leaves)), shape=(leaves.size, self.pairs)
            )
            leaf = sparse.csr_matrix(sides[1][:, self.leaf_level] @ place)
        apart = pair - leaf
        within = (own**2 - paired) * share
        known = np.asarray(apart.multiply(apart) @ np.where(self.leaf, within, 0.0))
        both = pair @ sparse.diags_array(share) + leaf @ sparse.diags_array(1.0 - share)
        both = sparse.csr_matrix(both @ sparse.diags_array(own))

        values = both @ point.own + first @ point.first + stack @ point.stack
        reach = both @ point.toward[0] + first @ point.toward[1] + stack @ point.toward[2]
        known = known + np.asarray(both.multiply(both) @ factor.left)
        lost = sparse.csr_matrix(both @ sparse.diags_array(own * factor.left))
        weights_of = sparse.csr_matrix(
            (factor.sums, self.owner, np.arange(self.pairs + 1)), shape=(self.pairs, self.sizes[0])
        )
        first = first - largest * (lost @ weights_of)
        stack = stack - (lost @ factor.within) @ sparse.diags_array(dense)
        known = known + np.asarray(first.multiply(first) @ (1.0 / factor.diagonal))
        if self.size:
            through = sparse.csr_matrix(first @ sparse.diags_array(largest / factor.diagonal)) @ factor.cross
            stack = sparse.csr_matrix(stack - through @ sparse.diags_array(dense))
            stack.sort_indices()
            known = known + _Meetings(stack).quadratic(point.inverse)
        more = np.einsum("ij,ij->i", np.asarray(reach) @ point.fixed_covariance, np.asarray(reach))
        return Modes(
            values=np.asarray(values),
            conditional_sd=np.sqrt(np.maximum(known, 0.0)),
            standard_error=np.sqrt(np.maximum(known + more, 0.0)),
        )


def _search(system: _System) -> tuple[_Point, int, bool]:
    """Quasi-Newton steps that start from the curvature at hand and learn from the last steps."""
    start = system.at(system.start(), None)
    if start is None:
        raise NotEstimable("the likelihood has no value at the start")
    here = system.informed(system.sloped(start))
    learnt: list[tuple[Floats, Floats]] = []
    for steps in range(1, _MOST_STEPS):
        assert here.gradient is not None
        step = _direction(system, here, here.gradient, learnt)
        gain = float(here.gradient @ step)
        if gain <= 0.0 and learnt:
            learnt = []
            continue
        if gain < 2.0 * _GAIN:
            return system.informed(here), steps, True
        step = _bounded(system, here, step)
        slope = float(here.gradient @ step)
        there, length = None, 1.0
        while there is None and length > 1e-4:
            there = system.at(here.values + length * step, here)
            if there is not None and there.log_likelihood < here.log_likelihood + 1e-4 * length * slope:
                there = None
            length *= 0.4
        if there is None:
            if not learnt:
                return system.informed(here), steps, gain < 1e-4
            learnt = []
            continue
        there = system.sloped(there)
        assert there.gradient is not None
        learnt = _learning(learnt, there.values - here.values, here.gradient - there.gradient)
        # Further on the steps themselves tell how the information changes.
        known = here.information
        here = system.informed(there) if steps <= _INFORMED else replace(there, information=known)
    return system.informed(here), _MOST_STEPS, False


def _restricted(system: _System, here: _Point) -> tuple[_Point, int, bool]:
    """From the likeliest point to where the slopes with `_Point.lift` vanish.

    There is no function whose slopes these are, so steps go by how large the slopes are in the metric of
    the curvature.
    """
    learnt: list[tuple[Floats, Floats]] = []
    pull = _pull(system, here)
    for steps in range(1, _MOST_STEPS):
        step = _direction(system, here, pull, learnt)
        gain = float(pull @ step)
        if gain <= 0.0 and learnt:
            learnt = []
            continue
        if gain < 2.0 * _NEAR:
            return here, steps, True
        step, length = _bounded(system, here, step), 1.0
        there, new = None, pull
        while there is None and length > 1e-3:
            there = system.at(here.values + length * step, here)
            if there is not None:
                there = system.informed(system.sloped(there))
                new = _pull(system, there)
                # Beyond the aim the slopes turn against the step.
                if float(new @ step) < -0.9 * float(pull @ step):
                    there = None
            length *= 0.4
        if there is None:
            if not learnt:
                return here, steps, gain < 1e-3
            learnt = []
            continue
        learnt = _learning(learnt, there.values - here.values, pull - new)
        here, pull = there, new
    return here, _MOST_STEPS, False


def _pull(system: _System, point: _Point) -> Floats:
    """The slopes of the restricted search."""
    assert point.gradient is not None
    assert point.lift is not None
    return np.concatenate([point.gradient[: system.fixed], point.gradient[system.fixed :] + point.lift])


def _learning(
    learnt: list[tuple[Floats, Floats]], moved: Floats, turned: Floats
) -> list[tuple[Floats, Floats]]:
    """The last steps and how the slopes turned, this one among them if it bends the right way."""
    if float(moved @ turned) > 1e-10 * float(moved @ moved):
        return [*learnt, (moved, turned)][-_REMEMBERED:]
    return learnt


def _direction(system: _System, here: _Point, slopes: Floats, learnt: list[tuple[Floats, Floats]]) -> Floats:
    """The slopes times the inverse curvature, which recent steps correct (Nocedal 1980)."""
    assert here.information is not None
    assert here.average is not None
    # Towards nought the slope itself is what bends the likelihood in a deviation.
    toward = slopes[system.fixed :]
    bend = np.divide(-toward, here.deviations, out=np.zeros_like(toward), where=here.deviations != 0)
    curvature = here.average + np.diag(np.maximum(bend, 0.0))
    # So near to nought a slope is but rounding: the deviation stays where it is.
    moving = np.append(np.ones(system.fixed), np.abs(here.deviations) > _STILL)
    free = moving[system.fixed :]
    curvature = curvature * free * free[:, None] + np.diag(1.0 - free)
    right = slopes * moving
    shares = []
    for moved, turned in reversed(learnt):
        share = float(moved @ right) / float(moved @ turned)
        shares.append(share)
        right = right - share * turned
    step = np.concatenate(
        [_solved(here.information, right[: system.fixed]), _solved(curvature, right[system.fixed :])]
    )
    for (moved, turned), share in zip(learnt, reversed(shares), strict=True):
        step = step + (share - float(turned @ step) / float(moved @ turned)) * moved
    return np.asarray(step * moving)


def _solved(matrix: Floats, right: Floats) -> Floats:
    """Solve with a symmetric matrix that may be nearly singular."""
    unit = 1.0 / np.sqrt(np.maximum(np.diag(matrix), 1e-12))
    inner = matrix * unit * unit[:, None]
    return np.asarray(unit * linalg.solve(inner + 1e-9 * np.eye(unit.size), unit * right, assume_a="sym"))


def _bounded(system: _System, here: _Point, step: Floats) -> Floats:
    """The step, shortened where deviations or thresholds would leap."""
    deviations = np.abs(step[system.fixed :]) / np.maximum(np.abs(here.deviations), 0.5)
    longest = max(float(deviations.max()) / 1.0, float(np.abs(step[: system.fixed]).max(initial=0.0)) / 4.0)
    return step / max(longest, 1.0)


def _settled(system: _System, here: _Point) -> _Point:
    """The point with those deviations exactly nought that are so but for the last steps of the search."""
    weight = float(here.factor.sums.sum())
    sizes = [*system.sizes_given, system.pairs] if system.paired else system.sizes_given
    typical = weight / np.array(sizes, dtype=np.float64)
    for k in np.flatnonzero((here.deviations**2 * typical < _SMALL) & (here.deviations != 0.0)):
        values = here.values
        values[system.fixed + k] = 0.0
        there = system.at(values, here)
        if there is not None and there.log_likelihood >= here.log_likelihood - _LITTLE:
            here = system.informed(system.sloped(there))
    return here


def _levels(level: npt.ArrayLike) -> Integers:
    values = np.asarray(level)
    if values.ndim != 1 or not values.size or not np.issubdtype(values.dtype, np.integer) or values.min() < 0:
        raise ValueError("level must be one column of whole numbers from 0 with at least one row")
    return values.astype(np.int64)


def _design(columns: Mapping[str, Floats], grid: _Grid) -> tuple[Floats, list[str], tuple[str, ...]]:
    """The covariates that say something beside the thresholds, which are an intercept for each scale."""
    rows = grid.telling
    given = {name: column[rows] for name, column in columns.items()}
    scales = {}
    for number in np.unique(grid.scale)[1:].tolist():
        scales[f" scale {number}"] = (grid.scale == number).astype(np.float64)
    _, kept, dropped = _independent({" one": np.ones(int(rows.sum())), **scales, **given})
    names = [name for name in kept if name in given]
    many = rows.size
    design = np.stack([columns[name] for name in names], axis=1) if names else np.empty((many, 0))
    return design, names, tuple(name for name in dropped if name in given)
