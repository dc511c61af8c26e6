"""Which part of a score belongs to each of several crossed groupings?

Reads    a score per row, fixed covariates, and for every random factor the level each row belongs to.
Returns  variances, coefficients, and for every level its conditional mode with two standard errors.

The model is ``y = X b + sum_k Z_k u_k + Z_p v + e`` with independent ``u_k ~ N(0, s_k^2)``, ``e ~ N(0, s^2)``
and, if pairs are given, ``v ~ N(0, s_p^2)``: what the rows of one pair (the same rater of the same ratee)
have in common beyond the two. With ``t = s_p^2 / s^2`` a pair of n rows has the covariance ``s^2 (I + t J)``
with the inverse ``(I - t / (1 + n t) J) / s^2`` and the determinant ``s^(2 n) (1 + n t)``, so that pairs are
eliminated before anything else; a level whose rows are those of one pair is one more such effect and goes
with them. Then the block of the largest factor is diagonal and is eliminated exactly; what remains is one
dense symmetric block, whose size is the number of all other levels. The variance ratios are found by
average-information steps on the profiled criterion (restricted or full likelihood, with the constant that
lme4 prints), and a ratio may lie on its boundary, nought.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import linalg, sparse
from threadpoolctl import threadpool_limits

REFERENCE: Final = (
    "Bates et al. (2015), J. Stat. Softw. 67(1). doi:10.18637/jss.v067.i01; "
    "Gilmour, Thompson & Cullis (1995), Biometrics 51, 1440-1450. doi:10.2307/2533274"
)

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Weights = Floats | sparse.csr_matrix

_MOST_STEPS: Final = 60
_DECREMENT: Final = 1e-8  # expected gain in the criterion below which the search stops
_FLOOR: Final = 1e-6  # ratio x mean rows per level: as good as nought, yet its gradient can be computed
_CEILING: Final = 1e6
_NOTHING: Final = 1e-24  # of the mean square of the scores: rounding
_AT_ONCE: Final = 512  # contrasts solved for together
_LONGEST_STEP: Final = 10.0  # a ratio changes at most by this factor at once
_WORTH: Final = 0.25  # share of levels in one cell each from which eliminating them early saves time

PAIR: Final = "pair"
"""What the part of the pairs is called among the variances."""


class NotEstimable(ValueError):
    """The scores leave no residual, or there are fewer rows than coefficients."""


@dataclass(frozen=True)
class Modes:
    """The levels of one random factor.

    Attributes
    ----------
    values
        Conditional modes (best linear unbiased predictions), shape (levels,), in units of the score.
    conditional_sd
        Standard deviation given the coefficients, shape (levels,): lme4's ``condVar``. It ignores that the
        coefficients are estimated.
    standard_error
        Standard error of prediction ``sd(predicted - true)`` from the full mixed-model equations, shape
        (levels,). It is never smaller, and it is the one intervals should use.
    """

    values: Floats
    conditional_sd: Floats
    standard_error: Floats


@dataclass(frozen=True)
class CrossedFit:
    """What a fit found, exact or iterative.

    Attributes
    ----------
    criterion
        Minus twice the log likelihood, restricted if ``reml``, with the constant of lme4; None if it was
        not computed.
    reml
        Whether the likelihood was restricted.
    variances
        Variance by factor, in squared units of the score; exactly 0 on the boundary. That of the pairs, if
        they were asked for, is called `PAIR`.
    residual
        Residual variance.
    coefficients, coefficient_errors
        Fixed effects and their standard errors by covariate, without the dropped ones.
    dropped
        Covariates that repeat what earlier ones already say.
    modes
        Modes by factor.
    n
        Number of rows.
    steps
        Steps of the search.
    converged
        Whether the search ended where nothing more could be gained.
    """

    criterion: float | None
    reml: bool
    variances: Mapping[str, float]
    residual: float
    coefficients: Mapping[str, float]
    coefficient_errors: Mapping[str, float]
    dropped: tuple[str, ...]
    modes: Mapping[str, Modes]
    n: int
    steps: int
    converged: bool

    def contrasts(self, weights: Mapping[str, Weights]) -> Modes:
        """Weighted sums of modes, with the same two standard errors.

        Parameters
        ----------
        weights
            By factor an array or sparse matrix of shape (contrasts, levels); factors left out weigh nothing.

        Returns
        -------
        Modes
            One entry per contrast.
        """
        unknown = set(weights) - set(self.variances)
        if unknown or not weights:
            raise ValueError(
                f"weights must name factors among {', '.join(self.variances)}; got {sorted(unknown)}"
            )
        rows = {name: sparse.csr_matrix(matrix) for name, matrix in weights.items()}
        many = next(iter(rows.values())).shape[0]
        with threadpool_limits(limits=1, user_api="blas"):
            parts = [
                self._contrasts({name: matrix[at : at + _AT_ONCE] for name, matrix in rows.items()})
                for at in range(0, many, _AT_ONCE)
            ]
        return Modes(
            values=np.concatenate([part.values for part in parts]),
            conditional_sd=np.concatenate([part.conditional_sd for part in parts]),
            standard_error=np.concatenate([part.standard_error for part in parts]),
        )

    def _contrasts(self, weights: dict[str, sparse.csr_matrix]) -> Modes:
        raise NotImplementedError


@dataclass(frozen=True)
class ExactFit(CrossedFit):
    """What `fit_crossed` found: nothing is left to chance, and the criterion is known."""

    criterion: float
    _system: _System
    _solution: _Solution

    def _contrasts(self, weights: dict[str, sparse.csr_matrix]) -> Modes:
        return self._system.contrasts(self._solution, weights)


def fit_crossed(
    score: npt.ArrayLike,
    *,
    factors: Mapping[str, npt.ArrayLike],
    covariates: Mapping[str, npt.ArrayLike] | None = None,
    pair: npt.ArrayLike | None = None,
    reml: bool = True,
) -> ExactFit:
    """Fit a linear mixed model with crossed random factors.

    Parameters
    ----------
    score
        Shape (rows,).
    factors
        By name the level of each row, integers 0 to levels - 1, shape (rows,). At least one.
    covariates
        By name a column of shape (rows,); an intercept is always first. A column that repeats the earlier
        ones is dropped and named.
    pair
        The pair each row belongs to, integers 0 to pairs - 1, shape (rows,), if its rows have an effect in
        common. All rows of a pair must have the same level of at least one factor.
    reml
        Restricted likelihood, or the full one.

    Returns
    -------
    ExactFit
        Variances, coefficients, modes with standard errors.

    Raises
    ------
    NotEstimable
        If nothing is left to estimate a residual from.
    ValueError
        If an argument has the wrong shape or is not finite.
    """
    y = np.ascontiguousarray(score, dtype=np.float64)
    if y.ndim != 1 or y.size == 0 or not np.isfinite(y).all():
        raise ValueError("score must be one column of finite numbers with at least one row")
    if not factors:
        raise ValueError("factors must name at least one random factor; got none")
    if PAIR in factors:
        raise ValueError(f"factors must not be called {PAIR!r}: that name is for the pairs")
    levels = {name: _codes(name, codes, y.size) for name, codes in factors.items()}
    pairs = None if pair is None else _codes(PAIR, pair, y.size)
    columns = {"intercept": np.ones(y.size)}
    for name, column in (covariates or {}).items():
        values = np.asarray(column, dtype=np.float64)
        if values.shape != y.shape or not np.isfinite(values).all():
            raise ValueError(f"covariates must be finite and as long as score; {name!r} is not")
        columns[name] = values
    # One thread: on shared cores the threads of a dense factorisation wait for each other many times
    # longer than they work, and the last digits would depend on their number.
    with threadpool_limits(limits=1, user_api="blas"):
        design, kept, dropped = _independent(columns)
        if y.size <= design.shape[1]:
            raise NotEstimable("there are no more rows than coefficients")
        system = _System(y, design, levels, pairs, reml=reml)
        solution, steps, converged = _search(system)
        modes = system.modes(solution)
    ratios = {system.names[k]: solution.ratios[place] for place, k in enumerate(system.order)}
    errors = np.sqrt(solution.residual * np.diag(solution.coefficient_covariance))
    return ExactFit(
        criterion=solution.criterion,
        reml=reml,
        variances=MappingProxyType({name: solution.residual * float(ratios[name]) for name in system.names}),
        residual=solution.residual,
        coefficients=MappingProxyType(dict(zip(kept, solution.coefficients.tolist(), strict=True))),
        coefficient_errors=MappingProxyType(dict(zip(kept, errors.tolist(), strict=True))),
        dropped=dropped,
        modes=MappingProxyType(modes),
        n=y.size,
        steps=steps,
        converged=converged,
        _system=system,
        _solution=solution,
    )


@dataclass(frozen=True)
class _Seen:
    """The cross products as they look through the inverse covariance of the cells."""

    hidden: Floats | None  # by cell, what ``J`` is weighted with; None without cells
    kept: Floats | None  # by cell, what is left of a sum over its rows
    counts: Floats  # rows by level of the largest factor
    first_design: Floats
    stack_design: Floats
    design_square: Floats
    cross: sparse.csr_matrix
    meetings: _Meetings


@dataclass(frozen=True)
class _Solution:
    """The mixed-model equations solved at given ratios."""

    ratios: Floats
    criterion: float
    residual: float
    coefficients: Floats
    effects: list[Floats]
    errors: Floats  # the rows' residuals times the inverse covariance of their cells
    seen: _Seen
    upper: Floats  # Cholesky factor of the dense block, upper triangle
    inverse: Floats | None = None  # of the dense block, upper triangle

    @property
    def coefficient_covariance(self) -> Floats:
        assert self.inverse is not None
        p = self.coefficients.size
        fixed = np.triu(self.inverse[-p:, -p:])
        return np.asarray(fixed + np.triu(fixed, 1).T)


class _System:
    """The cross products of one data set, and what follows from them at given variance ratios.

    Inside, factor 0 is the largest one (of those that do not vary within a pair), the pairs come last, and
    the factors between are stacked into one block of ``self.size`` levels. The equations are scaled by the
    square roots of the ratios, so that a ratio of nought is an ordinary value.
    """

    def __init__(
        self,
        y: Floats,
        design: Floats,
        levels: Mapping[str, Integers],
        pair: Integers | None,
        *,
        reml: bool,
    ) -> None:
        self.y, self.design, self.reml = y, design, reml
        n, p = design.shape
        self.n, self.p = n, p
        self.freedom = n - p if reml else n
        sizes = [int(codes.max()) + 1 for codes in levels.values()]
        self.order = sorted(range(len(sizes)), key=lambda k: (-sizes[k], k))
        if pair is not None:
            lasting = next((k for k in self.order if _nested(pair, list(levels.values())[k])), None)
            if lasting is None:
                raise ValueError("the rows of a pair must have the same level of at least one factor")
            self.order.remove(lasting)
            self.order.insert(0, lasting)
        self.names = tuple(levels)
        self.codes = [list(levels.values())[k] for k in self.order]
        self.sizes = [sizes[k] for k in self.order]
        self.factors = len(self.codes)
        self.cells = _Cells.found(self.codes, self.sizes, pair)
        if pair is not None:
            self.order.append(len(self.names))
            self.names = (*self.names, PAIR)
            self.codes.append(pair)
            self.sizes.append(int(pair.max()) + 1)

        # Levels that are eliminated with their cell have no place in the dense block.
        self.inner = [np.arange(size) for size in self.sizes[1 : self.factors]]
        if self.cells is not None and self.factors > 1:
            self.inner[0] = np.delete(self.inner[0], self.cells.leaf_level)
        self.heights = [inner.size for inner in self.inner]
        ends = np.cumsum([0, *self.heights])
        self.slices = [slice(int(a), int(b)) for a, b in pairwise(ends)]
        self.size = int(ends[-1])
        self._count(design)
        self.design_square = design.T @ design
        self.rest = y - design @ np.linalg.solve(self.design_square, design.T @ y)
        self.total = float(self.rest @ self.rest) / n
        if self.total <= _NOTHING * float(y @ y) / n:
            raise NotEstimable("every score is what the covariates say")
        self.plain = _Seen(
            None,
            None,
            self.counts,
            self.first_design,
            self.stack_design,
            self.design_square,
            self.cross,
            self.meetings,
        )

    def _count(self, design: Floats) -> None:
        """Count how often levels meet, and sum the design by level."""
        largest = self.codes[0]
        self.counts = np.bincount(largest, minlength=self.sizes[0]).astype(np.float64)
        self.first_design = self._sums(largest, self.sizes[0], design)
        places, rows = [], []
        for codes, size, inner, part in zip(
            self.codes[1 : self.factors],
            self.sizes[1 : self.factors],
            self.inner,
            self.slices,
            strict=True,
        ):
            place = np.full(size, -1)
            place[inner] = np.arange(part.start, part.stop)
            places.append(place[codes])
            rows.append(np.flatnonzero(places[-1] >= 0))
        self.stack_design = self._stacked(design)
        self.stack = np.zeros((self.size, self.size))  # upper triangle only
        for k, place in enumerate(places):
            part = self.slices[k]
            np.fill_diagonal(
                self.stack[part, part], np.bincount(place[rows[k]] - part.start, minlength=self.heights[k])
            )
            for other, also in zip(places[k + 1 :], rows[k + 1 :], strict=True):
                both = np.intersect1d(rows[k], also, assume_unique=True) if self.cells else rows[k]
                spots, shared = np.unique(place[both] * self.size + other[both], return_counts=True)
                self.stack.ravel()[spots] = shared
        row = np.concatenate([*rows, largest[:0]])
        column = np.concatenate([*(place[r] for place, r in zip(places, rows, strict=True)), largest[:0]])
        self.cross = _counted(largest[row], column, (self.sizes[0], self.size))
        self.meetings = _Meetings(self.cross)
        if self.cells is None:
            return
        cells = self.cells
        self.cell_design = self._sums(cells.of_row, cells.times.size, design)
        self.owned = sparse.csr_matrix(
            (cells.times, cells.owner, np.arange(cells.times.size + 1)), (cells.times.size, self.sizes[0])
        )
        self.within = _counted(cells.of_row[row], column, (cells.times.size, self.size))
        self.within_meetings = _Meetings(self.within)
        self.within_row = self.within_meetings.entry_row
        self.within_column = self.within_meetings.entry_column
        keys = self.meetings.entry_row * self.size + self.meetings.entry_column
        self.within_cross = np.searchsorted(
            keys, cells.owner[self.within_row] * self.size + self.within_column
        )

    @staticmethod
    def _sums(codes: Integers, size: int, columns: Floats) -> Floats:
        """Sum the rows of ``columns`` by level: shape (size, columns)."""
        return np.stack([_totals(codes, column, size) for column in columns.T], axis=1)

    def _stacked(self, columns: Floats) -> Floats:
        """Sum the rows of ``columns`` by level of the dense block: shape (levels, columns)."""
        parts = [
            self._sums(codes, size, columns)[inner]
            for codes, size, inner in zip(
                self.codes[1 : self.factors], self.sizes[1 : self.factors], self.inner, strict=True
            )
        ]
        return np.concatenate([*parts, np.empty((0, columns.shape[1]))])

    def start(self) -> Floats:
        """Rough ratios from one-way analyses of variance, each factor by itself."""
        rest, total = self.rest, self.total
        found: list[float] = []
        for place, (codes, size) in enumerate(zip(self.codes, self.sizes, strict=True)):
            times = np.bincount(codes, minlength=size)
            used = times > 0
            sums = _totals(codes, rest, size)[used]
            times = times[used]
            between = float((sums**2 / times).sum())
            groups = times.size
            if groups < 2 or groups == self.n:
                found.append(0.1 * total)
                continue
            within = (float(rest @ rest) - between) / (self.n - groups)
            typical = (self.n - float((times**2).sum()) / self.n) / (groups - 1)
            variance = (between / (groups - 1) - within) / typical
            # Pairs differ by what their two sides do, too.
            found.append(variance if place < self.factors else variance - sum(found))
        variances = np.clip(found, 0.01 * total, None)
        residual = max(total - float(variances.sum()), 0.2 * total)
        return np.asarray(np.clip(variances / residual, 0.01, 10.0))

    def _look(self, ratios: Floats) -> _Seen:
        """The cross products at these ratios."""
        cells = self.cells
        if cells is None:
            return self.plain
        extra = self._extra(ratios)
        kept = 1.0 / (1.0 + cells.times * extra)
        hidden = extra * kept
        lost = hidden[:, None] * self.cell_design
        data = _totals(self.within_cross, self.within.data * kept[self.within_row], self.cross.nnz)
        cross = sparse.csr_matrix((data, self.cross.indices, self.cross.indptr), shape=self.cross.shape)
        return _Seen(
            hidden=hidden,
            kept=kept,
            counts=_totals(cells.owner, cells.times * kept, self.sizes[0]),
            first_design=self.first_design - self.owned.T @ lost,
            stack_design=self.stack_design - self.within.T @ lost,
            design_square=self.design_square - self.cell_design.T @ lost,
            cross=cross,
            meetings=self.meetings.holding(cross),
        )

    def _extra(self, ratios: Floats) -> Floats:
        """By cell the ratio of what its rows have in common besides the factors that are left."""
        assert self.cells is not None
        paired = len(self.codes) > self.factors
        extra = np.full(self.cells.times.size, ratios[-1] if paired else 0.0)
        if self.cells.leaf.size:
            extra[self.cells.leaf] += ratios[1]
        return extra

    def _weigh(self, seen: _Seen, columns: Floats) -> Floats:
        """Rows times the inverse covariance of their cells; ``columns`` of shape (rows, columns)."""
        if self.cells is None or seen.hidden is None:
            return columns
        rows = self.cells.of_row
        sums = self._sums(rows, seen.hidden.size, columns)
        return np.asarray(columns - (seen.hidden[:, None] * sums)[rows])

    def solve(self, ratios: Floats) -> _Solution:
        """Factor the equations at these ratios (in the order of ``self.codes``)."""
        seen = self._look(ratios)
        scale = self._scale(ratios)
        diagonal = 1.0 + ratios[0] * seen.counts
        shrink = ratios[0] / diagonal
        block = np.empty((self.size + self.p, self.size + self.p))
        q = self.size
        inner = block[:q, :q]
        np.subtract(self.stack, seen.meetings.product(shrink), out=inner)
        if seen.hidden is not None:
            inner -= self.within_meetings.product(seen.hidden)
        inner *= scale
        inner *= scale[:, None]
        block[np.arange(q), np.arange(q)] += 1.0
        weighted = shrink[:, None] * seen.first_design
        block[:q, q:] = scale[:, None] * (seen.stack_design - seen.cross.T @ weighted)
        block[q:, q:] = seen.design_square - seen.first_design.T @ weighted
        upper, failed = linalg.lapack.dpotrf(block.T, lower=1, overwrite_a=1, clean=0)
        if failed:
            raise NotEstimable("the equations are singular")
        upper = upper.T
        solved = _Solution(ratios, 0.0, 0.0, np.empty(0), [], np.empty(0), seen, upper)
        fixed, modes, rests = self.project(solved, self.y[:, None])
        coefficients, effects, rest = fixed[:, 0], [mode[:, 0] for mode in modes], rests[:, 0]
        errors = self._weigh(seen, rests)[:, 0]
        penalty = float(rest @ errors) + sum(
            float(u @ u) / ratio
            for u, ratio in zip(effects, ratios[: self.factors].tolist(), strict=True)
            if ratio > 0
        )
        residual = penalty / self.freedom
        if residual <= 1e-10 * self.total:
            raise NotEstimable("the scores leave no residual")
        roots = np.log(np.diag(upper))
        logs = float(np.log(diagonal).sum() + 2.0 * roots[:q].sum())
        if seen.kept is not None:
            logs -= float(np.log(seen.kept).sum())
        if self.reml:
            logs += 2.0 * float(roots[q:].sum())
        criterion = logs + self.freedom * (1.0 + math.log(2.0 * math.pi * residual))
        if self.cells is not None and self.cells.leaf.size:
            sums = _totals(self.cells.of_row, errors, self.cells.times.size)
            effects[1][self.cells.leaf_level] = ratios[1] * sums[self.cells.leaf]
        if len(self.codes) > self.factors:
            effects.append(ratios[-1] * _totals(self.codes[-1], errors, self.sizes[-1]))
        return _Solution(ratios, criterion, residual, coefficients, effects, errors, seen, upper)

    def project(self, solution: _Solution, columns: Floats) -> tuple[Floats, list[Floats], Floats]:
        """Coefficients, effects and residuals of ``columns``, shape (rows, columns), at given ratios.

        What goes with the cells is nought among the effects and part of the residuals.
        """
        weighed = self._weigh(solution.seen, columns)
        dense, coefficients = self._back(
            solution,
            self._sums(self.codes[0], self.sizes[0], weighed),
            self._stacked(weighed),
            self.design.T @ weighed,
        )
        effects = [dense[0]]
        for size, inner, part in zip(self.sizes[1 : self.factors], self.inner, dense[1:], strict=True):
            effect = np.zeros((size, columns.shape[1]))
            effect[inner] = part
            effects.append(effect)
        errors = columns - self.design @ coefficients
        for codes, effect in zip(self.codes[: self.factors], effects, strict=True):
            errors -= effect[codes]
        return coefficients, effects, errors

    def _back(
        self, solution: _Solution, first: Floats, stack: Floats, fixed: Floats
    ) -> tuple[list[Floats], Floats]:
        """Solve the mixed-model equations for right-hand sides of shape (levels, sides)."""
        ratios, seen = solution.ratios, solution.seen
        scale = self._scale(ratios)[:, None]
        shrink = (ratios[0] / (1.0 + ratios[0] * seen.counts))[:, None]
        weighted = shrink * first
        right = np.concatenate(
            [scale * (stack - seen.cross.T @ weighted), fixed - seen.first_design.T @ weighted]
        )
        found, _ = linalg.lapack.dpotrs(solution.upper.T, right, lower=1)
        rest, coefficients = scale * found[: self.size], found[self.size :]
        largest = weighted - shrink * (seen.cross @ rest + seen.first_design @ coefficients)
        return [largest, *(rest[part] for part in self.slices)], coefficients

    def invert(self, solution: _Solution) -> _Solution:
        """The same solution with the inverse of its dense block."""
        inverse, _ = linalg.lapack.dpotri(solution.upper.T.copy(order="F"), lower=1, overwrite_c=1)
        return replace(solution, inverse=inverse.T)

    def spreads(self, solution: _Solution) -> tuple[list[Floats], list[Floats]]:
        """Diagonal of the inverse of the scaled equations by factor: coefficients known, and estimated.

        With known coefficients the inverse of the dense block is what is left of it after a product of the
        size of the coefficients, so that one inverse serves both.
        """
        inverse = solution.inverse
        assert inverse is not None
        q, ratios, seen = self.size, solution.ratios, solution.seen
        scale = self._scale(ratios)
        diagonal = 1.0 + ratios[0] * seen.counts
        both: Floats = inverse[:q, q:]
        fixed = solution.coefficient_covariance
        dense: Floats = np.asarray(np.diag(inverse)[:q])
        outer = scale[:, None] * both
        reached = np.asarray(seen.cross @ outer)
        scaled = inverse[:q, :q] * scale
        scaled *= scale[:, None]
        quadratic = seen.meetings.quadratic(scaled)
        known_quadratic = quadratic - _rowwise(reached, np.asarray(np.linalg.solve(fixed, reached.T)).T)
        full_quadratic = (
            quadratic
            + 2.0 * _rowwise(reached, seen.first_design)
            + _rowwise(seen.first_design @ fixed, seen.first_design)
        )
        known_dense = dense - _rowwise(both, np.asarray(np.linalg.solve(fixed, both.T)).T)
        weight = ratios[0] / diagonal**2
        known = [1.0 / diagonal + weight * known_quadratic, *(known_dense[part] for part in self.slices)]
        full = [1.0 / diagonal + weight * full_quadratic, *(dense[part] for part in self.slices)]
        if self.cells is None:
            return known, full
        toward = reached + seen.first_design @ fixed
        for spread, shared in zip(
            (known, full),
            self._shared(solution, scaled, outer, toward, full_quadratic),
            strict=True,
        ):
            for place in range(1, self.factors):
                levels = np.empty(self.sizes[place])
                levels[self.inner[place - 1]] = spread[place]
                if place == 1:
                    levels[self.cells.leaf_level] = 1.0 - ratios[1] * shared[self.cells.leaf]
                spread[place] = levels
            if len(self.codes) > self.factors:
                spread.append(1.0 - ratios[-1] * shared)
        return known, full

    def _shared(
        self, solution: _Solution, scaled: Floats, outer: Floats, toward: Floats, quadratic: Floats
    ) -> tuple[Floats, Floats]:
        """By cell ``1' P 1`` over its rows, times the residual variance: coefficients known, and estimated.

        ``toward`` and ``quadratic`` are those of the levels of factor 0: what connects each with the
        coefficients, and with itself through the dense block.
        """
        cells, seen, within = self.cells, solution.seen, self.within
        assert cells is not None
        assert seen.kept is not None
        fixed, ratios = solution.coefficient_covariance, solution.ratios
        shrink = (ratios[0] / (1.0 + ratios[0] * seen.counts))[cells.owner]
        left = cells.times * seen.kept
        own_reach = np.asarray(within @ outer)
        own_toward = own_reach + self.cell_design @ fixed
        own = self.within_meetings.quadratic(scaled)
        own += _rowwise(own_reach + own_toward, self.cell_design)
        across = seen.meetings.across(scaled)[self.within_cross]
        mixed = _totals(self.within_row, within.data * across, cells.times.size)
        mixed += _rowwise(own_reach, seen.first_design[cells.owner])
        mixed += _rowwise(toward[cells.owner], self.cell_design)
        weight = left * shrink
        through = seen.kept**2 * own - 2.0 * seen.kept * weight * mixed + weight**2 * quadratic[cells.owner]
        full = left - left * weight - through
        slopes = seen.kept[:, None] * own_toward - weight[:, None] * toward[cells.owner]
        known = full + _rowwise(slopes, np.asarray(np.linalg.solve(fixed, slopes.T)).T)
        return known, full

    def slope(self, solution: _Solution) -> tuple[Floats, Floats]:
        """Gradient and averaged curvature of the criterion in the ratios."""
        known, full = self.spreads(solution)
        spreads = full if self.reml else known
        back, squares, traces = [], [], []
        for codes, size, spread, ratio in zip(self.codes, self.sizes, spreads, solution.ratios, strict=True):
            sums = _totals(codes, solution.errors, size)
            back.append(sums[codes])
            squares.append(float(sums @ sums))
            traces.append((size - float(spread.sum())) / ratio)
        square = np.array(squares)
        gradient = np.array(traces) - square / solution.residual
        columns = np.column_stack(back)
        left = self._weigh(solution.seen, self.project(solution, columns)[2])
        curvature = columns.T @ left / solution.residual
        curvature -= np.outer(square, square) / (self.freedom * solution.residual**2)
        return gradient, 0.5 * (curvature + curvature.T)

    def modes(self, solution: _Solution) -> dict[str, Modes]:
        """Effects and standard errors by factor, in the order the factors were given."""
        known, full = self.spreads(solution)
        found = {}
        for place, k in enumerate(self.order):
            variance = solution.residual * solution.ratios[place]
            found[self.names[k]] = Modes(
                values=solution.effects[place],
                conditional_sd=np.sqrt(variance * known[place]),
                standard_error=np.sqrt(variance * full[place]),
            )
        return {name: found[name] for name in self.names}

    def contrasts(self, solution: _Solution, weights: dict[str, sparse.csr_matrix]) -> Modes:
        """Weighted sums of effects: what each elimination leaves of their variance, and the dense block."""
        inverse = solution.inverse
        assert inverse is not None
        ratios, seen, q = solution.ratios, solution.seen, self.size
        many = next(iter(weights.values())).shape[0]
        sides = [
            weights.get(self.names[k], sparse.csr_matrix((many, size)))
            for k, size in zip(self.order, self.sizes, strict=True)
        ]
        values = np.zeros(many)
        for side, effect in zip(sides, solution.effects, strict=True):
            values += side @ effect
        first, fixed, full = sides[0], np.zeros((many, self.p)), np.zeros(many)
        inner = [side[:, kept] for side, kept in zip(sides[1 : self.factors], self.inner, strict=True)]
        stack = sparse.csr_matrix(sparse.hstack([*inner, sparse.csr_matrix((many, 0))]))
        if self.cells is not None and seen.kept is not None:
            cells = self.cells
            own = sparse.csr_matrix((many, cells.times.size))
            if cells.leaf.size:
                leaves = sides[1][:, cells.leaf_level]
                full += ratios[1] * _squares(leaves)
                place = (np.full(cells.leaf.size, ratios[1]), (np.arange(cells.leaf.size), cells.leaf))
                own = own + leaves @ sparse.csr_matrix(place, shape=(cells.leaf.size, cells.times.size))
            if len(self.codes) > self.factors:
                full += ratios[-1] * _squares(sides[-1])
                own = own + ratios[-1] * sides[-1]
            full -= np.asarray(own.multiply(own) @ (cells.times * seen.kept))
            own = sparse.csr_matrix(own @ sparse.diags_array(seen.kept))
            first = first - own @ self.owned
            stack = stack - own @ self.within
            fixed -= np.asarray(own @ self.cell_design)
        shrink = ratios[0] / (1.0 + ratios[0] * seen.counts)
        full += np.asarray(first.multiply(first) @ shrink)
        weighted = first @ sparse.diags_array(shrink)
        fixed -= np.asarray(weighted @ seen.first_design)
        scaled = (stack - weighted @ seen.cross) @ sparse.diags_array(self._scale(ratios))
        stack = sparse.csr_matrix(scaled)
        stack.sort_indices()
        through = np.asarray(stack @ inverse[:q, q:])
        covariance = solution.coefficient_covariance
        coefficients = through + fixed @ covariance
        full += _Meetings(stack).quadratic(inverse[:q, :q])
        full += _rowwise(through + coefficients, fixed)
        known = full - _rowwise(coefficients, np.asarray(np.linalg.solve(covariance, coefficients.T)).T)
        return Modes(
            values=values,
            conditional_sd=np.sqrt(solution.residual * np.clip(known, 0.0, None)),
            standard_error=np.sqrt(solution.residual * np.clip(full, 0.0, None)),
        )

    def _scale(self, ratios: Floats) -> Floats:
        return np.repeat(np.sqrt(ratios[1 : self.factors]), self.heights)


@dataclass(frozen=True)
class _Cells:
    """Rows that have effects of their own in common: the pairs, or the meetings of the two largest factors.

    A level of the second factor is a leaf if its rows are those of one cell: its effect is one more effect
    of the cell.
    """

    of_row: Integers
    times: Floats  # rows by cell
    owner: Integers  # level of factor 0 by cell
    leaf: Integers  # cells with a leaf
    leaf_level: Integers  # its level of factor 1

    @classmethod
    def found(cls, codes: list[Integers], sizes: list[int], pair: Integers | None) -> _Cells | None:
        """The cells; None if nothing goes with them."""
        none = np.zeros(0, dtype=np.int64)
        if pair is None:
            if len(codes) < 2:
                return None
            _, of_row = np.unique(codes[0] * sizes[1] + codes[1], return_inverse=True)
        else:
            of_row = pair
        times = np.bincount(of_row)
        owner = np.zeros(times.size, dtype=np.int64)
        owner[of_row] = codes[0]
        if len(codes) < 2:
            return cls(of_row, times.astype(np.float64), owner, none, none)
        level = np.zeros(times.size, dtype=np.int64)
        level[of_row] = codes[1]
        same = np.bincount(of_row[codes[1] == level[of_row]], minlength=times.size)
        rows = np.bincount(codes[1], minlength=sizes[1])
        leaf = np.flatnonzero((times > 0) & (times == same) & (times == rows[level]))
        if pair is None and leaf.size < _WORTH * sum(sizes[1:]):
            return None
        return cls(of_row, times.astype(np.float64), owner, leaf, level[leaf])


class _Meetings:
    """Products ``C' diag(w) C`` of a sparse matrix of counts, for many ``w``.

    The entries of a row must come in the order of their columns. Which of them meet does not change, so it
    is listed once. Where rows are so full that the list would cost more than dense products, dense products
    are used.
    """

    def __init__(self, cross: sparse.csr_matrix) -> None:
        rows, self.size = cross.shape
        self.rows = rows
        times = np.diff(cross.indptr).astype(np.int64)
        many = int((times * (times + 1) // 2).sum())
        self.entry_row = np.repeat(np.arange(rows), times)
        self.entry_column = cross.indices.astype(np.int64)
        # A listed meeting costs about as much as 240 multiplications inside a dense product.
        self.full = rows * self.size**2 < 240 * many and rows * self.size < 5e7
        if not self.full:
            entries = np.arange(cross.nnz)
            reach = np.repeat(cross.indptr[1:].astype(np.int64), times) - entries
            self.first = np.repeat(entries, reach)
            starts = np.cumsum(reach) - reach
            self.second = self.first + np.arange(many) - np.repeat(starts, reach)
            self.row = np.repeat(np.repeat(np.arange(rows, dtype=np.int32), times), reach)
            self.used = np.flatnonzero(times)
            self.starts = np.searchsorted(self.row, self.used)
            column = self.entry_column
            self.cell = column[self.first] * self.size + column[self.second]
        self._hold(cross)

    def holding(self, cross: sparse.csr_matrix) -> _Meetings:
        """The same with other counts at the same places."""
        other = copy(self)
        other._hold(cross)
        return other

    def _hold(self, cross: sparse.csr_matrix) -> None:
        self.data = cross.data
        self.dense = cross.toarray() if self.full else None
        if not self.full:
            self.times = cross.data[self.first] * cross.data[self.second]

    def product(self, weights: Floats) -> Floats:
        """``C' diag(weights) C``, upper triangle, shape (columns, columns)."""
        if self.dense is not None:
            return np.asarray((self.dense * weights[:, None]).T @ self.dense)
        flat = _totals(self.cell, weights[self.row] * self.times, self.size**2)
        return flat.reshape(self.size, self.size)

    def quadratic(self, matrix: Floats) -> Floats:
        """``c' matrix c`` for every row c of C, shape (rows,).

        Of the symmetric ``matrix`` only the upper triangle is read.
        """
        if self.dense is not None:
            upper = np.triu(matrix)
            upper[np.diag_indices(self.size)] *= 0.5
            return 2.0 * _rowwise(self.dense @ upper, self.dense)
        alone = np.diag(matrix)[self.entry_column] * self.data**2
        total = -_totals(self.entry_row, alone, self.rows)
        if self.used.size:
            values = self.times * matrix.ravel()[self.cell]
            total[self.used] += 2.0 * np.add.reduceat(values, self.starts)
        return np.asarray(total)

    def across(self, matrix: Floats) -> Floats:
        """``C matrix`` where C has entries, shape (entries,); only the upper triangle is read."""
        if self.dense is not None:
            upper = np.triu(matrix)
            whole = self.dense @ (upper + np.triu(matrix, 1).T)
            return np.asarray(whole[self.entry_row, self.entry_column])
        values = matrix.ravel()[self.cell]
        size = self.data.size
        total = _totals(self.first, values * self.data[self.second], size)
        total += _totals(self.second, values * self.data[self.first], size)
        return np.asarray(total - np.diag(matrix)[self.entry_column] * self.data)


