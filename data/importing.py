"""From files to a new version: read, recognise, accept or reject each row, settle, publish.

Reads    export files, through `data.sources`.
Returns  a report: what became of every file, sheet, table and row, and the version it made.

Nothing half-done is ever visible: everything is written into a draft folder, and a version exists from
the moment the catalogue names it. A file that cannot be read stops only itself. A sheet with open
questions waits. A file that was loaded before in the same way, and left no row behind, is not loaded
again; if nothing changes, there is no new version.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import logging
import re
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final, Literal

import duckdb
import narwhals as nw
import polars as pl

from data import queries, sources
from data.acceptance import REJECTED, accept, reason, sentences
from data.access import Viewer
from data.assembly import REFUSED, Assembly, Count, is_kept
from data.contracts import TABLES, pointing_at
from data.engine import LOCKED_DOWN, DuckDBEngine
from data.problems import Problem
from data.sources import reading
from data.sources.assembling import scales_of
from data.sources.model import EXTRA, LINE, Answer, Known, Match, Question, Recognition, Sheet, Source
from data.sources.scales import OUTSIDE, covers
from data.warehouse import SOURCE_ID, Version, Warehouse, contracts_version, new_version_id, rules_of

log = logging.getLogger(__name__)

State = Literal["imported", "unchanged", "waiting", "hidden", "failed"]

SLIPPED: Final = "the_row_has_as_many_fields_as_the_header"
OFF_SCALE: Final = "every_rating_is_on_the_scale_of_its_cycle"
MENDABLE: Final = ("_source", "_line", "_rule", "_message")
"""Columns a file of rejected rows has beside those of the original: the source and line of each row, the
rules it broke, and what is wrong."""
LISTED: Final = ("file", "sheet", "line", "table", "rule", "column", "reason")
"""Columns of the list of rejected rows for those who may not read the rows."""
MENDED: Final = {"source_id": pl.String, "line": pl.Int64}
"""Which line of which source a line of a mended file stands for."""

# A cell that a spreadsheet would run, be its sign full-width as in Chinese; plain numbers are none.
FORMULA: Final = re.compile(r"^(?:[=@＝＠\t\r\n]|[+\-＋－](?!\d+(?:[.,]\d+)*%?$))")
ESCAPED: Final = r"^'([=+\-@＝＋－＠\t\r\n])"

SCALE_TABLES: Final = ("rating_scales", "scale_levels", "review_cycles")
"""What other sheets need to be understood: sheets that bring these are read first."""


@dataclass(frozen=True)
class Progress:
    """How far an import is.

    Attributes
    ----------
    stage
        ``reading`` sheets, ``settling`` tables against each other, ``writing`` the new version.
    place
        The sheet or table at hand.
    rows, accepted, rejected
        Rows of that sheet read so far, and what became of them; while settling and writing: of that table.
    """

    stage: Literal["reading", "settling", "writing"]
    place: str
    rows: int = 0
    accepted: int = 0
    rejected: int = 0


@dataclass(frozen=True)
class SheetReport:
    """What became of a sheet, or of a file that could not be read at all.

    Attributes
    ----------
    file, sheet
        Where.
    state
        ``imported``; ``unchanged`` (loaded before in the same way); ``waiting`` for answers; ``hidden`` in
        its workbook and not asked for; ``failed``.
    digest, source_id
        Key of the content, and of the content read in this way; None if the file could not be read.
    recognition
        What it was taken for, with the questions still open.
    rows, accepted, rejected
        Lines read; lines that went in; lines of which something was rejected.
    remarked
        Of those that went in, the lines kept without a link.
    problem
        Why it failed.
    """

    file: str
    sheet: str | None
    state: State
    digest: str | None = None
    source_id: str | None = None
    recognition: Recognition | None = None
    rows: int = 0
    accepted: int = 0
    rejected: int = 0
    remarked: int = 0
    problem: Problem | None = None

    @property
    def place(self) -> str:
        """How to name it to its owner."""
        return self.file if self.sheet is None else f"{self.file} › {self.sheet}"

    @property
    def questions(self) -> tuple[Question, ...]:
        """What has to be answered before it can be imported."""
        return self.recognition.questions if self.recognition and self.state == "waiting" else ()


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Attributes
    ----------
    version
        The version it published, or None: nothing changed, or it was only a rehearsal.
    sheets
        One report per sheet, in the order given.
    tables
        What became of the rows of each table.
    rejected
        One row per sheet, table and rule, most frequent first: ``file``, ``sheet``, ``source_id``, ``table``,
        ``rule``, ``column``, ``message`` and ``values`` (what is wrong, as `data.acceptance.sentences` says
        it), ``n`` (lines), ``line`` and ``value`` of the first, and ``kept``: whether the rows went in all
        the same, without a link.
    restarted
        Whether nothing of the version before was carried over, because another release wrote it or its file
        is damaged.
    """

    version: Version | None
    sheets: tuple[SheetReport, ...]
    tables: tuple[Count, ...]
    rejected: pl.DataFrame
    restarted: bool = False

    @property
    def complete(self) -> bool:
        """Whether every sheet went in with every row whole, and nothing was lost."""
        settled = all(sheet.state in ("imported", "unchanged") for sheet in self.sheets)
        return settled and not self.rejected.height and self.warning is None

    @property
    def warning(self) -> Problem | None:
        """What is to be said before all else: tables that hold fewer rows than before."""
        lost = [f"{count.table} {count.lost:,}" for count in self.tables if count.lost]
        if not lost:
            return None
        return Problem(
            "Fewer rows than before: {tables}. A file was read in another way than the last time and brings "
            "less. If that was not meant, go back to the version before.",
            tables=", ".join(lost),
        )


