"""What every request passes first: who may ask, from where, and for which file."""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from portrayal.app.owner import COOKIE, HEADER, is_token, new_token

Scope = dict[str, Any]
#: Names under which only this machine is reached.
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
#: Parts of paths by which Gradio would fetch from elsewhere, keep a page's state for others, decode what
#: somebody sends, or show and change its code.
_CLOSED = ("/proxy=", "/deep_link", "/reload", "/monitoring", "/process_recording", "vibe-", "/profiling")
#: Wrong passwords from one address in a minute, until no more are looked at.
_TRIES, _MINUTE = 10, 60.0
#: Addresses that are remembered at most.
_ADDRESSES = 10_000
#: The cookie that stands for the password, and how long cookies are kept, in seconds.
TICKET, _MONTH = "portrayal_ticket", 30 * 24 * 3600


class Guard:
    """ASGI middleware: checks host, origin, password, length of the body, and the owner of a file.

    names: hosts by which the server is asked for, lower case; network: also by any address, since only a
    name can be pointed elsewhere (DNS rebinding). password: None where none is asked. most: bytes of a body.
    may_read: whether an owner may be given a file of the server (path, owner). full: whether the disk is.
    """

    def __init__(
        self,
        app: Callable[..., Any],
        *,
        names: Iterable[str] = LOOPBACK,
        network: bool = False,
        password: str | None = None,
        most: int = 1 << 30,
        may_read: Callable[[Path, str], bool] = lambda path, owner: False,
        full: Callable[[], bool] = lambda: False,
    ) -> None:
        self._app, self._names, self._network = app, frozenset(names), network
        self._password, self._most, self._may_read, self._full = password, most, may_read, full
        self._ticket = secrets.token_urlsafe(32)
        self._failures: dict[str, deque[float]] = {}

    async def __call__(self, scope: Scope, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        cookies = _cookies(headers)
        refused = self._refused(scope, headers) or self._unknown(scope, headers, cookies)
        if refused is not None:
            await _answer(scope, send, *refused)
            return
        owner, known = _owner(headers, cookies)
        if not known:
            kept = [(name, value) for name, value in scope["headers"] if name != HEADER.encode()]
            scope = {**scope, "headers": [*kept, (HEADER.encode(), owner.encode())]}
        if not self._readable(scope["path"], owner):
            await _answer(scope, send, 404, "there is no such file")
            return
        new = {} if known else {COOKIE: owner}
        if self._password is not None and TICKET not in cookies:
            new[TICKET] = self._ticket
        extra = [*_HEADERS, *(_cookie(*each, scope.get("scheme") == "https") for each in new.items())]
        await self._app(scope, _counted(receive, self._most), _with_headers(send, extra))

    def _refused(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        """Status and line, or None."""
        host = headers.get("host", "")
        if not self._known_host(host):
            return 421, "this server is not known by that name"
        followed = scope["type"] == "http" and scope["method"] == "GET" and _is_link(headers)
        if not (followed or _same_site(headers, host)):
            return 403, "requests from other sites are not answered"
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self._most:
            return 413, "that is too large"
        if scope["path"].endswith("/upload") and self._full():
            return 507, "the server's disk is full; try again later"
        return None

    def _unknown(
        self, scope: Scope, headers: dict[str, str], cookies: dict[str, str]
    ) -> tuple[int, str] | None:
        """Status and line where the password is missing: it is sent once, then a ticket stands for it."""
        if self._password is None or _same(cookies.get(TICKET, ""), self._ticket):
            return None
        address = (scope.get("client") or ("", 0))[0]
        if self._tired_of(address):
            return 429, "too many wrong passwords; wait a minute"
        if _same(_sent_password(headers), self._password):
            return None
        if headers.get("authorization"):
            self._note_failure(address)
        return 401, "this server asks for its password (any user name)"

    def _known_host(self, host: str) -> bool:
        name = _host_name(host)
        return name in self._names or (self._network and _is_address(name))

    def _tired_of(self, address: str) -> bool:
        recent = self._failures.get(address, deque())
        return len(recent) == _TRIES and time.monotonic() - recent[0] < _MINUTE

    def _note_failure(self, address: str) -> None:
        if len(self._failures) > _ADDRESSES:
            self._failures.clear()
        self._failures.setdefault(address, deque(maxlen=_TRIES)).append(time.monotonic())

    def _readable(self, path: str, owner: str) -> bool:
        """Whether what a path of Gradio names is open to this owner."""
        if path.startswith("/api/"):
            return True
        if any(part in path for part in _CLOSED):
            return False
        for mark in ("/file=", "/file/"):
            if mark in path:
                name = path.partition(mark)[2]
                return "\0" not in name and "://" not in name and self._may_read(Path(name), owner)
        return True


def _host_name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_link(headers: dict[str, str]) -> bool:
    """Whether somebody goes to the page, from wherever; a page that only loads something is told apart."""
    return "origin" not in headers and headers.get("sec-fetch-mode") == "navigate"


def _same_site(headers: dict[str, str], host: str) -> bool:
    """Whether a page that sends this is ours; programs say nothing of it."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == host.lower()


def _sent_password(headers: dict[str, str]) -> str:
    """The password of HTTP basic authentication, with any user name."""
    scheme, _, code = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(code, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _same(a: str, b: str) -> bool:
    """Compares in a time that does not tell how much is right."""
    return hmac.compare_digest(a.encode(), b.encode())


def _cookies(headers: dict[str, str]) -> dict[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(headers.get("cookie", "")).items()}
    except CookieError:
        return {}


def _owner(headers: dict[str, str], cookies: dict[str, str]) -> tuple[str, bool]:
    """The owner's token, and whether it came with the request."""
    sent = headers.get(HEADER) or cookies.get(COOKIE)
    return (str(sent), True) if is_token(sent) else (new_token(), False)


def _cookie(name: str, value: str, secure: bool) -> tuple[bytes, bytes]:
    said = f"{name}={value}; Path=/; Max-Age={_MONTH}; HttpOnly; SameSite=Lax{'; Secure' * secure}"
    return b"set-cookie", said.encode()


def _counted(receive: Callable[..., Any], most: int) -> Callable[..., Any]:
    """Receives no more of a body than may be."""
    seen = 0

    async def counted() -> Any:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        return {"type": "http.disconnect"} if message["type"] == "http.request" and seen > most else message

    return counted


def _with_headers(send: Callable[..., Any], extra: list[tuple[bytes, bytes]]) -> Callable[..., Any]:
    async def sent(message: Any) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *extra]}
        await send(message)

    return sent


async def _answer(scope: Scope, send: Callable[..., Any], status: int, line: str) -> None:
    """One line, and nothing else."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": line})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store"), *_HEADERS]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="Portrayal", charset="UTF-8"'))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{line}\n".encode()})