def _search(system: _System) -> tuple[_Solution, int, bool]:
    """Average-information steps from a rough start; plain descent where such a step does not improve."""
    rows = np.array([system.n / size for size in system.sizes])
    floor = _FLOOR / rows
    here = system.solve(np.maximum(system.start(), floor))
    converged, steps = False, 0
    while steps < _MOST_STEPS and not converged:
        steps += 1
        here = system.invert(here)
        gradient, curvature = system.slope(here)
        held = ((here.ratios <= floor) & (gradient >= 0)) | ((here.ratios >= _CEILING) & (gradient <= 0))
        # A ratio that hardly matters any more may go to nought at once; others only by a factor.
        lowest = np.where(here.ratios * rows < 0.05, floor, np.maximum(here.ratios / _LONGEST_STEP, floor))
        highest = np.minimum(here.ratios * _LONGEST_STEP, _CEILING)
        step, gain = newton(gradient, curvature, held, lowest - here.ratios, highest - here.ratios)
        converged = gain < _DECREMENT
        if converged:
            break
        aim = np.minimum(here.ratios + step, _CEILING)
        better = _improve(system, here, np.where(aim <= 1.001 * floor, floor, aim), 6)
        if better is None:
            pull = here.ratios * np.where(held, 0.0, gradient)
            bend = here.ratios**2 * np.diag(curvature) + np.abs(pull) + 1e-300
            reach = np.clip(-pull / bend, -1.0, 1.0) * math.log(_LONGEST_STEP)
            better = _improve(system, here, np.clip(here.ratios * np.exp(reach), floor, _CEILING), 30)
        if better is None:
            converged = gain < 1e-4
            break
        here = better
    ratios = np.where(here.ratios <= floor, 0.0, here.ratios)
    if here.inverse is None or (ratios != here.ratios).any():
        here = system.invert(system.solve(ratios))
    return here, steps, converged


