"""Still pictures of every mode and depth, what kind of thing a file is, and files that are none."""

from __future__ import annotations

import io
import struct
import sys
import wave
import zlib
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO

import av
import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngImageFile

from media_samples import NAMES, Rgb, centres, count_to, encode, numbered, patches, tone
from portrayal.errors import PortrayalError, UsageError
from portrayal.media.audio import AudioTrack
from portrayal.media.image import read_image, write_image
from portrayal.media.sniff import sniff
from portrayal.media.tags import synthetic_tags
from portrayal.media.video import VideoReader
from portrayal.media.write import write_video

GREY = np.array([0.299, 0.587, 0.114])


def error(rgb: Rgb, truth: Rgb) -> float:
    return float(np.abs(centres(rgb) - centres(truth)).max())


@pytest.mark.parametrize("suffix", ["png", "jpg", "jpeg", "webp", "tif", "TIFF"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (33, 51)])
def test_pictures_come_back_as_they_were(tmp_path: Path, suffix: str, shape: tuple[int, int]) -> None:
    path = tmp_path / f"a.{suffix}"
    rgb = patches(*shape)
    write_image(path, rgb)
    picture = read_image(path)
    assert picture.rgb.dtype == np.uint8 and picture.rgb.shape == rgb.shape and picture.alpha is None
    if suffix in ("png", "tif", "TIFF"):
        assert np.array_equal(picture.rgb, rgb)
    elif shape == (33, 51):
        assert error(picture.rgb, rgb) <= (3 if suffix != "webp" else 12)


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [("RGBA", "png"), ("CMYK", "jpg"), ("CMYK", "tif"), ("YCbCr", "tif"), ("LAB", "tif"), ("RGB", "bmp")],
)
def test_any_colour_mode_is_read_as_rgb(tmp_path: Path, mode: str, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    colours = np.repeat(np.repeat(np.uint8([[[200, 100, 50], [30, 120, 90]]]), 32, 0), 32, 1)
    if mode == "LAB":
        pixels = cv2.cvtColor(colours, cv2.COLOR_RGB2LAB)
        pixels[..., 1:] -= 128  # TIFF and Pillow hold a and b as signed numbers
        Image.fromarray(pixels, "LAB").save(path)
    else:
        # Pillow 12 writes YCbCr without compression in a way that it does not read; cameras compress it.
        compression = {"compression": "jpeg"} if mode == "YCbCr" else {}
        Image.fromarray(colours).convert(mode).save(path, quality=95, **compression)
    assert np.abs(read_image(path).rgb.astype(int) - colours).max() <= 6


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16"])
def test_grey_pictures_have_three_equal_channels(tmp_path: Path, mode: str) -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None], 8, 0)
    image = Image.fromarray(ramp.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(ramp)
    if mode != "I;16":
        image = image.convert(mode, dither=Image.Dither.NONE)
    image.save(tmp_path / "a.png")
    rgb = read_image(tmp_path / "a.png").rgb
    assert rgb.shape == (8, 256, 3) and (rgb == rgb[..., :1]).all()
    expected = np.where(ramp > 127, 255, 0) if mode == "1" else ramp
    assert np.abs(rgb[..., 0].astype(int) - expected).max() == 0


def wide_profile() -> bytes:
    """An ICC profile of linear light in BT.2020's primaries, made by hand (ICC.1:2010, three-component matrix
    profile, primaries adapted to D50)."""

    def fixed(*values: float) -> bytes:
        return b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    text = b"desc" + bytes(4) + struct.pack(">I", 5) + b"wide\0" + bytes(78)
    tags = {
        b"desc": text,
        b"wtpt": b"XYZ " + bytes(4) + fixed(0.9642, 1.0, 0.8249),
        b"rXYZ": b"XYZ " + bytes(4) + fixed(0.6734, 0.2790, -0.0019),
        b"gXYZ": b"XYZ " + bytes(4) + fixed(0.1656, 0.6753, 0.0299),
        b"bXYZ": b"XYZ " + bytes(4) + fixed(0.1251, 0.0456, 0.7969),
    }
    tags |= {name: b"curv" + bytes(4) + struct.pack(">I", 0) for name in (b"rTRC", b"gTRC", b"bTRC")}
    at, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data
    head = struct.pack(">I4sI4s4s4s", at + len(body), b"", 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + fixed(0.9642, 1.0, 0.8249)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_pictures_with_a_profile_are_shown_in_srgb(tmp_path: Path, mode: str) -> None:
    shown = np.array([[(128, 128, 128), (200, 120, 90), (255, 255, 255), (90, 140, 200)]], np.uint8)
    code = shown / 255
    light = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    to_wide = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
    coded = np.round(255 * light @ to_wide.T).astype(np.uint8)
    image = Image.fromarray(coded).convert(mode)
    if mode == "RGBA":
        image.putalpha(100)
    image.save(tmp_path / "a.png", icc_profile=wide_profile())
    picture = read_image(tmp_path / "a.png")
    assert np.abs(picture.rgb.astype(int) - shown).max() <= 4
    assert (picture.alpha is None) == (mode == "RGB") and (mode == "RGB" or (picture.alpha == 100).all())
    image.save(tmp_path / "b.png")
    assert np.array_equal(read_image(tmp_path / "b.png").rgb, coded)


@pytest.mark.parametrize("profile", [b"nothing", "sRGB", "LAB"])
def test_profiles_that_change_nothing_change_nothing(tmp_path: Path, profile: bytes | str) -> None:
    if isinstance(profile, str):
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile(profile)).tobytes()
    Image.fromarray(patches()).save(tmp_path / "a.png", icc_profile=profile)
    assert np.array_equal(read_image(tmp_path / "a.png").rgb, patches())


def test_a_heic_picture_says_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "IMG_0001.HEIC"
    path.write_bytes(struct.pack(">I", 24) + b"ftypheic" + bytes(4) + b"mif1heic" + bytes(64))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    for read in (read_image, sniff):
        with pytest.raises(PortrayalError, match="pip install pillow-heif") as error:
            read(path)
        assert "IMG_0001.HEIC" in str(error.value)


def test_a_heic_picture_is_read_where_the_package_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.heic"
    Image.fromarray(patches()).save(path, "PNG")
    path.write_bytes(struct.pack(">I", 16) + b"ftypheic" + bytes(4) + path.read_bytes())

    class Heif(PngImageFile):  # stands for the package's: the same picture, behind a header of 16 bytes
        format = "HEIF"

        def __init__(self, file: BinaryIO, name: str) -> None:
            file.seek(16)
            super().__init__(io.BytesIO(file.read()))

    def register() -> None:
        Image.register_open("HEIF", Heif, lambda head: head[4:12] == b"ftypheic")

    monkeypatch.setattr(Image, "OPEN", dict(Image.OPEN))
    monkeypatch.setattr(Image, "ID", list(Image.ID))
    monkeypatch.setitem(sys.modules, "pillow_heif", SimpleNamespace(register_heif_opener=register))
    assert sniff(path) == "image"
    assert np.array_equal(read_image(path).rgb, patches())


@pytest.mark.parametrize("suffix", ["png", "tiff"])
@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bits_become_eight(tmp_path: Path, suffix: str, channels: int) -> None:
    deep = patches(48, 64).astype(np.uint16) * 257
    pixels = deep[..., ::-1] if channels == 3 else np.dstack([deep[..., ::-1], deep[..., 0] * 0 + 128 * 257])
    assert cv2.imwrite(str(tmp_path / f"a.{suffix}"), pixels)
    picture = read_image(tmp_path / f"a.{suffix}")
    assert np.abs(picture.rgb.astype(int) - patches(48, 64)).max() <= 1
    assert (picture.alpha is None) == (channels == 3)
    assert picture.alpha is None or (picture.alpha == 128).all()


def test_alpha_of_every_kind(tmp_path: Path) -> None:
    alpha = np.tile(np.uint8([[0, 100, 255]]), (9, 1)).repeat(3, 1)
    colours = patches(9, 9)
    Image.fromarray(np.dstack([colours, alpha])).save(tmp_path / "rgba.png")
    picture = read_image(tmp_path / "rgba.png")
    assert np.array_equal(picture.rgb, colours) and np.array_equal(picture.alpha, alpha)
    palette = Image.fromarray(np.arange(81, dtype=np.uint8).reshape(9, 9) % 3, "P")
    palette.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    palette.save(tmp_path / "p.png", transparency=1)
    picture = read_image(tmp_path / "p.png")
    assert picture.alpha is not None and picture.alpha[0].tolist() == [255, 0, 255] * 3
    assert picture.rgb[0, :3].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    Image.fromarray(colours).save(tmp_path / "key.png", transparency=(255, 0, 0))
    picture = read_image(tmp_path / "key.png")
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha == 0, (colours == (255, 0, 0)).all(axis=2))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int) -> None:
    upright = patches(48, 64)
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.transpose(1, 0, 2), 6: np.rot90(upright), 7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(
        tmp_path / "a.jpg", exif=exif, quality=95, subsampling=0
    )
    assert error(read_image(tmp_path / "a.jpg").rgb, upright) <= 3


