"""Bodies in pictures, by MediaPipe Holistic (Apache-2.0, its models are inside its wheel)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from portrayal.body import FACE, LEFT_HAND, POINTS, RIGHT_HAND
from portrayal.track.graphs import quiet, solutions
from portrayal.track.tracker import CutDetector

Rgb = NDArray[np.uint8]
Array = NDArray[np.float32]

#: MediaPipe's numbers of COCO's 17 joints; of the feet, by their numbers here: the one toe stands for both.
_JOINTS = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
_FEET = {17: 31, 18: 31, 19: 29, 20: 32, 21: 32, 22: 30}
#: The face mesh's numbers of iBUG's 68: jaw, brows, nose, eyes, lips.
_FACE = (
    234, 93, 132, 58, 172, 136, 150, 176, 152, 400, 379, 365, 397, 288, 361, 323, 454,
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300, 168, 197, 5, 4, 98, 97, 2, 326, 327,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip
#: How often the first picture is looked at: the landmarks have settled by then.
_LOOKS = 2


class BodyTracker:
    """Follows one body through the frames of a video.

    Call it with each frame (uint8 RGB, (H, W, 3)) in order; the answer is (133, 3) float32, x and y in pixels
    and a score from 0 to 1, in the order of COCO-WholeBody (:mod:`portrayal.body`), or None where no body is
    seen. Hands and face, which have no scores of their own, have 1 where they are found. A scene cut starts
    anew.
    """

    def __init__(self) -> None:
        self._graph: Any = None
        self._is_cut = CutDetector()

    def __call__(self, rgb: Rgb) -> Array | None:
        if self._is_cut(rgb):
            self.close()
        looks = 1
        if self._graph is None:
            self._graph, looks = _new_graph(), _LOOKS
        with quiet():
            for _ in range(looks):
                found = self._graph.process(np.ascontiguousarray(rgb))
        if found.pose_landmarks is None:
            return None
        height, width = rgb.shape[:2]
        pose = np.array([(p.x, p.y, p.visibility) for p in found.pose_landmarks.landmark], np.float32)
        body = np.zeros((POINTS, 3), np.float32)
        body[: len(_JOINTS)] = pose[list(_JOINTS)]
        body[list(_FEET)] = pose[list(_FEET.values())]
        for root, hand in ((LEFT_HAND, found.left_hand_landmarks), (RIGHT_HAND, found.right_hand_landmarks)):
            if hand is not None:
                body[root : root + 21] = [(p.x, p.y, 1) for p in hand.landmark]
        if found.face_landmarks is not None:
            face = found.face_landmarks.landmark
            body[FACE] = [(face[i].x, face[i].y, 1) for i in _FACE]
        body[:, :2] = body[:, :2] * (width, height) - np.float32(0.5)
        return body

    def close(self) -> None:
        """Forget the body; the next frame starts anew."""
        if self._graph is not None:
            self._graph.close()
        self._graph = None


def _new_graph() -> Any:
    with quiet():
        solutions()
        from mediapipe.python.solutions import holistic

        graph = holistic.Holistic(model_complexity=1)
        graph.process(np.zeros((64, 64, 3), np.uint8))  # its start-up log goes where nobody reads it
    return graph
