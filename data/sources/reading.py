"""What tables does a file hold, as text?

Reads    one file: delimited text, XLSX, JSON, JSON lines, Parquet, Oracle pipe files; told apart by
         content, never by extension.
Returns  its sheets, each with headers, a sample, and batches that stream from the start.

Everything stays text: ``00012`` is not 12, and what a value means is decided by the contract. Whatever is
wrong with a file is a `Problem` that says where and what to do.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import itertools
import json
import re
import shutil
import subprocess
import sys
import tempfile
import weakref
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from data.problems import Problem
from data.sources import confined, headings
from data.sources.headings import Heading
from data.sources.model import EXTRA, LINE, Sheet

BATCH: Final = 200_000
"""Rows a batch holds at most."""
SAMPLE: Final = 1_000
"""Rows a sample holds at most."""
WIDEST: Final = confined.WIDEST
"""Columns above which a sheet is not a table any more."""
LONGEST_CELL: Final = 1_000_000
"""Bytes above which a cell is not a value any more; contracts allow 20,000 characters."""
LONGEST_QUOTED: Final = 50
"""Lines above which a quoted cell is no note any more but rows a missing quotation mark has swallowed."""
LARGEST_JSON: Final = 256 * 1024**2
"""Bytes of a JSON document that is read whole; JSON lines stream and have no limit."""
LARGEST_UNPACKED: Final = 2 * 1024**3
"""Bytes a workbook may hold once unpacked."""
MOST_PACKED: Final = 120
"""How many times smaller than its content a workbook above `SMALL_WORKBOOK` may be; sheets reach 30."""
SMALL_WORKBOOK: Final = 64 * 1024**2
"""Unpacked bytes below which the ratio does not matter."""
PATIENCE: Final = 240
"""Seconds of waiting after which the confined reader is stopped."""

_CHUNK: Final = 1 << 23
_HEAD: Final = 1 << 20
_SEPARATORS: Final = ("\t", ";", "|", ",")

Rows = Sequence[Sequence[str | None]]


def read_sheets(path: Path, *, name: str | None = None) -> list[Sheet]:
    """Read the tables of a file.

    Parameters
    ----------
    path
        The file.
    name
        What its owner calls it, if not by the name under `path`.

    Returns
    -------
    list of Sheet
        In the order of the file; sheets without any cell are left out.

    Raises
    ------
    Problem
        If the file cannot be read, holds no table, or breaks a limit.
    """
    file = name or path.name
    try:
        return _sheets(path, file)
    except Problem:
        raise
    except (MemoryError, RecursionError):
        raise Problem(
            "{file}: is nested or filled beyond what can be read. Export it again, in parts.", file=file
        ) from None
    except OSError as error:
        raise Problem(
            "{file}: cannot be opened ({reason}). Check that it exists and may be read.",
            file=file,
            reason=error.strerror or "unknown",
        ) from None
    except (
        pl.exceptions.PolarsError,
        pl.exceptions.PanicException,
        ValueError,
        TypeError,
        LookupError,
    ) as error:
        raise _unreadable(file, error) from None


def _sheets(path: Path, file: str) -> list[Sheet]:
    if path.is_dir():
        raise Problem("{file}: is a folder, not a file. Choose the files inside it.", file=file)
    with path.open("rb") as stream:
        start = stream.read(8)
    if not start:
        raise Problem("{file}: is empty. Export it again.", file=file)
    for magic, advice in _OTHERS:
        if start.startswith(magic):
            raise Problem(advice, file=file)
    if start.startswith(b"PK"):
        return _workbook(path, file)
    if start.startswith(b"PAR1"):
        return _parquet(path, file)
    text = _as_utf8(path, file)
    with text.path.open("r", encoding="utf-8-sig", newline="") as opened:
        head = opened.read(_HEAD)
    if not head.strip():
        raise Problem("{file}: holds nothing but blanks. Export it again.", file=file)
    first = head.lstrip()
    if first.startswith(("{", "[")) and not re.match(r"\[[^\]\"{\[]{1,80}\]\s*[,;\t|]", first):
        return _json(text, file, first)
    if re.search(r"^METADATA\|", first[:20_000], re.MULTILINE):
        return _oracle(text, file)
    return [_delimited(text, file, head)]


_OTHERS: Final = (
    (
        b"\xd0\xcf\x11\xe0",
        "{file}: is an old or password-protected Excel file. Save it as .xlsx without a password.",
    ),
    (b"%PDF", "{file}: is a PDF. Export the table behind it as CSV or XLSX."),
    (b"\x1f\x8b", "{file}: is compressed (gzip). Unpack it first."),
    (b"Rar!", "{file}: is compressed (RAR). Unpack it first."),
    (b"7z\xbc\xaf", "{file}: is compressed (7z). Unpack it first."),
)


def _unreadable(file: str, error: BaseException) -> Problem:
    return Problem(
        (
            "{file}: cannot be read as a table ({kind}). Open it, check that it is whole, and export it "
            "again as CSV or XLSX."
        ),
        file=file,
        kind=type(error).__name__,
    )


# Text: one pass finds digest, encoding and whether quotes and lone carriage returns occur.


@dataclass(frozen=True)
class _Text:
    """A text file that is UTF-8 by now, and what one pass over it showed."""

    path: Path
    digest: str
    quoted: bool
    paired: bool
    """Whether quotation marks are even in number, so that none is certain to be missing."""
    keep: object
    """Holds the folder of a converted copy for as long as a sheet needs it."""


class _Folder:
    """A temporary folder that goes when nobody holds this any more."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="evenhand-"))
        self._gone = weakref.finalize(self, shutil.rmtree, str(self.path), ignore_errors=True)


