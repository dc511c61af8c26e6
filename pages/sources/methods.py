"""How are these figures made, and do they hold?"""

from __future__ import annotations

import streamlit as st

from data.access import Permission
from pages.kit import cards, chapters, proofs, reader, session

viewer = session.require(Permission.SEE_OWN)
t = reader.language()

cards.title(
    t("How are these figures made, and do they hold?"), [t("Rules {rules}", rules=proofs.PROOFS.rules)]
)
cards.finding(proofs.finding(t))
cards.remark(
    t(
        "Published figures: the same data went through our code. Simulated companies: the truth is known, so "
        "that it can be counted how often the method is right. Both are computed by the code, none is typed."
    )
)
for chapter in chapters.CHAPTERS:
    with st.expander(chapter.question(t), key=f"chapter-{chapter.key}"):
        cards.say(chapter.done(t))
        for formula in chapter.formulas:
            st.latex(formula)
        cards.definitions(
            {
                t("What it assumes"): chapter.assumes(t),
                t("Where it ends"): chapter.ends(t),
                t("Sources"): " · ".join(chapter.sources),
            }
        )
        published = proofs.published(t, chapter.key)
        if not published.is_empty():
            cards.heading(t("Published figures, and ours"))
            cards.plain_table(published, alt=t("Published figures with ours beside them."))
        simulated = proofs.simulations(t, chapter.key)
        if not simulated.is_empty():
            cards.heading(t("Simulated companies whose truth is known"))
            cards.plain_table(simulated, alt=t("Simulated companies with how often the method is right."))
            cards.remark(
                t(
                    "Covered: raters whose 95 % interval holds the true severity. Wrong way: flags that "
                    "point away from the truth, beside as many as the method announced."
                )
            )
session.record("looked", "methods")