@dataclass(frozen=True)
class Unread:
    """A file that could not be read, and why."""

    file: str
    problem: Problem


@dataclass(frozen=True)
class Inspection:
    """What some files are taken for.

    Attributes
    ----------
    sheets
        Each sheet with its recognition, questions included.
    unread
        Files that could not be read.
    known
        What was known beside them, to settle a mapping with.
    """

    sheets: tuple[tuple[Sheet, Recognition], ...]
    unread: tuple[Unread, ...]
    known: Known


def inspect(
    paths: Iterable[Path],
    *,
    home: Path,
    answers: Mapping[str, Answer] | None = None,
    as_of: date | None = None,
) -> Inspection:
    """What each sheet of some files is taken for, with what is still open. Changes nothing.

    Parameters
    ----------
    paths
        Files, and folders of files.
    home
        Where the warehouse and saved mappings are.
    answers
        Answers to questions: by key, or by ``file/key`` for the sheets of one file only.
    as_of
        The day undated rosters speak about; None leaves it a question.

    Raises
    ------
    Problem
        If none of the files can be read; of the first.
    """
    taken, unread, known = _recognise(paths, home=home, answers=answers or {}, as_of=as_of, settled={})
    if unread and not taken:
        raise unread[0].problem
    return Inspection(tuple(taken), tuple(unread), known)


def run_import(
    paths: Iterable[Path],
    *,
    home: Path,
    as_of: date | None = None,
    now: datetime,
    answers: Mapping[str, Answer] | None = None,
    recognitions: Mapping[str, Recognition] | None = None,
    progress: Callable[[Progress], None] | None = None,
    all_or_nothing: bool = False,
    rehearse: bool = False,
) -> ImportReport:
    """Import files and put the version they make in force.

    Parameters
    ----------
    paths
        Files, and folders of files. Of two rows about the same thing, that of the later file holds.
    home
        Where the warehouse, the kept originals and saved mappings are.
    as_of
        The day undated rosters speak about; None leaves the question to whoever exported them.
    now
        Aware time at which the import runs.
    answers
        Answers to questions: by key, or by ``file/key`` for the sheets of one file only.
    recognitions
        What a person settled for a sheet, by its digest; overrides what is recognised. A hidden sheet is
        read only if it is named here, or the answer to ``hidden`` is ``yes``.
    progress
        Called as the import goes on.
    all_or_nothing
        Publish only if every sheet goes in with every row.
    rehearse
        Do everything but publish.

    Raises
    ------
    Problem
        If there is nothing to import, another import is running, or the disk is full or refuses.
    """
    if now.tzinfo is None:
        raise ValueError("now must be aware of its time zone")
    warehouse = Warehouse(home)
    try:
        with warehouse.importing():
            draft = warehouse.draft()
            try:
                loading = _Loading(draft, warehouse=warehouse, tell=progress or (lambda _: None))
                with loading.assembly:
                    taken, unread, known = _recognise(
                        paths, home=home, answers=answers or {}, as_of=as_of, settled=recognitions or {}
                    )
                    loading.read(taken, known, asked_for=frozenset(recognitions or {}))
                    report = loading.settle(unread)
                    publish = not rehearse and loading.changed and (report.complete or not all_or_nothing)
                    if publish:
                        version_id = new_version_id(now)
                        loading.write(home=home, as_of=as_of, now=now, version_id=version_id)
                if publish:
                    rows = {count.table: count.rows for count in report.tables}
                    file = loading.assembly.file
                    version = warehouse.publish(file, version_id=version_id, created_at=now, rows=rows)
                    report = replace(report, version=version)
                return report
            finally:
                shutil.rmtree(draft, ignore_errors=True)
    except (OSError, duckdb.Error) as error:
        log.error("the import broke off", exc_info=error)
        raise Problem(
            "The import broke off ({reason}); the last good version is in force, as before. "
            "Check the free disk space and the permissions of {folder}, then import again.",
            reason=getattr(error, "strerror", None) or type(error).__name__,
            folder=home,
        ) from error


