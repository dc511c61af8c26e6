"""The server: `python -m pages.kit.server [--host ADDRESS] [--port PORT]`.

Reads    ``[auth]`` of ``secrets.toml`` (in the home folder; if there is none, in ``.streamlit``),
         ``.streamlit/config.toml``, ``EVENHAND_IDLE_MINUTES``, ``EVENHAND_SESSION_HOURS``.
Returns  an exit code: 1 with one sentence where starting would be unsafe.
Source   OWASP Secure Headers Project; Content Security Policy Level 3; RFC 6265bis.

Without sign-in configured only this computer is answered (local mode). On any other address the server
starts only with sign-in, a cookie secret nobody else has, and https. Around streamlit's own application
stand: security headers, cookies that browsers send over https only, downloads and uploads for open
sessions only, and the way back to the page somebody wanted before signing in.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import importlib
import json
import logging
import re
import secrets
import socket
import sys
import tomllib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import config, net_util
from streamlit.runtime.pages_manager import PagesManager
from streamlit.web.server.starlette import starlette_websocket
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from data.operations import Standing
from data.problems import Problem
from data.sign_in import session_of
from data.warehouse import Warehouse, home
from pages.kit import reader, session

ROOT: Final = Path(__file__).resolve().parents[2]
SHORTEST_SECRET: Final = 32
"""Characters; 128 random bits in hexadecimal digits."""

_LOOK_AGAIN: Final = 30.0
"""Seconds until it is looked again whether something was published."""
_WARMED: Final = ("numpy", "pandas", "pyarrow", "polars", "duckdb", "plotly.graph_objects", "plotly.io")
_EXAMPLES: Final = ("change", "example", "placeholder", "replace", "secret", "your", "xxxx", "1234567890")
_GUARDED: Final = ("/media/", "/_stcore/upload_file")
_NEVER: Final = ("/_stcore/agent", "/_stcore/metrics", "/_stcore/script-health-check")
_RETURN: Final = "evenhand_return"
_LONGEST_RETURN: Final = 1500

_log = logging.getLogger("evenhand.server")


@dataclass(frozen=True)
class Serving:
    """How the server may be reached.

    Attributes
    ----------
    address, port
        What it listens on.
    local
        No sign-in: only this computer is answered.
    https
        Browsers reach it over https.
    hosts
        Host names it answers to.
    origin
        Scheme, host and port of the address people type, with sign-in; None in local mode, where it is the
        one each request was sent to.
    """

    address: str
    port: int
    local: bool
    https: bool
    hosts: tuple[str, ...]
    origin: str | None = None


def serving(*, address: str, port: int, auth: Mapping[str, Any]) -> Serving:
    """Check that starting is safe.

    Parameters
    ----------
    address, port
        What to listen on.
    auth
        The section ``[auth]`` of the secrets; empty without sign-in.

    Raises
    ------
    Problem
        It is not, and what to change.
    """
    loopback = ("localhost", "127.0.0.1", "::1")
    if not auth:
        if not session.is_loopback(address):
            raise Problem(
                "Without sign-in Evenhand opens to this computer only, but was asked to listen on {address}. "
                "Configure [auth] in secrets.toml, or start it on 127.0.0.1.",
                address=address,
            )
        return Serving(address, port, local=True, https=False, hosts=loopback)
    if config.get_option("server.trustedUserHeaders"):
        raise Problem(
            "server.trustedUserHeaders is set: whoever reaches the port could claim to be anybody. Remove "
            "it; sign-in is by OpenID Connect alone."
        )
    _check_secret(str(auth.get("cookie_secret") or ""))
    for section in [auth, *(value for value in auth.values() if isinstance(value, Mapping))]:
        _check_provider(section)
    redirect = urlsplit(str(auth.get("redirect_uri") or "").replace("{port}", str(port)))
    if redirect.scheme not in {"http", "https"} or not redirect.hostname:
        raise Problem(
            "[auth] redirect_uri is missing or no address. Set it to the address people type, followed by "
            "/oauth2callback."
        )
    if not redirect.path.endswith("/oauth2callback"):
        raise Problem(
            "[auth] redirect_uri must end in /oauth2callback; got {found}.", found=redirect.geturl()
        )
    public = not (session.is_loopback(address) and session.is_loopback(redirect.hostname))
    if public and redirect.scheme != "https":
        raise Problem(
            "[auth] redirect_uri is {found}: on an address that others reach, sign-in needs https. Put a "
            "server that ends TLS in front, or set server.sslCertFile and server.sslKeyFile.",
            found=redirect.geturl(),
        )
    return Serving(
        address,
        port,
        local=False,
        https=redirect.scheme == "https",
        hosts=tuple(dict.fromkeys([redirect.hostname, *loopback])),
        origin=_origin(redirect.geturl()),
    )


def read_auth(files: Sequence[Path]) -> Mapping[str, Any]:
    """The section ``[auth]``: of several files the last that has one counts, as streamlit reads them.

    Raises
    ------
    Problem
        A file is there but cannot be read. Streamlit would go on without it, so without sign-in.
    """
    found: Mapping[str, Any] = {}
    for file in files:
        try:
            found = tomllib.loads(file.read_text(encoding="utf-8")).get("auth", found)
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise Problem(
                "{file} cannot be read: {reason}. Correct it, or remove it to start in local mode.",
                file=str(file),
                reason=str(error),
            ) from error
    if not isinstance(found, Mapping):
        raise Problem("auth in secrets.toml must be a section: write [auth] on a line of its own.")
    return found


def application(how: Serving, *, script: Path = ROOT / "app.py") -> st.App:
    """The whole application, ready for an ASGI server."""
    # Until the first navigation streamlit would take the folder `pages` for its own kind of pages, and
    # cover the sign-in screen of a deep link with "page not found".
    PagesManager.uses_pages_directory = False
    # Streamlit would ask a server of a cloud vendor which address this computer has.
    net_util.get_external_ip = _no_address
    return st.App(
        script,
        lifespan=_lifespan,
        routes=[Route("/health", _health)],
        middleware=[Middleware(Hardening, how=how, policy=content_security_policy())],
        on_script_error=show_error,
    )


def content_security_policy() -> str:
    """What pages may load: this server alone, and the inline scripts of streamlit's own index page."""
    index = Path(st.__file__).parent / "static" / "index.html"
    hashes = [
        "'sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() + "'"
        for script in re.findall(r"<script>(.*?)</script>", index.read_text(encoding="utf-8"), re.DOTALL)
    ]
    return "; ".join(
        (
            "default-src 'none'",
            # blob: is how streamlit hands the script of a component to the browser.
            f"script-src 'self' blob: {' '.join(hashes)}",
            # The interface writes its styles as it goes; there is no list of hashes to give.
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "media-src 'self' data: blob:",
            "connect-src 'self'",
            "worker-src 'self' blob:",
            "manifest-src 'self'",
            "frame-src 'self'",
            "frame-ancestors 'none'",
            "form-action 'self'",
            "base-uri 'self'",
            "object-src 'none'",
        )
    )


