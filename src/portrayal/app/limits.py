"""How much strangers may take."""

from __future__ import annotations

import os
from dataclasses import dataclass, field


def _most_of_memory() -> int:
    """Three quarters of what this machine has, in bytes."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4 * 3


@dataclass(frozen=True)
class Limits:
    """How much the jobs of strangers may take.

    upload: bytes of a file. pixels: of a picture or a frame, read from the header. side: longest that may be
    asked for. length: seconds of a driving or a video. frames: of a result. per_owner: jobs of one owner that
    wait or run; kept: jobs of one owner in all; in_all: jobs of everybody that wait or run. running: jobs at
    a time. seconds: of wall clock for one job. memory: bytes of a job's process; neural_memory: of one whose
    engine has networks, three quarters of the machine's unless given. disk: bytes of a file that a job
    writes. spare: bytes of the disk that uploads leave free. keep: seconds until jobs and uploads go.
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
    seconds: float = 6 * 3600.0
    memory: int = 8 << 30
    neural_memory: int = field(default_factory=_most_of_memory)
    disk: int = 4_000_000_000
    spare: int = 1_000_000_000
    keep: float = 24 * 3600.0

    def memory_of(self, engine: str) -> int:
        """Bytes that a job with this engine may take."""
        return self.neural_memory if has_networks(engine) else self.memory


def has_networks(engine: str) -> bool:
    """Whether an engine computes with torch, which may reserve far more address space than it takes."""
    from portrayal.engines import engine_info

    return "torch" in engine_info(engine).modules
