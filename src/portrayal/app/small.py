"""`python -m portrayal.app.small SOURCE TARGET SIDE PIXELS`: a stranger's picture as a PNG of ours.

A process of its own decodes what was uploaded, with bounded time and memory: what it dies of, the server
does not. Prints {} or {"error": line} as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from portrayal.errors import PortrayalError

#: Bytes of memory, seconds of processor and of wall clock, bytes of the PNG.
_MEMORY, _CPU, _SECONDS, _WRITTEN = 4 << 30, 30, 45, 64 << 20


def shrink(source: Path, target: Path, side: int, pixels: int) -> None:
    """Write `source` to `target`, its longest side `side` pixels at most.

    pixels: the most that `source` may have. PortrayalError where it cannot be read.
    """
    command = [sys.executable, "-m", __name__, str(source), str(target), str(side), str(pixels)]
    try:
        ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise PortrayalError("the picture takes too long to read; try another one") from error
    try:
        said = json.loads(ran.stdout)
    except ValueError as error:
        raise PortrayalError("the picture cannot be read; reading it crashed the reader") from error
    if "error" in said:
        raise PortrayalError(str(said["error"]).replace(str(source), "the picture"))


def _main(source: str, target: str, side: str, pixels: str) -> None:
    from portrayal.app.bounds import bound

    bound(memory=_MEMORY, cpu=_CPU, file_size=_WRITTEN)
    try:
        _write(Path(source), Path(target), int(side), int(pixels))
        said = {}
    except PortrayalError as error:
        said = {"error": str(error)}
    except MemoryError:
        said = {"error": "the picture takes too much memory to read"}
    except Exception:  # whatever a file can bring about: the line for the user is the same
        said = {"error": "the picture is damaged and cannot be read"}
    sys.stdout.write(json.dumps(said))


def _write(source: Path, target: Path, side: int, pixels: int) -> None:
    import cv2
    import numpy as np

    from portrayal.media.image import read_image, write_image

    rgb = read_image(source, max_pixels=pixels).rgb
    scale = min(1.0, side / max(rgb.shape[:2]))
    small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else rgb
    write_image(target, np.asarray(small, np.uint8), overwrite=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])
