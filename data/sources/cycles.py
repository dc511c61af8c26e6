"""From when to when does a review cycle run?

Its name often suggests it ("2026H1", 2026年第一季度), but a business year may start in any month: a
suggestion is offered, never taken.
"""

from __future__ import annotations

import calendar
import re
from datetime import date
from typing import Final

from data.sources.model import Answer

BETWEEN: Final = " … "
"""Between the first and the last day of a written period."""

_QUARTERS: Final = {"1": 1, "2": 2, "3": 3, "4": 4, "一": 1, "二": 2, "三": 3, "四": 4}


def suggested(name: str) -> tuple[str, ...]:
    """Likely periods for a cycle of this name, as written answers."""
    text = name.strip().upper()
    found = re.search(r"(19|20)\d{2}", text)
    if not found:
        return ()
    year = int(found.group())
    rest = text.replace(found.group(), " ", 1)
    if half := re.search(r"H\s?([12])|(上半年)|(下半年)", rest):
        second = half.group(1) == "2" or bool(half.group(3))
        return (_written(year, 7, 12),) if second else (_written(year, 1, 6),)
    if quarter := re.search(r"Q\s?([1-4])|第?([一二三四1-4])季", rest):
        number = _QUARTERS[quarter.group(1) or quarter.group(2)]
        return (_written(year, 3 * number - 2, 3 * number),)
    if month := re.search(r"(?:^\s*[-/年.]\s*)(\d{1,2})\s*月?\s*$", rest):
        number = int(month.group(1))
        if 1 <= number <= 12:
            return (_written(year, number, number),)
    if re.fullmatch(r"[\sA-Z年度终考核绩效评\-_]*", rest):
        return (_written(year, 1, 12),)
    return ()


def answered(answer: Answer | None) -> tuple[str, str] | None:
    """First and last day as ISO dates, or None if the answer holds no period."""
    if answer is None:
        return None
    text = answer if isinstance(answer, str) else " ".join(answer)
    days = re.findall(r"\d{4}-\d{2}-\d{2}", text)
    if len(days) != 2:
        return None
    try:
        first, last = (date.fromisoformat(day) for day in days)
    except ValueError:
        return None
    return (days[0], days[1]) if first < last else None


def _written(year: int, first: int, last: int) -> str:
    return f"{year}-{first:02}-01{BETWEEN}{year}-{last:02}-{calendar.monthrange(year, last)[1]}"
