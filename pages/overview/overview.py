"""Are our ratings fair, and will our goals land? Every answer with the way to its evidence."""

from __future__ import annotations

import streamlit as st

from data.access import Permission
from pages.kit import answers, cards, reader, session

viewer = session.require(Permission.SEE_OWN)
t, mode = reader.language(), reader.mode()
version = cards.opened(t, viewer)

cards.title(t("Are our ratings fair, and will our goals land?"), answers.scope(t, version))
found = [answer for answer in answers.ANSWERS if viewer.may(answer.permission)]
for answer in found:
    with cards.waiting(height=160):
        answer.show(t, mode, version, viewer)
if not found:
    cards.finding(t("Your role sees what is recorded about you; figures about others need another role."))
st.page_link("pages/mine/mine.py", label=t("What is recorded about me?"), icon=":material/person:")
session.record("looked", "overview")
