"""The published weights as weights of :mod:`.networks`: what is constant is folded, what is shared is joined.

Every function takes a state dict as published and gives one of ours. They follow from linearity alone:

- a batch norm after a convolution scales and shifts its kernel;
- spectral norm divides a kernel by u^T W v, with the u and v stored (no power iteration);
- SPADE's 1 + gamma puts the 1 into the bias, and gamma and beta are one convolution;
- a 1x1 convolution after SPADE's shift multiplies the shift's kernel.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

State = Mapping[str, Tensor]

BATCH_NORM_EPS = 1e-5


def appearance(state: State) -> dict[str, Tensor]:
    """The appearance feature extractor."""
    out = _named("first", normed(state, "first.conv", "first.norm"))
    for i in range(count(state, "down_blocks.{}.conv.weight")):
        out |= _named(f"downs.{i}", normed(state, f"down_blocks.{i}.conv", f"down_blocks.{i}.norm"))
    out |= _named("second", _conv(state, "second"))
    for i in range(count(state, "resblocks_3d.3dr{}.conv1.weight")):
        block = f"resblocks_3d.3dr{i}."
        scale, shift = _affine(state, block + "norm1")
        out |= {f"blocks.{i}.scale": _channels(scale, 3), f"blocks.{i}.shift": _channels(shift, 3)}
        out |= _named(f"blocks.{i}.conv1", normed(state, block + "conv1", block + "norm2"))
        out |= _named(f"blocks.{i}.conv2", _conv(state, block + "conv2"))
    return out


def motion(state: State) -> dict[str, Tensor]:
    """The motion extractor."""
    return {key.removeprefix("detector."): value for key, value in state.items()}


def warping(state: State) -> dict[str, Tensor]:
    """The warping network."""
    dense, hourglass = "dense_motion_network.", "dense_motion_network.hourglass."
    out = _named("compress", normed(state, dense + "compress", dense + "norm"))
    for i in range(count(state, hourglass + "encoder.down_blocks.{}.conv.weight")):
        block = f"{hourglass}encoder.down_blocks.{i}."
        out |= _named(f"hourglass.downs.{i}", normed(state, block + "conv", block + "norm"))
    for i in range(count(state, hourglass + "decoder.up_blocks.{}.conv.weight")):
        block = f"{hourglass}decoder.up_blocks.{i}."
        out |= upsampled(f"hourglass.ups.{i}", [normed(state, block + "conv", block + "norm")])
    last = normed(state, hourglass + "decoder.conv", hourglass + "decoder.norm")
    out |= _named("hourglass.conv", last)
    weight, bias = _conv(state, dense + "mask")
    out["mask.planes.weight"] = weight.permute(2, 0, 1, 3, 4).flatten(0, 1)
    out["mask.bias"] = _channels(bias, 3)
    out |= _named("occlusion", _conv(state, dense + "occlusion"))
    out |= _named("third", normed(state, "third.conv", "third.norm"))
    return out | _named("fourth", _conv(state, "fourth"))


def generator(state: State) -> dict[str, Tensor]:
    """The generator."""
    blocks = count(state, "G_middle_{}.conv_0.weight_orig")
    out = _named("fc", _conv(state, "fc"))
    shared = [_conv(state, f"G_middle_{i}.norm_{j}.mlp_shared.0") for i in range(blocks) for j in (0, 1)]
    out |= _named("shared", _joined(shared))
    for i in range(blocks):
        out |= _residual(state, f"G_middle_{i}", f"middle.{i}")
    for i in (0, 1):
        shared = [_conv(state, f"up_{i}.norm_{j}.mlp_shared.0") for j in ("0", "1", "s")]
        out |= upsampled(f"shared_{i}", [_joined(shared)])
        out |= _residual(state, f"up_{i}", f"up_{i}") | _shortcut(state, f"up_{i}")
    return out | _named("last", _conv(state, "conv_img.0"))


def mlp(state: State) -> dict[str, Tensor]:
    """Stitching, eyes or lips."""
    return dict(state)


def normed(state: State, conv: str, norm: str) -> tuple[Tensor, Tensor]:
    """Kernel and bias of a convolution followed by a batch norm."""
    weight, bias = _conv(state, conv)
    scale, shift = _affine(state, norm)
    return weight * _channels(scale, weight.dim() - 1), bias * scale + shift


def spectral(state: State, conv: str) -> tuple[Tensor, Tensor | None]:
    """Kernel and bias of a convolution with spectral norm."""
    weight = state[f"{conv}.weight_orig"]
    sigma = state[f"{conv}.weight_u"] @ (weight.flatten(1) @ state[f"{conv}.weight_v"])
    return weight / sigma, state.get(f"{conv}.bias")


def upsampled(name: str, parts: Iterable[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    """A :class:`~portrayal.neural.convolution.UpsampledConv` of kernels (O, I, 3, 3) or (O, I, 3, 3, 3)."""
    weight, bias = _joined(parts)
    taps = weight.movedim((-2, -1), (0, 1)).flatten(0, 2)
    return {f"{name}.taps.weight": taps[..., None, None], f"{name}.bias": _channels(bias, weight.dim() - 2)}


def count(state: State, pattern: str) -> int:
    """How many of the keys that the pattern makes of 0, 1, 2 and so on are there."""
    i = 0
    while pattern.format(i) in state:
        i += 1
    return i


def _residual(state: State, block: str, name: str) -> dict[str, Tensor]:
    out: dict[str, Tensor] = {}
    for i in (0, 1):
        out |= _named(f"{name}.conv_{i}", spectral(state, f"{block}.conv_{i}"))
        gamma, gamma_bias = _conv(state, f"{block}.norm_{i}.mlp_gamma")
        out |= _named(
            f"{name}.norm_{i}.conv",
            _joined([(gamma, gamma_bias + 1), _conv(state, f"{block}.norm_{i}.mlp_beta")]),
        )
    return out


def _shortcut(state: State, block: str) -> dict[str, Tensor]:
    projection, _ = spectral(state, f"{block}.conv_s")
    gamma, gamma_bias = _conv(state, f"{block}.norm_s.mlp_gamma")
    beta, beta_bias = _conv(state, f"{block}.norm_s.mlp_beta")
    matrix = projection.flatten(1)
    shift = (matrix @ beta.flatten(1)).unflatten(1, beta.shape[1:]), matrix @ beta_bias
    modulation = _joined([(gamma, gamma_bias + 1), shift])
    return {f"{block}.conv_s.weight": projection} | _named(f"{block}.norm_s", modulation)


def _affine(state: State, norm: str) -> tuple[Tensor, Tensor]:
    scale = state[f"{norm}.weight"] * (state[f"{norm}.running_var"] + BATCH_NORM_EPS).rsqrt()
    return scale, state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale


def _conv(state: State, name: str) -> tuple[Tensor, Tensor]:
    return state[f"{name}.weight"], state[f"{name}.bias"]


def _joined(parts: Iterable[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    weights, biases = zip(*parts, strict=True)
    return torch.cat(weights), torch.cat(biases)


def _named(name: str, conv: tuple[Tensor, Tensor | None]) -> dict[str, Tensor]:
    weight, bias = conv
    return {f"{name}.weight": weight} | ({} if bias is None else {f"{name}.bias": bias})


def _channels(vector: Tensor, dims: int) -> Tensor:
    return vector.reshape(-1, *(1,) * dims)
