"""The tab Animate: a portrait, what drives it, an engine, and the result while it is made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from portrayal.app.jobs.check import engine_fields, file_options, request_fields
from portrayal.app.jobs.task import Task
from portrayal.app.owner import owner_of
from portrayal.app.page import engines, stage
from portrayal.app.page.options import component, given, headed, spoken
from portrayal.app.page.visitor import example_portrait, lent
from portrayal.app.page.watch import followed, latest, stopped
from portrayal.engines import engine_options
from portrayal.errors import PortrayalError, UsageError

if TYPE_CHECKING:
    from portrayal.app.jobs import Job, Jobs

#: The kinds of driving, as the page names them.
VIDEO, VOICE, TEXT, PICTURE, MOTION = "video", "voice", "text", "picture", "motion file"
MOTION_FILES = [".npz", ".csv", ".pkl", ".yaml", ".yml", ".json"]
_VOICES = ["en-us", "en-gb", "de", "fr", "es", "it", "pt", "nl", "pl", "ru", "cmn", "ja"]
#: What is set beside the text that it goes with.
_ELSEWHERE = {"voice"}
#: Where the page says something else than the request does when nothing is said.
_PAGE_DEFAULTS = {"compare": True, "sheet": True}
#: On a phone the result is further down.
_TO_THE_STAGE = """() => {
  if (innerWidth < 721) document.querySelector('#stage').scrollIntoView({block: 'start'});
}"""
_EMPTY = stage.empty(
    "Your result appears here", "Choose a portrait and something to drive it, then press Animate."
)


class AnimateTab:
    """Builds the tab inside a Blocks context. use_as_driving is filled from a finished result."""

    def __init__(self, jobs: Jobs, page: gr.Blocks) -> None:
        self._jobs = jobs
        with gr.Row(elem_classes="two-columns"):
            with gr.Column(scale=5, min_width=320):
                self._portrait()
                self._driving()
                self._engine()
                self._options(page)
            with gr.Column(scale=6, min_width=320, elem_classes="stay"):
                self._result()
        page.load(self._resume, None, self._shown)

    def _portrait(self) -> None:
        gr.HTML('<h2 class="section-title"><b>1</b>Portrait</h2>')
        self._portrait_kind = _kinds("The portrait is", ["picture", "video"], "portrait-kind")
        with gr.Column() as still:
            self._picture = gr.Image(
                type="filepath", image_mode=None, sources=["upload", "webcam", "clipboard"], height=240,
                label="Portrait: a picture with a face", elem_id="portrait", interactive=True,
            )  # fmt: skip
            photo = example_portrait()
            if photo is not None:
                example = gr.Button("Use the example: Grace Hopper (public domain)", size="sm")
                example.click(lambda: lent(photo), None, self._picture)
        with gr.Column(visible=False) as moving:
            self._moving = gr.Video(
                sources=["upload"], label="Portrait: a video; it keeps its own motion", height=240,
                elem_id="portrait-video", interactive=True,
            )  # fmt: skip
        _shows(self._portrait_kind, {"picture": still, "video": moving})

    def _driving(self) -> None:
        gr.HTML('<h2 class="section-title"><b>2</b>What drives it</h2>')
        self._kind = _kinds("Driven by", [VIDEO, VOICE, TEXT, PICTURE, MOTION], "driving-kind")
        places: dict[str, gr.Column] = {}
        with gr.Column() as places[VIDEO]:
            self._video = gr.Video(
                sources=["upload", "webcam"], label="Driving video", height=260, elem_id="driving-video",
                webcam_options=gr.WebcamOptions(mirror=False), include_audio=True, interactive=True,
            )  # fmt: skip
        with gr.Column(visible=False) as places[VOICE]:
            self._voice = gr.Audio(
                sources=["microphone", "upload"], type="filepath", label="A voice: recorded or uploaded",
                elem_id="driving-voice", interactive=True,
            )  # fmt: skip
        with gr.Column(visible=False) as places[TEXT]:
            self._text = gr.Textbox(
                label="What to say", lines=3, max_length=5000, elem_id="driving-text",
                placeholder="A ship in port is safe, but that is not what ships are built for.",
            )  # fmt: skip
            self._speaker = gr.Dropdown(
                _VOICES, value="en-us", label="Voice", info="Of espeak-ng", allow_custom_value=True
            )
        with gr.Column(visible=False) as places[PICTURE]:
            self._face = gr.Image(
                type="filepath", image_mode=None, sources=["upload", "webcam", "clipboard"], height=220,
                label="A picture: its expression", elem_id="driving-picture", interactive=True,
            )  # fmt: skip
        with gr.Column(visible=False) as places[MOTION]:
            self._motion = gr.File(
                label="Motion (.npz, .csv of Live Link Face), template (.pkl) or script (.yaml)",
                file_types=MOTION_FILES, height=160, elem_id="driving-motion", interactive=True,
            )  # fmt: skip
        _shows(self._kind, places)

    def _engine(self) -> None:
        gr.HTML('<h2 class="section-title"><b>3</b>Engine</h2>')
        self._name = gr.Radio(engines.choices(), value="puppet", label="Engine", elem_id="engine")
        card = gr.HTML(engines.card("puppet"))
        fetch = gr.Button(visible=False, size="sm", elem_id="fetch")
        progress = gr.HTML(visible=False)
        self._name.input(lambda name: (engines.card(name), _fetch_button(name)), self._name, [card, fetch])
        fetch.click(self._fetch, self._name, [card, fetch, progress], concurrency_limit=None)

    def _fetch(self, name: str, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        """Fetch the weights of an engine, and say how far it is."""
        owner = owner_of(request)
        try:
            id = self._jobs.submit(owner, Task("download", name)).id
            for job in followed(self._jobs, owner, id):
                line = stage.progress(job)
                yield engines.card(name), gr.Button(interactive=job.over), gr.HTML(line, visible=True)
        except PortrayalError as error:
            yield (
                engines.card(name),
                gr.Button(interactive=True),
                gr.HTML(stage.trouble(str(error)), visible=True),
            )
            return
        yield engines.card(name), _fetch_button(name), gr.HTML(stage.progress(job), visible=True)

    def _options(self, page: gr.Blocks) -> None:
        """The options of the request and of the engine, made anew for every engine, and the button that
        takes them."""
        gr.HTML('<h2 class="section-title"><b>4</b>Options <small>all have sensible values</small></h2>')

        @gr.render(inputs=[self._name], triggers=[page.load, self._name.input])
        def options(name: str) -> None:
            fields = request_fields("animate") | engine_fields(name)
            fields = {each: field for each, field in fields.items() if each not in _ELSEWHERE}
            made: dict[str, gr.components.Component] = {}
            for heading, names in headed(fields, engine_options(name)).items():
                with gr.Accordion(heading, open=False):
                    for each in names:
                        made[each] = component(each, fields[each], _PAGE_DEFAULTS.get(each))
            uploads = {
                each: gr.File(label=field.description or spoken(each))
                for each, field in file_options(name).items()
            }
            static = [
                self._name, self._portrait_kind, self._picture, self._moving, self._kind, self._video,
                self._voice, self._text, self._speaker, self._face, self._motion,
            ]  # fmt: skip

            def start(request: gr.Request, *values: Any) -> Iterator[tuple[Any, ...]]:
                chosen = dict(zip(made, values[len(static) :], strict=False))
                files = dict(zip(uploads, values[len(static) + len(made) :], strict=True))
                yield from self._start(request, values[: len(static)], given(fields, chosen), files)

            go = gr.Button("Animate", variant="primary", elem_id="animate-go", elem_classes="go")
            go.click(None, None, None, js=_TO_THE_STAGE)
            go.click(
                start, [*static, *made.values(), *uploads.values()], self._shown, concurrency_limit=None,
                show_progress="hidden",
            )  # fmt: skip

    def _result(self) -> None:
        self._job = gr.State("")
        self._stage = gr.HTML(_EMPTY, elem_id="stage")
        self._view = gr.Radio(
            ["Result", "Side by side", "Contact sheet"], value="Result", label="View", elem_id="view",
            interactive=False,
        )  # fmt: skip
        with gr.Row():
            self._cancel = gr.Button("Cancel", variant="stop", interactive=False, elem_id="cancel")
            self._reuse = gr.Button("Use as driving", interactive=False, elem_id="reuse")
        self._files = gr.HTML(stage.downloads(None), elem_id="downloads")
        self._shown = [self._job, self._stage, self._view, self._cancel, self._reuse, self._files]
        self._view.input(self._look, [self._job, self._view], self._stage, show_progress="hidden")
        self._cancel.click(self._stop, self._job, None, concurrency_limit=None)
        self._reuse.click(self._take_up, self._job, [self._video, self._kind])

    def _start(
        self, request: gr.Request, values: tuple[Any, ...], options: dict[str, Any], files: dict[str, Any]
    ) -> Iterator[tuple[Any, ...]]:
        name, portrait_kind, picture, moving, *driving = values
        owner = owner_of(request)
        try:
            portrait = picture if portrait_kind == "picture" else moving
            if portrait is None:
                raise UsageError("Choose a portrait first: upload a picture, take one, or use the example.")
            read, text, more = _chosen(*driving)
            read |= {"portrait": Path(portrait)}
            read |= {role: Path(file) for role, file in files.items() if file}
            job = self._jobs.submit(owner, Task("animate", name, read, text, options | more))
        except PortrayalError as error:
            yield _update("", stage.failed(str(error)), None)
            return
        yield from self._follow(owner, job)

    def _follow(self, owner: str, job: Job) -> Iterator[tuple[Any, ...]]:
        try:
            for now in followed(self._jobs, owner, job.id):
                yield _update(job.id, stage.shown(now), now)
        except PortrayalError as error:  # removed meanwhile
            yield _update("", stage.failed(str(error)), None)

    def _resume(self, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        """After a reload: the job that was begun last."""
        owner = owner_of(request)
        job = latest(self._jobs, owner, "animate")
        if job is None:
            yield _update("", _EMPTY, None)
        else:
            yield from self._follow(owner, job)

    def _look(self, id: str, view: str, request: gr.Request) -> str:
        return stage.shown(self._jobs.get(owner_of(request), id), view) if id else _EMPTY

    def _stop(self, id: str, request: gr.Request) -> None:
        stopped(self._jobs, owner_of(request), id)

    def _take_up(self, id: str, request: gr.Request) -> tuple[Any, ...]:
        """The result as the next driving."""
        job = self._jobs.get(owner_of(request), id)
        return lent(job.results["video"], job.saved_as("video")), VIDEO


def _kinds(label: str, names: list[str], elem_id: str) -> gr.Radio:
    """A choice of kinds, the first chosen."""
    return gr.Radio(
        [(f"A {name}", name) for name in names], value=names[0], label=label, elem_id=elem_id,
        elem_classes="kinds",
    )  # fmt: skip


def _shows(kind: gr.Radio, places: dict[str, gr.Column]) -> None:
    """Have a choice show its place and hide the others."""
    kind.change(
        lambda chosen: [gr.Column(visible=name == chosen) for name in places],
        kind, list(places.values()), show_progress="hidden",
    )  # fmt: skip


def _chosen(
    kind: str,
    video: str | None,
    voice: str | None,
    text: str,
    speaker: str,
    picture: str | None,
    motion: str | None,
) -> tuple[dict[str, Path], str | None, dict[str, Any]]:
    """The driving of the tab that is open: files, text, options. UsageError where there is none."""
    if kind == TEXT:
        if not text.strip():
            raise UsageError("Write what the portrait is to say, or choose another kind of driving.")
        return {}, text, {"voice": speaker} if speaker else {}
    file = {VIDEO: video, VOICE: voice, PICTURE: picture, MOTION: motion}[kind]
    if file is None:
        raise UsageError(f"Choose what drives the portrait: upload a {kind}, or choose another kind.")
    return {"driving": Path(file)}, None, {}


def _update(id: str, shown: str, job: Job | None) -> tuple[Any, ...]:
    """What changes on the right side of the tab: job, stage, view, cancel, use as driving, downloads."""
    views = (
        list(dict.fromkeys(stage.VIEWS[name] for name in job.results if name in stage.VIEWS)) if job else []
    )
    return (
        id,
        shown,
        gr.Radio(value="Result", interactive=len(views) > 1),
        gr.Button(interactive=job is not None and not job.over),
        gr.Button(interactive=job is not None and "video" in job.results),
        stage.downloads(job),
    )


def _fetch_button(name: str) -> gr.Button:
    said = engines.fetchable(name)
    return gr.Button(said or "", visible=said is not None, interactive=True)
