"""Parts of the portrait that are fixed to the skull and as good as flat: how they are seen in other poses."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.track.geometry import HeadPose

Array = NDArray[np.float32]
Box = tuple[int, int, int, int]


def rigid_map(source: HeadPose, target: HeadPose, plane: Array) -> Array:
    """(2, 3) affine map from the pixels of one pose to another's, for what is fixed to the skull in the plane
    through three (3, 3) head-space points."""
    here, there = (np.ascontiguousarray(p.to_picture(plane)[:, :2]) for p in (source, target))
    return np.asarray(cv2.getAffineTransform(here, there), np.float32)


def sample_layer(
    layer: Array, corner: Array, to_source: Array, box: Box, border: int = cv2.BORDER_CONSTANT
) -> Array:
    """A layer whose first pixel is at `corner` of the portrait, as seen in a box of the canvas through the
    (2, 3) map from canvas to portrait."""
    matrix = to_source.astype(np.float64)
    offset = matrix[:, :2] @ np.array(box[:2], np.float64) + matrix[:, 2] - corner
    size = (box[2] - box[0], box[3] - box[1])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    matrix = np.column_stack([matrix[:, :2], offset])
    return np.asarray(cv2.warpAffine(layer, matrix, size, flags=flags, borderMode=border), np.float32)
