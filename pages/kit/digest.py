"""The letter of new early warnings, for cron: ``python -m pages.kit.digest --for WHO --out FILE``.

Reads    the published version, ``roles.toml``, what the addressee was told before, and what was acknowledged.
Returns  a file (.html, .txt, .eml, .csv or .xlsx, by its name) and an exit code: 0 written; 1 something is
         wrong that a person has to mend; 2 the command was not understood; 3 written, but nothing is new.

The addressee gets what they would see on the page, no more: their role and reach are those of the sign-in,
from ``roles.toml``, or a role for all who hold it. Each warning is told once to each addressee: what the file
tells is noted when it is written, so that a letter that could not be written is told again, not lost. A cron
job::

    python -m pages.kit.digest --for E0042 --language zh --to li@example.com --out /tmp/new.eml \\
        && sendmail -t < /tmp/new.eml
"""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Final, NoReturn

import polars as pl

from analytics.disclosure import Released
from analytics.goals.warning import EarlyWarnings, apart_from
from analytics.goals.warning_chart import Known
from analytics.language import LANGUAGES, Language
from analytics.policy import RULES_VERSION, WARNING_NEWS
from analytics.reports import digest
from analytics.reports.table import as_csv, as_xlsx
from data import queries
from data.access import ROLES, Permission, Reach, Role, Viewer
from data.ledger import ACKNOWLEDGE_WARNING, Ledger
from data.operations import Operations
from data.problems import Problem
from data.sign_in import Grant, Roles, local_viewer, read_roles
from data.warehouse import home
from pages.kit import load, load_goals, load_strategy

DONE, PROBLEM, USAGE, NOTHING_NEW = 0, 1, 2, 3

ENDINGS: Final = (".html", ".txt", ".eml", ".csv", ".xlsx")


@dataclass(frozen=True)
class Order:
    """What is asked for.

    Attributes
    ----------
    who
        A role, an employee id, or a key of ``roles.toml`` (``issuer|subject`` or an e-mail address).
    roles, departments
        Hats and departments that the identity provider would add; mostly empty.
    language
        Of the letter.
    since
        What arose before is not told; None for four weeks before the latest day on record.
    out
        The file; its ending says what is written.
    link
        Address of the server, for the way to the page; empty for none.
    to, sender
        Heads of the mail, where one is written.
    note
        Whether what is told is noted as told; a rehearsal does not.
    """

    who: str
    out: Path
    language: Language
    roles: frozenset[Role] = frozenset()
    departments: frozenset[str] = frozenset()
    since: date | None = None
    link: str = ""
    to: str = ""
    sender: str = ""
    note: bool = True


def main(arguments: Sequence[str] | None = None) -> int:
    """Write one letter; returns the exit code."""
    asked = _parser().parse_args(arguments)
    # Outside its server streamlit explains at length that there is none.
    logging.getLogger("streamlit").setLevel(logging.ERROR)
    order = Order(
        who=asked.who,
        out=asked.out,
        language=Language(asked.language),
        roles=frozenset(map(Role, asked.role)),
        departments=frozenset(asked.department),
        since=asked.since,
        link=asked.link,
        to=asked.to,
        sender=asked.sender,
        note=not asked.rehearse,
    )
    try:
        told = write(order, now=datetime.now(UTC))
    except Problem as problem:
        sys.stderr.write(f"{problem}\n")
        return PROBLEM
    except OSError as error:
        sys.stderr.write(f"{order.out} cannot be written: {error.strerror}. Nothing was noted as told.\n")
        return PROBLEM
    return DONE if told else NOTHING_NEW


