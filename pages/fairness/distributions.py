"""How are ratings spread, by department, level, place or rater, and against guidance?"""

from __future__ import annotations

from analytics.distribution import chart
from data.access import Permission
from pages.kit import cards, filters, load, methods, reader, session, tables

viewer = session.require(Permission.SEE_DISTRIBUTIONS)
t, mode = reader.language(), reader.mode()
version = cards.opened(t, viewer, needs="ratings")

head = cards.head()
scope = filters.ratings(t, version, viewer)
guidance = scope.guidance
names = load.group_names(version, viewer, scope.choice)
with cards.waiting():
    safe = filters.protected(version, viewer, scope.choice)
cards.refuse_to_single_out(t, head, t("How are ratings spread?"), scope.words, safe.refusal)
released, withhold = safe.released, safe.withhold
of_raters = scope.choice.by == "rater"
said = tables.spread(t, released, names, scope.compared, of_raters=of_raters)
about = [*scope.words, t("as of {day}", day=t.day(released.as_of))]
key = (version, viewer, scope.choice, withhold, t, mode)
fit = None if guidance is None else load.rating_guidance(version, viewer, scope.choice, guidance, withhold)
fits = "" if fit is None else chart.guidance_takeaway(fit, t, names=names, of_raters=of_raters)
with head:
    cards.title(t("How are ratings spread?"), [*about, tables.people_counted(t, released)])
    cards.finding(f"{fits}\n{said}")
view = filters.switch(t("Picture"), {"bars": t("Bars"), "panels": t("Side by side")}, key="view")
load.picture(
    lambda: (
        chart.figure(released, t, mode=mode, names=names, guidance=guidance)
        if view == "bars"
        else chart.multiples(released, t, mode=mode, names=names)
    ),
    key=("spread", view, guidance, *key),
    alt=said,
)
cards.hidden(released, t)
footer = cards.footer(t, viewer, released, version, about)
cards.table(
    t,
    lambda: tables.distribution(t, released, names, scope.compared, load.levels(version, scope.scale_id)),
    name="distribution",
    key=key,
    footer=footer,
    columns=tables.level_bars(t, released),
    alt=said,
)

if fit is not None:
    judged = fit
    cards.section(t("Against guidance"), fits)
    load.picture(
        lambda: chart.guidance_figure(judged, t, mode=mode, names=names),
        key=("fit", guidance, *key),
        alt=fits,
    )
    cards.hidden(fit, t)

if scope.earlier is not None:
    changed = load.rating_change(version, viewer, scope.choice, scope.earlier, withhold)
    moved = chart.change_takeaway(changed, t, names=names, of_raters=of_raters)
    cards.section(t("Since the cycle before"), moved)
    load.picture(
        lambda: chart.change_figure(changed, t, mode=mode, names=names, cycles=scope.cycle_names),
        key=("change", scope.earlier, *key),
        alt=moved,
    )
    cards.hidden(changed, t)

cards.method(t, methods.distribution(t, released))
session.record("looked", "distributions")