def rejected_as_csv(viewer: Viewer, warehouse: Warehouse, source_id: str) -> bytes:
    """The rejected rows of a source as a CSV file that can be mended and loaded again.

    Who may not read everything that stood in the source gets a list instead of the rows: line, table, rule,
    column and reason without any value, to find them where they came from.

    Original headers, then the columns `MENDABLE`. Loaded again, a row takes the place of the line it stands
    for: that line is rejected no more, whatever becomes of the row now.
    UTF-8 with a byte order mark; cells a spreadsheet would run as formulas are escaped by an apostrophe,
    which is taken off again on loading.

    Raises
    ------
    Problem
        If the current version knows no such source.
    """
    engine = warehouse.open()
    if not queries.reads_source(viewer, engine, source_id=source_id):
        return _rejected_list(queries.rejected(viewer, engine), source_id)
    found = engine.query(lambda tables: tables("_sources").filter(nw.col("source_id") == source_id))
    headers = found["headers"].item(0).to_list()
    rows = (
        engine.query(lambda tables: tables("_rejected").filter(nw.col("source_id") == source_id))
        .sort("line", "table", "rule")
        .pipe(lambda found: found.with_columns(sentences(found).alias("message")))
        .group_by("line", maintain_order=True)
        .agg(
            pl.col("row").drop_nulls().first(),
            pl.col("rule").unique(maintain_order=True),
            pl.col("message").unique(maintain_order=True),
        )
    )
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow([escaped(header) for header in [*headers, *MENDABLE]])
    for line, row, rules, messages in rows.iter_rows():
        cells = json.loads(row) if row else {}
        values = [cells.get(header) or "" for header in headers]
        notes = [source_id, line, "; ".join(rules), " ".join(messages)]
        writer.writerow([escaped(str(value)) for value in [*values, *notes]])
    return written.getvalue().encode("utf-8-sig")


def _rejected_list(rejected: pl.DataFrame, source_id: str) -> bytes:
    """Where rejected rows stand and what they break."""
    rows = rejected.filter(pl.col("source_id") == source_id)
    listed = rows.with_columns(sentences(rows).alias("reason")).select(LISTED)
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(LISTED)
    for row in listed.iter_rows():
        writer.writerow(["" if cell is None else escaped(str(cell)) for cell in row])
    return written.getvalue().encode("utf-8-sig")


def escaped(cell: str) -> str:
    """A cell as text to every spreadsheet: an apostrophe before what would run as a formula."""
    return f"'{cell}" if FORMULA.match(cell) else cell


def files_in(paths: Iterable[Path]) -> list[Path]:
    """The files named, and those in the folders named, by name.

    Raises
    ------
    Problem
        If a path does not exist, or there is no file at all.
    """
    files: list[Path] = []
    named = list(paths)
    for path in named:
        if path.is_dir():
            inside = [file for file in sorted(path.rglob("*")) if file.is_file()]
            # Hidden files and the lock files of open workbooks are nobody's exports.
            files += [
                f for f in inside if not any(p.startswith((".", "~$")) for p in f.relative_to(path).parts)
            ]
        elif path.exists():
            files.append(path)
        else:
            raise Problem("There is no file or folder {path}. Check the name.", path=path)
    if not files:
        raise Problem(
            "There is nothing to import in {paths}. Name the files you exported, or the folder they are in.",
            paths=", ".join(map(str, named)) or "an empty list",
        )
    return list(dict.fromkeys(files))


def _recognise(
    paths: Iterable[Path],
    *,
    home: Path,
    answers: Mapping[str, Answer],
    as_of: date | None,
    settled: Mapping[str, Recognition],
) -> tuple[list[tuple[_Original, Recognition]], list[Unread], Known]:
    """Every sheet with what it is taken for, the files that could not be read, and what is known."""
    sheets: list[_Original] = []
    unread: list[Unread] = []
    for path in _in_order(files_in(paths), home):
        try:
            sheets += [_as_it_was(_Original.of(sheet, path)) for sheet in reading.read_sheets(path)]
        except (Exception, pl.exceptions.PanicException) as error:
            unread.append(Unread(path.name, _as_problem(error, path.name)))
    profiles = sources.load_profiles(home / "profiles")
    earlier = _earlier_mappings(home)
    known = _known_before(home, sheets)
    lost = _answers_of_another_release(home)

    def taken_for(sheet: _Original, known: Known) -> Recognition:
        if sheet.digest in settled:
            return settled[sheet.digest]
        mended = None if sheet.mends is None else earlier.get(sheet.mends) or earlier.get(sheet.headers)
        recognition = mended or sources.recognise(sheet, known, profiles)
        given = {
            question.key: answer
            for question in recognition.questions
            for answer in [
                _answer_to(question, sheet, answers, as_of) or lost.get(sheet.digest, {}).get(question.key)
            ]
            if answer is not None
        }
        return sources.with_answers(recognition, given) if given else recognition

    taken: list[tuple[_Original, Recognition]] = []
    for sheet in sheets:
        try:
            taken.append((sheet, taken_for(sheet, known)))
        except (Exception, pl.exceptions.PanicException) as error:
            unread.append(Unread(sheet.place, _as_problem(error, sheet.place)))
    bringing = [
        (s, r) for s, r in taken if not r.questions and {m.table for m in r.matches} & {*SCALE_TABLES}
    ]
    if bringing and any(recognition.questions for _, recognition in taken):
        known = _known_with(known, bringing)
        taken = [(s, taken_for(s, known) if r.questions else r) for s, r in taken]
    elif bringing:
        known = _known_with(known, bringing)
    return taken, unread, known


