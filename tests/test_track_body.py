"""Bodies found in real pictures and followed."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.cbook import get_sample_data

from portrayal.body import (
    FACE,
    LEFT_EYE,
    LEFT_HAND,
    LEFT_HIP,
    LEFT_SHOULDER,
    NOSE,
    RIGHT_HAND,
    RIGHT_SHOULDER,
)
from portrayal.media.image import read_image
from portrayal.track.body import BodyTracker
from portrayal.track.face import find_faces
from portrayal.track.topology import CHIN, MOUTH_LEFT, NOSE_TIP


@pytest.fixture(scope="module")
def rgb() -> np.ndarray:
    with get_sample_data("grace_hopper.jpg", asfileobj=True) as file:
        return read_image(file.name).rgb


def test_a_portrait_and_the_same_moved(rgb: np.ndarray) -> None:
    tracker = BodyTracker()
    body = tracker(rgb)
    assert body is not None and body.shape == (133, 3)
    face = find_faces(rgb)[0]
    scale = face.pose.scale
    for point, landmark in ((FACE.start + 8, CHIN), (FACE.start + 54, MOUTH_LEFT), (NOSE, NOSE_TIP)):
        assert np.linalg.norm(body[point, :2] - face.landmarks[landmark, :2]) < 0.25 * scale
    assert body[LEFT_SHOULDER, 0] - body[RIGHT_SHOULDER, 0] > 2 * scale  # her left is right in the picture
    assert body[[LEFT_SHOULDER, RIGHT_SHOULDER], 2].min() > 0.9 and body[FACE, 2].min() == 1
    assert body[LEFT_EYE, 0] > body[NOSE, 0]
    assert body[LEFT_HIP, 2] < 0.5 and not body[LEFT_HAND:RIGHT_HAND, 2].any()  # outside of the picture
    for _ in range(4):
        moved = tracker(np.roll(rgb, 12, axis=1))
    assert moved is not None
    shift = moved[FACE, :2] - body[FACE, :2]
    assert np.abs(np.median(shift, axis=0) - (12, 0)).max() < 2
    tracker.close()


def test_nobody_and_a_scene_cut(rgb: np.ndarray) -> None:
    tracker = BodyTracker()
    assert tracker(np.zeros_like(rgb)) is None
    assert tracker(rgb) is not None
    assert tracker(np.full_like(rgb, 200)) is None  # she is not looked for where she was
    tracker.close()
