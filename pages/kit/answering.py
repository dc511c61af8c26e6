"""Acknowledging an early warning, or taking that back: who did, when and why goes into the decision ledger.

A press of a button only notes what the person saw and meant; it is decided in the next run, after the gate,
and against what stands by then. Of two who answer the same warning the second is told what the first decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from html import escape
from typing import Any, Final
from urllib.parse import quote

import polars as pl
import streamlit as st

from analytics.disclosure import Released
from analytics.goals.landing.chart import in_own_language
from analytics.goals.risk.ladder import Chances
from analytics.goals.warning import EarlyWarnings, apart_from
from analytics.goals.warning_chart import Known, by_strategic, happened, kind_words, next_step, stakes
from analytics.language import Language, percent
from analytics.policy import RULES_VERSION
from analytics.reports import digest
from data.access import Permission, Viewer
from data.ledger import ACKNOWLEDGE_WARNING, LONGEST_REASON, Decision
from data.problems import Problem
from pages.kit import cards, filters, session, strategy

HEAVIEST: Final = 4
"""Warnings told in full: what a screen holds."""

MEANT: Final = "answer_meant"


@dataclass(frozen=True)
class Answers:
    """What was decided on the warnings of a page.

    Attributes
    ----------
    standing
        Warning id → the acknowledgement in force.
    revisions
        Warning id → the revision of its matter, 0 where nothing was ever decided.
    """

    standing: Mapping[str, Decision]
    revisions: Mapping[str, int]


@dataclass(frozen=True)
class Intent:
    """What somebody meant by a press, and what they saw."""

    warning_id: str
    key: str
    revision: int
    reason_key: str
    corrects: int | None


def answers(t: Language, released: Released[EarlyWarnings]) -> Answers:
    """What was decided on warnings that stand; where the ledger cannot be read the page says so."""
    try:
        decided = session.ledger().state(ACKNOWLEDGE_WARNING)
    except Problem as problem:
        cards.remark(t(problem.message, **problem.values))
        decided = {}
    standing: dict[str, Decision] = {}
    revisions: dict[str, int] = {}
    for warning_id, known_as in released.value.standing.select("warning_id", "known_as").iter_rows():
        revisions[warning_id] = decided[warning_id].revision if warning_id in decided else 0
        found = [decided[name] for name in known_as if name in decided]
        in_force = [decision for decision in found if not decision.body.get("taken_back")]
        if in_force:
            standing[warning_id] = in_force[0]
    return Answers(standing, revisions)


def settle(t: Language, viewer: Viewer, version: str, released: Released[EarlyWarnings]) -> None:
    """Decide what the last press meant, if there was one and it may still be decided."""
    meant: Intent | None = st.session_state.pop(MEANT, None)
    if meant is None:
        return
    rows = released.value.standing.filter(warning_id=meant.warning_id)
    try:
        if rows.is_empty():
            raise Problem("This warning is over, or not yours to answer. Nothing was recorded.")
        row = rows.row(0, named=True)
        body: dict[str, Any] = {
            "goal_id": row["goal_id"],
            "warning": row["kind"],
            "arose_on": row["arose_on"],
            "delay_percent": None if row["chance"] is None else round(100 * row["chance"]),
            "version": version,
            "rules": RULES_VERSION,
        }
        if meant.corrects is not None:
            body["taken_back"] = True
        session.decide(
            viewer,
            ACKNOWLEDGE_WARNING,
            key=meant.key,
            body=body,
            reason=str(st.session_state.get(meant.reason_key) or ""),
            expected=meant.revision,
            corrects=meant.corrects,
        )
    except Problem as problem:
        cards.state(t("Nothing was recorded"), t(problem.message, **problem.values))
        return
    st.session_state.pop(meant.reason_key, None)
    st.toast(t("Taken back.") if meant.corrects is not None else t("Acknowledged."))


def waiting(released: Released[EarlyWarnings], found: Answers) -> Released[EarlyWarnings]:
    """The same without the warnings that were acknowledged."""
    return replace(released, value=apart_from(released.value, frozenset(found.standing)))


def overview(t: Language, rows: pl.DataFrame, *, chances: Released[Chances], known: Known, day: date) -> None:
    """What stands by strategic goal, if it touches more than one, with the way to the heaviest."""
    found = by_strategic(rows, day=day).filter(pl.col("strategic_id").is_in(list(known.goals)))
    if found.height < 2:
        return
    delay = (pl.col("delay") * 100).round(0).cast(pl.Int64).alias(t("Delay probability (%)"))
    frame = found.join(
        chances.value.now.select("goal_id", "delay"),
        left_on="strategic_id",
        right_on="goal_id",
        how="left",
        maintain_order="left",
    ).select(
        pl.Series(
            t("Strategic goal"),
            [in_own_language(known.title(goal), t) for goal in found["strategic_id"]],
            dtype=pl.String,
        ),
        delay,
        pl.col("new").alias(t("Newly warned")),
        pl.col("standing").alias(t("Warned")),
        pl.Series(
            t("Most hangs on"),
            [in_own_language(known.title(goal), t) for goal in found["heaviest"]],
            dtype=pl.String,
        ),
        goal_links(t, found["heaviest"]),
    )
    cards.heading(t("By strategic goal"))
    cards.plain_table(
        frame,
        alt=t("How many goals are warned of, by strategic goal."),
        columns={
            **link_column(t),
            t("Strategic goal"): st.column_config.TextColumn(width=240),
            t("Most hangs on"): st.column_config.TextColumn(width=190),
        },
    )


def goal_links(t: Language, goals: pl.Series) -> pl.Series:
    """Addresses of the pages of goals."""
    made = [f"/goal?goal={quote(goal, safe='')}&lang={t.code}" for goal in goals]
    return pl.Series(t("Goal page"), made, dtype=pl.String)


def link_column(t: Language) -> dict[str, Any]:
    """How a table shows what `goal_links` made."""
    return {t("Goal page"): st.column_config.LinkColumn(display_text=t("Look at it"), width=96)}


def heaviest(
    t: Language,
    viewer: Viewer,
    rows: pl.DataFrame,
    found: Answers,
    *,
    known: Known,
    departments: Mapping[str, str],
) -> None:
    """The first of the warnings, each with what to do and the way to acknowledge it."""
    for row in rows.head(HEAVIEST).iter_rows(named=True):
        _card(t, viewer, row, found, known=known, departments=departments)


def another(
    t: Language,
    viewer: Viewer,
    rows: pl.DataFrame,
    found: Answers,
    *,
    known: Known,
    departments: Mapping[str, str],
) -> None:
    """Any other warning, by the reader's choice."""
    rest = filters.with_chosen(rows.slice(HEAVIEST), "warning_id", key="warning")
    if rest.is_empty():
        return
    kinds = kind_words(t)
    labels = {
        row["warning_id"]: t(
            "{goal}: {warning}, since {day}",
            goal=known.title(row["goal_id"]),
            warning=kinds[row["kind"]],
            day=t.day(row["arose_on"]),
        )
        for row in rest.iter_rows(named=True)
    }
    chosen = filters.pick(
        t("Look at another warning"), {filters.EVERYTHING: t("Choose"), **labels}, key="warning"
    )
    for row in rest.filter(warning_id=chosen).iter_rows(named=True):
        _card(t, viewer, row, found, known=known, departments=departments)


