"""What `release` hides, what it says about it, and which filters are refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from time import perf_counter
from typing import ClassVar

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analytics.disclosure import (
    Cells,
    differing_groups,
    note,
    recoverable,
    refuse_differencing,
    release,
)
from analytics.language import Language

DAY = date(2026, 11, 22)
EN = Language("en")
GROUPS = Cells("groups", group="department", people="people", values=("people", "mean"))


@dataclass(frozen=True)
class Table:
    groups: pl.DataFrame
    cells: ClassVar[tuple[Cells, ...]] = (GROUPS,)


@dataclass(frozen=True)
class Effects:
    groups: pl.DataFrame
    cells: ClassVar[tuple[Cells, ...]] = (
        Cells("groups", group="department", people="people", values=("people", "mean"), additive=False),
    )


@dataclass(frozen=True)
class ByCycle:
    groups: pl.DataFrame
    cells: ClassVar[tuple[Cells, ...]] = (
        Cells("groups", group="department", people="people", values=("people",), within=("cycle",)),
    )


@dataclass(frozen=True)
class Tree:
    groups: pl.DataFrame
    cells: ClassVar[tuple[Cells, ...]] = (
        Cells("groups", group="department", people="people", values=("people",), within=("parent",)),
    )


@dataclass(frozen=True)
class GroupsAndShares:
    groups: pl.DataFrame
    shares: pl.DataFrame
    cells: ClassVar[tuple[Cells, ...]] = (
        GROUPS,
        Cells("shares", group="department", people="people", values=("share",)),
    )


def table(**people: int | None) -> pl.DataFrame:
    return pl.DataFrame(
        {"department": list(people), "people": list(people.values())},
        schema={"department": pl.String, "people": pl.Int64},
    ).with_columns(mean=pl.lit(3.0))


def tree(rows: list[tuple[str, str | None, int]]) -> pl.DataFrame:
    return pl.DataFrame(
        rows, schema={"department": pl.String, "parent": pl.String, "people": pl.Int64}, orient="row"
    )


def hidden(frame: pl.DataFrame) -> set[str]:
    return set(frame.filter(pl.col("people").is_null())["department"])


def test_groups_of_the_minimum_are_shown() -> None:
    released = release(Table(table(a=5, b=6)), as_of=DAY)
    assert hidden(released.value.groups) == set()
    assert (released.small, released.beside) == (0, 0)
    assert note(released, EN) == ""


def test_a_small_group_takes_the_next_smallest_with_it() -> None:
    # Total 61 known: with 3 alone hidden, 61 − 58 = 3 gives it away. 3 + 8 = 11 does not.
    released = release(Table(table(a=20, b=3, c=8, d=30)), as_of=DAY)
    assert hidden(released.value.groups) == {"b", "c"}
    assert (released.small, released.beside) == (1, 1)
    assert released.hidden == {"groups": 2}


def test_two_small_groups_that_reach_the_minimum_together_hide_no_more() -> None:
    released = release(Table(table(a=20, b=3, c=2, d=30)), as_of=DAY)
    assert hidden(released.value.groups) == {"b", "c"}


def test_two_small_groups_below_the_minimum_together_take_one_more() -> None:
    # 1 + 2 = 3 people would be known as a group of three.
    released = release(Table(table(a=20, b=1, c=2, d=30)), as_of=DAY)
    assert hidden(released.value.groups) == {"a", "b", "c"}


def test_hidden_is_null_and_rows_stay_in_order() -> None:
    released = release(Table(table(a=20, b=3, c=8, d=30)), as_of=DAY)
    expected = pl.DataFrame(
        {
            "department": ["a", "b", "c", "d"],
            "people": [20, None, None, 30],
            "mean": [3.0, None, None, 3.0],
        }
    )
    assert_frame_equal(released.value.groups, expected)


def test_an_empty_group_is_hidden_but_costs_nobody_else_their_figure() -> None:
    released = release(Table(table(a=20, b=0, d=30)), as_of=DAY)
    assert hidden(released.value.groups) == {"b"}


def test_an_empty_group_protects_nobody() -> None:
    # The empty group could be known to be empty, so 4 still stands alone.
    released = release(Table(table(a=20, b=0, c=4, d=30)), as_of=DAY)
    assert hidden(released.value.groups) == {"a", "b", "c"}


def test_a_group_of_unknown_size_is_hidden() -> None:
    assert hidden(release(Table(table(a=20, b=None, d=30)), as_of=DAY).value.groups) == {"b"}


def test_without_a_total_only_the_minimum_applies() -> None:
    assert hidden(release(Effects(table(a=20, b=3, c=8)), as_of=DAY).value.groups) == {"b"}


def test_each_margin_is_protected_by_itself() -> None:
    frame = pl.concat(
        [
            table(a=20, b=3, c=8).with_columns(cycle=pl.lit("H1")),
            table(a=20, b=9, c=8).with_columns(cycle=pl.lit("H2")),
        ]
    )
    shown = release(ByCycle(frame), as_of=DAY).value.groups
    assert hidden(shown.filter(pl.col("cycle") == "H1")) == {"b", "c"}
    assert hidden(shown.filter(pl.col("cycle") == "H2")) == set()


def test_frames_about_the_same_groups_hide_the_same_groups() -> None:
    shares = pl.DataFrame(
        {
            "department": ["a", "a", "b", "b", "c", "c"],
            "level": ["low", "high"] * 3,
            "people": [4, 4, 8, 8, 20, 20],
            "share": [0.5] * 6,
        }
    )
    released = release(GroupsAndShares(table(a=6, b=8, c=20), shares), as_of=DAY)
    # a is small in `shares` only (4 of its 6 people have a level); b goes with it, in both frames.
    assert hidden(released.value.groups) == {"a", "b"}
    assert released.value.shares["share"].to_list() == [None] * 4 + [0.5, 0.5]
    assert released.hidden == {"groups": 2, "shares": 2}
    assert (released.small, released.beside) == (1, 1)


def test_a_hidden_part_cannot_be_had_from_the_group_above() -> None:
    frame = tree(
        [
            ("all", None, 60),
            ("north", "all", 30),
            ("south", "all", 30),
            ("n1", "north", 3),
            ("n2", "north", 7),
            ("n3", "north", 20),
            ("s1", "south", 30),
        ]
    )
    shown = release(Tree(frame), as_of=DAY).value.groups
    # North (30) is shown: n1 needs n2 beside it. South is its only part and is large: nothing to hide.
    assert hidden(shown) == {"n1", "n2"}


def test_a_hidden_group_is_not_the_sum_of_its_shown_parts() -> None:
    frame = tree(
        [
            ("all", None, 33),
            ("tiny", "all", 3),
            ("east", "all", 12),
            ("west", "all", 18),
            ("e1", "east", 5),
            ("e2", "east", 7),
        ]
    )
    shown = release(Tree(frame), as_of=DAY).value.groups
    # tiny (3) takes east (12) with it; were e1 and e2 shown, east = 5 + 7 and tiny = 33 − 18 − 12.
    assert hidden(shown) == {"tiny", "east", "e1", "e2"}


def test_people_above_the_parts_are_not_left_over_by_subtraction() -> None:
    # 40 − 20 − 18 = 2 people sit in the department itself: its head and an assistant.
    frame = tree([("sales", None, 40), ("field", "sales", 20), ("inside", "sales", 18)])
    assert hidden(release(Tree(frame), as_of=DAY).value.groups) == {"inside"}


def test_people_above_the_parts_protect_a_hidden_part() -> None:
    # 43 − 40 known to nobody: the 40 who sit directly in the department are shown nowhere.
    frame = tree([("sales", None, 43), ("pilot", "sales", 3)])
    shown = release(Tree(frame), as_of=DAY).value.groups
    assert hidden(shown) == {"pilot"}
    bounds = recoverable(frame, shown, Tree.cells[0])
    assert bounds.filter(~pl.col("direct")).select("low", "high").row(0) == (0, 43)


def test_a_group_with_one_part_that_is_all_of_it_is_hidden_with_it() -> None:
    frame = tree([("all", None, 40), ("a", "all", 9), ("b", "all", 28), ("c", "all", 3), ("a1", "a", 9)])
    # c takes a with it, and a1 is a by another name.
    assert hidden(release(Tree(frame), as_of=DAY).value.groups) == {"c", "a", "a1"}


def test_a_loop_of_parents_is_survived() -> None:
    frame = tree([("a", "b", 9), ("b", "a", 3), ("c", None, 12)])
    assert "b" in hidden(release(Tree(frame), as_of=DAY).value.groups)


def test_the_audit_finds_what_hiding_only_the_small_gives_away() -> None:
    before = table(a=20, b=3, c=8)
    after = before.with_columns(pl.when(pl.col("people") >= 5).then("people").alias("people"))
    bounds = recoverable(before, after, GROUPS)
    assert bounds.select("department", "low", "high", "width").rows() == [("b", 3, 3, 0)]


def test_the_audit_bounds_a_protected_pair_by_their_sum() -> None:
    before = table(a=20, b=3, c=8)
    after = release(Table(before), as_of=DAY).value.groups
    assert recoverable(before, after, GROUPS).select("low", "high").rows() == [(0, 11), (0, 11)]


def test_nothing_hidden_leaves_nothing_to_bound() -> None:
    before = table(a=20, b=30)
    assert recoverable(before, before, GROUPS).height == 0


def test_cells_that_name_a_column_the_frame_lacks_are_reported() -> None:
    with pytest.raises(ValueError, match="mean"):
        release(Table(table(a=6).drop("mean")), as_of=DAY)


def test_the_note_counts_both_kinds() -> None:
    assert note(release(Table(table(a=20, b=3, c=8, d=30)), as_of=DAY), EN) == (
        "1 group of fewer than 5 people is hidden. "
        "1 more group is hidden so that nobody can work out the small ones by subtraction."
    )
    assert note(release(Effects(table(a=20, b=3, c=4)), as_of=DAY), EN) == (
        "2 groups of fewer than 5 people are hidden."
    )


def people(first: int, last: int) -> frozenset[str]:
    return frozenset(f"E{i}" for i in range(first, last))


def test_a_filter_that_leaves_out_four_people_is_refused() -> None:
    refusal = refuse_differencing([], people(0, 96), people(0, 100))
    assert refusal is not None
    assert refusal.reason == "remainder"
    assert "fewer than 5" in refusal.sentence(EN)


def test_a_filter_that_leaves_out_five_people_or_nobody_is_answered() -> None:
    assert refuse_differencing([], people(0, 95), people(0, 100)) is None
    assert refuse_differencing([], people(0, 100), people(0, 100)) is None


def test_a_filter_that_differs_by_four_people_is_refused() -> None:
    # One left, three came: four people apart.
    refusal = refuse_differencing([people(50, 60), people(10, 30)], people(11, 33), people(0, 100))
    assert refusal is not None
    assert refusal.reason == "difference"
    assert "fewer than 5" in refusal.sentence(EN)


def test_a_filter_that_differs_by_five_people_is_answered() -> None:
    assert refuse_differencing([people(10, 30)], people(12, 33), people(0, 100)) is None


def test_the_same_filter_again_is_answered() -> None:
    assert refuse_differencing([people(10, 30)], people(10, 30), people(0, 100)) is None


def test_a_refusal_does_not_say_how_many_people_it_is_about() -> None:
    refusal = refuse_differencing([], people(0, 97), people(0, 100))
    assert refusal is not None
    assert dict(refusal.values) == {"minimum": 5}


def test_refusing_is_quick_for_two_hundred_thousand_people() -> None:
    everybody = people(0, 200_000)
    previous = [people(i, 100_000 + i) for i in range(20)]
    asked = people(0, 100_003)
    start = perf_counter()
    assert refuse_differencing(previous, asked, everybody) is not None
    assert perf_counter() - start < 1.0


def test_a_group_that_differs_by_a_few_people_from_what_was_shown_is_withheld() -> None:
    zurich = frozenset(f"z{i}" for i in range(13))
    bern = frozenset(f"b{i}" for i in range(8))
    previous = [zurich, bern, frozenset({*zurich, *bern})]
    groups = {"Zurich": zurich - {"z0"}, "Bern": bern, "Basel": frozenset(f"x{i}" for i in range(9))}
    assert differing_groups(previous, groups, minimum=5) == {"Zurich"}
    assert differing_groups([], groups, minimum=5) == frozenset()


def test_a_withheld_group_stays_hidden_and_another_beside_it() -> None:
    frame = pl.DataFrame(
        {"department": list("abcd"), "people": [10, 20, 30, 40], "mean": [1.0, 2.0, 3.0, 4.0]}
    )
    released = release(Table(frame), as_of=DAY, withhold=frozenset({"c"}))
    hidden = set(released.value.groups.filter(pl.col("people").is_null())["department"])
    assert hidden == {"a", "c"}
