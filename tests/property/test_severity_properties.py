"""What holds for any ratings: order does not matter, links are links, intervals cover, flags are few."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from analytics.severity import linear
from analytics.severity.linear import severity
from analytics.severity.linkage.graph import linkage
from tests.severity_company import company

FLAGS = ("lenient", "severe")

PAIRS = st.sets(st.tuples(st.integers(0, 7), st.integers(0, 8)), min_size=1, max_size=18)


def reachable(pairs: set[tuple[int, int]], rater: int) -> set[int]:
    """Raters that shared ratees lead to, by walking."""
    found, todo = {rater}, [rater]
    while todo:
        ratees = {b for a, b in pairs if a == todo[-1]}
        todo.pop()
        for other in {a for a, b in pairs if b in ratees} - found:
            found.add(other)
            todo.append(other)
    return found


@given(pairs=PAIRS)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_components_and_hanging_are_what_walking_and_removing_people_shows(
    pairs: set[tuple[int, int]],
) -> None:
    frame = pl.DataFrame(
        [(f"m{a}", f"p{b}") for a, b in pairs], schema=["rater_id", "ratee_id"], orient="row"
    )
    found = {row["rater_id"]: row for row in linkage(frame).raters.iter_rows(named=True)}
    raters = {a for a, _ in pairs}
    for rater in raters:
        together = reachable(pairs, rater)
        assert together == {
            a for a in raters if found[f"m{a}"]["component"] == found[f"m{rater}"]["component"]
        }
        hangs = False
        for _, person in pairs:
            left = reachable({(a, b) for a, b in pairs if b != person}, rater)
            hangs |= left < together and 2 * len(left) <= len(together)
        assert found[f"m{rater}"]["hangs_on_one"] == hangs


@given(seed=st.integers(0, 10_000))
@settings(max_examples=8, deadline=None, derandomize=True)
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    ratings = company(seed % 7, people=80, raters=12, departments=3, cycles=2).ratings
    first, second = severity(ratings), severity(ratings.sample(fraction=1.0, shuffle=True, seed=seed))
    for name in ("raters", "departments", "components", "fixed", "variances"):
        assert_frame_equal(getattr(first, name), getattr(second, name), check_exact=True)


@pytest.mark.parametrize("most_exact", [linear._MOST_EXACT, 0], ids=["exact", "iterative"])
@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 2),
            st.integers(0, 12),
            st.integers(0, 7),
            st.sampled_from(["manager", "peer", "self", "customer"]),
            st.sampled_from(["d1", "d2", None]),
            st.sampled_from([1.0, 2.0, 3.0, 4.0, 5.0, None]),
        ),
        max_size=60,
    )
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_ratings_give_numbers_or_a_reason_and_never_a_crash(
    most_exact: int, rows: list[tuple[object, ...]]
) -> None:
    frame = pl.DataFrame(
        [(f"c{c}", f"p{e}", f"m{r}", s, d, x) for c, e, r, s, d, x in rows],
        schema={
            "cycle_id": pl.String,
            "ratee_id": pl.String,
            "rater_id": pl.String,
            "source": pl.String,
            "department_id": pl.String,
            "score": pl.Float64,
        },
        orient="row",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linear, "_MOST_EXACT", most_exact)
        found = severity(frame)
    for row in found.raters.iter_rows(named=True):
        assert (row["severity"] is None) == (row["verdict"] == "cannot_tell")
        if row["severity"] is None:
            assert row["reason"] is not None
        else:
            assert np.isfinite([row["severity"], row["low"], row["high"], row["false_sign_rate"]]).all()
    assert found.n_ratings + sum(found.left_out.values()) == frame.height


SECOND = {"people": 300, "raters": 40, "departments": 4}
MOVES = {**SECOND, "cycles": 5, "second": 0.0, "outside": 0.0}
DESIGNS = {
    "second ratings and moves": SECOND,
    "moves only": MOVES,
    "second ratings and moves, lasting liking": {**SECOND, "pair_sd": 0.4},
    "moves only, lasting liking": {**MOVES, "pair_sd": 0.4},
    "second ratings and moves, moods": {**SECOND, "cycles": 4, "mood_sd": 0.3},
    "eight cycles with the same people, strong liking": {
        **SECOND,
        "cycles": 8,
        "moves": 0.05,
        "pair_sd": 0.6,
        "rater_sd": 0.2,
    },
}


@pytest.mark.parametrize("design", DESIGNS)
def test_intervals_cover_the_true_severity_and_false_flags_are_as_few_as_stated(design: str) -> None:
    covered, told, false, flags, stated = 0, 0, 0, 0, 0.0
    for seed in range(30):
        made = company(seed, **DESIGNS[design])  # type: ignore[arg-type]
        found = severity(made.ratings)
        raters = found.raters.filter(pl.col("severity").is_not_null())
        truth = raters["rater_id"].replace_strict(made.severity, return_dtype=pl.Float64)
        covered += int(((raters["low"] <= truth) & (truth <= raters["high"])).sum())
        told += raters.height
        flagged = raters["verdict"].is_in(FLAGS)
        false += int((flagged & (truth.sign() != raters["severity"].sign())).sum())
        flags += int(flagged.sum())
        stated += found.expected_false_flags
    assert told > 1_150
    assert 0.93 <= covered / told <= 0.97
    assert flags > 100
    # False flags are rare events: their count spreads about its mean like a Poisson count.
    assert false <= stated + 2.5 * stated**0.5


@pytest.mark.parametrize("liking", [{}, {"pair_sd": 0.6, "cycles": 4}], ids=["chance", "lasting liking"])
def test_companies_whose_raters_do_not_differ_raise_no_flag_in_19_of_20_cases(
    liking: dict[str, float],
) -> None:
    flagged = 0
    for seed in range(100):
        made = company(seed, people=120, raters=18, departments=3, rater_sd=0.0, **liking)  # type: ignore[arg-type]
        found = severity(made.ratings)
        flagged += bool(found.raters["verdict"].is_in(FLAGS).any())
    assert flagged <= 5
