"""What is known of an engine without loading it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal


@dataclass(frozen=True)
class EngineInfo:
    """The card of an engine.

    reads: which view of the driving it uses. commercial: whether its results may be used commercially, code
    and weights taken together. extra: the pip extra it needs, None when the base install is enough; modules:
    top level modules that this extra brings. weights: what `portrayal download` calls them, None when it has
    none; weights_size: bytes to download. paper: title and address. live: whether it makes one frame of every
    frame of a camera, at once.
    """

    name: str
    summary: str
    reads: Literal["motion", "frames", "audio"]
    licence_code: str
    licence_weights: str | None = None
    commercial: Literal["yes", "no", "unclear"] = "unclear"
    extra: str | None = None
    modules: tuple[str, ...] = ()
    weights: str | None = None
    weights_size: int | None = None
    paper: str | None = None
    live: bool = False

    @property
    def installed(self) -> bool:
        """Whether the modules it needs are there (they are not imported)."""
        return all(find_spec(module) is not None for module in self.modules)

    @property
    def weights_here(self) -> bool | None:
        """Whether its weights have been downloaded; None when it has none, or brings them itself."""
        from portrayal.weights import WEIGHTS, complete

        return complete(self.weights) if self.weights in WEIGHTS else None

    @property
    def install_command(self) -> str:
        """The pip command that makes it run."""
        return f"pip install 'portrayal[{self.extra}]'" if self.extra else "pip install portrayal"
