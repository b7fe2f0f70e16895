"""Motion templates: LivePortrait's .pkl, read without running it, and a safe file of our own (.npz).

A template is what LivePortrait's motion extractor saw in a video, kept for reuse.
"""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from portrayal.damaged import DAMAGED, said
from portrayal.engines.liveportrait.keypoints import POINTS, FaceMotion, rotation_matrix
from portrayal.engines.liveportrait.opcodes import Refused, read_plain
from portrayal.errors import PortrayalError, UsageError

if TYPE_CHECKING:
    from portrayal.motion import Motion

Array = NDArray[np.float32]

#: Largest file read: an hour at 60 frames a second has 150 MB.
LIMIT = 1 << 30
#: Version of the .npz layout; a reader refuses a newer one.
VERSION = 1
#: The names that a part has had in the published files, the newer first.
_ROTATION = ("R", "R_d")
_EYES, _LIPS = ("c_eyes_lst", "c_d_eyes_lst"), ("c_lip_lst", "c_d_lip_lst")
_SHAPES: dict[str, tuple[int, ...]] = {
    "rotation": (3, 3), "expression": (POINTS, 3), "translation": (3,), "scale": (), "canonical": (POINTS, 3),
    "eyes": (2,), "lips": (),
}  # fmt: skip
_REQUIRED = ("rotation", "expression", "translation", "scale")


@dataclass(frozen=True, eq=False)
class Template:
    """A motion for LivePortrait. fps: frames per second; motion: its frames."""

    fps: Fraction
    motion: FaceMotion

    def __len__(self) -> int:
        return len(self.motion)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Template:
        """A LivePortrait template (.pkl) or one written by :meth:`save` (.npz).

        Nothing of a pickle is ever run. PortrayalError, in one line, where the file is neither, is damaged,
        or holds anything but numbers.
        """
        from portrayal.media.files import check_source, shown

        source, name = check_source(path), shown(path)
        if source.stat().st_size > LIMIT:
            raise PortrayalError(f"{name}: is larger than a motion template may be ({LIMIT >> 20} MB)")
        try:
            with source.open("rb") as file:
                is_zip = file.read(4) == b"PK\x03\x04"
            return _from_npz(source) if is_zip else _from_pickle(source.read_bytes())
        except PortrayalError as error:
            raise PortrayalError(f"{name}: {error}") from error
        except DAMAGED as error:
            raise PortrayalError(f"{name}: is no motion template that can be read: {said(error)}") from error

    def cut(self, start: float | None = None, end: float | None = None) -> Template:
        """The part from `start` to `end` seconds; UsageError where there is nothing."""
        first = round((start or 0) * self.fps)
        last = len(self) if end is None else min(round(end * self.fps), len(self))
        if first < 0 or first >= last:
            raise UsageError(
                f"there is nothing at that time of {float(len(self) / self.fps):.2f} s of motion"
            )
        return Template(self.fps, self.motion[first:last])

    def resample(self, fps: Fraction) -> Template:
        """The same motion at another rate, frames in between interpolated linearly (turns as angles)."""
        if fps == self.fps:
            return self
        count = max(1, round(len(self) / self.fps * fps))
        where = np.minimum(np.arange(count) * float(self.fps / fps), len(self) - 1)
        low = where.astype(np.intp)
        part = where - low

        def between(values: Array) -> Array:
            after = values[np.minimum(low + 1, len(self) - 1)]
            weight = part.reshape(-1, *[1] * (values.ndim - 1))
            return np.asarray(values[low] + weight * (after - values[low]), np.float32)

        parts = {name: getattr(self.motion, name) for name in _SHAPES if name != "rotation"}
        mixed = {name: None if values is None else between(values) for name, values in parts.items()}
        rotation = rotation_matrix(between(self.motion.angles))
        return Template(Fraction(fps), FaceMotion(rotation=rotation, **mixed))  # type: ignore[arg-type]

    def to_motion(self) -> Motion:
        """What it does in the terms that every engine understands, relative to its first frame.

        Approximate: LivePortrait's expressions say more, and less, than the 52 coefficients.
        """
        from portrayal.engines.liveportrait.mapping import MotionMap
        from portrayal.motion import Motion

        return Motion.from_frames(self.fps, list(MotionMap().back(self.motion, self.motion[0])))

    def save(self, path: str | os.PathLike[str], overwrite: bool = False) -> None:
        """Write it as .npz, which holds numbers only. Raises as :func:`portrayal.media.atomic.new_file`
        does.
        """
        from portrayal.media.atomic import new_file
        from portrayal.media.files import shown

        if Path(path).suffix.lower() != ".npz":
            raise UsageError(f"{shown(path)}: a motion template is written as .npz")
        values = {name: getattr(self.motion, name) for name in _SHAPES}
        with new_file(path, overwrite) as temporary, temporary.open("wb") as file:
            np.savez_compressed(
                file,
                liveportrait_motion=np.array(VERSION),
                fps=np.array([self.fps.numerator, self.fps.denominator], np.int64),
                **{name: value for name, value in values.items() if value is not None},
            )


