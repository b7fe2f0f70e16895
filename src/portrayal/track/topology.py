"""Which landmark is what in the 478-point face mesh, and a mean face in head space.

Numbers are MediaPipe's (https://ai.google.dev/edge/mediapipe/solutions/vision/face_landmarker): 468 mesh
points and 5 points for each iris. Left and right are the head's own.

The mean face is the average of frontal, neutral faces as MediaPipe sees them, made symmetric. Head space:
eye distances (outer corner to outer corner = 1), origin between the outer eye corners, x to the head's own
left, y down, z away from the viewer; forehead (10) and chin (152) are equally deep.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

POINTS = 478
MESH_POINTS = 468

RIGHT_EYE_OUTER, RIGHT_EYE_INNER, LEFT_EYE_INNER, LEFT_EYE_OUTER = 33, 133, 362, 263
LIP_TOP_INNER, LIP_BOTTOM_INNER, LIP_TOP_OUTER, LIP_BOTTOM_OUTER = 13, 14, 0, 17
MOUTH_RIGHT, MOUTH_LEFT, MOUTH_RIGHT_INNER, MOUTH_LEFT_INNER = 61, 291, 78, 308
FOREHEAD, CHIN, NOSE_TIP = 10, 152, 1

# Loops run along the visible edge, from the right corner over the top to the left corner and back below.
RIGHT_EYE_TOP = (33, 246, 161, 160, 159, 158, 157, 173, 133)
RIGHT_EYE_BOTTOM = (33, 7, 163, 144, 145, 153, 154, 155, 133)
LEFT_EYE_TOP = (362, 398, 384, 385, 386, 387, 388, 466, 263)
LEFT_EYE_BOTTOM = (362, 382, 381, 380, 374, 373, 390, 249, 263)
INNER_LIP_TOP = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
INNER_LIP_BOTTOM = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
OUTER_LIP_TOP = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
OUTER_LIP_BOTTOM = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
RIGHT_BROW = (70, 63, 105, 66, 107, 46, 53, 52, 65, 55)
LEFT_BROW = (300, 293, 334, 296, 336, 276, 283, 282, 295, 285)
RIGHT_IRIS = (468, 469, 470, 471, 472)  # centre, then left, top, right, bottom in the picture's sense
LEFT_IRIS = (473, 474, 475, 476, 477)
#: Face outline, from the forehead clockwise in the picture.
OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip

#: Points that expression moves least: brow line upward, temples, nose bridge, eye corners.
RIGID = (
    10, 109, 338, 67, 297, 103, 332, 54, 284, 21, 251, 162, 389, 127, 356, 234, 454,
    168, 6, 197, 195, 5, 4, 33, 263, 133, 362, 122, 351, 98, 327, 227, 447,
)  # fmt: skip


@cache
def _model() -> dict[str, NDArray[np.generic]]:
    with (files("portrayal.track") / "face_model.npz").open("rb") as stream:
        return dict(np.load(stream, allow_pickle=False))


def mean_face() -> NDArray[np.float32]:
    """(478, 3) the mean face in head space."""
    return _model()["mean"].astype(np.float32)


def triangles() -> NDArray[np.int32]:
    """(852, 3) triangles over the 468 mesh points; holes at both eyes and the mouth; front faces are
    clockwise in the picture."""
    return _model()["triangles"].astype(np.int32)


def mirror() -> NDArray[np.int32]:
    """(478,) index of each point's partner on the other side of the face."""
    return _model()["mirror"].astype(np.int32)


def pose_drift() -> NDArray[np.float32]:
    """(2, 478, 3) what one degree of measured pitch, yaw adds to the measured face, in head space.

    The tracker takes part of a turn for a change of the face. Estimated by turning fourteen different faces
    by known angles and tracking the result.
    """
    return _model()["drift"].astype(np.float32)
