"""Which levels does a rating scale have, and which end is the best?

Reads    the distinct rating values of a sheet, the scales already known, and what a person answered.
Returns  a `Scale`, or the question to ask with likely answers first.

Only words that say their own order settle it ("Exceeds" is above "Meets", 远超 above 超出). Letters and
bare numbers do not: 1 is the best mark in some companies and the worst in others.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from data.sources.model import Answer

BELOW: Final = " < "
"""Between two levels of a written scale, the worse one first."""
RANGE: Final = "…"
"""Between the ends of a scale without levels."""
NOT_RATED: Final = frozenset(
    {
        "n/a",
        "na",
        "-",
        "—",
        "--",
        "/",
        "not rated",
        "unrated",
        "not applicable",
        "none",
        "未评",
        "未评价",
        "无",
        "不适用",
        "未参与",
        "不参与",
    }
)
"""Folded values that say there is no rating."""
MOST_LEVELS: Final = 100
OUTSIDE: Final = " (?)"
"""Marks a number beyond the ends of its scale, so that it fails as a number and is named."""


@dataclass(frozen=True)
class Scale:
    """A rating scale, worst level first; without levels it is continuous."""

    codes: tuple[str, ...]
    labels: tuple[str, ...]
    points: tuple[float, ...]
    lowest: float
    highest: float
    scale_id: str

    @property
    def written(self) -> str:
        """As an answer: ``D < C < B < A`` or ``0 … 100``."""
        return BELOW.join(self.codes) if self.codes else f"{self.lowest:g} {RANGE} {self.highest:g}"


# Each family lists its levels from worst to best; names in one entry mean the same level.
_FAMILIES: Final[tuple[tuple[tuple[str, ...], ...], ...]] = (
    (
        (
            "doesnotmeetexpectations",
            "doesnotmeet",
            "didnotmeetexpectations",
            "failstomeetexpectations",
            "notmeetingexpectations",
            "unsatisfactory",
            "unacceptable",
            "farbelowexpectations",
            "significantlybelowexpectations",
        ),
        (
            "belowexpectations",
            "below",
            "partiallymeetsexpectations",
            "partiallymeets",
            "needsimprovement",
            "somewhatbelowexpectations",
            "developmentneeded",
            "meetssomeexpectations",
            "meetssome",
            "inconsistent",
        ),
        (
            "meetsexpectations",
            "meets",
            "meetsallexpectations",
            "meetsall",
            "successful",
            "fullymeetsexpectations",
            "fullymeets",
            "satisfactory",
            "metexpectations",
            "solid",
            "goodperformance",
        ),
        (
            "exceedsexpectations",
            "exceeds",
            "exceededexpectations",
            "aboveexpectations",
            "above",
            "exceedssomeexpectations",
            "meetsplus",
        ),
        (
            "farexceedsexpectations",
            "farexceeds",
            "greatlyexceedsexpectations",
            "greatlyexceeds",
            "significantlyexceedsexpectations",
            "significantlyexceeds",
            "consistentlyexceedsexpectations",
            "consistentlyexceeds",
            "outstanding",
            "exceptional",
            "farabove",
            "farexceededexpectations",
            "substantiallyexceedsexpectations",
        ),
    ),
    (
        ("不符预期", "不符合预期", "远低于预期", "完全不符合预期", "未达预期", "未达到预期"),
        ("低于预期", "略低于预期", "部分符合预期", "基本符合预期", "部分达到预期"),
        ("符合预期", "满足预期", "达到预期", "达预期"),
        ("超出预期", "超预期", "超过预期", "高于预期"),
        ("远超预期", "远超出预期", "大幅超出预期", "显著超出预期", "卓越表现"),
    ),
    (
        ("不合格", "不称职", "不胜任", "差", "较差"),
        ("待改进", "需改进", "有待改进", "待提升", "需提升", "基本合格", "基本称职"),
        ("合格", "称职", "胜任", "达标", "中等", "一般"),
        ("良好", "良"),
        ("优秀", "优"),
        ("卓越", "杰出"),
    ),
    (
        ("verypoor", "unacceptable"),
        ("poor", "weak"),
        ("fair", "average"),
        ("good",),
        ("verygood",),
        ("excellent",),
        ("outstanding", "exceptional"),
    ),
    (
        ("strongdisagree", "stronglydisagree", "非常不同意"),
        ("disagree", "不同意"),
        ("neutral", "neitheragreenordisagree", "中立"),
        ("agree", "同意"),
        ("strongagree", "stronglyagree", "非常同意"),
    ),
)

# Letters as usually meant, worst first; suggestions only.
_LETTERS: Final = (
    ("D", "C", "B", "A", "S"),
    ("C", "B", "A", "S"),
    ("C", "B", "A"),
    ("C", "B", "A", "A+"),
    ("D", "C", "B", "A"),
    ("D", "C", "B", "A", "A+"),
    ("E", "D", "C", "B", "A"),
    ("D", "C", "B-", "B", "B+", "A", "S"),
    ("C", "B-", "B", "B+", "A"),
    ("D", "C", "B", "B+", "A", "A+"),
    ("D", "C-", "C", "C+", "B-", "B", "B+", "A-", "A", "A+"),
    ("D", "C-", "C", "C+", "B-", "B", "B+", "A-", "A", "A+", "S"),
)
_NUMBER_RANGES: Final = (
    (1, 5),
    (1, 4),
    (1, 3),
    (1, 7),
    (0, 5),
    (1, 10),
    (0, 10),
    (0, 100),
    (0, 120),
    (0, 150),
)


def folded(code: str) -> str:
    """A level's name without case, spaces and punctuation, but with its plus or minus."""
    return re.sub(r"[\s_.,:;()（）]|(?<=\w)-(?=\w)", "", code).casefold()


