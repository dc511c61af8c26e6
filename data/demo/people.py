"""Who worked where, for whom, from when to when?

Returns  a `History`: one entry per person ever employed, and where each stood at every snapshot. People
         join, leave, move between teams, take over a leaver's seat or swap seats; closed teams keep their
         manager and see nobody move in or out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from data.demo.company import (
    AS_OF,
    CULTURE_FUNCTION,
    PERFORMANCE_FUNCTION,
    SNAPSHOTS,
    Company,
    Flags,
    Floats,
    Ints,
    Plan,
    Size,
    Texts,
)
from data.demo.draws import stream
from data.demo.words import FAMILY, FAMILY_ZH, FEMALE, FEMALE_ZH, MALE, MALE_ZH

LEAVING: Final = 0.045
JOINING: Final = 0.052
MOVING: Final = 0.08
MOVING_WITHIN_FUNCTION: Final = 0.6
SWAPPING_SEATS: Final = 0.12
LEAVING_SEATS: Final = 0.03

FEMALE_CODE: Final = 0
MALE_CODE: Final = 1
UNDISCLOSED_CODE: Final = 2
GENDER_NAMES: Final = ("female", "male", "undisclosed")

SEVERITY_SD: Final = 0.32
PLANTED_SEVERITY: Final = 0.8
CULTURE_SHIFT: Final = 0.45
PERFORMANCE_SHIFT: Final = 0.45
PERFORMANCE_SD: Final = 0.45
CENTRAL_SHRINK: Final = 0.25
HALO_SHRINK: Final = 0.15
SOFTENING: Final = 0.25
"""Rating points by which a planted manager grows softer every cycle."""


Days = NDArray[np.datetime64]


@dataclass(frozen=True)
class Identity:
    """Who people are; the attributes are those of `History`."""

    employee_id: Texts
    display_name: Texts
    email: Texts
    hired: Days
    left: Days
    born: Days
    gender: Ints
    woman: Flags


@dataclass(frozen=True)
class History(Identity):
    """People and where they stood.

    Attributes
    ----------
    employee_id, display_name, email, hired, left, born
        One per person; ``left`` is NaT while employed.
    gender
        Position in ``GENDER_NAMES`` as disclosed.
    woman
        What was drawn, disclosed or not.
    chinese
        Whether they are on the roster of the Chinese subsidiary.
    active, team, seat, manager, department
        Snapshots × people: whether employed, the team they are a member of, the team whose seat they hold
        (-1: none), the person they report to (-1: nobody) and the department they stand in.
    occupant
        Snapshots × teams: who holds the seat.
    """

    chinese: Flags
    active: Flags
    team: Ints
    seat: Ints
    manager: Ints
    department: Ints
    occupant: Ints

    def rated(self, cycle: int) -> Ints:
        """Who is rated in a cycle: employed when it starts and still when the next one starts."""
        return np.flatnonzero(self.active[cycle] & self.active[cycle + 1])


@dataclass(frozen=True)
class Traits:
    """The truth about each person that no export says.

    Attributes
    ----------
    severity
        Rating points the person gives above an average rater for the same work, culture not included.
    performance
        Rating points the person's work is worth above average, the department's share not included.
    central, halo
        Whether they crowd the middle, or rate all dimensions alike.
    lenient, harsh
        Whether a large severity was planted in them.
    softening
        Whether they start hard and grow softer every cycle.
    closed
        Holders of the seats of closed teams: their severity cannot be told.
    """

    severity: Floats
    performance: Floats
    central: Flags
    halo: Flags
    lenient: Flags
    harsh: Flags
    softening: Flags
    closed: Flags


def populate(company: Company, *, size: Size, seed: int) -> tuple[History, Traits]:
    """People the teams and let them live through the snapshots."""
    planted = _planted_seats(company, size, stream(seed, "planted"))
    history = _history(company, np.concatenate(list(planted.values())), seed)
    return history, _traits(company, history, planted, seed)


def documented(history: History, plan: Plan, *, seed: int) -> Flags:
    """The people the moderate tables (conversations, feedback, pay, …) are written for."""
    return stream(seed, "documented").random(len(history.employee_id)) < plan.activity


def _planted_seats(company: Company, size: Size, rng: np.random.Generator) -> dict[str, Ints]:
    function = company.code[company.function[company.unit]]
    # The planted departments stay free of planted managers, or neither could be told from the other; so
    # does Marketing, which is two teams when small: one planted manager would be half of it.
    eligible = (company.members >= 7) & ~company.closed
    eligible &= ~np.isin(function, ("MI", "MKT", CULTURE_FUNCTION, PERFORMANCE_FUNCTION))
    seats = rng.permutation(np.flatnonzero(eligible))
    # One of every function first, then the second of each: no function is planted full of one kind.
    at = np.argsort(function[seats], kind="stable")
    group = function[seats][at]
    turn = np.arange(len(seats)) - np.searchsorted(group, group)
    seats = seats[at][np.lexsort((rng.random(len(seats)), turn))]
    many, few = (3, 2) if size == "small" else (max(3, len(seats) // 20), max(2, len(seats) // 25))
    marked = seats[: 2 * many]
    central, halo, softening, _ = np.split(seats[2 * many :], np.cumsum([few, few, few]))
    return {
        "lenient": marked[0::2],
        "harsh": marked[1::2],
        "central": central,
        "halo": halo,
        "softening": softening,
        "closed": np.flatnonzero(company.closed),
    }


def _history(company: Company, fixed_seats: Ints, seed: int) -> History:
    staff = _Staff(company, fixed_seats, stream(seed, "history"))
    for snapshot in range(len(SNAPSHOTS)):
        staff.reorganise(snapshot)
        if snapshot > 0:
            members = len(staff.members())
            vacancies = np.concatenate([staff.leave(snapshot), staff.succeed(snapshot)])
            staff.swap_seats()
            staff.move()
            staff.join(snapshot, vacancies, round(JOINING * members))
        staff.record()
    return staff.history(seed)


class _Staff:
    """Everybody as they stand now, and the record of how they stood at each snapshot so far."""

    def __init__(self, company: Company, fixed_seats: Ints, rng: np.random.Generator) -> None:
        teams = len(company.unit)
        start = teams + int(company.members.sum())
        capacity = int(start * (1 + len(SNAPSHOTS) * JOINING * 1.5)) + 100
        self.company = company
        self.rng = rng
        self.people = start
        self.function = company.function[company.unit]
        self.chinese_team = company.chinese[company.unit]
        self.free_seat = np.ones(teams, dtype=np.bool_)
        self.free_seat[fixed_seats] = False
        self.occupant = np.arange(teams)
        self.active = np.zeros(capacity, dtype=np.bool_)
        self.active[:start] = True
        self.seat = np.full(capacity, -1)
        self.seat[:teams] = np.arange(teams)
        self.team = np.full(capacity, -1)
        self.team[:teams] = company.above
        self.team[teams:start] = np.repeat(np.arange(teams), company.members)
        self.chinese = np.zeros(capacity, dtype=np.bool_)
        self.chinese[:start] = self.chinese_team[self._stand_in(start)]
        self.joined = np.zeros(capacity, dtype=np.int64)
        self.gone = np.full(capacity, len(SNAPSHOTS))
        self.retiring = np.zeros(capacity, dtype=np.bool_)
        self.above, self.unit = company.above, company.unit
        self.records: list[dict[str, Ints]] = []

    def members(self) -> Ints:
        """Everybody employed who holds no seat."""
        return np.flatnonzero(self.active & (self.seat < 0))

    def reorganise(self, snapshot: int) -> None:
        """Departments and lines of report as of a snapshot."""
        self.above, self.unit = self.company.above_at(snapshot), self.company.units_at(snapshot)
        self.team[self.occupant] = self.above

    def leave(self, snapshot: int) -> Ints:
        """Members leave; the teams they leave."""
        members = self.members()
        leavers = self.rng.choice(members, round(LEAVING * len(members)), replace=False)
        self.active[leavers] = False
        self.gone[leavers] = snapshot
        left: Ints = self.team[leavers]
        return left

    def succeed(self, snapshot: int) -> Ints:
        """Some seats fall vacant and a member of the team takes over; the teams that miss a member."""
        successors = np.full(len(self.unit), -1)
        candidates = self.rng.permutation(self.members())
        of, first = np.unique(self.team[candidates], return_index=True)
        successors[of] = candidates[first]
        falls = self.rng.random(len(self.unit)) < LEAVING_SEATS
        vacated = np.flatnonzero(falls & self.free_seat & (successors >= 0) & (self.company.members > 3))
        retired, promoted = self.occupant[vacated], successors[vacated]
        self.active[retired] = False
        self.gone[retired] = snapshot
        self.retiring[retired] = True
        self.seat[promoted], self.team[promoted] = vacated, self.above[vacated]
        self.occupant[vacated] = promoted
        return vacated

    def swap_seats(self) -> None:
        """Managers change teams within their function."""
        swaps = self.rng.random(len(self.unit)) < SWAPPING_SEATS
        swapping = np.flatnonzero(swaps & self.free_seat & (self.company.members > 0) & (self.function > 0))
        swapping = swapping[np.argsort(self.function[swapping], kind="stable")]
        self.occupant[swapping] = self.occupant[rolled_within(swapping, self.function[swapping])]
        arrived = self.occupant[swapping]
        self.seat[arrived], self.team[arrived] = swapping, self.above[swapping]

    def move(self) -> None:
        """Members trade places, so that teams keep their size; nobody crosses the subsidiary's border."""
        movable = np.flatnonzero(self.active & (self.seat < 0) & ~self.company.closed[self.team])
        movers = self.rng.choice(movable, round(MOVING * len(movable)), replace=False)
        near = self.rng.random(len(movers)) < MOVING_WITHIN_FUNCTION
        for moving, groups in (
            (movers[near], self.function),
            (movers[~near], self.chinese_team.astype(np.int64)),
        ):
            group = groups[self.team[moving]]
            shuffled = self.rng.permutation(len(moving))
            here = moving[shuffled][np.argsort(group[shuffled], kind="stable")]
            self.team[here] = self.team[rolled_within(here, np.sort(group))]

    def join(self, snapshot: int, vacancies: Ints, joining: int) -> None:
        """Newcomers fill the vacancies and a few new places."""
        joiners = np.arange(self.people, self.people + joining)
        leaf_teams = np.flatnonzero(self.company.members > 0)
        extra = self.rng.choice(leaf_teams, max(0, joining - len(vacancies)))
        places = np.concatenate([self.rng.permutation(vacancies), extra])[:joining]
        self.active[joiners], self.team[joiners], self.joined[joiners] = True, places, snapshot
        self.chinese[joiners] = self.chinese_team[places]
        self.people += joining

    def record(self) -> None:
        """Keep how everybody stands."""
        here = self.active[: self.people]
        team = np.where(here, self.team[: self.people], -1)
        self.records.append(
            {
                "active": here.astype(np.int64),
                "team": team,
                "seat": np.where(here, self.seat[: self.people], -1),
                "manager": np.where(team >= 0, self.occupant[team], -1),
                "department": np.where(here, self.unit[self._stand_in(self.people)], -1),
                "occupant": self.occupant.copy(),
            }
        )

    def history(self, seed: int) -> History:
        """All records, one row per snapshot; who had not joined yet stood nowhere."""
        people = self.people

        def stacked(name: str, fill: int) -> Ints:
            out = np.full((len(self.records), people), fill, dtype=np.int64)
            for at, record in enumerate(self.records):
                out[at, : len(record[name])] = record[name]
            return out

        identity = _identity(
            self.chinese[:people], self.joined[:people], self.gone[:people], self.retiring[:people], seed
        )
        return History(
            **vars(identity),
            chinese=self.chinese[:people],
            active=stacked("active", 0).astype(np.bool_),
            team=stacked("team", -1),
            seat=stacked("seat", -1),
            manager=stacked("manager", -1),
            department=stacked("department", -1),
            occupant=np.stack([record["occupant"] for record in self.records]),
        )

    def _stand_in(self, people: int) -> Ints:
        """The team whose department each person stands in: the own one of who holds a seat."""
        return np.where(self.seat[:people] >= 0, self.seat[:people], self.team[:people])


