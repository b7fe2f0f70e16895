"""Which pixels belong to the person, by MediaPipe's selfie segmentation (Apache-2.0, inside its wheel)."""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.track.crop import square_crop
from portrayal.track.face import Face
from portrayal.track.graphs import quiet, solutions

Rgb = NDArray[np.uint8]
Mask = NDArray[np.float32]

#: Side of the square that is segmented around a face, in eye distances: head and shoulders.
CROP = 5.2
_SIZE = 256
#: Longer side at which colours are told apart.
_CUT_SIZE = 512


@cache
def _segmenter() -> Any:
    with quiet():
        return solutions().selfie_segmentation.SelfieSegmentation(model_selection=0)


def person_matte(rgb: Rgb, face: Face, place: NDArray[np.float64], size: tuple[int, int]) -> Mask:
    """(h, w) float32 in [0, 1]: how much of each pixel belongs to the person with this face.

    rgb: (H, W, 3). place: (2, 3) affine map from its pixels to those of the answer, which has `size`
    (height, width). The network sees a crop scaled by the face, and its mirror image, so that paintings and
    small figures work as well as photos; its soft 256-pixel answer is drawn to the picture's own edges by a
    guided filter (He, Sun, Tang 2010). Outside the crop the nearest edge of the crop counts, fading out.
    """
    side = CROP * face.pose.scale
    x, y = face.centre
    crop, to_crop = square_crop(rgb, (float(x), float(y + 0.05 * side)), side, _SIZE)
    return _placed(_guided(crop, _segmented(crop)), to_crop, place, size, cv2.BORDER_REPLICATE)


def body_matte(
    rgb: Rgb, square: tuple[float, float, float], place: NDArray[np.float64], size: tuple[int, int]
) -> Mask:
    """As :func:`person_matte`, of whoever is in a square: (x, y) of its centre and its side, pixels. Outside
    it nobody is.

    A body is larger than a face: the network's answer is drawn to the edges of a picture twice its size.
    """
    x, y, side = square
    crop, to_crop = square_crop(rgb, (x, y), side, 2 * _SIZE)
    answer = _segmented(np.asarray(cv2.resize(crop, (_SIZE, _SIZE), interpolation=cv2.INTER_AREA), np.uint8))
    wide = np.asarray(cv2.resize(answer, (2 * _SIZE, 2 * _SIZE), interpolation=cv2.INTER_LINEAR), np.float32)
    return _placed(_guided(crop, wide), to_crop, place, size, cv2.BORDER_CONSTANT)


def sharpened(rgb: Rgb, matte: Mask, reach: int) -> Mask:
    """A matte (H, W) whose outline is moved, by up to `reach` pixels, to where the colours of person and
    background part."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    person = (matte > 0.5).astype(np.uint8)
    labels = np.where(person, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[cv2.erode(person, kernel) > 0], labels[cv2.dilate(person, kernel) == 0] = cv2.GC_FGD, cv2.GC_BGD
    soft = cv2.ximgproc.guidedFilter(rgb, grab_cut(rgb, labels), max(2, reach // 2), 0.0005 * 255**2)
    return np.asarray(np.clip((soft - 0.15) / 0.7, 0, 1), np.float32)


def grab_cut(rgb: Rgb, labels: Rgb) -> Mask:
    """(H, W) 1 where the colours say so (GrabCut, Rother, Kolmogorov & Blake 2004).

    labels: (H, W) of cv2.GC_FGD, GC_PR_FGD, GC_PR_BGD and GC_BGD. Large pictures are looked at reduced.
    """
    answer = np.zeros(labels.shape, np.float32)
    rows, columns = np.nonzero(labels != cv2.GC_BGD)
    if not (labels == cv2.GC_FGD).any():
        return answer
    margin = 8 + (rows.max() - rows.min()) // 10
    top, left = max(rows.min() - margin, 0), max(columns.min() - margin, 0)
    part = np.s_[top : rows.max() + margin, left : columns.max() + margin]
    height, width = labels[part].shape
    scale = min(1.0, _CUT_SIZE / max(height, width))
    size = (max(2, round(width * scale)), max(2, round(height * scale)))
    bgr = cv2.resize(rgb[part], size, interpolation=cv2.INTER_AREA)[..., ::-1].copy()
    small = np.asarray(cv2.resize(labels[part], size, interpolation=cv2.INTER_NEAREST), np.uint8)
    cv2.setRNGSeed(0)
    if (small == cv2.GC_FGD).any() and (small == cv2.GC_BGD).any():
        models = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(bgr, small, (0, 0, 0, 0), *models, 2, cv2.GC_INIT_WITH_MASK)
    hard = np.isin(small, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    answer[part] = cv2.resize(hard, (width, height), interpolation=cv2.INTER_LINEAR)
    return answer


def _segmented(crop: Rgb) -> Mask:
    with quiet():
        plain = _segmenter().process(np.ascontiguousarray(crop)).segmentation_mask
        mirrored = _segmenter().process(np.ascontiguousarray(crop[:, ::-1])).segmentation_mask[:, ::-1]
    return np.clip(((plain + mirrored) / 2 - 0.25) / 0.5, 0, 1).astype(np.float32)


def _guided(crop: Rgb, mask: Mask) -> Mask:
    return np.asarray((cv2.ximgproc.guidedFilter(crop, mask, 5, 0.002 * 255**2) - 0.1) / 0.8, np.float32)


def _placed(
    mask: Mask, to_crop: NDArray[np.float64], place: NDArray[np.float64], size: tuple[int, int], border: int
) -> Mask:
    """A mask of a crop where it is in the answer."""
    back = np.vstack([cv2.invertAffineTransform(to_crop), [0, 0, 1]])
    matte = cv2.warpAffine(mask, place @ back, size[::-1], borderMode=border)
    return np.asarray(np.clip(matte, 0, 1), np.float32)
