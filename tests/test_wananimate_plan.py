"""What is planned for machines of many sizes, and that a plan carried out changes no result."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import wan_networks
from portrayal.engines.wananimate.networks import prepared
from portrayal.engines.wananimate.placing import apply, place_text_encoder, this_machine
from portrayal.engines.wananimate.plan import GB, Machine, Work, make_plan
from portrayal.errors import PortrayalError

SMALL, LARGE = Work(832, 480, 300), Work(1280, 720, 300)
GGUF = replace(SMALL, quantised=11.3 * GB)
CPU = Machine(None, 0, 24 * GB, cores=8)
RTX12 = Machine("NVIDIA GeForce RTX 3060", 11.5 * GB, 60 * GB)
RTX16 = Machine("NVIDIA GeForce RTX 4080", 15.5 * GB, 60 * GB)
RTX24 = Machine("NVIDIA GeForce RTX 4090", 23.5 * GB, 60 * GB)
H100 = Machine("NVIDIA H100 80GB HBM3", 79 * GB, 100 * GB)


@pytest.mark.parametrize(
    ("machine", "work", "weights", "offload"),
    [
        (CPU, GGUF, "gguf", "none"),
        (replace(CPU, host=64 * GB), SMALL, "bf16", "none"),
        (replace(CPU, host=40 * GB), SMALL, "fp8", "none"),
        (RTX12, SMALL, "bf16", "blocks"),
        (RTX16, SMALL, "bf16", "blocks"),
        (replace(RTX16, host=30 * GB), SMALL, "fp8", "blocks"),
        (RTX24, SMALL, "bf16", "blocks"),
        (RTX24, LARGE, "bf16", "blocks"),
        (RTX24, GGUF, "gguf", "none"),
        (replace(RTX24, host=8 * GB), GGUF, "gguf", "none"),
        (Machine("NVIDIA RTX A6000", 47 * GB, 24 * GB), SMALL, "bf16", "none"),
        (Machine("NVIDIA RTX A6000", 47 * GB, 24 * GB), LARGE, "fp8", "none"),
        (H100, SMALL, "bf16", "none"),
        (H100, LARGE, "bf16", "none"),
        (replace(H100, cards=8), LARGE, "bf16", "none"),
    ],
)
def test_machines(machine: Machine, work: Work, weights: str, offload: str) -> None:
    plan = make_plan(machine, work)
    assert (plan.weights, plan.offload) == (weights, offload)
    assert plan.host <= machine.host and (machine.card is None or plan.memory <= machine.free)
    assert plan.device == ("cpu" if machine.card is None else "cuda")
    text = plan.describe()
    assert "\n" not in text and "estimate" in text and f"{work.width}x{work.height}" in text
    assert (machine.card or "the processor") in text


@pytest.mark.parametrize(
    ("machine", "work", "words"),
    [
        (CPU, SMALL, ["25.9 GB of free main memory", "are 24.0", "GPU"]),
        (RTX12, LARGE, ["15.8 GB free on the card", "here are 11.5 and 60.0", "0.62 megapixels would fit"]),
        (RTX16, LARGE, ["15.8 GB", "here are 15.5", "0.90 megapixels would fit"]),
        (replace(RTX24, host=10 * GB), SMALL, ["GB of main memory", "are 23.5 and 10.0", "GGUF"]),
        (RTX12, GGUF, ["18.4 GB", "bfloat16"]),
        (replace(RTX24, free=1 * GB), SMALL, ["here are 1.0 and 60.0"]),
    ],
)
def test_refusals_say_what_would_be_needed(machine: Machine, work: Work, words: list[str]) -> None:
    with pytest.raises(PortrayalError) as error:
        make_plan(machine, work)
    message = str(error.value)
    assert "\n" not in message and all(word in message for word in words), message


def test_what_a_refusal_proposes_fits() -> None:
    with pytest.raises(PortrayalError, match=r"up to 0\.62 megapixels"):
        make_plan(RTX12, LARGE)
    assert make_plan(RTX12, Work(1040, 592, 300)).offload == "blocks"
    with pytest.raises(PortrayalError):
        make_plan(RTX12, Work(1072, 608, 300))


def test_tokens_operations_and_segments_are_the_published_ones() -> None:
    whole = Work(1280, 720, 77)
    assert whole.tokens(77) == 75_600 and Work(832, 480, 77).tokens(77) == 32_760
    assert whole.operations(77) == pytest.approx(6.5e15, rel=0.01)
    assert Work(832, 480, 77).operations(77) == pytest.approx(1.7e15, rel=0.02)
    assert Work(832, 480, 153).lengths == [77, 77]
    assert Work(832, 480, 154).lengths == [77, 77, 5]
    assert Work(832, 480, 2, overlap=5).lengths == [5]
    for frames in range(1, 400, 7):
        for overlap in (1, 5):
            lengths = Work(832, 480, frames, overlap=overlap).lengths
            made = sum(lengths) - overlap * (len(lengths) - 1)
            assert frames <= made < frames + 4 and all(length % 4 == 1 for length in lengths)


def test_minutes_follow_steps_guidance_cards_and_the_card() -> None:
    plain = make_plan(H100, LARGE)
    assert plain.steps == 20 and make_plan(H100, replace(LARGE, distilled=True)).steps == 4
    assert make_plan(H100, replace(LARGE, distilled=True, steps=7)).steps == 7
    # The family's own timing, 40 guided steps over 81 frames of 1280x720 on one H100: 1056 s, here without
    # VAE.
    published = make_plan(H100, Work(1280, 720, 81, segment=81, steps=40, guided=True))
    assert published.minutes * 60 == pytest.approx(1056, rel=0.25)
    assert make_plan(H100, replace(LARGE, guided=True)).minutes == pytest.approx(2 * plain.minutes, rel=0.05)
    assert plain.minutes / 7 < make_plan(replace(H100, cards=8), LARGE).minutes < plain.minutes / 4
    assert make_plan(RTX24, LARGE).minutes > 4 * plain.minutes
    assert make_plan(replace(RTX24, card="Some card"), LARGE).minutes > make_plan(RTX24, LARGE).minutes


def test_the_vae_is_tiled_and_the_text_encoded_elsewhere_where_room_is_short() -> None:
    assert not make_plan(H100, LARGE).tile_vae and make_plan(H100, LARGE).text_on_card
    crowded = make_plan(Machine("A100", 20.5 * GB, 60 * GB), Work(1920, 1088, 33, segment=33))
    assert crowded.tile_vae and "tiles" in crowded.describe()
    small = make_plan(RTX12, SMALL)
    assert not small.text_on_card and "text encoder on the processor" in small.describe()


@pytest.mark.parametrize(("weights", "offload", "most"), [("bf16", "blocks", 1e-5), ("fp8", "blocks", 0.3)])
def test_carried_out(weights: Any, offload: Any, most: float) -> None:
    from diffusers import AutoencoderKLWan

    network = wan_networks.transformer()
    inputs = wan_networks.inputs()
    motions = network.motion_encoder(inputs["face_pixel_values"][0].transpose(0, 1))
    network, inputs["face_pixel_values"] = prepared(network), motions.T[None, :, :, None, None]
    wanted = network(**inputs, return_dict=False)[0]
    plan = replace(make_plan(CPU, GGUF), weights=weights, offload=offload, tile_vae=True)
    vae: Any = AutoencoderKLWan(base_dim=8, z_dim=16)
    apply(plan, SimpleNamespace(transformer=network, vae=vae, image_encoder=torch.nn.Linear(1, 1)))
    if weights == "fp8":
        assert network.blocks[0].ffn.net[2].weight.dtype == torch.float8_e4m3fn
        assert network.proj_out.weight.dtype == torch.float32
        with torch.autocast("cpu", torch.bfloat16):
            got = network(**inputs, return_dict=False)[0].float()
    else:
        got = network(**inputs, return_dict=False)[0]
    assert (got - wanted).std() <= most * wanted.std()
    assert vae.use_tiling and vae.tile_sample_min_height == 256
    place_text_encoder(plan, torch.nn.Linear(1, 1))


def test_this_machine() -> None:
    machine = this_machine("cpu")
    assert machine.card is None and machine.host > 1e8 and machine.cores >= 1
