"""LivePortrait's keypoint algebra, and what its angles mean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from golden.liveportrait.cases import driving, golden, motion_of, networks, source
from golden.seeded import seeded_input
from portrayal.engines.liveportrait.keypoints import (
    NEUTRAL,
    FaceMotion,
    hull_multiplier,
    rotation_angles,
    rotation_matrix,
)
from portrayal.engines.liveportrait.reference import closest, with_reference
from portrayal.errors import PortrayalError


def one(angles: tuple[float, float, float], canonical: np.ndarray) -> FaceMotion:
    return FaceMotion.from_angles([angles], np.zeros((1, 21, 3)), np.zeros((1, 3)), [1.5], canonical)


def test_rotations_are_the_published_ones() -> None:
    case = golden("mlps_and_keypoints")
    assert np.abs(rotation_matrix(case["deg"]) - case["R"]).max() < 1e-6
    assert np.abs(rotation_matrix([[30, 20, 10]]) - case["R_30_20_10"]).max() < 1e-6
    assert np.abs(rotation_angles(case["R"]) - case["deg"]).max() < 1e-4


def test_keypoints_are_the_published_ones() -> None:
    case = golden("motion_combos")
    assert np.abs(motion_of("src").keypoints - case["xs_video"]).max() < 1e-5
    assert np.abs(motion_of("drv").keypoints - case["tpl_x_s"]).max() < 1e-5
    assert np.abs(motion_of("src")[0].keypoints - case["xs_image"]).max() < 1e-5


def test_keypoints_of_a_batch_with_sizes_of_their_own() -> None:
    case = golden("mlps_and_keypoints")

    def draw(label: str, shape: tuple[int, ...]) -> np.ndarray:
        return seeded_input(label, shape, kind="normal")

    motion = FaceMotion.from_angles(
        case["deg"],
        draw("ti_exp", (3, 63)) * 0.02,
        draw("ti_t", (3, 3)) * 0.05,
        1.5 + 0.1 * draw("ti_s", (3, 1)),
        draw("ti_kp", (3, 63)) * 0.25,
    )
    assert np.abs(motion.keypoints - case["transform_keypoint_deg"]).max() < 1e-5


def test_small_networks_are_asked_as_published() -> None:
    case = golden("mlps_and_keypoints")
    rest = seeded_input("kp_source", (3, 21, 3)) * 1.6 - 0.8
    points = rest + 0.05 * seeded_input("kp_driving", (3, 21, 3), kind="normal")
    assert np.abs(networks().stitched(rest, points) - case["stitched"]).max() < 1e-5
    eyes, lips = seeded_input("eye_ratio", (3, 3)) * 0.5, seeded_input("lip_ratio", (3, 2)) * 0.5
    opened = networks().eyes_to(rest, eyes[:, :2], eyes[:, 2:])
    assert np.abs(opened - case["eye_delta"]).max() < 1e-5
    assert np.abs(networks().lips_to(rest, lips[:, :1], lips[:, 1]) - case["lip_delta"]).max() < 1e-5


@pytest.mark.parametrize(
    ("angles", "axis", "sign"),
    [((20, 0, 0), 1, 1), ((0, 20, 0), 0, -1)],
    ids=["pitch moves the nose down", "yaw moves the nose to the picture's left"],
)
def test_turns_move_the_nose(angles: tuple[float, float, float], axis: int, sign: int) -> None:
    head = np.zeros((1, 21, 3), np.float32)
    head[0, 3] = 0, 0, -0.4  # a nose stands out towards the viewer: z points into the screen
    moved = one(angles, head).keypoints - one((0, 0, 0), head).keypoints
    assert sign * moved[0, 3, axis] > 0.1
    assert abs(moved[0, 3, 1 - axis]) < 1e-6


def test_roll_tilts_the_top_of_the_head_to_the_pictures_right() -> None:
    head = np.zeros((1, 21, 3), np.float32)
    head[0, 3] = 0, -0.4, 0
    moved = one((0, 0, 20), head).keypoints - one((0, 0, 0), head).keypoints
    assert moved[0, 3, 0] > 0.1


def test_translation_in_depth_counts_for_nothing() -> None:
    motion = motion_of("src")[0]
    far = replace(motion, translation=motion.translation + np.array([0, 0, 5]))
    assert np.array_equal(far.keypoints, motion.keypoints)


def test_frames_are_cut_and_stacked() -> None:
    motion = source()
    again = FaceMotion.stack([motion[0], motion[1:3], motion[-1]])
    assert np.array_equal(again.keypoints, motion.keypoints)
    assert again.eyes is not None and np.array_equal(again.eyes, motion.eyes)
    assert FaceMotion.stack([motion[0], motion_of("src")[1]]).eyes is None


def test_hull_multiplier_is_the_root_of_the_volumes() -> None:
    points = seeded_input("hull", (21, 3)) - 0.5
    assert hull_multiplier(2 * points, points) == pytest.approx(np.sqrt(8), rel=1e-5)
    flat = points * [1, 1, 0]
    assert hull_multiplier(flat, points) == 1.0


def test_reference_frame_by_number_and_by_likeness() -> None:
    frames = [driving()[i] for i in range(4)]
    reference, stream = with_reference(iter(frames), 2, source()[0], 10)
    assert reference is frames[2] and list(stream) == frames
    reference, stream = with_reference(iter(frames), "auto", frames[3], 10)
    assert reference is frames[3] and list(stream) == frames
    reference, _ = with_reference(iter(frames), "auto", frames[3], 2)
    assert reference in frames[:2]
    with pytest.raises(PortrayalError, match="has 4 frames"):
        with_reference(iter(frames), 4, source()[0], 10)
    with pytest.raises(PortrayalError, match="no frames"):
        with_reference(iter([]), "auto", source()[0], 10)


def test_a_neutral_face_is_found_among_others() -> None:
    frames = [driving()[i] for i in range(4)]
    rest = FaceMotion.from_angles(np.zeros((1, 3)), NEUTRAL, np.zeros(3), [1.3])
    assert closest([*frames, rest], None) is rest
