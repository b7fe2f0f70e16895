"""Phonemes → ARKit coefficients of the mouth, with coarticulation.

Every phoneme pulls jaw and lips towards its own shape with a dominance that fades before and after it,
and the mouth is where the pulls balance (Cohen & Massaro 1993). Lips that must meet are not left to that
balance: p, b and m close, f and v touch the teeth.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import zip_longest
from math import ceil

import numpy as np
from numpy.typing import NDArray

from portrayal.motion import SHAPE_INDEX, SHAPES
from portrayal.speech.acoustics import STEPS, Acoustics, Array
from portrayal.speech.phonemes import BILABIALS, LIP_SOUNDS, SILENCE, VOWELS, Phone

Double = NDArray[np.float64]

#: What a phoneme asks of the mouth, 0 to 1: jaw open; lips rounded; corners drawn wide; lips off the teeth.
_SHAPES: dict[str, tuple[float, float, float, float]] = {
    "AA": (0.95, 0.0, 0.0, 0.3), "AE": (0.9, 0.0, 0.4, 0.4), "AH": (0.6, 0.0, 0.0, 0.2),
    "AO": (0.75, 0.5, 0.0, 0.2), "EH": (0.65, 0.0, 0.3, 0.3), "ER": (0.4, 0.35, 0.0, 0.2),
    "IH": (0.42, 0.0, 0.3, 0.3), "IY": (0.33, 0.0, 0.6, 0.4), "UH": (0.4, 0.5, 0.0, 0.1),
    "UW": (0.3, 1.0, 0.0, 0.0), "OW": (0.55, 0.7, 0.0, 0.1),
    "W": (0.18, 1.0, 0.0, 0.0), "Y": (0.3, 0.0, 0.4, 0.2), "R": (0.3, 0.4, 0.0, 0.2),
    "L": (0.38, 0.0, 0.1, 0.2), "HH": (0.5, 0.0, 0.0, 0.1),
    "M": (0.1, 0.0, 0.0, 0.0), "B": (0.1, 0.0, 0.0, 0.0), "P": (0.1, 0.0, 0.0, 0.0),
    "F": (0.14, 0.0, 0.1, 0.3), "V": (0.14, 0.0, 0.1, 0.3),
    "TH": (0.28, 0.0, 0.1, 0.2), "DH": (0.28, 0.0, 0.1, 0.2),
    "T": (0.26, 0.0, 0.1, 0.2), "D": (0.26, 0.0, 0.1, 0.2), "N": (0.26, 0.0, 0.1, 0.2),
    "S": (0.2, 0.0, 0.35, 0.4), "Z": (0.2, 0.0, 0.35, 0.4), "SH": (0.25, 0.6, 0.0, 0.5),
    "ZH": (0.25, 0.6, 0.0, 0.5), "CH": (0.25, 0.6, 0.0, 0.5), "JH": (0.25, 0.6, 0.0, 0.5),
    "K": (0.35, 0.0, 0.0, 0.1), "G": (0.35, 0.0, 0.0, 0.1), "NG": (0.35, 0.0, 0.0, 0.1),
    SILENCE: (0.0, 0.0, 0.0, 0.0), "breath": (0.45, 0.0, 0.0, 0.1),
}  # fmt: skip
_DIPHTHONGS = {"AY": ("AA", "IH"), "AW": ("AA", "UH"), "OY": ("AO", "IH"), "EY": ("EH", "IY")}
#: Sounds made by the lips hold their rounding; others let their neighbours' through.
_LIP_SOUNDS = frozenset({"UW", "UH", "OW", "AO", "W", "R", "ER", "SH", "ZH", "CH", "JH", "IY", "AE"})
_TONGUE = frozenset({"T", "D", "N", "K", "G", "NG", "TH", "DH", "L", "HH"})
#: Seconds in which a pull fades to 1/e: of the jaw, of the rounding, which looks further ahead.
_JAW_FADE, _LIP_FADE = 0.055, 0.09
_REACH = 0.36
#: A jaw does not follow faster than this (standard deviation of the smoothing, seconds).
_JAW_INERTIA = 0.035
#: The rest is what the sound tells, even of known phonemes: it knows how they were said.
_TRUST = 0.55
_CLOSING, _OPENING = 0.07, 0.07
#: People open their mouth this long (seconds) before they speak.
_BREATH = 0.25
#: jawOpen of the most open vowel, said loudly; 1 in ARKit is as far as a jaw goes.
JAW_SIZE = 0.62

#: How far the inner lips part for a coefficient of 1, in units of jawOpen's.
_APERTURE = {
    "jawOpen": 1.0, "mouthClose": -1.0, "mouthFunnel": 0.18, "mouthLowerDownLeft": 0.08,
    "mouthLowerDownRight": 0.08, "mouthUpperUpLeft": 0.07, "mouthUpperUpRight": 0.07,
}  # fmt: skip
_APERTURE_WEIGHTS = np.array([_APERTURE.get(name, 0.0) for name in SHAPES], np.float32)


def lip_aperture(coefficients: Array) -> Array:
    """How far the lips part at their middle: (..., 52) coefficients → (...), 1 as far as jawOpen alone at 1.

    jawOpen lowers jaw and lower lip, mouthClose brings the lips together over an open jaw, the others part
    them a little (Apple, ARFaceAnchor.BlendShapeLocation). Below 0.02 the lips are closed.
    """
    aperture: Array = np.maximum(coefficients @ _APERTURE_WEIGHTS, 0)
    return aperture


def mouth_coefficients(phones: Sequence[Phone], acoustics: Acoustics, fps: Fraction, count: int) -> Array:
    """(count, 52) coefficients of the mouth, others 0; frame i shows the middle of its time.

    How far the jaw opens is asked of the phonemes as far as they are certain, and of the sound itself.
    """
    steps = ceil((count / fps) * STEPS) + 1
    parts = list(_parts(phones))
    jaw, rounded, wide, bared = _balance(parts, steps)
    heard, loud = _of_length(acoustics.openness, steps), _of_length(acoustics.loudness, steps)
    trust = _smooth(_trust(parts, steps), 0.05)
    jaw = JAW_SIZE * _smooth(trust * jaw * _size(loud) + (1 - trust) * heard, _JAW_INERTIA)
    times = (np.arange(count) + 0.5) / float(fps) * STEPS - 0.5
    shapes = np.stack([jaw, *(_smooth(curve, 0.02) for curve in (rounded, wide, bared))])
    shown = np.array([np.interp(times, np.arange(steps), curve) for curve in shapes])
    frames = np.arange(count) + 0.5
    closed = _contact(parts, BILABIALS, frames, float(fps))
    tucked = _contact(parts, LIP_SOUNDS - BILABIALS, frames, float(fps))
    return _coefficients(shown, closed, tucked)


def _of_length(values: Array, steps: int) -> Double:
    """Cut, or filled up with silence."""
    return np.pad(values[:steps].astype(float), (0, max(0, steps - len(values))))


def _size(loud: Double) -> Double:
    """Loud speech opens wider, quiet speech less: a factor about 1."""
    return 0.8 + 0.3 * _smooth(loud, 0.08)


def _trust(parts: Sequence[Phone], steps: int) -> Double:
    """(steps,) share of the phonemes in the jaw's opening."""
    trust = np.zeros(steps)
    for phone in parts:
        trust[round(phone.start * STEPS) : round(phone.end * STEPS)] = _TRUST * phone.certainty
    return trust


