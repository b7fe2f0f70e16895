"""Portraits kept open for previews and live sessions: what is made of a portrait once is made once."""

from __future__ import annotations

import secrets
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.app.limits import Limits
from portrayal.app.page.strip import Key
from portrayal.app.small import shrink
from portrayal.driving import Driving
from portrayal.engines import load_engine
from portrayal.errors import PortrayalError
from portrayal.motion import Motion
from portrayal.portrait import Portrait

Rgb = NDArray[np.uint8]
#: Longest side of a preview in pixels, and portraits kept open at a time.
SIDE, _KEPT = 512, 6
_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 88)


class Sitting:
    """One portrait, small, with a puppet that draws it."""

    def __init__(self, owner: str, portrait: Portrait) -> None:
        self.owner, self.portrait = owner, portrait
        self._puppet = load_engine("puppet")
        self._lock = threading.Lock()
        #: Finished recordings by name.
        self.recordings: dict[str, Path] = {}

    def changed(self, values: Mapping[str, float]) -> Rgb:
        """The portrait (H, W, 3) with these sliders."""
        return next(iter(self.acted(Motion.from_sliders(dict(values)))))

    def acted(self, motion: Motion) -> list[Rgb]:
        """The portrait acting out a motion."""
        with self._lock:
            return list(self._puppet.animate(self.portrait, Driving.from_motion(motion)))


class Studio:
    """The sittings of everybody; those least recently used are forgotten."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._sittings: OrderedDict[str, Sitting] = OrderedDict()
        self._known: dict[tuple[str, str], str] = {}

    def open(self, owner: str, path: str) -> str:
        """Open a picture; a token for its sitting. PortrayalError: it cannot be read or shows no face."""
        with self._lock:
            token = self._known.get((owner, path))
            if token in self._sittings:
                return str(token)
        with tempfile.TemporaryDirectory() as folder:
            small = Path(folder) / "portrait.png"
            shrink(Path(path), small, SIDE, self._limits.pixels)
            portrait = _opened(small)
        sitting, token = Sitting(owner, portrait), secrets.token_urlsafe(16)
        sitting.changed({})  # what takes a second is done before anybody waits for it
        with self._lock:
            self._sittings[token], self._known[owner, path] = sitting, token
            while len(self._sittings) > _KEPT:
                gone, _ = self._sittings.popitem(last=False)
                self._known = {key: kept for key, kept in self._known.items() if kept != gone}
        return token

    def sitting(self, owner: str, token: str) -> Sitting:
        """An open sitting; PortrayalError where it is somebody else's, or was forgotten."""
        with self._lock:
            found = self._sittings.get(token)
            if found is None or found.owner != owner:
                raise PortrayalError("the portrait was put away meanwhile; choose it again")
            self._sittings.move_to_end(token)
            return found


def jpeg(rgb: Rgb) -> bytes:
    """A picture (H, W, 3) as a JPEG."""
    return bytes(cv2.imencode(".jpg", rgb[:, :, ::-1], _JPEG)[1])


def motion_of(keys: Sequence[Key], fps: int = 25) -> Motion:
    """A motion from key frames: {"at": seconds, "values": {slider: value}}."""
    return Motion.from_script(script_of(keys, fps))


def script_of(keys: Sequence[Key], fps: int = 25) -> dict[str, Any]:
    """The script that key frames make; a slider that a key does not name is at rest in it.

    PortrayalError where there are no keys.
    """
    from portrayal.sliders import rest_of

    if not keys:
        raise PortrayalError("there are no key frames yet: set the sliders and press Add key frame")
    names = sorted({name for key in keys for name in key["values"]})
    ordered = sorted(keys, key=lambda key: float(key["at"]))
    return {
        "fps": fps,
        "duration": round(float(ordered[-1]["at"]) + float(Fraction(1, fps)), 3),
        "keys": [
            {"at": key["at"]} | {name: key["values"].get(name, rest_of(name)) for name in names}
            for key in ordered
        ],
    }


def _opened(path: Path) -> Portrait:
    try:
        return Portrait.open(path)
    except PortrayalError as error:
        raise PortrayalError(str(error).replace(str(path), "the picture")) from error