def _in_order(files: Sequence[Path], home: Path) -> list[Path]:
    """Files as named; kept originals in the order they came in, so that the later one holds again."""
    kept = (home / "exports").resolve()
    return sorted(files, key=lambda file: file.stat().st_mtime_ns if kept in file.resolve().parents else 0)


def _answers_of_another_release(home: Path) -> dict[str, Mapping[str, Answer]]:
    """By digest, what was answered for sheets of a version this release cannot read otherwise."""
    current = Warehouse(home).current()
    if current is None or current.contracts == contracts_version():
        return {}
    try:
        with duckdb.connect(str(current.path), read_only=True, config=dict(LOCKED_DOWN)) as connection:
            rows = connection.execute("SELECT digest, mapping FROM _sources ORDER BY imported_at").fetchall()
            return {digest: _mapping_from(mapping).answers for digest, mapping in rows if mapping}
    except (duckdb.Error, ValueError, KeyError):
        log.warning("the answers given to %s cannot be read", current.path)
        return {}


def _answer_to(
    question: Question, sheet: Sheet, answers: Mapping[str, Answer], as_of: date | None
) -> Answer | None:
    for key in (f"{sheet.place}/{question.key}", f"{sheet.file}/{question.key}", question.key):
        if key in answers:
            return answers[key]
    return as_of.isoformat() if question.key == "as_of" and as_of is not None else None


def _known_before(home: Path, sheets: Sequence[Sheet]) -> Known:
    """What earlier versions and dictionaries beside the sheets say."""
    try:
        engine = Warehouse(home).open()
        ranges, scales, cycles = (_whole(engine, table) for table in SCALE_TABLES)
        own = _own(engine, {sheet.digest for sheet in sheets})
    except Problem:
        ranges, scales, cycles = (TABLES[name].create_empty() for name in SCALE_TABLES)
        own = {}
    dictionaries = sources.dictionaries(sheets)
    return Known(scales=scales, cycles=cycles, dictionaries=dictionaries, ranges=ranges, own=own)


def _own(engine: DuckDBEngine, digests: Set[str]) -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """For each digest the cycles and scales that sheet brought and nothing of another sheet stands on."""

    def column(table: str, *names: str) -> list[tuple[str, ...]]:
        return engine.query(lambda tables: tables(table).select(*names).unique()).drop_nulls().rows()

    brought: dict[str, set[str]] = {}
    for digest, source_id in column("_sources", "digest", "source_id"):
        if digest in digests:
            brought.setdefault(digest, set()).add(source_id)
    cycles = column("review_cycles", "cycle_id", "scale_id", SOURCE_ID)
    scales = column("rating_scales", "scale_id", SOURCE_ID)
    brought = {
        digest: ids
        for digest, ids in brought.items()
        if not ids.isdisjoint(row[-1] for row in (*cycles, *scales))
    }
    if not brought:
        return {}
    users = [user for table, name in pointing_at("review_cycles") for user in column(table, name, SOURCE_ID)]
    own = {}
    for digest, ids in brought.items():
        needed = {cycle for cycle, by in users if by not in ids}
        gone = {cycle for cycle, _, by in cycles if by in ids} - needed
        scales_needed = {scale for cycle, scale, _ in cycles if cycle not in gone}
        own[digest] = (
            frozenset(gone),
            frozenset({scale for scale, by in scales if by in ids} - scales_needed),
        )
    return own


def _whole(engine: DuckDBEngine, table: str) -> pl.DataFrame:
    return engine.query(lambda tables: tables(table).select(*TABLES[table].column_names()))


def _known_with(known: Known, bringing: Sequence[tuple[Sheet, Recognition]]) -> Known:
    """What is known, and the scales and cycles some sheets bring."""
    ranges = [] if known.ranges is None else [known.ranges]
    found = dict(zip(SCALE_TABLES, (ranges, [known.scales], [known.cycles]), strict=True))
    for sheet, recognition in bringing:
        for batch in sheet.batches():
            frames = sources.source(recognition.source).translate(batch, recognition, known)
            for table, kept in found.items():
                if table in frames:
                    fits = accept(table, frames[table]).accepted
                    kept.append(fits.select(TABLES[table].column_names()))
    ranges_, scales, cycles = (
        pl.concat([TABLES[table].create_empty(), *kept]).unique(
            TABLES[table].primary_key(), keep="last", maintain_order=True
        )
        for table, kept in found.items()
    )
    # What another sheet declares now is known whoever brought it before.
    declared = {key for kept in found.values() for frame in kept[1:] for key in frame.to_series()}
    own = {digest: (names - declared, ids - declared) for digest, (names, ids) in known.own.items()}
    return replace(known, ranges=ranges_, scales=scales, cycles=cycles, own=own)


