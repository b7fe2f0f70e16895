"""Files of tensors: .safetensors, and PyTorch's .pt and .pth read without running what a pickle asks for."""

from __future__ import annotations

import pickle
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portrayal.damaged import said
from portrayal.errors import PortrayalError
from portrayal.media.files import check_source, shown

if TYPE_CHECKING:
    from torch import Tensor

#: What is often found in place of weights, by its first bytes.
_MISTAKEN = {
    b"version https://git-lfs": "is a Git LFS pointer, not the file itself (git lfs pull fetches it)",
    b"<!": "is a web page, not weights",
    b"<html": "is a web page, not weights",
}


def read_tensors(path: str | Path) -> dict[str, Tensor | dict[str, Any]]:
    """The tensors by name, on the CPU (a .pth may nest tables of them).

    PortrayalError: missing, empty, truncated, no such file, or a pickle that wants to run code.
    """
    path = check_source(path)
    with path.open("rb") as file:
        head = file.read(64)
    for start, what in _MISTAKEN.items():
        if head.lstrip().lower().startswith(start.lower()):
            raise PortrayalError(f"{shown(path)}: {what}")
    if head.startswith(b"PK") or head.startswith(b"\x80"):
        return _pytorch(path)
    if head[8:9] == b"{":
        return _safetensors(path)
    raise PortrayalError(f"{shown(path)}: is neither a .safetensors nor a .pth file")


def _safetensors(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, ValueError, OSError) as error:
        raise PortrayalError(f"{shown(path)}: is damaged or cut short ({said(error)})") from error


def _pytorch(path: Path) -> dict[str, Any]:
    import torch

    # The format of PyTorch since 1.6 is a ZIP, whose directory stands at its end: cut short, it has none.
    with path.open("rb") as file:
        if file.read(2) == b"PK" and not zipfile.is_zipfile(path):
            raise PortrayalError(f"{shown(path)}: is cut short; fetch it again")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        wanted = re.search(r"GLOBAL (\S+)", str(error))
        what = f"asks to run {wanted[1]}" if wanted else "is a pickle of more than tensors"
        raise PortrayalError(f"{shown(path)}: {what}, which weights do not; it was not read") from error
    except (RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        raise PortrayalError(f"{shown(path)}: is damaged or cut short ({said(error)})") from error
    if not isinstance(content, dict):
        raise PortrayalError(f"{shown(path)}: holds a {type(content).__name__}, not a table of tensors")
    return content
