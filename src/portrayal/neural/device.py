"""Where networks are run."""

from __future__ import annotations

import torch

from portrayal.errors import UsageError


def device_of(name: str) -> torch.device:
    """The device of that name, the first GPU or the processor for "auto"; UsageError where it is not
    there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UsageError(f"--device: {name!r} is not there; use auto, cpu, cuda or cuda:1") from error
    return device
