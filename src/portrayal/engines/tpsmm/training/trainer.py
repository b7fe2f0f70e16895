"""The training itself: steps, schedule, one process or many."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.utils.data import DataLoader

from portrayal.engines.tpsmm.networks import AvdNetwork
from portrayal.engines.tpsmm.networks.keypoints import POINTS_PER_SPLINE
from portrayal.engines.tpsmm.training.config import (
    AVD_RATE,
    BETAS,
    CLIP,
    MILESTONES,
    RATE,
    Config,
    dropout,
)
from portrayal.engines.tpsmm.training.data import Pairs
from portrayal.engines.tpsmm.training.losses import Draws, TrainedModel
from portrayal.engines.tpsmm.training.state import State


class Seen(NamedTuple):
    """What a step saw and made: (B, 3, S, S) each, in [0, 1]."""

    source: Tensor
    driving: Tensor
    predicted: Tensor


#: Called after every step: epoch, step within it, losses by name, and what was made where that is a picture.
Watcher = Callable[[int, int, dict[str, float], Seen | None], object]


@dataclass(frozen=True)
class Plan:
    """batch: pairs a step and process. workers: that read data. every: steps between checkpoints."""

    config: Config
    epochs: int
    batch: int
    workers: int
    seed: int
    out: Path
    every: int = 500


def train(
    state: State, pairs: Pairs, features: Callable[[Tensor], list[Tensor]], plan: Plan, watch: Watcher
) -> None:
    """Train from where `state` is to the end of the plan.

    It is saved as `latest.pth.tar` on the way, at every epoch's end and when interrupted.
    """
    rank, world = _processes()
    place = (
        torch.device("cuda", rank % torch.cuda.device_count())
        if torch.cuda.is_available()
        else torch.device("cpu")
    )
    nets = {name: net.to(place).train() for name, net in state.networks.items()}
    _to(state, place)
    model = TrainedModel(
        nets["kp_detector"], nets["dense_motion_network"], nets["inpainting_network"],  # type: ignore[arg-type]
        nets.get("bg_predictor"), features,  # type: ignore[arg-type]
    ).to(place)  # fmt: skip
    called: nn.Module = model
    if world > 1:
        called = nn.parallel.DistributedDataParallel(
            model,
            find_unused_parameters=bool(plan.config.background),  # it joins later
        )
    try:
        while state.epoch < plan.epochs:
            for source, driving in _batches(pairs, state, plan, rank, world):
                losses, seen = _step(called, model, state, plan, source.to(place), driving.to(place), rank)
                state.step += 1
                if rank == 0:
                    watch(state.epoch, state.step, losses, seen)
                if rank == 0 and state.step % plan.every == 0:
                    state.save(plan.out / "latest.pth.tar")
            state.epoch, state.step = state.epoch + 1, 0
            if rank == 0:
                state.save(plan.out / "latest.pth.tar")
    except KeyboardInterrupt:
        if rank == 0:
            state.save(plan.out / "latest.pth.tar")
        raise


def _step(
    called: nn.Module,
    model: TrainedModel,
    state: State,
    plan: Plan,
    source: Tensor,
    driving: Tensor,
    rank: int,
) -> tuple[dict[str, float], Seen]:
    epoch, config = state.epoch, plan.config
    behind = config.background is not None and epoch >= config.background
    generator = generator_of(plan.seed, epoch, state.step, rank)
    draws = Draws.of(len(source), model.dense_motion.splines, dropout(config, epoch), generator)
    for optimiser in filter(None, (state.main, state.background)):
        for group in optimiser.param_groups:
            group["lr"] = RATE * 0.1 ** sum(epoch >= milestone for milestone in MILESTONES)
        optimiser.zero_grad(set_to_none=True)
    losses, predicted = called(source, driving, draws, behind)
    torch.stack(list(losses.values())).sum().backward()
    clipped = [
        model.keypoints,
        model.dense_motion,
        *([model.background] if behind and model.background else []),
    ]
    for network in clipped:
        nn.utils.clip_grad_norm_(network.parameters(), CLIP, norm_type=float("inf"))
    state.main.step()
    if behind and state.background is not None:
        state.background.step()
    return {name: float(loss.detach()) for name, loss in losses.items()}, Seen(source, driving, predicted)


def generator_of(*place: int) -> torch.Generator:
    """The random numbers of one step: the same for the same seed, epoch, step and process."""
    return torch.Generator().manual_seed(hash(place) & (2**63 - 1))


def _batches(
    pairs: Pairs, state: State, plan: Plan, rank: int, world: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """What is left of an epoch, whole batches only; every process takes its share."""
    start = state.epoch * pairs.per_epoch
    whole = pairs.per_epoch // (plan.batch * world)
    batches = [
        [start + (step * world + rank) * plan.batch + i for i in range(plan.batch)]
        for step in range(state.step, whole)
    ]
    return iter(DataLoader(pairs, batch_sampler=batches, num_workers=plan.workers))


def train_avd(
    keypoints: nn.Module,
    avd: AvdNetwork,
    pairs: Pairs,
    plan: Plan,
    milestones: tuple[int, int],
    watch: Watcher,
) -> None:
    """The second stage: a pose whose size was changed at random is to come back as it was."""
    place = next(keypoints.parameters()).device
    keypoints.eval()
    avd.to(place).train()
    optimiser = torch.optim.Adam(avd.parameters(), AVD_RATE, BETAS)
    for epoch in range(plan.epochs):
        rate = AVD_RATE * 0.1 ** sum(epoch >= milestone for milestone in milestones)
        optimiser.param_groups[0]["lr"] = rate
        stage = State({}, optimiser, None, epoch)
        for step, (source, driving) in enumerate(_batches(pairs, stage, plan, 0, 1), 1):
            generator = generator_of(plan.seed, epoch, step)
            with torch.no_grad():
                own, wanted = keypoints(source.to(place)), keypoints(driving.to(place))
            scale = torch.rand(len(own), 1, 2, generator=generator).to(place) * 0.5 + 0.75
            loss = (avd(own, scale * wanted) - wanted).abs().mean()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            watch(epoch, step, {"avd": float(loss.detach())}, None)


def new_avd(keypoints: nn.Module) -> AvdNetwork:
    """An untrained one for a key point detector."""
    numbers = int(dict(keypoints.named_parameters())["fg_encoder.fc.bias"].shape[0])
    assert numbers % (2 * POINTS_PER_SPLINE) == 0
    return AvdNetwork(numbers // 2)


def _to(state: State, place: torch.device) -> None:
    """The optimisers' memories beside the parameters they belong to."""
    for optimiser in filter(None, (state.main, state.background)):
        for memory in optimiser.state.values():
            values: dict[str, Any] = memory
            for key, value in values.items():
                if isinstance(value, Tensor) and key != "step":
                    values[key] = value.to(place)


def _processes() -> tuple[int, int]:
    """This process's number and how many there are, as torchrun says."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return int(os.environ.get("RANK", "0")), world