def _as_problem(error: BaseException, place: str) -> Problem:
    if isinstance(error, Problem):
        return error
    log.warning("reading %s failed: %s", place, type(error).__name__, exc_info=error)
    return Problem(
        "{place} cannot be read ({kind}). Open it in a spreadsheet, save it as CSV (UTF-8) and try again.",
        place=place,
        kind=type(error).__name__,
    )


@dataclass(frozen=True)
class _Original(Sheet):
    """A sheet that knows the file it is read from, so that the original can be kept.

    Attributes
    ----------
    path
        The file.
    mends
        The source it brings rejected rows of, sent back; None if it is no such file.
    mending
        Which lines its lines stand for, in batches shaped as `MENDED`.
    """

    path: Path = Path()
    mends: str | None = None
    mending: Callable[[], Iterator[pl.DataFrame]] = lambda: iter(())

    @staticmethod
    def of(sheet: Sheet, path: Path) -> _Original:
        fields = {name: getattr(sheet, name) for name in Sheet.__dataclass_fields__}
        return _Original(**fields, path=path)


# Files of rejected rows that were mended


def _is_mended(sheet: Sheet) -> bool:
    """Whether the last three headers are those of `MENDABLE`, as reading makes them plain and unique."""
    last = [header.split(" (")[0].lstrip("_") for header in sheet.headers[-len(MENDABLE) :]]
    return len(sheet.headers) > len(MENDABLE) and last == [name.lstrip("_") for name in MENDABLE]


def _as_it_was(sheet: _Original) -> _Original:
    """A file of rejected rows as its original was; any other sheet as it is."""
    if not _is_mended(sheet):
        return sheet
    headers = sheet.headers[: -len(MENDABLE)]
    source, line, *_ = sheet.headers[-len(MENDABLE) :]

    def plain(frame: pl.DataFrame) -> pl.DataFrame:
        kept = [LINE, *([EXTRA] if EXTRA in frame.columns else [])]
        return frame.select(*kept, pl.col(*headers).str.replace(ESCAPED, "${1}"))

    def batches() -> Iterator[pl.DataFrame]:
        return map(plain, sheet.batches())

    def mending() -> Iterator[pl.DataFrame]:
        for batch in sheet.batches():
            yield batch.select(
                pl.col(source).str.strip_chars().alias("source_id"),
                pl.col(line).cast(pl.Float64, strict=False).cast(pl.Int64, strict=False).alias("line"),
            )

    mends = sheet.sample[source].str.strip_chars().drop_nulls().first()
    return replace(
        sheet,
        headers=headers,
        sample=plain(sheet.sample),
        batches=batches,
        mends=str(mends or ""),
        mending=mending,
    )


def _earlier_mappings(home: Path) -> dict[str | tuple[str, ...], Recognition]:
    """How each source was read before, and sheets with the same headers."""
    try:
        engine = Warehouse(home).open()
    except Problem:
        return {}
    rows = engine.query(
        lambda tables: tables("_sources").select("source_id", "headers", "mapping", "imported_at")
    ).sort("imported_at", "source_id")
    return {
        key: _mapping_from(mapping)
        for source_id, headers, mapping, _ in rows.iter_rows()
        for key in (source_id, tuple(headers))
        if mapping
    }


def _mapping(recognition: Recognition) -> str:
    """How a sheet was read, as text: equal if and only if it was read alike."""
    return json.dumps(
        {
            "source": recognition.source,
            "matches": sorted([m.header, m.table, m.column] for m in recognition.matches),
            "answers": dict(recognition.answers),
        },
        sort_keys=True,
        ensure_ascii=False,
    )


def _mapping_from(text: str) -> Recognition:
    said = json.loads(text)
    return Recognition(
        source=said["source"],
        confidence=1.0,
        matches=tuple(Match(header, table, column, 1.0) for header, table, column in said["matches"]),
        answers={k: tuple(v) if isinstance(v, list) else v for k, v in said["answers"].items()},
    )


