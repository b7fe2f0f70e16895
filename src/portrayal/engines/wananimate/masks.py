"""Where the person to be replaced is: found in the frames, and made a region somewhat larger than the person.

Follows the preprocess of the published code (Wan-Video/Wan2.2, wan/modules/animate/preprocess). Masks are
(H, W) uint8, 1 inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal import body as b
from portrayal import weights
from portrayal.track.person import person_box, person_mask, seen
from portrayal.track.sam2 import Click, Sam2

Rgb = NDArray[np.uint8]
Mask = NDArray[np.uint8]
Array = NDArray[np.float32]
#: A frame (H, W, 3) and the person's (133, 3) points, None before anybody was seen.
Seen = tuple[Rgb, Array | None]

#: What the published command grows a mask by: a square of this side, so many times.
KERNEL, TIMES = 7, 3
#: Frames that SAM 2 is given at once: here, which is 0.6 GB of main memory, and as published.
CHUNK, CHUNK_COMPAT = 48, 400
#: Of how many frames of a chunk, evenly spaced, SAM 2 is told where the person is.
TOLD = 4
#: Bytes of a GPU on which SAM 2 works beside the video model.
ROOMY = 60 * 10**9


def region(mask: Mask, compat: bool = False) -> Mask:
    """What is to be generated anew: the person's mask grown by :data:`KERNEL` and :data:`TIMES`.

    compat: the whole bounding box of that, as the published command has it, which loses all background inside
    the box. An empty mask stays empty: nothing is replaced there.
    """
    grown = dilated(mask, KERNEL, TIMES)
    return gridded(grown, 1, 1) if compat else grown


def dilated(mask: Mask, kernel: int, times: int) -> Mask:
    """The mask grown `times` by half a square of `kernel` pixels."""
    grown = cv2.dilate(mask, np.ones((kernel, kernel), np.uint8), iterations=times)
    return np.asarray(grown, np.uint8)


def gridded(mask: Mask, columns: int, rows: int) -> Mask:
    """The mask with its bounding box cut into cells, of which each that it touches is filled.

    The box ends before its last row and column, as published. Cells are at least a pixel large; an empty mask
    stays empty.
    """
    filled = mask.copy()
    ys, xs = np.nonzero(mask)
    if not len(ys):
        return filled
    left, top, right, bottom = (int(side) for side in (xs.min(), ys.min(), xs.max(), ys.max()))
    wide, high = max((right - left) // columns, 1), max((bottom - top) // rows, 1)
    for x in range(left, right, wide):
        for y in range(top, bottom, high):
            cell = np.s_[y : min(y + high, bottom), x : min(x + wide, right)]
            if mask[cell].any():
                filled[cell] = 1
    return filled


def cut_out(rgb: Rgb, mask: Mask) -> Rgb:
    """The frame (H, W, 3), black where the mask is."""
    return rgb * (1 - mask[..., None])


class Segmenter(Protocol):
    """Finds the person in a run of frames."""

    @property
    def chunk(self) -> int:
        """How many frames it wants at once."""

    def __call__(self, frames: Sequence[Seen]) -> list[Mask]:
        """(H, W) of every frame; all 0 where the person is not to be seen."""


class Selfie:
    """By the segmenter that comes with MediaPipe, each frame by itself."""

    chunk = 1

    def __call__(self, frames: Sequence[Seen]) -> list[Mask]:
        return [
            np.zeros(rgb.shape[:2], np.uint8) if points is None else person_mask(rgb, points)
            for rgb, points in frames
        ]


class Followed:
    """By SAM 2, told where the person is by some of its joints and a box.

    compat: told as published, by eight joints whether they are seen or not, and without a box. The ankles of
    a head-and-shoulders portrait are then clicks on its background.
    """

    def __init__(self, network: Sam2, compat: bool = False) -> None:
        self._network, self._compat = network, compat
        self.chunk = CHUNK_COMPAT if compat else CHUNK

    def __call__(self, frames: Sequence[Seen]) -> list[Mask]:
        clicks = {}
        for index in range(0, len(frames), max(len(frames) // TOLD, 1)):
            rgb, points = frames[index]
            click = None if points is None else self._click(points, (rgb.shape[1], rgb.shape[0]))
            if click is not None:
                clicks[index] = click
        return self._network.follow([rgb for rgb, _ in frames], clicks)

    def _click(self, points: Array, size: tuple[int, int]) -> Click | None:
        """What to say of a frame of `size` (width, height); None where nothing is known of it."""
        joints = clicked(points)
        if self._compat:
            return Click(joints[:, :2])
        box = person_box(points, size)
        return None if box is None else Click(joints[seen(joints, size), :2], box)


def clicked(points: Array) -> Array:
    """(8, 3) nose, neck, shoulders, hips and ankles of (133, 3) points."""
    neck = points[[b.LEFT_SHOULDER, b.RIGHT_SHOULDER]].mean(0)
    others = [
        b.RIGHT_SHOULDER, b.LEFT_SHOULDER, b.RIGHT_HIP, b.LEFT_HIP, b.RIGHT_ANKLE, b.LEFT_ANKLE
    ]  # fmt: skip
    return np.vstack([points[b.NOSE], neck, points[others]]).astype(np.float32)


def segmenter(compat: bool = False) -> Segmenter:
    """SAM 2 where its weights are here, else what comes with MediaPipe."""
    if weights.missing("sam2"):
        return Selfie()
    return Followed(Sam2.load(weights.folder("sam2"), _device()), compat)


def _device() -> str:
    """A GPU that has room for it beside the video model, else the processor."""
    import torch

    if torch.cuda.is_available() and torch.cuda.get_device_properties(0).total_memory >= ROOMY:
        return "cuda"
    return "cpu"
