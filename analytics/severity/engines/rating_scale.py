"""What do ordered levels say about several facets at once (rater, dimension, source, …)?

Reads    a level per judgement, who it is about, and per facet the element each judgement belongs to.
Returns  by facet and element a measure with two standard errors, the steps of the scale, the spread of those
         judged and of what a testlet has in common, and what is known about everybody judged.

The model is the many-facet rating scale model (adjacent categories, Rasch family):
``ln P(k) / P(k - 1) = ability_n + testlet_t + sum of facet measures - step_k`` with ability ~ N(mean, sd^2),
fitted by marginal maximum likelihood like TAM's ``tam.mml.mfr``. Signs are this product's, not the Rasch
world's: a measure above nought means that judgements come out *higher* (a lenient rater, a dimension on which
it is easy to shine), so that what the literature calls severity or difficulty is minus the measure.

Judgements that belong to one testlet (one rater's answers about one person on one occasion) share what that
rater then thought of that person (halo). Given ability they are not independent; treating them as such makes
standard errors much too small and abilities too sure. So a testlet has a normal effect of its own. Within a
testlet only one facet may vary; then the sum of its levels says all there is to say about its effect, which
is integrated out once per combination of elements and sum, on a grid, instead of once per judgement.
Abilities are integrated by adaptive Gauss-Hermite quadrature. All parameters move together by Newton steps
with the exact Hessian (Louis 1982), solved by conjugate gradients.

Every facet sums to nought. The standard error follows from the observed information; the robust one (a
sandwich over those judged) also holds where judgements of one person have more in common than the model says,
such as a liking that outlasts the occasion.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import linalg, sparse
from threadpoolctl import threadpool_limits

REFERENCE: Final = (
    "Linacre (1989), Many-Facet Rasch Measurement; Andrich (1978), Psychometrika 43. "
    "doi:10.1007/BF02293814; Wang & Wilson (2005), testlets, Appl. Psychol. Meas. 29. "
    "doi:10.1177/0146621604271053; Louis (1982), J. R. Stat. Soc. B 44; "
    "Robitzsch, Kiefer & Wu, TAM (tam.mml.mfr)"
)

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_MOST_STEPS: Final = 40
_DECREMENT: Final = 1e-7  # expected gain of the log likelihood below which the search stops
_SPACING: Final = 0.125  # of the grid on which testlets are integrated, in logits
_MOST_CELLS: Final = 320  # of the grid; beyond, it becomes coarser
_WITHIN: Final = 31  # nodes over what a testlet has in common, out to 4.8 standard deviations
_LEAST_HALO: Final = 0.02  # a smaller standard deviation is nought
_FIRST_HALO: Final = 0.7
_LARGEST: Final = 12.0  # a larger standard deviation or measure has no bound in the data


class NotEstimable(ValueError):
    """The judgements use one level only, or the search for the measures has no end."""


@dataclass(frozen=True)
class Measures:
    """The elements of one facet.

    Attributes
    ----------
    values
        Measures in logits, shape (elements,), summing to nought; above nought, judgements come out higher.
    standard_error
        From the observed information, shape (elements,).
    robust_error
        From a sandwich over those judged, shape (elements,).
    """

    values: Floats
    standard_error: Floats
    robust_error: Floats


@dataclass(frozen=True)
class RatingScaleFit:
    """What `fit_rating_scale` found.

    Attributes
    ----------
    log_likelihood
        Marginal log likelihood.
    facets
        Measures by facet.
    steps, step_errors
        Where one level becomes likelier than the one below, relative to the middle of the scale, shape
        (levels - 1,), and their standard errors. They sum to nought.
    ability_mean, ability_sd
        Of those judged, in logits; the mean is measured from the middle of the scale.
    halo_sd
        Standard deviation of what a testlet has in common; 0 if it was not asked for or cannot be told.
    ability, ability_error
        Posterior mean and standard deviation of everybody judged, measured like ``ability_mean``.
    nodes, weights
        Quadrature points of everybody's posterior and their weights, shape (people, points).
    n, steps_taken, converged
        Judgements; Newton steps; whether nothing more could be gained.
    """

    log_likelihood: float
    facets: Mapping[str, Measures]
    steps: Floats
    step_errors: Floats
    ability_mean: float
    ability_sd: float
    halo_sd: float
    ability: Floats
    ability_error: Floats
    nodes: Floats
    weights: Floats
    n: int
    steps_taken: int
    converged: bool

    def expected(self, place: npt.ArrayLike, *, halo: bool = False) -> tuple[Floats, Floats]:
        """Expected level and its variance at places on the ruler (ability plus facet measures).

        Parameters
        ----------
        place
            Any shape, in logits.
        halo
            Whether a place is that of a testlet known only up to what it has in common.

        Returns
        -------
        tuple
            Expected level (0 is the lowest) and variance, shaped like ``place``.
        """
        at = np.asarray(place, dtype=np.float64)
        if not halo or self.halo_sd == 0.0:
            mean, variance = _moments(at.ravel(), self.steps)
            return mean.reshape(at.shape), variance.reshape(at.shape)
        low, high = float(at.min()) - _SPACING, float(at.max()) + 2 * _SPACING
        grid = np.arange(low, high + _SPACING, _SPACING)
        z, weights = _normal_nodes()
        mean, variance = _moments((grid[:, None] + self.halo_sd * z).ravel(), self.steps)
        mean, variance = mean.reshape(grid.size, -1), variance.reshape(grid.size, -1)
        middle = mean @ weights
        whole = variance @ weights + (mean - middle[:, None]) ** 2 @ weights
        return np.interp(at, grid, middle), np.interp(at, grid, whole)


def fit_rating_scale(
    level: npt.ArrayLike,
    *,
    person: npt.ArrayLike,
    between: Mapping[str, npt.ArrayLike],
    within: Mapping[str, npt.ArrayLike] | None = None,
    testlet: npt.ArrayLike | None = None,
    halo: bool = True,
    points: int = 7,
) -> RatingScaleFit:
    """Fit the many-facet rating scale model.

    Parameters
    ----------
    level
        0 for the lowest level used to L - 1 for the highest, each used at least once, shape (rows,).
    person
        Who is judged, integers 0 to people - 1, shape (rows,).
    between
        By facet the element each row belongs to, integers 0 to elements - 1, shape (rows,); the rows of a
        testlet must agree.
    within
        At most one more facet, which may vary within a testlet.
    testlet
        The testlet each row belongs to, integers; all its rows must be about one person. By default every
        row is a testlet of its own.
    halo
        Whether testlets have an effect of their own. Left out where no testlet has two rows.
    points
        Quadrature points for an ability.

    Returns
    -------
    RatingScaleFit
        Measures with standard errors, steps, spreads and abilities.

    Raises
    ------
    NotEstimable
        If one level only is used.
    ValueError
        If an argument has the wrong shape or contradicts another.
    """
    if points < 3:
        raise ValueError(f"points must be at least 3; got {points}")
    if within is not None and len(within) != 1:
        raise ValueError(f"within must name one facet; got {', '.join(within) or 'none'}")
    levels = np.asarray(level)
    if levels.ndim != 1 or not levels.size or not np.issubdtype(levels.dtype, np.integer):
        raise ValueError("level must be one column of whole numbers with at least one row")
    used = np.bincount(levels.astype(np.int64)) if levels.min() >= 0 else np.zeros(2)
    if (used == 0).any():
        raise ValueError("level must use every whole number from 0 to the highest; some are missing")
    if used.size < 2:
        raise NotEstimable("all judgements are the same")
    rows = levels.size
    columns = {name: _codes(name, codes, rows) for name, codes in between.items()}
    inside = {name: _codes(name, codes, rows) for name, codes in (within or {}).items()}
    if set(columns) & set(inside):
        raise ValueError("a facet cannot be both between and within")
    people = _codes("person", person, rows)
    cells = (
        np.arange(rows)
        if testlet is None
        else np.unique(_codes("testlet", testlet, rows), return_inverse=True)[1]
    )
    with threadpool_limits(limits=1, user_api="blas"):
        model = _Model(levels.astype(np.int64), people, columns, inside, cells, halo=halo, points=points)
        return model.fit()


@dataclass
class _State:
    """One place in the space of parameters, and what follows from it."""

    shifts: Floats  # measures of the facets between testlets, one after the other
    items: Floats  # measures of the facet within
    steps: Floats  # including the middle of the scale
    sd: float
    halo: float
    log_likelihood: float = -math.inf


class _Model:
    """One data set, and the likelihood of parameters given it.

    Parameters are ordered: shifts, then items, steps, log sd, log halo (the small ones).
    """

    def __init__(
        self,
        level: Integers,
        person: Integers,
        between: Mapping[str, Integers],
        within: Mapping[str, Integers],
        testlet: Integers,
        *,
        halo: bool,
        points: int,
    ) -> None:
        self.rows = level.size
        self.levels = int(level.max()) + 1
        many = int(testlet.max()) + 1
        first = np.zeros(many, dtype=np.int64)
        first[testlet[::-1]] = np.arange(self.rows)[::-1]
        for name, codes in (("person", person), *between.items()):
            if (codes[first][testlet] != codes).any():
                raise ValueError(f"the rows of a testlet must have the same {name}")
        self.people = int(person.max()) + 1
        self.person = person[first]
        self.names = tuple(between)
        sizes = [int(codes.max()) + 1 for codes in between.values()]
        self.starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self.shifted = [
            codes[first] + start for codes, start in zip(between.values(), self.starts[:-1], strict=True)
        ]
        self.within = next(iter(within), None)
        item = next(iter(within.values())) if within else np.zeros(self.rows, dtype=np.int64)
        self.items = int(item.max()) + 1

        # What a testlet holds: how often each item, how often each step was reached, the sum of levels.
        held = np.bincount(testlet * self.items + item, minlength=many * self.items).reshape(many, self.items)
        self.of_item = np.bincount(testlet * self.items + item, level, many * self.items).reshape(
            many, self.items
        )
        reached = [np.bincount(testlet, level > k, many) for k in range(self.levels - 1)]
        self.reached = np.stack(reached, axis=1)
        total = np.bincount(testlet, level, many).astype(np.int64)
        patterns, pattern = np.unique(held, axis=0, return_inverse=True)
        most = int(total.max()) + 1
        kinds, kind = np.unique(pattern.ravel() * most + total, return_inverse=True)
        self.kind = kind.ravel()
        self.patterns = patterns.astype(np.float64)
        self.pattern_of_kind, self.sum_of_kind = kinds // most, (kinds % most).astype(np.float64)
        self.has_halo = halo and bool((held.sum(axis=1) > 1).any())
        self.order = np.argsort(self.person, kind="stable")
        ordered = self.person[self.order]
        self.firsts = np.concatenate([[0], np.flatnonzero(np.diff(ordered)) + 1])
        self.present = ordered[self.firsts]
        nodes, weights = np.polynomial.hermite_e.hermegauss(points)
        self.nodes = nodes
        self.log_weights = np.log(weights) + 0.5 * nodes**2
        self.small = self.items + self.levels - 1 + 1 + int(self.has_halo)
        self.design = sparse.csr_matrix(
            (
                np.ones(many * len(self.shifted)),
                (
                    np.tile(np.arange(many), len(self.shifted)),
                    np.concatenate([*self.shifted, np.zeros(0, np.int64)]),
                ),
            ),
            shape=(many, int(self.starts[-1])),
        )
        self.theta = np.zeros(self.people)
        self.usage = np.bincount(level, minlength=self.levels).astype(np.float64)

    # --- the search ------------------------------------------------------------------------------------

    def fit(self) -> RatingScaleFit:
        here = self._start()
        slope = self._evaluate(here)
        taken, converged = 0, False
        while taken < _MOST_STEPS and not converged:
            taken += 1
            step, gain = self._newton(slope)
            converged = gain < _DECREMENT
            if converged:
                break
            better = self._improve(here, step)
            if better is None:
                converged = gain < 1e-4
                break
            here, slope = better
            if max(here.sd, here.halo, float(np.abs(here.shifts).max(initial=0.0))) > _LARGEST:
                raise NotEstimable("these judgements leave some measure without bounds")
            if self.has_halo and here.halo < _LEAST_HALO:
                self.has_halo, self.small = False, self.small - 1
                here.halo = 0.0
                slope = self._evaluate(here)
        return self._result(here, slope, taken, converged=converged)

    def _start(self) -> _State:
        ratio = np.log(self.usage[:-1] / self.usage[1:])
        return _State(
            shifts=np.zeros(int(self.starts[-1])),
            items=np.zeros(self.items),
            steps=ratio,
            sd=1.0,
            halo=_FIRST_HALO if self.has_halo else 0.0,
        )

    def _moved(self, here: _State, step: Floats) -> _State:
        shifts, rest = step[: here.shifts.size], step[here.shifts.size :]
        items, rest = rest[: self.items], rest[self.items :]
        steps, rest = rest[: self.levels - 1], rest[self.levels - 1 :]
        return _State(
            shifts=here.shifts + shifts,
            items=here.items + items,
            steps=here.steps + steps,
            sd=here.sd * math.exp(float(np.clip(rest[0], -1.0, 1.0))),
            halo=here.halo * math.exp(float(np.clip(rest[1], -1.0, 1.0))) if self.has_halo else 0.0,
        )

    def _improve(self, here: _State, step: Floats) -> tuple[_State, _Slope] | None:
        # A measure may move by two logits at once: further, the quadratic says little.
        longest = float(np.abs(step).max())
        length = min(1.0, 2.0 / longest) if longest > 0 else 1.0
        for _ in range(12):
            there = self._moved(here, length * step)
            slope = self._evaluate(there)
            if there.log_likelihood >= here.log_likelihood - 1e-9 * abs(here.log_likelihood):
                return there, slope
            length *= 0.4
        return None

    def _newton(self, slope: _Slope) -> tuple[Floats, float]:
        """A truncated Newton step, and what it is expected to gain."""
        step = _conjugate(slope.times, slope.gradient, slope.diagonal)
        return step, 0.5 * float(step @ slope.gradient)

    # --- the likelihood --------------------------------------------------------------------------------

    def _evaluate(self, here: _State) -> _Slope:
        shift = np.asarray(self.design @ here.shifts)
        table = self._table(here, shift)
        log_fixed = self.of_item @ here.items - self.reached @ here.steps
        theta, spread = self._modes(here, table, shift)
        nodes = theta[:, None] + spread[:, None] * self.nodes
        at = nodes[self.person] + shift[:, None]
        value = table.value(self.kind, at)
        logs = np.zeros((self.people, self.nodes.size))
        logs[self.present] = np.add.reduceat(value[self.order], self.firsts, axis=0)
        logs += self.log_weights - 0.5 * (nodes / here.sd) ** 2
        top = logs.max(axis=1, keepdims=True)
        weights = np.exp(logs - top)
        total = weights.sum(axis=1, keepdims=True)
        weights /= total
        here.log_likelihood = float(
            (top + np.log(total)).sum()
            + np.log(spread).sum()
            - self.people * (math.log(here.sd) + 0.5 * math.log(2 * math.pi))
            + log_fixed.sum()
        )
        self.theta = theta
        return _Slope.of(self, here, table, _Posterior(nodes, weights, at))

    def _table(self, here: _State, shift: Floats) -> _Table:
        reach = 6.0 * here.sd
        low = min(float(self.theta.min()), -reach) + float(shift.min()) - reach
        high = max(float(self.theta.max()), reach) + float(shift.max()) + reach
        spacing = max(_SPACING, (high - low) / _MOST_CELLS)
        size = math.ceil((high - low) / spacing) + 2
        return _Table.of(self, here, low + spacing * np.arange(size, dtype=np.float64))

    def _modes(self, here: _State, table: _Table, shift: Floats) -> tuple[Floats, Floats]:
        """Where each posterior of an ability is highest, and how wide it is there."""
        theta = self.theta.copy()
        bend = np.full(self.people, 1.0 / here.sd**2)
        for _ in range(30):
            first, second = table.slopes(self.kind, theta[self.person] + shift)
            pull = np.bincount(self.person, first, self.people) - theta / here.sd**2
            # The likelihood of a testlet is log-concave; nodes too far apart for a wide halo only seem to say
            # otherwise.
            bend = np.bincount(self.person, np.maximum(-second, 0.0), self.people) + 1.0 / here.sd**2
            move = np.clip(pull / bend, -2.0, 2.0)
            theta = np.clip(theta + move, -6.0 * here.sd, 6.0 * here.sd)
            if float(np.abs(move).max()) < 1e-5:
                break
        return theta, 1.0 / np.sqrt(bend)

    # --- what is reported ------------------------------------------------------------------------------

    def _result(self, here: _State, slope: _Slope, taken: int, *, converged: bool) -> RatingScaleFit:
        facets: dict[str, Measures] = {}
        information = slope.information()
        # Each facet may be moved against the steps without any change. Pulling its sum towards nought makes
        # the information regular and changes no difference from a mean.
        pull = float(np.median(slope.diagonal))
        for block in self._blocks():
            information[block, block] += pull / (block.stop - block.start)
        try:
            inverse, failed = linalg.lapack.dpotri(linalg.cholesky(information))
        except (linalg.LinAlgError, ValueError):
            failed = 1
        if failed:
            raise NotEstimable("these judgements leave some measure without bounds")
        inverse = np.triu(inverse) + np.triu(inverse, 1).T
        place = int(self.starts[-1]) + self.items
        blocks = [*self._blocks(), slice(place, place + self.levels - 1)]
        contrast = inverse  # of each parameter to the mean of its block
        for block in blocks:
            contrast[:, block] -= contrast[:, block].mean(axis=1, keepdims=True)
        plain = np.diag(contrast).copy()
        for block in blocks:
            plain[block] -= contrast[block, block].mean(axis=0)
        plain = np.clip(plain, 0.0, None)
        halves = slope.mean @ contrast  # people by parameters
        robust = np.einsum("ij,ij->j", halves, halves)
        shifts = self._measures(here)
        for name, low, high in (
            *zip(self.names, self.starts[:-1], self.starts[1:], strict=True),
            *(((self.within, self.starts[-1], self.starts[-1] + self.items),) if self.within else ()),
        ):
            facets[str(name)] = Measures(
                shifts[low:high], np.sqrt(plain[low:high]), np.sqrt(robust[low:high])
            )
        middle = self._middle(here)
        ability = (slope.weights * slope.nodes).sum(axis=1)
        return RatingScaleFit(
            log_likelihood=here.log_likelihood,
            facets=MappingProxyType(facets),
            steps=here.steps - here.steps.mean(),
            step_errors=np.sqrt(plain[place : place + self.levels - 1]),
            ability_mean=middle,
            ability_sd=here.sd,
            halo_sd=here.halo,
            ability=ability + middle,
            ability_error=np.sqrt(
                np.clip((slope.weights * slope.nodes**2).sum(axis=1) - ability**2, 0.0, None)
            ),
            nodes=slope.nodes + middle,
            weights=slope.weights,
            n=self.rows,
            steps_taken=taken,
            converged=converged,
        )

    def _blocks(self) -> list[slice]:
        """Where each facet stands among the parameters."""
        ends = [*self.starts.tolist(), int(self.starts[-1]) + self.items]
        return [slice(a, b) for a, b in pairwise(ends)]

    def _measures(self, here: _State) -> Floats:
        found = np.concatenate([here.shifts, here.items])
        for block in self._blocks():
            found[block] -= found[block].mean()
        return found

    def _middle(self, here: _State) -> float:
        """What the steps and the means of the facets say together about the mean ability."""
        moved = np.concatenate([here.shifts, here.items])
        return float(sum(moved[block].mean() for block in self._blocks()) - here.steps.mean())


@dataclass(frozen=True)
class _Table:
    """The log likelihood of each kind of testlet on a grid, with its derivatives.

    Of the parameters that a testlet does not say by itself: the first derivative is by place, then by item,
    step and log halo.
    """

    low: float
    spacing: float
    log_value: Floats  # kinds by grid
    first: Floats  # by place
    second: Floats
    gradient: Floats  # kinds by grid by small parameters (without log sd)
    bend: Floats  # kinds by grid by (place and small) squared: minus the Hessian

    @classmethod
    def of(cls, model: _Model, here: _State, grid: Floats) -> _Table:
        z, weights = _normal_nodes() if here.halo > 0.0 else (np.zeros(1), np.ones(1))
        shared = here.halo * z
        many, kinds, levels = grid.size, model.sum_of_kind.size, model.levels
        # Per item: log normalising sum, probability to reach each step.
        places = grid[:, None] + shared
        log_z = np.zeros((len(model.patterns), many, z.size))
        reach = np.zeros((model.items, many, z.size, levels - 1))
        for item in range(model.items):
            log_sum, above = _above(places.ravel() + here.items[item], here.steps)
            log_z += model.patterns[:, item, None, None] * log_sum.reshape(places.shape)
            reach[item] = above.reshape(*places.shape, levels - 1)
        size = 1 + model.small - 1  # place, items, steps, log halo; log sd is the abilities' own
        log_value = np.empty((kinds, many))
        gradient = np.empty((kinds, many, size))
        bend = np.empty((kinds, many, size, size))
        spreads = _spreads(reach)
        total = reach.sum(axis=3)  # items by grid by nodes: expected level
        for pattern in range(len(model.patterns)):
            mine = np.flatnonzero(model.pattern_of_kind == pattern)
            held = model.patterns[pattern]
            expected = np.einsum("i,igz->gz", held, total)
            inner = _inner_bend(
                held, reach=reach, spreads=spreads, shared=shared, size=size, with_halo=model.has_halo
            )
            for kind in mine:
                said = model.sum_of_kind[kind]
                logs = said * places - log_z[pattern] + np.log(weights)
                top = logs.max(axis=1, keepdims=True)
                posterior = np.exp(logs - top)
                norm = posterior.sum(axis=1, keepdims=True)
                posterior /= norm
                log_value[kind] = (top + np.log(norm)).ravel()
                own = np.empty((many, z.size, size))
                own[..., 0] = said - expected
                own[..., 1 : 1 + model.items] = -(held[:, None, None] * total).transpose(1, 2, 0)
                own[..., 1 + model.items : model.items + levels] = np.einsum("i,igzk->gzk", held, reach)
                more = inner
                if model.has_halo:
                    own[..., -1] = (said - expected) * shared
                    more = inner.copy()
                    more[..., -1, -1] -= own[..., -1]
                mean = np.einsum("gz,gza->ga", posterior, own)
                apart = (own - mean[:, None]) * np.sqrt(posterior)[..., None]
                gradient[kind] = mean
                bend[kind] = np.einsum("gz,gzab->gab", posterior, more) - apart.transpose(0, 2, 1) @ apart
        return cls(
            low=float(grid[0]),
            spacing=float(grid[1] - grid[0]),
            log_value=log_value,
            first=np.ascontiguousarray(gradient[..., 0]),
            second=np.ascontiguousarray(-bend[..., 0, 0]),
            gradient=gradient[..., 1:],
            bend=bend,
        )

    def _cell(self, kind: Integers, at: Floats) -> tuple[Integers, Floats]:
        """Place in the flattened table and how far beyond it, in cells."""
        width = self.log_value.shape[1]
        position = np.clip((at - self.low) / self.spacing, 0.0, width - 1.000001)
        cell = position.astype(np.int64)
        base = kind * width
        return cell + (base[:, None] if at.ndim == 2 else base), position - cell

    def value(self, kind: Integers, at: Floats) -> Floats:
        """Log likelihood by cubic interpolation."""
        return _cubic(self.log_value, self.spacing * self.first, *self._cell(kind, at))

    def slopes(self, kind: Integers, at: Floats) -> tuple[Floats, Floats]:
        """First and second derivative by place."""
        cell, rest = self._cell(kind, at)
        second = self.second.ravel()
        return (
            _cubic(self.first, self.spacing * self.second, cell, rest),
            (1 - rest) * second[cell] + rest * second[cell + 1],
        )


@dataclass(frozen=True)
class _Posterior:
    """Quadrature points of everybody's ability with their weights, and the places of testlets there."""

    nodes: Floats  # people by points
    weights: Floats
    at: Floats  # testlets by points


