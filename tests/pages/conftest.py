"""Opens pages the way a reader does, without a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).resolve().parents[2]

Open = Callable[..., AppTest]


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
