"""A person in a picture taken apart: torso, head and legs; and the arms that lie free in front of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal import body as b
from portrayal.engines.puppet.coarse import coarseness, enlarged, reduced
from portrayal.engines.puppet.fill import push_pull
from portrayal.engines.puppet.limbs import CHEST, LEFT_KNUCKLE, RIGHT_KNUCKLE, Complex, Skeleton
from portrayal.engines.puppet.plate import background_plate, foreground
from portrayal.engines.puppet.windows import extent_of, tiles, whole
from portrayal.track.face import Face
from portrayal.track.matte import body_matte, grab_cut, sharpened
from portrayal.track.topology import OVAL

Rgb = NDArray[np.uint8]
Mask = NDArray[np.float32]

#: Joints of an arm from the shoulder to the knuckle of the middle finger.
ARMS = (
    (b.LEFT_SHOULDER, b.LEFT_ELBOW, b.LEFT_WRIST, LEFT_KNUCKLE),
    (b.RIGHT_SHOULDER, b.RIGHT_ELBOW, b.RIGHT_WRIST, RIGHT_KNUCKLE),
)
#: Half the width of an arm at shoulder, elbow, wrist and of a hand, in shoulder widths.
GIRTH = np.array([0.19, 0.15, 0.11, 0.17])
#: A hand over the distance from its wrist to the middle knuckle; and its length where no hand is seen, in
#: shoulder widths.
HAND, HAND_LENGTH = 1.5, 0.32
#: Half the width of a finger, of that of a hand; how far it reaches beyond its last point, of its last part.
FINGER, NAIL = 0.45, 0.6
#: Shoulders are at least this many eye distances wide: less is a body turned aside.
NARROWEST = 2.8
#: What is closer to an arm's bones than the first, in half widths, is the arm; from the second on nothing is.
#: What is thin and within the third is the arm's, too.
MAYBE, NEAR = (0.55, 1.3), 1.8
#: A forearm shorter than this, in shoulder widths, points at the viewer.
SHORTEST = 0.25
#: What is within this many shoulder widths of a person may be theirs: hair.
AROUND = 0.03
#: All but hips, legs and feet.
UPPER = [*range(11), *range(23, b.POINTS)]
#: Side of the square that is segmented over the person's longer side.
MARGIN = 1.4


@dataclass(frozen=True)
class Arm:
    """An arm. joints: which; line: (4,) where its bones run, complex pixels, hand included; girth: (4,)
    half widths in pixels; fingers: (5, 5, 2) pixels from the wrist to each tip, where they are seen."""

    joints: tuple[int, int, int, int]
    line: Complex
    girth: NDArray[np.float64]
    fingers: NDArray[np.float32] | None

    def enlarged(self, step: int) -> Arm:
        """The same in a picture of `step` times the size."""
        shift = (step - 1) / 2
        fingers = None if self.fingers is None else self.fingers * np.float32(step) + np.float32(shift)
        return Arm(self.joints, self.line * step + shift * (1 + 1j), self.girth * step, fingers)


@dataclass(frozen=True)
class Parts:
    """rgb premultiplied with alpha, (H, W, 4) uint8 each, and what is seen where the person was (H, W, 3)."""

    plate: Rgb
    torso: Rgb
    arms: list[tuple[Arm, Rgb]]


def girth(skeleton: Skeleton, face: Face) -> float:
    """The width of the shoulders, pixels, seen from the front."""
    return max(skeleton.width, NARROWEST * face.pose.scale)


def take_apart(rgb: Rgb, face: Face, body: NDArray[np.float32]) -> Parts:
    """rgb: (H, W, 3); body: (133, 3) pixels and scores. What is smooth is made at a part of the size."""
    step = coarseness(rgb.shape)
    small, person = reduced(rgb, step), _Person(face, body).reduced(step)
    size, chest, wide = extent_of(small), person.skeleton.places[CHEST], person.wide
    bare = _arms(person, size)
    away = [arm_distance(arm, size) for arm in bare]
    matte = _matte(small, person, away)
    matte *= _part_of(chest, matte > 0.3)
    around = max(2, round(AROUND * wide))
    plate = background_plate(rgb, _spread(matte, around), np.ones(size, np.float32), step)
    torso, _ = foreground(rgb, matte, plate, step)
    cut = [
        (arm, _share(small, near, person, matte))
        for arm, near in zip(bare, away, strict=True)
        if _is_free(arm, bare, person.face, wide)
    ]
    arms = [(arm.enlarged(step), _times(torso, share, step)) for arm, share in cut]
    for arm, share in cut:
        _lay(torso, *_filled(reduced(torso, step), arm, share, person), step)
    torso = _times(torso, _part_of(chest, reduced(torso, step)[..., 3] > 60).astype(np.float32), step)
    elsewhere = _spread(np.maximum.reduce([np.zeros(size, np.float32), *(share for _, share in cut)]), around)
    _surround(torso, rgb, elsewhere, around + max(3, max(size) // 100), step)
    return Parts(plate, torso, arms)


@dataclass(frozen=True)
class _Person:
    """Somebody in a picture. body: (133, 3) pixels and scores."""

    face: Face
    body: NDArray[np.float32]

    @cached_property
    def skeleton(self) -> Skeleton:
        return Skeleton.of(self.body, self.face.pose.pivot)

    @property
    def wide(self) -> float:
        return girth(self.skeleton, self.face)

    def reduced(self, step: int) -> _Person:
        """The same in a picture of a `step`th of the size."""
        middle = np.float32(0.5)
        landmarks = np.column_stack(
            [(self.face.landmarks[:, :2] + middle) / step - middle, self.face.landmarks[:, 2] / step]
        )
        places = (self.body[:, :2] + middle) / step - middle
        body = np.column_stack([places, self.body[:, 2]]).astype(np.float32)
        return _Person(Face(landmarks.astype(np.float32)), body)


def _matte(rgb: Rgb, person: _Person, arms: list[NDArray[np.float32]]) -> Mask:
    """(H, W) who is the person: seen as a whole and, closer, without the legs; where the bones of the arms
    are; then drawn to the colours."""
    size, place = extent_of(rgb), np.eye(3)[:2]
    face, body, wide = person.face, person.body, person.wide
    squares = (_square(body, face, size), _square(body[UPPER], face, size))
    far, near = (body_matte(rgb, square, place, size) for square in squares)
    x, y, side = squares[1]
    rows, columns = np.mgrid[: size[0], : size[1]]
    inside = 0.5 - np.maximum(np.abs(columns - x), np.abs(rows - y)) / side
    share = np.clip(inside / 0.1, 0, 1)
    matte = (share * near + (1 - share) * far).astype(np.float32)
    for away in arms:
        matte[away < MAYBE[0]] = 1
    return sharpened(rgb, matte, max(2, round(0.055 * wide)))


def _spread(matte: Mask, around: int) -> Mask:
    """The matte with a margin: of what is close to the person nothing is to stay in the background."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * around + 1,) * 2)
    return np.asarray(cv2.dilate(matte, kernel), np.float32)


