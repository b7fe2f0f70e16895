"""What Wan-Animate is steered by, from portrait and driving, frame by frame, in the memory of a few."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from portrayal.engines.wananimate.conditions import Condition
from portrayal.engines.wananimate.faces import SIDE, FaceCrops
from portrayal.engines.wananimate.framing import letterbox
from portrayal.engines.wananimate.masks import Mask, Seen, Segmenter, cut_out, region, segmenter
from portrayal.engines.wananimate.retarget import Retarget
from portrayal.engines.wananimate.skeleton import Skeleton
from portrayal.errors import PortrayalError
from portrayal.track.followed import STRENGTH, followed, in_frame
from portrayal.track.wholebody import best_tracker

log = logging.getLogger(__name__)
Rgb = NDArray[np.uint8]
Array = NDArray[np.float32]
Size = tuple[int, int]
#: The skeleton in the pixels of a picture, from a frame of the driving and its points.
Poser = Callable[[Rgb, Array], Skeleton]


def conditions(
    portrait_rgb: Rgb,
    frames: Iterable[Rgb],
    size: Size,
    mode: Literal["animate", "replace"] = "animate",
    retarget: bool = True,
    compat: bool = False,
    smooth: float = STRENGTH,
    segment: Segmenter | None = None,
) -> Iterator[Condition]:
    """One condition for every frame (H, W, 3) of the driving, as soon as it can be told.

    portrait_rgb: (H, W, 3). size: (width, height) of the result. mode: whether the portrait moves as the
    driving's person, or takes its place in the driving. retarget: the person's limbs become those of the
    portrait's; to animate only. compat: as the published preprocess has it, nothing smoothed. smooth:
    how much points are over time, 0 none to 1 strong. segment: finds the person to replace, by default
    :func:`.masks.segmenter`.

    Where no person is seen, the last one holds; before the first the skeleton is empty and the face blank.
    Raises PortrayalError where limbs are asked for and the portrait shows none.
    """
    smooth = 0 if compat else smooth
    if mode == "animate":
        poser = portrayed(portrait_rgb, size, compat) if retarget else None
        return _animated(followed(frames, smooth), size, poser, compat)
    fitted = (letterbox(rgb, size, area=True) for rgb in frames)
    return _replaced(followed(fitted, smooth), size, segment or segmenter(compat), compat)


def portrayed(portrait_rgb: Rgb, size: Size, compat: bool = False) -> Poser:
    """Poses the portrait's skeleton, in the pixels of its picture fitted into `size`, as the driving's.

    Limbs are measured in the first frame that it is given. PortrayalError where the portrait has no body.
    """
    picture = letterbox(portrait_rgb, size)
    own = in_frame(best_tracker()(picture), picture)
    if own is None:
        raise PortrayalError("no body found in the portrait, to which the driving's could be fitted")
    mover: Retarget | None = None

    def pose(rgb: Rgb, points: Array) -> Skeleton:
        nonlocal mover
        if mover is None:
            mover = Retarget(own, size, points, (rgb.shape[1], rgb.shape[0]), compat)
        return mover(points)

    return pose


def _animated(seen: Iterable[Seen], size: Size, poser: Poser | None, compat: bool) -> Iterator[Condition]:
    crops = FaceCrops(compat)
    for rgb, points in seen:
        if points is None:
            yield Condition(_empty(size), _blank())
        elif poser is not None:
            yield Condition(poser(rgb, points).drawn(size), crops(rgb, points))
        else:
            yield Condition(_as_it_is(rgb, points, size, compat), crops(rgb, points))


def _replaced(seen: Iterator[Seen], size: Size, segment: Segmenter, compat: bool) -> Iterator[Condition]:
    crops, said = FaceCrops(compat), False
    for index, ((rgb, points), person) in enumerate(_segmented(seen, segment)):
        mask = region(person, compat)
        if not said and not mask.any():
            log.warning("frame %d: nobody is found in it; in such frames nothing is replaced", index)
            said = True
        pose, face = _empty(size), _blank()
        if points is not None:
            pose, face = Skeleton.of(points).drawn(size), crops(rgb, points)
        yield Condition(pose, face, cut_out(rgb, mask), mask * np.uint8(255))


def _segmented(seen: Iterator[Seen], segment: Segmenter) -> Iterator[tuple[Seen, Mask]]:
    while chunk := list(islice(seen, segment.chunk)):
        yield from zip(chunk, segment(chunk), strict=True)


def _as_it_is(rgb: Rgb, points: Array, size: Size, compat: bool) -> Rgb:
    """The driving's own skeleton, the frame fitted into `size`.

    As published it is drawn at the driving's size and shrunk, which makes the sticks of large videos thinner
    than the network knows them.
    """
    height, width = rgb.shape[:2]
    if compat:
        return letterbox(Skeleton.of(points).drawn((width, height)), size)
    scale = min(size[0] / width, size[1] / height)
    margin = (np.array(size) - scale * np.array([width, height])) / 2
    placed = points.copy()
    placed[:, :2] = (points[:, :2] + 0.5) * scale + margin - 0.5
    return Skeleton.of(placed).drawn(size)


def _empty(size: Size) -> Rgb:
    return np.zeros((size[1], size[0], 3), np.uint8)


def _blank() -> Rgb:
    return np.zeros((SIDE, SIDE, 3), np.uint8)
