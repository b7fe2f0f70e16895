"""`Clip`: the result, a lazy sequence of frames with sound."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from portrayal.errors import PortrayalError, UsageError

if TYPE_CHECKING:
    from portrayal.driving import Driving
    from portrayal.media.audio import Audio

Rgb = NDArray[np.uint8]
Box = tuple[int, int, int, int]
#: Bytes of frames made ahead of the writing, four frames at most.
AHEAD = 1 << 26


@dataclass(frozen=True, eq=False)
class Clip:
    """Frames (H, W, 3) uint8, made when they are read, at `fps`, with sound.

    frames: starts the frames anew each time it is called. size: (width, height). count: how many frames, None
    where that is not known. still: a picture to show beside it where the driving has none (the portrait).
    """

    frames: Callable[[], Iterator[Rgb]]
    fps: Fraction
    size: tuple[int, int] = field(kw_only=True)
    audio: Audio | None = field(default=None, kw_only=True)
    count: int | None = field(default=None, kw_only=True)
    name: str = field(default="clip", kw_only=True)
    still: Rgb | None = field(default=None, kw_only=True, repr=False)

    def __iter__(self) -> Iterator[Rgb]:
        return self.frames()

    def save(
        self,
        path: str | os.PathLike[str],
        overwrite: bool = False,
        quality: int | str = "high",
        progress: Callable[[int], object] | None = None,
    ) -> None:
        """Write the clip; its suffix says as what: .mp4, .webm, .gif, or a folder or pattern of pictures.

        A picture's suffix (.png, .jpg, .webp, ...) writes the first frame. Whole or not at all: whatever goes
        wrong, nothing is left and an existing file is as it was. progress: called with the frames done.
        Raises PortrayalError where it cannot be written, where it exists and `overwrite` is False, and where
        the frames cannot be made.
        """
        if is_picture(path):
            from portrayal.media.atomic import check_target
            from portrayal.media.image import write_image

            check_target(path, overwrite)
            write_image(path, self.first(), overwrite=overwrite)
            return
        from portrayal.media.write import write_video
        from portrayal.prefetch import prefetch

        width, height = self.size
        ahead = min(max(AHEAD // (3 * width * height), 1), 4)
        frames = prefetch(self, depth=ahead)  # the next are made while these are encoded
        write_video(
            path, frames, self.fps, audio=self.audio, quality=quality, overwrite=overwrite, progress=progress
        )

    def first(self) -> Rgb:
        """The first frame."""
        for rgb in self:
            return rgb
        raise PortrayalError(f"{self.name}: the clip has no frames")

    def compare(self, driving: Driving) -> Clip:
        """The driving on the left, this clip on the right, both as high as this clip.

        A driving without pictures shows its sound as a moving waveform, or, where it is silent too, the
        portrait as it was.
        """
        from portrayal.compare import beside

        return beside(self, driving)

    def crop(self, box: Box) -> Clip:
        """The part inside (left, top, right, bottom), whole pixels; what lies outside the frame is cut."""
        width, height = self.size
        left, right = (min(max(x, 0), width) for x in (box[0], box[2]))
        top, bottom = (min(max(y, 0), height) for y in (box[1], box[3]))
        if left >= right or top >= bottom:
            raise UsageError(f"--crop: there is nothing of the {width}x{height} frame in {box}")
        inside = np.s_[top:bottom, left:right]
        return replace(
            self,
            frames=lambda: (np.ascontiguousarray(rgb[inside]) for rgb in self),
            size=(right - left, bottom - top),
            still=None if self.still is None else np.ascontiguousarray(self.still[inside]),
        )

    def tap(self, look: Callable[[Rgb], object]) -> Clip:
        """The same clip, each frame shown to `look` as it goes by: a contact sheet while it is saved."""

        def frames() -> Iterator[Rgb]:
            for rgb in self:
                look(rgb)
                yield rgb

        return replace(self, frames=frames)

    def sheet(self, columns: int = 4, rows: int = 3) -> Rgb:
        """A contact sheet: evenly spaced frames in a grid, each with its number and time.

        Reads the clip once, holding no more than two sheets of small pictures. To have both the file and its
        sheet from one pass, :meth:`tap` the clip with :meth:`portrayal.sheet.ContactSheet.add`.
        """
        from portrayal.sheet import ContactSheet

        sheet = ContactSheet(self.fps, count=self.count, columns=columns, rows=rows)
        for rgb in self:
            sheet.add(rgb)
        return sheet.picture()


def is_picture(path: str | os.PathLike[str]) -> bool:
    """Whether a target is one still picture: a picture's suffix, and no folder or pattern (%04d.png)."""
    from portrayal.media.image import WRITTEN
    from portrayal.media.pictures import is_pattern

    place = Path(path)
    return place.suffix.lower() in WRITTEN and not is_pattern(place) and not place.is_dir()
