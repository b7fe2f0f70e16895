"""Voice → motion: what is heard, acted out by mouth, head, brows and eyes."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

from portrayal.media.audio import Audio
from portrayal.motion import Motion
from portrayal.speech.acoustics import STEPS, Acoustics, analyse, segments
from portrayal.speech.phonemes import Phone, plausible, recognise
from portrayal.speech.prosody import animate
from portrayal.speech.synthesis import Speech
from portrayal.speech.visemes import mouth_coefficients


def perform(audio: Audio, fps: Fraction, *, seed: int = 0, transcript: str | None = None) -> Motion:
    """The motion of a face that says what is heard: jaw, lips, head (degrees), brows, blinks and gaze.

    The sound is read in pieces, so ten minutes of it need no more memory than ten seconds, and any language
    goes. transcript: what is said, in English, for exacter lips; UsageError when there are no words in it.
    Frame i shows the middle of its time; there are as many as begin before the sound ends, at least one. The
    same sound, transcript and seed give the same motion.
    """
    parts: list[Acoustics] = []
    phones: list[Phone] = []
    for step, samples in segments(audio):
        parts.append(analyse(samples))
        phones += [phone.later(step / STEPS) for phone in recognise(samples)]
    acoustics = Acoustics.joined(parts)
    if transcript is None:
        phones = plausible(phones, acoustics)
    else:
        from portrayal.speech.alignment import align

        phones = align(transcript, phones, audio)
    return _performed(phones, acoustics, fps, _count(audio, fps), seed)


def perform_phonemes(speech: Speech, fps: Fraction, *, seed: int = 0) -> Motion:
    """The motion of a voice whose phonemes are known, see :func:`perform`."""
    acoustics = Acoustics.joined(analyse(samples) for _, samples in segments(speech.waveform))
    return _performed(speech.phones, acoustics, fps, _count(speech.waveform, fps), seed)


def _performed(phones: list[Phone], acoustics: Acoustics, fps: Fraction, count: int, seed: int) -> Motion:
    rotation, coefficients = animate(phones, acoustics, fps, count, seed=seed)
    coefficients += mouth_coefficients(phones, acoustics, fps, count)
    return Motion.from_coefficients(fps, coefficients, rotation)


def _count(audio: Audio, fps: Fraction) -> int:
    return max(1, ceil(audio.duration * fps))
