"""One person followed through a video by SAM 2 (Ravi et al. 2024), as transformers has it.

Its processors need torchvision; what they do is little, and stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.errors import PortrayalError
from portrayal.media.files import shown

Rgb = NDArray[np.uint8]
Mask = NDArray[np.uint8]
#: Mean and standard deviation of ImageNet's colours, by which the frames are normalised.
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_STD = np.array([0.229, 0.224, 0.225], np.float32)
#: What a point says: it lies on the person; it is the upper left or the lower right corner of its box.
_ON, _CORNERS = 1, (2, 3)


@dataclass(frozen=True)
class Click:
    """What is said of one frame. points: (N, 2) pixels on the person; box: left, top, right, bottom."""

    points: NDArray[np.float32]
    box: tuple[float, float, float, float] | None = None


class Sam2:
    """A transformers.Sam2VideoModel. device: where it computes; the frames wait in main memory."""

    def __init__(self, model: Any, device: str = "cpu") -> None:
        self._model, self._device = model.to(device).eval(), device
        self._side = int(model.config.image_size)

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> Sam2:
        """From a folder with config.json and model.safetensors; PortrayalError where there is none."""
        from transformers import Sam2VideoModel

        try:
            model = Sam2VideoModel.from_pretrained(folder, use_safetensors=True, local_files_only=True)
        except (OSError, ValueError, RuntimeError) as error:
            said = str(error).strip().split("\n")[0]
            raise PortrayalError(f"{shown(folder)}: holds no SAM 2 that can be read: {said}") from error
        return cls(model, device)

    def follow(self, frames: list[Rgb], clicks: Mapping[int, Click]) -> list[Mask]:
        """(H, W) 1 where the person is, of every frame (H, W, 3), all of one size.

        clicks: by the number of the frame; without any the masks are empty. Frames before the first one that
        is clicked are followed backwards from it.
        """
        import torch

        height, width = frames[0].shape[:2]
        masks = [np.zeros((height, width), np.uint8) for _ in frames]
        if not clicks:
            return masks
        first = min(clicks)
        with torch.inference_mode():
            session = self._session(frames, clicks)
            for backwards in (True, False) if first else (False,):
                for seen in self._model.propagate_in_video_iterator(session, first, reverse=backwards):
                    masks[seen.frame_idx] = _full(seen.pred_masks, height, width)
        return masks

    def _session(self, frames: list[Rgb], clicks: Mapping[int, Click]) -> Any:
        """The frames as the network sees them, and what was said of them, learnt."""
        import torch
        from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

        height, width = frames[0].shape[:2]
        video = torch.stack([self._normalised(rgb) for rgb in frames])
        session = Sam2VideoInferenceSession(
            video, height, width, inference_device=self._device, dtype=torch.float32
        )
        person = session.obj_id_to_idx(1)
        scale = torch.tensor([self._side / width, self._side / height])
        for index, click in sorted(clicks.items()):
            corners = [] if click.box is None else np.reshape(click.box, (2, 2)).tolist()
            points = torch.tensor(corners + click.points.tolist()) * scale
            labels = torch.tensor([*_CORNERS[: len(corners)], *[_ON] * len(click.points)])
            said = {"point_coords": points[None, None].float(), "point_labels": labels[None, None].int()}
            session.add_point_inputs(person, index, said)
            session.obj_with_new_inputs = [1]
            self._model(session, frame_idx=index)
        return session

    def _normalised(self, rgb: Rgb) -> Any:
        """(3, side, side) float."""
        import torch

        large = max(rgb.shape[:2]) > self._side
        square = cv2.resize(
            rgb, (self._side,) * 2, interpolation=cv2.INTER_AREA if large else cv2.INTER_LINEAR
        )
        colours = (square.astype(np.float32) / 255 - _MEAN) / _STD
        return torch.from_numpy(np.ascontiguousarray(colours.transpose(2, 0, 1)))


def _full(logits: Any, height: int, width: int) -> Mask:
    """The mask at the frame's own size. logits: (1, 1, h, w)."""
    import torch

    large = torch.nn.functional.interpolate(logits.float(), (height, width), mode="bilinear")
    mask: Mask = (large[0, 0] > 0).to(torch.uint8).cpu().numpy()
    return mask