def _as_utf8(path: Path, file: str) -> _Text:
    digest = hashlib.sha256()
    decoder = codecs.getincrementaldecoder("utf-8")()
    valid, quotes, nuls, feeds, returns, size = True, 0, 0, 0, 0, 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            quotes += chunk.count(b'"')
            nuls += chunk.count(b"\0")
            feeds += chunk.count(b"\n")
            returns += chunk.count(b"\r") if feeds == 0 else 0
            if valid and not (chunk.isascii() and not decoder.getstate()[0]):
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError:
                    valid = False
    valid = valid and not decoder.getstate()[0]
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    encoding = _encoding(head, valid=valid, nuls=nuls, size=size, file=file, path=path)
    if encoding == "utf-8" and not (returns and not feeds):
        if nuls:
            raise Problem(
                (
                    "{file}: is not a table: line {line} holds bytes that are not text. Export it again "
                    "as CSV or XLSX."
                ),
                file=file,
                line=_line_of(path, b"\0"),
            )
        return _Text(path, digest.hexdigest(), quotes > 0, quotes % 2 == 0, None)
    folder = _Folder()
    copy = folder.path / "text"
    _transcode(path, copy, encoding, file)
    # Bytes of other encodings do not count the quotation marks of the copy.
    return _Text(copy, digest.hexdigest(), quotes > 0, False, folder)


def _encoding(head: bytes, *, valid: bool, nuls: int, size: int, file: str, path: Path) -> str:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if nuls > size // 5:
        even, odd = head[0::2].count(0), head[1::2].count(0)
        if max(even, odd) > 5 * min(even, odd):
            return "utf-16-le" if odd > even else "utf-16-be"
        raise Problem(
            "{file}: is not a table: it holds bytes that are not text. Export it again as CSV or XLSX.",
            file=file,
        )
    if valid:
        return "utf-8"
    if nuls:
        raise Problem(
            (
                "{file}: is not a table: line {line} holds bytes that are not text. Export it again as "
                "CSV or XLSX."
            ),
            file=file,
            line=_line_of(path, b"\0"),
        )
    broken, offset = _first_broken(path)
    if _mostly_utf8(head):
        raise Problem(
            (
                "{file}, line {line}: byte {byte} does not belong to UTF-8 text. The file was damaged or "
                "cut; export it again."
            ),
            file=file,
            line=broken,
            byte=offset,
        )
    if not _plausible_gb18030(path):
        raise Problem(
            (
                "{file}, line {line}: byte {byte} is neither UTF-8 nor GB18030 text. Save the file as "
                "CSV UTF-8 and load it again."
            ),
            file=file,
            line=broken,
            byte=offset,
        )
    return "gb18030"


def _line_of(path: Path, what: bytes) -> int:
    line = 1
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            at = chunk.find(what)
            if at >= 0:
                return line + chunk.count(b"\n", 0, at)
            line += chunk.count(b"\n")
    return line


