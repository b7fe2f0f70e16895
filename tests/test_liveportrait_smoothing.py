"""The smoother of videos: as published over a whole clip, and in constant memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from golden.liveportrait.cases import driving, golden
from golden.seeded import seeded_input
from portrayal.engines.liveportrait.smoothing import look_ahead, smooth, smooth_stream
from portrayal.engines.liveportrait.transfer import steadied


def walk(count: int) -> np.ndarray:
    return np.cumsum(0.01 * seeded_input("smooth", (count, 1, 21, 3), kind="normal"), 0)


@pytest.mark.parametrize("variance", ["3e-07", "3e-06", "0.0001"])
def test_whole_clips_are_smoothed_as_published(variance: str) -> None:
    expected = golden("crop_paste_smooth")[f"kalman_{variance}"]
    assert np.abs(smooth(walk(12)[:, 0], float(variance)) - expected).max() < 1e-6


@pytest.mark.parametrize("variance", [3e-7, 1e-4, 1e-3])
def test_a_stream_is_smoothed_like_the_whole(variance: float) -> None:
    samples = walk(700)
    assert len(samples) > 4 * look_ahead(variance)
    stream = np.array(list(smooth_stream(iter(samples), variance)))
    assert np.abs(stream - smooth(samples, variance)).max() < 1e-6


def test_a_stream_reads_no_further_ahead_than_it_says() -> None:
    taken = 0

    def samples() -> Iterator[np.ndarray]:
        nonlocal taken
        for sample in walk(400):
            taken += 1
            yield sample

    for given, _ in enumerate(smooth_stream(samples(), 1e-4), 1):
        assert taken <= given + 2 * look_ahead(1e-4)
    assert given == 400


def test_more_variance_smooths_more() -> None:
    roughness = [np.abs(np.diff(smooth(walk(100), v), 2, axis=0)).mean() for v in (0, 1e-6, 1e-4, 1e-2)]
    assert roughness[0] == pytest.approx(np.abs(np.diff(walk(100), 2, axis=0)).mean(), rel=1e-4)
    assert roughness == sorted(roughness, reverse=True)


def test_motions_keep_what_is_not_smoothed() -> None:
    frames = [driving()[i] for i in range(4)]
    calm = list(steadied(frames, 1e-3))
    assert len(calm) == 4
    for before, after in zip(frames, calm, strict=True):
        assert np.array_equal(before.translation, after.translation)
        assert not np.allclose(before.expression, after.expression, atol=1e-4)
