"""The networks that Wan's video models share, from any published file, and how a network is filled from one.

Files are told apart by what is in them, sizes are those of the tensors, and a tensor that is missing or left
over is an error that names it. No pickle is executed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from portrayal.damaged import said
from portrayal.errors import PortrayalError
from portrayal.media.files import shown
from portrayal.neural.wan import naming, sizes
from portrayal.neural.wan.tables import State, bare, read_table, unscaled


@dataclass(frozen=True)
class Part:
    """A network: what it is called, its names and its sizes."""

    title: str
    rename: Callable[[State], State]
    config: Callable[[State], dict[str, Any]]

    def table(self, path: Path, dtype: torch.dtype) -> State:
        """Its tensors under the library's names, in the precision they have; only fp8 ones with scales
        become `dtype`."""
        state = bare(read_table(path))
        found = naming.kind(state)
        if found != self.title:
            raise PortrayalError(f"{shown(path)}: is {found}, not {self.title}")
        return self.rename(unscaled(state, path, dtype))

    def sizes(self, state: State, path: Path) -> dict[str, Any]:
        """The configuration; PortrayalError where a tensor it follows from is missing or odd."""
        try:
            return self.config(state)
        except KeyError as error:
            raise PortrayalError(f"{shown(path)}: is {self.title}, but lacks {error.args[0]}") from error
        except (ValueError, TypeError, IndexError, ZeroDivisionError) as error:
            raise PortrayalError(
                f"{shown(path)}: is {self.title}, but its parts do not fit: {said(error)}"
            ) from error


VAE = Part(naming.VAE, naming.vae, sizes.vae)
TEXT = Part(naming.TEXT, naming.text_encoder, sizes.text_encoder)
IMAGE = Part(naming.IMAGE, naming.image_encoder, sizes.image_encoder)


def load_vae(path: str | Path, dtype: torch.dtype = torch.float32) -> Any:
    """AutoencoderKLWan (of Wan 2.1) on the CPU, in eval.

    PortrayalError, one line: missing, truncated, foreign, a tensor missing or left over.
    """
    from diffusers import AutoencoderKLWan

    path = Path(path)
    state = VAE.table(path, dtype)
    config = VAE.sizes(state, path)
    return filled(lambda: AutoencoderKLWan(**config), state, path, VAE, dtype)


def load_text_encoder(path: str | Path, dtype: torch.dtype = torch.bfloat16) -> Any:
    """UMT5EncoderModel on the CPU, in eval; errors as above."""
    from transformers import UMT5Config, UMT5EncoderModel

    path = Path(path)
    state = TEXT.table(path, dtype)
    config = UMT5Config(**TEXT.sizes(state, path))
    return filled(lambda: UMT5EncoderModel(config), state, path, TEXT, dtype)


def load_image_encoder(path: str | Path, dtype: torch.dtype = torch.bfloat16) -> Any:
    """CLIPVisionModel (ViT-H/14) on the CPU, in eval; errors as above."""
    from transformers import CLIPVisionConfig, CLIPVisionModel

    path = Path(path)
    state = IMAGE.table(path, dtype)
    config = CLIPVisionConfig(**IMAGE.sizes(state, path))
    return filled(lambda: CLIPVisionModel(config), state, path, IMAGE, dtype)


def load_tokenizer(folder: str | Path) -> Any:
    """umT5's tokenizer from its folder; no network is asked."""
    from transformers import AutoTokenizer

    folder = Path(folder)
    if not (folder / "tokenizer.json").is_file() and not (folder / "spiece.model").is_file():
        raise PortrayalError(f"{shown(folder)}: holds no tokenizer (tokenizer.json or spiece.model)")
    try:
        return AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PortrayalError(f"{shown(folder)}: its tokenizer cannot be read ({said(error)})") from error


def filled(
    build: Callable[[], Any],
    state: State,
    path: Path,
    part: Part,
    dtype: torch.dtype,
    fp32: tuple[str, ...] = (),
) -> Any:
    """The network with these weights, which are taken over, not copied, where they are of `dtype` already."""
    from accelerate import init_empty_weights

    with init_empty_weights(include_buffers=False):
        network = build()
    check(network, state, path, part)
    for name in state:
        kept = any(piece in fp32 for piece in name.split("."))
        state[name] = state[name].to(torch.float32 if kept else dtype)
    network.load_state_dict(state, assign=True)
    return network.eval().requires_grad_(False)


def check(network: Any, state: State, path: Path, part: Part) -> None:
    """PortrayalError where a tensor is missing, left over or of another shape."""
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    if lost := [name for name in wanted if name not in state]:
        raise PortrayalError(f"{shown(path)}: is {part.title}, but lacks {_some(lost)}")
    if extra := [name for name in state if name not in wanted]:
        raise PortrayalError(
            f"{shown(path)}: is {part.title}, but holds {_some(extra)}, which is no part of it"
        )
    for name, value in state.items():
        if sizes.shape(value) != wanted[name]:
            raise PortrayalError(
                f"{shown(path)}: is {part.title}, but {name} is {sizes.shape(value)}, not {wanted[name]}"
            )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return ", ".join(names[:2]) + more
