"""Who is looking, and may they? The gate before every page, and the note of who looked at what.

Reads    the sign-in (OpenID Connect) that streamlit keeps in a signed cookie, ``roles.toml`` and the
         sessions in the operational store; in local mode the role chosen in the sidebar.
Returns  a `Viewer`, or shows why not and stops the run.

The cookie alone opens nothing: its session must be open in the store on every run, and ends there after
idling, after its longest time, by signing out or by revocation. Without sign-in configured (local mode)
only this computer is answered, whatever address the server was started on.
"""

from __future__ import annotations

import ipaddress
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any, Final, NoReturn, cast
from urllib.parse import urlsplit

import polars as pl
import streamlit as st

from analytics.language import Language
from data import queries
from data.access import ROLES, Permission, Role, Viewer
from data.chain import Head
from data.ledger import Body, Decision, Ledger
from data.operations import Action, Limits, Operations, SignIn, Standing
from data.problems import Problem
from data.sign_in import Roles, issued_at, local_viewer, read_roles, session_of, subject_of, viewer_from
from data.warehouse import Warehouse, home
from pages.kit import reader

_ROLE: Final = "local_role"
_DEPARTMENT: Final = "local_department"
_PERSON: Final = "local_person"
_STAND_INS: Final = 50

FILTERS: Final = (
    *("cycle", "department", "source", "by", "guidance", "view", "raters", "rater", "rule", "goal", "part"),
    *(
        "when",
        "table",
        "version",
        "days",
        "habit",
        "evidence",
        "first",
        "second",
        "best",
        "links",
        "groups",
        "group",
        "since",
        "kind",
        "warning",
        "owner",
        "apart",
        "before",
    ),
)
"""Choices of the pages that the access log keeps, by the key of their widget."""
_LONGEST_KEPT: Final = 100
"""Characters of a choice that are kept."""
_MOST_KEPT: Final = 20
"""Values of a choice that are kept."""

_log = logging.getLogger("evenhand.session")


def gate() -> Viewer:
    """Whoever looks, if they may be here at all; otherwise the sign-in screen, and the run stops.

    Called by ``app.py`` before the navigation, on every run.
    """
    viewer = _admitted(at_the_door=True)
    if not is_local():
        # Emptying a screen left open: the check on every run does not reach a page that nobody touches.
        often = min(timedelta(seconds=30), operations().limits.idle / 2)
        st.fragment(_watch, run_every=often)(session_of(st.user.to_dict()))
    return viewer


def require(permission: Permission) -> Viewer:
    """The viewer if they have the permission; otherwise the page says what is missing, and the run stops.

    The first line of every page. Works, gate included, where a page is reached without ``app.py``.
    """
    viewer = _admitted()
    if not viewer.may(permission):
        record("refused", permission.value)
        _refuse(viewer, permission)
    return viewer


def record(action: Action, object: str, **detail: object) -> None:  # noqa: A002
    """Note in the access log who did what: the choices in force on the page (`FILTERS`) are added.

    They are taken from the widgets, so that a default counts and what merely stands in the address does not.

    Never raises: a log that cannot be written is reported to whoever runs the server, and the reader goes
    on. The same look at the same page with the same filters counts once a minute.

    Parameters
    ----------
    action
        ``looked``, ``downloaded``, …; see `data.operations.Action`.
    object
        Page, file or table.
    **detail
        Anything else that says what was seen.
    """
    try:
        operations().record(_admitted(), action, object, {"filters": _in_force(), **detail})
    except Exception:
        _log.exception("The access log could not be written: %s %s", action, object)


def _in_force() -> dict[str, list[str]]:
    """What is chosen now, cut to what a log can hold."""
    chosen = {key: st.session_state[key] for key in FILTERS if key in st.session_state}
    return {
        key: [str(one)[:_LONGEST_KEPT] for one in several[:_MOST_KEPT]]
        for key, value in chosen.items()
        if (several := list(value) if isinstance(value, (list, tuple, set, frozenset)) else [value])
        and value is not None
    }


def sign_out() -> None:
    """End the session here and at the identity provider; in local mode there is nothing to end."""
    if is_local():
        return
    operations().sign_out(session_of(st.user.to_dict()))
    st.session_state.clear()
    st.logout()


