"""The engines as the page shows them: what each is, what it needs, and whether that is here."""

from __future__ import annotations

from html import escape

from portrayal.engines import engine_info, list_engines
from portrayal.engines.info import EngineInfo
from portrayal.weights import megabytes

_READS = {
    "motion": "driven by motion",
    "frames": "driven by pictures",
    "audio": "driven by sound",
}


def choices() -> list[tuple[str, str]]:
    """What to choose from: (what is shown, name)."""
    return [(info.name, info.name) for info in list_engines()]


def ready() -> list[str]:
    """Those that have all they need here and show what a motion says."""
    return [
        info.name
        for info in list_engines()
        if info.reads != "audio" and info.installed and info.weights_here is not False
    ]


def card(name: str) -> str:
    """An engine at a glance."""
    info = engine_info(name)
    chips = [_chip(_READS[info.reads]), *_needs(info), _chip(f"licence {_licence(info)}")]
    if info.commercial != "yes":
        no = "not for commercial use" if info.commercial == "no" else "commercial use unclear"
        chips.append(_chip(no, "warn"))
    paper = f"<p><small>{escape(info.paper)}</small></p>" if info.paper else ""
    about = f'<p>{escape(info.summary)}</p>{paper}<div class="chips">{"".join(chips)}</div>'
    return f'<div class="engine-card">{about}</div>'


def fetchable(name: str) -> str | None:
    """What the button says that fetches the weights; None where there is nothing to fetch."""
    info = engine_info(name)
    if not info.installed or info.weights_here is not False:
        return None
    size = "" if info.weights_size is None else f"{megabytes(info.weights_size)}, "
    return f"Get the weights ({size}licence {info.licence_weights})"


def _needs(info: EngineInfo) -> list[str]:
    if not info.installed:
        return [_chip(info.install_command, "warn")]
    if info.weights_here is None:
        return [_chip("ready, needs no weights" if info.weights is None else "ready", "good")]
    return [_chip("weights are here", "good") if info.weights_here else _chip("weights are missing", "warn")]


def _licence(info: EngineInfo) -> str:
    both = [info.licence_code, *([info.licence_weights] if info.licence_weights else [])]
    return " / weights ".join(dict.fromkeys(both))


def _chip(text: str, kind: str = "") -> str:
    return f'<span class="chip {kind}">{escape(text)}</span>'
