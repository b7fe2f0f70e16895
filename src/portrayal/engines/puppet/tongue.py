"""A tongue that is put out, drawn in the colours of the picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from portrayal.engines.puppet.arch import Layer, Surface
from portrayal.engines.puppet.mouth_look import Look, luma
from portrayal.engines.puppet.teeth import finish, soft_step

Array = NDArray[np.float32]

#: Of an adult's tongue, eye distances: how far it goes on behind the lower teeth, how far it can be put out,
#: half its width.
ROOT, OUT, HALF_WIDTH = 0.14, 0.3, 0.145
#: The least lightness of a tongue in the open, as a share of the teeth's: lips may lie in shadow.
LIGHTNESS = 0.55


def tongue(place: Array, size: float, look: Look, density: float) -> Layer:
    """The tongue put out as far as it can be.

    place: (3,) the middle of the lower teeth's edge, but as far in front as the lip that it hangs over.
    size: as in :class:`portrayal.engines.puppet.mouth.Anatomy`.
    """
    middle, edge, front = (float(x) for x in place)
    sheet = Surface.plane(middle, front)
    layer = Layer.grid(sheet, 1.2 * HALF_WIDTH * size, edge - ROOT * size, edge + 1.05 * OUT * size, density)
    u, y = layer.axes
    along = (y - layer.top) / ((ROOT + OUT) * size)
    width = HALF_WIDTH * size * np.sqrt(np.clip(1 - np.clip((along - 0.55) / 0.45, 0, None) ** 2, 0, 1))
    solid = soft_step(width - np.abs(u), max(0.9 / density, 0.004)) * (along < 1)
    solid = solid * np.clip(along / 0.2, 0, 1)
    round_ = np.sqrt(np.clip(1 - (u / np.maximum(width, 1e-3)) ** 2, 0, 1))
    groove = np.exp(-((u / (0.016 * size)) ** 2)) * np.clip((0.95 - along) / 0.4, 0, 1)
    open_air = np.clip(0.4 + (along - 0.1) / 0.4, 0.4, 1)  # its root lies in the mouth's shade
    tip = np.clip((along - 0.8) / 0.2, 0, 1) ** 2
    shade = (0.66 + 0.34 * round_) * (1 - 0.16 * groove) * (1 - 0.2 * tip)
    lighter = max(1.2, LIGHTNESS * luma(look.tooth) / max(luma(look.tongue), 1))
    colour = lighter * look.tongue * shade[..., None] * look.shaded(open_air * np.ones_like(u))
    return layer.with_texture(*finish(np.asarray(colour, np.float32), np.asarray(solid, np.float32), look))


def put_out(layer: Layer, amount: float, size: float) -> Layer:
    """The :func:`tongue` put out by an amount from 0 to 1."""
    return replace(layer, top=layer.top - (1 - amount) * OUT * size)
