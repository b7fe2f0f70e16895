"""Where jobs run: one small interface, and a process of this machine behind it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from portrayal.app.jobs.task import Task
from portrayal.app.limits import Limits


@dataclass(frozen=True)
class Work:
    """A job as a worker gets it.

    folder: its own; the task's files lie in it and are named relative to it. What comes of it goes there:
    preview.jpg, and the results in out/.
    """

    id: str
    folder: Path
    task: Task
    limits: Limits


@dataclass(frozen=True)
class Report:
    """How far a worker is with a job.

    state "lost": the worker ended without saying how it went; message says what is known of that.
    results: by name, relative to the job's folder.
    """

    state: Literal["running", "done", "failed", "lost"] = "running"
    done: int = 0
    total: int | None = None
    fps: float | None = None
    message: str = ""
    results: tuple[tuple[str, str], ...] = ()


class Worker(Protocol):
    """Runs jobs, several at a time where it can. Called from one thread; none of it waits for a job."""

    def start(self, work: Work) -> None:
        """Begin with a job; whatever an earlier run left in out/ is gone first."""

    def poll(self, id: str) -> Report:
        """How far it is. Asked again and again until it says that it is over, which it says once."""

    def cancel(self, id: str) -> None:
        """Stop it. When this returns nothing of it runs any more, and nothing half-made is left in out/."""

    def close(self) -> None:
        """Stop all that run."""
