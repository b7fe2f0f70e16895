"""Recordings of Epic's Live Link Face app, the .csv that face rigs everywhere exchange.

A header line, then a line for every frame: `Timecode` (HH:MM:SS:FF.mmm, frames counted at 60 a second unless
the app was set otherwise), `BlendShapeCount` (61; 0 and no values where the face was lost), the 52 ARKit
shapes, and nine angles in radians: HeadYaw, HeadPitch, HeadRoll, then the same for LeftEye and RightEye.

Signs, from recordings of the app (eye angles beside the eyeLook shapes) and from Unreal Engine's ARKit
plug-in, which makes head and eye angles alike: positive yaw turns to the head's own right, positive pitch
nods down, positive roll tilts to its own left shoulder, and the rotation is roll first, then pitch, then yaw
(Unreal's FRotator). With the phone held on its side the app records other angles, which cannot be told from
the file.
Ours (:mod:`portrayal.track.geometry`): yaw to the own left, pitch down, roll to the own right, pitch first.

Head position and size are not in the format and are lost in it.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from portrayal.errors import PortrayalError
from portrayal.motion import SHAPES, Motion

Array = NDArray[np.float32]
Double = NDArray[np.float64]

#: Frames a second that timecodes count unless they show otherwise.
CLOCK = 60
#: Angle of an eye at a full eyeLook coefficient, radians (as the app records them).
EYE_ANGLE = 0.6
ANGLES = tuple(
    f"{part}{turn}" for part in ("Head", "LeftEye", "RightEye") for turn in ("Yaw", "Pitch", "Roll")
)
_CLOCKS = (24, 25, 30, 48, 50, 60)
_RATES = tuple(Fraction(n) for n in (24, 25, 30, 48, 50, 60, 15, 20, 10, 12, 90, 100, 120)) + tuple(
    Fraction(n * 1000, 1001) for n in (24, 30, 60)
)
_DAY = 24 * 3600


def write_csv(motion: Motion, path: Path) -> None:
    """Write coefficients, head and eye angles of every frame."""
    head = _to_live_link(motion.rotation)
    eyes = _eye_angles(motion.coefficients)
    values = np.concatenate([motion.coefficients, head, eyes], axis=1)
    with path.open("w", encoding="ascii", newline="") as file:
        file.write(
            ",".join(["Timecode", "BlendShapeCount", *(s[0].upper() + s[1:] for s in SHAPES), *ANGLES])
        )
        file.write("\n")
        for number, row in enumerate(values):
            cells = ",".join(f"{v:.10f}" for v in row)
            file.write(f"{timecode(number / motion.fps)},{len(row)},{cells}\n")


def timecode(seconds: Fraction) -> str:
    """HH:MM:SS:FF.mmm at 60 frames a second."""
    thousandths = round(seconds * CLOCK * 1000)
    frames, part = divmod(thousandths, 1000)
    minutes, frame = divmod(frames, 60 * CLOCK)
    return f"{minutes // 60:02}:{minutes % 60:02}:{frame // CLOCK:02}:{frame % CLOCK:02}.{part:03}"


def read_csv(path: str | os.PathLike[str]) -> Motion:
    """A recording, or any .csv with ARKit columns, found by name in any order; missing ones are 0.

    Without a Timecode column frames are 60 a second. Dropped frames, and those where the face was lost, are
    filled in by time. Raises PortrayalError in one line for what cannot be read.
    """
    from portrayal.media.files import shown

    try:
        with Path(path).open(encoding="utf-8-sig", errors="strict", newline="") as file:
            return _motion(csv.reader(file))
    except (ValueError, csv.Error, OverflowError, MemoryError) as error:
        said = "not a text file" if isinstance(error, UnicodeDecodeError) else str(error)
        raise PortrayalError(f"{shown(path)}: no Live Link Face recording: {said}") from error


def _motion(rows: Iterable[list[str]]) -> Motion:
    lines = iter(rows)
    columns = _columns(next(lines, []))
    times: list[str] = []
    values: list[list[float]] = []
    for number, row in enumerate(lines, 2):
        cells = {name: row[i].strip() for name, i in columns.items() if i < len(row)}
        stamp = cells.pop("timecode", "")
        cells.pop("blendshapecount", None)
        if not any(cells.values()):
            continue  # the face was lost, or the line is empty
        times.append(stamp)
        values.append(_numbers(cells, number))
    if not values:
        raise ValueError("it has no frames")
    table = np.array(values)
    if "timecode" not in columns:
        return _built(Fraction(CLOCK), table, np.ones(len(table), bool))
    return _evenly(seconds_of(times), table)


def _key(name: str) -> str:
    """A column's name without what programs differ in: EyeBlinkLeft, eyeBlink_L, eye-blink-left."""
    plain = re.sub(r"[_.](l|r)$", lambda m: {"l": "left", "r": "right"}[m[1]], name.strip().lower())
    return re.sub(r"[^a-z]", "", plain)


