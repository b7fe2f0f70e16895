"""The server: the API and the page behind one guard."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from fastapi import FastAPI

import portrayal
from portrayal.app.api import add_error_lines, router
from portrayal.app.guard import LOOPBACK, Guard
from portrayal.app.jobs import Jobs
from portrayal.app.limits import Limits
from portrayal.app.uploads import Uploads
from portrayal.errors import PortrayalError

if TYPE_CHECKING:
    from portrayal.app.page import Page

#: Seconds between two clean-ups, and those that requests have to end when the server does.
_SWEEP, _GRACE = 600.0, 2
#: What a request may have beside the file it sends, in bytes.
_SLACK = 1 << 20


def build(
    jobs: Jobs,
    page: Page | None = None,
    *,
    names: Iterable[str] = LOOPBACK,
    network: bool = False,
    password: str | None = None,
) -> Guard:
    """The ASGI application.

    page: mounted at /, beside /api. names, network and password as
    :class:`portrayal.app.guard.Guard` has them.
    """
    uploads = Uploads(jobs.root / "uploads", jobs.limits)
    cache = jobs.root / "page"

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(_sweep(lambda: _clean(uploads, cache, jobs.limits)))
        yield
        sweeping.cancel()

    app = FastAPI(
        title="Portrayal", version=portrayal.__version__, description="One portrait speaks and moves.",
        docs_url=None, redoc_url=None, openapi_url="/api/openapi.json", lifespan=lifespan,
    )  # fmt: skip
    add_error_lines(app)
    app.include_router(router(jobs, uploads))
    if page is not None:
        _mount(app, page, jobs, cache)

    def may_read(path: Path, owner: str) -> bool:
        inside = page is not None and path.resolve().is_relative_to(cache)
        return inside or jobs.owns(owner, path)

    return Guard(
        app, names=names, network=network, password=password, most=jobs.limits.upload + _SLACK,
        may_read=may_read, full=lambda: shutil.disk_usage(jobs.root).free < jobs.limits.spare,
    )  # fmt: skip


def serve(
    data: Path,
    *,
    port: int,
    network: bool = False,
    names: Iterable[str] = (),
    password: str | None = None,
    limits: Limits = Limits(),  # noqa: B008
) -> None:
    """Run the page and the API until a signal stops them, and print where they are.

    data: folder of jobs. port: 0 for any that is free. network: listen to other machines, too, which asks
    for a password. names: by which it is reached, beside those of this machine.
    """
    import uvicorn

    listener = _listen("0.0.0.0" if network else "127.0.0.1", port)
    jobs = Jobs(data, limits)
    try:
        os.environ["GRADIO_TEMP_DIR"] = str(jobs.root / "page")
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        known = {*LOOPBACK, *names, *(_own_names() if network else ())}
        page = import_module("portrayal.app.page").build(jobs)
        app = build(jobs, page, names=known, network=network, password=password)
        where = socket.gethostname() if network else "127.0.0.1"
        sys.stdout.write(f"http://{where}:{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        config = uvicorn.Config(
            app, log_level="warning", timeout_graceful_shutdown=_GRACE, server_header=False
        )
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        jobs.close()
        listener.close()


def _mount(app: FastAPI, page: Page, jobs: Jobs, cache: Path) -> None:
    import gradio as gr
    from gradio import processing_utils

    cache.mkdir(mode=0o700, exist_ok=True)
    app.include_router(page.routes)
    gr.mount_gradio_app(
        app, page.blocks, path="/", allowed_paths=[str(jobs.root / "jobs")], max_file_size=jobs.limits.upload,
        show_error=False, enable_monitoring=False, mcp_server=False, ssr_mode=False, pwa=False, **page.look,
    )  # fmt: skip
    # Gradio looks at the paths that a browser names only on pages that it launched itself.
    page.blocks.has_launched = True
    # And it fetches, for whoever sends an address in place of a file.
    processing_utils.async_ssrf_protected_get = _fetch_nothing


async def _fetch_nothing(url: str) -> NoReturn:
    raise PortrayalError("files are taken from your own machine only")


async def _sweep(clean: Callable[[], None]) -> None:
    while True:
        await asyncio.to_thread(clean)
        await asyncio.sleep(_SWEEP)


def _clean(uploads: Uploads, cache: Path, limits: Limits) -> None:
    """Remove what is older than a day of what was sent, here and to the page."""
    uploads.sweep()
    for each in cache.glob("*"):
        with suppress(OSError):
            if time.time() - each.stat().st_mtime > limits.keep:
                shutil.rmtree(each) if each.is_dir() else each.unlink()


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise PortrayalError(f"port {port}: {reason}; --port names another") from error


def _own_names() -> set[str]:
    """By which other machines may know this one."""
    name = socket.gethostname().lower()
    return {name, socket.getfqdn().lower(), f"{name.partition('.')[0]}.local"}
