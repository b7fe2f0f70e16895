"""Motion templates: what is read, and what of a hostile file is refused without being run."""

from __future__ import annotations

import copyreg
import os
import pickle
import pickletools
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from golden.liveportrait.cases import GOLDEN, golden
from portrayal.driving import Driving
from portrayal.engines.liveportrait.opcodes import Refused, read_plain
from portrayal.engines.liveportrait.template import Template, is_template
from portrayal.errors import PortrayalError, UsageError
from portrayal.media.video import VideoReader
from portrayal.motion import Motion


def content(frames: int = 2) -> dict[str, Any]:
    """A template as LivePortrait has it in memory."""
    one = {
        "scale": np.full((1, 1), 1.5, np.float32),
        "R": np.eye(3, dtype=np.float32)[None],
        "exp": np.arange(63, dtype=np.float32).reshape(1, 21, 3) / 1000,
        "t": np.zeros((1, 3), np.float32),
    }
    return {"n_frames": frames, "output_fps": 25, "motion": [{k: v.copy() for k, v in one.items()}] * frames}


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(data: bytes | dict[str, Any], protocol: int = 4) -> Path:
        path = tmp_path / "motion.pkl"
        path.write_bytes(data if isinstance(data, bytes) else pickle.dumps(data, protocol=protocol))
        return path

    return write


@pytest.mark.parametrize(
    ("name", "fps", "ratios"),
    [("template_new", 25, True), ("template_old", 30, True), ("template_animal", 25, False)],
)
def test_every_published_layout_is_read(name: str, fps: int, ratios: bool) -> None:
    case, template = golden("motion_combos"), Template.load(GOLDEN / f"{name}.pkl")
    assert len(template) == 4 and template.fps == fps
    motion = template.motion
    assert np.array_equal(motion.rotation, case["tpl_R"])
    assert np.array_equal(motion.expression, case["in_drv_exp"])
    assert np.array_equal(motion.translation, case["in_drv_t"])
    assert np.array_equal(motion.scale, case["in_drv_scale"][:, 0])
    assert (motion.eyes is not None) == (motion.lips is not None) == ratios
    if ratios:
        assert np.array_equal(motion.eyes, case["drv_c_eyes"])
        assert np.array_equal(motion.lips, case["drv_c_lip"][:, 0])
    if name == "template_new":
        assert np.abs(motion.keypoints - case["tpl_x_s"]).max() < 1e-5


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol_that_holds_arrays_is_read(write: Any, protocol: int) -> None:
    template = Template.load(write(content(), protocol))
    assert np.array_equal(template.motion.expression[1], content()["motion"][0]["exp"][0])


def test_other_numbers_than_float32_are_read(write: Any) -> None:
    data = content()
    for frame in data["motion"]:
        frame["exp"] = np.asfortranarray(frame["exp"].astype(">f8"))
        frame["scale"] = np.float64(1.25)
    data["output_fps"] = np.float64(29.97)
    template = Template.load(write(data))
    assert np.allclose(template.motion.expression[0], content()["motion"][0]["exp"][0])
    assert template.motion.scale[0] == 1.25
    assert abs(template.fps - Fraction(2997, 100)) < 1e-3


def test_a_template_survives_our_own_file(tmp_path: Path) -> None:
    template = Template.load(GOLDEN / "template_new.pkl")
    path = tmp_path / "safe.npz"
    template.save(path)
    assert is_template(path) and not is_template(tmp_path / "missing.npz")
    again = Template.load(path)
    assert again.fps == template.fps
    for name in template.motion.__dataclass_fields__:
        assert np.array_equal(getattr(again.motion, name), getattr(template.motion, name))
    with pytest.raises(PortrayalError, match="already exists"):
        template.save(path)
    with pytest.raises(UsageError, match=r"written as \.npz"):
        template.save(tmp_path / "unsafe.pkl")


def test_other_npz_files_are_no_templates(tmp_path: Path) -> None:
    path = tmp_path / "other.npz"
    np.savez(path, expression=np.zeros((2, 21, 3)))
    assert not is_template(path)
    with pytest.raises(PortrayalError, match=r"other\.npz: is no motion template"):
        Template.load(path)


