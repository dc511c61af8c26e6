"""A small app behind the real gate and the real server: what pages do, without what they compute."""

from __future__ import annotations

import plotly.graph_objects as go
import polars as pl
import streamlit as st

from data.access import Permission
from pages.kit import reader, session

FIGURES = pl.DataFrame({"department": ["Sales", "Research"], "mean": [3.4, 3.1]})


def figures() -> None:
    """A chart, a table, widgets and a download."""
    session.require(Permission.SEE_DISTRIBUTIONS)
    session.record("looked", "figures")
    st.write("Figures of all departments")
    st.plotly_chart(
        go.Figure(go.Bar(x=FIGURES["department"].to_list(), y=FIGURES["mean"].to_list())),
        config={"showSendToCloud": False},
        alt="Two bars",
    )
    st.dataframe(FIGURES, alt="Two departments")
    st.selectbox("Department", FIGURES["department"].to_list(), key="department", bind="query-params")
    st.slider("Least", 0, 10)
    st.date_input("Day")
    st.file_uploader("Export")
    st.download_button("Download", "department,mean\n", file_name="figures.csv")
    st.components.v2.component(
        "stand_in_board", html="<p>A board</p>", js="export default () => { document.title = 'board ran' }"
    )()


def mine() -> None:
    """What everybody may see of themselves."""
    viewer = session.require(Permission.SEE_OWN)
    st.write(f"Mine: {viewer.name}, {viewer.employee_id}, {', '.join(sorted(viewer.departments))}")


def broken() -> None:
    """Fails with a value that nobody is to see."""
    session.require(Permission.SEE_OWN)
    raise RuntimeError("salary 47110815")


st.set_page_config(page_title="Stand-in")
session.gate()
chosen = st.navigation(
    [
        st.Page(mine, title="Mine", url_path="mine", default=True),
        st.Page(figures, title="Figures", url_path="figures"),
        st.Page(broken, title="Broken", url_path="broken"),
    ]
)
session.choose_role(reader.language())
chosen.run()
