"""How long does a page take on the medium demo company, beside a bare page with one chart?"""

from __future__ import annotations

import importlib
import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from tests.bench.apart import ROOT, apart
from tests.bench.browser import AT_REST, TITLE, chromium, missing, serving, settled, wait_for_health
from tests.bench.demo import medium
from tests.bench.figure import Figure, Options, at_most, load, percentile, reported, skipped
from tests.bench.listed import listed

PAGES: Final = {page.url: page for page in listed()}
"""Address of each page → the page."""

BARE: Final = """
import plotly.graph_objects as go
import streamlit as st

st.set_page_config(page_title="Bare", layout="wide")


def chart(title, up):
    st.html(f'<h1 class="eh-title">{title}</h1>')
    rows = list(range(20))
    st.plotly_chart(go.Figure(go.Bar(x=rows, y=rows if up else rows[::-1])), width="stretch")


def one():
    chart("One chart", True)


def other():
    chart("Other chart", False)


st.navigation(
    [
        st.Page(lambda: chart("Front", True), title="Front", url_path="front", default=True),
        st.Page(one, title="One", url_path="one"),
        st.Page(other, title="Other", url_path="other"),
    ]
).run()
"""
"""As little as an app with pages can be: each shows a title and a chart."""

CLICKED: Final = {"distributions": "spread", "leniency": "leniently", "goals": "at risk"}
"""Pages gone round in the browser → words of their title."""


def run(options: Options) -> Iterator[Figure]:
    """First views in new processes; every page over and over beside a bare one; two in a browser."""
    home = medium(options)
    yield from _first_views(options, home)
    yield from _server_side(options, home)
    yield from _in_browser(options, home)


def _first_views(options: Options, home: Path) -> Iterator[Figure]:
    for page in PAGES:
        seconds = [
            apart(first, page, env={"EVENHAND_HOME": str(home)}).value
            for _ in range(1 if options.quick else 3)
        ]
        yield at_most(
            f"first view of {page}, new process, server side",
            statistics.median(seconds),
            2.0,
            unit=" s",
            note=f"{', '.join(f'{s:.2f}' for s in seconds)}; {load()}",
        )


def _server_side(options: Options, home: Path) -> Iterator[Figure]:
    times = apart(again, 5 if options.quick else 40, env={"EVENHAND_HOME": str(home)}).value
    bare = times["bare"]["wall"]
    for page in PAGES:
        wall, cpu = times[page]["wall"], times[page]["cpu"]
        # Each run stands beside a run of the bare page taken just before it: both feel the same load.
        ratio = statistics.median(ours / theirs for ours, theirs in zip(wall, bare, strict=True))
        yield at_most(
            f"{page} again, server side, p95",
            1000 * percentile(wall, 0.95),
            300,
            unit=" ms",
            digits=0,
            note=f"p50 {1000 * percentile(wall, 0.5):.0f} ms, processor p50 "
            f"{1000 * percentile(cpu, 0.5):.0f} ms, {len(wall)} runs; bare page p50 "
            f"{1000 * percentile(bare, 0.5):.0f}, p95 {1000 * percentile(bare, 0.95):.0f} ms, "
            f"ratio {ratio:.1f}; {load()}",
        )