class Hardening:
    """What streamlit leaves to the application around it: headers, cookies, guarded files, the way back.

    Parameters
    ----------
    app
        The application inside.
    how
        How the server may be reached.
    policy
        Content security policy.
    """

    def __init__(self, app: ASGIApp, *, how: Serving, policy: str) -> None:
        self._app = app
        self._how = how
        self._headers = {
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        }
        if how.https:
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        path = _path(scope)
        inner = self._app
        ours = self._is_ours(scope, headers)
        if scope["type"] == "websocket":
            if not (ours and self._answers(headers.get("host"))):
                # Closed before it was accepted, it is answered with 403.
                await send({"type": "websocket.close", "code": 1008})
                return
        else:
            send = self._hardened(send, path, headers)
            if not self._answers(headers.get("host")):
                inner = PlainTextResponse("This server does not go by that name.", status_code=421)
            elif not ours:
                inner = PlainTextResponse("Pages of other sites are not answered.", status_code=403)
            elif path.startswith(_NEVER):
                inner = PlainTextResponse("There is nothing here.", status_code=404)
            elif (
                not self._how.local
                and path.startswith(_GUARDED)
                and not await run_in_threadpool(_is_signed_in, headers)
            ):
                inner = PlainTextResponse("Sign in first.", status_code=401)
        await inner(scope, receive, send)

    def _answers(self, host: str | None) -> bool:
        # A page elsewhere can point a name of its own at this computer; the name gives it away.
        try:
            name = urlsplit(f"//{host or ''}").hostname or ""
        except ValueError:
            return False
        return name in self._how.hosts

    def _is_ours(self, scope: Scope, headers: Headers) -> bool:
        """Whether a request comes from a page of this server, by scheme, host and port, or from no page."""
        came = headers.getlist("origin")
        if not came:
            return True
        scheme = "https" if scope.get("scheme") in {"https", "wss"} else "http"
        ours = self._how.origin or _origin(f"{scheme}://{headers.get('host', '')}")
        return ours is not None and [_origin(each) for each in came] == [ours]

    def _hardened(self, send: Send, path: str, asked: Headers) -> Send:
        async def hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
                if headers.get("content-type", "").startswith("text/html"):
                    headers["Cache-Control"] = "no-cache"
                if path.startswith("/media/"):
                    headers["Cache-Control"] = "private, no-store"
                if path == "/auth/login":
                    self._remember_the_way_back(headers, asked)
                elif path == "/oauth2callback":
                    self._lead_back(headers, asked)
                self._harden_cookies(headers)
            await send(message)

        return hardened

    def _harden_cookies(self, headers: MutableHeaders) -> None:
        cookies = headers.getlist("set-cookie")
        del headers["set-cookie"]
        for cookie in cookies:
            headers.append("set-cookie", hardened_cookie(cookie, https=self._how.https))

    def _remember_the_way_back(self, headers: MutableHeaders, asked: Headers) -> None:
        came = urlsplit(asked.get("referer", ""))
        wanted = came.path + (f"?{came.query}" if came.query else "")
        if came.netloc == asked.get("host") and wanted != "/" and len(wanted) <= _LONGEST_RETURN:
            headers.append(
                "set-cookie",
                f"{_RETURN}={quote(wanted, safe='')}; Path=/; Max-Age=600; HttpOnly; SameSite=Lax",
            )

    @staticmethod
    def _lead_back(headers: MutableHeaders, asked: Headers) -> None:
        wanted = unquote(_cookies(asked).get(_RETURN, ""))
        signed_in = any(
            cookie.startswith(f"{USER_COOKIE_NAME}=") and "max-age=0" not in cookie.lower()
            for cookie in headers.getlist("set-cookie")
        )
        # One slash, then no other: two would lead to another site.
        if signed_in and re.fullmatch(r"/(?![/\\])[^\s\\]*", wanted):
            headers["location"] = wanted
        headers.append("set-cookie", f"{_RETURN}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax")


