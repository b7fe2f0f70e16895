"""The queue: who may submit what, whose turn it is, and what becomes of it."""

from __future__ import annotations

import fcntl
import logging
import secrets
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import IO

from portrayal.app.errors import NoRoom, NotHere
from portrayal.app.jobs.check import checked
from portrayal.app.jobs.store import Row, Store
from portrayal.app.jobs.task import Job, Task
from portrayal.app.jobs.worker import Report, Work, Worker
from portrayal.app.limits import Limits
from portrayal.app.owner import digest
from portrayal.app.uploads import bring
from portrayal.errors import PortrayalError, UsageError
from portrayal.media.files import reason, shown

_log = logging.getLogger(__name__)
#: Seconds between two looks at the jobs that run, and between two clean-ups.
_TICK, _SWEEP = 0.1, 60.0
#: How often a job is begun at most: it is not to blame where the server was stopped, but may be.
_ATTEMPTS = 2
_TABLE = "queue.sqlite"
_DAY, _ANY_SIZE = 24 * 3600.0, 1 << 62


class Jobs:
    """Jobs of several owners under one folder. An owner is a token that nobody else knows.

    root: made where it is missing, else empty or of an earlier Jobs; one at a time may use it. limits: what
    strangers may take. worker: where jobs run; processes of this machine unless given. What an earlier Jobs
    left queued goes on; what it left running is queued once more. Raises PortrayalError where another Jobs
    uses the folder, or where it holds other things.
    """

    def __init__(self, root: Path, limits: Limits = Limits(), worker: Worker | None = None) -> None:  # noqa: B008
        from portrayal.app.jobs.local import LocalWorker

        self.root, self.limits = _own_folder(root), limits
        self._folder = self.root / "jobs"
        self._folder.mkdir(exist_ok=True, mode=0o700)
        self._lock_file = _locked(self.root / "lock", root)
        self._store = Store(self.root / _TABLE)
        self._worker = worker or LocalWorker()
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._closed = False
        self._swept = 0.0
        self._recover()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
        self._thread.start()

    def submit(self, owner: str, task: Task) -> Job:
        """Queue a task; its files are copied and may go.

        Raises PortrayalError, one line for the user: no such engine or option, a file that is none, is too
        large or too long, or too many jobs already.
        """
        task = checked(task)
        if (size := task.options.get("size")) is not None and size > self.limits.side:
            raise UsageError(f"size: {size} is too large; the most are {self.limits.side} pixels")
        with self._lock:
            self._check_room(owner)
        id = secrets.token_hex(16)
        folder = self._folder / id
        folder.mkdir(mode=0o700)
        try:
            task = self._brought(task, folder)
            with self._lock:
                self._check_room(owner)
                self._store.add(id, owner, task)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._wake.set()
        return self.get(owner, id)

    def get(self, owner: str, id: str) -> Job:
        """A job; PortrayalError where there is none, or it is not this owner's."""
        with self._lock:
            row = self._own(owner, id)
            return row.job(self._folder / id, self._ahead().get(id, 0))

    def list(self, owner: str) -> Sequence[Job]:
        """All of this owner, the latest first."""
        with self._lock:
            ahead = self._ahead()
            rows = self._store.of_owner(owner)
            return [row.job(self._folder / row.id, ahead.get(row.id, 0)) for row in rows]

    def cancel(self, owner: str, id: str) -> Job:
        """Stop a job, unless it is over; when this returns nothing of it runs, and no half file is left."""
        with self._lock:
            row = self._own(owner, id)
            if row.state == "running":
                self._worker.cancel(id)
            if row.state in ("queued", "running"):
                self._store.finish(id, "cancelled", "cancelled")
        self._wake.set()
        return self.get(owner, id)

    def remove(self, owner: str, id: str) -> None:
        """Stop a job and delete all that is of it."""
        self.cancel(owner, id)
        with self._lock:
            self._forget(id)

    def close(self) -> None:
        """Stop; what runs is stopped, and queued again when a new Jobs opens the folder."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._wake.set()
        self._thread.join()
        self._worker.close()
        for row in self._store.in_state("running"):
            self._store.give_back(row.id)
        self._store.close()
        self._lock_file.close()

    def owns(self, owner: str, path: Path) -> bool:
        """Whether a file belongs to a job of this owner; no path leads out of the job's folder."""
        try:
            id, *inside = path.resolve().relative_to(self._folder).parts
        except (OSError, ValueError):
            return False
        with self._lock:
            return bool(inside) and self._store.one(owner, id) is not None

    def _own(self, owner: str, id: str) -> Row:
        row = self._store.one(owner, id)
        if row is None:
            raise NotHere("there is no such job (jobs are removed after a day)")
        return row

    def _check_room(self, owner: str) -> None:
        if shutil.disk_usage(self.root).free < self.limits.spare:
            raise NoRoom("the server's disk is full; try again later")
        active = self._store.in_state("queued", "running")
        mine = sum(row.owner == digest(owner) for row in active)
        if mine >= self.limits.per_owner:
            raise NoRoom(
                f"you have {mine} jobs waiting or running, the most there may be; wait or cancel one"
            )
        if len(active) >= self.limits.in_all:
            raise NoRoom(f"{len(active)} jobs are waiting, the most there may be; try again later")
        kept = len(self._store.of_owner(owner))
        if kept >= self.limits.kept:
            raise NoRoom(f"you have {kept} jobs here, the most there may be; remove some")

    def _brought(self, task: Task, folder: Path) -> Task:
        """The task with its files in the job's folder, under names of our own, each looked at."""
        names = {role: task.names.get(role) or path.name for role, path in task.files.items()}
        (folder / "in").mkdir()
        with ThreadPoolExecutor() as pool:
            coming = {
                role: pool.submit(bring, path, folder, f"in/{role}", names[role], self.limits)
                for role, path in task.files.items()
            }
        files = {role: each.result() for role, each in coming.items()}
        return replace(task, files=files, names=names)

    def _recover(self) -> None:
        """What an earlier server left: nothing of it runs any more."""
        for row in self._store.in_state("running"):
            shutil.rmtree(self._folder / row.id / "out", ignore_errors=True)
            if row.attempts < _ATTEMPTS:
                self._store.requeue(row.id, "the server was restarted; begins anew")
            else:
                self._store.finish(row.id, "failed", "the server stopped twice in the middle of this job")
        for each in {path.name for path in self._folder.iterdir()} - self._store.ids():
            shutil.rmtree(self._folder / each, ignore_errors=True)

    def _run(self) -> None:
        while not self._closed:
            self._wake.wait(_TICK if self._busy() else 1.0)
            self._wake.clear()
            try:
                with self._lock:
                    if not self._closed:
                        self._step()
            except Exception:  # a full disk, say: the queue goes on when there is room again
                _log.exception("the queue of jobs")

    def _busy(self) -> bool:
        with self._lock:
            return not self._closed and bool(self._store.in_state("running"))

    def _step(self) -> None:
        """Look at what runs, begin what may begin, remove what is old."""
        for row in self._store.in_state("running"):
            self._settle(row, self._worker.poll(row.id))
        running = Counter(_lane(row) for row in self._store.in_state("running"))
        room = {"render": self.limits.running, "download": 1}
        for row in self._order():
            if running[_lane(row)] < room[_lane(row)]:
                running[_lane(row)] += 1
                self._begin(row)
        if time.time() - self._swept > _SWEEP:
            self._swept = time.time()
            for row in self._store.older_than(time.time() - self.limits.keep):
                self._forget(row.id)

    def _begin(self, row: Row) -> None:
        folder = self._folder / row.id
        shutil.rmtree(folder / "out", ignore_errors=True)
        self._store.begin(row.id)
        try:
            self._worker.start(Work(row.id, folder, row.task, self._limits_of(row)))
        except Exception as error:
            _log.exception("a worker could not be started")
            self._store.finish(row.id, "failed", f"no worker could be started ({type(error).__name__})")

    def _limits_of(self, row: Row) -> Limits:
        """Those of a job; weights are larger and take longer than what strangers send."""
        fetching = row.task.kind == "download"
        return replace(self.limits, seconds=_DAY, disk=_ANY_SIZE) if fetching else self.limits

    def _settle(self, row: Row, report: Report) -> None:
        if (report.done, report.total, report.fps) != (row.done, row.total, row.fps):
            self._store.progress(row.id, report)
        if report.state == "done":
            self._store.finish(row.id, "done", report.message, dict(report.results))
        elif report.state != "running":
            shutil.rmtree(self._folder / row.id / "out", ignore_errors=True)
            self._store.finish(row.id, "failed", report.message)
        if report.state != "running":
            self._wake.set()

    def _order(self) -> Sequence[Row]:
        """The queue in the order in which it is served."""
        return fair(reversed(self._store.in_state("queued")), self._store.last_served())

    def _ahead(self) -> dict[str, int]:
        return {row.id: place for place, row in enumerate(self._order())}

    def _forget(self, id: str) -> None:
        self._store.delete(id)
        shutil.rmtree(self._folder / id, ignore_errors=True)