def _smooth(values: Double, seconds: float) -> Double:
    from scipy.ndimage import gaussian_filter1d

    smoothed: Double = gaussian_filter1d(values, seconds * STEPS, mode="nearest")
    return smoothed


def _parts(phones: Sequence[Phone]) -> Iterator[Phone]:
    """Diphthongs as the two vowels that they are; the end of a silence as the breath before speaking."""
    for phone, after in zip_longest(phones, phones[1:]):
        if phone.symbol in _DIPHTHONGS:
            first, second = _DIPHTHONGS[phone.symbol]
            turn = phone.start + 0.6 * phone.duration
            yield replace(phone, symbol=first, end=turn)
            yield replace(phone, symbol=second, start=turn, stress=0)
        elif phone.symbol == SILENCE and after is not None:
            inhale = phone.end - min(_BREATH, phone.duration if phone.duration < 0.4 else phone.duration / 2)
            yield replace(phone, end=inhale)
            yield replace(phone, symbol="breath", start=inhale)
        else:
            yield phone


def _balance(parts: Sequence[Phone], steps: int) -> Double:
    """(4, steps): the shapes of :data:`_SHAPES`, each pulled at by the phonemes around."""
    total = np.zeros((4, steps))
    weight = np.full((4, steps), 1e-6)
    fade = np.array([_JAW_FADE, _LIP_FADE, _LIP_FADE, _JAW_FADE])[:, None]
    for phone in parts:
        first = max(0, int((phone.start - _REACH) * STEPS))
        last = min(steps, ceil((phone.end + _REACH) * STEPS))
        if first >= last:
            continue
        time = (np.arange(first, last) + 0.5) / STEPS
        away = np.maximum(0, np.abs(time - phone.middle) - phone.duration / 4)
        pull = _strength(phone)[:, None] * np.exp(-away / fade)
        total[:, first:last] += pull * np.array(_SHAPES[phone.symbol])[:, None]
        weight[:, first:last] += pull
    return total / weight


