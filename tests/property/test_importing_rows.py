"""Whatever an export holds, every row goes in or is rejected with a reason, and the contract decides."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from data.acceptance import accept, person_rules
from data.contracts import TABLES
from data.contracts.promises import links_in_loops
from data.sources.model import LINE

SLOW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])

PLAIN = (
    "a 00012 =1+1 ä中 2026-03-31 2026-02-30 2026-03-31T10:00:00 2026-03-31T00:00:00 1 3.0 3.5 -1 1e400 nan "
    "inf 999999999999999 self manager peer overall initial true No 是 reach team active female"
)
WORDS = st.sampled_from(["", " ", "2026-03-31 10:00", "x" * 201, "x" * 20_001, *PLAIN.split()])


def texts(table: str) -> st.SearchStrategy[pl.DataFrame]:
    """Rows of any words in some of the columns of a table."""
    names = TABLES[table].column_names()

    def frame(columns: list[str], rows: list[list[str | None]]) -> pl.DataFrame:
        data = {name: [row[at] for row in rows] for at, name in enumerate(columns)}
        return pl.DataFrame(data, schema=dict.fromkeys(columns, pl.String)).with_columns(
            pl.Series(LINE, range(2, len(rows) + 2), dtype=pl.Int64)
        )

    return st.lists(st.sampled_from(names), unique=True, min_size=1).flatmap(
        lambda columns: st.lists(
            st.lists(st.none() | WORDS, min_size=len(columns), max_size=len(columns)), min_size=1, max_size=12
        ).map(lambda rows: frame(columns, rows))
    )


def likely(table: str) -> st.SearchStrategy[pl.DataFrame]:
    """Rows a contract would accept, some with a value spoilt."""

    def spoil(seed: int, spoilt: list[tuple[int, int, str]]) -> pl.DataFrame:
        import dataframely as dy  # noqa: PLC0415

        contract = TABLES[table]
        rows = contract.sample(6, generator=dy.random.Generator(seed))
        text = rows.select(
            pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%S%.6f").alias(name)
            if kind.base_type() == pl.Datetime
            else pl.col(name).cast(pl.String)
            for name, kind in rows.schema.items()
        )
        cells = text.to_dicts()
        names = contract.column_names()
        for row, column, word in spoilt:
            cells[row % 6][names[column % len(names)]] = word
        return pl.DataFrame(cells, schema=text.schema).with_columns(
            pl.Series(LINE, range(2, 8), dtype=pl.Int64)
        )

    return st.builds(
        spoil,
        st.integers(0, 1_000),
        st.lists(st.tuples(st.integers(0, 5), st.integers(0, 20), WORDS), max_size=4),
    )


@given(table=st.sampled_from(list(TABLES)), data=st.data())
@settings(SLOW, max_examples=100)
def test_no_row_disappears(table: str, data: st.DataObject) -> None:
    batch = data.draw(texts(table))
    verdict = accept(table, batch)
    went_in, stayed_out = set(verdict.accepted[LINE]), set(verdict.rejected[LINE])
    assert went_in | stayed_out == set(batch[LINE])
    assert not went_in & stayed_out
    assert verdict.rejected["message"].str.len_chars().min() != 0
    assert verdict.accepted.height == len(went_in)


@pytest.mark.parametrize("table", ["ratings", "goals", "employees", "pay", "promotions", "scale_levels"])
@given(data=st.data())
@SLOW
def test_what_goes_in_is_what_the_contract_accepts(table: str, data: st.DataObject) -> None:
    batch = data.draw(likely(table))
    contract = TABLES[table]
    # Keys must not repeat for the contract's own filter; here that is settled later.
    batch = batch.unique(contract.primary_key(), keep="none", maintain_order=True)
    verdict = accept(table, batch)
    for rule in person_rules(table):
        broken = verdict.accepted.filter(~rule.holds.fill_null(value=True))
        verdict = type(verdict)(verdict.accepted.join(broken, on=LINE, how="anti"), verdict.rejected)
    good, failure = contract.filter(verdict.accepted.drop(LINE))
    assert not failure.counts()
    assert good.height == verdict.accepted.height
    # And nothing was rejected that the contract takes as it stands.
    columns = {name: column.dtype for name, column in contract.columns().items()}
    rejected = batch.filter(~pl.col(LINE).is_in(verdict.accepted[LINE].implode()))
    readable = rejected.with_columns(
        pl.col(name).str.to_date("%Y-%m-%d", strict=False)
        if kind == pl.Date()
        else pl.col(name).str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False, time_unit="us")
        if isinstance(kind, pl.Datetime)
        else pl.col(name).replace_strict(
            {"true": True, "false": False}, default=None, return_dtype=pl.Boolean
        )
        if kind == pl.Boolean()
        else pl.col(name).cast(kind, strict=False)
        for name, kind in columns.items()
    )
    lost = pl.any_horizontal(readable[name].is_null() & rejected[name].is_not_null() for name in columns)
    blank = pl.any_horizontal(rejected[name].str.strip_chars() == "" for name in columns)
    whole = readable.filter(~rejected.select((lost | blank).fill_null(value=False)).to_series())
    assert contract.filter(whole.select(*columns))[0].height == 0


@given(data=st.data(), at=st.integers(0, 12))
@SLOW
def test_cutting_a_file_into_batches_changes_nothing(data: st.DataObject, at: int) -> None:
    batch = data.draw(likely("ratings"))
    whole = accept("ratings", batch)
    parts = [accept("ratings", part) for part in (batch[:at], batch[at:])]
    assert_frame_equal(pl.concat(p.accepted for p in parts), whole.accepted)
    assert_frame_equal(
        pl.concat(p.rejected for p in parts).sort(LINE, "rule"), whole.rejected.sort(LINE, "rule")
    )


NODES = "abcdef"
LINKS = st.lists(
    st.tuples(st.sampled_from(NODES), st.none() | st.sampled_from(NODES), st.integers(0, 4)),
    unique_by=lambda link: (link[0], link[2]),
    max_size=16,
)


def follows(links: list[tuple[str, str | None, int]], moment: int) -> dict[str, str | None]:
    """Everybody's parent at a moment: the latest link by then, or the first there is."""
    parents = {}
    for node in {n for n, _, _ in links}:
        own = sorted((since, parent or "") for n, parent, since in links if n == node)
        held = [parent for since, parent in own if since <= moment] or [own[0][1]]
        parents[node] = held[-1] or None
    return parents


