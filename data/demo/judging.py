"""How did everybody rate everybody, cycle by cycle?

Asks     what an export of review answers would hold if we knew the truth behind it.
Returns  for one cycle, one row per judgement, with the level given and the sum it came from:
         ratee's performance + rater's severity + rater's mood of the cycle + culture of the rater's
         department + performance of the ratee's department + inflation + what this rater thinks of this
         ratee + error.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import polars as pl

from data.demo.company import (
    CULTURE_FUNCTION,
    CYCLES,
    DIMENSIONS,
    PERFORMANCE_FUNCTION,
    SNAPSHOTS,
    Company,
    Flags,
    Floats,
    Ints,
)
from data.demo.draws import lasting_normal, stream
from data.demo.people import (
    CENTRAL_SHRINK,
    CULTURE_SHIFT,
    HALO_SHRINK,
    PERFORMANCE_SHIFT,
    SOFTENING,
    History,
    Traits,
    rolled_within,
)

REFERENCE: Final = "Scullen, Mount & Goff (2000), J. Appl. Psychol. 85(6). doi:10.1037/0021-9010.85.6.956"

LEVEL_CODES: Final = ("D", "C", "B", "A", "S")
CUTS: Final = (1.58, 2.34, 3.56, 4.42)
"""Latent points above which level 2, 3, 4, 5 is given: shares of about 5, 15, 45, 25 and 10 per cent."""
AVERAGE: Final = 2.97
INFLATION: Final = 0.06
"""Rating points every cycle adds to the one before."""
CYCLE_SD: Final = 0.2
MOOD_SD: Final = 0.2
"""How far all of a rater's judgements of one cycle lie from those of the rater's other cycles."""
LIKING_SD: Final = 0.35
LIKING_THIS_CYCLE_SD: Final = 0.5
ERROR_SD: Final = 0.45
RATEE_DIMENSION_SD: Final = 0.3
DIMENSION_ERROR_SD: Final = 0.45
SELF_SHIFT: Final = 0.3
SELF_SD: Final = 0.6

SOURCE_NAMES: Final = ("manager", "self", "peer", "cross_department", "skip_level", "direct_report")
MANAGER, SELF, PEER, CROSS, SKIP, REPORT = range(6)
SOURCE_SHIFT: Final = (0.0, SELF_SHIFT, 0.12, 0.0, -0.05, 0.1)
FIRST_DAY: Final = (14, 1, 5, 5, 8, 5)
"""Day of the cycle's last month on which judgements of a source start to come in."""

CHANGED_BY_CALIBRATION: Final = 0.25
LOWERED: Final = 0.8


@dataclass(frozen=True)
class Judgements:
    """One cycle's judgements: positions of people, codes of sources, dimensions and levels.

    ``dimension`` is -1 for overall; ``level`` is 1 to 5, 1 the lowest; ``second`` counts from 1970.
    ``final`` holds, per person, the calibrated overall level (0: not rated); ``initial`` the one before.
    """

    ratee: Ints
    rater: Ints
    source: Ints
    dimension: Ints
    calibrated: Flags
    level: Ints
    second: Ints
    initial: Ints
    final: Ints
    discussed: Ints


