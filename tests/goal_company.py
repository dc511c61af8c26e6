"""The goals of the demo company without its files, and what is true about them."""

from __future__ import annotations

from functools import cache

from analytics.goals.risk.panel import Panel, panel
from data.demo import SEED
from data.demo.aims import Aims, aim
from data.demo.company import AS_OF, PLANS, Size, found
from data.demo.draws import stream
from data.demo.people import populate


@cache
def aims(size: Size, seed: int = SEED) -> Aims:
    """Goals, check-ins, changes and the truth, as the demo company writes them."""
    plan = PLANS[size]
    company = found(plan, stream(seed, "company"))
    history, traits = populate(company, size=size, seed=seed)
    return aim(company, history, traits, plan, seed=seed)


@cache
def seen(size: Size, seed: int = SEED) -> Panel:
    """The same goals, seen again and again up to the demo's last day."""
    made = aims(size, seed)
    return panel(made.goals, made.check_ins, as_of=AS_OF, changes=made.changes)
