"""The entry: page config, sign-in gate, navigation over the sections; nothing else."""

from __future__ import annotations

import streamlit as st

from data.access import Permission
from pages.kit import cards, filters, reader, session

st.set_page_config(page_title="Evenhand 持衡", page_icon="pages/kit/icon.svg", layout="wide")
cards.stylesheet(reader.mode())
st.logo(f"pages/kit/logo-{reader.mode()}.svg", size="large", icon_image="pages/kit/icon.svg")
viewer = session.gate()

with st.sidebar:
    t = reader.choose_language()


def page(path: str, title: str, url: str, permission: Permission, *, default: bool = False) -> object:
    """A page of the navigation; one the viewer may not see is not listed but answers with why."""
    visible = "visible" if viewer.may(permission) else "hidden"
    return st.Page(f"pages/{path}.py", title=title, url_path=url, default=default, visibility=visible)


chosen = st.navigation(
    {
        "": [
            page("overview/overview", t("Overview"), "", Permission.SEE_OWN, default=True),
            # Streamlit serves the first page at the bare address only; people type this one too.
            st.Page(
                "pages/overview/overview.py", title=t("Overview"), url_path="overview", visibility="hidden"
            ),
        ],
        t("Fairness"): [
            page(
                "fairness/distributions",
                t("Rating distributions"),
                "distributions",
                Permission.SEE_DISTRIBUTIONS,
            ),
            page("fairness/leniency", t("Leniency"), "leniency", Permission.SEE_LENIENCY),
            page("fairness/rater", t("One rater"), "rater", Permission.SEE_LENIENCY),
            page("fairness/adjusted", t("Adjusted ratings"), "adjusted", Permission.SEE_LENIENCY),
        ],
        t("Behind leniency"): [
            page("fairness/linkage", t("Comparability"), "linkage", Permission.SEE_LENIENCY),
            page("fairness/habits", t("Rating habits"), "habits", Permission.SEE_LENIENCY),
            page("fairness/evidence", t("Ratings and evidence"), "evidence", Permission.SEE_LENIENCY),
            page("fairness/facets", t("Dimensions and sources"), "facets", Permission.SEE_LENIENCY),
            page("fairness/yardstick", t("One yardstick"), "yardstick", Permission.SEE_LENIENCY),
        ],
        t("Strategy"): [
            page("goals/strategy", t("Strategy"), "strategy", Permission.SEE_GOALS),
            page("goals/risk", t("Goal risk"), "goals", Permission.SEE_GOALS),
            page("goals/goal", t("One goal"), "goal", Permission.SEE_GOALS),
            page("goals/warnings", t("Early warnings"), "warnings", Permission.SEE_GOALS),
            page("goals/coverage", t("Coverage and alignment"), "coverage", Permission.SEE_GOALS),
            page("goals/owners", t("Owners"), "owners", Permission.SEE_GOALS),
            page("goals/backtest", t("Backtest"), "backtest", Permission.SEE_GOALS),
        ],
        t("Mine"): [
            page("mine/mine", t("What is mine"), "mine", Permission.SEE_OWN),
        ],
        t("Records"): [
            page("sources/data", t("Data"), "data", Permission.SEE_IMPORTS),
            page("sources/sessions", t("Sessions"), "sessions", Permission.MANAGE_SESSIONS),
            page("sources/access", t("Access"), "access", Permission.SEE_ACCESS_LOG),
            page("sources/decisions", t("Decisions"), "decisions", Permission.SEE_ACCESS_LOG),
            page("sources/methods", t("Methods"), "methods", Permission.SEE_OWN),
        ],
    },
    expanded=True,
)
with st.sidebar:
    session.choose_role(t)
filters.arrived(chosen.url_path)
chosen.run()
