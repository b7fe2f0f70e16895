"""Bodies by DWPose (Yang et al. 2023, https://arxiv.org/abs/2307.15880; Apache-2.0), run by ONNX Runtime.

It sees hands, feet and turned figures better than MediaPipe, and wants a download.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal import weights
from portrayal.errors import PortrayalError
from portrayal.media.files import shown
from portrayal.track.body import BodyTracker
from portrayal.track.tracker import CutDetector

Rgb = NDArray[np.uint8]
Array = NDArray[np.float32]

#: How much more than the points' box the network sees.
PADDING = 1.25
#: ImageNet's mean and deviation, by which the network was trained.
MEAN, DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
#: A peak this high counts as sure as a score of 0.5 elsewhere; DWPose's users draw what is above it.
SURE = 0.3
#: A body whose joints score less than this in the mean has been lost.
LOST = 0.25
#: What a body's box measures at least, in sides of the frame.
LEAST = 0.1
#: Bins of the network's output per pixel of its input (SimCC, Li et al. 2022).
SPLIT = 2


class WholeBodyTracker:
    """Follows one body through the frames of a video; as :class:`portrayal.track.body.BodyTracker`."""

    def __init__(self, model: Path) -> None:
        """model: the ONNX file. PortrayalError where it is none, or ONNX Runtime is not installed."""
        self._session = _session(model)
        [feed] = self._session.get_inputs()
        self._feed, (self._height, self._width) = feed.name, feed.shape[2:]
        self._is_cut = CutDetector()
        self._last: Array | None = None

    def __call__(self, rgb: Rgb) -> Array | None:
        if self._is_cut(rgb):
            self._last = None
        points = self._found(rgb, _first_box(rgb) if self._last is None else _box(self._last, rgb))
        self._last = points if points[:17, 2].mean() >= LOST else None
        return self._last

    def close(self) -> None:
        """Forget the body; the next frame starts anew."""
        self._last = None

    def _found(self, rgb: Rgb, box: Array) -> Array:
        to_input = self._crop(box)
        crop = cv2.warpAffine(rgb, to_input, (self._width, self._height), flags=cv2.INTER_LINEAR)
        pixels = ((crop - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)).astype(np.float32)
        across, down = self._session.run(None, {self._feed: pixels.transpose(2, 0, 1)[None]})
        points = decoded(across[0], down[0])
        back = cv2.invertAffineTransform(to_input)
        points[:, :2] = points[:, :2] @ back[:, :2].T + back[:, 2]
        return points

    def _crop(self, box: Array) -> NDArray[np.float64]:
        """(2, 3) the map of a box, left, top, right, bottom, with room around it, onto the input."""
        left, top, right, bottom = (float(side) for side in box)
        scale = self._width / (PADDING * max(right - left, (bottom - top) * self._width / self._height, 1.0))
        middle = np.array([(left + right) / 2, (top + bottom) / 2])
        offset = (np.array([self._width, self._height]) - 1) / 2 - scale * middle
        return np.column_stack([scale * np.eye(2), offset])


def decoded(across: Array, down: Array) -> Array:
    """(N, 3) x, y in pixels of the network's input and a score from 0 to 1.

    across: (N, W * SPLIT), down: (N, H * SPLIT), how likely each place is.
    """
    where = np.column_stack([across.argmax(1), down.argmax(1)]) / SPLIT
    peak = np.minimum(across.max(1), down.max(1))
    return np.column_stack([where, np.clip(0.5 * peak / SURE, 0, 1)]).astype(np.float32)


def best_tracker() -> BodyTracker | WholeBodyTracker:
    """DWPose where `portrayal download dwpose` has fetched it and it can be run, else MediaPipe's."""
    from importlib.util import find_spec

    if weights.missing("dwpose") or find_spec("onnxruntime") is None:
        return BodyTracker()
    return WholeBodyTracker(weights.file("dwpose"))


def _session(model: Path) -> Any:
    try:
        import onnxruntime  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise PortrayalError("DWPose: onnxruntime is not installed: pip install 'portrayal[body]'") from error
    if not model.is_file():
        raise PortrayalError(f"{shown(model)}: no such file; {weights.advice('dwpose')}")
    try:
        onnxruntime.set_default_logger_severity(3)
        session = onnxruntime.InferenceSession(str(model), providers=onnxruntime.get_available_providers())
    except Exception as error:  # of many kinds, all of them the file's fault
        raise PortrayalError(f"{shown(model)}: is no ONNX model that can be run") from error
    shapes = [feed.shape for feed in session.get_inputs()]
    fits = len(shapes) == 1 and len(shapes[0]) == 4 and all(isinstance(side, int) for side in shapes[0][2:])
    if not fits or len(session.get_outputs()) != 2:
        raise PortrayalError(f"{shown(model)}: is no pose network of DWPose's kind")
    return session


def _first_box(rgb: Rgb) -> Array:
    """Where MediaPipe sees a body; all of the picture where it sees none."""
    tracker = BodyTracker()
    points = tracker(rgb)
    tracker.close()
    height, width = rgb.shape[:2]
    if points is None or (points[:17, 2] > 0.5).sum() < 3:
        return np.array([0, 0, width, height], np.float32)
    return _box(points, rgb)


def _box(points: Array, rgb: Rgb) -> Array:
    """left, top, right, bottom of the points that are sure, inside the picture."""
    sure = points[points[:, 2] >= 0.5, :2]
    height, width = rgb.shape[:2]
    if len(sure) < 3:
        return np.array([0, 0, width, height], np.float32)
    least = LEAST * max(height, width) / 2
    sides = np.concatenate([sure.min(0) - least, sure.max(0) + least])
    return np.clip(sides, 0, [width, height, width, height]).astype(np.float32)
