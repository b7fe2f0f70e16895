"""Voice and text: what is said, when, and how a face looks that says it. Loaded when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from portrayal.speech.performance import perform, perform_phonemes
    from portrayal.speech.phonemes import Phone
    from portrayal.speech.synthesis import Speech, Synthesizer, register, say
    from portrayal.speech.visemes import lip_aperture

__all__ = [
    "Phone",
    "Speech",
    "Synthesizer",
    "lip_aperture",
    "perform",
    "perform_phonemes",
    "register",
    "say",
]

_HOMES = {
    "perform": "performance",
    "perform_phonemes": "performance",
    "Phone": "phonemes",
    "Speech": "synthesis",
    "Synthesizer": "synthesis",
    "register": "synthesis",
    "say": "synthesis",
    "lip_aperture": "visemes",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
