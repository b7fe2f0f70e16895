"""Teeth, gums and tongue drawn in the colours of a picture, for mouths that do not show their own.

Lengths are head space units (eye distances) times `size`, the mouth's size against an adult's.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal.engines.puppet.arch import MILLIMETRES, Layer, Surface
from portrayal.engines.puppet.mouth_look import LUMA, Look, luma

Array = NDArray[np.float32]

#: From the midline outwards: width, crown height, how much higher than the first its edge stands; millimetres
#: (Ash and Nelson, Wheeler's Dental Anatomy, table of averages).
UPPER = np.array(
    [(8.5, 10.5, 0.0), (6.5, 9.2, 0.9), (7.6, 10.2, 0.3), (7.0, 8.6, 1.0), (6.8, 8.0, 1.3), (10, 7.5, 1.6)]
)
LOWER = np.array(
    [(5.2, 8.8, 0.0), (5.6, 9.2, 0.0), (6.8, 10.5, -0.4), (7.0, 8.5, 0.3), (7.1, 8.0, 0.6), (11, 7.5, 0.8)]
)
#: How much of the light on the gums the cheeks get, inside.
CHEEK = 0.4
#: The bite rises towards the back.
OCCLUSAL_SLOPE = 0.13


def edge_height(surface: Surface, u: Array) -> Array:
    """How much higher than at the midline the biting edge runs at u, smoothly."""
    return np.asarray(OCCLUSAL_SLOPE * surface.depth_at(u), np.float32)


def upper_teeth(surface: Surface, edge: float, size: float, look: Look, density: float) -> Layer:
    """The upper row, its biting edge at y = `edge` in the middle, and the gum above it."""
    layer = Layer.grid(surface, 0.45 * size, edge - 0.3 * size, edge + 0.03 * size, density)
    u, y = layer.axes
    return _row(layer, u, (edge - y) / size, UPPER, size, look, brightness=1.0)


def lower_teeth(surface: Surface, edge: float, size: float, look: Look, density: float) -> Layer:
    """The lower row, its biting edge at y = `edge` in the middle, and the gum below it."""
    layer = Layer.grid(surface, 0.42 * size, edge - 0.06 * size, edge + 0.26 * size, density)
    u, y = layer.axes
    table = np.asarray(LOWER * (1, 1, -1), np.float32)
    lifted = (y - edge + 2 * edge_height(surface, u)) / size
    return _row(layer, u, lifted, table, size, look, brightness=0.8)


def _row(
    layer: Layer, u: Array, above: Array, table: Array, size: float, look: Look, brightness: float
) -> Layer:
    """above: (h, 1) or (h, w) distance from the midline's biting edge towards the gum."""
    widths, heights, lifts = (table / MILLIMETRES).T.astype(np.float32)
    ends = np.concatenate([[0], np.cumsum(widths)]).astype(np.float32)
    position = np.abs(u) / size
    which = np.clip(np.searchsorted(ends, position[0], side="right") - 1, 0, len(widths) - 1)
    across = (position - (ends[which] + widths[which] / 2)) / (widths[which] / 2)  # -1 to 1 over each tooth
    soft = max(0.7 / (layer.density * size), 0.002)
    rise = above - lifts[which] - edge_height(layer.surface, u) / size
    rounding = 0.1 * widths[which] * np.abs(across) ** 4
    solid = soft_step(rise - rounding, soft)
    crown = heights[which] - 0.16 * heights[which] * across**2
    gum = soft_step(rise - crown, 2 * soft)
    solid = solid * np.clip((0.41 - position) / 0.06, 0, 1)
    along = np.clip(rise / crown, 0, 1)
    shade = 1 - 0.1 * np.abs(across) ** 3 - 0.12 * along**2 - 0.06 * np.exp(-along / 0.08)
    shade = shade * (1 + _variety(len(widths))[which + len(widths) * (u[0] > 0)])
    shade = shade + 0.05 * _contrast(look) * np.exp(
        -(((across + 0.2) / 0.4) ** 2) - ((along - 0.45) / 0.25) ** 2
    )
    width = max(0.004, 0.8 / (layer.density * size))
    gap = np.exp(-(((1 - np.abs(across)) * widths[which] / 2 / width) ** 2))
    shade = shade * (1 - 0.2 * _contrast(look) * gap)
    turned = np.clip(layer.surface.turn_at(u), 0, 1)
    dim = np.clip((0.4 - position) / 0.18, 0, 1)[..., None]  # the cheeks shade the back
    lit = brightness * (0.25 + 0.75 * turned) * _light(layer.surface, u, look)
    colour = (1 - gum[..., None]) * (shade[..., None] * look.tooth) + gum[..., None] * look.gum * 0.8
    behind = look.cavity + _cheek(layer.surface, u, size, look) * np.maximum(look.gum - look.cavity, 0)
    colour = behind + dim * (colour * look.shaded(lit) - behind)
    return layer.with_texture(*finish(colour, solid, look))


