"""LivePortrait from files to files: the recorded run of the published pipeline, and the command line on small
networks."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from conftest import Ran
from golden.liveportrait import tiny
from golden.liveportrait.cases import face_points, golden
from golden.liveportrait.weights import SHAPES, seeded_state_dict
from golden.seeded import smooth_image
from portrayal import Driving, Portrait, load_engine
from portrayal.engines.liveportrait.checkpoint import load_checkpoint
from portrayal.engines.liveportrait.crop import (
    DRIVING_SCALE,
    DRIVING_SHIFT,
    Anchors,
    Square,
    driving_input,
    mean_square,
    source_input,
)
from portrayal.engines.liveportrait.inference import Inference
from portrayal.engines.liveportrait.paste import Paste
from portrayal.engines.liveportrait.transfer import Rules, Transfer
from portrayal.media.image import read_image, write_image
from portrayal.media.video import VideoReader
from portrayal.media.write import write_video
from portrayal.motion import Motion

Rgb = np.ndarray


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    tiny.write_pth(folder, tiny.plain_networks())
    return folder


@pytest.fixture(scope="module")
def hopper(media: Path) -> Portrait:
    return Portrait.open(media / "hopper.png")


def frames(portrait: Portrait, driving: Driving, weights: Path, **options: object) -> list[Rgb]:
    clip = load_engine("liveportrait").animate(portrait, driving, weights=str(weights), **options)
    return list(clip)


def mirrored(media: Path) -> Path:
    """Another picture of the same face."""
    path = media / "mirrored.png"
    write_image(path, np.ascontiguousarray(read_image(media / "hopper.png").rgb[:, ::-1]), overwrite=True)
    return path


def changed(a: Rgb, b: Rgb) -> Rgb:
    """(H, W) where two pictures differ."""
    return (a != b).any(-1)


def test_a_whole_run_is_that_of_the_published_code(tmp_path: Path) -> None:
    networks = {name: seeded_state_dict(name, tame=True) for name in SHAPES}
    tiny.write_states(tmp_path, networks)
    inference = Inference(load_checkpoint(tmp_path), torch.device("cpu"), torch.float32)
    case = golden("end_to_end")
    photo = smooth_image("photo", 640)[:, :600].copy()
    square = Square.around(Anchors.of(face_points(106, "src", (310, 330), 120, 11)))
    picture = source_input(square.cut(photo))
    np.testing.assert_allclose(picture[::4, ::4].astype(int), case["src_crop256"], atol=1)
    own = inference.motion(picture[None])
    np.testing.assert_allclose(own.keypoints, case["x_s"], atol=5e-4)

    places = [
        Anchors.of(face_points(203, f"drv{i}", (250, 240), 110, -7, lip, eye))
        for i, (lip, eye) in enumerate([(0.05, 0.3), (0.3, 0.05)])
    ]
    box = mean_square([Square.around(place, DRIVING_SCALE, DRIVING_SHIFT).upright for place in places])
    crops = [box.cut(smooth_image(f"drv{i}", 512)[:480].copy()) for i in range(2)]
    driving = inference.motion(np.stack([driving_input(crop) for crop in crops]))
    np.testing.assert_allclose(driving.expression, case["drv_exp"], atol=1e-4)
    np.testing.assert_allclose(driving.rotation, case["drv_R"], atol=5e-4)

    keypoints = Transfer(Rules(), inference.retargeting, own, driving[0]).keypoints(driving)
    np.testing.assert_allclose(keypoints, case["x_d"], atol=5e-4)
    face = inference.render(inference.source(picture, own.keypoints), keypoints[1:])[0]
    wanted = np.floor(case["out"].transpose(1, 2, 0) * 255)
    assert np.abs(face[::8, ::8] - wanted).mean() < 0.5  # crops are off by a level here and there
    Paste(square, (600, 640))(photo, face)
    difference = np.abs(photo[::5, ::5].astype(int) - case["pasted"])
    assert difference.mean() < 0.5 and difference.max() <= 8


def test_the_command_line_makes_a_video_with_the_drivings_sound(
    command: Callable[..., Ran], media: Path, weights: Path
) -> None:
    ran = command(
        "animate", media / "hopper.png", media / "talk.mp4", "--engine", "liveportrait", "--weights", weights
    )
    assert (ran.status, ran.err) == (0, "")
    made, driven = VideoReader(Path("hopper-talk.mp4")), VideoReader(media / "talk.mp4")
    assert len(list(made)) == len(list(driven)) == 12
    assert made.fps == driven.fps and made.info.has_audio
    assert (made.info.width, made.info.height) == (256, 260)


def test_the_picture_changes_within_the_crop_only(media: Path, hopper: Portrait, weights: Path) -> None:
    made = frames(hopper, Driving.open(media / "talk.mp4"), weights)
    face = hopper.faces[0]
    square = Square.around(Anchors.of_mesh(face.landmarks))
    height, width = hopper.rgb.shape[:2]
    places = np.stack([*np.meshgrid(np.arange(width), np.arange(height)), np.ones((height, width))], -1)
    inside = (np.abs(places @ square.matrix(512)[:2].T - 256) <= 258).all(-1)
    assert not inside.all()
    for frame in made:
        assert not changed(frame, hopper.rgb)[~inside].any()
        assert changed(frame, hopper.rgb)[inside].mean() > 0.9  # these networks know no faces
    assert changed(made[0], made[6]).any()


@pytest.mark.parametrize(
    "driving",
    [
        pytest.param(lambda media: Driving.open(media / "voice.wav"), id="voice"),
        pytest.param(lambda media: Driving.from_text("Hi"), id="text"),
        pytest.param(lambda media: Driving.open(mirrored(media), end=0.4), id="picture"),
        pytest.param(
            lambda media: Driving.from_motion(
                Motion.from_script({"duration": 0.4, "keys": [{"at": 0.3, "jaw-open": 1, "yaw": 20}]})
            ),
            id="script",
        ),
    ],
)
def test_everything_drives_it(
    driving: Callable[[Path], Driving], media: Path, hopper: Portrait, weights: Path
) -> None:
    source = driving(media)
    made = frames(hopper, source, weights)
    assert len(made) == source.count
    differences = [np.abs(frame.astype(int) - made[0]).max() for frame in made]
    assert max(differences) > 0


def test_batches_are_the_same_frames(media: Path, hopper: Portrait, weights: Path) -> None:
    one = frames(hopper, Driving.open(media / "talk.mp4"), weights)
    several = frames(hopper, Driving.open(media / "talk.mp4"), weights, batch=5)
    for a, b in zip(one, several, strict=True):
        assert np.abs(a.astype(int) - b).max() <= 1


def test_sliders_at_rest_leave_the_keypoints_alone(hopper: Portrait, weights: Path) -> None:
    """The same crop as from no edit at all, to the bit; any slider makes another."""
    still = frames(hopper, Driving.from_motion(Motion.from_sliders({})), weights, stitching=False)[0]
    stitched = frames(hopper, Driving.from_motion(Motion.from_sliders({})), weights)[0]
    smiling = frames(hopper, Driving.from_motion(Motion.from_sliders({})), weights, smile=1.0)[0]
    assert np.array_equal(still, stitched)
    assert changed(smiling, still).any()


def test_editing_by_the_engines_own_sliders(command: Callable[..., Ran], media: Path, weights: Path) -> None:
    edit = ("edit", media / "hopper.png", "--engine", "liveportrait", "--weights", weights)
    assert command(*edit, "--smile", "1", "--aaa", "60", "-o", "a.png").status == 0
    assert command(*edit, "--yaw", "15", "-o", "b.png").status == 0
    assert (
        command(*edit, "--sample", media / "hopper.png", "--sample-part", "mouth", "-o", "c.png").status == 0
    )
    pictures = [read_image(Path(name)).rgb for name in ("a.png", "b.png", "c.png")]
    assert changed(pictures[0], pictures[1]).any() and changed(pictures[1], pictures[2]).any()
    nothing = command(*edit, "-o", "d.png")
    assert nothing.status == 2 and "nothing to change" in nothing.err
    Path("line.yaml").write_text("motions: {1: {smile: 1}}\ntimeline: |\n  1 = 3:2\n  0 = 2:1\n")
    assert command(*edit, "--script", "line.yaml", "-o", "line.mp4").status == 0
    assert len(list(VideoReader(Path("line.mp4")))) == 8


def test_every_face_moves_or_one(media: Path, hopper: Portrait, weights: Path, tmp_path: Path) -> None:
    write_image(tmp_path / "two.png", np.concatenate([hopper.rgb, hopper.rgb], 1))
    driving = Driving.from_motion(Motion.from_sliders({"jaw-open": 1}))
    half = hopper.rgb.shape[1]
    for face, moving in (("left", [True, False]), ("right", [False, True]), ("all", [True, True])):
        portrait = Portrait.open(tmp_path / "two.png", face=face)
        frame = frames(portrait, driving, weights, source_scale=1.2)[0]
        difference = changed(frame, portrait.rgb)
        assert [difference[:, :half].mean() > 0.1, difference[:, half:].mean() > 0.1] == moving


def test_a_portrait_that_is_a_video_keeps_its_own_frames(
    media: Path, weights: Path, tmp_path: Path, hopper: Portrait
) -> None:
    acted = Driving.from_motion(
        Motion.from_script({"duration": 0.5, "keys": [{"at": 0.4, "yaw": 12, "jaw-open": 0.4}]})
    )
    moving = islice(load_engine("puppet").animate(hopper, acted), 12)
    write_video(tmp_path / "moving.mp4", moving, Fraction(12), quality=100)
    portrait = Portrait.open(tmp_path / "moving.mp4")
    assert portrait.video is not None
    for smoothing in (3e-7, 1e-3):
        made = frames(portrait, Driving.open(media / "talk.mp4"), weights, smoothing=smoothing)
        assert len(made) == 12
        own = list(portrait.video.at(Fraction(12)))
        corners = np.zeros(own[0].shape[:2], bool)
        corners[-12:, :12] = corners[-12:, -12:] = True
        for frame, picture in zip(made, own * 2, strict=False):
            assert changed(frame, picture).mean() > 0.3
            assert changed(frame, picture)[corners].mean() < 0.5


def test_without_paste_back_it_is_the_crop(media: Path, hopper: Portrait, weights: Path) -> None:
    clip = load_engine("liveportrait").animate(
        hopper, Driving.open(media / "talk.mp4"), weights=str(weights), paste_back=False
    )
    assert clip.size == (512, 512)
    assert clip.first().shape == (512, 512, 3)


def test_animals_are_placed_by_hand(command: Callable[..., Ran], media: Path, weights: Path) -> None:
    tiny.write_pth(weights, tiny.plain_networks(seed=3), "liveportrait_animals/base_models_v1.1")
    scenery = next(iter(VideoReader(media / "scenery.mp4")))
    write_image(Path("cat.png"), scenery)
    animate = ("animate", "cat.png", media / "talk.mp4", "--engine", "liveportrait", "--weights", weights)
    assert "no face" in command(*animate).err
    assert command(*animate, "--animal", "--box", "30,30,70,70", "-o", "cat/").status == 0
    made = [read_image(path).rgb for path in sorted(Path("cat").iterdir())]
    assert len(made) == 12
    assert not changed(made[5], scenery)[:, 127].any() and changed(made[5], scenery)[50, 50]
    assert command(*animate, "--animal", "--box", "9,9,3,3").status == 2


def test_missing_weights_are_named(
    command: Callable[..., Ran], media: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PORTRAYAL_WEIGHTS", str(tmp_path / "none"))
    ran = command("animate", media / "hopper.png", media / "talk.mp4", "--engine", "liveportrait")
    assert ran.status == 1 and ran.err.count("\n") == 1
    assert "portrayal download liveportrait" in ran.err and "MB" in ran.err and "MIT" in ran.err
    assert not list(tmp_path.glob("*.mp4"))


def test_what_it_tracked_drives_it_again(
    command: Callable[..., Ran], media: Path, hopper: Portrait, weights: Path
) -> None:
    track = ("track", media / "talk.mp4", "--engine", "liveportrait", "--weights", weights)
    ran = command(*track, "-o", "t.npz")
    assert (ran.status, ran.out.strip()) == (0, "t.npz")
    template = Driving.open("t.npz")
    assert template.kind == "template" and template.fps == 12
    first = frames(hopper, Driving.open(media / "talk.mp4"), weights)
    again = frames(hopper, template, weights)
    for a, b in zip(first, again, strict=True):
        assert np.abs(a.astype(int) - b).max() <= 1
    assert command(*track, "-o", "t.csv").status == 2
