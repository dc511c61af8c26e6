"""Which pages does the app list, and as whom can each be opened?"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from data.access import ROLES, Permission, Role
from tests.bench.apart import ROOT


@dataclass(frozen=True)
class Listed:
    """A page as ``app.py`` lists it.

    Attributes
    ----------
    url
        Its address.
    script
        Its file, from the root of the checkout.
    role
        Somebody who may open it: HR leadership if they may.
    default
        Whether it answers at the bare address.
    """

    url: str
    script: str
    role: Role
    default: bool


def listed() -> tuple[Listed, ...]:
    """Every call of ``page`` in ``app.py``, so that no page escapes for being new."""
    calls = [
        node
        for node in ast.walk(ast.parse((ROOT / "app.py").read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "page"
    ]
    return tuple(map(_page, sorted(calls, key=lambda call: call.lineno)))


def _page(call: ast.Call) -> Listed:
    path, _title, url, permission = call.args
    assert isinstance(path, ast.Constant)
    assert isinstance(path.value, str)
    assert isinstance(url, ast.Constant)
    assert isinstance(permission, ast.Attribute)
    needed = Permission[permission.attr]
    may = [role for role, rights in ROLES.items() if needed in rights.permissions]
    role = Role.HR_LEADERSHIP if Role.HR_LEADERSHIP in may else may[0]
    default = any(keyword.arg == "default" for keyword in call.keywords)
    # The first page has no address of its own; its file names it.
    return Listed(str(url.value) or Path(path.value).name, f"pages/{path.value}.py", role, default)
