"""How does one goal stand, will it land, on what does it hang, and what was changed on the way?"""

from __future__ import annotations

import streamlit as st

from data.access import Permission
from pages.kit import cards, load, load_strategy, reader, session, strategy

viewer = session.require(Permission.SEE_GOALS)
t, mode = reader.language(), reader.mode()
version = cards.opened(t, viewer, needs="goals")

head = cards.head()
goal_id = strategy.choose_goal(t, version, viewer)
if goal_id is None:
    cards.state(*strategy.no_goal(t, version, viewer))
    st.stop()
with cards.waiting():
    released = load_strategy.outlook_within_reach(version, viewer, goal_id)
    below = load_strategy.goal_landing_within_reach(version, viewer, goal_id)
people = load.names(version, viewer)
landing, hidden = below if below is not None else (None, 0)
reading = strategy.Reader(t=t, mode=mode, version=version, viewer=viewer, goal_id=goal_id)
about = strategy.scope(t, released, people, version)
with head:
    cards.title(released.value.goal["title"][0], about)
    cards.finding(strategy.goal_finding(reading, released, landing, hidden))
footer = cards.footer(t, viewer, released, version, [released.value.goal["title"][0], *about])
strategy.drivers(t, released, landing)
strategy.trajectory(reading, released, landing)
strategy.course(reading, released, landing)
strategy.below(reading, landing, hidden, footer)
strategy.warned(reading)
strategy.changed(reading, released, people, footer)
cards.method(t, strategy.goal_method(t, released, version))
session.record("looked", "goal")