_FIELDS = tuple(_key(name) for name in (*SHAPES, *ANGLES))


def _columns(header: list[str]) -> dict[str, int]:
    columns = {_key(name): index for index, name in reversed(list(enumerate(header)))}
    if not any(name in columns for name in _FIELDS):
        raise ValueError("its first line names none of the ARKit blend shapes (EyeBlinkLeft, ...)")
    wanted = {"timecode", "blendshapecount", *_FIELDS}
    return {name: index for name, index in columns.items() if name in wanted}


def _numbers(cells: dict[str, str], line: int) -> list[float]:
    try:
        values = [float(cells.get(name) or 0) for name in _FIELDS]
    except ValueError as error:
        raise ValueError(f"line {line}: {str(error).partition(': ')[2] or 'a value'} is no number") from error
    if not all(abs(value) < 1e6 for value in values):
        raise ValueError(f"line {line}: a value is out of range")
    return values


def seconds_of(stamps: list[str]) -> Double:
    """Seconds from the first timecode; ValueError where one cannot be read or time runs backwards."""
    parts = [_split(stamp) for stamp in stamps]
    clock = _clock(parts)
    times = np.array([whole + frames / clock for whole, frames in parts])
    steps = np.diff(times)
    steps[steps < -_DAY / 2] += _DAY  # midnight
    if (steps < 0).any():
        raise ValueError(f"its timecodes run backwards at {stamps[int(np.argmax(steps < 0)) + 1]}")
    return np.concatenate([[0.0], np.cumsum(steps)])


def _clock(parts: list[tuple[int, float]]) -> int:
    """How many frames the timecodes count in a second: where they wrap around, if they do."""
    highest = max(frames for _, frames in parts)
    steps = [b[1] - a[1] for a, b in pairwise(parts) if a[0] == b[0] and b[1] > a[1]]
    possible = [c for c in _CLOCKS if c > int(highest)]
    if not possible:
        raise ValueError(f"a timecode has frame {int(highest)}, more than {CLOCK} a second")
    if not steps or parts[0][0] == parts[-1][0]:
        return CLOCK
    return min(possible, key=lambda c: abs(highest + float(np.median(steps)) - c))


def _split(stamp: str) -> tuple[int, float]:
    """(whole seconds, frames) of HH:MM:SS:FF.mmm."""
    match = re.fullmatch(r"(\d{1,3}):(\d{1,2}):(\d{1,2})[:;](\d{1,3}(?:\.\d{1,9})?)", stamp)
    if match is None:
        raise ValueError(f"{stamp[:30]!r} is no timecode (HH:MM:SS:FF.mmm)")
    hours, minutes, seconds = (int(g) for g in match.groups()[:3])
    return hours * 3600 + minutes * 60 + seconds, float(match[4])


def _evenly(times: Double, table: Double) -> Motion:
    """A motion at a constant rate from rows at these times (seconds)."""
    keep = np.concatenate([[True], np.diff(times) > 0])
    times, table = times[keep], table[keep]
    if len(times) == 1:
        return _built(Fraction(CLOCK), table, np.ones(1, bool))
    rate = _rate(float(np.median(np.diff(times))))
    position = times * float(rate)
    count = round(position[-1]) + 1
    if count == len(table) and np.abs(position - np.arange(count)).max() < 0.4:
        return _built(rate, table, np.ones(count, bool))
    if count > 100 * len(table) + 1000:
        raise ValueError("its timecodes have a gap longer than all of the recording")
    grid = np.arange(count)
    filled = np.stack([np.interp(grid, position, column) for column in table.T], axis=1)
    right = np.clip(np.searchsorted(position, grid), 1, len(position) - 1)
    near = np.minimum(np.abs(position[right] - grid), np.abs(position[right - 1] - grid))
    return _built(rate, filled, near < 0.75)


