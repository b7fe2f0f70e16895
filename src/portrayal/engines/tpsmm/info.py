"""What the Thin-Plate-Spline Motion Model is and what one can set; light, so that a list costs nothing."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from portrayal.engines.info import EngineInfo
from portrayal.engines.options import EngineOptions

INFO = EngineInfo(
    name="tpsmm",
    summary="a neural warp without a face prior: faces, upper bodies, whole figures, cartoons",
    reads="frames",
    licence_code="MIT",
    licence_weights="MIT (trained on research data)",
    commercial="unclear",
    extra="neural",
    modules=("torch", "safetensors", "huggingface_hub"),
    weights="tpsmm-vox",
    weights_size=350_993_469,
    paper="Thin-Plate Spline Motion Model (Zhao & Zhang 2022), https://arxiv.org/abs/2203.14367",
    live=True,
)


class Transferring(EngineOptions):
    """What the model is to know, and where it paints."""

    group: ClassVar = "What moves"

    config: Literal["vox", "taichi", "ted", "mgif"] = Field(
        "vox",
        description="What the model knows: faces (vox), figures (taichi), upper bodies (ted), "
        "cartoons (mgif)",
    )
    mode: Literal["relative", "standard", "avd"] = Field(
        "relative",
        description="The change since the reference frame; the driving's own build and place; or its pose "
        "with the portrait's build (bodies)",
    )
    area: Literal["auto", "face", "body", "whole"] = Field(
        "auto",
        description="Animate a square around the face, one around the body, or the whole picture; 'auto' is "
        "face for vox, body for taichi and ted",
    )
    paste_back: bool = Field(True, description="The whole picture, not the square that the model paints")


class TpsmmOptions(Transferring):
    """The options of the engine."""

    group: ClassVar = "Quality"

    work_size: int | None = Field(
        None,
        ge=128,
        le=2048,
        description="Side that the model works at: a multiple of 128; its own unless given",
    )
    weights: str | None = Field(None, description="File of the checkpoint, in place of the one downloaded")
    activation: Literal["relu", "mish"] = Field(
        "relu", description="mish for the community's model of 768 pixels"
    )
    keypoint_size: int | None = Field(
        None, ge=64, le=1024, description="Side at which key points are sought; 256 for that model"
    )
    device: str = Field("auto", description="Where to compute: auto, cpu, cuda, cuda:1")
    precision: Literal["auto", "fp32", "fp16", "bf16"] = Field(
        "auto", description="Of the painting; key points and splines are always fp32"
    )
    compile: bool = Field(False, description="Compile the painting first (a minute), for long clips")
    batch: int = Field(1, ge=1, le=64, description="Frames rendered at once")

    @field_validator("work_size")
    @classmethod
    def _multiple(cls, value: int | None) -> int | None:
        if value is not None and value % 128:
            raise ValueError("should be a multiple of 128")
        return value

    @property
    def side(self) -> int:
        """Pixels of the square that the model works at."""
        return self.work_size or (384 if self.config == "ted" else 256)

    @property
    def on_face(self) -> bool:
        """Whether a square around a face is animated, not the whole picture."""
        return self.area == "face" or (self.area == "auto" and self.config == "vox")

    @property
    def on_body(self) -> bool:
        """Whether a square around a body is animated."""
        return self.area == "body" or (self.area == "auto" and self.config in ("taichi", "ted"))


OPTIONS = TpsmmOptions
