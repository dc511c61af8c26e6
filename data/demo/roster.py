"""What do the two personnel systems export about people and departments?

Returns  the roster of a snapshot in the words of headquarters, or in those of the Chinese subsidiary, and
         the departments with the dates from which each description holds.
"""

from __future__ import annotations

from datetime import date
from typing import Final

import numpy as np
import polars as pl

from data.demo.company import REORGANISED, SNAPSHOTS, Company, Ints
from data.demo.draws import lasting_normal
from data.demo.people import GENDER_NAMES, UNDISCLOSED_CODE, History
from data.demo.rewards import GRADES, level_names
from data.demo.words import FAMILIES_ZH, TITLES, TITLES_ZH

FOUNDED: Final = date(2015, 1, 1)
RANKS: Final = ("Junior {}", "{}", "Senior {}", "Principal {}")
RANKS_ZH: Final = ("初级{}", "{}", "高级{}", "首席{}")
CHINESE_HEADERS: Final = {
    "employee_id": "工号",
    "display_name": "姓名",
    "email": "邮箱",
    "gender": "性别",
    "birth_date": "出生日期",
    # The group's code of a department goes by its own name in both systems: its tree is kept elsewhere.
    "department_id": "department_id",
    "manager_id": "直接上级",
    "level": "职级",
    "job_family": "岗位序列",
    "title": "岗位",
    "location": "工作地点",
    "employment_type": "用工类型",
    "hire_date": "入职日期",
    "termination_date": "离职日期",
    "effective_date": "生效日期",
}


def roster(
    company: Company, history: History, level: Ints, snapshot: int, *, chinese: bool, seed: int
) -> pl.DataFrame:
    """Everybody of one personnel system on the day of a snapshot."""
    at = np.flatnonzero(history.active[snapshot] & (history.chinese == chinese))
    ids = pl.Series(history.employee_id)
    department = history.department[snapshot][at]
    families = pl.Series(company.family).gather(department)
    boss = history.manager[snapshot][at]
    contract = lasting_normal(seed, "contract", at)
    kinds = ("正式", "兼职", "劳务派遣") if chinese else ("permanent", "part-time", "fixed-term")
    genders = ("女", "男", None) if chinese else GENDER_NAMES
    born = pl.Series(history.born[at])
    return pl.DataFrame(
        {
            "employee_id": ids.gather(at),
            "display_name": pl.Series(history.display_name).gather(at),
            "email": pl.Series(history.email).gather(at),
            "gender": pl.Series(genders).gather(history.gender[at]),
            "birth_date": born.set(
                pl.Series(
                    (lasting_normal(seed, "birth date", at) > 1.9) | (history.gender[at] == UNDISCLOSED_CODE)
                ),
                None,
            ),
            "department_id": pl.Series(company.code).gather(department),
            "manager_id": ids.gather(np.maximum(boss, 0)).set(pl.Series(boss < 0), None),
            "level": pl.Series(level_names(level[snapshot][at])),
            "job_family": families.replace(FAMILIES_ZH) if chinese else families,
            "title": _titles(company, history, level, snapshot, at, chinese=chinese),
            "location": pl.Series(company.city).gather(department),
            "employment_type": pl.Series(kinds).gather(
                np.where(contract > 1.9, 2, np.where(contract < -1.6, 1, 0))
            ),
            "hire_date": pl.Series(history.hired[at]),
            "termination_date": pl.Series(history.left[at]),
            "effective_date": pl.repeat(SNAPSHOTS[snapshot], len(at), eager=True, dtype=pl.Date),
        }
    )


def departments(company: Company) -> pl.DataFrame:
    """Every description of every department; several change with the reorganisation."""
    rows = [
        (code, FOUNDED, name, None if above < 0 else str(company.code[above]))
        for code, name, above in zip(
            company.code.tolist(), company.name, company.parent.tolist(), strict=True
        )
    ]
    then = SNAPSHOTS[REORGANISED]
    named = dict(zip(company.code.tolist(), company.name, strict=True))
    rows += [
        ("RND-DIG", then, "Digital Products", "RND"),
        ("RND-FW", then, named["RND-FW"], "RND-DIG"),
        ("RND-SW", then, named["RND-SW"], "RND-DIG"),
        ("COR-IT", then, named["COR-IT"], "OPS"),
        ("MKT", then, "Product & Market", "MI"),
        ("SAL-UKN", then, "Sales Western Europe", "SAL-EMEA"),
    ]
    merged = company.position("SAL-FRI")
    rows += [
        (str(company.code[at]), then, company.name[at], "SAL-UKN")
        for at in np.flatnonzero(company.parent == merged).tolist()
    ]
    return pl.DataFrame(
        rows,
        schema={"department_id": pl.String, "valid_from": pl.Date, "name": pl.String, "parent_id": pl.String},
        orient="row",
    )


def _titles(
    company: Company, history: History, level: Ints, snapshot: int, at: Ints, *, chinese: bool
) -> pl.Series:
    families = tuple(TITLES)
    ranks, jobs = (RANKS_ZH, TITLES_ZH) if chinese else (RANKS, TITLES)
    plain = [rank.format(job) for family in families for job in jobs[family] for rank in ranks]
    leads = [
        f"{name}负责人" if chinese else ("Chief Executive" if above < 0 else f"Head of {name}")
        for name, above in zip(company.name, company.parent.tolist(), strict=True)
    ]
    team_lead = ["班组长" if chinese else "Team Lead"]
    family_of = np.array([families.index(family) for family in company.family])
    department = history.department[snapshot][at]
    grade = level[snapshot][at]
    rank = np.minimum(grade, len(GRADES) - 1) // 2
    ordinary = (family_of[department] * 4 + at % 4) * len(RANKS) + rank
    seat = history.seat[snapshot][at]
    heads = np.isin(seat, np.unique(company.unit, return_index=True)[1])
    index = np.where(
        seat < 0,
        ordinary,
        np.where(heads, len(plain) + company.unit[np.maximum(seat, 0)], len(plain) + len(leads)),
    )
    return pl.Series(plain + leads + team_lead).gather(index)
