"""Which driving frame shows the expression that the portrait has?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from portrayal.engines.puppet.rig import smooth_step
from portrayal.errors import PortrayalError
from portrayal.motion import SHAPES, MotionFrame
from portrayal.track.blendshapes import basis
from portrayal.track.expression import OPEN
from portrayal.track.face import Face
from portrayal.track.motion import to_motion
from portrayal.track.proportions import BLINKS, apertures
from portrayal.track.topology import (
    LEFT_EYE_INNER,
    LEFT_EYE_OUTER,
    LEFT_IRIS,
    LIP_BOTTOM_INNER,
    LIP_TOP_INNER,
    MESH_POINTS,
    RIGHT_EYE_INNER,
    RIGHT_EYE_OUTER,
    RIGHT_IRIS,
    mean_face,
)

Array = NDArray[np.float32]
Choice = int | Literal["auto", "neutral"]

#: How much a difference in each coefficient matters; open eyes and mouths stand out most.
_WEIGHT = np.array(
    [
        3.0 if "Blink" in s or s == "jawOpen" else 1.5 if s.startswith(("eyeLook", "mouthSmile")) else 0.7
        for s in SHAPES
    ],
    np.float32,
)
#: Gap between the lips (eye distances) that counts as much as a full coefficient: shut is shut.
_GAP = 0.03
NEUTRAL = MotionFrame()
#: Eyes opened less than the first, as a share of their width, are no reference for open ones; from the second
#: on they are.
AWAKE = 0.1, 0.15
_EYES = (
    (RIGHT_EYE_INNER, RIGHT_EYE_OUTER, RIGHT_IRIS),
    (LEFT_EYE_OUTER, LEFT_EYE_INNER, LEFT_IRIS),
)
#: Faces (as they are, root mean square, eye distances) nearer to each other than the first are one, further
#: than the second two.
SAME_FACE = (0.008, 0.022)
#: Portraits whose eyes blink by more than this are all but shut.
SHUT = 0.4
#: Opening of an eye (eye distances) that counts as much as a full coefficient.
_OPENING = 0.02
#: Head turn (degrees) that counts as much as a full coefficient.
_TURN = 25.0


def with_reference(
    frames: Iterable[MotionFrame], choice: Choice, portrait: Face, ahead: int
) -> tuple[MotionFrame | None, Iterator[MotionFrame]]:
    """The reference frame, and all frames from the first on.

    choice: a frame number; "auto": the one closest to the portrait's own expression and head angles;
    "neutral": the one closest to a neutral face. At most `ahead` frames are looked at. The reference is None
    when the motion was not tracked from pictures: it is relative to a neutral face already.
    """
    stream = iter(frames)
    head = list(islice(stream, choice + 1 if isinstance(choice, int) else ahead))
    if isinstance(choice, int):
        if choice >= len(head):
            raise PortrayalError(
                f"--reference-frame {choice}: the driving has {len(head)} frames, counted from 0"
            )
        return (head[choice] if head[choice].shape is not None else None), chain(head, stream)
    seen = [f for f in head if f.tracked and f.shape is not None]
    wanted = to_motion(portrait, portrait.pose) if choice == "auto" else NEUTRAL
    unusual = _unusual(seen, wanted, portrait)
    closest = min(seen, key=lambda frame: _distance(frame, wanted) + unusual(frame), default=None)
    return None if closest is None else awake(closest), chain(head, stream)


def awake(frame: MotionFrame) -> MotionFrame:
    """The frame with its eyes opened and looking ahead as people's do, where they are all but shut: after a
    driving that keeps them so the portrait's would else be open while they are shut."""
    assert frame.shape is not None
    shape, mean = frame.shape.copy(), mean_face()
    widths = np.array([np.linalg.norm(shape[left] - shape[right]) for left, right, _ in _EYES])
    openness = apertures(shape) / widths
    drowsy = float(np.clip((AWAKE[1] - openness.mean()) / (AWAKE[1] - AWAKE[0]), 0, 1))
    if not drowsy:
        return frame
    for left, right, iris in _EYES:
        ahead, seen = (face[iris[0]] - (face[left] + face[right]) / 2 for face in (mean, shape))
        shape[list(iris)] += drowsy * (ahead - seen)
    missing = drowsy * np.maximum(OPEN - openness, 0) * widths / apertures(mean)
    return replace(frame, shape=np.asarray(shape - np.tensordot(missing, basis()[BLINKS], 1), np.float32))


def unlike(one: Array, other: Array) -> float:
    """0 for one and the same face with one expression, (478, 3) in head space; 1 for two."""
    apart = (one - other)[:MESH_POINTS]
    return smooth_step(float(np.sqrt((apart**2).sum(1).mean())), *SAME_FACE)


def _unusual(
    frames: Sequence[MotionFrame], wanted: MotionFrame, portrait: Face
) -> Callable[[MotionFrame], float]:
    """How far from usual for these frames eyes are open: a portrait's are open as usual, unless they are all
    but shut, or it is itself that frame. What else is wide or narrow of them may be the build of a face."""
    if not frames or wanted.coefficients[BLINKS].mean() > SHUT:
        return lambda _: 0.0
    usual = np.median([apertures(frame.shape) for frame in frames if frame.shape is not None], axis=0)

    def distance(frame: MotionFrame) -> float:
        assert frame.shape is not None
        opened = ((apertures(frame.shape) - usual) / _OPENING) ** 2
        return unlike(frame.shape, portrait.shape) * float(opened.sum())

    return distance


def _distance(a: MotionFrame, b: MotionFrame) -> float:
    """How different two frames look, apart from whose face it is."""
    expression = _WEIGHT * (a.coefficients - b.coefficients)
    turn = (a.rotation - b.rotation) / _TURN
    gap = (_lip_gap(a) - _lip_gap(b)) / _GAP
    return float((expression**2).sum() + (turn**2).sum() + gap**2)


def _lip_gap(frame: MotionFrame) -> float:
    if frame.shape is None:
        return 0.0
    return float(frame.shape[LIP_BOTTOM_INNER, 1] - frame.shape[LIP_TOP_INNER, 1])
