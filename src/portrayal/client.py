"""A client of the HTTP API of `portrayal app`; it needs the standard library only."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from portrayal.errors import PortrayalError

_BLOCK = 1 << 20
#: Seconds that one request for the state of a job waits, and that any request may take.
_WAIT, _TIMEOUT = 20.0, 120.0
Source = str | os.PathLike[str]


class Client:
    """A server, and what it knows of its caller.

    owner: a secret of 16 or more letters, digits, - and _ that the jobs belong to; a new one unless given,
    and only with it are they found again. password: where the server asks for one.
    Whatever goes wrong there is a PortrayalError, one line.
    """

    def __init__(
        self, url: str = "http://127.0.0.1:7860", *, password: str | None = None, owner: str | None = None
    ) -> None:
        self.url, self.owner = url.rstrip("/"), owner or secrets.token_urlsafe(24)
        here = urlsplit(self.url).hostname in ("localhost", "127.0.0.1", "::1")
        self._opener = build_opener(*([ProxyHandler({})] if here else []))  # no proxy leads to this machine
        self._headers = {"X-Portrayal-Owner": self.owner}
        if password is not None:
            code = base64.b64encode(f"portrayal:{password}".encode()).decode()
            self._headers["Authorization"] = f"Basic {code}"

    def animate(
        self,
        portrait: Source | Result,
        driving: Source | Result | None = None,
        *,
        text: str | None = None,
        engine: str = "puppet",
        **options: Any,
    ) -> RemoteJob:
        """Submit a job: the portrait acts out a file, the result of another job, or a text.

        options: of the request and of the engine, as `portrayal animate --help` names them, with _ for -.
        """
        return self._submit("animate", engine, {"portrait": portrait, "driving": driving}, text, options)

    def edit(
        self,
        portrait: Source | Result,
        sliders: dict[str, float] | None = None,
        *,
        script: Source | None = None,
        engine: str = "puppet",
        **options: Any,
    ) -> RemoteJob:
        """Submit a job: the portrait is changed by sliders ({"pitch": 10, "jaw-open": 0.3}) or a script."""
        given = {**(sliders or {}), **options}
        return self._submit("edit", engine, {"portrait": portrait, "script": script}, None, given)

    def download(self, engine: str) -> RemoteJob:
        """Have the server fetch the weights of an engine."""
        return self._submit("download", engine, {}, None, {})

    def engines(self) -> list[dict[str, Any]]:
        """What the server renders with: see GET /api/engines."""
        return list(self.ask("GET", "/api/engines"))

    def jobs(self) -> list[RemoteJob]:
        """Those of this owner, the latest first."""
        return [RemoteJob(self, each) for each in self.ask("GET", "/api/jobs")]

    def job(self, id: str) -> RemoteJob:
        """One of this owner's."""
        return RemoteJob(self, self.ask("GET", f"/api/jobs/{quote(id)}"))

    def upload(self, path: Source) -> str:
        """Send a file; the id by which a job may name it."""
        source = Path(path)
        try:
            with source.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                sent = self.ask("POST", f"/api/uploads?name={quote(source.name)}", file, size)
        except OSError as error:
            raise PortrayalError(f"{path}: {(error.strerror or str(error)).lower()}") from error
        return str(sent["id"])

    def ask(self, method: str, path: str, body: Any = None, length: int | None = None) -> Any:
        """A request, and the JSON of its answer. body: what becomes JSON, or a file of `length` bytes."""
        with self.open(method, path, body, length) as answer:
            data = answer.read()
        return json.loads(data) if data else None

    def open(self, method: str, path: str, body: Any = None, length: int | None = None) -> IO[bytes]:
        """A request, and its answer to be read."""
        headers = dict(self._headers)
        if length is not None:
            headers |= {"Content-Type": "application/octet-stream", "Content-Length": str(length)}
        elif body is not None:
            body, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        request = Request(self.url + path, data=body, headers=headers, method=method)
        try:
            answer: IO[bytes] = self._opener.open(request, timeout=_TIMEOUT)
            return answer
        except HTTPError as error:
            raise PortrayalError(_said(error)) from error
        except URLError as error:
            raise PortrayalError(f"{self.url}: does not answer ({error.reason})") from error

    def _submit(
        self, kind: str, engine: str, files: dict[str, Any], text: str | None, options: dict[str, Any]
    ) -> RemoteJob:
        sent = {
            role: file.reference if isinstance(file, Result) else self.upload(file)
            for role, file in files.items()
            if file is not None
        }
        task = {"kind": kind, "engine": engine, "files": sent, "text": text, "options": options}
        return RemoteJob(self, self.ask("POST", "/api/jobs", task))


class Result:
    """A file that a job made; a later job may take it without its being fetched."""

    def __init__(self, job: RemoteJob, name: str) -> None:
        self._job, self.name = job, name
        self.reference = f"{job.id}/{name}"

    def save(self, path: Source, overwrite: bool = False) -> Path:
        """Fetch it into a file, whole or not at all."""
        from portrayal.media.atomic import new_file

        place = f"/api/jobs/{self._job.id}/results/{self.name}"
        with (
            new_file(path, overwrite) as temporary,
            self._job.client.open("GET", place) as answer,
            temporary.open("wb") as file,
        ):
            shutil.copyfileobj(answer, file, _BLOCK)
        return Path(path)


class RemoteJob:
    """A job on the server. said: what the server last said of it, see GET /api/jobs/ID."""

    def __init__(self, client: Client, said: dict[str, Any]) -> None:
        self.client, self.said = client, said
        self.id = str(said["id"])

    @property
    def state(self) -> str:
        """queued, running, done, failed or cancelled, when last asked."""
        return str(self.said["state"])

    @property
    def over(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ("done", "failed", "cancelled")

    def wait(self, progress: Callable[[int, int | None], object] | None = None) -> RemoteJob:
        """Return when it is done; PortrayalError where it failed or was cancelled.

        progress: called with the frames done and their number, None while that is not known.
        """
        while not self.over:
            seconds = 0.5 if progress is not None else _WAIT
            self.said = self.client.ask("GET", f"/api/jobs/{self.id}?wait={seconds}")
            if progress is not None:
                progress(self.said["done"], self.said["total"])
        if self.state != "done":
            raise PortrayalError(self.said["message"] or self.state)
        return self

    def results(self) -> dict[str, Result]:
        """The files made, when it is done: "video" or "picture", "compare", "sheet"."""
        return {name: Result(self, name) for name in self.wait().said["results"]}

    def save(self, path: Source, overwrite: bool = False) -> Path:
        """Wait, and fetch the video or picture into a file."""
        return next(iter(self.results().values())).save(path, overwrite)

    def cancel(self) -> None:
        """Stop it."""
        self.said = self.client.ask("POST", f"/api/jobs/{self.id}/cancel")

    def remove(self) -> None:
        """Stop it and delete its files on the server."""
        self.client.ask("DELETE", f"/api/jobs/{self.id}")

    def events(self) -> Iterator[dict[str, Any]]:
        """What the server says of it, whenever something has changed, until it is over."""
        with self.client.open("GET", f"/api/jobs/{self.id}/events") as answer:
            for line in answer:
                if line.startswith(b"data: "):
                    self.said = json.loads(line.removeprefix(b"data: "))
                    yield self.said


def _said(error: HTTPError) -> str:
    """The one line of a refusal."""
    text = error.read(10_000).decode(errors="replace").strip()
    with suppress(ValueError, KeyError, TypeError):
        text = str(json.loads(text)["detail"])
    return " ".join(text.split())[:500] or f"the server answered {error.code}"
