"""`portrayal train`: a folder of clips in, the checkpoint of a model out."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from portrayal.cli import options as o
from portrayal.cli.result import say_path
from portrayal.errors import PortrayalError, UsageError

if TYPE_CHECKING:
    from portrayal.engines.tpsmm.training.trainer import Plan, Seen, Watcher

LATEST = "latest.pth.tar"
#: Steps between the pictures that TensorBoard shows.
PICTURES = 200


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
    if os.environ.get("RANK", "0") == "0":  # of torchrun's processes one speaks
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
    with _watching(plan, pairs.per_epoch, quiet) as watch:
        run(state, pairs, features, plan, watch)


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
    train_avd(keypoints, avd, pairs, plan, plan.config.avd[1], _reporter(plan, pairs.per_epoch, quiet))
    content = read_tensors(path) | {"avd_network": avd.cpu().state_dict()}
    with new_file(path, overwrite=True) as temporary:
        torch.save(content, temporary)


def _reporter(plan: Plan, per_epoch: int, quiet: bool) -> Watcher:
    """Losses as lines, with the time that is left."""
    steps = per_epoch // (plan.batch * int(os.environ.get("WORLD_SIZE", "1")))
    began: tuple[int, float] | None = None

    def watch(epoch: int, step: int, losses: dict[str, float], seen: Seen | None) -> None:
        nonlocal began
        if quiet:
            return
        done, now = epoch * steps + step, time.monotonic()
        began = began or (done, now)
        said = "  ".join(f"{name} {value:.4f}" for name, value in losses.items())
        left = (plan.epochs * steps - done) * (now - began[1]) / max(done - began[0], 1)
        when = f"  {timedelta(seconds=round(left))} left" if done > began[0] else ""
        sys.stderr.write(f"epoch {epoch}  step {step}/{steps}  {said}{when}\n")

    return watch


@contextmanager
def _watching(plan: Plan, per_epoch: int, quiet: bool) -> Iterator[Watcher]:
    """Losses as lines and, where TensorBoard is installed, with pictures for it."""
    report = _reporter(plan, per_epoch, quiet)
    try:
        from portrayal.engines.tpsmm.training.journal import Journal
    except ModuleNotFoundError:
        yield report
        return
    journal = Journal(plan.out / "tensorboard", per_epoch // plan.batch, PICTURES)

    def watch(epoch: int, step: int, losses: dict[str, float], seen: Seen | None) -> None:
        report(epoch, step, losses, seen)
        journal(epoch, step, losses, seen)

    try:
        yield watch
    finally:
        journal.close()
