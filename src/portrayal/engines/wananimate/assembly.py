"""From files to networks at work: found, planned for, read, changed by LoRAs, placed, on one GPU or
several."""

from __future__ import annotations

import html
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from portrayal.engines.wananimate.checkpoint import (
    Files,
    find_files,
    load_image_encoder,
    load_text_encoder,
    load_tokenizer,
    load_transformer,
    load_vae,
)
from portrayal.engines.wananimate.lora import apply_lora
from portrayal.engines.wananimate.networks import Networks, prepared
from portrayal.engines.wananimate.parallel import Team
from portrayal.engines.wananimate.placing import (
    place_others,
    place_text_encoder,
    place_transformer,
    this_machine,
)
from portrayal.engines.wananimate.plan import PARAMETERS, Machine, Plan, Work, make_plan
from portrayal.errors import UsageError
from portrayal.neural.device import device_of

#: Bytes of a transformer that is none of the published ones.
SMALL = 1e9
#: Tokens of a prompt.
LENGTH = 512
Lora = tuple[Path, float]


@dataclass(frozen=True)
class Model:
    """Which networks, and where: files, LoRAs with their strengths, the device, GPUs that work together."""

    files: Files
    loras: tuple[Lora, ...] = ()
    device: str = "auto"
    cards: int = 1

    @classmethod
    def find(
        cls,
        weights: str | None = None,
        transformer: str | None = None,
        loras: tuple[Lora, ...] = (),
        device: str = "auto",
        cards: int = 1,
    ) -> Model:
        """PortrayalError where files are missing, UsageError where the device or so many GPUs are not
        there."""
        place = device_of(device)
        there = torch.cuda.device_count() if place.type == "cuda" else 1
        if cards > there:
            raise UsageError(f"{cards} GPUs are asked for, and {there} {'is' if there == 1 else 'are'} there")
        return cls(find_files(weights, transformer), loras, str(place), cards)

    def plan(self, work: Work, machine: Machine | None = None) -> Plan:
        """How this machine does that work with these files; PortrayalError where it cannot."""
        size = _size(self.files.transformer)
        if self.files.transformer.suffix == ".gguf":
            work = replace(work, quantised=size)
        if size < SMALL:  # a toy of the same kind, which the figures are not about
            machine = Machine(None if self.device == "cpu" else self.device, float("inf"), float("inf"))
        copied = bool(self.loras) or not 0.9 < size / (2 * PARAMETERS) < 1.1
        return make_plan(machine or this_machine(self.device, self.cards), replace(work, copied=copied))

    def words(self, plan: Plan, *texts: str) -> list[Tensor]:
        """Texts as (1, 512, C) each, zeros behind their ends; the encoder is read for them and dropped."""
        encoder, tokenizer = load_text_encoder(self.files.text_encoder), load_tokenizer(self.files.tokenizer)
        place_text_encoder(plan, encoder)
        return [_encoded(encoder, tokenizer, text) for text in texts]

    @contextmanager
    def networks(self, plan: Plan) -> Iterator[Networks]:
        """The networks as planned; with several GPUs, as long as this is open."""
        device = torch.device(self.device)
        build = partial(_transformer, self.files.transformer, self.loras, plan)
        vae, image_encoder = load_vae(self.files.vae), load_image_encoder(self.files.image_encoder)
        place_others(plan, vae, image_encoder, device)

        def made(transformer: Any) -> Networks:
            return Networks(transformer, vae, image_encoder, device, torch.bfloat16)

        if self.cards == 1:
            yield made(build(str(device)))
            return
        with Team(build, [f"cuda:{i}" for i in range(self.cards)]) as team:
            yield made(team)


def _transformer(path: Path, loras: tuple[Lora, ...], plan: Plan, device: str) -> Any:
    transformer = load_transformer(path)
    for file, strength in loras:
        apply_lora(transformer, file, strength)
    place_transformer(plan, prepared(transformer), torch.device(device))
    return transformer


def _encoded(encoder: Any, tokenizer: Any, text: str) -> Tensor:
    """As the authors do: mended, of single spaces, padded and masked; padding comes out as zeros."""
    import ftfy

    plain = " ".join(html.unescape(html.unescape(ftfy.fix_text(text))).split())
    tokens = tokenizer(
        [plain], padding="max_length", max_length=LENGTH, truncation=True, return_tensors="pt"
    ).to(encoder.device)
    with torch.inference_mode():
        words: Tensor = encoder(tokens.input_ids, tokens.attention_mask).last_hidden_state
        return words * tokens.attention_mask[..., None]


def _size(path: Path) -> float:
    """Bytes of a file, of the shards beside an index, or of a folder."""
    if path.is_file() and not path.name.endswith(".index.json"):
        return path.stat().st_size
    folder = path if path.is_dir() else path.parent
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))
