"""What stands on the page about decisions: whether the record holds, what was decided, the head to keep."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import polars as pl
import streamlit as st

from analytics.language import Language
from data.access import Role, Viewer
from data.auditing import Verification
from data.chain import GENESIS, Head
from data.ledger import ACKNOWLEDGE_WARNING, FORGET_PERSON
from data.problems import Problem
from pages.kit import cards, session

SHOWN: Final = 10_000
"""Decisions in the table, the latest ones."""
_NOTED: Final = "noted_head"


@dataclass(frozen=True)
class Record:
    """The ledger as an auditor sees it.

    Attributes
    ----------
    decisions
        As `Ledger.decisions` gives them.
    verified
        Whether all is as it was recorded, also against the heads in the access log.
    n_heads
        How many heads the access log holds.
    """

    decisions: pl.DataFrame
    verified: Verification
    n_heads: int


def record(t: Language, viewer: Viewer) -> Record:
    """The ledger, verified; or the state that says why it cannot be, and the run stops."""
    try:
        ledger = session.ledger()
        heads = session.operations().heads(viewer)
        verified = ledger.verify(against=heads)
        return Record(ledger.decisions(viewer, limit=SHOWN), verified, n_heads=len(set(heads)))
    except Problem as problem:
        cards.state(t("The decision ledger cannot be read"), t(problem.message, **problem.values))
        st.stop()


def finding(t: Language, found: Record) -> str:
    """Whether the record holds, and how much there is."""
    n, verified = found.verified.head.entry, found.verified
    if not verified.is_sound:
        return t.plural(
            "Something about the record is wrong in {n} place: it was changed after it was made.",
            "Something about the record is wrong in {n} places: it was changed after it was made.",
            len(verified.faults) + verified.more,
        )
    if n == 0:
        return t(
            "Nothing has been decided yet. The first warning that somebody acknowledges will stand here."
        )
    latest = found.decisions.row(0, named=True)
    return t.joined(
        [
            t.plural(
                "{n} decision is on record, and it is as it was made.",
                "{n} decisions are on record, each as it was made and none missing.",
                n,
            ),
            t(
                "The latest is of {day}, by {who}.",
                day=t.day(latest["at"].date()),
                who=latest["name"] or _erased(t),
            ),
        ]
    )


def faults(t: Language, found: Verification) -> None:
    """What is wrong, one by one; nothing if all is well."""
    for fault in found.faults:
        cards.say(t(fault.message, **fault.values))
    if found.more:
        cards.remark(t.plural("{n} more is not listed.", "{n} more are not listed.", found.more))
    if found.faults:
        cards.remark(
            t(
                "Keep a copy of the file as it is, find out who had access to it, and restore it from a "
                "backup."
            )
        )


def table(t: Language, decisions: pl.DataFrame) -> pl.DataFrame:
    """Decisions in words, latest first."""
    roles = session.role_names(t)
    return pl.DataFrame(
        [
            {
                t("No."): one["entry"],
                t("When (UTC)"): f"{one['at']:%Y-%m-%d %H:%M}",
                t("Who"): one["name"] or _erased(t),
                t("As"): t.listing([roles[Role(role)] for role in one["roles"] if role in set(Role)]),
                t("Decision"): _done(t, one),
                t("Why"): one["reason"] or _erased(t),
                t("What was seen"): _seen(t, one),
                t("Corrects no."): one["corrects"],
                t("About"): one["key"],
            }
            for one in decisions.iter_rows(named=True)
        ],
        schema_overrides={t("Corrects no."): pl.Int64},
        infer_schema_length=None,
    )


def head(t: Language, found: Record) -> None:
    """The head to note down, and a place to compare one that was noted down before."""
    cards.section(
        t("Head to note down"),
        t(
            "Keep this line where nobody who can write to the server can write. Compared later, it shows "
            "whether anything was cut off or made anew."
        ),
    )
    st.code(str(found.verified.head), language=None, wrap_lines=True)
    noted = st.text_input(
        t("A head noted down before"), key=_NOTED, max_chars=200, placeholder=t("number:digest")
    )
    if noted:
        cards.say(_compared(t, noted))


def method(t: Language, found: Record) -> dict[str, str]:
    """How we know."""
    return {
        t("What is recorded"): t(
            "Who decided, in which role, when, on what, what they saw and why. A decision is never changed "
            "or removed; a correction is a new decision that names the old one."
        ),
        t("How changes are found"): t(
            "Each decision carries a digest (SHA-256) of itself and of the one before it, checked anew each "
            "time this page opens."
        ),
        t("How a cut is found"): t.plural(
            "The access log, which is another file, holds {n} head to compare with. A head that was noted "
            "down elsewhere is surer still.",
            "The access log, which is another file, holds {n} heads to compare with. A head that was noted "
            "down elsewhere is surer still.",
            found.n_heads,
        ),
        t("Names"): t(
            "Names and reasons stand beside the chain, and can be erased without breaking it; the decision "
            "stays."
        ),
        t("Who may read it"): t("Auditors only."),
    }


def _compared(t: Language, noted: str) -> str:
    try:
        wanted = Head.read(noted)
    except Problem as problem:
        return t(problem.message, **problem.values)
    if wanted == GENESIS:
        return t("This is the head of a ledger without decisions: there is nothing to compare.")
    if session.ledger().holds(wanted):
        return t("Decision {entry} is still the one that was noted down.", entry=wanted.entry)
    return t(
        "Decision {entry} is not the one that was noted down: decisions were cut off or made anew since, or "
        "the head is of another installation.",
        entry=wanted.entry,
    )


def _done(t: Language, one: dict[str, Any]) -> str:
    if one["kind"] == FORGET_PERSON:
        return t("erased a person from the record")
    if one["kind"] != ACKNOWLEDGE_WARNING:
        return str(one["kind"])
    body = json.loads(one["body"])
    if body.get("taken_back"):
        return t("took an acknowledgement back")
    if "goal_id" in body:
        return t("acknowledged a warning about goal {goal}", goal=body["goal_id"])
    return t("acknowledged a warning")


def _seen(t: Language, one: dict[str, Any]) -> str:
    if one["kind"] == FORGET_PERSON:
        return ""
    body = json.loads(one["body"])
    seen = {
        "arose_on": t("since {day}", day=body.get("arose_on")),
        "delay_percent": t("probability of delay {percent} %", percent=body.get("delay_percent")),
        "version": t("data version {version}", version=body.get("version")),
        "rules": t("rules {rules}", rules=body.get("rules")),
    }
    return " · ".join(words for key, words in seen.items() if body.get(key) is not None)


def _erased(t: Language) -> str:
    return t("(erased)")
