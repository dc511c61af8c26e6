"""What was decided here, by whom and why, and is the record as it was made?"""

from __future__ import annotations

from data.access import Permission
from pages.kit import cards, deciding, reader, session

viewer = session.require(Permission.SEE_ACCESS_LOG)
t = reader.language()

head = cards.head()
found = deciding.record(t, viewer)
with head:
    cards.title(t("What was decided, and does the record hold?"))
cards.finding(deciding.finding(t, found))
deciding.faults(t, found.verified)
if not found.decisions.is_empty():
    cards.table(
        t,
        lambda: deciding.table(t, found.decisions),
        name="decisions",
        key=(t, found.verified.head),
        footer=[str(found.verified.head), t("Downloaded by {name}", name=viewer.name)],
        alt=t("Who decided what, when and why, newest first."),
        wide=t("Why"),
    )
    deciding.head(t, found)
cards.method(t, deciding.method(t, found))
session.record("looked", "decisions")