def _lane(row: Row) -> str:
    """Downloads do not hold up what is rendered."""
    return "download" if row.task.kind == "download" else "render"


def fair(queued: Iterable[Row], served: Mapping[str, float]) -> list[Row]:
    """Jobs in the order of their turn: owners take turns, each owner's own jobs in the order of their making.

    queued: the oldest first. served: when each owner was last served.
    """
    waiting, last = list(queued), dict(served)
    ordered: list[Row] = []
    while waiting:
        row = min(waiting, key=lambda each: (last.get(each.owner, 0.0), each.created))
        waiting.remove(row)
        ordered.append(row)
        last[row.owner] = time.time() + len(ordered)
    return ordered


def _own_folder(root: Path) -> Path:
    """The folder, made where it is missing; never one with things of others in it: what is old goes there."""
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        strange = any(root.iterdir()) and not (root / _TABLE).is_file()
    except OSError as error:
        raise PortrayalError(f"{shown(root)}: {reason(error)}") from error
    if strange:
        raise PortrayalError(f"{shown(root)}: holds other things; --data names a new or an empty folder")
    return root.resolve()


def _locked(path: Path, root: Path) -> IO[str]:
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise PortrayalError(
            f"{root}: another portrayal app uses this folder; --data names another"
        ) from error
    return file
