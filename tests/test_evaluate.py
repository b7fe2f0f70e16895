"""Metrics against known answers, and whole evaluations of clips whose motion is known."""

from __future__ import annotations

import io
import json
import math
import weakref
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.cbook import get_sample_data
from rich.console import Console
from scipy.signal import convolve2d

from portrayal.errors import PortrayalError, UsageError
from portrayal.evaluate import Report, evaluate, track
from portrayal.evaluate.agreement import agreement, best_lag, frame_at, noise, same_time, tremble
from portrayal.evaluate.identity import Identity
from portrayal.evaluate.likeness import at_akd_size, keypoint_distance
from portrayal.evaluate.pictures import (
    PSNR_LIMIT,
    border_error,
    fitted,
    l1,
    ms_ssim,
    psnr,
    sharpness,
    squared_error,
    ssim,
)
from portrayal.evaluate.protocol import reconstruction
from portrayal.evaluate.sources import at_rate
from portrayal.media.image import read_image
from portrayal.media.write import write_video
from portrayal.track.face import Face
from portrayal.track.find import find_faces
from portrayal.track.geometry import HeadPose, rotation_matrix
from portrayal.track.measures import COLUMN, measure
from portrayal.track.topology import mean_face
from portrayal.track.tracker import FaceTracker

FPS = Fraction(25)
Rgb = np.ndarray


class Frames:
    """Pictures made when they are asked for, as a source of an evaluation."""

    def __init__(self, count: int, make: Callable[[int], Rgb], fps: Fraction = FPS) -> None:
        self.count, self.make, self.fps = count, make, fps

    def __iter__(self) -> Iterator[Rgb]:
        return (self.make(number) for number in range(self.count))


@cache
def hopper() -> Rgb:
    with get_sample_data("grace_hopper.jpg", asfileobj=True) as file:
        rgb = read_image(file.name).rgb
    return np.ascontiguousarray(cv2.resize(rgb[:512], (320, 320), interpolation=cv2.INTER_AREA))


def moved(roll: float = 0.0, shift: tuple[float, float] = (0.0, 0.0)) -> Rgb:
    """The picture turned clockwise as one sees it (degrees) and shifted (pixels)."""
    turn = cv2.getRotationMatrix2D((160, 140), -roll, 1.0)
    turn[:, 2] += shift
    return cv2.warpAffine(hopper(), turn, (320, 320), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def grey(value: int, size: int = 200) -> Rgb:
    return np.full((size, size, 3), value, np.uint8)


def speckled(size: int, seed: int = 0) -> Rgb:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)


def face_at(angles: tuple[float, float, float] = (0, 0, 0), change: np.ndarray | None = None) -> Face:
    shape = mean_face() if change is None else mean_face() + change
    pose = HeadPose(rotation_matrix(angles), 120.0, np.array([256, 220, 0], np.float32))
    return Face(pose.to_picture(shape))


# pictures


def test_equal_pictures() -> None:
    a = speckled(200)
    assert l1(a, a) == 0 and psnr(squared_error(a, a)) == PSNR_LIMIT
    assert ssim(a, a) == pytest.approx(1, abs=1e-6) and ms_ssim(a, a) == pytest.approx(1, abs=1e-6)


def test_flat_pictures_have_the_values_worked_out_by_hand() -> None:
    a, b = grey(100), grey(120)
    assert l1(a, b) == pytest.approx(20 / 255)
    assert psnr(squared_error(a, b)) == pytest.approx(20 * math.log10(255 / 20))
    luminance = (2 * 100 * 120 + 6.5025) / (100**2 + 120**2 + 6.5025)
    assert ssim(a, b) == pytest.approx(luminance, abs=1e-5)
    assert ms_ssim(a, b) == pytest.approx(luminance**0.1333, abs=1e-5)


