"""Homes for page tests: the demo company through the front door, once for all workers, and none at all."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from data import demo
from data.importing import run_import

ROOT = Path(__file__).resolve().parents[2]
AS_OF = date(2026, 9, 30)

Open = Callable[..., AppTest]


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the small demo company; whichever worker comes first builds it."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if os.environ.get("PYTEST_XDIST_WORKER") else shared
    home, done = shared / "demo-home", shared / "demo-home-done"
    try:
        home.mkdir()
    except FileExistsError:
        deadline = time.monotonic() + 120
        while not done.exists():
            assert time.monotonic() < deadline, "the other worker did not finish the demo company"
            time.sleep(0.1)
        return home
    made = demo.write(home / "demo", size="small")
    run_import([made.exports], home=home, as_of=AS_OF, now=datetime(2026, 10, 1, tzinfo=UTC))
    done.touch()
    return home


@pytest.fixture
def open_app(monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Opens the app on a home, at a page, as a role, in a language, with filters from a link."""
    st.cache_resource.clear()

    def opened(
        home: Path,
        page: str | None = None,
        *,
        role: str = "hr_leadership",
        lang: str = "en",
        **filters: str,
    ) -> AppTest:
        monkeypatch.setenv("EVENHAND_HOME", str(home))
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        app.query_params["lang"] = lang
        for key, value in filters.items():
            app.query_params[key] = value
        app.session_state["local_role"] = role
        app.run()
        if page is not None:
            app.switch_page(page).run()
        return app

    yield opened
    st.cache_resource.clear()


def words(app: AppTest) -> str:
    """Everything the page says as HTML, markdown or caption; not its stylesheet."""
    said = [element.proto.body for element in app.get("html")] + [element.value for element in app.caption]
    return "\n".join(body for body in said if not body.startswith("<style>"))
