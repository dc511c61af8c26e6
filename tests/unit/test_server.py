"""When the server refuses to start, and what stands around the application when it does."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
import secrets
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from streamlit import config, net_util
from streamlit.web.server.server_util import get_cookie_secret, is_url_from_allowed_origins
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value

from data.access import Role
from data.operations import SignIn
from data.problems import Problem
from data.sign_in import local_viewer, session_of
from pages.kit import server, session
from pages.kit.server import Hardening, Serving, content_security_policy, hardened_cookie, read_auth, serving

ROOT = Path(__file__).parents[2]
SECRET = "5f1c9a7be0d24386a9c15d7e3b8f60427c6d91e8ab3f05d4"
AUTH: dict[str, Any] = {
    "redirect_uri": "https://evenhand.firm.test/oauth2callback",
    "cookie_secret": SECRET,
    "client_id": "evenhand",
    "client_secret": "s",
    "server_metadata_url": "https://login.firm.test/.well-known/openid-configuration",
}
LOCAL = Serving("127.0.0.1", 8501, local=True, https=False, hosts=("localhost", "127.0.0.1", "::1"))
PUBLIC = Serving("0.0.0.0", 8501, local=False, https=True, hosts=("evenhand.firm.test", "localhost"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EVENHAND_HOME", str(tmp_path))
    return tmp_path


# --- starting -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "::1", "127.8.9.1"])
def test_without_sign_in_it_starts_on_this_computer_alone(address: str) -> None:
    assert serving(address=address, port=8501, auth={}).local


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.5", "evenhand.firm.test", ""])
def test_without_sign_in_it_refuses_every_other_address(address: str) -> None:
    with pytest.raises(Problem, match="Without sign-in"):
        serving(address=address, port=8501, auth={})


def test_with_sign_in_and_https_it_starts_anywhere() -> None:
    how = serving(address="0.0.0.0", port=8501, auth=AUTH)
    assert (how.local, how.https) == (False, True)
    assert how.hosts == ("evenhand.firm.test", "localhost", "127.0.0.1", "::1")


def test_with_sign_in_on_this_computer_http_will_do() -> None:
    auth = AUTH | {"redirect_uri": "http://localhost:{port}/oauth2callback"}
    assert not serving(address="127.0.0.1", port=8501, auth=auth).https


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"cookie_secret": ""}, "0 characters"),
        ({"cookie_secret": SECRET[:31]}, "31 characters"),
        ({"cookie_secret": "a" * 64}, "looks like an example"),
        ({"cookie_secret": "0123456789" * 5}, "looks like an example"),
        ({"cookie_secret": "CHANGE-ME-to-a-long-random-text-please-1"}, "looks like an example"),
        ({"cookie_secret": "my-super-SECRET-cookie-key-for-evenhand"}, "looks like an example"),
        ({"redirect_uri": ""}, "redirect_uri is missing"),
        ({"redirect_uri": "evenhand.firm.test/oauth2callback"}, "redirect_uri is missing"),
        ({"redirect_uri": "https://evenhand.firm.test/"}, "must end in /oauth2callback"),
        ({"redirect_uri": "http://evenhand.firm.test/oauth2callback"}, "needs https"),
        ({"redirect_uri": "http://localhost:8501/oauth2callback"}, "needs https"),
        ({"client_secret": ""}, "client_secret"),
        ({"server_metadata_url": ""}, "server_metadata_url"),
        ({"server_metadata_url": "http://login.firm.test/x"}, "must be https"),
        ({"okta": {"client_id": "x", "client_secret": "y"}}, "server_metadata_url"),
    ],
)
def test_unsafe_sign_in_settings_keep_it_from_starting(change: dict[str, Any], named: str) -> None:
    with pytest.raises(Problem) as caught:
        serving(address="0.0.0.0", port=8501, auth=AUTH | change)
    assert named in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_random_secret_is_never_taken_for_an_example() -> None:
    for make in (secrets.token_hex, secrets.token_urlsafe):
        serving(address="0.0.0.0", port=8501, auth=AUTH | {"cookie_secret": make(32)})


def test_headers_that_say_who_somebody_is_are_not_trusted() -> None:
    before = config.get_option("server.trustedUserHeaders")
    config.set_option("server.trustedUserHeaders", {"X-User": "email"})
    try:
        with pytest.raises(Problem, match="trustedUserHeaders"):
            serving(address="0.0.0.0", port=8501, auth=AUTH)
    finally:
        config.set_option("server.trustedUserHeaders", before)


def test_a_secrets_file_that_cannot_be_read_is_not_taken_for_none(tmp_path: Path) -> None:
    assert read_auth([tmp_path / "missing.toml"]) == {}
    (tmp_path / "secrets.toml").write_text("[auth\n")
    with pytest.raises(Problem, match=r"secrets\.toml cannot be read"):
        read_auth([tmp_path / "secrets.toml"])
    (tmp_path / "secrets.toml").write_text("auth = true")
    with pytest.raises(Problem, match="section"):
        read_auth([tmp_path / "secrets.toml"])
    (tmp_path / "secrets.toml").write_text('[auth]\nclient_id = "x"')
    assert read_auth([tmp_path / "secrets.toml"]) == {"client_id": "x"}


def test_the_command_ends_with_one_and_one_sentence(home: Path) -> None:
    assert "Evenhand did not start. Without sign-in" in started_and_refused("--host", "0.0.0.0", home=home)


@pytest.mark.parametrize(("port", "says"), [(99_999, "is no port"), (0, "is no port")])
def test_a_number_that_is_no_port_is_said_so(port: int, says: str) -> None:
    with pytest.raises(Problem, match=says):
        server._check_port("127.0.0.1", port)


def test_a_port_in_use_keeps_it_from_starting_and_another_is_proposed(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = started_and_refused("--port", str(port), home=home)
    assert f"Port {port}" in said
    assert "choose another one with --port" in said
    assert "can open Evenhand" not in said


def started_and_refused(*arguments: str, home: Path) -> str:
    """What the command says that does not start."""
    ended = subprocess.run(
        [sys.executable, "-m", "pages.kit.server", *arguments],
        cwd=ROOT,
        env={"EVENHAND_HOME": str(home), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert "Evenhand did not start. " in ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stderr


# --- around the application ---------------------------------------------------------------------------


def test_every_answer_carries_the_headers() -> None:
    answer = ask(LOCAL, "/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "camera=()" in answer.headers["permissions-policy"]
    assert answer.headers["cache-control"] == "no-cache"
    assert "strict-transport-security" not in answer.headers
    assert (
        ask(PUBLIC, "/", host="evenhand.firm.test").headers["strict-transport-security"] == "max-age=31536000"
    )


def test_the_policy_allows_the_inline_script_of_the_index_page_and_no_other() -> None:
    index = (Path(st.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    script = index.split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    scripts = next(part for part in content_security_policy().split("; ") if part.startswith("script-src"))
    assert scripts == f"script-src 'self' blob: 'sha256-{digest}'"


@pytest.mark.parametrize("host", ["evil.test", "127.0.0.1.evil.test", "", "[::1", "user@localhost.evil.test"])
def test_a_name_pointed_at_this_computer_from_elsewhere_is_not_answered(host: str) -> None:
    assert ask(LOCAL, "/", host=host).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:8501", "localhost", "[::1]:8501", "LOCALHOST:1"])
def test_names_of_this_computer_are_answered(host: str) -> None:
    assert ask(LOCAL, "/", host=host).status_code == 200


@pytest.mark.parametrize("path", ["/_stcore/agent/interact", "/_stcore/agent/mcp", "/_stcore/metrics"])
def test_doors_nobody_needs_are_closed(path: str) -> None:
    assert ask(LOCAL, path).status_code == 404


FOREIGN = [
    "https://evil.test",
    "null",
    "",
    # Another program of this computer, on another port, and the same port by another scheme.
    "http://localhost:9999",
    "https://localhost:8501",
    "http://127.0.0.1:8501",
]


@pytest.mark.parametrize("origin", FOREIGN)
def test_pages_of_other_sites_reach_neither_the_pages_nor_the_socket(origin: str) -> None:
    assert ask(LOCAL, "/", host="localhost:8501", origin=origin).status_code == 403
    assert not connects(LOCAL, host="localhost:8501", origin=origin)


@pytest.mark.parametrize("host", ["localhost:8501", "127.0.0.1:8501", "[::1]:8501", "localhost"])
def test_a_page_of_this_server_reaches_its_socket(host: str) -> None:
    assert connects(LOCAL, host=host, origin=f"http://{host}")
    assert ask(LOCAL, "/", host=host, origin=f"http://{host}").status_code == 200


def test_with_sign_in_the_socket_is_reached_from_the_public_address_alone() -> None:
    how = serving(address="0.0.0.0", port=8501, auth=AUTH)
    host = "evenhand.firm.test"
    assert connects(how, host=host, origin="https://evenhand.firm.test")
    assert connects(how, host=host, origin="https://evenhand.firm.test:443")
    # Whoever ends TLS in front passes the request on over http; what counts is what the browser was at.
    for origin in ("http://evenhand.firm.test", "https://evenhand.firm.test:8443", "http://localhost:8501"):
        assert not connects(how, host=host, origin=origin)


def test_a_socket_asked_for_by_a_foreign_name_is_closed() -> None:
    assert not connects(LOCAL, host="evil.test:8501", origin="http://evil.test:8501")


def test_no_server_elsewhere_is_asked_for_the_address_of_this_computer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(net_util, "_external_ip", None)
    monkeypatch.setattr(net_util, "get_external_ip", net_util.get_external_ip)
    monkeypatch.setattr(net_util, "_make_blocking_http_get", lambda url, **_: asked.append(url))
    server.application(LOCAL)
    assert not is_url_from_allowed_origins("https://evil.test")
    assert asked == []


def test_downloads_are_never_kept_by_the_browser() -> None:
    assert ask(LOCAL, "/media/x.csv").headers["cache-control"] == "private, no-store"


def test_the_sign_in_cookie_becomes_stricter() -> None:
    made = "_streamlit_user=abc; HttpOnly; Max-Age=2592000; Path=/; SameSite=lax"
    # 12 hours = 43,200 seconds.
    kept = "_streamlit_user=abc; HttpOnly; Max-Age=43200; Path=/; SameSite=lax"
    assert hardened_cookie(made, https=True) == kept + "; Secure"
    assert hardened_cookie(made, https=False) == kept
    assert hardened_cookie("_streamlit_user_1=x; Path=/", https=True) == (
        "_streamlit_user_1=x; Path=/; HttpOnly; SameSite=Lax; Secure"
    )
    assert hardened_cookie("_streamlit_user=; Max-Age=0", https=False).startswith(
        "_streamlit_user=; Max-Age=0;"
    )


def test_the_token_scripts_must_read_stays_readable() -> None:
    assert hardened_cookie("_streamlit_xsrf=t; Path=/", https=True) == (
        "_streamlit_xsrf=t; Path=/; SameSite=Lax; Secure"
    )


def test_all_cookies_of_an_answer_are_hardened() -> None:
    answer = ask(PUBLIC, "/cookies", host="evenhand.firm.test")
    assert answer.cookies == ["a=1; SameSite=Lax; Secure", "b=2; Path=/; SameSite=Lax; Secure"]


# --- files of others ----------------------------------------------------------------------------------


def test_a_download_opens_for_an_open_session_only() -> None:
    claims = {"iss": "https://idp", "sub": "1", "nonce": "n", "iat": int(datetime.now(UTC).timestamp())}
    said = json.dumps(claims | {"origin": "https://evenhand.firm.test", "is_logged_in": True})
    cookie = "_streamlit_user=" + create_signed_value(get_cookie_secret(), "_streamlit_user", said).decode()

    def status(path: str, cookie: str = "") -> int:
        return ask(PUBLIC, path, host="localhost", cookie=cookie).status_code

    assert status("/media/x.csv") == 401
    assert status("/media/x.csv", cookie) == 401  # signed, but no session was opened
    store = session.operations()
    store.admit(SignIn(session_of(claims), "s", "n", "", issued_at=datetime.now(UTC)))
    assert status("/media/x.csv", cookie) == 200
    assert status("/_stcore/upload_file/1/2", cookie) == 200
    assert status("/media/x.csv", cookie[:-3] + "abc") == 401
    assert status("/media/x.csv", "_streamlit_user=forged") == 401
    store.revoke(local_viewer(Role.HR_LEADERSHIP), session_of(claims))
    assert status("/media/x.csv", cookie) == 401


# --- the way back -------------------------------------------------------------------------------------


def test_the_page_somebody_wanted_is_remembered_over_the_sign_in() -> None:
    asked = ask(
        PUBLIC, "/auth/login", host="localhost", referer="http://localhost/leniency?cycle=2026&x=a%20b"
    )
    cookie = asked.cookies[0].split(";")[0]
    assert "HttpOnly" in asked.cookies[0]
    back = ask(PUBLIC, "/oauth2callback", host="localhost", cookie=cookie)
    assert back.headers["location"] == "/leniency?cycle=2026&x=a%20b"
    assert any(c.startswith("evenhand_return=; Path=/; Max-Age=0") for c in back.cookies)


@pytest.mark.parametrize(
    "referer", ["https://evil.test/leniency", "", "http://localhost/", f"http://localhost/{'x' * 2000}"]
)
def test_only_a_page_of_ours_is_remembered(referer: str) -> None:
    assert ask(PUBLIC, "/auth/login", host="localhost", referer=referer).cookies == []


@pytest.mark.parametrize(
    "wanted", ["%2F%2Fevil.test", "https%3A%2F%2Fevil.test", "%2F%5Cevil.test", "%2Fa%0D%0ASet-Cookie", ""]
)
def test_the_way_back_never_leads_elsewhere(wanted: str) -> None:
    back = ask(PUBLIC, "/oauth2callback", host="localhost", cookie=f"evenhand_return={wanted}")
    assert back.headers["location"] == "/"


def test_a_failed_sign_in_leads_to_the_start() -> None:
    back = ask(PUBLIC, "/oauth2callback?fail=1", host="localhost", cookie="evenhand_return=%2Fleniency")
    assert back.headers["location"] == "/"


# --- health and errors --------------------------------------------------------------------------------


def test_health_answers_without_sign_in_and_tells_no_secret() -> None:
    answer = asyncio.run(server._health(Request({"type": "http"})))
    assert json.loads(bytes(answer.body)) == {"status": "ok", "warehouse": "empty"}


def test_health_says_when_the_warehouse_cannot_be_read(home: Path) -> None:
    (home / "warehouse").mkdir()
    (home / "warehouse" / "catalogue.json").write_text("{")
    assert asyncio.run(server._health(Request({"type": "http"}))).status_code == 503


def test_an_error_is_logged_with_the_number_the_reader_sees(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        assert server.show_error(RuntimeError("salary 4711"))
    assert "salary 4711" in caplog.text
    assert caplog.records[0].getMessage().startswith("Error ")


class Answer:
    """What came back."""

    def __init__(self, messages: list[Any]) -> None:
        start = messages[0]
        self.status_code = start["status"]
        pairs = [(name.decode(), value.decode()) for name, value in start["headers"]]
        self.headers = dict(pairs)
        self.cookies = [value for name, value in pairs if name == "set-cookie"]


def connects(how: Serving, *, host: str, origin: str) -> bool:
    """Whether a web socket reaches the application behind the hardening."""
    reached: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope["path"])

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    said: list[Any] = []

    async def send(message: Any) -> None:
        said.append(message)

    scope = {
        "type": "websocket",
        "path": "/_stcore/stream",
        "scheme": "ws",
        "headers": [(b"host", host.encode()), (b"origin", origin.encode())],
    }
    asyncio.run(Hardening(app, how=how, policy="")(scope, receive, send))
    assert bool(reached) is not any(message["type"] == "websocket.close" for message in said)
    return bool(reached)


def ask(
    how: Serving,
    path: str,
    *,
    host: str = "localhost",
    cookie: str = "",
    referer: str = "",
    origin: str | None = None,
) -> Answer:
    """One request to a small application behind the hardening."""
    headers = {"host": host, "cookie": cookie, "referer": referer}
    if origin is not None:
        headers["origin"] = origin
    name, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": "GET",
        "path": name,
        "raw_path": name.encode(),
        "query_string": query.encode(),
        "scheme": "http",
        "server": ("localhost", 80),
        "headers": [
            (key.encode(), value.encode())
            for key, value in headers.items()
            if value or key in {"host", "origin"}
        ],
    }
    messages: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        messages.append(message)

    asyncio.run(Hardening(inside(), how=how, policy=content_security_policy())(scope, receive, send))
    return Answer(messages)


def inside() -> Starlette:
    """Answers as streamlit does, where it matters."""

    async def page(request: Request) -> Response:
        answer = HTMLResponse("<p>page</p>")
        if request.url.path == "/cookies":
            answer.headers.append("set-cookie", "a=1")
            answer.headers.append("set-cookie", "b=2; Path=/")
        if request.url.path == "/oauth2callback":
            answer = HTMLResponse("", status_code=302, headers={"location": "/"})
            if "fail" not in request.query_params:
                answer.set_cookie("_streamlit_user", "x", httponly=True)
        return answer

    return Starlette(routes=[Route("/{path:path}", page)])
