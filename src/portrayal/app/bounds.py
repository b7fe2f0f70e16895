"""Processes for what strangers send: how they are begun, and what they may take."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

import portrayal


def module_command(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of this package with this Python."""
    return [sys.executable, "-m", module, *arguments]


def environment() -> dict[str, str]:
    """The environment of such a process: it finds this package, whichever folder it runs in.

    Where there are many processors the C library reserves address space for each thread, which counts.
    """
    source = str(Path(portrayal.__file__).resolve().parents[1])
    paths = [source, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {"MALLOC_ARENA_MAX": "4"} | os.environ | {"PYTHONPATH": os.pathsep.join(paths)}


def bound(memory: int | None, cpu: int, file_size: int) -> None:
    """Bound address space (bytes, None: not), processor time (seconds) and the files written (bytes).

    What goes beyond ends in MemoryError, the signal SIGXCPU, or OSError. No core file is left.
    """
    if memory is not None:
        _lower(resource.RLIMIT_AS, memory)
    _lower(resource.RLIMIT_CPU, cpu)
    _lower(resource.RLIMIT_FSIZE, file_size)
    _lower(resource.RLIMIT_CORE, 0)


def _lower(kind: int, value: int) -> None:
    """Set a limit, unless it is lower already."""
    soft, hard = resource.getrlimit(kind)
    lowest = min([value, *(each for each in (soft, hard) if each != resource.RLIM_INFINITY)])
    resource.setrlimit(kind, (lowest, lowest))
