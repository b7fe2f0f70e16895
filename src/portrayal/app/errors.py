"""What goes wrong between people and the server, beside what is wrong with their files."""

from __future__ import annotations

from portrayal.errors import PortrayalError, UsageError


class NotHere(PortrayalError):
    """There is no such job, upload or result, or it is somebody else's."""


class NoRoom(UsageError):
    """A limit on the number of jobs or files, or on disk space, is reached."""
