"""What would an average rater have given, and who did better under average raters?"""

from __future__ import annotations

from analytics.severity import adjusted_chart
from data.access import Permission
from pages.kit import adjusting, cards, filters, load, load_severity, methods, reader, session

viewer = session.require(Permission.SEE_LENIENCY)
t, mode = reader.language(), reader.mode()
version = cards.opened(t, viewer, needs="ratings")

head = cards.head()
scope = filters.adjusted(t, version, viewer)
with cards.waiting():
    whole = load_severity.adjusted_ratings(
        version,
        viewer,
        scope.sources,
        scope.cycle_id,
        source=scope.source,
        department_id=scope.department_id,
    )
names = load.names(version, viewer)
departments = load.departments(version, whole.as_of).names
rater_id, released = adjusting.of_rater(t, whole, names)
said = (
    adjusted_chart.takeaway(released, t)
    if rater_id is None
    else adjusted_chart.rater_takeaway(released, t, name=names.get(rater_id, rater_id))
)
key = (version, viewer, scope, rater_id, t, mode)
with head:
    cards.title(t("What would an average rater have given?"), scope.words)
    cards.finding(f"{said}\n{adjusted_chart.advisory(t)}")

footer = cards.footer(t, viewer, released, version, [*scope.words, adjusted_chart.advisory(t)])
single = released.value.ratings
told = single["flip"].is_not_null().any()
cards.remark(adjusted_chart.beside(released, t))
if told:
    load.picture(
        lambda: adjusted_chart.figure(released, t, mode=mode, names=names, levels=scope.levels),
        key=("adjusted", *key),
        alt=said,
    )
# Where nothing can be told the finding says why; of several raters each may have a reason of their own.
if told or (single.height and rater_id is None and released.value.refusal is None):
    cards.table(
        t,
        lambda: adjusted_chart.rows(released, t, names=names, levels=scope.levels),
        name="adjusted",
        key=key,
        footer=footer,
        alt=said,
        wide=t("Under an average rater"),
    )
if told:
    adjusting.order(t, version=version, viewer=viewer, scope=scope, names=names, footer=footer)
if single.is_empty() and released.value.departments["n_told"].sum():
    cards.table(
        t,
        lambda: adjusted_chart.department_rows(released, t, names=departments),
        name="adjusted-departments",
        key=key,
        footer=footer,
        alt=said,
    )
if single.is_empty():
    cards.hidden(released, t)
cards.method(t, methods.adjusted(t, released))
session.record("looked", "adjusted")
