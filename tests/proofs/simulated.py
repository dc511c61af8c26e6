"""Companies whose truth is known: how often the methods are right about them."""

from __future__ import annotations

from typing import Any

from tests.bench.simulations import DESIGNS as LINEAR
from tests.bench.simulations import alarmed, tallied


def simulated(design: str, companies: int) -> dict[str, Any]:
    """One line of the page on methods."""
    tally, null = tallied(design, companies), alarmed(companies)
    return {
        "model": "linear",
        "design": design,
        "companies": companies,
        "raters": int(tally["told"]),
        "coverage": tally["covered"] / tally["told"],
        "flags": int(tally["flags"]),
        "wrong": int(tally["false"]),
        "stated": tally["stated"],
        "null_companies": companies,
        "null_flagged": null["companies"],
    }


DESIGNS = tuple(LINEAR)
