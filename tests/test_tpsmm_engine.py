"""TPSMM from files to files: the recorded runs of the published pipeline, checkpoints, the command line."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from conftest import Ran
from golden.tpsmm.cases import PUBLISHED, network, recorded, seeded, smooth, uniform
from portrayal import Driving, Portrait, PortrayalError, load_engine
from portrayal.engines.tpsmm import networks
from portrayal.engines.tpsmm.checkpoint import Checkpoint, load_checkpoint
from portrayal.engines.tpsmm.crop import Paste, Square, resized
from portrayal.engines.tpsmm.inference import Inference
from portrayal.engines.tpsmm.transfer import Mode, Transfer, normalised, spread, unlikeness
from portrayal.media.image import read_image, write_image
from portrayal.media.video import VideoReader
from portrayal.motion import Motion

Rgb = np.ndarray


def tiny() -> dict[str, torch.nn.Module]:
    """All networks with a few channels, seeded."""
    widths = (4, 4, 8, 8)
    small = {
        "kp_detector": networks.KeypointDetector(3, widths),
        "dense_motion_network": networks.DenseMotionNetwork(3, expansion=4, blocks=5, most=8),
        "inpainting_network": networks.InpaintingNetwork(expansion=4, most=8),
        "bg_predictor": networks.BackgroundPredictor(widths),
        "avd_network": networks.AvdNetwork(15, 8),
    }
    return {name: seeded(part) for name, part in small.items()}


def states(parts: dict[str, torch.nn.Module]) -> dict[str, dict[str, torch.Tensor]]:
    return {name: part.state_dict() for name, part in parts.items()}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint as the published trainer writes it."""
    path = tmp_path_factory.mktemp("tpsmm") / "vox.pth.tar"
    torch.save({**states(tiny()), "epoch": 99, "optimizer": {"state": {}, "param_groups": []}}, path)
    return path


def whole(inference: Inference, name: str, side: int, mode: Mode) -> tuple[np.ndarray, np.ndarray]:
    """Key points and the second frame of a run as recorded, driven by seeded pictures."""
    source, frames = (smooth("pl_source", 1, side, 24 if side == 384 else 16), [])
    frames.append(smooth("pl_driving0", 1, side, 24 if side == 384 else 16))
    frames.append(uniform("pl_driving1", 3, side, side)[None])
    with torch.inference_mode():
        points = [network("kp_detector")(x).numpy() for x in (source, *frames)]
        transfer = Transfer(mode, points[0][0], points[1][0], avd=inference.avd)
        moved = transfer(np.concatenate(points[1:]))
    out = inference.draw(inference.prepared(source), torch.from_numpy(moved[1:]))
    return moved, out[0].permute(1, 2, 0).numpy()


@pytest.fixture(scope="module")
def published() -> Inference:
    parts = [network(name) for name in PUBLISHED]
    return Inference(Checkpoint(*parts), torch.device("cpu"), torch.float32)


@pytest.mark.parametrize("mode", ["relative", "standard", "avd"])
def test_whole_runs_are_those_of_the_published_code(published: Inference, mode: Mode) -> None:
    case = recorded("pipeline_vox")
    moved, frame = whole(published, "pipeline_vox", 256, mode)
    wanted = case["kp_driving"] if mode == "standard" else case[f"kp_{mode}"]
    np.testing.assert_allclose(moved, wanted.numpy()[:2], atol=1e-5)
    np.testing.assert_allclose(frame[::8, ::8], case[f"{mode}_s8"].numpy(), atol=1e-4)


def test_a_run_at_384(published: Inference) -> None:
    _, frame = whole(published, "pipeline_ted384", 384, "relative")
    np.testing.assert_allclose(frame[::12, ::12], recorded("pipeline_ted384")["relative_s12"], atol=1e-4)