class Run:
    """What unpickling would run."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._call = function, arguments

    def __reduce__(self) -> Any:
        return self._call


def test_a_command_is_not_run(write: Any, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    data = content()
    data["motion"][0]["exp"] = Run(os.system, f"touch {mark}")
    with pytest.raises(PortrayalError, match=r"motion\.pkl: .* asks for posix\.system") as caught:
        Template.load(write(data))
    assert "\n" not in str(caught.value) and not mark.exists()


@pytest.mark.parametrize(
    ("evil", "named"),
    [
        (Run(eval, "1"), "builtins.eval"),
        (Run(np.load, "x.npy"), "numpy.load"),
        (Run(copyreg._reconstructor, object, object, None), "copyreg._reconstructor"),
        (Run(np.frombuffer, b"1234"), "numpy.frombuffer"),
        (Path("x"), "pathlib"),
    ],
)
def test_other_functions_are_refused_by_name(write: Any, evil: Any, named: str) -> None:
    with pytest.raises(PortrayalError, match=named):
        Template.load(write({**content(), "extra": evil}))


def test_what_a_file_asks_for_cannot_paint_the_terminal() -> None:
    with pytest.raises(Refused) as caught:
        read_plain(b"\x80\x04X\x05\x00\x00\x00\x1b[31mX\x02\x00\x00\x00a\n\x93.")
    assert str(caught.value).isprintable()


def test_a_known_function_does_not_run_with_what_is_not_its_own() -> None:
    """numpy's own names with arguments that numpy never gives them."""
    for arguments in [(), (1, 2, 3), (b"abc", "f4", (1,), "C"), ("O8", False, True)]:
        for function in (np.dtype, np.core.multiarray._reconstruct, np.core.multiarray.scalar):
            opcodes = (
                pickle.dumps(function, protocol=2)[:-1] + pickle.dumps(arguments, protocol=2)[2:-1] + b"R."
            )
            with pytest.raises(Refused):
                read_plain(opcodes)


def test_arrays_of_objects_are_refused(write: Any) -> None:
    data = content()
    data["motion"][0]["exp"] = np.array([os.system, 1], dtype=object)
    with pytest.raises(PortrayalError, match="is no motion template that can be read"):
        Template.load(write(data))
    data["motion"][0]["exp"] = np.array([None] * 63, dtype=object)
    with pytest.raises(PortrayalError, match="'O8'"):
        Template.load(write(data))
    data["motion"][0]["exp"] = np.zeros(3, [("a", "f4"), ("b", "f4")])
    with pytest.raises(PortrayalError, match="is no motion template that can be read"):
        Template.load(write(data))


def test_a_shape_that_its_bytes_do_not_fill_is_refused(write: Any) -> None:
    whole = pickle.dumps(content(1), protocol=2)
    assert b"K\x15K\x03" in whole  # 21, 3
    with pytest.raises(PortrayalError, match="is no motion template"):
        Template.load(write(whole.replace(b"K\x15K\x03", b"K\xffK\xff")))
    huge = whole.replace(b"K\x15K\x03", b"\x8a\x08" + struct.pack("<q", 1 << 40) + b"K\x03")
    with pytest.raises(PortrayalError, match="in 252 bytes"):
        Template.load(write(huge))


def test_every_cut_of_a_file_is_one_line(write: Any) -> None:
    whole = pickle.dumps(content(1), protocol=4)
    for length in range(1, len(whole), 7):
        with pytest.raises(PortrayalError) as caught:
            Template.load(write(whole[:length]))
        assert "\n" not in str(caught.value)


def test_every_flipped_byte_is_a_template_or_one_line(write: Any) -> None:
    whole = pickle.dumps(content(1), protocol=4)
    for place in range(0, len(whole), 3):
        broken = bytearray(whole)
        broken[place] ^= 0x55
        try:
            Template.load(write(bytes(broken)))
        except PortrayalError as error:
            assert "\n" not in str(error)


def test_buffers_outside_of_the_file_are_refused(write: Any) -> None:
    outside: list[pickle.PickleBuffer] = []
    data = pickle.dumps(content(), protocol=5, buffer_callback=outside.append)
    assert outside
    with pytest.raises(PortrayalError, match="NEXT_BUFFER"):
        Template.load(write(data))


def test_a_large_memo_number_takes_no_memory(write: Any) -> None:
    bomb = b"\x80\x04}r\xff\xff\xff\x7f."  # an empty dict, remembered as number 2**31 - 1
    with pytest.raises(PortrayalError, match="no list of frames"):
        Template.load(write(bomb))


def test_lists_in_lists_are_not_unrolled(write: Any) -> None:
    """A thousand times a thousand times a thousand numbers in one small file."""
    level: Any = [0.0] * 1000
    for _ in range(6):
        level = [level] * 1000
    data = content()
    data["motion"][0]["exp"] = level
    with pytest.raises(PortrayalError, match="expression is not made of arrays"):
        Template.load(write(data))
    endless: list[Any] = []
    endless.append(endless)
    data["motion"][0]["exp"] = endless
    with pytest.raises(PortrayalError, match="is no motion template"):
        Template.load(write(data))


def doubled(times: int) -> bytes:
    """Instructions for a pair of pairs of pairs: two to the power of `times` when written out."""
    return b"K\x01" + b"".join(b"q%ch%c\x86" % (i, i) for i in range(times))


@pytest.mark.parametrize(
    "use",
    [
        b"\x80\x04cnumpy\ndtype\n%b\x85R.",  # as the name of a dtype
        b"\x80\x04c_codecs\nencode\nX\x01\x00\x00\x00a%b\x86R.",  # as that of an encoding
        b"\x80\x04%bX\x01\x00\x00\x00a\x93.",  # as that of a module
        b"\x80\x04}%bK\x01s.",  # as a key
        b"\x80\x04c_codecs\nencode\nC\x01aX\x06\x00\x00\x00latin1\x86R%b.",
    ],
)
def test_pairs_of_pairs_are_not_written_out(use: bytes) -> None:
    with pytest.raises(Refused) as caught:
        read_plain(use % doubled(60))
    assert len(str(caught.value)) < 200


