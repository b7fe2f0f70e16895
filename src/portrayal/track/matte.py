"""Which pixels belong to the person, by MediaPipe's selfie segmentation (Apache-2.0, inside its wheel)."""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.track.crop import square_crop
from portrayal.track.face import Face, quiet, solutions

Rgb = NDArray[np.uint8]
Mask = NDArray[np.float32]

#: Side of the square that is segmented around a face, in eye distances: head and shoulders.
CROP = 5.2
_SIZE = 256


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
    with quiet():
        plain = _segmenter().process(np.ascontiguousarray(crop)).segmentation_mask
        mirrored = _segmenter().process(np.ascontiguousarray(crop[:, ::-1])).segmentation_mask[:, ::-1]
    sharp = np.clip(((plain + mirrored) / 2 - 0.25) / 0.5, 0, 1).astype(np.float32)
    guided = (cv2.ximgproc.guidedFilter(crop, sharp, 5, 0.002 * 255**2) - 0.1) / 0.8
    back = np.vstack([cv2.invertAffineTransform(to_crop), [0, 0, 1]])
    matte = cv2.warpAffine(guided, place @ back, size[::-1], borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(np.clip(matte, 0, 1), np.float32)
