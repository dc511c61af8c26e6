"""How is Meridian Instruments organised, and how large is it?

A fictitious maker of measuring instruments with a Chinese subsidiary, 恒准仪器. Returns the departments as
a tree and the teams as a hierarchy of seats: every team has one seat, whose holder its members report to;
the holder of a seat is a member of the team above.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Size = Literal["small", "medium", "large"]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Texts = NDArray[np.str_]

AS_OF: Final = date(2026, 9, 30)
CYCLES: Final = ("2023H2", "2024H1", "2024H2", "2025H1", "2025H2", "2026H1")
RUNNING_CYCLE: Final = "2026H2"
SNAPSHOTS: Final = (
    date(2023, 7, 1),
    date(2024, 1, 1),
    date(2024, 7, 1),
    date(2025, 1, 1),
    date(2025, 7, 1),
    date(2026, 1, 1),
    date(2026, 7, 1),
)
"""The day each cycle starts, the running one last; the roster is drawn on these days."""
REORGANISED: Final = 4
"""Index of the snapshot with which the departments were reorganised."""

DIMENSIONS: Final = ("results", "quality", "collaboration", "development")
CULTURE_FUNCTION: Final = "SRV"
PERFORMANCE_FUNCTION: Final = "RND"

LARGEST_TEAM: Final = 14
LARGEST_LEAF: Final = 100


@dataclass(frozen=True)
class Plan:
    """What a size means.

    Attributes
    ----------
    headcount
        People at the first snapshot, about.
    dimensions
        How many dimensions managers rate beside the overall rating.
    goal_cycles
        The last so many cycles (the running one included) have goals.
    activity
        Share of the people the moderate tables (goals, conversations, feedback, pay, …) are written for.
    columnar
        Whether the tall tables are Parquet, one file a cycle, instead of one CSV.
    """

    headcount: int
    dimensions: int
    goal_cycles: int
    activity: float
    columnar: bool


PLANS: Final[MappingProxyType[str, Plan]] = MappingProxyType(
    {
        "small": Plan(headcount=310, dimensions=4, goal_cycles=5, activity=1.0, columnar=False),
        "medium": Plan(headcount=4_900, dimensions=4, goal_cycles=5, activity=0.5, columnar=False),
        "large": Plan(headcount=193_000, dimensions=3, goal_cycles=3, activity=0.08, columnar=True),
    }
)


@dataclass(frozen=True)
class Unit:
    """A department of the plan: its parent's code, its share of the headcount, what its people do, where."""

    code: str
    parent: str | None
    name: str
    share: float
    family: str
    cities: tuple[str, ...]