def hardened_cookie(cookie: str, *, https: bool) -> str:
    """A ``Set-Cookie`` header made stricter.

    ``SameSite=Lax`` where nothing is said, ``Secure`` over https, and the sign-in cookie (which holds who
    somebody is) out of reach of scripts and gone with the longest sign-in rather than after 30 days.
    """
    name = cookie.partition("=")[0].strip()
    attributes = {part.partition("=")[0].strip().lower() for part in cookie.split(";")[1:]}
    if name.startswith(USER_COOKIE_NAME):
        longest = int(session.operations().limits.absolute.total_seconds())
        cookie = re.sub(
            r"(?i)(max-age=)(\d+)", lambda found: found[1] + str(min(int(found[2]), longest)), cookie
        )
        if "httponly" not in attributes:
            cookie += "; HttpOnly"
    if "samesite" not in attributes:
        cookie += "; SameSite=Lax"
    if https and "secure" not in attributes:
        cookie += "; Secure"
    return cookie


def show_error(error: Exception) -> bool:
    """Show a state instead of a traceback: what a person can mend in words, all else by its number."""
    number = secrets.token_hex(4)
    _log.error("Error %s on a page", number, exc_info=error)
    t = reader.language()
    if isinstance(error, Problem):
        session.screen(
            t("This cannot be shown"),
            t(error.message, **error.values),
            t("In the server's log: {number}.", number=number),
        )
    else:
        session.screen(
            t("Something went wrong here"),
            t("Nothing was changed. Load the page again; if it happens again, tell whoever runs Evenhand."),
            t("In the server's log: {number}.", number=number),
        )
    return True


