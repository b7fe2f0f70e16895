"""`python -m portrayal.app.jobs.process`: the job in this folder. Bounded, and gone when its server goes."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from portrayal.app.bounds import bound
from portrayal.app.jobs.local import write_json
from portrayal.app.jobs.task import Task
from portrayal.app.limits import Limits, has_networks
from portrayal.errors import PortrayalError

Rgb = NDArray[np.uint8]
#: Seconds between two reports, and between two previews; longest side of a preview in pixels.
_REPORT, _PREVIEW, _SIDE = 0.2, 0.4, 512


class Progress:
    """What the server is told while a job runs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._told = self._shown = 0.0
        self._first: float | None = None

    def step(self, done: int, total: int | None, message: str = "") -> None:
        """So many frames (of a download: megabytes) are done."""
        now = time.monotonic()
        if self._first is None and done:
            self._first = now
        if now - self._told < _REPORT and done != total:
            return
        self._told = now
        spent = now - (self._first or now)
        fps = round((done - 1) / spent, 2) if done > 1 and spent > 0 else None
        told = {"done": done, "total": total, "fps": fps, "message": message}
        write_json(self._folder / "progress.json", told)

    def show(self, rgb: Rgb) -> None:
        """A frame (H, W, 3) as it is made."""
        now = time.monotonic()
        if now - self._shown < _PREVIEW:
            return
        self._shown = now
        import cv2

        scale = min(1.0, _SIDE / max(rgb.shape[:2]))
        small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        _, data = cv2.imencode(".jpg", small[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
        temporary = self._folder / ".preview.part"
        temporary.write_bytes(data.tobytes())
        temporary.replace(self._folder / "preview.jpg")


def main() -> None:
    """Do the task in work.json and write outcome.json."""
    threading.Thread(target=_leave_with_server, daemon=True).start()
    folder = Path()
    wanted = json.loads((folder / "work.json").read_text())
    task, limits = Task.from_json(wanted["task"]), Limits(**wanted["limits"])
    bound(
        memory=None if has_networks(task.engine) else limits.memory,
        cpu=int(limits.seconds * (os.cpu_count() or 1)) + 1,
        file_size=limits.disk,
    )
    outcome = _outcome(lambda: _run(task, limits, Progress(folder)), task, limits)
    write_json(folder / "outcome.json", outcome)


def _run(task: Task, limits: Limits, progress: Progress) -> dict[str, str]:
    from portrayal.app.jobs import render

    if task.kind == "download":
        return render.download(task, progress)
    return render.render(task, limits, progress)


def _outcome(run: Callable[[], dict[str, str]], task: Task, limits: Limits) -> dict[str, object]:
    """How it went, in one line where it went wrong; all of it is in the log."""
    try:
        return {"state": "done", "results": run()}
    except PortrayalError as error:
        message = str(error)
    except MemoryError:
        traceback.print_exc()
        message = (
            f"it needs more than {limits.memory_of(task.engine) / 2**30:.3g} GB of memory; try a smaller size"
        )
    except Exception as error:
        traceback.print_exc()
        message = f"unexpected {type(error).__name__}; the server's log of this job has more"
    for role, path in task.files.items():
        message = message.replace(str(path), task.names.get(role, role))
    return {"state": "failed", "message": " ".join(message.split())}


def _leave_with_server() -> None:
    """The server holds the other end of stdin; when it is gone nobody waits for this job."""
    while os.read(0, 1024):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
