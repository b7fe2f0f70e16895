"""Trained networks as they are fast at work: equal but for rounding.

Every function gives a copy; the network it is given may be trained on.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TypeVar

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from portrayal.engines.tpsmm.networks.blocks import UpBlock
from portrayal.engines.tpsmm.networks.keypoints import BasicBlock, ResNet
from portrayal.neural.convolution import RowwiseConv2d, UpsampledConv
from portrayal.neural.transformed import transformed

Net = TypeVar("Net", bound=nn.Module)

#: Outputs of a large kernel up to which it is split into its rows.
FEW = 12


class UpsampledBlock(nn.Module):
    """An :class:`.blocks.UpBlock` that convolves before it repeats."""

    def __init__(self, block: UpBlock) -> None:
        super().__init__()
        self.conv = UpsampledConv.of(block.conv)
        self.norm = block.norm
        self.activation: Callable[[Tensor], Tensor] = block.activation

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.norm(self.conv(x)))


def for_processor(network: Net, winograd: bool = False) -> Net:
    """Fewer products, for CPUs in float32. winograd: also in the 3x3 convolutions (many channels, large
    maps); what follows from their results, such as key points, would feel the rounding.
    """
    network = _replaced(copy.deepcopy(network))
    if winograd:
        transformed(network)
    return network


def without_batch_norms(network: Net) -> Net:
    """Every batch norm of the residual networks is part of the convolution before it."""
    network = copy.deepcopy(network)
    for part in network.modules():
        if isinstance(part, ResNet):
            _fuse(part, "conv1", "bn1")
        elif isinstance(part, BasicBlock):
            _fuse(part, "conv1", "bn1")
            _fuse(part, "conv2", "bn2")
            if part.downsample is not None:
                _fuse(part.downsample, "0", "1")
    return network


def _fuse(part: nn.Module, conv: str, norm: str) -> None:
    first, second = getattr(part, conv), getattr(part, norm)
    setattr(part, conv, fuse_conv_bn_eval(first, second))
    setattr(part, norm, nn.Identity())


def _replaced(network: Net) -> Net:
    for name, child in network.named_children():
        if isinstance(child, UpBlock):
            setattr(network, name, UpsampledBlock(child))
        elif isinstance(child, nn.Conv2d) and min(child.kernel_size) > 3 and child.out_channels <= FEW:
            setattr(network, name, RowwiseConv2d(child))
        else:
            _replaced(child)
    return network