def _surround(torso: Rgb, rgb: Rgb, arms: Mask, width: int, step: int) -> None:
    """Lay a soft band of the picture around the torso, but for the arms, in place: stray hair comes along,
    and a person at rest stands before the picture's own background."""
    outside = (reduced(torso, step)[..., 3] < 26).astype(np.uint8)
    away = cv2.distanceTransform(outside, cv2.DIST_L2, 5)
    share = (np.clip(2 * (1 - away / width), 0, 1) * (1 - arms)).astype(np.float32)
    for tile in tiles(whole(extent_of(torso))):
        own = torso[tile]
        wanted = enlarged(share, step, tile) * (1 - own[..., 3] / np.float32(255))
        band = np.dstack([rgb[tile], np.full(own.shape[:2], 255, np.uint8)])
        own[:] = np.clip(np.round(own + wanted[..., None] * band), 0, 255)


def _square(body: NDArray[np.float32], face: Face, size: tuple[int, int]) -> tuple[float, float, float]:
    """(x, y, side) of a square around all of a person that is in the picture."""
    seen = body[body[:, 2] > 0.3, :2]
    points = np.concatenate([seen, face.landmarks[:, :2], face.landmarks[:, :2] - (0, 0.8 * face.pose.scale)])
    low, high = np.clip(points.min(0), 0, size[::-1]), np.clip(points.max(0), 0, size[::-1])
    x, y = (low + high) / 2
    return float(x), float(y), MARGIN * float((high - low).max())


def _is_seen(skeleton: Skeleton, joints: tuple[int, ...], size: tuple[int, int]) -> bool:
    """Whether shoulder, elbow and wrist are seen, and inside the picture."""
    places = skeleton.places[list(joints[:3])]
    x, y = places.real, places.imag
    inside = (x > 0) & (y > 0) & (x < size[1] - 1) & (y < size[0] - 1)
    return bool(inside.all() and (skeleton.trust[list(joints[:3])] > 0.5).all())