def test_one_frame_repeated_for_ever_is_refused(write: Any) -> None:
    data = content(1)
    data["motion"] = data["motion"] * 20000
    with pytest.raises(PortrayalError, match="20000 frames in"):
        Template.load(write(data))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.pop("motion"), "no list of frames"),
        (lambda d: d["motion"].clear(), "no frames|no rotation"),
        (lambda d: [frame.pop("R") for frame in d["motion"]], "no rotation"),
        (lambda d: d["motion"].__setitem__(1, {}), "missing in some frames"),
        (lambda d: d["motion"][0].__setitem__("t", np.zeros((1, 2))), "translation is not 2 x 3 numbers"),
        (lambda d: d["motion"][0].__setitem__("t", np.full((1, 3), np.nan)), "no numbers"),
        (lambda d: d.__setitem__("output_fps", 0), "frame rate"),
        (lambda d: d.__setitem__("output_fps", "fast"), "frame rate"),
    ],
)
def test_what_is_missing_or_wrong_is_said(write: Any, change: Any, said: str) -> None:
    data = content()
    data["motion"] = [dict(frame) for frame in data["motion"]]
    change(data)
    with pytest.raises(PortrayalError, match=said):
        Template.load(write(data))


@pytest.mark.parametrize("data", [b"hello", b"\x89PNG\r\n\x1a\n" + bytes(40), b"PK\x03\x04" + bytes(40)])
def test_other_files_are_no_templates(write: Any, data: bytes) -> None:
    with pytest.raises(PortrayalError, match=r"motion\.pkl: is no motion template that can be read"):
        Template.load(write(data))


def test_plain_data_is_what_pickle_makes_of_it() -> None:
    """Against pickle itself, on data that it may be trusted with."""
    data = {
        "a": [1, -2, 300, 70000, 1 << 40, 2.5, None, True, False, "ä", b"x", (), (1, 2), (1, 2, 3, 4)],
        3: {},
    }
    for protocol in (2, 3, 4, 5):
        dumped = pickle.dumps(data, protocol=protocol)
        assert read_plain(dumped) == data
        assert read_plain(pickletools.optimize(dumped)) == data


def test_a_template_is_cut_and_resampled() -> None:
    template = Template.load(GOLDEN / "template_new.pkl")
    part = template.cut(0.04, 0.12)
    assert len(part) == 2
    assert np.array_equal(part.motion.expression, template.motion.expression[1:3])
    twice = template.resample(Fraction(50))
    assert len(twice) == 8 and twice.fps == 50
    assert np.abs(twice.motion.rotation[::2] - template.motion.rotation).max() < 1e-5
    middle = (template.motion.expression[0] + template.motion.expression[1]) / 2
    assert np.abs(twice.motion.expression[1] - middle).max() < 1e-6
    assert np.abs(np.linalg.det(twice.motion.rotation) - 1).max() < 1e-5
    with pytest.raises(UsageError, match="nothing at that time"):
        template.cut(5)


def test_a_template_is_a_driving(tmp_path: Path) -> None:
    driving = Driving.open(GOLDEN / "template_old.pkl", fps=Fraction(60))
    assert driving.kind == "template" and driving.fps == 60 and driving.count == 8
    assert driving.template is not None and len(driving.template) == 8
    assert driving.audio is None
    frames = list(driving.motion)
    assert len(frames) == 8 and not frames[0].coefficients.any() and frames[-1].coefficients.any()
    with pytest.raises(PortrayalError, match="is a motion template, which has no pictures"):
        _ = driving.frames
    safe = tmp_path / "safe.npz"
    Template.load(GOLDEN / "template_old.pkl").save(safe)
    assert Driving.open(safe).kind == "template"
    plain = tmp_path / "plain.npz"
    Motion.from_sliders({"jawOpen": 1}).save(plain)
    assert Driving.open(plain).kind == "motion" and Driving.open(plain).template is None


def test_every_engine_plays_a_template(command: Any, media: Path, tmp_path: Path) -> None:
    ran = command("animate", media / "hopper.png", GOLDEN / "template_new.pkl", "-o", "out.mp4", "--quiet")
    assert (ran.status, ran.err) == (0, "")
    pictures = [rgb.astype(float) for rgb in VideoReader(tmp_path / "out.mp4")]
    assert len(pictures) == 4
    assert np.abs(pictures[3] - pictures[0]).mean() > 1


def test_a_hostile_template_is_one_line_and_no_picture(command: Any, media: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps({"motion": [Run(os.system, f"touch {mark}")]}))
    ran = command("animate", media / "hopper.png", "evil.pkl", "-o", "out.mp4")
    assert ran.status == 1 and ran.err.count("\n") == 1 and "posix.system" in ran.err
    assert not mark.exists() and not (tmp_path / "out.mp4").exists()