def empty_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def test_a_huge_picture_is_refused_by_its_header(tmp_path: Path) -> None:
    (tmp_path / "huge.png").write_bytes(empty_png(20000, 20000))
    with pytest.raises(PortrayalError, match=r"huge\.png: 20000x20000 is 400 megapixels; the limit is 100"):
        read_image(tmp_path / "huge.png")
    with pytest.raises(PortrayalError, match="cut short or damaged"):
        read_image(tmp_path / "huge.png", max_pixels=10**9)
    write_image(tmp_path / "small.png", numbered(1))
    with pytest.raises(PortrayalError, match=r"64x32 is 0\.002048 megapixels; the limit is 0\.001"):
        read_image(tmp_path / "small.png", max_pixels=1000)
    assert read_image(tmp_path / "small.png", max_pixels=2048).rgb.shape == (32, 64, 3)


def test_pictures_say_that_they_are_synthetic(tmp_path: Path) -> None:
    tag = synthetic_tags()["comment"]
    for suffix in ("png", "jpg", "webp", "tif"):
        write_image(tmp_path / f"a.{suffix}", numbered(1), metadata={"note": "Grüße"})
    assert Image.open(tmp_path / "a.png").info["Comment"] == tag
    assert Image.open(tmp_path / "a.png").info["Note"] == "Grüße"
    for suffix in ("jpg", "webp", "tif"):
        assert Image.open(tmp_path / f"a.{suffix}").getexif()[270].startswith(f"{tag}; note: Gr")
    assert Image.open(tmp_path / "a.jpg").info["comment"] == tag.encode()


