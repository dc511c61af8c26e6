"""New early warnings as a letter: what happened since last time, what hangs on it, what to do.

Reads    released early warnings (`analytics.goals.warning`), narrowed to those not told to the addressee yet.
Returns  the letter in sentences (`Digest`), and from it HTML that any mail program shows (tables, styles in
         place, no script, nothing loaded from elsewhere), plain text, and a table for CSV or XLSX.

The goals with most hanging on them are told, each once with all that is new about it, under the strategic
goal they serve; of the rest how many there are: those are not told, and come with the next letter.
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
from analytics.theme import FONT, TOKENS, lines, wide

MOST: Final = 12
"""Goals told of: what somebody reads before the first meeting."""

_LINE: Final = 76
_ORPHAN: Final = 4
"""A last line not wider than that is drawn to the one before it."""
_PLAIN: Final = 'role="presentation" width="100%" cellpadding="0" cellspacing="0"'


@dataclass(frozen=True)
class Notice:
    """The warnings of one goal in words.

    Attributes
    ----------
    warning_ids
        Which.
    under
        Title of the strategic goal it serves; empty where it serves none.
    kind, goal, facts
        What kinds they are, the goal's title, and one line of facts: delay probability, due date, owner.
    happened, stakes, next_step
        What happened, what hangs on it and what to do.
    """

    warning_ids: tuple[str, ...]
    under: str
    kind: str
    goal: str
    facts: str
    happened: str
    stakes: str
    next_step: str


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
    period
        Of which days it tells.
    notices
        One per goal; those under one strategic goal follow each other, the heaviest first.
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
    period: str
    notices: tuple[Notice, ...]
    left: int
    notes: tuple[str, ...]
    link: str
    language: str

    @property
    def told(self) -> frozenset[str]:
        """Ids of the warnings it tells."""
        return frozenset(one for notice in self.notices for one in notice.warning_ids)


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
    told = [_notice(rows, t, known, departments or {}) for rows in _chosen(found)]
    n = found.height
    return Digest(
        subject=t.plural("Evenhand: {n} new early warning", "Evenhand: {n} new early warnings", n)
        if n
        else t("Evenhand: no new early warning"),
        greeting=t("To {name}", name=addressee) if addressee else t("Good day,"),
        finding=takeaway(released, t, known, day=since)
        if n
        else t("No new warning since {day}.", day=t.day(since)),
        period=t(
            "It tells of what arose from {since} to {day}.", since=t.day(since), day=t.day(released.as_of)
        ),
        notices=tuple(told),
        left=n - sum(len(notice.warning_ids) for notice in told),
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
    parts: list[str] = [*_broken(digest.subject), "=" * min(wide(digest.subject), _LINE), ""]
    parts += [*_broken(digest.greeting), ""]
    for line in (*digest.finding.splitlines(), digest.period):
        parts += _broken(line)
    for notice, heading in _under(digest, t):
        parts += ["", "", *_broken(heading), "-" * min(wide(heading), _LINE)] if heading else []
        parts += ["", *_broken(notice.goal), *_broken(notice.kind), *_broken(notice.facts)]
        parts += [line for told in (notice.happened, notice.stakes) for line in _broken(told)]
        parts += _broken(f"→ {notice.next_step}")
    parts += ["", *_broken(_rest(digest, t))] if digest.left else []
    parts += ["", digest.link] if digest.link else []
    parts += ["", *(line for note in digest.notes for line in _broken(note))]
    return "\n".join(parts) + "\n"


def as_html(digest: Digest, t: Language) -> str:
    """The letter as one HTML page that mail programs take as it is."""
    k = TOKENS["light"]
    font = escape(FONT.replace("'", ""), quote=True)
    quiet = f"margin:0;color:{k.quiet};font-size:13px;line-height:1.5"
    body = [f'<p style="{quiet}">{escape(digest.greeting)}</p>']
    body += [
        f'<p style="margin:8px 0 0;font-size:19px;line-height:1.45">{escape(line)}</p>'
        for line in digest.finding.splitlines()
    ]
    body.append(f'<p style="{quiet};margin-top:8px">{escape(digest.period)}</p>')
    blocks = "".join(_heading(heading) + _block(notice) for notice, heading in _under(digest, t))
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


def _chosen(found: pl.DataFrame) -> list[list[dict[str, Any]]]:
    """Warnings of the goals with most hanging on them, goal by goal, those of a strategic goal together."""
    by_goal: dict[str, list[dict[str, Any]]] = {}
    for row in found.iter_rows(named=True):
        if row["goal_id"] in by_goal or len(by_goal) < MOST:
            by_goal.setdefault(row["goal_id"], []).append(row)
    heaviest = list(dict.fromkeys(rows[0]["strategic_id"] for rows in by_goal.values()))
    order = {strategic: at for at, strategic in enumerate(heaviest)}
    # What serves no strategic goal comes last.
    order[None] = len(order)
    return sorted(by_goal.values(), key=lambda rows: order[rows[0]["strategic_id"]])


def _notice(
    rows: Sequence[Mapping[str, Any]], t: Language, known: Known, departments: Mapping[str, str]
) -> Notice:
    first, kinds = rows[0], kind_words(t)
    facts = [
        t("delay probability {chance}", chance=percent(first["chance"], t))
        if first["chance"] is not None
        else "",
        t("due {day}", day=t.day(first["due_on"])),
        _name(first["owner_id"], known.people) or t("no owner"),
        _name(first["department_id"], departments) or "",
    ]
    return Notice(
        tuple(row["warning_id"] for row in rows),
        known.goals.get(first["strategic_id"] or "", ""),
        " · ".join(dict.fromkeys(kinds[row["kind"]] for row in rows)),
        known.title(first["goal_id"]),
        " · ".join(fact for fact in facts if fact),
        t.joined([happened(row, t, known) for row in rows]),
        stakes(first, t, known),
        next_step(first, t, known),
    )


def _under(digest: Digest, t: Language) -> list[tuple[Notice, str]]:
    """Each notice with the heading above it; empty where it stands under the same as the one before."""
    told = []
    before = None
    for notice in digest.notices:
        heading = (
            t("Strategic goal “{title}”", title=notice.under)
            if notice.under
            else t("Under no strategic goal")
        )
        told.append((notice, "" if heading == before else heading))
        before = heading
    return told


def _heading(words: str) -> str:
    if not words:
        return ""
    style = "margin:0;font-size:15px;line-height:1.4;font-weight:600"
    return f'<tr><td style="padding:28px 0 0"><p style="{style}">{escape(words)}</p></td></tr>'


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


def _rest(digest: Digest, t: Language) -> str:
    return t.plural(
        "{n} more new warning is on the page Early warnings and comes with the next letter.",
        "{n} more new warnings are on the page Early warnings and come with the next letter.",
        digest.left,
    )


def _broken(text: str) -> list[str]:
    """Lines of a letter; Chinese breaks between characters, two of which a Latin one's width takes."""
    if not text:
        return []
    narrower = (lines(text, width) for width in range(_LINE, _LINE - 2 * _ORPHAN, -1))
    whole = lines(text, _LINE)
    return next((broken for broken in narrower if len(broken) == 1 or wide(broken[-1]) > _ORPHAN), whole)


def _name(key: str | None, names: Mapping[str, str]) -> str | None:
    return None if key is None else names.get(key, key)
