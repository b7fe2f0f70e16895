"""What Wan-Animate-2 is and what one can set; light, so that a list costs nothing."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from portrayal.engines.info import EngineInfo
from portrayal.engines.options import EngineOptions

INFO = EngineInfo(
    name="wananimate2",
    summary="video generation: the portrait does what a raw driving video shows, body and camera too",
    reads="frames",
    licence_code="Apache-2.0",
    licence_weights="by its page",
    commercial="unclear",
    extra="diffusion",
    modules=("torch", "diffusers", "transformers", "accelerate"),
    weights="wananimate2",
    weights_size=45_930_000_000,
    paper="Wan-Animate-2 (Wang et al. 2026), https://huggingface.co/Wan-AI/Wan-Animate-2-14B",
)
#: What the model was released with: the quality that is not wanted.
NEGATIVE = (
    "过曝，静态，细节模糊不清，字幕，静止，整体发灰，最差质量，低质量，JPEG压缩残留，丑陋的，残缺的，"  # noqa: RUF001
    "多余的手指，画得不好的手部，画得不好的脸部，畸形的，毁容的，形态畸形的肢体，手指融合，"  # noqa: RUF001
    "静止不动的画面，三条腿"  # noqa: RUF001
)


class WanAnimate2Options(EngineOptions):
    """The options of the engine."""

    group: ClassVar[str] = "Quality"

    prompt: str = Field(
        "视频中的人在做动作",
        max_length=2000,
        description="The person and the background in words, best in Chinese; camera, too",
        json_schema_extra={"group": "What moves"},
    )
    negative: str = Field(
        NEGATIVE,
        max_length=2000,
        description="What is not wanted, for the base model",
        json_schema_extra={"group": "What moves"},
    )
    variant: Literal["distilled", "base"] = Field(
        "distilled", description="The weights: for few steps without guidance, or as they were trained"
    )
    steps: int | None = Field(
        None, ge=1, le=200, description="Steps of denoising; 10 of the distilled, 40 of the base model"
    )
    guidance: float | None = Field(
        None, ge=1, le=20, description="Guidance by the prompts; 3 with the base model, 1 (none) distilled"
    )
    log_scale: float | None = Field(
        None,
        ge=-10,
        le=10,
        description="Added to what all frames see in the first; -1.3 with the distilled weights, else 0",
    )
    pixels: int = Field(
        512_000, ge=16 * 16, le=4_000_000, description="Pixels of a frame, about; its aspect is the photo's"
    )
    segment: int = Field(81, ge=5, le=241, description="Frames generated at once: 4n+1")
    weights: str | None = Field(None, description="Folder of the checkpoint, in place of the one downloaded")
    transformer: str | None = Field(None, description="File or folder of the transformer alone")
    device: str = Field("auto", description="Where to compute: auto, cpu, cuda, cuda:1")
    offload: Literal["auto", "none", "blocks"] = Field(
        "auto", description="Whether blocks and what they saw of the driving wait in main memory"
    )

    @field_validator("segment")
    @classmethod
    def _whole(cls, value: int) -> int:
        if value % 4 != 1:
            raise ValueError("should be 4n+1, such as 49 or 81")
        return value

    @property
    def distilled(self) -> bool:
        """Whether the weights are those for few steps."""
        return self.variant == "distilled"


OPTIONS = WanAnimate2Options
