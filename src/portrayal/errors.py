"""Errors that a user can act on: one clear line, no traceback."""

from __future__ import annotations


class PortrayalError(Exception):
    """Something about the input, the target or the installation is wrong; the message is one line.

    The command line prints the message and exits with :attr:`status`.
    """

    status = 1


class UsageError(PortrayalError):
    """The request itself makes no sense (an option out of range, two that exclude each other)."""

    status = 2