@dataclass(frozen=True)
class _Slope:
    """Gradient and curvature at one place.

    The observed information is what is expected of the complete one, less the variance of the complete-data
    gradient over everybody's posterior (Louis 1982). It is never formed while searching.
    """

    gradient: Floats
    diagonal: Floats
    complete: sparse.csr_matrix
    apart: sparse.csr_matrix  # people x points by parameters, weighted, from their means
    mean: sparse.csr_matrix  # people by parameters
    nodes: Floats
    weights: Floats

    @classmethod
    def of(
        cls,
        model: _Model,
        here: _State,
        table: _Table,
        posterior: _Posterior,
    ) -> _Slope:
        nodes, weights, at = posterior.nodes, posterior.weights, posterior.at
        points = nodes.shape[1]
        shifts, small = int(model.starts[-1]), model.small
        cell, rest = table._cell(model.kind, at)
        share = weights[model.person]
        first = _cubic(table.first, table.spacing * table.second, cell, rest)

        # Complete-data gradients of the small parameters, by person and point.
        held = _cubic_rows(table.gradient, -table.spacing * table.bend[..., 0, 1:], cell, rest)
        held[..., : model.items] += model.of_item[:, None, :]
        held[..., model.items : model.items + model.levels - 1] -= model.reached[:, None, :]
        own = np.zeros((model.people, points, small))
        summed = np.add.reduceat(held[model.order], model.firsts, axis=0)
        halo = int(model.has_halo)
        own[model.present, :, : small - 1 - halo] = summed[..., : small - 1 - halo]
        own[:, :, small - 1 - halo] = (nodes / here.sd) ** 2 - 1.0
        if halo:
            own[model.present, :, -1] = summed[..., -1]

        # By facet measure: what its testlets say, at the quadrature points of whom they are about.
        base = (model.person[:, None] * points + np.arange(points)).ravel()
        entries = [
            sparse.csr_matrix(
                (first.ravel(), (base, np.repeat(codes, points))), shape=(model.people * points, shifts)
            )
            for codes in model.shifted
        ]
        of_shift = sum(entries[1:], entries[0]) if entries else sparse.csr_matrix((model.people * points, 0))
        own_rows = sparse.csr_matrix(own.reshape(-1, small))
        whole = sparse.csr_matrix(sparse.hstack([of_shift, own_rows]))
        owner = np.repeat(np.arange(model.people), points)
        average = sparse.csr_matrix(
            (weights.ravel(), (owner, np.arange(model.people * points))),
            shape=(model.people, model.people * points),
        )
        mean = sparse.csr_matrix(average @ whole)
        apart = sparse.csr_matrix(
            sparse.diags_array(np.sqrt(weights.ravel())) @ (whole - sparse.csr_matrix(mean[owner]))
        )

        # Complete-data information: how much mass each kind of testlet has at each place of the grid.
        width = table.log_value.shape[1]
        kinds = table.log_value.shape[0]
        mass = np.bincount(cell.ravel(), (share * (1 - rest)).ravel(), kinds * width + 1)
        mass += np.bincount(cell.ravel() + 1, (share * rest).ravel(), kinds * width + 1)
        flat = table.bend.reshape(kinds * width, -1)
        inner = (mass[: kinds * width] @ flat).reshape(table.bend.shape[2:])
        # By testlet: curvature by place, and by place against each small parameter.
        curve = table.bend[..., 0, :].reshape(kinds * width, -1)
        of_testlet = np.einsum("tq,tqa->ta", share * (1 - rest), curve[cell])
        of_testlet += np.einsum("tq,tqa->ta", share * rest, curve[np.minimum(cell + 1, kinds * width - 1)])
        design = model.design
        top = design.T @ sparse.diags_array(of_testlet[:, 0]) @ design
        cross = np.zeros((shifts, small))
        cross[:, : small - 1 - halo] = design.T @ of_testlet[:, 1 : small - halo]
        corner = np.zeros((small, small))
        kept = [*range(small - 1 - halo), *([small - 1] if halo else [])]
        corner[np.ix_(kept, kept)] = inner[1:, 1:]
        if halo:
            cross[:, -1] = design.T @ of_testlet[:, -1]
        spread = small - 1 - halo
        corner[spread, spread] = 2.0 * float((weights * (nodes / here.sd) ** 2).sum())
        border = sparse.csr_matrix(cross)
        upper = sparse.hstack([top, border])
        lower = sparse.hstack([border.T, sparse.csr_matrix(corner)])
        complete: sparse.csr_matrix = sparse.csr_matrix(sparse.vstack([upper, lower]))
        gradient = np.asarray(mean.sum(axis=0)).ravel()
        observed = complete.diagonal() - np.asarray(apart.multiply(apart).sum(axis=0)).ravel()
        return cls(
            gradient=gradient,
            diagonal=np.maximum(observed, 0.05 * np.abs(complete.diagonal()) + 1e-6),
            complete=complete,
            apart=apart,
            mean=mean,
            nodes=nodes,
            weights=weights,
        )

    def times(self, vector: Floats) -> Floats:
        """Observed information times a vector."""
        return np.asarray(self.complete @ vector - self.apart.T @ (self.apart @ vector))

    def information(self) -> Floats:
        """The observed information, dense."""
        return np.asarray(self.complete.toarray() - (self.apart.T @ self.apart).toarray())


