"""How alike two pictures are, and how sharp one is. Pictures are uint8 RGB, (H, W, 3)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.track.face import Face
from portrayal.track.topology import OVAL

Rgb = NDArray[np.uint8]
Array = NDArray[np.float32]

#: Wang et al. 2004: window of 11 x 11 pixels, sigma 1.5, K1 0.01, K2 0.03, range 255.
_WINDOW = cv2.getGaussianKernel(11, 1.5, cv2.CV_32F)
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
#: Wang et al. 2003, table 1: weights of the scales, finest first.
_SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
#: Equal pictures have an infinite PSNR, of which there is no mean.
PSNR_LIMIT = 100.0
#: Width of the frame around a picture that should stand still, of its shorter side.
BORDER = 0.04
#: Smallest side in pixels for which the window fits in the coarsest scale.
MS_SSIM_SMALLEST = 11 * 2 ** (len(_SCALES) - 1)


def l1(a: Rgb, b: Rgb) -> float:
    """Mean absolute difference, with white as 1."""
    return float(cv2.norm(a, b, cv2.NORM_L1)) / a.size / 255


def squared_error(a: Rgb, b: Rgb) -> float:
    """Mean squared difference, with white as 255."""
    return float(cv2.norm(a, b, cv2.NORM_L2SQR)) / a.size


def psnr(squared_error: float) -> float:
    """Peak signal to noise ratio in dB, :data:`PSNR_LIMIT` at most: what equal pictures get."""
    if squared_error <= 0:
        return PSNR_LIMIT
    return min(float(10 * np.log10(255**2 / squared_error)), PSNR_LIMIT)


def ssim(a: Rgb, b: Rgb) -> float:
    """Structural similarity (Wang et al. 2004), mean over the colours; 1 for equal pictures.

    Only windows that lie inside the picture count.
    """
    return _similarity(a.astype(np.float32), b.astype(np.float32))[0]


def ms_ssim(a: Rgb, b: Rgb) -> float:
    """Structural similarity over five scales (Wang et al. 2003), mean over the colours.

    NaN where a side is shorter than :data:`MS_SSIM_SMALLEST`. A negative mean of a scale counts as 0.
    """
    return similarities(a, b)[1]


def similarities(a: Rgb, b: Rgb) -> tuple[float, float]:
    """:func:`ssim` and :func:`ms_ssim` in one go."""
    x, y = a.astype(np.float32), b.astype(np.float32)
    whole, contrast = _similarity(x, y)
    if min(a.shape[:2]) < MS_SSIM_SMALLEST:
        return whole, float("nan")
    product, coarsest = 1.0, whole
    for weight in _SCALES[:-1]:
        product *= max(contrast, 0.0) ** weight
        x, y = _halved(x), _halved(y)
        coarsest, contrast = _similarity(x, y)
    return whole, product * max(coarsest, 0.0) ** _SCALES[-1]


def _similarity(x: Array, y: Array) -> tuple[float, float]:
    """Mean SSIM, and mean of its contrast and structure factor alone."""
    mean_x, mean_y = _blurred(x), _blurred(y)
    both = mean_x * mean_y
    squares = mean_x**2 + mean_y**2
    covariance = _blurred(x * y) - both
    variances = _blurred(x * x + y * y) - squares
    contrast = (2 * covariance + _C2) / (variances + _C2)
    return float(((2 * both + _C1) / (squares + _C1) * contrast).mean()), float(contrast.mean())


def _blurred(x: Array) -> Array:
    reach = len(_WINDOW) // 2
    blurred = cv2.sepFilter2D(x, cv2.CV_32F, _WINDOW, _WINDOW)
    return np.asarray(blurred[reach:-reach, reach:-reach], np.float32)


def _halved(x: Array) -> Array:
    """Mean of each 2 x 2 pixels; an odd last row or column is left out."""
    height, width = (side // 2 * 2 for side in x.shape[:2])
    half = (width // 2, height // 2)
    return np.asarray(cv2.resize(x[:height, :width], half, interpolation=cv2.INTER_AREA), np.float32)


def border_error(a: Rgb, b: Rgb) -> float:
    """:func:`squared_error` over the outer :data:`BORDER` of the picture alone."""
    width = max(1, round(BORDER * min(a.shape[:2])))
    inside = np.s_[width:-width, width:-width]
    whole, inner = (float(cv2.norm(x, y, cv2.NORM_L2SQR)) for x, y in ((a, b), (a[inside], b[inside])))
    return (whole - inner) / (a.size - a[inside].size)


def sharpness(rgb: Rgb, face: Face) -> float:
    """Variance of the Laplacian of the grey picture inside the face's outline (Pech-Pacheco et al. 2000)."""
    height, width = rgb.shape[:2]
    left, top, right, bottom = (round(edge) for edge in face.box)
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    if right - left < 3 or bottom - top < 3:
        return float("nan")
    crop = cv2.cvtColor(np.ascontiguousarray(rgb[top:bottom, left:right]), cv2.COLOR_RGB2GRAY)
    outline = (face.landmarks[list(OVAL), :2] - (left, top)).round().astype(np.int32)
    mask = np.zeros(crop.shape, np.uint8)
    cv2.fillPoly(mask, [outline], (1,))
    edges = cv2.Laplacian(crop, cv2.CV_32F)[mask > 0]
    return float(edges.var()) if edges.size else float("nan")


def fitted(rgb: Rgb, shape: tuple[int, ...]) -> Rgb | None:
    """The picture in the size (H, W, ...) of another; None where the two have different proportions.

    A video codec makes odd sides even by repeating the last row or column; that is done or undone exactly.
    """
    height, width = shape[:2]
    more = height - rgb.shape[0], width - rgb.shape[1]
    if max(map(abs, more)) <= 1:
        padded = np.pad(rgb, ((0, max(more[0], 0)), (0, max(more[1], 0)), (0, 0)), "edge")
        return np.ascontiguousarray(padded[:height, :width])
    if abs(rgb.shape[1] * height / (rgb.shape[0] * width) - 1) > 0.02:
        return None
    how = cv2.INTER_AREA if rgb.shape[0] > height else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(rgb, (width, height), interpolation=how), np.uint8)
