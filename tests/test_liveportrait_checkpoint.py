"""LivePortrait's checkpoints: both published layouts, what is wrong with a file, nothing executed."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from golden.liveportrait import tiny
from portrayal.engines.liveportrait.checkpoint import Checkpoint, load_checkpoint
from portrayal.errors import PortrayalError


@pytest.fixture(scope="module")
def networks() -> dict[str, torch.nn.Module]:
    return tiny.plain_networks()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, networks: dict[str, torch.nn.Module]) -> Path:
    folder = tmp_path_factory.mktemp("published")
    tiny.write_pth(folder, networks)
    return folder


@pytest.fixture
def copied(published: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(published, tmp_path / "weights"))


def everything(checkpoint: Checkpoint, seed: int = 0) -> list[torch.Tensor]:
    """Outputs of all its networks."""
    torch.manual_seed(seed)
    image, points = torch.rand(1, 3, 64, 64), torch.rand(2, 21, 3) * 2 - 1
    volume = checkpoint.appearance(image)
    feature = checkpoint.warping(checkpoint.warping.source(volume, points[:1]), points)
    heads = checkpoint.motion(image)
    small = (checkpoint.stitching, 126), (checkpoint.eyes, 66), (checkpoint.lips, 65)
    answers = [network(torch.rand(2, width)) for network, width in small]
    return [volume, feature, checkpoint.generator(feature), *heads.values(), *answers]


def same(a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
    return all(torch.allclose(x, y, rtol=0, atol=1e-5) for x, y in zip(a, b, strict=True))


def test_both_layouts_are_the_same(
    published: Path, networks: dict[str, torch.nn.Module], tmp_path: Path
) -> None:
    tiny.write_safetensors(tmp_path, networks)
    wanted = everything(load_checkpoint(published))
    assert same(wanted, everything(load_checkpoint(tmp_path)))
    assert same(wanted, everything(load_checkpoint(published / "liveportrait")))
    other = tmp_path / "other"
    tiny.write_pth(other, tiny.plain_networks(seed=1))
    assert not same(wanted, everything(load_checkpoint(other)))


def test_the_networks_are_those_of_the_file(published: Path, networks: dict[str, torch.nn.Module]) -> None:
    checkpoint = load_checkpoint(published)
    x = torch.rand(3, 66)
    torch.testing.assert_close(checkpoint.eyes(x), networks["eye"](x))
    torch.testing.assert_close(checkpoint.lips(x[:, :65]), networks["lip"](x[:, :65]))
    image = torch.rand(1, 3, 32, 32)
    wanted = networks["appearance_feature_extractor"](image)
    torch.testing.assert_close(checkpoint.appearance(image), wanted)


def test_animals(copied: Path) -> None:
    people = everything(load_checkpoint(copied))
    with pytest.raises(PortrayalError, match=r"lacks appearance_feature_extractor.*liveportrait-animals"):
        load_checkpoint(copied, animal=True)
    tiny.write_pth(copied, tiny.plain_networks(seed=2), "liveportrait_animals/base_models")
    old = everything(load_checkpoint(copied, animal=True))
    tiny.write_pth(copied, tiny.plain_networks(seed=3), "liveportrait_animals/base_models_v1.1")
    new = everything(load_checkpoint(copied, animal=True))
    assert not same(people, old) and not same(people, new) and not same(old, new)


def test_half_precision_files_become_single(copied: Path) -> None:
    path = copied / tiny.BASE / "warping_module.pth"
    torch.save({key: value.half() for key, value in torch.load(path).items()}, path)
    assert {p.dtype for p in load_checkpoint(copied).warping.parameters()} == {torch.float32}


class Hostile:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, ("executed",)


def write(content: object) -> Callable[[Path], None]:
    return lambda path: torch.save(content, path)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def drop(path: Path) -> None:
    state = torch.load(path)
    del state["fourth.bias"]
    torch.save(state, path)


def reshape(path: Path) -> None:
    state = torch.load(path)
    state["third.conv.weight"] = state["third.conv.weight"][:, :3]
    torch.save(state, path)


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut short": (cut, "is cut short"),
    "empty": (lambda path: path.write_bytes(b""), "the file is empty"),
    "text": (lambda path: path.write_text("hello, this is a text"), "neither a .safetensors nor a .pth"),
    "web page": (lambda path: path.write_text("<!DOCTYPE html><p>404"), "is a web page"),
    "pointer": (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1"), "Git LFS"),
    "hostile": (write({"x": Hostile()}), r"asks to run \S*mkdir"),
    "hostile, old": (lambda path: path.write_bytes(pickle.dumps(Hostile(), 2)), "was not read"),
    "a module": (write(torch.nn.Linear(2, 2)), "asks to run"),
    "a list": (write([torch.zeros(2)]), "holds a list"),
    "nested": (write({"state_dict": {"x": torch.zeros(2)}}), "not a table of tensors"),
    "foreign": (write({"layer1.weight": torch.zeros(2)}), "another model, with 1 entries such as 'layer1.w"),
    "lacking": (drop, "is a warping network that lacks fourth.bias"),
    "misshapen": (reshape, "is a warping network whose parts do not fit: .*third.weight"),
    "safetensors, cut": (lambda path: path.write_bytes(b"\x40" + bytes(7) + b'{"a": 1'), "damaged or cut"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_files_are_told_apart(case: str, copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(copied)
    damage, message = WRONG[case]
    path = copied / tiny.BASE / "warping_module.pth"
    damage(path)
    with pytest.raises(PortrayalError, match=message) as raised:
        load_checkpoint(copied)
    assert str(path) in str(raised.value) and "\n" not in str(raised.value)
    assert not (copied / "executed").exists()


def test_files_that_changed_places(copied: Path) -> None:
    base = copied / tiny.BASE
    shutil.copy(base / "motion_extractor.pth", base / "warping_module.pth")
    with pytest.raises(PortrayalError, match=r"warping_module.pth: is the motion extractor \(motion_extr"):
        load_checkpoint(copied)
    shutil.copy(base / "motion_extractor.pth", copied / tiny.SMALL)
    shutil.copy(base / "motion_extractor.pth", base / "spade_generator.pth")
    torch.save(tiny.plain_networks()["warping_module"].state_dict(), base / "warping_module.pth")
    with pytest.raises(PortrayalError, match="not LivePortrait's generator"):
        load_checkpoint(copied)


def test_missing_files_name_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTRAYAL_WEIGHTS", str(tmp_path / "none"))
    with pytest.raises(PortrayalError, match=r"portrayal download liveportrait` .*522 MB, MIT licence"):
        load_checkpoint()
    with pytest.raises(PortrayalError, match=r"portrayal download liveportrait-animals`"):
        load_checkpoint(animal=True)
    with pytest.raises(PortrayalError, match="is no folder"):
        load_checkpoint(tmp_path / "elsewhere")
    with pytest.raises(PortrayalError, match=r"lacks .*warping_module.*stitching"):
        load_checkpoint(tmp_path)