def _conjugate(times: Callable[[Floats], Floats], right: Floats, diagonal: Floats) -> Floats:
    """Solve by conjugate gradients, as far as the matrix is positive along the way (Steihaug 1983).

    What is found up to there still climbs. Directions that change nothing (a facet moved against the steps)
    are orthogonal to every right side.
    """
    found = np.zeros_like(right)
    rest = right.copy()
    eased = rest / diagonal
    direction = eased.copy()
    product = float(rest @ eased)
    goal = 1e-14 * product
    for _ in range(400):
        if product <= goal:
            break
        image = times(direction)
        bend = float(direction @ image)
        if bend <= 1e-9 * float(direction @ (diagonal * direction)):
            return found if found.any() else eased
        length = product / bend
        found += length * direction
        rest -= length * image
        eased = rest / diagonal
        previous, product = product, float(rest @ eased)
        direction = eased + (product / previous) * direction
    return found


def _normal_nodes() -> tuple[Floats, Floats]:
    """Equally spaced points of a standard normal and their weights; exact to rounding where smooth."""
    z = np.linspace(-4.8, 4.8, _WITHIN)
    weights = np.exp(-0.5 * z**2)
    return z, weights / weights.sum()


def _above(place: Floats, steps: Floats) -> tuple[Floats, Floats]:
    """Log normalising sum, and probability to reach each step, shape (places, levels - 1)."""
    count = np.arange(steps.size + 1)
    logs = place[:, None] * count - np.concatenate([[0.0], np.cumsum(steps)])
    top = logs.max(axis=1, keepdims=True)
    weights = np.exp(logs - top)
    total = weights.sum(axis=1, keepdims=True)
    reached = np.cumsum((weights / total)[:, ::-1], axis=1)[:, ::-1][:, 1:]
    return (top + np.log(total)).ravel(), reached


