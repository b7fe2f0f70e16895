"""The phonetic alphabet of any language → the nearest of the phonemes that the lips know."""

# ruff: noqa: RUF001

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import replace

from portrayal.speech.phonemes import SILENCE, VOWELS, Phone

_STRESS = {"ˈ": 1, "ˌ": 2}
#: Tried from the longest; what none begins with is a diacritic or a tone and has no shape of its own.
_SYMBOLS: dict[str, tuple[str, ...]] = {
    ipa: tuple(symbols.split())
    for symbols, group in {
        "AY": "aɪ ai ɑɪ", "AW": "aʊ au ɑu ɑʊ", "OY": "ɔɪ ɔø ɔʏ ɔi", "EY": "eɪ ei ɛɪ",
        "OW": "oʊ ou əʊ o ø ɵ", "CH": "tʃ tɕ ʈʂ tʂ", "JH": "dʒ dʑ ɖʐ dʐ", "T S": "ts", "D Z": "dz",
        "IY": "i", "UW": "u y ʉ", "IH": "ɪ ɨ ɯ ᵻ ɘ", "UH": "ʊ ʏ", "EH": "e ɛ", "AH": "ə ɤ ʌ ɐ",
        "ER": "ɚ ɜ ɝ", "AO": "ɔ œ ɒ ɞ ɶ", "AE": "æ", "AA": "a ɑ",
        "P": "p", "B": "b ɓ ʙ", "M": "m ɱ", "F": "f ɸ", "V": "v ʋ β", "TH": "θ", "DH": "ð",
        "T": "t ʈ", "D": "d ɖ ɗ r ɾ ɽ", "S": "s", "Z": "z", "SH": "ʃ ʂ ɕ", "ZH": "ʒ ʐ ʑ",
        "K": "k q c", "G": "g ɡ ɟ ɢ ɠ ɣ ʁ ʀ", "HH": "h ɦ ħ ʕ x χ ç ʔ", "N": "n ɳ ɲ ɴ", "NG": "ŋ",
        "L": "l ɫ ɭ ʎ ɬ ɮ ʟ", "R": "ɹ ɻ ɺ", "Y": "j ʝ ɰ", "W": "w ʍ ɥ",
    }.items()
    for ipa in group.split()
}  # fmt: skip
_LONGEST = max(map(len, _SYMBOLS))
#: Seconds of nothing within a word that are no silence.
_PAUSE = 0.08


def arpabet(ipa: str) -> list[tuple[str, int]]:
    """ARPAbet symbols and stress of a stretch of IPA; empty where nothing in it is a sound."""
    found: list[tuple[str, int]] = []
    stress, at = 0, 0
    ipa = unicodedata.normalize("NFD", ipa)
    while at < len(ipa):
        stress = _STRESS.get(ipa[at], stress)
        size = next((n for n in range(_LONGEST, 0, -1) if ipa[at : at + n] in _SYMBOLS), 0)
        for symbol in _SYMBOLS.get(ipa[at : at + size], ()):
            found.append((symbol, stress if symbol in VOWELS else 0))
        at += max(size, 1)
    return found


def timed(events: Iterable[tuple[float, str]], end: float) -> list[Phone]:
    """Phones without gaps from 0 to `end` (seconds) out of (begin in seconds, IPA) in order.

    Nothing is silence; IPA that is no sound prolongs the one before it.
    """
    phones: list[Phone] = []
    for start, stop, sounds in _spans(events, end):
        if not sounds and phones and (phones[-1].symbol == SILENCE or stop - start < _PAUSE):
            phones[-1] = replace(phones[-1], end=stop)
            continue
        step = (stop - start) / max(1, len(sounds))
        for i, (symbol, stress) in enumerate(sounds or [(SILENCE, 0)]):
            until = stop if i + 1 >= len(sounds) else start + (i + 1) * step
            phones.append(Phone(symbol, start + i * step, until, stress))
    return phones


def _spans(
    events: Iterable[tuple[float, str]], end: float
) -> Iterator[tuple[float, float, list[tuple[str, int]]]]:
    """(start, stop, sounds) with the empty ones and those that are no sound taken care of."""
    begin, sounds = 0.0, list[tuple[str, int]]()
    for start, ipa in events:
        heard = arpabet(ipa)
        if ipa and not heard:
            continue
        if start > begin:
            yield begin, start, sounds
            begin, sounds = start, []
        sounds = sounds + heard
    if end > begin:
        yield begin, end, sounds
