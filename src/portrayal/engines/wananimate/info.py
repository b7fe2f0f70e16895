"""What Wan-Animate is and what one can set; light, so that a list costs nothing."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from portrayal.engines.info import EngineInfo
from portrayal.engines.options import EngineOptions

INFO = EngineInfo(
    name="wananimate",
    summary="a video model moves the whole figure and its face, or takes a person's place in a video",
    reads="frames",
    licence_code="Apache-2.0",
    licence_weights="Apache-2.0",
    commercial="yes",
    extra="diffusion",
    modules=("torch", "diffusers", "transformers"),
    weights="wananimate",
    weights_size=47_700_000_000,
    paper="Wan-Animate (2025), https://arxiv.org/abs/2509.14055",
)

#: The official prompts: a person in the video is in motion; what a video is not to be.
PROMPT = "视频中的人在做动作"
AGAINST = (
    "色调艳丽，过曝，静态，细节模糊不清，字幕，风格，作品，画作，画面，静止，整体发灰，最差质量，低质量，JPEG压缩残留，丑陋的，残缺的，多余的手指，画得不好的手部，画得不好的脸部，"  # noqa: RUF001
    "畸形的，毁容的，形态畸形的肢体，手指融合，静止不动的画面，杂乱的背景，三条腿，背景人很多，倒着走"  # noqa: RUF001
)


class WanAnimateOptions(EngineOptions):
    """The options of the engine."""

    group: ClassVar[str] = "Quality"

    mode: Literal["animate", "replace"] = Field(
        "animate",
        description="Move the portrait before its own background, or put it in the place of the driving's "
        "person",
        json_schema_extra={"group": "What moves"},
    )
    prompt: str = Field(
        PROMPT,
        max_length=2000,
        description="What is to be seen; the model was trained with its default",
        json_schema_extra={"group": "What moves"},
    )
    negative_prompt: str = Field(
        AGAINST,
        max_length=2000,
        description="What is not to be seen; used with --guidance above 1",
        json_schema_extra={"group": "What moves"},
    )
    pixels: int = Field(
        832 * 480,
        ge=32 * 32,
        le=1920 * 1088,
        description="Of a frame, about: 399360 is 480p, 921600 720p",
        json_schema_extra={"group": "Framing"},
    )
    steps: int | None = Field(
        None, ge=1, le=200, description="Steps of a segment: 20, or 4 with --fast, unless given"
    )
    solver: Literal["unipc", "dpm++"] = Field("unipc", description="How steps are taken")
    shift: float = Field(5.0, ge=1, le=20, description="How early in a segment most steps are spent")
    guidance: float = Field(
        1.0, ge=1, le=10, description="Above 1 strengthens the expression, at twice the time"
    )
    segment: int = Field(77, ge=5, le=161, description="Frames that are made at once: 4n+1")
    overlap: Literal[1, 5] = Field(1, description="Frames that segments share: 5 is steadier and slower")
    steady_colour: bool = Field(True, description="The colours of a segment follow those of the one before")
    retarget: bool = Field(
        True,
        description="The portrait's own limb lengths, not the driving's (when it is animated)",
        json_schema_extra={"group": "What moves"},
    )
    fast: Literal["auto"] | str | None = Field(
        None, description="A LoRA that needs few steps: its file, or 'auto' for the one downloaded"
    )
    relight: Literal["auto"] | str | None = Field(
        None, description="The LoRA that fits the light of a replaced person: its file, or 'auto'"
    )
    lora: str | None = Field(None, description="Another LoRA's file")
    lora_strength: float = Field(1.0, ge=-4, le=4, description="How strongly --lora acts")
    weights: str | None = Field(None, description="Folder of the networks, in place of those downloaded")
    transformer: str | None = Field(
        None, description="File or folder of the transformer alone: safetensors, in fp8 too, or GGUF"
    )
    device: str = Field("auto", description="Where to compute: auto, cpu, cuda, cuda:1")
    gpus: int = Field(1, ge=1, le=8, description="GPUs that work together")
    compat: bool = Field(
        False, description="As the authors' code does it, flaws included, to compare with it"
    )

    @field_validator("segment")
    @classmethod
    def _whole_latents(cls, value: int) -> int:
        if value % 4 != 1:
            raise ValueError("should be 4n+1: 77, 81, ...")
        return value


OPTIONS = WanAnimateOptions
