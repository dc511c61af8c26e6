"""Chinese rosters, reviews and goals: no vendor's layout, but one vocabulary.

A sheet most of whose headers are Chinese is matched by the names Chinese systems use; what is not among
them is left for a person to map.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from data.sources import assembling, settling, tidy
from data.sources.model import Known, Recognition, Sheet

_HAN: Final = re.compile(r"[\u3400-\u9fff]")
_KINDS: Final = (("ratings", "Chinese reviews"), ("goals", "Chinese goals"), ("employees", "Chinese roster"))


@dataclass(frozen=True)
class Chinese:
    """Source for one of the three kinds."""

    table: str
    name: str

    def recognise(self, sheet: Sheet, known: Known) -> Recognition | None:
        """A sheet with mostly Chinese headers that feeds this kind's table by known names."""
        if 2 * sum(1 for header in sheet.headers if _HAN.search(header)) < len(sheet.headers):
            return None
        matches = tuple(
            match for match in tidy.matched(sheet.headers, tidy.empty(sheet)) if match.confidence > tidy.SURE
        )
        tables = {match.table for match in matches}
        if self.table not in tables or len(matches) < 3:
            return None
        return settling.settled(sheet, self.name, matches, {}, known)

    def translate(
        self, batch: pl.DataFrame, recognition: Recognition, known: Known
    ) -> Mapping[str, pl.DataFrame]:
        """Rows by matches and answers."""
        return assembling.assembled(batch, recognition, known)


KINDS: Final = tuple(Chinese(table, name) for table, name in _KINDS)
