"""Portraits: pictures and videos in, faces found, errors that say what was searched for."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from matplotlib.cbook import get_sample_data
from PIL import Image

from portrayal import Driving, Portrait, PortrayalError, UsageError, load_engine
from portrayal.media.audio import Waveform
from portrayal.media.image import read_image, write_image
from portrayal.media.write import write_video
from portrayal.motion import Motion

HOPPER = Path(str(get_sample_data("grace_hopper.jpg", asfileobj=False)))


@pytest.fixture(scope="module")
def two_faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grace Hopper twice, the one on the right larger."""
    rgb = read_image(HOPPER).rgb[:480]
    small = np.asarray(Image.fromarray(rgb).resize((384, 360)))
    picture = np.zeros((480, 896, 3), np.uint8)
    picture[120:, :384], picture[:, 384:] = small, rgb
    path = tmp_path_factory.mktemp("two") / "two faces.png"
    write_image(path, picture)
    return path


def test_a_picture_with_its_face() -> None:
    portrait = Portrait.open(HOPPER)
    assert portrait.rgb.shape == (600, 512, 3) and portrait.size == (512, 600)
    assert portrait.name == "grace_hopper" and portrait.path == HOPPER
    assert portrait.video is None and portrait.alpha is None
    (face,) = portrait.faces
    left, top, right, bottom = face.box
    assert 150 < left < 200 and 330 < right < 380 and 110 < top < 160 and 310 < bottom < 360
    crop = portrait.crop_box()
    assert crop[2] - crop[0] == crop[3] - crop[1] and (crop[2] - crop[0]) % 2 == 0
    assert 0 <= crop[0] < left < right < crop[2] <= 512 and 0 <= crop[1] < top < bottom < crop[3] <= 600


def test_which_face(two_faces: Path) -> None:
    def centre(choice: object) -> list[int]:
        return [int(f.centre[0] // 384) for f in Portrait.open(two_faces, face=choice).faces]  # type: ignore

    assert centre("largest") == centre("right") == centre(1) == [1]
    assert centre("left") == centre(0) == [0]
    assert centre("all") == [0, 1]
    with pytest.raises(PortrayalError, match=r"two faces\.png: there is no face number 2: found 2"):
        Portrait.open(two_faces, face=2)


def test_size_is_the_longest_side(tmp_path: Path) -> None:
    rgba = np.dstack([read_image(HOPPER).rgb, np.full((600, 512), 128, np.uint8)])
    Image.fromarray(rgba).save(tmp_path / "a.png")
    portrait = Portrait.open(tmp_path / "a.png", size=300)
    assert portrait.size == (256, 300)
    assert portrait.alpha is not None and portrait.alpha.shape == (300, 256)
    assert np.allclose(portrait.faces[0].centre * 2, Portrait.open(HOPPER).faces[0].centre, atol=6)
    with pytest.raises(UsageError, match="--size"):
        Portrait.open(HOPPER, size=3)


def test_a_video_is_a_portrait_too(tmp_path: Path) -> None:
    rgb = read_image(HOPPER).rgb
    write_video(tmp_path / "p.mp4", (np.roll(rgb, 4 * i, axis=1) for i in range(8)), Fraction(4))
    portrait = Portrait.open(tmp_path / "p.mp4", start=1.0)
    assert portrait.video is not None and portrait.video.fps == 4
    frames = list(portrait.frames())
    assert len(frames) == 4 and np.array_equal(frames[0], portrait.rgb)
    still = Portrait.open(HOPPER).faces[0].centre
    assert portrait.faces[0].centre[0] - still[0] == pytest.approx(16, abs=3)


def test_a_picture_without_a_face_says_what_was_searched_for(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8)
    write_image(tmp_path / "noise.png", noise)
    with pytest.raises(
        PortrayalError, match=r"noise\.png: no face found in 120x90 pixels \(searched"
    ) as error:
        Portrait.open(tmp_path / "noise.png")
    assert "\n" not in str(error.value)
    write_image(tmp_path / "tiny.png", noise[:8, :8])
    with pytest.raises(PortrayalError, match=r"tiny\.png: no face found in 8x8"):
        Portrait.open(tmp_path / "tiny.png")
    with pytest.raises(PortrayalError, match="no face found in 120x90"):
        Portrait.from_array(noise)
    with pytest.raises(PortrayalError, match="uint8"):
        Portrait.from_array(noise.astype(np.float32))  # type: ignore[arg-type]


def test_files_that_are_no_portrait(tmp_path: Path) -> None:
    write_video(
        tmp_path / "v.mp4",
        [np.zeros((64, 64, 3), np.uint8)] * 4,
        Fraction(4),
        audio=Waveform(np.zeros(16000, np.float32), 16000),
    )
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "folder").mkdir()
    for name, said in (
        ("v.mp4", "no face found"),
        ("text.jpg", "text.jpg"),
        ("empty.jpg", "empty"),
        ("missing.jpg", "no such file"),
        ("folder", "no pictures"),
    ):
        with pytest.raises(PortrayalError, match=said):
            Portrait.open(tmp_path / name)
    with pytest.raises(PortrayalError, match="megapixels"):
        Portrait.open(HOPPER, max_pixels=1000)


def test_a_portrait_whose_faces_are_not_looked_for_opens_without_any(tmp_path: Path) -> None:
    picture = tmp_path / "plain.png"
    write_image(picture, np.full((40, 61, 3), 120, np.uint8))
    portrait = Portrait.open(picture, face="none")
    assert portrait.faces == []
    assert portrait.crop_box() == (0, 0, 60, 40)
    with pytest.raises(PortrayalError, match="puppet needs a face"):
        load_engine("puppet").animate(portrait, Driving.from_motion(Motion.from_sliders({"jaw-open": 1})))
