"""Where in a grid of text do the columns get their names?

Reads    the first rows of a sheet, as lists of cells.
Returns  the names, unique, and the last row they take up: title rows above are skipped; a row of system
         keys followed by a row of labels, and merged header cells over two rows, are both understood.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

from data.sources.vocabulary import is_known, normalised

LOOKED_AT: Final = 60
"""Rows in which a heading is looked for."""

_DATA: Final = re.compile(
    r"""\s*(?:
        [-+−]?[\d.,'\s]*\d[\d.,'\s]*[%％]?            # numbers
      | \d{1,4}[-/.年]\d{1,2}(?:[-/.月]\d{1,4}日?)?.*  # dates
      | \S+@\S+\.\S+                                  # e-mail addresses
      | true | false | yes | no | 是 | 否 | null | n/a
    )\s*""",
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True)
class Heading:
    """Names of the columns (an unnamed one is empty) and the 0-based row after which the data begin."""

    names: tuple[str, ...]
    last: int


def find(rows: Sequence[Sequence[str | None]]) -> Heading | None:
    """The heading of a grid, or None if no row looks like one."""
    cells = [[_clean(cell) for cell in row] for row in rows[:LOOKED_AT]]
    counts = [sum(1 for cell in row if cell) for row in cells]
    fullest = _usual(counts)
    if fullest == 0:
        return None
    for at, row in enumerate(cells):
        if not _names_things(row):
            continue
        below = cells[at + 1] if at + 1 < len(cells) else []
        if counts[at] < 0.8 * fullest:
            if counts[at] >= 2 and _completes(row, below, fullest):
                return Heading(_labels([_merged(row, below, i) for i in range(_width(cells))]), at + 1)
            continue
        above = cells[at - 1] if at else []
        if _translates(row, below):
            return Heading(_labels(_padded(row, cells)), at + 1)
        return Heading(_labels(_grouped(row, above, cells)), at)
    return None


def unique(names: Sequence[str]) -> tuple[str, ...]:
    """Names made different from each other: the second ``x`` becomes ``x (2)``; none is empty or hidden."""
    seen: set[str] = set()
    made: list[str] = []
    for position, name in enumerate(names, start=1):
        base = name.strip().lstrip("_") if name.startswith("_") else name.strip()
        base = base or f"column {position}"
        label, again = base, 2
        while label in seen:
            label, again = f"{base} ({again})", again + 1
        seen.add(label)
        made.append(label)
    return tuple(made)


def _usual(counts: Sequence[int]) -> int:
    """How many cells a full row has; a single slipped row does not count."""
    most = max(counts, default=0)
    repeated = max((count for count in counts if counts.count(count) > 1), default=0)
    return repeated if 2 * repeated >= most else most


def _clean(cell: str | None) -> str:
    if not cell:
        return ""
    kept = "".join(c for c in cell[:1_000] if unicodedata.category(c) != "Cc" or c in "\n\t")
    return re.sub(r"\s+", " ", kept).strip().removeprefix("\ufeff")


def _names_things(row: Sequence[str]) -> bool:
    """Whether a row's cells are names rather than values."""
    filled = [cell for cell in row if cell]
    if not filled:
        return False
    named = sum(1 for cell in filled if not _DATA.fullmatch(cell) and len(cell) <= 300)
    return named >= 0.7 * len(filled) and len(set(filled)) >= 0.5 * len(filled)


def _translates(row: Sequence[str], below: Sequence[str]) -> bool:
    """Whether the row below gives labels to the system keys of this one."""
    if not below or not _names_things(below):
        return False
    pairs = [(key, label) for key, label in zip(row, below, strict=False) if key and label]
    if len(pairs) < 0.8 * sum(1 for cell in row if cell):
        return False
    if sum(1 for key, label in pairs if key == label) == len(pairs):
        return True
    return sum(1 for key, label in pairs if _alike(key, label)) >= 0.6 * len(pairs)


def _alike(key: str, label: str) -> bool:
    one, other = normalised(key), normalised(label)
    if one == other or is_known(label):
        return True
    return SequenceMatcher(None, one, other).ratio() >= 0.6


def _completes(row: Sequence[str], below: Sequence[str], fullest: int) -> bool:
    """Whether two rows with gaps make one heading: cells merged downwards and across."""
    if not below or not _names_things(below):
        return False
    width = max(len(row), len(below))
    top, bottom = _pad(row, width), _pad(below, width)
    covered = sum(1 for a, b in zip(top, bottom, strict=True) if a or b)
    downwards = sum(1 for a, b in zip(top, bottom, strict=True) if a and not b)
    return covered >= 0.8 * fullest and downwards >= 1 and sum(1 for b in bottom if b) >= 1


def _merged(row: Sequence[str], below: Sequence[str], i: int) -> str:
    top = row[i] if i < len(row) else ""
    bottom = below[i] if i < len(below) else ""
    return bottom or top


def _grouped(row: Sequence[str], above: Sequence[str], cells: Sequence[Sequence[str]]) -> list[str]:
    """Names, told apart by the merged group names above them where they repeat."""
    names = _padded(row, cells)
    if not any(above) or not _names_things(above) or sum(1 for cell in above if cell) < 2:
        return names
    groups, current = [], ""
    for cell in _pad(above, len(names)):
        current = cell or current
        groups.append(current)
    return [
        f"{group} {name}" if name and group and names.count(name) > 1 else name
        for name, group in zip(names, groups, strict=True)
    ]


def _labels(names: Sequence[str]) -> tuple[str, ...]:
    while names and not names[-1]:
        names = names[:-1]
    seen: dict[str, int] = {}
    made = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        made.append(f"{name} ({seen[name]})" if name and seen[name] > 1 else name)
    return tuple(made)


def _width(cells: Sequence[Sequence[str]]) -> int:
    return max(len(row) for row in cells)


def _padded(row: Sequence[str], cells: Sequence[Sequence[str]]) -> list[str]:
    return _pad(row, max(len(row), min(_width(cells), len(row) + 5)))


def _pad(row: Sequence[str], width: int) -> list[str]:
    return [*row, *([""] * (width - len(row)))]
