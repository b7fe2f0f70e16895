"""The tab Edit: sliders with a preview at once, key frames, and a picture, a video or a script of it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from portrayal.app.jobs.task import Task
from portrayal.app.owner import owner_of
from portrayal.app.page import engines, stage
from portrayal.app.page.face_sliders import grouped_sliders, set_values
from portrayal.app.page.options import spoken, step_of
from portrayal.app.page.strip import Key, shown_keys
from portrayal.app.page.studio import Studio, jpeg, motion_of, script_of
from portrayal.app.page.visitor import example_portrait, lent, new_folder
from portrayal.app.page.watch import followed
from portrayal.errors import PortrayalError, UsageError

if TYPE_CHECKING:
    from portrayal.app.jobs import Jobs

#: Seconds from one key frame to the next unless told, and the most key frames.
_STEP, _MOST = 0.6, 60
_EMPTY = stage.empty(
    "Nothing to change yet", "Choose a portrait; then move a slider and see what it does.", line=False
)
#: What a before and after needs of the browser: where the two meet is a property of the element.
_CUT = """
element.addEventListener('input', (event) => {
  if (event.target.matches('.cut')) element.style.setProperty('--cut', event.target.value + '%');
});
"""


class EditTab:
    """Builds the tab inside a Blocks context."""

    def __init__(self, jobs: Jobs, studio: Studio) -> None:
        self._jobs, self._studio = jobs, studio
        self._sliders: dict[str, gr.Slider] = {}
        with gr.Row(elem_classes="two-columns"):
            with gr.Column(scale=6, min_width=320, elem_classes="stay"):
                self._show()
                with gr.Column(elem_classes="later"):
                    self._export()
                with gr.Column(elem_classes="late"):
                    self._keys_strip()
            with gr.Column(scale=5, min_width=320):
                with gr.Column(elem_classes="first"):
                    self._choose()
                self._move()
        self._wire()

    def _choose(self) -> None:
        gr.HTML('<h2 class="section-title"><b>1</b>Portrait</h2>')
        self._sitting = gr.State("")
        self._portrait = gr.Image(
            type="filepath", image_mode=None, sources=["upload", "webcam", "clipboard"], height=200,
            label="Portrait: a picture with a face", elem_id="edit-portrait", interactive=True,
        )  # fmt: skip
        photo = example_portrait()
        if photo is not None:
            gr.Button("Use the example: Grace Hopper (public domain)", size="sm").click(
                lambda: lent(photo), None, self._portrait
            )

    def _move(self) -> None:
        gr.HTML('<h2 class="section-title"><b>2</b>Sliders</h2>')
        with gr.Row():
            self._linked = gr.Checkbox(True, label="Left and right together", min_width=160)
            self._reset = gr.Button("Reset all", size="sm", min_width=100, elem_id="reset")
        for group, members in grouped_sliders().items():
            with gr.Accordion(group, open=group == "Most used", elem_classes="sliders"):
                for slider in members:
                    self._sliders[slider.name] = gr.Slider(
                        slider.low, slider.high, value=slider.rest, step=step_of(slider.low, slider.high),
                        label=spoken(slider.name), info=slider.description or None, buttons=["reset"],
                        elem_id=f"slider-{slider.name}",
                    )  # fmt: skip

    def _show(self) -> None:
        self._stage = gr.HTML(_EMPTY, elem_id="edit-stage", js_on_load=_CUT)

    def _export(self) -> None:
        ready = engines.ready()
        self._engine = gr.Radio(
            ready, value="puppet", label="Export with", elem_id="edit-engine", visible=len(ready) > 1,
            info="The preview is the puppet's",
        )  # fmt: skip
        with gr.Row():
            self._picture = gr.Button("Export picture", variant="primary", elem_id="export-picture")
            self._video = gr.Button("Export video", elem_id="export-video")
            self._script = gr.DownloadButton("Export script", elem_id="export-script", visible="hidden")
            self._make_script = gr.Button("Export script", elem_id="make-script")
        self._progress = gr.HTML(stage.idle(), elem_id="edit-progress")
        self._files = gr.HTML(stage.downloads(None), elem_id="edit-downloads")

    def _keys_strip(self) -> None:
        gr.HTML(
            '<h2 class="section-title"><b>3</b>Key frames <small>Set the sliders and add a key frame; '
            "set them anew and add the next: a small motion.</small></h2>"
        )
        self._keys = gr.State([])
        with gr.Row(equal_height=True):
            self._at = gr.Number(0.0, label="At second", minimum=0, maximum=300, step=0.1, min_width=110)
            self._add = gr.Button("Add key frame", elem_id="add-key", min_width=140)
            self._play = gr.Button("Play", elem_id="play-keys", min_width=100)
            self._clear = gr.Button("Clear", min_width=100)
        self._strip = gr.HTML(
            shown_keys([]), elem_id="strip",
            js_on_load="""element.addEventListener('click', (event) => {
              const button = event.target.closest('[data-key]');
              if (button) trigger('click', {key: Number(button.dataset.key), act: button.dataset.act});
            });""",
        )  # fmt: skip

    def _wire(self) -> None:
        sliders = list(self._sliders.values())
        look = {
            "inputs": [self._sitting, self._linked, *sliders], "outputs": [self._stage],
            "show_progress": "hidden", "trigger_mode": "always_last", "concurrency_limit": 2,
        }  # fmt: skip
        opened = self._portrait.change(
            self._open, self._portrait, [self._sitting, self._stage], concurrency_limit=2
        )
        opened.success(self._preview, **look)
        gr.on([*(slider.change for slider in sliders), self._linked.change], self._preview, **look)
        rest = [slider.value for slider in sliders]
        self._reset.click(lambda: rest, None, sliders, show_progress="hidden")
        self._add.click(
            self._added, [self._sitting, self._linked, self._keys, self._at, *sliders],
            [self._keys, self._strip, self._at, self._progress],
        )  # fmt: skip
        self._strip.click(self._touched, [self._keys], [self._keys, self._strip, self._at, *sliders])
        self._clear.click(lambda: ([], shown_keys([]), 0.0), None, [self._keys, self._strip, self._at])
        self._play.click(self._played, [self._sitting, self._keys], [self._stage, self._progress])
        shown = [self._progress, self._files]
        self._picture.click(
            self._as_picture,
            [self._portrait, self._engine, self._linked, *sliders],
            shown,
            concurrency_limit=None,
        )
        self._video.click(
            self._as_video,
            [self._portrait, self._engine, self._keys, self._linked, *sliders],
            shown,
            concurrency_limit=None,
        )
        made = self._make_script.click(self._as_script, self._keys, [self._script, self._progress])
        made.success(None, None, None, js="() => document.querySelector('#export-script')?.click()")

    def _open(self, path: str | None, request: gr.Request) -> tuple[str, str]:
        if path is None:
            return "", _EMPTY
        try:
            return self._studio.open(owner_of(request), path), gr.skip()
        except PortrayalError as error:
            return "", stage.failed(str(error), line=False)

    def _preview(self, request: gr.Request, token: str, linked: bool, *values: float) -> str:
        """The portrait with the sliders as they are."""
        if not token:
            return gr.skip()
        try:
            sitting = self._studio.sitting(owner_of(request), token)
            changed = sitting.changed(self._set(linked, values))
        except PortrayalError as error:
            return stage.failed(str(error), line=False)
        return _before_and_after(jpeg(sitting.portrait.rgb), jpeg(changed))

    def _set(self, linked: bool, values: tuple[float, ...]) -> dict[str, float]:
        return set_values(self._sliders, values, linked)

    def _added(
        self, request: gr.Request, token: str, linked: bool, keys: list[Key], at: float, *values: float
    ) -> tuple[Any, ...]:
        try:
            if len(keys) >= _MOST:
                raise UsageError(f"there are {_MOST} key frames, the most there may be")
            sitting = self._studio.sitting(owner_of(request), token)
        except PortrayalError as error:
            said = "choose a portrait first" if not token else str(error)
            return keys, gr.skip(), gr.skip(), stage.trouble(said)
        chosen, at = self._set(linked, values), round(float(at or 0), 2)
        key: Key = {"at": at, "values": chosen, "picture": _inline(jpeg(sitting.changed(chosen)))}
        keys = sorted([*(k for k in keys if k["at"] != at), key], key=lambda each: each["at"])
        return keys, shown_keys(keys), round(keys[-1]["at"] + _STEP, 2), stage.idle()

    def _touched(self, keys: list[Key], event: gr.EventData) -> tuple[Any, ...]:
        """A key frame was chosen, or is to go."""
        number, act = int(event.key), event.act
        if not 0 <= number < len(keys):
            return gr.skip()
        if act == "remove":
            keys = [key for i, key in enumerate(keys) if i != number]
            return keys, shown_keys(keys), gr.skip(), *(gr.skip() for _ in self._sliders)
        chosen = keys[number]
        values = [chosen["values"].get(name, slider.value) for name, slider in self._sliders.items()]
        return keys, shown_keys(keys, number), chosen["at"], *values

    def _played(self, token: str, keys: list[Key], request: gr.Request) -> Iterator[tuple[str, str]]:
        """The motion, on the stage, with the puppet."""
        import time

        try:
            sitting = self._studio.sitting(owner_of(request), token)
            motion = motion_of(keys, fps=12)
        except PortrayalError as error:
            yield gr.skip(), stage.trouble(str(error) if token else "choose a portrait first")
            return
        before, begun = jpeg(sitting.portrait.rgb), time.monotonic()
        for number, rgb in enumerate(sitting.acted(motion)):
            time.sleep(max(0.0, begun + number / 12 - time.monotonic()))
            yield _before_and_after(before, jpeg(rgb)), stage.idle()

    def _as_picture(
        self, request: gr.Request, portrait: str | None, engine: str, linked: bool, *values: float
    ) -> Iterator[tuple[str, str]]:
        yield from self._made(request, portrait, engine, None, dict(self._set(linked, values)))

    def _as_video(
        self,
        request: gr.Request,
        portrait: str | None,
        engine: str,
        keys: list[Key],
        linked: bool,
        *values: float,
    ) -> Iterator[tuple[str, str]]:
        """The key frames, or, where there are none, a portrait that moves to where the sliders are."""
        if keys:
            yield from self._made(request, portrait, engine, _written(keys), {})
        else:
            yield from self._made(
                request, portrait, engine, None, self._set(linked, values) | {"moving": True}
            )

    def _made(
        self,
        request: gr.Request,
        portrait: str | None,
        engine: str,
        script: Path | None,
        options: dict[str, Any],
    ) -> Iterator[tuple[str, str]]:
        """A job of it, followed to its end."""
        owner = owner_of(request)
        try:
            if portrait is None:
                raise UsageError("choose a portrait first")
            files = {"portrait": Path(portrait)} | ({} if script is None else {"script": script})
            id = self._jobs.submit(owner, Task("edit", engine, files, None, options)).id
            for job in followed(self._jobs, owner, id):
                yield stage.progress(job), stage.downloads(job)
        except PortrayalError as error:
            yield stage.trouble(str(error)), stage.downloads(None)

    def _as_script(self, keys: list[Key]) -> tuple[Any, str]:
        try:
            path = _written(keys)
        except PortrayalError as error:
            raise gr.Error(str(error), print_exception=False) from error
        return gr.DownloadButton(value=str(path)), stage.said("The script is saved.")


def _written(keys: list[Key]) -> Path:
    """The script of key frames, as a file."""
    import yaml

    path = new_folder() / "motion.yaml"
    path.write_text(yaml.safe_dump(script_of(keys), sort_keys=False), encoding="utf-8")
    return path


def _before_and_after(before: bytes, after: bytes) -> str:
    """Two pictures in one place, and a handle to see the one or the other."""
    return (
        f'<div class="stage both"><img alt="The portrait as it was" src="{_inline(before)}">'
        f'<img class="after" alt="The portrait, changed" src="{_inline(after)}">'
        '<span class="badge">before | after</span>'
        '<input class="cut" type="range" min="0" max="100" value="0" aria-label="Where before ends and after '
        'begins, from the left"></div>'
    )


def _inline(data: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()
