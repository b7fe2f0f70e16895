"""Motion files: what is written is read again, what is foreign or hostile is told in one line."""

from __future__ import annotations

import io
import pickle
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from portrayal.errors import PortrayalError, UsageError
from portrayal.live_link import ANGLES, seconds_of, timecode
from portrayal.motion import SHAPE_INDEX, SHAPES, Motion
from portrayal.track.geometry import rotation_matrix
from test_motion import moving


@pytest.mark.parametrize("dense", [False, True])
def test_npz_keeps_everything(tmp_path: Path, dense: bool) -> None:
    motion = moving(dense=dense)
    motion.save(tmp_path / "m.npz")
    again = Motion.load(tmp_path / "m.npz")
    assert again.fps == motion.fps and np.array_equal(again.tracked, motion.tracked)
    for name in ("rotation", "translation", "scale", "coefficients"):
        assert np.array_equal(getattr(again, name), getattr(motion, name))
    assert (again.shapes is None) == (not dense)
    if dense:
        assert np.array_equal(again.shapes, motion.shapes)


def test_saving_never_overwrites_unasked_and_knows_its_suffixes(tmp_path: Path) -> None:
    target = tmp_path / "m.npz"
    target.write_text("precious")
    with pytest.raises(PortrayalError, match="already exists"):
        moving().save(target)
    assert target.read_text() == "precious"
    moving().save(target, overwrite=True)
    assert len(Motion.load(target)) == 20
    with pytest.raises(UsageError, match=r"\.npz or \.csv"):
        moving().save(tmp_path / "m.txt")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.npz"]


def archive(path: Path, **arrays: object) -> Path:
    good = {
        "portrayal_motion": np.array(1),
        "fps": np.array([25, 1]),
        "names": np.array(SHAPES),
        "rotation": np.zeros((3, 3), np.float32),
        "translation": np.zeros((3, 2), np.float32),
        "scale": np.ones(3, np.float32),
        "coefficients": np.zeros((3, 52), np.float32),
        "tracked": np.ones(3, bool),
    } | arrays
    np.savez(path, **{k: v for k, v in good.items() if v is not None})
    return path


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("exploded"),))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"portrayal_motion": None}, "no motion written by portrayal"),
        ({"portrayal_motion": np.array(99)}, "newer portrayal"),
        ({"rotation": None}, "rotation"),
        ({"rotation": np.zeros((2, 3))}, "rotation"),
        ({"scale": np.array([1, np.nan, 1])}, "no numbers"),
        ({"fps": np.array([25, 0])}, "frame rate"),
        ({"coefficients": np.zeros((0, 52))}, "no frames"),
        ({"coefficients": np.array([["a"] * 52] * 3)}, "coefficients"),
        ({"coefficients": np.array([[Bomb()] * 52] * 3, object)}, "damaged"),
        ({"shapes": np.zeros((3, 10, 3))}, "shapes"),
    ],
)
def test_a_foreign_npz_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arrays: dict[str, object], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = archive(tmp_path / "odd.npz", **arrays)
    with pytest.raises(PortrayalError, match=said) as error:
        Motion.load(path)
    assert "odd.npz" in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "exploded").exists()


