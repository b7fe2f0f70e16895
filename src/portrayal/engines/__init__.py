"""The registry of engines: what there is, without loading any of it.

Other packages add engines through the entry point group `portrayal.engines` (name = "module:Class", the class
a :class:`portrayal.engines.engine.Engine`); a program adds its own with :func:`register_engine`.
"""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from portrayal.engines.info import EngineInfo
from portrayal.errors import PortrayalError

if TYPE_CHECKING:
    from portrayal.engines.engine import Engine
    from portrayal.engines.options import EngineOptions

#: Engines of this package and their classes. Engine x lives in the package portrayal.engines.x: its card,
#: `INFO`, and its options, `OPTIONS`, in the light module `info`, its class in the module `engine`.
BUILT_IN = {
    "puppet": "Puppet",
    "liveportrait": "LivePortrait",
    "tpsmm": "Tpsmm",
    "wananimate": "WanAnimate",
    "wananimate2": "WanAnimate2",
}
_registered: dict[str, type[Engine]] = {}


def list_engines() -> list[EngineInfo]:
    """Every engine known: built in, of other packages, registered. Those built in are not loaded."""
    infos: dict[str, EngineInfo] = {name: _module(name, "info").INFO for name in BUILT_IN}
    infos |= {name: _plug_in_info(point) for name, point in _plug_ins().items() if name not in infos}
    infos |= {name: engine.info for name, engine in _registered.items()}
    return list(infos.values())


def engine_info(name: str) -> EngineInfo:
    """What is known of the engine `name`; PortrayalError, with the names there are, where there is none."""
    infos = {info.name: info for info in list_engines()}
    if name not in infos:
        near = get_close_matches(name, infos, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise PortrayalError(f"there is no engine {name!r}{hint}; known: {', '.join(infos)}")
    return infos[name]


def engine_class(name: str) -> type[Engine]:
    """The class of an engine; PortrayalError with the pip command where its extra is not installed."""
    info = engine_info(name)
    if name in _registered:
        return _registered[name]
    try:
        if name in BUILT_IN:
            return _checked(name, getattr(_module(name, "engine"), BUILT_IN[name]))
        return _checked(name, _plug_ins()[name].load())
    except ModuleNotFoundError as error:
        if info.installed and info.extra is None and name in BUILT_IN:
            raise
        missing = error.name or "a package"
        raise PortrayalError(f"engine {name}: {missing} is not installed: {info.install_command}") from error


def engine_options(name: str) -> type[EngineOptions]:
    """The options of an engine; of one built in without loading it or what it needs."""
    if name in BUILT_IN and name not in _registered:
        options: type[EngineOptions] = _module(name, "info").OPTIONS
        return options
    return engine_class(name).Options


def engine_sliders() -> tuple[str, ...]:
    """The sliders that engines have of their own; of those built in and those registered."""
    return tuple(slider for name in (*BUILT_IN, *_registered) for slider in engine_options(name).sliders)


def load_engine(name: str, **settings: Any) -> Engine:
    """A new engine by name. settings: what its class takes, such as a device or a folder of weights."""
    return engine_class(name)(**settings)


def register_engine(engine: type[Engine]) -> type[Engine]:
    """Make an engine known by the name in its `info`, for this process; usable as a class decorator."""
    _registered[engine.info.name] = engine
    return engine


def _module(name: str, part: str) -> Any:
    return import_module(f"portrayal.engines.{name}.{part}")


def _plug_ins() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group="portrayal.engines")}


def _plug_in_info(point: EntryPoint) -> EngineInfo:
    try:
        info: EngineInfo = _checked(point.name, point.load()).info
    except Exception as error:  # one broken package must not take the list down
        reason = f"cannot be loaded from {point.value}: {type(error).__name__}: {error}"
        return EngineInfo(point.name, " ".join(reason.split()), "motion", "unknown")
    return info


def _checked(name: str, loaded: Any) -> type[Engine]:
    from portrayal.engines.engine import Engine

    if not (isinstance(loaded, type) and issubclass(loaded, Engine)):
        raise PortrayalError(f"engine {name}: its entry point is no portrayal.Engine class")
    return loaded