def newton(
    gradient: Floats, curvature: Floats, held: Bools, down: Floats, up: Floats
) -> tuple[Floats, float]:
    """The step that gains most within the bounds ``down`` and ``up``, and what it is expected to gain.

    Where a step would leave its bounds it ends on them, and the others step as that one allows.
    """
    curvature = curvature + np.diag(np.maximum(-np.diag(curvature), 0.0))  # rounding below nought
    step = np.zeros_like(gradient)
    fixed = held.copy()
    # A factor that the coefficients already explain has a slope but no curvature: it goes to its bound.
    reach = np.where(gradient > 0, np.maximum(-down, 1e-300), np.maximum(up, 1e-300))
    slope = np.abs(gradient)
    flat = np.where(np.diag(curvature) * reach < 1e-6 * slope, slope / reach, 0.0) * ~held
    bent = curvature + np.diag(1e-8 * np.diag(curvature) + flat + 1e-300)
    for _ in range(gradient.size):
        free = ~fixed
        if not free.any():
            break
        right = gradient[free] + bent[np.ix_(free, fixed)] @ step[fixed]
        unit = np.sqrt(np.diag(bent)[free])
        scaled = bent[np.ix_(free, free)] / np.outer(unit, unit)
        step[free] = -linalg.lstsq(scaled, right / unit)[0] / unit
        beyond = free & ((step < down) | (step > up))
        if not beyond.any():
            break
        step[beyond] = np.clip(step, down, up)[beyond]
        fixed |= beyond
    return step, abs(float(gradient @ step + 0.5 * step @ curvature @ step))


