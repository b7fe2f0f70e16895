"""A body followed through a video: what is held, filled in and left out."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from matplotlib.cbook import get_sample_data

from conftest import swaying
from portrayal import body as b
from portrayal.errors import PortrayalError
from portrayal.media.image import read_image
from portrayal.track.followed import followed, in_frame, steadied

HEIGHT, WIDTH = 200, 100
BLACK, WHITE = np.zeros((HEIGHT, WIDTH, 3), np.uint8), np.full((HEIGHT, WIDTH, 3), 255, np.uint8)


def body(x: float = 0.0) -> np.ndarray:
    """All points seen, 40 eye distances of 1 pixel below one another, the hands beside the wrists."""
    points = np.ones((b.POINTS, 3), np.float32)
    points[:, 0], points[:, 1] = 50 + x, np.linspace(20, 120, b.POINTS)
    points[b.LEFT_EYE, :2], points[b.RIGHT_EYE, :2] = (55 + x, 20), (45 + x, 20)
    return points


def without(points: np.ndarray, group: slice) -> np.ndarray:
    points = points.copy()
    points[group] = 0
    return points


LEFT = slice(b.LEFT_HAND, b.LEFT_HAND + 21)


def test_a_hand_that_is_lost_for_a_moment_goes_on_with_its_wrist() -> None:
    frames = [(BLACK, in_frame(body(2.0 * i), BLACK)) for i in range(12)]
    frames[5] = (BLACK, in_frame(without(body(10.0), LEFT), BLACK))
    seen = [points for _, points in steadied(frames)]
    assert all((points[LEFT, 2] > 0.5).all() for points in seen)
    np.testing.assert_allclose(seen[5][LEFT, :2], body(10.0)[LEFT, :2], atol=1.0)


def test_a_hand_that_is_found_for_a_moment_only_is_not_shown() -> None:
    frames = [(BLACK, in_frame(without(body(), LEFT), BLACK)) for _ in range(12)]
    frames[6] = (BLACK, body())
    assert not any((points[LEFT, 2] > 0.5).any() for _, points in steadied(frames))


def test_a_score_about_the_threshold_does_not_flicker() -> None:
    scores = 0.5 + 0.08 * np.resize([1, -1, -1, 1, -1], 40)
    frames = []
    for score in scores:
        points = body()
        points[b.LEFT_ELBOW, 2] = score
        frames.append((BLACK, points))
    shown = [points[b.LEFT_ELBOW, 2] > 0.5 for _, points in steadied(frames)]
    assert len(set(shown)) == 1


def test_trembling_is_smoothed_and_movement_kept() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.2, (40, b.POINTS, 2)).astype(np.float32)
    frames = []
    for i, shake in enumerate(noise):
        points = body(0 if i < 20 else 15)
        points[:, :2] += shake
        frames.append((BLACK, points))
    seen = np.stack([points for _, points in steadied(frames)])
    assert seen[5:15, 30, 0].std() < 0.6 * noise[5:15, 30, 0].std()
    assert abs(seen[19, 30, 0] - 50) < 1 and abs(seen[20, 30, 0] - 65) < 1


def test_points_of_one_scene_say_nothing_of_the_next() -> None:
    frames = [(BLACK, body())] * 6 + [(WHITE, in_frame(without(body(), LEFT), WHITE))] * 6
    shown = [(points[LEFT, 2] > 0.5).all() for _, points in steadied(frames)]
    assert shown == [True] * 6 + [False] * 6


@pytest.mark.parametrize("count", [1, 3, 20])
def test_every_frame_comes_out_once_and_in_order(count: int) -> None:
    frames = [(np.full_like(BLACK, i), body()) for i in range(count)]
    assert [int(rgb[0, 0, 0]) for rgb, _ in steadied(frames)] == list(range(count))


def test_what_is_outside_the_frame_is_not_seen() -> None:
    points = body()
    points[b.LEFT_ELBOW, :2] = 120, 50
    points[b.LEFT_HIP, 1] = HEIGHT - 2
    seen = in_frame(points, BLACK)
    assert seen is not None
    assert seen[b.LEFT_ELBOW, 2] == 0 and seen[[b.LEFT_HIP, b.RIGHT_HIP], 2].max() == 0
    assert seen[b.LEFT_KNEE, 2] == 1


@pytest.mark.parametrize("smooth", [0, 0.5])
def test_where_nobody_is_the_last_one_holds(smooth: float) -> None:
    photo = read_image(get_sample_data("grace_hopper.jpg", asfileobj=False)).rgb[:520]
    face = cv2.resize(photo, (256, 260), interpolation=cv2.INTER_AREA)
    empty = np.full_like(face, 30)
    seen = [points for _, points in followed([empty, *swaying(face, 6), empty], smooth)]
    assert seen[0] is None and all(points is not None for points in seen[1:])
    np.testing.assert_array_equal(seen[-1], seen[-2])


def test_a_video_without_anybody_is_given_up() -> None:
    frames = (BLACK for _ in range(10**9))
    with pytest.raises(PortrayalError, match="no body found in the first"):
        for _, points in followed(frames, 0):
            assert points is None
