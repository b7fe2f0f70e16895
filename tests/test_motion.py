"""Motion in memory: what editing does to it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from portrayal.errors import UsageError
from portrayal.motion import MIRRORED, SHAPE_INDEX, SHAPES, Motion, MotionFrame
from portrayal.track.geometry import HeadPose
from portrayal.track.topology import mean_face


def moving(count: int = 20, fps: int = 10, dense: bool = False) -> Motion:
    rng = np.random.default_rng(4)
    frames = [
        MotionFrame(
            rotation=rng.normal(0, 8, 3).astype(np.float32),
            translation=rng.normal(0, 0.1, 2).astype(np.float32),
            scale=float(rng.uniform(0.9, 1.1)),
            coefficients=rng.uniform(0, 1, 52).astype(np.float32),
            shape=(mean_face() + rng.normal(0, 0.01, (478, 3))).astype(np.float32) if dense else None,
            tracked=bool(i % 5),
        )
        for i in range(count)
    ]
    return Motion.from_frames(Fraction(fps), frames)


def test_cut_keeps_the_frames_in_the_span_and_refuses_an_empty_one() -> None:
    motion = moving(dense=True)
    part = motion.cut(0.5, 1.2)
    assert len(part) == 7
    assert np.array_equal(part.rotation, motion.rotation[5:12])
    assert part.shapes is not None and np.array_equal(part.shapes[0], motion.shapes[5])
    assert len(motion.cut(1.0)) == 10
    for start, end in ((2.0, None), (1.0, 0.5), (-1.0, None)):
        with pytest.raises(UsageError, match="nothing from"):
            motion.cut(start, end)


def test_resampling_interpolates_and_keeps_the_duration() -> None:
    motion = moving()
    double = motion.resample(Fraction(20))
    assert len(double) == 40 and double.duration == motion.duration
    assert np.allclose(double.rotation[::2], motion.rotation, atol=1e-5)
    assert np.allclose(double.rotation[1], motion.rotation[:2].mean(0), atol=1e-5)
    assert np.allclose(double.resample(Fraction(10)).coefficients, motion.coefficients, atol=1e-5)
    film = motion.resample(Fraction(24000, 1001))
    assert film.fps == Fraction(24000, 1001) and len(film) == 48
    with pytest.raises(UsageError):
        motion.resample(Fraction(0))


def test_blend_goes_from_one_motion_to_the_other() -> None:
    a, b = moving(dense=True), moving(30).strengthened(head=2)
    assert np.allclose(a.blend(b, 0).rotation, a.rotation)
    assert np.allclose(a.blend(b, 1).rotation, b.rotation[:20], atol=1e-5)
    assert np.allclose(a.blend(a, 0.5).shapes, a.shapes, atol=1e-6)
    assert a.blend(b, 0.5).shapes is None


def test_concatenate_resamples_to_the_first_rate() -> None:
    a, b = moving(20, 10), moving(20, 20)
    joined = Motion.concatenate([a, b])
    assert joined.fps == 10 and len(joined) == 30
    assert np.array_equal(joined.coefficients[20:], b.coefficients[::2])


def test_strength_scales_each_group_alone() -> None:
    motion = moving(dense=True)
    head = motion.strengthened(head=0.5)
    assert np.allclose(head.rotation, motion.rotation / 2) and np.allclose(head.scale, motion.scale**0.5)
    assert np.array_equal(head.coefficients, motion.coefficients)
    assert np.array_equal(head.shapes, motion.shapes)
    calm = motion.strengthened(expression=0, gaze=2)
    look = SHAPE_INDEX["eyeLookUpLeft"]
    assert np.allclose(calm.coefficients[:, look], 2 * motion.coefficients[:, look])
    assert calm.coefficients[:, SHAPE_INDEX["jawOpen"]].max() == 0
    assert np.allclose(np.ptp(calm.shapes[:, :468], axis=0), 0)
    assert np.ptp(calm.shapes[:, 468:], axis=0).min() > 0


def test_mirrored_is_what_the_mirrored_picture_shows() -> None:
    motion = moving(dense=True)
    other = motion.mirrored()
    names = [SHAPES[i] for i in MIRRORED]
    assert names[SHAPE_INDEX["jawLeft"]] == "jawRight" and names[SHAPE_INDEX["jawOpen"]] == "jawOpen"
    # landmarks in the picture: those of the mirrored motion are the flipped ones of the partners
    from portrayal.track.topology import mirror

    origin = np.zeros(3, np.float32)
    for frame, flipped in zip(motion, other, strict=True):
        seen = HeadPose.about_pivot(frame.rotation, 100, origin).to_picture(frame.shape)
        mirrored = HeadPose.about_pivot(flipped.rotation, 100, origin).to_picture(flipped.shape)
        assert np.allclose(mirrored, seen[mirror()] * (-1, 1, 1), atol=0.01)
    assert np.allclose(other.mirrored().shapes, motion.shapes)
    assert np.array_equal(other.mirrored().coefficients, motion.coefficients)


def test_smoothing_takes_out_noise_without_lag() -> None:
    t = np.arange(200)
    clean = np.exp(-0.5 * ((t - 100) / 20) ** 2)[:, None] * np.ones((1, 52))
    noisy = clean + np.random.default_rng(1).normal(0, 0.1, clean.shape)
    smooth = Motion.from_coefficients(Fraction(25), noisy.astype(np.float32)).smoothed(0.12).coefficients
    assert np.abs(smooth - clean).mean() < 0.5 * np.abs(noisy - clean).mean()
    assert abs((smooth.mean(1) * t).sum() / smooth.mean(1).sum() - 100) < 0.5
    assert np.array_equal(moving().smoothed(0).rotation, moving().rotation)


def test_edited_sets_and_adds_by_any_spelling() -> None:
    motion = moving(dense=True)
    nod = motion.edited({"pitch": 10})
    assert (nod.rotation[:, 0] == 10).all() and nod.shapes is not None
    more = motion.edited({"jaw-open": 0.25, "scale": 2}, add=True)
    jaw = SHAPE_INDEX["jawOpen"]
    assert np.allclose(more.coefficients[:, jaw], motion.coefficients[:, jaw] + 0.25)
    assert np.allclose(more.scale, motion.scale * 2)
    assert more.shapes is None
    for name in ("eyeBlinkLeft", "eye-blink-left", "eye_blink_left", "EyeBlinkLeft"):
        assert Motion.from_sliders({name: 1}).coefficients[0, SHAPE_INDEX["eyeBlinkLeft"]] == 1
    with pytest.raises(UsageError, match=r"did you mean .*jaw-open"):
        motion.edited({"jaw-opn": 1})
    with pytest.raises(UsageError, match="must be a number"):
        motion.edited({"jaw-open": float("nan")})


def test_gaze_sliders_turn_both_eyes() -> None:
    motion = Motion.from_sliders({"gaze-x": -0.5, "gaze-y": 0.25}, frames=3)
    assert len(motion) == 3
    assert np.allclose(motion[0].gaze, (-0.5, 0.25))
    assert motion[0].coefficients[SHAPE_INDEX["eyeLookOutRight"]] == 0.5
    assert np.allclose(motion.edited({"gaze-x": 0.8}, add=True)[0].gaze, (0.3, 0.25))
