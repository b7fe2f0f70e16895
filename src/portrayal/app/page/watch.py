"""A job seen from the page: followed while it runs, stopped, found again after a reload."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from portrayal.errors import PortrayalError

if TYPE_CHECKING:
    from portrayal.app.jobs import Job, Jobs

#: Seconds between two looks at a job.
_PERIOD = 0.25


def followed(jobs: Jobs, owner: str, id: str) -> Iterator[Job]:
    """The job now, and whenever something of it changed, until it is over."""
    before: tuple[object, ...] = ()
    while True:
        job = jobs.get(owner, id)
        stamp = _written(job)
        now = (job.state, job.done, job.message, job.ahead, stamp)
        if now != before:
            yield job
        if job.over:
            return
        before = now
        time.sleep(_PERIOD)


def latest(jobs: Jobs, owner: str, kind: str) -> Job | None:
    """The job of this kind that the owner submitted last; None where there is none."""
    return next((job for job in jobs.list(owner) if job.task.kind == kind), None)


def stopped(jobs: Jobs, owner: str, id: str) -> None:
    """Cancel a job; one that is gone already is no matter."""
    try:
        jobs.cancel(owner, id)
    except PortrayalError:
        return


def _written(job: Job) -> float:
    try:
        return 0.0 if job.preview is None else job.preview.stat().st_mtime
    except OSError:
        return 0.0
