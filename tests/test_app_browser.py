"""The page as people use it: a real browser, from what is uploaded to the file that is downloaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from browser import camera_clip, chromium, served
from conftest import Bars
from portrayal import Motion
from portrayal import engines as registry
from portrayal.app.jobs import Jobs
from portrayal.media.container import open_container
from portrayal.media.image import read_image
from portrayal.media.video import VideoReader
from portrayal.track.find import find_faces

#: What Gradio makes pandas say of itself.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*no_silent_downcasting"),
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),
]
TABS = ("Animate", "Edit", "Live", "Jobs")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("app").resolve()
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "page"))
        patch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        patch.setattr(registry, "_registered", {"bars": Bars})
        jobs = Jobs(folder)
        with served(jobs) as address:
            yield address
        jobs.close()


@pytest.fixture(scope="module")
def browser(media: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    clip = camera_clip(media, tmp_path_factory.mktemp("camera") / "clip.mjpeg")
    with chromium(clip) as made:
        yield made


@pytest.fixture
def visitor(browser: Browser) -> Iterator[BrowserContext]:
    """Somebody with cookies of their own, who fails a test where a page has an error."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    context.set_default_timeout(60_000)
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    yield context
    context.close()
    assert not errors


@pytest.fixture
def page(visitor: BrowserContext, address: str) -> Page:
    return opened(visitor, address)


def opened(visitor: BrowserContext, address: str, tab: str = "Animate") -> Page:
    page = visitor.new_page()
    page.goto(address)
    page.get_by_role("button", name="Animate", exact=True).wait_for()
    page.get_by_role("tab", name=tab, exact=True).click()
    return page


def upload(page: Page, place: str, path: Path) -> None:
    page.locator(f"#{place} input[type=file]").set_input_files(path)
    page.locator(f"#{place} :is(img, video, audio, .file-preview)").first.wait_for(state="attached")


def downloaded(page: Page, link: Any, folder: Path) -> Path:
    with page.expect_download() as download:
        link.click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def unfold(page: Page, name: str, inside: Any) -> None:
    """Open a part of the page; where Gradio drew it anew just after the click, again."""
    for _ in range(20):
        page.get_by_role("button", name=name).click()
        page.wait_for_timeout(500)
        if inside.is_visible():
            return
    raise AssertionError(f"{name} does not open")


def set_slider(page: Page, name: str, value: float) -> None:
    field = page.locator(f"#slider-{name} input[type=number]")
    before = page.locator("#edit-stage .after").get_attribute("src")
    field.fill(str(value))
    field.press("Enter")
    changed = "before => document.querySelector('#edit-stage .after').src !== before"
    page.wait_for_function(changed, arg=before)
    page.wait_for_timeout(200)


def test_animate_from_a_portrait_and_a_text_to_the_files(page: Page, media: Path, tmp_path: Path) -> None:
    page.get_by_role("button", name="Animate", exact=True).click()
    page.get_by_text("Choose a portrait first").wait_for()
    upload(page, "portrait", media / "hopper.png")
    page.get_by_label("A text").check()
    page.get_by_label("What to say").fill("Aha, oh no.")
    height = page.locator("#stage").bounding_box()
    page.get_by_role("button", name="Animate", exact=True).click()
    page.locator("#stage [role=progressbar], #stage .bar").first.wait_for()
    assert page.locator("#stage").bounding_box() == height  # nothing jumps while it is made ...
    page.locator("#stage video").wait_for()
    assert page.locator("#stage").bounding_box() == height  # ... nor when it is there
    result = downloaded(page, page.get_by_role("link", name="Download: result"), tmp_path)
    with open_container(result) as container:
        assert "Synthetic media made with Portrayal" in container.metadata["comment"]
    video = VideoReader(result)
    assert video.info.has_audio and (video.info.width, video.info.height) == (256, 260)
    assert video.info.frame_count > 15
    page.get_by_label("Side by side").check()
    page.locator("#stage video[aria-label='Side by side']").wait_for()
    page.get_by_label("Contact sheet").check()
    page.locator("#stage img[alt='Contact sheet']").wait_for()
    sheet = downloaded(page, page.get_by_role("link", name="Download: contact sheet"), tmp_path)
    assert read_image(sheet).rgb.shape[1] > 500
    page.get_by_role("button", name="Use as driving").click()
    page.locator("#driving-video video").wait_for()
    assert page.get_by_label("A video").nth(1).is_checked()
    page.reload()  # what was made is still there
    page.locator("#stage video").wait_for()


def test_a_job_is_cancelled_and_listed_and_nobody_elses(
    visitor: BrowserContext, browser: Browser, address: str, media: Path
) -> None:
    page = opened(visitor, address)
    upload(page, "portrait", media / "hopper.png")
    upload(page, "driving-video", media / "talk.mp4")
    page.get_by_role("button", name="Animate", exact=True).click()
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_text("Nothing was kept").wait_for()
    page.get_by_role("tab", name="Jobs", exact=True).click()
    page.locator(".jobs li", has_text="cancelled").wait_for()
    stranger = browser.new_context()
    other = opened(stranger, address, "Jobs")
    other.get_by_text("Nothing here yet").wait_for()
    stranger.close()
    page.locator(".jobs").get_by_role("button", name="Remove").click()
    page.get_by_text("Nothing here yet").wait_for()


