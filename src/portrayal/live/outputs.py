"""Where live pictures go: a window, a virtual camera."""

from __future__ import annotations

import os
import sys
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.errors import PortrayalError

Rgb = NDArray[np.uint8]
_TITLE = "Portrayal - c calibrate, space freeze, r record, q quit"
_INK, _SHADE = (255, 255, 255), (20, 20, 20)


class Output(Protocol):
    """Takes pictures (H, W, 3) uint8 as they come."""

    def show(self, rgb: Rgb) -> None: ...

    def close(self) -> None: ...


class Window:
    """A window of the desktop. PortrayalError where there is none, or OpenCV came without windows."""

    def __init__(self) -> None:
        if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            raise PortrayalError(f"there is no screen here for a window; {_ELSE}")
        try:
            cv2.namedWindow(_TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        except cv2.error as error:
            raise PortrayalError(f"this OpenCV came without windows; {_ELSE}") from error
        self._sized = False

    def show(self, rgb: Rgb, said: str = "") -> None:
        """Show a picture, and a line of text below it."""
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        if not self._sized:
            cv2.resizeWindow(_TITLE, bgr.shape[1], bgr.shape[0])
            self._sized = True
        at, size = (8, bgr.shape[0] - 10), max(bgr.shape[0] / 900, 0.4)
        for colour, thickness in ((_SHADE, 3), (_INK, 1)):
            cv2.putText(bgr, said, at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, thickness, cv2.LINE_AA)
        cv2.imshow(_TITLE, bgr)

    def key(self) -> str:
        """The key that was pressed in the last few milliseconds, "" if none, "q" where it was closed."""
        code = cv2.waitKey(5)
        if cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) < 1:
            return "q"
        return {27: "q", 32: " "}.get(code, chr(code) if 0 < code < 128 else "")

    def close(self) -> None:
        cv2.destroyAllWindows()


_ELSE = "use --no-window with --record FILE or --virtual-camera, or the page of portrayal app"


class VirtualCamera:
    """A camera that other programs see, by pyvirtualcam, which a user installs. size: (width, height)."""

    def __init__(self, size: tuple[int, int], fps: int) -> None:
        try:
            import pyvirtualcam
        except ModuleNotFoundError as error:
            raise PortrayalError(
                "--virtual-camera needs pyvirtualcam (GPL-2.0, no part of Portrayal): "
                "pip install pyvirtualcam"
            ) from error
        try:
            self._camera: Any = pyvirtualcam.Camera(*size, fps)
        except RuntimeError as error:
            said = " ".join(str(error).split())
            raise PortrayalError(
                f"--virtual-camera: {said} (on Linux it takes the module v4l2loopback: modprobe v4l2loopback)"
            ) from error

    def show(self, rgb: Rgb) -> None:
        self._camera.send(rgb)

    def close(self) -> None:
        self._camera.close()
