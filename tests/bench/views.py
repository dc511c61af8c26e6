"""How long does a page take on the medium demo company, beside a bare page with one chart?"""

from __future__ import annotations

import importlib
import os
import statistics
import time
from collections.abc import Iterator
from typing import Any, Final

from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from tests.bench.apart import ROOT, apart
from tests.bench.demo import medium
from tests.bench.figure import Figure, Options, at_most, load, percentile

PAGES: Final = {
    "overview": "pages/overview/overview.py",
    "distributions": "pages/fairness/distributions.py",
    "leniency": "pages/fairness/leniency.py",
    "goals": "pages/goals/risk.py",
    "mine": "pages/mine/mine.py",
    "data": "pages/sources/data.py",
    "access": "pages/sources/access.py",
}
"""Address of each page → its script."""

BARE: Final = """
import plotly.graph_objects as go
import streamlit as st

st.title("One chart")
st.plotly_chart(go.Figure(go.Bar(x=list(range(20)), y=list(range(20)))), width="stretch")
"""


def run(options: Options) -> Iterator[Figure]:
    """First views, each in a new process; then every page over and over beside a bare one."""
    home = {"EVENHAND_HOME": str(medium(options))}
    for page in PAGES:
        seconds = [apart(first, page, env=home).value for _ in range(1 if options.quick else 3)]
        yield at_most(
            f"first view of {page}, new process, server side",
            statistics.median(seconds),
            2.0,
            unit=" s",
            note=f"{', '.join(f'{s:.2f}' for s in seconds)}; {load()}",
        )
    times = apart(again, 5 if options.quick else 40, env=home).value
    bare = times["bare"]["wall"]
    for page in PAGES:
        wall, cpu = times[page]["wall"], times[page]["cpu"]
        ninety_fifth = percentile(wall, 0.95)
        about = (
            f"p50 {1000 * percentile(wall, 0.5):.0f} ms, processor p50 {1000 * percentile(cpu, 0.5):.0f} ms; "
            f"{len(wall)} runs; {load()}"
        )
        yield at_most(f"{page} again, p95", 1000 * ninety_fifth, 300, unit=" ms", digits=0, note=about)
        # Each run stands beside a run of the bare page taken just before it: both feel the same load.
        ratios = [ours / theirs for ours, theirs in zip(wall, bare, strict=True)]
        yield at_most(
            f"{page} again, against a bare page with one chart",
            ninety_fifth / percentile(bare, 0.95),
            4.0,
            unit=" ×",
            note=f"p95 against p95; median of pairs {statistics.median(ratios):.2f} ×; bare p50 "
            f"{1000 * percentile(bare, 0.5):.0f}, p95 {1000 * percentile(bare, 0.95):.0f} ms",
        )


def first(page: str) -> float:
    """Seconds of the first run of a page, after what the server does before its first session."""
    bare, ours = _apps()
    server = importlib.import_module("pages.kit.server")
    for module in server._WARMED:
        importlib.import_module(module)
    server._warm_up()
    bare.run()
    # A person follows a link straight to the page, whose address names it.
    ours._page_hash = calc_hash(page)
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
    # Only auditors open the access log.
    app.session_state["local_role"] = "auditor" if page == "access" else "hr_leadership"
    app.switch_page(PAGES[page])


def _timed(app: Any, page: str) -> dict[str, float]:
    began, worked = time.perf_counter(), time.process_time()
    app.run()
    taken = {"wall": time.perf_counter() - began, "cpu": time.process_time() - worked}
    if app.exception:
        raise RuntimeError(f"{page}: {app.exception[0].value}")
    return taken
