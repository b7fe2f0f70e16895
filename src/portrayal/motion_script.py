"""Edit scripts: key frames over time, eased.

    fps: 25                     # 25 unless given
    duration: 2.0               # seconds; until the last key unless given
    keys:
      - {at: 0.0, pitch: 0}
      - {at: 0.5, pitch: 8, eye-blink-left: 1, ease: in-out}
      - {at: 1.0, pitch: 0, eye-blink-left: 0}

Names are the 52 ARKit shapes (eye-blink-left or eyeBlinkLeft), `pitch`, `yaw`, `roll` in degrees, `x`, `y` in
eye distances, `scale` (1 as it is), `gaze-x`, `gaze-y` (-1 to 1, x to the own left, y down; added to the
eyeLook shapes). Each moves from its last key to its next one by itself and is at rest before its first;
`ease` says how this key is reached: linear, in, out, in-out (unless given) or hold (jump when it is there).
Sliders of single engines (see :mod:`portrayal.sliders`) are names, too; other engines leave them out.

In place of keys a script may have a time line (:mod:`portrayal.timeline`) of numbered motions:

    motions: {1: {smile: 1}, 2: {jaw-open: 0.5, yaw: 10}}
    timeline: |
      1 = 10:5
      2 = 10:20
      0 = 5:0
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from portrayal.engines import engine_sliders
from portrayal.errors import PortrayalError, UsageError
from portrayal.motion import SHAPE_INDEX, SHAPES, Motion
from portrayal.sliders import rest_of
from portrayal.timeline import parse_timeline, play

Array = NDArray[np.float32]

HEAD = ("pitch", "yaw", "roll", "x", "y", "scale", "gaze-x", "gaze-y")
EASES = ("in-out", "linear", "in", "out", "hold")
#: Longest script in frames, so that a slip of the finger does not fill the memory.
LIMIT = 1_000_000
_FIELDS, _TIMED = ("fps", "duration", "keys"), ("fps", "motions", "timeline")


def kebab(name: str) -> str:
    """eyeBlinkLeft as eye-blink-left."""
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name)


def _letters(name: str) -> str:
    return name.replace("-", "").replace("_", "").lower()


#: What each name means, by its letters alone: a shape of SHAPES or one of HEAD.
_NAMES = {_letters(name): name for name in (*SHAPES, *HEAD)}


def channel(name: str) -> str:
    """A shape's name, one of HEAD or a slider's for any spelling; UsageError, with near matches, else."""
    names = _NAMES | {_letters(slider): slider for slider in engine_sliders()}
    found = names.get(_letters(str(name)))
    if found is None:
        known = [kebab(n) for n in names.values()]
        near = get_close_matches(kebab(str(name)).replace("_", "-").lower(), known, 3, 0.5)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise UsageError(f"there is no coefficient {name!r}{hint}")
    return found


def read_script(script: str | os.PathLike[str] | Mapping[str, Any]) -> Motion:
    """See :meth:`Motion.from_script`."""
    if isinstance(script, Mapping):
        return _acted(script)
    from portrayal.media.files import check_source, shown

    source = check_source(script)
    try:
        return _acted(_parsed(source))
    except (UsageError, ValueError, OverflowError) as error:
        said = " ".join(str(error).split())
        raise PortrayalError(f"{shown(script)}: {said}") from error


def _parsed(path: Path) -> Any:
    import yaml

    try:
        text = path.read_text(encoding="utf-8-sig")
        return yaml.load(text, _loader())  # JSON is YAML too
    except UnicodeDecodeError as error:
        raise ValueError("is not a text file") from error
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        raise ValueError(
            f"is not YAML or JSON: {getattr(error, 'problem', None) or 'broken'}{where}"
        ) from error


def _loader() -> Any:
    """yaml.SafeLoader without aliases, which can make a small file huge."""
    import yaml

    class Loader(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise UsageError("aliases (*name) are not allowed in a script")
            return super().compose_node(parent, index)

    return Loader


def _acted(script: Any) -> Motion:
    if isinstance(script, Mapping) and "timeline" in script:
        return _timed(script)
    if not isinstance(script, Mapping) or not isinstance(script.get("keys"), list) or not script["keys"]:
        raise UsageError("a script has a list of keys ({at: seconds, name: value, ...})")
    unknown = [str(k) for k in script if k not in _FIELDS]
    if unknown:
        raise UsageError(f"a script has fps, duration and keys, but no {unknown[0]!r}")
    fps = _rate(script)
    tracks, last = _tracks(script["keys"])
    duration = _number(script.get("duration", last + 1 / max(float(fps), 1)), "duration")
    if fps <= 0 or duration <= 0 or duration * fps > LIMIT:
        raise UsageError(f"fps and duration must be above 0 and at most {LIMIT} frames")
    times = np.arange(max(1, round(duration * fps))) / float(fps)
    rest = Motion.from_coefficients(fps, np.zeros((len(times), len(SHAPES)), np.float32))
    return _with(rest, {name: _curve(keys, times, name) for name, keys in tracks.items()}, add=False)


def _timed(script: Mapping[Any, Any]) -> Motion:
    """A script that has a time line of numbered motions."""
    unknown = [str(k) for k in script if k not in _TIMED]
    motions, text = script.get("motions", {}), script["timeline"]
    if unknown:
        raise UsageError(f"a script with a time line has fps and motions, but no {unknown[0]!r}")
    if not isinstance(text, str) or not isinstance(motions, Mapping):
        raise UsageError("a time line is lines of motion = change : keep, and motions are {1: {name: value}}")
    known: dict[int, dict[str, float]] = {}
    for number, values in motions.items():
        if isinstance(number, bool) or not str(number).isdigit() or not isinstance(values, Mapping):
            raise UsageError(f"motion {number!r} is not a number with values: {{1: {{name: value}}}}")
        known[int(number)] = {channel(n): _number(v, str(n)) for n, v in values.items()}
    frames = list(play(parse_timeline(text), known))
    curves = {name: np.array([frame[name] for frame in frames], np.float32) for name in frames[0]}
    fps = _rate(script)
    if fps <= 0:
        raise UsageError("fps must be above 0")
    rest = Motion.from_coefficients(fps, np.zeros((len(frames), len(SHAPES)), np.float32))
    return _with(rest, curves, add=False)


def _rate(script: Mapping[Any, Any]) -> Fraction:
    return Fraction(_number(script.get("fps", 25), "fps")).limit_denominator(1001)


Key = tuple[float, float, str]  # time in seconds, value, ease


def _tracks(keys: list[Any]) -> tuple[dict[str, list[Key]], float]:
    """The keys of each channel in order of time, and the time of the last."""
    tracks: dict[str, list[Key]] = {}
    last = 0.0
    for number, key in enumerate(keys, 1):
        if not isinstance(key, Mapping) or "at" not in key:
            raise UsageError(f"key {number} needs a time (at: seconds)")
        at, ease = _number(key["at"], "at"), key.get("ease", "in-out")
        if at < 0:
            raise UsageError(f"key {number} is before the start (at: {at:g})")
        if ease not in EASES:
            raise UsageError(f"key {number}: ease is {', '.join(EASES)}, not {ease!r}")
        last = max(last, at)
        for name, value in key.items():
            if name not in ("at", "ease"):
                tracks.setdefault(channel(name), []).append((at, _number(value, str(name)), ease))
    return {name: sorted(keys, key=lambda k: k[0]) for name, keys in tracks.items()}, last


def _curve(keys: list[Key], times: NDArray[np.float64], name: str) -> Array:
    """The value at all times (seconds): at rest from 0 to the first key, held after the last."""
    rest = rest_of(name)
    curve = np.full(len(times), keys[0][1] if keys[0][0] == 0 else rest)
    start, before = 0.0, float(curve[0])
    for at, value, ease in keys:
        inside = (times >= start - 1e-9) & (times < at)
        curve[inside] = before + (value - before) * _eased(
            (times[inside] - start) / max(at - start, 1e-9), ease
        )
        curve[times >= at - 1e-9] = value
        start, before = at, value
    return curve.astype(np.float32)


def _eased(t: NDArray[np.float64], ease: str) -> NDArray[np.float64]:
    if ease == "hold":
        return np.zeros_like(t)
    if ease == "in":
        return t * t
    if ease == "out":
        return t * (2 - t)
    return t * t * (3 - 2 * t) if ease == "in-out" else t


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise UsageError(f"{name} must be a number, not {value!r}")
    return float(value)


def edited(motion: Motion, values: Mapping[str, float], add: bool) -> Motion:
    """See :meth:`Motion.edited`."""
    count = len(motion)
    return _with(
        motion,
        {channel(n): np.full(count, _number(v, n), np.float32) for n, v in values.items()},
        add=add,
    )


def _with(motion: Motion, curves: Mapping[str, Array], *, add: bool) -> Motion:
    """`motion` with values (T,) of some channels set or added; a scale added is multiplied."""
    rotation, translation = motion.rotation.copy(), motion.translation.copy()
    scale, coefficients = motion.scale.copy(), motion.coefficients.copy()
    places = {
        "pitch": rotation[:, 0], "yaw": rotation[:, 1], "roll": rotation[:, 2],
        "x": translation[:, 0], "y": translation[:, 1],
    } | {name: coefficients[:, index] for name, index in SHAPE_INDEX.items()}  # fmt: skip
    for name, curve in curves.items():
        if name == "scale":
            scale = scale * curve if add else curve
        elif name in places:
            places[name][:] = places[name] + curve if add else curve
    _add_gaze(coefficients, curves)
    sliders = dict(motion.sliders)
    for name in curves.keys() & set(engine_sliders()):
        before = sliders.get(name, np.full(len(motion), rest_of(name), np.float32))
        added = before * curves[name] if rest_of(name) else before + curves[name]
        sliders[name] = added if add else curves[name]
    changed = any(name in SHAPE_INDEX or name.startswith("gaze") for name in curves)
    return replace(
        motion,
        rotation=rotation,
        translation=translation,
        scale=scale,
        coefficients=coefficients,
        shapes=None if changed else motion.shapes,
        sliders=sliders,
    )


def _add_gaze(coefficients: Array, curves: Mapping[str, Array]) -> None:
    """Have both eyes look by gaze-x to the own left and by gaze-y down, in place, on top of what they do."""
    for name, pairs in (
        ("gaze-x", (("eyeLookOutLeft", "eyeLookInLeft"), ("eyeLookInRight", "eyeLookOutRight"))),
        ("gaze-y", (("eyeLookDownLeft", "eyeLookUpLeft"), ("eyeLookDownRight", "eyeLookUpRight"))),
    ):
        if name not in curves:
            continue
        for towards, away in pairs:
            a, b = SHAPE_INDEX[towards], SHAPE_INDEX[away]
            total = coefficients[:, a] - coefficients[:, b] + curves[name]
            coefficients[:, a], coefficients[:, b] = np.maximum(total, 0), np.maximum(-total, 0)
