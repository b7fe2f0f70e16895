"""How a run ends: an exit status, and one line on stderr where something is wrong."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from types import FrameType

from portrayal.errors import PortrayalError

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
#: Libraries of the system that wheels leave to the system, and the Debian packages that have them.
_PACKAGES = {
    "libGL": "libgl1",
    "libgthread": "libglib2.0-0",
    "libglib": "libglib2.0-0",
    "libEGL": "libegl1",
    "libportaudio": "libportaudio2",
}


class Stopped(BaseException):
    """A signal asked to stop; raised where the program is, so that everything on the way cleans up."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.status = 128 + number


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Signals that ask to stop raise :class:`Stopped`; those that the caller ignores stay ignored.

    After one of them all are ignored, to the end of the process: nothing interrupts the cleaning up.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {n: signal.getsignal(n) for n in _SIGNALS if signal.getsignal(n) is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, _stop)
    yield
    for number, handler in before.items():
        if signal.getsignal(number) is _stop:
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> None:
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise Stopped(number)


def exit_status(run: Callable[[], object], *, debug: bool) -> int:
    """Run, and say in one line on stderr what went wrong; debug: with the traceback above it."""
    try:
        done = run()
        sys.stdout.flush()
        return done if isinstance(done, int) else 0
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
    except BrokenPipeError:  # whoever read the output has gone; there is nobody to tell
        close_output()
        return 0
    except BaseException as error:
        if debug:
            traceback.print_exc()
        message, status = _verdict(error)
        with contextlib.suppress(OSError):
            sys.stderr.write(f"error: {' '.join(message.splitlines())}\n")
        return status


def _verdict(error: BaseException) -> tuple[str, int]:
    """The line to show and the exit status."""
    if isinstance(error, PortrayalError):
        return str(error), error.status
    if isinstance(error, Stopped):
        return str(error), error.status
    if isinstance(error, KeyboardInterrupt) or type(error).__name__ == "Abort":
        return str(Stopped(signal.SIGINT)), 130
    if hasattr(error, "format_message"):  # what typer says of the arguments, whichever typer it is
        return f"{error.format_message()} (see --help)", int(getattr(error, "exit_code", 2))
    if isinstance(error, ImportError) and "cannot open shared object file" in str(error):
        return _missing_library(str(error).split(":")[0]), 1
    if isinstance(error, MemoryError):
        return "out of memory; a smaller --size needs less", 1
    if isinstance(error, OSError) and error.filename is not None:
        from portrayal.media.files import reason, shown

        return f"{shown(os.fsdecode(error.filename))}: {reason(error)}", 1
    return f"unexpected {type(error).__name__}: {error} (--debug shows where)", 1


def _missing_library(library: str) -> str:
    package = next((p for name, p in _PACKAGES.items() if library.startswith(name)), None)
    hint = f" (Debian, Ubuntu: apt-get install {package})" if package else ""
    return f"this system lacks {library}: install it{hint}"


def close_output() -> None:
    """Nothing more can be written; without this Python complains at its very end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
