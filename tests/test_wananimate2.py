"""Wan-Animate-2 at the size of tests: equal to diffusers' pipeline, any length, at the driving's rate."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import wan_networks
from portrayal import Driving, Portrait, PortrayalError, UsageError, load_engine
from portrayal.engines.wananimate2.attention import FrameAttention, set_attention
from portrayal.engines.wananimate2.checkpoint import find_files, load_transformer
from portrayal.engines.wananimate2.engine import WanAnimate2
from portrayal.engines.wananimate2.frames import Canvas, letterboxed
from portrayal.engines.wananimate2.networks import Networks
from portrayal.engines.wananimate2.sampling import Sampler, Words
from portrayal.engines.wananimate2.solvers import Euler, sigmas

Rgb = np.ndarray


def tokenizer(texts: list[str], max_length: int, **_: Any) -> Any:
    """Bytes of the text as its tokens."""
    ids = [list(text.encode())[:max_length] for text in texts]
    rows = [row + [0] * (max_length - len(row)) for row in ids]
    mask = [[1] * len(row) + [0] * (max_length - len(row)) for row in ids]
    return SimpleNamespace(input_ids=torch.tensor(rows), attention_mask=torch.tensor(mask))


def transformer() -> Any:
    from diffusers import WanAnimate2Transformer3DModel

    return wan_networks.seed(
        WanAnimate2Transformer3DModel(dim=64, ffn_dim=96, freq_dim=32, text_dim=32, num_heads=2, num_layers=2)
    )


@pytest.fixture(scope="module")
def networks() -> Networks:
    from diffusers import AutoencoderKLWan
    from transformers import CLIPVisionConfig, CLIPVisionModel, UMT5Config, UMT5EncoderModel

    clip = CLIPVisionConfig(
        hidden_size=1280,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=16,
        hidden_act="gelu",
        patch_size=56,
    )
    umt5 = UMT5Config(vocab_size=256, d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
    text = wan_networks.seed(UMT5EncoderModel(umt5))
    network = transformer()
    set_attention(network, 0.0)
    return Networks(
        network,
        wan_networks.seed(AutoencoderKLWan(base_dim=8, z_dim=16)),
        wan_networks.seed(CLIPVisionModel(clip)),
        lambda: (text, tokenizer),
        torch.device("cpu"),
    )


def picture(seed: int, width: int, height: int) -> Rgb:
    rng = np.random.default_rng(seed)
    small = rng.random((4, 4, 3))
    large = np.kron(small, np.ones((-(-height // 4), -(-width // 4), 1)))[:height, :width]
    return (large * 255).astype(np.uint8)


def clip(count: int, width: int = 40, height: int = 32) -> list[Rgb]:
    start = picture(1, width, height)
    return [np.roll(start, 2 * i, axis=1) for i in range(count)]


def driving(count: int, fps: Fraction = Fraction(25)) -> Driving:
    return Driving.from_frames(lambda: iter(clip(count)), fps, count=count)


def test_the_attention_is_that_of_the_block_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    from diffusers.models.transformers import transformer_wan_animate_2 as published

    without = partial(published.create_block_mask)
    monkeypatch.setattr(published, "create_block_mask", lambda *a, _compile, **k: without(*a, **k))
    network = transformer()
    grid = torch.tensor([[2, 2, 3]])

    def run() -> tuple[torch.Tensor, torch.Tensor]:
        generator = torch.Generator().manual_seed(2)

        def draw(*shape: int) -> torch.Tensor:
            return torch.randn(shape, generator=generator)

        cache = published.WanAnimate2KVCache(2)
        common: dict[str, Any] = {
            "encoder_hidden_states": [draw(512, 32)],
            "encoder_hidden_states_image": draw(1, 17, 1280),
            "kv_cache": cache,
        }
        seen = network(
            [draw(16, 2, 4, 6)],
            timestep=torch.tensor([7.0]),
            condition_latents=[draw(20, 2, 4, 6)],
            kv_cache_mode="extract",
            seq_len=12,
            offset_grid_sizes=grid,
            **common,
        ).sample[0]
        made = network(
            [draw(16, 3, 4, 6)],
            timestep=torch.tensor([500.0]),
            condition_latents=[draw(20, 3, 4, 6)],
            kv_cache_mode="cached",
            seq_len=18,
            reference_grid_sizes=grid,
            origin_len=5,
            origin_area=[32, 48],
            **common,
        ).sample[0]
        return seen, made

    wanted = run()
    set_attention(network, 0.0, keep="cpu")
    for got, want in zip(run(), wanted, strict=True):
        assert torch.allclose(got, want, atol=1e-4)
    set_attention(network, -1.3)
    assert (run()[1] - wanted[1]).abs().max() > 0.01


def test_log_scale_weakens_the_first_frame_for_everybody() -> None:
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(1, 2, 12, 8, generator=generator) for _ in range(3))
    old_key, old_value = (torch.randn(1, 2, 8, 8, generator=generator) for _ in range(2))
    got = FrameAttention(-1.3)._seen(query, key, value, old_key, old_value, 3)
    keys, values = torch.cat([key, old_key], 2), torch.cat([value, old_value], 2)
    scores = query @ keys.transpose(2, 3) / 8**0.5
    scores[..., 4:8] -= 1.3  # the keys of frame 1 of those being made
    own = torch.arange(12)[:, None] // 4
    theirs = torch.arange(8)[None] // 4 + 1
    scores[..., 12:] = scores[..., 12:].masked_fill(own != theirs, -torch.inf)
    assert torch.allclose(got, scores.softmax(-1) @ values, atol=1e-5)


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_two_segments_equal_the_published_pipeline(
    networks: Networks, monkeypatch: pytest.MonkeyPatch, guidance: float
) -> None:
    from diffusers import FlowMatchEulerDiscreteScheduler
    from diffusers.guiders import ClassifierFreeGuidance
    from diffusers.modular_pipelines.modular_pipeline import BlockState
    from diffusers.modular_pipelines.wan_animate_2 import denoise, encoders

    canvas = Canvas.of(40, 32, 40 * 32)
    face = letterboxed([picture(3, 40, 32)], canvas, "bicubic")
    video = letterboxed(clip(9), canvas, "bilinear")
    words = Words(*networks.words("one", "two", "three"))
    sampler = Sampler(
        networks.transformer,
        networks.vae,
        networks.image_encoder,
        words,
        face,
        Fractional(),
        2,
        guidance,
        torch.Generator().manual_seed(4),
        networks.device,
    )
    with torch.no_grad():
        got = torch.cat([sampler.segment(video[:, :, :5]), sampler.segment(video[:, :, 4:])[:, 1:]], 1)

    class Shifted(FlowMatchEulerDiscreteScheduler):
        def set_timesteps(self, count: int, device: Any) -> None:
            super().set_timesteps(sigmas=np.linspace(1, 0, count + 1)[:-1], device=device)

    monkeypatch.setattr(denoise, "tqdm", lambda **_: _Quiet())
    clip_features = partial(
        encoders.clip_visual_encode, networks.image_encoder, device=networks.device, dtype=torch.float32
    )
    with torch.no_grad():
        latents = encoders.encode_vae(networks.vae, face)[0]
        mask = encoders.get_i2v_mask(1, *latents.shape[-2:], 1, device="cpu")
        rows, columns = (side // 2 for side in latents.shape[-2:])
        state = BlockState(
            driving_video_pixels=video,
            reference_image_latents=torch.cat([mask, latents]),
            effective_segment=4,
            segment_frame_length=5,
            prev_segment_conditioning_frames=1,
            num_segments=2,
            segment_frames=[],
            out_frames=None,
            generator=torch.Generator().manual_seed(4),
            num_inference_steps=2,
            condition_clip_context=clip_features(video[0, :, 0]),
            denoiser_input_fields={"encoder_hidden_states_image": clip_features(face[0, :, 0])},
            prompt_ref_embeds=words.reference,
            prompt_embeds=words.prompt,
            negative_prompt_embeds=words.negative,
            max_seq_len=3 * rows * columns,
            max_seq_len_ref=2 * rows * columns,
            grid_sizes_ref=torch.tensor([[2, rows, columns]]),
            height=canvas.height,
            width=canvas.width,
        )
        components = SimpleNamespace(
            transformer=networks.transformer,
            vae=networks.vae,
            scheduler=Shifted(shift=5.0),
            guider=ClassifierFreeGuidance(guidance_scale=guidance),
            _execution_device=networks.device,
            vae_scale_factor_spatial=8,
            vae_scale_factor_temporal=4,
            num_channels_latents=16,
        )
        loop = denoise.WanAnimate2DenoiseStep()
        for k in range(2):
            loop.loop_step(components, state, k=k)
    wanted = torch.cat(state.segment_frames, dim=2)[0]
    assert got.shape == wanted.shape == (3, 9, 32, 32)
    assert torch.allclose(got, wanted, atol=2e-3), (got - wanted).abs().max()


class Fractional(Euler):
    """With times as diffusers has them; published are whole numbers."""

    def start(self, steps: int, device: torch.device) -> None:
        super().start(steps, device)
        self.times = (sigmas(steps)[:-1] * 1000).float()


class _Quiet:
    def __enter__(self) -> _Quiet:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self) -> None:
        pass


def test_the_engine_end_to_end(networks: Networks, tmp_path: Path) -> None:
    portrait = Portrait.from_array(picture(5, 44, 36), face="none")
    engine = WanAnimate2(networks)
    options: dict[str, Any] = {"pixels": 32 * 32, "segment": 5, "steps": 1}

    def run(count: int, **more: Any) -> list[Rgb]:
        return list(engine.animate(portrait, driving(count, Fraction(30000, 1001)), **options, **more))

    video = engine.animate(portrait, driving(11, Fraction(30000, 1001)), **options)
    frames = list(video)
    assert len(frames) == 11 and video.fps == Fraction(30000, 1001)
    assert {frame.shape for frame in frames} == {(video.size[1], video.size[0], 3)}
    assert all(np.array_equal(a, b) for a, b in zip(frames, run(11), strict=True))  # a seed reproduces
    assert all(np.array_equal(a, b) for a, b in zip(frames[:5], run(5), strict=True))  # later frames: no say
    assert not np.array_equal(frames[0], run(5, seed=1)[0])
    assert not np.array_equal(frames[0], run(5, prompt="a cat")[0])
    assert not np.array_equal(frames[0], run(5, variant="base")[0])
    video.save(tmp_path / "out.mp4")
    assert Driving.open(tmp_path / "out.mp4").count == 11


def test_frames_are_read_a_segment_at_a_time(networks: Networks) -> None:
    read = 0

    def frames() -> Iterator[Rgb]:
        nonlocal read
        for frame in clip(40):
            read += 1
            yield frame

    endless = Driving.from_frames(frames, Fraction(25))
    portrait = Portrait.from_array(picture(5, 32, 32), face="none")
    video = WanAnimate2(networks).animate(portrait, endless, pixels=32 * 32, segment=5, steps=1)
    first = iter(video)
    next(first)
    assert read == 5


def test_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = transformer()
    network.save_pretrained(tmp_path / "transformer")
    loaded = load_transformer(tmp_path / "transformer", torch.float32)
    assert loaded.state_dict().keys() == network.state_dict().keys() and loaded.config.num_heads == 2
    official = {}
    for name, value in network.state_dict().items():
        name = name.replace("blocks.0.", "blocks.0.block.").replace("blocks.1.", "blocks.1.block.")
        for letter in "qkv":
            name = name.replace(f"_attn.to_{letter}.", f"_attn.{letter}.")
        for old, new in {"add_k_proj": "k_img", "add_v_proj": "v_img", "norm_added_k": "norm_k_img"}.items():
            name = name.replace(old, new)
        official[name.replace(".to_out.0.", ".o.")] = value
    assert "blocks.1.block.cross_attn.k_img.weight" in official
    folder = tmp_path / "official"
    folder.mkdir()
    (folder / "config.json").write_text('{"num_heads": 2}')
    file = folder / "wan_animate_2_bf16_distillation.safetensors"
    save_file(official, file)
    state = load_transformer(file, torch.float32).state_dict()
    assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())
    del official["blocks.1.block.ffn.2.bias"]
    save_file(official, file)
    with pytest.raises(PortrayalError, match=r"Wan-Animate-2, but lacks blocks\.1\.ffn\.2\.bias"):
        load_transformer(file)
    first = wan_networks.official(wan_networks.transformer().state_dict())
    save_file(first, file)
    with pytest.raises(PortrayalError, match="is the transformer of Wan-Animate, not"):
        load_transformer(file)
    monkeypatch.setenv("PORTRAYAL_WEIGHTS", str(tmp_path / "none"))
    with pytest.raises(PortrayalError, match="`portrayal download wananimate2` fetches them"):
        find_files("distilled")
    with pytest.raises(PortrayalError, match="lacks the VAE"):
        find_files("base", str(tmp_path))


def test_from_files_to_frames(networks: Networks, tmp_path: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import PreTrainedTokenizerFast

    transformer().save_pretrained(tmp_path / "transformer")
    networks.vae.save_pretrained(tmp_path / "vae")
    networks.image_encoder.save_pretrained(tmp_path / "image_encoder")
    networks.text()[0].save_pretrained(tmp_path / "text_encoder")
    plain = Tokenizer(WordLevel({"<pad>": 0, "one": 1}, unk_token="<pad>"))
    plain.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=plain, pad_token="<pad>").save_pretrained(tmp_path / "tokenizer")
    engine = load_engine("wananimate2")
    portrait = Portrait.from_array(picture(5, 32, 32), face="none")
    common = {"pixels": 1024, "segment": 5, "steps": 1, "weights": str(tmp_path), "device": "cpu"}
    frames, waiting, unscaled = (
        list(engine.animate(portrait, driving(6), prompt="one", **common, **more))
        for more in ({}, {"offload": "blocks"}, {"log_scale": 0.0})
    )
    assert len(frames) == 6
    assert all(np.array_equal(a, b) for a, b in zip(frames, waiting, strict=True))
    assert not np.array_equal(frames[0], unscaled[0])  # -1.3 with the distilled weights unless said


def test_options() -> None:
    engine = load_engine("wananimate2")
    with pytest.raises(UsageError, match="--segment: should be 4n"):
        engine.options(segment=80)
    assert engine.info.reads == "frames" and not engine.needs_face(engine.options())
