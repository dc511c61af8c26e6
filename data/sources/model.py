"""What passes between reading a file, recognising it, and importing it.

A file becomes sheets of text; a sheet is recognised as a source, which says for each header what it
means and what it cannot know without asking; batches of the sheet are then translated into the text of
one or more contract tables. Nothing here guesses silently: what is open is a `Question`, and a sheet
with open questions is not imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import polars as pl

LINE = "_line"
"""Name of the column that says where a row stood: 1-based line (CSV), row (XLSX) or item (JSON)."""

EXTRA = "_extra"
"""Name of a column batches have only if some row holds more fields than the header: the first field too
many. Where it is not null the row has slipped, and the importer rejects it."""

MANAGER = "@manager"
"""As ``ratings.rater_id``: whoever was the ratee's manager at the end of the cycle, as the assignments
say. The importer puts the manager's id there and rejects the row where none is known."""

SELF = "@self"
"""As ``ratings.rater_id``: the ratee. The importer puts the ratee's id there.

A rater ``panel:SOURCE:RATEE`` (see `data.contracts.ratings.PANEL`) stands for the unnamed people behind one
average; it is nobody else's rater, so that it links nothing. The importer puts the ratee's id there."""


@dataclass(frozen=True)
class Sheet:
    """One table of one file, still text.

    Attributes
    ----------
    file
        Name of the file as its owner knows it.
    sheet
        Name of the sheet, or None where a file is one table.
    digest
        SHA-256 of the file and, where there are several, the sheet's name.
    headers
        Column names as they stand in the file, made unique by position where repeated.
    sample
        The first rows (at most 1,000): String columns named by ``headers``, and ``_line`` (Int64).
    rows
        Number of rows, if known without reading all.
    batches
        Reads all rows from the start, shaped as ``sample``; callable again and again. Both may have a
        further column `EXTRA`.
    hidden
        Whether the workbook hides this sheet. It is listed, and read only if a person says so.
    """

    file: str
    sheet: str | None
    digest: str
    headers: tuple[str, ...]
    sample: pl.DataFrame
    rows: int | None
    batches: Callable[[], Iterator[pl.DataFrame]]
    hidden: bool = False

    @property
    def place(self) -> str:
        """How to name this sheet to its owner."""
        return self.file if self.sheet is None else f"{self.file} › {self.sheet}"


@dataclass(frozen=True)
class Match:
    """What a header is taken to mean, and how sure that is (0 to 1; 1 is a known header)."""

    header: str
    table: str
    column: str
    confidence: float


@dataclass(frozen=True)
class Question:
    """Something the file does not say and that must not be guessed.

    Attributes
    ----------
    key
        Under which `Recognition.answers` holds the answer:

        ``scale``
            Level names, the worst first (``D < C < B < A`` or a tuple), or ends (``0 … 100``).
        ``cycle``, ``cycle_dates``, ``cycle_dates:NAME``
            What the cycle is called; its first and last day (``2026-01-01 … 2026-06-30``).
        ``as_of``, ``goals.start_on``, ``goals.due_on``
            A date.
        ``date_order``
            ``dmy`` or ``mdy``.
        ``rated_in``
            Which headers, joined by commas, are the rating where a sheet has several scales.
        ``hidden``
            ``yes`` to read a hidden sheet.
        ``people``
            Whether a sheet of ratings is the list of employees too: ``yes`` or ``no``.
        ``mapping``
            ``yes`` to confirm matches that are not certain; open without choices, columns are missing
            and the matches must be set.
        ``table.column``
            What holds for all rows, such as ``ratings.source``.
    message, values
        The question as a sentence with ``{places}``.
    choices
        Suggested answers, most likely first; empty if free.
    """

    key: str
    message: str
    values: Mapping[str, object] = field(default_factory=dict)
    choices: tuple[str, ...] = ()


Answer = str | tuple[str, ...]


@dataclass(frozen=True)
class Recognition:
    """What a sheet was taken for.

    Attributes
    ----------
    source
        Name of the source.
    confidence
        0 to 1, the least sure of the matches a required column rests on.
    matches
        One per header that is used; a header may serve several columns.
    answers
        What was settled, by content, profile or person.
    questions
        What is still open; import waits until this is empty.
    unused
        Headers nothing was made of, so that the owner sees it.
    """

    source: str
    confidence: float
    matches: tuple[Match, ...]
    answers: Mapping[str, Answer] = field(default_factory=dict)
    questions: tuple[Question, ...] = ()
    unused: tuple[str, ...] = ()


@dataclass(frozen=True)
class Known:
    """What is known beside the sheet itself: earlier versions of the warehouse and sibling sheets.

    Attributes
    ----------
    scales
        Rows of `scale_levels` already in the warehouse or brought by siblings.
    cycles
        Rows of `review_cycles`, likewise.
    dictionaries
        id → label, from dictionary files loaded alongside.
    ranges
        Rows of `rating_scales`, likewise; None where only levels are known.
    own
        Digest of a sheet → the cycles, and the scales, known only from an earlier reading of that sheet.
    """

    scales: pl.DataFrame
    cycles: pl.DataFrame
    dictionaries: Mapping[str, str] = field(default_factory=dict)
    ranges: pl.DataFrame | None = None
    own: Mapping[str, tuple[frozenset[str], frozenset[str]]] = field(default_factory=dict)

    def beside(self, digest: str) -> Known:
        """What is known without the sheet of that digest, so that it reads as it did the first time."""
        cycles, scales = self.own.get(digest, (frozenset(), frozenset()))
        if not cycles and not scales:
            return self
        other = ~pl.col("scale_id").is_in(sorted(scales))
        return replace(
            self,
            scales=self.scales.filter(other),
            cycles=self.cycles.filter(~pl.col("cycle_id").is_in(sorted(cycles))),
            ranges=None if self.ranges is None else self.ranges.filter(other),
            own={},
        )


class Source(Protocol):
    """A kind of export. Implementations live beside this module and are listed in `SOURCES`."""

    @property
    def name(self) -> str:
        """How the source is called in recognitions and profiles."""

    def recognise(self, sheet: Sheet, known: Known) -> Recognition | None:
        """What this sheet is as this source, or None if it is not one."""

    def translate(
        self, batch: pl.DataFrame, recognition: Recognition, known: Known
    ) -> Mapping[str, pl.DataFrame]:
        """A batch of rows as text frames of contract tables.

        Returns
        -------
        Mapping
            Table name → String columns named as in its contract (missing ones mean null), and
            ``_line``. Dates are ``yyyy-mm-dd``, moments ``yyyy-mm-dd hh:mm:ss``, numbers plain, booleans
            ``true`` and ``false``, enums canonical; a value that could not be read is
            left as it stood, so that the contract rejects it by name. Person columns may hold an id, an
            e-mail or a display name; the importer resolves them against everybody known.
        """
