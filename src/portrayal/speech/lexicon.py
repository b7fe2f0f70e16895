"""English words as written → phonemes: a dictionary first, rules for what it lacks."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

_DIGITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
)
_SMALL = [*_DIGITS.split(), "seventeen", "eighteen", "nineteen"]
_TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_SIGNS = {"&": " and ", "%": " percent ", "+": " plus ", "@": " at ", "$": " dollars ", "€": " euros "}

#: Letters → phonemes, tried from the longest; "E" at the end of a word is silent.
_RULES: dict[str, str] = {
    "tion": "SH AH N", "sion": "ZH AH N", "ough": "AO", "augh": "AO", "eigh": "EY", "igh": "AY",
    "tch": "CH", "sch": "SH", "dge": "JH", "ch": "CH", "sh": "SH", "th": "TH", "ph": "F", "wh": "W",
    "ck": "K", "ng": "NG", "qu": "K W", "gh": "G", "kn": "N", "wr": "R", "ee": "IY", "ea": "IY",
    "oo": "UW", "ou": "AW", "ow": "OW", "oi": "OY", "oy": "OY", "ai": "EY", "ay": "EY", "au": "AO",
    "aw": "AO", "ei": "EY", "ey": "IY", "ie": "IY", "oa": "OW", "ue": "UW", "ew": "UW", "ar": "AA R",
    "er": "ER", "ir": "ER", "or": "AO R", "ur": "ER", "a": "AE", "b": "B", "c": "K", "d": "D",
    "e": "EH", "f": "F", "g": "G", "h": "HH", "i": "IH", "j": "JH", "k": "K", "l": "L", "m": "M",
    "n": "N", "o": "AA", "p": "P", "q": "K", "r": "R", "s": "S", "t": "T", "u": "AH", "v": "V",
    "w": "W", "x": "K S", "y": "IY", "z": "Z",
}  # fmt: skip


def words(text: str) -> list[str]:
    """Lower-case words of a text: accents taken off, numbers below a million spelled out, signs read."""
    plain = unicodedata.normalize("NFKD", text.lower().replace("’", "'"))  # noqa: RUF001
    for sign, spoken in _SIGNS.items():
        plain = plain.replace(sign, spoken)
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", plain)
    plain = re.sub(r"\d+", lambda match: f" {_number(match[0])} ", plain)
    return [word for word in re.findall(r"[a-z]+(?:'[a-z]+)*", plain)]


def _number(digits: str) -> str:
    if len(digits) > 6 or (digits[0] == "0" and len(digits) > 1):
        return " ".join(_SMALL[int(d)] for d in digits)
    return _spelled(int(digits))


def _spelled(n: int) -> str:
    if n < 20:
        return _SMALL[n]
    if n < 100:
        return f"{_TENS[n // 10]} {_SMALL[n % 10]}" if n % 10 else _TENS[n // 10]
    size, name = (100, "hundred") if n < 1000 else (1000, "thousand")
    rest = f" {_spelled(n % size)}" if n % size else ""
    return f"{_spelled(n // size)} {name}{rest}"


def pronounce(word: str, look_up: Callable[[str], str | None]) -> list[str]:
    """ARPAbet phonemes of a word: as `look_up` has it, in two parts at an apostrophe, or by rule."""
    found = look_up(word) or look_up(word.replace("'", ""))
    return found.split() if found else _by_rule(word.replace("'", ""))


def _by_rule(word: str) -> list[str]:
    phonemes: list[str] = []
    at = 0
    word = re.sub("^x", "z", word)
    while at < len(word):
        size = next(n for n in (4, 3, 2, 1) if word[at : at + n] in _RULES)
        silent = word[at:] == "e" and len(word) > 2
        new = [] if silent else _RULES[word[at : at + size]].split()
        phonemes += new[1:] if phonemes[-1:] == new[:1] else new
        at += size
    return phonemes
