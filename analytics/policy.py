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
FALSE_DISCOVERY: Final = Threshold(
    0.05,
    date(2026, 11, 22),
    "Benjamini & Hochberg (1995), J. R. Stat. Soc. B 57(1). doi:10.1111/j.2517-6161.1995.tb02031.x",
    "Of the groups flagged on one page, about one in twenty may be chance.",
)
NEGLIGIBLE_VARIANCE: Final = Threshold(
    0.01,
    date(2026, 11, 22),
    "Cohen (1988), Statistical Power Analysis for the Behavioral Sciences, 2nd ed., p. 284 (small: .0099)",
    "Groups that explain less than one per cent of the variation are alike for every practical purpose.",
)
SMALL_DIFFERENCE: Final = Threshold(
    0.2,
    date(2026, 11, 22),
    "Cohen (1988), Statistical Power Analysis for the Behavioral Sciences, 2nd ed., p. 25",
    "A difference under a fifth of the spread between people is too small to act upon.",
)
GUIDANCE_TOLERANCE: Final = Threshold(
    0.05,
    date(2026, 11, 22),
    "Custom of forced-distribution schemes; no norm prescribes it",
    "People come in whole numbers: a share within five percentage points of its target meets it.",
)
