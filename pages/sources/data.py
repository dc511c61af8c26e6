"""Can the data be trusted? What was loaded, what was not and why, and loading more."""

from __future__ import annotations

from data.access import Permission
from pages.kit import cards, filters, loading, reader, records, session

viewer = session.require(Permission.SEE_IMPORTS)
t = reader.language()

cards.title(t("Can the data be trusted?"))
version = records.summary(t, viewer)
parts = records.parts(t, viewer, version)
part = filters.switch(t("Part of the page"), parts, key="part") if parts else "load"
if part == "load" and viewer.may(Permission.IMPORT):
    loading.desk(t)
elif version is not None and part in records.PARTS:
    records.PARTS[part](t, version, viewer)
session.record("looked", "data")