def is_template(path: str | os.PathLike[str]) -> bool:
    """Whether a file is one by its name and, for .npz, by what it says it holds."""
    suffix = Path(path).suffix.lower()
    if suffix == ".pkl":
        return True
    try:
        return suffix == ".npz" and "liveportrait_motion.npy" in zipfile.ZipFile(path).namelist()
    except (OSError, ValueError, zipfile.BadZipFile):
        return False


def _from_npz(path: Path) -> Template:
    with zipfile.ZipFile(path) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > LIMIT:
            raise Refused(f"it holds more than {LIMIT >> 20} MB")
    with np.load(path, allow_pickle=False) as file:
        if "liveportrait_motion" not in file:
            raise Refused("it is an .npz file that portrayal has not written for LivePortrait")
        if int(file["liveportrait_motion"]) > VERSION:
            raise Refused("it was written by a newer portrayal")
        numerator, denominator = (int(n) for n in file["fps"])
        parts = {name: file[name] for name in _SHAPES if name in file}
    return Template(_rate(numerator, denominator), _motion(parts))


def _from_pickle(data: bytes) -> Template:
    content = read_plain(data)
    frames = content.get("motion") if isinstance(content, dict) else None
    if not isinstance(frames, list) or not all(isinstance(frame, dict) for frame in frames):
        raise Refused("it has no list of frames called motion")
    if len(frames) * POINTS * 3 * 2 > len(data):  # each frame has an expression of its own
        raise Refused(f"it has {len(frames)} frames in {len(data)} bytes")
    parts: dict[str, Any] = {
        "rotation": _column(frames, *_ROTATION),
        "expression": _column(frames, "exp"),
        "translation": _column(frames, "t"),
        "scale": _column(frames, "scale"),
        "canonical": _column(frames, "kp"),
        "eyes": _list(content, len(frames), *_EYES),
        "lips": _list(content, len(frames), *_LIPS),
    }
    fps = Fraction(_number(content.get("output_fps", 25))).limit_denominator(1001)
    return Template(_rate(fps.numerator, fps.denominator), _motion(parts))


def _column(frames: list[dict[str, Any]], *names: str) -> list[Any] | None:
    """One value of every frame; None where no frame has it, Refused where only some have."""
    for name in names:
        values: list[Any] = [frame[name] for frame in frames if name in frame]
        if len(values) == len(frames):
            return values
        if values:
            raise Refused(f"{name} is missing in some frames")
    return None


def _list(content: dict[str, Any], count: int, *names: str) -> list[Any] | None:
    """A list beside the frames; None where it is missing, empty or of another length."""
    values: list[Any] = next((content[n] for n in names if isinstance(content.get(n), list)), [])
    return values if values and len(values) == count else None


def _motion(parts: dict[str, Any]) -> FaceMotion:
    """The frames from arrays, or lists of arrays, of as many numbers as they should have."""
    for name in _REQUIRED:
        if parts.get(name) is None:
            raise Refused(f"it has no {name}")
    count = len(parts["expression"])
    if count == 0:
        raise Refused("it has no frames")
    arrays: dict[str, Array | None] = {
        name: None if parts.get(name) is None else _numbers(name, parts[name], (count, *shape))
        for name, shape in _SHAPES.items()
    }
    return FaceMotion(**arrays)  # type: ignore[arg-type]


def _numbers(name: str, values: Any, shape: tuple[int, ...]) -> Array:
    wanted = int(np.prod(shape[1:]))
    if not all(isinstance(value, (np.ndarray, np.number, int, float)) for value in values):
        raise Refused(f"{name} is not made of arrays")
    rows = [np.asarray(value) for value in values]
    if len(rows) != shape[0] or any(row.size != wanted or row.dtype.kind not in "fiu" for row in rows):
        raise Refused(f"{name} is not {' x '.join(str(n) for n in shape)} numbers")
    array = np.array([row.ravel() for row in rows], np.float32).reshape(shape)
    if not np.isfinite(array).all():
        raise Refused(f"{name} has values that are no numbers")
    return array


def _number(value: Any) -> float:
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e6:
        raise Refused("it has a frame rate that is none")
    return float(value)


def _rate(numerator: int, denominator: int) -> Fraction:
    if not (0 < denominator < 2**31 and 0 < numerator < 2**31):
        raise Refused("it has a frame rate that is none")
    return Fraction(numerator, denominator)
