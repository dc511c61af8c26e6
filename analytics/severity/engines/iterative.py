"""Which part of a score belongs to each of several crossed groupings, when there are very many levels?

Reads    a score per row, classes and covariates with coefficients, and the level of every factor.
Returns  what `crossed.fit_crossed` returns, by conjugate gradients instead of one dense block.

The model is that of `crossed`, fitted by restricted likelihood. Its first factor (ratees) is eliminated, for
its block is diagonal, and pairs re-weight the meetings of the first two factors (``kept = 1 / (1 + n t)`` for
a pair of n rows). The second factor (raters), and levels that divide those of the second among themselves
(a rater's cycles), are *iterated*: no matrix of theirs is ever formed, equations in them are solved by
conjugate gradients, preconditioned by the exact block of each rater with its parts. All else is *small*:
coefficients and the few levels of other factors. With ``A`` the equations of the iterated levels, ``B`` what
connects them with the small ones and ``D`` the small ones' own, all after the elimination,

    W = A^-1 B,  S = D - B' W,  inverse = [A^-1 + W S^-1 W', -W S^-1; -S^-1 W', S^-1]

is exact for everything small. Of ``A^-1`` only the diagonal is needed. It is estimated by random signs z:
the mean of ``z * (A^-1 z)`` is unbiased, and its noise comes from the elements beside the diagonal alone.
Two steps of the preconditioner, ``P = 2 M^-1 - M^-1 A M^-1``, come close to ``A^-1`` and have the diagonal
of ``M^-1``, so that only ``A^-1 - P`` is left to chance. Traces need no more. Gradient and average
information of the restricted likelihood then are those of `crossed`; the likelihood itself would need a
determinant and is not computed. Everything random follows from a seed.

W and the probes are solved to about a thousandth, in single precision: with the residuals R of W at hand,
``S = D - B' W - W' R`` is off by their square only, and the scores themselves are solved in full. Where there
are very many rows (`_MANY`), the search for the variances starts from all rows of some raters, so many that
one step on all rows is left, and what this leaves open is small beside the standard error of a variance.
Variances are those after the step and know all rows. Where the step changes squared standard errors by less
than a hundredth on average (`_STILL`), modes and their errors are those just before it: a mode changes by
less than that share of itself, and the residual follows to second order. Errors of the eliminated factor are
worked out when asked for. Products release the interpreter, so two threads share the columns or the rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse
from threadpoolctl import threadpool_limits

from analytics.severity.engines.crossed import (
    PAIR,
    CrossedFit,
    Floats,
    Integers,
    Modes,
    NotEstimable,
    independent,
    newton,
)

REFERENCE: Final = (
    "Gilmour, Thompson & Cullis (1995), Biometrics 51, 1440-1450. doi:10.2307/2533274; "
    "Hutchinson (1990), Commun. Stat. Simul. Comput. 19(2). doi:10.1080/03610919008812866; "
    "Bekas, Kokiopoulou & Saad (2007), Appl. Numer. Math. 57. doi:10.1016/j.apnum.2007.01.003"
)

_MOST_STEPS: Final = 30
_GAIN: Final = 3e-4  # expected gain in the criterion below which the search stops: a sixtieth of an error
_GAIN_SAMPLED: Final = 0.05  # the same where a sample has shown the way: a fifth of a very small error
_STILL: Final = 0.01  # share of squared standard errors that a last step may change without solving again
_FLOOR: Final = 1e-6  # ratio x mean rows per level: as good as nought
_LONGEST_STEP: Final = 10.0
_SAMPLE: Final = 100_000  # rows from which the search starts, or more
_MANY: Final = 600_000  # rows from which it does
_SAMPLED_RATERS: Final = 12  # times the root of their number: one step more, and little is left to gain
_MOST_CHUNKS: Final = 4  # in which small columns are looked at for a trace they hardly change
_PIECES: Final = 4  # in which a product is taken
_CHUNK: Final = 200_000  # rows looked at together
_CHUNK_LEVELS: Final = 5  # or so many times the iterated levels: every chunk adds to all of them
_WIDTH: Final = 8_000_000  # bytes in one block of right-hand sides: what a processor keeps at hand
_WIDEST: Final = 20  # columns of such a block
_MOST_ITERATIONS: Final = 500
_EXACT: Final = 1e-6
_ROUGH: Final = 1e-3  # of probes, whose own noise is larger, and of what counts squared
_NOISE: Final = 0.01  # relative error of standard errors from probing
_MOST_PROBES: Final = 192
_BUSY: Final = 5  # ratees from which a rater's standard error depends on other raters
_THREADS: Final = 2  # always, so that the digits do not depend on the machine
_NOTHING: Final = 1e-24


@dataclass(frozen=True)
class Classes:
    """A grouping of the rows with a coefficient for every level but the first.

    Attributes
    ----------
    names
        Of the coefficients: one for each level from the second.
    codes
        Level of each row from 0, shape (rows,).
    """

    names: tuple[str, ...]
    codes: npt.NDArray[np.integer]


@dataclass(frozen=True)
class IterativeFit(CrossedFit):
    """What `fit_iterative` found: a `CrossedFit` without a criterion.

    Standard errors of the small factors and of coefficients are exact. Those of the iterated levels rest on
    probes and are off by a share of `monte_carlo` on average; those of the eliminated factor likewise, a
    little more. Contrasts of one iterated level each with anything small use the probes, too; all others are
    solved for.

    Attributes
    ----------
    monte_carlo
        Relative error of the standard errors of the iterated levels from probing, root mean square.
    probes
        Number of probes.
    ratios, ratio_covariance
        Variances divided by the residual one, by factor, and how uncertain they are, shape (factors,
        factors).
    """

    monte_carlo: float
    probes: int
    ratios: Mapping[str, float]
    ratio_covariance: Floats
    _system: _System
    _solution: _Solution
    _diagonal: Floats

    def _contrasts(self, weights: dict[str, sparse.csr_matrix]) -> Modes:
        return self._system.contrasts(self._solution, self._diagonal, weights)


def fit_iterative(
    score: npt.ArrayLike,
    *,
    factors: Mapping[str, npt.NDArray[np.integer]],
    classes: Sequence[Classes] = (),
    covariates: Mapping[str, npt.ArrayLike] | None = None,
    pair: bool = False,
    seed: int = 0,
) -> IterativeFit:
    """Fit a linear mixed model whose second factor has very many levels, by restricted likelihood.

    Parameters
    ----------
    score
        Shape (rows,).
    factors
        By name the level of each row from 0, shape (rows,). The first is eliminated, the second iterated; a
        later one whose levels each belong to one level of the second, and are more than those, is iterated
        with it (at most one); all others are small.
    classes
        Groupings with coefficients. An intercept is always first.
    covariates
        By name a column of shape (rows,), with one coefficient.
    pair
        Whether the rows of the same levels of the first two factors have an effect in common, called `PAIR`.
    seed
        What the probes follow from.

    Returns
    -------
    IterativeFit
        Variances, coefficients, modes with standard errors.

    Raises
    ------
    NotEstimable
        If nothing is left to estimate a residual from.
    """
    if len(factors) < 2:
        raise ValueError(f"factors must name one to eliminate and one to iterate; got {', '.join(factors)}")
    y = np.asarray(score, dtype=np.float64)
    columns = {name: np.asarray(column, dtype=np.float64) for name, column in (covariates or {}).items()}
    with threadpool_limits(limits=1, user_api="blas"):
        sample = _sample(y, factors, classes, columns, seed)
        if sample is None:
            system = _System(y, factors, classes, columns, pair=pair, seed=seed)
            return system.fit(_search(system, system.start(), _GAIN))
        with ThreadPoolExecutor(1) as beside:
            whole = beside.submit(_System, y, factors, classes, columns, pair=pair, seed=seed)
            small = _System(*sample, pair=pair, seed=seed)
            start = _search(small, small.start(), _GAIN_SAMPLED, math.inf).ratios
            del small
            system = whole.result()
        return system.fit(_search(system, start, _GAIN_SAMPLED, _STILL))


def _sample(
    y: Floats,
    factors: Mapping[str, npt.NDArray[np.integer]],
    classes: Sequence[Classes],
    columns: Mapping[str, Floats],
    seed: int,
) -> tuple[Floats, dict[str, npt.NDArray[np.integer]], list[Classes], dict[str, Floats]] | None:
    """All rows of some raters, to start from; None where all rows are few enough."""
    if y.size < _MANY:
        return None
    second = list(factors.values())[1]
    many = int(second.max()) + 1
    share = max(_SAMPLE / y.size, _SAMPLED_RATERS / math.sqrt(many))
    rows = np.flatnonzero((np.random.default_rng(seed).random(many) < share)[second])
    found = {name: np.unique(codes[rows], return_inverse=True)[1] for name, codes in factors.items()}
    return (
        y[rows],
        found,
        [Classes(part.names, part.codes[rows]) for part in classes],
        {name: column[rows] for name, column in columns.items()},
    )


@dataclass(frozen=True)
class _Chunk:
    """Some levels of the first factor with all their cells and rows."""

    levels: slice
    cells: slice
    rows: slice


@dataclass(frozen=True)
class _Side:
    """A right-hand side of the equations; None is nought."""

    first: Floats | None
    iterated: Floats
    small: Floats


@dataclass(frozen=True)
class _Equations:
    """The equations at given ratios, and what has been solved of them."""

    ratios: Floats
    kept: Floats  # by cell
    hidden: Floats  # by cell: t x kept
    diagonal: Floats  # of the eliminated levels
    own: sparse.csr_matrix  # iterated levels with themselves before the elimination, prior included
    meeting: sparse.csr_matrix  # eliminated with iterated levels, over the root of the diagonal
    near: Floats  # inverse of the block of each rater, shape (raters, block, block)
    places: Integers  # levels of each block, shape (raters, block)
    bonds: Floats  # B, shape (iterated, small)
    meets: Floats  # W, shape (iterated, small)
    inverse: Floats  # of S, shape (small, small)

    def product(self, columns: Floats) -> Floats:
        """``A columns``."""
        out = self.own @ columns
        if columns.shape[1] > 1:
            for part, turned in self.pieces:
                out -= turned @ (part @ columns)
            return np.asarray(out)
        # Nobody else is at work on a single column.
        with ThreadPoolExecutor(_THREADS) as threads:
            for taken in threads.map(lambda piece: piece[1] @ (piece[0] @ columns), self.pieces):
                out -= taken
        return np.asarray(out)

    @cached_property
    def pieces(self) -> list[tuple[sparse.csr_matrix, sparse.csc_matrix]]:
        """The meeting in pieces with their transposes: views, but making one takes longer than a product.

        Few, for every piece adds to all iterated levels; not one, for what it says stays near at hand.
        """
        cuts = np.linspace(0, self.meeting.shape[0], _PIECES + 1).astype(int).tolist()
        parts = [_slice(self.meeting, slice(a, b)) for a, b in pairwise(cuts)]
        return [(part, part.T) for part in parts]

    def single(self) -> _Equations:
        """The same in single precision, which is enough for what is solved roughly and twice as fast."""
        return replace(
            self,
            own=self.own.astype(np.float32),
            meeting=_with(self.meeting, self.meeting.data.astype(np.float32)),
            near=self.near.astype(np.float32),
        )

    def nearby(self, columns: Floats) -> Floats:
        """``M^-1 columns``: each rater by itself."""
        if self.near.shape[1] == 1:
            return self.near[:, 0] * columns
        padded = np.concatenate([columns, np.zeros((1, columns.shape[1]), dtype=columns.dtype)])
        found = self.near @ padded[self.places]
        out = np.empty_like(padded)
        out[self.places] = found
        return out[:-1]

    def near_matrix(self) -> sparse.csr_matrix:
        """``M^-1`` as a sparse matrix."""
        size, (raters, width) = self.own.shape[0], self.places.shape
        rows = np.broadcast_to(self.places[:, :, None], (raters, width, width)).ravel()
        columns = np.broadcast_to(self.places[:, None, :], (raters, width, width)).ravel()
        real = (rows < size) & (columns < size)
        entries = (self.near.ravel()[real], (rows[real], columns[real]))
        return sparse.csr_matrix(entries, shape=(size, size))

    def inverse_known(self, coefficients: int) -> Floats:
        """``S^-1`` when the coefficients are known: they come first."""
        if coefficients == self.inverse.shape[0]:
            return np.empty((0, 0))
        free = slice(coefficients, None)
        return np.asarray(np.linalg.inv(np.linalg.inv(self.inverse)[free, free]))

    def alone(self, probes: Floats, probed: Floats) -> tuple[Floats, Floats]:
        """Diagonal of ``A^-1``, and how far off standard errors made with it may be, as a share."""
        first = self.nearby(probes)
        left = probes * (probed - 2.0 * first + self.nearby(self.rough.product(first.astype(np.float32))))
        sure = np.zeros(self.own.shape[0])
        width = np.arange(self.near.shape[1])
        spots = self.places.ravel()
        real = spots < sure.size
        sure[spots[real]] = self.near[:, width, width].ravel()[real]
        diagonal = sure + left.mean(axis=1)
        error = left.std(axis=1, ddof=1) / math.sqrt(probes.shape[1])
        return diagonal, 0.5 * error / diagonal

    def solve(self, sides: Floats, *, start: Floats | None = None) -> Floats:
        """``A^-1 sides``, exact for every purpose."""
        return self._split(self, sides, _EXACT, start)[0]

    def solve_roughly(self, sides: Floats, *, start: Floats | None = None) -> Floats:
        """``A^-1 sides`` to about a thousandth."""
        return self._split(self.rough, sides, _ROUGH, start)[0]

    def solve_with_rest(self, sides: Floats, *, start: Floats | None = None) -> tuple[Floats, Floats]:
        """``A^-1 sides`` to about a thousandth, and what this leaves of the sides."""
        return self._split(self.rough, sides, _ROUGH, start)

    @cached_property
    def rough(self) -> _Equations:
        """These equations in single precision."""
        return self.single()

    @staticmethod
    def _split(
        equations: _Equations, sides: Floats, tolerance: float, start: Floats | None
    ) -> tuple[Floats, Floats]:
        """Some columns at a time."""
        size, many = sides.shape
        kind = equations.near.dtype
        wide = max(1, min(_WIDEST, _WIDTH // (size * kind.itemsize)))
        blocks = min(many, _THREADS * math.ceil(many / wide / _THREADS))
        cuts = [slice(a * many // blocks, (a + 1) * many // blocks) for a in range(blocks)]
        found, rest = np.empty(sides.shape), np.empty(sides.shape)

        def solved(cut: slice) -> None:
            begin = None if start is None else start[:, cut].astype(kind)
            side = sides[:, cut].astype(kind, order="C")
            found[:, cut], rest[:, cut] = equations._solve(side, tolerance, begin)

        with ThreadPoolExecutor(_THREADS) as threads:
            list(threads.map(solved, cuts))
        return found, rest

    def _solve(self, sides: Floats, tolerance: float, start: Floats | None) -> tuple[Floats, Floats]:
        """Conjugate gradients, every column by itself, until the slowest is there."""
        if start is None:
            found, rest = np.zeros_like(sides), sides.copy()
        else:
            found, rest = start.copy(), sides - self.product(start)
        aim = tolerance**2 * np.maximum(_columnwise(sides, self.nearby(sides)), 1e-30)
        near = self.nearby(rest)
        along, size = near.copy(), _columnwise(rest, near)
        for _ in range(_MOST_ITERATIONS):
            # A column that is there rests; so does one that rounding lets go no further.
            ahead = self.product(along)
            bend = _columnwise(along, ahead)
            moving = (size > aim) & (bend > 0)
            if not moving.any():
                break
            step = np.divide(size, bend, out=np.zeros_like(size), where=moving)
            found += step * along
            ahead *= step
            rest -= ahead
            near = self.nearby(rest)
            after = _columnwise(rest, near)
            along *= np.divide(after, size, out=np.zeros_like(size), where=moving)
            along += near
            size = np.where(moving, after, 0.0).astype(size.dtype)
        return found, rest


@dataclass(frozen=True)
class _Solution:
    """The equations solved for the scores."""

    equations: _Equations
    residual: float
    first: Floats
    iterated: Floats
    small: Floats
    pairs: Floats
    alone: Floats  # of the scores, before the small levels have their say
    probed: Floats  # A^-1 probes

    @property
    def ratios(self) -> Floats:
        """By factor, pairs last."""
        return self.equations.ratios


@dataclass(frozen=True)
class _Found:
    """Where the search for the ratios ended."""

    solution: _Solution
    ratios: Floats
    curvature: Floats
    steps: int
    converged: bool


class _WhenAsked(Mapping[str, Modes]):
    """Modes by factor, of which those of the first, the most of all, are worked out when first asked for."""

    def __init__(self, first: str, late: Callable[[], Modes], ready: Mapping[str, Modes]) -> None:
        self._first, self._late, self._ready = first, late, ready

    @cached_property
    def _worked_out(self) -> Modes:
        with threadpool_limits(limits=1, user_api="blas"):
            return self._late()

    def __getitem__(self, name: str) -> Modes:
        return self._worked_out if name == self._first else self._ready[name]

    def __iter__(self) -> Iterator[str]:
        return iter((self._first, *self._ready))

    def __len__(self) -> int:
        return 1 + len(self._ready)


class _System:
    """The rows in the order of the eliminated factor, and what follows from them at given ratios.

    A unit is the rows of one cell (levels of the first two factors) with the same part of the second level;
    without parts it is the cell.
    """

    def __init__(
        self,
        y: Floats,
        factors: Mapping[str, npt.NDArray[np.integer]],
        classes: Sequence[Classes],
        columns: Mapping[str, Floats],
        *,
        pair: bool,
        seed: int,
    ) -> None:
        self.names, self.paired, self.seed = tuple(factors), pair, seed
        codes = list(factors.values())
        self.n, self.sizes = y.size, [int(code.max()) + 1 for code in codes]
        self.raters = self.sizes[1]
        self.part = next(
            (k for k in range(2, len(codes)) if self.sizes[k] > self.raters and _divides(codes[k], codes[1])),
            None,
        )
        self.few = [k for k in range(2, len(codes)) if k != self.part]
        self.mean = float(y.mean())
        if not math.isfinite(self.mean):
            raise ValueError("score must be one column of finite numbers with at least one row")
        order = self._rows(codes)
        self.y = y[order]
        self.y -= self.mean
        self._columns(classes, columns, codes, order)
        self.freedom = self.n - self.p
        if self.freedom <= 0:
            raise NotEstimable("there are no more rows than coefficients")
        self.scores = float(self.y @ self.y)

    def _rows(self, codes: list[npt.NDArray[np.integer]]) -> Integers:
        """Put rows in the order of the first factor, cell by cell, and say where each begins."""
        fine = codes[1] if self.part is None else _within(codes[self.part], codes[1])
        key = codes[0].astype(np.int64)
        self.counts = np.bincount(key, minlength=self.sizes[0]).astype(np.float64)
        self.row_starts = np.append(0, np.cumsum(self.counts, dtype=np.int64))
        key *= int(fine.max()) + 1
        key += fine
        order = np.argsort(key)
        del key
        second = codes[1][order].astype(np.int32, copy=False)
        new = np.ones(self.n, dtype=bool)
        new[1:] = second[1:] != second[:-1]
        new[self.row_starts[:-1][self.counts > 0]] = True
        self.cell_rows = np.append(np.flatnonzero(new), self.n)
        starts = self.cell_rows[:-1]
        self.times = np.diff(self.cell_rows).astype(np.float64)
        rater = second[starts]
        self.cell_starts = np.searchsorted(starts, self.row_starts)
        self.owner = np.repeat(np.arange(self.sizes[0], dtype=np.int32), np.diff(self.cell_starts))
        if self.part is None:
            self.iterated = self.raters
            self.unit_rows, self.unit_levels = self.cell_rows, rater[:, None]
            begins = np.arange(starts.size + 1, dtype=np.int32)
            self.links = sparse.csr_matrix((self.times, rater, begins), shape=(starts.size, self.raters))
            self.plain = sparse.csr_matrix(
                sparse.diags_array(self._by_unit_levels(np.diff(self.unit_rows).astype(np.float64)))
            )
            self.places = np.arange(self.raters)[:, None]
            return order
        self.iterated = self.raters + self.sizes[self.part]
        part = codes[self.part][order].astype(np.int32) + np.int32(self.raters)
        new[1:] |= part[1:] != part[:-1]
        self.unit_rows = np.append(np.flatnonzero(new), self.n)
        units = self.unit_rows[:-1]
        cell = np.searchsorted(starts, units, side="right") - 1
        self.unit_levels = np.stack([rater[cell], part[units]], axis=1)
        rows = (np.arange(starts.size), cell)
        self.links = sparse.csr_matrix(
            (
                np.concatenate([self.times, np.diff(self.unit_rows)]),
                (np.concatenate(rows), np.concatenate([rater, part[units]])),
            ),
            shape=(starts.size, self.iterated),
        )
        counts = self._by_unit_levels(np.diff(self.unit_rows).astype(np.float64))
        above = np.zeros(self.iterated, dtype=np.int64)
        above[part] = second
        above, lower = above[self.raters :], np.arange(self.raters, self.iterated)
        across = sparse.csr_matrix((counts[self.raters :], (lower, above)), shape=(self.iterated,) * 2)
        self.plain = sparse.csr_matrix(sparse.diags_array(counts) + across + across.T)
        # The levels of each rater, filled up with a place beyond all.
        many = np.bincount(above, minlength=self.raters)
        by_rater = np.argsort(above, kind="stable")
        rank = np.arange(by_rater.size) - np.repeat(np.cumsum(many) - many, many)
        self.places = np.full((self.raters, 1 + int(many.max())), self.iterated)
        self.places[:, 0] = np.arange(self.raters)
        self.places[above[by_rater], 1 + rank] = self.raters + by_rater
        return order

    def _by_unit_levels(self, units: Floats) -> Floats:
        """Sum units by the iterated levels they belong to."""
        sums = np.zeros(self.iterated)
        for levels in self.unit_levels.T:
            sums += np.bincount(levels, units, self.iterated)
        return sums

    def _columns(
        self,
        classes: Sequence[Classes],
        columns: Mapping[str, Floats],
        codes: list[npt.NDArray[np.integer]],
        order: Integers,
    ) -> None:
        """Find the columns of everything small: coefficients, then the levels of small factors.

        Rows that agree in all classes and small factors have one profile, a row of a table.
        """
        groups = [(len(part.names) + 1, part.codes) for part in classes]
        groups += [(self.sizes[k], codes[k]) for k in self.few]
        most = math.prod(size for size, _ in groups)
        kind = np.int32 if most < 2**31 else np.int64
        profile: npt.NDArray[np.int32 | np.int64] = np.zeros(self.n, dtype=kind)
        for size, levels in groups:
            profile *= size
            profile += levels.astype(kind, copy=False)
        used, profile = _compact(profile, most)
        self.profile = profile[order]
        self.profiles = np.bincount(profile, minlength=used.size).astype(np.float64)
        tables: list[Floats] = []
        rest = used
        for size, _ in reversed(groups):
            tables.insert(0, np.eye(size)[rest % size])
            rest = rest // size
        fixed = [np.ones((used.size, 1)), *(table[:, 1:] for table in tables[: len(classes)])]
        table = np.concatenate(fixed, axis=1)
        numbers = [column[order] for column in columns.values()]
        names = ["intercept", *(name for part in classes for name in part.names), *columns]
        kept = self._kept(table, numbers)
        self.coefficients = [names[k] for k in kept]
        self.dropped = tuple(name for k, name in enumerate(names) if k not in kept)
        dummies = [k for k in kept if k < table.shape[1]]
        self.numbers = [numbers[k - table.shape[1]] for k in kept if k >= table.shape[1]]
        self.p, self.dummies = len(kept), len(dummies)
        self.numbered = np.arange(self.dummies, self.p)
        self.table = np.concatenate([table[:, dummies], *tables[len(classes) :]], axis=1)
        self.heads: dict[int, slice] = {}
        self.small = self.p
        for k in self.few:
            self.heads[k] = slice(self.small, self.small + self.sizes[k])
            self.small += self.sizes[k]
        self.spots = self._spots()

    def _spots(self) -> npt.NDArray[np.int32]:
        """Small columns beside the intercept that the rows of each profile are in; the last one is none."""
        known = np.delete(np.arange(self.small), self.numbered)
        profile, place = np.nonzero(self.table[:, 1:])
        many = np.bincount(profile, minlength=self.table.shape[0])
        rank = np.arange(profile.size) - np.repeat(np.cumsum(many) - many, many)
        spots = np.full((many.size, int(many.max())), self.small, dtype=np.int32)
        spots[profile, rank] = known[1 + place]
        return spots

    def _kept(self, table: Floats, numbers: list[Floats]) -> list[int]:
        """Which of the columns add something to the ones before them."""
        weight = self.profiles
        apart = table - weight @ table / self.n
        away = [column - float(column.mean()) for column in numbers]
        sums = np.array([np.bincount(self.profile, column, weight.size) for column in away])
        cross = sums.reshape(len(away), weight.size) @ apart
        among = np.array([[float(a @ b) for b in away] for a in away]).reshape(len(away), len(away))
        inner = np.block([[apart.T @ (apart * weight[:, None]), cross.T], [cross, among]])
        whole = np.concatenate([weight @ table**2, [float(column @ column) for column in numbers]])
        return independent(inner, whole)

    # Rows and sums over them

    def _chunks(self) -> Iterator[_Chunk]:
        """All rows, some levels of the first factor at a time."""
        many = max(_CHUNK, _CHUNK_LEVELS * self.iterated)
        cuts = np.searchsorted(self.row_starts, np.arange(many, self.n, many))
        for a, b in pairwise(np.unique([0, *cuts, self.sizes[0]]).tolist()):
            yield _Chunk(
                slice(a, b),
                slice(int(self.cell_starts[a]), int(self.cell_starts[b])),
                slice(int(self.row_starts[a]), int(self.row_starts[b])),
            )

    def _row_bounds(self, chunk: _Chunk) -> Integers:
        """Where each level of the first factor begins, among the rows of the chunk."""
        return np.asarray(self.row_starts[chunk.levels.start : chunk.levels.stop + 1] - chunk.rows.start)

    def _by_cell(self, rows: Floats) -> Floats:
        return np.asarray(np.add.reduceat(rows, self.cell_rows[:-1]))

    def _by_first(self, cells: Floats) -> Floats:
        return np.asarray(np.bincount(self.owner, cells, self.sizes[0]), dtype=np.float64)

    def _by_iterated(self, rows: Floats) -> Floats:
        return self._by_unit_levels(np.add.reduceat(rows, self.unit_rows[:-1]))

    def _by_small(self, rows: Floats, among: slice = slice(None)) -> Floats:
        sums = np.bincount(self.profile[among], rows, self.table.shape[0]) @ self.table
        numbers = [float(column[among] @ rows) for column in self.numbers]
        return np.concatenate([sums[: self.dummies], numbers, sums[self.dummies :]])

    def _said(self, small: Floats, among: slice = slice(None)) -> Floats:
        """What the small columns say of each row."""
        after = self.dummies + len(self.numbers)
        known = self.table @ np.concatenate([small[: self.dummies], small[after:]])
        rows = known[self.profile[among]]
        for column, weight in zip(self.numbers, small[self.dummies : after], strict=True):
            rows += weight * column[among]
        return np.asarray(rows)

    # Equations

    def start(self) -> Floats:
        """Rough ratios from one-way analyses of variance, each factor by itself."""
        least = np.linalg.solve(self.square[: self.p, : self.p], self._by_small(self.y)[: self.p])
        rest = self.y - self._said(np.append(least, np.zeros(self.small - self.p)))
        whole = float(rest @ rest)
        total = whole / self.n
        if total <= _NOTHING * (self.mean**2 + self.scores / self.n):
            raise NotEstimable("every score is what the covariates say")
        cells = self._by_cell(rest)
        counts = self.plain.diagonal()
        sums = self._by_iterated(rest)
        found = [
            _between(self._by_first(cells), self.counts, whole),
            _between(sums[: self.raters], counts[: self.raters], whole),
        ]
        for k in range(2, len(self.names)):
            if k != self.part:
                found.append(0.02 * total)
                continue
            found.append(_between(sums[self.raters :], counts[self.raters :], whole) - found[1])
        if self.paired:
            found.append(_between(cells, self.times, whole) - found[0] - found[1])
        variances = np.clip(found, 0.01 * total, None)
        residual = max(total - float(variances.sum()), 0.2 * total)
        return np.asarray(np.clip(variances / residual, 0.01, 10.0))

    @property
    def levels(self) -> Floats:
        """How many there are, by factor, pairs last."""
        return np.array([*self.sizes, *([self.times.size] if self.paired else [])], dtype=np.float64)

    def floor(self) -> Floats:
        """Ratios as good as nought, by factor, pairs last."""
        return _FLOOR * self.levels / self.n

    def equations(self, ratios: Floats) -> _Equations:
        """The equations of the iterated levels at these ratios; what connects them with the small is open."""
        t = ratios[-1] if self.paired else 0.0
        kept = 1.0 / (1.0 + self.times * t) if self.paired else np.ones(1)
        diagonal = (self._by_first(self.times * kept) if self.paired else self.counts) + 1.0 / ratios[0]
        prior = np.full(self.iterated, 1.0 / ratios[1])
        if self.part is not None:
            prior[self.raters :] = 1.0 / ratios[self.part]
        own = self.plain + sparse.diags_array(prior)
        if self.paired:
            own = own - self._inner(t * kept)
        own = sparse.csr_matrix(own)
        near = self._blocks(sparse.csr_matrix(own - self._inner(kept**2 / diagonal[self.owner])))
        meeting = sparse.csr_matrix(
            (
                self.links.data * self._by_entry(kept / np.sqrt(diagonal)[self.owner]),
                self.links.indices,
                self.links.indptr[self.cell_starts],
            ),
            shape=(self.sizes[0], self.iterated),
        )
        none = np.empty((0, 0))
        return _Equations(ratios, kept, t * kept, diagonal, own, meeting, near, self.places, none, none, none)

    def _inner(self, weights: Floats) -> sparse.csr_matrix:
        """``links' diag(weights) links``: nothing outside the blocks of the raters."""
        if self.part is None:
            total = np.bincount(self.links.indices, weights * self.times**2, self.raters)
            return sparse.csr_matrix(sparse.diags_array(total))
        scaled = self.links.copy()
        scaled.data = scaled.data * self._by_entry(weights)
        return sparse.csr_matrix(self.links.T @ scaled)

    def _by_entry(self, cells: Floats) -> Floats:
        """Values of cells for each of their entries among the links."""
        return cells if self.part is None else np.repeat(cells, np.diff(self.links.indptr))

    def _blocks(self, matrix: sparse.csr_matrix) -> Floats:
        """Inverse of the block of each rater, shape (raters, block, block)."""
        if self.part is None:
            diagonal: Floats = matrix.diagonal()
            return np.asarray(1.0 / diagonal)[:, None, None]
        width = self.places.shape[1]
        real = np.nonzero(self.places < self.iterated)
        block = np.empty((2, self.iterated), dtype=np.int64)
        block[:, self.places[real]] = real
        dense = np.zeros((self.raters, width, width))
        dense[:, np.arange(width), np.arange(width)] = 1.0
        entries = matrix.tocoo()
        dense[block[0, entries.row], block[1, entries.row], block[1, entries.col]] = entries.data
        return np.asarray(np.linalg.inv(dense), dtype=np.float64)

    def _small(self, here: _Equations) -> tuple[Floats, Floats]:
        """What connects the iterated with the small, and the small with themselves, after elimination."""
        chunks = list(self._chunks())
        with ThreadPoolExecutor(_THREADS) as threads:
            found = list(threads.map(lambda k: self._lost(here, chunks[k::_THREADS]), range(_THREADS)))
        bonds, square = self.crossing.copy(), self.square.copy()
        for less, also in found:
            bonds -= less
            square -= also
        for k, place in self.heads.items():
            at = np.arange(place.start, place.stop)
            square[at, at] += 1.0 / here.ratios[k]
        return bonds, square

    def _lost(self, here: _Equations, chunks: list[_Chunk]) -> tuple[Floats, Floats]:
        """What the elimination takes from both, in some of the rows."""
        bonds, square = np.zeros((self.iterated, self.small)), np.zeros((self.small, self.small))
        for chunk in chunks:
            by_cell = self._small_by_cell(chunk) if self.paired else None
            if by_cell is not None:
                lost = here.hidden[chunk.cells, None] * by_cell
                square += by_cell.T @ lost
                bonds += _slice(self.links, chunk.cells).T @ lost
            levels = self._levels(here, chunk, by_cell)
            square += levels.T @ levels
            bonds += _slice(here.rough.meeting, chunk.levels).T @ levels.astype(np.float32)
        return bonds, square

    @cached_property
    def square(self) -> Floats:
        """``X' X`` of the small columns."""
        square = np.zeros((self.small, self.small))
        known = np.delete(np.arange(self.small), self.numbered)
        square[np.ix_(known, known)] = (self.table.T * self.profiles) @ self.table
        for k, column in zip(self.numbered, self.numbers, strict=True):
            square[k] = square[:, k] = self._by_small(column)
        return square

    @cached_property
    def crossing(self) -> Floats:
        """Columns of everything small, summed by iterated level: shape (iterated, small)."""
        rows = np.diff(self.unit_rows)
        ones = np.ones(self.n, dtype=np.float32)

        def counted(levels: Integers, spots: Integers) -> Floats:
            places = (np.repeat(levels, rows), spots[self.profile])
            return np.asarray(sparse.coo_array((ones, places), (self.iterated, self.small + 1)).toarray())

        kinds = [(levels, spots) for levels in self.unit_levels.T for spots in self.spots.T]
        crossing = np.zeros((self.iterated, self.small + 1))
        crossing[:, 0] = self._by_unit_levels(rows.astype(np.float64))
        with ThreadPoolExecutor(_THREADS) as threads:
            for more in threads.map(lambda kind: counted(*kind), kinds):
                crossing += more
        for k, column in zip(self.numbered, self.numbers, strict=True):
            crossing[:, k] = self._by_iterated(column)
        return crossing[:, : self.small].copy()

    def _small_by_cell(self, chunk: _Chunk) -> Floats:
        """Columns of everything small, summed by cell: shape (cells, small)."""
        return self._small_sums(self.cell_rows[chunk.cells.start : chunk.cells.stop + 1])

    def _small_sums(self, bounds: Integers) -> Floats:
        """Columns of everything small, summed between bounds among the rows.

        A row has the intercept and a few columns more, so it is counted and not multiplied.
        """
        rows = slice(int(bounds[0]), int(bounds[-1]))
        spots = self.spots[self.profile[rows]]
        kind = np.float64 if self.numbers else np.float32  # which counts exactly
        marks = sparse.csr_matrix(
            (
                np.ones(spots.size, dtype=kind),
                spots.ravel(),
                ((bounds - rows.start) * spots.shape[1]).astype(np.int32),
            ),
            shape=(bounds.size - 1, self.small + 1),
        )
        sums = np.asarray(marks.toarray()[:, : self.small])
        sums[:, 0] = np.diff(bounds)
        for k, column in zip(self.numbered, self.numbers, strict=True):
            sums[:, k] = _sums(column[rows], bounds - rows.start)
        return sums

    def _levels(self, here: _Equations, chunk: _Chunk, by_cell: Floats | None) -> Floats:
        """What connects the eliminated levels with the small ones, over the root of their diagonal.

        From the sums by cell where pairs weigh them.
        """
        root = np.sqrt(here.diagonal[chunk.levels, None])
        if by_cell is None:
            sums = self._small_sums(self.row_starts[chunk.levels.start : chunk.levels.stop + 1])
            return np.asarray(sums / root)
        starts = self.cell_starts[chunk.levels.start : chunk.levels.stop + 1] - chunk.cells.start
        many = by_cell.shape[0]
        weights = sparse.csr_matrix(
            (here.kept[chunk.cells], np.arange(many), starts), shape=(starts.size - 1, many)
        )
        return np.asarray(weights @ by_cell) / root

    # Solving

    def reduce(self, here: _Equations, sides: Sequence[_Side]) -> tuple[Floats, Floats]:
        """Right-hand sides after the elimination: of the iterated and of the small levels, by column."""
        iterated = np.empty((self.iterated, len(sides)))
        small = np.empty((self.small, len(sides)))
        for k, side in enumerate(sides):
            iterated[:, k], small[:, k] = side.iterated, side.small
            if side.first is None:
                continue
            weighted = side.first / here.diagonal
            scaled = side.first / np.sqrt(here.diagonal)
            iterated[:, k] -= here.meeting.T @ scaled
            for chunk in self._chunks():
                if self.paired:
                    cells = here.kept[chunk.cells] * weighted[self.owner[chunk.cells]]
                    bounds = self.cell_rows[chunk.cells.start : chunk.cells.stop + 1]
                    weight = np.repeat(cells, np.diff(bounds))
                else:
                    weight = np.repeat(weighted[chunk.levels], np.diff(self._row_bounds(chunk)))
                small[:, k] -= self._by_small(weight, chunk.rows)
        return iterated, small

    def scores_side(self, here: _Equations) -> _Side:
        """The right-hand side that the scores make."""
        if not self.paired:
            return self.plain_side
        first = self._by_first(here.kept * self.cell_scores)
        lost = here.hidden * self.cell_scores
        iterated, small = self.plain_side.iterated, self.plain_side.small
        rows = np.repeat(lost, np.diff(self.cell_rows))
        return _Side(first, iterated - self.links.T @ lost, small - self._by_small(rows))

    @cached_property
    def cell_scores(self) -> Floats:
        """Scores summed by cell."""
        return self._by_cell(self.y)

    @cached_property
    def plain_side(self) -> _Side:
        """The same without pairs."""
        return _Side(_sums(self.y, self.row_starts), self._by_iterated(self.y), self._by_small(self.y))

    def solve(self, ratios: Floats, before: _Solution | None, probes: Floats) -> _Solution:
        """Solve for the small columns, the probes and the scores at these ratios, all at once."""
        here = self.equations(ratios)
        bonds, square = self._small(here)
        side = self.scores_side(here)
        assert side.first is not None
        right, fixed = self.reduce(here, [side])
        start = None
        if before is not None:
            start = np.column_stack([before.equations.meets, before.probed, before.alone])
        found, rest = here.solve_with_rest(np.column_stack([bonds, probes, right]), start=start)
        meets, alone = found[:, : self.small].copy(), found[:, -1]
        probed = found[:, self.small : -1].copy()
        # With the residuals at hand, whatever W and the scores' part are off by counts squared.
        left = rest[:, : self.small]
        schur = square - bonds.T @ meets - meets.T @ left
        schur = 0.5 * (schur + schur.T)
        unit = np.sqrt(np.clip(np.diag(schur), 1e-300, None))
        try:
            inverse = np.linalg.inv(schur / np.outer(unit, unit)) / np.outer(unit, unit)
        except np.linalg.LinAlgError:
            raise NotEstimable("the equations are singular") from None
        here = replace(here, bonds=bonds, meets=meets, inverse=inverse)
        small = inverse @ (fixed[:, 0] - bonds.T @ alone - meets.T @ rest[:, -1])
        # Starting so near, what the rough solutions left open is soon made good.
        begin = (alone - meets @ small)[:, None]
        iterated = here.solve(right - (bonds @ small)[:, None], start=begin)[:, 0]
        more = inverse @ (fixed[:, 0] - bonds.T @ iterated - square @ small)
        small, iterated = small + more, iterated - meets @ more
        pairs, unsaid = np.empty(0), self.scores
        through = (here.meeting @ iterated) / np.sqrt(here.diagonal)
        if self.paired:
            said = self._by_cell(self._said(small))
            first = (side.first - self._by_first(here.kept * said)) / here.diagonal - through
            rest = self.cell_scores - said - self.links @ iterated - self.times * first[self.owner]
            pairs = here.hidden * rest
            unsaid -= float(here.hidden @ self.cell_scores**2)
        else:
            said = np.concatenate(
                [_sums(self._said(small, chunk.rows), self._row_bounds(chunk)) for chunk in self._chunks()]
            )
            first = (side.first - said) / here.diagonal - through
        unsaid -= float(side.first @ first) + float(side.iterated @ iterated) + float(side.small @ small)
        residual = unsaid / self.freedom
        if residual <= 1e-10 * self.scores / self.n:
            raise NotEstimable("the scores leave no residual")
        return _Solution(here, residual, first, iterated, small, pairs, alone, probed)

    # Variances

    def probes(self, many: int, *, first: int = 0) -> Floats:
        """Random signs for the iterated levels; column k is always the same."""
        columns = [
            np.random.default_rng([self.seed, k]).integers(0, 2, self.iterated) * 2.0 - 1.0
            for k in range(first, first + many)
        ]
        return np.stack(columns, axis=1)

    def few_probes(self) -> int:
        """Probes for traces: the more levels, the less each says."""
        return int(np.clip(60_000 // self.iterated, 4, 24))

    def slope(self, solution: _Solution, probes: Floats) -> tuple[Floats, Floats, Floats]:
        """Gradient and averaged curvature of the criterion in the ratios.

        Third, what the ratios have to say in squared standard errors of the average level, as shares.
        """
        here, residual, ratios = solution.equations, solution.residual, solution.ratios
        sums = [*self._effects(solution), *([solution.pairs] if self.paired else [])]
        sums = [effect / ratio for effect, ratio in zip(sums, ratios.tolist(), strict=True)]
        squares = np.array([float(s @ s) for s in sums])
        traces = self.traces(solution, probes)
        gradient, shares = traces - squares / residual, 1.0 - ratios * traces / self.levels
        sides = [self._placed(here, k, s) for k, s in enumerate(sums)]
        iterated, small = self.reduce(here, sides)
        alone = here.solve_roughly(iterated)
        beyond = small - here.meets.T @ iterated
        through = iterated.T @ alone + beyond.T @ here.inverse @ beyond
        for k, one in enumerate(sides):
            for m, other in enumerate(sides):
                if one.first is not None and other.first is not None:
                    through[k, m] += float(one.first @ (other.first / here.diagonal))
        if self.paired:
            through[-1, -1] += float((here.hidden * sums[-1]) @ sums[-1])
        curvature = (np.diag(squares / ratios) - through / np.outer(ratios, ratios)) / residual
        curvature -= np.outer(squares, squares) / (self.freedom * residual**2)
        return gradient, 0.5 * (curvature + curvature.T), shares

    def _effects(self, solution: _Solution) -> list[Floats]:
        """Effects by factor as given, pairs left out."""
        found = [solution.first, solution.iterated[: self.raters]]
        for k in range(2, len(self.names)):
            held = k in self.heads
            found += [solution.small[self.heads[k]] if held else solution.iterated[self._places_of(k)]]
        return found

    def _placed(self, here: _Equations, k: int, values: Floats) -> _Side:
        """A right-hand side that holds values at one factor (pairs last), and nothing elsewhere."""
        iterated, small = np.zeros(self.iterated), np.zeros(self.small)
        if k == 0:
            return _Side(values, iterated, small)
        if k == len(self.names):
            # Eliminating the pairs hands their side on to whatever they meet.
            lost = here.hidden * values
            first = -self._by_first(self.times * lost)
            rows = np.repeat(lost, np.diff(self.cell_rows))
            return _Side(first, -(self.links.T @ lost), -self._by_small(rows))
        if k == 1:
            iterated[: self.raters] = values
        elif k == self.part:
            iterated[self.raters :] = values
        else:
            small[self.heads[k]] = values
        return _Side(None, iterated, small)

    def spreads(self, solution: _Solution, own: Floats) -> tuple[dict[str, Floats], dict[str, Floats]]:
        """Diagonal of the inverse of the equations by factor: coefficients known, and estimated.

        ``own`` is that of the iterated levels by themselves. The eliminated factor is left out.
        """
        here, inverse, inner = solution.equations, solution.equations.inverse, slice(self.p, None)
        inverse_known = here.inverse_known(self.p)
        known: dict[str, Floats] = {}
        full: dict[str, Floats] = {}
        iterated = own + _rowwise(here.meets @ inverse, here.meets)
        iterated_known = own + _rowwise(here.meets[:, inner] @ inverse_known, here.meets[:, inner])
        for k in range(1, len(self.names)):
            name = self.names[k]
            if k in self.heads:
                place = self.heads[k]
                full[name] = np.diag(inverse)[place]
                known[name] = np.diag(inverse_known)[place.start - self.p : place.stop - self.p]
            else:
                full[name], known[name] = iterated[self._places_of(k)], iterated_known[self._places_of(k)]
        return known, full

    def eliminated_spreads(self, solution: _Solution, probes: Floats) -> tuple[Floats, Floats]:
        """The same of the eliminated factor."""
        here, inverse, inner = solution.equations, solution.equations.inverse, slice(self.p, None)
        inverse_known = here.inverse_known(self.p)
        known, full = np.empty(self.sizes[0]), np.empty(self.sizes[0])
        near = here.near_matrix()
        left = solution.probed - here.nearby(probes)

        def eliminated(chunk: _Chunk) -> None:
            part = _slice(here.meeting, chunk.levels)
            spread = 1.0 + self._near_spread(part, near)
            spread += _rowwise(part @ left, part @ probes) / probes.shape[1]
            by_cell = self._small_by_cell(chunk) if self.paired else None
            away = part @ here.meets - self._levels(here, chunk, by_cell)
            full[chunk.levels] = spread + _rowwise(away @ inverse, away)
            away = away[:, inner]
            known[chunk.levels] = spread + _rowwise(away @ inverse_known, away)

        with ThreadPoolExecutor(_THREADS) as threads:
            list(threads.map(eliminated, self._chunks()))
        return known / here.diagonal, full / here.diagonal

    def _places_of(self, k: int) -> slice:
        """Where the levels of an iterated factor stand among the iterated ones."""
        return slice(0, self.raters) if k == 1 else slice(self.raters, None)

    def _near_spread(self, part: sparse.csr_matrix, near: sparse.csr_matrix) -> Floats:
        """``c' M^-1 c`` for every row c."""
        if self.part is None:
            return np.asarray(part.power(2) @ near.diagonal())
        return np.asarray((part @ near).multiply(part).sum(axis=1)).ravel()

    def traces(self, solution: _Solution, probes: Floats) -> Floats:
        """Trace of ``Z' P Z`` by factor, pairs last.

        Whatever the small columns take from the traces of eliminated levels and pairs is at most of the
        order of their number. Where there are many rows it is looked at in some of them.
        """
        here, ratios = solution.equations, solution.ratios
        iterated = here.alone(probes, solution.probed)[0]
        iterated += _rowwise(here.meets @ here.inverse, here.meets)
        spread = np.empty(len(self.names))
        for k in range(1, len(self.names)):
            if k in self.heads:
                spread[k] = np.diag(here.inverse)[self.heads[k]].sum()
            else:
                spread[k] = iterated[self._places_of(k)].sum()
        near = here.near_matrix()
        left = solution.probed - here.nearby(probes)
        chunks = list(self._chunks())
        stride = max(1, len(chunks) // _MOST_CHUNKS)
        scale = len(chunks) / len(chunks[::stride])

        def of(k: int) -> tuple[float, float]:
            weight = scale if k % stride == 0 else 0.0
            return self._traces_of(solution, probes, chunks[k], left=left, near=near, weight=weight)

        with ThreadPoolExecutor(_THREADS) as threads:
            found = list(threads.map(of, range(len(chunks))))
        first, pairs = (math.fsum(column) for column in zip(*found, strict=True))
        spread[0] = first
        traces = (np.array(self.sizes) - spread / ratios[: len(self.names)]) / ratios[: len(self.names)]
        return np.append(traces, pairs) if self.paired else traces

    def _traces_of(
        self,
        solution: _Solution,
        probes: Floats,
        chunk: _Chunk,
        *,
        left: Floats,
        near: sparse.csr_matrix,
        weight: float,
    ) -> tuple[float, float]:
        """Some rows' part in the traces of the eliminated levels and of the pairs.

        ``left`` is what two steps of the preconditioner leave of the probes; the small columns count with
        ``weight``, and are not looked at if that is nought.
        """
        here, many = solution.equations, probes.shape[1]
        part = _slice(here.meeting, chunk.levels)
        diagonal, toward = here.diagonal[chunk.levels], part @ probes
        own = 1.0 + self._near_spread(part, near) + _rowwise(part @ left, toward) / many
        first, pairs, by_cell = float((own / diagonal).sum()), 0.0, None
        if weight:
            by_cell = self._small_by_cell(chunk) if self.paired else None
            away = part @ here.meets - self._levels(here, chunk, by_cell)
            first += weight * float((_rowwise(away @ here.inverse, away) / diagonal).sum())
        if not self.paired:
            return first, pairs
        times, kept = self.times[chunk.cells], here.kept[chunk.cells]
        owner = self.owner[chunk.cells] - chunk.levels.start
        links = _slice(self.links, chunk.cells)
        weighed = (times / np.sqrt(diagonal)[owner])[:, None]
        there = links @ probes - weighed * toward[owner]
        back = links @ solution.probed - weighed * (part @ solution.probed)[owner]
        taken = _rowwise(there, back) / many + weighed[:, 0] ** 2
        pairs = float(times @ kept - (kept**2) @ taken)
        if by_cell is not None:
            beyond = links @ here.meets - by_cell - weighed * away[owner]
            pairs -= weight * float((kept**2) @ _rowwise(beyond @ here.inverse, beyond))
        return first, pairs

    def fit(self, found: _Found) -> IterativeFit:
        """Modes with standard errors, from as many probes as those take."""
        solution, curvature = found.solution, found.curvature
        here = solution.equations
        probes = self.probes(solution.probed.shape[1])
        own, noise = self.noise(here, probes, solution.probed)
        while noise > _NOISE and probes.shape[1] < _MOST_PROBES:
            wanted = math.ceil(probes.shape[1] * (noise / (0.9 * _NOISE)) ** 2)
            more = int(np.clip(wanted - probes.shape[1], 4, 64))
            fresh = self.probes(more, first=probes.shape[1])
            probes = np.concatenate([probes, fresh], axis=1)
            probed = np.concatenate([solution.probed, here.solve_roughly(fresh)], axis=1)
            solution = replace(solution, probed=probed)
            own, noise = self.noise(here, probes, probed)
        known, full = self.spreads(solution, own)
        floor = 1.001 * self.floor()
        ratios = np.where(found.ratios <= floor, 0.0, found.ratios)
        names = [*self.names, *([PAIR] if self.paired else [])]
        effects = self._effects(solution)

        def modes(k: int, known: Floats, full: Floats) -> Modes:
            unit = solution.residual if ratios[k] > 0 else 0.0
            return Modes(
                values=effects[k] if ratios[k] > 0 else np.zeros_like(effects[k]),
                conditional_sd=np.sqrt(unit * np.clip(known, 0.0, None)),
                standard_error=np.sqrt(unit * np.clip(full, 0.0, None)),
            )

        ready = {name: modes(k, known[name], full[name]) for k, name in enumerate(self.names) if k}
        coefficients = solution.small[: self.p].copy()
        coefficients[0] += self.mean
        errors = np.sqrt(solution.residual * np.diag(here.inverse)[: self.p])
        bend = np.sqrt(np.clip(np.diag(curvature), 1e-300, None))
        uncertain = 2.0 * np.linalg.pinv(curvature / np.outer(bend, bend)) / np.outer(bend, bend)
        return IterativeFit(
            criterion=None,
            reml=True,
            variances=MappingProxyType(
                {name: solution.residual * float(ratio) for name, ratio in zip(names, ratios, strict=True)}
            ),
            residual=solution.residual,
            coefficients=MappingProxyType(dict(zip(self.coefficients, coefficients.tolist(), strict=True))),
            coefficient_errors=MappingProxyType(dict(zip(self.coefficients, errors.tolist(), strict=True))),
            dropped=self.dropped,
            modes=_WhenAsked(
                self.names[0], lambda: modes(0, *self.eliminated_spreads(solution, probes)), ready
            ),
            n=self.n,
            steps=found.steps,
            converged=found.converged,
            monte_carlo=noise,
            probes=probes.shape[1],
            ratios=MappingProxyType(dict(zip(names, ratios.tolist(), strict=True))),
            ratio_covariance=uncertain,
            _system=self,
            _solution=solution,
            _diagonal=own,
        )

    def noise(self, here: _Equations, probes: Floats, probed: Floats) -> tuple[Floats, float]:
        """Diagonal of ``A^-1``, and the error of standard errors from probing, as a share.

        Only raters with more than a few cells count: the standard errors of others hardly depend on anybody
        else, and so have hardly any noise.
        """
        diagonal, shares = here.alone(probes, probed)
        cells = np.bincount(self.unit_levels[:, 0], minlength=self.raters)
        busy = cells >= min(_BUSY, int(cells.max()))
        return diagonal, float(np.sqrt(np.mean(shares[: self.raters][busy] ** 2)))

    def contrasts(
        self, solution: _Solution, diagonal: Floats, weights: dict[str, sparse.csr_matrix]
    ) -> Modes:
        """Weighted sums of effects; those of one iterated level each take its probed diagonal."""
        here = solution.equations
        many = next(iter(weights.values())).shape[0]
        if PAIR in weights:
            raise ValueError(f"weights must not name {PAIR!r}: pairs have been eliminated")
        effects = self._effects(solution)
        values, small = np.zeros(many), np.zeros((many, self.small))
        nought = here.ratios <= 1.001 * self.floor()
        sides = []
        for k, name in enumerate(self.names):
            none = sparse.csr_matrix((many, self.sizes[k]))
            # A factor on the boundary has no effects, whatever rounding leaves of them.
            side = none if nought[k] else weights.get(name, none)
            values += np.asarray(side @ effects[k])
            sides.append(side)
            if k in self.heads:
                small[:, self.heads[k]] = side.toarray()
        places = [1] if self.part is None else [1, self.part]
        iterated = sparse.csr_matrix(sparse.hstack([sides[k] for k in places]))
        if sides[0].nnz == 0 and (np.diff(iterated.indptr) <= 1).all():
            full = np.asarray(iterated.multiply(iterated) @ diagonal)
            beyond = np.asarray(iterated @ here.meets) - small
        else:
            firsts = sides[0].toarray()
            rows = zip(firsts, iterated.toarray(), small, strict=True)
            right, fixed = self.reduce(here, [_Side(*row) for row in rows])
            alone = here.solve(right)
            full = (firsts**2) @ (1.0 / here.diagonal) + _columnwise(right, alone)
            beyond = right.T @ here.meets - fixed.T
        inner = beyond[:, self.p :]
        known = full + _rowwise(inner @ here.inverse_known(self.p), inner)
        full = full + _rowwise(beyond @ here.inverse, beyond)
        return Modes(
            values=values,
            conditional_sd=np.sqrt(solution.residual * np.clip(known, 0.0, None)),
            standard_error=np.sqrt(solution.residual * np.clip(full, 0.0, None)),
        )


def _search(system: _System, start: Floats, enough: float, still: float = 0.0) -> _Found:
    """Average-information steps from a start; shorter ones where the last one led away.

    Nothing is solved again after a last step that hardly changes any standard error.
    """
    floor = system.floor()
    probes = system.probes(system.few_probes())
    ratios = np.maximum(start, floor)
    before: _Solution | None = None
    reach, gain = _LONGEST_STEP, math.inf
    for step in range(1, _MOST_STEPS + 1):
        here = system.solve(ratios, before, probes)
        gradient, curvature, shares = system.slope(here, probes)
        held = (ratios <= floor) & (gradient >= 0)
        # A ratio that hardly matters any more may go to nought at once; others only by a factor.
        lowest = np.where(ratios * _FLOOR / floor < 0.05, floor, np.maximum(ratios / reach, floor))
        move, ahead = newton(gradient, curvature, held, lowest - ratios, ratios * reach - ratios)
        if ahead < enough:
            return _Found(here, here.ratios, curvature, step, converged=True)
        if ahead > gain:
            reach = max(1.2, math.sqrt(reach))
        gain, before = ahead, here
        aim = ratios + move
        ratios = np.where(aim <= 1.001 * floor, floor, aim)
        # What the longer last step leaves is of less than second order; if that is little, no slope need be
        # looked at again.
        left = 0.5 * move**2 / here.ratios
        if 0.5 * left @ np.abs(curvature) @ left < enough:
            # Where the data outweigh the prior a slope is straight in one over the ratio.
            longer = here.ratios + move / (1.0 - (1.0 - shares) * move / here.ratios)
            ratios = np.where(aim <= 1.001 * floor, floor, longer)
            if np.abs(shares * move / here.ratios).max() > still:
                here = system.solve(ratios, before, probes)
            else:
                move = ratios - here.ratios
                told = float(((1.0 - shares) * system.levels / here.ratios - gradient) @ move)
                bent = float(move @ curvature @ move) + told**2 / system.freedom
                here = replace(here, residual=here.residual * (1.0 - (told - bent) / system.freedom))
            return _Found(here, ratios, curvature, step, converged=True)
    return _Found(here, here.ratios, curvature, _MOST_STEPS, converged=False)


def _between(sums: Floats, times: Floats, whole: float) -> float:
    """Variance between groups of a one-way layout with these sums; ``whole`` is the sum of squares."""
    used = times > 0
    sums, times = sums[used], times[used]
    n, groups = float(times.sum()), times.size
    between = float((sums**2 / times).sum())
    if groups < 2 or groups >= n:
        return 0.1 * whole / n
    within = (whole - between) / (n - groups)
    typical = (n - float((times**2).sum()) / n) / (groups - 1)
    return (between / (groups - 1) - within) / typical


def _divides(fine: npt.NDArray[np.integer], coarse: npt.NDArray[np.integer]) -> bool:
    """Whether every level of the fine grouping lies in one of the coarse."""
    above = np.zeros(int(fine.max()) + 1, dtype=coarse.dtype)
    above[fine] = coarse
    return bool((above[fine] == coarse).all())


def _within(fine: npt.NDArray[np.integer], coarse: npt.NDArray[np.integer]) -> Integers:
    """The levels of the fine grouping, numbered so that those of one coarse level follow each other."""
    above = np.zeros(int(fine.max()) + 1, dtype=np.int64)
    above[fine] = coarse
    place = np.empty(above.size, dtype=np.int64)
    place[np.argsort(above, kind="stable")] = np.arange(above.size)
    return np.asarray(place[fine])


def _compact(values: npt.NDArray[np.integer], most: int) -> tuple[Integers, npt.NDArray[np.int32]]:
    """The different values, and which of them each row has."""
    if most > 4_000_000:
        used, place = np.unique(values, return_inverse=True)
        return used, place.astype(np.int32)
    seen = np.bincount(values, minlength=most) > 0
    return np.flatnonzero(seen), (np.cumsum(seen) - 1).astype(np.int32)[values]


def _sums(rows: Floats, bounds: Integers) -> Floats:
    """Sums of rows between bounds; nought where there are none."""
    used = bounds[:-1] < bounds[1:]
    if used.all():
        return np.asarray(np.add.reduceat(rows, bounds[:-1]))
    sums = np.zeros(used.size)
    sums[used] = np.add.reduceat(rows, bounds[:-1][used])
    return sums


def _slice(matrix: sparse.csr_matrix, rows: slice) -> sparse.csr_matrix:
    """Some rows of a matrix, without copying them."""
    begins = matrix.indptr[rows.start : rows.stop + 1]
    inside = slice(int(begins[0]), int(begins[-1]))
    return sparse.csr_matrix(
        (matrix.data[inside], matrix.indices[inside], begins - begins[0]),
        shape=(rows.stop - rows.start, matrix.shape[1]),
    )


def _with(matrix: sparse.csr_matrix, data: Floats) -> sparse.csr_matrix:
    """The matrix with other entries at the same places, without copying those."""
    return sparse.csr_matrix((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def _rowwise(a: Floats, b: Floats) -> Floats:
    return np.asarray(np.einsum("ij,ij->i", a, b))


def _columnwise(a: Floats, b: Floats) -> Floats:
    return np.asarray(np.einsum("ij,ij->j", a, b))
