"""`Portrait`: the picture to animate, and the faces in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.errors import PortrayalError, UsageError
from portrayal.media.files import shown
from portrayal.media.image import MAX_PIXELS, read_image
from portrayal.media.sniff import sniff
from portrayal.track.face import Face, FaceChoice, choose_face
from portrayal.track.find import find_faces

if TYPE_CHECKING:
    from portrayal.media.video import VideoReader

Rgb = NDArray[np.uint8]
Box = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Portrait:
    """A picture with at least one face.

    rgb: (H, W, 3) uint8, the first frame where it is a video. alpha: (H, W) uint8, None where all is opaque.
    faces: those chosen, from left to right; none where none was looked for. bystanders: the others that were
    found. video: the moving picture itself, where it is one.
    """

    rgb: Rgb = field(repr=False)
    faces: list[Face] = field(repr=False)
    alpha: Rgb | None = field(default=None, repr=False)
    video: VideoReader | None = None
    name: str = "portrait"
    path: Path | None = None
    bystanders: list[Face] = field(default_factory=list, repr=False)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        face: FaceChoice | Literal["all", "none"] = "largest",
        size: int | None = None,
        start: float | None = None,
        end: float | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> Portrait:
        """Read a picture or a video.

        face: "largest", "left", "right", a number counted from the left (0 first), "all", or "none": do
        not look for faces (animals, whole figures). size: longest
        side in pixels to work at, the file's own unless given. start, end: the part of a video, in seconds.
        Raises PortrayalError where the file cannot be read, is larger than `max_pixels`, or shows no face.
        """
        if size is not None and size < 16:
            raise UsageError(f"--size: {size} is too small, use 16 or more")
        kind, source, name = sniff(path), Path(path), shown(path)
        if kind == "audio":
            raise PortrayalError(f"{name}: is a sound, not a picture")
        if kind == "video":
            from portrayal.media.video import VideoReader

            video = VideoReader(source, start=start, end=end, size=size)
            rgb = _first(video, name)
            faces, others = _faces(rgb, face, name)
            return cls(rgb, faces, None, video, source.stem, source, others)
        picture = read_image(source, max_pixels=max_pixels)
        rgb = _resized(picture.rgb, size)
        alpha = None if picture.alpha is None else _resized(picture.alpha, size)
        faces, others = _faces(rgb, face, name)
        return cls(rgb, faces, alpha, None, source.stem, source, others)

    @classmethod
    def from_array(cls, rgb: Rgb, face: FaceChoice | Literal["all", "none"] = "largest") -> Portrait:
        """A portrait from (H, W, 3) uint8 RGB in memory."""
        if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
            raise PortrayalError(f"a portrait is uint8 (H, W, 3), not {rgb.dtype} {rgb.shape}")
        faces, others = _faces(rgb, face, "the picture")
        return cls(rgb, faces, bystanders=others)

    def with_face(self) -> Portrait:
        """The same, its largest face looked for where none was; PortrayalError where there is none."""
        if self.faces:
            return self
        faces, others = _faces(self.rgb, "largest", self.name)
        return replace(self, faces=faces, bystanders=others)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.rgb.shape[1], self.rgb.shape[0]

    def frames(self) -> Iterator[Rgb]:
        """The pictures of a video, or the one picture for ever (the same array: copy before drawing)."""
        if self.video is not None:
            yield from self.video
            return
        while True:
            yield self.rgb

    def crop_box(self, margin: float = 2.2) -> Box:
        """A square around the chosen faces: (left, top, right, bottom) in whole pixels, inside the picture.
        Without faces it is the picture.

        margin: side over the height of the faces. Sides are even, as video codecs want them.
        """
        if not self.faces:
            width, height = (side // 2 * 2 for side in self.size)
            return 0, 0, width, height
        boxes = np.array([face.box for face in self.faces])
        low, high = boxes[:, :2].min(0), boxes[:, 2:].max(0)
        side = min(margin * float((high - low).max()), *self.size)
        side = max(2, int(side) // 2 * 2)
        centre = (low + high) / 2 - (0, 0.08 * side)  # hair needs more room than the chin
        corner = np.clip(np.round(centre - side / 2), 0, np.array(self.size) - side)
        left, top = (int(c) for c in corner)
        return left, top, left + side, top + side


def _first(video: VideoReader, name: str) -> Rgb:
    for rgb in video:
        return rgb
    raise PortrayalError(f"{name}: has no frames")


def _resized(picture: Rgb, size: int | None) -> Rgb:
    height, width = picture.shape[:2]
    if size is None or size == max(height, width):
        return picture
    scale = size / max(height, width)
    wanted = max(1, round(width * scale)), max(1, round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, wanted, interpolation=how), np.uint8)


def _faces(rgb: Rgb, choice: FaceChoice | Literal["all", "none"], name: str) -> tuple[list[Face], list[Face]]:
    """The faces chosen and the others."""
    if choice == "none":
        return [], []
    faces = find_faces(rgb)
    if not faces:
        height, width = rgb.shape[:2]
        raise PortrayalError(
            f"{name}: no face found in {width}x{height} pixels (searched for near and far faces, and for one "
            "that fills the picture); use a picture with a larger, upright, uncovered face"
        )
    if choice == "all":
        return faces, []
    try:
        chosen = choose_face(faces, choice)
    except PortrayalError as error:
        raise PortrayalError(f"{name}: {error}") from error
    return [chosen], [face for face in faces if face is not chosen]
