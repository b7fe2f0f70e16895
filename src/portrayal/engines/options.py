"""What one can set on an engine: one typed model; light, so that a command line made from it costs little."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field


class EngineOptions(BaseModel):
    """Options that every engine understands; an engine adds its own in a subclass.

    The command line, the web page and the docs are made from this model: each field has a description.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Options that change the portrait by themselves; of these, those that a script may move over time.
    edits: ClassVar[tuple[str, ...]] = ()
    sliders: ClassVar[tuple[str, ...]] = ()
    #: With what a person looks for the options that this class states; a field may say otherwise
    #: (json_schema_extra={"group": ...}).
    group: ClassVar[str] = "How much"

    strength: float = Field(
        1.0, ge=0, le=5, allow_inf_nan=False, description="How strongly to move: 0 not at all, 1 as driven"
    )
    smooth: float = Field(
        0.5, ge=0, le=1, allow_inf_nan=False, description="Smoothing of tracked motion: 0 none, 1 strong"
    )
    reference_frame: Annotated[int, Field(ge=0)] | Literal["auto", "neutral"] = Field(
        "auto",
        description="Driving frame that counts as neutral: its number, 'auto' (closest to the portrait's own "
        "expression) or 'neutral' (closest to a neutral face)",
    )
    absolute: bool = Field(
        False, description="The driving's own expression, not its change since the reference frame"
    )
    seed: int = Field(
        0,
        ge=0,
        lt=2**32,
        description="The same seed gives the same result",
        json_schema_extra={"group": "Quality"},
    )