def _arms(person: _Person, size: tuple[int, int]) -> list[Arm]:
    """The arms that are seen in a picture of `size` (height, width)."""
    skeleton = person.skeleton
    return [_bones(joints, person) for joints in ARMS if _is_seen(skeleton, joints, size)]


def _bones(joints: tuple[int, int, int, int], person: _Person) -> Arm:
    skeleton, body, wide = person.skeleton, person.body, person.wide
    root = b.LEFT_HAND if joints[3] == LEFT_KNUCKLE else b.RIGHT_HAND
    hand = body[root : root + 21]
    line, fingers = skeleton.places[list(joints)], None
    if skeleton.trust[joints[3]] > 0.5:
        fingers = np.stack([hand[[0, *range(tip - 3, tip + 1)], :2] for tip in (4, 8, 12, 16, 20)])
        fingers[:, -1] += NAIL * (fingers[:, -1] - fingers[:, -2])
        line[3] = line[2] + HAND * (line[3] - line[2])
    else:
        forearm = line[2] - line[1]
        line[3] = line[2] + HAND_LENGTH * wide * forearm / max(abs(forearm), 1e-6)
    return Arm(joints, line, GIRTH * wide, fingers)


def _is_free(arm: Arm, arms: list[Arm], face: Face, wide: float) -> bool:
    """Whether the forearm does not point at the viewer, and the hand touches neither the face nor the other
    arm: from there it could not be taken away."""
    if abs(arm.line[2] - arm.line[1]) < SHORTEST * wide:
        return False
    hand = np.linspace(arm.line[2], arm.line[3], 4)
    oval = face.landmarks[list(OVAL), :2].astype(np.float32)
    to_face = max(cv2.pointPolygonTest(oval, (float(p.real), float(p.imag)), True) for p in hand)
    others = [
        np.concatenate([np.linspace(other.line[1], other.line[2], 8), other.line[3:]])
        for other in arms
        if other is not arm
    ]
    to_other = min((float(np.abs(hand[:, None] - other).min()) for other in others), default=np.inf)
    return to_face < -0.3 * face.pose.scale and to_other > 0.22 * wide


def _share(rgb: Rgb, away: Mask, person: _Person, matte: Mask) -> Mask:
    """(H, W) how much of each pixel belongs to the arm whose bones are `away` half widths."""
    skeleton, wide = person.skeleton, person.wide
    share = _coloured(rgb, away, matte, wide)
    # What is left over and no part of the torso is the arm's: the folds of a sleeve.
    rest = ((matte > 0.5) & (share < 0.5)).astype(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (int(0.2 * wide) | 1,) * 2)
    thick = cv2.dilate(cv2.morphologyEx(rest, cv2.MORPH_OPEN, kernel), np.ones((3, 3), np.uint8))
    thin = (away < NEAR) & ~_part_of(skeleton.places[CHEST], thick > 0)
    return np.maximum(share, cv2.GaussianBlur(thin.astype(np.float32), (0, 0), 1.0) * thin).astype(np.float32)


def _part_of(place: complex, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W) the part of a mask that hangs together with a place."""
    _, numbers = cv2.connectedComponents(mask.astype(np.uint8))
    x, y = (
        int(np.clip(v, 0, n - 1)) for v, n in zip((place.real, place.imag), mask.shape[::-1], strict=True)
    )
    return np.asarray((numbers == numbers[y, x]) & mask)


def _coloured(rgb: Rgb, away: Mask, matte: Mask, wide: float) -> Mask:
    """(H, W) how much of each pixel is the arm's, whose bones are `away` half widths: what is close to them,
    and has its colours rather than the torso's."""
    labels = np.full(away.shape, cv2.GC_BGD, np.uint8)
    labels[(away < MAYBE[1]) & (matte > 0.5)] = cv2.GC_PR_BGD
    labels[(away < 1) & (matte > 0.5)] = cv2.GC_PR_FGD
    labels[(away < MAYBE[0]) & (matte > 0.5)] = cv2.GC_FGD
    arm = grab_cut(rgb, labels)
    smooth = cv2.GaussianBlur(arm, (0, 0), max(1.0, 0.02 * wide))
    return np.asarray(np.clip((smooth - 0.35) / 0.3, 0, 1), np.float32)


