"""Bodies in pictures, by MediaPipe Holistic (Apache-2.0, its models are inside its wheel)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from portrayal.body import LEFT_HAND, POINTS, RIGHT_HAND
from portrayal.track.face import quiet, solutions

Rgb = NDArray[np.uint8]
Array = NDArray[np.float32]

#: MediaPipe's numbers of COCO's 17 joints; of big toes and heels, by their numbers here (there are no more).
_JOINTS = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
_FEET = {17: 31, 19: 29, 20: 32, 22: 30}
#: How often the first picture is looked at: the landmarks have settled by then.
_LOOKS = 2


class BodyTracker:
    """Follows one body through the frames of a video.

    Call it with each frame (uint8 RGB, (H, W, 3)) in order; the answer is (133, 3) float32, x and y in pixels
    and a score from 0 to 1, in the order of COCO-WholeBody (:mod:`portrayal.body`), or None where no body is
    seen. Points that are not looked for, those of the face, have score 0.
    """

    def __init__(self) -> None:
        self._graph: Any = None

    def __call__(self, rgb: Rgb) -> Array | None:
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
