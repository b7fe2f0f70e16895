"""A transcript and what was recognised → the transcript's phonemes at the times they are said.

Two passes. The recognised phonemes of the whole recording are matched with the transcript's by dynamic
programming, so that each piece of the recording knows its words, wherever one of the two is mistaken and
however long both are. Then pocketsphinx aligns each piece with its own words.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from portrayal.errors import UsageError
from portrayal.media.audio import Audio
from portrayal.speech.acoustics import RATE, STEPS, Array, segments
from portrayal.speech.lexicon import pronounce, words
from portrayal.speech.phonemes import PHONES, SILENCE, VOWELS, Phone, pcm

_GAP = 0.7
#: Cells of the matching kept around its diagonal, as a share of the longer side and at least.
_BAND, _BAND_LEAST = 0.15, 400


@dataclass(frozen=True)
class _Word:
    text: str
    phonemes: tuple[str, ...]


def align(transcript: str, recognised: Sequence[Phone], audio: Audio) -> list[Phone]:
    """Phones without gaps over the whole sound, certainty 1 where they are the transcript's.

    Where a piece of sound cannot be aligned with its words, what was recognised stays. UsageError when the
    transcript has no words in Latin letters.
    """
    spoken = [_Word(w, tuple(pronounce(w, _aligner().lookup_word))) for w in words(transcript)]
    if not spoken:
        raise UsageError("the transcript has no words in Latin letters")
    times = _word_times(spoken, recognised)
    phones: list[Phone] = []
    for step, samples in segments(audio):
        start, end = step / STEPS, step / STEPS + len(samples) / RATE
        own = spoken[bisect_right(times, start) : bisect_right(times, end)]
        aligned = _aligned(own, samples) if own else None
        if aligned is None:
            phones += [p for p in recognised if start <= p.start < end]
        else:
            phones += [phone.later(start) for phone in aligned]
    return phones


def _word_times(spoken: Sequence[_Word], recognised: Sequence[Phone]) -> list[float]:
    """Seconds of the middle of each word, rising."""
    heard = [p for p in recognised if p.symbol != SILENCE]
    asked = [phoneme for word in spoken for phoneme in word.phonemes]
    if not heard:
        return [0.0] * len(spoken)
    place = _match([PHONES.index(p) for p in asked], [PHONES.index(p.symbol) for p in heard])
    times: list[float] = []
    at = 0
    for word in spoken:
        own = place[at : at + len(word.phonemes)]
        at += len(word.phonemes)
        times.append(heard[int(np.median(own))].middle)
    return list(np.maximum.accumulate(times))


def _match(asked: Sequence[int], heard: Sequence[int]) -> NDArray[np.int64]:
    """(len(asked),) number of the heard phoneme that stands for each asked one (Needleman & Wunsch 1970),
    within a band about the diagonal."""
    a, h = np.array(asked), np.array(heard)
    width = int(max(_BAND_LEAST, _BAND * max(len(a), len(h)), abs(len(a) - len(h)) + 50))
    cost = _costs()
    before = np.arange(len(h) + 1) * _GAP
    moves = np.zeros((len(a), len(h) + 1), np.int8)
    for i in range(len(a)):
        middle = round(i * len(h) / len(a))
        low, high = max(0, middle - width), min(len(h), middle + width)
        now = np.full(len(h) + 1, np.inf)
        diagonal = np.append(np.inf, before[:-1] + cost[a[i], h])
        skip_asked = before + _GAP
        now[low : high + 1] = np.minimum(diagonal, skip_asked)[low : high + 1]
        # Skipping heard phonemes: the best of all cells to the left, each a gap further away.
        gaps = np.arange(len(h) + 1) * _GAP
        reached = np.minimum.accumulate(now - gaps) + gaps
        moves[i] = np.where(reached < now - 1e-9, 2, np.where(diagonal <= skip_asked, 0, 1))
        before = reached
    return _traced(moves)


def _traced(moves: NDArray[np.int8]) -> NDArray[np.int64]:
    count, heard = moves.shape[0], moves.shape[1] - 1
    place = np.zeros(count, np.int64)
    i, j = count - 1, heard
    while i >= 0:
        move = moves[i, j] if j else 1
        if move == 2:
            j -= 1
            continue
        place[i] = min(max(j - 1, 0), heard - 1)
        i -= 1
        j -= int(move == 0)
    return place


@cache
def _costs() -> NDArray[np.float64]:
    """(40, 40) how unlikely one phoneme is heard as another."""
    vowel = np.array([p in VOWELS for p in PHONES])
    cost = np.where(vowel[:, None] == vowel[None], 0.6, 1.2)
    np.fill_diagonal(cost, 0)
    return cost


@cache
def _aligner() -> Any:
    from pocketsphinx import Decoder

    # No hypothesis is dropped: the way through the words is narrow, and a false start must not block it.
    return Decoder(lm=None, loglevel="FATAL", bestpath=False, beam=0.0, pbeam=0.0, wbeam=0.0)


def _aligned(own: Sequence[_Word], samples: Array) -> list[Phone] | None:
    """Phones of one piece of sound that holds these words; None where they do not fit."""
    decoder, data = _aligner(), pcm(samples)
    for word in own:
        if decoder.lookup_word(word.text) is None:
            decoder.add_word(word.text, " ".join(word.phonemes), True)
    try:
        decoder.set_align_text(" ".join(word.text for word in own))
        _process(decoder, data)
        if decoder.hyp() is None:
            return None
        decoder.set_alignment()
        _process(decoder, data)
        found = list(_read(decoder))
    except RuntimeError:
        return None
    return _without_gaps(found, len(samples) / RATE) if found else None


def _process(decoder: Any, data: bytes) -> None:
    decoder.start_utt()
    decoder.process_raw(data, full_utt=True)
    decoder.end_utt()


def _read(decoder: Any) -> Iterator[Phone]:
    """The phones of the second pass. Each must be read before the next is asked for, and neither `hyp` nor
    `seg` may be called any more: pocketsphinx 5.1 crashes."""
    alignment = decoder.get_alignment()
    for entry in alignment.phones() if alignment else ():
        name, start, length = entry.name, entry.start, entry.duration
        symbol = name if name in PHONES else SILENCE
        yield Phone(symbol, start / STEPS, (start + length) / STEPS)


def _without_gaps(phones: Sequence[Phone], end: float) -> list[Phone]:
    """Phones from 0 to `end`, what lies between them silent."""
    kept: list[Phone] = []
    for phone in (p for p in phones if p.symbol != SILENCE and p.start < end):
        before = kept[-1].end if kept else 0.0
        if phone.start > before:
            kept.append(Phone(SILENCE, before, phone.start))
        kept.append(replace(phone, end=min(phone.end, end)))
    last = kept[-1].end if kept else 0.0
    return kept if last >= end else [*kept, Phone(SILENCE, last, end)]
