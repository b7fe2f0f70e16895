"""LivePortrait's implicit keypoints: 21 points of a head, its pose and its expression.

A head appears at ``x = scale * (canonical @ rotation + expression) + (tx, ty, 0)``: row vectors, axes x
right, y down, z into the screen, and the crop reaches from -1 to 1 (Guo et al. 2024, arXiv 2407.03168, eq.
2). ``rotation = (Rz(roll) @ Ry(yaw) @ Rx(pitch)).T`` with right-handed rotations, so that positive pitch
nods down, positive yaw turns towards the head's own right and positive roll tilts towards its own left
shoulder: yaw and roll have the opposite sign of :mod:`portrayal.track.geometry`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float32]

POINTS = 21


@dataclass(frozen=True, eq=False)
class FaceMotion:
    """What the motion extractor tells of N frames.

    rotation (N, 3, 3); expression (N, 21, 3); translation (N, 3); scale (N,). canonical: (N, 21, 3), None
    where only the motion is known (templates). eyes: (N, 2) how open the eye on the picture's left and that
    on its right are; lips: (N,) how open the lips are (see :mod:`.ratios`); None where not measured.
    """

    rotation: Array
    expression: Array
    translation: Array
    scale: Array
    canonical: Array | None = None
    eyes: Array | None = None
    lips: Array | None = None

    @classmethod
    def from_angles(
        cls,
        angles: ArrayLike,
        expression: ArrayLike,
        translation: ArrayLike,
        scale: ArrayLike,
        canonical: ArrayLike | None = None,
    ) -> FaceMotion:
        """From (N, 3) pitch, yaw, roll in degrees, and the rest in any shape that holds as many numbers."""
        return cls(
            rotation_matrix(angles),
            np.asarray(expression, np.float32).reshape(-1, POINTS, 3),
            np.asarray(translation, np.float32).reshape(-1, 3),
            np.asarray(scale, np.float32).reshape(-1),
            None if canonical is None else np.asarray(canonical, np.float32).reshape(-1, POINTS, 3),
        )

    @classmethod
    def stack(cls, parts: Sequence[FaceMotion]) -> FaceMotion:
        """One after the other; what one part lacks is None."""

        def joined(name: str) -> Array | None:
            arrays = [getattr(part, name) for part in parts]
            return None if any(a is None for a in arrays) else np.concatenate(arrays)

        return cls(**{name: joined(name) for name in cls.__dataclass_fields__})  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self.expression)

    def __getitem__(self, index: int | slice) -> FaceMotion:
        """The frames of a slice, or one frame: its arrays have N = 1."""
        part = slice(index, index + 1 or None) if isinstance(index, int) else index

        def cut(array: Array | None) -> Array | None:
            return None if array is None else array[part]

        fields = {name: cut(getattr(self, name)) for name in self.__dataclass_fields__}
        return FaceMotion(**fields)  # type: ignore[arg-type]

    @property
    def angles(self) -> Array:
        """(N, 3) pitch, yaw, roll in degrees."""
        return rotation_angles(self.rotation)

    @property
    def keypoints(self) -> Array:
        """(N, 21, 3) where the points appear."""
        if self.canonical is None:
            raise ValueError("a motion without canonical keypoints has no place")
        turned = self.canonical @ self.rotation + self.expression
        shift = self.translation * np.array([1, 1, 0], np.float32)
        return (self.scale[:, None, None] * turned + shift[:, None]).astype(np.float32)

    def with_ratios(self, eyes: ArrayLike, lips: ArrayLike) -> FaceMotion:
        """The same with how open eyes (N, 2) and lips (N,) are."""
        return replace(
            self,
            eyes=np.asarray(eyes, np.float32).reshape(-1, 2),
            lips=np.asarray(lips, np.float32).reshape(-1),
        )


def rotation_matrix(angles: ArrayLike) -> Array:
    """(..., 3, 3) for (..., 3) pitch, yaw, roll in degrees, to be applied to row vectors from the right."""
    pitch, yaw, roll = np.moveaxis(np.radians(np.asarray(angles, np.float64)), -1, 0)
    (cx, cy, cz), (sx, sy, sz) = (
        (np.cos(pitch), np.cos(yaw), np.cos(roll)),
        (np.sin(pitch), np.sin(yaw), np.sin(roll)),
    )
    rows = [
        [cy * cz, cy * sz, -sy],
        [sx * sy * cz - cx * sz, sx * sy * sz + cx * cz, sx * cy],
        [cx * sy * cz + sx * sz, cx * sy * sz - sx * cz, cx * cy],
    ]
    return np.moveaxis(np.array(rows), (0, 1), (-2, -1)).astype(np.float32)


def rotation_angles(matrix: ArrayLike) -> Array:
    """(..., 3) pitch, yaw, roll in degrees; the inverse of :func:`rotation_matrix` for |yaw| < 90."""
    m = np.asarray(matrix, np.float64)
    pitch = np.arctan2(m[..., 1, 2], m[..., 2, 2])
    yaw = np.arctan2(-m[..., 0, 2], np.hypot(m[..., 0, 0], m[..., 0, 1]))
    roll = np.arctan2(m[..., 0, 1], m[..., 0, 0])
    return np.degrees(np.stack([pitch, yaw, roll], -1)).astype(np.float32)


def hull_multiplier(own: Array, other: Array) -> float:
    """How much larger one head (21, 3) is than another: the root of the ratio of their convex hulls' volumes.

    1 where one of them is flat.
    """
    from scipy.spatial import ConvexHull, QhullError

    try:
        volumes = [ConvexHull(np.asarray(points, np.float64)).volume for points in (own, other)]
    except QhullError:
        return 1.0
    return float(np.sqrt(volumes[0] / volumes[1]))


#: Expression (21, 3) of a neutral face, in units of 1e-8 of the crop's half side (published in
#: src/utils/resources of LivePortrait, MIT).
_NEUTRAL = (
    (-9452, 24222, -4010), (20860, 46805, 1275), (-12460, 32497, 442), (11965, -45662, 5409),
    (-26525, -7460, -1553), (-3349, -18304, -349), (-48, -45, 159), (-54130, 263280, 725),
    (-1169, 501, 999), (80, 519, -40934), (16688, -1982, -8855), (-1515, 8251, 594), (-26, 276, 221),
    (-6628, -6829, -345), (-83262, -179592, -259), (697, 3655, -190), (-481, 711, -1032),
    (-63684, -116610, 5623), (28329, -1457, 1097), (-416, -1509060, -254940), (22247, 562788, 272646),
)  # fmt: skip
NEUTRAL: Array = (np.array(_NEUTRAL, np.float64) * 1e-8).astype(np.float32)
