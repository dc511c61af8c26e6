"""A synthetic company, written as the export files its vendors would produce.

Meridian Instruments / 恒准仪器 does not exist. Its history is drawn from a seed; what was planted in it
(lenient and harsh managers, a department shifted by culture and one by real work, a gender gap at one
gate, …) is written beside the exports, in a folder the import does not see, so that tests and readers can
compare what the analyses find with what is true.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from data.demo import aims, flaws, judging, practice, rewards, roster, truth, writing
from data.demo.company import AS_OF, CYCLES, PLANS, RUNNING_CYCLE, SNAPSHOTS, Company, Ints, Plan, Size, found
from data.demo.draws import stream
from data.demo.flaws import Flaw
from data.demo.people import History, Traits, populate

SEED: Final = 20261122
SCALE: Final = "meridian-5"
LABELS: Final = (
    "Unsatisfactory 不符预期",
    "Below expectations 低于预期",
    "Meets expectations 符合预期",
    "Exceeds expectations 超出预期",
    "Outstanding 卓越",
)

__all__ = ["AS_OF", "PLANS", "SEED", "Demo", "Size", "write"]


@dataclass(frozen=True)
class Demo:
    """What was written.

    Attributes
    ----------
    folder
        Where everything lies.
    exports
        The folder to import: nothing but export files.
    files
        The export files, sorted.
    truth
        What was planted, as JSON; tables of raters, people and goals lie beside it.
    """

    folder: Path
    exports: Path
    files: tuple[Path, ...]
    truth: Path


def write(folder: Path, *, size: Size, seed: int = SEED) -> Demo:
    """Write the demo company.

    Parameters
    ----------
    folder
        Where to; ``exports`` and ``truth`` inside it are replaced.
    size
        ``small`` (some 300 people), ``medium`` (5,000) or ``large`` (200,000 people, 10 M ratings;
        the tall tables as Parquet, one file a cycle).
    seed
        The same seed writes the same bytes.

    Raises
    ------
    ValueError
        If there is no such size, or the seed is negative.
    """
    if size not in PLANS:
        raise ValueError(f"size must be one of {', '.join(PLANS)}; received {size!r}")
    if seed < 0:
        raise ValueError(f"seed must be 0 or more; received {seed}")
    exports, hidden = folder / "exports", folder / "truth"
    for part in (exports, hidden):
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
    plan = PLANS[size]
    company = found(plan, stream(seed, "company"))
    history, traits = populate(company, size=size, seed=seed)
    history, namesake = flaws.with_namesakes(history)

    rows: dict[str, int] = {}
    rated = _write_ratings(exports, company, history, traits, plan=plan, rows=rows, seed=seed)
    found_flaws = rated.flaws
    career = rewards.reward(company, history, rated.final, plan, seed=seed)
    found_flaws += _write_people(
        exports, company, history, level=career.level, namesake=namesake, plan=plan, rows=rows, seed=seed
    )
    ambitions = aims.aim(company, history, traits, plan, seed=seed)
    habits = practice.practise(company, history, traits, rated.initial, plan, seed=seed)
    tables = {
        "goals": ambitions.goals,
        "check_ins": ambitions.check_ins,
        "goal_changes": ambitions.changes,
        "goal_alignments": ambitions.alignments,
        "weight_schemes": habits.weight_schemes,
        "competency_assessments": habits.competency_assessments,
        "calibration_changes": rated.calibration_changes,
        "conversations": habits.conversations,
        "feedback": habits.feedback,
        "survey_responses": habits.survey_responses,
        "appeals": habits.appeals,
        "pay": career.pay,
        "promotions": career.promotions,
        "trainings": career.trainings,
        "improvement_plans": career.improvement_plans,
    }
    found_flaws += _write_rest(exports, tables, plan, rows)
    truth.write(
        hidden,
        company=company,
        history=history,
        traits=traits,
        ambitions=ambitions,
        size=size,
        seed=seed,
        rows=rows,
        flaws=found_flaws,
    )
    return Demo(folder, exports, tuple(sorted(exports.iterdir())), hidden / "truth.json")


@dataclass(frozen=True)
class _Rated:
    initial: Ints
    final: Ints
    calibration_changes: pl.DataFrame
    flaws: list[Flaw]


def _write_ratings(
    exports: Path,
    company: Company,
    history: History,
    traits: Traits,
    *,
    plan: Plan,
    rows: dict[str, int],
    seed: int,
) -> _Rated:
    writing.csv(
        exports / "rating_scales.csv",
        pl.DataFrame(
            {"scale_id": [SCALE], "name": ["Meridian S-A-B-C-D"], "lowest": [1.0], "highest": [5.0]}
        ),
    )
    writing.csv(
        exports / "scale_levels.csv",
        pl.DataFrame(
            {
                "scale_id": [SCALE] * 5,
                "level": range(1, 6),
                "code": judging.LEVEL_CODES,
                "label": LABELS,
                "points": [1.0, 2.0, 3.0, 4.0, 5.0],
            }
        ),
    )
    names = (*CYCLES, RUNNING_CYCLE)
    starts = pl.Series(SNAPSHOTS)
    ends = starts.dt.offset_by("6mo").dt.offset_by("-1d")
    writing.csv(
        exports / "review_cycles.csv",
        pl.DataFrame(
            {
                "cycle_id": names,
                "name": [f"{name[:4]} {name[4:]}" for name in names],
                "starts_on": starts,
                "ends_on": ends,
                "scale_id": [SCALE] * len(names),
            }
        ),
    )
    rows |= {"rating_scales": 1, "scale_levels": 5, "review_cycles": len(names), "ratings": 0}
    initial, final, changes = [], [], []
    planted: list[Flaw] = []
    lines = 1
    for cycle, name in enumerate(CYCLES):
        judged = judging.judge(company, history, traits, cycle=cycle, dimensions=plan.dimensions, seed=seed)
        initial.append(judged.initial)
        final.append(judged.final)
        changes.append(practice.calibration_changes(company, history, judged, cycle))
        export = judging.ratings_export(history, judged, cycle)
        del judged
        rows["ratings"] += len(export)
        file = f"ratings_{name}.parquet" if plan.columnar else "ratings.csv"
        if plan.columnar:
            lines = 0
        if cycle == len(CYCLES) - 1:
            wrong, planted = flaws.flawed_ratings(export, file, lines + len(export))
            export = pl.concat([export, wrong])
        if plan.columnar:
            writing.parquet(exports / file, export)
        else:
            writing.csv(exports / file, export, append=cycle > 0)
            lines += len(export)
    return _Rated(np.stack(initial), np.stack(final), pl.concat(changes), planted)


def _write_people(
    exports: Path,
    company: Company,
    history: History,
    *,
    level: Ints,
    namesake: int,
    plan: Plan,
    rows: dict[str, int],
    seed: int,
) -> list[Flaw]:
    departments = roster.departments(company)
    writing.csv(exports / "departments.csv", departments)
    subsidiary = []
    assignments = 0
    for snapshot, day in enumerate(SNAPSHOTS):
        of_headquarters = roster.roster(company, history, level, snapshot, chinese=False, seed=seed)
        writing.tall(exports / f"roster_{day}", of_headquarters, columnar=plan.columnar)
        of_subsidiary = roster.roster(company, history, level, snapshot, chinese=True, seed=seed)
        subsidiary.append(of_subsidiary.rename(roster.CHINESE_HEADERS))
        assignments += len(of_headquarters) + len(of_subsidiary)
    writing.csv_gb18030(exports / "恒准仪器花名册_历史.csv", pl.concat(subsidiary[:-1]))
    writing.xlsx(exports / f"恒准仪器花名册_{SNAPSHOTS[-1]}.xlsx", subsidiary[-1])
    file = f"roster_changes_{flaws.COVERED_FROM}.csv"
    changed, planted = flaws.cover(company, history, level, namesake, file, seed=seed)
    writing.csv(exports / file, changed)
    people = len(history.employee_id)
    rows |= {
        "employees": people,
        "protected_attributes": people,
        "departments": len(departments),
        "assignments": assignments + flaws.COVERED + sum(flaw.fate == "cut" for flaw in planted),
    }
    return planted


def _write_rest(
    exports: Path, tables: dict[str, pl.DataFrame], plan: Plan, rows: dict[str, int]
) -> list[Flaw]:
    wrong = flaws.flawed_rest(tables)
    planted: list[Flaw] = []
    for table, good in tables.items():
        rows[table] = len(good)
        whole = writing.as_text(good)
        if table in wrong:
            whole = pl.concat([whole, writing.as_text(wrong[table])])
        # Progress comes out of another tool, as JSON; too long a list for one document goes columnar.
        as_json = table == "check_ins" and not plan.columnar
        if as_json:
            path = writing.json(exports / f"{table}.json", whole, numbers=("target", "confidence"))
        else:
            path = writing.tall(exports / table, whole, columnar=plan.columnar and len(whole) > 500_000)
        heading = 0 if as_json or path.suffix == ".parquet" else 1
        planted += [
            Flaw(path.name, heading + len(good) + at, table, what, value)
            for at, (what, value) in enumerate(flaws.REST.get(table, ()), start=1)
        ]
    return planted