def write(order: Order, *, now: datetime) -> frozenset[str]:
    """Write the letter, then note what it tells.

    Returns
    -------
    frozenset of str
        Ids of the warnings it tells.

    Raises
    ------
    Problem
        There is nothing to read, or nobody such as the addressee who may see goals.
    OSError
        The file cannot be written.
    """
    version = load.opened_version()
    if version is None:
        raise Problem("Nothing has been loaded yet. Load exports first: python -m data import FOLDER.")
    viewer = addressee(order, read_roles(home() / "roles.toml"), version)
    found = load_strategy.warnings_within_reach(version, viewer)
    since = order.since or found.as_of - timedelta(days=int(WARNING_NEWS.value))
    known = load_goals.known(version, viewer)
    with closing(Operations(home())) as store:
        ids = found.value.standing["known_as"].explode().drop_nulls()
        before = store.told(viewer.subject, ids) | _acknowledged()
        news = replace(found, value=apart_from(found.value, before))
        content, told = _written(order, viewer, news, known, version=version, since=since, now=now)
        _put(order.out, content)
        if order.note:
            store.tell(viewer.subject, told)
            store.record(viewer, "downloaded", order.out.name, {"told": len(told), "for": order.who})
    return told


def addressee(order: Order, roles: Roles, version: str) -> Viewer:
    """The viewer the addressee would be after signing in.

    Raises
    ------
    Problem
        Nobody such is known, they have no role, or their role does not see goals or reaches nobody.
    """
    viewer = (
        _by_role(order) if order.who in {role.value for role in Role} else _by_name(order, roles, version)
    )
    if not viewer.may(Permission.SEE_GOALS):
        raise Problem(
            "{who} may not see goals. Roles that may: {roles}.",
            who=order.who,
            roles=", ".join(role.value for role in Role if Permission.SEE_GOALS in ROLES[role].permissions),
        )
    reaches = viewer.reaches(Permission.SEE_GOALS)
    if reaches == {Reach.DEPARTMENTS} and not viewer.departments:
        raise Problem("{who} reaches no department. Name one with --department.", who=order.who)
    if reaches == {Reach.REPORTS} and viewer.employee_id is None:
        raise Problem(
            "A manager reaches their reports. Name the manager: --for EMPLOYEE_ID --role manager.",
        )
    return viewer


def _by_role(order: Order) -> Viewer:
    """Whoever holds a role; a letter to several readers, so it greets nobody by name."""
    return local_viewer(Role(order.who), departments=order.departments)


def _by_name(order: Order, roles: Roles, version: str) -> Viewer:
    listed = {
        key: grant
        for key, grant in roles.people.items()
        if order.who in (key, grant.employee_id) or order.who.lower() == key
    }
    grants = [*listed.values(), Grant(roles=order.roles, departments=order.departments)]
    hats = frozenset[Role]().union(*(grant.roles for grant in grants))
    employee_id = next((grant.employee_id for grant in grants if grant.employee_id), None)
    names = queries.names(local_viewer(Role.HR_LEADERSHIP), load.engine(version))
    if employee_id is None and order.who in names:
        employee_id = order.who
    if not listed and employee_id is None:
        raise Problem(
            "{who} is neither a role, nor an employee id on record, nor somebody in roles.toml.",
            who=order.who,
        )
    if not hats:
        raise Problem(
            "roles.toml gives {who} no role. Add a line for them, or say with --role what the identity "
            "provider gives them.",
            who=order.who,
        )
    return Viewer(
        subject=next(iter(listed), f"employee/{employee_id}"),
        name=names.get(employee_id or "", order.who),
        roles=hats,
        employee_id=employee_id,
        departments=frozenset[str]().union(*(grant.departments for grant in grants)),
    )


def _acknowledged() -> frozenset[str]:
    """Warnings somebody has taken up already."""
    if not (home() / "ledger.sqlite").exists():
        return frozenset()
    with closing(Ledger(home())) as ledger:
        decided = ledger.state(ACKNOWLEDGE_WARNING)
    return frozenset(key for key, decision in decided.items() if not decision.body.get("taken_back"))


