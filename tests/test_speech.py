"""A voice with known phonemes, and what a face does to it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from portrayal.errors import PortrayalError, UsageError
from portrayal.media.audio import Waveform
from portrayal.motion import SHAPE_INDEX, Motion
from portrayal.speech import Phone, Speech, lip_aperture, perform, perform_phonemes, register, say
from portrayal.speech.acoustics import Acoustics, analyse, segments
from portrayal.speech.alignment import align
from portrayal.speech.ipa import arpabet
from portrayal.speech.lexicon import words
from portrayal.speech.phonemes import BILABIALS, SILENCE, VOWELS, plausible, recognise
from portrayal.speech.prosody import phrases
from portrayal.speech.visemes import mouth_coefficients

SENTENCE = (
    "Peter Piper bought a moon, my baby! Maybe Bob's mom made a map of the movie. "
    "The quick brown fox jumps over the lazy dog, and who knew you too? "
)
RATES = (Fraction(25), Fraction(30000, 1001))
CLOSED, OPEN = 0.02, 0.1


@pytest.fixture(scope="module")
def speech() -> Speech:
    return say(SENTENCE)


@pytest.fixture(scope="module")
def heard(speech: Speech) -> Motion:
    """What is made of the same sound when its phonemes are not known."""
    return perform(speech.waveform, Fraction(25), seed=5)


def shape(motion: Motion, name: str) -> np.ndarray:
    return motion.coefficients[:, SHAPE_INDEX[name]]


def around(phone: Phone, fps: Fraction) -> slice:
    """The frames shown while it sounds, and one more on each side."""
    return slice(max(0, int(phone.start * fps) - 1), int(phone.end * fps) + 2)


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("times", [1, 7])
def test_lips_are_on_time(times: int, fps: Fraction) -> None:
    speech = say(SENTENCE * times)
    assert times == 1 or speech.waveform.duration > 60
    aperture = lip_aperture(perform_phonemes(speech, fps).coefficients)
    lips = [aperture[around(p, fps)].min() for p in speech.phones if p.symbol in BILABIALS]
    vowels = [aperture[around(p, fps)].max() for p in speech.phones if p.symbol in VOWELS and p.stress == 1]
    assert len(lips) >= 20 * times and max(lips) <= CLOSED
    assert len(vowels) >= 17 * times and min(vowels) >= OPEN


def test_lips_close_between_open_vowels_however_short() -> None:
    phones = [
        Phone("AA", 0, 0.2, 1),
        Phone("P", 0.2, 0.215),
        Phone("AA", 0.215, 0.4, 1),
        Phone(SILENCE, 0.4, 1),
    ]
    sound = np.where(np.arange(16000) < 6400, np.sin(np.arange(16000) / 3), 0).astype(np.float32)
    aperture = lip_aperture(mouth_coefficients(phones, analyse(sound), Fraction(25), 25))
    assert aperture[5] < CLOSED
    assert aperture[2] > 2 * OPEN and aperture[8] > 2 * OPEN
    assert aperture[15:].max() < OPEN


def test_each_sound_has_its_shape(speech: Speech) -> None:
    motion = perform_phonemes(speech, Fraction(50))
    frames = {
        symbol: [int(p.middle * 50) for p in speech.phones if p.symbol == symbol]
        for symbol in ("UW", "V", "IY")
    }
    assert (
        shape(motion, "mouthPucker")[frames["UW"]].mean()
        > 3 * shape(motion, "mouthPucker")[frames["IY"]].mean()
    )
    assert (
        shape(motion, "mouthStretchLeft")[frames["IY"]].mean()
        > 2 * shape(motion, "mouthStretchLeft")[frames["UW"]].mean()
    )
    assert shape(motion, "mouthRollLower")[frames["V"]].min() > 0.3
    assert motion.coefficients.min() >= 0 and motion.coefficients.max() <= 1


def test_rounding_is_seen_before_it_is_heard() -> None:
    """Coarticulation: in `stoo` the lips are round at the s, in `stee` they are not."""
    quiet = analyse(np.zeros(16000, np.float32))

    def pucker(vowel: str) -> float:
        phones = [Phone("S", 0.2, 0.3), Phone("T", 0.3, 0.36), Phone(vowel, 0.36, 0.6, 1)]
        return float(mouth_coefficients(phones, quiet, Fraction(50), 50)[14, SHAPE_INDEX["mouthPucker"]])

    assert pucker("UW") > 0.1 > 10 * pucker("IY")


def test_the_mouth_does_not_flap(speech: Speech, heard: Motion) -> None:
    """Without lips that meet, the jaw changes direction no more often than syllables do."""
    for motion in (heard, perform_phonemes(speech, Fraction(25))):
        jaw = shape(motion, "jawOpen")
        turns = np.count_nonzero(np.diff(np.sign(np.diff(jaw))))
        assert turns / 2 / (len(jaw) / 25) < 6


def test_a_recognised_voice_opens_the_mouth_like_a_known_one(speech: Speech, heard: Motion) -> None:
    known = lip_aperture(perform_phonemes(speech, Fraction(25)).coefficients)
    assert np.corrcoef(lip_aperture(heard.coefficients), known)[0, 1] > 0.6


def test_the_same_seed_gives_the_same_motion(speech: Speech, heard: Motion) -> None:
    again, other = (perform(speech.waveform, Fraction(25), seed=seed) for seed in (5, 6))
    assert np.array_equal(again.coefficients, heard.coefficients)
    assert np.array_equal(again.rotation, heard.rotation)
    assert not np.array_equal(other.rotation, heard.rotation)
    assert np.array_equal(shape(other, "jawOpen"), shape(heard, "jawOpen"))


@pytest.mark.parametrize("samples", [1, 200, 16000])
def test_silence_closes_the_mouth(samples: int) -> None:
    motion = perform(Waveform(np.zeros(samples, np.float32), 16000), Fraction(25))
    assert len(motion) == max(1, -(-samples * 25 // 16000))
    assert lip_aperture(motion.coefficients).max() < CLOSED


def test_a_pause_closes_the_mouth() -> None:
    voice = say("Ah, mama.").waveform.samples(16000)
    pause = np.random.default_rng(0).normal(0, 1e-4, 32000).astype(np.float32)
    motion = perform(Waveform(np.concatenate([voice, pause, voice]), 16000), Fraction(25))
    first = round((len(voice) / 16000 + 0.3) * 25)
    assert lip_aperture(motion.coefficients)[first : first + 25].max() < CLOSED
    assert lip_aperture(motion.coefficients).max() > 3 * OPEN


def test_louder_speech_opens_wider(speech: Speech) -> None:
    samples = speech.waveform.samples(16000)
    half = len(samples) // 2
    fading = np.concatenate([samples[:half], 0.15 * samples[half:]])
    plain, faded = (
        lip_aperture(perform_phonemes(Speech(Waveform(s, 16000), speech.phones), Fraction(25)).coefficients)
        for s in (samples, fading)
    )
    assert faded[len(faded) // 2 + 5 :].mean() < 0.9 * plain[len(plain) // 2 + 5 :].mean()


def test_noise_and_song_keep_the_mouth_moving_with_the_sound() -> None:
    """A long loud note that the recogniser takes for silence, or for an m, is neither."""
    time = np.arange(48000) / 16000
    note = sum(np.sin(2 * np.pi * 700 * k * time) for k in (1, 2, 3, 4)) * 0.1
    acoustics = analyse(np.asarray(note, np.float32))
    kept = plausible([Phone(SILENCE, 0, 1), Phone("M", 1, 2), Phone("AA", 2, 3)], acoustics)
    assert not {p.symbol for p in kept} & {SILENCE, "M"}


def test_head_brows_lids_and_gaze_are_those_of_somebody_alive(speech: Speech) -> None:
    voice = np.tile(speech.waveform.samples(16000), 7)
    length = len(voice) / 7 / 16000
    phones = [p.later(k * length) for k in range(7) for p in speech.phones]
    motion = perform_phonemes(Speech(Waveform(voice, 16000), phones), Fraction(25), seed=1)
    minutes = len(motion) / 25 / 60
    blink = shape(motion, "eyeBlinkLeft")
    assert 10 < np.count_nonzero(np.diff((blink > 0.5).astype(int)) == 1) / minutes < 24
    assert blink.max() > 0.9 and np.array_equal(blink, shape(motion, "eyeBlinkRight"))
    assert np.all(motion.rotation.std(0) > 0.5) and np.abs(motion.rotation).max() < 12
    assert np.abs(motion.rotation[0]).max() < 0.1
    assert np.abs(np.diff(motion.rotation, axis=0)).max() * 25 < 40
    assert 0.1 < shape(motion, "browInnerUp").max() < 0.8
    gaze = np.array([frame.gaze for frame in motion])
    assert np.corrcoef(gaze[:, 0], motion.rotation[:, 1])[0, 1] < -0.5  # the eyes stay with the viewer


def test_phrases_are_divided_by_pauses() -> None:
    phones = [
        Phone("AA", 0, 1),
        Phone(SILENCE, 1, 1.1),
        Phone("AA", 1.1, 2),
        Phone(SILENCE, 2, 3),
        Phone("B", 3, 4),
    ]
    assert phrases(phones) == [(0, 2), (3, 4)]


class Endless:
    """The same minute over and over; nobody can hold all of it."""

    rate, channels, duration = 16000, 1, Fraction(60)

    def __init__(self, samples: np.ndarray) -> None:
        self.block, self.given = samples, 0

    def samples(self, rate: int = 16000) -> np.ndarray:
        raise AssertionError("the whole sound was asked for")

    def blocks(self, rate: int | None = None, mono: bool = False) -> Iterator[np.ndarray]:
        while True:
            self.given += len(self.block)
            yield self.block[:, None]


def test_sound_is_read_in_pieces_cut_in_pauses(speech: Speech) -> None:
    sound = Endless(speech.waveform.samples(16000))
    pieces = segments(sound)
    step, total = 0, 0
    for _ in range(5):
        at, samples = next(pieces)
        assert at == step and 6 * 16000 <= len(samples) <= 12 * 16000
        assert sound.given <= total + len(samples) + 12 * 16000 + len(sound.block)
        assert Acoustics.joined([analyse(samples)]).level[-3:].max() < -45
        step, total = at + len(samples) // 160, total + len(samples)


def lip_errors(speech: Speech, phones: list[Phone]) -> np.ndarray:
    """Seconds from each p, b, m that is said to the nearest that was found."""
    found = np.array([p.middle for p in phones if p.symbol in BILABIALS])
    return np.array([np.abs(found - p.middle).min() for p in speech.phones if p.symbol in BILABIALS])


def test_a_transcript_puts_the_lips_in_their_places() -> None:
    said = "Maybe Bob makes 21 maps of the Zorbamblik market, Peter. " * 8
    speech = say(said)
    recognised = [p.later(at / 100) for at, s in segments(speech.waveform) for p in recognise(s)]
    aligned = align(said, recognised, speech.waveform)
    assert speech.waveform.duration > 24  # more than two pieces
    errors = lip_errors(speech, aligned)
    assert np.median(errors) < 0.03 and np.mean(errors < 0.08) > 0.9
    assert np.median(errors) < np.median(lip_errors(speech, recognised)) / 2
    starts, ends = (np.array([getattr(p, name) for p in aligned]) for name in ("start", "end"))
    assert starts[0] == 0 and np.allclose(starts[1:], ends[:-1], atol=0.011)


def test_a_wrong_or_foreign_transcript(speech: Speech) -> None:
    motion = perform(speech.waveform, Fraction(25), transcript="There is something else altogether in here")
    assert lip_aperture(motion.coefficients).max() > OPEN
    with pytest.raises(UsageError, match="no words"):
        perform(speech.waveform, Fraction(25), transcript="你好 …")


def test_words_of_a_transcript() -> None:
    found = " ".join(words("Bob’s café: 21 of 1,300 – 5 % & don't!"))  # noqa: RUF001
    assert found == "bob's cafe twenty one of one thousand three hundred five percent and don't"


@pytest.mark.parametrize(
    ("ipa", "expected"),
    [
        ("ˈoʊ", [("OW", 1)]),  # noqa: RUF001
        ("ɔː", [("AO", 0)]),
        ("tɕ", [("CH", 0)]),
        ("ˌiɛ", [("IY", 2), ("EH", 2)]),
        ("ts", [("T", 0), ("S", 0)]),
        ("ɑ̃", [("AA", 0)]),  # noqa: RUF001
        ("ʲ", []),
    ],
)
def test_ipa_of_any_language(ipa: str, expected: list[tuple[str, int]]) -> None:
    assert arpabet(ipa) == expected


@pytest.mark.parametrize(
    ("voice", "text", "sounds"),
    [
        ("de", "Mein Bruder schläft", "M AY N"),
        ("fr-fr", "Bonjour madame", "B AO ZH UW"),
        ("cmn", "妈妈", "M AA"),
        ("ru", "Мама", "M AA M"),
        ("en-gb", "-- mama --help", "M AA M"),
    ],
)
def test_any_language_is_spoken(voice: str, text: str, sounds: str) -> None:
    speech = say(text, voice=voice)
    assert sounds in " ".join(p.symbol for p in speech.phones)
    assert speech.phones[0].start == 0
    assert speech.phones[-1].end == pytest.approx(float(speech.waveform.duration))
    assert np.abs(speech.waveform.samples(16000)).max() > 0.1


def test_the_voice_sounds_where_its_phonemes_say(speech: Speech) -> None:
    acoustics = Acoustics.joined(analyse(s) for _, s in segments(speech.waveform))
    middle = {True: list[float](), False: list[float]()}
    for phone in speech.phones:
        if phone.duration > 0.06 and phone.symbol in VOWELS | {SILENCE, "P", "T", "K"}:
            middle[phone.symbol in VOWELS].append(acoustics.level[int(phone.middle * 100)])
    assert np.median(middle[True]) > np.median(middle[False]) + 25


@pytest.mark.parametrize(
    ("text", "given", "message"),
    [
        ("  \n", {}, "empty"),
        ("...", {}, "nothing to say"),
        ("Hello", {"voice": "klingon-xx"}, "no voice 'klingon-xx'"),
        ("Hello", {"rate": 3}, "80 to 450"),
        ("Hello", {"synthesizer": "hal"}, "there is: espeak"),
    ],
)
def test_what_cannot_be_said_is_one_line(text: str, given: dict[str, object], message: str) -> None:
    with pytest.raises(PortrayalError, match=message) as caught:
        say(text, **given)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_without_the_extra_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portrayal.speech.synthesis.find_spec", lambda name: None)
    with pytest.raises(PortrayalError, match=r"pip install 'portrayal\[text\]'"):
        say("Hello")


def test_other_voices_can_be_plugged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hum:
        def speak(self, text: str, voice: str, rate: int) -> Speech:
            return Speech(Waveform(np.zeros(8000, np.float32), 16000), [Phone("M", 0, 0.5)])

    monkeypatch.setattr("portrayal.speech.synthesis._SYNTHESIZERS", {})
    register("hum", Hum)
    assert say("anything", synthesizer="hum").phones == [Phone("M", 0, 0.5)]


def test_espeak_stays_in_a_process_of_its_own_and_nothing_heavy_is_loaded() -> None:
    code = (
        "import sys, portrayal.speech; before = set(sys.modules)\n"
        "assert not {'numpy', 'scipy', 'pocketsphinx'} & before, before\n"
        "portrayal.speech.say('Hello')\n"
        "assert 'espeakng_loader' not in sys.modules\n"
        "assert 'espeak' not in open('/proc/self/maps').read() if sys.platform == 'linux' else True\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