def main(arguments: Sequence[str] | None = None, *, script: Path = ROOT / "app.py") -> int:
    """Start the server and stay until it is stopped.

    Parameters
    ----------
    arguments
        As on the command line.
    script
        The entry script.

    Returns
    -------
    int
        0 after an orderly stop, 1 where it did not start.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # Logs every error of a page without its number; `show_error` logs it with.
    logging.getLogger("streamlit.error_util").addFilter(lambda _record: False)
    # One line for every request to the identity provider, with the address.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # Says to restart, because the settings given below differ from those in the file.
    logging.getLogger("streamlit.config").addFilter(lambda record: "was detected" not in record.getMessage())
    parser = argparse.ArgumentParser(prog="python -m pages.kit.server", description="Start Evenhand.")
    parser.add_argument(
        "--host", help="address to listen on; this computer only unless sign-in is configured"
    )
    parser.add_argument("--port", type=int, help="port to listen on; 8501 unless set")
    chosen = parser.parse_args(arguments)
    # Streamlit looks for its settings beside the script that was started.
    sys.argv = [str(script.resolve())]
    config._main_script_path = sys.argv[0]
    try:
        if config.is_manually_set("secrets.files"):
            files = [Path(file) for file in config.get_option("secrets.files")]
        else:
            own = home().resolve() / "secrets.toml"
            files = [own if own.exists() else ROOT / ".streamlit" / "secrets.toml"]
        how = serving(
            address=chosen.host or config.get_option("server.address") or "127.0.0.1",
            port=config.get_option("server.port") if chosen.port is None else chosen.port,
            auth=read_auth(files),
        )
        _check_port(how.address, how.port)
        session.operations().tidy()
    except Problem as problem:
        _log.error("Evenhand did not start. %s", problem)
        return 1
    if how.local:
        _log.info(
            "Local mode: only this computer can open Evenhand, at http://%s:%d",
            _written(how.address),
            how.port,
        )
    else:
        _log.info("Sign-in is on. Evenhand listens on %s:%d", _written(how.address), how.port)
    application(how, script=script.resolve()).run(
        config={
            "server.address": how.address,
            "server.port": how.port,
            "server.allowedHosts": list(how.hosts),
            "secrets.files": [str(file) for file in files],
            "server.fileWatcherType": "none",
            "logger.hideWelcomeMessage": True,
        }
    )
    return 0


@asynccontextmanager
async def _lifespan(_app: st.App) -> AsyncIterator[None]:
    # Before the first session: many cold sessions at once race on these imports.
    for module in _WARMED:
        importlib.import_module(module)
    warming = asyncio.create_task(_keep_warm())
    yield
    with suppress(asyncio.CancelledError):
        warming.cancel()
        await warming
    session.operations().close()


async def _keep_warm() -> None:
    """Learn from each version once it is published, by whichever way, before anybody asks."""
    warmed: str | None = None
    while True:
        current = await asyncio.to_thread(_published)
        if current is not None and current != warmed:
            await asyncio.to_thread(_warm_up, current)
            warmed = current
        await asyncio.sleep(_LOOK_AGAIN)


def _published() -> str | None:
    try:
        current = Warehouse(home()).current()
    except Problem:
        return None  # said on the page
    return None if current is None else current.version_id


def _warm_up(version_id: str) -> None:
    try:
        # Imported here: a refusal to start need not wait for every analysis to load.
        importlib.import_module("pages.kit.load").warm_up()
        importlib.import_module("pages.kit.load_severity").warm_up()
        importlib.import_module("pages.kit.load_strategy").learn_goals(version_id)
    except Exception:
        _log.exception("Warming up failed; the first view will take longer.")


async def _health(_request: Request) -> JSONResponse:
    try:
        current = await run_in_threadpool(lambda: Warehouse(home()).current())
    except Exception:
        _log.exception("The warehouse cannot be read.")
        return JSONResponse({"status": "warehouse unreadable"}, status_code=503)
    return JSONResponse({"status": "ok", "warehouse": "empty" if current is None else current.version_id})


def _is_signed_in(headers: Headers) -> bool:
    raw = starlette_websocket._get_signed_cookie_with_chunks(dict(_cookies(headers)), USER_COOKIE_NAME)
    if not raw:
        return False
    try:
        return session.operations().standing(session_of(json.loads(raw))) is Standing.OPEN
    except ValueError:
        return False


def _cookies(headers: Headers) -> Mapping[str, str]:
    found: SimpleCookie = SimpleCookie()
    with suppress(CookieError):
        found.load(headers.get("cookie", ""))
    return {name: morsel.value for name, morsel in found.items()}


def _path(scope: Scope) -> str:
    base = str(config.get_option("server.baseUrlPath") or "").strip("/")
    path = str(scope["path"])
    return path.removeprefix(f"/{base}") if base else path


def _check_secret(secret: str) -> None:
    if len(secret) < SHORTEST_SECRET:
        raise Problem(
            "[auth] cookie_secret has {found} characters; it needs at least {least}. Make one with: "
            'python -c "import secrets; print(secrets.token_hex(32))"',
            found=len(secret),
            least=SHORTEST_SECRET,
        )
    if len(set(secret)) < 10 or any(example in secret.lower() for example in _EXAMPLES):
        raise Problem(
            "[auth] cookie_secret looks like an example: whoever guesses it can sign in as anybody. Make one "
            'with: python -c "import secrets; print(secrets.token_hex(32))"'
        )


def _check_provider(section: Mapping[str, Any]) -> None:
    if "client_id" not in section:
        return
    for key in ("client_secret", "server_metadata_url"):
        if not section.get(key):
            raise Problem("[auth] has a client_id but no {key}. Your identity provider gives it.", key=key)
    where = urlsplit(str(section["server_metadata_url"]))
    if where.scheme != "https" and not session.is_loopback(where.hostname or ""):
        raise Problem(
            "[auth] server_metadata_url is {found}: it must be https, or anybody on the way could say who "
            "signed in.",
            found=where.geturl(),
        )


def _origin(address: str) -> str | None:
    """Scheme, host and port of an address, written in one way; None if it is no address."""
    try:
        parts = urlsplit(address)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError):
        return None
    return f"{parts.scheme}://{parts.hostname}:{port}" if parts.hostname else None


def _no_address() -> None:
    return None


def _check_port(address: str, port: int) -> None:
    """Whether the port can be listened on, before anybody is told that it is."""
    if not 0 < port < 1 << 16:
        raise Problem("{port} is no port. Choose one from 1 to 65535 with --port.", port=port)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        if sys.platform != "win32":
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((address, port))
        except OSError as error:
            raise Problem(
                "Port {port} of {address} cannot be listened on ({reason}). If another program uses it, "
                "choose another one with --port, such as --port {other}.",
                port=port,
                address=address,
                reason=error.strerror or type(error).__name__,
                other=port + 1 if port < (1 << 16) - 1 else port - 1,
            ) from error


def _written(address: str) -> str:
    return f"[{address}]" if ":" in address else address


if __name__ == "__main__":
    sys.exit(main())
