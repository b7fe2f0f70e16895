"""The Thin-Plate-Spline Motion Model (Zhao & Zhang 2022, https://arxiv.org/abs/2203.14367)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from portrayal.engines.engine import Engine
from portrayal.engines.tpsmm.crop import Paste
from portrayal.engines.tpsmm.driver import Driver, Place
from portrayal.engines.tpsmm.inference import Inference, Source, load_networks
from portrayal.engines.tpsmm.info import INFO, TpsmmOptions
from portrayal.engines.tpsmm.transfer import Mode, Transfer
from portrayal.prefetch import prefetch

if TYPE_CHECKING:
    from portrayal.driving import Driving
    from portrayal.portrait import Portrait

Rgb = NDArray[np.uint8]
Array = NDArray[np.float32]


@dataclass(frozen=True)
class Figure:
    """One face or the body of a portrait, or its whole picture. points: (50, 2)."""

    place: Place
    source: Source
    points: Array


class Tpsmm(Engine):
    """See :data:`portrayal.engines.tpsmm.info.INFO`.

    Its networks are loaded when they are first needed, and kept; so is what is made of a portrait. Of a
    portrait that is a video the first frame is animated.
    """

    info = INFO
    Options: ClassVar = TpsmmOptions

    def __init__(self) -> None:
        self._loaded: tuple[Any, Inference] | None = None
        self._cast: tuple[Portrait, Any, list[Figure]] | None = None

    def needs_face(self, options: TpsmmOptions) -> bool:
        return options.on_face

    def frame_size(self, portrait: Portrait, options: TpsmmOptions) -> tuple[int, int]:
        return portrait.size if options.paste_back else (options.side, options.side)

    def render(self, portrait: Portrait, driving: Driving, options: TpsmmOptions) -> Iterator[Rgb]:
        networks = self.networks(options)
        driver = Driver(driving, portrait, options)
        figures = self._figures(portrait, driver.places, options, networks)
        transfers = [_transfer(figure, driver, options, networks) for figure in figures]
        pastes = [Paste(figure.place.square, portrait.size) for figure in figures]
        for batch in _batches(prefetch(driver.squares()), options.batch):
            points = networks.keypoints(np.stack(batch))
            painted = [
                networks.render(figure.source, transfer(points))
                for figure, transfer in zip(figures, transfers, strict=True)
            ]
            for parts in zip(*painted, strict=True):
                yield _pasted(portrait.rgb, pastes, parts) if options.paste_back else parts[0]

    def networks(self, options: TpsmmOptions) -> Inference:
        """The networks that the options ask for; PortrayalError where their weights are missing."""
        wanted = ("weights", "config", "device", "precision", "compile", "activation", "keypoint_size")
        key = (*(getattr(options, name) for name in wanted), options.mode == "avd")
        if self._loaded is None or self._loaded[0] != key:
            self._loaded, self._cast = (key, load_networks(options)), None
        return self._loaded[1]

    def _figures(
        self, portrait: Portrait, places: list[Place], options: TpsmmOptions, networks: Inference
    ) -> list[Figure]:
        """Made once for a portrait and kept for its next driving."""
        key = (options.side, [place.square for place in places])
        if self._cast is None or self._cast[0] is not portrait or self._cast[1] != key:
            self._cast = (portrait, key, list(_cut(portrait, places, options, networks)))
        return self._cast[2]


def _cut(
    portrait: Portrait, places: list[Place], options: TpsmmOptions, networks: Inference
) -> Iterator[Figure]:
    for place in places:
        picture = place.square.cut(portrait.rgb, options.side)
        yield Figure(place, networks.source(picture), networks.keypoints(picture[None])[0])


def _transfer(figure: Figure, driver: Driver, options: TpsmmOptions, networks: Inference) -> Transfer:
    mode: Mode = "standard" if options.absolute and options.mode == "relative" else options.mode
    reference = figure.points
    if mode == "relative":
        reference = driver.reference(figure.place.face, figure.points, networks)
    return Transfer(mode, figure.points, reference, options.strength, networks.avd)


def _batches(items: Iterable[Rgb], size: int) -> Iterator[list[Rgb]]:
    stream = iter(items)
    while batch := list(islice(stream, size)):
        yield batch


def _pasted(rgb: Rgb, pastes: list[Paste], parts: Iterable[Rgb]) -> Rgb:
    picture = rgb.copy()
    for paste, part in zip(pastes, parts, strict=True):
        paste(picture, part)
    return picture
