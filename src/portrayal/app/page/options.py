"""Components made from models: an option of an engine as something to set on a page."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import gradio as gr
from pydantic.fields import FieldInfo

#: The widest range that a slider is made for; beyond it a number is typed.
_WIDE = 1e4
#: Literals up to this many are shown side by side.
_FEW = 4
#: Headings of groups, in the order in which a person thinks of them; other groups follow.
_HEADINGS = {
    "What moves": "What moves", "How much": "How much it moves", "Sliders": "Sliders on top",
    "Driving": "Which part of the driving", "Portrait": "Portrait", "Framing": "Framing",
    "Result": "Result", "Quality": "Quality and speed",
}  # fmt: skip
_GROUP = "More"


def component(name: str, field: FieldInfo, value: Any = None) -> gr.components.Component:
    """What sets an option: a box to tick, a choice, a slider, a number or words.

    value: shown at first in place of the option's default.
    """
    start = field.default if value is None else value
    said: dict[str, Any] = {"label": spoken(name), "info": field.description, "elem_id": f"option-{name}"}
    kinds = _kinds(field.annotation)
    choices = [choice for kind in kinds for choice in kind] if all(map(_is_choice, kinds)) else []
    if kinds == [bool]:
        return gr.Checkbox(value=bool(start), **said)
    if choices:
        if _optional(field.annotation):
            choices = [("as it is", None), *((str(choice), choice) for choice in choices)]
        made = gr.Radio if len(choices) <= _FEW else gr.Dropdown
        return made(choices=choices, value=start, **said)
    if kinds in ([int], [float]) and start is not None:
        return _number(kinds[0], field, start, said)
    examples = [str(choice) for kind in kinds if _is_choice(kind) for choice in kind] or _examples(field)
    if examples:
        return gr.Dropdown(
            examples, value=None if start is None else str(start), allow_custom_value=True, **said
        )
    placeholder = "as it is" if start is None else None
    return gr.Textbox(value="" if start is None else str(start), lines=1, placeholder=placeholder, **said)


def given(fields: Mapping[str, FieldInfo], values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `values` that say something: not empty, not what holds anyway."""
    return {
        name: value
        for name, value in values.items()
        if value not in (None, "")
        and value != fields[name].default
        and str(value) != str(fields[name].default)
    }


def headed(fields: Mapping[str, FieldInfo], model: type[Any] | None = None) -> dict[str, list[str]]:
    """Names of fields by heading: the group that the field, or the class of `model` that states it, says."""
    groups: dict[str, list[str]] = {name: [] for name in _HEADINGS}
    for name, field in fields.items():
        groups.setdefault(_group(name, field, model), []).append(name)
    return {_HEADINGS.get(group, group): names for group, names in groups.items() if names}


def spoken(name: str) -> str:
    """reference_frame as "Reference frame", eye-blink-left as "Eye blink left"."""
    return name.replace("_", " ").replace("-", " ").capitalize()


def _group(name: str, field: FieldInfo, model: type[Any] | None) -> str:
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "group" in extra:
        return str(extra["group"])
    for base in model.__mro__ if model is not None else ():
        if name in vars(base).get("__annotations__", {}):
            return str(vars(base).get("group", _GROUP))
    return _GROUP


def _kinds(annotation: Any) -> list[Any]:
    """The types that a value may have, None left out; a Literal as the tuple of its values."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _kinds(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [kind for each in get_args(annotation) for kind in _kinds(each)]
    if origin is Literal:
        return [get_args(annotation)]
    return [] if annotation is type(None) else [annotation]


def _is_choice(kind: Any) -> bool:
    return isinstance(kind, tuple)


def _optional(annotation: Any) -> bool:
    return type(None) in get_args(annotation)


def _examples(field: FieldInfo) -> list[str]:
    """Values that the field's own schema names."""
    rules = [
        *field.metadata,
        *(get_args(field.annotation)[1:] if get_origin(field.annotation) is Annotated else ()),
    ]
    for each in get_args(field.annotation):
        rules += get_args(each)[1:] if get_origin(each) is Annotated else ()
    schemas = (getattr(rule, "json_schema", None) for rule in rules)
    return next(
        (list(map(str, s["examples"])) for s in schemas if isinstance(s, dict) and "examples" in s), []
    )


def _number(kind: type, field: FieldInfo, start: Any, said: dict[str, Any]) -> gr.components.Component:
    low, high = _limit(field, "ge", "gt"), _limit(field, "le", "lt")
    whole = kind is int
    if low is None or high is None or high - low > _WIDE:
        return gr.Number(value=start, minimum=low, maximum=high, precision=0 if whole else None, **said)
    return gr.Slider(low, high, value=start, step=1 if whole else step_of(low, high), **said)


def _limit(field: FieldInfo, *names: str) -> float | None:
    for rule in field.metadata:
        for name in names:
            if getattr(rule, name, None) is not None:
                return float(getattr(rule, name))
    return None


def step_of(low: float, high: float) -> float:
    """A step that is 1, 2 or 5 times a power of ten, for some hundred steps."""
    rough = (high - low) / 120
    power = 10.0 ** math.floor(math.log10(rough))
    return next(round(n * power, 10) for n in (1, 2, 5, 10) if n * power >= rough)