def judge(
    company: Company, history: History, traits: Traits, *, cycle: int, dimensions: int, seed: int
) -> Judgements:
    """All judgements of one cycle."""
    rng = stream(seed, f"ratings {CYCLES[cycle]}")
    ratee, rater, source = _who_rates_whom(company, history, cycle, rng)
    common = _common(
        company, history, traits, ratee=ratee, rater=rater, source=source, cycle=cycle, seed=seed
    )
    overall = _crowded(common + rng.normal(0, ERROR_SD, len(ratee)), traits.central[rater])
    blocks = [(ratee, rater, source, np.full(len(ratee), -1), overall)]
    by_manager = np.flatnonzero(source == MANAGER)
    for dimension in range(dimensions):
        who, by = ratee[by_manager], rater[by_manager]
        apart = RATEE_DIMENSION_SD * lasting_normal(seed, "dimension", who, dimension)
        apart = apart + rng.normal(0, DIMENSION_ERROR_SD, len(who))
        latent = common[by_manager] + apart * np.where(traits.halo[by], HALO_SHRINK, 1.0)
        blocks.append(
            (
                who,
                by,
                np.full(len(who), MANAGER),
                np.full(len(who), dimension),
                _crowded(latent, traits.central[by]),
            )
        )
    ratee, rater, source, dimension_of, latent = (
        np.concatenate([block[part] for block in blocks]) for part in range(5)
    )
    level = 1 + np.searchsorted(np.array(CUTS), latent)
    second = _submitted(ratee, rater, source, cycle, seed)

    people = len(history.employee_id)
    initial = np.zeros(people, dtype=np.int64)
    first = np.flatnonzero((source == MANAGER) & (dimension_of < 0))
    initial[ratee[first]] = level[first]
    final = _calibrated(initial, rng)
    discussed = np.flatnonzero((initial > 0) & ((final != initial) | (rng.random(people) < 0.2)))
    return Judgements(
        ratee=np.concatenate([ratee, ratee[first]]),
        rater=np.concatenate([rater, rater[first]]),
        source=np.concatenate([source, source[first]]),
        dimension=np.concatenate([dimension_of, dimension_of[first]]),
        calibrated=np.repeat([False, True], [len(ratee), len(first)]),
        level=np.concatenate([level, final[ratee[first]]]),
        second=np.concatenate([second, second[first] + 5 * 86_400]),
        initial=initial,
        final=final,
        discussed=discussed,
    )


def worth(company: Company, history: History, traits: Traits, cycle: int, *, seed: int) -> Floats:
    """Rating points everybody's work of a cycle is worth above average, the department's share included."""
    function = company.code[company.function[history.department[cycle]]]
    people = np.arange(len(history.employee_id))
    return np.asarray(
        traits.performance
        + CYCLE_SD * lasting_normal(seed, "cycle", people, cycle)
        + PERFORMANCE_SHIFT * (function == PERFORMANCE_FUNCTION)
    )


def ratings_export(history: History, judgements: Judgements, cycle: int) -> pl.DataFrame:
    """The judgements of a cycle as a review tool would export them."""
    ids = pl.Series(history.employee_id)
    sources = pl.Series(SOURCE_NAMES)
    dimensions = pl.Series(("overall", *DIMENSIONS))
    levels = pl.Series(LEVEL_CODES)
    return pl.DataFrame(
        {
            "Cycle": pl.repeat(CYCLES[cycle], len(judgements.ratee), eager=True),
            "Employee ID": ids.gather(judgements.ratee),
            "Rater ID": ids.gather(judgements.rater),
            "Source": sources.gather(judgements.source),
            "Dimension": dimensions.gather(judgements.dimension + 1),
            "Stage": pl.Series(("initial", "calibrated")).gather(judgements.calibrated.astype(np.int64)),
            "Rating": levels.gather(judgements.level - 1),
            "Submitted At": (pl.Series(judgements.second) * 1_000)
            .cast(pl.Datetime("ms"))
            .dt.strftime("%Y-%m-%dT%H:%M:%S"),
        }
    )


def _who_rates_whom(
    company: Company, history: History, cycle: int, rng: np.random.Generator
) -> tuple[Ints, Ints, Ints]:
    rated = history.rated(cycle)
    team, seat = history.team[cycle], history.seat[cycle]
    closed = np.zeros(len(team), dtype=np.bool_)
    closed[rated] = (team[rated] >= 0) & company.closed[team[rated]]
    managed = rated[history.manager[cycle][rated] >= 0]
    pairs: list[tuple[Ints, Ints, int]] = [
        (managed, history.manager[cycle][managed], MANAGER),
        (rated, rated, SELF),
    ]
    # Peers: the next two of the own team in a random order.
    open_rated = rated[~closed[rated]]
    shuffled = rng.permutation(open_rated)
    grouped = shuffled[np.argsort(team[shuffled], kind="stable")]
    size = np.unique(team[grouped], return_counts=True)[1].repeat(
        np.unique(team[grouped], return_counts=True)[1]
    )
    for step in (1, 2):
        peers = grouped
        for _ in range(step):
            peers = rolled_within(peers, team[grouped])
        enough = size > step
        pairs.append((grouped[enough], peers[enough], PEER))
    # Cross-department: mostly managers of other functions, from people who worked with the ratee.
    function = company.function[history.department[cycle]]
    asked = open_rated[rng.random(len(open_rated)) < 0.4]
    holders = open_rated[seat[open_rated] >= 0]
    judges = np.where(
        rng.random(len(asked)) < 0.75, rng.choice(holders, len(asked)), rng.choice(open_rated, len(asked))
    )
    apart = (function[asked] != function[judges]) & (asked != judges)
    pairs.append((asked[apart], judges[apart], CROSS))
    # Skip level: the manager's manager.
    boss = history.manager[cycle]
    higher = np.where(boss[open_rated] >= 0, boss[boss[open_rated]], -1)
    skipped = (higher >= 0) & (rng.random(len(open_rated)) < 0.3)
    pairs.append((open_rated[skipped], higher[skipped], SKIP))
    # Direct reports judge their manager.
    heard = open_rated[(boss[open_rated] >= 0) & (rng.random(len(open_rated)) < 0.35)]
    heard = heard[history.active[cycle + 1][boss[heard]]]
    pairs.append((boss[heard], heard, REPORT))
    ratee, rater = (np.concatenate([pair[side] for pair in pairs]) for side in (0, 1))
    source = np.concatenate([np.full(len(pair[0]), pair[2]) for pair in pairs])
    # Who holds the seat of a closed team judges that team and nobody else.
    alone = (seat[rater] >= 0) & company.closed[np.maximum(seat[rater], 0)]
    kept = ~alone | (source == MANAGER) | (source == SELF)
    return ratee[kept], rater[kept], source[kept]


