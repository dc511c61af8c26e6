"""How does one manager rate, since when, whom does it touch, and what would help?"""

from __future__ import annotations

from analytics.severity import chart
from data.access import Permission
from pages.kit import adjusting, cards, evidence, filters, load, load_severity, methods, reader, session

viewer = session.require(Permission.SEE_LENIENCY)
t, mode = reader.language(), reader.mode()
version = cards.opened(t, viewer, needs="ratings")

head = cards.head()
scope = filters.leniency(t, version, viewer)
with cards.waiting():
    released = load.leniency(version, viewer, scope.sources, scope.department_id)
names = load.names(version, viewer)
options = evidence.raters_in_words(t, released, names)
about = [*scope.words, t("all cycles up to {day}", day=t.day(released.as_of))]
if not options:
    with head:
        cards.title(t("How does one manager rate?"), about)
        cards.finding(chart.takeaway(released, t))
else:
    chosen = filters.pick(t("Rater"), options, key="rater")
    name = names.get(chosen, chosen)
    said = evidence.rater_finding(t, released, version, viewer, scope, rater_id=chosen, names=names)
    with head:
        cards.title(t("How does {name} rate?", name=name), about)
        cards.finding(said)
    evidence.rater_facts(t, released, chosen)
    with cards.waiting():
        habits = load_severity.habits(version, viewer, scope.sources, scope.department_id)
    evidence.rater_advice(t, released, habits, rater_id=chosen, name=name)
    key = (version, viewer, scope, chosen, t, mode)
    history = load_severity.rater_drift(version, viewer, chosen, scope.sources)
    cycles = dict(reversed(load.cycles(version).select("cycle_id", "name").rows()))
    evidence.rater_history(t, mode, history, rater_id=chosen, cycles=cycles, key=key)
    evidence.rater_habits(t, mode, habits, rater_id=chosen, name=name, key=key)
    adjusting.people_of(
        t, mode, version=version, viewer=viewer, sources=scope.sources, rater_id=chosen, names=names
    )
    evidence.people_beside_others(
        t, version=version, viewer=viewer, rater_id=chosen, names=names, sources=scope.sources
    )
    if evidence.stands_out(released, chosen):
        cards.remark(
            t(
                "Besides leniency, this could be explained by: a team that did better than the same people "
                "did elsewhere, people who were moved here because they do well, or work others could not "
                "see. Talk before concluding."
            )
        )
cards.method(t, methods.severity(t, released))
session.record("looked", "rater")