def test_pictures_are_not_written_in_any_format(tmp_path: Path) -> None:
    for name in ("a.gif", "a", "a.psd"):
        with pytest.raises(UsageError, match=r"pictures are written as \.png"):
            write_image(tmp_path / name, numbered(1))
    with pytest.raises(ValueError, match="uint8"):
        write_image(tmp_path / "a.png", np.zeros((4, 4), np.uint8))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    write_image(f"{name}.png", numbered(9))
    assert np.array_equal(read_image(f"{name}.png").rgb, numbered(9)) and sniff(f"{name}.png") == "image"


def with_cover(path: Path) -> Path:
    """An MP3 with a picture of its cover (ID3v2.3, frame APIC)."""
    encode(path, sound=tone(1, 44100), sound_codec="libmp3lame", sound_rate=44100)
    write_image(path.with_suffix(".png"), patches())
    body = b"\x00image/png\x00\x03\x00" + path.with_suffix(".png").read_bytes()
    frame = b"APIC" + struct.pack(">I", len(body)) + b"\x00\x00" + body
    size = bytes(len(frame) >> shift & 127 for shift in (21, 14, 7, 0))
    path.write_bytes(b"ID3\x03\x00\x00" + size + frame + path.read_bytes())
    return path


def test_sniffing_goes_by_content(tmp_path: Path) -> None:
    frames = [Image.fromarray(numbered(i)) for i in range(3)]
    for suffix in ("gif", "webp", "png"):
        frames[0].save(tmp_path / f"still.{suffix}")
        frames[0].save(tmp_path / f"moving.{suffix}", save_all=True, append_images=frames[1:], duration=100)
        assert sniff(tmp_path / f"still.{suffix}") == "image"
        assert sniff(tmp_path / f"moving.{suffix}") == "video"
    frames[0].save(tmp_path / "pages.tif", save_all=True, append_images=frames[1:])
    assert sniff(tmp_path / "pages.tif") == "image"
    cover = with_cover(tmp_path / "song.mp3")
    with av.open(str(cover)) as container:
        assert container.streams.video
    assert sniff(cover) == "audio" and AudioTrack(cover).rate == 44100
    with pytest.raises(PortrayalError, match=r"song\.mp3: holds only sound, no pictures"):
        VideoReader(cover)
    write_video(tmp_path / "clip.mp4", count_to(3), Fraction(25))
    (tmp_path / "clip.mp4").rename(tmp_path / "clip.jpg")
    assert sniff(tmp_path / "clip.jpg") == "video"
    (tmp_path / "still.png").rename(tmp_path / "still.mp4")
    assert sniff(tmp_path / "still.mp4") == "image"
    with pytest.raises(PortrayalError, match="is a still picture, not a video"):
        VideoReader(tmp_path / "still.mp4")
    assert sniff(tmp_path) == sniff(tmp_path / "moving.png") == "video"


