"""The web socket of a live session: the camera's pictures in, the portrait's out, orders beside them.

In: binary messages of eight bytes that come back with the result, then a JPEG; text messages of JSON:
{"calibrate": true}, {"frozen": bool}, {"record": bool}, {"options": {name: value}}. Out: binary messages of
the eight bytes and a JPEG; text messages: {"seen": bool}, {"failed": line}, {"recording": address}.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from fastapi import APIRouter, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import FileResponse, PlainTextResponse, Response
from numpy.typing import NDArray

from portrayal.app.jobs.check import check_engine_options
from portrayal.app.owner import owner_of
from portrayal.app.page.studio import Sitting, Studio, jpeg
from portrayal.app.page.visitor import new_folder
from portrayal.engines import engine_info, load_engine
from portrayal.errors import PortrayalError, UsageError
from portrayal.live.session import Live, Shown

Rgb = NDArray[np.uint8]
#: Sessions at a time, bytes of a picture, its longest side, and recordings of a sitting that are kept.
MOST, _BYTES, _SIDE, _RECORDINGS = 3, 1 << 20, 1280, 4
_STAMP = 8


def router(studio: Studio) -> APIRouter:
    """The routes of live sessions."""
    routes, room = APIRouter(), asyncio.Semaphore(MOST)

    @routes.websocket("/live")
    async def live(socket: WebSocket, sitting: str, engine: str, strength: float, smooth: float) -> None:
        await socket.accept()
        if room.locked():
            await socket.close(1013, f"{MOST} others are live at the moment; try again in a while")
            return
        async with room:
            await _served(socket, studio, sitting, engine, {"strength": strength, "smooth": smooth})

    @routes.get("/live/{sitting}/{name}")
    def recording(sitting: str, name: str, request: Request) -> Response:
        try:
            path = studio.sitting(owner_of(request), sitting).recordings.get(name)
        except PortrayalError:
            path = None
        if path is None or not path.is_file():
            return PlainTextResponse("there is no such recording\n", 404)
        return FileResponse(path, filename="portrayal-live.mp4", headers={"cache-control": "no-store"})

    return routes


async def _served(
    socket: WebSocket, studio: Studio, token: str, engine: str, options: dict[str, Any]
) -> None:
    """One session, until the browser leaves."""
    try:
        sitting = studio.sitting(owner_of(socket), token)
        if not engine_info(engine).live:
            raise UsageError(f"engine {engine} does not follow a camera")
        guest = _Guest(socket, token, sitting, engine)
        session = await asyncio.to_thread(
            lambda: Live(load_engine(engine), sitting.portrait, guest.show, **options)
        )
    except PortrayalError as error:
        await socket.close(1008, str(error)[:120])
        return
    try:
        await guest.attend(session)
    except PortrayalError as error:
        with suppress(RuntimeError):
            await socket.close(1008, str(error)[:120])
    finally:
        with suppress(Exception):
            await asyncio.to_thread(session.close)


class _Guest:
    """A browser that is live."""

    def __init__(self, socket: WebSocket, token: str, sitting: Sitting, engine: str) -> None:
        self._socket, self._token, self._sitting, self._engine = socket, token, sitting, engine
        self._loop = asyncio.get_running_loop()
        self._recording: Path | None = None
        self._seen: bool | None = None

    async def attend(self, session: Live) -> None:
        """Take what comes."""
        while True:
            try:
                message = await self._socket.receive()
            except (WebSocketDisconnect, RuntimeError):
                return
            if message["type"] == "websocket.disconnect":
                return
            if message.get("bytes"):
                await self._look(session, message["bytes"])
            elif message.get("text"):
                await self._obey(session, message["text"])

    def show(self, shown: Shown) -> None:
        """Send a result; called in the session's thread, which waits until it is on its way."""
        self._tell_seen(shown.seen)
        data = shown.taken.stamp + jpeg(shown.rgb)
        with suppress(Exception):  # the browser has gone: whoever receives from it says so
            asyncio.run_coroutine_threadsafe(self._socket.send_bytes(data), self._loop).result(5)

    def _tell_seen(self, seen: bool | None) -> None:
        if seen is not None and seen != self._seen:
            self._seen = seen
            asyncio.run_coroutine_threadsafe(self._say(seen=seen), self._loop)

    async def _look(self, session: Live, data: bytes) -> None:
        rgb = await asyncio.to_thread(_decoded, data[_STAMP:])
        if rgb is not None:
            session.feed(rgb, data[:_STAMP])
            if session.waiting and self._seen is not False:
                self._tell_seen(False)

    async def _obey(self, session: Live, text: str) -> None:
        try:
            order = json.loads(text)
            if not isinstance(order, dict):
                return
            if order.get("calibrate"):
                session.calibrate()
            if "frozen" in order:
                session.frozen = bool(order["frozen"])
            if "record" in order:
                await self._record(session, bool(order["record"]))
            if isinstance(order.get("options"), dict):
                options = {str(name): value for name, value in order["options"].items()}
                check_engine_options(self._engine, options)
                session.change(**options)
        except (PortrayalError, ValueError, TypeError) as error:
            await self._say(failed=str(error) if isinstance(error, PortrayalError) else "that was no order")

    async def _record(self, session: Live, on: bool) -> None:
        """Begin a recording, or finish the one that runs and say where it is."""
        if on and self._recording is None:
            self._recording = new_folder() / "live.mp4"
            session.record(self._recording)
        elif not on and self._recording is not None:
            path, self._recording = self._recording, None
            await asyncio.to_thread(session.stop_recording)
            name = secrets.token_urlsafe(12)
            kept = self._sitting.recordings
            kept[name] = path
            while len(kept) > _RECORDINGS:
                kept.pop(next(iter(kept))).unlink(missing_ok=True)
            await self._say(recording=f"/live/{self._token}/{name}")

    async def _say(self, **message: Any) -> None:
        with suppress(Exception):
            await self._socket.send_text(json.dumps(message))


def _decoded(data: bytes) -> Rgb | None:
    """A JPEG of a camera (H, W, 3); None where it is none, or larger than a camera's."""
    size = _jpeg_size(data)
    if size is None or not 16 <= min(size) <= max(size) <= _SIDE or len(data) > _BYTES:
        return None
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return None if bgr is None else np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) as the frame header of a JPEG says (ITU-T T.81, B.2.2); None where there is none."""
    at = 2
    if data[:2] != b"\xff\xd8":
        return None
    while at + 9 < len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        at += 2 + length
    return None