def back_of_mouth(surface: Surface, edge: float, size: float, look: Look, density: float) -> Layer:
    """Tongue, cheeks and the dark behind, opaque; `edge`: y of the lower teeth's biting edge."""
    layer = Layer.grid(surface, 0.5 * size, edge - 0.7 * size, edge + 0.35 * size, density)
    u, y = layer.axes
    across, below = u / size, (y - edge) / size
    below = below + 0.1  # at rest its back stands higher than the teeth
    ridge = 1.1 * across**2  # the tongue's outline, arched
    tongue = soft_step(below - ridge, 0.06) * soft_step(0.27 - np.abs(across), 0.06)
    groove = 1 - 0.12 * np.exp(-((across / 0.018) ** 2)) * np.clip(below / 0.1, 0, 1)
    depth = np.clip(0.08 + (below - ridge) / 0.17, 0.0, 1.0)
    lit = (tongue * depth * groove)[..., None] * _light(surface, u, look)[..., None]
    colour = look.cavity + lit * np.maximum(look.tongue - look.cavity, 0)
    colour = colour + _cheek(surface, u, size, look) * np.maximum(look.gum - colour, 0)
    full = np.ones(colour.shape[:2], np.float32)
    return layer.with_texture(*finish(colour, full, look))


def _cheek(surface: Surface, u: Array, size: float, look: Look) -> Array:
    """(1, w, 1) how much of the gums' colour is seen behind a row of teeth at u: the cheeks' inside."""
    aside = np.abs(np.interp(u, surface.u, surface.x) - float(surface.x.mean())) / size
    return np.asarray(CHEEK * soft_step(aside - 0.22, 0.1) * _light(surface, u, look), np.float32)[..., None]


def finish(colour: Array, alpha: Array, look: Look) -> tuple[Array, Array]:
    """As sharp and grainy as the picture, and within its range of brightness."""
    blur = max(look.blur, 0.4)
    colour = np.asarray(cv2.GaussianBlur(colour.astype(np.float32), (0, 0), blur), np.float32)
    alpha = np.asarray(cv2.GaussianBlur(np.ascontiguousarray(alpha, np.float32), (0, 0), blur), np.float32)
    noise = np.random.default_rng(0).standard_normal(alpha.shape).astype(np.float32)
    noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), 0.6), np.float32)
    bright = colour @ LUMA
    seen = np.clip(bright / max(look.high, 1), 0.2, 1)  # grain drowns in the dark
    colour += (0.7 * look.grain * seen * noise / noise.std())[..., None]
    bright = colour @ LUMA
    kept = np.clip(bright, look.low, look.high) / np.maximum(bright, 1)
    return colour * kept[..., None], alpha


def _variety(count: int) -> Array:
    """(2 * count,) no two teeth are of quite the same shade."""
    return (0.025 * np.random.default_rng(7).standard_normal(2 * count)).astype(np.float32)


def _contrast(look: Look) -> float:
    """Faint lines between teeth belong to detailed pictures; smooth ones leave them out."""
    return float(np.clip(0.35 + look.grain / 4, 0.35, 0.8))


def _light(surface: Surface, u: Array, look: Look) -> Array:
    """Side light: what the skin left and right of the mouth shows, spread over the row."""
    middle = float(surface.x.mean())
    side = np.clip((np.interp(u, surface.u, surface.x) - middle) / 0.3, -1, 1)
    return np.asarray(look.light ** (0.4 * side), np.float32)


def soft_step(value: Array, soft: float) -> Array:
    return np.asarray(1 / (1 + np.exp(np.clip(-4 * value / soft, -50, 50))), np.float32)


def recoloured(look: Look, tooth: Array | None, cavity: Array | None) -> Look:
    """The look with colours that the mouth itself shows."""
    changed = replace(look, tooth=look.tooth if tooth is None else tooth)
    if cavity is None or luma(cavity) > 0.5 * luma(look.tongue):
        return changed
    return replace(changed, cavity=cavity)
