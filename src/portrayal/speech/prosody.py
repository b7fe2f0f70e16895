"""How it is said → what the rest of the face does: head, brows, blinks, gaze. The same for the same seed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from portrayal.motion import SHAPE_INDEX, SHAPES
from portrayal.speech.acoustics import STEPS, Acoustics, Array
from portrayal.speech.phonemes import SILENCE, VOWELS, Phone

Double = NDArray[np.float64]

_PHRASE_GAP = 0.2
#: Seconds between accents at least, and how prominent a vowel must be, 0 to 1.
_ACCENT_GAP, _ACCENT_LEAST = 0.45, 0.45
_NOD, _NOD_WIDTH = 2.6, 0.22
_BROW, _BROW_WIDTH, _BROW_LEAST = 0.4, 0.3, 0.62
#: Degrees (standard deviation) of the slow drift of pitch, yaw and roll, and of the new pose of each phrase.
_DRIFT, _POSE = (0.8, 1.3, 0.7), (1.0, 2.4, 1.0)
#: The head leaves the portrait's own pose within this time (seconds).
_ONSET = 0.8
#: Blinks: 16 a minute (Bentivoglio et al. 1997: 17 at rest, 26 in talk); lids close faster than they open.
_BLINK_EVERY, _BLINK_LEAST = 3.7, 1.3
_CLOSE, _SHUT, _OPEN = 0.08, 0.03, 0.17
_FIXATION = (0.7, 2.6)
_GLANCE = (0.1, 0.06)
#: Head degrees that full gaze sideways and up or down makes up for.
_EYE_TURN = (33.0, 22.0)


@dataclass(frozen=True)
class Accent:
    """A stressed moment: time in seconds, strength 0 to 1."""

    time: float
    strength: float


def phrases(phones: Iterable[Phone]) -> list[tuple[float, float]]:
    """(start, end) of what is said in one breath, seconds."""
    spans: list[tuple[float, float]] = []
    for phone in phones:
        if phone.symbol == SILENCE:
            continue
        if spans and phone.start - spans[-1][1] < _PHRASE_GAP:
            spans[-1] = (spans[-1][0], phone.end)
        else:
            spans.append((phone.start, phone.end))
    return spans


def accents(phones: Sequence[Phone], acoustics: Acoustics) -> list[Accent]:
    """The prominent vowels: loud, high, or known to be stressed; at least 0.45 s apart."""
    vowels = [p for p in phones if p.symbol in VOWELS]
    pitch = _relative_pitch(acoustics)
    ranked = sorted((_accent(p, pitch, acoustics.loudness) for p in vowels), key=lambda a: -a.strength)
    taken: list[Accent] = []
    busy = np.zeros(len(acoustics) + STEPS, bool)
    for accent in ranked:
        step = round(accent.time * STEPS)
        if accent.strength < _ACCENT_LEAST or step >= len(busy) or busy[step]:
            continue
        taken.append(accent)
        busy[max(0, step - int(_ACCENT_GAP * STEPS)) : step + int(_ACCENT_GAP * STEPS)] = True
    return sorted(taken, key=lambda a: a.time)


def _accent(vowel: Phone, pitch: Double, loudness: Array) -> Accent:
    steps = slice(int(vowel.start * STEPS), int(vowel.end * STEPS) + 1)
    loud = float(loudness[steps].max(initial=0))
    high = float(np.clip(pitch[steps].max(initial=-6) / 6, -0.5, 1))
    stress = (0.0, 1.0, 0.5)[vowel.stress]
    return Accent(vowel.middle, float(np.clip(0.45 * loud + 0.25 * high + 0.3 * stress, 0, 1)))


def _relative_pitch(acoustics: Acoustics) -> Double:
    """(n,) semitones above this voice's median, 0 where unvoiced."""
    voiced = acoustics.pitch > 0
    if not voiced.any():
        return np.zeros(len(acoustics))
    median = np.median(acoustics.pitch[voiced])
    return np.where(voiced, 12 * np.log2(np.maximum(acoustics.pitch, 1) / median), 0.0)


def animate(
    phones: Sequence[Phone], acoustics: Acoustics, fps: Fraction, count: int, *, seed: int
) -> tuple[Array, Array]:
    """Head angles (count, 3) in degrees and coefficients (count, 52) of brows, lids and gaze."""
    rng = np.random.default_rng(seed)
    times = (np.arange(count) + 0.5) / float(fps)
    said, stressed = phrases(phones), accents(phones, acoustics)
    rotation = _head(times, said, stressed, rng)
    coefficients = np.zeros((count, len(SHAPES)), np.float32)
    _set_brows(coefficients, times, stressed, rng)
    _set_lids(coefficients, _blinks(times, said, rng))
    _set_gaze(coefficients, _gaze(times, rng) - rotation[:, [1, 0]] / _EYE_TURN)
    return rotation.astype(np.float32), coefficients


