"""Dated, cited thresholds: every number with a legal, statistical or customary meaning.

Each threshold says since when this product uses it and on whose authority. ``RULES_VERSION`` changes
with any of them and stands beside every figure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

RULES_VERSION: Final = "2026.11"


@dataclass(frozen=True)
class Threshold:
    """A number that decides something.

    Attributes
    ----------
    value
        The number itself.
    since
        In force in this product from this day.
    source
        The paper, norm or vendor page it rests on.
    why
        One sentence a reader outside statistics understands.
    """

    value: float
    since: date
    source: str
    why: str


MINIMUM_GROUP: Final = Threshold(
    5,
    date(2026, 11, 22),
    "Culture Amp and vivainsights (mingroup=5) practice; GDPR recital 26",
    "A figure about fewer than five people says too much about each of them.",
)
MINIMUM_GROUP_FOR_COMMENTS: Final = Threshold(
    10,
    date(2026, 11, 22),
    "Viva Glint practice",
    "Words give their writer away sooner than numbers do.",
)
CONFIDENCE: Final = Threshold(
    0.95,
    date(2026, 11, 22),
    "Convention",
    "Intervals cover the true value in 19 of 20 such cases.",
)