def _improve(system: _System, here: _Solution, aim: Floats, tries: int) -> _Solution | None:
    """The solution at ``aim``, or nearer to here, that is no worse than here; None if there is none."""
    for _ in range(tries):
        try:
            there = system.solve(aim)
        except NotEstimable:
            there = None
        if there is not None and there.criterion <= here.criterion:
            return there
        aim = np.sqrt(aim * here.ratios)
    return None


def _nested(pair: Integers, codes: Integers) -> bool:
    """Whether the rows of a pair never differ in their level."""
    level = np.zeros(int(pair.max()) + 1, dtype=np.int64)
    level[pair] = codes
    return bool((level[pair] == codes).all())


def _counted(rows: Integers, columns: Integers, shape: tuple[int, int]) -> sparse.csr_matrix:
    """How often each row meets each column."""
    matrix = sparse.csr_matrix((np.ones(rows.size), (rows, columns)), shape=shape)
    matrix.sum_duplicates()
    return matrix


def _totals(codes: Integers, column: Floats, size: int) -> Floats:
    """Sum a column by level, shape (size,)."""
    return np.asarray(np.bincount(codes, column, size), dtype=np.float64)


def _squares(matrix: sparse.csr_matrix) -> Floats:
    """Sum of the squares of each row."""
    return np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel()