def test_a_file_that_is_none_is_said_and_the_page_goes_on(page: Page, media: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(500))
    upload(page, "portrait", media / "hopper.png")
    page.locator("#driving-video input[type=file]").set_input_files(tmp_path / "broken.mp4")
    page.locator("#driving-video video").wait_for(state="attached")
    page.get_by_role("button", name="Animate", exact=True).click()
    page.locator("#stage [role=alert]", has_text="broken.mp4").wait_for()


def test_options_come_from_the_engines_model(page: Page) -> None:
    page.get_by_role("button", name="Quality and speed").wait_for()
    page.get_by_role("radio", name="bars").check()
    unfold(page, "More", page.get_by_text("How high the bar is, in pixels"))
    assert page.get_by_label("red").is_checked()
    page.get_by_role("radio", name="liveportrait").check()
    page.get_by_role("button", name="What moves").wait_for()
    page.get_by_role("button", name="Get the weights (522 MB, licence MIT)").wait_for()


def test_edit_from_sliders_to_picture_script_and_video(page: Page, media: Path, tmp_path: Path) -> None:
    page.get_by_role("tab", name="Edit", exact=True).click()
    upload(page, "edit-portrait", media / "hopper.png")
    page.locator("#edit-stage .after").wait_for()
    page.get_by_role("button", name="Add key frame").click()
    page.locator("#strip li").first.wait_for()
    set_slider(page, "yaw", 14)
    page.get_by_role("button", name="Add key frame").click()
    page.locator("#strip li").nth(1).wait_for()
    page.get_by_role("button", name="Export picture").click()
    files = page.locator("#edit-downloads a")
    files.wait_for()
    picture = downloaded(page, files, tmp_path)
    own = find_faces(read_image(media / "hopper.png").rgb)[0].pose.angles
    assert find_faces(read_image(picture).rgb)[0].pose.angles[1] - own[1] == pytest.approx(14, abs=5)
    script = downloaded(page, page.get_by_role("button", name="Export script").last, tmp_path)
    motion = Motion.from_script(script)
    assert motion.rotation[0, 1] == 0 and motion.rotation[-1, 1] == pytest.approx(14, abs=0.1)
    page.get_by_role("button", name="Export video").click()
    page.locator("#edit-downloads a[href$=video]").wait_for()
    video = downloaded(page, page.locator("#edit-downloads a[href$=video]"), tmp_path)
    assert len(list(VideoReader(video))) == len(motion)
    page.locator("#strip").get_by_role("button", name="Remove the key frame at 0 seconds").click()
    page.wait_for_function("document.querySelectorAll('#strip li').length === 1")


def test_live_a_camera_drives_the_portrait_to_a_recording(page: Page, media: Path, tmp_path: Path) -> None:
    page.get_by_role("tab", name="Live", exact=True).click()
    assert page.get_by_role("button", name="Start camera").is_disabled()
    upload(page, "live-portrait", media / "hopper.png")
    page.locator("[data-act=start]:enabled").click()
    frames = "Number(document.querySelector('.live').dataset.frames || 0)"
    page.wait_for_function(f"{frames} > 5")
    page.get_by_role("button", name="Calibrate").click()
    page.get_by_role("button", name="Record").click()
    so_far = page.evaluate(frames)
    page.wait_for_function(f"{frames} > {so_far} + 30")
    page.get_by_role("button", name="Stop recording").click()
    recording = downloaded(page, page.get_by_role("link", name="Download the recording"), tmp_path)
    with open_container(recording) as container:
        assert "Synthetic media made with Portrayal" in container.metadata["comment"]
    pictures = list(VideoReader(recording))
    assert pictures[0].shape == (260, 256, 3)
    places = np.array([find_faces(rgb)[0].centre[0] for rgb in pictures[::5]])
    assert np.ptp(places) > 3  # the head sways as that before the camera does
    page.get_by_role("button", name="Freeze").click()
    page.wait_for_timeout(500)
    before = page.evaluate(frames)
    page.wait_for_timeout(300)
    assert page.evaluate(frames) == before
    page.get_by_role("button", name="Stop camera").click()
    page.get_by_role("button", name="Start camera").wait_for()


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (390, "dark")])
def test_it_fits_names_everything_and_asks_nobody_else(
    browser: Browser, address: str, width: int, theme: Any
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 850}, color_scheme=theme)
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = opened(context, address)
    dark = "document.body.classList.contains('dark')"
    page.wait_for_function(f"{dark} === {str(theme == 'dark').lower()}")
    for tab in TABS:
        page.get_by_role("tab", name=tab, exact=True).click()
        page.wait_for_timeout(200)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(UNNAMED) == []
    page.locator("#theme-toggle").focus()
    page.keyboard.press("Enter")
    page.wait_for_function(f"{dark} === {str(theme != 'dark').lower()}")
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
    context.close()


#: What one can see and operate, but has no name that a screen reader could say.
UNNAMED = """() => [...document.querySelectorAll('button, input:not([type=file]), textarea, select')]
  .filter((each) => each.checkVisibility() && !each.closest('[aria-hidden=true]'))
  .filter((each) => !(each.innerText || each.ariaLabel || each.title || each.labels?.length
    || each.getAttribute('aria-labelledby') || each.placeholder))
  .map((each) => each.outerHTML.slice(0, 160))"""
