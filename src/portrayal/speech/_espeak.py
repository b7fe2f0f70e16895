"""espeak-ng in a process of its own (it is GPL-3; Portrayal talks to it by pipes and never loads it).

`python -m portrayal.speech._espeak` reads one JSON request {text, voice, rate, pitch} from standard input and
writes messages to standard output: one byte of kind, four of length (little endian), the content. Kinds: R
sampling rate in Hz as text, S 16-bit mono samples, P JSON [sample, IPA] of a phoneme that begins there,
E a line saying what went wrong.
"""

from __future__ import annotations

import ctypes
import json
import os
import struct
import sys
from pathlib import Path
from typing import Any

_RETRIEVE_AT_ONCE = 2
_PHONEME_EVENTS_IN_IPA, _DO_NOT_EXIT = 0x0003, 0x8000
_EVENT_END, _EVENT_PHONEME = 0, 7
_UTF8, _END_PAUSE = 0x0001, 0x1000
_RATE, _PITCH = 1, 3
_POSITION_CHARACTER = 1


class _Event(ctypes.Structure):
    """espeak_EVENT of speak_lib.h; the union's string is all that is read of it."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


class _Voice(ctypes.Structure):
    """espeak_VOICE of speak_lib.h."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_char_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


def _send(kind: bytes, content: bytes) -> None:
    sys.stdout.buffer.write(struct.pack("<cI", kind, len(content)) + content)


def _speak(request: dict[str, Any]) -> str | None:
    """None, or what went wrong."""
    import espeakng_loader

    # By a relative path: the library holds no more than 160 characters.
    data = Path(espeakng_loader.get_data_path())
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    os.chdir(data.parent)
    rate = library.espeak_Initialize(
        _RETRIEVE_AT_ONCE, 200, data.name.encode(), _PHONEME_EVENTS_IN_IPA | _DO_NOT_EXIT
    )
    if rate <= 0:
        return "espeak-ng does not start: its data is missing or damaged"
    name = request["voice"].encode()
    language = _Voice(languages=name)
    if library.espeak_SetVoiceByName(name) and library.espeak_SetVoiceByProperties(ctypes.byref(language)):
        return f"espeak-ng has no voice {request['voice']!r}; names are like en-us, de, fr-fr or cmn"
    library.espeak_SetParameter(_RATE, int(request["rate"]), 0)
    library.espeak_SetParameter(_PITCH, int(request["pitch"]), 0)
    _send(b"R", str(rate).encode())
    callback = _Callback(_receive)
    library.espeak_SetSynthCallback(callback)
    text = request["text"].encode() + b"\0"
    failed = library.espeak_Synth(
        ctypes.c_char_p(text), ctypes.c_size_t(len(text)), 0, _POSITION_CHARACTER, 0,
        _UTF8 | _END_PAUSE, None, None,
    )  # fmt: skip
    return "espeak-ng could not speak the text" if failed else None


def _receive(samples: Any, count: int, events: Any) -> int:
    """What espeak-ng calls with every piece of sound; 0 asks for more, 1 stops."""
    try:
        i = 0
        while events[i].type != _EVENT_END:
            if events[i].type == _EVENT_PHONEME:
                name = events[i].id.decode("utf-8", "ignore")
                _send(b"P", json.dumps([events[i].sample, name]).encode())
            i += 1
        if samples and count:
            _send(b"S", ctypes.string_at(samples, 2 * count))
    except OSError:
        return 1
    return 0


def main() -> None:
    """Serve one request."""
    trouble = _speak(json.loads(sys.stdin.buffer.read()))
    if trouble:
        _send(b"E", trouble.encode())
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
