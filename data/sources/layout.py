"""A kind of export whose headers are fixed: which they are, and what they mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from data.sources import assembling, settling, tidy
from data.sources.model import LINE, Answer, Known, Match, Recognition, Sheet
from data.sources.vocabulary import normalised

Prepare = Callable[[pl.DataFrame, Known], pl.DataFrame]


def as_it_stands(batch: pl.DataFrame, _known: Known) -> pl.DataFrame:
    """No preparation."""
    return batch


@dataclass(frozen=True)
class Layout:
    """A source told by some of its headers.

    Attributes
    ----------
    name
        Name of the source.
    requires
        Headers that must all be there; case and punctuation do not matter.
    columns
        Header → places in the contracts, ``table.column`` separated by spaces. Where several headers
        hold the same column, the earlier one counts and the later ones fill its gaps.
    answers
        What is true of every such export.
    prepare
        Puts a batch into a readable shape: system words for "none", columns to be joined, wide to long.
    settle
        Further answers that follow from the content.
    excludes
        Headers of similar exports that this one does not have.
    """

    name: str
    requires: tuple[str, ...]
    columns: Mapping[str, str]
    answers: Mapping[str, Answer] = field(default_factory=dict)
    prepare: Prepare = as_it_stands
    settle: Callable[[Sheet, Known], Mapping[str, Answer]] | None = None
    excludes: tuple[str, ...] = ()

    def recognise(self, sheet: Sheet, known: Known) -> Recognition | None:
        """The fixed meaning of the headers; others are taken by their names."""
        there = {normalised(header) for header in sheet.headers}
        if not {normalised(header) for header in self.requires} <= there:
            return None
        if {normalised(header) for header in self.excludes} & there:
            return None
        shaped = self.prepared(sheet, known)
        matches = self._matches(shaped.headers)
        answers = dict(self.answers)
        if self.settle:
            answers.update(self.settle(shaped, known))
        used = {match.header for match in matches} | (set(sheet.headers) - set(shaped.headers))
        return settling.settled(
            shaped, self.name, matches, answers, known, unused=[h for h in sheet.headers if h not in used]
        )

    def translate(
        self, batch: pl.DataFrame, recognition: Recognition, known: Known
    ) -> Mapping[str, pl.DataFrame]:
        """Rows by matches and answers, after preparation."""
        shaped = self.prepare(batch, known)
        return assembling.assembled(shaped, recognition, known) if shaped.height else {}

    def prepared(self, sheet: Sheet, known: Known) -> Sheet:
        """The sheet as its matches see it."""
        if self.prepare is as_it_stands:
            return sheet
        sample = self.prepare(sheet.sample, known)
        headers = tuple(name for name in sample.columns if not name.startswith("_"))

        def batches():  # type: ignore[no-untyped-def]
            return (self.prepare(batch, known) for batch in sheet.batches())

        return replace(sheet, headers=headers, sample=sample, batches=batches)

    def _matches(self, headers: tuple[str, ...]) -> tuple[Match, ...]:
        by_name: dict[str, str] = {}
        for header in headers:
            by_name.setdefault(normalised(header), header)
        matches: list[Match] = []
        for written, places in self.columns.items():
            found = by_name.get(normalised(written))
            if found is not None:
                for place in places.split():
                    table, column = place.split(".", 1)
                    matches.append(Match(found, table, column, 1.0))
        fixed = {match.header for match in matches}
        taken = {(match.table, match.column) for match in matches}
        tables = {match.table for match in matches}
        ignored = {normalised(written) for written, places in self.columns.items() if not places}
        for match in tidy.named(
            tuple(h for h in headers if h not in fixed and normalised(h) not in ignored), tables
        ):
            if (match.table, match.column) not in taken:
                taken.add((match.table, match.column))
                matches.append(match)
        return tuple(matches)


def blanked(*headers: str, words: tuple[str, ...]) -> Prepare:
    """A preparation that empties cells in which the system writes a word for nothing."""

    def prepare(batch: pl.DataFrame, _known: Known) -> pl.DataFrame:
        wanted = {normalised(header) for header in headers}
        columns = [c for c in batch.columns if c != LINE and normalised(c) in wanted]
        return batch.with_columns(
            pl.when(~pl.col(column).str.strip_chars().str.to_uppercase().is_in(list(words)))
            .then(column)
            .alias(column)
            for column in columns
        )

    return prepare
