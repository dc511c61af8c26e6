"""Which goals hang below which, who owns them, and when does a parent count as reached?

Returns  for one cycle, goals from company strategy over functions and teams to people, with the rule by which
         what hangs below a goal makes it count as reached: its *own* metric, *all* below, enough of the
         *weight* below, or *k of n*. What nobody takes up, nobody updates or nobody added up is in here too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from data.contracts.goals import ROLLUP_RULES
from data.demo.catalogue import ALL_AIMS, STRATEGY
from data.demo.company import CYCLES, RUNNING_CYCLE, Company, Flags, Floats, Ints, Plan, Texts
from data.demo.people import History

COMPANY, DEPARTMENT, TEAM, PERSON = range(4)
SCOPE_NAMES: Final = ("company", "department", "team", "individual")
NO_RULE: Final = -1
OWN, ALL, WEIGHTED, K_OF_N = range(len(ROLLUP_RULES))

ORPHAN: Final = 0.05
ON_ITS_OWN: Final = 0.1
"""Share of the parents that run by their own metric though they could follow what hangs below."""
RULE_STATED: Final = 0.7
SHARE_NEEDED: Final = (
    (75.0, 80.0, 85.0, 90.0),
    (82.0, 86.0, 89.0, 92.0),
    (70.0, 75.0, 80.0, 85.0),
)
"""Per cent of the weight below that a company, department or team goal needs."""
COUNT_NEEDED: Final = ((0.6, 0.7), (0.44, 0.64), (0.4, 0.65))
"""Share of the goals below that have to land, from and to, by scope of the parent."""
WRONG_WEIGHTS: Final = 0.03


@dataclass(frozen=True)
class Tree:
    """The goals of a cycle, one entry per goal; every parent stands before what hangs below it.

    Attributes
    ----------
    goal_id, scope, aim
        The id, one of `COMPANY` to `PERSON`, the position in ``ALL_AIMS``.
    parent
        Position of the goal above; -1: none.
    owner, department, team
        Positions of the owner, the department and the team (-1: above teams).
    weight
        Per cent among the owner's goals of a scope.
    rule, needed, stated
        `NO_RULE` where nothing hangs below; per cent or how many (0 where the rule needs no number); whether
        the export says so.
    lonely
        The strategic goal nobody took up.
    stale_root, stale
        The goal whose branch nobody updates in the running cycle, and all goals of that branch.
    wrong_weights
        Goals of owners whose weights do not add up to 100.
    """

    goal_id: Texts
    scope: Ints
    aim: Ints
    parent: Ints
    owner: Ints
    department: Ints
    team: Ints
    weight: Floats
    rule: Ints
    needed: Floats
    stated: Flags
    lonely: int
    stale_root: int
    stale: Flags
    wrong_weights: Flags


def grow(company: Company, history: History, plan: Plan, *, cycle: int, rng: np.random.Generator) -> Tree:
    """Set the goals of a cycle.

    Parameters
    ----------
    cycle
        Position among the cycles, the running one last.
    rng
        The random numbers of this tree.
    """
    occupant, department = history.occupant[cycle], history.department[cycle]
    units = company.units_at(cycle)
    families = [np.flatnonzero([a.family == family for a in ALL_AIMS]) for family in company.family]
    functions = np.flatnonzero(company.parent == 0)
    strategy = np.arange(len(STRATEGY))
    lonely = int(rng.integers(3, len(STRATEGY)))
    taken = np.delete(strategy, lonely)

    # Each function takes up three strategy goals; together they leave out the lonely one.
    at_function = np.repeat(functions, 3)
    serves = np.concatenate([np.roll(taken, -3 * k)[:3] for k in range(len(functions))])
    head_team = np.array([np.flatnonzero(company.unit == f)[0] for f in functions])
    first_of_function = np.full(len(company.code), -1)
    first_of_function[functions] = len(STRATEGY) + 3 * np.arange(len(functions))
    # Two goals a team of members.
    teams = np.flatnonzero((company.members > 0) & (company.function[company.unit] > 0))
    if plan.columnar:
        teams = teams[rng.random(len(teams)) < plan.activity * 3]
    at_team = np.repeat(teams, 2)
    first_of_team = np.full(len(company.unit), -1)
    first_of_team[teams] = len(STRATEGY) + len(at_function) + 2 * np.arange(len(teams))
    function_of_team = company.function[company.unit[at_team]]
    # One to three goals a member who stays through the cycle.
    stays = history.active[cycle] & history.active[min(cycle + 1, len(CYCLES))]
    members = np.flatnonzero(stays & (history.seat[cycle] < 0))
    members = members[first_of_team[history.team[cycle][members]] >= 0]
    members = members[rng.random(len(members)) < (0.35 if plan.columnar else 0.93)]
    of = np.repeat(members, rng.choice([1, 2, 3], len(members), p=[0.25, 0.5, 0.25]))
    team_of = history.team[cycle][of]

    blocks = [len(strategy), len(at_function), len(at_team), len(of)]
    scope = np.repeat(np.arange(4), blocks)
    places = [np.zeros(len(strategy), dtype=np.int64), at_function, units[at_team], department[of]]
    aims = [strategy, *(_drawn(families, place, rng) for place in (at_function, company.unit[at_team]))]
    aims.append(_drawn(families, department[of], rng))
    parent = np.concatenate(
        [
            np.full(len(strategy), -1),
            serves,
            first_of_function[function_of_team] + rng.integers(0, 3, len(at_team)),
            first_of_team[team_of] + rng.integers(0, 2, len(of)),
        ]
    )
    parent = np.where((scope >= TEAM) & (rng.random(len(scope)) < ORPHAN), -1, parent)
    owner = np.concatenate(
        [np.full(len(strategy), occupant[0]), occupant[np.repeat(head_team, 3)], occupant[at_team], of]
    )
    # The branch nobody keeps up to date: the last goal of one function and all below it.
    stale_root = int(first_of_function[functions[0]]) + 2
    stale = np.zeros(len(scope), dtype=np.bool_)
    if cycle == len(CYCLES):
        stale[stale_root] = True
        for _ in range(2):
            stale |= (parent >= 0) & stale[parent]
    weight, wrong_weights = _weights(owner, scope, rng)
    aim = np.concatenate(aims)
    rule, needed, stated = _rules(scope, aim, parent, rng)
    name = RUNNING_CYCLE if cycle == len(CYCLES) else CYCLES[cycle]
    return Tree(
        goal_id=np.char.add(f"G-{name}-", np.char.zfill(np.arange(1, len(scope) + 1).astype(np.str_), 5)),
        scope=scope,
        aim=aim,
        parent=parent,
        owner=owner,
        department=np.concatenate(places),
        team=np.concatenate([np.full(sum(blocks[:2]), -1), at_team, team_of]),
        weight=weight,
        rule=rule,
        needed=needed,
        stated=stated,
        lonely=lonely,
        stale_root=stale_root,
        stale=stale,
        wrong_weights=wrong_weights,
    )


def _drawn(families: list[Ints], departments: Ints, rng: np.random.Generator) -> Ints:
    sizes = np.array([len(family) for family in families])
    table = np.stack([np.resize(family, sizes.max()) for family in families])
    # Neighbouring draws of one owner differ, so that nobody has the same goal twice.
    offset = np.arange(len(departments)) + rng.integers(0, sizes.max())
    return np.asarray(table[departments, offset % sizes[departments]])


def _weights(owner: Ints, scope: Ints, rng: np.random.Generator) -> tuple[Floats, Flags]:
    """Weights of an owner's goals of a scope add up to 100, but for a few who cannot count."""
    order = np.lexsort((np.arange(len(owner)), scope, owner))
    key = owner[order] * 4 + scope[order]
    counts = np.unique(key, return_counts=True)[1]
    start = np.repeat(np.cumsum(counts) - counts, counts)
    count = np.repeat(counts, counts)
    place_in = np.arange(len(order)) - start
    shares = np.array([[100, 0, 0], [60, 40, 0], [50, 30, 20]])
    weight = np.empty(len(owner))
    weight[order] = np.round(
        np.where(count <= 3, shares[np.minimum(count, 3) - 1, np.minimum(place_in, 2)], 100 / count), 2
    )
    off = np.repeat((rng.random(len(counts)) < WRONG_WEIGHTS) & (counts >= 2) & (counts <= 3), counts)
    wrong = np.zeros(len(owner), dtype=np.bool_)
    wrong[order] = off
    last = np.zeros(len(owner), dtype=np.bool_)
    last[order] = off & (place_in == count - 1)
    return np.where(last, weight + 20.0, weight), wrong