def _strength(phone: Phone) -> Double:
    """(4,) of the pull on each shape."""
    lips = 1.0 if phone.symbol in _LIP_SOUNDS else 0.3
    if phone.symbol in VOWELS:
        return np.array([1.2 if phone.stress else 0.9, lips, lips, 0.8])
    if phone.symbol in (SILENCE, "breath"):
        return np.array([0.7, 0.5, 0.5, 0.7])
    return np.array([0.5 if phone.symbol in _TONGUE else 0.9, lips, lips, 0.8])


def _contact(parts: Sequence[Phone], symbols: frozenset[str], frames: Double, fps: float) -> Double:
    """(count,) 0 apart to 1 together: whole for at least one frame of each of the sounds, eased in and out,
    never reaching into the middle of the vowels beside it."""
    contact = np.zeros(len(frames))
    for before, phone, after in zip([None, *parts[:-1]], parts, [*parts[1:], None], strict=True):
        if phone.symbol not in symbols:
            continue
        half = max(phone.duration / 2, 0.5 / fps)
        left, right = phone.middle - half, phone.middle + half
        closing = _ramp(_CLOSING, left - before.middle if before else 1.0)
        opening = _ramp(_OPENING, after.middle - right if after else 1.0)
        first = max(0, int((left - closing) * fps))
        last = min(len(frames), ceil((right + opening) * fps) + 1)
        time = frames[first:last] / fps
        rise = np.clip((time - left) / closing + 1, 0, 1)
        fall = np.clip((right - time) / opening + 1, 0, 1)
        eased = np.minimum(rise, fall)
        contact[first:last] = np.maximum(contact[first:last], eased * eased * (3 - 2 * eased))
    return contact


def _ramp(wanted: float, room: float) -> float:
    return max(0.005, min(wanted, room))


def _coefficients(shapes: Double, closed: Double, tucked: Double) -> Array:
    """(count, 52) out of the four shapes (4, count) and the two contacts (count,)."""
    jaw, rounded, wide, bared = shapes
    jaw = jaw * (1 - 0.3 * rounded)
    apart = 1 - closed
    lips = apart * (1 - tucked)
    c = np.zeros((len(jaw), len(SHAPES)), np.float32)

    def put(name: str, values: Double) -> None:
        for side in ("", "Left", "Right"):
            if name + side in SHAPE_INDEX:
                c[:, SHAPE_INDEX[name + side]] = np.clip(values, 0, 1)

    open_ = jaw * (1 - 0.35 * closed)
    put("jawOpen", open_)
    put("mouthClose", open_ * np.maximum(closed, 0.7 * tucked))
    put("mouthPress", 0.35 * closed)
    put("mouthRollLower", 0.15 * closed + 0.55 * tucked * apart)
    put("mouthRollUpper", 0.12 * closed)
    put("mouthPucker", 0.95 * rounded * (1 - jaw))
    put("mouthFunnel", 0.8 * rounded * jaw * lips)
    put("mouthStretch", 0.35 * wide)
    put("mouthSmile", 0.15 * wide)
    put("mouthLowerDown", 0.5 * bared * lips * jaw)
    put("mouthUpperUp", 0.3 * bared * apart * jaw + 0.15 * tucked * apart)
    put("mouthShrugUpper", 0.1 * closed)
    return c