def _first_broken(path: Path) -> tuple[int, int]:
    """Line (from 1) and byte (from 0) at which a file stops being UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    line, done = 1, 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                at = max(error.start - pending, 0)
                return line + chunk.count(b"\n", 0, at), done + at
            line += chunk.count(b"\n")
            done += len(chunk)
    return line, done


def _mostly_utf8(head: bytes) -> bool:
    """Whether a text that is not UTF-8 throughout was meant to be."""
    decoded = head.decode("utf-8", errors="replace")
    wide = sum(1 for character in decoded if ord(character) > 0x7F)
    return decoded.count("�") * 2 < wide


def _plausible_gb18030(path: Path) -> bool:
    """Whether the bytes are GB18030 and read like Chinese rather than like Western accents taken for it.

    GB18030 decodes nearly anything. Real Chinese text has pairs whose second byte is high as well;
    Western text has single high bytes followed by ASCII letters.
    """
    decoder = codecs.getincrementaldecoder("gb18030")()
    high = low = 0
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                decoder.decode(chunk)
                if high + low < 10_000:
                    for pair in re.findall(rb"[\x81-\xfe][\x00-\xff]", chunk[:_HEAD]):
                        if pair[1] >= 0xA1:
                            high += 1
                        else:
                            low += 1
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return high >= 2 * low


def _transcode(source: Path, target: Path, encoding: str, file: str) -> None:
    line = 1
    try:
        with (
            source.open("r", encoding=encoding, newline=None) as read,
            target.open("w", encoding="utf-8", newline="") as write,
        ):
            while part := read.read(_CHUNK):
                if "\0" in part:
                    raise Problem(
                        (
                            "{file}: is not a table: line {line} holds bytes that are not text. Export "
                            "it again as CSV or XLSX."
                        ),
                        file=file,
                        line=line,
                    )
                write.write(part.removeprefix("\ufeff"))
                line += part.count("\n")
    except UnicodeError:
        raise Problem(
            (
                "{file}: about line {line}, the text stops being {encoding}. The file was damaged or "
                "cut; export it again."
            ),
            file=file,
            line=line,
            encoding=encoding.upper(),
        ) from None


# Delimited text.


def _delimited(text: _Text, file: str, head: str) -> Sheet:
    separator, marked = _separator(head)
    records = _first_records(head, separator, marked)
    heading = headings.find([cells for _, cells in records])
    if heading is None:
        raise Problem(
            (
                "{file}: no row of column names was found in the first {rows} rows. Put the names of the "
                "columns into the first row."
            ),
            file=file,
            rows=len(records),
        )
    skipped = records[heading.last][0]
    names = heading.names
    if len(names) > WIDEST:
        raise _too_wide(file, len(names))
    # A separator no text holds lets a single column be read as such.
    plan = _Plan(text, separator, skipped, tuple(f"c{i}" for i in range(len(names))))
    facts = _facts(plan, file)
    if text.quoted and (facts.breaks or facts.slow or not text.paired):
        _check_quotes(plan, file)
    if facts.full == 0:
        raise Problem("{file}: has column names but no rows. Export it again with its rows.", file=file)
    kept = _kept(names, facts.filled)

    def batches() -> Iterator[pl.DataFrame]:
        try:
            source = _slow(plan, file) if facts.slow else _fast(plan, facts)
            for batch in source:
                chosen = batch.select(
                    LINE,
                    *(pl.col(column).alias(header) for column, header in kept.items()),
                    *([EXTRA] if facts.ragged else []),
                )
                present = chosen.filter(pl.any_horizontal(pl.exclude(LINE).is_not_null()))
                if present.height:
                    yield present
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            raise _unreadable(file, error) from None

    return _sheet(file, None, text.digest, tuple(kept.values()), batches, rows=facts.full)


@dataclass(frozen=True)
class _Plan:
    text: _Text
    separator: str
    skipped: int
    columns: tuple[str, ...]

    def scan(self) -> pl.LazyFrame:
        """All rows below the header; fields beyond the header's end up in `EXTRA`."""
        rows = pl.scan_csv(
            self.text.path,
            has_header=False,
            skip_lines=self.skipped,
            separator=self.separator,
            quote_char='"' if self.text.quoted else None,
            schema=dict.fromkeys((*self.columns, EXTRA), pl.String),
            infer_schema=False,
            missing_columns="insert",
            extra_columns="ignore",
            truncate_ragged_lines=True,
            glob=False,
        )
        # An empty cell is null however it is written; only quoted ones come as empty text.
        return rows.with_columns(pl.when(pl.all() != "").then(pl.all())) if self.text.quoted else rows


@dataclass(frozen=True)
class _Facts:
    """What one scan of all rows showed."""

    rows: int
    full: int
    """Rows that are not blank."""
    filled: tuple[bool, ...]
    ragged: bool
    breaks: bool
    """Whether cells hold line breaks, so that rows are not lines."""
    slow: bool
    """Whether quotes stand where only the forgiving reader copes with them."""


def _facts(plan: _Plan, file: str) -> _Facts:
    everything = pl.col(*plan.columns, EXTRA)
    try:
        seen = (
            plan.scan()
            .select(
                pl.len().alias("rows"),
                pl.any_horizontal(everything.is_not_null()).sum().alias("full"),
                everything.count().name.prefix("n_"),
                everything.str.len_bytes().max().name.prefix("l_"),
                *(
                    [pl.any_horizontal(everything.str.contains("\n", literal=True)).any().alias("breaks")]
                    if plan.text.quoted
                    else []
                ),
            )
            .collect()
            .row(0, named=True)
        )
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return _slow_facts(plan, file)
    longest = max(seen[f"l_{column}"] or 0 for column in (*plan.columns, EXTRA))
    if longest > LONGEST_CELL:
        _check_quotes(plan, file)
        raise _huge_cell(file)
    return _Facts(
        rows=seen["rows"],
        full=seen["full"],
        filled=tuple(seen[f"n_{column}"] > 0 for column in plan.columns),
        ragged=seen[f"n_{EXTRA}"] > 0,
        breaks=bool(seen.get("breaks")),
        slow=False,
    )