def test_ssim_is_the_formula_of_its_paper_window_by_window() -> None:
    a, b = speckled(16, 1), speckled(16, 2) // 2 + speckled(16, 1) // 2
    offsets = np.arange(11) - 5
    kernel = np.exp(-(offsets**2) / (2 * 1.5**2))
    window = np.outer(kernel, kernel) / kernel.sum() ** 2
    values = []
    for top in range(6):
        for left in range(6):
            for colour in range(3):
                x, y = (p[top : top + 11, left : left + 11, colour].astype(float) for p in (a, b))
                mx, my = (window * x).sum(), (window * y).sum()
                vx, vy = (window * (x - mx) ** 2).sum(), (window * (y - my) ** 2).sum()
                cov = (window * (x - mx) * (y - my)).sum()
                values.append(
                    (2 * mx * my + 6.5025) * (2 * cov + 58.5225)
                    / ((mx**2 + my**2 + 6.5025) * (vx + vy + 58.5225))
                )  # fmt: skip
    assert ssim(a, b) == pytest.approx(np.mean(values), abs=1e-4)


def test_ms_ssim_is_the_formula_of_its_paper() -> None:
    clean = cv2.GaussianBlur(speckled(180), (0, 0), 4)[..., 0].astype(float)
    noisy = (clean + np.random.default_rng(3).normal(0, 8, clean.shape)).round().clip(0, 255)
    kernel = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window = np.outer(kernel, kernel) / kernel.sum() ** 2
    expected, x, y = 1.0, clean.round(), noisy
    a, b = (np.repeat(p.astype(np.uint8)[..., None], 3, axis=2) for p in (x, y))
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        mx, my, xx, yy, xy = (convolve2d(p, window, "valid") for p in (x, y, x * x, y * y, x * y))
        contrast = (2 * (xy - mx * my) + 58.5225) / (xx - mx**2 + yy - my**2 + 58.5225)
        luminance = (2 * mx * my + 6.5025) / (mx**2 + my**2 + 6.5025)
        expected *= (contrast * luminance if scale == 4 else contrast).mean() ** weight
        x, y = (p[: len(p) // 2 * 2, : len(p) // 2 * 2] for p in (x, y))
        x, y = ((p[::2, ::2] + p[1::2, ::2] + p[::2, 1::2] + p[1::2, 1::2]) / 4 for p in (x, y))
    assert ssim(a, b) < 0.6 < expected < 0.95
    assert ms_ssim(a, b) == pytest.approx(expected, abs=1e-4)
    assert math.isnan(ms_ssim(a[:100], b[:100]))


def test_only_the_border_counts_for_the_border() -> None:
    still, inside, edge = grey(100), grey(100), grey(100)
    inside[8:-8, 8:-8] = 0
    edge[:8] = 110
    assert border_error(inside, still) == 0
    assert border_error(edge, still) == pytest.approx(100 * 8 * 200 / (200**2 - 184**2))


def test_a_codec_s_even_sizes_and_a_smaller_size_are_fitted() -> None:
    a = speckled(101)
    assert np.array_equal(fitted(a, (102, 102, 3))[:101, :101], a)
    assert np.array_equal(fitted(a, (100, 101, 3)), a[:100])
    assert fitted(grey(7), (100, 100, 3)).shape == (100, 100, 3)
    assert fitted(a, (100, 200, 3)) is None


def test_a_blurred_face_is_less_sharp_and_its_background_does_not_matter() -> None:
    face = FaceTracker()(hopper())
    sharp, blurred = sharpness(hopper(), face), sharpness(cv2.GaussianBlur(hopper(), (0, 0), 2), face)
    assert blurred < 0.3 * sharp
    left, top, right, bottom = (round(edge) for edge in face.box)
    framed = grey(0, 320)
    framed[top:bottom, left:right] = hopper()[top:bottom, left:right]
    assert sharpness(framed, face) == pytest.approx(sharp, rel=1e-6)


# measures


def test_measures_of_the_mean_face() -> None:
    values = measure(face_at())
    lips = mean_face()
    opening = np.linalg.norm((lips[13] - lips[14])[:2]) / np.linalg.norm((lips[10] - lips[152])[:2])
    assert values[COLUMN["mouth_open"]] == pytest.approx(opening, abs=1e-4)
    assert values[COLUMN["eye_right"]] == pytest.approx(values[COLUMN["eye_left"]], abs=1e-4)
    assert values[COLUMN["gaze_x"]] == pytest.approx(0.5, abs=0.01)
    assert values[[COLUMN[k] for k in ("pitch", "yaw", "roll")]] == pytest.approx([0, 0, 0], abs=1e-3)


@pytest.mark.parametrize("angles", [(12, 0, 0), (0, -20, 0), (0, 0, 15), (8, 14, -6)])
def test_head_angles_are_those_of_the_head_and_turning_raises_no_brow(angles: tuple[float, ...]) -> None:
    values = measure(face_at(angles))
    assert values[[COLUMN[k] for k in ("pitch", "yaw", "roll")]] == pytest.approx(angles, abs=0.05)


def test_each_feature_moves_its_own_measure() -> None:
    def change(points: list[int], x: float = 0.0, y: float = 0.0) -> np.ndarray:
        moves = np.zeros((478, 3), np.float32)
        moves[points] = (x, y, 0)
        return measure(face_at(change=moves)) - measure(face_at())

    down = change([14], y=0.2)
    assert down[COLUMN["mouth_open"]] > 0.08 and np.abs(np.delete(down, COLUMN["mouth_open"])).max() < 1e-4
    lids = change([160, 158], y=0.03)
    assert lids[COLUMN["eye_right"]] < -0.05 and abs(lids[COLUMN["eye_left"]]) < 1e-4
    irises = change(list(range(468, 478)), x=0.05, y=-0.02)
    width = float(np.linalg.norm((mean_face()[33] - mean_face()[133])[:2]))
    assert irises[COLUMN["gaze_x"]] == pytest.approx(0.05 / width, rel=0.05)
    assert irises[COLUMN["gaze_y"]] == pytest.approx(-0.02 / width, rel=0.05)
    brows = change([63, 105, 66], y=-0.1)
    assert brows[COLUMN["brow_right"]] == pytest.approx(0.1, abs=1e-3)
    assert brows[COLUMN["brow_left"]] == pytest.approx(0, abs=1e-3)
    corners = change([291], x=0.1)
    assert corners[COLUMN["mouth_width"]] == pytest.approx(0.1, abs=0.01)


# series


def test_agreement_of_a_scaled_and_shifted_copy() -> None:
    wave = np.sin(np.arange(100) / 7)
    half = agreement(0.5 * wave + 3, wave)
    assert half.r == pytest.approx(1) and half.gain == pytest.approx(0.5)
    assert half.error == pytest.approx(0.5 * np.abs(wave - wave.mean()).mean())
    assert agreement(-wave, wave).r == pytest.approx(-1)
    assert math.isnan(agreement(np.zeros(100), wave).r)
    gap = wave.copy()
    gap[10:20] = np.nan
    assert agreement(gap, wave).r == pytest.approx(1)


@pytest.mark.parametrize("late", [-8, -3, 0, 5])
def test_the_lag_is_found(late: int) -> None:
    speech = np.random.default_rng(0).normal(size=200)
    r, lag = best_lag(np.roll(speech, late), speech)
    assert lag == late and r == pytest.approx(1)


def test_noise_is_that_of_one_measurement() -> None:
    random = np.random.default_rng(0)
    signal = np.sin(np.arange(20000) / 9)
    looks = (signal + random.normal(0, 0.1, 20000) + offset for offset in (0, 0.7))
    assert noise(*looks) == pytest.approx(0.1, rel=0.03)


def test_tremble_of_a_steady_run_and_of_a_zigzag() -> None:
    steps = np.arange(30, dtype=float)
    run, zigzag = np.zeros((30, 4, 2)), np.zeros((30, 4, 2))
    run[..., 0], zigzag[..., 1] = 3 * steps[:, None], (steps % 2)[:, None]
    assert tremble(run, np.full(30, 100.0)) == pytest.approx(0, abs=1e-12)
    assert tremble(zigzag, np.full(30, 100.0)) == pytest.approx(2 / 100)


@pytest.mark.parametrize("fps, other", [(25, 25), (25, 50), (50, 25), (30, 25), (24, Fraction(30000, 1001))])
def test_videos_of_different_rates_are_compared_by_time(fps: Fraction, other: Fraction) -> None:
    frames = same_time(100, Fraction(fps), 100, Fraction(other))
    assert np.abs(frames / float(other) - np.arange(len(frames)) / float(fps)).max() <= 1 / float(other)
    assert len(frames) == pytest.approx(min(100, 100 * float(fps / Fraction(other))), abs=2)
    numbers = (np.full((1, 1, 3), n, np.uint8) for n in range(100))
    stream = [int(rgb[0, 0, 0]) for rgb in at_rate(numbers, Fraction(other), Fraction(fps))]
    assert stream[:100] == list(frames) and frame_at(0, Fraction(fps), Fraction(other)) == 0


# whole evaluations


def rolling(number: int) -> Rgb:
    return moved(roll=10 * math.sin(number / 4))


@cache
def rolled() -> Report:
    """A result that rolls as its driving does, by half, on a driving that also shifts."""
    driving = Frames(30, lambda n: moved(10 * math.sin(n / 4), (6 * math.sin(n / 5), 0)))
    return evaluate(Frames(30, lambda n: moved(5 * math.sin(n / 4))), driving, portrait=hopper())


def test_roll_is_carried_over_by_half() -> None:
    roll = rolled().movement("roll")
    assert roll.moved and roll.span == pytest.approx(20, abs=1.5)
    assert roll.scores.result.r > 0.99 and roll.scores.result.gain == pytest.approx(0.5, abs=0.03)
    assert roll.scores.result.error == pytest.approx(roll.scores.still.error / 2, rel=0.1)
    assert roll.scores.still.error == pytest.approx(10 * 2 / math.pi, rel=0.15)
    assert roll.noise < 0.5


def test_what_the_driving_does_not_move_is_said_not_to_be() -> None:
    assert not rolled().movement("mouth_open").moved and not rolled().movement("yaw").moved


def test_the_report_is_json_and_prints() -> None:
    values = json.loads(json.dumps(rolled().as_dict(), allow_nan=False))
    assert values["movements"]["roll"]["scores"]["result"]["r"] > 0.99
    assert values["movements"]["roll"]["scores"]["still"]["r"] is None and values["likeness"] is None
    out = io.StringIO()
    Console(file=out, width=120).print(rolled().table())
    assert "head roll" in out.getvalue() and "jitter ratio" in out.getvalue()
    assert len(set(len(row) for row in out.getvalue().splitlines())) > 1 and "…" not in out.getvalue()


def test_the_result_equal_to_the_truth_is_perfect_and_the_still_is_not() -> None:
    clip = Frames(12, rolling)
    report = evaluate(clip, clip, clip, portrait=hopper())
    assert report.likeness is not None
    result, still, driving = report.likeness.result, report.likeness.still, report.likeness.driving
    assert (result.l1, result.psnr, result.akd) == (0, PSNR_LIMIT, 0)
    assert result.ssim == pytest.approx(1, abs=1e-6) and result.ms_ssim == pytest.approx(1, abs=1e-6)
    assert still.l1 > 0.02 and still.ssim < 0.95 and still.akd > 2
    assert driving.ssim == 1 and 0 < driving.akd < 2 < still.akd
    assert report.quality.result.jitter == pytest.approx(1)
    assert report.movement("roll").scores.result.r == pytest.approx(1)


def test_akd_is_the_mean_difference_of_coordinates() -> None:
    face = find_faces(hopper())[0]
    moved = Face(face.landmarks + np.array([3, -1, 7], np.float32))
    assert keypoint_distance(face, moved) == pytest.approx(2, abs=1e-4)
    assert at_akd_size(2, (512, 384, 3)) == 1


def test_a_still_result_scores_as_the_still() -> None:
    report = evaluate(Frames(12, lambda n: hopper()), truth=Frames(12, rolling), portrait=hopper())
    assert report.likeness is not None
    for name in ("l1", "psnr", "ssim", "ms_ssim"):
        assert getattr(report.likeness.result, name) == getattr(report.likeness.still, name)
    assert report.likeness.result.akd == pytest.approx(report.likeness.still.akd, rel=0.03)
    assert report.quality.result.jitter == pytest.approx(report.quality.still.jitter, rel=0.3)
    assert report.quality.result.border_psnr == PSNR_LIMIT
    assert report.quality.result.sharpness == pytest.approx(1, rel=1e-3)


def test_trembling_and_lost_frames_are_seen() -> None:
    random = np.random.default_rng(0)
    shaken = [tuple(random.normal(0, 1.5, 2)) for _ in range(30)]
    driving = track(Frames(30, lambda n: moved(shift=(n / 2, 0))))
    steady = evaluate(Frames(30, lambda n: moved(shift=(n / 2, 0))), driving, portrait=hopper())
    shaking = Frames(30, lambda n: grey(90, 320) if 10 <= n < 15 else moved(shift=shaken[n]))
    nervous = evaluate(shaking, driving, portrait=hopper())
    assert steady.quality.result.jitter == pytest.approx(1, abs=0.01) and steady.quality.result.lost == 0
    assert nervous.quality.result.jitter > 5 and nervous.quality.result.lost == 5
    assert 0 < nervous.quality.still.jitter < 1.5


def test_files_of_another_rate_and_length(tmp_path: Path) -> None:
    talk, out = tmp_path / "talk.mp4", tmp_path / "out.mp4"
    write_video(talk, Frames(40, lambda n: rolling(n // 2)), Fraction(50))
    write_video(out, Frames(15, rolling), FPS)
    seen: list[int] = []
    report = evaluate(out, talk, progress=seen.append)
    assert report.frames == 15 and report.fps == 25 and seen == list(range(1, 16))
    assert report.movement("roll").scores.result.r > 0.995
    assert report.movement("roll").scores.result.error < 0.3


def test_no_frames_are_kept() -> None:
    alive: list[weakref.ref[Rgb]] = []
    most = 0

    def make(number: int) -> Rgb:
        nonlocal most
        rgb = rolling(number)
        alive.append(weakref.ref(rgb))
        most = max(most, sum(ref() is not None for ref in alive))
        return rgb

    clip = Frames(40, make)
    evaluate(clip, clip, clip, portrait=hopper())
    assert len(alive) >= 80 and most <= 8


def test_what_cannot_be_compared_is_a_clear_error(tmp_path: Path) -> None:
    clip = Frames(3, rolling)
    with pytest.raises(UsageError, match="--driving"):
        evaluate(clip)
    with pytest.raises(PortrayalError, match="no face found"):
        evaluate(clip, Frames(3, lambda n: grey(90, 320)))
    with pytest.raises(PortrayalError, match=r"320x320 pixels and the truth 320x160"):
        evaluate(clip, truth=Frames(3, lambda n: rolling(n)[:160]), portrait=hopper())
    with pytest.raises(PortrayalError, match=r"missing\.mp4: no such file"):
        evaluate(tmp_path / "missing.mp4", clip)
    still = tmp_path / "still.png"
    cv2.imwrite(str(still), hopper())
    with pytest.raises(PortrayalError, match=r"still\.png: is a still picture"):
        evaluate(clip, still)


def test_identities_of_a_protocol(tmp_path: Path) -> None:
    """By a model that embeds a face's mean colour: none lost where nothing changes, some where it does."""
    model = Path(__file__).parent / "golden" / "identity" / "mean_colour.onnx"
    write_video(tmp_path / "a.mp4", [hopper()] * 2, FPS, quality=95)

    def made(change: Callable[[Rgb], Rgb]) -> float | None:
        pairs = lambda clips: (((rgb, change(rgb)) for rgb in clip) for clip in clips)  # noqa: E731
        return reconstruction(tmp_path, pairs, Identity(model)).aed

    assert made(lambda rgb: rgb) == 0
    greener = made(lambda rgb: np.dstack([rgb[..., 0] // 2, rgb[..., 1], rgb[..., 2]]))
    assert greener is not None and 0.01 < greener < 4
    assert reconstruction(tmp_path, lambda clips: (((f, f) for f in clip) for clip in clips)).aed is None
    (tmp_path / "other.onnx").write_bytes(b"no model")
    with pytest.raises(PortrayalError, match="no ONNX model"):
        Identity(tmp_path / "other.onnx")
    with pytest.raises(PortrayalError, match="no such file"):
        Identity(tmp_path / "missing.onnx")
