"""Where results come to be seen: one place of one size, for the empty page, progress, failure and result."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from portrayal.app.jobs import Job

#: What a job's files are called, in the order in which they are offered.
VIEWS = {"video": "Result", "picture": "Result", "compare": "Side by side", "sheet": "Contact sheet"}


def url(job: Job, name: str) -> str:
    """Where a finished file of a job is."""
    return f"/api/jobs/{job.id}/results/{name}"


def empty(title: str, text: str, line: bool = True) -> str:
    """Before there is anything to see: what to do. line: keep room for a line below."""
    inside = f'<div class="empty"><b>{escape(title)}</b>{escape(text)}</div>'
    return f'<div class="stage">{inside}</div>{_line("") if line else ""}'


def failed(message: str, line: bool = True) -> str:
    """What went wrong, and what to do about it. line: as for :func:`empty`."""
    said = escape(message[:1].upper() + message[1:])
    inside = f'<div class="empty" role="alert"><b>That did not work</b>{said}</div>'
    return f'<div class="stage">{inside}</div>{_line("") if line else ""}'


def shown(job: Job, view: str = "") -> str:
    """A job as it stands. view: which of its files, by the name of :data:`VIEWS`; the first unless given."""
    if job.state in ("queued", "running"):
        return _running(job)
    if job.state == "cancelled":
        return empty("Cancelled", "Nothing was kept. Change what you like, and start again.")
    if job.state == "failed":
        return failed(job.message)
    name = next((name for name in job.results if VIEWS.get(name) == view), next(iter(job.results), ""))
    return _finished(job, name)


def progress(job: Job) -> str:
    """A job as one line: a bar, and how far it is."""
    if job.state == "failed":
        return trouble(job.message)
    if job.over:
        return _line("Done." if job.state == "done" else "Cancelled.")
    return _line(how_far(job), None if not job.total else min(job.done / job.total, 1.0))


def idle() -> str:
    """The line when there is nothing to say; as high as with something."""
    return _line("")


def said(message: str) -> str:
    """Something that went well, as one line."""
    return _line(escape(message))


def trouble(message: str) -> str:
    """What went wrong, as one line."""
    return _line(f'<span class="failed" role="alert">{escape(message)}</span>')


def downloads(job: Job | None) -> str:
    """Links to the files of a job; as high when there are none."""
    names = [name for name in VIEWS if job is not None and name in job.results]
    links = [
        f'<a class="download" download href="{url(job, name)}">Download: {VIEWS[name].lower()}</a>'
        for name in names
        if job is not None
    ]
    return f'<div class="downloads">{"".join(links)}</div>'


def _running(job: Job) -> str:
    picture = "" if job.preview is None else inline(job.preview)
    inside = (
        f'<img alt="The latest frame" src="{picture}"><span class="badge">latest frame</span>'
        if picture
        else f'<div class="empty"><b>{_waiting(job)[0]}</b>{_waiting(job)[1]}</div>'
    )
    share = None if not job.total else min(job.done / job.total, 1.0)
    return f'<div class="stage" aria-busy="true">{inside}</div>{_line(how_far(job), share)}'


def _waiting(job: Job) -> tuple[str, str]:
    if job.state == "queued":
        turn = f"{job.ahead} before yours" if job.ahead else "yours is next"
        return "In the queue", f"{turn}. You may close this page; the job goes on."
    return "Getting ready", "Reading the files and preparing the engine."


def how_far(job: Job) -> str:
    if job.state == "queued" or not job.done:
        return escape(job.message) or "&nbsp;"
    unit = "MB" if job.task.kind == "download" else "frames"
    said = f"{job.done} of {job.total} {unit}" if job.total else f"{job.done} {unit}"
    if job.fps and unit == "frames":
        said += f" · {job.fps:.1f} a second"
        if job.total:
            said += f" · {_span((job.total - job.done) / job.fps)} left"
    return said


def _finished(job: Job, name: str) -> str:
    if not name:
        return empty("Done", "There is no file to show.")
    where, label = url(job, name), VIEWS.get(name, name)
    picture = job.results[name].suffix.lower() in (".png", ".jpg", ".gif", ".webp")
    inside = (
        f'<img alt="{label}" src="{where}">'
        if picture
        else f'<video controls playsinline loop src="{where}" aria-label="{label}"></video>'
    )
    return f'<div class="stage">{inside}</div>{_line(f"{label}: tagged as synthetic media")}'


def _line(said: str, share: float | None = -1.0) -> str:
    """The line below the stage. share: 0 to 1 for a bar, None for one without end, -1 for none."""
    if share == -1.0:
        return f'<div class="progress-line" role="status">{said}</div>'
    bar = (
        '<div class="bar unknown"><i></i></div>'
        if share is None
        else f'<div class="bar" role="progressbar" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{100 * share:.0f}" aria-label="Progress">'
        f'<i style="width:{100 * share:.1f}%"></i></div>'
    )
    return f'<div class="progress-line" role="status">{bar}{said}</div>'


def _span(seconds: float) -> str:
    whole = max(1, round(seconds))
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


def inline(path: Path) -> str:
    """A small picture as an address of its own; "" while it is being replaced."""
    try:
        return "data:image/jpeg;base64," + base64.b64encode(path.read_bytes()).decode()
    except OSError:
        return ""
