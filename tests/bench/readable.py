"""Can everybody read the pages? axe-core over pages, languages and modes, and no clipped text.

What axe finds in markup that is Streamlit's alone is counted apart. Text inside tables is drawn on a canvas,
where nothing can measure it.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page
from playwright.sync_api import Error as PlaywrightError

from analytics.language import Language
from data.access import Role
from pages.kit import session
from tests.bench.browser import AT_REST, chromium, missing, serving, settled, wait_for_health
from tests.bench.demo import small
from tests.bench.figure import Figure, Options, none_of, reported, skipped
from tests.bench.listed import Listed, listed

LANGUAGES: Final = {"en": "en-GB", "zh": "zh-CN"}
MODES: Final = ("light", "dark")
WIDTH: Final = 1280

CHROME: Final[tuple[tuple[str, frozenset[str] | None, str], ...]] = (
    ('[data-testid="stHeader"]', None, "the bar above the app"),
    ('[data-testid="stSidebarHeader"]', None, "the buttons that fold the sidebar"),
    ('[data-testid="stSidebarResizeHandle"]', None, "the handle that widens the sidebar"),
    ('[data-testid="stSidebarNav"]', frozenset({"list", "listitem"}), "how the navigation nests its lists"),
    ('[data-testid="stElementToolbar"]', None, "the toolbar over a table"),
    (
        '[data-testid="data-grid-canvas"]',
        None,
        "a table's canvas, mirrored for screen readers by its library",
    ),
    ('[data-testid="stDataFrameResizable"]', None, "the scrolling frame around that canvas"),
    ('[data-testid="portal"]', None, "where tables open the editor of a cell"),
    ("[data-focus-scope-start], [data-focus-scope-end]", None, "marks of a focus lock"),
)
"""What is Streamlit's own markup: selector, the rules that are its affair (None: all), what it is."""

AXE: Final = """
async () => {
  const found = await axe.run(document, {resultTypes: ["violations"]});
  return found.violations.map(one => ({
    rule: one.id, impact: one.impact,
    places: one.nodes.map(node => ({target: node.target.flat().join(" "), html: node.html.slice(0, 160)})),
  }));
}
"""

CLIPPED: Final = """
() => {
  const found = [];
  const note = (text, why) => found.push(text.trim().slice(0, 60) + ": " + why);
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const parent = node.parentElement;
    if (!node.data.trim() || !parent) continue;
    if (parent.closest("script, style, noscript, canvas, [aria-hidden=true]")) continue;
    range.selectNodeContents(node);
    const text = range.getBoundingClientRect();
    if (text.width < 1 || text.height < 1 || getComputedStyle(parent).visibility === "hidden") continue;
    const drawing = parent.closest("svg.main-svg");
    if (drawing) {
      const box = drawing.getBoundingClientRect();
      if (text.left < box.left - 1 || text.right > box.right + 1
          || text.top < box.top - 1 || text.bottom > box.bottom + 1) note(node.data, "outside its chart");
      continue;
    }
    for (let above = parent; above && above !== document.body; above = above.parentElement) {
      const style = getComputedStyle(above), box = above.getBoundingClientRect();
      // Meant for screen readers only: a box of a pixel.
      if (box.width <= 1 || box.height <= 1 || style.clip !== "auto") break;
      if (/hidden|clip/.test(style.overflowX) && (text.left < box.left - 1 || text.right > box.right + 1)) {
        note(node.data, "cut at its side");
        break;
      }
      if (/auto|scroll/.test(style.overflowX)) break;
    }
  }
  if (document.documentElement.scrollWidth > window.innerWidth) found.push("the page scrolls sideways");
  return found;
}
"""
"""Text of ours that is cut: beyond a box that hides what is outside, or outside its chart's drawing."""

BAR: Final = "axe-core violations, serious or critical, in our own content"


