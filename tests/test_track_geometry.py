"""Where angles and head space are defined: signs, inverses, fits."""

from __future__ import annotations

import numpy as np
import pytest

from portrayal.track.geometry import PIVOT, HeadPose, fit_pose, rotation_angles, rotation_matrix
from portrayal.track.topology import CHIN, FOREHEAD, NOSE_TIP, mean_face, mirror, triangles

STILL = HeadPose(np.eye(3, dtype=np.float32), 100.0, np.zeros(3, np.float32))


def turned(pitch: float = 0, yaw: float = 0, roll: float = 0) -> np.ndarray:
    pose = HeadPose.about_pivot((pitch, yaw, roll), 100.0, np.zeros(3, np.float32))
    return pose.to_picture(mean_face())


def test_positive_pitch_nods_down() -> None:
    assert turned(pitch=20)[NOSE_TIP, 1] > turned()[NOSE_TIP, 1] + 10


def test_positive_yaw_turns_to_the_heads_own_left() -> None:
    assert turned(yaw=20)[NOSE_TIP, 0] > turned()[NOSE_TIP, 0] + 10


def test_positive_roll_tilts_to_the_heads_own_right_shoulder() -> None:
    tilted = turned(roll=20)
    assert tilted[FOREHEAD, 0] < tilted[CHIN, 0] - 30


@pytest.mark.parametrize("angles", [(0, 0, 0), (10, 20, -5), (-30, -60, 40), (5, 80, -70)])
def test_angles_and_matrices_are_inverse(angles: tuple[float, float, float]) -> None:
    assert rotation_angles(rotation_matrix(angles)) == pytest.approx(angles, abs=1e-3)


def test_a_pose_is_found_again_from_the_landmarks_it_makes() -> None:
    pose = HeadPose.about_pivot((8, -25, 12), 140.0, np.array([300, 200, 0], np.float32))
    found = fit_pose(pose.to_picture(mean_face()))
    assert found.angles == pytest.approx((8, -25, 12), abs=0.01)
    assert found.scale == pytest.approx(140, abs=0.01)
    assert found.pivot == pytest.approx(pose.pivot, abs=0.05)


def test_a_turning_head_keeps_its_pivot() -> None:
    for angles in ((0, 0, 0), (15, 30, -20)):
        pose = HeadPose.about_pivot(angles, 90.0, np.array([10, 20, 5], np.float32))
        assert pose.to_picture(PIVOT[None])[0] == pytest.approx((10, 20, 5), abs=1e-3)


def test_head_space_and_picture_are_inverse() -> None:
    pose = HeadPose.about_pivot((8, -25, 12), 140.0, np.array([300, 200, 0], np.float32))
    assert np.abs(pose.to_head(pose.to_picture(mean_face())) - mean_face()).max() < 1e-4


def test_the_mean_face_is_symmetric_and_its_triangles_face_the_viewer() -> None:
    mean = mean_face()
    assert np.abs(mean[mirror()] * (-1, 1, 1) - mean).max() < 1e-4
    a, b, c = (mean[triangles()[:, i], :2] for i in range(3))
    u, v = b - a, c - a
    assert (u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0] > 0).mean() > 0.97
