"""The head as a rigid body: where angles, scale and head space are defined, once for the whole project.

Head space is defined in :mod:`portrayal.track.topology`. A head point h appears in the picture at
``scale * R @ h + origin`` (weak perspective): pixels, x right, y down, z away from the viewer.
``R = Rz(-roll) @ Ry(-yaw) @ Rx(pitch)`` with right-handed rotations about those axes, so that positive pitch
nods down, positive yaw turns towards the head's own left, positive roll tilts towards its own right shoulder.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from portrayal.track.topology import RIGID, mean_face

Array = NDArray[np.float32]
_RIGID = np.array(RIGID)
#: Where the skull sits on the spine, in head space: a head turns and nods about this point.
PIVOT: Array = np.array([0.0, 0.9, 0.8], np.float32)


def rotation_matrix(angles: ArrayLike) -> Array:
    """(3, 3) rotation for (pitch, yaw, roll) in degrees."""
    pitch, yaw, roll = np.radians(np.asarray(angles, np.float64)) * (1, -1, -1)
    (cx, sx), (cy, sy), (cz, sz) = ((np.cos(a), np.sin(a)) for a in (pitch, yaw, roll))
    x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return (z @ y @ x).astype(np.float32)


def rotation_angles(matrix: ArrayLike) -> Array:
    """(3,) pitch, yaw, roll in degrees; the inverse of :func:`rotation_matrix` for |yaw| < 90."""
    m = np.asarray(matrix, np.float64)
    pitch = np.arctan2(m[2, 1], m[2, 2])
    yaw = np.arcsin(np.clip(m[2, 0], -1, 1))
    roll = -np.arctan2(m[1, 0], m[0, 0])
    return np.degrees([pitch, yaw, roll]).astype(np.float32)


@dataclass(frozen=True)
class HeadPose:
    """Where a head is in a picture.

    rotation: (3, 3). scale: pixels per eye distance. origin: (3,) pixels, the picture position of the point
    between the outer eye corners.
    """

    rotation: Array
    scale: float
    origin: Array

    @property
    def angles(self) -> Array:
        """(3,) pitch, yaw, roll in degrees."""
        return rotation_angles(self.rotation)

    @property
    def pivot(self) -> Array:
        """(3,) pixels: where :data:`PIVOT` is in the picture."""
        return (self.scale * self.rotation @ PIVOT + self.origin).astype(np.float32)

    @classmethod
    def about_pivot(cls, angles: ArrayLike, scale: float, pivot: Array) -> HeadPose:
        """The pose with these angles (degrees) whose :attr:`pivot` is at `pivot`."""
        rotation = rotation_matrix(angles)
        return cls(rotation, scale, (pivot - scale * rotation @ PIVOT).astype(np.float32))

    def to_picture(self, points: Array) -> Array:
        """(N, 3) head space to (N, 3) pixels."""
        return (self.scale * points @ self.rotation.T + self.origin).astype(np.float32)

    def to_head(self, points: Array) -> Array:
        """(N, 3) pixels to (N, 3) head space."""
        return ((points - self.origin) @ self.rotation / self.scale).astype(np.float32)


def turned(pose: HeadPose, by: ArrayLike) -> HeadPose:
    """A pose with its angles changed by (pitch, yaw, roll) in degrees, about the middle of the points that
    :func:`fit_pose` fits."""
    rotation = rotation_matrix(pose.angles + np.asarray(by, np.float32))
    middle = mean_face()[_RIGID].mean(0)
    origin = pose.origin + pose.scale * (pose.rotation - rotation) @ middle
    return HeadPose(rotation, pose.scale, origin.astype(np.float32))


def fit_pose(landmarks: Array, model: Array | None = None) -> HeadPose:
    """The pose that lays `model` (mean face unless given, (478, 3) head space) onto (478, 3) landmarks in
    pixels, by least squares over the points that expression moves least (Umeyama 1991, eq. 40-42)."""
    source = (mean_face() if model is None else model)[_RIGID].astype(np.float64)
    target = landmarks[_RIGID].astype(np.float64)
    source_mean, target_mean = source.mean(0), target.mean(0)
    centred = source - source_mean
    u, d, vt = np.linalg.svd((target - target_mean).T @ centred)
    signs = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * signs) @ vt
    scale = float((d * signs).sum() / (centred**2).sum())
    origin = target_mean - scale * rotation @ source_mean
    return HeadPose(rotation.astype(np.float32), scale, origin.astype(np.float32))