class _Loading:
    """One import under way: the assembly, and the books about it."""

    def __init__(self, draft: Path, *, warehouse: Warehouse, tell: Callable[[Progress], None]) -> None:
        previous = warehouse.current()
        self._restarted = previous is not None and not warehouse.opens(previous)
        if self._restarted:
            previous = None
        self.assembly = Assembly(draft, previous=None if previous is None else previous.path)
        self._tell = tell
        self._sheets: list[SheetReport] = []
        self._read: dict[str, tuple[_Original, Recognition]] = {}
        self._rejected: list[pl.DataFrame] = []
        self._originals: list[pl.DataFrame] = []
        self._books = self.assembly.book("_sources")
        self.changed = False

    def read(
        self, taken: Sequence[tuple[_Original, Recognition]], known: Known, *, asked_for: frozenset[str]
    ) -> None:
        """Stage the sheets that can be read."""
        earlier = {row["source_id"]: row for row in self._books.iter_rows(named=True)}
        remarked = self.assembly.remarked()
        for sheet, recognition in taken:
            mapping = _mapping(recognition)
            source_id = hashlib.sha256(f"{sheet.digest}\n{mapping}".encode()).hexdigest()[:16]
            report = SheetReport(
                sheet.file, sheet.sheet, "imported", sheet.digest, source_id, recognition=recognition
            )
            loaded = earlier.get(source_id)
            wanted = sheet.digest in asked_for or recognition.answers.get("hidden") == "yes"
            if sheet.hidden and not wanted:
                self._sheets.append(replace(report, state="hidden"))
            elif recognition.questions:
                self._sheets.append(replace(report, state="waiting"))
            elif source_id in self._read or (loaded is not None and source_id not in remarked):
                self._sheets.append(replace(report, state="unchanged", rows=loaded["rows"] if loaded else 0))
            else:
                self._sheets.append(self._stage(sheet, recognition, known, report))

    def _stage(
        self, sheet: _Original, recognition: Recognition, known: Known, report: SheetReport
    ) -> SheetReport:
        assert report.source_id is not None
        rows, bad_lines = 0, 0
        rejected: list[pl.DataFrame] = []
        originals: list[pl.DataFrame] = []
        source_id = report.source_id
        try:
            source = sources.source(recognition.source)
            known = known.beside(sheet.digest)

            def judged(batch: pl.DataFrame) -> _Judged:
                return _judge(source, batch, recognition, known, source_id=source_id)

            for part in _ahead(judged, sheet.batches()):
                for table, accepted, carried in part.accepted:
                    self.assembly.stage(table, accepted, source_id=source_id, carried=carried)
                rows += part.rows
                if part.rejected.height:
                    rejected.append(part.rejected)
                    bad_lines += part.originals.height
                    originals.append(part.originals)
                self._tell(Progress("reading", sheet.place, rows, rows - bad_lines, bad_lines))
        except (Exception, pl.exceptions.PanicException) as error:
            self.assembly.unstage(source_id)
            return replace(report, state="failed", problem=_as_problem(error, sheet.place))
        self._read[source_id] = (sheet, recognition)
        self._rejected += [
            bad.rename({LINE: "line"}).select(
                pl.lit(source_id).alias("source_id"), *(c for c in REFUSED if c != "source_id")
            )
            for bad in rejected
        ]
        self._originals += originals
        for before, digest in self._books.select("source_id", "digest").iter_rows():
            if digest == sheet.digest and before != source_id:
                self.assembly.replace_source(before)
        return replace(report, rows=rows)

    def settle(self, unread: Sequence[Unread]) -> ImportReport:
        """Settle all tables and say what became of everything."""
        counts = []
        for table in TABLES:
            count = self.assembly.settle(table)
            counts.append(count)
            self._tell(Progress("settling", table, count.rows + count.refused, count.rows, count.refused))
        refused = self.assembly.refused()
        self._rejected.append(refused)
        every = pl.concat([pl.DataFrame(schema=REFUSED), *self._rejected])
        told = _with_kept(every).group_by("source_id", "line").agg(pl.col("kept").all())
        out, links = (
            dict(lines.group_by("source_id").len().iter_rows())
            for lines in (told.filter(~pl.col("kept")), told.filter("kept"))
        )
        sheets = tuple(
            replace(
                sheet,
                rejected=out.get(sheet.source_id, 0),
                remarked=links.get(sheet.source_id, 0),
                accepted=sheet.rows - out.get(sheet.source_id, 0),
            )
            if sheet.state in ("imported", "unchanged")
            else sheet
            for sheet in self._sheets
        )
        self.changed = self._differs()
        if not self.changed:
            known = set(self._books["digest"])
            sheets = tuple(
                replace(sheet, state="unchanged")
                if sheet.state == "imported" and sheet.digest in known and not sheet.rejected + sheet.remarked
                else sheet
                for sheet in sheets
            )
        failed = tuple(SheetReport(one.file, None, "failed", problem=one.problem) for one in unread)
        return ImportReport(
            None, (*sheets, *failed), tuple(counts), self._summary(every), restarted=self._restarted
        )

    def _differs(self) -> bool:
        """Whether anything is other than in the previous version, reasons of rejections included."""
        if not self._read:
            return False
        if self.assembly.differs():
            return True
        if not self._books.height:
            return True
        # A sheet may be read in another way to the same effect: what counts is its content.
        digest_of = {source_id: sheet.digest for source_id, (sheet, _) in self._read.items()}
        known_as = dict(self._books.select("source_id", "digest").iter_rows())
        if not set(digest_of.values()) <= set(known_as.values()):
            return True
        names = ["digest", "line", "table", "rule", "column", "value"]

        def rejected(rows: pl.DataFrame, digests: Mapping[str, str]) -> pl.DataFrame:
            digest = pl.col("source_id").replace_strict(digests, default=None, return_dtype=pl.String)
            found = rows.with_columns(digest.alias("digest"))
            return found.filter(pl.col("digest").is_in(list(digest_of.values()))).select(names).sort(names)

        before = rejected(self.assembly.book("_rejected"), known_as)
        every = pl.concat([pl.DataFrame(schema=REFUSED), *self._rejected])
        return not before.equals(rejected(every, digest_of))

    def write(self, *, home: Path, as_of: date | None, now: datetime, version_id: str) -> None:
        """Write the new file: tables and books."""
        for table in TABLES:
            self.assembly.write(table)
            self._tell(Progress("writing", table))
        moment = now.astimezone(UTC).replace(tzinfo=None)
        mending = [batch for sheet, _ in self._read.values() for batch in sheet.mending()]
        mended = pl.concat([pl.DataFrame(schema=MENDED), *mending])
        self.assembly.keep_books(again=self._read, mended=mended.drop_nulls())
        kept = {
            source_id: (sheet, recognition, _keep_original(sheet, home))
            for source_id, (sheet, recognition) in self._read.items()
        }
        rows = {sheet.source_id: sheet.rows for sheet in self._sheets}
        if kept:
            self.assembly.note(
                "_sources",
                pl.DataFrame(
                    [
                        {
                            "source_id": source_id,
                            "file": sheet.file,
                            "sheet": sheet.sheet,
                            "digest": sheet.digest,
                            "source": recognition.source,
                            "profile": recognition.answers.get("profile"),
                            "mapping": _mapping(recognition),
                            "headers": list(sheet.headers),
                            "kept": place,
                            "rows": rows[source_id],
                            "accepted": 0,
                            "rejected": 0,
                            "imported_at": moment,
                        }
                        for source_id, (sheet, recognition, place) in kept.items()
                    ],
                    schema_overrides={
                        "sheet": pl.String,
                        "profile": pl.String,
                        "kept": pl.String,
                        "headers": pl.List(pl.String),
                    },
                ),
            )
        every = pl.concat([pl.DataFrame(schema=REFUSED), *self._rejected])
        if every.height:
            rows_as_they_stood = self._originals_of(every, home=home)
            self.assembly.note(
                "_rejected", every.join(rows_as_they_stood, on=["source_id", "line"], how="left")
            )
        self.assembly.balance_books()
        self.assembly.note(
            "_meta",
            pl.DataFrame(
                {
                    "version_id": [version_id],
                    "created_at": [moment],
                    "contracts": [contracts_version()],
                    "as_of": [as_of],
                    "rules": [json.dumps({table: rules_of(table) for table in TABLES})],
                },
                schema_overrides={"as_of": pl.Date},
            ),
        )
        self.assembly.finish()

    def _originals_of(self, every: pl.DataFrame, *, home: Path) -> pl.DataFrame:
        """Rows as they stood in their files: ``source_id``, ``line``, ``row`` as JSON."""
        schema = {"source_id": pl.String, "line": pl.Int64, "row": pl.String}
        found = pl.concat([pl.DataFrame(schema=schema), *self._originals])
        missing = every.select("source_id", "line").unique().join(found, on=["source_id", "line"], how="anti")
        more = []
        for (source_id,), wanted in missing.group_by("source_id"):
            sheet = self._sheet_of(str(source_id), home=home)
            if sheet is not None:
                lines = wanted["line"]
                more += [_as_json(batch, lines, str(source_id)) for batch in sheet.batches()]
        return pl.concat([found, *more]).unique(["source_id", "line"], keep="first", maintain_order=True)

    def _sheet_of(self, source_id: str, *, home: Path) -> Sheet | None:
        """The sheet of this import, or of an earlier one as it was kept."""
        if source_id in self._read:
            return self._read[source_id][0]
        book = self._books.filter(pl.col("source_id") == source_id)
        if not book.height or book["kept"].item(0) is None:
            return None
        path = home / "exports" / book["kept"].item(0)
        try:
            for sheet in reading.read_sheets(path, name=book["file"].item(0)):
                if sheet.digest == book["digest"].item(0):
                    return _as_it_was(_Original.of(sheet, path))
        except (Problem, OSError):
            log.warning("the original %s is gone; its rejected rows are listed without their values", path)
        return None

    def _summary(self, every: pl.DataFrame) -> pl.DataFrame:
        places = pl.DataFrame(
            [(sheet.source_id, sheet.file, sheet.sheet) for sheet in self._sheets]
            + list(self._books.select("source_id", "file", "sheet").iter_rows()),
            schema={"source_id": pl.String, "file": pl.String, "sheet": pl.String},
            orient="row",
        ).unique("source_id", keep="first")
        return (
            _with_kept(every)
            .sort("line")
            .group_by("source_id", "table", "rule", "column", "message", "values", "kept")
            .agg(
                pl.col("line").n_unique().cast(pl.Int64).alias("n"),
                pl.col("line").first(),
                pl.col("value").first(),
            )
            .join(places, on="source_id", how="left")
            .select(
                *("file", "sheet", "source_id", "table", "rule", "column", "message", "values"),
                *("n", "line", "value", "kept"),
            )
            .sort(
                *("n", "file", "sheet", "table", "rule", "column", "message", "values"),
                descending=[True] + [False] * 7,
            )
        )