def _in_browser(options: Options, home: Path) -> Iterator[Figure]:
    if why := missing():
        yield skipped("pages in the browser", why)
        return
    times = 5 if options.quick else 20
    bare_script = options.scratch / "bare.py"
    bare_script.write_text(BARE)
    with (
        chromium() as browser,
        serving(home) as ours,
        serving(options.scratch / "bare", script=bare_script) as bare,
    ):
        for url in (ours, bare):
            wait_for_health(url)
        page, beside = (browser.new_page(viewport={"width": 1280, "height": 900}) for _ in range(2))
        # Health comes before warming up is over; a person comes later.
        for found, address in ((page, ours), (beside, bare)):
            found.goto(address)
            settled(found)
        for name in CLICKED:
            alone, mine = _opened(browser, f"{bare}/one"), _opened(browser, f"{ours}/{name}")
            yield reported(
                f"first view of {name} in a browser that never saw the app",
                mine,
                unit=" s",
                note=f"bare page {alone:.2f} s: most of it is what Streamlit brings; {load()}",
            )
        taken: dict[str, list[float]] = {name: [] for name in (*CLICKED, "bare")}
        for turn in range(times + 1):
            for at, (name, word) in enumerate(CLICKED.items()):
                to = ("one", "One") if (turn * len(CLICKED) + at) % 2 else ("other", "Other")
                theirs, mine = _clicked(beside, *to), _clicked(page, name, word)
                if turn:
                    taken["bare"].append(theirs)
                    taken[name].append(mine)
    bare_95 = percentile(taken["bare"], 0.95)
    for name in CLICKED:
        at_95 = percentile(taken[name], 0.95)
        said = (
            f"p50 {1000 * percentile(taken[name], 0.5):.0f} ms, {times} clicks; bare page p50 "
            f"{1000 * percentile(taken['bare'], 0.5):.0f}, p95 {1000 * bare_95:.0f} ms; {load()}"
        )
        what = f"{name} again, in the browser from click to rest"
        yield reported(f"{what}, p95", 1000 * at_95, unit=" ms", digits=0, note=said)
        yield at_most(f"{what}, p95 against a bare page with one chart", at_95 / bare_95, 4, unit=" ×")


def _opened(browser: Browser, address: str) -> float:
    """Seconds until a page stands there in a new profile."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        began = time.perf_counter()
        page.goto(address)
        settled(page)
        return time.perf_counter() - began


def _clicked(page: Page, to: str, word: str) -> float:
    """Seconds from a click in the navigation until the page stands there."""
    began = time.perf_counter()
    page.locator(f'[data-testid="stSidebarNavLink"][href$="/{to}"]').click()
    page.wait_for_selector(f'{TITLE}:has-text("{word}")', timeout=60_000)
    page.wait_for_selector(AT_REST, timeout=60_000)
    return time.perf_counter() - began


def first(page: str) -> float:
    """Seconds of the first run of a page, after what the server does before its first session."""
    bare, ours = _apps()
    server = importlib.import_module("pages.kit.server")
    for module in server._WARMED:
        importlib.import_module(module)
    server._warm_up(server._published())
    bare.run()
    # A person follows a link straight to the page, whose address names it.
    ours._page_hash = calc_hash(page)
    ours.session_state["local_role"] = PAGES[page].role
    return _timed(ours, page)["wall"]


def again(times: int) -> dict[str, dict[str, list[float]]]:
    """Wall and processor seconds of runs after the first, page after page, and of the bare page."""
    bare, ours = _apps()
    bare.run()
    ours.run()
    for page in PAGES:
        _turn(ours, page)
        _timed(ours, page)
    taken: dict[str, dict[str, list[float]]] = {page: {"wall": [], "cpu": []} for page in ("bare", *PAGES)}
    for _ in range(times):
        for page in ("bare", *PAGES):
            if page != "bare":
                _turn(ours, page)
            for clock, seconds in _timed(bare if page == "bare" else ours, page).items():
                taken[page][clock].append(seconds)
    return taken


def _apps() -> tuple[Any, Any]:
    os.chdir(ROOT)
    return AppTest.from_string(BARE, default_timeout=120), AppTest.from_file(
        str(ROOT / "app.py"), default_timeout=120
    )


def _turn(app: Any, page: str) -> None:
    app.session_state["local_role"] = PAGES[page].role
    app.switch_page(PAGES[page].script)


def _timed(app: Any, page: str) -> dict[str, float]:
    began, worked = time.perf_counter(), time.process_time()
    app.run()
    taken = {"wall": time.perf_counter() - began, "cpu": time.process_time() - worked}
    if app.exception:
        raise RuntimeError(f"{page}: {app.exception[0].value}")
    return taken