def test_pictures_become_frames_by_the_same_way(published: Inference) -> None:
    """Bytes in and bytes out, against the networks called directly."""
    picture = (smooth("pl_source", 1, 256)[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8)
    source = published.source(picture)
    points = published.keypoints(picture[None])
    np.testing.assert_array_equal(points, source.points.numpy())
    two = published.render(source, np.concatenate([points, points + np.float32(0.05)]))
    one = published.render(source, points)
    assert two.shape == (2, 256, 256, 3) and two.dtype == np.uint8
    assert np.abs(two[0].astype(int) - one[0]).max() <= 1
    assert np.abs(two[1].astype(int) - two[0]).max() > 1


def test_strength_scales_the_motion() -> None:
    rng = np.random.default_rng(0)
    source, reference, driving = rng.uniform(-1, 1, (3, 50, 2)).astype(np.float32)
    full = Transfer("relative", source, reference)(driving[None]) - source
    half = Transfer("relative", source, reference, 0.5)(driving[None]) - source
    np.testing.assert_allclose(half, full / 2, atol=1e-6)
    grown = Transfer("relative", 2 * source, reference)(driving[None]) - 2 * source
    np.testing.assert_allclose(grown, 2 * full, rtol=1e-4, atol=1e-6)


def test_likeness_is_that_of_the_published_best_frame() -> None:
    case = recorded("best_frame")
    sets = case["landmarks"].numpy()
    np.testing.assert_allclose(normalised(sets[0]), case["normalised_source"].numpy(), atol=1e-5)
    scores = [unlikeness(points, sets[0]) for points in sets[1:]]
    np.testing.assert_allclose(scores, case["f64_norms"].numpy(), rtol=1e-5)
    assert spread(np.zeros((5, 2), np.float32)) > 0


def test_pictures_are_resized_as_in_training() -> None:
    case = {key: value for key, value in recorded("preprocess").items()}
    for label, (cells_h, cells_w), (height, width), key in (
        ("pp_img", (40, 41), (412, 410), "down412x410_to_256_s4"),
        ("pp_small", (20, 22), (180, 200), "up180x200_to_256_s4"),
    ):
        coarse = uniform(label, 1, 3, cells_h, cells_w)
        large = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear", align_corners=True)
        picture = np.trunc(255 * large[0].permute(1, 2, 0).numpy()).astype(np.uint8)
        difference = np.abs(resized(picture, 256)[::8, ::8] / 255 - case[key].numpy())
        assert difference.max() < 4 / 255 and difference.mean() < 0.5 / 255


def test_checkpoints(weights: Path, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(weights)
    x = uniform("x", 1, 3, 64, 64)
    torch.testing.assert_close(checkpoint.keypoints(x), tiny()["kp_detector"](x))
    assert checkpoint.avd is not None and checkpoint.background is not None
    parts = states(tiny())
    for name in ("avd_network", "bg_predictor"):
        del parts[name]
    torch.save(parts, tmp_path / "mgif.pth.tar")
    assert load_checkpoint(tmp_path / "mgif.pth.tar").avd is None
    del parts["kp_detector"]
    torch.save(parts, tmp_path / "part.pth.tar")
    (tmp_path / "cut.pth.tar").write_bytes(weights.read_bytes()[:5000])
    torch.save({"model": {"a": torch.zeros(1)}}, tmp_path / "foreign.pth.tar")
    broken = states(tiny())
    broken["kp_detector"]["fg_encoder.fc.bias"] = torch.zeros(7)
    torch.save(broken, tmp_path / "broken.pth.tar")
    broken["kp_detector"]["fg_encoder.fc.weight"] = torch.tensor(1.0)
    torch.save(broken, tmp_path / "flat.pth.tar")
    diverged = states(tiny())
    diverged["inpainting_network"]["final.bias"] = torch.full((3,), torch.nan)
    torch.save(diverged, tmp_path / "diverged.pth.tar")
    (tmp_path / "evil.pth.tar").write_bytes(pickle.dumps(Evil()))
    for file, said in (
        ("part", "lacks kp_detector"), ("cut", "cut short"), ("foreign", "no checkpoint of"),
        ("broken", "do not fit"), ("flat", "do not fit"),
        ("diverged", "no number"), ("evil", "evil.pth.tar"), ("missing", "no such file"),
    ):  # fmt: skip
        with pytest.raises(PortrayalError, match=said) as error:
            load_checkpoint(tmp_path / f"{file}.pth.tar")
        assert "\n" not in str(error.value)
    assert not (tmp_path / "ran").exists()


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("ran",)


def test_what_was_downloaded_is_converted_once(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTRAYAL_WEIGHTS", str(tmp_path))
    with pytest.raises(PortrayalError, match="portrayal download tpsmm-vox"):
        load_checkpoint(None)
    place = tmp_path / "MCMLXXXVII/thinplatesv1/orig/vox.pth.tar"
    place.parent.mkdir(parents=True)
    place.write_bytes(weights.read_bytes())
    first = load_checkpoint(None)
    assert place.with_name("vox.safetensors").is_file()
    place.write_bytes(b"no longer read")
    x = uniform("x", 1, 3, 64, 64)
    torch.testing.assert_close(load_checkpoint(None).keypoints(x), first.keypoints(x), rtol=0, atol=0)


def test_the_square_goes_out_and_back() -> None:
    rgb = np.random.default_rng(0).integers(0, 255, (90, 140, 3), np.uint8)
    around = Square.whole(140, 90)
    cut = around.cut(rgb, 140)
    np.testing.assert_array_equal(cut[25:115], rgb)
    assert (cut[:25] == rgb[0]).all()
    picture = rgb.copy()
    Paste(around, (140, 90))(picture, 255 - cut)
    np.testing.assert_array_equal(picture, 255 - rgb)  # no seam at the picture's own edges
    face = Square.around([(50, 20, 90, 60), (54, 24, 94, 64)], 1.5)
    assert face.side == 66
    picture = rgb.copy()
    Paste(face, (140, 90))(picture, np.zeros((66, 66, 3), np.uint8))
    outside = np.ones((90, 140), bool)
    outside[face.top : face.top + 66, face.left : face.left + 66] = False
    np.testing.assert_array_equal(picture[outside], rgb[outside])
    assert not picture[face.top + 33, face.left + 33].any()


def test_the_command_line_pastes_a_face_back(command: Callable[..., Ran], media: Path, weights: Path) -> None:
    base = ("animate", media / "hopper.png", media / "talk.mp4", "--engine", "tpsmm", "--weights", weights)
    assert command(*base).status == 0
    made = VideoReader(Path("hopper-talk.mp4"))
    assert len(list(made)) == 12 and made.info.has_audio
    assert command(*base, "-o", "frames/", "--batch", "5").status == 0
    still = read_image(media / "hopper.png").rgb
    frames = [read_image(path).rgb for path in sorted(Path("frames").iterdir())]
    assert len(frames) == 12
    for frame in frames:
        assert frame.shape == still.shape
        changed = (frame != still).any(-1)
        assert changed[100:140, 100:150].mean() > 0.9 and not changed[-8:, :8].any()
    assert (frames[0] != frames[6]).any()


@pytest.mark.parametrize("mode", ["relative", "standard", "avd"])
def test_everything_drives_it(media: Path, weights: Path, mode: str) -> None:
    portrait = Portrait.open(media / "hopper.png")
    engine = load_engine("tpsmm")
    script = Motion.from_script({"duration": 0.2, "keys": [{"at": 0.15, "jaw-open": 1, "yaw": 20}]})
    for driving in (Driving.open(media / "voice.wav"), Driving.from_motion(script)):
        frames = list(engine.animate(portrait, driving, weights=str(weights), mode=mode))
        assert len(frames) == driving.count
        assert max(np.abs(frame.astype(int) - frames[0]).max() for frame in frames) > 0


def test_bodies_need_no_face_and_keep_their_aspect(
    command: Callable[..., Ran], media: Path, weights: Path
) -> None:
    write_image(Path("plain.png"), np.random.default_rng(1).integers(0, 255, (150, 260, 3), np.uint8))
    base = ("animate", "plain.png", media / "scenery.mp4", "--engine", "tpsmm", "--weights", weights)
    assert "no face" in command(*base).err
    assert command(*base, "--config", "taichi", "-o", "body.mp4").status == 0
    assert next(iter(VideoReader(Path("body.mp4")))).shape == (150, 260, 3)
    assert command(*base, "--config", "ted", "--no-paste-back", "-o", "square.mp4").status == 0
    assert next(iter(VideoReader(Path("square.mp4")))).shape == (384, 384, 3)


def test_requests_that_cannot_be_met(
    command: Callable[..., Ran], media: Path, weights: Path, tmp_path: Path
) -> None:
    parts = states(tiny())
    del parts["avd_network"]
    torch.save(parts, tmp_path / "no-avd.pth.tar")
    base = ("animate", media / "hopper.png", media / "talk.mp4", "--engine", "tpsmm", "--weights")
    ran = command(*base, tmp_path / "no-avd.pth.tar", "--mode", "avd")
    assert ran.status == 1 and "no avd_network" in ran.err and ran.err.count("\n") == 1
    assert command(*base, weights, "--work-size", "300").status == 2
    assert "99" in command(*base, weights, "--reference-frame", "99").err
    assert not Path("hopper-talk.mp4").exists()


def test_the_published_protocol(
    command: Callable[..., Ran], media: Path, weights: Path, published: Inference
) -> None:
    """The recorded reconstruction, and a folder of clips by the command line."""
    source = smooth("pl_source", 1, 256)
    levels = (source[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    picture = uniform("pl_driving1", 3, 256, 256)
    driven = (picture.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    made = published.reconstruct(published.source(levels), driven)
    wanted = recorded("pipeline_vox")["reconstruction_s8"].numpy().transpose(1, 2, 0) * 255
    assert np.abs(made[::8, ::8] - wanted).mean() < 0.6

    clips = Path("clips/test")
    (clips / "frames").mkdir(parents=True)
    (clips / "talk.mp4").write_bytes((media / "talk.mp4").read_bytes())
    write_image(clips / "frames" / "0.png", read_image(media / "hopper.png").rgb)
    ran = command("evaluate", "clips", "--protocol", "tpsmm", "--weights", weights, "--json")
    scores = json.loads(ran.out)
    assert (scores["clips"], scores["frames"]) == (2, 13)
    assert 0.02 < scores["l1"] < 1 and 0 < scores["still_l1"] < 0.1
    assert 0 <= scores["mkr"] <= 1
    assert command("evaluate", media / "talk.mp4", "--protocol", "tpsmm", "--weights", weights).status == 1
    assert command("evaluate", "clips", "--protocol", "puppet").status == 2