def acknowledged(
    t: Language, viewer: Viewer, released: Released[EarlyWarnings], found: Answers, *, known: Known
) -> None:
    """What was acknowledged, by whom, when and why; folded, with the way to take one back."""
    rows = released.value.standing.filter(pl.col("warning_id").is_in(list(found.standing)))
    if rows.is_empty():
        return
    kinds = kind_words(t)
    with st.expander(
        t.plural("{n} acknowledged warning", "{n} acknowledged warnings", rows.height), key="acknowledged"
    ):
        decided = [found.standing[warning_id] for warning_id in rows["warning_id"]]
        frame = pl.DataFrame(
            {
                t("Goal"): [known.title(goal) for goal in rows["goal_id"]],
                t("Warning"): [kinds[kind] for kind in rows["kind"]],
                t("Acknowledged by"): [_by(t, decision) for decision in decided],
                t("When (UTC)"): [f"{decision.at:%Y-%m-%d %H:%M}" for decision in decided],
                t("Why"): [decision.reason or t("erased") for decision in decided],
            }
        )
        cards.plain_table(frame, alt=t("Acknowledged warnings, with who, when and why."), wide=t("Why"))
        if viewer.may(Permission.ACKNOWLEDGE_WARNINGS):
            _taking_back(t, rows, found, known)


