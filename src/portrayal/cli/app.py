"""`portrayal app`: a page to do it on, and an HTTP API."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from portrayal.cli import options as o
from portrayal.errors import UsageError

#: Fewest characters of a password.
_SHORTEST = 8


def command(arguments: list[str]) -> Callable[..., object]:
    """The command."""
    return app


def app(
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="0: any that is free.")] = 7860,
    share_on_network: Annotated[
        bool, typer.Option("--share-on-network", help="Listen to other machines, too; asks for a password.")
    ] = False,
    password_file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Its first line is the password that page and API ask for."),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", metavar="HOST", help="A name by which others reach this machine; repeatable."),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, max=64, metavar="N", help="Jobs that run at a time.")] = 1,
    data: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Where jobs and their files lie for a day. In your data folder."),
    ] = None,
    debug: o.Debug = False,
) -> None:
    """Serve the page and the API on this machine, and print the address."""
    from importlib.util import find_spec

    if find_spec("gradio") is None:
        raise UsageError("the page needs: pip install 'portrayal[app]'")
    password = _password(password_file, needed=share_on_network)
    from portrayal.app.limits import Limits
    from portrayal.app.server import serve

    folder = Path(data) if data is not None else _data_folder()
    limits = replace(Limits(), running=jobs)
    serve(folder, port=port, network=share_on_network, names=name or (), password=password, limits=limits)


def _password(file: str | None, *, needed: bool) -> str | None:
    """From the file, or asked for where it is needed and somebody is there to answer."""
    if file is not None:
        from portrayal.media.files import check_source

        said = check_source(file).read_bytes()[:4096].decode(errors="replace").splitlines()
        password = said[0].strip() if said else ""
    elif not needed:
        return None
    elif sys.stdin.isatty():
        password = typer.prompt("A password for this page", hide_input=True, confirmation_prompt=True)
    else:
        raise UsageError("--share-on-network: needs a password; --password-file names a file that holds it")
    if len(password) < _SHORTEST:
        raise UsageError(f"the password is too short: use {_SHORTEST} characters or more")
    return password


def _data_folder() -> Path:
    root = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(root).expanduser() / "portrayal" / "app"
