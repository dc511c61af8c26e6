"""What only a browser shows: that pages draw, speak, keep to themselves, and take a file."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect

from tests.browser.conftest import Running, Start

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PATHS = ["", "distributions?guidance=2-7-1", "leniency", "goals", "data", "mine", "sessions"]

# Text of ours that its box cuts off, and chart text outside its picture.
CLIPPED = """() => {
  const ours = '.eh-title, .eh-scope, .eh-finding, .eh-say, .eh-note, .eh-facts dd';
  const cut = [...document.querySelectorAll(ours)]
    .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent);
  for (const text of document.querySelectorAll('.js-plotly-plot svg text')) {
    const box = text.getBoundingClientRect(), picture = text.closest('svg').getBoundingClientRect();
    if (!box.width || text.closest('.hoverlayer')) continue;
    if (box.left < picture.left - 1 || box.right > picture.right + 1) cut.push(text.textContent);
  }
  return cut;
}"""


@pytest.fixture(scope="module")
def app(start: Start, demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Running:
    """The real app on a demo company of its own, in local mode."""
    home = tmp_path_factory.mktemp("browser-home")
    shutil.copytree(demo_home / "warehouse", home / "warehouse")
    return start(home=home)


def opened(page: Page, app: Running, path: str, lang: str = "en") -> None:
    """Open an address and wait until its finding and its pictures stand."""
    page.goto(f"{app.url}/{path}{'&' if '?' in path else '?'}lang={lang}")
    expect(page.locator(".eh-title")).to_be_visible()
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_page_draws_without_a_word_cut_off_and_without_an_error(
    app: Running, page: Page, path: str, lang: str
) -> None:
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        # Streamlit looks for its server below the page's address first; that it is not there is no error.
        if message.type == "error" and "404" not in message.text:
            errors.append(message.text)

    page.on("console", note)
    opened(page, app, path, lang)
    page.wait_for_timeout(800)
    assert page.evaluate(CLIPPED) == []
    assert errors == []


@pytest.mark.parametrize("path", ["leniency", "data"])
def test_a_page_talks_to_nobody_but_its_server(app: Running, page: Page, path: str) -> None:
    hosts: set[str] = set()

    def note(request: Request) -> None:
        if request.url.startswith(("http", "ws")):
            hosts.add(urlsplit(request.url).netloc)

    page.on("request", note)
    opened(page, app, path)
    assert hosts == {urlsplit(app.url).netloc}


def test_the_language_is_switched_and_told_to_screen_readers(app: Running, page: Page) -> None:
    opened(page, app, "leniency")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.get_by_role("radio", name="中文").or_(page.get_by_text("中文", exact=True)).first.click()
    expect(page.get_by_role("heading", name="是否有管理者评分偏宽松？")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    assert "lang=zh" in page.url


def test_a_choice_is_in_the_address_and_opens_again_from_it(
    app: Running, page: Page, browser: Browser
) -> None:
    opened(page, app, "distributions")
    page.get_by_label("Compare").click()
    page.get_by_role("option", name="Location").click()
    expect(page.get_by_test_id("stDataFrame").first).to_be_visible()
    page.wait_for_url("**by=location**")
    colleague = browser.new_context(locale="en-GB").new_page()
    colleague.goto(page.url)
    expect(colleague.get_by_label("Compare")).to_have_value("Location", timeout=20_000)
    colleague.context.close()


def test_dark_is_dark(app: Running, browser: Browser) -> None:
    context = browser.new_context(color_scheme="dark", locale="en-GB")
    page = context.new_page()
    opened(page, app, "leniency")
    colour = page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor")
    assert colour == "rgb(20, 23, 26)"
    context.close()


def test_a_dropped_file_is_checked_published_and_seen(app: Running, page: Page, tmp_path: Path) -> None:
    export = tmp_path / "neue_leute.csv"
    export.write_text(
        "employee_id,display_name,hire_date\nX1,Ada Test,2026-01-01\nX2,Ben Test,yesterday\n", "utf-8"
    )
    opened(page, app, "data?part=load")
    page.locator("input[type=file]").set_input_files(str(export))
    page.get_by_role("button", name="Check without publishing").click()
    expect(
        page.get_by_text("Checked only. Rows that would go in: 1; that would be rejected: 1.")
    ).to_be_visible()
    page.get_by_role("button", name="Load and publish").click()
    expect(page.get_by_text("Rows that went in: 1; rejected: 1.")).to_be_visible()
    page.goto(f"{app.url}/data?part=rejected&lang=en")
    expect(page.get_by_role("button", name="Rejected rows of neue_leute.csv")).to_be_visible()


def test_publishing_twice_by_a_double_click_publishes_once(app: Running, page: Page, tmp_path: Path) -> None:
    export = tmp_path / "twice.csv"
    export.write_text("employee_id,display_name\nY1,Cai Test\n", "utf-8")
    before = len(list((app.home / "warehouse").glob("warehouse-*.duckdb")))
    opened(page, app, "data?part=load")
    page.locator("input[type=file]").set_input_files(str(export))
    page.get_by_role("button", name="Load and publish").dblclick()
    expect(page.get_by_role("heading", name="What happened")).to_be_visible()
    page.wait_for_timeout(2_000)
    assert len(list((app.home / "warehouse").glob("warehouse-*.duckdb"))) == before + 1


def test_a_file_that_is_none_gets_a_clear_word(app: Running, page: Page, tmp_path: Path) -> None:
    broken = tmp_path / "roster.xlsx"
    broken.write_bytes(b"PK\x03\x04 this is no workbook")
    opened(page, app, "data?part=load")
    page.locator("input[type=file]").set_input_files(str(broken))
    expect(page.get_by_text("roster.xlsx").last).to_be_visible()
    expect(page.locator(".eh-state")).to_contain_text("roster.xlsx")
    expect(page.get_by_text("Traceback")).to_have_count(0)


def test_two_dropped_files_of_one_name_both_go_in(app: Running, page: Page) -> None:
    header = b"employee_id,display_name\n"
    opened(page, app, "data?part=load")
    page.locator("input[type=file]").set_input_files(
        [
            {"name": "x.csv", "mimeType": "text/csv", "buffer": header + b"Z1,Dee Test\nZ2,Eli Test\n"},
            {"name": "x.csv", "mimeType": "text/csv", "buffer": header + b"Z3,Fay Test\n"},
        ]
    )
    page.get_by_role("button", name="Load and publish").click()
    expect(page.get_by_text("Rows that went in: 3; rejected: 0.")).to_be_visible()
