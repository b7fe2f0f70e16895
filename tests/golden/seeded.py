"""Arrays that follow from a name and a seed alone: two implementations get the same without a file."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

import numpy as np


def seeded_weight(name: str, shape: Sequence[int], seed: int = 0) -> np.ndarray:
    """The parameter of that name, float32: kernels are normal, scaled by their fan-in; the weights of norms
    and running variances are near 1, biases and running means near 0."""
    noise = _generator(f"{seed}:{name}").standard_normal(tuple(shape), dtype=np.float32)
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "running_var":
        return np.asarray(1 + 0.1 * np.abs(noise), np.float32)
    if leaf == "bias":
        return np.asarray(0.02 * noise, np.float32)
    if leaf == "running_mean" or (len(shape) <= 1 and leaf != "weight"):
        return np.asarray(0.1 * noise, np.float32)
    if len(shape) <= 1:
        return np.asarray(1 + 0.1 * noise, np.float32)
    return np.asarray(noise / np.sqrt(np.prod(shape[1:])), np.float32)


def seeded_input(
    label: str, shape: Sequence[int], seed: int = 0, kind: Literal["uniform", "normal"] = "uniform"
) -> np.ndarray:
    """The input of that label: uniform in [0, 1), or standard normal; float32."""
    generator = _generator(f"input:{seed}:{label}")
    if kind == "uniform":
        return generator.random(tuple(shape), dtype=np.float32)
    return generator.standard_normal(tuple(shape), dtype=np.float32)


def smooth_image(label: str, size: int, seed: int = 0) -> np.ndarray:
    """A smooth picture, uint8 RGB (size, size, 3): six plane waves a channel."""
    waves = seeded_input("img:" + label, (3, 6, 4), seed).astype(np.float64)
    y, x = np.meshgrid(np.arange(size) / size, np.arange(size) / size, indexing="ij")
    out = np.zeros((size, size, 3))
    for channel in range(3):
        for a, b, phase, amplitude in waves[channel]:
            angle = 2 * np.pi * ((a * 6 - 3) * x + (b * 6 - 3) * y + phase)
            out[..., channel] += (0.3 + amplitude) * np.sin(angle)
    out = (out - out.min()) / (out.max() - out.min())
    return np.floor(out * 255 + 0.5).astype(np.uint8)


def _generator(text: str) -> np.random.Generator:
    digest = hashlib.sha256(text.encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:8], "little")))