def _head(
    times: Double, said: Sequence[tuple[float, float]], stressed: Sequence[Accent], rng: np.random.Generator
) -> Double:
    """(count, 3) degrees: a slow drift, a new pose for each phrase, a nod on each accent."""
    rotation = np.stack([size * _noise(times, rng) for size in _DRIFT], axis=1)
    pose: Double = np.zeros(3)
    for start, end in said:
        new: Double = rng.normal(0, _POSE, 3)
        length = min(0.9, 0.4 + (end - start) / 4)
        rotation += _step(times, start - 0.2, length)[:, None] * (new - pose)
        pose = new
    for accent in stressed:
        rotation[:, 0] += _NOD * accent.strength**2 * _bump(times, accent.time + 0.04, _NOD_WIDTH)
        rotation[:, 0] -= 0.4 * _NOD * accent.strength**2 * _bump(times, accent.time - 0.26, _NOD_WIDTH)
    return rotation * _step(times, 0.0, _ONSET)[:, None]


def _noise(times: Double, rng: np.random.Generator) -> Double:
    """Aimless slow movement of about unit deviation: sines between 0.05 and 0.4 Hz."""
    frequency = rng.uniform(0.05, 0.4, 5)
    phase = rng.uniform(0, 2 * np.pi, 5)
    wave = sum(np.sin(2 * np.pi * f * times + p) for f, p in zip(frequency, phase, strict=True))
    return np.asarray(wave) * np.sqrt(2 / 5)


def _step(times: Double, start: float, length: float) -> Double:
    """0 before `start`, 1 after `start + length`, with no jerk between."""
    x: Double = np.clip((times - start) / length, 0.0, 1.0)
    return x**3 * (10.0 - 15.0 * x + 6.0 * x * x)


def _bump(times: Double, middle: float, width: float) -> Double:
    return np.exp(-0.5 * ((times - middle) / (width / 2)) ** 2)


def _set_brows(
    coefficients: Array, times: Double, stressed: Sequence[Accent], rng: np.random.Generator
) -> None:
    raised = np.zeros(len(times))
    for accent in stressed:
        chance = rng.random()
        if accent.strength > _BROW_LEAST and chance < 0.6:
            raised += _BROW * accent.strength * _bump(times, accent.time, _BROW_WIDTH)
    raised = np.minimum(raised, 0.7)
    coefficients[:, SHAPE_INDEX["browInnerUp"]] = raised
    for side in ("Left", "Right"):
        coefficients[:, SHAPE_INDEX[f"browOuterUp{side}"]] = 0.7 * raised
        coefficients[:, SHAPE_INDEX[f"eyeWide{side}"]] = 0.2 * raised


def _blinks(times: Double, said: Sequence[tuple[float, float]], rng: np.random.Generator) -> Double:
    """(count,) 0 open, 1 shut. Blinks come at random, but rather where a phrase ends than just before."""
    ends = np.array([end + 0.05 for _, end in said])
    shut = np.zeros(len(times))
    last = times[-1] if len(times) else 0.0
    time = rng.uniform(0.6, _BLINK_EVERY)
    while time < last:
        near = ends[np.abs(ends - time) < 0.8] if len(ends) else ends
        begin = float(near[0]) if len(near) else time
        rise = _step(times, begin, _CLOSE)
        fall = _step(times, begin + _CLOSE + _SHUT, _OPEN)
        shut = np.maximum(shut, rise - fall)
        time = max(time, begin) + _BLINK_LEAST + rng.gamma(2.0, (_BLINK_EVERY - _BLINK_LEAST) / 2)
    return shut


def _set_lids(coefficients: Array, shut: Double) -> None:
    for side in ("Left", "Right"):
        coefficients[:, SHAPE_INDEX[f"eyeBlink{side}"]] = shut
        coefficients[:, SHAPE_INDEX[f"eyeWide{side}"]] *= 1 - shut


def _gaze(times: Double, rng: np.random.Generator) -> Double:
    """(count, 2) where the eyes look besides at the viewer: small jumps, mostly back to the viewer."""
    gaze = np.zeros((len(times), 2))
    time, here = rng.uniform(*_FIXATION), np.zeros(2)
    while len(times) and time < times[-1]:
        there = np.zeros(2) if rng.random() < 0.5 else rng.normal(0, _GLANCE)
        gaze += _step(times, time, 0.05)[:, None] * (there - here)
        here, time = there, time + rng.uniform(*_FIXATION)
    return gaze


def _set_gaze(coefficients: Array, gaze: Double) -> None:
    """See :meth:`portrayal.motion.MotionFrame.with_gaze`."""
    x, y = gaze.T
    for side, outward in (("Left", x), ("Right", -x)):
        for way, value in (("Out", outward), ("In", -outward), ("Up", -y), ("Down", y)):
            coefficients[:, SHAPE_INDEX[f"eyeLook{way}{side}"]] = np.maximum(value, 0)
