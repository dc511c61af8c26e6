"""Who may see what: roles, permissions and reach, as data.

A permission says which kind of thing a viewer may look at or do; a reach says about whom. Reads in
`data.queries` take the viewer and apply both; pages only ask for the permission they stand for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Permission(StrEnum):
    """A kind of thing to look at or do."""

    SEE_DISTRIBUTIONS = "see_distributions"
    SEE_LENIENCY = "see_leniency"
    SEE_GOALS = "see_goals"
    SEE_OWN = "see_own"
    SEE_INDIVIDUAL_RATINGS = "see_individual_ratings"
    SEE_PROTECTED = "see_protected"
    SEE_IMPORTS = "see_imports"
    IMPORT = "import"
    SEE_ACCESS_LOG = "see_access_log"
    MANAGE_SESSIONS = "manage_sessions"
    ACKNOWLEDGE_WARNINGS = "acknowledge_warnings"
    FORGET_PEOPLE = "forget_people"


class Reach(StrEnum):
    """About whom: the whole company, named departments and below, one's reports, oneself, nobody."""

    COMPANY = "company"
    DEPARTMENTS = "departments"
    REPORTS = "reports"
    SELF = "self"
    NOBODY = "nobody"


class Role(StrEnum):
    """A hat somebody wears; one person may wear several."""

    EXECUTIVE = "executive"
    HR_LEADERSHIP = "hr_leadership"
    HR_PARTNER = "hr_partner"
    COMMITTEE_FACILITATOR = "committee_facilitator"
    COMMITTEE_MEMBER = "committee_member"
    MANAGER = "manager"
    EMPLOYEE = "employee"
    DATA_STEWARD = "data_steward"
    AUDITOR = "auditor"


@dataclass(frozen=True)
class Rights:
    """What a role may do, and about whom."""

    permissions: frozenset[Permission]
    reach: Reach


P = Permission
ROLES: Final[MappingProxyType[Role, Rights]] = MappingProxyType(
    {
        Role.EXECUTIVE: Rights(
            frozenset({P.SEE_DISTRIBUTIONS, P.SEE_LENIENCY, P.SEE_GOALS, P.ACKNOWLEDGE_WARNINGS, P.SEE_OWN}),
            Reach.COMPANY,
        ),
        Role.HR_LEADERSHIP: Rights(
            frozenset(
                {
                    P.SEE_DISTRIBUTIONS,
                    P.SEE_LENIENCY,
                    P.SEE_GOALS,
                    P.ACKNOWLEDGE_WARNINGS,
                    P.SEE_OWN,
                    P.SEE_INDIVIDUAL_RATINGS,
                    P.SEE_PROTECTED,
                    P.SEE_IMPORTS,
                    P.IMPORT,
                    P.MANAGE_SESSIONS,
                    P.FORGET_PEOPLE,
                }
            ),
            Reach.COMPANY,
        ),
        Role.HR_PARTNER: Rights(
            frozenset(
                {
                    P.SEE_DISTRIBUTIONS,
                    P.SEE_LENIENCY,
                    P.SEE_GOALS,
                    P.ACKNOWLEDGE_WARNINGS,
                    P.SEE_OWN,
                    P.SEE_INDIVIDUAL_RATINGS,
                    P.SEE_IMPORTS,
                }
            ),
            Reach.DEPARTMENTS,
        ),
        Role.COMMITTEE_FACILITATOR: Rights(
            frozenset({P.SEE_DISTRIBUTIONS, P.SEE_LENIENCY, P.SEE_OWN, P.SEE_INDIVIDUAL_RATINGS}),
            Reach.DEPARTMENTS,
        ),
        Role.COMMITTEE_MEMBER: Rights(
            frozenset({P.SEE_DISTRIBUTIONS, P.SEE_OWN, P.SEE_INDIVIDUAL_RATINGS}), Reach.DEPARTMENTS
        ),
        Role.MANAGER: Rights(
            frozenset(
                {
                    P.SEE_DISTRIBUTIONS,
                    P.SEE_GOALS,
                    P.ACKNOWLEDGE_WARNINGS,
                    P.SEE_OWN,
                    P.SEE_INDIVIDUAL_RATINGS,
                }
            ),
            Reach.REPORTS,
        ),
        Role.EMPLOYEE: Rights(frozenset({P.SEE_OWN}), Reach.SELF),
        Role.DATA_STEWARD: Rights(
            frozenset({P.SEE_IMPORTS, P.IMPORT, P.FORGET_PEOPLE, P.SEE_OWN}), Reach.NOBODY
        ),
        Role.AUDITOR: Rights(
            frozenset({P.SEE_DISTRIBUTIONS, P.SEE_LENIENCY, P.SEE_GOALS, P.SEE_ACCESS_LOG, P.SEE_OWN}),
            Reach.COMPANY,
        ),
    }
)
"""An import changes the data of the whole company, so no role that is bound to departments may do it."""

