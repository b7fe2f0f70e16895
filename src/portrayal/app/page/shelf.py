"""The tab Jobs: what one has asked for, also before the page was reloaded."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import gradio as gr

from portrayal.app.owner import owner_of
from portrayal.app.page import stage
from portrayal.errors import PortrayalError

if TYPE_CHECKING:
    from portrayal.app.jobs import Job, Jobs

_STATES = {
    "queued": "waiting",
    "running": "being made",
    "done": "done",
    "failed": "failed",
    "cancelled": "cancelled",
}
_CHIPS = {"done": "good", "failed": "warn"}
_CLICKED = """element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-job]');
  if (button) trigger('click', {job: button.dataset.job, act: button.dataset.act});
});"""


class Shelf:
    """Builds the tab inside a Blocks context."""

    def __init__(self, jobs: Jobs, tab: gr.Tab) -> None:
        self._jobs = jobs
        self._list = gr.HTML(_listed([]), elem_id="jobs", js_on_load=_CLICKED)
        again = gr.Timer(1.5, active=False)
        tab.select(self._look, None, self._list, show_progress="hidden")
        tab.select(lambda: gr.Timer(active=True), None, again)
        again.tick(self._look, None, self._list, show_progress="hidden")
        self._list.click(self._act, None, self._list, show_progress="hidden")

    def _look(self, request: gr.Request) -> str:
        return _listed(list(self._jobs.list(owner_of(request))))

    def _act(self, event: gr.EventData, request: gr.Request) -> str:
        owner = owner_of(request)
        try:
            if event.act == "cancel":
                self._jobs.cancel(owner, event.job)
            elif event.act == "remove":
                self._jobs.remove(owner, event.job)
        except PortrayalError as error:
            gr.Warning(str(error))
        return self._look(request)


def _listed(jobs: list[Job]) -> str:
    if not jobs:
        return '<p class="strip empty">Nothing here yet. What you make is listed here for a day.</p>'
    return f'<ul class="jobs">{"".join(map(_row, jobs))}</ul>'


def _row(job: Job) -> str:
    picture = "" if job.preview is None else stage.inline(job.preview)
    thumb = f'<img alt="" src="{picture}">' if picture else '<div class="none"></div>'
    chip = f'<span class="chip {_CHIPS.get(job.state, "")}">{_STATES[job.state]}</span>'
    said = escape(job.message) if job.state == "failed" else stage.how_far(job) if not job.over else ""
    links = "".join(
        f'<a href="{stage.url(job, name)}" download>{stage.VIEWS[name]}</a>'
        for name in job.results
        if name in stage.VIEWS
    )
    act, word = ("remove", "Remove") if job.over else ("cancel", "Cancel")
    button = f'<button type="button" data-job="{job.id}" data-act="{act}">{word}</button>'
    return (
        f"<li>{thumb}<div><b>{escape(_title(job))}</b> {chip}<br><small>{said}</small></div>"
        f'<div class="acts">{links}{button}</div></li>'
    )


def _title(job: Job) -> str:
    task = job.task
    if task.kind == "download":
        return f"Weights of {task.engine}"
    driving = task.names.get("driving") or task.names.get("script") or (task.text and f"“{task.text[:40]}”")
    verb = "Animate" if task.kind == "animate" else "Edit"
    return " · ".join(
        filter(None, (f"{verb} {task.names.get('portrait', '')}".strip(), driving, task.engine))
    )
