"""Whose a request is: a secret in a cookie, or in a header where a program asks."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from typing import Protocol

from portrayal.errors import UsageError

COOKIE, HEADER = "portrayal_owner", "x-portrayal-owner"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,128}")


class _Request(Protocol):
    """A request of Starlette, or Gradio's wrapping of one."""

    @property
    def cookies(self) -> Mapping[str, str]: ...
    @property
    def headers(self) -> Mapping[str, str]: ...


def owner_of(request: _Request) -> str:
    """The owner's token; UsageError where there is none, which the server's guard does not let happen."""
    token = request.headers.get(HEADER) or request.cookies.get(COOKIE)
    if not is_token(token):
        raise UsageError("this page needs a cookie to tell your files from others'; allow cookies for it")
    return str(token)


def is_token(token: str | None) -> bool:
    """Whether somebody may be told by it: 16 to 128 letters, digits, - and _."""
    return token is not None and _TOKEN.fullmatch(token) is not None


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """What is kept of a token: whoever reads a table or a folder cannot act as the owner."""
    return hashlib.sha256(token.encode()).hexdigest()
