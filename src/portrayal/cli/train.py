"""`portrayal train`: a folder of clips in, the checkpoint of a model out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from portrayal.cli import options as o
from portrayal.cli.result import say_path
from portrayal.errors import PortrayalError, UsageError

if TYPE_CHECKING:
    from portrayal.engines.tpsmm.training.trainer import Plan

LATEST = "latest.pth.tar"


def command(arguments: list[str]) -> Callable[..., object]:
    """The command."""
    return train


def train(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="What to train: tpsmm.", show_default=False)],
    data: Annotated[str, typer.Option(metavar="FOLDER", help="Videos, or folders of frames.")],
    out: Annotated[str, typer.Option(metavar="FOLDER", help="Where the checkpoint goes.")] = "training",
    config: Annotated[
        Literal["vox", "taichi", "ted", "mgif"], typer.Option(help="The published settings to train by.")
    ] = "vox",
    stage: Annotated[
        Literal["main", "avd"], typer.Option(help="The model, or then its --mode avd.")
    ] = "main",
    vgg: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="torchvision's vgg19 weights; pictures are compared by pixels without."
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in --out.")] = False,
    size: Annotated[int | None, typer.Option(min=64, metavar="PIXELS", help="Side of the pictures.")] = None,
    expansion: Annotated[
        int, typer.Option(min=1, metavar="N", help="Channels of the first layer: 64 as published.")
    ] = 64,
    epochs: Annotated[int | None, typer.Option(min=1, metavar="N", help="100 for the main stage.")] = None,
    repeats: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="How often a clip is drawn in an epoch.")
    ] = None,
    batch: Annotated[int | None, typer.Option(min=2, metavar="N", help="Pairs a step and process.")] = None,
    workers: Annotated[int, typer.Option(min=0, metavar="N", help="Processes that read data.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="The same seed trains the same.")] = 0,
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Train, and print the checkpoint's path; Ctrl-C saves it, --resume goes on."""
    from dataclasses import replace

    if model != "tpsmm":
        raise UsageError(f"{model!r} cannot be trained; there is tpsmm")
    try:
        from portrayal.engines.tpsmm.training.config import AVD_BATCH, CONFIGS, EPOCHS
        from portrayal.engines.tpsmm.training.data import Pairs
        from portrayal.engines.tpsmm.training.trainer import Plan
    except ModuleNotFoundError as error:
        raise PortrayalError(
            f"training: {error.name} is not installed: pip install 'portrayal[neural]'"
        ) from error
    chosen = CONFIGS[config]
    first = stage == "main"
    chosen = replace(chosen, repeats=repeats or (chosen.repeats if first else chosen.avd[2]))
    pairs = Pairs(Path(data), chosen, size or chosen.size, seed)
    plan = Plan(
        chosen,
        epochs or (EPOCHS if first else chosen.avd[0]),
        batch or (chosen.batch if first else AVD_BATCH),
        workers,
        seed,
        Path(out),
    )
    if pairs.per_epoch < plan.batch:
        raise UsageError(
            f"--batch: an epoch has {pairs.per_epoch} pairs, fewer than a batch of {plan.batch}; "
            "use a smaller --batch or more --repeats"
        )
    path = plan.out / LATEST
    if first and path.exists() and not resume:
        raise PortrayalError(f"{path}: already exists; --resume goes on from it")
    plan.out.mkdir(parents=True, exist_ok=True)
    if first:
        _main(pairs, plan, expansion, vgg, path if resume else None, quiet)
    else:
        _avd(pairs, plan, path, quiet)
    say_path(str(path))


def _main(
    pairs: object, plan: Plan, expansion: int, vgg: str | None, start: Path | None, quiet: bool
) -> None:
    from portrayal.engines.tpsmm.training.data import Pairs
    from portrayal.engines.tpsmm.training.state import State
    from portrayal.engines.tpsmm.training.trainer import train as run
    from portrayal.engines.tpsmm.training.vgg import Vgg19, plain_features

    assert isinstance(pairs, Pairs)
    features = plain_features if vgg is None else Vgg19.load(vgg).eval()
    state = State.fresh(expansion, plan.config.background is not None, plan.seed)
    if start is not None:
        state.restore(start)
    run(state, pairs, features, plan, _watcher(quiet))


def _avd(pairs: object, plan: Plan, path: Path, quiet: bool) -> None:
    """The second stage, added to the first one's checkpoint."""
    import torch

    from portrayal.engines.tpsmm.checkpoint import load_checkpoint
    from portrayal.engines.tpsmm.training.data import Pairs
    from portrayal.engines.tpsmm.training.trainer import new_avd, train_avd
    from portrayal.media.atomic import new_file
    from portrayal.tensor_files import read_tensors

    assert isinstance(pairs, Pairs)
    keypoints = load_checkpoint(path).keypoints
    torch.manual_seed(plan.seed)
    avd = new_avd(keypoints)
    train_avd(keypoints, avd, pairs, plan, plan.config.avd[1], _watcher(quiet))
    content = read_tensors(path) | {"avd_network": avd.cpu().state_dict()}
    with new_file(path, overwrite=True) as temporary:
        torch.save(content, temporary)


def _watcher(quiet: bool) -> Callable[[int, int, dict[str, float]], None]:
    def watch(epoch: int, step: int, losses: dict[str, float]) -> None:
        if not quiet:
            said = "  ".join(f"{name} {value:.4f}" for name, value in losses.items())
            sys.stderr.write(f"epoch {epoch}  step {step}  {said}\n")

    return watch