def _common(
    company: Company,
    history: History,
    traits: Traits,
    *,
    ratee: Ints,
    rater: Ints,
    source: Ints,
    cycle: int,
    seed: int,
) -> Floats:
    """What all of a rater's judgements of a ratee in a cycle share."""
    function = company.code[company.function[history.department[cycle]]]
    itself = source == SELF
    people = np.arange(len(history.employee_id))
    mood = np.where(
        traits.softening,
        SOFTENING * (cycle - (len(CYCLES) - 1) / 2),
        MOOD_SD * lasting_normal(seed, "mood", people, cycle),
    )
    hardness = traits.severity + mood + CULTURE_SHIFT * (function == CULTURE_FUNCTION)
    of_self = SELF_SD * lasting_normal(seed, "self", people)
    liking = LIKING_SD * lasting_normal(seed, "liking", ratee, rater)
    liking += LIKING_THIS_CYCLE_SD * lasting_normal(seed, "liking now", ratee, rater, cycle)
    return np.asarray(
        AVERAGE
        + INFLATION * cycle
        + np.array(SOURCE_SHIFT)[source]
        + worth(company, history, traits, cycle, seed=seed)[ratee]
        + np.where(itself, of_self[rater], hardness[rater])
        + np.where(itself, 0.5, 1.0) * liking
    )


def _crowded(latent: Floats, central: Flags) -> Floats:
    middle = (CUTS[1] + CUTS[2]) / 2
    return np.where(central, middle + CENTRAL_SHRINK * (latent - middle), latent)


def _submitted(ratee: Ints, rater: Ints, source: Ints, cycle: int, seed: int) -> Ints:
    # The same person submits all judgements of one ratee at once.
    close = datetime(SNAPSHOTS[cycle + 1].year, SNAPSHOTS[cycle + 1].month, 1)  # noqa: DTZ001
    month = close.replace(year=close.year - (close.month == 1), month=12 if close.month == 1 else 6)
    start = int((month - datetime(1970, 1, 1)).total_seconds())  # noqa: DTZ001
    chance = (np.tanh(0.8 * lasting_normal(seed, "submitted", ratee, rater, cycle)) + 1) / 2
    day = np.array(FIRST_DAY)[source] + np.floor(8.99 * chance).astype(np.int64) - 1
    of_day = 8 * 3_600 + np.floor(9 * 3_600 * (chance * 97 % 1)).astype(np.int64)
    return start + day * 86_400 + of_day


def _calibrated(initial: Ints, rng: np.random.Generator) -> Ints:
    """A quarter of the ratings are changed, lowered four times as often as raised (Demeré et al.)."""
    chance, direction = rng.random(len(initial)), rng.random(len(initial))
    change = np.where(direction < LOWERED, -1, 1)
    # Nobody falls below the scale or climbs above it; the middle is lowered less often than the top.
    weight = np.array([0.0, 0.05, 0.1, 0.25, 0.33, 0.33])[initial]
    moved = np.where(chance < weight, initial + change, initial)
    return np.where(initial > 0, np.clip(moved, 1, 5), 0)
