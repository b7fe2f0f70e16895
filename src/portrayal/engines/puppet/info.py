"""What the puppet is and what one can set; light, so that a list of engines costs nothing."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from portrayal.engines.info import EngineInfo
from portrayal.engines.options import EngineOptions

INFO = EngineInfo(
    name="puppet",
    summary="warps the picture by tracked landmarks; no weights, any CPU",
    reads="motion",
    licence_code="Apache-2.0",
    commercial="yes",
    live=True,
)


class PuppetOptions(EngineOptions):
    """The options of the engine."""

    group: ClassVar = "What moves"

    body: bool = Field(
        False,
        description="Move shoulders, torso and arms, too, where portrait and driving show them (slower)",
    )


OPTIONS = PuppetOptions