def test_damaged_npz_files(tmp_path: Path) -> None:
    whole = archive(tmp_path / "whole.npz").read_bytes()
    pickled = io.BytesIO()
    pickle.dump(Bomb(), pickled)
    claims = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        claims, {"descr": "<f8", "fortran_order": False, "shape": (10**12, 52)}
    )
    for number, data in enumerate(
        (whole[: len(whole) // 2], whole[:4], b"PK\x03\x04rubbish" * 50, pickled.getvalue(), b"\0")
    ):
        path = tmp_path / f"{number}.npz"
        path.write_bytes(data)
        with pytest.raises(PortrayalError, match=f"{number}.npz"):
            Motion.load(path)
    lying = tmp_path / "lying.npz"
    with zipfile.ZipFile(whole_copy := archive(tmp_path / "copy.npz"), "a") as file:
        assert "scale.npy" in file.namelist()
    with zipfile.ZipFile(whole_copy) as source, zipfile.ZipFile(lying, "w") as file:
        for name in source.namelist():
            file.writestr(name, claims.getvalue() if name == "coefficients.npy" else source.read(name))
    with pytest.raises(PortrayalError, match=r"lying\.npz"):
        Motion.load(lying)


# --- Live Link Face -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fps", [Fraction(60), Fraction(25), Fraction(30000, 1001), Fraction(24), Fraction(5)]
)
def test_csv_round_trip(tmp_path: Path, fps: Fraction) -> None:
    motion = Motion.from_coefficients(
        fps, moving(200).coefficients, np.random.default_rng(2).uniform(-30, 30, (200, 3)).astype(np.float32)
    )
    motion.save(tmp_path / "m.csv")
    again = Motion.load(tmp_path / "m.csv")
    assert again.fps == fps and len(again) == 200 and again.tracked.all()
    assert np.allclose(again.coefficients, motion.coefficients, atol=1e-6)
    assert np.allclose(again.rotation, motion.rotation, atol=1e-3)


def test_csv_looks_like_a_recording_of_the_app(tmp_path: Path) -> None:
    motion = Motion.from_sliders({"yaw": 20, "eye-blink-left": 0.5, "gaze-x": 0.5}, frames=100)
    motion.save(tmp_path / "m.csv")
    lines = (tmp_path / "m.csv").read_text().splitlines()
    assert len(lines) == 101
    assert lines[0].startswith("Timecode,BlendShapeCount,EyeBlinkLeft,EyeLookDownLeft,EyeLookInLeft,")
    assert lines[0].endswith(",TongueOut," + ",".join(ANGLES))
    assert lines[1].startswith("00:00:00:00.000,61,0.5000000000,")
    assert lines[26].startswith("00:00:01:00.000,") and lines[2].startswith("00:00:00:02.400,")
    row = dict(zip(lines[0].split(","), lines[1].split(","), strict=True))
    assert float(row["HeadYaw"]) == pytest.approx(-np.radians(20), abs=1e-6)  # theirs: to the own right
    assert float(row["EyeLookOutLeft"]) == float(row["EyeLookInRight"]) == 0.5
    assert float(row["LeftEyeYaw"]) < 0 and float(row["RightEyeYaw"]) < 0


# Two rows of a real recording made with the app (the head's angles switched off, as there), shortened to the
# columns that matter: eyes to the own left and up, then down.
REAL = """\
Timecode,BlendShapeCount,EyeLookOutLeft,EyeLookUpLeft,EyeLookInRight,EyeLookUpRight,EyeLookDownLeft,EyeLookDownRight,\
LeftEyeYaw,LeftEyePitch,LeftEyeRoll,RightEyeYaw,RightEyePitch
12:21:59:06.595,61,0.5030736923,0.3807524741,0.5970684290,0.3733466268,0,0,-0.3596782684,-0.1741501987,0.0618,\
-0.3029436469,-0.1741401106
12:21:59:08.595,61,0.0770627484,0,0.1831496954,0,0.2102905810,0.2092075050,-0.1109636500,0.1285928488,-0.0143,\
-0.0466867909,0.1286001056
"""


def test_eye_angles_have_the_signs_of_the_app(tmp_path: Path) -> None:
    path = tmp_path / "real.csv"
    path.write_text(REAL)
    motion = Motion.load(path)
    assert motion.fps == 30
    motion.save(tmp_path / "ours.csv")
    header, *rows = [line.split(",") for line in (tmp_path / "ours.csv").read_text().splitlines()]
    for written, line in zip(rows, REAL.splitlines()[1:], strict=True):
        ours = dict(zip(header, written, strict=True))
        theirs = dict(zip(REAL.splitlines()[0].split(","), line.split(","), strict=True))
        for name in ("LeftEyeYaw", "LeftEyePitch", "RightEyeYaw", "RightEyePitch"):
            assert float(ours[name]) == pytest.approx(float(theirs[name]), abs=0.1)
        assert np.sign(float(ours["LeftEyeRoll"])) == np.sign(float(theirs["LeftEyeRoll"]))
    # a program that writes the angles alone: the gaze comes from them
    angles = [h for h in REAL.splitlines()[0].split(",") if "Eye" in h and "Look" not in h]
    lines = [",".join(angles)] + [",".join(line.split(",")[-len(angles) :]) for line in REAL.splitlines()[1:]]
    path.write_text("\n".join(lines))
    alone = Motion.load(path)
    assert alone.fps == 60
    assert np.allclose(alone[0].gaze, motion[0].gaze, atol=0.15)
    assert np.allclose(alone[1].gaze, motion[1].gaze, atol=0.15)


def test_head_angles_are_the_same_rotation() -> None:
    """Unreal turns roll, then pitch, then yaw; ours pitch, then yaw, then roll: one rotation either way."""
    from portrayal.live_link import _from_live_link

    def about(axis: int, angle: float) -> np.ndarray:
        i, j = ((1, 2), (2, 0), (0, 1))[axis]
        m = np.eye(3)
        m[i, i] = m[j, j] = np.cos(angle)
        m[j, i], m[i, j] = np.sin(angle), -np.sin(angle)
        return m

    rng = np.random.default_rng(0)
    for yaw, pitch, roll in rng.uniform(-0.6, 0.6, (20, 3)):
        # x to the own left, y up, z forward: yaw to the right is -y, nodding down +x, roll to the left -z
        theirs = about(1, -yaw) @ about(0, pitch) @ about(2, -roll)
        flip = np.diag([1, -1, -1])
        ours = rotation_matrix(_from_live_link(np.array([[yaw, pitch, roll]]))[0])
        assert np.allclose(ours, flip @ theirs @ flip, atol=1e-5)
    assert np.allclose(_from_live_link(np.array([[0.1, 0, 0]])), [[0, -np.degrees(0.1), 0]], atol=1e-4)


def recording(stamps: list[str | None], values: list[float] | None = None) -> str:
    rows = ["Timecode,BlendShapeCount,JawOpen,HeadPitch"]
    for i, stamp in enumerate(stamps):
        value = i / 100 if values is None else values[i]
        rows.append(f"{stamp},61,{value},0.1")
    return "\n".join(rows) + "\n"


def jaw(motion: Motion) -> np.ndarray:
    return motion.coefficients[:, SHAPE_INDEX["jawOpen"]]


def test_dropped_frames_are_filled_in_by_time(tmp_path: Path) -> None:
    kept = [i for i in range(120) if i not in (50, 51, 52)]
    text = recording([timecode(Fraction(1000, 60) + Fraction(i, 60)) for i in kept], [i / 100 for i in kept])
    path = tmp_path / "dropped.csv"
    path.write_text(text)
    motion = Motion.load(path)
    assert motion.fps == 60 and len(motion) == 120
    assert np.allclose(jaw(motion), np.arange(120) / 100, atol=1e-4)
    assert list(np.flatnonzero(~motion.tracked)) == [50, 51, 52]
    assert motion.rotation[0, 0] == pytest.approx(np.degrees(0.1), abs=1e-3)


def test_a_lost_face_is_a_gap(tmp_path: Path) -> None:
    lines = recording([timecode(Fraction(i, 60)) for i in range(90)]).splitlines()
    for i in range(30, 40):
        lines[1 + i] = f"{timecode(Fraction(i, 60))},0,,"
    (tmp_path / "lost.csv").write_text("\n".join(lines))
    motion = Motion.load(tmp_path / "lost.csv")
    assert len(motion) == 90 and list(np.flatnonzero(~motion.tracked)) == list(range(30, 40))
    assert np.allclose(jaw(motion), np.arange(90) / 100, atol=1e-4)


def test_timecodes() -> None:
    steps = [f"23:59:59:{f:02}.000" for f in range(58, 60)] + [f"00:00:00:{f:02}.000" for f in range(3)]
    assert np.allclose(seconds_of(steps), np.arange(5) / 60)  # over midnight
    thirty = [f"10:00:{i // 30:02}:{i % 30:02}.500" for i in range(10, 100)]
    assert np.allclose(np.diff(seconds_of(thirty)), 1 / 30)  # an app set to 30
    doubled = [f"12:28:{i // 30:02}:{i % 30 * 2 + 1:02}.06{i % 9}" for i in range(100)]
    assert np.allclose(np.diff(seconds_of(doubled)), 1 / 30, atol=2e-3)  # 30 fps by a clock of 60
    assert timecode(Fraction(3725) + Fraction(1, 120)) == "01:02:05:00.500"


def test_columns_by_name_in_any_order_and_spelling(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("foo,jaw_open,eyeBlink_L,HEADPITCH\n7,0.5,1,0.1\n8,0.25,0,0\n")
    motion = Motion.load(tmp_path / "a.csv")
    assert motion.fps == 60 and list(jaw(motion)) == [0.5, 0.25]
    assert motion.coefficients[0, SHAPE_INDEX["eyeBlinkLeft"]] == 1
    assert motion.rotation[0, 0] == pytest.approx(np.degrees(0.1), abs=1e-4)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b,c\n1,2,3\n", "names none of the ARKit"),
        ("JawOpen\n", "no frames"),
        ("JawOpen,JawLeft\n0.5,x\n", "line 2: .*no number"),
        ("JawOpen\nnan\n", "line 2"),
        ("JawOpen\n1e300\n", "out of range"),
        (recording(["00:00:01:00.000", "noon"]), "no timecode"),
        (recording(["00:00:05:00.000", "00:00:04:00.000"]), "backwards"),
        (recording(["00:00:05:99.000"]), "99"),
        (recording(["00:00:00:00.000", "00:00:00:01.000", "00:00:00:02.000", "09:00:00:00.000"]), "gap"),
        ("\x00\x01\x02", "names none"),
    ],
)
def test_what_is_wrong_with_a_csv_is_told_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "odd.csv"
    path.write_text(text)
    with pytest.raises(PortrayalError, match=said) as error:
        Motion.load(path)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)


def test_a_binary_file_named_csv(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_bytes(bytes(range(128, 256)) * 9)
    with pytest.raises(PortrayalError, match="not a text file"):
        Motion.load(tmp_path / "b.csv")
    for name in ("no.npz", "no.csv"):
        with pytest.raises(PortrayalError, match="no such file"):
            Motion.load(tmp_path / name)
