"""Sliders that change an expression, after LivePortrait's retargeting page (MIT) and the well-known ComfyUI
editor.

Every slider adds fixed amounts to single coordinates of the expression; they are composed by adding up. All
at zero give the portrait back exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from portrayal.engines.liveportrait.keypoints import FaceMotion, rotation_matrix
from portrayal.engines.liveportrait.offsets import offset
from portrayal.engines.liveportrait.retargeting import Retargeting
from portrayal.engines.liveportrait.transfer import known
from portrayal.errors import UsageError

if TYPE_CHECKING:
    from portrayal.engines.liveportrait.info import LivePortraitOptions

Array = NDArray[np.float32]
Part = Literal["expression", "rotation", "mouth", "eyes", "all"]


Change = Callable[[float], Array]


def _linear(text: str) -> Change:
    each = offset(text)
    return lambda value: np.float32(value) * each


def _sided(above: str, below: str) -> Change:
    """Other amounts per unit above 0 than below."""
    up, down = offset(above), offset(below)
    return lambda value: np.float32(value) * (up if value > 0 else down)


#: What each slider adds to an expression (21, 3) at a value; ranges and meaning are those of the options
#: (:mod:`.info`). Numbers are those of LivePortrait's page.
SLIDERS: dict[str, Change] = {
    "smile": _linear(
        "20y -.01, 14y -.02, 17y .0065, 17z .003, 13y -.00275, 16y -.00275, 3y -.0035, 7y -.0035"
    ),
    "aaa": _linear("19y .001, 19z .0001, 17y -.0001"),
    "eee": _linear("20z -.001, 20y -.001, 14y -.001"),
    "woo": _linear("14y .001, 3y -.0005, 7y -.0005, 17z -.0005"),
    "pout": _linear("19x 1"),
    "blink": _linear("11y -.001, 13y .0003, 15y -.001, 16y .0003"),
    "wink": _linear("11y .001, 13y -.0003, 17x .0003, 17y .0003, 3y -.0003"),
    "eyebrow": _sided("1y .001, 2y -.001", "1x -.001, 2x .001, 1y .0003, 2y -.0003"),
    "pupil_x": _sided("11x .0007, 15x .001", "11x .001, 15x .0007"),
    # The lids follow by half, as far as a blink of that much would move them.
    "pupil_y": _linear("11y -.0005, 15y -.0005, 13y -.00015, 16y -.00015"),
    "shift_x": _linear("5x 1"),
    "shift_y": _linear("5y 1"),
}
#: What the ComfyUI editor's sliders turn besides, in degrees of pitch, yaw, roll per unit ...
_TURNS = {"aaa": (-0.05, 0.0, 0.0), "wink": (0.0, -0.1, -0.1)}
#: ... and its brows, which follow the lids.
_BROWS = offset("1y -.00025, 2y .00025")
_MOUTH, _EYES = (14, 17, 19, 20), (1, 2, 11, 13, 15, 16)


@dataclass(frozen=True)
class Edit:
    """A change of a portrait.

    sliders: by name, see :data:`SLIDERS`. angles: (pitch, yaw, roll) in LivePortrait's degrees, added. zoom:
    factor of the head's size. eyes_open, lips_open: ratios to open them to (0 to 0.8), None to leave them.
    sample: another face, N = 1, whose expression, or head angles, are added `sample_ratio` times, as `part`
    says; source_ratio: how much of the portrait's own expression is kept.
    """

    sliders: Mapping[str, float] = field(default_factory=dict)
    angles: tuple[float, float, float] = (0.0, 0.0, 0.0)
    zoom: float = 1.0
    eyes_open: float | None = None
    lips_open: float | None = None
    sample: FaceMotion | None = None
    sample_ratio: float = 1.0
    part: Part = "expression"
    source_ratio: float = 1.0

    @classmethod
    def of(
        cls,
        options: LivePortraitOptions,
        sample: FaceMotion | None,
        moving: Mapping[str, float] | None = None,
    ) -> Edit:
        """What the options say, and what comes on top in one frame of a script (`moving`, by slider).

        sample: what the motion extractor sees in the picture that the options name.
        """
        extra = moving or {}
        values = {name: getattr(options, name) + extra.get(name, 0.0) for name in SLIDERS}
        return cls(
            sliders={name: value for name, value in values.items() if value},
            zoom=options.zoom * extra.get("zoom", 1.0),
            eyes_open=options.eyes_open,
            lips_open=options.lips_open,
            sample=sample,
            sample_ratio=options.sample_ratio,
            part=options.sample_part,
            source_ratio=options.source_ratio,
        )


def slider_offset(values: Mapping[str, float]) -> Array:
    """(21, 3) what all sliders together add to an expression; UsageError for an unknown name."""
    total = np.zeros((21, 3), np.float32)
    for name, value in values.items():
        if name not in SLIDERS:
            raise UsageError(f"there is no slider {name!r}; known: {', '.join(SLIDERS)}")
        total += SLIDERS[name](value)
    return total


def editor_offset(values: Mapping[str, float]) -> tuple[Array, Array]:
    """What the ComfyUI editor makes of the same sliders: (21, 3) and the degrees (3,) that they turn besides.

    There brows follow the lids, a wide mouth tips the head back, and a wink tilts it.
    """
    blink = values.get("blink", 0.0) - values.get("pupil_y", 0.0) / 2
    total = slider_offset(values) + np.float32(blink) * _BROWS
    turn = sum((np.multiply(values.get(name, 0.0), degrees) for name, degrees in _TURNS.items()), np.zeros(3))
    return total, turn.astype(np.float32)


def edited(source: FaceMotion, edit: Edit) -> FaceMotion:
    """The portrait (N = 1, or N frames) with an edit, before the networks have their say (:func:`opened`)."""
    change = slider_offset(edit.sliders)
    angles = np.zeros(3, np.float32) + np.asarray(edit.angles, np.float32)
    if edit.sample is not None:
        change = change + sample_offset(edit)
        if edit.part in ("rotation", "all"):
            angles = angles + np.float32(edit.sample_ratio) * edit.sample.angles[0]
    turned = rotation_matrix(source.angles + angles) if angles.any() else source.rotation
    return replace(
        source,
        rotation=turned,
        expression=_kept(source.expression, edit.source_ratio) + change,
        scale=source.scale * np.float32(edit.zoom),
    )


def sample_offset(edit: Edit) -> Array:
    """(21, 3) what the sample's expression adds; where its head is (point 5, x and y) does not count."""
    assert edit.sample is not None
    expression = edit.sample.expression[0].copy()
    expression[5, :2] = 0
    parts: dict[str, Iterable[int]] = {"mouth": _MOUTH, "eyes": _EYES, "rotation": ()}
    chosen = list(parts.get(edit.part, range(21)))
    change = np.zeros((21, 3), np.float32)
    change[chosen] = expression[chosen] * np.float32(edit.sample_ratio)
    return change


