"""How fast TPSMM's frames are made, against the plain port, side by side on the same weights.

python benchmarks/tpsmm.py [--device cuda] [--size 256] [--batch 1] [--rounds 5] [--threads 2] [--compile]

A frame is everything from a driving picture on: key points, dense motion, inpainting. Weights are random from
a seed. On a CPU everything is float32, "same arithmetic" being the engine without Winograd's, and the
processor's time is told beside the clock's, which others on the machine disturb; on CUDA the plain port runs
in fp16 autocast, the engine in fp16, eager and (--compile) compiled.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import tpsmm_plain as plain
from portrayal.engines.tpsmm import networks
from portrayal.engines.tpsmm.checkpoint import Checkpoint
from portrayal.engines.tpsmm.inference import Inference
from turns import Draw, measured

OURS: dict[str, Callable[[], nn.Module]] = {
    "kp_detector": networks.KeypointDetector,
    "dense_motion_network": networks.DenseMotionNetwork,
    "inpainting_network": networks.InpaintingNetwork,
}


def published(seed: int = 0) -> dict[str, nn.Module]:
    """The plain port with random weights that keep the scale of what they see, so that pictures matter."""
    torch.manual_seed(seed)
    built = {name: plain.NETWORKS[name]().eval().requires_grad_(False) for name in OURS}
    for network in built.values():
        for weight in network.parameters():
            if weight.dim() > 1:
                weight.normal_(std=weight[0].numel() ** -0.5)
    return built


def checkpoint(weights: dict[str, nn.Module]) -> Checkpoint:
    """The same weights in the engine's networks."""
    ours = {name: build().eval().requires_grad_(False) for name, build in OURS.items()}
    for name, network in ours.items():
        network.load_state_dict(weights[name].state_dict())
    return Checkpoint(*ours.values(), None, None)  # type: ignore[arg-type]


def picture(count: int, size: int) -> Tensor:
    return F.interpolate(torch.rand(count, 3, 16, 16), (size, size), mode="bilinear")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--compile", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    gpu = device.type == "cuda"
    torch.backends.cudnn.benchmark = True

    weights = published()
    source, driving = (picture(count, arguments.size).to(device) for count in (1, arguments.batch))
    sources = source.expand(arguments.batch, -1, -1, -1)
    plain_networks = {name: network.to(device) for name, network in weights.items()}
    with torch.inference_mode():
        own = plain_networks["kp_detector"](source).expand(arguments.batch, -1, -1)

    def as_published() -> Tensor:
        with torch.inference_mode():
            points = plain_networks["kp_detector"](driving)
            with torch.autocast(device.type, torch.float16, enabled=gpu):
                motion = plain_networks["dense_motion_network"](sources, points, own)
                return plain_networks["inpainting_network"](sources, motion)["prediction"].float()

    def by(inference: Inference) -> Draw:
        prepared = inference.prepared(source)
        return lambda: inference.draw(prepared, inference.found(driving))

    dtype = torch.float16 if gpu else torch.float32
    draws: dict[str, Draw] = {"plain": as_published}
    if not gpu:
        draws["engine, same arithmetic"] = by(Inference(checkpoint(weights), device, dtype, winograd=False))
    draws["engine"] = by(Inference(checkpoint(weights), device, dtype))
    if arguments.compile:
        draws["engine, compiled"] = by(Inference(checkpoint(weights), device, dtype, compiled=True))

    wanted = as_published()
    print(
        "| form | ms a frame | times the plain | processor ms | times the plain | largest difference of 1 |"
    )
    print("| --- | --: | --: | --: | --: | --: |")
    times = measured(draws, arguments.rounds, arguments.batch, device)
    base = times["plain"]
    for name, (clock, processor) in times.items():
        difference = (draws[name]() - wanted).abs().max().item()
        print(
            f"| {name} | {clock:.0f} | {base[0] / clock:.2f} | {processor:.0f} | {base[1] / processor:.2f} |"
            f" {difference:.1e} |"
        )


if __name__ == "__main__":
    main()
