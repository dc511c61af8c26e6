"""Will the strategy land: each strategic goal's chance, what it hangs on, what changed, what is missing?"""

from __future__ import annotations

from analytics.goals.landing import chart as landing_chart
from data.access import Permission
from pages.kit import cards, load, load_strategy, reader, session, strategy

viewer = session.require(Permission.SEE_GOALS)
t, mode = reader.language(), reader.mode()
version = cards.opened(t, viewer, needs="goals")

head = cards.head()
days = strategy.days_back(t)
with cards.waiting():
    found = load_strategy.strategy_within_reach(version, viewer, days)
said = strategy.finding(t, found)
about = strategy.about(t, found)
key = (version, viewer, days, t, mode)
with head:
    cards.title(t("Will the strategy land?"), about)
    cards.finding(said)
    strategy.way_to_weakest(t, found)
load.picture(lambda: landing_chart.strategy_figure(found.map, t, mode), key=("map", key), alt=said)
cards.remark(strategy.reading(t, found))
strategy.one_strategic_goal(t, found)
strategy.holes(t, version, viewer, found)
footer = cards.footer(t, viewer, found.map, version, about)
if not found.map.value.goals.is_empty():
    cards.heading(t("All strategic goals"))
    cards.table(
        t,
        lambda: strategy.table(t, found),
        name="strategy",
        key=key,
        footer=footer,
        alt=said,
        columns=strategy.widths(t),
    )
    strategy.together(t, version, viewer, found)
cards.method(t, strategy.strategy_method(t, found))
session.record("looked", "strategy")
