"""What strangers may ask for: the options of a task, looked at before it is queued."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    WrapValidator,
)
from pydantic.fields import FieldInfo

from portrayal.app.jobs.task import ROLES, Task
from portrayal.engines import engine_info, engine_options
from portrayal.engines.engine import one_line
from portrayal.errors import UsageError
from portrayal.requests import AnimateRequest, EditRequest, Request, request_of, sliders

#: The requests of the tasks that make something. What a server decides itself is not offered.
_REQUESTS: dict[str, type[Request]] = {"animate": AnimateRequest, "edit": EditRequest}
_NOT_OFFERED = {"text", "values", "max_pixels"}
_VALIDATORS = (AfterValidator, BeforeValidator, PlainValidator, WrapValidator)
#: Longest text that is spoken, in characters.
MAX_TEXT = 5000


class Files(BaseModel):
    """Which files a task makes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["mp4", "webm", "gif"] = Field(
        default="mp4", description="Of the video", json_schema_extra={"group": "Result"}
    )
    compare: bool = Field(
        default=False,
        description="A second file, with the driving beside the result",
        json_schema_extra={"group": "Result"},
    )
    sheet: bool = Field(
        default=False, description="A contact sheet, too", json_schema_extra={"group": "Result"}
    )


def request_fields(kind: str) -> dict[str, FieldInfo]:
    """What strangers may set on a kind of task, whatever the engine: its request, and the files it makes."""
    fields = _REQUESTS[kind].model_fields | Files.model_fields
    return {name: field for name, field in fields.items() if name not in _NOT_OFFERED}


def engine_fields(engine: str) -> dict[str, FieldInfo]:
    """Options of an engine that strangers may set.

    Words of any content are no such option, because they may name a path or a device of the server: those
    that are (prompts, regions) have a validator, a pattern or a longest length. A path that is marked
    `json_schema_extra={"format": "file-path"}` is offered as a file to upload, see :func:`file_options`.
    Of a type such as `Literal["auto"] | str` the named values are offered.
    """
    fields = {name: _offered(field) for name, field in engine_options(engine).model_fields.items()}
    return {name: field for name, field in fields.items() if field is not None}


def file_options(engine: str) -> dict[str, FieldInfo]:
    """Options of an engine that are files, which a task has among its `files`."""
    fields = engine_options(engine).model_fields
    return {name: field for name, field in fields.items() if _marked_file(field)}


def checked(task: Task) -> Task:
    """The task, or UsageError in one line: no such engine, option, role, or a value that is not allowed."""
    if task.kind not in ROLES:
        raise UsageError(f"{task.kind!r}: no such kind of task; there are {', '.join(ROLES)}")
    info = engine_info(task.engine)
    if task.kind == "download":
        if info.weights is None:
            raise UsageError(f"engine {task.engine} needs no weights")
        return replace(task, files={}, options={}, text=None)
    if not info.installed:
        raise UsageError(f"engine {task.engine} is not installed here: {info.install_command}")
    _check_roles(task)
    parts = parts_of(task)
    request_of(_REQUESTS[task.kind], parts.request)
    request_of(Files, parts.files)
    check_engine_options(task.engine, parts.engine)
    edits = set(engine_options(task.engine).edits) & {*parts.engine, *task.files}
    if task.kind == "edit" and not (parts.sliders or edits or "script" in task.files):
        raise UsageError("nothing to change: move a slider, or give a script")
    return task


def check_engine_options(engine: str, given: dict[str, Any]) -> None:
    """UsageError in one line where a stranger may not set one of these, or not so."""
    offered = engine_fields(engine)
    for name, value in given.items():
        if name not in offered:
            raise UsageError(f"{name}: no such option of {engine} here; there are {', '.join(offered)}")
        named = _named(engine_options(engine).model_fields[name])
        if named is not None and value is not None and value not in named:
            raise UsageError(f"{name}: should be {' or '.join(map(repr, named))} here")
    try:
        engine_options(engine)(**given)
    except ValidationError as error:
        raise UsageError(f"{engine}: {one_line(error)}") from error


@dataclass(frozen=True)
class Parts:
    """The options of a task by what they are for."""

    request: dict[str, Any]
    files: dict[str, Any]
    engine: dict[str, Any]
    sliders: dict[str, float]


def parts_of(task: Task) -> Parts:
    """The options of a task, taken apart; those that are None were not given."""
    parts = Parts({}, {}, {}, {})
    known = {each.name for each in sliders()} if task.kind == "edit" else set()
    of_request = request_fields(task.kind)
    for name, value in task.options.items():
        if value is None:
            continue
        if name in known:
            parts.sliders[name] = _number(name, value)
        elif name in Files.model_fields:
            parts.files[name] = value
        elif name in of_request:
            parts.request[name] = value
        else:
            parts.engine[name] = value
    return parts


def _check_roles(task: Task) -> None:
    roles = {*ROLES[task.kind], *file_options(task.engine)}
    for role in task.files:
        if role not in roles:
            raise UsageError(f"{role!r}: no such file in a task to {task.kind}; there are {', '.join(roles)}")
    if "portrait" not in task.files:
        raise UsageError("choose a portrait: a picture with a face, or a video")
    if task.kind == "animate" and ("driving" in task.files) == bool(task.text):
        raise UsageError("choose one driving: a file, or a text to say")
    if len(task.text or "") > MAX_TEXT:
        raise UsageError(f"the text has {len(task.text or '')} characters; the most are {MAX_TEXT}")


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e4:
        raise UsageError(f"{name}: {value!r} is no number that a slider can have")
    return float(value)


def _offered(field: FieldInfo) -> FieldInfo | None:
    """An option as strangers may set it; None where they may not."""
    named = _named(field)
    if named is None:
        return None if _is_path(field) else field
    narrowed = copy(field)
    narrowed.annotation = Literal[named] | None  # type: ignore[assignment]
    return narrowed


def _named(field: FieldInfo) -> tuple[Any, ...] | None:
    """The values that a type names beside any words; None where it takes no such words, or names none."""
    kinds = get_args(field.annotation)
    named = tuple(value for kind in kinds if get_origin(kind) is Literal for value in get_args(kind))
    return named if named and _is_path(field) and not _marked_file(field) else None


def _is_path(field: FieldInfo) -> bool:
    """Whether a value may be any words."""
    return _marked_file(field) or (_free_words(field.annotation) and not _ruled(field.metadata))


def _free_words(annotation: Any) -> bool:
    """Whether a type takes words without a rule for them."""
    if get_origin(annotation) is Literal:
        return False
    if get_origin(annotation) is Annotated:
        inner, *rules = get_args(annotation)
        return _free_words(inner) and not _ruled(rules)
    return annotation in (str, Path, Any) or any(_free_words(each) for each in get_args(annotation))


def _ruled(rules: Iterable[Any]) -> bool:
    """Whether one of the rules of a value says which words there may be, or how many."""
    return any(
        isinstance(rule, _VALIDATORS) or any(getattr(rule, name, None) for name in ("max_length", "pattern"))
        for rule in rules
    )


def _marked_file(field: FieldInfo) -> bool:
    extra = field.json_schema_extra
    return isinstance(extra, dict) and extra.get("format") == "file-path"
