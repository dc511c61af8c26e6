"""New early warnings as a letter: what happened since last time, what hangs on it, what to do.

Reads    released early warnings (`analytics.goals.warning`), narrowed to those not told to the addressee yet.
Returns  the letter in sentences (`Digest`), and from it HTML that any mail program shows (tables, styles in
         place, no script, nothing loaded from elsewhere), plain text, and a table for CSV or XLSX.

What weighs most is told in full, the next in one line each, and of the rest how many there are: those are not
told, and come with the next letter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from typing import Any, Final

import polars as pl

from analytics.disclosure import Released
from analytics.goals.warning import EarlyWarnings
from analytics.goals.warning_chart import Known, happened, kind_words, next_step, stakes, takeaway
from analytics.language import Language, percent
from analytics.theme import FONT, TOKENS, lines

IN_FULL: Final = 12
"""Warnings told in full: what somebody reads before the first meeting."""
IN_SHORT: Final = 60
"""Warnings told in one line each, after those; mail programs cut letters of more than 100 kB."""

_LINE: Final = 76
_PLAIN: Final = 'role="presentation" width="100%" cellpadding="0" cellspacing="0"'


@dataclass(frozen=True)
class Notice:
    """One warning in words.

    Attributes
    ----------
    warning_id
        Which.
    kind, goal, facts
        What kind it is, the goal's title, and one line of facts: delay probability, due date, owner.
    happened, stakes, next_step
        What happened, what hangs on it and what to do; empty where told in one line.
    """

    warning_id: str
    kind: str
    goal: str
    facts: str
    happened: str = ""
    stakes: str = ""
    next_step: str = ""


@dataclass(frozen=True)
class Digest:
    """A letter.

    Attributes
    ----------
    subject
        Of the mail; one line.
    greeting
        To whom it is.
    finding
        What it comes to; may hold several lines.
    in_full, in_short
        Warnings by consequence.
    left
        How many new warnings it does not tell.
    notes
        What must stand below: as-of, version, reach, how it was made.
    link
        Address of the page; empty where none is known.
    language
        Of the letter, as HTML names it.
    """

    subject: str
    greeting: str
    finding: str
    in_full: tuple[Notice, ...]
    in_short: tuple[Notice, ...]
    left: int
    notes: tuple[str, ...]
    link: str
    language: str

    @property
    def told(self) -> frozenset[str]:
        """Ids of the warnings it tells."""
        return frozenset(notice.warning_id for notice in (*self.in_full, *self.in_short))


def compose(
    released: Released[EarlyWarnings],
    t: Language,
    known: Known,
    *,
    addressee: str,
    since: date,
    departments: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
    link: str = "",
) -> Digest:
    """Write the letter.

    Parameters
    ----------
    released
        Only the warnings to be told.
    known
        The names the addressee may know.
    addressee
        Their name; empty where the letter is to a role.
    since
        What arose on this day or later counts as new.
    departments
        Department id → name.
    notes
        Further lines for below.
    link
        Address of the page with all of it; empty where none is known.
    """
    found = released.value.standing.filter(pl.col("arose_on") >= since)
    rows = list(found.iter_rows(named=True))
    told = [
        _notice(row, t, known, departments or {}, whole=at < IN_FULL)
        for at, row in enumerate(rows[: IN_FULL + IN_SHORT])
    ]
    n = len(rows)
    return Digest(
        subject=t.plural("Evenhand: {n} new early warning", "Evenhand: {n} new early warnings", n)
        if n
        else t("Evenhand: no new early warning"),
        greeting=t("To {name}", name=addressee) if addressee else "",
        finding=takeaway(released, t, known, day=since)
        if n
        else t("No new warning since {day}.", day=t.day(since)),
        in_full=tuple(told[:IN_FULL]),
        in_short=tuple(told[IN_FULL:]),
        left=n - len(told),
        notes=(
            t("As of {day}.", day=t.day(released.as_of)),
            t("Each warning is told once. Those told before are on the page Early warnings."),
            t("A delay probability is a chance, not a verdict: talk before you decide."),
            *notes,
        ),
        link=link,
        language="zh-Hans" if t.code == "zh" else t.code,
    )


def table(found: pl.DataFrame, t: Language, known: Known, departments: Mapping[str, str]) -> pl.DataFrame:
    """Warnings in words, one row each, in the order given."""
    kinds = kind_words(t)
    rows = list(found.iter_rows(named=True))

    def words(header: str, made: Sequence[str | None]) -> pl.Series:
        return pl.Series(header, made, dtype=pl.String)

    return pl.DataFrame(
        [
            words(t("Goal"), [known.title(row["goal_id"]) for row in rows]),
            words(t("Warning"), [kinds[row["kind"]] for row in rows]),
            (found["chance"] * 100).round(0).cast(pl.Int64).alias(t("Delay probability (%)")),
            found["arose_on"].alias(t("Since")),
            found["due_on"].alias(t("Due")),
            words(t("What to do"), [next_step(row, t, known) for row in rows]),
            words(t("What happened"), [happened(row, t, known) for row in rows]),
            words(t("What hangs on it"), [stakes(row, t, known) for row in rows]),
            words(t("Owner"), [_name(row["owner_id"], known.people) for row in rows]),
            words(t("Department"), [_name(row["department_id"], departments) for row in rows]),
        ]
    )


def as_text(digest: Digest, t: Language) -> str:
    """The letter without any markup, in lines that every mail program shows whole."""
    parts: list[str] = [*_broken(digest.greeting), *([""] if digest.greeting else [])]
    for line in digest.finding.splitlines():
        parts += _broken(line)
    for notice in digest.in_full:
        parts += ["", "-" * 8, *_broken(f"{notice.kind}: {notice.goal}"), *_broken(notice.facts)]
        parts += [line for told in (notice.happened, notice.stakes) for line in _broken(told)]
        parts += _broken(f"→ {notice.next_step}")
    if digest.in_short:
        parts += ["", *_broken(t("In short"))]
        parts += [
            line for one in digest.in_short for line in _broken(f"{one.kind}: {one.goal} ({one.facts})")
        ]
    parts += ["", *_broken(_rest(digest, t))] if digest.left else []
    parts += ["", digest.link] if digest.link else []
    parts += ["", *(line for note in digest.notes for line in _broken(note))]
    return "\n".join(parts) + "\n"


def as_html(digest: Digest, t: Language) -> str:
    """The letter as one HTML page that mail programs take as it is."""
    k = TOKENS["light"]
    font = escape(FONT.replace("'", ""), quote=True)
    quiet = f"margin:0;color:{k.quiet};font-size:13px;line-height:1.5"
    body = [f'<p style="{quiet}">{escape(digest.greeting)}</p>'] if digest.greeting else []
    body += [
        f'<p style="margin:8px 0 0;font-size:19px;line-height:1.45">{escape(line)}</p>'
        for line in digest.finding.splitlines()
    ]
    blocks = "".join(_block(notice) for notice in digest.in_full)
    if digest.in_short:
        rows = "".join(_short(notice) for notice in digest.in_short)
        blocks += (
            f'<tr><td style="padding:20px 0 0"><p style="margin:0 0 4px;font-size:15px;font-weight:600">'
            f"{escape(t('In short'))}</p>"
            f"<table {_PLAIN}>{rows}</table></td></tr>"
        )
    closing = [escape(_rest(digest, t))] if digest.left else []
    button = (
        f'<tr><td style="padding:20px 0 0"><a href="{escape(digest.link, quote=True)}" '
        f'style="color:{k.accent};font-size:15px">{escape(t("Open Early warnings"))}</a></td></tr>'
        if digest.link
        else ""
    )
    foot = "".join(
        f'<p style="{quiet}">{line}</p>' for line in (*closing, *(escape(note) for note in digest.notes))
    )
    return (
        f'<!doctype html><html lang="{escape(digest.language, quote=True)}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(digest.subject)}</title></head>"
        f'<body style="margin:0;padding:0;background:{k.paper};color:{k.ink};font-family:{font}">'
        f'<table {_PLAIN} style="background:{k.paper}">'
        f'<tr><td align="center" style="padding:24px 12px">'
        f'<table role="presentation" width="640" cellpadding="0" cellspacing="0" '
        f'style="width:100%;max-width:640px;text-align:left">'
        f'<tr><td style="padding:0 0 8px">{"".join(body)}</td></tr>{blocks}{button}'
        f'<tr><td style="padding:24px 0 0"><div style="border-top:1px solid {k.hairline};padding-top:12px">'
        f"{foot}</div></td></tr></table></td></tr></table></body></html>\n"
    )


def _notice(
    row: Mapping[str, Any], t: Language, known: Known, departments: Mapping[str, str], *, whole: bool
) -> Notice:
    owner = _name(row["owner_id"], known.people)
    facts = [
        t("delay probability {chance}", chance=percent(row["chance"], t))
        if row["chance"] is not None
        else "",
        t("due {day}", day=t.day(row["due_on"])),
        owner or t("no owner"),
        _name(row["department_id"], departments) or "",
    ]
    told = (
        (happened(row, t, known), stakes(row, t, known), next_step(row, t, known)) if whole else ("", "", "")
    )
    return Notice(
        row["warning_id"],
        kind_words(t)[row["kind"]],
        known.title(row["goal_id"]),
        " · ".join(fact for fact in facts if fact),
        *told,
    )


def _block(notice: Notice) -> str:
    k = TOKENS["light"]
    line = "margin:6px 0 0;font-size:15px;line-height:1.5"
    return (
        f'<tr><td style="padding:16px 0 0"><table {_PLAIN} '
        f'style="background:{k.surface};border:1px solid {k.hairline};border-radius:6px">'
        f'<tr><td style="padding:14px 16px">'
        f'<p style="margin:0;color:{k.quiet};font-size:13px">{escape(notice.kind)}</p>'
        f'<p style="margin:2px 0 0;font-size:17px;line-height:1.35;font-weight:600">{escape(notice.goal)}</p>'
        f'<p style="margin:2px 0 0;color:{k.quiet};font-size:13px">{escape(notice.facts)}</p>'
        f'<p style="{line}">{escape(notice.happened)}</p><p style="{line}">{escape(notice.stakes)}</p>'
        f'<p style="{line};padding-left:10px;border-left:3px solid {k.accent}">{escape(notice.next_step)}</p>'
        f"</td></tr></table></td></tr>"
    )


def _short(notice: Notice) -> str:
    k = TOKENS["light"]
    return (
        f'<tr><td style="padding:8px 0;border-bottom:1px solid {k.hairline};font-size:14px;line-height:1.4">'
        f"{escape(notice.goal)}<br>"
        f'<span style="color:{k.quiet};font-size:13px">{escape(f"{notice.kind} · {notice.facts}")}</span>'
        "</td></tr>"
    )


def _rest(digest: Digest, t: Language) -> str:
    return t.plural(
        "{n} more new warning is on the page Early warnings and comes with the next letter.",
        "{n} more new warnings are on the page Early warnings and come with the next letter.",
        digest.left,
    )


def _broken(text: str) -> list[str]:
    """Lines of a letter; Chinese breaks between characters, two of which a Latin one's width takes."""
    return lines(text, _LINE) if text else []


def _name(key: str | None, names: Mapping[str, str]) -> str | None:
    return None if key is None else names.get(key, key)
