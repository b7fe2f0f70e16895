"""How much strangers may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """How much the jobs of strangers may take.

    upload: bytes of a file. pixels: of a picture or a frame, read from the header. side: longest that may be
    asked for. length: seconds of a driving or a video. frames: of a result. per_owner: jobs of one owner that
    wait or run; kept: jobs of one owner in all; in_all: jobs of everybody that wait or run. running: jobs at
    a time. seconds: of wall clock for one job. memory: bytes of a job's process. disk: bytes of a file that a
    job writes. spare: bytes of the disk that uploads leave free. keep: seconds until jobs and uploads are
    removed.
    """

    upload: int = 500_000_000
    pixels: int = 25_000_000
    side: int = 4096
    length: float = 300.0
    frames: int = 20_000
    per_owner: int = 8
    kept: int = 100
    in_all: int = 64
    running: int = 1
    seconds: float = 3600.0
    memory: int = 8 << 30
    disk: int = 4_000_000_000
    spare: int = 1_000_000_000
    keep: float = 24 * 3600.0