def choose_role(t: Language) -> None:
    """Who one is here, at the foot of the sidebar.

    In local mode that it is one, and the choice to see everything as somebody else would; with sign-in
    the name and the way out.
    """
    if not is_local():
        with st.sidebar:
            st.html(f'<p class="eh-note">{escape(t("Signed in as {name}.", name=_admitted().name))}</p>')
            if st.button(t("Sign out"), key="sign_out"):
                sign_out()
        return
    names = role_names(t)
    with st.sidebar:
        role = st.selectbox(
            t("See it as"),
            list(names),
            index=list(names).index(_local_role()),
            format_func=names.__getitem__,
            key=_ROLE,
            persist_state="session",
        )
        stand_ins = _stand_ins_now()
        if role in _BOUND_TO_DEPARTMENTS and stand_ins.departments:
            st.selectbox(
                t("Of the department"),
                list(stand_ins.departments),
                format_func=stand_ins.departments.__getitem__,
                key=_DEPARTMENT,
                persist_state="session",
            )
        people = stand_ins.managers if role is Role.MANAGER else stand_ins.employees
        if role in {Role.MANAGER, Role.EMPLOYEE} and people:
            st.selectbox(
                t("Standing in for"),
                list(people),
                format_func=people.__getitem__,
                key=f"{_PERSON}_{role.value}",
                persist_state="session",
            )
        st.html(f'<p class="eh-note">{escape(t("Local mode: only this computer can open this."))}</p>')


def is_local() -> bool:
    """Whether no sign-in is configured: no ``[auth]`` in the secrets."""
    return not auth_section()


def auth_section() -> Mapping[str, Any]:
    """The sign-in settings; empty in local mode."""
    if not st.secrets.load_if_toml_exists():
        return {}
    return cast("Mapping[str, Any]", st.secrets.get("auth", {}))


def operations() -> Operations:
    """The operational store of this installation, one per process."""
    return _operations(home().resolve(), Limits.of(os.environ))


def ledger() -> Ledger:
    """The decision ledger of this installation, one per process."""
    return _ledger(home().resolve())


