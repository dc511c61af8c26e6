"""Which rows of the exports are wrong on purpose?

Real exports are never clean. A dozen rows break a rule each, so that the page of rejected rows has
something to show; what is wrong with each is part of the truth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Final

import numpy as np
import polars as pl

from data.demo.company import CYCLES, Company, Ints
from data.demo.people import History
from data.demo.roster import roster

COVERED_FROM: Final = date(2025, 10, 1)
COVERED_SNAPSHOT: Final = 4
COVERED: Final = 4
NAMESAKE: Final = "Anna Berger"
UNKNOWN_EMPLOYEE: Final = "M99999"


@dataclass(frozen=True)
class Flaw:
    """A row that is wrong on purpose: its file, its line, the table it was meant for, what is wrong.

    ``fate`` is ``rejected``; ``superseded`` for a row that a later one replaces; ``cut`` for a row that goes
    in without the link that is wrong, which is listed among the rejected.
    """

    file: str
    line: int
    table: str
    what: str
    value: str
    fate: str = "rejected"

    def entry(self) -> dict[str, object]:
        """As it stands in the truth file."""
        return asdict(self)


def with_namesakes(history: History) -> tuple[History, int]:
    """The same people, two of headquarters by one name, and the position of one of them."""
    pair = np.flatnonzero(history.active.all(axis=0) & ~history.chinese & history.woman)[:2]
    names, mails = history.display_name.copy(), history.email.copy()
    for person in pair:
        names[person] = NAMESAKE
        mails[person] = f"anna.berger.{history.employee_id[person][1:]}@meridian.example"
    return replace(history, display_name=names, email=mails), int(pair[1])


def flawed_ratings(good: pl.DataFrame, file: str, lines: int) -> tuple[pl.DataFrame, list[Flaw]]:
    """Rows to append to the last ratings.

    Parameters
    ----------
    good
        The ratings of the last cycle.
    file
        Name of the file they stand in.
    lines
        Lines the file has before, the header included.
    """
    overall = good.filter(
        pl.col("Source") == "manager", pl.col("Dimension") == "overall", pl.col("Stage") == "initial"
    )
    rows = pl.concat(
        [
            overall[0:2].with_columns(pl.lit(UNKNOWN_EMPLOYEE).alias("Employee ID")),
            overall[2:3].with_columns(pl.lit(UNKNOWN_EMPLOYEE).alias("Rater ID")),
            overall[3:4].with_columns(
                pl.lit("2025-12-31T23:00:00").alias("Submitted At"), pl.lit("agility").alias("Dimension")
            ),
            overall[4:5].with_columns(pl.col("Employee ID").alias("Rater ID")),
            overall[5:6].with_columns(pl.lit("neighbour").alias("Source")),
            # The same judgement sent twice; the second one came later and counts.
            overall[6:8].with_columns(
                pl.Series("Rating", ["B", "B"]), pl.lit("2026-06-29T18:00:00").alias("Submitted At")
            ),
        ]
    )
    said = (
        [("unknown employee", UNKNOWN_EMPLOYEE)] * 2
        + [("unknown rater", UNKNOWN_EMPLOYEE), ("submitted before the cycle began", "2025-12-31T23:00:00")]
        + [("manager rates themselves", rows["Rater ID"][4])]
        + [("unknown rating source", "neighbour")]
        + [("sent twice, the later row counts", "B")] * 2
    )
    flaws = [
        Flaw(file, lines + at, "ratings", what, value, "superseded" if "twice" in what else "rejected")
        for at, (what, value) in enumerate(said, start=1)
    ]
    return rows, flaws


def cover(
    company: Company, history: History, level: Ints, namesake: int, file: str, *, seed: int
) -> tuple[pl.DataFrame, list[Flaw]]:
    """Changes in the middle of a cycle: four people covered by their manager's manager, two rows wrong."""
    at = COVERED_SNAPSHOT
    whole = roster(company, history, level, at, chinese=False, seed=seed)
    boss = history.manager[at]
    above = np.where(boss >= 0, boss[boss], -1)
    stays = history.active[at] & history.active[at + 1] & ~history.chinese & (history.seat[at] < 0)
    people = np.flatnonzero(stays & (above >= 0) & ~company.closed[np.maximum(history.team[at], 0)])
    chosen = people[:: max(1, len(people) // (COVERED + 2))][: COVERED + 2]
    managers = [str(history.employee_id[above[person]]) for person in chosen[:COVERED]]
    managers += [str(history.employee_id[chosen[COVERED]]), str(history.display_name[namesake])]
    order = pl.DataFrame({"employee_id": history.employee_id[chosen], "now": managers})
    rows = (
        order.join(whole, on="employee_id", how="left", maintain_order="left")
        .with_columns(manager_id="now", effective_date=pl.lit(COVERED_FROM))
        .select(whole.columns)
    )
    return rows, [
        Flaw(file, 2 + COVERED, "assignments", "their own manager", managers[COVERED], "cut"),
        Flaw(file, 3 + COVERED, "assignments", "manager's name fits two people", managers[-1], "cut"),
    ]


def flawed_rest(tables: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """One or two rows to append to some of the tables."""
    goals, check_ins = tables["goals"], tables["check_ins"]
    last_goal = goals[-1:].with_columns(goal_id=pl.lit("G-9001"), parent_id=pl.lit(None, dtype=pl.String))
    due_first = last_goal.with_columns(due_on=pl.col("start_on").dt.offset_by("-30d"))
    lost = check_ins[-2:].with_columns(goal_id=pl.Series(["G-9999", check_ins["goal_id"][-1]]))
    lost = lost.with_columns(
        checked_at=pl.lit("2026-09-29T12:00:00"), value=pl.Series(["12.5", "about half"])
    )
    return {
        "goals": due_first,
        "check_ins": lost,
        "calibration_changes": tables["calibration_changes"][-2:].with_columns(
            session_id=pl.lit("CAL-TYPO"), score_after=pl.Series([6.0, 55.0])
        ),
        "promotions": tables["promotions"][-1:].with_columns(
            employee_id=pl.lit(UNKNOWN_EMPLOYEE), cycle_id=pl.lit(CYCLES[-1])
        ),
        "pay": tables["pay"][-1:].with_columns(valid_from=date(2026, 7, 1), currency=pl.lit("EURO")),
    }


REST: Final = {
    "goals": (("due before it starts", "G-9001"),),
    "check_ins": (("unknown goal", "G-9999"), ("value is not a number", "about half")),
    "calibration_changes": (("rating off the scale", "6.0"), ("rating off the scale", "55.0")),
    "promotions": (("unknown employee", UNKNOWN_EMPLOYEE),),
    "pay": (("currency is not a code of three letters", "EURO"),),
}