UNITS: Final = (
    Unit("MI", None, "Meridian Instruments", 0, "Management", ("Munich",)),
    Unit("SAL", "MI", "Sales", 0, "Sales", ("Munich",)),
    Unit("SAL-EMEA", "SAL", "Sales EMEA", 0, "Sales", ("Munich",)),
    Unit("SAL-DACH", "SAL-EMEA", "Sales DACH", 1.1, "Sales", ("Munich", "Zurich", "Vienna")),
    Unit("SAL-UKN", "SAL-EMEA", "Sales UK & Nordics", 1.0, "Sales", ("London", "Stockholm")),
    Unit("SAL-FRI", "SAL-EMEA", "Sales France & Iberia", 0.9, "Sales", ("Lyon", "Madrid")),
    Unit("SAL-AMER", "SAL", "Sales Americas", 1.1, "Sales", ("Boston", "Austin")),
    Unit("SAL-APAC", "SAL", "Sales Asia Pacific", 0.9, "Sales", ("Singapore", "Penang")),
    Unit("RND", "MI", "Research & Development", 0, "Engineering", ("Munich",)),
    Unit("RND-HW", "RND", "Sensor Hardware", 1.0, "Engineering", ("Munich", "Jena")),
    Unit("RND-FW", "RND", "Firmware", 0.9, "Engineering", ("Jena", "Lyon")),
    Unit("RND-SW", "RND", "Measurement Software", 1.1, "Engineering", ("Munich", "Boston")),
    Unit("RND-APP", "RND", "Applications Laboratory", 0.9, "Engineering", ("Jena", "Boston")),
    Unit("OPS", "MI", "Operations", 0, "Operations", ("Jena",)),
    Unit("OPS-JEN", "OPS", "Manufacturing Jena", 1.2, "Operations", ("Jena",)),
    Unit("OPS-PEN", "OPS", "Manufacturing Penang", 1.2, "Operations", ("Penang",)),
    Unit("OPS-SCM", "OPS", "Supply Chain", 1.0, "Operations", ("Jena", "Penang")),
    Unit("OPS-QA", "OPS", "Quality Assurance", 0.9, "Operations", ("Jena", "Penang")),
    Unit("SRV", "MI", "Service", 0, "Service", ("Zurich",)),
    Unit("SRV-EUR", "SRV", "Field Service Europe", 1.0, "Service", ("Zurich", "Lyon")),
    Unit("SRV-AME", "SRV", "Field Service Americas", 1.0, "Service", ("Austin", "Boston")),
    Unit("SRV-SUP", "SRV", "Technical Support", 1.0, "Service", ("Madrid", "Zurich")),
    Unit("MKT", "MI", "Marketing", 0, "Marketing", ("London",)),
    Unit("MKT-PM", "MKT", "Product Management", 0.9, "Marketing", ("London", "Munich")),
    Unit("MKT-COM", "MKT", "Market Communications", 0.9, "Marketing", ("London", "Boston")),
    Unit("COR", "MI", "Corporate Functions", 0, "Corporate", ("Munich",)),
    Unit("COR-FIN", "COR", "Finance", 1.0, "Corporate", ("Munich",)),
    Unit("COR-HR", "COR", "People & Culture", 0.8, "Corporate", ("Munich",)),
    Unit("COR-IT", "COR", "Information Technology", 1.0, "Corporate", ("Munich",)),
    Unit("CN", "MI", "恒准仪器（中国）", 0, "Management", ("上海",)),
    Unit("CN-SHA", "CN", "华东销售部", 1.1, "Sales", ("上海", "杭州")),
    Unit("CN-SHZ", "CN", "华南销售部", 0.9, "Sales", ("深圳",)),
    Unit("CN-RND", "CN", "研发部", 1.0, "Engineering", ("苏州", "上海")),
    Unit("CN-MFG", "CN", "生产制造部", 1.2, "Operations", ("苏州",)),
    Unit("CN-SRV", "CN", "客户服务部", 1.0, "Service", ("上海", "深圳")),
)


@dataclass(frozen=True)
class Company:
    """Departments and teams.

    Attributes
    ----------
    code, name, parent, function, family, city, chinese
        One per department; ``parent`` and ``function`` (the department under the top it belongs to) are
        positions, -1 for none.
    unit, above, members, closed
        One per team: its department, the team its seat holder is a member of (-1 for the top), how many
        ordinary members it starts with, and whether nobody outside ever judges its members and nobody
        moves in or out.
    """

    code: Texts
    name: tuple[str, ...]
    parent: Ints
    function: Ints
    family: tuple[str, ...]
    city: tuple[str, ...]
    chinese: Flags
    unit: Ints
    above: Ints
    members: Ints
    closed: Flags

    def position(self, code: str) -> int:
        """Where a department stands."""
        return int(np.flatnonzero(self.code == code)[0])

    def units_at(self, snapshot: int) -> Ints:
        """The department of each team; Sales France & Iberia is merged away with the reorganisation."""
        unit = self.unit.copy()
        if snapshot >= REORGANISED:
            unit[unit == self.position("SAL-FRI")] = self.position("SAL-UKN")
        return unit

    def above_at(self, snapshot: int) -> Ints:
        """The team above each team; Information Technology answers to Operations once reorganised."""
        above = self.above.copy()
        if snapshot >= REORGANISED:
            above[self.team_of("COR-IT")] = self.team_of("OPS")
        return above

    def team_of(self, code: str) -> int:
        """The team of the head of a department: teams are numbered head first."""
        return int(np.flatnonzero(self.unit == self.position(code))[0])