def letter(
    t: Language,
    viewer: Viewer,
    released: Released[EarlyWarnings],
    *,
    known: Known,
    departments: Mapping[str, str],
    since: date,
) -> None:
    """The new warnings as a letter, to download and send; nothing is noted as told by it."""

    def written() -> bytes:
        made = digest.compose(
            released,
            t,
            known,
            addressee="" if session.is_local() else viewer.name,
            since=since,
            departments=departments,
        )
        return digest.as_html(made, t).encode()

    st.download_button(
        t("Download the new ones as a letter (HTML)"),
        data=written,
        file_name="early-warnings.html",
        mime="text/html",
        key="download_letter",
        on_click=partial(session.record, "downloaded", "early-warnings.html"),
        type="tertiary",
        icon=":material/mail:",
    )


def _card(
    t: Language,
    viewer: Viewer,
    row: Mapping[str, Any],
    found: Answers,
    *,
    known: Known,
    departments: Mapping[str, str],
) -> None:
    facts = [
        kind_words(t)[row["kind"]],
        t("delay probability {chance}", chance=percent(row["chance"], t))
        if row["chance"] is not None
        else "",
        t("due {day}", day=t.day(row["due_on"])),
        known.people.get(row["owner_id"] or "", row["owner_id"] or t("no owner")),
        departments.get(row["department_id"] or "", row["department_id"] or ""),
    ]
    with st.container(border=True, key=f"warning_{row['warning_id']}"):
        st.html(
            f'<p class="eh-about">{escape(" · ".join(fact for fact in facts if fact))}</p>'
            f'<h2 class="eh-h2" style="margin-top:2px">{escape(known.title(row["goal_id"]))}</h2>'
            f'<p class="eh-note">{escape(t.joined([happened(row, t, known), stakes(row, t, known)]))}</p>'
            f'<p class="eh-say"><b>{escape(next_step(row, t, known))}</b></p>'
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            if viewer.may(Permission.ACKNOWLEDGE_WARNINGS):
                _acknowledging(t, row, found)
            strategy.link(t("Look at the goal"), row["goal_id"])


def _acknowledging(t: Language, row: Mapping[str, Any], found: Answers) -> None:
    warning_id = row["warning_id"]
    reason_key = f"reason_{warning_id}"
    with (
        st.popover(t("Acknowledge"), key=f"popover_{warning_id}"),
        st.form(f"form_{warning_id}", border=False),
    ):
        st.text_area(
            t("Why, and what will be done"),
            key=reason_key,
            max_chars=LONGEST_REASON,
            placeholder="",
            height=96,
        )
        # What the person sees now is what they answer, whatever the next run finds.
        meant = Intent(warning_id, warning_id, found.revisions[warning_id], reason_key, None)
        st.form_submit_button(t("Record it"), key=f"acknowledge_{warning_id}", on_click=_mean, args=(meant,))
        cards.remark(t("Your name, the time and the reason are kept, and cannot be changed afterwards."))


def _taking_back(t: Language, rows: pl.DataFrame, found: Answers, known: Known) -> None:
    kinds = kind_words(t)
    labels = {
        row["warning_id"]: f"{known.title(row['goal_id'])} · {kinds[row['kind']]}"
        for row in rows.iter_rows(named=True)
    }
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            t("Take one back"),
            list(labels),
            format_func=lambda one: labels.get(one, one),
            index=None,
            placeholder=t("Choose"),
            key="taken_back",
        )
    if chosen is None or chosen not in found.standing:
        return
    decision = found.standing[chosen]
    reason_key = f"reason_back_{chosen}"
    with st.form(f"form_back_{chosen}", border=False):
        st.text_area(t("Why"), key=reason_key, max_chars=LONGEST_REASON, placeholder="", height=80)
        meant = Intent(chosen, decision.key, decision.revision, reason_key, decision.entry)
        st.form_submit_button(t("Take it back"), key=f"take_back_{chosen}", on_click=_mean, args=(meant,))


def _mean(meant: Intent) -> None:
    st.session_state[MEANT] = meant


def _by(t: Language, decision: Decision) -> str:
    if decision.name is None:
        return t("erased")
    return t("this computer") if session.is_local() else decision.name
