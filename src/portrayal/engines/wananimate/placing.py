"""A plan carried out: what the machine is, and the networks put where the plan wants them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from portrayal.engines.wananimate.plan import TILE, Machine, Plan

#: Layers that keep their precision where the others are kept in 8 bits, beside those that diffusers spares:
#: small, and the motion code comes out of a long chain of them.
SPARED = ("motion_encoder", "face_encoder", "pose_patch_embedding", "proj_out")
CGROUP = Path("/sys/fs/cgroup")


def this_machine(device: str, cards: int = 1) -> Machine:
    """What is free here, now. device: cpu, cuda, cuda:1 ...; cards: how many GPUs work together."""
    import psutil

    host = min(psutil.virtual_memory().available, _allowance())
    cores = torch.get_num_threads()
    if torch.device(device).type != "cuda":
        return Machine(None, 0, host, cores=cores)
    free, _ = torch.cuda.mem_get_info(device)
    return Machine(torch.cuda.get_device_name(device), free, host, cards, cores)


def _allowance() -> float:
    """Bytes that a container still may take; infinite where there is no limit."""
    try:
        limit = (CGROUP / "memory.max").read_text().strip()
        used = int((CGROUP / "memory.current").read_text())
    except (OSError, ValueError):
        return float("inf")
    return float("inf") if limit == "max" else int(limit) - used


def apply(plan: Plan, networks: Any) -> None:
    """Put transformer, VAE and image encoder where the plan wants them; the text encoder is left alone, since
    it is to be gone before the transformer comes (:func:`place_text_encoder`).

    networks: with `transformer`, `vae` and `image_encoder`.
    """
    where = torch.device(plan.device)
    place_transformer(plan, networks.transformer, where)
    place_others(plan, networks.vae, networks.image_encoder, where)


def place_transformer(plan: Plan, transformer: Any, where: torch.device) -> None:
    """Put the transformer on a device, its weights kept as the plan says; in each process where several GPUs
    work together."""
    if plan.weights == "fp8":
        transformer.enable_layerwise_casting(
            storage_dtype=torch.float8_e4m3fn,
            compute_dtype=torch.bfloat16,
            skip_modules_pattern=(*transformer._skip_layerwise_casting_patterns, *SPARED),
        )
    if plan.offload == "blocks":
        transformer.enable_group_offload(
            onload_device=where,
            offload_device=torch.device("cpu"),
            offload_type="block_level",
            num_blocks_per_group=1,
            use_stream=where.type == "cuda",  # the next block comes while this one is computed
        )
    else:
        transformer.to(where)


def place_others(plan: Plan, vae: Any, image_encoder: Any, where: torch.device) -> None:
    """Put VAE and image encoder on a device; the VAE in tiles where the plan says."""
    vae.to(where)
    if plan.tile_vae:
        vae.enable_tiling(tile_sample_min_height=TILE, tile_sample_min_width=TILE)
    image_encoder.to(where)


def place_text_encoder(plan: Plan, encoder: Any) -> None:
    """Put the text encoder where the plan wants it, for the short time it is needed."""
    encoder.to(plan.device if plan.text_on_card else "cpu")