def _slow_facts(plan: _Plan, file: str) -> _Facts:
    rows, full, filled, ragged = 0, 0, [False] * len(plan.columns), False
    for batch in _slow(plan, file):
        counts = batch.select(pl.all().count()).row(0, named=True)
        rows += batch.height
        full += batch.filter(pl.any_horizontal(pl.exclude(LINE).is_not_null())).height
        filled = [f or counts[column] > 0 for f, column in zip(filled, plan.columns, strict=True)]
        ragged = ragged or counts[EXTRA] > 0
    return _Facts(rows=rows, full=full, filled=tuple(filled), ragged=ragged, breaks=True, slow=True)


def _fast(plan: _Plan, facts: _Facts) -> Iterator[pl.DataFrame]:
    line = plan.skipped + 1
    for batch in plan.scan().collect_batches(chunk_size=BATCH):
        position = pl.int_range(pl.len(), dtype=pl.Int64) + line
        if facts.breaks:
            inner = pl.sum_horizontal(
                pl.col(*plan.columns, EXTRA).str.count_matches("\n", literal=True).fill_null(0).cast(pl.Int64)
            ).cum_sum()
            numbered = batch.with_columns(
                (position + inner.shift(1, fill_value=0)).alias(LINE), inner.alias("_inner")
            )
            line += batch.height + int(numbered["_inner"][-1] if batch.height else 0)
            yield numbered.drop("_inner")
        else:
            line += batch.height
            yield batch.with_columns(position.alias(LINE))


def _slow(plan: _Plan, file: str) -> Iterator[pl.DataFrame]:
    """Rows as the forgiving reader of the standard library sees them, for stray quotes."""
    width = len(plan.columns)
    schema: dict[str, Any] = {LINE: pl.Int64, **dict.fromkeys((*plan.columns, EXTRA), pl.String)}
    with plan.text.path.open("r", encoding="utf-8-sig", newline="") as stream:
        for _ in range(plan.skipped):
            stream.readline()
        reader = csv.reader(stream, delimiter=plan.separator)

        def rows() -> Iterator[tuple[object, ...]]:
            before = 0
            for cells in reader:
                line, before = plan.skipped + before + 1, reader.line_num
                padded = [cell or None for cell in cells[:width]] + [None] * (width - len(cells))
                extra = next((cell for cell in cells[width:] if cell), None)
                yield (line, *padded, extra)

        numbered = rows()
        try:
            while part := list(itertools.islice(numbered, 50_000)):
                yield pl.DataFrame(part, schema=schema, orient="row")
        except csv.Error:
            _check_quotes(plan, file)
            raise _unclosed(file, plan.skipped + reader.line_num) from None


def _check_quotes(plan: _Plan, file: str) -> None:
    """Stop where a quotation mark that is not closed would swallow the rows below it.

    A quoted cell must end before a separator or the end of a line. Within a line a stray mark is forgiven;
    over several lines it has taken rows for a note.

    Raises
    ------
    Problem
        Naming the line on which the cell begins.
    """
    separator = plan.separator.encode()
    opening, ends = separator + b'"', (separator, b"\n", b"\r", b"")
    opened, rows_inside = 0, 0
    with plan.text.path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            at = 0
            if opened:
                rows_inside += len(plan.columns) > 3 and line.count(separator) == len(plan.columns) - 1
            elif b'"' not in line:
                continue
            elif (bare := line.removeprefix(codecs.BOM_UTF8)).startswith(b'"'):
                opened, rows_inside, at = number, 0, len(line) - len(bare) + 1
            while True:
                if opened:
                    at = line.find(b'"', at)
                    if at < 0:
                        break
                    if line[at + 1 : at + 2] == b'"':
                        at += 2
                        continue
                    if opened < number and line[at + 1 : at + 2] not in ends:
                        raise _unclosed(file, opened)
                    if rows_inside > 2 or number - opened >= LONGEST_QUOTED:
                        raise _endless(file, opened, number)
                    opened, at = 0, at + 1
                else:
                    at = line.find(opening, at)
                    if at < 0:
                        break
                    opened, rows_inside, at = number, 0, at + len(opening)
    if opened:
        raise _unclosed(file, opened)


def _unclosed(file: str, line: int) -> Problem:
    return Problem(
        "{file}, line {line}: a cell does not end: a quotation mark is opened and not closed. Close it or "
        "remove it.",
        file=file,
        line=line,
    )


def _endless(file: str, line: int, last: int) -> Problem:
    return Problem(
        "{file}, line {line}: a quoted cell goes on until line {last}, so a quotation mark seems to be "
        "missing and rows would be lost in it. Close it, or shorten the text.",
        file=file,
        line=line,
        last=last,
    )


def _separator(head: str) -> tuple[str, int]:
    """The separator of a text, and how many lines say so themselves (Excel's ``sep=;``)."""
    marked = re.match(r"sep=(.)\r?\n", head)
    if marked:
        return marked.group(1), 1
    best, most = ",", 0.0
    for separator in _SEPARATORS:
        rows = [cells for _, cells in _first_records(head, separator, 0)]
        widths = Counter(len(cells) for cells in rows if len(cells) > 1)
        if not widths:
            continue
        width, often = widths.most_common(1)[0]
        heading = headings.find(rows)
        named = heading is not None and abs(len(heading.names) - width) <= 1
        score = often / len(rows) * (1.0 if named else 0.3) * (1 + min(width, 50) / 100)
        if score > most:
            best, most = separator, score
    return best, 0


