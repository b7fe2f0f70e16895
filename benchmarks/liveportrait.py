"""How fast LivePortrait's warp and generator are, against the plain port, side by side on the same weights.

python benchmarks/liveportrait.py [--device cuda] [--batch 1] [--rounds 5] [--compile] [--threads 2]

Weights are random from a seed. On a CPU everything is float32; on CUDA the plain port runs in fp16 autocast
and the engine in fp16, eager and (--compile) compiled, and the share of --peak that is reached is told.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import liveportrait_plain as plain
from portrayal.engines.liveportrait.checkpoint import KINDS, MLP, Checkpoint
from portrayal.engines.liveportrait.inference import Inference
from turns import Draw, measured


class PlainDrawing(nn.Module):
    """Warp and generator as published."""

    def __init__(self, warping: nn.Module, generator: nn.Module) -> None:
        super().__init__()
        self.warping, self.generator = warping, generator

    def forward(self, volume: Tensor, source: Tensor, driving: Tensor) -> Tensor:
        return self.generator(self.warping(volume, source, driving)["out"])


def published(seed: int = 0) -> dict[str, nn.Module]:
    """The plain port with random weights, and running statistics as after training."""
    torch.manual_seed(seed)
    networks: dict[str, nn.Module] = {
        "appearance_feature_extractor": plain.AppearanceFeatureExtractor(),
        "motion_extractor": plain.MotionExtractor(),
        "warping_module": plain.WarpingNetwork(),
        "spade_generator": plain.SpadeGenerator(),
    }
    for network in networks.values():
        for parameter in network.parameters():
            if parameter.dim() > 1:  # so that what goes in comes out as large
                nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
        for name, buffer in network.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer += 0.1 * torch.rand_like(buffer)
    return networks


def engine(
    networks: dict[str, nn.Module], device: torch.device, dtype: torch.dtype, compiled: bool
) -> Inference:
    large = [KINDS[name].network(network.state_dict()) for name, network in networks.items()]
    small = [MLP.network(plain.Mlp(*plain.MLPS[name]).state_dict()) for name in ("stitching", "eye", "lip")]
    return Inference(Checkpoint(*large, *small), device, dtype, compiled=compiled)  # type: ignore[arg-type]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--peak", type=float, default=989.0, help="dense fp16 TFLOPS of the card")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    gpu = device.type == "cuda"
    torch.backends.cudnn.benchmark = True
    torch.set_num_threads(arguments.threads)

    networks = {name: network.eval().requires_grad_(False) for name, network in published().items()}
    ours = {"engine": engine(networks, device, torch.float16 if gpu else torch.float32, False)}
    drawing = PlainDrawing(networks["warping_module"], networks["spade_generator"]).to(device)
    forms = {"plain": drawing}
    if arguments.compile:
        forms["plain, compiled"] = torch.compile(drawing, mode="reduce-overhead", dynamic=False)
        ours["engine, compiled"] = engine(networks, device, ours["engine"].dtype, True)

    volume = torch.randn(1, 32, 16, 64, 64, device=device) * 0.4
    source = torch.rand(1, 21, 3, device=device) * 1.6 - 0.8
    driving = source + 0.05 * torch.randn(arguments.batch, 21, 3, device=device)
    inputs = (volume.expand(arguments.batch, -1, -1, -1, -1), source.expand(arguments.batch, -1, -1), driving)

    def as_published(form: Callable[..., Tensor]) -> Tensor:
        with torch.inference_mode(), torch.autocast(device.type, torch.float16, enabled=gpu):
            return form(*inputs).float()

    draws: dict[str, Draw] = {name: partial(as_published, form) for name, form in forms.items()}
    for name, inference in ours.items():
        draws[name] = partial(inference.draw, inference.prepared(volume, source), driving)

    with FlopCounterMode(display=False) as counter:
        wanted = as_published(drawing)
    operations = counter.get_total_flops() / arguments.batch
    difference = (draws["engine"]() - wanted).abs().max().item()
    print(f"largest difference {difference:.1e} of 1; {operations / 2e9:.0f} GMAC a frame as published")
    report(measured(draws, arguments.rounds, arguments.batch, device), operations, arguments.peak * gpu)


def report(times: dict[str, tuple[float, float]], operations: float, peak: float) -> None:
    """A table; peak: TFLOPS of the card, 0 without one."""
    print(
        "| form | ms a frame | times the plain | " + ("share of the peak |" if peak else "ms of processor |")
    )
    print("| --- | --: | --: | --: |")
    for name, (wall, processor) in times.items():
        base = times["plain, compiled" if "compiled" in name else "plain"][0]
        last = f"{operations / (wall / 1000) / (peak * 1e12):.0%}" if peak else f"{processor:.0f}"
        print(f"| {name} | {wall:.1f} | {base / wall:.2f} | {last} |")


if __name__ == "__main__":
    main()
