"""One face followed through the frames of a video."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.track.face import Face, FaceChoice, choose_face, nearest
from portrayal.track.find import find_faces
from portrayal.track.graphs import LOOKS, look_at, new_mesh, quiet

Rgb = NDArray[np.uint8]

#: A tracker looks at so many times the size of its face: in more, the detector loses small ones.
SURROUNDINGS = 5.0
#: Mean grey difference between two frames (24x24) that only a scene cut makes.
CUT_LIMIT = 28.0


class CutDetector:
    """Tells, of frames that are shown to it in order, those with which a new scene begins."""

    def __init__(self) -> None:
        self._before: NDArray[np.float32] | None = None

    def __call__(self, rgb: Rgb) -> bool:
        apart = max(1, min(rgb.shape[:2]) // 96)  # enough pixels to tell, at a fraction of the time
        few = np.ascontiguousarray(rgb[::apart, ::apart])
        grey = cv2.resize(few, (24, 24), interpolation=cv2.INTER_AREA).mean(2).astype(np.float32)
        before, self._before = self._before, grey
        return before is not None and float(np.abs(grey - before).mean()) > CUT_LIMIT


class _Window(NamedTuple):
    """The part of each frame that the tracker looks at: left, top, right, bottom."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def around(cls, face: Face, frame: Rgb) -> _Window:
        """The whole frame, unless the face is small in it."""
        height, width = frame.shape[:2]
        left, top, right, bottom = face.box
        side = round(SURROUNDINGS * max(right - left, bottom - top))
        if side >= max(width, height):
            return cls(0, 0, width, height)
        across, down = min(side, width), min(side, height)
        x = int(np.clip(face.centre[0] - across / 2, 0, width - across))
        y = int(np.clip(face.centre[1] - down / 2, 0, height - down))
        return cls(x, y, x + across, y + down)

    def looked_through(self, graph: Any, frame: Rgb) -> list[Face]:
        part = frame[self.top : self.bottom, self.left : self.right]
        corner = np.array([self.left, self.top, 0], np.float32)
        return [Face(points + corner) for points in look_at(graph, part)]

    def is_far_from(self, other: _Window) -> bool:
        return max(abs(a - b) for a, b in zip(self, other, strict=True)) > (self.right - self.left) / 5


class FaceTracker:
    """Follows one face through the frames of a video.

    Call it with each frame (uint8 RGB, (H, W, 3)) in order; the answer is the face, or None where it is out
    of sight. `choice` says which face when the first frame with faces has several: by place, or the one
    nearest to a face seen before. A scene cut starts anew.
    """

    def __init__(self, choice: FaceChoice | Face = "largest") -> None:
        self._choice = choice
        self._graph: Any = None
        self._window = _Window(0, 0, 0, 0)
        self._last: Face | None = None
        self._is_cut = CutDetector()

    def __call__(self, rgb: Rgb) -> Face | None:
        if self._is_cut(rgb):
            self.close()
        if self._graph is None:
            return self._start(rgb)
        face = self._nearest(self._window.looked_through(self._graph, rgb))
        if face is not None and _Window.around(face, rgb).is_far_from(self._window):
            self._graph.reset()
            face = self._settled(rgb, face)
        self._last = face or self._last
        return face

    def close(self) -> None:
        """Forget the face; the next frame starts anew."""
        if self._graph is not None:
            self._graph.close()
        self._graph, self._last = None, None

    def _start(self, rgb: Rgb) -> Face | None:
        faces = find_faces(rgb)
        if not faces:
            return None
        choice = self._choice
        chosen = nearest(faces, choice) if isinstance(choice, Face) else choose_face(faces, choice)
        self._graph = new_mesh(static=False, faces=len(faces))
        self._last = self._settled(rgb, chosen)
        return self._last

    def _settled(self, rgb: Rgb, face: Face) -> Face:
        """The face as the graph sees it after some looks through a window of its own."""
        self._window, self._last = _Window.around(face, rgb), face
        with quiet():
            looks = [self._window.looked_through(self._graph, rgb) for _ in range(LOOKS)]
        return self._nearest(looks[-1]) or face

    def _nearest(self, faces: list[Face]) -> Face | None:
        last = self._last
        if last is None or not faces:
            return None
        face = nearest(faces, last)
        return face if np.linalg.norm(face.centre - last.centre) < 1.5 * last.pose.scale else None