def _with_kept(rejected: pl.DataFrame) -> pl.DataFrame:
    """Reasons, and in ``kept`` whether the row went in all the same."""
    reasons = rejected.select("table", "rule", "column").unique()
    kept = pl.Series("kept", [is_kept(*reason_) for reason_ in reasons.iter_rows()], dtype=pl.Boolean)
    return rejected.join(reasons.with_columns(kept), on=["table", "rule", "column"], maintain_order="left")


@dataclass(frozen=True)
class _Judged:
    """A batch, parted: accepted rows by table with the columns the file has, and the rejected."""

    rows: int
    accepted: tuple[tuple[str, pl.DataFrame, list[str]], ...]
    rejected: pl.DataFrame
    originals: pl.DataFrame


def _judge(
    source: Source, batch: pl.DataFrame, recognition: Recognition, known: Known, *, source_id: str
) -> _Judged:
    wrong = [pl.DataFrame(schema=REJECTED)]
    whole = batch
    if EXTRA in batch.columns:
        wrong.append(_slipped(batch.filter(pl.col(EXTRA).is_not_null())))
        whole = batch.filter(pl.col(EXTRA).is_null()).drop(EXTRA)
    accepted = []
    for table, frame in source.translate(whole, recognition, known).items():
        verdict = accept(table, frame)
        accepted.append((table, verdict.accepted, [name for name in frame.columns if name != LINE]))
        wrong.append(verdict.rejected)
        if table == "ratings":
            wrong[-1] = _off_scale(verdict.rejected, frame, recognition, known)
    rejected = pl.concat(wrong)
    originals = _as_json(batch, rejected[LINE].unique(), source_id)
    return _Judged(batch.height, tuple(accepted), rejected, originals)


