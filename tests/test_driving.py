"""Drivings: every kind of file and what can be seen of it."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from matplotlib.cbook import get_sample_data

from portrayal import Driving, Engine, Motion, Portrait, PortrayalError, UsageError
from portrayal import engines as registry
from portrayal.engines import EngineInfo
from portrayal.media.audio import Waveform
from portrayal.media.image import read_image, write_image
from portrayal.media.write import write_video
from portrayal.motion import SHAPE_INDEX, MotionFrame
from test_motion import moving

HOPPER = Path(str(get_sample_data("grace_hopper.jpg", asfileobj=False)))


def hopper() -> np.ndarray:
    return np.ascontiguousarray(read_image(HOPPER).rgb[60:460:2, 56:456:2])


def tone(seconds: float) -> Waveform:
    return Waveform((0.3 * np.sin(np.arange(int(16000 * seconds)) / 8)).astype(np.float32), 16000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of a face that slides to the right, one without a face, and a sound."""
    path = tmp_path_factory.mktemp("media")
    rgb = hopper()
    slide = [np.roll(rgb, 2 * i, axis=1) for i in range(12)]
    write_video(path / "slide.mp4", slide, Fraction(10), audio=tone(1.2))
    write_video(path / "silent.mp4", slide[:4], Fraction(10))
    noise = np.random.default_rng(0).integers(0, 255, (8, 96, 96, 3), np.uint8)
    write_video(path / "noise.mp4", noise, Fraction(10))
    import wave

    with wave.open(str(path / "tone.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes((tone(1.5).data * 32767).astype("<i2").tobytes())
    return path


def test_a_video(folder: Path) -> None:
    driving = Driving.open(folder / "slide.mp4")
    assert driving.kind == "video" and driving.fps == 10 and driving.count == 12
    assert driving.path == folder / "slide.mp4"
    frames = list(driving.frames)
    assert len(frames) == 12 and frames[0].shape == (200, 200, 3)
    assert driving.audio is not None and float(driving.audio.duration) == pytest.approx(1.2, abs=0.05)
    motion = list(driving.motion)
    assert len(motion) == 12 and all(f.tracked and f.shape is not None for f in motion)
    assert motion[0].translation == pytest.approx([0, 0]) and motion[11].translation[0] > 0.25
    assert len(list(driving.motion)) == 12  # anew


def test_part_of_a_video_at_another_rate(folder: Path) -> None:
    driving = Driving.open(folder / "slide.mp4", start=0.2, end=0.8, fps=Fraction(20))
    assert driving.fps == 20 and driving.count == 12 and len(list(driving.frames)) == 12
    assert driving.audio is not None and float(driving.audio.duration) == pytest.approx(0.6, abs=1e-3)


def test_a_video_without_sound(folder: Path) -> None:
    assert Driving.open(folder / "silent.mp4").audio is None


def test_smoothing_is_asked_for(folder: Path) -> None:
    driving = Driving.open(folder / "slide.mp4")
    raw = np.array([f.rotation for f in driving.smoothed(0)])
    smooth = np.array([f.rotation for f in driving.smoothed(1)])
    assert np.array_equal(raw, [f.rotation for f in driving.motion])
    assert len(smooth) == 12
    assert np.abs(np.diff(smooth, 2, axis=0)).mean() < np.abs(np.diff(raw, 2, axis=0)).mean()
    motion = Driving.from_motion(moving())
    assert motion.smoothed(1) is motion.motion  # what was not tracked does not tremble


def test_a_driving_without_any_face(folder: Path) -> None:
    driving = Driving.open(folder / "noise.mp4")
    with pytest.raises(PortrayalError, match=r"noise\.mp4: no face found in any frame") as error:
        list(driving.motion)
    assert "\n" not in str(error.value)
    read = 0

    def endless() -> Iterator[np.ndarray]:
        nonlocal read
        while True:
            read += 1
            yield np.zeros((32, 32, 3), np.uint8)

    with pytest.raises(PortrayalError, match="no face found in its first 20 seconds"):
        list(Driving.from_frames(endless, Fraction(2)).motion)
    assert read <= 42


def test_a_face_that_comes_late_is_waited_for() -> None:
    rgb = hopper()
    frames = [np.zeros_like(rgb)] * 5 + [rgb] * 3
    motion = list(Driving.from_frames(lambda: iter(frames), Fraction(5)).motion)
    assert [f.tracked for f in motion] == [False] * 5 + [True] * 3
    assert np.allclose(motion[0].rotation, motion[5].rotation)


def test_an_image_eases_in_and_holds(tmp_path: Path) -> None:
    rgb = hopper()
    write_image(tmp_path / "smile.png", rgb)
    driving = Driving.open(tmp_path / "smile.png")
    assert driving.kind == "image" and driving.fps == 25 and driving.count == 50 and driving.audio is None
    motion = driving.motion
    assert isinstance(motion, Motion) and len(motion) == 50
    strength = motion.coefficients.sum(1)
    assert strength[0] == 0 and strength[15:] == pytest.approx(strength[-1]) and strength[-1] > 0.3
    assert (np.diff(strength) >= -1e-6).all() and np.diff(strength).max() < strength[-1] / 5
    assert not motion.rotation.any()
    assert len(list(driving.frames)) == 50
    assert Driving.open(tmp_path / "smile.png", end=3.0, fps=Fraction(30)).count == 90
    write_image(tmp_path / "black.png", np.zeros_like(rgb))
    with pytest.raises(PortrayalError, match=r"black\.png: no face"):
        _ = Driving.open(tmp_path / "black.png").motion


def test_motion_files_and_scripts(tmp_path: Path) -> None:
    moving().save(tmp_path / "m.npz")
    Motion.from_sliders({"jaw-open": 0.5}, Fraction(60), 120).save(tmp_path / "llf.csv")
    (tmp_path / "wink.yaml").write_text("keys: [{at: 0.5, eye-blink-left: 1}, {at: 1, eye-blink-left: 0}]")
    npz = Driving.open(tmp_path / "m.npz", start=0.5)
    assert npz.kind == "motion" and npz.fps == 10 and npz.count == 15
    csv = Driving.open(tmp_path / "llf.csv", fps=Fraction(25))
    assert csv.kind == "motion" and csv.fps == 25 and csv.count == 50
    script = Driving.open(tmp_path / "wink.yaml")
    assert script.kind == "script" and script.fps == 25 and script.count == 26
    blink = [f.coefficients[SHAPE_INDEX["eyeBlinkLeft"]] for f in script.motion]
    assert max(blink) > 0.95 and blink[0] == blink[-1] == 0


def test_the_kind_is_told_by_content(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "looks like.mp4").write_bytes(HOPPER.read_bytes())
    (tmp_path / "sound.mp4").write_bytes((folder / "tone.wav").read_bytes())
    assert Driving.open(tmp_path / "looks like.mp4").kind == "image"
    assert Driving.open(tmp_path / "sound.mp4").kind == "audio"


@pytest.fixture
def spoken(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """Stands in for speech analysis and synthesis, and writes down what they are asked."""
    import portrayal.speech as speech

    asked: list[dict[str, object]] = []

    def perform(audio: object, fps: Fraction, **values: object) -> Motion:
        asked.append({"audio": audio, "fps": fps, **values})
        return Motion.from_sliders({"jaw-open": 0.5}, fps, 30)

    def say(text: str, **values: object) -> types.SimpleNamespace:
        asked.append({"text": text, **values})
        return types.SimpleNamespace(waveform=tone(1.02))

    def perform_speech(speech: object, fps: Fraction, **values: object) -> Motion:
        asked.append({"speech": speech, "fps": fps, **values})
        return Motion.from_sliders({"jaw-open": 0.5}, fps, 30)

    monkeypatch.setattr(speech, "perform", perform, raising=False)
    monkeypatch.setattr(speech, "say", say, raising=False)
    monkeypatch.setattr(speech, "perform_phonemes", perform_speech, raising=False)
    return asked


def test_a_voice(folder: Path, spoken: list[dict[str, object]]) -> None:
    driving = Driving.open(folder / "tone.wav", start=0.5, fps=Fraction(30), transcript="oh", seed=3)
    assert driving.kind == "audio" and driving.fps == 30 and driving.count == 30
    assert driving.audio is not None and driving.audio.duration == 1
    assert not spoken  # nothing is analysed before the motion is asked for
    assert isinstance(driving.motion, Motion) and len(driving.motion) == 30
    assert driving.motion is driving.motion and len(spoken) == 1
    assert spoken[0] | {"audio": 0} == {"audio": 0, "fps": 30, "seed": 3, "transcript": "oh"}
    with pytest.raises(PortrayalError, match=r"tone\.wav: is a sound, which has no pictures"):
        _ = driving.frames
    with pytest.raises(PortrayalError, match=r"tone\.wav"):
        Driving.open(folder / "tone.wav", start=9)


def test_the_sound_of_a_video_alone(folder: Path, spoken: list[dict[str, object]]) -> None:
    driving = Driving.from_audio(folder / "slide.mp4")
    assert driving.kind == "audio" and driving.fps == 25 and driving.count == len(list(driving.motion)) == 30
    assert Driving.from_audio(tone(2.01)).count == 51
    with pytest.raises(PortrayalError, match=r"silent\.mp4: has no sound"):
        Driving.from_audio(folder / "silent.mp4")


def test_a_text(spoken: list[dict[str, object]]) -> None:
    driving = Driving.from_text("Hello, world", voice="en-gb", seed=2)
    assert not spoken
    assert driving.kind == "text" and driving.fps == 25 and driving.count == 26
    assert driving.audio is not None and len(list(driving.motion)) == 26
    assert [sorted(call) for call in spoken] == [["text", "voice"], ["fps", "seed", "speech"]]
    with pytest.raises(UsageError, match="no text"):
        Driving.from_text(" \n")


def test_frames_on_a_portrait(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Acting(Engine):
        info = EngineInfo("puppet", "", "motion", "")

        def render(self, portrait: Portrait, driving: Driving, options: object) -> Iterator[np.ndarray]:
            for frame in driving.motion:
                yield np.full_like(portrait.rgb, int(frame.rotation[0]))

    monkeypatch.setattr(registry, "_registered", {"puppet": Acting})
    portrait = Portrait.open(HOPPER, size=200)
    nod = Driving.from_motion(Motion.from_sliders({"pitch": 9}, frames=4))
    with pytest.raises(PortrayalError, match="motion: is a motion, which has no pictures"):
        _ = nod.frames
    acted = list(nod.frames_on(portrait))
    assert len(acted) == 4 and (acted[0] == 9).all() and acted[0].shape == portrait.rgb.shape
    video = Driving.open(folder / "slide.mp4")
    assert next(iter(video.frames_on(portrait))).shape == (200, 200, 3)  # its own pictures


def test_a_stream_of_motion_drives(tmp_path: Path) -> None:
    from portrayal.motion import MotionStream

    driving = Driving.from_motion(MotionStream(Fraction(30), lambda: iter([MotionFrame()] * 3)))
    assert driving.count is None and driving.fps == 30 and len(list(driving.motion)) == 3


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("missing.mp4", None, "no such file"),
        ("empty.mp4", b"", "the file is empty"),
        ("text.mp4", b"hello, I am no video", "not a video"),
        ("empty.npz", b"", "the file is empty"),
        ("text.npz", b"hello", "no motion file"),
        ("missing.yaml", None, "no such file"),
    ],
)
def test_files_that_drive_nothing(tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(PortrayalError, match=said) as error:
        Driving.open(tmp_path / name)
    assert str(error.value).startswith(str(tmp_path / name)) and "\n" not in str(error.value)


def test_import_is_light() -> None:
    import subprocess

    code = "import sys, portrayal.driving; assert not {'cv2', 'av', 'mediapipe'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
