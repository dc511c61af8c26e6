"""What is true about the demo company, for tests and readers to compare findings with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from data.demo.aims import Aims
from data.demo.company import (
    AS_OF,
    CULTURE_FUNCTION,
    CYCLES,
    PERFORMANCE_FUNCTION,
    REORGANISED,
    SNAPSHOTS,
    Company,
    Flags,
    Size,
)
from data.demo.courses import WALK_SHARES
from data.demo.flaws import Flaw
from data.demo.judging import INFLATION
from data.demo.people import (
    CENTRAL_SHRINK,
    CULTURE_SHIFT,
    HALO_SHRINK,
    PERFORMANCE_SHIFT,
    SOFTENING,
    History,
    Traits,
)
from data.demo.practice import NEVER_APPROVED
from data.demo.rewards import NOMINATION_ODDS
from data.demo.tracking import LATE_DEPARTMENT


def write(
    folder: Path,
    *,
    company: Company,
    history: History,
    traits: Traits,
    ambitions: Aims,
    size: Size,
    seed: int,
    rows: dict[str, int],
    flaws: Sequence[Flaw],
) -> None:
    """Write ``truth.json`` and the tables ``raters.csv``, ``people.csv`` and ``goals.csv``.

    ``rows`` in the file says how many rows of each table a faultless import holds.
    """

    def who(mark: Flags) -> list[str]:
        return sorted(history.employee_id[mark].tolist())

    def sized(mark: Flags) -> list[dict[str, object]]:
        return [
            {"rater_id": str(history.employee_id[at]), "severity": round(float(traits.severity[at]), 4)}
            for at in np.flatnonzero(mark)
        ]

    content = {
        "company": "Meridian Instruments / 恒准仪器",
        "size": size,
        "seed": seed,
        "as_of": AS_OF.isoformat(),
        "cycles": CYCLES,
        "reorganised_on": SNAPSHOTS[REORGANISED].isoformat(),
        "lenient": sized(traits.lenient),
        "harsh": sized(traits.harsh),
        "central": {"raters": who(traits.central), "spread_kept": CENTRAL_SHRINK},
        "halo": {"raters": who(traits.halo), "dimension_spread_kept": HALO_SHRINK},
        "softening": {"raters": who(traits.softening), "points_per_cycle": SOFTENING},
        "cannot_tell": who(traits.closed),
        "culture_department": {"department_id": CULTURE_FUNCTION, "raters_shift": CULTURE_SHIFT},
        "performance_department": {"department_id": PERFORMANCE_FUNCTION, "ratees_shift": PERFORMANCE_SHIFT},
        "gender_gap": {"gate": "nominated", "odds_of_women": NOMINATION_ODDS, "ratings": 0.0},
        "inflation_per_cycle": INFLATION,
        "weights_never_approved": NEVER_APPROVED,
        "goals_not_taken_up": ambitions.not_taken_up,
        "stale_branches": ambitions.stale_branches,
        "over_promisers": who(ambitions.over_promises),
        "sandbaggers": who(ambitions.sandbags),
        "goals_set_late_department": LATE_DEPARTMENT,
        "goal_holes": ambitions.holes,
        "correlated_risks": WALK_SHARES,
        "rows": rows,
        "flaws": [flaw.entry() for flaw in flaws],
    }
    (folder / "truth.json").write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    ids = pl.Series("rater_id", history.employee_id)
    function = company.code[company.function[history.department[: len(CYCLES)]]]
    there = history.active[: len(CYCLES)]
    in_culture = (there & (function == CULTURE_FUNCTION)).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    ever_seated = (history.seat >= 0).any(axis=0)
    pl.DataFrame(
        {
            "rater_id": ids,
            "severity": traits.severity.round(4),
            "manages": ever_seated,
            "cannot_tell": traits.closed,
            # Averaged over the cycles they were there: some came or went.
            "culture": (CULTURE_SHIFT * in_culture).round(4),
        }
    ).write_csv(folder / "raters.csv")
    pl.DataFrame(
        {"employee_id": ids, "performance": traits.performance.round(4), "woman": history.woman}
    ).write_csv(folder / "people.csv")
    ambitions.truth.write_csv(folder / "goals.csv")
