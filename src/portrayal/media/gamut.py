"""Videos of high dynamic range or wide gamut as the plain pictures that everything else works on.

Without this their colours look washed out: a transfer curve made for 1000 and more nits, primaries that are
further apart. Light is made linear, brought to BT.709's primaries, its highlights are rolled off, and it is
coded again by sRGB's curve.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import cv2
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorTrc
from numpy.typing import NDArray

from portrayal.media.rates import RGB

Array = NDArray[np.float32]

#: Luminance in nits of a white sheet of paper in HDR (ITU-R BT.2408): it is nearly white in the result.
WHITE = 203.0
#: Highlights up to this luminance are told apart.
PEAK = 1000.0
#: From this share of white on highlights are rolled off.
KNEE = 0.8
_ROWS = 64
#: Linear RGB to linear BT.709, by primaries.
_TO_BT709 = {
    int(ColorPrimaries.BT2020): [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083],
                                 [-0.0182, -0.1006, 1.1187]],
    int(ColorPrimaries.SMPTE432): [[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0],
                                   [-0.0197, -0.0786, 1.0979]],
}  # fmt: skip


class Coding(NamedTuple):
    """How a video's colours are coded: numbers of ITU-T H.273."""

    transfer: int
    primaries: int

    @classmethod
    def of(cls, frame: Any) -> Coding:
        return cls(int(frame.color_trc), int(frame.color_primaries))

    @property
    def is_plain(self) -> bool:
        """Whether its pictures can be used as they are."""
        return self.transfer not in _CURVES and self.primaries not in _TO_BT709


def plain(rgb: NDArray[np.uint16], coding: Coding) -> RGB:
    """uint16 (H, W, 3) RGB, 65535 the highest code, as uint8 RGB in BT.709 primaries and sRGB's curve."""
    light = _linear_codes(coding.transfer)
    matrix = np.array(_TO_BT709.get(coding.primaries, np.eye(3)), np.float32)
    result = np.empty(rgb.shape, np.uint8)
    for top in range(0, len(rgb), _ROWS):  # a few rows at a time stay in the processor's cache
        linear = light.take(rgb[top : top + _ROWS])
        if coding.transfer == ColorTrc.ARIB_STD_B67:
            linear = _shown(linear)
        linear = np.asarray(cv2.transform(linear, matrix), np.float32)
        if coding.transfer in _CURVES:
            linear *= _roll_off(linear.max(2, keepdims=True))
        codes = np.clip(65535 * linear + 0.5, 0, 65535).astype(np.uint16)
        result[top : top + _ROWS] = _srgb_codes().take(codes)
    return result


def _roll_off(brightest: Array) -> Array:
    """By how much to darken a pixel whose brightest channel is this, 1 white: not at all up to the knee, then
    as Reinhard et al. (2002, equation 4), so that the peak becomes white; hue and saturation are kept."""
    over = np.maximum((brightest - KNEE) / (1 - KNEE), 0)
    most = (PEAK / WHITE - KNEE) / (1 - KNEE)
    eased = KNEE + (1 - KNEE) * over * (1 + over / most**2) / (1 + over)
    return np.where(over > 0, eased / np.maximum(brightest, KNEE), 1).astype(np.float32)


def _pq(code: Array) -> Array:
    """SMPTE ST 2084, equation 4.1: light, 1 white."""
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
    power = code ** (1 / m2)
    return np.asarray(10000 / WHITE * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1), np.float32)


def _hlg(code: Array) -> Array:
    """ITU-R BT.2100, table 5: the scene's light, 1 the brightest."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12).astype(np.float32)


def _shown(scene: Array) -> Array:
    """BT.2100's display of 1000 nits for the scene's light of HLG: light, 1 white."""
    luminance = scene @ np.array([0.2627, 0.678, 0.0593], np.float32)
    return np.asarray(PEAK / WHITE * scene * np.maximum(luminance, 1e-6)[..., None] ** 0.2, np.float32)


def _srgb(code: Array) -> Array:
    """IEC 61966-2-1: light, 1 white."""
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4).astype(np.float32)


_CURVES: dict[int, Callable[[Array], Array]] = {
    int(ColorTrc.SMPTE2084): _pq,
    int(ColorTrc.ARIB_STD_B67): _hlg,
}


@cache
def _linear_codes(transfer: int) -> Array:
    """(65536,) the light of every code."""
    return _CURVES.get(transfer, _srgb)(np.linspace(0, 1, 1 << 16, dtype=np.float32))


@cache
def _srgb_codes() -> NDArray[np.uint8]:
    """(65536,) sRGB's code, 0 to 255, of light from 0 to 65535."""
    light = np.linspace(0, 1, 1 << 16)
    code = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(255 * code + 0.5, np.uint8)