def _moments(place: Floats, steps: Floats) -> tuple[Floats, Floats]:
    """Expected level and its variance at places on the ruler."""
    _, reached = _above(place, steps)
    mean = reached.sum(axis=1)
    square = reached @ (2.0 * np.arange(1, steps.size + 1) - 1.0)
    return mean, square - mean**2


def _spreads(reach: Floats) -> Floats:
    """Covariance of having reached each two steps, from the probability of each; last two axes square."""
    size = reach.shape[-1]
    higher = np.maximum.outer(np.arange(size), np.arange(size))
    return np.asarray(reach[..., higher] - reach[..., :, None] * reach[..., None, :])


def _inner_bend(
    held: Floats, *, reach: Floats, spreads: Floats, shared: Floats, size: int, with_halo: bool
) -> Floats:
    """Minus the Hessian of a pattern's log likelihood given what it has in common, by grid and node."""
    items, many, nodes, steps = reach.shape
    along = spreads.sum(axis=4)  # covariance of the level with having reached each step
    variance = along.sum(axis=3)
    found = np.zeros((many, nodes, size, size))
    whole = np.einsum("i,igz->gz", held, variance)
    found[..., 0, 0] = whole
    place = slice(1, 1 + items)
    low = slice(1 + items, 1 + items + steps)
    by_item = (held[:, None, None] * variance).transpose(1, 2, 0)
    by_step = -np.einsum("i,igzk->gzk", held, along)
    found[..., 0, place] = by_item
    found[..., 0, low] = by_step
    for item in range(items):
        found[..., 1 + item, 1 + item] = by_item[..., item]
        found[..., 1 + item, low] = -held[item] * along[item]
    found[..., low, low] = np.einsum("i,igzkl->gzkl", held, spreads)
    if with_halo:
        found[..., 0, -1] = whole * shared
        found[..., place, -1] = by_item * shared[:, None]
        found[..., low, -1] = by_step * shared[:, None]
        found[..., -1, -1] = whole * shared**2
    upper = np.triu(np.ones((size, size), dtype=np.bool_), 1)
    found = (
        np.where(upper, found, 0.0)
        + np.swapaxes(np.where(upper, found, 0.0), -1, -2)
        + np.where(np.eye(size, dtype=np.bool_), found, 0.0)
    )
    return np.asarray(found)


