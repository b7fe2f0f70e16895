"""Still pictures in and out: any mode, depth and orientation in, uint8 RGB throughout."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from portrayal.errors import PortrayalError, UsageError
from portrayal.media.atomic import new_file
from portrayal.media.files import check_source, shown
from portrayal.media.tags import synthetic_tags

Pixels = NDArray[np.uint8]

#: What is read, by content; formats that run other programs or are no pictures stay out.
READ = ("PNG", "JPEG", "MPO", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "AVIF", "JPEG2000", "ICO", "SGI")
#: Formats written, by suffix.
WRITTEN = {
    ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF",
}  # fmt: skip
#: Suffixes that a folder of pictures is searched for.
SUFFIXES = frozenset(WRITTEN) | {".bmp", ".gif", ".ppm", ".avif"}
#: Largest picture read unless asked otherwise; at 100 megapixels RGB takes 300 MB.
MAX_PIXELS = 100_000_000

_limit = threading.Lock()


@dataclass(frozen=True)
class Picture:
    """rgb: uint8 (H, W, 3). alpha: uint8 (H, W), 255 opaque; None where all of it is opaque."""

    rgb: Pixels
    alpha: Pixels | None = None


def read_image(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Picture:
    """The picture in a file (the first one of an animation), upright.

    Raises PortrayalError where it cannot be read, is cut short, or has more than `max_pixels` (known from its
    header, before it is decoded).
    """
    with check_source(path).open("rb") as file:
        image = open_header(file)
        if image is None:
            raise PortrayalError(f"{shown(path)}: {unsupported(file)}")
        _check_size(image.size, path, max_pixels)
        try:
            with _any_size():
                image.load()
        except (OSError, ValueError, SyntaxError, EOFError) as error:
            raise PortrayalError(f"{shown(path)}: the picture is cut short or damaged") from error
        ImageOps.exif_transpose(image, in_place=True)
        return picture_of(image)


def open_header(file: BinaryIO) -> Image.Image | None:
    """The picture in an open file, not yet decoded; None where it is no picture that is read."""
    Image.init()
    known = [kind for kind in READ if kind in Image.OPEN]
    if is_heic(file) and _reads_heic():
        known.append("HEIF")
    with _any_size():
        try:
            return Image.open(file, formats=known)
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError):
            return None


def is_heic(file: BinaryIO) -> bool:
    file.seek(4)
    brand = file.read(8)
    file.seek(0)
    return brand in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc", b"ftypmsf1")


def _reads_heic() -> bool:
    """Whether the package is there that teaches Pillow to."""
    try:
        import_module("pillow_heif").register_heif_opener()
    except ImportError:
        return False
    return True


def unsupported(file: BinaryIO) -> str:
    """Why an open file is no picture that is read."""
    if is_heic(file):
        return "to read HEIC pictures, pip install pillow-heif (or save it as JPEG or PNG)"
    return "not a picture that can be read"


@contextmanager
def _any_size() -> Iterator[None]:
    """Have Pillow open headers of any size: the limit, and the words for it, are ours."""
    with _limit:
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def _check_size(size: tuple[int, int], path: str | os.PathLike[str], max_pixels: int) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise PortrayalError(f"{shown(path)}: the picture is empty ({width}x{height} pixels)")
    if width * height > max_pixels:
        raise PortrayalError(
            f"{shown(path)}: {width}x{height} is {width * height / 1e6:.4g} megapixels; "
            f"the limit is {max_pixels / 1e6:.4g} (max_pixels raises it)"
        )


def picture_of(image: Image.Image) -> Picture:
    """A decoded Pillow image of any mode as uint8 sRGB and alpha."""
    image = _as_srgb(image)
    if image.mode.startswith("I"):
        grey = (np.asarray(image).astype(np.int64).clip(0, 65535) * 255 + 32767) // 65535
        return Picture(np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        rgba = np.asarray(image.convert("RGBA"))
        alpha = rgba[..., 3]
        opaque = bool((alpha == 255).all())
        return Picture(np.ascontiguousarray(rgba[..., :3]), None if opaque else np.ascontiguousarray(alpha))
    return Picture(np.array(image if image.mode == "RGB" else image.convert("RGB")))


def _as_srgb(image: Image.Image) -> Image.Image:
    """The image in sRGB where an ICC profile says that its colours are others (a phone's Display P3, Adobe
    RGB, a press's CMYK); as it is where it has none, or one that does not fit it."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("L", "RGB", "RGBA", "RGBX", "CMYK", "LAB"):
        return image
    from PIL import ImageCms

    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(own).lower():
            return image
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        return ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB"), outputMode=mode) or image
    except (ImageCms.PyCMSError, OSError):
        return image


def write_image(
    path: str | os.PathLike[str],
    rgb: Pixels,
    *,
    overwrite: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write uint8 RGB (H, W, 3) as .png, .jpg, .webp or .tif, marked as synthetic.

    metadata: further texts (PNG: one chunk each; elsewhere part of the description).
    Raises UsageError for another suffix, PortrayalError as :func:`portrayal.media.atomic.check_target`.
    """
    check_suffix(path)
    with new_file(path, overwrite) as temporary:
        save_image(temporary, rgb, metadata)


def check_suffix(path: str | os.PathLike[str]) -> str:
    """The suffix of a picture to write; UsageError where that format is not written."""
    suffix = Path(path).suffix.lower()
    if suffix not in WRITTEN:
        raise UsageError(
            f"{shown(path)}: pictures are written as {', '.join(WRITTEN)}, not '{shown(suffix)}'"
        )
    return suffix


def save_image(path: Path, rgb: Pixels, metadata: Mapping[str, str] | None = None, **options: Any) -> None:
    """Write a marked picture straight to `path`; :func:`write_image` is for whole files."""
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ValueError(f"a picture is uint8 (H, W, 3), not {rgb.dtype} {rgb.shape}")
    kind = WRITTEN[path.suffix.lower()]
    tags = synthetic_tags() | dict(metadata or {})
    if kind == "PNG":
        text = PngInfo()
        for key, value in tags.items():
            text.add_itxt(key.capitalize(), value)
        options = {"pnginfo": text} | options
    else:
        options = {"exif": _exif(tags), "quality": 95, "subsampling": 0} | options
        if kind == "JPEG":
            options["comment"] = tags["comment"]
    Image.fromarray(np.ascontiguousarray(rgb)).save(path, format=kind, **options)


def _exif(tags: Mapping[str, str]) -> bytes:
    exif = Image.Exif()
    extra = [f"{key}: {value}" for key, value in tags.items() if key not in synthetic_tags()]
    exif[ExifTags.Base.ImageDescription] = "; ".join([tags["description"], *extra]).encode()
    exif[ExifTags.Base.Software] = "Portrayal"
    return exif.tobytes()
