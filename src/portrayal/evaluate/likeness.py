"""How like the true video a result is, frame by frame: the metrics of self-reenactment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from portrayal.evaluate.pictures import PSNR_LIMIT, l1, psnr, similarities, squared_error
from portrayal.track.face import Face
from portrayal.track.topology import MESH_POINTS

Rgb = NDArray[np.uint8]

#: AKD is measured in pixels of frames whose longer side is this.
AKD_SIZE = 256


@dataclass(frozen=True)
class Likeness:
    """Means over the frames.

    l1: mean absolute difference, white is 1. psnr: dB (100 for equal frames). ssim, ms_ssim: Wang et al.
    akd: see :func:`keypoint_distance`, in pixels of frames whose longer side is 256; over the frames in which
    both faces are seen.
    """

    l1: float
    psnr: float
    ssim: float
    ms_ssim: float
    akd: float


#: The truth against itself, but for the keypoints.
PERFECT = Likeness(0.0, PSNR_LIMIT, 1.0, 1.0, float("nan"))


class LikenessSum:
    """Adds up frames; keeps nothing but sums."""

    def __init__(self) -> None:
        self._pixels: list[float] = [0.0] * 4
        self._distance, self._frames, self._faces = 0.0, 0, 0

    def add(self, rgb: Rgb, truth: Rgb, face: Face | None, true_face: Face | None) -> None:
        """Two pictures of one size with the faces seen in them."""
        values = (l1(rgb, truth), psnr(squared_error(rgb, truth)), *similarities(rgb, truth))
        self._pixels = [total + value for total, value in zip(self._pixels, values, strict=True)]
        self._frames += 1
        if face is not None and true_face is not None:
            self._distance += at_akd_size(keypoint_distance(face, true_face), truth.shape)
            self._faces += 1

    def mean(self) -> Likeness:
        nan = float("nan")
        absolute, noise, whole, scales = (x / self._frames if self._frames else nan for x in self._pixels)
        distance = self._distance / self._faces if self._faces else nan
        return Likeness(absolute, noise, whole, scales, distance)


def keypoint_distance(face: Face, other: Face) -> float:
    """AKD of two faces, pixels: the mean absolute difference of the coordinates of the 468 mesh points, as
    it is computed by the code published with the metric (Siarohin et al. 2019, section 4)."""
    return float(np.abs((face.landmarks - other.landmarks)[:MESH_POINTS, :2]).mean())


def at_akd_size(distance: float, shape: tuple[int, ...]) -> float:
    """A distance in frames of shape (H, W, ...), in pixels of frames of :data:`AKD_SIZE`."""
    return distance * AKD_SIZE / max(shape[:2])
