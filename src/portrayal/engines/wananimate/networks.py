"""The networks of Wan-Animate at work: tensors in, tensors out, on one device.

All pictures are (1, 3, T, H, W) in [-1, 1], all latents (1, 16, t, H / 8, W / 8) float32.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: What CLIP takes its pictures by: side, mean and deviation (Radford et al. 2021).
CLIP_SIDE = 224
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
#: Faces that the motion encoder sees at once.
FACES = 8


class Passed(nn.Module):
    """In place of the motion encoder: motions go in where faces did, (N, C, 1, 1), and pass."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.taken = (encoder,)  # not as a part of the transformer

    def forward(self, motions: Tensor) -> Tensor:
        return motions.flatten(1)


class Networks:
    """diffusers' and transformers' networks, the transformer one that was `prepared`.

    dtype: that the transformer computes in; its residual stream and what it is summed from stay float32, as
    the authors' autocast leaves them; so do VAE and motion encoder.
    """

    def __init__(
        self, transformer: Any, vae: Any, image_encoder: Any, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.transformer, self.vae, self.image_encoder = transformer, vae, image_encoder
        self.device, self.dtype = device, dtype
        [encoder] = transformer.motion_encoder.taken
        self.motion_encoder = encoder.float().to(device)
        self._mean, self._std = (
            torch.tensor(values, device=device).view(1, -1, 1, 1, 1)
            for values in (vae.config.latents_mean, vae.config.latents_std)
        )

    def encode(self, video: Tensor) -> Tensor:
        """Latents of T = 4n+1 frames: n+1 of them, the distribution's mode."""
        with torch.inference_mode():
            latents = self.vae.encode(video.to(self.device, self.vae.dtype)).latent_dist.mode()
            return (latents.float() - self._mean) / self._std

    def decode(self, latents: Tensor) -> Tensor:
        """Frames of latents, in [-1, 1]."""
        with torch.inference_mode():
            scaled = (latents * self._std + self._mean).to(self.vae.dtype)
            return self.vae.decode(scaled, return_dict=False)[0].float().clamp(-1, 1)

    def image_features(self, reference: Tensor) -> Tensor:
        """(1, 257, 1280) of a picture (1, 3, 1, H, W), squashed into CLIP's square without smoothing, as the
        authors do (diffusers' pipeline cuts its middle out)."""
        square = F.interpolate(
            reference[:, :, 0], (CLIP_SIDE, CLIP_SIDE), mode="bicubic", align_corners=False
        )
        mean, std = (torch.tensor(v, device=square.device).view(1, 3, 1, 1) for v in (CLIP_MEAN, CLIP_STD))
        pixels = ((square * 0.5 + 0.5) - mean) / std
        with torch.inference_mode():
            seen = self.image_encoder(
                pixels.to(self.image_encoder.device, self.image_encoder.dtype), output_hidden_states=True
            )
            return seen.hidden_states[-2].to(self.device, torch.float32)

    def motions(self, faces: Tensor) -> Tensor:
        """(1, C, T, 1, 1) the motion of T faces (1, 3, T, S, S), once for all steps of a segment."""
        side = self.motion_encoder.size
        if faces.shape[-1] != side:  # a model of another size than the published one
            faces = F.interpolate(faces, (faces.shape[2], side, side), mode="trilinear")
        with torch.inference_mode():
            parts = [self.motion_encoder(part) for part in faces[0].transpose(0, 1).split(FACES)]
            return torch.cat(parts).T[None, :, :, None, None]

    def velocity(
        self, latents: Tensor, time: Tensor, text: Tensor, image: Tensor, pose: Tensor, motions: Tensor
    ) -> Tensor:
        """(1, 16, t, h, w) where the noise is to go.

        latents: (1, 36, t, h, w) noise, mask and what is given. text: (1, 512, C). pose: of t - 1.
        """
        with torch.inference_mode(), self._autocast():
            return self.transformer(
                hidden_states=latents,
                timestep=time.expand(1),
                encoder_hidden_states=text,
                encoder_hidden_states_image=image,
                pose_hidden_states=pose,
                face_pixel_values=motions,
                return_dict=False,
            )[0].float()

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)


def prepared(transformer: Any) -> Any:
    """The transformer, its motion encoder taken out of it, and what must not lose precision made safe from
    autocast: the residual stream, which starts in float32, time and the output.

    To be called once, before the transformer is put anywhere.
    """
    transformer.motion_encoder = Passed(transformer.motion_encoder)
    for embedding in (transformer.patch_embedding, transformer.pose_patch_embedding):
        embedding.register_forward_hook(lambda module, inputs, made: made.float())
    time = transformer.condition_embedder
    for layer in (time.time_embedder, time.time_proj, transformer.proj_out):
        if all(parameter.is_floating_point() for parameter in layer.parameters()):  # not GGUF's
            _exact(layer)
    return transformer


def _exact(layer: nn.Module) -> None:
    layer.float()
    plain = layer.forward

    def forward(value: Tensor, *rest: Any) -> Tensor:
        with torch.autocast(value.device.type, enabled=False):
            return plain(value.float(), *rest)

    layer.forward = forward
