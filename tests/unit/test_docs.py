"""The documentation says what is there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from data.access import Role
from data.sign_in import read_roles
from data.sources import SOURCES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")


def test_every_role_stands_in_the_readme() -> None:
    named = re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE)
    assert named == [role.value for role in Role]


def test_every_system_with_a_source_stands_in_the_readme() -> None:
    generic = {"profile", "tidy"}
    systems = {source.name.split()[0] for source in SOURCES if source.name not in generic}
    assert [system for system in sorted(systems) if system not in README] == []


def test_every_make_target_named_exists() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"\bmake (\w+)", README)) - {"sure"} <= targets


@pytest.mark.parametrize("text", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_every_file_named_exists(text: str) -> None:
    named = re.findall(r"`((?:data|analytics|pages|tests|locales|docs)/[\w/.-]*)`", text)
    named += re.findall(r"\]\(([\w/.-]+)\)", text)
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_sign_in_examples_are_valid(tmp_path: Path) -> None:
    secrets, roles = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    assert "auth" in tomllib.loads(secrets)
    (tmp_path / "roles.toml").write_text(roles, "utf-8")
    assert read_roles(tmp_path / "roles.toml").ask.startswith("HR systems")


def test_the_changelog_has_the_version_of_the_project() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert f"## {version} " in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_the_python_example_names_what_exists() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    imports = "\n".join(line for line in example.splitlines() if line.startswith(("import", "from")))
    exec(compile(imports, "README.md", "exec"), {})
