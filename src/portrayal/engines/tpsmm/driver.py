"""A driving as squares that the model sees, and which of them counts as the portrait's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from portrayal.body import POINTS
from portrayal.engines.tpsmm.crop import Square
from portrayal.engines.tpsmm.framing import alike, common
from portrayal.engines.tpsmm.inference import Inference
from portrayal.engines.tpsmm.transfer import unlikeness
from portrayal.errors import PortrayalError
from portrayal.track.body import BodyTracker
from portrayal.track.face import Face
from portrayal.track.topology import (
    LEFT_BROW,
    LEFT_EYE_BOTTOM,
    LEFT_EYE_TOP,
    OUTER_LIP_BOTTOM,
    OUTER_LIP_TOP,
    OVAL,
    RIGHT_BROW,
    RIGHT_EYE_BOTTOM,
    RIGHT_EYE_TOP,
)
from portrayal.track.tracker import FaceTracker

if TYPE_CHECKING:
    from portrayal.driving import Driving
    from portrayal.engines.tpsmm.info import TpsmmOptions
    from portrayal.portrait import Portrait

Rgb = NDArray[np.uint8]
Array = NDArray[np.float32]

#: Seconds of a driving that are looked through for its square and its reference frame.
LOOK_AHEAD = 5
#: Joints that two bodies must show for their poses to be compared.
FEW = 5
#: Landmarks that a likeness is judged by: outline, brows, eyes, lips, about as dense as the usual 68.
_LIKENESS = (
    *OVAL[::2], *RIGHT_BROW[::2], *LEFT_BROW[::2], *RIGHT_EYE_TOP[::2], *RIGHT_EYE_BOTTOM[::2],
    *LEFT_EYE_TOP[::2], *LEFT_EYE_BOTTOM[::2], *OUTER_LIP_TOP, *OUTER_LIP_BOTTOM,
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A square of the portrait, and the face in it that counts."""

    face: Face | None
    square: Square


class Driver:
    """Squares (S, S, 3) of a driving's frames.

    acted: whether the pictures are the portrait itself, acting out what has no pictures of its own; then
    they are cut where the portrait is. places: where that is, one after the other.
    """

    def __init__(self, driving: Driving, portrait: Portrait, options: TpsmmOptions) -> None:
        self._driving, self._options = driving, options
        self.acted = driving.kind not in ("video", "frames")
        self._frames = driving.frames_on(portrait)
        self._faces: list[Face | None] = []
        self._bodies: list[Array] = []
        self._height = portrait.size[1]
        self._body = find_body(portrait.rgb) if options.on_body else None
        framed = self._framed()
        self.places = [Place(None, framed[0])] if framed else list(_places(portrait, options))
        if self.acted:
            self._square = self.places[0].square
        else:
            self._square = framed[1] if framed else self._found()

    def squares(self) -> Iterator[Rgb]:
        """Every frame, cut out in the same place."""
        for rgb in self._frames:
            yield self._square.cut(rgb, self._options.side)

    def reference(self, own: Face | None, source: Array, networks: Inference) -> Array:
        """(50, 2) key points of the frame that shows what the portrait shows; by landmarks where both have a
        face, else by the key points. own: the portrait's face. source: its key points (50, 2).
        """
        choice = self._options.reference_frame
        if self.acted:
            return source
        if not isinstance(choice, int):
            return self._closest(own, source, networks)
        chosen = next(islice(self.squares(), choice, None), None)
        if chosen is None:
            raise PortrayalError(f"--reference-frame {choice}: the driving has fewer frames, counted from 0")
        return networks.keypoints(chosen[None])[0]

    def _closest(self, own: Face | None, source: Array, networks: Inference) -> Array:
        posed = self._posed_alike()
        if posed is not None:
            chosen = next(islice(self.squares(), posed, None))
            return networks.keypoints(chosen[None])[0]
        faces = (
            [] if own is None else [(i, face) for i, face in enumerate(self._looked()) if face is not None]
        )
        if own is not None and faces:
            best, _ = min(faces, key=lambda seen: unlikeness(_likeness(seen[1]), _likeness(own)))
            chosen = next(islice(self.squares(), best, None))
            return networks.keypoints(chosen[None])[0]
        points = [networks.keypoints(square[None])[0] for square in islice(self.squares(), self._ahead)]
        return min(points, key=lambda each: unlikeness(each, source))

    def _posed_alike(self) -> int | None:
        """The number of the frame whose body is posed most like the portrait's, where both have one."""
        best, least = None, float("inf")
        for number, body in enumerate(self._bodies):
            joints = [] if self._body is None else common(self._body, body)
            if self._body is not None and len(joints) >= FEW:
                difference = unlikeness(body[joints, :2], self._body[joints, :2]) / len(joints)
                best, least = (number, difference) if difference < least else (best, least)
        return best

    def _framed(self) -> tuple[Square, Square] | None:
        """Squares that frame the bodies of portrait and driving alike; None where these are not to be framed,
        or not found."""
        if self._body is None:
            return None
        if self.acted:
            return alike(self._body, [self._body], (self._height, self._height))
        tracker = BodyTracker()
        unseen = np.zeros((POINTS, 3), np.float32)
        height = 0
        for rgb in islice(self._frames, self._ahead):
            body, height = tracker(rgb), len(rgb)
            self._bodies.append(unseen if body is None else body)
        tracker.close()
        return alike(self._body, self._bodies, (self._height, height))

    def _found(self) -> Square:
        """Where the driving's face is through its first seconds; its whole picture where there is none."""
        faces = [face for face in self._looked() if face is not None] if self._options.on_face else []
        if faces:
            return Square.around([face.box for face in faces])
        for rgb in self._frames:
            return Square.whole(rgb.shape[1], rgb.shape[0])
        raise PortrayalError(f"{self._driving.name}: has no frames")

    def _looked(self) -> list[Face | None]:
        """The faces of the first seconds."""
        if not self._faces:
            tracker = FaceTracker(self._driving.face)
            self._faces = [tracker(rgb) for rgb in islice(self._frames, self._ahead)]
            tracker.close()
        return self._faces

    @property
    def _ahead(self) -> int:
        return 1 if self._driving.count is None else max(1, int(LOOK_AHEAD * self._driving.fps))


def find_body(rgb: Rgb) -> Array | None:
    """(133, 3) points and scores of the body in a picture; None where there is none."""
    tracker = BodyTracker()
    try:
        return tracker(rgb)
    finally:
        tracker.close()


def _places(portrait: Portrait, options: TpsmmOptions) -> Iterator[Place]:
    if not options.on_face:
        yield Place(next(iter(portrait.faces), None), Square.whole(*portrait.size))
    for face in portrait.faces if options.on_face else []:
        yield Place(face, Square.around([face.box]))


def _likeness(face: Face) -> Array:
    return np.asarray(face.landmarks[list(_LIKENESS), :2], np.float32)
