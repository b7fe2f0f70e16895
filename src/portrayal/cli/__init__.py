"""The command line: `portrayal animate | edit | live | track | evaluate | engines | demo`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from portrayal.cli.outcome import exit_status, stoppable


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (`sys.argv` unless given) and return its exit status.

    0 done; 1 an error, in one line on stderr; 2 wrong usage; 128 + n when stopped by signal n (Ctrl-C: 130).
    """
    # Matrices are small here: more threads would only wait for each other, for a third of all processor time.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from portrayal.cli.commands import options_of, run

    given = list(sys.argv[1:] if arguments is None else arguments)
    if sys.stderr.isatty() and "--quiet" not in options_of(given):
        _speak()
    with stoppable():
        return exit_status(lambda: run(given), debug="--debug" in options_of(given))


def _speak() -> None:
    """What engines have to say before long work is shown on stderr."""
    import logging

    talk = logging.getLogger("portrayal")
    talk.setLevel(logging.INFO)
    talk.addHandler(logging.StreamHandler())
