"""Videos and sounds that are not what they should be: one line that names the file and what is wrong."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from media_samples import count_to, encode, numbers, patches, tone
from portrayal.errors import PortrayalError
from portrayal.media.audio import AudioTrack, Waveform
from portrayal.media.image import write_image
from portrayal.media.sniff import sniff
from portrayal.media.video import VideoReader
from portrayal.media.write import write_video

READS_NOTHING = "not a .* can be read|refers to other files.*|is a still .*|holds n.*|has no sound"
READERS = [VideoReader, AudioTrack, sniff]


def failing(read: object, path: Path | str) -> str:
    """The message without the name in front, which it must have."""
    with pytest.raises(PortrayalError) as raised:
        read(path)  # type: ignore[operator]
    message = str(raised.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message.removeprefix(f"{path}: ")


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    """An MP4 of 100 numbered frames and sound, its index in front."""
    write_video(tmp_path / "whole.mp4", count_to(100), Fraction(25), audio=Waveform(tone(4, 16000), 16000))
    return (tmp_path / "whole.mp4").read_bytes()


@pytest.mark.parametrize("read", READERS)
def test_what_is_no_media_file(tmp_path: Path, read: object) -> None:
    assert failing(read, tmp_path / "no.mp4") == "no such file"
    (tmp_path / "empty.mp4").touch()
    assert failing(read, tmp_path / "empty.mp4") == "the file is empty"
    for data in (b"This is no video.\n" * 99, b"\0" * 4096, np.random.default_rng(0).bytes(50_000), b"\x47"):
        (tmp_path / "text.mp4").write_bytes(data)
        assert failing(read, tmp_path / "text.mp4") == "not a video, sound or picture that can be read"
    (tmp_path / "folder").mkdir()
    assert failing(read, tmp_path / "folder") in ("is a folder, not a file", "no pictures found")


def test_a_video_whose_index_is_missing(tmp_path: Path, whole: bytes) -> None:
    path, message = tmp_path / "cut.mp4", "the video is cut short or damaged (its index is missing)"
    encode(tmp_path / "late.mp4", count_to(100))
    late = (tmp_path / "late.mp4").read_bytes()
    assert late.index(b"moov") > late.index(b"mdat")
    for data in (
        late[: late.index(b"moov") - 4],
        late[:-500],
        whole[:40],
        whole[: whole.index(b"mdat") // 2],
    ):
        path.write_bytes(data)
        for read in READERS:
            assert failing(read, path) == message


def test_a_video_whose_end_is_missing(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole[: len(whole) * 3 // 4])
    assert failing(VideoReader, path) == "the video is cut short; its end is missing"


@pytest.mark.parametrize("suffix", ["mkv", "webm", "ts"])
def test_a_stream_cut_in_the_middle_gives_what_there_is(tmp_path: Path, suffix: str) -> None:
    codec = "libvpx" if suffix == "webm" else "libx264"
    path = encode(tmp_path / f"a.{suffix}", count_to(100), codec=codec, options={"g": "10"})
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    video = VideoReader(path)
    got = numbers(video)
    assert 20 < len(got) < 95
    assert got == list(range(len(got)))
    assert abs(video.info.frame_count - len(got)) <= 3 and video.fps == 25


def test_damage_in_the_middle_does_not_shift_what_follows(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", count_to(100), options={"g": "10"})
    data = bytearray(path.read_bytes())
    first, last = data.index(b"mdat") + 4, data.index(b"moov")
    middle = (first + last) // 2
    data[middle : middle + 300] = bytes(300)
    path.write_bytes(data)
    got = numbers(VideoReader(path))
    assert len(got) == 100
    assert got[:30] == list(range(30)) and got[-20:] == list(range(80, 100))


def test_a_video_without_pictures(tmp_path: Path) -> None:
    sound = encode(tmp_path / "sound.mp4", sound=tone(1, 48000))
    assert failing(VideoReader, sound) == "holds only sound, no pictures"
    assert sniff(sound) == "audio"
    write_image(tmp_path / "still.png", patches())
    still = (tmp_path / "still.png").rename(tmp_path / "still.mp4")
    assert failing(VideoReader, still) == "is a still picture, not a video"
    assert "has no sound" in failing(AudioTrack, still)
    assert sniff(still) == "image"


def test_a_video_stream_without_a_frame(tmp_path: Path, whole: bytes) -> None:
    start = whole.index(b"mdat") + 4
    (tmp_path / "blank.mp4").write_bytes(whole[:start] + bytes(len(whole) - start))
    assert failing(VideoReader, tmp_path / "blank.mp4") == "no picture in the video can be read"
    assert failing(AudioTrack, tmp_path / "blank.mp4") == "the sound has no samples"


@pytest.mark.parametrize("suffix", ["mp4", "m3u8", "txt", "ffconcat", "mpd", "sdp", "png"])
@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{0}\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nfile://{0}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{0}'\n",
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT4S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" '
        'bandwidth="1"><BaseURL>{0}</BaseURL></Representation></AdaptationSet></Period></MPD>',
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9999 RTP/AVP 96\n"
        "a=rtpmap:96 H264/90000\n",
        "[playlist]\nFile1={0}\n", "<asx><entry><ref href='{0}'/></entry></asx>",
    ],
)  # fmt: skip
def test_a_playlist_reads_no_other_file(tmp_path: Path, suffix: str, text: str) -> None:
    video = encode(tmp_path / "other.mp4", count_to(10), sound=tone(1, 48000))
    path = tmp_path / f"list.{suffix}"
    path.write_text(text.format(video))
    for read in READERS:
        assert re.fullmatch(READS_NOTHING, failing(read, path))


@pytest.mark.parametrize(
    "name", ["http://127.0.0.1:9/a.mp4", "concat:a.mp4|b.mp4", "file:a.mp4", "pipe:0", "-"]
)
def test_names_are_files_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    encode(tmp_path / "a.mp4", count_to(3))
    encode(tmp_path / "b.mp4", count_to(3))
    for read in READERS:
        assert failing(read, name) == "no such file"
