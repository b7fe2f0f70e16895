"""What the HTTP API takes and gives, as models: its documentation is made from them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from portrayal.app.jobs.check import engine_fields, file_options, request_fields
from portrayal.app.jobs.task import Job, Kind, State
from portrayal.app.uploads import Upload
from portrayal.engines import engine_options
from portrayal.engines.info import EngineInfo
from portrayal.requests import sliders
from portrayal.weights import WEIGHTS


class WeightsView(BaseModel):
    """The weights of an engine. size: bytes to download."""

    name: str
    size: int | None
    licence: str | None
    commercial: str
    here: bool
    source: str | None


class EngineView(BaseModel):
    """An engine: what it is, whether it runs here, and its options as a JSON schema.

    files: options that are files. sliders, edits: options that change a portrait by themselves; sliders
    may move over time.
    """

    name: str
    summary: str
    reads: str
    installed: bool
    install: str
    licence: str
    commercial: str
    paper: str | None
    weights: WeightsView | None
    options: dict[str, Any]
    files: list[str]
    sliders: list[str]
    edits: list[str]


class UploadView(BaseModel):
    """A file that was sent. kind: image, video, audio, motion, template or script."""

    id: str
    name: str
    size: int
    kind: str
    width: int | None
    height: int | None
    seconds: float | None
    frames: int | None


class TaskView(BaseModel):
    """A job to submit.

    files: by role, the id of an upload, or JOB/RESULT for the result of an earlier job. animate: portrait,
    and driving or text. edit: portrait, sliders among the options, or script. download: only the engine.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Kind = "animate"
    engine: str = Field(default="puppet", max_length=100)
    files: dict[str, str] = Field(default={}, examples=[{"portrait": "3f...", "driving": "9a..."}])
    text: str | None = Field(default=None, description="What to say, in place of a driving")
    options: dict[str, str | float | int | bool | None] = Field(
        default={}, description="As GET /api/tasks and GET /api/engines list them", examples=[{"size": 512}]
    )


class JobView(BaseModel):
    """A job.

    done, total: frames (of a download: megabytes). fps: frames per second. ahead: jobs before it. files: what
    you call them. results: names to GET; names of files are in `saved_as`. Times: seconds since 1970.
    """

    id: str
    kind: Kind
    engine: str
    state: State
    done: int
    total: int | None
    fps: float | None
    ahead: int
    message: str
    preview: bool
    results: list[str]
    saved_as: dict[str, str]
    files: dict[str, str]
    created: float
    finished: float | None


class Problem(BaseModel):
    """What is wrong, in one line."""

    detail: str


def engine_view(info: EngineInfo) -> EngineView:
    """An engine as the API shows it."""
    options = engine_options(info.name)
    return EngineView(
        name=info.name,
        summary=info.summary,
        reads=info.reads,
        installed=info.installed,
        install=info.install_command,
        licence=info.licence_code,
        commercial=info.commercial,
        paper=info.paper,
        weights=_weights(info),
        options=schema(f"{info.name} options", engine_fields(info.name)),
        files=list(file_options(info.name)),
        sliders=list(options.sliders),
        edits=list(options.edits),
    )


def schema(title: str, fields: dict[str, Any]) -> dict[str, Any]:
    """A JSON schema of some fields."""
    types: dict[str, Any] = {name: (field.annotation, field) for name, field in fields.items()}
    model = create_model(title, __config__=ConfigDict(arbitrary_types_allowed=True), **types)
    return model.model_json_schema()


def tasks_view() -> dict[str, Any]:
    """What one can ask for beside an engine's options: a JSON schema for each kind, and the sliders."""
    return {
        "animate": schema("animate", request_fields("animate")),
        "edit": schema("edit", request_fields("edit")),
        "sliders": [vars(each) for each in sliders()],
    }


def upload_view(upload: Upload) -> UploadView:
    """An upload as the API shows it."""
    return UploadView(id=upload.id, name=upload.name, size=upload.size, **vars(upload.look))


def job_view(job: Job) -> JobView:
    """A job as the API shows it: no path of the server."""
    return JobView(
        id=job.id,
        kind=job.task.kind,
        engine=job.task.engine,
        state=job.state,
        done=job.done,
        total=job.total,
        fps=job.fps,
        ahead=job.ahead,
        message=job.message,
        preview=job.preview is not None,
        results=list(job.results),
        saved_as={name: job.saved_as(name) for name in job.results},
        files=job.task.names,
        created=job.created,
        finished=job.finished,
    )


def _weights(info: EngineInfo) -> WeightsView | None:
    if info.weights is None:
        return None
    known = WEIGHTS.get(info.weights)
    return WeightsView(
        name=info.weights,
        size=info.weights_size,
        licence=info.licence_weights,
        commercial=info.commercial,
        here=info.weights_here is not False,
        source=None if known is None else known.repository,
    )