def found(plan: Plan, rng: np.random.Generator) -> Company:
    """Set up departments and teams for a headcount.

    Departments too large for one head with team leads are split by site, as often as needed.
    """
    grown = _Grown()
    shares = {unit.code: unit.share * rng.uniform(0.92, 1.08) for unit in UNITS}
    per_share = plan.headcount / sum(shares.values())
    position: dict[str, int] = {}
    head: dict[str, int] = {}
    for unit in UNITS:
        above = -1 if unit.parent is None else head[unit.parent]
        parent = -1 if unit.parent is None else position[unit.parent]
        people = round(shares[unit.code] * per_share)
        position[unit.code], head[unit.code] = grown.department(
            unit, unit.code, unit.name, parent=parent, above=above, people=people
        )
    return grown.company(rng)


class _Grown:
    def __init__(self) -> None:
        self.code: list[str] = []
        self.name: list[str] = []
        self.parent: list[int] = []
        self.unit_of: list[Unit] = []
        self.city: list[str] = []
        self.unit: list[int] = []
        self.above: list[int] = []
        self.members: list[int] = []

    def department(
        self, unit: Unit, code: str, name: str, *, parent: int, above: int, people: int, site: int = 0
    ) -> tuple[int, int]:
        here = len(self.code)
        self.code.append(code)
        self.name.append(name)
        self.parent.append(parent)
        self.unit_of.append(unit)
        self.city.append(unit.cities[site % len(unit.cities)])
        if people > LARGEST_LEAF:
            head = self._team(here, above, 0)
            parts = min(10, -(-people // 70))
            for part, size in enumerate(_split(people - 1, parts)):
                city = unit.cities[part % len(unit.cities)]
                self.department(
                    unit,
                    f"{code}-{part + 1:02d}",
                    f"{name} · {city} {part + 1}",
                    parent=here,
                    above=head,
                    people=size,
                    site=part,
                )
        elif people - 1 > LARGEST_TEAM:
            head = self._team(here, above, 0)
            leads = -(-(people - 1) // 11)
            for size in _split(people - 1 - leads, leads):
                self._team(here, head, size)
        else:
            head = self._team(here, above, max(people - 1, 0))
        return here, head

    def _team(self, unit: int, above: int, members: int) -> int:
        self.unit.append(unit)
        self.above.append(above)
        self.members.append(members)
        return len(self.unit) - 1

    def company(self, rng: np.random.Generator) -> Company:
        function = []
        for at in range(len(self.code)):
            here = at
            while self.parent[here] > 0:
                here = self.parent[here]
            function.append(here)
        members = np.array(self.members)
        unit = np.array(self.unit)
        codes = np.array(self.code)
        protected = np.isin(
            codes[np.array(function)[unit]], ("MI", CULTURE_FUNCTION, PERFORMANCE_FUNCTION)
        ) | np.isin(codes[unit], ("SAL-FRI", "SAL-UKN", "COR-IT", "COR-HR"))
        eligible = np.flatnonzero((members >= 7) & ~protected)
        closed = np.zeros(len(members), dtype=np.bool_)
        closed[rng.choice(eligible, max(3, len(members) // 33), replace=False)] = True
        return Company(
            code=codes,
            name=tuple(self.name),
            parent=np.array(self.parent),
            function=np.array(function),
            family=tuple(unit.family for unit in self.unit_of),
            city=tuple(self.city),
            chinese=np.array([unit.code.startswith("CN") for unit in self.unit_of]),
            unit=unit,
            above=np.array(self.above),
            members=members,
            closed=closed,
        )


def _split(total: int, parts: int) -> list[int]:
    return [total // parts + (part < total % parts) for part in range(parts)]
