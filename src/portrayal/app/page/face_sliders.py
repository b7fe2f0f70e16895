"""The sliders of a face, grouped as a person looks for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from portrayal.requests import Slider, sliders

#: Those that one wants first.
COMMON = (
    "pitch", "yaw", "roll", "gaze-x", "gaze-y", "mouth-smile-left", "mouth-smile-right", "jaw-open",
    "eye-blink-left", "eye-blink-right", "brow-inner-up",
)  # fmt: skip
#: Groups by the beginnings of names; the first that fits. What fits none is the head.
_GROUPS = {
    "Gaze": ("gaze", "eye-look"),
    "Eyes": ("eye",),
    "Brows": ("brow",),
    "Mouth": ("mouth", "jaw", "tongue"),
    "Cheeks and nose": ("cheek", "nose"),
    "Head": ("",),
}
_SIDES = ("-left", "-right")


def grouped_sliders() -> dict[str, list[Slider]]:
    """All sliders that every engine has, the common ones first."""
    every = {slider.name: slider for slider in sliders()}
    groups: dict[str, list[Slider]] = {"Most used": [every.pop(name) for name in COMMON]}
    groups |= {name: [] for name in ("Head", "Gaze", "Eyes", "Brows", "Mouth", "Cheeks and nose")}
    for name, slider in every.items():
        group = next(group for group, starts in _GROUPS.items() if name.startswith(starts))
        groups[group].append(slider)
    return {group: members for group, members in groups.items() if members}


def set_values(names: Iterable[str], values: Iterable[float | None], linked: bool) -> dict[str, float]:
    """The sliders that are not at rest. linked: left and right do what the one does that is moved more."""
    rest = {slider.name: slider.rest for slider in sliders()}
    moved = {name: float(value) for name, value in zip(names, values, strict=True) if value is not None}
    if linked:
        moved |= {name: _larger(moved, name) for name in moved if _twin(name) in moved}
    return {name: value for name, value in moved.items() if value != rest[name]}


def _twin(name: str) -> str | None:
    """The same of the other side of the face; None where it has none. Looks and shifts aside have none."""
    if name.startswith(("eye-look", "jaw", "mouth-left", "mouth-right")):
        return None
    for here, there in (_SIDES, _SIDES[::-1]):
        if name.endswith(here):
            return name.removesuffix(here) + there
    return None


def _larger(values: Mapping[str, float], name: str) -> float:
    return max(values[name], values[str(_twin(name))], key=abs)
