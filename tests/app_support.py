"""What the tests of jobs and API share: workers that do as they are told, and waiting."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from portrayal.app.jobs import Job, Jobs, Report, Work

HERE = "http://127.0.0.1:7860"
ANNA, BEN, CLEO, DORA = (f"{name}-{'0' * 20}" for name in ("anna", "ben", "cleo", "dora"))


class Told:
    """A worker that runs nothing: jobs are running until somebody says how they ended."""

    def __init__(self) -> None:
        self.started: list[Work] = []
        self.cancelled: list[str] = []
        self.reports: dict[str, Report] = {}

    def start(self, work: Work) -> None:
        (work.folder / "out").mkdir()
        (work.folder / "out" / "half.mp4").write_bytes(b"half a file")
        self.reports[work.id] = Report(total=10)
        self.started.append(work)

    def poll(self, id: str) -> Report:
        return self.reports[id]

    def cancel(self, id: str) -> None:
        self.cancelled.append(id)

    def close(self) -> None:
        pass


def until(true: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for something; the limit is for tests that would hang."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it does not come about"
        time.sleep(0.02)


def ended(jobs: Jobs, owner: str, id: str) -> Job:
    """The job when it is over."""
    until(lambda: jobs.get(owner, id).over)
    return jobs.get(owner, id)


def alive(pid: int) -> bool:
    """Whether a process runs; one that is only waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def as_owner(owner: str) -> dict[str, str]:
    return {"X-Portrayal-Owner": owner}


def send(api: TestClient, path: Path) -> str:
    """Upload a file; its id."""
    answer = api.post(f"/api/uploads?name={path.name}", content=path.read_bytes())
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def submit(api: TestClient, portrait: str, **more: Any) -> Any:
    """Ask for an edit of an upload; the answer."""
    task = {"kind": "edit", "files": {"portrait": portrait}, "options": {"pitch": 5}, **more}
    return api.post("/api/jobs", json=task)


def fetch(api: TestClient) -> str:
    """A job that reads no files; its id."""
    answer = api.post("/api/jobs", json={"kind": "download", "engine": "liveportrait"})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])
