"""The tab Live: the browser's camera drives the portrait, over a web socket of its own."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from portrayal.app.owner import owner_of
from portrayal.app.page import stage
from portrayal.app.page.studio import Studio
from portrayal.app.page.visitor import example_portrait, lent
from portrayal.engines import list_engines
from portrayal.errors import PortrayalError

_HERE = Path(__file__).parent


class LiveTab:
    """Builds the tab inside a Blocks context. Pictures go to :mod:`portrayal.app.page.socket`."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        with gr.Row(elem_classes="two-columns"):
            with gr.Column(scale=6, min_width=320, elem_classes="stay"):
                self._view = gr.HTML(
                    {"sitting": "", "engine": "puppet", "strength": 1.0, "smooth": 0.5}, elem_id="live",
                    html_template=(_HERE / "live.html").read_text(encoding="utf-8"),
                    js_on_load=(_HERE / "live.js").read_text(encoding="utf-8"),
                )  # fmt: skip
            with gr.Column(scale=4, min_width=300):
                with gr.Column(elem_classes="first"):
                    portrait, trouble = _portrait()
                gr.HTML('<h2 class="section-title"><b>2</b>How it moves</h2>')
                engine = gr.Dropdown(_engines(), value="puppet", label="Engine")
                strength = gr.Slider(0, 2, value=1, step=0.05, label="Strength", info="1 as you move")
                smooth = gr.Slider(0, 1, value=0.5, step=0.05, label="Smoothing", info="0 none, 1 strong")
                gr.HTML(
                    '<p class="consent">Start the camera, look at it with a calm face, and press Calibrate. '
                    "Pictures of your camera go to this server only, and are not kept.</p>"
                )
        sitting = gr.State("")
        opened = portrait.change(self._open, portrait, [sitting, trouble], concurrency_limit=2)
        settings = [sitting, engine, strength, smooth]
        opened.then(_settings, settings, self._view, show_progress="hidden")
        gr.on(
            [engine.change, strength.release, smooth.release], _settings, settings, self._view,
            show_progress="hidden",
        )  # fmt: skip

    def _open(self, path: str | None, request: gr.Request) -> tuple[str, str]:
        if path is None:
            return "", stage.idle()
        try:
            return self._studio.open(owner_of(request), path), stage.idle()
        except PortrayalError as error:
            return "", stage.trouble(str(error))


def _portrait() -> tuple[gr.Image, gr.HTML]:
    """What to choose a portrait with, and where it is said what is wrong with it."""
    gr.HTML('<h2 class="section-title"><b>1</b>Portrait</h2>')
    portrait = gr.Image(
        type="filepath", image_mode=None, sources=["upload", "clipboard"], height=220,
        label="Portrait: a picture with a face", elem_id="live-portrait", interactive=True,
    )  # fmt: skip
    photo = example_portrait()
    if photo is not None:
        example = gr.Button("Use the example: Grace Hopper (public domain)", size="sm")
        example.click(lambda: lent(photo), None, portrait)
    return portrait, gr.HTML(stage.idle(), elem_id="live-trouble")


def _settings(sitting: str, engine: str, strength: float, smooth: float) -> dict[str, object]:
    return {"sitting": sitting, "engine": engine, "strength": strength, "smooth": smooth}


def _engines() -> list[str]:
    """Those that can follow a camera, and have all they need."""
    return [i.name for i in list_engines() if i.live and i.installed and i.weights_here is not False]
