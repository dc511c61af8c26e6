"""Nothing of a small group can be had from what is shown, whatever the table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import ClassVar

import polars as pl
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from analytics.disclosure import Cells, recoverable, refuse_differencing, release

DAY = date(2026, 11, 22)
COLUMNS = {"group": pl.String, "margin": pl.String, "people": pl.Int64}


@dataclass(frozen=True)
class Table:
    groups: pl.DataFrame
    cells: ClassVar[tuple[Cells, ...]] = (
        Cells("groups", group="group", people="people", values=("people",), within=("margin",)),
    )


counts = st.integers(0, 9) | st.integers(0, 40)


@st.composite
def flat(draw: st.DrawFn) -> pl.DataFrame:
    margins = draw(st.lists(st.lists(counts, min_size=1, max_size=7), min_size=1, max_size=4))
    rows = [(f"g{j}", f"m{i}", n) for i, margin in enumerate(margins) for j, n in enumerate(margin)]
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


@st.composite
def nested(draw: st.DrawFn) -> pl.DataFrame:
    """A tree of groups: each counts its parts' people and those who sit in it directly."""
    n = draw(st.integers(1, 12))
    above = [None, *(draw(st.integers(0, i - 1)) for i in range(1, n))]
    people = [draw(counts) for _ in range(n)]
    for i in range(n - 1, 0, -1):
        parent = above[i]
        assert parent is not None
        people[parent] += people[i]
    rows = [(f"d{i}", None if above[i] is None else f"d{above[i]}", people[i]) for i in range(n)]
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def narrow(frame: pl.DataFrame, minimum: int) -> pl.DataFrame:
    """Hidden groups of somebody, and small direct rests, that can be narrowed below the minimum."""
    after = release(Table(frame), as_of=DAY, minimum=minimum).value.groups
    parts = frame.group_by(pl.col("margin").alias("group")).agg(pl.col("people").sum().alias("parts"))
    truth = frame.join(parts, on="group", how="left").with_columns(
        (pl.col("people") - pl.col("parts")).alias("rest")
    )
    return (
        recoverable(frame, after, Table.cells[0])
        .join(truth, on=["group", "margin"], how="left", nulls_equal=True)
        .filter(pl.col("width") < minimum)
        .filter(
            pl.when("direct").then(pl.col("rest").is_between(1, minimum - 1)).otherwise(pl.col("people") > 0)
        )
    )


@settings(max_examples=80, deadline=None)
@given(flat(), st.integers(2, 10))
def test_no_hidden_group_can_be_narrowed_below_the_minimum(frame: pl.DataFrame, minimum: int) -> None:
    # A margin with one group of anybody, or of too few people altogether, is all hidden already.
    protectable = frame.filter(
        ((pl.col("people") > 0).sum().over("margin") >= 2)
        & (pl.col("people").sum().over("margin") >= minimum)
    )
    assert narrow(protectable, minimum).rows() == []


@settings(max_examples=80, deadline=None)
@given(nested(), st.integers(2, 10))
def test_no_hidden_group_of_a_tree_can_be_narrowed_from_another_level(
    frame: pl.DataFrame, minimum: int
) -> None:
    # The whole company's size is known; everything below it must not be.
    assume(frame["people"][0] >= minimum)
    below = narrow(frame, minimum).filter(pl.col("margin").is_not_null() | pl.col("direct"))
    assert below.rows() == []


@settings(max_examples=80, deadline=None)
@given(nested())
def test_the_audit_always_contains_the_truth(frame: pl.DataFrame) -> None:
    after = frame.with_columns(pl.when(pl.col("people") >= 5).then("people"))
    bounds = recoverable(frame, after, Table.cells[0])
    hidden = bounds.filter(~pl.col("direct")).join(frame, on=["group", "margin"], nulls_equal=True)
    assert (hidden["low"] <= hidden["people"]).all()
    assert (hidden["people"] <= hidden["high"]).all()


@settings(max_examples=80, deadline=None)
@given(flat(), st.integers(1, 10))
def test_no_group_below_the_minimum_is_shown(frame: pl.DataFrame, minimum: int) -> None:
    shown = release(Table(frame), as_of=DAY, minimum=minimum).value.groups["people"].drop_nulls()
    assert shown.is_empty() or int(shown.min()) >= minimum  # type: ignore[arg-type]


@settings(max_examples=80, deadline=None)
@given(flat(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_change_what_is_hidden(frame: pl.DataFrame, random: object) -> None:
    order = list(range(frame.height))
    random.shuffle(order)  # type: ignore[attr-defined]
    one = release(Table(frame), as_of=DAY).value.groups
    other = release(Table(frame[order]), as_of=DAY).value.groups
    assert_frame_equal(one[order], other)


@settings(max_examples=80, deadline=None)
@given(flat())
def test_at_most_one_shown_group_more_is_hidden_in_a_margin(frame: pl.DataFrame) -> None:
    released = release(Table(frame), as_of=DAY)
    hidden = frame.with_columns(after=released.value.groups["people"]).filter(pl.col("after").is_null())
    beside = hidden.filter(pl.col("people") >= 5).group_by("margin").len()
    assert beside.filter(pl.col("len") > 1).height == 0


sets = st.frozensets(st.sampled_from([f"E{i}" for i in range(30)]))


@settings(max_examples=80, deadline=None)
@given(sets, sets, st.integers(1, 8))
def test_a_refusal_is_the_definition_with_sets(
    before: frozenset[str], asked: frozenset[str], minimum: int
) -> None:
    population = frozenset(f"E{i}" for i in range(30))
    refused = 0 < len(population - asked) < minimum or 0 < len(before ^ asked) < minimum
    assert (refuse_differencing([before], asked, population, minimum=minimum) is not None) == refused