def _cubic(values: Floats, slopes: Floats, cell: Integers, rest: Floats) -> Floats:
    """Cubic interpolation from values and slopes (per cell) at both ends of a cell."""
    value, slope = values.ravel(), slopes.ravel()
    a, b = value[cell], value[cell + 1]
    c, d = slope[cell], slope[cell + 1]
    bend = 3.0 * (b - a) - 2.0 * c - d
    turn = 2.0 * (a - b) + c + d
    return np.asarray(a + rest * (c + rest * (bend + rest * turn)))


def _cubic_rows(values: Floats, slopes: Floats, cell: Integers, rest: Floats) -> Floats:
    """The same for rows of several columns."""
    size = values.shape[-1]
    value, slope = values.reshape(-1, size), slopes.reshape(-1, size)
    far, near = (rest * rest * (3.0 - 2.0 * rest))[..., None], rest[..., None]
    found = value[cell] * (1.0 - far)
    found += value[cell + 1] * far
    found += slope[cell] * (near * (1.0 - near) ** 2)
    found += slope[cell + 1] * (near**2 * (near - 1.0))
    return np.asarray(found)


def _codes(name: str, codes: npt.ArrayLike, rows: int) -> Integers:
    values = np.asarray(codes)
    if values.shape != (rows,) or not np.issubdtype(values.dtype, np.integer) or int(values.min()) < 0:
        raise ValueError(f"{name} must be whole numbers from 0, as long as level")
    return values.astype(np.int64)
