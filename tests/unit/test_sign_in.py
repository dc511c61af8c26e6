"""Who becomes which viewer."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from data.access import Permission, Role
from data.problems import Problem
from data.sign_in import Roles, issued_at, local_viewer, read_roles, session_of, viewer_from

ISSUER = "https://login.example.com"
FILE = """
ask = "HR systems"

[claim]
name = "realm_access.roles"
employee_id = "employee_number"
[claim.roles]
"hr" = "hr_leadership"
"execs" = ["executive", "employee"]
"sales-partners" = { roles = ["hr_partner"], departments = ["SALES"] }

[people."https://login.example.com|8f3a"]
roles = ["hr_partner"]
departments = ["R&D"]
employee_id = "E0042"

[people."Mei.Lin@Example.com"]
roles = ["manager"]
employee_id = "E7"
"""


def claims(sub: str = "1", **more: object) -> dict[str, Any]:
    return {"iss": ISSUER, "sub": sub, "iat": 1_795_345_103, "nonce": "n1", **more}


@pytest.fixture
def roles(tmp_path: Path) -> Roles:
    return written(tmp_path, FILE)


def written(folder: Path, content: str) -> Roles:
    file = folder / "roles.toml"
    file.write_text(content, encoding="utf-8")
    return read_roles(file)


def test_a_person_in_the_file_gets_what_it_says(roles: Roles) -> None:
    viewer = viewer_from(claims("8f3a", name="An Na"), roles=roles)
    assert viewer.subject == "https://login.example.com|8f3a"
    assert viewer.name == "An Na"
    assert viewer.roles == {Role.HR_PARTNER}
    assert viewer.departments == {"R&D"}
    assert viewer.employee_id == "E0042"


def test_the_same_subject_at_another_provider_is_somebody_else(roles: Roles) -> None:
    viewer = viewer_from(claims("8f3a") | {"iss": "https://evil.example.com"}, roles=roles)
    assert viewer.roles == frozenset()


def test_an_unknown_person_may_nothing(roles: Roles) -> None:
    viewer = viewer_from(claims("nobody", email="x@example.com", email_verified=True), roles=roles)
    assert viewer.roles == frozenset()
    assert not any(viewer.may(permission) for permission in Permission)


@pytest.mark.parametrize("verified", [None, False, "true", 1])
def test_an_address_nobody_verified_opens_nothing(roles: Roles, verified: object) -> None:
    said = claims(email="mei.lin@example.com") | ({} if verified is None else {"email_verified": verified})
    assert viewer_from(said, roles=roles).roles == frozenset()


def test_a_verified_address_opens_in_any_spelling(roles: Roles) -> None:
    viewer = viewer_from(claims(email="MEI.LIN@example.com", email_verified=True), roles=roles)
    assert viewer.roles == {Role.MANAGER}
    assert viewer.employee_id == "E7"


def test_trusting_the_provider_does_not_trust_an_address_it_calls_unverified(tmp_path: Path) -> None:
    roles = written(tmp_path, "trust_email = true\n" + FILE)
    said = claims(email="mei.lin@example.com")
    assert viewer_from(said, roles=roles).roles == {Role.MANAGER}
    assert viewer_from(said | {"email_verified": False}, roles=roles).roles == frozenset()


def test_groups_of_the_claim_add_up(roles: Roles) -> None:
    said = claims(realm_access={"roles": ["execs", "sales-partners", "other"]}, employee_number=99)
    viewer = viewer_from(said, roles=roles)
    assert viewer.roles == {Role.EXECUTIVE, Role.EMPLOYEE, Role.HR_PARTNER}
    assert viewer.departments == {"SALES"}
    assert viewer.employee_id == "99"


@pytest.mark.parametrize("value", [None, 7, {"hr": True}, [["hr"], 3], "HR"])
def test_a_claim_of_another_shape_gives_nothing(roles: Roles, value: object) -> None:
    assert viewer_from(claims(realm_access={"roles": value}), roles=roles).roles == frozenset()


def test_a_claim_with_dots_in_its_name_is_found_whole(tmp_path: Path) -> None:
    roles = written(tmp_path, '[claim]\nname = "https://x.org/roles"\n[claim.roles]\nhr = "hr_leadership"')
    assert viewer_from(claims() | {"https://x.org/roles": "hr"}, roles=roles).roles == {Role.HR_LEADERSHIP}


@pytest.mark.parametrize("said", [{}, {"iss": ISSUER}, {"sub": "1"}, {"iss": "", "sub": "1"}])
def test_claims_that_name_nobody_are_refused(said: dict[str, Any]) -> None:
    with pytest.raises(Problem, match="did not say who"):
        viewer_from(said, roles=Roles())


def test_without_a_file_nobody_has_a_role(tmp_path: Path) -> None:
    assert read_roles(tmp_path / "missing.toml") == Roles()


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("ask = HR", "line 1"),
        ('[people."a@b"]\nrole = ["manager"]', "people.a@b.role"),
        ('[people."a@b"]\nroles = ["boss"]', "people.a@b.roles"),
        ('[people."a@b"]\ndepartments = []', "people.a@b.roles"),
        ('[people."a@b"]\nroles = ["manager"]\nemployee_id = 7', "people.a@b.employee_id"),
        ('[people]\n"a@b" = "manager"', "people.a@b"),
        ('[claim]\n[claim.roles]\nhr = "hr_leadership"', "claim.name"),
        ('[claim]\nname = "groups"\n[claim.roles]\nhr = { roles = "boss" }', "claim.roles.hr.roles"),
        ('[claim]\nname = "groups"\n[claim.roles]\nhr = { role = "manager" }', "claim.roles.hr.role"),
        ("claim = 3", "claim"),
        ('trust_email = "yes"', "trust_email"),
        ("admins = []", "admins"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, content: str, named: str) -> None:
    with pytest.raises(Problem) as caught:
        written(tmp_path, content)
    assert named in str(caught.value)
    assert "roles.toml" in str(caught.value)


def test_a_file_of_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "roles.toml").write_bytes('ask = "人事"'.encode("gb18030"))
    with pytest.raises(Problem, match="UTF-8"):
        read_roles(tmp_path / "roles.toml")


def test_each_sign_in_has_a_session_of_its_own_and_a_copy_has_the_same() -> None:
    first = session_of(claims())
    assert session_of(claims(tokens={"id": "t"}, is_logged_in=True, origin="https://x")) == first
    assert session_of(dict(reversed(claims().items()))) == first
    assert session_of(claims() | {"nonce": "n2"}) != first
    assert session_of(claims() | {"iat": 1_795_345_104}) != first


def test_when_a_sign_in_was_issued() -> None:
    assert issued_at(claims()) == datetime.fromtimestamp(1_795_345_103, UTC)
    for nonsense in (None, "yesterday", True, float("inf"), 10**30):
        assert issued_at({"iat": nonsense}) is None


def test_local_mode_wears_one_hat() -> None:
    viewer = local_viewer(Role.HR_PARTNER, departments=frozenset({"SALES"}))
    assert (viewer.subject, viewer.roles, viewer.departments) == (
        "local/hr_partner/SALES",
        {Role.HR_PARTNER},
        {"SALES"},
    )
