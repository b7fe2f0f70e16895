"""The networks of Wan-Animate-2, put where they are to be run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from portrayal.engines.wananimate2 import checkpoint
from portrayal.engines.wananimate2.attention import set_attention
from portrayal.engines.wananimate2.info import WanAnimate2Options
from portrayal.engines.wananimate2.sampling import embedded
from portrayal.neural.device import device_of
from portrayal.neural.wan import loading

#: Bytes beside the weights that a card should have free for all of it to lie there: the driving's keys and
#: values of every layer at the default size, and room to compute.
ROOM = 36e9 + 14e9
#: What the driving is called, in the model's training.
REFERENCE = "人物动作的参考视频"


@dataclass
class Networks:
    """transformer, VAE and image encoder on their device; the text encoder comes for the words alone.

    text: makes text encoder and tokenizer.
    """

    transformer: Any
    vae: Any
    image_encoder: Any
    text: Callable[[], tuple[Any, Any]]
    device: torch.device

    def __post_init__(self) -> None:
        self._words: dict[str, Tensor] = {}

    def words(self, *texts: str) -> list[Tensor]:
        """Each text as (1, 512, C); the encoder is dropped afterwards."""
        new = [text for text in dict.fromkeys(texts) if text not in self._words]
        if new:
            encoder, tokenizer = self.text()
            with torch.no_grad():
                for text in new:
                    here = encoder.device
                    self._words[text] = embedded(encoder, tokenizer, text, here).to(self.device)
        return [self._words[text] for text in texts]


def load_networks(options: WanAnimate2Options) -> Networks:
    """Read and placed as the options say; PortrayalError where weights are missing or wrong."""
    device = device_of(options.device)
    files = checkpoint.find_files(options.variant, options.weights, options.transformer)
    kind = torch.bfloat16 if device.type == "cuda" else torch.float32
    transformer = checkpoint.load_transformer(files.transformer, kind)
    waits = options.offload == "blocks"
    if options.offload == "auto" and device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        waits = free < 2 * sum(value.numel() for value in transformer.parameters()) + ROOM
    set_attention(transformer, log_scale_of(options), "cpu" if waits else None)
    if waits:
        transformer.enable_group_offload(
            onload_device=device,
            offload_device=torch.device("cpu"),
            offload_type="block_level",
            num_blocks_per_group=1,
            use_stream=device.type == "cuda",
        )
    else:
        transformer.to(device)
    return Networks(
        transformer,
        loading.load_vae(files.vae).to(device),
        loading.load_image_encoder(files.image_encoder, kind).to(device),
        lambda: (
            loading.load_text_encoder(files.text_encoder),
            loading.load_tokenizer(files.tokenizer),
        ),
        device,
    )


def log_scale_of(options: WanAnimate2Options) -> float:
    """As asked for, or as the weights were trained."""
    if options.log_scale is not None:
        return options.log_scale
    return -1.3 if options.distilled else 0.0
