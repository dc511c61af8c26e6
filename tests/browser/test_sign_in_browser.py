"""Signing in at a real OpenID provider, in a real browser, against the real server."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from data.access import Role
from data.operations import Operations
from data.sign_in import local_viewer
from tests.browser.conftest import Running, Start

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

STAND_IN = Path(__file__).parent / "stand_in.py"
SIGN_IN = "Sign in to Evenhand"


@pytest.fixture(scope="module")
def guarded(start: Start, provider: str) -> Running:
    """The stand-in behind sign-in."""
    return start(provider=provider, script=STAND_IN)


@pytest.fixture(scope="module")
def local(start: Start) -> Running:
    """The stand-in in local mode."""
    return start(script=STAND_IN)


@pytest.fixture(scope="module")
def app(start: Start, provider: str) -> Running:
    """The real app behind sign-in, with nothing loaded."""
    return start(provider=provider)


def sign_in(page: Page, server: Running, who: str, *, at: str = "/") -> None:
    """Open an address of the app, and go through the provider as one of its people."""
    page.goto(server.url + at)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name=who, exact=True).click()


def log(server: Running) -> list[tuple[str, str, str]]:
    """Who did what to what, oldest first."""
    with sqlite3.connect(server.home / "operations.sqlite") as store:
        rows = store.execute("SELECT subject, action, object FROM access_log ORDER BY entry").fetchall()
    store.close()
    return rows


def test_who_signs_in_gets_the_roles_of_their_groups(guarded: Running, provider: str, page: Page) -> None:
    before = len(log(guarded))
    sign_in(page, guarded, "hr")
    expect(page.get_by_text("Mine: Hu Rong")).to_be_visible()
    assert log(guarded)[before][:2] == (f"{provider}|hr", "signed_in")
    page.get_by_role("link", name="Figures").click()
    expect(page.get_by_text("Figures of all departments")).to_be_visible()
    assert (f"{provider}|hr", "looked", "figures") in log(guarded)


def test_a_deep_link_shows_sign_in_and_afterwards_the_page_it_led_to(guarded: Running, page: Page) -> None:
    page.goto(f"{guarded.url}/figures?department=Research")
    expect(page.get_by_text(SIGN_IN)).to_be_visible()
    expect(page.get_by_text("Figures of all departments")).to_have_count(0)
    sign_in(page, guarded, "hr", at="/figures?department=Research")
    expect(page.get_by_text("Figures of all departments")).to_be_visible()
    assert page.url.startswith(f"{guarded.url}/figures?department=Research")


def test_an_employee_is_refused_the_page_of_hr(guarded: Running, provider: str, page: Page) -> None:
    sign_in(page, guarded, "worker")
    expect(page.get_by_text("Mine: Wen Ke, E7")).to_be_visible()
    page.goto(f"{guarded.url}/figures")
    expect(page.get_by_text("Your role does not open this page")).to_be_visible()
    expect(page.get_by_text("ask the HR systems desk")).to_be_visible()
    expect(page.get_by_text("Figures of all departments")).to_have_count(0)
    assert log(guarded)[-1] == (f"{provider}|worker", "refused", "see_distributions")


def test_an_unknown_person_sees_nothing_but_whom_to_ask(guarded: Running, page: Page) -> None:
    sign_in(page, guarded, "stranger")
    expect(page.get_by_text("have no role here yet")).to_be_visible()
    expect(page.get_by_text("ask the HR systems desk")).to_be_visible()
    expect(page.get_by_text("Mine:")).to_have_count(0)


def test_signing_out_ends_the_session_even_for_a_copied_cookie(
    guarded: Running, provider: str, page: Page
) -> None:
    sign_in(page, guarded, "hr")
    expect(page.get_by_text("Mine: Hu Rong")).to_be_visible()
    stolen = page.context.cookies()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{provider}/**")
    assert replayed(page, guarded, stolen) == "You have signed out."


def test_a_revoked_session_shows_nothing_more_even_for_a_copied_cookie(guarded: Running, page: Page) -> None:
    sign_in(page, guarded, "hr")
    expect(page.get_by_text("Mine: Hu Rong")).to_be_visible()
    stolen = page.context.cookies()
    # As an administrator does, from another process.
    store = Operations(guarded.home)
    admin = local_viewer(Role.HR_LEADERSHIP)
    store.revoke(admin, store.sessions(admin)["session_id"][0])
    store.close()
    page.get_by_role("link", name="Figures").click()
    expect(page.get_by_text(SIGN_IN)).to_be_visible()
    expect(page.get_by_text("Figures of all departments")).to_have_count(0)
    assert replayed(page, guarded, stolen).startswith("This session was ended")
    sign_in(page, guarded, "hr")
    expect(page.get_by_text("Mine: Hu Rong")).to_be_visible()


def test_idling_empties_the_screen_and_the_cookie_opens_nothing(
    start: Start, provider: str, page: Page
) -> None:
    server = start(provider=provider, script=STAND_IN, EVENHAND_IDLE_MINUTES="0.05")  # three seconds
    sign_in(page, server, "hr")
    expect(page.get_by_text("Mine: Hu Rong")).to_be_visible()
    stolen = page.context.cookies()
    expect(page.get_by_text("You were signed out after")).to_be_visible(timeout=15_000)
    expect(page.get_by_text("Mine:")).to_have_count(0)
    assert replayed(page, server, stolen).startswith("You were signed out after")


def test_a_download_needs_an_open_session(guarded: Running, page: Page) -> None:
    sign_in(page, guarded, "hr", at="/figures")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download", exact=True).click()
    address = waiting.value.url
    assert Path(waiting.value.path()).read_text() == "department,mean\n"
    assert page.context.request.get(address).ok
    page.context.clear_cookies()
    assert page.context.request.get(address).status == 401


def test_nothing_a_page_needs_offends_the_content_security_policy(local: Running, page: Page) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(local.url)
    page.get_by_role("link", name="Figures").click()
    expect(page.get_by_test_id("stPlotlyChart").locator("svg.main-svg").first).to_be_visible()
    expect(page.get_by_test_id("stDataFrame").locator("canvas").first).to_be_visible()
    expect(page.get_by_text("A board")).to_be_visible()
    page.wait_for_function("document.title == 'board ran'")
    page.get_by_role("combobox", name="Department").click()
    assert complaints == []
    assert [url for url in asked if not url.startswith((local.url, "data:", "blob:"))] == []


def test_an_error_is_a_number_and_no_traceback(local: Running, page: Page) -> None:
    page.goto(f"{local.url}/broken")
    expect(page.get_by_text("Something went wrong here")).to_be_visible()
    shown = page.locator("body").inner_text()
    assert "47110815" not in shown
    assert "RuntimeError" not in shown
    number = shown.split("In the server's log: ")[1].split(".")[0]
    written = (local.home / "server.log").read_text()
    assert f"Error {number} on a page" in written
    # Logged with its number each time the page ran, and not once more without.
    assert written.count("RuntimeError: salary 47110815") == written.count(" on a page")


def test_local_mode_says_so_and_shows_everything_as_somebody_else_would(local: Running, page: Page) -> None:
    assert "Local mode: only this computer can open Evenhand" in (local.home / "server.log").read_text()
    page.goto(f"{local.url}/figures")
    expect(page.get_by_text("Local mode: only this computer can open this.")).to_be_visible()
    expect(page.get_by_text("Figures of all departments")).to_be_visible()
    page.get_by_role("combobox", name="See it as").click()
    page.get_by_role("option", name="Employee").click()
    expect(page.get_by_text("Your role does not open this page")).to_be_visible()
    expect(page.get_by_text("Figures of all departments")).to_have_count(0)


PAGES = ("", "distributions", "leniency", "goals", "mine", "data", "access")


def test_no_page_of_the_app_answers_before_sign_in(app: Running, page: Page) -> None:
    before = log(app)
    for path in PAGES:
        page.goto(f"{app.url}/{path}")
        expect(page.get_by_text(SIGN_IN)).to_be_visible()
        expect(page.get_by_role("dialog")).to_have_count(0)
        assert page.locator("h1").all_inner_texts() == [SIGN_IN], path
    assert log(app) == before


def test_the_app_opens_to_an_employee_only_what_is_their_own(app: Running, page: Page) -> None:
    sign_in(page, app, "worker", at="/mine?lang=en")
    expect(page.get_by_text("Nothing has been loaded yet")).to_be_visible()
    for path in ("distributions", "leniency", "goals", "data", "access"):
        page.goto(f"{app.url}/{path}")
        expect(page.get_by_text("Your role does not open this page")).to_be_visible()
        assert page.locator("h1").all_inner_texts() == ["Your role does not open this page"], path
    expect(page.get_by_text("Signed in as Wen Ke.")).to_be_visible()
    assert [entry[1] for entry in log(app)].count("refused") == 5


def test_the_sign_in_screen_speaks_chinese_too(app: Running, page: Page) -> None:
    page.goto(app.url)
    expect(page.get_by_text(SIGN_IN)).to_be_visible()
    page.get_by_text("中文").click()
    page.wait_for_url("**/?lang=zh")


def replayed(page: Page, app: Running, stolen: list[object]) -> str:
    """What somebody sees who copied the cookies to another browser."""
    assert page.context.browser is not None
    thief: BrowserContext = page.context.browser.new_context(locale="en-GB")
    thief.add_cookies(stolen)  # type: ignore[arg-type]
    view = thief.new_page()
    view.goto(app.url)
    expect(view.get_by_text(SIGN_IN)).to_be_visible()
    expect(view.get_by_text("Mine:")).to_have_count(0)
    said = view.locator(".eh-state p").first.inner_text()
    thief.close()
    return said
