"""Jobs in processes of this machine, one for each job."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portrayal.app.bounds import environment, module_command
from portrayal.app.jobs.worker import Report, Work
from portrayal.media.atomic import temporary_name


@dataclass
class _Running:
    """A process, when it was begun (monotonic clock, seconds), and bytes of memory that it may take."""

    work: Work
    process: subprocess.Popen[bytes]
    since: float
    memory: int


class LocalWorker:
    """A :class:`portrayal.app.jobs.Worker` on this machine.

    A job is `python -m portrayal.app.jobs.process` in the job's folder, in a session of its own, so that
    stopping it stops all that it started. It reads its task from work.json, tells its progress in
    progress.json and how it ended in outcome.json; when the server goes, it goes too.
    """

    def __init__(self) -> None:
        self._running: dict[str, _Running] = {}

    def start(self, work: Work) -> None:
        for name in ("progress.json", "outcome.json", "preview.jpg"):
            (work.folder / name).unlink(missing_ok=True)
        shutil.rmtree(work.folder / "out", ignore_errors=True)
        (work.folder / "out").mkdir()
        wanted = {"task": work.task.to_json(), "limits": vars(work.limits)}
        write_json(work.folder / "work.json", wanted)
        memory = work.limits.memory_of(work.task.engine)
        with (work.folder / "log.txt").open("wb") as log:
            process = subprocess.Popen(
                module_command("portrayal.app.jobs.process"),
                cwd=work.folder, env=environment(), stdin=subprocess.PIPE, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self._running[work.id] = _Running(work, process, time.monotonic(), memory)

    def poll(self, id: str) -> Report:
        running = self._running.get(id)
        if running is None:
            return Report("lost", message="the worker is gone")
        status = running.process.poll()
        report = _report(running.work.folder / "progress.json")
        if status is not None:
            self._end(id)
            return _outcome(running.work.folder, status, report)
        broken = _broken_limit(running)
        if broken is None:
            return report
        self._end(id)
        return Report("lost", report.done, report.total, report.fps, broken)

    def cancel(self, id: str) -> None:
        if id in self._running:
            folder = self._running[id].work.folder
            self._end(id)
            shutil.rmtree(folder / "out", ignore_errors=True)

    def close(self) -> None:
        for id in list(self._running):
            self.cancel(id)

    def _end(self, id: str) -> None:
        """Kill whatever still runs of it, and wait for that."""
        process = self._running.pop(id).process
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


def write_json(path: Path, value: Any) -> None:
    """Write a small file so that a reader sees the old or the new one, never half."""
    temporary = temporary_name(path)
    temporary.write_text(json.dumps(value))
    temporary.replace(path)


def _report(path: Path) -> Report:
    said = _read(path)
    return Report("running", said.get("done", 0), said.get("total"), said.get("fps"), said.get("message", ""))


def _outcome(folder: Path, status: int, report: Report) -> Report:
    said = _read(folder / "outcome.json")
    state = said.get("state", "lost")
    results = tuple((name, file) for name, file in said.get("results", {}).items())
    message = said.get("message") or ("" if state == "done" else _why(status))
    return Report(state, report.done, report.total, report.fps, message, results)


def _why(status: int) -> str:
    """What is known of a process that ended without a word."""
    if status == -signal.SIGXCPU:
        return "it took too much processor time and was stopped"
    if status == -signal.SIGKILL:
        return "the worker was killed (by the system when memory runs out, or by hand)"
    if status < 0:
        return f"the worker crashed ({signal.Signals(-status).name}): out of memory, or by a damaged file"
    return f"the worker ended without a result (exit status {status})"


def _broken_limit(running: _Running) -> str | None:
    limits = running.work.limits
    if time.monotonic() - running.since > limits.seconds:
        return f"it took longer than {limits.seconds / 60:.3g} minutes and was stopped"
    if _resident(running.process.pid) > running.memory:
        return (
            f"it took more than {running.memory / 2**30:.3g} GB of memory and was stopped; try a smaller size"
        )
    return None


def _resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _read(path: Path) -> dict[str, Any]:
    try:
        said = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}
