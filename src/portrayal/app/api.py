"""The HTTP API: the same jobs as the page's, for programs."""

from __future__ import annotations

import asyncio
import json
import mimetypes
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response, StreamingResponse

from portrayal.app import views
from portrayal.app.errors import NoRoom, NotHere
from portrayal.app.jobs import Job, Jobs, Task
from portrayal.app.owner import owner_of
from portrayal.app.uploads import Uploads
from portrayal.engines import list_engines
from portrayal.errors import PortrayalError

#: Seconds between two looks at a job that somebody waits for, and the longest that a request waits.
_LOOK, _LONGEST = 0.2, 55.0


def current_owner(request: Request) -> str:
    """Whose the request is."""
    return owner_of(request)


Owner = Annotated[str, Depends(current_owner)]
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": views.Problem, "description": line}
    for status, line in (
        (400, "What is wrong, in one line"),
        (404, "Not here, or not yours"),
        (429, "No room"),
    )
}


def router(jobs: Jobs, uploads: Uploads) -> APIRouter:
    """The routes under /api."""
    made = APIRouter(prefix="/api", responses=_PROBLEMS)
    _add_facts(made)
    _add_uploads(made, uploads)
    _add_jobs(made, jobs, uploads)
    _add_results(made, jobs)
    return made


def add_error_lines(app: FastAPI) -> None:
    """Every error of the API as {"detail": line}."""

    @app.exception_handler(PortrayalError)
    async def wrong(request: Request, error: PortrayalError) -> Response:
        status = 404 if isinstance(error, NotHere) else 429 if isinstance(error, NoRoom) else 400
        return JSONResponse({"detail": str(error)}, status)

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> Response:
        said = [f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in error.errors()]
        return JSONResponse({"detail": "; ".join(said)}, 400)


def _add_facts(api: APIRouter) -> None:
    @api.get("/engines", summary="The engines, their options, and whether their weights are here")
    def engines() -> list[views.EngineView]:
        return [views.engine_view(info) for info in list_engines()]

    @api.get("/tasks", summary="What one can ask for, whatever the engine; the sliders of a face")
    def tasks() -> dict[str, Any]:
        return views.tasks_view()


def _add_uploads(api: APIRouter, uploads: Uploads) -> None:
    binary = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}

    @api.post(
        "/uploads", status_code=201, summary="Send a file: its bytes are the body",
        openapi_extra={"requestBody": {"required": True, **binary}},
    )  # fmt: skip
    async def upload(
        request: Request, owner: Owner, name: Annotated[str, Query(max_length=300)]
    ) -> views.UploadView:
        with uploads.coming(owner, name) as incoming:
            async for block in request.stream():
                incoming.write(block)
            return views.upload_view(await run_in_threadpool(incoming.finish))

    @api.delete("/uploads/{id}", status_code=204, summary="Delete a file")
    def delete(id: str, owner: Owner) -> None:
        uploads.remove(owner, id)


def _add_jobs(api: APIRouter, jobs: Jobs, uploads: Uploads) -> None:
    @api.post("/jobs", status_code=201, summary="Submit a job")
    def submit(task: views.TaskView, owner: Owner) -> views.JobView:
        files, names = {}, {}
        for role, reference in task.files.items():
            files[role], names[role] = _file(jobs, uploads, owner, reference)
        wanted = Task(task.kind, task.engine, files, task.text, dict(task.options), names)
        return views.job_view(jobs.submit(owner, wanted))

    @api.get("/jobs", summary="Your jobs, the latest first")
    def every(owner: Owner) -> list[views.JobView]:
        return [views.job_view(job) for job in jobs.list(owner)]

    @api.get("/jobs/{id}", summary="How far a job is")
    async def one(
        id: str,
        owner: Owner,
        wait: Annotated[float, Query(ge=0, le=_LONGEST, description="Seconds to wait for its end")] = 0,
    ) -> views.JobView:
        return views.job_view(await _awaited(jobs, owner, id, wait))

    @api.get(
        "/jobs/{id}/events", summary="The same as server-sent events, until it is over",
        response_class=StreamingResponse,
    )  # fmt: skip
    async def events(id: str, owner: Owner) -> Response:
        await run_in_threadpool(jobs.get, owner, id)
        return StreamingResponse(_events(jobs, owner, id), media_type="text/event-stream")

    @api.post("/jobs/{id}/cancel", summary="Stop a job")
    def cancel(id: str, owner: Owner) -> views.JobView:
        return views.job_view(jobs.cancel(owner, id))

    @api.delete("/jobs/{id}", status_code=204, summary="Stop a job and delete its files")
    def remove(id: str, owner: Owner) -> None:
        jobs.remove(owner, id)


def _add_results(api: APIRouter, jobs: Jobs) -> None:
    @api.get("/jobs/{id}/preview", summary="The last frame made, a JPEG", response_class=FileResponse)
    def preview(id: str, owner: Owner) -> Response:
        job = jobs.get(owner, id)
        if job.preview is None:
            raise NotHere("there is no preview yet")
        return Response(
            job.preview.read_bytes(), media_type="image/jpeg", headers={"cache-control": "no-store"}
        )

    @api.get("/jobs/{id}/results/{name}", summary="A file that was made", response_class=FileResponse)
    def result(id: str, name: str, owner: Owner) -> Response:
        job = jobs.get(owner, id)
        path, saved_as = _result(job, name), job.saved_as(name)
        return FileResponse(path, filename=saved_as, media_type=mimetypes.guess_type(saved_as)[0])


def _file(jobs: Jobs, uploads: Uploads, owner: str, reference: str) -> tuple[Path, str]:
    """What a task calls a file: an upload, or JOB/RESULT; its path and the name to show."""
    id, _, name = reference.partition("/")
    if name:
        job = jobs.get(owner, id)
        return _result(job, name), job.saved_as(name)
    upload = uploads.get(owner, id)
    return upload.path, upload.name


def _result(job: Job, name: str) -> Path:
    if name not in job.results:
        there = ", ".join(job.results) or "none yet"
        raise NotHere(f"there is no such result; there are: {there}")
    return job.results[name]


async def _awaited(jobs: Jobs, owner: str, id: str, wait: float) -> Job:
    """The job, as soon as it is over, or after `wait` seconds."""
    end = asyncio.get_running_loop().time() + wait
    while True:
        job = await run_in_threadpool(jobs.get, owner, id)
        if job.over or asyncio.get_running_loop().time() >= end:
            return job
        await asyncio.sleep(_LOOK)


async def _events(jobs: Jobs, owner: str, id: str) -> AsyncIterator[str]:
    """A line of JSON whenever something has changed."""
    last: Job | None = None
    while last is None or not last.over:
        try:
            job = await run_in_threadpool(jobs.get, owner, id)
        except NotHere as error:
            yield f"event: gone\ndata: {json.dumps({'detail': str(error)})}\n\n"
            return
        if last is None or replace(job, preview=None) != replace(last, preview=None):
            yield f"data: {views.job_view(job).model_dump_json()}\n\n"
        last = job
        await asyncio.sleep(_LOOK)
