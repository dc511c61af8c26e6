"""Do ratings follow the evidence, and what becomes of leniency beside it?"""

from __future__ import annotations

from analytics.severity import evidence_chart
from data.access import Permission
from pages.kit import cards, filters, load, load_severity, methods, reader, session, tables

viewer = session.require(Permission.SEE_LENIENCY)
t, mode = reader.language(), reader.mode()
version = cards.opened(t, viewer, needs="ratings")

head = cards.head()
scope = filters.beside_evidence(t, version, viewer)
with cards.waiting():
    released = load_severity.beside_evidence(version, viewer, scope.sources, scope.kind, scope.department_id)
names, departments = load.names(version, viewer), load.departments(version, released.as_of).names
said = evidence_chart.takeaway(released, t, names=departments)
about = [*scope.words, t("all cycles up to {day}", day=t.day(released.as_of))]
key = (version, viewer, scope, t, mode)
with head:
    cards.title(t("Do ratings follow the evidence?"), about)
    cards.finding(said)

footer = cards.footer(t, viewer, released, version, about)
if released.value.kinds["why"][0] is None:
    cards.section(
        t("Departments beside their evidence"),
        t("Each department against what people with the same evidence got elsewhere."),
    )
    load.picture(
        lambda: evidence_chart.departments_figure(released, t, mode=mode, names=departments),
        key=("beside evidence", *key),
        alt=said,
    )
    cards.table(
        t,
        lambda: evidence_chart.group_rows(released, t, by="department_id", names=departments),
        name="beside-evidence",
        key=key,
        footer=footer,
        alt=said,
    )
    cards.remark(evidence_chart.departments_left_out(released, t))
    if released.value.beside.height:
        cards.section(t("Severity with and without the evidence"), evidence_chart.changes(released, t))
    if evidence_chart.matters(released):
        cards.remark(evidence_chart.warning(released, t))
        load.picture(
            lambda: evidence_chart.beside_figure(released, t, mode=mode, names=names),
            key=("with and without", *key),
            alt=evidence_chart.changes(released, t),
        )
        cards.table(
            t,
            lambda: evidence_chart.changed_rows(
                released, t, names=names, departments=departments, verdicts=tables.verdict_words(t)
            ),
            name="severity-beside-evidence",
            key=key,
            footer=footer,
            alt=evidence_chart.changes(released, t),
        )
        cards.remark(evidence_chart.raters_left_out(released, t))
    if released.value.people.height:
        cards.section(
            t("Single ratings beside their evidence"),
            t("The newest cycle. A gap is a reason to ask what the evidence does not show, no more."),
        )
        cards.table(
            t,
            lambda: evidence_chart.people_rows(released, t, names=names),
            name="people-beside-evidence",
            key=key,
            footer=footer,
            alt=t("Single ratings beside what people with the same evidence got."),
            wide=t("In words"),
        )
cards.method(t, methods.beside_evidence(t, released))
session.record("looked", "evidence")
