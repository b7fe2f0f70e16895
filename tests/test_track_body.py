"""Bodies found in real pictures and followed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from matplotlib.cbook import get_sample_data

from portrayal import PortrayalError, weights
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
from portrayal.track import body as tracking
from portrayal.track.body import BodyTracker
from portrayal.track.find import find_faces
from portrayal.track.topology import CHIN, MOUTH_LEFT, NOSE_TIP
from portrayal.track.wholebody import WholeBodyTracker, best_tracker, decoded


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


class Numbered:
    """In place of MediaPipe's graph: every landmark in the middle of the pixel that has its number."""

    def __init__(self, width: int) -> None:
        self.width, self.closed = width, False

    def process(self, rgb: np.ndarray) -> SimpleNamespace:
        def row(count: int, y: int) -> SimpleNamespace:
            points = [(number + 0.5) / self.width for number in range(count)]
            place = (y + 0.5) / rgb.shape[0]
            return SimpleNamespace(landmark=[SimpleNamespace(x=x, y=place, visibility=0.7) for x in points])

        return SimpleNamespace(
            pose_landmarks=row(33, 0),
            left_hand_landmarks=row(21, 1),
            right_hand_landmarks=row(21, 2),
            face_landmarks=row(468, 3),
        )

    def close(self) -> None:
        self.closed = True


def test_every_landmark_has_its_place_and_a_cut_a_new_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    graphs: list[Numbered] = []

    def new_graph() -> Numbered:
        graphs.append(Numbered(500))
        return graphs[-1]

    monkeypatch.setattr(tracking, "_new_graph", new_graph)
    tracker = BodyTracker()
    black = np.zeros((100, 500, 3), np.uint8)
    points = tracker(black)
    assert points is not None
    numbers = points[:, 0].round(3).tolist()
    assert numbers[:11] == [0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16]
    assert numbers[11:17] == [23, 24, 25, 26, 27, 28]
    assert numbers[17:23] == [31, 31, 29, 32, 32, 30]
    for root, row in ((LEFT_HAND, 1), (RIGHT_HAND, 2)):
        np.testing.assert_allclose(points[root : root + 21, 0], np.arange(21), atol=1e-3)
        np.testing.assert_allclose(points[root : root + 21, 1], row, atol=1e-3)
    assert (points[:23, 2] == np.float32(0.7)).all() and (points[23:, 2] == 1).all()
    tracker(black)
    assert len(graphs) == 1
    tracker(np.full_like(black, 200))
    assert len(graphs) == 2 and graphs[0].closed and not graphs[1].closed


class TestDwpose:
    """With a network that finds every point at the brightest column and row of what it is shown."""

    MODEL = Path(__file__).parent / "golden" / "pose" / "brightest.onnx"

    def test_points_are_where_the_picture_has_them(self) -> None:
        tracker = WholeBodyTracker(self.MODEL)
        for x, y in ((200, 150), (203, 154), (210, 160)):
            rgb = np.zeros((300, 400, 3), np.uint8)
            cv2.circle(rgb, (x, y), 12, (255, 255, 255), -1)
            points = tracker(rgb)
            assert points is not None and points.shape == (133, 3)
            assert (
                np.abs(points[:, :2] - (x, y)).max() < 16
            )  # in the disc, or as near as its pixels are small
            assert points[:, 2].min() > 0.5

    def test_it_looks_where_the_body_was_and_anew_after_a_cut(self) -> None:
        tracker = WholeBodyTracker(self.MODEL)
        rgb = np.zeros((300, 400, 3), np.uint8)
        cv2.circle(rgb, (100, 100), 6, (255, 255, 255), -1)
        tracker(rgb)
        cv2.circle(rgb, (380, 280), 6, (255, 255, 255), -1)  # another, further down and as bright
        again = tracker(rgb)
        assert again is not None and np.abs(again[:, :2] - (100, 100)).max() < 10
        assert tracker(np.zeros_like(rgb)) is None
        scene = np.full_like(rgb, 60)
        cv2.circle(scene, (300, 200), 10, (255, 255, 255), -1)
        found = tracker(scene)
        assert found is not None and np.abs(found[:, :2] - (300, 200)).max() < 16

    def test_decoding(self) -> None:
        across, down = np.zeros((2, 8), np.float32), np.zeros((2, 6), np.float32)
        across[0, 5], down[0, 3], across[1, 0], down[1, 1] = 0.6, 0.3, 0.1, 0.9
        np.testing.assert_allclose(decoded(across, down), [(2.5, 1.5, 0.5), (0, 0.5, 1 / 6)], atol=1e-6)

    def test_files_that_are_none(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        other = Path(__file__).parent / "golden" / "identity" / "mean_colour.onnx"
        (tmp_path / "no.onnx").write_bytes(b"no model")
        for path, said in (
            (tmp_path / "no.onnx", "no ONNX model"),
            (other, "DWPose"),
            (tmp_path / "x", "dwpose"),
        ):
            with pytest.raises(PortrayalError, match=said):
                WholeBodyTracker(path)
        monkeypatch.setenv("PORTRAYAL_WEIGHTS", str(tmp_path))
        assert isinstance(best_tracker(), BodyTracker)
        place = weights.folder("dwpose")
        place.mkdir(parents=True)
        (place / "dw-ll_ucoco_384.onnx").write_bytes(self.MODEL.read_bytes())
        assert isinstance(best_tracker(), WholeBodyTracker)
