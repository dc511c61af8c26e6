"""Sentences in the reader's language.

The English sentence is the key; ``locales/<code>/LC_MESSAGES/evenhand.po`` holds the others and is read
once when this module is imported (the only file `analytics` reads: its own words). Tests require a
translation, with the same places, for every sentence in the code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Final

from babel.dates import format_date
from babel.messages.pofile import read_po

LANGUAGES: Final = {"en": "English", "zh": "中文"}
_LOCALES: Final = Path(__file__).parent.parent / "locales"


@dataclass(frozen=True)
class Language:
    """A language to speak in.

    Calling it translates: ``t("{n} people", n=5)``. ``t.plural("{n} team", "{n} teams", n)`` chooses the
    form by ``n``, which also fills the place.
    """

    code: str

    def __post_init__(self) -> None:
        if self.code not in LANGUAGES:
            raise ValueError(f"code must be one of {', '.join(LANGUAGES)}; got {self.code!r}")

    def __call__(self, message: str, /, **values: object) -> str:
        sentence = _catalogue(self.code).get(message, message)
        return sentence.format(**_written(values)) if values else sentence

    def plural(self, one: str, many: str, n: int, /, **values: object) -> str:
        """The sentence for ``n`` things; Chinese has one form for all numbers."""
        sentence = _catalogue(self.code).get(one, one if n == 1 else many)
        return sentence.format(**_written({"n": n, **values}))

    def day(self, day: date) -> str:
        """A date as this language writes it."""
        return format_date(day, format="d MMM y" if self.code == "en" else "y年M月d日", locale=self.code)

    def joined(self, sentences: Iterable[str]) -> str:
        """Sentences one after the other, without the empty ones; Chinese puts no space between them."""
        return ("" if self.code == "zh" else " ").join(sentence for sentence in sentences if sentence)

    def listing(self, items: list[str]) -> str:
        """``a, b and c`` in this language."""
        if len(items) <= 1:
            return "".join(items)
        if self.code == "zh":
            return "、".join(items)
        return f"{', '.join(items[:-1])} and {items[-1]}"


def _written(values: Mapping[str, object]) -> dict[str, object]:
    """Whole numbers with their thousands apart; everything else as it is."""
    return {
        key: f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else value
        for key, value in values.items()
    }


def signed(value: float, digits: int = 1) -> str:
    """A difference with its sign: ``+0.4``, ``−0.2`` (a real minus), ``0.0``."""
    rounded = round(value, digits)
    if rounded == 0:
        return f"{0:.{digits}f}"
    return f"{'+' if rounded > 0 else '−'}{abs(rounded):.{digits}f}"


def decimals(*values: float) -> int:
    """Decimals, one to three, at which none of the values reads as nothing; for all numbers of a sentence."""
    smallest = min(abs(value) for value in values)
    return 1 if smallest >= 0.095 else 2 if smallest >= 0.0095 else 3


def interval(low: float, high: float, digits: int = 2) -> str:
    """``[0.31, 0.53]`` with real minus signs."""
    return f"[{_plain(low, digits)}, {_plain(high, digits)}]"


def percent(share: float, t: Language | None = None) -> str:
    """A share as a whole per cent; ``<1 %`` and ``>99 %`` rather than a rounded nothing or all.

    Chinese has no space before the sign.
    """
    gap = "" if t is not None and t.code == "zh" else " "
    if 0 < share < 0.005:
        return f"<1{gap}%"
    if 0.995 <= share < 1:
        return f">99{gap}%"
    return f"{round(100 * share)}{gap}%"


def _plain(value: float, digits: int) -> str:
    # Rounding first: what rounds to nought has no sign.
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


@lru_cache(maxsize=len(LANGUAGES))
def _catalogue(code: str) -> dict[str, str]:
    path = _LOCALES / code / "LC_MESSAGES" / "evenhand.po"
    if not path.exists():
        return {}
    with path.open("rb") as file:
        catalogue = read_po(file, locale=code)
    sentences: dict[str, str] = {}
    for entry in catalogue:
        key = entry.id[0] if isinstance(entry.id, list | tuple) else entry.id
        said = entry.string[0] if isinstance(entry.string, list | tuple) else entry.string
        if key and said:
            sentences[key] = said
    return sentences
