"""What a training is made of, and its checkpoints: written whole or not at all, resumed to the bit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from portrayal.damaged import said
from portrayal.engines.tpsmm import networks
from portrayal.engines.tpsmm.training.config import BETAS, DECAY, RATE
from portrayal.errors import PortrayalError
from portrayal.media.atomic import new_file
from portrayal.media.files import shown
from portrayal.tensor_files import read_tensors

#: Parts of a checkpoint as the published trainer names them.
PARTS = ("kp_detector", "dense_motion_network", "inpainting_network", "bg_predictor", "avd_network")
VERSION = 1


@dataclass
class State:
    """networks: by their name in checkpoints. main: optimiser of what makes the picture, background: of the
    background predictor, None without one. epoch, step: done; step counts batches within the epoch.
    """

    networks: dict[str, nn.Module]
    main: torch.optim.Optimizer
    background: torch.optim.Optimizer | None
    epoch: int = 0
    step: int = 0

    @classmethod
    def fresh(cls, expansion: int, background: bool, seed: int) -> State:
        """Untrained networks. expansion: channels of the first layer, 64 as published; others follow it."""
        torch.manual_seed(seed)
        widths = [expansion, 2 * expansion, 4 * expansion, 8 * expansion]
        made: dict[str, nn.Module] = {
            "kp_detector": networks.KeypointDetector(widths=widths),
            "dense_motion_network": networks.DenseMotionNetwork(expansion=expansion, most=16 * expansion),
            "inpainting_network": networks.InpaintingNetwork(expansion, 8 * expansion),
        }
        if background:
            made["bg_predictor"] = networks.BackgroundPredictor(widths)
        return cls.of(made)

    @classmethod
    def of(cls, made: dict[str, nn.Module]) -> State:
        """With new optimisers."""
        trained = [p for name, net in made.items() if name in PARTS[:3] for p in net.parameters()]
        behind = made.get("bg_predictor")
        return cls(
            made,
            torch.optim.Adam(trained, RATE, BETAS, weight_decay=DECAY),
            None
            if behind is None
            else torch.optim.Adam(behind.parameters(), RATE, BETAS, weight_decay=DECAY),
        )

    def save(self, path: Path) -> None:
        """Write a checkpoint that :meth:`restore` resumes and the engine loads."""
        content: dict[str, Any] = {name: net.state_dict() for name, net in self.networks.items()}
        content |= {"optimizer": self.main.state_dict(), "epoch": self.epoch, "step": self.step}
        content["portrayal"] = VERSION
        if self.background is not None:
            content["optimizer_bg_predictor"] = self.background.state_dict()
        with new_file(path, overwrite=True) as temporary:
            torch.save(content, temporary)

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint of :meth:`save`; PortrayalError where it is none, or of other networks."""
        content: dict[str, Any] = read_tensors(path)
        if content.get("portrayal") != VERSION:
            raise PortrayalError(f"{shown(path)}: is no training of portrayal's that could go on")
        try:
            for name, net in self.networks.items():
                net.load_state_dict(content[name])
            self.main.load_state_dict(content["optimizer"])
            if self.background is not None:
                self.background.load_state_dict(content["optimizer_bg_predictor"])
            self.epoch, self.step = int(content["epoch"]), int(content["step"])
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            raise PortrayalError(
                f"{shown(path)}: is of other networks than this training: {said(error, 160)}"
            ) from error
