"""Wan-Animate's networks and segments against the official code, and what segments promise."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from golden.wananimate.cases import faces, normal, recorded, text, uniform, write_weights
from portrayal.engines.wananimate import checkpoint
from portrayal.engines.wananimate.conditions import Condition
from portrayal.engines.wananimate.networks import Networks, prepared
from portrayal.engines.wananimate.sampling import scheduler
from portrayal.engines.wananimate.segments import Prompt, Segments, Settings, in_channels, recoloured
from portrayal.engines.wananimate.windows import mirrored, windows

CPU = torch.device("cpu")
#: As the authors do: last segments of full length, colours left alone.
OFFICIAL = {"whole": True, "steady": False, "seed": 1234}


class Remembering(Networks):
    """Encodes every face once: the cases share them, and a face costs more than all else."""

    def motions(self, faces: Tensor) -> Tensor:
        known: dict[bytes, Tensor] = self.__dict__.setdefault("known", {})
        parts = []
        for i in range(faces.shape[2]):
            key = faces[:, :, i, ::64, ::64].numpy().tobytes()
            if key not in known:
                known[key] = super().motions(faces[:, :, i : i + 1])
            parts.append(known[key])
        return torch.cat(parts, 2)


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Networks:
    folder = tmp_path_factory.mktemp("wan")
    write_weights(folder)
    return Remembering(
        prepared(checkpoint.load_transformer(folder / "transformer.safetensors", torch.float32)),
        checkpoint.load_vae(folder / "vae.safetensors"),
        checkpoint.load_image_encoder(folder / "clip.safetensors", torch.float32),
        CPU,
        torch.float32,
    )


@pytest.fixture(scope="module")
def case() -> dict[str, Any]:
    return recorded("networks")


@pytest.fixture(scope="module")
def conditions() -> list[Condition]:
    pose, background = ((uniform(n, 15, 48, 64, 3) * 255).to(torch.uint8).numpy() for n in ("pose", "bg"))
    face = ((faces("pipefaces", 15) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    mask = (uniform("mask", 15, 6, 8) > 0.5).numpy().repeat(8, 1).repeat(8, 2).astype(np.uint8) * 255
    return [Condition(*parts) for parts in zip(pose, face, background, mask, strict=True)]


def made(networks: Networks, reference: Any, conditions: list[Condition], **settings: Any) -> Any:
    prompt = Prompt(text("pos", 7), text("neg", 19))
    segments = Segments(networks, prompt, reference, Settings(**settings))
    return torch.cat(list(segments(conditions)), 1).numpy()


def as_video(picture: Any) -> Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None, :, None].float() / 127.5 - 1


def test_vae_and_image_encoder_are_the_published_ones(networks: Networks, case: dict[str, Any]) -> None:
    features = networks.image_features(as_video(case["ref_letterboxed"]))
    np.testing.assert_allclose(features[:, ::8, ::8].numpy(), case["clip_feat_sub"], atol=1e-4)
    latents = networks.encode(uniform("vid", 3, 9, 48, 64)[None] * 2 - 1)
    np.testing.assert_allclose(latents[0].numpy(), case["vae_z"], atol=1e-5)
    again = networks.decode(torch.from_numpy(case["vae_z"])[None])[0]
    np.testing.assert_allclose(again[:, ::2, ::2, ::2].numpy(), case["vae_rec_sub2"], atol=1e-5)


def test_motions_are_the_published_ones(networks: Networks, case: dict[str, Any]) -> None:
    seen = networks.motions(faces("faces", 3)[:1].transpose(0, 1)[None])
    np.testing.assert_allclose(seen[0, :, :, 0, 0].T.numpy(), case["vec"], atol=1e-6)
    blank = networks.motions(torch.full((1, 3, 1, 512, 512), -1.0))
    np.testing.assert_allclose(blank[0, :, :, 0, 0].T.numpy(), case["vec_blank"], atol=1e-6)


def test_the_transformer_is_the_published_one(networks: Networks, case: dict[str, Any]) -> None:
    motions = networks.motions(faces("facea", 5).transpose(0, 1)[None])
    blank = networks.motions(torch.full((1, 3, 1, 512, 512), -1.0)).expand_as(motions)
    inputs = torch.cat([normal("xa", 16, 3, 8, 8), normal("ya", 20, 3, 8, 8)])[None]
    for time, seen, key in (
        (999, motions, "a_t999"),
        (357, motions, "a_t357"),
        (999, blank, "a_t999_blankface"),
    ):
        way = networks.velocity(
            inputs, torch.tensor(time), text("ctxa", 17), normal("clipa", 1, 257, 1280),
            normal("posea", 1, 16, 2, 8, 8), seen,
        )  # fmt: skip
        np.testing.assert_allclose(way[0].numpy(), case[key], atol=1e-4)


@pytest.mark.parametrize(
    ("name", "count", "settings"),
    [
        ("animate", 8, {"steps": 3, "length": 5}),
        ("replace", 8, {"steps": 3, "length": 5, "replace": True}),
        ("cfg_dpm", 5, {"steps": 4, "length": 5, "solver": "dpm++", "guidance": 2.0}),
        ("refert5", 15, {"steps": 2, "length": 13, "solver": "dpm++", "overlap": 5}),
    ],
)
def test_whole_videos_are_the_published_ones(
    networks: Networks,
    case: dict[str, Any],
    conditions: list[Condition],
    name: str,
    count: int,
    settings: dict[str, Any],
) -> None:
    wanted = recorded("pipeline")[f"{name}_video"].astype(np.float32)
    video = made(networks, case["ref_letterboxed"], conditions[:count], **settings, **OFFICIAL)
    assert video.shape == wanted.shape
    assert np.abs(video - wanted).max() < 5e-4  # they are kept in half precision


def test_segments_come_one_by_one(
    networks: Networks, case: dict[str, Any], conditions: list[Condition]
) -> None:
    """The last is cut; no more is read than is needed; a seed gives the same, another does not."""
    read = []

    def stream() -> Any:
        for i, condition in enumerate(conditions[:7]):
            read.append(i)
            yield condition

    prompt = Prompt(text("pos", 7))
    segments = Segments(networks, prompt, case["ref_letterboxed"], Settings(steps=1, length=5, seed=1))
    parts = segments(stream())
    first = next(parts)
    assert (first.shape[1], len(read)) == (5, 5)
    rest = list(parts)
    assert [part.shape[1] for part in rest] == [2]
    again = made(networks, case["ref_letterboxed"], conditions[:7], steps=1, length=5, seed=1)
    np.testing.assert_array_equal(torch.cat([first, *rest], 1).numpy(), again)
    other = made(networks, case["ref_letterboxed"], conditions[:1], steps=1, length=5, seed=2)
    assert other.shape[1] == 1 and np.abs(other - again[:, :1]).mean() > 0.01


def test_half_precision_is_near(
    networks: Networks, case: dict[str, Any], conditions: list[Condition]
) -> None:
    exact = made(networks, case["ref_letterboxed"], conditions[:5], steps=2, length=5)
    halved = Remembering(networks.transformer, networks.vae, networks.image_encoder, CPU, torch.bfloat16)
    halved.__dict__["known"] = networks.__dict__["known"]
    seen = []
    block = networks.transformer.blocks[3]
    handle = block.register_forward_hook(lambda module, inputs, out: seen.append(out.dtype))
    near = made(halved, case["ref_letterboxed"], conditions[:5], steps=2, length=5)
    handle.remove()
    assert set(seen) == {torch.float32}  # the residual stream
    assert 0 < np.abs(near - exact).mean() < 0.02


def test_schedules() -> None:
    def times(solver: Any, steps: int) -> list[int]:
        return scheduler(solver, steps, 5.0, CPU).timesteps.tolist()

    assert times("unipc", 20)[:6] == [999, 989, 978, 965, 952, 937]
    assert times("dpm++", 20)[:3] == [1000, 989, 978]
    assert scheduler("dpm++", 4, 5.0, CPU).sigmas.tolist() == pytest.approx([1, 0.9375, 5 / 6, 0.625, 0])


@pytest.mark.parametrize("count", [1, 2, 4, 5, 6, 9, 13, 14])
@pytest.mark.parametrize("whole", [True, False])
def test_windows_cover_a_stream(count: int, whole: bool) -> None:
    parts = list(windows(range(count), 5, 1, whole))
    kept = [item for part in parts for item in part.items[part.given :][: part.new]]
    assert kept == list(range(count))
    assert all(len(part.items) % 4 == 1 and len(part.items) <= 5 for part in parts)
    assert not whole or all(len(part.items) == 5 for part in parts)
    for one, other in pairwise(parts):
        assert other.items[0] == one.items[-1]
    assert mirrored([0, 1, 2], 6) == [1, 0, 1, 2, 1, 0]


def test_masks_and_colours() -> None:
    mask = torch.arange(9.0)[:, None, None].expand(-1, 2, 3)
    assert in_channels(mask)[0, :, :, 0, 0].T.tolist() == [[0, 0, 0, 0], [1, 2, 3, 4], [5, 6, 7, 8]]
    before = uniform("before", 1, 3, 1, 8, 8) * 1.6 - 0.8
    drifted = before * 0.9 + 0.05
    segment = torch.cat([drifted, drifted.flip(3)], 2)
    mended = recoloured(segment, before)
    torch.testing.assert_close(mended[:, :, :1], before, atol=1e-5, rtol=0)
    torch.testing.assert_close(mended[:, :, 1:], before.flip(3), atol=1e-5, rtol=0)
    far = recoloured(segment * 0.1 + 0.6, before)  # another picture altogether: hardly touched
    assert (far.mean() - (segment * 0.1 + 0.6).mean()).abs() < 0.2
