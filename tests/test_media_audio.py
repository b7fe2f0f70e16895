"""Sound in: every sample at its time, whatever the file; in step with the pictures, for ten minutes too."""

from __future__ import annotations

import io
import wave
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from media_samples import NAMES, count_to, encode, tone
from portrayal.errors import PortrayalError, UsageError
from portrayal.media.audio import Audio, AudioTrack, Samples, Waveform
from portrayal.media.sniff import sniff
from portrayal.media.video import VideoReader
from portrayal.media.write import write_video

RATE = 48000


def chirp(seconds: float, rate: int = RATE) -> Samples:
    """A sound that is unlike itself at any other time: a sweep from 100 to 3000 Hz, half of full scale."""
    t = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * (100 * t + 2900 * t**2 / (2 * seconds)))).astype(np.float32)


def whole(audio: Audio, rate: int | None = None) -> Samples:
    """All channels, (n, channels)."""
    return np.concatenate(list(audio.blocks(rate)))


def lag(sound: Samples, reference: Samples, reach: int = 2000) -> int:
    """By how many samples `sound` comes after `reference`."""
    size = len(sound) + len(reference)
    spectrum = np.fft.rfft(sound, size) * np.conj(np.fft.rfft(reference, size))
    correlation = np.fft.irfft(spectrum, size)
    return int(np.argmax(np.roll(correlation, reach)[: 2 * reach])) - reach


def wav(path: Path, data: Samples, rate: int, width: int = 2) -> Path:
    """data: float (n, channels). width: bytes of a sample."""
    whole_numbers = np.round(data.astype(np.float64) * (2 ** (8 * width - 1) - 1)).astype("<i8")
    if width == 1:
        whole_numbers += 128
    raw = whole_numbers.reshape(-1, 1).view(np.uint8)[:, :width]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(data.shape[1])
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(raw.tobytes())
    return path


@pytest.mark.parametrize(("width", "error"), [(1, 0.01), (2, 4e-5), (3, 1e-6), (4, 1e-6)])
@pytest.mark.parametrize("rate", [8000, 44100, 96000])
def test_wav_is_read_to_the_sample(tmp_path: Path, width: int, error: float, rate: int) -> None:
    both = np.stack([chirp(1.234, rate), tone(1.234, rate)], axis=1)
    track = AudioTrack(wav(tmp_path / "a.wav", both, rate, width))
    assert (track.rate, track.channels, track.duration) == (rate, 2, Fraction(len(both), rate))
    got = whole(track)
    assert got.dtype == np.float32 and got.shape == both.shape
    assert np.abs(got - both).max() < error
    mono = np.concatenate(list(track.blocks(mono=True)))
    assert mono.shape == (len(both), 1) and np.abs(mono[:, 0] - both.mean(axis=1)).max() < error


@pytest.mark.parametrize(
    ("suffix", "codec", "exact"),
    [
        ("flac", "flac", True), ("m4a", "aac", True), ("mp4", "aac", True), ("mkv", "flac", True),
        ("ogg", "libopus", True), ("webm", "libopus", True), ("mp3", "libmp3lame", True),
        ("ac3", "ac3", False), ("aac", "aac", False), ("mov", "pcm_s16le", True), ("avi", "pcm_s16le", True),
    ],
)  # fmt: skip
def test_any_format_is_read_in_place(tmp_path: Path, suffix: str, codec: str, exact: bool) -> None:
    sound = chirp(2.345)
    track = AudioTrack(encode(tmp_path / f"a.{suffix}", sound=sound, sound_codec=codec))
    got = whole(track)[:, 0]
    assert (track.rate, track.channels) == (RATE, 1)
    assert abs(len(got) - len(sound)) <= (0 if exact else 2048)
    if exact:
        assert track.duration == Fraction(len(sound), RATE)
    assert abs(lag(got, sound)) <= (1 if exact else 1024)
    assert sniff(tmp_path / f"a.{suffix}") == "audio"