def rated(codes: Iterable[str]) -> tuple[str, ...]:
    """The codes that are ratings, sorted: without those that say there is none."""
    return tuple(sorted({code for code in codes if code.casefold() not in NOT_RATED}))


def declared(codes: Sequence[str]) -> Scale | None:
    """The scale, if the level names themselves say their order without doubt."""
    if len(codes) < 2:
        return None
    for family in _FAMILIES:
        rank = {name: at for at, names in enumerate(family) for name in names}
        ranks = [rank.get(folded(code)) for code in codes]
        known = [at for at in ranks if at is not None]
        if len(known) == len(codes) == len(set(known)):
            return levels([code for _, code in sorted(zip(known, codes, strict=True))])
    return None


def suggested(codes: Sequence[str]) -> tuple[str, ...]:
    """Likely scales as written answers, most likely first; empty where nothing is likely."""
    numbers = [_number(code) for code in codes]
    values = [number for number in numbers if number is not None]
    if len(values) == len(codes) and values:
        return _numeric(values)
    upper = {code.upper(): code for code in codes}
    for preset in sorted(_LETTERS, key=len):
        if set(upper) <= set(preset):
            named = [upper.get(level, level) for level in preset]
            return BELOW.join(named), BELOW.join(reversed(named))
    for family in _FAMILIES:
        rank = {name: at for at, names in enumerate(family) for name in names}
        if all(folded(code) in rank for code in codes):
            ordered = sorted(codes, key=lambda code: rank[folded(code)])
            return (BELOW.join(ordered),)
    return ()


def answered(answer: Answer) -> Scale | None:
    """The scale a written answer stands for, or None if it is not one."""
    parts = (
        re.split(r"\s*[<＜|｜]\s*|\s*…\s*|\s*\.\.\.\s*", answer) if isinstance(answer, str) else list(answer)
    )
    continuous = (RANGE in answer or "..." in answer) if isinstance(answer, str) else RANGE in answer
    names = [part.strip() for part in parts if part.strip() and part.strip() != RANGE]
    if continuous:
        ends = [_number(name) for name in names]
        if len(ends) != 2 or ends[0] is None or ends[1] is None or ends[0] >= ends[1]:
            return None
        return _continuous(ends[0], ends[1])
    if not 2 <= len(names) <= MOST_LEVELS or len(set(names)) < len(names):
        return None
    return levels(names)


def levels(codes: Sequence[str], labels: Sequence[str] | None = None) -> Scale:
    """A scale from its level names, worst first; rising numbers count as themselves."""
    numbers = [_number(code) for code in codes]
    values = [number for number in numbers if number is not None]
    rising = len(values) == len(codes) and all(a < b for a, b in itertools.pairwise(values))
    points = tuple(values) if rising else tuple(float(i) for i in range(1, len(codes) + 1))
    return Scale(
        codes=tuple(codes),
        labels=tuple(labels or codes),
        points=points,
        lowest=points[0],
        highest=points[-1],
        scale_id=BELOW.join(codes)[:200],
    )