def arm_distance(arm: Arm, size: tuple[int, ...]) -> Mask:
    """(H, W) how far each pixel is from the bones of an arm, in half widths of the arm there."""
    y, x = np.mgrid[: size[0], : size[1]]
    points = x + 1j * y
    nearest = np.full(size, np.inf)
    widths = [(arm.girth[0], arm.girth[1]), (arm.girth[1], arm.girth[2]), (arm.girth[3], arm.girth[3])]
    for bone, (first, last) in enumerate(widths[: 3 if arm.fingers is None else 2]):
        start, along = arm.line[bone], arm.line[bone + 1] - arm.line[bone]
        t = ((points - start) * np.conj(along)).real / max(abs(along) ** 2, 1e-9)
        inside = np.clip(t, 0, 1)
        away = np.abs(points - start - inside * along) / (first + inside * (last - first))
        if bone == 0:  # beyond the shoulder there is the torso
            away = np.where(t < 0, 1.5 * away, away)
        nearest = np.minimum(nearest, away)
    if arm.fingers is not None:
        drawn = np.ones(size, np.uint8)
        cv2.polylines(drawn, list(np.round(arm.fingers).astype(np.int32)), False, (0,))
        nearest = np.minimum(nearest, cv2.distanceTransform(drawn, cv2.DIST_L2, 5) / (FINGER * arm.girth[3]))
    return nearest.astype(np.float32)


def _times(layer: Rgb, share: Mask, step: int) -> Rgb:
    result = np.empty_like(layer)
    for tile in tiles(whole(extent_of(layer))):
        result[tile] = np.round(layer[tile] * enlarged(share, step, tile)[..., None])
    return result


def _lay(torso: Rgb, fill: NDArray[np.float32], share: Mask, step: int) -> None:
    """Take a share of a `fill` in the place of the torso, in place."""
    for tile in tiles(whole(extent_of(torso))):
        wanted = enlarged(share, step, tile)[..., None]
        if wanted.any():
            own = torso[tile]
            own[:] = np.clip(np.round(own + wanted * (enlarged(fill, step, tile) - own)), 0, 255)


def _filled(torso: Rgb, arm: Arm, arms: Mask, person: _Person) -> tuple[NDArray[np.float32], Mask]:
    """(H, W, 4) what is seen of the torso without an arm, filled from around, and where that takes its place.

    arms: (H, W) how much of each pixel is the arm's.
    """
    size = extent_of(torso)
    y, x = np.mgrid[: size[0], : size[1]]
    at_shoulder = np.abs(x + 1j * y - arm.line[0]) < 0.9 * arm.girth[0]
    hole = cv2.dilate(((arms > 0.02) & ~at_shoulder).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    solid = torso[..., 3] > 250
    edge = 2 * max(1, round(0.03 * person.wide)) + 1  # outlines have colours of what is beside them
    inner = cv2.erode((~hole & solid).astype(np.uint8), np.ones((edge, edge), np.uint8))
    colour = push_pull(torso[..., :3].astype(np.float32), inner.astype(np.float32))
    behind = push_pull(np.repeat(torso[..., 3:], 2, 2).astype(np.float32) / 255, (~hole).astype(np.float32))
    alpha = np.maximum(_hull(person, size), np.clip((behind[..., 0] - 0.7) / 0.1, 0, 1))
    fill = np.dstack([colour * alpha[..., None], 255 * alpha]).astype(np.float32)
    kept = (arms < 0.5) & solid & hole
    return fill, np.where(kept, np.clip(arms * 2, 0, 1), hole).astype(np.float32)


def _hull(person: _Person, size: tuple[int, ...]) -> Mask:
    """(H, W) where a torso surely is: between shoulders and hips, without what the arms take."""
    skeleton, wide = person.skeleton, person.wide
    left, right = skeleton.places[b.LEFT_SHOULDER], skeleton.places[b.RIGHT_SHOULDER]
    across = (left - right) / max(abs(left - right), 1e-6)
    inner = 0.6 * GIRTH[0] * wide * across
    middle = skeleton.places[CHEST] + 1j * across * 1.4 * wide
    hips = [middle + 0.36 * (left - right), middle - 0.36 * (left - right)]
    for i, joint in enumerate((b.LEFT_HIP, b.RIGHT_HIP)):
        if skeleton.trust[joint] > 0.5:
            hips[i] = skeleton.places[joint]
    corners = np.array([left - inner, hips[0], hips[1], right + inner])
    polygon = np.column_stack([corners.real, corners.imag])
    drawn = np.zeros(size, np.uint8)
    cv2.fillPoly(drawn, [np.round(polygon).astype(np.int32)], (255,))
    return np.asarray(cv2.GaussianBlur(drawn, (0, 0), 1.5), np.float32) / 255
