"""Has the strategy been taken up, are goals set well, and how are they changed on the way?"""

from __future__ import annotations

from data.access import Permission
from pages.kit import cards, covering, filters, load, reader, session

viewer = session.require(Permission.SEE_GOALS)
t, mode = reader.language(), reader.mode()
version = cards.opened(t, viewer, needs="goals")

head = cards.head()
scope = filters.goals_of(t, version, viewer)
part = filters.switch(t("Part"), covering.parts(t), key="part")
found = covering.Reader(
    t=t,
    mode=mode,
    version=version,
    viewer=viewer,
    scope=scope,
    people=load.names(version, viewer),
    departments=load.departments(version, load.latest_day(version)).names,
)
{
    covering.STRATEGY: covering.strategy,
    covering.SETTING: covering.goal_setting,
    covering.CHANGES: covering.changes,
}[part](found, head)
session.record("looked", "coverage")