def _written(
    order: Order,
    viewer: Viewer,
    news: Released[EarlyWarnings],
    known: Known,
    *,
    version: str,
    since: date,
    now: datetime,
) -> tuple[bytes, frozenset[str]]:
    """The file, and the ids of the warnings in it."""
    t = order.language
    departments = load.departments(version, news.as_of).names
    about = t("Data version {version}, rules {rules}", version=version, rules=RULES_VERSION)
    if order.out.suffix in (".csv", ".xlsx"):
        rows = news.value.standing.filter(pl.col("arose_on") >= since)
        footer = [t("New since {day}", day=t.day(since)), t("As of {day}.", day=t.day(news.as_of)), about]
        table = digest.table(rows, t, known, departments)
        made = as_csv(table, footer=footer) if order.out.suffix == ".csv" else as_xlsx(table, footer=footer)
        return made, frozenset(rows["warning_id"])
    letter = digest.compose(
        news,
        t,
        known,
        addressee=viewer.name if viewer.employee_id is not None else "",
        since=since,
        departments=departments,
        notes=[about],
        link=f"{order.link.rstrip('/')}/warnings?lang={t.code}" if order.link else "",
    )
    text, html = digest.as_text(letter, t), digest.as_html(letter, t)
    if order.out.suffix == ".eml":
        return _mail(order, letter.subject, text, html, now), letter.told
    return (text if order.out.suffix == ".txt" else html).encode(), letter.told


def _mail(order: Order, subject: str, text: str, html: str, now: datetime) -> bytes:
    """A mail that every program shows: the same letter twice, as text and as HTML."""
    mail = EmailMessage()
    mail["Subject"] = subject
    mail["Date"] = format_datetime(now)
    for head, value in (("To", order.to), ("From", order.sender)):
        if value:
            mail[head] = value
    mail.set_content(text)
    mail.add_alternative(html, subtype="html")
    return mail.as_bytes()


def _put(path: Path, content: bytes) -> None:
    """Write the file whole or not at all, readable by its owner only."""
    draft = path.with_name(f".{path.name}-{secrets.token_hex(6)}")
    handle = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"{message[0].upper()}{message[1:]}.\n{self.format_usage()}")
        sys.exit(USAGE)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m pages.kit.digest",
        description="Write the new early warnings of one addressee as a letter or a table.",
    )
    parser.add_argument(
        "--for",
        dest="who",
        required=True,
        metavar="WHO",
        help="a role, an employee id, or a key of roles.toml",
    )
    parser.add_argument(
        "--out", type=_file, required=True, metavar="FILE", help=f"ends in {', '.join(ENDINGS)}"
    )
    parser.add_argument("--language", choices=tuple(LANGUAGES), default="en")
    parser.add_argument(
        "--since",
        type=_day,
        default=None,
        metavar="DATE",
        help="what arose before is not told; four weeks before the latest day on record if left out",
    )
    parser.add_argument(
        "--role",
        action="append",
        default=[],
        choices=tuple(role.value for role in Role),
        help="a role that the identity provider gives them",
    )
    parser.add_argument("--department", action="append", default=[], metavar="ID", help="and a department")
    parser.add_argument(
        "--link", default="", metavar="ADDRESS", help="address of the server, such as https://…"
    )
    parser.add_argument("--to", type=_line, default="", help="To: of the mail")
    parser.add_argument("--from", dest="sender", type=_line, default="", help="From: of the mail")
    parser.add_argument(
        "--rehearse", action="store_true", help="note nothing as told: the next letter tells the same"
    )
    return parser


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is no day, such as 2026-09-14") from error


def _line(text: str) -> str:
    if len(text.splitlines()) > 1:
        raise argparse.ArgumentTypeError("a head of a mail is one line")
    return text


def _file(text: str) -> Path:
    path = Path(text)
    if path.suffix not in ENDINGS:
        raise argparse.ArgumentTypeError(f"{text} does not end in {', '.join(ENDINGS)}")
    return path


if __name__ == "__main__":
    sys.exit(main())
