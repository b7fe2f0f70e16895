"""Portrayal: one portrait speaks and moves.

    import portrayal
    from portrayal import Driving, Portrait

    clip = portrayal.load_engine("puppet").animate(Portrait.open("photo.jpg"), Driving.open("talk.mp4"))
    clip.save("out.mp4")

Names are imported when they are first used: importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from portrayal.clip import Clip as Clip
    from portrayal.driving import Driving as Driving
    from portrayal.engines import list_engines as list_engines
    from portrayal.engines import load_engine as load_engine
    from portrayal.engines import register_engine as register_engine
    from portrayal.engines.engine import Engine as Engine
    from portrayal.engines.info import EngineInfo as EngineInfo
    from portrayal.engines.options import EngineOptions as EngineOptions
    from portrayal.errors import PortrayalError as PortrayalError
    from portrayal.errors import UsageError as UsageError
    from portrayal.motion import Motion as Motion
    from portrayal.motion import MotionFrame as MotionFrame
    from portrayal.portrait import Portrait as Portrait

_HOME = {
    "Clip": "portrayal.clip",
    "Driving": "portrayal.driving",
    "Engine": "portrayal.engines.engine",
    "EngineInfo": "portrayal.engines.info",
    "EngineOptions": "portrayal.engines.options",
    "Motion": "portrayal.motion",
    "MotionFrame": "portrayal.motion",
    "Portrait": "portrayal.portrait",
    "PortrayalError": "portrayal.errors",
    "UsageError": "portrayal.errors",
    "list_engines": "portrayal.engines",
    "load_engine": "portrayal.engines",
    "register_engine": "portrayal.engines",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("portrayal")
    if name not in _HOME:
        raise AttributeError(f"module 'portrayal' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*_HOME, "__version__"])
