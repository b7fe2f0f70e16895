"""Key frames as a strip of small pictures."""

from __future__ import annotations

from html import escape
from typing import TypedDict


class Key(TypedDict):
    """A key frame. at: seconds; values: of the sliders that are not at rest; picture: an inline JPEG."""

    at: float
    values: dict[str, float]
    picture: str


def shown_keys(keys: list[Key], chosen: int | None = None) -> str:
    """The strip; each key frame can be chosen and removed. chosen: the number of the one that is."""
    if not keys:
        return '<div class="strip empty">No key frames yet.</div>'
    return f'<ol class="strip">{"".join(_cell(i, key, i == chosen) for i, key in enumerate(keys))}</ol>'


def _cell(number: int, key: Key, chosen: bool) -> str:
    said = escape(", ".join(f"{name} {value:g}" for name, value in key["values"].items()) or "at rest")
    return (
        f'<li><button data-key="{number}" data-act="choose" aria-pressed="{str(chosen).lower()}" '
        f'title="{said}" aria-label="Key frame at {key["at"]:g} seconds: {said}">'
        f'<img alt="" src="{key["picture"]}"><span>{key["at"]:g} s</span></button>'
        f'<button class="remove" data-key="{number}" data-act="remove" '
        f'aria-label="Remove the key frame at {key["at"]:g} seconds">&times;</button></li>'
    )