def _off_scale(
    rejected: pl.DataFrame, ratings: pl.DataFrame, recognition: Recognition, known: Known
) -> pl.DataFrame:
    """Rejected ratings, those that are no level of their cycle's scale told which levels there are."""
    bad = pl.col("rule") == "score|readable"
    unread = rejected.filter(bad)
    if not unread.height or "cycle_id" not in ratings.columns:
        return rejected
    cycle = ratings.select(LINE, pl.col("cycle_id").str.strip_chars().alias("cycle")).unique(
        LINE, keep="first"
    )
    unread = unread.with_columns(pl.col("value").str.strip_suffix(OUTSIDE)).join(cycle, on=LINE, how="left")
    scales = scales_of(unread["cycle"], recognition.answers, known)
    told = []
    for name, value in unread.select("cycle", "value").unique().drop_nulls().iter_rows():
        scale = scales[name]
        if scale is None or covers(scale, [value]):
            continue
        problem = Problem(
            "The rating “{value}” is not on the scale of cycle {cycle} ({levels}). Correct the export, or "
            "load a scale that has it.",
            value=value,
            cycle=name,
            levels=", ".join(reversed(scale.codes)) or scale.written,
        )
        told.append(pl.select(pl.lit(name).alias("cycle"), pl.lit(value).alias("value"), *reason(problem)))
    if not told:
        return rejected
    named = pl.concat(told)
    off = unread.drop("message", "values").join(named, on=["cycle", "value"])
    off = off.with_columns(pl.lit(OFF_SCALE).alias("rule")).select(rejected.columns)
    rest = unread.join(named, on=["cycle", "value"], how="anti").select(rejected.columns)
    return pl.concat([rejected.filter(~bad), off, rest]).sort(LINE, "rule")


def _ahead(judged: Callable[[pl.DataFrame], _Judged], batches: Iterable[pl.DataFrame]) -> Iterator[_Judged]:
    """What becomes of each batch, in order, with the next ones under way meanwhile."""
    with ThreadPoolExecutor(2) as pool:
        under_way: deque[Future[_Judged]] = deque()
        for batch in batches:
            under_way.append(pool.submit(judged, batch))
            if len(under_way) > 2:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()


def _slipped(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(
        LINE,
        pl.lit("").alias("table"),
        pl.lit(SLIPPED).alias("rule"),
        pl.lit("").alias("column"),
        pl.col(EXTRA).str.slice(0, 200).alias("value"),
        *reason(
            Problem(
                "The row has more fields than the header, so its values may have slipped. "
                "A separator inside a value needs quotes around the value."
            )
        ),
    )


def _as_json(batch: pl.DataFrame, lines: pl.Series, source_id: str) -> pl.DataFrame:
    """Rows of a batch as they stood: ``source_id``, ``line``, ``row``."""
    headers = [name for name in batch.columns if name not in (LINE, EXTRA)]
    return batch.filter(pl.col(LINE).is_in(lines.implode())).select(
        pl.lit(source_id).alias("source_id"),
        pl.col(LINE).cast(pl.Int64).alias("line"),
        pl.struct(headers).struct.json_encode().alias("row"),
    )


def _keep_original(sheet: _Original, home: Path) -> str:
    """Keep the file a sheet was read from; where, below ``exports``."""
    place = Path(sheet.digest) / sheet.path.name
    target = home / "exports" / place
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".{target.name}.part")
        shutil.copyfile(sheet.path, fresh)
        fresh.replace(target)
    return place.as_posix()