@pytest.mark.parametrize("own", [8000, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("wanted", [8000, 16000, 24000, 48000])
def test_another_rate_keeps_length_and_place(own: int, wanted: int) -> None:
    sound = Waveform(tone(1.5, own), own)
    got = sound.samples(wanted)
    expected = tone(1.5, wanted)
    assert got.shape == expected.shape and got.dtype == np.float32
    edge = wanted // 50
    assert np.abs(got - expected)[edge:-edge].max() < 0.01


def test_blocks_of_a_waveform_have_its_channels() -> None:
    stereo = np.stack([tone(1, 8000), -tone(1, 8000)], axis=1)
    assert np.array_equal(whole(Waveform(stereo, 8000)), stereo)
    assert whole(Waveform(stereo, 8000), 16000).shape == (16000, 2)
    assert np.abs(Waveform(stereo, 8000).samples(8000)).max() == 0
    assert Waveform(stereo[:0], 8000).samples().shape == (0,)
    with pytest.raises(ValueError):
        Waveform(np.zeros((10, 3), np.float32), 8000)


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        ("wav", "pcm_s16le"),
        ("flac", "flac"),
        ("m4a", "aac"),
        ("mp3", "libmp3lame"),
        ("ogg", "libopus"),
        ("mkv", "libopus"),
    ],
)
@pytest.mark.parametrize(("start", "end"), [(None, 1.0), (0.25, 0.5), (4.0, 4.5), (5.5, None), (5.9, 99.0)])
def test_a_part_is_the_part(
    tmp_path: Path, suffix: str, codec: str, start: float | None, end: float | None
) -> None:
    path = encode(tmp_path / f"a.{suffix}", sound=chirp(6), sound_codec=codec)
    everything = whole(AudioTrack(path))
    first, last = round((start or 0) * RATE), min(len(everything), round((end or 6) * RATE))
    part = AudioTrack(path, start, end)
    got = whole(part)
    slack = RATE // 1000 if suffix == "mkv" else 0  # Matroska counts milliseconds
    assert abs(len(got) - (last - first)) <= slack
    assert abs(part.duration - Fraction(len(got), RATE)) <= Fraction(slack, RATE)
    assert abs(lag(got[:, 0], everything[first:last, 0])) <= slack
    if not slack:
        assert np.abs(got - everything[first:last]).max() < 0.02