def _rowwise(a: Floats, b: Floats) -> Floats:
    """Inner products of the rows of two matrices."""
    return np.asarray(np.einsum("ij,ij->i", a, b))


def _codes(name: str, codes: npt.ArrayLike, n: int) -> Integers:
    values = np.asarray(codes)
    if values.shape != (n,) or not np.issubdtype(values.dtype, np.integer) or int(values.min()) < 0:
        raise ValueError(f"factors must be whole numbers from 0, as long as score; {name!r} is not")
    return values.astype(np.int64)


def _independent(columns: Mapping[str, Floats]) -> tuple[Floats, list[str], tuple[str, ...]]:
    """Keep the columns that add something to the ones before them."""
    names = list(columns)
    design = np.stack(list(columns.values()), axis=1)
    # Measured from their means, so that a large constant does not hide what a column says.
    apart = design - design.mean(axis=0)
    kept = independent(apart.T @ apart, (design**2).sum(axis=0))
    dropped = tuple(name for k, name in enumerate(names) if k not in kept)
    return np.ascontiguousarray(design[:, kept]), [names[k] for k in kept], dropped


def independent(inner: Floats, squares: Floats) -> list[int]:
    """Which columns add something to the ones before them; the first, a constant, always does.

    Parameters
    ----------
    inner
        Inner products of the columns measured from their means, shape (columns, columns).
    squares
        Sums of squares of the columns as they are, shape (columns,).
    """
    size = np.sqrt(np.clip(np.diag(inner), 0.0, None))
    varies = size > 1e-12 * np.sqrt(squares)
    unit = np.where(varies, size, 1.0)
    inner = inner / np.outer(unit, unit)
    kept: list[int] = []
    lower = np.zeros_like(inner)
    for k in range(squares.size):
        if k == 0:
            kept.append(k)
            continue
        left = inner[k, k]
        for place, other in enumerate(kept[1:]):
            lower[k, place] = (inner[k, other] - lower[k, :place] @ lower[other, :place]) / lower[
                other, place
            ]
            left -= lower[k, place] ** 2
        if varies[k] and left > 1e-10:
            lower[k, len(kept) - 1] = math.sqrt(left)
            kept.append(k)
    return kept
