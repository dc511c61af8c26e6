"""Which viewer is the person whom the identity provider vouches for?

Reads    the claims of a sign-in (OpenID Connect) and ``roles.toml`` in the home folder.
Returns  a `Viewer`. Somebody whom neither names gets no role, and so sees nothing.
Source   OpenID Connect Core 1.0: a person is ``iss`` and ``sub`` together (section 2); an e-mail address is
         theirs only if the provider says that it was verified (section 5.1).

The file, all parts optional::

    ask = "HR systems, hr-systems@example.com"   # whom people without a right may ask
    trust_email = false                          # true: the provider sends no email_verified, but checks

    [claim]                                      # roles that the provider sends
    name = "groups"                              # dots lead inside: "realm_access.roles"
    employee_id = "employee_number"              # claim with the id of the export files
    [claim.roles]
    "evenhand-hr" = ["hr_leadership"]
    "evenhand-partners-sales" = { roles = ["hr_partner"], departments = ["SALES"] }

    [people."https://login.example.com|8f3a"]    # issuer|subject, or an e-mail address
    roles = ["hr_partner"]
    departments = ["SALES"]
    employee_id = "E0042"
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NoReturn

from data.access import Role, Viewer
from data.problems import Problem

LOCAL: Final = "local"
"""Begins the subject of whoever sits at the computer in local mode; see `local_viewer`."""

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True)
class Grant:
    """What a line of the roles file gives.

    Attributes
    ----------
    roles
        The hats.
    departments
        Departments (with all below) that the department-bound roles reach.
    employee_id
        The person's own row in `employees`; None for a group or where unknown.
    """

    roles: frozenset[Role] = frozenset()
    departments: frozenset[str] = frozenset()
    employee_id: str | None = None


@dataclass(frozen=True)
class Roles:
    """The roles file.

    Attributes
    ----------
    ask
        Whom people without a right may ask; empty where the file does not say.
    trust_email
        Whether an e-mail address counts although the provider does not say that it was verified.
    claim
        Name of the claim that lists groups or roles; None where roles come from the file alone.
    employee_claim
        Name of the claim that holds the employee id; None where there is none.
    groups
        What each value of the claim gives.
    people
        What each person is given, by ``issuer|subject`` or lower-case e-mail address.
    """

    ask: str = ""
    trust_email: bool = False
    claim: str | None = None
    employee_claim: str | None = None
    groups: Mapping[str, Grant] = field(default_factory=dict)
    people: Mapping[str, Grant] = field(default_factory=dict)


def read_roles(path: Path) -> Roles:
    """Read the roles file.

    Parameters
    ----------
    path
        The file. Where it is missing nobody has a role.

    Raises
    ------
    Problem
        The file is not readable; names the line or the key.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return Roles()
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(
            "{file} cannot be read: {reason}. Save it as UTF-8 text that the server's account may read.",
            file=str(path),
            reason=str(error),
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise Problem(
            "{file} is not valid TOML: {reason}. Correct that line.", file=str(path), reason=str(error)
        ) from error
    return _Reading(path.name).roles(content)


def viewer_from(claims: Mapping[str, Any], *, roles: Roles) -> Viewer:
    """The viewer whom a sign-in stands for.

    Parameters
    ----------
    claims
        What the identity provider says, verified; needs ``iss`` and ``sub``.
    roles
        The roles file.

    Returns
    -------
    Viewer
        With everything the file gives to the person, their e-mail address and their groups together;
        without roles where it gives nothing.

    Raises
    ------
    Problem
        The provider does not say who signed in.
    """
    subject = subject_of(claims)
    email = str(claims.get("email") or "")
    grants = [roles.people[subject]] if subject in roles.people else []
    verified = claims.get("email_verified") is True or (
        roles.trust_email and claims.get("email_verified") is None
    )
    if email and verified and email.lower() in roles.people:
        grants.append(roles.people[email.lower()])
    own_ids = [grant.employee_id for grant in grants if grant.employee_id]
    if roles.employee_claim:
        claimed = _inside(claims, roles.employee_claim)
        own_ids.extend([str(claimed)] if isinstance(claimed, str | int) and str(claimed) else [])
    if roles.claim:
        grants.extend(
            roles.groups[group] for group in _listed(_inside(claims, roles.claim)) if group in roles.groups
        )
    name = next((str(claims[key]) for key in ("name", "preferred_username", "email") if claims.get(key)), "")
    return Viewer(
        subject=subject,
        name=name or str(claims["sub"]),
        roles=frozenset().union(*(grant.roles for grant in grants)),
        employee_id=own_ids[0] if own_ids else None,
        departments=frozenset().union(*(grant.departments for grant in grants)),
    )


def local_viewer(
    role: Role, *, name: str = "", employee_id: str | None = None, departments: frozenset[str] = frozenset()
) -> Viewer:
    """Whoever sits at the computer in local mode, wearing one hat.

    Each hat is a subject of its own, ``local/<role>`` or ``local/<role>/<person or departments>``: what one
    asked does not count against another, and the access log tells them apart.
    """
    stand_in = employee_id or ",".join(sorted(departments))
    return Viewer(
        subject="/".join([LOCAL, role.value, *([stand_in] if stand_in else [])]),
        name=name or LOCAL,
        roles=frozenset({role}),
        employee_id=employee_id,
        departments=departments,
    )


def subject_of(claims: Mapping[str, Any]) -> str:
    """``issuer|subject``: ``sub`` alone is unique only at its issuer."""
    issuer, subject = claims.get("iss"), claims.get("sub")
    if not (isinstance(issuer, str) and issuer and isinstance(subject, str) and subject):
        raise Problem(
            "The identity provider did not say who signed in: its token lacks iss or sub. "
            "Add the scope openid to client_kwargs."
        )
    return f"{issuer}|{subject}"


def session_of(claims: Mapping[str, Any]) -> str:
    """Digest naming one sign-in.

    The claims hold the nonce and time of their sign-in, so the next one has another digest; and the cookie
    cannot be had from it.
    """
    said = {key: value for key, value in claims.items() if key not in _NOT_OF_THE_SIGN_IN}
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


def issued_at(claims: Mapping[str, Any]) -> datetime | None:
    """When the provider issued the sign-in; None if it does not say."""
    seconds = claims.get("iat")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


_NOT_OF_THE_SIGN_IN: Final = frozenset({"tokens", "is_logged_in", "origin"})
"""Added by the server, and not to every copy of the claims."""


def _inside(claims: Mapping[str, Any], name: str) -> object:
    """The claim of this name; where there is none, dots lead inside (``realm_access.roles``)."""
    if name in claims:
        return claims[name]
    value: object = claims
    for part in name.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def _listed(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list | tuple):
        return [item for item in value if isinstance(item, str)]
    return []


@dataclass(frozen=True)
class _Reading:
    """Checks every key, because a mistyped one would quietly give or withhold a right."""

    file: str

    def roles(self, content: Mapping[str, Any]) -> Roles:
        self._only(content, "", ("ask", "trust_email", "claim", "people"))
        claim = self._table(content, "claim", "")
        self._only(claim, "claim.", ("name", "employee_id", "roles"))
        groups = self._table(claim, "roles", "claim.")
        name = self._text(claim, "name", "claim.")
        if groups and not name:
            self._refuse("claim.name", "the name of the claim, such as groups", claim.get("name"))
        people = self._table(content, "people", "")
        return Roles(
            ask=self._text(content, "ask", "") or "",
            trust_email=self._yes(content, "trust_email"),
            claim=name,
            employee_claim=self._text(claim, "employee_id", "claim."),
            groups={key: self._group(value, f"claim.roles.{key}") for key, value in groups.items()},
            people={
                key if "|" in key else key.lower(): self._person(value, f"people.{key}")
                for key, value in people.items()
            },
        )

    def _group(self, value: object, key: str) -> Grant:
        if isinstance(value, Mapping):
            self._only(value, f"{key}.", ("roles", "departments"))
            return Grant(
                roles=self._hats(value.get("roles"), f"{key}.roles"),
                departments=frozenset(self._texts(value.get("departments", []), f"{key}.departments")),
            )
        return Grant(roles=self._hats(value, key))

    def _person(self, value: object, key: str) -> Grant:
        if not isinstance(value, Mapping):
            self._refuse(key, "a table with roles, departments and employee_id", value)
        self._only(value, f"{key}.", ("roles", "departments", "employee_id"))
        return Grant(
            roles=self._hats(value.get("roles"), f"{key}.roles"),
            departments=frozenset(self._texts(value.get("departments", []), f"{key}.departments")),
            employee_id=self._text(value, "employee_id", f"{key}."),
        )

    def _hats(self, value: object, key: str) -> frozenset[Role]:
        known = {role.value for role in Role}
        given = [value] if isinstance(value, str) else self._texts(value, key)
        for name in given:
            if name not in known:
                self._refuse(key, f"one of {', '.join(sorted(known))}", name)
        return frozenset(Role(name) for name in given)

    def _texts(self, value: object, key: str) -> list[str]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self._refuse(key, "a list of texts in quotes", value)
        return list(value)

    def _text(self, table: Mapping[str, Any], name: str, where: str) -> str | None:
        value = table.get(name)
        if value is not None and not (isinstance(value, str) and value):
            self._refuse(f"{where}{name}", "a text in quotes", value)
        return value

    def _yes(self, table: Mapping[str, Any], name: str) -> bool:
        value = table.get(name, False)
        if not isinstance(value, bool):
            self._refuse(name, "true or false", value)
        return bool(value)

    def _table(self, content: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
        value = content.get(name, _NOTHING)
        if not isinstance(value, Mapping):
            self._refuse(f"{where}{name}", "a table", value)
        return value

    def _only(self, table: Mapping[str, Any], where: str, names: tuple[str, ...]) -> None:
        for name in table:
            if name not in names:
                raise Problem(
                    "{file}, key {key}: there is no such key here. Known are {known}.",
                    file=self.file,
                    key=f"{where}{name}",
                    known=", ".join(names),
                )

    def _refuse(self, key: str, allowed: str, found: object) -> NoReturn:
        raise Problem(
            "{file}, key {key}: expected {allowed}, found {found}. Correct that line.",
            file=self.file,
            key=key,
            allowed=allowed,
            found=repr(found),
        )
