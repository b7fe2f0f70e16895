"""The noise schedules that Wan-Animate was published with, on diffusers' solvers."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch

Solver = Literal["unipc", "dpm++"]
#: Steps of training, by which a level of noise is named.
TIMES = 1000


def scheduler(solver: Solver, steps: int, shift: float, device: torch.device) -> Any:
    """A diffusers scheduler, ready for one segment.

    Of second order, ending at no noise at all. The levels are the official ones, which differ from diffusers'
    own: linspace(0.999, 0) for UniPC (Zhao et al. 2023) and linspace(1, 0) for DPM-Solver++ (Lu et al. 2022),
    the last left out, then bent by shift: s x / (1 + (s - 1) x).
    """
    from diffusers import DPMSolverMultistepScheduler, UniPCMultistepScheduler

    common: dict[str, Any] = {
        "prediction_type": "flow_prediction",
        "use_flow_sigmas": True,
        "flow_shift": shift,
        "num_train_timesteps": TIMES,
    }
    if solver == "unipc":
        made: Any = UniPCMultistepScheduler(**common)
        made.set_timesteps(sigmas=np.linspace(0.999, 0, steps + 1)[:-1], device=device)
        return made
    made = DPMSolverMultistepScheduler(**common)
    made.set_timesteps(steps, device=device)
    level = np.linspace(1, 0, steps + 1)
    level = shift * level / (1 + (shift - 1) * level)
    made.sigmas = torch.from_numpy(level.astype(np.float32))
    made.timesteps = torch.from_numpy((TIMES * level[:-1]).astype(np.int64)).to(device)
    return made
