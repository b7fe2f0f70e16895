"""What Wan-Animate is steered by, made of a portrait and a driving; and the command that shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.cbook import get_sample_data

from conftest import Ran, scenery, swaying
from portrayal import Driving, PortrayalError
from portrayal.engines.wananimate.conditions import Condition
from portrayal.engines.wananimate.masks import Seen
from portrayal.engines.wananimate.preprocess import conditions
from portrayal.media.image import read_image

SIZE = (192, 208)


@pytest.fixture(scope="module")
def hopper() -> np.ndarray:
    rgb = read_image(get_sample_data("grace_hopper.jpg", asfileobj=False)).rgb[:520]
    return cv2.resize(rgb, (256, 260), interpolation=cv2.INTER_AREA)


def empty(rgb: np.ndarray) -> np.ndarray:
    return np.full_like(rgb, 30)


@pytest.mark.parametrize("retarget", [True, False])
@pytest.mark.parametrize("compat", [True, False])
def test_to_animate_there_is_a_skeleton_and_a_face_for_every_frame(
    hopper: np.ndarray, retarget: bool, compat: bool
) -> None:
    frames = [empty(hopper), *swaying(hopper, 3)]
    made = list(conditions(hopper, frames, SIZE, "animate", retarget, compat, smooth=0))
    assert len(made) == 4
    assert not made[0].pose.any() and not made[0].face.any()
    for each in made[1:]:
        assert each.pose.shape == (SIZE[1], SIZE[0], 3) and each.face.shape == (512, 512, 3)
        assert each.background is None and each.mask is None
        assert each.pose.any() and each.face.std() > 20
    assert (made[1].pose != made[3].pose).any()


def test_the_skeleton_stands_where_the_portrait_does(hopper: np.ndarray) -> None:
    aside = np.full((300, 600, 3), 90, np.uint8)
    aside[40:300, 300:556] = hopper
    [own] = conditions(hopper, [hopper], SIZE, retarget=False, smooth=0)
    [moved] = conditions(hopper, [aside], SIZE, retarget=True, smooth=0)
    [still] = conditions(hopper, [aside], SIZE, retarget=False, smooth=0)
    assert np.abs(centre(moved.pose) - centre(own.pose)).max() < 12
    assert np.abs(centre(still.pose) - centre(own.pose)).max() > 30


def centre(pose: np.ndarray) -> np.ndarray:
    return np.array([where.mean() for where in np.nonzero(pose.any(-1))])


def test_limbs_need_a_portrait_that_has_some(hopper: np.ndarray) -> None:
    with pytest.raises(PortrayalError, match="no body found in the portrait"):
        conditions(scenery(0), [hopper], SIZE)


def test_to_replace_there_is_what_is_left_of_the_frame(
    hopper: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    frames = [empty(hopper), *swaying(hopper, 3)]
    made = list(conditions(hopper, frames, (256, 256), "replace", smooth=0))
    assert [record.getMessage() for record in caplog.records] == [
        "frame 0: nobody is found in it; in such frames nothing is replaced"
    ]
    first, *rest = made
    assert first.mask is not None and first.background is not None
    assert not first.mask.any() and (first.background[:, 20:-20] == 30).all()
    for each in rest:
        assert each.mask is not None and each.background is not None
        assert set(np.unique(each.mask)) == {0, 255} and 0.2 < (each.mask > 0).mean() < 0.9
        assert not each.background[each.mask > 0].any() and each.background[each.mask == 0].any()
        assert each.mask[each.pose.any(-1)].mean() > 0.9 * 255  # the skeleton is within the person


class Counting:
    """A segmenter that keeps how many frames it was given at once."""

    chunk = 3

    def __init__(self) -> None:
        self.given: list[int] = []

    def __call__(self, frames: Sequence[Seen]) -> list[np.ndarray]:
        self.given.append(len(frames))
        return [np.zeros(rgb.shape[:2], np.uint8) for rgb, _ in frames]


@pytest.mark.parametrize("mode", ["animate", "replace"])
def test_a_long_driving_is_read_as_it_is_needed(hopper: np.ndarray, mode: str) -> None:
    read: list[int] = []

    def frames() -> Iterator[np.ndarray]:
        for i, rgb in enumerate(swaying(hopper, 1000)):
            read.append(i)
            yield rgb

    segmenter = Counting()
    made = conditions(hopper, frames(), SIZE, mode, segment=segmenter)  # type: ignore[arg-type]
    for _ in range(4):
        assert isinstance(next(made), Condition)
    assert len(read) < 16 and set(segmenter.given) <= {3}


def test_the_command_draws_the_skeleton_with_sound(media: Path, command: Callable[..., Ran]) -> None:
    ran = command("pose", media / "talk.mp4", "-o", "pose.mp4")
    assert (ran.status, ran.out, ran.err) == (0, "pose.mp4\n", "")
    drawn, driving = Driving.open("pose.mp4"), Driving.open(media / "talk.mp4")
    assert drawn.fps == driving.fps and drawn.count == driving.count and drawn.audio is not None
    frames = list(drawn.frames)
    assert frames[0].shape == next(iter(driving.frames)).shape
    assert np.median(frames[0]) < 10 and all(rgb.max() > 100 for rgb in frames)


def test_the_command_draws_over_the_video_and_over_a_portrait(
    media: Path, command: Callable[..., Ran]
) -> None:
    hopper = read_image(media / "hopper.png").rgb
    assert command("pose", media / "talk.mp4", "-o", "over.png", "--overlay", "--no-smooth").status == 0
    over = read_image(Path("over.png")).rgb
    assert over.shape == hopper.shape and np.median(np.abs(over.astype(int) - hopper)) < 8
    ran = command("pose", media / "talk.mp4", "-o", "on.png", "--portrait", media / "hopper.png")
    assert ran.status == 0, ran.err
    on = read_image(Path("on.png")).rgb
    assert on.shape[0] % 16 == 0 and 350_000 < on.shape[0] * on.shape[1] < 400_000


def test_the_command_says_what_it_cannot_draw(media: Path, command: Callable[..., Ran]) -> None:
    ran = command("pose", media / "talk.mp4", "-o", "x.mp4", "--portrait", media / "scenery.mp4")
    assert ran.status == 1 and "no body found in the portrait" in ran.err and not Path("x.mp4").exists()
    ran = command("pose", media / "scenery.mp4", "-o", "x.mp4")
    assert ran.status == 1 and "no body found in the driving" in ran.err and not Path("x.mp4").exists()
    ran = command("pose", media / "voice.wav", "-o", "x.mp4")
    assert ran.status == 1 and "no pictures" in ran.err and ran.err.count("\n") == 1


def test_a_figure_in_the_distance_drives_a_face_nearby(hopper: np.ndarray) -> None:
    far = np.full((720, 960, 3), 90, np.uint8)
    far[400:660, 100:356] = hopper
    near = np.ascontiguousarray(hopper[20:, 20:230])
    [made] = conditions(near, [far], SIZE, smooth=0)
    [own] = conditions(near, [near], SIZE, smooth=0)
    sizes = [np.ptp(np.nonzero(each.pose.any(-1))[1]) for each in (made, own)]
    assert abs(sizes[0] / sizes[1] - 1) < 0.15
    assert np.abs(centre(made.pose) - centre(own.pose)).max() < 12
