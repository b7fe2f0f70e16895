"""Two processes and one transformer: the same result as one process gives."""

from __future__ import annotations

import pytest
import torch

import wan_networks
from portrayal.engines.wananimate.networks import prepared
from portrayal.engines.wananimate.parallel import Team
from portrayal.errors import PortrayalError


def build(device: str) -> torch.nn.Module:
    """Made anew in each process, of the same seed."""
    torch.set_num_threads(1)
    torch.accelerator.device_count = lambda: 1  # diffusers asks which GPU is this process's, even of none
    network: torch.nn.Module = prepared(wan_networks.transformer()).to(device)
    return network


def inputs_of(frames: int, height: int, width: int) -> dict[str, torch.Tensor]:
    """With motions in the place of faces, as the engine gives them."""
    motions = {"face_pixel_values": torch.randn(1, 32, 4 * frames - 3, 1, 1)}
    return wan_networks.inputs(frames, height, width) | motions


def test_two_processes_equal_one() -> None:
    alone = build("cpu")
    # 3 frames of 4 tokens; of 6, where the shares end within a frame; of 9, where they are not even equal.
    shapes = [(2, 4, 4), (2, 4, 6), (2, 6, 6)]
    with torch.no_grad(), Team(build, ["cpu", "cpu"]) as team:
        for frames, height, width in shapes:
            inputs = inputs_of(frames, height, width)
            wanted = alone(**inputs, return_dict=False)[0]
            got = team(**inputs, return_dict=False)[0]
            assert got.shape == wanted.shape and torch.allclose(got, wanted, atol=1e-4)
        inputs = inputs_of(2, 4, 4)
        with torch.autocast("cpu", torch.bfloat16):
            wanted = alone(**inputs, return_dict=False)[0]
            got = team(**inputs, return_dict=False)[0]
        assert (wanted - alone(**inputs, return_dict=False)[0]).abs().max() > 0  # autocast did something
        assert (got - wanted).std() < 0.02 * wanted.std()
        assert team.config.num_layers == 10
        [worker] = team._workers
        worker.kill()
        worker.join()
        with pytest.raises(PortrayalError, match="ended with status -9"):
            team(**inputs, return_dict=False)
