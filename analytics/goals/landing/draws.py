"""How often does each goal land when its load and those of the goals below it are drawn?

Reads    the goals by level (`analytics.goals.landing.rules`), their delay probabilities, what goals share.
Returns  in how many draws each goal lands, by the rule that holds and by others, and in how many a goal below
         would tip it by itself.

Draws run in batches of sixty-four, a row per goal, in single precision: one product of a sparse matrix a
level counts who lands below each goal, another how far they come.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import special

from analytics.goals.landing.aftermath import Quantiles
from analytics.goals.landing.rules import (
    CANDIDATES,
    HAIR,
    Flags,
    Floats,
    Held,
    Integers,
    Level,
    Singles,
    Tree,
    number_needed,
)
from analytics.goals.landing.shared_risk import COLUMNS, Parts

BATCH: Final = 64
ASIDE: Final = 4
"""Other chances are played in every fourth batch: their difference is known sooner than the chance itself."""

_STEPS: Final = 64
_ROWS: Final = 4_096
_SURE: Final = 1e-4


class World(NamedTuple):
    """One batch of draws, a row per goal: whether it lands (0 or 1), and how far it comes."""

    landed: Singles
    progress: Singles


@dataclass(frozen=True)
class Loads:
    """The goals that land by their own chance, by row, and what their loads are made of.

    ``cause`` holds their owner, department and parent by number, -1 for none or one that no other has;
    ``alone`` is what of each load nothing is shared of; ``brings`` is the part of the work left that a miss
    brings, by stage of the goal (``stage``) and in steps from the heaviest load to the lightest that misses.
    """

    who: Integers
    cause: Integers
    ids: tuple[list[str], ...]
    parts: Parts
    alone: Floats
    now: Singles
    stage: npt.NDArray[np.int32]
    brings: Singles

    def shared(self, rng: np.random.Generator) -> tuple[Singles, ...]:
        """Loads of every owner, department and goal above, for one batch."""
        return tuple(rng.standard_normal((len(ids), BATCH), dtype=np.float32) for ids in self.ids)

    def whole(self, shared: Sequence[Singles], rest: Singles) -> Singles:
        """The load of every goal: its part of what is shared, and the rest."""
        load = rest * np.sqrt(self.alone).astype(np.float32)[:, None]
        for part, drawn, cause in zip(self.parts, shared, self.cause.T, strict=True):
            if part > 0:
                for some in _blocks(len(load)):
                    has = np.flatnonzero(cause[some] >= 0) + int(some.start)
                    load[has] += np.float32(np.sqrt(part)) * drawn[cause[has]]
        return load


def loads_of(
    tree: Tree, rows: pl.DataFrame, parts: Parts, chosen: Integers, after_a_miss: Quantiles
) -> Loads:
    own = ((rows["_at"] > 0.0) & (rows["_at"] < 1.0)).to_numpy()
    needed = np.zeros(len(own), dtype=np.bool_)
    needed[chosen] = True
    for level in tree.levels:
        needed[level.child] = True
        needed[level.at] = True
    own &= tree.by_itself > 0.0
    who = np.flatnonzero(own & needed)
    # What no two of these goals have in common is no shared cause.
    mine = rows[who].with_columns(pl.when(pl.len().over(name) > 1).then(name).alias(name) for name in COLUMNS)
    codes = [mine[name].rank("dense").cast(pl.Int64).fill_null(0).to_numpy() - 1 for name in COLUMNS]
    cause = np.column_stack(codes)
    shares = np.where(cause >= 0, np.array(parts), 0.0)
    return Loads(
        who,
        cause,
        tuple(mine[name].drop_nulls().unique().sort().to_list() for name in COLUMNS),
        parts,
        1.0 - shares.sum(axis=1),
        mine["progress"].fill_null(0.0).clip(0.0, 1.0).to_numpy().astype(np.float32),
        (_stages(mine, after_a_miss) * _STEPS).astype(np.int32),
        np.concatenate([_steps(quantiles) for _, quantiles in after_a_miss]),
    )


def _stages(rows: pl.DataFrame, after_a_miss: Quantiles) -> Integers:
    """Which line of the table holds for each goal by the share of its time that has passed."""
    limits = np.array([since for since, _ in after_a_miss])
    passed = rows["elapsed"].fill_null(0.0).to_numpy()
    return np.maximum(np.searchsorted(limits, passed, side="right") - 1, 0)


def _steps(quantiles: Sequence[float]) -> Singles:
    """A quantile function at the middle of each of `_STEPS` steps."""
    middle = (np.arange(_STEPS) + 0.5) / _STEPS
    found = np.interp(middle, np.linspace(0.0, 1.0, len(quantiles)), np.asarray(quantiles, dtype=np.float64))
    return found.astype(np.float32)


def come_if_missed(rows: pl.DataFrame, after_a_miss: Quantiles) -> Singles:
    """How far each goal comes on average if it misses."""
    now = rows["progress"].fill_null(0.0).clip(0.0, 1.0).to_numpy()
    means = np.array([_steps(quantiles).mean() for _, quantiles in after_a_miss])
    come: Singles = (now + (1.0 - now) * means[_stages(rows, after_a_miss)]).astype(np.float32)
    return come


def drawn(
    tree: Tree,
    rows: pl.DataFrame,
    loads: Loads,
    forced: Singles,
    *,
    seed: int,
    batches: int,
    watched: Integers,
) -> tuple[Count, Flags]:
    """Draw loads batch by batch, roll each up, and count; beside it, when the goals watched land."""
    common, alone, rules = _streams(seed)
    choices = [_choices(level.likely, batches, rules) for level in tree.levels]
    limit = {name: limits(rows[name], loads) for name in ("_at", "_low", "_high")}
    count = Count.over(tree, rows.height, batches)
    world = _settled(rows)
    seen = [np.zeros((len(watched), 0), dtype=np.bool_)]
    for batch in range(batches):
        shared = loads.shared(common)
        rest = alone.standard_normal((len(loads.who), BATCH), dtype=np.float32)
        load = loads.whole(shared, rest)
        aside = batch % ASIDE == 0
        holding = [level.held(choice[:, batch]) for level, choice in zip(tree.levels, choices, strict=True)]
        _play(world, loads, load, limit["_at"])
        count.main(world, _climb(tree, world, holding), forced, aside=aside)
        seen.append(world.landed[watched] > 0)
        if aside:
            for name, z, at in (
                ("low", load, limit["_high"]),
                ("high", load, limit["_low"]),
                ("independent", rest, limit["_at"]),
            ):
                _play(world, loads, z, at)
                count.aside(name, _climb(tree, world, holding))
    return count, np.concatenate(seen, axis=1)


def _streams(seed: int) -> list[np.random.Generator]:
    """Streams for what is shared, which can be drawn once more by itself, for the rest, and for rules."""
    return [np.random.Generator(np.random.SFC64(one)) for one in np.random.SeedSequence(seed).spawn(3)]


def _choices(likely: Floats, batches: int, rng: np.random.Generator) -> Integers:
    """A rule for each goal and batch, over all batches as often as it is likely."""
    places = np.argsort(rng.random((len(likely), batches)), axis=1)
    at = (places + rng.random((len(likely), 1))) / batches
    limits = np.cumsum(likely, axis=1)[:, :-1]
    chosen: Integers = (at[:, :, None] >= limits[:, None, :]).sum(axis=2)
    return chosen


def _settled(rows: pl.DataFrame) -> World:
    """A batch in which what is settled stands, and the rest is still to be filled in."""
    landed = (rows["_at"] <= 0.0).to_numpy()
    come = np.where(landed, 1.0, rows["progress"].fill_null(0.0).clip(0.0, 1.0).to_numpy())
    return World(*(np.repeat(x.astype(np.float32)[:, None], BATCH, axis=1) for x in (landed, come)))


def limits(delay: pl.Series, loads: Loads) -> tuple[Singles, Singles]:
    """The load beyond which each goal misses, and the chance of that."""
    chance = delay.clip(_SURE, 1.0 - _SURE).to_numpy()[loads.who]
    return special.ndtri(1.0 - chance).astype(np.float32), chance.astype(np.float32)


def _play(world: World, loads: Loads, load: Singles, limits: tuple[Singles, Singles]) -> None:
    """Let the goals that land by their own chance land or miss, and come as far as they come."""
    limit, chance = limits
    for some in _blocks(len(load)):
        heavy = load[some]
        missed = heavy > limit[some, None]
        flat = np.flatnonzero(missed)
        goal = flat // BATCH
        # Where in the range of loads that miss: 0 the heaviest, 1 the lightest.
        place = special.ndtr(-heavy.ravel()[flat]) / chance[some][goal]
        step = np.minimum((place * _STEPS).astype(np.int32), _STEPS - 1)
        now = loads.now[some][goal]
        come = np.ones_like(heavy)
        come.ravel()[flat] = now + (1.0 - now) * loads.brings[loads.stage[some][goal] + step]
        world.landed[loads.who[some]] = ~missed
        world.progress[loads.who[some]] = come


class Rolled(NamedTuple):
    """A level in one batch: how many land below each goal, the share of the weight reached, who lands."""

    level: Level
    held: Held
    number: Singles
    share: Singles
    lands: Flags


def _climb(tree: Tree, world: World, holding: Sequence[Held]) -> Iterator[Rolled]:
    """Roll a batch up level by level; each level is told once what is below it is settled."""
    for level, held in zip(tree.levels, holding, strict=True):
        number = level.by_number @ world.landed
        share = level.by_share @ world.progress
        by_weight, own, needed = held.by_weight[:, None], held.own[:, None], held.needed[:, None]
        lands = np.where(by_weight, share >= needed - HAIR, number >= needed)
        lands = np.where(own, world.landed[level.at] > 0, lands)
        come = np.where(by_weight, share / needed, _furthest(level, held, world.progress))
        come = np.where(own, world.progress[level.at], np.minimum(come, 1.0))
        world.landed[level.at] = lands
        world.progress[level.at] = np.where(lands, 1.0, come)
        yield Rolled(level, held, number, share, lands)


def _furthest(level: Level, held: Held, progress: Singles) -> Singles:
    """Mean progress of as many of the goals below as are needed, the furthest first."""
    size = level.size[:, None].astype(np.float32)
    found: Singles = np.asarray((level.by_number @ progress) / size, dtype=np.float32)
    some: Flags = ~held.by_weight & ~held.own & (held.needed < level.size)
    for many in np.unique(level.size[some]):
        at = np.flatnonzero(some & (level.size == many))
        child = level.child[level.start[at][:, None] + np.arange(many)]
        below = np.sort(progress[child], axis=1)
        needed = held.needed[at, None]
        counts = np.arange(many) >= many - needed
        found[at] = np.einsum("psb,ps->pb", below, counts / needed)
    return found


def _blocks(n: int) -> Iterator[slice]:
    """Rows a few thousand at a time, so that what is worked on stays in the processor's cache."""
    for start in range(0, n, _ROWS):
        yield slice(start, min(start + _ROWS, n))


