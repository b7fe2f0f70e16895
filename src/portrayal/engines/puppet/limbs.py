"""From the body of a driving to where the portrait's joints should be.

Points of the plane are complex numbers, x + iy: a factor turns and scales. Directions come from the driving,
lengths are the portrait's own, shortened at most as far as the driving's are foreshortened.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from portrayal import body as b
from portrayal.engines.puppet.transfer import Target
from portrayal.motion import MotionFrame
from portrayal.track.face import Face

Array = NDArray[np.float32]
Complex = NDArray[np.complex128]

#: Joints beyond COCO's 17: the knuckle of the middle finger of each hand, and the neck pivot of the head.
LEFT_KNUCKLE, RIGHT_KNUCKLE, NECK = 17, 18, 19
#: The middles of the shoulders and of the hips.
CHEST, PELVIS = 20, 21
JOINTS = 22
#: What is turned: from, to. Arms follow from the shoulders outwards.
BONES = (
    (b.RIGHT_SHOULDER, b.LEFT_SHOULDER), (CHEST, NECK),
    (b.LEFT_SHOULDER, b.LEFT_ELBOW), (b.LEFT_ELBOW, b.LEFT_WRIST), (b.LEFT_WRIST, LEFT_KNUCKLE),
    (b.RIGHT_SHOULDER, b.RIGHT_ELBOW), (b.RIGHT_ELBOW, b.RIGHT_WRIST), (b.RIGHT_WRIST, RIGHT_KNUCKLE),
)  # fmt: skip
_FROM, _TO = (np.array(ends) for ends in zip(*BONES, strict=True))
#: For each bone, how much shorter and longer it may become, and how far it may turn, radians.
_SHORTEST = np.array([0.8, 0.88, 0.62, 0.62, 0.8, 0.62, 0.62, 0.8])
_LONGEST = np.array([1.1, 1.12, 1.08, 1.08, 1.05, 1.08, 1.08, 1.05])
_TURN = np.radians([24, 30, 190, 190, 190, 190, 190, 190])
#: How far a hand turns at the wrist, radians.
_WRIST = 0.9
#: An arm whose bones turn by this much, radians, does so of its own.
_OWN = 0.3
#: How far chest and pelvis may move, in shoulder widths.
_SWAY = {CHEST: 0.45, PELVIS: 0.2}
#: Scores from which on a point begins to be believed, and is.
DOUBTED, BELIEVED = 0.3, 0.65
#: A bone this much shorter than in the reference, as a share, points at the viewer: it has no direction.
_END_ON = 0.3
#: Seconds in which what is not seen any more goes back to rest, and what is seen again leaves it.
EASE = 0.3


@dataclass(frozen=True)
class Posture:
    """Where a portrait's joints should be. joints: (22,) complex pixels; raised: (2,) how much the left and
    the right arm do of their own, 0 to 1, and are not just carried by the torso."""

    joints: Complex
    raised: NDArray[np.float64]


@dataclass(frozen=True)
class Skeleton:
    """Joints in a plane. places: (22,) complex; trust: (22,) 0 to 1, how surely each is there."""

    places: Complex
    trust: NDArray[np.float64]

    @classmethod
    def of(cls, body: Array, neck: Array, seen: bool = True) -> Skeleton:
        """From (133, 3) points and the neck pivot (2,) in the same units. seen: whether that is known."""
        points = body[[*range(17), b.LEFT_HAND + b.MIDDLE_FINGER, b.RIGHT_HAND + b.MIDDLE_FINGER]]
        places, trust = np.zeros(JOINTS, complex), np.zeros(JOINTS)
        places[:19] = points[:, 0] + 1j * points[:, 1]
        trust[:19] = np.clip((points[:, 2] - DOUBTED) / (BELIEVED - DOUBTED), 0, 1)
        places[NECK], trust[NECK] = complex(*neck[:2]), float(seen)
        for middle, ends in (
            (CHEST, (b.LEFT_SHOULDER, b.RIGHT_SHOULDER)),
            (PELVIS, (b.LEFT_HIP, b.RIGHT_HIP)),
        ):
            places[middle], trust[middle] = places[list(ends)].mean(), trust[list(ends)].min()
        return cls(places, trust)

    @property
    def bones(self) -> Complex:
        """(8,) :data:`BONES` as vectors."""
        return self.places[_TO] - self.places[_FROM]

    @property
    def seen(self) -> NDArray[np.float64]:
        """(8,) how surely each bone is seen."""
        return np.minimum(self.trust[_TO], self.trust[_FROM])

    @property
    def width(self) -> float:
        """Between the shoulders."""
        return float(abs(self.bones[0]))


class LimbTransfer:
    """Carries the body of a driving over to one portrait, frame after frame.

    own: the portrait's, in pixels. face: its face. reference: the driving frame that shows what the portrait
    shows. Where that has no body, and if `absolute`, limbs point where the driving's do. fps: of the driving.
    """

    def __init__(
        self,
        own: Skeleton,
        face: Face,
        reference: MotionFrame | None,
        fps: float,
        strength: float = 1.0,
        absolute: bool = False,
    ) -> None:
        self._own, self._strength = own, strength
        self._eyes = face.pose.scale
        self._reference = None if reference is None else _skeleton(reference)
        self._size = 1.0 if reference is None else reference.scale
        self._absolute = absolute
        self._share = 1 - np.exp(-1 / (EASE * fps))
        self._trust = np.zeros(JOINTS)
        self._seen = np.zeros(len(BONES))
        self._angle = np.zeros(len(BONES))
        self._factor = np.ones(len(BONES), complex)
        self._sway = {CHEST: 0j, PELVIS: 0j}

    def __call__(self, frame: MotionFrame, target: Target) -> Posture:
        """Where the portrait's joints should be; those that nothing moves are where they were.

        target: of the face; what it says of the neck counts as far as the shoulders are not seen.
        """
        shift = complex(*target.pose.pivot[:2]) - self._own.places[NECK]
        there = _skeleton(frame)
        self._look(there)
        own, placed = self._own.places, self._own.places.copy()
        change = self._strength * self._seen * np.log(self._factor)
        raised = np.clip(np.abs(change[[[2, 3], [5, 6]]]).max(1) / _OWN, 0, 1)
        factors = np.exp(change)
        for forearm, hand in ((3, 4), (6, 7)):
            bent = np.angle(factors[hand] / factors[forearm])
            factors[hand] = factors[forearm] * np.exp(1j * _WRIST * np.tanh(bent / _WRIST))
        turned = factors * self._own.bones
        chest = own[CHEST] + self._swayed(there, CHEST)
        placed[PELVIS] += self._swayed(there, PELVIS)
        seen = self._trust[CHEST]
        placed[NECK] = seen * (chest + turned[1]) + (1 - seen) * (own[NECK] + shift)
        placed[CHEST] = chest + (1 - seen) * 0.5 * shift
        placed[b.RIGHT_SHOULDER] = placed[CHEST] - turned[0] / 2
        placed[b.LEFT_SHOULDER] = placed[CHEST] + turned[0] / 2
        for bone in range(2, len(BONES)):
            placed[_TO[bone]] = placed[_FROM[bone]] + turned[bone]
        for hip in (b.LEFT_HIP, b.RIGHT_HIP):
            placed[hip] += placed[PELVIS] - own[PELVIS]
        return Posture(placed, raised)

    def _look(self, there: Skeleton | None) -> None:
        """Take in what is seen of a frame; what is not stays as it was last seen, and counts ever less."""
        trust = np.zeros(JOINTS) if there is None else there.trust
        self._trust += self._share * (trust - self._trust)
        if there is None:
            self._seen -= self._share * self._seen
            return
        factor, seen = self._factors(there)
        fresh = seen > 0
        angle = np.angle(factor)
        angle += 2 * np.pi * np.round((self._angle - angle) / (2 * np.pi)) * (self._seen > 0.05)
        self._angle[fresh] = angle[fresh]
        turn = _eased(self._angle, _TURN)
        length = np.clip(np.abs(factor), _SHORTEST, _LONGEST)
        self._factor[fresh] = (length * np.exp(1j * turn))[fresh]
        self._seen += self._share * (seen - self._seen)

    def _factors(self, there: Skeleton) -> tuple[Complex, NDArray[np.float64]]:
        """(8,) what turns the portrait's bones as the driving's are, and (8,) how surely."""
        reference, own = self._reference, self._own
        bones, seen = there.bones, there.seen * own.seen
        straight = _direction(bones) / _direction(own.bones)
        if reference is None:
            return straight, seen
        known = reference.seen > 0.5
        before = np.where(known & (np.abs(reference.bones) > 1e-6), reference.bones, 1)
        ratio = np.abs(bones) / np.abs(before)
        relative = straight if self._absolute else _direction(bones) / _direction(before)
        factor = np.where(known, relative * np.maximum(ratio, 1e-3), straight)
        return factor, seen * np.where(known, np.clip(ratio / _END_ON, 0, 1), 1)

    def _swayed(self, there: Skeleton | None, middle: int) -> complex:
        """How far chest or pelvis is from where it was, pixels; not seen, it goes back."""
        reference = self._reference
        if (
            there is not None
            and reference is not None
            and min(there.trust[middle], reference.trust[middle]) > 0
        ):
            unit = np.clip(
                self._own.width / reference.width,
                0.6 * self._eyes / self._size,
                1.6 * self._eyes / self._size,
            )
            self._sway[middle] = complex(unit * (there.places[middle] - reference.places[middle]))
        limit = _SWAY[middle] * self._own.width
        moved = self._strength * self._trust[middle] * self._own.trust[middle] * self._sway[middle]
        far = abs(moved)
        return moved * float(_eased(np.array(far), np.array(limit))) / far if far else moved


def closest(frames: Iterable[MotionFrame], own: Skeleton) -> MotionFrame | None:
    """The frame whose body is posed most like the portrait's; None where none has a body."""
    bodies = [(frame, _skeleton(frame)) for frame in frames]
    seen = [(frame, there) for frame, there in bodies if there is not None and there.trust[CHEST] > 0.5]
    return min(seen, key=lambda each: _unlikeness(each[1], own), default=(None, None))[0]


def _unlikeness(a: Skeleton, b: Skeleton) -> float:
    """How differently two bodies are posed: a bone that only one shows counts as a right angle."""
    turn = np.abs(np.angle(_direction(a.bones) / _direction(b.bones)))
    both = np.minimum(a.seen, b.seen)
    return float((both * turn**2 + (np.maximum(a.seen, b.seen) - both) * (np.pi / 2) ** 2).sum())


def _skeleton(frame: MotionFrame) -> Skeleton | None:
    return None if frame.body is None else Skeleton.of(frame.body, frame.translation, frame.tracked)


def _eased(value: NDArray[np.float64], limit: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values up to 0.7 of the limit as they are, larger ones eased in towards it."""
    knee = 0.7 * limit
    over = np.maximum(np.abs(value) - knee, 0) / (limit - knee)
    return np.asarray(np.sign(value) * (np.minimum(np.abs(value), knee) + (limit - knee) * np.tanh(over)))


def _direction(vectors: Complex) -> Complex:
    length = np.abs(vectors)
    return np.where(length > 1e-9, vectors / np.maximum(length, 1e-9), 1)
