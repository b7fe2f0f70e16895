"""How well lips follow a voice: python benchmarks/speech.py [--media FOLDER] [--minutes 10].

Shape: the mouth opening predicted from the sound of each clip in FOLDER/driving, correlated with the
speaker's own (inner lips 13-14 over face height 10-152, MediaPipe FaceMesh) at the best lag within ±8 frames;
loudness alone beside it. Time: in synthesised speech, how many p, b, m have closed lips and how many stressed
vowels an open mouth within ±1 frame. Cost: seconds and memory for a long voice.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np

from portrayal.errors import PortrayalError
from portrayal.media.audio import AudioTrack, Waveform
from portrayal.media.video import VideoReader
from portrayal.speech import Phone, lip_aperture, perform, perform_phonemes, say
from portrayal.speech.phonemes import BILABIALS, VOWELS

CLIPS = ("speech_KatieHill", "d20", "d10", "d11")
#: What is to be beaten on every clip: loudness and a phone-table prototype, as the issue gives them.
LOUDNESS = (0.15, 0.47, 0.25, 0.20)
PHONE_TABLE = (0.30, 0.52, 0.43, 0.28)
LAG = 8
#: Lips closed below, mouth open above, in units of a full jawOpen (0.24 of the face height).
CLOSED, OPEN = 0.02, 0.1
SENTENCE = (
    "Peter Piper bought a moon, my baby! Maybe Bob's mom made a map of the movie. "
    "The quick brown fox jumps over the lazy dog, and who knew you too? "
)


def real_opening(path: Path) -> np.ndarray:
    """(T,) inner-lip distance over face height, tracked; kept in the temporary folder."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    cache = Path(tempfile.gettempdir()) / f"portrayal-opening-{digest}.npy"
    if not cache.exists():
        np.save(cache, np.array(list(_openings(path))))
    opening: np.ndarray = np.load(cache)
    return opening


def _openings(path: Path) -> Iterable[float]:
    from mediapipe.python.solutions.face_mesh import FaceMesh

    value = 0.0
    with FaceMesh(refine_landmarks=True) as mesh:
        for rgb in VideoReader(path):
            found = mesh.process(rgb).multi_face_landmarks
            if found:
                size = rgb.shape[1::-1]
                p = {
                    i: np.multiply((found[0].landmark[i].x, found[0].landmark[i].y), size)
                    for i in (10, 13, 14, 152)
                }
                value = float(np.linalg.norm(p[13] - p[14]) / np.linalg.norm(p[10] - p[152]))
            yield value


def best_correlation(predicted: np.ndarray, real: np.ndarray) -> tuple[float, int]:
    """(r, lag): lag in frames by which the prediction comes later than the real mouth."""
    n = min(len(predicted), len(real))
    p, q = predicted[:n], real[:n]
    results = []
    for lag in range(-LAG, LAG + 1):
        a, b = (p[lag:], q[: n - lag]) if lag >= 0 else (p[:lag], q[-lag:])
        results.append((float(np.corrcoef(a, b)[0, 1]), lag))
    return max(results)


def loudness(track: AudioTrack, fps: Fraction, count: int) -> np.ndarray:
    """(count,) root mean square of each frame's samples."""
    edges = np.round(np.arange(count + 1) / float(fps) * 16000).astype(int)
    samples = np.pad(track.samples(16000), (0, max(0, edges[-1])))
    return np.array([np.sqrt(np.mean(samples[a:b] ** 2)) for a, b in pairwise(edges)])


def shape(media: Path) -> None:
    """The table of correlations."""
    print(f"{'clip':18} {'r':>5} {'lag':>4}   {'loudness here':>13} {'loudness':>9} {'phone table':>12}")
    reached = []
    for name, loud, table in zip(CLIPS, LOUDNESS, PHONE_TABLE, strict=True):
        path = media / "driving" / f"{name}.mp4"
        real, fps, track = real_opening(path), VideoReader(path).fps, AudioTrack(path)
        r, lag = best_correlation(lip_aperture(perform(track, fps).coefficients), real)
        own, _ = best_correlation(loudness(track, fps, len(real)), real)
        verdict = "" if r > max(loud, table) else "  falls short"
        print(f"{name:18} {r:5.2f} {lag:+4d}   {own:13.2f} {loud:9.2f} {table:12.2f}{verdict}")
        reached.append(r)
    print(f"{'mean':18} {np.mean(reached):5.2f}        goal 0.45")


def late(phones: list[Phone], aperture: np.ndarray, fps: Fraction, margin: int) -> tuple[int, int, int, int]:
    """(p b m, of them never closed, stressed vowels, of them never open) within `margin` frames."""
    counts = [0, 0, 0, 0]
    for phone in phones:
        first = max(0, int(phone.start * fps) - margin)
        seen = aperture[first : int(phone.end * fps) + margin + 1]
        if phone.symbol in BILABIALS:
            counts[0] += 1
            counts[1] += bool(seen.min() > CLOSED)
        elif phone.symbol in VOWELS and phone.stress == 1:
            counts[2] += 1
            counts[3] += bool(seen.max() < OPEN)
    return counts[0], counts[1], counts[2], counts[3]


def timing(minutes: float) -> None:
    """The table of lips closed and open in time."""
    length = float(say(SENTENCE).waveform.duration)
    for name, text in (("sentence", SENTENCE), (f"{minutes:g} min", SENTENCE * round(minutes * 60 / length))):
        speech = say(text)
        for fps in (Fraction(25), Fraction(30000, 1001)):
            aperture = lip_aperture(perform_phonemes(speech, fps).coefficients)
            for margin in (1, 0):
                lips, unclosed, vowels, unopened = late(speech.phones, aperture, fps, margin)
                print(
                    f"{name:9} {float(fps):6.2f} fps ±{margin} frame: p b m {lips - unclosed}/{lips} closed, "
                    f"stressed vowels {vowels - unopened}/{vowels} open"
                )


def cost(minutes: float) -> None:
    """Seconds and memory of listening to a long voice, which is made as it is asked for."""
    sentence = say(SENTENCE).waveform.samples(16000)
    perform(Waveform(sentence, 16000), Fraction(25))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started = time.process_time()
    perform(_Again(sentence, round(minutes * 60 * 16000 / len(sentence))), Fraction(25))
    seconds = time.process_time() - started
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
    print(f"voice of {minutes:g} min: {seconds:.0f} s of processor, {more:.0f} MiB more than one sentence")


@dataclass(frozen=True)
class _Again:
    """A waveform said `times` times; of :class:`portrayal.media.audio.Audio`."""

    data: np.ndarray
    times: int
    rate: int = 16000
    channels: int = 1

    @property
    def duration(self) -> Fraction:
        return Fraction(len(self.data), self.rate) * self.times

    def blocks(self, rate: int | None = None, mono: bool = False) -> Iterator[np.ndarray]:
        for _ in range(self.times):
            yield from Waveform(self.data, self.rate).blocks(rate, mono)

    def samples(self, rate: int = 16000) -> np.ndarray:
        return Waveform(np.tile(self.data, self.times), self.rate).samples(rate)


def main() -> None:
    """Print the measures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--media", type=Path, help="folder with driving/")
    parser.add_argument("--minutes", type=float, default=10)
    arguments = parser.parse_args()
    try:
        if arguments.media:
            shape(arguments.media)
        cost(arguments.minutes)
        timing(arguments.minutes)
    except PortrayalError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