def _first_records(head: str, separator: str, skipped: int) -> list[tuple[int, list[str]]]:
    """The first records as (line on which they end, cells)."""
    lines = io.StringIO(head, newline="")
    for _ in range(skipped):
        lines.readline()
    reader = csv.reader(lines, delimiter=separator)
    records: list[tuple[int, list[str]]] = []
    try:
        for cells in reader:
            records.append((skipped + reader.line_num, cells))
            if len(records) >= headings.LOOKED_AT:
                break
    except csv.Error:
        pass
    if len(head) >= _HEAD and len(records) > 1 and len(records) < headings.LOOKED_AT:
        records.pop()
    return records


# Oracle's pipe files: METADATA rows name the columns of the MERGE rows of the same object.


def _oracle(text: _Text, file: str) -> list[Sheet]:
    lines = pl.scan_csv(
        text.path,
        has_header=False,
        schema={"text": pl.String},
        separator="\x01",
        quote_char=None,
        infer_schema=False,
        truncate_ragged_lines=True,
        glob=False,
    )
    metadata = (
        lines.filter(pl.col("text").str.starts_with("METADATA|")).head(1_000).collect()["text"].to_list()
    )
    sheets: list[Sheet] = []
    for line in dict.fromkeys(metadata):
        _, kind, *columns = _pipes(line)
        names = headings.unique([column.strip() for column in columns])
        if not names or any(sheet.sheet == kind for sheet in sheets):
            raise Problem(
                (
                    "{file}: the METADATA row of {object} is empty or repeated with other columns. Split "
                    "the file at that row."
                ),
                file=file,
                object=kind or "?",
            )
        if len(names) > WIDEST:
            raise _too_wide(file, len(names))

        def batches(kind: str = kind, names: tuple[str, ...] = names) -> Iterator[pl.DataFrame]:
            start = 1
            # A converted copy lives as long as the text it belongs to.
            assert text.path
            for batch in lines.collect_batches(chunk_size=BATCH):
                numbered = batch.with_columns((pl.int_range(pl.len(), dtype=pl.Int64) + start).alias(LINE))
                start += batch.height
                chosen = numbered.filter(pl.col("text").str.starts_with(f"MERGE|{kind}|"))
                if not chosen.height:
                    continue
                # Oracle writes a pipe inside a value as \|; a private-use character stands for it meanwhile.
                fields = (
                    pl.col("text")
                    .str.replace_all("\\|", "\ue000", literal=True)
                    .str.strip_chars_end("\r")
                    .str.split("|")
                )
                cells = [
                    fields.list.get(i + 2, null_on_oob=True)
                    .str.replace_all("\ue000", "|", literal=True)
                    .alias(header)
                    for i, header in enumerate(names)
                ]
                extra = fields.list.get(len(names) + 2, null_on_oob=True).alias(EXTRA)
                made = chosen.select(LINE, *cells, extra)
                yield made.with_columns(pl.when(pl.exclude(LINE) != "").then(pl.exclude(LINE)))

        if any(True for _ in batches()):
            sheets.append(_sheet(file, kind, text.digest, names, batches, rows=None))
    if not sheets:
        raise Problem(
            "{file}: has METADATA rows but no MERGE rows. Export it again with its rows.", file=file
        )
    return sheets


def _pipes(line: str) -> list[str]:
    return [part.replace("\ue000", "|") for part in line.rstrip("\r").replace("\\|", "\ue000").split("|")]


# JSON: the deepest lists of records are the tables; what stands above them is repeated on each row.


def _json(text: _Text, file: str, first: str) -> list[Sheet]:
    if text.path.stat().st_size <= LARGEST_JSON:
        try:
            document = _parsed(text.path.read_text(encoding="utf-8-sig"))
        except json.JSONDecodeError as error:
            if not re.match(r"\{.*\}\s*\n\s*\{", first) and not _is_lines(first):
                raise Problem(
                    "{file}, line {line}: the JSON breaks off or is malformed ({reason}). Export it again.",
                    file=file,
                    line=error.lineno,
                    reason=error.msg,
                ) from None
        else:
            return _json_tables(document, text, file)
    elif not _is_lines(first):
        raise Problem(
            (
                "{file}: is one JSON document of more than {limit} MB. Export it as JSON lines or CSV, "
                "or in parts."
            ),
            file=file,
            limit=LARGEST_JSON // 1024**2,
        )
    return [_json_lines(text, file)]


def _is_lines(first: str) -> bool:
    line = first.split("\n", 1)[0].strip()
    try:
        return isinstance(_parsed(line), dict)
    except ValueError:
        return False


def _parsed(text: str) -> Any:
    # Numbers keep the digits they were written with.
    return json.loads(text, parse_float=str, parse_int=str, parse_constant=str)


