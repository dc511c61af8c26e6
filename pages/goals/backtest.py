"""Is the delay probability honest: did goals miss as often as was said?"""

from __future__ import annotations

from analytics.goals.forecast import chart as forecast_chart
from analytics.goals.risk import backtest_chart as chart
from data.access import Permission
from pages.kit import cards, honesty, load, load_goals, reader, session

viewer = session.require(Permission.SEE_GOALS)
t, mode = reader.language(), reader.mode()
version = cards.opened(t, viewer, needs="goals")

head = cards.head()
with cards.waiting():
    released = load_goals.backtested(version, viewer)
names = load.departments(version, released.as_of).names
said = chart.takeaway(released, t)
about = [t("as of {day}", day=t.day(released.as_of)), honesty.counted(t, released)]
key = (version, viewer, t, mode)
with head:
    cards.title(t("Is the delay probability honest?"), about)
    cards.finding(said)
load.picture(lambda: chart.figure(released, t, mode=mode), key=("reliability", *key), alt=said)
cards.remark(chart.below(released, t))
footer = cards.footer(t, viewer, released, version, about)
cards.table(t, lambda: honesty.bins(t, released), name="reliability", key=key, footer=footer, alt=said)

if not released.value.departments.is_empty():
    local = chart.departments_takeaway(released, t, names=names)
    cards.section(t("Is it honest in every department?"), local)
    load.picture(
        lambda: chart.departments_figure(released, t, mode=mode, names=names),
        key=("honest departments", *key),
        alt=local,
    )
    cards.hidden(released, t)
    cards.table(
        t,
        lambda: honesty.departments(t, released, names),
        name="backtest-departments",
        key=key,
        footer=footer,
        alt=local,
        columns=honesty.columns(t),
    )
when = chart.parts_takeaway(released, t)
cards.section(t("How early does it know, and since when?"), when)
if by := honesty.apart(t, released):
    cards.table(
        t,
        lambda: honesty.parts(t, released, by),
        name="backtest-parts",
        key=(by, *key),
        footer=footer,
        alt=when,
        columns=honesty.columns(t),
    )
model = chart.model_takeaway(released, t)
cards.section(t("Which model speaks, and why?"), model)
if not released.value.ladder.is_empty():
    cards.table(
        t,
        lambda: honesty.ladder(t, released),
        name="models",
        key=key,
        footer=footer,
        alt=model,
        columns=honesty.columns(t),
    )
with cards.waiting():
    forecasts = load_goals.forecasts_checked(version)
held = forecast_chart.coverage_takeaway(forecasts, t)
cards.section(t("Do forecasts hold?"), held)
load.picture(
    lambda: forecast_chart.coverage_figure(forecasts, t, mode), key=("forecasts held", *key), alt=held
)
cards.method(t, honesty.method(t, released))
session.record("looked", "backtest")