def test_more_than_two_channels_become_two(tmp_path: Path) -> None:
    six = np.zeros((RATE, 6), np.float32)
    six[:, 2] = tone(1, RATE)  # the centre, where speech is
    track = AudioTrack(encode(tmp_path / "a.flac", sound=six, sound_codec="flac", sound_layout="5.1"))
    got = whole(track)
    assert got.shape == (RATE, 2) and track.channels == 2
    assert np.corrcoef(got[:, 0], six[:, 2])[0, 1] > 0.999 and np.allclose(got[:, 0], got[:, 1], atol=1e-3)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_sound_that_begins_later_is_preceded_by_silence(tmp_path: Path, suffix: str) -> None:
    sound = chirp(1)
    path = encode(
        tmp_path / f"a.{suffix}", count_to(50), sound=sound, sound_codec="flac", sound_at=Fraction(1, 2)
    )
    track = AudioTrack(path)
    got = whole(track)[:, 0]
    assert abs(len(got) - RATE * 3 // 2) <= 48 and abs(track.duration - Fraction(3, 2)) <= Fraction(1, 1000)
    assert np.abs(got[: RATE // 2 - 48]).max() == 0
    assert abs(lag(got, sound, RATE) - RATE // 2) <= 48
    late = whole(AudioTrack(path, start=0.4, end=0.6))[:, 0]
    assert len(late) == RATE // 5 and np.abs(late[: RATE // 10 - 48]).max() == 0


def test_sound_that_begins_before_the_pictures_is_cut(tmp_path: Path) -> None:
    sound = chirp(2)
    times = [Fraction(1, 2) + Fraction(i, 25) for i in range(25)]
    path = encode(tmp_path / "a.mkv", count_to(25), times=times, sound=sound, sound_codec="flac")
    got = whole(AudioTrack(path))[:, 0]
    assert abs(len(got) - RATE * 3 // 2) <= 48
    assert abs(lag(got, sound[RATE // 2 :])) <= 48


def test_a_gap_in_the_sound_is_silence(tmp_path: Path) -> None:
    import av

    path, sound = tmp_path / "a.mkv", tone(1, RATE)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", rate=RATE, layout="mono")
        for at in (0, 3):
            frame = av.AudioFrame.from_ndarray((sound * 32767).astype(np.int16)[None], "s16", "mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, at * RATE, Fraction(1, RATE)
            for packet in stream.encode(frame):
                container.mux(packet)
        container.mux(stream.encode(None))
    got = whole(AudioTrack(path))[:, 0]
    assert abs(len(got) - 4 * RATE) <= 48
    assert np.abs(got[RATE + 4800 : 3 * RATE - 4800]).max() == 0
    assert np.abs(got[3 * RATE + 4800 : -4800]).max() > 0.4


@pytest.mark.parametrize("suffix", ["mp4", "webm"])
@pytest.mark.parametrize("rate", [16000, 22050, 44100, 48000])
def test_sound_is_cut_where_the_pictures_end_and_not_stretched(
    tmp_path: Path, suffix: str, rate: int
) -> None:
    fps = Fraction(30000, 1001)
    for seconds in (1.0, 4.0):
        path = tmp_path / f"{seconds}.{suffix}"
        sound = chirp(seconds, rate)
        write_video(path, count_to(61), fps, audio=Waveform(sound, rate))
        track = AudioTrack(path)
        expected = min(len(sound), int(61 / fps * rate))
        got = track.samples(rate)
        assert abs(len(got) - expected) <= (0 if suffix == "mp4" and track.rate == rate else 1)
        assert abs(lag(got, sound[:expected])) <= 1


class Clicks:
    """Ten minutes of stereo with a click at the start of every minute, made as it is asked for."""

    rate, channels, duration = 16000, 2, Fraction(600)

    def blocks(self, rate: int | None = None, mono: bool = False) -> Samples:
        minute = np.zeros((60 * 16000, 2), np.float32)
        minute[:80] = 0.9 * np.sign(np.sin(np.arange(80)))[:, None]
        blocks = (minute[i : i + 16000] for _ in range(10) for i in range(0, len(minute), 16000))
        return (b for block in blocks for b in Waveform(block, 16000).blocks(rate))

    def samples(self, rate: int = 16000) -> Samples:
        raise NotImplementedError


@pytest.mark.parametrize(("suffix", "fps"), [("mp4", Fraction(5000, 1001)), ("webm", Fraction(2))])
def test_flash_and_click_stay_together_for_ten_minutes(tmp_path: Path, suffix: str, fps: Fraction) -> None:
    count = round(600 * fps)
    flashes = [round(60 * minute * fps) for minute in range(10)]
    dark, light = np.zeros((64, 64, 3), np.uint8), np.full((64, 64, 3), 255, np.uint8)
    path = tmp_path / f"a.{suffix}"
    write_video(path, (light if i in flashes else dark for i in range(count)), fps, audio=Clicks())
    video, track = VideoReader(path), AudioTrack(path)
    assert [i for i, rgb in enumerate(video) if rgb.mean() > 127] == flashes
    assert video.info.frame_count == count
    assert abs(track.duration - video.info.duration) <= Fraction(1, 1000)
    level = np.abs(track.samples(16000))
    assert abs(len(level) - min(600, count / fps) * 16000) <= 1
    onsets = [int(np.argmax(level[max(0, m * 960000 - 8000) : m * 960000 + 8000] > 0.2)) for m in range(10)]
    errors = [onset - (8000 if m else 0) for m, onset in enumerate(onsets)]
    assert max(map(abs, errors)) <= 48  # 3 ms, of which the codec's smearing is most


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    wav(Path("a.wav"), tone(0.1, 8000)[:, None], 8000).rename(f"{name}.wav")
    assert len(AudioTrack(f"{name}.wav").samples(8000)) == 800


def test_wrong_spans_and_files_without_sound(tmp_path: Path) -> None:
    path = wav(tmp_path / "a.wav", tone(1, 8000)[:, None], 8000)
    with pytest.raises(UsageError, match="there is nothing from 2 s to 1 s"):
        AudioTrack(path, 2, 1)
    assert AudioTrack(path, 5).duration == 0
    assert AudioTrack(path, 5).samples().shape == (0,)
    with pytest.raises(PortrayalError, match=r"b\.mp4: has no sound"):
        AudioTrack(encode(tmp_path / "b.mp4", count_to(3)))
    empty = wav(tmp_path / "empty.wav", np.zeros((0, 1)), 8000)
    with pytest.raises(PortrayalError, match=r"empty\.wav: the sound has no samples"):
        AudioTrack(empty)
    file = io.BytesIO(empty.read_bytes()[:30])
    (tmp_path / "cut.wav").write_bytes(file.getvalue())
    with pytest.raises(PortrayalError, match=r"cut\.wav: "):
        AudioTrack(tmp_path / "cut.wav")


@pytest.mark.parametrize("shape", [(5000,), (5000, 2)])
def test_sound_in_memory_may_be_sixteen_bit(shape: tuple[int, ...]) -> None:
    whole = np.random.default_rng(0).integers(-32768, 32767, shape).astype(np.int16)
    found = np.concatenate(list(Waveform(whole, 8000).blocks()))
    expected = whole.reshape(5000, -1).astype(np.float32) / 32768
    assert found.dtype == np.float32 and np.array_equal(found, expected)
    assert np.array_equal(Waveform(whole, 8000).samples(8000), Waveform(expected, 8000).samples(8000))
