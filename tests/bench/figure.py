"""What a bench says: a figure, the bar it stands against, and whether it is met."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Verdict = Literal["met", "not met", "reported", "skipped"]


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes
    ----------
    what
        What was measured.
    said
        The figure with its unit; why, if it was skipped.
    bar
        What it should be; empty where it is only reported.
    verdict
        Whether it is.
    value
        The figure as a number, None if skipped.
    note
        What helps to read it: parts, load of the machine.
    """

    what: str
    said: str
    bar: str
    verdict: Verdict
    value: float | None = None
    note: str = ""

    @property
    def line(self) -> str:
        """One line of text."""
        bar = f" (bar {self.bar})" if self.bar else ""
        note = f"  [{self.note}]" if self.note else ""
        return f"{self.verdict:>8}  {self.what}: {self.said}{bar}{note}"


@dataclass(frozen=True)
class Options:
    """How the benches run.

    Attributes
    ----------
    quick
        Smaller sizes and fewer repetitions, for a look; bars hold for the full run.
    scratch
        An empty folder for this run.
    kept
        A folder that stays between runs: built companies, unpacked packages.
    """

    quick: bool
    scratch: Path
    kept: Path


@dataclass(frozen=True)
class Bench:
    """A family of figures.

    Attributes
    ----------
    name
        How to ask for it.
    run
        Measures; yields each figure as it is known.
    """

    name: str
    run: Callable[[Options], Iterable[Figure]]


def at_most(what: str, value: float, most: float, *, unit: str, digits: int = 2, note: str = "") -> Figure:
    """A figure that must not be larger than its bar."""
    return Figure(
        what,
        f"{value:,.{digits}f}{unit}",
        f"≤ {most:,.{digits}f}{unit}",
        "met" if value <= most else "not met",
        value,
        note,
    )


def at_least(what: str, value: float, least: float, *, note: str = "") -> Figure:
    """A figure that must not be smaller than its bar."""
    return Figure(what, f"{value:.3f}", f"≥ {least:.3f}", "met" if value >= least else "not met", value, note)


def none_of(what: str, count: int, *, of: str, note: str = "") -> Figure:
    """A count that must be nought."""
    return Figure(what, f"{count:,} of {of}", "0", "not met" if count else "met", count, note)


def reported(what: str, value: float, *, unit: str, digits: int = 2, note: str = "") -> Figure:
    """A figure without a bar."""
    return Figure(what, f"{value:,.{digits}f}{unit}", "", "reported", value, note)


def skipped(what: str, why: str, *, bar: str = "") -> Figure:
    """A figure that could not be measured here."""
    return Figure(what, why, bar, "skipped")


def percentile(values: Sequence[float], share: float) -> float:
    """Linear between neighbours, as numpy's default."""
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    below = int(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (at - below) * (ordered[above] - ordered[below])


def spread(values: Sequence[float], *, unit: str = " s") -> str:
    """Median with the range: what a note says of repetitions."""
    return (
        f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f}){unit}, n = {len(values)}"
    )


def load() -> str:
    """How busy the machine is; a figure taken under load from others is no figure."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def markdown(figures: Sequence[Figure]) -> str:
    """All figures as a table."""
    rows = ["| what | figure | bar | verdict | note |", "|---|---|---|---|---|"]
    rows += [
        "| "
        + " | ".join(cell.replace("|", "\\|") for cell in (f.what, f.said, f.bar, f.verdict, f.note))
        + " |"
        for f in figures
    ]
    return "\n".join(rows)