def _kept(expression: Array, ratio: float) -> Array:
    """A share of an expression, but all of point 5, which says where the head is."""
    kept = expression * np.float32(ratio)
    kept[:, 5] = expression[:, 5]
    return kept


def place_edit(source: FaceMotion, edit: Edit, networks: Retargeting, *, stitching: bool = True) -> Array:
    """(N, 21, 3) keypoints of the edited portrait.

    Nothing edited gives the portrait's own, which are not stitched then. Opening eyes or lips needs the
    source's own ratios, see :class:`FaceMotion`; PortrayalError without.
    """
    rest = source.keypoints
    points = edited(source, edit).keypoints + opened(source, edit, networks)
    if np.array_equal(points, rest):
        return rest
    return networks.stitched(rest, points) if stitching else points


def opened(source: FaceMotion, edit: Edit, networks: Retargeting) -> Array:
    """(N, 21, 3) what opens eyes and lips to the ratios asked for."""
    rest, count = source.keypoints, len(source)
    total = np.zeros((count, 21, 3), np.float32)
    if edit.eyes_open is not None:
        wanted = np.full((count, 1), edit.eyes_open, np.float32)
        total += networks.eyes_to(rest, known(source.eyes, "the portrait's eyes"), wanted)
    if edit.lips_open is not None:
        wanted = np.full(count, edit.lips_open, np.float32)
        total += networks.lips_to(rest, known(source.lips, "the portrait's lips"), wanted)
    return total


def editor_keypoints(source: FaceMotion, edit: Edit) -> Array:
    """(N, 21, 3) as the ComfyUI editor places them, before stitching.

    There the expression turns with the head, and z is shifted, too: nothing edited is not the portrait as
    it is.
    """
    change, turn = editor_offset(edit.sliders)
    if edit.sample is not None:
        change = change + sample_offset(edit)
        if edit.part in ("rotation", "all"):
            turn = turn + np.float32(edit.sample_ratio) * edit.sample.angles[0]
    assert source.canonical is not None
    rotation = rotation_matrix(source.angles + turn + np.asarray(edit.angles, np.float32))
    shape = source.canonical + _kept(source.expression, edit.source_ratio) + change
    turned = (source.scale * np.float32(edit.zoom))[:, None, None] * (shape @ rotation)
    return np.asarray(turned + source.translation[:, None], np.float32)