def run(options: Options) -> Iterator[Figure]:
    """Open every page in both languages and modes; ask axe, then look for clipped text."""
    axe = missing() or _axe(options)
    if isinstance(axe, str):
        yield skipped(BAR, axe, bar="0")
        return
    source = axe.read_text(encoding="utf-8")
    ours: dict[str, list[str]] = {}
    chrome: dict[str, list[str]] = {}
    clipped: dict[str, list[str]] = {}
    views = 0
    with chromium() as browser, serving(small(options)) as url:
        _check_the_checks(browser, source)
        wait_for_health(url)
        for language, mode in product(LANGUAGES, MODES):
            for there in listed():
                page = _opened(browser, url, there, language, mode)
                where = f"{there.url} {language} {mode}"
                for text in page.evaluate(CLIPPED):
                    clipped.setdefault(text, []).append(where)
                for rule, target, html in _violations(page, source):
                    kept = chrome if _is_chrome(page, rule, target) else ours
                    kept.setdefault(f"{rule} {html}", []).append(where)
                views += 1
                page.context.close()
    of = f"{views} views"
    yield none_of(BAR, _count(ours), of=of, note=_most(ours))
    said = _most(chrome)
    yield reported("the same in what Streamlit draws itself", _count(chrome), unit="", digits=0, note=said)
    yield none_of(f"clipped texts at {WIDTH} px", _count(clipped), of=of, note=_most(clipped))


def _violations(page: Page, source: str) -> list[tuple[str, str, str]]:
    """Rule, selector and markup of everything serious or critical."""
    page.evaluate(source)
    return [
        (one["rule"], place["target"], " ".join(place["html"].split())[:100])
        for one in page.evaluate(AXE)
        if one["impact"] in ("serious", "critical")
        for place in one["places"]
    ]


def _check_the_checks(browser: Browser, source: str) -> None:
    """A page known to be bad must be found so: a check that sees nothing must not pass for a clean page."""
    page = browser.new_page()
    page.set_content(
        '<html lang="en"><title>Bad</title><main><h1>Bad</h1><img src="x.png">'
        '<div style="width:60px;overflow:hidden;white-space:nowrap;text-overflow:ellipsis">Cut within</div>'
        '<svg class="main-svg" width="50" height="20"><text x="30" y="15">Beyond its drawing</text></svg>'
    )
    assert len(page.evaluate(CLIPPED)) == 2
    assert "image-alt" in {rule for rule, _, _ in _violations(page, source)}
    page.close()


def _opened(browser: Browser, url: str, there: Listed, language: str, mode: str) -> Page:
    context = browser.new_context(
        viewport={"width": WIDTH, "height": 900},
        locale=LANGUAGES[language],
        color_scheme="dark" if mode == "dark" else "light",
        bypass_csp=True,  # axe is put into the page as a script of ours never would be
    )
    context.set_default_timeout(60_000)
    page = context.new_page()
    if there.role is Role.HR_LEADERSHIP:
        page.goto(f"{url}/{'' if there.default else there.url}?lang={language}")
        settled(page)
    else:
        page.goto(f"{url}/?lang={language}")
        settled(page)
        page.locator('[data-testid="stSidebar"] [data-testid="stSelectbox"]').first.click()
        page.get_by_role(
            "option", name=session.role_names(Language(language))[there.role], exact=True
        ).click()
        page.locator(f'[data-testid="stSidebarNavLink"][href$="/{there.url}"]').click()
        page.wait_for_url(f"**/{there.url}*")
        settled(page)
    for closed in page.locator('[data-testid="stExpander"] details:not([open]) > summary').all():
        closed.click()
    # Charts are drawn after the script rests, and fonts settle.
    page.wait_for_timeout(1_000)
    page.wait_for_selector(AT_REST)
    return page


def _is_chrome(page: Page, rule: str, target: str) -> bool:
    selectors = ", ".join(selector for selector, rules, _ in CHROME if rules is None or rule in rules)
    try:
        return bool(
            page.evaluate("([to, own]) => !!document.querySelector(to)?.closest(own)", [target, selectors])
        )
    except PlaywrightError:  # a path through a shadow root: a component of ours
        return False


def _count(found: dict[str, list[str]]) -> int:
    return sum(map(len, found.values()))


def _most(found: dict[str, list[str]]) -> str:
    ordered = sorted(found.items(), key=lambda item: -len(item[1]))
    return "; ".join(f"{len(where)} × {what} ({where[0]})" for what, where in ordered[:8])


def _axe(options: Options) -> Path | str:
    """The script of axe-core, fetched once by npm; or why it cannot be had."""
    folder = options.kept / "axe"
    script = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists():
        if shutil.which("npm") is None:
            return "npm is not installed"
        folder.mkdir(parents=True, exist_ok=True)
        command = [
            "npm",
            "install",
            "--no-audit",
            "--no-fund",
            "--silent",
            "--prefix",
            str(folder),
            "axe-core@4",
        ]
        got = subprocess.run(command, capture_output=True, check=False)
        if got.returncode or not script.exists():
            return "npm cannot fetch axe-core"
    return script
