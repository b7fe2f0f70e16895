"""Every kind of driving gives LivePortrait a motion, with an extractor that stands in for the network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from golden.liveportrait.cases import GOLDEN, source
from portrayal.driving import Driving
from portrayal.engines.liveportrait.crop import portrait_square
from portrayal.engines.liveportrait.driver import drive
from portrayal.engines.liveportrait.info import OPTIONS
from portrayal.engines.liveportrait.keypoints import NEUTRAL, FaceMotion
from portrayal.engines.liveportrait.mapping import MotionMap
from portrayal.errors import PortrayalError
from portrayal.media.image import read_image
from portrayal.motion import Motion
from portrayal.track.find import find_faces

#: Sizes of the batches that the extractor was given.
SEEN: list[int] = []


def extract(pictures: np.ndarray) -> FaceMotion:
    """Tells pictures apart: jaw by the mean, head in the middle of the dark."""
    assert pictures.shape[1:] == (256, 256, 3) and pictures.dtype == np.uint8
    SEEN.append(len(pictures))
    count = len(pictures)
    expression = np.repeat(NEUTRAL[None], count, 0)
    expression[:, 19, 1] += pictures.mean((1, 2, 3)) / 1000
    return FaceMotion.from_angles(np.zeros((count, 3)), expression, np.zeros((count, 3)), np.ones(count))


def driven(driving: Driving, **options: Any) -> tuple[FaceMotion, list[FaceMotion]]:
    SEEN.clear()
    reference, frames = drive(driving, OPTIONS(**options), source()[0], MotionMap(), extract)
    return reference, [frame.motion for frame in frames]


def test_a_video_is_cropped_and_looked_at_in_batches(media: Path) -> None:
    reference, motions = driven(Driving.open(media / "talk.mp4"), batch=5)
    assert len(motions) == 12 and SEEN == [5, 5, 2]
    assert reference in motions
    assert all(m.eyes is not None and m.lips is not None and len(m) == 1 for m in motions)
    assert 0.1 < float(motions[0].eyes[0, 0]) < 0.6  # type: ignore[index]


def test_reference_frames_and_parity(media: Path) -> None:
    video = Driving.open(media / "talk.mp4")
    reference, motions = driven(video, reference_frame=7)
    assert reference is motions[7]
    reference, motions = driven(video, compat=True)
    assert reference is motions[0]
    reference, motions = driven(video, compat=True, reference_frame=3)
    assert reference is motions[3]


def test_a_still_box_lets_the_face_move_and_a_following_one_gives_it_back(media: Path) -> None:
    """The picture moves to and fro by 6 pixels: the crop's place comes back as the head's."""
    _, still = driven(Driving.open(media / "talk.mp4"), driving_crop="still")
    assert np.ptp([m.translation[0, 0] for m in still]) == 0  # what the extractor says, and it says 0
    _, followed = driven(Driving.open(media / "talk.mp4"), driving_crop="following")
    assert 0.01 < np.ptp([m.translation[0, 0] for m in followed]) < 0.2


def test_whole_pictures_need_no_face(media: Path) -> None:
    _, motions = driven(Driving.open(media / "scenery.mp4"))  # square: not cropped
    assert len(motions) == 12 and motions[0].eyes is None
    with pytest.raises(PortrayalError, match=r"scenery\.mp4: no face found in its first 5 seconds"):
        driven(Driving.open(media / "scenery.mp4"), driving_crop="still")
    with pytest.raises(PortrayalError, match="no face found"):
        driven(Driving.open(media / "scenery.mp4"), eye_retargeting=True)


def test_frames_are_read_as_they_come(media: Path) -> None:
    """A camera: nothing waits for an end."""
    taken = 0

    def camera() -> Iterator[np.ndarray]:
        nonlocal taken
        while True:
            taken += 1
            yield np.full((64, 64, 3), taken % 200, np.uint8)

    _, frames = drive(Driving.from_frames(camera, Fraction(4)), OPTIONS(), source()[0], MotionMap(), extract)
    for _ in range(10):
        next(frames)
    assert taken < 20


def test_one_picture_is_eased_in_and_held(media: Path) -> None:
    reference, motions = driven(Driving.open(media / "hopper.png"))
    assert len(motions) == 50 and SEEN == [1]
    assert np.abs(reference.expression - NEUTRAL).max() == 0
    jaw = [float(m.expression[0, 19, 1]) for m in motions]
    assert jaw[0] == pytest.approx(NEUTRAL[19, 1]) and jaw[5] < jaw[10] < jaw[15] == jaw[49]
    _, at_once = driven(Driving.open(media / "hopper.png"), absolute=True)
    assert at_once[0].expression[0, 19, 1] == pytest.approx(jaw[49])


def test_a_template_is_played_as_it_is() -> None:
    driving = Driving.open(GOLDEN / "template_new.pkl")
    reference, motions = driven(driving, reference_frame=0)
    assert not SEEN and len(motions) == 4 and reference is motions[0]
    assert driving.template is not None
    assert np.array_equal(FaceMotion.stack(motions).rotation, driving.template.motion.rotation)


def test_sounds_and_sliders_are_mapped(media: Path) -> None:
    driving = Driving.open(media / "voice.wav")
    reference, motions = driven(driving)
    assert not SEEN and len(motions) == driving.count
    assert np.abs(reference.expression - NEUTRAL).max() == 0
    assert np.ptp([m.expression[0, 19, 1] for m in motions]) > 0.005  # the jaw speaks
    _, held = driven(Driving.from_motion(Motion.from_sliders({"yaw": 10, "jaw-open": 0.5})))
    assert held[0].angles[0] == pytest.approx([0, -10, 0], abs=1e-3)


def test_sliders_of_a_script_come_along() -> None:
    motion = replace(
        Motion.from_sliders({"yaw": 10}, frames=2), sliders={"smile": np.array([0.5, 1], np.float32)}
    )
    _, frames = drive(Driving.from_motion(motion), OPTIONS(), source()[0], MotionMap(), extract)
    assert [frame.sliders for frame in frames] == [{"smile": 0.5}, {"smile": 1.0}]


def test_a_tracked_motion_is_relative_to_one_of_its_frames(media: Path) -> None:
    video = Driving.open(media / "talk.mp4")
    tracked = Motion.from_frames(video.fps, list(video.motion))
    reference, motions = driven(Driving.from_motion(tracked), reference_frame=4)
    assert not SEEN and len(motions) == 12
    assert np.array_equal(reference.expression, motions[4].expression)
    with pytest.raises(PortrayalError, match="has 12 frames"):
        driven(Driving.from_motion(tracked), reference_frame=12)


def test_where_a_portrait_is_cropped(media: Path) -> None:
    rgb = read_image(media / "hopper.png").rgb
    size, face = (rgb.shape[1], rgb.shape[0]), find_faces(rgb)[0]
    by_face = portrait_square(OPTIONS(), face, size)
    eyes = face.landmarks[[33, 133], :2].mean(0), face.landmarks[[263, 362], :2].mean(0)
    mouth = face.landmarks[[61, 291], :2].mean(0)
    points = ",".join(f"{v:.2f}" for v in np.concatenate([*eyes, mouth]))
    by_points = portrait_square(OPTIONS(points=points), None, size)
    assert by_points.angle == pytest.approx(by_face.angle, abs=0.01)
    assert by_points.side == pytest.approx(by_face.side, rel=0.2)
    box = ",".join(f"{v:.2f}" for v in face.box)
    by_box = portrait_square(OPTIONS(box=box, animal=True), face, size)
    assert by_box.side == pytest.approx(by_face.side, rel=0.3) and by_box.angle == 0
    for other in (by_points, by_box):
        assert np.linalg.norm(np.subtract(other.centre, by_face.centre)) < 0.15 * by_face.side
    whole = portrait_square(OPTIONS(animal=True), face, size)
    assert whole.side == min(size) and whole.centre == (size[0] / 2, size[1] / 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"box": "1,2,3"},
        {"box": "a,b,c,d"},
        {"box": "5,5,5,9"},
        {"box": "0,0,nan,9"},
        {"points": "1,2"},
        {"region": "nose"},
        {"pupil_x": 99},
    ],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"box|points|numbers|region|less than"):
        OPTIONS(**wrong)