def _json_lines(text: _Text, file: str) -> Sheet:
    def records() -> Iterator[tuple[int, dict[str, str | None]]]:
        with text.path.open("r", encoding="utf-8-sig") as stream:
            for number, line in enumerate(stream, start=1):
                if not line.strip():
                    continue
                try:
                    record = _parsed(line)
                except ValueError:
                    raise Problem(
                        "{file}, line {line}: is not a JSON record. Mend or remove that line.",
                        file=file,
                        line=number,
                    ) from None
                if not isinstance(record, dict):
                    raise Problem(
                        (
                            "{file}, line {line}: is not a JSON record but a bare value. Mend or remove "
                            "that line."
                        ),
                        file=file,
                        line=number,
                    )
                yield number, _flat(record, file)

    names: dict[str, None] = {}
    rows = 0
    for _, record in records():
        names.update(dict.fromkeys(record))
        rows += 1
        if len(names) > WIDEST:
            raise _too_wide(file, len(names))
    headers = headings.unique(list(names))

    def batches() -> Iterator[pl.DataFrame]:
        numbered = records()
        while part := list(itertools.islice(numbered, 50_000)):
            yield _frame(part, tuple(names), headers)

    return _sheet(file, None, text.digest, headers, batches, rows=rows)


def _json_tables(document: Any, text: _Text, file: str) -> list[Sheet]:
    if isinstance(document, dict) and not any(_has_records(value) for value in document.values()):
        document = [document]
    tables: dict[tuple[str, ...], list[tuple[int, dict[str, str | None]]]] = {}
    _collect(document, (), {}, tables, file, line=None)
    found = {path: rows for path, rows in tables.items() if any(row for _, row in rows)}
    if not found:
        raise Problem("{file}: is JSON but holds no list of records. Export a list of objects.", file=file)
    sheets: list[Sheet] = []
    for path, rows in found.items():
        names = tuple(dict.fromkeys(itertools.chain.from_iterable(row for _, row in rows)))
        if len(names) > WIDEST:
            raise _too_wide(file, len(names))
        headers = headings.unique(list(names))
        frame = _frame(rows, names, headers)

        def batches(frame: pl.DataFrame = frame) -> Iterator[pl.DataFrame]:
            yield from frame.iter_slices(BATCH)

        label = ".".join(path) or None
        sheets.append(_sheet(file, label, text.digest, headers, batches, rows=frame.height))
    return sheets


def _has_records(value: Any) -> bool:
    """Whether a value holds a list of objects at any depth."""
    if isinstance(value, list):
        return any(isinstance(item, dict) for item in value)
    return isinstance(value, dict) and any(_has_records(inner) for inner in value.values())


def _collect(
    value: Any,
    path: tuple[str, ...],
    above: dict[str, str | None],
    tables: dict[tuple[str, ...], list[tuple[int, dict[str, str | None]]]],
    file: str,
    *,
    line: int | None,
    prefix: str = "",
) -> None:
    """Gather rows: a list of objects is a table, unless its objects hold lists of objects themselves."""
    if isinstance(value, dict):
        if not prefix and line is None:
            # A wrapper around tables: its own plain values belong to every row below.
            own = {key: inner for key, inner in value.items() if not _has_records(inner)}
            shared = {**above, **_flat(own, file)}
            for key, inner in value.items():
                if _has_records(inner):
                    _collect(inner, (*path, key), shared, tables, file, line=None)
        return
    if not isinstance(value, list):
        return
    for number, item in enumerate(value, start=1):
        if not isinstance(item, dict):
            raise Problem(
                (
                    "{file}: item {line} of the list is not an object with named fields. Export a list "
                    "of objects."
                ),
                file=file,
                line=number,
            )
        place = number if line is None else line
        lists = {key: inner for key, inner in item.items() if _has_records(inner)}
        own = {f"{prefix}{key}": inner for key, inner in item.items() if key not in lists}
        row = {**above, **_flat(own, file)}
        if not lists:
            tables.setdefault(path, []).append((place, row))
        for key, inner in lists.items():
            if isinstance(inner, dict):
                wrapped = {k: v for k, v in inner.items() if not _has_records(v)}
                row.update(_flat(wrapped, file, f"{prefix}{key}."))
                for k, v in inner.items():
                    if _has_records(v) and isinstance(v, list):
                        _collect(
                            v, (*path, key, k), row, tables, file, line=place, prefix=f"{prefix}{key}.{k}."
                        )
            else:
                _collect(inner, (*path, key), row, tables, file, line=place, prefix=f"{prefix}{key}.")


def _flat(record: dict[str, Any], file: str, prefix: str = "") -> dict[str, str | None]:
    """Nested objects as dotted names, lists of plain values joined by semicolons."""
    flat: dict[str, str | None] = {}
    for key, value in record.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            flat.update(_flat(value, file, f"{name}."))
        elif isinstance(value, list):
            if any(isinstance(item, dict | list) for item in value):
                flat[name] = json.dumps(value, ensure_ascii=False)
            else:
                flat[name] = "; ".join(_plain(item) or "" for item in value) or None
        else:
            flat[name] = _plain(value)
        written = flat.get(name)
        if written is not None and len(written) > LONGEST_CELL:
            raise _huge_cell(file)
    return flat


