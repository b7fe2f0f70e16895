"""What is smooth is made small and enlarged: the same as made large, but for what cannot be seen."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from portrayal.engines.puppet import coarse
from portrayal.engines.puppet.actor import Actor
from portrayal.engines.puppet.coarse import enlarged, reduced, wide_blur
from portrayal.engines.puppet.transfer import Target
from portrayal.engines.puppet.windows import tiles, whole
from portrayal.portrait import Portrait
from portrayal.track.geometry import HeadPose

Rgb = np.ndarray


@pytest.mark.parametrize("shape", [(301, 418), (301, 418, 3)])
def test_a_wide_blur_is_a_gaussian_blur(shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(3).uniform(0, 255, shape).astype(np.float32)
    values[100:200, 50:90] += 500
    exact = cv2.GaussianBlur(values, (0, 0), 30.0)
    found = wide_blur(values, 30.0)
    assert found.shape == exact.shape
    assert np.abs(found - exact).max() < 0.02 * np.ptp(exact)
    assert np.array_equal(wide_blur(values, 5.0), cv2.GaussianBlur(values, (0, 0), 5.0))


def test_enlarging_by_tiles_is_enlarging_the_whole() -> None:
    values = np.random.default_rng(4).uniform(0, 1, (90, 120)).astype(np.float32)
    exact = cv2.resize(values, (480, 360), interpolation=cv2.INTER_LINEAR)
    found = np.zeros((357, 478), np.float32)
    for tile in tiles(whole(found.shape)):
        found[tile] = enlarged(values, 4, tile)
    assert np.abs(found - exact[:357, :478]).max() < 1e-5


def test_a_reduced_picture_stays_in_place() -> None:
    rows, columns = np.mgrid[:357, :478].astype(np.float32)
    for ramp in (rows, columns):
        small = reduced(ramp, 4)
        assert small.shape == (90, 120)
        inner = (slice(8, 340), slice(8, 460))
        assert np.abs(enlarged(small, 4, inner) - ramp[inner]).max() < 0.01


def test_a_portrait_prepared_at_a_quarter_looks_the_same(
    media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    portrait = Portrait.open(media / "hopper.png", size=1024)
    (face,) = portrait.faces
    turn = face.pose.angles + np.array([6, 12, 5], np.float32)
    target = Target(HeadPose.about_pivot(turn, face.pose.scale, face.pose.pivot), face.shape)

    def painted() -> Rgb:
        picture = portrait.rgb.copy()
        Actor(portrait.rgb, face).paint(picture, target)
        return picture

    exact = painted()
    monkeypatch.setattr(coarse, "ENOUGH", max(portrait.size) // 4)
    assert coarse.coarseness(portrait.rgb.shape) == 4
    found = painted()
    assert not np.array_equal(found, exact)
    assert np.abs(exact.astype(int) - portrait.rgb).mean() > 3  # the head has moved
    assert np.abs(found.astype(int) - exact).mean() < 0.7  # what appears behind her is less sharp
    (x, y), reach = face.centre.astype(int), int(0.4 * face.pose.scale)
    inner = (slice(y - reach, y + reach), slice(x - reach, x + reach))
    assert np.array_equal(found[inner], exact[inner])  # the face itself is never reduced