def _rate(step: float) -> Fraction:
    near = min(_RATES, key=lambda rate: abs(float(rate) * step - 1))
    return near if abs(float(near) * step - 1) < 0.01 else Fraction(1 / step).limit_denominator(1001)


def _built(fps: Fraction, table: Double, tracked: NDArray[np.bool_]) -> Motion:
    coefficients, head, eyes = np.split(table, [len(SHAPES), len(SHAPES) + 3], axis=1)
    motion = Motion.from_coefficients(fps, coefficients.astype(np.float32), _from_live_link(head))
    return Motion(
        fps, motion.rotation, motion.translation, motion.scale, _with_gaze(motion.coefficients, eyes), tracked
    )


def _with_gaze(coefficients: Array, eyes: Double) -> Array:
    """Gaze from the eye angles where a program wrote them alone."""
    looks = [SHAPES.index(f"eyeLook{way}{side}") for side in ("Left", "Right") for way in _WAYS]
    if coefficients[:, looks].any() or not eyes.any():
        return coefficients
    filled = coefficients.copy()
    for side, sign, (yaw, pitch) in (("Left", -1, eyes.T[:2]), ("Right", 1, eyes.T[3:5])):
        out, into, up, down = (SHAPES.index(f"eyeLook{way}{side}") for way in _WAYS)
        for index, angle in ((out, sign * yaw), (into, -sign * yaw), (down, pitch), (up, -pitch)):
            filled[:, index] = np.clip(angle / EYE_ANGLE, 0, 1)
    return filled


_WAYS = ("Out", "In", "Up", "Down")


def _eye_angles(coefficients: Array) -> Double:
    """(T, 6) yaw, pitch, roll of the left and the right eye in radians."""
    angles = []
    for side, sign in (("Left", -1), ("Right", 1)):
        out, into, up, down = (coefficients[:, SHAPES.index(f"eyeLook{way}{side}")] for way in _WAYS)
        yaw, pitch = sign * EYE_ANGLE * (out - into), EYE_ANGLE * (down - up)
        angles += [yaw, pitch, yaw * pitch]
    return np.stack(angles, axis=1).astype(np.float64)


def _turns(x: Double, y: Double, z: Double, order: str) -> Double:
    """(T, 3, 3) rotations about x (own left), y (up), z (forward), the last letter of `order` first."""
    matrices = {}
    for axis, angle in (("x", x), ("y", y), ("z", z)):
        i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
        matrix = np.tile(np.eye(3), (len(angle), 1, 1))
        matrix[:, i, i] = matrix[:, j, j] = np.cos(angle)
        matrix[:, j, i] = np.sin(angle)
        matrix[:, i, j] = -matrix[:, j, i]
        matrices[axis] = matrix
    first, second, third = (matrices[axis] for axis in order)
    return first @ second @ third


def _from_live_link(head: Double) -> Array:
    """(T, 3) yaw, pitch, roll in their radians to pitch, yaw, roll in our degrees."""
    yaw, pitch, roll = head.T
    m = _turns(pitch, -yaw, -roll, "yxz")
    angles = (
        np.arctan2(m[:, 2, 1], m[:, 2, 2]),
        -np.arcsin(np.clip(m[:, 2, 0], -1, 1)),
        np.arctan2(m[:, 1, 0], m[:, 0, 0]),
    )
    return np.degrees(np.stack(angles, axis=1)).astype(np.float32)


def _to_live_link(rotation: Array) -> Double:
    """(T, 3) pitch, yaw, roll in our degrees to yaw, pitch, roll in their radians."""
    pitch, yaw, roll = np.radians(rotation.astype(np.float64)).T
    m = _turns(pitch, yaw, roll, "zyx")
    ours = (
        np.arctan2(m[:, 0, 2], m[:, 2, 2]),
        np.arcsin(np.clip(-m[:, 1, 2], -1, 1)),
        np.arctan2(m[:, 1, 0], m[:, 1, 1]),
    )
    return np.stack(ours, axis=1) * (-1, 1, -1)