def rolled_within(values: Ints, group: Ints) -> Ints:
    """Each value replaced by the next of its group, the last by the first; groups stand together."""
    if len(values) == 0:
        return values
    starts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
    lengths = np.diff(np.r_[starts, len(group)])
    start = np.repeat(starts, lengths)
    within = np.arange(len(group)) - start
    return np.asarray(values[start + (within + 1) % np.repeat(lengths, lengths)])


def _identity(chinese: Flags, joined: Ints, gone: Ints, retiring: Flags, seed: int) -> Identity:
    rng = stream(seed, "identity")
    people = len(chinese)
    days = np.array([(day - date(1970, 1, 1)).days for day in (*SNAPSHOTS, AS_OF)])
    # Those there from the start were hired over the 18 years before it, recent years more often.
    early = days[0] - 1 - np.floor(18 * 365 * rng.beta(1, 2.2, people))
    late = days[np.maximum(joined, 1)] - rng.integers(1, 120, people)
    hired = np.where(joined == 0, early, late).astype(np.int64)
    # A manager who leaves first gives the ratings of the cycle: the last day of it is theirs.
    stays = gone == len(SNAPSHOTS)
    leaves_now = stays & (rng.random(people) < 0.01)
    notice = np.where(retiring, 1, rng.integers(1, 100, people))
    until = days[np.minimum(gone, len(SNAPSHOTS) - 1)] - notice
    left = np.where(leaves_now, days[-1] - rng.integers(5, 80, people), np.maximum(until, hired + 1))
    age = np.clip(rng.normal(30, 6, people), 18, 52)
    woman = rng.random(people) < 0.42
    gender = np.where(woman, FEMALE_CODE, MALE_CODE)
    gender[rng.random(people) < 0.04] = UNDISCLOSED_CODE

    names = np.empty(people, dtype=object)
    mails = np.empty(people, dtype=object)
    number = np.argsort(np.argsort(hired, kind="stable"), kind="stable") + 101
    digits = max(5, len(str(people + 100)))
    figures = np.char.zfill(number.astype(np.str_), digits)
    ids = np.where(chinese, np.char.add("C", figures), np.char.add("M", figures))
    for abroad, given_names, family_names in (
        (False, (FEMALE, MALE), FAMILY),
        (True, (FEMALE_ZH, MALE_ZH), FAMILY_ZH),
    ):
        for sex, given_of in enumerate(given_names):
            at = np.flatnonzero((chinese == abroad) & (woman == (sex == 0)))
            given = rng.integers(0, len(given_of), len(at))
            family = rng.integers(0, len(family_names), len(at))
            if abroad:
                first, last = np.array(given_of), np.array(family_names)
                names[at] = np.char.add(last[family, 0], first[given, 0])
                mail = np.char.add(np.char.add(first[given, 1], "."), last[family, 1])
            else:
                first, last = np.array(given_of), np.array(family_names)
                names[at] = np.char.add(np.char.add(first[given], " "), last[family])
                plain = np.array([_ascii(str(name)) for name in given_of])
                mail = np.char.lower(np.char.add(np.char.add(plain[given], "."), last[family]))
            mails[at] = np.char.add(np.char.add(mail, np.char.add(".", figures[at])), "@meridian.example")
    ending = np.where(stays & ~leaves_now, np.datetime64("NaT", "D"), left.astype("datetime64[D]"))
    return Identity(
        employee_id=ids,
        display_name=names.astype(np.str_),
        email=mails.astype(np.str_),
        hired=hired.astype("datetime64[D]"),
        left=ending,
        born=(hired - np.floor(age * 365.25).astype(np.int64)).astype("datetime64[D]"),
        gender=gender,
        woman=woman,
    )


