"""Features of VGG-19 (Simonyan & Zisserman 2015), which predictions are compared by."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from portrayal.errors import PortrayalError
from portrayal.media.files import shown
from portrayal.tensor_files import read_tensors

#: Convolutions up to relu5_1: number in torchvision's `features`, channels; a pool before those of _POOLED.
_CONVS = {
    0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128), 10: (128, 256), 12: (256, 256), 14: (256, 256),
    16: (256, 256), 19: (256, 512), 21: (512, 512), 23: (512, 512), 25: (512, 512), 28: (512, 512),
}  # fmt: skip
_POOLED = (5, 10, 19, 28)
#: Convolutions whose rectified outputs are compared: relu1_1 to relu5_1.
_TAPS = (0, 5, 10, 19, 28)
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Vgg19(nn.Module):
    """(B, 3, H, W) RGB in [0, 1] -> five maps, relu1_1 to relu5_1. Its weights are not trained."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.ModuleDict(
            {str(i): nn.Conv2d(inputs, outputs, 3, padding=1) for i, (inputs, outputs) in _CONVS.items()}
        )
        self.requires_grad_(False)

    @classmethod
    def load(cls, path: str | Path) -> Vgg19:
        """From torchvision's vgg19 weights (.pth) or the same as .safetensors; PortrayalError for others."""
        network = cls()
        wanted = set(network.state_dict())
        state = {key: value for key, value in read_tensors(path).items() if key in wanted}
        if set(state) != wanted:
            raise PortrayalError(f"{shown(path)}: is not torchvision's vgg19 (features.0.weight and so on)")
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            raise PortrayalError(f"{shown(path)}: is a vgg19 of other sizes than torchvision's") from error
        return network

    def forward(self, image: Tensor) -> list[Tensor]:
        mean, deviation = (image.new_tensor(v)[:, None, None] for v in (_MEAN, _DEVIATION))
        x, taps = (image - mean) / deviation, []
        for number in _CONVS:
            if number in _POOLED:
                x = F.max_pool2d(x, 2)
            x = F.relu(self.features[str(number)](x))
            if number in _TAPS:
                taps.append(x)
        return taps


def plain_features(image: Tensor) -> list[Tensor]:
    """What stands in for it where no weights are given: the picture itself."""
    assert torch.is_floating_point(image)
    return [image]
