"""Motion in files: .npz for everything, Live Link Face .csv for exchange with other programs."""

from __future__ import annotations

import os
import zipfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from portrayal import body
from portrayal.damaged import DAMAGED, said
from portrayal.errors import PortrayalError, UsageError
from portrayal.motion import SHAPES, Motion

#: Version of the .npz layout; a reader refuses a newer one.
VERSION = 1
#: Largest uncompressed .npz read: an hour at 60 frames a second with dense landmarks is 1.3 GB.
LIMIT = 4 << 30
_POINTS = 478


def load(path: str | os.PathLike[str]) -> Motion:
    """See :meth:`Motion.load`."""
    from portrayal.live_link import read_csv
    from portrayal.media.files import check_source

    source = check_source(path)
    with source.open("rb") as file:
        is_zip = file.read(4) == b"PK\x03\x04"
    return _load_npz(source) if is_zip or source.suffix.lower() == ".npz" else read_csv(source)


def save(motion: Motion, path: str | os.PathLike[str], overwrite: bool = False) -> None:
    """See :meth:`Motion.save`."""
    from portrayal.live_link import write_csv
    from portrayal.media.atomic import new_file
    from portrayal.media.files import shown

    suffix = Path(path).suffix.lower()
    if suffix not in (".npz", ".csv"):
        raise UsageError(f"{shown(path)}: motion is written as .npz or .csv")
    with new_file(path, overwrite) as temporary:
        if suffix == ".csv":
            write_csv(motion, temporary)
        else:
            with temporary.open("wb") as file:
                np.savez_compressed(file, **_arrays(motion))


def _arrays(motion: Motion) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {
        "portrayal_motion": np.array(VERSION),
        "fps": np.array([motion.fps.numerator, motion.fps.denominator], np.int64),
        "names": np.array(SHAPES),
        "rotation": motion.rotation,
        "translation": motion.translation,
        "scale": motion.scale,
        "coefficients": motion.coefficients,
        "tracked": motion.tracked,
    }
    if motion.shapes is not None:
        arrays["shapes"] = motion.shapes
    if motion.bodies is not None:
        arrays["bodies"] = motion.bodies
    if motion.sliders:
        arrays["sliders"] = np.array(list(motion.sliders))
        arrays["slider_values"] = np.stack(list(motion.sliders.values()), 1)
    return arrays


def _load_npz(path: Path) -> Motion:
    from portrayal.media.files import shown

    name = shown(path)
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > LIMIT:
            raise PortrayalError(
                f"{name}: holds {size >> 20} MB, more than a motion may have ({LIMIT >> 20} MB)"
            )
        with np.load(path, allow_pickle=False) as file:
            if "portrayal_motion" not in file:
                raise PortrayalError(f"{name}: is an .npz file, but no motion written by portrayal")
            version = int(file["portrayal_motion"])
            if version > VERSION:
                raise PortrayalError(
                    f"{name}: was written by a newer portrayal (version {version}, this one reads {VERSION})"
                )
            return _checked(file)
    except DAMAGED as error:
        raise PortrayalError(
            f"{name}: is no motion file that can be read, or is damaged ({said(error)})"
        ) from error


def _checked(file: Any) -> Motion:
    """The motion in an open .npz; ValueError where an array is missing or not what it should be."""
    numerator, denominator = (int(n) for n in file["fps"])
    if not 0 < denominator < 2**31 or not 0 < numerator < 2**31:
        raise ValueError("a frame rate that is none")
    names = [str(name) for name in file["names"]]
    coefficients = _array(file, "coefficients", (-1, len(names)))
    count = len(coefficients)
    if count == 0:
        raise ValueError("no frames")
    own = np.zeros((count, len(SHAPES)), np.float32)
    for column, name in enumerate(names):
        if name in SHAPES:
            own[:, SHAPES.index(name)] = coefficients[:, column]
    return Motion(
        Fraction(numerator, denominator),
        _array(file, "rotation", (count, 3)),
        _array(file, "translation", (count, 2)),
        _array(file, "scale", (count,)),
        own,
        _array(file, "tracked", (count,)).astype(bool),
        _array(file, "shapes", (count, _POINTS, 3)) if "shapes" in file else None,
        _sliders(file, count),
        _array(file, "bodies", (count, body.POINTS, 3)) if "bodies" in file else None,
    )


def _sliders(file: Any, count: int) -> dict[str, NDArray[np.float32]]:
    if "sliders" not in file:
        return {}
    names = [str(name) for name in file["sliders"]]
    values = _array(file, "slider_values", (count, len(names)))
    return {name: values[:, column] for column, name in enumerate(names)}


def _array(file: Any, key: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    array = file[key]
    fits = array.ndim == len(shape) and all(w in (-1, n) for n, w in zip(array.shape, shape, strict=True))
    if not fits or array.dtype.kind not in "fiub":
        raise ValueError(f"{key} is {array.dtype} {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{key} has values that are no numbers")
    return np.asarray(array, np.float32)
