"""What the sound itself tells, every 10 ms: level, openness of the mouth, pitch. Streams, any length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

RATE = 16000
#: Analysis steps a second, as pocketsphinx has them.
STEPS = 100
HOP = RATE // STEPS
_WINDOW = 512
_PITCH_WINDOW, _PITCH_FFT = 640, 2048
_LOWEST, _HIGHEST = 70, 400
#: Where an open mouth shows: high first formants of open vowels and what the lips let out above. Each band
#: counts the same, however loud; what lies below is as loud in nasals and behind almost closed lips.
_OPEN_BANDS = ((600, 1100), (1000, 2000), (2000, 3500))
_OPEN_SPAN, _LOUD_SPAN = 22.0, 30.0
_SPEECH_BAND = (80, 7900)
_LONGEST, _SHORTEST = 12.0, 6.0
_FLOOR = 1e-10


class Sound(Protocol):
    """What speech needs of a sound; :class:`portrayal.media.audio.Audio` is one."""

    def blocks(self, rate: int | None = None, mono: bool = False) -> Iterator[Array]: ...


@dataclass(frozen=True)
class Acoustics:
    """Per 10 ms, float32. level: (n,) dB of full scale; bands: (n, 3) dB of what shows an open mouth; pitch:
    (n,) Hz, 0 where there is none."""

    level: Array
    bands: Array
    pitch: Array

    def __len__(self) -> int:
        return len(self.level)

    @classmethod
    def joined(cls, parts: Iterable[Acoustics]) -> Acoustics:
        """One after the other."""
        parts = [analyse(np.zeros(0, np.float32)), *parts]
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))

    @cached_property
    def loudness(self) -> Array:
        """(n,) 0 silent, 1 as loud as this speaker's loud vowels, relative to what is heard in all."""
        return _relative(self.level, self.level, _LOUD_SPAN)

    @cached_property
    def openness(self) -> Array:
        """(n,) 0 closed or silent, 1 as open as this speaker's open vowels."""
        bands = [_relative(band, self.level, _OPEN_SPAN) for band in self.bands.T]
        return np.mean(bands, axis=0, dtype=np.float32)


def _relative(values: Array, level: Array, span: float) -> Array:
    """0 to 1 over `span` dB below the 95th percentile of what is heard; digital silence does not count."""
    heard = level > max(-65.0, float(level.max(initial=-99)) - 45)
    if not heard.any():
        return np.zeros_like(values)
    top = np.percentile(values[heard], 95)
    return np.clip((values - top) / span + 1, 0, 1.15).astype(np.float32)


def segments(sound: Sound) -> Iterator[tuple[int, Array]]:
    """(first step, mono samples at 16 kHz) of pieces of 6 to 12 s, cut where it is quietest."""
    pending: list[Array] = []
    count = step = 0
    for block in sound.blocks(RATE, mono=True):
        pending.append(np.asarray(block, np.float32).reshape(-1))
        count += len(pending[-1])
        while count >= _LONGEST * RATE:
            samples = np.concatenate(pending)
            cut = _quietest(samples)
            yield step, samples[:cut]
            step += cut // HOP
            pending, count = [samples[cut:]], count - cut
    if count:
        yield step, np.concatenate(pending)


def _quietest(samples: Array) -> int:
    """A multiple of the hop between the shortest and the longest segment, amid the quietest 100 ms."""
    first = int(_SHORTEST * STEPS)
    hops = samples[: int(_LONGEST * RATE)].reshape(-1, HOP)
    energy = np.log(np.mean(hops.astype(np.float64) ** 2, axis=1) + 1e-8)
    smooth = np.convolve(energy, np.ones(10) / 10, "same")
    return (first + int(np.argmin(smooth[first:-5]))) * HOP


def analyse(samples: Array) -> Acoustics:
    """Acoustics of one segment, float32 (n,) at 16 kHz: one step for each 10 ms begun."""
    steps = -(-len(samples) // HOP)
    window = np.hanning(_WINDOW) / (np.hanning(_WINDOW).sum() / 2)
    power = np.abs(np.fft.rfft(_framed(samples, steps, _WINDOW) * window)) ** 2
    frequency = np.fft.rfftfreq(_WINDOW, 1 / RATE)
    level = _decibels(power, frequency, *_SPEECH_BAND)
    bands = np.stack([_decibels(power, frequency, *edges) for edges in _OPEN_BANDS], axis=1)
    return Acoustics(level, bands, _pitch(samples, steps, level))


def _framed(samples: Array, steps: int, window: int) -> NDArray[Any]:
    """(steps, window): the samples around the middle of each step."""
    before = (window - HOP) // 2
    padded = np.pad(samples, (before, window + HOP))
    return np.lib.stride_tricks.sliding_window_view(padded, window)[::HOP][:steps]


def _decibels(power: NDArray[Any], frequency: NDArray[Any], low: float, high: float) -> Array:
    band = power[:, (frequency >= low) & (frequency < high)].sum(1)
    return (10 * np.log10(band + _FLOOR)).astype(np.float32)


def _pitch(samples: Array, steps: int, level: Array) -> Array:
    """Hz by normalised autocorrelation, corrected for the window (Boersma 1993), 0 where unvoiced."""
    frames = _framed(samples, steps, _PITCH_WINDOW)
    found = [_periods(part) for part in np.array_split(frames, steps // 128 + 1)]
    period, strength = (np.concatenate(values) for values in zip(*found, strict=True))
    voiced = (strength > 0.5) & (level > np.maximum(-60, level.max(initial=-99) - 35))
    return np.where(voiced, RATE / period, 0).astype(np.float32)


def _periods(frames: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Samples after which each frame (n, window) best repeats, and how well, 0 to 1."""
    window = np.hanning(_PITCH_WINDOW)
    frames = (frames - frames.mean(1, keepdims=True)) * window
    shortest = RATE // _HIGHEST
    lags = np.arange(shortest, RATE // _LOWEST)
    own = _autocorrelation(window[None], lags)
    correlation = _autocorrelation(frames, lags) / own
    # A small price on long lags keeps the octave below from winning.
    best = (correlation - 0.05 * np.log2(lags / shortest)).argmax(1)
    return lags[best], correlation[np.arange(len(frames)), best]


def _autocorrelation(frames: NDArray[Any], lags: NDArray[Any]) -> NDArray[Any]:
    """(n, lags), 1 at lag 0."""
    power = np.abs(np.fft.rfft(frames, _PITCH_FFT, axis=1)) ** 2
    correlation = np.fft.irfft(power, axis=1)
    return correlation[:, lags] / (correlation[:, :1] + 1e-9)