ROWS: Final[MappingProxyType[str, Permission]] = MappingProxyType(
    {
        "employees": P.SEE_INDIVIDUAL_RATINGS,
        "protected_attributes": P.SEE_PROTECTED,
        "departments": P.SEE_INDIVIDUAL_RATINGS,
        "assignments": P.SEE_INDIVIDUAL_RATINGS,
        "rating_scales": P.SEE_INDIVIDUAL_RATINGS,
        "scale_levels": P.SEE_INDIVIDUAL_RATINGS,
        "review_cycles": P.SEE_INDIVIDUAL_RATINGS,
        "ratings": P.SEE_INDIVIDUAL_RATINGS,
        "competency_assessments": P.SEE_INDIVIDUAL_RATINGS,
        "calibration_changes": P.SEE_INDIVIDUAL_RATINGS,
        "goals": P.SEE_GOALS,
        "goal_alignments": P.SEE_GOALS,
        "check_ins": P.SEE_GOALS,
        "goal_changes": P.SEE_GOALS,
        "weight_schemes": P.SEE_GOALS,
        "conversations": P.SEE_PROTECTED,
        "feedback": P.SEE_PROTECTED,
        "survey_responses": P.SEE_PROTECTED,
        "appeals": P.SEE_PROTECTED,
        "pay": P.SEE_PROTECTED,
        "promotions": P.SEE_PROTECTED,
        "trainings": P.SEE_PROTECTED,
        "improvement_plans": P.SEE_PROTECTED,
    }
)
"""Which permission, with reach over the company, opens rows of a table as they stood in a file."""
del P


@dataclass(frozen=True)
class Viewer:
    """Somebody looking.

    Attributes
    ----------
    subject
        Who signed in, as the identity provider names them (issuer and subject); in local mode ``local/`` and
        the role.
    name
        How to address them.
    roles
        The hats they wear.
    employee_id
        Their own row in `employees`, if known.
    departments
        Departments (with all below) their department-bound roles reach.
    """

    subject: str
    name: str
    roles: frozenset[Role]
    employee_id: str | None = None
    departments: frozenset[str] = field(default_factory=frozenset)

    def may(self, permission: Permission) -> bool:
        """Whether any of the roles grants the permission."""
        return any(permission in ROLES[role].permissions for role in self.roles)

    def reaches(self, permission: Permission) -> frozenset[Reach]:
        """About whom: the reaches of all roles that grant the permission."""
        return frozenset(ROLES[role].reach for role in self.roles if permission in ROLES[role].permissions)

    def reads_rows(self, table: str) -> bool:
        """Whether rows of a table are open to them as they stood in a file, whoever they are about.

        What belongs to no table, such as a column nobody read, could be anything: it takes every
        permission there is in `ROWS`.
        """
        needed = {ROWS[table]} if table in ROWS else set(ROWS.values())
        return all(Reach.COMPANY in self.reaches(permission) for permission in needed)