def known(scales: pl.DataFrame, ranges: pl.DataFrame | None = None) -> dict[str, Scale]:
    """Scales already in the warehouse, by id; those of ``ranges`` without levels are continuous."""
    found = {}
    for (scale_id,), rows in scales.sort("scale_id", "level").group_by("scale_id", maintain_order=True):
        points = tuple(float(value) for value in rows["points"])
        found[str(scale_id)] = Scale(
            codes=tuple(rows["code"]),
            labels=tuple(rows["label"]),
            points=points,
            lowest=min(points),
            highest=max(points),
            scale_id=str(scale_id),
        )
    if ranges is not None:
        for scale_id, lowest, highest in ranges.select("scale_id", "lowest", "highest").iter_rows():
            found.setdefault(scale_id, replace(_continuous(lowest, highest), scale_id=scale_id))
    return found


def covers(scale: Scale, codes: Iterable[str]) -> bool:
    """Whether all codes are levels of a scale, by code or label."""
    names = {folded(name) for name in (*scale.codes, *scale.labels)}
    return bool(scale.codes) and all(folded(code) in names for code in codes)


def scored(column: pl.Series, scale: Scale) -> tuple[pl.Series, pl.Series]:
    """Points and level of each rating as text; a value that is not on the scale stays as it stood.

    Returns
    -------
    score, level
        String columns; the level is null where the value is not a level.
    """
    distinct = column.unique().drop_nulls()
    if scale.codes:
        by_name = {folded(name): at for at, name in enumerate(scale.labels)} | {
            folded(name): at for at, name in enumerate(scale.codes)
        }
        positions = [by_name.get(folded(_trimmed(value))) for value in distinct]
        # Between levels that count as they are written lie averages; elsewhere a number is no level.
        counted = all(_number(c) == points for c, points in zip(scale.codes, scale.points, strict=True))
        points = [
            (_between(value, scale, counted=counted) if at is None else f"{scale.points[at]:g}")
            for value, at in zip(distinct, positions, strict=True)
        ]
        ranks = [None if at is None else str(at + 1) for at in positions]
    else:
        points = [_between(value, scale, counted=True) for value in distinct]
        ranks = [None] * len(points)
    old = distinct.to_list()
    if not old:
        return column, pl.Series(column.name, [None] * len(column), dtype=pl.String)
    score = column.replace_strict(old, points, default=None, return_dtype=pl.String)
    level = column.replace_strict(
        old, pl.Series(ranks, dtype=pl.String), default=None, return_dtype=pl.String
    )
    return score, level


def _between(value: str, scale: Scale, *, counted: bool) -> str:
    """A number as points of a scale, marked if it is outside; text as it stood."""
    number = _number(value)
    if number is None:
        return value
    return f"{number:.10g}" if counted and scale.lowest <= number <= scale.highest else f"{value}{OUTSIDE}"


def _numeric(values: Sequence[float]) -> tuple[str, ...]:
    lowest, highest = min(values), max(values)
    whole = all(value == math.floor(value) for value in values)
    ranges = [(a, b) for a, b in _NUMBER_RANGES if a <= lowest and highest <= b]
    if whole and highest <= 10:
        written = []
        for a, b in [r for r in ranges if r[1] <= 10][:3]:
            rising = [str(i) for i in range(a, b + 1)]
            written += [BELOW.join(rising), BELOW.join(reversed(rising))]
        narrow = sorted(written, key=lambda text: (text.count(BELOW) + 1 < len(set(values)), 0))
        return tuple(narrow)
    choices = [f"{a} {RANGE} {b}" for a, b in ranges[:3]] or [f"{lowest:g} {RANGE} {highest:g}"]
    if 2 <= len(set(values)) <= 12:
        rising = [f"{value:g}" for value in sorted(set(values))]
        choices += [BELOW.join(rising), BELOW.join(reversed(rising))]
    return tuple(choices)


def _continuous(lowest: float, highest: float) -> Scale:
    return Scale((), (), (), lowest, highest, f"{lowest:g} {RANGE} {highest:g}")


def _number(code: str) -> float | None:
    try:
        value = float(code.strip().removesuffix("%"))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _trimmed(value: str) -> str:
    number = _number(value)
    return f"{number:g}" if number is not None and re.fullmatch(r"\s*\d+\.0+\s*", value) else value.strip()
