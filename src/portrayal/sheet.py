"""Contact sheets: a whole clip at one glance."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from portrayal.errors import PortrayalError, UsageError

Rgb = NDArray[np.uint8]

_GAP = 6
_LABEL = 20
_PAPER, _INK = 250, (70, 70, 70)


class ContactSheet:
    """Collects evenly spaced frames of a clip as it goes by; memory stays that of two sheets.

    fps: the clip's. count: its frames if known, for exactly even spacing; otherwise every 2^k-th frame is
    kept, k growing with the clip. tile: longest side of a picture on the sheet in pixels.
    """

    def __init__(
        self, fps: Fraction, *, count: int | None = None, columns: int = 4, rows: int = 3, tile: int = 320
    ) -> None:
        if columns < 1 or rows < 1:
            raise UsageError("a contact sheet needs at least one column and one row")
        self._fps, self._columns, self._places, self._tile = fps, columns, columns * rows, tile
        self._wanted = None if count is None else set(_spread(count, self._places))
        self._tiles: dict[int, Rgb] = {}
        self._step, self._seen = 1, 0

    def add(self, rgb: Rgb) -> None:
        """Show it the next frame, (H, W, 3) uint8."""
        number, self._seen = self._seen, self._seen + 1
        if number not in self._wanted if self._wanted is not None else number % self._step:
            return
        self._tiles[number] = self._small(rgb)
        if self._wanted is None and len(self._tiles) >= 2 * self._places:
            self._step *= 2
            self._tiles = {n: tile for n, tile in self._tiles.items() if n % self._step == 0}

    def picture(self) -> Rgb:
        """The sheet, (H, W, 3) uint8; PortrayalError if no frame was shown."""
        if not self._tiles:
            raise PortrayalError("there are no frames for a contact sheet")
        numbers = sorted(self._tiles)
        shown = [numbers[i] for i in _spread(len(numbers), self._places)]
        columns = min(self._columns, len(shown))
        height, width = self._tiles[shown[0]].shape[:2]
        cell_w, cell_h = width + _GAP, height + _LABEL
        rows = -(-len(shown) // columns)
        sheet = Image.new("RGB", (columns * cell_w + _GAP, rows * cell_h + _GAP), (_PAPER,) * 3)
        draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
        for place, number in enumerate(shown):
            x, y = _GAP + place % columns * cell_w, _GAP + place // columns * cell_h
            sheet.paste(Image.fromarray(self._tiles[number]), (x, y))
            draw.text((x + 1, y + height + 2), f"{number}", _INK, font)
            draw.text((x + width - 1, y + height + 2), f"{float(number / self._fps):.2f} s", _INK, font, "ra")
        return np.asarray(sheet)

    def _small(self, rgb: Rgb) -> Rgb:
        scale = self._tile / max(rgb.shape[:2])
        size = max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale))
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(rgb, size, interpolation=how), np.uint8)


def _spread(count: int, places: int) -> list[int]:
    """At most `places` of `count` numbers from 0, first and last among them, evenly spaced."""
    return sorted({round(x) for x in np.linspace(0, max(count - 1, 0), min(places, max(count, 1)))})