def decide(
    viewer: Viewer,
    kind: str,
    *,
    key: str,
    body: Mapping[str, Body],
    reason: str,
    expected: int,
    corrects: int | None = None,
) -> Decision:
    """Record a decision in the ledger, and in the access log that it was made; see `Ledger.append`.

    The access log keeps its digest, too: a ledger that was cut afterwards gives itself away.

    Raises
    ------
    Problem
        Nothing was recorded; `data.ledger.ConflictError` where somebody decided on the same before.
    """
    made = ledger().append(
        viewer, kind, key=key, body=body, reason=reason, expected=expected, corrects=corrects
    )
    record("decided", kind, head=str(Head(made.entry, made.digest)))
    return made


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this computer and no other."""
    name = host.strip().strip("[]").lower().rstrip(".")
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


# --- the gate ---------------------------------------------------------------------------------------


def _admitted(*, at_the_door: bool = False) -> Viewer:
    if is_local():
        return _local_viewer()
    if st.user.get("is_logged_in") is not True:
        _offer_sign_in(None, at_the_door=at_the_door)
    claims = st.user.to_dict()
    try:
        sign_in = SignIn(
            session_id=session_of(claims),
            subject=subject_of(claims),
            name=str(claims.get("name") or claims.get("email") or claims["sub"]),
            device=st.context.headers.get("User-Agent") or "",
            issued_at=issued_at(claims),
        )
        standing = operations().admit(sign_in)
        viewer = viewer_from(claims, roles=_roles()) if standing is Standing.OPEN else None
    except Problem as problem:
        _log.error("Nobody can sign in: %s", problem)
        _stop_with(
            reader.language()("Signing in is not set up correctly"),
            reader.language()(
                "Whoever runs Evenhand in your organisation finds the reason in the server's log."
            ),
        )
    if viewer is None:
        _offer_sign_in(standing, at_the_door=at_the_door)
    if not viewer.roles:
        _refuse_unknown(viewer)
    return viewer


def _local_viewer() -> Viewer:
    """Fails closed: a server started without sign-in on any other address answers nobody."""
    host = st.context.headers.get("Host")
    asked = urlsplit(f"//{host}").hostname if host else None
    if not is_loopback(str(st.get_option("server.address") or "")) or not (
        asked is None or is_loopback(asked)
    ):
        t = reader.language()
        _log.error("Refused: local mode, but asked from outside. Host %s.", host)
        _stop_with(
            t("This server is in local mode"),
            t("No sign-in is configured, so only the computer it runs on can open it."),
        )
    role = _local_role()
    stand_ins = _stand_ins_now()
    department = st.session_state.get(_DEPARTMENT) or next(iter(stand_ins.departments), None)
    people = stand_ins.managers if role is Role.MANAGER else stand_ins.employees
    person = st.session_state.get(f"{_PERSON}_{role.value}") or next(iter(people), None)
    return local_viewer(
        role,
        employee_id=person if role in {Role.MANAGER, Role.EMPLOYEE} else None,
        departments=frozenset({department} if department and role in _BOUND_TO_DEPARTMENTS else ()),
    )


def _local_role() -> Role:
    return Role(st.session_state.get(_ROLE, Role.HR_LEADERSHIP))


def _watch(session_id: str) -> None:
    if operations().standing(session_id) is not Standing.OPEN:
        st.rerun()


@lru_cache(maxsize=8)
def _operations(folder: Path, limits: Limits) -> Operations:
    return Operations(folder, limits=limits)


@lru_cache(maxsize=8)
def _ledger(folder: Path) -> Ledger:
    return Ledger(folder)


def _roles() -> Roles:
    path = home() / "roles.toml"
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        changed = None
    return _roles_as_of(path, changed)


@lru_cache(maxsize=2)
def _roles_as_of(path: Path, _changed: int | None) -> Roles:
    return read_roles(path)


# --- who stands in, in local mode ---------------------------------------------------------------------

_BOUND_TO_DEPARTMENTS: Final = (Role.HR_PARTNER, Role.COMMITTEE_FACILITATOR, Role.COMMITTEE_MEMBER)


@dataclass(frozen=True)
class _StandIns:
    """Whom one can look as: id → name. The managers with most reports, and some of those without any."""

    departments: Mapping[str, str]
    managers: Mapping[str, str]
    employees: Mapping[str, str]


def _stand_ins_now() -> _StandIns:
    try:
        current = Warehouse(home()).current()
        return _StandIns({}, {}, {}) if current is None else _stand_ins(home().resolve(), current.version_id)
    except Exception:
        # The page itself says what is wrong with the warehouse.
        _log.exception("The warehouse could not be asked who may stand in.")
        return _StandIns({}, {}, {})


@lru_cache(maxsize=2)
def _stand_ins(folder: Path, version_id: str) -> _StandIns:
    engine = Warehouse(folder).open(version_id)
    on = queries.latest_day(engine) or date.max
    tree = queries.departments(engine, on=on)
    stood = engine.query(lambda tables: queries.standing(tables, on).select("employee_id", "manager_id"))
    names = queries.names(local_viewer(Role.HR_LEADERSHIP), engine)
    busiest = (
        stood.drop_nulls("manager_id")
        .group_by("manager_id")
        .len()
        .sort(["len", "manager_id"], descending=[True, False])
        .head(_STAND_INS)
    )
    others = (
        stood.filter(~pl.col("employee_id").is_in(stood["manager_id"].drop_nulls().to_list()))
        .sort("employee_id")
        .head(_STAND_INS)
    )
    return _StandIns(
        # The one department above all others would make a partner of the whole company.
        departments={
            department: tree.names[department]
            for department in tree.outline()
            if len(tree.path(department)) > 1 or len(tree.children[None]) > 1
        },
        managers={person: names.get(person, person) for person in busiest["manager_id"]},
        employees={person: names.get(person, person) for person in others["employee_id"]},
    )


# --- what is shown instead of the page ---------------------------------------------------------------


def _offer_sign_in(standing: Standing | None, *, at_the_door: bool) -> NoReturn:
    # What the last session chose goes; the press of the button below and the language must stay.
    for key in [key for key in st.session_state if not str(key).startswith(("sign_in", "lang"))]:
        del st.session_state[key]
    t = reader.language()
    limits = operations().limits
    reasons = {
        Standing.IDLE: t.plural(
            "You were signed out after {n} minute without activity.",
            "You were signed out after {n} minutes without activity.",
            max(1, round(limits.idle / timedelta(minutes=1))),
        ),
        Standing.EXPIRED: t.plural(
            "A sign-in lasts {n} hour at most.",
            "A sign-in lasts {n} hours at most.",
            max(1, round(limits.absolute / timedelta(hours=1))),
        ),
        Standing.REVOKED: t("This session was ended by you elsewhere or by an administrator."),
        Standing.SIGNED_OUT: t("You have signed out."),
        Standing.STALE: t("This sign-in is too old to begin a session with."),
    }
    lines = [reasons[standing]] if standing in reasons else []
    screen(
        t("Sign in to Evenhand"),
        *lines,
        t("It shows people's ratings and goals, each reader only what their role may see."),
    )
    auth = auth_section()
    named = [key for key, value in auth.items() if isinstance(value, Mapping) and "client_id" in value]
    if "client_id" in auth and st.button(t("Sign in"), type="primary", key="sign_in"):
        st.login()
    for provider in named:
        if st.button(
            t("Sign in with {provider}", provider=provider.title()), type="primary", key=f"sign_in_{provider}"
        ):
            st.login(provider)
    # After the gate the page has a switch already, and a second would clash with it.
    if at_the_door:
        reader.choose_language()
    st.stop()


def _refuse(viewer: Viewer, permission: Permission) -> NoReturn:
    t = reader.language()
    names = role_names(t)
    having = [names[role] for role, rights in ROLES.items() if permission in rights.permissions]
    screen(
        t("Your role does not open this page"),
        _missing(permission, t),
        t("Roles that do: {roles}.", roles=t.listing(having)),
        t(
            "You are here as: {roles}.",
            roles=t.listing([names[role] for role in Role if role in viewer.roles]),
        ),
        t("Choose another role in the sidebar to see this page.") if is_local() else _whom_to_ask(t),
    )
    st.stop()


def _refuse_unknown(viewer: Viewer) -> NoReturn:
    t = reader.language()
    record_unknown(viewer)
    screen(
        t("You are signed in, but have no role here yet"),
        t("Signed in as {name}.", name=viewer.name),
        _whom_to_ask(t),
        t("For the roles file, your identity is {subject}.", subject=viewer.subject),
    )
    if st.button(t("Sign out"), key="sign_out"):
        sign_out()
    st.stop()


def record_unknown(viewer: Viewer) -> None:
    """Note that somebody without any role was here."""
    try:
        operations().record(viewer, "refused", "sign_in", {})
    except Exception:
        _log.exception("The access log could not be written: refused sign_in")


def _stop_with(headline: str, *lines: str) -> NoReturn:
    screen(headline, *lines)
    st.stop()


def screen(headline: str, *lines: str) -> None:
    """A page-wide state in words: sign in, refused, error."""
    body = "".join(f"<p>{escape(line)}</p>" for line in lines)
    st.html(f'<section class="eh-state" role="status"><h1>{escape(headline)}</h1>{body}</section>')


def _whom_to_ask(t: Language) -> str:
    ask = _roles().ask
    if ask:
        return t("To get it, ask {whom}.", whom=ask)
    return t("To get it, ask whoever runs Evenhand in your organisation.")


def role_names(t: Language) -> dict[Role, str]:
    """What each role is called."""
    return {
        Role.HR_LEADERSHIP: t("HR leadership"),
        Role.EXECUTIVE: t("Executive"),
        Role.HR_PARTNER: t("HR partner"),
        Role.COMMITTEE_FACILITATOR: t("Committee facilitator"),
        Role.COMMITTEE_MEMBER: t("Committee member"),
        Role.MANAGER: t("Manager"),
        Role.EMPLOYEE: t("Employee"),
        Role.DATA_STEWARD: t("Data steward"),
        Role.AUDITOR: t("Auditor"),
    }


def _missing(permission: Permission, t: Language) -> str:
    sentences = {
        Permission.SEE_DISTRIBUTIONS: t("It needs the right to see how ratings are spread."),
        Permission.SEE_LENIENCY: t("It needs the right to see how mildly or severely raters rate."),
        Permission.SEE_GOALS: t("It needs the right to see goals and their progress."),
        Permission.SEE_OWN: t("It needs the right to see what concerns oneself."),
        Permission.SEE_INDIVIDUAL_RATINGS: t("It needs the right to see ratings of individual people."),
        Permission.SEE_PROTECTED: t(
            "It needs the right to see figures by gender and other protected traits."
        ),
        Permission.SEE_IMPORTS: t("It needs the right to see what was loaded."),
        Permission.IMPORT: t("It needs the right to load data."),
        Permission.SEE_ACCESS_LOG: t("It needs the right to see who looked at what."),
        Permission.MANAGE_SESSIONS: t("It needs the right to end other people's sessions."),
        Permission.ACKNOWLEDGE_WARNINGS: t("It needs the right to acknowledge warnings."),
        Permission.FORGET_PEOPLE: t("It needs the right to erase people's names from decisions."),
    }
    return sentences[permission]
