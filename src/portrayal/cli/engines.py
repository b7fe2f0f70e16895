"""`portrayal engines`: what there is to render with."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from portrayal.cli import options as o
from portrayal.cli.result import table_console

if TYPE_CHECKING:
    from portrayal.engines.info import EngineInfo


def command(arguments: list[str]) -> Callable[..., object]:
    """The command."""
    return engines


def engines(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, not a table.")] = False,
    debug: o.Debug = False,
) -> None:
    """Print a line for every engine."""
    from rich.box import SIMPLE
    from rich.table import Table

    from portrayal.engines import list_engines

    infos = list_engines()
    if as_json:
        cards = [
            asdict(info) | {"installed": info.installed, "weights_here": info.weights_here} for info in infos
        ]
        sys.stdout.write(json.dumps(cards, indent=2) + "\n")
        return
    table = Table(box=SIMPLE, pad_edge=False)
    for column in (
        "engine",
        "reads",
        "installed",
        "weights",
        "licence (code)",
        "licence (weights)",
        "commercial",
        "",
    ):
        table.add_column(column)
    for info in infos:
        table.add_row(*_row(info))
    table_console().print(table)


def _row(info: EngineInfo) -> tuple[str, ...]:
    return (
        info.name,
        info.reads,
        "yes" if info.installed else f"no: {info.install_command}",
        _weights(info),
        info.licence_code,
        info.licence_weights or "-",
        info.commercial,
        info.summary,
    )


def _weights(info: EngineInfo) -> str:
    from portrayal.weights import megabytes

    if info.weights_size is None:
        return "none needed"
    size = megabytes(info.weights_size)
    if info.weights_here is None:
        return size
    return f"here ({size})" if info.weights_here else f"no: portrayal download {info.weights} ({size})"
