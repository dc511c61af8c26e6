"""Small groups stay hidden: the last step before anything is shown, drawn or downloaded.

A result declares its cells; `release` hides those about fewer people than the minimum and as many more
as it takes that no hidden one can be had by subtraction. Charts, tables, reports and downloads accept
only `Released`. Null in a released frame means hidden or unknown, never nought.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from types import MappingProxyType
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar

import polars as pl

from analytics.policy import MINIMUM_GROUP, RULES_VERSION

REFERENCE: Final = "Hundepool et al. (2012), Statistical Disclosure Control. doi:10.1002/9781118348239"


@dataclass(frozen=True)
class Cells:
    """Which rows of a result are about which people.

    Attributes
    ----------
    frame
        Name of the result's field that holds the frame.
    group
        Column naming the group a row is about. Rows of one group are hidden together.
    people
        Column with the number of distinct people in the group.
    values
        Columns that become null when the group is hidden, the counts included.
    within
        Columns of the margin: groups with equal values here add up to a total a reader may know, so
        hiding exactly one of them would hide nothing. Empty: all groups form one margin.
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
    """

    value: T_co
    hidden: Mapping[str, int]
    minimum: int
    as_of: date
    rules: str = RULES_VERSION


def release(result: T, *, as_of: date, minimum: int = int(MINIMUM_GROUP.value)) -> Released[T]:
    """Hide every group too small to show.

    Parameters
    ----------
    result
        A frozen dataclass with polars frames and a class variable ``cells``.
    as_of
        The day the data are of.
    minimum
        Fewest people a shown group may have.

    Returns
    -------
    Released
        Rows stay, so that readers see that something is hidden; their values are null.
    """
    if minimum < 1:
        raise ValueError(f"minimum must be at least 1; got {minimum}")
    names = {field.name for field in fields(result)}
    frames: dict[str, pl.DataFrame] = {}
    hidden: dict[str, int] = {}
    for cells in result.cells:
        if cells.frame not in names:
            raise ValueError(f"cells name the frame {cells.frame!r}, which the result does not have")
        frame = frames.get(cells.frame, getattr(result, cells.frame))
        groups = frame.group_by(*cells.within, cells.group).agg(pl.col(cells.people).max())
        small = groups.filter(pl.col(cells.people) < minimum)
        mark = frame.join(
            small.select(*cells.within, cells.group, pl.lit(value=True).alias("_hide")),
            on=[*cells.within, cells.group],
            how="left",
            nulls_equal=True,
            maintain_order="left",
        )
        frames[cells.frame] = mark.with_columns(
            pl.when(pl.col("_hide").is_null()).then(pl.col(name)).alias(name) for name in cells.values
        ).drop("_hide")
        hidden[cells.frame] = hidden.get(cells.frame, 0) + small.height
    return Released(
        value=replace(result, **frames),
        hidden=MappingProxyType(hidden),
        minimum=minimum,
        as_of=as_of,
    )