def bad_files(folder: Path) -> dict[str, str]:
    """Files that nothing can be read from, and what is said of them."""
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("hello, world\n" * 50)
    (folder / "text.txt").write_text("hello, world\n" * 50)
    (folder / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    (folder / "folder").mkdir()
    write_video(folder / "ok.mp4", count_to(20), Fraction(25))
    whole = (folder / "ok.mp4").read_bytes()
    (folder / "head.mp4").write_bytes(whole[: whole.index(b"moov") + 60])
    (folder / "list.m3u8").write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nok.mp4\n#EXT-X-ENDLIST\n"
    )
    (folder / "list.mp4").write_text("ffconcat version 1.0\nfile 'ok.mp4'\n")
    return {
        "missing.mp4": "no such file",
        "empty.mp4": "the file is empty",
        "folder": "folder",
        "text.mp4": "not a",
        "text.txt": "not a",
        "noise.mp4": "not a",
        "head.mp4": "cut short|not a picture",
        "list.m3u8": "other files|not a",
        "list.mp4": "not a",
        "x" * 300: "name too long",
        "null\0.mp4": "no such file",
    }


@pytest.mark.parametrize("read", [VideoReader, AudioTrack, read_image, sniff])
def test_bad_files_are_errors_of_one_line(tmp_path: Path, read: object) -> None:
    for name, message in bad_files(tmp_path).items():
        with pytest.raises(PortrayalError, match=message) as raised:
            read(tmp_path / name)  # type: ignore[operator]
        assert "\n" not in str(raised.value) and name[:20].replace("\0", "\\x00") in str(raised.value)


def test_pictures_and_sounds_that_are_cut_short_or_empty(tmp_path: Path) -> None:
    write_image(tmp_path / "whole.jpg", patches(200, 200))
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:2000])
    with pytest.raises(PortrayalError, match=r"cut\.jpg: the picture is cut short or damaged"):
        read_image(tmp_path / "cut.jpg")
    with wave.open(str(tmp_path / "zero.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
    with pytest.raises(PortrayalError, match=r"zero\.wav: the sound has no samples"):
        AudioTrack(tmp_path / "zero.wav")
