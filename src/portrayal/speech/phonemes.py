"""Voice → phonemes with times, by pocketsphinx and the acoustic model in its wheel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from portrayal.speech.acoustics import HOP, STEPS, Acoustics, Array

SILENCE = "SIL"
VOWELS = frozenset({"AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"})
LIP_SOUNDS = frozenset({"P", "B", "M", "F", "V"})
CONSONANTS = LIP_SOUNDS | {
    "CH", "D", "DH", "G", "HH", "JH", "K", "L", "N", "NG", "R", "S", "SH", "T", "TH", "W", "Y", "Z", "ZH"
}  # fmt: skip
PHONES: tuple[str, ...] = (SILENCE, *sorted(VOWELS | CONSONANTS))
BILABIALS = frozenset({"P", "B", "M"})

#: Weights of the phone language model; the recognisers vote step by step. One alone errs on song and noise,
#: each on something else.
_LM_WEIGHTS = (1.0, 2.0, 4.0)
_BEAM = 1e-20
#: Anything shorter (steps of 10 ms) goes to its neighbours.
_SHORTEST = 3
#: Recognised lip sounds that sound more open than this, and recognised silences that are louder, are none.
_LIPS_APART, _HEARD = 0.45, 0.45


@dataclass(frozen=True, slots=True)
class Phone:
    """One phoneme. symbol: ARPAbet without stress, or SIL; start, end: seconds; stress: 0 none (and all
    consonants), 1 primary, 2 secondary; certainty: 0 to 1, how far to trust it."""

    symbol: str
    start: float
    end: float
    stress: int = 0
    certainty: float = 1.0

    @property
    def middle(self) -> float:
        return (self.start + self.end) / 2

    @property
    def duration(self) -> float:
        return self.end - self.start

    def later(self, seconds: float) -> Phone:
        """The same, said later."""
        return replace(self, start=self.start + seconds, end=self.end + seconds)


def recognise(samples: Array) -> list[Phone]:
    """Phones of one segment of speech, float32 (n,) at 16 kHz, without gaps from 0 to its end.

    Stress is not recognised: it is 0. The same recogniser serves every language: what it hears are the
    nearest English sounds.
    """
    steps = -(-len(samples) // HOP)
    if steps < 2 * _SHORTEST:
        return [Phone(SILENCE, 0.0, steps / STEPS)]
    data = pcm(samples)
    votes = np.stack([_labels(decoder, data, steps) for decoder in _recognisers()])
    return _phones(*_vote(votes))


def plausible(phones: Iterable[Phone], acoustics: Acoustics) -> list[Phone]:
    """Recognised phones without those that the sound itself denies: lip sounds said with an open mouth are
    taken for an open vowel, silences that can be heard for a half closed one (a long note, as a rule)."""
    return [replace(p, symbol=_heard_as(p, acoustics)) for p in phones]


def _heard_as(phone: Phone, acoustics: Acoustics) -> str:
    steps = slice(round(phone.start * STEPS), max(round(phone.end * STEPS), round(phone.start * STEPS) + 1))
    if phone.symbol in LIP_SOUNDS and acoustics.openness[steps].mean() > _LIPS_APART:
        return "AH"
    if phone.symbol == SILENCE and acoustics.loudness[steps].mean() > _HEARD:
        return "IH"
    return phone.symbol


def pcm(samples: Array) -> bytes:
    """16-bit samples for pocketsphinx, brought to an even level so that faint voices keep their detail."""
    peak = float(np.abs(samples).max(initial=0))
    gain = min(0.9 / peak, 30.0) if peak else 1.0
    data: bytes = (samples * (gain * 32767)).astype("<i2").tobytes()
    return data


@cache
def _recognisers() -> tuple[Any, ...]:
    from pocketsphinx import Decoder, get_model_path

    phone_lm = get_model_path("en-us/en-us-phone.lm.bin")
    setup = dict(lm=None, allphone=phone_lm, beam=_BEAM, pbeam=_BEAM, loglevel="FATAL")
    return tuple(Decoder(lw=weight, **setup) for weight in _LM_WEIGHTS)


def _labels(decoder: Any, data: bytes, steps: int) -> NDArray[np.int8]:
    """(steps,) number in PHONES; noises count as silence."""
    labels = np.zeros(steps, np.int8)
    decoder.start_utt()
    decoder.process_raw(data, full_utt=True)
    decoder.end_utt()
    for segment in decoder.seg() or ():
        if segment.word in PHONES:
            labels[segment.start_frame : segment.end_frame + 1] = PHONES.index(segment.word)
    return labels


def _vote(votes: NDArray[np.int8]) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """(voters, steps) → (steps,) the majority, the middle voter's where there is none, and its certainty."""
    voters, steps = votes.shape
    count = (votes[:, None] == votes[None]).sum(1)
    chosen = (count + 0.5 * (np.arange(voters) == voters // 2)[:, None]).argmax(0)
    every = np.arange(steps)
    return votes[chosen, every], (count[chosen, every] - 1) / (voters - 1)


def _phones(labels: NDArray[np.int8], certainty: NDArray[np.float64]) -> list[Phone]:
    edges = np.flatnonzero(np.diff(labels, prepend=-1, append=-1))
    runs = [[int(labels[a]), int(a), int(b)] for a, b in pairwise(edges)]
    kept: list[list[int]] = []
    for label, start, end in runs:
        if kept and (end - start < _SHORTEST or kept[-1][0] == label):
            kept[-1][2] = end
        else:
            kept.append([label, start, end])
    sure = [float(certainty[a:b].mean()) for _, a, b in kept]
    return [
        Phone(PHONES[label], a / STEPS, b / STEPS, certainty=c)
        for (label, a, b), c in zip(kept, sure, strict=True)
    ]