@given(LINKS)
@settings(max_examples=200, deadline=None)
def test_loops_are_found_exactly_when_somebody_stands_above_themselves(
    links: list[tuple[str, str | None, int]],
) -> None:
    on_loops = set()
    for moment in range(-1, 5):
        parents = follows(links, moment)
        for start in NODES:
            above = parents.get(start)
            for _ in NODES:
                if above is None or above == start:
                    break
                above = parents.get(above)
            if above == start:
                on_loops.add(start)
    frame = pl.DataFrame(
        links, schema={"node": pl.String, "parent": pl.String, "since": pl.Int64}, orient="row"
    )
    assert set(links_in_loops(frame)["node"]) == on_loops


@given(LINKS, st.randoms())
@settings(max_examples=50, deadline=None)
def test_the_order_of_links_does_not_matter(links: list[tuple[str, str | None, int]], random: object) -> None:
    schema = {"node": pl.String, "parent": pl.String, "since": pl.Int64}
    shuffled = sorted(links, key=lambda _: random.random())  # type: ignore[attr-defined]
    found = [
        links_in_loops(pl.DataFrame(rows, schema=schema, orient="row"))
        .drop("loop")
        .unique()
        .sort("node", "since")
        for rows in (links, shuffled)
    ]
    assert_frame_equal(*found)
