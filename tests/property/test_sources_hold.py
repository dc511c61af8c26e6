"""Whatever a file holds, reading it gives sheets or a problem said in plain words."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data import sources
from data.contracts import TABLES
from data.problems import Problem
from data.sources import values
from data.sources.model import EXTRA, LINE, Known
from tests.exports import fuzz

NOTHING = Known(TABLES["scale_levels"].create_empty(), TABLES["review_cycles"].create_empty())


def test_two_hundred_broken_exports_give_sheets_or_problems(tmp_path: Path) -> None:
    refused = read = unnamed = 0
    for path in fuzz.broken(tmp_path, 210, seed=20260701, binary=0.08):
        try:
            for sheet in sources.read_sheets(path):
                recognition = sources.recognise(sheet, NOTHING)
                for batch in sheet.batches():
                    sources.source(recognition.source).translate(batch, recognition, NOTHING)
                read += 1
        except Problem as problem:
            refused += 1
            unnamed += path.name not in str(problem)
    assert unnamed == 0, "a problem names its file"
    # Both happen: a generator that broke everything, or nothing, would show nothing.
    assert refused > 50
    assert read > 20


cells = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=12)
messy = st.text(st.sampled_from(list('ab"\n,; 1')), max_size=8)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(cells, messy, cells), min_size=1, max_size=20))
def test_what_a_csv_writer_wrote_is_read_back(tmp_path: Path, rows: list[tuple[str, str, str]]) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(("employee id", "free text", "department name"))
    writer.writerows(rows)
    path = tmp_path / "x.csv"
    path.write_text(out.getvalue(), encoding="utf-8", newline="")
    expected = [tuple(cell or None for cell in row) for row in rows if any(row)]
    if not expected:
        return
    (sheet,) = sources.read_sheets(path)
    found = pl.concat(list(sheet.batches()))
    assert EXTRA not in found.columns
    assert found.drop(LINE).rows() == expected
    # A row's line is one more than the line breaks before it.
    text = out.getvalue()
    starts, at = [], text.index("\n") + 1
    for row in rows:
        starts.append(text.count("\n", 0, at) + 1)
        buffer = io.StringIO(newline="")
        csv.writer(buffer, lineterminator="\n", quoting=csv.QUOTE_ALL).writerow(row)
        at += len(buffer.getvalue())
    assert found[LINE].to_list() == [start for start, row in zip(starts, rows, strict=True) if any(row)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(max_size=20)), max_size=15))
def test_reading_a_value_twice_changes_nothing(raw: list[str | None]) -> None:
    column = pl.Series(raw, dtype=pl.String)
    for read in (values.dates, values.moments, values.numbers, values.flags):
        once = read(column)
        assert len(once) == len(column)
        assert read(once).to_list() == once.to_list()


@settings(max_examples=60, deadline=None)
@given(st.dates(), st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%Y/%m/%d", "%Y年%m月%d日"]))
def test_every_day_survives_every_unambiguous_writing(day, writing) -> None:  # type: ignore[no-untyped-def]
    written = day.strftime(writing)
    padded = written if len(str(day.year)) == 4 else written.replace(str(day.year), f"{day.year:04}", 1)
    if day.year < 1000:
        return
    assert values.dates(pl.Series([padded])).to_list() == [day.isoformat()]