def _ascii(name: str) -> str:
    return name.translate(str.maketrans("íéáóúñ", "ieaoun"))


def _traits(company: Company, history: History, planted: dict[str, Ints], seed: int) -> Traits:
    rng = stream(seed, "traits")
    people = len(history.employee_id)
    severity = rng.normal(0, SEVERITY_SD, people)
    performance = rng.normal(0, PERFORMANCE_SD, people)
    first = history.occupant[0]
    marks: dict[str, Flags] = {}
    for kind, seats in planted.items():
        marks[kind] = np.zeros(people, dtype=np.bool_)
        marks[kind][first[seats]] = True
    severity[marks["lenient"]] = PLANTED_SEVERITY + rng.uniform(-0.08, 0.08, int(marks["lenient"].sum()))
    severity[marks["harsh"]] = -PLANTED_SEVERITY + rng.uniform(-0.08, 0.08, int(marks["harsh"].sum()))
    severity[marks["central"] | marks["halo"] | marks["softening"]] = 0.0
    # Own severities and performances of a function average out, so that a planted department effect is
    # the whole difference and not the draw of four managers.
    function = company.function[history.department[0]]
    seated = history.seat[0] >= 0
    free = ~(marks["lenient"] | marks["harsh"] | marks["central"] | marks["halo"] | marks["softening"])
    for at in np.unique(function[history.active[0]]):
        of_function = history.active[0] & (function == at)
        managers = of_function & seated & free
        severity[managers] -= severity[managers].mean() if managers.any() else 0.0
        performance[of_function] -= performance[of_function].mean()
    return Traits(
        severity=severity,
        performance=performance,
        central=marks["central"],
        halo=marks["halo"],
        lenient=marks["lenient"],
        harsh=marks["harsh"],
        softening=marks["softening"],
        closed=marks["closed"],
    )
