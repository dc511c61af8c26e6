"""What exports look like: read one as text, recognise it, rename it.

`SOURCES` lists the kinds of export, the most specific first; `recognise` picks the one that fits a sheet.
To add one, write a module with a `Layout` (or a class that has `name`, `recognise` and `translate`), and
list it here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from data.contracts import TABLES
from data.sources import (
    assembling,
    bamboohr,
    chinese,
    feishu,
    fifteenfive,
    frappe,
    hibob,
    lattice,
    oracle,
    profiles,
    quantum,
    settling,
    successfactors,
    tidy,
    workday,
)
from data.sources.feishu import dictionaries
from data.sources.model import Known, Match, Recognition, Sheet, Source
from data.sources.profiles import Profile, load_profiles, save_profile
from data.sources.reading import read_sheets
from data.sources.settling import with_answers

__all__ = [
    "COLUMNS",
    "SOURCES",
    "Profile",
    "dictionaries",
    "load_profiles",
    "read_sheets",
    "recognise",
    "save_profile",
    "source",
    "with_answers",
    "with_matches",
]

SOURCES: Final[tuple[Source, ...]] = (
    profiles.Profiled(),
    successfactors.USERS,
    successfactors.GOALS,
    oracle.RATINGS,
    oracle.GOALS,
    workday.REVIEWS,
    frappe.APPRAISALS,
    feishu.DICTIONARY,
    feishu.REVIEWS,
    feishu.OKR,
    quantum.ANSWERS,
    fifteenfive.PROFILES,
    fifteenfive.CALIBRATION,
    bamboohr.EMPLOYEES,
    bamboohr.WITHOUT_IDS,
    hibob.PEOPLE,
    lattice.GOALS,
    lattice.EMPLOYEES,
    bamboohr.GOALS,
    *chinese.KINDS,
    tidy.Tidy(),
)
"""The kinds of export, the most specific first; the last takes whatever is left."""


def recognise(sheet: Sheet, known: Known, profiles: Sequence[Profile] = ()) -> Recognition:
    """What a sheet is: the first profile that fits, else the first source that knows it.

    A sheet nobody knows comes back as ``tidy`` with a question about its columns.
    """
    known = known.beside(sheet.digest)
    for profile in profiles:
        found = profile.recognise(sheet, known)
        if found is not None:
            return found
    for kind in SOURCES:
        found = kind.recognise(sheet, known)
        if found is not None:
            return found
    raise AssertionError("the last source takes every sheet")


def source(name: str) -> Source:
    """The source of that name.

    Raises
    ------
    KeyError
        If there is none; the message lists those there are.
    """
    for kind in SOURCES:
        if kind.name == name:
            return kind
    raise KeyError(f"no source {name!r}; there are {', '.join(kind.name for kind in SOURCES)}")


def with_matches(
    sheet: Sheet, recognition: Recognition, matches: Sequence[Match], known: Known
) -> Recognition:
    """The recognition with other matches, as a person set them; what they now leave open is asked anew."""
    known = known.beside(sheet.digest)
    prepared = getattr(source(recognition.source), "prepared", None)
    shaped = profiles.made(sheet, recognition.answers)
    if prepared is not None:
        shaped = prepared(sheet, known)
    return settling.with_matches(shaped, recognition, matches, known)


def _columns() -> tuple[tuple[str, str, str], ...]:
    listed = []
    for table, contract in TABLES.items():
        for name, column in contract.columns().items():
            listed.append((table, name, column.description or ""))
        listed += [(table, name, text) for (other, name), text in assembling.PARTS.items() if other == table]
    return tuple(listed)


COLUMNS: Final[tuple[tuple[str, str, str], ...]] = _columns()
"""What a header can be matched to: table, column, description."""
