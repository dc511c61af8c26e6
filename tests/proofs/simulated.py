"""Companies whose truth is known: how often the methods are right about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.bench import ordinal, simulations

ALIKE: Final = "raters do not differ"
"""Stands for companies in which every flag is false."""


@dataclass(frozen=True)
class Simulation:
    """How one model is tried.

    Attributes
    ----------
    model
        A chapter of the page on methods.
    designs
        Kinds of companies.
    tally
        Counts over so many companies of a design.
    alarmed
        Companies, raters and flags where no rater differs from another.
    """

    model: str
    designs: tuple[str, ...]
    tally: Callable[[str, int], Mapping[str, float]]
    alarmed: Callable[[int], Mapping[str, int]]

    def records(self, companies: int) -> Iterator[dict[str, Any]]:
        """The lines of the page on methods."""
        for design in self.designs:
            found = self.tally(design, companies)
            yield {
                "model": self.model,
                "design": design,
                "companies": companies,
                "raters": int(found["told"]),
                "coverage": found["covered"] / found["told"],
                "flags": int(found["flags"]),
                "wrong": int(found["false"]),
                "stated": found["stated"],
                "alarmed": None,
            }
        null = self.alarmed(companies)
        yield {
            "model": self.model,
            "design": ALIKE,
            "companies": companies,
            "raters": null["raters"],
            "coverage": None,
            "flags": null["flags"],
            "wrong": None,
            "stated": None,
            "alarmed": null["companies"],
        }


SIMULATIONS: Final = (
    Simulation("linear", tuple(simulations.DESIGNS), simulations.tallied, simulations.alarmed),
    Simulation("ordinal", tuple(ordinal.DESIGNS), ordinal.tallied, ordinal.alarmed),
)
