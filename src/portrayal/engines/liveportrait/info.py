"""What LivePortrait is and what one can set; light, so that a list of engines costs nothing."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from portrayal.engines.info import EngineInfo
from portrayal.engines.options import EngineOptions

INFO = EngineInfo(
    name="liveportrait",
    summary="a neural warp by implicit keypoints; stable, editable, face crops of 512 pixels",
    reads="frames",
    licence_code="MIT",
    licence_weights="MIT",
    commercial="yes",
    extra="neural",
    modules=("torch", "safetensors", "huggingface_hub"),
    weights="liveportrait",
    weights_size=522_400_000,
    paper="LivePortrait (Guo et al. 2024), https://arxiv.org/abs/2407.03168",
    live=True,
)


def _regions(text: str) -> str:
    from portrayal.engines.liveportrait.regions import parse_regions
    from portrayal.errors import UsageError

    try:
        parse_regions(text)
    except UsageError as error:
        raise ValueError(str(error)) from error
    return text


def _box(text: str) -> str:
    numbers = _numbers(text)
    if len(numbers) != 4 or numbers[0] >= numbers[2] or numbers[1] >= numbers[3]:
        raise ValueError("a box is left,top,right,bottom in pixels")
    return text


def _points(text: str) -> str:
    if len(_numbers(text)) != 6:
        raise ValueError(
            "three points are x,y,x,y,x,y in pixels: the eyes, the left of the picture first, mouth"
        )
    return text


def _numbers(text: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise ValueError(f"{text!r} is not made of numbers and commas") from error
    if not all(abs(number) < 1e6 for number in numbers):
        raise ValueError(f"{text!r} has numbers that are no pixels")
    return numbers


class Transferring(EngineOptions):
    """How motion is taken over."""

    group: ClassVar = "What moves"

    region: Annotated[str, AfterValidator(_regions)] = Field(
        "all",
        description="What moves: all, exp (expression), pose (head), lip, eyes, or some of them: lip,eyes; "
        "'exp,pose' is all but the head's size",
    )
    stitching: bool = Field(True, description="Keep shoulders and the crop's edge where they are")
    eye_retargeting: bool = Field(False, description="Open the eyes as far as the driving's")
    lip_retargeting: bool = Field(False, description="Open the lips as far as the driving's")
    normalize_lip: bool = Field(
        False, description="Close the portrait's lips first, where they are open and the motion is relative"
    )
    hold_eyes: bool = Field(
        False, description="Keep the eyes of a portrait that is a video as open as in its first frame"
    )
    smoothing: float = Field(
        3e-7, ge=0, le=1, allow_inf_nan=False,
        description="Smoothing of motion on a portrait that is a video, a variance: 3e-7 hardly, 1e-3 much",
    )  # fmt: skip
    driving_option: Literal["expression-friendly", "pose-friendly"] = Field(
        "expression-friendly",
        description="Animals: scale motion by the size of the heads, or not; the same for people",
    )


class Cropping(Transferring):
    """What is cut out and put back."""

    group: ClassVar = "Framing"

    driving_crop: Literal["auto", "none", "still", "following"] = Field(
        "auto",
        description="Crop the driving: one still box, a box that follows the face, or not; 'auto' is still "
        "unless the driving is square",
    )
    paste_back: bool = Field(True, description="The whole picture, not the face crop of 512 pixels")
    source_scale: float = Field(
        2.3, ge=1, le=5, allow_inf_nan=False, description="Side of the portrait's crop in face sizes"
    )
    source_x: float = Field(
        0.0, ge=-1, le=1, allow_inf_nan=False, description="Shift of this crop to the right, in its sides"
    )
    source_y: float = Field(
        -0.125, ge=-1, le=1, allow_inf_nan=False, description="Shift of this crop down, in its sides"
    )
    animal: bool = Field(False, description="A cat, a dog: the checkpoints for animals, and no face detector")
    box: Annotated[str, AfterValidator(_box)] | None = Field(
        None, description="Where the face is: left,top,right,bottom in pixels, in place of a detector"
    )
    points: Annotated[str, AfterValidator(_points)] | None = Field(
        None,
        description="The same by eyes and mouth: x,y,x,y,x,y in pixels, the left eye of the picture first",
    )


class Editing(Cropping):
    """Sliders that come on top of what drives."""

    group: ClassVar = "Sliders"

    sliders: ClassVar = (
        "smile", "aaa", "eee", "woo", "pout", "blink", "wink", "eyebrow", "pupil_x", "pupil_y", "shift_x",
        "shift_y", "zoom",
    )  # fmt: skip
    edits: ClassVar = (*sliders, "eyes_open", "lips_open", "sample", "source_ratio")

    smile: float = Field(0, ge=-0.3, le=1.3, description="Smile")
    aaa: float = Field(0, ge=-90, le=120, description="Mouth open (ah); below 0 pressed shut")
    eee: float = Field(0, ge=-20, le=15, description="Mouth wide (ee), a grin")
    woo: float = Field(0, ge=-20, le=15, description="Mouth pursed (oo)")
    pout: float = Field(0, ge=-0.09, le=0.09, description="Mouth to a side")
    blink: float = Field(0, ge=-20, le=5, description="Both lids: below 0 closing, above 0 wide")
    wink: float = Field(0, ge=0, le=39, description="Close the eye on the picture's left")
    eyebrow: float = Field(0, ge=-30, le=30, description="Brows: up above 0, knit below")
    pupil_x: float = Field(0, ge=-30, le=30, description="Look to the picture's right")
    pupil_y: float = Field(0, ge=-63, le=63, description="Look up")
    shift_x: float = Field(0, ge=-0.19, le=0.19, description="Move the head to the picture's right")
    shift_y: float = Field(0, ge=-0.19, le=0.19, description="Move the head down")
    zoom: float = Field(1, ge=0.5, le=2, description="Size of the head")
    eyes_open: float | None = Field(None, ge=0, le=0.8, description="Open the eyes by this ratio")
    lips_open: float | None = Field(None, ge=0, le=0.8, description="Open the lips by this ratio")
    sample: str | None = Field(
        None, description="A picture whose expression is added", json_schema_extra={"format": "file-path"}
    )
    sample_ratio: float = Field(1, ge=-0.2, le=1.2, description="How much of it")
    sample_part: Literal["expression", "rotation", "mouth", "eyes", "all"] = Field(
        "expression", description="Which part of it"
    )
    source_ratio: float = Field(
        1, ge=0, le=1, description="How much of the portrait's own expression is kept"
    )


class LivePortraitOptions(Editing):
    """The options of the engine."""

    group: ClassVar = "Quality"

    weights: str | None = Field(None, description="Folder of the checkpoints, in place of those downloaded")
    device: str = Field("auto", description="Where to compute: auto, cpu, cuda, cuda:1, mps")
    precision: Literal["auto", "fp32", "fp16", "bf16"] = Field(
        "auto", description="Of warp and generator; the keypoints are always fp32"
    )
    compile: bool = Field(False, description="Compile the networks first (a minute), for long clips")
    batch: int = Field(1, ge=1, le=64, description="Frames rendered at once")
    compat: bool = Field(
        False, description="As published where that is known to be wrong: retargeting freezes the head"
    )


OPTIONS = LivePortraitOptions
