"""Who looked at what, and who is signed in?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from data.access import Permission
from pages.kit import cards, filters, reader, session, tables

viewer = session.require(Permission.SEE_ACCESS_LOG)
t = reader.language()
store = session.operations()

days = {"1": t("Last day"), "7": t("Last 7 days"), "30": t("Last 30 days"), "365": t("Last year")}
head = cards.head()
span = int(filters.pick(t("Period"), days, key="days", default="7"))
log = store.read_log(viewer, since=datetime.now(UTC) - timedelta(days=span), limit=100_000)
with head:
    cards.title(t("Who looked at what?"), [days[str(span)]])
cards.finding(tables.access_finding(t, log))
if not log.is_empty():
    cards.table(
        t,
        lambda: tables.access_log(t, log),
        name="access-log",
        key=(t, log["entry"].max(), span),
        footer=[days[str(span)], t("Downloaded by {name}", name=viewer.name)],
        alt=t("Who opened or downloaded what, and when, newest first."),
    )
cards.method(
    t,
    {
        t("What is noted"): t(
            "Every page opened with its filters, every download, every import, every sign-in and every "
            "refusal. The same look at the same page counts once a minute."
        ),
        t("Who may read it"): t("Auditors only. Entries cannot be changed or removed by the app."),
    },
)
session.record("looked", "access")