def _rules(scope: Ints, aim: Ints, parent: Ints, rng: np.random.Generator) -> tuple[Ints, Floats, Flags]:
    """By which rule each goal with goals below it is reached, what the rule needs, and whether it is said."""
    n = len(scope)
    below = np.bincount(parent[parent >= 0], minlength=n)
    keeps = np.isin(np.array([a.kind for a in ALL_AIMS])[aim], ("stay_above", "stay_below"))
    # That all of many goals land hardly ever happens, and nobody sensible asks for it.
    all_of_them = rng.random(n) < np.select([below <= 2, below == 3, below <= 6], [0.5, 0.3, 0.12], 0.02)
    counted = (rng.random(n) < np.where((scope == DEPARTMENT) & (below > 8), 0.65, 0.45)) & (below >= 3)
    rule = np.select(
        [below == 0, keeps | (rng.random(n) < ON_ITS_OWN), all_of_them, counted],
        [NO_RULE, OWN, ALL, K_OF_N],
        WEIGHTED,
    )
    above = np.minimum(scope, TEAM)
    lowest, highest = np.array(COUNT_NEEDED)[above].T
    share = np.array(SHARE_NEEDED)[above, rng.integers(0, len(SHARE_NEEDED[0]), n)]
    count = np.clip(np.rint(below * rng.uniform(lowest, highest)), 1, np.maximum(below, 1))
    needed = np.select([rule == WEIGHTED, rule == K_OF_N], [share, count], 0.0)
    return rule, needed, (rule >= 0) & (rng.random(n) < RULE_STATED)
