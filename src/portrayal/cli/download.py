"""`portrayal download`: the checkpoints of the engines, fetched once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from portrayal.cli import options as o
from portrayal.cli.result import say_path, table_console
from portrayal.errors import UsageError

if TYPE_CHECKING:
    from portrayal.download import Progress


def command(arguments: list[str]) -> Callable[..., object]:
    """The command."""
    return download


def download(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Which; --list shows them.", show_default=False)
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="What there is, and what is here.")] = False,
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Fetch the files and print their folder."""
    from importlib.util import find_spec

    from portrayal.weights import folder, megabytes, missing, parts, weights_of

    if listing:
        _list()
        return
    if name is None:
        raise UsageError("which weights? `portrayal download --list` shows them")
    absent = {part: sum(missing(part).values()) for part in parts(name) if missing(part)}
    if absent and find_spec("huggingface_hub") is None:
        raise UsageError("downloads need: pip install 'portrayal[neural]'")
    for part, size in absent.items() if not quiet else ():
        weights = weights_of(part)
        sys.stderr.write(
            f"{part}: {megabytes(size)} from {weights.repository}, licence {weights.licence}, "
            f"commercial use: {weights.commercial}\n"
        )
    if absent:
        from portrayal.download import fetch

        with _bar(quiet) as progress:
            for part in absent:
                fetch(part, progress)
    say_path(str(folder(name)))


def _list() -> None:
    from rich.box import SIMPLE
    from rich.table import Table

    from portrayal.weights import WEIGHTS, complete, megabytes

    table = Table(box=SIMPLE, pad_edge=False)
    for column in ("weights", "size", "licence", "commercial", "here", "from"):
        table.add_column(column)
    for name, weights in WEIGHTS.items():
        here = "yes" if complete(name) else "no"
        size = megabytes(weights.size)
        table.add_row(name, size, weights.licence, weights.commercial, here, weights.repository)
    table_console().print(table)


@contextmanager
def _bar(quiet: bool) -> Iterator[Progress]:
    """A bar for every file on stderr, where that is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda file, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.progress import TransferSpeedColumn as Speed

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        Speed(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        tasks: dict[str, int] = {}

        def step(file: str, done: int, total: int) -> None:
            if file not in tasks:
                tasks[file] = bar.add_task(file.rpartition("/")[2], total=total)
            bar.update(tasks[file], completed=done)  # type: ignore[arg-type]

        yield step
