"""Flags made from tables: the options of an engine, the coefficients of a face."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import typer

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

DEFAULT_ENGINE = "puppet"


def with_flags(function: Callable[..., object], flags: Iterable[inspect.Parameter]) -> Callable[..., object]:
    """`function` as typer sees it: its own parameters, and `flags` in place of its **keywords."""
    own = inspect.signature(function, eval_str=True).parameters.values()
    fixed = [each for each in own if each.kind is not inspect.Parameter.VAR_KEYWORD]

    def command(**values: Any) -> object:
        return function(**values)

    command.__signature__ = inspect.Signature([*fixed, *flags])  # type: ignore[attr-defined]
    command.__annotations__ = {}
    return command


def engine_flags(arguments: list[str]) -> list[inspect.Parameter]:
    """A flag for every option of the engine that --engine names; their values are strings or None.

    The engine's own model judges the values, so that every interface says the same about them.
    """
    from portrayal.engines import engine_options

    name = option_value(arguments, "--engine") or DEFAULT_ENGINE
    fields = engine_options(name).model_fields
    return [_flag(field_name, field, f"Options of the engine {name}") for field_name, field in fields.items()]


def slider(name: str, help_text: str, panel: str) -> inspect.Parameter:
    """A flag --name that takes a number, None where it is not given. name: in kebab case."""
    return _parameter(
        name, float, typer.Option(f"--{name}", help=help_text, metavar="X", rich_help_panel=panel)
    )


def given(values: dict[str, Any]) -> dict[str, Any]:
    """Those flags that were given."""
    return {name: value for name, value in values.items() if value is not None}


def option_value(arguments: list[str], option: str) -> str | None:
    """What an option is given, before the arguments are parsed: the last one counts."""
    found = None
    for word, following in zip(arguments, [*arguments[1:], None], strict=True):
        if word == option:
            found = following
        elif word.startswith(f"{option}="):
            found = word.removeprefix(f"{option}=")
    return found


def _flag(name: str, field: FieldInfo, panel: str) -> inspect.Parameter:
    option = "--" + name.replace("_", "-")
    said = (
        _range(field),
        "" if field.annotation is bool or field.default is None else f"default {field.default}",
    )
    described = f"{field.description or name} ({'; '.join(filter(None, said))}).".replace(" ()", "")
    if field.annotation is bool:
        both = f"{option}/--no-{option[2:]}" if field.default else option
        return _parameter(name, bool, typer.Option(both, help=described, rich_help_panel=panel))
    return _parameter(
        name,
        str,
        typer.Option(
            option,
            help=described,
            metavar=_kind(field.annotation),
            rich_help_panel=panel,
        ),
    )


def _parameter(name: str, kind: type, option: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name.replace("-", "_"),
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, option],
    )


def _kind(annotation: Any) -> str:
    """A type as the help shows it: FLOAT, N|auto|neutral."""
    if get_origin(annotation) is Annotated:
        return _kind(get_args(annotation)[0])
    if get_origin(annotation) is Literal:
        return "|".join(str(value) for value in get_args(annotation))
    if get_origin(annotation) in (Union, types.UnionType):
        return "|".join(_kind(each) for each in get_args(annotation) if each is not type(None))
    return {int: "N", float: "X", str: "TEXT"}.get(annotation, "VALUE")


def _range(field: FieldInfo) -> str:
    """The limits of a number: "0 to 5"."""
    low = next((value for rule in field.metadata if (value := getattr(rule, "ge", None)) is not None), None)
    high = next((value for rule in field.metadata if (value := getattr(rule, "le", None)) is not None), None)
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    return f"at least {low:g}" if low is not None else f"at most {high:g}" if high is not None else ""