@dataclass(frozen=True)
class Count:
    """Shares of draws.

    Attributes
    ----------
    lands
        By row of goals: in which each lands.
    sampled
        The same, of those batches in which other chances were played as well.
    beside
        By name of the other chances (``low``, ``high``, ``independent``): as ``sampled``, under them.
    gain, loss
        By level and edge: in which the goal below would by itself make the one above land, or miss.
    tried
        By level, goal and rule of `CANDIDATES`: in which the goal lands by that rule.
    draws
        Number of draws.
    """

    lands: Floats
    sampled: Floats
    beside: Mapping[str, Floats]
    gain: tuple[Floats, ...]
    loss: tuple[Floats, ...]
    tried: tuple[Floats, ...]
    draws: int

    @classmethod
    def over(cls, tree: Tree, n: int, batches: int) -> Count:
        """Nothing counted yet."""
        return cls(
            np.zeros(n),
            np.zeros(n),
            {name: np.zeros(n) for name in ("low", "high", "independent")},
            tuple(np.zeros(len(level.child)) for level in tree.levels),
            tuple(np.zeros(len(level.child)) for level in tree.levels),
            tuple(np.zeros((len(level.at), len(CANDIDATES))) for level in tree.levels),
            batches * BATCH,
        )

    def main(self, world: World, climbed: Iterator[Rolled], forced: Singles, *, aside: bool) -> None:
        """Count a batch: who lands, by which rules, and whom each goal below would tip."""
        for i, rolled in enumerate(climbed):
            level, _, number, share, lands = rolled
            landing = lands.sum(axis=1)
            self.lands[level.at] += landing / self.draws
            if aside:
                self.sampled[level.at] += landing / self._beside
            for k, rule in enumerate(CANDIDATES):
                if rule.name == "weighted":
                    enough = share >= rule.needed - HAIR
                else:
                    enough = number >= number_needed(rule, level.size)[:, None]
                self.tried[i][:, k] += enough.sum(axis=1) / self.draws
            for some in _blocks(len(level.child)):
                gain, loss = _tipped(rolled, some, world, forced)
                self.gain[i][some] += gain / self.draws
                self.loss[i][some] += loss / self.draws

    def aside(self, name: str, climbed: Iterator[Rolled]) -> None:
        """Count a batch played by other chances."""
        for rolled in climbed:
            self.beside[name][rolled.level.at] += rolled.lands.sum(axis=1) / self._beside

    @property
    def _beside(self) -> int:
        """Number of draws in which other chances are played as well."""
        return -(-self.draws // (ASIDE * BATCH)) * BATCH


def _tipped(rolled: Rolled, some: slice, world: World, forced: Singles) -> tuple[Integers, Integers]:
    """In how many draws each goal below would make the one above land, or miss, by itself."""
    level, held, number, share, lands = rolled
    child, of = level.child[some], level.of[some]
    landed, now = world.landed[child], lands[of]
    by_weight, own, needed = held.by_weight[of, None], held.own[of, None], held.needed[of, None]
    weight = level.weight[some][:, None]
    if_lands = np.where(
        by_weight,
        share[of] + weight * (1.0 - world.progress[child]) >= needed - HAIR,
        number[of] + (1.0 - landed) >= needed,
    )
    if_misses = np.where(
        by_weight,
        share[of] - weight * landed * (1.0 - forced[child][:, None]) >= needed - HAIR,
        number[of] - landed >= needed,
    )
    return (if_lands & ~now & ~own).sum(axis=1), (now & ~if_misses & ~own).sum(axis=1)


def drawn_again(
    loads: Loads, wanted: set[tuple[int, int]], batches: int, seed: int
) -> dict[tuple[int, int], Singles]:
    """The loads of some causes in every draw, from the same stream as before."""
    common = _streams(seed)[0]
    found: dict[tuple[int, int], list[Singles]] = {one: [] for one in wanted}
    if wanted:
        for _ in range(batches):
            shared = loads.shared(common)
            for k, c in wanted:
                found[k, c].append(shared[k][c].copy())
    return {one: np.concatenate(drawn) for one, drawn in found.items()}
