"""What a picture's own mouth has beyond the drawn one, so that a mouth at rest is the picture's own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from portrayal.engines.puppet.opening import Box
from portrayal.engines.puppet.rig import smooth_step
from portrayal.engines.puppet.rigid import rigid_map, sample_layer
from portrayal.engines.puppet.transfer import Target
from portrayal.track.face import Face
from portrayal.track.topology import INNER_LIP_BOTTOM, INNER_LIP_TOP, MOUTH_LEFT_INNER, MOUTH_RIGHT_INNER

Array = NDArray[np.float32]

#: Lips that have moved by less (eye distances) show the mouth as it is pictured, fading.
AT_REST = 0.02
#: A head turned by up to so many degrees shows its own upper teeth as they are pictured, fading up to the
#: second.
SAME_SIDE = (10.0, 25.0)
_LIPS = [*INNER_LIP_TOP, *INNER_LIP_BOTTOM]


@dataclass(frozen=True)
class Remainder:
    """layer: (h, w, 4) what is missed of the red, green and blue of a face, and where it stays however the
    lips move (0-1: on the upper teeth); corner: (2,) pixel of the portrait at which it begins."""

    face: Face
    layer: Array
    corner: Array

    @classmethod
    def of(cls, face: Face, missed: Array, steady: Array, box: Box) -> Remainder:
        """missed: (h, w, 3) own less drawn mouth in the box; steady: (h, w)."""
        return cls(face, np.dstack([missed, steady]).astype(np.float32), np.array(box[:2], np.float32))

    def added(self, target: Target, covered: Array, box: Box) -> Array:
        """(h, w, 3) to add to a drawn mouth in the box, of which `covered` (h, w) is between the lips."""
        own = self.face
        moved = np.abs(target.shape[_LIPS] - own.shape[_LIPS])[:, :2].max()
        rest = np.float32(np.exp(-((moved / AT_REST) ** 2)))
        near, far = np.cos(np.radians(SAME_SIDE))
        same = smooth_step(float(target.pose.rotation[:, 2] @ own.pose.rotation[:, 2]), far, near)
        corners = own.shape[[MOUTH_RIGHT_INNER, MOUTH_LEFT_INNER]]
        plane = np.stack([*corners, corners.mean(0) + np.array([0, 0.2, 0])]).astype(np.float32)
        missed = sample_layer(self.layer, self.corner, rigid_map(target.pose, own.pose, plane), box)
        return np.maximum(rest, same * missed[..., 3:] * covered[..., None]) * missed[..., :3]
