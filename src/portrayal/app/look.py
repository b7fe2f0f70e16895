"""`python -m portrayal.app.look FILE`: what a file is, as JSON; a process of its own, which may die of it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from portrayal.app.bounds import bound
from portrayal.app.uploads import LOOK_CPU, LOOK_MEMORY, Look
from portrayal.errors import PortrayalError


def main(path: str) -> None:
    """Print a :class:`Look` or {"error": line}."""
    bound(memory=LOOK_MEMORY, cpu=LOOK_CPU, file_size=0)
    try:
        said = asdict(_seen(Path(path)))
    except PortrayalError as error:
        said = {"error": str(error)}
    except MemoryError:
        said = {"error": f"{path}: takes too much memory to read"}
    except Exception:  # whatever a file can bring about: the line for the user is the same
        said = {"error": f"{path}: is damaged and cannot be read"}
    sys.stdout.write(json.dumps(said))


def _seen(path: Path) -> Look:
    from portrayal.driving import Driving, kind_of

    kind = kind_of(path)
    if kind == "image":
        from portrayal.media.image import open_header

        with path.open("rb") as file:
            header = open_header(file)
            width, height = header.size if header is not None else (0, 0)
        return Look(kind, width, height)
    if kind == "video":
        from portrayal.media.video import VideoReader

        info = VideoReader(path).info
        return Look(kind, info.width, info.height, float(info.duration), info.frame_count)
    if kind == "audio":
        from portrayal.media.audio import AudioTrack

        return Look(kind, seconds=float(AudioTrack(path).duration))
    driving = Driving.open(path)
    count = driving.count or 0
    return Look(kind, seconds=float(count / driving.fps), frames=count)


if __name__ == "__main__":
    main(sys.argv[1])
