"""Text → voice with the times of its phonemes. espeak-ng is built in; better voices can be registered."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import IO, Protocol

import numpy as np

from portrayal.errors import PortrayalError, UsageError
from portrayal.media.audio import Audio, Waveform
from portrayal.speech.ipa import timed
from portrayal.speech.phonemes import SILENCE, Phone

#: Words a minute that espeak-ng takes.
SLOWEST, FASTEST = 80, 450
#: 0 to 99; espeak-ng's own 50 is a little shrill.
_PITCH = 42
#: Seconds of silence before the first word: a face at rest needs a moment to open its mouth.
_LEAD = 0.24


@dataclass(frozen=True)
class Speech:
    """A voice and what it says: phones without gaps from 0 to its end, their times exact."""

    waveform: Audio
    phones: list[Phone]


class Synthesizer(Protocol):
    """What speaks. Register one with :func:`register`."""

    def speak(self, text: str, voice: str, rate: int) -> Speech:
        """The text in a voice of its own naming, at about `rate` words a minute; PortrayalError if not."""
        ...


_SYNTHESIZERS: dict[str, Callable[[], Synthesizer]] = {}


def register(name: str, make: Callable[[], Synthesizer]) -> None:
    """Offer a synthesiser to :func:`say`; `make` is called when it is used. It replaces one of that name."""
    _SYNTHESIZERS[name] = make


def say(text: str, *, voice: str = "en-us", rate: int = 160, synthesizer: str = "espeak") -> Speech:
    """Speak a text.

    voice: one of the synthesiser's; espeak-ng has one for each of about 130 languages (en-us, en-gb, de,
    fr-fr, cmn ...), with variants such as en-us+f3. rate: words a minute. Raises PortrayalError when the text
    holds nothing to say, the voice is unknown or the synthesiser is not installed.
    """
    if synthesizer not in _SYNTHESIZERS:
        known = ", ".join(sorted(_SYNTHESIZERS))
        raise UsageError(f"there is no synthesiser {synthesizer!r}; there is: {known}")
    if not text.strip():
        raise PortrayalError("the text is empty: there is nothing to say")
    speech = _SYNTHESIZERS[synthesizer]().speak(text, voice, rate)
    if all(phone.symbol == SILENCE for phone in speech.phones):
        raise PortrayalError(f"there is nothing to say in the text {text.strip()[:40]!r}")
    return speech


class Espeak:
    """espeak-ng 1.52, from the wheel `espeakng-loader`, in a process of its own: see `_espeak.py`."""

    def __init__(self) -> None:
        if find_spec("espeakng_loader") is None:
            raise PortrayalError("speaking a text needs espeak-ng: pip install 'portrayal[text]'")

    def speak(self, text: str, voice: str, rate: int) -> Speech:
        """See :class:`Synthesizer`."""
        if not SLOWEST <= rate <= FASTEST:
            raise UsageError(f"the rate of speech is {SLOWEST} to {FASTEST} words a minute, not {rate}")
        clean = text.replace("\0", " ").encode("utf-8", "replace").decode()
        sound, events, hertz = bytearray(), list[tuple[int, str]](), 0
        for kind, content in _messages({"text": clean, "voice": voice, "rate": rate, "pitch": _PITCH}):
            if kind == b"S":
                sound += content
            elif kind == b"P":
                sample, ipa = json.loads(content)
                events.append((sample, ipa))
            elif kind == b"R":
                hertz = int(content)
            else:
                raise PortrayalError(content.decode())
        if not hertz:
            raise PortrayalError("espeak-ng ended without a word; is the package espeakng-loader damaged?")
        lead = round(_LEAD * hertz)
        samples = np.pad(np.frombuffer(sound, "<i2"), (lead, 0))
        phones = timed((((sample + lead) / hertz, ipa) for sample, ipa in events), len(samples) / hertz)
        return Speech(Waveform(samples, hertz), phones)


register("espeak", Espeak)


def _messages(request: dict[str, object]) -> Iterator[tuple[bytes, bytes]]:
    """(kind, content) as the other process sends them."""
    command = [sys.executable, "-m", "portrayal.speech._espeak"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdin and process.stdout
        try:
            process.stdin.write(json.dumps(request).encode())
            process.stdin.close()
            while head := process.stdout.read(5):
                kind, size = struct.unpack("<cI", head)
                yield kind, _exactly(process.stdout, size)
        except (BrokenPipeError, struct.error) as error:
            raise PortrayalError("espeak-ng stopped in the middle of the text") from error
        finally:
            process.kill()


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    content = pipe.read(size)
    if len(content) < size:
        raise PortrayalError("espeak-ng stopped in the middle of the text")
    return content
