"""What is hidden is filled: smoothly, or with pieces of the background."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from portrayal.engines.puppet.fill import continued, push_pull
from portrayal.engines.puppet.plate import background_plate
from portrayal.engines.puppet.seams import levelled

SIZE = (240, 300)


def tiles() -> np.ndarray:
    """A wall of tiles, no two of quite the same colour, under an even light."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    joints = (y % 24 < 3) | ((x + 12 * (y // 24 % 2)) % 36 < 3)
    shades = np.random.default_rng(0).normal(0, 4, (20, 20))[y // 24, (x + 12 * (y // 24 % 2)) // 36]
    wall = np.where(joints, 60.0, 170.0 + shades)[..., None] * (1.0, 0.8, 0.6)
    return cv2.GaussianBlur(wall, (0, 0), 0.8).astype(np.float32)


def disc(x: float, y: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return np.hypot(columns - x, rows - y) < radius


def error(made: np.ndarray, wall: np.ndarray, where: np.ndarray) -> float:
    return float(np.abs(made - wall)[where].mean())


def test_push_pull_keeps_the_known_and_fills_the_rest_between() -> None:
    known = np.ones(SIZE, np.float32)
    known[80:160, 100:200] = 0
    ramp = np.tile(np.linspace(0, 200, SIZE[1], dtype=np.float32)[None, :, None], (SIZE[0], 1, 3))
    damaged = ramp * known[..., None]
    filled = push_pull(damaged, known)
    assert np.array_equal(filled[known > 0], ramp[known > 0])
    assert np.abs(filled - ramp).max() < 45
    assert np.isfinite(filled).all()


def test_a_pattern_goes_on_behind_what_hides_it() -> None:
    wall, hidden = tiles(), disc(150, 120, 45)
    picture = np.where(hidden[..., None], np.float32(255), wall)
    made, share = continued(picture, hidden, ~hidden)
    smooth = push_pull(picture, 1 - hidden.astype(np.float32))
    assert error(made, wall, hidden) < 0.5 * error(smooth, wall, hidden)
    assert np.array_equal(made[~hidden], wall[~hidden]) and (share[~hidden] == 0).all()
    assert (share[hidden] > 0.99).all()


def test_beside_a_body_that_stays_it_is_filled_smoothly() -> None:
    """Else a body that moves a little would show some wall in its middle."""
    wall, hidden = tiles(), disc(150, 120, 45)
    body = np.zeros(SIZE, bool)
    body[150:] = True
    wall[body] = (20, 30, 90)
    made, share = continued(np.where(hidden[..., None], np.float32(255), wall), hidden, ~hidden & ~body)
    low, high = (hidden & disc(150, y, 16) for y in (158, 80))
    assert (share[low] < 0.05).all() and (share[high] > 0.95).all()
    assert np.abs(made[low] - (20, 30, 90)).mean() < 25


@pytest.mark.parametrize("seen", [0.0, 0.03])
def test_without_a_background_to_take_pieces_from_it_is_smooth(seen: float) -> None:
    wall, hidden = tiles(), disc(150, 120, 45)
    little = np.zeros(SIZE, bool)
    little[: int(seen * SIZE[0])] = True
    made, share = continued(wall, hidden, little & ~hidden)
    assert np.isfinite(made).all() and np.array_equal(made[~hidden], wall[~hidden])
    assert share.max() < 0.6


def test_the_plate_of_a_head_shows_the_wall_behind_it() -> None:
    wall, head = tiles(), disc(150, 120, 45)
    picture = np.where(head[..., None], np.float32((200, 150, 130)), wall)
    picture = picture.round().clip(0, 255).astype(np.uint8)
    plate = background_plate(picture, head.astype(np.float32), np.ones(SIZE, np.float32))
    edge = disc(150, 120, 45) & ~disc(150, 120, 33)
    assert error(plate.astype(np.float32), wall, edge) < 15 < error(picture.astype(np.float32), wall, edge)


def test_pieces_of_a_mottled_wall_meet_without_seams() -> None:
    """No patch is told by its border: light changes as softly as around it."""
    random = np.random.default_rng(3)
    mottled, grain = (random.normal(0, 1, (*SIZE, 1)).astype(np.float32) for _ in range(2))
    mottled = cv2.GaussianBlur(mottled, (0, 0), 25)
    wall = 120 + 25 * mottled / mottled.std() + 8 * cv2.GaussianBlur(grain, (0, 0), 0.8)
    wall = np.repeat(wall.reshape(*SIZE, 1), 3, 2).astype(np.float32)
    hidden = disc(150, 120, 80)
    made, _ = continued(np.where(hidden[..., None], np.float32(255), wall), hidden, ~hidden)
    soft = cv2.GaussianBlur(made[..., 0], (0, 0), 3)
    change = np.hypot(*np.gradient(soft))
    assert change[hidden].max() < 1.3 * change[~hidden].max()


def test_levelled_pieces_keep_their_changes_and_meet_their_surroundings() -> None:
    x = np.tile(np.arange(60, dtype=np.float32)[None, :, None], (40, 1, 3))
    rgb, hidden = 2 * x, np.zeros((40, 60), bool)
    hidden[10:30, 20:40] = True
    steps = np.array([(-19, 0), (19, 0)])
    choice = np.where(hidden, (np.arange(60) >= 30)[None, :].astype(int), -1)
    pieces = np.where(choice[..., None] == 0, np.roll(rgb, 19, 1), np.roll(rgb, -19, 1))
    correction = levelled(rgb, np.float32(~hidden), choice, steps, ~hidden)
    assert np.abs(pieces - rgb)[hidden].min() > 30
    assert np.abs(pieces + correction - rgb)[hidden].max() < 1
    assert not correction[~hidden].any()
