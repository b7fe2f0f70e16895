"""The registry and the contract: what there is, what an engine is given, what is said when it cannot be."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from matplotlib.cbook import get_sample_data
from pydantic import Field

import portrayal
from portrayal import Driving, Engine, EngineInfo, EngineOptions, Motion, Portrait, PortrayalError, UsageError
from portrayal import engines as registry
from portrayal.media.audio import Waveform

HOPPER = str(get_sample_data("grace_hopper.jpg", asfileobj=False))


class TintOptions(EngineOptions):
    green_level: int = Field(10, ge=0, le=255, description="How green")


class Tint(Engine):
    """Paints the portrait by the motion's jaw: enough of an engine to see what the contract does."""

    info = EngineInfo("tint", "tints", "motion", "Apache-2.0")
    Options = TintOptions
    rendered = 0

    def render(self, portrait: Portrait, driving: Driving, options: TintOptions) -> Iterator[np.ndarray]:
        type(self).rendered += 1
        for frame in driving.motion:
            rgb = portrait.rgb.copy()
            rgb[..., 0] = int(100 * frame.coefficients[17])
            rgb[..., 1] = options.green_level
            yield rgb


class Loud(Tint):
    info = replace(Tint.info, name="loud", reads="audio")


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})


@pytest.fixture(scope="module")
def portrait() -> Portrait:
    return Portrait.open(HOPPER, size=300)


def test_the_puppet_is_known_without_being_loaded() -> None:
    code = (
        "import sys, portrayal; names = [e.name for e in portrayal.list_engines()]; assert 'puppet' in names;"
        "assert 'mediapipe' not in sys.modules and 'cv2' not in sys.modules, 'heavy'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    info = registry.engine_info("puppet")
    assert info.reads == "motion" and info.commercial == "yes" and info.installed


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, portrayal, portrayal.motion, portrayal.errors; assert dir(portrayal);"
        "heavy = {'cv2', 'av', 'mediapipe', 'scipy', 'pydantic', 'PIL', 'yaml'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert all(getattr(portrayal, name) is not None for name in portrayal.__all__)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = portrayal.nonsense


def test_animate_is_lazy_and_says_how_long_it_will_be(portrait: Portrait) -> None:
    motion = Motion.from_coefficients(Fraction(30000, 1001), np.eye(52, dtype=np.float32)[[17, 0, 17]])
    sound = Waveform(np.zeros(1600, np.float32), 16000)
    before = Tint.rendered
    clip = Tint().animate(portrait, Driving.from_motion(motion, sound), green_level=5)
    assert Tint.rendered == before
    assert clip.fps == Fraction(30000, 1001) and clip.count == 3 and clip.audio is sound
    assert clip.size == portrait.size and clip.still is portrait.rgb
    frames = list(clip)
    assert [f[0, 0, 0] for f in frames] == [100, 0, 100] and (frames[1][..., 1] == 5).all()
    assert Tint.rendered == before + 1


def test_options_are_checked_at_once_and_in_one_line(portrait: Portrait) -> None:
    driving = Driving.from_motion(Motion.from_sliders({"jaw-open": 1}))
    tint = Tint()
    for values, said in (
        ({"strength": -1}, "tint: --strength: .*greater than or equal to 0"),
        ({"green_level": "red"}, "--green-level"),
        ({"reference_frame": "first"}, "--reference-frame: .*'auto' or 'neutral'"),
        ({"reference_frame": -1}, "--reference-frame"),
        ({"nonsense": 1}, "--nonsense: no such option"),
        ({"seed": -1, "smooth": 3}, "--smooth: .*; --seed: "),
        ({"strength": float("nan")}, "--strength"),
    ):
        with pytest.raises(UsageError, match=said) as error:
            tint.animate(portrait, driving, **values)
        assert "\n" not in str(error.value) and error.value.status == 2
    options = TintOptions(green_level=7, strength=2)
    assert tint.options(options, strength=1.5) == TintOptions(green_level=7, strength=1.5)
    assert tint.options(EngineOptions(seed=4)) == TintOptions(seed=4)


def test_driving_a_portrait_with_itself(portrait: Portrait, tmp_path: Path) -> None:
    other = tmp_path / "link.jpg"
    other.symlink_to(HOPPER)
    for path in (HOPPER, other):
        with pytest.raises(PortrayalError, match="is the portrait itself"):
            Tint().animate(portrait, Driving.open(path))


def test_an_engine_that_reads_sound_needs_some(portrait: Portrait) -> None:
    silent = Driving.from_motion(Motion.from_sliders({"jaw-open": 1}))
    with pytest.raises(PortrayalError, match="motion: has no sound, which engine loud is driven by"):
        Loud().animate(portrait, silent)


@pytest.mark.usefixtures("clean")
def test_unknown_engines_are_told_with_what_there_is() -> None:
    with pytest.raises(PortrayalError, match=r"no engine 'pupet' \(did you mean puppet\?\); known: .*puppet"):
        portrayal.load_engine("pupet")


@pytest.mark.usefixtures("clean")
def test_a_program_registers_its_own() -> None:
    assert portrayal.register_engine(Tint) is Tint
    assert isinstance(portrayal.load_engine("tint"), Tint)
    assert Tint.info in portrayal.list_engines()


@pytest.mark.usefixtures("clean")
def test_other_packages_add_engines_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint("tint", f"{__name__}:Tint", "portrayal.engines"),
        EntryPoint("broken", "no_such_package.engine:X", "portrayal.engines"),
        EntryPoint("odd", "builtins:print", "portrayal.engines"),
        EntryPoint("puppet", f"{__name__}:Tint", "portrayal.engines"),
    ]
    monkeypatch.setitem(sys.modules, __name__, sys.modules[Tint.__module__])
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    infos = {info.name: info for info in portrayal.list_engines()}
    assert infos["tint"] is Tint.info and "ModuleNotFoundError" in infos["broken"].summary
    assert infos["puppet"].summary != "tints"  # nobody takes a built-in name away
    assert type(portrayal.load_engine("tint")).__name__ == "Tint"
    with pytest.raises(PortrayalError, match="no_such_package is not installed"):
        portrayal.load_engine("broken")
    with pytest.raises(PortrayalError, match=r"no portrayal\.Engine class"):
        portrayal.load_engine("odd")


@pytest.mark.usefixtures("clean")
def test_a_missing_extra_is_told_with_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "portrayal_test_engines" / "dream"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "info.py").write_text(
        "from portrayal.engines.info import EngineInfo\n"
        "INFO = EngineInfo('dream', 'dreams', 'frames', 'MIT', extra='neural', modules=('no_such_torch',))\n"
    )
    (package / "engine.py").write_text("import no_such_torch\n")
    monkeypatch.setattr(registry, "BUILT_IN", {**registry.BUILT_IN, "dream": "Dream"})
    import portrayal.engines

    monkeypatch.setattr(
        portrayal.engines, "__path__", [*portrayal.engines.__path__, str(tmp_path / "portrayal_test_engines")]
    )
    assert not registry.engine_info("dream").installed
    with pytest.raises(PortrayalError, match=r"pip install 'portrayal\[neural\]'"):
        portrayal.load_engine("dream")
