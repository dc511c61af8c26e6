"""What exports look like: recognise one, read it as text, rename it.

`SOURCES` lists the kinds of export, the most specific first; `recognise` picks the one that fits a sheet.
To add one, write a module with a class that has `name`, `recognise` and `translate`, and list it here.
"""

from __future__ import annotations

from typing import Final

from data.sources import tidy
from data.sources.model import Known, Recognition, Sheet, Source

SOURCES: Final[tuple[Source, ...]] = (tidy.Tidy(),)


def recognise(sheet: Sheet, known: Known) -> Recognition:
    """What a sheet is: the first source that knows it."""
    for source in SOURCES:
        found = source.recognise(sheet, known)
        if found is not None:
            return found
    return Recognition("unknown", 0.0, (), unused=sheet.headers)


def source(name: str) -> Source:
    """The source of that name."""
    return next(source for source in SOURCES if source.name == name)
