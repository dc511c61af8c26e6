"""The house keeps its shape: which way things flow, and which doors are locked."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(path for path in (ROOT / "pages").rglob("*.py") if path.name != "__init__.py")
PAGE_SCRIPTS = [path for path in PAGES if path.parent.name != "kit"]


def imports(path: Path) -> set[str]:
    """Dotted names a module imports, ``from a import b`` as both ``a`` and ``a.b``."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def reaches(path: Path, *packages: str) -> list[str]:
    """Imports of a module that lie in one of the packages."""
    return sorted(
        name for name in imports(path) if any(name == p or name.startswith(f"{p}.") for p in packages)
    )


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", modules("data"), ids=name)
def test_data_knows_neither_analyses_nor_pages(path: Path) -> None:
    assert reaches(path, "analytics", "pages", "streamlit", "plotly") == []


@pytest.mark.parametrize("path", modules("analytics"), ids=name)
def test_analytics_is_pure_and_knows_only_the_contracts(path: Path) -> None:
    assert reaches(path, "streamlit", "duckdb", "pages", "requests", "os", "time", "socket") == []
    assert [n for n in reaches(path, "data") if not n.startswith("data.contracts") and n != "data"] == []


@pytest.mark.parametrize("path", modules("analytics"), ids=name)
def test_only_charts_theme_and_reports_draw(path: Path) -> None:
    if path.name.endswith("chart.py") or path.name == "theme.py" or "reports" in path.parts:
        pytest.skip("draws by design")
    assert reaches(path, "plotly") == []


@pytest.mark.parametrize("path", modules("analytics"), ids=name)
def test_analytics_reads_no_clock(path: Path) -> None:
    source = path.read_text("utf-8")
    assert [call for call in ("today()", "datetime.now(", "utcnow(", "perf_counter(") if call in source] == []


@pytest.mark.parametrize("path", PAGE_SCRIPTS, ids=name)
def test_a_page_knows_neither_database_nor_plotly(path: Path) -> None:
    assert reaches(path, "duckdb", "plotly", "sqlite3") == []


def test_no_page_lies_directly_in_pages() -> None:
    # Streamlit would run it on a deep link without app.py, and so without the sign-in gate.
    assert [path.name for path in (ROOT / "pages").glob("*.py") if path.name != "__init__.py"] == []


@pytest.mark.parametrize("path", PAGE_SCRIPTS, ids=name)
def test_a_page_asks_its_permission_before_anything_else(path: Path) -> None:
    body = ast.parse(path.read_text("utf-8")).body
    statements = [
        node
        for node in body
        if not isinstance(node, ast.Import | ast.ImportFrom)
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    ]
    first = ast.unparse(statements[0])
    assert first.startswith("viewer = session.require(Permission."), first


def test_imports_run_in_no_circles() -> None:
    graph: dict[str, set[str]] = {}
    for folder in ("data", "analytics", "pages"):
        for path in modules(folder):
            dotted = name(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            graph[dotted] = imports(path)
    edges = {module: {n for n in names if n in graph} - {module} for module, names in graph.items()}
    for module, names in edges.items():
        # ``from package import module`` names the package too, but needs only the module.
        names -= {
            n for n in names if module.startswith(f"{n}.") and any(o.startswith(f"{n}.") for o in names)
        }
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " → ".join([*trail[trail.index(module) :], module])
        if module not in done:
            for target in sorted(edges[module]):
                visit(target, (*trail, module))
            done.add(module)

    for module in edges:
        visit(module, ())
