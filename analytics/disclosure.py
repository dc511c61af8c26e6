"""Small groups stay hidden: the last step before anything is shown, drawn or downloaded.

A result declares its cells; `release` hides those about fewer people than the minimum and as many more
as it takes that no hidden one can be had by subtraction. Charts, tables, reports and downloads accept
only `Released`. Null in a released frame means hidden or unknown, never nought.

What is promised, for the groups of one frame together with the total of each margin: no hidden group,
and nobody who sits directly in a shown group above its parts, can be narrowed to a range of fewer than
``minimum`` people. `recoverable` checks this with a linear program. What is not promised: protection
against totals of other frames that cut the same people along other lines, against results released
earlier (`refuse_differencing` covers the two obvious ways), or against somebody who knows about the
others in a hidden group.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date
from itertools import islice
from types import MappingProxyType
from typing import Any, ClassVar, Final, Generic, Literal, Protocol, TypeVar

import numpy as np
import polars as pl
from scipy.optimize import linprog

from analytics.language import Language
from analytics.policy import MINIMUM_GROUP, RULES_VERSION

REFERENCE: Final = "Hundepool et al. (2012), Statistical Disclosure Control. doi:10.1002/9781118348239"

Key = tuple[Any, ...]
"""The values of ``within`` and, last, of ``group``."""


@dataclass(frozen=True)
class Cells:
    """Which rows of a result are about which people.

    Cells of one result with the same ``group`` and ``within`` are about the same groups and hide the
    same ones, whichever frame they stand in.

    Attributes
    ----------
    frame
        Name of the result's field that holds the frame.
    group
        Column naming the group a row is about. Rows of one group are hidden together.
    people
        Column with the number of distinct people in the group. Null counts as nobody.
    values
        Columns that become null when the group is hidden, the counts included.
    within
        Columns of the margin: groups with equal values here add up to a total a reader may know, so
        hiding exactly one of them would hide nothing. Empty: all groups form one margin. Where one of
        the columns holds groups of the same frame (a department's parent), the frame is a tree and
        nothing hidden on one level can be had from another.
    additive
        False where no total is shown and none can be known (rater effects, say): then only the minimum
        applies.
    """

    frame: str
    group: str
    people: str
    values: tuple[str, ...]
    within: tuple[str, ...] = ()
    additive: bool = True

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that together name a group."""
        return (*self.within, self.group)


_NO_GROUP: Final = frozenset({"scope", "test"})
"""Columns that name no group of people: everybody, and the tests."""


class Disclosable(Protocol):
    """A frozen result that says what it tells about whom."""

    cells: ClassVar[tuple[Cells, ...]]
    __dataclass_fields__: ClassVar[dict[str, Any]]


T = TypeVar("T", bound=Disclosable)
T_co = TypeVar("T_co", bound=Disclosable, covariant=True)


@dataclass(frozen=True)
class Released(Generic[T_co]):
    """A result in which every small group is hidden, with what must stand beside it.

    Attributes
    ----------
    value
        The result; hidden values are null.
    hidden
        Number of hidden groups by frame name.
    minimum
        Fewest people a shown group may have.
    as_of
        The day the data are of.
    rules
        Version of the rules in `analytics.policy`.
    small
        Number of different groups hidden because they are too small.
    beside
        Number of different groups hidden only because the small ones could be had from them.
    """

    value: T_co
    hidden: Mapping[str, int]
    minimum: int
    as_of: date
    rules: str = RULES_VERSION
    small: int = 0
    beside: int = 0


def release(
    result: T,
    *,
    as_of: date,
    minimum: int = int(MINIMUM_GROUP.value),
    withhold: frozenset[str] = frozenset(),
) -> Released[T]:
    """Hide every group too small to show, and what would give it away.

    Parameters
    ----------
    result
        A frozen dataclass with polars frames and a class variable ``cells``.
    as_of
        The day the data are of.
    minimum
        Fewest people a shown group may have.
    withhold
        Groups to hide whatever their size, because earlier figures would give somebody in them away; see
        `differing_groups`.

    Returns
    -------
    Released
        Rows stay, so that readers see that something is hidden; their values are null.

    Raises
    ------
    ValueError
        If ``minimum`` is below one, or ``cells`` name a frame or column the result does not have.
    """
    if minimum < 1:
        raise ValueError(f"minimum must be at least 1; got {minimum}")
    _check(result)
    frames: dict[str, pl.DataFrame] = {cells.frame: getattr(result, cells.frame) for cells in result.cells}
    hidden: dict[str, set[Key]] = {cells.frame: set() for cells in result.cells}
    small_groups: set[tuple[str, Any]] = set()
    all_groups: set[tuple[str, Any]] = set()
    # What is hidden where groups add up stays hidden where the same groups stand without a total.
    concealed = set(withhold)
    for family in _families(result.cells):
        tables = [(cells, _people(frames[cells.frame], cells)) for cells in family]
        name = family[0].group
        small = {key for _, people in tables for key, n in people.items() if n < minimum}
        barred = {
            key for _, people in tables for key in people if name not in _NO_GROUP and key[-1] in concealed
        }
        hide = _closed(tables, small | barred, minimum)
        if any(cells.additive for cells in family):
            concealed |= {key[-1] for key in hide}
        small_groups |= {(name, key[-1]) for key in small}
        all_groups |= {(name, key[-1]) for key in hide}
        for cells, people in tables:
            mine = hide & people.keys()
            hidden[cells.frame] |= {(*cells.key, *key) for key in mine}
            frames[cells.frame] = _blank(frames[cells.frame], cells, mine)
    return Released(
        value=replace(result, **frames),
        hidden=MappingProxyType({frame: len(keys) for frame, keys in hidden.items()}),
        minimum=minimum,
        as_of=as_of,
        small=len(small_groups),
        beside=len(all_groups - small_groups),
    )


def note(released: Released[Any], t: Language) -> str:
    """What stands under a figure about what it does not show; empty if it shows everything."""
    if released.small + released.beside == 0:
        return ""
    small = t.plural(
        "{n} group of fewer than {minimum} people is hidden.",
        "{n} groups of fewer than {minimum} people are hidden.",
        released.small,
        minimum=released.minimum,
    )
    beside = t.plural(
        "{n} more group is hidden so that nobody can work out the small ones by subtraction.",
        "{n} more groups are hidden so that nobody can work out the small ones by subtraction.",
        released.beside,
    )
    if released.small and released.beside:
        return t("{first} {second}", first=small, second=beside)
    return small if released.small else beside


@dataclass(frozen=True)
class Refusal:
    """Why a filter is not answered.

    Attributes
    ----------
    reason
        ``remainder``: the filter leaves out too few people. ``difference``: it differs by too few people
        from one asked before.
    values
        What the sentence names. The number of people is not among them: it is what must not be known.
    """

    reason: Literal["remainder", "difference"]
    values: Mapping[str, int] = field(default_factory=dict)

    def sentence(self, t: Language) -> str:
        """What happened and what to do, for the person who asked."""
        if self.reason == "remainder":
            return t(
                "This choice leaves out fewer than {minimum} people, so the total would tell about them. "
                "Choose everybody, or leave out more.",
                **self.values,
            )
        return t(
            "This choice differs by fewer than {minimum} people from one you looked at before, so comparing "
            "the two would tell about them. Go back to that choice, or change more.",
            **self.values,
        )


def refuse_differencing(
    previous: Sequence[frozenset[str]],
    asked: frozenset[str],
    population: frozenset[str],
    *,
    minimum: int = int(MINIMUM_GROUP.value),
) -> Refusal | None:
    """Refuse a filter whose result could be subtracted from another to lay a few people bare.

    The remainder rule is Culture Amp's, the difference rule TalentMap's. Pairs only: three filters that
    together isolate somebody are not found.

    Parameters
    ----------
    previous
        The people of each recent filter of the same viewer.
    asked
        The people of the filter now asked for.
    population
        Everybody the viewer could have asked about.
    minimum
        Fewest people a difference may have.

    Returns
    -------
    Refusal or None
        None if the filter may be answered.
    """
    if minimum < 1:
        raise ValueError(f"minimum must be at least 1; got {minimum}")
    values = MappingProxyType({"minimum": minimum})
    # No set is built: sizes settle most pairs, and counting stops at the minimum.
    if 0 < _missing(population, asked, minimum) < minimum:
        return Refusal("remainder", values)
    if any(_apart(asked, people, minimum) for people in previous):
        return Refusal("difference", values)
    return None


def differing_groups(
    previous: Sequence[frozenset[str]],
    groups: Mapping[str, frozenset[str]],
    *,
    minimum: int = int(MINIMUM_GROUP.value),
) -> frozenset[str]:
    """Groups whose figures, beside figures seen before, would lay a few people bare.

    Parameters
    ----------
    previous
        The people of everything the same viewer was shown figures about: filters, groups, and what was
        hidden in each picture (its total less what was shown).
    groups
        Group → its people, as now asked for.
    minimum
        Fewest people a difference may have.

    Returns
    -------
    frozenset
        Groups that differ from one of the previous sets by 1 to ``minimum`` − 1 people.
    """
    holding: dict[str, list[frozenset[str]]] = {}
    for people in previous:
        for one in people:
            holding.setdefault(one, []).append(people)
    found: set[str] = set()
    for group, people in groups.items():
        # A set that lacks fewer than ``minimum`` of these people holds at least one of any ``minimum``.
        near = {id(other): other for one in islice(people, minimum) for other in holding.get(one, ())}
        if any(_apart(people, other, minimum) for other in near.values()):
            found.add(group)
    return frozenset(found)


def _apart(one: frozenset[str], other: frozenset[str], minimum: int) -> bool:
    """Whether two sets differ, but by fewer people than the minimum."""
    if abs(len(one) - len(other)) >= minimum:
        return False
    return 0 < _missing(one, other, minimum) + _missing(other, one, minimum) < minimum


def recoverable(before: pl.DataFrame, after: pl.DataFrame, cells: Cells) -> pl.DataFrame:
    """How closely a reader can bound each hidden count from everything shown.

    A linear program per hidden group over all tables of whole, non-negative counts that agree with the
    shown ones, with the total of each outermost margin and, in a tree, with every group being its parts
    and those who sit in it directly. The reader is taken to know where nobody sits directly. The minimum
    itself is not used against the rule (that a group is hidden says little, for some are hidden beside
    others).

    Parameters
    ----------
    before
        The frame with its true counts.
    after
        The same frame as released.
    cells
        What the frame is about.

    Returns
    -------
    polars.DataFrame
        One row per hidden group, and per group of a tree whose direct people are not shown: the columns
        of ``within`` and ``group``, ``direct`` (true for those who sit in the group directly), ``low`` and
        ``high`` (people), ``width`` (high − low; 0 means known exactly).
    """
    truth = _people(before, cells)
    shown = {key: n for key, n in _people(after, cells, unknown=-1).items() if n >= 0}
    tree = _Tree.of(truth)
    unknowns: list[tuple[Key, bool]] = [(key, False) for key in truth if key not in shown]
    unknowns += [(key, True) for key in tree.parts if tree.direct(key) > 0]
    index = {unknown: i for i, unknown in enumerate(unknowns)}
    rows: list[dict[int, float]] = []
    sums: list[float] = []
    for margin, members in tree.margins.items():
        above = tree.above.get(margin)
        row: dict[int, float] = {}
        total = 0.0 if above is not None else float(sum(truth[key] for key in members))
        for key in members:
            if key in shown:
                total -= shown[key]
            else:
                row[index[key, False]] = 1.0
        if above is not None:
            if (above, True) in index:
                row[index[above, True]] = 1.0
            if above in shown:
                total += shown[above]
            else:
                row[index[above, False]] = -1.0
        if row:
            rows.append(row)
            sums.append(total)
    bounds = _bounds(rows, sums, len(unknowns))
    return pl.DataFrame(
        [
            {**dict(zip(cells.key, key, strict=True)), "direct": direct, "low": low, "high": high}
            for (key, direct), (low, high) in zip(unknowns, bounds, strict=True)
        ],
        schema={
            **{name: before.schema[name] for name in cells.key},
            "direct": pl.Boolean,
            "low": pl.Int64,
            "high": pl.Int64,
        },
    ).with_columns((pl.col("high") - pl.col("low")).alias("width"))


@dataclass(frozen=True)
class _Tree:
    """The groups of one frame by margin, and which group stands above which margin."""

    people: Mapping[Key, int]
    margins: Mapping[Key, tuple[Key, ...]]
    above: Mapping[Key, Key]
    parts: Mapping[Key, Key]

    @classmethod
    def of(cls, people: Mapping[Key, int]) -> _Tree:
        margins: dict[Key, list[Key]] = {}
        for key in people:
            margins.setdefault(key[:-1], []).append(key)
        above = _above(people, margins)
        return cls(
            people,
            {
                margin: tuple(sorted(keys, key=lambda k: (people[k], _order(k))))
                for margin, keys in margins.items()
            },
            above,
            {key: margin for margin, key in above.items()},
        )

    def direct(self, key: Key) -> int:
        """People of a group who are in none of its parts; none where parts overlap."""
        if key not in self.parts:
            return 0
        return max(0, self.people[key] - sum(self.people[part] for part in self.margins[self.parts[key]]))


def _above(people: Mapping[Key, int], margins: Mapping[Key, Sequence[Key]]) -> dict[Key, Key]:
    """The group that a margin's groups are the parts of: one value of ``within`` names it."""
    by_name: dict[tuple[Key, Any], Key] = {}
    width = len(next(iter(people))) - 1 if people else 0
    found: dict[Key, Key] = {}
    for column in range(width):
        by_name = {((*key[:column], *key[column + 1 : -1]), key[-1]): key for key in people}
        found = {
            margin: by_name[(*margin[:column], *margin[column + 1 :]), margin[column]]
            for margin in margins
            if margin[column] is not None
            and ((*margin[:column], *margin[column + 1 :]), margin[column]) in by_name
        }
        if found:
            return found
    return found


def _closed(tables: Sequence[tuple[Cells, Mapping[Key, int]]], small: set[Key], minimum: int) -> set[Key]:
    """The hidden groups and those to hide beside them, until every additive table is safe."""
    hide = set(small)
    trees = [_Tree.of(people) for cells, people in tables if cells.additive]
    while True:
        size = len(hide)
        for tree in trees:
            _protect(tree, hide, minimum)
        if len(hide) == size or len(trees) == 1:
            return hide


def _protect(tree: _Tree, hide: set[Key], minimum: int) -> None:
    """Hide the next smallest groups of a margin until no hidden one stands alone or sums to too few.

    People who sit directly in a group above its parts are a cell that is never shown: they protect and
    need protection like a hidden group.
    """
    waiting = deque(tree.margins)
    queued = set(waiting)

    def look_again(margin: Key | None) -> None:
        if margin is not None and margin in tree.margins and margin not in queued:
            waiting.append(margin)
            queued.add(margin)

    while waiting:
        margin = waiting.popleft()
        queued.discard(margin)
        members = tree.margins[margin]
        above = tree.above.get(margin)
        direct = tree.direct(above) if above is not None else 0
        concealed = [n for key in members if key in hide and (n := tree.people[key]) > 0]
        # A hidden group whose parts all stand beside it is the sum of its parts.
        sum_of_parts = above in hide and direct < minimum
        alone = above is not None and above not in hide and 0 < direct < minimum
        if not (concealed or sum_of_parts or alone):
            continue
        if direct:
            concealed.append(direct)
        for key in members:
            if len(concealed) >= 2 and sum(concealed) >= minimum:
                break
            if key not in hide and tree.people[key] > 0:
                hide.add(key)
                concealed.append(tree.people[key])
                look_again(tree.parts.get(key))
        else:
            if (len(concealed) < 2 or sum(concealed) < minimum) and above is not None and above not in hide:
                hide.add(above)
                look_again(above[:-1])


def _bounds(rows: Sequence[Mapping[int, float]], sums: Sequence[float], n: int) -> list[tuple[int, int]]:
    """Lowest and highest whole value of each unknown."""
    equalities = np.zeros((len(rows), n))
    for i, row in enumerate(rows):
        for j, coefficient in row.items():
            equalities[i, j] = coefficient
    bounds: list[tuple[int, int]] = []
    for j in range(n):
        ends: list[float] = []
        for sign in (1.0, -1.0):
            objective = np.zeros(n)
            objective[j] = sign
            solution = linprog(objective, A_eq=equalities, b_eq=np.asarray(sums), bounds=(0, None))
            if not solution.success or solution.fun is None:
                raise ValueError(f"counts do not add up: {solution.message}")
            ends.append(sign * float(solution.fun))
        bounds.append((int(np.ceil(ends[0] - 1e-6)), int(np.floor(ends[1] + 1e-6))))
    return bounds


def _check(result: Disclosable) -> None:
    names = {field.name for field in fields(result)}
    for cells in result.cells:
        if cells.frame not in names:
            raise ValueError(f"cells name the frame {cells.frame!r}, which the result does not have")
        missing = {*cells.key, cells.people, *cells.values} - set(getattr(result, cells.frame).columns)
        if missing:
            raise ValueError(f"cells of {cells.frame!r} name columns it does not have: {sorted(missing)}")


def _families(cells: Sequence[Cells]) -> list[list[Cells]]:
    families: dict[tuple[str, ...], list[Cells]] = {}
    for one in cells:
        families.setdefault(one.key, []).append(one)
    return list(families.values())


def _people(frame: pl.DataFrame, cells: Cells, *, unknown: int = 0) -> dict[Key, int]:
    """People by group; groups of unknown size count as ``unknown``."""
    counts = (
        frame.group_by(cells.key, maintain_order=True)
        .agg(pl.col(cells.people).max().alias("_people"))
        .with_columns(pl.col("_people").fill_null(unknown).cast(pl.Int64))
    )
    return {row[:-1]: row[-1] for row in counts.iter_rows()}


def _blank(frame: pl.DataFrame, cells: Cells, hide: set[Key]) -> pl.DataFrame:
    if not hide:
        return frame
    marks = pl.DataFrame(
        list(hide), schema={name: frame.schema[name] for name in cells.key}, orient="row"
    ).with_columns(pl.lit(value=True).alias("_hide"))
    return (
        frame.join(marks, on=list(cells.key), how="left", nulls_equal=True, maintain_order="left")
        .with_columns(
            pl.when(pl.col("_hide").is_null()).then(pl.col(name)).alias(name) for name in cells.values
        )
        .drop("_hide")
    )


def _missing(people: frozenset[str], others: frozenset[str], enough: int) -> int:
    """How many of the people are not among the others, counted no further than ``enough``."""
    if len(people) - len(others) >= enough:
        return enough
    if people is others:
        return 0
    return sum(1 for _ in islice((one for one in people if one not in others), enough))


def _order(key: Key) -> tuple[str, ...]:
    return tuple("" if value is None else str(value) for value in key)
