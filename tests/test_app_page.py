"""The page's parts without a browser: components made of models, sliders, key frames, strangers' pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
import yaml
from fastapi import FastAPI
from pydantic import Field
from starlette.testclient import TestClient

from conftest import Bars, BarsOptions
from portrayal import Motion
from portrayal import engines as registry
from portrayal.app.jobs.check import engine_fields, request_fields
from portrayal.app.jobs.task import Job, Task
from portrayal.app.limits import Limits
from portrayal.app.page import engines, stage
from portrayal.app.page.face_sliders import COMMON, grouped_sliders, set_values
from portrayal.app.page.options import component, given, headed, step_of
from portrayal.app.page.shelf import _listed
from portrayal.app.page.socket import _decoded, router
from portrayal.app.page.strip import shown_keys
from portrayal.app.page.studio import Studio, jpeg, motion_of, script_of
from portrayal.app.small import shrink
from portrayal.engines import engine_options, list_engines
from portrayal.errors import PortrayalError
from portrayal.media.image import read_image, write_image
from portrayal.motion_script import HEAD
from portrayal.requests import sliders

ENGINES = [info.name for info in list_engines()]


def made(name: str) -> Any:
    return component(name, BarsOptions.model_fields[name])


def test_an_option_becomes_what_sets_it() -> None:
    height, ink, strength = made("bar_height"), made("bar_ink"), made("strength")
    assert isinstance(height, gr.Slider)
    assert (height.minimum, height.maximum, height.value, height.step) == (1, 64, 4, 1)
    assert isinstance(ink, gr.Radio) and ink.choices == [("red", "red"), ("blue", "blue")]
    assert strength.label == "Strength" and strength.info.startswith("How strongly to move")
    assert isinstance(made("absolute"), gr.Checkbox) and isinstance(made("seed"), gr.Number)
    reference = made("reference_frame")
    assert isinstance(reference, gr.Dropdown) and reference.allow_custom_value
    assert [value for _, value in reference.choices] == ["auto", "neutral"]


@pytest.mark.parametrize("name", ENGINES)
def test_every_option_of_an_engine_is_on_the_page_and_says_nothing_until_it_is_changed(name: str) -> None:
    fields = request_fields("animate") | engine_fields(name)
    groups = headed(fields, engine_options(name))
    assert sorted(each for names in groups.values() for each in names) == sorted(fields)
    values = {each: component(each, field).value for each, field in fields.items()}
    assert given(fields, values) == {}
    engine_options(name)(**given(fields, {"strength": 0.5, "seed": 3}))
    assert "What moves" not in groups or next(iter(groups)) == "What moves"


def test_typed_values_go_through_as_they_are() -> None:
    fields = request_fields("animate")
    assert given(fields, {"size": "512", "start": "", "fps": None, "crop": True, "face": "largest"}) == {
        "size": "512", "crop": True,
    }  # fmt: skip


def test_steps_are_round() -> None:
    assert [step_of(*ends) for ends in ((0, 1), (-30, 30), (0, 5), (-90, 120))] == [0.01, 0.5, 0.05, 2]


def test_every_slider_is_in_one_group_the_common_ones_first() -> None:
    groups = grouped_sliders()
    names = [slider.name for members in groups.values() for slider in members]
    assert sorted(names) == sorted(slider.name for slider in sliders()) and len(names) == 52 + len(HEAD)
    assert next(iter(groups)) == "Most used" and names[: len(COMMON)] == list(COMMON)
    assert {"eye-look-up-left", "eye-look-in-right"} <= {slider.name for slider in groups["Gaze"]}


def test_left_and_right_move_together_where_they_are_linked() -> None:
    names = ["mouth-smile-left", "mouth-smile-right", "eye-look-in-left", "eye-look-in-right", "scale", "yaw"]
    values = [0.8, 0.0, 0.5, 0.0, 1.0, -7.0]
    apart = {"mouth-smile-left": 0.8, "eye-look-in-left": 0.5, "yaw": -7.0}
    assert set_values(names, values, linked=False) == apart
    assert set_values(names, values, linked=True) == apart | {"mouth-smile-right": 0.8}


def test_key_frames_make_a_script_that_a_motion_is_read_from(tmp_path: Path) -> None:
    keys: Any = [
        {"at": 1.0, "values": {"scale": 1.2}, "picture": ""},
        {"at": 0.0, "values": {"pitch": 10.0}, "picture": ""},
    ]
    (tmp_path / "motion.yaml").write_text(yaml.safe_dump(script_of(keys)))
    motion = Motion.from_script(tmp_path / "motion.yaml")
    assert len(motion) == 26
    assert motion.rotation[0, 0] == 10 and motion.rotation[-1, 0] == pytest.approx(0, abs=1e-3)
    assert motion.scale[0] == 1 and motion.scale[-1] == pytest.approx(1.2)
    assert len(motion_of(keys, fps=10)) == 11
    with pytest.raises(PortrayalError, match="no key frames yet"):
        script_of([])
    assert shown_keys(keys, 1).count("<li>") == 2 and "No key frames" in shown_keys([])


def test_a_picture_of_a_stranger_is_read_by_a_process_of_its_own(media: Path, tmp_path: Path) -> None:
    shrink(media / "hopper.png", tmp_path / "small.png", 128, 10**6)
    assert max(read_image(tmp_path / "small.png").rgb.shape) == 128
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 99)
    for path, pixels in ((tmp_path / "bad.png", 10**6), (media / "hopper.png", 1000)):
        with pytest.raises(PortrayalError, match="the picture") as caught:
            shrink(path, tmp_path / "other.png", 128, pixels)
        assert str(tmp_path) not in str(caught.value)
    assert not (tmp_path / "other.png").exists()


def test_a_sitting_is_its_owners_and_draws_what_the_sliders_say(media: Path, tmp_path: Path) -> None:
    studio = Studio(Limits())
    token = studio.open("anna", str(media / "hopper.png"))
    assert studio.open("anna", str(media / "hopper.png")) == token
    sitting = studio.sitting("anna", token)
    with pytest.raises(PortrayalError, match="choose it again"):
        studio.sitting("ben", token)
    rest, shut = sitting.changed({}), sitting.changed({"eye-blink-left": 1.0, "eye-blink-right": 1.0})
    assert rest.shape == sitting.portrait.rgb.shape
    assert np.abs(shut.astype(int) - rest).max() > 40
    write_image(tmp_path / "wall.png", np.full((200, 200, 3), 128, np.uint8))
    with pytest.raises(PortrayalError, match="the picture: no face"):
        studio.open("anna", str(tmp_path / "wall.png"))


def test_a_camera_sends_small_jpegs_and_nothing_else_is_decoded() -> None:
    small, large = (jpeg(np.full((height, 64, 3), 90, np.uint8)) for height in (48, 2000))
    seen = _decoded(small)
    assert seen is not None and seen.shape == (48, 64, 3)
    for data in (b"", b"\xff\xd8", large, small[:200], b"\x89PNG" + small):
        assert _decoded(data) is None


def test_a_job_is_shown_as_it_stands_and_names_are_only_text() -> None:
    task = Task("animate", "puppet", {}, "<b>hi</b>", {}, {"portrait": "<script>.png"})
    job = Job("0" * 32, task, "running", 3, 12, 4.0)
    running = stage.shown(job)
    assert "3 of 12 frames" in running and "2 s left" in running and 'aria-valuenow="25"' in running
    failed = stage.shown(Job("0" * 32, task, "failed", message="<i>no face</i>"))
    assert "&lt;i&gt;no face" in failed and "<i>no" not in failed
    done = Job("0" * 32, task, "done", results={"video": Path("a.mp4"), "sheet": Path("s.jpg")})
    assert "<video" in stage.shown(done) and "<img" in stage.shown(done, "Contact sheet")
    assert stage.downloads(done).count("href=") == 2
    assert "<script>" not in _listed([job]) and "<b>hi" not in _listed([job])


def test_an_engine_says_what_it_needs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PORTRAYAL_WEIGHTS", str(tmp_path))
    assert "needs no weights" in engines.card("puppet") and engines.fetchable("puppet") is None
    assert "weights are missing" in engines.card("liveportrait")
    assert engines.fetchable("liveportrait") == "Get the weights (522 MB, licence MIT)"


class LooseOptions(BarsOptions):
    weights: str = Field("", description="A path of the server")


class Loose(Bars):
    info = replace(Bars.info, name="loose", live=True)
    Options = LooseOptions


def test_a_live_session_takes_the_options_that_strangers_may_set(
    media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_registered", {"loose": Loose})
    studio, app = Studio(), FastAPI()
    app.include_router(router(studio))
    sitting = studio.open("a" * 20, str(media / "hopper.png"))
    address = f"/live?sitting={sitting}&engine=loose&strength=1&smooth=0"
    with (
        TestClient(app, headers={"X-Portrayal-Owner": "a" * 20}) as client,
        client.websocket_connect(address) as live,
    ):
        live.send_json({"options": {"bar_height": 9}})
        live.send_json({"options": {"weights": "/etc/passwd"}})
        assert live.receive_json()["failed"].startswith("weights: no such option of loose here")
        live.send_json({"options": {"bar_height": 99}})
        assert live.receive_json()["failed"].startswith("loose: --bar-height: should be")
