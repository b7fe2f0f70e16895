"""Files of others that cannot be read: what readers raise then, and how it is said in one line."""

from __future__ import annotations

import zipfile
import zlib

#: What NumPy, zip and pickle readers raise where a file is damaged or made up.
DAMAGED = (
    OSError, ValueError, KeyError, EOFError, TypeError, OverflowError, RuntimeError, SyntaxError, MemoryError,
    NotImplementedError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def said(error: BaseException, most: int = 120) -> str:
    """An error's text in one line of at most so many characters; where it has none, its name."""
    return " ".join(str(error).split())[:most] or type(error).__name__