def _plain(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    # Lone halves of surrogate pairs can be written in JSON but not stored as text.
    return str(value).encode("utf-8", errors="replace").decode("utf-8")


def _frame(
    rows: Sequence[tuple[int, dict[str, str | None]]], names: tuple[str, ...], headers: tuple[str, ...]
) -> pl.DataFrame:
    return pl.DataFrame(
        {
            LINE: pl.Series([line for line, _ in rows], dtype=pl.Int64),
            **{
                header: pl.Series([row.get(name) for _, row in rows], dtype=pl.String)
                for name, header in zip(names, headers, strict=True)
            },
        }
    )


# Workbooks and Parquet go through the confined reader.


def _workbook(path: Path, file: str) -> list[Sheet]:
    _check_zip(path, file)
    folder = _Folder()
    found = _confined("workbook", path, folder, file)
    digest = _digest(path)
    sheets: list[Sheet] = []
    troubles: list[Problem] = []
    for entry in found:
        place = f"{file} › {entry['name']}"
        if "error" in entry:
            troubles.append(
                Problem(
                    "{file}: the sheet cannot be read. Open the workbook, check it and save it again.",
                    file=place,
                )
            )
            continue
        if entry["columns"] > WIDEST:
            troubles.append(_too_wide(place, entry["columns"]))
            continue
        if "file" not in entry:
            continue
        cells = pl.read_ipc(folder.path / entry["file"])
        sheet = _grid(cells, file, entry, digest, folder)
        if isinstance(sheet, Problem):
            troubles.append(sheet)
        else:
            sheets.append(sheet)
    if not sheets:
        raise troubles[0] if troubles else Problem("{file}: holds no cells. Export it again.", file=file)
    return sheets


def _grid(
    cells: pl.DataFrame, file: str, entry: dict[str, Any], digest: str, folder: _Folder
) -> Sheet | Problem:
    """A sheet of a workbook; a sheet that is not a table is a problem only if no other sheet is one."""
    place = f"{file} › {entry['name']}"
    first: Rows = cells.head(headings.LOOKED_AT).rows()
    heading: Heading | None = headings.find(first)
    if heading is None or heading.last + 1 >= cells.height:
        return Problem(
            (
                "{file}: no row of column names with rows below it was found. Put the names of the "
                "columns into the first row."
            ),
            file=place,
        )
    body = cells.slice(heading.last + 1)
    longest = body.select(pl.all().str.len_bytes().max()).row(0)
    if max((length or 0 for length in longest), default=0) > LONGEST_CELL:
        return _huge_cell(place)
    counts = body.select(pl.all().count()).row(0)
    names = (*heading.names, *([""] * (cells.width - len(heading.names))))
    kept = _kept(names, tuple(count > 0 for count in counts), tuple(cells.columns))

    def batches() -> Iterator[pl.DataFrame]:
        assert folder.path  # the folder lives as long as its sheets
        line = heading.last + 2
        for part in body.iter_slices(BATCH):
            yield part.select(
                (pl.int_range(pl.len(), dtype=pl.Int64) + line).alias(LINE),
                # A date without a time of day is a date.
                *(
                    pl.col(column).str.replace(r"^(\d{4}-\d\d-\d\d) 00:00:00$", "$1").alias(header)
                    for column, header in kept.items()
                ),
            ).filter(pl.any_horizontal(pl.exclude(LINE).is_not_null()))
            line += part.height

    rows = sum(batch.height for batch in batches())
    if not rows:
        return Problem("{file}: has column names but no rows. Export it again with its rows.", file=place)
    return _sheet(
        file, entry["name"], digest, tuple(kept.values()), batches, rows=rows, hidden=entry["hidden"]
    )


def _parquet(path: Path, file: str) -> list[Sheet]:
    folder = _Folder()
    (facts,) = _confined("parquet", path, folder, file)
    if facts["columns"] > WIDEST:
        raise _too_wide(file, facts["columns"])
    if facts["rows"] == 0:
        raise Problem("{file}: has column names but no rows. Export it again with its rows.", file=file)
    scan = pl.scan_parquet(path, glob=False)
    schema = scan.collect_schema()
    columns = [_as_text(name, dtype, file) for name, dtype in schema.items()]
    headers = headings.unique([name.strip() for name in schema])

    def batches() -> Iterator[pl.DataFrame]:
        line = 1
        try:
            for batch in scan.select(columns).collect_batches(chunk_size=BATCH):
                renamed = batch.rename(dict(zip(batch.columns, headers, strict=True)))
                yield renamed.with_columns(
                    pl.when(pl.all() != "").then(pl.all()),
                    (pl.int_range(pl.len(), dtype=pl.Int64) + line).alias(LINE),
                ).select(LINE, *headers)
                line += batch.height
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            raise _unreadable(file, error) from None

    return [_sheet(file, None, _digest(path), headers, batches, rows=facts["rows"])]


def _as_text(name: str, dtype: pl.DataType, file: str) -> pl.Expr:
    column = pl.col(name)
    if dtype.is_float():
        # 3.0 is written 3, as every other format writes it.
        return column.cast(pl.String).str.strip_suffix(".0")
    if isinstance(dtype, pl.Datetime):
        return (
            column.dt.to_string("%Y-%m-%d %H:%M:%S%.f")
            .str.replace(r"\.0+$", "")
            .str.replace(r" 00:00:00$", "")
        )
    if isinstance(dtype, pl.List | pl.Array | pl.Struct | pl.Object | pl.Binary | pl.Duration):
        raise Problem(
            (
                "{file}: column {column} holds nested or binary values. Export it with one plain value "
                "in each cell."
            ),
            file=file,
            column=name,
        )
    return column.cast(pl.String)


def _check_zip(path: Path, file: str) -> None:
    """Refuse archives that are damaged, are no workbook, or unpack to more than anyone's export."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError, OverflowError, UnicodeDecodeError):
        raise Problem(
            "{file}: the workbook is damaged or was cut off. Download or export it again.", file=file
        ) from None
    if not any(entry.filename.replace("\\", "/").startswith("xl/workbook") for entry in entries):
        raise Problem(
            "{file}: is an archive, not an Excel workbook. Unpack it and load the files inside.", file=file
        )
    if any(entry.flag_bits & 1 for entry in entries):
        raise Problem("{file}: is protected with a password. Save it without one.", file=file)
    total = sum(entry.file_size for entry in entries)
    packed = max(path.stat().st_size, 1)
    if total > LARGEST_UNPACKED or (total > SMALL_WORKBOOK and total / packed > MOST_PACKED):
        raise Problem(
            (
                "{file}: would unpack from {packed} MB to {total} MB, more than a workbook of people "
                "data does. Export it as CSV."
            ),
            file=file,
            packed=round(packed / 1024**2, 1),
            total=round(total / 1024**2),
        )


def _confined(kind: str, path: Path, folder: _Folder, file: str) -> list[dict[str, Any]]:
    command = [
        sys.executable,
        "-I",
        str(Path(confined.__file__)),
        kind,
        str(path.resolve()),
        str(folder.path),
    ]
    try:
        subprocess.run(command, timeout=PATIENCE, check=False, capture_output=True, stdin=subprocess.DEVNULL)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise Problem(
            "{file}: took longer than {seconds} seconds to open. Export it as CSV.",
            file=file,
            seconds=PATIENCE,
        ) from None
    result = folder.path / "result.json"
    answer: dict[str, Any] = {"error": "memory"}
    if result.exists():
        answer = json.loads(result.read_text(encoding="utf-8"))
    if "sheets" in answer:
        sheets: list[dict[str, Any]] = answer["sheets"]
        return sheets
    if answer["error"] == "memory":
        raise Problem(
            "{file}: needs more memory to open than a file of people data should. Export it as CSV.",
            file=file,
        )
    raise Problem(
        "{file}: is damaged and cannot be opened. Open it, check it, and save or export it again.", file=file
    )


# What all kinds share.


def _sheet(
    file: str,
    sheet: str | None,
    digest: str,
    headers: tuple[str, ...],
    batches: Callable[[], Iterator[pl.DataFrame]],
    *,
    rows: int | None,
    hidden: bool = False,
) -> Sheet:
    sample = next(batches()).head(SAMPLE)
    named = digest if sheet is None else hashlib.sha256(f"{digest}\n{sheet}".encode()).hexdigest()
    return Sheet(file, sheet, named, headers, sample, rows, batches, hidden)


def _kept(
    names: Sequence[str], filled: Sequence[bool], columns: Sequence[str] | None = None
) -> dict[str, str]:
    """Columns that have a name or a value → unique header; a column with neither is left out."""
    labelled = columns if columns is not None else [f"c{i}" for i in range(len(names))]
    chosen = [
        (column, name or f"column {position}")
        for position, (column, name, full) in enumerate(zip(labelled, names, filled, strict=True), start=1)
        if name or full
    ]
    unique = headings.unique([name for _, name in chosen])
    return {column: header for (column, _), header in zip(chosen, unique, strict=True)}


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _too_wide(file: str, columns: int) -> Problem:
    return Problem(
        (
            "{file}: has {columns} columns; a table has at most {limit}. Check the separator, or export "
            "fewer columns."
        ),
        file=file,
        columns=columns,
        limit=WIDEST,
    )


def _huge_cell(file: str) -> Problem:
    return Problem(
        (
            "{file}: a cell holds more than {limit} characters. Look for a quotation mark that is opened "
            "and not closed, or leave that column out."
        ),
        file=file,
        limit=LONGEST_CELL,
    )
